//! Alerts (LG-4): the list, one alert with what it rests on, and the rules.

use super::{listing, sensitive, words};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    chart::{Chart, OverTime, Series, Shape},
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Field, Icon, Pager, Tone},
};
use alert::{About, Automatic, Rule};
use askama::Template;
use audit::Severity;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use crypto::UnixTime;
use device::{Language, OrganisationId, StandingKind};
use policy::Action;
use serde::Deserialize;
use service::{
    ALERT_NOTE_CHARS_MAX, AlertDetail, AlertQuery, AlertRuleView, AlertState, AlertView,
    AutomaticQuarantine,
};

/// Columns of the chart at most, and what counts are kept in, in seconds.
const COLUMNS_MAX: i64 = 48;
const PART_S: i64 = 300;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/alerts", get(list))
        .route("/alerts/{id}", get(one))
        .route("/alerts/{id}/{act}", post(act))
        .route("/alert-rules", get(rules))
        .route("/alert-rules/{name}/{change}", post(change))
}

pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "informational",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

pub(super) fn severity(t: Locale, severity: Severity) -> Badge {
    let tone = match severity {
        Severity::Informational => Tone::Neutral,
        Severity::Low => Tone::Info,
        Severity::Medium => Tone::Warn,
        Severity::High | Severity::Critical => Tone::Bad,
    };
    Badge::new(tone, t.word("audit-severity", severity_word(severity)))
}

fn state(t: Locale, state: AlertState) -> Badge {
    let tone = match state {
        AlertState::Open => Tone::Warn,
        AlertState::Acknowledged => Tone::Busy,
        AlertState::Closed => Tone::Neutral,
    };
    Badge::new(tone, t.word("alerts-state", state.name()))
}

fn title(t: Locale, view: &AlertView) -> String {
    match t.language {
        Language::En => view.title.clone(),
        Language::Ja => view.title_ja.clone(),
    }
}

fn rule_title(t: Locale, rule: &Rule) -> String {
    match t.language {
        Language::En => rule.title.clone(),
        Language::Ja => rule.title_ja.clone(),
    }
}

/// Whom it is about, and where that is.
fn about(t: Locale, about: &About) -> (String, Option<String>) {
    match about {
        About::Device(device) => (device.to_string(), Some(format!("/devices/{device}"))),
        About::Product(line) => (line.clone(), None),
        About::Source(source) => (source.to_string(), None),
        About::Person(person) => (person.clone(), None),
        About::Organisation => (t.text("alerts-organisation").to_string(), None),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    state: String,
    severity: String,
    rule: String,
    device: String,
    after: String,
}

impl Filters {
    fn query(&self) -> Result<AlertQuery, Failure> {
        let (state, at_work) = match self.state.as_str() {
            "" => (None, true),
            "all" => (None, false),
            name => (Some(AlertState::from_name(name).ok_or_else(Failure::bad_request)?), false),
        };
        let severity = match self.severity.as_str() {
            "" => None,
            name => {
                let known = Severity::ALL.into_iter().find(|it| severity_word(*it) == name);
                Some(known.ok_or_else(Failure::bad_request)?)
            }
        };
        let device = match self.device.trim() {
            "" => None,
            id => Some(id.parse().map_err(|_| Failure::bad_request())?),
        };
        let rule = Some(self.rule.clone()).filter(|rule| !rule.is_empty());
        Ok(AlertQuery { state, at_work, severity, rule, device })
    }

    fn fields(&self) -> [(&str, &str); 4] {
        [
            ("state", &self.state),
            ("severity", &self.severity),
            ("rule", &self.rule),
            ("device", &self.device),
        ]
    }
}

struct Row {
    href: String,
    title: String,
    severity: Badge,
    state: Badge,
    about: (String, Option<String>),
    count: String,
    last: Moment,
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let page = listing::page(&filters.after);
    let found = console.service.alerts(member.caller(), own, &filters.query()?, &page).await?;
    let rules = console.service.alert_rules(member.caller(), own).await?;
    let rows = found.items.iter().map(|view| Row {
        href: format!("/alerts/{}", view.id),
        title: title(t, view),
        severity: severity(t, view.severity),
        state: state(t, view.state),
        about: about(t, &view.about),
        count: t.number(view.count),
        last: t.time(view.last_at),
    });
    let rows = rows.collect();
    let states = AlertState::ALL
        .iter()
        .map(|it| it.name())
        .chain(["all"])
        .map(|name| (name.to_owned(), t.word("alerts-state", name).to_string()));
    let severities = Severity::ALL.iter().map(|it| {
        let name = severity_word(*it);
        (name.to_owned(), t.word("audit-severity", name).to_string())
    });
    let known = rules.iter().map(|it| (it.rule.name.clone(), rule_title(t, &it.rule)));
    let at_work = words::choices(t.text("alerts-at-work"), states);
    let severities = words::choices(t.text("words-all"), severities);
    let known = words::choices(t.text("words-all"), known);
    let fields = vec![
        Field::select(t, "state", t.text("alerts-state"), at_work).value(&filters.state),
        Field::select(t, "severity", t.text("alerts-at-least"), severities)
            .value(&filters.severity),
        Field::select(t, "rule", t.text("alerts-rule"), known).value(&filters.rule),
        Field::text(t, "device", t.text("alerts-device")).value(&filters.device).most(32),
    ];
    let pager =
        listing::pager(t, "/alerts", &filters.fields(), &filters.after, found.next.as_deref());
    let empty = Empty::new(Icon::Warning, t.text("alerts-none"), t.text("alerts-none-hint"));
    let frame = member.frame(Section::Alerts, t.text("alerts-title"));
    let may = words::may(&member, Action::ManageAlertRules, own);
    Ok(member.page(&ListPage { t, frame, fields, rows, pager, empty, may }))
}

#[derive(Template)]
#[template(path = "alerts/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    fields: Vec<Field>,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
    may: bool,
}

struct EvidenceRow {
    sequence: String,
    when: Moment,
    kind: String,
    source: String,
    details: Vec<(String, String)>,
}

struct NoteRow {
    when: Moment,
    what: String,
    who: String,
    note: Option<String>,
}

async fn one(State(console): State<Console>, member: Member, Path(id): Path<u64>) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let found = console.service.alert(member.caller(), own, id).await?;
    let view = &found.view;
    let may = words::may(&member, Action::HandleAlerts, own) && view.state != AlertState::Closed;
    let standing = found.device.as_ref().map(|device| device.standing);
    let kind = |kind: audit::Kind| match t.language {
        Language::En => kind.english().to_owned(),
        Language::Ja => kind.japanese().to_owned(),
    };
    let evidence = found.evidence.iter().map(|it| EvidenceRow {
        sequence: t.number(it.sequence),
        when: t.time(it.event.at()),
        kind: kind(it.event.kind()),
        source: it.event.source_of().map(|from| from.to_string()).unwrap_or_default(),
        details: details(t, &it.event),
    });
    let notes = found.notes.iter().map(|it| NoteRow {
        when: t.time(it.at),
        what: t.word("alerts-act", &it.what).to_string(),
        who: it.who.clone(),
        note: it.note.clone(),
    });
    let quarantine = (view.quarantine != AutomaticQuarantine::NotAsked)
        .then(|| t.word("alerts-quarantine", view.quarantine.name()).to_string());
    let page = OnePage {
        t,
        frame: member.frame(Section::Alerts, title(t, view)),
        at: format!("/alerts/{id}"),
        severity: severity(t, view.severity),
        state: state(t, view.state),
        suggestion: match t.language {
            Language::En => view.suggest.english(),
            Language::Ja => view.suggest.japanese(),
        }
        .to_owned(),
        about: about(t, &view.about),
        serial: found.device.as_ref().map(|device| device.serial_number.clone()),
        standing: standing.map(|standing| words::standing(t, standing)),
        quarantine,
        rule: view.rule.clone(),
        count: t.number(view.count),
        first: t.time(view.first_at),
        last: t.time(view.last_at),
        raised: t.time(view.raised_at),
        chart: chart(t, &found),
        evidence: evidence.collect(),
        notes: notes.collect(),
        note: Field::area(t, "note", t.text("alerts-note")).most(ALERT_NOTE_CHARS_MAX),
        may,
        acknowledged: view.state == AlertState::Acknowledged,
        may_quarantine: may
            && standing == Some(StandingKind::Good)
            && words::may(&member, Action::SuspendDevice, own),
        may_release: may
            && standing == Some(StandingKind::Suspended)
            && words::may(&member, Action::ReleaseDevice, own),
        revoke: view
            .about
            .device()
            .filter(|_| standing.is_some_and(|standing| standing != StandingKind::Revoked))
            .filter(|_| words::may(&member, Action::RevokeDevice, own))
            .map(|device| format!("/devices/{device}/act/revoke")),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "alerts/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    at: String,
    severity: Badge,
    state: Badge,
    suggestion: String,
    about: (String, Option<String>),
    serial: Option<String>,
    standing: Option<Badge>,
    quarantine: Option<String>,
    rule: String,
    count: String,
    first: Moment,
    last: Moment,
    raised: Moment,
    chart: Option<OverTime>,
    evidence: Vec<EvidenceRow>,
    notes: Vec<NoteRow>,
    note: Field,
    may: bool,
    acknowledged: bool,
    may_quarantine: bool,
    may_release: bool,
    revoke: Option<String>,
}

/// How much came when: as many columns as fit, each of whole parts.
fn chart(t: Locale, found: &AlertDetail) -> Option<OverTime> {
    let (first, last) = (found.counts.first()?.0.0, found.counts.last()?.0.0);
    let parts = last.saturating_sub(first) / PART_S + 1;
    let step = (parts.saturating_add(COLUMNS_MAX - 1) / COLUMNS_MAX).max(1).saturating_mul(PART_S);
    let mut values = Vec::new();
    let mut names = Vec::new();
    let mut at = first;
    while at <= last {
        let end = at.saturating_add(step);
        let within = found.counts.iter().filter(|(from, _)| (at..end).contains(&from.0));
        values.push(within.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count)));
        names.push(t.time(UnixTime(at)).plain().to_owned());
        at = end;
    }
    Some(OverTime {
        shape: Shape::Columns,
        axis: Vec::new(),
        chart: Chart {
            t,
            id: "counts",
            title: t.text("alerts-counts").to_string(),
            description: t.text("alerts-counts-say").to_string(),
            category: t.text("alerts-from").to_string(),
            categories: names,
            series: vec![Series::new(t.text("alerts-count"), values)],
        },
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    note: String,
}

async fn act(
    State(console): State<Console>,
    member: Member,
    Path((id, act)): Path<(u64, String)>,
    crate::Posted(said): crate::Posted<Said>,
) -> Answer {
    let (service, caller) = (&console.service, member.caller());
    let own = &member.signed().organisation;
    let here = format!("/alerts/{id}");
    let words = Some(said.note.replace("\r\n", "\n"));
    let words = words.as_deref();
    let (done, outcome) = match act.as_str() {
        "acknowledge" => (
            "alert-acknowledged",
            service.acknowledge_alert(caller, own, id, words).await.map(|_| ()),
        ),
        "close" => ("alert-closed", service.close_alert(caller, own, id, words).await.map(|_| ())),
        "quarantine" => (
            "alert-quarantined",
            service.quarantine_for_alert(caller, own, id, words).await.map(|_| ()),
        ),
        "release" => {
            ("alert-released", service.release_for_alert(caller, own, id, words).await.map(|_| ()))
        }
        _ => return Err(Failure::not_found()),
    };
    match outcome {
        Ok(()) => Ok(member.done(&here, done)),
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

/// The details of an event; what explains it in the reader's language.
fn details(t: Locale, event: &audit::SecurityEvent) -> Vec<(String, String)> {
    let of = |wanted| event.details().find(|(key, _)| *key == wanted).map(|(_, value)| value);
    let aspect = of("what").and_then(::behaviour::Aspect::from_what);
    let parts = (of("seen"), of("ordinary"), of("since"));
    let explained = match (t.language, aspect, parts) {
        (Language::Ja, Some(aspect), (Some(seen), Some(ordinary), Some(since))) => {
            Some(aspect.explained_in_japanese(seen, ordinary, since))
        }
        _ => None,
    };
    let said = event.details().map(|(key, value)| match (key, &explained) {
        ("explanation", Some(text)) => (key.to_owned(), text.clone()),
        _ => (key.to_owned(), value.to_owned()),
    });
    said.collect()
}

struct RuleRow {
    name: String,
    title: String,
    severity: Badge,
    says: String,
    origin: String,
    off: bool,
    /// whether it may quarantine by itself; `None` where it cannot
    automatic: Option<bool>,
    changed: Option<(Moment, String)>,
}

fn rule_row(t: Locale, view: &AlertRuleView) -> RuleRow {
    let rule = &view.rule;
    RuleRow {
        title: rule_title(t, rule),
        severity: severity(t, rule.severity),
        says: t
            .text("alerts-rule-says")
            .arg("count", rule.threshold)
            .arg("seconds", rule.window_s)
            .arg("group", t.word("alerts-group", rule.group.name()).to_string())
            .to_string(),
        origin: t.word("alerts-origin", view.origin.name()).to_string(),
        off: rule.off,
        automatic: (rule.group == alert::Group::Device)
            .then_some(rule.automatic == Automatic::Quarantine),
        changed: view.changed.clone().map(|(at, by)| (t.time(at), by)),
        name: rule.name.clone(),
    }
}

async fn rules(State(console): State<Console>, member: Member) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let found = console.service.alert_rules(member.caller(), own).await?;
    let settings = console.service.alert_settings(member.caller(), own).await?;
    let page = RulesPage {
        t,
        frame: member.frame(Section::Alerts, t.text("alerts-rules")),
        rows: found.iter().map(|view| rule_row(t, view)).collect(),
        limit: t.text("alerts-limit").arg("count", settings.quarantine_per_hour).to_string(),
        may: words::may(&member, Action::ManageAlertRules, own),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "alerts/rules.html")]
struct RulesPage {
    t: Locale,
    frame: Frame,
    rows: Vec<RuleRow>,
    limit: String,
    may: bool,
}

async fn change(
    State(console): State<Console>,
    member: Member,
    Path((name, change)): Path<(String, String)>,
    _form: crate::Fields,
) -> Answer {
    let own = &member.signed().organisation;
    match changed(&console, &member, own, &name, &change).await? {
        Ok(()) => Ok(member.done("/alert-rules", "alert-rule-changed")),
        Err(error) => sensitive::answer(&member, error, "/alert-rules"),
    }
}

async fn changed(
    console: &Console,
    member: &Member,
    own: &OrganisationId,
    name: &str,
    change: &str,
) -> Result<Result<(), service::ServiceError>, Failure> {
    let (service, caller) = (&console.service, member.caller());
    if change == "reset" {
        return Ok(service.reset_alert_rule(caller, own, name).await);
    }
    let mut rule = service.alert_rule(caller, own, name).await?.rule;
    match change {
        "off" => rule.off = true,
        "on" => rule.off = false,
        "automatic" => rule.automatic = Automatic::Quarantine,
        "by-hand" => rule.automatic = Automatic::None,
        _ => return Err(Failure::not_found()),
    }
    Ok(service.put_alert_rule(caller, own, name, &rule.json()).await.map(|_| ()))
}
