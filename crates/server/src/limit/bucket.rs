use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// So many per second in the long run, so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval_ns: u64,
    burst: u32,
}

impl Rate {
    /// A rate; zero counts as one.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self {
            interval_ns: SECOND_NS / at_least_one(per_second) as u64,
            burst: at_least_one(burst),
        }
    }

    /// One in so many seconds, for what happens seldom; zero counts as one.
    #[must_use]
    pub const fn one_in(seconds: u32, burst: u32) -> Self {
        Self {
            interval_ns: SECOND_NS.saturating_mul(at_least_one(seconds) as u64),
            burst: at_least_one(burst),
        }
    }
}

const SECOND_NS: u64 = 1_000_000_000;

const fn at_least_one(n: u32) -> u32 {
    if n == 0 { 1 } else { n }
}

const SHARDS: usize = 16;
/// Keys remembered per shard. A key is forgotten once its bucket is full again, so that this many
/// must be active within one burst's time; more of them share one bucket per shard.
const KEYS_PER_SHARD_MAX: usize = 4096;

/// A token bucket for each key, in its GCRA form (ITU-T I.371 appendix I): one time per key.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    shards: Vec<Mutex<Shard<K>>>,
    hasher: RandomState,
    start: Instant,
    interval_ns: u64,
    tolerance_ns: u64,
}

#[derive(Debug)]
struct Shard<K> {
    /// Time, in nanoseconds after `start`, at which the key's bucket is full.
    full_at: HashMap<K, u64>,
    overflow: u64,
}

impl<K: Hash + Eq> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        let interval_ns = rate.interval_ns;
        let shard = || Mutex::new(Shard { full_at: HashMap::new(), overflow: 0 });
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            hasher: RandomState::new(),
            start: Instant::now(),
            interval_ns,
            tolerance_ns: interval_ns.saturating_mul(u64::from(rate.burst)),
        }
    }

    /// Takes one token of `key`'s bucket.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn take(&self, key: K) -> Result<(), Duration> {
        self.take_at(key, Instant::now())
    }

    /// As [`Self::take`], by whoever has looked at the clock already.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn take_at(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.at(key, now, true)
    }

    /// Whether there is a token, without taking it.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn peek(&self, key: K) -> Result<(), Duration> {
        self.at(key, Instant::now(), false)
    }

    fn at(&self, key: K, now: Instant, take: bool) -> Result<(), Duration> {
        let now = u64::try_from(now.duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let shard = usize::try_from(self.hasher.hash_one(&key)).unwrap_or_default() % SHARDS;
        let Some(shard) = self.shards.get(shard) else { return Ok(()) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let shard = &mut *shard;
        if shard.full_at.len() >= KEYS_PER_SHARD_MAX && !shard.full_at.contains_key(&key) {
            shard.full_at.retain(|_, full_at| *full_at > now);
        }
        let room = shard.full_at.len() < KEYS_PER_SHARD_MAX;
        let known = shard.full_at.get(&key).copied();
        let full_at = match known {
            Some(full_at) => full_at,
            None if room => now,
            None => shard.overflow,
        }
        .max(now);
        let next = full_at + self.interval_ns;
        if let Some(wait) = next.checked_sub(now + self.tolerance_ns).filter(|wait| *wait > 0) {
            return Err(Duration::from_nanos(wait));
        }
        if take {
            if known.is_some() || room {
                shard.full_at.insert(key, next);
            } else {
                shard.overflow = next;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate() {
        let buckets = Buckets::new(Rate::new(10, 5));
        let start = buckets.start;
        for _ in 0..5 {
            assert_eq!(buckets.at("a", start, true), Ok(()));
        }
        assert_eq!(buckets.at("a", start, true), Err(Duration::from_millis(100)));
        assert_eq!(buckets.at("b", start, true), Ok(()), "another key has its own bucket");
        let later = start + Duration::from_millis(100);
        assert_eq!(buckets.at("a", later, false), Ok(()), "a look takes nothing");
        assert_eq!(buckets.at("a", later, true), Ok(()));
        assert!(buckets.at("a", later, true).is_err());
        let much_later = start + Duration::from_secs(60);
        let passed = (0..20).filter(|_| buckets.at("a", much_later, true).is_ok()).count();
        assert_eq!(passed, 5, "a long pause saves one burst, not more");
    }

    #[test]
    fn memory_is_bounded_and_newcomers_share_when_it_is_full() {
        let buckets = Buckets::new(Rate::new(1, 2));
        let start = buckets.start;
        let many = u32::try_from(SHARDS * KEYS_PER_SHARD_MAX * 2).unwrap();
        let passed = (0..many).filter(|key| buckets.at(*key, start, true).is_ok()).count();
        let kept: usize =
            buckets.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum();
        assert!(kept <= SHARDS * KEYS_PER_SHARD_MAX);
        assert!(passed < kept + SHARDS * 2 + 1, "{passed} passed with {kept} kept");
        assert_eq!(buckets.at(u32::MAX, start + Duration::from_secs(9), true), Ok(()));
    }
}
