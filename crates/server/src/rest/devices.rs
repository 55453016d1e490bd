//! Devices: registration, standing, shares, challenges, verdicts, passports.

use super::{
    extract::{Created, Json, JsonBody, Lang, Path, Query, counted, line, page, parsed},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    CauseGiven, Challenge, CodesWanted, Device, DeviceQuery, Erasure, NewDevices, Outcomes, Page,
    PublicDevice, Purchase, PurchaseList, Recorded, ReleasedCode, RenewalInfo, Share, ShareTerms,
    Verdict, VerificationRequest,
    scalar::{Binary, DeviceRef, NumberText, OrganisationRef},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use crypto::UnixTime;
use device::{DeviceId, IdError, JudgePolicy, OrganisationId};
use http::{HeaderValue, StatusCode, header};
use service::DeviceAct;

/// Media type of a passport file.
const PASSPORT: &str = "application/vnd.tegata.passport+cbor";

/// Devices that the caller's organisation made, owns, holds or was given a share in
#[utoipa::path(get, path = "/v1/devices", tag = "devices", params(DeviceQuery),
    responses((status = 200, body = Page<Device>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<DeviceQuery>,
) -> Result<Json<Page<Device>>, Fault> {
    let page = page(query.after, query.limit)?;
    if let Some(serial) = &query.serial {
        line("serial", serial, 64)?;
    }
    let organisation = match parsed("organisation", query.organisation)? {
        Some(organisation) => organisation,
        None => caller.of()?.clone(),
    };
    let maker = parsed("maker", query.maker)?;
    let query = service::DeviceQuery {
        relation: view::relation(query.relation),
        product: parsed("product", query.product)?
            .map(|product| (maker.unwrap_or_else(|| organisation.clone()), product)),
        phase: parsed("phase", query.phase)?,
        standing: parsed("standing", query.standing)?,
        serial_prefix: query.serial,
    };
    let found = app.service.devices(&caller, &organisation, &query, &page).await?;
    Ok(Json(view::paged(found, view::device)))
}

/// Registers devices of the caller's organisation before their first enrolment
#[utoipa::path(post, path = "/v1/devices", tag = "devices",
    request_body = NewDevices, responses((status = 200, body = Outcomes<Device>)))]
pub(super) async fn register(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    JsonBody(new): JsonBody<NewDevices, { body::BATCH }>,
) -> Result<Json<Outcomes<Device>>, Fault> {
    counted("devices", new.devices.len())?;
    let mut devices = Vec::with_capacity(new.devices.len());
    for device in new.devices {
        line("serial_number", &device.serial_number, 64)?;
        devices.push(service::NewDevice {
            id: device.id.map(|id| id.0),
            serial_number: device.serial_number,
        });
    }
    let maker = caller.of()?.clone();
    let registered = app.service.register_devices(&caller, &maker, &new.product.0, devices).await?;
    Ok(Json(view::outcomes(registered, language, view::device)))
}

/// One device
#[utoipa::path(get, path = "/v1/devices/{device}", tag = "devices",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Device)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Device>, Fault> {
    Ok(Json(view::device(app.service.device(&caller, &device.0).await?)))
}

/// What a buyer may know of the device in hand, by the number printed on it
#[utoipa::path(get, path = "/v1/management-numbers/{number}", tag = "devices",
    params(("number" = NumberText, Path)), responses((status = 200, body = PublicDevice)))]
pub(super) async fn by_number(
    State(app): State<App>,
    _caller: Authenticated,
    Path(number): Path<String>,
) -> Result<Json<PublicDevice>, Fault> {
    let number: NumberText = number.parse().map_err(|error| match error {
        IdError::CheckCharacter => Fault::not_found().detail(error.to_string()),
        other => Fault::parameter("number", other),
    })?;
    let found = app.service.device_by_management_number(&number.0).await?;
    Ok(Json(view::public_device(found)))
}

/// Releases one-time codes for enrolment
///
/// A code is shown this once and works for one device. Releasing another ends the one before.
#[utoipa::path(post, path = "/v1/enrolment-codes", tag = "enrolment",
    request_body = CodesWanted, responses((status = 200, body = Outcomes<ReleasedCode>)))]
pub(super) async fn release_codes(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    JsonBody(wanted): JsonBody<CodesWanted, { body::EVENT }>,
) -> Result<Json<Outcomes<ReleasedCode>>, Fault> {
    counted("devices", wanted.devices.len())?;
    if !(60..=2_592_000).contains(&wanted.lifetime_s) {
        return Err(Fault::field("lifetime_s", "from 60 to 2592000"));
    }
    let devices = wanted.devices.into_iter().map(|device| device.0).collect();
    let released = app.service.release_codes(&caller, devices, wanted.lifetime_s.into()).await?;
    Ok(Json(view::outcomes(released, language, |code| view::code(&code))))
}

/// A purchase list of the caller's organisation: these devices may enrol as its own
#[utoipa::path(post, path = "/v1/purchase-lists", tag = "enrolment",
    request_body = PurchaseList, responses((status = 200, body = Outcomes<Purchase>)))]
pub(super) async fn purchase(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    JsonBody(list): JsonBody<PurchaseList, { body::BATCH }>,
) -> Result<Json<Outcomes<Purchase>>, Fault> {
    counted("entries", list.entries.len())?;
    let mut wanted = Vec::with_capacity(list.entries.len());
    for entry in &list.entries {
        line("serial_number", &entry.serial_number, 64)?;
        wanted.push(service::Purchase {
            maker: entry.maker.0.clone(),
            product: entry.product.0.clone(),
            serial_number: entry.serial_number.clone(),
        });
    }
    let owner = caller.of()?.clone();
    let vouched = app.service.import_purchase_list(&caller, &owner, wanted).await?;
    let vouched =
        vouched.into_iter().zip(list.entries).map(|(outcome, entry)| outcome.map(|()| entry));
    Ok(Json(view::outcomes(vouched.collect(), language, |entry| entry)))
}

/// When the device should renew its certificate
#[utoipa::path(get, path = "/v1/devices/{device}/renewal", tag = "enrolment",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = RenewalInfo)))]
pub(super) async fn renewal(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<RenewalInfo>, Fault> {
    let info = app.service.renewal_info(&caller, &device.0).await?;
    Ok(Json(RenewalInfo {
        from: info.from.into(),
        until: info.until.into(),
        expires: info.expires.into(),
    }))
}

/// Suspends a device: its credentials do not work until it is released
#[utoipa::path(post, path = "/v1/devices/{device}/suspend", tag = "devices",
    params(("device" = DeviceRef, Path)),
    request_body = CauseGiven, responses((status = 200, body = Recorded)))]
pub(super) async fn suspend(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    JsonBody(given): JsonBody<CauseGiven, { body::SMALL }>,
) -> Result<Json<Recorded>, Fault> {
    act(&app, &caller, &device.0, DeviceAct::Suspend { cause: given.cause.0 }, given.reason).await
}

/// Ends a suspension
#[utoipa::path(post, path = "/v1/devices/{device}/release", tag = "devices",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Recorded)))]
pub(super) async fn release(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Recorded>, Fault> {
    let recorded = app.service.release_device(&caller, &device.0).await?;
    Ok(Json(view::recorded(recorded)))
}

/// Revokes a device and all of its credentials, for ever
#[utoipa::path(post, path = "/v1/devices/{device}/revoke", tag = "devices",
    params(("device" = DeviceRef, Path)),
    request_body = CauseGiven, responses((status = 200, body = Recorded)))]
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    JsonBody(given): JsonBody<CauseGiven, { body::SMALL }>,
) -> Result<Json<Recorded>, Fault> {
    act(&app, &caller, &device.0, DeviceAct::Revoke { cause: given.cause.0 }, given.reason).await
}

async fn act(
    app: &App,
    caller: &Authenticated,
    device: &DeviceId,
    act: DeviceAct,
    reason: Option<String>,
) -> Result<Json<Recorded>, Fault> {
    let done = app.service.perform_act_because(caller, device, &act, reason.as_deref()).await?;
    Ok(Json(view::recorded(done)))
}

/// With whom the device is shared
#[utoipa::path(get, path = "/v1/devices/{device}/shares", tag = "devices",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Vec<Share>)))]
pub(super) async fn shares(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Vec<Share>>, Fault> {
    let found = app.service.shares(&caller, &device.0).await?;
    let share = |(organisation, until): (OrganisationId, UnixTime)| Share {
        organisation: OrganisationRef(organisation),
        until: (until < UnixTime::NEVER).then(|| until.into()),
    };
    Ok(Json(found.into_iter().map(share).collect()))
}

/// Shares the device with another organisation, which may then read its passport
#[utoipa::path(put, path = "/v1/devices/{device}/shares/{organisation}", tag = "devices",
    params(("device" = DeviceRef, Path), ("organisation" = OrganisationRef, Path)),
    request_body = ShareTerms, responses((status = 204, description = "it is shared")))]
pub(super) async fn share(
    State(app): State<App>,
    caller: Authenticated,
    Path((device, organisation)): Path<(DeviceRef, OrganisationRef)>,
    JsonBody(terms): JsonBody<ShareTerms, { body::SMALL }>,
) -> Result<StatusCode, Fault> {
    let until = terms.until.map(|time| time.0);
    app.service.set_share(&caller, &device.0, &organisation.0, until).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a share, at once
#[utoipa::path(delete, path = "/v1/devices/{device}/shares/{organisation}", tag = "devices",
    params(("device" = DeviceRef, Path), ("organisation" = OrganisationRef, Path)),
    responses((status = 204, description = "it has ended")))]
pub(super) async fn end_share(
    State(app): State<App>,
    caller: Authenticated,
    Path((device, organisation)): Path<(DeviceRef, OrganisationRef)>,
) -> Result<StatusCode, Fault> {
    app.service.end_share(&caller, &device.0, &organisation.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A challenge that the device signs to prove that it has its key
#[utoipa::path(post, path = "/v1/devices/{device}/challenges", tag = "verdict",
    params(("device" = DeviceRef, Path)), responses((status = 201, body = Challenge)))]
pub(super) async fn challenge(
    State(app): State<App>,
    _caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Created<Challenge>, Fault> {
    let challenge = app.service.challenge(&device.0).await?;
    Ok(Created(view::challenge(&challenge)))
}

/// The verdict on a device
///
/// With the device's answer to a challenge it says whether the device at hand is the one of the
/// passport; without, what the passport alone says. An answer can be used once.
#[utoipa::path(post, path = "/v1/devices/{device}/verifications", tag = "verdict",
    params(("device" = DeviceRef, Path)),
    request_body = VerificationRequest, responses((status = 200, body = Verdict)))]
pub(super) async fn verify(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    JsonBody(request): JsonBody<VerificationRequest, { body::PROOF }>,
) -> Result<Json<Verdict>, Fault> {
    if request.presented.len() > 8 {
        return Err(Fault::field("presented", "at most 8 certificates"));
    }
    let presented: Vec<_> =
        request.presented.into_iter().map(|certificate| certificate.0).collect();
    let question = service::VerifyRequest {
        proof: request.proof.map(|proof| proof.0),
        presented,
        presented_by: request.presented_by.map(|organisation| organisation.0),
        policy: request.purpose.map(|purpose| JudgePolicy {
            purpose: purpose.0,
            ..app.service.judge_policy().clone()
        }),
    };
    let verdict = app.service.verify_device(&caller, &device.0, question).await?;
    Ok(Json(Verdict::from(&verdict)))
}

/// The device's passport in one file, which can be checked offline
///
/// `Tegata-Witnesses: HAVE/NEED` says how many witnesses cosigned the log in it, and how many the
/// installation's readers should ask for.
#[utoipa::path(get, path = "/v1/devices/{device}/passport", tag = "verdict",
    params(("device" = DeviceRef, Path)),
    responses((status = 200, description = "passport file (docs/passport.md)", body = Binary,
        content_type = "application/vnd.tegata.passport+cbor")))]
pub(super) async fn passport(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Response, Fault> {
    let file = app.service.export_witnessed(&caller, &device.0).await?;
    let witnesses = format!("{}/{}", file.cosignatures, file.quorum);
    let name = format!("attachment; filename=\"{}.passport\"", device.0);
    let mut response = file.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PASSPORT));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    if let Ok(witnesses) = HeaderValue::from_str(&witnesses) {
        headers.insert(api::client::WITNESSES, witnesses);
    }
    Ok(response)
}

/// Erases contents of a device's history (PR-4)
///
/// Contents and salts are destroyed; places and commitments stay, so that every other proof stays
/// valid. The erasure itself becomes an event.
#[utoipa::path(post, path = "/v1/devices/{device}/erasures", tag = "devices",
    params(("device" = DeviceRef, Path)),
    request_body = Erasure, responses((status = 200, body = Recorded)))]
pub(super) async fn erase(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    JsonBody(erasure): JsonBody<Erasure, { body::EVENT }>,
) -> Result<Json<Recorded>, Fault> {
    let recorded = match erasure.sequences {
        None => app.service.erase_device(&caller, &device.0).await?,
        Some(sequences) => {
            counted("sequences", sequences.len())?;
            app.service.erase_events(&caller, &device.0, sequences).await?
        }
    };
    Ok(Json(view::recorded(recorded)))
}
