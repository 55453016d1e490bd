//! Messages of devices: the HTTP door for them, and what their owner sees.

use super::{
    extract::{Json, Lang, Path, Query, Raw, page},
    problem::Fault,
    view,
};
use crate::{
    app::App,
    authenticated::{Authenticated, ThisPeer},
};
use ::admission::{Refusal, TopicName};
use api::{
    problem::Code,
    wire::{
        DeviceMessage, DoorTraffic, MessageQuery, Page, PageQuery, RefusedMessages, TrafficQuery,
        scalar::{Base64, Binary, DeviceRef, OrganisationRef},
    },
};
use axum::extract::State;
use device::Language;
use http::StatusCode;
use service::{IncomingMessage, MessageDoor, MessageRefused};

/// As much as the widest rule lets pass.
const PAYLOAD_BYTES_MAX: usize = 65_536;
/// What a payload may say that it is.
const MEDIA_TYPES: [&str; 8] = [
    "application/octet-stream",
    "application/json",
    "application/cbor",
    "application/cose",
    "application/protobuf",
    "application/x-protobuf",
    "application/vnd.google.protobuf",
    "text/plain",
];

/// A message of the device that asks
///
/// For devices alone, with the certificate that opens the MQTT door too. The same rules hold as there
/// (docs/gateway.md); 204 says that the message is on disk. What was wrong is told as far as it helps
/// a device that means well; its owner reads the exact reason.
#[utoipa::path(post, path = "/v1/messages", tag = "messages", params(MessageQuery),
    request_body(content((Binary = "application/octet-stream"), (Binary = "application/json"),
        (Binary = "application/cbor"), (Binary = "application/cose"), (Binary = "application/protobuf"),
        (Binary = "application/x-protobuf"), (Binary = "application/vnd.google.protobuf"),
        (Binary = "text/plain"))),
    responses((status = 204, description = "the message is on disk")))]
pub(super) async fn send(
    State(app): State<App>,
    caller: Authenticated,
    ThisPeer(peer): ThisPeer,
    Query(query): Query<MessageQuery>,
    Raw { media_type, bytes }: Raw<PAYLOAD_BYTES_MAX>,
) -> Result<StatusCode, Fault> {
    let certificate = peer.certificate().ok_or_else(|| Fault::new(Code::Unauthenticated))?;
    // Who may not send is told before what is sent is looked at.
    let sender = app.service.door_sender(&caller, certificate)?;
    if sender.stands().is_ok() {
        app.service.device_asked(&sender, peer.address.ip());
    }
    if !MEDIA_TYPES.contains(&media_type.as_str()) {
        return Err(Fault::new(Code::UnsupportedMediaType)
            .hint(format!("send one of {}", MEDIA_TYPES.join(", "))));
    }
    let topic = TopicName::new(query.topic).and_then(|name| sender.space().absolute(name));
    let topic = topic.map_err(|error| Fault::parameter("topic", error))?;
    let message = IncomingMessage {
        door: MessageDoor::Http,
        topic,
        payload: bytes.as_ref().into(),
        media_type: Some(media_type),
        made_at: query.time.map(|time| time.0),
        counter: query.counter,
        retain: query.retain.unwrap_or(false).then_some(1),
        expires_s: None,
        acknowledged: true,
    };
    let signed = app.service.take_message(&sender, &message).await.map_err(refused_here)?;
    if let Some(gateway) = app.gateway.get() {
        match &signed {
            Some(said) => gateway.heard(&said.sender, &said.message),
            None => gateway.heard(&sender, &message),
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What a device hears: no more than by any other door.
pub(super) fn refused_here(refused: MessageRefused) -> Fault {
    let refusal = match refused {
        MessageRefused::Failed(error) => return error.into(),
        MessageRefused::Refused(refusal) | MessageRefused::Enclosed(refusal) => refusal,
    };
    let code = match refusal.answer().http {
        400 => Code::Malformed,
        413 => Code::TooLarge,
        429 => Code::TooManyRequests,
        503 => Code::Unavailable,
        _ => Code::Forbidden,
    };
    let fault = Fault::new(code).hint("the device's owner sees why");
    match code {
        Code::TooManyRequests | Code::Unavailable => fault.retry_after(RETRY),
        _ => fault,
    }
}

/// After which a device that sent too much may try again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

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
        space: message.space.map(DeviceRef),
        media_type: message.media_type,
        payload: Base64(message.payload),
        received: message.received_at.into(),
        signed_by: message.signed_by.map(|it| it.to_string()),
        carrier: message.carrier.map(DeviceRef),
        encrypted: message.encrypted,
    })))
}

/// What was refused of a device, and why: one line per reason and door
#[utoipa::path(get, path = "/v1/devices/{device}/messages/refused", tag = "messages",
    params(("device" = DeviceRef, Path)),
    responses((status = 200, body = Vec<RefusedMessages>)))]
pub(super) async fn refused(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Vec<RefusedMessages>>, Fault> {
    let found = app.service.refused_messages(&caller, &device.0).await?;
    let lines = found.into_iter().map(|line| RefusedMessages {
        reason: line.reason.code().to_owned(),
        text: in_words(line.reason, language).to_owned(),
        door: line.door.to_owned(),
        count: line.count,
        last: line.last_at.into(),
        topic: line.last_topic,
        policies: line.last_policies,
        detail: line.last_detail,
    });
    Ok(Json(lines.collect()))
}

/// Hours that are counted where nobody says otherwise.
const HOURS: u32 = 24;

/// Messages of an organisation's devices at each door, in spans of five minutes, oldest first
///
/// Spans and doors without any are left out. Counts are kept for 14 days.
#[utoipa::path(get, path = "/v1/organisations/{organisation}/traffic", tag = "messages",
    params(("organisation" = OrganisationRef, Path), TrafficQuery),
    responses((status = 200, body = Vec<DoorTraffic>)))]
pub(super) async fn traffic(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<TrafficQuery>,
) -> Result<Json<Vec<DoorTraffic>>, Fault> {
    let hours = query.hours.unwrap_or(HOURS);
    let found = app.service.door_traffic(&caller, &organisation.0, hours).await?;
    let rows = found.into_iter().map(|row| DoorTraffic {
        at: row.at.into(),
        door: row.door.name().to_owned(),
        admitted: row.admitted,
        refused: row.refused,
    });
    Ok(Json(rows.collect()))
}

fn in_words(reason: Refusal, language: Language) -> &'static str {
    match language {
        Language::Ja => reason.japanese(),
        Language::En => reason.english(),
    }
}
