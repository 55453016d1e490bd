//! Use case: erase a person's traces in what an organisation reported (PR-4). There may be millions
//! of events to look through, so that it is a job: it survives a restart, can be watched, and asks
//! nobody to wait. Whom it is about is kept until it is over and not longer.

use super::bulk::{BulkAct, JobId, JobView, Starter, UNFINISHED_MAX, starter, too_many_jobs};
use crate::{
    Service, ServiceError,
    approvals::{Attached, Intent, Question},
    erase::names,
    live::found,
    store::{
        job::{self as store, JobRow, State},
        search_person as search,
    },
};
use crypto::random;
use device::{OrganisationId, SignedEvent};
use policy::{Act, Action, Caller, Resource};
use std::collections::BTreeSet;

/// Events looked at per step.
const STEP: usize = 4096;

impl Service {
    /// Erases the contents of every event so far that the organisation `reporter` reported in the
    /// name of `actor`, whoever owns the device now, as a job. Where one is under way for the same
    /// person, that one is given.
    ///
    /// # Errors
    /// `not-found`, `role`, `too-many-jobs`; `needs-second-person` and `reauthenticate`.
    pub async fn erase_person(
        &self,
        caller: &Caller,
        reporter: &OrganisationId,
        actor: &str,
    ) -> Result<JobView, ServiceError> {
        let resource = Resource::organisation(reporter);
        let _permit = self.authorize(caller, Action::ErasePerson, &resource)?;
        let who = self.organisation_row(reporter.as_str())?.id;
        let act = BulkAct::ErasePerson { actor: actor.to_owned() };
        let terms = act.stored_terms();
        if let Some(row) = self.read(|c| search::unfinished(c, who, &terms))? {
            return self.job_view(row);
        }
        let intent = Intent::ErasePerson {
            reporter: reporter.to_string(),
            name: crypto::sha256(actor.as_bytes()).to_string(),
        };
        // The other person must know whose traces; the request's own record must not.
        let asked = Question {
            attached: Some(Attached { devices: Vec::new(), name: Some(actor.to_owned()) }),
            ..Question::new(Act::Erase, &intent)
        };
        let slip = self.second_person_for(caller, reporter, &asked).await?;
        let starter = match caller {
            Caller::Platform { .. } => Starter::machine(caller),
            _ => starter(caller)?,
        };
        let job = JobRow {
            id: 0,
            reference: random::bytes(),
            organisation: who,
            act: act.name().to_owned(),
            terms,
            reason: "erasure of a person's traces".to_owned(),
            caller: serde_json::to_string(&starter).unwrap_or_default(),
            state: State::Preparing,
            total: 0,
            done: 0,
            failed: 0,
            created_at: self.now(),
            started_at: None,
            finished_at: None,
            note: None,
        };
        let event = self
            .event(caller, audit::Kind::Authorisation, audit::Outcome::Success)
            .organisation(reporter.as_str())
            .subject(&JobId::of(&job).to_string())
            .detail("what", "job-started")
            .detail("act", act.name());
        // The approval is spent on a job that outlives the request and the process.
        let row = self
            .commit(move |tx| {
                if let Some(row) = search::unfinished(tx, who, &job.terms)? {
                    return Ok(row);
                }
                slip.consume(tx, job.created_at)?;
                if store::unfinished_of(tx, who)? >= UNFINISHED_MAX {
                    return Err(too_many_jobs());
                }
                let id = store::insert_job(tx, &job)?;
                search::begin(tx, id, who)?;
                tx.audit(&event)?;
                found(store::job(tx, id)?, "job")
            })
            .await?;
        self.job_view(row)
    }

    /// Looks through the next events for a person's name, and puts down the devices.
    pub(super) fn search_person(&self, job: &JobRow, actor: &str) -> Result<(), ServiceError> {
        let (id, now) = (job.id, self.now());
        let slug = self.organisation_id(job.organisation)?;
        let platform = self.platform.organisation.id;
        let place = self.read(|connection| search::place(connection, id))?;
        let mut devices = BTreeSet::new();
        let mut next = None;
        if let Some(place) = place {
            let events = self.read(|connection| search::events(connection, &place, STEP))?;
            for told in &events {
                let Ok(signed) = SignedEvent::parse(&told.cose) else { continue };
                if names(signed.unverified(), slug.as_str(), actor) {
                    devices.insert(told.device);
                }
            }
            next = match events.last() {
                Some(last) if events.len() >= STEP => {
                    Some(search::Place { next: last.leaf.saturating_add(1), ..place })
                }
                // Then what the platform signed for the organisation.
                _ if place.reporter != platform => {
                    Some(search::Place { reporter: platform, next: 0, ..place })
                }
                _ => None,
            };
        }
        self.store.writer.run_blocking(move |tx| {
            if store::job(tx, id)?.is_none_or(|job| job.state != State::Preparing) {
                return Ok(());
            }
            if place.is_none() {
                let note = "how far it looked is not on record; ask again";
                return store::set_state(tx, id, State::Failed, Some(note), now).map(|_| ());
            }
            for device in &devices {
                search::insert_device(tx, id, *device)?;
            }
            match &next {
                Some(place) => search::go_on(tx, id, place),
                None => {
                    search::end(tx, id)?;
                    store::make_ready(tx, id)
                }
            }
        })
    }
}
