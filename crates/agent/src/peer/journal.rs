//! What was decided goes into the device's log, so that the platform hears of it when it can be reached. A
//! stranger who knocks all day fills neither the disk nor the log: alike entries of a minute are one.

use super::talk::is_strangers;
use crate::{Config, clock::uptime_s, log, notes::Note};
use ::peer::{Decision, Side};
use std::collections::BTreeMap;

/// Seconds in which alike decisions are one entry.
const ALIKE_S: u64 = 60;
/// Kinds of entries that are told apart in that time.
const KINDS_MAX: usize = 64;

/// What was put down lately.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// since when, and how many more there were
    lately: BTreeMap<String, (u64, u64)>,
}

impl Journal {
    /// Puts a decision down, unless one like it was a moment ago.
    pub(super) fn put(
        &mut self,
        config: &Config,
        decision: &Decision,
        side: Side,
        operation: &str,
        bundle: u64,
    ) {
        let actor = match &decision.peer {
            Some(peer) => peer.facts.device.to_string(),
            None => "unknown device".to_owned(),
        };
        let code = decision.code;
        // Of those whom nobody knows all are alike.
        let kind = match is_strangers(code) {
            true => code.name().to_owned(),
            false => format!("{actor} {side:?} {operation} {}", code.name()),
        };
        let Some(more) = self.more(kind, uptime_s()) else { return };
        let because: String = decision.because.join(" ").chars().take(64).collect();
        let mut details = BTreeMap::from([
            ("code".to_owned(), code.name().to_owned()),
            ("bundle".to_owned(), bundle.to_string()),
        ]);
        if !because.is_empty() {
            details.insert("because".to_owned(), because);
        }
        if more > 0 {
            details.insert("more".to_owned(), more.to_string());
        }
        let subject = match side {
            Side::Serves if operation.is_empty() => "asked".to_owned(),
            Side::Serves => format!("asked: {operation}"),
            Side::Asks => format!("asks: {operation}"),
        };
        let outcome = if decision.permitted { "success" } else { "failure" };
        self.leave(
            config,
            Note {
                kind: "authentication".to_owned(),
                severity: if decision.permitted { "informational" } else { "medium" }.to_owned(),
                outcome: outcome.to_owned(),
                actor: Some(actor),
                subject: Some(subject.chars().take(64).collect()),
                details,
                at: 0,
            },
        );
    }

    /// Puts down that nothing can be decided.
    pub(super) fn undecided(&mut self, config: &Config, code: &str) {
        let Some(more) = self.more(code.to_owned(), uptime_s()) else { return };
        let details = BTreeMap::from([
            ("code".to_owned(), code.to_owned()),
            ("more".to_owned(), more.to_string()),
        ]);
        self.leave(
            config,
            Note {
                kind: "authentication".to_owned(),
                severity: "medium".to_owned(),
                outcome: "error".to_owned(),
                actor: None,
                subject: Some("devices are not decided about".to_owned()),
                details,
                at: 0,
            },
        );
    }

    /// How many alike ones were not put down since the last that was; `None` where this is one of them.
    fn more(&mut self, kind: String, now_s: u64) -> Option<u64> {
        // What is over and has nothing to tell makes room; the rest is told with its next.
        self.lately.retain(|_, (since, more)| now_s.saturating_sub(*since) < ALIKE_S || *more > 0);
        let full = self.lately.len() >= KINDS_MAX && !self.lately.contains_key(&kind);
        let kind = if full { "others".to_owned() } else { kind };
        match self.lately.get_mut(&kind) {
            Some((since, more)) if now_s.saturating_sub(*since) < ALIKE_S => {
                *more = more.saturating_add(1);
                None
            }
            Some(known) => Some(std::mem::replace(known, (now_s, 0)).1),
            None => {
                self.lately.insert(kind, (now_s, 0));
                Some(0)
            }
        }
    }

    fn leave(&self, config: &Config, note: Note) {
        if config.device_log.is_none() {
            return;
        }
        if let Err(failure) = note.leave(config) {
            log::warning(failure.code, &failure.detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_ones_are_one_and_nothing_grows() {
        let mut journal = Journal::default();
        assert_eq!(journal.more("a".into(), 100), Some(0));
        assert_eq!(journal.more("a".into(), 159), None);
        assert_eq!(journal.more("b".into(), 159), Some(0));
        assert_eq!(journal.more("a".into(), 160), Some(1));
        assert_eq!(journal.more("a".into(), 300), Some(0));
        for at in 0..10_000 {
            let _ = journal.more(format!("{at}"), 1000);
        }
        assert!(journal.lately.len() <= KINDS_MAX + 1);
    }
}
