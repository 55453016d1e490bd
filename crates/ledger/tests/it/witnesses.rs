//! Witnesses and the checkpoints they cosign.

use crate::support::{Disk, MemoryLog, NOW, ORIGIN, defined_root, forge, key, leaf, leaves};
use crypto::{SignatureScheme, UnixTime};
use ledger::{
    Cosignature, LedgerError, LogKey, SignedCheckpoint, WitnessKey,
    witness::{AddCheckpoint, Answer, Latest, Refusal, Witness},
};
use std::sync::Arc;

/// A witness with its state, as a process would run it.
struct Running {
    witness: Witness,
    latest: Option<Latest>,
}

impl Running {
    fn new(name: &str, logs: &[LogKey]) -> Self {
        Self { witness: Witness::new(name, key(), logs.to_vec()).unwrap(), latest: None }
    }

    fn ask(&mut self, body: &str, now: UnixTime) -> Result<Cosignature, Refusal> {
        let accepted = self.witness.receive(body.as_bytes())?.decide(self.latest.as_ref(), now)?;
        self.latest = Some(accepted.latest().clone());
        Ok(accepted.persisted())
    }

    fn key(&self) -> WitnessKey {
        // As a verifier gets it: by its string.
        self.witness.key().to_string().parse().unwrap()
    }
}

fn request(log: &MemoryLog, old_size: u64) -> AddCheckpoint {
    let latest = log.latest();
    match old_size {
        0 => AddCheckpoint::first(latest),
        _ => {
            let proof = log.consistency_proof(old_size, latest.claimed().size).unwrap();
            AddCheckpoint::new(proof, latest).unwrap()
        }
    }
}

/// Lets the log grow and the witness cosign.
fn grow(disk: &Disk, log: &MemoryLog, to: u64) {
    let from = log.latest().claimed().size;
    disk.source.append(&leaves(from..to));
    log.integrate(NOW).unwrap();
}

#[test]
fn a_growing_log_is_cosigned_and_the_cosignature_verifies() {
    let (disk, log) = Disk::with(5, 5);
    let mut witness = Running::new("witness.example/w1", &[log.key().clone()]);
    let mut known = 0;
    for size in [5, 6, 300, 300, 1000] {
        grow(&disk, &log, size);
        let request = request(&log, known);
        let body = request.to_string();
        assert_eq!(AddCheckpoint::parse(body.as_bytes()).as_ref(), Ok(&request));
        let line = witness.ask(&body, NOW).unwrap();
        assert_eq!((line.witness(), line.time()), ("witness.example/w1", NOW));
        let answer = request.answer(200, line.line().as_bytes(), &[witness.key()]).unwrap();
        let Answer::Cosigned { cosignatures, .. } = answer else { panic!("{answer:?}") };
        let cosigned = log.add_cosignatures(&request.checkpoint, &cosignatures).unwrap();
        let verified = cosigned.verify(log.key(), &[witness.key()], 1).unwrap();
        assert_eq!(verified.cosigned_at, [("witness.example/w1".to_owned(), NOW)]);
        assert_eq!(verified.witnessed_at(1), Some(NOW));
        assert_eq!((verified.witnessed_at(0), verified.witnessed_at(2)), (None, None));
        assert_eq!(log.latest(), cosigned);
        assert_eq!(log.latest_cosigned(), Some(cosigned));
        known = size;
    }
    // It is what the log goes on from, also after a restart.
    let again = disk.open().unwrap();
    assert_eq!(again.latest(), log.latest());
    grow(&disk, &again, 1001);
}

#[test]
fn witnesses_that_are_slower_than_the_log_make_a_quorum_together() {
    let (disk, log) = Disk::with(5, 5);
    let mut witnesses = ["w1", "w2"].map(|name| Running::new(name, &[log.key().clone()]));
    let request = request(&log, 0);
    for (number, witness) in witnesses.iter_mut().enumerate() {
        let line = witness.ask(&request.to_string(), NOW).unwrap();
        let answer = request.answer(200, line.line().as_bytes(), &[witness.key()]).unwrap();
        let Answer::Cosigned { cosignatures, .. } = answer else { panic!("{answer:?}") };
        log.add_cosignatures(&request.checkpoint, &cosignatures).unwrap();
        // Each finds the log a step further.
        grow(&disk, &log, 6 + number as u64);
    }
    let keys: Vec<_> = witnesses.iter().map(Running::key).collect();
    let cosigned = log.latest_cosigned().unwrap().verify(log.key(), &keys, 2).unwrap();
    assert_eq!((cosigned.size, log.latest().claimed().size), (5, 7));
    // The second answer after the log went on: nothing of the first is lost.
    let request = self::request(&log, 0);
    let mut others = ["w3", "w4"].map(|name| Running::new(name, &[log.key().clone()]));
    let lines = others.each_mut().map(|witness| witness.ask(&request.to_string(), NOW).unwrap());
    grow(&disk, &log, 9);
    for (witness, line) in others.iter().zip(lines) {
        let answer = request.answer(200, line.line().as_bytes(), &[witness.key()]).unwrap();
        let Answer::Cosigned { cosignatures, .. } = answer else { panic!("{answer:?}") };
        log.add_cosignatures(&request.checkpoint, &cosignatures).unwrap();
    }
    let keys: Vec<_> = others.iter().map(Running::key).collect();
    let cosigned = log.latest_cosigned().unwrap().verify(log.key(), &keys, 2).unwrap();
    assert_eq!((cosigned.size, log.latest().claimed().size), (7, 9));
}

#[test]
fn a_log_that_starts_empty_can_be_witnessed() {
    let (disk, log) = Disk::with(0, 1);
    let mut witness = Running::new("w", &[log.key().clone()]);
    witness.ask(&request(&log, 0).to_string(), NOW).unwrap();
    grow(&disk, &log, 3);
    witness.ask(&request(&log, 0).to_string(), NOW).unwrap();
    let fake_empty = forge(ORIGIN, 0, leaf(0).0, &disk.key);
    let mut other = Running::new("w", &[log.key().clone()]);
    let refusal = other.ask(&AddCheckpoint::first(fake_empty).to_string(), NOW);
    assert_eq!(refusal, Err(Refusal::Forked { size: 0 }));
}

#[test]
fn a_fork_is_refused() {
    let (disk, log) = Disk::with(100, 100);
    let mut witness = Running::new("w", &[log.key().clone()]);
    witness.ask(&request(&log, 0).to_string(), NOW).unwrap();
    let before = witness.latest.clone();

    // The same key signs another history: of the same size...
    let mut other = leaves(0..100);
    other[50] = leaf(1000);
    let fork = forge(ORIGIN, 100, defined_root(&other), &disk.key);
    let body = AddCheckpoint { old_size: 100, proof: vec![], checkpoint: fork }.to_string();
    let refusal = witness.ask(&body, NOW).unwrap_err();
    assert_eq!(refusal, Refusal::Forked { size: 100 });
    assert_eq!((refusal.status(), refusal.content_type()), (409, "text/x.tlog.size"));
    assert!(refusal.is_evidence() && refusal.body() == "100\n");

    // ... and a longer one, with the best proof that it can make: the one of its own tree.
    let forked = Disk { key: Arc::clone(&disk.key), ..Disk::new() };
    forked.source.append(&other);
    let forked_log = forked.open().unwrap();
    forked_log.integrate(NOW).unwrap();
    grow(&forked, &forked_log, 200);
    let refusal = witness.ask(&request(&forked_log, 100).to_string(), NOW).unwrap_err();
    assert_eq!((refusal.clone(), refusal.status()), (Refusal::Inconsistent, 422));
    assert!(refusal.is_evidence());
    // Pretending that the witness knows nothing does not help.
    let refusal = witness.ask(&request(&forked_log, 0).to_string(), NOW).unwrap_err();
    assert_eq!(refusal, Refusal::Conflict { size: 100 });

    assert_eq!(witness.latest, before);
    // The honest log goes on.
    grow(&disk, &log, 120);
    witness.ask(&request(&log, 100).to_string(), NOW).unwrap();
}

#[test]
fn a_rollback_is_refused() {
    let (disk, log) = Disk::with(100, 100);
    let old = request(&log, 0).to_string();
    let mut witness = Running::new("w", &[log.key().clone()]);
    witness.ask(&old, NOW).unwrap();
    grow(&disk, &log, 200);
    witness.ask(&request(&log, 100).to_string(), NOW).unwrap();
    // The old request again, and the old tree claimed to follow the new one.
    assert_eq!(witness.ask(&old, NOW), Err(Refusal::Conflict { size: 200 }));
    let shrunk = AddCheckpoint {
        old_size: 200,
        proof: vec![],
        checkpoint: forge(ORIGIN, 100, defined_root(&leaves(0..100)), &disk.key),
    };
    let refusal = witness.ask(&shrunk.to_string(), NOW).unwrap_err();
    assert_eq!(refusal.status(), 400);
    assert_eq!(witness.latest.as_ref().map(|latest| latest.size), Some(200));
    // The client learns where to go on from.
    let answer = request(&log, 0).answer(409, b"200\n", &[]).unwrap();
    assert_eq!(answer, Answer::Conflict { size: 200 });
}

#[test]
fn replays_get_the_same_tree_or_nothing() {
    let (_, log) = Disk::with(100, 100);
    let mut witness = Running::new("w", &[log.key().clone()]);
    witness.ask(&request(&log, 0).to_string(), NOW).unwrap();
    assert_eq!(
        witness.ask(&request(&log, 0).to_string(), NOW),
        Err(Refusal::Conflict { size: 100 })
    );
    // Asking again from the same size renews the cosignature's time: the log stood still.
    let later = NOW.plus(3600);
    let cosignature = witness.ask(&request(&log, 100).to_string(), later).unwrap();
    assert_eq!(cosignature.time(), later);
    // A cosignature of another tree is not taken for this one.
    let (_, other) = Disk::with(7, 7);
    let answer = request(&other, 0).answer(200, cosignature.line().as_bytes(), &[witness.key()]);
    assert_eq!(answer, Err(LedgerError::BadSignature("w".into())));
}

#[test]
fn strangers_are_refused_in_the_order_of_the_specification() {
    let (disk, log) = Disk::with(10, 10);
    let mut witness = Running::new("w", &[log.key().clone()]);
    let root = log.latest().claimed().root;
    let mut ask = |checkpoint: SignedCheckpoint| {
        let body = AddCheckpoint::first(checkpoint).to_string();
        witness.ask(&body, NOW).map(drop).unwrap_err()
    };
    let unknown = ask(forge("other.example/log", 10, root, &disk.key));
    assert_eq!(unknown, Refusal::UnknownLog("other.example/log".into()));
    assert_eq!(unknown.status(), 404);
    let unsigned = ask(forge(ORIGIN, 10, root, &key()));
    assert_eq!(unsigned, Refusal::NotSigned(LedgerError::NoLogSignature(ORIGIN.into())));
    assert_eq!(unsigned.status(), 403);
    // The log's name and key id over a signature that is not its.
    let text = String::from_utf8(log.latest().bytes().to_vec()).unwrap();
    let altered = SignedCheckpoint::parse(text.replacen("\n10\n", "\n11\n", 1).as_bytes()).unwrap();
    let refusal = ask(altered);
    assert_eq!(refusal, Refusal::NotSigned(LedgerError::BadSignature(ORIGIN.into())));
    assert_eq!(refusal.status(), 403);
    for body in ["", "old 0\n", "old\n\nx", "old -1\n\nx", "old 00\n\nx", "new 0\n\nx"] {
        assert_eq!(witness.ask(body, NOW).unwrap_err().status(), 400, "{body:?}");
    }
    assert!(witness.latest.is_none());
}

#[test]
fn proofs_must_be_exact() {
    let (disk, log) = Disk::with(100, 100);
    let mut witness = Running::new("w", &[log.key().clone()]);
    let mut first = request(&log, 0);
    first.proof.push(leaf(0).0);
    assert_eq!(witness.ask(&first.to_string(), NOW), Err(Refusal::Inconsistent));
    witness.ask(&request(&log, 0).to_string(), NOW).unwrap();
    let mut same = request(&log, 100);
    same.proof.push(leaf(0).0);
    assert_eq!(witness.ask(&same.to_string(), NOW), Err(Refusal::Inconsistent));
    grow(&disk, &log, 200);
    let good = request(&log, 100);
    for place in 0..good.proof.len() {
        let mut bad = good.clone();
        bad.proof[place].0[3] ^= 1;
        assert_eq!(witness.ask(&bad.to_string(), NOW), Err(Refusal::Inconsistent));
        bad.proof.remove(place);
        assert_eq!(witness.ask(&bad.to_string(), NOW), Err(Refusal::Inconsistent));
    }
    assert_eq!(witness.latest.as_ref().map(|latest| latest.size), Some(100));
    witness.ask(&good.to_string(), NOW).unwrap();
}

#[test]
fn state_of_another_log_is_not_taken() {
    let (_, log) = Disk::with(10, 10);
    let witness = Witness::new("w", key(), vec![log.key().clone()]).unwrap();
    let body = request(&log, 0).to_string();
    let other = Latest { origin: "other".into(), size: 0, root: ledger::EMPTY_ROOT };
    let received = witness.receive(body.as_bytes()).unwrap();
    assert_eq!(received.origin(), ORIGIN);
    let refusal = received.decide(Some(&other), NOW).map(drop).unwrap_err();
    assert_eq!(refusal.status(), 500);
}

#[test]
fn a_log_may_change_its_key_under_its_name() {
    let (_, log) = Disk::with(10, 10);
    let old = LogKey::new(ORIGIN, key().public_key()).unwrap();
    let mut witness = Running::new("w", &[old, log.key().clone()]);
    witness.ask(&request(&log, 0).to_string(), NOW).unwrap();
}

/// A checkpoint cosigned by these witnesses, at successive hours.
fn cosigned(log: &MemoryLog, witnesses: &mut [Running]) -> SignedCheckpoint {
    let mut checkpoint = log.latest();
    for (hour, witness) in (0_i64..).zip(witnesses) {
        let body = AddCheckpoint::first(log.latest()).to_string();
        let line = witness.ask(&body, NOW.plus(3600 * hour)).unwrap();
        checkpoint = checkpoint.with_cosignatures(&[line]).unwrap();
    }
    checkpoint
}

#[test]
fn quorums_count_different_witnesses_only() {
    let (_, log) = Disk::with(10, 10);
    let mut running: Vec<_> =
        ["w/1", "w/2", "w/3"].iter().map(|name| Running::new(name, &[log.key().clone()])).collect();
    let checkpoint = cosigned(&log, &mut running);
    let keys: Vec<_> = running.iter().map(Running::key).collect();
    let verified = checkpoint.verify(log.key(), &keys, 3).unwrap();
    assert_eq!(verified.cosigned_at.len(), 3);
    // Two of three had seen it by the hour of the second newest.
    assert_eq!(verified.witnessed_at(2), Some(NOW.plus(3600)));
    let short = |have, need| Err(LedgerError::Quorum { have, need });
    assert_eq!(checkpoint.verify(log.key(), &keys, 4).map(drop), short(3, 4));
    assert_eq!(checkpoint.verify(log.key(), &keys[..1], 2).map(drop), short(1, 2));
    assert_eq!(checkpoint.verify(log.key(), &[], 1).map(drop), short(0, 1));
    assert_eq!(log.latest().verify(log.key(), &keys, 1).map(drop), short(0, 1));
    // One witness given twice is one; so is one under two names.
    let twice = [keys[0].clone(), keys[0].clone()];
    assert_eq!(checkpoint.verify(log.key(), &twice, 2).map(drop), short(1, 2));
    let signer = key();
    let named = |name| Running {
        witness: Witness::new(name, Arc::clone(&signer), vec![log.key().clone()]).unwrap(),
        latest: None,
    };
    let mut two_names = [named("n/1"), named("n/2")];
    let checkpoint = cosigned(&log, &mut two_names);
    let keys: Vec<_> = two_names.iter().map(Running::key).collect();
    assert_eq!(checkpoint.verify(log.key(), &keys, 2).map(drop), short(1, 2));
}

#[test]
fn newer_cosignatures_take_the_place_of_older_ones() {
    let (_, log) = Disk::with(10, 10);
    let mut witness = Running::new("w/1", &[log.key().clone()]);
    let mut other = Running::new("w/2", &[log.key().clone()]);
    let line = other.ask(&request(&log, 0).to_string(), NOW).unwrap();
    log.add_cosignatures(&log.latest(), &[line]).unwrap();
    for hour in 0..200 {
        let old_size = if hour == 0 { 0 } else { 10 };
        let now = NOW.plus(3600 * hour);
        let line = witness.ask(&request(&log, old_size).to_string(), now).unwrap();
        log.add_cosignatures(&log.latest(), &[line]).unwrap();
        let keys = [witness.key(), other.key()];
        let verified = log.latest().verify(log.key(), &keys, 2).unwrap();
        assert_eq!(verified.witnessed_at(1), Some(now));
        assert_eq!(log.latest().bytes().iter().filter(|byte| **byte == b'\n').count(), 4 + 3);
    }
    // One of another checkpoint would spoil this one.
    let (_, stranger) = Disk::with(3, 3);
    let mut witness = Running::new("w/1", &[stranger.key().clone()]);
    let line = witness.ask(&request(&stranger, 0).to_string(), NOW).unwrap();
    let refused = log.add_cosignatures(&log.latest(), &[line]);
    assert_eq!(refused, Err(LedgerError::BadSignature("w/1".into())));
}

#[test]
fn a_log_is_not_its_own_witness() {
    let (disk, log) = Disk::with(10, 10);
    let witness = Witness::new("w", Arc::clone(&disk.key), vec![log.key().clone()]).unwrap();
    let mut own = Running { witness, latest: None };
    let checkpoint = cosigned(&log, std::slice::from_mut(&mut own));
    let refused = checkpoint.verify(log.key(), &[own.key()], 1).map(drop);
    assert_eq!(refused, Err(LedgerError::Quorum { have: 0, need: 1 }));
}

#[test]
fn forged_cosignatures_spoil_the_checkpoint_and_unknown_ones_do_not_matter() {
    let (_, log) = Disk::with(10, 10);
    let mut running = [Running::new("w", &[log.key().clone()])];
    let checkpoint = cosigned(&log, &mut running);
    let text = String::from_utf8(checkpoint.bytes().to_vec()).unwrap();
    let key = running[0].key();
    // Another time in front of the same signature.
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let line = text.lines().last().unwrap();
    let mut signature = BASE64_STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap();
    assert_eq!(signature.len(), 4 + 8 + 64);
    for byte in [0, 5, 11, 12, 75] {
        let mut altered = signature.clone();
        altered[byte] ^= 1;
        let altered = format!("\u{2014} w {}", BASE64_STANDARD.encode(&altered));
        let altered = SignedCheckpoint::parse(text.replace(line, &altered).as_bytes()).unwrap();
        let verified = altered.verify(log.key(), std::slice::from_ref(&key), 1).map(drop);
        let wanted = match byte {
            // Another key id is another, unknown key.
            0 => LedgerError::Quorum { have: 0, need: 1 },
            _ => LedgerError::BadSignature("w".into()),
        };
        assert_eq!(verified, Err(wanted));
    }
    // A time beyond 2^63 - 1, and a signature cut off.
    signature[4] = 0xff;
    for bytes in [&signature[..], &signature[..9], &signature[..70]] {
        let altered = format!("\u{2014} w {}", BASE64_STANDARD.encode(bytes));
        let altered = SignedCheckpoint::parse(text.replace(line, &altered).as_bytes()).unwrap();
        let verified = altered.verify(log.key(), std::slice::from_ref(&key), 0).map(drop);
        assert_eq!(verified, Err(LedgerError::BadSignature("w".into())));
    }
    // Lines of others are of no account.
    let more = format!("{text}\u{2014} someone AAAAAAAA\n");
    SignedCheckpoint::parse(more.as_bytes()).unwrap().verify(log.key(), &[key], 1).unwrap();
}

#[test]
fn a_log_signature_is_no_cosignature() {
    // The same key and name as log and as witness have different ids and sign different bytes.
    let signer = key();
    let log = LogKey::new("same", signer.public_key()).unwrap();
    let witness = WitnessKey::new("same", signer.public_key()).unwrap();
    assert_ne!(log.id(), witness.id());
    let checkpoint = forge("same", 3, leaf(0).0, &signer);
    checkpoint.verify(&log, &[], 0).unwrap();
    let text = String::from_utf8(checkpoint.bytes().to_vec()).unwrap();
    let note = text.split_inclusive('\n').take(3).collect::<String>();
    let signature = signer.sign(SignatureScheme::Ed25519, note.as_bytes()).unwrap();
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let stamped = [&witness.id().to_be_bytes()[..], &NOW.0.to_be_bytes(), &signature].concat();
    let line = format!("{text}\u{2014} same {}\n", BASE64_STANDARD.encode(stamped));
    let verified = SignedCheckpoint::parse(line.as_bytes()).unwrap().verify(&log, &[witness], 0);
    assert_eq!(verified.map(drop), Err(LedgerError::BadSignature("same".into())));
}

#[test]
fn the_cosigned_message_is_that_of_the_specification() {
    let (_, log) = Disk::with(10, 10);
    let signer = key();
    let witness = Witness::new("w", Arc::clone(&signer), vec![log.key().clone()]).unwrap();
    let mut running = Running { witness, latest: None };
    let line = running.ask(&request(&log, 0).to_string(), UnixTime(1_679_315_147)).unwrap();
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let bytes = BASE64_STANDARD.decode(line.line().trim_end().rsplit(' ').next().unwrap()).unwrap();
    let text = String::from_utf8(log.latest().bytes().to_vec()).unwrap();
    let body = text.split_inclusive('\n').take(3).collect::<String>();
    let message = format!("cosignature/v1\ntime 1679315147\n{body}");
    assert_eq!(bytes[4..12], 1_679_315_147_u64.to_be_bytes());
    signer.public_key().verify(SignatureScheme::Ed25519, message.as_bytes(), &bytes[12..]).unwrap();
    // Key id: SHA-256(name, newline, 0x04, key), its first four bytes.
    let hashed = [b"w\n\x04", signer.public_key().bits()].concat();
    assert_eq!(bytes[..4], crypto::sha256(&hashed).0[..4]);
}

#[test]
fn answers_of_witnesses_are_read_with_care() {
    let (_, log) = Disk::with(10, 10);
    let mut witness = Running::new("w", &[log.key().clone()]);
    let request = request(&log, 0);
    let line = witness.ask(&request.to_string(), NOW).unwrap().line().to_owned();
    let keys = [witness.key()];
    let answer = |status, body: &str| request.answer(status, body.as_bytes(), &keys);
    assert!(matches!(answer(200, &line), Ok(Answer::Cosigned { .. })));
    // Lines of unknown keys beside it are left out.
    let Ok(Answer::Cosigned { checkpoint, cosignatures }) =
        answer(200, &format!("\u{2014} x AAAAAAAA\n{line}"))
    else {
        panic!("refused")
    };
    assert_eq!(cosignatures.len(), 1);
    assert!(!String::from_utf8_lossy(checkpoint.bytes()).contains(" x "));
    let none = Err(LedgerError::Quorum { have: 0, need: 1 });
    assert_eq!(answer(200, "\u{2014} x AAAAAAAA\n"), none);
    for body in ["", "x", line.trim_end(), &format!("text\n\n{line}"), &format!("\n{line}")] {
        assert!(matches!(answer(200, body), Err(LedgerError::Malformed { .. })), "{body:?}");
    }
    for body in ["", "10", "010\n", "+1\n", "x\n", "10\n\n", "99999999999999999999\n"] {
        assert!(matches!(answer(409, body), Err(LedgerError::Malformed { .. })), "{body:?}");
    }
    let refused = answer(403, "no\u{7}\nway\n").unwrap();
    assert_eq!(refused, Answer::Refused { status: 403, message: "noway".into() });
    // A 409 with the very size that was offered means another root.
    let same = AddCheckpoint { old_size: 10, proof: vec![], checkpoint: log.latest() };
    assert!(matches!(same.answer(409, b"10\n", &keys), Ok(Answer::Refused { status: 409, .. })));
}
