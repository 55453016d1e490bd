//! What waits for a second person, and which acts need one.

use super::{
    extract::{Json, JsonBody, Lang, Path, Query, page},
    fleet,
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    self, Approval, ApprovalDevice, ApprovalRule, Authority, ContinuationPreview,
    ContinuationRefusal, Continued, NewApprovalRule, Page, PageQuery,
    scalar::{DeviceRef, OrganisationRef},
};
use axum::extract::State;
use policy::Act;
use service::{ApprovalId, ApprovalQuery};

/// Requests of an organisation for a second person, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/approvals", tag = "people",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<Approval>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Approval>>, Fault> {
    let page = page(query.after, query.limit)?;
    let all = ApprovalQuery::default();
    let found = app.service.approvals(&caller, &organisation.0, &all, &page).await?;
    Ok(Json(view::paged(found, view::approval)))
}

/// One request
#[utoipa::path(get, path = "/v1/approvals/{approval}", tag = "people",
    params(("approval" = String, Path)), responses((status = 200, body = Approval)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Approval>, Fault> {
    Ok(Json(view::approval(app.service.approval(&caller, &read(&id)?).await?)))
}

/// The devices that a request is about, where it names many, as long as it is open
#[utoipa::path(get, path = "/v1/approvals/{approval}/devices", tag = "people",
    params(("approval" = String, Path), PageQuery),
    responses((status = 200, body = Page<ApprovalDevice>)))]
pub(super) async fn devices(
    State(app): State<App>,
    caller: Authenticated,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ApprovalDevice>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.approval_devices(&caller, &read(&id)?, &page).await?;
    Ok(Json(view::paged(found, view::approval_device)))
}

/// Approves another's request, and carries it out
#[utoipa::path(post, path = "/v1/approvals/{approval}/approve", tag = "people",
    params(("approval" = String, Path)), responses((status = 200, body = Approval)))]
pub(super) async fn approve(
    State(app): State<App>,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Approval>, Fault> {
    Ok(Json(view::approval(app.service.approve(&caller, &read(&id)?).await?)))
}

/// Says no to another's request
#[utoipa::path(post, path = "/v1/approvals/{approval}/reject", tag = "people",
    params(("approval" = String, Path)), responses((status = 200, body = Approval)))]
pub(super) async fn reject(
    State(app): State<App>,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Approval>, Fault> {
    Ok(Json(view::approval(app.service.reject(&caller, &read(&id)?).await?)))
}

/// Takes one's own request back
#[utoipa::path(post, path = "/v1/approvals/{approval}/withdraw", tag = "people",
    params(("approval" = String, Path)), responses((status = 200, body = Approval)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Approval>, Fault> {
    Ok(Json(view::approval(app.service.withdraw_request(&caller, &read(&id)?).await?)))
}

/// What going on with one's own approved request would bring about now
#[utoipa::path(get, path = "/v1/approvals/{approval}/continuation", tag = "people",
    params(("approval" = String, Path)), responses((status = 200, body = ContinuationPreview)))]
pub(super) async fn preview_continuation(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(id): Path<String>,
) -> Result<Json<ContinuationPreview>, Fault> {
    let found = app.service.preview_continuation(&caller, &read(&id)?).await?;
    let refused = found.refused.into_iter().map(|(device, problem)| {
        let wire::Refusal { code, text } = fleet::refusal(&problem, language);
        ContinuationRefusal { device: DeviceRef(device), code, text }
    });
    Ok(Json(ContinuationPreview {
        devices: found.devices,
        tried: found.tried,
        allowed: found.allowed,
        refused: refused.collect(),
    }))
}

/// Goes on with one's own approved request, once
///
/// Nothing is given again: what was approved is done, and nothing else.
#[utoipa::path(post, path = "/v1/approvals/{approval}/continuation", tag = "people",
    params(("approval" = String, Path)), responses((status = 200, body = Continued)))]
pub(super) async fn go_on(
    State(app): State<App>,
    caller: Authenticated,
    Path(id): Path<String>,
) -> Result<Json<Continued>, Fault> {
    Ok(Json(match app.service.continue_request(&caller, &read(&id)?).await? {
        service::Continued::Job(job) => {
            Continued { job: Some(fleet::job_view(*job)), ..Continued::default() }
        }
        service::Continued::Link(invited) => Continued {
            invitation: Some(view::invitation(&app.service, *invited)),
            ..Continued::default()
        },
        service::Continued::Recorded(recorded) => {
            Continued { recorded: Some(view::recorded(recorded)), ..Continued::default() }
        }
    }))
}

/// Which acts need a second person
#[utoipa::path(get, path = "/v1/organisations/{organisation}/approval-policy", tag = "people",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Vec<ApprovalRule>)))]
pub(super) async fn policy(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Vec<ApprovalRule>>, Fault> {
    let lines = app.service.approval_policy(&caller, &organisation.0).await?;
    Ok(Json(lines.into_iter().map(view::approval_rule).collect()))
}

/// Chooses whether an act needs a second person
///
/// Where any act does, this one does too.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/approval-policy", tag = "people",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewApprovalRule, responses((status = 200, body = Vec<ApprovalRule>)))]
pub(super) async fn set_policy(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewApprovalRule, { body::SMALL }>,
) -> Result<Json<Vec<ApprovalRule>>, Fault> {
    let act = Act::from_name(&new.act).ok_or_else(|| {
        let names: Vec<&str> = Act::ALL.iter().map(|act| act.name()).collect();
        Fault::field("act", format!("one of {}", names.join(", ")))
    })?;
    app.service.set_approval_policy(&caller, &organisation.0, act, new.required).await?;
    let lines = app.service.approval_policy(&caller, &organisation.0).await?;
    Ok(Json(lines.into_iter().map(view::approval_rule).collect()))
}

/// Retires a certification authority for good
///
/// What it issued goes on working.
#[utoipa::path(post, path = "/v1/authorities/{authority}/retire", tag = "authorities",
    params(("authority" = String, Path)), responses((status = 200, body = Authority)))]
pub(super) async fn retire_authority(
    State(app): State<App>,
    caller: Authenticated,
    Path(authority): Path<String>,
) -> Result<Json<Authority>, Fault> {
    Ok(Json(view::authority(app.service.retire_ca(&caller, &authority).await?)))
}

fn read(id: &str) -> Result<ApprovalId, Fault> {
    id.parse().map_err(|error| Fault::parameter("approval", error))
}
