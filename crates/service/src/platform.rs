//! What the platform itself needs to run: its server's TLS credential, and the gate for what has
//! no use case of its own.

use crate::{
    Service, ServiceError,
    issue::Order,
    keys::Purpose,
    store::{key, meta},
};
use crypto::{KeyAlgorithm, Signer};
use pki::{AlternativeName, Certificate, Profile, Subject};
use policy::{Action, Caller, Resource};
use std::{net::IpAddr, sync::Arc};

/// Key in `meta`: row of the server's key, then its certificate.
const SERVER_CREDENTIAL: &str = "server-credential";

/// With what the platform's server shows itself.
#[derive(Clone)]
pub struct ServerCredential {
    /// its certificate, then those up to the root, without it
    pub chain: Vec<Certificate>,
    /// its key
    pub key: Arc<dyn Signer>,
}

impl std::fmt::Debug for ServerCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCredential").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Service {
    /// The TLS credential of the platform's server under these names (DNS names or addresses):
    /// made or renewed, key and all, where there is none, where the names differ, or where two
    /// thirds of its life are over.
    ///
    /// # Errors
    /// `no-platform-ca`, `certificate-refused` for a name that breaks its rule.
    pub async fn server_credential(
        &self,
        names: &[String],
    ) -> Result<ServerCredential, ServiceError> {
        let wanted: Vec<AlternativeName> = names
            .iter()
            .map(|name| match name.parse::<IpAddr>() {
                Ok(address) => AlternativeName::Ip(address),
                Err(_) => AlternativeName::Dns(name.clone()),
            })
            .collect();
        let ca = self.platform_ca()?;
        let now = self.now();
        if let Some((row, certificate)) = self.stored_credential()? {
            let (from, to) = (certificate.not_before(), certificate.not_after());
            let fresh = now < from.plus(to.since(from) / 3 * 2);
            let ours =
                self.ca_index()?.issuer_of(&certificate).is_some_and(|issuer| issuer.id == ca.id);
            let mut had: Vec<AlternativeName> = certificate
                .extensions()
                .subject_alt_names()
                .iter()
                .filter_map(AlternativeName::from_general_name)
                .collect();
            let mut want = wanted.clone();
            had.sort_by_key(|name| format!("{name:?}"));
            want.sort_by_key(|name| format!("{name:?}"));
            if fresh && ours && had == want {
                let key = self.read(|connection| self.keys.signer(connection, row))?;
                let chain = std::iter::once(certificate).chain(ca.chain()).collect();
                return Ok(ServerCredential { chain, key });
            }
        }
        let not_after = now.plus(self.config.member_validity_s);
        let (signer, key_row) =
            self.keys.generate(Purpose::Server, KeyAlgorithm::EcdsaP256, now, not_after)?;
        let chain = ca.chain();
        let order = Order {
            ca,
            profile: Profile::Service,
            subject: Subject {
                organisation: self.platform.id.to_string(),
                ..Subject::named("server")
            },
            public_key: signer.public_key().clone(),
            not_after,
            alternative_names: wanted,
            hardware_module: None,
            mud: None,
            organisation: self.platform.organisation.id,
            device: None,
        };
        let caller = Caller::Platform { task: "server-credential" };
        let (certificate, ()) = self
            .issue(
                &caller,
                order,
                |_| Ok(()),
                move |tx, certificate, ()| {
                    let row = key::insert_key(tx, &key_row)?;
                    let mut value = row.to_be_bytes().to_vec();
                    value.extend_from_slice(certificate.der());
                    meta::set(tx, SERVER_CREDENTIAL, &value)
                },
            )
            .await?;
        let chain = std::iter::once(certificate).chain(chain).collect();
        Ok(ServerCredential { chain, key: signer })
    }

    /// The gate for what has no use case of its own, such as a door's metrics: whether the caller
    /// may do `action` on the platform. A refusal is recorded.
    ///
    /// # Errors
    /// `unauthenticated`, `role`.
    pub async fn permit(&self, caller: &Caller, action: Action) -> Result<(), ServiceError> {
        let _permit = self.authorize(caller, action, &Resource::platform())?;
        Ok(())
    }

    fn stored_credential(&self) -> Result<Option<(i64, Certificate)>, ServiceError> {
        let stored = self.read(|connection| meta::value(connection, SERVER_CREDENTIAL))?;
        let read = |bytes: Vec<u8>| {
            let (row, der) = bytes.split_first_chunk::<8>()?;
            Some((i64::from_be_bytes(*row), Certificate::from_der(der).ok()?))
        };
        Ok(stored.and_then(read))
    }
}
