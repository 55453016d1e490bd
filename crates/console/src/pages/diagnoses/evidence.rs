//! What collectors found on the running platform and in documents of the build.

use super::{head, one::LiveRow};
use crate::{
    Answer, Asked, Console, Fields, Frame, Member, Section,
    i18n::Locale,
    pages::{listing, sensitive, words},
    ui::{Command, Id, Pager},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use policy::Action;
use service::{EvidenceView, check_sheet};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/diagnoses/{id}/evidence", get(list))
        .route("/diagnoses/{id}/evidence/collect", post(collect))
}

/// Evidence with all that is known of it.
struct Row {
    shown: LiveRow,
    digest: Id,
    figures: Vec<(String, String)>,
    items: Vec<(String, String)>,
    replaced: bool,
}

fn row(t: Locale, one: &EvidenceView, here: &str) -> Row {
    let items = one.collector.items().iter();
    Row {
        shown: LiveRow::new(t, one),
        digest: Id::short(t, &one.digest),
        figures: one.figures.clone(),
        items: items
            .filter(|(item, _)| check_sheet().is_ok_and(|library| library.item(item).is_some()))
            .map(|(item, _)| (format!("{here}/items/{item}"), (*item).to_owned()))
            .collect(),
        replaced: one.replaced_at.is_some(),
    }
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(place): Asked<listing::Place>,
) -> Answer {
    let t = member.t;
    let view = head::found(&console, &member, &text).await?;
    let (of, product) = (&view.organisation, &view.product);
    let service = &console.service;
    let current = service.evidence(member.caller(), of, product).await?;
    let page = listing::page(&place.after);
    let all = service.evidence_history(member.caller(), of, product, &page).await?;
    let here = format!("/diagnoses/{}", view.id);
    let may = words::may(&member, Action::AddEvidence, of);
    let title = format!("{} – {}", t.text("diagnoses-live"), head::title(t, &view));
    let address = format!("{here}/evidence");
    let page = ListPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(&member, &view, "evidence"),
        rows: current.iter().map(|one| row(t, one, &here)).collect(),
        before: all
            .items
            .iter()
            .filter(|one| one.replaced_at.is_some())
            .map(|one| row(t, one, &here))
            .collect(),
        pager: listing::pager(t, &address, &[], &place.after, all.next.as_deref()),
        collect: may.then(|| format!("{here}/evidence/collect")),
        commands: may.then(|| {
            Command::new(
                t,
                format!(
                    "tegata operation add {of} {product} tests junit.xml --subject '{}'",
                    view.subject.replace('\'', "")
                ),
            )
        }),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/evidence.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    rows: Vec<Row>,
    before: Vec<Row>,
    pager: Pager,
    collect: Option<String>,
    commands: Option<Command>,
}

async fn collect(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let view = head::found(&console, &member, &text).await?;
    let back = format!("/diagnoses/{}/evidence", view.id);
    let (of, product) = (&view.organisation, &view.product);
    match console.service.collect_evidence(member.caller(), of, product).await {
        Ok(_) => Ok(member.done(&back, "evidence-collected")),
        Err(error) => sensitive::answer(&member, error, &back),
    }
}
