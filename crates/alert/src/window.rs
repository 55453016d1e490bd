use crypto::UnixTime;

/// Parts of a window. What is older than a window by less than one part may still count.
pub const BUCKETS: i64 = 16;

/// How much came within the last so many seconds, in [`BUCKETS`] parts that begin at whole multiples of
/// their length: the counts depend on the events alone, not on when somebody began to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    length_s: i64,
    /// number of the newest part
    newest: i64,
    /// of each part: all, and those that a device's own key speaks for
    parts: [(u32, u32); BUCKETS as usize],
}

impl Window {
    /// An empty one.
    pub fn new(length_s: u32) -> Self {
        Self { length_s: i64::from(length_s), newest: i64::MIN, parts: [(0, 0); BUCKETS as usize] }
    }

    fn part_s(&self) -> i64 {
        // The newest part has only begun: with the others whole, a window is never shorter than it says.
        (self.length_s.saturating_add(BUCKETS - 2) / (BUCKETS - 1)).max(1)
    }

    fn slot(number: i64) -> usize {
        usize::try_from(number.rem_euclid(BUCKETS)).unwrap_or(0)
    }

    fn turn(&mut self, newest: i64) {
        if self.newest == i64::MIN || newest.saturating_sub(self.newest) >= BUCKETS {
            self.parts = [(0, 0); BUCKETS as usize];
        } else {
            for number in self.newest.saturating_add(1)..=newest {
                if let Some(part) = self.parts.get_mut(Self::slot(number)) {
                    *part = (0, 0);
                }
            }
        }
        self.newest = self.newest.max(newest);
    }

    /// Counts so many at a time. A clock that was set back counts into the newest part.
    pub fn add(&mut self, at: UnixTime, count: u32, authentic: bool) {
        let number = at.0.div_euclid(self.part_s());
        if number > self.newest {
            self.turn(number);
        }
        let slot = Self::slot(self.newest);
        if let Some((all, own)) = self.parts.get_mut(slot) {
            *all = all.saturating_add(count);
            if authentic {
                *own = own.saturating_add(count);
            }
        }
    }

    /// How much there is in the window that ends at `at`, and how much of it a device's own key speaks
    /// for; only in parts that began after `since`, where there is one.
    pub fn count(&self, at: UnixTime, since: Option<UnixTime>) -> (u32, u32) {
        self.counted(at, since).fold((0, 0), |(all, own), (_, more, authentic)| {
            (all.saturating_add(more), own.saturating_add(authentic))
        })
    }

    fn counted(
        &self,
        at: UnixTime,
        since: Option<UnixTime>,
    ) -> impl Iterator<Item = (i64, u32, u32)> {
        let part_s = self.part_s();
        // Where the clock was set back, what counts is what is newest.
        let last = at.0.div_euclid(part_s).max(self.newest);
        let since = since.map_or(i64::MIN, |at| at.0.div_euclid(part_s));
        let oldest = last.saturating_sub(BUCKETS - 1).max(since.saturating_add(1));
        let ours = self.newest.saturating_sub(BUCKETS - 1).max(oldest);
        // An empty window has no parts: what would be the newest began before time did.
        let numbers = (self.newest > i64::MIN).then_some(ours..=self.newest);
        numbers.into_iter().flatten().filter_map(|number| {
            let (all, own) = *self.parts.get(Self::slot(number))?;
            (all > 0).then_some((number, all, own))
        })
    }

    /// What [`Self::count`] counts, by when its parts began, oldest first; empty ones are left out.
    pub fn parts(&self, at: UnixTime, since: Option<UnixTime>) -> Vec<(UnixTime, u32)> {
        let begin = |number: i64| UnixTime(number.saturating_mul(self.part_s()));
        self.counted(at, since).map(|(number, all, _)| (begin(number), all)).collect()
    }

    /// Whether nothing of it counts any more.
    pub fn is_over(&self, at: UnixTime) -> bool {
        self.count(at, None).0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_old_counts_no_more() {
        let mut window = Window::new(150);
        window.add(UnixTime(1000), 3, true);
        window.add(UnixTime(1100), 4, false);
        assert_eq!(window.count(UnixTime(1100), None), (7, 3));
        assert_eq!(window.count(UnixTime(1159), None), (7, 3));
        assert_eq!(window.count(UnixTime(1160), None), (4, 0));
        assert_eq!(window.count(UnixTime(1100), Some(UnixTime(1005))), (4, 0));
        assert!(window.is_over(UnixTime(1300)) && !window.is_over(UnixTime(1200)));
        // A clock that is set back loses nothing and opens nothing.
        window.add(UnixTime(10), 1, false);
        assert_eq!(window.count(UnixTime(10), None), (8, 3));
    }

    proptest! {
        /// Never less than what a window of that length holds, never more than one that is a part longer.
        #[test]
        fn it_counts_what_is_in_it(
            length in 1_u32..5_000,
            mut times in proptest::collection::vec(0_i64..20_000, 1..200),
        ) {
            times.sort_unstable();
            let mut window = Window::new(length);
            for at in &times {
                window.add(UnixTime(*at), 1, false);
            }
            let last = *times.last().unwrap();
            let within = |span: i64| times.iter().filter(|at| last - **at < span).count() as u32;
            let found = window.count(UnixTime(last), None).0;
            prop_assert!(found >= within(length.into()));
            prop_assert!(found <= within(window.part_s() * BUCKETS));
        }

        /// Whoever begins to count a window earlier has the same.
        #[test]
        fn where_counting_begins_does_not_matter(
            times in proptest::collection::vec(0_i64..100_000, 1..100), from in 0_usize..100
        ) {
            let mut times = times;
            times.sort_unstable();
            let last = *times.last().unwrap();
            let start = times.partition_point(|at| *at < last - 2_000).min(from);
            let (mut whole, mut part) = (Window::new(1_000), Window::new(1_000));
            times.iter().for_each(|at| whole.add(UnixTime(*at), 1, true));
            times.iter().skip(start).for_each(|at| part.add(UnixTime(*at), 1, true));
            prop_assert_eq!(whole.count(UnixTime(last), None), part.count(UnixTime(last), None));
        }
    }
}
