//! The clauses of a catalogue as a diagnosis covers them, with what each state rests on.

use super::head;
use crate::{
    Answer, Console, Failure, Frame, Member, Section,
    i18n::Locale,
    ui::{Badge, Message, Tone},
};
use askama::Template;
use assessment::{Basis, ClauseCoverage, ClauseState};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use service::check_sheet;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/diagnoses/{id}/clauses/{catalogue}", get(list))
}

/// What a state rests on: words, and where more about it stands.
struct Rest {
    href: Option<String>,
    name: String,
    words: String,
}

struct Row {
    id: String,
    title: String,
    state: Badge,
    basis: Vec<Rest>,
}

fn badge(t: Locale, state: ClauseState) -> Badge {
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

fn rest(t: Locale, here: &str, basis: &Basis) -> Rest {
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
            href: Some(format!("{here}/clauses/{}", record.source())),
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

async fn list(
    State(console): State<Console>,
    member: Member,
    Path((of, catalogue)): Path<(String, String)>,
) -> Answer {
    let t = member.t;
    let view = head::found(&console, &member, &of).await?;
    let library = check_sheet()?;
    let known = library.catalogue(&catalogue).ok_or_else(Failure::not_found)?;
    let found = console.service.diagnosis_coverage(member.caller(), &view.id, &catalogue).await?;
    let here = format!("/diagnoses/{}", view.id);
    let source = &known.source;
    let title = source.title.of(t.language).to_owned();
    let row = |one: &ClauseCoverage| Row {
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
        head: head::Head::new(&member, &view, "")
            .below(&here, view.subject.clone())
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
        rows: found.iter().map(row).collect(),
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
    title: String,
    facts: Vec<(String, String)>,
    note: Option<Message>,
    rows: Vec<Row>,
}
