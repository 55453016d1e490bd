//! Commands and settings of devices (docs/command.md).

use super::{
    extract::{Created, Json, JsonBody, Path, Query, page},
    problem::Fault,
};
use crate::{
    app::App,
    authenticated::{Authenticated, ThisPeer},
};
use ::admission::CommandId;
use api::{
    problem::Code,
    wire::{
        ConfigurationVersion, DeviceCommand, DeviceConfiguration, Downlink, ErasureProof,
        HandedInErasure, NewDeviceCommand, NewDeviceConfiguration, Page, PageQuery,
        ReportedConfiguration,
        scalar::{Base64, DeviceRef, Digest},
    },
};
use axum::extract::State;
use serde_json::Value;
use service::{CommandView, ErasureView, NewCommand, NewConfiguration};

/// Parameters of 8 KiB, written as widely as JSON allows within reason.
const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// A proof of 8 KiB in base64.
const PROOF_BYTES_MAX: usize = 16 * 1024;
/// Settings of 32 KiB, likewise.
const CONFIGURATION_BYTES_MAX: usize = 256 * 1024;

/// Gives a device a command
///
/// It waits until the device listens at the MQTT door, or asks (`GET /v1/messages`); the device
/// answers with a message to `me/up/commands/{command}`. `factory-reset` and `erase-keys` take more
/// rights, and a second person where the organisation wants one.
#[utoipa::path(post, path = "/v1/devices/{device}/commands", tag = "messages",
    params(("device" = DeviceRef, Path)), request_body = NewDeviceCommand,
    responses((status = 201, body = DeviceCommand)))]
pub(super) async fn give(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    JsonBody(new): JsonBody<NewDeviceCommand, COMMAND_BYTES_MAX>,
) -> Result<Created<DeviceCommand>, Fault> {
    let new = NewCommand {
        name: new.name,
        parameters: Value::Object(new.parameters).to_string(),
        reason: new.reason,
        lifetime_s: new.lifetime_s,
    };
    Ok(Created(shown(app.service.give_command(&caller, &device.0, new).await?)?))
}

/// Commands that a device was given by its present owner, newest first
#[utoipa::path(get, path = "/v1/devices/{device}/commands", tag = "messages",
    params(("device" = DeviceRef, Path), PageQuery),
    responses((status = 200, body = Page<DeviceCommand>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DeviceCommand>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.commands(&caller, &device.0, &page).await?;
    let items = found.items.into_iter().map(shown).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: found.next }))
}

/// A command that a device was given
#[utoipa::path(get, path = "/v1/devices/{device}/commands/{command}", tag = "messages",
    params(("device" = DeviceRef, Path),
        ("command" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = DeviceCommand)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((device, command)): Path<(DeviceRef, String)>,
) -> Result<Json<DeviceCommand>, Fault> {
    Ok(Json(shown(app.service.command(&caller, &device.0, &id(&command)?).await?)?))
}

/// Takes a command back
///
/// A device that has it already may do it all the same; what it says then is put on record.
#[utoipa::path(delete, path = "/v1/devices/{device}/commands/{command}", tag = "messages",
    params(("device" = DeviceRef, Path),
        ("command" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = DeviceCommand)))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Authenticated,
    Path((device, command)): Path<(DeviceRef, String)>,
) -> Result<Json<DeviceCommand>, Fault> {
    Ok(Json(shown(app.service.cancel_command(&caller, &device.0, &id(&command)?).await?)?))
}

/// Hands in a device's proof that it has erased its keys
///
/// For one that could not send it any more. It is verified against the device's certificate; who hands
/// it in proves nothing. The device's certificates of its present owner are revoked with it.
#[utoipa::path(put, path = "/v1/devices/{device}/commands/{command}/erasure", tag = "messages",
    params(("device" = DeviceRef, Path),
        ("command" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    request_body = HandedInErasure, responses((status = 200, body = DeviceCommand)))]
pub(super) async fn hand_in(
    State(app): State<App>,
    caller: Authenticated,
    Path((device, command)): Path<(DeviceRef, String)>,
    JsonBody(proof): JsonBody<HandedInErasure, PROOF_BYTES_MAX>,
) -> Result<Json<DeviceCommand>, Fault> {
    let (id, proof) = (id(&command)?, proof.statement.0);
    Ok(Json(shown(app.service.hand_in_erasure(&caller, &device.0, &id, proof).await?)?))
}

/// What is wanted of a device's settings, and what it says that it runs with
#[utoipa::path(get, path = "/v1/devices/{device}/configuration", tag = "messages",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = DeviceConfiguration)))]
pub(super) async fn configuration(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<DeviceConfiguration>, Fault> {
    let found = app.service.configuration(&caller, &device.0).await?;
    Ok(Json(DeviceConfiguration {
        wanted: found.wanted.map(version).transpose()?,
        reported: match found.reported {
            None => None,
            Some(said) => Some(ReportedConfiguration {
                version: said.version,
                settings: value(&said.settings)?,
                at: said.at.into(),
            }),
        },
        settled: found.settled,
    }))
}

/// Wants settings of a device
#[utoipa::path(put, path = "/v1/devices/{device}/configuration", tag = "messages",
    params(("device" = DeviceRef, Path)), request_body = NewDeviceConfiguration,
    responses((status = 200, body = ConfigurationVersion)))]
pub(super) async fn configure(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    JsonBody(new): JsonBody<NewDeviceConfiguration, CONFIGURATION_BYTES_MAX>,
) -> Result<Json<ConfigurationVersion>, Fault> {
    let new = NewConfiguration {
        settings: Value::Object(new.settings).to_string(),
        reason: new.reason,
        replaces: new.replaces,
    };
    Ok(Json(version(app.service.configure_device(&caller, &device.0, new).await?)?))
}

/// Settings that its present owner wanted of a device, newest first
#[utoipa::path(get, path = "/v1/devices/{device}/configuration/versions", tag = "messages",
    params(("device" = DeviceRef, Path), PageQuery),
    responses((status = 200, body = Page<ConfigurationVersion>)))]
pub(super) async fn versions(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ConfigurationVersion>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.configuration_versions(&caller, &device.0, &page).await?;
    let items = found.items.into_iter().map(version).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: found.next }))
}

/// What the device that asks is to hear: commands that it has not answered, then its settings
///
/// For devices alone, with the certificate that opens the MQTT door too; the same comes there to who
/// listens to `me/down/#`.
#[utoipa::path(get, path = "/v1/messages", tag = "messages",
    responses((status = 200, body = Vec<Downlink>)))]
pub(super) async fn down(
    State(app): State<App>,
    caller: Authenticated,
    ThisPeer(peer): ThisPeer,
) -> Result<Json<Vec<Downlink>>, Fault> {
    let certificate = peer.certificate().ok_or_else(|| Fault::new(Code::Unauthenticated))?;
    let sender = app.service.door_sender(&caller, certificate)?;
    // Who may not send may not hear either; what was wrong is told to its owner alone.
    let stands = sender.stands().and_then(|()| app.service.pass_request(&sender));
    if let Err(refusal) = stands {
        app.service.refuse_message(&sender, service::MessageDoor::Http, refusal, "");
        return Err(super::messages::refused_here(service::MessageRefused::Refused(refusal)));
    }
    let found = app.service.downlinks(&sender, true)?;
    app.service.handed_over(&found);
    let root = sender.space().root().to_owned();
    let items = found.into_iter().map(|downlink| {
        Ok(Downlink {
            topic: downlink.topic.as_str().replacen(&root, ::admission::OWN, 1),
            payload: value(&String::from_utf8_lossy(&downlink.payload))?,
        })
    });
    Ok(Json(items.collect::<Result<_, Fault>>()?))
}

fn id(text: &str) -> Result<CommandId, Fault> {
    text.parse().map_err(|error| Fault::parameter("command", error))
}

/// The store has looked that it is JSON.
fn value(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| {
        tracing::error!(%error, "what the store gave as JSON is none");
        Fault::new(Code::Internal)
    })
}

fn shown(view: CommandView) -> Result<DeviceCommand, Fault> {
    Ok(DeviceCommand {
        id: view.id.to_string(),
        name: view.name,
        parameters: value(&view.parameters)?,
        reason: view.reason,
        issued_by: view.issued_by,
        issued: view.issued_at.into(),
        expires: view.expires_at.into(),
        state: view.state.name().to_owned(),
        sent: view.sent_at.map(Into::into),
        answered: view.answered_at.map(Into::into),
        detail: view.detail,
        erasure: view.erasure.map(erasure),
    })
}

fn erasure(view: ErasureView) -> ErasureProof {
    ErasureProof {
        digest: Digest(view.digest),
        certificate: Digest(view.says.certificate),
        at: view.says.at.into(),
        counter: view.says.counter,
        erased: view.says.erased.into_iter().map(|one| one.name).collect(),
        kept: view.says.kept,
        statement: Base64(view.statement),
    }
}

fn version(view: service::ConfigurationVersion) -> Result<ConfigurationVersion, Fault> {
    Ok(ConfigurationVersion {
        version: view.version,
        settings: value(&view.settings)?,
        reason: view.reason,
        set_by: view.set_by,
        set: view.set_at.into(),
    })
}
