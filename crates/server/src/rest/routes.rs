//! Routes of messages (docs/routes.md).

use super::{
    extract::{Json, JsonBody, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use ::admission::TopicFilter;
use api::wire::{
    DeadLetter, DeadLetterChoice, NewRoute, Page, PageQuery, Route, RouteCount, RouteEndQuery,
    RoutePause, RoutePut, RouteRow, RouteRowQuery, RouteTrial, RouteTried, WhenFull,
    scalar::{Base64, DeviceRef, OrganisationRef},
};
use axum::extract::State;
use http::StatusCode;
use service::{DeadMessage, RouteView, RoutedRow, Sample};

/// Roots, a condition and what stands around them.
const NEW_BYTES_MAX: usize = 128 * 1024;
/// Samples, in base64.
const TRIAL_BYTES_MAX: usize = 1024 * 1024;

/// Routes of an organisation's messages, and how each stands
#[utoipa::path(get, path = "/v1/organisations/{organisation}/routes", tag = "messages",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Page<Route>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Page<Route>>, Fault> {
    let found = app.service.routes(&caller, &organisation.0).await?;
    Ok(Json(Page { items: found.into_iter().map(shown).collect(), next: None }))
}

/// A route of messages
#[utoipa::path(get, path = "/v1/organisations/{organisation}/routes/{route}", tag = "messages",
    params(("organisation" = OrganisationRef, Path),
        ("route" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    responses((status = 200, body = Route)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, route)): Path<(OrganisationRef, String)>,
) -> Result<Json<Route>, Fault> {
    Ok(Json(shown(app.service.route(&caller, &organisation.0, &route).await?)))
}

/// Makes a route of messages, or changes it
///
/// Messages that are admitted from now on and fit the rule are put into its queue before their door
/// acknowledges them. The key of a web hook is answered once, where one was made.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/routes/{route}", tag = "messages",
    params(("organisation" = OrganisationRef, Path),
        ("route" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    request_body = NewRoute, responses((status = 200, body = RoutePut)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, route)): Path<(OrganisationRef, String)>,
    JsonBody(new): JsonBody<NewRoute, NEW_BYTES_MAX>,
) -> Result<Json<RoutePut>, Fault> {
    let new = service::NewRoute {
        product: new.product,
        filter: new.topic,
        condition: new.condition,
        purpose: new.purpose,
        target: new.target,
        roots: new.roots,
        secret: new.secret.map(|text| crypto::Secret::new(text.into_bytes())),
        drops: new.when_full == WhenFull::DropOldest,
        count_max: new.queue_messages,
        bytes_max: new.queue_bytes,
        attempts_max: new.attempts,
        retention_days: new.retention_days,
    };
    let put = app.service.put_route(&caller, &organisation.0, &route, new).await?;
    let text = |key: crypto::Secret| String::from_utf8_lossy(key.expose()).into_owned();
    Ok(Json(RoutePut { route: shown(put.view), secret: put.secret.map(text) }))
}

/// Ends a route of messages
///
/// Where it keeps messages or rows, they go with it; `discard` says that this is meant.
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/routes/{route}", tag = "messages",
    params(("organisation" = OrganisationRef, Path),
        ("route" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$"),
        RouteEndQuery),
    responses((status = 204, description = "it has ended")))]
pub(super) async fn end(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, route)): Path<(OrganisationRef, String)>,
    Query(query): Query<RouteEndQuery>,
) -> Result<StatusCode, Fault> {
    let discard = query.discard.unwrap_or(false);
    app.service.end_route(&caller, &organisation.0, &route, discard).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a route of messages, or lets it go on
///
/// Messages wait meanwhile; where the queue fills, it is as with a receiver that takes nothing.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/routes/{route}/pause",
    tag = "messages",
    params(("organisation" = OrganisationRef, Path),
        ("route" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    request_body = RoutePause, responses((status = 200, body = Route)))]
pub(super) async fn pause(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, route)): Path<(OrganisationRef, String)>,
    JsonBody(pause): JsonBody<RoutePause, { body::SMALL }>,
) -> Result<Json<Route>, Fault> {
    let set = app.service.pause_route(&caller, &organisation.0, &route, pause.paused).await?;
    Ok(Json(shown(set)))
}

/// Tries a rule before it is used: which messages it takes, and what would be sent
///
/// On samples, or on the newest messages of the organisation's devices. Nothing is sent.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/route-trials", tag = "messages",
    params(("organisation" = OrganisationRef, Path)), request_body = RouteTrial,
    responses((status = 200, body = Vec<RouteTried>)))]
pub(super) async fn test(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(trial): JsonBody<RouteTrial, TRIAL_BYTES_MAX>,
) -> Result<Json<Vec<RouteTried>>, Fault> {
    let rule = service::read_rule(
        trial.rule.product.as_deref(),
        trial.rule.topic.as_deref(),
        trial.rule.condition.as_deref(),
    )?;
    let samples = trial.samples.into_iter().map(|sample| Sample {
        device: sample.device.map(|device| device.0),
        product: sample.product,
        topic: sample.topic,
        media_type: sample.media_type,
        payload: sample.payload.0,
    });
    let last = usize::try_from(trial.last).unwrap_or(usize::MAX);
    let tried =
        app.service.try_route(&caller, &organisation.0, rule, samples.collect(), last).await?;
    let shown = tried.into_iter().map(|message| RouteTried {
        device: DeviceRef(message.device),
        topic: message.topic,
        received: message.received_at.into(),
        takes: message.takes,
        sent: serde_json::from_str(&message.sent).unwrap_or_default(),
    });
    Ok(Json(shown.collect()))
}

/// Messages that the receiver of a route did not take, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/routes/{route}/dead",
    tag = "messages",
    params(("organisation" = OrganisationRef, Path),
        ("route" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$"),
        PageQuery),
    responses((status = 200, body = Page<DeadLetter>)))]
pub(super) async fn dead(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, route)): Path<(OrganisationRef, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DeadLetter>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.dead_messages(&caller, &organisation.0, &route, &page).await?;
    Ok(Json(view::paged(found, letter)))
}

/// Has messages wait again that the receiver did not take: one, or all
#[utoipa::path(post, path = "/v1/organisations/{organisation}/routes/{route}/dead/retry",
    tag = "messages",
    params(("organisation" = OrganisationRef, Path),
        ("route" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    request_body = DeadLetterChoice, responses((status = 200, body = RouteCount)))]
pub(super) async fn retry(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, route)): Path<(OrganisationRef, String)>,
    JsonBody(choice): JsonBody<DeadLetterChoice, { body::SMALL }>,
) -> Result<Json<RouteCount>, Fault> {
    let message = choice.message;
    let count = app.service.retry_dead(&caller, &organisation.0, &route, message).await?;
    Ok(Json(RouteCount { count }))
}

/// Discards messages for good that the receiver did not take: one, or all
#[utoipa::path(post, path = "/v1/organisations/{organisation}/routes/{route}/dead/discard",
    tag = "messages",
    params(("organisation" = OrganisationRef, Path),
        ("route" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$")),
    request_body = DeadLetterChoice, responses((status = 200, body = RouteCount)))]
pub(super) async fn discard(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, route)): Path<(OrganisationRef, String)>,
    JsonBody(choice): JsonBody<DeadLetterChoice, { body::SMALL }>,
) -> Result<Json<RouteCount>, Fault> {
    let message = choice.message;
    let count = app.service.discard_dead(&caller, &organisation.0, &route, message).await?;
    Ok(Json(RouteCount { count }))
}

/// Rows of a route whose target is a table, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/routes/{route}/rows",
    tag = "messages",
    params(("organisation" = OrganisationRef, Path),
        ("route" = String, Path, description = "its name", pattern = "^[a-z][a-z0-9-]{0,31}$"),
        RouteRowQuery),
    responses((status = 200, body = Page<RouteRow>)))]
pub(super) async fn rows(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, route)): Path<(OrganisationRef, String)>,
    Query(query): Query<RouteRowQuery>,
) -> Result<Json<Page<RouteRow>>, Fault> {
    let filter = query.topic.map(TopicFilter::new).transpose();
    let wanted = service::RouteRowQuery {
        device: query.device.map(|device| device.0),
        filter: filter.map_err(|error| Fault::parameter("topic", error))?,
        from: query.from.map(|at| at.0),
        until: query.until.map(|at| at.0),
    };
    let page = page(query.after, query.limit)?;
    let found = app.service.route_rows(&caller, &organisation.0, &route, wanted, &page).await?;
    Ok(Json(view::paged(found, |row| shown_row(row, &route))))
}

fn shown_row(row: RoutedRow, route: &str) -> RouteRow {
    let message = row.message;
    RouteRow {
        id: message.id,
        device: DeviceRef(message.device),
        received: message.received_at.into(),
        envelope: serde_json::from_str(&message.json(route)).unwrap_or_default(),
        topic: message.topic,
    }
}

fn letter(dead: DeadMessage) -> DeadLetter {
    let message = dead.message;
    DeadLetter {
        id: message.id,
        delivery: message.delivery(),
        device: DeviceRef(message.device),
        topic: message.topic,
        media_type: message.media_type,
        payload: Base64(message.payload),
        received: message.received_at.into(),
        dead: dead.dead_at.into(),
        why: dead.why,
    }
}

fn shown(view: RouteView) -> Route {
    Route {
        name: view.name,
        product: view.product,
        topic: view.filter,
        condition: view.condition,
        purpose: view.purpose,
        target: view.target,
        roots: view.roots,
        paused: view.paused,
        when_full: if view.drops { WhenFull::DropOldest } else { WhenFull::Refuse },
        queue_messages: view.count_max,
        queue_bytes: view.bytes_max,
        attempts: view.attempts_max,
        retention_days: view.retention_days,
        created: view.created_at.into(),
        created_by: view.created_by,
        changed: view.changed_at.into(),
        changed_by: view.changed_by,
        waiting: view.waiting,
        dead: view.dead,
        rows: view.rows,
        bytes: view.bytes,
        delivered: view.delivered,
        dropped: view.dropped,
        withheld: view.withheld,
        delivered_at: view.delivered_at.map(Into::into),
        failing_since: view.failing_since.map(Into::into),
        failure: view.failure,
    }
}
