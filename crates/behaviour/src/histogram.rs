//! Counts by magnitude: four parts of each doubling, so that a quantile is at most 19 % too great.

use std::collections::BTreeMap;

/// How many values of which magnitude there were. At most 129 magnitudes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(pub(crate) BTreeMap<u8, u32>);

/// The magnitude of a value: 0 for 0, else `1 + floor(4 · log2(value))`, in whole numbers.
pub fn bucket_of(value: u32) -> u8 {
    if value == 0 {
        return 0;
    }
    // The smallest magnitude whose values reach so far.
    (1..=128).find(|bucket| upper_of(*bucket) >= value).unwrap_or(128)
}

/// The greatest value of a magnitude.
pub fn upper_of(bucket: u8) -> u32 {
    if bucket == 0 {
        return 0;
    }
    let part = u32::from(bucket.saturating_sub(1));
    // 2^(n/4), n = 0..3, in thousandths, rounded up
    let thousandths = match part & 3 {
        0 => 1_000_u64,
        1 => 1_190,
        2 => 1_415,
        _ => 1_682,
    };
    let whole = 1_u64.checked_shl(part >> 2).unwrap_or(u64::MAX);
    u32::try_from(whole.saturating_mul(thousandths) / 1_000).unwrap_or(u32::MAX)
}

impl Histogram {
    /// Counts a value, so many times.
    pub fn add(&mut self, value: u32, times: u32) {
        let entry = self.0.entry(bucket_of(value)).or_default();
        *entry = entry.saturating_add(times);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.0.values().map(|count| u64::from(*count)).sum()
    }

    /// The magnitude that at least `share` of 1,000 values do not exceed; one `more` value counts too.
    pub fn quantile(&self, share: u32, more: Option<u32>) -> Option<u8> {
        let mut counts = self.0.clone();
        if let Some(value) = more {
            let entry = counts.entry(bucket_of(value)).or_default();
            *entry = entry.saturating_add(1);
        }
        let all: u64 = counts.values().map(|count| u64::from(*count)).sum();
        let wanted = all.saturating_mul(share.into()).div_ceil(1_000).max(1);
        let mut sum = 0_u64;
        counts.iter().find_map(|(bucket, count)| {
            sum = sum.saturating_add((*count).into());
            (sum >= wanted).then_some(*bucket)
        })
    }

    /// The magnitude that at least `devices` of what is counted reach.
    pub fn reached_by(&self, devices: u32) -> Option<u8> {
        let mut sum = 0_u64;
        self.0.iter().rev().find_map(|(bucket, count)| {
            sum = sum.saturating_add((*count).into());
            (sum >= u64::from(devices)).then_some(*bucket)
        })
    }

    /// Moves one from a magnitude to another.
    pub(crate) fn shift(&mut self, from: Option<u8>, to: Option<u8>) {
        if let Some(from) = from
            && let Some(count) = self.0.get_mut(&from)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(&from);
            }
        }
        if let Some(to) = to {
            let count = self.0.entry(to).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// The magnitudes and their counts, smallest first.
    pub fn parts(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().map(|(bucket, count)| (upper_of(*bucket), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_leave_out_what_is_rare() {
        let mut of = Histogram::default();
        of.add(10, 999);
        of.add(1_000_000, 1);
        assert_eq!(of.quantile(990, None).map(upper_of), Some(11));
        assert_eq!(of.quantile(1_000, None).map(upper_of), Some(1_048_576));
        assert_eq!(Histogram::default().quantile(990, None), None);
        assert_eq!(Histogram::default().quantile(990, Some(3)).map(upper_of), Some(3));
    }

    #[test]
    fn one_alone_does_not_lift_what_several_reach() {
        let mut of = Histogram::default();
        of.shift(None, Some(bucket_of(1_000_000)));
        assert_eq!(of.reached_by(3), None);
        of.shift(None, Some(bucket_of(10)));
        of.shift(None, Some(bucket_of(20)));
        assert_eq!(of.reached_by(3), Some(bucket_of(10)));
        of.shift(Some(bucket_of(10)), Some(bucket_of(40)));
        assert_eq!(of.reached_by(3), Some(bucket_of(20)));
    }

    proptest! {
        #[test]
        fn a_magnitude_holds_its_value(value: u32) {
            let upper = upper_of(bucket_of(value));
            prop_assert!(upper >= value.min(upper_of(128)));
            prop_assert!(u64::from(upper) <= u64::from(value) * 12 / 10 + 1);
        }
    }
}
