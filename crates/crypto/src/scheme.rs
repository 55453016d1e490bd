use der::{Decode as _, Encode as _, asn1::AnyRef};
use spki::AlgorithmIdentifierRef;

/// A signature algorithm with its hash and parameters, as X.509 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureScheme {
    /// ecdsa-with-SHA256 (RFC 5758)
    EcdsaSha256,
    /// ecdsa-with-SHA384 (RFC 5758)
    EcdsaSha384,
    /// Ed25519 (RFC 8410)
    Ed25519,
    /// sha256WithRSAEncryption (RFC 4055)
    RsaPkcs1Sha256,
    /// sha384WithRSAEncryption (RFC 4055)
    RsaPkcs1Sha384,
    /// sha512WithRSAEncryption (RFC 4055)
    RsaPkcs1Sha512,
    /// RSASSA-PSS, SHA-256, MGF1 with SHA-256, salt of 32 bytes (RFC 4055)
    RsaPssSha256,
    /// RSASSA-PSS, SHA-384, MGF1 with SHA-384, salt of 48 bytes
    RsaPssSha384,
    /// RSASSA-PSS, SHA-512, MGF1 with SHA-512, salt of 64 bytes
    RsaPssSha512,
    /// ML-DSA-44, pure (FIPS 204, RFC 9881)
    MlDsa44,
    /// ML-DSA-65, pure
    MlDsa65,
    /// ML-DSA-87, pure
    MlDsa87,
}

/// Why a signature algorithm is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// Not an `AlgorithmIdentifier` in DER.
    #[error("signature algorithm identifier is not valid DER")]
    Malformed,
    /// Known, and too weak.
    #[error("signature algorithm {0} is refused: {1}; sign with SHA-256 or stronger")]
    Weak(&'static str, &'static str),
    /// Unknown.
    #[error(
        "signature algorithm {0} is not supported; use ECDSA P-256 or P-384, Ed25519, RSA of at least 2048 bits, or ML-DSA"
    )]
    Unsupported(String),
    /// Right algorithm, wrong parameters.
    #[error("signature algorithm {0} has parameters that its standard forbids")]
    Parameters(&'static str),
}

// Complete AlgorithmIdentifiers, SEQUENCE header included. Comparing whole encodings leaves no
// room for a parameter that one party reads and another ignores.
const ECDSA_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
const ECDSA_SHA384: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";
const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";
const RSA_SHA256: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00";
const RSA_SHA384: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00";
const RSA_SHA512: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00";
const RSA_PSS_SHA256: &[u8] = b"\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\xa2\x03\x02\x01\x20";
const RSA_PSS_SHA384: &[u8] = b"\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\xa2\x03\x02\x01\x30";
const RSA_PSS_SHA512: &[u8] = b"\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\xa2\x03\x02\x01\x40";
const ML_DSA_44: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11";
const ML_DSA_65: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12";
const ML_DSA_87: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13";

impl SignatureScheme {
    /// Every scheme.
    pub const ALL: [Self; 12] = [
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::Ed25519,
        Self::RsaPkcs1Sha256,
        Self::RsaPkcs1Sha384,
        Self::RsaPkcs1Sha512,
        Self::RsaPssSha256,
        Self::RsaPssSha384,
        Self::RsaPssSha512,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The DER `AlgorithmIdentifier`, header included.
    pub fn algorithm_identifier(self) -> &'static [u8] {
        match self {
            Self::EcdsaSha256 => ECDSA_SHA256,
            Self::EcdsaSha384 => ECDSA_SHA384,
            Self::Ed25519 => ED25519,
            Self::RsaPkcs1Sha256 => RSA_SHA256,
            Self::RsaPkcs1Sha384 => RSA_SHA384,
            Self::RsaPkcs1Sha512 => RSA_SHA512,
            Self::RsaPssSha256 => RSA_PSS_SHA256,
            Self::RsaPssSha384 => RSA_PSS_SHA384,
            Self::RsaPssSha512 => RSA_PSS_SHA512,
            Self::MlDsa44 => ML_DSA_44,
            Self::MlDsa65 => ML_DSA_65,
            Self::MlDsa87 => ML_DSA_87,
        }
    }

    /// Recognises a DER `AlgorithmIdentifier` (header included).
    ///
    /// # Errors
    /// [`SchemeError`] names the algorithm and why it is not accepted.
    pub fn from_algorithm_identifier(der: &[u8]) -> Result<Self, SchemeError> {
        if let Some(scheme) = Self::ALL.into_iter().find(|s| s.algorithm_identifier() == der) {
            return Ok(scheme);
        }
        let parsed = AlgorithmIdentifierRef::from_der(der).map_err(|_| SchemeError::Malformed)?;
        Err(refusal(&parsed))
    }

    /// [`Self::from_algorithm_identifier`] for an identifier that is parsed already.
    ///
    /// # Errors
    /// As there.
    pub fn from_parts(algorithm: AlgorithmIdentifierRef<'_>) -> Result<Self, SchemeError> {
        let der = algorithm.to_der().map_err(|_| SchemeError::Malformed)?;
        Self::from_algorithm_identifier(&der)
    }

    /// Name for people and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaSha256 => "ecdsa-with-SHA256",
            Self::EcdsaSha384 => "ecdsa-with-SHA384",
            Self::Ed25519 => "Ed25519",
            Self::RsaPkcs1Sha256 => "sha256WithRSAEncryption",
            Self::RsaPkcs1Sha384 => "sha384WithRSAEncryption",
            Self::RsaPkcs1Sha512 => "sha512WithRSAEncryption",
            Self::RsaPssSha256 => "RSASSA-PSS with SHA-256",
            Self::RsaPssSha384 => "RSASSA-PSS with SHA-384",
            Self::RsaPssSha512 => "RSASSA-PSS with SHA-512",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }
}

fn refusal(algorithm: &AlgorithmIdentifierRef<'_>) -> SchemeError {
    let oid = algorithm.oid.to_string();
    let weak = match oid.as_str() {
        "1.2.840.10045.4.1" => Some("ecdsa-with-SHA1"),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => Some("sha1WithRSAEncryption"),
        "1.2.840.10040.4.3" => Some("dsa-with-SHA1"),
        "1.2.840.113549.1.1.2" => Some("md2WithRSAEncryption"),
        "1.2.840.113549.1.1.4" => Some("md5WithRSAEncryption"),
        _ => None,
    };
    if let Some(name) = weak {
        return SchemeError::Weak(name, "its hash function is broken");
    }
    if oid == "1.2.840.113549.1.1.10" {
        return match pss_hash(algorithm.parameters) {
            // Absent parameters mean SHA-1 (RFC 4055 section 3.1).
            None => SchemeError::Weak("RSASSA-PSS with SHA-1", "its hash function is broken"),
            Some(()) => SchemeError::Parameters("RSASSA-PSS"),
        };
    }
    match SignatureScheme::ALL.into_iter().find(|s| {
        AlgorithmIdentifierRef::from_der(s.algorithm_identifier())
            .is_ok_and(|a| a.oid == algorithm.oid)
    }) {
        Some(scheme) => SchemeError::Parameters(scheme.name()),
        None => SchemeError::Unsupported(oid),
    }
}

/// Whether RSASSA-PSS parameters name a hash at all ([0] present).
fn pss_hash(parameters: Option<AnyRef<'_>>) -> Option<()> {
    let value = parameters?.value().first().copied()?;
    (value == 0xa0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_der_and_distinct() {
        for scheme in SignatureScheme::ALL {
            let der = scheme.algorithm_identifier();
            AlgorithmIdentifierRef::from_der(der).unwrap();
            assert_eq!(SignatureScheme::from_algorithm_identifier(der), Ok(scheme));
        }
    }

    #[test]
    fn weak_and_unknown_are_refused_with_a_reason() {
        let check = |der: &[u8], want: SchemeError| {
            assert_eq!(SignatureScheme::from_algorithm_identifier(der), Err(want));
        };
        check(
            b"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01",
            SchemeError::Weak("ecdsa-with-SHA1", "its hash function is broken"),
        );
        check(
            b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00",
            SchemeError::Weak("sha1WithRSAEncryption", "its hash function is broken"),
        );
        check(
            b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x00",
            SchemeError::Weak("RSASSA-PSS with SHA-1", "its hash function is broken"),
        );
        // Ed25519 with NULL parameters (RFC 8410: must be absent)
        check(b"\x30\x07\x06\x03\x2b\x65\x70\x05\x00", SchemeError::Parameters("Ed25519"));
        // sha256WithRSAEncryption without NULL
        check(
            b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b",
            SchemeError::Parameters("sha256WithRSAEncryption"),
        );
        check(b"\x30\x05\x06\x03\x2b\x65\x71", SchemeError::Unsupported("1.3.101.113".into()));
        check(b"\x30\x80", SchemeError::Malformed);
    }
}
