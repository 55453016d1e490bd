//! What a campaign would be, how it went, and campaigns out of vulnerabilities.

use super::{
    campaigns::{campaign_view, id, new_campaign, plan_of},
    cases::side,
    extract::{Created, Json, JsonBody, Path, Query, line},
    problem::Fault,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    Campaign, CampaignMoment, CampaignPreview, DraftVersion, FleetSideQuery, NewCampaign,
    NewVulnerabilityCampaign, VulnerabilityDraft,
    scalar::{OrganisationRef, ProductRef},
};
use axum::extract::State;
use service::{CampaignDraft, FixTarget, VulnerabilityCampaign};

/// What a campaign would be: how many devices, in which stages; nothing is proposed
#[utoipa::path(post, path = "/v1/campaigns/preview", tag = "updates", request_body = NewCampaign,
    responses((status = 200, body = CampaignPreview)))]
pub(super) async fn preview(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewCampaign, { body::SMALL }>,
) -> Result<Json<CampaignPreview>, Fault> {
    let new = new_campaign(&caller, new)?;
    let preview = app.service.preview_campaign(&caller, &new).await?;
    Ok(Json(CampaignPreview {
        version: preview.version,
        members: preview.members,
        per_stage: preview.per_stage,
        second_person: preview.second_person,
        without_consent: preview.without_consent,
    }))
}

/// How the devices of a campaign stood over time, the oldest first; the last is now
#[utoipa::path(get, path = "/v1/campaigns/{campaign}/history", tag = "updates",
    params(("campaign" = String, Path, description = "its id", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, body = Vec<CampaignMoment>)))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Authenticated,
    Path(campaign): Path<String>,
) -> Result<Json<Vec<CampaignMoment>>, Fault> {
    let moments = app.service.campaign_history(&caller, &id(&campaign)?).await?;
    let moment = |moment: service::CampaignMoment| CampaignMoment {
        at: moment.at.into(),
        waiting: moment.counts.waiting(),
        open: moment.counts.open,
        succeeded: moment.counts.succeeded,
        failed: moment.counts.failed,
        skipped: moment.counts.skipped,
        cancelled: moment.counts.cancelled,
        rolling_back: moment.counts.rolling_back,
        rolled_back: moment.counts.rolled_back,
        stranded: moment.counts.stranded,
    };
    Ok(Json(moments.into_iter().map(moment).collect()))
}

/// Campaigns that would mend a vulnerability: for each product line, to which release, over how many
/// devices; or why there is none
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/vulnerabilities/{vulnerability}/campaigns",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("vulnerability" = String, Path),
        FleetSideQuery),
    responses((status = 200, body = Vec<VulnerabilityDraft>)))]
pub(super) async fn drafts(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
    Query(query): Query<FleetSideQuery>,
) -> Result<Json<Vec<VulnerabilityDraft>>, Fault> {
    let side = side(&query)?;
    let found = app.service.campaign_drafts(&caller, &organisation.0, side, &id).await?;
    Ok(Json(found.into_iter().map(draft).collect()))
}

/// Proposes a campaign over exactly the devices that run an affected version, towards the newest
/// published release in which the vulnerability is fixed
#[utoipa::path(post,
    path = "/v1/organisations/{organisation}/vulnerabilities/{vulnerability}/campaigns",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("vulnerability" = String, Path)),
    request_body = NewVulnerabilityCampaign, responses((status = 201, body = Campaign)))]
pub(super) async fn propose(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
    JsonBody(new): JsonBody<NewVulnerabilityCampaign, { body::SMALL }>,
) -> Result<Created<Campaign>, Fault> {
    if let Some(name) = &new.name {
        line("name", name, 100)?;
    }
    let side = match new.side.as_deref() {
        None => service::FleetSide::default(),
        Some(name) => service::FleetSide::from_name(name)
            .ok_or_else(|| Fault::field("side", "maker or owner"))?,
    };
    let wanted = VulnerabilityCampaign {
        product: (new.maker.map_or_else(|| organisation.0.clone(), |maker| maker.0), new.product.0),
        organisation: organisation.0,
        side,
        vulnerability: id,
        name: new.name,
        plan: new.plan.as_ref().map(plan_of).transpose()?,
    };
    let campaign = app.service.propose_from_vulnerability(&caller, wanted).await?;
    Ok(Created(campaign_view(campaign)))
}

fn draft(draft: CampaignDraft) -> VulnerabilityDraft {
    let release = match &draft.target {
        FixTarget::Fixed { release, .. } => Some(release.to_string()),
        _ => None,
    };
    VulnerabilityDraft {
        maker: OrganisationRef(draft.maker),
        product: ProductRef(draft.product),
        versions: draft
            .versions
            .into_iter()
            .map(|(version, status, devices)| DraftVersion {
                version,
                status: Some(status.name().to_owned()),
                devices,
            })
            .collect(),
        newer: draft
            .newer
            .into_iter()
            .map(|(version, devices)| DraftVersion { version, status: None, devices })
            .collect(),
        devices: draft.devices,
        target: draft.target.name().to_owned(),
        release,
        version: draft.target.version().map(str::to_owned),
        why: draft.target.why().map(|(english, _)| english),
    }
}
