//! What is on record of who shook hands by datagrams and is not welcome.

use crate::{raw_keys::knock, world::World};
use audit::Kind;
use crypto::Signer as _;
use service::AuditQuery;

/// What the record says of this kind, with all these words.
async fn recorded(world: &World, kind: Kind, words: &[&str]) -> usize {
    let local = world.service.local_administrator();
    let page = service::Page { after: None, limit: 200 };
    let query = AuditQuery::default();
    let events = world.service.audit_trail(&local, &query, &page).await.unwrap().items;
    let said = events.iter().filter(|view| view.event.kind() == kind);
    let said = said.map(|view| format!("{:?}", view.event));
    said.filter(|event| words.iter().all(|word| event.contains(word))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_store_cannot_say_who_may_be_here_is_on_record() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let thing = world.made(&maker, "gate").await;
    world.idevid(&maker, "gate", &thing).await;
    let key = thing.key.public_key().fingerprint().to_string();
    // Whose the key is can be read, and its device cannot.
    let store = rusqlite::Connection::open(world.path().join("tegata.db")).unwrap();
    store.execute_batch("ALTER TABLE device RENAME TO away").unwrap();
    for _ in 0..50 {
        knock(&world, &thing).await;
        if recorded(&world, Kind::Connection, &["the store"]).await > 0 {
            break;
        }
    }
    store.execute_batch("ALTER TABLE away RENAME TO device").unwrap();
    assert!(recorded(&world, Kind::Connection, &["the store"]).await > 0);
    assert_eq!(recorded(&world, Kind::Authentication, &[&key]).await, 0);
    assert_eq!(recorded(&world, Kind::Authentication, &["store"]).await, 0);
}
