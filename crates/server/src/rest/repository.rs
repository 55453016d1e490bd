//! Image repositories, as their organisations manage them; devices read them under `/tuf`.

use super::{
    extract::{Created, Json, JsonBody, Path, Query},
    problem::Fault,
    turn::turn,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::{
    problem::Code,
    wire::{
        DraftQuery, ImageRepository, OnlineKey, RepositoryAccess, RoleState, SignedMetadata,
        scalar::OrganisationRef,
    },
};
use axum::{
    extract::{FromRequest as _, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header};

/// Bytes of signed metadata in one publication, with base64 around them.
const METADATA_MAX: usize = 16 * 1024 * 1024;

/// An organisation's image repository
#[utoipa::path(get, path = "/v1/organisations/{organisation}/repository", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = ImageRepository)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<ImageRepository>, Fault> {
    Ok(Json(repository(app.service.repository(&caller, &organisation.0).await?)?))
}

/// Begins an image repository: the keys that work online
#[utoipa::path(post, path = "/v1/organisations/{organisation}/repository", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 201, body = ImageRepository)))]
pub(super) async fn begin(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Created<ImageRepository>, Fault> {
    Ok(Created(repository(app.service.begin_repository(&caller, &organisation.0).await?)?))
}

/// New keys that work online, for the next root
#[utoipa::path(post, path = "/v1/organisations/{organisation}/repository/keys", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 201, body = ImageRepository)))]
pub(super) async fn rotate(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Created<ImageRepository>, Fault> {
    Ok(Created(repository(app.service.rotate_repository_keys(&caller, &organisation.0).await?)?))
}

/// Chooses who may read metadata and images
#[utoipa::path(put, path = "/v1/organisations/{organisation}/repository/access", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    request_body = RepositoryAccess, responses((status = 200, body = ImageRepository)))]
pub(super) async fn access(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(access): JsonBody<RepositoryAccess, { body::SMALL }>,
) -> Result<Json<ImageRepository>, Fault> {
    let set = app.service.open_repository(&caller, &organisation.0, access.open).await?;
    Ok(Json(repository(set)?))
}

/// Publishes metadata that were signed offline
#[utoipa::path(post, path = "/v1/organisations/{organisation}/repository/metadata",
    tag = "releases", params(("organisation" = OrganisationRef, Path)),
    request_body = SignedMetadata, responses((status = 200, body = ImageRepository)))]
pub(super) async fn push(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    request: axum::extract::Request,
) -> Result<Json<ImageRepository>, Fault> {
    // Asked before the body is read: nobody who may not sends much.
    app.service.may_push_metadata(&caller, &organisation.0)?;
    let _turn = turn(&organisation.0).await?;
    let JsonBody(signed) =
        JsonBody::<SignedMetadata, METADATA_MAX>::from_request(request, &app).await?;
    let signed = service::SignedMetadata {
        root: signed.root.map(|root| root.0),
        targets: signed.targets.into_iter().map(|one| (one.role, one.file.0)).collect(),
    };
    Ok(Json(repository(app.service.push_metadata(&caller, &organisation.0, signed).await?)?))
}

/// The draft of targets metadata that name every file of published releases, to be signed offline
#[utoipa::path(get, path = "/v1/organisations/{organisation}/repository/draft", tag = "releases",
    params(("organisation" = OrganisationRef, Path), DraftQuery),
    responses((status = 200, body = serde_json::Value, content_type = "application/json")))]
pub(super) async fn draft(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<DraftQuery>,
) -> Result<Response, Fault> {
    let role = query.role.as_deref().unwrap_or("targets");
    let life_s = query.days.map(|days| i64::from(days).saturating_mul(86_400));
    let bytes = app.service.draft_targets(&caller, &organisation.0, role, life_s).await?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}

pub(super) fn role(role: service::RoleState) -> RoleState {
    RoleState {
        role: role.role,
        version: role.version,
        expires: role.expires.into(),
        ends_soon: role.ends_soon,
    }
}

pub(super) fn key(key: service::OnlineKey) -> Result<OnlineKey, Fault> {
    let public = serde_json::from_str(&key.public);
    Ok(OnlineKey {
        role: key.role.to_owned(),
        id: key.id,
        public: public.map_err(|_| Fault::new(Code::Internal))?,
        named: key.named,
    })
}

fn repository(view: service::RepositoryView) -> Result<ImageRepository, Fault> {
    let keys = view.keys.into_iter().map(key).collect::<Result<_, Fault>>()?;
    Ok(ImageRepository {
        organisation: OrganisationRef(view.organisation),
        created: view.created_at.into(),
        open: view.open,
        keys,
        roles: view.roles.into_iter().map(role).collect(),
        targets: view.targets,
        unsigned: view.unsigned,
        withdrawn: view.withdrawn,
        problem: view.problem,
    })
}
