//! Freshness (GW-2): a message is new, and not one that was heard before.

use crypto::UnixTime;

/// How many counters below the highest one are remembered.
pub const WINDOW_BITS: u64 = 128;
/// By how much a counter may be ahead of the highest one that was heard. A device that counts
/// messages does not skip a billion; somebody who wants to shut it out by a leap would.
pub const LEAP_MAX: u64 = 1 << 30;

/// What a product line's messages must carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FreshnessRule {
    /// how old a message may be by its own time, in seconds; `None`: it need not say
    pub age_s: Option<u32>,
    /// how far its time may be ahead of ours, in seconds
    pub ahead_s: u32,
    /// whether it must carry a counter that was not heard before
    pub counter: bool,
}

/// Why a message is not fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// it does not say when it was made, or has no counter
    Unmarked,
    /// it is too old
    Old,
    /// it comes from the future
    Ahead,
    /// its counter was heard before, or is so old that nobody remembers
    Replayed,
    /// its counter leaps further than [`LEAP_MAX`]
    Leaped,
}

/// The counters that were heard of one device (as RFC 4303 section 3.4.3 and RFC 8613 section 7.4
/// have it): the highest, and a bit for each of the 128 up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayWindow {
    highest: Option<u64>,
    /// bit n: `highest - n` was heard
    heard: u128,
}

impl ReplayWindow {
    /// As it was kept.
    pub fn restore(highest: Option<u64>, heard: [u8; 16]) -> Self {
        Self { highest, heard: u128::from_be_bytes(heard) }
    }

    /// To be kept with the message that changed it, in one commit.
    pub fn parts(&self) -> (Option<u64>, [u8; 16]) {
        (self.highest, self.heard.to_be_bytes())
    }

    /// Whether a counter is not above all that were heard.
    pub fn is_behind(&self, counter: u64) -> bool {
        self.highest.is_some_and(|highest| counter <= highest)
    }

    /// The window after a counter was heard.
    ///
    /// # Errors
    /// [`Staleness::Replayed`] and [`Staleness::Leaped`]; the window stays as it is.
    pub fn hear(&self, counter: u64) -> Result<Self, Staleness> {
        let Some(highest) = self.highest else {
            return Ok(Self { highest: Some(counter), heard: 1 });
        };
        if let Some(ahead) = counter.checked_sub(highest).filter(|ahead| *ahead > 0) {
            if ahead > LEAP_MAX {
                return Err(Staleness::Leaped);
            }
            let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
            let heard = self.heard.checked_shl(shift).unwrap_or(0) | 1;
            return Ok(Self { highest: Some(counter), heard });
        }
        let behind = highest.saturating_sub(counter);
        let bit = u32::try_from(behind).ok().and_then(|behind| 1_u128.checked_shl(behind));
        match bit {
            Some(bit) if self.heard & bit == 0 => Ok(Self { heard: self.heard | bit, ..*self }),
            _ => Err(Staleness::Replayed),
        }
    }
}

impl FreshnessRule {
    /// Whether a message is fresh, and what is remembered then.
    ///
    /// A counter that a message carries although nobody asked for it is checked too: who sends one
    /// means it.
    ///
    /// # Errors
    /// [`Staleness`].
    pub fn check(
        &self,
        made_at: Option<UnixTime>,
        counter: Option<u64>,
        window: &ReplayWindow,
        now: UnixTime,
    ) -> Result<ReplayWindow, Staleness> {
        if let Some(age_s) = self.age_s {
            let made_at = made_at.ok_or(Staleness::Unmarked)?;
            let age = now.0.saturating_sub(made_at.0);
            if age > i64::from(age_s) {
                return Err(Staleness::Old);
            }
            if age < -i64::from(self.ahead_s) {
                return Err(Staleness::Ahead);
            }
        }
        match counter {
            Some(counter) => window.hear(counter),
            None if self.counter => Err(Staleness::Unmarked),
            None => Ok(*window),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const NOW: UnixTime = UnixTime(1_795_000_000);

    #[test]
    fn a_message_is_within_its_time() {
        let rule = FreshnessRule { age_s: Some(300), ahead_s: 60, counter: false };
        let window = ReplayWindow::default();
        let at = |offset: i64| {
            rule.check(Some(UnixTime(NOW.0 + offset)), None, &window, NOW).map(|_| ())
        };
        assert_eq!(at(0), Ok(()));
        assert_eq!(at(-300), Ok(()));
        assert_eq!(at(-301), Err(Staleness::Old));
        assert_eq!(at(60), Ok(()));
        assert_eq!(at(61), Err(Staleness::Ahead));
        assert_eq!(rule.check(None, None, &window, NOW), Err(Staleness::Unmarked));
        let extreme = rule.check(Some(UnixTime(i64::MIN)), None, &window, NOW);
        assert_eq!(extreme, Err(Staleness::Old));
        assert_eq!(FreshnessRule::default().check(None, None, &window, NOW), Ok(window));
    }

    #[test]
    fn a_counter_is_heard_once() {
        let rule = FreshnessRule { age_s: None, ahead_s: 0, counter: true };
        let mut window = ReplayWindow::default();
        assert_eq!(rule.check(None, None, &window, NOW), Err(Staleness::Unmarked));
        for (counter, verdict) in [
            (10, Ok(())),
            (10, Err(Staleness::Replayed)),
            (12, Ok(())),
            (11, Ok(())),
            (11, Err(Staleness::Replayed)),
            (300, Ok(())),
            (300 - 127, Ok(())),
            (300 - 128, Err(Staleness::Replayed)),
            (300 + LEAP_MAX + 1, Err(Staleness::Leaped)),
            (300 + LEAP_MAX, Ok(())),
            (300, Err(Staleness::Replayed)),
        ] {
            let heard = rule.check(None, Some(counter), &window, NOW);
            assert_eq!(heard.map(|_| ()), verdict, "{counter}");
            if let Ok(heard) = heard {
                window = heard;
            }
            let (highest, bits) = window.parts();
            assert_eq!(ReplayWindow::restore(highest, bits), window);
        }
        let end = ReplayWindow::restore(Some(u64::MAX), [0xff; 16]);
        assert_eq!(end.hear(u64::MAX), Err(Staleness::Replayed));
        assert_eq!(end.hear(0), Err(Staleness::Replayed));
    }

    proptest! {
        /// No counter is heard twice, and one within the window that was not heard is.
        #[test]
        fn the_window_agrees_with_a_set(counters in prop::collection::vec(0_u64..400, 1..200)) {
            let mut window = ReplayWindow::default();
            let mut set = BTreeSet::new();
            for counter in counters {
                let newest = set.last().copied();
                let old = newest.is_some_and(|newest: u64| newest >= counter + WINDOW_BITS);
                match window.hear(counter) {
                    Ok(next) => {
                        prop_assert!(!old && set.insert(counter));
                        window = next;
                    }
                    Err(why) => {
                        prop_assert_eq!(why, Staleness::Replayed);
                        prop_assert!(old || set.contains(&counter));
                    }
                }
            }
        }
    }
}
