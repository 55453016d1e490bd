//! What every page shares, and the router.

use crate::{Failure, Sessions, assets, i18n, pages, security, visit};
use axum::{Router, middleware::from_fn_with_state};
use http::Uri;
use service::{CameFrom, Service};
use std::{fmt, net::IpAddr, ops::Deref, sync::Arc};

/// What the console needs to run.
#[derive(Clone)]
pub struct Setup {
    /// The use cases.
    pub service: Service,
    /// What people type to come here.
    pub origin: Origin,
    /// Who is signed in.
    pub sessions: Arc<dyn Sessions>,
}

/// The shared part; cheap to clone. The state of every handler.
#[derive(Clone)]
pub struct Console(Arc<Setup>);

impl Deref for Console {
    type Target = Setup;
    fn deref(&self) -> &Setup {
        &self.0
    }
}

/// Where a request comes from; the server finds it out once and puts it beside each request, for
/// the audit log, for limits and for look-ups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source(pub CameFrom);

/// The pages. `server` adds limits, TLS and a [`Source`] to each request.
pub fn router(setup: Setup) -> Router {
    i18n::load();
    let console = Console(Arc::new(setup));
    pages::router()
        .fallback(async || Failure::not_found())
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .layer(from_fn_with_state(console.clone(), visit::accompany))
        .merge(assets::router())
        .merge(pages::files())
        .layer(from_fn_with_state(console.clone(), security::protect))
        .with_state(console)
}

/// Scheme, host and port that people type. Its host is the relying party of passkeys (WebAuthn
/// section 5.1.2), so it cannot change without making all passkeys useless.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    text: String,
    host: String,
    authority: String,
    tls: bool,
}

/// Why a URL cannot be the console's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL of the form wanted.
    #[error(
        "{0:?} is not the console's address; give scheme, host and port alone, like https://console.example"
    )]
    Malformed(String),
    /// Plain HTTP elsewhere than on the machine itself.
    #[error(
        "{0:?} is plain HTTP; browsers make and use passkeys over https only, or on http://localhost"
    )]
    Plain(String),
    /// An address instead of a name.
    #[error(
        "{0:?} names an address; passkeys belong to a host name, such as localhost or console.example"
    )]
    Address(String),
}

impl Origin {
    /// Reads `scheme://host[:port]`.
    ///
    /// # Errors
    /// [`OriginError`]: where passkeys would not work there.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let malformed = || OriginError::Malformed(text.to_owned());
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| malformed())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(malformed());
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(malformed());
        }
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(malformed());
        }
        let host = authority.host().to_ascii_lowercase();
        if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
            return Err(OriginError::Address(text.to_owned()));
        }
        let local = host == "localhost" || host.ends_with(".localhost");
        let (tls, usual) = match scheme {
            "https" => (true, 443),
            "http" if local => (false, 80),
            "http" => return Err(OriginError::Plain(text.to_owned())),
            _ => return Err(malformed()),
        };
        // Browsers leave the usual port out of `Origin` and `Host`.
        let authority = match authority.port_u16() {
            None => host.clone(),
            Some(port) if port == usual => host.clone(),
            Some(port) => format!("{host}:{port}"),
        };
        Ok(Self { text: format!("{scheme}://{authority}"), host, authority, tls })
    }

    /// The origin as browsers send it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone: the relying party's id.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Host and port as `Host` carries them.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether people come over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_origin_is_where_passkeys_work() {
        for (text, origin) in [
            ("https://console.example", "https://console.example"),
            ("https://Console.Example:443/", "https://console.example"),
            ("https://console.example:8444", "https://console.example:8444"),
            ("http://localhost:8081", "http://localhost:8081"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().as_str(), origin);
        }
        for wrong in [
            "",
            "console.example",
            "https://",
            "ftp://localhost",
            "https://a.example/path",
            "https://user@a.example",
            "https://a.example?x=1",
        ] {
            assert_eq!(Origin::parse(wrong), Err(OriginError::Malformed(wrong.into())), "{wrong}");
        }
        let plain = "http://console.example";
        assert_eq!(Origin::parse(plain), Err(OriginError::Plain(plain.into())));
        for address in ["https://192.0.2.1", "http://127.0.0.1:8081", "https://[::1]:8444"] {
            assert_eq!(Origin::parse(address), Err(OriginError::Address(address.into())));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(Origin::parse(origin.as_str()), Ok(origin));
            }
        }
    }
}
