//! What is published next: offline-signed drafts, with a new snapshot and timestamp over them.

use super::{Files, Repository, RepositoryError, successor};
use crate::{
    Limits, MetadataError,
    authority::Authority,
    client::{Answer, Client, Refusal, Settings, Stored},
    key::Key,
    role::{RoleName, TopRole, Version},
    root::Root,
    signed::{Header, Metadata, SPEC_VERSION, Signed, require_current},
    snapshot::{MetaFile, Snapshot, Timestamp},
    targets::Targets,
};
use crypto::{Signer, UnixTime, Verified};
use std::collections::BTreeMap;

/// Signed drafts that wait for publication.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// a new root
    pub root: Option<Vec<u8>>,
    /// new targets files by role
    pub targets: BTreeMap<RoleName, Vec<u8>>,
}

/// The keys that work online, and until when what they sign is good.
pub struct Online<'a> {
    /// sign the snapshot
    pub snapshot: Vec<&'a dyn Signer>,
    /// sign the timestamp
    pub timestamp: Vec<&'a dyn Signer>,
    /// end of the snapshot
    pub snapshot_expires: UnixTime,
    /// end of the timestamp
    pub timestamp_expires: UnixTime,
}

/// Files to be written in this order: the last one makes clients see all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// names and contents
    pub files: Vec<(String, Vec<u8>)>,
    /// versions that clients see from now on
    pub versions: BTreeMap<RoleName, Version>,
}

/// Makes the next publication. Everything is verified as clients will: a draft that lacks
/// signatures, skips a version or has expired is refused, and so is a change of keys that leaves
/// another file without enough of them. At last a client without and a client with the present
/// state go through the workflow; what they would refuse is not published.
///
/// # Errors
/// [`RepositoryError`].
pub fn publish(
    present: Option<&Repository>,
    staged: &Staged,
    online: &Online<'_>,
    now: UnixTime,
) -> Result<Publication, RepositoryError> {
    let mut files = Vec::new();
    let root_name = RoleName::from(TopRole::Root);
    let (root, root_bytes) = next_root(present, staged)?;
    current(&root, &root_name, now)?;
    if present.is_none_or(|present| present.root_bytes != root_bytes) {
        files.push((root_name.file_name(Some(root.header.version)), root_bytes.clone()));
    }
    let targets = next_targets(present, staged, &root, now)?;
    let mut meta = present.map(|present| present.snapshot.meta.clone()).unwrap_or_default();
    let mut versions: BTreeMap<_, _> = [(root_name, root.header.version)].into();
    for (role, (content, bytes)) in targets {
        let version = content.header.version;
        meta.insert(role.listed_as(), MetaFile::of(version, &bytes));
        let published = present.and_then(|present| present.targets.get(&role));
        if published.is_none_or(|published| published.bytes != bytes) {
            files.push((role.file_name(Some(version)), bytes));
        }
        versions.insert(role, version);
    }

    let snapshot_name = RoleName::from(TopRole::Snapshot);
    let snapshot = Snapshot {
        header: next_header(present, &snapshot_name, online.snapshot_expires)?,
        meta,
        other: present.map(|present| present.snapshot.other.clone()).unwrap_or_default(),
    };
    let version = snapshot.header.version;
    versions.insert(snapshot_name.clone(), version);
    let bytes = sign_online(snapshot, &root, TopRole::Snapshot, &online.snapshot, now)?;
    let described = MetaFile::of(version, &bytes);
    files.push((snapshot_name.file_name(Some(version)), bytes));

    let (name, version, bytes) = timestamp(present, &root, described, online, now)?;
    versions.insert(name.clone(), version);
    files.push((name.file_name(None), bytes));

    let publication = Publication { files, versions };
    rehearse(present, &publication, root_bytes, now)?;
    Ok(publication)
}

/// Signs a new timestamp over the present snapshot, as is done often so that a mirror that stands
/// still is noticed.
///
/// # Errors
/// [`RepositoryError`]; [`RepositoryError::Expired`] where the snapshot must be signed anew first.
pub fn renew_timestamp(
    present: &Repository,
    online: &Online<'_>,
    now: UnixTime,
) -> Result<Publication, RepositoryError> {
    current(&present.root, &TopRole::Root.into(), now)?;
    current(&present.snapshot, &TopRole::Snapshot.into(), now)?;
    let described = MetaFile::of(present.snapshot.header.version, &present.snapshot_bytes);
    let (name, version, bytes) = timestamp(Some(present), &present.root, described, online, now)?;
    let publication = Publication {
        files: vec![(name.file_name(None), bytes)],
        versions: [(name, version)].into(),
    };
    rehearse(Some(present), &publication, present.root_bytes.clone(), now)?;
    Ok(publication)
}

fn next_root(
    present: Option<&Repository>,
    staged: &Staged,
) -> Result<(Verified<Root>, Vec<u8>), RepositoryError> {
    let role = RoleName::from(TopRole::Root);
    let bytes = match (&staged.root, present) {
        (Some(bytes), _) => bytes,
        (None, Some(present)) => &present.root_bytes,
        (None, None) => return Err(RepositoryError::Missing("staged/root.json".to_owned())),
    };
    if let Some(present) = present.filter(|present| present.root_bytes == *bytes) {
        // Also where an earlier attempt to publish this root was interrupted.
        return Ok((present.root.clone(), bytes.clone()));
    }
    let must_sign = |error| RepositoryError::MustSign { role: role.clone(), error };
    let signed = Signed::<Root>::parse(bytes, &Limits::DEFAULT).map_err(must_sign)?;
    let found = signed.unverified().header.version;
    let expected = match present {
        Some(present) => present.next_version(&role)?,
        None => Version::FIRST,
    };
    if found != expected {
        return Err(RepositoryError::WrongVersion { role, found, expected });
    }
    signed.unverified().require_reachable()?;
    if !signed.unverified().consistent_snapshot {
        let reason = "must be true: files are published under names with versions";
        return Err(MetadataError::malformed("consistent_snapshot", reason).into());
    }
    let root = match present {
        Some(present) => signed.follow(&present.root),
        None => signed.trust_first(),
    };
    Ok((root.map_err(must_sign)?, bytes.clone()))
}

type NextTargets = BTreeMap<RoleName, (Verified<Targets>, Vec<u8>)>;

fn next_targets(
    present: Option<&Repository>,
    staged: &Staged,
    root: &Verified<Root>,
    now: UnixTime,
) -> Result<NextTargets, RepositoryError> {
    let mut next = NextTargets::new();
    let top = RoleName::from(TopRole::Targets);
    let mut pending = vec![(top.clone(), Authority::of_top_role(root, TopRole::Targets))];
    while let Some((role, authority)) = pending.pop() {
        if next.contains_key(&role) {
            continue;
        }
        let published = present.and_then(|present| present.targets.get(&role));
        let bytes = match (staged.targets.get(&role), published) {
            (Some(bytes), _) => bytes,
            (None, Some(published)) => &published.bytes,
            (None, None) => return Err(RepositoryError::Unpublished(role)),
        };
        let must_sign = |error| RepositoryError::MustSign { role: role.clone(), error };
        let content = Signed::<Targets>::parse(bytes, &Limits::DEFAULT)
            .and_then(|signed| signed.verify(&authority))
            .map_err(must_sign)?;
        let is_new = published.is_none_or(|published| published.bytes != *bytes);
        if is_new {
            let expected = match present {
                Some(present) => present.next_version(&role)?,
                None => Version::FIRST,
            };
            let found = content.header.version;
            if found != expected {
                return Err(RepositoryError::WrongVersion { role, found, expected });
            }
        }
        // A delegated role that has ended takes nobody else down: clients refuse what it alone speaks
        // for, and everything else goes on. What is handed in must be good, and so must the top.
        if is_new || role == top {
            current(&content, &role, now)?;
        }
        for delegation in content.delegations.iter().rev() {
            let authority = Authority::of_delegation(&content, &delegation.name)?;
            pending.push((delegation.name.clone(), authority));
        }
        next.insert(role, (content, bytes.clone()));
    }
    match staged.targets.keys().find(|role| !next.contains_key(role)) {
        Some(stray) => Err(RepositoryError::Stray(stray.clone())),
        None => Ok(next),
    }
}

fn timestamp(
    present: Option<&Repository>,
    root: &Verified<Root>,
    snapshot: MetaFile,
    online: &Online<'_>,
    now: UnixTime,
) -> Result<(RoleName, Version, Vec<u8>), RepositoryError> {
    let name = RoleName::from(TopRole::Timestamp);
    let timestamp = match present {
        Some(present) => {
            let mut next = successor(&*present.timestamp, &name, online.timestamp_expires)?;
            next.snapshot = snapshot;
            next
        }
        None => Timestamp {
            header: Header::first(online.timestamp_expires),
            snapshot,
            other: crate::json::Object::new(),
        },
    };
    let version = timestamp.header.version;
    let bytes = sign_online(timestamp, root, TopRole::Timestamp, &online.timestamp, now)?;
    Ok((name, version, bytes))
}

fn next_header(
    present: Option<&Repository>,
    role: &RoleName,
    expires: UnixTime,
) -> Result<Header, RepositoryError> {
    let version = match present {
        Some(present) => present.next_version(role)?,
        None => Version::FIRST,
    };
    Ok(Header { spec_version: SPEC_VERSION.to_owned(), version, expires })
}

/// Signs with every key at hand; each must be one of the role's.
fn sign_online<R: Metadata>(
    content: R,
    root: &Verified<Root>,
    role: TopRole,
    signers: &[&dyn Signer],
    now: UnixTime,
) -> Result<Vec<u8>, RepositoryError> {
    let name = RoleName::from(role);
    let authority = Authority::of_top_role(root, role);
    let mut signed = Signed::draft(content);
    for signer in signers {
        sign_as(&mut signed, &authority, *signer)?;
    }
    let bytes = signed.to_bytes()?;
    let must_sign = |error| RepositoryError::MustSign { role: name.clone(), error };
    let verified = signed.verify(&authority).map_err(must_sign)?;
    current(&verified, &name, now)?;
    Ok(bytes)
}

/// Signs as whichever key of the role `signer` is.
///
/// # Errors
/// [`RepositoryError::WrongSigner`], [`RepositoryError::Metadata`].
pub fn sign_as<R: Metadata>(
    signed: &mut Signed<R>,
    authority: &Authority,
    signer: &dyn Signer,
) -> Result<(), RepositoryError> {
    let public = signer.public_key();
    let found = authority.keys().find(|(_, key)| key.public_key() == Some(public));
    let Some((id, key)) = found else {
        return Err(RepositoryError::WrongSigner {
            key: Key::from_public(public).map_or_else(
                |_| public.fingerprint().to_string(),
                |key| key.computed_id().to_string(),
            ),
            role: authority.role().clone(),
        });
    };
    Ok(signed.sign(id, key, signer)?)
}

fn current<R: Metadata>(
    content: &Verified<R>,
    role: &RoleName,
    now: UnixTime,
) -> Result<(), RepositoryError> {
    let Header { version, expires, .. } = *content.header();
    require_current(content, role, now).map_err(|_| RepositoryError::Expired {
        role: role.clone(),
        version,
        expires,
    })
}

/// Lets a new client, and one with the present state, refresh from what would be published.
/// `root` is where the new one starts: the roots before it were verified when the repository was
/// read.
fn rehearse(
    present: Option<&Repository>,
    publication: &Publication,
    root: Vec<u8>,
    now: UnixTime,
) -> Result<(), RepositoryError> {
    let mut files: Files = publication.files.iter().cloned().collect();
    let mut clients = vec![Stored { root, ..Stored::default() }];
    if let Some(present) = present {
        for (role, targets) in &present.targets {
            let name = role.file_name(Some(targets.content.header.version));
            files.entry(name).or_insert_with(|| targets.bytes.clone());
        }
        let snapshot = RoleName::from(TopRole::Snapshot);
        let name = snapshot.file_name(Some(present.snapshot.header.version));
        files.entry(name).or_insert_with(|| present.snapshot_bytes.clone());
        clients.push(Stored {
            root: present.root_bytes.clone(),
            timestamp: Some(present.timestamp_bytes.clone()),
            snapshot: Some(present.snapshot_bytes.clone()),
            targets: BTreeMap::new(),
        });
    }
    for stored in clients {
        refresh(stored, &files, now).map_err(RepositoryError::ClientsRefuse)?;
    }
    Ok(())
}

/// Refreshes a client from files at hand.
pub(crate) fn refresh(stored: Stored, files: &Files, now: UnixTime) -> Result<Client, Refusal> {
    let mut client = Client::begin(stored, Settings::default(), now)?;
    while let Some(wanted) = client.wanted() {
        let answer = match files.get(&wanted.file) {
            Some(bytes) => Answer::File(bytes.clone()),
            None => Answer::Absent,
        };
        client.answer(answer)?;
    }
    Ok(client)
}
