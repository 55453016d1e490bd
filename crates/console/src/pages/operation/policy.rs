//! What the visitor's organisation asks of its product lines, and what became of operation.

use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    pages::{form, listing, words},
    ui::{Badge, Choice, Field, Pager, Tone},
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use policy::Action;
use serde::Deserialize;
use service::{OperationChange, OperationPolicy};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/operation", get(show)).route("/operation/policy", get(ask).post(set))
}

/// Characters of the list of items.
const ITEMS_MAX: u32 = 10_000;

struct Row {
    what: String,
    product: Option<(String, String)>,
    detail: String,
    by: String,
    at: Moment,
}

fn row(member: &Member, one: OperationChange) -> Row {
    let t = member.t;
    let own = &member.signed().organisation;
    Row {
        what: t.word("operation-what", &one.what).to_string(),
        product: one.product.map(|id| (format!("/operation/{own}/{id}"), id.to_string())),
        detail: one.detail,
        by: one.by,
        at: t.time(one.at),
    }
}

async fn show(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<listing::Place>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let policy = console.service.operation_policy(member.caller(), own).await?;
    let page = listing::page(&place.after);
    let found = console.service.operation_history(member.caller(), own, &page).await?;
    let state = match policy.required {
        true => Badge::new(Tone::Good, t.text("operation-required")),
        false => Badge::new(Tone::Neutral, t.text("operation-not-required")),
    };
    let mut facts = Vec::new();
    if policy.required {
        let by_weight = match policy.weight {
            1..=5 => t.text("operation-weight-from").arg("weight", policy.weight).to_string(),
            _ => t.text("operation-weight-none").to_string(),
        };
        facts.push((t.text("operation-weight").to_string(), by_weight));
        if !policy.items.is_empty() {
            facts.push((t.text("operation-items").to_string(), policy.items.join(", ")));
        }
        let signed = match policy.signed {
            true => t.text("operation-signed-yes"),
            false => t.text("operation-signed-no"),
        };
        facts.push((t.text("operation-signed").to_string(), signed.to_string()));
    }
    let page = PolicyPage {
        t,
        frame: member.frame(Section::Operation, t.text("operation-title")),
        state,
        facts,
        may: words::may(&member, Action::ManageOperationGate, own),
        rows: found.items.into_iter().map(|one| row(&member, one)).collect(),
        pager: listing::pager(t, "/operation", &[], &place.after, found.next.as_deref()),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "operation/policy.html")]
struct PolicyPage {
    t: Locale,
    frame: Frame,
    state: Badge,
    facts: Vec<(String, String)>,
    may: bool,
    rows: Vec<Row>,
    pager: Pager,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    required: String,
    weight: String,
    items: String,
    signed: String,
}

fn form_page(member: &Member, said: &Said) -> form::FormPage {
    let t = member.t;
    let mut weights: Vec<Choice> = (1..=5_u8)
        .rev()
        .map(|weight| {
            let label = t.text("operation-weight-from").arg("weight", weight);
            Choice::new(weight.to_string(), label)
        })
        .collect();
    weights.push(Choice::new("6", t.text("operation-weight-none")));
    let check = |name: &str, key: &str, value: &str| {
        let field = Field::checkbox(t, name, t.text(key).to_string());
        if value == "yes" { field.value("yes") } else { field }
    };
    let fields = vec![
        check("required", "operation-required-field", &said.required)
            .hint(t.text("operation-required-hint")),
        Field::select(t, "weight", t.text("operation-weight"), weights).value(&said.weight),
        Field::area(t, "items", t.text("operation-items"))
            .hint(t.text("operation-items-hint"))
            .value(&said.items)
            .most(ITEMS_MAX)
            .optional(),
        check("signed", "operation-signed-field", &said.signed),
    ];
    let title = t.text("operation-policy-change").to_string();
    form::FormPage::new(member, Section::Operation, title, "/operation/policy", "/operation")
        .crumb("/operation", t.text("operation-title"))
        .lead(t.text("operation-policy-lead"))
        .fields(fields)
}

fn allowed(member: &Member) -> Result<(), Failure> {
    let own = &member.signed().organisation;
    match words::may(member, Action::ManageOperationGate, own) {
        true => Ok(()),
        false => Err(Failure::forbidden()),
    }
}

async fn ask(State(console): State<Console>, member: Member) -> Answer {
    allowed(&member)?;
    let own = &member.signed().organisation;
    let policy = console.service.operation_policy(member.caller(), own).await?;
    let yes = |on: bool| if on { "yes".to_owned() } else { String::new() };
    let said = Said {
        required: yes(policy.required),
        weight: policy.weight.to_string(),
        items: policy.items.join("\n"),
        signed: yes(policy.signed),
    };
    form_page(&member, &said).show(&member)
}

async fn set(State(console): State<Console>, member: Member, Posted(said): Posted<Said>) -> Answer {
    allowed(&member)?;
    let own = &member.signed().organisation;
    let split = |c: char| c.is_whitespace() || c == ',';
    let wanted = OperationPolicy {
        required: said.required == "yes",
        weight: said.weight.parse().map_err(|_| Failure::bad_request())?,
        items: said.items.split(split).filter(|item| !item.is_empty()).map(str::to_owned).collect(),
        signed: said.signed == "yes",
    };
    match console.service.set_operation_policy(member.caller(), own, wanted).await {
        Ok(_) => Ok(member.done("/operation", "operation-policy-set")),
        Err(error) => {
            let places = [("operation-policy", "items"), ("no-second-administrator", "required")];
            form::refused(&member, error, "/operation/policy", &places, || {
                form_page(&member, &said)
            })
        }
    }
}
