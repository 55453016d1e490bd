//! The life cycle as a state machine (LC-1): which event may follow which, and who may report it.
//!
//! A [`State`] is what a device's history adds up to. It changes only through [`State::start`] and
//! [`State::apply`]; the same code runs when the platform records an event and when anyone replays
//! a passport file.

mod apply;
mod encoding;
mod refusal;
mod rules;

pub use apply::{CLOCK_TOLERANCE_SECONDS, Context, EndedAccess, ON_BEHALF};
pub use refusal::{IllegalMove, IllegalMoveCode};
pub use rules::{Party, Roles, Rule, rule};

use crate::{
    DeviceId, DeviceKind, OrganisationId, ProductId, RootOfTrust,
    event::{Build, Cause, Credential, NamedRelease, Part},
    language::{Text, text},
    named::named,
};
use crypto::{Sha256, UnixTime};
use ledger::Commitment;

/// Most parts of one device; those of its modules and boards are theirs.
pub const PARTS_MAX: usize = 512;
/// Most credentials valid at a time.
pub const CREDENTIALS_MAX: usize = 64;
/// Most alarms of a kind that are remembered.
pub const ALARMS_MAX: usize = 64;

named! {
    /// Where in its life a device is.
    pub enum Phase: "phase" {
        /// made as a prototype, still with its maker
        Prototype = 1 "prototype",
        /// made as a product, still with its maker
        MassProduction = 2 "mass-production",
        /// on its way to an owner, or waiting to be onboarded by a new one
        Distribution = 3 "distribution",
        /// a part inside a host, whose life it shares
        Installed = 4 "installed",
        /// in its owner's domain, not yet working
        Onboarded = 5 "onboarded",
        /// working
        Operation = 6 "operation",
        /// being repaired
        Repair = 7 "repair",
        /// out of use for good
        Retired = 8 "retired",
        /// destroyed
        Disposed = 9 "disposed",
    }
}

impl Phase {
    /// The phase for people.
    pub fn text(self) -> Text {
        match self {
            Self::Prototype => text("試作", "prototype"),
            Self::MassProduction => text("量産", "mass production"),
            Self::Distribution => text("流通", "distribution"),
            Self::Installed => text("組込み済み", "installed in a host"),
            Self::Onboarded => text("導入済み", "onboarded"),
            Self::Operation => text("運用中", "operation"),
            Self::Repair => text("修理中", "repair"),
            Self::Retired => text("使用終了", "retired"),
            Self::Disposed => text("廃棄済み", "disposed"),
        }
    }
}

named! {
    /// Standing without its details.
    pub enum StandingKind: "standing" {
        /// nothing is held against it
        Good = 1 "good",
        /// not to be trusted for the time being
        Suspended = 2 "suspended",
        /// not to be trusted any more
        Revoked = 3 "revoked",
    }
}

impl StandingKind {
    /// The standing for people.
    pub fn text(self) -> Text {
        match self {
            Self::Good => text("良好", "good"),
            Self::Suspended => text("一時停止中", "suspended"),
            Self::Revoked => text("失効", "revoked"),
        }
    }
}

/// Whether the device may be trusted as far as its history goes; independent of the phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// nothing is held against it
    Good,
    /// not to be trusted for the time being
    Suspended {
        /// why
        cause: Cause,
        /// by whom
        by: OrganisationId,
        /// event that says so
        sequence: u64,
    },
    /// not to be trusted any more
    Revoked {
        /// why
        cause: Cause,
        /// by whom
        by: OrganisationId,
        /// event that says so
        sequence: u64,
    },
}

impl Standing {
    /// The standing without its details.
    pub fn kind(&self) -> StandingKind {
        match self {
            Self::Good => StandingKind::Good,
            Self::Suspended { .. } => StandingKind::Suspended,
            Self::Revoked { .. } => StandingKind::Revoked,
        }
    }
}

/// A repair that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// who repairs
    pub repairer: OrganisationId,
    /// phase to return to: distribution, onboarded or operation
    pub resume: Phase,
}

/// Alarms that the history holds.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Alarms {
    /// keys whose counters forked: two holders of one key; with the event that says so
    pub copied_keys: Vec<(Sha256, u64)>,
    /// parts claimed by another device too: part, the other device, event
    pub duplicated_parts: Vec<(DeviceId, DeviceId, u64)>,
    /// event of the first reappearance after the end
    pub reappeared: Option<u64>,
}

/// What runs on a device, as its history says (LC-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningSoftware {
    /// the release
    pub release: NamedRelease,
    /// sequence number of the event that says so
    pub since: u64,
    /// when that was
    pub at: UnixTime,
    /// whose update it was
    pub from: OrganisationId,
}

/// What a device's history adds up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    device: DeviceId,
    kind: DeviceKind,
    build: Build,
    product: Option<ProductId>,
    root_of_trust: Option<RootOfTrust>,
    key: Option<Sha256>,
    maker: OrganisationId,
    owner: OrganisationId,
    holder: OrganisationId,
    shipped_to: Option<OrganisationId>,
    pending_transfer: Option<OrganisationId>,
    phase: Phase,
    phase_since: u64,
    repair: Option<Repair>,
    standing: Standing,
    parts: Vec<Part>,
    installed_in: Option<DeviceId>,
    credentials: Vec<Credential>,
    alarms: Alarms,
    sequence: u64,
    head: Commitment,
    last_at: UnixTime,
    software: Option<RunningSoftware>,
    failed_update: Option<u64>,
}

impl State {
    /// The device.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Chip, module, board or device.
    pub fn kind(&self) -> DeviceKind {
        self.kind
    }

    /// Prototype or product.
    pub fn build(&self) -> Build {
        self.build
    }

    /// Product line.
    pub fn product(&self) -> Option<&ProductId> {
        self.product.as_ref()
    }

    /// What keeps its own key, where it has one.
    pub fn root_of_trust(&self) -> Option<RootOfTrust> {
        self.root_of_trust
    }

    /// SHA-256 of the public key it was made with.
    pub fn key(&self) -> Option<Sha256> {
        self.key
    }

    /// Who made it.
    pub fn maker(&self) -> &OrganisationId {
        &self.maker
    }

    /// Who owns it.
    pub fn owner(&self) -> &OrganisationId {
        &self.owner
    }

    /// Who has it in custody.
    pub fn holder(&self) -> &OrganisationId {
        &self.holder
    }

    /// Where it is on its way to.
    pub fn shipped_to(&self) -> Option<&OrganisationId> {
        self.shipped_to.as_ref()
    }

    /// Whom ownership is offered to.
    pub fn pending_transfer(&self) -> Option<&OrganisationId> {
        self.pending_transfer.as_ref()
    }

    /// Where in its life it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Sequence number of the event that began the phase.
    pub fn phase_since(&self) -> u64 {
        self.phase_since
    }

    /// The repair that is going on, exactly in [`Phase::Repair`].
    pub fn repair(&self) -> Option<&Repair> {
        self.repair.as_ref()
    }

    /// Good, suspended or revoked.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Its parts, ascending by id.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Its host, where it is a part; exactly in [`Phase::Installed`].
    pub fn installed_in(&self) -> Option<DeviceId> {
        self.installed_in
    }

    /// Credentials that are neither expired at the last event, revoked nor ended.
    pub fn credentials(&self) -> &[Credential] {
        &self.credentials
    }

    /// Alarms on record.
    pub fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// Sequence number of the last event.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Number of events.
    pub fn events(&self) -> u64 {
        self.sequence.saturating_add(1)
    }

    /// Commitment to the last event; the next event names it.
    pub fn head(&self) -> Commitment {
        self.head
    }

    /// Latest time of an event.
    pub fn last_at(&self) -> UnixTime {
        self.last_at
    }

    /// What runs on it, where an update said so.
    pub fn software(&self) -> Option<&RunningSoftware> {
        self.software.as_ref()
    }

    /// Sequence number of the last update's event, where that update failed or was undone.
    pub fn failed_update(&self) -> Option<u64> {
        self.failed_update
    }

    /// Whether `organisation` has a part in this device's life as it stands: maker, owner, holder,
    /// addressee, offeree or repairer.
    pub fn concerns(&self, organisation: &OrganisationId) -> bool {
        [&self.maker, &self.owner, &self.holder].contains(&organisation)
            || self.shipped_to.as_ref() == Some(organisation)
            || self.pending_transfer.as_ref() == Some(organisation)
            || self.repair.as_ref().is_some_and(|repair| repair.repairer == *organisation)
    }

    /// What must hold of every state; `None` where it does.
    pub(crate) fn impossible(&self) -> Option<&'static str> {
        // INVARIANT: each line is a combination that no history adds up to.
        let ended = matches!(self.phase, Phase::Retired | Phase::Disposed);
        let resumable = [Phase::Distribution, Phase::Onboarded, Phase::Operation];
        if self.repair.is_some() != (self.phase == Phase::Repair) {
            Some("a repair outside the phase of repair, or none in it")
        } else if self.repair.as_ref().is_some_and(|repair| !resumable.contains(&repair.resume)) {
            Some("a repair that resumes a phase that cannot be repaired")
        } else if self.installed_in.is_some() != (self.phase == Phase::Installed) {
            Some("a host outside the phase of being installed, or none in it")
        } else if ended && self.pending_transfer.is_some() {
            Some("a transfer of a device at its end")
        } else if self.phase == Phase::Disposed
            && (!self.credentials.is_empty() || self.shipped_to.is_some())
        {
            Some("a disposed device with credentials or on its way")
        } else if matches!(self.standing, Standing::Revoked { .. }) && !self.credentials.is_empty()
        {
            Some("a revoked device with credentials")
        } else if self.phase == Phase::Operation && self.shipped_to.is_some() {
            Some("a device that operates while on its way")
        } else if self.parts.iter().any(|part| part.device == self.device) {
            Some("a device that is its own part")
        } else if !self.parts.is_sorted_by(|a, b| a.device < b.device) {
            Some("a parts list out of order")
        } else if self.parts.len() > PARTS_MAX || self.credentials.len() > CREDENTIALS_MAX {
            Some("too many parts or credentials")
        } else if self.alarms.reappeared.is_some() && !ended {
            Some("a reappearance before the end")
        } else if self.software.as_ref().is_some_and(|software| software.since > self.sequence)
            || self.failed_update.is_some_and(|sequence| sequence > self.sequence)
        {
            Some("an update after the last event")
        } else if self.phase_since > self.sequence {
            Some("a phase that begins after the last event")
        } else if self.kind == DeviceKind::Chip
            && (self.key.is_none() || self.root_of_trust.is_none())
        {
            Some("a chip without key or root of trust")
        } else {
            None
        }
    }
}
