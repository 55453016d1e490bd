//! Rates and quotas (GW-6): per device, per product line, per organisation and for all, fair when
//! there is not enough for everybody.
//!
//! A [`Meter`] lets an average pass with bursts (the generic cell rate algorithm, ITU-T I.371). A
//! [`Shared`] amount is divided among those who want it now: each may have an equal part at once,
//! and what others leave over as long as there is some. So a hijacked part of a fleet takes what
//! nobody else wants, and nothing more.
//!
//! Time is nanoseconds of a clock that never goes back; where it starts does not matter.

use std::{collections::HashMap, hash::Hash};

/// Nanoseconds of a clock that never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticks(pub u64);

const SECOND: u64 = 1_000_000_000;
/// How long somebody counts as wanting its part after its last message.
const ACTIVE: u64 = SECOND;

/// An average with a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// messages per second, at least 1
    pub per_second: u32,
    /// messages at once, at least 1
    pub burst: u32,
}

impl Allowance {
    /// An allowance; zeroes become ones.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second: per_second.max(1), burst: burst.max(1) }
    }

    fn interval(self) -> u64 {
        (SECOND / u64::from(self.per_second.max(1))).max(1)
    }

    fn tolerance(self) -> u64 {
        self.interval().saturating_mul(u64::from(self.burst.max(1)) - 1)
    }
}

/// One allowance as it is used: 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meter {
    /// when the next message is due that keeps the average exactly
    due: u64,
}

impl Meter {
    /// Whether a message may pass now; nothing is taken.
    pub fn has_room(&self, allowance: Allowance, now: Ticks) -> bool {
        self.due.saturating_sub(allowance.tolerance()) <= now.0
    }

    /// Takes one message out, whether there is room or not: the debt grows up to one burst more, so
    /// that who goes on beyond its allowance waits until it stops, and not for ever.
    pub fn take(&mut self, allowance: Allowance, now: Ticks) {
        let most = now.0.saturating_add(allowance.tolerance().saturating_mul(2));
        let next = self.due.max(now.0).saturating_add(allowance.interval());
        self.due = next.min(most.max(now.0.saturating_add(allowance.interval())));
    }

    /// Takes one message out where there is room.
    pub fn pass(&mut self, allowance: Allowance, now: Ticks) -> bool {
        let room = self.has_room(allowance, now);
        if room {
            self.take(allowance, now);
        }
        room
    }

    /// Until there is room, in nanoseconds.
    pub fn wait(&self, allowance: Allowance, now: Ticks) -> u64 {
        self.due.saturating_sub(allowance.tolerance()).saturating_sub(now.0)
    }

    /// Whether it is as if it had never been used.
    pub fn is_idle(&self, now: Ticks) -> bool {
        self.due <= now.0
    }
}

/// An amount that many share.
#[derive(Debug)]
pub struct Shared<K> {
    allowance: Allowance,
    all: Meter,
    parts: HashMap<K, Part>,
    /// how many wanted their part in the window that ended, at least 1
    active: u32,
    /// how many have in the window that runs
    counted: u32,
    window_ends: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Part {
    meter: Meter,
    /// end of the window in which it was counted last
    counted_in: u64,
}

impl<K: Hash + Eq + Clone> Shared<K> {
    /// An amount that nobody used yet.
    pub fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            all: Meter::default(),
            parts: HashMap::new(),
            active: 1,
            counted: 0,
            window_ends: 0,
        }
    }

    /// Another amount, from now on.
    pub fn set(&mut self, allowance: Allowance) {
        self.allowance = allowance;
    }

    /// Whether somebody's message may pass now, and takes it out if so.
    pub fn pass(&mut self, who: &K, now: Ticks) -> bool {
        if now.0 >= self.window_ends {
            self.turn(now);
        }
        let part_of = self.part();
        // Copied only where it is new: a copy may be a count that everybody's messages write.
        let part = match self.parts.get_mut(who) {
            Some(part) => part,
            None => self.parts.entry(who.clone()).or_default(),
        };
        if part.counted_in != self.window_ends {
            part.counted_in = self.window_ends;
            self.counted = self.counted.saturating_add(1);
        }
        // Its equal part it gets whatever the others do; beyond it, what is left over.
        let own = part.meter.has_room(part_of, now);
        if !own && !self.all.has_room(self.allowance, now) {
            return false;
        }
        part.meter.take(part_of, now);
        self.all.take(self.allowance, now);
        true
    }

    /// How many share it now.
    pub fn active(&self) -> u32 {
        self.active.max(self.counted).max(1)
    }

    /// How many are remembered.
    pub fn remembered(&self) -> usize {
        self.parts.len()
    }

    fn part(&self) -> Allowance {
        let active = self.active();
        Allowance::new(self.allowance.per_second / active, self.allowance.burst / active)
    }

    /// A window has ended: those that are quiet are forgotten.
    fn turn(&mut self, now: Ticks) {
        let ended = self.window_ends;
        self.active = if now.0 < ended.saturating_add(ACTIVE) { self.counted } else { 0 }.max(1);
        self.counted = 0;
        self.window_ends = now.0.saturating_add(ACTIVE);
        self.parts.retain(|_, part| part.counted_in == ended || !part.meter.is_idle(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MILLISECOND: u64 = 1_000_000;

    #[test]
    fn a_burst_passes_and_then_the_average() {
        let allowance = Allowance::new(10, 5);
        let mut meter = Meter::default();
        let passed = (0..20).filter(|_| meter.pass(allowance, Ticks(0))).count();
        assert_eq!(passed, 5);
        assert_eq!(meter.wait(allowance, Ticks(0)), 100 * MILLISECOND);
        let passed =
            (1..=100_u64).filter(|n| meter.pass(allowance, Ticks(n * 10 * MILLISECOND))).count();
        assert_eq!(passed, 10, "a second at ten per second");
        assert!(meter.is_idle(Ticks(100 * SECOND)));
    }

    #[test]
    fn who_takes_without_room_waits_and_not_for_ever() {
        let allowance = Allowance::new(10, 5);
        let mut meter = Meter::default();
        for _ in 0..1_000_000 {
            meter.take(allowance, Ticks(0));
        }
        assert!(!meter.has_room(allowance, Ticks(0)));
        assert!(meter.has_room(allowance, Ticks(SECOND)));
    }

    /// Plays a second in steps of a millisecond: how many of each one's messages pass.
    fn play(shared: &mut Shared<u32>, from: u64, wants: &[(u32, u32)]) -> HashMap<u32, u32> {
        let mut passed = HashMap::new();
        let mut owed: HashMap<u32, u32> = HashMap::new();
        for step in 0..1000 {
            for (who, per_second) in wants {
                let owed = owed.entry(*who).or_default();
                *owed += per_second;
                while *owed >= 1000 {
                    *owed -= 1000;
                    if shared.pass(who, Ticks(from + step * MILLISECOND)) {
                        *passed.entry(*who).or_default() += 1;
                    }
                }
            }
        }
        passed
    }

    #[test]
    fn a_flood_takes_what_others_leave_and_nothing_more() {
        let mut shared = Shared::new(Allowance::new(1000, 100));
        // Ten who want 50 each, and two of them flood with 5,000.
        let mut wants: Vec<(u32, u32)> = (0..8).map(|who| (who, 50)).collect();
        wants.extend([(8, 5000), (9, 5000)]);
        play(&mut shared, SECOND, &wants);
        for second in 2..6 {
            let passed = play(&mut shared, second * SECOND, &wants);
            for who in 0..8 {
                let got = passed.get(&who).copied().unwrap_or(0);
                assert!(got >= 49, "{who} got {got} of 50 in second {second}");
            }
            let all: u32 = passed.values().sum();
            assert!((950..=1250).contains(&all), "{all} in second {second}");
        }
        assert_eq!(shared.active(), 10);
    }

    #[test]
    fn one_alone_may_have_all_of_it() {
        let mut shared = Shared::new(Allowance::new(1000, 100));
        play(&mut shared, SECOND, &[(1, 900)]);
        let passed = play(&mut shared, 2 * SECOND, &[(1, 900)]);
        assert!(passed[&1] >= 899, "{passed:?}");
    }

    #[test]
    fn the_quiet_are_forgotten() {
        let mut shared = Shared::new(Allowance::new(1_000_000, 1000));
        for who in 0..10_000_u32 {
            shared.pass(&who, Ticks(u64::from(who)));
        }
        assert_eq!(shared.remembered(), 10_000);
        shared.pass(&1, Ticks(10 * SECOND));
        shared.pass(&1, Ticks(20 * SECOND));
        assert!(shared.remembered() <= 2, "{}", shared.remembered());
    }

    proptest! {
        /// Over any run, no more passes than burst and average allow.
        #[test]
        fn the_average_holds(
            per_second in 1_u32..1000, burst in 1_u32..50,
            gaps in prop::collection::vec(0_u64..50, 1..300),
        ) {
            let allowance = Allowance::new(per_second, burst);
            let mut meter = Meter::default();
            let (mut now, mut passed) = (0, 0_u64);
            for gap in gaps {
                now += gap * MILLISECOND;
                passed += u64::from(meter.pass(allowance, Ticks(now)));
            }
            let most = u64::from(burst) + (now / (SECOND / u64::from(per_second))) + 1;
            prop_assert!(passed <= most, "{passed} > {most}");
        }
    }
}
