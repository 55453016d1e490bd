use super::Refusal;
use crypto::UnixTime;

/// The slowest mirror that is borne (slow retrieval attacks, section 1.5.2 of the specification).
/// Whoever fetches asks it with every piece, and on a timer when no piece comes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    began: UnixTime,
    bytes_per_s_min: u64,
    grace_s: u64,
}

impl Pace {
    /// From `began` on, at least `bytes_per_s_min` on average once `grace_s` seconds are over.
    pub fn new(began: UnixTime, bytes_per_s_min: u64, grace_s: u64) -> Self {
        Self { began, bytes_per_s_min, grace_s }
    }

    /// Whether `received` bytes by `now` are enough.
    ///
    /// # Errors
    /// [`Refusal::SlowRetrieval`].
    pub fn check(&self, received: u64, now: UnixTime) -> Result<(), Refusal> {
        let seconds = u64::try_from(now.since(self.began)).unwrap_or(0);
        let counted = seconds.saturating_sub(self.grace_s);
        if received < counted.saturating_mul(self.bytes_per_s_min) {
            return Err(Refusal::SlowRetrieval { received, seconds });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slowness_is_borne_for_a_while() {
        let pace = Pace::new(UnixTime(1000), 100, 10);
        assert_eq!(pace.check(0, UnixTime(1010)), Ok(()));
        assert_eq!(
            pace.check(99, UnixTime(1011)),
            Err(Refusal::SlowRetrieval { received: 99, seconds: 11 })
        );
        assert_eq!(pace.check(100, UnixTime(1011)), Ok(()));
        assert_eq!(pace.check(0, UnixTime(0)), Ok(()), "a clock that was set back");
    }
}
