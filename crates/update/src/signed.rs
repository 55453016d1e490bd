//! Metadata files: contents and signatures, before and after somebody checked them.

use crate::{
    MetadataError,
    authority::Authority,
    fields::Fields,
    json::{self, Object, Value},
    key::{Key, KeyId, lower_hex},
    limits::{Limits, SIGNATURES_MAX},
    role::Version,
};
use crypto::{Signer, UnixTime, Verified};

/// The version of the specification that files made here name.
pub const SPEC_VERSION: &str = "1.0.34";

/// What the signed part of every metadata file begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// version of the specification
    pub spec_version: String,
    /// version of the file
    pub version: Version,
    /// when it ends
    pub expires: UnixTime,
}

impl Header {
    /// Of a first version.
    pub fn first(expires: UnixTime) -> Self {
        Self { spec_version: SPEC_VERSION.to_owned(), version: Version::FIRST, expires }
    }
}

/// The contents of one kind of metadata. Whoever holds one as `Verified<R>` holds contents that a
/// threshold of the right keys signed; a bare `R` is a draft or a claim.
pub trait Metadata: Clone + sealed::Contents {
    /// `_type` in the file.
    const TYPE: &'static str;

    /// Version, expiry.
    fn header(&self) -> &Header;

    /// Version, expiry, of a draft.
    fn header_mut(&mut self) -> &mut Header;
}

pub(crate) mod sealed {
    use super::{Fields, Header, Limits, MetadataError, Object};

    pub trait Contents: Sized {
        fn bytes_max(limits: &Limits) -> u64;
        fn read(fields: Fields, header: Header) -> Result<Self, MetadataError>;
        fn write(&self, object: &mut Object);
    }
}

/// One signature, not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// whose it says it is
    pub key: KeyId,
    /// its bytes; empty in files that wait for it
    pub bytes: Vec<u8>,
}

/// A metadata file that was read and that nobody has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<R> {
    canonical: Vec<u8>,
    signatures: Vec<Signature>,
    content: R,
}

impl<R: Metadata> Signed<R> {
    /// Reads a metadata file.
    ///
    /// # Errors
    /// [`MetadataError`]: too large, not JSON, of another role, malformed.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, MetadataError> {
        let max = R::bytes_max(limits);
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
            return Err(MetadataError::TooLarge { what: R::TYPE, length: bytes.len(), max });
        }
        let mut envelope = Fields::new(json::parse(bytes)?, "")?;
        let signed = envelope.value("signed")?;
        let signatures = signatures(envelope.array("signatures")?)?;
        let canonical = signed.canonical();
        let mut fields = Fields::new(signed, "signed")?;
        let found = fields.string("_type")?;
        if found != R::TYPE {
            let found = found.chars().take(40).collect();
            return Err(MetadataError::WrongType { expected: R::TYPE, found });
        }
        let header = header(&mut fields)?;
        let content = R::read(fields, header)?;
        Ok(Self { canonical, signatures, content })
    }

    /// A file without signatures yet.
    pub fn draft(content: R) -> Self {
        let mut object = Object::new();
        object.insert("_type", R::TYPE);
        let header = content.header();
        object.insert("spec_version", header.spec_version.as_str());
        object.insert("version", number(header.version.number()));
        object.insert("expires", header.expires.to_string());
        content.write(&mut object);
        let canonical = Value::Object(object).canonical();
        Self { canonical, signatures: Vec::new(), content }
    }

    /// What the file says, whoever wrote it: to be shown or edited, not to be acted upon.
    pub fn unverified(&self) -> &R {
        &self.content
    }

    /// What is signed.
    pub(crate) fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The signatures, whoever made them.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The file. Nothing needs to be encoded anew to check a file that was received: keep the bytes.
    ///
    /// # Errors
    /// [`MetadataError::Json`], which does not occur for contents that can be read.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MetadataError> {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|signature| {
                let mut object = Object::new();
                object.insert("keyid", signature.key.as_str());
                object.insert("sig", hex::encode(&signature.bytes));
                object.into()
            })
            .collect();
        // The signed part travels in the form that parsers read; see `json::file_form`.
        let signed = json::parse(&json::escape_controls(&self.canonical))?;
        let mut envelope = Object::new();
        envelope.insert("signed", signed);
        envelope.insert("signatures", signatures);
        Ok(json::file_form(&envelope.into()))
    }

    /// Adds a signature, or replaces the one of the same key. The key's owner decided to sign:
    /// whether the key may is for verifiers to say.
    ///
    /// # Errors
    /// [`MetadataError::Key`], [`MetadataError::Sign`].
    pub fn sign(
        &mut self,
        id: &KeyId,
        key: &Key,
        signer: &dyn Signer,
    ) -> Result<(), MetadataError> {
        let bytes = key.sign(signer, &self.canonical)?;
        self.signatures.retain(|signature| signature.key != *id);
        self.signatures.push(Signature { key: id.clone(), bytes });
        Ok(())
    }

    /// The distinct keys of the role that have signed.
    pub fn signed_by(&self, authority: &Authority) -> Vec<KeyId> {
        authority.good(&self.canonical, &self.signatures)
    }

    /// Checks that a threshold of the role's keys signed (section 4.2 of the specification).
    ///
    /// # Errors
    /// [`MetadataError::Threshold`].
    pub fn verify(self, authority: &Authority) -> Result<Verified<R>, MetadataError> {
        self.require(authority)?;
        Ok(Verified::assertion(self.content))
    }

    pub(crate) fn require(&self, authority: &Authority) -> Result<(), MetadataError> {
        let found = self.signed_by(authority).len();
        if found < authority.threshold() {
            return Err(MetadataError::Threshold {
                role: authority.role().clone(),
                found,
                needed: authority.threshold(),
            });
        }
        Ok(())
    }

    /// The claim that the signatures were checked by several authorities; for the root, which has
    /// two.
    pub(crate) fn into_content(self) -> R {
        self.content
    }
}

/// Whether verified metadata may still be used: its end must be after `now` (a freeze attack
/// otherwise).
///
/// # Errors
/// [`MetadataError::Expired`].
pub fn require_current<R: Metadata>(
    metadata: &Verified<R>,
    role: &crate::RoleName,
    now: UnixTime,
) -> Result<(), MetadataError> {
    let Header { version, expires, .. } = *metadata.header();
    if expires > now {
        return Ok(());
    }
    Err(MetadataError::Expired { role: role.clone(), version, expires })
}

/// A whole number in metadata. What is larger than JSON's integers here does not occur: versions
/// and lengths end before.
pub(crate) fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn header(fields: &mut Fields) -> Result<Header, MetadataError> {
    let spec_version = fields.string("spec_version")?;
    let parts: Vec<&str> = spec_version.split('.').collect();
    let plain = parts.iter().all(|part| {
        (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    });
    if !plain || !(2..=3).contains(&parts.len()) || parts.first() != Some(&"1") {
        let reason = "is not a version 1.x of the specification";
        return Err(MetadataError::malformed("signed.spec_version", reason));
    }
    let version = Version::new(fields.number("version")?)
        .ok_or_else(|| MetadataError::malformed("signed.version", "must be at least 1"))?;
    Ok(Header { spec_version, version, expires: fields.time("expires")? })
}

fn signatures(values: Vec<Value>) -> Result<Vec<Signature>, MetadataError> {
    if values.len() > SIGNATURES_MAX {
        let reason = format!("has more than {SIGNATURES_MAX} entries");
        return Err(MetadataError::malformed("signatures", reason));
    }
    let mut signatures: Vec<Signature> = Vec::new();
    for value in values {
        let mut fields = Fields::new(value, "signatures")?;
        let key = KeyId::new(fields.string("keyid")?)?;
        let bytes = lower_hex(&fields.string("sig")?).ok_or_else(|| {
            MetadataError::malformed("signatures.sig", "is not lower-case hexadecimal")
        })?;
        // One key, one signature (CVE-2020-6174 and its relatives).
        if signatures.iter().any(|other| other.key == key) {
            return Err(MetadataError::malformed("signatures", "has two entries of one key"));
        }
        signatures.push(Signature { key, bytes });
    }
    Ok(signatures)
}
