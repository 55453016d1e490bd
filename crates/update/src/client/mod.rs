//! The client workflow (section 5 of the specification), without I/O: the client says which file it
//! wants and within how many bytes; whoever drives it fetches the file, hands over what came, and
//! keeps durably what the client says is to be kept, in that order.
//!
//! A refused answer changes nothing: the same file may be asked of another mirror.

mod find;
mod pace;
mod refusal;

pub use find::{Download, Found, Target};
pub use pace::Pace;
pub use refusal::{Refusal, Shown};

use crate::{
    Limits, MetadataError,
    authority::Authority,
    role::{RoleName, TopRole, Version},
    root::Root,
    signed::{Metadata, Signed, require_current},
    snapshot::{MetaFile, Snapshot, Timestamp},
    targets::Targets,
};
use crypto::{UnixTime, Verified};
use std::collections::BTreeMap;

/// What a client has kept from before. Only the root must be there; it came with the device or from
/// an earlier refresh. Everything is verified again.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// the newest root
    pub root: Vec<u8>,
    /// the newest timestamp
    pub timestamp: Option<Vec<u8>>,
    /// the newest snapshot
    pub snapshot: Option<Vec<u8>>,
    /// targets files by role
    pub targets: BTreeMap<RoleName, Vec<u8>>,
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// what it reads at most
    pub limits: Limits,
    /// a version of the timestamp that is known to exist, by a way that the mirror does not
    /// control: what is older is withheld from us
    pub timestamp_known: Option<Version>,
}

/// A metadata file that the client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// whose
    pub role: RoleName,
    /// its name below the address of the metadata, percent-encoded
    pub file: String,
    /// how many bytes are read at most; stop after one more
    pub length_max: u64,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// the file, or its beginning up to one byte more than allowed
    File(Vec<u8>),
    /// the mirror says that there is no such file
    Absent,
}

/// What is to be kept, in this order, before the client goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// these bytes are the newest of this role
    Put(RoleName, Vec<u8>),
    /// nothing is trusted of this role any more
    Forget(RoleName),
}

/// A delegated role whose file is not there yet.
struct Sought {
    /// where its delegator was loaded from; `None`: the top role `targets`
    delegator: Option<(RoleName, RoleName)>,
    /// who delegates, and to whom
    place: (RoleName, RoleName),
}

enum Phase {
    Root,
    Timestamp,
    Snapshot,
    Targets,
    Fresh,
}

/// A client between the beginning of a refresh and the last download that relies on it.
pub struct Client {
    settings: Settings,
    /// the time at which the update began: all expiries are compared with it (section 5.1)
    began: UnixTime,
    stored: Stored,
    root: Verified<Root>,
    timestamp: Option<Verified<Timestamp>>,
    snapshot: Option<Verified<Snapshot>>,
    targets: Option<Verified<Targets>>,
    /// by who delegates and to whom: the same role may have other keys elsewhere
    delegated: BTreeMap<(RoleName, RoleName), Verified<Targets>>,
    phase: Phase,
    roots_seen: usize,
    /// the role whose file a search wants
    searching: Option<Sought>,
}

impl Client {
    /// Begins a refresh at the time `now`.
    ///
    /// # Errors
    /// [`Refusal::TrustedRoot`].
    pub fn begin(stored: Stored, settings: Settings, now: UnixTime) -> Result<Self, Refusal> {
        let root = Signed::<Root>::parse(&stored.root, &settings.limits)
            .and_then(Signed::trust_first)
            .map_err(Refusal::TrustedRoot)?;
        Ok(Self {
            settings,
            began: now,
            stored,
            root,
            timestamp: None,
            snapshot: None,
            targets: None,
            delegated: BTreeMap::new(),
            phase: Phase::Root,
            roots_seen: 0,
            searching: None,
        })
    }

    /// The file that is wanted next; `None` once the top roles are fresh and no search is under way.
    pub fn wanted(&self) -> Option<Wanted> {
        let limits = &self.settings.limits;
        let (role, file, length_max) = match self.phase {
            Phase::Root => {
                let next = self.root.header.version.next()?;
                let role = RoleName::from(TopRole::Root);
                let file = role.file_name(Some(next));
                (role, file, limits.root_bytes_max)
            }
            Phase::Timestamp => {
                let role = RoleName::from(TopRole::Timestamp);
                let file = role.file_name(None);
                (role, file, limits.timestamp_bytes_max)
            }
            Phase::Snapshot => {
                let meta = &self.timestamp.as_ref()?.snapshot;
                let max = limits.snapshot_bytes_max;
                self.announced(TopRole::Snapshot.into(), meta, max)
            }
            Phase::Targets | Phase::Fresh => {
                let role = match &self.searching {
                    Some(sought) => sought.place.1.clone(),
                    None if matches!(self.phase, Phase::Targets) => TopRole::Targets.into(),
                    None => return None,
                };
                let meta = self.snapshot.as_ref()?.file(&role)?;
                self.announced(role, meta, limits.targets_bytes_max)
            }
        };
        Some(Wanted { role, file, length_max })
    }

    fn announced(&self, role: RoleName, meta: &MetaFile, max: u64) -> (RoleName, String, u64) {
        let version = self.root.consistent_snapshot.then_some(meta.version);
        let file = role.file_name(version);
        (role, file, meta.length.unwrap_or(max).min(max))
    }

    /// Takes what came for [`Self::wanted`]; says what is to be kept.
    ///
    /// # Errors
    /// [`Refusal`]. Nothing has changed then.
    pub fn answer(&mut self, answer: Answer) -> Result<Vec<Keep>, Refusal> {
        let wanted = self.wanted().ok_or(Refusal::OutOfOrder("nothing was asked for"))?;
        if let Answer::File(bytes) = &answer
            && u64::try_from(bytes.len()).unwrap_or(u64::MAX) > wanted.length_max
        {
            let (file, length_max) = (wanted.file, wanted.length_max);
            return Err(Refusal::EndlessData { file, length_max });
        }
        let bytes = match (answer, &self.phase) {
            (Answer::File(bytes), _) => bytes,
            // No newer root: the one at hand is the newest (section 5.3.3).
            (Answer::Absent, Phase::Root) => return self.root_is_newest().map(|()| Vec::new()),
            (Answer::Absent, _) => return Err(Refusal::Missing { file: wanted.file }),
        };
        match self.phase {
            Phase::Root => self.next_root(&wanted, bytes),
            Phase::Timestamp => self.new_timestamp(&wanted, bytes),
            Phase::Snapshot => self.new_snapshot(&wanted, bytes),
            Phase::Targets | Phase::Fresh => self.new_targets(&wanted, bytes),
        }
    }

    /// The root that is trusted now.
    pub fn root(&self) -> &Verified<Root> {
        &self.root
    }

    /// The timestamp that is trusted now; what was trusted before until it is fresh.
    pub fn timestamp(&self) -> Option<&Verified<Timestamp>> {
        self.timestamp.as_ref()
    }

    /// The snapshot that is trusted now; what was trusted before until it is fresh.
    pub fn snapshot(&self) -> Option<&Verified<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// The top targets file; `None` until the refresh is done.
    pub fn targets(&self) -> Option<&Verified<Targets>> {
        self.targets.as_ref()
    }

    // ---- root (section 5.3)

    fn next_root(&mut self, wanted: &Wanted, bytes: Vec<u8>) -> Result<Vec<Keep>, Refusal> {
        if self.roots_seen >= self.settings.limits.root_rotations_max {
            return Err(Refusal::TooManyRoots(self.settings.limits.root_rotations_max));
        }
        let trusted = self.root.header.version;
        let new = parse::<Root>(wanted, &bytes, &self.settings.limits)?
            .follow(&self.root)
            .map_err(|error| match error {
                MetadataError::NotNext { found, .. } if found <= trusted => Refusal::Rollback {
                    role: TopRole::Root.into(),
                    found: Shown(Some(found)),
                    trusted,
                },
                MetadataError::NotNext { found, expected } => {
                    Refusal::MixAndMatch { role: TopRole::Root.into(), found, expected }
                }
                error => unsigned(wanted, error),
            })?;
        let mut keep = Vec::new();
        // Recovery from a fast-forward attack (section 5.3.11): done with each root, and before it
        // is kept, so that a crash in between loses nothing.
        let rotated = |role| new.rotates(&self.root, role);
        if rotated(TopRole::Timestamp) || rotated(TopRole::Snapshot) {
            self.stored.timestamp = None;
            self.stored.snapshot = None;
            keep.push(Keep::Forget(TopRole::Timestamp.into()));
            keep.push(Keep::Forget(TopRole::Snapshot.into()));
        }
        keep.push(Keep::Put(TopRole::Root.into(), bytes));
        self.root = new;
        self.roots_seen += 1;
        Ok(keep)
    }

    fn root_is_newest(&mut self) -> Result<(), Refusal> {
        current(&self.root, &TopRole::Root.into(), self.began)?;
        // What was kept counts only if the newest root's keys have signed it.
        let limits = self.settings.limits;
        self.timestamp = self.stored.timestamp.as_deref().and_then(|bytes| {
            let authority = Authority::of_top_role(&self.root, TopRole::Timestamp);
            Signed::<Timestamp>::parse(bytes, &limits).ok()?.verify(&authority).ok()
        });
        self.snapshot = self.stored.snapshot.as_deref().and_then(|bytes| {
            let authority = Authority::of_top_role(&self.root, TopRole::Snapshot);
            Signed::<Snapshot>::parse(bytes, &limits).ok()?.verify(&authority).ok()
        });
        self.phase = Phase::Timestamp;
        Ok(())
    }

    // ---- timestamp (section 5.4)

    fn new_timestamp(&mut self, wanted: &Wanted, bytes: Vec<u8>) -> Result<Vec<Keep>, Refusal> {
        let authority = Authority::of_top_role(&self.root, TopRole::Timestamp);
        let new = parse::<Timestamp>(wanted, &bytes, &self.settings.limits)?
            .verify(&authority)
            .map_err(|error| unsigned(wanted, error))?;
        let role = RoleName::from(TopRole::Timestamp);
        let found = new.header.version;
        let mut same = false;
        if let Some(trusted) = &self.timestamp {
            let version = trusted.header.version;
            if found < version {
                let found = Shown(Some(found));
                return Err(Refusal::Rollback { role, found, trusted: version });
            }
            same = found == version;
            let (old, now) = (trusted.snapshot.version, new.snapshot.version);
            if !same && now < old {
                let found = Shown(Some(now));
                let role = TopRole::Snapshot.into();
                return Err(Refusal::Rollback { role, found, trusted: old });
            }
        }
        if let Some(newest) = self.settings.timestamp_known.filter(|newest| found < *newest) {
            return Err(Refusal::Frozen { role, found, newest });
        }
        // Of two files with one version the first one counts, and is not replaced.
        let counts = match &self.timestamp {
            Some(trusted) if same => trusted,
            _ => &new,
        };
        current(counts, &role, self.began)?;
        let mut keep = Vec::new();
        if !same {
            keep.push(Keep::Put(role, bytes));
            self.timestamp = Some(new);
        }
        self.phase = Phase::Snapshot;
        self.stored_snapshot();
        Ok(keep)
    }

    // ---- snapshot (section 5.5)

    /// Uses the snapshot that was kept where it is the announced one.
    fn stored_snapshot(&mut self) {
        let Some(bytes) = self.stored.snapshot.take() else { return };
        let Some(wanted) = self.wanted() else { return };
        // Whatever is wrong with it, it can be fetched.
        let _ = self.new_snapshot(&wanted, bytes);
    }

    fn new_snapshot(&mut self, wanted: &Wanted, bytes: Vec<u8>) -> Result<Vec<Keep>, Refusal> {
        let Some(timestamp) = &self.timestamp else {
            return Err(Refusal::OutOfOrder("a snapshot before a timestamp"));
        };
        let authority = Authority::of_top_role(&self.root, TopRole::Snapshot);
        let limits = &self.settings.limits;
        let new = announced::<Snapshot>(wanted, &timestamp.snapshot, &authority, &bytes, limits)?;
        if let Some(trusted) = &self.snapshot {
            for (name, old) in &trusted.meta {
                let found = new.meta.get(name).map(|file| file.version);
                if found.is_none_or(|found| found < old.version) {
                    let role = RoleName::new(name.strip_suffix(".json").unwrap_or(name))
                        .unwrap_or_else(|_| TopRole::Snapshot.into());
                    let found = Shown(found);
                    return Err(Refusal::Rollback { role, found, trusted: old.version });
                }
            }
        }
        current(&new, &wanted.role, self.began)?;
        self.snapshot = Some(new);
        self.phase = Phase::Targets;
        self.stored_targets();
        Ok(vec![Keep::Put(TopRole::Snapshot.into(), bytes)])
    }

    // ---- targets (section 5.6)

    /// Uses the file of the wanted role that was kept, where it is the announced one.
    fn stored_targets(&mut self) {
        let Some(wanted) = self.wanted() else { return };
        let Some(bytes) = self.stored.targets.remove(&wanted.role) else { return };
        let _ = self.new_targets(&wanted, bytes);
    }

    fn new_targets(&mut self, wanted: &Wanted, bytes: Vec<u8>) -> Result<Vec<Keep>, Refusal> {
        let out_of_order = Refusal::OutOfOrder("targets before a snapshot");
        let snapshot = self.snapshot.as_ref().ok_or(out_of_order)?;
        let authority = match &self.searching {
            None => Authority::of_top_role(&self.root, TopRole::Targets),
            Some(Sought { delegator, place: (_, role) }) => match delegator {
                None => self.targets.as_ref(),
                Some(place) => self.delegated.get(place),
            }
            .ok_or_else(|| MetadataError::NoAuthority(role.clone()))
            .and_then(|delegator| Authority::of_delegation(delegator, role))
            .map_err(|error| unsigned(wanted, error))?,
        };
        let meta = snapshot.file(&wanted.role);
        let meta = meta.ok_or_else(|| Refusal::Missing { file: wanted.role.listed_as() })?;
        let limits = &self.settings.limits;
        let new = announced::<Targets>(wanted, meta, &authority, &bytes, limits)?;
        current(&new, &wanted.role, self.began)?;
        match self.searching.take() {
            None => {
                self.targets = Some(new);
                self.phase = Phase::Fresh;
            }
            Some(sought) => {
                self.delegated.insert(sought.place, new);
            }
        }
        Ok(vec![Keep::Put(wanted.role.clone(), bytes)])
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wanted = self.wanted().map(|wanted| wanted.file);
        write!(f, "Client(root {}, wants {wanted:?})", self.root.header.version)
    }
}

fn parse<R: Metadata>(
    wanted: &Wanted,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Signed<R>, Refusal> {
    Signed::parse(bytes, limits)
        .map_err(|error| Refusal::Malformed { file: wanted.file.clone(), error })
}

fn unsigned(wanted: &Wanted, error: MetadataError) -> Refusal {
    Refusal::WrongKeys { file: wanted.file.clone(), error }
}

fn current<R: Metadata>(
    metadata: &Verified<R>,
    role: &RoleName,
    began: UnixTime,
) -> Result<(), Refusal> {
    require_current(metadata, role, began).map_err(|_| {
        let header = metadata.header();
        Refusal::Expired { role: role.clone(), version: header.version, expires: header.expires }
    })
}

/// Checks a file against what the metadata above announced: length, hashes, signatures, version.
fn announced<R: Metadata>(
    wanted: &Wanted,
    meta: &MetaFile,
    authority: &Authority,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Verified<R>, Refusal> {
    let length_fits = meta.length.is_none_or(|length| u64::try_from(bytes.len()) == Ok(length));
    let as_announced = length_fits && meta.hashes.as_ref().is_none_or(|hashes| hashes.fit(bytes));
    let parsed = parse::<R>(wanted, bytes, limits);
    let verified =
        parsed.and_then(|parsed| parsed.verify(authority).map_err(|error| unsigned(wanted, error)));
    match verified {
        // Refused in any case; what is properly signed is at least told apart from what is not.
        Ok(verified) if verified.header().version != meta.version => Err(Refusal::MixAndMatch {
            role: wanted.role.clone(),
            found: verified.header().version,
            expected: meta.version,
        }),
        _ if !as_announced => Err(Refusal::Altered { file: wanted.file.clone() }),
        other => other,
    }
}
