//! What is counted, in bounded memory.

use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// Reasons that are counted one by one; others together.
const REASONS_MAX: usize = 32;
/// Buckets of an octave: a figure is as exact as an eighth of itself.
const PER_OCTAVE: usize = 8;
const OCTAVES: usize = 40;

/// How often which reason.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Reasons(BTreeMap<String, u64>);

impl Reasons {
    /// Counts one more.
    pub fn add(&mut self, reason: &str) {
        self.add_many(reason, 1);
    }

    /// Counts so many more.
    pub fn add_many(&mut self, reason: &str, more: u64) {
        let known = self.0.contains_key(reason) || self.0.len() < REASONS_MAX;
        let name = if known { reason } else { "other" };
        let count = self.0.entry(name.to_owned()).or_default();
        *count = count.saturating_add(more);
    }

    /// In a line.
    pub fn text(&self) -> String {
        let one = |(reason, count): (&String, &u64)| format!("{reason}: {count}");
        self.0.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How long things took.
#[derive(Debug, Clone)]
pub struct Times {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { buckets: vec![0; PER_OCTAVE * OCTAVES], count: 0 }
    }
}

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get_mut(place(us)) {
            *bucket += 1;
            self.count += 1;
        }
    }

    /// The time below which `share` of them lie, in milliseconds; none where there are none.
    pub fn percentile(&self, percent: u64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let wanted = self.count.saturating_mul(percent).div_ceil(100);
        let mut seen = 0;
        let at = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(end_us(at) / 1000.0)
    }
}

fn place(us: u64) -> usize {
    let us = us.max(PER_OCTAVE as u64);
    let octave = us.ilog2() - PER_OCTAVE.ilog2();
    let within = usize::try_from(us >> octave).unwrap_or(0).saturating_sub(PER_OCTAVE);
    (octave as usize * PER_OCTAVE + within).min(PER_OCTAVE * OCTAVES - 1)
}

/// The end of a bucket.
fn end_us(at: usize) -> f64 {
    let (octave, within) = (at / PER_OCTAVE, at % PER_OCTAVE);
    let end = u32::try_from(within + PER_OCTAVE + 1).unwrap_or(u32::MAX);
    f64::from(end) * f64::from(u32::try_from(octave).unwrap_or(0)).exp2()
}

/// What became of a group.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// messages that were due
    pub made: u64,
    /// messages that the platform acknowledged
    pub acknowledged: u64,
    /// messages that it refused
    pub refused: u64,
    /// messages sent of which nobody knows what became of them
    pub unanswered: u64,
    /// messages that were sent again and refused: the platform has them, or does not want them
    pub repeated: u64,
    /// messages that had no room on the device
    pub dropped: u64,
    /// messages that wait on the device at the end
    pub waiting: u64,
    /// connections
    pub connects: u64,
    /// of these, after one that was lost
    pub reconnects: u64,
    /// connections that came to nothing
    pub failed: u64,
    /// commands and settings that were answered
    pub answered: u64,
    /// why messages were refused, and connections failed or were lost
    pub reasons: Reasons,
    /// from sending to the acknowledgement
    pub latency: Times,
    /// connection, handshake and welcome
    pub handshake: Times,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_as_exact_as_an_eighth() {
        let mut times = Times::default();
        assert_eq!(times.percentile(50), None);
        for ms in 1..=1000 {
            times.add(Duration::from_millis(ms));
        }
        for (percent, ms) in [(50, 500.0), (99, 990.0), (100, 1000.0), (1, 10.0)] {
            let said = times.percentile(percent).unwrap();
            assert!((ms..=ms * 1.126).contains(&said), "{percent}: {said}");
        }
        times.add(Duration::MAX);
        times.add(Duration::ZERO);
        assert!(times.percentile(100).unwrap() > 1e6);
    }

    #[test]
    fn reasons_do_not_grow_for_ever() {
        let mut reasons = Reasons::default();
        for number in 0..1000 {
            reasons.add(&number.to_string());
        }
        assert_eq!(reasons.0.len(), REASONS_MAX + 1);
        assert_eq!(reasons.0["other"], 1000 - REASONS_MAX as u64);
    }
}
