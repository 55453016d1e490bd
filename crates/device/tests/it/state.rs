use crate::support::{beginnings, continuations, id, org, organisations, product, roles};
use crypto::{Sha256, UnixTime};
use device::{
    Build, Cause, Context, Credential, CredentialProfile, DeviceId, DeviceKind, Event, EventKind,
    IllegalMoveCode as Code, Kind, Language, Part, Phase, ReasonCode, RootOfTrust, Standing,
    StandingKind, State,
};
use ledger::Commitment;
use proptest::prelude::*;

const NOW: UnixTime = UnixTime(5_000);

/// A history under construction: sequence numbers and commitments are filled in.
pub(crate) struct Life {
    pub(crate) state: State,
    pub(crate) events: Vec<Event>,
}

pub(crate) fn commitment(event: &Event) -> Commitment {
    ledger::commit(&[1; 32], &event.encode())
}

fn event(device: DeviceId, reporter: &str, kind: EventKind, before: Option<&State>) -> Event {
    Event {
        device,
        sequence: before.map_or(0, State::events),
        previous: before.map(State::head),
        kind,
        at: UnixTime(1_000),
        reporter: org(reporter),
        actor: None,
        place: None,
        evidence: Vec::new(),
        on_behalf: None,
        reason: None,
    }
}

fn context(event: &Event) -> Context {
    Context::new(NOW, roles(&event.reporter))
}

impl Life {
    pub(crate) fn begin(device: DeviceId, reporter: &str, kind: EventKind) -> Self {
        let event = event(device, reporter, kind, None);
        let state = State::start(&event, commitment(&event), &context(&event)).unwrap();
        Self { state, events: vec![event] }
    }

    /// A mass-produced device of `barrier` with the chip 9.
    pub(crate) fn device() -> Self {
        Self::begin(id(1), "barrier", assembled(Build::MassProduction))
    }

    pub(crate) fn then(mut self, reporter: &str, kind: EventKind) -> Self {
        let event = self.next(reporter, kind);
        self.state = self
            .state
            .apply(&event, commitment(&event), &context(&event))
            .unwrap_or_else(|refusal| panic!("{refusal}"));
        self.events.push(event);
        self
    }

    fn next(&self, reporter: &str, kind: EventKind) -> Event {
        event(self.state.device(), reporter, kind, Some(&self.state))
    }

    pub(crate) fn refuses(&self, reporter: &str, kind: EventKind, code: Code) {
        self.refuses_event(&self.next(reporter, kind), code);
    }

    fn refuses_event(&self, event: &Event, code: Code) {
        let refusal = self.state.apply(event, commitment(event), &context(event)).unwrap_err();
        assert_eq!(refusal.code, code, "{refusal}");
        assert!(refusal.explain(Language::En).contains(code.text().en));
        assert!(refusal.explain(Language::Ja).contains(code.text().ja));
    }

    /// Sold to mamoru and shipped there, in use.
    pub(crate) fn operating() -> Self {
        Self::device()
            .then("barrier", issued(1, CredentialProfile::Idevid, "barrier"))
            .then("barrier", EventKind::TransferOffered { to: org("mamoru") })
            .then("mamoru", EventKind::TransferAccepted { from: org("barrier") })
            .then("barrier", EventKind::Shipped { to: org("hakobu") })
            .then("hakobu", EventKind::Received { from: org("barrier") })
            .then("hakobu", EventKind::Shipped { to: org("mamoru") })
            .then("mamoru", EventKind::Received { from: org("hakobu") })
            .then("mamoru", EventKind::Onboarded { owner: org("mamoru") })
            .then("tegata", issued(2, CredentialProfile::Ldevid, "mamoru"))
            .then("mamoru", EventKind::OperationStarted)
    }
}

pub(crate) fn assembled(build: Build) -> EventKind {
    EventKind::Assembled {
        kind: DeviceKind::Device,
        build,
        product: product("gate-7"),
        root_of_trust: Some(RootOfTrust::Tpm),
        key: Some(Sha256([7; 32])),
        parts: vec![chip(9)],
    }
}

pub(crate) fn chip(byte: u8) -> Part {
    Part { device: id(byte), kind: DeviceKind::Chip }
}

pub(crate) fn issued(byte: u8, profile: CredentialProfile, organisation: &str) -> EventKind {
    EventKind::CredentialIssued(Credential {
        certificate: Sha256([byte; 32]),
        key: Sha256([7; 32]),
        profile,
        organisation: org(organisation),
        not_after: UnixTime::NEVER,
    })
}

#[test]
fn a_life_from_the_factory_to_disposal() {
    let life = Life::operating();
    let state = &life.state;
    assert_eq!(state.phase(), Phase::Operation);
    assert_eq!((state.maker().as_str(), state.owner().as_str()), ("barrier", "mamoru"));
    assert_eq!(state.holder().as_str(), "mamoru");
    assert_eq!(state.credentials().len(), 2);
    assert_eq!((state.events(), state.phase_since()), (11, 10));

    let before = state.clone();
    let life = life.then("mamoru", EventKind::TransferOffered { to: org("hakobu") });
    assert_eq!(life.state.phase(), Phase::Operation, "works on while the offer is open");
    let life = life.then("hakobu", EventKind::TransferAccepted { from: org("mamoru") });
    let ended = before.ended_by(&life.state);
    assert_eq!(ended.former_owner, Some(org("mamoru")));
    assert_eq!(ended.credentials.len(), 1);
    assert_eq!(ended.credentials[0].profile, CredentialProfile::Ldevid);
    assert_eq!(life.state.phase(), Phase::Distribution);
    assert_eq!(life.state.holder().as_str(), "hakobu", "sold where it stands");
    life.refuses("mamoru", EventKind::Retired { cause: Cause::EndOfUse }, Code::NotEntitled);

    let life = life
        .then("hakobu", EventKind::Onboarded { owner: org("hakobu") })
        .then("hakobu", EventKind::OperationStarted)
        .then(
            "hakobu",
            EventKind::RepairStarted { repairer: org("kairo"), fault: Some("gate stuck".into()) },
        )
        .then("hakobu", EventKind::Shipped { to: org("kairo") })
        .then("kairo", EventKind::Received { from: org("hakobu") })
        .then("kairo", EventKind::PartExchanged { old: id(9), new: chip(8) });
    assert_eq!(life.state.parts(), [chip(8)]);
    let life = life.then("kairo", EventKind::Shipped { to: org("hakobu") });
    life.refuses("kairo", EventKind::RepairFinished, Code::InTransit);
    let life = life
        .then("hakobu", EventKind::Received { from: org("kairo") })
        .then("hakobu", EventKind::RepairFinished);
    assert_eq!(life.state.phase(), Phase::Operation, "resumes where it was");

    let life = life
        .then("hakobu", EventKind::Retired { cause: Cause::EndOfLife })
        .then("hakobu", EventKind::Shipped { to: org("kankyo") })
        .then("kankyo", EventKind::Received { from: org("hakobu") });
    life.refuses("mamoru", EventKind::Disposed { erasure_proof: None }, Code::NotEntitled);
    let before = life.state.clone();
    let life = life.then("kankyo", EventKind::Disposed { erasure_proof: None });
    assert_eq!(before.ended_by(&life.state).credentials.len(), 1, "the IDevID ends");
    life.refuses("kankyo", EventKind::Tested { passed: true, standard: None }, Code::HistoryClosed);
    let life = life.then("tegata", EventKind::Reappeared { key: None });
    assert_eq!(life.state.alarms().reappeared, Some(life.state.sequence()));
}

#[test]
fn a_chip_is_installed_and_taken_out() {
    let made = EventKind::ChipMade {
        build: Build::MassProduction,
        product: None,
        root_of_trust: RootOfTrust::Puf,
        key: Sha256([3; 32]),
    };
    let life =
        Life::begin(id(9), "kairo", made).then("kairo", EventKind::Shipped { to: org("barrier") });
    life.refuses("barrier", EventKind::InstalledInto { host: id(1) }, Code::NotEntitled);
    let life = life.then("barrier", EventKind::Received { from: org("kairo") });
    life.refuses("barrier", EventKind::InstalledInto { host: id(9) }, Code::OwnPart);
    let life = life.then("barrier", EventKind::InstalledInto { host: id(1) });
    assert_eq!(life.state.installed_in(), Some(id(1)));
    let out = |host| EventKind::RemovedFrom { host, holder: org("hakobu") };
    life.refuses("tegata", out(id(2)), Code::OtherHost);
    let life = life.then("tegata", out(id(1)));
    assert_eq!((life.state.phase(), life.state.installed_in()), (Phase::Distribution, None));
    assert_eq!(life.state.holder().as_str(), "hakobu");
}

#[test]
fn every_refusal_has_a_case() {
    use EventKind as E;
    let made = Life::device();
    let next = |life: &Life, change: &dyn Fn(&mut Event), code| {
        let mut event = life.next("barrier", E::Tested { passed: true, standard: None });
        change(&mut event);
        life.refuses_event(&event, code);
    };
    next(&made, &|event| event.device = id(2), Code::OtherDevice);
    next(&made, &|event| event.sequence = 2, Code::WrongSequence);
    next(&made, &|event| event.sequence = 0, Code::WrongSequence);
    next(&made, &|event| event.previous = None, Code::WrongPrevious);
    next(&made, &|event| event.previous = Some(Commitment(Sha256([0; 32]))), Code::WrongPrevious);
    next(&made, &|event| event.at = UnixTime(1_000 - 301), Code::TimeRunsBack);
    next(&made, &|event| event.at = NOW.plus(301), Code::TimeInFuture);
    made.refuses("barrier", assembled(Build::Prototype), Code::AlreadyBegun);
    made.refuses("hakobu", E::Shipped { to: org("mamoru") }, Code::NotEntitled);
    made.refuses("barrier", E::Shipped { to: org("barrier") }, Code::ToItself);
    made.refuses("barrier", E::OperationStarted, Code::PhaseForbids);
    made.refuses("mamoru", E::Received { from: org("barrier") }, Code::NotInTransit);
    made.refuses("mamoru", E::TransferAccepted { from: org("barrier") }, Code::NoTransferPending);
    made.refuses("barrier", E::TransferCancelled, Code::NoTransferPending);
    made.refuses("barrier", E::TransferOffered { to: org("barrier") }, Code::ToItself);
    made.refuses("barrier", E::PartInstalled { part: chip(9) }, Code::PartPresent);
    made.refuses("barrier", E::PartInstalled { part: chip(1) }, Code::OwnPart);
    made.refuses("barrier", E::PartRemoved { part: id(8) }, Code::PartAbsent);
    made.refuses(
        "barrier",
        issued(1, CredentialProfile::Ldevid, "mamoru"),
        Code::OtherOrganisation,
    );
    made.refuses(
        "tegata",
        E::CredentialRevoked { certificate: Sha256([9; 32]), cause: Cause::Superseded },
        Code::CredentialAbsent,
    );
    made.refuses("tegata", E::Erased { sequences: vec![0, 1] }, Code::NoSuchEvent);
    made.refuses("tegata", E::PartSeenElsewhere { part: id(3), other: id(4) }, Code::PartAbsent);
    made.refuses("barrier", E::Released, Code::StandingForbids);

    let sent = Life::device().then("barrier", E::Shipped { to: org("mamoru") });
    sent.refuses("barrier", E::Onboarded { owner: org("barrier") }, Code::InTransit);
    sent.refuses("barrier", E::Shipped { to: org("mamoru") }, Code::InTransit);
    sent.refuses("mamoru", E::Received { from: org("hakobu") }, Code::OtherOrganisation);

    // Sent on by who sent it: the first addressee has no part in it any more.
    let sent_on = sent.then("barrier", E::Shipped { to: org("hakobu") });
    sent_on.refuses("mamoru", E::Received { from: org("barrier") }, Code::NotEntitled);
    sent_on.refuses("mamoru", E::Shipped { to: org("mamoru") }, Code::NotEntitled);
    // Called back.
    let back = sent_on
        .then("barrier", E::Shipped { to: org("barrier") })
        .then("barrier", E::Received { from: org("barrier") })
        .then("barrier", E::Onboarded { owner: org("barrier") });
    assert_eq!(back.state.holder(), &org("barrier"));

    let offered = Life::device().then("barrier", E::TransferOffered { to: org("mamoru") });
    offered.refuses("barrier", E::TransferOffered { to: org("hakobu") }, Code::TransferPending);
    offered.refuses("hakobu", E::TransferAccepted { from: org("barrier") }, Code::NotEntitled);
    offered.refuses("mamoru", E::TransferAccepted { from: org("kairo") }, Code::OtherOrganisation);
    offered.refuses("barrier", E::Onboarded { owner: org("mamoru") }, Code::OtherOrganisation);

    let certified = Life::device().then("barrier", issued(1, CredentialProfile::Idevid, "barrier"));
    certified.refuses(
        "tegata",
        issued(1, CredentialProfile::Idevid, "barrier"),
        Code::CredentialPresent,
    );
    let suspended = Life::operating().then("shuri", E::Suspended { cause: Cause::Order });
    suspended.refuses("mamoru", E::Released, Code::NotEntitled);
    suspended.refuses("mamoru", E::Suspended { cause: Cause::Lost }, Code::StandingForbids);
    suspended.refuses("mamoru", E::TransferOffered { to: org("hakobu") }, Code::StandingForbids);
    let full = (10..74).fold(Life::device(), |life, byte| {
        life.then("barrier", issued(byte, CredentialProfile::Idevid, "barrier"))
    });
    full.refuses(
        "barrier",
        issued(99, CredentialProfile::Idevid, "barrier"),
        Code::TooManyCredentials,
    );
    let crowded = (0..511u32).fold(Life::device(), |life, number| {
        let mut bytes = [0xee; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let part = Part { device: DeviceId::from_bytes(bytes), kind: DeviceKind::Chip };
        life.then("barrier", E::PartInstalled { part })
    });
    crowded.refuses("barrier", E::PartInstalled { part: chip(8) }, Code::TooManyParts);
}

#[test]
fn only_makers_begin_and_only_with_making() {
    let refused = |reporter: &str, kind: EventKind, code| {
        let event = event(id(1), reporter, kind, None);
        let refusal = State::start(&event, commitment(&event), &context(&event)).unwrap_err();
        assert_eq!(refusal.code, code);
    };
    refused("hakobu", assembled(Build::Prototype), Code::NotEntitled);
    refused("barrier", EventKind::OperationStarted, Code::NotBegun);
    let own = EventKind::Assembled {
        kind: DeviceKind::Board,
        build: Build::Prototype,
        product: product("gate-7"),
        root_of_trust: None,
        key: None,
        parts: vec![chip(1)],
    };
    refused("barrier", own, Code::OwnPart);
}

#[test]
fn suspension_release_and_revocation() {
    let life = Life::operating().then("mamoru", EventKind::Suspended { cause: Cause::Lost });
    assert_eq!(life.state.standing().kind(), StandingKind::Suspended);
    assert_eq!(life.state.credentials().len(), 2, "suspension ends nothing");
    let life = life.then("mamoru", EventKind::Released);
    assert_eq!(life.state.standing(), &Standing::Good);
    let before = life.state.clone();
    let life = life.then("barrier", EventKind::Revoked { cause: Cause::Counterfeit });
    assert_eq!(before.ended_by(&life.state).credentials.len(), 2);
    life.refuses("shuri", EventKind::Released, Code::StandingForbids);
    life.refuses("tegata", issued(5, CredentialProfile::Ldevid, "mamoru"), Code::StandingForbids);
}

#[test]
fn alarms_are_remembered_once() {
    let copied = || EventKind::ProofRefused {
        reason: ReasonCode::KeyCopied,
        key: Some(Sha256([7; 32])),
        counters: Some((5, 4)),
    };
    let twin = || EventKind::PartSeenElsewhere { part: id(9), other: id(2) };
    let life = Life::operating()
        .then("tegata", copied())
        .then("tegata", copied())
        .then("tegata", twin())
        .then("tegata", twin());
    assert_eq!(life.state.alarms().copied_keys, [(Sha256([7; 32]), 11)]);
    assert_eq!(life.state.alarms().duplicated_parts, [(id(9), id(2), 13)]);
    let life = life
        .then("mamoru", EventKind::RepairStarted { repairer: org("mamoru"), fault: None })
        .then("mamoru", EventKind::PartExchanged { old: id(9), new: chip(8) });
    assert!(life.state.alarms().duplicated_parts.is_empty(), "the twin is gone");
}

#[test]
fn expired_credentials_leave_the_list() {
    let mut life = Life::device();
    let EventKind::CredentialIssued(mut credential) =
        issued(1, CredentialProfile::Idevid, "barrier")
    else {
        panic!()
    };
    credential.not_after = UnixTime(1_500);
    life = life.then("barrier", EventKind::CredentialIssued(credential));
    let mut event = life.next("barrier", EventKind::Tested { passed: true, standard: None });
    event.at = UnixTime(1_501);
    let next = life.state.apply(&event, commitment(&event), &context(&event)).unwrap();
    assert!(next.credentials().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_reaches_the_impossible(
        first in beginnings(),
        maker in proptest::sample::select(&["kairo", "barrier"][..]),
        attempts in proptest::collection::vec((continuations(), organisations(), 0i64..600), 1..250),
    ) {
        let first = event(id(1), maker, first, None);
        let Ok(mut state) = State::start(&first, commitment(&first), &context(&first)) else {
            return Ok(());
        };
        let mut history = vec![first];
        for (kind, reporter, seconds) in attempts {
            let mut event = event(id(1), reporter.as_str(), kind, Some(&state));
            event.at = state.last_at().plus(seconds - 300).min(NOW);
            let Ok(next) = state.apply(&event, commitment(&event), &context(&event)) else {
                continue;
            };
            let rule = device::state::rule(event.kind.kind());
            prop_assert!(rule.phases.contains(&state.phase()));
            prop_assert!(rule.standings.contains(&state.standing().kind()));
            prop_assert_eq!(next.sequence(), state.sequence() + 1);
            prop_assert!(next.last_at() >= state.last_at());
            // The encoding refuses every combination that no history adds up to.
            prop_assert_eq!(State::decode(&next.encode()), Ok(next.clone()));
            if next.owner() != state.owner() {
                prop_assert_eq!(event.kind.kind(), Kind::TransferAccepted);
                prop_assert_eq!(state.pending_transfer(), Some(&event.reporter));
                prop_assert!(next.credentials().iter().all(|c| c.profile != CredentialProfile::Ldevid));
                prop_assert_eq!(state.ended_by(&next).former_owner, Some(state.owner().clone()));
            }
            if state.phase() == Phase::Disposed {
                prop_assert_eq!(next.phase(), Phase::Disposed);
            }
            if state.phase() == Phase::Retired {
                prop_assert!(matches!(next.phase(), Phase::Retired | Phase::Disposed));
            }
            if state.standing().kind() == StandingKind::Revoked {
                prop_assert_eq!(next.standing(), state.standing());
            }
            prop_assert_eq!(next.maker(), state.maker());
            history.push(event);
            state = next;
        }
        // What is kept adds up to the same state, from bytes.
        let mut again: Option<State> = None;
        for bytes in history.iter().map(Event::encode) {
            let event = Event::decode(&bytes).unwrap();
            let (commitment, context) = (commitment(&event), context(&event));
            again = Some(match again {
                None => State::start(&event, commitment, &context).unwrap(),
                Some(state) => state.apply(&event, commitment, &context).unwrap(),
            });
        }
        prop_assert_eq!(again, Some(state));
    }

    #[test]
    fn altered_states_are_read_as_what_they_are_or_not_at_all(at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let state = Life::operating().state;
        let mut bytes = state.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = State::decode(&bytes) {
            prop_assert_ne!(&read, &state);
            prop_assert_eq!(read.encode(), bytes);
        }
    }
}
