//! Whoever edits the database is found out.

use crate::world::{World, config, key, open};
use device::{DeviceKind, ReasonCode, SignedEvent};
use service::{Config, Page, VerifyRequest};

/// Edits the database behind the service's back.
fn edit(world: &World, sql: &str) {
    let connection = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn edits_of_a_devices_record_show_in_its_verdict() {
    let cases: &[(&str, &str)] = &[
        (
            "an event",
            // Another last byte, whatever it was: one signature in 256 ends with a zero already.
            "UPDATE event SET cose = CAST(substr(cose, 1, length(cose) - 1) || CASE substr(cose, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB) WHERE device = ? AND sequence = 2",
        ),
        ("a salt", "UPDATE event SET salt = zeroblob(32) WHERE device = ? AND sequence = 2"),
        (
            "a leaf",
            "UPDATE leaf SET commitment = zeroblob(32) WHERE idx = (SELECT leaf FROM event WHERE device = ? AND sequence = 3)",
        ),
        ("the owner", "UPDATE device SET owner = maker WHERE id = ?"),
        ("the standing", "UPDATE device SET standing = 2 WHERE id = ?"),
        (
            "the state",
            "UPDATE device SET state = (SELECT state FROM device WHERE id = 1) WHERE id = ?",
        ),
        (
            "the end of the history",
            "DELETE FROM event WHERE device = ? AND sequence = (SELECT max(sequence) FROM event WHERE device = ?)",
        ),
        ("an event in the middle", "DELETE FROM event WHERE device = ? AND sequence = 2"),
        ("the chain, cut", "UPDATE event SET previous = NULL WHERE device = ? AND sequence = 2"),
        (
            "the chain, past an event",
            "UPDATE event SET previous = (SELECT previous FROM event WHERE device = ? AND sequence = 2) WHERE device = ? AND sequence = 3",
        ),
        (
            "the chain, in a circle",
            "UPDATE event SET previous = (SELECT last_leaf FROM device WHERE id = ?) WHERE device = ? AND sequence = 2",
        ),
        (
            "the chain, into another device",
            "UPDATE event SET previous = (SELECT last_leaf FROM device WHERE id = 1) WHERE device = ? AND sequence = 3",
        ),
        ("the end of the chain", "UPDATE device SET last_leaf = NULL WHERE id = ?"),
        (
            "two events",
            "UPDATE event SET sequence = -sequence WHERE device = ? AND sequence IN (2, 3); UPDATE event SET sequence = 5 + sequence WHERE device = ? AND sequence < 0",
        ),
    ];
    for (what, sql) in cases {
        let world = World::new().await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        world.working(&maker, "gate", &owner).await;
        let working = world.working(&maker, "gate", &owner).await;
        world.service.integrate_now().await.unwrap();
        let ask = || world.service.prove(&working.thing.id, VerifyRequest::default());
        let before = ask().await.unwrap();
        assert!(!before.has(ReasonCode::HistoryAltered), "{what}: {:?}", before.reasons);
        edit(&world, &sql.replace('?', "2"));
        let after = ask().await.unwrap();
        assert!(after.has(ReasonCode::HistoryAltered), "{what}: {:?}", after.reasons);
    }
}

#[tokio::test]
async fn a_leaf_and_its_event_changed_together_are_caught_by_the_signed_tree() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    world.service.integrate_now().await.unwrap();
    let history = world.service.history(&maker.admin, &thing.id, &Page::default()).await.unwrap();
    let event = &history.items[0];
    // The forger keeps contents, commitment, head and state consistent; only the tree is signed.
    let commitment = ledger::commit(&[7; 32], event.cose.as_ref().unwrap());
    let known = event.commitment.unwrap();
    let (old, new) = (hex::encode(known.as_bytes()), hex::encode(commitment.as_bytes()));
    edit(
        &world,
        &format!(
            "UPDATE event SET salt = x'{}' WHERE leaf = {leaf};
             UPDATE leaf SET commitment = x'{new}' WHERE idx = {leaf};
             UPDATE device SET head = x'{new}',
                state = unhex(replace(lower(hex(state)), '{old}', '{new}'));",
            "07".repeat(32),
            leaf = event.leaf
        ),
    );
    let verdict = world.service.prove(&thing.id, VerifyRequest::default()).await.unwrap();
    assert!(verdict.has(ReasonCode::HistoryAltered), "{:?}", verdict.reasons);
    let refused = world.service.export_passport(&maker.admin, &thing.id).await.unwrap_err();
    assert_eq!(refused.code(), "history-altered");
    let check = world.service.check_log(&world.platform_admin).await.unwrap();
    assert!(!check.problems.is_empty());
}

#[tokio::test]
async fn the_audit_chain_cannot_be_edited_or_cut() {
    let edits = [
        "UPDATE audit SET event = (SELECT event FROM audit WHERE seq = 2) WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 4",
        "DELETE FROM audit WHERE seq > 5",
        "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3",
    ];
    for sql in edits {
        let world = World::new().await;
        world.maker("maker", "gate", DeviceKind::Device).await;
        world.service.integrate_now().await.unwrap();
        let admin = &world.platform_admin;
        let good = world.service.audit_verify(admin).await.unwrap();
        assert_eq!(good.broken, None);
        assert!(good.events > 10 && good.anchors > 0);
        edit(&world, &format!("PRAGMA foreign_keys = OFF; {sql};"));
        let bad = world.service.audit_verify(admin).await.unwrap();
        assert!(bad.broken.is_some(), "{sql}");
    }
}

#[tokio::test]
async fn a_store_that_goes_back_in_time_does_not_sign_again() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    world.service.close();
    let database = world.path().join("tegata.db");
    let backup = std::fs::read(&database).unwrap();
    let service = open(world.path(), config(), &world.clock);
    let head = service.head(&maker.station, &thing.id).await.unwrap();
    assert_eq!(head.next_sequence, 1);
    service.integrate_now().await.unwrap();
    service.close();
    std::fs::write(&database, backup).unwrap();
    let old = service::Service::open(
        world.path(),
        &crypto::sealed::Unlock::KeyFile(&crate::world::key_file()),
        config(),
        world.clock.clone(),
    );
    let error = old.unwrap_err();
    assert_eq!((error.kind(), error.code()), (service::ErrorKind::Fatal, "log-in-doubt"));
}

#[tokio::test]
async fn a_forged_event_that_no_checkpoint_covers_yet_is_caught_by_its_signature() {
    let world = World::with(Config { integrate_ms: 3_600_000, ..config() }).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let thing = world.made(&maker, "gate", Vec::new()).await;
    let ask = || world.service.prove(&thing.id, VerifyRequest::default());
    let history = world.service.history(&maker.admin, &thing.id, &Page::default()).await.unwrap();
    let event = &history.items[0];
    let known = SignedEvent::parse(event.cose.as_ref().unwrap()).unwrap();
    let forged = SignedEvent::sign(&key(), known.unverified()).unwrap();
    let commitment = forged.commitment(&event.salt.unwrap());
    let old = hex::encode(event.commitment.unwrap().as_bytes());
    let new = hex::encode(commitment.as_bytes());
    edit(
        &world,
        &format!(
            "UPDATE event SET cose = x'{}' WHERE leaf = {leaf};
             UPDATE leaf SET commitment = x'{new}' WHERE idx = {leaf};
             UPDATE device SET head = x'{new}',
                state = unhex(replace(lower(hex(state)), '{old}', '{new}'));",
            hex::encode(forged.as_bytes()),
            leaf = event.leaf
        ),
    );
    let verdict = ask().await.unwrap();
    assert!(verdict.has(ReasonCode::HistoryAltered), "{:?}", verdict.reasons);
}
