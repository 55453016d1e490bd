//! Image repositories: the organisation signs root and targets where its keys are, the platform
//! keeps the keys of snapshot and timestamp, publishes, and renews both before they end.
//!
//! A publication is one transaction: clients see all of it or nothing. What the platform's own
//! rehearsal client would refuse is refused, and so is a target that is no file of a published
//! release: a signature does not get round the gate.

use super::{
    publication::{names, put},
    releases::read_texts,
};
use crate::{
    Service, ServiceError,
    keys::Purpose,
    live::found,
    store::{
        key as key_store,
        release::{self as release_store, ArtifactRow, ReleaseRow},
        repository as store,
    },
};
use crypto::{KeyAlgorithm, UnixTime};
use device::OrganisationId;
use policy::{Action, Caller, Resource};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use update::{
    Custom, Hashes, Key, Limits, Metadata as _, RoleName, Signed, TargetFile, TargetPath, Targets,
    TopRole,
    repository::{Repository, RepositoryError, Staged, notices, successor},
};

/// Life of targets metadata that are drafted, in seconds, unless another is wanted.
const TARGETS_S: i64 = 90 * 86_400;
/// Longest life of targets metadata, in seconds: as `tegata update sign` has it.
const TARGETS_S_MAX: i64 = 366 * 86_400;
/// Keys of one role that wait to be named by a root, or are named.
const KEYS_MAX: usize = 8;
/// How often a publication is made anew when another comes in between.
const ROUNDS_MAX: u32 = 5;
/// Files in one publication.
const STAGED_MAX: usize = 256;
pub(super) const SNAPSHOT: u8 = 1;
const TIMESTAMP: u8 = 2;

/// A metadata file of a repository, as an organisation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleState {
    /// root, targets, snapshot, timestamp, or the name of a delegated role
    pub role: String,
    /// version that is published
    pub version: u64,
    /// when it ends
    pub expires: UnixTime,
    /// whether that is soon, or past: root within 60 days, targets and delegated roles 14 days,
    /// snapshot 2 days, timestamp 6 hours
    pub ends_soon: bool,
}

/// An image repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryView {
    /// whose
    pub organisation: OrganisationId,
    /// since when
    pub created_at: UnixTime,
    /// whether everybody may read metadata and images; otherwise it takes a certificate
    pub open: bool,
    /// public keys that work online, as a root names them: role and canonical JSON
    pub keys: Vec<OnlineKey>,
    /// what is published; nothing before the first root
    pub roles: Vec<RoleState>,
    /// targets that are signed
    pub targets: u64,
    /// files of published releases that are not signed yet, by path
    pub unsigned: Vec<String>,
    /// signed targets whose release was withdrawn, by path
    pub withdrawn: Vec<String>,
    /// what the last renewal failed with
    pub problem: Option<String>,
}

/// A public key that works online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineKey {
    /// *snapshot* or *timestamp*
    pub role: &'static str,
    /// its id
    pub id: String,
    /// the key as metadata name it, in JSON
    pub public: String,
    /// whether the published root names it
    pub named: bool,
}

/// Metadata that were signed offline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedMetadata {
    /// a new root
    pub root: Option<Vec<u8>>,
    /// new targets files, each with its role
    pub targets: Vec<(String, Vec<u8>)>,
}

impl Service {
    /// Begins an organisation's image repository: makes the keys that work online. The organisation
    /// names their public halves in its root.
    ///
    /// # Errors
    /// `repository-exists`, `not-found`, `role`.
    pub async fn begin_repository(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<RepositoryView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageRepository, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let made = [self.new_online_key()?, self.new_online_key()?];
        let event = self.repository_event(caller, organisation, "repository-begun");
        let now = self.now();
        self.commit(move |tx| {
            if store::repository(tx, row)?.is_some() {
                return Err(ServiceError::conflict(
                    "repository-exists",
                    "the organisation has an image repository already",
                ));
            }
            store::insert_repository(tx, row, now)?;
            for (new, role) in made.iter().zip([SNAPSHOT, TIMESTAMP]) {
                let key = key_store::insert_key(tx, new)?;
                store::insert_key(tx, row, key, role, now)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.repository(caller, organisation).await
    }

    /// Makes new keys that work online, beside the present ones: the next root names them, and once
    /// it is published those that it names no more are destroyed.
    ///
    /// # Errors
    /// `repository-keys` where too many wait already, `not-found`, `role`.
    pub async fn rotate_repository_keys(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<RepositoryView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageRepository, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let made = [self.new_online_key()?, self.new_online_key()?];
        let event = self.repository_event(caller, organisation, "repository-keys");
        let now = self.now();
        self.commit(move |tx| {
            found(store::repository(tx, row)?, "image repository")?;
            if store::keys(tx, row)?.len() >= 2 * KEYS_MAX {
                return Err(ServiceError::too_many(
                    "repository-keys",
                    "new keys wait to be named by a root; name them first",
                ));
            }
            for (new, role) in made.iter().zip([SNAPSHOT, TIMESTAMP]) {
                let key = key_store::insert_key(tx, new)?;
                store::insert_key(tx, row, key, role, now)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.repository(caller, organisation).await
    }

    /// Chooses whether everybody may read metadata and images, or only devices and members.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn open_repository(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        open: bool,
    ) -> Result<RepositoryView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageRepository, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let what = if open { "repository-opened" } else { "repository-closed" };
        let event = self.repository_event(caller, organisation, what);
        self.commit(move |tx| {
            found(store::repository(tx, row)?, "image repository")?;
            store::set_open(tx, row, open)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.repository(caller, organisation).await
    }

    /// An organisation's image repository.
    ///
    /// # Errors
    /// `not-found`, `role`, `repository-damaged`.
    pub async fn repository(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<RepositoryView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadRelease, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        self.repository_view(organisation, row)
    }

    fn repository_view(
        &self,
        organisation: &OrganisationId,
        row: i64,
    ) -> Result<RepositoryView, ServiceError> {
        let (kept, files, published, keys) = self.read(|connection| {
            Ok((
                found(store::repository(connection, row)?, "image repository")?,
                store::files(connection, row)?,
                release_store::published_artifacts(connection, row)?,
                store::keys(connection, row)?,
            ))
        })?;
        let present = Repository::open(&files).map_err(|error| damaged(&error))?;
        let now = self.now();
        let mut roles = Vec::new();
        let mut signed: BTreeMap<String, Option<String>> = BTreeMap::new();
        if let Some(present) = &present {
            let soon = notices(present, now);
            let mut state = |role: &str, header: &update::Header| {
                roles.push(RoleState {
                    role: role.to_owned(),
                    version: header.version.number(),
                    expires: header.expires,
                    ends_soon: soon.iter().any(|notice| notice.role.as_str() == role),
                });
            };
            state("root", present.root().header());
            for (role, targets) in present.all_targets() {
                state(role.as_str(), targets.content.header());
                for (path, file) in &targets.content.targets {
                    let sha256 = file.hashes.get("sha256").map(str::to_owned);
                    signed.insert(path.clone(), sha256);
                }
            }
            state("snapshot", present.snapshot().header());
            state("timestamp", present.timestamp().header());
        }
        let is_signed = |artifact: &ArtifactRow| {
            let sha256 = artifact.blob.sha256.to_string();
            signed.get(&artifact.path).is_some_and(|known| known.as_ref() == Some(&sha256))
        };
        let unsigned = published
            .iter()
            .filter(|(_, artifact)| !is_signed(artifact))
            .map(|(_, artifact)| artifact.path.clone())
            .collect();
        let known: BTreeSet<&str> =
            published.iter().map(|(_, artifact)| artifact.path.as_str()).collect();
        let withdrawn =
            signed.keys().filter(|path| !known.contains(path.as_str())).cloned().collect();
        let keys = keys
            .into_iter()
            .map(|key| {
                let signer = self.signer(key.key)?;
                let public = Key::from_public(signer.public_key())
                    .map_err(|error| ServiceError::fatal("key-damaged", error.to_string()))?;
                let role =
                    if key.role == SNAPSHOT { TopRole::Snapshot } else { TopRole::Timestamp };
                let named = present
                    .as_ref()
                    .is_some_and(|present| names(present.root(), role, signer.public_key()));
                let text = update::json::file_form(&public.to_json());
                Ok(OnlineKey {
                    role: role.name(),
                    id: public.computed_id().as_str().to_owned(),
                    public: String::from_utf8(text).unwrap_or_default(),
                    named,
                })
            })
            .collect::<Result<_, ServiceError>>()?;
        Ok(RepositoryView {
            organisation: organisation.clone(),
            created_at: kept.created_at,
            open: kept.open,
            keys,
            roles,
            targets: u64::try_from(signed.len()).unwrap_or(u64::MAX),
            unsigned,
            withdrawn,
            problem: kept.problem,
        })
    }

    /// The draft of a targets file that names every file of published releases which is the role's to
    /// name: the next version of what is published, to be signed where the role's key is. `life_s`:
    /// how long it is to be good, in seconds.
    ///
    /// # Errors
    /// `repository-role` for a role that does not exist yet, `repository-life`, `not-found`, `role`.
    pub async fn draft_targets(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        role: &str,
        life_s: Option<i64>,
    ) -> Result<Vec<u8>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadRelease, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let life_s = life_s.unwrap_or(TARGETS_S);
        if !(3600..=TARGETS_S_MAX).contains(&life_s) {
            return Err(ServiceError::malformed(
                "repository-life",
                "targets metadata are good for 1 hour to 366 days",
            ));
        }
        let unknown = || {
            ServiceError::refused(
                "repository-role",
                "nobody delegates to this role yet; sign and push the delegating metadata with an \
                 empty file of the role first (`tegata update delegate`)",
            )
        };
        let role = RoleName::new(role).map_err(|_| unknown())?;
        let is_targets = role.is(TopRole::Targets);
        if !is_targets && TopRole::from_name(role.as_str()).is_some() {
            return Err(unknown());
        }
        let (files, published) = self.read(|connection| {
            found(store::repository(connection, row)?, "image repository")?;
            Ok((
                store::files(connection, row)?,
                release_store::published_artifacts(connection, row)?,
            ))
        })?;
        let present = Repository::open(&files).map_err(|error| damaged(&error))?;
        let expires = self.now().plus(life_s);
        let there = present.as_ref().and_then(|present| present.targets(&role));
        let mut draft = match (&present, there) {
            (_, Some(there)) => {
                successor(&*there.content, &role, expires).map_err(|error| refused(&error))?
            }
            (None, None) if is_targets => Targets::new(expires),
            _ => return Err(unknown()),
        };
        draft.targets.clear();
        for (release, artifact) in &published {
            let path = TargetPath::new(artifact.path.clone())
                .map_err(|error| ServiceError::fatal("store-damaged", error.to_string()))?;
            let speaks = match &present {
                Some(present) => speaker(present, &path),
                None => RoleName::from(TopRole::Targets),
            };
            if speaks == role {
                draft.targets.insert(artifact.path.clone(), target_file(release, artifact)?);
            }
        }
        Signed::draft(draft)
            .to_bytes()
            .map_err(|error| ServiceError::refused("repository-refused", error.to_string()))
    }

    /// Whether the caller may hand in signed metadata, asked before they are sent.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub fn may_push_metadata(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        self.authorize(caller, Action::PublishRelease, &resource).map(|_| ())
    }

    /// Takes in metadata that were signed offline, and publishes them under a new snapshot and
    /// timestamp. The first root is trusted as an administrator hands it in; later ones must follow
    /// it as the specification says (section 5.3).
    ///
    /// # Errors
    /// `repository-refused` with what the specification, or a client, holds against it;
    /// `target-unknown` for a target that is no file of a published release; `repository-changed`
    /// where somebody else published meanwhile; `not-found`, `role`.
    pub async fn push_metadata(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        signed: SignedMetadata,
    ) -> Result<RepositoryView, ServiceError> {
        let resource = Resource::organisation(organisation);
        // Who may sign is a matter of the root; who hands in a new one is an administrator.
        let action = match signed.root {
            Some(_) => Action::ManageRepository,
            None => Action::PublishRelease,
        };
        let _permit = self.authorize(caller, action, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        if signed.targets.len() > STAGED_MAX {
            return Err(ServiceError::malformed(
                "repository-refused",
                format!("at most {STAGED_MAX} files in one publication"),
            ));
        }
        let mut staged = Staged { root: signed.root, ..Staged::default() };
        for (role, bytes) in signed.targets {
            let role = RoleName::new(role).map_err(|error| {
                ServiceError::malformed("repository-refused", error.to_string())
            })?;
            if staged.targets.insert(role, bytes).is_some() {
                return Err(ServiceError::malformed(
                    "repository-refused",
                    "one role's file stands twice",
                ));
            }
        }
        let staged = Arc::new(staged);
        for round in 1.. {
            let outcome = self.push_once(caller, organisation, row, &staged).await;
            let overtaken = |error: &ServiceError| error.code() == "repository-changed";
            match outcome {
                // A renewal of our own came in between: over the new state it is signed again.
                Err(error) if overtaken(&error) && round < ROUNDS_MAX => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        self.repository(caller, organisation).await
    }

    async fn push_once(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        row: i64,
        staged: &Arc<Staged>,
    ) -> Result<(), ServiceError> {
        let (service, staged, now) = (self.clone(), Arc::clone(staged), self.now());
        // Signatures are verified on a thread that has the time.
        let begun = self.pool.begin(move || service.prepare_publication(row, &staged, now));
        let prepared = begun.outcome().await??;
        let mut event = self.repository_event(caller, organisation, "metadata-published");
        for (role, version) in &prepared.publication.versions {
            event = event.detail(role.as_str(), &version.to_string());
        }
        self.commit(move |tx| {
            put(tx, row, &prepared, now)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    fn new_online_key(&self) -> Result<key_store::KeyRow, ServiceError> {
        let algorithm = KeyAlgorithm::Ed25519;
        self.keys
            .generate(Purpose::Update, algorithm, self.now(), UnixTime::NEVER)
            .map(|(_, row)| row)
    }

    fn repository_event(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        what: &str,
    ) -> audit::SecurityEvent {
        self.event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .detail("what", what)
    }

    /// Roles of an organisation's repository that end soon, for who looks at the whole: empty where
    /// all is well, where there is no repository, and where it cannot be read, which others tell.
    pub(crate) fn repository_warnings(&self, organisation: &OrganisationId) -> Vec<RoleState> {
        let view = self.organisation_row(organisation.as_str()).and_then(|row| {
            let there = self.read(|connection| store::repository(connection, row.id))?;
            there.map(|_| self.repository_view(organisation, row.id)).transpose()
        });
        match view {
            Ok(Some(view)) => view.roles.into_iter().filter(|role| role.ends_soon).collect(),
            Ok(None) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "an image repository cannot be looked at");
                Vec::new()
            }
        }
    }
}

/// What signed metadata say of a release's file.
pub(super) fn target_file(
    release: &ReleaseRow,
    artifact: &ArtifactRow,
) -> Result<TargetFile, ServiceError> {
    let custom = Custom {
        hardware_ids: read_texts(&artifact.hardware_ids)?,
        version: Some(release.version.clone()),
        security_version: Some(release.security_version),
        release_counter: Some(release.counter),
        sealed: artifact.form.header.map(|header| header.plain),
        delta: artifact.form.delta,
        ..Custom::default()
    };
    let hashes = Hashes::of_sha256(artifact.blob.sha256);
    Ok(TargetFile::new(artifact.blob.length, hashes, &custom))
}

/// The role that is asked first about a path and has the say: the deepest delegation on the way
/// that a client takes.
fn speaker(present: &Repository, path: &TargetPath) -> RoleName {
    let mut role = RoleName::from(TopRole::Targets);
    // As many steps as a client goes.
    for _ in 0..Limits::DEFAULT.roles_visited_max {
        let Some(targets) = present.targets(&role) else { break };
        let next = targets.content.delegations.iter().find(|one| one.paths.cover(path));
        match next {
            Some(next) if present.targets(&next.name).is_some() => role = next.name.clone(),
            _ => break,
        }
    }
    role
}

pub(super) fn refused(error: &RepositoryError) -> ServiceError {
    ServiceError::refused("repository-refused", error.to_string())
}

pub(super) fn damaged(error: &RepositoryError) -> ServiceError {
    tracing::error!(%error, "an image repository is damaged");
    ServiceError::unavailable(
        "repository-damaged",
        "the image repository cannot be read; tell the platform's operator",
    )
}
