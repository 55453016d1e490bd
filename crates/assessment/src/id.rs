use std::{borrow::Borrow, fmt};

/// Longest identifier, in bytes.
pub const ID_BYTES_MAX: usize = 64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Reads one; `None` where a character may not stand in it.
            pub fn parse(text: &str) -> Option<Self> {
                let allowed: fn(char) -> bool = $allowed;
                (!text.is_empty() && text.len() <= ID_BYTES_MAX && text.chars().all(allowed))
                    .then(|| Self(text.to_owned()))
            }

            /// As it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id! {
    /// The short name of a catalogue: `etsi-en-303-645`.
    SourceId, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}
id! {
    /// What may be present in a product or not, such as `debug-port`.
    FeatureId, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}
id! {
    /// An item of the check sheet: layer, phase, number, as in `DEV-SWD-03`.
    ItemId, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-'
}

/// One record of one catalogue, written `source:id`, as in `etsi-en-303-645:5.1-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordRef {
    source: SourceId,
    id: String,
}

impl RecordRef {
    /// Reads `source:id`.
    pub fn parse(text: &str) -> Option<Self> {
        let (source, id) = text.split_once(':')?;
        Self::new(&SourceId::parse(source)?, id)
    }

    /// The record `id` of `source`; `None` where a character may not stand in the id.
    pub fn new(source: &SourceId, id: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-()".contains(c);
        (!id.is_empty() && id.len() <= ID_BYTES_MAX && id.chars().all(allowed))
            .then(|| Self { source: source.clone(), id: id.to_owned() })
    }

    /// The catalogue.
    pub fn source(&self) -> &SourceId {
        &self.source
    }

    /// The id within its catalogue, spelled as the document spells it.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.source, self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_source_and_record() {
        let reference = RecordRef::parse("iec-62443-4-2:CR1.1-RE(1)").unwrap();
        assert_eq!(reference.source().as_str(), "iec-62443-4-2");
        assert_eq!(reference.id(), "CR1.1-RE(1)");
        for bad in ["5.1-1", ":5.1-1", "etsi:", "Etsi:1", "etsi:1 2", "etsi:a/b", "etsi:\u{1b}"] {
            assert_eq!(RecordRef::parse(bad), None, "{bad}");
        }
        assert_eq!(ItemId::parse(&"A".repeat(ID_BYTES_MAX + 1)), None);
    }
}
