//! The director: what one device shall run now, signed for it alone (Uptane Standard 2.1.0, "Targets
//! metadata" and "Full verification"). A device installs only what both the director and the maker's
//! image repository name, and each is a repository of its own with a root of its own: who has the
//! keys of one chooses nothing alone.
//!
//! A director is a repository of The Update Framework like any other, but that targets, snapshot and
//! timestamp are made for one device: [`issue`] signs all three, the client of this crate verifies
//! them, and [`directed`] reads what it verified. A device is one primary ECU. docs/director.md.

mod check;
mod error;
mod issue;
mod root;

pub use check::{directed, require_image, require_logged};
pub use error::DirectorError;
pub use issue::{Issued, SigningKey, SigningKeys, issue};
pub use root::{RootKeys, draft_root};

use crate::{
    custom::{Custom, MEMBER},
    hashes::Hashes,
    json::Object,
    path::TargetPath,
    role::Version,
    signed::{Signed, number},
    targets::{TargetFile, Targets},
};
use crypto::{Sha256, UnixTime, sha256};
use device::{DeviceId, OrganisationId};

/// Member of a target's `custom` that says which ECU is to run it, as aktualizr has it.
const ECUS: &str = "ecuIdentifiers";
/// Member of `custom.tegata` that says which assignment it is.
const ASSIGNMENT: &str = "assignment";

/// For whom a director speaks to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// the organisation whose director it is
    pub director: OrganisationId,
    /// the device
    pub device: DeviceId,
    /// SHA-256 of the public key (SubjectPublicKeyInfo) of the certificate that it shows
    pub key: Sha256,
}

/// Which assignment leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssignmentId {
    /// number of the action
    pub action: u64,
    /// the campaign
    pub campaign: [u8; 16],
    /// the release
    pub release: [u8; 16],
}

/// The file that a device shall run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directed {
    /// its path in the image repository
    pub path: TargetPath,
    /// its length in bytes
    pub length: u64,
    /// its SHA-256
    pub sha256: Sha256,
    /// the kind of hardware of the device
    pub hardware_id: String,
    /// version for people
    pub version: String,
    /// security version of the release
    pub security_version: u64,
    /// counter of the release
    pub release_counter: u64,
    /// which assignment it is
    pub assignment: AssignmentId,
}

/// What a director tells one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// whom
    pub to: Addressee,
    /// what it shall run; `None`: nothing new
    pub run: Option<Directed>,
}

impl Order {
    /// SHA-256 over all that it says: as long as it is the same, nothing needs to be signed anew.
    pub fn digest(&self) -> Sha256 {
        sha256(Signed::draft(self.targets(Version::FIRST, UnixTime(0))).canonical())
    }

    fn targets(&self, version: Version, expires: UnixTime) -> Targets {
        let mut targets = Targets::new(expires);
        targets.header.version = version;
        let mut to = Object::new();
        to.insert("director", self.to.director.as_str());
        to.insert("device", self.to.device.to_string());
        to.insert("key", self.to.key.to_string());
        targets.set_member(MEMBER, to);
        if let Some(run) = &self.run {
            targets.targets.insert(run.path.as_str().to_owned(), run.target(&self.to.device));
        }
        targets
    }
}

impl Directed {
    fn target(&self, device: &DeviceId) -> TargetFile {
        let mut assignment = Object::new();
        assignment.insert("action", number(self.assignment.action));
        assignment.insert("campaign", hex::encode(self.assignment.campaign));
        assignment.insert("release", hex::encode(self.assignment.release));
        let mut other = Object::new();
        other.insert(ASSIGNMENT, assignment);
        let custom = Custom {
            hardware_ids: vec![self.hardware_id.clone()],
            version: Some(self.version.clone()),
            security_version: Some(self.security_version),
            release_counter: Some(self.release_counter),
            // What comes out of the file, the image repository says; this names the file.
            sealed: None,
            delta: None,
            other,
        };
        let mut file = TargetFile::new(self.length, Hashes::of_sha256(self.sha256), &custom);
        let mut ecu = Object::new();
        ecu.insert("hardwareId", self.hardware_id.as_str());
        let mut ecus = Object::new();
        ecus.insert(&device.to_string(), ecu);
        file.custom.get_or_insert_default().insert(ECUS, ecus);
        file
    }
}
