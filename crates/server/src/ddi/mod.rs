//! The hawkBit DDI API v1, for devices whose updater is SWUpdate, RAUC's or another that speaks it:
//! docs/ddi.md. Codec and nothing more: what a device shall do, the service says.
//!
//! `/{tenant}/controller/v1/{controllerId}/…`: the tenant is the owner's organisation, the controller
//! the device, by its id or its management number. A device comes with its certificate; a token stands
//! in for it where the organisation allows that.

mod file;
mod wire;

use crate::{
    admission::too_many,
    app::App,
    authenticated::{ThisPeer, by_certificate, check_credential},
    body,
    limit::body::SMALL,
    metrics::Turned,
    peer::Peer,
    rest::{extract::Path, problem::Fault},
};
use api::problem::Code;
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use device::{DeviceId, OrganisationId};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use policy::Caller;
use serde::{Serialize, de::DeserializeOwned};
use service::{
    Assignment, DeviceSoftware, Execution, Feedback, UPDATE_POLL_S, UpdateDecision, UpdateDoor,
    UpdateTokenKind,
};
use std::{collections::BTreeMap, sync::Arc};
use update::ddi::{
    ATTRIBUTES_MAX, ActionId, ConfigData, Confirmation, Said, action_number, cancel_feedback,
    deployment_feedback, is_host,
};
use wire::{
    Base, Cancel, Config, ConfirmationBase, Deployment, DeploymentBase, Link, Polling, Stop,
};

/// Longest tenant, controller or file name read, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Longest token read, in bytes.
const TOKEN_BYTES_MAX: usize = 256;

pub(crate) fn router() -> Router<App> {
    const BASE: &str = "/{tenant}/controller/v1/{controller}";
    let at = |rest: &str| format!("{BASE}{rest}");
    Router::new()
        .route(BASE, get(base))
        .route(&at("/deploymentBase/{action}"), get(deployment))
        .route(&at("/deploymentBase/{action}/feedback"), post(deployment_said))
        .route(&at("/cancelAction/{action}"), get(cancel))
        .route(&at("/cancelAction/{action}/feedback"), post(cancel_said))
        .route(&at("/confirmationBase"), get(confirmations))
        .route(&at("/confirmationBase/{action}"), get(confirmation))
        .route(&at("/confirmationBase/{action}/feedback"), post(confirmation_said))
        .route(&at("/configData"), axum::routing::put(config_data))
        .route(&at("/softwaremodules/{action}/artifacts/{name}"), get(artifact))
}

/// Who asks, and how what it is told is addressed.
struct Controller {
    caller: Arc<Caller>,
    door: UpdateDoor,
    /// came with a token
    weak: Option<UpdateTokenKind>,
    device: DeviceId,
    /// `https://host/tenant/controller/v1/controller`
    url: String,
}

impl Controller {
    async fn of(
        app: &App,
        peer: &Peer,
        headers: &HeaderMap,
        uri: &http::Uri,
        tenant: &str,
        controller: &str,
    ) -> Result<Self, Fault> {
        if tenant.len() > NAME_BYTES_MAX || controller.len() > NAME_BYTES_MAX {
            return Err(Fault::not_found());
        }
        let (caller, weak) = match peer.certificate() {
            // A certificate says more than any token that comes with it.
            Some(certificate) => {
                check_credential(app, certificate)?;
                (by_certificate(app, peer).await?, None)
            }
            None => {
                let (caller, kind) = by_token(app, peer, headers, controller).await?;
                (Arc::new(caller), Some(kind))
            }
        };
        let Caller::Device { device, .. } = &*caller else {
            return Err(Fault::new(Code::Forbidden).detail("this door is for devices"));
        };
        // Own device, own tenant: everything else is not found, whether it exists or not.
        let named = app.service.controller(controller)?;
        let Some((_, owner)) = named.filter(|(named, _)| named == device) else {
            return Err(Fault::not_found());
        };
        if owner.as_str() != tenant {
            return Err(Fault::not_found());
        }
        let door = app.service.update_door_of(&owner)?;
        let url = address(headers, uri, &owner, device)?;
        Ok(Self { device: *device, door, weak, url, caller })
    }

    fn link(&self, rest: &str) -> Link {
        Link { href: format!("{}/{rest}", self.url) }
    }
}

/// Where the device reached us: it is sent back there, and nobody else reads it.
fn address(
    headers: &HeaderMap,
    uri: &http::Uri,
    owner: &OrganisationId,
    device: &DeviceId,
) -> Result<String, Fault> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or_default();
    if !is_host(host) {
        return Err(Fault::new(Code::Malformed).detail("Host: name the host that you reached"));
    }
    Ok(format!("https://{host}/{owner}/controller/v1/{device}"))
}

async fn by_token(
    app: &App,
    peer: &Peer,
    headers: &HeaderMap,
    controller: &str,
) -> Result<(Caller, UpdateTokenKind), Fault> {
    let missing = || {
        Fault::new(Code::Unauthenticated)
            .detail("neither a client certificate nor a token was shown")
            .hint("connect with the device's certificate")
    };
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
    let invalid = || Fault::new(Code::TokenInvalid).hint("Authorization: TargetToken TOKEN");
    let text = value.to_str().map_err(|_| invalid())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(invalid)?;
    let kind = match scheme.to_ascii_lowercase().as_str() {
        "targettoken" => UpdateTokenKind::Target,
        "gatewaytoken" => UpdateTokenKind::Gateway,
        _ => return Err(invalid()),
    };
    let token = token.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return Err(invalid());
    }
    app.failures.peek(peer.source).map_err(too_many)?;
    match app.service.identify_update_token(kind, token, controller).await {
        Ok((caller, digest)) => {
            if let Err(wait) = app.by_credential.take(digest) {
                app.metrics.turned(Turned::RateCredential);
                return Err(too_many(wait));
            }
            Ok((caller, kind))
        }
        Err(error) => {
            let _counted = app.failures.take(peer.source);
            Err(error.into())
        }
    }
}

fn json<T: Serialize>(value: &T) -> Result<Response, Fault> {
    let bytes = serde_json::to_vec(value).map_err(|_| Fault::new(Code::Internal))?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}

async fn read<T: DeserializeOwned>(app: &App, body: Body) -> Result<T, Fault> {
    let bytes = body::read(body, SMALL, app.limits.body_time).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Fault::new(Code::Malformed).detail(error.to_string()))
}

fn number(text: &str) -> Result<u64, Fault> {
    action_number(text).ok_or_else(Fault::not_found)
}

/// The action that a device is to install now, by its number.
async fn assignment(
    app: &App,
    controller: &Controller,
    action: &str,
) -> Result<Box<Assignment>, Fault> {
    let action = number(action)?;
    let poll = app.service.poll_update(&controller.caller, &DeviceSoftware::default()).await?;
    match poll.decision {
        UpdateDecision::Install(assignment) if assignment.action == action => Ok(assignment),
        _ => Err(Fault::not_found()),
    }
}

/// The body may repeat the action; of another one it must not speak.
fn same(said: &Said, action: &str) -> Result<(), Fault> {
    let action = number(action)?;
    match said.id {
        Some(ActionId(id)) if id != action => {
            Err(Fault::field("id", "not the action that the address names"))
        }
        _ => Ok(()),
    }
}

/// Somebody at the device has to agree first.
fn waits(assignment: &Assignment) -> bool {
    assignment.confirm_needed && !assignment.begun
}

async fn base(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name)): Path<(String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let poll = app.service.poll_update(&controller.caller, &DeviceSoftware::default()).await?;
    let mut links = BTreeMap::new();
    let sleep = match &poll.decision {
        UpdateDecision::Nothing => {
            links.insert("configData", controller.link("configData"));
            // Where its turn is known to come sooner, it is asked back for that.
            match poll.next_poll_s {
                UPDATE_POLL_S.. => controller.door.poll_s,
                sooner => sooner.min(controller.door.poll_s),
            }
        }
        UpdateDecision::Install(assignment) if waits(assignment) => {
            let rest = format!("confirmationBase/{}", assignment.action);
            links.insert("confirmationBase", controller.link(&rest));
            poll.next_poll_s
        }
        UpdateDecision::Install(assignment)
            if assignment.installed && !controller.door.closed_confirms =>
        {
            // It closed the action, which tells nothing of a boot: it is asked what it runs, and not
            // to install the same again.
            links.insert("configData", controller.link("configData"));
            poll.next_poll_s
        }
        UpdateDecision::Install(assignment) => {
            // What follows the `?` changes with what is to be installed, so that nobody keeps it.
            let rest =
                format!("deploymentBase/{}?c={}", assignment.action, assignment.release_counter);
            links.insert("deploymentBase", controller.link(&rest));
            poll.next_poll_s
        }
        UpdateDecision::Cancel { action } => {
            links.insert("cancelAction", controller.link(&format!("cancelAction/{action}")));
            poll.next_poll_s
        }
    };
    json(&Base { config: Config { polling: Polling::every(sleep) }, links })
}

fn deployment_of(controller: &Controller, assignment: &Assignment) -> Deployment {
    Deployment::of(assignment, |name| {
        let name = api::client::percent_encode(name);
        let rest = format!("softwaremodules/{}/artifacts/{name}", assignment.action);
        controller.link(&rest).href
    })
}

async fn deployment(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name, action)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let assignment = assignment(&app, &controller, &action).await?;
    if waits(&assignment) {
        return Err(Fault::not_found());
    }
    let deployment = deployment_of(&controller, &assignment);
    json(&DeploymentBase { id: assignment.action.to_string(), deployment })
}

/// Hands feedback on, and marks in the audit log what a token, not a certificate, vouches for.
async fn take(
    app: &App,
    controller: &Controller,
    action: &str,
    feedback: Feedback,
) -> Result<Response, Fault> {
    let action = number(action)?;
    app.service.update_feedback(&controller.caller, action, &feedback).await?;
    let through = matches!(
        feedback.execution,
        Execution::Confirmed | Execution::Failed | Execution::Rejected | Execution::Cancelled
    );
    if let Some(kind) = controller.weak.filter(|_| through) {
        let credential = match kind {
            UpdateTokenKind::Target => "target-token",
            UpdateTokenKind::Gateway => "gateway-token",
        };
        let event = audit::SecurityEvent::new(
            app.service.now(),
            audit::Kind::Authentication,
            audit::Outcome::Success,
        );
        let event = event
            .subject(&controller.device.to_string())
            .detail("what", "update-result-by-token")
            .detail("credential", credential)
            .detail("action", &action.to_string());
        app.service.note_security_event(event);
    }
    Ok(StatusCode::OK.into_response())
}

async fn deployment_said(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name, action)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let said: Said = read(&app, request.into_body()).await?;
    same(&said, &action)?;
    let feedback = deployment_feedback(&said, controller.door.closed_confirms)
        .map_err(|why| Fault::new(Code::Malformed).detail(why))?;
    take(&app, &controller, &action, feedback).await
}

async fn cancel(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name, action)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let action = number(&action)?;
    let poll = app.service.poll_update(&controller.caller, &DeviceSoftware::default()).await?;
    match poll.decision {
        UpdateDecision::Cancel { action: open } if open == action => {
            let id = action.to_string();
            json(&Cancel { id: id.clone(), cancel_action: Stop { stop_id: id } })
        }
        _ => Err(Fault::not_found()),
    }
}

async fn cancel_said(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name, action)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let said: Said = read(&app, request.into_body()).await?;
    same(&said, &action)?;
    let feedback = cancel_feedback(&said).map_err(|why| Fault::new(Code::Malformed).detail(why))?;
    take(&app, &controller, &action, feedback).await
}

/// Whether the device confirms by itself is the device's affair: never here.
async fn confirmations(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name)): Path<(String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let poll = app.service.poll_update(&controller.caller, &DeviceSoftware::default()).await?;
    let mut links = BTreeMap::new();
    if let UpdateDecision::Install(assignment) = &poll.decision
        && waits(assignment)
    {
        let rest = format!("confirmationBase/{}", assignment.action);
        links.insert("confirmationBase", controller.link(&rest));
    }
    json(&serde_json::json!({ "autoConfirm": { "active": false }, "_links": links }))
}

async fn confirmation(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name, action)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let assignment = assignment(&app, &controller, &action).await?;
    if !waits(&assignment) {
        return Err(Fault::not_found());
    }
    let confirmation = deployment_of(&controller, &assignment);
    json(&ConfirmationBase { id: assignment.action.to_string(), confirmation })
}

async fn confirmation_said(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name, action)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let said: Confirmation = read(&app, request.into_body()).await?;
    // Only what waits for a word can be given one.
    if !waits(&*assignment(&app, &controller, &action).await?) {
        return Err(Fault::not_found());
    }
    let feedback = said.feedback().map_err(|why| Fault::new(Code::Malformed).detail(why))?;
    take(&app, &controller, &action, feedback).await
}

/// What a device says about itself. Of its attributes those count that the platform knows; the rest is
/// the device's own.
async fn config_data(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name)): Path<(String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let controller =
        Controller::of(&app, &peer, request.headers(), request.uri(), &tenant, &name).await?;
    let said: ConfigData = read(&app, request.into_body()).await?;
    if said.data.len() > ATTRIBUTES_MAX {
        return Err(Fault::field("data", "at most 64 attributes"));
    }
    let count = |name: &str| match said.data.get(name) {
        None => Ok(None),
        Some(text) => {
            text.parse::<u64>().map(Some).map_err(|_| Fault::field(name, "a whole number"))
        }
    };
    let software = DeviceSoftware {
        hardware_id: said.data.get("hardware_id").cloned(),
        version: said.data.get("version").cloned(),
        release_counter: count("release_counter")?,
        security_version: count("security_version")?,
        // It runs long enough to tell.
        confirmed: true,
        ..DeviceSoftware::default()
    };
    let names_release = software.version.is_some()
        || software.release_counter.is_some()
        || software.security_version.is_some();
    let known = match names_release {
        true => None,
        false => app.service.known_software(&controller.caller)?,
    };
    // Who names nothing but its hardware takes nothing back of what is known.
    let software = match known {
        Some(known) => {
            DeviceSoftware { hardware_id: software.hardware_id.or(known.hardware_id), ..known }
        }
        None => software,
    };
    app.service.poll_update(&controller.caller, &software).await?;
    Ok(StatusCode::OK.into_response())
}

async fn artifact(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    Path((tenant, name, action, file)): Path<(String, String, String, String)>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let headers = request.headers();
    let controller = Controller::of(&app, &peer, headers, request.uri(), &tenant, &name).await?;
    let action = number(&action)?;
    if file.len() > NAME_BYTES_MAX {
        return Err(Fault::not_found());
    }
    let assignment = assignment(&app, &controller, &action.to_string()).await?;
    if waits(&assignment) {
        return Err(Fault::not_found());
    }
    let blob = app.service.assigned_file(&controller.caller, action, &file).await?;
    let head = request.method() == Method::HEAD;
    let said = |execution| Feedback { execution, progress: None, detail: None, installed: None };
    if !head && file::begins(headers, &blob) {
        // Clients that say nothing while they download would otherwise look stuck, and one that begins
        // again and again is found by it (docs/ddi.md, loops).
        let feedback = said(Execution::Downloading);
        app.service.update_feedback(&controller.caller, action, &feedback).await?;
    }
    let (app, caller) = (app.clone(), controller.caller.clone());
    let done = move || {
        tokio::spawn(async move {
            let feedback = said(Execution::Downloaded);
            if let Err(error) = app.service.update_feedback(&caller, action, &feedback).await {
                tracing::debug!(%error, "the end of a download was not taken down");
            }
        });
    };
    Ok(file::answer(request.headers(), head, blob, done))
}
