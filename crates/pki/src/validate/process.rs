//! RFC 5280 section 6.1 on a complete path whose signatures hold.

use super::{Conformance, Options, PathError, build, conform, constraints, policy};
use crate::{Certificate, KeyUsage, oid};
use const_oid::ObjectIdentifier;

/// Checks `path` (leaf first, anchor last); returns the acceptable policies.
///
/// Dates first and the leaf's first, since that is what a peer can mend; the rest from the anchor
/// down, so that an error is about the certificate nearest to it.
pub(super) fn process(
    path: &[Certificate],
    options: &Options,
) -> Result<Vec<ObjectIdentifier>, PathError> {
    for (depth, certificate) in path.iter().enumerate() {
        validity(certificate, depth, options)?;
    }
    let mut usages = options.purpose.usages().to_vec();
    for (depth, certificate) in path.iter().enumerate().rev() {
        critical_extensions(certificate, depth, options)?;
        build::usable_key(certificate, depth)?;
        if options.conformance == Conformance::Strict {
            conform::check(certificate, depth, depth + 1 == path.len())?;
        }
        if depth > 0 {
            issuer(certificate, depth)?;
            path_length(path, certificate, depth)?;
        }
        extended_key_usage(certificate, depth, options, &mut usages)?;
    }
    constraints::check(path, options.limits.name_comparisons)?;
    let policies = policy::check(path, &options.policies)?;
    if let Some(certificate) = path.first() {
        leaf(certificate, options)?;
    }
    Ok(policies)
}

fn validity(certificate: &Certificate, depth: usize, options: &Options) -> Result<(), PathError> {
    let subject = || certificate.subject().to_string();
    if options.time > certificate.not_after() {
        let not_after = certificate.not_after();
        return Err(PathError::Expired { subject: subject(), depth, not_after });
    }
    if options.time < certificate.not_before() {
        let not_before = certificate.not_before();
        return Err(PathError::NotYetValid { subject: subject(), depth, not_before });
    }
    Ok(())
}

fn critical_extensions(
    certificate: &Certificate,
    depth: usize,
    options: &Options,
) -> Result<(), PathError> {
    let unknown = certificate
        .extensions()
        .unknown_critical()
        .find(|oid| !options.critical_extensions.contains(oid));
    match unknown {
        None => Ok(()),
        Some(oid) => Err(PathError::CriticalExtension {
            subject: certificate.subject().to_string(),
            depth,
            oid,
        }),
    }
}

/// RFC 5280 section 6.1.4 (k) and (n).
fn issuer(certificate: &Certificate, depth: usize) -> Result<(), PathError> {
    let reason = if certificate.version() != 3 {
        "its certificate is not of version 3"
    } else if !certificate.is_ca() {
        "its certificate does not say that it is a CA"
    } else if certificate
        .extensions()
        .key_usage()
        .is_some_and(|usage| !usage.contains(KeyUsage::KEY_CERT_SIGN))
    {
        "its keyUsage lacks keyCertSign"
    } else {
        return Ok(());
    };
    Err(PathError::NotCa { subject: certificate.subject().to_string(), depth, reason })
}

/// RFC 5280 section 6.1.4 (l) and (m).
fn path_length(
    path: &[Certificate],
    certificate: &Certificate,
    depth: usize,
) -> Result<(), PathError> {
    let path_len = certificate.extensions().basic_constraints().and_then(|c| c.path_len);
    let Some(path_len) = path_len else { return Ok(()) };
    let between = path.get(1..depth).unwrap_or_default();
    let found = between.iter().filter(|certificate| !certificate.is_self_issued()).count();
    match u32::try_from(found) {
        Ok(found) if found > path_len => Err(PathError::PathLength {
            subject: certificate.subject().to_string(),
            depth,
            path_len,
            found,
        }),
        _ => Ok(()),
    }
}

/// extKeyUsage of the leaf, and of every CA above it: a CA that has one issues for these purposes
/// only. One and the same purpose must hold from the anchor to the leaf: `left` is what does so far.
fn extended_key_usage(
    certificate: &Certificate,
    depth: usize,
    options: &Options,
    left: &mut Vec<ObjectIdentifier>,
) -> Result<(), PathError> {
    let wanted = options.purpose.usages();
    let fits = match certificate.extensions().extended_key_usage() {
        None => depth > 0 || !options.require_extended_key_usage,
        Some(_) if wanted.is_empty() => true,
        // anyExtendedKeyUsage says nothing about what the leaf was made for.
        Some(usages) if depth > 0 && usages.contains(&oid::ANY_EXTENDED_KEY_USAGE) => true,
        Some(usages) => {
            left.retain(|usage| usages.contains(usage));
            !left.is_empty()
        }
    };
    if fits {
        return Ok(());
    }
    let needed: Vec<_> = wanted.iter().map(usage_name).collect();
    Err(PathError::ExtendedKeyUsage {
        subject: certificate.subject().to_string(),
        depth,
        needed: needed.join(" or "),
    })
}

fn usage_name(usage: &ObjectIdentifier) -> String {
    match *usage {
        oid::KP_CLIENT_AUTH => "clientAuth".into(),
        oid::KP_SERVER_AUTH => "serverAuth".into(),
        oid::KP_CODE_SIGNING => "codeSigning".into(),
        oid::KP_EMAIL_PROTECTION => "emailProtection".into(),
        oid::KP_OCSP_SIGNING => "OCSPSigning".into(),
        oid::KP_CMC_RA => "cmcRA".into(),
        other => other.to_string(),
    }
}

fn leaf(certificate: &Certificate, options: &Options) -> Result<(), PathError> {
    let subject = || certificate.subject().to_string();
    if certificate.is_ca() && !options.allow_ca_leaf {
        return Err(PathError::CaAsLeaf { subject: subject() });
    }
    if let Some(usage) = certificate.extensions().key_usage()
        && !usage.contains(options.key_usage)
    {
        let needed = KeyUsage(options.key_usage.0 & !usage.0).to_string();
        return Err(PathError::KeyUsage { subject: subject(), depth: 0, needed });
    }
    match &options.server_name {
        Some(name) => name.check(certificate),
        None => Ok(()),
    }
}
