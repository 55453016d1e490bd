//! The keys with which the platform speaks for itself.

use super::{
    extract::{Created, Json, JsonBody},
    problem::Fault,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{KeyRotation, OwnKey, RotatedKey, ServerKey, scalar::CertificatePem};
use axum::extract::State;
use service::OwnKeyKind;

/// Replaces a key with which the platform signs, and destroys the old one
///
/// What the old key signed stays valid: its certificate leads to the root.
#[utoipa::path(post, path = "/v1/keys/rotations", tag = "platform",
    request_body = KeyRotation, responses((status = 201, body = RotatedKey)))]
pub(super) async fn rotate(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(which): JsonBody<KeyRotation, { body::SMALL }>,
) -> Result<Created<RotatedKey>, Fault> {
    let kind = match which.key {
        OwnKey::Events => OwnKeyKind::Events,
        OwnKey::Passports => OwnKeyKind::Passports,
    };
    let rotated = app.service.rotate_own_key(&caller, kind).await?;
    Ok(Created(RotatedKey {
        key: rotated.key.into(),
        certificate: CertificatePem(rotated.certificate),
        retired: rotated.retired.into(),
    }))
}

/// The server's key for devices that take no certificate
///
/// What the door for CoAP shows to devices that want a public key by itself (RFC 7250). It outlives restarts and
/// the server's certificates: a device is given it once. It is worth as much as the way it came. Once it was replaced it
/// is the new one, which the door shows from then on. 404 where the server runs without `--coap-raw-keys`.
#[utoipa::path(get, path = "/v1/server-key", tag = "public", security(()),
    responses((status = 200, body = ServerKey),
        (status = 404, body = api::Problem, content_type = "application/problem+json",
            description = "the server takes no raw keys")))]
pub(super) async fn server(State(app): State<App>) -> Result<Json<ServerKey>, Fault> {
    // What is not shown is no use to a device, even where it was shown once.
    if !app.raw_keys {
        return Err(Fault::not_found());
    }
    Ok(Json(shown(&app.service.shown_server_key()?)))
}

/// Replaces the server's key for devices that take no certificate, and destroys the old one
///
/// The new one is shown from the next handshake on, and devices that know the old one by itself have to be
/// given it: for a key that was stolen.
#[utoipa::path(post, path = "/v1/server-key/rotations", tag = "platform",
    responses((status = 201, body = ServerKey)))]
pub(super) async fn rotate_server(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Created<ServerKey>, Fault> {
    Ok(Created(shown(&app.service.rotate_raw_server_key(&caller).await?)))
}

fn shown(key: &crypto::PublicKey) -> ServerKey {
    ServerKey { key: key.fingerprint().into(), public_key: key.to_pem() }
}
