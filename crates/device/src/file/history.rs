//! Rebuilds the history from a file's events: first whether each event is what it should be, then
//! what they add up to.

use super::{EventContents, PassportFile, Statement, certificates::Signers, state_digest};
use crate::{
    Evidence, Layer, Reason, ReasonCode as Code, Severity, State,
    event::{Event, EventKind, SignedEvent},
    passport::{EventPlace, History},
    state::{Context, IllegalMoveCode},
};
use crypto::{Sha256, UnixTime};
use ledger::{InclusionProof, TreeHead};
use std::collections::BTreeSet;

/// Most facts told per finding; the first ones tell enough.
const EVIDENCE_MAX: usize = 24;

pub(super) struct Replay<'a> {
    pub(super) file: &'a PassportFile,
    pub(super) statement: &'a Statement,
    pub(super) tree: Option<&'a TreeHead>,
    pub(super) now: UnixTime,
    pub(super) findings: Vec<Reason>,
    /// whether a finding is more than a note
    pub(super) flawed: bool,
    pub(super) places: Vec<EventPlace>,
}

/// An entry that was looked into.
enum Opened {
    Event(Box<Event>),
    Erased(Option<Vec<u8>>),
    /// what it is not is a finding already
    Unreadable,
}

impl Replay<'_> {
    /// What the history adds up to; the findings say where it does not.
    pub(super) fn run(&mut self, signers: &mut Signers<'_>) -> History {
        let Some(opened) = self.open(signers) else { return History::Unusable };
        match self.replay(&opened) {
            Some(state) if self.agrees(&state) => History::Known(Box::new(state)),
            _ => History::Unusable,
        }
    }

    /// Notes a finding; those of one code become one reason.
    fn find(&mut self, code: Code, evidence: Vec<Evidence>) {
        self.flawed |= code.severity() > Severity::Note;
        match self.findings.iter_mut().find(|reason| reason.code == code) {
            Some(reason) if reason.evidence.len() < EVIDENCE_MAX => {
                reason.evidence.extend(evidence);
            }
            Some(_) => {}
            None => self.findings.push(Reason::new(code, Layer::Device, evidence)),
        }
    }

    fn place(&self, at: usize) -> Evidence {
        let place = self.places.get(at);
        Evidence::Event {
            sequence: at as u64,
            index: place.map(|place| place.index),
            commitment: place.map(|place| place.commitment),
        }
    }

    /// Integrity of each event by itself; `None` where one is not what it should be.
    fn open(&mut self, signers: &mut Signers<'_>) -> Option<Vec<Opened>> {
        let mut opened = Vec::new();
        for (at, entry) in self.file.events.iter().enumerate() {
            let commitment = entry.commitment();
            self.places.push(EventPlace { sequence: at as u64, index: entry.index, commitment });
            self.check_inclusion(at);
            match &entry.contents {
                EventContents::Erased { state_after, .. } => {
                    opened.push(Opened::Erased(state_after.clone()));
                }
                EventContents::Present { bytes, .. } => {
                    let event = self.check_event(at, bytes, signers);
                    opened.push(match event {
                        Some(event) => Opened::Event(Box::new(event)),
                        None => Opened::Unreadable,
                    });
                }
            }
        }
        self.check_order(&opened);
        (!self.flawed).then_some(opened)
    }

    fn check_inclusion(&mut self, at: usize) {
        let (Some(tree), Some(entry)) = (self.tree, self.file.events.get(at)) else { return };
        let proof =
            InclusionProof { index: entry.index, size: tree.size, hashes: entry.proof.clone() };
        if let Err(error) = ledger::verify_inclusion(&entry.commitment(), &proof, &tree.root) {
            let why = Evidence::Detail(error.to_string());
            self.find(Code::HistoryAltered, vec![self.place(at), why]);
        }
    }

    fn check_event(&mut self, at: usize, bytes: &[u8], signers: &mut Signers<'_>) -> Option<Event> {
        let signed = match SignedEvent::parse(bytes) {
            Ok(signed) => signed,
            Err(error) => {
                let why = Evidence::Detail(error.to_string());
                self.find(Code::HistoryAltered, vec![self.place(at), why]);
                return None;
            }
        };
        let event = signed.unverified();
        let fits = |certificate: &pki::Certificate| {
            let revoked = |(name, since): &(Sha256, UnixTime)| {
                *name == certificate.fingerprint() && event.at >= *since
            };
            certificate.organization().as_deref() == Some(event.reporter.as_str())
                && !self.statement.revoked_signers.iter().any(revoked)
        };
        match signers.find(signed.key_id(), event.at, super::verify::SIGNER_USAGES, fits) {
            Err(why) => {
                let why = Evidence::Detail(format!("signer of {}: {why}", event.reporter));
                let key = Evidence::Key(signed.key_id());
                self.find(Code::ReporterUntrusted, vec![self.place(at), key, why]);
            }
            Ok(key) => {
                if let Err(error) = signed.verify(key) {
                    let why = Evidence::Detail(error.to_string());
                    self.find(Code::HistoryAltered, vec![self.place(at), why]);
                }
            }
        }
        let device = self.statement.state.device();
        if event.device != device {
            let evidence = vec![self.place(at), Evidence::Device(event.device)];
            self.find(Code::HistoryForeign, evidence);
        }
        Some(event.clone())
    }

    /// Whether the events stand in the order of their sequence numbers, and none is missing.
    fn check_order(&mut self, opened: &[Opened]) {
        let erased = opened.iter().filter(|entry| !matches!(entry, Opened::Event(_))).count();
        let mut wrong = None;
        let mut sequences = BTreeSet::new();
        for (at, entry) in opened.iter().enumerate() {
            if let Opened::Event(event) = entry {
                sequences.insert(event.sequence);
                if event.sequence != at as u64 && wrong.is_none() {
                    wrong = Some((at, event.sequence));
                }
            }
        }
        let indices_ascend = self.places.is_sorted_by(|a, b| a.index < b.index);
        match wrong {
            Some((at, sequence)) => {
                // All there, yet elsewhere: reordered. A hole, a lost beginning: dropped.
                let all_there = erased == 0
                    && sequences.len() == opened.len()
                    && sequences.first() == Some(&0)
                    && sequences.last() == Some(&(opened.len() as u64 - 1));
                let code = if all_there { Code::HistoryAltered } else { Code::HistoryIncomplete };
                let count = Evidence::Count { found: sequence, expected: at as u64 };
                let why = if all_there { "events are reordered" } else { "events are missing" };
                self.find(code, vec![self.place(at), count, Evidence::Detail(why.into())]);
            }
            None if !indices_ascend => {
                let why = "leaf indices do not ascend with the events";
                self.find(Code::HistoryAltered, vec![Evidence::Detail(why.into())]);
            }
            None => {}
        }
    }

    /// Runs the state machine over the events.
    fn replay(&mut self, opened: &[Opened]) -> Option<State> {
        let erasures = erasures(opened);
        let mut state: Option<State> = None;
        // Inside a run of erased events nothing is known until its last one gives the state.
        let mut in_the_dark = false;
        for (at, entry) in opened.iter().enumerate() {
            match entry {
                Opened::Erased(after) => {
                    if !erasures.contains(&(at as u64)) {
                        let why = Evidence::Detail("erased without an event that says so".into());
                        self.find(Code::HistoryAltered, vec![self.place(at), why]);
                        return None;
                    }
                    in_the_dark = after.is_none();
                    if let Some(after) = after {
                        state = Some(self.resume(at, after)?);
                    }
                    let place = self.place(at);
                    self.find(Code::PayloadErased, vec![place]);
                }
                // Unreachable as long as unreadable events are findings.
                Opened::Unreadable => return None,
                Opened::Event(_) if in_the_dark => {
                    let why = Evidence::Detail("the state after erased events is missing".into());
                    self.find(Code::HistoryIncomplete, vec![self.place(at), why]);
                    return None;
                }
                Opened::Event(event) => state = Some(self.step(at, state.as_ref(), event)?),
            }
        }
        if state.is_none() {
            self.find(
                Code::HistoryIncomplete,
                vec![Evidence::Count { found: 0, expected: self.statement.state.events() }],
            );
        }
        state
    }

    fn step(&mut self, at: usize, state: Option<&State>, event: &Event) -> Option<State> {
        let commitment = self.places.get(at)?.commitment;
        let context = Context::new(self.now, self.statement.roles_of(&event.reporter));
        let next = match state {
            None => State::start(event, commitment, &context),
            Some(state) => state.apply(event, commitment, &context),
        };
        match next {
            Ok(next) => Some(next),
            Err(illegal) => {
                let code = match illegal.code {
                    IllegalMoveCode::WrongPrevious => Code::HistoryAltered,
                    IllegalMoveCode::NotBegun | IllegalMoveCode::WrongSequence => {
                        Code::HistoryIncomplete
                    }
                    IllegalMoveCode::OtherDevice => Code::HistoryForeign,
                    _ => Code::IllegalState,
                };
                let why = Evidence::Detail(illegal.to_string());
                self.find(code, vec![self.place(at), why]);
                None
            }
        }
    }

    /// Takes up the state after erased events, which the statement vouches for.
    fn resume(&mut self, at: usize, after: &[u8]) -> Option<State> {
        let commitment = self.places.get(at)?.commitment;
        let digest: Sha256 = crypto::sha256(after);
        let stated = self.statement.erased.contains(&(at as u64, digest));
        let state = State::decode(after).ok().filter(|state| {
            stated
                && state.sequence() == at as u64
                && state.head() == commitment
                && state.device() == self.statement.state.device()
        });
        if state.is_none() {
            let why = "the state after erased events is not the one stated";
            self.find(Code::HistoryAltered, vec![self.place(at), Evidence::Detail(why.into())]);
        }
        state
    }

    /// Whether the history is the whole one that the platform's statement is about.
    fn agrees(&mut self, state: &State) -> bool {
        let stated = &self.statement.state;
        if state == stated {
            return true;
        }
        let count = Evidence::Count { found: state.events(), expected: stated.events() };
        if state.events() < stated.events() {
            self.find(Code::HistoryIncomplete, vec![count]);
        } else if state.events() > stated.events() {
            self.find(Code::StatementContradicted, vec![count]);
        } else {
            let digests =
                Evidence::Digests { found: state_digest(state), expected: state_digest(stated) };
            self.find(Code::StatementContradicted, vec![digests]);
        }
        false
    }
}

/// Sequence numbers that events of erasure name.
fn erasures(opened: &[Opened]) -> BTreeSet<u64> {
    opened
        .iter()
        .filter_map(|entry| match entry {
            Opened::Event(event) => match &event.kind {
                EventKind::Erased { sequences } => Some(sequences.iter().copied()),
                _ => None,
            },
            Opened::Erased(_) | Opened::Unreadable => None,
        })
        .flatten()
        .collect()
}
