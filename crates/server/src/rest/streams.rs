//! Security events to receivers outside (docs/stream.md).

use super::{
    extract::{Created, Json, JsonBody, Path, Query},
    problem::Fault,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    AuditStream, AuditStreamPause, DeliveredEvent, DeliveredQuery, NewAuditStream, Page,
    scalar::{Digest, OrganisationRef},
};
use axum::extract::State;
use http::StatusCode;
use service::{AuditStreamView, StreamPlace};

/// Roots and an `Authorization` field.
const NEW_BYTES_MAX: usize = 128 * 1024;

/// Streams of security events to receivers, and how far each has come
#[utoipa::path(get, path = "/v1/audit/streams", tag = "reports",
    responses((status = 200, body = Page<AuditStream>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<Page<AuditStream>>, Fault> {
    let found = app.service.audit_streams(&caller).await?;
    Ok(Json(Page { items: found.into_iter().map(shown).collect(), next: None }))
}

/// Begins a stream of security events to a receiver
///
/// Administrators of the platform do: events go out from the platform's machine to wherever it says.
#[utoipa::path(post, path = "/v1/audit/streams", tag = "reports", request_body = NewAuditStream,
    responses((status = 201, body = AuditStream)))]
pub(super) async fn begin(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewAuditStream, NEW_BYTES_MAX>,
) -> Result<Created<AuditStream>, Fault> {
    let new = service::NewAuditStream {
        name: new.name,
        organisation: new.organisation.map(|organisation| organisation.0),
        target: new.target,
        roots: new.roots,
        authorization: new.authorization.map(|text| crypto::Secret::new(text.into_bytes())),
        from_beginning: new.from_beginning,
    };
    Ok(Created(shown(app.service.begin_audit_stream(&caller, new).await?)))
}

/// A stream of security events
#[utoipa::path(get, path = "/v1/audit/streams/{stream}", tag = "reports",
    params(("stream" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    responses((status = 200, body = AuditStream)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(stream): Path<String>,
) -> Result<Json<AuditStream>, Fault> {
    Ok(Json(shown(app.service.audit_stream(&caller, &stream).await?)))
}

/// Ends a stream of security events
#[utoipa::path(delete, path = "/v1/audit/streams/{stream}", tag = "reports",
    params(("stream" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    responses((status = 204, description = "it has ended")))]
pub(super) async fn end(
    State(app): State<App>,
    caller: Authenticated,
    Path(stream): Path<String>,
) -> Result<StatusCode, Fault> {
    app.service.end_audit_stream(&caller, &stream).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a stream of security events, or lets it go on
///
/// It goes on from where it stood: nothing is lost by a pause.
#[utoipa::path(put, path = "/v1/audit/streams/{stream}/pause", tag = "reports",
    params(("stream" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    request_body = AuditStreamPause, responses((status = 204, description = "it is set")))]
pub(super) async fn pause(
    State(app): State<App>,
    caller: Authenticated,
    Path(stream): Path<String>,
    JsonBody(pause): JsonBody<AuditStreamPause, { body::SMALL }>,
) -> Result<StatusCode, Fault> {
    app.service.pause_audit_stream(&caller, &stream, pause.paused).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a receiver was sent, to be held against what it has
///
/// In order, up to the last event that was delivered. The digest is SHA-256 over the OCSF object that
/// was sent, as docs/stream.md writes it down.
#[utoipa::path(get, path = "/v1/audit/streams/{stream}/delivered", tag = "reports",
    params(("stream" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$"),
        DeliveredQuery),
    responses((status = 200, body = Page<DeliveredEvent>)))]
pub(super) async fn delivered(
    State(app): State<App>,
    caller: Authenticated,
    Path(stream): Path<String>,
    Query(query): Query<DeliveredQuery>,
) -> Result<Json<Page<DeliveredEvent>>, Fault> {
    let after = query.after.as_deref().map(|after| {
        place(after).ok_or_else(|| Fault::parameter("after", "not the next of a page"))
    });
    let limit = query.limit.unwrap_or(100);
    if !(1..=api::wire::ITEMS_MAX).contains(&limit) {
        return Err(Fault::parameter("limit", format!("from 1 to {}", api::wire::ITEMS_MAX)));
    }
    let found = app.service.delivered_events(&caller, &stream, after.transpose()?, limit).await?;
    let next = found
        .last()
        .filter(|_| found.len() as u64 >= u64::from(limit))
        .map(|last| format!("{}-{}", last.number, last.sequence));
    let items = found
        .iter()
        .map(|event| DeliveredEvent {
            number: event.number,
            sequence: event.sequence,
            digest: Digest(audit::stream::digest(&event.object(&stream))),
        })
        .collect();
    Ok(Json(Page { items, next }))
}

fn place(text: &str) -> Option<StreamPlace> {
    let (number, sequence) = text.split_once('-').filter(|_| text.len() <= 37)?;
    let read = |digits: &str| digits.parse::<u64>().ok().filter(|number| *number < 1 << 60);
    Some(StreamPlace { number: read(number)?, sequence: read(sequence)? })
}

fn shown(view: AuditStreamView) -> AuditStream {
    AuditStream {
        name: view.name,
        organisation: view.organisation.map(OrganisationRef),
        target: view.target,
        paused: view.paused,
        created: view.created_at.into(),
        created_by: view.created_by,
        starts_after: view.starts_after,
        sequence: view.sequence,
        number: view.number,
        behind: view.behind,
        delivered: view.delivered_at.map(Into::into),
        failing_since: view.failing_since.map(Into::into),
        failure: view.failure,
    }
}
