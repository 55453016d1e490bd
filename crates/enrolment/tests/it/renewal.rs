use crypto::UnixTime;
use device::DeviceId;
use enrolment::renewal::{RenewalPhase, RenewalWindow};
use proptest::prelude::*;

const FROM: UnixTime = UnixTime(1_795_000_000);
const DAY: i64 = 86_400;

fn window(device: u8, days: i64) -> RenewalWindow {
    RenewalWindow::of(DeviceId::from_bytes([device; 16]), FROM, FROM.plus(days * DAY))
}

#[test]
fn a_fleet_spreads_over_the_window() {
    let mut buckets = [0; 10];
    for device in 0..10_000_u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&device.to_be_bytes());
        let window = RenewalWindow::of(DeviceId::from_bytes(id), FROM, FROM.plus(90 * DAY));
        let offset = window.from.since(FROM.plus(60 * DAY));
        buckets[usize::try_from(offset * 10 / (15 * DAY)).unwrap()] += 1;
    }
    // 1000 expected in each; more than five standard deviations off would be no accident.
    assert!(buckets.iter().all(|count| (850..1150).contains(count)), "{buckets:?}");
}

#[test]
fn phases_follow_one_another() {
    let window = window(1, 90);
    let check = |at: UnixTime, phase| assert_eq!(window.phase(at), phase);
    check(FROM.plus(-1), RenewalPhase::Early);
    check(window.from.plus(-1), RenewalPhase::Early);
    check(window.from, RenewalPhase::Due);
    check(window.until, RenewalPhase::Due);
    check(window.until.plus(1), RenewalPhase::Late);
    check(window.expires, RenewalPhase::Late);
    check(window.expires.plus(1), RenewalPhase::Expired);
}

#[test]
fn without_an_end_never() {
    let window = RenewalWindow::of(DeviceId::from_bytes([1; 16]), FROM, UnixTime::NEVER);
    assert_eq!(window.phase(FROM.plus(100 * 365 * DAY)), RenewalPhase::Early);
}

proptest! {
    #[test]
    fn the_window_is_in_the_lifetime(id: [u8; 16], from in -10_000_000_000..250_000_000_000_i64, lifetime in 0..4_000_000_000_i64) {
        let (from, to) = (UnixTime(from), UnixTime(from + lifetime));
        let window = RenewalWindow::of(DeviceId::from_bytes(id), from, to);
        prop_assert!(from <= window.from && window.from <= window.until && window.until <= window.expires);
        // A notAfter past the year 9999 cannot be written: it means "without an end".
        prop_assert_eq!(window.expires, to.min(UnixTime::NEVER));
        prop_assert_eq!(window, RenewalWindow::of(DeviceId::from_bytes(id), from, to));
    }

    #[test]
    fn any_times_are_taken_without_panic(id: [u8; 16], from: i64, to: i64, now: i64) {
        let window = RenewalWindow::of(DeviceId::from_bytes(id), UnixTime(from), UnixTime(to));
        let _ = window.phase(UnixTime(now));
    }
}
