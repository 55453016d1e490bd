//! From a connection and a request's header to a caller.

use crate::{admission::too_many, app::App, metrics::Turned, peer::Peer, rest::problem::Fault};
use api::problem::Code;
use axum::extract::FromRequestParts;
use device::OrganisationId;
use http::{HeaderMap, header, request::Parts};
use pki::Certificate;
use policy::Caller;
use service::CertificateStanding;
use std::{ops::Deref, sync::Arc};

/// Longest bearer token read, in bytes.
const TOKEN_BYTES_MAX: usize = 512;

/// The caller of a request. A handler that takes one cannot be reached without a credential.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated(Arc<Caller>);

impl Deref for Authenticated {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Authenticated {
    /// The organisation that the caller acts for.
    pub(crate) fn of(&self) -> Result<&OrganisationId, Fault> {
        self.0.organisation().ok_or_else(|| Fault::new(Code::Forbidden))
    }
}

/// The caller of a request that may come without a credential: nobody known, then.
#[derive(Debug, Clone)]
pub(crate) struct MaybeAuthenticated(Arc<Caller>);

impl Deref for MaybeAuthenticated {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl MaybeAuthenticated {
    /// Whether nobody is known.
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(*self.0, Caller::Anonymous)
    }
}

impl FromRequestParts<App> for MaybeAuthenticated {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let peer = peer_of(parts)?;
        if peer.certificate().is_none() {
            return Ok(Self(Arc::new(Caller::Anonymous)));
        }
        caller(app, &peer, &parts.headers).await.map(Self)
    }
}

/// The connection's other end, for handlers.
pub(crate) struct ThisPeer(pub(crate) Arc<Peer>);

impl FromRequestParts<App> for ThisPeer {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Fault> {
        peer_of(parts).map(Self)
    }
}

impl FromRequestParts<App> for Authenticated {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let peer = peer_of(parts)?;
        caller(app, &peer, &parts.headers).await.map(Self)
    }
}

/// The peer that the listener put beside the request.
pub(crate) fn peer_of(parts: &Parts) -> Result<Arc<Peer>, Fault> {
    parts.extensions.get::<Arc<Peer>>().cloned().ok_or_else(|| Fault::new(Code::Internal))
}

async fn caller(app: &App, peer: &Peer, headers: &HeaderMap) -> Result<Arc<Caller>, Fault> {
    let Some(certificate) = peer.certificate() else {
        return Err(Fault::new(Code::Unauthenticated)
            .detail("no client certificate was shown")
            .hint(
                "connect with the certificate that your organisation's administrator registered",
            ));
    };
    check_credential(app, certificate)?;
    match bearer(headers)? {
        Some(token) => {
            if let Err(wait) = app.failures.peek(peer.source) {
                return Err(too_many(wait));
            }
            match app.service.identify_token(&token, certificate).await {
                Ok(caller) => Ok(Arc::new(caller)),
                Err(error) => {
                    let _ = app.failures.take(peer.source);
                    Err(error.into())
                }
            }
        }
        None => by_certificate(app, peer).await,
    }
}

/// What is checked of a client certificate for each request: its rate, its time, its standing.
pub(crate) fn check_credential(app: &App, certificate: &Certificate) -> Result<(), Fault> {
    if let Err(wait) = app.by_credential.take(certificate.fingerprint()) {
        app.metrics.turned(Turned::RateCredential);
        return Err(too_many(wait));
    }
    if !certificate.is_valid_at(app.service.now()) {
        return Err(Fault::new(Code::CredentialExpired).hint("renew the certificate"));
    }
    match app.service.standing_of(certificate) {
        CertificateStanding::Revoked { .. } | CertificateStanding::Suspended { .. } => {
            Err(Fault::new(Code::CredentialRevoked).hint("ask your administrator for a new one"))
        }
        _ => Ok(()),
    }
}

/// The caller that the connection's certificate stands for.
pub(crate) async fn by_certificate(app: &App, peer: &Peer) -> Result<Arc<Caller>, Fault> {
    let epoch = app.service.revocation_epoch();
    if let Some(caller) = peer.known_caller(epoch) {
        return Ok(caller);
    }
    let certificate = peer.certificate().ok_or_else(|| Fault::new(Code::Unauthenticated))?;
    let caller = Arc::new(app.service.identify_certificate(certificate).await?);
    peer.remember(caller.clone(), epoch);
    Ok(caller)
}

fn bearer(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let invalid = || Fault::new(Code::TokenInvalid).hint("send Authorization: Bearer TOKEN");
    let text = value.to_str().map_err(|_| invalid())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(invalid)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return Err(invalid());
    }
    Ok(Some(token.to_owned()))
}
