use super::{Ace, Direction, Mud, PeerMatch, Ports};
use alert::Prefix;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::HashSet;

/// Longest file, in bytes.
pub const MUD_BYTES_MAX: usize = 256 * 1024;
/// Access lists of a file, and entries of one list, at most.
pub const ACLS_MAX: usize = 32;
/// Entries of one list, at most.
pub const ACES_MAX: usize = 256;
/// Entries of both policies together, at most: each is looked at for each connection.
pub const ENTRIES_MAX: usize = 4_096;
/// Longest text that people read, and longest name or URL, in bytes.
const TEXT_MAX: usize = 1024;
const NAME_MAX: usize = 253;

/// Why something is no usage description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MudError {
    /// longer than is read
    #[error("a MUD file has 262,144 bytes at most; this one has {0}")]
    TooLong(usize),
    /// no JSON of the right form, or something that is not understood
    #[error("no MUD file that is understood: {0}")]
    Form(String),
    /// against what RFC 8520 or RFC 8519 says
    #[error("{at}: {why}")]
    Wrong {
        /// where
        at: String,
        /// what is wrong
        why: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(rename = "ietf-mud:mud")]
    mud: RawMud,
    #[serde(
        rename = "ietf-access-control-list:acls",
        alias = "ietf-access-control-list:access-lists"
    )]
    acls: RawAcls,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawMud {
    mud_version: u8,
    mud_url: String,
    last_update: String,
    #[serde(default)]
    mud_signature: Option<String>,
    #[serde(default)]
    cache_validity: Option<u8>,
    is_supported: bool,
    #[serde(default)]
    systeminfo: Option<String>,
    #[serde(default)]
    mfg_name: Option<String>,
    #[serde(default)]
    model_name: Option<String>,
    #[serde(default, rename = "firmware-rev")]
    _firmware_rev: Option<String>,
    #[serde(default, rename = "software-rev")]
    _software_rev: Option<String>,
    #[serde(default, rename = "documentation")]
    _documentation: Option<String>,
    #[serde(default)]
    extensions: Vec<String>,
    #[serde(default)]
    from_device_policy: RawPolicy,
    #[serde(default)]
    to_device_policy: RawPolicy,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPolicy {
    access_lists: RawNames,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawNames {
    #[serde(default)]
    access_list: Vec<RawName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawName {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAcls {
    #[serde(default)]
    acl: Vec<RawAcl>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAcl {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    aces: RawAces,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawAces {
    #[serde(default)]
    ace: Vec<RawAce>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAce {
    name: String,
    #[serde(default)]
    matches: RawMatches,
    actions: RawActions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawActions {
    forwarding: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawMatches {
    #[serde(rename = "ietf-mud:mud", default)]
    mud: Option<RawPeer>,
    #[serde(default)]
    ipv4: Option<RawIp>,
    #[serde(default)]
    ipv6: Option<RawIp>,
    #[serde(default)]
    tcp: Option<RawTcp>,
    #[serde(default)]
    udp: Option<RawUdp>,
}

/// The type `empty` of YANG: `[null]` (RFC 7951 section 6.9).
struct Empty;

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value: Vec<()> = Vec::deserialize(from)?;
        if value.len() == 1 { Ok(Self) } else { Err(D::Error::custom("expected [null]")) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPeer {
    #[serde(default)]
    manufacturer: Option<String>,
    #[serde(default)]
    same_manufacturer: Option<Empty>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    local_networks: Option<Empty>,
    #[serde(default)]
    controller: Option<String>,
    #[serde(default)]
    my_controller: Option<Empty>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawIp {
    #[serde(default)]
    protocol: Option<u8>,
    #[serde(default, alias = "source-ipv6-network")]
    source_ipv4_network: Option<String>,
    #[serde(default, alias = "destination-ipv6-network")]
    destination_ipv4_network: Option<String>,
    #[serde(default, rename = "ietf-acldns:src-dnsname")]
    src_dnsname: Option<String>,
    #[serde(default, rename = "ietf-acldns:dst-dnsname")]
    dst_dnsname: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawTcp {
    #[serde(default)]
    source_port: Option<RawPort>,
    #[serde(default)]
    destination_port: Option<RawPort>,
    #[serde(default, rename = "ietf-mud:direction-initiated")]
    direction: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawUdp {
    #[serde(default)]
    source_port: Option<RawPort>,
    #[serde(default)]
    destination_port: Option<RawPort>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPort {
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    lower_port: Option<u16>,
    #[serde(default)]
    upper_port: Option<u16>,
}

fn wrong<T>(at: impl Into<String>, why: &'static str) -> Result<T, MudError> {
    Err(MudError::Wrong { at: plain(&at.into()), why })
}

/// As a terminal may show it: what a file says is no command to it.
pub(super) fn plain(text: &str) -> String {
    let hidden = |it: char| {
        it.is_control()
            || matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut all = String::new();
    for it in text.chars().take(400) {
        match hidden(it) {
            true => all.extend(it.escape_unicode()),
            false => all.push(it),
        }
    }
    all
}

fn text(at: &str, text: Option<String>, most: usize) -> Result<Option<String>, MudError> {
    match text {
        Some(text) if text.len() > most || text.chars().any(char::is_control) => {
            wrong(at, "too long, or with control characters")
        }
        other => Ok(other),
    }
}

impl Mud {
    /// Reads a file.
    ///
    /// # Errors
    /// [`MudError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MudError> {
        if bytes.len() > MUD_BYTES_MAX {
            return Err(MudError::TooLong(bytes.len()));
        }
        let raw: RawFile = serde_json::from_slice(bytes)
            .map_err(|error| MudError::Form(plain(&error.to_string())))?;
        let mud = raw.mud;
        if mud.mud_version != 1 {
            return wrong("mud-version", "1 is the only version (RFC 8520 section 3.1)");
        }
        let url = &mud.mud_url;
        if !url.starts_with("https://") || url.len() > NAME_MAX || !is_uri(url) {
            return wrong(
                "mud-url",
                "a URI that begins with https:// (section 3.2), of 253 bytes at most",
            );
        }
        if mud.mud_signature.as_deref().is_some_and(|it| it.len() > TEXT_MAX || !is_uri(it)) {
            return wrong("mud-signature", "a URI (RFC 3986) of 1,024 bytes at most");
        }
        if !mud.extensions.is_empty() {
            return wrong(
                "extensions",
                "none is understood; an extension may change what entries mean",
            );
        }
        let validity = mud.cache_validity.unwrap_or(48);
        if !(1..=168).contains(&validity) {
            return wrong("cache-validity", "1 to 168 hours (section 3.5)");
        }
        if raw.acls.acl.len() > ACLS_MAX {
            return wrong("acls", "32 access lists at most");
        }
        let policy = |of: &RawPolicy, from_device: bool| {
            let mut all = Vec::new();
            if of.access_lists.access_list.len() > ACLS_MAX {
                return wrong("access-lists", "32 access lists at most");
            }
            let mut before = HashSet::new();
            for wanted in &of.access_lists.access_list {
                if !before.insert(wanted.name.as_str()) {
                    return wrong(&wanted.name, "a policy names an access list once");
                }
                let mut named = raw.acls.acl.iter().filter(|acl| acl.name == wanted.name);
                let (Some(acl), None) = (named.next(), named.next()) else {
                    return wrong(
                        &wanted.name,
                        "each access list of a policy is there exactly once",
                    );
                };
                let ipv6 = match acl.kind.trim_start_matches("ietf-access-control-list:") {
                    "ipv4-acl-type" => false,
                    "ipv6-acl-type" => true,
                    _ => return wrong(&acl.name, "ipv4-acl-type and ipv6-acl-type are understood"),
                };
                if acl.aces.ace.len() > ACES_MAX {
                    return wrong(&acl.name, "256 entries of an access list at most");
                }
                for ace in &acl.aces.ace {
                    all.push(entry(ace, ipv6, from_device)?);
                }
            }
            Ok(all)
        };
        let from_device = policy(&mud.from_device_policy, true)?;
        let to_device = policy(&mud.to_device_policy, false)?;
        if from_device.len().saturating_add(to_device.len()) > ENTRIES_MAX {
            return wrong("access-lists", "4,096 entries of both policies at most");
        }
        Ok(Self {
            from_device,
            to_device,
            url: mud.mud_url,
            last_update: text("last-update", Some(mud.last_update), 40)?.unwrap_or_default(),
            cache_validity_h: validity,
            is_supported: mud.is_supported,
            systeminfo: text("systeminfo", mud.systeminfo, TEXT_MAX)?,
            mfg_name: text("mfg-name", mud.mfg_name, TEXT_MAX)?,
            model_name: text("model-name", mud.model_name, TEXT_MAX)?,
            signature: mud.mud_signature,
        })
    }
}

/// A scheme, and after it the characters of a URI (RFC 3986 sections 2 and 3.1): nothing that looks like
/// something else where people read it.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let letter = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(letter);
    let good = |c: u8| c.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&c);
    named && !rest.is_empty() && rest.bytes().all(good)
}

fn entry(ace: &RawAce, ipv6: bool, from_device: bool) -> Result<Ace, MudError> {
    let at = ace.name.as_str();
    if at.is_empty() || at.len() > NAME_MAX || at.chars().any(char::is_control) {
        return wrong("ace", "the name of an entry has 1 to 253 bytes");
    }
    let accept = match ace.actions.forwarding.trim_start_matches("ietf-access-control-list:") {
        "accept" => true,
        "drop" | "reject" => false,
        _ => return wrong(at, "forwarding is accept, drop or reject"),
    };
    let matches = &ace.matches;
    let ip = match (ipv6, &matches.ipv4, &matches.ipv6) {
        (false, ip, None) => ip.as_ref(),
        (true, None, ip) => ip.as_ref(),
        _ => return wrong(at, "an entry matches the address family of its list"),
    };
    let protocol = match (ip.and_then(|ip| ip.protocol), &matches.tcp, &matches.udp) {
        (None | Some(6), Some(_), None) => Some(6),
        (None | Some(17), None, Some(_)) => Some(17),
        (protocol, None, None) => protocol,
        _ => return wrong(at, "tcp is protocol 6, udp 17, and not both"),
    };
    let (source, destination) = match (&matches.tcp, &matches.udp) {
        (Some(tcp), _) => (tcp.source_port.as_ref(), tcp.destination_port.as_ref()),
        (_, Some(udp)) => (udp.source_port.as_ref(), udp.destination_port.as_ref()),
        _ => (None, None),
    };
    // From the device it is the destination that is the peer.
    let (peer_port, own_port) =
        if from_device { (destination, source) } else { (source, destination) };
    let opened_by = match matches.tcp.as_ref().and_then(|tcp| tcp.direction.as_deref()) {
        None => None,
        Some("from-device") => Some(Direction::FromDevice),
        Some("to-device") => Some(Direction::ToDevice),
        Some(_) => return wrong(at, "direction-initiated is from-device or to-device"),
    };
    Ok(Ace {
        name: ace.name.clone(),
        accept,
        peer: peer(at, matches.mud.as_ref(), ip, from_device, ipv6)?,
        ipv6,
        protocol,
        peer_port: peer_port.map(|port| ports(at, port)).transpose()?,
        own_port: own_port.map(|port| ports(at, port)).transpose()?,
        opened_by,
    })
}

fn peer(
    at: &str,
    mud: Option<&RawPeer>,
    ip: Option<&RawIp>,
    from_device: bool,
    ipv6: bool,
) -> Result<PeerMatch, MudError> {
    let mut all = Vec::new();
    if let Some(ip) = ip {
        let (name, other_name, network, other_network) = match from_device {
            true => (
                &ip.dst_dnsname,
                &ip.src_dnsname,
                &ip.destination_ipv4_network,
                &ip.source_ipv4_network,
            ),
            false => (
                &ip.src_dnsname,
                &ip.dst_dnsname,
                &ip.source_ipv4_network,
                &ip.destination_ipv4_network,
            ),
        };
        if other_name.is_some() || other_network.is_some() {
            return wrong(at, "an entry names the peer, not the device (RFC 8520 section 8)");
        }
        if let Some(name) = name {
            all.push(PeerMatch::Name(dns_name(at, name)?));
        }
        if let Some(network) = network {
            let network: Result<Prefix, ()> = network.parse();
            let Ok(network) = network else {
                return wrong(
                    at,
                    "a network such as 192.0.2.0/24; bits beyond the length are zero",
                );
            };
            if network.is_ipv4() == ipv6 {
                return wrong(at, "an entry matches the address family of its list");
            }
            all.push(PeerMatch::Network(network));
        }
    }
    if let Some(mud) = mud {
        let uri = |text: &String| match text.len() <= NAME_MAX && is_uri(text) {
            true => Ok(text.clone()),
            false => wrong(at, "a URI (RFC 3986) such as https://… or urn:…, of 253 bytes at most"),
        };
        if let Some(name) = &mud.manufacturer {
            all.push(PeerMatch::Manufacturer(dns_name(at, name)?));
        }
        if mud.same_manufacturer.is_some() {
            all.push(PeerMatch::SameManufacturer);
        }
        if let Some(model) = &mud.model {
            all.push(PeerMatch::Model(uri(model)?));
        }
        if mud.local_networks.is_some() {
            all.push(PeerMatch::LocalNetworks);
        }
        if let Some(controller) = &mud.controller {
            all.push(PeerMatch::Controller(uri(controller)?));
        }
        if mud.my_controller.is_some() {
            all.push(PeerMatch::MyController);
        }
    }
    let mut all = all.into_iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(PeerMatch::Any),
        (Some(one), None) => Ok(one),
        // Both would have to hold; which of them is judged would be a guess.
        _ => wrong(at, "an entry names its peer in one way"),
    }
}

fn dns_name(at: &str, name: &str) -> Result<String, MudError> {
    let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(good) {
        return wrong(at, "a name in the DNS has 1 to 253 letters, digits, `-`, `.`");
    }
    Ok(name.trim_end_matches('.').to_ascii_lowercase())
}

fn ports(at: &str, raw: &RawPort) -> Result<Ports, MudError> {
    Ok(match (raw.operator.as_deref(), raw.port, raw.lower_port, raw.upper_port) {
        (None | Some("eq"), Some(port), None, None) => Ports::Range(port, port),
        (Some("lte"), Some(port), None, None) => Ports::Range(0, port),
        (Some("gte"), Some(port), None, None) => Ports::Range(port, u16::MAX),
        (Some("neq"), Some(port), None, None) => Ports::Not(port),
        (None, None, Some(from), Some(to)) if from <= to => Ports::Range(from, to),
        _ => return wrong(at, "a port with eq, lte, gte or neq, or a lower and an upper port"),
    })
}
