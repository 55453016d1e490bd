use crate::{
    DeviceKind, Layer, OrganisationId,
    event::CredentialProfile,
    passport::{CertificateFact, Chain, Revocation},
};
use crypto::{KeyError, PublicKey, Sha256, UnixTime};
use pki::{
    Certificate, Crl, KeyUsage, ObjectIdentifier,
    crl::{RevocationReason, RevokedEntry},
    validate::{Anchors, DICE_EXTENSIONS, Limits, Options, Path, PathError, Purpose, validate},
};
use std::collections::HashMap;

impl CertificateFact {
    /// What there is to say about one of a device's certificates at `now`. The platform and the
    /// verifier of a passport file both ask here.
    ///
    /// The dates of the certificate itself are facts for [`crate::judge`]; those of its issuers
    /// are checked at the moment of its validity that is nearest to `now`. `revocation` is what is
    /// known already; the lists in `sources` may add to it.
    ///
    /// # Errors
    /// [`KeyError`] where its key is one that nobody should use.
    pub fn examine(
        certificate: &Certificate,
        profile: Option<CredentialProfile>,
        kind: DeviceKind,
        mut revocation: Revocation,
        sources: &Sources<'_>,
        now: UnixTime,
    ) -> Result<Self, KeyError> {
        let key = certificate.public_key().map_err(Clone::clone)?;
        let time = now.max(certificate.not_before()).min(certificate.not_after());
        let options = Options {
            purpose: Purpose::Any,
            critical_extensions: DICE_EXTENSIONS.to_vec(),
            limits: LIMITS,
            ..Options::client(time)
        };
        let path = validate(certificate, sources.certificates, sources.anchors, &options);
        let chain = match path {
            Ok(path) => match sources.revocation(&path, revocation) {
                Ok(known) => {
                    revocation = known;
                    Chain::Trusted
                }
                Err(error) => Chain::Broken(error.to_string()),
            },
            Err(PathError::UnknownIssuer { .. }) => Chain::UnknownIssuer,
            Err(error @ PathError::Weak { .. }) => Chain::Weak(error.to_string()),
            Err(error) => Chain::Broken(error.to_string()),
        };
        Ok(Self {
            profile,
            layer: layer(profile, kind),
            fingerprint: certificate.fingerprint(),
            serial: certificate.serial().as_bytes().to_vec(),
            key: key.fingerprint(),
            algorithm: key.algorithm(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            organisation: organisation(certificate),
            chain,
            revocation,
        })
    }
}

/// A file brings the CAs of every organisation in a history: more than a peer in a handshake. The
/// work they may cause stays the same.
const LIMITS: Limits =
    Limits { intermediates: super::CERTIFICATES_MAX as usize, ..Limits::DEFAULT };

/// Where certificates are checked against: all of it a stranger's, but for the anchors.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// certificates between leaves and roots, at most [`super::CERTIFICATES_MAX`]
    pub certificates: &'a [Certificate],
    /// revocation lists; complete ones count, deltas do not
    pub crls: &'a [Crl],
    /// trusted roots
    pub anchors: &'a Anchors,
}

impl Sources<'_> {
    /// Whether the leaf of `path` is revoked, where `known` is known already.
    ///
    /// # Errors
    /// [`PathError::Revoked`] where one of its issuers is.
    fn revocation(&self, path: &Path, known: Revocation) -> Result<Revocation, PathError> {
        let mut revocation = known;
        for (depth, (certificate, issuer)) in path.issued().enumerate() {
            for crl in self.lists(certificate, issuer) {
                match crl.entry(certificate.serial()) {
                    Some(entry) if depth > 0 => {
                        return Err(revoked(certificate, depth, entry.at));
                    }
                    Some(entry) => revocation = heed(revocation, entry, crl.this_update()),
                    None if depth == 0 => {
                        let at = crl.this_update();
                        revocation = match revocation {
                            Revocation::Good { as_of } => Revocation::Good { as_of: as_of.max(at) },
                            Revocation::Unknown => Revocation::Good { as_of: at },
                            revoked => revoked,
                        };
                    }
                    None => {}
                }
            }
        }
        Ok(revocation)
    }

    /// The complete lists that would name `certificate`, if `issuer` had revoked it.
    fn lists(&self, certificate: &Certificate, issuer: &Certificate) -> impl Iterator<Item = &Crl> {
        self.crls.iter().filter(move |crl| {
            crl.base_number().is_none() && crl.covers(certificate) && crl.verify(issuer).is_ok()
        })
    }
}

/// A revocation is for ever; a suspension may have been taken back since the list was made.
fn heed(known: Revocation, entry: &RevokedEntry, listed_at: UnixTime) -> Revocation {
    let at = entry.at;
    match (known, entry.reason) {
        (Revocation::Revoked { .. }, _) => known,
        (Revocation::Good { as_of }, RevocationReason::CertificateHold) if as_of > listed_at => {
            known
        }
        (_, RevocationReason::CertificateHold) => Revocation::Suspended { at },
        _ => Revocation::Revoked { at },
    }
}

fn revoked(certificate: &Certificate, depth: usize, since: UnixTime) -> PathError {
    PathError::Revoked { subject: certificate.subject().to_string(), depth, since }
}

fn layer(profile: Option<CredentialProfile>, kind: DeviceKind) -> Layer {
    match (profile, kind) {
        (None, _) => Layer::Service,
        (Some(CredentialProfile::Chip), _) => Layer::Chip,
        (Some(CredentialProfile::Ldevid), _) => Layer::Owner,
        (Some(CredentialProfile::Idevid), DeviceKind::Chip) => Layer::Chip,
        (Some(CredentialProfile::Idevid), DeviceKind::Module | DeviceKind::Board) => Layer::Board,
        (Some(CredentialProfile::Idevid), DeviceKind::Device) => Layer::Device,
    }
}

/// The organisation that a certificate's subject names, where it is one of ours.
pub(super) fn organisation(certificate: &Certificate) -> Option<OrganisationId> {
    certificate.organization().and_then(|name| OrganisationId::new(&name).ok())
}

/// Most path validations for the signers of one file: each organisation needs one per
/// certificate, a stranger's file must not need more.
const VALIDATIONS_MAX: usize = 512;

/// Finds and validates the certificates of signers, each once.
pub(super) struct Signers<'a> {
    sources: Sources<'a>,
    by_key: HashMap<Sha256, Vec<&'a Certificate>>,
    /// per certificate and usages: the time in which its path is valid
    valid: HashMap<(Sha256, &'static [ObjectIdentifier]), (UnixTime, UnixTime)>,
    validations: usize,
}

impl<'a> Signers<'a> {
    pub(super) fn new(sources: Sources<'a>, certificates: &'a [Certificate]) -> Self {
        let mut by_key: HashMap<Sha256, Vec<&Certificate>> = HashMap::new();
        for certificate in certificates {
            if let Ok(key) = certificate.public_key() {
                by_key.entry(key.fingerprint()).or_default().push(certificate);
            }
        }
        Self { sources, by_key, valid: HashMap::new(), validations: 0 }
    }

    /// The key `key_id`, where a trusted certificate that `fits` vouches for it at `at`.
    ///
    /// What is signed may have happened before the signer had its certificate, and been reported
    /// after: a certificate younger than `at` is checked at the beginning of its validity.
    pub(super) fn find(
        &mut self,
        key_id: Sha256,
        at: UnixTime,
        usages: &'static [ObjectIdentifier],
        fits: impl Fn(&Certificate) -> bool,
    ) -> Result<&'a PublicKey, String> {
        let candidates = self.by_key.get(&key_id).cloned().unwrap_or_default();
        let mut why = String::from("its certificate is missing");
        for certificate in candidates {
            if !fits(certificate) {
                why =
                    "its certificate is for another organisation or purpose, or was revoked".into();
                continue;
            }
            match self.validate(certificate, at, usages) {
                Ok(()) => match certificate.public_key() {
                    Ok(key) => return Ok(key),
                    Err(error) => why = error.to_string(),
                },
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }

    fn validate(
        &mut self,
        certificate: &Certificate,
        at: UnixTime,
        usages: &'static [ObjectIdentifier],
    ) -> Result<(), PathError> {
        let time = at.max(certificate.not_before());
        let name = (certificate.fingerprint(), usages);
        if self.valid.get(&name).is_some_and(|(from, to)| (*from..=*to).contains(&time)) {
            return Ok(());
        }
        self.validations += 1;
        if self.validations > VALIDATIONS_MAX {
            return Err(PathError::TooComplex { most: VALIDATIONS_MAX, what: "validated signers" });
        }
        let options = Options {
            purpose: Purpose::Usages(usages.to_vec()),
            require_extended_key_usage: true,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            allow_ca_leaf: false,
            limits: LIMITS,
            ..Options::any(time)
        };
        let path =
            validate(certificate, self.sources.certificates, self.sources.anchors, &options)?;
        let from = path.certificates().iter().map(Certificate::not_before).max();
        let mut to = path.not_after();
        for (depth, (certificate, issuer)) in path.issued().enumerate() {
            for crl in self.sources.lists(certificate, issuer) {
                // What was signed before the revocation stands.
                if let Some(entry) = crl.entry(certificate.serial()) {
                    to = to.min(entry.at.plus(-1));
                    if at >= entry.at {
                        return Err(revoked(certificate, depth, entry.at));
                    }
                }
            }
        }
        self.valid.insert(name, (from.unwrap_or(time), to));
        Ok(())
    }
}
