//! An organisation's image repository, read as `update::client` says; what was verified is kept
//! durably before the next file is asked for.

use crate::{
    Config, Failure,
    files::{self, Mode, STATE},
    log,
    net::{Call, Client, Connection},
    store::Store,
};
use crypto::{UnixTime, Verified};
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};
use update::{
    Limits, RoleName, Root, Signed, TargetPath, Timestamp, Version,
    client::{Answer, Client as Tuf, Found, Keep, Settings, Stored, Target, Wanted},
};

/// Seconds after which the same is put down again as seen.
const SIGHT_S: i64 = 60;

/// The newest timestamp that was verified, and when the newest was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sight {
    /// its version
    pub(crate) timestamp: u64,
    /// when an answer came last, in seconds since 1970
    pub(crate) asked: i64,
}

/// What trust in a repository began from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Anchor {
    /// path below the server
    path: String,
    /// SHA-256 of the configured root
    root: String,
}

/// An image repository of the configuration.
pub(crate) struct Repository<'a> {
    root: PathBuf,
    /// path below the server
    path: String,
    store: &'a Store,
    /// its name in the store
    place: String,
    folder: PathBuf,
}

impl<'a> Repository<'a> {
    /// The repository of an organisation.
    ///
    /// # Errors
    /// `unknown-repository` where the configuration does not trust it.
    pub(crate) fn of(
        config: &Config,
        store: &'a Store,
        organisation: &str,
    ) -> Result<Self, Failure> {
        let Some(trusted) = config.repositories.get(organisation) else {
            let detail = format!("no [[repository]] of {organisation:?} is trusted here");
            return Err(Failure::refused("unknown-repository", detail));
        };
        // The name may have any character; its place on disk may not.
        Self::at(trusted, store, &hex::encode(organisation))
    }

    /// A repository that is trusted, whose metadata are kept in a folder of this name.
    ///
    /// # Errors
    /// `state-write`.
    pub(crate) fn at(
        trusted: &crate::config::Repository,
        store: &'a Store,
        folder: &str,
    ) -> Result<Self, Failure> {
        let place = format!("tuf/{folder}");
        let folder = store.path(&place);
        files::folder(&folder)?;
        let (root, path) = (trusted.root.clone(), trusted.path.clone());
        let repository = Self { root, path, store, place, folder };
        repository.follow_configuration()?;
        Ok(repository)
    }

    /// Forgets what was kept where another root is configured than the one that trust began from: roots
    /// whose keys were stolen would vouch for the thief's for ever. Until a new one is configured, what
    /// is kept counts and not the file.
    fn follow_configuration(&self) -> Result<(), Failure> {
        let Some(root) = files::read(&self.root, Limits::default().root_bytes_max)? else {
            return Ok(());
        };
        let anchor = Anchor { path: self.path.clone(), root: crypto::sha256(&root).to_string() };
        let name = format!("{}/anchor", self.place);
        let before = self.store.record::<Anchor>(&name)?;
        if before.as_ref() == Some(&anchor) {
            return Ok(());
        }
        if before.is_some() {
            let detail = format!("{}: another root is configured; trust begins anew", self.path);
            log::warning("trusted-root", &detail);
        }
        let failed = |error| files::write_failed(&self.folder, &error);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            fs::remove_file(entry.map_err(failed)?.path()).map_err(failed)?;
        }
        // Last: whoever is stopped before forgets once more.
        self.store.keep(&name, &anchor)
    }

    /// What was seen of it last.
    ///
    /// # Errors
    /// `state-damaged`, `state-version`, `state-read`.
    pub(crate) fn sight(&self) -> Result<Option<Sight>, Failure> {
        self.store.record(&format!("{}/seen", self.place))
    }

    /// Puts down what was seen, where an answer came: also where it was refused, for being old.
    fn saw<T>(&self, outcome: &Result<T, Failure>, now: UnixTime) -> Result<(), Failure> {
        let answered = match outcome {
            Ok(_) => true,
            Err(failure) => matches!(failure.code, "freeze" | "rollback" | "expired"),
        };
        let limits = Limits::default();
        let place = self.folder.join("timestamp.json");
        let kept = match answered {
            true => files::read(&place, limits.timestamp_bytes_max)?,
            false => None,
        };
        // It was verified before it was kept.
        let kept = kept.and_then(|bytes| Signed::<Timestamp>::parse(&bytes, &limits).ok());
        let Some(kept) = kept else { return Ok(()) };
        let sight = Sight { timestamp: kept.unverified().header.version.number(), asked: now.0 };
        let same = |before: Sight| {
            before.timestamp == sight.timestamp
                && (0..SIGHT_S).contains(&now.since(UnixTime(before.asked)))
        };
        match self.sight() {
            Ok(Some(before)) if same(before) => Ok(()),
            _ => self.store.keep(&format!("{}/seen", self.place), &sight),
        }
    }

    /// Path of a target file on the server.
    pub(crate) fn target_path(&self, address: &str) -> String {
        format!("{}/targets/{address}", self.path)
    }

    /// Fetches what is newest of the top roles.
    ///
    /// # Errors
    /// The codes of docs/update-trust.md; `connection`, `tls`, `http`; `state-write`.
    pub(crate) fn refresh(
        &self,
        client: &Client,
        known: Option<Version>,
        now: UnixTime,
    ) -> Result<Tuf, Failure> {
        let outcome = self.refreshed(client, known, now);
        self.saw(&outcome, now)?;
        outcome
    }

    fn refreshed(
        &self,
        client: &Client,
        known: Option<Version>,
        now: UnixTime,
    ) -> Result<Tuf, Failure> {
        let settings = Settings { timestamp_known: known, ..Settings::default() };
        let mut tuf = Tuf::begin(self.stored()?, settings, now)?;
        let mut mirror = Mirror { client, connection: None, path: &self.path };
        while let Some(wanted) = tuf.wanted() {
            self.keep(tuf.answer(mirror.fetch(&wanted)?)?)?;
        }
        Ok(tuf)
    }

    /// Refreshes and searches; what is found, and the root under which.
    ///
    /// # Errors
    /// As [`Self::refresh`]; `unknown-target`.
    pub(crate) fn find(
        &self,
        client: &Client,
        target: &TargetPath,
        known: Option<Version>,
        now: UnixTime,
    ) -> Result<(Target, Verified<Root>), Failure> {
        let mut tuf = self.refresh(client, known, now)?;
        let mut mirror = Mirror { client, connection: None, path: &self.path };
        loop {
            match tuf.find(target)? {
                Found::Target(target) => return Ok((target, tuf.root().clone())),
                Found::Wants(wanted) => self.keep(tuf.answer(mirror.fetch(&wanted)?)?)?,
            }
        }
    }

    fn stored(&self) -> Result<Stored, Failure> {
        let limits = Limits::default();
        let mut stored = Stored::default();
        let kept = |name: &str, most: u64| files::read(&self.folder.join(name), most);
        stored.timestamp = kept("timestamp.json", limits.timestamp_bytes_max)?;
        stored.snapshot = kept("snapshot.json", limits.snapshot_bytes_max)?;
        stored.root = match kept("root.json", limits.root_bytes_max)? {
            Some(root) => root,
            None => files::read(&self.root, limits.root_bytes_max)?.ok_or_else(|| {
                let detail = format!("there is no root at {}", self.root.display());
                Failure::malformed("trusted-root", detail)
            })?,
        };
        let failed = |error| files::write_failed(&self.folder, &error);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            let Some(role) = name.strip_suffix(".json").filter(|role| !role.starts_with('.'))
            else {
                continue;
            };
            if matches!(role, "root" | "timestamp" | "snapshot") {
                continue;
            }
            let Some(role) = unescape(role).and_then(|role| RoleName::new(role).ok()) else {
                continue;
            };
            if let Some(bytes) = kept(&name, limits.targets_bytes_max)? {
                stored.targets.insert(role, bytes);
            }
        }
        Ok(stored)
    }

    fn keep(&self, kept: Vec<Keep>) -> Result<(), Failure> {
        for one in kept {
            match one {
                Keep::Put(role, bytes) => {
                    files::replace(&self.place(&role), &bytes, Mode::Private, STATE)?;
                }
                Keep::Forget(role) => files::remove(&self.place(&role))?,
            }
        }
        Ok(())
    }

    /// The four top roles under their names, others in hexadecimal: a delegated role's name is its
    /// delegator's choice.
    fn place(&self, role: &RoleName) -> PathBuf {
        let name = role.as_str();
        match name {
            "root" | "timestamp" | "snapshot" => self.folder.join(format!("{name}.json")),
            _ => self.folder.join(format!("{}.json", hex::encode(name))),
        }
    }
}

fn unescape(name: &str) -> Option<String> {
    String::from_utf8(hex::decode(name).ok()?).ok()
}

/// Files of the metadata over one connection, as long as that lasts.
struct Mirror<'a> {
    client: &'a Client,
    connection: Option<Connection>,
    path: &'a str,
}

impl Mirror<'_> {
    fn fetch(&mut self, wanted: &Wanted) -> Result<Answer, Failure> {
        let path = format!("{}/metadata/{}", self.path, wanted.file);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.client.connect()?,
        };
        let mut reply = connection.send(&Call::get(&path))?;
        let (status, body) = (reply.head.status, reply.all(wanted.length_max)?);
        let reusable = reply.reusable();
        if reusable {
            self.connection = Some(connection);
        }
        match status {
            200 => Ok(Answer::File(body)),
            404 => Ok(Answer::Absent),
            other => {
                let detail = format!("{path} answers {other}");
                Err(Failure::unavailable("http-status", detail))
            }
        }
    }
}
