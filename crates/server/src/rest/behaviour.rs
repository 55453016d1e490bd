//! What devices usually do (docs/behaviour.md).

use super::{
    extract::{Json, JsonBody, Lang, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use ::behaviour::{Accepted, Aspect, Phase, Settings};
use api::wire::{
    self, BehaviourAccepted, BehaviourAspect, BehaviourChange, BehaviourDeviation, BehaviourDevice,
    BehaviourOrdinary, BehaviourOwn, BehaviourPhase, BehaviourProfile, BehaviourSettings,
    BehaviourShown, BehaviourValue, Page, PageQuery,
    scalar::{DeviceRef, OrganisationRef},
};
use axum::extract::State;
use crypto::UnixTime;
use device::Language;
use service::ProfileChange;

/// What an organisation's devices usually do, by product line
#[utoipa::path(get, path = "/v1/organisations/{organisation}/behaviour", tag = "behaviour",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<BehaviourProfile>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<BehaviourProfile>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.behaviour_profiles(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, |one| profile(&one))))
}

/// What the devices of a product line usually do
#[utoipa::path(get, path = "/v1/organisations/{organisation}/behaviour/{maker}/{product}",
    tag = "behaviour",
    params(("organisation" = OrganisationRef, Path),
        ("maker" = String, Path, description = "the maker; `-` for devices of no product line"),
        ("product" = String, Path, description = "the product; `-` for devices of none")),
    responses((status = 200, body = BehaviourProfile)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, maker, product)): Path<(OrganisationRef, String, String)>,
) -> Result<Json<BehaviourProfile>, Fault> {
    let line = line(&maker, &product);
    let found = app.service.behaviour_profile(&caller, &organisation.0, &line).await?;
    Ok(Json(profile(&found)))
}

/// The devices that a profile knows, with what each usually does
#[utoipa::path(get, path = "/v1/organisations/{organisation}/behaviour/{maker}/{product}/devices",
    tag = "behaviour",
    params(("organisation" = OrganisationRef, Path),
        ("maker" = String, Path, description = "the maker; `-` for devices of no product line"),
        ("product" = String, Path, description = "the product; `-` for devices of none"),
        PageQuery),
    responses((status = 200, body = Page<BehaviourDevice>)))]
pub(super) async fn devices(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, maker, product)): Path<(OrganisationRef, String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<BehaviourDevice>>, Fault> {
    let page = page(query.after, query.limit)?;
    let line = line(&maker, &product);
    let found = app.service.behaviour_devices(&caller, &organisation.0, &line, &page).await?;
    Ok(Json(view::paged(found, |one| shown(&one, language))))
}

/// Has a profile learn, watch, freeze, or be off
///
/// What was counted until now is learned first. To learn forgets what was learned before, not what people
/// accepted.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/behaviour/{maker}/{product}/phase",
    tag = "behaviour",
    params(("organisation" = OrganisationRef, Path),
        ("maker" = String, Path, description = "the maker; `-` for devices of no product line"),
        ("product" = String, Path, description = "the product; `-` for devices of none")),
    request_body = BehaviourChange, responses((status = 200, body = BehaviourProfile)))]
pub(super) async fn phase(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, maker, product)): Path<(OrganisationRef, String, String)>,
    JsonBody(wanted): JsonBody<BehaviourChange, { body::SMALL }>,
) -> Result<Json<BehaviourProfile>, Fault> {
    let change = match wanted.phase {
        BehaviourPhase::Off => ProfileChange::Off,
        BehaviourPhase::Learning => ProfileChange::Learn(wanted.seconds),
        BehaviourPhase::Watching => ProfileChange::Watch,
        BehaviourPhase::Frozen => ProfileChange::Freeze,
    };
    let line = line(&maker, &product);
    let found = app.service.change_behaviour(&caller, &organisation.0, &line, change).await?;
    Ok(Json(profile(&found)))
}

/// Chooses how a profile learns and what it watches
#[utoipa::path(put, path = "/v1/organisations/{organisation}/behaviour/{maker}/{product}/settings",
    tag = "behaviour",
    params(("organisation" = OrganisationRef, Path),
        ("maker" = String, Path, description = "the maker; `-` for devices of no product line"),
        ("product" = String, Path, description = "the product; `-` for devices of none")),
    request_body = BehaviourSettings, responses((status = 200, body = BehaviourProfile)))]
pub(super) async fn settings(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, maker, product)): Path<(OrganisationRef, String, String)>,
    JsonBody(wanted): JsonBody<BehaviourSettings, { body::SMALL }>,
) -> Result<Json<BehaviourProfile>, Fault> {
    let settings = Settings {
        learn_s: wanted.learn_s,
        factor_percent: wanted.factor_percent,
        devices_min: wanted.devices_min,
        place_bits: (wanted.place_bits_v4, wanted.place_bits_v6),
        off: wanted.off.iter().map(|it| aspect_of(*it)).collect(),
    };
    let line = line(&maker, &product);
    let found = app.service.set_behaviour(&caller, &organisation.0, &line, settings).await?;
    Ok(Json(profile(&found)))
}

/// Says that something is ordinary from now on for all devices of a product line
#[utoipa::path(put, path = "/v1/organisations/{organisation}/behaviour/{maker}/{product}/accepted",
    tag = "behaviour",
    params(("organisation" = OrganisationRef, Path),
        ("maker" = String, Path, description = "the maker; `-` for devices of no product line"),
        ("product" = String, Path, description = "the product; `-` for devices of none")),
    request_body = BehaviourValue, responses((status = 200, body = BehaviourProfile)))]
pub(super) async fn accept(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, maker, product)): Path<(OrganisationRef, String, String)>,
    JsonBody(wanted): JsonBody<BehaviourValue, { body::SMALL }>,
) -> Result<Json<BehaviourProfile>, Fault> {
    let line = line(&maker, &product);
    let (of, value) =
        ((&organisation.0, line.as_str()), (aspect_of(wanted.aspect), &*wanted.value));
    Ok(Json(profile(&app.service.accept_behaviour(&caller, of, value, true).await?)))
}

/// Takes back that something is ordinary for all devices of a product line
#[utoipa::path(post,
    path = "/v1/organisations/{organisation}/behaviour/{maker}/{product}/take-back",
    tag = "behaviour",
    params(("organisation" = OrganisationRef, Path),
        ("maker" = String, Path, description = "the maker; `-` for devices of no product line"),
        ("product" = String, Path, description = "the product; `-` for devices of none")),
    request_body = BehaviourValue, responses((status = 200, body = BehaviourProfile)))]
pub(super) async fn take_back(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, maker, product)): Path<(OrganisationRef, String, String)>,
    JsonBody(wanted): JsonBody<BehaviourValue, { body::SMALL }>,
) -> Result<Json<BehaviourProfile>, Fault> {
    let line = line(&maker, &product);
    let (of, value) =
        ((&organisation.0, line.as_str()), (aspect_of(wanted.aspect), &*wanted.value));
    Ok(Json(profile(&app.service.accept_behaviour(&caller, of, value, false).await?)))
}

/// What a device usually does, and what of it came lately
#[utoipa::path(get, path = "/v1/devices/{device}/behaviour", tag = "behaviour",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = BehaviourDevice)))]
pub(super) async fn device(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(device): Path<DeviceRef>,
) -> Result<Json<BehaviourDevice>, Fault> {
    Ok(Json(shown(&app.service.device_behaviour(&caller, &device.0).await?, language)))
}

/// Says that something is ordinary from now on for one device
#[utoipa::path(put, path = "/v1/devices/{device}/behaviour/accepted", tag = "behaviour",
    params(("device" = DeviceRef, Path)),
    request_body = BehaviourValue, responses((status = 200, body = BehaviourDevice)))]
pub(super) async fn accept_of_device(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(device): Path<DeviceRef>,
    JsonBody(wanted): JsonBody<BehaviourValue, { body::SMALL }>,
) -> Result<Json<BehaviourDevice>, Fault> {
    let value = (aspect_of(wanted.aspect), wanted.value.as_str());
    let found = app.service.accept_device_behaviour(&caller, &device.0, value, true).await?;
    Ok(Json(shown(&found, language)))
}

/// Takes back that something is ordinary for one device
#[utoipa::path(post, path = "/v1/devices/{device}/behaviour/take-back", tag = "behaviour",
    params(("device" = DeviceRef, Path)),
    request_body = BehaviourValue, responses((status = 200, body = BehaviourDevice)))]
pub(super) async fn take_back_of_device(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(device): Path<DeviceRef>,
    JsonBody(wanted): JsonBody<BehaviourValue, { body::SMALL }>,
) -> Result<Json<BehaviourDevice>, Fault> {
    let value = (aspect_of(wanted.aspect), wanted.value.as_str());
    let found = app.service.accept_device_behaviour(&caller, &device.0, value, false).await?;
    Ok(Json(shown(&found, language)))
}

/// Forgets what was learned of a device, and learns anew what its product says nothing about
#[utoipa::path(post, path = "/v1/devices/{device}/behaviour/relearn", tag = "behaviour",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = BehaviourDevice)))]
pub(super) async fn relearn(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(device): Path<DeviceRef>,
) -> Result<Json<BehaviourDevice>, Fault> {
    let found = app.service.relearn_device_behaviour(&caller, &device.0).await?;
    Ok(Json(shown(&found, language)))
}

/// A product line as profiles name it.
fn line(maker: &str, product: &str) -> String {
    match (maker, product) {
        ("-", "-") => "-".to_owned(),
        _ => format!("{maker}/{product}"),
    }
}

fn aspect_of(aspect: BehaviourAspect) -> Aspect {
    match aspect {
        BehaviourAspect::Rate => Aspect::Rate,
        BehaviourAspect::Size => Aspect::Size,
        BehaviourAspect::Hour => Aspect::Hour,
        BehaviourAspect::Place => Aspect::Place,
        BehaviourAspect::Door => Aspect::Door,
        BehaviourAspect::Topic => Aspect::Topic,
        BehaviourAspect::Firmware => Aspect::Firmware,
        BehaviourAspect::Silence => Aspect::Silence,
    }
}

fn aspect(aspect: Aspect) -> BehaviourAspect {
    match aspect {
        Aspect::Rate => BehaviourAspect::Rate,
        Aspect::Size => BehaviourAspect::Size,
        Aspect::Hour => BehaviourAspect::Hour,
        Aspect::Place => BehaviourAspect::Place,
        Aspect::Door => BehaviourAspect::Door,
        Aspect::Topic => BehaviourAspect::Topic,
        Aspect::Firmware => BehaviourAspect::Firmware,
        Aspect::Silence => BehaviourAspect::Silence,
    }
}

fn phase_shown(phase: Phase) -> BehaviourPhase {
    match phase {
        Phase::Off => BehaviourPhase::Off,
        Phase::Learning { .. } => BehaviourPhase::Learning,
        Phase::Watching => BehaviourPhase::Watching,
        Phase::Frozen => BehaviourPhase::Frozen,
    }
}

fn accepted<'a>(
    all: impl Iterator<Item = (Aspect, &'a str, &'a Accepted)>,
) -> Vec<BehaviourAccepted> {
    let shown = |(of, value, how): (Aspect, &str, &Accepted)| BehaviourAccepted {
        aspect: aspect(of),
        value: value.to_owned(),
        at: how.at.into(),
        by: how.by.clone(),
    };
    all.map(shown).collect()
}

fn profile(of: &service::BehaviourProfile) -> BehaviourProfile {
    let it = &of.profile;
    let settings = it.settings();
    let (learned_from, learned_until) = it.learned();
    BehaviourProfile {
        line: of.line.clone(),
        phase: phase_shown(it.phase()),
        since: it.since().into(),
        until: match it.phase() {
            Phase::Learning { until } => Some(until.into()),
            _ => None,
        },
        learned_from: learned_from.into(),
        learned_until: learned_until.map(Into::into),
        devices: it.devices(),
        settings: BehaviourSettings {
            learn_s: settings.learn_s,
            factor_percent: settings.factor_percent,
            devices_min: settings.devices_min,
            place_bits_v4: settings.place_bits.0,
            place_bits_v6: settings.place_bits.1,
            off: settings.off.iter().map(|it| aspect(*it)).collect(),
        },
        ordinary: Aspect::ALL
            .iter()
            .map(|of| BehaviourOrdinary {
                aspect: aspect(*of),
                values: match of.has_values() || *of == Aspect::Silence {
                    true => it.ordinary(*of).into_iter().map(str::to_owned).collect(),
                    false => Vec::new(),
                },
                bound: matches!(of, Aspect::Rate | Aspect::Size).then(|| it.bound(*of)).flatten(),
            })
            .collect(),
        shown: Aspect::ALL
            .iter()
            .flat_map(|of| it.shown(*of).map(|shown| (*of, shown)))
            .map(|(of, (value, support))| BehaviourShown {
                aspect: aspect(of),
                value: value.to_owned(),
                devices: support.devices,
                first: support.first_at.into(),
            })
            .collect(),
        accepted: accepted(it.accepted()),
        overflow: it.overflow(),
        by_hour: it.by_hour().to_vec(),
    }
}

fn shown(of: &service::BehaviourDevice, language: Language) -> BehaviourDevice {
    let (it, learned) = (&of.profile, &of.learned);
    let since = wire::scalar::Timestamp::from(it.learned_from()).to_string();
    let deviations = it.deviations().map(|one| BehaviourDeviation {
        aspect: aspect(one.aspect),
        seen: one.seen.clone(),
        ordinary: one.ordinary.clone(),
        first: one.first_at.into(),
        last: one.last_at.into(),
        count: one.count,
        explanation: match language {
            Language::Ja => one.aspect.explained_in_japanese(&one.seen, &one.ordinary, &since),
            Language::En => one.aspect.explained(&one.seen, &one.ordinary, &since),
        },
    });
    let mut deviations: Vec<_> = deviations.collect();
    deviations.reverse();
    BehaviourDevice {
        device: DeviceRef(of.device),
        line: of.product.line.clone(),
        phase: phase_shown(of.product.profile.phase()),
        first_seen: it.seen().0.into(),
        last_seen: it.seen().1.into(),
        learned_from: it.learned_from().into(),
        rate: learned.rate,
        size: learned.size,
        hours: learned.hours,
        hourly: learned.hourly,
        hour: UnixTime(it.hour().0.saturating_mul(3600)).into(),
        recent: it.recent().collect(),
        shown: learned
            .shown
            .iter()
            .map(|(of, value, at)| BehaviourOwn {
                aspect: aspect(*of),
                value: value.clone(),
                first: (*at).into(),
            })
            .collect(),
        accepted: accepted(it.accepted()),
        deviations,
    }
}
