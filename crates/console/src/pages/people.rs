//! People of the visitor's organisation: invite, roles, recovery, removal. A link that lets somebody
//! in is shown once, on the page that answers the form, and nowhere else.

use super::{
    form::{self, ConfirmPage, FormPage},
    listing::{self, Place},
    sensitive, words,
};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, ButtonKind, Choice, Command, Confirm, Field, Pager, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use policy::{Action, PersonId, Role, Roles};
use service::{Invited, NewPerson, PersonState, PersonView};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/people", get(list))
        .route("/people/invite", get(ask).post(invite))
        .route("/people/{id}", get(one))
        .route("/people/{id}/invite", post(invite_again))
        .route("/people/{id}/roles", post(change_roles))
        .route("/people/{id}/recover", get(ask_recovery).post(recover))
        .route("/people/{id}/remove", get(ask_removal).post(remove))
        .route("/people/{id}/sessions/end", post(end_sessions))
}

fn state(t: Locale, person: &PersonView) -> Badge {
    let tone = match person.state {
        PersonState::Active => Tone::Good,
        PersonState::Invited { until: Some(_) } | PersonState::Recovering { until: Some(_) } => {
            Tone::Busy
        }
        PersonState::Invited { until: None } | PersonState::Recovering { until: None } => {
            Tone::Warn
        }
        PersonState::Removed { .. } => Tone::Neutral,
    };
    Badge::new(tone, t.word("person-state", person.state.name()))
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let own = &member.signed().organisation;
    let page = listing::page(&place.after);
    let found = console.service.people(member.caller(), own, &page).await?;
    let t = member.t;
    let rows = found
        .items
        .iter()
        .map(|person| Row {
            id: person.id.to_string(),
            name: person.display_name.clone(),
            handle: person.handle.clone(),
            roles: words::roles(t, person.roles),
            state: state(t, person),
            passkeys: person.passkeys.to_string(),
            since: t.date(person.added_at),
        })
        .collect();
    let page = ListPage {
        t,
        frame: member.frame(Section::People, t.text("people-title")),
        rows,
        may_invite: words::may(&member, Action::InvitePerson, own),
        pager: listing::pager(t, "/people", &[], &place.after, found.next.as_deref()),
    };
    Ok(member.page(&page))
}

struct Row {
    id: String,
    name: String,
    handle: String,
    roles: String,
    state: Badge,
    passkeys: String,
    since: Moment,
}

#[derive(Template)]
#[template(path = "people/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    may_invite: bool,
    pager: Pager,
}

/// The roles that were ticked; what is no role is left for the service to miss.
fn roles_of(form: &Fields) -> Result<Roles, Failure> {
    let mut roles = Vec::new();
    for name in form.all("roles") {
        roles.push(name.parse::<Role>().map_err(|_| Failure::bad_request())?);
    }
    Ok(Roles::of(&roles))
}

fn roles_field(t: Locale, held: Roles) -> Field {
    let choices = Role::ALL
        .iter()
        .map(|role| Choice::new(role.name(), t.word("role", role.name()).to_string()))
        .collect();
    let field = Field::checkboxes(t, "roles", t.text("people-roles"), choices);
    held.iter().fold(field, |field, role| field.value(role.name()))
}

async fn ask(member: Member) -> Answer {
    if !words::may(&member, Action::InvitePerson, &member.signed().organisation) {
        return Err(Failure::forbidden());
    }
    invite_page(&member, "", "", Role::Reader.into()).show(&member)
}

fn invite_page(member: &Member, handle: &str, name: &str, roles: Roles) -> FormPage {
    let t = member.t;
    let title = t.text("people-invite-title");
    let mut fields = person_fields(t, handle, name);
    fields.push(roles_field(t, roles));
    FormPage::new(member, Section::People, title, "/people/invite", "/people")
        .crumb("/people", t.text("people-title"))
        .lead(t.text("people-invite-lead"))
        .fields(fields)
        .button(t.text("people-invite-make"))
}

/// Who is invited.
pub(super) fn person_fields(t: Locale, handle: &str, name: &str) -> Vec<Field> {
    vec![
        Field::text(t, "name", t.text("people-name")).value(name).required().most(64),
        Field::text(t, "handle", t.text("people-handle"))
            .hint(t.text("people-handle-hint"))
            .value(handle)
            .required()
            .most(32),
    ]
}

/// Where refusals of an invitation belong.
pub(super) const PERSON_PLACES: &[(&str, &str)] =
    &[("name", "name"), ("handle", "handle"), ("handle-taken", "handle"), ("no-role", "roles")];

async fn invite(State(console): State<Console>, member: Member, form: Fields) -> Answer {
    let roles = roles_of(&form)?;
    let (handle, name) = (form.get("handle").trim(), form.get("name").trim());
    let new = NewPerson {
        organisation: member.signed().organisation.clone(),
        handle: handle.to_owned(),
        display_name: name.to_owned(),
        roles,
    };
    match console.service.invite_person(member.caller(), new).await {
        Ok(invited) => Ok(link_page(&console, &member, &invited, Section::People, None)),
        Err(error) => form::refused(&member, error, "/people/invite", PERSON_PLACES, || {
            invite_page(&member, handle, name, roles)
        }),
    }
}

/// The link, this once.
pub(super) fn link_page(
    console: &Console,
    member: &Member,
    invited: &Invited,
    section: Section,
    back: Option<String>,
) -> axum::response::Response {
    let t = member.t;
    let title = t.text("people-link-title").arg("name", &invited.person.display_name);
    member.page(&LinkPage {
        t,
        frame: member.frame(section, title),
        link: Command::new(t, invited.link.url(console.origin.as_str())),
        until: t.time(invited.link.expires_at),
        back: back.unwrap_or_else(|| format!("/people/{}", invited.person.id)),
    })
}

#[derive(Template)]
#[template(path = "people/link.html")]
struct LinkPage {
    t: Locale,
    frame: Frame,
    link: Command,
    until: Moment,
    back: String,
}

fn id(text: &str) -> Result<PersonId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

async fn person(console: &Console, member: &Member, id: &PersonId) -> Result<PersonView, Failure> {
    let own = &member.signed().organisation;
    Ok(console.service.person(member.caller(), own, id).await?)
}

async fn one(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let person = person(&console, &member, &id(&text)?).await?;
    let t = member.t;
    let own = &member.signed().organisation;
    let removed = matches!(person.state, PersonState::Removed { .. });
    let page = OnePage {
        t,
        frame: member
            .frame(Section::People, t.text("people-one").arg("name", &person.display_name)),
        id: person.id.to_string(),
        name: person.display_name.clone(),
        handle: person.handle.clone(),
        state: state(t, &person),
        roles: words::roles(t, person.roles),
        passkeys: person.passkeys.to_string(),
        since: t.date(person.added_at),
        registered: person.registered_at.map(|at| t.date(at)),
        invited: matches!(person.state, PersonState::Invited { .. }),
        manage: (!removed && words::may(&member, Action::ManagePeople, own))
            .then(|| roles_field(t, person.roles)),
        may_recover: words::may(&member, Action::RecoverPerson, own),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "people/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    id: String,
    name: String,
    handle: String,
    state: Badge,
    roles: String,
    passkeys: String,
    since: Moment,
    registered: Option<Moment>,
    invited: bool,
    manage: Option<Field>,
    may_recover: bool,
}

async fn invite_again(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let own = &member.signed().organisation;
    match console.service.invite_again(member.caller(), own, &id(&text)?).await {
        Ok(invited) => Ok(link_page(&console, &member, &invited, Section::People, None)),
        Err(error) => sensitive::answer(&member, error, &format!("/people/{text}")),
    }
}

async fn change_roles(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    form: Fields,
) -> Answer {
    let own = &member.signed().organisation;
    let roles = roles_of(&form)?;
    let back = format!("/people/{text}");
    match console.service.change_roles(member.caller(), own, &id(&text)?, roles).await {
        Ok(_) => Ok(member.done(&back, "roles-changed")),
        Err(error) => sensitive::answer(&member, error, &back),
    }
}

/// A page that says what will happen to a person, and asks.
fn confirm_page(
    member: &Member,
    person: &PersonView,
    what: &'static str,
    effects: Vec<String>,
) -> axum::response::Response {
    let t = member.t;
    let crumbs = vec![
        ("/people".to_owned(), t.text("people-title").to_string()),
        (format!("/people/{}", person.id), person.display_name.clone()),
    ];
    let question = t.word("people-confirm", what);
    let page = ConfirmPage::new(member, Section::People, crumbs, &person.display_name, question);
    member.page(&page.with(|confirm| {
        effects
            .into_iter()
            .fold(confirm, Confirm::effect)
            .button(ButtonKind::Danger, t.word("people-do", what))
    }))
}

async fn ask_recovery(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let person = person(&console, &member, &id(&text)?).await?;
    let t = member.t;
    let effects = vec![
        t.text("people-recover-passkeys").to_string(),
        t.text("people-recover-second").to_string(),
        t.text("people-recover-link").to_string(),
    ];
    Ok(confirm_page(&member, &person, "recover", effects))
}

async fn recover(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let own = &member.signed().organisation;
    match console.service.request_recovery(member.caller(), own, &id(&text)?).await {
        Ok(invited) => Ok(link_page(&console, &member, &invited, Section::People, None)),
        Err(error) => sensitive::answer(&member, error, &format!("/people/{text}/recover")),
    }
}

async fn ask_removal(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let person = person(&console, &member, &id(&text)?).await?;
    let t = member.t;
    let effects = vec![
        t.text("people-remove-access").to_string(),
        t.text("people-remove-handle").to_string(),
        t.text("people-remove-final").to_string(),
    ];
    Ok(confirm_page(&member, &person, "remove", effects))
}

async fn remove(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let own = &member.signed().organisation;
    match console.service.remove_person(member.caller(), own, &id(&text)?).await {
        Ok(()) => Ok(member.done("/people", "person-removed")),
        Err(error) => sensitive::answer(&member, error, &format!("/people/{text}/remove")),
    }
}

async fn end_sessions(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let own = &member.signed().organisation;
    let back = format!("/people/{text}");
    match console.service.end_person_sessions(member.caller(), own, &id(&text)?).await {
        Ok(_) => Ok(member.done(&back, "sessions-ended")),
        Err(error) => sensitive::answer(&member, error, &back),
    }
}
