//! What product lines need before operation, and where each stands: open items, entering, exceptions.

mod act;
mod policy;

use super::{
    diagnoses::{operation, product_of, state},
    words,
};
use crate::{
    Answer, Console, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Button, ButtonKind},
};
use ::policy::Action;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State as Shared},
    routing::get,
};
use device::{OrganisationId, ProductId};
use service::{OperationState, OperationView, check_sheet};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/operation/{maker}/{product}", get(one))
        .merge(act::router())
        .merge(policy::router())
}

/// Where a product line's gate is.
fn address(maker: &OrganisationId, product: &ProductId) -> String {
    format!("/operation/{maker}/{product}")
}

/// A required item that is not verified.
struct Row {
    href: Option<String>,
    item: String,
    criterion: String,
    weight: String,
    state: Badge,
}

fn rows(t: Locale, view: &OperationView) -> Vec<Row> {
    let Ok(library) = check_sheet() else { return Vec::new() };
    let row = |(id, at): &(String, assessment::State)| {
        let item = library.item(id)?;
        Some(Row {
            href: view.diagnosis.map(|of| format!("/diagnoses/{of}/items/{id}")),
            item: id.clone(),
            criterion: item.criterion.of(t.language).to_owned(),
            weight: t.number(item.weight),
            state: state(t, *at),
        })
    };
    view.open.iter().filter_map(row).collect()
}

fn buttons(
    member: &Member,
    view: &OperationView,
    maker: &OrganisationId,
    here: &str,
) -> Vec<Button> {
    let t = member.t;
    let may = |action| words::may(member, action, maker);
    let mut buttons = Vec::new();
    let enters = match view.state {
        OperationState::Prototype | OperationState::Overruled => true,
        OperationState::Free | OperationState::Operating => false,
    };
    if enters && view.open.is_empty() && may(Action::EnterOperation) {
        buttons.push(
            Button::new(ButtonKind::Primary, t.text("operation-enter"))
                .link(format!("{here}/enter")),
        );
    }
    if enters && !view.open.is_empty() && may(Action::OverruleOperation) {
        buttons.push(
            Button::new(ButtonKind::Grave, t.text("operation-overrule"))
                .link(format!("{here}/overrule")),
        );
    }
    let inside = matches!(view.state, OperationState::Operating | OperationState::Overruled);
    if inside && may(Action::EnterOperation) {
        buttons.push(
            Button::new(ButtonKind::Grave, t.text("operation-leave")).link(format!("{here}/leave")),
        );
    }
    buttons
}

async fn one(
    Shared(console): Shared<Console>,
    member: Member,
    Path((maker, product)): Path<(String, String)>,
) -> Answer {
    let t = member.t;
    let (maker, product) = product_of(&maker, &product)?;
    let known = console.service.product(member.caller(), &maker, &product).await?;
    let view = console.service.operation(member.caller(), &maker, &product).await?;
    let here = address(&maker, &product);
    let mut facts: Vec<(String, String, Option<Moment>)> = Vec::new();
    let mut add = |key: &'static str, value: Option<&String>, at: Option<Moment>| {
        if value.is_some() || at.is_some() {
            facts.push((t.text(key).to_string(), value.cloned().unwrap_or_default(), at));
        }
    };
    add("operation-since", view.by.as_ref(), view.since.map(|at| t.time(at)));
    add("operation-until", None, view.until.map(|at| t.time(at)));
    add("operation-reason", view.reason.as_ref(), None);
    add("operation-approved", view.approved_by.as_ref(), None);
    let overruled = (!view.overruled.is_empty()).then(|| view.overruled.join(", "));
    add("operation-overruled", overruled.as_ref(), None);
    let lead = t.text("operation-open-lead").arg("open", view.open.len()).arg("all", view.required);
    let page = OnePage {
        t,
        frame: member.frame(Section::Products, t.text("operation-of").arg("product", &known.name)),
        tabs: super::products::tabs(t, &maker, &product, "operation"),
        name: known.name,
        state: operation(t, view.state),
        means: t.word("operation-means", view.state.name()).to_string(),
        buttons: buttons(&member, &view, &maker, &here),
        rows: rows(t, &view),
        diagnosis: view.diagnosis.map(|of| format!("/diagnoses/{of}")),
        lead: lead.to_string(),
        facts,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "operation/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    tabs: crate::ui::Tabs,
    name: String,
    state: Badge,
    means: String,
    buttons: Vec<Button>,
    facts: Vec<(String, String, Option<Moment>)>,
    diagnosis: Option<String>,
    lead: String,
    rows: Vec<Row>,
}
