use super::{Execution, Image, Plan, Report, Slot, report::cut};
use crate::Moment;
use serde::{Deserialize, Serialize};

/// Why an update goes back that the platform took back.
const CANCELLED: &str = "cancelled";

/// How far an update has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Phase {
    /// nothing to do
    Idle,
    /// the image comes into the slot
    Downloading {
        /// what
        plan: Plan,
        /// where
        slot: Slot,
        /// bytes that are in the slot for certain
        received: u64,
        /// whether it was begun anew once, because what was kept did not fit
        again: bool,
        /// when to give up, in seconds since 1970
        until: i64,
    },
    /// all bytes are there; they are read back
    Checking {
        /// what
        plan: Plan,
        /// where
        slot: Slot,
    },
    /// the boot loader is being told
    Activating {
        /// what
        plan: Plan,
        /// where
        slot: Slot,
        /// the start of the machine in which this began
        boot_id: String,
    },
    /// the boot loader will try the slot at the next start
    Booting {
        /// what
        plan: Plan,
        /// where
        slot: Slot,
        /// the start of the machine before
        boot_id: String,
        /// uptime at which to give up, in seconds
        until_s: u64,
    },
    /// the new image runs
    Trying {
        /// what
        plan: Plan,
        /// where
        slot: Slot,
        /// this start of the machine
        boot_id: String,
        /// uptime at which to give up, in seconds
        until_s: u64,
        /// starts of the new image so far
        boots: u8,
        /// it was found healthy and waits for a person
        healthy: bool,
        /// why it was not found healthy
        complaint: Option<String>,
    },
    /// the boot loader is being told to keep it
    Confirming {
        /// what
        plan: Plan,
        /// where
        slot: Slot,
    },
    /// the old image is coming back
    Returning {
        /// what did not work
        plan: Plan,
        /// where it is
        slot: Slot,
        /// why
        code: String,
        /// why, in words
        detail: String,
        /// whether the boot loader was told
        told: bool,
    },
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// ask whether there is something to do
    Poll,
    /// get the image from this byte on
    Download {
        /// into
        slot: Slot,
        /// first byte that is missing
        from: u64,
    },
    /// read the image back and compare
    ReadBack {
        /// from
        slot: Slot,
    },
    /// tell the boot loader to try the slot
    Activate {
        /// which
        slot: Slot,
    },
    /// start the machine again
    Reboot,
    /// see whether the new image works
    Health,
    /// wait for a person
    Wait,
    /// tell the boot loader to keep the slot
    Confirm {
        /// which
        slot: Slot,
    },
    /// tell the boot loader to use this slot as before
    GoBack {
        /// the old one
        slot: Slot,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// looked around: this slot runs
    Observed {
        /// which
        running: Slot,
    },
    /// an update was not accepted
    Rejected {
        /// the platform's number
        action: Option<String>,
        /// why
        code: String,
        /// why, in words
        detail: String,
    },
    /// an update is wanted, and what the device is shown of it is not trusted: it asks again
    HeldUp {
        /// the platform's number
        action: String,
        /// why
        code: String,
        /// why, in words
        detail: String,
    },
    /// the platform takes an update back
    CancelAsked {
        /// its number
        action: String,
    },
    /// so many bytes are in the slot, synced
    Progress {
        /// from the beginning
        received: u64,
    },
    /// all bytes are there and hash to what was signed
    Fetched,
    /// the delta led to nothing: the whole file is fetched
    DeltaRefused,
    /// what is in the slot does not hash to what was signed
    WrongBytes {
        /// what was found
        detail: String,
    },
    /// what was read back is right
    Intact,
    /// the boot loader knows
    Activated,
    /// the new image works
    Healthy,
    /// it does not, or not yet
    Unhealthy {
        /// why
        detail: String,
    },
    /// a person said yes
    ConfirmedByHand,
    /// a person said no
    RefusedByHand,
    /// the boot loader keeps the new slot
    Confirmed,
    /// the boot loader will use the old slot
    ToldToReturn,
    /// the step cannot be done, now or later
    GaveUp {
        /// why
        code: String,
        /// why, in words
        detail: String,
    },
    /// a report was acknowledged
    Acknowledged {
        /// its number
        number: u64,
    },
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// seconds for a download
    pub download_within_s: u64,
    /// seconds until the machine is started again
    pub boot_within_s: u64,
    /// seconds until the new image is confirmed
    pub confirm_within_s: u64,
    /// starts of the new image
    pub boots_max: u8,
}

/// Something happened that cannot happen in this phase: a defect of the caller, or a person who
/// asks for what is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutOfOrder(pub &'static str);

/// All that is kept about updates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// what is in slot a
    pub a: Option<Image>,
    /// what is in slot b
    pub b: Option<Image>,
    /// highest security version that was ever confirmed here
    pub security_version: u64,
    /// highest release counter that was ever confirmed here
    pub release_counter: u64,
    /// how far an update has come
    pub phase: Phase,
    /// reports that nobody has acknowledged yet
    pub outbox: Vec<Report>,
    /// number of the next report
    pub next_report: u64,
    /// the last result
    pub last: Option<Report>,
    /// SHA-256 of the image that ran last and was left again: following a target by itself, the
    /// device does not try it a second time
    pub left: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            a: None,
            b: None,
            security_version: 0,
            release_counter: 0,
            phase: Phase::Idle,
            outbox: Vec::new(),
            next_report: 1,
            last: None,
            left: None,
        }
    }
}

impl State {
    /// What is in a slot, as far as it is known.
    pub fn image(&self, slot: Slot) -> Option<&Image> {
        match slot {
            Slot::A => self.a.as_ref(),
            Slot::B => self.b.as_ref(),
        }
    }

    fn image_mut(&mut self, slot: Slot) -> &mut Option<Image> {
        match slot {
            Slot::A => &mut self.a,
            Slot::B => &mut self.b,
        }
    }

    /// The update under way.
    pub fn plan(&self) -> Option<(&Plan, Slot)> {
        match &self.phase {
            Phase::Idle => None,
            Phase::Downloading { plan, slot, .. }
            | Phase::Checking { plan, slot }
            | Phase::Activating { plan, slot, .. }
            | Phase::Booting { plan, slot, .. }
            | Phase::Trying { plan, slot, .. }
            | Phase::Confirming { plan, slot }
            | Phase::Returning { plan, slot, .. } => Some((plan, *slot)),
        }
    }

    /// What is to be done next.
    pub fn step(&self) -> Step {
        match &self.phase {
            Phase::Idle => Step::Poll,
            Phase::Downloading { slot, received, .. } => {
                Step::Download { slot: *slot, from: *received }
            }
            Phase::Checking { slot, .. } => Step::ReadBack { slot: *slot },
            Phase::Activating { slot, .. } => Step::Activate { slot: *slot },
            Phase::Booting { .. } => Step::Reboot,
            Phase::Trying { healthy: true, .. } => Step::Wait,
            Phase::Trying { .. } => Step::Health,
            Phase::Confirming { slot, .. } => Step::Confirm { slot: *slot },
            Phase::Returning { slot, told: false, .. } => Step::GoBack { slot: slot.other() },
            Phase::Returning { .. } => Step::Reboot,
        }
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// [`OutOfOrder`]; nothing has changed then.
    pub fn apply(
        &mut self,
        happened: Happened,
        now: &Moment,
        limits: &Limits,
    ) -> Result<(), OutOfOrder> {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        match self.follow(phase.clone(), happened, now, limits) {
            Ok(next) => {
                self.phase = next;
                Ok(())
            }
            Err(error) => {
                self.phase = phase;
                Err(error)
            }
        }
    }

    fn follow(
        &mut self,
        phase: Phase,
        happened: Happened,
        now: &Moment,
        limits: &Limits,
    ) -> Result<Phase, OutOfOrder> {
        use Happened as H;
        use Phase as P;
        Ok(match (phase, happened) {
            (phase, H::Observed { running }) => self.observed(phase, running, now, limits),
            (phase, H::Acknowledged { number }) => {
                self.outbox.retain(|report| report.number != number);
                phase
            }
            (phase, H::Rejected { action, code, detail }) => {
                self.report(action, Execution::Rejected, Some(code), &detail, None, now);
                phase
            }
            (phase, H::HeldUp { action, code, detail }) => {
                self.report(Some(action), Execution::HeldUp, Some(code), &detail, None, now);
                phase
            }
            (phase, H::CancelAsked { action }) => self.cancel(phase, action, now),
            (P::Downloading { plan, slot, again, until, .. }, H::Progress { received }) => {
                P::Downloading { plan, slot, received, again, until }
            }
            (P::Downloading { plan, slot, .. }, H::Fetched) => P::Checking { plan, slot },
            (P::Downloading { plan, slot, again, until, .. }, H::DeltaRefused) => {
                let plan = Plan { delta: None, ..plan };
                P::Downloading { plan, slot, received: 0, again, until }
            }
            // What was kept from before a crash may not be what was written: once more, in full.
            (P::Downloading { plan, slot, again: false, until, .. }, H::WrongBytes { .. }) => {
                P::Downloading { plan, slot, received: 0, again: true, until }
            }
            (P::Downloading { plan, slot, .. }, H::WrongBytes { detail }) => {
                self.failed(plan, slot, "wrong-software".to_owned(), &detail, now)
            }
            (P::Checking { plan, slot }, H::Intact) => {
                *self.image_mut(slot) = Some(plan.image.clone());
                self.progress(&plan, Execution::Downloaded, slot.other(), now);
                P::Activating { plan, slot, boot_id: now.boot_id.clone() }
            }
            (P::Checking { plan, slot }, H::WrongBytes { detail }) => {
                self.failed(plan, slot, "read-back".to_owned(), &detail, now)
            }
            (P::Activating { plan, slot, boot_id }, H::Activated) => {
                self.progress(&plan, Execution::Activated, slot.other(), now);
                let until_s = now.uptime_s.saturating_add(limits.boot_within_s);
                P::Booting { plan, slot, boot_id, until_s }
            }
            (
                P::Trying { plan, slot, boot_id, until_s, boots, healthy: false, .. },
                H::Unhealthy { detail },
            ) => {
                let complaint = Some(cut(&detail));
                P::Trying { plan, slot, boot_id, until_s, boots, healthy: false, complaint }
            }
            (P::Trying { plan, slot, boot_id, until_s, boots, .. }, H::Healthy) => {
                if plan.confirm_by_hand {
                    let complaint = None;
                    P::Trying { plan, slot, boot_id, until_s, boots, healthy: true, complaint }
                } else {
                    P::Confirming { plan, slot }
                }
            }
            (P::Trying { plan, slot, healthy: true, .. }, H::ConfirmedByHand) => {
                P::Confirming { plan, slot }
            }
            (P::Trying { .. }, H::ConfirmedByHand) => {
                return Err(OutOfOrder("the new image was not found healthy yet; wait and repeat"));
            }
            (_, H::ConfirmedByHand) => return Err(OutOfOrder("no new image waits for a yes")),
            (P::Trying { plan, slot, .. }, H::RefusedByHand) => {
                let detail = "somebody at the device said no".to_owned();
                P::Returning { plan, slot, code: "refused-by-hand".to_owned(), detail, told: false }
            }
            (_, H::RefusedByHand) => {
                return Err(OutOfOrder(
                    "no new image is on trial: what was confirmed stays until another update",
                ));
            }
            (P::Confirming { plan, slot }, H::Confirmed) => self.succeeded(&plan, slot, now),
            (P::Returning { plan, slot, code, detail, .. }, H::ToldToReturn) => {
                P::Returning { plan, slot, code, detail, told: true }
            }
            (
                P::Downloading { plan, slot, .. } | P::Checking { plan, slot },
                H::GaveUp { code, detail },
            ) => self.failed(plan, slot, code, &detail, now),
            // The boot loader may have been told half: it is told to stay.
            (
                P::Activating { plan, slot, .. } | P::Booting { plan, slot, .. },
                H::GaveUp { code, detail },
            ) => P::Returning { plan, slot, code, detail: cut(&detail), told: false },
            (
                P::Trying { plan, slot, .. } | P::Confirming { plan, slot },
                H::GaveUp { code, detail },
            ) => P::Returning { plan, slot, code, detail: cut(&detail), told: false },
            _ => return Err(OutOfOrder("this does not belong to the phase of the update")),
        })
    }

    /// Begins an accepted update, into the slot that does not run.
    ///
    /// # Errors
    /// [`OutOfOrder`] while another one is under way.
    pub fn begin(
        &mut self,
        plan: Plan,
        running: Slot,
        now: &Moment,
        limits: &Limits,
    ) -> Result<(), OutOfOrder> {
        if self.phase != Phase::Idle {
            return Err(OutOfOrder("another update is under way"));
        }
        let slot = running.other();
        // From here on nobody may rely on what was there.
        *self.image_mut(slot) = None;
        self.progress(&plan, Execution::Downloading, running, now);
        let seconds = i64::try_from(limits.download_within_s).unwrap_or(i64::MAX);
        let until = now.wall.plus(seconds).0;
        self.phase = Phase::Downloading { plan, slot, received: 0, again: false, until };
        Ok(())
    }

    /// The offered image runs already: the action is done without doing anything.
    pub fn already(&mut self, action: Option<String>, running: Slot, now: &Moment) {
        let detail = "it runs already".to_owned();
        self.report(action, Execution::Success, None, &detail, Some(running), now);
    }

    fn observed(&mut self, phase: Phase, running: Slot, now: &Moment, limits: &Limits) -> Phase {
        use Phase as P;
        match phase {
            P::Downloading { plan, slot, .. } | P::Checking { plan, slot } if running == slot => {
                let detail = format!("slot {slot} runs although it was being written");
                self.failed(plan, slot, "slot-in-use".to_owned(), &detail, now)
            }
            P::Downloading { plan, slot, until, .. } if now.wall.0 > until => {
                let detail = "the download was not done in time".to_owned();
                self.failed(plan, slot, "deadline".to_owned(), &detail, now)
            }
            // The boot loader had been told when the machine stopped.
            P::Activating { plan, slot, boot_id } if running == slot => {
                self.first_start(plan, slot, &boot_id, now, limits)
            }
            P::Activating { plan, slot, .. } => {
                P::Activating { plan, slot, boot_id: now.boot_id.clone() }
            }
            P::Booting { plan, slot, boot_id, .. } if running == slot => {
                self.first_start(plan, slot, &boot_id, now, limits)
            }
            P::Booting { plan, slot, boot_id, until_s } if boot_id == now.boot_id => {
                if now.uptime_s <= until_s {
                    return P::Booting { plan, slot, boot_id, until_s };
                }
                let detail = "the machine was not started again in time".to_owned();
                let code = "not-restarted".to_owned();
                P::Returning { plan, slot, code, detail, told: false }
            }
            P::Booting { plan, slot, .. } => self.fell_back(plan, slot),
            P::Trying { plan, slot, .. } | P::Confirming { plan, slot } if running != slot => {
                self.fell_back(plan, slot)
            }
            P::Trying { plan, slot, boot_id, until_s, boots, healthy, complaint } => {
                if boot_id != now.boot_id {
                    let boots = boots.saturating_add(1);
                    if boots > limits.boots_max {
                        let detail = format!("it was started {boots} times and never confirmed");
                        let code = "boot-loop".to_owned();
                        return P::Returning { plan, slot, code, detail, told: false };
                    }
                    return self.trial(plan, slot, boots, now, limits);
                }
                if now.uptime_s <= until_s {
                    return P::Trying { plan, slot, boot_id, until_s, boots, healthy, complaint };
                }
                let detail = match (healthy, complaint) {
                    (true, _) => "nobody confirmed it in time".to_owned(),
                    (false, Some(complaint)) => complaint,
                    (false, None) => "it was not found healthy in time".to_owned(),
                };
                let code = if healthy { "not-confirmed" } else { "unhealthy" }.to_owned();
                P::Returning { plan, slot, code, detail, told: false }
            }
            P::Returning { plan, slot, code, detail, told: true } if running != slot => {
                self.left = Some(plan.image.sha256.clone());
                self.failed(plan, slot, code, &detail, now)
            }
            other => other,
        }
    }

    fn first_start(
        &mut self,
        plan: Plan,
        slot: Slot,
        before: &str,
        now: &Moment,
        limits: &Limits,
    ) -> Phase {
        if before == now.boot_id {
            // It runs without a start of the machine: whatever runs is not what was activated.
            let detail = format!("slot {slot} runs, and the machine was not started again");
            let code = "slot-in-use".to_owned();
            return Phase::Returning { plan, slot, code, detail, told: false };
        }
        self.progress(&plan, Execution::Trying, slot, now);
        self.trial(plan, slot, 1, now, limits)
    }

    fn trial(&self, plan: Plan, slot: Slot, boots: u8, now: &Moment, limits: &Limits) -> Phase {
        let until_s = now.uptime_s.saturating_add(limits.confirm_within_s);
        let boot_id = now.boot_id.clone();
        Phase::Trying { plan, slot, boot_id, until_s, boots, healthy: false, complaint: None }
    }

    /// The old image runs again. The boot loader is told all the same, in case it would try again.
    fn fell_back(&self, plan: Plan, slot: Slot) -> Phase {
        let detail = "the new image did not come up, and the boot loader went back".to_owned();
        Phase::Returning { plan, slot, code: "boot-failed".to_owned(), detail, told: false }
    }

    fn cancel(&mut self, phase: Phase, action: String, now: &Moment) -> Phase {
        let ours = |plan: &Plan| plan.action.as_ref() == Some(&action);
        let (execution, detail) = match phase {
            Phase::Downloading { plan, slot, .. } | Phase::Checking { plan, slot }
                if ours(&plan) =>
            {
                return self.cancelled(plan, slot, now);
            }
            // The boot loader knows of it: it is told first.
            Phase::Activating { plan, slot, .. } | Phase::Booting { plan, slot, .. }
                if ours(&plan) =>
            {
                let (code, detail) = (CANCELLED.to_owned(), "taken back".to_owned());
                return Phase::Returning { plan, slot, code, detail, told: false };
            }
            Phase::Trying { ref plan, .. } | Phase::Confirming { ref plan, .. } if ours(plan) => {
                (Execution::CancelRejected, "it runs already")
            }
            Phase::Returning { ref plan, .. } if ours(plan) => return phase,
            // Over already: what was said about it stands.
            _ if self.repeat(&action, now) => return phase,
            _ => (Execution::Cancelled, "nothing of it is here"),
        };
        self.report(Some(action), execution, None, detail, None, now);
        phase
    }

    fn cancelled(&mut self, plan: Plan, slot: Slot, now: &Moment) -> Phase {
        *self.image_mut(slot) = None;
        let detail = "taken back before it ran".to_owned();
        let running = Some(slot.other());
        self.report(plan.action, Execution::Cancelled, None, &detail, running, now);
        Phase::Idle
    }

    fn succeeded(&mut self, plan: &Plan, slot: Slot, now: &Moment) -> Phase {
        *self.image_mut(slot) = Some(plan.image.clone());
        self.security_version = self.security_version.max(plan.image.security_version);
        // Led back, it may be led forward again; the security version never goes down.
        self.release_counter = match plan.back {
            true => plan.image.release_counter,
            false => self.release_counter.max(plan.image.release_counter),
        };
        let detail = "started, found healthy and confirmed".to_owned();
        self.report(plan.action.clone(), Execution::Success, None, &detail, Some(slot), now);
        Phase::Idle
    }

    fn failed(
        &mut self,
        plan: Plan,
        slot: Slot,
        code: String,
        detail: &str,
        now: &Moment,
    ) -> Phase {
        if code == CANCELLED {
            return self.cancelled(plan, slot, now);
        }
        *self.image_mut(slot) = None;
        let running = Some(slot.other());
        self.report(plan.action, Execution::Failure, Some(code), detail, running, now);
        Phase::Idle
    }
}
