//! The log through the service: tiles, proofs, witnesses, the check of everything.

use crate::{
    campaigns::{action, devices, new, plan, published, runs, says},
    releases::code,
    world::{World, config, id},
};
use crypto::{KeyAlgorithm, SoftwareKey, UnixTime};
use device::DeviceKind;
use device::{PassportFile, ReasonCode, VerifyOptions};
use ledger::{
    LogKey, SignedCheckpoint, WitnessKey, verify_consistency,
    witness::{Latest, Witness},
};
use service::{Clock as _, Config, ErrorKind, Execution, Setup, WitnessClient};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use update::campaign::{LogTrust, verify_assignment};

#[tokio::test]
async fn proofs_tiles_and_the_check() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let service = &world.service;
    let old = service.integrate_now().await.unwrap();
    let first = SignedCheckpoint::parse(&service.checkpoint()).unwrap();
    for _ in 0..20 {
        world.made(&maker, "gate", Vec::new()).await;
    }
    let new = service.integrate_now().await.unwrap();
    assert!(new >= old + 20);
    let key: LogKey = service.trust_store().await.unwrap().log_key.parse().unwrap();
    let second = SignedCheckpoint::parse(&service.checkpoint()).unwrap();
    let (first, second) =
        (first.verify(&key, &[], 0).unwrap(), second.verify(&key, &[], 0).unwrap());
    let proof = service.consistency(first.size, second.size).await.unwrap();
    verify_consistency(&proof, &first.root, &second.root).unwrap();
    let tile = service.tile(&format!("tile/0/000.p/{}", second.size)).await.unwrap();
    assert_eq!(tile.len() as u64, second.size * 32);
    assert_eq!(service.tile("tile/0/009").await.unwrap_err().kind(), ErrorKind::NotFound);
    for bad in ["tile/../tegata.db", "tile/0/../000", "/etc/passwd", "tile/0/1"] {
        assert_eq!(service.tile(bad).await.unwrap_err().kind(), ErrorKind::Malformed, "{bad}");
    }
    assert_eq!(service.inclusion(1 << 40).await.unwrap_err().kind(), ErrorKind::NotFound);
    let check = service.check_log(&world.platform_admin).await.unwrap();
    assert!(check.problems.is_empty(), "{:?}", check.problems);
    assert!(check.events_checked >= 20 && check.audit_heads_checked > 0);
    let health = service.health();
    assert!(health.ok && health.writer && health.integrated_at.is_some(), "{health:?}");
}

#[tokio::test]
async fn a_changed_tile_is_found() {
    // The log must stand still between the change and the check: it grows when it is told to.
    let world = World::with(Config { integrate_ms: 3_600_000, ..config() }).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    world.made(&maker, "gate", Vec::new()).await;
    let size = world.service.integrate_now().await.unwrap();
    let path = world.path().join(format!("log/tile/0/000.p/{size}"));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let check = world.service.check_log(&world.platform_admin).await.unwrap();
    assert!(!check.problems.is_empty());
}

struct InProcess {
    witness: Witness,
    key: String,
    latest: Mutex<Option<Latest>>,
}

impl WitnessClient for InProcess {
    fn key(&self) -> &str {
        &self.key
    }

    fn add_checkpoint(&self, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let mut latest = self.latest.lock().unwrap();
        let decided = self
            .witness
            .receive(body)
            .and_then(|request| request.decide(latest.as_ref(), UnixTime(crate::world::NOW)));
        match decided {
            Ok(accepted) => {
                *latest = Some(accepted.latest().clone());
                Ok((200, accepted.persisted().line().as_bytes().to_vec()))
            }
            Err(refusal) => Ok((refusal.status(), refusal.body().into_bytes())),
        }
    }
}

#[tokio::test]
async fn witnesses_cosign_and_passports_carry_it() {
    // The log's key exists only once the installation does: look first, then open with a witness.
    let world = World::new().await;
    let store = world.service.trust_store().await.unwrap();
    let signer = Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap());
    let witness =
        Witness::new("witness.example", signer, vec![store.log_key.parse().unwrap()]).unwrap();
    let key = witness.key().to_string();
    let client = InProcess { witness, key: key.clone(), latest: Mutex::new(None) };
    world.service.close();
    let config = Config { witnesses: vec![Arc::new(client)], ..config() };
    let service = crate::world::open(world.path(), config, &world.clock);
    service.integrate_now().await.unwrap();
    let log: LogKey = store.log_key.parse().unwrap();
    let witness: WitnessKey = key.parse().unwrap();
    let mut cosigned = None;
    for _ in 0..3000 {
        let checkpoint = SignedCheckpoint::parse(&service.checkpoint()).unwrap();
        cosigned = checkpoint.verify(&log, std::slice::from_ref(&witness), 1).ok();
        if cosigned.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(cosigned.expect("a cosigned checkpoint").size > 0);
    assert_eq!(store.platform, id("platform"));
    service.close();
}

/// A witness that cannot be reached until it is let.
struct Held {
    witness: InProcess,
    reachable: Arc<AtomicBool>,
}

impl WitnessClient for Held {
    fn key(&self) -> &str {
        self.witness.key()
    }

    fn add_checkpoint(&self, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        if self.reachable.load(Ordering::SeqCst) {
            return self.witness.add_checkpoint(body);
        }
        Err("not reachable".into())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_waits_for_witnesses_and_says_when_they_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap());
    let key =
        Witness::new("witness.example", signer.clone(), Vec::new()).unwrap().key().to_string();
    let setup = Setup { witness_keys: vec![key.clone()], quorum: 1, ..crate::world::setup() };
    let mut world = World::set_up(dir.path(), config(), setup).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let log: LogKey = world.service.trust_store().await.unwrap().log_key.parse().unwrap();
    let reachable = Arc::new(AtomicBool::new(false));
    let with = |wait: u64, passports_unwitnessed| {
        let witness = Witness::new("witness.example", signer.clone(), vec![log.clone()]).unwrap();
        let witness = InProcess { witness, key: key.clone(), latest: Mutex::new(None) };
        let held = Held { witness, reachable: reachable.clone() };
        Config {
            witnesses: vec![Arc::new(held)],
            cosignature_wait_ms: wait,
            passports_unwitnessed,
            ..config()
        }
    };
    let mut reopen = |config: Config| {
        world.service.close();
        world.service = crate::world::open(dir.path(), config, &world.clock);
        world.service.clone()
    };

    // Refused, as the installation asks for a witness.
    let service = reopen(with(200, false));
    let refused = service.export_passport(&maker.admin, &thing.id).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unavailable, "witnesses-missing"));
    // Handed out where the installation is told to, and it says what it lacks.
    let service = reopen(with(200, true));
    let bare = service.export_witnessed(&maker.admin, &thing.id).await.unwrap();
    assert_eq!((bare.cosignatures, bare.quorum, bare.is_witnessed()), (0, 1, false));
    // Waited for: the witness comes back while the export waits.
    let service = reopen(with(60_000, false));
    let waiting = {
        let (service, admin, device) = (service.clone(), maker.admin.clone(), thing.id);
        tokio::spawn(async move { service.export_witnessed(&admin, &device).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "it did not wait");
    reachable.store(true, Ordering::SeqCst);
    let whole = waiting.await.unwrap().unwrap();
    assert_eq!((whole.cosignatures, whole.is_witnessed()), (1, true));

    let mut anchors = crate::verdict::trust(&world).await;
    anchors.witnesses = vec![key.parse().unwrap()];
    anchors.quorum = 1;
    for (file, missing) in [(&bare, true), (&whole, false)] {
        let file = PassportFile::parse(&file.bytes).unwrap();
        let verdict = file.verify(&anchors, &VerifyOptions::default(), world.clock.now());
        assert_eq!(verdict.has(ReasonCode::WitnessesMissing), missing, "{:?}", verdict.reasons);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_of_an_assignment_waits_for_the_witnesses_and_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap());
    let key =
        Witness::new("witness.example", signer.clone(), Vec::new()).unwrap().key().to_string();
    let setup = Setup { witness_keys: vec![key.clone()], quorum: 1, ..crate::world::setup() };
    let mut world = World::set_up(dir.path(), config(), setup).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let one = published(&world.service, &maker, "1.0", 1).await;
    let two = published(&world.service, &maker, "2.0", 1).await;
    let fleet = devices(&world, &maker, 3).await;
    let log: LogKey = world.service.trust_store().await.unwrap().log_key.parse().unwrap();
    let reachable = Arc::new(AtomicBool::new(false));
    let witness = Witness::new("witness.example", signer, vec![log.clone()]).unwrap();
    let witness = InProcess { witness, key: key.clone(), latest: Mutex::new(None) };
    let held = Held { witness, reachable: reachable.clone() };
    world.service.close();
    let config = Config { witnesses: vec![Arc::new(held)], ..config() };
    world.service = crate::world::open(dir.path(), config, &world.clock);
    let service = &world.service;
    let wanted = new("maker", &two, plan(&[(10_000, 100, 100)]));
    let campaign = service.create_campaign(&maker.admin, wanted).await.unwrap();
    service.start_campaign(&maker.admin, &campaign.id).await.unwrap();
    let running = runs(&one);
    let told = |at: usize| service.poll_update(&fleet[at].1, &running);
    let number = action(&told(0).await.unwrap());
    let proof = || service.assignment_proof(&fleet[0].1, number);
    // In the log, and no witness has seen it: not to be believed yet.
    service.integrate_now().await.unwrap();
    let early = proof().await.unwrap_err();
    assert_eq!((early.kind(), early.code()), (ErrorKind::Unavailable, "proof-pending"));
    reachable.store(true, Ordering::SeqCst);
    let mut seen = Err(early);
    for _ in 0..3000 {
        seen = proof().await;
        match &seen {
            Ok(_) => break,
            Err(error) => assert_eq!(error.code(), "proof-pending"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let trust = LogTrust { logs: vec![log], witnesses: vec![key.parse().unwrap()], quorum: 1 };
    let file = (two.artifacts[0].path.as_str(), &two.artifacts[0].sha256);
    verify_assignment(&seen.unwrap(), &trust, &fleet[0].0, file).unwrap();
    // The log goes on and the witness does not: what it saw still proves what it covers.
    reachable.store(false, Ordering::SeqCst);
    published(service, &maker, "3.0", 1).await;
    service.integrate_now().await.unwrap();
    verify_assignment(&proof().await.unwrap(), &trust, &fleet[0].0, file).unwrap();
    // Another device that is told it too; a stranger's action; what is not to be gone on with.
    let other = action(&told(1).await.unwrap());
    assert!(service.assignment_proof(&fleet[1].1, other).await.is_ok());
    assert_eq!(code(service.assignment_proof(&fleet[1].1, number).await), "not-found");
    service.update_feedback(&fleet[1].1, other, &says(Execution::Downloading)).await.unwrap();
    service.withdraw_release(&maker.admin, &two.id, "it does not start").await.unwrap();
    for (at, number) in [(0, number), (1, other)] {
        let proof = service.assignment_proof(&fleet[at].1, number).await;
        assert_eq!(code(proof), "not-found", "of a release that was withdrawn");
    }
}
