//! What IDevIDs of a product line say of its usage description (RFC 8520 section 11).

use crate::{
    Service, ServiceError,
    live::found,
    store::{Effect, mud as store},
};
use audit::{Kind, Outcome, Severity};
use crypto::UnixTime;
use device::{OrganisationId, ProductId};
use pki::{Certificate, MudReference};
use policy::{Action, Caller, Resource};
use std::sync::Arc;

/// Longest certificate of a signer, in bytes of PEM.
const SIGNER_BYTES_MAX: usize = 64 * 1024;

/// Whom a product line's IDevIDs name as the signer of its usage description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedSigner<'a> {
    /// nobody
    Nobody,
    /// whom they name already
    AsBefore,
    /// the subject of this certificate, in PEM
    Certificate(&'a str),
}

/// What a product line's IDevIDs say from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MudReferenceView {
    /// where the file is
    pub url: String,
    /// name of who signs it
    pub signer: Option<String>,
    /// by whom that was set
    pub set_by: String,
    /// when
    pub set_at: UnixTime,
}

impl MudReferenceView {
    fn of(row: store::ReferenceRow) -> Result<Self, ServiceError> {
        let reference = reference(&row)?;
        let signer = reference.signer().map(|name| name.to_string());
        Ok(Self { url: row.url, signer, set_by: row.set_by, set_at: row.set_at })
    }
}

fn reference(row: &store::ReferenceRow) -> Result<MudReference, ServiceError> {
    MudReference::kept(&row.url, row.signer.as_deref())
        .map_err(|_| ServiceError::fatal("store-damaged", "a MUD URL's row is damaged"))
}

fn wrong_url(why: String) -> ServiceError {
    let japanese = format!("証明書に入れるMUDのURLとして受け付けられません: {why}");
    ServiceError::malformed("mud-url", why).in_japanese(japanese)
}

fn wrong_signer(why: &str) -> ServiceError {
    let japanese = format!("MUDファイルの署名者の証明書を受け付けられません: {why}");
    let why = format!("the certificate of the file's signer: {why}");
    ServiceError::malformed("mud-signer", why).in_japanese(japanese)
}

impl Service {
    /// What a product line's IDevIDs say of its usage description; `None`: nothing.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn mud_reference(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
    ) -> Result<Option<MudReferenceView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.product_row(organisation, product)?.id;
        let found = self.read(|connection| store::reference(connection, row))?;
        found.map(MudReferenceView::of).transpose()
    }

    /// Says what IDevIDs that are issued from now on say: where the file is, and with a certificate in PEM who
    /// signs it. Those that were issued stay as they are, for their devices' life.
    ///
    /// # Errors
    /// `not-found`, `role`; `mud-url`, `mud-signer`.
    pub async fn set_mud_reference(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        url: &str,
        signer: NamedSigner<'_>,
    ) -> Result<MudReferenceView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ChangeProduct, &resource)?;
        let row = self.product_row(organisation, product)?.id;
        let as_before = signer == NamedSigner::AsBefore;
        let signer = match signer {
            NamedSigner::Certificate(pem) if pem.len() > SIGNER_BYTES_MAX => {
                return Err(wrong_signer("it has 65,536 bytes at most"));
            }
            NamedSigner::Certificate(pem) => {
                Some(Certificate::from_pem(pem).map_err(|error| wrong_signer(&error.to_string()))?)
            }
            NamedSigner::Nobody | NamedSigner::AsBefore => None,
        };
        let made = MudReference::new(url, signer.as_ref()).map_err(|error| {
            wrong_url(format!("{error}; it goes into certificates that last for devices' lives"))
        })?;
        let new = store::ReferenceRow {
            url: made.url().to_owned(),
            signer: made.signer_der().map(<[u8]>::to_vec),
            set_by: caller.to_string(),
            set_at: self.now(),
        };
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(organisation.as_str())
            .severity(Severity::Medium)
            .subject(product.as_str())
            .detail("what", "mud-url")
            .detail("url", &new.url);
        let set = self
            .commit(move |tx| {
                let mut set = new.clone();
                if as_before {
                    set.signer = store::reference(tx, row)?.and_then(|before| before.signer);
                }
                store::set_reference(tx, row, &set)?;
                tx.effect(Effect::Mud(row));
                tx.audit(&event)?;
                Ok(set)
            })
            .await?;
        MudReferenceView::of(set)
    }

    /// IDevIDs that are issued from now on say nothing of a usage description.
    ///
    /// # Errors
    /// `not-found`, also where they say nothing; `role`.
    pub async fn end_mud_reference(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ChangeProduct, &resource)?;
        let row = self.product_row(organisation, product)?.id;
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(organisation.as_str())
            .severity(Severity::Medium)
            .subject(product.as_str())
            .detail("what", "mud-url-ended");
        self.commit(move |tx| {
            found(store::end_reference(tx, row)?.then_some(()), "MUD URL")?;
            tx.effect(Effect::Mud(row));
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// What an IDevID of a product line says.
    pub(crate) fn mud_in_idevids(
        &self,
        product: Option<i64>,
    ) -> Result<Option<Arc<MudReference>>, ServiceError> {
        let Some(product) = product else { return Ok(None) };
        self.live.mud_references.get_or_load(product, || {
            let row = self.read(|connection| store::reference(connection, product))?;
            row.map(|row| reference(&row).map(Arc::new)).transpose()
        })
    }
}
