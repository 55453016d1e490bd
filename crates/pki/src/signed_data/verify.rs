//! Whether a detached signature is somebody's whom we were told to believe.

use super::{CONTENT_TYPE, DATA, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_TIME};
use crate::{
    Certificate, CertificateError, KeyUsage, ObjectIdentifier,
    strict::{DerError, Reader, Tlv, only, tag},
    time,
    validate::{Anchors, Conformance, Options, Path, PathError, validate},
    write::fragment,
};
use crypto::{Digester, HashAlgorithm, KeyError, SchemeError, SignatureScheme, UnixTime, Verified};

/// Largest message read, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 64 * 1024;
/// Most certificates in a message: the signer's, and those between it and an anchor.
pub const SIGNATURE_CERTIFICATES_MAX: usize = 16;
/// Most attributes that a signer signs beside the digest.
const ATTRIBUTES_MAX: usize = 32;

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Why a signature is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetachedError {
    /// Not the DER of one, or beyond the limits.
    #[error("the signature is no detached CMS SignedData in DER: {field} {reason}")]
    Malformed {
        /// which part
        field: &'static str,
        /// what is wrong with it
        reason: &'static str,
    },
    /// A certificate in it.
    #[error("a certificate in the signature cannot be read: {0}")]
    Certificate(#[from] CertificateError),
    /// Its algorithm.
    #[error("the signature's algorithm is not taken: {0}")]
    Scheme(#[from] SchemeError),
    /// The signer's certificate is not there.
    #[error(
        "the signer's certificate is not in the signature; sign again without leaving it out (openssl: without -nocerts)"
    )]
    NoSigner,
    /// It signs something else.
    #[error(
        "the signature is of another content; sign these very bytes again (openssl: with -binary)"
    )]
    OtherContent,
    /// It does not verify by the signer's key.
    #[error("the signature does not verify by its certificate's key: {0}")]
    Signature(KeyError),
    /// The signer's certificate does not say that its key signs.
    #[error(
        "the signer's certificate has no keyUsage with digitalSignature; issue one that has it"
    )]
    KeyUsage,
    /// The signer is nobody whom we were told to believe.
    #[error("the signer is not believed: {0}")]
    Path(#[from] PathError),
}

/// Who signed, and when, in the signer's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachedSigner {
    /// from the signer's certificate to the anchor
    pub path: Path,
    /// signingTime, where it says one
    pub signed_at: Option<UnixTime>,
}

fn at(field: &'static str) -> impl Fn(DerError) -> DetachedError {
    move |DerError(reason)| DetachedError::Malformed { field, reason }
}

fn refuse<T>(field: &'static str, reason: &'static str) -> Result<T, DetachedError> {
    Err(DetachedError::Malformed { field, reason })
}

/// Checks that a signature over `content` is right, and that its signer's certificate leads to one of
/// `anchors` at the time `now` (RFC 5652 section 5.6). `types` says which kinds of content are meant
/// beside id-data. What is signed must be attributes with the digest of the content: bytes that are
/// signed alone could be taken for such attributes (RFC 5652 section 5.3).
///
/// Read is one signer, SHA-256, SHA-384 or SHA-512, certificates in the message. Countersignatures and
/// CRLs in it are passed over.
///
/// # Errors
/// [`DetachedError`]
pub fn verify_detached(
    content: &[u8],
    der: &[u8],
    anchors: &Anchors,
    types: &[ObjectIdentifier],
    now: UnixTime,
) -> Result<Verified<DetachedSigner>, DetachedError> {
    if der.len() > SIGNATURE_BYTES_MAX {
        return refuse("message", "is longer than 64 KiB");
    }
    let message = Message::parse(der)?;
    if message.content_type != DATA && !types.contains(&message.content_type) {
        return refuse("eContentType", "is another kind of content");
    }
    let signer = message.signer()?;
    let attributes = Attributes::parse(message.attributes)?;
    if attributes.content_type != message.content_type {
        return refuse("contentType", "differs from eContentType");
    }
    if attributes.digest != message.digest.of(content) {
        return Err(DetachedError::OtherContent);
    }
    // Signed is the SET OF itself, not the implicit tag that it has in the message (section 5.4).
    let signed = fragment(|w| w.tlv(tag::SET, message.attributes));
    let key = signer.public_key().map_err(|error| DetachedError::Signature(error.clone()))?;
    key.verify(message.scheme, &signed, message.signature).map_err(DetachedError::Signature)?;
    let usage = signer.extensions().key_usage();
    if !usage.is_some_and(|usage| usage.contains(KeyUsage::DIGITAL_SIGNATURE)) {
        return Err(DetachedError::KeyUsage);
    }
    let options = Options {
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        // Makers' CAs are as they are.
        conformance: Conformance::Lenient,
        ..Options::any(now)
    };
    let path = validate(signer, &message.certificates, anchors, &options)?;
    Ok(Verified::assertion(DetachedSigner { path, signed_at: attributes.signed_at }))
}

/// What digests are taken.
#[derive(Clone, Copy)]
struct Digest(HashAlgorithm);

impl Digest {
    fn read(fields: &mut Reader<'_>) -> Result<Self, DetachedError> {
        const FIELD: &str = "digestAlgorithm";
        let (oid, parameters) = algorithm(fields.expect(tag::SEQUENCE).map_err(at(FIELD))?, FIELD)?;
        // Left out, or NULL (RFC 5754 section 2).
        if !matches!(parameters, [] | [5, 0]) {
            return refuse(FIELD, "has parameters");
        }
        Ok(Self(match oid {
            SHA_256 => HashAlgorithm::Sha256,
            SHA_384 => HashAlgorithm::Sha384,
            SHA_512 => HashAlgorithm::Sha512,
            _ => return refuse(FIELD, "is none of SHA-256, SHA-384 and SHA-512"),
        }))
    }

    fn of(self, content: &[u8]) -> Vec<u8> {
        let mut digester = Digester::new(self.0);
        digester.update(content);
        digester.finish()
    }
}

/// Which algorithm, and the encoding of its parameters.
fn algorithm<'a>(
    tlv: Tlv<'a>,
    field: &'static str,
) -> Result<(ObjectIdentifier, &'a [u8]), DetachedError> {
    let mut inner = Reader::new(tlv.value);
    let oid = inner.oid().map_err(at(field))?;
    let parameters = match inner.is_empty() {
        true => &[][..],
        false => inner.any().map_err(at(field))?.whole,
    };
    inner.finish().map_err(at(field))?;
    Ok((oid, parameters))
}

/// Whose signature it is.
enum SignerId<'a> {
    Issued { issuer: &'a [u8], serial: &'a [u8] },
    Key(&'a [u8]),
}

/// A message with one signer.
struct Message<'a> {
    content_type: ObjectIdentifier,
    certificates: Vec<Certificate>,
    id: SignerId<'a>,
    digest: Digest,
    attributes: &'a [u8],
    scheme: SignatureScheme,
    signature: &'a [u8],
}

impl<'a> Message<'a> {
    fn parse(der: &'a [u8]) -> Result<Self, DetachedError> {
        let mut message = Reader::new(only(der, tag::SEQUENCE).map_err(at("contentInfo"))?.value);
        if message.oid().map_err(at("contentType"))? != SIGNED_DATA {
            return refuse("contentType", "is not SignedData");
        }
        let content = message.expect(tag::constructed(0)).map_err(at("content"))?.value;
        message.finish().map_err(at("contentInfo"))?;
        let mut fields = Reader::new(only(content, tag::SEQUENCE).map_err(at("signedData"))?.value);
        if !matches!(fields.expect(tag::INTEGER).map_err(at("version"))?.value, [1 | 3]) {
            return refuse("version", "is neither 1 nor 3");
        }
        fields.expect(tag::SET).map_err(at("digestAlgorithms"))?;
        let mut encapsulated = fields.sequence().map_err(at("encapContentInfo"))?;
        let content_type = encapsulated.oid().map_err(at("eContentType"))?;
        if !encapsulated.is_empty() {
            return refuse("eContent", "is there: the signature must be detached");
        }
        let set = fields.optional(tag::constructed(0)).map_err(at("certificates"))?;
        fields.optional(tag::constructed(1)).map_err(at("crls"))?;
        let infos = fields.expect(tag::SET).map_err(at("signerInfos"))?.value;
        fields.finish().map_err(at("signedData"))?;
        let mut infos = Reader::new(infos);
        let mut info = infos.sequence().map_err(at("signerInfo"))?;
        if !infos.is_empty() {
            return refuse("signerInfos", "are of several signers; sign once");
        }
        let version = info.expect(tag::INTEGER).map_err(at("signerInfo"))?.value;
        let id = match (version, info.any().map_err(at("sid"))?) {
            ([1], sid) if sid.tag == tag::SEQUENCE => {
                let mut sid = Reader::new(sid.value);
                let issuer = sid.expect(tag::SEQUENCE).map_err(at("sid"))?.whole;
                let serial = sid.expect(tag::INTEGER).map_err(at("sid"))?.whole;
                sid.finish().map_err(at("sid"))?;
                SignerId::Issued { issuer, serial }
            }
            ([3], sid) if sid.tag == tag::context(0) => SignerId::Key(sid.value),
            _ => return refuse("sid", "names no signer"),
        };
        let digest = Digest::read(&mut info)?;
        let Some(attributes) = info.optional(tag::constructed(0)).map_err(at("signedAttrs"))?
        else {
            return refuse("signedAttrs", "are not there (openssl: sign without -noattr)");
        };
        let scheme = scheme(info.expect(tag::SEQUENCE).map_err(at("signatureAlgorithm"))?, digest)?;
        let signature = info.expect(tag::OCTET_STRING).map_err(at("signature"))?.value;
        info.optional(tag::constructed(1)).map_err(at("unsignedAttrs"))?;
        info.finish().map_err(at("signerInfo"))?;
        let mut list = Reader::new(set.map_or(&[][..], |tlv| tlv.value));
        let mut certificates = Vec::new();
        while !list.is_empty() {
            if certificates.len() >= SIGNATURE_CERTIFICATES_MAX {
                return refuse("certificates", "are more than 16");
            }
            let tlv = list.expect(tag::SEQUENCE).map_err(at("certificate"))?;
            certificates.push(Certificate::from_der(tlv.whole)?);
        }
        let attributes = attributes.value;
        Ok(Self { content_type, certificates, id, digest, attributes, scheme, signature })
    }

    fn signer(&self) -> Result<&Certificate, DetachedError> {
        let is_signer = |it: &&Certificate| match &self.id {
            SignerId::Issued { issuer, serial } => {
                it.issuer_der() == *issuer && it.serial().to_der() == *serial
            }
            SignerId::Key(key) => it.extensions().subject_key_identifier() == Some(*key),
        };
        self.certificates.iter().find(is_signer).ok_or(DetachedError::NoSigner)
    }
}

/// CMS writes rsaEncryption where X.509 names the digest along (RFC 3370 section 3.2).
fn scheme(tlv: Tlv<'_>, digest: Digest) -> Result<SignatureScheme, DetachedError> {
    if let (RSA_ENCRYPTION, [] | [5, 0]) = algorithm(tlv, "signatureAlgorithm")? {
        return Ok(match digest.0 {
            HashAlgorithm::Sha256 => SignatureScheme::RsaPkcs1Sha256,
            HashAlgorithm::Sha384 => SignatureScheme::RsaPkcs1Sha384,
            HashAlgorithm::Sha512 => SignatureScheme::RsaPkcs1Sha512,
        });
    }
    Ok(SignatureScheme::from_algorithm_identifier(tlv.whole)?)
}

/// What a signer signs.
struct Attributes {
    content_type: ObjectIdentifier,
    digest: Vec<u8>,
    signed_at: Option<UnixTime>,
}

impl Attributes {
    fn parse(bytes: &[u8]) -> Result<Self, DetachedError> {
        let (mut content_type, mut digest, mut signed_at) = (None, None, None);
        let mut list = Reader::new(bytes);
        let (mut count, mut before) = (0_usize, &[][..]);
        while !list.is_empty() {
            count += 1;
            if count > ATTRIBUTES_MAX {
                return refuse("signedAttrs", "are more than 32");
            }
            let attribute = list.expect(tag::SEQUENCE).map_err(at("signedAttrs"))?;
            // A verifier that sorts them first would look at other bytes (X.690 section 11.6).
            if attribute.whole <= before {
                return refuse("signedAttrs", "do not stand in the order of DER");
            }
            before = attribute.whole;
            let mut attribute = Reader::new(attribute.value);
            let oid = attribute.oid().map_err(at("signedAttrs"))?;
            let values = attribute.expect(tag::SET).map_err(at("signedAttrs"))?.value;
            attribute.finish().map_err(at("signedAttrs"))?;
            let mut values = Reader::new(values);
            // Each of these once, with one value (section 11).
            let twice = match oid {
                CONTENT_TYPE => {
                    content_type.replace(values.oid().map_err(at("contentType"))?).is_some()
                }
                MESSAGE_DIGEST => {
                    let value = values.expect(tag::OCTET_STRING).map_err(at("messageDigest"))?;
                    digest.replace(value.value.to_vec()).is_some()
                }
                SIGNING_TIME => {
                    let time = time::read(&mut values).map_err(at("signingTime"))?;
                    signed_at.replace(time.at).is_some()
                }
                _ => continue,
            };
            if twice || !values.is_empty() {
                return refuse("signedAttrs", "say something twice");
            }
        }
        match (content_type, digest) {
            (Some(content_type), Some(digest)) => Ok(Self { content_type, digest, signed_at }),
            _ => refuse("signedAttrs", "lack contentType or messageDigest"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let now = UnixTime(1_800_000_000);
            prop_assert!(verify_detached(b"x", &bytes, &Anchors::default(), &[], now).is_err());
        }
    }
}
