//! How devices come through the hawkBit DDI door: settings and tokens (docs/ddi.md).

use super::{
    extract::{Created, Json, JsonBody, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    IssuedUpdateToken, NewGatewayToken, NewTargetToken, Page, PageQuery, UpdateDoor, UpdateToken,
    UpdateTokenKind,
    scalar::{DeviceRef, Digest, OrganisationRef},
};
use axum::extract::State;
use http::StatusCode;

/// A list of 1000 devices has 34 KiB.
const GATEWAY_BYTES_MAX: usize = 64 * 1024;

/// How devices of an organisation come through the door
#[utoipa::path(get, path = "/v1/organisations/{organisation}/update-door", tag = "update-door",
    params(("organisation" = OrganisationRef, Path)), responses((status = 200, body = UpdateDoor)))]
pub(super) async fn door(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<UpdateDoor>, Fault> {
    let door = app.service.update_door(&caller, &organisation.0).await?;
    let service::UpdateDoor { tokens, closed_confirms, poll_s } = door;
    Ok(Json(UpdateDoor { tokens, closed_confirms, poll_s }))
}

/// Sets how devices of an organisation come through the door
///
/// Switching tokens off ends every token of the organisation.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/update-door", tag = "update-door",
    params(("organisation" = OrganisationRef, Path)), request_body = UpdateDoor,
    responses((status = 204, description = "it is set")))]
pub(super) async fn set_door(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(door): JsonBody<UpdateDoor, { body::SMALL }>,
) -> Result<StatusCode, Fault> {
    let UpdateDoor { tokens, closed_confirms, poll_s } = door;
    let door = service::UpdateDoor { tokens, closed_confirms, poll_s };
    app.service.set_update_door(&caller, &organisation.0, door).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a token for one device; an older one of the device ends
#[utoipa::path(post, path = "/v1/devices/{device}/update-tokens", tag = "update-door",
    params(("device" = DeviceRef, Path)), request_body = NewTargetToken,
    responses((status = 201, body = IssuedUpdateToken)))]
pub(super) async fn issue_target(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    JsonBody(new): JsonBody<NewTargetToken, { body::SMALL }>,
) -> Result<Created<IssuedUpdateToken>, Fault> {
    let issued = app.service.issue_target_token(&caller, &device.0, new.days).await?;
    Ok(Created(shown(issued)))
}

/// Makes a token for a gateway that speaks for devices of the organisation
#[utoipa::path(post, path = "/v1/organisations/{organisation}/update-tokens", tag = "update-door",
    params(("organisation" = OrganisationRef, Path)), request_body = NewGatewayToken,
    responses((status = 201, body = IssuedUpdateToken)))]
pub(super) async fn issue_gateway(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewGatewayToken, GATEWAY_BYTES_MAX>,
) -> Result<Created<IssuedUpdateToken>, Fault> {
    let devices: Vec<_> = new.devices.iter().map(|device| device.0).collect();
    let service = &app.service;
    let issued = service
        .issue_gateway_token(&caller, &organisation.0, &new.name, &devices, new.days)
        .await?;
    Ok(Created(shown(issued)))
}

/// Tokens of an organisation that have not ended
#[utoipa::path(get, path = "/v1/organisations/{organisation}/update-tokens", tag = "update-door",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<UpdateToken>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<UpdateToken>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.update_tokens(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, record)))
}

/// Ends a token, at once
#[utoipa::path(delete, path = "/v1/update-tokens/{token}", tag = "update-door",
    params(("token" = Digest, Path, description = "identifier of the token, not the token itself")),
    responses((status = 204, description = "it has ended")))]
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Authenticated,
    Path(token): Path<Digest>,
) -> Result<StatusCode, Fault> {
    app.service.revoke_update_token(&caller, &token.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(issued: service::IssuedUpdateToken) -> IssuedUpdateToken {
    IssuedUpdateToken { token: issued.token.expose().to_owned(), record: record(issued.view) }
}

fn record(view: service::UpdateTokenView) -> UpdateToken {
    UpdateToken {
        id: view.id.into(),
        organisation: OrganisationRef(view.organisation),
        kind: match view.kind {
            service::UpdateTokenKind::Target => UpdateTokenKind::Target,
            service::UpdateTokenKind::Gateway => UpdateTokenKind::Gateway,
        },
        name: view.name,
        devices: view.devices.into_iter().map(DeviceRef).collect(),
        granted: view.granted_at.into(),
        granted_by: view.granted_by,
        expires: view.expires_at.into(),
    }
}
