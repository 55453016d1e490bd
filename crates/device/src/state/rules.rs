//! Which event is legal in which phase and standing, and who may report it. docs/event.md shows the
//! same table; a test compares the two.

use super::{Phase, StandingKind};
use crate::{
    event::Kind,
    language::{Text, text},
    named::named,
};

/// What the registry (or the passport's signed statement) knows about an organisation. Being
/// maker, owner or holder of a device follows from its history and is not a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Roles(u8);

impl Roles {
    /// No role: distributors, integrators, operators.
    pub const NONE: Self = Self(0);
    /// May begin histories: chip and device makers.
    pub const MAKER: Self = Self(1);
    /// May dispose of devices that it holds.
    pub const RECYCLER: Self = Self(2);
    /// May suspend, revoke, retire: market surveillance, police, a court's officer.
    pub const AUTHORITY: Self = Self(4);
    /// The platform itself: reports alarms, erasures, and what it does on others' behalf.
    pub const PLATFORM: Self = Self(8);

    /// These roles and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of these roles that are among `roles`.
    #[must_use]
    pub fn only(self, roles: Self) -> Self {
        Self(self.0 & roles.0)
    }

    /// Those of these roles that are not among `roles`.
    #[must_use]
    pub fn without(self, roles: Self) -> Self {
        Self(self.0 & !roles.0)
    }

    /// Whether all of `roles` are among these.
    pub fn has(self, roles: Self) -> bool {
        self.0 & roles.0 == roles.0
    }

    /// As CBOR and the store carry them: the sum of maker 1, recycler 2, authority 4, platform 8.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Reads [`Self::bits`].
    pub fn from_bits(bits: u64) -> Option<Self> {
        u8::try_from(bits).ok().filter(|bits| *bits < 16).map(Self)
    }
}

named! {
    /// In what capacity an organisation may report an event.
    pub enum Party: "party" {
        /// made the device
        Maker = 1 "maker",
        /// owns it
        Owner = 2 "owner",
        /// has it in custody
        Holder = 3 "holder",
        /// it was shipped to them
        Addressee = 4 "addressee",
        /// ownership was offered to them
        Offeree = 5 "offeree",
        /// named when the repair began
        Repairer = 6 "repairer",
        /// has it in custody and the role of recycler
        Recycler = 7 "recycler",
        /// suspended it
        Suspender = 8 "suspender",
        /// has the role of authority
        Authority = 9 "authority",
        /// has the role of platform
        Platform = 10 "platform",
    }
}

impl Party {
    /// The party for people.
    pub fn text(self) -> Text {
        match self {
            Self::Maker => text("製造者", "the maker"),
            Self::Owner => text("所有者", "the owner"),
            Self::Holder => text("保管者", "the holder"),
            Self::Addressee => text("出荷先", "the addressee of the shipment"),
            Self::Offeree => text("移転の申し出先", "whom ownership was offered to"),
            Self::Repairer => text("修理者", "the repairer"),
            Self::Recycler => {
                text("機器を保管するリサイクル事業者", "a recycler who holds the device")
            }
            Self::Suspender => text("一時停止を行った組織", "whoever suspended it"),
            Self::Authority => text("当局", "an authority"),
            Self::Platform => text("プラットフォーム", "the platform"),
        }
    }
}

/// When an event is legal and who may report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// phases in which it is legal; empty for events that begin a history
    pub phases: &'static [Phase],
    /// standings in which it is legal
    pub standings: &'static [StandingKind],
    /// who may report it
    pub parties: &'static [Party],
}

/// The rule of a kind of event.
pub fn rule(kind: Kind) -> Rule {
    use Party as By;
    use Phase as P;
    const IN_MAKING: &[Phase] = &[P::Prototype, P::MassProduction, P::Repair];
    const LIVE: &[Phase] = &[
        P::Prototype,
        P::MassProduction,
        P::Distribution,
        P::Installed,
        P::Onboarded,
        P::Operation,
        P::Repair,
    ];
    const BEFORE_END: &[Phase] = &[
        P::Prototype,
        P::MassProduction,
        P::Distribution,
        P::Installed,
        P::Onboarded,
        P::Operation,
        P::Repair,
        P::Retired,
    ];
    const MOVABLE: &[Phase] =
        &[P::Prototype, P::MassProduction, P::Distribution, P::Onboarded, P::Repair, P::Retired];
    const SALEABLE: &[Phase] =
        &[P::Prototype, P::MassProduction, P::Distribution, P::Onboarded, P::Operation];
    const GOOD: &[StandingKind] = &[StandingKind::Good];
    const NOT_REVOKED: &[StandingKind] = &[StandingKind::Good, StandingKind::Suspended];
    const ANY: &[StandingKind] = StandingKind::ALL;
    const RULERS: &[Party] = &[By::Maker, By::Owner, By::Authority, By::Platform];

    let (phases, standings, parties): (&[Phase], _, &[Party]) = match kind {
        Kind::ChipMade | Kind::Assembled => (&[], GOOD, &[By::Maker]),
        Kind::PartInstalled => (IN_MAKING, GOOD, &[By::Holder, By::Repairer]),
        Kind::PartRemoved => (
            &[P::Prototype, P::MassProduction, P::Repair, P::Retired],
            ANY,
            &[By::Holder, By::Repairer],
        ),
        Kind::InstalledInto => (
            &[P::Prototype, P::MassProduction, P::Distribution],
            GOOD,
            &[By::Holder, By::Owner, By::Platform],
        ),
        Kind::RemovedFrom => (&[P::Installed], ANY, &[By::Holder, By::Platform]),
        Kind::CredentialIssued => (LIVE, GOOD, &[By::Maker, By::Owner, By::Platform]),
        Kind::CredentialRevoked => (BEFORE_END, ANY, RULERS),
        Kind::Tested => {
            (LIVE, ANY, &[By::Maker, By::Owner, By::Holder, By::Repairer, By::Authority])
        }
        Kind::Shipped => (MOVABLE, ANY, &[By::Owner, By::Holder]),
        Kind::Received => (MOVABLE, ANY, &[By::Addressee]),
        Kind::Onboarded => {
            (&[P::Prototype, P::MassProduction, P::Distribution], GOOD, &[By::Owner])
        }
        Kind::OperationStarted => (&[P::Onboarded], GOOD, &[By::Owner]),
        Kind::TransferOffered => (SALEABLE, GOOD, &[By::Owner]),
        Kind::TransferAccepted => (SALEABLE, GOOD, &[By::Offeree]),
        Kind::TransferCancelled => {
            (LIVE, ANY, &[By::Owner, By::Offeree, By::Authority, By::Platform])
        }
        Kind::RepairStarted => {
            (&[P::Distribution, P::Onboarded, P::Operation], NOT_REVOKED, &[By::Owner, By::Holder])
        }
        Kind::PartExchanged => (&[P::Repair], NOT_REVOKED, &[By::Holder, By::Repairer]),
        Kind::RepairFinished => (&[P::Repair], NOT_REVOKED, &[By::Owner, By::Holder, By::Repairer]),
        Kind::Suspended => (LIVE, NOT_REVOKED, RULERS),
        Kind::Released => {
            (LIVE, &[StandingKind::Suspended], &[By::Suspender, By::Authority, By::Platform])
        }
        Kind::Revoked => (BEFORE_END, NOT_REVOKED, RULERS),
        Kind::Retired => (LIVE, ANY, &[By::Owner, By::Authority]),
        Kind::Disposed => (&[P::Retired], ANY, &[By::Owner, By::Recycler]),
        Kind::Reappeared => (&[P::Retired, P::Disposed], ANY, &[By::Platform]),
        Kind::Updated => (LIVE, ANY, &[By::Maker, By::Owner]),
        Kind::ProofRefused | Kind::PartSeenElsewhere | Kind::Erased => {
            (Phase::ALL, ANY, &[By::Platform])
        }
    };
    Rule { phases, standings, parties }
}
