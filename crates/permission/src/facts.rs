//! What a decision rests on beside the policies.

use admission::{CommandName, Direction};
use device::{DeviceId, OrganisationId, ProductId};

/// A device, as policies know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFacts {
    /// which
    pub device: DeviceId,
    /// who owns it
    pub owner: OrganisationId,
    /// its product line, with its maker
    pub product: Option<(OrganisationId, ProductId)>,
}

/// One of two devices that speak to each other. Of a stranger's, owner or product line may not be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerFacts {
    /// which
    pub device: DeviceId,
    /// who owns it, where that is proven
    pub owner: Option<OrganisationId>,
    /// its product line, with its maker, where that is proven
    pub product: Option<(OrganisationId, ProductId)>,
}

impl From<&DeviceFacts> for PeerFacts {
    fn from(facts: &DeviceFacts) -> Self {
        let DeviceFacts { device, owner, product } = facts.clone();
        Self { device, owner: Some(owner), product }
    }
}

impl PeerFacts {
    /// As a device whose owner is known; `None` where that is not.
    pub fn owned(&self) -> Option<DeviceFacts> {
        let Self { device, owner, product } = self.clone();
        owner.map(|owner| DeviceFacts { device, owner, product })
    }
}

/// A member of the organisation, or one of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// a stable name
    pub name: String,
    /// in which organisation
    pub organisation: OrganisationId,
    /// names of its roles
    pub roles: Vec<String>,
}

/// Who gives a command.
#[derive(Debug, Clone, Copy)]
pub enum Commander<'a> {
    /// a device
    Device(&'a DeviceFacts),
    /// a member or a token
    Member(&'a MemberFacts),
}

/// In whose space a topic or filter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// a device's
    Device(DeviceId),
    /// a filter's that says `+` for the device
    Any,
    /// nobody's: no policy opens it
    Nobody,
}

impl Whose {
    /// Reads it from an absolute topic or filter.
    pub fn of(topic: &str) -> Self {
        let mut levels = topic.splitn(3, '/');
        let (first, second, rest) = (levels.next(), levels.next(), levels.next());
        match (first, second, rest) {
            // What is in the root of a space is nobody's to hear but the device's own.
            (Some("d"), Some("+"), Some(_)) => Self::Any,
            (Some("d"), Some(device), Some(_)) => device.parse().map_or(Self::Nobody, Self::Device),
            _ => Self::Nobody,
        }
    }
}

/// Below a space: the path of a topic of which [`Whose::of`] said something.
pub(crate) fn path_of(topic: &str) -> &str {
    topic.splitn(3, '/').nth(2).unwrap_or_default()
}

/// Whether a device may never publish there, whatever policies say: commands and settings come from
/// the owner's side, with a record, and a device must be able to rely on that.
pub fn is_reserved(path: &str) -> bool {
    let reserved = |branch: &str| {
        let branch = branch.trim_end_matches('/');
        path.strip_prefix(branch).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    reserved(admission::COMMANDS_DOWN) || reserved(admission::CONFIGURATION_DOWN)
}

/// What is asked of a policy set.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// whether a device may do that with a topic or filter in the space of a device; `None`: the
    /// filter says `+`
    Topic {
        /// who
        by: &'a DeviceFacts,
        /// what
        direction: Direction,
        /// the topic or filter, absolute
        topic: &'a str,
        /// in whose space
        space: Option<&'a DeviceFacts>,
    },
    /// whether somebody may give a command to a device
    Command {
        /// who
        by: Commander<'a>,
        /// to which device
        device: &'a DeviceFacts,
        /// which command
        name: &'a CommandName,
    },
    /// whether a device may ask that of another
    Peer {
        /// whose policies are asked: one of the two devices is theirs
        of: &'a OrganisationId,
        /// who asks
        by: &'a PeerFacts,
        /// who is asked
        to: &'a PeerFacts,
        /// for what
        operation: &'a CommandName,
    },
}
