use super::{Ace, Mud, PeerMatch};
use core::net::IpAddr;

/// Who opens a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// the device
    FromDevice,
    /// somebody else
    ToDevice,
}

/// With whom a device speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// a name in the DNS
    Name(String),
    /// an address
    Address(IpAddr),
}

/// A connection of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// who opens it
    pub opened_by: Direction,
    /// with whom
    pub peer: Peer,
    /// number of the protocol: 6 TCP, 17 UDP
    pub protocol: u8,
    /// the port of whom it is opened to
    pub port: u16,
}

/// What a description says about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// an entry allows it
    Allowed(&'a Ace),
    /// no entry does: what is not allowed is denied (RFC 8520 section 1.6)
    Denied,
    /// whether an entry allows it cannot be told from here: it speaks of names where an address is known,
    /// or of what the owner's network knows
    Unknown(&'a Ace),
}

impl Mud {
    /// What it says about a connection. By which family a name is spoken to is not known: it is
    /// allowed where one of them is, and denied where both are.
    pub fn check(&self, connection: &Connection) -> Answer<'_> {
        if let Peer::Address(address) = connection.peer {
            return self.check_family(connection, !address.to_canonical().is_ipv4());
        }
        match [false, true].map(|ipv6| self.check_family(connection, ipv6)) {
            [Answer::Allowed(ace), _] | [_, Answer::Allowed(ace)] => Answer::Allowed(ace),
            [Answer::Unknown(ace), _] | [_, Answer::Unknown(ace)] => Answer::Unknown(ace),
            [Answer::Denied, Answer::Denied] => Answer::Denied,
        }
    }

    fn check_family(&self, connection: &Connection, ipv6: bool) -> Answer<'_> {
        let entries = match connection.opened_by {
            Direction::FromDevice => &self.from_device,
            Direction::ToDevice => &self.to_device,
        };
        let mut unknown = None;
        for ace in entries.iter().filter(|ace| ace.ipv6 == ipv6) {
            let ports = match connection.opened_by {
                Direction::FromDevice => (ace.peer_port, ace.own_port),
                Direction::ToDevice => (ace.own_port, ace.peer_port),
            };
            let fits = ace.protocol.is_none_or(|it| it == connection.protocol)
                && ports.0.is_none_or(|it| it.contains(connection.port))
                && ace.opened_by.is_none_or(|it| it == connection.opened_by);
            // The port that the other side picked is not known.
            let told = ports.1.is_none();
            let peer = if fits { is_peer(ace, &connection.peer) } else { Some(false) };
            match (peer, told) {
                (Some(false), _) => {}
                (Some(true), true) if unknown.is_none() => {
                    return if ace.accept { Answer::Allowed(ace) } else { Answer::Denied };
                }
                _ => unknown = unknown.or(Some(ace)),
            }
        }
        unknown.map_or(Answer::Denied, Answer::Unknown)
    }
}

/// Whether an entry speaks of a peer; `None` where that cannot be told.
fn is_peer(ace: &Ace, peer: &Peer) -> Option<bool> {
    match (&ace.peer, peer) {
        (PeerMatch::Any, _) => Some(true),
        (PeerMatch::Name(wanted), Peer::Name(name)) => {
            Some(name.trim_end_matches('.').eq_ignore_ascii_case(wanted))
        }
        (PeerMatch::Network(network), Peer::Address(address)) => Some(network.contains(*address)),
        _ => None,
    }
}
