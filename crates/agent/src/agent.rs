//! What drives the update: disk, network, hooks and clock around the pure state machine. One round
//! after the other; between any two, and within each, the process may die.

use crate::{
    Config, Failure, Moment,
    boot::BootRecord,
    clock,
    commands::{Journal, Served, Settings},
    device_log::DeviceLog,
    director::{self, Director, PROOF_PENDING, require_proof},
    doors::{self, Known, Offered, Poll, Seen, Wanted},
    download::{Download, Outcome},
    engine::{
        Execution, Happened, Image, Limits, Offer, OutOfOrder, Phase, Plan, Slot, State, Step,
        accept,
    },
    fault, files,
    hooks::{self, Said},
    identity::{Credential, Identity},
    log,
    net::Client,
    repository::Repository,
    self_test::{self, Consequence, Finding},
    slots::Slots,
    store::Store,
    tamper::Tamper,
    telemetry::Telemetry,
};
use crypto::{UnixTime, random};
use device::OrganisationId;
use std::path::Path;
use update::{TargetPath, Version, campaign::Told};

/// Steps of one round: an update has about ten, and a defect must not spin.
const STEPS_MAX: usize = 32;
/// Seconds after which the time is kept again.
const CLOCK_EVERY_S: i64 = 3600;
/// Seconds between looks at a new image that is not healthy yet.
const HEALTH_EVERY_S: u64 = 5;
/// Seconds between requests to start the machine again.
const REBOOT_EVERY_S: u64 = 300;
/// First and longest pause after a failure, in seconds.
const PAUSE_S: (u64, u64) = (5, 3600);
/// Seconds after which director and repositories are asked though the platform wants nothing: a platform
/// or a mirror that says nothing new for ever is noticed when what was signed ends, and a mirror that
/// stands still before that.
const LOOK_EVERY_S: i64 = 3600;
/// Most repositories that are spoken of in a poll.
const SEEN_MAX: usize = 16;
/// Longest request of a person, in bytes.
const ASKED_BYTES_MAX: u64 = 64;
/// The file in which a person's word waits for the agent that runs.
const ASKED: &str = "asked";

/// What the platform wants installed.
struct Asked<'a> {
    action: &'a str,
    file: Option<(String, String)>,
    back: bool,
    confirm_needed: bool,
}

/// What a round ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// nothing is to be done for so many seconds
    Rest(u64),
    /// the machine is about to be started again
    Restarting,
}

/// A person's word about an image on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// keep it
    Confirm,
    /// go back
    Rollback,
}

impl Word {
    fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Rollback => "rollback",
        }
    }
}

/// An agent that holds its folder.
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) store: Store,
    slots: Option<Slots>,
    pub(crate) state: State,
    /// what was read back since this process started
    checked: Option<String>,
    /// what the last self-test found, for the platform
    pub(crate) findings: Vec<Finding>,
    failures: u32,
    /// when everything is to be looked at again, in seconds since the machine started; between, only
    /// what the owner tells the device is
    due_s: Option<u64>,
    /// what became of commands
    pub(crate) journal: Journal,
    /// what it runs with
    pub(crate) settings: Settings,
    /// who what it says is encrypted for, of which owner, and when that was asked, in seconds since the machine
    /// started
    pub(crate) recipient: Option<(admission::Recipient, String, u64)>,
    pub(crate) telemetry: Telemetry,
    pub(crate) device_log: DeviceLog,
    pub(crate) tamper: Tamper,
    clock_kept: UnixTime,
    /// when director and repositories were looked at last since this process started
    looked_at: Option<UnixTime>,
    /// which timestamps there are, as the platform said last
    known: Vec<Known>,
}

impl Agent {
    /// Takes the folder and reads what was kept.
    ///
    /// # Errors
    /// `busy`, `state-damaged`, `state-version`, `state-write`.
    pub fn open(config: Config) -> Result<Self, Failure> {
        let store = Store::open(&config.state)?;
        let state = store.state()?;
        let slots = config.slots.clone().map(Slots::new);
        let clock_kept = store.last_seen()?.unwrap_or_default();
        let mut agent = Self {
            config,
            store,
            slots,
            state,
            checked: None,
            findings: Vec::new(),
            failures: 0,
            due_s: None,
            journal: Journal::default(),
            settings: Settings::default(),
            recipient: None,
            telemetry: Telemetry::default(),
            device_log: DeviceLog::default(),
            tamper: Tamper::default(),
            clock_kept,
            looked_at: None,
            known: Vec::new(),
        };
        agent.telemetry = Telemetry::open(&agent.store, clock::wall())?;
        agent.tamper = Tamper::open(&agent.store)?;
        agent.recover_commands()?;
        if agent.config.device_log.is_some() {
            agent.device_log = DeviceLog::open(&agent.store)?;
            agent.observe(None);
        }
        Ok(agent)
    }

    /// Says that this process stays: that it began belongs into the device's log.
    pub fn began(&mut self) {
        self.device_log.began = true;
    }

    /// What is kept about updates.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Tests itself. The hash of the program is recorded where there is none.
    ///
    /// # Errors
    /// `state-write`.
    pub fn self_test(&mut self) -> Result<Vec<Finding>, Failure> {
        let findings = self_test::run(&self.config, &self.store, clock::wall());
        if findings.iter().any(|one| one.code == self_test::RECORDED) {
            self.accept_program()?;
        }
        self.findings.clone_from(&findings);
        let mut findings = findings;
        if let Some(finding) = self.tamper_finding() {
            if finding.consequence == Consequence::Stop {
                findings.push(finding.clone());
            }
            self.findings.push(finding);
        }
        Ok(findings)
    }

    /// Tells the platform what a self-test found that this device does not get over. Nobody who
    /// listens changes nothing.
    pub fn tell_unfit(&self) {
        if self.slots.is_none() || self.config.update.follow.is_some() {
            return;
        }
        let told = Identity::open(&self.config, &self.store).and_then(|identity| {
            let Some(credential) = identity.ldevid()? else { return Ok(()) };
            let client = identity.client(Some(&credential))?;
            // Whatever is the answer: this device does nothing about it.
            let hardware_id = &self.config.hardware_id;
            doors::poll(&client, hardware_id, None, false, &self.findings, &[]).map(|_| ())
        });
        if let Err(failure) = told {
            log::warning(failure.code, &failure.detail);
        }
    }

    /// Takes the program as it is for right.
    ///
    /// # Errors
    /// `state-write`.
    pub fn accept_program(&self) -> Result<(), Failure> {
        self_test::record(&self.config, &self.store)
    }

    /// Takes every input for well: a person has looked at the device.
    ///
    /// # Errors
    /// `state-write`.
    pub fn accept_tamper(&mut self) -> Result<(), Failure> {
        Tamper::accept(&self.store)?;
        self.tamper = Tamper::default();
        Ok(())
    }

    /// Takes the clock as it is for right.
    ///
    /// # Errors
    /// `state-write`.
    pub fn accept_clock(&self) -> Result<(), Failure> {
        self.store.keep_last_seen(clock::wall())?;
        crate::peer::accept_clock(&self.store)
    }

    /// First certificate of the device.
    ///
    /// # Errors
    /// Those of EST: `no-voucher`, `enrolment-refused`, `connection`, `tls`.
    pub fn enrol(&self, code: Option<&crypto::Secret>) -> Result<(), Failure> {
        Identity::open(&self.config, &self.store)?.enrol(code, clock::wall())
    }

    /// Everything that can be done now. A failure that passes is answered with a pause: the caller
    /// asks again after [`Self::pause_s`].
    ///
    /// # Errors
    /// [`Failure`]; nothing is lost, whatever it is.
    pub fn round(&mut self) -> Result<Round, Failure> {
        if let Err(failure) = self.sample() {
            log::warning(failure.code, &failure.detail);
        }
        let fresh = std::mem::take(&mut self.tamper.fresh);
        self.observe(None);
        self.heed_tamper()?;
        let word = self.asked() || fresh;
        let left_s = self.due_s.map_or(0, |due| due.saturating_sub(clock::uptime_s()));
        if left_s > 0 && !word {
            let restarting = self.between() == Served::Restarting;
            let rest = Round::Rest(self.sooner(left_s));
            return Ok(if restarting { Round::Restarting } else { rest });
        }
        let outcome = self.work();
        self.observe(None);
        match &outcome {
            Ok(Round::Rest(seconds)) => {
                self.failures = 0;
                self.due_s = Some(clock::uptime_s().saturating_add(*seconds));
            }
            Ok(Round::Restarting) => {
                self.failures = 0;
                self.due_s = None;
            }
            Err(_) => {
                self.failures = self.failures.saturating_add(1);
                let pause = self.pause();
                self.due_s = Some(clock::uptime_s().saturating_add(pause));
            }
        }
        match outcome {
            Ok(Round::Rest(seconds)) => Ok(Round::Rest(self.sooner(seconds))),
            other => other,
        }
    }

    /// Seconds to wait after a failure: twice as long after each, up to an hour, and never the same
    /// for two devices; less where the owner may have something to say before.
    pub fn pause_s(&self) -> u64 {
        let left = self.due_s.map(|due| due.saturating_sub(clock::uptime_s()));
        self.sooner(left.unwrap_or_else(|| self.pause()).max(1))
    }

    fn pause(&self) -> u64 {
        let (first, most) = PAUSE_S;
        let doubled = first.saturating_mul(1 << self.failures.min(20).saturating_sub(1));
        jitter(doubled.min(most))
    }

    /// So many seconds, or fewer, so that the owner is heard in time.
    fn sooner(&self, seconds: u64) -> u64 {
        let commands = self.config.commands.as_ref().map(|commands| jitter(commands.poll_s));
        let log = self.config.device_log.as_ref().map(|log| jitter(log.tell_s));
        [commands, self.next_sample_s(), log].into_iter().flatten().fold(seconds, u64::min)
    }

    /// Between two rounds: what the owner tells the device, and nothing else.
    fn between(&mut self) -> Served {
        match self.present() {
            Ok(Some((client, shown))) => self.serve(&client, &shown),
            Ok(None) => Served::On,
            Err(failure) => {
                log::warning(failure.code, &failure.detail);
                Served::On
            }
        }
    }

    /// Who the device is, as it is kept; nothing is renewed.
    pub(crate) fn present(&self) -> Result<Option<(Client, Credential)>, Failure> {
        let identity = Identity::open(&self.config, &self.store)?;
        let credential = identity.ldevid()?;
        credential.map(|shown| Ok((identity.client(Some(&shown))?, shown))).transpose()
    }

    /// A person's word, from this process or through [`Self::leave_word`].
    ///
    /// # Errors
    /// `out-of-order` where nothing waits for it.
    pub fn word(&mut self, word: Word) -> Result<(), Failure> {
        let happened = match word {
            Word::Confirm => Happened::ConfirmedByHand,
            Word::Rollback => Happened::RefusedByHand,
        };
        self.happened(happened)
    }

    /// Leaves a person's word for the agent that runs.
    ///
    /// # Errors
    /// `state-write`.
    pub fn leave_word(config: &Config, word: Word) -> Result<(), Failure> {
        let path = Store::look(&config.state).path(ASKED);
        files::replace(&path, word.name().as_bytes(), files::Mode::Private, files::STATE)
    }

    /// Whether a person's word waits.
    pub fn asked(&self) -> bool {
        self.store.path(ASKED).exists()
    }

    fn work(&mut self) -> Result<Round, Failure> {
        let now = clock::wall();
        if now.since(self.clock_kept) > CLOCK_EVERY_S {
            self.store.keep_last_seen(now)?;
            self.clock_kept = now;
        }
        self.hear()?;
        let (client, shown) = self.identity(now)?;
        self.renew_trust(&client, &shown);
        match self.serve(&client, &shown) {
            Served::On => {}
            Served::Restarting => return Ok(Round::Restarting),
            Served::Erased => return Ok(Round::Rest(jitter(self.config.update.poll_s))),
        }
        let Some(slots) = self.slots.clone() else {
            return Ok(Round::Rest(jitter(self.config.update.poll_s)));
        };
        let running = slots.running()?;
        self.happened(Happened::Observed { running })?;
        self.listen(running, &client);
        for _ in 0..STEPS_MAX {
            let running = slots.running()?;
            slots.record(running)?;
            self.happened(Happened::Observed { running })?;
            // Before the next step, which may be the last of this process: what waits is told.
            // Nobody who listens is no reason to stop an update that has begun.
            match self.tell(&client) {
                Err(failure) if self.state.phase == Phase::Idle => return Err(failure),
                Err(failure) => log::warning(failure.code, &failure.detail),
                Ok(()) => {}
            }
            let busy = self.state.phase != Phase::Idle;
            if let Some(round) = self.step(&slots, running, &client, &shown)? {
                return Ok(round);
            }
            // One update a round: what failed must not be fetched again at once.
            if busy && self.state.phase == Phase::Idle {
                self.tell(&client)?;
                return Ok(Round::Rest(jitter(self.config.update.poll_s)));
            }
        }
        Err(Failure::unavailable("too-many-steps", "an update goes in circles; waiting"))
    }

    /// Tells the platform what waits, in order.
    fn tell(&mut self, client: &Client) -> Result<(), Failure> {
        while let Some(report) = self.state.outbox.first().cloned() {
            fault::point("before-report");
            doors::report(client, &self.config.hardware_id, &report)?;
            fault::point("after-report");
            self.happened(Happened::Acknowledged { number: report.number })?;
        }
        Ok(())
    }

    /// A person's word that was left.
    fn hear(&mut self) -> Result<(), Failure> {
        let path = self.store.path(ASKED);
        let Some(bytes) = files::read(&path, ASKED_BYTES_MAX)? else { return Ok(()) };
        let word = [Word::Confirm, Word::Rollback]
            .into_iter()
            .find(|word| word.name().as_bytes() == bytes.trim_ascii());
        match word.map(|word| self.word(word)) {
            Some(Ok(())) | None => {}
            Some(Err(failure)) if failure.code == "out-of-order" => {
                log::warning(failure.code, &failure.detail);
            }
            Some(Err(failure)) => return Err(failure),
        }
        files::remove(&path)
    }

    /// Who the device is. A renewal that fails is no reason to stop as long as there is time.
    fn identity(&self, now: UnixTime) -> Result<(Client, Credential), Failure> {
        let identity = Identity::open(&self.config, &self.store)?;
        match identity.maintain(now) {
            Ok(_) => {}
            Err(failure) => {
                let current = identity.ldevid()?;
                let good = current.as_ref().and_then(|c| c.chain.first());
                if !good.is_some_and(|leaf| leaf.is_valid_at(now)) {
                    return Err(failure);
                }
                log::warning(failure.code, &failure.detail);
            }
        }
        let none = || Failure::refused("not-enrolled", "run: tegata-agent enrol");
        let credential = identity.ldevid()?.ok_or_else(none)?;
        Ok((identity.client(Some(&credential))?, credential))
    }

    /// One step; `None` where the next one follows at once.
    fn step(
        &mut self,
        slots: &Slots,
        running: Slot,
        client: &Client,
        shown: &Credential,
    ) -> Result<Option<Round>, Failure> {
        match self.state.step() {
            Step::Poll => self.poll(slots, running, client, shown),
            Step::Download { slot, from } => self.download(slots, slot, from, client),
            Step::ReadBack { slot } => self.read_back(slots, slot),
            Step::Activate { slot } => self.activate(slots, slot),
            Step::Reboot => self.reboot(slots),
            Step::Health => self.health(slots, client),
            Step::Wait => Ok(Some(Round::Rest(HEALTH_EVERY_S))),
            Step::Confirm { slot } => self.confirm(slots, slot),
            Step::GoBack { slot } => self.go_back(slots, slot),
        }
    }

    fn poll(
        &mut self,
        slots: &Slots,
        running: Slot,
        client: &Client,
        shown: &Credential,
    ) -> Result<Option<Round>, Failure> {
        slots.clear_spool();
        match self.config.update.follow.clone() {
            Some(path) => self.follow(&path, running, client),
            None => self.ask(running, client, shown),
        }
    }

    /// While an update is under way: whether it was taken back. Whatever fails here fails again, or
    /// not, at the next poll.
    fn listen(&mut self, running: Slot, client: &Client) {
        let told = self.state.plan().is_some_and(|(plan, _)| plan.action.is_some());
        // What runs already is not stopped any more.
        let late = matches!(
            self.state.phase,
            Phase::Trying { .. } | Phase::Confirming { .. } | Phase::Returning { .. }
        );
        if !told || late {
            return;
        }
        let image = self.state.image(running);
        let hardware_id = &self.config.hardware_id;
        let heard = match doors::poll(client, hardware_id, image, true, &self.findings, &[]) {
            Ok(Poll { wanted: Wanted::Cancel { action }, .. }) => {
                self.happened(Happened::CancelAsked { action })
            }
            Ok(_) => Ok(()),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = heard {
            log::warning(failure.code, &failure.detail);
        }
    }

    /// Asks the platform.
    fn ask(
        &mut self,
        running: Slot,
        client: &Client,
        shown: &Credential,
    ) -> Result<Option<Round>, Failure> {
        let image = self.state.image(running);
        let hardware_id = &self.config.hardware_id;
        let seen = self.seen();
        let mut poll = doors::poll(client, hardware_id, image, true, &self.findings, &seen)?;
        if let Wanted::Install { offered: Offered { key_wanted: true, .. }, .. } = &poll.wanted {
            self.state_key(client)?;
            poll = doors::poll(client, hardware_id, image, true, &self.findings, &seen)?;
        }
        self.known = std::mem::take(&mut poll.known);
        let rest = Ok(Some(Round::Rest(jitter(poll.next_poll_s))));
        let (action, file, back, confirm_needed, offered) = match poll.wanted {
            Wanted::Nothing => {
                self.look_in_quiet(client, shown)?;
                return rest;
            }
            Wanted::Cancel { action } => {
                self.happened(Happened::CancelAsked { action })?;
                self.tell(client)?;
                return rest;
            }
            Wanted::Install { action, file, back, confirm_needed, offered } => {
                (action, file, back, confirm_needed, offered)
            }
        };
        // What is over is not begun again: a device must not go in circles.
        if self.repeated(&action)? {
            self.tell(client)?;
            return rest;
        }
        let wanted = Asked { action: &action, file, back, confirm_needed };
        let outcome = match self.resolve(client, shown, wanted, running) {
            Ok(Some(plan)) => self.furnish(plan, offered, running, client).map(Some),
            other => other,
        };
        match outcome {
            Ok(Some(plan)) => self.begin(plan, running).map(|()| None),
            Ok(None) => {
                let now = self.now();
                let mut state = self.state.clone();
                state.already(Some(action), running, &now);
                self.keep(state)?;
                self.tell(client)?;
                rest
            }
            // Nothing is wrong: it comes as fast as the log grows, not later with each time.
            Err(failure) if failure.code == PROOF_PENDING => {
                log::info(failure.code, &failure.detail);
                rest
            }
            // The repository may be better at the next poll; the platform's deadline ends it.
            Err(failure) if !is_verdict(&failure) => {
                self.complain(action, &failure, client);
                Err(failure)
            }
            Err(failure) => {
                log::warning(failure.code, &failure.detail);
                self.reject(Some(action), &failure)?;
                self.tell(client)?;
                rest
            }
        }
    }

    /// From what the platform wants to what a repository of this device vouches for.
    fn resolve(
        &self,
        client: &Client,
        shown: &Credential,
        asked: Asked<'_>,
        running: Slot,
    ) -> Result<Option<Plan>, Failure> {
        let Asked { action, file, back, confirm_needed } = asked;
        let (path, sha256) = file.ok_or_else(|| {
            let hardware = &self.config.hardware_id;
            Failure::refused("wrong-hardware", format!("no file of it is for {hardware:?}"))
        })?;
        let path = TargetPath::new(path)
            .map_err(|error| Failure::refused("unknown-target", error.to_string()))?;
        let now = clock::wall();
        let ordered = match Director::of(&self.config, &self.store, shown)? {
            None => None,
            Some(director) => Some(director.ask(client, self.known_of_director(), now)?),
        };
        let run = match &ordered {
            None => None,
            Some(ordered) => Some(ordered.require(action, &path, &sha256)?),
        };
        let told = require_proof(&self.config, client, action, &path, &sha256, run)?;
        // That it leads back is in nothing that was signed but in the log, where there is one.
        let back = back && told.is_none_or(|told| told == Told::RolledBack);
        let mut last = Failure::refused("unknown-repository", "no [[repository]] is trusted here");
        // What one repository is in trouble with says nothing of the others, and no other's word is
        // final as long as it is.
        let mut trouble = None;
        for organisation in self.config.repositories.keys() {
            let repository = Repository::of(&self.config, &self.store, organisation)?;
            let known = self.known(organisation, false);
            let (target, image_root) = match repository.find(client, &path, known, now) {
                Ok(found) => found,
                Err(failure) if failure.code == "unknown-target" => {
                    last = failure;
                    continue;
                }
                Err(failure) => {
                    log::warning(failure.code, &format!("{organisation}: {}", failure.detail));
                    trouble = trouble.or(Some(failure));
                    continue;
                }
            };
            if target.hashes().get("sha256") != Some(sha256.as_str()) {
                let detail = format!("{path} of {organisation} is not the file of the assignment");
                last = Failure::refused("other-file", detail);
                continue;
            }
            if let (Some(ordered), Some(run)) = (&ordered, run) {
                ordered.require_image(run, &target, &image_root)?;
            }
            let offer = Offer {
                action: Some(action.to_owned()),
                organisation: organisation.clone(),
                target: &target,
                floor: 0,
                back: back && self.config.update.roll_back,
                confirm_by_hand: confirm_needed || self.config.update.confirm_by_hand,
            };
            return self.decide(offer, running);
        }
        Err(trouble.unwrap_or(last))
    }

    /// Asks director and repositories now and then though nothing is to be done: what they signed must
    /// not end unnoticed, and a mirror that stands still must be seen to. What is wrong with one image
    /// repository says nothing of the others.
    fn look_in_quiet(&mut self, client: &Client, shown: &Credential) -> Result<(), Failure> {
        let now = clock::wall();
        let due = |at: UnixTime| !(0..LOOK_EVERY_S).contains(&now.since(at));
        if !self.looked_at.is_none_or(due) {
            return Ok(());
        }
        let mut all = true;
        for organisation in self.config.repositories.keys() {
            let repository = Repository::of(&self.config, &self.store, organisation)?;
            let known = self.known(organisation, false);
            if let Err(failure) = repository.refresh(client, known, now) {
                log::warning(failure.code, &format!("{organisation}: {}", failure.detail));
                all = false;
            }
        }
        if let Some(director) = Director::of(&self.config, &self.store, shown)? {
            let ordered = director.ask(client, self.known_of_director(), now)?;
            if let Some(run) = ordered.run {
                log::warning(
                    "director-other",
                    &format!("the director wants {}, and the platform nothing", run.path),
                );
            }
        }
        if all {
            self.looked_at = Some(now);
        }
        Ok(())
    }

    /// The timestamp of a repository that there is, as the platform said.
    fn known(&self, organisation: &str, director: bool) -> Option<Version> {
        let mut known = self.known.iter();
        let one = known.find(|one| one.organisation == organisation && one.director == director)?;
        Version::new(one.timestamp)
    }

    fn known_of_director(&self) -> Option<Version> {
        self.known(self.config.director.as_ref()?.organisation.as_str(), true)
    }

    /// What was seen last of each repository. What cannot be read any more is not spoken of.
    fn seen(&self) -> Vec<Seen> {
        let now = clock::wall();
        let of =
            |organisation: &str, director: bool, repository: Result<Repository<'_>, Failure>| {
                // The platform knows no other names, and takes no poll that has them.
                OrganisationId::new(organisation).ok()?;
                let sight = repository.and_then(|repository| repository.sight()).ok().flatten()?;
                Some(Seen {
                    organisation: organisation.to_owned(),
                    director,
                    timestamp: sight.timestamp,
                    // Where the clock was set back since, nobody knows how long ago that was.
                    asked_s: u64::try_from(now.since(UnixTime(sight.asked))).ok()?,
                })
            };
        let (config, store) = (&self.config, &self.store);
        let images = config.repositories.keys().filter_map(|organisation| {
            of(organisation, false, Repository::of(config, store, organisation))
        });
        let director = config.director.as_ref().and_then(|trusted| {
            let repository = Repository::at(&trusted.repository, store, director::FOLDER);
            of(trusted.organisation.as_str(), true, repository)
        });
        images.chain(director).take(SEEN_MAX).collect()
    }

    /// Says what an action is held up by. What cannot be said now is said at the next try.
    fn complain(&mut self, action: String, failure: &Failure, client: &Client) {
        if failure.kind != crate::Kind::Refused {
            return;
        }
        let (code, detail) = (failure.code.to_owned(), failure.detail.clone());
        let happened = Happened::HeldUp { action, code, detail };
        if let Err(failure) = self.happened(happened).and_then(|()| self.tell(client)) {
            log::warning(failure.code, &failure.detail);
        }
    }

    /// Whether an action is over here; its result is told again.
    fn repeated(&mut self, action: &str) -> Result<bool, Failure> {
        let now = self.now();
        let mut state = self.state.clone();
        let over = state.repeat(action, &now);
        self.keep(state)?;
        Ok(over)
    }

    /// Follows a target of the only repository.
    fn follow(
        &mut self,
        path: &TargetPath,
        running: Slot,
        client: &Client,
    ) -> Result<Option<Round>, Failure> {
        let rest = Ok(Some(Round::Rest(jitter(self.config.update.poll_s))));
        let Some(organisation) = self.config.repositories.keys().next().cloned() else {
            return rest;
        };
        let now = clock::wall();
        let repository = Repository::of(&self.config, &self.store, &organisation)?;
        let (target, _root) = repository.find(client, path, None, now)?;
        let offer = Offer {
            action: None,
            organisation,
            target: &target,
            floor: 0,
            back: false,
            confirm_by_hand: self.config.update.confirm_by_hand,
        };
        match self.decide(offer, running) {
            Ok(Some(plan)) if self.state.left.as_ref() == Some(&plan.image.sha256) => {
                log::warning(
                    "left-before",
                    "this image ran here and was left; waiting for another",
                );
                rest
            }
            Ok(Some(plan)) if plan.sealed.is_some() => {
                let detail = "a device that follows a target by itself is given no tickets";
                log::warning("no-ticket", detail);
                rest
            }
            Ok(Some(plan)) => self.begin(plan, running).map(|()| None),
            Ok(None) => rest,
            Err(failure) => {
                log::warning(failure.code, &failure.detail);
                self.reject(None, &failure)?;
                rest
            }
        }
    }

    /// `None` where it runs already.
    fn decide(&self, offer: Offer<'_>, running: Slot) -> Result<Option<Plan>, Failure> {
        let image = self.state.image(running);
        let floor = self.config.update.security_version_min;
        let plan = accept(offer, &self.config.hardware_id, floor, &self.state, image)?;
        let runs = image.is_some_and(|image: &Image| image.sha256 == plan.image.sha256);
        Ok((!runs).then_some(plan))
    }

    fn begin(&mut self, plan: Plan, running: Slot) -> Result<(), Failure> {
        log::info("accepted", &format!("{} goes to slot {}", plan.image.target, running.other()));
        let (now, limits) = (self.now(), self.limits());
        let mut state = self.state.clone();
        state.begin(plan, running, &now, &limits).map_err(|error| out_of_order(&error))?;
        self.keep(state)?;
        fault::point("assignment-accepted");
        Ok(())
    }

    /// Says no once, not at every poll.
    fn reject(&mut self, action: Option<String>, failure: &Failure) -> Result<(), Failure> {
        let said = self.state.last.as_ref().is_some_and(|last| {
            last.action == action
                && last.execution == Execution::Rejected
                && last.code.as_deref() == Some(failure.code)
        });
        if said {
            return Ok(());
        }
        let (code, detail) = (failure.code.to_owned(), failure.detail.clone());
        self.happened(Happened::Rejected { action, code, detail })
    }

    fn download(
        &mut self,
        slots: &Slots,
        slot: Slot,
        from: u64,
        client: &Client,
    ) -> Result<Option<Round>, Failure> {
        let Some((plan, _)) = self.state.plan() else { return Ok(None) };
        let plan = plan.clone();
        if let Some(delta) = &plan.delta {
            return match self.by_delta(slots, slot, from, client, &plan, delta) {
                Ok(()) => self.happened(Happened::Fetched).map(|()| None),
                // What passes is tried again; the deadline ends it.
                Err(failure) if matches!(failure.code, "connection" | "tls" | "state-write") => {
                    Err(failure)
                }
                Err(failure) => {
                    log::warning("delta-refused", &failure.to_string());
                    self.forget_delta()?;
                    self.happened(Happened::DeltaRefused).map(|()| None)
                }
            };
        }
        let image = &plan.image;
        let repository = Repository::of(&self.config, &self.store, &plan.organisation);
        let (repository, keys) = match repository.and_then(|one| Ok((one, self.keys_for(&plan)?))) {
            Ok(both) => both,
            Err(failure) => return self.gave_up(&failure),
        };
        let place = slots.place(slot);
        let download = Download {
            client,
            path: repository.target_path(&plan.address),
            length: image.length,
            sha256: &image.sha256,
            sealed: plan.sealed.as_ref(),
            keys: &keys,
            place: &place,
            bytes_per_s_min: self.config.update.bytes_per_s_min,
        };
        let outcome =
            download.run(from, &mut |from| slots.open(slot, from, image.length), &mut |received| {
                self.happened(Happened::Progress { received })
            });
        match outcome {
            Ok(Outcome::Right) => self.happened(Happened::Fetched)?,
            Ok(Outcome::Wrong(detail)) => self.happened(Happened::WrongBytes { detail })?,
            Err(failure) if failure.code == "slot-short" => {
                self.happened(Happened::WrongBytes { detail: failure.detail })?;
            }
            // The deadline ends what does not pass.
            Err(failure) if failure.passes() || failure.code == "slow-retrieval" => {
                return Err(failure);
            }
            Err(failure) => return self.gave_up(&failure),
        }
        Ok(None)
    }

    fn read_back(&mut self, slots: &Slots, slot: Slot) -> Result<Option<Round>, Failure> {
        let Some((plan, _)) = self.state.plan() else { return Ok(None) };
        let image = plan.image.clone();
        fault::point("before-read-back");
        match slots.read_back(slot, image.length, &image.sha256) {
            Ok(()) => {
                fault::point("after-read-back");
                self.checked = Some(image.sha256);
                self.happened(Happened::Intact)?;
            }
            Err(failure) if failure.passes() => return Err(failure),
            Err(failure) => self.happened(Happened::WrongBytes { detail: failure.detail })?,
        }
        Ok(None)
    }

    fn activate(&mut self, slots: &Slots, slot: Slot) -> Result<Option<Round>, Failure> {
        let Some((plan, _)) = self.state.plan() else { return Ok(None) };
        let plan = plan.clone();
        // This process may not be the one that read it back.
        if self.checked.as_ref() != Some(&plan.image.sha256) {
            match slots.read_back(slot, plan.image.length, &plan.image.sha256) {
                Ok(()) => self.checked = Some(plan.image.sha256.clone()),
                Err(failure) if failure.passes() => return Err(failure),
                Err(failure) => return self.gave_up(&failure),
            }
        }
        let hooks = self.config.hooks.clone();
        for hook in [&hooks.install, &hooks.activate].into_iter().flatten() {
            match self.hook(hook, slots, slot, &plan) {
                Ok(()) => {}
                Err(failure) if failure.passes() => return Err(failure),
                Err(failure) => return self.gave_up(&failure),
            }
        }
        fault::point("before-boot-record");
        let trying = Some((slot, self.config.update.boots_max));
        slots.set_record(BootRecord { good: slot.other(), trying })?;
        fault::point("after-boot-record");
        self.happened(Happened::Activated)?;
        log::info("activated", &format!("slot {slot} will be tried at the next start"));
        Ok(None)
    }

    fn reboot(&mut self, slots: &Slots) -> Result<Option<Round>, Failure> {
        let Some((plan, slot)) = self.state.plan() else { return Ok(None) };
        let plan = plan.clone();
        fault::point("before-reboot");
        let Some(hook) = self.config.hooks.reboot.clone() else {
            log::warning("restart-needed", "start the machine again: no hook does it");
            return Ok(Some(Round::Rest(jitter(REBOOT_EVERY_S))));
        };
        let slot =
            if matches!(self.state.phase, Phase::Returning { .. }) { slot.other() } else { slot };
        self.hook(&hook, slots, slot, &plan)
            .map_err(|failure| Failure { kind: crate::Kind::Unavailable, ..failure })?;
        Ok(Some(Round::Restarting))
    }

    fn health(&mut self, slots: &Slots, client: &Client) -> Result<Option<Round>, Failure> {
        let Some((plan, slot)) = self.state.plan() else { return Ok(None) };
        let plan = plan.clone();
        fault::point("before-health");
        let verdict = self.healthy(slots, slot, &plan, client);
        match verdict {
            Ok(()) => {
                fault::point("after-health");
                self.happened(Happened::Healthy)?;
                Ok(None)
            }
            Err(failure) => {
                log::warning(failure.code, &failure.detail);
                self.happened(Happened::Unhealthy { detail: failure.to_string() })?;
                Ok(Some(Round::Rest(HEALTH_EVERY_S)))
            }
        }
    }

    /// Whether the new image may stay: the agent's own tests, the hook, and the way to the
    /// platform: an image that cannot be updated again must not be kept.
    fn healthy(
        &self,
        slots: &Slots,
        slot: Slot,
        plan: &Plan,
        client: &Client,
    ) -> Result<(), Failure> {
        let findings = self_test::run(&self.config, &self.store, clock::wall());
        let bad = |one: &&Finding| matches!(one.consequence, Consequence::Stop | Consequence::Wait);
        if let Some(finding) = findings.iter().find(bad) {
            return Err(Failure::refused(finding.code, finding.detail.clone()));
        }
        if let Some(hook) = &self.config.hooks.health {
            self.hook(hook, slots, slot, plan)?;
        }
        client.connect().map(|_| ())
    }

    fn confirm(&mut self, slots: &Slots, slot: Slot) -> Result<Option<Round>, Failure> {
        let Some((plan, _)) = self.state.plan() else { return Ok(None) };
        let plan = plan.clone();
        fault::point("before-confirm-hook");
        if let Some(hook) = self.config.hooks.confirm.clone() {
            match self.hook(&hook, slots, slot, &plan) {
                Ok(()) => {}
                Err(failure) if failure.passes() => return Err(failure),
                Err(failure) => return self.gave_up(&failure),
            }
        }
        slots.set_record(BootRecord { good: slot, trying: None })?;
        fault::point("between-confirmation-and-result");
        self.happened(Happened::Confirmed)?;
        slots.clear_spool();
        log::info("success", &format!("{} runs in slot {slot}", plan.image.target));
        Ok(None)
    }

    fn go_back(&mut self, slots: &Slots, old: Slot) -> Result<Option<Round>, Failure> {
        let Some((plan, _)) = self.state.plan() else { return Ok(None) };
        let plan = plan.clone();
        if let Phase::Returning { code, detail, .. } = &self.state.phase {
            log::warning(code, detail);
        }
        fault::point("before-rollback");
        if let Some(hook) = self.config.hooks.rollback.clone() {
            // However often: nothing else leads back.
            self.hook(&hook, slots, old, &plan)
                .map_err(|failure| Failure { kind: crate::Kind::Unavailable, ..failure })?;
        }
        slots.set_record(BootRecord { good: old, trying: None })?;
        fault::point("after-rollback-record");
        self.happened(Happened::ToldToReturn)?;
        Ok(None)
    }

    fn gave_up(&mut self, failure: &Failure) -> Result<Option<Round>, Failure> {
        log::warning(failure.code, &failure.detail);
        let (code, detail) = (failure.code.to_owned(), failure.detail.clone());
        self.happened(Happened::GaveUp { code, detail }).map(|()| None)
    }

    fn hook(
        &self,
        words: &[String],
        slots: &Slots,
        slot: Slot,
        plan: &Plan,
    ) -> Result<(), Failure> {
        let image = slots.place(slot);
        let image: &Path = &image;
        let version = plan.image.version.as_deref().unwrap_or_default();
        let said = Said { slot, name: slots.name(slot), image, version };
        hooks::run(words, &said, self.config.hooks.timeout_s)
    }

    pub(crate) fn happened(&mut self, happened: Happened) -> Result<(), Failure> {
        let (now, limits) = (self.now(), self.limits());
        let mut state = self.state.clone();
        state.apply(happened, &now, &limits).map_err(|error| out_of_order(&error))?;
        self.keep(state)
    }

    /// INVARIANT: what is in memory is what is on disk.
    fn keep(&mut self, state: State) -> Result<(), Failure> {
        if state != self.state {
            self.store.keep_state(&state)?;
            self.state = state;
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Moment {
        let boot_id = self.slots.as_ref().map(Slots::boot_id);
        Moment::now(boot_id.unwrap_or(Path::new("/proc/sys/kernel/random/boot_id")))
    }

    fn limits(&self) -> Limits {
        Limits {
            download_within_s: self.config.update.download_within_s,
            boot_within_s: self.config.update.boot_within_s,
            confirm_within_s: self.config.update.confirm_within_s,
            boots_max: self.config.update.boots_max,
        }
    }
}

/// How long the machine is given to start again before it is asked once more.
pub(crate) const RESTARTING_S: u64 = REBOOT_EVERY_S;

/// Whether a failure is the device's last word on an assignment. Everything about the metadata is
/// not: a mirror may be wrong for a while.
fn is_verdict(failure: &Failure) -> bool {
    matches!(
        failure.code,
        "wrong-hardware"
            | "release-unmarked"
            | "release-version"
            | "below-floor"
            | "security-rollback"
            | "release-rollback"
            | "no-sha256"
            | "not-an-image"
            | "unknown-repository"
            | "other-file"
    )
}

fn out_of_order(error: &OutOfOrder) -> Failure {
    Failure::refused("out-of-order", error.to_string())
}

/// Between three quarters of `seconds` and all of it: a fleet that lost its server together must
/// not come back together.
fn jitter(seconds: u64) -> u64 {
    let quarter = u128::from(seconds / 4);
    let dice = u128::from(u32::from_be_bytes(random::bytes()));
    let off = (quarter * dice) >> 32;
    seconds.saturating_sub(u64::try_from(off).unwrap_or(0)).max(1)
}
