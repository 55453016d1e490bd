//! Raw public keys (RFC 7250): which certificate a device means that shows its key alone, and the key that the
//! server shows to such devices. docs/coap.md.
//!
//! A key says less than a certificate, and opens no more: it stands for the certificate that the platform
//! holds for it, which is then looked at as if it had been shown.

use crate::{
    Service, ServiceError,
    keys::Purpose,
    live::found,
    store::{
        Effect, ShownKey,
        certificate::{self as certificates, CertificateRow},
        device as devices, key as keys,
    },
};
use crypto::{KeyAlgorithm, PublicKey, Signer, UnixTime, sha256};
use device::DeviceId;
use pki::{Certificate, Profile};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::watch;

/// What a raw key means.
enum Meant {
    Current(Certificate),
    Former(DeviceId),
    Several,
    Nobody,
}

impl Service {
    /// The certificate that a device shows by its SubjectPublicKeyInfo alone: its current LDevID, or the
    /// IDevID of a device whose key has no LDevID. Whether that works is still to be asked.
    ///
    /// # Errors
    /// `raw-key-unknown` where no device has such a certificate, `raw-key-former` where the device has
    /// another one by now, `raw-key-ambiguous` where several holders have the key.
    pub fn certificate_of_key(&self, spki: &[u8]) -> Result<Certificate, ServiceError> {
        match self.read(|connection| meant(connection, spki))? {
            Meant::Current(certificate) => Ok(certificate),
            Meant::Nobody => Err(ServiceError::unauthenticated(
                "raw-key-unknown",
                "no device has a certificate for this public key here; enrol it, or show the \
                 certificate",
            )),
            Meant::Former(device) => Err(ServiceError::unauthenticated(
                "raw-key-former",
                format!(
                    "device {device} has had a certificate for another key since; use the key of \
                     its newest certificate"
                ),
            )),
            Meant::Several => Err(ServiceError::unauthenticated(
                "raw-key-ambiguous",
                "several holders have a certificate for this public key, so it is nobody's name; \
                 show the certificate, and give each of them a key of its own",
            )),
        }
    }

    /// The key that the server shows to devices that want a public key and no certificate. It outlives
    /// restarts and the server's certificates, because devices know it by itself; made when it is first
    /// asked for.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn raw_server_key(&self) -> Result<Arc<dyn Signer>, ServiceError> {
        if self.kept_server_key()?.is_none() {
            self.make_server_key().await?;
        }
        let key = self.kept_server_key()?.ok_or_else(|| ServiceError::not_found("server key"))?;
        self.live.server_key.send_if_modified(|shown| {
            let first = shown.is_none();
            // What is there is newer, or the same.
            shown.get_or_insert_with(|| key.clone());
            first
        });
        Ok(key)
    }

    /// [`Self::raw_server_key`] as it is replaced; none until somebody asked for it.
    pub fn raw_server_keys(&self) -> watch::Receiver<Option<Arc<dyn Signer>>> {
        self.live.server_key.subscribe()
    }

    async fn make_server_key(&self) -> Result<(), ServiceError> {
        let (now, algorithm) = (self.now(), KeyAlgorithm::EcdsaP256);
        let (_, new) = self.keys.generate(Purpose::Datagrams, algorithm, now, UnixTime::NEVER)?;
        let caller = Caller::Platform { task: "raw server key" };
        let event = self
            .event(&caller, audit::Kind::KeyLifecycle, audit::Outcome::Success)
            .subject(&new.fingerprint.to_string())
            .detail("purpose", Purpose::name(Purpose::Datagrams as u8))
            .detail("what", "made");
        self.commit(move |tx| {
            if keys::key_for(tx, Purpose::Datagrams as u8)?.is_none() {
                keys::insert_key(tx, &new)?;
                tx.audit(&event)?;
            }
            Ok(())
        })
        .await
    }

    /// Puts another key in the place of [`Self::raw_server_key`] and destroys that. It is shown from the next
    /// handshake on; who is connected stays.
    ///
    /// # Errors
    /// `role`; `not-found` where there is none yet.
    pub async fn rotate_raw_server_key(&self, caller: &Caller) -> Result<PublicKey, ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let (now, algorithm) = (self.now(), KeyAlgorithm::EcdsaP256);
        let (signer, new) =
            self.keys.generate(Purpose::Datagrams, algorithm, now, UnixTime::NEVER)?;
        let event = self
            .event(caller, audit::Kind::KeyLifecycle, audit::Outcome::Success)
            .subject(&new.fingerprint.to_string())
            .detail("purpose", Purpose::name(Purpose::Datagrams as u8))
            .detail("what", "rotated");
        let shown = ShownKey(Arc::clone(&signer));
        self.commit(move |tx| {
            let old = found(keys::key_for(tx, Purpose::Datagrams as u8)?, "server key")?;
            keys::insert_key(tx, &new)?;
            keys::destroy_key(tx, old.id, now)?;
            // Also where nobody waits any more for this to end.
            tx.effect(Effect::ServerKey(shown));
            tx.audit(&event.detail("retired", &old.fingerprint.to_string())).map(|_| ())
        })
        .await?;
        Ok(signer.public_key().clone())
    }

    /// The public half of [`Self::raw_server_key`], for whoever sets devices up. Public.
    ///
    /// # Errors
    /// `not-found` where no server has shown one yet.
    pub fn shown_server_key(&self) -> Result<PublicKey, ServiceError> {
        let key = self.kept_server_key()?;
        Ok(key.ok_or_else(|| ServiceError::not_found("server key"))?.public_key().clone())
    }

    fn kept_server_key(&self) -> Result<Option<Arc<dyn Signer>>, ServiceError> {
        self.read(|connection| {
            let row = keys::key_for(connection, Purpose::Datagrams as u8)?;
            row.map(|row| self.keys.signer(connection, row.id)).transpose()
        })
    }
}

fn meant(connection: &Connection, spki: &[u8]) -> Result<Meant, ServiceError> {
    let mut holders: Vec<(CertificateRow, Certificate)> = Vec::new();
    for row in certificates::certificates_of_key(connection, &sha256(spki))? {
        let damaged = |_| ServiceError::fatal("store-damaged", "a certificate is damaged");
        let certificate = Certificate::from_der(&row.der).map_err(damaged)?;
        // A part's certificate opens no door, and its device may have the same key.
        if certificate.spki_der() == spki && row.profile != Profile::Chip as u8 {
            holders.push((row, certificate));
        }
    }
    let Some((first, _)) = holders.first() else { return Ok(Meant::Nobody) };
    if holders.iter().any(|(row, _)| row.device != first.device) {
        return Ok(Meant::Several);
    }
    // Servers, members and CAs are no devices.
    let Some(device) = first.device else { return Ok(Meant::Nobody) };
    for profile in [Profile::Ldevid, Profile::Idevid] {
        let of_profile = holders.iter().position(|(row, _)| row.profile == profile as u8);
        let Some(at) = of_profile else { continue };
        let (row, certificate) = holders.swap_remove(at);
        if certificates::newest_of(connection, device, row.profile)? == Some(row.id) {
            return Ok(Meant::Current(certificate));
        }
        let id = devices::device_by_row(connection, device)?.map(|row| row.device_id);
        return Ok(id.map_or(Meant::Nobody, |id| Meant::Former(DeviceId::from_bytes(id))));
    }
    Ok(Meant::Nobody)
}
