//! Sealed files and deltas of releases, devices' encryption keys and self-tests.

use crate::{
    campaigns::{new, plan, published, runs},
    releases::{attach, code, new_release, sbom, upload},
    world::{Org, Working, World, config},
};
use crypto::{
    Secret,
    agreement::{AgreementKey, Curve},
    random, sha256,
};
use device::DeviceKind;
use service::{
    Assignment, AttachmentKind, Caller, Clock, DeviceSoftware, NewArtifact, ReleaseId, ReleaseView,
    SelfTestFinding, SelfTestOutcome, UpdateDecision,
};
use std::io::Cursor;
use update::{
    delta::{self, Image},
    sealed::{Header, Holder, KeyStatement, Plain, Sealer, Ticket},
};

struct Stage {
    world: World,
    maker: Org,
    owner: Org,
}

struct Sealed {
    bytes: Vec<u8>,
    header: Header,
    key: Secret,
}

fn seal(plain: &[u8]) -> Sealed {
    let key = random::secret::<32>();
    let image = Plain { length: plain.len() as u64, sha256: sha256(plain) };
    let header = Header { chunk_bytes: 1024, plain: image, salt: random::bytes() };
    let mut bytes = Vec::new();
    let mut sealer = Sealer::begin(&key, header, &mut bytes).unwrap();
    sealer.push(plain, &mut bytes).unwrap();
    sealer.finish(&mut bytes).unwrap();
    Sealed { bytes, header, key }
}

fn make_delta(base: &[u8], result: &[u8]) -> (Vec<u8>, delta::Header) {
    let header = delta::Header { base: Image::of(base), result: Image::of(result) };
    let mut out = Vec::new();
    let (from, to) = (&mut Cursor::new(base), &mut &*result);
    let limits = delta::Limits::DEFAULT;
    delta::diff(from, header.base, to, header.result, 3, &limits, &mut out).unwrap();
    (out, header)
}

impl Stage {
    async fn new() -> Self {
        Self::with(config()).await
    }

    async fn with(config: service::Config) -> Self {
        let world = World::with(config).await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let owner = world.owner("owner").await;
        Self { world, maker, owner }
    }

    async fn working(&self) -> (Working, Caller) {
        let working = self.world.working(&self.maker, "gate", &self.owner).await;
        let certificate = &working.ldevid.certificate;
        let caller = self.world.service.identify_certificate(certificate).await.unwrap();
        (working, caller)
    }

    /// A draft with an SBOM and no file.
    async fn draft(&self, version: &str) -> ReleaseId {
        let (service, caller) = (&self.world.service, &self.maker.admin);
        let release = service.create_release(caller, new_release(version, 1)).await.unwrap().id;
        let bom = sbom("gate", version);
        attach(service, caller, &release, AttachmentKind::Sbom, &bom).await.unwrap();
        release
    }

    async fn add(
        &self,
        release: &ReleaseId,
        name: &str,
        bytes: &[u8],
    ) -> Result<ReleaseView, service::ServiceError> {
        let (service, caller) = (&self.world.service, &self.maker.admin);
        let sha256 = upload(service, caller, "maker", bytes).await.unwrap();
        let file = NewArtifact { name: name.into(), sha256, hardware_ids: Vec::new() };
        service.add_artifact(caller, release, file).await
    }

    async fn run(&self, release: &ReleaseView) {
        let (service, caller) = (&self.world.service, &self.owner.admin);
        let new = new("owner", release, plan(&[(10_000, 60, 60)]));
        let campaign = service.create_campaign(caller, new).await.unwrap();
        service.start_campaign(caller, &campaign.id).await.unwrap();
    }

    async fn publish(&self, release: &ReleaseId) -> ReleaseView {
        self.world.service.publish_release(&self.maker.admin, release, None).await.unwrap()
    }

    async fn poll(&self, caller: &Caller, said: &DeviceSoftware) -> Box<Assignment> {
        match self.world.service.poll_update(caller, said).await.unwrap().decision {
            UpdateDecision::Install(assignment) => assignment,
            other => panic!("{other:?}"),
        }
    }

    fn statement(&self, working: &Working, key: &AgreementKey, holder: Holder) -> Vec<u8> {
        let now = Clock::now(self.world.clock.as_ref());
        let (from, to) = (now, now.plus(86_400));
        let statement = KeyStatement { key: key.public().clone(), from, to, holder };
        statement.sign(&working.local_key).unwrap()
    }
}

#[tokio::test]
async fn a_content_key_is_wrapped_for_whom_the_file_is_assigned_to() {
    let stage = Stage::new().await;
    let (service, maker) = (&stage.world.service, &stage.maker.admin);
    let before = published(service, &stage.maker, "1.0", 1).await;
    let (working, caller) = stage.working().await;
    let sealed = seal(&[7; 5000]);
    let release = stage.draft("2.0").await;
    let view = stage.add(&release, "fw.img", &sealed.bytes).await.unwrap();
    let said = view.artifacts[0].sealed.unwrap();
    assert_eq!((said.plain, said.image), (sealed.header.plain, sealed.header.id()));
    assert!(!said.platform && said.tickets == 0);
    let warned = async || {
        let items = service.check_release(maker, &release).await.unwrap();
        let item = items.into_iter().find(|item| item.code == "sealed").unwrap();
        assert!(item.met, "whoever keeps the key brings tickets later");
        item.text.starts_with("warning: no device can open fw.img")
    };
    assert!(warned().await);
    // A file that only begins as one, and one of which the end is missing.
    for bad in [&sealed.bytes[..60], &sealed.bytes[..sealed.bytes.len() - 1]] {
        assert_eq!(code(stage.add(&release, "bad.img", bad).await), "artifact-form");
    }
    // Another key than its own is found before any device finds it.
    for wrong in [Secret::new(vec![0; 32]), Secret::new(vec![0; 31])] {
        let given = service.give_content_key(maker, &release, "fw.img", &wrong).await;
        assert_eq!(code(given), "content-key");
    }
    let given = service.give_content_key(&stage.owner.admin, &release, "fw.img", &sealed.key).await;
    assert_eq!(code(given), "not-found");
    let view = service.give_content_key(maker, &release, "fw.img", &sealed.key).await.unwrap();
    assert!(!warned().await);
    assert!(view.artifacts[0].sealed.unwrap().platform);
    let view = stage.publish(&release).await;
    stage.run(&view).await;
    // Without a key of its own it gets no ticket, and is asked for one.
    let assignment = stage.poll(&caller, &runs(&before)).await;
    assert!(assignment.encryption_key_wanted);
    assert_eq!(assignment.artifacts[0].sealed.as_ref().unwrap().tickets.len(), 0);
    // Who may state a key: the device, by its owner's certificate, for itself.
    let key = AgreementKey::generate(Curve::P256).unwrap();
    let good = stage.statement(&working, &key, Holder::Device);
    let idevid = service.identify_certificate(&working.idevid.certificate).await.unwrap();
    let (other, other_caller) = stage.working().await;
    let forged = stage.statement(&other, &key, Holder::Device);
    let group = stage.statement(&working, &key, Holder::Group("gates".into()));
    for (who, what) in
        [(&idevid, &good), (&caller, &forged), (&caller, &group), (&other_caller, &good)]
    {
        let stated = service.state_encryption_key(who, what.clone()).await;
        assert_eq!(code(stated), "encryption-key");
    }
    service.state_encryption_key(&caller, good.clone()).await.unwrap();
    service.state_encryption_key(&caller, good).await.unwrap();
    let assignment = stage.poll(&caller, &runs(&before)).await;
    assert!(!assignment.encryption_key_wanted);
    let tickets = &assignment.artifacts[0].sealed.as_ref().unwrap().tickets;
    let ticket = Ticket::parse(&tickets[0]).unwrap();
    let opened = ticket.unwrap_for(&sealed.header, &key).unwrap();
    assert_eq!(opened.expose(), sealed.key.expose());
    // The same device by another certificate must state its key anew.
    let assignment = stage.poll(&idevid, &runs(&before)).await;
    assert_eq!(assignment.artifacts[0].sealed.as_ref().unwrap().tickets.len(), 0);
}

#[tokio::test]
async fn a_device_fills_nobodys_log_with_its_keys_and_tests() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let (working, caller) = stage.working().await;
    let state = async |key: &AgreementKey| {
        let stated = stage.statement(&working, key, Holder::Device);
        service.state_encryption_key(&caller, stated).await
    };
    let keys = [(); 3].map(|()| AgreementKey::generate(Curve::P256).unwrap());
    state(&keys[0]).await.unwrap();
    state(&keys[0]).await.unwrap();
    stage.world.clock.advance(100);
    let often = state(&keys[1]).await.unwrap_err();
    assert_eq!((often.code(), often.retry_after_s()), ("encryption-key-often", Some(500)));
    stage.world.clock.advance(500);
    state(&keys[1]).await.unwrap();
    assert_eq!(code(state(&keys[2]).await), "encryption-key-often");

    let test = async |good: bool| {
        let outcome = if good { SelfTestOutcome::Pass } else { SelfTestOutcome::Stop };
        let finding = SelfTestFinding {
            test: "program".into(),
            outcome,
            code: "x".into(),
            detail: "y".into(),
        };
        assert_eq!(service.hear_self_test(&caller, vec![finding]).await.unwrap(), good);
    };
    let admin = &stage.owner.admin;
    let told = async || {
        let all = events(&stage, admin).await;
        let count = |what: &str| all.iter().filter(|text| text.contains(what)).count();
        (count("self-test-failed"), count("self-test-passed"))
    };
    for _ in 0..20 {
        test(false).await;
        test(true).await;
    }
    assert_eq!(told().await, (3, 3));
    // What holds is kept all the same, and told as soon as there is room.
    test(false).await;
    assert!(!service.self_test(admin, &working.thing.id).await.unwrap().passed);
    test(false).await;
    assert_eq!(told().await, (3, 3));
    stage.world.clock.advance(3_600);
    test(false).await;
    test(false).await;
    assert_eq!(told().await, (4, 3));
}

#[tokio::test]
async fn tickets_of_the_maker_go_to_whom_they_name() {
    let stage = Stage::new().await;
    let (service, maker) = (&stage.world.service, &stage.maker.admin);
    let before = published(service, &stage.maker, "1.0", 1).await;
    let ((first, first_caller), (_, second_caller)) =
        (stage.working().await, stage.working().await);
    let (sealed, other) = (seal(&[7; 3000]), seal(&[8; 3000]));
    let release = stage.draft("2.0").await;
    stage.add(&release, "fw.img", &sealed.bytes).await.unwrap();
    stage.add(&release, "plain.img", b"bytes").await.unwrap();
    let key = AgreementKey::generate(Curve::X25519).unwrap();
    let group = AgreementKey::generate(Curve::P256).unwrap();
    let wrap = |sealed: &Sealed, key: &AgreementKey| {
        Ticket::wrap(&sealed.key, &sealed.header, key.public()).unwrap().to_bytes()
    };
    let bring = |name: &'static str, tickets: Vec<Vec<u8>>, groups| {
        service.bring_tickets(maker, &release, name, tickets, groups)
    };
    assert_eq!(code(bring("fw.img", vec![wrap(&other, &key)], false).await), "ticket");
    assert_eq!(code(bring("fw.img", vec![b"x".to_vec()], false).await), "ticket");
    assert_eq!(code(bring("fw.img", Vec::new(), false).await), "ticket");
    assert_eq!(code(bring("plain.img", vec![wrap(&sealed, &key)], false).await), "artifact-form");
    let many = (0..17).map(|_| wrap(&sealed, &AgreementKey::generate(Curve::X25519).unwrap()));
    assert_eq!(code(bring("fw.img", many.collect(), true).await), "too-many-tickets");
    bring("fw.img", vec![wrap(&sealed, &key)], false).await.unwrap();
    let view = bring("fw.img", vec![wrap(&sealed, &group)], true).await.unwrap();
    let said = view.artifacts.iter().find(|file| file.name == "fw.img").unwrap().sealed.unwrap();
    assert!(said.tickets == 2 && !said.platform);
    service.remove_artifact(maker, &release, "plain.img").await.unwrap();
    let view = stage.publish(&release).await;
    stage.run(&view).await;
    let stated = stage.statement(&first, &key, Holder::Device);
    service.state_encryption_key(&first_caller, stated).await.unwrap();
    let recipients = |assignment: &Assignment| -> Vec<crypto::Sha256> {
        let tickets = &assignment.artifacts[0].sealed.as_ref().unwrap().tickets;
        let mut all: Vec<_> =
            tickets.iter().map(|ticket| Ticket::parse(ticket).unwrap().recipient).collect();
        all.sort_unstable();
        all
    };
    let mut both = vec![key.public().fingerprint(), group.public().fingerprint()];
    both.sort_unstable();
    assert_eq!(recipients(&*stage.poll(&first_caller, &runs(&before)).await), both);
    let second = stage.poll(&second_caller, &runs(&before)).await;
    assert_eq!(recipients(&second), [group.public().fingerprint()]);
}

#[tokio::test]
async fn tickets_are_counted_as_they_come_and_go() {
    let mut config = config();
    // Room for 20.
    config.limits.document_bytes_per_organisation = 20 * 256;
    let stage = Stage::with(config).await;
    let (service, maker) = (&stage.world.service, &stage.maker.admin);
    let sealed = seal(&[7; 3000]);
    let releases = [stage.draft("2.0").await, stage.draft("3.0").await];
    for release in &releases {
        stage.add(release, "fw.img", &sealed.bytes).await.unwrap();
    }
    let keys: Vec<_> = (0..20).map(|_| AgreementKey::generate(Curve::X25519).unwrap()).collect();
    let bring = async |release: &ReleaseId, keys: &[AgreementKey], groups| {
        let wrap = |key: &AgreementKey| Ticket::wrap(&sealed.key, &sealed.header, key.public());
        let tickets = keys.iter().map(|key| wrap(key).unwrap().to_bytes()).collect();
        let view = service.bring_tickets(maker, release, "fw.img", tickets, groups).await?;
        Ok::<_, service::ServiceError>(view.artifacts[0].sealed.unwrap().tickets)
    };
    let [first, second] = &releases;
    assert_eq!(bring(first, &keys[..4], false).await.unwrap(), 4);
    // Said again, for the same and others, and now of groups.
    assert_eq!(bring(first, &keys[2..6], false).await.unwrap(), 6);
    assert_eq!(bring(first, &keys[..12], true).await.unwrap(), 12);
    // 12 of groups, and 4 more make 16; a device's own takes the place of one.
    assert_eq!(bring(first, &keys[12..16], true).await.unwrap(), 16);
    assert_eq!(code(bring(first, &keys[16..17], true).await), "too-many-tickets");
    assert_eq!(bring(first, &keys[..1], false).await.unwrap(), 16);
    assert_eq!(bring(first, &keys[16..17], true).await.unwrap(), 17);
    // All files of the organisation have a share in the same room.
    assert_eq!(bring(second, &keys[..3], false).await.unwrap(), 3);
    assert_eq!(code(bring(second, &keys[3..4], false).await), "quota");
    service.remove_artifact(maker, first, "fw.img").await.unwrap();
    assert_eq!(bring(second, &keys[3..], false).await.unwrap(), 20);
}

#[tokio::test]
async fn a_delta_is_offered_to_who_runs_its_base() {
    let stage = Stage::new().await;
    let (service, maker) = (&stage.world.service, &stage.maker.admin);
    let (old, next) = (b"image 1.0".to_vec(), [b"image 1.0".as_slice(), &[7; 3000]].concat());
    let before = published(service, &stage.maker, "1.0", 1).await;
    let (_, caller) = stage.working().await;
    let release = stage.draft("2.0").await;
    let (delta, header) = make_delta(&old, &next);
    assert_eq!(code(stage.add(&release, "d", &delta).await), "delta-result");
    stage.add(&release, "fw.img", &next).await.unwrap();
    let (stray, _) = make_delta(b"nobody's", &next);
    assert_eq!(code(stage.add(&release, "d", &stray).await), "delta-base");
    assert_eq!(code(stage.add(&release, "d", &delta[..50]).await), "artifact-form");
    let view = stage.add(&release, "fw.delta", &delta).await.unwrap();
    let said = |view: &ReleaseView, name: &str| {
        view.artifacts.iter().find(|file| file.name == name).unwrap().delta
    };
    assert_eq!((said(&view, "fw.delta"), said(&view, "fw.img")), (Some(header), None));
    // One whose inside nobody sees is stated to be one.
    let state = |name: &'static str| service.state_delta(maker, &release, name, header);
    assert_eq!(code(state("fw.img").await), "artifact-form");
    let sealed = seal(&delta);
    stage.add(&release, "fw.sealed", &sealed.bytes).await.unwrap();
    let view = state("fw.sealed").await.unwrap();
    assert_eq!(said(&view, "fw.sealed"), Some(header));
    service.remove_artifact(maker, &release, "fw.sealed").await.unwrap();
    let view = stage.publish(&release).await;
    assert_eq!(code(state("fw.delta").await), "release-published");
    stage.run(&view).await;
    let with = |digest| DeviceSoftware { digest, ..runs(&before) };
    let assignment = stage.poll(&caller, &with(Some(sha256(&old)))).await;
    let [file] = assignment.artifacts.as_slice() else { panic!("one file to install") };
    let offered = file.delta.as_ref().unwrap();
    assert_eq!((offered.base, offered.sha256), (header.base, sha256(&delta)));
    assert_eq!(offered.path, "gate/2.0/fw.delta");
    assert!(!assignment.encryption_key_wanted && offered.sealed.is_none());
    let assignment = stage.poll(&caller, &with(Some(sha256(b"else")))).await;
    assert_eq!(assignment.artifacts[0].delta, None);
}

#[tokio::test]
async fn a_failed_self_test_is_on_record_and_nothing_is_installed() {
    let stage = Stage::new().await;
    let service = &stage.world.service;
    let (working, caller) = stage.working().await;
    let id = working.thing.id;
    let finding = |test: &str, outcome, code: &str| SelfTestFinding {
        test: test.into(),
        outcome,
        code: code.into(),
        detail: "in\nwords".into(),
    };
    let admin = &stage.owner.admin;
    assert_eq!(code(service.self_test(admin, &id).await), "not-found");
    let good = vec![finding("program", SelfTestOutcome::Pass, "pass")];
    assert!(service.hear_self_test(&caller, good.clone()).await.unwrap());
    let bad = vec![
        finding("program", SelfTestOutcome::Stop, "program-changed"),
        finding("clock", SelfTestOutcome::Warn, "program-recorded"),
    ];
    assert!(!service.hear_self_test(&caller, bad.clone()).await.unwrap());
    assert!(!service.hear_self_test(&caller, bad).await.unwrap());
    let view = service.self_test(admin, &id).await.unwrap();
    assert!(!view.passed && view.findings.len() == 2);
    assert_eq!(view.findings[0].detail, "in words");
    assert!(service.hear_self_test(&caller, good).await.unwrap());
    assert!(service.self_test(admin, &id).await.unwrap().passed);
    let twice = vec![
        finding("program", SelfTestOutcome::Pass, "pass"),
        finding("program", SelfTestOutcome::Pass, "pass"),
    ];
    for odd in [Vec::new(), twice, vec![finding("a b", SelfTestOutcome::Pass, "pass")]] {
        assert_eq!(code(service.hear_self_test(&caller, odd).await), "self-test");
    }
    assert_eq!(
        code(service.self_test(&stage.world.owner("else").await.admin, &id).await),
        "not-found"
    );
    let all = events(&stage, admin).await;
    let told = |what: &str| all.iter().filter(|text| text.contains(what)).count();
    assert_eq!((told("self-test-failed"), told("self-test-passed")), (1, 1));
}

/// What the audit log says about the owner's devices, in words.
async fn events(stage: &Stage, caller: &Caller) -> Vec<String> {
    let kind = Some(audit::Kind::DeviceStanding);
    let page = service::Page::default();
    let found = stage.world.service.audit(caller, Some(&stage.owner.id), kind, &page).await;
    found.unwrap().items.iter().map(|one| format!("{one:?}")).collect()
}
