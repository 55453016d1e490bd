//! How often a source may try. Counted per source network, never per account: nobody locks
//! another out, and a crowd behind one address only waits for itself.

use crate::ServiceError;
use crypto::UnixTime;
use std::{cmp::Ordering, collections::HashMap};

/// Sources remembered. When there are more the old ones are forgotten: secrets and signatures do
/// not become guessable by that, limits only spare the store and the log.
const SOURCES_MAX: usize = 20_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// ceremonies begun and links opened
    Begun,
    /// attempts that failed
    Failed,
    /// links opened: any website can have its visitors open some, which must not keep them from
    /// signing in
    Opened,
    /// links opened that were none
    BadLink,
}

/// What counting came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// more may come
    Within,
    /// this one reached the limit, which is worth a line in the log
    Reached,
    /// the limit was reached before: not worth any
    Beyond,
}

impl Counted {
    /// How many in how many seconds.
    fn limit(self) -> (u32, i64) {
        match self {
            Self::Begun | Self::Opened => (60, 60),
            Self::Failed | Self::BadLink => (30, 300),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: HashMap<(Counted, String), (UnixTime, u32)>,
}

impl Limits {
    /// Whether the source may go on.
    pub(crate) fn check(
        &self,
        what: Counted,
        source: &str,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let (most, seconds) = what.limit();
        match self.windows.get(&(what, source.to_owned())) {
            Some((since, count)) if within(*since, now, seconds) && *count >= most => {
                Err(ServiceError::too_many(
                    "too-many-attempts",
                    "too many attempts from your network; wait a few minutes and try again",
                )
                .in_japanese(
                    "このネットワークからの試行回数が多すぎます。数分待ってからやり直してください",
                )
                .after(since.plus(seconds).since(now).unsigned_abs()))
            }
            _ => Ok(()),
        }
    }

    /// Counts one.
    pub(crate) fn count(&mut self, what: Counted, source: &str, now: UnixTime) -> Count {
        let (most, seconds) = what.limit();
        if self.windows.len() >= SOURCES_MAX {
            self.windows.retain(|(what, _), (since, _)| within(*since, now, what.limit().1));
            if self.windows.len() >= SOURCES_MAX {
                self.windows.clear();
            }
        }
        let window = self.windows.entry((what, source.to_owned())).or_insert((now, 0));
        if !within(window.0, now, seconds) {
            *window = (now, 0);
        }
        window.1 = window.1.saturating_add(1);
        match window.1.cmp(&most) {
            Ordering::Less => Count::Within,
            Ordering::Equal => Count::Reached,
            Ordering::Greater => Count::Beyond,
        }
    }
}

fn within(since: UnixTime, now: UnixTime, seconds: i64) -> bool {
    (0..seconds).contains(&now.since(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_waits_and_others_do_not() {
        let mut limits = Limits::default();
        let now = UnixTime(1000);
        let counts: Vec<Count> = (0..32).map(|_| limits.count(Counted::Failed, "a", now)).collect();
        assert_eq!(counts[28..], [Count::Within, Count::Reached, Count::Beyond, Count::Beyond]);
        assert!(limits.check(Counted::BadLink, "a", now).is_ok());
        assert!(limits.check(Counted::Failed, "a", now.plus(299)).is_err());
        assert!(limits.check(Counted::Failed, "a", now.plus(300)).is_ok());
        assert!(limits.check(Counted::Failed, "b", now).is_ok());
        assert!(limits.check(Counted::Begun, "a", now).is_ok());
        for source in 0..SOURCES_MAX + 10 {
            limits.count(Counted::Begun, &source.to_string(), now);
        }
        assert!(limits.windows.len() <= SOURCES_MAX);
    }
}
