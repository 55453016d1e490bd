//! Use cases about the keys with which organisations sign life events.

use crate::{
    Service, ServiceError,
    csr::unused_key,
    issue::Order,
    live::found,
    store::{
        Effect,
        organisation::{self as store, SignerRow},
    },
};
use crypto::{PublicKey, Sha256, Signer, UnixTime, cose::Sign1};
use device::OrganisationId;
use pki::{Certificate, Profile, Subject};
use policy::{Action, Caller, Resource};

/// Content type of the proof that an organisation holds its signing key: a COSE_Sign1 by that key
/// whose payload is the organisation's id.
pub const SIGNER_PROOF_CONTENT_TYPE: &str = "application/vnd.tegata.signer-proof";

/// A key that signs life events.
#[derive(Debug, Clone)]
pub struct SignerView {
    /// whose
    pub organisation: OrganisationId,
    /// the key
    pub key: PublicKey,
    /// its certificate, which outsiders verify by
    pub certificate: Certificate,
    /// since when
    pub not_before: UnixTime,
    /// until when
    pub not_after: UnixTime,
    /// since when it is retired
    pub retired_at: Option<UnixTime>,
}

/// A signing key to be registered.
#[derive(Debug, Clone)]
pub struct NewSigner {
    /// whose
    pub organisation: OrganisationId,
    /// SubjectPublicKeyInfo in DER
    pub spki: Vec<u8>,
    /// COSE_Sign1 by that key over the organisation's id, [`SIGNER_PROOF_CONTENT_TYPE`]
    pub proof: Vec<u8>,
}

impl Service {
    /// Registers a key with which the organisation signs life events, and certifies it.
    ///
    /// # Errors
    /// `signer-key`, `signer-proof`, `signer-exists`, `no-platform-ca`, `role`.
    pub async fn register_signer(
        &self,
        caller: &Caller,
        new: NewSigner,
    ) -> Result<SignerView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::RegisterSigner, &resource)?;
        // What the platform says it says by its own key, which nobody holds.
        if new.organisation == self.platform.id {
            return Err(ServiceError::forbidden(
                "platform-signer",
                "the platform signs events by itself; no other key speaks for it",
            ));
        }
        let key = PublicKey::from_spki(&new.spki)
            .map_err(|error| ServiceError::refused("signer-key", error.to_string()))?;
        let proof = Sign1::parse(&new.proof)
            .map_err(|error| ServiceError::malformed("signer-proof", error.to_string()))?;
        let proved = proof.content_type() == SIGNER_PROOF_CONTENT_TYPE
            && proof
                .verify(&key, b"")
                .is_ok_and(|payload| **payload == *new.organisation.as_str().as_bytes());
        if !proved {
            return Err(ServiceError::refused(
                "signer-proof",
                "the proof of possession is not a signature of the organisation's id by this key",
            ));
        }
        let organisation = self.organisation_row(new.organisation.as_str())?;
        let ca = self.platform_ca()?;
        let now = self.now();
        let order = Order {
            ca,
            profile: Profile::OrganisationSigner,
            subject: Subject {
                organisation: new.organisation.to_string(),
                ..Subject::named("event signer")
            },
            public_key: key.clone(),
            not_after: now.plus(self.config.member_validity_s),
            alternative_names: Vec::new(),
            hardware_module: None,
            mud: None,
            organisation: organisation.id,
            device: None,
        };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(&key.fingerprint().to_string())
            .detail("what", "signer-registered");
        let (fingerprint, spki) = (key.fingerprint(), new.spki);
        let (certificate, ()) = self
            .issue(
                caller,
                order,
                move |tx| {
                    match store::signer(tx, &fingerprint)? {
                        None => unused_key(tx, &fingerprint),
                        // Registering a key again renews its certificate.
                        Some(own)
                            if own.organisation == organisation.id && own.retired_at.is_none() =>
                        {
                            Ok(())
                        }
                        Some(_) => Err(ServiceError::conflict(
                            "signer-exists",
                            "this key is registered to another organisation or retired; make a \
                             new one",
                        )),
                    }
                },
                move |tx, certificate, ()| {
                    store::insert_signer(
                        tx,
                        &SignerRow {
                            id: 0,
                            organisation: organisation.id,
                            fingerprint,
                            spki,
                            certificate: certificate.der().to_vec(),
                            not_before: certificate.not_before(),
                            not_after: certificate.not_after(),
                            retired_at: None,
                        },
                    )?;
                    tx.effect(Effect::Directory);
                    tx.audit(&event).map(|_| ())
                },
            )
            .await?;
        Ok(SignerView {
            organisation: new.organisation,
            key,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            certificate,
            retired_at: None,
        })
    }

    /// Retires a signing key: nothing that it signs is recorded from now on.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn retire_signer(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        key: &Sha256,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::RetireSigner, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let now = self.now();
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&key.to_string())
            .detail("what", "signer-retired");
        let key = *key;
        self.commit(move |tx| {
            let signer = store::signer(tx, &key)?.filter(|signer| signer.organisation == row.id);
            store::retire_signer(tx, found(signer, "signer")?.id, now)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Signing keys of an organisation.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn signers(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<SignerView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadOrganisation, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let damaged = || ServiceError::fatal("store-damaged", "a signer's row is damaged");
        self.read(|connection| store::signers(connection, row.id))?
            .into_iter()
            .map(|row| {
                Ok(SignerView {
                    organisation: organisation.clone(),
                    key: PublicKey::from_spki(&row.spki).map_err(|_| damaged())?,
                    certificate: Certificate::from_der(&row.certificate).map_err(|_| damaged())?,
                    not_before: row.not_before,
                    not_after: row.not_after,
                    retired_at: row.retired_at,
                })
            })
            .collect()
    }
}

/// The proof that [`Service::register_signer`] wants: the organisation's id, signed by the key that
/// is to be registered.
///
/// # Errors
/// `signing-failed`.
pub fn signer_proof(
    signer: &dyn Signer,
    organisation: &OrganisationId,
) -> Result<Vec<u8>, ServiceError> {
    Sign1::sign(signer, SIGNER_PROOF_CONTENT_TYPE, organisation.as_str().as_bytes(), b"")
        .map_err(|error| ServiceError::unavailable("signing-failed", error.to_string()))
}
