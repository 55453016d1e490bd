//! The organisation's schemas for payloads (GW-7): versions, what came of their cases and of payloads,
//! what is in force and how, and of which product lines only topics with a schema are taken.

use super::{form, listing, sensitive, words};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Choice, Empty, Field, Icon, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use policy::Action;
use schema::{CASES_BYTES_MAX, DESCRIPTORS_BYTES_MAX, Definition, Kind, Tried};
use serde::Deserialize;
use service::{
    NewSchema, Page, PolicySetState, SchemaFound, SchemaMode, SchemaStrictness, SchemaView,
};

const HERE: &str = "/schemas";
/// Activations on the page.
const ACTIVATIONS: u32 = 20;
/// Versions on the page of a schema.
const VERSIONS: u32 = 50;
/// Longest reason, in characters.
const REASON_MAX: u32 = 300;
const MODES: [SchemaMode; 2] = [SchemaMode::Observe, SchemaMode::Enforce];

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/schemas", get(list))
        .route("/schemas/new", get(ask_new).post(put))
        .route("/schemas/activate", get(ask_activate).post(activate))
        .route("/schemas/strict", get(ask_strict).post(strict))
        .route("/schemas/{schema}", get(versions))
        .route("/schemas/{schema}/{version}", get(one))
        .route("/schemas/{schema}/{version}/test", post(test))
}

fn state(t: Locale, view: &SchemaView) -> Badge {
    match (view.state, view.mode) {
        (PolicySetState::Active, Some(mode)) => {
            let tone = if mode == SchemaMode::Enforce { Tone::Good } else { Tone::Info };
            Badge::new(tone, t.word("schema-mode", mode.name()))
        }
        (state, _) => {
            let tone = match state {
                PolicySetState::Tested => Tone::Info,
                PolicySetState::Former => Tone::Held,
                PolicySetState::Draft | PolicySetState::Active => Tone::Neutral,
            };
            Badge::new(tone, t.word("policy-state", state.name()))
        }
    }
}

struct Row {
    name: String,
    version: u64,
    state: Badge,
    kind: &'static str,
    topic: String,
    product: Option<String>,
    tested: String,
    reason: String,
    by: String,
    at: Moment,
}

fn row(t: Locale, one: SchemaView) -> Row {
    let cases = t.text("policies-cases-count").arg("count", one.cases).to_string();
    Row {
        state: state(t, &one),
        name: one.name,
        version: one.version,
        kind: language(one.kind),
        topic: one.topic,
        product: one.product,
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

/// What a language is called, in every language.
fn language(kind: Kind) -> &'static str {
    match kind {
        Kind::JsonSchema => "JSON Schema",
        Kind::Cddl => "CDDL",
        Kind::Protobuf => "Protobuf",
    }
}

struct Strict {
    product: Option<String>,
    reason: String,
    by: String,
    at: Moment,
}

fn strict_row(t: Locale, one: SchemaStrictness) -> Strict {
    Strict { product: one.product, reason: one.reason, by: one.by, at: t.time(one.at) }
}

async fn list(State(console): State<Console>, member: Member) -> Answer {
    let (service, caller, t) = (&console.service, member.caller(), member.t);
    let rows = service.schemas(caller).await?;
    let strict = service.schema_strictness(caller).await?;
    let own = &member.signed().organisation;
    let page = ListPage {
        t,
        frame: member.frame(Section::Schemas, t.text("schemas-title")),
        may_put: words::may(&member, Action::ManagePolicies, own),
        may_activate: words::may(&member, Action::ActivatePolicies, own),
        rows: rows.into_iter().map(|one| row(t, one)).collect(),
        strict: strict.into_iter().map(|one| strict_row(t, one)).collect(),
        empty: Empty::new(Icon::Gate, t.text("schemas-empty"), t.text("schemas-empty-hint")),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "schemas/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    may_put: bool,
    may_activate: bool,
    rows: Vec<Row>,
    strict: Vec<Strict>,
    empty: Empty,
}

struct Activated {
    version: Option<u64>,
    mode: String,
    reason: String,
    by: String,
    at: Moment,
}

async fn versions(
    State(console): State<Console>,
    member: Member,
    Path(name): Path<String>,
) -> Answer {
    let (service, caller, t) = (&console.service, member.caller(), member.t);
    let most = Page { after: None, limit: VERSIONS };
    let found = service.schema_versions(caller, &name, &most).await?.items;
    let newest = Page { after: None, limit: ACTIVATIONS };
    let activations = service.schema_activations(caller, &name, &newest).await?.items;
    let own = &member.signed().organisation;
    let activated = activations.into_iter().map(|one| Activated {
        version: one.version,
        mode: t.word("schema-mode", one.mode.name()).to_string(),
        reason: one.reason,
        by: one.by,
        at: t.time(one.at),
    });
    let activations: Vec<_> = activated.collect();
    let page = VersionsPage {
        t,
        frame: member.frame(Section::Schemas, &name),
        may_retire: words::may(&member, Action::ActivatePolicies, own)
            && activations.first().is_some_and(|done| done.version.is_some()),
        rows: found.into_iter().map(|one| row(t, one)).collect(),
        activations,
        name,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "schemas/versions.html")]
struct VersionsPage {
    t: Locale,
    frame: Frame,
    may_retire: bool,
    name: String,
    rows: Vec<Row>,
    activations: Vec<Activated>,
}

struct Case {
    badge: Badge,
    name: String,
    came_out: String,
    why: Option<String>,
    instead: Option<String>,
    steps: String,
}

fn case(t: Locale, one: Tried) -> Case {
    Case {
        badge: match one.passed {
            true => Badge::new(Tone::Good, t.text("policies-passed")),
            false => Badge::new(Tone::Bad, t.text("policies-not-passed")),
        },
        name: one.name,
        came_out: match one.accepted {
            true => t.text("schemas-accepted").to_string(),
            false => t.text("policies-refused").to_string(),
        },
        why: one.why,
        instead: one.instead,
        steps: t.number(one.steps),
    }
}

struct FoundRow {
    rule: Option<String>,
    count: String,
    last: Moment,
    place: String,
    topic: String,
    device: String,
}

fn found_row(t: Locale, one: SchemaFound) -> FoundRow {
    FoundRow {
        rule: one.rule,
        count: t.number(one.count),
        last: t.time(one.last_at),
        place: one.place,
        topic: one.topic,
        device: one.device.to_string(),
    }
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path((name, text)): Path<(String, String)>,
) -> Answer {
    let version = text.parse().map_err(|_| Failure::not_found())?;
    let found = console.service.schema_version(member.caller(), &name, version).await?;
    let t = member.t;
    let own = &member.signed().organisation;
    let may_activate = words::may(&member, Action::ActivatePolicies, own)
        && found.view.state != PolicySetState::Draft;
    let source = match found.view.kind {
        Kind::Protobuf => {
            let bytes = t.number(u64::try_from(found.source.len()).unwrap_or(u64::MAX));
            let root = found.view.root.clone().unwrap_or_default();
            t.text("schemas-descriptors").arg("bytes", bytes).arg("root", root).to_string()
        }
        Kind::JsonSchema | Kind::Cddl => String::from_utf8_lossy(&found.source).into_owned(),
    };
    let report = found.report.map(|report| report.cases).unwrap_or_default();
    let title = format!("{name} · {}", t.text("policies-version").arg("version", version));
    let page = OnePage {
        t,
        frame: member.frame(Section::Schemas, title),
        may_put: words::may(&member, Action::ManagePolicies, own),
        may_activate,
        from: found.view.kind != Kind::Protobuf,
        row: row(t, found.view),
        warnings: found.warnings,
        tried: report.into_iter().map(|one| case(t, one)).collect(),
        found: found.found.into_iter().map(|one| found_row(t, one)).collect(),
        source,
        cases: found.cases,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "schemas/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    may_put: bool,
    may_activate: bool,
    /// whether its text can be changed in a form
    from: bool,
    row: Row,
    warnings: Vec<String>,
    tried: Vec<Case>,
    found: Vec<FoundRow>,
    source: String,
    cases: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    name: String,
    kind: String,
    schema: String,
    root: String,
    unknown: String,
    topic: String,
    product: String,
    cases: String,
    reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    schema: String,
    version: String,
}

fn may(member: &Member, action: Action) -> Result<(), Failure> {
    let own = &member.signed().organisation;
    words::may(member, action, own).then_some(()).ok_or_else(Failure::forbidden)
}

fn characters(most: usize) -> u32 {
    u32::try_from(most).unwrap_or(u32::MAX)
}

fn reason_field(t: Locale, value: &str) -> Field {
    Field::text(t, "reason", t.text("policies-reason"))
        .hint(t.text("schemas-reason-hint"))
        .value(value)
        .most(REASON_MAX)
        .required()
}

fn new_form(member: &Member, said: &Said) -> form::FormPage {
    let t = member.t;
    let kinds = Kind::ALL.iter().map(|kind| Choice::new(kind.name(), language(*kind)));
    let unknown = vec![
        Choice::new("no", t.text("schemas-unknown-no")),
        Choice::new("yes", t.text("schemas-unknown-yes")),
    ];
    let fields = vec![
        Field::text(t, "name", t.text("schemas-name"))
            .hint(t.text("schemas-name-hint"))
            .value(&said.name)
            .most(64)
            .required(),
        Field::select(t, "kind", t.text("schemas-kind"), kinds.collect()).value(&said.kind),
        Field::area(t, "schema", t.text("schemas-text"))
            .hint(t.text("schemas-text-hint"))
            .value(&said.schema)
            .most(characters(DESCRIPTORS_BYTES_MAX.saturating_mul(4) / 3 + 4))
            .required(),
        Field::text(t, "root", t.text("schemas-root"))
            .hint(t.text("schemas-root-hint"))
            .value(&said.root)
            .most(256)
            .optional(),
        Field::select(t, "unknown", t.text("schemas-unknown"), unknown).value(&said.unknown),
        Field::text(t, "topic", t.text("policies-topic"))
            .hint(t.text("schemas-topic-hint").arg("example", "up/telemetry/+"))
            .value(&said.topic)
            .most(1024)
            .required(),
        Field::text(t, "product", t.text("schemas-product"))
            .hint(t.text("schemas-product-hint"))
            .value(&said.product)
            .most(200)
            .optional(),
        Field::area(t, "cases", t.text("policies-cases"))
            .hint(t.text("schemas-cases-hint"))
            .value(&said.cases)
            .most(characters(CASES_BYTES_MAX))
            .required(),
        reason_field(t, &said.reason),
    ];
    form::FormPage::new(member, Section::Schemas, t.text("policies-new"), "/schemas/new", HERE)
        .crumb(HERE, t.text("schemas-title"))
        .lead(t.text("policies-new-lead"))
        .fields(fields)
        .button(t.text("policies-put"))
}

async fn ask_new(
    State(console): State<Console>,
    member: Member,
    Asked(from): Asked<From>,
) -> Answer {
    may(&member, Action::ManagePolicies)?;
    let mut said = Said {
        kind: Kind::JsonSchema.name().to_owned(),
        schema: "{\n  \"type\": \"object\"\n}\n".to_owned(),
        cases:
            "cases:\n  - { name: an object, text: '{}', expect: accepted }\n  - { name: a number, \
                text: '1', expect: refused }\n"
                .to_owned(),
        ..Said::default()
    };
    if let Ok(version) = from.version.parse() {
        let found = console.service.schema_version(member.caller(), &from.schema, version).await?;
        let view = found.view;
        said = Said {
            name: view.name,
            kind: view.kind.name().to_owned(),
            schema: String::from_utf8(found.source).unwrap_or_default(),
            root: view.root.unwrap_or_default(),
            unknown: if view.unknown_fields { "yes".to_owned() } else { "no".to_owned() },
            topic: view.topic,
            product: view.product.unwrap_or_default(),
            cases: found.cases,
            reason: String::new(),
        };
    }
    new_form(&member, &said).show(&member)
}

/// What a browser makes of the ends of lines is none of the author's.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

async fn put(State(console): State<Console>, member: Member, Posted(said): Posted<Said>) -> Answer {
    may(&member, Action::ManagePolicies)?;
    let kind = Kind::from_name(&said.kind).ok_or_else(Failure::bad_request)?;
    let source = match kind {
        // What is no base64 is no descriptor set either, which the service says in better words.
        Kind::Protobuf => {
            let text: String = said.schema.split_whitespace().collect();
            STANDARD.decode(text).unwrap_or_else(|_| b"?".to_vec())
        }
        Kind::JsonSchema | Kind::Cddl => lines(&said.schema).into_bytes(),
    };
    let unknown_fields = said.unknown == "yes" && kind == Kind::Protobuf;
    let new = NewSchema {
        name: said.name.trim().to_owned(),
        definition: Definition { kind, source, root: some(&said.root), unknown_fields },
        topic: said.topic.trim().to_owned(),
        product: some(&said.product),
        cases: lines(&said.cases),
        reason: said.reason.clone(),
    };
    match console.service.put_schema(member.caller(), new).await {
        Ok(made) => {
            Ok(member.done(&format!("{HERE}/{}/{}", made.name, made.version), "policies-put"))
        }
        Err(error) => {
            let places = [
                ("schema", "schema"),
                ("schema-name", "name"),
                ("schema-cases", "cases"),
                ("topic", "topic"),
                ("product", "product"),
                ("reason", "reason"),
            ];
            form::refused(&member, error, "/schemas/new", &places, || new_form(&member, &said))
        }
    }
}

async fn test(
    State(console): State<Console>,
    member: Member,
    Path((name, text)): Path<(String, String)>,
    _form: Fields,
) -> Answer {
    let version = text.parse().map_err(|_| Failure::not_found())?;
    let here = format!("{HERE}/{}/{version}", listing::segment(&name));
    match console.service.test_schema(member.caller(), &name, version).await {
        Ok(tested) if tested.report.passed() => Ok(member.done(&here, "policies-passed")),
        Ok(_) => Ok(member.done(&here, "policies-failed")),
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Activation {
    schema: String,
    version: String,
    mode: String,
    reason: String,
}

/// The form for a version, or for none.
fn activate_form(member: &Member, said: &Activation) -> form::FormPage {
    let t = member.t;
    let (title, lead) = match said.version.as_str() {
        "" => (
            t.text("schemas-retire-name").arg("name", said.schema.clone()).to_string(),
            t.text("schemas-retire-lead"),
        ),
        version => (
            format!(
                "{}: {}",
                said.schema,
                t.text("policies-activate-version").arg("version", version.to_owned())
            ),
            t.text("schemas-activate-lead"),
        ),
    };
    let mut fields = Vec::new();
    if !said.version.is_empty() {
        let modes =
            MODES.iter().map(|mode| Choice::new(mode.name(), t.word("schema-how", mode.name())));
        let chosen = if said.mode.is_empty() { SchemaMode::Observe.name() } else { &said.mode };
        fields
            .push(Field::select(t, "mode", t.text("schemas-mode"), modes.collect()).value(chosen));
    }
    fields.push(reason_field(t, &said.reason));
    let button = if said.version.is_empty() { "schemas-retire" } else { "policies-activate" };
    form::FormPage::new(member, Section::Schemas, title, "/schemas/activate", HERE)
        .crumb(HERE, t.text("schemas-title"))
        .lead(lead)
        .fields(fields)
        .hidden("schema", &said.schema)
        .hidden("version", &said.version)
        .button(t.text(button))
}

async fn ask_activate(member: Member, Asked(said): Asked<Activation>) -> Answer {
    may(&member, Action::ActivatePolicies)?;
    if said.schema.is_empty() || (!said.version.is_empty() && said.version.parse::<u64>().is_err())
    {
        return Err(Failure::not_found());
    }
    activate_form(&member, &said).show(&member)
}

async fn activate(
    State(console): State<Console>,
    member: Member,
    Posted(said): Posted<Activation>,
) -> Answer {
    may(&member, Action::ActivatePolicies)?;
    let version = match said.version.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Failure::bad_request())?),
    };
    let mode = MODES.iter().find(|mode| mode.name() == said.mode);
    let mode = mode.copied().unwrap_or(SchemaMode::Enforce);
    let (service, caller) = (&console.service, member.caller());
    match service.activate_schema(caller, &said.schema, version, mode, &said.reason).await {
        Ok(done) => Ok(member.done(&format!("{HERE}/{}", done.name), "policies-activated")),
        Err(error) => {
            let places = [("reason", "reason")];
            let at = "/schemas/activate";
            form::refused(&member, error, at, &places, || activate_form(&member, &said))
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Strictness {
    product: String,
    strict: String,
    reason: String,
}

fn strict_form(member: &Member, said: &Strictness) -> form::FormPage {
    let t = member.t;
    let choices = vec![
        Choice::new("on", t.text("schemas-strict-on")),
        Choice::new("off", t.text("schemas-strict-off")),
    ];
    let fields = vec![
        Field::text(t, "product", t.text("schemas-product"))
            .hint(t.text("schemas-product-hint"))
            .value(&said.product)
            .most(200)
            .optional(),
        Field::select(t, "strict", t.text("schemas-strict"), choices).value(&said.strict),
        reason_field(t, &said.reason),
    ];
    form::FormPage::new(member, Section::Schemas, t.text("schemas-strict"), "/schemas/strict", HERE)
        .crumb(HERE, t.text("schemas-title"))
        .lead(t.text("schemas-strict-lead"))
        .fields(fields)
        .button(t.text("schemas-strict-save"))
}

async fn ask_strict(member: Member, Asked(said): Asked<Strictness>) -> Answer {
    may(&member, Action::ActivatePolicies)?;
    strict_form(&member, &said).show(&member)
}

async fn strict(
    State(console): State<Console>,
    member: Member,
    Posted(said): Posted<Strictness>,
) -> Answer {
    may(&member, Action::ActivatePolicies)?;
    let (product, on) = (some(&said.product), said.strict == "on");
    let (service, caller) = (&console.service, member.caller());
    match service.set_schema_strictness(caller, product.as_deref(), on, &said.reason).await {
        Ok(_) => Ok(member.done(HERE, "policies-activated")),
        Err(error) => {
            let places = [("product", "product"), ("reason", "reason")];
            let at = "/schemas/strict";
            form::refused(&member, error, at, &places, || strict_form(&member, &said))
        }
    }
}
