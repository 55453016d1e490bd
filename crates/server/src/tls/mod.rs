//! TLS 1.3 and 1.2 at the server: algorithms, sessions, who is trusted, our own certificate.

mod certificate;
mod pem;
mod trust;

pub(crate) use certificate::{OwnCertificate, RENEWAL_CHECK, alternative};
pub(crate) use pem::PemCertificate;
pub(crate) use trust::{ClientTrust, TrustError, Verifier};

use rustls::server::{ResolvesServerCert, ServerConfig, ServerSessionMemoryCache};
use std::sync::Arc;

/// Sessions kept for resumption.
const SESSIONS_MAX: usize = 4096;

/// The server's TLS configuration: client certificates are asked for and may be absent (EST
/// bootstrap, trust bundle); sessions may be resumed, since the caller is identified again for
/// each request.
///
/// # Errors
/// Where the provider lacks a protocol version: never with the provider of this build.
pub(crate) fn server_config(
    trust: &Arc<ClientTrust>,
    own: Arc<OwnCertificate>,
) -> Result<ServerConfig, rustls::Error> {
    let config = ServerConfig::builder_with_provider(api::tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(Arc::new(Verifier::new(trust.clone())))
        .with_cert_resolver(own);
    Ok(bounded(config))
}

/// The configuration of a door for messages, which speaks one protocol: as [`server_config`]. That
/// nobody comes in without a certificate is seen to after the handshake, where it can be logged.
///
/// # Errors
/// As [`server_config`].
pub(crate) fn messages_config(
    trust: &Arc<ClientTrust>,
    own: Arc<OwnCertificate>,
    protocol: &str,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = server_config(trust, own)?;
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Ok(config)
}

/// The configuration of the door for people: no client certificate is asked for.
///
/// # Errors
/// As [`server_config`].
pub(crate) fn console_config(
    own: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, rustls::Error> {
    let config = ServerConfig::builder_with_provider(api::tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(own);
    Ok(bounded(config))
}

/// What both have: protocols, sessions, no early data.
fn bounded(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Stateful: the secrets of a session are wiped with it, and no ticket key outlives them (KM-5).
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
    config.send_tls13_tickets = 1;
    // Nothing is answered before the handshake is complete: early data can be replayed.
    config.max_early_data_size = 0;
    config
}
