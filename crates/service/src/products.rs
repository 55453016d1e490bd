//! Use cases about product lines.

use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    organisations::check_name,
    store::{
        Effect,
        organisation::{self as store, ProductRow},
    },
};
use crypto::UnixTime;
use device::{DeviceKind, OrganisationId, ProductId, RootOfTrust};
use policy::{Action, Caller, Resource};

/// A product line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductView {
    /// its maker
    pub organisation: OrganisationId,
    /// its id
    pub id: ProductId,
    /// its name
    pub name: String,
    /// model designation
    pub model: String,
    /// chip, module, board or device
    pub kind: DeviceKind,
    /// what keeps the keys
    pub root_of_trust: RootOfTrust,
    /// end of support, where promised
    pub support_end: Option<UnixTime>,
    /// validity of its devices' LDevIDs in seconds, where it is not the installation's
    pub ldevid_validity_s: Option<u32>,
    /// since when
    pub created_at: UnixTime,
}

/// A product line to be created.
#[derive(Debug, Clone)]
pub struct NewProduct {
    /// its maker
    pub organisation: OrganisationId,
    /// its id
    pub id: ProductId,
    /// its name
    pub name: String,
    /// model designation
    pub model: String,
    /// chip, module, board or device
    pub kind: DeviceKind,
    /// what keeps the keys
    pub root_of_trust: RootOfTrust,
    /// end of support, where promised
    pub support_end: Option<UnixTime>,
    /// validity of its devices' LDevIDs in seconds, where it is not the installation's
    pub ldevid_validity_s: Option<u32>,
}

impl Service {
    /// Creates a product line.
    ///
    /// # Errors
    /// `not-a-maker`, `product-exists`, `name`, `role`.
    pub async fn create_product(
        &self,
        caller: &Caller,
        new: NewProduct,
    ) -> Result<ProductView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::CreateProduct, &resource)?;
        check_name(&new.name)?;
        check_name(&new.model)?;
        if new.ldevid_validity_s.is_some_and(|seconds| seconds < 2) {
            return Err(ServiceError::malformed(
                "ldevid-validity",
                "an LDevID must be valid for at least 2 seconds",
            ));
        }
        let organisation = self.organisation_row(new.organisation.as_str())?;
        let maker = device::Roles::from_bits(organisation.roles.into())
            .is_some_and(|roles| roles.has(device::Roles::MAKER));
        if !maker {
            return Err(ServiceError::refused(
                "not-a-maker",
                "only an organisation that is registered as a maker has product lines",
            ));
        }
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .subject(new.id.as_str())
            .detail("what", "product-created");
        let row = ProductRow {
            id: 0,
            organisation: organisation.id,
            slug: new.id.to_string(),
            name: new.name,
            model: new.model,
            kind: new.kind.code(),
            root_of_trust: new.root_of_trust.code(),
            support_end: new.support_end,
            ldevid_s: new.ldevid_validity_s,
            created_at: self.now(),
        };
        let view = product_view(new.organisation, row.clone())?;
        self.commit(move |tx| {
            if store::product(tx, row.organisation, &row.slug)?.is_some() {
                return Err(ServiceError::conflict(
                    "product-exists",
                    format!("a product line is called {} already; choose another id", row.slug),
                ));
            }
            store::insert_product(tx, &row)?;
            tx.effect(Effect::Directory);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(view)
    }

    /// A product line.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn product(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<ProductView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.product_row(organisation, product)?;
        product_view(organisation.clone(), row)
    }

    /// Product lines of an organisation.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn products(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<ProductView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| store::products(connection, row.id, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string())
            .try_map(|row| product_view(organisation.clone(), row))
    }

    pub(crate) fn product_row(
        &self,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<ProductRow, ServiceError> {
        let row = self.organisation_row(organisation.as_str())?;
        let product =
            self.read(|connection| store::product(connection, row.id, product.as_str()))?;
        found(product, "product line")
    }
}

pub(crate) fn product_view(
    organisation: OrganisationId,
    row: ProductRow,
) -> Result<ProductView, ServiceError> {
    let damaged = || ServiceError::fatal("store-damaged", "a product's row is damaged");
    Ok(ProductView {
        organisation,
        id: ProductId::new(&row.slug).map_err(|_| damaged())?,
        name: row.name,
        model: row.model,
        kind: DeviceKind::from_code(row.kind.into()).ok_or_else(damaged)?,
        root_of_trust: RootOfTrust::from_code(row.root_of_trust.into()).ok_or_else(damaged)?,
        support_end: row.support_end,
        ldevid_validity_s: row.ldevid_s,
        created_at: row.created_at,
    })
}
