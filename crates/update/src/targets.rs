use crate::{
    MetadataError,
    authority::{Authority, Keys, RoleKeys, read_keys, write_keys},
    custom::Custom,
    fields::Fields,
    hashes::Hashes,
    json::{Object, Value},
    key::{Key, KeyId},
    limits::{DELEGATIONS_MAX, Limits, PATH_BYTES_MAX, PATTERNS_MAX},
    path::{TargetPath, path_matches, prefix_matches},
    role::{RoleName, TopRole},
    root::usable,
    signed::{Header, Metadata, Signed, number, sealed::Contents},
};
use crypto::UnixTime;
use std::collections::BTreeMap;

/// What is said about one target file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFile {
    /// its length in bytes
    pub length: u64,
    /// its hashes
    pub hashes: Hashes,
    /// what the repository's owner adds; see [`Custom`]
    pub custom: Option<Object>,
    /// other members, preserved
    pub other: Object,
}

impl TargetFile {
    /// A file that was measured.
    pub fn new(length: u64, hashes: Hashes, custom: &Custom) -> Self {
        let mut object = Object::new();
        custom.write(&mut object);
        let custom = (!object.is_empty()).then_some(object);
        Self { length, hashes, custom, other: Object::new() }
    }

    fn read(value: Value, place: &str) -> Result<Self, MetadataError> {
        let mut fields = Fields::new(value, place)?;
        let length = fields.number("length")?;
        let hashes = Hashes::read(fields.value("hashes")?, place)?;
        let custom = match fields.optional("custom") {
            None => None,
            Some(value) => Some(Fields::new(value, "custom")?.rest()),
        };
        Ok(Self { length, hashes, custom, other: fields.rest() })
    }

    fn write(&self) -> Value {
        let mut object = self.other.clone();
        object.insert("length", number(self.length));
        object.insert("hashes", self.hashes.write());
        if let Some(custom) = &self.custom {
            object.insert("custom", custom.clone());
        }
        object.into()
    }
}

/// Which targets a delegated role may speak about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    /// those whose path fits one of these patterns
    Patterns(Vec<String>),
    /// those the SHA-256 of whose path begins with one of these hexadecimal digits
    HashPrefixes(Vec<String>),
}

impl Paths {
    /// Whether `path` is among them.
    pub fn cover(&self, path: &TargetPath) -> bool {
        match self {
            Self::Patterns(patterns) => {
                patterns.iter().any(|pattern| path_matches(pattern, path.as_str()))
            }
            Self::HashPrefixes(prefixes) => prefix_matches(prefixes, path.as_str()),
        }
    }
}

/// A delegation: another role that may speak about some targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// the role
    pub name: RoleName,
    /// its keys
    pub keys: RoleKeys,
    /// what it may speak about
    pub paths: Paths,
    /// whether nobody is asked after it about what it may speak about
    pub terminating: bool,
}

/// Target files, and who else may speak about which (section 4.5 of the specification): of the top
/// role `targets` or of a delegated role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// version, expiry
    pub header: Header,
    /// the files, by path; a path that is no [`TargetPath`] is kept and never found
    pub targets: BTreeMap<String, TargetFile>,
    /// keys that the delegations name
    pub keys: Keys,
    /// the delegations; who comes first is believed first
    pub delegations: Vec<Delegation>,
    /// whether there is a member `delegations`, and what else is in it, preserved
    delegations_other: Option<Object>,
    /// other members, preserved
    other: Object,
}

impl Targets {
    /// A first version without targets.
    pub fn new(expires: UnixTime) -> Self {
        Self {
            header: Header::first(expires),
            targets: BTreeMap::new(),
            keys: Keys::new(),
            delegations: Vec::new(),
            delegations_other: None,
            other: Object::new(),
        }
    }

    /// What is said about a target.
    pub fn target(&self, path: &TargetPath) -> Option<&TargetFile> {
        self.targets.get(path.as_str())
    }

    /// A member that the specification does not know.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.other.get(name)
    }

    /// Sets a member that the specification does not know.
    pub(crate) fn set_member(&mut self, name: &str, value: impl Into<Value>) {
        self.other.insert(name, value);
    }

    /// The delegation to a role.
    pub fn delegation(&self, role: &RoleName) -> Option<&Delegation> {
        self.delegations.iter().find(|delegation| delegation.name == *role)
    }

    /// Delegates to a role after all others, or changes the delegation where there is one.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`], [`MetadataError::Key`].
    pub fn delegate(
        &mut self,
        name: RoleName,
        keys: &[Key],
        threshold: usize,
        paths: Paths,
        terminating: bool,
    ) -> Result<(), MetadataError> {
        let ids = keys.iter().map(usable).collect::<Result<Vec<KeyId>, _>>()?;
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        if distinct.len() != ids.len() {
            return Err(MetadataError::malformed("keys of a delegation", "are not distinct"));
        }
        check_paths(&paths)?;
        let role_keys = RoleKeys::new(ids.clone(), threshold)?;
        let delegation = Delegation { name, keys: role_keys, paths, terminating };
        let full = self.delegations.len() >= DELEGATIONS_MAX;
        match self.delegations.iter_mut().find(|other| other.name == delegation.name) {
            Some(other) => *other = delegation,
            None if full => {
                return Err(MetadataError::malformed("delegations", "are 4096 already"));
            }
            None => self.delegations.push(delegation),
        }
        self.keys.extend(ids.into_iter().zip(keys.iter().cloned()));
        self.forget_unused_keys();
        Ok(())
    }

    /// Ends a delegation.
    ///
    /// # Errors
    /// [`MetadataError::NoAuthority`] where there is none.
    pub fn end_delegation(&mut self, name: &RoleName) -> Result<Delegation, MetadataError> {
        let at = self.delegations.iter().position(|other| other.name == *name);
        let at = at.ok_or_else(|| MetadataError::NoAuthority(name.clone()))?;
        let ended = self.delegations.remove(at);
        self.forget_unused_keys();
        Ok(ended)
    }

    fn forget_unused_keys(&mut self) {
        let used: std::collections::BTreeSet<KeyId> =
            self.delegations.iter().flat_map(|one| one.keys.key_ids.iter().cloned()).collect();
        self.keys.retain(|id, _| used.contains(id));
    }
}

impl Signed<Targets> {
    /// The keys of a delegated role according to a file that nobody verified: for those who work on
    /// drafts. What such an authority verifies is as good as the draft.
    ///
    /// # Errors
    /// [`MetadataError::NoAuthority`] where the file does not delegate to it.
    pub fn draft_authority_of(&self, role: &RoleName) -> Result<Authority, MetadataError> {
        Authority::delegated_by(self.unverified(), role)
    }
}

impl Metadata for Targets {
    const TYPE: &'static str = "targets";

    fn header(&self) -> &Header {
        &self.header
    }

    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

impl Contents for Targets {
    fn bytes_max(limits: &Limits) -> u64 {
        limits.targets_bytes_max
    }

    fn read(mut fields: Fields, header: Header) -> Result<Self, MetadataError> {
        let targets = fields
            .object("targets")?
            .into_iter()
            .map(|(path, file)| {
                if path.is_empty() || path.len() > PATH_BYTES_MAX {
                    let reason = "has a path of no or more than 1024 bytes";
                    return Err(MetadataError::malformed("signed.targets", reason));
                }
                Ok((path, TargetFile::read(file, "signed.targets")?))
            })
            .collect::<Result<_, MetadataError>>()?;
        let mut this = Self { targets, ..Self::new(header.expires) };
        this.header = header;
        if let Some(value) = fields.optional("delegations") {
            let mut inner = Fields::new(value, "signed.delegations")?;
            if inner.optional("succinct_roles").is_some() {
                let reason = "has succinct_roles, which are not supported";
                return Err(MetadataError::malformed("signed.delegations", reason));
            }
            this.keys = read_keys(inner.object("keys")?, "signed.delegations.keys")?;
            this.delegations = delegations(inner.array("roles")?)?;
            this.delegations_other = Some(inner.rest());
        }
        this.other = fields.rest();
        Ok(this)
    }

    fn write(&self, object: &mut Object) {
        for (name, value) in self.other.iter() {
            object.insert(name, value.clone());
        }
        let targets: Object =
            self.targets.iter().map(|(path, file)| (path.as_str(), file.write())).collect();
        object.insert("targets", targets);
        if self.delegations.is_empty() && self.delegations_other.is_none() {
            return;
        }
        let mut inner = self.delegations_other.clone().unwrap_or_default();
        inner.insert("keys", write_keys(&self.keys));
        let roles: Vec<Value> = self.delegations.iter().map(write_delegation).collect();
        inner.insert("roles", roles);
        object.insert("delegations", inner);
    }
}

fn delegations(values: Vec<Value>) -> Result<Vec<Delegation>, MetadataError> {
    const PLACE: &str = "signed.delegations.roles";
    if values.len() > DELEGATIONS_MAX {
        let reason = format!("has more than {DELEGATIONS_MAX} entries");
        return Err(MetadataError::malformed(PLACE, reason));
    }
    let mut names = std::collections::BTreeSet::new();
    let mut delegations = Vec::new();
    for value in values {
        let mut fields = Fields::new(value, PLACE)?;
        let name = RoleName::new(fields.string("name")?)?;
        if TopRole::from_name(name.as_str()).is_some() {
            return Err(MetadataError::malformed(PLACE, "names one of the four top roles"));
        }
        if !names.insert(name.clone()) {
            return Err(MetadataError::malformed(PLACE, "names a role twice"));
        }
        let keys = RoleKeys::take(&mut fields)?;
        let terminating = fields.optional_bool("terminating")?.unwrap_or(false);
        let has = |fields: &mut Fields, name: &str| -> Result<Option<Vec<String>>, MetadataError> {
            match fields.optional(name) {
                None => Ok(None),
                Some(value) => {
                    let mut one = Object::new();
                    one.insert(name, value);
                    Fields::new(one.into(), PLACE)?.strings(name).map(Some)
                }
            }
        };
        let patterns = has(&mut fields, "paths")?;
        let prefixes = has(&mut fields, "path_hash_prefixes")?;
        let paths = match (patterns, prefixes) {
            (Some(_), Some(_)) => {
                let reason = "has both paths and path_hash_prefixes";
                return Err(MetadataError::malformed(PLACE, reason));
            }
            (None, Some(prefixes)) => Paths::HashPrefixes(prefixes),
            (patterns, None) => Paths::Patterns(patterns.unwrap_or_default()),
        };
        check_paths(&paths)?;
        let keys = RoleKeys { other: fields.rest(), ..keys };
        delegations.push(Delegation { name, keys, paths, terminating });
    }
    Ok(delegations)
}

fn write_delegation(delegation: &Delegation) -> Value {
    let mut object = delegation.keys.other.clone();
    delegation.keys.put(&mut object);
    object.insert("name", delegation.name.as_str());
    object.insert("terminating", delegation.terminating);
    let (name, values) = match &delegation.paths {
        Paths::Patterns(patterns) => ("paths", patterns),
        Paths::HashPrefixes(prefixes) => ("path_hash_prefixes", prefixes),
    };
    let values: Vec<Value> = values.iter().map(|one| one.as_str().into()).collect();
    object.insert(name, values);
    object.into()
}

fn check_paths(paths: &Paths) -> Result<(), MetadataError> {
    let (values, place) = match paths {
        Paths::Patterns(patterns) => (patterns, "paths"),
        Paths::HashPrefixes(prefixes) => (prefixes, "path_hash_prefixes"),
    };
    if values.len() > PATTERNS_MAX {
        return Err(MetadataError::malformed(place, "has more than 4096 entries"));
    }
    if values.iter().any(|value| value.len() > PATH_BYTES_MAX) {
        return Err(MetadataError::malformed(place, "has an entry of more than 1024 bytes"));
    }
    let hexadecimal = |text: &String| {
        text.len() <= 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if matches!(paths, Paths::HashPrefixes(_)) && !values.iter().all(hexadecimal) {
        return Err(MetadataError::malformed(place, "must be lower-case hexadecimal digits"));
    }
    Ok(())
}
