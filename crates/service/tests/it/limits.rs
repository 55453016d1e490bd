//! What one organisation may take of what belongs to everybody, and what one administrator may not do
//! alone.

use crate::{
    campaigns::{devices, published},
    releases::{code, sbom, upload},
    world::{World, config, id, product},
};
use crypto::sha256;
use device::DeviceKind;
use policy::{Act, Role, Roles};
use service::{Gate, NewSbom, NewUpload, VexImport};

#[tokio::test]
async fn what_others_were_promised_is_as_good_as_taken() {
    let mut config = config();
    let free = rustix::fs::statvfs(std::env::temp_dir()).unwrap();
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    config.limits.blob_bytes = u64::MAX;
    config.limits.blob_bytes_per_organisation = u64::MAX;
    config.limits.disk_reserve_bytes = 0;
    config.limits.files_per_organisation = 2;
    let world = World::with(config).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let other = world.maker("other", "lamp", DeviceKind::Device).await;
    let begin = async |by: &crate::world::Org, name: &[u8], length| {
        let organisation = by.id.clone();
        let new = NewUpload { organisation, sha256: sha256(name), length };
        world.service.begin_blob(&by.admin, new).await.map(|upload| upload.id)
    };
    // Each fits, and both do not.
    let first = begin(&maker, b"one", free / 2).await.unwrap();
    assert_eq!(code(begin(&other, b"two", free / 4 * 3).await), "disk-full");
    world.service.abandon_blob(&maker.admin, &first).await.unwrap();
    begin(&other, b"two", free / 4 * 3).await.unwrap();
    // As many as there may be, however small.
    for name in [b"a", b"b"] {
        upload(&world.service, &maker.admin, "maker", name).await.unwrap();
    }
    assert_eq!(code(begin(&maker, b"c", 1).await), "quota");
}

#[tokio::test]
async fn documents_of_one_organisation_are_limited() {
    let mut config = config();
    config.limits.document_bytes_per_organisation = 4096;
    let world = World::with(config).await;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (service, admin, of) = (&world.service, &maker.admin, id("maker"));
    let attach = async |version: &str, bytes: Vec<u8>| {
        let (organisation, product) = (id("maker"), product("gate"));
        let name = "rootfs".to_owned();
        let new = NewSbom { organisation, product, version: version.to_owned(), name, bytes };
        service.attach_sbom(admin, new).await.map(drop)
    };
    let big = |version: &str| [sbom("gate", version), vec![b' '; 2500]].concat();
    attach("1.0", big("1.0")).await.unwrap();
    assert_eq!(code(attach("1.1", big("1.1")).await), "quota");
    attach("1.1", sbom("gate", "1.1")).await.unwrap();
    let osv = br#"{"id":"X-1","modified":"2026-01-01T00:00:00Z"}"#.to_vec();
    let import = service.import_advisories(admin, &of, "test", vec![osv]).await;
    assert_eq!(code(import), "quota");
    let vex = VexImport {
        organisation: of,
        product: product("gate"),
        version: None,
        own: true,
        bytes: b"{}".repeat(600),
    };
    assert_eq!(code(service.import_vex(admin, vex).await), "quota");
    // The platform's own are for everybody.
    let platform = service.local_administrator();
    let osv = format!(
        r#"{{"id":"X-1","modified":"2026-01-01T00:00:00Z","details":"{}"}}"#,
        "x".repeat(5000)
    );
    let (all, osv) = (id("platform"), vec![osv.into_bytes()]);
    service.import_advisories(&platform, &all, "test", osv).await.unwrap();
}

#[tokio::test]
async fn a_milder_gate_takes_two_where_overruling_it_does() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let (other, _) = world.member(&maker.id, "second", Roles::of(&[Role::Administrator])).await;
    let (of, line) = (id("maker"), product("gate"));
    let strict = Gate { tests: true, security_floor: 3, ..Gate::default() };
    let set = async |gate: Gate| service.set_release_gate(&maker.admin, &of, &line, gate).await;
    let local = service.local_administrator();
    service.set_approval_policy(&local, &of, Act::OverruleGate, true).await.unwrap();
    // To want more takes nobody else.
    set(strict.clone()).await.unwrap();
    for milder in [
        Gate { tests: false, ..strict.clone() },
        Gate { sbom: false, ..strict.clone() },
        Gate { security_floor: 2, ..strict.clone() },
        Gate { component: Some("anything".into()), ..strict.clone() },
    ] {
        assert_eq!(code(set(milder).await), "needs-second-person");
    }
    let milder = Gate { security_floor: 0, ..strict.clone() };
    let request = set(milder.clone()).await.unwrap_err().approval().unwrap();
    assert_eq!(service.release_gate(&maker.admin, &of, &line).await.unwrap(), strict);
    service.approve(&other, &request).await.unwrap();
    set(milder.clone()).await.unwrap();
    assert_eq!(service.release_gate(&maker.admin, &of, &line).await.unwrap(), milder);
    // Once.
    set(strict).await.unwrap();
    assert_eq!(code(set(milder).await), "needs-second-person");
    // Who asked reads its request no more while its organisation is suspended.
    service.approval(&maker.admin, &request).await.unwrap();
    service.suspend_organisation(&local, &of, "its key was stolen").await.unwrap();
    let read = service.approval(&maker.admin, &request).await;
    assert_eq!(code(read), "organisation-suspended");
}

#[tokio::test]
async fn a_sold_device_reads_its_makers_repository() {
    let world = World::new().await;
    let service = &world.service;
    let maker = world.maker("maker", "gate", DeviceKind::Device).await;
    let owner = world.owner("owner").await;
    published(service, &maker, "1.0", 1).await;
    service.begin_repository(&maker.admin, &maker.id).await.unwrap();
    let fleet = devices(&world, &maker, 1).await;
    world.sell(&maker, &owner, &fleet[0].0).await;
    // Nothing is published yet: allowed, and not there; a stranger's looks the same from outside.
    let name = "1.root.json";
    let own = service.repository_metadata(&fleet[0].1, &maker.id, name).await.unwrap_err();
    assert!(own.to_string().contains("metadata file"), "{own}");
    let other = service.repository_metadata(&owner.admin, &maker.id, name).await.unwrap_err();
    assert!(!other.to_string().contains("metadata file"), "{other}");
}
