use super::*;
use crate::{
    Accepted, DeviceProfile, Settings, read_device, read_product, write_device, write_product,
};
use proptest::prelude::*;

const DAY: i64 = 86_400;
/// A midnight.
const T: i64 = 1_795_046_400;

fn message(at: i64, topic: &str, count: u32) -> Observed {
    let mut seen = Observed::at(UnixTime(at));
    seen.messages(count);
    seen.sizes(64, count, 64);
    seen.add(Aspect::Topic, topic);
    seen.add(Aspect::Door, "mqtt");
    seen
}

fn from(at: i64, address: &str) -> Observed {
    let mut seen = Observed::at(UnixTime(at));
    seen.place(address.parse().unwrap(), (24, 48));
    seen
}

fn whats(found: &[Deviation]) -> Vec<(&'static str, &str)> {
    found.iter().map(|it| (it.aspect.what(), it.seen.as_str())).collect()
}

fn accepted() -> Accepted {
    Accepted { at: UnixTime(T), by: "person acme/aiko".into() }
}

/// A product whose devices send ten messages each hour of office hours for a week.
fn learned(devices: usize) -> (ProductProfile, Vec<DeviceProfile>) {
    let mut product = ProductProfile::new(UnixTime(T));
    let mut all = vec![DeviceProfile::new(UnixTime(T)); devices];
    for day in 0..7 {
        for hour in 8..18 {
            for (number, device) in all.iter_mut().enumerate() {
                let at = T + day * DAY + hour * 3600 + 5;
                observe(&mut product, device, &from(at, &format!("192.0.{number}.1")));
                assert!(observe(&mut product, device, &message(at, "up/t", 10)).is_empty());
            }
        }
    }
    assert!(product.end_learning(UnixTime(T + 7 * DAY)));
    (product, all)
}

#[test]
fn what_was_learned_is_ordinary_and_what_was_not_deviates() {
    let (mut product, mut devices) = learned(4);
    let device = &mut devices[0];
    let at = T + 8 * DAY + 10 * 3600;
    assert!(observe(&mut product, device, &message(at, "up/t", 10)).is_empty());
    assert!(observe(&mut product, device, &from(at, "192.0.0.77")).is_empty());
    let mut seen = message(at + 1, "up/shell", 1);
    seen.add(Aspect::Door, "coap");
    seen.sizes(100_000, 1, 100_000);
    seen.place("198.51.100.1".parse().unwrap(), (24, 48));
    assert_eq!(
        whats(&observe(&mut product, device, &seen)),
        [
            ("unexpected-topic", "up/shell"),
            ("unexpected-door", "coap"),
            ("unexpected-place", "198.51.100.0/24"),
            ("unexpected-size", "100000"),
        ]
    );
    // Each value once an hour, and again in the next.
    assert!(observe(&mut product, device, &message(at + 2, "up/shell", 1)).is_empty());
    let again = observe(&mut product, device, &message(at + 3600, "up/shell", 1));
    assert_eq!(whats(&again), [("unexpected-topic", "up/shell")]);
    assert_eq!(again[0].ordinary, "up/t");
    assert_eq!(again[0].since, UnixTime(T));
    assert_eq!(device.deviations().last().unwrap().count, 2);
    // Another device's place is not this one's.
    let found = observe(&mut product, device, &from(at + 3601, "192.0.1.1"));
    assert_eq!(whats(&found), [("unexpected-place", "192.0.1.0/24")]);
}

#[test]
fn nothing_is_told_while_a_profile_learns_or_is_off() {
    let mut product = ProductProfile::new(UnixTime(T));
    let mut device = DeviceProfile::new(UnixTime(T));
    for number in 0..500 {
        let found = observe(&mut product, &mut device, &message(T + number, "up/t", 1_000));
        assert!(found.is_empty());
    }
    product.enter(Phase::Off, UnixTime(T + 600));
    assert!(observe(&mut product, &mut device, &message(T + 601, "up/x", 99_999)).is_empty());
    // Learning does not end by itself before anything was learned.
    let mut empty = ProductProfile::new(UnixTime(T));
    assert!(!empty.end_learning(UnixTime(T + 30 * DAY)) && empty.is_learning());
}

#[test]
fn more_than_is_ordinary_in_an_hour_deviates_once() {
    let (mut product, mut devices) = learned(4);
    let device = &mut devices[0];
    let at = T + 8 * DAY + 10 * 3600;
    assert!(observe(&mut product, device, &message(at, "up/t", 60)).is_empty());
    let found = observe(&mut product, device, &message(at + 1, "up/t", 1));
    assert_eq!(whats(&found), [("unexpected-rate", "61")]);
    assert_eq!(found[0].ordinary, "60");
    assert!(observe(&mut product, device, &message(at + 2, "up/t", 5_000)).is_empty());
    // In the next hour it is as it was.
    assert!(observe(&mut product, device, &message(at + 3600, "up/t", 10)).is_empty());
    product.accept(Aspect::Rate, "9000", accepted()).unwrap();
    assert!(observe(&mut product, device, &message(at + 3601, "up/t", 8_000)).is_empty());
    let found = observe(&mut product, device, &message(at + 3602, "up/t", 991));
    assert_eq!(whats(&found), [("unexpected-rate", "9001")]);
}

#[test]
fn an_hour_of_the_day_in_which_nothing_comes_deviates() {
    let (mut product, mut devices) = learned(4);
    let night = T + 8 * DAY + 3 * 3600;
    let found = observe(&mut product, &mut devices[0], &message(night, "up/t", 1));
    assert_eq!(whats(&found), [("unexpected-hour", "03")]);
    // The hour beside an ordinary one is ordinary: summer time, a wrong clock.
    let early = T + 9 * DAY + 7 * 3600;
    assert!(observe(&mut product, &mut devices[0], &message(early, "up/t", 1)).is_empty());
    // What was learned within less than a day says nothing about hours.
    let mut product = ProductProfile::new(UnixTime(T));
    let mut device = DeviceProfile::new(UnixTime(T));
    observe(&mut product, &mut device, &message(T, "up/t", 1));
    product.enter(Phase::Watching, UnixTime(T + 600));
    assert!(observe(&mut product, &mut device, &message(T + 12 * 3600, "up/t", 1)).is_empty());
}

#[test]
fn one_device_does_not_widen_what_is_ordinary_for_the_others() {
    let mut product = ProductProfile::new(UnixTime(T));
    let mut all = vec![DeviceProfile::new(UnixTime(T)); 4];
    for device in &mut all {
        observe(&mut product, device, &message(T + 1, "up/t", 10));
    }
    // A device that somebody took over during learning.
    let mut seen = message(T + 2, "up/shell", 100_000);
    seen.sizes(1_000_000, 1_000, 1_000_000);
    observe(&mut product, &mut all[0], &seen);
    product.enter(Phase::Watching, UnixTime(T + 60));
    assert_eq!(product.ordinary(Aspect::Topic), ["up/t"]);
    assert_eq!(product.bound(Aspect::Rate), Some(60));
    assert_eq!(product.bound(Aspect::Size), Some(256));
    // It stays ordinary for that one; for another, and for a new one, it does not.
    assert!(observe(&mut product, &mut all[0], &message(T + 3600, "up/shell", 1)).is_empty());
    let found = observe(&mut product, &mut all[1], &message(T + 3600, "up/shell", 1_000));
    assert_eq!(whats(&found), [("unexpected-topic", "up/shell"), ("unexpected-rate", "1000")]);
    let mut new = DeviceProfile::new(UnixTime(T + 3600));
    let found = observe(&mut product, &mut new, &message(T + 3600, "up/shell", 1_000));
    assert_eq!(whats(&found), [("unexpected-topic", "up/shell"), ("unexpected-rate", "1000")]);
    // Two more that show it make three.
    product.enter(Phase::Learning { until: UnixTime(T + 9_000) }, UnixTime(T + 4_000));
    for device in &mut all[..3] {
        observe(&mut product, device, &message(T + 5_000, "up/shell", 1));
    }
    product.enter(Phase::Watching, UnixTime(T + 9_000));
    assert!(observe(&mut product, &mut all[3], &message(T + 9_001, "up/shell", 1)).is_empty());
    // Learning anew forgot what was learned before.
    let found = observe(&mut product, &mut all[3], &message(T + 9_002, "up/t", 1));
    assert_eq!(whats(&found), [("unexpected-topic", "up/t")]);
}

#[test]
fn a_new_device_learns_its_own_place_unless_the_profile_is_frozen() {
    let (product, _) = learned(4);
    let at = T + 8 * DAY + 10 * 3600;
    for (phase, wanted) in [(Phase::Watching, 0), (Phase::Frozen, 1)] {
        let mut product = product.clone();
        product.enter(phase, UnixTime(at));
        let mut new = DeviceProfile::new(UnixTime(at));
        let found = observe(&mut product, &mut new, &from(at + 1, "203.0.113.1"));
        assert_eq!(found.len(), wanted, "{phase:?}");
    }
    let mut product = product;
    let mut new = DeviceProfile::new(UnixTime(at));
    observe(&mut product, &mut new, &from(at + 1, "203.0.113.1"));
    let later = at + 8 * DAY;
    assert!(observe(&mut product, &mut new, &from(later, "203.0.113.9")).is_empty());
    let found = observe(&mut product, &mut new, &from(later, "198.51.100.9"));
    assert_eq!(whats(&found), [("unexpected-place", "198.51.100.0/24")]);
    // It taught the product nothing.
    assert_eq!(product.devices(), 4);
}

#[test]
fn people_accept_and_take_back_and_have_a_device_learn_anew() {
    let (mut product, mut devices) = learned(4);
    let device = &mut devices[0];
    let at = T + 8 * DAY + 10 * 3600;
    assert_eq!(observe(&mut product, device, &message(at, "up/shell", 1)).len(), 1);
    device.accept(Aspect::Topic, "up/shell", accepted()).unwrap();
    product.accept(Aspect::Place, "198.51.0.0/16", accepted()).unwrap();
    assert!(observe(&mut product, device, &message(at + 3600, "up/shell", 1)).is_empty());
    assert!(observe(&mut product, device, &from(at + 3600, "198.51.100.1")).is_empty());
    assert!(device.take_back(Aspect::Topic, "up/shell"));
    assert!(product.take_back(Aspect::Place, "198.51.0.0/16"));
    assert_eq!(observe(&mut product, device, &message(at + 7200, "up/shell", 1)).len(), 1);
    for number in 0..crate::ACCEPTED_MAX {
        device.accept(Aspect::Topic, &format!("a/{number}"), accepted()).unwrap();
    }
    let full = device.accept(Aspect::Topic, "b", accepted());
    assert_eq!(full, Err(crate::BehaviourError::Full));
    // It learns anew, alone, what the product says nothing about.
    device.relearn(&mut product, UnixTime(at + 9_000));
    assert_eq!(product.devices(), 3);
    assert!(observe(&mut product, device, &from(at + 9_001, "203.0.113.1")).is_empty());
    let found = observe(&mut product, device, &message(at + 9_001, "up/shell", 1));
    assert_eq!(whats(&found), [("unexpected-topic", "up/shell")]);
}

#[test]
fn numbers_in_topics_make_them_coarser() {
    let mut product = ProductProfile::new(UnixTime(T));
    let mut all = vec![DeviceProfile::new(UnixTime(T)); 3];
    for device in &mut all {
        for number in 0..100 {
            observe(&mut product, device, &message(T + number, &format!("up/job/{number}"), 1));
        }
        assert_eq!(device.depth(), 2);
    }
    product.enter(Phase::Watching, UnixTime(T + 200));
    assert_eq!(product.ordinary(Aspect::Topic), ["up/job/#"]);
    assert!(observe(&mut product, &mut all[0], &message(T + 300, "up/job/777", 1)).is_empty());
    let mut new = DeviceProfile::new(UnixTime(T + 300));
    assert!(observe(&mut product, &mut new, &message(T + 300, "up/job/1", 1)).is_empty());
    assert_eq!(observe(&mut product, &mut new, &message(T + 300, "up/x/1", 1)).len(), 1);
}

#[test]
fn who_sends_each_hour_and_stops_is_silent_once() {
    let mut product = ProductProfile::new(UnixTime(T));
    let mut device = DeviceProfile::new(UnixTime(T));
    let mut rare = DeviceProfile::new(UnixTime(T));
    for hour in 0..48 {
        observe(&mut product, &mut device, &message(T + hour * 3600 + 9, "up/t", 2));
        if hour % 6 == 0 {
            observe(&mut product, &mut rare, &message(T + hour * 3600 + 9, "up/t", 2));
        }
    }
    let end = T + 48 * 3600;
    product.enter(Phase::Watching, UnixTime(end));
    observe(&mut product, &mut device, &message(end + 5, "up/t", 2));
    let ask = |device: &mut DeviceProfile, at, up| {
        silent(&product, device, (UnixTime(at), UnixTime(up))).map(|it| it.ordinary)
    };
    assert_eq!(ask(&mut device, end + 3600, 0), None);
    // While the platform was down it heard nobody.
    assert_eq!(ask(&mut device, end + 4 * 3600, end + 3 * 3600), None);
    assert_eq!(ask(&mut device, end + 4 * 3600, 0), Some("100".into()));
    assert_eq!(ask(&mut device, end + 5 * 3600, 0), None);
    assert_eq!(ask(&mut rare, end + 50 * 3600, 0), None);
    let back = end + 60 * 3600;
    observe(&mut product.clone(), &mut device, &message(back, "up/t", 2));
    assert_eq!(ask(&mut device, back + 4 * 3600, 0), Some("100".into()));
}

#[test]
fn what_nobody_wants_to_know_does_not_deviate() {
    let (mut product, mut devices) = learned(4);
    let settings = Settings { off: vec![Aspect::Place, Aspect::Topic], ..Settings::default() };
    product.choose(settings.checked().unwrap());
    let at = T + 8 * DAY + 10 * 3600;
    assert!(observe(&mut product, &mut devices[0], &from(at, "203.0.113.1")).is_empty());
    assert!(observe(&mut product, &mut devices[0], &message(at, "up/x", 1)).is_empty());
    for wrong in [
        Settings { learn_s: 59, ..Settings::default() },
        Settings { factor_percent: 99, ..Settings::default() },
        Settings { devices_min: 0, ..Settings::default() },
        Settings { place_bits: (33, 48), ..Settings::default() },
        Settings { place_bits: (24, 129), ..Settings::default() },
    ] {
        assert!(wrong.checked().is_err());
    }
}

#[test]
fn explanations_say_what_was_seen_and_what_is_ordinary() {
    for aspect in Aspect::ALL {
        for text in [
            aspect.explained("SEEN", "ORDINARY", "SINCE"),
            aspect.explained_in_japanese("SEEN", "ORDINARY", "SINCE"),
        ] {
            assert!(["SEEN", "ORDINARY", "SINCE"].iter().all(|it| text.contains(it)), "{text}");
        }
    }
}

fn any_observed() -> impl Strategy<Value = (usize, i64, u32, u32, String, u8)> {
    (0_usize..4, 0_i64..40 * DAY, 0_u32..5_000, 0_u32..2_000_000, "[a-c/]{0,12}", any::<u8>())
}

proptest! {
    #[test]
    fn profiles_are_bounded_and_come_back(
        all in prop::collection::vec(any_observed(), 0..300), end in 0_usize..300
    ) {
        let mut product = ProductProfile::new(UnixTime(T));
        let mut devices = vec![DeviceProfile::new(UnixTime(T)); 4];
        for (number, (which, at, count, bytes, topic, place)) in all.iter().enumerate() {
            if number == end {
                product.enter(Phase::Watching, UnixTime(T));
            }
            let mut seen = Observed::at(UnixTime(T + at));
            seen.messages(*count);
            seen.sizes(*bytes, *count, *bytes);
            seen.add(Aspect::Topic, topic);
            seen.place([10, *place, 0, 1].into(), (24, 48));
            let found = observe(&mut product, &mut devices[*which], &seen);
            prop_assert!(number >= end || found.is_empty());
            // The same again says nothing new.
            prop_assert!(observe(&mut product, &mut devices[*which], &Observed::at(UnixTime(T + at)))
                .iter().all(|it| it.aspect == Aspect::Rate));
        }
        for aspect in Aspect::ALL {
            prop_assert!(product.shown(*aspect).count() <= aspect.entries_max().1);
        }
        let back = read_product(&write_product(&product));
        prop_assert_eq!(back.as_ref(), Ok(&product));
        for device in &devices {
            let text = write_device(device);
            prop_assert!(text.len() < 32 * 1024);
            let back = read_device(&text);
            prop_assert_eq!(back.as_ref(), Ok(device));
            for aspect in Aspect::ALL {
                let of = device.learned(&product).shown;
                let count = of.iter().filter(|(it, ..)| it == aspect).count();
                prop_assert!(count <= aspect.entries_max().0);
            }
        }
        // Devices that the product counts are those that it has magnitudes of.
        prop_assert!(product.devices() <= 4);
        prop_assert!(product.rates.count() <= 4 && product.sizes.count() <= 4);
    }
}

#[test]
fn a_few_devices_that_write_much_keep_out_nothing_that_many_write() {
    let mut product = ProductProfile::new(UnixTime(T));
    for taken_over in 0..5 {
        let mut device = DeviceProfile::new(UnixTime(T));
        for number in 0..32 {
            let junk = format!("junk-{taken_over}-{number}");
            observe(&mut product, &mut device, &message(T + number, &junk, 1));
        }
    }
    let most = Aspect::Topic.entries_max().1;
    assert_eq!(product.shown(Aspect::Topic).count(), most);
    assert!(product.overflow() > 0);
    for number in 0..3 {
        let mut device = DeviceProfile::new(UnixTime(T));
        observe(&mut product, &mut device, &message(T + 60 + number, "up/t", 1));
    }
    assert!(product.is_ordinary(Aspect::Topic, "up/t"));
    assert_eq!(product.shown(Aspect::Topic).count(), most);
    // What had no room may be as ordinary: devices that are new learn of their own.
    assert!(!product.is_established(Aspect::Topic) && product.is_established(Aspect::Door));
}

#[test]
fn who_had_no_room_and_learns_anew_takes_nobody_away() {
    let mut product = ProductProfile::new(UnixTime(T));
    for number in 0..128 {
        let topic = format!("t{number}");
        product.support(Aspect::Topic, &topic, UnixTime(T));
        product.support(Aspect::Topic, &topic, UnixTime(T));
    }
    let mut late = DeviceProfile::new(UnixTime(T));
    observe(&mut product, &mut late, &message(T + 1, "up/t", 1));
    assert!(product.shown(Aspect::Topic).all(|(value, _)| value != "up/t"));
    product.features.remove(&(Aspect::Topic, "t0".into()));
    product.support(Aspect::Topic, "up/t", UnixTime(T + 2));
    late.relearn(&mut product, UnixTime(T + 3));
    let devices = product.shown(Aspect::Topic).find(|(value, _)| *value == "up/t");
    assert_eq!(devices.map(|(_, by)| by.devices), Some(1));
}

#[test]
fn a_clock_that_was_ahead_adds_no_hours_up() {
    let (mut product, mut devices) = learned(4);
    let device = &mut devices[0];
    let at = T + 8 * DAY + 10 * 3600;
    // Set ahead by a day, then back.
    observe(&mut product, device, &message(at + DAY, "up/t", 1));
    for hour in 0..12 {
        let found = observe(&mut product, device, &message(at + hour * 3600, "up/t", 10));
        assert!(found.iter().all(|it| it.aspect != Aspect::Rate), "{hour}: {found:?}");
        assert_eq!(device.hour(), ((at + hour * 3600).div_euclid(3600), 10));
    }
    assert_eq!(device.seen().1, UnixTime(at + 11 * 3600));
}

#[test]
fn invented_versions_hide_nothing_else() {
    let (mut product, mut devices) = learned(4);
    let at = T + 8 * DAY + 10 * 3600;
    let mut seen = message(at, "up/shell", 1);
    for number in 0..100 {
        seen.add(Aspect::Firmware, &number.to_string());
    }
    seen.add(Aspect::Door, "coap");
    seen.place("198.51.100.1".parse().unwrap(), (24, 48));
    seen.messages(10_000);
    seen.sizes(100_000, 1, 100_000);
    let found = observe(&mut product, &mut devices[0], &seen);
    for wanted in [Aspect::Topic, Aspect::Door, Aspect::Place, Aspect::Rate, Aspect::Size] {
        assert!(found.iter().any(|it| it.aspect == wanted), "{wanted:?}: {found:?}");
    }
}
