//! Certificates without a message: degenerate, certs-only SignedData (RFC 5652 section 5.1), as EST
//! carries them (RFC 7030 section 4.1.3, RFC 8951).

use crate::{
    Certificate, CertificateError, ObjectIdentifier,
    strict::{DerError, Reader, only, tag},
    write::Writer,
};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

/// Largest message read, in bytes.
pub const CERTS_ONLY_BYTES_MAX: usize = 1024 * 1024;
/// Most certificates in one message: CA certificates of every product line and their links.
pub const CERTIFICATES_MAX: usize = 256;

/// Why bytes are not a certs-only message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CmsError {
    /// Not the DER of one, or beyond the limits.
    #[error("certs-only message is malformed: {field} {reason}")]
    Malformed {
        /// which part
        field: &'static str,
        /// what is wrong with it
        reason: &'static str,
    },
    /// One of its certificates.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Writes a certs-only message. DER sorts the certificates (they are a SET): readers must not rely
/// on any order (RFC 7030 section 4.1.3).
pub fn certs_only(certificates: &[Certificate]) -> Vec<u8> {
    let mut sorted: Vec<&[u8]> = certificates.iter().map(Certificate::der).collect();
    sorted.sort_unstable();
    let size: usize = sorted.iter().map(|der| der.len()).sum();
    let mut writer = Writer::with_capacity(size + 64);
    writer.sequence(|w| {
        w.oid(&SIGNED_DATA);
        w.nested(tag::constructed(0), |w| {
            w.sequence(|w| {
                w.number(1);
                w.tlv(tag::SET, &[]); // digestAlgorithms
                w.sequence(|w| w.oid(&DATA));
                w.nested(tag::constructed(0), |w| sorted.iter().for_each(|der| w.raw(der)));
                w.tlv(tag::SET, &[]); // signerInfos
            });
        });
    });
    writer.finish()
}

/// Reads the certificates of a certs-only message, in its order. CRLs in it are passed over.
///
/// # Errors
/// [`CmsError`]
pub fn parse_certs_only(der: &[u8]) -> Result<Vec<Certificate>, CmsError> {
    let at = |field| move |DerError(reason)| CmsError::Malformed { field, reason };
    let refuse = |field, reason| Err(CmsError::Malformed { field, reason });
    if der.len() > CERTS_ONLY_BYTES_MAX {
        return refuse("message", "is longer than 1 MiB");
    }
    let mut message = Reader::new(only(der, tag::SEQUENCE).map_err(at("contentInfo"))?.value);
    if message.oid().map_err(at("contentType"))? != SIGNED_DATA {
        return refuse("contentType", "is not SignedData");
    }
    let content = message.expect(tag::constructed(0)).map_err(at("content"))?.value;
    message.finish().map_err(at("contentInfo"))?;
    let mut fields = Reader::new(only(content, tag::SEQUENCE).map_err(at("signedData"))?.value);
    if fields.expect(tag::INTEGER).map_err(at("version"))?.value != [1] {
        return refuse("version", "is not 1");
    }
    fields.expect(tag::SET).map_err(at("digestAlgorithms"))?;
    let mut encapsulated = fields.sequence().map_err(at("encapContentInfo"))?;
    encapsulated.oid().map_err(at("eContentType"))?;
    encapsulated.finish().map_err(at("encapContentInfo"))?;
    let set = fields.optional(tag::constructed(0)).map_err(at("certificates"))?;
    fields.optional(tag::constructed(1)).map_err(at("crls"))?;
    if !fields.expect(tag::SET).map_err(at("signerInfos"))?.value.is_empty() {
        return refuse("signerInfos", "are not empty: this is not a certs-only message");
    }
    fields.finish().map_err(at("signedData"))?;
    let mut list = Reader::new(set.map_or(&[][..], |tlv| tlv.value));
    let mut out = Vec::new();
    while !list.is_empty() {
        if out.len() >= CERTIFICATES_MAX {
            return refuse("certificates", "are more than 256");
        }
        let tlv = list.expect(tag::SEQUENCE).map_err(at("certificate"))?;
        out.push(Certificate::from_der(tlv.whole)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn none_is_a_message_too() {
        let der = certs_only(&[]);
        assert_eq!(parse_certs_only(&der), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let _ = parse_certs_only(&bytes);
        }

        #[test]
        fn no_damage_panics(at in 0usize..40, value: u8) {
            let mut der = certs_only(&[]);
            if let Some(byte) = der.get_mut(at) { *byte = value; }
            let _ = parse_certs_only(&der);
        }
    }
}
