//! What RFC 5280 section 4 demands of issuers, beyond what parsing and section 6.1 check.

use super::{PathError, names};
use crate::{Certificate, GeneralName, KeyUsage, oid};

/// Checks one certificate. `anchor`: it ends the path.
pub(super) fn check(
    certificate: &Certificate,
    depth: usize,
    anchor: bool,
) -> Result<(), PathError> {
    match broken_rule(certificate, anchor) {
        None => Ok(()),
        Some(rule) => Err(PathError::Nonconforming {
            subject: certificate.subject().to_string(),
            depth,
            rule,
        }),
    }
}

fn broken_rule(certificate: &Certificate, anchor: bool) -> Option<&'static str> {
    let extensions = certificate.extensions();
    let ca = certificate.is_ca();
    // sections 4.1.2.4 to 4.1.2.6
    if certificate.issuer().is_empty() {
        return Some("the issuer has no name");
    }
    if !certificate.times_conform() {
        return Some("dates before 2050 must be UTCTime");
    }
    // section 4.1.2.2; roots numbered 0 are about, and nobody revokes a root by its number
    if !anchor && certificate.serial().is_zero() {
        return Some("the serial number must be positive");
    }
    if ca && certificate.subject().is_empty() {
        return Some("a CA must have a name");
    }
    // section 4.2.1.9
    if ca && !extensions.is_critical(&oid::BASIC_CONSTRAINTS) {
        return Some("basicConstraints of a CA must be critical");
    }
    // section 4.2.1.3
    let cert_sign = extensions.key_usage().map(|usage| usage.contains(KeyUsage::KEY_CERT_SIGN));
    match (ca, cert_sign) {
        (true, Some(false)) => return Some("keyUsage of a CA lacks keyCertSign"),
        (false, Some(true)) => return Some("keyCertSign is for CAs only"),
        _ => {}
    }
    identifiers(certificate, anchor)
        .or_else(|| alternative_names(certificate))
        .or_else(|| criticality(certificate))
}

/// Sections 4.2.1.1 and 4.2.1.2.
fn identifiers(certificate: &Certificate, anchor: bool) -> Option<&'static str> {
    let extensions = certificate.extensions();
    if extensions.is_critical(&oid::AUTHORITY_KEY_IDENTIFIER)
        || extensions.is_critical(&oid::SUBJECT_KEY_IDENTIFIER)
    {
        return Some("key identifiers must not be critical");
    }
    let subject_key = extensions.subject_key_identifier();
    if certificate.is_ca() && subject_key.is_none() {
        return Some("subjectKeyIdentifier of a CA is missing");
    }
    let self_issued_anchor = || anchor && certificate.is_self_issued();
    match extensions.authority_key_identifier() {
        None if self_issued_anchor() => None,
        // Self-signed under two names, odd and harmless.
        None if anchor && is_self_signed(certificate) => None,
        None => Some("authorityKeyIdentifier is missing"),
        Some(identifier) => {
            if identifier.key_identifier.is_none() {
                return Some("authorityKeyIdentifier lacks the keyIdentifier");
            }
            if identifier.issuer.is_some() != identifier.serial.is_some() {
                return Some("authorityKeyIdentifier has half of issuer and serial number");
            }
            let other_key = identifier.key_identifier.as_deref() != subject_key;
            // A CA's old key may sign its new one: then the names are the same, the keys not.
            (other_key && self_issued_anchor() && is_self_signed(certificate))
                .then_some("authorityKeyIdentifier of a self-signed certificate names another key")
        }
    }
}

fn is_self_signed(certificate: &Certificate) -> bool {
    match (certificate.public_key(), certificate.signature_scheme()) {
        (Ok(key), Ok(scheme)) => {
            key.verify(scheme, certificate.tbs_der(), certificate.signature()).is_ok()
        }
        _ => false,
    }
}

/// Section 4.2.1.6.
fn alternative_names(certificate: &Certificate) -> Option<&'static str> {
    let alternatives = certificate.extensions().subject_alt_names();
    if certificate.subject().is_empty()
        && !certificate.extensions().is_critical(&oid::SUBJECT_ALT_NAME)
    {
        return Some("without a subject there must be a critical subjectAltName");
    }
    alternatives.iter().find_map(|name| match name {
        GeneralName::Dns(name) if !names::is_dns_pattern(name) => {
            Some("subjectAltName has a malformed dNSName")
        }
        GeneralName::Email(name) if names::mailbox(name).is_none() => {
            Some("subjectAltName has a malformed rfc822Name")
        }
        GeneralName::Uri(name) if !names::is_absolute_uri(name) => {
            Some("subjectAltName has a URI without a scheme")
        }
        _ => None,
    })
}

/// Sections 4.2.1.5, 4.2.1.10, 4.2.1.11, 4.2.1.14 and 4.2.2.
fn criticality(certificate: &Certificate) -> Option<&'static str> {
    let extensions = certificate.extensions();
    let not_critical = |oid| extensions.find(oid).is_some_and(|extension| !extension.critical);
    if extensions.name_constraints().is_some() && !certificate.is_ca() {
        return Some("nameConstraints are for CAs only");
    }
    if not_critical(&oid::NAME_CONSTRAINTS) {
        return Some("nameConstraints must be critical");
    }
    if not_critical(&oid::POLICY_CONSTRAINTS) {
        return Some("policyConstraints must be critical");
    }
    if not_critical(&oid::INHIBIT_ANY_POLICY) {
        return Some("inhibitAnyPolicy must be critical");
    }
    if extensions.is_critical(&oid::AUTHORITY_INFO_ACCESS)
        || extensions.is_critical(&oid::SUBJECT_INFO_ACCESS)
    {
        return Some("information access must not be critical");
    }
    None
}
