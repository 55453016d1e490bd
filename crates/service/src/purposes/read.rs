//! What people see of consents: what there is to decide, what stands, and who decided what.

use super::declare::PurposeView;
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{organisation as organisations, purpose as store},
};
use admission::{Basis, ConsentDecision, Decided, agreed_since};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId, ProductId};
use policy::{Action, Caller, Resource};

/// Product lines of which an organisation sees the purposes.
const LINES_MAX: usize = 100;
/// Devices with a decision of their own that are counted.
const EXCEPTIONS_MAX: usize = 10_000;

/// The purposes of a product line, as an owner of its devices sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductConsents {
    /// whose product line
    pub maker: OrganisationId,
    /// which
    pub product: ProductId,
    /// its name
    pub name: String,
    /// its purposes
    pub purposes: Vec<PurposeConsent>,
}

/// A purpose and what was decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposeConsent {
    /// the purpose, in the version in force
    pub purpose: PurposeView,
    /// whether data may be used for it now: of the device, or of the organisation's devices without a
    /// decision of their own
    pub stands: bool,
    /// the newest decision for all of the organisation's devices, and about which version
    pub organisation: Option<(ConsentDecision, u64, UnixTime)>,
    /// the newest decision for the device, where one was asked about
    pub device: Option<(ConsentDecision, u64, UnixTime)>,
    /// devices for which it is given, and for which it is withdrawn, by a decision of their own
    pub exceptions: (u64, u64),
}

/// A decision on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentDecisionView {
    /// whose product line
    pub maker: OrganisationId,
    /// which
    pub product: ProductId,
    /// about which purpose
    pub purpose: String,
    /// about which version of its text
    pub version: u64,
    /// for which device; `None`: for all
    pub device: Option<DeviceId>,
    /// what
    pub decision: ConsentDecision,
    /// why, where the platform ended it
    pub reason: Option<String>,
    /// by whom
    pub by: String,
    /// when
    pub at: UnixTime,
}

fn told(decided: &Decided) -> (ConsentDecision, u64, UnixTime) {
    (decided.decision, decided.version, decided.at)
}

impl Service {
    /// What an organisation has to decide, and what it decided: the purposes of the product lines of which
    /// it has devices.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn purpose_consents(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<ProductConsents>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadConsents, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let lines =
            self.read(|connection| store::products_of_owner(connection, owner, LINES_MAX))?;
        let mut all = Vec::new();
        for line in lines {
            let found = self.line_consents(owner, line, None)?;
            all.extend(found.filter(|it| !it.purposes.is_empty()));
        }
        Ok(all)
    }

    /// The purposes of a device's product line, and what its owner decided for it.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn device_consents(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Option<ProductConsents>, ServiceError> {
        let row = self.device_for(caller, Action::ReadConsents, device)?.row;
        let Some(product) = row.product else { return Ok(None) };
        self.line_consents(row.owner, product, Some(row.id))
    }

    /// What an organisation decided, the newest first; of one device where it is named.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn consent_history(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        device: Option<&DeviceId>,
        page: &Page,
    ) -> Result<Paged<ConsentDecisionView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadConsents, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let device = match device {
            // A device that has gone to somebody else has a history with this organisation still.
            Some(device) => {
                let row = self.read(|connection| {
                    crate::store::device::device(connection, device.as_bytes())
                })?;
                let Some(row) = row else { return Ok(Paged { items: Vec::new(), next: None }) };
                Some(row.id)
            }
            None => None,
        };
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let rows = self.read(|connection| {
            store::decisions(connection, owner, device, before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| {
            let (maker, product, _) = self.line_named(row.product)?;
            Ok(ConsentDecisionView {
                maker,
                product,
                purpose: row.purpose,
                version: row.version,
                device: row.device.map(DeviceId::from_bytes),
                decision: row.decision,
                reason: row.reason,
                by: row.by,
                at: row.at,
            })
        })
    }

    /// The purposes of a product line that have not ended, for anybody who looks at its public page.
    pub(crate) fn public_purposes(&self, product: i64) -> Result<Vec<PurposeView>, ServiceError> {
        let rows = self.read(|connection| store::of_product(connection, product))?;
        rows.into_iter().filter(|row| !row.ended).map(PurposeView::of).collect()
    }

    fn line_consents(
        &self,
        owner: i64,
        product: i64,
        device: Option<i64>,
    ) -> Result<Option<ProductConsents>, ServiceError> {
        let (maker, line, name) = self.line_named(product)?;
        let purposes = self.read(|connection| {
            let mut all = Vec::new();
            for row in store::of_product(connection, product)? {
                let of = (owner, row.purpose);
                let organisation = store::decided(connection, of, None)?;
                let own = match device {
                    Some(device) => store::decided(connection, of, Some(device))?,
                    None => None,
                };
                let (basis, version) = (&row.says.basis, row.version);
                let since = agreed_since(basis, version, organisation.as_ref(), own.as_ref());
                let exceptions = match (device, basis) {
                    (None, Basis::Consent) => {
                        let of = (owner, row.purpose, version);
                        store::exceptions(connection, of, EXCEPTIONS_MAX)?
                    }
                    _ => (0, 0),
                };
                all.push(PurposeConsent {
                    stands: since.is_some() && !row.ended,
                    purpose: PurposeView::of(row)?,
                    organisation: organisation.as_ref().map(told),
                    device: own.as_ref().map(told),
                    exceptions,
                });
            }
            Ok(all)
        })?;
        Ok(Some(ProductConsents { maker, product: line, name, purposes }))
    }

    fn line_named(
        &self,
        product: i64,
    ) -> Result<(OrganisationId, ProductId, String), ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a product's row is damaged");
        let row = self.live.products_by_id.get_or_load(product, || {
            let row = self.read(|connection| organisations::product_by_id(connection, product))?;
            Ok(row.map(std::sync::Arc::new))
        })?;
        let row = found(row, "product line")?;
        let id = row.slug.parse::<ProductId>().map_err(|_| damaged())?;
        Ok((self.organisation_id(row.organisation)?, id, row.name.clone()))
    }
}
