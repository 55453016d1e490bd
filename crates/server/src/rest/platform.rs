//! The platform itself: what it is trusted by, how it is, who the caller is.

use super::{
    extract::Json,
    problem::Fault,
    view::{trust_bundle, who},
};
use crate::{app::App, authenticated::Authenticated, metrics};
use api::{
    problem::Code,
    wire::{Health, TrustBundle, WhoAmI},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use policy::{Action, Resource, authorize};

/// Roots, log key and witness keys
///
/// What an outsider needs to check everything else. It is worth as much as the way it came:
/// compare it once with a copy that you got by other means.
#[utoipa::path(get, path = "/v1/trust", tag = "public", security(()),
    responses((status = 200, body = TrustBundle)))]
pub(super) async fn trust(State(app): State<App>) -> Result<Json<TrustBundle>, Fault> {
    Ok(Json(trust_bundle(app.service.trust_store().await?)))
}

/// Whether the platform works
#[utoipa::path(get, path = "/v1/health", tag = "public", security(()),
    responses(
        (status = 200, description = "all is well", body = Health),
        (status = 503, description = "not all is well, or too busy: Health or Problem",
            content((Health = "application/json"), (api::Problem = "application/problem+json")))))]
pub(crate) async fn health(State(app): State<App>) -> Response {
    let health = app.service.health();
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Health {
        ok: health.ok,
        time: app.service.now().into(),
        writer: health.writer,
        tree_size: health.tree_size,
        waiting: health.waiting,
        integrated: health.integrated_at.map(Into::into),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut response = Json(body).into_response();
    *response.status_mut() = status;
    response
}

/// Counters in the text format of Prometheus
#[utoipa::path(get, path = "/v1/metrics", tag = "platform",
    responses((status = 200, body = String, content_type = "text/plain; version=0.0.4; charset=utf-8")))]
pub(super) async fn metrics(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Response, Fault> {
    let action = Action::ReadPlatformStatus;
    if authorize(&caller, action, &Resource::platform()).is_err() {
        // The same right, refused where refusals are recorded.
        app.service.statistics(&caller).await?;
        return Err(Fault::new(Code::Forbidden));
    }
    let health = app.service.health();
    let connections = u64::try_from(app.connections.count()).unwrap_or(u64::MAX);
    let text = app.metrics.text(&[
        ("tegata_connections", "connections open", connections),
        ("tegata_log_size", "entries in the published log", health.tree_size),
        ("tegata_log_waiting", "entries that wait to be published", health.waiting),
        (
            "tegata_revoked_certificates",
            "certificates that are revoked or suspended",
            u64::try_from(health.revoked).unwrap_or(u64::MAX),
        ),
        ("tegata_commits", "commits since the start", health.commits),
        ("tegata_commands", "commands since the start", health.commands),
        ("tegata_healthy", "1 where all is well", u64::from(health.ok)),
    ]);
    let kind = HeaderValue::from_static(metrics::MEDIA_TYPE);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Who the caller is
#[utoipa::path(get, path = "/v1/whoami", tag = "platform", responses((status = 200, body = WhoAmI)))]
pub(super) async fn whoami(caller: Authenticated) -> Json<WhoAmI> {
    Json(who(&caller))
}
