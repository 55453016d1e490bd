//! The organisation's policies for the doors (GW-2, AU-6): versions, what came of their cases, what is
//! in force, and why something is allowed or refused.

use super::{form, listing, sensitive, words};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Choice, Empty, Field, Icon, Pager, Tone},
};
use admission::Direction;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use permission::{CASES_BYTES_MAX, SCHEMA, TEXT_BYTES_MAX, Tried};
use policy::Action;
use serde::Deserialize;
use service::{
    ExplainedDecision, NewPolicySet, Page, PolicyActivation, PolicyQuestion, PolicySetState,
    PolicySetView,
};

const HERE: &str = "/policies";
/// Activations on the page.
const ACTIVATIONS: u32 = 20;
/// Longest reason, in characters.
const REASON_MAX: u32 = 300;
/// What a device does at a door, in the order of the form.
const DIRECTIONS: [Direction; 3] = [Direction::Publish, Direction::Subscribe, Direction::Receive];

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/policies", get(list))
        .route("/policies/new", get(ask_new).post(put))
        .route("/policies/activate", get(ask_activate).post(activate))
        .route("/policies/{version}", get(one))
        .route("/policies/{version}/test", post(test))
}

fn state(t: Locale, state: PolicySetState) -> Badge {
    let tone = match state {
        PolicySetState::Draft => Tone::Neutral,
        PolicySetState::Tested => Tone::Info,
        PolicySetState::Active => Tone::Good,
        PolicySetState::Former => Tone::Held,
    };
    Badge::new(tone, t.word("policy-state", state.name()))
}

struct Row {
    version: u64,
    state: Badge,
    tested: String,
    reason: String,
    by: String,
    at: Moment,
}

fn row(t: Locale, one: PolicySetView) -> Row {
    let cases = t.text("policies-cases-count").arg("count", one.cases).to_string();
    Row {
        version: one.version,
        state: state(t, one.state),
        tested: match one.tested {
            None => format!("{cases} · {}", t.text("policies-not-tested")),
            Some((_, _, 0)) => format!("{cases} · {}", t.text("policies-all-passed")),
            Some((_, _, failed)) => {
                format!("{cases} · {}", t.text("policies-failed").arg("count", failed))
            }
        },
        reason: one.reason,
        by: one.made_by,
        at: t.time(one.made_at),
    }
}

struct Activated {
    version: Option<u64>,
    reason: String,
    by: String,
    at: Moment,
}

fn activated(t: Locale, one: PolicyActivation) -> Activated {
    Activated { version: one.version, reason: one.reason, by: one.by, at: t.time(one.at) }
}

/// What is asked in the form that explains.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Question {
    after: String,
    device: String,
    action: String,
    topic: String,
}

/// The form that explains, and its answer.
struct Explained {
    fields: Vec<Field>,
    answer: Option<Told>,
}

struct Told {
    badge: Badge,
    topic: String,
    because: Vec<String>,
    version: Option<u64>,
    broken: bool,
}

async fn explain(console: &Console, member: &Member, asked: &Question) -> Explained {
    let t = member.t;
    let choices = DIRECTIONS
        .iter()
        .map(|direction| Choice::new(direction.name(), t.word("policy-action", direction.name())))
        .collect();
    let direction = DIRECTIONS.iter().find(|direction| direction.name() == asked.action);
    let chosen = direction.map_or(Direction::Receive.name(), |direction| direction.name());
    let mut device = Field::text(t, "device", t.text("policies-device"))
        .hint(t.text("policies-device-hint"))
        .value(&asked.device)
        .most(32)
        .required();
    let mut topic = Field::text(t, "topic", t.text("policies-topic"))
        .hint(t.text("policies-topic-hint").arg("example", "d/+/up/#"))
        .value(&asked.topic)
        .most(1024)
        .required();
    let mut answer = None;
    if !asked.device.is_empty() || !asked.topic.is_empty() {
        match asked.device.trim().parse() {
            Err(_) => device = device.error(Some(t.text("policies-device-wrong").to_string())),
            Ok(id) => {
                let question = PolicyQuestion {
                    device: id,
                    direction: direction.copied().unwrap_or(Direction::Receive),
                    topic: asked.topic.trim().to_owned(),
                    version: None,
                };
                match console.service.explain_policy(member.caller(), &question).await {
                    Ok(found) => answer = Some(told(t, found)),
                    Err(error) => {
                        let text = words::told(t, &error.to_string(), error.message_ja());
                        match error.code() {
                            "topic" => topic = topic.error(Some(text)),
                            _ => device = device.error(Some(text)),
                        }
                    }
                }
            }
        }
    }
    let action = Field::select(t, "action", t.text("policies-action"), choices).value(chosen);
    Explained { fields: vec![device, action, topic], answer }
}

fn told(t: Locale, found: ExplainedDecision) -> Told {
    let badge = match found.allowed {
        true => Badge::new(Tone::Good, t.text("policies-allowed")),
        false => Badge::new(Tone::Bad, t.text("policies-refused")),
    };
    let ExplainedDecision { topic, because, version, broken, .. } = found;
    Told { badge, topic, because, version, broken }
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(asked): Asked<Question>,
) -> Answer {
    let (service, caller, t) = (&console.service, member.caller(), member.t);
    let found = service.policy_sets(caller, &listing::page(&asked.after)).await?;
    let newest = Page { after: None, limit: ACTIVATIONS };
    let activations = service.policy_activations(caller, &newest).await?.items;
    let in_force = activations.first().and_then(|done| done.version);
    let own = &member.signed().organisation;
    let page = ListPage {
        t,
        frame: member.frame(Section::Policies, t.text("policies-title")),
        in_force: match in_force {
            Some(version) => {
                Badge::new(Tone::Good, t.text("policies-in-force").arg("version", version))
            }
            None => Badge::new(Tone::Neutral, t.text("policies-none-in-force")),
        },
        any: in_force.is_some(),
        may_put: words::may(&member, Action::ManagePolicies, own),
        may_activate: words::may(&member, Action::ActivatePolicies, own),
        rows: found.items.into_iter().map(|one| row(t, one)).collect(),
        activations: activations.into_iter().map(|one| activated(t, one)).collect(),
        explained: explain(&console, &member, &asked).await,
        empty: Empty::new(Icon::Gate, t.text("policies-empty"), t.text("policies-empty-hint")),
        pager: listing::pager(t, HERE, &[], &asked.after, found.next.as_deref()),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "policies/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    in_force: Badge,
    any: bool,
    may_put: bool,
    may_activate: bool,
    rows: Vec<Row>,
    activations: Vec<Activated>,
    explained: Explained,
    empty: Empty,
    pager: Pager,
}

struct Case {
    badge: Badge,
    name: String,
    came_out: String,
    because: Vec<String>,
    instead: Option<String>,
}

fn case(t: Locale, one: Tried) -> Case {
    Case {
        badge: match one.passed {
            true => Badge::new(Tone::Good, t.text("policies-passed")),
            false => Badge::new(Tone::Bad, t.text("policies-not-passed")),
        },
        name: one.name,
        came_out: match one.allowed {
            true => t.text("policies-allowed").to_string(),
            false => t.text("policies-refused").to_string(),
        },
        because: one.because,
        instead: one.instead,
    }
}

async fn one(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let version = text.parse().map_err(|_| Failure::not_found())?;
    let found = console.service.policy_set(member.caller(), version).await?;
    let t = member.t;
    let own = &member.signed().organisation;
    let may_put = words::may(&member, Action::ManagePolicies, own);
    let may_activate = words::may(&member, Action::ActivatePolicies, own)
        && matches!(found.view.state, PolicySetState::Tested | PolicySetState::Former);
    let (cases, untried) = match found.report {
        Some(report) => (report.cases, report.untried),
        None => (Vec::new(), Vec::new()),
    };
    let effects = found.effects.into_iter().map(|effect| {
        let badge = match effect.permits {
            true => Badge::new(Tone::Good, t.text("policies-permits")),
            false => Badge::new(Tone::Bad, t.text("policies-forbids")),
        };
        (effect.id, badge)
    });
    let page = OnePage {
        t,
        frame: member.frame(Section::Policies, t.text("policies-version").arg("version", version)),
        row: row(t, found.view),
        may_put,
        may_activate,
        effects: effects.collect(),
        warnings: found.warnings,
        tried: cases.into_iter().map(|one| case(t, one)).collect(),
        untried,
        policies: found.policies,
        cases: found.cases,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "policies/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    row: Row,
    may_put: bool,
    may_activate: bool,
    effects: Vec<(String, Badge)>,
    warnings: Vec<String>,
    tried: Vec<Case>,
    untried: Vec<String>,
    policies: String,
    cases: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    policies: String,
    cases: String,
    reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    from: String,
}

fn may_put(member: &Member) -> Result<(), Failure> {
    let own = &member.signed().organisation;
    let may = words::may(member, Action::ManagePolicies, own);
    may.then_some(()).ok_or_else(Failure::forbidden)
}

fn characters(most: usize) -> u32 {
    u32::try_from(most).unwrap_or(u32::MAX)
}

fn new_form(member: &Member, said: &Said) -> form::FormPage {
    let t = member.t;
    let fields = vec![
        Field::area(t, "policies", t.text("policies-text"))
            .hint(t.text("policies-text-hint").arg("example", "@id(\"…\")"))
            .value(&said.policies)
            .most(characters(TEXT_BYTES_MAX))
            .optional(),
        Field::area(t, "cases", t.text("policies-cases"))
            .hint(t.text("policies-cases-hint"))
            .value(&said.cases)
            .most(characters(CASES_BYTES_MAX))
            .required(),
        Field::text(t, "reason", t.text("policies-reason"))
            .hint(t.text("policies-reason-hint"))
            .value(&said.reason)
            .most(REASON_MAX)
            .required(),
    ];
    form::FormPage::new(member, Section::Policies, t.text("policies-new"), "/policies/new", HERE)
        .crumb(HERE, t.text("policies-title"))
        .lead(t.text("policies-new-lead"))
        .fields(fields)
        .button(t.text("policies-put"))
}

async fn ask_new(
    State(console): State<Console>,
    member: Member,
    Asked(from): Asked<From>,
) -> Answer {
    may_put(&member)?;
    let mut said = Said::default();
    match from.from.parse() {
        Ok(version) => {
            let found = console.service.policy_set(member.caller(), version).await?;
            (said.policies, said.cases) = (found.policies, found.cases);
        }
        Err(_) => {
            let own = &member.signed().organisation;
            said.cases = format!(
                "organisation: {own}\ndevices:\n  one: {{}}\ncases:\n  - name: own space\n    by: one\n    \
                 does: publish\n    topic: me/up/temperature\n    expect: allowed\n"
            );
        }
    }
    new_form(&member, &said).show(&member)
}

/// What a browser makes of the ends of lines is none of the author's.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

async fn put(State(console): State<Console>, member: Member, Posted(said): Posted<Said>) -> Answer {
    may_put(&member)?;
    let new = NewPolicySet {
        policies: lines(&said.policies),
        cases: lines(&said.cases),
        reason: said.reason.clone(),
    };
    match console.service.put_policy_set(member.caller(), new).await {
        Ok(made) => Ok(member.done(&format!("{HERE}/{}", made.version), "policies-put")),
        Err(error) => {
            let places =
                [("policies", "policies"), ("policy-cases", "cases"), ("reason", "reason")];
            form::refused(&member, error, "/policies/new", &places, || new_form(&member, &said))
        }
    }
}

async fn test(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Answer {
    let version = text.parse().map_err(|_| Failure::not_found())?;
    let here = format!("{HERE}/{version}");
    match console.service.test_policy_set(member.caller(), version).await {
        Ok(tested) if tested.report.passed() => Ok(member.done(&here, "policies-passed")),
        Ok(_) => Ok(member.done(&here, "policies-failed")),
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Activation {
    version: String,
    reason: String,
}

/// The form for a version, or for none.
fn activate_form(member: &Member, said: &Activation) -> form::FormPage {
    let t = member.t;
    let (title, lead) = match said.version.as_str() {
        "" => (t.text("policies-end").to_string(), t.text("policies-end-lead")),
        version => (
            t.text("policies-activate-version").arg("version", version.to_owned()).to_string(),
            t.text("policies-activate-lead"),
        ),
    };
    let fields = vec![
        Field::text(t, "reason", t.text("policies-reason"))
            .hint(t.text("policies-reason-hint"))
            .value(&said.reason)
            .most(REASON_MAX)
            .required(),
    ];
    form::FormPage::new(member, Section::Policies, title, "/policies/activate", HERE)
        .crumb(HERE, t.text("policies-title"))
        .lead(lead)
        .fields(fields)
        .hidden("version", &said.version)
        .button(t.text("policies-activate"))
}

fn may_activate(member: &Member) -> Result<(), Failure> {
    let own = &member.signed().organisation;
    let may = words::may(member, Action::ActivatePolicies, own);
    may.then_some(()).ok_or_else(Failure::forbidden)
}

async fn ask_activate(member: Member, Asked(said): Asked<Activation>) -> Answer {
    may_activate(&member)?;
    if !said.version.is_empty() && said.version.parse::<u64>().is_err() {
        return Err(Failure::not_found());
    }
    activate_form(&member, &said).show(&member)
}

async fn activate(
    State(console): State<Console>,
    member: Member,
    Posted(said): Posted<Activation>,
) -> Answer {
    may_activate(&member)?;
    let version = match said.version.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Failure::bad_request())?),
    };
    match console.service.activate_policy_set(member.caller(), version, &said.reason).await {
        Ok(_) => Ok(member.done(HERE, "policies-activated")),
        Err(error) => {
            let places = [("reason", "reason")];
            let at = "/policies/activate";
            form::refused(&member, error, at, &places, || activate_form(&member, &said))
        }
    }
}

/// The schema, for the page of a version: what its policies can speak of.
fn schema() -> &'static str {
    SCHEMA
}
