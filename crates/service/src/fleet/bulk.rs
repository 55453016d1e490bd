//! Use cases: one act on many devices, as a job that survives a crash and can be watched, cancelled
//! and read afterwards.

use super::{acts::DeviceAct, desk::Asked, search::DeviceSearch};
use crate::{
    Page, Paged, Problem, Service, ServiceError,
    approvals::{Attached, Intent, Question, Slip, owner_is_asked},
    events::KnownDevice,
    live::found,
    names::shows_what_it_is,
    record,
    store::{
        device as devices,
        job::{self as store, JobRow, State},
        search::{self, Order, Place},
        search_person::ACT as ERASE_PERSON,
    },
};
use crypto::{UnixTime, random};
use device::{Cause, DeviceId, Language, OrganisationId};
use policy::{Action, Caller, Resource};
use serde::{Deserialize, Serialize};

/// Most devices that a selection names one by one.
pub const SELECTED_MAX: usize = 10_000;
/// Most devices of one job.
pub const JOB_DEVICES_MAX: usize = 100_000;
/// Most unfinished jobs of an organisation.
pub(super) const UNFINISHED_MAX: u64 = 10;
/// Devices that a preview tries out.
const TRIED_MAX: usize = 500;
/// Items per commit while a job is filled in.
pub(super) const FILL: usize = 1_000;
/// Longest reason, in characters.
const REASON_MAX: usize = 200;

/// What a job does to each device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkAct {
    /// *suspend*, *release*, *retire* or *revoke*
    Device(DeviceAct),
    /// releases an enrolment code, which the result holds for a day
    ReleaseCodes {
        /// lifetime of each code, in seconds
        lifetime_s: i64,
    },
    /// erases a person's traces; started by [`Service::erase_person`] alone
    ErasePerson {
        /// the name that events have; empty once the job is over
        actor: String,
    },
}

impl BulkAct {
    /// Names of all acts that [`Service::start_bulk`] begins.
    pub const NAMES: &'static [&'static str] =
        &["suspend", "release", "retire", "revoke", "release-codes"];

    /// Stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Device(act) => act.name(),
            Self::ReleaseCodes { .. } => "release-codes",
            Self::ErasePerson { .. } => ERASE_PERSON,
        }
    }

    pub(super) fn action(&self) -> Action {
        match self {
            Self::Device(act) => act.action(),
            Self::ReleaseCodes { .. } => Action::ReleaseCode,
            Self::ErasePerson { .. } => Action::ErasePerson,
        }
    }

    fn terms(&self) -> Terms {
        match self {
            Self::Device(
                DeviceAct::Suspend { cause }
                | DeviceAct::Revoke { cause }
                | DeviceAct::Retire { cause },
            ) => Terms { cause: Some(cause.name().to_owned()), ..Terms::default() },
            Self::Device(_) => Terms::default(),
            Self::ReleaseCodes { lifetime_s } => {
                Terms { lifetime_s: Some(*lifetime_s), ..Terms::default() }
            }
            Self::ErasePerson { actor } => Terms { actor: Some(actor.clone()), ..Terms::default() },
        }
    }

    /// What the store holds beside the name.
    pub(super) fn stored_terms(&self) -> String {
        serde_json::to_string(&self.terms()).unwrap_or_default()
    }

    /// Reads what the store holds.
    pub(crate) fn of(row: &JobRow) -> Result<Self, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a job's row is damaged");
        let terms: Terms = serde_json::from_str(&row.terms).map_err(|_| damaged())?;
        if row.act == "release-codes" {
            return Ok(Self::ReleaseCodes { lifetime_s: terms.lifetime_s.ok_or_else(damaged)? });
        }
        if row.act == ERASE_PERSON {
            return Ok(Self::ErasePerson { actor: terms.actor.unwrap_or_default() });
        }
        let cause: Option<Cause> =
            terms.cause.map(|cause| cause.parse()).transpose().map_err(|_| damaged())?;
        DeviceAct::from_name(&row.act, cause, None).map(Self::Device).ok_or_else(damaged)
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Terms {
    cause: Option<String>,
    lifetime_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    actor: Option<String>,
}

/// Which devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// these, at most [`SELECTED_MAX`]
    Devices(Vec<DeviceId>),
    /// those that a search finds when the job is started, at most [`JOB_DEVICES_MAX`]
    Search(Box<DeviceSearch>),
}

/// What a job would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkPreview {
    /// devices of the selection
    pub devices: u64,
    /// of these, how many were tried out
    pub tried: u64,
    /// of these, how many would be done
    pub allowed: u64,
    /// why others would be refused, and how many; most frequent first
    pub refusals: Vec<(Problem, u64)>,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// its devices are being put down
    Preparing,
    /// its turn has not come
    Waiting,
    /// it is under way
    Running,
    /// every device has its outcome
    Done,
    /// it was cancelled; what was done before stays done
    Cancelled,
    /// it broke off: `note` says why
    Failed,
}

impl JobState {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more happens.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed)
    }
}

/// Which job: 16 random bytes, shown as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobId([u8; 16]);

impl JobId {
    pub(super) fn of(row: &JobRow) -> Self {
        Self(row.reference)
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl std::str::FromStr for JobId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut out = [0; 16];
        hex::decode_to_slice(text, &mut out)
            .map_err(|_| "a job's id is 32 lower-case hexadecimal digits")?;
        Ok(Self(out))
    }
}

/// A job on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// which
    pub id: JobId,
    /// whose
    pub organisation: OrganisationId,
    /// what it does: [`BulkAct::name`]
    pub act: String,
    /// why, in the words of who started it
    pub reason: String,
    /// who started it
    pub started_by: String,
    /// where it is
    pub state: JobState,
    /// devices
    pub total: u64,
    /// devices that have their outcome
    pub done: u64,
    /// of these, how many were refused
    pub failed: u64,
    /// when it was asked for
    pub created_at: UnixTime,
    /// when its first device was done
    pub started_at: Option<UnixTime>,
    /// when it was over
    pub finished_at: Option<UnixTime>,
    /// why it broke off
    pub note: Option<String>,
}

/// Who started a job, as the store keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Starter {
    pub(crate) display: String,
    /// SHA-256 of the client certificate, for a member
    pub(crate) certificate: Option<String>,
    /// its id, for a person
    pub(crate) person: Option<String>,
    pub(crate) roles: String,
    /// a command on the machine itself
    #[serde(default)]
    pub(crate) machine: bool,
}

impl Starter {
    pub(super) fn machine(caller: &Caller) -> Self {
        Self {
            display: caller.to_string(),
            certificate: None,
            person: None,
            roles: String::new(),
            machine: true,
        }
    }
}

impl Service {
    /// How many devices a job would take, and what would become of the first of them. Changes
    /// nothing.
    ///
    /// # Errors
    /// `not-found`, `role`, `selection`, `selection-too-large`, those of a search.
    pub async fn preview_bulk(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        act: &BulkAct,
        selection: &Selection,
    ) -> Result<BulkPreview, ServiceError> {
        self.may_bulk(caller, organisation, act)?;
        let own = self.organisation_row(organisation.as_str())?.id;
        let rows = self.selection(caller, organisation, own, selection).await?;
        self.preview_rows(caller, own, act, rows).await.map(|(preview, _refused)| preview)
    }

    /// As [`Self::preview_bulk`], of these devices; and which of them would be refused.
    pub(super) async fn preview_rows(
        &self,
        caller: &Caller,
        own: i64,
        act: &BulkAct,
        rows: Vec<i64>,
    ) -> Result<(BulkPreview, Vec<(DeviceId, Problem)>), ServiceError> {
        let mut preview =
            BulkPreview { devices: rows.len() as u64, tried: 0, allowed: 0, refusals: Vec::new() };
        let mut refused = Vec::new();
        for row in rows.into_iter().take(TRIED_MAX) {
            let row = self.read(|connection| devices::device_by_row(connection, row))?;
            let row = found(row, "device")?;
            let id = DeviceId::from_bytes(row.device_id);
            let refusal = match act {
                BulkAct::Device(act) => {
                    let asked = self.owner_of_item(own, &row, act).err();
                    let asked = asked.map(|error| error.problem().clone());
                    self.preview_act(caller, &id, act).await?.refusal.or(asked)
                }
                BulkAct::ReleaseCodes { .. } => self
                    .quietly(caller, Action::ReleaseCode, &id)
                    .err()
                    .map(|error| error.problem().clone()),
                // Refused above.
                BulkAct::ErasePerson { .. } => None,
            };
            preview.tried += 1;
            let Some(refusal) = refusal else {
                preview.allowed += 1;
                continue;
            };
            refused.push((id, refusal.clone()));
            match preview.refusals.iter_mut().find(|(known, _)| known.code == refusal.code) {
                Some((_, count)) => *count += 1,
                None => preview.refusals.push((refusal, 1)),
            }
        }
        preview.refusals.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok((preview, refused))
    }

    /// Starts a job. Each device is done, or refused, alone; the job runs on when the service is
    /// started again.
    ///
    /// # Errors
    /// `not-found`, `role`, `reason`, `selection`, `selection-too-large`, `too-many-jobs`;
    /// `needs-second-person` and `reauthenticate` for *revoke*.
    pub async fn start_bulk(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        act: &BulkAct,
        selection: &Selection,
        reason: &str,
    ) -> Result<JobView, ServiceError> {
        self.may_bulk(caller, organisation, act)?;
        let reason = reason.trim().to_owned();
        if !(1..=REASON_MAX).contains(&reason.chars().count()) || !shows_what_it_is(&reason) {
            return Err(ServiceError::malformed(
                "reason",
                "say why, in 1 to 200 characters without hidden or control characters",
            ));
        }
        let starter = starter(caller)?;
        let who = self.organisation_row(organisation.as_str())?.id;
        let rows = self.selection(caller, organisation, who, selection).await?;
        if rows.is_empty() {
            return Err(ServiceError::refused("selection", "no device is selected"));
        }
        // The second person approves these devices and no others.
        let slip = match act {
            BulkAct::Device(DeviceAct::Revoke { cause }) => {
                let intent = approved(&rows, selection, *cause, &reason);
                let asked = Question {
                    // A job is no way around the second person of a single revocation.
                    others: &[policy::Act::RevokeDevice],
                    attached: Some(Attached { devices: rows.clone(), name: None }),
                    ..Question::new(policy::Act::BulkRevoke, &intent)
                };
                self.second_person_for(caller, organisation, &asked).await?
            }
            _ => Slip::NotNeeded,
        };
        self.begin_bulk(caller, organisation, act, &starter, (rows, reason), slip).await
    }

    /// Starts a job on these devices, whoever was to be asked having been asked.
    pub(super) async fn begin_bulk(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        act: &BulkAct,
        starter: &Starter,
        (rows, reason): (Vec<i64>, String),
        slip: Slip,
    ) -> Result<JobView, ServiceError> {
        let (who, now) = (self.organisation_row(organisation.as_str())?.id, self.now());
        let job = JobRow {
            id: 0,
            reference: random::bytes(),
            organisation: who,
            act: act.name().to_owned(),
            terms: act.stored_terms(),
            reason,
            caller: serde_json::to_string(starter).unwrap_or_default(),
            state: State::Preparing,
            total: rows.len() as u64,
            done: 0,
            failed: 0,
            created_at: now,
            started_at: None,
            finished_at: None,
            note: None,
        };
        let event = self
            .event(caller, audit::Kind::Authorisation, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&JobId(job.reference).to_string())
            .detail("what", "job-started")
            .detail("act", act.name())
            .detail("devices", &job.total.to_string());
        // One commit, whoever waits for it: an approval is spent on a job that will be done.
        let row = self
            .commit(move |tx| {
                slip.consume(tx, now)?;
                if store::unfinished_of(tx, who)? >= UNFINISHED_MAX {
                    return Err(too_many_jobs());
                }
                let id = store::insert_job(tx, &job)?;
                store::insert_selection(tx, id, &rows)?;
                // The rest is filled in beside the requests.
                if store::fill(tx, id, FILL)? == store::Filled::All {
                    store::make_ready(tx, id)?;
                }
                tx.audit(&event)?;
                found(store::job(tx, id)?, "job")
            })
            .await?;
        self.job_view(row)
    }

    /// An organisation's jobs, newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn jobs(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<JobView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { after } else { i64::MAX };
        let rows = self.read(|c| store::jobs(c, row, before, limit.saturating_add(1)))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| self.job_view(row))
    }

    /// A job.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn job(&self, caller: &Caller, job: &JobId) -> Result<JobView, ServiceError> {
        self.job_view(self.job_for(caller, job)?.0)
    }

    /// Cancels a job: devices that are not done yet stay as they are.
    ///
    /// # Errors
    /// `not-found`, `role`, `job-over`.
    pub async fn cancel_job(&self, caller: &Caller, job: &JobId) -> Result<JobView, ServiceError> {
        let (row, organisation) = self.job_for(caller, job)?;
        let act = BulkAct::of(&row)?;
        // Who may do it may stop it, whoever started it.
        self.may_job(caller, &organisation, &act)?;
        let event = self
            .event(caller, audit::Kind::Authorisation, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&job.to_string())
            .detail("what", "job-cancelled");
        let now = self.now();
        let row = self
            .commit(move |tx| {
                if !store::set_state(tx, row.id, State::Cancelled, None, now)? {
                    return Err(ServiceError::conflict("job-over", "the job is over already"));
                }
                tx.audit(&event)?;
                found(store::job(tx, row.id)?, "job")
            })
            .await?;
        self.job_view(row)
    }

    /// Jobs are of one's own organisation and one's own right to the act.
    pub(super) fn may_bulk(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        act: &BulkAct,
    ) -> Result<(), ServiceError> {
        self.may_job(caller, organisation, act)?;
        let refused = match act {
            BulkAct::Device(
                DeviceAct::Suspend { .. }
                | DeviceAct::Release
                | DeviceAct::Retire { .. }
                | DeviceAct::Revoke { .. },
            ) => false,
            BulkAct::Device(_) | BulkAct::ErasePerson { .. } => true,
            BulkAct::ReleaseCodes { lifetime_s } => {
                !(60..=policy::CODE_SECONDS_MAX).contains(lifetime_s)
            }
        };
        if refused {
            return Err(ServiceError::malformed(
                "act",
                "a job suspends, releases, retires, revokes, or releases codes of 60 s to 180 days",
            ));
        }
        Ok(())
    }

    fn may_job(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        act: &BulkAct,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        self.authorize(caller, act.action(), &resource).map(|_permit| ())
    }

    /// Whether the owner of a device wants to be asked, which a job cannot do.
    fn owner_of_item(
        &self,
        own: i64,
        row: &devices::DeviceRow,
        act: &DeviceAct,
    ) -> Result<(), ServiceError> {
        if row.owner == own || !matches!(act, DeviceAct::Revoke { .. }) {
            return Ok(());
        }
        let (platform, now) = (row.owner == self.platform.organisation.id, self.now());
        self.read(|connection| owner_is_asked(connection, row.owner, platform, now))
    }

    pub(super) fn job_for(
        &self,
        caller: &Caller,
        job: &JobId,
    ) -> Result<(JobRow, OrganisationId), ServiceError> {
        let row = self.read(|connection| store::job_by_reference(connection, &job.0))?;
        let Some(row) = row else {
            let _permit = self.authorize(caller, Action::ListDevices, &Resource::unknown())?;
            return Err(ServiceError::not_found("job"));
        };
        let organisation = self.organisation_id(row.organisation)?;
        let resource = Resource::organisation(&organisation);
        let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        Ok((row, organisation))
    }

    pub(crate) fn job_view(&self, row: JobRow) -> Result<JobView, ServiceError> {
        let damaged = |_| ServiceError::fatal("store-damaged", "a job's row is damaged");
        let starter: Starter = serde_json::from_str(&row.caller).map_err(damaged)?;
        Ok(JobView {
            id: JobId(row.reference),
            organisation: self.organisation_id(row.organisation)?,
            act: row.act,
            reason: row.reason,
            started_by: starter.display,
            state: match row.state {
                State::Preparing => JobState::Preparing,
                State::Waiting => JobState::Waiting,
                State::Running => JobState::Running,
                State::Done => JobState::Done,
                State::Cancelled => JobState::Cancelled,
                State::Failed => JobState::Failed,
            },
            total: row.total,
            done: row.done,
            failed: row.failed,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            note: row.note,
        })
    }

    /// Rows of the selected devices, each once; looked up in turn.
    async fn selection(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        who: i64,
        selection: &Selection,
    ) -> Result<Vec<i64>, ServiceError> {
        let caller = caller.clone();
        let (organisation, selection) = (organisation.clone(), selection.clone());
        self.at_desk(who, move |service, asked| {
            service.selected(&caller, &organisation, &selection, asked)
        })
        .await
    }

    fn selected(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        selection: &Selection,
        asked: &Asked,
    ) -> Result<Vec<i64>, ServiceError> {
        match selection {
            Selection::Devices(ids) => {
                if ids.len() > SELECTED_MAX {
                    return Err(too_large());
                }
                let mut rows = Vec::with_capacity(ids.len());
                let mut seen = std::collections::HashSet::new();
                for id in ids.iter().filter(|id| seen.insert(**id)) {
                    rows.push(self.quietly(caller, Action::ReadDevice, id)?.row.id);
                }
                Ok(rows)
            }
            Selection::Search(search) => {
                let wanted = self.wanted(organisation, search)?;
                let (mut rows, mut from): (Vec<i64>, Option<Place>) = (Vec::new(), None);
                loop {
                    asked.still()?;
                    let page = self.read(|connection| {
                        let order = Order::Newest;
                        search::search(connection, &wanted, order, from.as_ref(), false, 2_000)
                    })?;
                    rows.extend(page.hits.iter().map(|(row, _)| *row));
                    if rows.len() > JOB_DEVICES_MAX {
                        return Err(too_large());
                    }
                    let last = page.hits.last().map(|(_, place)| place.clone());
                    match page.stopped.or(last.filter(|_| page.more)) {
                        Some(place) => from = Some(place),
                        None => return Ok(rows),
                    }
                }
            }
        }
    }

    /// As `device_for`, where a refusal is an answer and not an attempt.
    pub(crate) fn quietly(
        &self,
        caller: &Caller,
        action: Action,
        device: &DeviceId,
    ) -> Result<KnownDevice, ServiceError> {
        let row = self.read(|connection| devices::device(connection, device.as_bytes()))?;
        let row = found(row, "device")?;
        let state = record::state_of(&row)?;
        self.stand(caller, &row, state.as_ref(), |resource| {
            policy::authorize(caller, action, resource).map(|_permit| ())
        })?
        .map_err(|denied| match denied.answer() {
            policy::Answer::Forbidden => ServiceError::forbidden("role", denied.to_string()),
            _ => ServiceError::not_found("device"),
        })?;
        Ok(KnownDevice { row, state })
    }
}

/// What a second person approves: how many devices and, by their digest, exactly which.
fn approved(rows: &[i64], selection: &Selection, cause: Cause, reason: &str) -> Intent {
    Intent::RevokeMany {
        count: rows.len(),
        devices: digest_of(rows),
        filter: match selection {
            Selection::Devices(_) => "one by one".to_owned(),
            Selection::Search(search) => search.in_words(),
        },
        cause: cause.name().to_owned(),
        reason: reason.to_owned(),
    }
}

/// Which devices, whatever their order.
pub(super) fn digest_of(rows: &[i64]) -> String {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    let bytes: Vec<u8> = sorted.iter().flat_map(|row| row.to_be_bytes()).collect();
    crypto::sha256(&bytes).to_string()
}

pub(super) fn too_many_jobs() -> ServiceError {
    ServiceError::too_many(
        "too-many-jobs",
        "ten jobs are unfinished already; wait for one, or cancel one",
    )
}

fn too_large() -> ServiceError {
    ServiceError::too_many(
        "selection-too-large",
        "a job takes at most 10,000 devices that are named and 100,000 that a search finds; \
         narrow the selection",
    )
}

/// Who starts a job, so that its rights can be looked at again while it runs.
pub(super) fn starter(caller: &Caller) -> Result<Starter, ServiceError> {
    match caller {
        Caller::Member { roles, certificate, .. } => Ok(Starter {
            display: caller.to_string(),
            certificate: Some(certificate.to_string()),
            person: None,
            roles: roles.to_string(),
            machine: false,
        }),
        Caller::Person { roles, person, .. } => Ok(Starter {
            display: caller.to_string(),
            certificate: None,
            person: Some(hex::encode(person.as_bytes())),
            roles: roles.to_string(),
            machine: false,
        }),
        _ => Err(ServiceError::forbidden("role", "jobs are started by people and members")),
    }
}

/// A refusal as a job's result keeps it.
pub(crate) fn text_of(error: &ServiceError, language: Language) -> String {
    match (language, error.message_ja()) {
        (Language::Ja, Some(text)) => text.to_owned(),
        _ => error.to_string(),
    }
}
