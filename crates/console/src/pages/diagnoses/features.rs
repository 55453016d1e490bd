//! What the product does not have: each feature with a reason, which answers all that depends on it.

use super::{answer_page::feature_title, head};
use crate::{
    Answer, Console, Failure, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    ui::{Choice, Field, Message, Tone},
};
use askama::Template;
use assessment::Entry;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use http::StatusCode;
use serde::Deserialize;
use service::{DiagnosisView, ErrorKind, check_sheet};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/diagnoses/{id}/features", get(show).post(change))
}

/// Characters of a reason.
const REASON_MAX: u32 = 1_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    feature: String,
    reason: String,
    /// taken back at this version
    back: Option<u64>,
}

struct Row {
    feature: String,
    title: String,
    /// why it is absent
    reason: Option<String>,
    by: Option<(String, Moment)>,
    version: u64,
    /// items that depend on it
    items: usize,
}

async fn rows(
    console: &Console,
    member: &Member,
    view: &DiagnosisView,
) -> Result<Vec<Row>, Failure> {
    let t = member.t;
    let library = check_sheet()?;
    let mut rows = Vec::new();
    for found in console.service.diagnosed_features(member.caller(), &view.id).await? {
        let feature = found.topic.to_string();
        let depends = library
            .items()
            .iter()
            .filter(|item| item.when.iter().any(|one| one.as_str() == feature));
        rows.push(Row {
            title: feature_title(t, &feature),
            items: depends.count(),
            reason: match found.entry {
                Some(Entry::Absent(why)) => Some(why),
                _ => None,
            },
            by: found.changed_by.zip(found.changed_at.map(|at| t.time(at))),
            version: found.version,
            feature,
        });
    }
    Ok(rows)
}

async fn show(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let view = head::found(&console, &member, &text).await?;
    page(&console, &member, view, Said::default(), None).await
}

async fn change(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(said): Posted<Said>,
) -> Answer {
    let view = head::found(&console, &member, &text).await?;
    let here = format!("/diagnoses/{}/features", view.id);
    if check_sheet()?.feature(&said.feature).is_none() {
        return Err(Failure::bad_request());
    }
    let service = &console.service;
    let (version, entry) = match said.back {
        Some(version) => (version, None),
        None => {
            let found = service.diagnosed(member.caller(), &view.id, &said.feature).await?;
            (found.version, Some(Entry::Absent(said.reason.trim().to_owned())))
        }
    };
    let done =
        service.answer_diagnosis(member.caller(), &view.id, &said.feature, version, entry).await;
    match done {
        Ok(_) => Ok(member.done(&here, "answer-saved")),
        Err(error) => {
            let about = matches!(
                error.kind(),
                ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict
            );
            if !about {
                return crate::pages::sensitive::answer(&member, error, &here);
            }
            let text = crate::failure::said(member.t.language, error.problem());
            page(&console, &member, view, said, Some(text)).await
        }
    }
}

async fn page(
    console: &Console,
    member: &Member,
    view: DiagnosisView,
    said: Said,
    wrong: Option<String>,
) -> Result<Response, Failure> {
    let t = member.t;
    let all = rows(console, member, &view).await?;
    let may = head::can_answer(member, &view);
    let here = format!("/diagnoses/{}/features", view.id);
    let title = format!("{} – {}", t.text("diagnoses-features"), head::title(t, &view));
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let choices = all
        .iter()
        .filter(|row| row.reason.is_none())
        .map(|row| Choice::new(&row.feature, &row.title))
        .collect();
    let fields = vec![
        Field::select(t, "feature", t.text("diagnoses-feature"), choices)
            .value(&said.feature)
            .required(),
        Field::text(t, "reason", t.text("diagnoses-feature-why"))
            .hint(t.text("diagnoses-feature-why-hint"))
            .value(&said.reason)
            .most(REASON_MAX)
            .required(),
    ];
    let page = FeaturesPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(member, &view, "features"),
        here,
        rows: all,
        may,
        fields,
        wrong: wrong.map(|text| {
            Message::new(Tone::Bad, text).title(t.text("forms-nothing-saved").to_string())
        }),
    };
    Ok(member.page_with(status, &page))
}

#[derive(Template)]
#[template(path = "diagnoses/features.html")]
struct FeaturesPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    here: String,
    rows: Vec<Row>,
    may: bool,
    fields: Vec<Field>,
    wrong: Option<Message>,
}
