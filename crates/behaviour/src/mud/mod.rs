//! Manufacturers' usage descriptions (RFC 8520): which connections a maker says that its devices need.
//! JSON by RFC 7951, the modules `ietf-mud`, `ietf-access-control-list` (RFC 8519) and `ietf-acldns`.
//!
//! What is not understood is refused, not skipped: an entry without one of its conditions would allow
//! more than the maker said. Not understood are extensions, `eth`, `icmp`, and fields of IP and TCP beside
//! addresses, names, protocol, ports and direction.

mod check;
mod door;
mod flow;
mod learned;
mod parse;
mod suggest;
mod words;

pub use check::{Answer, Connection, Direction, Peer};
pub use door::{Door, DoorPeer};
pub use flow::{FLOW_LINE_BYTES_MAX, FLOWS_BYTES_MAX, FLOWS_MAX, Flow, FlowError, flows};
pub use learned::{DAYS_NEEDED, DEVICES_NEEDED, DOORS_MAX, Needed, SeenDoor, Taken, learned};
pub use parse::{ACES_MAX, ACLS_MAX, ENTRIES_MAX, MUD_BYTES_MAX, MudError};
pub use suggest::{Suggested, SuggestedDoor, suggest};

use alert::Prefix;
use parse::plain;

/// A description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mud {
    /// where it is to be found (section 3.2)
    pub url: String,
    /// when it was changed, as it says (section 3.6)
    pub last_update: String,
    /// for how many hours it may be kept (section 3.5)
    pub cache_validity_h: u8,
    /// whether the maker still supports the device (section 3.7)
    pub is_supported: bool,
    /// what the device is (section 3.8)
    pub systeminfo: Option<String>,
    /// who made it (section 3.9)
    pub mfg_name: Option<String>,
    /// its model (section 3.10)
    pub model_name: Option<String>,
    /// where its signature is to be found (section 3.4)
    pub signature: Option<String>,
    /// what the device may open or answer: `from-device-policy`
    pub from_device: Vec<Ace>,
    /// what may come to it: `to-device-policy`
    pub to_device: Vec<Ace>,
}

/// An entry of an access list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ace {
    /// its name
    pub name: String,
    /// whether what matches may pass
    pub accept: bool,
    /// whom it speaks of
    pub peer: PeerMatch,
    /// whether it is about IPv6
    pub ipv6: bool,
    /// number of the protocol above IP: 6 TCP, 17 UDP
    pub protocol: Option<u8>,
    /// the peer's ports
    pub peer_port: Option<Ports>,
    /// the device's ports
    pub own_port: Option<Ports>,
    /// whether the device opens it, or the peer; TCP alone (section 8, `direction-initiated`)
    pub opened_by: Option<Direction>,
}

/// With whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMatch {
    /// anybody
    Any,
    /// who has this name in the DNS
    Name(String),
    /// addresses
    Network(Prefix),
    /// local networks
    LocalNetworks,
    /// a class of controllers that the owner fills in, by a URI
    Controller(String),
    /// controllers of this device that the owner fills in
    MyController,
    /// devices of a maker, by the authority of their MUD URL
    Manufacturer(String),
    /// devices of the same maker
    SameManufacturer,
    /// devices of a model, by their MUD URL
    Model(String),
}

/// Ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// from and to, both among them
    Range(u16, u16),
    /// all but one
    Not(u16),
}

impl Ports {
    /// Whether one is among them.
    pub fn contains(self, port: u16) -> bool {
        match self {
            Self::Range(from, to) => (from..=to).contains(&port),
            Self::Not(other) => port != other,
        }
    }
}

#[cfg(test)]
mod tests;
