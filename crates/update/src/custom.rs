//! What Tegata says about a target beside its length and hashes: the member `tegata` of `custom`
//! (docs/update-trust.md).

use crate::{
    MetadataError,
    fields::Fields,
    json::{Object, Value},
    signed::number,
};

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
        Ok(Self {
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
    fn a_field_of_another_type_is_not_absent() {
        for bad in [
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
