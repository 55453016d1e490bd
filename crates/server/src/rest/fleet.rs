//! The fleet: search, CSV, acts on behalf, parts, views, jobs, overview.

use super::{
    extract::{Created, Json, JsonBody, Lang, Path, Query, line, page, parsed},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    self, ActWanted, CsvQuery, DeviceList, Job, JobPreview, NewJob, NewView, OfOrganisation,
    Overview, Page, PageQuery, PartNode, Recorded, SavedView, SearchQuery,
    scalar::{
        DeviceRef, EventKindName, KindName, OrganisationRef, OutcomeName, PhaseName, ProductRef,
        StandingName,
    },
};
use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use device::{Language, OrganisationId};
use http::{HeaderValue, StatusCode, header};
use service::{
    Attention, BulkAct, DeviceAct, DeviceOrder, DeviceSearch, JobId, Selection, ServiceError,
    VerdictFilter,
};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Days of *expiring* and *stale* where nobody says.
const DAYS: u32 = 30;
/// Most days: the description says the same.
const DAYS_MAX: u32 = 3650;

/// Devices that fit, page by page in both directions
///
/// Answers within a bounded time whatever is asked for: where few devices fit, a page may be
/// `partial`, even empty, and the search goes on from `next`.
#[utoipa::path(get, path = "/v1/devices/search", tag = "fleet", params(SearchQuery),
    responses((status = 200, body = DeviceList)))]
pub(super) async fn search(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<SearchQuery>,
) -> Result<Json<DeviceList>, Fault> {
    let page = page(query.after.clone(), query.limit)?;
    let (organisation, wanted) = search_of(&caller, query)?;
    let found = app.service.search_devices(&caller, &organisation, &wanted, &page).await?;
    let items = found.items.into_iter().map(device_line).collect();
    let (next, previous, partial) = (found.next, found.previous, found.partial);
    Ok(Json(DeviceList { items, next, previous, partial }))
}

/// All devices that fit, as CSV
///
/// There are no pages: `after` and `limit` change nothing.
#[utoipa::path(get, path = "/v1/devices/export", tag = "fleet", params(SearchQuery),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn export(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Fault> {
    let bom = query.bom.unwrap_or(false);
    // There are no pages here, but what is malformed is said to be.
    page(query.after.clone(), query.limit)?;
    let (organisation, wanted) = search_of(&caller, query)?;
    let mut stream = app.service.export_devices(&caller, &organisation, &wanted, bom).await?;
    let (pieces, body) = Pieces::new();
    tokio::spawn(async move {
        while let Some(piece) = stream.next().await {
            if !pieces.send(piece).await {
                return;
            }
        }
    });
    Ok(csv(body, "devices.csv"))
}

/// Parts of a device and their parts, each with its standing
#[utoipa::path(get, path = "/v1/devices/{device}/parts", tag = "fleet",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Vec<PartNode>)))]
pub(super) async fn parts(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Vec<PartNode>>, Fault> {
    let parts = app.service.parts_tree(&caller, &device.0).await?;
    Ok(Json(parts.into_iter().map(part_node).collect()))
}

/// Does something to a device on behalf of the caller's organisation
///
/// The platform signs the event and the event says so (docs/event.md, on behalf).
#[utoipa::path(post, path = "/v1/devices/{device}/acts", tag = "fleet",
    params(("device" = DeviceRef, Path)), request_body = ActWanted,
    responses((status = 200, body = Recorded)))]
pub(super) async fn act(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    JsonBody(wanted): JsonBody<ActWanted, { body::SMALL }>,
) -> Result<Json<Recorded>, Fault> {
    let reason = wanted.reason.clone();
    let act = act_of(wanted)?;
    let service = &app.service;
    let recorded = service.perform_act_because(&caller, &device.0, &act, reason.as_deref()).await?;
    Ok(Json(view::recorded(recorded)))
}

/// What an act would bring about, or why it would be refused; changes nothing
#[utoipa::path(post, path = "/v1/devices/{device}/acts/preview", tag = "fleet",
    params(("device" = DeviceRef, Path)), request_body = ActWanted,
    responses((status = 200, body = wire::ActPreview)))]
pub(super) async fn preview(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(device): Path<DeviceRef>,
    JsonBody(wanted): JsonBody<ActWanted, { body::SMALL }>,
) -> Result<Json<wire::ActPreview>, Fault> {
    let act = act_of(wanted)?;
    let preview = app.service.preview_act(&caller, &device.0, &act).await?;
    Ok(Json(wire::ActPreview {
        allowed: preview.allowed(),
        refusal: preview.refusal.map(|problem| refusal(&problem, language)),
        consequences: preview
            .consequences
            .iter()
            .map(|consequence| wire::Consequence {
                code: consequence.code().to_owned(),
                en: consequence.text(Language::En),
                ja: consequence.text(Language::Ja),
            })
            .collect(),
    }))
}

/// The fleet at a glance
#[utoipa::path(get, path = "/v1/overview", tag = "fleet", params(OfOrganisation),
    responses((status = 200, body = Overview)))]
pub(super) async fn overview(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<OfOrganisation>,
) -> Result<Json<Overview>, Fault> {
    let organisation = organisation_of(&caller, query.organisation)?;
    Ok(Json(overview_view(app.service.overview(&caller, &organisation).await?)))
}

/// The caller's own views
#[utoipa::path(get, path = "/v1/views", tag = "fleet",
    responses((status = 200, body = Vec<SavedView>)))]
pub(super) async fn views(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<Vec<SavedView>>, Fault> {
    let views = app.service.saved_views(&caller, caller.of()?).await?;
    Ok(Json(views.into_iter().map(saved_view).collect()))
}

/// Saves a view under a name, in place of one of the same name
#[utoipa::path(post, path = "/v1/views", tag = "fleet", request_body = NewView,
    responses((status = 201, body = SavedView)))]
pub(super) async fn save_view(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewView, { body::SMALL }>,
) -> Result<Created<SavedView>, Fault> {
    let view = app.service.save_view(&caller, caller.of()?, &new.name, &new.query).await?;
    Ok(Created(saved_view(view)))
}

/// Deletes a view of the caller's own
#[utoipa::path(delete, path = "/v1/views/{view}", tag = "fleet",
    params(("view" = String, Path, description = "its name")),
    responses((status = 204, description = "it is deleted")))]
pub(super) async fn delete_view(
    State(app): State<App>,
    caller: Authenticated,
    Path(view): Path<String>,
) -> Result<StatusCode, Fault> {
    app.service.delete_view(&caller, caller.of()?, &view).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many devices a job would take, and what would become of the first of them
#[utoipa::path(post, path = "/v1/jobs/preview", tag = "fleet", request_body = NewJob,
    responses((status = 200, body = JobPreview)))]
pub(super) async fn preview_job(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    JsonBody(new): JsonBody<NewJob, { body::BATCH }>,
) -> Result<Json<JobPreview>, Fault> {
    let (organisation, act, selection) = bulk(&caller, &new)?;
    let preview = app.service.preview_bulk(&caller, &organisation, &act, &selection).await?;
    Ok(Json(JobPreview {
        devices: preview.devices,
        tried: preview.tried,
        allowed: preview.allowed,
        refusals: preview
            .refusals
            .iter()
            .map(|(problem, count)| {
                let wire::Refusal { code, text } = refusal(problem, language);
                wire::RefusalCount { code, text, count: *count }
            })
            .collect(),
    }))
}

/// Starts a job: one act on many devices
#[utoipa::path(post, path = "/v1/jobs", tag = "fleet", request_body = NewJob,
    responses((status = 201, body = Job)))]
pub(super) async fn start_job(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewJob, { body::BATCH }>,
) -> Result<Created<Job>, Fault> {
    line("reason", &new.reason, 200)?;
    let (organisation, act, selection) = bulk(&caller, &new)?;
    let job = app.service.start_bulk(&caller, &organisation, &act, &selection, &new.reason).await?;
    Ok(Created(job_view(job)))
}

/// Jobs of the caller's organisation, newest first
#[utoipa::path(get, path = "/v1/jobs", tag = "fleet", params(PageQuery),
    responses((status = 200, body = Page<Job>)))]
pub(super) async fn jobs(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Job>>, Fault> {
    let page = page(query.after, query.limit)?;
    let jobs = app.service.jobs(&caller, caller.of()?, &page).await?;
    Ok(Json(view::paged(jobs, job_view)))
}

/// One job
#[utoipa::path(get, path = "/v1/jobs/{job}", tag = "fleet",
    params(("job" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Job)))]
pub(super) async fn job(
    State(app): State<App>,
    caller: Authenticated,
    Path(job): Path<String>,
) -> Result<Json<Job>, Fault> {
    Ok(Json(job_view(app.service.job(&caller, &job_id(&job)?).await?)))
}

/// Cancels a job; devices that are not done stay as they are
#[utoipa::path(post, path = "/v1/jobs/{job}/cancel", tag = "fleet",
    params(("job" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Job)))]
pub(super) async fn cancel_job(
    State(app): State<App>,
    caller: Authenticated,
    Path(job): Path<String>,
) -> Result<Json<Job>, Fault> {
    Ok(Json(job_view(app.service.cancel_job(&caller, &job_id(&job)?).await?)))
}

/// What came of each device so far, as CSV
#[utoipa::path(get, path = "/v1/jobs/{job}/result", tag = "fleet",
    params(("job" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$"), CsvQuery),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn job_result(
    State(app): State<App>,
    caller: Authenticated,
    Path(job): Path<String>,
    Query(query): Query<CsvQuery>,
) -> Result<Response, Fault> {
    let bom = query.bom.unwrap_or(false);
    let mut stream = app.service.job_result(&caller, &job_id(&job)?, bom).await?;
    let (pieces, body) = Pieces::new();
    tokio::spawn(async move {
        while let Some(piece) = stream.next().await {
            if !pieces.send(piece).await {
                return;
            }
        }
    });
    Ok(csv(body, "result.csv"))
}

/// Hands pieces of a stream to a body, one at a time: a slow reader holds the stream up, not the
/// memory.
pub(super) struct Pieces(mpsc::Sender<Result<Bytes, std::io::Error>>);

pub(super) struct PiecesBody(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl Pieces {
    pub(super) fn new() -> (Self, PiecesBody) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), PiecesBody(receiver))
    }

    /// False where nobody reads any more, or nothing may follow.
    pub(super) async fn send(&self, piece: Result<Vec<u8>, ServiceError>) -> bool {
        let failed = piece.is_err();
        // The answer has begun: all that can be done is to break it off where everybody sees it.
        let piece = piece.map(Bytes::from).map_err(std::io::Error::other);
        self.0.send(piece).await.is_ok() && !failed
    }
}

impl http_body::Body for PiecesBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(http_body::Frame::data)))
    }
}

pub(super) fn csv(body: PiecesBody, name: &str) -> Response {
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    headers.insert(header::CONTENT_TYPE, kind);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

fn organisation_of(caller: &Authenticated, named: Option<String>) -> Result<OrganisationId, Fault> {
    match parsed("organisation", named)? {
        Some(organisation) => Ok(organisation),
        None => Ok(caller.of()?.clone()),
    }
}

/// A search as the query says it.
fn search_of(
    caller: &Authenticated,
    query: SearchQuery,
) -> Result<(OrganisationId, DeviceSearch), Fault> {
    let organisation = organisation_of(caller, query.organisation)?;
    let maker = parsed("maker", query.maker)?;
    let days = query.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Fault::parameter("days", format!("from 1 to {DAYS_MAX}")));
    }
    if let Some(text) = &query.text {
        line("text", text, 200)?;
    }
    let verdict = match query.verdict.as_deref() {
        None => None,
        Some("never") => Some(VerdictFilter::Never),
        Some(_) => parsed("verdict", query.verdict)?.map(VerdictFilter::Outcome),
    };
    let attention = query
        .attention
        .map(|name| {
            Attention::from_name(&name, days).ok_or_else(|| {
                Fault::parameter(
                    "attention",
                    "expiring, suspect, stale, suspended, alarm, scans or support",
                )
            })
        })
        .transpose()?;
    let order = match query.order.as_deref() {
        None | Some("newest") => DeviceOrder::Newest,
        Some("serial") => DeviceOrder::Serial,
        Some(_) => return Err(Fault::parameter("order", "newest or serial")),
    };
    let wanted = DeviceSearch {
        relation: view::relation(query.relation),
        product: parsed("product", query.product)?
            .map(|product| (maker.unwrap_or_else(|| organisation.clone()), product)),
        phase: parsed("phase", query.phase)?,
        standing: parsed("standing", query.standing)?,
        verdict,
        owner: parsed("owner", query.owner)?,
        attention,
        text: query.text,
        runs: versions(query.runs.as_deref())?,
        order,
    };
    Ok((organisation, wanted))
}

/// Versions separated by commas.
fn versions(text: Option<&str>) -> Result<Vec<String>, Fault> {
    let Some(text) = text else { return Ok(Vec::new()) };
    line("runs", text, 4_000)?;
    let all: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
    if all.iter().any(String::is_empty) {
        return Err(Fault::parameter("runs", "versions separated by commas"));
    }
    Ok(all)
}

fn act_of(wanted: ActWanted) -> Result<DeviceAct, Fault> {
    let (cause, to) = (wanted.cause.map(|cause| cause.0), wanted.to.map(|to| to.0));
    DeviceAct::from_name(&wanted.act, cause, to).ok_or_else(|| {
        Fault::field(
            "act",
            "suspend, revoke or retire with a cause, offer-transfer with to, release, \
             accept-transfer, cancel-transfer or dispose",
        )
    })
}

/// A job as the body says it.
fn bulk(
    caller: &Authenticated,
    new: &NewJob,
) -> Result<(OrganisationId, BulkAct, Selection), Fault> {
    let organisation = caller.of()?.clone();
    let cause = new.cause.as_ref().map(|cause| cause.0);
    let act = match (new.act.as_str(), new.lifetime_s) {
        ("release-codes", Some(lifetime_s)) => BulkAct::ReleaseCodes { lifetime_s },
        ("suspend" | "release" | "retire" | "revoke", None) => {
            DeviceAct::from_name(&new.act, cause, None)
                .map(BulkAct::Device)
                .ok_or_else(|| Fault::field("cause", "suspend, revoke and retire need a cause"))?
        }
        _ => {
            let all = "suspend, release, retire, revoke, or release-codes with lifetime_s";
            return Err(Fault::field("act", all));
        }
    };
    let selection = match (&new.devices, &new.search) {
        (Some(devices), None) => Selection::Devices(devices.iter().map(|id| id.0).collect()),
        (None, Some(search)) => {
            Selection::Search(Box::new(search_in(caller, &organisation, search)?))
        }
        _ => return Err(Fault::field("devices", "either devices or search")),
    };
    Ok((organisation, act, selection))
}

/// A search that a body holds as a query, for the caller's own organisation.
pub(super) fn search_in(
    caller: &Authenticated,
    organisation: &OrganisationId,
    search: &str,
) -> Result<DeviceSearch, Fault> {
    let uri: http::Uri = format!("/?{search}")
        .parse()
        .map_err(|_| Fault::field("search", "a percent-encoded query"))?;
    let query = axum::extract::Query::<SearchQuery>::try_from_uri(&uri)
        .map_err(|rejection| Fault::field("search", rejection.body_text()))?;
    let (of, wanted) = search_of(caller, query.0)?;
    if of != *organisation {
        return Err(Fault::field("search", "jobs and campaigns are for your own organisation"));
    }
    Ok(wanted)
}

fn job_id(text: &str) -> Result<JobId, Fault> {
    text.parse().map_err(|error| Fault::parameter("job", error))
}

pub(super) fn refusal(problem: &service::Problem, language: Language) -> wire::Refusal {
    let text = match (language, &problem.message_ja) {
        (Language::Ja, Some(text)) => text.clone().into_owned(),
        _ => problem.message.clone().into_owned(),
    };
    wire::Refusal { code: problem.code.to_owned(), text }
}

fn last_verdict(verdict: &service::LastVerdict) -> wire::LastVerdict {
    wire::LastVerdict {
        outcome: OutcomeName(verdict.outcome),
        reasons: verdict.reasons.iter().map(|code| code.name().to_owned()).collect(),
        at: verdict.at.into(),
        expires: verdict.expires.into(),
    }
}

fn device_line(line: service::DeviceLine) -> wire::DeviceLine {
    wire::DeviceLine {
        device: view::device(line.device),
        verdict: line.verdict.as_ref().map(last_verdict),
        offered_to: line.offered_to.map(OrganisationRef),
        alarm: line.alarm,
    }
}

fn part_node(node: service::PartNode) -> PartNode {
    PartNode {
        device: DeviceRef(node.device),
        kind: KindName(node.kind),
        phase: node.phase.map(PhaseName),
        standing: node.standing.map(StandingName),
        serial_number: node.serial_number,
        verdict: node.verdict.as_ref().map(last_verdict),
        claimed_elsewhere: node.claimed_elsewhere,
        parts: node.parts.into_iter().map(part_node).collect(),
        cut: node.cut,
    }
}

fn saved_view(view: service::SavedView) -> SavedView {
    SavedView { name: view.name, query: view.query, saved_at: view.saved_at.into() }
}

pub(super) fn job_view(job: service::JobView) -> Job {
    Job {
        id: job.id.to_string(),
        organisation: OrganisationRef(job.organisation),
        act: job.act,
        reason: job.reason,
        started_by: job.started_by,
        state: job.state.name().to_owned(),
        total: job.total,
        done: job.done,
        failed: job.failed,
        created: job.created_at.into(),
        started: job.started_at.map(Into::into),
        finished: job.finished_at.map(Into::into),
        note: job.note,
    }
}

fn overview_view(overview: service::Overview) -> Overview {
    let count =
        |name: &str, count: u64| wire::NamedCount { name: name.to_owned(), count, at_least: false };
    let phases = overview.phases.iter();
    let outcomes = overview.outcomes.iter();
    Overview {
        as_of: overview.as_of.into(),
        devices: overview.devices,
        phases: phases
            .map(|(phase, n)| count(phase.map_or("none", device::Phase::name), *n))
            .collect(),
        standings: overview.standings.iter().map(|(kind, n)| count(kind.name(), *n)).collect(),
        outcomes: outcomes
            .map(|(outcome, n)| count(outcome.map_or("none", device::Outcome::name), *n))
            .collect(),
        verdicts: overview
            .verdicts
            .iter()
            .map(|day| wire::DayOfVerdicts {
                day: day.day.into(),
                genuine: day.genuine,
                suspect: day.suspect,
                rejected: day.rejected,
            })
            .collect(),
        attention: overview
            .attention
            .iter()
            .map(|(kind, n)| wire::NamedCount {
                at_least: n.at_least,
                ..count(kind.name(), n.count)
            })
            .collect(),
        support: overview
            .support
            .into_iter()
            .map(|line| wire::SupportWatch {
                product: ProductRef(line.product),
                name: line.name,
                end: line.end.into(),
                devices: line.devices.count,
                at_least: line.devices.at_least,
            })
            .collect(),
        newest: overview
            .newest
            .into_iter()
            .map(|event| wire::NewestEvent {
                device: DeviceRef(event.device),
                sequence: event.sequence,
                kind: EventKindName(event.kind),
                at: event.at.into(),
                organisation: OrganisationRef(event.principal),
                actor: event.actor,
                on_behalf: event.on_behalf,
            })
            .collect(),
        repository: overview.repository.into_iter().map(super::repository::role).collect(),
        director: overview.director.into_iter().map(super::repository::role).collect(),
        log: wire::LogHealth {
            size: overview.log.size,
            waiting: overview.log.waiting,
            checkpoint_at: overview.log.checkpoint_at.map(Into::into),
            failure: overview.log.failure,
            witnesses: overview
                .log
                .witnesses
                .into_iter()
                .map(|witness| wire::WitnessHealth {
                    name: witness.name,
                    cosigned_at: witness.cosigned_at.map(Into::into),
                    size: witness.size,
                })
                .collect(),
        },
    }
}
