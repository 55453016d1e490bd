//! Claims on parts: who never had a part in its hands accuses nobody but itself.

use crate::world::{Org, Thing, World, product};
use device::{DeviceId, DeviceKind, EventKind, Part, ReasonCode};
use service::{EnrolRequest, Page, VerifyRequest};

async fn chip(world: &World, chips: &Org) -> Part {
    let device = DeviceId::from_bytes(crypto::random::bytes());
    let kind = EventKind::ChipMade {
        build: device::Build::MassProduction,
        product: Some(product("chip")),
        root_of_trust: device::RootOfTrust::SecureElement,
        key: crypto::sha256(device.as_bytes()),
    };
    world.report(chips, &device, kind).await.unwrap();
    Part { device, kind: DeviceKind::Chip }
}

async fn deliver(world: &World, from: &Org, to: &Org, part: &Part) {
    let shipped = EventKind::Shipped { to: to.id.clone() };
    world.report(from, &part.device, shipped).await.unwrap();
    let received = EventKind::Received { from: from.id.clone() };
    world.report(to, &part.device, received).await.unwrap();
}

async fn duplicated(world: &World, device: &DeviceId) -> bool {
    let verdict = world.service.prove(device, VerifyRequest::default()).await.unwrap();
    verdict.has(ReasonCode::PartDuplicated)
}

async fn events(world: &World, org: &Org, thing: &Thing) -> usize {
    world.service.history(&org.admin, &thing.id, &Page::default()).await.unwrap().items.len()
}

#[tokio::test]
async fn a_strangers_claim_accuses_the_stranger_alone() {
    let world = World::new().await;
    let chips = world.maker("chips", "chip", DeviceKind::Chip).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let vandal = world.maker("vandal", "fake", DeviceKind::Device).await;
    let part = chip(&world, &chips).await;
    deliver(&world, &chips, &maker, &part).await;
    let genuine = world.made(&maker, "gate", vec![part]).await;
    let installed = EventKind::InstalledInto { host: genuine.id };
    world.report(&maker, &part.device, installed).await.unwrap();
    let fake = world.made(&vandal, "fake", vec![part]).await;
    assert!(duplicated(&world, &fake.id).await);
    assert!(!duplicated(&world, &genuine.id).await);
    assert!(!duplicated(&world, &part.device).await);
    assert_eq!(events(&world, &maker, &genuine).await, 1, "no alarm enters its history");
    assert_eq!(events(&world, &vandal, &fake).await, 2, "it enters the claimer's");
    // The chip still speaks for the device that it sits in.
    let request = EnrolRequest {
        label: Some(product("gate")),
        csr: crate::world::csr(&genuine.key, &genuine.serial),
    };
    world.service.enrol_device(&maker.station, &request, None).await.unwrap();
}

#[tokio::test]
async fn a_claim_made_first_is_no_better_for_that() {
    let world = World::new().await;
    let chips = world.maker("chips", "chip", DeviceKind::Chip).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let vandal = world.maker("vandal", "fake", DeviceKind::Device).await;
    // The vandal has learned the chip's id, before or after it was made.
    let part = chip(&world, &chips).await;
    let fake = world.made(&vandal, "fake", vec![part]).await;
    assert!(!duplicated(&world, &fake.id).await);
    deliver(&world, &chips, &maker, &part).await;
    let genuine = world.made(&maker, "gate", vec![part]).await;
    assert!(!duplicated(&world, &genuine.id).await);
    assert!(duplicated(&world, &fake.id).await);
    assert_eq!(events(&world, &maker, &genuine).await, 1);
}

#[tokio::test]
async fn who_had_the_part_in_its_hands_raises_the_alarm_everywhere() {
    let world = World::new().await;
    let chips = world.maker("chips", "chip", DeviceKind::Chip).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let part = chip(&world, &chips).await;
    deliver(&world, &chips, &maker, &part).await;
    let first = world.made(&maker, "gate", vec![part]).await;
    let second = world.made(&maker, "gate", vec![part]).await;
    for device in [&first.id, &second.id, &part.device] {
        assert!(duplicated(&world, device).await);
    }
}
