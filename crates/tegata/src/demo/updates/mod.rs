//! Updates of the fleet: a maker with an image repository, two campaigns over an operator's devices at
//! work (a good release to confirmed boots; a bad one that stops itself and leads back), and whatever
//! mirrors and a stolen platform may try, each told apart.
//!
//! Campaigns, files and metadata go through REST, devices come by mutual TLS with their own
//! certificates; keys of root and targets never leave the maker.

mod campaigns;
mod gadget;
mod lies;
mod mirror;
mod publisher;

use crate::demo::{
    life::Life,
    people::{Line, Who},
    plan::Fate,
    rows::Check,
    thing::Tip,
    world::World,
};
use agent::engine::Image;
use anyhow::Context as _;
use api::wire::{Campaign, Release};
use campaigns::Runner;
use gadget::{Gadget, Memory};
use indicatif::ProgressBar;
use lies::{Scene, source};
use mirror::Mirror;
use publisher::{Draft, Publisher, artifact};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use update::campaign::LogTrust;

/// Kind of hardware of the line.
const HARDWARE: &str = "gw-7-rev1";
/// Seconds until the metadata of a maker that nobody hears of any more end.
const ABANDONED_S: i64 = 3;
/// Bytes of an image.
const IMAGE_BYTES: usize = 64 * 1024;

/// What came of the updates.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) checks: Vec<Check>,
    /// how often devices refused something, by code
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) campaigns: Vec<Summary>,
}

/// A campaign as `--json` prints it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Summary {
    name: String,
    version: String,
    state: String,
    members: u64,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    rolled_back: u64,
    waiting: u64,
}

impl From<&Campaign> for Summary {
    fn from(campaign: &Campaign) -> Self {
        let sum = |of: fn(&api::wire::StageProgress) -> u64| campaign.stages.iter().map(of).sum();
        Self {
            name: campaign.name.clone(),
            version: campaign.version.clone(),
            state: campaign.state.clone(),
            members: campaign.members,
            succeeded: sum(|stage| stage.succeeded),
            failed: sum(|stage| stage.failed),
            cancelled: sum(|stage| stage.cancelled),
            rolled_back: sum(|stage| stage.rolled_back),
            waiting: sum(|stage| stage.waiting),
        }
    }
}

/// Plays it with the devices of [`Line::Gate`] that one operator has at work.
pub(super) async fn play(
    world: &Arc<World>,
    lives: &mut [Life],
    bar: &ProgressBar,
) -> anyhow::Result<Played> {
    let mut played = Played::default();
    let ends = crate::clock::now().plus(ABANDONED_S);
    let abandoned = Publisher::begin(world.of(Who::Kage)?, Some(ends)).await?;
    let maker = Publisher::begin(world.of(Who::Yamato)?, None).await?;
    let images = [image(1), image(2), image(3)];
    let [first, second, third] = &images;
    let old = release(&maker, "1.0", 1, first).await?;
    let before = release(&maker, "2.0", 2, second).await?;

    let mut gadgets = Vec::new();
    for life in lives.iter_mut() {
        let owner = life.thing.owner;
        if owner != Who::Kawa || life.plan.fate != Fate::Works || life.thing.line != Line::Gate {
            continue;
        }
        let device = (life.thing.id, life.thing.identity()?);
        let repository = (maker.root.as_slice(), maker.path());
        let repository = (repository.0, repository.1.as_str());
        gadgets.push(Gadget::new(world, device, HARDWARE, repository, made_with(&old)?)?);
        // The platform goes on with its history.
        life.thing.tip = Tip::default();
    }
    bar.set_length(gadgets.len() as u64 * 6);
    let anchors = world.anchors()?;
    let trust =
        LogTrust { logs: anchors.logs, witnesses: anchors.witnesses, quorum: anchors.quorum };
    let runner = Runner {
        world: Arc::clone(world),
        trust: Arc::new(trust),
        owner: Who::Kawa,
        bar: bar.clone(),
    };
    let ran = runner.good(gadgets, &before).await?;
    played.campaigns.push((&ran.campaign).into());
    played.checks.extend(ran.checks);

    // What is the newest now is old before long.
    let mirror = Mirror::start(&world.site.public_url).await?;
    let mut then = Memory::of_root(&maker.root);
    let from = source(&mirror.url, &maker.path())?;
    let path = &artifact(&before)?.path;
    let taped = then.fetch(&from, path, None, crate::clock::now()).await?;
    anyhow::ensure!(taped.is_ok(), "an honest mirror was refused");
    let tape = mirror.tape();

    let newest = release(&maker, "3.0", 2, third).await?;
    let ran = Box::pin(runner.bad(ran.gadgets, &newest, &before)).await?;
    played.campaigns.push((&ran.campaign).into());
    played.checks.extend(ran.checks);
    played.checks.extend(runner.refusals(&newest, &old).await?);

    let led_back = |gadget: &&Gadget| gadget.runs.version.as_deref() == Some("2.0");
    let mut gadget = ran.gadgets.iter().find(led_back).context("nobody runs 2.0")?.clone();
    let direct = gadget.source.clone();
    let path = &artifact(&newest)?.path;
    let fresh = gadget.memory.fetch(&direct, path, None, crate::clock::now()).await?;
    anyhow::ensure!(fresh.is_ok(), "the platform's own repository was refused");
    let scene = Scene {
        world,
        mirror,
        tape,
        then,
        gadget,
        publisher: &maker,
        old: &old,
        before: &before,
        newest: &newest,
    };
    let told = scene.play(&abandoned, ends).await?;
    played.checks.extend(told.checks);
    played.refused = told.refused;
    Ok(played)
}

async fn release(
    maker: &Publisher<'_>,
    version: &str,
    security_version: u64,
    image: &[u8],
) -> anyhow::Result<Release> {
    let draft = Draft {
        product: Line::Gate.id()?,
        model: Line::Gate.slug(),
        version,
        security_version,
        hardware_id: HARDWARE,
        image,
    };
    maker.release(&draft).await.with_context(|| format!("release {version}"))
}

/// An image that is like no other.
fn image(seed: u8) -> Vec<u8> {
    let line = format!("firmware of a gateway, release {seed}\n");
    line.bytes().cycle().take(IMAGE_BYTES).collect()
}

/// What a device runs since it was made.
fn made_with(release: &Release) -> anyhow::Result<Image> {
    let file = artifact(release)?;
    Ok(Image {
        target: file.path.clone(),
        length: file.length,
        sha256: file.sha256.0.to_string(),
        version: Some(release.version.clone()),
        security_version: release.security_version,
        release_counter: release.release_counter,
    })
}
