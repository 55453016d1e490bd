//! Cases that must be reported, and the devices that a vulnerability concerns.

use super::{
    extract::{Created, Json, JsonBody, Lang, Path, Query, page},
    fleet::{Pieces, csv},
    problem::Fault,
    view,
    vulnerabilities::vulnerability,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use advisory::{CraItem, CraKind, CraState, CraStep};
use api::wire::{
    self, CaseQuery, FleetSideQuery, FleetVulnerability, NewReportCase, Page, PageQuery,
    ReportCase, ReportCaseDetail, ReportDraft, ReportDue, RunningVersion, VulnerableDevice,
    scalar::{DeviceRef, OrganisationRef, ProductRef},
};
use axum::{extract::State, response::Response};
use device::Language;
use service::{CaseId, FleetSide};

pub(super) fn side(query: &FleetSideQuery) -> Result<FleetSide, Fault> {
    let name = query.side.as_deref().unwrap_or("maker");
    FleetSide::from_name(name).ok_or_else(|| Fault::parameter("side", "one of maker, owner"))
}

/// Vulnerabilities of what the organisation's own devices run, the gravest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/fleet-vulnerabilities",
    tag = "vulnerabilities", params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<FleetVulnerability>)))]
pub(super) async fn fleet(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<FleetVulnerability>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.fleet_vulnerabilities(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, |(line, devices)| FleetVulnerability {
        vulnerability: vulnerability(line),
        devices,
    })))
}

/// How many devices run which version of the products concerned, and where each stands
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/vulnerabilities/{vulnerability}/versions",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("vulnerability" = String, Path),
        FleetSideQuery),
    responses((status = 200, body = Vec<RunningVersion>)))]
pub(super) async fn versions(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
    Query(query): Query<FleetSideQuery>,
) -> Result<Json<Vec<RunningVersion>>, Fault> {
    let side = side(&query)?;
    let found = app.service.running_versions(&caller, &organisation.0, side, &id).await?;
    let one = |one: service::RunningVersion| RunningVersion {
        maker: OrganisationRef(one.maker),
        product: ProductRef(one.product),
        version: one.version,
        status: one.status.map(|status| status.name().to_owned()),
        known: one.known,
        devices: one.devices,
    };
    Ok(Json(found.into_iter().map(one).collect()))
}

/// The devices that run an affected version, or one under investigation
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/vulnerabilities/{vulnerability}/devices",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("vulnerability" = String, Path),
        FleetSideQuery),
    responses((status = 200, body = Page<VulnerableDevice>)))]
pub(super) async fn devices(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
    Query(query): Query<FleetSideQuery>,
) -> Result<Json<Page<VulnerableDevice>>, Fault> {
    let side = side(&query)?;
    let page = page(query.after, query.limit)?;
    let found = app.service.vulnerable_devices(&caller, &organisation.0, side, &id, &page).await?;
    Ok(Json(view::paged(found, |one| VulnerableDevice {
        device: DeviceRef(one.device),
        maker: OrganisationRef(one.maker),
        owner: OrganisationRef(one.owner),
        product: ProductRef(one.product),
        serial_number: one.serial_number,
        version: one.version,
        status: one.status.name().to_owned(),
        since: one.since.into(),
        seen: one.seen_at.into(),
    })))
}

/// The same devices as a CSV file
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/vulnerabilities/{vulnerability}/devices.csv",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("vulnerability" = String, Path),
        FleetSideQuery),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn export(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
    Query(query): Query<FleetSideQuery>,
) -> Result<Response, Fault> {
    let side = side(&query)?;
    let bom = query.bom.unwrap_or(false);
    let service = &app.service;
    let mut stream = service.export_vulnerable(&caller, &organisation.0, side, &id, bom).await?;
    let (pieces, body) = Pieces::new();
    tokio::spawn(async move {
        while let Some(piece) = stream.next().await {
            if !pieces.send(piece).await {
                return;
            }
        }
    });
    Ok(csv(body, "vulnerable-devices.csv"))
}

/// Time to fix, and the share of the fleet that is mended, day by day
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/vulnerabilities/{vulnerability}/history",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("vulnerability" = String, Path),
        FleetSideQuery),
    responses((status = 200, body = wire::FixHistory)))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
    Query(query): Query<FleetSideQuery>,
) -> Result<Json<wire::FixHistory>, Fault> {
    let side = side(&query)?;
    let found = app.service.fix_history(&caller, &organisation.0, side, &id).await?;
    Ok(Json(wire::FixHistory {
        first_seen: found.first_seen.into(),
        settled: found.settled_at.map(Into::into),
        time_to_fix_s: found.time_to_fix_s,
        days: found
            .days
            .into_iter()
            .map(|day| wire::FixedShare {
                day: day.day.into(),
                affected: day.affected,
                devices: day.devices,
            })
            .collect(),
    }))
}

/// Cases that must be reported, the newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/cases", tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), CaseQuery),
    responses((status = 200, body = Page<ReportCase>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<CaseQuery>,
) -> Result<Json<Page<ReportCase>>, Fault> {
    let page = page(query.after, query.limit)?;
    let open = !query.all.unwrap_or(false);
    let found = app.service.cases(&caller, &organisation.0, open, &page).await?;
    Ok(Json(view::paged(found, case)))
}

/// Opens a case: its clocks run from when the organisation became aware
#[utoipa::path(post, path = "/v1/organisations/{organisation}/cases", tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path)), request_body = NewReportCase,
    responses((status = 201, body = ReportCase)))]
pub(super) async fn open(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewReportCase, { body::SMALL }>,
) -> Result<Created<ReportCase>, Fault> {
    let kinds = "one of exploited-vulnerability, severe-incident";
    let new = service::NewCase {
        organisation: organisation.0,
        kind: CraKind::from_name(&new.kind).ok_or_else(|| Fault::field("kind", kinds))?,
        vulnerability: new.vulnerability,
        title: new.title,
        aware: new.aware.map(|at| at.0),
    };
    Ok(Created(case(app.service.open_case(&caller, new).await?)))
}

/// Duties that are open, in numbers
#[utoipa::path(get, path = "/v1/organisations/{organisation}/case-watch", tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = wire::CaseWatch)))]
pub(super) async fn watch(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<wire::CaseWatch>, Fault> {
    let watch = app.service.case_watch(&caller, &organisation.0).await?;
    Ok(Json(wire::CaseWatch {
        open: watch.open,
        soon: watch.soon,
        overdue: watch.overdue,
        next_due: watch.next_due.map(Into::into),
    }))
}

/// One case with what was done
#[utoipa::path(get, path = "/v1/organisations/{organisation}/cases/{case}", tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("case" = String, Path)),
    responses((status = 200, body = ReportCaseDetail)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
) -> Result<Json<ReportCaseDetail>, Fault> {
    let found = app.service.case(&caller, &organisation.0, &case_id(&id)?).await?;
    Ok(Json(ReportCaseDetail {
        case: case(found.line),
        texts: found
            .texts
            .into_iter()
            .map(|(item, language, text, by, at)| wire::CaseText {
                item: item.name().to_owned(),
                language: language.name().to_owned(),
                text,
                by,
                at: at.into(),
            })
            .collect(),
        acts: found
            .acts
            .into_iter()
            .map(|(at, by, what, detail)| wire::CaseAct { at: at.into(), by, what, detail })
            .collect(),
    }))
}

/// Changes a case: times, texts, reports that were submitted, its end
#[utoipa::path(patch, path = "/v1/organisations/{organisation}/cases/{case}",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("case" = String, Path)),
    request_body = wire::CaseChange, responses((status = 200, body = ReportCase)))]
pub(super) async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
    JsonBody(change): JsonBody<wire::CaseChange, { body::EVENT }>,
) -> Result<Json<ReportCase>, Fault> {
    let text = match (change.item, change.language, change.text) {
        (None, None, None) => None,
        (Some(item), Some(language), Some(text)) => {
            let item = CraItem::ALL.into_iter().find(|one| one.name() == item);
            let item = item.ok_or_else(|| Fault::field("item", "see docs/advisory.md"))?;
            let language = match language.as_str() {
                "ja" => Language::Ja,
                "en" => Language::En,
                _ => return Err(Fault::field("language", "one of ja, en")),
            };
            Some((item, language, text))
        }
        _ => return Err(Fault::field("text", "item, language and text go together")),
    };
    let submitted = match (change.submitted, change.submitted_at) {
        (None, None) => None,
        (Some(step), at) => Some((step_of(&step)?, at.map(|at| at.0))),
        (None, Some(_)) => return Err(Fault::field("submitted", "say which report")),
    };
    let change = service::CaseChange {
        title: change.title,
        aware: change.aware.map(|at| at.0),
        corrected: change.corrected.map(|at| at.0),
        text,
        submitted,
        closed: change.closed,
    };
    let changed = app.service.change_case(&caller, &organisation.0, &case_id(&id)?, change).await?;
    Ok(Json(case(changed)))
}

/// A draft of a report, in the caller's language
#[utoipa::path(get, path = "/v1/organisations/{organisation}/cases/{case}/drafts/{report}",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("case" = String, Path),
        ("report" = String, Path)),
    responses((status = 200, body = ReportDraft)))]
pub(super) async fn draft(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, id, step)): Path<(OrganisationRef, String, String)>,
) -> Result<Json<ReportDraft>, Fault> {
    let (id, step) = (case_id(&id)?, step_of(&step)?);
    let draft = app.service.case_draft(&caller, &organisation.0, &id, step, language).await?;
    Ok(Json(ReportDraft {
        step: draft.step.name().to_owned(),
        due: draft.due.map(Into::into),
        missing: draft.missing.into_iter().map(|item| item.name().to_owned()).collect(),
        text: draft.text,
    }))
}

fn case_id(text: &str) -> Result<CaseId, Fault> {
    text.parse().map_err(|error| Fault::parameter("case", error))
}

fn step_of(name: &str) -> Result<CraStep, Fault> {
    let steps = "one of early-warning, notification, final-report";
    CraStep::from_name(name).ok_or_else(|| Fault::parameter("report", steps))
}

fn case(line: service::CaseLine) -> ReportCase {
    ReportCase {
        id: line.id.to_string(),
        kind: line.kind.name().to_owned(),
        vulnerability: line.vulnerability,
        title: line.title,
        aware: line.aware.into(),
        corrected: line.corrected.map(Into::into),
        reports: line
            .deadlines
            .into_iter()
            .map(|(deadline, state)| {
                let (state, seconds) = match state {
                    CraState::Waiting => ("waiting", None),
                    CraState::Due(seconds) => ("due", Some(seconds)),
                    CraState::Overdue(seconds) => ("overdue", Some(seconds)),
                    CraState::Done => ("done", None),
                    CraState::DoneLate(seconds) => ("done-late", Some(seconds)),
                };
                ReportDue {
                    step: deadline.step.name().to_owned(),
                    due: deadline.due.map(Into::into),
                    submitted: deadline.submitted.map(Into::into),
                    state: state.to_owned(),
                    seconds,
                }
            })
            .collect(),
        opened_by: line.opened_by,
        opened: line.opened_at.into(),
        closed: line.closed_at.map(Into::into),
        closed_why: line.closed_why,
    }
}
