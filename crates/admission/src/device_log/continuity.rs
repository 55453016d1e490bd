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

/// A part of a segment that was not heard before, and where it goes. Its entries are those from
/// `from` until before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// its first entry
    pub from: usize,
    /// the entry after its last
    pub to: usize,
    /// where it goes
    pub goes: Continuity,
}

/// Where a part of a segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// to the end of a run
    Append {
        /// which, among those that were given
        run: usize,
    },
    /// it begins a new run
    Begin {
        /// why
        because: Began,
        /// entries right before it that were not heard
        missing: u64,
    },
}

/// What of a segment was not heard before, in its order; nothing where all of it was. `runs` are those
/// of the device, the newest first, and `newest` is the one to which an entry was put last. `hash` gives
/// the hash of an entry of one of them, `None` where that is kept no more. It is asked for numbers of
/// the run's entries only, and at most eight times for each run.
///
/// # Errors
/// Those of `hash`.
pub fn continuity<E>(
    segment: &LogSegment,
    runs: &[KnownRun],
    newest: usize,
    mut hash: impl FnMut(usize, u64) -> Result<Option<Sha256>, E>,
) -> Result<Vec<Part>, E> {
    let mut shared = Vec::new();
    for (at, run) in runs.iter().enumerate().filter(|(_, run)| run.log == segment.log) {
        let common = common(segment, run, |sequence| hash(at, sequence))?;
        shared.push(Shared { at, run, common });
    }
    let count = segment.entries.len();
    if shared.is_empty() {
        let because = if runs.is_empty() { Began::First } else { Began::Restart };
        let goes = Continuity::Begin { because, missing: segment.before.sequence };
        return Ok(vec![Part { from: 0, to: count, goes }]);
    }
    let first = segment.before.sequence;
    let index = |number: u64| usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
    let mut heard: Vec<(u64, u64)> = shared.iter().filter_map(|it| it.heard(first)).collect();
    let end = segment.place(count).sequence;
    heard.push((end, end));
    heard.sort_unstable();
    let judge = Judge { runs, shared: &shared, newest, first, end };
    let (mut parts, mut next) = (Vec::new(), first);
    for (from, to) in heard {
        if from > next {
            let goes = judge.part(next, from);
            parts.push(Part { from: index(next), to: index(from), goes });
        }
        next = next.max(to);
    }
    Ok(parts)
}

/// What a run of the segment's log and the segment have in common.
struct Shared<'a> {
    /// which run
    at: usize,
    run: &'a KnownRun,
    common: Common,
}

impl Shared<'_> {
    /// Which entries of the segment are known by it: those after the first of these numbers, up to the
    /// second.
    fn heard(&self, first: u64) -> Option<(u64, u64)> {
        let (from, to) = match self.common {
            Common::Apart | Common::Differs { after: None, .. } => return None,
            // Nobody can say any more what was before it.
            Common::Forgotten(to) => (first, to),
            Common::UpTo(to) | Common::Differs { after: Some(to), .. } => {
                (first.max(self.run.before.sequence), to)
            }
        };
        (from < to).then_some((from, to))
    }

    /// Whether it has others in the place of a part that ends with this number.
    fn differs(&self, to: u64) -> bool {
        matches!(self.common, Common::Differs { from, .. } if from <= to)
    }
}

struct Judge<'a> {
    runs: &'a [KnownRun],
    /// those of the segment's log, the newest first
    shared: &'a [Shared<'a>],
    newest: usize,
    /// the number before the segment's first
    first: u64,
    /// the segment's last
    end: u64,
}

impl Judge<'_> {
    /// Where the entries after one number and up to another go.
    fn part(&self, after: u64, to: u64) -> Continuity {
        let differs = self.shared.iter().any(|it| it.differs(to));
        // What follows them was heard, and commits to them.
        let inside = to < self.end;
        let touched =
            self.shared.iter().find(|it| matches!(it.common, Common::UpTo(last) if last == after));
        let log = self.shared.first().map(|it| it.run.log);
        let goes_on = self.runs.first().is_some_and(|run| Some(run.log) == log);
        if let Some(run) = touched.filter(|it| it.run.last.sequence == after) {
            // Once a log was changed, what it was before does not go on.
            let newer = self.runs.get(..run.at).unwrap_or_default();
            let changed = newer.iter().any(|it| it.began == Began::Fork);
            let replaced = self.shared.iter().any(|it| it.at < run.at && it.differs(to));
            if goes_on && !changed && !replaced {
                return Continuity::Append { run: run.at };
            }
            return match inside && !differs {
                true => Continuity::Begin { because: Began::Late, missing: 0 },
                false => Continuity::Begin { because: Began::Fork, missing: 0 },
            };
        }
        if differs || !(inside || goes_on) {
            return Continuity::Begin { because: Began::Fork, missing: 0 };
        }
        // The nearest that was heard before them.
        let last = self.shared.iter().map(|it| it.run.last.sequence);
        let missing = match after > self.first {
            true => 0,
            false => after.saturating_sub(last.filter(|last| *last < after).max().unwrap_or(0)),
        };
        // A number far ahead that came once does not make all that follows late.
        let newest = self.shared.iter().find(|it| it.at == self.newest);
        let late = inside || newest.is_some_and(|it| it.run.last.sequence > after);
        let because = if late { Began::Late } else { Began::Gap };
        Continuity::Begin { because, missing }
    }
}

enum Common {
    /// they have no entry in common
    Apart,
    /// what they have in common, up to this number, is kept no more
    Forgotten(u64),
    /// they are equal up to this number, and share none after it
    UpTo(u64),
    /// other entries stand in their place
    Differs {
        /// the last that is equal
        after: Option<u64>,
        /// the first that is not
        from: u64,
    },
}

/// What a segment and a run have in common.
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
    match same(high)? {
        // The segment ends where the run begins: none of its entries is the run's.
        Some(true) if high == run.before.sequence && high > first => return Ok(Common::Apart),
        Some(true) => return Ok(Common::UpTo(high)),
        // The newest that they have in common is gone, so all before it is.
        None => return Ok(Common::Forgotten(high)),
        Some(false) => {}
    }
    // Equal up to some number and not after it. What is kept no more is older than what is.
    let (mut from, mut to) = (low, high);
    while from < to {
        let middle = from.saturating_add(to.saturating_sub(from) / 2);
        if same(middle)? == Some(false) {
            to = middle;
        } else {
            from = middle.saturating_add(1);
        }
    }
    Ok(Common::Differs { after: from.checked_sub(1).filter(|last| *last >= low), from })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_log::{LogEntry, LogKind, LogOutcome, LogSeverity, encode_segment};
    use proptest::prelude::*;
    use std::{collections::BTreeSet, convert::Infallible};

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
        /// the run to which an entry was put last
        newest: usize,
    }

    impl Kept {
        fn take(&mut self, segment: &LogSegment) -> Vec<Part> {
            let known: Vec<KnownRun> = self.runs.iter().rev().map(|(run, _)| *run).collect();
            let count = self.runs.len();
            let newest = count.saturating_sub(1).saturating_sub(self.newest);
            let mut asked = 0;
            let judged = continuity(segment, &known, newest, |run, sequence| {
                asked += 1;
                let (_, places) = &self.runs[count - 1 - run];
                let found = places.iter().find(|place| place.sequence == sequence);
                let found = found.expect("a number of the run's own");
                let kept = found.sequence > self.forgotten;
                Ok::<_, Infallible>(kept.then_some(found.hash))
            });
            assert!(asked <= 8 * count);
            let Ok(judged) = judged;
            for Part { from, to, goes } in &judged {
                let places = segment.entries[*from..*to].iter().map(|it| it.place);
                match goes {
                    Continuity::Append { run } => {
                        let (run, kept) = &mut self.runs[count - 1 - run];
                        assert_eq!(run.last, segment.place(*from));
                        kept.extend(places);
                        run.last = segment.place(*to);
                    }
                    Continuity::Begin { because, .. } => {
                        let run = KnownRun {
                            began: *because,
                            log: segment.log,
                            before: segment.place(*from),
                            last: segment.place(*to),
                        };
                        self.runs.push((run, places.collect()));
                    }
                }
                self.newest = match goes {
                    Continuity::Append { run } => count - 1 - run,
                    Continuity::Begin { .. } => self.runs.len() - 1,
                };
            }
            judged
        }

        /// What is kept, by its numbers.
        fn numbers(&self) -> Vec<u64> {
            let mut all: Vec<u64> =
                self.runs.iter().flat_map(|(_, it)| it.iter().map(|p| p.sequence)).collect();
            all.sort_unstable();
            all
        }
    }

    const KNOWN: Vec<Part> = Vec::new();

    fn begin(because: Began, from: usize, to: usize, missing: u64) -> Vec<Part> {
        vec![Part { from, to, goes: Continuity::Begin { because, missing } }]
    }

    fn append(run: usize, from: usize, to: usize) -> Vec<Part> {
        vec![Part { from, to, goes: Continuity::Append { run } }]
    }

    #[test]
    fn what_comes_in_order_is_one_run_and_again_is_nothing() {
        let (mut log, mut kept) = (Log::new(1), Kept::default());
        log.write(30, 1);
        assert_eq!(kept.take(&log.segment(1, 10)), begin(Began::First, 0, 10, 0));
        assert_eq!(kept.take(&log.segment(1, 10)), KNOWN);
        assert_eq!(kept.take(&log.segment(11, 12)), append(0, 0, 2));
        assert_eq!(kept.take(&log.segment(3, 12)), KNOWN);
        assert_eq!(kept.take(&log.segment(9, 20)), append(0, 4, 12));
        kept.forgotten = 15;
        assert_eq!(kept.take(&log.segment(1, 12)), KNOWN);
        assert_eq!(kept.take(&log.segment(14, 30)), append(0, 7, 17));
    }

    #[test]
    fn what_is_missing_may_come_late() {
        let (mut log, mut kept) = (Log::new(1), Kept::default());
        log.write(60, 1);
        assert_eq!(kept.take(&log.segment(5, 10)), begin(Began::First, 0, 6, 4));
        assert_eq!(kept.take(&log.segment(31, 40)), begin(Began::Gap, 0, 10, 20));
        assert_eq!(kept.take(&log.segment(15, 17)), begin(Began::Late, 0, 3, 4));
        assert_eq!(kept.take(&log.segment(11, 14)), append(2, 0, 4));
        assert_eq!(kept.take(&log.segment(18, 30)), append(0, 0, 13));
        assert_eq!(kept.take(&log.segment(18, 30)), KNOWN);
        assert_eq!(kept.take(&log.segment(1, 4)), begin(Began::Late, 0, 4, 0));
        // The newest is an older piece by now; what is at the end of all goes on there.
        assert_eq!(kept.take(&log.segment(41, 50)), append(2, 0, 10));
    }

    #[test]
    fn what_comes_in_other_cuts_is_kept() {
        let (mut log, mut kept) = (Log::new(1), Kept::default());
        log.write(40, 1);
        assert_eq!(kept.take(&log.segment(5, 10)), begin(Began::First, 0, 6, 4));
        assert_eq!(kept.take(&log.segment(3, 8)), begin(Began::Late, 0, 2, 2));
        let both = [begin(Began::Late, 0, 2, 0), append(1, 10, 12)].concat();
        assert_eq!(kept.take(&log.segment(1, 12)), both);
        assert_eq!(kept.take(&log.segment(1, 12)), KNOWN);
        assert_eq!(kept.take(&log.segment(20, 22)), begin(Began::Gap, 0, 3, 7));
        assert_eq!(kept.take(&log.segment(30, 32)), begin(Began::Gap, 0, 3, 7));
        let between = [append(4, 2, 9), append(1, 12, 19), append(0, 22, 30)].concat();
        assert_eq!(kept.take(&log.segment(11, 40)), between);
        assert_eq!(kept.numbers(), (1..=40).collect::<Vec<_>>());
    }

    #[test]
    fn a_number_far_ahead_does_not_hide_what_is_lost_later() {
        let (mut log, mut kept) = (Log::new(1), Kept::default());
        log.write(60, 1);
        kept.take(&log.segment(1, 10));
        let mut forged = Log::new(1);
        forged.write(1000, 7);
        assert_eq!(kept.take(&forged.segment(999, 1000)), begin(Began::Gap, 0, 2, 988));
        assert_eq!(kept.take(&log.segment(11, 20)), append(1, 0, 10));
        assert_eq!(kept.take(&log.segment(31, 40)), begin(Began::Gap, 0, 10, 10));
        assert_eq!(kept.take(&log.segment(25, 26)), begin(Began::Late, 0, 2, 4));
    }

    #[test]
    fn what_is_kept_no_more_does_not_hide_where_a_log_was_changed() {
        let (mut log, mut kept) = (Log::new(1), Kept::default());
        log.write(40, 1);
        let mut copy = log.clone();
        log.write(20, 2);
        copy.write(20, 3);
        kept.take(&log.segment(1, 60));
        kept.forgotten = 35;
        assert_eq!(kept.take(&copy.segment(6, 55)), begin(Began::Fork, 35, 50, 0));
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
        assert_eq!(kept.take(&copy.segment(6, 15)), begin(Began::Fork, 5, 10, 0));
        assert_eq!(kept.take(&copy.segment(11, 15)), KNOWN);
        assert_eq!(kept.take(&copy.segment(16, 20)), append(0, 0, 5));
        // Two devices with one identity, in turn.
        log.write(10, 2);
        assert_eq!(kept.take(&log.segment(21, 25)), begin(Began::Fork, 0, 5, 0));
        assert_eq!(kept.take(&copy.segment(21, 25)), begin(Began::Fork, 0, 5, 0));
        // A past that shares nothing.
        let mut other = Log::new(1);
        other.write(10, 9);
        assert_eq!(kept.take(&other.segment(1, 10)), begin(Began::Fork, 0, 10, 0));
        // State was lost; then the former log is heard of again.
        let mut anew = Log::new(2);
        anew.write(10, 1);
        assert_eq!(kept.take(&anew.segment(4, 5)), begin(Began::Restart, 0, 2, 3));
        assert_eq!(kept.take(&other.segment(1, 10)), KNOWN);
        other.write(5, 1);
        assert_eq!(kept.take(&other.segment(11, 12)), begin(Began::Fork, 0, 2, 0));
        assert_eq!(kept.take(&anew.segment(6, 7)), begin(Began::Fork, 0, 2, 0));
    }

    proptest! {
        /// Whatever pieces of one log come, in whatever order and how often: each entry is taken, and
        /// none twice.
        #[test]
        fn one_log_is_taken_once(
            pieces in proptest::collection::vec((1..60_usize, 1..12_usize), 1..30),
        ) {
            let (mut log, mut kept) = (Log::new(1), Kept::default());
            log.write(72, 1);
            let mut delivered = BTreeSet::new();
            for (from, length) in pieces {
                kept.take(&log.segment(from, from + length - 1));
                delivered.extend((from..from + length).map(|it| it as u64));
                prop_assert_eq!(kept.numbers(), delivered.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(kept.take(&log.segment(from, from + length - 1)), KNOWN);
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
                    (_, 0) if told > 0 => append(0, 0, count),
                    _ if told == 0 => begin(Began::First, 0, count, lose as u64),
                    _ => begin(Began::Gap, 0, count, lose as u64),
                };
                prop_assert_eq!(judged, expected);
                told += count;
                if again {
                    prop_assert_eq!(kept.take(&log.segment(next, next + count - 1)), KNOWN);
                }
                next += count;
            }
            let places = kept.numbers();
            let unique: BTreeSet<u64> = places.iter().copied().collect();
            prop_assert_eq!(places.len(), unique.len());
            prop_assert_eq!((places.len(), lost + told), (told, next - 1));
        }
    }
}
