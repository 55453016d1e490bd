//! Inputs that say that somebody opens or alters the device (AT-2): looked at while nothing else is
//! done, believed once they last, kept until a person at the device says that all is well.
//! docs/agent.md.

use crate::{
    Agent, Failure,
    config::{LOOK_COMMAND_MS, LOOK_FILE_MS, TamperAction, TamperInput, TamperLook},
    doors, files, hooks, log,
    self_test::{Consequence, Finding},
    store::Store,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

const RECORD: &str = "tamper";
pub(crate) const TEST: &str = "tamper";
/// Longest contents of an input, in bytes.
const INPUT_BYTES_MAX: u64 = 256;
/// Longest time for a command that looks at an input, in seconds.
const LOOK_S: u64 = 5;

/// What was seen of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// by the device's clock
    at: i64,
    detail: String,
}

/// What was seen, and what may be about to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tamper {
    /// by the name of the input
    seen: BTreeMap<String, Seen>,
    /// looks in a row at which it was so, by the name of the input
    looks: BTreeMap<String, u32>,
    /// something was seen a moment ago
    pub(crate) fresh: bool,
    /// the platform is to be told
    news: bool,
}

impl Tamper {
    /// Reads what was seen.
    ///
    /// # Errors
    /// `state-damaged`.
    pub(crate) fn open(store: &Store) -> Result<Self, Failure> {
        let seen: BTreeMap<String, Seen> = store.record(RECORD)?.unwrap_or_default();
        // Who heard of it nobody knows any more: said again, it is the same.
        Ok(Self { news: !seen.is_empty(), seen, ..Self::default() })
    }

    /// The inputs at which something was seen.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.seen.keys().map(String::as_str)
    }

    /// Takes everything for well: a person has looked.
    ///
    /// # Errors
    /// `state-write`.
    pub(crate) fn accept(store: &Store) -> Result<(), Failure> {
        files::remove(&store.path(RECORD))
    }
}

impl Agent {
    /// How often inputs, and whether a person has something to say, are looked at.
    pub(crate) fn look_every(&self) -> Duration {
        let by_command = |input: &TamperInput| matches!(input.look, TamperLook::Command(_));
        let slow = self.config.tamper.is_empty() || self.config.tamper.iter().any(by_command);
        Duration::from_millis(if slow { LOOK_COMMAND_MS } else { LOOK_FILE_MS })
    }

    /// Looks as often as it takes to believe every input: for a process that does not stay.
    pub(crate) fn watch_once(&mut self) {
        let looks = self.config.tamper.iter().map(|input| input.looks).max().unwrap_or(0);
        for _ in 0..looks {
            if self.watch() || self.tamper.looks.is_empty() {
                return;
            }
            std::thread::sleep(self.look_every());
        }
    }

    /// Looks at every input; whether something is to be told at once.
    pub(crate) fn watch(&mut self) -> bool {
        for input in self.config.tamper.clone() {
            if self.tamper.seen.contains_key(&input.name) {
                continue;
            }
            let looks = match look(&input) {
                Ok(false) => {
                    self.tamper.looks.remove(&input.name);
                    continue;
                }
                Ok(true) => {
                    let looks = self.tamper.looks.entry(input.name.clone()).or_default();
                    *looks = looks.saturating_add(1);
                    *looks
                }
                // Who cuts the wire is seen too.
                Err(failure) => {
                    log::warning("tamper-input", &format!("{}: {}", input.name, failure.detail));
                    let looks = self.tamper.looks.entry(input.name.clone()).or_default();
                    *looks = looks.saturating_add(1);
                    *looks
                }
            };
            if looks >= input.looks {
                self.tampered(&input);
            }
        }
        self.tamper.fresh
    }

    fn tampered(&mut self, input: &TamperInput) {
        let at = crate::clock::wall();
        let detail = format!("input {} since {at}", input.name);
        log::error("tamper", &detail);
        let seen = Seen { at: at.0, detail: detail.clone() };
        self.tamper.seen.insert(input.name.clone(), seen);
        (self.tamper.fresh, self.tamper.news) = (true, true);
        // In memory it holds even where the disk takes nothing.
        if let Err(failure) = self.store.keep(RECORD, &self.tamper.seen) {
            log::warning(failure.code, &failure.detail);
        }
        self.findings.retain(|one| one.test != TEST);
        self.findings.extend(self.tamper_finding());
    }

    /// Does what follows from tampering, and tells the platform as soon as there is a way. Keys go
    /// first: what is in memory is enough for one word on the way out.
    ///
    /// # Errors
    /// `tamper`: the agent stops.
    pub(crate) fn heed_tamper(&mut self) -> Result<(), Failure> {
        let Some(action) = self.tamper_action().filter(|_| self.tamper.news) else {
            return Ok(());
        };
        let present = self.present().unwrap_or_default();
        if action == TamperAction::EraseKeys {
            self.erase_unasked()?;
        }
        if let Some((client, _)) = &present {
            let hardware_id = &self.config.hardware_id;
            // Whatever is the answer: this device does nothing about it.
            let told = doors::poll(client, hardware_id, None, false, &self.findings, &[]);
            match told {
                Ok(_) => self.tamper.news = false,
                Err(failure) => log::warning(failure.code, &failure.detail),
            }
        }
        match action {
            TamperAction::Stop => {
                let detail = "somebody tampers with the device; look at it, then run: \
                              tegata-agent self-test --accept-tamper";
                Err(Failure::fatal("tamper", detail))
            }
            TamperAction::Report | TamperAction::EraseKeys => Ok(()),
        }
    }

    /// What the worst input that was seen leads to.
    pub(crate) fn tamper_action(&self) -> Option<TamperAction> {
        let seen = |input: &&TamperInput| self.tamper.seen.contains_key(&input.name);
        self.config.tamper.iter().filter(seen).map(|input| input.action).max()
    }

    /// As a finding for the platform.
    pub(crate) fn tamper_finding(&self) -> Option<Finding> {
        let action = self.tamper_action()?;
        let words: Vec<_> = self.tamper.seen.values().map(|seen| seen.detail.as_str()).collect();
        let consequence = match action {
            TamperAction::Report => Consequence::Wait,
            TamperAction::Stop | TamperAction::EraseKeys => Consequence::Stop,
        };
        Some(Finding { test: TEST, consequence, code: "tamper", detail: words.join("; ") })
    }
}

/// Whether an input says so.
fn look(input: &TamperInput) -> Result<bool, Failure> {
    let text = match &input.look {
        TamperLook::File(path) => {
            let none = || Failure::unavailable("missing-file", format!("no {}", path.display()));
            files::read(path, INPUT_BYTES_MAX)?.ok_or_else(none)?
        }
        TamperLook::Command(words) => hooks::call(words, &[], LOOK_S)?,
    };
    Ok(String::from_utf8_lossy(&text).trim() == input.tampered)
}
