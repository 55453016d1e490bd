//! Items of the check sheet as they stand in a diagnosis, by layer, phase, state and words.

use super::{head, state};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    pages::{listing, words},
    ui::{Badge, Empty, Field, Icon, Pager},
};
use askama::Template;
use assessment::{Entry, Layer, Phase, State};
use axum::{
    Router,
    extract::{Path, State as Shared},
    routing::get,
};
use serde::Deserialize;
use service::{ItemQuery, ItemView, check_sheet};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/diagnoses/{id}/items", get(list))
}

/// The filters, as they stand in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    layer: String,
    phase: String,
    state: String,
    text: String,
    owner: String,
    after: String,
}

fn word<T>(text: &str, read: fn(&str) -> Option<T>) -> Result<Option<T>, Failure> {
    match text {
        "" => Ok(None),
        text => read(text).map(Some).ok_or_else(Failure::bad_request),
    }
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl Filters {
    fn query(&self) -> Result<ItemQuery, Failure> {
        Ok(ItemQuery {
            layer: word(&self.layer, Layer::of_word)?,
            phase: word(&self.phase, Phase::of_word)?,
            state: word(&self.state, State::of_word)?,
            owner: filled(&self.owner),
            text: filled(&self.text),
        })
    }

    fn pairs(&self) -> [(&str, &str); 5] {
        [
            ("layer", &self.layer),
            ("phase", &self.phase),
            ("state", &self.state),
            ("text", &self.text),
            ("owner", &self.owner),
        ]
    }

    fn fields(&self, t: Locale) -> Vec<Field> {
        fn all<T: Copy>(
            values: &[T],
            word: fn(T) -> &'static str,
            title: impl Fn(T) -> &'static str,
        ) -> Vec<(String, String)> {
            values.iter().map(|one| (word(*one).to_owned(), title(*one).to_owned())).collect()
        }
        let language = t.language;
        let choice = |name: &'static str, key: &'static str, values, chosen: &str| {
            let choices = words::choices(t.text("words-all"), values);
            Field::select(t, name, t.text(key), choices).value(chosen)
        };
        let layers = all(Layer::ALL, Layer::word, |one| one.title(language));
        let phases = all(Phase::ALL, Phase::word, |one| one.title(language));
        let states = all(State::ALL, State::word, |one| one.title(language));
        vec![
            choice("layer", "diagnoses-layer", layers, &self.layer),
            choice("phase", "diagnoses-phase", phases, &self.phase),
            choice("state", "diagnoses-state", states, &self.state),
            Field::search(t, "text", t.text("diagnoses-text")).value(&self.text).most(200),
            Field::search(t, "owner", t.text("diagnoses-owner")).value(&self.owner).most(200),
        ]
    }
}

async fn list(
    Shared(console): Shared<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let t = member.t;
    let view = head::found(&console, &member, &text).await?;
    let page = listing::page(&filters.after);
    let query = filters.query()?;
    let found = console.service.diagnosed_items(member.caller(), &view.id, &query, &page).await?;
    let here = format!("/diagnoses/{}/items", view.id);
    let title = format!("{} – {}", t.text("diagnoses-items"), head::title(t, &view));
    let page = ListPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(&member, &view, "items"),
        fields: filters.fields(t),
        rows: found.items.iter().filter_map(|one| Row::new(t, one, &here)).collect(),
        pager: listing::pager(t, &here, &filters.pairs(), &filters.after, found.next.as_deref()),
        empty: Empty::new(
            Icon::Search,
            t.text("diagnoses-no-items"),
            t.text("diagnoses-no-items-hint"),
        ),
        here,
    };
    Ok(member.page(&page))
}

struct Row {
    href: String,
    item: String,
    criterion: String,
    layer: &'static str,
    phase: &'static str,
    weight: String,
    state: Badge,
    owner: String,
    due: Option<Moment>,
    live: bool,
}

impl Row {
    fn new(t: Locale, one: &ItemView, here: &str) -> Option<Self> {
        let id = one.answer.topic.to_string();
        let item = check_sheet().ok()?.item(&id)?;
        let answer = match &one.answer.entry {
            Some(Entry::Answer(answer)) => Some(answer),
            _ => None,
        };
        Some(Self {
            href: format!("{here}/{id}"),
            item: id,
            criterion: item.criterion.of(t.language).to_owned(),
            layer: item.layer.title(t.language),
            phase: item.phase.title(t.language),
            weight: t.number(item.weight),
            state: state(t, one.state),
            owner: answer.and_then(|one| one.owner.clone()).unwrap_or_default(),
            due: answer.and_then(|one| one.due).map(|due| super::day(t, due)),
            live: !one.checks.is_empty(),
        })
    }
}

#[derive(Template)]
#[template(path = "diagnoses/items.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    here: String,
    fields: Vec<Field>,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
}
