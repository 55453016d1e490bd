//! What the log commits to when a release is published: which files it is made of. A device that is
//! shown a release asks for the statement, its salt and the proof that the log holds it
//! (docs/release.md); so nobody shows different devices different releases unnoticed.

use crate::{
    MetadataError,
    fields::Fields,
    json::{self, Object, Value},
    limits::PATH_BYTES_MAX,
    signed::number,
};
use crypto::{Sha256, UnixTime};

/// `_type` of the statement.
const TYPE: &str = "tegata-release";
/// Its version.
const VERSION: u64 = 1;
/// Most files of one release.
pub const ARTIFACTS_MAX: usize = 256;
/// Largest statement that is read, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 1024 * 1024;

/// A published release, as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseStatement {
    /// its id, 32 hexadecimal digits
    pub release: String,
    /// the organisation that made it
    pub organisation: String,
    /// the product line that it is for
    pub product: String,
    /// version for people
    pub version: String,
    /// grows only when a release mends a vulnerability
    pub security_version: u64,
    /// grows with every release
    pub release_counter: u64,
    /// kinds of hardware
    pub hardware_ids: Vec<String>,
    /// its files, by name
    pub artifacts: Vec<StatedArtifact>,
    /// when it was published
    pub at: UnixTime,
}

/// A file of a published release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedArtifact {
    /// its path in the image repository
    pub path: String,
    /// its length in bytes
    pub length: u64,
    /// its SHA-256
    pub sha256: Sha256,
    /// kinds of hardware that it is for
    pub hardware_ids: Vec<String>,
}

impl ReleaseStatement {
    /// The bytes that the log commits to: canonical JSON.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] for a time before 1970 or after 9999.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MetadataError> {
        let texts = |list: &[String]| -> Vec<Value> {
            list.iter().map(|text| text.as_str().into()).collect()
        };
        let mut object = Object::new();
        object.insert("_type", TYPE);
        object.insert("format", number(VERSION));
        object.insert("release", self.release.as_str());
        object.insert("organisation", self.organisation.as_str());
        object.insert("product", self.product.as_str());
        object.insert("version", self.version.as_str());
        object.insert("security_version", number(self.security_version));
        object.insert("release_counter", number(self.release_counter));
        object.insert("hardware_ids", texts(&self.hardware_ids));
        let artifacts: Vec<Value> = self
            .artifacts
            .iter()
            .map(|artifact| {
                let mut object = Object::new();
                object.insert("path", artifact.path.as_str());
                object.insert("length", number(artifact.length));
                object.insert("sha256", artifact.sha256.to_string().as_str());
                object.insert("hardware_ids", texts(&artifact.hardware_ids));
                object.into()
            })
            .collect();
        object.insert("artifacts", artifacts);
        let at = u64::try_from(self.at.0)
            .map_err(|_| MetadataError::malformed("at", "is before 1970"))?;
        object.insert("at", number(at));
        Ok(Value::from(object).canonical())
    }

    /// Reads a statement. Only the canonical form is one.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let bad = |reason: &str| MetadataError::malformed("statement", reason);
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(bad("is longer than 1 MiB"));
        }
        let value = json::parse(bytes).map_err(|error| bad(&error.to_string()))?;
        let mut fields = Fields::new(value, "statement")?;
        if fields.string("_type")? != TYPE || fields.number("format")? != VERSION {
            return Err(bad("is of another type or format"));
        }
        let mut artifacts = Vec::new();
        for value in fields.array("artifacts")? {
            if artifacts.len() >= ARTIFACTS_MAX {
                return Err(bad("has more than 256 artifacts"));
            }
            let mut fields = Fields::new(value, "statement.artifacts")?;
            let path = fields.string("path")?;
            if path.len() > PATH_BYTES_MAX {
                return Err(bad("has a path of more than 1024 bytes"));
            }
            let sha256 = Sha256::from_hex(&fields.string("sha256")?);
            artifacts.push(StatedArtifact {
                path,
                length: fields.number("length")?,
                sha256: sha256.ok_or_else(|| bad("has a sha256 that is none"))?,
                hardware_ids: fields.strings("hardware_ids")?,
            });
        }
        let at = i64::try_from(fields.number("at")?).map_err(|_| bad("is too late"))?;
        let this = Self {
            release: fields.string("release")?,
            organisation: fields.string("organisation")?,
            product: fields.string("product")?,
            version: fields.string("version")?,
            security_version: fields.number("security_version")?,
            release_counter: fields.number("release_counter")?,
            hardware_ids: fields.strings("hardware_ids")?,
            artifacts,
            at: UnixTime(at),
        };
        // One release, one text: a salted commitment to another spelling would be another leaf.
        if this.to_bytes()? != bytes {
            return Err(bad("is not in canonical form, or has unknown members"));
        }
        Ok(this)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn statement() -> ReleaseStatement {
        ReleaseStatement {
            release: "00".repeat(16),
            organisation: "maker".into(),
            product: "gate".into(),
            version: "1.2.0".into(),
            security_version: 3,
            release_counter: 7,
            hardware_ids: vec!["gate-bg1".into()],
            artifacts: vec![StatedArtifact {
                path: "gate/1.2.0/firmware.img".into(),
                length: 4,
                sha256: crypto::sha256(b"abcd"),
                hardware_ids: vec!["gate-bg1".into()],
            }],
            at: UnixTime(1_795_000_000),
        }
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        let bytes = statement().to_bytes().unwrap();
        assert_eq!(ReleaseStatement::parse(&bytes).unwrap(), statement());
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            text.replace("tegata-release", "tegata-else"),
            text.replace("\"format\":1", "\"format\":2"),
            text.replace("{\"_type\"", "{ \"_type\""),
            text.replace("\"at\":", "\"also\":1,\"at\":"),
            text.replace("\"release_counter\":7", "\"release_counter\":-7"),
            String::new(),
        ] {
            assert!(ReleaseStatement::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn it_comes_back_and_no_bytes_panic(bytes: Vec<u8>, version in "[ -~é]{0,20}", counter: u32) {
            let _ = ReleaseStatement::parse(&bytes);
            let one = ReleaseStatement {
                version, release_counter: counter.into(), ..statement()
            };
            let bytes = one.to_bytes().unwrap();
            prop_assert_eq!(ReleaseStatement::parse(&bytes).unwrap(), one);
        }
    }
}
