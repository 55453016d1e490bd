//! A rule is tried on the newest messages before a route is made of it.

use crate::{
    Answer, Asked, Console, Frame, Member, Section, failure,
    i18n::{Locale, Moment},
    pages::{listing, words},
    ui::{Badge, Empty, Field, Icon, Tone},
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use policy::Action;
use serde::Deserialize;

/// Messages that a rule is tried on.
const LAST: usize = 50;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/route-trial", get(page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    product: String,
    topic: String,
    condition: String,
}

struct Row {
    takes: Badge,
    at: Moment,
    device: String,
    topic: String,
    sent: String,
}

async fn page(State(console): State<Console>, member: Member, Asked(rule): Asked<Rule>) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let given = |text: &'_ str| {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let (product, topic, condition) =
        (given(&rule.product), given(&rule.topic), given(&rule.condition));
    let read = service::read_rule(product.as_deref(), topic.as_deref(), condition.as_deref());
    let (rule_read, wrong) = match read {
        Ok(rule) => (rule, None),
        Err(error) => (Default::default(), Some(error)),
    };
    // Whoever may not see messages is told so, whatever the rule.
    let last = if wrong.is_some() { 0 } else { LAST };
    let tried =
        console.service.try_route(member.caller(), own, rule_read, Vec::new(), last).await?;
    let mark = |code: &str| {
        let wrong = wrong.as_ref().filter(|error| error.code() == code);
        wrong.map(|error| failure::said(t.language, error.problem()))
    };
    let fields = vec![
        Field::text(t, "product", t.text("routes-product"))
            .hint(t.text("routes-product-hint"))
            .value(&rule.product)
            .most(200)
            .error(mark("route-product"))
            .optional(),
        Field::text(t, "topic", t.text("routes-topic"))
            .hint(t.text("routes-topic-hint"))
            .value(&rule.topic)
            .most(1024)
            .error(mark("route-filter"))
            .optional(),
        Field::text(t, "condition", t.text("routes-condition"))
            .hint(t.text("routes-condition-hint"))
            .value(&rule.condition)
            .most(1024)
            .error(mark("route-condition"))
            .optional(),
    ];
    let taken = tried.iter().filter(|one| one.takes).count();
    let all = tried.len();
    let rows = tried.into_iter().map(|one| Row {
        takes: match one.takes {
            true => Badge::new(Tone::Good, t.text("routes-takes")),
            false => Badge::new(Tone::Neutral, t.text("routes-leaves")),
        },
        at: t.time(one.received_at),
        device: one.device.to_string(),
        topic: one.topic,
        sent: one.sent.chars().take(super::SHOWN * 2).collect(),
    });
    let query = [
        ("product", rule.product.as_str()),
        ("topic", rule.topic.as_str()),
        ("condition", rule.condition.as_str()),
    ];
    let may = words::may(&member, Action::ManageRoutes, own) && wrong.is_none();
    let page = TrialPage {
        t,
        frame: member.frame(Section::Organisations, t.text("routes-try")),
        fields,
        result: t.text("routes-tried").arg("taken", taken).arg("all", all).to_string(),
        rows: rows.collect(),
        make: may.then(|| listing::address("/new-route", &query)),
        wrong: wrong.is_some(),
        empty: Empty::new(
            Icon::Clock,
            t.text("routes-no-messages"),
            t.text("routes-no-messages-hint"),
        ),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "routes/trial.html")]
struct TrialPage {
    t: Locale,
    frame: Frame,
    fields: Vec<Field>,
    result: String,
    rows: Vec<Row>,
    make: Option<String>,
    wrong: bool,
    empty: Empty,
}
