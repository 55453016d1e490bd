//! Organisations: the list for the platform, one's own for everybody else; members and signers.

mod create;
mod message_keys;
mod standing;

use super::{
    listing::{self, Place},
    words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Fingerprint, Icon, Pager, Tab, Tabs, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::OrganisationId;
use policy::{Action, Resource};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/organisations", get(list))
        .route("/organisations/{id}", get(one))
        .route("/organisations/{id}/members", get(members))
        .route("/organisations/{id}/signers", get(signers))
        .merge(create::router())
        .merge(message_keys::router())
        .merge(standing::router())
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let everything =
        policy::authorize(member.caller(), Action::ListOrganisations, &Resource::platform());
    if everything.is_err() {
        // Others are strangers: one's own is all there is to see.
        return Ok(member.go(&format!("/organisations/{}", member.signed().organisation)));
    }
    let page = listing::page(&place.after);
    let found = console.service.organisations(member.caller(), &page).await?;
    let t = member.t;
    let rows = found
        .items
        .iter()
        .map(|organisation| Row {
            href: format!("/organisations/{}", organisation.id),
            id: organisation.id.to_string(),
            name: organisation.name.clone(),
            roles: words::registered_as(t, organisation.roles),
            since: t.date(organisation.created_at),
        })
        .collect();
    let pager = listing::pager(t, "/organisations", &[], &place.after, found.next.as_deref());
    let frame = member.frame(Section::Organisations, t.text("organisations-title"));
    let may_create = create::may_create(&member);
    Ok(member.page(&ListPage { t, frame, rows, may_create, pager }))
}

struct Row {
    href: String,
    id: String,
    name: String,
    roles: String,
    since: Moment,
}

#[derive(Template)]
#[template(path = "organisations/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    may_create: bool,
    pager: Pager,
}

/// An organisation of which the visitor may learn that it exists.
fn id(text: &str) -> Result<OrganisationId, Failure> {
    OrganisationId::new(text).map_err(|_| Failure::not_found())
}

/// What stands above each of an organisation's pages.
struct Head {
    name: String,
    tabs: Tabs,
}

async fn head(
    console: &Console,
    member: &Member,
    id: &OrganisationId,
    at: &str,
) -> Result<(Head, service::OrganisationView), Failure> {
    let view = console.service.organisation(member.caller(), id).await?;
    let t = member.t;
    let mut tabs = vec![("", t.text("organisations-tab-record").to_string())];
    if words::may(member, Action::ReadMembers, id) {
        tabs.push(("/members", t.text("organisations-tab-members").to_string()));
    }
    tabs.push(("/signers", t.text("organisations-tab-signers").to_string()));
    tabs.push(("/message-keys", t.text("organisations-tab-message-keys").to_string()));
    let tabs = tabs
        .into_iter()
        .map(|(path, label)| Tab {
            label,
            href: format!("/organisations/{id}{path}"),
            current: path == at,
            count: None,
        })
        .collect();
    let tabs = Tabs::new(t.text("organisations-parts"), tabs);
    Ok((Head { name: view.name.clone(), tabs }, view))
}

async fn one(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let id = id(&text)?;
    let (head, view) = head(&console, &member, &id, "").await?;
    let t = member.t;
    let frame =
        member.frame(Section::Organisations, t.text("organisations-one").arg("name", &view.name));
    let page = OnePage {
        t,
        frame,
        head,
        id: view.id.to_string(),
        roles: words::registered_as(t, view.roles),
        since: t.date(view.created_at),
        own: view.id == member.signed().organisation,
        may_read_routes: words::may(&member, Action::ReadRoutes, &view.id),
        offers: create::Offers::of(&console, &member, &view).await?,
        may_change: standing::may(&member),
        may_suspend: standing::may(&member) && view.id != member.signed().organisation,
        suspended: view.suspended_at.map(|at| t.time(at)),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "organisations/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    head: Head,
    id: String,
    roles: String,
    since: Moment,
    own: bool,
    may_read_routes: bool,
    offers: create::Offers,
    may_change: bool,
    may_suspend: bool,
    suspended: Option<Moment>,
}

async fn members(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(place): Asked<Place>,
) -> Answer {
    let id = id(&text)?;
    let (head, view) = head(&console, &member, &id, "/members").await?;
    let page = listing::page(&place.after);
    let found = console.service.members(member.caller(), &id, &page).await?;
    let t = member.t;
    let rows = found
        .items
        .iter()
        .map(|one| MemberRow {
            name: one.name.clone(),
            roles: words::roles(t, one.roles),
            state: match one.removed_at {
                Some(_) => Badge::new(Tone::Neutral, t.text("organisations-removed")),
                None => words::validity(t, one.certificate.not_after(), member.now),
            },
            ends: t.date(one.certificate.not_after()),
            fingerprint: Fingerprint::new(t, &one.fingerprint),
        })
        .collect();
    let path = format!("/organisations/{id}/members");
    let pager = listing::pager(t, &path, &[], &place.after, found.next.as_deref());
    let title = t.text("organisations-members-of").arg("name", &view.name);
    let frame = member.frame(Section::Organisations, title);
    let empty = Empty::new(
        Icon::People,
        t.text("organisations-no-members"),
        t.text("organisations-no-members-hint"),
    );
    Ok(member.page(&MembersPage { t, frame, head, rows, pager, empty }))
}

struct MemberRow {
    name: String,
    roles: String,
    state: Badge,
    ends: Moment,
    fingerprint: Fingerprint,
}

#[derive(Template)]
#[template(path = "organisations/members.html")]
struct MembersPage {
    t: Locale,
    frame: Frame,
    head: Head,
    rows: Vec<MemberRow>,
    pager: Pager,
    empty: Empty,
}

async fn signers(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let id = id(&text)?;
    let (head, view) = head(&console, &member, &id, "/signers").await?;
    let found = console.service.signers(member.caller(), &id).await?;
    let t = member.t;
    let rows = found
        .iter()
        .map(|signer| SignerRow {
            fingerprint: Fingerprint::new(t, &signer.key.fingerprint()),
            algorithm: signer.key.algorithm().to_string(),
            since: t.date(signer.not_before),
            ends: t.date(signer.not_after),
            state: match signer.retired_at {
                Some(_) => Badge::new(Tone::Neutral, t.text("organisations-retired")),
                None => words::validity(t, signer.not_after, member.now),
            },
        })
        .collect();
    let title = t.text("organisations-signers-of").arg("name", &view.name);
    let frame = member.frame(Section::Organisations, title);
    let empty = Empty::new(
        Icon::Key,
        t.text("organisations-no-signers"),
        t.text("organisations-no-signers-hint"),
    );
    Ok(member.page(&SignersPage { t, frame, head, rows, empty }))
}

struct SignerRow {
    fingerprint: Fingerprint,
    algorithm: String,
    since: Moment,
    ends: Moment,
    state: Badge,
}

#[derive(Template)]
#[template(path = "organisations/signers.html")]
struct SignersPage {
    t: Locale,
    frame: Frame,
    head: Head,
    rows: Vec<SignerRow>,
    empty: Empty,
}
