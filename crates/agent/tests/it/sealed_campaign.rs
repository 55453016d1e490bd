//! A sealed release and a sealed delta through the real platform: campaign, poll, tickets, agent.

use crate::{
    campaign::Maker,
    platform::{PRODUCT, Platform},
    sealed::{make_delta, seal},
    world::{Machine, image},
};
use device::{DeviceId, EventKind, ProductId};

/// A device that its owner lets the maker update, enrolled.
pub(crate) async fn told(platform: &Platform, maker: &Maker<'_>) -> Machine {
    on_record(platform, maker).await.0
}

async fn on_record(platform: &Platform, maker: &Maker<'_>) -> (Machine, DeviceId) {
    let (thing, idevid) = platform.sold().await;
    let owner = platform.owner.id.clone();
    let onboarded = EventKind::Onboarded { owner: owner.clone() };
    platform.report(&platform.owner, &thing.id, onboarded).await;
    let (service, product) = (&platform.service, ProductId::new(PRODUCT).unwrap());
    let caller = &platform.owner.caller;
    service.set_update_consent(caller, &owner, &maker.id, &product, true).await.unwrap();
    let mut machine = Machine::told_by(
        &platform.address,
        &platform.root.certificate().to_pem(),
        &maker.root,
        &thing.serial_number,
        &image(0, 1000),
    );
    machine.secret("idevid.pem", idevid.as_bytes());
    machine.settle(&mut |_| panic!("no start"));
    (machine, thing.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_releases_and_deltas_reach_the_slot_and_nobody_else() {
    let platform = Platform::new(86_400).await;
    let maker = Maker::new(&platform).await;
    let (mut machine, id) = on_record(&platform, &maker).await;
    let (service, caller) = (&platform.service, &platform.owner.caller);
    // What it found in itself is known to its owner.
    let tests = service.self_test(caller, &id).await.unwrap();
    assert!(tests.passed && tests.findings.iter().any(|one| one.test == "program"));

    let maker_caller = &platform.maker.caller;
    let first = image(1, 3 * 1024 * 1024);
    let release = maker.draft("1.0").await;
    let whole = seal(&first);
    maker.add(&release, "fw.img", &whole.bytes).await;
    service.give_content_key(maker_caller, &release, "fw.img", &whole.key).await.unwrap();
    maker.publish(&release, "1.0").await;
    maker.campaign(release).await;
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), first);

    // The next one by a sealed delta; ten thousand bytes instead of three million.
    let mut second = first.clone();
    second.splice(5000..5010, *b"what is new");
    let release = maker.draft("2.0").await;
    let (whole, (delta, header)) = (seal(&second), make_delta(&first, &second));
    let delta = seal(&delta);
    assert!(delta.bytes.len() < 10_000, "{} bytes", delta.bytes.len());
    maker.add(&release, "fw.img", &whole.bytes).await;
    maker.add(&release, "fw.delta", &delta.bytes).await;
    service.state_delta(maker_caller, &release, "fw.delta", header).await.unwrap();
    for (name, key) in [("fw.img", &whole.key), ("fw.delta", &delta.key)] {
        service.give_content_key(maker_caller, &release, name, key).await.unwrap();
    }
    maker.publish(&release, "2.0").await;
    let campaign = maker.campaign(release).await;
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), second);
    let view = service.campaign(maker_caller, &campaign).await.unwrap();
    assert_eq!(view.counts[0].succeeded, 1);
    let stored = std::fs::read_dir(machine.path("state")).unwrap();
    let names: Vec<_> = stored.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.contains(&"delta".into()), "{names:?}");
}
