//! Where alerts go (LG-4): receivers of the visitor's organisation, how each stands, made, changed and
//! ended.

use super::{form, listing, sensitive, words};
use crate::{
    Answer, Console, Failure, Fields, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    ui::{Badge, ButtonKind, Choice, Empty, Field, Icon, Tone},
};
use askama::Template;
use audit::Severity;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use device::Language;
use policy::Action;
use serde::Deserialize;
use service::{AlertReceiverView, NewAlertReceiver};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/alert-receivers", get(list))
        .route("/new-alert-receiver", get(ask_new).post(make))
        .route("/alert-receivers/{name}", get(ask_change).post(change))
        .route("/alert-receivers/{name}/retry", post(retry))
        .route("/alert-receivers/{name}/end", get(ask_end).post(end))
}

fn here(name: &str) -> String {
    format!("/alert-receivers/{}", listing::segment(name))
}

fn may(member: &Member) -> Result<(), Failure> {
    let own = &member.signed().organisation;
    let may = words::may(member, Action::ManageAlertRules, own);
    may.then_some(()).ok_or_else(Failure::forbidden)
}

struct Row {
    href: String,
    name: String,
    target: String,
    mail: Vec<String>,
    severity: Badge,
    state: Badge,
    failing: Option<(Moment, String)>,
    delivered: String,
    waiting: String,
    dead: Option<String>,
}

fn row(t: Locale, view: AlertReceiverView) -> Row {
    let state = match (view.paused, view.failing_since) {
        (true, _) => Badge::new(Tone::Held, t.word("routes-state", "paused")),
        (false, Some(_)) => Badge::new(Tone::Bad, t.word("routes-state", "failing")),
        (false, None) => Badge::new(Tone::Good, t.word("routes-state", "working")),
    };
    Row {
        href: here(&view.name),
        severity: super::alerts::severity(t, view.severity),
        state,
        failing: view
            .failing_since
            .map(|at| (t.time(at), view.failure.clone().unwrap_or_default())),
        delivered: t.number(view.delivered),
        waiting: t.number(view.waiting),
        dead: (view.dead > 0).then(|| t.number(view.dead)),
        name: view.name,
        target: view.target,
        mail: view.mail_to,
    }
}

async fn list(State(console): State<Console>, member: Member) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let found = console.service.alert_receivers(member.caller(), own).await?;
    let page = ListPage {
        t,
        frame: member.frame(Section::Alerts, t.text("receivers-title")),
        rows: found.into_iter().map(|view| row(t, view)).collect(),
        empty: Empty::new(Icon::Warning, t.text("receivers-none"), t.text("receivers-none-hint")),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "alerts/receivers.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    empty: Empty,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    name: String,
    target: String,
    severity: String,
    language: String,
    mail_from: String,
    mail_to: String,
    roots: String,
    secret: String,
    paused: String,
}

impl Said {
    fn of(view: &AlertReceiverView) -> Self {
        Self {
            name: view.name.clone(),
            target: view.target.clone(),
            severity: super::alerts::severity_word(view.severity).to_owned(),
            language: tag(view.language).to_owned(),
            mail_from: view.mail_from.clone().unwrap_or_default(),
            mail_to: view.mail_to.join("\n"),
            roots: view.roots.clone().unwrap_or_default(),
            secret: String::new(),
            paused: if view.paused { "yes" } else { "" }.to_owned(),
        }
    }
}

fn tag(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Ja => "ja",
    }
}

fn form_page(member: &Member, said: &Said, known: Option<&str>) -> form::FormPage {
    let t = member.t;
    let severities = Severity::ALL.map(|it| {
        let name = super::alerts::severity_word(it);
        Choice::new(name, t.word("audit-severity", name))
    });
    let languages = vec![Choice::new("en", "English"), Choice::new("ja", "日本語")];
    let mut first = Vec::new();
    if known.is_none() {
        first.push(
            Field::text(t, "name", t.text("routes-name"))
                .hint(t.text("routes-name-hint"))
                .value(&said.name)
                .most(32)
                .required(),
        );
    }
    first.push(
        Field::text(t, "target", t.text("routes-target"))
            .hint(t.text("receivers-target-hint"))
            .value(&said.target)
            .most(1024)
            .required(),
    );
    first.push(
        Field::select(t, "severity", t.text("alerts-at-least"), severities.to_vec())
            .value(&said.severity)
            .required(),
    );
    first.push(
        Field::checkbox(t, "paused", t.text("receivers-paused"))
            .hint(t.text("receivers-paused-hint"))
            .value(&said.paused),
    );
    let mail = vec![
        Field::text(t, "mail_from", t.text("receivers-from"))
            .value(&said.mail_from)
            .most(254)
            .optional(),
        Field::area(t, "mail_to", t.text("receivers-to"))
            .hint(t.text("receivers-to-hint"))
            .value(&said.mail_to)
            .most(2100)
            .optional(),
        Field::select(t, "language", t.text("receivers-language"), languages)
            .value(&said.language)
            .required(),
    ];
    let proof = vec![
        Field::area(t, "roots", t.text("routes-roots"))
            .hint(t.text("routes-roots-hint"))
            .value(&said.roots)
            .most(65_536)
            .optional(),
        Field::text(t, "secret", t.text("receivers-secret"))
            .hint(t.text("receivers-secret-hint"))
            .most(512)
            .autocomplete("off")
            .optional(),
    ];
    let (title, action) = match known {
        None => (t.text("receivers-new").to_string(), "/new-alert-receiver".to_owned()),
        Some(name) => (t.text("receivers-change").arg("name", name).to_string(), here(name)),
    };
    form::FormPage::new(member, Section::Alerts, title, &action, "/alert-receivers")
        .crumb("/alerts", t.text("alerts-title"))
        .crumb("/alert-receivers", t.text("receivers-title"))
        .lead(t.text("receivers-form-lead"))
        .fields(first)
        .group(t.text("receivers-mail"), Some(t.text("receivers-mail-hint").to_string()), mail)
        .group(t.text("receivers-proof"), None, proof)
        .button(t.text("receivers-save"))
}

/// A receiver of the visitor's organisation.
async fn known(
    console: &Console,
    member: &Member,
    name: &str,
) -> Result<AlertReceiverView, Failure> {
    let own = &member.signed().organisation;
    let all = console.service.alert_receivers(member.caller(), own).await?;
    all.into_iter().find(|it| it.name == name).ok_or_else(Failure::not_found)
}

async fn ask_new(State(_): State<Console>, member: Member) -> Answer {
    may(&member)?;
    let language = tag(member.t.language).to_owned();
    let said = Said { severity: "medium".to_owned(), language, ..Said::default() };
    form_page(&member, &said, None).show(&member)
}

async fn ask_change(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
) -> Answer {
    let view = known(&console, &member, &name).await?;
    form_page(&member, &Said::of(&view), Some(&name)).show(&member)
}

async fn make(
    State(console): State<Console>,
    member: Member,
    Posted(said): Posted<Said>,
) -> Answer {
    may(&member)?;
    let name = said.name.trim().to_owned();
    if known(&console, &member, &name).await.is_ok() {
        let mut mistakes = form::Mistakes::default();
        mistakes.add("name", member.t.text("receivers-taken").to_string());
        return Ok(form_page(&member, &said, None).refuse(&member, mistakes));
    }
    put(&console, &member, (&name, None), said).await
}

async fn change(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    // One that has ended meanwhile is not made again.
    known(&console, &member, &name).await?;
    put(&console, &member, (&name, Some(&name)), said).await
}

async fn put(
    console: &Console,
    member: &Member,
    (name, known): (&str, Option<&str>),
    said: Said,
) -> Answer {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let severity = Severity::ALL
        .into_iter()
        .find(|it| super::alerts::severity_word(*it) == said.severity)
        .ok_or_else(Failure::bad_request)?;
    let new = NewAlertReceiver {
        target: said.target.clone(),
        mail_from: given(&said.mail_from),
        mail_to: said.mail_to.split_ascii_whitespace().map(str::to_owned).collect(),
        language: match said.language.as_str() {
            "en" => Language::En,
            "ja" => Language::Ja,
            _ => return Err(Failure::bad_request()),
        },
        severity,
        roots: given(&said.roots),
        secret: given(&said.secret).map(|text| crypto::Secret::new(text.into_bytes())),
        paused: said.paused == "yes",
    };
    let own = &member.signed().organisation;
    let t = member.t;
    match console.service.put_alert_receiver(member.caller(), own, name, new).await {
        Ok(put) => match put.secret {
            None => Ok(member.done("/alert-receivers", "receiver-saved")),
            Some(secret) => Ok(member.page(&SecretPage {
                t,
                frame: member.frame(Section::Alerts, t.text("routes-secret-made")),
                secret: String::from_utf8_lossy(secret.expose()).into_owned(),
            })),
        },
        Err(error) => {
            let places = [
                ("stream-name", "name"),
                ("alert-target", "target"),
                ("alert-mail", "mail_to"),
                ("alert-login", "secret"),
                ("route-secret", "secret"),
                ("stream-roots", "roots"),
            ];
            let at = known.map_or("/new-alert-receiver".to_owned(), here);
            form::refused(member, error, &at, &places, || form_page(member, &said, known))
        }
    }
}

#[derive(Template)]
#[template(path = "alerts/secret.html")]
struct SecretPage {
    t: Locale,
    frame: Frame,
    secret: String,
}

async fn retry(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    _form: Fields,
) -> Answer {
    let own = &member.signed().organisation;
    match console.service.retry_alert_receiver(member.caller(), own, &name).await {
        Ok(_) => Ok(member.done("/alert-receivers", "receiver-retried")),
        Err(error) => sensitive::answer(&member, error, "/alert-receivers"),
    }
}

async fn ask_end(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
) -> Answer {
    let t = member.t;
    let view = known(&console, &member, &name).await?;
    let crumbs = vec![
        ("/alerts".to_owned(), t.text("alerts-title").to_string()),
        ("/alert-receivers".to_owned(), t.text("receivers-title").to_string()),
    ];
    let kept = view.waiting.saturating_add(view.dead);
    let question = t.text("receivers-end-question").arg("name", &name);
    let page =
        form::ConfirmPage::new(&member, Section::Alerts, crumbs, name, question).with(|confirm| {
            confirm
                .effect(t.text("receivers-end-effect").arg("count", kept).to_string())
                .button(ButtonKind::Danger, t.text("receivers-end"))
        });
    Ok(member.page(&page))
}

async fn end(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    _form: Fields,
) -> Answer {
    let own = &member.signed().organisation;
    match console.service.end_alert_receiver(member.caller(), own, &name).await {
        Ok(()) => Ok(member.done("/alert-receivers", "receiver-ended")),
        Err(error) => sensitive::answer(&member, error, "/alert-receivers"),
    }
}
