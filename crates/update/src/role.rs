use crate::MetadataError;
use std::fmt;

/// Longest name of a role, in bytes.
const ROLE_NAME_BYTES_MAX: usize = 128;

/// The version of a metadata file: 1 and up (section 4.3 of the specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The first.
    pub const FIRST: Self = Self(1);
    /// The last one that can be written down.
    pub const LAST: Self = Self(i64::MAX as u64);

    /// A version; `None` for 0 and for more than 9223372036854775807.
    pub fn new(number: u64) -> Option<Self> {
        (1..=Self::LAST.0).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The version after this one; `None` after the last, which nobody reaches honestly.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).and_then(Self::new)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One of the four roles that the root names (section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopRole {
    /// says who may sign for the top roles
    Root,
    /// says which metadata belong together
    Snapshot,
    /// says which target files there are, and who else may say so
    Targets,
    /// says which snapshot is the newest
    Timestamp,
}

impl TopRole {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Root, Self::Snapshot, Self::Targets, Self::Timestamp];

    /// Its name in metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
            Self::Timestamp => "timestamp",
        }
    }

    /// The role of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for TopRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for TopRole {
    type Err = MetadataError;
    fn from_str(text: &str) -> Result<Self, MetadataError> {
        Self::from_name(text).ok_or_else(|| {
            MetadataError::malformed("role", "is not root, snapshot, targets or timestamp")
        })
    }
}

/// The name of a role: one of the four, or a role that a targets role delegates to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);

impl RoleName {
    /// A role's name as it stands in metadata: 1 to 128 bytes without control characters. Others'
    /// metadata may use any characters; [`Self::file_name`] makes them safe.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`].
    pub fn new(name: impl Into<String>) -> Result<Self, MetadataError> {
        let name = name.into();
        let fits = (1..=ROLE_NAME_BYTES_MAX).contains(&name.len());
        if !fits || name.chars().any(char::is_control) {
            let reason = "must have 1 to 128 bytes and no control characters";
            return Err(MetadataError::malformed("name of a role", reason));
        }
        Ok(Self(name))
    }

    /// The name of a role that is made here: lower-case letters, digits, `-`, `_` and `.`, which
    /// need no encoding in files and addresses, beginning with a letter or digit; none of the four.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`].
    pub fn for_delegation(name: &str) -> Result<Self, MetadataError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fits = name.starts_with(plain) && name.chars().all(|c| plain(c) || "-_.".contains(c));
        if !fits || TopRole::from_name(name).is_some() {
            let reason = "must be of a-z 0-9 - _ . , begin with a letter or digit, and not be root, \
                          targets, snapshot or timestamp";
            return Err(MetadataError::malformed("name of a role", reason));
        }
        Self::new(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the top role `role`.
    pub fn is(&self, role: TopRole) -> bool {
        self.0 == role.name()
    }

    /// Name of the metadata file without a version, as a snapshot lists it.
    pub fn listed_as(&self) -> String {
        format!("{}.json", self.0)
    }

    /// Name of the file in a repository with consistent snapshots, percent-encoded like python-tuf
    /// does it: it never has a directory separator in it.
    pub fn file_name(&self, version: Option<Version>) -> String {
        let name = percent(&self.0);
        match version {
            Some(version) => format!("{version}.{name}.json"),
            None => format!("{name}.json"),
        }
    }
}

impl From<TopRole> for RoleName {
    fn from(role: TopRole) -> Self {
        Self(role.name().to_owned())
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 section 2.3.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files() {
        let version = Version::new(7);
        let check = |name: &str, file: &str| {
            assert_eq!(RoleName::new(name).unwrap().file_name(version), file);
        };
        check("targets", "7.targets.json");
        check("supplier/motor", "7.supplier%2Fmotor.json");
        check("../../etc/passwd", "7...%2F..%2Fetc%2Fpasswd.json");
        check("部品", "7.%E9%83%A8%E5%93%81.json");
        assert!(RoleName::new("").is_err());
        assert!(RoleName::new("a\nb").is_err());
        assert!(RoleName::new("x".repeat(129)).is_err());
        assert!(RoleName::for_delegation("kairo-motor_1.2").is_ok());
        for bad in ["Root", "root", "a/b", "..", ".a", "", "é"] {
            assert!(RoleName::for_delegation(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_end() {
        assert_eq!(Version::new(0), None);
        assert_eq!(Version::LAST.next(), None);
        assert_eq!(Version::FIRST.next(), Version::new(2));
    }
}
