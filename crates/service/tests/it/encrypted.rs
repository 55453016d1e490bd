//! Messages that their device encrypted for its owner (GW-4): the owner's present and former keys open them,
//! nobody else's; keys end when they should.

use crate::{
    signed::{Stage, allow, at_door, carry, send},
    world::Org,
};
use admission::{EncryptedMessage, Recipient, SignedMessage};
use pki::validate::Anchors;
use service::{MessageKeyView, NewMessageKey, Page, Service};

const DAY: i64 = 86_400;

async fn replace(service: &Service, org: &Org, accept_former_s: i64) -> MessageKeyView {
    let new = NewMessageKey { reason: "for a test".into(), accept_former_s };
    service.replace_message_key(&org.admin, &org.id, &new).await.unwrap()
}

impl Stage {
    /// As a device finds it, that trusts the root.
    fn recipient(&self, key: &MessageKeyView, organisation: &str) -> Recipient {
        let anchors: Anchors = [self.world.root.certificate().clone()].into_iter().collect();
        let now = service::Clock::now(&*self.world.clock);
        Recipient::of(&key.chain, &anchors, organisation, now).unwrap()
    }
}

#[tokio::test]
async fn what_is_encrypted_for_its_owner_is_taken_as_what_was_signed() {
    let stage = Stage::new().await;
    let (service, owner) = (&stage.world.service, &stage.owner);
    let meter = stage.meter.thing.id;
    let own = at_door(service, &stage.meter).await;
    assert_eq!(service.message_key_of(&own).unwrap_err().code(), "no-message-key");
    let key = replace(service, owner, 0).await;
    assert_eq!(service.message_key_of(&own).unwrap().chain, key.chain);
    let recipient = stage.recipient(&key, "owner");
    assert_eq!(recipient.name(), key.key);
    let signed = stage.signed(1, "up/meter");
    let message = recipient.encrypt(&signed).unwrap();
    // Who carries it does not see what it says, nor what is altered.
    assert!(!message.windows(5).any(|part| part == b"meter" || part == b"\"kwh\""));
    for at in (0..message.len()).step_by(11) {
        let mut altered = message.clone();
        altered[at] ^= 1;
        assert_eq!(stage.carry(&altered).await, Err("protection"), "byte {at}");
    }
    assert_eq!(stage.carry(&message).await, Ok(()));
    let kept = service.messages(&owner.admin, &meter, &Page::default()).await.unwrap().items;
    assert_eq!((kept.len(), kept[0].topic.as_str(), kept[0].encrypted), (1, "up/meter", true));
    assert_eq!(kept[0].payload, b"{\"kwh\":7}");
    assert_eq!(kept[0].signed_by, Some(stage.meter.ldevid.certificate.fingerprint()));
    assert_eq!(kept[0].carrier, Some(stage.gateway.device()));
    // Once is once, encrypted again or not at all.
    assert_eq!(stage.carry(&message).await, Err("replayed"));
    assert_eq!(stage.carry(&recipient.encrypt(&signed).unwrap()).await, Err("replayed"));
    assert_eq!(stage.carry(&signed).await, Err("replayed"));
    // The device brings one itself; one that is only signed is shown as such.
    let second = recipient.encrypt(&stage.signed(2, "up/meter")).unwrap();
    assert_eq!(carry(service, &own, &meter, &second).await, Ok(()));
    assert_eq!(stage.carry(&stage.signed(3, "up/meter")).await, Ok(()));
    let kept = service.messages(&owner.admin, &meter, &Page::default()).await.unwrap().items;
    assert_eq!([kept[0].encrypted, kept[1].encrypted], [false, true]);
    // What is encrypted is judged as what is not: another key's signature, another device's place.
    let other = stage.world.working(&stage.maker, "gate", owner).await;
    let forged = stage.says(4, "up/meter").sign(&other.local_key).unwrap();
    let forged = recipient.encrypt(&forged).unwrap();
    assert_eq!(stage.carry(&forged).await, Err("protection"));
    let fourth = recipient.encrypt(&stage.signed(4, "up/meter")).unwrap();
    let moved = carry(service, &stage.gateway, &other.thing.id, &fourth).await;
    assert_eq!(moved, Err("protection"));
    assert_eq!(stage.carry(&fourth).await, Ok(()));
}

#[tokio::test]
async fn keys_of_one_organisation_open_nothing_of_anothers() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let foreign = stage.world.owner("foreign").await;
    let theirs = replace(service, &foreign, 0).await;
    let recipient = stage.recipient(&theirs, "foreign");
    // The platform has that key, too: a device of another's does not speak for it.
    let message = recipient.encrypt(&stage.signed(1, "up/meter")).unwrap();
    assert_eq!(stage.carry(&message).await, Err("protection"));
    replace(service, &stage.owner, 0).await;
    assert_eq!(stage.carry(&message).await, Err("protection"));
    // What their device may read, it does not carry to them: it stays the other owner's message.
    let device = stage.world.working(&stage.maker, "gate", &foreign).await;
    let device = at_door(service, &device).await;
    allow(service, &foreign, &device.device()).await;
    let meter = stage.meter.thing.id;
    assert_eq!(carry(service, &device, &meter, &message).await, Err("topic"));
    // Encrypted for them, said by a device of the owner, brought to a device of theirs.
    let place = device.device();
    let said = SignedMessage { device: place, ..stage.says(1, "up/meter") };
    let said = recipient.encrypt(&said.sign(&stage.meter.local_key).unwrap()).unwrap();
    assert_eq!(carry(service, &device, &place, &said).await, Err("protection"));
    // Neither reads nor replaces the other's keys.
    let foreign_admin = &foreign.admin;
    let read = service.message_keys(foreign_admin, &stage.owner.id).await;
    assert_eq!(read.unwrap_err().code(), "not-found");
    let new = NewMessageKey { reason: "mine".into(), accept_former_s: 0 };
    let made = service.replace_message_key(foreign_admin, &stage.owner.id, &new).await;
    assert_eq!(made.unwrap_err().code(), "not-found");
    for who in [&stage.owner.reader, &stage.owner.station] {
        let made = service.replace_message_key(who, &stage.owner.id, &new).await;
        assert_eq!(made.unwrap_err().code(), "role");
    }
    assert_eq!(service.message_keys(&stage.owner.reader, &stage.owner.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_former_key_is_accepted_for_its_time_and_then_destroyed() {
    let stage = Stage::new().await;
    let (service, owner) = (&stage.world.service, &stage.owner);
    let first = stage.recipient(&replace(service, owner, 0).await, "owner");
    let second = stage.recipient(&replace(service, owner, 7 * DAY).await, "owner");
    let mut count = 0;
    let mut by = |recipient: &Recipient| {
        count += 1;
        recipient.encrypt(&stage.signed(count, "up/meter")).unwrap()
    };
    assert_eq!(stage.carry(&by(&first)).await, Ok(()));
    assert_eq!(stage.carry(&by(&second)).await, Ok(()));
    stage.world.clock.advance(7 * DAY - 1);
    assert_eq!(stage.carry(&by(&first)).await, Ok(()));
    // Over before anybody tidied up.
    stage.world.clock.advance(1);
    assert_eq!(stage.carry(&by(&first)).await, Err("protection"));
    assert_eq!(stage.carry(&by(&second)).await, Ok(()));
    service.tend_message_keys().await.unwrap();
    let keys = service.message_keys(&owner.admin, &owner.id).await.unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].accepted_until.is_none() && keys[0].destroyed_at.is_none());
    assert!(keys[1].destroyed_at.is_some());
    let revoked = service
        .certificate_by_fingerprint(&owner.admin, &keys[1].chain[0].fingerprint())
        .await
        .unwrap();
    assert!(revoked.revoked.is_some());
    // At once, where somebody may have it: all of them.
    let third = stage.recipient(&replace(service, owner, 7 * DAY).await, "owner");
    let fourth = stage.recipient(&replace(service, owner, 0).await, "owner");
    for gone in [&second, &third] {
        assert_eq!(stage.carry(&by(gone)).await, Err("protection"));
    }
    assert_eq!(stage.carry(&by(&fourth)).await, Ok(()));
    let keys = service.message_keys(&owner.admin, &owner.id).await.unwrap();
    let destroyed = keys.iter().filter(|key| key.destroyed_at.is_some()).count();
    assert_eq!((keys.len(), destroyed), (4, 3));
    // What was wrong is told to the owner alone.
    service.settle_messages().await.unwrap();
    let refused = service.refused_messages(&owner.admin, &stage.gateway.device()).await.unwrap();
    let why = refused.iter().find(|line| line.reason.code() == "protection").unwrap();
    assert!(why.last_detail.as_deref().unwrap().contains("does not decrypt"), "{why:?}");
    for (reason, accept_former_s, code) in
        [("", 0, "reason"), ("x", -1, "accept-former"), ("x", 367 * DAY, "accept-former")]
    {
        let new = NewMessageKey { reason: reason.into(), accept_former_s };
        let wrong = service.replace_message_key(&owner.admin, &owner.id, &new).await;
        assert_eq!(wrong.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn another_key_takes_the_place_of_one_that_grows_old() {
    let stage = Stage::new().await;
    let (service, owner) = (&stage.world.service, &stage.owner);
    let first = replace(service, owner, 0).await;
    service.tend_message_keys().await.unwrap();
    assert_eq!(service.message_keys(&owner.admin, &owner.id).await.unwrap().len(), 1);
    stage.world.clock.advance(245 * DAY);
    service.tend_message_keys().await.unwrap();
    let keys = service.message_keys(&owner.admin, &owner.id).await.unwrap();
    assert_eq!(keys.len(), 2);
    // Who has the former certificate uses it to its end.
    assert_eq!(keys[1].accepted_until, Some(first.chain[0].not_after()));
}

#[tokio::test]
async fn a_key_that_nothing_took_the_place_of_ends_with_its_certificate() {
    let stage = Stage::new().await;
    let (service, owner) = (&stage.world.service, &stage.owner);
    let key = replace(service, owner, 0).await;
    stage.world.clock.advance(366 * DAY);
    service.tend_message_keys().await.unwrap();
    let keys = service.message_keys(&owner.admin, &owner.id).await.unwrap();
    assert_eq!((keys.len(), keys[0].key), (1, key.key));
    assert!(keys[0].destroyed_at.is_some() && keys[0].accepted_until.is_some());
}

#[tokio::test]
async fn a_key_is_destroyed_without_another_and_by_its_own_organisation_alone() {
    let stage = Stage::new().await;
    let (service, owner) = (&stage.world.service, &stage.owner);
    let foreign = stage.world.owner("foreign").await;
    let key = replace(service, owner, 0).await;
    let own = at_door(service, &stage.meter).await;
    let admin = &owner.admin;
    // A certificate on hold is handed out to nobody.
    let leaf = key.chain[0].fingerprint();
    let held = service.certificate_by_fingerprint(admin, &leaf).await.unwrap();
    service.suspend_certificate(admin, &held.id).await.unwrap();
    assert_eq!(service.message_key_of(&own).unwrap_err().code(), "no-message-key");
    service.release_certificate(admin, &held.id).await.unwrap();
    assert!(service.message_key_of(&own).is_ok());
    service.suspend_certificate(admin, &held.id).await.unwrap();
    for (who, id, reason, code) in [
        (&foreign.admin, &owner.id, "x", "not-found"),
        (&foreign.admin, &foreign.id, "x", "not-found"),
        (&owner.reader, &owner.id, "x", "role"),
        (admin, &owner.id, "", "reason"),
    ] {
        let refused = service.destroy_message_key(who, id, &key.key, reason).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    let recipient = stage.recipient(&key, "owner");
    let message = recipient.encrypt(&stage.signed(1, "up/meter")).unwrap();
    let gone = service.destroy_message_key(admin, &owner.id, &key.key, "stolen").await.unwrap();
    assert_eq!(gone.accepted_until, gone.destroyed_at);
    assert!(gone.destroyed_at.is_some());
    assert_eq!(stage.carry(&message).await, Err("protection"));
    // What was on hold is revoked for good.
    let ended = service.certificate_by_fingerprint(admin, &leaf).await.unwrap();
    assert!(ended.revoked.is_some());
    assert!(service.release_certificate(admin, &held.id).await.is_err());
    assert_eq!(service.message_key_of(&own).unwrap_err().code(), "no-message-key");
    // Once is once, and another takes its place.
    let again = service.destroy_message_key(admin, &owner.id, &key.key, "stolen").await.unwrap();
    assert_eq!(again, gone);
    replace(service, owner, 0).await;
    assert!(service.message_key_of(&own).is_ok());
}

#[tokio::test]
async fn where_encryption_is_wanted_a_signature_is_not_enough() {
    let stage = Stage::new().await;
    let (service, admin) = (&stage.world.service, &stage.maker.admin);
    let line = "gate".parse().unwrap();
    let of = (&stage.maker.id, &line);
    let wanted = (Vec::new(), Some(vec!["up/meter/#".to_owned()]));
    service.set_signed_topics(admin, of, wanted).await.unwrap();
    // Who does not speak of encryption leaves it.
    let set = service.set_signed_topics(admin, of, (Vec::new(), None)).await.unwrap();
    assert_eq!((set.topics.len(), set.encrypted.len()), (0, 1));
    assert_eq!(service.signed_topics(admin, of.0, of.1).await.unwrap(), set);
    let recipient = stage.recipient(&replace(service, &stage.owner, 0).await, "owner");
    assert_eq!(stage.carry(&stage.signed(1, "up/meter")).await, Err("protection"));
    let own = at_door(service, &stage.meter).await;
    let plain = send(service, &own, &format!("d/{}/up/meter", own.device()), b"7").await;
    assert_eq!(plain, Err("protection"));
    let encrypted = recipient.encrypt(&stage.signed(2, "up/meter")).unwrap();
    assert_eq!(stage.carry(&encrypted).await, Ok(()));
    assert_eq!(stage.carry(&stage.signed(3, "up/other")).await, Ok(()));
}

#[test]
fn what_begins_otherwise_is_not_read_as_encrypted() {
    for other in [&b""[..], b"\xd2", b"\xd8", b"\xd8\x61", b"\xd8\x12"] {
        assert!(!EncryptedMessage::is_one(other));
    }
}
