//! One item: what is asked, what was answered, what supports it, and changing it.

use super::{day, head, one::LiveRow, state, verdict};
use crate::{
    Answer as Page, Console, Failure, Frame, Member, Posted, Section, failure,
    i18n::{Locale, Moment},
    pages::sensitive,
    ui::{Badge, Choice, Entry as Line, Field, Id, Message, Timeline, Tone},
};
use askama::Template;
use assessment::{Answer, Day, Entry, Evidence, Item, Outcome, Share, State};
use axum::{
    Router,
    extract::{Path, State as Shared},
    response::Response,
    routing::{get, post},
};
use crypto::Sha256;
use http::StatusCode;
use serde::Deserialize;
use service::{
    ChangeView, DiagnosisView, ErrorKind, ItemView, Page as Part, ServiceError, check_sheet,
};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/diagnoses/{id}/items/{item}", get(show).post(save))
        .route("/diagnoses/{id}/items/{item}/evidence", post(add))
        .route("/diagnoses/{id}/items/{item}/evidence/remove", post(remove))
}

/// The choice of no answer.
const NONE: &str = "open";
/// The one that has a reason.
const NOT_APPLICABLE: &str = "not-applicable";
/// Characters of a line.
const LINE_MAX: u32 = 1_000;
/// Changes that are shown here.
const CHANGES: u32 = 20;

/// The form of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    version: u64,
    answer: String,
    reason: String,
    owner: String,
    due: String,
    comment: String,
}

/// The form of a piece of evidence.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Piece {
    version: u64,
    what: String,
    sha256: String,
    on: String,
    until: String,
    /// which one to take away
    at: usize,
}

/// What was sent and cannot be taken: why, and what was typed.
#[derive(Default)]
struct Refused {
    message: Option<String>,
    said: Option<Said>,
    piece: Option<Piece>,
}

/// The item of an address.
fn item_of(text: &str) -> Result<&'static Item, Failure> {
    check_sheet()?.item(text).ok_or_else(Failure::not_found)
}

async fn show(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, item)): Path<(String, String)>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    page(&console, &member, view, item_of(&item)?, Refused::default()).await
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

async fn save(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, item)): Path<(String, String)>,
    Posted(said): Posted<Said>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    let item = item_of(&item)?;
    let t = member.t;
    let here = format!("/diagnoses/{}/items/{}", view.id, item.id);
    let refuse = async |view, message: String, said| {
        let refused = Refused { message: Some(message), said: Some(said), piece: None };
        page(&console, &member, view, item, refused).await
    };
    let Ok(due) = day_of(&said.due) else {
        return refuse(view, t.text("diagnoses-day-wrong").to_string(), said).await;
    };
    let id = item.id.as_str();
    let present = console.service.diagnosed(member.caller(), &view.id, id).await?;
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
    let done =
        console.service.answer_diagnosis(member.caller(), &view.id, id, said.version, entry).await;
    match done {
        Ok(_) => Ok(member.done(&here, "answer-saved")),
        Err(error) if is_about_the_form(&error) => refuse(view, why(&member, &error), said).await,
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

/// The answer whose evidence is changed, at the version that was read.
async fn answered(
    console: &Console,
    member: &Member,
    view: &DiagnosisView,
    item: &Item,
) -> Result<Answer, Failure> {
    let found = console.service.diagnosed(member.caller(), &view.id, item.id.as_str()).await?;
    match found.entry {
        Some(Entry::Answer(answer)) => Ok(answer),
        _ => Err(Failure::conflict()),
    }
}

async fn add(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, item)): Path<(String, String)>,
    Posted(piece): Posted<Piece>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    let item = item_of(&item)?;
    let t = member.t;
    let here = format!("/diagnoses/{}/items/{}", view.id, item.id);
    let refuse = async |view, message: String, piece| {
        let refused = Refused { message: Some(message), said: None, piece: Some(piece) };
        page(&console, &member, view, item, refused).await
    };
    let mut answer = answered(&console, &member, &view, item).await?;
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
    let id = item.id.as_str();
    let service = &console.service;
    let done = service.answer_diagnosis(member.caller(), &view.id, id, piece.version, entry).await;
    match done {
        Ok(_) => Ok(member.done(&format!("{here}#evidence"), "evidence-added")),
        Err(error) if is_about_the_form(&error) => refuse(view, why(&member, &error), piece).await,
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

async fn remove(
    Shared(console): Shared<Console>,
    member: Member,
    Path((of, item)): Path<(String, String)>,
    Posted(piece): Posted<Piece>,
) -> Page {
    let view = head::found(&console, &member, &of).await?;
    let item = item_of(&item)?;
    let here = format!("/diagnoses/{}/items/{}", view.id, item.id);
    let mut answer = answered(&console, &member, &view, item).await?;
    // The version makes sure that it is the piece that was shown at this place.
    if piece.at >= answer.evidence.len() {
        return Err(Failure::conflict());
    }
    answer.evidence.remove(piece.at);
    let entry = Some(Entry::Answer(answer));
    let id = item.id.as_str();
    let service = &console.service;
    let done = service.answer_diagnosis(member.caller(), &view.id, id, piece.version, entry).await;
    match done {
        Ok(_) => Ok(member.done(&format!("{here}#evidence"), "evidence-removed")),
        Err(error) if is_about_the_form(&error) => {
            let message = Some(why(&member, &error));
            let refused = Refused { message, ..Refused::default() };
            page(&console, &member, view, item, refused).await
        }
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

async fn page(
    console: &Console,
    member: &Member,
    view: DiagnosisView,
    item: &'static Item,
    refused: Refused,
) -> Result<Response, Failure> {
    let t = member.t;
    let id = item.id.as_str();
    let service = &console.service;
    let found = service.diagnosed_item(member.caller(), &view.id, id).await?;
    let evidence = service.evidence(member.caller(), &view.organisation, &view.product).await?;
    let part = Part { after: None, limit: CHANGES };
    let changes =
        service.diagnosis_history(member.caller(), &view.id, Some(id), &part).await?.items;
    let here = format!("/diagnoses/{}", view.id);
    let may = head::can_answer(member, &view) && found.absent.is_none();
    let answer = match &found.answer.entry {
        Some(Entry::Answer(answer)) => Some(answer),
        _ => None,
    };
    let title = format!("{id} – {}", head::title(t, &view));
    let frame = member.frame(Section::Diagnoses, title);
    let status = match refused.message {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let wrong = refused
        .message
        .map(|text| Message::new(Tone::Bad, text).title(t.text("forms-nothing-saved").to_string()));
    let today = crate::i18n::Zone::UTC.day(member.now);
    let said = refused.said.unwrap_or_else(|| typed(answer));
    let live: Vec<_> = evidence
        .iter()
        .filter(|one| found.checks.iter().any(|check| check.collector == one.collector))
        .collect();
    let page = ItemPage {
        t,
        head: head::Head::new(member, &view, "items")
            .below(&here, view.subject.clone())
            .below(format!("{here}/items"), t.text("diagnoses-items").to_string())
            .titled(id, vec![state(t, found.state)]),
        facts: facts(t, item),
        clauses: clauses(t, item, &here),
        absent: found.absent.as_ref().map(|(feature, why)| {
            let title = feature_title(t, feature);
            let text = t.text("diagnoses-absent-answers").arg("feature", title).arg("why", why);
            Message::new(Tone::Neutral, text)
        }),
        fields: if may { fields(t, &said, answer.is_some()) } else { Vec::new() },
        given: answer.map(|answer| given(t, answer)),
        changed: found.answer.changed_by.clone().zip(found.answer.changed_at.map(|at| t.time(at))),
        pieces: answer.map_or_else(Vec::new, |answer| pieces(t, answer, member)),
        piece: if may && answer.is_some() {
            piece_fields(t, &refused.piece.unwrap_or_default(), &today)
        } else {
            Vec::new()
        },
        may,
        version: found.answer.version,
        checks: found.checks.iter().map(|check| check_row(t, check, &found)).collect(),
        live: live
            .into_iter()
            .map(|one| (LiveRow::new(t, one), Id::short(t, &one.digest)))
            .collect(),
        changes: Timeline::new(changes.iter().map(|change| line(t, change)).collect()),
        has_changes: !changes.is_empty(),
        around: around(item, &here),
        here: format!("{here}/items/{id}"),
        item,
        frame,
        wrong,
    };
    Ok(member.page_with(status, &page))
}

/// What stands in an answer, as the form has it.
fn typed(answer: Option<&Answer>) -> Said {
    let Some(answer) = answer else { return Said::default() };
    Said {
        version: 0,
        answer: answer.outcome.word().to_owned(),
        reason: answer.reason.clone().unwrap_or_default(),
        owner: answer.owner.clone().unwrap_or_default(),
        due: answer.due.map(|due| due.to_string()).unwrap_or_default(),
        comment: answer.comment.clone().unwrap_or_default(),
    }
}

fn fields(t: Locale, said: &Said, answered: bool) -> Vec<Field> {
    let mut choices: Vec<Choice> =
        Outcome::ALL.iter().map(|one| Choice::new(one.word(), one.title(t.language))).collect();
    if answered {
        choices.push(Choice::new(NONE, t.text("diagnoses-take-away")));
    }
    let line = |name: &str, key: &str, value: &str| {
        Field::text(t, name, t.text(key).to_string()).value(value).most(LINE_MAX).optional()
    };
    vec![
        Field::radios(t, "answer", t.text("diagnoses-answer"), choices)
            .value(&said.answer)
            .required(),
        line("reason", "diagnoses-reason", &said.reason).hint(t.text("diagnoses-reason-hint")),
        line("owner", "diagnoses-owner", &said.owner).hint(t.text("diagnoses-owner-hint")),
        Field::date(t, "due", t.text("diagnoses-due")).value(&said.due).optional(),
        line("comment", "diagnoses-comment", &said.comment),
    ]
}

fn piece_fields(t: Locale, piece: &Piece, today: &str) -> Vec<Field> {
    let on = if piece.on.is_empty() { today } else { &piece.on };
    vec![
        Field::text(t, "what", t.text("diagnoses-piece-what"))
            .value(&piece.what)
            .hint(t.text("diagnoses-piece-hint"))
            .most(LINE_MAX)
            .required(),
        Field::text(t, "sha256", t.text("diagnoses-piece-digest"))
            .value(&piece.sha256)
            .hint(t.text("diagnoses-piece-digest-hint"))
            .most(64)
            .optional(),
        Field::date(t, "on", t.text("diagnoses-piece-on")).value(on).required(),
        Field::date(t, "until", t.text("diagnoses-piece-until"))
            .value(&piece.until)
            .hint(t.text("diagnoses-piece-until-hint"))
            .optional(),
    ]
}

pub(super) fn feature_title(t: Locale, id: &str) -> String {
    let feature = check_sheet().ok().and_then(|library| library.feature(id));
    feature.map_or_else(|| id.to_owned(), |one| one.title.of(t.language).to_owned())
}

fn facts(t: Locale, item: &Item) -> Vec<(String, String)> {
    let text = |key: &'static str| t.text(key).to_string();
    let mut facts = vec![
        (text("diagnoses-layer"), item.layer.title(t.language).to_owned()),
        (text("diagnoses-phase"), item.phase.title(t.language).to_owned()),
        (text("diagnoses-threat"), item.threat.title(t.language).to_owned()),
        (
            text("diagnoses-weight"),
            t.text("diagnoses-weight-of").arg("weight", item.weight).to_string(),
        ),
    ];
    if !item.when.is_empty() {
        let names: Vec<_> =
            item.when.iter().map(|feature| feature_title(t, feature.as_str())).collect();
        facts.push((text("diagnoses-when"), names.join(&text("words-and"))));
    }
    facts
}

/// A clause that the item verifies.
struct ClauseRow {
    href: String,
    reference: String,
    title: String,
    relation: &'static str,
}

fn clauses(t: Locale, item: &Item, here: &str) -> Vec<ClauseRow> {
    let Ok(library) = check_sheet() else { return Vec::new() };
    item.clauses
        .iter()
        .map(|clause| ClauseRow {
            href: format!("{here}/clauses/{}", clause.record.source()),
            reference: clause.record.to_string(),
            title: library
                .record(&clause.record)
                .map(|record| record.title.of(t.language).to_owned())
                .unwrap_or_default(),
            relation: clause.relation.title(t.language),
        })
        .collect()
}

/// An answer for who may not change it.
fn given(t: Locale, answer: &Answer) -> Vec<(String, String)> {
    let text = |key: &'static str| t.text(key).to_string();
    let mut facts = vec![(text("diagnoses-answer"), answer.outcome.title(t.language).to_owned())];
    for (key, value) in [
        ("diagnoses-reason", answer.reason.clone()),
        ("diagnoses-owner", answer.owner.clone()),
        ("diagnoses-due", answer.due.map(|due| day(t, due).plain().to_owned())),
        ("diagnoses-comment", answer.comment.clone()),
    ] {
        facts.extend(value.map(|value| (t.text(key).to_string(), value)));
    }
    facts
}

/// A piece of evidence in an answer.
struct PieceRow {
    what: String,
    digest: Option<Id>,
    on: Moment,
    until: Option<Moment>,
    state: Badge,
}

fn pieces(t: Locale, answer: &Answer, member: &Member) -> Vec<PieceRow> {
    let today = Day::of(member.now);
    let row = |piece: &Evidence| {
        let over = piece.until.zip(today).is_some_and(|(until, today)| until < today);
        PieceRow {
            what: piece.what.clone(),
            digest: piece.sha256.as_ref().map(|digest| Id::short(t, digest)),
            on: day(t, piece.on),
            until: piece.until.map(|until| day(t, until)),
            state: match over {
                true => Badge::new(Tone::Warn, t.text("diagnoses-piece-over")),
                false => Badge::new(Tone::Good, t.text("diagnoses-piece-counts")),
            },
        }
    };
    answer.evidence.iter().map(row).collect()
}

/// What a collector found, as it bears on the item.
struct CheckRow {
    what: &'static str,
    verdict: Badge,
    share: String,
    until: Moment,
}

fn check_row(t: Locale, check: &assessment::Check, found: &ItemView) -> CheckRow {
    let share = match (check.share, found.state) {
        (Share::Whole, _) => t.text("diagnoses-share-whole"),
        (Share::Part, State::Met | State::Claimed) => t.text("diagnoses-share-supports"),
        (Share::Part, _) => t.text("diagnoses-share-part"),
    };
    CheckRow {
        what: check.collector.title(t.language),
        verdict: verdict(t, check.verdict),
        share: share.to_string(),
        until: day(t, check.until),
    }
}

/// A change as a line of history.
pub(super) fn line(t: Locale, change: &ChangeView) -> Line {
    let tone = match &change.after {
        Some(Entry::Answer(answer)) => match answer.outcome {
            Outcome::Met => Tone::Good,
            Outcome::Partly => Tone::Warn,
            Outcome::NotMet => Tone::Bad,
            Outcome::NotApplicable => Tone::Neutral,
        },
        Some(Entry::Absent(_)) | None => Tone::Neutral,
    };
    let mut line = Line::new(tone, t.time(change.at), said(t, change.after.as_ref()));
    line.who = Some(change.by.clone());
    let fact = |key: &'static str, value: String| (t.text(key).to_string(), value);
    line.facts.push(fact("diagnoses-how", t.word("diagnosis-how", &change.how).to_string()));
    if change.before.is_some() {
        line.facts.push(fact("diagnoses-before", said(t, change.before.as_ref())));
    }
    if let Some(Entry::Answer(answer)) = &change.after {
        let more = [
            ("diagnoses-reason", answer.reason.clone()),
            ("diagnoses-owner", answer.owner.clone()),
            ("diagnoses-due", answer.due.map(|due| due.to_string())),
            ("diagnoses-comment", answer.comment.clone()),
        ];
        for (key, value) in more {
            line.facts.extend(value.map(|value| (t.text(key).to_string(), value)));
        }
        for piece in &answer.evidence {
            line.facts.push(fact("diagnoses-evidence-piece", piece.what.clone()));
        }
    }
    line
}

/// What an entry says, in a word.
pub(super) fn said(t: Locale, entry: Option<&Entry>) -> String {
    match entry {
        None => t.text("diagnoses-nothing").to_string(),
        Some(Entry::Absent(why)) => t.text("diagnoses-is-absent").arg("why", why).to_string(),
        Some(Entry::Answer(answer)) => answer.outcome.title(t.language).to_owned(),
    }
}

/// The items before and after, in the order of the sheet.
fn around(item: &Item, here: &str) -> [Option<(String, String)>; 2] {
    let Ok(library) = check_sheet() else { return [None, None] };
    let items = library.items();
    let at = items.iter().position(|one| one.id == item.id);
    let link = |at: Option<usize>| {
        let one = items.get(at?)?;
        Some((format!("{here}/items/{}", one.id), one.id.to_string()))
    };
    [link(at.and_then(|at| at.checked_sub(1))), link(at.and_then(|at| at.checked_add(1)))]
}

#[derive(Template)]
#[template(path = "diagnoses/item.html")]
struct ItemPage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    here: String,
    item: &'static Item,
    facts: Vec<(String, String)>,
    clauses: Vec<ClauseRow>,
    absent: Option<Message>,
    wrong: Option<Message>,
    fields: Vec<Field>,
    given: Option<Vec<(String, String)>>,
    changed: Option<(String, Moment)>,
    pieces: Vec<PieceRow>,
    piece: Vec<Field>,
    may: bool,
    version: u64,
    checks: Vec<CheckRow>,
    live: Vec<(LiveRow, Id)>,
    changes: Timeline,
    has_changes: bool,
    around: [Option<(String, String)>; 2],
}
