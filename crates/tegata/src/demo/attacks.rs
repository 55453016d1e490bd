//! The cast of attackers: one, or more, for every reason that the verdict tells apart.

use crate::demo::{
    life::Life,
    people::Line,
    plan::{Fate, Plan},
    rows::{Check, Row},
    stage::Stage,
    world::World,
};
use anyhow::Context as _;
use device::{Build, ReasonCode as Code};
use std::sync::Arc;

/// What somebody tries, each with a device of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    /// a certificate by a CA of the counterfeiter's
    UnknownMaker,
    /// the certificate is copied, the key is not
    CopiedCertificate,
    /// the key is copied
    CopiedKey,
    /// the owner's certificate has ended
    Expired,
    /// revoked
    Revoked,
    /// suspended, then released
    Suspended,
    /// presented by somebody who is not the owner
    WrongOwner,
    /// shown with the certificate of a former owner
    FormerOwner,
    /// its chip turns up in another device
    DuplicatedPart,
    /// put to work without being onboarded
    NeverOnboarded,
    /// out of use, and back again
    Reused,
    /// destroyed on record, and back again
    Diverted,
    /// its key is kept in software
    SoftwareOnly,
    /// its clock is wrong
    WrongClock,
    /// an old answer is sent again
    Replayed,
    /// a prototype at work
    Prototype,
    /// contents of its history were erased by due process: no attack, and told apart from one
    Erased,
}

impl Attack {
    pub(super) const ALL: [Self; 17] = [
        Self::UnknownMaker,
        Self::CopiedCertificate,
        Self::CopiedKey,
        Self::Expired,
        Self::Revoked,
        Self::Suspended,
        Self::WrongOwner,
        Self::FormerOwner,
        Self::DuplicatedPart,
        Self::NeverOnboarded,
        Self::Reused,
        Self::Diverted,
        Self::SoftwareOnly,
        Self::WrongClock,
        Self::Replayed,
        Self::Prototype,
        Self::Erased,
    ];

    /// The life of the device until somebody tries something.
    pub(super) fn plan(self) -> Plan {
        let plain = Plan::PLAIN;
        match self {
            Self::Expired => Plan { line: Line::Brief, ..plain },
            Self::FormerOwner => Plan { sold_again: true, ..plain },
            Self::NeverOnboarded => Plan { fate: Fate::Shelved, ..plain },
            Self::Reused => Plan { fate: Fate::Retired, ..plain },
            Self::Diverted => Plan { fate: Fate::Disposed, ..plain },
            Self::SoftwareOnly => Plan { line: Line::Tag, ..plain },
            Self::Prototype => Plan { build: Build::Prototype, ..plain },
            _ => plain,
        }
    }

    /// Tries it; says what was expected and what came.
    pub(super) async fn play(
        self,
        world: Arc<World>,
        mut life: Life,
    ) -> anyhow::Result<(Vec<Row>, Vec<Check>)> {
        let mut stage = Stage::new(&world);
        let life = &mut life;
        match self {
            Self::UnknownMaker => stage.unknown_maker(life).await,
            Self::CopiedCertificate => stage.copied_certificate(life).await,
            Self::CopiedKey => stage.copied_key(life).await,
            Self::Expired => stage.expired(life).await,
            Self::Revoked => stage.revoked(life).await,
            Self::Suspended => stage.suspended(life).await,
            Self::WrongOwner => stage.wrong_owner(life).await,
            Self::FormerOwner => stage.former_owner(life).await,
            Self::DuplicatedPart => stage.duplicated_part(life).await,
            Self::NeverOnboarded => stage.never_onboarded(life).await,
            Self::Reused => stage.back_again(life, Code::RetiredReappeared).await,
            Self::Diverted => stage.back_again(life, Code::DisposedReappeared).await,
            Self::SoftwareOnly => stage.suspect(life, Code::WeakRootOfTrust).await,
            Self::Prototype => stage.suspect(life, Code::Prototype).await,
            Self::WrongClock => stage.wrong_clock(life).await,
            Self::Replayed => stage.replayed(life).await,
            Self::Erased => stage.erased(life).await,
        }
        .with_context(|| format!("{self:?}"))?;
        Ok(stage.outcome())
    }
}
