//! People who sign in to the console: invite, change, remove, recover. How they sign in is the
//! console's.

use super::{
    extract::{Created, Json, JsonBody, Path, Query, line, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    FirstAdministrator, Invitation, NewPerson, NewRoles, Page, PageQuery, Person, Session,
    scalar::OrganisationRef,
};
use axum::extract::State;
use http::StatusCode;
use policy::PersonId;

/// People of an organisation
#[utoipa::path(get, path = "/v1/organisations/{organisation}/people", tag = "people",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<Person>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Person>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.people(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, view::person)))
}

/// Invites a person
///
/// The answer carries a one-time link for that person, shown this once.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/people", tag = "people",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewPerson, responses((status = 201, body = Invitation)))]
pub(super) async fn invite(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewPerson, { body::SMALL }>,
) -> Result<Created<Invitation>, Fault> {
    line("name", &new.name, 64)?;
    let roles = roles(&new.roles)?;
    let new = service::NewPerson {
        organisation: organisation.0,
        handle: new.handle,
        display_name: new.name,
        roles,
    };
    let invited = app.service.invite_person(&caller, new).await?;
    Ok(Created(view::invitation(&app.service, invited)))
}

/// Whether an organisation has its first administrator, whom the platform invites
#[utoipa::path(get, path = "/v1/organisations/{organisation}/first-administrator", tag = "people",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = FirstAdministrator)))]
pub(super) async fn first_administrator(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<FirstAdministrator>, Fault> {
    use service::FirstAdministrator as Found;
    let (state, person) = match app.service.first_administrator(&caller, &organisation.0).await? {
        Found::Wanted => ("wanted", None),
        Found::Invited(person) => ("invited", Some(view::person(person))),
        Found::There => ("there", None),
    };
    Ok(Json(FirstAdministrator { state: state.to_owned(), person }))
}

/// One person
#[utoipa::path(get, path = "/v1/organisations/{organisation}/people/{handle}", tag = "people",
    params(("organisation" = OrganisationRef, Path), ("handle" = String, Path)),
    responses((status = 200, body = Person)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, handle)): Path<(OrganisationRef, String)>,
) -> Result<Json<Person>, Fault> {
    let found = app.service.person_by_handle(&caller, &organisation.0, &handle).await?;
    Ok(Json(view::person(found)))
}

/// Changes what a person may do
///
/// Its sessions end.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/people/{handle}/roles", tag = "people",
    params(("organisation" = OrganisationRef, Path), ("handle" = String, Path)),
    request_body = NewRoles, responses((status = 200, body = Person)))]
pub(super) async fn change_roles(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, handle)): Path<(OrganisationRef, String)>,
    JsonBody(new): JsonBody<NewRoles, { body::SMALL }>,
) -> Result<Json<Person>, Fault> {
    let roles = roles(&new.roles)?;
    let id = id(&app, &caller, &organisation, &handle).await?;
    let changed = app.service.change_roles(&caller, &organisation.0, &id, roles).await?;
    Ok(Json(view::person(changed)))
}

/// Removes a person
///
/// Its passkeys, sessions and links end in the same moment.
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/people/{handle}", tag = "people",
    params(("organisation" = OrganisationRef, Path), ("handle" = String, Path)),
    responses((status = 204, description = "it is removed")))]
pub(super) async fn remove(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, handle)): Path<(OrganisationRef, String)>,
) -> Result<StatusCode, Fault> {
    let id = id(&app, &caller, &organisation, &handle).await?;
    app.service.remove_person(&caller, &organisation.0, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new link for a person who has not registered
///
/// The one before stops working.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/people/{handle}/invitation",
    tag = "people",
    params(("organisation" = OrganisationRef, Path), ("handle" = String, Path)),
    responses((status = 201, body = Invitation)))]
pub(super) async fn invite_again(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, handle)): Path<(OrganisationRef, String)>,
) -> Result<Created<Invitation>, Fault> {
    let id = id(&app, &caller, &organisation, &handle).await?;
    let invited = app.service.invite_again(&caller, &organisation.0, &id).await?;
    Ok(Created(view::invitation(&app.service, invited)))
}

/// Lets a person in again who lost every passkey
///
/// Needs a second administrator: asked for again after the approval it answers with the link.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/people/{handle}/recovery",
    tag = "people",
    params(("organisation" = OrganisationRef, Path), ("handle" = String, Path)),
    responses((status = 201, body = Invitation)))]
pub(super) async fn recover(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, handle)): Path<(OrganisationRef, String)>,
) -> Result<Created<Invitation>, Fault> {
    let id = id(&app, &caller, &organisation, &handle).await?;
    let invited = app.service.request_recovery(&caller, &organisation.0, &id).await?;
    Ok(Created(view::invitation(&app.service, invited)))
}

/// Sessions of a person
#[utoipa::path(get, path = "/v1/organisations/{organisation}/people/{handle}/sessions",
    tag = "people",
    params(("organisation" = OrganisationRef, Path), ("handle" = String, Path)),
    responses((status = 200, body = Vec<Session>)))]
pub(super) async fn sessions(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, handle)): Path<(OrganisationRef, String)>,
) -> Result<Json<Vec<Session>>, Fault> {
    let id = id(&app, &caller, &organisation, &handle).await?;
    let found = app.service.person_sessions(&caller, &organisation.0, &id).await?;
    Ok(Json(found.into_iter().map(view::session).collect()))
}

/// Ends all sessions of a person
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/people/{handle}/sessions",
    tag = "people",
    params(("organisation" = OrganisationRef, Path), ("handle" = String, Path)),
    responses((status = 204, description = "they have ended")))]
pub(super) async fn end_sessions(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, handle)): Path<(OrganisationRef, String)>,
) -> Result<StatusCode, Fault> {
    let id = id(&app, &caller, &organisation, &handle).await?;
    app.service.end_person_sessions(&caller, &organisation.0, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn id(
    app: &App,
    caller: &Authenticated,
    organisation: &OrganisationRef,
    handle: &str,
) -> Result<PersonId, Fault> {
    Ok(app.service.person_by_handle(caller, &organisation.0, handle).await?.id)
}

fn roles(names: &[api::wire::scalar::RoleName]) -> Result<policy::Roles, Fault> {
    if !(1..=5).contains(&names.len()) {
        return Err(Fault::field("roles", "from 1 to 5"));
    }
    Ok(names.iter().map(|role| role.0).collect())
}
