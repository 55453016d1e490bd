//! From a release to a confirmed boot, with nothing played but the boot loader: the real platform,
//! its campaign, its image repository, the real agent.

use crate::{
    platform::{PRODUCT, Platform},
    world::{Machine, image},
};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use device::{EventKind, OrganisationId, ProductId};
use service::{
    AttachmentKind, DeviceRelation, DeviceSearch, NewArtifact, NewAttachment, NewCampaign,
    NewRelease, NewUpload, ReleaseId, SignedMetadata,
};
use update::{
    Authority, Key, Limits, Root, Signed, Signers, Targets, TopRole,
    campaign::{Plan, Stage, State},
    repository::sign_as,
};

/// The maker, with the keys that stay with it.
pub(crate) struct Maker<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) id: OrganisationId,
    root_key: SoftwareKey,
    targets_key: SoftwareKey,
    pub(crate) root: Vec<u8>,
}

impl<'a> Maker<'a> {
    pub(crate) async fn new(platform: &'a Platform) -> Self {
        let key = || SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let (root_key, targets_key) = (key(), key());
        let (service, caller) = (&platform.service, &platform.maker.caller);
        let id = platform.maker.id.clone();
        let view = service.begin_repository(caller, &id).await.unwrap();
        let online = |role: &str| {
            let key = view.keys.iter().rfind(|key| key.role == role).unwrap();
            Key::from_file(key.public.as_bytes()).unwrap()
        };
        let root = Root::new(service.now().plus(365 * 86_400), |role| Signers {
            keys: vec![match role {
                TopRole::Root => Key::from_public(root_key.public_key()).unwrap(),
                TopRole::Targets => Key::from_public(targets_key.public_key()).unwrap(),
                TopRole::Snapshot => online("snapshot"),
                TopRole::Timestamp => online("timestamp"),
            }],
            threshold: 1,
        });
        let mut signed = Signed::draft(root.unwrap());
        let authority = signed.own_authority();
        sign_as(&mut signed, &authority, &root_key).unwrap();
        let root = signed.to_bytes().unwrap();
        let maker = Self { platform, id, root_key, targets_key, root };
        maker.sign(Some(maker.root.clone())).await;
        assert_eq!(maker.root_key.public_key().algorithm(), KeyAlgorithm::Ed25519);
        maker
    }

    /// Signs the targets as they are to be, and brings them to the platform.
    async fn sign(&self, root: Option<Vec<u8>>) {
        let (service, caller) = (&self.platform.service, &self.platform.maker.caller);
        let draft = service.draft_targets(caller, &self.id, "targets", None).await.unwrap();
        let trusted = Signed::<Root>::parse(&self.root, &Limits::DEFAULT).unwrap();
        let trusted = trusted.trust_first().unwrap();
        let mut signed = Signed::<Targets>::parse(&draft, &Limits::DEFAULT).unwrap();
        let authority = Authority::of_top_role(&trusted, TopRole::Targets);
        sign_as(&mut signed, &authority, &self.targets_key).unwrap();
        let targets = vec![("targets".into(), signed.to_bytes().unwrap())];
        let files = SignedMetadata { root, targets };
        service.push_metadata(caller, &self.id, files).await.unwrap();
    }

    pub(crate) async fn upload(&self, bytes: &[u8]) -> crypto::Sha256 {
        let (service, caller) = (&self.platform.service, &self.platform.maker.caller);
        let sha256 = crypto::sha256(bytes);
        let length = bytes.len() as u64;
        let new = NewUpload { organisation: self.id.clone(), sha256, length };
        let upload = service.begin_blob(caller, new).await.unwrap();
        let mut writer = service.append_blob(caller, &upload.id, 0).await.unwrap();
        for piece in bytes.chunks(1 << 20) {
            writer.write(piece.to_vec()).await.unwrap();
        }
        writer.close().await.unwrap();
        service.finish_blob(caller, &upload.id).await.unwrap();
        sha256
    }

    /// A published release, vouched for by the offline key.
    pub(crate) async fn release(&self, version: &str, bytes: &[u8]) -> ReleaseId {
        let release = self.draft(version).await;
        self.add(&release, "fw.img", bytes).await;
        self.publish(&release, version).await;
        release
    }

    /// The draft of a release without files.
    pub(crate) async fn draft(&self, version: &str) -> ReleaseId {
        let (service, caller) = (&self.platform.service, &self.platform.maker.caller);
        let new = NewRelease {
            organisation: self.id.clone(),
            product: ProductId::new(PRODUCT).unwrap(),
            version: version.into(),
            security_version: 1,
            release_counter: None,
            hardware_ids: vec!["gate-bg1".into()],
            notes: String::new(),
        };
        service.create_release(caller, new).await.unwrap().id
    }

    /// Adds a file to a draft.
    pub(crate) async fn add(&self, release: &ReleaseId, name: &str, bytes: &[u8]) {
        let (service, caller) = (&self.platform.service, &self.platform.maker.caller);
        let sha256 = self.upload(bytes).await;
        let file = NewArtifact { name: name.into(), sha256, hardware_ids: Vec::new() };
        service.add_artifact(caller, release, file).await.unwrap();
    }

    /// Publishes a draft, vouched for by the offline key.
    pub(crate) async fn publish(&self, release: &ReleaseId, version: &str) {
        let (service, caller) = (&self.platform.service, &self.platform.maker.caller);
        let sbom = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{{"component":
            {{"type":"firmware","name":"gate","version":"{version}"}}}},"components":[{{"type":"library",
            "name":"zlib","version":"1.3","purl":"pkg:generic/zlib@1.3"}}]}}"#
        );
        let sha256 = self.upload(sbom.as_bytes()).await;
        let new = NewAttachment { kind: AttachmentKind::Sbom, name: "sbom.json".into(), sha256 };
        service.attach(caller, release, new).await.unwrap();
        service.publish_release(caller, release, None).await.unwrap();
        self.sign(None).await;
    }

    /// A campaign over all devices that let the maker update them, started.
    pub(crate) async fn campaign(&self, release: ReleaseId) -> service::CampaignId {
        let (service, caller) = (&self.platform.service, &self.platform.maker.caller);
        let stage = Stage { share: 10_000, success_percent: 60, error_percent: 60, soak_s: 0 };
        let mut plan = Plan::new(vec![stage]).unwrap();
        plan.deadline_s = 3600;
        let new = NewCampaign {
            organisation: self.id.clone(),
            name: "November".into(),
            release,
            roll_back_to: None,
            search: DeviceSearch { relation: DeviceRelation::Maker, ..DeviceSearch::default() },
            plan,
        };
        let campaign = service.create_campaign(caller, new).await.unwrap();
        assert_eq!(campaign.members, 1);
        service.start_campaign(caller, &campaign.id).await.unwrap().id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_ends_with_a_confirmed_boot() {
    let platform = Platform::new(86_400).await;
    let maker = Maker::new(&platform).await;
    let (thing, idevid) = platform.sold().await;
    let owner = platform.owner.id.clone();
    let onboarded = EventKind::Onboarded { owner: owner.clone() };
    platform.report(&platform.owner, &thing.id, onboarded).await;
    let (service, product) = (&platform.service, ProductId::new(PRODUCT).unwrap());
    let consent = |given| {
        let caller = &platform.owner.caller;
        service.set_update_consent(caller, &owner, &maker.id, &product, given)
    };
    consent(true).await.unwrap();

    let mut machine = Machine::told_by(
        &platform.address,
        &platform.root.certificate().to_pem(),
        &maker.root,
        &thing.serial_number,
        &image(0, 1000),
    );
    machine.secret("idevid.pem", idevid.as_bytes());
    // It enrols by its maker's certificate; there is nothing for it yet.
    machine.settle(&mut |_| panic!("no start"));

    let counts = async |campaign: service::CampaignId| {
        let view = service.campaign(&platform.maker.caller, &campaign).await.unwrap();
        (view.state, view.counts[0].succeeded, view.counts[0].failed)
    };
    let first = image(1, 5 * 1024 * 1024);
    let campaign = maker.campaign(maker.release("1.0", &first).await).await;
    let said = machine.ok(&["once"]);
    assert_eq!(said["outcome"], "restarting", "{said}");
    assert_eq!(counts(campaign).await, (State::Running, 0, 0), "installed is no success");
    assert_eq!(machine.start(), first);
    assert_eq!(counts(campaign).await, (State::Running, 0, 0), "and neither is a start");
    machine.settle(&mut |_| panic!("no further start"));
    assert_eq!(counts(campaign).await, (State::Finished, 1, 0));
    assert_eq!(machine.image(), first);

    // A release that does not come up: the platform learns that the old one runs.
    let campaign = maker.campaign(maker.release("2.0", &image(2, 1000)).await).await;
    assert_eq!(machine.ok(&["once"])["outcome"], "restarting");
    for _ in 0..3 {
        assert_eq!(machine.start(), image(2, 1000));
    }
    assert_eq!(machine.start(), first);
    machine.settle(&mut |_| panic!("no further start"));
    assert_eq!(counts(campaign).await.2, 1, "failed");
    assert_eq!(machine.image(), first);

    // Its owner takes the consent back while it downloads nothing yet: nothing more comes.
    let third = maker.release("3.0", &image(3, 1000)).await;
    let campaign = maker.campaign(third).await;
    consent(false).await.unwrap();
    machine.settle(&mut |_| panic!("no start"));
    assert_eq!(machine.image(), first);
    assert_eq!(counts(campaign).await.1, 0);
}
