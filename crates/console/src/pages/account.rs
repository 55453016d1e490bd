//! The visitor's own account: passkeys, sessions, language and looks.

use crate::{
    Answer, Console, Failure, Frame, Member, Posted, Section, Theme,
    i18n::{Locale, Moment, Zone, own_name},
    pages::{ceremony, visitor::visitor},
    ui::{Badge, ButtonKind, CeremonyAttributes, Choice, Confirm, Field, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use crypto::Sha256;
use device::Language;
use serde::Deserialize;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/account", get(page))
        .route("/account/passkeys/begin", post(begin))
        .route("/account/passkeys/finish", post(finish))
        .route("/account/passkeys/{id}", get(passkey))
        .route("/account/passkeys/{id}/rename", post(rename))
        .route("/account/passkeys/{id}/remove", post(remove))
        .route("/account/sessions/{id}/end", post(end))
        .route("/account/sessions/end-others", post(end_others))
}

async fn page(member: Member, State(console): State<Console>) -> Answer {
    let t = member.t;
    let now = member.now;
    let passkeys = console.service.passkeys(member.caller()).await?;
    let sessions = console.service.sessions(member.caller()).await?;
    let signed = member.signed();
    let page = AccountPage {
        t,
        frame: member.frame(Section::Account, t.text("account-title")),
        name: signed.name.clone(),
        organisation: signed.organisation_name.clone(),
        passkeys: passkeys
            .into_iter()
            .map(|passkey| PasskeyRow {
                id: passkey.id.to_string(),
                name: passkey.name,
                added: t.date(passkey.added_at),
                used: passkey.last_used_at.map(|at| t.ago(at, now)),
            })
            .collect(),
        sessions: sessions
            .into_iter()
            .map(|session| SessionRow {
                id: session.id.to_string(),
                label: session.label,
                network: session.network,
                seen: t.ago(session.last_seen, now),
                ends: t.time(session.expires_at),
                current: session.current,
            })
            .collect(),
        current_badge: Badge::new(Tone::Good, t.text("account-session-current")),
        new_passkey: Field::text(t, "name", t.text("account-passkey-name"))
            .hint(t.text("invitation-passkey-hint"))
            .required()
            .most(64),
        ceremony: CeremonyAttributes::new(t),
        language: language_field(t),
        theme: theme_field(t, member.theme),
        zone: zone_field(t),
    };
    Ok(member.page(&page))
}

fn language_field(t: Locale) -> Field {
    let choices = Language::ALL.iter().map(|one| Choice::new(one.name(), own_name(*one))).collect();
    Field::select(t, "language", t.text("account-language"), choices).value(t.language.name())
}

fn theme_field(t: Locale, theme: Option<Theme>) -> Field {
    let choices = vec![
        Choice::new("system", t.text("frame-theme-system")),
        Choice::new("light", t.text("frame-theme-light")),
        Choice::new("dark", t.text("frame-theme-dark")),
    ];
    Field::select(t, "theme", t.text("account-theme"), choices)
        .value(theme.map_or("system", Theme::name))
}

fn zone_field(t: Locale) -> Field {
    let choices = Zone::MINUTES
        .iter()
        .filter_map(|minutes| Zone::parse(&minutes.to_string()))
        .map(|zone| Choice::new(zone.minutes().to_string(), zone.to_string()))
        .collect();
    Field::select(t, "zone", t.text("account-zone"), choices)
        .hint(t.text("account-zone-hint"))
        .value(t.zone.minutes().to_string())
}

/// What the form to add a passkey says.
#[derive(Debug, Deserialize)]
struct New {
    #[serde(default)]
    name: String,
    #[serde(default)]
    ceremony: String,
    #[serde(default)]
    response: String,
}

async fn begin(member: Member, State(console): State<Console>, Posted(_): Posted<New>) -> Answer {
    let visitor = visitor(&member);
    let begun = console.service.begin_add_passkey(&visitor, member.caller()).await?;
    ceremony::begun(&begun)
}

async fn finish(
    member: Member,
    State(console): State<Console>,
    Posted(form): Posted<New>,
) -> Answer {
    let visitor = visitor(&member);
    let name = form.name.trim();
    console
        .service
        .finish_add_passkey(&visitor, member.caller(), &form.ceremony, name, &form.response)
        .await?;
    let mut response = ceremony::done("/account")?;
    member.notice_next(&mut response, "passkey-added");
    Ok(response)
}

async fn passkey(member: Member, State(console): State<Console>, Path(id): Path<String>) -> Answer {
    let t = member.t;
    let id = digest(&id)?;
    let passkeys = console.service.passkeys(member.caller()).await?;
    let passkey =
        passkeys.into_iter().find(|passkey| passkey.id == id).ok_or_else(Failure::not_found)?;
    let frame =
        member.frame(Section::Account, t.text("account-passkey-title").arg("name", &passkey.name));
    let remove = Confirm::new(
        &frame,
        &format!("/account/passkeys/{id}/remove"),
        t.text("account-remove-title"),
        "/account",
    )
    .effect(t.text("account-remove-effect-signin"))
    .effect(t.text("account-remove-effect-sessions"))
    .effect(t.text("account-remove-effect-device"))
    .button(ButtonKind::Danger, t.text("account-remove-button"));
    let field = Field::text(t, "name", t.text("account-passkey-name"))
        .value(&passkey.name)
        .required()
        .most(64);
    let page = PasskeyPage { t, frame, id: id.to_string(), name: passkey.name, field, remove };
    Ok(member.page(&page))
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

async fn rename(
    member: Member,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(form): Posted<Name>,
) -> Answer {
    console.service.rename_passkey(member.caller(), &digest(&id)?, form.name.trim()).await?;
    Ok(member.done("/account", "passkey-renamed"))
}

#[derive(Debug, Deserialize)]
struct Nothing {}

async fn remove(
    member: Member,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted<Nothing>,
) -> Answer {
    console.service.remove_passkey(member.caller(), &digest(&id)?).await?;
    Ok(member.done("/account", "passkey-removed"))
}

async fn end(
    member: Member,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted<Nothing>,
) -> Answer {
    console.service.end_session(member.caller(), &digest(&id)?).await?;
    Ok(member.done("/account", "session-ended"))
}

async fn end_others(
    member: Member,
    State(console): State<Console>,
    Posted(_): Posted<Nothing>,
) -> Answer {
    console.service.end_other_sessions(member.caller()).await?;
    Ok(member.done("/account", "sessions-ended"))
}

fn digest(id: &str) -> Result<Sha256, Failure> {
    Sha256::from_hex(id).ok_or_else(Failure::not_found)
}

#[derive(Template)]
#[template(path = "account/account.html")]
struct AccountPage {
    t: Locale,
    frame: Frame,
    name: String,
    organisation: String,
    passkeys: Vec<PasskeyRow>,
    sessions: Vec<SessionRow>,
    current_badge: Badge,
    new_passkey: Field,
    ceremony: CeremonyAttributes,
    language: Field,
    theme: Field,
    zone: Field,
}

struct PasskeyRow {
    id: String,
    name: String,
    added: Moment,
    used: Option<Moment>,
}

struct SessionRow {
    id: String,
    label: String,
    network: String,
    seen: Moment,
    ends: Moment,
    current: bool,
}

#[derive(Template)]
#[template(path = "account/passkey.html")]
struct PasskeyPage {
    t: Locale,
    frame: Frame,
    id: String,
    name: String,
    field: Field,
    remove: Confirm,
}
