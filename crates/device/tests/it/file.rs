use crate::{
    support::{devices, id, key, org, organisations},
    world::{Ca, DAWN, NOW, World, challenge, cosigned, log, revoked},
};
use crypto::UnixTime;
use device::{
    Cause, Challenge, DeviceId, EventKind, Layer, Outcome, PassportFile, Proof, Purpose,
    ReasonCode as Code, Revocation, SignedProof, Statement, Verdict, VerifyOptions,
    file::{EventContents, EventEntry, FileError},
    judge,
};
use ledger::{SignedCheckpoint, witness::Witness};
use pki::{
    Certificate, Crl, Profile,
    crl::{CrlRequest, RevocationReason, RevokedEntry},
};
use proptest::prelude::*;
use std::sync::Arc;

fn verify(world: &World, file: &PassportFile) -> Verdict {
    // What is checked is what a stranger reads.
    let file = PassportFile::parse(&file.encode()).unwrap();
    file.verify(&world.anchors, &VerifyOptions::default(), NOW)
}

fn codes(verdict: &Verdict) -> Vec<Code> {
    let mut codes: Vec<_> = verdict.reasons.iter().map(|reason| reason.code).collect();
    codes.dedup();
    codes
}

/// What a forger has at hand: every part of a flawless file.
struct Parts {
    statement: Statement,
    entries: Vec<EventEntry>,
    checkpoint: SignedCheckpoint,
    certificates: Vec<Certificate>,
}

fn parts(world: &World) -> Parts {
    let checkpoint = world.checkpoint();
    Parts {
        statement: world.statement(&checkpoint),
        entries: world.entries(),
        checkpoint,
        certificates: world.certificates(),
    }
}

/// Spoils a flawless file and expects `wanted`, no more and no less.
fn check(wanted: &[Code], spoil: impl FnOnce(&mut World, &mut Parts)) {
    let mut world = World::new();
    let mut parts = parts(&world);
    spoil(&mut world, &mut parts);
    let Parts { statement, entries, checkpoint, certificates } = parts;
    let file = world.assemble(&statement, entries, checkpoint, certificates);
    let verdict = verify(&world, &file);
    assert_eq!(codes(&verdict), wanted, "{:#?}", verdict.reasons);
    assert_eq!(verdict.outcome, wanted[0].severity().into());
}

#[test]
fn a_flawless_file_is_genuine() {
    let world = World::new();
    let file = world.file();
    let verdict = verify(&world, &file);
    assert_eq!((verdict.outcome, codes(&verdict)), (Outcome::Genuine, vec![]));
    assert_eq!(verdict.device, id(1));
    assert_eq!(file.readable_events().count(), 9);
    let options = VerifyOptions {
        policy: device::JudgePolicy {
            purpose: Purpose::Operate,
            possession_required: true,
            ..Default::default()
        },
        device: Some(id(1)),
        presented_by: Some(org("mamoru")),
        ..Default::default()
    };
    assert_eq!(file.verify(&world.anchors, &options, NOW).outcome, Outcome::Genuine);
    let facts = file.facts(&world.anchors, &options, NOW);
    assert_eq!(facts.state(), Some(&world.state));
    assert_eq!(facts.events[8].index, 17);
    assert_eq!(judge(&facts, &options.policy, NOW).outcome, Outcome::Genuine);
}

#[test]
fn dropped_events_are_missed() {
    check(&[Code::HistoryIncomplete], |_, parts| {
        parts.entries.remove(3);
    });
    check(&[Code::HistoryIncomplete], |_, parts| {
        parts.entries.remove(0);
    });
    check(&[Code::HistoryIncomplete], |_, parts| {
        parts.entries.pop();
    });
    check(&[Code::HistoryIncomplete], |_, parts| parts.entries.clear());
}

#[test]
fn a_tail_dropped_together_with_its_statement_is_stale_at_last() {
    // An older file is a true one of its time. It does not stay fresh.
    let mut world = World::new();
    let old = world.file();
    world.then("barrier", revoked());
    assert_eq!(verify(&world, &old).outcome, Outcome::Genuine);
    let later = NOW.plus(86_401);
    let verdict = old.verify(&world.anchors, &VerifyOptions::default(), later);
    assert_eq!(codes(&verdict), [Code::StaleEvidence]);
    assert_eq!(
        codes(&verify(&world, &world.file())),
        [Code::Revoked, Code::CredentialUnlisted][..1]
    );
}

#[test]
fn reordered_and_altered_events_are_noticed() {
    check(&[Code::HistoryAltered], |_, parts| parts.entries.swap(3, 4));
    check(&[Code::HistoryAltered], |_, parts| {
        let again = parts.entries[3].clone();
        parts.entries.splice(3..4, [again]);
        let EventContents::Present { bytes, .. } = &mut parts.entries[3].contents else { panic!() };
        *bytes.last_mut().unwrap() ^= 1;
    });
    check(&[Code::HistoryAltered], |_, parts| {
        let EventContents::Present { salt, .. } = &mut parts.entries[3].contents else { panic!() };
        salt[0] ^= 1;
    });
    check(&[Code::HistoryAltered], |_, parts| parts.entries[3].proof[0].0[0] ^= 1);
    check(&[Code::HistoryAltered], |_, parts| parts.entries[3].index += 1);
    // Signed anew by the rightful reporter, and not in the log: history rewritten afterwards.
    check(&[Code::HistoryAltered], |world, parts| {
        let mut event =
            device::SignedEvent::parse(&world.events[2].0).unwrap().unverified().clone();
        event.kind = EventKind::TransferOffered { to: org("hakobu") };
        let bytes = world.sign(&event);
        let EventContents::Present { bytes: old, .. } = &mut parts.entries[2].contents else {
            panic!()
        };
        *old = bytes;
    });
    // Not an event at all.
    check(&[Code::HistoryAltered], |_, parts| {
        let EventContents::Present { bytes, .. } = &mut parts.entries[2].contents else { panic!() };
        bytes.truncate(40);
    });
    // Repeated.
    check(&[Code::HistoryIncomplete], |_, parts| {
        let again = parts.entries[3].clone();
        parts.entries.insert(3, again);
    });
}

#[test]
fn what_belongs_to_another_device_is_noticed() {
    // One event of another device, rightly signed, logged and numbered.
    let mut other = World::of(id(2));
    let checkpoint = other.checkpoint();
    let foreign = other.entries()[4].clone();
    check(&[Code::HistoryAltered, Code::HistoryForeign], |_, parts| {
        parts.entries[4] = foreign;
    });
    // The other device's statement over this device's events.
    let statement = other.statement(&checkpoint);
    check(&[Code::Replayed, Code::HistoryForeign, Code::StatementContradicted], |_, parts| {
        parts.statement = statement;
    });
    // The whole file is another device's: flawless, but not what was asked for.
    other.then("tegata", EventKind::Erased { sequences: vec![0] });
    let world = World::of(id(2));
    let options = VerifyOptions { device: Some(id(1)), ..Default::default() };
    let verdict = world.file().verify(&world.anchors, &options, NOW);
    assert_eq!(codes(&verdict), [Code::HistoryForeign]);
}

#[test]
fn checkpoints_count_only_from_the_trusted_log_with_witnesses() {
    // Another log's.
    check(&[Code::LogUnverified, Code::StatementContradicted], |_, parts| {
        let (leaves, log) = log("log.example/other", 0x60);
        leaves.append(&[parts.entries[0].commitment()]);
        parts.checkpoint = log.integrate(NOW).unwrap();
    });
    // The same name, another key: a fork of the log.
    check(&[Code::LogUnverified, Code::StatementContradicted], |_, parts| {
        let (leaves, log) = log("log.example/tegata", 0x61);
        leaves.append(&[parts.entries[0].commitment()]);
        parts.checkpoint = log.integrate(NOW).unwrap();
    });
    // The right log at another size.
    check(&[Code::HistoryAltered, Code::StatementContradicted], |world, parts| {
        world.leaves.append(&[parts.entries[0].commitment()]);
        parts.checkpoint = world.checkpoint();
    });
    // Nobody witnessed it.
    check(&[Code::WitnessesMissing], |world, parts| {
        parts.checkpoint = world.log.latest();
    });
    // Only a stranger did.
    check(&[Code::WitnessesMissing], |world, parts| {
        let keys = vec![world.log.key().clone()];
        let stranger = Witness::new("stranger.example", Arc::new(key(0x62)), keys).unwrap();
        parts.checkpoint = cosigned(&stranger, world.log.latest());
    });
}

#[test]
fn statements_count_only_from_the_passport_signer() {
    // A key without certificate.
    check(&[Code::StatementUntrusted, Code::PossessionUnproven], |world, _| {
        world.passport_signer.0 = key(0x63);
    });
    // A trusted certificate that is not the passport signer's.
    check(&[Code::StatementUntrusted, Code::PossessionUnproven], |world, _| {
        world.passport_signer.0 = key(0x30);
    });
    // The right name below another root.
    check(&[Code::StatementUntrusted, Code::PossessionUnproven], |world, parts| {
        let (_, ca) = Ca::new(0x70);
        let signer = key(0x64);
        let name = ("tegata", "passport signer");
        let life = (DAWN, NOW.plus(86_400));
        parts.certificates.push(ca.certificate.clone());
        parts.certificates.push(ca.issue(Profile::OrganisationSigner, &signer, 9, name, life));
        world.passport_signer.0 = signer;
    });
    // An organisation that calls itself passport signer, but is not the platform.
    check(&[Code::StatementUntrusted, Code::PossessionUnproven], |world, parts| {
        let signer = key(0x65);
        let life = (DAWN, NOW.plus(86_400));
        let name = ("hakobu", "passport signer");
        let certificate = world.ca.issue(Profile::OrganisationSigner, &signer, 9, name, life);
        parts.certificates.push(certificate);
        world.passport_signer.0 = signer;
    });
    // A service certificate will do as well.
    let mut world = World::new();
    let name = ("tegata", "passport signer");
    let life = (DAWN, NOW.plus(86_400));
    let service = world.ca.issue(Profile::Service, &key(0x40), 0x41, name, life);
    world.passport_signer.1 = service;
    assert_eq!(verify(&world, &world.file()).outcome, Outcome::Genuine);
    // Another platform than the verifier trusts.
    world.anchors.platform = Some(org("other"));
    assert!(verify(&world, &world.file()).has(Code::StatementUntrusted));
}

#[test]
fn certificates_for_other_purposes_sign_nothing() {
    // All below the trusted root, with the right names: only the purpose is another.
    let life = (DAWN, NOW.plus(86_400));
    let profiles = [
        Profile::Chip,
        Profile::Idevid,
        Profile::Ldevid,
        Profile::Operator,
        Profile::OcspSigner,
        Profile::Service,
    ];
    for profile in profiles {
        check(&[Code::ReporterUntrusted], |world, parts| {
            let name = ("mamoru", "event signer");
            parts.certificates.push(world.ca.issue(profile, &key(0x66), 0x66, name, life));
            let event = world.next("mamoru", EventKind::Suspended { cause: Cause::Lost });
            let bytes = device::SignedEvent::sign(&key(0x66), &event).unwrap().as_bytes().to_vec();
            world.events.push((bytes.clone(), [0; 32], 19));
            world.leaves.append(&[ledger::commit(&[0; 32], &bytes)]);
            let checkpoint = world.checkpoint();
            parts.statement.tree = checkpoint.claimed().clone();
            parts.entries = world.entries();
            parts.checkpoint = checkpoint;
        });
        // The passport signer alone may be a service.
        if profile != Profile::Service {
            check(&[Code::StatementUntrusted, Code::PossessionUnproven], |world, parts| {
                let name = ("tegata", "passport signer");
                parts.certificates.push(world.ca.issue(profile, &key(0x66), 0x66, name, life));
                world.passport_signer.0 = key(0x66);
            });
        }
    }
}

#[test]
fn a_service_certificate_signs_no_events() {
    // The passport signer's key, where its certificate is a service's, speaks for the platform by
    // statements only: having been accepted for one it must not pass for an event's signer.
    check(&[Code::ReporterUntrusted], |world, parts| {
        let life = (DAWN, NOW.plus(86_400));
        let name = ("tegata", "passport signer");
        let service = world.ca.issue(Profile::Service, &key(0x40), 0x41, name, life);
        parts.certificates.retain(|certificate| *certificate != world.passport_signer.1);
        parts.certificates.push(service);
        let event = world.next("tegata", EventKind::Suspended { cause: Cause::Lost });
        let bytes = device::SignedEvent::sign(&key(0x40), &event).unwrap().as_bytes().to_vec();
        world.events.push((bytes.clone(), [0; 32], 19));
        world.leaves.append(&[ledger::commit(&[0; 32], &bytes)]);
        let checkpoint = world.checkpoint();
        parts.statement.tree = checkpoint.claimed().clone();
        parts.entries = world.entries();
        parts.checkpoint = checkpoint;
    });
}

#[test]
fn many_certificates_do_not_make_a_file_suspicious() {
    let world = World::new();
    let Parts { statement, entries, checkpoint, mut certificates } = parts(&world);
    // As many CAs and signers as a life in many hands leaves behind.
    for number in 0..40 {
        certificates.push(Ca::new(0x80 + 2 * number).1.certificate);
        let name = ("hakobu", "event signer");
        let life = (DAWN, NOW.plus(86_400));
        let signer = key(0x80 + number);
        let profile = Profile::OrganisationSigner;
        certificates.push(world.ca.issue(profile, &signer, 0x80 + number, name, life));
    }
    let file = world.assemble(&statement, entries, checkpoint, certificates);
    assert_eq!(verify(&world, &file).outcome, Outcome::Genuine);
}

#[test]
fn statements_must_agree_with_the_history() {
    check(&[Code::StatementContradicted], |world, parts| {
        parts.statement.state = World::of(id(1))
            .then("mamoru", EventKind::TransferOffered { to: org("hakobu") })
            .state
            .clone();
        // as many events, other contents
        world.then("mamoru", EventKind::Suspended { cause: Cause::Lost });
        let checkpoint = world.checkpoint();
        parts.statement.tree = checkpoint.claimed().clone();
        parts.entries = world.entries();
        parts.checkpoint = checkpoint;
    });
    // More events than the statement knows of.
    check(&[Code::StatementContradicted], |world, parts| {
        world.then("mamoru", EventKind::Suspended { cause: Cause::Lost });
        let checkpoint = world.checkpoint();
        parts.statement.tree = checkpoint.claimed().clone();
        parts.entries = world.entries();
        parts.checkpoint = checkpoint;
    });
    check(&[Code::StaleEvidence], |_, parts| parts.statement.expires = NOW);
    check(&[Code::ClockUntrusted], |_, parts| parts.statement.issued_at = NOW.plus(301));
}

#[test]
fn reporters_must_be_who_they_say() {
    // Signed by another organisation's key, in the reporter's name.
    check(&[Code::ReporterUntrusted], |world, parts| {
        let event = world.next("mamoru", EventKind::Suspended { cause: Cause::Lost });
        let bytes = device::SignedEvent::sign(&key(0x31), &event).unwrap().as_bytes().to_vec();
        world.events.push((bytes.clone(), [0; 32], 19));
        world.leaves.append(&[ledger::commit(&[0; 32], &bytes)]);
        let checkpoint = world.checkpoint();
        parts.statement.tree = checkpoint.claimed().clone();
        parts.entries = world.entries();
        parts.checkpoint = checkpoint;
    });
    // The signer's certificate is not in the file.
    check(&[Code::ReporterUntrusted], |world, parts| {
        let missing = &world.signers[2].2;
        parts.certificates.retain(|certificate| certificate != missing);
    });
    // Swapped for one below a root that nobody trusts.
    check(&[Code::ReporterUntrusted], |world, parts| {
        let (_, ca) = Ca::new(0x70);
        let life = (DAWN, NOW.plus(86_400));
        let forged =
            ca.issue(Profile::OrganisationSigner, &key(0x32), 9, ("mamoru", "event signer"), life);
        let at = parts.certificates.iter().position(|c| *c == world.signers[2].2).unwrap();
        parts.certificates[at] = forged;
        parts.certificates.push(ca.certificate);
    });
    // Revoked before it signed, as the platform says.
    check(&[Code::ReporterUntrusted], |world, parts| {
        let signer = world.signers[2].2.fingerprint();
        parts.statement.revoked_signers = vec![(signer, NOW.plus(-9_900))];
    });
    // Revoked afterwards: what it signed stands.
    let world = World::new();
    let mut parts = parts(&world);
    parts.statement.revoked_signers = vec![(world.signers[2].2.fingerprint(), NOW)];
    let file =
        world.assemble(&parts.statement, parts.entries, parts.checkpoint, parts.certificates);
    assert_eq!(verify(&world, &file).outcome, Outcome::Genuine);
}

#[test]
fn illegal_moves_are_found_by_replay() {
    // A platform that records what its own rules forbid.
    check(&[Code::IllegalState], |world, parts| {
        let event = world.next("hakobu", EventKind::Retired { cause: Cause::EndOfUse });
        world.force(&event);
        let checkpoint = world.checkpoint();
        parts.statement.tree = checkpoint.claimed().clone();
        parts.entries = world.entries();
        parts.checkpoint = checkpoint;
    });
    // A history chained to another event than the last.
    check(&[Code::HistoryAltered], |world, parts| {
        let mut event = world.next("mamoru", EventKind::Suspended { cause: Cause::Lost });
        event.previous = Some(world.states[3].head());
        world.force(&event);
        let checkpoint = world.checkpoint();
        parts.statement.tree = checkpoint.claimed().clone();
        parts.entries = world.entries();
        parts.checkpoint = checkpoint;
    });
    // Roles are the statement's: without the maker's, nobody may begin a history.
    check(&[Code::IllegalState], |_, parts| {
        parts.statement.roles.retain(|(name, _)| name.as_str() != "barrier");
    });
}

#[test]
fn device_certificates_are_judged() {
    // Swapped for another that the same CA issued.
    check(&[Code::ChainBroken], |world, parts| {
        let life = (DAWN, NOW.plus(86_400));
        let other = world.ca.issue(Profile::Ldevid, &key(0x66), 9, ("mamoru", "gate"), life);
        let at = parts.certificates.iter().position(|c| *c == world.ldevid).unwrap();
        parts.certificates[at] = other;
    });
    // One that the history does not know.
    check(&[Code::CredentialUnlisted], |world, parts| {
        let life = (DAWN, NOW.plus(86_400));
        let other = world.ca.issue(Profile::Ldevid, &key(0x50), 9, ("mamoru", "gate"), life);
        parts.statement.certificates[1].fingerprint = other.fingerprint();
        parts.certificates.push(other);
    });
    check(&[Code::Revoked], |_, parts| {
        parts.statement.certificates[1].revocation = Revocation::Revoked { at: NOW };
    });
    // Unknown maker: the verifier trusts another root for devices than this one.
    let mut world = World::new();
    let (other_root, other_ca) = Ca::new(0x70);
    let life = (DAWN, NOW.plus(86_400));
    let stray = other_ca.issue(Profile::Ldevid, &key(0x50), 9, ("mamoru", "gate"), life);
    world.then(
        "tegata",
        crate::world::credential(&stray, device::CredentialProfile::Ldevid, "mamoru"),
    );
    world.ldevid = stray;
    assert_eq!(codes(&verify(&world, &world.file())), [Code::UnknownMaker]);
    world.anchors.roots.add(other_root);
    let mut file = parts(&world);
    file.certificates.push(other_ca.certificate);
    let file = world.assemble(&file.statement, file.entries, file.checkpoint, file.certificates);
    assert_eq!(verify(&world, &file).outcome, Outcome::Genuine);
    // Expired when it is looked at a year later.
    let verdict = file.verify(&world.anchors, &VerifyOptions::default(), NOW.plus(400 * 86_400));
    assert!(verdict.has(Code::Expired) && verdict.has(Code::StaleEvidence));
}

fn crl(world: &World, certificate: &Certificate, reason: RevocationReason) -> Crl {
    let request = CrlRequest {
        number: 7,
        this_update: NOW.plus(10),
        next_update: NOW.plus(86_400),
        entries: vec![RevokedEntry { serial: *certificate.serial(), at: NOW.plus(5), reason }],
        shard: None,
        only_user_certificates: false,
        base_number: None,
    };
    Crl::prepare(&world.ca.issuer(), &request).unwrap().sign(&world.ca.key).unwrap()
}

#[test]
fn revocation_lists_are_heard() {
    let world = World::new();
    let judged = |file: &PassportFile, crls| {
        let options = VerifyOptions { crls, ..Default::default() };
        codes(&file.verify(&world.anchors, &options, NOW.plus(20)))
    };
    let hold = crl(&world, &world.ldevid, RevocationReason::CertificateHold);
    let lost = crl(&world, &world.ldevid, RevocationReason::KeyCompromise);
    assert_eq!(judged(&world.file(), vec![]), []);
    assert_eq!(judged(&world.file(), vec![hold]), [Code::Suspended]);
    assert_eq!(judged(&world.file(), vec![lost.clone()]), [Code::Revoked]);
    let file = world.file().with_crls(vec![lost]);
    let file = PassportFile::parse(&file.encode()).unwrap();
    assert_eq!(judged(&file, vec![]), [Code::Revoked]);
    // A signer of events, revoked before it signed the last one.
    let mut later = World::new();
    let mut event = later.next("mamoru", EventKind::Suspended { cause: Cause::Lost });
    event.at = NOW.plus(6);
    later.force(&event);
    let file = later.file();
    let signer = crl(&later, &later.signers[2].2, RevocationReason::KeyCompromise);
    let options = VerifyOptions { crls: vec![signer], ..Default::default() };
    let verdict = file.verify(&later.anchors, &options, NOW.plus(20));
    assert_eq!(codes(&verdict), [Code::ReporterUntrusted]);
}

#[test]
fn possession_is_shown_by_the_stated_proof_or_ones_own_challenge() {
    check(&[Code::PossessionUnproven], |_, parts| parts.statement.proof = None);
    check(&[Code::Replayed], |world, parts| {
        let other = Proof::answer(&challenge(), 6, None, None);
        world.proof = SignedProof::sign(&world.device_key, &other).unwrap();
        let _ = parts;
    });
    check(&[Code::NoPossession], |world, parts| {
        let forged = Proof::answer(&challenge(), 8, Some(NOW), None);
        world.proof = SignedProof::sign(&key(0x67), &forged).unwrap();
        let proof = parts.statement.proof.as_mut().unwrap();
        proof.digest = crypto::sha256(world.proof.as_bytes());
    });
    check(&[Code::StaleEvidence], |world, parts| {
        let old = Proof::answer(&challenge(), 7, None, None);
        world.proof = SignedProof::sign(&world.device_key, &old).unwrap();
        let proof = parts.statement.proof.as_mut().unwrap();
        proof.digest = crypto::sha256(world.proof.as_bytes());
        proof.received_at = NOW.plus(-86_401);
    });

    let world = World::new();
    let file = world.file();
    let mine = Challenge { nonce: [9; 32], ..challenge() };
    let answered = |challenge: &Challenge, signer: &crypto::SoftwareKey, counter| {
        let proof = Proof::answer(challenge, counter, Some(NOW), None);
        let bytes = SignedProof::sign(signer, &proof).unwrap().as_bytes().to_vec();
        let options = VerifyOptions { challenge: Some((mine, bytes)), ..Default::default() };
        codes(&file.verify(&world.anchors, &options, NOW))
    };
    assert_eq!(answered(&mine, &world.device_key, 8), []);
    assert_eq!(answered(&mine, &world.device_key, 7), [Code::KeyCopied]);
    assert_eq!(answered(&mine, &key(0x68), 8), [Code::NoPossession]);
    assert_eq!(answered(&challenge(), &world.device_key, 8), [Code::Replayed]);
    // The same key, asked as another device.
    let other = Challenge { device: id(2), ..mine };
    let proof = SignedProof::sign(&world.device_key, &Proof::answer(&other, 8, Some(NOW), None));
    let challenge = Some((other, proof.unwrap().as_bytes().to_vec()));
    let options = VerifyOptions { challenge, ..Default::default() };
    assert_eq!(codes(&file.verify(&world.anchors, &options, NOW)), [Code::NoPossession]);
    let garbage = VerifyOptions { challenge: Some((mine, vec![0])), ..Default::default() };
    assert_eq!(codes(&file.verify(&world.anchors, &garbage, NOW)), [Code::NoPossession]);
}

#[test]
fn erased_events_leave_the_rest_provable() {
    let erased = |sequences: &[u64]| {
        let mut world = World::new();
        let (entries, statement, checkpoint) = world.erase(sequences);
        (world, statement, entries, checkpoint)
    };
    for sequences in [&[3][..], &[0], &[2, 3, 4], &[8], &[0, 1, 5, 6]] {
        let (world, statement, entries, checkpoint) = erased(sequences);
        let file = world.assemble(&statement, entries, checkpoint, world.certificates());
        let verdict = verify(&world, &file);
        assert_eq!(verdict.outcome, Outcome::Genuine, "{:#?}", verdict.reasons);
        assert_eq!(codes(&verdict), [Code::PayloadErased]);
        assert_eq!(verdict.reasons[0].evidence.len(), sequences.len());
    }
    let spoiled = |wanted: &[Code], spoil: &dyn Fn(&mut Statement, &mut Vec<EventEntry>)| {
        let (world, mut statement, mut entries, checkpoint) = erased(&[2, 3]);
        spoil(&mut statement, &mut entries);
        let file = world.assemble(&statement, entries, checkpoint, world.certificates());
        let verdict = verify(&world, &file);
        assert_eq!(codes(&verdict)[..wanted.len()], *wanted, "{:#?}", verdict.reasons);
        assert_eq!(verdict.outcome, Outcome::Rejected);
    };
    // The state after the gap is not the one that the platform vouches for.
    spoiled(&[Code::HistoryAltered], &|statement, _| statement.erased.clear());
    spoiled(&[Code::HistoryIncomplete], &|_, entries| {
        let EventContents::Erased { state_after, .. } = &mut entries[3].contents else { panic!() };
        *state_after = None;
    });
    // An event hidden behind an erasure that never took place.
    spoiled(&[Code::HistoryAltered], &|statement, entries| {
        let commitment = entries[5].commitment();
        entries[5].contents = EventContents::Erased { commitment, state_after: None };
        let _ = statement;
    });
    // A commitment that is not in the log.
    spoiled(&[Code::HistoryAltered], &|_, entries| {
        let EventContents::Erased { commitment, .. } = &mut entries[2].contents else { panic!() };
        commitment.0.0[0] ^= 1;
    });
}

#[test]
fn every_reason_of_a_file_names_its_layer() {
    let mut world = World::new();
    world.then("barrier", revoked());
    let verdict = verify(&world, &world.file());
    assert_eq!(verdict.of_layer(Layer::Device), Outcome::Rejected);
    assert_eq!(verdict.of_layer(Layer::Service), Outcome::Genuine);
}

#[test]
fn what_is_not_a_file_is_refused() {
    let file = World::new().file();
    let bytes = file.encode();
    assert_eq!(PassportFile::parse(b"").unwrap_err(), FileError::NotAPassport);
    assert_eq!(PassportFile::parse(b"%PDF-1.7").unwrap_err(), FileError::NotAPassport);
    let trailing = [&bytes[..], b"\x00"].concat();
    assert_eq!(PassportFile::parse(&trailing).unwrap_err(), FileError::NotAPassport);
    let huge = vec![0; 16 * 1024 * 1024 + 1];
    assert!(matches!(PassportFile::parse(&huge), Err(FileError::Cbor(_))));
    let again = PassportFile::parse(&bytes).unwrap();
    assert_eq!(again.encode(), bytes);
    assert_eq!(again.device(), DeviceId::from_bytes([1; 16]));
    assert_ne!(NOW, UnixTime(0));
}

/// The file that docs/passport.md describes. It never changes: who reads version 1 today reads it
/// for ever.
#[test]
fn the_documents_example_is_read_for_ever() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/example/");
    let read = |name: &str| std::fs::read(format!("{folder}{name}")).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let anchors = device::TrustAnchors {
        roots: [Certificate::from_pem(&text("root.pem")).unwrap()].into_iter().collect(),
        logs: vec![text("log.vkey").trim().parse().unwrap()],
        witnesses: vec![text("witness.vkey").trim().parse().unwrap()],
        quorum: 1,
        platform: Some(org("tegata")),
    };
    let bytes = read("passport.tegata");
    let file = PassportFile::parse(&bytes).unwrap();
    let verdict = file.verify(&anchors, &VerifyOptions::default(), NOW);
    assert_eq!((verdict.outcome, codes(&verdict)), (Outcome::Genuine, vec![]));
    assert!(file.encode() == bytes, "read and written again, it is another file");
    let facts = file.facts(&anchors, &VerifyOptions::default(), NOW);
    let document = crate::documents::read("passport.md").replace('\n', "");
    for fact in [
        anchors.logs[0].to_string(),
        anchors.witnesses[0].to_string(),
        crypto::sha256(&bytes).to_string(),
        facts.state().unwrap().head().0.to_string(),
        hex::encode(facts.state().unwrap().encode()),
    ] {
        assert!(document.contains(&fact), "docs/passport.md lacks {fact}");
    }
}

/// No single altered byte of a file is believed, wherever it is.
#[test]
fn every_altered_byte_is_noticed() {
    let world = World::new();
    let bytes = world.file().encode();
    let whole = PassportFile::parse(&bytes).unwrap();
    let facts = whole.facts(&world.anchors, &VerifyOptions::default(), NOW);
    // A step that is prime to everything in the file; the whole would take too long.
    for at in (0..bytes.len()).step_by(37) {
        let mut altered = bytes.clone();
        altered[at] ^= 0x10;
        let Ok(file) = PassportFile::parse(&altered) else { continue };
        let verdict = file.verify(&world.anchors, &VerifyOptions::default(), NOW);
        if verdict.outcome == Outcome::Genuine {
            // Nothing but what no verdict rests on may change: unused bytes of the note.
            let again = file.facts(&world.anchors, &VerifyOptions::default(), NOW);
            assert_eq!(again, facts, "byte {at} changed the facts unnoticed");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn statements_survive_encoding(
        roles in proptest::collection::vec((organisations(), 0u64..16), 0..8),
        times in proptest::collection::vec((any::<[u8; 32]>(), any::<i64>()), 0..8),
        counters in proptest::collection::vec((any::<[u8; 32]>(), any::<u64>()), 0..8),
        hosts in proptest::collection::vec(devices(), 0..8),
        number in proptest::option::of(any::<[u8; 13]>()),
        status in 0u8..4,
    ) {
        let world = World::new();
        let mut statement = world.statement(&world.checkpoint());
        statement.roles = roles
            .into_iter()
            .map(|(name, bits)| (name, device::Roles::from_bits(bits).unwrap()))
            .collect();
        statement.revoked_signers =
            times.iter().map(|(hash, at)| (crypto::Sha256(*hash), UnixTime(*at))).collect();
        statement.erased = counters.iter().map(|(hash, at)| (*at, crypto::Sha256(*hash))).collect();
        statement.counters = counters.iter().map(|(key, at)| (crypto::Sha256(*key), *at)).collect();
        statement.hosts.clone_from(&hosts);
        statement.parts[0].elsewhere = hosts;
        statement.management_number = number.map(device::ManagementNumber::from_random);
        statement.certificates[0].revocation = match status {
            0 => Revocation::Good { as_of: NOW },
            1 => Revocation::Revoked { at: NOW },
            2 => Revocation::Suspended { at: NOW },
            _ => Revocation::Unknown,
        };
        let signed = statement.sign(&world.passport_signer.0).unwrap();
        let read = device::file::SignedStatement::parse(signed.as_bytes()).unwrap();
        prop_assert_eq!(read.unverified(), &statement);
        prop_assert!(read.verify(crypto::Signer::public_key(&world.passport_signer.0)).is_ok());
    }
}
