use const_oid::ObjectIdentifier;
use crypto::KeyAlgorithm;
use der::{
    Decode, Encode, Reader as _, SliceReader, Tag, Tagged,
    asn1::{AnyRef, SetOfVec, UintRef},
};
use std::fmt;

/// Longest CSR attributes read, in bytes of DER.
pub const CSR_ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;

const ENTRIES_MAX: usize = 64;

const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");

/// Why bytes are not CSR attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// Longer or more than the limits.
    #[error("CSR attributes have more than 16 KiB or 64 entries")]
    TooLong,
    /// Not the ASN.1 of RFC 7030 section 4.5.2.
    #[error("not CSR attributes: a DER sequence of object identifiers and attributes")]
    Malformed,
}

/// Longest object identifier read, in bytes.
const OID_BYTES_MAX: usize = 64;

/// An object identifier of any kind, its arcs as encoded (X.690 section 8.19). It may begin with
/// 2.999, as the examples of RFC 7030 do, or have two arcs. Displays in dots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Vec<u8>);

impl Oid {
    fn new(arcs: &[u8]) -> Option<Self> {
        let ended = arcs.last().is_some_and(|byte| byte & 0x80 == 0);
        let mut starts = true;
        for byte in arcs {
            if starts && *byte == 0x80 {
                return None;
            }
            starts = byte & 0x80 == 0;
        }
        (ended && arcs.len() <= OID_BYTES_MAX).then(|| Self(arcs.to_vec()))
    }
}

impl From<ObjectIdentifier> for Oid {
    fn from(oid: ObjectIdentifier) -> Self {
        Self(oid.as_bytes().to_vec())
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut arc, mut first) = (0_u128, true);
        for byte in &self.0 {
            // Arcs beyond 128 bits are shown modulo 2^128: the encoding is what counts.
            arc = (arc << 7) | u128::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                continue;
            }
            if first {
                let root = (arc / 40).min(2);
                write!(f, "{root}.{}", arc - 40 * root)?;
            } else {
                write!(f, ".{arc}")?;
            }
            (arc, first) = (0, false);
        }
        Ok(())
    }
}

/// What a server asks of a request (RFC 7030 section 4.5.2, RFC 8951 section 4, RFC 9908): which
/// kind of key, and whether to bind it to the connection. What else a server asks is kept in
/// `others`, as object identifiers: a client may not know it, and should send what it knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CsrAttributes {
    /// the request should carry the channel binding as challengePassword
    pub channel_binding: bool,
    /// the kind of key that is wanted
    pub key: Option<KeyAlgorithm>,
    /// other object identifiers and attribute types
    pub others: Vec<Oid>,
}

/// `AttrOrOID`: an object identifier, or an attribute of one type with values.
enum Entry {
    Oid(Oid),
    Attribute(ObjectIdentifier, Vec<u8>),
}

impl CsrAttributes {
    /// Writes the attributes in DER. Others are written as object identifiers.
    ///
    /// # Errors
    /// [`AttributesError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, AttributesError> {
        let mut entries = Vec::new();
        if self.channel_binding {
            entries.push(Entry::Oid(CHALLENGE_PASSWORD.into()));
        }
        if let Some(key) = self.key {
            entries.extend(entries_of(key).ok_or(AttributesError::Malformed)?);
        }
        entries.extend(self.others.iter().cloned().map(Entry::Oid));
        if entries.len() > ENTRIES_MAX {
            return Err(AttributesError::TooLong);
        }
        let mut inside = Vec::new();
        for entry in &entries {
            match entry {
                Entry::Oid(Oid(arcs)) => {
                    let oid = AnyRef::new(Tag::ObjectIdentifier, arcs);
                    encode_to(&oid.map_err(|_| AttributesError::Malformed)?, &mut inside)?;
                }
                Entry::Attribute(kind, value) => {
                    let mut set = SetOfVec::new();
                    let value = AnyRef::from_der(value).map_err(|_| AttributesError::Malformed)?;
                    set.insert(value).map_err(|_| AttributesError::Malformed)?;
                    let mut attribute = Vec::new();
                    encode_to(kind, &mut attribute)?;
                    encode_to(&set, &mut attribute)?;
                    encode_to(&sequence(&attribute)?, &mut inside)?;
                }
            }
        }
        let mut out = Vec::new();
        encode_to(&sequence(&inside)?, &mut out)?;
        Ok(out)
    }

    /// Reads attributes in DER.
    ///
    /// # Errors
    /// [`AttributesError`].
    pub fn parse(der: &[u8]) -> Result<Self, AttributesError> {
        if der.len() > CSR_ATTRIBUTES_BYTES_MAX {
            return Err(AttributesError::TooLong);
        }
        read(der)
    }
}

fn read(der: &[u8]) -> Result<CsrAttributes, AttributesError> {
    let bad = |_: der::Error| AttributesError::Malformed;
    let whole = AnyRef::from_der(der).map_err(bad)?;
    if whole.tag() != Tag::Sequence {
        return Err(AttributesError::Malformed);
    }
    let mut out = CsrAttributes::default();
    let mut entries = SliceReader::new(whole.value()).map_err(bad)?;
    let mut count = 0;
    while !entries.is_finished() {
        count += 1;
        if count > ENTRIES_MAX {
            return Err(AttributesError::TooLong);
        }
        let entry = AnyRef::decode(&mut entries).map_err(bad)?;
        match entry.tag() {
            Tag::ObjectIdentifier => {
                let oid = Oid::new(entry.value()).ok_or(AttributesError::Malformed)?;
                if oid == CHALLENGE_PASSWORD.into() {
                    out.channel_binding = true;
                } else if let Some(key) = plain_key(&oid) {
                    out.key = Some(out.key.unwrap_or(key));
                } else {
                    out.others.push(oid);
                }
            }
            Tag::Sequence => {
                let mut fields = SliceReader::new(entry.value()).map_err(bad)?;
                let kind = AnyRef::decode(&mut fields).map_err(bad)?;
                let values = AnyRef::decode(&mut fields).map_err(bad)?;
                let tags = (kind.tag(), values.tag());
                if tags != (Tag::ObjectIdentifier, Tag::Set) || !fields.is_finished() {
                    return Err(AttributesError::Malformed);
                }
                let kind = Oid::new(kind.value()).ok_or(AttributesError::Malformed)?;
                match key_of(&kind, values.value()) {
                    Some(key) => out.key = Some(out.key.unwrap_or(key)),
                    None => out.others.push(kind),
                }
            }
            _ => return Err(AttributesError::Malformed),
        }
    }
    // The signature's algorithm follows from the key's.
    let implied = [ECDSA_SHA256, ECDSA_SHA384, RSA_SHA256].map(Oid::from);
    if out.key.is_some() {
        out.others.retain(|oid| !implied.contains(oid));
    }
    Ok(out)
}

fn entries_of(key: KeyAlgorithm) -> Option<Vec<Entry>> {
    let oid = |oid: ObjectIdentifier| oid.to_der().ok();
    Some(match key {
        KeyAlgorithm::EcdsaP256 => {
            vec![Entry::Attribute(EC_PUBLIC_KEY, oid(P256)?), Entry::Oid(ECDSA_SHA256.into())]
        }
        KeyAlgorithm::EcdsaP384 => {
            vec![Entry::Attribute(EC_PUBLIC_KEY, oid(P384)?), Entry::Oid(ECDSA_SHA384.into())]
        }
        KeyAlgorithm::Rsa(bits) => {
            let bits = UintRef::new(&bits.to_be_bytes()).ok()?.to_der().ok()?;
            vec![Entry::Attribute(RSA_ENCRYPTION, bits), Entry::Oid(RSA_SHA256.into())]
        }
        KeyAlgorithm::Ed25519 => vec![Entry::Oid(ED25519.into())],
        KeyAlgorithm::MlDsa44 => vec![Entry::Oid(ML_DSA_44.into())],
        KeyAlgorithm::MlDsa65 => vec![Entry::Oid(ML_DSA_65.into())],
        KeyAlgorithm::MlDsa87 => vec![Entry::Oid(ML_DSA_87.into())],
    })
}

fn plain_key(oid: &Oid) -> Option<KeyAlgorithm> {
    [
        (ED25519, KeyAlgorithm::Ed25519),
        (ML_DSA_44, KeyAlgorithm::MlDsa44),
        (ML_DSA_65, KeyAlgorithm::MlDsa65),
        (ML_DSA_87, KeyAlgorithm::MlDsa87),
    ]
    .into_iter()
    .find_map(|(known, key)| (known.as_bytes() == oid.0).then_some(key))
}

fn key_of(kind: &Oid, values: &[u8]) -> Option<KeyAlgorithm> {
    if kind.0 == EC_PUBLIC_KEY.as_bytes() {
        return match ObjectIdentifier::from_der(values).ok()? {
            P256 => Some(KeyAlgorithm::EcdsaP256),
            P384 => Some(KeyAlgorithm::EcdsaP384),
            _ => None,
        };
    }
    if kind.0 == RSA_ENCRYPTION.as_bytes() {
        let bits = u32::from_der(values).ok()?;
        return (2048..=8192).contains(&bits).then_some(KeyAlgorithm::Rsa(bits));
    }
    None
}

fn sequence(contents: &[u8]) -> Result<AnyRef<'_>, AttributesError> {
    AnyRef::new(Tag::Sequence, contents).map_err(|_| AttributesError::TooLong)
}

fn encode_to(value: &impl Encode, out: &mut Vec<u8>) -> Result<(), AttributesError> {
    value.encode_to_vec(out).map(drop).map_err(|_| AttributesError::TooLong)
}
