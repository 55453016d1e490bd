//! Routes of the messages of the visitor's organisation (GW-5): how each stands, what its receiver did
//! not take, the rows of tables.

mod change;
mod trial;

use super::{
    form,
    listing::{self, Place},
    sensitive, words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, ButtonKind, Empty, Field, Icon, Pager, Tone},
};
use admission::TopicFilter;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use crypto::UnixTime;
use policy::Action;
use serde::Deserialize;
use service::{QueuedMessage, RouteRowQuery, RouteView};

/// Longest part of what a message says, in characters.
const SHOWN: usize = 400;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/routes", get(list))
        .route("/routes/{name}", get(one))
        .route("/routes/{name}/pause", post(pause))
        .route("/routes/{name}/resume", post(resume))
        .route("/routes/{name}/dead/retry", post(retry))
        .route("/routes/{name}/dead/discard", get(ask_discard).post(discard))
        .route("/routes/{name}/rows", get(rows))
        .merge(change::router())
        .merge(trial::router())
}

fn here(name: &str) -> String {
    format!("/routes/{}", listing::segment(name))
}

fn state(t: Locale, view: &RouteView) -> Badge {
    match (view.paused, view.failing_since) {
        (true, _) => Badge::new(Tone::Held, t.word("routes-state", "paused")),
        (false, Some(_)) => Badge::new(Tone::Bad, t.word("routes-state", "failing")),
        (false, None) if view.kind == "table" => {
            Badge::new(Tone::Good, t.word("routes-state", "table"))
        }
        (false, None) => Badge::new(Tone::Good, t.word("routes-state", "working")),
    }
}

struct Row {
    href: String,
    name: String,
    target: String,
    state: Badge,
    waiting: String,
    delivered: String,
    dead: Option<String>,
}

async fn list(State(console): State<Console>, member: Member) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let found = console.service.routes(member.caller(), own).await?;
    let rows = found.into_iter().map(|view| Row {
        href: here(&view.name),
        state: state(t, &view),
        waiting: t.number(view.waiting),
        delivered: t.number(view.delivered),
        dead: (view.dead > 0).then(|| t.number(view.dead)),
        name: view.name,
        target: view.target,
    });
    let page = ListPage {
        t,
        frame: member.frame(Section::Organisations, t.text("routes-title")),
        rows: rows.collect(),
        may: words::may(&member, Action::ManageRoutes, own),
        empty: Empty::new(Icon::Clock, t.text("routes-none"), t.text("routes-none-hint")),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "routes/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    may: bool,
    empty: Empty,
}

struct DeadRow {
    id: u64,
    device: String,
    topic: String,
    at: Moment,
    since: Moment,
    why: String,
    says: String,
}

/// What a message says, as far as a page can show it.
fn says(t: Locale, message: &QueuedMessage) -> String {
    let text = std::str::from_utf8(&message.payload).ok();
    match text.filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace())) {
        Some(text) => text.chars().take(SHOWN).collect(),
        None => t.text("messages-bytes").arg("count", message.payload.len()).to_string(),
    }
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    Asked(place): Asked<Place>,
) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let view = console.service.route(member.caller(), own, &name).await?;
    let page = listing::page(&place.after);
    let dead = console.service.dead_messages(member.caller(), own, &name, &page).await?;
    let at = here(&name);
    let pager = listing::pager(t, &at, &[], &place.after, dead.next.as_deref());
    let dead = dead.items.into_iter().map(|one| DeadRow {
        id: one.message.id,
        device: one.message.device.to_string(),
        at: t.time(one.message.received_at),
        since: t.time(one.dead_at),
        why: one.why,
        says: says(t, &one.message),
        topic: one.message.topic,
    });
    let any = || t.text("routes-any").to_string();
    let full = if view.drops { "drop-oldest" } else { "refuse" };
    let mut facts = vec![
        (t.text("routes-target").to_string(), view.target.clone()),
        (t.text("routes-product").to_string(), view.product.clone().unwrap_or_else(any)),
        (t.text("routes-topic").to_string(), view.filter.clone().unwrap_or_else(any)),
        (t.text("routes-condition").to_string(), view.condition.clone().unwrap_or_else(any)),
        (t.text("routes-purpose").to_string(), view.purpose.clone().unwrap_or_else(any)),
        (
            t.text("routes-bound").to_string(),
            t.text("routes-bound-is")
                .arg("count", view.count_max)
                .arg("bytes", view.bytes_max)
                .to_string(),
        ),
    ];
    if view.kind == "table" {
        let days = t.text("routes-days-are").arg("days", view.retention_days).to_string();
        facts.push((t.text("routes-days").to_string(), days));
        facts.push((t.text("routes-rows").to_string(), t.number(view.rows)));
    } else {
        facts.push((t.text("routes-full").to_string(), t.word("routes-full", full).to_string()));
        let attempts = t.number(u64::from(view.attempts_max));
        facts.push((t.text("routes-attempts").to_string(), attempts));
        facts.push((t.text("routes-waiting").to_string(), t.number(view.waiting)));
        facts.push((t.text("routes-delivered").to_string(), t.number(view.delivered)));
        facts.push((t.text("routes-dropped").to_string(), t.number(view.dropped)));
        facts.push((t.text("routes-withheld").to_string(), t.number(view.withheld)));
    }
    let page = OnePage {
        t,
        frame: member.frame(Section::Organisations, t.text("routes-one").arg("name", &view.name)),
        at,
        state: state(t, &view),
        failing: view
            .failing_since
            .map(|at| (t.time(at), view.failure.clone().unwrap_or_default())),
        last: view.delivered_at.map(|at| t.time(at)),
        changed: (t.time(view.changed_at), view.changed_by.clone()),
        facts,
        dead: dead.collect(),
        table: view.kind == "table",
        may: words::may(&member, Action::ManageRoutes, own),
        paused: view.paused,
        name: view.name,
        pager,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "routes/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    at: String,
    name: String,
    state: Badge,
    failing: Option<(Moment, String)>,
    last: Option<Moment>,
    changed: (Moment, String),
    facts: Vec<(String, String)>,
    dead: Vec<DeadRow>,
    table: bool,
    may: bool,
    paused: bool,
    pager: Pager,
}

async fn pause(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    _form: crate::Fields,
) -> Answer {
    set(&console, &member, &name, true).await
}

async fn resume(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    _form: crate::Fields,
) -> Answer {
    set(&console, &member, &name, false).await
}

async fn set(console: &Console, member: &Member, name: &str, paused: bool) -> Answer {
    let own = &member.signed().organisation;
    match console.service.pause_route(member.caller(), own, name, paused).await {
        Ok(_) if paused => Ok(member.done(&here(name), "route-paused")),
        Ok(_) => Ok(member.done(&here(name), "route-resumed")),
        Err(error) => sensitive::answer(member, error, &here(name)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    message: String,
}

impl Which {
    /// One message, or all where none is named.
    fn number(&self) -> Result<Option<u64>, Failure> {
        match self.message.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Failure::bad_request()),
        }
    }
}

async fn retry(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    crate::Posted(which): crate::Posted<Which>,
) -> Answer {
    let own = &member.signed().organisation;
    match console.service.retry_dead(member.caller(), own, &name, which.number()?).await {
        Ok(_) => Ok(member.done(&here(&name), "route-retried")),
        Err(error) => sensitive::answer(&member, error, &here(&name)),
    }
}

async fn ask_discard(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    Asked(which): Asked<Which>,
) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let view = console.service.route(member.caller(), own, &name).await?;
    if !words::may(&member, Action::ManageRoutes, own) {
        return Err(Failure::forbidden());
    }
    let question = match which.number()? {
        Some(_) => t.text("routes-discard-one"),
        None => t.text("routes-discard-all").arg("count", view.dead),
    };
    let crumbs = vec![
        ("/routes".to_owned(), t.text("routes-title").to_string()),
        (here(&name), name.clone()),
    ];
    let page = form::ConfirmPage::new(&member, Section::Organisations, crumbs, name, question)
        .with(|confirm| {
            confirm
                .effect(t.text("routes-discard-effect").to_string())
                .hidden("message", &which.message)
                .button(ButtonKind::Danger, t.text("routes-discard"))
        });
    Ok(member.page(&page))
}

async fn discard(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    crate::Posted(which): crate::Posted<Which>,
) -> Answer {
    let own = &member.signed().organisation;
    match console.service.discard_dead(member.caller(), own, &name, which.number()?).await {
        Ok(_) => Ok(member.done(&here(&name), "route-discarded")),
        Err(error) => sensitive::answer(&member, error, &here(&name)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    device: String,
    topic: String,
    from: String,
    until: String,
    after: String,
}

struct TableRow {
    at: Moment,
    device: String,
    topic: String,
    kind: Option<String>,
    says: String,
}

/// The beginning of a day, in UTC.
fn day(text: &str) -> Option<UnixTime> {
    format!("{text}T00:00:00Z").parse::<api::wire::scalar::Timestamp>().ok().map(|at| at.0)
}

async fn rows(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let mut wrong = None;
    let mut note = |field: &'static str| wrong = Some(field);
    let mut read = |field, text: &str| match (text.is_empty(), day(text)) {
        (true, _) => None,
        (false, None) => {
            note(field);
            None
        }
        (false, day) => day,
    };
    let (from, until) = (read("from", &wanted.from), read("until", &wanted.until));
    let device = match wanted.device.trim() {
        "" => None,
        text => text.parse().map_err(|_| wrong = Some("device")).ok(),
    };
    let filter = match wanted.topic.trim() {
        "" => None,
        text => TopicFilter::new(text).map_err(|_| wrong = Some("topic")).ok(),
    };
    let query = RouteRowQuery {
        device,
        filter,
        from,
        // The day that is named belongs to it.
        until: until.map(|at| at.plus(86_400)),
    };
    let page = listing::page(&wanted.after);
    let found = console.service.route_rows(member.caller(), own, &name, query, &page).await?;
    let at = format!("{}/rows", here(&name));
    let kept = [
        ("device", wanted.device.as_str()),
        ("topic", wanted.topic.as_str()),
        ("from", wanted.from.as_str()),
        ("until", wanted.until.as_str()),
    ];
    let pager = listing::pager(t, &at, &kept, &wanted.after, found.next.as_deref());
    let mark = |field: &str| (wrong == Some(field)).then(|| t.text("routes-unread").to_string());
    let fields = vec![
        Field::date(t, "from", t.text("routes-from")).value(&wanted.from).error(mark("from")),
        Field::date(t, "until", t.text("routes-until")).value(&wanted.until).error(mark("until")),
        Field::text(t, "device", t.text("routes-device"))
            .value(&wanted.device)
            .error(mark("device")),
        Field::text(t, "topic", t.text("routes-topic")).value(&wanted.topic).error(mark("topic")),
    ];
    let rows = found.items.into_iter().map(|row| TableRow {
        at: t.time(row.message.received_at),
        device: row.message.device.to_string(),
        says: says(t, &row.message),
        kind: row.message.media_type,
        topic: row.message.topic,
    });
    let page = RowsPage {
        t,
        frame: member.frame(Section::Organisations, t.text("routes-rows-of").arg("name", &name)),
        at,
        up: here(&name),
        name,
        fields,
        rows: rows.collect(),
        empty: Empty::new(Icon::Clock, t.text("routes-no-rows"), t.text("routes-no-rows-hint")),
        pager,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "routes/rows.html")]
struct RowsPage {
    t: Locale,
    frame: Frame,
    at: String,
    up: String,
    name: String,
    fields: Vec<Field>,
    rows: Vec<TableRow>,
    empty: Empty,
    pager: Pager,
}
