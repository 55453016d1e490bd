use crate::{
    MetadataError,
    fields::Fields,
    json::{Object, Value},
};
use crypto::{PublicKey, SignatureScheme, Signer, sha256};
use der::pem::LineEnding;
use std::fmt;

/// The name of a key. Keys that are made here are named by the SHA-256 of their canonical form, as
/// python-securesystemslib does it; others' names are taken as they are (TAP 12), because nothing
/// rests on them: thresholds count distinct public keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// Longest key id, in bytes.
const KEY_ID_BYTES_MAX: usize = 128;
/// A SubjectPublicKeyInfo of Ed25519 up to the key itself (RFC 8410 section 4).
const ED25519_SPKI: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

impl KeyId {
    /// A key id as it stands in metadata.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] unless it has 1 to 128 visible ASCII characters.
    pub fn new(id: impl Into<String>) -> Result<Self, MetadataError> {
        let id = id.into();
        let fits = (1..=KEY_ID_BYTES_MAX).contains(&id.len());
        if !fits || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = "must have 1 to 128 visible ASCII characters";
            return Err(MetadataError::malformed("key id", reason));
        }
        Ok(Self(id))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first 12 characters, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a key signs (section 4.2 of the specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScheme {
    /// Ed25519; the public key is 64 lower-case hexadecimal digits
    Ed25519,
    /// ECDSA on P-256 with SHA-256, signatures in DER; the public key is PEM
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384, signatures in DER; the public key is PEM
    EcdsaP384,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes; the public key is PEM
    RsaPss,
}

impl KeyScheme {
    fn of(keytype: &str, scheme: &str) -> Option<Self> {
        Some(match (keytype, scheme) {
            ("ed25519", "ed25519") => Self::Ed25519,
            // Before specification 1.0.27 the key type repeated the scheme.
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => Self::EcdsaP256,
            ("ecdsa" | "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => Self::EcdsaP384,
            ("rsa", "rsassa-pss-sha256") => Self::RsaPss,
            _ => return None,
        })
    }

    fn of_key(key: &PublicKey) -> Option<Self> {
        use crypto::KeyAlgorithm as K;
        match key.algorithm() {
            K::Ed25519 => Some(Self::Ed25519),
            K::EcdsaP256 => Some(Self::EcdsaP256),
            K::EcdsaP384 => Some(Self::EcdsaP384),
            K::Rsa(_) => Some(Self::RsaPss),
            K::MlDsa44 | K::MlDsa65 | K::MlDsa87 => None,
        }
    }

    fn keytype(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 | Self::EcdsaP384 => "ecdsa",
            Self::RsaPss => "rsa",
        }
    }

    /// The scheme's name in metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::RsaPss => "rsassa-pss-sha256",
        }
    }

    fn signature_scheme(self) -> SignatureScheme {
        match self {
            Self::Ed25519 => SignatureScheme::Ed25519,
            Self::EcdsaP256 => SignatureScheme::EcdsaSha256,
            Self::EcdsaP384 => SignatureScheme::EcdsaSha384,
            Self::RsaPss => SignatureScheme::RsaPssSha256,
        }
    }
}

/// A public key as metadata names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    keytype: String,
    scheme: String,
    public: String,
    /// other members of the key and of its `keyval`, preserved
    other: Object,
    keyval_other: Object,
    usable: Result<(KeyScheme, PublicKey), String>,
}

impl Key {
    /// The form of a public key.
    ///
    /// # Errors
    /// [`MetadataError::Key`] for ML-DSA, which The Update Framework does not know.
    pub fn from_public(key: &PublicKey) -> Result<Self, MetadataError> {
        let unusable = |reason: &str| MetadataError::Key {
            id: key.fingerprint().to_string(),
            reason: reason.to_owned(),
        };
        let scheme = KeyScheme::of_key(key).ok_or_else(|| {
            unusable("clients know Ed25519, ECDSA on P-256 and P-384, and RSA only")
        })?;
        let public = match scheme {
            KeyScheme::Ed25519 => hex::encode(key.bits()),
            _ => der::pem::encode_string("PUBLIC KEY", LineEnding::LF, key.spki())
                .map_err(|_| unusable("it cannot be written as PEM"))?,
        };
        Ok(Self {
            keytype: scheme.keytype().to_owned(),
            scheme: scheme.name().to_owned(),
            public,
            other: Object::new(),
            keyval_other: Object::new(),
            usable: Ok((scheme, key.clone())),
        })
    }

    /// Reads a key from JSON, as a file of its own or a member of metadata. A key of an unknown kind
    /// or with a value that does not fit is kept, and verifies nothing.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`].
    pub fn from_json(value: Value) -> Result<Self, MetadataError> {
        let mut fields = Fields::new(value, "key")?;
        let (keytype, scheme) = (fields.string("keytype")?, fields.string("scheme")?);
        let mut keyval = Fields::new(fields.value("keyval")?, "keyval")?;
        let public = keyval.string("public")?;
        let usable = match KeyScheme::of(&keytype, &scheme) {
            Some(known) => public_key(known, &public).map(|key| (known, key)),
            None => {
                Err(format!("keys of type {keytype:?} and scheme {scheme:?} are not supported"))
            }
        };
        let (other, keyval_other) = (fields.rest(), keyval.rest());
        Ok(Self { keytype, scheme, public, other, keyval_other, usable })
    }

    /// Reads a file with one public key: this JSON, or `BEGIN PUBLIC KEY` as other tools write it.
    ///
    /// # Errors
    /// [`MetadataError::Json`], [`MetadataError::Malformed`], [`MetadataError::PublicKey`],
    /// [`MetadataError::Key`] where it verifies nothing.
    pub fn from_file(bytes: &[u8]) -> Result<Self, MetadataError> {
        let not_pem = || MetadataError::malformed("public key", "is neither JSON nor PEM");
        let key = if bytes.starts_with(b"-----BEGIN") {
            let text = std::str::from_utf8(bytes).map_err(|_| not_pem())?;
            let (label, document) = der::Document::from_pem(text.trim()).map_err(|_| not_pem())?;
            if label != "PUBLIC KEY" {
                return Err(MetadataError::malformed("public key", "is not labelled PUBLIC KEY"));
            }
            Self::from_public(&PublicKey::from_spki(document.as_bytes())?)?
        } else {
            Self::from_json(crate::json::parse(bytes)?)?
        };
        match key.fault() {
            None => Ok(key),
            Some(reason) => Err(MetadataError::Key {
                id: key.computed_id().to_string(),
                reason: reason.to_owned(),
            }),
        }
    }

    /// As metadata has it.
    pub fn to_json(&self) -> Value {
        let mut keyval = self.keyval_other.clone();
        keyval.insert("public", self.public.as_str());
        let mut key = self.other.clone();
        key.insert("keytype", self.keytype.as_str());
        key.insert("scheme", self.scheme.as_str());
        key.insert("keyval", keyval);
        key.into()
    }

    /// The id that a key made here gets: SHA-256 of the canonical form of `keytype`, `scheme` and
    /// `keyval`, in hexadecimal.
    pub fn computed_id(&self) -> KeyId {
        let mut keyval = Object::new();
        keyval.insert("public", self.public.as_str());
        let mut key = Object::new();
        key.insert("keytype", self.keytype.as_str());
        key.insert("scheme", self.scheme.as_str());
        key.insert("keyval", keyval);
        KeyId(sha256(&Value::Object(key).canonical()).to_string())
    }

    /// The scheme's name.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The public key; `None` where this key verifies nothing.
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.usable.as_ref().ok().map(|(_, key)| key)
    }

    /// Why the key verifies nothing; `None` where it does.
    pub fn fault(&self) -> Option<&str> {
        self.usable.as_ref().err().map(String::as_str)
    }

    /// Whether `signature` over `message` is by this key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.usable.as_ref().is_ok_and(|(scheme, key)| {
            key.verify(scheme.signature_scheme(), message, signature).is_ok()
        })
    }

    /// Signs as this key.
    pub(crate) fn sign(
        &self,
        signer: &dyn Signer,
        message: &[u8],
    ) -> Result<Vec<u8>, MetadataError> {
        let unusable =
            |reason: String| MetadataError::Key { id: self.computed_id().to_string(), reason };
        let (scheme, key) = self.usable.as_ref().map_err(|reason| unusable(reason.clone()))?;
        if signer.public_key() != key {
            return Err(unusable("the private key at hand is another one".to_owned()));
        }
        Ok(signer.sign(scheme.signature_scheme(), message)?)
    }
}

fn public_key(scheme: KeyScheme, text: &str) -> Result<PublicKey, String> {
    let key = match scheme {
        KeyScheme::Ed25519 => {
            let mut spki = ED25519_SPKI.to_vec();
            let bytes = lower_hex(text).filter(|bytes| bytes.len() == 32);
            spki.extend(bytes.ok_or("an Ed25519 key is 64 lower-case hexadecimal digits")?);
            PublicKey::from_spki(&spki)
        }
        _ => {
            // Surrounding white space is common in metadata made by hand.
            let (label, document) = der::Document::from_pem(text.trim())
                .map_err(|_| "its public value is not PEM".to_owned())?;
            if label != "PUBLIC KEY" {
                return Err("its PEM is not labelled PUBLIC KEY".to_owned());
            }
            PublicKey::from_spki(document.as_bytes())
        }
    };
    let key = key.map_err(|error| error.to_string())?;
    if KeyScheme::of_key(&key) == Some(scheme) {
        Ok(key)
    } else {
        Err(format!("a {} key does not sign by {}", key.algorithm(), scheme.name()))
    }
}

/// Hexadecimal in lower case only: one value, one form.
pub(crate) fn lower_hex(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    hex::decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{file_form, parse};
    use crypto::{KeyAlgorithm, SoftwareKey};

    #[test]
    fn key_ids_are_those_of_securesystemslib() {
        // From the example of section 4.3 in the specification of The Update Framework.
        let text = r#"{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":
            "72378e5bc588793e58f81c8533da64a2e8f1565c1fcc7f253496394ffc52542c"}}"#;
        let key = Key::from_json(parse(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            key.computed_id().as_str(),
            "1bf1c6e3cdd3d3a8420b19199e27511999850f4b376c4547b2f32fba7e80fca3"
        );
        assert_eq!(key.fault(), None);
    }

    #[test]
    fn every_scheme_signs_and_survives_json() {
        let kinds = [
            KeyAlgorithm::Ed25519,
            KeyAlgorithm::EcdsaP256,
            KeyAlgorithm::EcdsaP384,
            KeyAlgorithm::Rsa(2048),
        ];
        for kind in kinds {
            let signer = SoftwareKey::generate(kind).unwrap();
            let key = Key::from_public(signer.public_key()).unwrap();
            let again = Key::from_json(parse(&file_form(&key.to_json())).unwrap()).unwrap();
            assert_eq!(again, key);
            let signature = key.sign(&signer, b"message").unwrap();
            assert!(again.verifies(b"message", &signature));
            assert!(!again.verifies(b"massage", &signature));
            let other = SoftwareKey::generate(kind).unwrap();
            assert!(matches!(key.sign(&other, b"message"), Err(MetadataError::Key { .. })));
        }
        let pq = SoftwareKey::generate(KeyAlgorithm::MlDsa44).unwrap();
        assert!(matches!(Key::from_public(pq.public_key()), Err(MetadataError::Key { .. })));
    }

    #[test]
    fn files_of_keys_are_json_or_pem() {
        let signer = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let key = Key::from_public(signer.public_key()).unwrap();
        assert_eq!(Key::from_file(&file_form(&key.to_json())), Ok(key.clone()));
        assert_eq!(Key::from_file(key.public.as_bytes()), Ok(key.clone()));
        for bad in
            [&b""[..], b"{}", b"-----BEGIN", key.public.replace("PUBLIC", "PRIVATE").as_bytes()]
        {
            assert!(Key::from_file(bad).is_err());
        }
    }

    #[test]
    fn unfit_keys_are_kept_and_verify_nothing() {
        let check = |text: &str, why: &str| {
            let key = Key::from_json(parse(text.as_bytes()).unwrap()).unwrap();
            assert!(key.fault().unwrap().contains(why), "{:?}", key.fault());
            assert!(!key.verifies(b"", &[0; 64]));
            assert_eq!(key.to_json(), parse(text.as_bytes()).unwrap(), "preserved");
        };
        let ed = |public: &str| {
            format!(
                r#"{{"keytype":"ed25519","scheme":"ed25519","keyval":{{"public":"{public}"}}}}"#
            )
        };
        check(&ed("00"), "64");
        check(&ed(&"0".repeat(64)), "small order");
        check(&ed(&"AB".repeat(32)), "lower-case");
        check(
            r#"{"keytype":"sigstore-oidc","scheme":"Fulcio","x":1,"keyval":{"public":"","y":[2]}}"#,
            "not supported",
        );
        check(r#"{"keytype":"rsa","scheme":"rsassa-pss-sha256","keyval":{"public":"no"}}"#, "PEM");
        let p256 = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let Value::Object(mut wrong) = Key::from_public(p256.public_key()).unwrap().to_json()
        else {
            panic!("an object")
        };
        wrong.insert("keytype", "rsa");
        wrong.insert("scheme", "rsassa-pss-sha256");
        let key = Key::from_json(wrong.into()).unwrap();
        assert!(key.fault().unwrap().contains("does not sign"));
    }
}
