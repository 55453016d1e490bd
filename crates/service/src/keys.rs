//! The platform's private keys: sealed in the store, opened when first used, never bytes outside
//! `crypto` (invariant 8).

use crate::{ServiceError, cache::Cache, store::key as store};
use crypto::{
    KeyAlgorithm, PublicKey, Secret, Signer, SoftwareKey, UnixTime,
    agreement::{AgreementKey, Curve},
    sealed::{Cost, SealError, SealingKey, Unlock},
};
use rusqlite::Connection;
use std::sync::Arc;

/// What a key of the platform is for. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Purpose {
    Log = 1,
    Events = 2,
    Passports = 3,
    Ca = 4,
    Ocsp = 5,
    Server = 6,
    /// snapshot and timestamp of an image repository
    Update = 7,
    /// what devices encrypt for their owner
    Messages = 8,
    /// what the door for datagrams shows in place of a certificate
    Datagrams = 9,
}

impl Purpose {
    pub(crate) fn name(number: u8) -> &'static str {
        match number {
            1 => "log",
            2 => "events",
            3 => "passports",
            4 => "ca",
            5 => "ocsp",
            6 => "server",
            7 => "update",
            8 => "messages",
            9 => "datagrams",
            _ => "unknown",
        }
    }
}

/// What a key was used for. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Use {
    Certificate = 1,
    Crl = 2,
    OcspAnswer = 3,
    Checkpoint = 4,
    Event = 5,
    Passport = 6,
    CaRequest = 7,
    Metadata = 8,
    TrustBundle = 9,
}

impl Use {
    pub(crate) fn name(number: u8) -> &'static str {
        match number {
            1 => "certificate",
            2 => "crl",
            3 => "ocsp-answer",
            4 => "checkpoint",
            5 => "event",
            6 => "passport",
            7 => "ca-request",
            8 => "metadata",
            9 => "trust-bundle",
            _ => "unknown",
        }
    }
}

const CANARY_LABEL: &str = "tegata/canary";
const CANARY: &[u8] = b"unlocked";

/// Opens and makes keys.
pub(crate) struct Keys {
    sealing: SealingKey,
    opened: Cache<i64, Arc<dyn Signer>>,
    agreements: Cache<i64, Arc<AgreementKey>>,
}

impl Keys {
    /// For a new store; also returns the canary to keep there.
    pub(crate) fn create(unlock: &Unlock<'_>) -> Result<(Self, Vec<u8>), ServiceError> {
        let sealing = SealingKey::new(unlock, Cost::default()).map_err(|error| seal(&error))?;
        let canary = sealing
            .seal(CANARY_LABEL, &Secret::new(CANARY.to_vec()))
            .map_err(|error| seal(&error))?;
        Ok((Self::with(sealing), canary))
    }

    /// For an existing store.
    pub(crate) fn unlock(unlock: &Unlock<'_>, canary: &[u8]) -> Result<Self, ServiceError> {
        let sealing = SealingKey::of(canary, unlock).map_err(|error| seal(&error))?;
        sealing.open(CANARY_LABEL, canary).map_err(|error| seal(&error))?;
        Ok(Self::with(sealing))
    }

    fn with(sealing: SealingKey) -> Self {
        Self { sealing, opened: Cache::new(10_000), agreements: Cache::new(10_000) }
    }

    /// Makes a key and the row that keeps it.
    pub(crate) fn generate(
        &self,
        purpose: Purpose,
        algorithm: KeyAlgorithm,
        now: UnixTime,
        not_after: UnixTime,
    ) -> Result<(Arc<dyn Signer>, store::KeyRow), ServiceError> {
        let failed = |_| ServiceError::fatal("key-generation", "a key cannot be generated");
        let key = SoftwareKey::generate(algorithm).map_err(failed)?;
        let fingerprint = key.public_key().fingerprint();
        let sealed = self
            .sealing
            .seal(&label(purpose as u8, &fingerprint), &key.to_pkcs8().map_err(failed)?)
            .map_err(|error| seal(&error))?;
        let row = store::KeyRow {
            id: 0,
            purpose: purpose as u8,
            fingerprint,
            algorithm: algorithm.to_string(),
            sealed: Some(sealed),
            created_at: now,
            not_after,
            retired_at: None,
            destroyed_at: None,
        };
        Ok((Arc::new(key), row))
    }

    /// The key of a row, where it is open already.
    pub(crate) fn opened(&self, id: i64) -> Option<Arc<dyn Signer>> {
        self.opened.get(&id)
    }

    /// Forgets a key that was destroyed.
    pub(crate) fn forget(&self, id: i64) {
        self.opened.forget(&id);
        self.agreements.forget(&id);
    }

    /// Makes a key that messages are encrypted for, and the row that keeps it.
    pub(crate) fn generate_agreement(
        &self,
        now: UnixTime,
        not_after: UnixTime,
    ) -> Result<(PublicKey, store::KeyRow), ServiceError> {
        let failed = |_| ServiceError::fatal("key-generation", "a key cannot be generated");
        let key = AgreementKey::generate(Curve::P256).map_err(failed)?;
        let public = key.public().to_certify().map_err(failed)?;
        let fingerprint = public.fingerprint();
        let purpose = Purpose::Messages as u8;
        let secret = key.to_secret().map_err(failed)?;
        let row = store::KeyRow {
            id: 0,
            purpose,
            fingerprint,
            algorithm: KeyAlgorithm::EcdsaP256.to_string(),
            sealed: Some(self.seal_secret(&label(purpose, &fingerprint), &secret)?),
            created_at: now,
            not_after,
            retired_at: None,
            destroyed_at: None,
        };
        Ok((public, row))
    }

    /// The key of a row that messages are encrypted for, opened once.
    pub(crate) fn agreement(
        &self,
        connection: &Connection,
        id: i64,
    ) -> Result<Arc<AgreementKey>, ServiceError> {
        self.agreements.get_or_load(id, || {
            let row = store::key(connection, id)?.ok_or_else(gone)?;
            let sealed = row.sealed.as_ref().ok_or_else(gone)?;
            let secret = self.open_secret(&label(row.purpose, &row.fingerprint), sealed)?;
            let damaged = || ServiceError::fatal("key-damaged", "a sealed key does not open");
            AgreementKey::from_secret(&secret).map(Arc::new).map_err(|_| damaged())
        })
    }

    /// The key of a row, opened once.
    pub(crate) fn signer(
        &self,
        connection: &Connection,
        id: i64,
    ) -> Result<Arc<dyn Signer>, ServiceError> {
        self.opened.get_or_load(id, || {
            let row = store::key(connection, id)?.ok_or_else(gone)?;
            self.open(&row)
        })
    }

    /// Seals a short text for `label`.
    pub(crate) fn seal_text(&self, label: &str, text: &str) -> Result<Vec<u8>, ServiceError> {
        let secret = Secret::new(text.as_bytes().to_vec());
        self.sealing.seal(label, &secret).map_err(|error| seal(&error))
    }

    /// Seals a secret for `label`.
    pub(crate) fn seal_secret(
        &self,
        label: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, ServiceError> {
        self.sealing.seal(label, secret).map_err(|error| seal(&error))
    }

    /// Opens what [`Self::seal_secret`] sealed.
    pub(crate) fn open_secret(&self, label: &str, sealed: &[u8]) -> Result<Secret, ServiceError> {
        self.sealing.open(label, sealed).map_err(|error| seal(&error))
    }

    /// Opens what [`Self::seal_text`] sealed.
    pub(crate) fn open_text(&self, label: &str, sealed: &[u8]) -> Result<String, ServiceError> {
        let secret = self.sealing.open(label, sealed).map_err(|error| seal(&error))?;
        String::from_utf8(secret.expose().to_vec())
            .map_err(|_| ServiceError::fatal("store-damaged", "a sealed text is damaged"))
    }

    fn open(&self, row: &store::KeyRow) -> Result<Arc<dyn Signer>, ServiceError> {
        let sealed = row.sealed.as_ref().ok_or_else(gone)?;
        let secret = self
            .sealing
            .open(&label(row.purpose, &row.fingerprint), sealed)
            .map_err(|error| seal(&error))?;
        let damaged = || ServiceError::fatal("key-damaged", "a sealed key does not open");
        let key = SoftwareKey::from_pkcs8(&secret).map_err(|_| damaged())?;
        if key.public_key().fingerprint() != row.fingerprint {
            return Err(damaged());
        }
        Ok(Arc::new(key))
    }
}

fn gone() -> ServiceError {
    ServiceError::refused("key-destroyed", "the key was destroyed; request a new CA")
}

fn label(purpose: u8, fingerprint: &crypto::Sha256) -> String {
    format!("tegata/{}/{fingerprint}", Purpose::name(purpose))
}

/// Sealing errors are the operator's: a wrong passphrase, a short one.
pub(crate) fn seal(error: &SealError) -> ServiceError {
    match error {
        SealError::Malformed(_) => ServiceError::fatal("key-damaged", error.to_string()),
        _ => ServiceError::unauthenticated("locked", error.to_string()),
    }
}
