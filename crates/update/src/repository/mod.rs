//! The repository's side: reading what is published, making what is published next, collecting
//! signatures, recovering from lost keys (sections 3 and 6 of the specification). Without I/O: a
//! repository is a map from names to bytes, and a publication is a list of files to be written.

mod error;
mod publish;
mod recovery;
mod words;

pub use error::RepositoryError;
pub use publish::{Online, Publication, Staged, publish, renew_timestamp, sign_as};
pub use recovery::{Replacement, recover, rotate_too};
pub use words::{InWords, Notice, describe, in_days, notice_s, notices};

use crate::{
    Limits,
    authority::Authority,
    role::{RoleName, TopRole, Version},
    root::Root,
    signed::{Metadata, SPEC_VERSION, Signed},
    snapshot::{Snapshot, Timestamp},
    targets::Targets,
};
use crypto::{UnixTime, Verified};
use std::collections::BTreeMap;

/// Metadata files by name, as they lie in a repository with consistent snapshots.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A targets file that is published.
#[derive(Clone, Debug)]
pub struct PublishedTargets {
    /// what it says
    pub content: Verified<Targets>,
    /// the file
    pub bytes: Vec<u8>,
    /// who delegates to the role; `None`: the root
    pub delegator: Option<RoleName>,
}

/// What a repository has published, verified as clients verify it but for expiry.
#[derive(Clone, Debug)]
pub struct Repository {
    /// every root, the first one first
    roots: Vec<Verified<Root>>,
    root: Verified<Root>,
    root_bytes: Vec<u8>,
    timestamp: Verified<Timestamp>,
    timestamp_bytes: Vec<u8>,
    snapshot: Verified<Snapshot>,
    snapshot_bytes: Vec<u8>,
    targets: BTreeMap<RoleName, PublishedTargets>,
}

impl Repository {
    /// Reads a repository; `None` where nothing was published yet.
    ///
    /// What an earlier root's keys signed is read too, so that a publication with new keys which was
    /// interrupted after its root can be repeated.
    ///
    /// # Errors
    /// [`RepositoryError::Missing`], [`RepositoryError::File`].
    pub fn open(files: &Files) -> Result<Option<Self>, RepositoryError> {
        let limits = Limits::DEFAULT;
        let role = RoleName::from(TopRole::Root);
        let Some(first_root_bytes) = files.get(&role.file_name(Some(Version::FIRST))) else {
            return Ok(None);
        };
        let in_file = |file: &str| {
            let file = file.to_owned();
            move |error| RepositoryError::File { file, error }
        };
        let first = Signed::<Root>::parse(first_root_bytes, &limits)
            .and_then(Signed::trust_first)
            .map_err(in_file("1.root.json"))?;
        let mut root_bytes = first_root_bytes;
        let mut root = first.clone();
        let mut roots = vec![first];
        while let Some(next) = root.header.version.next() {
            let name = role.file_name(Some(next));
            let Some(bytes) = files.get(&name) else { break };
            root = Signed::<Root>::parse(bytes, &limits)
                .and_then(|signed| signed.follow(&root))
                .map_err(in_file(&name))?;
            root_bytes = bytes;
            roots.push(root.clone());
        }
        let timestamp_bytes = file(files, "timestamp.json")?;
        let timestamp: Verified<Timestamp> =
            by_any(&roots, TopRole::Timestamp, timestamp_bytes, "timestamp.json")?;
        let name = RoleName::from(TopRole::Snapshot).file_name(Some(timestamp.snapshot.version));
        let snapshot_bytes = file(files, &name)?;
        let snapshot: Verified<Snapshot> =
            by_any(&roots, TopRole::Snapshot, snapshot_bytes, &name)?;
        let mut this = Self {
            root,
            roots,
            root_bytes: root_bytes.clone(),
            timestamp,
            timestamp_bytes: timestamp_bytes.clone(),
            snapshot,
            snapshot_bytes: snapshot_bytes.clone(),
            targets: BTreeMap::new(),
        };
        this.read_targets(files)?;
        Ok(Some(this))
    }

    fn read_targets(&mut self, files: &Files) -> Result<(), RepositoryError> {
        let mut pending: Vec<(Option<RoleName>, RoleName)> = vec![(None, TopRole::Targets.into())];
        while let Some((delegator, role)) = pending.pop() {
            if self.targets.contains_key(&role) {
                continue;
            }
            let Some(meta) = self.snapshot.file(&role) else { continue };
            let name = role.file_name(Some(meta.version));
            let bytes = file(files, &name)?;
            let content: Verified<Targets> = match &delegator {
                None => by_any(&self.roots, TopRole::Targets, bytes, &name)?,
                Some(delegator) => {
                    let found = self.targets.get(delegator);
                    let missing = || RepositoryError::Missing(delegator.listed_as());
                    let delegator = &found.ok_or_else(missing)?.content;
                    Authority::of_delegation(delegator, &role)
                        .and_then(|authority| {
                            Signed::<Targets>::parse(bytes, &Limits::DEFAULT)?.verify(&authority)
                        })
                        .map_err(|error| RepositoryError::File { file: name.clone(), error })?
                }
            };
            for delegation in &content.delegations {
                pending.push((Some(role.clone()), delegation.name.clone()));
            }
            let published = PublishedTargets { content, bytes: bytes.clone(), delegator };
            self.targets.insert(role, published);
        }
        Ok(())
    }

    /// The newest root.
    pub fn root(&self) -> &Verified<Root> {
        &self.root
    }

    /// The file of the newest root.
    pub fn root_bytes(&self) -> &[u8] {
        &self.root_bytes
    }

    /// The timestamp.
    pub fn timestamp(&self) -> &Verified<Timestamp> {
        &self.timestamp
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Verified<Snapshot> {
        &self.snapshot
    }

    /// A published targets file.
    pub fn targets(&self, role: &RoleName) -> Option<&PublishedTargets> {
        self.targets.get(role)
    }

    /// Every published targets file to which a way of delegations leads.
    pub fn all_targets(&self) -> impl Iterator<Item = (&RoleName, &PublishedTargets)> {
        self.targets.iter()
    }

    /// The version that a role's file must have next.
    ///
    /// # Errors
    /// [`RepositoryError::FastForwarded`].
    pub fn next_version(&self, role: &RoleName) -> Result<Version, RepositoryError> {
        let published = match TopRole::from_name(role.as_str()) {
            Some(TopRole::Root) => Some(self.root.header.version),
            Some(TopRole::Snapshot) => Some(self.snapshot.header.version),
            Some(TopRole::Timestamp) => Some(self.timestamp.header.version),
            // An ended delegation's file stays listed, and its versions go on.
            Some(TopRole::Targets) | None => self.snapshot.file(role).map(|meta| meta.version),
        };
        match published {
            None => Ok(Version::FIRST),
            Some(version) => version
                .next()
                .ok_or_else(|| RepositoryError::FastForwarded { role: role.clone(), version }),
        }
    }
}

/// The draft of a next version: the same contents until `expires`.
///
/// # Errors
/// [`RepositoryError::FastForwarded`].
pub fn successor<R: Metadata>(
    content: &R,
    role: &RoleName,
    expires: UnixTime,
) -> Result<R, RepositoryError> {
    let version = content.header().version;
    let mut next = content.clone();
    let header = next.header_mut();
    header.version = version
        .next()
        .ok_or_else(|| RepositoryError::FastForwarded { role: role.clone(), version })?;
    header.spec_version = SPEC_VERSION.to_owned();
    header.expires = expires;
    Ok(next)
}

fn file<'a>(files: &'a Files, name: &str) -> Result<&'a Vec<u8>, RepositoryError> {
    files.get(name).ok_or_else(|| RepositoryError::Missing(name.to_owned()))
}

/// Verified by the newest root whose keys signed it.
fn by_any<R: Metadata>(
    roots: &[Verified<Root>],
    role: TopRole,
    bytes: &[u8],
    name: &str,
) -> Result<Verified<R>, RepositoryError> {
    let in_file = |error| RepositoryError::File { file: name.to_owned(), error };
    let signed = Signed::<R>::parse(bytes, &Limits::DEFAULT).map_err(in_file)?;
    let mut first = None;
    for root in roots.iter().rev() {
        match signed.clone().verify(&Authority::of_top_role(root, role)) {
            Ok(verified) => return Ok(verified),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(in_file(first.unwrap_or(crate::MetadataError::NoAuthority(role.into()))))
}
