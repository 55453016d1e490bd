//! People of the visitor's organisation: invite, roles, recovery, removal. A link that lets somebody
//! in is shown once, on the page that answers the form, and nowhere else.

use super::{
    listing::{self, Place},
    sensitive, words,
};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, ButtonKind, Choice, Command, Confirm, Field, Message, Pager, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use device::Language;
use http::StatusCode;
use policy::{Action, PersonId, Role, Roles};
use service::{ErrorKind, Invited, NewPerson, PersonState, PersonView, ServiceError};

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

fn said(t: Locale, error: &ServiceError) -> Message {
    let text = match (t.language, error.message_ja()) {
        (Language::Ja, Some(ja)) => ja.to_owned(),
        _ => error.problem().message.to_string(),
    };
    Message::new(Tone::Bad, text)
}

/// Whether the form can be filled in better.
fn is_about_the_form(error: &ServiceError) -> bool {
    error.code() != "needs-second-person"
        && matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict)
}

async fn ask(member: Member) -> Answer {
    if !words::may(&member, Action::InvitePerson, &member.signed().organisation) {
        return Err(Failure::forbidden());
    }
    Ok(member.page(&invite_page(&member, None, "", "", Role::Reader.into())))
}

fn invite_page(
    member: &Member,
    wrong: Option<Message>,
    handle: &str,
    name: &str,
    roles: Roles,
) -> InvitePage {
    let t = member.t;
    InvitePage {
        t,
        frame: member.frame(Section::People, t.text("people-invite-title")),
        wrong,
        fields: vec![
            Field::text(t, "name", t.text("people-name")).value(name).required().most(100),
            Field::text(t, "handle", t.text("people-handle"))
                .hint(t.text("people-handle-hint"))
                .value(handle)
                .required()
                .most(32),
            roles_field(t, roles),
        ],
    }
}

#[derive(Template)]
#[template(path = "people/invite.html")]
struct InvitePage {
    t: Locale,
    frame: Frame,
    wrong: Option<Message>,
    fields: Vec<Field>,
}

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
        Ok(invited) => Ok(link_page(&console, &member, &invited)),
        Err(error) if error.code() != "reauthenticate" && is_about_the_form(&error) => {
            let page = invite_page(&member, Some(said(member.t, &error)), handle, name, roles);
            Ok(member.page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(error) => sensitive::answer(&member, error, "/people/invite"),
    }
}

/// The link, this once.
fn link_page(console: &Console, member: &Member, invited: &Invited) -> axum::response::Response {
    let t = member.t;
    let title = t.text("people-link-title").arg("name", &invited.person.display_name);
    member.page(&LinkPage {
        t,
        frame: member.frame(Section::People, title),
        link: Command::new(t, invited.link.url(console.origin.as_str())),
        until: t.time(invited.link.expires_at),
        person: invited.person.id.to_string(),
    })
}

#[derive(Template)]
#[template(path = "people/link.html")]
struct LinkPage {
    t: Locale,
    frame: Frame,
    link: Command,
    until: Moment,
    person: String,
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
        Ok(invited) => Ok(link_page(&console, &member, &invited)),
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
    let title = t.word("people-confirm", what).to_string();
    let frame = member.frame(Section::People, t.word("people-confirm", what));
    let back = format!("/people/{}", person.id);
    let mut confirm = Confirm::new(&frame, &format!("{back}/{what}"), title, &back);
    for effect in effects {
        confirm = confirm.effect(effect);
    }
    let confirm = confirm.button(ButtonKind::Danger, t.word("people-do", what));
    let name = person.display_name.clone();
    member.page(&ConfirmPage { t, frame, name, back, confirm })
}

#[derive(Template)]
#[template(path = "people/confirm.html")]
struct ConfirmPage {
    t: Locale,
    frame: Frame,
    name: String,
    back: String,
    confirm: Confirm,
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
        Ok(invited) => Ok(link_page(&console, &member, &invited)),
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
