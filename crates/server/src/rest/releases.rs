//! Uploads, releases, gates (docs/release.md).

use super::{
    extract::{Created, Json, JsonBody, Lang, Path, Query, page, parsed},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, download, limit::body};
use api::{
    problem::Code,
    wire::{
        self, Artifact, Attachment, AttachmentKindName, GateItem, NewArtifact, NewAttachment,
        NewRelease, NewUpload, Page, PageQuery, PieceQuery, Publish, Release, ReleaseGate,
        ReleaseProof, ReleaseQuery, Upload, Withdraw,
        scalar::{Base64, Binary, Digest, OrganisationRef, ProductRef},
    },
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use device::Language;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use service::{AttachmentKind, ReleaseState, UploadState};
use tokio::time::{Instant, timeout_at};

/// Most bytes of one piece of an upload.
const PIECE_MAX: u64 = 64 * 1024 * 1024;
/// Bytes that are gathered before they are written.
const GATHERED: usize = 1024 * 1024;

pub(super) fn id<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Fault>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Fault::parameter(name, error))
}

/// Begins the upload of a file, or goes on with one
///
/// Where the same contents are on their way already, that upload is the answer; where the
/// organisation has them, it is complete at once.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/uploads", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewUpload, responses((status = 201, body = Upload)))]
pub(super) async fn begin(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewUpload, { body::SMALL }>,
) -> Result<Created<Upload>, Fault> {
    let new = service::NewUpload {
        organisation: organisation.0,
        sha256: new.sha256.0,
        length: new.length,
    };
    Ok(Created(upload(app.service.begin_blob(&caller, new).await?)))
}

/// Uploads of an organisation
#[utoipa::path(get, path = "/v1/organisations/{organisation}/uploads", tag = "releases",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<Upload>)))]
pub(super) async fn uploads(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Upload>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.uploads(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, upload)))
}

/// An upload: how much of it is here
#[utoipa::path(get, path = "/v1/uploads/{upload}", tag = "releases",
    params(("upload" = String, Path, pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Upload)))]
pub(super) async fn one_upload(
    State(app): State<App>,
    caller: Authenticated,
    Path(upload_id): Path<String>,
) -> Result<Json<Upload>, Fault> {
    Ok(Json(upload(app.service.upload(&caller, &id("upload", &upload_id)?).await?)))
}

/// Abandons an upload
#[utoipa::path(delete, path = "/v1/uploads/{upload}", tag = "releases",
    params(("upload" = String, Path, pattern = "^[0-9a-f]{32}$")),
    responses((status = 204)))]
pub(super) async fn abandon(
    State(app): State<App>,
    caller: Authenticated,
    Path(upload_id): Path<String>,
) -> Result<StatusCode, Fault> {
    app.service.abandon_blob(&caller, &id("upload", &upload_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The next piece of an upload
///
/// At most 64 MiB, which must arrive within the time for a body. What arrived before a connection
/// broke is kept; the upload says how much.
#[utoipa::path(put, path = "/v1/uploads/{upload}/bytes", tag = "releases",
    params(("upload" = String, Path, pattern = "^[0-9a-f]{32}$"), PieceQuery),
    request_body(content = Binary, content_type = "application/octet-stream"),
    responses((status = 200, body = Upload)))]
pub(super) async fn piece(
    State(app): State<App>,
    caller: Authenticated,
    Path(upload_id): Path<String>,
    Query(query): Query<PieceQuery>,
    request: Request,
) -> Result<Json<Upload>, Fault> {
    let upload_id = id("upload", &upload_id)?;
    // Who may not send is told before the kind of what is sent is looked at.
    let mut writer =
        app.service.append_blob(&caller, &upload_id, query.offset.unwrap_or(0)).await?;
    if !crate::body::is_media_type(request.headers(), "application/octet-stream") {
        return Err(Fault::new(Code::UnsupportedMediaType)
            .hint("send Content-Type: application/octet-stream"));
    }
    let deadline = Instant::now() + app.limits.body_time;
    let mut incoming = request.into_body();
    let mut gathered: Vec<u8> = Vec::new();
    let mut taken: u64 = 0;
    // What came before something went wrong is kept: hence no early return.
    let trouble = loop {
        let frame = match timeout_at(deadline, incoming.frame()).await {
            Err(_) => break Some(Fault::new(Code::TooSlow).hint("send smaller pieces")),
            Ok(None) => break None,
            Ok(Some(Err(_))) => {
                break Some(Fault::new(Code::Malformed).detail("the body did not arrive whole"));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        taken = taken.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if taken > PIECE_MAX {
            break Some(
                Fault::new(Code::TooLarge).detail(format!("a piece has at most {PIECE_MAX} bytes")),
            );
        }
        gathered.extend_from_slice(&data);
        if gathered.len() >= GATHERED
            && let Err(error) = writer.write(std::mem::take(&mut gathered)).await
        {
            break Some(error.into());
        }
    };
    let last = match gathered.is_empty() {
        true => Ok(()),
        false => writer.write(gathered).await,
    };
    let closed = writer.close().await;
    if let Some(fault) = trouble {
        return Err(fault);
    }
    last?;
    Ok(Json(upload(closed?)))
}

/// Ends an upload: it is verified, and is a file of the organisation
///
/// Where that takes long, the state is `verifying`: ask again.
#[utoipa::path(post, path = "/v1/uploads/{upload}/finish", tag = "releases",
    params(("upload" = String, Path, pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Upload)))]
pub(super) async fn finish(
    State(app): State<App>,
    caller: Authenticated,
    Path(upload_id): Path<String>,
) -> Result<Json<Upload>, Fault> {
    Ok(Json(upload(app.service.finish_blob(&caller, &id("upload", &upload_id)?).await?)))
}

/// A file of an organisation, whole or in part (RFC 9110 section 14)
#[utoipa::path(get, path = "/v1/organisations/{organisation}/files/{sha256}", tag = "releases",
    params(("organisation" = OrganisationRef, Path), ("sha256" = Digest, Path)),
    responses((status = 200, body = Binary, content_type = "application/octet-stream"),
        (status = 206, body = Binary, content_type = "application/octet-stream")))]
pub(super) async fn file(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, sha256)): Path<(OrganisationRef, Digest)>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let reader = app.service.open_blob(&caller, &organisation.0, &sha256.0).await?;
    download::answer(reader, &headers, "private, max-age=31536000, immutable")
}

/// The draft of a release
#[utoipa::path(post, path = "/v1/organisations/{organisation}/releases", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewRelease, responses((status = 201, body = Release)))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewRelease, { body::CSR }>,
) -> Result<Created<Release>, Fault> {
    let new = service::NewRelease {
        organisation: organisation.0,
        product: new.product.0,
        version: new.version,
        security_version: new.security_version,
        release_counter: new.release_counter,
        hardware_ids: new.hardware_ids,
        notes: new.notes,
    };
    Ok(Created(release(app.service.create_release(&caller, new).await?)?))
}

/// Releases of an organisation, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/releases", tag = "releases",
    params(("organisation" = OrganisationRef, Path), ReleaseQuery),
    responses((status = 200, body = Page<Release>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<ReleaseQuery>,
) -> Result<Json<Page<Release>>, Fault> {
    let page = page(query.after, query.limit)?;
    let state = query.state.map(|state| {
        ReleaseState::from_name(&state)
            .ok_or_else(|| Fault::parameter("state", "draft, published or withdrawn"))
    });
    let which = service::ReleaseQuery {
        product: parsed("product", query.product)?,
        state: state.transpose()?,
    };
    let found = app.service.releases(&caller, &organisation.0, &which, &page).await?;
    let items = found.items.into_iter().map(release).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: found.next }))
}

/// A release
#[utoipa::path(get, path = "/v1/releases/{release}", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Release)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(release_id): Path<String>,
) -> Result<Json<Release>, Fault> {
    Ok(Json(release(app.service.release(&caller, &id("release", &release_id)?).await?)?))
}

/// Discards a draft
#[utoipa::path(delete, path = "/v1/releases/{release}", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$")),
    responses((status = 204)))]
pub(super) async fn discard(
    State(app): State<App>,
    caller: Authenticated,
    Path(release_id): Path<String>,
) -> Result<StatusCode, Fault> {
    app.service.discard_release(&caller, &id("release", &release_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds an uploaded file to a draft
#[utoipa::path(post, path = "/v1/releases/{release}/artifacts", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$")),
    request_body = NewArtifact, responses((status = 201, body = Release)))]
pub(super) async fn add_artifact(
    State(app): State<App>,
    caller: Authenticated,
    Path(release_id): Path<String>,
    JsonBody(new): JsonBody<NewArtifact, { body::SMALL }>,
) -> Result<Created<Release>, Fault> {
    let new = service::NewArtifact {
        name: new.name,
        sha256: new.sha256.0,
        hardware_ids: new.hardware_ids,
    };
    let release_id = id("release", &release_id)?;
    Ok(Created(release(app.service.add_artifact(&caller, &release_id, new).await?)?))
}

/// Takes a file out of a draft
#[utoipa::path(delete, path = "/v1/releases/{release}/artifacts/{name}", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$"), ("name" = String, Path)),
    responses((status = 204)))]
pub(super) async fn remove_artifact(
    State(app): State<App>,
    caller: Authenticated,
    Path((release_id, name)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    app.service.remove_artifact(&caller, &id("release", &release_id)?, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Attaches an uploaded file to a draft
#[utoipa::path(post, path = "/v1/releases/{release}/attachments", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$")),
    request_body = NewAttachment, responses((status = 201, body = Attachment)))]
pub(super) async fn attach(
    State(app): State<App>,
    caller: Authenticated,
    Path(release_id): Path<String>,
    JsonBody(new): JsonBody<NewAttachment, { body::SMALL }>,
) -> Result<Created<Attachment>, Fault> {
    let new = service::NewAttachment {
        kind: match new.kind {
            AttachmentKindName::Sbom => AttachmentKind::Sbom,
            AttachmentKindName::Tests => AttachmentKind::Tests,
            AttachmentKindName::Provenance => AttachmentKind::Provenance,
        },
        name: new.name,
        sha256: new.sha256.0,
    };
    let release_id = id("release", &release_id)?;
    Ok(Created(attachment(app.service.attach(&caller, &release_id, new).await?)?))
}

/// Takes an attachment off a draft
#[utoipa::path(delete, path = "/v1/releases/{release}/attachments/{kind}/{name}", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$"), ("kind" = String, Path),
        ("name" = String, Path)),
    responses((status = 204)))]
pub(super) async fn detach(
    State(app): State<App>,
    caller: Authenticated,
    Path((release_id, kind, name)): Path<(String, String, String)>,
) -> Result<StatusCode, Fault> {
    let kind = AttachmentKind::from_name(&kind)
        .ok_or_else(|| Fault::parameter("kind", "sbom, tests or provenance"))?;
    app.service.detach(&caller, &id("release", &release_id)?, kind, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the gate of a release's product says of it now
#[utoipa::path(get, path = "/v1/releases/{release}/gate", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Vec<GateItem>)))]
pub(super) async fn check(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(release_id): Path<String>,
) -> Result<Json<Vec<GateItem>>, Fault> {
    let items = app.service.check_release(&caller, &id("release", &release_id)?).await?;
    let item = |item: service::GateItem| GateItem {
        code: item.code.to_owned(),
        met: item.met,
        overrulable: item.overrulable,
        text: match language {
            Language::En => item.text,
            Language::Ja => item.text_ja,
        },
    };
    Ok(Json(items.into_iter().map(item).collect()))
}

/// Publishes a draft that passes its gate
#[utoipa::path(post, path = "/v1/releases/{release}/publish", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$")),
    request_body = Publish, responses((status = 200, body = Release)))]
pub(super) async fn publish(
    State(app): State<App>,
    caller: Authenticated,
    Path(release_id): Path<String>,
    JsonBody(how): JsonBody<Publish, { body::SMALL }>,
) -> Result<Json<Release>, Fault> {
    let release_id = id("release", &release_id)?;
    let overrule = how.overrule.as_deref();
    Ok(Json(release(app.service.publish_release(&caller, &release_id, overrule).await?)?))
}

/// Withdraws a published release
#[utoipa::path(post, path = "/v1/releases/{release}/withdraw", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$")),
    request_body = Withdraw, responses((status = 200, body = Release)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    caller: Authenticated,
    Path(release_id): Path<String>,
    JsonBody(why): JsonBody<Withdraw, { body::SMALL }>,
) -> Result<Json<Release>, Fault> {
    let release_id = id("release", &release_id)?;
    Ok(Json(release(app.service.withdraw_release(&caller, &release_id, &why.reason).await?)?))
}

/// That the log holds a published release
#[utoipa::path(get, path = "/v1/releases/{release}/proof", tag = "releases",
    params(("release" = String, Path, pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = ReleaseProof)))]
pub(super) async fn proof(
    State(app): State<App>,
    caller: Authenticated,
    Path(release_id): Path<String>,
) -> Result<Json<ReleaseProof>, Fault> {
    let found = app.service.release_proof(&caller, &id("release", &release_id)?).await?;
    Ok(Json(ReleaseProof {
        statement: Base64(found.statement),
        salt: Base64(found.salt.to_vec()),
        inclusion: view::inclusion(&found.proof, &found.checkpoint)?,
    }))
}

/// What a product's releases must have
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/release-gate",
    tag = "releases",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = ReleaseGate)))]
pub(super) async fn gate(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<ReleaseGate>, Fault> {
    let found = app.service.release_gate(&caller, &organisation.0, &product.0).await?;
    Ok(Json(gate_view(found)))
}

/// Changes what a product's releases must have
#[utoipa::path(put, path = "/v1/organisations/{organisation}/products/{product}/release-gate",
    tag = "releases",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    request_body = ReleaseGate, responses((status = 200, body = ReleaseGate)))]
pub(super) async fn set_gate(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    JsonBody(new): JsonBody<ReleaseGate, { body::SMALL }>,
) -> Result<Json<ReleaseGate>, Fault> {
    let new = service::Gate {
        sbom: new.sbom,
        tests: new.tests,
        provenance: new.provenance,
        not_exploited: new.not_exploited,
        security_floor: new.security_floor,
        component: new.component,
    };
    let set = app.service.set_release_gate(&caller, &organisation.0, &product.0, new).await?;
    Ok(Json(gate_view(set)))
}

fn gate_view(gate: service::Gate) -> ReleaseGate {
    ReleaseGate {
        sbom: gate.sbom,
        tests: gate.tests,
        provenance: gate.provenance,
        not_exploited: gate.not_exploited,
        security_floor: gate.security_floor,
        component: gate.component,
    }
}

fn upload(view: service::UploadView) -> Upload {
    let (state, verified) = match view.state {
        UploadState::Receiving => ("receiving", None),
        UploadState::Verifying { bytes } => ("verifying", Some(bytes)),
        UploadState::Complete => ("complete", None),
        UploadState::Mismatch => ("mismatch", None),
    };
    Upload {
        id: view.id.to_string(),
        organisation: OrganisationRef(view.organisation),
        sha256: view.sha256.into(),
        length: view.length,
        received: view.received,
        state: state.to_owned(),
        verified,
        expires: view.expires_at.into(),
    }
}

pub(super) fn release(view: service::ReleaseView) -> Result<Release, Fault> {
    Ok(Release {
        id: view.id.to_string(),
        organisation: OrganisationRef(view.organisation),
        product: ProductRef(view.product),
        version: view.version,
        security_version: view.security_version,
        release_counter: view.release_counter,
        hardware_ids: view.hardware_ids,
        notes: view.notes,
        state: view.state.name().to_owned(),
        created: view.created_at.into(),
        created_by: view.created_by,
        published: view.published_at.map(Into::into),
        published_by: view.published_by,
        withdrawn: view.withdrawn_at.map(Into::into),
        withdrawn_reason: view.withdrawn_reason,
        overruled: view.overruled,
        overruled_reason: view.overruled_reason,
        leaf: view.leaf,
        artifacts: view
            .artifacts
            .into_iter()
            .map(|artifact| Artifact {
                name: artifact.name,
                path: artifact.path,
                sha256: artifact.sha256.into(),
                length: artifact.length,
                hardware_ids: artifact.hardware_ids,
                sealed: artifact.sealed.map(super::sealed::artifact_sealing),
                delta: artifact.delta.map(super::sealed::delta_images),
            })
            .collect(),
        attachments: view.attachments.into_iter().map(attachment).collect::<Result<_, _>>()?,
    })
}

fn attachment(view: service::Attachment) -> Result<Attachment, Fault> {
    Ok(wire::Attachment {
        kind: view.kind.name().to_owned(),
        name: view.name,
        sha256: view.sha256.into(),
        length: view.length,
        summary: serde_json::to_value(view.summary).map_err(|_| Fault::new(Code::Internal))?,
    })
}
