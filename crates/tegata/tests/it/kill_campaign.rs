//! A server that is killed by SIGKILL at every step of a campaign: proposal, start, the poll that hands
//! something out, a device's result, the next stage, the way back. Whatever was acknowledged is there
//! after the restart; no device is given anything twice or counted twice; counters, rows, histories and
//! log agree. Devices and people then do what they would have done, and it ends as if nothing had been.
//!
//! One data directory lives through all rounds, each with a release and a campaign of its own.

use crate::kill::{Factory, Killed, PATIENCE, SIGKILL, gone, serve};
use api::{
    Client, Identity, Settings,
    client::Call,
    wire::{
        self, Assignment, Campaign, CampaignPlan, CampaignStage, NewCampaign, UpdateFeedback,
        UpdatePoll,
    },
};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, random, sha256};
use device::{DeviceId, Kind};
use pki::{Subject, csr::CsrBuilder};
use serde::de::DeserializeOwned;
use service::{
    CampaignDevice, CampaignDeviceFilter, CampaignId, CampaignView, EnrolRequest, Gate,
    NewArtifact, NewRelease, NewUpload, Page, ReleaseView, Service, fault,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt as _,
    sync::Arc,
    time::{Duration, Instant},
};
use update::campaign::{Counts, Outcome, Purpose};

const DEVICES: usize = 6;
const HARDWARE: &str = "chip-a1";
/// Passes over the fleet within which a campaign is over.
const PASSES: usize = 10;

/// How a round goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    /// every device confirms
    Good,
    /// the first device confirms, all others fail, and the first goes back
    Bad,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_survives_death_at_every_step() {
    let rounds: Vec<(Script, &str, u64)> = vec![
        (Script::Good, fault::BEFORE_PROPOSAL, 1),
        (Script::Good, fault::AFTER_PROPOSAL, 1),
        (Script::Good, fault::BEFORE_CAMPAIGN, 1),
        (Script::Good, fault::AFTER_START, 1),
        (Script::Good, fault::BEFORE_OFFER, 1),
        (Script::Good, fault::BEFORE_OFFER, 4),
        (Script::Good, fault::AFTER_OFFER, 1),
        (Script::Good, fault::AFTER_OFFER, 4),
        (Script::Good, fault::BEFORE_RESULT, 2),
        (Script::Good, fault::AFTER_RESULT, 2),
        (Script::Good, fault::AFTER_RESULT, 7),
        (Script::Good, fault::IN_STAGE, 1),
        (Script::Bad, fault::BEFORE_RESULT, 6),
        (Script::Bad, fault::AFTER_RESULT, 4),
        (Script::Bad, fault::IN_ROLL_BACK, 1),
        (Script::Bad, fault::AFTER_OFFER, 5),
    ];
    let tried: BTreeSet<&str> = rounds.iter().map(|(_, point, _)| *point).collect();
    assert_eq!(tried, fault::CAMPAIGN_KILLS.into_iter().collect(), "a step is left out");

    let dir = tempfile::tempdir().unwrap();
    let factory = Factory::build(dir.path()).await;
    let service = factory.open();
    let mut fleet = fleet(&service, &factory).await;
    let mut newest = release(&service, &factory, 1).await;
    close(service).await;
    for thing in &mut fleet {
        thing.runs = runs(&newest);
    }
    for (number, (script, point, time)) in (2..).zip(rounds) {
        let what = format!("{script:?}, {point}:{time}");
        let service = factory.open();
        let before = newest;
        newest = release(&service, &factory, number).await;
        close(service).await;
        let mut round = Round::new(script, &newest, &before);

        let (mut server, port) = serve(&factory.data, Some((point, time)));
        let broke = round.play(&factory, port, &mut fleet).await;
        assert!(broke.is_err(), "{what}: the server lived through it");
        assert_eq!(dead(&mut server), Some(SIGKILL), "{what}");
        round.check(&factory, &fleet, &what, false).await;

        let (mut server, port) = serve(&factory.data, None);
        round.play(&factory, port, &mut fleet).await.unwrap_or_else(|Gone| panic!("{what}"));
        server.0.kill().unwrap();
        assert_eq!(dead(&mut server), Some(SIGKILL), "{what}");
        round.check(&factory, &fleet, &what, true).await;
    }
}

/// A device, which lives on while servers die.
struct Thing {
    device: DeviceId,
    identity: Identity,
    runs: wire::DeviceSoftware,
}

/// The server went away.
#[derive(Debug)]
struct Gone;

/// One campaign, with what was acknowledged of it.
struct Round {
    script: Script,
    new: NewCampaign,
    release: ReleaseView,
    proposed: Option<String>,
    started: bool,
    /// who confirms, in a script where others fail
    pilot: Option<DeviceId>,
    /// numbers that devices were told
    offered: BTreeMap<(DeviceId, String), u64>,
    /// actions whose success or failure was taken
    taken: BTreeMap<u64, Outcome>,
}

impl Round {
    fn new(script: Script, release: &ReleaseView, before: &ReleaseView) -> Self {
        let stage = |share| CampaignStage {
            share,
            success_percent: if script == Script::Good { 100 } else { 10 },
            error_percent: 50,
            soak_s: 0,
        };
        let stages = match script {
            Script::Good => vec![stage(4000), stage(6000)],
            Script::Bad => vec![stage(10_000)],
        };
        let new = NewCampaign {
            name: format!("to {}", release.version),
            release: release.id.to_string(),
            roll_back_to: (script == Script::Bad).then(|| before.id.to_string()),
            search: String::new(),
            plan: CampaignPlan {
                stages,
                window: None,
                starts_per_minute: None,
                deadline_s: 3600,
                attempts_max: 10,
                roll_back: script == Script::Bad,
                force: true,
                confirm: false,
            },
        };
        Self {
            script,
            new,
            release: release.clone(),
            proposed: None,
            started: false,
            pilot: None,
            offered: BTreeMap::new(),
            taken: BTreeMap::new(),
        }
    }

    /// Goes on from wherever it is until the campaign is over, or the server is gone.
    async fn play(
        &mut self,
        factory: &Factory,
        port: Option<u16>,
        fleet: &mut [Thing],
    ) -> Result<(), Gone> {
        let port = port.ok_or(Gone)?;
        let desk = client(factory, port, &factory.station);
        let id = match self.proposed.clone() {
            Some(id) => id,
            None => {
                // Perhaps it is there, and nobody was told.
                let all: wire::Page<Campaign> = get(&desk, "/v1/campaigns").await?;
                let there = all.items.into_iter().find(|one| one.name == self.new.name);
                match there {
                    Some(campaign) => campaign.id,
                    None => post::<_, Campaign>(&desk, "/v1/campaigns", &self.new).await?.id,
                }
            }
        };
        self.proposed = Some(id.clone());
        let path = format!("/v1/campaigns/{id}");
        let view: Campaign = get(&desk, &path).await?;
        if view.state == "draft" {
            assert!(!self.started, "an acknowledged start is lost");
            let none = serde_json::Value::Null;
            post::<_, Campaign>(&desk, &format!("{path}/start"), &none).await?;
        }
        self.started = true;
        for _ in 0..PASSES {
            for thing in fleet.iter_mut() {
                self.serve(factory, port, thing).await?;
            }
            let view: Campaign = get(&desk, &path).await?;
            if matches!(view.state.as_str(), "finished" | "rolled-back") {
                return Ok(());
            }
        }
        panic!("the campaign does not come to an end");
    }

    /// One device asks, and does what it is told.
    async fn serve(&mut self, factory: &Factory, port: u16, thing: &mut Thing) -> Result<(), Gone> {
        let client = client(factory, port, &thing.identity);
        let poll: UpdatePoll = post(&client, "/v1/update/poll", &thing.runs).await?;
        if let Some(action) = poll.cancel {
            say(&client, action, "cancelled", None).await?;
            self.taken.insert(action, Outcome::Cancelled);
        }
        let Some(Assignment { action, purpose, version, release_counter, .. }) = poll.install
        else {
            return Ok(());
        };
        let known = self.offered.insert((thing.device, purpose.clone()), action);
        assert!(known.is_none_or(|known| known == action), "the same was given twice");
        say(&client, action, "installed", None).await?;
        let pilot = *self.pilot.get_or_insert(thing.device);
        if self.script == Script::Bad && thing.device != pilot {
            say(&client, action, "failed", Some(&thing.runs)).await?;
            self.taken.insert(action, Outcome::Failed);
            return Ok(());
        }
        // What runs, runs, whatever anybody hears of it.
        thing.runs.version = Some(version);
        thing.runs.release_counter = Some(release_counter);
        say(&client, action, "confirmed", Some(&thing.runs)).await?;
        self.taken.insert(action, Outcome::Succeeded);
        Ok(())
    }

    /// Opens what the dead server left behind, and compares everything with everything.
    async fn check(&self, factory: &Factory, fleet: &[Thing], what: &str, over: bool) {
        let service = factory.open();
        let (caller, page) = (&factory.caller, Page { after: None, limit: 1000 });
        service.integrate_now().await.unwrap();
        let check = service.check_log(&service.local_administrator()).await.unwrap();
        assert!(check.problems.is_empty(), "{what}: {:?}", check.problems);

        let campaigns =
            service.campaigns(caller, &factory.organisation, &page).await.unwrap().items;
        let of_this: Vec<&CampaignView> =
            campaigns.iter().filter(|one| one.name == self.new.name).collect();
        assert!(of_this.len() <= 1, "{what}: it was proposed twice");
        assert!(of_this.len() == 1 || self.proposed.is_none(), "{what}: a proposal is lost");
        let mut results: BTreeMap<DeviceId, usize> = BTreeMap::new();
        for campaign in &campaigns {
            let lines = lines(&service, factory, &campaign.id).await;
            assert_eq!(campaign.counts, recounted(campaign, &lines), "{what}: {}", campaign.name);
            let mut seen = BTreeSet::new();
            for line in &lines {
                let purpose = line.purpose == Purpose::RollBack;
                assert!(seen.insert((line.device, purpose)), "{what}: one device, two actions");
                if line.leaf.is_some() {
                    *results.entry(line.device).or_default() += 1;
                }
                let told = matches!(line.result, Some((Outcome::Succeeded | Outcome::Failed, ..)));
                assert_eq!(told, line.leaf.is_some(), "{what}: results and histories");
            }
        }
        for thing in fleet {
            let events = service.history(caller, &thing.device, &page).await.unwrap().items;
            let updated = events.iter().filter(|event| event.kind == Kind::Updated).count();
            let expected = results.get(&thing.device).copied().unwrap_or(0);
            assert_eq!(updated, expected, "{what}: a result counts once in a history");
        }
        if let Some(campaign) = of_this.first() {
            self.check_acknowledged(&service, factory, campaign, what).await;
            if over {
                self.check_end(campaign, fleet, what);
            }
        }
        assert!(!over || self.proposed.is_some());
        close(service).await;
    }

    /// What somebody was told is so.
    async fn check_acknowledged(
        &self,
        service: &Service,
        factory: &Factory,
        campaign: &CampaignView,
        what: &str,
    ) {
        let id = campaign.id.to_string();
        assert!(self.proposed.as_ref().is_none_or(|known| *known == id), "{what}: another one");
        assert!(!self.started || campaign.started_at.is_some(), "{what}: a start is lost");
        let lines = lines(service, factory, &campaign.id).await;
        for ((device, purpose), action) in &self.offered {
            let there = lines.iter().any(|line| {
                line.device == *device && line.action == *action && line.purpose.name() == purpose
            });
            assert!(there, "{what}: action {action} of {device} is lost");
        }
        for (action, outcome) in &self.taken {
            let line = lines.iter().find(|line| line.action == *action).unwrap();
            let found = line.result.map(|(outcome, ..)| outcome);
            assert_eq!(found, Some(*outcome), "{what}: the result of action {action} is lost");
        }
    }

    /// Every device is where the script leads it, once.
    fn check_end(&self, campaign: &CampaignView, fleet: &[Thing], what: &str) {
        let sum = |of: fn(&Counts) -> u64| campaign.counts.iter().map(of).sum::<u64>();
        let all = fleet.len() as u64;
        assert_eq!(campaign.members, all);
        let newest =
            |thing: &&Thing| thing.runs.release_counter == Some(self.release.release_counter);
        match self.script {
            Script::Good => {
                assert_eq!(sum(|counts| counts.succeeded), all, "{what}");
                assert_eq!(fleet.iter().filter(newest).count() as u64, all, "{what}");
            }
            Script::Bad => {
                assert_eq!(sum(|counts| counts.rolled_back), 1, "{what}");
                // Half of six and no more: then it stops.
                assert_eq!(sum(|counts| counts.failed), all / 2, "{what}");
                assert_eq!(fleet.iter().filter(newest).count(), 0, "{what}");
            }
        }
    }
}

/// The counters of a campaign, counted anew over its devices.
fn recounted(campaign: &CampaignView, lines: &[CampaignDevice]) -> Vec<Counts> {
    let mut newest: BTreeMap<DeviceId, &CampaignDevice> = BTreeMap::new();
    for line in lines {
        let known = newest.entry(line.device).or_insert(line);
        if line.action > known.action {
            *known = line;
        }
    }
    let mut counts: Vec<Counts> = campaign
        .counts
        .iter()
        .map(|counts| Counts {
            total: counts.total,
            opened_at: counts.opened_at,
            ..Counts::default()
        })
        .collect();
    for line in newest.values() {
        let counts = &mut counts[usize::from(line.stage)];
        let field = match (line.purpose, line.result.map(|(outcome, ..)| outcome)) {
            (Purpose::Update, None) => &mut counts.open,
            (Purpose::Update, Some(Outcome::Succeeded)) => &mut counts.succeeded,
            (Purpose::Update, Some(Outcome::Failed)) => &mut counts.failed,
            (Purpose::Update, Some(Outcome::Cancelled)) => &mut counts.cancelled,
            (Purpose::RollBack, None) => &mut counts.rolling_back,
            (Purpose::RollBack, Some(Outcome::Succeeded)) => &mut counts.rolled_back,
            other => panic!("no script leads to {other:?}"),
        };
        *field += 1;
    }
    assert_eq!(counts.iter().map(|counts| counts.total).sum::<u64>(), campaign.members);
    counts
}

async fn lines(service: &Service, factory: &Factory, id: &CampaignId) -> Vec<CampaignDevice> {
    let page = Page { after: None, limit: 1000 };
    let all = CampaignDeviceFilter::All;
    service.campaign_devices(&factory.caller, id, all, &page).await.unwrap().items
}

/// Waits for a server's end, and says by which signal.
fn dead(server: &mut Killed) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            return status.signal();
        }
        assert!(start.elapsed() < PATIENCE, "the server does not die");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn client(factory: &Factory, port: u16, identity: &Identity) -> Client {
    let base = format!("https://localhost:{port}");
    let root = std::slice::from_ref(&factory.root);
    Client::new(&base, root, Some(identity), Settings::default()).unwrap()
}

async fn call<T: DeserializeOwned>(client: &Client, call: Call) -> Result<T, Gone> {
    match client.call(call).await {
        Ok(answer) => Ok(serde_json::from_slice(match answer.body.as_ref() {
            b"" => b"null",
            body => body,
        })
        .unwrap()),
        Err(error) => {
            gone(&error);
            Err(Gone)
        }
    }
}

async fn get<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, Gone> {
    call(client, Call::get(path)).await
}

async fn post<B: serde::Serialize, T: DeserializeOwned>(
    client: &Client,
    path: &str,
    body: &B,
) -> Result<T, Gone> {
    call(client, Call::new(http::Method::POST, path).json(body).unwrap()).await
}

async fn say(
    client: &Client,
    action: u64,
    execution: &str,
    installed: Option<&wire::DeviceSoftware>,
) -> Result<(), Gone> {
    let said = UpdateFeedback {
        action,
        execution: execution.to_owned(),
        progress: None,
        detail: None,
        installed: installed.cloned(),
    };
    post(client, "/v1/update/feedback", &said).await
}

fn runs(release: &ReleaseView) -> wire::DeviceSoftware {
    wire::DeviceSoftware {
        hardware_id: Some(HARDWARE.to_owned()),
        version: Some(release.version.clone()),
        release_counter: Some(release.release_counter),
        security_version: Some(release.security_version),
        digest: None,
        confirmed: true,
        self_test: None,
        metadata: Vec::new(),
    }
}

/// Chips with certificates, at their maker.
async fn fleet(service: &Service, factory: &Factory) -> Vec<Thing> {
    let mut fleet = Vec::new();
    for _ in 0..DEVICES {
        let device = DeviceId::from_bytes(random::bytes());
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let event = factory.chip_made(device, key.public_key().fingerprint());
        for outcome in service.record_events(&factory.caller, vec![event]).await.unwrap() {
            outcome.unwrap();
        }
        let subject = Subject { serial_number: device.to_string(), ..Subject::default() };
        let csr = CsrBuilder { subject, ..CsrBuilder::default() }.build(&key).unwrap();
        let request = EnrolRequest { label: Some(factory.product.clone()), csr };
        let enrolled = service.enrol_device(&factory.caller, &request, None).await.unwrap();
        let chain = std::iter::once(enrolled.certificate).chain(enrolled.chain).collect();
        let identity = Identity { chain, key: Arc::new(key) };
        fleet.push(Thing { device, identity, runs: wire::DeviceSoftware::default() });
    }
    fleet
}

/// A published release.
async fn release(service: &Service, factory: &Factory, number: u64) -> ReleaseView {
    let (caller, organisation) = (&factory.caller, &factory.organisation);
    let gate = Gate { sbom: false, ..Gate::default() };
    service.set_release_gate(caller, organisation, &factory.product, gate).await.unwrap();
    let new = NewRelease {
        organisation: organisation.clone(),
        product: factory.product.clone(),
        version: format!("{number}.0"),
        security_version: 1,
        release_counter: None,
        hardware_ids: vec![HARDWARE.to_owned()],
        notes: String::new(),
    };
    let id = service.create_release(caller, new).await.unwrap().id;
    let image = format!("image {number}").into_bytes();
    let (sha256, length) = (sha256(&image), image.len() as u64);
    let upload = NewUpload { organisation: organisation.clone(), sha256, length };
    let upload = service.begin_blob(caller, upload).await.unwrap().id;
    let mut writer = service.append_blob(caller, &upload, 0).await.unwrap();
    writer.write(image).await.unwrap();
    writer.close().await.unwrap();
    service.finish_blob(caller, &upload).await.unwrap();
    let image = NewArtifact { name: "image.bin".to_owned(), sha256, hardware_ids: Vec::new() };
    service.add_artifact(caller, &id, image).await.unwrap();
    service.publish_release(caller, &id, None).await.unwrap()
}

async fn close(service: Service) {
    tokio::task::spawn_blocking(move || service.close()).await.unwrap();
}
