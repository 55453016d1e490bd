//! Diagnoses of product lines by the check sheet: how far each is, what is open, who stands for it.

mod act;
mod answer;
mod answer_page;
mod clauses;
mod evidence;
mod features;
mod files;
mod head;
mod items;
mod one;
mod records;
mod report;
mod report_pdf;
mod report_trace;

pub use report::{Audience, DIAGNOSIS_REPORT_POLICY, diagnosis_report};
pub use report_pdf::{PdfFailure, diagnosis_report_pdf};

use super::{listing, words};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Button, ButtonKind, Empty, Icon, Pager, Tone},
};
use askama::Template;
use assessment::{CheckVerdict, Day, Score, State};
use axum::{
    Router,
    extract::{Path, State as Shared},
    routing::get,
};
use crypto::UnixTime;
use device::{OrganisationId, ProductId};
use policy::Action;
use service::{DiagnosisId, DiagnosisState, DiagnosisView, OperationState};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/diagnoses", get(list))
        .route("/products/{maker}/{id}/diagnoses", get(of_product))
        .merge(act::router())
        .merge(answer::router())
        .merge(clauses::router())
        .merge(evidence::router())
        .merge(features::router())
        .merge(files::router())
        .merge(items::router())
        .merge(one::router())
        .merge(records::router())
        .merge(report::router())
}

fn id(text: &str) -> Result<DiagnosisId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

/// Maker and product line of an address.
pub(super) fn product_of(maker: &str, id: &str) -> Result<(OrganisationId, ProductId), Failure> {
    let maker = OrganisationId::new(maker).map_err(|_| Failure::not_found())?;
    let id = ProductId::new(id).map_err(|_| Failure::not_found())?;
    Ok((maker, id))
}

/// Where an item or a clause stands.
pub(super) fn state(t: Locale, state: State) -> Badge {
    Badge::new(tone(state), state.title(t.language))
}

fn tone(state: State) -> Tone {
    match state {
        State::Met => Tone::Good,
        State::Claimed => Tone::Info,
        State::Expired | State::Partly => Tone::Warn,
        State::NotMet => Tone::Bad,
        State::Open => Tone::Busy,
        State::NotApplicable => Tone::Neutral,
    }
}

fn verdict(t: Locale, verdict: CheckVerdict) -> Badge {
    let tone = match verdict {
        CheckVerdict::Pass => Tone::Good,
        CheckVerdict::Fail => Tone::Bad,
        CheckVerdict::Inconclusive => Tone::Neutral,
    };
    Badge::new(tone, verdict.title(t.language))
}

/// Whether a diagnosis can be answered, or two people stand for it.
fn signed(t: Locale, view: &DiagnosisView) -> Badge {
    match view.state {
        DiagnosisState::Signed => Badge::new(Tone::Good, t.word("diagnosis-state", "signed")),
        DiagnosisState::Open if !view.sheet_current => {
            Badge::new(Tone::Warn, t.text("diagnoses-sheet-old"))
        }
        DiagnosisState::Open => Badge::new(Tone::Busy, t.word("diagnosis-state", "open")),
    }
}

pub(super) fn operation(t: Locale, state: OperationState) -> Badge {
    let tone = match state {
        OperationState::Free => Tone::Neutral,
        OperationState::Prototype => Tone::Busy,
        OperationState::Operating => Tone::Good,
        OperationState::Overruled => Tone::Held,
    };
    Badge::new(tone, t.word("operation-state", state.name()))
}

/// A share as it is written; "–" of nothing.
fn percent(share: Option<u32>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{share}%"))
}

/// A calendar day as it is written, in no zone.
fn day(t: Locale, day: Day) -> Moment {
    let midnight = crate::i18n::Zone::UTC.midnight(&day.to_string()).unwrap_or(UnixTime(0));
    Locale { zone: crate::i18n::Zone::UTC, ..t }.date(midnight)
}

/// The three figures of a score, which are never one.
struct Figures {
    fulfilled: String,
    claimed: String,
    answered: String,
}

impl Figures {
    fn new(score: &Score) -> Self {
        Self {
            fulfilled: percent(score.fulfilled_percent()),
            claimed: percent(score.claimed_percent()),
            answered: percent(score.answered_percent()),
        }
    }
}

/// A product line and its newest diagnosis.
struct Row {
    product: String,
    product_href: String,
    model: String,
    newest: Option<Newest>,
    open_href: Option<String>,
    operation: Badge,
    operation_href: String,
    until: Option<Moment>,
}

struct Newest {
    href: String,
    subject: String,
    state: Badge,
    figures: Figures,
    changed: Moment,
}

impl Newest {
    fn new(t: Locale, view: &DiagnosisView, now: UnixTime) -> Self {
        Self {
            href: format!("/diagnoses/{}", view.id),
            subject: view.subject.clone(),
            state: signed(t, view),
            figures: Figures::new(&view.total),
            changed: t.ago(view.changed_at, now),
        }
    }
}

async fn list(
    Shared(console): Shared<Console>,
    member: Member,
    Asked(place): Asked<listing::Place>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let page = listing::page(&place.after);
    let found = console.service.diagnosed_products(member.caller(), own, &page).await?;
    let may = words::may(&member, Action::AnswerDiagnosis, own);
    let rows = found
        .items
        .into_iter()
        .map(|one| {
            let here = format!("{}/{}", one.product.organisation, one.product.id);
            let open = listing::address("/diagnoses/new", &[("product", one.product.id.as_str())]);
            Row {
                product: one.product.name,
                product_href: format!("/products/{here}/diagnoses"),
                model: one.product.model,
                newest: one.newest.as_ref().map(|view| Newest::new(t, view, member.now)),
                open_href: may.then_some(open),
                operation: operation(t, one.operation),
                operation_href: format!("/operation/{here}"),
                until: one.until.map(|until| t.date(until)),
            }
        })
        .collect::<Vec<_>>();
    let mut empty =
        Empty::new(Icon::Diagnosis, t.text("diagnoses-empty"), t.text("diagnoses-empty-hint"));
    if words::may(&member, Action::CreateProduct, own) {
        let create = Button::new(ButtonKind::Primary, t.text("products-new"));
        empty = empty.action(create.link("/products/new"));
    }
    let page = ListPage {
        t,
        frame: member.frame(Section::Diagnoses, t.text("diagnoses-title")),
        pager: listing::pager(t, "/diagnoses", &[], &place.after, found.next.as_deref()),
        rows,
        empty,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
}

async fn of_product(
    Shared(console): Shared<Console>,
    member: Member,
    Path((maker, id)): Path<(String, String)>,
    Asked(place): Asked<listing::Place>,
) -> Answer {
    let t = member.t;
    let (maker, id) = product_of(&maker, &id)?;
    let product = console.service.product(member.caller(), &maker, &id).await?;
    let page = listing::page(&place.after);
    let found = console.service.diagnoses(member.caller(), &maker, Some(&id), &page).await?;
    let here = format!("/products/{maker}/{id}/diagnoses");
    let open = words::may(&member, Action::AnswerDiagnosis, &maker)
        .then(|| listing::address("/diagnoses/new", &[("product", id.as_str())]));
    let mut empty =
        Empty::new(Icon::Diagnosis, t.text("diagnoses-none"), t.text("diagnoses-none-hint"));
    if let Some(open) = &open {
        empty = empty.action(Button::new(ButtonKind::Primary, t.text("diagnoses-new")).link(open));
    }
    let page = ProductPage {
        t,
        frame: member
            .frame(Section::Products, t.text("diagnoses-of").arg("product", &product.name)),
        tabs: super::products::tabs(t, &maker, &id, "diagnoses"),
        rows: found.items.iter().map(|view| Newest::new(t, view, member.now)).collect(),
        pager: listing::pager(t, &here, &[], &place.after, found.next.as_deref()),
        name: product.name,
        open,
        empty,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/product.html")]
struct ProductPage {
    t: Locale,
    frame: Frame,
    tabs: crate::ui::Tabs,
    name: String,
    rows: Vec<Newest>,
    pager: Pager,
    open: Option<String>,
    empty: Empty,
}
