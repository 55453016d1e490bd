use crate::{
    CertificateError, Extensions, GeneralName, Name, Serial,
    error::In as _,
    oid,
    strict::{DerError, Reader, only, tag},
    time::{self, Time},
    write::signed,
};
use base64::Engine as _;
use const_oid::ObjectIdentifier;
use crypto::{KeyError, PublicKey, SchemeError, Sha256, SignatureScheme, UnixTime, sha256};
use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Range,
    sync::{Arc, OnceLock},
};

/// Largest certificate read, in bytes. ML-DSA-87 with all its extensions stays below 12 KiB.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;

/// An X.509 certificate as received (RFC 5280 section 4.1). Parsed, not believed: only
/// [`crate::validate`] says whether it is to be trusted. Cloning is cheap.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Box<[u8]>,
    tbs: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    signature: Range<usize>,
    version: u8,
    serial: Serial,
    not_before: Time,
    not_after: Time,
    scheme: Result<SignatureScheme, SchemeError>,
    extensions: Extensions,
    key: OnceLock<Result<PublicKey, KeyError>>,
    fingerprint: OnceLock<Sha256>,
}

/// What a TBSCertificate says, read before it was signed. Ranges lie within the TBSCertificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) serial: Serial,
    pub(crate) issuer: Range<usize>,
    pub(crate) subject: Range<usize>,
    pub(crate) spki: Range<usize>,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) extensions: Extensions,
}

/// The name of a hardware module (RFC 4108 section 5): what an IDevID calls its device (IEEE
/// 802.1AR-2018 section 8.10.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareModuleName {
    /// hwType: the manufacturer's identifier of the kind of module
    pub hw_type: ObjectIdentifier,
    /// hwSerialNum
    pub hw_serial_num: Vec<u8>,
}

impl Certificate {
    /// Reads one certificate in DER, at most [`CERTIFICATE_BYTES_MAX`] bytes and nothing after it.
    ///
    /// The public key and the signature algorithm may be ones that are not supported: then
    /// [`Self::public_key`] and [`Self::signature_scheme`] say why.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::TooLarge { length: der.len() });
        }
        parse(der).map(|inner| Self(Arc::new(inner)))
    }

    /// The certificate that is `tbs` with its signature, where `contents` and `key` were read from
    /// `tbs` (version 3): the same as [`Self::from_der`] of its DER, without reading it again.
    pub(crate) fn assemble(
        tbs: &[u8],
        contents: Contents,
        key: PublicKey,
        scheme: SignatureScheme,
        signature: &[u8],
    ) -> Result<Self, CertificateError> {
        let der = signed(tbs, scheme.algorithm_identifier(), signature);
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::TooLarge { length: der.len() });
        }
        let inside = only(&der, tag::SEQUENCE).in_field("certificate")?.value;
        let start = range(&der, inside).start;
        let at = |range: Range<usize>| range.start + start..range.end + start;
        let Contents { serial, issuer, subject, spki, not_before, not_after, extensions } =
            contents;
        Ok(Self(Arc::new(Inner {
            tbs: at(0..tbs.len()),
            issuer: at(issuer),
            subject: at(subject),
            spki: at(spki),
            signature: der.len().saturating_sub(signature.len())..der.len(),
            version: 3,
            serial,
            not_before,
            not_after,
            scheme: Ok(scheme),
            extensions,
            key: OnceLock::from(Ok(key)),
            fingerprint: OnceLock::new(),
            der: der.into(),
        })))
    }

    /// Reads the first certificate of a PEM text (RFC 7468), which may say other things around it.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let block = pem_blocks(pem).next().ok_or(CertificateError::NoPem)?;
        Self::from_der(&block.map_err(|reason| CertificateError::Pem { number: 1, reason })?)
    }

    /// Reads every certificate of a PEM text, at least one and at most `most`.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn from_pem_chain(pem: &str, most: usize) -> Result<Vec<Self>, CertificateError> {
        let mut out = Vec::new();
        for (number, block) in (1..).zip(pem_blocks(pem)) {
            if out.len() >= most {
                return Err(CertificateError::TooMany(most));
            }
            let der = block.map_err(|reason| CertificateError::Pem { number, reason })?;
            out.push(Self::from_der(&der)?);
        }
        if out.is_empty() { Err(CertificateError::NoPem) } else { Ok(out) }
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(self.der());
        let mut out = String::with_capacity(text.len() + text.len() / 64 + 64);
        out.push_str(PEM_BEGIN);
        for (at, c) in text.chars().enumerate() {
            if at % 64 == 0 {
                out.push('\n');
            }
            out.push(c);
        }
        out.push('\n');
        out.push_str(PEM_END);
        out.push('\n');
        out
    }

    /// The certificate in DER, as received.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The signed part in DER, as received.
    pub fn tbs_der(&self) -> &[u8] {
        self.slice(&self.0.tbs)
    }

    /// Version, 1 to 3.
    pub fn version(&self) -> u8 {
        self.0.version
    }

    /// Serial number.
    pub fn serial(&self) -> &Serial {
        &self.0.serial
    }

    /// Issuer's name in DER.
    pub fn issuer_der(&self) -> &[u8] {
        self.slice(&self.0.issuer)
    }

    /// Subject's name in DER.
    pub fn subject_der(&self) -> &[u8] {
        self.slice(&self.0.subject)
    }

    /// Issuer's name.
    pub fn issuer(&self) -> Name<'_> {
        Name::trusted(self.issuer_der())
    }

    /// Subject's name.
    pub fn subject(&self) -> Name<'_> {
        Name::trusted(self.subject_der())
    }

    /// First second at which it is valid.
    pub fn not_before(&self) -> UnixTime {
        self.0.not_before.at
    }

    /// Last second at which it is valid; [`UnixTime::NEVER`] for 99991231235959Z.
    pub fn not_after(&self) -> UnixTime {
        self.0.not_after.at
    }

    /// Whether both times are in the form that RFC 5280 requires for their years.
    pub fn times_conform(&self) -> bool {
        self.0.not_before.conforming && self.0.not_after.conforming
    }

    /// Whether it is valid at `time`, as far as its own dates say.
    pub fn is_valid_at(&self, time: UnixTime) -> bool {
        self.not_before() <= time && time <= self.not_after()
    }

    /// The subject's public key.
    ///
    /// # Errors
    /// Why the key is malformed, too weak or not supported.
    pub fn public_key(&self) -> Result<&PublicKey, &KeyError> {
        self.0.key.get_or_init(|| PublicKey::from_spki(self.spki_der())).as_ref()
    }

    /// SubjectPublicKeyInfo in DER, as received.
    pub fn spki_der(&self) -> &[u8] {
        self.slice(&self.0.spki)
    }

    /// The algorithm that the issuer signed by.
    ///
    /// # Errors
    /// Why the algorithm is too weak or not supported.
    pub fn signature_scheme(&self) -> Result<SignatureScheme, &SchemeError> {
        self.0.scheme.as_ref().copied()
    }

    /// The issuer's signature.
    pub fn signature(&self) -> &[u8] {
        self.slice(&self.0.signature)
    }

    /// Extensions.
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// SHA-256 of the DER: this certificate's name everywhere in Tegata.
    pub fn fingerprint(&self) -> Sha256 {
        *self.0.fingerprint.get_or_init(|| sha256(self.der()))
    }

    /// Whether issuer and subject are the same name (RFC 5280 section 6.1).
    pub fn is_self_issued(&self) -> bool {
        self.issuer().matches(&self.subject())
    }

    /// Whether it may sign certificates, as far as its basicConstraints say.
    pub fn is_ca(&self) -> bool {
        self.extensions().basic_constraints().is_some_and(|constraints| constraints.ca)
    }

    /// Text of the subject's first attribute of type `oid`.
    pub fn subject_attribute(&self, oid: &ObjectIdentifier) -> Option<String> {
        self.subject().attribute(oid)
    }

    /// commonName of the subject.
    pub fn common_name(&self) -> Option<String> {
        self.subject_attribute(&oid::COMMON_NAME)
    }

    /// organizationName of the subject.
    pub fn organization(&self) -> Option<String> {
        self.subject_attribute(&oid::ORGANIZATION_NAME)
    }

    /// serialNumber of the subject: a device's own, not the certificate's.
    pub fn serial_number_attribute(&self) -> Option<String> {
        self.subject_attribute(&oid::SERIAL_NUMBER)
    }

    /// The hardware module's name among the subject's alternative names, where it is well-formed.
    pub fn hardware_module_name(&self) -> Option<HardwareModuleName> {
        self.extensions().subject_alt_names().iter().find_map(GeneralName::hardware_module_name)
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.0.der.get(range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl Hash for Certificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der().hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, serial {})", self.subject(), self.serial())
    }
}

/// Where `part`, a slice of `whole`, lies in it.
pub(crate) fn range(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

fn parse(der: &[u8]) -> Result<Inner, CertificateError> {
    let mut outer = Reader::new(only(der, tag::SEQUENCE).in_field("certificate")?.value);
    let tbs = outer.expect(tag::SEQUENCE).in_field("tbsCertificate")?;
    let algorithm = outer.expect(tag::SEQUENCE).in_field("signatureAlgorithm")?;
    let signature = outer.whole_bits().in_field("signatureValue")?;
    outer.finish().in_field("certificate")?;

    let mut fields = Reader::new(tbs.value);
    let version = version(&mut fields).in_field("version")?;
    let serial = fields
        .expect(tag::INTEGER)
        .and_then(|tlv| Serial::from_contents(tlv.value))
        .in_field("serialNumber")?;
    let inner = fields.expect(tag::SEQUENCE).in_field("signature")?;
    if inner.whole != algorithm.whole {
        return Err(CertificateError::AlgorithmsDiffer);
    }
    let scheme = SignatureScheme::from_algorithm_identifier(algorithm.whole);
    if scheme == Err(SchemeError::Malformed) {
        return Err(DerError("is not an AlgorithmIdentifier")).in_field("signatureAlgorithm");
    }
    let issuer =
        fields.expect(tag::SEQUENCE).and_then(|tlv| Name::parse(tlv.whole)).in_field("issuer")?;
    let mut validity = fields.sequence().in_field("validity")?;
    let not_before = time::read(&mut validity).in_field("notBefore")?;
    let not_after = time::read(&mut validity).in_field("notAfter")?;
    validity.finish().in_field("validity")?;
    let subject =
        fields.expect(tag::SEQUENCE).and_then(|tlv| Name::parse(tlv.whole)).in_field("subject")?;
    let spki = fields.expect(tag::SEQUENCE).in_field("subjectPublicKeyInfo")?;
    for unique_id in [tag::context(1), tag::context(2)] {
        if fields.optional(unique_id).in_field("uniqueIdentifier")?.is_some() && version < 2 {
            return Err(DerError("needs version 2")).in_field("uniqueIdentifier");
        }
    }
    let extensions = match fields.optional(tag::constructed(3)).in_field("extensions")? {
        Some(_) if version != 3 => return Err(DerError("need version 3")).in_field("extensions"),
        Some(tlv) => Extensions::from_der(tlv.value)?,
        None => Extensions::default(),
    };
    fields.finish().in_field("tbsCertificate")?;

    Ok(Inner {
        tbs: range(der, tbs.whole),
        issuer: range(der, issuer.der()),
        subject: range(der, subject.der()),
        spki: range(der, spki.whole),
        signature: range(der, signature),
        version,
        serial,
        not_before,
        not_after,
        scheme,
        extensions,
        key: OnceLock::new(),
        fingerprint: OnceLock::new(),
        der: der.into(),
    })
}

/// `[0] EXPLICIT Version DEFAULT v1`, as the number that people call it.
fn version(fields: &mut Reader<'_>) -> Result<u8, DerError> {
    let Some(tlv) = fields.optional(tag::constructed(0))? else { return Ok(1) };
    match only(tlv.value, tag::INTEGER)?.value {
        [1] => Ok(2),
        [2] => Ok(3),
        [0] => Err(DerError("writes a default value out")),
        _ => Err(DerError("is none of 1, 2, 3")),
    }
}

const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const PEM_END: &str = "-----END CERTIFICATE-----";

/// The bytes of each `CERTIFICATE` block. Text between blocks is ignored (RFC 7468 section 2).
fn pem_blocks(pem: &str) -> impl Iterator<Item = Result<Vec<u8>, &'static str>> + '_ {
    let mut rest = pem;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(PEM_BEGIN)?;
        let Some((body, after)) = after.split_once(PEM_END) else {
            rest = "";
            return Some(Err("its END line is missing"));
        };
        rest = after;
        if body.len() > 2 * CERTIFICATE_BYTES_MAX {
            return Some(Err("it is too large"));
        }
        let text: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        Some(
            base64::engine::general_purpose::STANDARD
                .decode(text)
                .map_err(|_| "its contents are not base64"),
        )
    })
}
