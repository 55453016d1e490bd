//! Use cases: a device asks what it shall run, and says what came of it. Every door uses these two.

use super::{
    ReleaseId,
    campaigns::CampaignId,
    content::{AssignedArtifact, Content, is_given_out},
    steps::{Around, Moving, is_entitled, stage_of},
};
use crate::{
    Service, ServiceError,
    live::found,
    store::campaign::{self as store, ActionRow, Heard, Polled, SoftwareRow},
};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;
use update::campaign::{Ask, Record, Step, Why};
pub use update::campaign::{
    DETAIL_CHARS_MAX, Execution, Feedback, Purpose, Software as DeviceSoftware,
};

/// How long a device waits before it asks again, in seconds, where nothing is to be expected.
pub const POLL_S: u32 = 300;
/// The same while it has something to do, or is about to.
const POLL_SOON_S: u32 = 30;
/// How old a device's last sign of life may be before it is written anew, in seconds.
const SEEN_S: i64 = 600;
/// The same while it waits for a window or its turn, in seconds: below the shortest deadline.
const SEEN_WAITING_S: i64 = 30;
/// Longest hardware id and version that a device may name, in bytes.
const TEXT_BYTES_MAX: usize = 128;

/// What a device shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateDecision {
    /// nothing new
    Nothing,
    /// install this, or go on with it
    Install(Box<Assignment>),
    /// stop this action, and say so where it had begun
    Cancel {
        /// its number
        action: u64,
    },
}

/// The answer to a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// what to do
    pub decision: UpdateDecision,
    /// seconds until the next poll
    pub next_poll_s: u32,
}

/// What one device shall run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// its number, for feedback
    pub action: u64,
    /// the campaign that it comes from
    pub campaign: CampaignId,
    /// to a new release, or back to the one before
    pub purpose: Purpose,
    /// the release
    pub release: ReleaseId,
    /// its maker, in whose image repository it is
    pub maker: OrganisationId,
    /// its version for people
    pub version: String,
    /// its counter
    pub release_counter: u64,
    /// its security version
    pub security_version: u64,
    /// the kinds of hardware that it is for
    pub hardware_ids: Vec<String>,
    /// its files for this kind of hardware; all of them where the device named none
    pub artifacts: Vec<AssignedArtifact>,
    /// install without waiting for anybody at the device
    pub force: bool,
    /// somebody at the device must agree first
    pub confirm_needed: bool,
    /// until when a boot into it must be confirmed
    pub deadline: UnixTime,
    /// whether the device has begun, as far as it said
    pub begun: bool,
    /// whether it said that all is written, and the boot that confirms it is still to come
    pub installed: bool,
    /// the device should state an encryption key: a file of it is sealed
    pub encryption_key_wanted: bool,
    /// whose director says so as well, signed: the maker's, else the owner's
    pub director: Option<OrganisationId>,
}

/// What looking found.
enum Found {
    /// nothing until a time, where one is known
    Nothing(Option<UnixTime>),
    /// an open action stands
    Stands(Box<ActionRow>),
    /// an open action shall end, and has begun
    Cancel(i64),
    /// something changes
    Turn(Box<Turn>),
}

/// A change that a poll brings about.
struct Turn {
    moving: Moving,
    stage: u8,
    action: Option<ActionRow>,
    record: Record,
}

impl Service {
    /// A device asks what it shall run, and says what it runs. Nothing is written where nothing
    /// changes, but now and then that it was heard of.
    ///
    /// # Errors
    /// `not-found`, `role`, `software`.
    pub async fn poll_update(
        &self,
        caller: &Caller,
        said: &DeviceSoftware,
    ) -> Result<Poll, ServiceError> {
        let device = self.updating_device(caller)?;
        check_software(said)?;
        let now = self.now();
        let (look, known) = self.read(|connection| {
            let known = store::software(connection, device.id)?;
            let said = effective(said, known.as_ref());
            Ok((self.look(connection, &device, &said, now)?, known))
        })?;
        let news = changes(said, known.as_ref());
        if !news && !matches!(look, Found::Turn(_)) {
            // Who waits for its turn must not be taken for silent.
            let waits = matches!(look, Found::Nothing(Some(_)));
            let old = if waits { SEEN_WAITING_S } else { SEEN_S };
            if known.as_ref().is_some_and(|known| now.since(known.seen_at) >= old) {
                let row = device.id;
                self.store.writer.queue_quietly(move |tx| store::set_seen(tx, row, now));
            }
            return self.answer(look, (&device, caller), &effective(said, known.as_ref()), now);
        }
        let (service, id, said) = (self.clone(), device_of(caller)?, said.clone());
        let around = Around { service: self.clone(), now };
        self.faults.point(crate::fault::BEFORE_OFFER)?;
        let (done, said) = self
            .commit(move |tx| {
                // Once more, where nobody else changes it.
                let device = found(store::polled(tx, id.as_bytes())?, "device")?;
                let known = store::software(tx, device.id)?;
                if changes(&said, known.as_ref()) {
                    let said = effective(&said, known.as_ref());
                    service.note_software(tx, &device, &id, &said, known.as_ref(), now)?;
                }
                let said = effective(&said, known.as_ref());
                let look = service.look(tx, &device, &said, now)?;
                Ok((service.turn(tx, &around, &device, look)?, said))
            })
            .await?;
        self.faults.point(crate::fault::AFTER_OFFER)?;
        self.answer(done, (&device, caller), &said, now)
    }

    /// A device says what came of an action. Said again, it changes nothing.
    ///
    /// # Errors
    /// `not-found` where the action is another's, `role`, `feedback`, `software`.
    pub async fn update_feedback(
        &self,
        caller: &Caller,
        action: u64,
        feedback: &Feedback,
    ) -> Result<(), ServiceError> {
        let device = self.updating_device(caller)?;
        if feedback.progress.is_some_and(|percent| percent > 100) {
            return Err(malformed("progress is a percentage, 0 to 100"));
        }
        if let Some(installed) = &feedback.installed {
            check_software(installed)?;
        }
        let detail = feedback.detail.as_deref().map(one_line).filter(|text| !text.is_empty());
        let heard = Heard { progress: feedback.progress, detail };
        let id = i64::try_from(action).map_err(|_| ServiceError::not_found("action"))?;
        let row = self.read(|connection| store::action(connection, id))?;
        row.filter(|row| row.device == device.id)
            .ok_or_else(|| ServiceError::not_found("action"))?;
        let (service, reference) = (self.clone(), device_of(caller)?);
        let (feedback, now) = (feedback.clone(), self.now());
        let around = Around { service: self.clone(), now };
        self.faults.point(crate::fault::BEFORE_RESULT)?;
        self.commit(move |tx| {
            let row = found(store::action(tx, id)?, "action")?;
            let device = found(store::polled(tx, reference.as_bytes())?, "device")?;
            let mut moving = Moving::load(tx, row.campaign)?;
            let content = service.content(moving.release_for(row.action.purpose))?;
            let stage = row.stage;
            let entitled = is_entitled(tx, moving.row.organisation, &device)?;
            let record = match row.record() {
                // It changed hands, or its owner agrees no more: the campaign learns nothing of it.
                open @ Record::Open(_) if !entitled => {
                    Some(moving.row.stands.leave(stage, Some(&open)))
                }
                Record::Open(action) => Some(moving.row.stands.feedback(
                    &moving.plan,
                    stage,
                    &action,
                    &feedback,
                    &content.target,
                )),
                _ if !entitled => None,
                over => {
                    // What came after it counts for the member, not this.
                    let newest = store::newest_action(tx, row.campaign, device.id)?;
                    let stands = newest.is_some_and(|newest| newest.id == row.id);
                    let late = &mut moving.row.stands;
                    stands.then(|| late.late(stage, &over, &feedback, &content.target)).flatten()
                }
            };
            let succeeded = record.is_some_and(|record| record.is_success());
            let known = store::software(tx, device.id)?;
            let installed = match &feedback.installed {
                Some(installed) => Some(installed.clone()),
                // A door whose clients name no software: what was confirmed is what runs.
                None => succeeded.then(|| {
                    let hardware_id =
                        known.as_ref().and_then(|row| row.software.hardware_id.clone());
                    DeviceSoftware { hardware_id, ..content.target.software() }
                }),
            };
            if let Some(installed) = installed
                && changes(&installed, known.as_ref())
            {
                let said = effective(&installed, known.as_ref());
                service.note_software(tx, &device, &reference, &said, known.as_ref(), now)?;
            }
            let Some(record) = record else { return Ok(()) };
            let heard = entitled.then_some(&heard);
            // An action that was over and is a success now takes the place of none that is open.
            moving.record(tx, &around, &device, stage, Some(&row), &record, heard, now)?;
            moving.settle(tx, &around)
        })
        .await?;
        self.faults.point(crate::fault::AFTER_RESULT)
    }

    /// What the device that calls said last that it runs: for doors whose devices name some of it at a
    /// time.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub fn known_software(&self, caller: &Caller) -> Result<Option<DeviceSoftware>, ServiceError> {
        let device = self.updating_device(caller)?;
        let known = self.read(|connection| store::software(connection, device.id))?;
        Ok(known.map(|row| row.software))
    }

    /// The device that calls, as far as updates need to know it.
    pub(super) fn updating_device(&self, caller: &Caller) -> Result<Polled, ServiceError> {
        let Caller::Device { device, .. } = caller else {
            let _permit = self.authorize(caller, Action::PollUpdate, &Resource::unknown())?;
            return Err(ServiceError::not_found("device"));
        };
        let polled = self.read(|connection| store::polled(connection, device.as_bytes()))?;
        let polled = found(polled, "device")?;
        let owner = self.organisation_id(polled.owner)?;
        let resource = Resource::device(*device, &owner);
        let _permit = self.authorize(caller, Action::PollUpdate, &resource)?;
        Ok(polled)
    }

    /// What the campaigns have for a device. Changes nothing.
    fn look(
        &self,
        connection: &Connection,
        device: &Polled,
        said: &DeviceSoftware,
        now: UnixTime,
    ) -> Result<Found, ServiceError> {
        if let Some(action) = store::open_action(connection, device.id)? {
            return self.look_at(connection, device, said, action, now);
        }
        let mut wait: Option<UnixTime> = None;
        let mut organisations = vec![device.owner];
        if device.maker != device.owner {
            organisations.push(device.maker);
        }
        for organisation in organisations {
            let campaigns = store::under_way(connection, organisation)?;
            if campaigns.is_empty() || !is_entitled(connection, organisation, device)? {
                continue;
            }
            // The newest first: what an older campaign would install is not needed any more.
            for (campaign, product) in campaigns.into_iter().rev() {
                if device.product != Some(product) {
                    continue;
                }
                let Some(stage) = stage_of(connection, campaign, device.id)? else { continue };
                let newest = store::newest_action(connection, campaign, device.id)?;
                let mut moving = Moving::load(connection, campaign)?;
                match self.consider(connection, &mut moving, stage, newest.as_ref(), said, now)? {
                    Ask::Offer(action) => {
                        return Ok(Found::turn(moving, stage, None, Record::Open(action)));
                    }
                    Ask::Over(record) => {
                        // A success that does not hold any more is told of the action that it was.
                        let action = newest.filter(|row| {
                            row.action.purpose == record.purpose()
                                && row.over.is_some_and(|(_, reason, _)| {
                                    reason != update::campaign::Reason::NeverAsked
                                })
                        });
                        return Ok(Found::turn(moving, stage, action, record));
                    }
                    Ask::Nothing(Why::Window(Some(at)) | Why::Rate(at)) => {
                        wait = Some(wait.map_or(at, |wait| wait.min(at)));
                    }
                    Ask::Nothing(_) | Ask::Keep | Ask::Cancel => {}
                }
            }
        }
        Ok(Found::Nothing(wait))
    }

    /// What becomes of an open action.
    fn look_at(
        &self,
        connection: &Connection,
        device: &Polled,
        said: &DeviceSoftware,
        action: ActionRow,
        now: UnixTime,
    ) -> Result<Found, ServiceError> {
        let mut moving = Moving::load(connection, action.campaign)?;
        let stage = action.stage;
        if !is_entitled(connection, moving.row.organisation, device)? {
            let record = moving.row.stands.leave(stage, Some(&action.record()));
            return Ok(Found::turn(moving, stage, Some(action), record));
        }
        let content = self.content(moving.release_for(action.action.purpose))?;
        let record = action.record();
        let ask =
            moving.row.stands.ask(&moving.plan, stage, Some(&record), said, &content.target, now);
        Ok(match ask {
            Ask::Over(record) => Found::turn(moving, stage, Some(action), record),
            Ask::Cancel => Found::Cancel(action.id),
            Ask::Keep | Ask::Offer(_) | Ask::Nothing(_) => Found::Stands(Box::new(action)),
        })
    }

    /// What a campaign has for a member without an open action.
    fn consider(
        &self,
        connection: &Connection,
        moving: &mut Moving,
        stage: u8,
        newest: Option<&ActionRow>,
        said: &DeviceSoftware,
        now: UnixTime,
    ) -> Result<Ask, ServiceError> {
        let record = newest.map(ActionRow::record);
        // What a success is held against is the release that it was for.
        let purpose = match &record {
            Some(Record::Over { purpose, .. }) => *purpose,
            _ => Purpose::Update,
        };
        let content = self.content(moving.release_for(purpose))?;
        let plan = moving.plan.clone();
        let ask = moving.row.stands.ask(&plan, stage, record.as_ref(), said, &content.target, now);
        if let Ask::Offer(action) = &ask
            && !is_given_out(connection, moving.release_for(action.purpose))?
        {
            // Withdrawn by its maker since.
            return Ok(Ask::Nothing(Why::Done));
        }
        Ok(ask)
    }

    /// Brings about what looking found.
    fn turn(
        &self,
        tx: &mut crate::store::Tx<'_>,
        around: &Around,
        device: &Polled,
        found: Found,
    ) -> Result<Found, ServiceError> {
        let Found::Turn(turn) = found else { return Ok(found) };
        let Turn { moving, stage, action, record } = *turn;
        let now = around.now;
        let had = action.as_ref().is_some_and(|action| action.over.is_none());
        let id = moving.record(tx, around, device, stage, action.as_ref(), &record, None, now)?;
        let campaign = moving.row.id;
        moving.settle(tx, around)?;
        Ok(match record {
            Record::Open(action) => Found::Stands(Box::new(ActionRow {
                id,
                campaign,
                device: device.id,
                stage,
                action,
                heard_at: None,
                progress: None,
                detail: None,
                over: None,
                leaf: None,
            })),
            // A device that succeeded needs not be told to stop.
            Record::Over { outcome: update::campaign::Outcome::Succeeded, .. } => {
                Found::Nothing(None)
            }
            Record::Over { .. } if had => Found::Cancel(id),
            Record::Over { .. } => Found::Nothing(None),
        })
    }

    /// What a device was told and shall go on with: its open action. Changes nothing.
    pub(super) fn standing(
        &self,
        connection: &Connection,
        device: &Polled,
        now: UnixTime,
    ) -> Result<Option<(Assignment, DeviceSoftware)>, ServiceError> {
        let known = store::software(connection, device.id)?;
        let said = known.map(|known| known.software).unwrap_or_default();
        let Some(action) = store::open_action(connection, device.id)? else { return Ok(None) };
        match self.look_at(connection, device, &said, action, now)? {
            Found::Stands(action) => {
                let moving = Moving::load(connection, action.campaign)?;
                let content = self.content(moving.release_for(action.action.purpose))?;
                Ok(Some((assignment(&action, &moving, &content, &said), said)))
            }
            _ => Ok(None),
        }
    }

    fn answer(
        &self,
        found: Found,
        (device, caller): (&Polled, &Caller),
        said: &DeviceSoftware,
        now: UnixTime,
    ) -> Result<Poll, ServiceError> {
        let soon = |decision| Poll { decision, next_poll_s: POLL_SOON_S };
        Ok(match found {
            // Not reached: what turns was turned.
            Found::Turn(_) => soon(UpdateDecision::Nothing),
            Found::Nothing(wait) => {
                let wait = wait.map_or(POLL_S, |at| {
                    u32::try_from(at.since(now).max(1)).unwrap_or(POLL_S).min(POLL_S)
                });
                Poll { decision: UpdateDecision::Nothing, next_poll_s: wait }
            }
            Found::Cancel(action) => soon(UpdateDecision::Cancel { action: action.unsigned_abs() }),
            Found::Stands(action) => {
                let moving = self.read(|connection| Moving::load(connection, action.campaign))?;
                let content = self.content(moving.release_for(action.action.purpose))?;
                let mut assignment = assignment(&action, &moving, &content, said);
                assignment.director = self.director_of(device)?;
                self.fit_out(&mut assignment, &content, device, caller, said)?;
                soon(UpdateDecision::Install(Box::new(assignment)))
            }
        })
    }

    /// Takes down what a device runs now, and raises the alarm where it fell behind.
    fn note_software(
        &self,
        tx: &mut crate::store::Tx<'_>,
        device: &Polled,
        id: &DeviceId,
        said: &DeviceSoftware,
        known: Option<&SoftwareRow>,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        if said.confirmed && known.is_some_and(|known| said.is_behind(&known.software)) {
            let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
            let known = known.map(|known| known.software.clone()).unwrap_or_default();
            let event =
                audit::SecurityEvent::new(now, audit::Kind::Update, audit::Outcome::Failure)
                    .organisation(self.organisation_id(device.owner)?.as_str())
                    .subject(&id.to_string())
                    .detail("what", "software-regressed")
                    .detail("release_counter", &number(said.release_counter))
                    .detail("before", &number(known.release_counter))
                    .detail("security_version", &number(said.security_version))
                    .detail("security_version_before", &number(known.security_version));
            tx.audit(&event)?;
        }
        // What the maker published is no surprise, whoever runs it first; an older one is told above.
        let known = |version: &String| match device.product {
            Some(product) => crate::store::release::is_published(tx, product, version),
            None => Ok(false),
        };
        if let Some(version) = &said.version
            && !known(version)?
        {
            let rows = (*id, device.id, device.owner);
            let who = self.observed_device(rows, (device.maker, device.product))?;
            self.observe_firmware(who, version, now);
        }
        store::set_software(tx, device.id, said, now)
    }
}

impl Found {
    fn turn(moving: Moving, stage: u8, action: Option<ActionRow>, record: Record) -> Self {
        Self::Turn(Box::new(Turn { moving, stage, action, record }))
    }
}

fn assignment(
    action: &ActionRow,
    moving: &Moving,
    content: &Content,
    said: &DeviceSoftware,
) -> Assignment {
    let fits = |artifact: &&AssignedArtifact| {
        artifact.hardware_ids.is_empty()
            || said.hardware_id.as_ref().is_none_or(|id| artifact.hardware_ids.contains(id))
    };
    Assignment {
        action: action.id.unsigned_abs(),
        campaign: CampaignId::from_bytes(moving.row.reference),
        purpose: action.action.purpose,
        release: content.release,
        maker: content.maker.clone(),
        version: content.target.version.clone(),
        release_counter: content.target.release_counter,
        security_version: content.target.security_version,
        hardware_ids: content.target.hardware_ids.clone(),
        artifacts: content.artifacts.iter().filter(fits).cloned().collect(),
        force: moving.plan.force,
        confirm_needed: moving.plan.confirm,
        deadline: action.action.deadline,
        begun: action.action.has_begun(),
        installed: action.action.step == Step::Installed,
        encryption_key_wanted: false,
        director: None,
    }
}

fn device_of(caller: &Caller) -> Result<DeviceId, ServiceError> {
    match caller {
        Caller::Device { device, .. } => Ok(*device),
        _ => Err(ServiceError::not_found("device")),
    }
}

/// A device that says nothing is believed to run what it said last. One that names its hardware and no
/// release does not know what it runs, and neither does anybody else.
fn effective(said: &DeviceSoftware, known: Option<&SoftwareRow>) -> DeviceSoftware {
    match known {
        Some(known) if says_nothing(said) => known.software.clone(),
        _ => said.clone(),
    }
}

fn says_nothing(said: &DeviceSoftware) -> bool {
    *said == DeviceSoftware { confirmed: said.confirmed, ..DeviceSoftware::default() }
}

/// Whether what a device says is news.
fn changes(said: &DeviceSoftware, known: Option<&SoftwareRow>) -> bool {
    known.is_none_or(|row| row.software != effective(said, known))
}

fn check_software(said: &DeviceSoftware) -> Result<(), ServiceError> {
    let plain = |text: &Option<String>| {
        text.as_ref().is_none_or(|text| {
            (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
        })
    };
    let small = |number: Option<u64>| number.is_none_or(|number| i64::try_from(number).is_ok());
    if plain(&said.hardware_id)
        && plain(&said.version)
        && small(said.release_counter)
        && small(said.security_version)
    {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "software",
        "hardware id and version have 1 to 128 bytes without control characters, counters are below \
         2^63",
    ))
}

fn malformed(text: &'static str) -> ServiceError {
    ServiceError::malformed("feedback", text)
}

/// A device's words on one line, cut to what is kept.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(DETAIL_CHARS_MAX).collect::<String>().trim().to_owned()
}
