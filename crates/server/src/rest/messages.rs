//! Messages of devices.

use super::{
    extract::{Json, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use api::wire::{
    DeviceMessage, Page, PageQuery, RefusedMessages,
    scalar::{Base64, DeviceRef},
};
use axum::extract::State;

/// Messages of a device that came while it belonged to its present owner, newest first
#[utoipa::path(get, path = "/v1/devices/{device}/messages", tag = "messages",
    params(("device" = DeviceRef, Path), PageQuery),
    responses((status = 200, body = Page<DeviceMessage>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DeviceMessage>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.messages(&caller, &device.0, &page).await?;
    Ok(Json(view::paged(found, |message| DeviceMessage {
        id: message.id,
        door: message.door.to_owned(),
        topic: message.topic,
        media_type: message.media_type,
        payload: Base64(message.payload),
        received: message.received_at.into(),
    })))
}

/// What was refused of a device, and why: one line per reason and door
#[utoipa::path(get, path = "/v1/devices/{device}/messages/refused", tag = "messages",
    params(("device" = DeviceRef, Path)),
    responses((status = 200, body = Vec<RefusedMessages>)))]
pub(super) async fn refused(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Vec<RefusedMessages>>, Fault> {
    let found = app.service.refused_messages(&caller, &device.0).await?;
    let lines = found.into_iter().map(|line| RefusedMessages {
        reason: line.reason.code().to_owned(),
        text: line.reason.english().to_owned(),
        door: line.door.to_owned(),
        count: line.count,
        last: line.last_at.into(),
        topic: line.last_topic,
    });
    Ok(Json(lines.collect()))
}
