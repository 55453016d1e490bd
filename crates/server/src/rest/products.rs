//! Product lines, and the chips made on them.

use super::{
    extract::{Created, Json, JsonBody, Lang, Path, Query, counted, line, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    ChipBatch, Enrolled, NewChip, NewProduct, Outcomes, Page, PageQuery, Product,
    scalar::{OrganisationRef, ProductRef},
};
use axum::extract::State;

/// Product lines of an organisation
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products", tag = "products",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<Product>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Product>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.products(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, view::product)))
}

/// A new product line
#[utoipa::path(post, path = "/v1/organisations/{organisation}/products", tag = "products",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewProduct, responses((status = 201, body = Product)))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewProduct, { body::SMALL }>,
) -> Result<Created<Product>, Fault> {
    line("name", &new.name, 100)?;
    line("model", &new.model, 60)?;
    if new.ldevid_validity_s.is_some_and(|seconds| !(2..=315_360_000).contains(&seconds)) {
        return Err(Fault::field("ldevid_validity_s", "from 2 to 315360000"));
    }
    let new = service::NewProduct {
        organisation: organisation.0,
        id: new.id.0,
        name: new.name,
        model: new.model,
        kind: new.kind.0,
        root_of_trust: new.root_of_trust.0,
        support_end: new.support_end.map(|time| time.0),
        ldevid_validity_s: new.ldevid_validity_s,
    };
    let made = app.service.create_product(&caller, new).await?;
    Ok(Created(view::product(made)))
}

/// One product line
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}", tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = Product)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<Product>, Fault> {
    let found = app.service.product(&caller, &organisation.0, &product.0).await?;
    Ok(Json(view::product(found)))
}

/// Chip certificates for a batch from the line
///
/// Each chip is issued its certificate, or refused, alone.
#[utoipa::path(post, path = "/v1/chips", tag = "products",
    request_body = ChipBatch, responses((status = 200, body = Outcomes<Enrolled>)))]
pub(super) async fn chips(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    JsonBody(batch): JsonBody<ChipBatch, { body::BATCH }>,
) -> Result<Json<Outcomes<Enrolled>>, Fault> {
    counted("chips", batch.chips.len())?;
    let chip = |chip: NewChip| service::ChipRequest {
        made: chip.made.map(|made| made.0),
        device: chip.device.0,
        csr: chip.csr.0,
    };
    let chips = batch.chips.into_iter().map(chip).collect();
    let issued = app.service.issue_chip_certificates(&caller, chips).await?;
    Ok(Json(view::outcomes(issued, language, view::enrolled)))
}
