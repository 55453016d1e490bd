//! Histories out.

use super::{
    extract::{Json, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use api::wire::{Head, HistoryEvent, HistoryQuery, Page, scalar::DeviceRef};
use axum::extract::State;

/// The history of a device
///
/// With `proofs=true` each event that is in the published log comes with the proof of it.
#[utoipa::path(get, path = "/v1/devices/{device}/events", tag = "history",
    params(("device" = DeviceRef, Path), HistoryQuery),
    responses((status = 200, body = Page<HistoryEvent>)))]
pub(super) async fn events(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryEvent>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.history(&caller, &device.0, &page).await?;
    let mut events = view::paged(found, view::event);
    if query.proofs.unwrap_or(false) {
        for event in &mut events.items {
            // What is not published yet has no proof yet.
            if let Ok((proof, checkpoint)) = app.service.inclusion(event.leaf).await {
                event.proof = Some(view::inclusion(&proof, &checkpoint)?);
            }
        }
    }
    Ok(Json(events))
}

/// What the device's next event must chain to
#[utoipa::path(get, path = "/v1/devices/{device}/head", tag = "history",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Head)))]
pub(super) async fn head(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Head>, Fault> {
    let head = app.service.head(&caller, &device.0).await?;
    Ok(Json(Head {
        next_sequence: head.next_sequence,
        previous: head.previous.map(|commitment| commitment.0.into()),
    }))
}
