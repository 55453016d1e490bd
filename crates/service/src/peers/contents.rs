//! What goes into the bundles of an owner's devices.

use super::PeerTrustView;
use crate::{
    CaKind, Service, ServiceError, ca::CaEntry, live::HOLD, policies::InForce,
    store::peer_trust as store,
};
use ::peer::{
    AUTHORITIES_MAX, Authority, AuthorityKind, BundleError, Contents, DEVICES_MAX, Line,
    REVOKED_MAX,
};
use crypto::{Sha256, UnixTime, sha256};
use device::{DeviceId, OrganisationId, ProductId};
use std::{collections::BTreeMap, sync::Arc};

/// Seconds for which what was made counts where nothing is known to have changed: a device that is new is
/// told to the others so much later.
const KEPT_S: i64 = 5;

/// What was made of it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Sha256,
    pub(super) life_s: i64,
    at: UnixTime,
}

impl Service {
    /// The contents of the bundles of an owner's devices.
    ///
    /// # Errors
    /// `peer-trust-off`, `trust-bundle-large`, `no-owner-ca`.
    pub(super) fn peer_contents(&self, owner: i64) -> Result<Arc<Made>, ServiceError> {
        let now = self.now();
        if let Some(made) = self.live.peer_contents.get(&owner)
            && (0..KEPT_S).contains(&now.since(made.at))
        {
            return Ok(made);
        }
        self.live.peer_contents.forget(&owner);
        self.live.peer_contents.get_or_load(owner, || self.make_contents(owner, now).map(Arc::new))
    }

    fn make_contents(&self, owner: i64, now: UnixTime) -> Result<Made, ServiceError> {
        let settings = self.read(|connection| store::settings(connection, owner))?;
        let settings = settings.ok_or_else(|| {
            ServiceError::conflict(
                "peer-trust-off",
                "the owner has not chosen that its devices trust others; `tegata trust-bundle set`",
            )
            .in_japanese("所有者が機器間の信頼を設定していません")
        })?;
        let chosen = PeerTrustView::of(settings)?.chosen;
        let (version, policies) = match &*self.policies_in_force(owner)? {
            InForce::Nothing => (0, String::new()),
            InForce::Set(version, policies) => (*version, policies.for_peers().to_owned()),
            // Nothing is permitted by what cannot be read.
            InForce::Broken(version) => (*version, String::new()),
        };
        let contents = Contents {
            authorities: self.authorities_of(owner, &chosen, now)?,
            lines: self.lines_of(owner, &chosen.products)?,
            version,
            policies,
        };
        let bytes = contents.encode().map_err(|error| unfit(&error))?;
        Ok(Made { digest: sha256(&bytes), bytes, life_s: chosen.life_s, at: now })
    }

    /// Who vouches for devices: the owner, and whom it names. An organisation that is suspended vouches for
    /// nobody.
    fn authorities_of(
        &self,
        owner: i64,
        chosen: &super::NewPeerTrust,
        now: UnixTime,
    ) -> Result<Vec<Authority>, ServiceError> {
        let index = self.ca_index()?;
        let mut found: BTreeMap<(u8, OrganisationId, Option<ProductId>), Authority> =
            BTreeMap::new();
        let mut left = REVOKED_MAX;
        for ca in index.all() {
            let organisation = self.organisation_id(ca.organisation)?;
            let kind = match ca.kind {
                CaKind::Owner
                    if ca.organisation == owner || chosen.organisations.contains(&organisation) =>
                {
                    AuthorityKind::Owner
                }
                CaKind::Device if chosen.makers.contains(&organisation) => AuthorityKind::Maker,
                CaKind::Owner | CaKind::Device | CaKind::Platform => continue,
            };
            let suspended = self.organisation_of(ca.organisation)?.suspended_at.is_some();
            if suspended && ca.organisation != owner {
                continue;
            }
            let authority = self.authority(ca, kind, organisation, now, &mut left)?;
            let key = (ca.kind as u8, authority.organisation.clone(), authority.product.clone());
            found.insert(key, authority);
            if found.len() > AUTHORITIES_MAX {
                let error = BundleError::TooLarge("authorities", AUTHORITIES_MAX);
                return Err(unfit_of(&error, &self.organisation_id(ca.organisation)?));
            }
        }
        if !index.all().any(|ca| ca.organisation == owner && ca.kind == CaKind::Owner) {
            return Err(ServiceError::conflict(
                "no-owner-ca",
                "the owner has no CA for its devices yet; request one and let the ceremony sign it",
            ));
        }
        Ok(found.into_values().collect())
    }

    fn authority(
        &self,
        ca: &CaEntry,
        kind: AuthorityKind,
        organisation: OrganisationId,
        now: UnixTime,
        left: &mut usize,
    ) -> Result<Authority, ServiceError> {
        let product = match (kind, ca.product) {
            (AuthorityKind::Maker, product) => {
                self.line_of(ca.organisation, product)?.map(|(_, product)| product)
            }
            (AuthorityKind::Owner, _) => None,
        };
        let rows =
            self.read(|connection| store::revoked(connection, ca.id, now, left.saturating_add(1)))?;
        *left = left.checked_sub(rows.len()).ok_or_else(|| {
            let error = BundleError::TooLarge("revoked certificates", REVOKED_MAX);
            unfit_of(&error, &organisation)
        })?;
        let (mut revoked, mut suspended) = (Vec::new(), Vec::new());
        for (serial, reason) in rows {
            let list = if reason == HOLD { &mut suspended } else { &mut revoked };
            list.push(serial.into_boxed_slice());
        }
        revoked.sort_unstable();
        suspended.sort_unstable();
        let certificate = ca.certificate.clone();
        Ok(Authority { kind, organisation, product, certificate, revoked, suspended })
    }

    /// The owner's devices that stand well, by product line.
    fn lines_of(
        &self,
        owner: i64,
        wanted: &[(OrganisationId, ProductId)],
    ) -> Result<Vec<Line>, ServiceError> {
        let named: Vec<String> =
            wanted.iter().map(|(maker, product)| format!("{maker}/{product}")).collect();
        let named = (!named.is_empty()).then(|| serde_json::json!(named).to_string());
        let most = DEVICES_MAX.saturating_add(1);
        let rows =
            self.read(|connection| store::devices_of(connection, owner, named.as_deref(), most))?;
        if rows.len() > DEVICES_MAX {
            return Err(unfit(&BundleError::TooLarge("devices", DEVICES_MAX)));
        }
        let mut lines: BTreeMap<Option<(OrganisationId, ProductId)>, Vec<DeviceId>> =
            BTreeMap::new();
        for row in rows {
            let product = row
                .product
                .and_then(|(maker, product)| Some((maker.parse().ok()?, product.parse().ok()?)));
            lines.entry(product).or_default().push(DeviceId::from_bytes(row.device_id));
        }
        let sorted = lines.into_iter().map(|(product, mut devices)| {
            devices.sort_unstable();
            Line { product, devices }
        });
        Ok(sorted.collect())
    }
}

/// What of an organisation does not fit into a bundle any more.
fn unfit_of(error: &BundleError, organisation: &OrganisationId) -> ServiceError {
    let message = format!(
        "{error}, with those of {organisation}; name fewer makers and organisations: `tegata \
         trust-bundle set`"
    );
    ServiceError::conflict("trust-bundle-large", message)
        .in_japanese("信頼バンドルの上限を超えています。指定するメーカーと組織を減らしてください")
}

/// What does not fit into a bundle.
fn unfit(error: &BundleError) -> ServiceError {
    let message = format!(
        "{error}; name the product lines that its devices meet: `tegata trust-bundle set --product`"
    );
    ServiceError::conflict("trust-bundle-large", message).in_japanese(
        "信頼バンドルの上限を超えています。機器が出会う製品ラインだけを指定してください",
    )
}
