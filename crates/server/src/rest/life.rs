//! A device's life as people read it.

use super::{
    extract::{Json, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use api::wire::{
    DeviceState, OwnerSince, Page, PageQuery, TimelineEvent,
    scalar::{CauseName, DeviceRef, EventKindName, OrganisationRef, PhaseName, StandingName},
};
use axum::extract::State;
use device::{OrganisationId, Standing};
use service::TimelineEntry;

/// A device's life, newest first, with how far the proof of each event has come
#[utoipa::path(get, path = "/v1/devices/{device}/timeline", tag = "history",
    params(("device" = DeviceRef, Path), PageQuery),
    responses((status = 200, body = Page<TimelineEvent>)))]
pub(super) async fn timeline(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<TimelineEvent>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.timeline(&caller, &device.0, &page).await?;
    Ok(Json(view::paged(found, event)))
}

fn event(entry: TimelineEntry) -> TimelineEvent {
    let erased = entry.event.is_none();
    let (behalf, actor, place, reason) = match entry.event {
        Some(event) => {
            let behalf = event.on_behalf.map(|behalf| OrganisationRef(behalf.organisation));
            (behalf, event.actor, event.place, event.reason)
        }
        None => (None, None, None, None),
    };
    TimelineEvent {
        sequence: entry.sequence,
        leaf: entry.leaf,
        kind: EventKindName(entry.kind),
        at: entry.at.into(),
        recorded: entry.recorded_at.into(),
        reporter: OrganisationRef(entry.reporter),
        on_behalf_of: behalf,
        actor,
        place,
        reason,
        erased,
        proof: entry.proof.name().to_owned(),
    }
}

/// Who owned a device, oldest first
#[utoipa::path(get, path = "/v1/devices/{device}/owners", tag = "history",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Vec<OwnerSince>)))]
pub(super) async fn owners(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Vec<OwnerSince>>, Fault> {
    let found = app.service.owners(&caller, &device.0).await?;
    let owners = found.into_iter().map(|one| OwnerSince {
        owner: one.owner.map(OrganisationRef),
        since: one.since.into(),
        sequence: one.sequence,
    });
    Ok(Json(owners.collect()))
}

/// Where a device stands, as its history says
#[utoipa::path(get, path = "/v1/devices/{device}/state", tag = "history",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = DeviceState)))]
pub(super) async fn state(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<DeviceState>, Fault> {
    let state = app.service.device_state(&caller, &device.0).await?;
    Ok(Json(state.as_ref().map(now).unwrap_or_default()))
}

fn now(state: &device::State) -> DeviceState {
    let of = |organisation: &OrganisationId| OrganisationRef(organisation.clone());
    let (cause, held_by) = match state.standing() {
        Standing::Good => (None, None),
        Standing::Suspended { cause, by, .. } | Standing::Revoked { cause, by, .. } => {
            (Some(CauseName(*cause)), Some(of(by)))
        }
    };
    let alarms = state.alarms();
    DeviceState {
        events: state.events(),
        phase: Some(PhaseName(state.phase())),
        standing: Some(StandingName(state.standing().kind())),
        cause,
        held_by,
        owner: Some(of(state.owner())),
        holder: Some(of(state.holder())),
        shipped_to: state.shipped_to().map(of),
        offered_to: state.pending_transfer().map(of),
        repairer: state.repair().map(|repair| of(&repair.repairer)),
        installed_in: state.installed_in().map(DeviceRef),
        copied_keys: alarms.copied_keys.iter().map(|(key, _)| (*key).into()).collect(),
        duplicated_parts: alarms
            .duplicated_parts
            .iter()
            .map(|(part, ..)| DeviceRef(*part))
            .collect(),
        reappeared: alarms.reappeared.is_some(),
        last: Some(state.last_at().into()),
    }
}
