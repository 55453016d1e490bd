//! The page of an item or a clause: what is asked, what stands there, the forms that change it.

use super::{
    answer::{Asked, NONE, Piece, Refused, Said},
    clauses as of_catalogue, day, head,
    one::LiveRow,
    state, verdict,
};
use crate::{
    Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Choice, Entry as Line, Field, Id, Message, Timeline, Tone},
};
use askama::Template;
use assessment::{
    Answer, Basis, Catalogue, Day, Entry, Evidence, Item, Outcome, Record, Share, State,
};
use axum::response::Response;
use http::StatusCode;
use service::{AnswerView, ChangeView, DiagnosisView, ItemView, Page as Part, check_sheet};

/// Characters of a line.
const LINE_MAX: u32 = 1_000;
/// Changes that are shown here.
const CHANGES: u32 = 20;

/// The page of an item or a clause, with what was refused.
pub(super) async fn page(
    console: &Console,
    member: &Member,
    view: DiagnosisView,
    asked: Asked,
    refused: Refused,
) -> Result<Response, Failure> {
    match asked {
        Asked::Item(item) => item_page(console, member, view, item, refused).await,
        Asked::Clause(record) => clause_page(console, member, view, record, refused).await,
    }
}

/// What was answered, with the forms that change it.
struct Stand {
    wrong: Option<Message>,
    fields: Vec<Field>,
    given: Option<Vec<(String, String)>>,
    changed: Option<(String, Moment)>,
    pieces: Vec<PieceRow>,
    piece: Vec<Field>,
    may: bool,
    version: u64,
    changes: Timeline,
    has_changes: bool,
}

impl Stand {
    /// What stands under a topic; `absent` where a missing feature answers it.
    async fn of(
        console: &Console,
        member: &Member,
        view: &DiagnosisView,
        found: &AnswerView,
        absent: bool,
        refused: Refused,
    ) -> Result<(Self, StatusCode), Failure> {
        let t = member.t;
        let part = Part { after: None, limit: CHANGES };
        let (service, topic) = (&console.service, found.topic.to_string());
        let changes =
            service.diagnosis_history(member.caller(), &view.id, Some(&topic), &part).await?.items;
        let may = head::can_answer(member, view) && !absent;
        let answer = match &found.entry {
            Some(Entry::Answer(answer)) => Some(answer),
            _ => None,
        };
        let status = match refused.message {
            Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
            None => StatusCode::OK,
        };
        let wrong = refused.message.map(|text| {
            Message::new(Tone::Bad, text).title(t.text("forms-nothing-saved").to_string())
        });
        let today = crate::i18n::Zone::UTC.day(member.now);
        let said = refused.said.unwrap_or_else(|| typed(answer));
        let stand = Self {
            wrong,
            fields: if may { fields(t, &said, answer.is_some()) } else { Vec::new() },
            given: answer.map(|answer| given(t, answer)),
            changed: found.changed_by.clone().zip(found.changed_at.map(|at| t.time(at))),
            pieces: answer.map_or_else(Vec::new, |answer| pieces(t, answer, member)),
            piece: if may && answer.is_some() {
                piece_fields(t, &refused.piece.unwrap_or_default(), &today)
            } else {
                Vec::new()
            },
            may,
            version: found.version,
            changes: Timeline::new(changes.iter().map(|change| line(t, change)).collect()),
            has_changes: !changes.is_empty(),
        };
        Ok((stand, status))
    }
}

async fn item_page(
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
    let absent = found.absent.is_some();
    let (stand, status) = Stand::of(console, member, &view, &found.answer, absent, refused).await?;
    let here = format!("/diagnoses/{}", view.id);
    let title = format!("{id} – {}", head::title(t, &view));
    let live: Vec<_> = evidence
        .iter()
        .filter(|one| found.checks.iter().any(|check| check.collector == one.collector))
        .collect();
    let page = ItemPage {
        t,
        frame: member.frame(Section::Diagnoses, title),
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
        stand,
        checks: found.checks.iter().map(|check| check_row(t, check, &found)).collect(),
        live: live
            .into_iter()
            .map(|one| (LiveRow::new(t, one), Id::short(t, &one.digest)))
            .collect(),
        around: around(item, &here),
        here: format!("{here}/items/{id}"),
        item,
    };
    Ok(member.page_with(status, &page))
}

async fn clause_page(
    console: &Console,
    member: &Member,
    view: DiagnosisView,
    record: &'static Record,
    refused: Refused,
) -> Result<Response, Failure> {
    let t = member.t;
    let library = check_sheet()?;
    let source = record.reference.source();
    let catalogue = library.catalogue(source.as_str()).ok_or_else(Failure::not_found)?;
    let (service, topic) = (&console.service, record.reference.to_string());
    let found = service.diagnosed(member.caller(), &view.id, &topic).await?;
    let covered = service.diagnosis_coverage(member.caller(), &view.id, source.as_str()).await?;
    let at = covered.iter().position(|one| one.record == record.reference);
    let covered_here = at.and_then(|at| covered.get(at)).ok_or_else(Failure::not_found)?;
    let absent = covered_here.basis.iter().find_map(|basis| match basis {
        Basis::Absent(why) => Some(why.clone()),
        _ => None,
    });
    let (stand, status) =
        Stand::of(console, member, &view, &found, absent.is_some(), refused).await?;
    let here = format!("/diagnoses/{}", view.id);
    let name = catalogue.source.title.of(t.language);
    let mut facts = vec![
        (t.text("diagnoses-clause-group").to_string(), group(t, catalogue, record)),
        (t.text("diagnoses-strength").to_string(), record.strength.title(t.language).to_owned()),
    ];
    if !record.when.is_empty() {
        let names: Vec<_> =
            record.when.iter().map(|feature| feature_title(t, feature.as_str())).collect();
        let names = names.join(&t.text("words-and").to_string());
        facts.push((t.text("diagnoses-when").to_string(), names));
    }
    if let Some(condition) = &record.condition {
        let words = condition.of(t.language).to_owned();
        facts.push((t.text("diagnoses-condition").to_string(), words));
    }
    let beside = |at: Option<usize>| {
        let one = &covered.get(at?)?.record;
        Some((super::answer::clause_page(&here, one), one.id().to_owned()))
    };
    let page = ClausePage {
        t,
        frame: member.frame(
            Section::Diagnoses,
            format!("{} – {}", record.reference.id(), head::title(t, &view)),
        ),
        head: head::Head::new(member, &view, "clauses")
            .below(&here, view.subject.clone())
            .below(format!("{here}/clauses"), t.text("diagnoses-clauses").to_string())
            .below(format!("{here}/clauses/{source}"), name.to_owned())
            .titled(
                format!("{} {}", record.reference.id(), record.title.of(t.language)),
                vec![of_catalogue::badge(t, covered_here.state)],
            ),
        facts,
        unchecked: record
            .checked
            .is_none()
            .then(|| Message::new(Tone::Info, t.text("diagnoses-clause-unchecked"))),
        absent: absent.map(|why| {
            Message::new(Tone::Neutral, t.text("diagnoses-clause-absent").arg("why", why))
        }),
        basis: covered_here.basis.iter().map(|basis| of_catalogue::rest(t, &here, basis)).collect(),
        stand,
        around: [
            beside(at.and_then(|at| at.checked_sub(1))),
            beside(at.and_then(|at| at.checked_add(1))),
        ],
        here: super::answer::clause_page(&here, &record.reference),
        record,
    };
    Ok(member.page_with(status, &page))
}

/// The heading under which the source has a record.
fn group(t: Locale, catalogue: &Catalogue, record: &Record) -> String {
    let found = catalogue.groups.iter().find(|(id, _)| *id == record.group);
    found.map_or_else(
        || record.group.clone(),
        |(id, title)| format!("{id} {}", title.of(t.language)),
    )
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
            href: super::answer::clause_page(here, &clause.record),
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
    stand: Stand,
    checks: Vec<CheckRow>,
    live: Vec<(LiveRow, Id)>,
    around: [Option<(String, String)>; 2],
}

#[derive(Template)]
#[template(path = "diagnoses/clause.html")]
struct ClausePage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    here: String,
    record: &'static Record,
    facts: Vec<(String, String)>,
    unchecked: Option<Message>,
    absent: Option<Message>,
    basis: Vec<of_catalogue::Rest>,
    stand: Stand,
    around: [Option<(String, String)>; 2],
}
