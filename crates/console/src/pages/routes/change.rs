//! A route is made, changed and ended.

use super::here;
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Posted, Section,
    i18n::Locale,
    pages::{form, sensitive, words},
    ui::{ButtonKind, Choice, Field},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use policy::Action;
use serde::Deserialize;
use service::{NewRoute, RouteView};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/new-route", get(ask_new).post(make))
        .route("/routes/{name}/change", get(ask_change).post(change))
        .route("/routes/{name}/end", get(ask_end).post(end))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    name: String,
    product: String,
    topic: String,
    condition: String,
    purpose: String,
    target: String,
    roots: String,
    secret: String,
    full: String,
    messages: String,
    bytes: String,
    attempts: String,
    days: String,
}

impl Said {
    fn usual() -> Self {
        Self {
            full: "refuse".into(),
            messages: "100000".into(),
            bytes: "67108864".into(),
            attempts: "50".into(),
            days: "30".into(),
            ..Self::default()
        }
    }

    fn of(view: &RouteView) -> Self {
        Self {
            name: view.name.clone(),
            product: view.product.clone().unwrap_or_default(),
            topic: view.filter.clone().unwrap_or_default(),
            condition: view.condition.clone().unwrap_or_default(),
            purpose: view.purpose.clone().unwrap_or_default(),
            target: view.target.clone(),
            roots: view.roots.clone().unwrap_or_default(),
            secret: String::new(),
            full: if view.drops { "drop-oldest" } else { "refuse" }.into(),
            messages: view.count_max.to_string(),
            bytes: view.bytes_max.to_string(),
            attempts: view.attempts_max.to_string(),
            days: view.retention_days.to_string(),
        }
    }
}

fn form_page(member: &Member, said: &Said, known: Option<&str>) -> form::FormPage {
    let t = member.t;
    let full = ["refuse", "drop-oldest"]
        .map(|name| Choice::new(name, t.word("routes-full", name)))
        .to_vec();
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
            .hint(t.text("routes-target-hint"))
            .value(&said.target)
            .most(1400)
            .required(),
    );
    let rule = vec![
        Field::text(t, "product", t.text("routes-product"))
            .hint(t.text("routes-product-hint"))
            .value(&said.product)
            .most(200)
            .optional(),
        Field::text(t, "topic", t.text("routes-topic"))
            .hint(t.text("routes-topic-hint"))
            .value(&said.topic)
            .most(1024)
            .optional(),
        Field::text(t, "purpose", t.text("routes-purpose"))
            .hint(t.text("routes-purpose-hint"))
            .value(&said.purpose)
            .most(64)
            .optional(),
        Field::text(t, "condition", t.text("routes-condition"))
            .hint(t.text("routes-condition-hint"))
            .value(&said.condition)
            .most(1024)
            .optional(),
    ];
    let receiver = vec![
        Field::area(t, "roots", t.text("routes-roots"))
            .hint(t.text("routes-roots-hint"))
            .value(&said.roots)
            .most(65_536)
            .optional(),
        Field::area(t, "secret", t.text("routes-secret"))
            .hint(t.text("routes-secret-hint"))
            .most(16_384)
            .autocomplete("off")
            .optional(),
        Field::number(t, "attempts", t.text("routes-attempts")).value(&said.attempts).required(),
    ];
    let bounds = vec![
        Field::radios(t, "full", t.text("routes-full"), full).value(&said.full).required(),
        Field::number(t, "messages", t.text("routes-messages")).value(&said.messages).required(),
        Field::number(t, "bytes", t.text("routes-bytes")).value(&said.bytes).required(),
        Field::number(t, "days", t.text("routes-days")).value(&said.days).required(),
    ];
    let (title, action, back) = match known {
        None => (t.text("routes-new").to_string(), "/new-route".to_owned(), "/routes".to_owned()),
        Some(name) => (
            t.text("routes-change-of").arg("name", name).to_string(),
            format!("{}/change", here(name)),
            here(name),
        ),
    };
    let trial = crate::pages::listing::address(
        "/route-trial",
        &[
            ("product", said.product.as_str()),
            ("topic", said.topic.as_str()),
            ("condition", said.condition.as_str()),
        ],
    );
    form::FormPage::new(member, Section::Organisations, title, &action, &back)
        .crumb("/routes", t.text("routes-title"))
        .lead(t.text("routes-form-lead"))
        .note(t.text("routes-try-note"), trial, t.text("routes-try"))
        .fields(first)
        .group(t.text("routes-which"), None, rule)
        .group(t.text("routes-queue"), Some(t.text("routes-queue-hint").to_string()), bounds)
        .group(
            t.text("routes-receiver"),
            Some(t.text("routes-receiver-hint").to_string()),
            receiver,
        )
        .button(t.text("routes-save"))
}

fn may(member: &Member) -> Result<(), Failure> {
    let own = &member.signed().organisation;
    let may = words::may(member, Action::ManageRoutes, own);
    may.then_some(()).ok_or_else(Failure::forbidden)
}

async fn ask_new(State(_): State<Console>, member: Member, Asked(rule): Asked<Said>) -> Answer {
    may(&member)?;
    let said = Said {
        product: rule.product,
        topic: rule.topic,
        condition: rule.condition,
        ..Said::usual()
    };
    form_page(&member, &said, None).show(&member)
}

async fn ask_change(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
) -> Answer {
    may(&member)?;
    let own = &member.signed().organisation;
    let view = console.service.route(member.caller(), own, &name).await?;
    form_page(&member, &Said::of(&view), Some(&name)).show(&member)
}

async fn make(
    State(console): State<Console>,
    member: Member,
    Posted(said): Posted<Said>,
) -> Answer {
    may(&member)?;
    let own = &member.signed().organisation;
    let known = console.service.routes(member.caller(), own).await?;
    if known.iter().any(|view| view.name == said.name.trim()) {
        let mut mistakes = form::Mistakes::default();
        mistakes.add("name", member.t.text("routes-name-taken").to_string());
        return Ok(form_page(&member, &said, None).refuse(&member, mistakes));
    }
    let name = said.name.trim().to_owned();
    put(&console, &member, &name, said, false).await
}

async fn change(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    may(&member)?;
    // One that has ended meanwhile is not made again.
    let own = &member.signed().organisation;
    console.service.route(member.caller(), own, &name).await?;
    put(&console, &member, &name, said, true).await
}

async fn put(console: &Console, member: &Member, name: &str, said: Said, known: bool) -> Answer {
    let given = |text: &str| {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let new = NewRoute {
        product: given(&said.product),
        filter: given(&said.topic),
        condition: given(&said.condition),
        purpose: given(&said.purpose),
        target: said.target.clone(),
        roots: given(&said.roots),
        secret: given(&said.secret).map(|text| crypto::Secret::new(text.into_bytes())),
        drops: said.full == "drop-oldest",
        // What is no number is outside of what may be chosen, and said to be so.
        count_max: said.messages.trim().parse().unwrap_or(0),
        bytes_max: said.bytes.trim().parse().unwrap_or(0),
        attempts_max: said.attempts.trim().parse().unwrap_or(0),
        retention_days: said.days.trim().parse().unwrap_or(0),
    };
    let own = &member.signed().organisation;
    let t = member.t;
    match console.service.put_route(member.caller(), own, name, new).await {
        Ok(put) => match put.secret {
            None => Ok(member.done(&here(name), "route-saved")),
            Some(secret) => Ok(member.page(&SecretPage {
                t,
                frame: member.frame(Section::Organisations, t.text("routes-secret-made")),
                href: here(name),
                secret: String::from_utf8_lossy(secret.expose()).into_owned(),
            })),
        },
        Err(error) => {
            let places = [
                ("stream-name", "name"),
                ("route-target", "target"),
                ("route-device", "target"),
                ("route-kind", "target"),
                ("route-product", "product"),
                ("route-filter", "topic"),
                ("route-condition", "condition"),
                ("route-secret", "secret"),
                ("stream-roots", "roots"),
            ];
            let known = known.then_some(name);
            let at = known.map_or("/new-route".to_owned(), |name| format!("{}/change", here(name)));
            form::refused(member, error, &at, &places, || form_page(member, &said, known))
        }
    }
}

#[derive(Template)]
#[template(path = "routes/secret.html")]
struct SecretPage {
    t: Locale,
    frame: Frame,
    href: String,
    secret: String,
}

async fn ask_end(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
) -> Answer {
    may(&member)?;
    let (t, own) = (member.t, &member.signed().organisation);
    let view = console.service.route(member.caller(), own, &name).await?;
    let crumbs = vec![
        ("/routes".to_owned(), t.text("routes-title").to_string()),
        (here(&name), name.clone()),
    ];
    let kept = view.waiting.saturating_add(view.dead).saturating_add(view.rows);
    let question = t.text("routes-end-question").arg("name", &name);
    let page = form::ConfirmPage::new(&member, Section::Organisations, crumbs, name, question)
        .with(|confirm| {
            let confirm = match kept {
                0 => confirm.effect(t.text("routes-end-empty").to_string()),
                _ => confirm.effect(t.text("routes-end-loses").arg("count", kept).to_string()),
            };
            confirm.button(ButtonKind::Danger, t.text("routes-end"))
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
    match console.service.end_route(member.caller(), own, &name, true).await {
        Ok(()) => Ok(member.done("/routes", "route-ended")),
        Err(error) => sensitive::answer(&member, error, &here(&name)),
    }
}
