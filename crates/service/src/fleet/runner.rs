//! Runs bulk jobs: a few devices per commit, a pause after each, the jobs in turn. What a device
//! came to and the job's progress commit with the act itself, so that a crash repeats nothing and
//! forgets nothing.

use super::{
    asker::gone,
    bulk::{BulkAct, FILL, Starter, text_of},
};
use crate::{
    ErrorKind, Service, ServiceError,
    erase::{Forgetting, Forgot},
    live::{Live, found},
    service::Inner,
    store::{
        Tx, access, device as devices,
        job::{self as store, ItemOutcome, JobRow, State},
    },
};
use crypto::UnixTime;
use device::{DeviceId, Language};
use policy::{Action, Caller, CodeRecord, Resource};
use std::{sync::Weak, time::Duration};

/// Devices per commit.
const BATCH: usize = 20;
/// Devices per commit whose histories are read again as a whole.
const BATCH_OF_HISTORIES: usize = 4;
/// Pause after a commit: jobs take at most 200 devices per second, so that others have their turn.
const PAUSE: Duration = Duration::from_millis(100);
/// How often somebody looks for jobs.
const IDLE: Duration = Duration::from_millis(500);
/// How long the codes of a job can be fetched, in seconds.
const CODES_S: i64 = 86_400;
/// Rounds between two looks for codes that are too old.
const FORGET_ROUNDS: u32 = 600;

/// Runs jobs until the service ends.
pub(crate) fn run(weak: &Weak<Inner>, live: &Live) {
    let (mut pause, mut last, mut rounds) = (Duration::ZERO, 0, 0u32);
    loop {
        if live.rest(pause) {
            return;
        }
        let Some(service) = Service::upgrade(weak) else { return };
        if rounds.is_multiple_of(FORGET_ROUNDS) {
            let before = service.now().plus(-CODES_S);
            service.store.writer.queue_quietly(move |tx| store::forget_secrets(tx, before));
        }
        rounds = rounds.wrapping_add(1);
        pause = match service.next_job(last) {
            Ok(None) => IDLE,
            Ok(Some(job)) => {
                last = job.id;
                match service.step(&job) {
                    Ok(()) => PAUSE,
                    Err(error) => {
                        tracing::warn!(%error, "a job's step failed; it is tried again");
                        IDLE
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "jobs cannot be looked up");
                IDLE
            }
        };
    }
}

/// What is to be done to one device.
enum Prepared {
    Act(super::acts::Doing),
    Code { row: i64, owner: i64, record: Box<CodeRecord>, sealed: Vec<u8> },
    Forget(Box<Forgetting>),
    Refused(ServiceError),
}

impl Service {
    /// The next job in turn after job `last`.
    fn next_job(&self, last: i64) -> Result<Option<JobRow>, ServiceError> {
        let mut jobs = self.read(|connection| {
            let mut jobs = store::jobs_in(connection, State::Running)?;
            jobs.extend(store::jobs_in(connection, State::Waiting)?);
            jobs.extend(store::jobs_in(connection, State::Preparing)?);
            Ok(jobs)
        })?;
        jobs.sort_by_key(|job| job.id);
        let at = jobs.iter().position(|job| job.id > last).unwrap_or(0);
        Ok((at < jobs.len()).then(|| jobs.swap_remove(at)))
    }

    /// Makes items of the next devices of a job's selection.
    fn fill(&self, job: &JobRow) -> Result<(), ServiceError> {
        let (id, now) = (job.id, self.now());
        self.store.writer.run_blocking(move |tx| {
            let job = store::job(tx, id)?;
            if job.is_none_or(|job| job.state != State::Preparing) {
                return Ok(());
            }
            match store::fill(tx, id, FILL)? {
                store::Filled::More => Ok(()),
                store::Filled::All => store::make_ready(tx, id),
                store::Filled::Nothing => {
                    let note = "its devices are not on record; start it again";
                    store::set_state(tx, id, State::Failed, Some(note), now).map(|_| ())
                }
            }
        })
    }

    /// Does the next devices of a job.
    fn step(&self, job: &JobRow) -> Result<(), ServiceError> {
        let act = BulkAct::of(job)?;
        if job.state == State::Preparing && !matches!(act, BulkAct::ErasePerson { .. }) {
            return self.fill(job);
        }
        let now = self.now();
        let id = job.id;
        let caller = match self.starter_now(job) {
            Ok(caller) => caller,
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Err(error) => {
                let note = text_of(&error, Language::En);
                return self.end(job, State::Failed, Some(note));
            }
        };
        let mut batch = BATCH;
        if let BulkAct::ErasePerson { actor } = &act {
            let organisation = self.organisation_id(job.organisation)?;
            let resource = Resource::organisation(&organisation);
            if policy::authorize(&caller, act.action(), &resource).is_err() {
                return self.end(job, State::Failed, Some(text_of(&gone(), Language::En)));
            }
            if job.state == State::Preparing {
                return self.search_person(job, actor);
            }
            batch = BATCH_OF_HISTORIES;
        }
        let open = self.read(|connection| store::open_items(connection, id, 0, batch))?;
        if open.is_empty() {
            return self.end(job, State::Done, None);
        }
        let mut prepared = Vec::with_capacity(open.len());
        for (item, device) in open {
            prepared.push((item, self.prepare_item(&caller, job.organisation, &act, device)?));
        }
        self.store.writer.run_blocking(move |tx| {
            // Cancelled meanwhile: nothing more is done.
            if !store::set_state(tx, id, State::Running, None, now)? {
                return Ok(());
            }
            for (item, prepared) in &prepared {
                if store::is_open(tx, id, *item)? {
                    one(tx, id, *item, prepared, now)?;
                }
            }
            Ok(())
        })
    }

    fn end(&self, job: &JobRow, state: State, note: Option<String>) -> Result<(), ServiceError> {
        let (id, now) = (job.id, self.now());
        let outcome = match state {
            State::Done => audit::Outcome::Success,
            _ => audit::Outcome::Failure,
        };
        let event = audit::SecurityEvent::new(now, audit::Kind::Authorisation, outcome)
            .organisation(self.organisation_id(job.organisation)?.as_str())
            .subject(&hex::encode(job.reference))
            .detail("what", "job-over")
            .detail("act", &job.act);
        self.store.writer.run_blocking(move |tx| {
            if store::set_state(tx, id, state, note.as_deref(), now)? {
                tx.audit(&event)?;
            }
            Ok(())
        })
    }

    /// Who started the job, with the rights that it has now and had then.
    fn starter_now(&self, job: &JobRow) -> Result<Caller, ServiceError> {
        let starter: Starter = serde_json::from_str(&job.caller).map_err(|_| gone())?;
        crate::join::block_on(self.starter_still(&starter, job.created_at))
    }

    /// Looks at the caller's right to one device, and makes ready what is to be done.
    fn prepare_item(
        &self,
        caller: &Caller,
        organisation: i64,
        act: &BulkAct,
        device: i64,
    ) -> Result<Prepared, ServiceError> {
        let row = self.read(|connection| devices::device_by_row(connection, device))?;
        let id = DeviceId::from_bytes(found(row, "device")?.device_id);
        let outcome = match act {
            BulkAct::Device(act) => self
                .quietly(caller, act.action(), &id)
                .map(|_known| Prepared::Act(self.doing(caller, &id, act).in_job_of(organisation))),
            BulkAct::ReleaseCodes { lifetime_s } => {
                self.quietly(caller, Action::ReleaseCode, &id).and_then(|known| {
                    let (code, row, record) = self.release_code(caller, id, *lifetime_s)?;
                    let sealed = self.seal_code(&code.code)?;
                    let (owner, record) = (known.row.owner, Box::new(record));
                    Ok(Prepared::Code { row, owner, record, sealed })
                })
            }
            BulkAct::ErasePerson { actor } => {
                let organisation = self.organisation_id(organisation)?;
                Ok(Prepared::Forget(Box::new(self.forgetting(caller, &id, &organisation, actor))))
            }
        };
        match outcome {
            Err(error) if matches!(error.kind(), ErrorKind::Fatal | ErrorKind::Unavailable) => {
                Err(error)
            }
            Err(error) => Ok(Prepared::Refused(error)),
            Ok(prepared) => Ok(prepared),
        }
    }
}

/// One device: act, outcome and progress belong to one transaction.
fn one(
    tx: &mut Tx<'_>,
    job: i64,
    item: u64,
    prepared: &Prepared,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let outcome = match prepared {
        Prepared::Refused(error) => Err(error.clone()),
        Prepared::Forget(forgetting) => match tx.attempt(|tx| forgetting.perform(tx)) {
            // The item stays open: the next step does the rest.
            Ok(Forgot::Some) => return Ok(()),
            Ok(Forgot::All) => Ok(None),
            Err(error) => Err(error),
        },
        Prepared::Act(doing) => tx.attempt(|tx| doing.perform(tx)).map(|_recorded| None),
        Prepared::Code { row, owner, record, sealed } => tx.attempt(|tx| {
            let device = found(devices::device_by_row(tx, *row)?, "device")?;
            // Sold since it was looked at: the code would let the former owner's people in.
            if device.owner != *owner {
                return Err(ServiceError::not_found("device"));
            }
            access::set_code(tx, *row, record)?;
            Ok(Some(sealed.as_slice()))
        }),
    };
    let (done, code, text, secret) = match &outcome {
        Err(error) if error.is_store_lost() => return Err(error.clone()),
        Err(error) => (false, error.code(), text_of(error, Language::En), None),
        Ok(secret) => (true, "done", String::new(), *secret),
    };
    let outcome = ItemOutcome { done, code, text: &text, secret, at: now };
    store::finish_item(tx, job, item, &outcome).map(|_| ())
}
