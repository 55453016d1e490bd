//! The log through the service: tiles, proofs, witnesses, the check of everything.

use crate::world::{World, config, id};
use crypto::{KeyAlgorithm, SoftwareKey, UnixTime};
use device::DeviceKind;
use ledger::{
    LogKey, SignedCheckpoint, WitnessKey, verify_consistency,
    witness::{Latest, Witness},
};
use service::{Config, ErrorKind, WitnessClient};
use std::sync::{Arc, Mutex};

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
