//! A maker with an image repository: its root and targets keys stay with it, drafts and files go
//! through the doors.

use crate::demo::people::Organisation;
use anyhow::Context as _;
use api::{
    Rest,
    wire::{
        AttachmentKindName, DraftQuery, NewArtifact, NewAttachment, NewRelease, NewUpload, Publish,
        Release, SignedMetadata, SignedTargets,
        scalar::{Base64, Digest, ProductRef},
    },
};
use crypto::{KeyAlgorithm, Sha256, Signer as _, SoftwareKey, UnixTime};
use device::ProductId;
use std::{collections::BTreeMap, time::Duration};
use update::{
    Authority, Key, Limits, Metadata as _, Root, Signed, Signers, Targets, TopRole,
    repository::sign_as,
};

/// Life of a root, in seconds.
const ROOT_S: i64 = 365 * 86_400;
/// Keys of the root, and how many of them sign.
const ROOT_KEYS: usize = 3;
const ROOT_THRESHOLD: usize = 2;
/// How often and how long the end of a verification is waited for.
const VERIFIED_TRIES: usize = 100;
const VERIFIED_WAIT: Duration = Duration::from_millis(50);

/// A maker that publishes.
pub(super) struct Publisher<'w> {
    of: &'w Organisation,
    administrator: Rest,
    desk: Rest,
    targets_key: SoftwareKey,
    /// its first root, as it comes with every device
    pub(super) root: Vec<u8>,
}

/// A release to be made.
pub(super) struct Draft<'a> {
    pub(super) product: ProductId,
    pub(super) model: &'a str,
    pub(super) version: &'a str,
    pub(super) security_version: u64,
    pub(super) hardware_id: &'a str,
    pub(super) image: &'a [u8],
}

impl<'w> Publisher<'w> {
    /// Begins an image repository without targets, open to everybody: what is in it is signed.
    /// `ends`: when its targets end, instead of the usual.
    pub(super) async fn begin(
        of: &'w Organisation,
        ends: Option<UnixTime>,
    ) -> anyhow::Result<Self> {
        let administrator = Rest::new(of.administrator.client().clone());
        let desk = Rest::new(of.desk.client().clone());
        let kept = administrator.begin_repository(&of.id).await?;
        let mut online = BTreeMap::new();
        for key in &kept.keys {
            online.insert(key.role.as_str(), Key::from_file(key.public.to_string().as_bytes())?);
        }
        let online = |role: TopRole| online.get(role.name()).cloned().into_iter().collect();
        let generate = || SoftwareKey::generate(KeyAlgorithm::Ed25519);
        let root_keys = [generate()?, generate()?, generate()?];
        let targets_key = generate()?;
        let public = |key: &SoftwareKey| Key::from_public(key.public_key());
        let (mut named, of_targets) = (Vec::with_capacity(ROOT_KEYS), public(&targets_key)?);
        for key in &root_keys {
            named.push(public(key)?);
        }
        let root = Root::new(crate::clock::now().plus(ROOT_S), |role| match role {
            TopRole::Root => Signers { keys: named.clone(), threshold: ROOT_THRESHOLD },
            TopRole::Targets => Signers { keys: vec![of_targets.clone()], threshold: 1 },
            TopRole::Snapshot | TopRole::Timestamp => Signers { keys: online(role), threshold: 1 },
        })?;
        let mut signed = Signed::draft(root);
        let authority = signed.own_authority();
        for key in root_keys.iter().take(ROOT_THRESHOLD) {
            sign_as(&mut signed, &authority, key)?;
        }
        let root = signed.to_bytes()?;
        let publisher = Self { of, administrator, desk, targets_key, root };
        publisher.push(Some(publisher.root.clone()), ends).await?;
        publisher.administrator.open_repository(&of.id, true).await?;
        Ok(publisher)
    }

    /// Where its repository lies below a server.
    pub(super) fn path(&self) -> String {
        format!("/tuf/{}", self.of.id)
    }

    /// A published release, vouched for by the offline key.
    pub(super) async fn release(&self, draft: &Draft<'_>) -> anyhow::Result<Release> {
        let new = NewRelease {
            product: ProductRef(draft.product.clone()),
            version: draft.version.to_owned(),
            security_version: draft.security_version,
            release_counter: None,
            hardware_ids: vec![draft.hardware_id.to_owned()],
            notes: String::new(),
        };
        let release = self.desk.create_release(&self.of.id, &new).await?;
        let sha256 = self.upload(draft.image).await?;
        let name = "firmware.img".to_owned();
        let file = NewArtifact { name, sha256: Digest(sha256), hardware_ids: Vec::new() };
        self.desk.add_artifact(&release.id, &file).await?;
        let bill = serde_json::json!({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": {"component": {
                "type": "firmware", "name": draft.model, "version": draft.version}},
            "components": [{"type": "library", "name": "zlib", "version": "1.3.1",
                "purl": "pkg:generic/zlib@1.3.1"}],
        });
        let sha256 = self.upload(bill.to_string().as_bytes()).await?;
        let (kind, name) = (AttachmentKindName::Sbom, "bom.json".to_owned());
        let bill = NewAttachment { kind, name, sha256: Digest(sha256) };
        self.desk.attach(&release.id, &bill).await?;
        let release = self.administrator.publish_release(&release.id, &Publish::default()).await?;
        self.push(None, None).await?;
        Ok(release)
    }

    /// Signs the targets as they are to be, where the key is, and hands them in.
    async fn push(&self, root: Option<Vec<u8>>, ends: Option<UnixTime>) -> anyhow::Result<()> {
        let trusted = Signed::<Root>::parse(&self.root, &Limits::DEFAULT)?.trust_first()?;
        let draft = self.desk.draft_targets(&self.of.id, &DraftQuery::default()).await?;
        let mut signed = Signed::<Targets>::parse(&draft, &Limits::DEFAULT)?;
        if let Some(ends) = ends {
            let mut targets = signed.unverified().clone();
            targets.header_mut().expires = ends;
            signed = Signed::draft(targets);
        }
        let authority = Authority::of_top_role(&trusted, TopRole::Targets);
        sign_as(&mut signed, &authority, &self.targets_key)?;
        let targets =
            SignedTargets { role: "targets".to_owned(), file: Base64(signed.to_bytes()?) };
        let files = SignedMetadata { root: root.map(Base64), targets: vec![targets] };
        self.administrator.push_metadata(&self.of.id, &files).await?;
        Ok(())
    }

    async fn upload(&self, bytes: &[u8]) -> anyhow::Result<Sha256> {
        let sha256 = crypto::sha256(bytes);
        let new = NewUpload { sha256: Digest(sha256), length: bytes.len() as u64 };
        let mut upload = self.desk.begin_upload(&self.of.id, &new).await?;
        if upload.state == "receiving" {
            upload = self.desk.send_piece(&upload.id, upload.received, bytes.to_vec()).await?;
        }
        for _ in 0..VERIFIED_TRIES {
            if upload.state == "complete" {
                return Ok(sha256);
            }
            upload = self.desk.finish_upload(&upload.id).await?;
            if upload.state == "verifying" {
                tokio::time::sleep(VERIFIED_WAIT).await;
            }
        }
        anyhow::bail!("the upload {} is {}, and not complete", upload.id, upload.state)
    }
}

/// The file of a release.
pub(super) fn artifact(release: &Release) -> anyhow::Result<&api::wire::Artifact> {
    release.artifacts.first().context("the release has no file")
}
