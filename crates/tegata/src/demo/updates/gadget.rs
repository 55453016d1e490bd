//! A light device: asks the platform over mutual TLS, verifies with the client that every agent has
//! (`update::client`, `update::campaign::verify_assignment`), and decides by the agent's own rules
//! (`agent::engine::accept`). What it does not have is a disk and a boot loader.

use crate::demo::{people::client, world::World};
use agent::engine::{Image, Offer, State, accept};
use anyhow::Context as _;
use api::{
    Client, Identity,
    client::Call,
    wire::{self, Assignment, DeviceSoftware, UpdateFeedback, UpdatePoll, scalar::Digest},
};
use crypto::{Sha256, UnixTime};
use device::DeviceId;
use update::{
    Limits, RoleName, Signed, TargetPath, Timestamp, TopRole, Version,
    campaign::{AssignmentError, AssignmentProof, LogTrust, LoggedStatement, verify_assignment},
    client::{Answer, Client as Tuf, Found, Keep, Refusal, Settings, Stored, Target, Wanted},
};

/// Largest image of the demo, in bytes.
const IMAGE_BYTES_MAX: usize = 1 << 20;
/// How often, and after which time, a device asks again for a proof that does not hold yet.
const PROOF_TRIES: u32 = 200;
const PROOF_WAIT: std::time::Duration = std::time::Duration::from_millis(50);

/// Where metadata and images come from.
#[derive(Clone)]
pub(super) struct Source {
    client: Client,
    /// path of the repository there
    path: String,
}

impl Source {
    pub(super) fn new(client: Client, path: &str) -> Self {
        Self { client, path: path.to_owned() }
    }

    async fn file(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let answer = self.client.send(Call::get(format!("{}/{path}", self.path))).await?;
        match answer.status.as_u16() {
            200 => Ok(Some(answer.body.to_vec())),
            404 => Ok(None),
            other => anyhow::bail!("{}/{path} answers {other}", self.path),
        }
    }

    async fn metadata(&self, wanted: &Wanted) -> anyhow::Result<Answer> {
        let file = self.file(&format!("metadata/{}", wanted.file)).await?;
        Ok(file.map_or(Answer::Absent, Answer::File))
    }
}

/// Why a device does not install something: a stable code, and words.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code(), detail: refusal.to_string() }
    }
}

/// What a device does with what it is offered, where nothing broke.
pub(super) type Decided<T> = Result<T, Refused>;

/// Something that was verified, image and all.
pub(super) struct Verified {
    pub(super) target: Target,
    sha256: Sha256,
}

/// What a device knows of an image repository between refreshes.
#[derive(Clone)]
pub(super) struct Memory(Stored);

impl Memory {
    /// Of a device that knows nothing but the root that it came with.
    pub(super) fn of_root(root: &[u8]) -> Self {
        Self(Stored { root: root.to_vec(), ..Stored::default() })
    }

    /// Refreshes, finds a target, and fetches it. What is verified on the way is kept, as an agent
    /// keeps it, also where the end is a refusal. `known`: a version of the timestamp that the
    /// device knows by another way.
    pub(super) async fn fetch(
        &mut self,
        source: &Source,
        path: &str,
        known: Option<Version>,
        now: UnixTime,
    ) -> anyhow::Result<Decided<Verified>> {
        let settings = Settings { timestamp_known: known, ..Settings::default() };
        let mut tuf = match Tuf::begin(self.0.clone(), settings, now) {
            Ok(tuf) => tuf,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        while let Some(wanted) = tuf.wanted() {
            match tuf.answer(source.metadata(&wanted).await?) {
                Ok(kept) => self.keep(kept),
                Err(refusal) => return Ok(Err(refusal.into())),
            }
        }
        let path = TargetPath::new(path)?;
        let target = loop {
            let wanted = match tuf.find(&path) {
                Ok(Found::Target(target)) => break target,
                Ok(Found::Wants(wanted)) => wanted,
                Err(refusal) => return Ok(Err(refusal.into())),
            };
            match tuf.answer(source.metadata(&wanted).await?) {
                Ok(kept) => self.keep(kept),
                Err(refusal) => return Ok(Err(refusal.into())),
            }
        };
        let file = format!("targets/{}", target.address());
        let Some(bytes) = source.file(&file).await? else {
            return Ok(Err(Refusal::Missing { file }.into()));
        };
        anyhow::ensure!(bytes.len() <= IMAGE_BYTES_MAX, "an image that is none of the demo's");
        let mut download = target.download();
        let taken = download.push(&bytes).and_then(|()| download.finish());
        Ok(match taken {
            Ok(target) => {
                Ok(Verified { target: target.into_inner(), sha256: crypto::sha256(&bytes) })
            }
            Err(refusal) => Err(refusal.into()),
        })
    }

    fn keep(&mut self, kept: Vec<Keep>) {
        for one in kept {
            let (role, bytes) = match one {
                Keep::Put(role, bytes) => (role, Some(bytes)),
                Keep::Forget(role) => (role, None),
            };
            match (TopRole::from_name(role.as_str()), bytes) {
                (Some(TopRole::Root), Some(bytes)) => self.0.root = bytes,
                (Some(TopRole::Timestamp), bytes) => self.0.timestamp = bytes,
                (Some(TopRole::Snapshot), bytes) => self.0.snapshot = bytes,
                (_, Some(bytes)) => {
                    self.0.targets.insert(role, bytes);
                }
                (_, None) => {
                    self.0.targets.remove(&role);
                }
            }
        }
    }
}

/// A device of the demo as far as updates are concerned.
#[derive(Clone)]
pub(super) struct Gadget {
    pub(super) device: DeviceId,
    client: Client,
    hardware_id: String,
    pub(super) source: Source,
    pub(super) memory: Memory,
    /// what runs and is kept
    pub(super) runs: Image,
    state: State,
}

/// An image that is about to be tried.
pub(super) struct Trial {
    pub(super) action: u64,
    image: Image,
}

impl Gadget {
    /// A device that runs an image since it was made.
    pub(super) fn new(
        world: &World,
        (device, identity): (DeviceId, &Identity),
        hardware_id: &str,
        (root, path): (&[u8], &str),
        runs: Image,
    ) -> anyhow::Result<Self> {
        let client = client(&world.site, Some(identity))?;
        let state = State {
            security_version: runs.security_version,
            release_counter: runs.release_counter,
            ..State::default()
        };
        Ok(Self {
            device,
            source: Source::new(client.clone(), path),
            client,
            hardware_id: hardware_id.to_owned(),
            memory: Memory::of_root(root),
            runs,
            state,
        })
    }

    /// Asks what to run.
    pub(super) async fn poll(&self) -> anyhow::Result<UpdatePoll> {
        let call = Call::new(http::Method::POST, "/v1/update/poll");
        let call = call.json(&self.software(&self.runs, true)?)?;
        self.client.call(call).await?.json().context("poll")
    }

    /// Asks, and is told to install something.
    pub(super) async fn told(&self) -> anyhow::Result<Assignment> {
        let poll = self.poll().await?;
        poll.install.with_context(|| format!("{} is told to install nothing", self.device))
    }

    /// From an assignment to an image that waits for the restart: proof of the log, metadata, image,
    /// the agent's rules; or a refusal, which the platform is told.
    pub(super) async fn install(
        &mut self,
        trust: &LogTrust,
        assignment: &Assignment,
    ) -> anyhow::Result<Decided<Trial>> {
        let decided = self.decide(trust, assignment).await?;
        let action = assignment.action;
        match decided {
            Err(refused) => {
                let detail = format!("[{}] {}", refused.code, refused.detail);
                self.say(action, "rejected", Some(detail), None).await?;
                Ok(Err(refused))
            }
            Ok(image) => {
                for step in ["downloading", "downloaded", "installed"] {
                    self.say(action, step, None, None).await?;
                }
                Ok(Ok(Trial { action, image }))
            }
        }
    }

    async fn decide(
        &mut self,
        trust: &LogTrust,
        assignment: &Assignment,
    ) -> anyhow::Result<Decided<Image>> {
        let file = assignment.artifacts.first().context("an assignment without a file")?;
        let wanted = (file.path.as_str(), &file.sha256.0);
        let mut tries = 0;
        while let Err(error) =
            verify_assignment(&self.proof(assignment.action).await?, trust, &self.device, wanted)
        {
            // The newest checkpoint may still be on its way to the witness; all else is final.
            let passing = matches!(error, AssignmentError::Log { .. }) && tries < PROOF_TRIES;
            if !passing {
                return Ok(Err(Refused { code: error.code(), detail: error.to_string() }));
            }
            tries += 1;
            tokio::time::sleep(PROOF_WAIT).await;
        }
        let source = self.source.clone();
        let fetched = self.memory.fetch(&source, &file.path, None, crate::clock::now()).await?;
        let verified = match fetched {
            Ok(verified) => verified,
            Err(refused) => return Ok(Err(refused)),
        };
        if verified.sha256 != file.sha256.0 {
            let detail = format!("{} is not the file of the assignment", file.path);
            return Ok(Err(Refused { code: "other-file", detail }));
        }
        Ok(self.accept(&verified, assignment.purpose == "roll-back"))
    }

    /// The agent's own rules about a verified target. `back`: a campaign leads back to it.
    pub(super) fn accept(&self, verified: &Verified, back: bool) -> Decided<Image> {
        let offer = Offer {
            action: None,
            organisation: String::new(),
            target: &verified.target,
            floor: 0,
            back,
            confirm_by_hand: false,
        };
        accept(offer, &self.hardware_id, 0, &self.state, Some(&self.runs))
            .map(|plan| plan.image)
            .map_err(|failure| Refused { code: failure.code, detail: failure.detail })
    }

    /// The new image starts, is found healthy, and is kept.
    pub(super) fn keep(&mut self, trial: Trial) {
        self.state.security_version = self.state.security_version.max(trial.image.security_version);
        self.state.release_counter = self.state.release_counter.max(trial.image.release_counter);
        self.runs = trial.image;
    }

    /// Says that what runs is kept: the only success.
    pub(super) async fn confirm(&self, action: u64) -> anyhow::Result<()> {
        let installed = self.software(&self.runs, true)?;
        self.say(action, "confirmed", None, Some(installed)).await
    }

    /// The new image fails its self-test, and the old one starts again.
    pub(super) async fn give_up(&self, trial: Trial) -> anyhow::Result<()> {
        let detail = "[self-test] the new image does not answer; the old one runs".to_owned();
        let installed = self.software(&self.runs, true)?;
        self.say(trial.action, "failed", Some(detail), Some(installed)).await
    }

    /// Says something about an action.
    pub(super) async fn say(
        &self,
        action: u64,
        execution: &str,
        detail: Option<String>,
        installed: Option<DeviceSoftware>,
    ) -> anyhow::Result<()> {
        let execution = execution.to_owned();
        let said = UpdateFeedback { action, execution, progress: None, detail, installed };
        let call = Call::new(http::Method::POST, "/v1/update/feedback").json(&said)?;
        self.client.call(call).await?;
        Ok(())
    }

    /// The newest timestamp's version as the platform itself gives it: a way that no mirror is on.
    pub(super) async fn newest(&self) -> anyhow::Result<Version> {
        let file = RoleName::from(TopRole::Timestamp).file_name(None);
        let bytes = self.source.file(&format!("metadata/{file}")).await?;
        let bytes = bytes.context("the platform has no timestamp")?;
        let timestamp = Signed::<Timestamp>::parse(&bytes, &Limits::DEFAULT)?;
        Ok(timestamp.unverified().header.version)
    }

    fn software(&self, image: &Image, confirmed: bool) -> anyhow::Result<DeviceSoftware> {
        let sha256 = Sha256::from_hex(&image.sha256).context("no SHA-256")?;
        Ok(DeviceSoftware {
            hardware_id: Some(self.hardware_id.clone()),
            version: image.version.clone(),
            release_counter: Some(image.release_counter),
            security_version: Some(image.security_version),
            digest: Some(Digest(sha256)),
            confirmed,
            self_test: None,
            metadata: Vec::new(),
        })
    }

    async fn proof(&self, action: u64) -> anyhow::Result<AssignmentProof> {
        let call = Call::get(format!("/v1/update/actions/{action}/proof"));
        let proof: wire::UpdateProof = self.client.call(call).await?.json()?;
        let hashes = |digests: &[Digest]| digests.iter().map(|digest| digest.0).collect();
        let logged = |logged: &wire::LoggedStatement| {
            anyhow::Ok(LoggedStatement {
                statement: logged.statement.0.clone(),
                salt: logged.salt.0.as_slice().try_into().context("a salt has 32 bytes")?,
                inclusion: ledger::InclusionProof {
                    index: logged.leaf,
                    // That of the checkpoint, which is looked at by whoever verifies.
                    size: 0,
                    hashes: hashes(&logged.path),
                },
                checkpoint: logged.checkpoint.clone().into_bytes(),
            })
        };
        Ok(AssignmentProof {
            campaign: logged(&proof.campaign)?,
            release: logged(&proof.release)?,
            salt: proof.salt.0,
            index: proof.index,
            path: hashes(&proof.path),
        })
    }
}
