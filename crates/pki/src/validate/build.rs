//! Path building: depth first from the leaf, with backtracking, within limits.
//!
//! Only names, key identifiers and signatures decide which certificates make a path; the rules of
//! RFC 5280 section 6.1 are applied to complete paths. So an error about a rule is about
//! certificates that are authentic.

use super::{Anchors, Options, Path, PathError, process};
use crate::Certificate;
use crypto::{KeyError, PublicKey, SchemeError};

pub(super) struct Builder<'a> {
    intermediates: &'a [Certificate],
    anchors: &'a Anchors,
    options: &'a Options,
    signature_checks: usize,
    paths: usize,
    /// most telling error so far
    worst: Option<PathError>,
}

/// Longest path in certificates, self-issued ones included.
const CERTIFICATES_MAX: usize = 16;

impl<'a> Builder<'a> {
    pub(super) fn new(
        intermediates: &'a [Certificate],
        anchors: &'a Anchors,
        options: &'a Options,
    ) -> Result<Self, PathError> {
        let most = options.limits.intermediates;
        if intermediates.len() > most {
            return Err(PathError::TooComplex { most, what: "intermediate certificates" });
        }
        Ok(Self { intermediates, anchors, options, signature_checks: 0, paths: 0, worst: None })
    }

    pub(super) fn path_of(mut self, leaf: &Certificate) -> Result<Path, PathError> {
        if self.anchors.contains(leaf)
            && let Some(path) = self.complete(vec![leaf.clone()])?
        {
            return Ok(path);
        }
        let mut below = vec![leaf.clone()];
        match self.extend(&mut below)? {
            Some(path) => Ok(path),
            None => Err(self.worst.unwrap_or_else(|| unknown_issuer(leaf, 0))),
        }
    }

    /// Looks for issuers of the last certificate of `below`. Errors end the search.
    fn extend(&mut self, below: &mut Vec<Certificate>) -> Result<Option<Path>, PathError> {
        let Some(current) = below.last().cloned() else { return Ok(None) };
        let depth = below.len() - 1;
        let (anchors, intermediates) = (self.anchors, self.intermediates);
        let mut candidates = 0_usize;

        for entry in anchors.named(&current.issuer()) {
            let issuer = &entry.certificate;
            if !may_be_issuer(issuer, &current, below) {
                continue;
            }
            candidates += 1;
            if self.is_signed_by(&current, issuer, depth)? {
                let mut path = below.clone();
                path.push(issuer.clone());
                path.extend(entry.above.iter().cloned());
                if let Some(path) = self.complete(path)? {
                    return Ok(Some(path));
                }
            }
        }
        for issuer in intermediates {
            let named = issuer.subject_der() == current.issuer_der()
                || issuer.subject().matches(&current.issuer());
            if !named || !may_be_issuer(issuer, &current, below) {
                continue;
            }
            candidates += 1;
            if below.len() + 2 > CERTIFICATES_MAX {
                self.note(PathError::TooLong { most: self.options.depth_max });
                continue;
            }
            if self.is_signed_by(&current, issuer, depth)? {
                below.push(issuer.clone());
                if counted(below) > self.options.depth_max {
                    self.note(PathError::TooLong { most: self.options.depth_max });
                } else if let Some(path) = self.extend(below)? {
                    return Ok(Some(path));
                }
                below.pop();
            }
        }
        if candidates == 0 {
            self.note(unknown_issuer(&current, depth));
        }
        Ok(None)
    }

    /// Applies RFC 5280 section 6.1 to a path whose signatures hold.
    fn complete(&mut self, certificates: Vec<Certificate>) -> Result<Option<Path>, PathError> {
        self.paths += 1;
        let most = self.options.limits.paths;
        if self.paths > most {
            return Err(PathError::TooComplex { most, what: "paths to trusted roots" });
        }
        let intermediates = certificates.get(..certificates.len() - 1).unwrap_or_default();
        if counted(intermediates) > self.options.depth_max {
            self.note(PathError::TooLong { most: self.options.depth_max });
            return Ok(None);
        }
        match process::process(&certificates, self.options) {
            Ok(policies) => Ok(Some(Path { certificates, policies })),
            Err(error @ PathError::TooComplex { .. }) => Err(error),
            Err(error) => {
                self.note(error);
                Ok(None)
            }
        }
    }

    fn is_signed_by(
        &mut self,
        certificate: &Certificate,
        issuer: &Certificate,
        depth: usize,
    ) -> Result<bool, PathError> {
        let most = self.options.limits.signature_checks;
        if self.signature_checks >= most {
            return Err(PathError::TooComplex { most, what: "signature checks" });
        }
        self.signature_checks += 1;
        match verify(certificate, issuer, depth) {
            Ok(()) => Ok(true),
            Err(error) => {
                self.note(error);
                Ok(false)
            }
        }
    }

    fn note(&mut self, error: PathError) {
        if self.worst.as_ref().is_none_or(|worst| error.weight() > worst.weight()) {
            self.worst = Some(error);
        }
    }
}

/// Intermediate certificates of a beginning path (leaf first, without anchor) that count against
/// the depth.
fn counted(below: &[Certificate]) -> usize {
    below.iter().skip(1).filter(|certificate| !certificate.is_self_issued()).count()
}

/// Whether the key identifiers allow `issuer` to be the issuer of `certificate`, and the path would
/// not go in a circle.
fn may_be_issuer(issuer: &Certificate, certificate: &Certificate, below: &[Certificate]) -> bool {
    let wanted = certificate
        .extensions()
        .authority_key_identifier()
        .and_then(|identifier| identifier.key_identifier.as_deref());
    let key_fits = match (wanted, issuer.extensions().subject_key_identifier()) {
        (Some(wanted), Some(have)) => wanted == have,
        _ => true,
    };
    // The same name with the same key again is a circle (RFC 4158 section 5.2).
    key_fits
        && !below.iter().any(|seen| {
            seen.spki_der() == issuer.spki_der() && seen.subject_der() == issuer.subject_der()
        })
}

fn verify(certificate: &Certificate, issuer: &Certificate, depth: usize) -> Result<(), PathError> {
    let subject = || certificate.subject().to_string();
    let scheme = certificate.signature_scheme().map_err(|error| match error {
        SchemeError::Weak(..) => {
            PathError::Weak { subject: subject(), depth, reason: error.to_string() }
        }
        _ => PathError::Algorithm { subject: subject(), depth, reason: error.to_string() },
    })?;
    let key = usable_key(issuer, depth + 1)?;
    match key.verify(scheme, certificate.tbs_der(), certificate.signature()) {
        Ok(()) => Ok(()),
        Err(KeyError::BadSignature | KeyError::Mismatch { .. }) => {
            Err(PathError::BadSignature { subject: subject(), depth })
        }
        Err(error) => {
            Err(PathError::Algorithm { subject: subject(), depth, reason: error.to_string() })
        }
    }
}

/// The public key of `certificate`, where it is strong enough.
pub(super) fn usable_key(certificate: &Certificate, depth: usize) -> Result<&PublicKey, PathError> {
    let subject = || certificate.subject().to_string();
    let key = certificate.public_key().map_err(|error| match error {
        KeyError::Weak(reason) => {
            PathError::Weak { subject: subject(), depth, reason: reason.clone() }
        }
        _ => PathError::Algorithm { subject: subject(), depth, reason: error.to_string() },
    })?;
    match key.algorithm() {
        // Such lengths come from broken generators only.
        crypto::KeyAlgorithm::Rsa(bits) if bits % 8 != 0 => Err(PathError::Weak {
            subject: subject(),
            depth,
            reason: format!("RSA modulus of {bits} bits; use 2048, 3072 or 4096"),
        }),
        _ => Ok(key),
    }
}

fn unknown_issuer(certificate: &Certificate, depth: usize) -> PathError {
    PathError::UnknownIssuer {
        subject: certificate.subject().to_string(),
        depth,
        issuer: certificate.issuer().to_string(),
    }
}
