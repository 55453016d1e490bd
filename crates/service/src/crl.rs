//! Certificate revocation lists (RFC 5280 section 5): made when asked for, kept while nothing
//! changes, numbered and accounted for in the store.

use crate::{
    Service, ServiceError,
    keys::Use,
    live::found,
    ocsp,
    store::{certificate, key, meta},
};
use crypto::UnixTime;
use pki::{
    Certificate, Crl,
    crl::{CrlRequest, RevokedEntry},
    ocsp::Caching,
};
use policy::{Action, Caller, Resource};
use std::sync::Arc;

/// Name under which a root's CRL is served.
pub const ROOT: &str = "root";
const ROOT_CRL: &str = "root-crl";

/// A CRL as it is served.
#[derive(Debug, Clone)]
pub struct CrlView {
    /// CertificateList in DER
    pub der: Vec<u8>,
    /// crlNumber
    pub number: u64,
    /// when it was made
    pub this_update: UnixTime,
    /// when the next one comes at the latest
    pub next_update: UnixTime,
}

impl CrlView {
    /// HTTP caching headers.
    pub fn caching(&self, now: UnixTime) -> Caching {
        Caching::of(&self.der, self.this_update, self.next_update, now)
    }
}

impl Service {
    /// The CRL of a CA by its name, or of the root ([`ROOT`]). Public.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn crl(&self, ca: &str) -> Result<Arc<CrlView>, ServiceError> {
        if ca == ROOT {
            return self.root_crl();
        }
        let entry = self.ca_by_slug(ca)?;
        let now = self.now();
        let epoch = self.live.epoch();
        if let Ok(kept) = self.live.crls.get_or_load(entry.id, || Err(ServiceError::stopped()))
            && now < kept.next_update
        {
            return Ok(kept);
        }
        self.live.crls.forget(&entry.id);
        let signer = self.read(|connection| self.keys.signer(connection, entry.key))?;
        let (id, key_row) = (entry.id, entry.key);
        // The number and the use of the key are durable before the list exists.
        let (number, entries) = self
            .commit(move |tx| {
                let number = key::next_crl_number(tx, id)?;
                key::insert_key_use(
                    tx,
                    key_row,
                    now,
                    Use::Crl as u8,
                    &number.to_be_bytes(),
                    "crl",
                )?;
                let mut entries = Vec::new();
                certificate::each_revocation(tx, Some(id), |row| {
                    if let Ok(serial) = ocsp::serial(&row.serial) {
                        let reason = ocsp::reason(row.reason);
                        entries.push(RevokedEntry { serial, at: row.at, reason });
                    }
                })?;
                Ok((number, entries))
            })
            .await?;
        let request = CrlRequest {
            number,
            this_update: now,
            next_update: now.plus(self.config.crl_validity_s),
            entries,
            shard: None,
            only_user_certificates: false,
            base_number: None,
        };
        let refused =
            |error: pki::crl::CrlError| ServiceError::unavailable("crl-refused", error.to_string());
        let crl = Crl::prepare(&entry.issuer, &request)
            .and_then(|prepared| prepared.sign(signer.as_ref()))
            .map_err(refused)?;
        let view = Arc::new(CrlView {
            der: crl.der().to_vec(),
            number,
            this_update: now,
            next_update: request.next_update,
        });
        // What was revoked meanwhile is not in it: then it is given out, and not kept.
        if self.live.epoch() == epoch {
            self.live.crls.get_or_load(entry.id, || Ok(Arc::clone(&view)))?;
        }
        Ok(view)
    }

    /// Takes the CRL that the ceremony made for the root's own certificates, to be served.
    ///
    /// # Errors
    /// `crl-untrusted` where no imported root signed it.
    pub async fn import_root_crl(&self, caller: &Caller, der: &[u8]) -> Result<(), ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let crl = Crl::parse(der)
            .map_err(|error| ServiceError::malformed("crl-malformed", error.to_string()))?;
        let anchors = self.anchors()?;
        let signed = anchors.iter().any(|root: &Certificate| crl.verify(root).is_ok());
        if !signed {
            return Err(ServiceError::refused(
                "crl-untrusted",
                "no root of this installation signed this CRL; import the root first",
            ));
        }
        let bytes = der.to_vec();
        self.commit(move |tx| meta::set(tx, ROOT_CRL, &bytes)).await
    }

    fn root_crl(&self) -> Result<Arc<CrlView>, ServiceError> {
        let der = found(self.read(|connection| meta::value(connection, ROOT_CRL))?, "CRL")?;
        let crl = Crl::parse(&der)
            .map_err(|_| ServiceError::fatal("store-damaged", "the root's CRL is damaged"))?;
        Ok(Arc::new(CrlView {
            number: crl.number().unwrap_or_default(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            der,
        }))
    }
}
