use super::{PathError, names};
use crate::{Certificate, GeneralName};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

/// The name or address that a client asked a server by (RFC 9525).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServerName {
    /// A host name, lower case.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

/// Neither a host name nor an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a host name nor an IP address")]
pub struct ServerNameError(String);

impl FromStr for ServerName {
    type Err = ServerNameError;
    fn from_str(text: &str) -> Result<Self, ServerNameError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        // What looks like an address and is none must not become a name.
        let numeric =
            name.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
        if !names::is_dns(name) || numeric {
            return Err(ServerNameError(text.chars().take(100).collect()));
        }
        Ok(Self::Dns(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

impl ServerName {
    /// Whether `certificate` is for this server. Only alternative names count, never the common
    /// name (RFC 9525 section 6.4.4).
    pub(super) fn check(&self, certificate: &Certificate) -> Result<(), PathError> {
        let alternatives = certificate.extensions().subject_alt_names();
        if alternatives.iter().any(|name| self.matches(name)) {
            return Ok(());
        }
        let mut found: Vec<_> = alternatives.iter().take(5).map(shown).collect();
        if alternatives.len() > found.len() {
            found.push("others".into());
        }
        if found.is_empty() {
            found.push("no server: it has no subjectAltName".into());
        }
        Err(PathError::ServerName { expected: self.to_string(), found: found.join(", ") })
    }

    fn matches(&self, name: &GeneralName) -> bool {
        match (self, name) {
            (Self::Dns(wanted), GeneralName::Dns(pattern)) => dns_matches(wanted, pattern),
            (Self::Ip(wanted), name) => name.ip() == Some(*wanted),
            _ => false,
        }
    }
}

/// RFC 9525 section 6.3: `*` stands for exactly one whole first label. At least two labels must
/// follow, so that nobody has a certificate for all of `.com`.
fn dns_matches(wanted: &str, pattern: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => names::is_dns(pattern) && wanted.eq_ignore_ascii_case(pattern),
        Some(suffix) => {
            names::is_dns(suffix)
                && suffix.contains('.')
                && wanted.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(suffix))
        }
    }
}

/// An alternative name for messages; safe in a log.
pub(super) fn shown(name: &GeneralName) -> String {
    match name {
        GeneralName::Dns(text) | GeneralName::Email(text) | GeneralName::Uri(text) => {
            text.chars().take(253).flat_map(char::escape_default).collect()
        }
        GeneralName::Directory(_) => {
            name.directory().map(|name| name.to_string()).unwrap_or_default()
        }
        GeneralName::Ip(bytes) => {
            name.ip().map_or_else(|| network(bytes), |address| address.to_string())
        }
        GeneralName::Other { type_id, .. } => format!("otherName {type_id}"),
        GeneralName::RegisteredId(oid) => oid.to_string(),
        GeneralName::Unsupported(3) => "an x400Address".into(),
        GeneralName::Unsupported(_) => "an ediPartyName".into(),
    }
}

fn network(bytes: &[u8]) -> String {
    match <[u8; 8]>::try_from(bytes) {
        Ok([a, b, c, d, mask @ ..]) => {
            format!("{}/{}", Ipv4Addr::new(a, b, c, d), Ipv4Addr::from(mask))
        }
        Err(_) => hex::encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let check = |text: &str, want| assert_eq!(text.parse::<ServerName>().ok(), want, "{text}");
        check("Example.com.", Some(ServerName::Dns("example.com".into())));
        check("192.0.2.1", Some(ServerName::Ip([192, 0, 2, 1].into())));
        check("::1", Some(ServerName::Ip(IpAddr::V6(1.into()))));
        check("localhost", Some(ServerName::Dns("localhost".into())));
        for bad in ["192.0.2.256", "1.2.3", "*.example.com", "", "a_b", "a b"] {
            check(bad, None);
        }
    }

    #[test]
    fn wildcards_stand_for_one_label() {
        assert!(dns_matches("a.example.com", "*.example.com"));
        assert!(dns_matches("a.example.com", "A.Example.com"));
        for (wanted, pattern) in [
            ("example.com", "*.example.com"),
            ("a.b.example.com", "*.example.com"),
            ("example.com", "*.com"),
            ("com", "*"),
            ("baz.example.com", "ba*.example.com"),
            ("a.b.example.com", "a.*.example.com"),
            ("example.com", "example.com."),
        ] {
            assert!(!dns_matches(wanted, pattern), "{wanted} {pattern}");
        }
    }
}
