//! Whom devices of a product line connect to, apart from the place where one of them stands.

use super::{Connection, Direction, FlowError, Peer};
use core::{fmt, net::IpAddr, str::FromStr};

/// How [`Door`] writes that somebody in the device's own networks is meant.
const LOCAL: &str = "local";
/// Endings of names that mean something in a local network alone (RFC 6762, RFC 8375, and in use).
const LOCAL_ENDINGS: &[&str] =
    &[".local", ".home.arpa", ".internal", ".lan", ".localdomain", ".home"];

/// With whom a device may open connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DoorPeer {
    /// who has this name in the DNS, in small letters
    Name(String),
    /// who has this address
    Address(IpAddr),
    /// anybody in the device's local networks
    LocalNetworks,
}

/// Whom a device may open connections to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Door {
    /// whom
    pub peer: DoorPeer,
    /// number of the protocol: 6 TCP, 17 UDP
    pub protocol: u8,
    /// the peer's port
    pub port: u16,
}

impl Door {
    /// Somebody with a name.
    pub fn named(name: impl Into<String>, protocol: u8, port: u16) -> Self {
        Self { peer: DoorPeer::Name(name.into()), protocol, port }
    }

    /// The door that a connection went to. `None` where somebody else opened it, since whoever reaches a device
    /// can do that, and where its peer is nobody: loopback, multicast and the like.
    pub fn of(connection: &Connection) -> Option<Self> {
        let Connection { opened_by: Direction::FromDevice, peer, protocol, port } = connection
        else {
            return None;
        };
        let peer = match peer {
            Peer::Name(name) => match is_local_name(name) {
                true if name == "localhost" => return None,
                true => DoorPeer::LocalNetworks,
                false => DoorPeer::Name(name.trim_end_matches('.').to_ascii_lowercase()),
            },
            Peer::Address(address) => {
                let address = address.to_canonical();
                if is_nobody(address) {
                    return None;
                }
                match is_local(address) {
                    true => DoorPeer::LocalNetworks,
                    false => DoorPeer::Address(address),
                }
            }
        };
        Some(Self { peer, protocol: *protocol, port: *port })
    }

    /// Whether every description allows it anyhow: name resolution and time by the owner's own servers.
    pub fn is_owners_service(&self) -> bool {
        self.peer == DoorPeer::LocalNetworks && self.protocol == 17 && matches!(self.port, 53 | 123)
    }
}

/// A name without a dot, or with an ending that means something in a local network alone, is no name that
/// another network knows.
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.') || LOCAL_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn is_nobody(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            it.is_unspecified() || it.is_loopback() || it.is_multicast() || it.is_broadcast()
        }
        IpAddr::V6(it) => it.is_unspecified() || it.is_loopback() || it.is_multicast(),
    }
}

/// RFC 1918, RFC 3927, RFC 6598; RFC 4193, RFC 4291 section 2.5.6.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            let [first, second, ..] = it.octets();
            it.is_private() || it.is_link_local() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(it) => it.is_unique_local() || it.is_unicast_link_local(),
    }
}

/// As it is kept: `gate.example:8883/tcp`, `192.0.2.1:443/tcp`, `local:1883/tcp`.
impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            DoorPeer::Name(name) => f.write_str(name)?,
            DoorPeer::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            DoorPeer::Address(address) => write!(f, "{address}")?,
            DoorPeer::LocalNetworks => f.write_str(LOCAL)?,
        }
        let protocol = if self.protocol == 17 { "udp" } else { "tcp" };
        write!(f, ":{}/{protocol}", self.port)
    }
}

/// As it was written.
impl FromStr for Door {
    type Err = FlowError;

    fn from_str(text: &str) -> Result<Self, FlowError> {
        let read = Connection::parse(Direction::FromDevice, text)?;
        // A name without a dot is local: this one as well.
        Self::of(&read).ok_or(FlowError::Connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn door(text: &str) -> Option<String> {
        let read = Connection::parse(Direction::FromDevice, text).unwrap();
        Door::of(&read).map(|it| it.to_string())
    }

    #[test]
    fn a_door_is_apart_from_the_place_where_a_device_stands() {
        for (seen, kept) in [
            ("Gate.Example.:8883", Some("gate.example:8883/tcp")),
            ("192.0.2.1:443", Some("192.0.2.1:443/tcp")),
            ("[2001:db8::1]:5684/udp", Some("[2001:db8::1]:5684/udp")),
            ("192.168.1.10:1883", Some("local:1883/tcp")),
            ("10.0.0.5:1883", Some("local:1883/tcp")),
            ("100.64.0.1:80", Some("local:80/tcp")),
            ("100.128.0.1:80", Some("100.128.0.1:80/tcp")),
            ("[fd00::1]:80", Some("local:80/tcp")),
            ("[fe80::1]:80", Some("local:80/tcp")),
            ("[::ffff:10.0.0.1]:80", Some("local:80/tcp")),
            ("printer:631", Some("local:631/tcp")),
            ("printer.local:631", Some("local:631/tcp")),
            ("local:631", Some("local:631/tcp")),
            ("localhost:80", None),
            ("127.0.0.1:80", None),
            ("0.0.0.0:80", None),
            ("224.0.0.251:5353/udp", None),
            ("255.255.255.255:67/udp", None),
            ("[::1]:80", None),
            ("[ff02::fb]:5353/udp", None),
        ] {
            assert_eq!(door(seen).as_deref(), kept, "{seen}");
        }
        let from = Connection::parse(Direction::ToDevice, "evil.example:23").unwrap();
        assert_eq!(Door::of(&from), None);
    }

    proptest! {
        #[test]
        fn a_door_is_kept_and_read_again(text in "[a-zA-Z0-9.:\\[\\]/_-]{0,60}") {
            if let Ok(read) = Connection::parse(Direction::FromDevice, &text)
                && let Some(door) = Door::of(&read)
            {
                prop_assert_eq!(door.to_string().parse(), Ok(door));
            }
        }
    }
}
