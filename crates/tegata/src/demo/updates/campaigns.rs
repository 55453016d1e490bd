//! A good release and a bad one, each rolled out stage by stage over the devices that an operator has
//! at work.

use super::{
    gadget::{Gadget, Trial},
    publisher::artifact,
};
use crate::demo::{
    ask::Question, crowd::each, log, people::Organisation, rows::Check, world::World,
};
use anyhow::Context as _;
use api::wire::{
    Assignment, Campaign, CampaignDevice, CampaignPlan, CampaignStage, NewCampaign, Release,
};
use device::ReasonCode;
use indicatif::ProgressBar;
use std::sync::Arc;
use update::campaign::LogTrust;

/// Fewest members of a stage that show anything.
const STAGE_MIN: usize = 4;
/// Which devices are updated.
const SEARCH: &str = "phase=operation";

/// Whoever runs campaigns.
pub(super) struct Runner {
    pub(super) world: Arc<World>,
    /// whom its devices trust to keep the log
    pub(super) trust: Arc<LogTrust>,
    pub(super) owner: crate::demo::people::Who,
    pub(super) bar: ProgressBar,
}

/// What came of a campaign.
pub(super) struct Ran {
    pub(super) campaign: Campaign,
    pub(super) gadgets: Vec<Gadget>,
    pub(super) checks: Vec<Check>,
}

impl Runner {
    fn owner(&self) -> anyhow::Result<&Organisation> {
        self.world.of(self.owner)
    }

    async fn propose(
        &self,
        name: &str,
        release: &Release,
        back: Option<&Release>,
        stages: [CampaignStage; 2],
    ) -> anyhow::Result<Campaign> {
        let new = NewCampaign {
            name: name.to_owned(),
            release: release.id.clone(),
            roll_back_to: back.map(|release| release.id.clone()),
            search: SEARCH.to_owned(),
            plan: CampaignPlan {
                stages: stages.to_vec(),
                window: None,
                starts_per_minute: None,
                deadline_s: 3600,
                attempts_max: 3,
                roll_back: back.is_some(),
                force: true,
                confirm: false,
            },
        };
        let campaign: Campaign = self.owner()?.desk.post("/v1/campaigns", &new).await?;
        let few = |total: u64| usize::try_from(total).is_ok_and(|total| total < STAGE_MIN);
        if campaign.stages.iter().any(|stage| few(stage.total)) {
            anyhow::bail!("a stage has fewer than {STAGE_MIN} devices; play with more --devices");
        }
        Ok(campaign)
    }

    async fn start(&self, campaign: &Campaign) -> anyhow::Result<()> {
        let path = format!("/v1/campaigns/{}/start", campaign.id);
        let _started: Campaign = self.owner()?.administrator.post_empty(&path).await?;
        // Devices ask for the proof that the log was told.
        log::settle(&self.world).await?;
        Ok(())
    }

    async fn view(&self, campaign: &Campaign) -> anyhow::Result<Campaign> {
        self.owner()?.desk.get(&format!("/v1/campaigns/{}", campaign.id)).await
    }

    /// Everybody asks: those who are told to install something, and the others.
    async fn ask(
        &self,
        gadgets: Vec<Gadget>,
    ) -> anyhow::Result<(Vec<(Gadget, Assignment)>, Vec<Gadget>)> {
        let asked = each(gadgets, &self.bar, |gadget| async move {
            let install = gadget.poll().await?.install;
            Ok((gadget, install))
        });
        let (mut told, mut others) = (Vec::new(), Vec::new());
        for (gadget, install) in asked.await? {
            match install {
                Some(assignment) => told.push((gadget, assignment)),
                None => others.push(gadget),
            }
        }
        Ok((told, others))
    }

    /// Everybody who was told verifies, downloads and installs; nobody starts the new image yet.
    async fn install(
        &self,
        told: Vec<(Gadget, Assignment)>,
    ) -> anyhow::Result<Vec<(Gadget, Trial)>> {
        let trust = Arc::clone(&self.trust);
        each(told, &self.bar, move |(mut gadget, assignment)| {
            let trust = Arc::clone(&trust);
            async move {
                match gadget.install(&trust, &assignment).await? {
                    Ok(trial) => Ok((gadget, trial)),
                    Err(refused) => anyhow::bail!(
                        "{} refuses what the platform assigned: [{}] {}",
                        gadget.device,
                        refused.code,
                        refused.detail
                    ),
                }
            }
        })
        .await
    }

    /// Everybody starts the new image, keeps it and says so, but for the first: its word is lost, and
    /// what it says that it runs at its next poll must do.
    async fn boot(&self, installed: Vec<(Gadget, Trial)>) -> anyhow::Result<Vec<Gadget>> {
        let numbered = installed.into_iter().enumerate().collect();
        each(
            numbered,
            &self.bar,
            |(number, (mut gadget, trial)): (usize, (Gadget, Trial))| async move {
                let action = trial.action;
                gadget.keep(trial);
                if number == 0 {
                    let poll = gadget.poll().await?;
                    anyhow::ensure!(poll.install.is_none(), "it is told to install what it runs");
                } else {
                    gadget.confirm(action).await?;
                }
                Ok(gadget)
            },
        )
        .await
    }

    /// A release that is as it should be: everybody ends with a confirmed boot, the second stage only
    /// after the first.
    pub(super) async fn good(
        &self,
        gadgets: Vec<Gadget>,
        release: &Release,
    ) -> anyhow::Result<Ran> {
        let members = gadgets.len();
        let mut checks = Vec::new();
        let stages = two_stages(members, (100, 50), (90, 50));
        let campaign = self.propose("November update", release, None, stages).await?;
        checks.push(equal(
            "campaign: its members, the operator's devices at work",
            members,
            campaign.members,
        ));
        let (told, others) = self.ask(gadgets).await?;
        checks.push(equal(
            "campaign: told to install anything before the start",
            0,
            told.len() as u64,
        ));
        let gadgets = told.into_iter().map(|(gadget, _)| gadget).chain(others).collect();
        self.start(&campaign).await?;

        let (told, others) = self.ask(gadgets).await?;
        let first = campaign.stages.first().map_or(0, |stage| stage.total);
        checks.push(equal(
            "campaign: told at the start, the first stage",
            first,
            told.len() as u64,
        ));
        let installed = self.install(told).await?;
        let view = self.view(&campaign).await?;
        let (succeeded, open) =
            (sum(&view, |stage| stage.succeeded), sum(&view, |stage| stage.open));
        checks.push(equal("campaign: successes once all of those have installed", 0, succeeded));
        checks.push(equal("campaign: on their way, then", first, open));
        let (early, others) = self.ask(others).await?;
        checks.push(equal(
            "campaign: of the second stage, told before those boots",
            0,
            early.len() as u64,
        ));
        let mut done = self.boot(installed).await?;
        let view = self.view(&campaign).await?;
        let what = "campaign: stage that is open once the first is confirmed";
        checks.push(equal(what, 2, u64::from(view.stage)));

        let (told, mut left) = self.ask(others).await?;
        let installed = self.install(told).await?;
        done.extend(self.boot(installed).await?);
        done.append(&mut left);
        let view = self.view(&campaign).await?;
        checks.push(Check::new(
            "campaign: a good release",
            "finished",
            &view.state,
            view.state == "finished",
        ));
        let succeeded = sum(&view, |stage| stage.succeeded);
        checks.push(equal("campaign: confirmed boots in the end", members, succeeded));
        Ok(Ran { campaign: view, gadgets: done, checks })
    }

    /// A release with which most devices do not come up: the error threshold stops it, and whoever
    /// runs it is led back.
    pub(super) async fn bad(
        &self,
        gadgets: Vec<Gadget>,
        release: &Release,
        back: &Release,
    ) -> anyhow::Result<Ran> {
        let mut checks = Vec::new();
        let stages = two_stages(gadgets.len(), (60, 30), (60, 30));
        let campaign = self.propose("December update", release, Some(back), stages).await?;
        self.start(&campaign).await?;
        let (told, others) = self.ask(gadgets).await?;
        let first = told.len() as u64;
        let mut installed = self.install(told).await?.into_iter();
        let mut done = Vec::new();

        let (mut pilot, trial) = installed.next().context("nobody was told")?;
        let action = trial.action;
        pilot.keep(trial);
        pilot.confirm(action).await?;
        let (mut failed, mut stopped, mut one_that_failed) = (0_u64, 0_u64, None);
        for (gadget, trial) in installed {
            if self.view(&campaign).await?.state == "running" {
                gadget.give_up(trial).await?;
                failed += 1;
                one_that_failed = Some(gadget.device);
            } else {
                let cancel = gadget.poll().await?.cancel;
                anyhow::ensure!(cancel == Some(trial.action), "nobody tells it to stop");
                gadget.say(trial.action, "cancelled", None, None).await?;
                stopped += 1;
            }
            done.push(gadget);
        }
        let view = self.view(&campaign).await?;
        let stops = (failed * 100).div_ceil(first.max(1)) >= 30 && failed + stopped + 1 == first;
        let what = format!("bad release: stopped once {failed} of {first} do not come up");
        checks.push(Check::new(
            what,
            "rolling-back",
            &view.state,
            view.state == "rolling-back" && stops,
        ));
        checks.push(equal(
            "bad release: told to stop before they start it",
            stopped,
            sum(&view, |s| s.cancelled),
        ));
        let (late, others) = self.ask(others).await?;
        checks.push(equal("bad release: told to install it after that", 0, late.len() as u64));

        log::settle(&self.world).await?;
        let assignment = pilot.told().await?;
        let leads = (assignment.purpose.as_str(), assignment.version.as_str());
        let holds = leads == ("roll-back", back.version.as_str());
        let given = format!("{} to {}", leads.0, leads.1);
        let expected = format!("roll-back to {}", back.version);
        checks.push(Check::new("bad release: the one that runs it is led", expected, given, holds));
        let installed = self.install(vec![(pilot, assignment)]).await?;
        for (mut gadget, trial) in installed {
            let action = trial.action;
            gadget.keep(trial);
            gadget.confirm(action).await?;
            let old = &artifact(back)?.sha256.0;
            let runs = gadget.runs.sha256 == old.to_string();
            let given = gadget.runs.version.clone().unwrap_or_default();
            checks.push(Check::new(
                "bad release: what that one runs in the end",
                &back.version,
                given,
                runs,
            ));
            done.push(gadget);
        }
        done.extend(others);
        let view = self.view(&campaign).await?;
        checks.push(Check::new(
            "bad release: the campaign in the end",
            "rolled-back",
            &view.state,
            view.state == "rolled-back",
        ));

        let path = format!("/v1/campaigns/{}/devices?outcome=failed", campaign.id);
        let results: Vec<CampaignDevice> = self.owner()?.desk.all(&path).await?;
        let reported = results.iter().filter(|one| one.reason.as_deref() == Some("reported"));
        checks.push(equal(
            "bad release: failures on record, each with the device's word",
            failed,
            reported.count() as u64,
        ));
        let device = one_that_failed.context("nothing failed")?;
        let verdict = Question::new(self.owner()?, device).verdict().await?;
        let noted =
            verdict.reasons.iter().any(|reason| reason.code == ReasonCode::UpdateFailed.name());
        let given = if noted { "a note in the verdict" } else { "nothing" };
        checks.push(Check::new(
            "bad release: passport of one that failed",
            "a note in the verdict",
            given,
            noted,
        ));
        Ok(Ran { campaign: view, gadgets: done, checks })
    }

    /// Releases that no campaign may lead back to.
    pub(super) async fn refusals(
        &self,
        release: &Release,
        weaker: &Release,
    ) -> anyhow::Result<Vec<Check>> {
        let stages = [stage(5000, 60, 30), stage(5000, 60, 30)];
        let refused = self.propose("back too far", release, Some(weaker), stages).await;
        let given = match refused {
            Ok(_) => "proposed".to_owned(),
            Err(error) => error
                .chain()
                .find_map(|cause| cause.downcast_ref::<api::ClientError>()?.problem())
                .map_or_else(|| format!("{error:#}"), |problem| problem.code.clone()),
        };
        let holds = given == "not-a-rollback";
        let what = "campaign: one that would lead back below a mended vulnerability";
        Ok(vec![Check::new(what, "not-a-rollback", given, holds)])
    }
}

/// A third first; of few devices, at least as many as show anything. With the thresholds of each.
fn two_stages(members: usize, first: (u8, u8), second: (u8, u8)) -> [CampaignStage; 2] {
    let fewest = (STAGE_MIN * 10_000).div_ceil(members.max(1));
    let share = u16::try_from(fewest).unwrap_or(u16::MAX).clamp(3000, 9000);
    [stage(share, first.0, first.1), stage(10_000 - share, second.0, second.1)]
}

fn stage(share: u16, success_percent: u8, error_percent: u8) -> CampaignStage {
    CampaignStage { share, success_percent, error_percent, soak_s: 0 }
}

fn sum(campaign: &Campaign, of: impl Fn(&api::wire::StageProgress) -> u64) -> u64 {
    campaign.stages.iter().map(of).sum()
}

fn equal(what: &str, expected: impl TryInto<u64>, given: u64) -> Check {
    let expected = expected.try_into().ok();
    let text = expected.map(|number| number.to_string()).unwrap_or_default();
    Check::new(what, text, given.to_string(), expected == Some(given))
}
