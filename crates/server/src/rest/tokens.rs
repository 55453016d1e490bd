//! Short-lived tokens, bound to the client certificate that asked for them.

use super::{
    extract::{Created, Json, JsonBody, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    IssuedToken, NewToken, Page, PageQuery, Token,
    scalar::{Digest, OrganisationRef},
};
use axum::extract::State;
use http::StatusCode;

/// A token for the caller, of fewer roles or a shorter life than its certificate
///
/// The token works only together with the certificate of this connection.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens",
    request_body = NewToken, responses((status = 201, body = IssuedToken)))]
pub(super) async fn issue(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewToken, { body::SMALL }>,
) -> Result<Created<IssuedToken>, Fault> {
    if !(60..=86_400).contains(&new.lifetime_s) {
        return Err(Fault::field("lifetime_s", "from 60 to 86400"));
    }
    if !(1..=5).contains(&new.roles.len()) {
        return Err(Fault::field("roles", "from 1 to 5"));
    }
    let roles = new.roles.into_iter().map(|role| role.0).collect();
    let issued = app.service.issue_token(&caller, roles, new.lifetime_s.into()).await?;
    Ok(Created(view::issued_token(&issued)))
}

/// Tokens of an organisation that work
#[utoipa::path(get, path = "/v1/organisations/{organisation}/tokens", tag = "tokens",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<Token>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Token>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.tokens(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, view::token)))
}

/// Ends a token, at once
#[utoipa::path(delete, path = "/v1/tokens/{token}", tag = "tokens",
    params(("token" = Digest, Path, description = "identifier of the token, not the token itself")),
    responses((status = 204, description = "it has ended")))]
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Authenticated,
    Path(token): Path<Digest>,
) -> Result<StatusCode, Fault> {
    app.service.revoke_token(&caller, &token.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
