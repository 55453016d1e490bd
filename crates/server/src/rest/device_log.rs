//! The log of a device, as its owner reads it (LG-5).

use super::{
    extract::{Json, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use api::wire::{
    DeviceLogEntry, DeviceLogStretch, Page, PageQuery,
    scalar::{Base64, DeviceRef},
};
use axum::extract::State;
use crypto::UnixTime;

/// The log of a device as it told its present owner, what came last first
///
/// Entries are what the device says of itself (docs/device-log.md); the platform has seen none of it.
#[utoipa::path(get, path = "/v1/devices/{device}/log", tag = "messages",
    params(("device" = DeviceRef, Path), PageQuery),
    responses((status = 200, body = Page<DeviceLogEntry>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DeviceLogEntry>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.device_log(&caller, &device.0, &page).await?;
    Ok(Json(view::paged(found, |it| DeviceLogEntry {
        id: it.id,
        stretch: it.stretch,
        sequence: it.sequence,
        hash: it.hash.into(),
        at: it.entry.boot.is_none().then(|| UnixTime(it.entry.time).into()),
        boot: it.entry.boot,
        time: it.entry.time,
        kind: it.entry.kind.name().to_owned(),
        severity: it.entry.severity.name().to_owned(),
        outcome: it.entry.outcome.name().to_owned(),
        actor: it.entry.actor,
        subject: it.entry.subject,
        details: it.entry.details,
        entry: Base64(it.bytes),
        received: it.received_at.into(),
        door: it.door.to_owned(),
        audit: it.audit,
    })))
}

/// The stretches of that log, newest first: where it has breaks, and whether what is kept is whole
#[utoipa::path(get, path = "/v1/devices/{device}/log/stretches", tag = "messages",
    params(("device" = DeviceRef, Path)),
    responses((status = 200, body = Vec<DeviceLogStretch>)))]
pub(super) async fn stretches(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Vec<DeviceLogStretch>>, Fault> {
    let found = app.service.device_log_stretches(&caller, &device.0).await?;
    let stretches = found.into_iter().map(|it| DeviceLogStretch {
        id: it.id,
        log: it.log.to_string(),
        because: it.because.name().to_owned(),
        first: it.before.sequence.saturating_add(1),
        hash_before: it.before.hash.into(),
        time_before: it.before.time,
        last: it.last.sequence,
        hash: it.last.hash.into(),
        missing: it.missing,
        declared: it.declared,
        began: it.began_at.into(),
        kept: it.kept,
        broken_at: it.broken_at,
    });
    Ok(Json(stretches.collect()))
}
