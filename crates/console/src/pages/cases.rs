//! Cases that must be reported (Regulation (EU) 2024/2847, article 14): a worklist with deadlines.

use super::{form::FormPage, listing, sensitive, vulnerabilities, words};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Posted, Section, failure,
    i18n::{Locale, Moment},
    pages::form::{self, Mistakes},
    ui::{
        Badge, Button, ButtonKind, Choice, Command, Empty, Entry, Field, Icon, Message, Pager, Tab,
        Tabs, Tile, Timeline, Tone,
    },
};
use advisory::{CraItem, CraKind, CraState, CraStep};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use crypto::UnixTime;
use device::Language;
use policy::Action;
use serde::Deserialize;
use service::{CaseChange, CaseId, CaseLine, NewCase};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/cases", get(list))
        .route("/cases/new", get(ask_new).post(open))
        .route("/cases/{id}", get(one))
        .route("/cases/{id}/text", post(text))
        .route("/cases/{id}/times", get(ask_times).post(times))
        .route("/cases/{id}/submitted", post(submitted))
        .route("/cases/{id}/close", get(ask_close).post(close))
}

/// Less than this is left: a deadline that must be looked at now.
const SOON_S: i64 = 86_400;

fn id(text: &str) -> Result<CaseId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

fn kind(t: Locale, kind: CraKind) -> String {
    t.word("case-kind", kind.name()).to_string()
}

fn step(t: Locale, step: CraStep) -> String {
    match t.language {
        Language::En => {
            failure::sentence(step.english(), t.language).trim_end_matches('.').to_owned()
        }
        Language::Ja => step.japanese().to_owned(),
    }
}

fn item(t: Locale, item: CraItem) -> &'static str {
    match t.language {
        Language::En => item.english(),
        Language::Ja => item.japanese(),
    }
}

/// How much time is left, or how much was lost.
fn state(t: Locale, state: CraState) -> Badge {
    let span = |seconds: i64| {
        if seconds < 2 * SOON_S {
            t.text("cases-hours").arg("count", seconds / 3_600).to_string()
        } else {
            t.text("cases-days").arg("count", seconds / SOON_S).to_string()
        }
    };
    match state {
        CraState::Waiting => Badge::new(Tone::Neutral, t.text("cases-waits")),
        CraState::Due(left) => {
            let tone = if left <= SOON_S { Tone::Warn } else { Tone::Info };
            Badge::new(tone, t.text("cases-due-in").arg("span", span(left)))
        }
        CraState::Overdue(late) => {
            Badge::new(Tone::Bad, t.text("cases-overdue").arg("span", span(late)))
        }
        CraState::Done => Badge::new(Tone::Good, t.text("cases-done")),
        CraState::DoneLate(late) => {
            Badge::new(Tone::Warn, t.text("cases-done-late").arg("span", span(late)))
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    all: String,
    after: String,
}

struct Row {
    href: String,
    title: String,
    kind: String,
    about: Option<(String, String)>,
    next: Option<(String, Badge, Option<Moment>)>,
    closed: bool,
    aware: Moment,
}

impl Row {
    fn new(t: Locale, case: &CaseLine) -> Self {
        Self {
            href: format!("/cases/{}", case.id),
            title: case.title.clone(),
            kind: kind(t, case.kind),
            about: case
                .vulnerability
                .as_ref()
                .map(|name| (vulnerabilities::address(name), name.clone())),
            next: case.next().map(|(deadline, stands)| {
                (step(t, deadline.step), state(t, *stands), deadline.due.map(|due| t.time(due)))
            }),
            closed: case.closed_at.is_some(),
            aware: t.time(case.aware),
        }
    }
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let all = filters.all == "yes";
    let page = listing::page(&filters.after);
    let found = console.service.cases(member.caller(), own, !all, &page).await?;
    let watch = console.service.case_watch(member.caller(), own).await?;
    let may = words::may(&member, Action::ManageCases, own);
    let tone = |count: u64, tone| if count > 0 { tone } else { Tone::Neutral };
    let tiles = vec![
        Tile::new(t.text("cases-open"), t.number(watch.open)).tone(tone(watch.open, Tone::Info)),
        Tile::new(t.text("cases-soon"), t.number(watch.soon)).tone(tone(watch.soon, Tone::Warn)),
        Tile::new(t.text("cases-late"), t.number(watch.overdue))
            .tone(tone(watch.overdue, Tone::Bad)),
    ];
    let tab = |label: &'static str, href: &str, current| Tab {
        label: t.text(label).to_string(),
        href: href.to_owned(),
        current,
        count: None,
    };
    let tabs = vec![tab("cases-open", "/cases", !all), tab("cases-all", "/cases?all=yes", all)];
    let mut empty = Empty::new(Icon::Check, t.text("cases-empty"), t.text("cases-empty-hint"));
    if may {
        let new = Button::new(ButtonKind::Secondary, t.text("cases-new"));
        empty = empty.action(new.link("/cases/new"));
    }
    let page = ListPage {
        t,
        frame: member.frame(Section::Cases, t.text("cases-title")),
        tiles,
        tabs: Tabs::new(t.text("cases-which"), tabs),
        rows: found.items.iter().map(|case| Row::new(t, case)).collect(),
        pager: listing::pager(
            t,
            "/cases",
            &[("all", &filters.all)],
            &filters.after,
            found.next.as_deref(),
        ),
        empty,
        may,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "cases/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    tiles: Vec<Tile>,
    tabs: Tabs,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
    may: bool,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct NewForm {
    kind: String,
    vulnerability: String,
    title: String,
    aware: String,
}

/// A day and an hour, `2026-11-21 05:36`, in the reader's zone.
fn moment(t: Locale, text: &str) -> Option<UnixTime> {
    let (day, clock) = text.trim().split_once(' ').unwrap_or((text.trim(), "00:00"));
    let (hour, minute) = clock.split_once(':')?;
    let hour = hour.parse::<i64>().ok().filter(|hour| (0..24).contains(hour))?;
    let minute = minute.parse::<i64>().ok().filter(|minute| (0..60).contains(minute))?;
    Some(t.zone.midnight(day)?.plus(hour * 3_600 + minute * 60))
}

/// As [`moment`] reads it.
fn written(t: Locale, at: UnixTime) -> String {
    let day = t.zone.day(at);
    let Some(midnight) = t.zone.midnight(&day) else { return day };
    let seconds = at.since(midnight);
    format!("{day} {:02}:{:02}", seconds / 3_600, seconds % 3_600 / 60)
}

fn new_page(member: &Member, form: &NewForm) -> FormPage {
    let t = member.t;
    let kinds = CraKind::ALL.iter().map(|one| Choice::new(one.name(), kind(t, *one))).collect();
    FormPage::new(member, Section::Cases, t.text("cases-new"), "/cases/new", "/cases")
        .crumb("/cases", t.text("cases-title"))
        .lead(t.text("cases-new-lead"))
        .fields(vec![
            Field::radios(t, "kind", t.text("cases-kind"), kinds).value(&form.kind).required(),
            Field::text(t, "title", t.text("cases-subject"))
                .value(&form.title)
                .required()
                .most(200),
            Field::text(t, "vulnerability", t.text("vulnerabilities-one-of"))
                .value(&form.vulnerability)
                .hint(t.text("cases-vulnerability-hint"))
                .optional()
                .most(200),
            Field::text(t, "aware", t.text("cases-aware"))
                .value(&form.aware)
                .hint(t.text("cases-moment-hint").arg("zone", t.zone.to_string()).to_string())
                .optional()
                .most(16),
        ])
        .button(t.text("cases-open-do"))
}

async fn ask_new(State(_): State<Console>, member: Member, Asked(form): Asked<NewForm>) -> Answer {
    if !words::may(&member, Action::ManageCases, &member.signed().organisation) {
        return Err(Failure::forbidden());
    }
    new_page(&member, &form).show(&member)
}

async fn open(
    State(console): State<Console>,
    member: Member,
    Posted(form): Posted<NewForm>,
) -> Answer {
    let t = member.t;
    let mut mistakes = Mistakes::default();
    let known = mistakes.read("kind", &form.kind, CraKind::from_name, t.text("cases-choose"));
    let aware = match form.aware.trim() {
        "" => None,
        text => mistakes.read("aware", text, |text| moment(t, text), t.text("cases-moment-wrong")),
    };
    let (Some(kind), true) = (known, mistakes.is_empty()) else {
        return Ok(new_page(&member, &form).refuse(&member, mistakes));
    };
    let vulnerability = form.vulnerability.trim();
    let new = NewCase {
        organisation: member.signed().organisation.clone(),
        kind,
        vulnerability: (!vulnerability.is_empty()).then(|| vulnerability.to_owned()),
        title: form.title.trim().to_owned(),
        aware,
    };
    match console.service.open_case(member.caller(), new).await {
        Ok(case) => Ok(member.done(&format!("/cases/{}", case.id), "case-opened")),
        Err(error) => {
            let places = &[("title", "title"), ("aware", "aware"), ("case-open", "vulnerability")];
            form::refused(&member, error, "/cases/new", places, || new_page(&member, &form))
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    report: String,
    words: String,
}

struct Deadline {
    name: String,
    state: Badge,
    due: Option<Moment>,
    submitted: Option<Moment>,
    href: String,
    value: &'static str,
    may_submit: bool,
}

/// One thing that a report must say.
struct ItemRow {
    name: &'static str,
    key: &'static str,
    known: Option<String>,
    written: String,
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(shown): Asked<Shown>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let (service, caller) = (&console.service, member.caller());
    let case = service.case(caller, own, &id(&text)?).await?;
    let line = &case.line;
    let language = match shown.words.as_str() {
        "" => t.language,
        tag => tag.parse().map_err(|_| Failure::bad_request())?,
    };
    let report = match shown.report.as_str() {
        "" => line.next().map_or(CraStep::FinalReport, |(deadline, _)| deadline.step),
        name => CraStep::from_name(name).ok_or_else(Failure::bad_request)?,
    };
    let draft = service.case_draft(caller, own, &line.id, report, language).await?;
    let here = format!("/cases/{}", line.id);
    let may = words::may(&member, Action::ManageCases, own) && line.closed_at.is_none();
    let first_open = line.next().map(|(deadline, _)| deadline.step);
    let deadlines = line
        .deadlines
        .iter()
        .map(|(deadline, stands)| Deadline {
            name: step(t, deadline.step),
            state: state(t, *stands),
            due: deadline.due.map(|due| t.time(due)),
            submitted: deadline.submitted.map(|at| t.time(at)),
            href: listing::address(
                &here,
                &[("report", deadline.step.name()), ("words", language.name())],
            ),
            value: deadline.step.name(),
            may_submit: may && first_open == Some(deadline.step),
        })
        .collect();
    let items = draft
        .items
        .iter()
        .map(|(one, known)| {
            let text = case
                .texts
                .iter()
                .find(|(item, of, ..)| item == one && *of == language)
                .map(|(_, _, text, ..)| text.clone());
            ItemRow {
                name: item(t, *one),
                key: one.name(),
                known: known.clone(),
                written: text.unwrap_or_default(),
            }
        })
        .collect();
    let tab = |one: Language| Tab {
        label: crate::i18n::own_name(one).to_owned(),
        href: listing::address(&here, &[("report", report.name()), ("words", one.name())]),
        current: one == language,
        count: None,
    };
    let entries = case
        .acts
        .iter()
        .map(|(at, by, what, detail)| {
            let title = match what.as_str() {
                "opened" | "title" | "aware" | "corrected" | "text" | "submitted" | "closed"
                | "report-due" | "report-overdue" => t.word("case-act", what).to_string(),
                other => other.to_owned(),
            };
            let mut entry = Entry::new(Tone::Info, t.time(*at), title);
            entry.who = Some(by.clone());
            if !detail.is_empty() {
                entry.facts.push((t.text("cases-detail").to_string(), detail.clone()));
            }
            entry
        })
        .collect();
    let page = OnePage {
        t,
        frame: member.frame(Section::Cases, &line.title),
        kind: kind(t, line.kind),
        closed: line.closed_at.map(|at| {
            let why = line.closed_why.clone().unwrap_or_default();
            Message::new(Tone::Neutral, why)
                .title(t.text("cases-closed").arg("time", t.time(at).plain()))
        }),
        about: line
            .vulnerability
            .as_ref()
            .map(|name| (vulnerabilities::address(name), name.clone())),
        aware: t.time(line.aware),
        corrected: line.corrected.map(|at| t.time(at)),
        opened: (line.opened_by.clone(), t.time(line.opened_at)),
        deadlines,
        languages: Tabs::new(t.text("cases-language"), vec![tab(Language::En), tab(Language::Ja)]),
        report: step(t, report),
        report_value: report.name(),
        language: language.name(),
        items,
        missing: (!draft.missing.is_empty()).then(|| {
            Message::new(Tone::Warn, t.text("cases-missing").arg("count", draft.missing.len()))
        }),
        text: Command::new(t, draft.text),
        acts: Timeline::new(entries),
        now: written(t, member.now),
        zone: t.zone.to_string(),
        may,
        here,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "cases/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    kind: String,
    closed: Option<Message>,
    about: Option<(String, String)>,
    aware: Moment,
    corrected: Option<Moment>,
    opened: (String, Moment),
    deadlines: Vec<Deadline>,
    languages: Tabs,
    report: String,
    report_value: &'static str,
    language: &'static str,
    items: Vec<ItemRow>,
    missing: Option<Message>,
    text: Command,
    acts: Timeline,
    now: String,
    zone: String,
    may: bool,
    here: String,
}

async fn change(
    console: &Console,
    member: &Member,
    id: &CaseId,
    change: CaseChange,
    back: &str,
) -> Answer {
    let own = &member.signed().organisation;
    match console.service.change_case(member.caller(), own, id, change).await {
        Ok(_) => Ok(member.done(back, "case-changed")),
        Err(error) => sensitive::answer(member, error, back),
    }
}

/// What is written for a report: all its items at once.
async fn text(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    fields: Fields,
) -> Answer {
    let id = id(&text)?;
    let language: Language = fields.get("words").parse().map_err(|_| Failure::bad_request())?;
    let own = &member.signed().organisation;
    // Nothing is done where nothing differs; who may not is told so all the same.
    if !words::may(&member, Action::ManageCases, own) {
        return Err(Failure::forbidden());
    }
    let back = listing::address(
        &format!("/cases/{id}"),
        &[("report", fields.get("report")), ("words", language.name())],
    );
    let case = console.service.case(member.caller(), own, &id).await?;
    for item in CraItem::ALL {
        let Some((_, new)) = fields.pairs().iter().find(|(name, _)| name == item.name()) else {
            continue;
        };
        let new = new.replace("\r\n", "\n").trim().to_owned();
        let old = case.texts.iter().find(|(one, of, ..)| *one == item && *of == language);
        if old.map_or("", |(_, _, text, ..)| text.as_str()) == new {
            continue;
        }
        let change = CaseChange { text: Some((item, language, new)), ..CaseChange::default() };
        let done = console.service.change_case(member.caller(), own, &id, change).await;
        if let Err(error) = done {
            return sensitive::answer(&member, error, &back);
        }
    }
    Ok(member.done(&back, "case-changed"))
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct TimesForm {
    title: String,
    aware: String,
    corrected: String,
}

fn times_page(member: &Member, id: &CaseId, title: &str, form: &TimesForm) -> FormPage {
    let t = member.t;
    let here = format!("/cases/{id}");
    let hint = || t.text("cases-moment-hint").arg("zone", t.zone.to_string()).to_string();
    FormPage::new(member, Section::Cases, t.text("cases-times"), &format!("{here}/times"), &here)
        .crumb("/cases", t.text("cases-title"))
        .crumb(&here, title)
        .fields(vec![
            Field::text(t, "title", t.text("cases-subject"))
                .value(&form.title)
                .required()
                .most(200),
            Field::text(t, "aware", t.text("cases-aware"))
                .value(&form.aware)
                .hint(hint())
                .required()
                .most(16),
            Field::text(t, "corrected", t.text("cases-corrected"))
                .value(&form.corrected)
                .hint(t.text("cases-corrected-hint"))
                .optional()
                .most(16),
        ])
        .button(t.text("forms-save"))
}

async fn ask_times(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    if !words::may(&member, Action::ManageCases, own) {
        return Err(Failure::forbidden());
    }
    let case = console.service.case(member.caller(), own, &id(&text)?).await?.line;
    let form = TimesForm {
        title: case.title.clone(),
        aware: written(t, case.aware),
        corrected: case.corrected.map(|at| written(t, at)).unwrap_or_default(),
    };
    times_page(&member, &case.id, &case.title, &form).show(&member)
}

async fn times(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(form): Posted<TimesForm>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let case = console.service.case(member.caller(), own, &id(&text)?).await?.line;
    let mut mistakes = Mistakes::default();
    let wrong = || t.text("cases-moment-wrong");
    let aware = mistakes.read("aware", &form.aware, |text| moment(t, text), wrong());
    let corrected = match form.corrected.trim() {
        "" => None,
        text => mistakes.read("corrected", text, |text| moment(t, text), wrong()),
    };
    if !mistakes.is_empty() {
        return Ok(times_page(&member, &case.id, &case.title, &form).refuse(&member, mistakes));
    }
    // What was not touched stays: minutes are shown, seconds are kept.
    let title = form.title.trim();
    let change = CaseChange {
        title: (title != case.title).then(|| title.to_owned()),
        aware: aware.filter(|_| form.aware.trim() != written(t, case.aware)),
        corrected: corrected
            .filter(|_| case.corrected.is_none_or(|at| form.corrected.trim() != written(t, at))),
        ..CaseChange::default()
    };
    let back = format!("/cases/{}", case.id);
    if change.title.is_none() && change.aware.is_none() && change.corrected.is_none() {
        return Ok(member.done(&back, "nothing-changed"));
    }
    match console.service.change_case(member.caller(), own, &case.id, change).await {
        Ok(_) => Ok(member.done(&back, "case-changed")),
        Err(error) => {
            let places = &[("title", "title"), ("aware", "aware"), ("corrected", "corrected")];
            form::refused(&member, error, &format!("{back}/times"), places, || {
                times_page(&member, &case.id, &case.title, &form)
            })
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SubmittedForm {
    report: String,
    at: String,
}

async fn submitted(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(form): Posted<SubmittedForm>,
) -> Answer {
    let id = id(&text)?;
    let t = member.t;
    let step = CraStep::from_name(&form.report).ok_or_else(Failure::bad_request)?;
    let at = match form.at.trim() {
        "" => None,
        // The minute that is now is now.
        text if text == written(t, member.now) => None,
        text => {
            let at = moment(t, text).ok_or_else(Failure::bad_request)?;
            let own = &member.signed().organisation;
            let aware = console.service.case(member.caller(), own, &id).await?.line.aware;
            // The minute in which somebody became aware began before that.
            Some(if text == written(t, aware) { at.max(aware) } else { at })
        }
    };
    let new = CaseChange { submitted: Some((step, at)), ..CaseChange::default() };
    change(&console, &member, &id, new, &format!("/cases/{id}")).await
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct CloseForm {
    why: String,
}

fn close_page(member: &Member, id: &CaseId, title: &str, form: &CloseForm) -> FormPage {
    let t = member.t;
    let here = format!("/cases/{id}");
    FormPage::new(member, Section::Cases, t.text("cases-close"), &format!("{here}/close"), &here)
        .crumb("/cases", t.text("cases-title"))
        .crumb(&here, title)
        .lead(t.text("cases-close-lead"))
        .fields(vec![
            Field::text(t, "why", t.text("cases-close-why")).value(&form.why).required().most(200),
        ])
        .button(t.text("cases-close"))
}

async fn ask_close(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let own = &member.signed().organisation;
    if !words::may(&member, Action::ManageCases, own) {
        return Err(Failure::forbidden());
    }
    let case = console.service.case(member.caller(), own, &id(&text)?).await?.line;
    close_page(&member, &case.id, &case.title, &CloseForm::default()).show(&member)
}

async fn close(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(form): Posted<CloseForm>,
) -> Answer {
    let own = &member.signed().organisation;
    let case = console.service.case(member.caller(), own, &id(&text)?).await?.line;
    let change = CaseChange { closed: Some(form.why.trim().to_owned()), ..CaseChange::default() };
    let back = format!("/cases/{}", case.id);
    match console.service.change_case(member.caller(), own, &case.id, change).await {
        Ok(_) => Ok(member.done(&back, "case-changed")),
        Err(error) => {
            let places = &[("closed", "why"), ("case-reports", "why")];
            form::refused(&member, error, &format!("{back}/close"), places, || {
                close_page(&member, &case.id, &case.title, &form)
            })
        }
    }
}
