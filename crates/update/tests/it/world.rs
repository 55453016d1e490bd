//! A repository, the keys of all its roles, a client that remembers, and an attacker's tools.

use crypto::{Secret, Signer, SoftwareKey, UnixTime};
use std::collections::BTreeMap;
use update::{
    Authority, Custom, Hashes, Key, Metadata, Paths, RoleName, Root, Signed, Signers, TargetFile,
    TargetPath, Targets, TopRole,
    client::{Answer, Client, Found, Keep, Refusal, Settings, Stored, Target},
    repository::{
        Files, Online, Publication, Repository, RepositoryError, Staged, publish, successor,
    },
};

pub const NOW: UnixTime = UnixTime(1_795_000_000);
pub const DAY: i64 = 86_400;
pub const FIRMWARE: &[u8] = b"the firmware of a barrier gate";

/// An Ed25519 key that is the same in every run.
pub fn key(seed: u8) -> SoftwareKey {
    let mut pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    pkcs8.extend([seed; 32]);
    SoftwareKey::from_pkcs8(&Secret::new(pkcs8)).unwrap()
}

pub fn public(key: &SoftwareKey) -> Key {
    Key::from_public(key.public_key()).unwrap()
}

pub fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

pub fn path(text: &str) -> TargetPath {
    TargetPath::new(text).unwrap()
}

/// Signs whatever it is told with whatever keys: the repository's owner and an attacker do the same.
pub fn signed<R: Metadata>(content: R, keys: &[&SoftwareKey]) -> Vec<u8> {
    let mut signed = Signed::draft(content);
    for signer in keys {
        let key = public(signer);
        signed.sign(&key.computed_id(), &key, *signer).unwrap();
    }
    signed.to_bytes().unwrap()
}

/// What a file says, by whoever's word.
pub fn claimed<R: Metadata>(bytes: &[u8]) -> R {
    Signed::<R>::parse(bytes, &update::Limits::DEFAULT).unwrap().unverified().clone()
}

pub fn target_file(bytes: &[u8]) -> TargetFile {
    let custom = Custom {
        hardware_ids: vec!["gate-bg1".into()],
        version: Some("2.4.1".into()),
        security_version: Some(7),
        release_counter: Some(41),
        ..Custom::default()
    };
    TargetFile::new(bytes.len() as u64, Hashes::sha256_of(bytes), &custom)
}

/// The owner's side: two of three root keys, two targets keys, one each online.
pub struct World {
    pub now: UnixTime,
    pub files: Files,
    pub root: Vec<SoftwareKey>,
    pub targets: Vec<SoftwareKey>,
    pub snapshot: Vec<SoftwareKey>,
    pub timestamp: Vec<SoftwareKey>,
    pub supplier: SoftwareKey,
}

impl World {
    /// One target of its own, one delegation to the supplier `kairo` with one target.
    pub fn new() -> Self {
        let mut world = Self::unpublished();
        let root = world.first_root();
        let staged = Staged {
            root: Some(signed(root, &world.root_keys())),
            targets: [
                (role("targets"), signed(world.first_targets(), &world.targets_keys())),
                (role("kairo"), signed(world.first_kairo(), &[&world.supplier])),
            ]
            .into(),
        };
        world.publish(&staged).unwrap();
        world
    }

    pub fn unpublished() -> Self {
        Self {
            now: NOW,
            files: Files::new(),
            root: vec![key(1), key(2), key(3)],
            targets: vec![key(11), key(12)],
            snapshot: vec![key(21)],
            timestamp: vec![key(31)],
            supplier: key(41),
        }
    }

    pub fn first_root(&self) -> Root {
        let expires = self.now.plus(365 * DAY);
        Root::new(expires, |role| {
            let (keys, threshold) = match role {
                TopRole::Root => (&self.root, 2),
                TopRole::Targets => (&self.targets, 2),
                TopRole::Snapshot => (&self.snapshot, 1),
                TopRole::Timestamp => (&self.timestamp, 1),
            };
            Signers { keys: keys.iter().map(public).collect(), threshold }
        })
        .unwrap()
    }

    pub fn first_targets(&self) -> Targets {
        let mut targets = Targets::new(self.now.plus(90 * DAY));
        targets.targets.insert("gate/fw.img".into(), target_file(FIRMWARE));
        let paths = Paths::Patterns(vec!["kairo/*".into()]);
        targets.delegate(role("kairo"), &[public(&self.supplier)], 1, paths, true).unwrap();
        targets
    }

    pub fn first_kairo(&self) -> Targets {
        let mut targets = Targets::new(self.now.plus(90 * DAY));
        targets.targets.insert("kairo/motor.img".into(), target_file(b"a motor's firmware"));
        // Outside its delegation: nobody may believe it.
        targets.targets.insert("gate/other.img".into(), target_file(b"not kairo's business"));
        targets
    }

    pub fn root_keys(&self) -> Vec<&SoftwareKey> {
        self.root.iter().collect()
    }

    pub fn targets_keys(&self) -> Vec<&SoftwareKey> {
        self.targets.iter().collect()
    }

    pub fn repository(&self) -> Repository {
        Repository::open(&self.files).unwrap().unwrap()
    }

    pub fn try_publish(&self, staged: &Staged) -> Result<Publication, RepositoryError> {
        let present = Repository::open(&self.files)?;
        let online = Online {
            snapshot: self.snapshot.iter().map(|key| key as &dyn Signer).collect(),
            timestamp: self.timestamp.iter().map(|key| key as &dyn Signer).collect(),
            snapshot_expires: self.now.plus(7 * DAY),
            timestamp_expires: self.now.plus(DAY),
        };
        publish(present.as_ref(), staged, &online, self.now)
    }

    pub fn publish(&mut self, staged: &Staged) -> Result<(), RepositoryError> {
        let publication = self.try_publish(staged)?;
        self.files.extend(publication.files);
        Ok(())
    }

    /// The next version of the top targets file after a change, signed.
    pub fn next_targets(&self, change: impl FnOnce(&mut Targets)) -> Vec<u8> {
        let present = self.repository();
        let role = role("targets");
        let old = &present.targets(&role).unwrap().content;
        let mut next = successor(&**old, &role, self.now.plus(90 * DAY)).unwrap();
        change(&mut next);
        signed(next, &self.targets_keys())
    }

    /// Publishes a new firmware.
    pub fn release(&mut self, bytes: &[u8]) {
        let file = target_file(bytes);
        let next = self.next_targets(|targets| {
            targets.targets.insert("gate/fw.img".into(), file);
        });
        let staged = Staged { root: None, targets: [(role("targets"), next)].into() };
        self.publish(&staged).unwrap();
    }

    /// Only new snapshot and timestamp.
    pub fn renew(&mut self) {
        self.publish(&Staged::default()).unwrap();
    }

    pub fn root_bytes(&self, version: u64) -> Vec<u8> {
        self.files[&format!("{version}.root.json")].clone()
    }

    pub fn device(&self) -> Device {
        Device::new(self.root_bytes(1))
    }
}

/// A client that keeps what it is told to keep, like a device does.
#[derive(Clone)]
pub struct Device {
    pub stored: Stored,
    pub settings: Settings,
}

impl Device {
    pub fn new(root: Vec<u8>) -> Self {
        let stored = Stored { root, ..Stored::default() };
        Self { stored, settings: Settings::default() }
    }

    /// Refreshes from a mirror, keeping step by step.
    pub fn refresh(&mut self, mirror: &Files, now: UnixTime) -> Result<Client, Refusal> {
        let mut client = Client::begin(self.stored.clone(), self.settings, now)?;
        self.answer_all(&mut client, mirror)?;
        Ok(client)
    }

    fn answer_all(&mut self, client: &mut Client, mirror: &Files) -> Result<(), Refusal> {
        while let Some(wanted) = client.wanted() {
            let answer = mirror.get(&wanted.file).cloned().map_or(Answer::Absent, Answer::File);
            let kept = client.answer(answer)?;
            self.keep(kept);
        }
        Ok(())
    }

    pub fn keep(&mut self, kept: Vec<Keep>) {
        for one in kept {
            match one {
                Keep::Put(role, bytes) => match TopRole::from_name(role.as_str()) {
                    Some(TopRole::Root) => self.stored.root = bytes,
                    Some(TopRole::Timestamp) => self.stored.timestamp = Some(bytes),
                    Some(TopRole::Snapshot) => self.stored.snapshot = Some(bytes),
                    _ => drop(self.stored.targets.insert(role, bytes)),
                },
                Keep::Forget(role) if role.is(TopRole::Timestamp) => self.stored.timestamp = None,
                Keep::Forget(role) if role.is(TopRole::Snapshot) => self.stored.snapshot = None,
                Keep::Forget(role) => drop(self.stored.targets.remove(&role)),
            }
        }
    }

    /// Refreshes, then finds a target.
    pub fn find(&mut self, mirror: &Files, now: UnixTime, path: &str) -> Result<Target, Refusal> {
        let mut client = self.refresh(mirror, now)?;
        loop {
            match client.find(&self::path(path))? {
                Found::Target(target) => return Ok(target),
                Found::Wants(wanted) => {
                    let answer = mirror.get(&wanted.file).cloned();
                    let answer = answer.map_or(Answer::Absent, Answer::File);
                    let kept = client.answer(answer)?;
                    self.keep(kept);
                }
            }
        }
    }

    /// Refreshes, finds, and takes `bytes` for the file.
    pub fn update(
        &mut self,
        mirror: &Files,
        now: UnixTime,
        path: &str,
        bytes: &[u8],
    ) -> Result<Target, Refusal> {
        let mut download = self.find(mirror, now, path)?.download();
        for piece in bytes.chunks(7) {
            download.push(piece)?;
        }
        download.finish().map(crypto::Verified::into_inner)
    }
}

/// The authority over a top role in a world's newest root.
pub fn authority(world: &World, role: TopRole) -> Authority {
    Authority::of_top_role(world.repository().root(), role)
}

/// Names of the files that differ between two states.
pub fn changed(before: &Files, after: &Files) -> BTreeMap<String, Vec<u8>> {
    after
        .iter()
        .filter(|(name, bytes)| before.get(*name) != Some(*bytes))
        .map(|(name, bytes)| (name.clone(), bytes.clone()))
        .collect()
}
