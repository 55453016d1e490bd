//! A device's messages, what was refused of it and why, commands, and settings (GW-8): one page that
//! keeps itself up to date, and a form for each act.

use super::{
    form,
    listing::{self, Place},
    sensitive, words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    ui::{Badge, ButtonKind, Choice, Empty, Field, Icon, Pager, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::{DeviceId, Language};
use policy::Action;
use serde::Deserialize;
use service::{
    CommandState, CommandView, ConfigurationView, DeviceView, MessageView, NewCommand,
    NewConfiguration, Page, RefusedView,
};

/// Commands on the page.
const COMMANDS: u32 = 20;
/// Longest part of a payload on the page, in characters.
const SHOWN: usize = 400;
/// Longest reason, in characters.
const REASON_MAX: u32 = 300;
/// Characters of parameters and settings.
const PARAMETERS_MAX: u32 = 8_192;
const SETTINGS_MAX: u32 = 32_768;
/// In how many seconds a device may have to begin, as the form offers it.
const LIFETIMES: &[(&str, u32)] =
    &[("hour", 3_600), ("day", 86_400), ("week", 604_800), ("month", 2_592_000)];
/// Commands that the form offers.
const COMMANDS_OFFERED: &[&str] = &["restart", "self-test", "factory-reset", "erase-keys"];

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/devices/{id}/messages", get(page))
        .route("/devices/{id}/commands/new", get(ask_command).post(give))
        .route("/devices/{id}/commands/{command}/cancel", get(ask_cancel).post(cancel))
        .route("/devices/{id}/configuration", get(ask_settings).post(configure))
}

fn id(text: &str) -> Result<DeviceId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

fn here(device: &DeviceId) -> String {
    format!("/devices/{device}/messages")
}

struct CommandRow {
    name: String,
    parameters: Option<String>,
    state: Badge,
    reason: String,
    by: String,
    at: Moment,
    expires: Moment,
    answered: Option<Moment>,
    detail: Option<String>,
    erasure: Option<String>,
    cancel: Option<String>,
}

fn state(t: Locale, state: CommandState) -> Badge {
    let tone = match state {
        CommandState::Waiting => Tone::Neutral,
        CommandState::Sent | CommandState::Accepted => Tone::Busy,
        CommandState::Done => Tone::Good,
        CommandState::Failed => Tone::Bad,
        CommandState::Rejected => Tone::Warn,
        CommandState::Cancelled | CommandState::Expired => Tone::Held,
    };
    Badge::new(tone, t.word("command-state", state.name()))
}

fn command_row(t: Locale, device: &DeviceId, may: bool, one: CommandView) -> CommandRow {
    let cancel = format!("/devices/{device}/commands/{}/cancel", one.id);
    CommandRow {
        parameters: (one.parameters != "{}").then_some(one.parameters),
        state: state(t, one.state),
        reason: one.reason,
        by: one.issued_by,
        at: t.time(one.issued_at),
        expires: t.time(one.expires_at),
        answered: one.answered_at.map(|at| t.time(at)),
        detail: one.detail,
        erasure: one.erasure.map(|proof| proof.digest.to_string()),
        cancel: (may && one.state.is_open()).then_some(cancel),
        name: one.name,
    }
}

struct RefusedRow {
    why: String,
    code: &'static str,
    door: &'static str,
    count: String,
    last: Moment,
    topic: String,
    /// the schema, place and rule, or the policies
    detail: Option<String>,
}

fn refused_row(t: Locale, one: RefusedView) -> RefusedRow {
    RefusedRow {
        why: match t.language {
            Language::Ja => one.reason.japanese().to_owned(),
            Language::En => one.reason.english().to_owned(),
        },
        code: one.reason.code(),
        door: one.door,
        count: t.number(one.count),
        last: t.time(one.last_at),
        topic: one.last_topic,
        detail: one.last_detail.or(one.last_policies),
    }
}

struct MessageRow {
    at: Moment,
    topic: String,
    door: &'static str,
    kind: Option<String>,
    signed: Option<String>,
    encrypted: bool,
    payload: Payload,
}

/// What a message says, as far as a page can show it.
enum Payload {
    Text(String, bool),
    Bytes(String),
}

fn message_row(t: Locale, one: MessageView) -> MessageRow {
    let text = std::str::from_utf8(&one.payload).ok();
    let plain = text.filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    let payload = match plain {
        Some(text) => {
            let shown: String = text.chars().take(SHOWN).collect();
            let more = shown.len() < text.len();
            Payload::Text(shown, more)
        }
        None => {
            Payload::Bytes(t.text("messages-bytes").arg("count", one.payload.len()).to_string())
        }
    };
    MessageRow {
        at: t.time(one.received_at),
        topic: one.topic,
        door: one.door,
        kind: one.media_type,
        signed: one.signed_by.map(|_| {
            match one.carrier {
                Some(carrier) => t.text("messages-carried").arg("device", carrier.to_string()),
                None => t.text("messages-signed"),
            }
            .to_string()
        }),
        encrypted: one.encrypted,
        payload,
    }
}

struct Settings {
    state: Badge,
    wanted: Option<(u64, String, String, String, Moment)>,
    reported: Option<(u64, String, Moment)>,
}

fn settings(t: Locale, view: ConfigurationView) -> Settings {
    let state = match (&view.wanted, view.settled) {
        (None, _) => Badge::new(Tone::Neutral, t.text("messages-settings-none")),
        (Some(_), true) => Badge::new(Tone::Good, t.text("messages-settings-settled")),
        (Some(_), false) => Badge::new(Tone::Busy, t.text("messages-settings-open")),
    };
    Settings {
        state,
        wanted: view
            .wanted
            .map(|it| (it.version, pretty(&it.settings), it.reason, it.set_by, t.time(it.set_at))),
        reported: view.reported.map(|it| (it.version, pretty(&it.settings), t.time(it.at))),
    }
}

/// JSON over several lines, for people.
fn pretty(text: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
    value.and_then(|it| serde_json::to_string_pretty(&it).ok()).unwrap_or_else(|| text.to_owned())
}

async fn page(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(place): Asked<Place>,
) -> Answer {
    let id = id(&text)?;
    let (service, caller, t) = (&console.service, member.caller(), member.t);
    let messages = service.messages(caller, &id, &listing::page(&place.after)).await?;
    let refused = service.refused_messages(caller, &id).await?;
    let commands = service.commands(caller, &id, &Page { after: None, limit: COMMANDS }).await?;
    let configuration = service.configuration(caller, &id).await?;
    let view = service.device(caller, &id).await?;
    let may = words::may(&member, Action::CommandDevice, &view.owner);
    let here = here(&id);
    let pager = listing::pager(t, &here, &[], &place.after, messages.next.as_deref());
    let page = MessagesPage {
        t,
        frame: member
            .frame(Section::Devices, t.text("messages-title").arg("serial", &view.serial_number)),
        live: place.after.is_empty(),
        commands: commands.items.into_iter().map(|one| command_row(t, &id, may, one)).collect(),
        refused: refused.into_iter().map(|one| refused_row(t, one)).collect(),
        messages: messages.items.into_iter().map(|one| message_row(t, one)).collect(),
        settings: settings(t, configuration),
        empty: Empty::new(
            Icon::Clock,
            t.text("messages-empty"),
            t.text("messages-empty-hint").arg("topic", "me/up/…"),
        ),
        may,
        pager,
        view,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "messages/device.html")]
struct MessagesPage {
    t: Locale,
    frame: Frame,
    view: DeviceView,
    live: bool,
    may: bool,
    settings: Settings,
    commands: Vec<CommandRow>,
    refused: Vec<RefusedRow>,
    messages: Vec<MessageRow>,
    empty: Empty,
    pager: Pager,
}

/// The device of a form, for who may give it commands.
async fn about(console: &Console, member: &Member, text: &str) -> Result<DeviceView, Failure> {
    let view = console.service.device(member.caller(), &id(text)?).await?;
    if !words::may(member, Action::CommandDevice, &view.owner) {
        return Err(Failure::forbidden());
    }
    Ok(view)
}

fn a_form(member: &Member, view: &DeviceView, title: String, at: &str) -> form::FormPage {
    let t = member.t;
    let back = here(&view.id);
    form::FormPage::new(member, Section::Devices, title, at, &back)
        .crumb("/devices", t.text("nav-devices"))
        .crumb(format!("/devices/{}", view.id), &view.serial_number)
        .crumb(&back, t.text("messages-short"))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Given {
    name: String,
    other: String,
    parameters: String,
    reason: String,
    lifetime: String,
}

fn command_form(member: &Member, view: &DeviceView, said: &Given) -> form::FormPage {
    let t = member.t;
    let final_too = words::may(member, Action::ResetDevice, &view.owner);
    let mut names: Vec<Choice> = COMMANDS_OFFERED
        .iter()
        .filter(|name| final_too || matches!(**name, "restart" | "self-test"))
        .map(|name| Choice::new(*name, t.word("command-name", name)))
        .collect();
    names.push(Choice::new("other", t.word("command-name", "other")));
    let lifetimes = LIFETIMES
        .iter()
        .map(|(name, _)| Choice::new(*name, t.word("command-lifetime", name)))
        .collect();
    let or = |said: &str, usual: &str| match said.is_empty() {
        true => usual.to_owned(),
        false => said.to_owned(),
    };
    let fields = vec![
        Field::radios(t, "name", t.text("command-what"), names)
            .value(or(&said.name, "restart"))
            .required(),
        Field::text(t, "other", t.text("command-other"))
            .hint(t.text("command-other-hint"))
            .value(&said.other)
            .most(64)
            .optional(),
        Field::area(t, "parameters", t.text("command-parameters"))
            .hint(t.text("command-parameters-hint"))
            .value(&said.parameters)
            .most(PARAMETERS_MAX)
            .optional(),
        Field::text(t, "reason", t.text("command-reason"))
            .hint(t.text("command-reason-hint"))
            .value(&said.reason)
            .most(REASON_MAX)
            .required(),
        Field::select(t, "lifetime", t.text("command-within"), lifetimes)
            .hint(t.text("command-within-hint"))
            .value(or(&said.lifetime, "day")),
    ];
    let at = format!("/devices/{}/commands/new", view.id);
    a_form(member, view, t.text("command-title").to_string(), &at)
        .lead(t.text("command-lead"))
        .fields(fields)
        .button(t.text("command-give"))
}

async fn ask_command(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let view = about(&console, &member, &text).await?;
    command_form(&member, &view, &Given::default()).show(&member)
}

async fn give(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Given>,
) -> Answer {
    let view = about(&console, &member, &text).await?;
    let lifetime = LIFETIMES.iter().find(|(name, _)| *name == said.lifetime);
    let (_, lifetime_s) = *lifetime.ok_or_else(Failure::bad_request)?;
    let name = if said.name == "other" { said.other.trim() } else { &said.name };
    let parameters = said.parameters.trim();
    let new = NewCommand {
        name: name.to_owned(),
        parameters: if parameters.is_empty() { "{}" } else { parameters }.to_owned(),
        reason: said.reason.clone(),
        lifetime_s,
    };
    match console.service.give_command(member.caller(), &view.id, new).await {
        Ok(_) => Ok(member.done(&format!("{}#commands", here(&view.id)), "command-given")),
        Err(error) => {
            let places =
                [("command", "other"), ("command-parameters", "parameters"), ("reason", "reason")];
            let at = format!("/devices/{}/commands/new", view.id);
            form::refused(&member, error, &at, &places, || command_form(&member, &view, &said))
        }
    }
}

async fn ask_cancel(
    State(console): State<Console>,
    member: Member,
    Path((text, command)): Path<(String, String)>,
) -> Answer {
    let view = about(&console, &member, &text).await?;
    let command = command.parse().map_err(|_| Failure::not_found())?;
    let found = console.service.command(member.caller(), &view.id, &command).await?;
    let t = member.t;
    let back = here(&view.id);
    let crumbs = vec![
        ("/devices".to_owned(), t.text("nav-devices").to_string()),
        (format!("/devices/{}", view.id), view.serial_number.clone()),
        (format!("{back}#commands"), t.text("messages-short").to_string()),
    ];
    let question = t.text("command-cancel-question").arg("name", &found.name).to_string();
    let effect = match found.sent_at {
        None => t.text("command-cancel-unsent"),
        Some(_) => t.text("command-cancel-sent"),
    };
    let page =
        form::ConfirmPage::new(&member, Section::Devices, crumbs, found.name.clone(), question)
            .with(|confirm| {
                confirm
                    .effect(effect.to_string())
                    .button(ButtonKind::Danger, t.text("command-cancel"))
            });
    Ok(member.page(&page))
}

async fn cancel(
    State(console): State<Console>,
    member: Member,
    Path((text, command)): Path<(String, String)>,
    _form: crate::Fields,
) -> Answer {
    let id = id(&text)?;
    let command = command.parse().map_err(|_| Failure::not_found())?;
    match console.service.cancel_command(member.caller(), &id, &command).await {
        Ok(_) => Ok(member.done(&format!("{}#commands", here(&id)), "command-cancelled")),
        Err(error) => sensitive::answer(&member, error, &here(&id)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    settings: String,
    reason: String,
    replaces: String,
}

fn settings_form(member: &Member, view: &DeviceView, said: &Wanted) -> form::FormPage {
    let t = member.t;
    let fields = vec![
        Field::area(t, "settings", t.text("messages-settings"))
            .hint(t.text("messages-settings-hint"))
            .value(&said.settings)
            .most(SETTINGS_MAX)
            .required(),
        Field::text(t, "reason", t.text("command-reason"))
            .hint(t.text("command-reason-hint"))
            .value(&said.reason)
            .most(REASON_MAX)
            .required(),
    ];
    let at = format!("/devices/{}/configuration", view.id);
    a_form(member, view, t.text("messages-settings-title").to_string(), &at)
        .lead(t.text("messages-settings-lead"))
        .fields(fields)
        .hidden("replaces", &said.replaces)
        .button(t.text("messages-settings-want"))
}

async fn ask_settings(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let view = about(&console, &member, &text).await?;
    let now = console.service.configuration(member.caller(), &view.id).await?;
    let said = match now.wanted {
        Some(wanted) => Wanted {
            settings: pretty(&wanted.settings),
            reason: String::new(),
            replaces: wanted.version.to_string(),
        },
        None => {
            Wanted { settings: "{\n}".to_owned(), reason: String::new(), replaces: "0".to_owned() }
        }
    };
    settings_form(&member, &view, &said).show(&member)
}

async fn configure(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Wanted>,
) -> Answer {
    let view = about(&console, &member, &text).await?;
    let replaces = said.replaces.parse().map_err(|_| Failure::bad_request())?;
    let new = NewConfiguration {
        settings: said.settings.clone(),
        reason: said.reason.clone(),
        replaces: Some(replaces),
    };
    match console.service.configure_device(member.caller(), &view.id, new).await {
        Ok(_) => Ok(member.done(&format!("{}#settings", here(&view.id)), "settings-wanted")),
        Err(error) => {
            let places = [("settings", "settings"), ("reason", "reason")];
            let at = format!("/devices/{}/configuration", view.id);
            form::refused(&member, error, &at, &places, || settings_form(&member, &view, &said))
        }
    }
}
