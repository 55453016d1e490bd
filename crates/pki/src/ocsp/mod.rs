//! Online certificate status (RFC 6960, RFC 5019, RFC 9654): requests, pre-signed and live
//! responses, and their verification by clients and in passports.
//!
//! An answer is found by the whole [`CertId`] (issuer name hash, issuer key hash, serial number), so
//! that a serial number alone never answers for another issuer's certificate. [`Responder::prepare`]
//! makes responses ahead of time; only a nonce needs one signed live.

mod request;
mod response;
mod verify;

pub use request::{NONCE_BYTES_MAX, OcspRequest, REQUEST_BYTES_MAX, REQUESTS_MAX};
pub use response::{Caching, PreparedResponse, Presigned, Responder};
pub use verify::{OcspResponse, RESPONSE_BYTES_MAX};

use crate::{
    Certificate, CertificateError, ObjectIdentifier, Serial,
    crl::RevocationReason,
    strict::{DerError, Reader, tag},
    write::Writer,
};
use crypto::{KeyError, PublicKey, SchemeError, SignError, UnixTime, sha1_for_identifiers, sha256};

const BASIC_RESPONSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");

/// Why a request or response is not accepted or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// Not DER of what was expected, or beyond the limits.
    #[error("OCSP message is malformed: {field} {reason}")]
    Malformed {
        /// which part
        field: &'static str,
        /// what is wrong with it
        reason: &'static str,
    },
    /// A certificate is asked for by a hash function that nobody here knows.
    #[error("OCSP request names its issuer by hash function {0}; use SHA-1 or SHA-256")]
    Hash(ObjectIdentifier),
    /// A critical extension that nobody here knows.
    #[error("OCSP message has the critical extension {0}, which is not supported")]
    CriticalExtension(ObjectIdentifier),
    /// The responder answered with an error.
    #[error("OCSP responder answered {0:?}")]
    Status(ErrorStatus),
    /// The responder is not entitled to answer for the issuer.
    #[error("OCSP response is not by the issuer or its delegate: {0}")]
    Responder(&'static str),
    /// The responder's certificate is malformed.
    #[error("OCSP responder's certificate: {0}")]
    Certificate(CertificateError),
    /// The signature algorithm is weak or not supported.
    #[error("OCSP response: {0}")]
    Scheme(SchemeError),
    /// The signature is wrong.
    #[error("OCSP response: {0}")]
    Key(KeyError),
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl OcspError {
    /// The answer to a client whose request met this error.
    pub fn status(&self) -> ErrorStatus {
        match self {
            Self::Malformed { .. } | Self::CriticalExtension(_) => ErrorStatus::MalformedRequest,
            Self::Hash(_) => ErrorStatus::Unauthorized,
            Self::Status(status) => *status,
            _ => ErrorStatus::InternalError,
        }
    }
}

/// OCSPResponseStatus other than successful (RFC 6960 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorStatus {
    /// the request cannot be read
    MalformedRequest,
    /// the responder is broken
    InternalError,
    /// the responder cannot answer now
    TryLater,
    /// the request must be signed
    SigRequired,
    /// this responder does not answer for that issuer (RFC 5019 section 2.2.3)
    Unauthorized,
}

impl ErrorStatus {
    const CODES: [(Self, u8); 5] = [
        (Self::MalformedRequest, 1),
        (Self::InternalError, 2),
        (Self::TryLater, 3),
        (Self::SigRequired, 5),
        (Self::Unauthorized, 6),
    ];

    /// The complete OCSPResponse in DER. Errors are not signed.
    pub fn to_der(self) -> Vec<u8> {
        let code = Self::CODES.iter().find(|(status, _)| *status == self).map_or(2, |(_, c)| *c);
        vec![tag::SEQUENCE, 3, crate::write::tag::ENUMERATED, 1, code]
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::CODES.iter().find(|(_, known)| *known == code).map(|(status, _)| *status)
    }
}

/// How a request names an issuer: hashes of its name and of its key bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuerHash {
    /// by SHA-1, as most clients do; a name, not a security measure
    Sha1 {
        /// of the issuer's name in DER
        name: [u8; 20],
        /// of the issuer's key bits
        key: [u8; 20],
    },
    /// by SHA-256
    Sha256 {
        /// of the issuer's name in DER
        name: [u8; 32],
        /// of the issuer's key bits
        key: [u8; 32],
    },
}

// Complete AlgorithmIdentifiers, with the NULL that everybody writes here.
const SHA1: &[u8] = b"\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00";
const SHA256: &[u8] = b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00";
const SHA1_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

impl IssuerHash {
    /// By SHA-1.
    pub fn sha1(name_der: &[u8], key: &PublicKey) -> Self {
        Self::Sha1 { name: sha1_for_identifiers(name_der), key: key.sha1_identifier() }
    }

    /// By SHA-256.
    pub fn sha256(name_der: &[u8], key: &PublicKey) -> Self {
        Self::Sha256 { name: sha256(name_der).0, key: sha256(key.bits()).0 }
    }

    /// Both, in the order in which clients use them.
    pub fn both(name_der: &[u8], key: &PublicKey) -> [Self; 2] {
        [Self::sha1(name_der, key), Self::sha256(name_der, key)]
    }
}

/// The certificate that is asked for, and the key under which its answer is kept (RFC 6960 section
/// 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    /// its issuer
    pub issuer: IssuerHash,
    /// its serial number
    pub serial: Serial,
}

impl CertId {
    /// By SHA-1, the form that every responder knows.
    ///
    /// # Errors
    /// Why the issuer's key is not accepted.
    pub fn of(certificate: &Certificate, issuer: &Certificate) -> Result<Self, KeyError> {
        let key = issuer.public_key().map_err(Clone::clone)?;
        let issuer = IssuerHash::sha1(certificate.issuer_der(), key);
        Ok(Self { issuer, serial: *certificate.serial() })
    }

    fn write(&self, w: &mut Writer) {
        let (algorithm, name, key): (_, &[u8], &[u8]) = match &self.issuer {
            IssuerHash::Sha1 { name, key } => (SHA1, name, key),
            IssuerHash::Sha256 { name, key } => (SHA256, name, key),
        };
        w.sequence(|w| {
            w.raw(algorithm);
            w.octet_string(name);
            w.octet_string(key);
            w.unsigned(self.serial.as_bytes());
        });
    }

    fn read(fields: &mut Reader<'_>) -> Result<Self, OcspError> {
        let mut id = fields.sequence().map_err(at("certID"))?;
        let mut algorithm = id.sequence().map_err(at("hashAlgorithm"))?;
        let hash = algorithm.oid().map_err(at("hashAlgorithm"))?;
        if !algorithm.is_empty() {
            let null = algorithm.expect(crate::write::tag::NULL).map_err(at("hashAlgorithm"))?;
            if !null.value.is_empty() || !algorithm.is_empty() {
                return Err(at("hashAlgorithm")(DerError("has parameters")));
            }
        }
        let name = id.expect(tag::OCTET_STRING).map_err(at("issuerNameHash"))?.value;
        let key = id.expect(tag::OCTET_STRING).map_err(at("issuerKeyHash"))?.value;
        let serial = id
            .expect(tag::INTEGER)
            .and_then(|tlv| Serial::from_contents(tlv.value))
            .map_err(at("serialNumber"))?;
        id.finish().map_err(at("certID"))?;
        let length = |_| at("issuer hash")(DerError("has another length than its hash function"));
        let issuer = match hash {
            SHA1_OID => IssuerHash::Sha1 {
                name: name.try_into().map_err(length)?,
                key: key.try_into().map_err(length)?,
            },
            SHA256_OID => IssuerHash::Sha256 {
                name: name.try_into().map_err(length)?,
                key: key.try_into().map_err(length)?,
            },
            other => return Err(OcspError::Hash(other)),
        };
        Ok(Self { issuer, serial })
    }
}

/// What is known about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertStatus {
    /// issued, and neither revoked nor suspended
    Good,
    /// revoked, or suspended where the reason is certificateHold
    Revoked {
        /// since when
        at: UnixTime,
        /// why
        reason: RevocationReason,
    },
    /// never issued here
    Unknown,
}

/// SingleResponse: one certificate's status and how long it may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// which certificate
    pub id: CertId,
    /// its status
    pub status: CertStatus,
    /// when this was known to be right
    pub this_update: UnixTime,
    /// when there will be newer information at the latest; `None`: there is always newer
    pub next_update: Option<UnixTime>,
}

impl Answer {
    /// Whether it may be relied on at `now`. Without nextUpdate it may not be kept.
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.this_update <= now && self.next_update.is_some_and(|next| now <= next)
    }
}

/// Names the field in which DER is not what it should be.
fn at(field: &'static str) -> impl Fn(DerError) -> OcspError {
    move |DerError(reason)| OcspError::Malformed { field, reason }
}

/// Reads `Extensions`, of which only the nonce matters; critical others are refused.
fn nonce_among(der: &[u8]) -> Result<Option<Vec<u8>>, OcspError> {
    let mut list =
        Reader::new(crate::strict::only(der, tag::SEQUENCE).map_err(at("extensions"))?.value);
    let mut nonce = None;
    let mut count = 0;
    while !list.is_empty() {
        let mut entry = list.sequence().map_err(at("extension"))?;
        let oid = entry.oid().map_err(at("extension"))?;
        let critical = entry.default_false().map_err(at("extension"))?;
        let value = entry.expect(tag::OCTET_STRING).map_err(at("extension"))?.value;
        entry.finish().map_err(at("extension"))?;
        count += 1;
        if count > 16 {
            return Err(at("extensions")(DerError("are more than 16")));
        }
        if oid == NONCE {
            let bytes = crate::strict::only(value, tag::OCTET_STRING).map_err(at("nonce"))?.value;
            if nonce.is_some() || bytes.is_empty() || bytes.len() > NONCE_BYTES_MAX {
                return Err(at("nonce")(DerError("is not one of 1 to 128 bytes (RFC 9654)")));
            }
            nonce = Some(bytes.to_vec());
        } else if critical {
            return Err(OcspError::CriticalExtension(oid));
        }
    }
    Ok(nonce)
}

/// `Extensions` with a nonce.
fn write_nonce(w: &mut Writer, nonce: &[u8]) {
    w.sequence(|w| w.extension(&NONCE, false, |w| w.octet_string(nonce)));
}
