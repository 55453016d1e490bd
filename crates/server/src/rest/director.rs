//! Directors, as their organisations manage them; devices read them under `/tuf/director`.

use super::{
    extract::{Created, Json, JsonBody, Path},
    problem::Fault,
    repository,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{Director, DirectorLife, DirectorRoot, scalar::OrganisationRef};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header};

/// A root of 512,000 bytes, with base64 around it.
const ROOT_BYTES_MAX: usize = 768 * 1024;

/// An organisation's director
#[utoipa::path(get, path = "/v1/organisations/{organisation}/director", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Director)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Director>, Fault> {
    Ok(Json(director(app.service.director(&caller, &organisation.0).await?)?))
}

/// Begins a director: the keys that work online
#[utoipa::path(post, path = "/v1/organisations/{organisation}/director", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 201, body = Director)))]
pub(super) async fn begin(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Created<Director>, Fault> {
    Ok(Created(director(app.service.begin_director(&caller, &organisation.0).await?)?))
}

/// Chooses for how long what a director signs is good
#[utoipa::path(put, path = "/v1/organisations/{organisation}/director/life", tag = "releases",
    params(("organisation" = OrganisationRef, Path)), request_body = DirectorLife,
    responses((status = 200, body = Director)))]
pub(super) async fn life(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(life): JsonBody<DirectorLife, { body::SMALL }>,
) -> Result<Json<Director>, Fault> {
    let set = app.service.set_director_life(&caller, &organisation.0, life.life_s).await?;
    Ok(Json(director(set)?))
}

/// New keys that work online, for the next root
#[utoipa::path(post, path = "/v1/organisations/{organisation}/director/keys", tag = "releases",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 201, body = Director)))]
pub(super) async fn rotate(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Created<Director>, Fault> {
    Ok(Created(director(app.service.rotate_director_keys(&caller, &organisation.0).await?)?))
}

/// Hands in a root that was signed offline
///
/// With `anew` it does not follow the root before, whose keys were stolen or lost: it is signed by its
/// own keys alone, and devices refuse it until they are given it by the way the first one came.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/director/roots", tag = "releases",
    params(("organisation" = OrganisationRef, Path)), request_body = DirectorRoot,
    responses((status = 200, body = Director)))]
pub(super) async fn push(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(root): JsonBody<DirectorRoot, ROOT_BYTES_MAX>,
) -> Result<Json<Director>, Fault> {
    let (service, of, bytes) = (&app.service, &organisation.0, root.root.0);
    let pushed = match root.anew {
        true => service.begin_director_anew(&caller, of, bytes).await?,
        false => service.push_director_root(&caller, of, bytes).await?,
    };
    Ok(Json(director(pushed)?))
}

/// A root of a director, as it was signed
#[utoipa::path(get, path = "/v1/organisations/{organisation}/director/roots/{root}",
    tag = "releases",
    params(("organisation" = OrganisationRef, Path), ("root" = u64, Path, description = "its version, from 1")),
    responses((status = 200, body = serde_json::Value, content_type = "application/json")))]
pub(super) async fn root(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, version)): Path<(OrganisationRef, u64)>,
) -> Result<Response, Fault> {
    let bytes = app.service.director_root(&caller, &organisation.0, version).await?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}

fn director(view: service::DirectorView) -> Result<Director, Fault> {
    Ok(Director {
        organisation: OrganisationRef(view.organisation),
        created: view.created_at.into(),
        life_s: view.life_s,
        keys: view.keys.into_iter().map(repository::key).collect::<Result<_, _>>()?,
        root: view.root.map(repository::role),
    })
}
