//! Cookies (RFC 6265bis): one that is secret, the session's, and a few that remember a choice.

use crate::Origin;
use http::{HeaderMap, HeaderValue, header};

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// the session's secret
    Session,
    /// what goes on from a one-time link
    Ticket,
    /// `ja` or `en`
    Language,
    /// `light` or `dark`
    Theme,
    /// minutes east of UTC
    Zone,
    /// what was just done, shown once
    Notice,
}

/// Seconds that a choice is remembered: 400 days, the most that browsers allow.
const CHOICE_SECONDS: i64 = 400 * 86_400;
/// Seconds that a notice waits to be shown.
const NOTICE_SECONDS: i64 = 60;
/// Longest value read, in bytes.
const VALUE_BYTES_MAX: usize = 256;

impl Cookie {
    /// Its name. `__Host-` binds the secret one to this host, to TLS and to the whole site; over
    /// plain HTTP on loopback browsers refuse the prefix.
    pub(crate) fn name(self, origin: &Origin) -> &'static str {
        match (self, origin.is_tls()) {
            (Self::Session, true) => "__Host-tegata",
            (Self::Session, false) => "tegata",
            (Self::Ticket, true) => "__Host-ticket",
            (Self::Ticket, false) => "ticket",
            (Self::Language, _) => "lang",
            (Self::Theme, _) => "theme",
            (Self::Zone, _) => "zone",
            (Self::Notice, _) => "notice",
        }
    }

    /// Its value in a request; of several of the same name none is believed, since one of them may
    /// come from a neighbour on the same host.
    pub(crate) fn read(self, origin: &Origin, headers: &HeaderMap) -> Option<String> {
        let name = self.name(origin);
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let value = found.next()?;
        (found.next().is_none() && value.len() <= VALUE_BYTES_MAX).then(|| value.to_owned())
    }

    /// The header that sets it. `None`: a value that cannot stand in a cookie.
    pub(crate) fn set(self, origin: &Origin, value: &str) -> Option<HeaderValue> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(&byte);
        if !value.bytes().all(allowed) || value.len() > VALUE_BYTES_MAX {
            return None;
        }
        let age = match self {
            // The service knows when it ends; the browser forgets it when it closes.
            Self::Session | Self::Ticket => String::new(),
            Self::Notice => format!("; Max-Age={NOTICE_SECONDS}"),
            Self::Language | Self::Theme | Self::Zone => format!("; Max-Age={CHOICE_SECONDS}"),
        };
        self.header(origin, value, &age)
    }

    /// The header that removes it.
    pub(crate) fn clear(self, origin: &Origin) -> Option<HeaderValue> {
        self.header(origin, "", "; Max-Age=0")
    }

    fn header(self, origin: &Origin, value: &str, age: &str) -> Option<HeaderValue> {
        let secure = if origin.is_tls() { "; Secure" } else { "" };
        let same_site = match self {
            Self::Session | Self::Ticket | Self::Notice => "Strict",
            Self::Language | Self::Theme | Self::Zone => "Lax",
        };
        let name = self.name(origin);
        let text = format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite={same_site}{age}");
        HeaderValue::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))])
    }

    #[test]
    fn cookies_are_bound_to_host_and_tls() {
        let tls = Origin::parse("https://console.example").unwrap();
        assert_eq!(
            Cookie::Session.set(&tls, "abc").unwrap(),
            "__Host-tegata=abc; Path=/; Secure; HttpOnly; SameSite=Strict"
        );
        let local = Origin::parse("http://localhost:8081").unwrap();
        assert_eq!(
            Cookie::Session.clear(&local).unwrap(),
            "tegata=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
        );
        assert_eq!(Cookie::Session.set(&tls, "a;b"), None);
        assert_eq!(Cookie::Session.set(&tls, "a\r\nSet-Cookie: b"), None);
    }

    #[test]
    fn an_ambiguous_cookie_is_not_believed() {
        let tls = Origin::parse("https://console.example").unwrap();
        let read = |text| Cookie::Session.read(&tls, &headers(text));
        assert_eq!(read("lang=ja; __Host-tegata=abc"), Some("abc".into()));
        assert_eq!(read("__Host-tegata=abc; __Host-tegata=def"), None);
        assert_eq!(read("tegata=abc"), None, "not under another name");
        assert_eq!(read(""), None);
    }
}
