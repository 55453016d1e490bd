//! The owner of devices gives consent, or withdraws it.

use super::declare::name_of;
use crate::{
    Service, ServiceError,
    live::found,
    store::{Effect, campaign, device as devices, purpose as store},
};
use admission::{Basis, ConsentDecision};
use audit::{Kind, Outcome, Severity};
use device::{DeviceId, OrganisationId, ProductId};
use policy::{Action, Caller, Resource};

/// What an owner decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConsentDecision {
    /// whose product line
    pub maker: OrganisationId,
    /// which
    pub product: ProductId,
    /// about which of its purposes
    pub purpose: String,
    /// the version that the owner read
    pub version: u64,
    /// for which device; `None`: for all that the organisation has of the product line
    pub device: Option<DeviceId>,
    /// what
    pub decision: ConsentDecision,
}

impl Service {
    /// Gives or withdraws consent. What is withdrawn is refused at every door from then on. What changes
    /// nothing is not on record.
    ///
    /// # Errors
    /// `not-found`, `role`, `purpose-name`; `purpose-changed` where the version is not the one in force,
    /// `purpose-ended`, `consent-not-needed`, `consent-device` where the device is not one of the product
    /// line's, `consent-decision`.
    pub async fn decide_consent(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        new: NewConsentDecision,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::GiveConsent, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let name = name_of(&new.purpose)?;
        if new.device.is_none() && new.decision == ConsentDecision::AsOrganisation {
            return Err(ServiceError::malformed(
                "consent-decision",
                "as-organisation is said of one device; an organisation gives or withdraws",
            )
            .in_japanese("as-organisation は機器ごとの指定です"));
        }
        let device = match &new.device {
            Some(device) => Some(self.device_of_owner(owner, device)?),
            None => None,
        };
        let product = self.product_of_owner(owner, &new)?;
        if device.is_some_and(|(_, line)| line != Some(product)) {
            return Err(ServiceError::refused(
                "consent-device",
                "the device is of another product line; see what its purposes are",
            )
            .in_japanese("この機器は別の製品ラインのものです"));
        }
        let device = device.map(|(row, _)| row);
        let NewConsentDecision { version, decision, .. } = new;
        let (by, at) = (caller.to_string(), self.now());
        let mut event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(organisation.as_str())
            .severity(Severity::Medium)
            .detail("what", "consent")
            .detail("product", &format!("{}/{}", new.maker, new.product))
            .detail("purpose", name.as_str())
            .detail("version", &version.to_string())
            .detail("decision", decision.name());
        if let Some(device) = &new.device {
            event = event.subject(&device.to_string());
        }
        self.commit(move |tx| {
            let known = found(store::newest(tx, product, name.as_str())?, "purpose")?;
            if let Some(device) = device {
                let still = devices::device_by_row(tx, device)?.filter(|row| row.owner == owner);
                found(still, "device")?;
            }
            if decision == ConsentDecision::Given {
                givable(&known, version)?;
            }
            let new = store::NewDecision {
                organisation: owner,
                device,
                purpose: known.purpose,
                // Who withdraws withdraws whatever text there is.
                version: if decision == ConsentDecision::Given { version } else { known.version },
                decision,
                reason: None,
                by,
                at,
            };
            if store::is_decided(tx, &new)? {
                return Ok(());
            }
            store::decide(tx, &new)?;
            tx.effect(Effect::Consents { organisation: owner, device });
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// The row and product line of a device that an organisation owns.
    fn device_of_owner(
        &self,
        owner: i64,
        device: &DeviceId,
    ) -> Result<(i64, Option<i64>), ServiceError> {
        let row = self.read(|connection| devices::device(connection, device.as_bytes()))?;
        let row = found(row.filter(|row| row.owner == owner), "device")?;
        Ok((row.id, row.product))
    }

    /// The product line, where the organisation has devices of it: others' are not its to see.
    fn product_of_owner(&self, owner: i64, new: &NewConsentDecision) -> Result<i64, ServiceError> {
        let product = self.product_row(&new.maker, &new.product);
        let product = product.map_err(|_| ServiceError::not_found("product line"))?.id;
        let owned = self.read(|connection| campaign::owns_of(connection, owner, product))?;
        owned.then_some(product).ok_or_else(|| ServiceError::not_found("product line"))
    }
}

/// Whether consent can be given to a version.
fn givable(known: &store::PurposeRow, version: u64) -> Result<(), ServiceError> {
    if known.ended {
        return Err(ServiceError::refused(
            "purpose-ended",
            "the maker has ended this purpose; there is nothing to agree to",
        )
        .in_japanese("この目的は製造者が終了しました。同意するものはありません"));
    }
    if matches!(known.says.basis, Basis::Necessary(_)) {
        return Err(ServiceError::refused(
            "consent-not-needed",
            "this purpose does not rest on consent; its legal basis is named in its text",
        )
        .in_japanese("この目的は同意によるものではありません。法的根拠は説明に書かれています"));
    }
    if known.version != version {
        let now = known.version;
        return Err(ServiceError::conflict(
            "purpose-changed",
            format!("the text is version {now} by now; read it, and decide about that"),
        )
        .in_japanese(format!("説明文は第{now}版に変わりました。読んでから決めてください")));
    }
    Ok(())
}
