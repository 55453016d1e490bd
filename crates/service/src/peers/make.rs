//! The bundle of one device.

use super::contents::Made;
use crate::{
    Page, Paged, Service, ServiceError,
    keys::Use,
    own_keys::PASSPORT_CERTIFICATE,
    store::{device as devices, meta, peer_trust as store},
};
use ::peer::{Statement, assemble};
use audit::{Kind, Outcome};
use crypto::UnixTime;
use device::{DeviceId, Phase, StandingKind};
use pki::Certificate;
use policy::{Action, Caller, DeviceCredential, Resource};

/// A bundle as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeTrustBundle {
    /// its number
    pub number: u64,
    /// the file; `None` where the asker has that number already
    pub bytes: Option<Vec<u8>>,
}

/// Which bundle a device was given last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerBundleView {
    /// which device
    pub device: DeviceId,
    /// number of the bundle
    pub number: u64,
    /// when it was made
    pub issued_at: UnixTime,
    /// until when a decision may rest on it
    pub expires: UnixTime,
    /// when the device fetched it; `None`: it has not, or it was carried there
    pub fetched_at: Option<UnixTime>,
    /// whether it holds what a new one would
    pub newest: bool,
}

impl Service {
    /// The trust bundle of a device, for itself or for who carries it there. As long as nothing has changed
    /// and not half of its time is over it is the one that was made before; `known` is the number that the
    /// asker has.
    ///
    /// # Errors
    /// `not-found`, `role`; `operational-identity` where the device does not show its present owner's
    /// certificate, `device-standing`, `peer-trust-off`, `trust-bundle-large`, `no-owner-ca`,
    /// `no-platform-ca`.
    pub async fn trust_bundle(
        &self,
        caller: &Caller,
        device: &DeviceId,
        known: Option<u64>,
    ) -> Result<MadeTrustBundle, ServiceError> {
        let id = *device;
        let row = self.read(|connection| devices::device(connection, id.as_bytes()))?;
        let Some(row) = row else {
            let _permit = self.authorize(caller, Action::FetchTrustBundle, &Resource::unknown())?;
            return Err(ServiceError::not_found("device"));
        };
        let owner = self.organisation_id(row.owner)?;
        let resource = Resource::device(id, &owner);
        let _permit = self.authorize(caller, Action::FetchTrustBundle, &resource)?;
        let itself = match caller {
            Caller::Device { organisation, credential, .. } => {
                if *credential != DeviceCredential::Ldevid || *organisation != owner {
                    return Err(ServiceError::forbidden(
                        "operational-identity",
                        "the device has to show the certificate of its present owner; enrol it there",
                    ));
                }
                true
            }
            _ => false,
        };
        let standing = StandingKind::from_code(row.standing.into());
        let phase = Phase::from_code(row.phase.into());
        let in_use = !matches!(phase, None | Some(Phase::Retired | Phase::Disposed));
        if standing != Some(StandingKind::Good) || !in_use {
            return Err(ServiceError::conflict(
                "device-standing",
                "the device is suspended, revoked or out of use; it is given no trust bundle",
            )
            .in_japanese(
                "この機器は停止・失効または使用終了のため、信頼バンドルを発行できません",
            ));
        }
        let made = self.peer_contents(row.owner)?;
        let (signer, kept) = self.read(|connection| {
            Ok((meta::value(connection, PASSPORT_CERTIFICATE)?, store::bundle(connection, row.id)?))
        })?;
        let signer = signer.ok_or_else(no_signer)?;
        let now = self.now();
        let fresh = |kept: &store::BundleRow| {
            let half = kept.expires.since(kept.issued_at) / 2;
            kept.contents == made.digest.0
                && kept.owner == row.owner
                && kept.signer == signer
                && kept.expires.since(kept.issued_at) == made.life_s
                && (0..half).contains(&now.since(kept.issued_at))
        };
        let bundle = match kept.filter(fresh) {
            Some(kept) => kept,
            None => self.sign_bundle((row.id, id, row.owner), &made, signer).await?,
        };
        if known == Some(bundle.number) {
            return Ok(MadeTrustBundle { number: bundle.number, bytes: None });
        }
        if itself && bundle.fetched_at.is_none() {
            let number = bundle.number;
            self.commit(move |tx| store::fetched(tx, row.id, number, now)).await?;
        }
        let bytes = self.file(&bundle, &made)?;
        if !itself {
            // It leaves the platform by another's hand, newly signed or not.
            let event = self
                .event(caller, Kind::CredentialChange, Outcome::Success)
                .organisation(owner.as_str())
                .subject(&id.to_string())
                .detail("what", "trust-bundle")
                .detail("number", &bundle.number.to_string());
            self.commit(move |tx| tx.audit(&event).map(|_| ())).await?;
        }
        Ok(MadeTrustBundle { number: bundle.number, bytes: Some(bytes) })
    }

    /// Signs a new one. Its number is durable before, and no other ever has it.
    async fn sign_bundle(
        &self,
        (row, device, owner): (i64, DeviceId, i64),
        made: &Made,
        signer: Vec<u8>,
    ) -> Result<store::BundleRow, ServiceError> {
        let key = self.platform.keys.passports();
        let certified = Certificate::from_der(&signer).map_err(|_| no_signer())?;
        if certified.spki_der() != key.signer.public_key().spki() {
            return Err(ServiceError::unavailable(
                "key-rotating",
                "the platform's key is being replaced; repeat in a moment",
            ));
        }
        let now = self.now();
        let number = self.commit(move |tx| store::next_number(tx, row)).await?;
        let statement = Statement {
            platform: self.platform.id.clone(),
            device,
            owner: self.organisation_id(owner)?,
            number,
            issued_at: now,
            expires: now.plus(made.life_s),
            contents: made.digest,
        };
        let signed = statement
            .sign(key.signer.as_ref())
            .map_err(|error| ServiceError::unavailable("signing-failed", error.to_string()))?;
        let bundle = store::BundleRow {
            device: row,
            device_id: *device.as_bytes(),
            number,
            owner,
            issued_at: now,
            expires: statement.expires,
            contents: made.digest.0,
            statement: signed,
            signer,
            fetched_at: None,
        };
        let kept = bundle.clone();
        let key = key.row;
        self.commit(move |tx| {
            store::keep(tx, &kept)?;
            tx.count_key_use(key, Use::TrustBundle as u8, now);
            Ok(())
        })
        .await?;
        Ok(bundle)
    }

    fn file(&self, bundle: &store::BundleRow, made: &Made) -> Result<Vec<u8>, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a trust bundle's row is damaged");
        let signer = Certificate::from_der(&bundle.signer).map_err(|_| damaged())?;
        let index = self.ca_index()?;
        let above = index.issuer_of(&signer).map(|ca| ca.certificate.clone());
        let certificates: Vec<_> = std::iter::once(signer).chain(above).collect();
        assemble(&bundle.statement, &made.bytes, &certificates)
            .map_err(|error| ServiceError::fatal("trust-bundle", error.to_string()))
    }

    /// Which bundles the organisation's devices were given last.
    ///
    /// # Errors
    /// `role`, `page`.
    pub async fn peer_bundles(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Paged<PeerBundleView>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| {
            store::bundles_of(connection, row.id, after, limit.saturating_add(1))
        })?;
        let newest = match self.peer_contents(row.id) {
            Ok(made) => Some(made.digest.0),
            Err(error) if error.code() == "peer-trust-off" => None,
            Err(error) => return Err(error),
        };
        Paged::cut(rows, limit, |row| row.device.to_string()).try_map(|row| {
            Ok(PeerBundleView {
                device: DeviceId::from_bytes(row.device_id),
                number: row.number,
                issued_at: row.issued_at,
                expires: row.expires,
                fetched_at: row.fetched_at,
                newest: newest == Some(row.contents),
            })
        })
    }
}

fn no_signer() -> ServiceError {
    ServiceError::refused(
        "no-platform-ca",
        "the platform's signer has no certificate yet; install the platform's CA",
    )
}
