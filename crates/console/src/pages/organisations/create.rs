//! New organisations: registered by the platform, authorities confirmed by a second administrator,
//! and the first administrator of each invited by the platform too, since nobody else is there.

use super::id;
use crate::{
    Answer, Asked, Console, Failure, Fields, Member, Posted, Section,
    pages::{
        form::{self, ConfirmPage, FormPage, Mistakes},
        listing, people, sensitive, words,
    },
    ui::{ButtonKind, Choice, Field},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use device::OrganisationId;
use policy::{Action, Resource, Role};
use serde::Deserialize;
use service::{FirstAdministrator, NewOrganisation, NewPerson};

const NEW: &str = "/organisations/new";
/// What an organisation can be registered as.
const ROLES: [(&str, device::Roles); 3] = [
    ("maker", device::Roles::MAKER),
    ("recycler", device::Roles::RECYCLER),
    ("authority", device::Roles::AUTHORITY),
];

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route(NEW, get(ask).post(create))
        .route("/organisations/{id}/authority", get(ask_authority).post(confirm))
        .route("/organisations/{id}/administrator", get(ask_first).post(invite_first))
        .route("/organisations/{id}/administrator/again", post(invite_again))
}

/// Whether the visitor registers organisations.
pub(super) fn may_create(member: &Member) -> bool {
    let platform = Resource::platform();
    policy::authorize(member.caller(), Action::CreateOrganisation, &platform).is_ok()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct New {
    id: String,
    name: String,
    roles: Vec<String>,
}

impl New {
    fn page(&self, member: &Member) -> FormPage {
        let t = member.t;
        let choices = ROLES
            .iter()
            .map(|(name, _)| Choice::new(*name, t.word("registered-as", name).to_string()))
            .collect();
        let roles = Field::checkboxes(t, "roles", t.text("organisations-registered-as"), choices)
            .hint(t.text("organisations-new-roles-hint"));
        let roles = self.roles.iter().fold(roles, |field, role| field.value(role));
        FormPage::new(
            member,
            Section::Organisations,
            t.text("organisations-new"),
            NEW,
            "/organisations",
        )
        .crumb("/organisations", t.text("organisations-title"))
        .lead(t.text("organisations-new-lead"))
        .fields(vec![
            Field::text(t, "name", t.text("organisations-name"))
                .value(&self.name)
                .required()
                .most(64),
            Field::text(t, "id", t.text("organisations-id"))
                .hint(t.text("forms-id-hint"))
                .value(&self.id)
                .required()
                .most(40),
            roles,
        ])
        .button(t.text("organisations-new"))
    }

    fn roles(&self) -> Result<device::Roles, Failure> {
        self.roles.iter().try_fold(device::Roles::NONE, |held, wanted| {
            let found = ROLES.iter().find(|(name, _)| name == wanted);
            found.map(|(_, role)| held.and(*role)).ok_or_else(Failure::bad_request)
        })
    }

    /// The page with this form, filled in as it is.
    fn address(&self) -> String {
        let mut query = vec![("id", self.id.as_str()), ("name", self.name.as_str())];
        query.extend(self.roles.iter().map(|role| ("roles", role.as_str())));
        listing::address(NEW, &query)
    }
}

async fn ask(member: Member, Asked(new): Asked<New>) -> Answer {
    if !may_create(&member) {
        return Err(Failure::forbidden());
    }
    new.page(&member).show(&member)
}

async fn create(
    State(console): State<Console>,
    member: Member,
    Posted(new): Posted<New>,
) -> Answer {
    let t = member.t;
    let roles = new.roles()?;
    let mut mistakes = Mistakes::default();
    let read = |text: &str| OrganisationId::new(text.trim()).ok();
    let Some(id) = mistakes.read("id", &new.id, read, t.text("forms-id-wrong")) else {
        return Ok(new.page(&member).refuse(&member, mistakes));
    };
    let wanted = NewOrganisation { id: id.clone(), name: new.name.trim().to_owned(), roles };
    match console.service.create_organisation(member.caller(), wanted).await {
        Ok(_) => Ok(member.done(&format!("/organisations/{id}"), "organisation-created")),
        Err(error) => {
            let places = &[("organisation-exists", "id"), ("name", "name")];
            form::refused(&member, error, &new.address(), places, || new.page(&member))
        }
    }
}

fn crumbs(member: &Member, view: &service::OrganisationView) -> Vec<(String, String)> {
    vec![
        ("/organisations".to_owned(), member.t.text("organisations-title").to_string()),
        (format!("/organisations/{}", view.id), view.name.clone()),
    ]
}

async fn ask_authority(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let view = console.service.organisation(member.caller(), &id(&text)?).await?;
    if !may_create(&member) {
        return Err(Failure::forbidden());
    }
    let t = member.t;
    let roles = words::registered_as(t, view.proposed);
    let page = ConfirmPage::new(
        &member,
        Section::Organisations,
        crumbs(&member, &view),
        &view.name,
        t.text("organisations-authority-question"),
    );
    Ok(member.page(&page.with(|confirm| {
        confirm
            .effect(t.text("organisations-authority-becomes").arg("roles", roles))
            .effect(t.text("organisations-authority-power"))
            .effect(t.text("organisations-authority-second"))
            .button(ButtonKind::Danger, t.text("organisations-authority-do"))
    })))
}

async fn confirm(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let id = id(&text)?;
    match console.service.confirm_authority(member.caller(), &id).await {
        Ok(_) => Ok(member.done(&format!("/organisations/{id}"), "authority-confirmed")),
        Err(error) => {
            let here = format!("/organisations/{id}/authority");
            sensitive::answer(&member, error, &here)
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct First {
    handle: String,
    name: String,
}

impl First {
    fn page(&self, member: &Member, view: &service::OrganisationView) -> FormPage {
        let t = member.t;
        let back = format!("/organisations/{}", view.id);
        let title = t.text("organisations-first-title").arg("name", &view.name);
        let action = format!("{back}/administrator");
        let page = FormPage::new(member, Section::Organisations, title, &action, &back)
            .lead(t.text("organisations-first-lead"))
            .fields(people::person_fields(t, &self.handle, &self.name))
            .button(t.text("people-invite-make"));
        crumbs(member, view).into_iter().fold(page, |page, (href, label)| page.crumb(href, label))
    }
}

async fn ask_first(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(first): Asked<First>,
) -> Answer {
    let id = id(&text)?;
    let view = console.service.organisation(member.caller(), &id).await?;
    // Who may not invite is told so before anything is typed.
    match console.service.first_administrator(member.caller(), &id).await? {
        FirstAdministrator::Wanted => first.page(&member, &view).show(&member),
        _ => Ok(member.go(&format!("/organisations/{id}"))),
    }
}

async fn invite_first(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(first): Posted<First>,
) -> Answer {
    let id = id(&text)?;
    let view = console.service.organisation(member.caller(), &id).await?;
    let back = format!("/organisations/{id}");
    let new = NewPerson {
        organisation: id.clone(),
        handle: first.handle.trim().to_owned(),
        display_name: first.name.trim().to_owned(),
        roles: Role::Administrator.into(),
    };
    match console.service.invite_person(member.caller(), new).await {
        Ok(invited) => {
            let section = Section::Organisations;
            Ok(people::link_page(&console, &member, &invited, section, Some(back)))
        }
        Err(error) => {
            let query = [("handle", first.handle.as_str()), ("name", first.name.as_str())];
            let here = listing::address(&format!("{back}/administrator"), &query);
            form::refused(&member, error, &here, people::PERSON_PLACES, || {
                first.page(&member, &view)
            })
        }
    }
}

async fn invite_again(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let id = id(&text)?;
    let back = format!("/organisations/{id}");
    let found = console.service.first_administrator(member.caller(), &id).await?;
    let FirstAdministrator::Invited(person) = found else {
        return Ok(member.go(&back));
    };
    match console.service.invite_again(member.caller(), &id, &person.id).await {
        Ok(invited) => {
            let section = Section::Organisations;
            Ok(people::link_page(&console, &member, &invited, section, Some(back)))
        }
        Err(error) => sensitive::answer(&member, error, &back),
    }
}

/// What the platform's administrators can do for an organisation, on its page.
#[derive(Default)]
pub(super) struct Offers {
    /// address of the form that confirms it as an authority, with what it waits to become
    pub(super) authority: Option<(String, String)>,
    /// address of the form that invites its first administrator
    pub(super) first: Option<String>,
    /// address that makes the first administrator's link anew, and who that is
    pub(super) again: Option<(String, String)>,
}

impl Offers {
    pub(super) async fn of(
        console: &Console,
        member: &Member,
        view: &service::OrganisationView,
    ) -> Result<Self, Failure> {
        let mut offers = Self::default();
        if !may_create(member) {
            return Ok(offers);
        }
        let path = format!("/organisations/{}", view.id);
        if view.proposed != device::Roles::NONE {
            let roles = words::registered_as(member.t, view.proposed);
            offers.authority = Some((format!("{path}/authority"), roles));
        }
        if view.id == member.signed().organisation {
            return Ok(offers);
        }
        match console.service.first_administrator(member.caller(), &view.id).await? {
            FirstAdministrator::Wanted => offers.first = Some(format!("{path}/administrator")),
            FirstAdministrator::Invited(person) => {
                let again = format!("{path}/administrator/again");
                offers.again = Some((again, person.display_name));
            }
            FirstAdministrator::There => {}
        }
        Ok(offers)
    }
}
