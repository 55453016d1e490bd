//! What became of commands: written to disk before one is begun, and before its answer is sent, so
//! that none is done twice and no answer is lost, whenever the process dies. Pure.

use admission::{CommandId, CommandProgress};
use crypto::UnixTime;
use serde::{Deserialize, Serialize};

/// Most commands that are remembered. The platform lets 32 be open at a time.
pub(crate) const ENTRIES_MAX: usize = 128;
/// Longest detail of an answer, in characters.
const DETAIL_MAX: usize = admission::ANSWER_DETAIL_MAX;
/// How long a machine may take to start again before that has failed, in seconds.
const RESTART_S: u64 = 600;

/// Which start of the machine it is, and for how long it has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// another one after each start
    pub(crate) boot_id: String,
    /// seconds since then
    pub(crate) uptime_s: u64,
}

/// How far a command is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Stage {
    /// it was begun; whoever reads this after a crash does not know whether it was done
    Begun {
        /// in which start of the machine
        boot_id: String,
        /// seconds after that
        uptime_s: u64,
    },
    /// it is over
    Over {
        /// its result
        progress: Progress,
        /// in words
        detail: String,
        /// base64 of what proves it
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
        /// the platform knows
        told: bool,
    },
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Progress {
    Done,
    Failed,
    Rejected,
}

impl Progress {
    /// As it is said to the platform.
    pub(crate) fn said(self) -> CommandProgress {
        match self {
            Self::Done => CommandProgress::Done,
            Self::Failed => CommandProgress::Failed,
            Self::Rejected => CommandProgress::Rejected,
        }
    }
}

/// A command that was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) issued: i64,
    pub(crate) expires: i64,
    pub(crate) stage: Stage,
}

impl Entry {
    fn is_told(&self) -> bool {
        matches!(self.stage, Stage::Over { told: true, .. })
    }
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) progress: Progress,
    pub(crate) detail: String,
    pub(crate) proof: Option<String>,
}

impl Outcome {
    pub(crate) fn new(progress: Progress, detail: impl Into<String>) -> Self {
        Self { progress, detail: detail.into(), proof: None }
    }
}

/// What to do about a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// begin it
    Begin,
    /// nothing: it was begun before, or there is no room to remember it
    Nothing,
    /// it is not begun, for this reason
    Refuse(Outcome),
}

/// Everything that is remembered of commands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    /// in the order in which they were heard
    pub(crate) entries: Vec<Entry>,
    /// what was given at or before this moment and is not among them was heard before, or comes too
    /// late: seconds since 1970 by the platform's clock
    floor: i64,
    /// commands that were begun
    pub(crate) counter: u64,
}

impl Journal {
    /// What to do about a command. `now` is the platform's time.
    pub(crate) fn judge(
        &self,
        id: &CommandId,
        issued: UnixTime,
        expires: UnixTime,
        now: UnixTime,
    ) -> Judgement {
        let id = id.to_string();
        if self.entries.iter().any(|entry| entry.id == id) {
            return Judgement::Nothing;
        }
        let refuse = |why: &str| Judgement::Refuse(Outcome::new(Progress::Rejected, why));
        if expires <= now {
            return refuse("[expired] its time was over when the device heard of it");
        }
        if issued.0 <= self.floor {
            return refuse("[replayed] the device has forgotten commands that were given later");
        }
        // Without room it would not be known any more that it was done.
        let room = self.entries.len() < ENTRIES_MAX || self.entries.iter().any(Entry::is_told);
        if room { Judgement::Begin } else { Judgement::Nothing }
    }

    /// Puts down that a command is begun.
    pub(crate) fn begin(
        &mut self,
        (id, name): (&CommandId, &str),
        (issued, expires): (UnixTime, UnixTime),
        start: &Start,
    ) {
        self.counter = self.counter.saturating_add(1);
        let stage = Stage::Begun { boot_id: start.boot_id.clone(), uptime_s: start.uptime_s };
        self.push(Entry {
            id: id.to_string(),
            name: name.to_owned(),
            issued: issued.0,
            expires: expires.0,
            stage,
        });
    }

    /// Puts down how it ended; also where it was never begun.
    pub(crate) fn finish(
        &mut self,
        (id, name): (&CommandId, &str),
        (issued, expires): (UnixTime, UnixTime),
        outcome: Outcome,
    ) {
        let id = id.to_string();
        let stage = over(outcome);
        match self.entries.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => entry.stage = stage,
            None => self.push(Entry {
                id,
                name: name.to_owned(),
                issued: issued.0,
                expires: expires.0,
                stage,
            }),
        }
    }

    /// Puts down how one ended that was begun.
    pub(crate) fn end(&mut self, id: &str, outcome: Outcome) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            entry.stage = over(outcome);
        }
    }

    /// Gives what was begun and never ended its end. `fresh`: this process has just begun, so that
    /// nobody is at work on anything.
    pub(crate) fn settle(&mut self, start: &Start, fresh: bool) {
        for entry in &mut self.entries {
            let Stage::Begun { boot_id, uptime_s } = &entry.stage else { continue };
            let restart = entry.name == admission::CommandName::RESTART;
            let outcome = if restart && *boot_id != start.boot_id {
                Outcome::new(Progress::Done, "the machine has started again")
            } else if fresh {
                Outcome::new(
                    Progress::Failed,
                    "[interrupted] the device stopped while it was at it; nobody knows whether it \
                     was done",
                )
            } else if restart && start.uptime_s.saturating_sub(*uptime_s) > RESTART_S {
                Outcome::new(Progress::Failed, "[restart] the machine did not start again")
            } else {
                continue;
            };
            entry.stage = over(outcome);
        }
    }

    /// The first whose end the platform does not know.
    pub(crate) fn untold(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| matches!(entry.stage, Stage::Over { told: false, .. }))
    }

    /// Those that ended: id, name, whether it was done, and words about it.
    pub(crate) fn ended(&self) -> impl Iterator<Item = (&str, &str, bool, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.stage {
            Stage::Over { progress, detail, .. } => {
                let done = *progress == Progress::Done;
                Some((entry.id.as_str(), entry.name.as_str(), done, detail.as_str()))
            }
            Stage::Begun { .. } => None,
        })
    }

    /// Puts down that the platform knows, or will never.
    pub(crate) fn told(&mut self, id: &str) {
        for entry in self.entries.iter_mut().filter(|entry| entry.id == id) {
            if let Stage::Over { told, .. } = &mut entry.stage {
                *told = true;
            }
        }
    }

    /// Forgets what could not be begun any more by the platform's time.
    pub(crate) fn forget(&mut self, now: UnixTime) {
        self.entries.retain(|entry| !entry.is_told() || entry.expires > now.0);
    }

    /// INVARIANT: what is dropped before its time raises the floor, so that it is never begun again.
    fn push(&mut self, entry: Entry) {
        while self.entries.len() >= ENTRIES_MAX {
            let oldest = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.is_told())
                .min_by_key(|(_, entry)| entry.issued)
                .map(|(index, _)| index);
            let Some(index) = oldest else { break };
            let gone = self.entries.remove(index);
            self.floor = self.floor.max(gone.issued);
        }
        self.entries.push(entry);
    }
}

fn over(outcome: Outcome) -> Stage {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let detail = outcome.detail.trim().chars().map(clean).take(DETAIL_MAX).collect();
    Stage::Over { progress: outcome.progress, detail, proof: outcome.proof, told: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixTime = UnixTime(1000);

    fn id(number: u8) -> CommandId {
        CommandId([number; 16])
    }

    fn start(boot: &str, uptime_s: u64) -> Start {
        Start { boot_id: boot.into(), uptime_s }
    }

    fn done() -> Outcome {
        Outcome::new(Progress::Done, "")
    }

    #[test]
    fn a_command_is_begun_once() {
        let mut journal = Journal::default();
        let times = (UnixTime(900), UnixTime(1100));
        let judge = |journal: &Journal| journal.judge(&id(1), times.0, times.1, NOW);
        assert_eq!(judge(&journal), Judgement::Begin);
        journal.begin((&id(1), "open"), times, &start("a", 1));
        assert_eq!(judge(&journal), Judgement::Nothing);
        journal.finish((&id(1), "open"), times, done());
        assert_eq!(judge(&journal), Judgement::Nothing);
        assert_eq!(journal.untold().unwrap().id, id(1).to_string());
        journal.told(&id(1).to_string());
        assert_eq!(journal.untold(), None);
        journal.forget(NOW);
        assert_eq!(judge(&journal), Judgement::Nothing);
        // Nobody can have it begun any more: it may be forgotten.
        journal.forget(UnixTime(1100));
        assert!(journal.entries.is_empty());
        let late = journal.judge(&id(1), times.0, times.1, UnixTime(1100));
        assert!(matches!(late, Judgement::Refuse(_)));
    }

    #[test]
    fn what_was_interrupted_is_not_done_again() {
        let check =
            |name: &str, boot: &str, uptime_s: u64, fresh: bool, wanted: Option<Progress>| {
                let mut journal = Journal::default();
                journal.begin((&id(1), name), (NOW, NOW.plus(60)), &start("a", 10));
                journal.settle(&start(boot, uptime_s), fresh);
                let progress = journal.untold().map(|entry| match &entry.stage {
                    Stage::Over { progress, .. } => *progress,
                    Stage::Begun { .. } => panic!("not over"),
                });
                assert_eq!(progress, wanted, "{name} {boot} {uptime_s} {fresh}");
            };
        check("open", "a", 20, true, Some(Progress::Failed));
        check("open", "b", 20, true, Some(Progress::Failed));
        check("restart", "b", 20, true, Some(Progress::Done));
        check("restart", "a", 20, true, Some(Progress::Failed));
        check("restart", "a", 20, false, None);
        check("restart", "a", 620, false, Some(Progress::Failed));
    }

    proptest! {
        /// Whatever comes in whatever order, and however often: nothing is begun twice.
        #[test]
        fn nothing_is_begun_twice(heard in proptest::collection::vec((any::<u8>(), any::<bool>()), 0..600)) {
            let mut journal = Journal::default();
            let mut begun = std::collections::BTreeSet::new();
            for (number, tells) in heard {
                let times = (UnixTime(i64::from(number) + 1), UnixTime(2000));
                if journal.judge(&id(number), times.0, times.1, NOW) == Judgement::Begin {
                    prop_assert!(begun.insert(number), "{number}");
                    journal.begin((&id(number), "x"), times, &start("a", 1));
                    journal.finish((&id(number), "x"), times, done());
                    if tells {
                        journal.told(&id(number).to_string());
                    }
                }
                prop_assert!(journal.entries.len() <= ENTRIES_MAX);
                journal.forget(NOW);
            }
            let text = serde_json::to_string(&journal).unwrap();
            prop_assert_eq!(serde_json::from_str::<Journal>(&text).unwrap(), journal);
        }
    }
}
