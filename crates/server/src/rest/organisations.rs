//! Organisations, their members and the keys that sign for them.

use super::{
    extract::{Created, Json, JsonBody, Path, Query, line, page},
    fleet::job_view,
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    EventSigner, Job, Member, NewEventSigner, NewMember, NewOrganisation, Organisation, Page,
    PageQuery, PersonErasure,
    scalar::{Digest, OrganisationRef},
};
use axum::extract::State;
use http::StatusCode;

/// Organisations
///
/// The platform's administrators see all of them, everyone else its own.
#[utoipa::path(get, path = "/v1/organisations", tag = "organisations", params(PageQuery),
    responses((status = 200, body = Page<Organisation>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Organisation>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.organisations(&caller, &page).await?;
    Ok(Json(view::paged(found, view::organisation)))
}

/// A new organisation
///
/// An authority is proposed; another administrator of the platform confirms it.
#[utoipa::path(post, path = "/v1/organisations", tag = "organisations",
    request_body = NewOrganisation, responses((status = 201, body = Organisation)))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewOrganisation, { body::SMALL }>,
) -> Result<Created<Organisation>, Fault> {
    line("name", &new.name, 100)?;
    if new.roles.len() > 3 {
        return Err(Fault::field("roles", "at most 3"));
    }
    let roles = view::roles_of(&new.roles);
    let new = service::NewOrganisation { id: new.id.0, name: new.name, roles };
    let made = app.service.create_organisation(&caller, new).await?;
    Ok(Created(view::organisation(made)))
}

/// One organisation
#[utoipa::path(get, path = "/v1/organisations/{organisation}", tag = "organisations",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Organisation)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Organisation>, Fault> {
    let found = app.service.organisation(&caller, &organisation.0).await?;
    Ok(Json(view::organisation(found)))
}

/// Confirms an authority
///
/// Another administrator of the platform than the one who registered it has to.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/confirmation",
    tag = "organisations", params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Organisation)))]
pub(super) async fn confirm(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Organisation>, Fault> {
    let confirmed = app.service.confirm_authority(&caller, &organisation.0).await?;
    Ok(Json(view::organisation(confirmed)))
}

/// Members of an organisation
#[utoipa::path(get, path = "/v1/organisations/{organisation}/members", tag = "organisations",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<Member>)))]
pub(super) async fn members(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Member>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.members(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, view::member)))
}

/// A new member
///
/// The answer carries the member's certificate.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/members", tag = "organisations",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewMember, responses((status = 201, body = Member)))]
pub(super) async fn add_member(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewMember, { body::CSR }>,
) -> Result<Created<Member>, Fault> {
    line("name", &new.name, 60)?;
    if !(1..=5).contains(&new.roles.len()) {
        return Err(Fault::field("roles", "from 1 to 5"));
    }
    let new = service::NewMember {
        organisation: organisation.0,
        name: new.name,
        roles: new.roles.into_iter().map(|role| role.0).collect(),
        csr: new.csr.0,
    };
    let made = app.service.add_member(&caller, new).await?;
    Ok(Created(view::member(made)))
}

/// Ends a membership
///
/// Its certificate stops working at once.
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/members/{fingerprint}",
    tag = "organisations",
    params(("organisation" = OrganisationRef, Path), ("fingerprint" = Digest, Path)),
    responses((status = 204, description = "it has ended")))]
pub(super) async fn remove_member(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, fingerprint)): Path<(OrganisationRef, Digest)>,
) -> Result<StatusCode, Fault> {
    app.service.remove_member(&caller, &organisation.0, &fingerprint.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keys that sign life events for an organisation
#[utoipa::path(get, path = "/v1/organisations/{organisation}/signers", tag = "organisations",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Vec<EventSigner>)))]
pub(super) async fn signers(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Vec<EventSigner>>, Fault> {
    let found = app.service.signers(&caller, &organisation.0).await?;
    Ok(Json(found.iter().map(view::signer).collect()))
}

/// A new key that signs life events
#[utoipa::path(post, path = "/v1/organisations/{organisation}/signers", tag = "organisations",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewEventSigner, responses((status = 201, body = EventSigner)))]
pub(super) async fn register_signer(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewEventSigner, { body::CSR }>,
) -> Result<Created<EventSigner>, Fault> {
    let new = service::NewSigner {
        organisation: organisation.0,
        spki: new.public_key.0,
        proof: new.proof.0,
    };
    let made = app.service.register_signer(&caller, new).await?;
    Ok(Created(view::signer(&made)))
}

/// Retires a key: nothing new is accepted from it, what it signed stays valid
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/signers/{key}",
    tag = "organisations",
    params(("organisation" = OrganisationRef, Path), ("key" = Digest, Path)),
    responses((status = 204, description = "it is retired")))]
pub(super) async fn retire_signer(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, key)): Path<(OrganisationRef, Digest)>,
) -> Result<StatusCode, Fault> {
    app.service.retire_signer(&caller, &organisation.0, &key.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Erases a person's traces in events that the organisation reported (PR-4)
///
/// A job looks through all events so far: contents and salts of these are destroyed, places and
/// commitments stay. While one is under way for the same person, that one is given.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/erasures", tag = "organisations",
    params(("organisation" = OrganisationRef, Path)),
    request_body = PersonErasure, responses((status = 201, body = Job)))]
pub(super) async fn erase_person(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(who): JsonBody<PersonErasure, { body::SMALL }>,
) -> Result<Created<Job>, Fault> {
    line("actor", &who.actor, 200)?;
    // Whose events they are must be the caller's to know.
    app.service.organisation(&caller, &organisation.0).await?;
    let job = app.service.erase_person(&caller, &organisation.0, &who.actor).await?;
    Ok(Created(job_view(job)))
}
