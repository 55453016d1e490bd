//! Connections as people, routers and devices write them, to be held against a description.

use super::{Connection, Direction, Peer};
use core::fmt;
use device::DeviceId;
use serde::Deserialize;

/// Flows that are handed in at a time, at most.
pub const FLOWS_MAX: usize = 1_000;
/// Longest line of flows, in bytes.
pub const FLOW_LINE_BYTES_MAX: usize = 1_024;
/// Longest file of flows, in bytes.
pub const FLOWS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest name in the DNS, in bytes.
const NAME_MAX: usize = 253;

/// Why something is no connection, or no flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// not the form of one
    #[error(
        "a connection is HOST:PORT, HOST:PORT/tcp or HOST:PORT/udp, such as gate.example:8883 or [2001:db8::1]:443"
    )]
    Connection,
    /// neither or both
    #[error(
        "a flow says with `to` whom the device connects to, or with `from` who connects to the device"
    )]
    Direction,
    /// no id of a device
    #[error("`device` is 32 hexadecimal digits, as `tegata device list` shows them")]
    Device,
    /// not at least once
    #[error("`count` is 1 to 4,294,967,295")]
    Count,
    /// a line that is no flow
    #[error(
        "line {line}: {why}; write one flow per line, such as {{\"device\": \"…\", \"to\": \"gate.example:8883/tcp\"}}"
    )]
    Line {
        /// which, from 1
        line: usize,
        /// what is wrong with it
        why: String,
    },
    /// longer than is read
    #[error("a file of flows has 16,777,216 bytes at most; hand in parts of it")]
    TooLong,
}

/// That a device was seen to connect, or to be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// which device
    pub device: DeviceId,
    /// what was seen
    pub connection: Connection,
    /// how often
    pub times: u32,
}

impl Connection {
    /// Reads `HOST:PORT`, `[ADDRESS]:PORT`, with `/tcp` or `/udp` after it; TCP where neither is said. The
    /// host is a name or an address; the port is that of whom the connection is opened to.
    ///
    /// # Errors
    /// [`FlowError::Connection`]
    pub fn parse(opened_by: Direction, text: &str) -> Result<Self, FlowError> {
        let (place, protocol) = match text.rsplit_once('/') {
            None => (text, 6),
            Some((place, "tcp")) => (place, 6),
            Some((place, "udp")) => (place, 17),
            Some(_) => return Err(FlowError::Connection),
        };
        let (host, port) = place.rsplit_once(':').ok_or(FlowError::Connection)?;
        // `+80` is a number to Rust and no port.
        if port.is_empty() || port.len() > 5 || !port.bytes().all(|it| it.is_ascii_digit()) {
            return Err(FlowError::Connection);
        }
        let port = port.parse().map_err(|_| FlowError::Connection)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let peer = match (bracketed, host.parse::<core::net::Ipv4Addr>()) {
            (Some(address), _) => {
                let address: core::net::Ipv6Addr =
                    address.parse().map_err(|_| FlowError::Connection)?;
                Peer::Address(core::net::IpAddr::from(address).to_canonical())
            }
            (None, Ok(address)) => Peer::Address(address.into()),
            (None, Err(_)) => Peer::Name(name(host).ok_or(FlowError::Connection)?),
        };
        Ok(Self { opened_by, peer, protocol, port })
    }
}

/// A name in the DNS in small letters. What looks like an address that is none is no name.
fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |it: &str| {
        let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        !it.is_empty() && it.len() <= 63 && it.bytes().all(good)
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|it| it.is_ascii_digit());
    let good = text.len() <= NAME_MAX && text.split('.').all(label) && !numeric;
    good.then(|| text.to_ascii_lowercase())
}

/// As [`Connection::parse`] reads it, with `to` or `from` before it.
impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.opened_by {
            Direction::FromDevice => "to",
            Direction::ToDevice => "from",
        };
        write!(f, "{direction} ")?;
        match &self.peer {
            Peer::Name(name) => f.write_str(name)?,
            Peer::Address(core::net::IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Peer::Address(address) => write!(f, "{address}")?,
        }
        let protocol = if self.protocol == 17 { "udp" } else { "tcp" };
        write!(f, ":{}/{protocol}", self.port)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFlow {
    device: String,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    count: Option<u32>,
}

impl Flow {
    /// What somebody says was seen: whom the device connected to, or who connected to it, and how often.
    ///
    /// # Errors
    /// [`FlowError`]
    pub fn new(
        device: DeviceId,
        to: Option<&str>,
        from: Option<&str>,
        times: Option<u32>,
    ) -> Result<Self, FlowError> {
        let (opened_by, text) = match (to, from) {
            (Some(to), None) => (Direction::FromDevice, to),
            (None, Some(from)) => (Direction::ToDevice, from),
            _ => return Err(FlowError::Direction),
        };
        let connection = Connection::parse(opened_by, text)?;
        match times.unwrap_or(1) {
            0 => Err(FlowError::Count),
            times => Ok(Self { device, connection, times }),
        }
    }

    fn line(text: &str) -> Result<Self, String> {
        if text.len() > FLOW_LINE_BYTES_MAX {
            return Err("longer than 1,024 bytes".to_owned());
        }
        let raw: RawFlow =
            serde_json::from_str(text).map_err(|error| super::plain(&error.to_string()))?;
        let device = raw.device.parse().map_err(|_| FlowError::Device.to_string())?;
        Self::new(device, raw.to.as_deref(), raw.from.as_deref(), raw.count)
            .map_err(|error| error.to_string())
    }
}

/// Reads flows: JSON, one on each line; empty lines are passed over.
///
/// # Errors
/// [`FlowError`], which names the line.
pub fn flows(bytes: &[u8]) -> Result<Vec<Flow>, FlowError> {
    if bytes.len() > FLOWS_BYTES_MAX {
        return Err(FlowError::TooLong);
    }
    let mut all = Vec::new();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let read = std::str::from_utf8(text).map_err(|_| "no UTF-8".to_owned());
        let flow = read.and_then(Flow::line).map_err(|why| FlowError::Line { line, why })?;
        all.push(flow);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEVICE: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn a_connection_comes_back_as_it_is_written() {
        let read = |text: &str| Connection::parse(Direction::FromDevice, text);
        for (text, told) in [
            ("Gate.Example.:8883", "to gate.example:8883/tcp"),
            ("gate.example:5684/udp", "to gate.example:5684/udp"),
            ("192.0.2.1:443/tcp", "to 192.0.2.1:443/tcp"),
            ("[2001:DB8::1]:443", "to [2001:db8::1]:443/tcp"),
            ("[::ffff:192.0.2.1]:443", "to 192.0.2.1:443/tcp"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), told);
        }
        let long = format!("{}.example:1", "a".repeat(64));
        for wrong in [
            "",
            "gate.example",
            "gate.example:",
            ":80",
            "gate.example:+80",
            "gate.example:65536",
            "gate.example:80/sctp",
            "2001:db8::1:443",
            "[192.0.2.1]:80",
            "[gate.example]:80",
            "192.0.2.256:80",
            "192.0.2:80",
            "gate..example:80",
            "gate example:80",
            "門.example:80",
            "gate.example:80/tcp/udp",
            &long,
        ] {
            assert_eq!(read(wrong), Err(FlowError::Connection), "{wrong}");
        }
    }

    #[test]
    fn flows_are_lines_and_what_is_wrong_names_its_line() {
        let text = format!(
            "{{\"device\": \"{DEVICE}\", \"to\": \"gate.example:8883\"}}\r\n\n\
             {{\"device\": \"{DEVICE}\", \"from\": \"192.0.2.1:22/tcp\", \"count\": 3}}\n"
        );
        let all = flows(text.as_bytes()).unwrap();
        assert_eq!((all.len(), all[1].times), (2, 3));
        assert_eq!(all[1].connection.to_string(), "from 192.0.2.1:22/tcp");
        for wrong in [
            format!("{{\"device\": \"{DEVICE}\"}}"),
            format!("{{\"device\": \"{DEVICE}\", \"to\": \"a:1\", \"from\": \"a:1\"}}"),
            format!("{{\"device\": \"{DEVICE}\", \"to\": \"a:1\", \"count\": 0}}"),
            format!("{{\"device\": \"{DEVICE}\", \"to\": \"a:1\", \"more\": 0}}"),
            "{\"device\": \"x\", \"to\": \"a:1\"}".to_owned(),
            "[]".to_owned(),
            "\u{1b}[2J".to_owned(),
            format!("{{\"device\": \"{DEVICE}\", \"to\": \"{}\"}}", "a".repeat(1_024)),
        ] {
            let refused = flows(format!("\n{wrong}").as_bytes()).unwrap_err();
            assert!(matches!(refused, FlowError::Line { line: 2, .. }), "{wrong}: {refused}");
            assert!(!refused.to_string().chars().any(char::is_control), "{refused}");
        }
        assert!(flows(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_and_read_again(text in "[a-zA-Z0-9.:/\\[\\]-]{0,40}", to: bool) {
            let opened_by = if to { Direction::FromDevice } else { Direction::ToDevice };
            if let Ok(read) = Connection::parse(opened_by, &text) {
                let told = read.to_string();
                let (_, again) = told.split_once(' ').unwrap();
                prop_assert_eq!(Connection::parse(opened_by, again), Ok(read));
            }
        }

        #[test]
        fn any_bytes_are_flows_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = flows(&bytes);
        }
    }
}
