//! Gaps, the comparison with an earlier diagnosis, and who changed what.

use super::{Figures, answer_page, head, id, one::GapRow, state};
use crate::{
    Answer, Asked, Console, Frame, Member, Section,
    i18n::Locale,
    pages::{listing, words},
    ui::{Badge, Empty, Field, Icon, Pager, Timeline, Tone},
};
use askama::Template;
use assessment::{Change, Direction};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use service::{DiagnosisView, Page, check_sheet};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/diagnoses/{id}/gaps", get(gaps))
        .route("/diagnoses/{id}/comparison", get(comparison))
        .route("/diagnoses/{id}/history", get(history))
}

/// Diagnoses to compare with that are offered.
const EARLIER: u32 = 50;

async fn gaps(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(place): Asked<listing::Place>,
) -> Answer {
    let t = member.t;
    let view = head::found(&console, &member, &text).await?;
    let all = console.service.diagnosis_gaps(member.caller(), &view.id).await?;
    // By place: the list is made anew each time, and is as long as the check sheet at most.
    let after: usize = place.after.parse().unwrap_or(0).min(all.len());
    let rows = usize::try_from(listing::ROWS).unwrap_or(usize::MAX);
    let end = after.saturating_add(rows);
    let next = (end < all.len()).then(|| end.to_string());
    let here = format!("/diagnoses/{}", view.id);
    let title = format!("{} – {}", t.text("diagnoses-gaps"), head::title(t, &view));
    let shown = all.iter().skip(after).take(rows);
    let page = GapsPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(&member, &view, "gaps"),
        lead: t.text("diagnoses-gaps-lead").arg("count", all.len()).to_string(),
        gaps: shown.filter_map(|gap| GapRow::new(t, gap, &here)).collect(),
        pager: listing::pager(t, &format!("{here}/gaps"), &[], &place.after, next.as_deref()),
        empty: Empty::new(
            Icon::Check,
            t.text("diagnoses-no-gaps"),
            t.text("diagnoses-no-gaps-hint"),
        ),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/gaps.html")]
struct GapsPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    lead: String,
    gaps: Vec<GapRow>,
    pager: Pager,
    empty: Empty,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct With {
    with: String,
}

/// An item that stands differently.
struct Moved {
    href: String,
    item: String,
    criterion: String,
    weight: String,
    before: Badge,
    after: Badge,
    direction: Badge,
}

fn moved(t: Locale, change: &Change, here: &str) -> Option<Moved> {
    let item = check_sheet().ok()?.item(change.item.as_str())?;
    let tone = match change.direction {
        Direction::Better => Tone::Good,
        Direction::Worse => Tone::Bad,
        Direction::Other => Tone::Neutral,
    };
    Some(Moved {
        href: format!("{here}/items/{}", change.item),
        item: change.item.to_string(),
        criterion: item.criterion.of(t.language).to_owned(),
        weight: t.number(change.weight),
        before: state(t, change.before),
        after: state(t, change.after),
        direction: Badge::new(tone, change.direction.title(t.language)),
    })
}

/// A comparison as it is shown.
struct Compared {
    href: String,
    name: String,
    before: Figures,
    after: Figures,
    rows: Vec<Moved>,
}

async fn comparison(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(with): Asked<With>,
) -> Answer {
    let t = member.t;
    let view = head::found(&console, &member, &text).await?;
    let here = format!("/diagnoses/{}", view.id);
    let service = &console.service;
    let part = Page { after: None, limit: EARLIER };
    let others = service
        .diagnoses(member.caller(), &view.organisation, Some(&view.product), &part)
        .await?
        .items;
    let others: Vec<DiagnosisView> = others
        .into_iter()
        .filter(|one| one.id != view.id && one.opened_at <= view.opened_at)
        .collect();
    let wanted = match with.with.as_str() {
        "" => None,
        with => Some(id(with)?),
    };
    let asked = service.compare_diagnoses(member.caller(), &view.id, wanted.as_ref()).await;
    let found = match asked {
        Ok(found) => Some(found),
        Err(error) if error.code() == "no-earlier-diagnosis" => None,
        Err(error) => return Err(error.into()),
    };
    let compared = match found {
        None => None,
        Some(found) => {
            let before = service.diagnosis(member.caller(), &found.before).await?;
            Some(Compared {
                href: format!("/diagnoses/{}", before.id),
                name: before.subject,
                before: Figures::new(&found.before_total),
                after: Figures::new(&found.after_total),
                rows: found.changes.iter().filter_map(|one| moved(t, one, &here)).collect(),
            })
        }
    };
    let values = others.iter().map(|one| {
        let state = t.word("diagnosis-state", one.state.name());
        (one.id.to_string(), format!("{} ({state})", one.subject))
    });
    let choices = words::choices(t.text("diagnoses-with-last"), values);
    let title = format!("{} – {}", t.text("diagnoses-comparison"), head::title(t, &view));
    let page = ComparisonPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(&member, &view, "comparison"),
        field: (!others.is_empty())
            .then(|| Field::select(t, "with", t.text("diagnoses-with"), choices).value(&with.with)),
        here: format!("{here}/comparison"),
        compared,
        empty: Empty::new(
            Icon::Diagnosis,
            t.text("diagnoses-no-earlier"),
            t.text("diagnoses-no-earlier-hint"),
        ),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/comparison.html")]
struct ComparisonPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    here: String,
    field: Option<Field>,
    compared: Option<Compared>,
    empty: Empty,
}

async fn history(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(place): Asked<listing::Place>,
) -> Answer {
    let t = member.t;
    let view = head::found(&console, &member, &text).await?;
    let page = listing::page(&place.after);
    let found = console.service.diagnosis_history(member.caller(), &view.id, None, &page).await?;
    let here = format!("/diagnoses/{}", view.id);
    let library = check_sheet()?;
    let entries = found.items.iter().map(|change| {
        let mut line = answer_page::line(t, change);
        line.title = format!("{}: {}", change.topic, line.title);
        let is_item = library.item(&change.topic).is_some();
        line.href = is_item.then(|| format!("{here}/items/{}", change.topic));
        line
    });
    let title = format!("{} – {}", t.text("diagnoses-history"), head::title(t, &view));
    let page = HistoryPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(&member, &view, "history"),
        is_empty: found.items.is_empty(),
        changes: Timeline::new(entries.collect()),
        pager: listing::pager(
            t,
            &format!("{here}/history"),
            &[],
            &place.after,
            found.next.as_deref(),
        ),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/history.html")]
struct HistoryPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    is_empty: bool,
    changes: Timeline,
    pager: Pager,
}
