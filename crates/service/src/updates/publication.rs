//! Publications of image repositories: what is signed online, over what was signed offline, and its
//! renewal before it ends.

use super::repository::{SNAPSHOT, damaged, refused, target_file};
use crate::{
    Service, ServiceError,
    keys::Use,
    live::found,
    store::{
        Tx, director as directors, freshness, key as key_store, release as release_store,
        repository as store,
    },
};
use crypto::{Sha256, Signer, UnixTime};
use std::{collections::BTreeSet, sync::Arc};
use update::{
    Custom, Limits, RoleName, Root, Signed, TopRole,
    repository::{
        Files, Online, Publication, Repository, RepositoryError, Staged, publish, renew_timestamp,
    },
};

/// Life of a snapshot, in seconds.
const SNAPSHOT_S: i64 = 7 * 86_400;
/// Life of a timestamp, in seconds.
const TIMESTAMP_S: i64 = 86_400;
/// Metadata that were replaced stay so long, in seconds, for clients that are in the middle.
const REPLACED_S: i64 = 2 * 86_400;

/// Refuses a root that names a key of the director's: devices believe neither from then on.
fn apart_from_director(root: &[u8], director: &[u8]) -> Result<(), ServiceError> {
    let parsed = |bytes: &[u8]| Signed::<Root>::parse(bytes, &Limits::DEFAULT);
    let root = parsed(root)
        .map_err(|error| ServiceError::refused("repository-refused", format!("root: {error}")))?;
    let director = parsed(director).map_err(|error| super::director::damaged(&error))?;
    if root.unverified().shares_a_key_with(director.unverified()) {
        return Err(ServiceError::refused(
            "repository-refused",
            "the root names a key that the director's root names too; devices that have a director \
             would refuse everything: make keys of its own",
        ));
    }
    Ok(())
}

impl Service {
    /// What is published next, verified and rehearsed.
    pub(super) fn prepare_publication(
        &self,
        row: i64,
        staged: &Staged,
        now: UnixTime,
    ) -> Result<Prepared, ServiceError> {
        let (files, director) = self.read(|connection| {
            found(store::repository(connection, row)?, "image repository")?;
            Ok((store::files(connection, row)?, directors::newest_root(connection, row)?))
        })?;
        if let (Some(bytes), Some(director)) = (&staged.root, &director) {
            apart_from_director(bytes, director)?;
        }
        let present = Repository::open(&files).map_err(|error| damaged(&error))?;
        let signers = self.online_signers(row, present.as_ref(), staged)?;
        let publication = {
            let online = signers.online(now);
            publish(present.as_ref(), staged, &online, now).map_err(|error| refused(&error))?
        };
        let (prepared, next) = Prepared::new(files, publication, &signers)?;
        self.check_targets(row, present.as_ref(), &next)?;
        Ok(prepared)
    }

    /// Each target that is newly signed is a file of a published release, as that release is.
    fn check_targets(
        &self,
        row: i64,
        present: Option<&Repository>,
        next: &Repository,
    ) -> Result<(), ServiceError> {
        for (role, targets) in next.all_targets() {
            let before = present.and_then(|present| present.targets(role));
            if before.is_some_and(|before| before.bytes == targets.bytes) {
                continue;
            }
            for (path, file) in &targets.content.targets {
                let sha256 = file.hashes.get("sha256").and_then(Sha256::from_hex);
                let known = match sha256 {
                    None => None,
                    Some(sha256) => self.read(|connection| {
                        release_store::published_artifact(connection, row, path, &sha256)
                    })?,
                };
                let agrees = match &known {
                    None => false,
                    Some((release, artifact)) => {
                        let ours = target_file(release, artifact)?;
                        let said = Custom::read(file.custom.as_ref());
                        let wanted = Custom::read(ours.custom.as_ref());
                        file.length == ours.length && said.is_ok() && said.ok() == wanted.ok()
                    }
                };
                if !agrees {
                    return Err(ServiceError::refused(
                        "target-unknown",
                        format!(
                            "{role} speaks about {path}, which is no file of a published release \
                             with this length, SHA-256, version, counter and hardware; publish the \
                             release, then sign a fresh draft (`tegata release draft-targets`)"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The keys that sign under the root that will be in force.
    fn online_signers(
        &self,
        row: i64,
        present: Option<&Repository>,
        staged: &Staged,
    ) -> Result<OnlineSigners, ServiceError> {
        let keys = self.read(|connection| store::keys(connection, row))?;
        let parsed;
        let root: &Root = match (&staged.root, present) {
            (Some(bytes), _) => {
                // Only to choose keys by; `publish` verifies it.
                parsed = Signed::<Root>::parse(bytes, &Limits::DEFAULT).map_err(|error| {
                    ServiceError::refused("repository-refused", format!("root: {error}"))
                })?;
                parsed.unverified()
            }
            (None, Some(present)) => present.root(),
            (None, None) => {
                return Err(ServiceError::refused(
                    "repository-refused",
                    "nothing is published yet; hand in the first root with the first targets",
                ));
            }
        };
        let mut signers = OnlineSigners::default();
        for key in keys {
            let signer = self.signer(key.key)?;
            let (role, list) = match key.role {
                SNAPSHOT => (TopRole::Snapshot, &mut signers.snapshot),
                _ => (TopRole::Timestamp, &mut signers.timestamp),
            };
            if names(root, role, signer.public_key()) {
                list.push((key.key, signer));
            } else {
                signers.idle.push((key.key, role));
            }
        }
        if signers.snapshot.is_empty() || signers.timestamp.is_empty() {
            return Err(ServiceError::refused(
                "repository-refused",
                "the root names none of the keys that the platform keeps for snapshot and \
                 timestamp; name them (`tegata release repository keys`)",
            ));
        }
        Ok(signers)
    }

    /// Renews timestamps and snapshots of which half is over. Part of the service's schedule; for
    /// tests.
    ///
    /// # Errors
    /// The first failure; the others are renewed all the same.
    #[doc(hidden)]
    pub fn renew_repositories(&self) -> Result<(), ServiceError> {
        let mut failed = Ok(());
        for row in self.read(store::organisations)? {
            let outcome = self.renew_repository(row);
            let problem = outcome.as_ref().err().map(ToString::to_string);
            if let Some(problem) = &problem {
                tracing::error!(%problem, "an image repository could not be renewed");
            }
            let known = self.read(|connection| store::repository(connection, row))?;
            if known.is_some_and(|known| known.problem != problem) {
                self.store
                    .writer
                    .run_blocking(move |tx| store::set_problem(tx, row, problem.as_deref()))?;
            }
            if failed.is_ok() {
                failed = outcome;
            }
        }
        let before = self.now().plus(-REPLACED_S);
        self.store.writer.run_blocking(move |tx| store::forget_replaced(tx, before))?;
        failed
    }

    fn renew_repository(&self, row: i64) -> Result<(), ServiceError> {
        let now = self.now();
        let files = self.read(|connection| store::files(connection, row))?;
        let Some(present) = Repository::open(&files).map_err(|error| damaged(&error))? else {
            return Ok(());
        };
        let due = |expires: UnixTime, life_s: i64| expires < now.plus(life_s / 2);
        let snapshot_due = due(present.snapshot().header.expires, SNAPSHOT_S);
        if !snapshot_due && !due(present.timestamp().header.expires, TIMESTAMP_S) {
            return Ok(());
        }
        let staged = Staged::default();
        let signers = self.online_signers(row, Some(&present), &staged)?;
        let publication = {
            let online = signers.online(now);
            match snapshot_due {
                true => publish(Some(&present), &staged, &online, now),
                false => renew_timestamp(&present, &online, now),
            }
            .map_err(|error| refused(&error))?
        };
        let (prepared, _next) = Prepared::new(files, publication, &signers)?;
        let put = self.store.writer.run_blocking(move |tx| put(tx, row, &prepared, now));
        match put {
            // Somebody published meanwhile, and with it renewed what was due.
            Err(error) if error.code() == "repository-changed" => Ok(()),
            other => other,
        }
    }
}

/// A publication that is ready to be committed.
pub(super) struct Prepared {
    /// what was published when it was made
    before: Files,
    pub(super) publication: Publication,
    /// files that nothing leads to any more
    replaced: Vec<String>,
    /// version of the timestamp
    timestamp: u64,
    signers: SignerRows,
}

impl Prepared {
    /// Also the repository as it will be.
    fn new(
        before: Files,
        publication: Publication,
        signers: &OnlineSigners,
    ) -> Result<(Self, Repository), ServiceError> {
        let mut after = before.clone();
        after.extend(publication.files.iter().cloned());
        let next = Repository::open(&after).map_err(|error| refused(&error))?;
        let next = next.ok_or_else(|| refused(&RepositoryError::Missing("root".to_owned())))?;
        let name = |role: TopRole, version| RoleName::from(role).file_name(version);
        let mut needed: BTreeSet<String> = next
            .all_targets()
            .map(|(role, targets)| role.file_name(Some(targets.content.header.version)))
            .collect();
        needed.insert(name(TopRole::Timestamp, None));
        needed.insert(name(TopRole::Snapshot, Some(next.snapshot().header.version)));
        // Roots stay: clients follow them one after the other.
        let replaced = after
            .keys()
            .filter(|name| !needed.contains(*name) && !name.ends_with(".root.json"))
            .cloned()
            .collect();
        let timestamp = next.timestamp().header.version.number();
        Ok((Self { before, publication, replaced, timestamp, signers: signers.rows() }, next))
    }
}

/// Keys that sign, and keys that the root in force does not name.
#[derive(Default)]
struct OnlineSigners {
    snapshot: Vec<(i64, Arc<dyn Signer>)>,
    timestamp: Vec<(i64, Arc<dyn Signer>)>,
    idle: Vec<(i64, TopRole)>,
}

struct SignerRows {
    snapshot: Vec<i64>,
    timestamp: Vec<i64>,
    idle: Vec<i64>,
}

impl OnlineSigners {
    fn online(&self, now: UnixTime) -> Online<'_> {
        fn all(list: &[(i64, Arc<dyn Signer>)]) -> Vec<&dyn Signer> {
            list.iter().map(|(_, signer)| signer.as_ref()).collect()
        }
        Online {
            snapshot: all(&self.snapshot),
            timestamp: all(&self.timestamp),
            snapshot_expires: now.plus(SNAPSHOT_S),
            timestamp_expires: now.plus(TIMESTAMP_S),
        }
    }

    fn rows(&self) -> SignerRows {
        let newest = |list: &[(i64, Arc<dyn Signer>)]| list.iter().map(|(row, _)| *row).max();
        let (snapshot, timestamp) = (newest(&self.snapshot), newest(&self.timestamp));
        // Older than one that is named: it was rotated away. Newer ones wait to be named.
        let old = |(row, role): &(i64, TopRole)| {
            let named = if *role == TopRole::Snapshot { snapshot } else { timestamp };
            named.is_some_and(|named| *row < named).then_some(*row)
        };
        SignerRows {
            snapshot: self.snapshot.iter().map(|(row, _)| *row).collect(),
            timestamp: self.timestamp.iter().map(|(row, _)| *row).collect(),
            idle: self.idle.iter().filter_map(old).collect(),
        }
    }
}

/// Commits a publication, unless something else was published since it was made.
pub(super) fn put(
    tx: &mut Tx<'_>,
    row: i64,
    prepared: &Prepared,
    now: UnixTime,
) -> Result<(), ServiceError> {
    if store::files(tx, row)? != prepared.before {
        return Err(ServiceError::conflict(
            "repository-changed",
            "somebody else published meanwhile; repeat it",
        ));
    }
    for (name, contents) in &prepared.publication.files {
        store::put_file(tx, row, name, contents, now)?;
    }
    freshness::serve(tx, row, prepared.timestamp, now)?;
    for name in &prepared.replaced {
        store::replace_file(tx, row, name, now)?;
    }
    let signed =
        |name: &str| prepared.publication.files.iter().any(|(file, _)| file.ends_with(name));
    let uses = [
        (signed("snapshot.json"), &prepared.signers.snapshot),
        (signed("timestamp.json"), &prepared.signers.timestamp),
    ];
    for (happened, keys) in uses {
        for key in keys.iter().filter(|_| happened) {
            tx.count_key_use(*key, Use::Metadata as u8, now);
        }
    }
    for key in &prepared.signers.idle {
        key_store::destroy_key(tx, *key, now)?;
    }
    store::set_problem(tx, row, None)
}

/// Whether a root names a key for a role.
pub(super) fn names(root: &Root, role: TopRole, key: &crypto::PublicKey) -> bool {
    root.role(role)
        .key_ids
        .iter()
        .filter_map(|id| root.keys.get(id))
        .any(|named| named.public_key() == Some(key))
}
