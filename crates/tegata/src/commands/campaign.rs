use crate::{
    cli::{
        Language, ServerArgs,
        campaign::{CampaignCommand, CreateArgs, OneArgs},
    },
    output::Output,
    remote::Remote,
};
use anyhow::{Context as _, bail};
use api::{
    Rest,
    client::percent_encode,
    wire::{
        Approval, Campaign, CampaignDevice, CampaignPlan, CampaignPreview, CampaignStage,
        MaintenanceWindow, NewCampaign, UpdateConsent,
        scalar::{OrganisationRef, ProductRef},
    },
};
use std::time::Duration;

/// Runs `tegata campaign …`.
pub async fn run(
    command: CampaignCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        CampaignCommand::Create(args) => {
            let new = new_campaign(&args)?;
            let rest = rest(&args.server, language)?;
            if args.preview {
                let preview = rest.preview_campaign(&new).await?;
                return output.one(&preview, previewed);
            }
            output.one(&rest.create_campaign(&new).await?, describe)
        }
        CampaignCommand::Show(one) => {
            let campaign = rest(&one.server, language)?.campaign(&one.campaign).await?;
            output.one(&campaign, describe)
        }
        CampaignCommand::History(one) => {
            let moments = rest(&one.server, language)?.campaign_history(&one.campaign).await?;
            let head = ["time", "waiting", "on their way", "succeeded", "failed", "need nothing"];
            output.list(&moments, &head, |moment| {
                let figures = [
                    moment.waiting,
                    moment.open + moment.rolling_back,
                    moment.succeeded,
                    moment.failed + moment.stranded,
                    moment.skipped,
                ];
                let figures = figures.iter().map(u64::to_string);
                [moment.at.to_string()].into_iter().chain(figures).collect()
            })
        }
        CampaignCommand::List { server } => {
            let campaigns: Vec<Campaign> =
                Remote::open(&server, language)?.all("/v1/campaigns?limit=1000").await?;
            let head =
                ["id", "name", "release", "state", "stage", "succeeded", "failed", "members"];
            output.list(&campaigns, &head, |campaign| {
                let sum = |field: fn(&api::wire::StageProgress) -> u64| {
                    campaign.stages.iter().map(field).sum::<u64>().to_string()
                };
                vec![
                    campaign.id.clone(),
                    campaign.name.clone(),
                    format!("{} {}", campaign.product, campaign.version),
                    campaign.state.clone(),
                    format!("{}/{}", campaign.stage, campaign.stages.len()),
                    sum(|stage| stage.succeeded),
                    sum(|stage| stage.failed),
                    campaign.members.to_string(),
                ]
            })
        }
        CampaignCommand::Start(one) => steer(&one, "start", output, language).await,
        CampaignCommand::Pause(one) => steer(&one, "pause", output, language).await,
        CampaignCommand::Resume(one) => steer(&one, "resume", output, language).await,
        CampaignCommand::Cancel(one) => steer(&one, "cancel", output, language).await,
        CampaignCommand::RollBack(one) => steer(&one, "roll-back", output, language).await,
        CampaignCommand::Approve(one) => approve(&one, output, language).await,
        CampaignCommand::Devices { one, outcome } => devices(&one, outcome, output, language).await,
        CampaignCommand::Watch { one, every } => watch(&one, every, output, language).await,
        CampaignCommand::Consents { server } => consents(&server, output, language).await,
        CampaignCommand::Consent { server, maker, product, end } => {
            let consent = UpdateConsent {
                maker: OrganisationRef(maker),
                product: ProductRef(product),
                given: !end,
                since: None,
            };
            Ok(rest(&server, language)?.set_update_consent(&consent).await?)
        }
    }
}

fn rest(server: &ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}

fn previewed(preview: &CampaignPreview) -> String {
    let mut text = format!("version {} on {} devices now", preview.version, preview.members);
    for (number, devices) in preview.per_stage.iter().enumerate() {
        text.push_str(&format!("\n  stage {}: {devices}", number + 1));
    }
    if preview.second_person {
        text.push_str("\nanother administrator must approve before it starts");
    }
    if preview.without_consent {
        text.push_str("\ndevices of owners who have not consented are left out");
    }
    text
}

async fn fetch(remote: &Remote, campaign: &str) -> anyhow::Result<Campaign> {
    remote.get(&format!("/v1/campaigns/{}", percent_encode(campaign))).await
}

async fn steer(
    one: &OneArgs,
    what: &str,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let campaign = rest(&one.server, language)?.steer_campaign(&one.campaign, what).await?;
    output.one(&campaign, describe)
}

/// Finds the request to start this campaign that waits, and approves it.
async fn approve(one: &OneArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let remote = Remote::open(&one.server, language)?;
    let campaign = fetch(&remote, &one.campaign).await?;
    let path =
        format!("/v1/organisations/{}/approvals?open=true&limit=1000", campaign.organisation);
    let open: Vec<Approval> = remote.all(&path).await?;
    let about = |approval: &&Approval| {
        approval.act == "start-campaign" && approval.summary.contains(&campaign.id)
    };
    let Some(approval) = open.iter().find(about) else {
        bail!("nobody has asked to start this campaign; use: tegata campaign start")
    };
    let _decided: Approval =
        remote.post_empty(&format!("/v1/approvals/{}/approve", approval.id)).await?;
    let campaign = fetch(&remote, &one.campaign).await?;
    output.one(&campaign, describe)
}

async fn devices(
    one: &OneArgs,
    outcome: Option<String>,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let mut path = format!("/v1/campaigns/{}/devices?limit=1000", percent_encode(&one.campaign));
    if let Some(outcome) = outcome {
        path.push_str(&format!("&outcome={}", percent_encode(&outcome)));
    }
    let devices: Vec<CampaignDevice> = Remote::open(&one.server, language)?.all(&path).await?;
    let head = ["device", "serial number", "stage", "step", "outcome", "reason", "detail"];
    output.list(&devices, &head, |device| {
        vec![
            device.device.to_string(),
            device.serial_number.clone(),
            device.stage.to_string(),
            device.step.clone(),
            device.outcome.clone().unwrap_or_else(|| "open".into()),
            device.reason.clone().unwrap_or_default(),
            device.detail.clone().unwrap_or_default(),
        ]
    })
}

async fn watch(
    one: &OneArgs,
    every: u64,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let remote = Remote::open(&one.server, language)?;
    let mut before: Option<Campaign> = None;
    loop {
        let campaign = fetch(&remote, &one.campaign).await?;
        if before.as_ref() != Some(&campaign) {
            output.one(&campaign, progress)?;
        }
        if !matches!(campaign.state.as_str(), "running" | "rolling-back") {
            return Ok(());
        }
        before = Some(campaign);
        tokio::time::sleep(Duration::from_secs(every.clamp(1, 3600))).await;
    }
}

async fn consents(server: &ServerArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let consents = rest(server, language)?.update_consents().await?;
    output.list(&consents, &["maker", "product", "since"], |consent| {
        vec![
            consent.maker.to_string(),
            consent.product.to_string(),
            consent.since.map(|since| since.to_string()).unwrap_or_default(),
        ]
    })
}

fn new_campaign(args: &CreateArgs) -> anyhow::Result<NewCampaign> {
    let plan = match &args.plan {
        Some(path) => {
            let bytes =
                std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))?
        }
        None => CampaignPlan {
            stages: args.stages.iter().map(|text| stage(text)).collect::<Result<_, _>>()?,
            window: args.window.as_deref().map(window).transpose()?,
            starts_per_minute: args.starts_per_minute,
            deadline_s: args.deadline,
            attempts_max: args.attempts,
            roll_back: args.roll_back,
            force: args.force,
            confirm: args.confirm,
        },
    };
    Ok(NewCampaign {
        name: args.name.clone(),
        release: args.release.clone(),
        roll_back_to: args.roll_back_to.clone(),
        search: args.search.clone(),
        plan,
    })
}

/// `10:90:20` or `10:90:20:3600`.
pub(super) fn stage(text: &str) -> anyhow::Result<CampaignStage> {
    let parts: Vec<&str> = text.split(':').collect();
    let (share, success, error, soak) = match parts.as_slice() {
        [share, success, error] => (share, success, error, "0"),
        [share, success, error, soak] => (share, success, error, *soak),
        _ => bail!(
            "{text:?} is no stage; write PERCENT:SUCCESS:ERRORS[:SOAK], such as 10:90:20:3600"
        ),
    };
    let why = || format!("{text:?} is no stage");
    let share: f64 = share.parse().with_context(why)?;
    if !(0.01..=100.0).contains(&share) {
        bail!("the share of a stage is 0.01 to 100 percent");
    }
    // In range, by the line before.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 10000")]
    let share = (share * 100.0).round() as u16;
    Ok(CampaignStage {
        share,
        success_percent: success.parse().with_context(why)?,
        error_percent: error.parse().with_context(why)?,
        soak_s: soak.parse().with_context(why)?,
    })
}

/// `Asia/Tokyo/12345/22:00-04:00`.
fn window(text: &str) -> anyhow::Result<MaintenanceWindow> {
    let why = || format!("{text:?} is no window; write ZONE/DAYS/HH:MM-HH:MM");
    let (rest, hours) = text.rsplit_once('/').with_context(why)?;
    let (zone, days) = rest.rsplit_once('/').with_context(why)?;
    let (from, to) = hours.split_once('-').with_context(why)?;
    let minutes = |text: &str| -> anyhow::Result<u16> {
        let (hour, minute) = text.split_once(':').with_context(why)?;
        let (hour, minute): (u16, u16) = (hour.parse()?, minute.parse()?);
        if hour > 23 || minute > 59 {
            bail!("{text:?} is no time of the day");
        }
        Ok(hour * 60 + minute)
    };
    let weekdays = days
        .chars()
        .map(|day| day.to_digit(10).and_then(|day| u8::try_from(day).ok()).with_context(why))
        .collect::<Result<_, _>>()?;
    Ok(MaintenanceWindow {
        zone: zone.to_owned(),
        weekdays,
        from: minutes(from).with_context(why)?,
        to: minutes(to).with_context(why)?,
    })
}

pub(super) fn describe(campaign: &Campaign) -> String {
    let mut text = format!(
        "{}  {}\n  {} {} (counter {}, security version {}) on {} devices\n  chosen by {}",
        campaign.id,
        campaign.name,
        campaign.product,
        campaign.version,
        campaign.release_counter,
        campaign.security_version,
        campaign.members,
        campaign.search
    );
    if let Some(version) = &campaign.roll_back_version {
        text.push_str(&format!("\n  back to {version} where it fails"));
    }
    text.push_str(&format!("\n  proposed {} by {}", campaign.created, campaign.created_by));
    if let (Some(at), Some(by)) = (&campaign.started, &campaign.started_by) {
        text.push_str(&format!("\n  started {at} by {by}"));
    }
    text.push('\n');
    text.push_str(&progress(campaign));
    text
}

/// One line per stage.
fn progress(campaign: &Campaign) -> String {
    let mut text = match &campaign.paused {
        Some(cause) => format!("{} ({cause})", campaign.state),
        None => campaign.state.clone(),
    };
    for (number, stage) in campaign.stages.iter().enumerate() {
        let open =
            if number < usize::from(campaign.stage) && stage.opened.is_some() { ">" } else { " " };
        text.push_str(&format!(
            "\n {open} stage {}: {} of {} succeeded, {} failed, {} on their way, {} waiting, {} need nothing",
            number + 1,
            stage.succeeded,
            stage.total,
            stage.failed,
            stage.open,
            stage.waiting,
            stage.skipped
        ));
        if stage.rolling_back + stage.rolled_back + stage.stranded > 0 {
            text.push_str(&format!(
                "; {} back, {} on their way back, {} stranded",
                stage.rolled_back, stage.rolling_back, stage.stranded
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_windows_are_read_or_explained() {
        let read = stage("2.5:90:20:3600").unwrap();
        assert_eq!(
            (read.share, read.success_percent, read.error_percent, read.soak_s),
            (250, 90, 20, 3600)
        );
        for bad in ["", "10", "10:90", "0:90:10", "101:90:10", "x:90:10", "10:90:10:1:1"] {
            assert!(stage(bad).is_err(), "{bad}");
        }
        let read = window("America/Argentina/Salta/67/22:00-04:30").unwrap();
        assert_eq!(read.zone, "America/Argentina/Salta");
        assert_eq!((read.weekdays, read.from, read.to), (vec![6, 7], 22 * 60, 4 * 60 + 30));
        for bad in [
            "",
            "Asia/Tokyo",
            "Asia/Tokyo/12/22:00",
            "Asia/Tokyo/x/22:00-23:00",
            "Asia/Tokyo/1/24:00-1:00",
        ] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }
}
