use crate::{
    MetadataError,
    fields::Fields,
    json::{Object, Value},
    key::lower_hex,
    limits::HASHES_MAX,
};
use crypto::{Digester, HashAlgorithm, sha256};
use std::collections::BTreeMap;

/// Hashes of one file, by the name of the hash function. Unknown functions are preserved; at least
/// one known one must be there for the file to be believed, and every known one must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes(BTreeMap<String, String>);

impl Hashes {
    /// The SHA-256 of a file, alone.
    pub fn sha256_of(bytes: &[u8]) -> Self {
        Self::of_sha256(sha256(bytes))
    }

    /// A SHA-256 that was computed before.
    pub fn of_sha256(digest: crypto::Sha256) -> Self {
        Self([("sha256".to_owned(), digest.to_string())].into())
    }

    pub(crate) fn read(value: Value, place: &str) -> Result<Self, MetadataError> {
        let mut hashes = BTreeMap::new();
        let place = format!("{place}.hashes");
        let members = Fields::new(value, place.clone())?.rest();
        if members.is_empty() || members.len() > HASHES_MAX {
            return Err(MetadataError::malformed(place, "must hold 1 to 8 hashes"));
        }
        for (name, value) in members {
            let Value::String(text) = value else {
                return Err(MetadataError::malformed(place, "must hold strings"));
            };
            let digest = lower_hex(&text);
            let fits = match algorithm(&name) {
                Some(known) => digest.is_some_and(|digest| digest.len() == known.length()),
                None => digest.is_some(),
            };
            if !fits {
                return Err(MetadataError::malformed(place, format!("has no valid {name}")));
            }
            hashes.insert(name, text);
        }
        Ok(Self(hashes))
    }

    pub(crate) fn write(&self) -> Object {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str().into())).collect()
    }

    /// The digest by one hash function, in lower-case hexadecimal.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The digest that stands in the names of files: SHA-256, else SHA-512, else the first.
    pub fn in_names(&self) -> Option<&str> {
        self.get("sha256")
            .or_else(|| self.get("sha512"))
            .or_else(|| self.0.values().next().map(String::as_str))
    }

    /// Whether `bytes` have these hashes.
    pub fn fit(&self, bytes: &[u8]) -> bool {
        let mut check = HashCheck::new(self);
        check.update(bytes);
        check.fits()
    }
}

/// Compares a file with its hashes while it arrives.
#[derive(Clone, Debug)]
pub(crate) struct HashCheck(Vec<(Digester, String)>);

impl HashCheck {
    pub(crate) fn new(hashes: &Hashes) -> Self {
        let known = |(name, text): (&String, &String)| {
            algorithm(name).map(|algorithm| (Digester::new(algorithm), text.clone()))
        };
        Self(hashes.0.iter().filter_map(known).collect())
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        for (digester, _) in &mut self.0 {
            digester.update(piece);
        }
    }

    /// Whether there is a known hash and all of them are as expected.
    pub(crate) fn fits(self) -> bool {
        !self.0.is_empty()
            && self.0.into_iter().all(|(digester, text)| hex::encode(digester.finish()) == text)
    }
}

fn algorithm(name: &str) -> Option<HashAlgorithm> {
    match name {
        "sha256" => Some(HashAlgorithm::Sha256),
        "sha512" => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn read(text: &str) -> Result<Hashes, MetadataError> {
        Hashes::read(parse(text.as_bytes()).unwrap(), "test")
    }

    #[test]
    fn every_known_hash_must_fit_and_one_must_be_known() {
        let abc = sha256(b"abc").to_string();
        let hashes = read(&format!(r#"{{"sha256":"{abc}","blake3":"00"}}"#)).unwrap();
        assert!(hashes.fit(b"abc"));
        assert!(!hashes.fit(b"abd"));
        let both = read(&format!(r#"{{"sha256":"{abc}","sha512":"{}"}}"#, "0".repeat(128)));
        assert!(!both.unwrap().fit(b"abc"), "one of two is wrong");
        assert!(!read(r#"{"blake3":"00"}"#).unwrap().fit(b"abc"), "none is known");
        for bad in ["{}", "[]", r#"{"sha256":"00"}"#, r#"{"sha256":1}"#, r#"{"x":"A0"}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(&format!(r#"{{"sha256":"{}"}}"#, abc.to_uppercase())).is_err());
    }
}
