//! TLS towards receivers: their certificates under the CAs of the stream, ours shown where one is
//! asked for.

use crate::tls::OwnCertificate;
use pki::Certificate;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use std::sync::Arc;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The validator of rustls, not ours: receivers are other people's servers, with other people's
/// certificates.
pub(super) fn config(
    roots: &[Certificate],
    own: &Arc<OwnCertificate>,
    protocols: &[&[u8]],
) -> Result<Arc<ClientConfig>, String> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store
            .add(CertificateDer::from(root.der().to_vec()))
            .map_err(|error| format!("a CA certificate of the receiver cannot be used: {error}"))?;
    }
    let mut config = ClientConfig::builder_with_provider(api::tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .with_root_certificates(store)
        .with_client_cert_resolver(own.as_client());
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// A connection whose other end has shown its certificate.
pub(super) async fn connect(
    host: &str,
    port: u16,
    config: &Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, String> {
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|_| format!("{host} is no host name"))?;
    let connect = async {
        let socket = TcpStream::connect((host, port))
            .await
            .map_err(|error| format!("{host}:{port} cannot be reached: {error}"))?;
        let _ = socket.set_nodelay(true);
        TlsConnector::from(config.clone())
            .connect(name, socket)
            .await
            .map_err(|error| format!("{host}:{port}: TLS: {error}"))
    };
    timeout(super::CONNECT, connect).await.map_err(|_| format!("{host}:{port} does not answer"))?
}
