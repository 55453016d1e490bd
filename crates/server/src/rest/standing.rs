//! Organisations suspended, resumed, renamed: by the platform.

use super::{
    extract::{Json, JsonBody, Path, line},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{Organisation, OrganisationName, OrganisationReason, scalar::OrganisationRef};
use axum::extract::State;

/// Suspends an organisation: nobody of it can do anything until it is resumed
#[utoipa::path(post, path = "/v1/organisations/{organisation}/suspend", tag = "organisations",
    params(("organisation" = OrganisationRef, Path)), request_body = OrganisationReason,
    responses((status = 200, body = Organisation)))]
pub(super) async fn suspend(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(given): JsonBody<OrganisationReason, { body::SMALL }>,
) -> Result<Json<Organisation>, Fault> {
    line("reason", &given.reason, 200)?;
    let done = app.service.suspend_organisation(&caller, &organisation.0, &given.reason).await?;
    Ok(Json(view::organisation(done)))
}

/// Ends a suspension
#[utoipa::path(post, path = "/v1/organisations/{organisation}/resume", tag = "organisations",
    params(("organisation" = OrganisationRef, Path)), request_body = OrganisationReason,
    responses((status = 200, body = Organisation)))]
pub(super) async fn resume(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(given): JsonBody<OrganisationReason, { body::SMALL }>,
) -> Result<Json<Organisation>, Fault> {
    line("reason", &given.reason, 200)?;
    let done = app.service.resume_organisation(&caller, &organisation.0, &given.reason).await?;
    Ok(Json(view::organisation(done)))
}

/// Changes what an organisation is called; its identifier stays
#[utoipa::path(put, path = "/v1/organisations/{organisation}/name", tag = "organisations",
    params(("organisation" = OrganisationRef, Path)), request_body = OrganisationName,
    responses((status = 200, body = Organisation)))]
pub(super) async fn rename(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(given): JsonBody<OrganisationName, { body::SMALL }>,
) -> Result<Json<Organisation>, Fault> {
    line("name", &given.name, 100)?;
    let done = app.service.rename_organisation(&caller, &organisation.0, &given.name).await?;
    Ok(Json(view::organisation(done)))
}
