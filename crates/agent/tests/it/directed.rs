//! With nothing played but the boot loader: the platform's director, the maker's image repository
//! and the log, and a device that believes no one of them alone.

use crate::{
    campaign::Maker,
    platform::{PRODUCT, Platform},
    world::{Machine, image},
};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use device::{EventKind, ProductId};
use service::{CampaignDeviceFilter, CampaignId, DirectorView, Page};
use update::{
    Key, Limits, Root, Signed, Signers,
    director::{RootKeys, draft_root},
    repository::sign_as,
};

/// The next root of a director, with the newest online keys.
fn root(
    view: &DirectorView,
    offline: &SoftwareKey,
    before: Option<&[u8]>,
    platform: &Platform,
) -> Vec<u8> {
    let online = |role: &str| {
        let key = view.keys.iter().rfind(|key| key.role == role).unwrap();
        Key::from_file(key.public.as_bytes()).unwrap()
    };
    let first =
        Signers { keys: vec![Key::from_public(offline.public_key()).unwrap()], threshold: 1 };
    let keys = RootKeys {
        root: Some(first),
        targets: online("targets"),
        snapshot: online("snapshot"),
        timestamp: online("timestamp"),
    };
    let before = before.map(|bytes| Signed::<Root>::parse(bytes, &Limits::DEFAULT).unwrap());
    let expires = platform.service.now().plus(365 * 86_400);
    let root = draft_root(before.as_ref().map(Signed::unverified), &keys, expires).unwrap();
    let mut signed = Signed::draft(root);
    let authority = signed.own_authority();
    sign_as(&mut signed, &authority, offline).unwrap();
    signed.to_bytes().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_obeys_director_image_repository_and_log_together() {
    let platform = Platform::new(86_400).await;
    let maker = Maker::new(&platform).await;
    let (service, admin) = (&platform.service, &platform.maker.caller);
    let offline = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let view = service.begin_director(admin, &maker.id).await.unwrap();
    let first_root = root(&view, &offline, None, &platform);
    service.push_director_root(admin, &maker.id, first_root.clone()).await.unwrap();
    let (thing, idevid) = platform.sold().await;
    let owner = platform.owner.id.clone();
    let onboarded = EventKind::Onboarded { owner: owner.clone() };
    platform.report(&platform.owner, &thing.id, onboarded).await;
    let product = ProductId::new(PRODUCT).unwrap();
    let consenting = &platform.owner.caller;
    service.set_update_consent(consenting, &owner, &maker.id, &product, true).await.unwrap();

    let mut machine = Machine::told_by(
        &platform.address,
        &platform.root.certificate().to_pem(),
        &maker.root,
        &thing.serial_number,
        &image(0, 1000),
    );
    machine.secret("idevid.pem", idevid.as_bytes());
    machine.write("director.json", &first_root);
    let plain = String::from_utf8(machine.read("agent.toml")).unwrap();
    let at = machine.path("").display().to_string();
    let at = at.trim_end_matches('/').to_owned();
    let log = service.trust_store().await.unwrap().log_key;
    let configured = |log: &str, more: &str| {
        let id = format!("[identity]\ndevice = \"{}\"\n", thing.id);
        let tables = format!(
            "[director]\norganisation = \"maker\"\nroot = \"{at}/director.json\"\n\
             [log]\nkeys = [\"{log}\"]\n{more}[slots]\n"
        );
        plain.replace("[identity]\n", &id).replace("[slots]\n", &tables)
    };
    machine.write("agent.toml", configured(&log, "").as_bytes());
    // It enrols, and the director says to it that there is nothing.
    machine.settle(&mut |_| panic!("no start"));

    let succeeded = async |campaign: CampaignId| {
        service.campaign(admin, &campaign).await.unwrap().counts[0].succeeded
    };
    let said = async |campaign: CampaignId| {
        let (all, page) = (CampaignDeviceFilter::All, Page::default());
        let devices = service.campaign_devices(admin, &campaign, all, &page).await.unwrap();
        devices.items[0].detail.clone().unwrap_or_default()
    };
    let first = image(1, 100_000);
    let campaign = maker.campaign(maker.release("1.0", &first).await).await;
    service.integrate_now().await.unwrap();
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), first);
    assert_eq!(succeeded(campaign).await, 1);

    // The director's online keys are changed by a root that was signed offline.
    let view = service.rotate_director_keys(admin, &maker.id).await.unwrap();
    let second_root = root(&view, &offline, Some(&first_root), &platform);
    service.push_director_root(admin, &maker.id, second_root.clone()).await.unwrap();
    let second = image(2, 1000);
    let campaign = maker.campaign(maker.release("2.0", &second).await).await;
    service.integrate_now().await.unwrap();
    // The log that this device trusts is another one; then: it wants a witness's word as well.
    let key = |seed: u8| {
        let mut pkcs8 =
            b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        pkcs8.extend([seed; 32]);
        SoftwareKey::from_pkcs8(&crypto::Secret::new(pkcs8)).unwrap()
    };
    let other = ledger::LogKey::new("test.example/log", key(7).public_key()).unwrap();
    let witness = ledger::WitnessKey::new("witness.example", key(8).public_key()).unwrap();
    for text in [
        configured(&other.to_string(), ""),
        configured(&log, &format!("witnesses = [\"{witness}\"]\n")),
    ] {
        machine.write("agent.toml", text.as_bytes());
        machine.refused(&["once"], "assignment-not-logged");
        assert!(said(campaign).await.starts_with("[assignment-not-logged]"));
        assert_eq!(machine.image(), first);
    }
    machine.write("agent.toml", configured(&log, "").as_bytes());
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), second);
    assert_eq!(succeeded(campaign).await, 1);

    // The platform's director says nothing for ever: its root ended, and nobody signs another.
    let kept = machine.read("state/tuf/director/root.json");
    let kept = Signed::<Root>::parse(&kept, &Limits::DEFAULT).unwrap();
    assert_eq!(kept.unverified().header.version.number(), 2, "kept durably");

    // The keys that sign the director's roots are stolen. A root of new ones takes the place of what a
    // thief can sign; the device wants it by the way the first one came, and then believes no other.
    let anew = SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let view = service.director(admin, &maker.id).await.unwrap();
    let third_root = root(&view, &anew, Some(&second_root), &platform);
    let plain = service.push_director_root(admin, &maker.id, third_root.clone()).await;
    assert_eq!(plain.unwrap_err().code(), "director-refused");
    let of_the_thief = root(&view, &offline, Some(&second_root), &platform);
    let shared = service.begin_director_anew(admin, &maker.id, of_the_thief.clone()).await;
    assert_eq!(shared.unwrap_err().code(), "director-refused");
    service.begin_director_anew(admin, &maker.id, third_root.clone()).await.unwrap();
    let third = image(3, 1000);
    let campaign = maker.campaign(maker.release("3.0", &third).await).await;
    service.integrate_now().await.unwrap();
    machine.refused(&["once"], "wrong-keys");
    assert_eq!(machine.image(), second);
    machine.write("director.json", &third_root);
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), third);
    assert_eq!(succeeded(campaign).await, 1);
}
