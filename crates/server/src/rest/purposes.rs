//! What data of devices is for, and who agreed to it (docs/consent.md).

use super::{
    extract::{Created, Json, JsonBody, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use ::admission::Basis;
use api::wire::{
    ConsentDecided, ConsentDecision, ConsentHistoryQuery, ConsentRecord, DataPurpose, NewConsent,
    NewPurpose, Page, PageQuery, ProductConsents, PurposeConsent, SignedTopics,
    scalar::{DeviceRef, OrganisationRef, ProductRef},
};
use axum::extract::State;
use service::{ConsentDecisionView, NewConsentDecision, PurposeView};

/// Texts in two languages, written as widely as JSON allows.
const PURPOSE_BYTES_MAX: usize = 64 * 1024;
const DECISION_BYTES_MAX: usize = 4 * 1024;

/// What data of a product line's devices is for
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/purposes",
    tag = "products", params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = Vec<DataPurpose>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<Vec<DataPurpose>>, Fault> {
    let found = app.service.purposes(&caller, &organisation.0, &product.0).await?;
    Ok(Json(found.into_iter().map(shown).collect()))
}

/// Declares a purpose of a product line's data, or changes what it says
///
/// Another text is another version, to which owners have to agree anew; the same text changes nothing.
/// Without `legal_basis` the purpose is optional: from now on nothing is taken on its topics before the
/// owner agrees.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/products/{product}/purposes/{purpose}",
    tag = "products", params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("purpose" = String, Path, pattern = "^[a-z][a-z0-9-]{0,63}$")),
    request_body = NewPurpose, responses((status = 200, body = DataPurpose)))]
pub(super) async fn declare(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, purpose)): Path<(OrganisationRef, ProductRef, String)>,
    JsonBody(new): JsonBody<NewPurpose, PURPOSE_BYTES_MAX>,
) -> Result<Json<DataPurpose>, Fault> {
    let says = ::admission::DataPurpose {
        title_en: new.title_en,
        title_ja: new.title_ja,
        explanation_en: new.explanation_en,
        explanation_ja: new.explanation_ja,
        topics: new.topics,
        basis: new.legal_basis.map_or(Basis::Consent, Basis::Necessary),
        recipients: new.recipients,
        retention_days: new.retention_days,
    };
    let of = (&organisation.0, &product.0);
    Ok(Json(shown(app.service.declare_purpose(&caller, of, &purpose, says).await?)))
}

/// Ends a purpose
///
/// Nobody can agree to it any more, and its topics stay closed: what was not agreed to does not begin to
/// flow because nobody names it. It may be declared anew.
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/products/{product}/purposes/{purpose}",
    tag = "products", params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("purpose" = String, Path, pattern = "^[a-z][a-z0-9-]{0,63}$")),
    responses((status = 200, body = DataPurpose)))]
pub(super) async fn end(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, purpose)): Path<(OrganisationRef, ProductRef, String)>,
) -> Result<Json<DataPurpose>, Fault> {
    let of = (&organisation.0, &product.0);
    Ok(Json(shown(app.service.end_purpose(&caller, of, &purpose).await?)))
}

/// Versions of a purpose, newest first
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/products/{product}/purposes/{purpose}/versions",
    tag = "products", params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("purpose" = String, Path, pattern = "^[a-z][a-z0-9-]{0,63}$"), PageQuery),
    responses((status = 200, body = Page<DataPurpose>)))]
pub(super) async fn versions(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, purpose)): Path<(OrganisationRef, ProductRef, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DataPurpose>>, Fault> {
    let (page, of) = (page(query.after, query.limit)?, (&organisation.0, &product.0));
    let found = app.service.purpose_versions(&caller, of, &purpose, &page).await?;
    Ok(Json(view::paged(found, shown)))
}

/// What an organisation has to decide about its devices' data, and what it decided
#[utoipa::path(get, path = "/v1/organisations/{organisation}/consents", tag = "messages",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Vec<ProductConsents>)))]
pub(super) async fn consents(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Vec<ProductConsents>>, Fault> {
    let found = app.service.purpose_consents(&caller, &organisation.0).await?;
    Ok(Json(found.into_iter().map(line).collect()))
}

/// Gives consent to a purpose, or withdraws it
///
/// For all devices that the organisation has of a product line, or for one. What is withdrawn is refused at
/// every door from then on, in open sessions too. What is answered is what stands now.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/consents", tag = "messages",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewConsent, responses((status = 201, body = Vec<ProductConsents>)))]
pub(super) async fn decide(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewConsent, DECISION_BYTES_MAX>,
) -> Result<Created<Vec<ProductConsents>>, Fault> {
    let device = new.device.map(|device| device.0);
    let new = NewConsentDecision {
        maker: new.maker.0,
        product: new.product.0,
        purpose: new.purpose,
        version: new.version,
        device,
        decision: match new.decision {
            ConsentDecision::Given => ::admission::ConsentDecision::Given,
            ConsentDecision::Withdrawn => ::admission::ConsentDecision::Withdrawn,
            ConsentDecision::AsOrganisation => ::admission::ConsentDecision::AsOrganisation,
        },
    };
    app.service.decide_consent(&caller, &organisation.0, new).await?;
    let found = match device {
        Some(device) => app.service.device_consents(&caller, &device).await?.into_iter().collect(),
        None => app.service.purpose_consents(&caller, &organisation.0).await?,
    };
    Ok(Created(found.into_iter().map(line).collect()))
}

/// What an organisation decided about its devices' data, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/consents/history", tag = "messages",
    params(("organisation" = OrganisationRef, Path), ConsentHistoryQuery),
    responses((status = 200, body = Page<ConsentRecord>)))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<ConsentHistoryQuery>,
) -> Result<Json<Page<ConsentRecord>>, Fault> {
    let page = page(query.after, query.limit)?;
    let device = query.device.map(|device| device.0);
    let found =
        app.service.consent_history(&caller, &organisation.0, device.as_ref(), &page).await?;
    Ok(Json(view::paged(found, record)))
}

/// What a device's data is for, and what its owner decided for it; empty where nothing is declared
#[utoipa::path(get, path = "/v1/devices/{device}/consents", tag = "messages",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Vec<ProductConsents>)))]
pub(super) async fn of_device(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Vec<ProductConsents>>, Fault> {
    let found = app.service.device_consents(&caller, &device.0).await?;
    Ok(Json(found.into_iter().map(line).collect()))
}

/// Topics on which a product line's devices must sign what they say, and on which they must encrypt it
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/signed-topics",
    tag = "products", params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = SignedTopics)))]
pub(super) async fn signed_topics(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<SignedTopics>, Fault> {
    let found = app.service.signed_topics(&caller, &organisation.0, &product.0).await?;
    Ok(Json(SignedTopics { topics: found.topics, encrypted: Some(found.encrypted) }))
}

/// Says on which topics a product line's devices must sign what they say, and on which they must encrypt it
///
/// What is not is refused there from now on, whoever brings it. None: nowhere. What is encrypted is signed, too;
/// where `encrypted` is left out, that stays as it is.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/products/{product}/signed-topics",
    tag = "products", params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    request_body = SignedTopics, responses((status = 200, body = SignedTopics)))]
pub(super) async fn set_signed_topics(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    JsonBody(wanted): JsonBody<SignedTopics, PURPOSE_BYTES_MAX>,
) -> Result<Json<SignedTopics>, Fault> {
    let of = (&organisation.0, &product.0);
    let found =
        app.service.set_signed_topics(&caller, of, (wanted.topics, wanted.encrypted)).await?;
    Ok(Json(SignedTopics { topics: found.topics, encrypted: Some(found.encrypted) }))
}

fn decision(decision: ::admission::ConsentDecision) -> ConsentDecision {
    match decision {
        ::admission::ConsentDecision::Given => ConsentDecision::Given,
        ::admission::ConsentDecision::Withdrawn => ConsentDecision::Withdrawn,
        ::admission::ConsentDecision::AsOrganisation => ConsentDecision::AsOrganisation,
    }
}

pub(super) fn shown(view: PurposeView) -> DataPurpose {
    DataPurpose {
        name: view.name.to_string(),
        version: view.version,
        ended: view.ended,
        title_en: view.says.title_en,
        title_ja: view.says.title_ja,
        explanation_en: view.says.explanation_en,
        explanation_ja: view.says.explanation_ja,
        topics: view.says.topics,
        legal_basis: match view.says.basis {
            Basis::Consent => None,
            Basis::Necessary(basis) => Some(basis),
        },
        recipients: view.says.recipients,
        retention_days: view.says.retention_days,
        made: view.made_at.into(),
    }
}

fn line(line: service::ProductConsents) -> ProductConsents {
    let decided = |(what, version, at): (::admission::ConsentDecision, u64, crypto::UnixTime)| {
        ConsentDecided { decision: decision(what), version, at: at.into() }
    };
    let purposes = line.purposes.into_iter().map(|it| PurposeConsent {
        purpose: shown(it.purpose),
        stands: it.stands,
        organisation: it.organisation.map(decided),
        device: it.device.map(decided),
        devices_given: it.exceptions.0,
        devices_withdrawn: it.exceptions.1,
    });
    ProductConsents {
        maker: OrganisationRef(line.maker),
        product: ProductRef(line.product),
        name: line.name,
        purposes: purposes.collect(),
    }
}

fn record(row: ConsentDecisionView) -> ConsentRecord {
    ConsentRecord {
        maker: OrganisationRef(row.maker),
        product: ProductRef(row.product),
        purpose: row.purpose,
        version: row.version,
        device: row.device.map(DeviceRef),
        decision: decision(row.decision),
        reason: row.reason,
        by: row.by,
        at: row.at.into(),
    }
}
