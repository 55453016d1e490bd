//! Where a segment belongs among what was heard of the device before: what of it is new, and whether
//! something is missing, was changed, or began anew.
//!
//! What was heard stands in runs: stretches of one log without a break. Equal hashes at one number
//! mean that everything up to there is equal, so only the last common entry is looked for.

use super::{LogId, LogPlace, LogSegment};
use crypto::Sha256;

/// A stretch of a log without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownRun {
    /// why it began
    pub began: Began,
    /// of which log
    pub log: LogId,
    /// the entry before its first
    pub before: LogPlace,
    /// its last entry
    pub last: LogPlace,
}

/// Why a new run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Began {
    /// it is the first that is heard of the device
    First = 1,
    /// the device has begun another log: it lost the one before
    Restart = 2,
    /// entries before it were not heard
    Gap = 3,
    /// other entries stand where these were heard, or two logs go on in turn: the device was set
    /// back, copied, or somebody changed its log
    Fork = 4,
    /// it fills a part of what was missing
    Late = 5,
    /// the device has another owner since; nothing is missing
    Owner = 6,
}

impl Began {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::First, Self::Restart, Self::Gap, Self::Fork, Self::Late, Self::Owner];

    /// Its number in the store.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Reads the number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Restart => "restart",
            Self::Gap => "gap",
            Self::Fork => "fork",
            Self::Late => "late",
            Self::Owner => "owner",
        }
    }
}

/// What to do with a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// all of it was heard before
    Known,
    /// its entries from `skip` on go to the end of the run
    Append {
        /// which, among those that were given
        run: usize,
        /// entries that were heard before
        skip: usize,
    },
    /// its entries from `skip` on begin a new run
    Begin {
        /// why
        because: Began,
        /// entries that were heard before
        skip: usize,
        /// entries right before it that were not heard
        missing: u64,
    },
}

/// Where a segment belongs. `runs` are those of the device, the newest first; `hash` gives the hash of
/// an entry of one of them, `None` where that is kept no more. It is asked for numbers of the
/// run's entries only, and at most eight times for each run.
///
/// # Errors
/// Those of `hash`.
pub fn continuity<E>(
    segment: &LogSegment,
    runs: &[KnownRun],
    mut hash: impl FnMut(usize, u64) -> Result<Option<Sha256>, E>,
) -> Result<Continuity, E> {
    let count = segment.entries.len();
    let own = || runs.iter().enumerate().filter(|(_, run)| run.log == segment.log);
    if own().next().is_none() {
        let because = if runs.is_empty() { Began::First } else { Began::Restart };
        return Ok(Continuity::Begin { because, skip: 0, missing: segment.before.sequence });
    }
    // The longest beginning of the segment that was heard: run, and how many entries.
    let mut best: Option<(usize, usize)> = None;
    // The newest run that has other entries in their place.
    let (mut differs, mut forgotten) = (None, false);
    for (at, run) in own() {
        match common(segment, run, |sequence| hash(at, sequence))? {
            Common::Apart => {}
            Common::Forgotten => forgotten = true,
            Common::Differs => differs = differs.or(Some(at)),
            Common::UpTo(skip) => {
                if best.is_none_or(|(_, most)| skip > most) {
                    best = Some((at, skip));
                }
            }
        }
    }
    let newest = runs.first().is_some_and(|run| run.log == segment.log);
    let fork = |skip| Continuity::Begin { because: Began::Fork, skip, missing: 0 };
    if let Some((run, skip)) = best {
        if skip == count {
            return Ok(Continuity::Known);
        }
        let at_end =
            runs.get(run).is_some_and(|it| it.last.sequence == segment.place(skip).sequence);
        // Once a log was changed, what it was before does not go on.
        let newer = runs.get(..run).unwrap_or_default();
        let changed = newer.iter().any(|it| it.began == Began::Fork);
        let fits = newest && at_end && !changed && differs.is_none_or(|at| at > run);
        return Ok(if fits { Continuity::Append { run, skip } } else { fork(skip) });
    }
    if differs.is_some() || !newest {
        return Ok(fork(0));
    }
    if forgotten {
        return Ok(Continuity::Known);
    }
    let before = segment.before.sequence;
    // The nearest that was heard before it.
    let last = own().map(|(_, run)| run.last.sequence).filter(|last| *last < before).max();
    let missing = before.saturating_sub(last.unwrap_or(0));
    let highest = own().map(|(_, run)| run.last.sequence).max().unwrap_or(0);
    if before > highest {
        return Ok(Continuity::Begin { because: Began::Gap, skip: 0, missing });
    }
    let later: Vec<KnownRun> =
        own().map(|(_, run)| *run).filter(|run| run.last.sequence > before).collect();
    Ok(match is_before(segment, &later) {
        true => Continuity::Begin { because: Began::Late, skip: 0, missing },
        false => fork(0),
    })
}

enum Common {
    /// they have no number in common
    Apart,
    /// what they have in common is kept no more
    Forgotten,
    /// they have numbers in common, and nothing else
    Differs,
    /// so many entries of the segment are the run's; zero: it is chained to one of the run's
    UpTo(usize),
}

/// How much of the beginning of a segment a run has.
fn common<E>(
    segment: &LogSegment,
    run: &KnownRun,
    mut hash: impl FnMut(u64) -> Result<Option<Sha256>, E>,
) -> Result<Common, E> {
    let (first, end) = (segment.before.sequence, segment.place(segment.entries.len()).sequence);
    let (low, high) = (first.max(run.before.sequence), end.min(run.last.sequence));
    if low > high {
        return Ok(Common::Apart);
    }
    let mut same = |sequence: u64| -> Result<Option<bool>, E> {
        let count = usize::try_from(sequence.saturating_sub(first)).unwrap_or(usize::MAX);
        let place = segment.place(count);
        if sequence == run.last.sequence {
            return Ok(Some(place == run.last));
        }
        if sequence == run.before.sequence {
            return Ok(Some(place == run.before));
        }
        Ok(hash(sequence)?.map(|hash| hash == place.hash))
    };
    let up_to = |sequence: u64| {
        // The segment ends where the run begins: none of its entries is the run's.
        if sequence == run.before.sequence && sequence > first {
            return Common::Apart;
        }
        Common::UpTo(usize::try_from(sequence.saturating_sub(first)).unwrap_or(usize::MAX))
    };
    match same(high)? {
        Some(true) => return Ok(up_to(high)),
        // The newest that they have in common is gone, so all before it is.
        None => return Ok(Common::Forgotten),
        Some(false) => {}
    }
    // Equal up to some number and not after it.
    let (mut from, mut to) = (low, high);
    while from < to {
        let middle = from.saturating_add(to.saturating_sub(from) / 2);
        if same(middle)? == Some(true) {
            from = middle.saturating_add(1);
        } else {
            to = middle;
        }
    }
    Ok(match from.checked_sub(1).filter(|last| *last >= low) {
        Some(last) => up_to(last),
        None => Common::Differs,
    })
}

/// Whether a segment stands before all of these runs, and is chained to those that it touches.
fn is_before(segment: &LogSegment, runs: &[KnownRun]) -> bool {
    let end = segment.place(segment.entries.len());
    runs.iter().all(|run| end.sequence < run.before.sequence || end == run.before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_log::{LogEntry, LogKind, LogOutcome, LogSeverity, encode_segment};
    use proptest::prelude::*;
    use std::convert::Infallible;

    /// A device's log, all of it.
    #[derive(Clone)]
    struct Log {
        id: LogId,
        places: Vec<LogPlace>,
        bytes: Vec<Vec<u8>>,
    }

    impl Log {
        fn new(id: u8) -> Self {
            let id = LogId([id; 8]);
            Self { id, places: vec![LogPlace::start(&id)], bytes: Vec::new() }
        }

        fn write(&mut self, count: usize, salt: i64) {
            for _ in 0..count {
                let last = *self.places.last().unwrap();
                let entry = LogEntry::new(
                    last.time + salt,
                    LogKind::LocalLogin,
                    LogSeverity::Low,
                    LogOutcome::Success,
                );
                let (place, bytes) = last.append(&entry).unwrap();
                self.places.push(place);
                self.bytes.push(bytes);
            }
        }

        /// Entries `from` to `to`, by their numbers.
        fn segment(&self, from: usize, to: usize) -> LogSegment {
            let bytes =
                encode_segment(&self.id, &self.places[from - 1], 0, &self.bytes[from - 1..to]);
            LogSegment::decode(&bytes).unwrap()
        }
    }

    /// The platform's side, as the store does it.
    #[derive(Default)]
    struct Kept {
        /// the oldest first
        runs: Vec<(KnownRun, Vec<LogPlace>)>,
        forgotten: u64,
    }

    impl Kept {
        fn take(&mut self, segment: &LogSegment) -> Continuity {
            let known: Vec<KnownRun> = self.runs.iter().rev().map(|(run, _)| *run).collect();
            let count = self.runs.len();
            let mut asked = 0;
            let judged = continuity(segment, &known, |run, sequence| {
                asked += 1;
                let (_, places) = &self.runs[count - 1 - run];
                let found = places.iter().find(|place| place.sequence == sequence);
                let found = found.expect("a number of the run's own");
                let kept = found.sequence > self.forgotten;
                Ok::<_, Infallible>(kept.then_some(found.hash))
            });
            assert!(asked <= 8 * count);
            let Ok(judged) = judged;
            match judged {
                Continuity::Known => {}
                Continuity::Append { run, skip } => {
                    let (run, places) = &mut self.runs[count - 1 - run];
                    assert_eq!(run.last, segment.place(skip));
                    places.extend(segment.entries[skip..].iter().map(|it| it.place));
                    run.last = segment.place(segment.entries.len());
                }
                Continuity::Begin { skip, because, .. } => {
                    let run = KnownRun {
                        began: because,
                        log: segment.log,
                        before: segment.place(skip),
                        last: segment.place(segment.entries.len()),
                    };
                    let places = segment.entries[skip..].iter().map(|it| it.place).collect();
                    self.runs.push((run, places));
                }
            }
            judged
        }
    }

    fn begin(because: Began, skip: usize, missing: u64) -> Continuity {
        Continuity::Begin { because, skip, missing }
    }

    #[test]
    fn what_comes_in_order_is_one_run_and_again_is_nothing() {
        let (mut log, mut kept) = (Log::new(1), Kept::default());
        log.write(30, 1);
        assert_eq!(kept.take(&log.segment(1, 10)), begin(Began::First, 0, 0));
        assert_eq!(kept.take(&log.segment(1, 10)), Continuity::Known);
        assert_eq!(kept.take(&log.segment(11, 12)), Continuity::Append { run: 0, skip: 0 });
        assert_eq!(kept.take(&log.segment(3, 12)), Continuity::Known);
        assert_eq!(kept.take(&log.segment(9, 20)), Continuity::Append { run: 0, skip: 4 });
        kept.forgotten = 15;
        assert_eq!(kept.take(&log.segment(1, 12)), Continuity::Known);
        assert_eq!(kept.take(&log.segment(14, 30)), Continuity::Append { run: 0, skip: 7 });
    }

    #[test]
    fn what_is_missing_may_come_late() {
        let (mut log, mut kept) = (Log::new(1), Kept::default());
        log.write(60, 1);
        assert_eq!(kept.take(&log.segment(5, 10)), begin(Began::First, 0, 4));
        assert_eq!(kept.take(&log.segment(31, 40)), begin(Began::Gap, 0, 20));
        assert_eq!(kept.take(&log.segment(15, 17)), begin(Began::Late, 0, 4));
        assert_eq!(kept.take(&log.segment(11, 14)), Continuity::Append { run: 2, skip: 0 });
        assert_eq!(kept.take(&log.segment(18, 30)), Continuity::Append { run: 0, skip: 0 });
        assert_eq!(kept.take(&log.segment(18, 30)), Continuity::Known);
        assert_eq!(kept.take(&log.segment(1, 4)), begin(Began::Late, 0, 0));
        // The newest is an older piece by now; what is at the end of all goes on there.
        assert_eq!(kept.take(&log.segment(41, 50)), Continuity::Append { run: 2, skip: 0 });
    }

    #[test]
    fn another_past_and_another_log_show() {
        let (mut log, mut kept) = (Log::new(1), Kept::default());
        log.write(10, 1);
        let mut copy = log.clone();
        log.write(10, 2);
        copy.write(30, 3);
        kept.take(&log.segment(1, 20));
        // The device was set back to what it was after 10 entries.
        assert_eq!(kept.take(&copy.segment(6, 15)), begin(Began::Fork, 5, 0));
        assert_eq!(kept.take(&copy.segment(11, 15)), Continuity::Known);
        assert_eq!(kept.take(&copy.segment(16, 20)), Continuity::Append { run: 0, skip: 0 });
        // Two devices with one identity, in turn.
        log.write(10, 2);
        assert_eq!(kept.take(&log.segment(21, 25)), begin(Began::Fork, 0, 0));
        assert_eq!(kept.take(&copy.segment(21, 25)), begin(Began::Fork, 0, 0));
        // A past that shares nothing.
        let mut other = Log::new(1);
        other.write(10, 9);
        assert_eq!(kept.take(&other.segment(1, 10)), begin(Began::Fork, 0, 0));
        // State was lost; then the former log is heard of again.
        let mut anew = Log::new(2);
        anew.write(10, 1);
        assert_eq!(kept.take(&anew.segment(4, 5)), begin(Began::Restart, 0, 3));
        assert_eq!(kept.take(&other.segment(1, 10)), Continuity::Known);
        other.write(5, 1);
        assert_eq!(kept.take(&other.segment(11, 12)), begin(Began::Fork, 0, 0));
        assert_eq!(kept.take(&anew.segment(6, 7)), begin(Began::Fork, 0, 0));
    }

    proptest! {
        /// Whatever pieces of one log come, in whatever order and how often: no entry is taken twice.
        #[test]
        fn one_log_is_taken_once(
            pieces in proptest::collection::vec((1..60_usize, 1..12_usize), 1..30),
        ) {
            let (mut log, mut kept) = (Log::new(1), Kept::default());
            log.write(72, 1);
            for (from, length) in pieces {
                kept.take(&log.segment(from, from + length - 1));
                kept.take(&log.segment(from, from + length - 1));
                // A run is what it says that it is.
                for (run, places) in &kept.runs {
                    let count = places.len() as u64;
                    prop_assert_eq!(run.last.sequence - run.before.sequence, count);
                    prop_assert_eq!(places.last(), Some(&run.last));
                }
            }
        }

        /// In order, with losses, repetitions and overlaps as QoS 1 makes them: each entry once, and
        /// what is missing is what was lost.
        #[test]
        fn losses_are_counted(
            steps in proptest::collection::vec((0..4_usize, 1..9_usize, any::<bool>()), 1..20),
        ) {
            let (mut log, mut kept) = (Log::new(1), Kept::default());
            log.write(400, 1);
            let (mut next, mut lost, mut told) = (1, 0, 0);
            for (lose, count, again) in steps {
                lost += lose;
                next += lose;
                let judged = kept.take(&log.segment(next, next + count - 1));
                let expected = match (kept.runs.len(), lose) {
                    (_, 0) if told > 0 => Continuity::Append { run: 0, skip: 0 },
                    _ if told == 0 => begin(Began::First, 0, lose as u64),
                    _ => begin(Began::Gap, 0, lose as u64),
                };
                prop_assert_eq!(judged, expected);
                told += count;
                if again {
                    prop_assert_eq!(kept.take(&log.segment(next, next + count - 1)), Continuity::Known);
                }
                next += count;
            }
            let places: Vec<u64> =
                kept.runs.iter().flat_map(|(_, it)| it.iter().map(|p| p.sequence)).collect();
            let unique: std::collections::BTreeSet<u64> = places.iter().copied().collect();
            prop_assert_eq!(places.len(), unique.len());
            prop_assert_eq!((places.len(), lost + told), (told, next - 1));
        }
    }
}
