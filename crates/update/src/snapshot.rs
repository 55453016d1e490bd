use crate::{
    MetadataError,
    fields::Fields,
    hashes::Hashes,
    json::{Object, Value},
    limits::{DELEGATIONS_MAX, Limits},
    role::{RoleName, Version},
    signed::{Header, Metadata, number, sealed::Contents},
};
use std::collections::BTreeMap;

/// What one metadata file says about another (METAFILES in the specification).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaFile {
    /// its version
    pub version: Version,
    /// its length in bytes, where given
    pub length: Option<u64>,
    /// its hashes, where given
    pub hashes: Option<Hashes>,
    /// other members, preserved
    pub other: Object,
}

impl MetaFile {
    /// Describes a file.
    pub fn of(version: Version, bytes: &[u8]) -> Self {
        Self {
            version,
            length: u64::try_from(bytes.len()).ok(),
            hashes: Some(Hashes::sha256_of(bytes)),
            other: Object::new(),
        }
    }

    fn read(value: Value, place: &str) -> Result<Self, MetadataError> {
        let mut fields = Fields::new(value, place)?;
        let version = Version::new(fields.number("version")?)
            .ok_or_else(|| MetadataError::malformed(place, "has a version below 1"))?;
        let length = fields.optional_number("length")?;
        let hashes = fields.optional("hashes").map(|value| Hashes::read(value, place));
        Ok(Self { version, length, hashes: hashes.transpose()?, other: fields.rest() })
    }

    fn write(&self) -> Value {
        let mut object = self.other.clone();
        object.insert("version", number(self.version.number()));
        if let Some(length) = self.length {
            object.insert("length", number(length));
        }
        if let Some(hashes) = &self.hashes {
            object.insert("hashes", hashes.write());
        }
        object.into()
    }
}

/// Which targets files belong together (section 4.4 of the specification).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// version, expiry
    pub header: Header,
    /// what is said about each file, by its name without a version: `targets.json`
    pub meta: BTreeMap<String, MetaFile>,
    /// other members, preserved
    pub other: Object,
}

impl Snapshot {
    /// Most files that are listed: 20 bytes each at least.
    pub const FILES_MAX: usize = 16 * DELEGATIONS_MAX;

    /// What is said about the file of a role.
    pub fn file(&self, role: &RoleName) -> Option<&MetaFile> {
        self.meta.get(&role.listed_as())
    }
}

impl Metadata for Snapshot {
    const TYPE: &'static str = "snapshot";

    fn header(&self) -> &Header {
        &self.header
    }

    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl Contents for Snapshot {
    fn bytes_max(limits: &Limits) -> u64 {
        limits.snapshot_bytes_max
    }

    fn read(mut fields: Fields, header: Header) -> Result<Self, MetadataError> {
        let listed = fields.object("meta")?;
        if listed.len() > Self::FILES_MAX {
            let reason = format!("lists more than {} files", Self::FILES_MAX);
            return Err(MetadataError::malformed("signed.meta", reason));
        }
        let meta = listed
            .into_iter()
            .map(|(name, file)| Ok((name, MetaFile::read(file, "signed.meta")?)))
            .collect::<Result<BTreeMap<_, _>, MetadataError>>()?;
        if !meta.contains_key("targets.json") {
            return Err(MetadataError::malformed("signed.meta", "does not list targets.json"));
        }
        Ok(Self { header, meta, other: fields.rest() })
    }

    fn write(&self, object: &mut Object) {
        for (name, value) in self.other.iter() {
            object.insert(name, value.clone());
        }
        let meta: Object =
            self.meta.iter().map(|(name, file)| (name.as_str(), file.write())).collect();
        object.insert("meta", meta);
    }
}

/// Which snapshot is the newest (section 4.6 of the specification).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// version, expiry
    pub header: Header,
    /// what is said about `snapshot.json`
    pub snapshot: MetaFile,
    /// other members, preserved
    pub other: Object,
}

impl Metadata for Timestamp {
    const TYPE: &'static str = "timestamp";

    fn header(&self) -> &Header {
        &self.header
    }

    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl Contents for Timestamp {
    fn bytes_max(limits: &Limits) -> u64 {
        limits.timestamp_bytes_max
    }

    fn read(mut fields: Fields, header: Header) -> Result<Self, MetadataError> {
        let mut meta = Fields::new(fields.value("meta")?, "signed.meta")?;
        let snapshot = MetaFile::read(meta.value("snapshot.json")?, "signed.meta")?;
        if !meta.rest().is_empty() {
            let reason = "must describe snapshot.json and nothing else";
            return Err(MetadataError::malformed("signed.meta", reason));
        }
        Ok(Self { header, snapshot, other: fields.rest() })
    }

    fn write(&self, object: &mut Object) {
        for (name, value) in self.other.iter() {
            object.insert(name, value.clone());
        }
        let mut meta = Object::new();
        meta.insert("snapshot.json", self.snapshot.write());
        object.insert("meta", meta);
    }
}
