//! Certificate revocation lists (RFC 5280 section 5): full, sharded and delta.
//!
//! An issuer with many certificates splits its list by serial number: each certificate names the
//! shard that would list it, and that shard's issuingDistributionPoint names itself, so that no
//! shard passes for another.

mod read;

pub use read::Crl;

use crate::{
    CertificateError, IssuerInfo, ObjectIdentifier, Serial,
    write::{Writer, signed, tag},
};
use crypto::{
    KeyError, PublicKey, SchemeError, SignError, SignatureScheme, Signer, UnixTime, sha256,
};

/// Largest list read, in bytes: about 400,000 entries. Larger issuers shard.
pub const CRL_BYTES_MAX: usize = 16 * 1024 * 1024 - 1;

const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");
const DELTA_CRL_INDICATOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

/// Why a list is not made or not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Not a CRL in DER, or beyond the limits.
    #[error("CRL is malformed: {field} {reason}")]
    Malformed {
        /// which part
        field: &'static str,
        /// what is wrong with it
        reason: &'static str,
    },
    /// What it shall say is not possible.
    #[error("CRL cannot be made: {0}")]
    Refused(&'static str),
    /// Its extensions are malformed.
    #[error("CRL has malformed extensions: {0}")]
    Extensions(CertificateError),
    /// It has a critical extension that nobody here knows.
    #[error("CRL has the critical extension {0}, which is not supported; it must not be used")]
    CriticalExtension(ObjectIdentifier),
    /// Its signature algorithm is weak or not supported.
    #[error("CRL: {0}")]
    Scheme(SchemeError),
    /// It is not the issuer's.
    #[error("CRL is not by this issuer: {0}")]
    OtherIssuer(&'static str),
    /// Its signature is wrong.
    #[error("CRL: {0}")]
    Key(KeyError),
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Why a certificate is revoked (RFC 5280 section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RevocationReason {
    /// nobody says why
    Unspecified,
    /// the subject's key is known to others
    KeyCompromise,
    /// the issuer's key is known to others
    CaCompromise,
    /// the subject belongs to somebody else now
    AffiliationChanged,
    /// there is a newer certificate
    Superseded,
    /// the subject is out of use
    CessationOfOperation,
    /// suspended: may come back
    CertificateHold,
    /// in delta CRLs: is no longer suspended
    RemoveFromCrl,
    /// the subject may no longer do what it was certified for
    PrivilegeWithdrawn,
    /// an attribute authority's key is known to others
    AaCompromise,
}

impl RevocationReason {
    const CODES: [(Self, u8); 10] = [
        (Self::Unspecified, 0),
        (Self::KeyCompromise, 1),
        (Self::CaCompromise, 2),
        (Self::AffiliationChanged, 3),
        (Self::Superseded, 4),
        (Self::CessationOfOperation, 5),
        (Self::CertificateHold, 6),
        (Self::RemoveFromCrl, 8),
        (Self::PrivilegeWithdrawn, 9),
        (Self::AaCompromise, 10),
    ];

    /// CRLReason's number.
    pub fn code(self) -> u8 {
        Self::CODES.iter().find(|(reason, _)| *reason == self).map_or(0, |(_, code)| *code)
    }

    /// The reason with CRLReason's number `code`; 7 is not used.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::CODES.iter().find(|(_, known)| *known == code).map(|(reason, _)| *reason)
    }
}

/// A revoked or suspended certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedEntry {
    /// its serial number
    pub serial: Serial,
    /// since when
    pub at: UnixTime,
    /// why
    pub reason: RevocationReason,
}

/// What a list shall say.
#[derive(Clone, Debug)]
pub struct CrlRequest {
    /// crlNumber: grows with every list of the same issuer and shard
    pub number: u64,
    /// when it is made
    pub this_update: UnixTime,
    /// when the next one comes at the latest
    pub next_update: UnixTime,
    /// what is revoked, in any order
    pub entries: Vec<RevokedEntry>,
    /// which shard it is, where the issuer has several
    pub shard: Option<u16>,
    /// whether it lists end entities only, not CAs
    pub only_user_certificates: bool,
    /// for a delta CRL: the crlNumber of the list that it changes
    pub base_number: Option<u64>,
}

/// The shard that lists `serial`, from 0 to `shards` − 1: the first eight bytes of the serial
/// number's SHA-256 as a big-endian number, modulo `shards`.
pub fn shard_of(serial: &Serial, shards: u16) -> u16 {
    let digest = sha256(serial.as_bytes());
    let number =
        digest.as_bytes().iter().take(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    u16::try_from(number % u64::from(shards.max(1))).unwrap_or(0)
}

/// `DistributionPointName` with one URL: the same bytes in the certificate and in the list, which
/// relying parties compare (RFC 5280 section 6.3.3 step b).
pub(crate) fn write_distribution_point_name(w: &mut Writer, url: &str) {
    w.nested(tag::constructed(0), |w| {
        w.nested(tag::constructed(0), |w| w.tlv(tag::context(6), url.as_bytes()));
    });
}

/// A TBSCertList that waits for its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedCrl {
    tbs: Vec<u8>,
    scheme: SignatureScheme,
    issuer: PublicKey,
}

impl PreparedCrl {
    /// The bytes to be signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Signs.
    ///
    /// # Errors
    /// [`CrlError::OtherIssuer`] where `signer` is not the issuer's key, [`CrlError::Sign`].
    pub fn sign(self, signer: &dyn Signer) -> Result<Crl, CrlError> {
        if *signer.public_key() != self.issuer {
            return Err(CrlError::OtherIssuer("the signing key is another one"));
        }
        let signature = signer.sign(self.scheme, &self.tbs)?;
        Crl::parse(&signed(&self.tbs, self.scheme.algorithm_identifier(), &signature))
    }
}

impl Crl {
    /// Writes the TBSCertList that `request` asks for.
    ///
    /// # Errors
    /// [`CrlError::Refused`] names the rule that the request breaks.
    pub fn prepare(issuer: &IssuerInfo, request: &CrlRequest) -> Result<PreparedCrl, CrlError> {
        let shards = issuer.locations().crl_shards.max(1);
        if request.this_update >= request.next_update {
            return Err(CrlError::Refused("nextUpdate must be later than thisUpdate"));
        }
        if request.shard.is_some_and(|shard| shard >= shards)
            || request.shard.is_none() && shards > 1
        {
            return Err(CrlError::Refused("its shard is not one of the issuer's"));
        }
        if request.base_number.is_some_and(|base| base >= request.number) {
            return Err(CrlError::Refused("a delta CRL's number must be above its base's"));
        }
        let mut entries: Vec<&RevokedEntry> = request.entries.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.serial);
        for entry in &entries {
            if request.shard.is_some_and(|shard| shard_of(&entry.serial, shards) != shard) {
                return Err(CrlError::Refused("a serial number belongs to another shard"));
            }
            if entry.reason == RevocationReason::RemoveFromCrl && request.base_number.is_none() {
                return Err(CrlError::Refused("removeFromCRL occurs in delta CRLs only"));
            }
        }
        if entries.windows(2).any(|pair| matches!(pair, [a, b] if a.serial == b.serial)) {
            return Err(CrlError::Refused("a serial number occurs twice"));
        }
        let tbs = write_tbs(issuer, request, &entries);
        if tbs.len() > CRL_BYTES_MAX - 64 * 1024 {
            return Err(CrlError::Refused("it is longer than 16 MiB; use more shards"));
        }
        Ok(PreparedCrl { tbs, scheme: issuer.scheme(), issuer: issuer.public_key().clone() })
    }
}

fn write_tbs(issuer: &IssuerInfo, request: &CrlRequest, entries: &[&RevokedEntry]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(512 + 64 * entries.len());
    writer.sequence(|w| {
        w.number(1); // version 2
        w.raw(issuer.scheme().algorithm_identifier());
        w.raw(issuer.name_der());
        w.time(request.this_update);
        w.time(request.next_update);
        // Absent where nothing is revoked (RFC 5280 section 5.1.2.6).
        if !entries.is_empty() {
            w.sequence(|w| entries.iter().for_each(|entry| write_entry(w, entry)));
        }
        w.nested(tag::constructed(0), |w| {
            w.sequence(|w| {
                w.raw(issuer.authority_key_identifier());
                w.extension(&CRL_NUMBER, false, |w| w.number(request.number));
                if let Some(base) = request.base_number {
                    w.extension(&DELTA_CRL_INDICATOR, true, |w| w.number(base));
                }
                write_issuing_distribution_point(w, issuer, request);
            });
        });
    });
    writer.finish()
}

fn write_entry(w: &mut Writer, entry: &RevokedEntry) {
    w.sequence(|w| {
        w.unsigned(entry.serial.as_bytes());
        w.time(entry.at);
        // "unspecified" is said by saying nothing (RFC 5280 section 5.3.1).
        if entry.reason != RevocationReason::Unspecified {
            w.sequence(|w| {
                w.extension(&REASON_CODE, false, |w| w.enumerated(entry.reason.code()));
            });
        }
    });
}

fn write_issuing_distribution_point(w: &mut Writer, issuer: &IssuerInfo, request: &CrlRequest) {
    if request.shard.is_none() && !request.only_user_certificates {
        return;
    }
    w.extension(&ISSUING_DISTRIBUTION_POINT, true, |w| {
        w.sequence(|w| {
            if let Some(url) = issuer.locations().crl_url(request.shard.unwrap_or(0)) {
                write_distribution_point_name(w, &url);
            }
            if request.only_user_certificates {
                w.tlv(tag::context(1), &[0xff]);
            }
        });
    });
}
