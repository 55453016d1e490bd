use crate::{
    state::{Life, assembled, chip, issued},
    support::{id, org},
};
use crypto::{KeyAlgorithm, Sha256, UnixTime};
use device::{
    Build, Cause, CertificateFact, Chain, CredentialProfile, EventKind, Evidence, History,
    JudgePolicy, Layer, Outcome, PartFact, Passport, Phase, ProofFact, ProofRefusal, Purpose,
    ReasonCode as Code, Revocation, Severity, StandingKind, Strength, judge,
};
use proptest::prelude::*;

const NOW: UnixTime = UnixTime(1_795_000_000);

fn certificate(byte: u8, profile: CredentialProfile, organisation: &str) -> CertificateFact {
    CertificateFact {
        profile: Some(profile),
        layer: if profile == CredentialProfile::Ldevid { Layer::Owner } else { Layer::Device },
        fingerprint: Sha256([byte; 32]),
        serial: vec![byte],
        key: Sha256([7; 32]),
        algorithm: KeyAlgorithm::EcdsaP256,
        not_before: UnixTime(0),
        not_after: UnixTime::NEVER,
        organisation: Some(org(organisation)),
        chain: Chain::Trusted,
        revocation: Revocation::Good { as_of: NOW },
    }
}

fn proven(counter: u64, highest: Option<u64>) -> ProofFact {
    ProofFact::Valid {
        key: Sha256([7; 32]),
        counter,
        highest,
        device_time: Some(NOW),
        received_at: NOW,
    }
}

fn passport(life: Life) -> Passport {
    let mut passport = Passport::new(id(1), History::Known(Box::new(life.state)), NOW);
    passport.certificates = vec![
        certificate(1, CredentialProfile::Idevid, "barrier"),
        certificate(2, CredentialProfile::Ldevid, "mamoru"),
    ];
    passport.proof = proven(5, Some(4));
    passport.parts = vec![PartFact {
        part: chip(9),
        status: Some((Phase::Installed, StandingKind::Good)),
        elsewhere: vec![],
    }];
    passport.presented_by = Some(org("mamoru"));
    passport
}

/// Judges the flawless passport after `spoil`, and expects exactly one reason.
fn check(code: Code, layer: Layer, spoil: impl Fn(&mut Passport)) {
    check_life(code, layer, Life::operating(), spoil);
}

fn check_life(code: Code, layer: Layer, life: Life, spoil: impl Fn(&mut Passport)) {
    let mut passport = passport(life);
    spoil(&mut passport);
    let verdict = judge(&passport, &JudgePolicy::default(), NOW);
    let codes: Vec<_> = verdict.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [code], "{:?}", verdict.reasons);
    assert_eq!(verdict.outcome, Outcome::from(code.severity()), "{code}");
    assert_eq!(verdict.reasons[0].layer, layer, "{code}");
    assert_eq!(verdict.of_layer(layer), verdict.outcome);
}

#[test]
fn a_flawless_device_is_genuine() {
    let passport = passport(Life::operating());
    for purpose in [Purpose::Inspect, Purpose::Operate] {
        let policy = JudgePolicy { purpose, possession_required: true, ..JudgePolicy::default() };
        let verdict = judge(&passport, &policy, NOW);
        assert_eq!((verdict.outcome, verdict.reasons.len()), (Outcome::Genuine, 0));
        assert_eq!(verdict.expires, NOW.plus(3600));
        assert!(verdict.is_fresh(NOW) && !verdict.is_fresh(NOW.plus(3600)));
    }
}

#[test]
fn each_flaw_has_its_own_reason() {
    let first = |p: &mut Passport| p.certificates[0].clone();
    check(Code::UnknownDevice, Layer::Device, |p| p.history = History::Unknown);
    check(Code::UnknownMaker, Layer::Device, |p| p.certificates[0].chain = Chain::UnknownIssuer);
    check(Code::ChainBroken, Layer::Device, |p| {
        p.certificates[0].chain = Chain::Broken("bad signature".into());
    });
    check(Code::Expired, Layer::Owner, |p| p.certificates[1].not_after = NOW.plus(-1));
    check(Code::NotYetValid, Layer::Owner, |p| p.certificates[1].not_before = NOW.plus(301));
    check(Code::Revoked, Layer::Owner, |p| {
        p.certificates[1].revocation = Revocation::Revoked { at: NOW.plus(-9) };
    });
    check(Code::Suspended, Layer::Owner, |p| {
        p.certificates[1].revocation = Revocation::Suspended { at: NOW.plus(-9) };
    });
    check(Code::RevocationUnknown, Layer::Owner, |p| {
        p.certificates[1].revocation = Revocation::Unknown;
    });
    check(Code::StaleEvidence, Layer::Owner, |p| {
        p.certificates[1].revocation = Revocation::Good { as_of: NOW.plus(-86_401) };
    });
    check(Code::CredentialUnlisted, Layer::Device, |p| {
        p.certificates[0].fingerprint = Sha256([0xee; 32]);
    });
    check(Code::WrongOwner, Layer::Owner, |p| p.presented_by = Some(org("hakobu")));
    check(Code::WrongOwner, Layer::Owner, |p| {
        p.certificates[1].organisation = Some(org("hakobu"));
    });
    // In distribution the distributor may ask; in operation it may not.
    let sold = Life::device()
        .then("barrier", issued(1, CredentialProfile::Idevid, "barrier"))
        .then("barrier", EventKind::Shipped { to: org("hakobu") })
        .then("hakobu", EventKind::Received { from: org("barrier") });
    let held_by = |who: &str| {
        let mut passport = passport(Life { state: sold.state.clone(), events: Vec::new() });
        passport.certificates.pop();
        passport.presented_by = Some(org(who));
        judge(&passport, &JudgePolicy::default(), NOW)
    };
    assert_eq!(held_by("hakobu").outcome, Outcome::Genuine);
    assert_eq!(held_by("barrier").outcome, Outcome::Genuine);
    assert!(held_by("kankyo").has(Code::WrongOwner));
    for (cause, code) in [
        (ProofRefusal::Silent, Code::NoPossession),
        (ProofRefusal::WrongKey, Code::NoPossession),
        (ProofRefusal::Late, Code::NoPossession),
        (ProofRefusal::Unreadable, Code::NoPossession),
        (ProofRefusal::Replayed, Code::Replayed),
    ] {
        check(code, Layer::Device, |p| p.proof = ProofFact::Refused { cause, key: None });
    }
    check(Code::NoPossession, Layer::Device, |p| {
        let other = Sha256([8; 32]);
        p.certificates = vec![CertificateFact { key: other, ..first(p) }];
    });
    check(Code::PossessionUnproven, Layer::Device, |p| p.proof = ProofFact::NotAsked);
    check(Code::KeyCopied, Layer::Device, |p| p.proof = proven(4, Some(4)));
    check(Code::KeyCopied, Layer::Device, |p| p.proof = proven(3, Some(4)));
    check(Code::ClockUntrusted, Layer::Device, |p| {
        let ProofFact::Valid { device_time, .. } = &mut p.proof else { panic!() };
        *device_time = Some(NOW.plus(-301));
    });
    check(Code::StaleEvidence, Layer::Device, |p| {
        let ProofFact::Valid { device_time, received_at, .. } = &mut p.proof else { panic!() };
        (*device_time, *received_at) = (None, NOW.plus(-86_401));
    });
    check(Code::StaleEvidence, Layer::Service, |p| p.as_of = NOW.plus(-86_401));
    check(Code::StaleEvidence, Layer::Service, |p| p.fresh_until = Some(NOW));
    check(Code::ClockUntrusted, Layer::Service, |p| p.as_of = NOW.plus(301));
    check(Code::PartDuplicated, Layer::Chip, |p| p.parts[0].elsewhere = vec![id(2)]);
    check(Code::PartDuplicated, Layer::Device, |p| p.hosts = vec![id(2), id(3)]);
    check(Code::PartUnknown, Layer::Chip, |p| p.parts[0].status = None);
    let status =
        |phase, standing| move |p: &mut Passport| p.parts[0].status = Some((phase, standing));
    check(Code::PartRevoked, Layer::Chip, status(Phase::Installed, StandingKind::Revoked));
    check(Code::PartSuspended, Layer::Chip, status(Phase::Installed, StandingKind::Suspended));
    check(Code::PartRetired, Layer::Chip, status(Phase::Disposed, StandingKind::Good));
}

#[test]
fn what_is_missing_never_passes() {
    // A history that cannot be used, and nothing that says why.
    check(Code::HistoryIncomplete, Layer::Device, |p| p.history = History::Unusable);
    // Another device's history.
    check(Code::HistoryForeign, Layer::Device, |p| p.device = id(2));
    // A part of the history of which the facts say nothing.
    check(Code::PartUnknown, Layer::Chip, |p| p.parts.clear());
    // A certificate of a person or service in the device's name, with its own key.
    let mut forged = passport(Life::operating());
    forged.certificates = vec![CertificateFact {
        profile: None,
        layer: Layer::Service,
        ..forged.certificates[0].clone()
    }];
    let verdict = judge(&forged, &JudgePolicy::default(), NOW);
    assert!(verdict.has(Code::NoPossession), "{:?}", verdict.reasons);
    assert_eq!(verdict.outcome, Outcome::Rejected);
    // A key of which nobody says what keeps it.
    let unstated = |key| {
        let EventKind::Assembled { kind, product, build, parts, .. } =
            assembled(Build::MassProduction)
        else {
            panic!()
        };
        let made = EventKind::Assembled { kind, product, build, parts, key, root_of_trust: None };
        let mut passport = passport(Life::begin(id(1), "barrier", made));
        passport.certificates.clear();
        passport.proof = ProofFact::NotAsked;
        passport.presented_by = None;
        judge(&passport, &JudgePolicy::default(), NOW)
    };
    assert!(unstated(Some(Sha256([7; 32]))).has(Code::WeakRootOfTrust));
    assert_eq!(unstated(None).outcome, Outcome::Genuine);
}

#[test]
fn what_the_history_says_is_heard() {
    let operating = Life::operating;
    let none = |_: &mut Passport| {};
    let suspended = operating().then("mamoru", EventKind::Suspended { cause: Cause::Lost });
    check_life(Code::Suspended, Layer::Device, suspended, none);
    let revoked = operating().then("barrier", EventKind::Revoked { cause: Cause::Counterfeit });
    check_life(Code::Revoked, Layer::Device, revoked, none);
    let retired = || operating().then("mamoru", EventKind::Retired { cause: Cause::EndOfLife });
    check_life(Code::RetiredReappeared, Layer::Device, retired(), none);
    let quiet = |p: &mut Passport| {
        p.proof = ProofFact::NotAsked;
        p.certificates.clear();
    };
    let verdict = |life: Life| {
        let mut passport = passport(life);
        quiet(&mut passport);
        judge(&passport, &JudgePolicy::default(), NOW)
    };
    let main = |life: Life| verdict(life).main_reason().unwrap().code;
    assert_eq!(main(retired()), Code::Retired);
    let disposed = || retired().then("mamoru", EventKind::Disposed { erasure_proof: None });
    assert_eq!(main(disposed()), Code::Disposed);
    check_life(Code::DisposedReappeared, Layer::Device, disposed(), none);
    let alarmed = disposed().then("tegata", EventKind::Reappeared { key: None });
    assert_eq!(main(alarmed), Code::DisposedReappeared);
    let copied = EventKind::ProofRefused {
        reason: Code::KeyCopied,
        key: Some(Sha256([7; 32])),
        counters: Some((5, 4)),
    };
    check_life(Code::KeyCopied, Layer::Device, operating().then("tegata", copied.clone()), none);
    // The fork is about a key: with another key it is history.
    let fresh = operating().then("tegata", copied);
    let mut passport = passport(fresh);
    for certificate in &mut passport.certificates {
        certificate.key = Sha256([8; 32]);
    }
    passport.proof = ProofFact::NotAsked;
    assert_eq!(judge(&passport, &JudgePolicy::default(), NOW).outcome, Outcome::Genuine);
    let twin = EventKind::PartSeenElsewhere { part: id(9), other: id(2) };
    check_life(Code::PartDuplicated, Layer::Board, operating().then("tegata", twin), |p| {
        p.parts[0].elsewhere = vec![id(2)];
    });
    let offered = operating().then("mamoru", EventKind::TransferOffered { to: org("hakobu") });
    check_life(Code::TransferPending, Layer::Owner, offered, none);
}

#[test]
fn policy_asks_for_more_never_for_less() {
    let judged = |life: Life, policy: &JudgePolicy, spoil: &dyn Fn(&mut Passport)| {
        let mut passport = passport(life);
        spoil(&mut passport);
        judge(&passport, policy, NOW)
    };
    let none = |_: &mut Passport| {};
    let strict = JudgePolicy {
        root_of_trust_min: Strength::ProtectedChip,
        strength_bits_min: 128,
        possession_required: true,
        purpose: Purpose::Operate,
        raised: vec![(Code::PartDuplicated, Severity::Reject)],
        ..JudgePolicy::default()
    };
    assert_eq!(judged(Life::operating(), &strict, &none).outcome, Outcome::Genuine);
    let silent = judged(Life::operating(), &strict, &|p| p.proof = ProofFact::NotAsked);
    assert_eq!(silent.outcome, Outcome::Rejected);
    let twin = judged(Life::operating(), &strict, &|p| p.parts[0].elsewhere = vec![id(2)]);
    assert_eq!(twin.outcome, Outcome::Rejected);
    let rsa = judged(Life::operating(), &strict, &|p| {
        p.certificates[0].algorithm = KeyAlgorithm::Rsa(2048);
    });
    assert!(rsa.has(Code::WeakAlgorithm) && rsa.outcome == Outcome::Suspect);
    let weak = judged(Life::operating(), &JudgePolicy::default(), &|p| {
        p.certificates[0].chain = Chain::Weak("SHA-1".into());
    });
    assert!(weak.has(Code::WeakAlgorithm) && weak.outcome == Outcome::Rejected);
    let idle = Life::device().then("barrier", issued(1, CredentialProfile::Idevid, "barrier"));
    let idle = judged(idle, &strict, &|p| {
        p.presented_by = None;
        p.certificates.pop();
    });
    assert_eq!(idle.main_reason().unwrap().code, Code::IllegalState);
    assert!(matches!(idle.reasons[0].evidence[0], Evidence::Event { sequence: 0, .. }));
    // Lowering has no effect.
    let lax =
        JudgePolicy { raised: vec![(Code::Revoked, Severity::Note)], ..JudgePolicy::default() };
    let revoked =
        Life::operating().then("barrier", EventKind::Revoked { cause: Cause::Counterfeit });
    assert_eq!(judged(revoked, &lax, &none).outcome, Outcome::Rejected);
    // Prototypes and software keys.
    let EventKind::Assembled { kind, product, key, parts, .. } = assembled(Build::Prototype) else {
        panic!()
    };
    let soft = EventKind::Assembled {
        kind,
        build: Build::Prototype,
        product,
        root_of_trust: Some(device::RootOfTrust::Software),
        key,
        parts,
    };
    let soft = Life::begin(id(1), "barrier", soft)
        .then("barrier", EventKind::Onboarded { owner: org("barrier") });
    let soft = judged(soft, &JudgePolicy::default(), &|p| {
        p.presented_by = None;
        p.certificates.clear();
        p.proof = ProofFact::NotAsked;
    });
    assert!(soft.has(Code::Prototype) && soft.has(Code::WeakRootOfTrust));
    assert_eq!(soft.outcome, Outcome::Suspect);
}

#[test]
fn a_verdict_ends_with_its_evidence() {
    let mut passport = passport(Life::operating());
    passport.certificates[1].not_after = NOW.plus(100);
    assert_eq!(judge(&passport, &JudgePolicy::default(), NOW).expires, NOW.plus(100));
    passport.fresh_until = Some(NOW.plus(50));
    assert_eq!(judge(&passport, &JudgePolicy::default(), NOW).expires, NOW.plus(50));
    passport.as_of = NOW.plus(-86_390);
    assert_eq!(judge(&passport, &JudgePolicy::default(), NOW).expires, NOW.plus(10));
}

proptest! {
    #[test]
    fn raising_never_betters_a_verdict(
        codes in proptest::collection::vec(proptest::sample::select(Code::ALL), 0..6),
        raised in proptest::collection::vec(
            (proptest::sample::select(Code::ALL), proptest::sample::select(Severity::ALL)), 0..6),
        later in 0i64..200_000,
    ) {
        let mut passport = passport(Life::operating());
        passport.findings =
            codes.iter().map(|code| device::Reason::new(*code, Layer::Device, vec![])).collect();
        let plain = judge(&passport, &JudgePolicy::default(), NOW);
        let policy = JudgePolicy { raised, ..JudgePolicy::default() };
        let strict = judge(&passport, &policy, NOW);
        prop_assert!(strict.outcome >= plain.outcome);
        for code in codes {
            prop_assert!(Outcome::from(code.severity()) <= plain.outcome && plain.has(code));
        }
        // Time alone never betters it either.
        prop_assert!(judge(&passport, &policy, NOW.plus(later)).outcome >= strict.outcome);
        prop_assert!(plain.expires >= plain.judged_at);
    }
}

#[test]
fn what_runs_is_judged_by_what_its_maker_has_published() {
    let release = |counter, security| device::NamedRelease {
        version: format!("{counter}.0"),
        release_counter: counter,
        security_version: security,
    };
    let told = |life: Life, result, counter, security| {
        let kind = EventKind::Updated {
            result,
            release: release(counter, security),
            campaign: Some([4; 16]),
            reason: None,
        };
        life.then("mamoru", kind)
    };
    use device::UpdateResult as R;
    let newest = |counter, security, floor| {
        Some(device::ReleaseFact { newest: release(counter, security), security_floor: floor })
    };
    let codes = |life: Life, fact| {
        let mut passport = passport(life);
        passport.newest_release = fact;
        let verdict = judge(&passport, &JudgePolicy::default(), NOW);
        verdict.reasons.iter().map(|reason| (reason.code, reason.layer)).collect::<Vec<_>>()
    };
    let nothing = Vec::<(Code, Layer)>::new();
    let current = || told(Life::operating(), R::Installed, 5, 2);
    assert_eq!(codes(current(), None), nothing);
    assert_eq!(codes(current(), newest(5, 2, 2)), nothing);
    // Nothing is said of a device that no update told of.
    assert_eq!(codes(Life::operating(), newest(5, 2, 2)), nothing);
    assert_eq!(codes(current(), newest(6, 2, 2)), [(Code::SoftwareOutdated, Layer::Firmware)]);
    assert_eq!(codes(current(), newest(6, 3, 3)), [(Code::BelowSecurityFloor, Layer::Firmware)]);
    let failed = || told(current(), R::Failed, 6, 3);
    assert_eq!(codes(failed(), newest(5, 2, 2)), [(Code::UpdateFailed, Layer::Firmware)]);
    assert_eq!(codes(told(failed(), R::Installed, 6, 3), newest(6, 3, 3)), nothing);
    let back = told(told(current(), R::Installed, 6, 2), R::Regressed, 5, 2);
    assert_eq!(
        codes(back, newest(6, 2, 2)),
        [(Code::SoftwareOutdated, Layer::Firmware), (Code::UpdateFailed, Layer::Firmware)]
    );
    // Neither a stranger nor the platform by itself says what came of an update.
    let life = Life::operating();
    for who in ["kaiin", "tegata"] {
        let kind = EventKind::Updated {
            result: R::Installed,
            release: release(1, 1),
            campaign: None,
            reason: None,
        };
        life.refuses(who, kind, device::IllegalMoveCode::NotEntitled);
    }
}
