//! Signatures beside what they sign: detached CMS SignedData (RFC 5652 section 5), as SWUpdate and
//! RAUC check them.
//!
//! ```text
//! SignedData v1, SHA-256, content id-data and absent, the certificates given
//!   SignerInfo v1, issuerAndSerialNumber, attributes contentType, signingTime, messageDigest
//! ```
//!
//! Such messages of others are checked, too ([`verify_detached`]): by makers' keys over MUD files
//! (RFC 8520 section 13).
//!
//! Deliberately absent: signing with other digests than SHA-256, several signers, countersignatures.

mod verify;

pub use verify::{
    DetachedError, DetachedSigner, SIGNATURE_BYTES_MAX, SIGNATURE_CERTIFICATES_MAX, verify_detached,
};

use crate::{
    Certificate, ObjectIdentifier,
    strict::tag,
    write::{Writer, fragment},
};
use crypto::{KeyAlgorithm, Sha256, SignError, SignatureScheme, Signer, UnixTime};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
/// AlgorithmIdentifier of SHA-256; parameters are left out (RFC 5754 section 2).
const SHA_256: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01";

/// Why a message could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedDataError {
    /// No certificate says whose the signature is.
    #[error("no certificate was given; the signer's own must come first")]
    NoCertificate,
    /// The first certificate is of another key.
    #[error("the first certificate is not of the key that signs")]
    OtherKey,
    /// Its readers do not know such signatures.
    #[error(
        "a key of kind {0} cannot sign here: SWUpdate and RAUC read ECDSA P-256 and RSA with SHA-256; make a key of kind p256 or rsa-3072"
    )]
    Algorithm(KeyAlgorithm),
    /// The key's back end failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Signs contents, given by their SHA-256, at time `at`. `chain` begins with the signer's certificate;
/// what follows goes into the message for those who build a path.
///
/// # Errors
/// [`SignedDataError`]
pub fn sign_detached(
    content: &Sha256,
    at: UnixTime,
    signer: &dyn Signer,
    chain: &[Certificate],
) -> Result<Vec<u8>, SignedDataError> {
    let own = chain.first().ok_or(SignedDataError::NoCertificate)?;
    let key = signer.public_key();
    if own.public_key().ok() != Some(key) {
        return Err(SignedDataError::OtherKey);
    }
    let scheme = match key.algorithm() {
        KeyAlgorithm::EcdsaP256 => SignatureScheme::EcdsaSha256,
        KeyAlgorithm::Rsa(_) => SignatureScheme::RsaPkcs1Sha256,
        other => return Err(SignedDataError::Algorithm(other)),
    };
    let attributes = attributes(content, at);
    // Signed is the SET OF itself, not the implicit tag that it has in the message (section 5.4).
    let signed = fragment(|w| w.tlv(tag::SET, &attributes));
    let signature = signer.sign(scheme, &signed)?;
    let mut certificates: Vec<&[u8]> = chain.iter().map(Certificate::der).collect();
    certificates.sort_unstable();
    certificates.dedup();
    Ok(fragment(|w| {
        w.sequence(|w| {
            w.oid(&SIGNED_DATA);
            w.nested(tag::constructed(0), |w| {
                w.sequence(|w| {
                    w.number(1);
                    w.tlv(tag::SET, SHA_256);
                    w.sequence(|w| w.oid(&DATA));
                    w.nested(tag::constructed(0), |w| {
                        certificates.iter().for_each(|der| w.raw(der));
                    });
                    w.nested(tag::SET, |w| {
                        w.sequence(|w| {
                            w.number(1);
                            w.sequence(|w| {
                                w.raw(own.issuer_der());
                                w.unsigned(own.serial().as_bytes());
                            });
                            w.raw(SHA_256);
                            w.tlv(tag::constructed(0), &attributes);
                            w.raw(scheme.algorithm_identifier());
                            w.octet_string(&signature);
                        });
                    });
                });
            });
        });
    }))
}

/// The contents of SignedAttributes, in the order of DER (X.690 section 11.6).
fn attributes(content: &Sha256, at: UnixTime) -> Vec<u8> {
    let attribute = |oid: &ObjectIdentifier, value: &dyn Fn(&mut Writer)| {
        fragment(|w| {
            w.sequence(|w| {
                w.oid(oid);
                w.nested(tag::SET, |w| value(w));
            });
        })
    };
    let mut all = [
        attribute(&CONTENT_TYPE, &|w| w.oid(&DATA)),
        attribute(&SIGNING_TIME, &|w| w.time(at)),
        attribute(&MESSAGE_DIGEST, &|w| w.octet_string(content.as_bytes())),
    ];
    all.sort_unstable();
    all.concat()
}
