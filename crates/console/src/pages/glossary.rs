//! The glossary: an index with search, and a page for each term.

use crate::{
    Console, Failure, Frame, Section, Visit,
    glossary::{self, Entry, QUERY_CHARS_MAX},
    i18n::Locale,
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::get,
};
use device::Language;
use serde::Deserialize;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/glossary", get(index)).route("/glossary/{id}", get(one))
}

#[derive(Deserialize)]
struct Wanted {
    q: Option<String>,
    letter: Option<char>,
}

async fn index(visit: Visit, Query(wanted): Query<Wanted>) -> Response {
    let t = visit.t;
    let language = t.language;
    let query: String = wanted.q.unwrap_or_default().trim().chars().take(QUERY_CHARS_MAX).collect();
    let mut headings: Vec<char> = Vec::new();
    for entry in glossary::entries(language) {
        let heading = entry.heading(language);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    headings.sort_unstable();
    let letter = wanted.letter.filter(|letter| headings.contains(letter));
    let found: Vec<&'static Entry> = glossary::search(&query, language)
        .into_iter()
        .filter(|entry| letter.is_none_or(|letter| entry.heading(language) == letter))
        .collect();
    let frame = visit.frame(Section::Glossary, t.text("glossary-title"));
    let letters = headings.iter().map(|heading| (*heading, letter == Some(*heading))).collect();
    let found = found.into_iter().map(|entry| Line::new(t, entry)).collect();
    let all = letter.is_none() && query.is_empty();
    let page = IndexPage { t, frame, query, all, letters, found };
    visit.page(&page)
}

async fn one(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    let entry = glossary::find(&id).ok_or_else(Failure::not_found)?;
    let t = visit.t;
    let see = entry.see.iter().filter_map(|id| glossary::find(id));
    let see = see.map(|entry| Line::new(t, entry)).collect();
    let mut frame = visit.frame(Section::Glossary, t.text("glossary-title"));
    frame.title = entry.term(t.language).to_owned();
    let other = match t.language {
        Language::En => Language::Ja,
        Language::Ja => Language::En,
    };
    let page = EntryPage {
        t,
        frame,
        definition: entry.definition(t.language),
        other: (other.name(), entry.term(other)),
        kana: &entry.kana,
        source: &entry.source,
        see,
    };
    Ok(visit.page(&page))
}

#[derive(Template)]
#[template(path = "glossary/index.html")]
struct IndexPage {
    t: Locale,
    frame: Frame,
    query: String,
    all: bool,
    letters: Vec<(char, bool)>,
    found: Vec<Line>,
}

/// A term in the language of the page.
struct Line {
    id: &'static str,
    term: &'static str,
    definition: &'static str,
}

impl Line {
    fn new(t: Locale, entry: &'static Entry) -> Self {
        Self {
            id: &entry.id,
            term: entry.term(t.language),
            definition: entry.definition(t.language),
        }
    }
}

#[derive(Template)]
#[template(path = "glossary/entry.html")]
struct EntryPage {
    t: Locale,
    frame: Frame,
    definition: &'static str,
    other: (&'static str, &'static str),
    kana: &'static str,
    source: &'static str,
    see: Vec<Line>,
}
