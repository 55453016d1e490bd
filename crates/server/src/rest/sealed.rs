//! Sealed files and deltas of releases, devices' encryption keys and self-tests (docs/sealed.md,
//! docs/agent.md).

use super::{
    extract::{Json, JsonBody, Path},
    problem::Fault,
    releases::{id, release},
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    self, ContentKey, DeltaImages, EncryptionKeyStatement, ImageDigest, Release, SelfTest, Tickets,
    scalar::{Base64, DeviceRef, Digest},
};
use axum::extract::State;
use crypto::Secret;
use http::StatusCode;
use service::{SelfTestFinding, SelfTestOutcome};
use update::delta;

/// Hands over the content key of a sealed file
///
/// The platform then wraps it for each device that is assigned the file, when the device asks.
#[utoipa::path(post, path = "/v1/releases/{release}/artifacts/{name}/content-key", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$"), ("name" = String, Path)),
    request_body = ContentKey, responses((status = 200, body = Release)))]
pub(super) async fn content_key(
    State(app): State<App>,
    caller: Authenticated,
    Path((release_id, name)): Path<(String, String)>,
    JsonBody(given): JsonBody<ContentKey, { body::SMALL }>,
) -> Result<Json<Release>, Fault> {
    let key = Secret::new(given.key.0);
    let release_id = id("release", &release_id)?;
    Ok(Json(release(app.service.give_content_key(&caller, &release_id, &name, &key).await?)?))
}

/// Brings tickets for a sealed file whose content key stays with its maker
#[utoipa::path(post, path = "/v1/releases/{release}/artifacts/{name}/tickets", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$"), ("name" = String, Path)),
    request_body = Tickets, responses((status = 200, body = Release)))]
pub(super) async fn tickets(
    State(app): State<App>,
    caller: Authenticated,
    Path((release_id, name)): Path<(String, String)>,
    JsonBody(brought): JsonBody<Tickets, { body::BATCH }>,
) -> Result<Json<Release>, Fault> {
    let tickets = brought.tickets.into_iter().map(|ticket| ticket.0).collect();
    let release_id = id("release", &release_id)?;
    let done =
        app.service.bring_tickets(&caller, &release_id, &name, tickets, brought.groups).await?;
    Ok(Json(release(done)?))
}

/// Says that a sealed file of a draft is a delta
#[utoipa::path(post, path = "/v1/releases/{release}/artifacts/{name}/delta", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$"), ("name" = String, Path)),
    request_body = DeltaImages, responses((status = 200, body = Release)))]
pub(super) async fn delta(
    State(app): State<App>,
    caller: Authenticated,
    Path((release_id, name)): Path<(String, String)>,
    JsonBody(images): JsonBody<DeltaImages, { body::SMALL }>,
) -> Result<Json<Release>, Fault> {
    let image = |image: ImageDigest| delta::Image { length: image.length, sha256: image.sha256.0 };
    let stated = delta::Header { base: image(images.base), result: image(images.result) };
    let release_id = id("release", &release_id)?;
    Ok(Json(release(app.service.state_delta(&caller, &release_id, &name, stated).await?)?))
}

/// A device states the key that files are sealed for; said again, it changes nothing
#[utoipa::path(post, path = "/v1/update/encryption-key", tag = "updates",
    request_body = EncryptionKeyStatement, responses((status = 204)))]
pub(super) async fn encryption_key(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(stated): JsonBody<EncryptionKeyStatement, { body::SMALL }>,
) -> Result<StatusCode, Fault> {
    app.service.state_encryption_key(&caller, stated.statement.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a device found when it last tested itself
#[utoipa::path(get, path = "/v1/devices/{device}/self-test", tag = "devices",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = SelfTest)))]
pub(super) async fn self_test(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<SelfTest>, Fault> {
    let said = app.service.self_test(&caller, &device.0).await?;
    let findings = said.findings.into_iter().map(|one| wire::SelfTestFinding {
        test: one.test,
        outcome: one.outcome.name().to_owned(),
        code: one.code,
        detail: one.detail,
    });
    Ok(Json(SelfTest {
        passed: said.passed,
        heard: said.heard_at.into(),
        findings: findings.collect(),
    }))
}

/// Takes down the self-tests that came with a poll; whether the device may be given something.
pub(super) async fn hear(
    app: &App,
    caller: &Authenticated,
    said: Option<Vec<wire::SelfTestFinding>>,
) -> Result<bool, Fault> {
    let Some(said) = said else { return Ok(true) };
    let findings = said
        .into_iter()
        .map(|one| {
            let outcome = SelfTestOutcome::from_name(&one.outcome)
                .ok_or_else(|| Fault::field("self_test", "pass, warn, wait or stop"))?;
            Ok(SelfTestFinding { test: one.test, outcome, code: one.code, detail: one.detail })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(app.service.hear_self_test(caller, findings).await?)
}

pub(super) fn image(length: u64, sha256: crypto::Sha256) -> ImageDigest {
    ImageDigest { length, sha256: Digest(sha256) }
}

/// How a device opens a sealed file.
pub(super) fn sealing(sealing: service::AssignedSealing) -> wire::AssignedSealing {
    wire::AssignedSealing {
        plain: image(sealing.plain.length, sealing.plain.sha256),
        tickets: sealing.tickets.into_iter().map(Base64).collect(),
    }
}

/// A delta that a device is offered.
pub(super) fn assigned_delta(delta: service::AssignedDelta) -> wire::AssignedDelta {
    wire::AssignedDelta {
        path: delta.path,
        sha256: Digest(delta.sha256),
        length: delta.length,
        base: image(delta.base.length, delta.base.sha256),
        sealed: delta.sealed.map(sealing),
    }
}

/// Who can open a file of a release.
pub(super) fn artifact_sealing(sealing: service::Sealing) -> wire::ArtifactSealing {
    wire::ArtifactSealing {
        plain: image(sealing.plain.length, sealing.plain.sha256),
        image: Digest(sealing.image),
        key: if sealing.platform { "platform" } else { "maker" }.to_owned(),
        tickets: sealing.tickets,
    }
}

/// What a delta of a release starts from and makes.
pub(super) fn delta_images(delta: delta::Header) -> DeltaImages {
    let delta::Header { base, result } = delta;
    DeltaImages {
        base: image(base.length, base.sha256),
        result: image(result.length, result.sha256),
    }
}
