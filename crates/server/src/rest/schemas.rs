//! An organisation's schemas for payloads (docs/schemas.md).

use super::{
    extract::{Created, Json, JsonBody, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use api::wire::{
    ActivateSchema, NewSchema, Page, PageQuery, PolicySetTested, SchemaActivation, SchemaDetail,
    SchemaFound, SchemaKind, SchemaMode, SchemaReport, SchemaTest, SchemaVersion, SetStrictness,
    Strictness, TriedSchemaCase,
    scalar::{Base64, DeviceRef},
};
use axum::extract::State;
use schema::{Definition, Kind};
use service::SchemaView;

/// A descriptor set and cases, written as widely as JSON allows within reason.
const SCHEMA_BYTES_MAX: usize = 768 * 1024;
const ACTIVATE_BYTES_MAX: usize = 4 * 1024;

/// Schemas of the organisation: of each the version in force, or the newest where none is
#[utoipa::path(get, path = "/v1/schemas", tag = "messages",
    responses((status = 200, body = Vec<SchemaVersion>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<Vec<SchemaVersion>>, Fault> {
    let found = app.service.schemas(&caller).await?;
    Ok(Json(found.into_iter().map(shown).collect()))
}

/// Puts a version of a schema in
///
/// A draft: it is in force nowhere until its cases were tried and somebody activates it. What is wrong
/// with it is told with its place.
#[utoipa::path(post, path = "/v1/schemas/{schema}/versions", tag = "messages",
    params(("schema" = String, Path, max_length = 64, description = "what the schema is called: small letters, digits and hyphens")),
    request_body = NewSchema, responses((status = 201, body = SchemaVersion)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Authenticated,
    Path(name): Path<String>,
    JsonBody(new): JsonBody<NewSchema, SCHEMA_BYTES_MAX>,
) -> Result<Created<SchemaVersion>, Fault> {
    let kind = match new.kind {
        SchemaKind::JsonSchema => Kind::JsonSchema,
        SchemaKind::Cddl => Kind::Cddl,
        SchemaKind::Protobuf => Kind::Protobuf,
    };
    let (root, unknown_fields) = (new.root, new.unknown_fields);
    let new = service::NewSchema {
        name,
        definition: Definition { kind, source: new.schema.0, root, unknown_fields },
        topic: new.topic,
        product: new.product,
        cases: new.cases,
        reason: new.reason,
    };
    Ok(Created(shown(app.service.put_schema(&caller, new).await?)))
}

/// Versions of a schema, newest first
#[utoipa::path(get, path = "/v1/schemas/{schema}/versions", tag = "messages",
    params(("schema" = String, Path, max_length = 64), PageQuery),
    responses((status = 200, body = Page<SchemaVersion>)))]
pub(super) async fn versions(
    State(app): State<App>,
    caller: Authenticated,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<SchemaVersion>>, Fault> {
    let page = page(query.after, query.limit)?;
    Ok(Json(view::paged(app.service.schema_versions(&caller, &name, &page).await?, shown)))
}

/// A version with its schema and cases, what comes of them, and what came of payloads
#[utoipa::path(get, path = "/v1/schemas/{schema}/versions/{set}", tag = "messages",
    params(("schema" = String, Path, max_length = 64),
        ("set" = u64, Path, minimum = 1, description = "number of the version")),
    responses((status = 200, body = SchemaDetail)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((name, version)): Path<(String, u64)>,
) -> Result<Json<SchemaDetail>, Fault> {
    let found = app.service.schema_version(&caller, &name, version).await?;
    let rows = found.found.into_iter().map(|row| SchemaFound {
        rule: row.rule,
        count: row.count,
        last: row.last_at.into(),
        place: row.place,
        topic: row.topic,
        device: DeviceRef(row.device),
    });
    Ok(Json(SchemaDetail {
        version: shown(found.view),
        schema: Base64(found.source),
        cases: found.cases,
        warnings: found.warnings,
        report: found.report.map(report),
        found: rows.collect(),
    }))
}

/// Tries the cases of a version
///
/// What came of them stays with the version; one of which all came out as expected may be activated.
#[utoipa::path(post, path = "/v1/schemas/{schema}/versions/{set}/test", tag = "messages",
    params(("schema" = String, Path, max_length = 64),
        ("set" = u64, Path, minimum = 1, description = "number of the version")),
    responses((status = 200, body = SchemaTest)))]
pub(super) async fn test(
    State(app): State<App>,
    caller: Authenticated,
    Path((name, version)): Path<(String, u64)>,
) -> Result<Json<SchemaTest>, Fault> {
    let tested = app.service.test_schema(&caller, &name, version).await?;
    Ok(Json(SchemaTest { version: shown(tested.view), report: report(tested.report) }))
}

/// What was put in force of a schema, newest first: the first of them is
#[utoipa::path(get, path = "/v1/schemas/{schema}/activations", tag = "messages",
    params(("schema" = String, Path, max_length = 64), PageQuery),
    responses((status = 200, body = Page<SchemaActivation>)))]
pub(super) async fn activations(
    State(app): State<App>,
    caller: Authenticated,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<SchemaActivation>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.schema_activations(&caller, &name, &page).await?;
    Ok(Json(view::paged(found, activation)))
}

/// Puts a version of a schema in force at every door, for open sessions too
///
/// An older version is put in force again in the same way; without a version the schema is retired.
#[utoipa::path(post, path = "/v1/schemas/{schema}/activations", tag = "messages",
    params(("schema" = String, Path, max_length = 64)),
    request_body = ActivateSchema, responses((status = 201, body = SchemaActivation)))]
pub(super) async fn activate(
    State(app): State<App>,
    caller: Authenticated,
    Path(name): Path<String>,
    JsonBody(wanted): JsonBody<ActivateSchema, ACTIVATE_BYTES_MAX>,
) -> Result<Created<SchemaActivation>, Fault> {
    let mode = match wanted.mode {
        SchemaMode::Enforce => service::SchemaMode::Enforce,
        SchemaMode::Observe => service::SchemaMode::Observe,
    };
    let (version, reason) = (wanted.version, &wanted.reason);
    let done = app.service.activate_schema(&caller, &name, version, mode, reason).await?;
    Ok(Created(activation(done)))
}

/// Product lines of which only topics with a schema are taken
#[utoipa::path(get, path = "/v1/schema-strictness", tag = "messages",
    responses((status = 200, body = Vec<Strictness>)))]
pub(super) async fn strictness(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<Vec<Strictness>>, Fault> {
    let found = app.service.schema_strictness(&caller).await?;
    Ok(Json(found.into_iter().map(strict).collect()))
}

/// Says of a product line whether only topics with a schema are taken
#[utoipa::path(post, path = "/v1/schema-strictness", tag = "messages",
    request_body = SetStrictness, responses((status = 201, body = Vec<Strictness>)))]
pub(super) async fn set_strictness(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(wanted): JsonBody<SetStrictness, ACTIVATE_BYTES_MAX>,
) -> Result<Created<Vec<Strictness>>, Fault> {
    let SetStrictness { product, strict: wanted, reason } = wanted;
    let service = &app.service;
    let found = service.set_schema_strictness(&caller, product.as_deref(), wanted, &reason).await?;
    Ok(Created(found.into_iter().map(strict).collect()))
}

fn strict(row: service::SchemaStrictness) -> Strictness {
    Strictness { product: row.product, reason: row.reason, by: row.by, at: row.at.into() }
}

fn mode(mode: service::SchemaMode) -> SchemaMode {
    match mode {
        service::SchemaMode::Enforce => SchemaMode::Enforce,
        service::SchemaMode::Observe => SchemaMode::Observe,
    }
}

fn shown(view: SchemaView) -> SchemaVersion {
    SchemaVersion {
        name: view.name,
        version: view.version,
        state: view.state.name().to_owned(),
        mode: view.mode.map(mode),
        kind: match view.kind {
            Kind::JsonSchema => SchemaKind::JsonSchema,
            Kind::Cddl => SchemaKind::Cddl,
            Kind::Protobuf => SchemaKind::Protobuf,
        },
        media_types: view.kind.media_types().iter().map(|&it| it.to_owned()).collect(),
        root: view.root,
        unknown_fields: view.unknown_fields,
        topic: view.topic,
        product: view.product,
        reason: view.reason,
        made_by: view.made_by,
        made: view.made_at.into(),
        cases: view.cases,
        tested: view.tested.map(|(at, by, failures)| PolicySetTested {
            at: at.into(),
            by,
            failures,
        }),
    }
}

fn report(report: schema::Report) -> SchemaReport {
    SchemaReport {
        passed: report.passed(),
        cases: report
            .cases
            .into_iter()
            .map(|case| TriedSchemaCase {
                name: case.name,
                passed: case.passed,
                accepted: case.accepted,
                why: case.why,
                instead: case.instead,
                steps: case.steps,
            })
            .collect(),
    }
}

fn activation(done: service::SchemaActivation) -> SchemaActivation {
    SchemaActivation {
        name: done.name,
        version: done.version,
        mode: mode(done.mode),
        reason: done.reason,
        by: done.by,
        at: done.at.into(),
    }
}
