//! The page behind a one-time link: the first administrator, an invitation, a recovery.
//!
//! The secret is in the address for one request only: it is exchanged for a ticket in a cookie, and
//! the page that asks for a passkey has an address without it.

use crate::{
    Answer, Console, Failure, Frame, Posted, Section, Visit,
    cookies::Cookie,
    i18n::{self, Locale, Moment},
    pages::{ceremony, visitor::visitor},
    security,
    ui::{CeremonyAttributes, Field},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use http::HeaderMap;
use serde::Deserialize;
use service::{LinkPurpose, LinkView};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/invitation/{secret}", get(open))
        .route("/invitation", get(page))
        .route("/invitation/begin", post(begin))
        .route("/invitation/finish", post(finish))
}

async fn open(
    visit: Visit,
    State(console): State<Console>,
    Path(secret): Path<String>,
    headers: HeaderMap,
) -> Answer {
    // A person opens a link in a window of its own. What another site's page loads by itself, as a
    // picture or in a frame, is nobody's wish (Fetch Metadata).
    if !opens_a_page(&headers) {
        return Err(Failure::forbidden());
    }
    let opened = console.service.open_link(&visitor(&visit), &secret).await?;
    // Through a page of ours: links come from mail and chat, and from there a redirect would not
    // bring a strict cookie along.
    let mut response = visit.onward("/invitation");
    visit.put(&mut response, Cookie::Ticket, opened.ticket.expose());
    Ok(response)
}

async fn page(visit: Visit, State(console): State<Console>) -> Answer {
    let ticket = ticket(&visit)?;
    let link = console.service.opened_link(ticket).await?;
    let t = visit.t;
    let title = match link.purpose {
        LinkPurpose::Recovery => t.text("invitation-recovery-title"),
        _ => t.text("invitation-title"),
    };
    let name = link.person.as_ref().map(|person| person.display_name.clone()).unwrap_or_default();
    let organisation = link.organisation_name.clone();
    let lead = match link.purpose {
        LinkPurpose::First => t.text("invitation-lead-first"),
        LinkPurpose::Recovery => {
            t.text("invitation-lead-recovery").arg("name", name).arg("organisation", &organisation)
        }
        LinkPurpose::Invitation => {
            t.text("invitation-lead-invited").arg("name", name).arg("organisation", &organisation)
        }
    };
    let roles: Vec<String> =
        link.roles.iter().map(|role| t.word("role", role.name()).to_string()).collect();
    let page = InvitationPage {
        t,
        lead: lead.to_string(),
        frame: visit.frame(Section::None, title),
        roles: roles.join(i18n::choose(t.language, ", ", "、")),
        until: t.time(link.expires_at),
        fields: fields(t, &link),
        organisation,
        mark: security::ticket_mark(ticket),
        ceremony: CeremonyAttributes::new(t),
    };
    Ok(visit.page(&page))
}

fn fields(t: Locale, link: &LinkView) -> Vec<Field> {
    let mut fields = Vec::new();
    if link.person.is_none() {
        fields.push(
            Field::text(t, "name", t.text("invitation-name"))
                .required()
                .most(64)
                .autocomplete("name")
                .focus(),
        );
        fields.push(
            Field::text(t, "handle", t.text("invitation-handle"))
                .hint(t.text("invitation-handle-hint"))
                .required()
                .most(32)
                .autocomplete("username"),
        );
    }
    fields.push(
        Field::text(t, "passkey", t.text("invitation-passkey"))
            .hint(t.text("invitation-passkey-hint"))
            .value(t.text("invitation-passkey-value"))
            .required()
            .most(64),
    );
    fields
}

/// What the form says; handle and name of the first administrator only.
#[derive(Debug, Deserialize)]
struct Registration {
    #[serde(default)]
    handle: String,
    #[serde(default)]
    name: String,
    passkey: String,
    /// which ticket the page was made for
    #[serde(default)]
    mark: String,
    #[serde(default)]
    ceremony: String,
    #[serde(default)]
    response: String,
}

async fn begin(
    visit: Visit,
    State(console): State<Console>,
    Posted(form): Posted<Registration>,
) -> Answer {
    let ticket = ticket(&visit)?;
    if security::ticket_mark(ticket) != form.mark {
        return Err(Failure::conflict().saying(
            "another link was opened in this browser after this page; open the link that you were \
             given again",
            "このページを開いた後に、このブラウザーで別のリンクが開かれました。受け取ったリンクをもう一度開いてください",
        ));
    }
    let first = (!form.handle.is_empty()).then_some((form.handle.trim(), form.name.trim()));
    let visitor = visitor(&visit);
    let begun = console.service.begin_registration(&visitor, ticket, first).await?;
    ceremony::begun(&begun)
}

async fn finish(
    visit: Visit,
    State(console): State<Console>,
    Posted(form): Posted<Registration>,
) -> Answer {
    let visitor = visitor(&visit);
    let passkey = form.passkey.trim();
    let signed = console
        .service
        .finish_registration(&visitor, &form.ceremony, passkey, &form.response)
        .await?;
    let mut response = ceremony::done("/")?;
    visit.put(&mut response, Cookie::Session, signed.cookie.expose());
    visit.clear(&mut response, Cookie::Ticket);
    Ok(response)
}

/// Whether a browser says that it opens a page; one that says nothing is believed.
fn opens_a_page(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &str| {
        headers.get_all(name).iter().all(|value| value.as_bytes() == wanted.as_bytes())
    };
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

fn ticket(visit: &Visit) -> Result<&str, Failure> {
    visit.ticket.as_deref().ok_or_else(|| {
        Failure::not_found().saying(
            "open the link that you were given again; this page goes on from there for a quarter \
             of an hour",
            "受け取ったリンクをもう一度開いてください。このページは開いてから15分間有効です",
        )
    })
}

#[derive(Template)]
#[template(path = "sign_in/invitation.html")]
struct InvitationPage {
    t: Locale,
    frame: Frame,
    lead: String,
    organisation: String,
    roles: String,
    mark: String,
    until: Moment,
    fields: Vec<Field>,
    ceremony: CeremonyAttributes,
}
