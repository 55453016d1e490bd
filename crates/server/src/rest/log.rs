//! Proofs of the log. Checkpoint and tiles themselves are public data, outside `/v1`.

use super::{
    extract::{Json, Path, Query},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use api::wire::{
    ConsistencyProof, ConsistencyQuery, InclusionProof, Integrated, LogCheck, scalar::Digest,
};
use axum::extract::State;

/// Proof that an entry is in the log
#[utoipa::path(get, path = "/v1/log/inclusion/{leaf}", tag = "log",
    params(("leaf" = u64, Path, minimum = 0)), responses((status = 200, body = InclusionProof)))]
pub(super) async fn inclusion(
    State(app): State<App>,
    _caller: Authenticated,
    Path(leaf): Path<u64>,
) -> Result<Json<InclusionProof>, Fault> {
    let (proof, checkpoint) = app.service.inclusion(leaf).await?;
    Ok(Json(view::inclusion(&proof, &checkpoint)?))
}

/// Proof that the log only grew
#[utoipa::path(get, path = "/v1/log/consistency", tag = "log", params(ConsistencyQuery),
    responses((status = 200, body = ConsistencyProof)))]
pub(super) async fn consistency(
    State(app): State<App>,
    _caller: Authenticated,
    Query(query): Query<ConsistencyQuery>,
) -> Result<Json<ConsistencyProof>, Fault> {
    if query.old > query.new {
        return Err(Fault::not_found().detail("the old tree is larger than the new one"));
    }
    let proof = app.service.consistency(query.old, query.new).await?;
    Ok(Json(ConsistencyProof {
        old: query.old,
        new: query.new,
        hashes: proof.hashes.into_iter().map(Digest).collect(),
    }))
}

/// Waits until everything recorded before is in a published checkpoint
#[utoipa::path(post, path = "/v1/log/integration", tag = "log",
    responses((status = 200, body = Integrated)))]
pub(super) async fn integrate(
    State(app): State<App>,
    _caller: Authenticated,
) -> Result<Json<Integrated>, Fault> {
    Ok(Json(Integrated { tree_size: app.service.integrate_now().await? }))
}

/// Audits the whole log against the store
#[utoipa::path(post, path = "/v1/log/check", tag = "log",
    responses((status = 200, body = LogCheck)))]
pub(super) async fn check(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<LogCheck>, Fault> {
    Ok(Json(view::log_check(app.service.check_log(&caller).await?)))
}
