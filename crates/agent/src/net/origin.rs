use crate::Failure;
use pki::validate::ServerName;

/// Where a server is: `https://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// name or address, without brackets
    pub host: String,
    /// port
    pub port: u16,
}

impl Origin {
    /// Reads `https://host`, `https://host:port` or `https://[::1]:port`.
    ///
    /// # Errors
    /// `configuration`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let bad = |why: &str| Err(Failure::malformed("configuration", format!("{text:?} {why}")));
        let Some(rest) = text.strip_prefix("https://") else {
            return bad("must begin with https://");
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((host, port)) => (host, port.strip_prefix(':')),
                None => return bad("has no ] after its address"),
            },
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = match port {
            None => Some(443),
            Some(port) => port.parse::<u16>().ok().filter(|port| *port != 0),
        };
        match (port, host.parse::<ServerName>()) {
            (Some(port), Ok(_)) => Ok(Self { host: host.to_owned(), port }),
            _ => bad("must be https://HOST:PORT without a path"),
        }
    }

    /// As the header Host has it.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_to_one_host() {
        let check = |text: &str, authority: &str| {
            assert_eq!(Origin::parse(text).unwrap().authority(), authority, "{text}");
        };
        check("https://tegata.example", "tegata.example");
        check("https://tegata.example:8443/", "tegata.example:8443");
        check("https://127.0.0.1:443", "127.0.0.1");
        check("https://[::1]:8443", "[::1]:8443");
        for bad in [
            "http://tegata.example",
            "https://",
            "https://a/b",
            "https://a:0",
            "https://a:99999",
            "https://a b",
            "https://user@a",
            "https://[::1",
            "https://a?b",
        ] {
            assert_eq!(Origin::parse(bad).unwrap_err().code, "configuration", "{bad}");
        }
    }
}
