use crate::{
    DeviceKind, Layer, OrganisationId,
    event::CredentialProfile,
    passport::{CertificateFact, Chain, Revocation},
};
use crypto::{KeyError, PublicKey, Sha256, UnixTime};
use pki::{
    Certificate, KeyUsage, ObjectIdentifier,
    validate::{Anchors, DICE_EXTENSIONS, Options, Path, PathError, Purpose, validate},
};
use std::collections::HashMap;

impl CertificateFact {
    /// What there is to say about one of a device's certificates at `now`. The platform and the
    /// verifier of a passport file both ask here.
    ///
    /// The dates of the certificate itself are facts for [`crate::judge`]; those of its issuers
    /// are checked at the moment of its validity that is nearest to `now`.
    ///
    /// # Errors
    /// [`KeyError`] where its key is one that nobody should use.
    pub fn examine(
        certificate: &Certificate,
        profile: Option<CredentialProfile>,
        kind: DeviceKind,
        revocation: Revocation,
        intermediates: &[Certificate],
        anchors: &Anchors,
        now: UnixTime,
    ) -> Result<Self, KeyError> {
        let key = certificate.public_key().map_err(Clone::clone)?;
        let time = now.max(certificate.not_before()).min(certificate.not_after());
        let options = Options {
            purpose: Purpose::Any,
            critical_extensions: DICE_EXTENSIONS.to_vec(),
            ..Options::client(time)
        };
        let chain = match validate(certificate, intermediates, anchors, &options) {
            Ok(_) => Chain::Trusted,
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

/// Finds and validates the certificates of signers, each once.
pub(super) struct Signers<'a> {
    pool: &'a [Certificate],
    by_key: HashMap<Sha256, Vec<&'a Certificate>>,
    anchors: &'a Anchors,
    /// per certificate: the time in which its path is valid
    valid: HashMap<Sha256, (UnixTime, UnixTime)>,
}

impl<'a> Signers<'a> {
    pub(super) fn new(pool: &'a [Certificate], anchors: &'a Anchors) -> Self {
        let mut by_key: HashMap<Sha256, Vec<&Certificate>> = HashMap::new();
        for certificate in pool {
            if let Ok(key) = certificate.public_key() {
                by_key.entry(key.fingerprint()).or_default().push(certificate);
            }
        }
        Self { pool, by_key, anchors, valid: HashMap::new() }
    }

    /// The key `key_id`, where a trusted certificate that `fits` vouches for it at `at`.
    ///
    /// What is signed may have happened before the signer had its certificate, and been reported
    /// after: a certificate younger than `at` is checked at the beginning of its validity.
    pub(super) fn find(
        &mut self,
        key_id: Sha256,
        at: UnixTime,
        usages: &[ObjectIdentifier],
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
        usages: &[ObjectIdentifier],
    ) -> Result<(), PathError> {
        let time = at.max(certificate.not_before());
        let name = certificate.fingerprint();
        if self.valid.get(&name).is_some_and(|(from, to)| (*from..=*to).contains(&time)) {
            return Ok(());
        }
        let options = Options {
            purpose: Purpose::Usages(usages.to_vec()),
            require_extended_key_usage: true,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            allow_ca_leaf: false,
            ..Options::any(time)
        };
        let path: Path = validate(certificate, self.pool, self.anchors, &options)?;
        let from = path.certificates().iter().map(Certificate::not_before).max();
        self.valid.insert(name, (from.unwrap_or(time), path.not_after()));
        Ok(())
    }
}
