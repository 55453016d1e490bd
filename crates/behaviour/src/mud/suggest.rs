use serde_json::json;

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
    /// whom the device connects to: name, protocol (6 TCP, 17 UDP), port
    pub doors: Vec<(String, u8, u16)>,
}

/// A description that allows what is named, and name resolution and time by the owner's own servers.
pub fn suggest(of: &Suggested) -> String {
    let list = |ipv6: bool, from_device: bool| {
        let family = if ipv6 { "ipv6" } else { "ipv4" };
        let direction = if from_device { "fr" } else { "to" };
        let (name, port) = match from_device {
            true => ("ietf-acldns:dst-dnsname", "destination-port"),
            false => ("ietf-acldns:src-dnsname", "source-port"),
        };
        let aces: Vec<_> = of
            .doors
            .iter()
            .enumerate()
            .map(|(number, (peer, protocol, at))| {
                let mut above = json!({port: {"operator": "eq", "port": at}});
                if *protocol == 6
                    && let Some(above) = above.as_object_mut()
                {
                    above.insert("ietf-mud:direction-initiated".into(), json!("from-device"));
                }
                let layer = if *protocol == 6 { "tcp" } else { "udp" };
                json!({
                    "name": format!("cl{number}-{direction}dev"),
                    "matches": {family: {"protocol": protocol, name: peer}, layer: above},
                    "actions": {"forwarding": "accept"},
                })
            })
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
