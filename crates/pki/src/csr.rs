//! Certification requests: PKCS#10 (RFC 2986) with the attributes of RFC 2985 that enrolment uses.

use crate::{
    AlternativeName, CertificateError, Extensions, HardwareModuleName, IssueError, Name,
    ObjectIdentifier, Subject,
    certificate::range,
    issue, oid,
    profile::is_printable,
    strict::{DerError, Reader, only, tag},
    write::{Writer, fragment, signed},
};
use crypto::{KeyError, PublicKey, SchemeError, SignError, SignatureScheme, Signer, Verified};
use std::{fmt, ops::Range, sync::Arc};

/// Largest request read, in bytes.
pub const CSR_BYTES_MAX: usize = 64 * 1024;
/// Longest challengePassword (RFC 2985 section 5.4.1 has 255 characters), in bytes.
const CHALLENGE_PASSWORD_BYTES_MAX: usize = 255;
const ATTRIBUTES_MAX: usize = 16;

const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");

/// Why a certification request is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// Longer than the limit.
    #[error(
        "certification request of {length} bytes is too large; at most {CSR_BYTES_MAX} are read"
    )]
    TooLarge {
        /// bytes at hand
        length: usize,
    },
    /// Not a PKCS#10 request in DER.
    #[error(
        "certification request is malformed: {field} {reason}; make a new PKCS#10 request in DER"
    )]
    Malformed {
        /// which part
        field: &'static str,
        /// what is wrong with it
        reason: &'static str,
    },
    /// Its extensions are malformed.
    #[error("certification request asks for malformed extensions: {0}")]
    Extensions(CertificateError),
    /// Its key is weak, malformed or not supported.
    #[error("certification request: {0}")]
    Key(KeyError),
    /// Its signature algorithm is weak or not supported.
    #[error("certification request: {0}")]
    Scheme(SchemeError),
    /// Its signature is not by its key: possession is not proved.
    #[error(
        "certification request is not signed by the key in it, so that possession of the key is not proved; sign it with the key that the certificate is for"
    )]
    NotProved,
    /// It cannot be written.
    #[error(transparent)]
    Build(IssueError),
    /// Signing it failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// A certification request as received: parsed, its key accepted, possession not yet proved.
#[derive(Clone)]
pub struct Csr {
    der: Arc<[u8]>,
    info: Range<usize>,
    subject: Range<usize>,
    signature: Range<usize>,
    scheme: SignatureScheme,
    public_key: PublicKey,
    extensions: Extensions,
    challenge_password: Option<String>,
}

impl Csr {
    /// Reads a request in DER.
    ///
    /// # Errors
    /// [`CsrError`]: also where the key or the signature algorithm is too weak, with the reason.
    pub fn parse(der: &[u8]) -> Result<Self, CsrError> {
        if der.len() > CSR_BYTES_MAX {
            return Err(CsrError::TooLarge { length: der.len() });
        }
        parse(der)
    }

    /// Reads a request in PEM (RFC 7468 section 7).
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_pem(pem: &str) -> Result<Self, CsrError> {
        if pem.len() > 2 * CSR_BYTES_MAX {
            return Err(CsrError::TooLarge { length: pem.len() });
        }
        let refuse = |reason| CsrError::Malformed { field: "PEM", reason };
        let (label, der) =
            der::pem::decode_vec(pem.as_bytes()).map_err(|_| refuse("is not well-formed"))?;
        if !["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"].contains(&label) {
            return Err(refuse("is not labelled CERTIFICATE REQUEST"));
        }
        Self::parse(&der)
    }

    /// Checks that the key in the request signed it.
    ///
    /// # Errors
    /// [`CsrError::NotProved`].
    pub fn verify(self) -> Result<Verified<Self>, CsrError> {
        let slice = |range: &Range<usize>| self.der.get(range.clone()).unwrap_or_default();
        match self.public_key.verify(self.scheme, slice(&self.info), slice(&self.signature)) {
            Ok(()) => Ok(Verified::assertion(self)),
            Err(_) => Err(CsrError::NotProved),
        }
    }

    /// The request as received.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Subject's name in DER; may be empty.
    pub fn subject_der(&self) -> &[u8] {
        self.der.get(self.subject.clone()).unwrap_or_default()
    }

    /// Subject's name.
    pub fn subject(&self) -> Name<'_> {
        Name::trusted(self.subject_der())
    }

    /// commonName of the subject.
    pub fn common_name(&self) -> Option<String> {
        self.subject().attribute(&oid::COMMON_NAME)
    }

    /// serialNumber of the subject: a device's own.
    pub fn serial_number_attribute(&self) -> Option<String> {
        self.subject().attribute(&oid::SERIAL_NUMBER)
    }

    /// The key that the certificate shall be for.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The extensions that it asks for; empty where it asks for none.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The alternative names that it asks for, those of the kinds that are issued.
    pub fn alternative_names(&self) -> Vec<AlternativeName> {
        let names = self.extensions.subject_alt_names().iter();
        names.filter_map(AlternativeName::from_general_name).collect()
    }

    /// The hardware module's name that it asks for.
    pub fn hardware_module_name(&self) -> Option<HardwareModuleName> {
        self.extensions.subject_alt_names().iter().find_map(|name| name.hardware_module_name())
    }

    /// challengePassword (RFC 2985 section 5.4.1): in EST the channel binding or a one-time code.
    pub fn challenge_password(&self) -> Option<&str> {
        self.challenge_password.as_deref()
    }
}

/// Without the request's bytes: a challengePassword may be a secret.
impl fmt::Debug for Csr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Csr({}, {:?}, ..)", self.subject(), self.public_key)
    }
}

fn parse(der: &[u8]) -> Result<Csr, CsrError> {
    let at = |field| move |DerError(reason)| CsrError::Malformed { field, reason };
    let refuse = |field, reason| Err(CsrError::Malformed { field, reason });
    let mut outer =
        Reader::new(only(der, tag::SEQUENCE).map_err(at("certificationRequest"))?.value);
    let info = outer.expect(tag::SEQUENCE).map_err(at("certificationRequestInfo"))?;
    let algorithm = outer.expect(tag::SEQUENCE).map_err(at("signatureAlgorithm"))?;
    let signature = outer.whole_bits().map_err(at("signature"))?;
    outer.finish().map_err(at("certificationRequest"))?;

    let mut fields = Reader::new(info.value);
    if fields.expect(tag::INTEGER).map_err(at("version"))?.value != [0] {
        return refuse("version", "is not 0 (v1)");
    }
    let subject = fields.expect(tag::SEQUENCE).map_err(at("subject"))?;
    Name::parse(subject.whole).map_err(at("subject"))?;
    let spki = fields.expect(tag::SEQUENCE).map_err(at("subjectPKInfo"))?;
    // Some clients leave the mandatory attributes out where there are none.
    let attributes = fields.optional(tag::constructed(0)).map_err(at("attributes"))?;
    fields.finish().map_err(at("certificationRequestInfo"))?;

    let mut csr = Csr {
        info: range(der, info.whole),
        subject: range(der, subject.whole),
        signature: range(der, signature),
        scheme: SignatureScheme::from_algorithm_identifier(algorithm.whole)
            .map_err(CsrError::Scheme)?,
        public_key: PublicKey::from_spki(spki.whole).map_err(CsrError::Key)?,
        extensions: Extensions::default(),
        challenge_password: None,
        der: der.into(),
    };
    let mut list = Reader::new(attributes.map_or(&[][..], |tlv| tlv.value));
    let mut seen = Vec::new();
    while !list.is_empty() {
        let mut attribute = list.sequence().map_err(at("attribute"))?;
        let kind = attribute.oid().map_err(at("attribute"))?;
        let mut values = Reader::new(attribute.expect(tag::SET).map_err(at("attribute"))?.value);
        attribute.finish().map_err(at("attribute"))?;
        if seen.contains(&kind) {
            return refuse("attribute", "occurs twice");
        }
        seen.push(kind);
        if seen.len() > ATTRIBUTES_MAX {
            return refuse("attributes", "are more than 16");
        }
        match kind {
            EXTENSION_REQUEST => {
                let value = values.expect(tag::SEQUENCE).map_err(at("extensionRequest"))?;
                values.finish().map_err(at("extensionRequest"))?;
                csr.extensions = Extensions::from_der(value.whole).map_err(CsrError::Extensions)?;
            }
            CHALLENGE_PASSWORD => {
                let value = values.any().map_err(at("challengePassword"))?;
                values.finish().map_err(at("challengePassword"))?;
                let text = [tag::UTF8_STRING, tag::PRINTABLE_STRING, tag::IA5_STRING];
                match std::str::from_utf8(value.value) {
                    Ok(password)
                        if text.contains(&value.tag)
                            && (1..=CHALLENGE_PASSWORD_BYTES_MAX).contains(&password.len()) =>
                    {
                        csr.challenge_password = Some(password.to_owned());
                    }
                    _ => return refuse("challengePassword", "is not a text of 1 to 255 bytes"),
                }
            }
            // Others carry hints that nothing here depends on.
            _ => {}
        }
    }
    Ok(csr)
}

/// What a certification request shall say.
#[derive(Clone, Default)]
pub struct CsrBuilder {
    /// Subject's name
    pub subject: Subject,
    /// Further names
    pub alternative_names: Vec<AlternativeName>,
    /// Hardware module's name
    pub hardware_module: Option<HardwareModuleName>,
    /// Purposes; the issuer's profile decides
    pub extended_key_usage: Vec<ObjectIdentifier>,
    /// One-time code or channel binding
    pub challenge_password: Option<String>,
}

impl fmt::Debug for CsrBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrBuilder").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl CsrBuilder {
    /// Writes the request and signs it with the key that it is for; returns DER.
    ///
    /// # Errors
    /// [`CsrError::Build`] where a name breaks its rule, [`CsrError::Sign`].
    pub fn build(&self, signer: &dyn Signer) -> Result<Vec<u8>, CsrError> {
        let subject = self.subject.to_der().map_err(CsrError::Build)?;
        for name in &self.alternative_names {
            name.check().map_err(CsrError::Build)?;
        }
        let mut attributes = Vec::new();
        if let Some(password) = &self.challenge_password {
            if !(1..=CHALLENGE_PASSWORD_BYTES_MAX).contains(&password.len()) {
                return Err(CsrError::Malformed {
                    field: "challengePassword",
                    reason: "must have 1 to 255 bytes",
                });
            }
            attributes.push(attribute(&CHALLENGE_PASSWORD, |w| {
                let printable = password.bytes().all(is_printable);
                let tag = if printable { tag::PRINTABLE_STRING } else { tag::UTF8_STRING };
                w.tlv(tag, password.as_bytes());
            }));
        }
        let extensions = self.extensions();
        if !extensions.is_empty() {
            attributes.push(attribute(&EXTENSION_REQUEST, |w| w.tlv(tag::SEQUENCE, &extensions)));
        }
        // DER sorts a SET OF (X.690 section 11.6).
        attributes.sort_unstable();
        let key = signer.public_key();
        let info = fragment(|w| {
            w.sequence(|w| {
                w.number(0);
                w.raw(&subject);
                w.raw(key.spki());
                w.nested(tag::constructed(0), |w| attributes.iter().for_each(|a| w.raw(a)));
            });
        });
        let scheme = key.default_scheme();
        let signature = signer.sign(scheme, &info)?;
        Ok(signed(&info, scheme.algorithm_identifier(), &signature))
    }

    fn extensions(&self) -> Vec<u8> {
        fragment(|w| {
            if !self.alternative_names.is_empty() || self.hardware_module.is_some() {
                w.extension(&oid::SUBJECT_ALT_NAME, false, |w| {
                    issue::write_general_names(
                        w,
                        self.hardware_module.as_ref(),
                        &self.alternative_names,
                    );
                });
            }
            if !self.extended_key_usage.is_empty() {
                w.extension(&oid::EXT_KEY_USAGE, false, |w| {
                    w.sequence(|w| self.extended_key_usage.iter().for_each(|usage| w.oid(usage)));
                });
            }
        })
    }
}

fn attribute(kind: &ObjectIdentifier, value: impl FnOnce(&mut Writer)) -> Vec<u8> {
    fragment(|w| {
        w.sequence(|w| {
            w.oid(kind);
            w.nested(tag::SET, value);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{KeyAlgorithm, SoftwareKey};
    use proptest::prelude::*;

    fn request() -> Vec<u8> {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        CsrBuilder {
            subject: Subject { serial_number: "G7-0001".into(), ..Subject::named("gate 7") },
            alternative_names: vec![
                AlternativeName::Dns("gate7.example".into()),
                AlternativeName::Ip([192, 0, 2, 7].into()),
            ],
            hardware_module: Some(HardwareModuleName {
                hw_type: ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.7"),
                hw_serial_num: b"0001".to_vec(),
            }),
            extended_key_usage: vec![oid::KP_CLIENT_AUTH],
            challenge_password: Some("一回限り".into()),
        }
        .build(&key)
        .unwrap()
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let csr = Csr::parse(&request()).unwrap().verify().unwrap();
        assert_eq!(csr.common_name().as_deref(), Some("gate 7"));
        assert_eq!(csr.serial_number_attribute().as_deref(), Some("G7-0001"));
        assert_eq!(csr.alternative_names().len(), 2);
        assert_eq!(csr.hardware_module_name().unwrap().hw_serial_num, b"0001");
        assert_eq!(csr.challenge_password(), Some("一回限り"));
        let shown = format!("{csr:?}");
        assert!(shown.contains("gate 7") && !shown.contains("一回限り"), "{shown}");
        assert_eq!(csr.extensions().extended_key_usage(), Some(&[oid::KP_CLIENT_AUTH][..]));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let der = request();
        for at in 0..der.len() {
            for bit in [0x01, 0x80] {
                let mut altered = der.clone();
                altered[at] ^= bit;
                let verdict = Csr::parse(&altered).and_then(Csr::verify);
                assert!(verdict.is_err(), "byte {at} is not protected");
            }
        }
    }

    #[test]
    fn another_key_proves_nothing() {
        let der = request();
        let csr = Csr::parse(&der).unwrap();
        let info = &der[csr.info.clone()];
        let thief = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let signature = thief.sign(SignatureScheme::EcdsaSha256, info).unwrap();
        let forged = signed(info, SignatureScheme::EcdsaSha256.algorithm_identifier(), &signature);
        assert_eq!(Csr::parse(&forged).unwrap().verify().unwrap_err(), CsrError::NotProved);
    }

    #[test]
    fn pem_is_read_and_other_pem_is_not() {
        let pem = |label| der::pem::encode_string(label, der::pem::LineEnding::LF, &request());
        assert!(Csr::from_pem(&pem("CERTIFICATE REQUEST").unwrap()).is_ok());
        assert!(Csr::from_pem(&pem("CERTIFICATE").unwrap()).is_err());
        assert!(Csr::from_pem("no PEM").is_err());
        assert_eq!(
            Csr::parse(&[0; CSR_BYTES_MAX + 1]).unwrap_err(),
            CsrError::TooLarge { length: CSR_BYTES_MAX + 1 }
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let _ = Csr::parse(&bytes);
        }

        #[test]
        fn no_damage_panics(at: prop::sample::Index, value: u8) {
            let mut der = request();
            let at = at.index(der.len());
            der[at] = value;
            let _ = Csr::parse(&der).and_then(Csr::verify);
        }
    }
}
