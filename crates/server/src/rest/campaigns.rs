//! Campaigns, and the door of devices that ask what to run.

use super::{
    extract::{Created, Json, JsonBody, Path, Query, line, page},
    fleet::search_in,
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    self, Campaign, CampaignDevice, CampaignDevicesQuery, CampaignPlan, NewCampaign, Page,
    PageQuery, UpdateConsent, UpdateFeedback, UpdatePoll,
    scalar::{Base64, DeviceRef, Digest, OrganisationRef, ProductRef},
};
use axum::extract::State;
use http::StatusCode;
use service::{
    CampaignDeviceFilter, CampaignId, CampaignView, DeviceSoftware, Execution, Feedback,
    SeenMetadata, UpdateDecision,
};
use update::campaign::{OnFailure, Outcome, Plan, Stage, Window};

/// Seconds until the next poll of a device whose self-test failed.
const UNFIT_POLL_S: u32 = 300;

/// Proposes a campaign; its members are chosen now, and nobody gets anything
#[utoipa::path(post, path = "/v1/campaigns", tag = "updates", request_body = NewCampaign,
    responses((status = 201, body = Campaign)))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewCampaign, { body::SMALL }>,
) -> Result<Created<Campaign>, Fault> {
    let new = new_campaign(&caller, new)?;
    Ok(Created(campaign_view(app.service.create_campaign(&caller, new).await?)))
}

/// Campaigns of the caller's organisation, newest first
#[utoipa::path(get, path = "/v1/campaigns", tag = "updates", params(PageQuery),
    responses((status = 200, body = Page<Campaign>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Campaign>>, Fault> {
    let page = page(query.after, query.limit)?;
    let campaigns = app.service.campaigns(&caller, caller.of()?, &page).await?;
    Ok(Json(view::paged(campaigns, campaign_view)))
}

/// A campaign with its progress
#[utoipa::path(get, path = "/v1/campaigns/{campaign}", tag = "updates",
    params(("campaign" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Campaign)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(campaign): Path<String>,
) -> Result<Json<Campaign>, Fault> {
    Ok(Json(campaign_view(app.service.campaign(&caller, &id(&campaign)?).await?)))
}

/// Starts a campaign: its first stage opens
///
/// With more than ten members and two administrators, another one approves first
/// (`needs-second-person`), and the approval starts it.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/start", tag = "updates",
    params(("campaign" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Campaign)))]
pub(super) async fn start(
    State(app): State<App>,
    caller: Authenticated,
    Path(campaign): Path<String>,
) -> Result<Json<Campaign>, Fault> {
    Ok(Json(campaign_view(app.service.start_campaign(&caller, &id(&campaign)?).await?)))
}

/// Pauses a campaign: nobody begins; who has begun goes on
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/pause", tag = "updates",
    params(("campaign" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Campaign)))]
pub(super) async fn pause(
    State(app): State<App>,
    caller: Authenticated,
    Path(campaign): Path<String>,
) -> Result<Json<Campaign>, Fault> {
    Ok(Json(campaign_view(app.service.pause_campaign(&caller, &id(&campaign)?).await?)))
}

/// Goes on with a paused campaign, in spite of its failures so far
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/resume", tag = "updates",
    params(("campaign" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Campaign)))]
pub(super) async fn resume(
    State(app): State<App>,
    caller: Authenticated,
    Path(campaign): Path<String>,
) -> Result<Json<Campaign>, Fault> {
    Ok(Json(campaign_view(app.service.resume_campaign(&caller, &id(&campaign)?).await?)))
}

/// Stops a campaign for good, or drops one that was only proposed
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/cancel", tag = "updates",
    params(("campaign" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Campaign)))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Authenticated,
    Path(campaign): Path<String>,
) -> Result<Json<Campaign>, Fault> {
    Ok(Json(campaign_view(app.service.cancel_campaign(&caller, &id(&campaign)?).await?)))
}

/// Sends devices that run the release back to the one before
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/roll-back", tag = "updates",
    params(("campaign" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Campaign)))]
pub(super) async fn roll_back(
    State(app): State<App>,
    caller: Authenticated,
    Path(campaign): Path<String>,
) -> Result<Json<Campaign>, Fault> {
    Ok(Json(campaign_view(app.service.roll_back_campaign(&caller, &id(&campaign)?).await?)))
}

/// Devices that a campaign gave something, or that failed to ask, each with its result
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/devices", tag = "updates",
    params(("campaign" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$"),
        CampaignDevicesQuery),
    responses((status = 200, body = Page<CampaignDevice>)))]
pub(super) async fn devices(
    State(app): State<App>,
    caller: Authenticated,
    Path(campaign): Path<String>,
    Query(query): Query<CampaignDevicesQuery>,
) -> Result<Json<Page<CampaignDevice>>, Fault> {
    let page = page(query.after, query.limit)?;
    let filter = match query.outcome.as_deref() {
        None => CampaignDeviceFilter::All,
        Some("open") => CampaignDeviceFilter::Open,
        Some(name) => {
            Outcome::from_name(name).map(CampaignDeviceFilter::Outcome).ok_or_else(|| {
                let all = "open, succeeded, failed, skipped, withdrawn or cancelled";
                Fault::parameter("outcome", all)
            })?
        }
    };
    let found = app.service.campaign_devices(&caller, &id(&campaign)?, filter, &page).await?;
    Ok(Json(view::paged(found, device_view)))
}

/// Makers whom the caller's organisation lets update its devices
#[utoipa::path(get, path = "/v1/update-consents", tag = "updates",
    responses((status = 200, body = Vec<UpdateConsent>)))]
pub(super) async fn consents(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<Vec<UpdateConsent>>, Fault> {
    let consents = app.service.update_consents(&caller, caller.of()?).await?;
    Ok(Json(
        consents
            .into_iter()
            .map(|consent| UpdateConsent {
                maker: OrganisationRef(consent.maker),
                product: ProductRef(consent.product),
                given: true,
                since: Some(consent.since.into()),
            })
            .collect(),
    ))
}

/// Lets a maker update one's devices of a product line, or ends that at once
#[utoipa::path(put, path = "/v1/update-consents", tag = "updates", request_body = UpdateConsent,
    responses((status = 204)))]
pub(super) async fn consent(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(consent): JsonBody<UpdateConsent, { body::SMALL }>,
) -> Result<StatusCode, Fault> {
    let UpdateConsent { maker, product, given, since: _ } = consent;
    let owner = caller.of()?;
    app.service.set_update_consent(&caller, owner, &maker.0, &product.0, given).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A device asks what it shall run, and says what it runs
///
/// With the device's own certificate, for itself alone.
#[utoipa::path(post, path = "/v1/update/poll", tag = "updates", request_body = wire::DeviceSoftware,
    responses((status = 200, body = UpdatePoll)))]
pub(super) async fn poll(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(mut said): JsonBody<wire::DeviceSoftware, { body::SMALL }>,
) -> Result<Json<UpdatePoll>, Fault> {
    let fit = super::sealed::hear(&app, &caller, said.self_test.take()).await?;
    let metadata = seen(&app, &caller, std::mem::take(&mut said.metadata)).await?;
    if !fit {
        // It installs nothing as long as it cannot trust itself.
        let next_poll_s = UNFIT_POLL_S;
        return Ok(Json(UpdatePoll { install: None, cancel: None, next_poll_s, metadata }));
    }
    let poll = app.service.poll_update(&caller, &software(said)).await?;
    let (install, cancel) = match poll.decision {
        UpdateDecision::Nothing => (None, None),
        UpdateDecision::Install(assignment) => (Some(assignment_view(*assignment)), None),
        UpdateDecision::Cancel { action } => (None, Some(action)),
    };
    Ok(Json(UpdatePoll { install, cancel, next_poll_s: poll.next_poll_s, metadata }))
}

/// Takes down which metadata a device saw; which it should have seen.
async fn seen(
    app: &App,
    caller: &Authenticated,
    said: Vec<wire::SeenMetadata>,
) -> Result<Vec<wire::KnownMetadata>, Fault> {
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let seen: Vec<SeenMetadata> = said
        .into_iter()
        .map(|one| SeenMetadata {
            organisation: one.organisation.0,
            director: one.director,
            version: one.timestamp,
            asked_s: one.asked_s,
        })
        .collect();
    let known = app.service.hear_metadata(caller, &seen).await?;
    let known = known.into_iter().map(|one| wire::KnownMetadata {
        organisation: OrganisationRef(one.organisation),
        director: one.director,
        timestamp: one.version,
    });
    Ok(known.collect())
}

/// A device says what came of an action; said again, it changes nothing
#[utoipa::path(post, path = "/v1/update/feedback", tag = "updates", request_body = UpdateFeedback,
    responses((status = 204)))]
pub(super) async fn feedback(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(said): JsonBody<UpdateFeedback, { body::SMALL }>,
) -> Result<StatusCode, Fault> {
    let execution = Execution::from_name(&said.execution).ok_or_else(|| {
        Fault::field(
            "execution",
            "proceeding, downloading, downloaded, installing, installed, confirmed, failed, rejected \
             or cancelled",
        )
    })?;
    let feedback = Feedback {
        execution,
        progress: said.progress,
        detail: said.detail,
        installed: said.installed.map(software),
    };
    app.service.update_feedback(&caller, said.action, &feedback).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// That the log was told of what the device shall install
#[utoipa::path(get, path = "/v1/update/actions/{action}/proof", tag = "updates",
    params(("action" = u64, Path, description = "its number")),
    responses((status = 200, body = wire::UpdateProof)))]
pub(super) async fn proof(
    State(app): State<App>,
    caller: Authenticated,
    Path(action): Path<u64>,
) -> Result<Json<wire::UpdateProof>, Fault> {
    let proof = app.service.assignment_proof(&caller, action).await?;
    let digests = |hashes: &[crypto::Sha256]| hashes.iter().copied().map(Digest).collect();
    let logged = |logged: &update::campaign::LoggedStatement| wire::LoggedStatement {
        statement: Base64(logged.statement.clone()),
        salt: Base64(logged.salt.to_vec()),
        leaf: logged.inclusion.index,
        path: digests(&logged.inclusion.hashes),
        checkpoint: String::from_utf8_lossy(&logged.checkpoint).into_owned(),
    };
    Ok(Json(wire::UpdateProof {
        campaign: logged(&proof.campaign),
        release: logged(&proof.release),
        salt: Digest(proof.salt),
        index: proof.index,
        path: digests(&proof.path),
    }))
}

/// A proposal as the body says it.
pub(super) fn new_campaign(
    caller: &Authenticated,
    new: NewCampaign,
) -> Result<service::NewCampaign, Fault> {
    line("name", &new.name, 100)?;
    let organisation = caller.of()?.clone();
    let release = |name: &str, text: &str| {
        text.parse().map_err(|error: service::UpdateIdError| Fault::field(name, error.to_string()))
    };
    Ok(service::NewCampaign {
        release: release("release", &new.release)?,
        roll_back_to: new
            .roll_back_to
            .as_deref()
            .map(|text| release("roll_back_to", text))
            .transpose()?,
        search: search_in(caller, &organisation, &new.search)?,
        plan: plan_of(&new.plan)?,
        name: new.name,
        organisation,
    })
}

pub(super) fn id(text: &str) -> Result<CampaignId, Fault> {
    text.parse().map_err(|_| Fault::parameter("campaign", "an id has 32 hexadecimal digits"))
}

fn software(said: wire::DeviceSoftware) -> DeviceSoftware {
    DeviceSoftware {
        hardware_id: said.hardware_id,
        version: said.version,
        release_counter: said.release_counter,
        security_version: said.security_version,
        digest: said.digest.map(|digest| digest.0),
        confirmed: said.confirmed,
    }
}

pub(super) fn plan_of(plan: &CampaignPlan) -> Result<Plan, Fault> {
    let bad = |error: &dyn std::fmt::Display| Fault::field("plan", error.to_string());
    let stages = plan.stages.iter().map(|stage| Stage {
        share: stage.share,
        success_percent: stage.success_percent,
        error_percent: stage.error_percent,
        soak_s: stage.soak_s,
    });
    let mut out = Plan::new(stages.collect()).map_err(|error| bad(&error))?;
    if let Some(window) = &plan.window {
        let mut days = 0u8;
        for day in &window.weekdays {
            if !(1..=7).contains(day) {
                return Err(Fault::field("plan", "weekdays are 1 for Monday to 7 for Sunday"));
            }
            days |= 1 << (day - 1);
        }
        let window = Window::new(&window.zone, days, window.from, window.to);
        out.window = Some(window.map_err(|error| bad(&error))?);
    }
    out.starts_per_minute = plan.starts_per_minute;
    out.deadline_s = plan.deadline_s;
    out.attempts_max = plan.attempts_max;
    out.on_failure = if plan.roll_back { OnFailure::RollBack } else { OnFailure::Pause };
    out.force = plan.force;
    out.confirm = plan.confirm;
    out.check().map_err(|error| bad(&error))?;
    Ok(out)
}

fn plan_view(plan: &Plan) -> CampaignPlan {
    CampaignPlan {
        stages: plan
            .stages()
            .iter()
            .map(|stage| wire::CampaignStage {
                share: stage.share,
                success_percent: stage.success_percent,
                error_percent: stage.error_percent,
                soak_s: stage.soak_s,
            })
            .collect(),
        window: plan.window.as_ref().map(|window| wire::MaintenanceWindow {
            zone: window.zone().to_owned(),
            weekdays: (1..=7).filter(|day| window.days() >> (day - 1) & 1 == 1).collect(),
            from: window.from(),
            to: window.to(),
        }),
        starts_per_minute: plan.starts_per_minute,
        deadline_s: plan.deadline_s,
        attempts_max: plan.attempts_max,
        roll_back: plan.on_failure == OnFailure::RollBack,
        force: plan.force,
        confirm: plan.confirm,
    }
}

pub(super) fn campaign_view(campaign: CampaignView) -> Campaign {
    let (back, back_version) =
        campaign.roll_back_to.map(|(id, version)| (id.to_string(), version)).unzip();
    Campaign {
        id: campaign.id.to_string(),
        organisation: OrganisationRef(campaign.organisation),
        name: campaign.name,
        maker: OrganisationRef(campaign.product.0),
        product: ProductRef(campaign.product.1),
        release: campaign.release.to_string(),
        version: campaign.version,
        release_counter: campaign.release_counter,
        security_version: campaign.security_version,
        roll_back_to: back,
        roll_back_version: back_version,
        search: campaign.search,
        plan: plan_view(&campaign.plan),
        members: campaign.members,
        root: Digest(campaign.root),
        state: campaign.state.name().to_owned(),
        paused: campaign.paused.map(|cause| cause.name().to_owned()),
        stage: campaign.stage.saturating_add(1),
        stages: campaign
            .counts
            .iter()
            .map(|counts| wire::StageProgress {
                total: counts.total,
                waiting: counts.waiting(),
                open: counts.open,
                succeeded: counts.succeeded,
                failed: counts.failed,
                skipped: counts.skipped,
                cancelled: counts.cancelled,
                rolling_back: counts.rolling_back,
                rolled_back: counts.rolled_back,
                stranded: counts.stranded,
                opened: counts.opened_at.map(Into::into),
            })
            .collect(),
        created: campaign.created_at.into(),
        created_by: campaign.created_by,
        started: campaign.started_at.map(Into::into),
        started_by: campaign.started_by,
        over: campaign.over_at.map(Into::into),
    }
}

fn device_view(device: service::CampaignDevice) -> CampaignDevice {
    let result = device.result;
    CampaignDevice {
        device: DeviceRef(device.device),
        serial_number: device.serial_number,
        action: device.action,
        stage: device.stage.saturating_add(1),
        purpose: device.purpose.name().to_owned(),
        step: device.step.name().to_owned(),
        progress: device.progress,
        detail: device.detail,
        offered: device.offered_at.into(),
        deadline: device.deadline.into(),
        heard: device.heard_at.map(Into::into),
        outcome: result.map(|(outcome, _, _)| outcome.name().to_owned()),
        reason: result.map(|(_, reason, _)| reason.name().to_owned()),
        over: result.map(|(_, _, at)| at.into()),
        leaf: device.leaf,
    }
}

fn assignment_view(assignment: service::Assignment) -> wire::Assignment {
    wire::Assignment {
        action: assignment.action,
        campaign: assignment.campaign.to_string(),
        purpose: assignment.purpose.name().to_owned(),
        release: assignment.release.to_string(),
        maker: OrganisationRef(assignment.maker),
        version: assignment.version,
        release_counter: assignment.release_counter,
        security_version: assignment.security_version,
        hardware_ids: assignment.hardware_ids,
        artifacts: assignment
            .artifacts
            .into_iter()
            .map(|artifact| wire::AssignedArtifact {
                name: artifact.name,
                path: artifact.path,
                sha256: Digest(artifact.sha256),
                length: artifact.length,
                hardware_ids: artifact.hardware_ids,
                sealed: artifact.sealed.map(super::sealed::sealing),
                delta: artifact.delta.map(super::sealed::assigned_delta),
            })
            .collect(),
        force: assignment.force,
        confirm_needed: assignment.confirm_needed,
        deadline: assignment.deadline.into(),
        encryption_key_wanted: assignment.encryption_key_wanted,
        director: assignment.director.map(OrganisationRef),
    }
}
