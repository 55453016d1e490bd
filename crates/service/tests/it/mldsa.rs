//! A fleet whose every signature is post-quantum: root, CAs, devices, signers, proofs.

use crate::world::{World, config, id, product};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use device::{
    Build, DeviceKind, Event, EventKind, Outcome, PassportFile, Proof, RootOfTrust, SignedEvent,
    SignedProof, VerifyOptions,
};
use pki::{CsrBuilder, Locations, Subject};
use policy::{Role, Roles};
use service::{
    CaKind, CaSpec, Clock as _, EnrolRequest, NewDevice, NewMember, NewProduct, NewSigner,
    VerifyRequest,
    ceremony::{Root, RootSpec},
    signer_proof,
};

fn key(algorithm: KeyAlgorithm) -> SoftwareKey {
    SoftwareKey::generate(algorithm).unwrap()
}

fn csr(key: &SoftwareKey, serial_number: &str) -> Vec<u8> {
    let subject = Subject { serial_number: serial_number.into(), ..Subject::named("any") };
    CsrBuilder { subject, ..CsrBuilder::default() }.build(key).unwrap()
}

#[tokio::test]
async fn from_the_root_to_the_verdict() {
    use KeyAlgorithm::{MlDsa44, MlDsa65, MlDsa87};
    let world = World::bare(config()).await;
    let (service, now) = (&world.service, world.clock.now());
    let local = service.local_administrator();
    let spec = RootSpec {
        common_name: "Root".into(),
        organisation: "Test".into(),
        algorithm: MlDsa87,
        years: 0,
    };
    let root = Root::create(&spec, now).unwrap();
    service.import_root(&local, root.certificate().clone()).await.unwrap();
    let certify = async |organisation: &str, line: Option<&str>, kind: CaKind| {
        let spec = CaSpec {
            organisation: id(organisation),
            product: line.map(product),
            kind,
            name: format!("{organisation} CA"),
            algorithm: MlDsa65,
            years: 0,
        };
        let request = service.request_ca(&local, spec).await.unwrap();
        let certificate = root.sign_ca(&request, Locations::default(), now).unwrap();
        service.install_ca(&local, certificate).await.unwrap();
    };
    let member = async |organisation: &str| {
        let new = NewMember {
            organisation: id(organisation),
            name: "all".into(),
            roles: Roles::of(&[Role::Administrator, Role::Operator, Role::Station]),
            csr: csr(&key(MlDsa44), ""),
        };
        let member = service.add_member(&local, new).await.unwrap();
        service.identify_certificate(&member.certificate).await.unwrap()
    };
    let organisation = async |name: &str, roles: device::Roles| {
        let new = service::NewOrganisation { id: id(name), name: name.into(), roles };
        service.create_organisation(&local, new).await.unwrap();
        let caller = member(name).await;
        let signer = key(MlDsa65);
        let new = NewSigner {
            organisation: id(name),
            spki: signer.public_key().spki().to_vec(),
            proof: signer_proof(&signer, &id(name)).unwrap(),
        };
        service.register_signer(&caller, new).await.unwrap();
        (caller, signer)
    };
    certify("platform", None, CaKind::Platform).await;
    let (maker, maker_key) = organisation("maker", device::Roles::MAKER).await;
    let (owner, owner_key) = organisation("owner", device::Roles::NONE).await;
    let line = NewProduct {
        organisation: id("maker"),
        id: product("gate"),
        name: "Gate".into(),
        model: "G4".into(),
        kind: DeviceKind::Device,
        root_of_trust: RootOfTrust::SecureElement,
        support_end: None,
        ldevid_validity_s: None,
    };
    service.create_product(&maker, line).await.unwrap();
    certify("maker", Some("gate"), CaKind::Device).await;
    certify("owner", None, CaKind::Owner).await;

    let new = NewDevice { id: None, serial_number: "SN-1".into() };
    let made =
        service.register_devices(&maker, &id("maker"), &product("gate"), vec![new]).await.unwrap();
    let device = made[0].as_ref().unwrap().id;
    let device_key = key(MlDsa44);
    let report = async |caller, signer: &SoftwareKey, reporter: &str, kind: EventKind| {
        let head = service.head(caller, &device).await.unwrap();
        let event = Event {
            device,
            sequence: head.next_sequence,
            previous: head.previous,
            kind,
            at: now,
            reporter: id(reporter),
            actor: None,
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        let signed = SignedEvent::sign(signer, &event).unwrap();
        service.record_event(caller, signed.as_bytes().to_vec()).await.unwrap();
    };
    let assembled = EventKind::Assembled {
        kind: DeviceKind::Device,
        build: Build::MassProduction,
        product: product("gate"),
        root_of_trust: Some(RootOfTrust::SecureElement),
        key: Some(device_key.public_key().fingerprint()),
        parts: Vec::new(),
    };
    report(&maker, &maker_key, "maker", assembled).await;
    let request = EnrolRequest { label: Some(product("gate")), csr: csr(&device_key, "SN-1") };
    let idevid = service.enrol_device(&maker, &request, None).await.unwrap();
    let as_device = service.identify_certificate(&idevid.certificate).await.unwrap();
    for (caller, signer, reporter, kind) in [
        (&maker, &maker_key, "maker", EventKind::TransferOffered { to: id("owner") }),
        (&owner, &owner_key, "owner", EventKind::TransferAccepted { from: id("maker") }),
    ] {
        report(caller, signer, reporter, kind).await;
    }
    report(&owner, &owner_key, "owner", EventKind::Onboarded { owner: id("owner") }).await;
    report(&owner, &owner_key, "owner", EventKind::OperationStarted).await;
    let purchase = service::Purchase {
        maker: id("maker"),
        product: product("gate"),
        serial_number: "SN-1".into(),
    };
    service.import_purchase_list(&owner, &id("owner"), vec![purchase]).await.unwrap();
    let local_key = key(MlDsa44);
    let request = EnrolRequest { label: None, csr: csr(&local_key, "SN-1") };
    let ldevid = service.enrol_device(&as_device, &request, None).await.unwrap();
    for certificate in [&idevid.certificate, &ldevid.certificate] {
        assert_eq!(certificate.public_key().unwrap().algorithm(), MlDsa44);
        assert_eq!(certificate.signature_scheme().unwrap(), crypto::SignatureScheme::MlDsa65);
    }

    let challenge = service.challenge(&device).await.unwrap();
    let proof = Proof::answer(&challenge, 1, None, None);
    let proof = Some(SignedProof::sign(&local_key, &proof).unwrap().as_bytes().to_vec());
    let request = VerifyRequest { proof, ..VerifyRequest::default() };
    let verdict = service.verify_device(&owner, &device, request).await.unwrap();
    assert_eq!(verdict.outcome, Outcome::Genuine, "{:?}", verdict.reasons);
    let file = service.export_passport(&owner, &device).await.unwrap();
    let mut anchors = crate::verdict::trust(&world).await;
    anchors.platform = Some(id("platform"));
    let offline = PassportFile::parse(&file).unwrap().verify(
        &anchors,
        &VerifyOptions::default(),
        world.clock.now(),
    );
    assert_eq!(offline.outcome, Outcome::Genuine, "{:?}", offline.reasons);
}
