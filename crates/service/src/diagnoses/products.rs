//! Use case: the product lines of an organisation, and how far the diagnosis of each is.

use super::{
    DiagnosisView,
    operation::{OperationState, policy_of, state_of},
    stored::total,
};
use crate::{
    Page, Paged, ProductView, Service, ServiceError,
    products::product_view,
    store::{diagnosis as store, operation, organisation},
};
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Action, Caller, Resource};

/// A product line and its diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosedProduct {
    /// the product line
    pub product: ProductView,
    /// its newest diagnosis
    pub newest: Option<DiagnosisView>,
    /// where it stands
    pub operation: OperationState,
    /// until when, where open items were overruled
    pub until: Option<UnixTime>,
}

impl Service {
    /// Product lines of an organisation, each with its newest diagnosis and whether it is in
    /// operation. Of the answers only columns are read, and only those of the page.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn diagnosed_products(
        &self,
        caller: &Caller,
        of: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<DiagnosedProduct>, ServiceError> {
        let resource = Resource::organisation(of);
        let _permit = self.authorize(caller, Action::ReadDiagnosis, &resource)?;
        let owner = self.organisation_row(of.as_str())?.id;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let (now, today) = (self.now(), self.today()?);
        self.read(|connection| {
            let policy = policy_of(connection, owner)?;
            let rows = organisation::products(connection, owner, after, limit + 1)?;
            Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| {
                let newest = store::of_product(connection, row.id, i64::MAX, 1)?.pop();
                let newest = match newest {
                    None => None,
                    Some(found) => {
                        let total = total(connection, &found, today)?;
                        Some(self.diagnosis_view(found, total)?)
                    }
                };
                let entered = operation::operation(connection, row.id)?;
                let stands = entered.filter(|row| row.until.is_none_or(|until| now < until));
                Ok(DiagnosedProduct {
                    operation: state_of(&policy, stands.as_ref()),
                    until: stands.and_then(|row| row.until),
                    product: product_view(of.clone(), row)?,
                    newest,
                })
            })
        })
    }
}
