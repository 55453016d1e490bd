//! How the bytes of an accepted image travel: keys and tickets for what is sealed, deltas from the image
//! that runs. Whatever is wrong with a delta, the whole image is fetched.

use crate::{
    Failure,
    agent::Agent,
    clock,
    doors::{self, Offered},
    download::{Download, Outcome, may_open},
    engine::{Delta, Happened, Plan, Slot, accept_delta},
    fault, files,
    identity::Identity,
    log,
    net::Client,
    repository::Repository,
    slots::{self, Slots},
};
use crypto::agreement::AgreementKey;
use std::{
    fs::File,
    io::{self, BufReader, Write},
};
use update::{
    TargetPath,
    delta::{self, DeltaError},
};

/// Where a delta lies while it is fetched and applied.
const PLACE: &str = "delta";

impl Agent {
    /// States the device's encryption key.
    ///
    /// # Errors
    /// `sealing-key`, `connection`, `platform-refused`; `encryption-key` where it is not taken.
    pub(crate) fn state_key(&self, client: &Client) -> Result<(), Failure> {
        let identity = Identity::open(&self.config, &self.store)?;
        let none = || Failure::refused("not-enrolled", "run: tegata-agent enrol");
        let credential = identity.ldevid()?.ok_or_else(none)?;
        let statement = identity.statement(&credential)?;
        match doors::state_key(client, &statement) {
            Err(failure) if failure.code == "platform-unknown" => {
                Err(Failure::unavailable("encryption-key", failure.detail))
            }
            other => other,
        }
    }

    /// Takes what the platform offers beside the file.
    ///
    /// # Errors
    /// `no-ticket` where the file is sealed and nothing here opens it: perhaps later.
    pub(crate) fn furnish(
        &self,
        mut plan: Plan,
        offered: Offered,
        running: Slot,
        client: &Client,
    ) -> Result<Plan, Failure> {
        let keys = Identity::open(&self.config, &self.store)?.opening_keys()?;
        if let Some(sealed) = &mut plan.sealed {
            sealed.tickets = offered.tickets;
            if !may_open(sealed, &keys) {
                let detail =
                    format!("{} is sealed, and not for this device yet", plan.image.target);
                return Err(Failure::unavailable("no-ticket", detail));
            }
        }
        if let Some((path, sha256, tickets)) = offered.delta {
            match self.find_delta(&plan, &path, &sha256, tickets, running, client) {
                Ok(delta) if delta.sealed.as_ref().is_none_or(|one| may_open(one, &keys)) => {
                    plan.delta = Some(delta);
                }
                Ok(_) => log::warning("delta-refused", "the delta is not sealed for this device"),
                Err(failure) => log::warning("delta-refused", &failure.to_string()),
            }
        }
        Ok(plan)
    }

    fn find_delta(
        &self,
        plan: &Plan,
        path: &str,
        sha256: &str,
        tickets: Vec<String>,
        running: Slot,
        client: &Client,
    ) -> Result<Delta, Failure> {
        let refused = |why: String| Failure::refused("delta-refused", why);
        if self.config.slots.as_ref().is_none_or(|places| places.pair.is_none()) {
            return Err(refused("a hook writes the slots: what runs cannot be read".to_owned()));
        }
        let image = self.state.image(running);
        let image = image.ok_or_else(|| refused("what runs is not known".to_owned()))?;
        let path = TargetPath::new(path).map_err(|error| refused(error.to_string()))?;
        let repository = Repository::of(&self.config, &self.store, &plan.organisation)?;
        let (target, _root) = repository.find(client, &path, None, clock::wall())?;
        if target.hashes().get("sha256") != Some(sha256) {
            return Err(refused(format!("{path} is not the file of the assignment")));
        }
        accept_delta(&target, tickets, &self.config.hardware_id, &plan.image, image)
    }

    /// Keys for what of a plan is sealed; none where nothing is.
    ///
    /// # Errors
    /// `sealing-key`, `state-damaged`, `group-key`.
    pub(crate) fn keys_for(&self, plan: &Plan) -> Result<Vec<AgreementKey>, Failure> {
        let delta = plan.delta.as_ref().is_some_and(|delta| delta.sealed.is_some());
        if plan.sealed.is_none() && !delta {
            return Ok(Vec::new());
        }
        Identity::open(&self.config, &self.store)?.opening_keys()
    }

    /// Removes what there is of a delta.
    ///
    /// # Errors
    /// `state-write`.
    pub(crate) fn forget_delta(&self) -> Result<(), Failure> {
        files::remove(&self.store.path(PLACE))
    }

    /// Fetches a delta and applies it. The delta's own hash is compared before any of it is read, the
    /// base's before anything is made of it, the result's before it counts.
    ///
    /// # Errors
    /// Whatever is wrong.
    pub(crate) fn by_delta(
        &mut self,
        slots: &Slots,
        slot: Slot,
        from: u64,
        client: &Client,
        plan: &Plan,
        delta: &Delta,
    ) -> Result<(), Failure> {
        let repository = Repository::of(&self.config, &self.store, &plan.organisation)?;
        let keys = self.keys_for(plan)?;
        let place = self.store.path(PLACE);
        let download = Download {
            client,
            path: repository.target_path(&delta.address),
            length: delta.length,
            sha256: &delta.sha256,
            sealed: delta.sealed.as_ref(),
            keys: &keys,
            place: &place,
            bytes_per_s_min: self.config.update.bytes_per_s_min,
        };
        // A crash may have taken it away after it was applied.
        let there = std::fs::metadata(&place).map_or(0, |meta| meta.len());
        let from = if there < from { 0 } else { from };
        let outcome = download.run(
            from,
            &mut |from| files::open_part(&place, from, delta.length),
            &mut |received| self.happened(Happened::Progress { received }),
        )?;
        let refused = |why: String| Failure::refused("delta-refused", why);
        if let Outcome::Wrong(detail) = outcome {
            return Err(refused(detail));
        }
        self.happened(Happened::Progress { received: delta.length })?;
        fault::point("delta-fetched");
        let made = apply(slots, slot, &place, plan, delta);
        files::remove(&place)?;
        fault::point("delta-applied");
        made
    }
}

fn apply(
    slots: &Slots,
    slot: Slot,
    place: &std::path::Path,
    plan: &Plan,
    delta: &Delta,
) -> Result<(), Failure> {
    let refused = |why: String| Failure::refused("delta-refused", why);
    let mut base = slots.open_running(slot.other())?;
    let file = File::open(place).map_err(|error| files::write_failed(place, &error))?;
    let out = slots.open(slot, 0, plan.image.length)?;
    let mut out = Counted { file: out };
    let limits =
        delta::Limits { base_bytes_max: delta.base_length, result_bytes_max: plan.image.length };
    let made = delta::patch(&mut base, &mut BufReader::new(file), &limits, &mut out);
    let made = made.map_err(|error| match error {
        DeltaError::Io(error) => slots::slot_failed(&slots.place(slot), &error),
        other => refused(other.to_string()),
    })?;
    let wanted = (plan.image.length, plan.image.sha256.clone());
    if (made.length, made.sha256.to_string()) != wanted {
        return Err(refused("it makes another image than was signed for".to_owned()));
    }
    out.file.sync_all().map_err(|error| slots::slot_failed(&slots.place(slot), &error))
}

/// A slot that is being written; tests may break off after each piece.
struct Counted {
    file: File,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        fault::point("delta-piece-written");
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
