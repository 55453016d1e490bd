//! One item or clause: what is asked, what was answered, what supports it, and changing it.

use super::{answer_page::page, head};
use crate::{
    Answer as Page, Console, Failure, Member, Posted, failure,
    pages::{listing, sensitive},
};
use assessment::{Answer, Day, Entry, Evidence, Item, Outcome, Record, RecordRef};
use axum::{
    Router,
    extract::{Path, State as Shared},
    routing::{get, post},
};
use crypto::Sha256;
use serde::Deserialize;
use service::{DiagnosisView, ErrorKind, ServiceError, check_sheet};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/diagnoses/{id}/items/{item}", get(show).post(save))
        .route("/diagnoses/{id}/items/{item}/evidence", post(add))
        .route("/diagnoses/{id}/items/{item}/evidence/remove", post(remove))
        .route("/diagnoses/{id}/clauses/{catalogue}/{clause}", get(show_clause).post(save_clause))
        .route("/diagnoses/{id}/clauses/{catalogue}/{clause}/evidence", post(add_clause))
        .route("/diagnoses/{id}/clauses/{catalogue}/{clause}/evidence/remove", post(remove_clause))
}

/// What an answer is about.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    Item(&'static Item),
    Clause(&'static Record),
}

impl Asked {
    /// As the service names it.
    fn topic(self) -> String {
        match self {
            Self::Item(item) => item.id.to_string(),
            Self::Clause(record) => record.reference.to_string(),
        }
    }

    /// Its page.
    fn here(self, view: &DiagnosisView) -> String {
        match self {
            Self::Item(item) => format!("/diagnoses/{}/items/{}", view.id, item.id),
            Self::Clause(record) => {
                clause_page(&format!("/diagnoses/{}", view.id), &record.reference)
            }
        }
    }
}

/// The page of a clause of the diagnosis at `here`.
pub(super) fn clause_page(here: &str, reference: &RecordRef) -> String {
    format!("{here}/clauses/{}/{}", reference.source(), listing::segment(reference.id()))
}

/// The choice of no answer.
pub(super) const NONE: &str = "open";
/// The one that has a reason.
const NOT_APPLICABLE: &str = "not-applicable";

/// The form of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) version: u64,
    pub(super) answer: String,
    pub(super) reason: String,
    pub(super) owner: String,
    pub(super) due: String,
    pub(super) comment: String,
}

/// The form of a piece of evidence.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Piece {
    pub(super) version: u64,
    pub(super) what: String,
    pub(super) sha256: String,
    pub(super) on: String,
    pub(super) until: String,
    /// which one to take away
    pub(super) at: usize,
}

/// What was sent and cannot be taken: why, and what was typed.
#[derive(Default)]
pub(super) struct Refused {
    pub(super) message: Option<String>,
    pub(super) said: Option<Said>,
    pub(super) piece: Option<Piece>,
}

/// The item of an address.
fn item_of(text: &str) -> Result<&'static Item, Failure> {
    check_sheet()?.item(text).ok_or_else(Failure::not_found)
}

/// The clause of an address.
fn clause_of(catalogue: &str, clause: &str) -> Result<&'static Record, Failure> {
    let reference =
        RecordRef::parse(&format!("{catalogue}:{clause}")).ok_or_else(Failure::not_found)?;
    check_sheet()?.record(&reference).ok_or_else(Failure::not_found)
}

type OfItem = Path<(String, String)>;
type OfClause = Path<(String, String, String)>;

async fn show(Shared(console): Shared<Console>, member: Member, Path((of, item)): OfItem) -> Page {
    let view = head::found(&console, &member, &of).await?;
    page(&console, &member, view, Asked::Item(item_of(&item)?), Refused::default()).await
}

async fn show_clause(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, catalogue, clause)): OfClause,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    let asked = Asked::Clause(clause_of(&catalogue, &clause)?);
    page(&console, &member, view, asked, Refused::default()).await
}

async fn save(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, item)): OfItem,
    Posted(said): Posted<Said>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    saved(&console, &member, view, Asked::Item(item_of(&item)?), said).await
}

async fn save_clause(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, catalogue, clause)): OfClause,
    Posted(said): Posted<Said>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    saved(&console, &member, view, Asked::Clause(clause_of(&catalogue, &clause)?), said).await
}

async fn add(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, item)): OfItem,
    Posted(piece): Posted<Piece>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    added(&console, &member, view, Asked::Item(item_of(&item)?), piece).await
}

async fn add_clause(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, catalogue, clause)): OfClause,
    Posted(piece): Posted<Piece>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    added(&console, &member, view, Asked::Clause(clause_of(&catalogue, &clause)?), piece).await
}

async fn remove(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, item)): OfItem,
    Posted(piece): Posted<Piece>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    removed(&console, &member, view, Asked::Item(item_of(&item)?), piece).await
}

async fn remove_clause(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, catalogue, clause)): OfClause,
    Posted(piece): Posted<Piece>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    removed(&console, &member, view, Asked::Clause(clause_of(&catalogue, &clause)?), piece).await
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A day of a form; `Err` for what is none.
fn day_of(text: &str) -> Result<Option<Day>, ()> {
    match filled(text) {
        None => Ok(None),
        Some(text) => Day::parse(&text).map(Some).ok_or(()),
    }
}

/// Whether the form can be filled in better.
fn is_about_the_form(error: &ServiceError) -> bool {
    matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict)
}

/// What a refusal of the form says.
fn why(member: &Member, error: &ServiceError) -> String {
    failure::said(member.t.language, error.problem())
}

async fn saved(
    console: &Console,
    member: &Member,
    view: DiagnosisView,
    asked: Asked,
    said: Said,
) -> Page {
    let t = member.t;
    let (here, topic) = (asked.here(&view), asked.topic());
    let refuse = async |view, message: String, said| {
        let refused = Refused { message: Some(message), said: Some(said), piece: None };
        page(console, member, view, asked, refused).await
    };
    let Ok(due) = day_of(&said.due) else {
        return refuse(view, t.text("diagnoses-day-wrong").to_string(), said).await;
    };
    let present = console.service.diagnosed(member.caller(), &view.id, &topic).await?;
    let (before, reason_before) = match present.entry {
        Some(Entry::Answer(answer)) => (answer.evidence, answer.reason),
        _ => (Vec::new(), None),
    };
    // A reason that the form still held from "not applicable" goes with it; a new one is refused.
    let reason = filled(&said.reason)
        .filter(|reason| said.answer == NOT_APPLICABLE || Some(reason) != reason_before.as_ref());
    let entry = match (said.answer.as_str(), Outcome::of_word(&said.answer)) {
        (NONE, _) => None,
        (_, Some(outcome)) => Some(Entry::Answer(Answer {
            outcome,
            reason,
            evidence: before,
            owner: filled(&said.owner),
            due,
            comment: filled(&said.comment),
        })),
        _ => return refuse(view, t.text("diagnoses-answer-which").to_string(), said).await,
    };
    let service = &console.service;
    let done =
        service.answer_diagnosis(member.caller(), &view.id, &topic, said.version, entry).await;
    match done {
        Ok(_) => Ok(member.done(&here, "answer-saved")),
        Err(error) if is_about_the_form(&error) => refuse(view, why(member, &error), said).await,
        Err(error) => sensitive::answer(member, error, &here),
    }
}

/// The answer whose evidence is changed, at the version that was read.
async fn answered(
    console: &Console,
    member: &Member,
    view: &DiagnosisView,
    topic: &str,
) -> Result<Answer, Failure> {
    let found = console.service.diagnosed(member.caller(), &view.id, topic).await?;
    match found.entry {
        Some(Entry::Answer(answer)) => Ok(answer),
        _ => Err(Failure::conflict()),
    }
}

async fn added(
    console: &Console,
    member: &Member,
    view: DiagnosisView,
    asked: Asked,
    piece: Piece,
) -> Page {
    let t = member.t;
    let (here, topic) = (asked.here(&view), asked.topic());
    let refuse = async |view, message: String, piece| {
        let refused = Refused { message: Some(message), said: None, piece: Some(piece) };
        page(console, member, view, asked, refused).await
    };
    let mut answer = answered(console, member, &view, &topic).await?;
    let sha256 = match filled(&piece.sha256).map(|text| Sha256::from_hex(&text.to_lowercase())) {
        Some(None) => {
            return refuse(view, t.text("diagnoses-digest-wrong").to_string(), piece).await;
        }
        Some(Some(digest)) => Some(digest),
        None => None,
    };
    let (Ok(Some(on)), Ok(until)) = (day_of(&piece.on), day_of(&piece.until)) else {
        return refuse(view, t.text("diagnoses-day-wrong").to_string(), piece).await;
    };
    let what = piece.what.trim().to_owned();
    answer.evidence.push(Evidence { what, sha256, on, until });
    let entry = Some(Entry::Answer(answer));
    let service = &console.service;
    let done =
        service.answer_diagnosis(member.caller(), &view.id, &topic, piece.version, entry).await;
    match done {
        Ok(_) => Ok(member.done(&format!("{here}#evidence"), "evidence-added")),
        Err(error) if is_about_the_form(&error) => refuse(view, why(member, &error), piece).await,
        Err(error) => sensitive::answer(member, error, &here),
    }
}

async fn removed(
    console: &Console,
    member: &Member,
    view: DiagnosisView,
    asked: Asked,
    piece: Piece,
) -> Page {
    let (here, topic) = (asked.here(&view), asked.topic());
    let mut answer = answered(console, member, &view, &topic).await?;
    // The version makes sure that it is the piece that was shown at this place.
    if piece.at >= answer.evidence.len() {
        return Err(Failure::conflict());
    }
    answer.evidence.remove(piece.at);
    let entry = Some(Entry::Answer(answer));
    let service = &console.service;
    let done =
        service.answer_diagnosis(member.caller(), &view.id, &topic, piece.version, entry).await;
    match done {
        Ok(_) => Ok(member.done(&format!("{here}#evidence"), "evidence-removed")),
        Err(error) if is_about_the_form(&error) => {
            let message = Some(why(member, &error));
            let refused = Refused { message, ..Refused::default() };
            page(console, member, view, asked, refused).await
        }
        Err(error) => sensitive::answer(member, error, &here),
    }
}
