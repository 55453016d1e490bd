//! A description of what is named.

use super::{Door, DoorPeer};
use serde_json::{Map, Value, json};

/// What a suggested description is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggested {
    /// where it is to be found
    pub url: String,
    /// when it is made, RFC 3339
    pub at: String,
    /// what the device is
    pub systeminfo: String,
    /// who made it, and its model
    pub made: (String, String),
    /// whom the device connects to
    pub doors: Vec<SuggestedDoor>,
}

/// Whom the device connects to, and what an entry's name says of why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestedDoor {
    /// whom
    pub door: Door,
    /// a few words for who looks at the file; the name of an entry has 64 bytes at most (RFC 8519 section 4.1)
    pub note: Option<String>,
}

impl From<Door> for SuggestedDoor {
    fn from(door: Door) -> Self {
        Self { door, note: None }
    }
}

/// An entry, where the door is of that address family.
fn entry(number: usize, it: &SuggestedDoor, ipv6: bool, from_device: bool) -> Option<Value> {
    let Door { peer, protocol, port } = &it.door;
    let (family, bits) = if ipv6 { ("ipv6", 128) } else { ("ipv4", 32) };
    let (side, at, way) = match from_device {
        true => ("destination", "dst", "fr"),
        false => ("source", "src", "to"),
    };
    let mut ip = Map::new();
    ip.insert("protocol".into(), json!(protocol));
    let mut matches = Map::new();
    match peer {
        DoorPeer::Name(name) => {
            ip.insert(format!("ietf-acldns:{at}-dnsname"), json!(name));
        }
        DoorPeer::Address(address) if address.is_ipv6() == ipv6 => {
            ip.insert(format!("{side}-{family}-network"), json!(format!("{address}/{bits}")));
        }
        DoorPeer::Address(_) => return None,
        DoorPeer::LocalNetworks => {
            matches.insert("ietf-mud:mud".into(), json!({"local-networks": [null]}));
        }
    }
    let mut above = Map::new();
    above.insert(format!("{side}-port"), json!({"operator": "eq", "port": port}));
    if *protocol == 6 {
        above.insert("ietf-mud:direction-initiated".into(), json!("from-device"));
    }
    matches.insert(family.into(), ip.into());
    matches.insert(if *protocol == 6 { "tcp" } else { "udp" }.into(), above.into());
    let note = it.note.as_ref().map(|note| format!(", {note}")).unwrap_or_default();
    let name: String = format!("cl{number}-{way}dev{note}").chars().take(64).collect();
    Some(json!({"name": name, "matches": matches, "actions": {"forwarding": "accept"}}))
}

/// A description that allows what is named, and name resolution and time by the owner's own servers.
pub fn suggest(of: &Suggested) -> String {
    let list = |ipv6: bool, from_device: bool| {
        let family = if ipv6 { "ipv6" } else { "ipv4" };
        let (direction, port) = match from_device {
            true => ("fr", "destination-port"),
            false => ("to", "source-port"),
        };
        let doors = of.doors.iter().enumerate();
        let aces: Vec<_> = doors
            .filter_map(|(number, it)| entry(number, it, ipv6, from_device))
            .chain([("dns", 53_u16), ("ntp", 123)].map(|(service, at)| {
                json!({
                    "name": format!("{service}-{direction}dev"),
                    "matches": {
                        "ietf-mud:mud": {"controller": format!("urn:ietf:params:mud:{service}")},
                        family: {"protocol": 17},
                        "udp": {port: {"operator": "eq", "port": at}},
                    },
                    "actions": {"forwarding": "accept"},
                })
            }))
            .collect();
        json!({
            "name": format!("mud-{family}-{direction}"),
            "type": format!("{family}-acl-type"),
            "aces": {"ace": aces},
        })
    };
    let policy = |direction: &str| {
        let names =
            ["ipv4", "ipv6"].map(|family| json!({"name": format!("mud-{family}-{direction}")}));
        json!({"access-lists": {"access-list": names}})
    };
    let file = json!({
        "ietf-mud:mud": {
            "mud-version": 1,
            "mud-url": of.url,
            "last-update": of.at,
            "cache-validity": 48,
            "is-supported": true,
            "systeminfo": of.systeminfo,
            "mfg-name": of.made.0,
            "model-name": of.made.1,
            "from-device-policy": policy("fr"),
            "to-device-policy": policy("to"),
        },
        "ietf-access-control-list:acls": {
            "acl": [list(false, true), list(false, false), list(true, true), list(true, false)],
        },
    });
    serde_json::to_string_pretty(&file).unwrap_or_default()
}
