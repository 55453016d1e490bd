//! What Tegata says about a target beside its length and hashes: the member `tegata` of `custom`
//! (docs/update-trust.md).

use crate::{
    MetadataError,
    delta::{self, Image},
    fields::Fields,
    json::{Object, Value},
    sealed::Plain,
    signed::number,
};
use crypto::Sha256;

/// The member of `custom` that holds these fields.
pub const MEMBER: &str = "tegata";
/// Most kinds of hardware that one target is for.
const HARDWARE_IDS_MAX: usize = 64;
/// Longest hardware id and version, in bytes.
const TEXT_BYTES_MAX: usize = 128;

/// Fields that decide whether a device may install a target. All are optional: what is absent says
/// nothing, and a policy that needs it refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Custom {
    /// the kinds of hardware that the target is for; empty: not said
    pub hardware_ids: Vec<String>,
    /// version for people, such as `2.4.1`
    pub version: Option<String>,
    /// grows only when a release mends a vulnerability; what is below the floor of its product is
    /// not installed
    pub security_version: Option<u64>,
    /// grows with every release of a product; a device never goes back
    pub release_counter: Option<u64>,
    /// the target is a sealed image: what comes out of it. The target's own length and hash are those
    /// of what is sealed
    pub sealed: Option<Plain>,
    /// the target is a delta, sealed or not: what it starts from, and what it makes
    pub delta: Option<delta::Header>,
    /// members that nobody here knows, preserved
    pub other: Object,
}

impl Custom {
    /// Reads the member `tegata` of a target's `custom`; the empty value where there is none.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] where a known field has another type: such a field must not look
    /// as if it were absent.
    pub fn read(custom: Option<&Object>) -> Result<Self, MetadataError> {
        let Some(member) = custom.and_then(|custom| custom.get(MEMBER)) else {
            return Ok(Self::default());
        };
        let mut fields = Fields::new(member.clone(), "custom.tegata")?;
        let optional_string = |fields: &mut Fields, name: &str| match fields.optional(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text)),
            Some(_) => {
                let reason = "must be a string of at most 128 bytes";
                Err(MetadataError::malformed(format!("custom.tegata.{name}"), reason))
            }
        };
        let mut hardware_ids = Vec::new();
        if let Some(value) = fields.optional("hardware_ids") {
            let bad = || {
                let reason = "must be at most 64 strings of at most 128 bytes";
                MetadataError::malformed("custom.tegata.hardware_ids", reason)
            };
            let Value::Array(values) = value else { return Err(bad()) };
            if values.len() > HARDWARE_IDS_MAX {
                return Err(bad());
            }
            for value in values {
                match value {
                    Value::String(id) if id.len() <= TEXT_BYTES_MAX => hardware_ids.push(id),
                    _ => return Err(bad()),
                }
            }
        }
        let sealed = image(&mut fields, "sealed", "custom.tegata.sealed")?;
        let delta = match fields.optional("delta") {
            None => None,
            Some(value) => {
                const NAME: &str = "custom.tegata.delta";
                let mut both = Fields::new(value, NAME)?;
                match (image(&mut both, "base", NAME)?, image(&mut both, "result", NAME)?) {
                    (Some(base), Some(result)) => Some(delta::Header { base, result }),
                    _ => return Err(MetadataError::malformed(NAME, "must have base and result")),
                }
            }
        };
        Ok(Self {
            sealed: sealed.map(|Image { length, sha256 }| Plain { length, sha256 }),
            delta,
            hardware_ids,
            version: optional_string(&mut fields, "version")?,
            security_version: fields.optional_number("security_version")?,
            release_counter: fields.optional_number("release_counter")?,
            other: fields.rest(),
        })
    }

    /// Sets the member `tegata` of `custom` to these fields, or removes it where there are none.
    pub fn write(&self, custom: &mut Object) {
        let mut object = self.other.clone();
        if !self.hardware_ids.is_empty() {
            let ids: Vec<Value> = self.hardware_ids.iter().map(|id| id.as_str().into()).collect();
            object.insert("hardware_ids", ids);
        }
        if let Some(version) = &self.version {
            object.insert("version", version.as_str());
        }
        if let Some(value) = self.security_version {
            object.insert("security_version", number(value));
        }
        if let Some(value) = self.release_counter {
            object.insert("release_counter", number(value));
        }
        if let Some(Plain { length, sha256 }) = self.sealed {
            object.insert("sealed", stated(Image { length, sha256 }));
        }
        if let Some(delta::Header { base, result }) = self.delta {
            let mut both = Object::new();
            both.insert("base", stated(base));
            both.insert("result", stated(result));
            object.insert("delta", both);
        }
        custom.remove(MEMBER);
        if !object.is_empty() {
            custom.insert(MEMBER, object);
        }
    }

    /// Whether the target is for this kind of hardware; what names none is for none.
    pub fn is_for(&self, hardware_id: &str) -> bool {
        self.hardware_ids.iter().any(|id| id == hardware_id)
    }
}

/// An image that a member names by length and hash. Lower case only: one image has one name.
fn image(
    fields: &mut Fields,
    name: &str,
    whole: &'static str,
) -> Result<Option<Image>, MetadataError> {
    let Some(value) = fields.optional(name) else { return Ok(None) };
    let bad = || MetadataError::malformed(whole, "must name images by length and sha256");
    let mut fields = Fields::new(value, whole)?;
    let (length, hash) = (fields.optional_number("length")?, fields.optional("sha256"));
    let (Some(length), Some(Value::String(hash))) = (length, hash) else { return Err(bad()) };
    let sha256 = Sha256::from_hex(&hash).filter(|sha256| sha256.to_string() == hash);
    Ok(Some(Image { length, sha256: sha256.ok_or_else(bad)? }))
}

fn stated(image: Image) -> Object {
    let mut object = Object::new();
    object.insert("length", number(image.length));
    object.insert("sha256", image.sha256.to_string());
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn read(text: &str) -> Result<Custom, MetadataError> {
        let Value::Object(custom) = parse(text.as_bytes()).unwrap() else { panic!("an object") };
        Custom::read(Some(&custom))
    }

    #[test]
    fn fields_are_read_leniently_and_written_back() {
        let text = r#"{"tegata":{"hardware_ids":["gate-bg1"],"version":"2.4.1",
            "security_version":7,"release_counter":41,"later":{"x":1}},"vendor":true}"#;
        let custom = read(text).unwrap();
        assert!(custom.is_for("gate-bg1") && !custom.is_for("gate-bg2"));
        assert_eq!((custom.security_version, custom.release_counter), (Some(7), Some(41)));
        let Value::Object(whole) = parse(text.as_bytes()).unwrap() else { panic!("an object") };
        let mut again = whole.clone();
        again.insert(MEMBER, Object::new());
        custom.write(&mut again);
        assert_eq!(again, whole);
        assert_eq!(Custom::read(None), Ok(Custom::default()));
        assert_eq!(read(r#"{"vendor":1}"#), Ok(Custom::default()));
        assert!(!Custom::default().is_for(""));
    }

    #[test]
    fn forms_of_a_file_come_back() {
        let image = |n: u8| Image { length: n.into(), sha256: Sha256([n; 32]) };
        let plain = Plain { length: 7, sha256: Sha256([0xab; 32]) };
        let custom = Custom {
            sealed: Some(plain),
            delta: Some(delta::Header { base: image(1), result: image(2) }),
            ..Custom::default()
        };
        let mut whole = Object::new();
        custom.write(&mut whole);
        assert_eq!(Custom::read(Some(&whole)), Ok(custom));
    }

    #[test]
    fn a_field_of_another_type_is_not_absent() {
        let upper =
            format!(r#"{{"tegata":{{"sealed":{{"length":1,"sha256":"{}"}}}}}}"#, "AB".repeat(32));
        for bad in [
            upper.as_str(),
            r#"{"tegata":{"sealed":null}}"#,
            r#"{"tegata":{"sealed":{"length":1}}}"#,
            r#"{"tegata":{"sealed":{"length":1,"sha256":"ab"}}}"#,
            r#"{"tegata":{"delta":{}}}"#,
            r#"{"tegata":[]}"#,
            r#"{"tegata":{"security_version":"7"}}"#,
            r#"{"tegata":{"release_counter":-1}}"#,
            r#"{"tegata":{"version":1}}"#,
            r#"{"tegata":{"hardware_ids":"gate"}}"#,
            r#"{"tegata":{"hardware_ids":[1]}}"#,
        ] {
            assert!(matches!(read(bad), Err(MetadataError::Malformed { .. })), "{bad}");
        }
    }
}
