//! The keys with which the platform speaks for itself.

use super::{
    extract::{Created, JsonBody},
    problem::Fault,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{KeyRotation, OwnKey, RotatedKey, scalar::CertificatePem};
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
