//! What was decided goes into the device's log, so that the platform hears of it when it can be reached. A
//! stranger who knocks all day fills neither the disk nor the log: alike entries of a minute are one.

use super::talk::is_strangers;
use crate::{Config, clock::uptime_s, log, notes::Note};
use ::peer::{Decision, Side};
use std::collections::BTreeMap;

/// Seconds in which alike decisions are one entry.
const ALIKE_S: u64 = 60;
/// Kinds of refusals that are told apart in that time.
const REFUSED_MAX: usize = 64;
/// Kinds of permits: no refusal takes their room, and no device that of all others.
const PERMITTED_MAX: usize = 256;
const PERMITTED_OF_ONE_MAX: usize = 16;
/// What there is no room for is one kind.
const OTHERS: &str = "others";

/// An entry, and how many like it were not put down since.
#[derive(Debug)]
struct Alike {
    since: u64,
    more: u64,
    note: Note,
}

/// What was put down lately.
#[derive(Debug, Default)]
pub(super) struct Journal {
    refused: BTreeMap<String, Alike>,
    permitted: BTreeMap<String, Alike>,
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
        // Of those whom nobody knows all are alike; what a known one asks for in vain is its own invention.
        let kind = match (is_strangers(code), decision.permitted) {
            (true, _) => code.name().to_owned(),
            (false, true) => format!("{actor} {side:?} {operation}"),
            (false, false) => format!("{actor} {side:?} {}", code.name()),
        };
        let because: String = decision.because.join(" ").chars().take(64).collect();
        let mut details = BTreeMap::from([
            ("code".to_owned(), code.name().to_owned()),
            ("bundle".to_owned(), bundle.to_string()),
        ]);
        if !because.is_empty() {
            details.insert("because".to_owned(), because);
        }
        let subject = match side {
            Side::Serves if operation.is_empty() => "asked".to_owned(),
            Side::Serves => format!("asked: {operation}"),
            Side::Asks => format!("asks: {operation}"),
        };
        let outcome = if decision.permitted { "success" } else { "failure" };
        let note = Note {
            kind: "authentication".to_owned(),
            severity: if decision.permitted { "informational" } else { "medium" }.to_owned(),
            outcome: outcome.to_owned(),
            actor: Some(actor),
            subject: Some(subject.chars().take(64).collect()),
            details,
            at: 0,
        };
        self.leave(config, kind, note, decision.permitted);
    }

    /// Puts down that nothing can be decided.
    pub(super) fn undecided(&mut self, config: &Config, code: &str) {
        let note = Note {
            kind: "authentication".to_owned(),
            severity: "medium".to_owned(),
            outcome: "error".to_owned(),
            actor: None,
            subject: Some("devices are not decided about".to_owned()),
            details: BTreeMap::from([("code".to_owned(), code.to_owned())]),
            at: 0,
        };
        self.leave(config, code.to_owned(), note, false);
    }

    fn leave(&mut self, config: &Config, kind: String, note: Note, permitted: bool) {
        let notes = self.due(kind, note, permitted, uptime_s());
        if config.device_log.is_none() {
            return;
        }
        for note in notes {
            if let Err(failure) = note.leave(config) {
                log::warning(failure.code, &failure.detail);
            }
        }
    }

    /// What is to be put down now: the note, unless one like it was a moment ago, and before it what became
    /// of those whose minute is over.
    fn due(&mut self, kind: String, note: Note, permitted: bool, now_s: u64) -> Vec<Note> {
        let mut due = Vec::new();
        for all in [&mut self.refused, &mut self.permitted] {
            all.retain(|_, alike| {
                let is_over = now_s.saturating_sub(alike.since) >= ALIKE_S;
                if is_over && alike.more > 0 {
                    due.push(alike.summed());
                }
                !is_over
            });
        }
        let all = if permitted { &mut self.permitted } else { &mut self.refused };
        let known = all.contains_key(&kind);
        let device = kind.split(' ').next().unwrap_or_default();
        let begin = format!("{device} ");
        let own = all.keys().filter(|kind| kind.starts_with(&begin)).count();
        let most = if permitted { PERMITTED_MAX } else { REFUSED_MAX };
        let kind = match known {
            false if all.len() >= most => OTHERS.to_owned(),
            false if permitted && own >= PERMITTED_OF_ONE_MAX => format!("{device} {OTHERS}"),
            _ => kind,
        };
        match all.get_mut(&kind) {
            Some(alike) => {
                alike.more = alike.more.saturating_add(1);
                // Of what there was no room for, the last stands for all.
                alike.note = note;
            }
            None => {
                due.push(note.clone());
                all.insert(kind, Alike { since: now_s, more: 0, note });
            }
        }
        due
    }
}

impl Alike {
    /// The last of those that were not put down, for all of them.
    fn summed(&self) -> Note {
        let mut note = self.note.clone();
        if self.more > 1 {
            let more = self.more.saturating_sub(1);
            note.details.insert("more".to_owned(), more.to_string());
        }
        note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(actor: &str) -> Note {
        Note {
            kind: "authentication".to_owned(),
            severity: "medium".to_owned(),
            outcome: "failure".to_owned(),
            actor: Some(actor.to_owned()),
            subject: None,
            details: BTreeMap::new(),
            at: 0,
        }
    }

    fn put(journal: &mut Journal, kind: &str, permitted: bool, now_s: u64) -> Vec<Note> {
        journal.due(kind.to_owned(), note(kind), permitted, now_s)
    }

    fn more(note: &Note) -> Option<&str> {
        note.details.get("more").map(String::as_str)
    }

    #[test]
    fn alike_ones_are_one_and_told_when_their_minute_is_over() {
        let mut journal = Journal::default();
        assert_eq!(put(&mut journal, "a", false, 100), [note("a")]);
        for now_s in [101, 110, 159] {
            assert_eq!(put(&mut journal, "a", false, now_s), []);
        }
        assert_eq!(put(&mut journal, "b", false, 159), [note("b")]);
        // The three, told by the next of anything.
        let told = put(&mut journal, "c", true, 160);
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].actor.as_deref(), more(&told[0])), (Some("a"), Some("2")));
        assert_eq!(told[1], note("c"));
        // What had none is forgotten.
        assert_eq!(put(&mut journal, "d", false, 300), [note("d")]);
        assert_eq!((journal.refused.len(), journal.permitted.len()), (1, 0));
    }

    #[test]
    fn no_flood_takes_the_room_of_what_was_permitted() {
        let mut journal = Journal::default();
        for at in 0..10_000 {
            let _ = put(&mut journal, &format!("{at}"), false, 1000);
            let _ = put(&mut journal, &format!("mallory Serves {at}"), true, 1000);
        }
        assert!(journal.refused.len() <= REFUSED_MAX + 1);
        assert!(journal.permitted.len() <= PERMITTED_OF_ONE_MAX + 1);
        // Another device that opens is put down at once, and refusals are again a minute later.
        assert_eq!(put(&mut journal, "gate Serves open", true, 1000).len(), 1);
        let later = put(&mut journal, "gate Serves no-policy", false, 1061);
        assert_eq!(later.last(), Some(&note("gate Serves no-policy")));
        assert!(later.len() > 2 && later.len() < 10, "{}", later.len());
        for at in 0..10_000 {
            let _ = put(&mut journal, &format!("{at} Serves open"), true, 1061);
        }
        assert!(journal.permitted.len() <= PERMITTED_MAX + 1);
    }
}
