//! The catalogues of a diagnosis, and the clauses of one: where each stands, what that rests on.

use super::{answer::clause_page, head};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::Locale,
    pages::words,
    ui::{Badge, Field, Message, Tone},
};
use askama::Template;
use assessment::{Basis, ClauseCoverage, ClauseState};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use service::{CatalogueFigures, check_sheet};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/diagnoses/{id}/clauses", get(catalogues))
        .route("/diagnoses/{id}/clauses/{catalogue}", get(list))
}

/// What a state rests on: words, and where more about it stands.
pub(super) struct Rest {
    pub(super) href: Option<String>,
    pub(super) name: String,
    pub(super) words: String,
}

struct Row {
    href: String,
    id: String,
    title: String,
    state: Badge,
    basis: Vec<Rest>,
}

pub(super) fn badge(t: Locale, state: ClauseState) -> Badge {
    let tone = match state {
        ClauseState::Met => Tone::Good,
        ClauseState::Claimed => Tone::Info,
        ClauseState::Partly => Tone::Warn,
        ClauseState::NotMet => Tone::Bad,
        ClauseState::Open => Tone::Busy,
        ClauseState::Untouched | ClauseState::NotApplicable => Tone::Neutral,
    };
    Badge::new(tone, state.title(t.language))
}

pub(super) fn rest(t: Locale, here: &str, basis: &Basis) -> Rest {
    match basis {
        Basis::Answer(state) => Rest {
            href: None,
            name: t.text("diagnoses-basis-answer").to_string(),
            words: state.title(t.language).to_owned(),
        },
        Basis::Item(item, relation, state) => Rest {
            href: Some(format!("{here}/items/{item}")),
            name: item.to_string(),
            words: format!("{}, {}", relation.title(t.language), state.title(t.language)),
        },
        Basis::Record(record, relation, state) => Rest {
            href: Some(clause_page(here, record)),
            name: record.to_string(),
            words: format!("{}, {}", relation.title(t.language), state.title(t.language)),
        },
        Basis::Absent(why) => Rest {
            href: Some(format!("{here}/features")),
            name: t.text("diagnoses-features").to_string(),
            words: why.clone(),
        },
    }
}

/// The filter of what somebody has to do something about.
const TO_DO: &str = "to-do";

/// Whether a clause wants an answer, evidence or work.
fn to_do(state: ClauseState) -> bool {
    !matches!(state, ClauseState::Met | ClauseState::NotApplicable)
}

/// The filters, as they stand in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    state: String,
    text: String,
}

impl Filters {
    fn fields(&self, t: Locale) -> Vec<Field> {
        let states = ClauseState::ALL
            .iter()
            .map(|one| (one.word().to_owned(), one.title(t.language).to_owned()));
        let to_do = (TO_DO.to_owned(), t.text("diagnoses-to-do").to_string());
        let states = words::choices(
            t.text("words-all"),
            [to_do].into_iter().chain(states).collect::<Vec<_>>(),
        );
        vec![
            Field::select(t, "state", t.text("diagnoses-state"), states).value(&self.state),
            Field::search(t, "text", t.text("diagnoses-text")).value(&self.text).most(200),
        ]
    }
}

/// A catalogue, counted.
struct CatalogueRow {
    href: String,
    title: String,
    edition: String,
    met: usize,
    claimed: usize,
    open: usize,
    all: usize,
}

async fn catalogues(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<String>,
) -> Answer {
    let t = member.t;
    let view = head::found(&console, &member, &of).await?;
    let library = check_sheet()?;
    let figures = console.service.diagnosis_figures(member.caller(), &view.id).await?;
    let here = format!("/diagnoses/{}/clauses", view.id);
    let row = |one: &CatalogueFigures| {
        let source = &library.catalogue(one.source.as_str())?.source;
        let count = |wanted: &dyn Fn(ClauseState) -> bool| -> usize {
            one.clauses.iter().filter(|(state, _)| wanted(*state)).map(|(_, count)| count).sum()
        };
        Some(CatalogueRow {
            href: format!("{here}/{}", one.source),
            title: source.title.of(t.language).to_owned(),
            edition: source.edition.clone(),
            met: count(&|state| state == ClauseState::Met),
            claimed: count(&|state| state == ClauseState::Claimed),
            open: count(&to_do),
            all: count(&|state| state != ClauseState::NotApplicable),
        })
    };
    let title = format!("{} – {}", t.text("diagnoses-clauses"), head::title(t, &view));
    let page = CataloguesPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(&member, &view, "clauses"),
        rows: figures.catalogues.iter().filter_map(row).collect(),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/catalogues.html")]
struct CataloguesPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    rows: Vec<CatalogueRow>,
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Path((of, catalogue)): Path<(String, String)>,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let t = member.t;
    let wanted = match filters.state.as_str() {
        "" => None,
        TO_DO => Some(ClauseState::ALL.iter().copied().filter(|one| to_do(*one)).collect()),
        word => Some(vec![ClauseState::of_word(word).ok_or_else(Failure::bad_request)?]),
    };
    let words = filters.text.trim().to_lowercase();
    let view = head::found(&console, &member, &of).await?;
    let library = check_sheet()?;
    let known = library.catalogue(&catalogue).ok_or_else(Failure::not_found)?;
    let found = console.service.diagnosis_coverage(member.caller(), &view.id, &catalogue).await?;
    let here = format!("/diagnoses/{}", view.id);
    let source = &known.source;
    let title = source.title.of(t.language).to_owned();
    let row = |one: &ClauseCoverage| Row {
        href: clause_page(&here, &one.record),
        id: one.record.id().to_owned(),
        title: library
            .record(&one.record)
            .map(|record| record.title.of(t.language).to_owned())
            .unwrap_or_default(),
        state: badge(t, one.state),
        basis: one.basis.iter().map(|basis| rest(t, &here, basis)).collect(),
    };
    let checked = known.records.iter().filter(|record| record.checked.is_some()).count();
    let frame_title = format!("{title} – {}", head::title(t, &view));
    let page = ListPage {
        t,
        frame: member.frame(Section::Diagnoses, frame_title),
        head: head::Head::new(&member, &view, "clauses")
            .below(&here, view.subject.clone())
            .below(format!("{here}/clauses"), t.text("diagnoses-clauses").to_string())
            .titled(&title, Vec::new()),
        facts: vec![
            (t.text("diagnoses-publisher").to_string(), source.publisher.clone()),
            (t.text("diagnoses-edition").to_string(), source.edition.clone()),
        ],
        note: (checked < known.records.len()).then(|| {
            let text = t
                .text("diagnoses-unchecked")
                .arg("checked", checked)
                .arg("records", known.records.len());
            Message::new(Tone::Info, text)
        }),
        rows: found
            .iter()
            .filter(|one| wanted.as_ref().is_none_or(|some: &Vec<_>| some.contains(&one.state)))
            .map(row)
            .filter(|one| {
                words.is_empty()
                    || one.id.to_lowercase().contains(&words)
                    || one.title.to_lowercase().contains(&words)
            })
            .collect(),
        fields: filters.fields(t),
        here: format!("{here}/clauses/{catalogue}"),
        title,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/clauses.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    here: String,
    title: String,
    fields: Vec<Field>,
    facts: Vec<(String, String)>,
    note: Option<Message>,
    rows: Vec<Row>,
}
