//! A second opinion on a TBSCertificate before it is signed: reads what the writer wrote, with
//! another parser, and checks RFC 5280 section 4, the algorithms' own rules (RFC 5480, RFC 8410,
//! RFC 9881) and the profile.

use crate::{
    Extensions, GeneralName, KeyUsage, Name, Profile, Serial,
    certificate::{Contents, range},
    oid,
    profile::{dns_problem, is_printable, uri_problem},
    strict::{DerError, Reader, only, tag},
    time,
};
use crypto::{KeyAlgorithm, PublicKey, SignatureScheme, UnixTime};
use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// worth knowing
    Notice,
    /// breaks a SHOULD
    Warning,
    /// breaks a MUST: not signed
    Error,
}

/// Something that the linter found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// stable name of the rule
    pub code: &'static str,
    /// how bad
    pub severity: Severity,
    /// what is wrong
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// Checks a TBSCertificate in DER; with a profile, by its rules too. Empty where all is well.
pub fn lint(tbs: &[u8], profile: Option<Profile>) -> Vec<Finding> {
    examine(tbs, profile, None).1
}

/// What signing needs to know of a TBSCertificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) scheme: SignatureScheme,
    /// key identifier of the issuer; `None` where the certificate is self-signed without one
    pub(crate) issuer_key_identifier: Option<Vec<u8>>,
    pub(crate) public_key: PublicKey,
    /// what the certificate will say
    pub(crate) contents: Contents,
}

/// [`lint`], and what it read where that is possible at all. `expected` is the key that it should
/// be for, where one was read already: the same bytes need not be read again.
pub(crate) fn examine(
    tbs: &[u8],
    profile: Option<Profile>,
    expected: Option<&PublicKey>,
) -> (Option<Outline>, Vec<Finding>) {
    let mut findings = Findings(Vec::new());
    let outline = match Fields::parse(tbs) {
        Ok(fields) => check(tbs, &fields, profile, expected, &mut findings),
        Err((field, DerError(reason))) => {
            findings.error("der", format!("{field} {reason}"));
            None
        }
    };
    (outline, findings.0)
}

struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, code: &'static str, message: impl Into<String>) {
        self.0.push(Finding { code, severity: Severity::Error, message: message.into() });
    }

    fn warn(&mut self, code: &'static str, message: impl Into<String>) {
        self.0.push(Finding { code, severity: Severity::Warning, message: message.into() });
    }

    /// An error unless `holds`.
    fn require(&mut self, holds: bool, code: &'static str, message: &'static str) {
        if !holds {
            self.error(code, message);
        }
    }
}

/// The fields of a TBSCertificate, as far as DER alone tells them apart.
struct Fields<'a> {
    version: &'a [u8],
    serial: &'a [u8],
    algorithm: &'a [u8],
    issuer: Name<'a>,
    not_before: time::Time,
    not_after: time::Time,
    subject: Name<'a>,
    spki: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Fields<'a> {
    fn parse(tbs: &'a [u8]) -> Result<Self, (&'static str, DerError)> {
        let at = |field| move |error| (field, error);
        let mut r = Reader::new(only(tbs, tag::SEQUENCE).map_err(at("tbsCertificate"))?.value);
        let version = r.expect(tag::constructed(0)).map_err(at("version"))?.value;
        let serial = r.expect(tag::INTEGER).map_err(at("serialNumber"))?.value;
        let algorithm = r.expect(tag::SEQUENCE).map_err(at("signature"))?.whole;
        let name = |tlv: crate::strict::Tlv<'a>| Name::parse(tlv.whole);
        let issuer = r.expect(tag::SEQUENCE).and_then(name).map_err(at("issuer"))?;
        let mut validity = r.sequence().map_err(at("validity"))?;
        let not_before = time::read(&mut validity).map_err(at("notBefore"))?;
        let not_after = time::read(&mut validity).map_err(at("notAfter"))?;
        validity.finish().map_err(at("validity"))?;
        let subject = r.expect(tag::SEQUENCE).and_then(name).map_err(at("subject"))?;
        let spki = r.expect(tag::SEQUENCE).map_err(at("subjectPublicKeyInfo"))?.whole;
        let extensions = r.expect(tag::constructed(3)).map_err(at("extensions"))?.value;
        // No unique identifiers: RFC 5280 section 4.1.2.8 forbids to make them.
        r.finish().map_err(at("tbsCertificate"))?;
        Ok(Self {
            version,
            serial,
            algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            extensions,
        })
    }
}

fn check(
    tbs: &[u8],
    f: &Fields<'_>,
    profile: Option<Profile>,
    expected: Option<&PublicKey>,
    out: &mut Findings,
) -> Option<Outline> {
    out.require(f.version == [2, 1, 2], "version", "version must be 3 (RFC 5280 section 4.1.2.1)");
    let serial = check_serial(f.serial, out);
    let scheme = SignatureScheme::from_algorithm_identifier(f.algorithm)
        .map_err(|error| out.error("signature-algorithm", error.to_string()))
        .ok();
    let key = match expected.filter(|key| key.spki() == f.spki) {
        Some(key) => Some(key.clone()),
        None => PublicKey::from_spki(f.spki)
            .map_err(|error| out.error("public-key", error.to_string()))
            .ok(),
    };
    check_times(f, profile, out);
    check_name(&f.issuer, "issuer", out);
    check_name(&f.subject, "subject", out);
    out.require(
        !f.issuer.is_empty(),
        "issuer-empty",
        "issuer must not be empty (RFC 5280 section 4.1.2.4)",
    );
    let extensions = match Extensions::from_der(f.extensions) {
        Ok(extensions) => extensions,
        Err(error) => {
            out.error("extensions", error.to_string());
            return None;
        }
    };
    let (scheme, key, serial) = (scheme?, key?, serial?);
    check_identifiers(f, &extensions, &key, out);
    check_usage(&extensions, &key, profile, out);
    check_alternative_names(f, &extensions, out);
    check_locations(&extensions, out);
    for unknown in extensions.unknown_critical() {
        out.error("critical-unknown", format!("extension {unknown} is critical and unknown"));
    }
    if let Some(profile) = profile {
        check_profile(profile, f, &extensions, out);
    }
    let issuer_key_identifier =
        extensions.authority_key_identifier().and_then(|id| id.key_identifier.clone());
    let contents = Contents {
        serial,
        issuer: range(tbs, f.issuer.der()),
        subject: range(tbs, f.subject.der()),
        spki: range(tbs, f.spki),
        not_before: f.not_before,
        not_after: f.not_after,
        extensions,
    };
    Some(Outline { scheme, issuer_key_identifier, public_key: key, contents })
}

fn check_serial(contents: &[u8], out: &mut Findings) -> Option<Serial> {
    match Serial::from_contents(contents) {
        Err(DerError(reason)) => {
            out.error("serial", format!("serialNumber {reason}"));
            None
        }
        Ok(serial) => {
            // CA/Browser Forum baseline requirements section 7.1: 64 bits from a generator.
            if serial.as_bytes().len() < 8 {
                out.warn("serial-short", "serialNumber has fewer than 64 bits");
            }
            Some(serial)
        }
    }
}

fn check_times(f: &Fields<'_>, profile: Option<Profile>, out: &mut Findings) {
    out.require(
        f.not_before.conforming && f.not_after.conforming,
        "time-form",
        "times through 2049 must be UTCTime, later ones GeneralizedTime (RFC 5280 section 4.1.2.5)",
    );
    out.require(
        f.not_before.at <= f.not_after.at,
        "validity-order",
        "validity ends before it begins",
    );
    let endless = f.not_after.at == UnixTime::NEVER;
    let may_be = profile.is_none_or(|profile| {
        profile.is_ca() || matches!(profile, Profile::Chip | Profile::Idevid)
    });
    out.require(!endless || may_be, "validity-endless", "this profile's validity must have an end");
}

/// Attributes' types and upper bounds (RFC 5280 section 4.1.2.4 and appendix A.1).
fn check_name(name: &Name<'_>, which: &str, out: &mut Findings) {
    for attribute in name.attributes() {
        let Some(text) = attribute.text() else {
            out.error("name-type", format!("{which} has an attribute that is not text"));
            continue;
        };
        let printable = text.bytes().all(is_printable);
        let good = match attribute.oid {
            oid::COUNTRY_NAME => text.len() == 2 && printable,
            oid::SERIAL_NUMBER => text.len() <= 64 && printable,
            _ => text.chars().count() <= 64,
        };
        if !good || text.is_empty() {
            out.error(
                "name-bounds",
                format!("{which} has an attribute {} beyond its bounds", attribute.oid),
            );
        }
    }
}

fn check_identifiers(f: &Fields<'_>, e: &Extensions, key: &PublicKey, out: &mut Findings) {
    let self_issued = f.issuer.der() == f.subject.der();
    match e.authority_key_identifier() {
        None => out.require(
            self_issued,
            "aki-missing",
            "authorityKeyIdentifier is missing (RFC 5280 section 4.2.1.1)",
        ),
        Some(id) => {
            out.require(
                id.key_identifier.is_some(),
                "aki-key-identifier",
                "authorityKeyIdentifier has no keyIdentifier",
            );
            // One key under two names: then a certificate could vouch for itself.
            let own = id.key_identifier.as_deref() == Some(&key.key_identifier());
            out.require(
                self_issued || !own,
                "aki-own-key",
                "subject's key is the issuer's key, but their names differ",
            );
        }
    }
    match e.subject_key_identifier() {
        None => out.error("ski-missing", "subjectKeyIdentifier is missing"),
        Some(id) => out.require(
            id == key.key_identifier(),
            "ski-method",
            "subjectKeyIdentifier is not by method 1 of RFC 7093 section 2",
        ),
    }
    for (id, code) in [
        (oid::AUTHORITY_KEY_IDENTIFIER, "aki-critical"),
        (oid::SUBJECT_KEY_IDENTIFIER, "ski-critical"),
    ] {
        out.require(!e.is_critical(&id), code, "key identifiers must not be critical");
    }
}

/// Usages that encrypt or agree on keys: forbidden to signature-only keys by RFC 8410 section 5
/// and RFC 9881 section 5, and to every key here (KM-5) but those that messages are encrypted for.
const NOT_SIGNING: KeyUsage = KeyUsage(0b1_1001_1100);

fn check_usage(e: &Extensions, key: &PublicKey, profile: Option<Profile>, out: &mut Findings) {
    let ca = e.basic_constraints().is_some_and(|constraints| constraints.ca);
    let Some(usage) = e.key_usage() else {
        out.error("key-usage-missing", "keyUsage is missing");
        return;
    };
    out.require(e.is_critical(&oid::KEY_USAGE), "key-usage-critical", "keyUsage must be critical");
    out.require(
        usage.contains(KeyUsage::KEY_CERT_SIGN) == ca,
        "key-usage-ca",
        "keyCertSign must be set for CAs and for nobody else (RFC 5280 section 4.2.1.3)",
    );
    out.require(
        !ca || e.is_critical(&oid::BASIC_CONSTRAINTS),
        "basic-constraints-critical",
        "a CA's basicConstraints must be critical (RFC 5280 section 4.2.1.9)",
    );
    // RFC 5480 section 3; that it says nothing else, the profile asks.
    let agrees =
        profile == Some(Profile::MessageRecipient) && key.algorithm() == KeyAlgorithm::EcdsaP256;
    if usage.0 & NOT_SIGNING.0 != 0 && !agrees {
        let what = match key.algorithm() {
            KeyAlgorithm::MlDsa44 | KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87 => {
                "an ML-DSA key must not encrypt or agree on keys (RFC 9881 section 5)"
            }
            KeyAlgorithm::Ed25519 => {
                "an Ed25519 key must not encrypt or agree on keys (RFC 8410 section 5)"
            }
            _ => "keys here sign only: forward secrecy is required on every channel",
        };
        out.error("key-usage-signing-only", what);
    }
    if let Some(usages) = e.extended_key_usage() {
        out.require(
            !usages.contains(&oid::ANY_EXTENDED_KEY_USAGE),
            "eku-any",
            "extKeyUsage must not allow any purpose",
        );
        let ocsp = usages.contains(&oid::KP_OCSP_SIGNING);
        out.require(
            !ocsp || usages.len() == 1,
            "eku-ocsp-alone",
            "an OCSP signer's key must have no other purpose",
        );
    }
}

fn check_alternative_names(f: &Fields<'_>, e: &Extensions, out: &mut Findings) {
    let present = e.find(&oid::SUBJECT_ALT_NAME).is_some();
    let critical = e.is_critical(&oid::SUBJECT_ALT_NAME);
    if f.subject.is_empty() {
        out.require(
            present && critical,
            "subject-empty",
            "an empty subject needs a critical subjectAltName (RFC 5280 section 4.1.2.6)",
        );
    } else if critical {
        out.warn("san-critical", "subjectAltName should not be critical beside a subject");
    }
    for name in e.subject_alt_names() {
        let problem = match name {
            GeneralName::Dns(name) => dns_problem(name),
            GeneralName::Uri(uri) => uri_problem(uri),
            GeneralName::Ip(_) if name.ip().is_none() => Some("is not an address"),
            GeneralName::Unsupported(_) => Some("is of a kind that nobody reads"),
            _ => None,
        };
        if let Some(problem) = problem {
            out.error("san-syntax", format!("an alternative name {problem}"));
        }
    }
}

fn check_locations(e: &Extensions, out: &mut Findings) {
    let access = e.authority_info_access().iter().map(|access| &access.location);
    for location in e.crl_distribution_points().iter().chain(access) {
        let good = match location {
            GeneralName::Uri(uri) => uri.starts_with("http://") && uri_problem(uri).is_none(),
            _ => false,
        };
        out.require(good, "location-http", "CRLs, OCSP and issuers must be at http:// URLs");
    }
    for (id, code) in [
        (oid::CRL_DISTRIBUTION_POINTS, "crl-dp-critical"),
        (oid::AUTHORITY_INFO_ACCESS, "aia-critical"),
    ] {
        out.require(!e.is_critical(&id), code, "locations must not be critical");
    }
}

fn check_profile(profile: Profile, f: &Fields<'_>, e: &Extensions, out: &mut Findings) {
    let constraints = e.basic_constraints();
    let ca = constraints.is_some_and(|constraints| constraints.ca);
    out.require(ca == profile.is_ca(), "profile-ca", "basicConstraints do not fit the profile");
    out.require(
        e.key_usage() == Some(profile.key_usage()),
        "profile-key-usage",
        "keyUsage does not fit the profile",
    );
    out.require(
        e.extended_key_usage().unwrap_or_default() == profile.extended_key_usage(),
        "profile-eku",
        "extKeyUsage does not fit the profile",
    );
    out.require(!f.subject.is_empty(), "profile-subject", "subject must not be empty");
    let self_issued = f.issuer.der() == f.subject.der();
    out.require(
        self_issued == (profile == Profile::Root),
        "profile-self-issued",
        "roots, and nothing else, are self-issued",
    );
    let extensions = [oid::PE_MUD_URL, oid::PE_MUD_SIGNER];
    let said = extensions.iter().any(|oid| e.find(oid).is_some());
    out.require(
        !said || profile == Profile::Idevid && matches!(e.mud(), Some(Ok(_))),
        "mud-url",
        "id-pe-mud-url must be an https URL in an IDevID, id-pe-mudsigner a name beside it (RFC 8520 section 11)",
    );
    out.require(
        !extensions.iter().any(|oid| e.is_critical(oid)),
        "mud-url-critical",
        "id-pe-mud-url and id-pe-mudsigner must not be critical (RFC 8520 section 11)",
    );
    let module = e.subject_alt_names().iter().any(|name| {
        matches!(name, GeneralName::Other { type_id, .. } if *type_id == oid::ON_HARDWARE_MODULE_NAME)
    });
    match profile {
        Profile::IssuingCa => out.require(
            constraints.is_some_and(|constraints| constraints.path_len.is_some()),
            "profile-path-length",
            "an issuing CA must have a pathLenConstraint",
        ),
        Profile::Idevid | Profile::Chip => {
            out.require(
                f.subject.attribute(&oid::SERIAL_NUMBER).is_some(),
                "devid-serial-number",
                "subject must have a serialNumber (IEEE 802.1AR section 8.6)",
            );
            out.require(
                module || profile == Profile::Chip,
                "idevid-hardware-module",
                "an IDevID must have a hardwareModuleName (IEEE 802.1AR section 8.10.4)",
            );
        }
        Profile::Service => out.require(
            e.subject_alt_names()
                .iter()
                .any(|name| matches!(name, GeneralName::Dns(_) | GeneralName::Ip(_))),
            "service-name",
            "a service must have a DNS name or an IP address (RFC 9525)",
        ),
        Profile::OcspSigner => out.require(
            e.find(&oid::OCSP_NOCHECK).is_some_and(|nocheck| nocheck.value == [5, 0]),
            "ocsp-nocheck",
            "an OCSP signer must have id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1)",
        ),
        _ => {}
    }
}
