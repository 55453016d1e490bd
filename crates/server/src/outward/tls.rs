//! TLS towards receivers: their certificates under CAs that are named, ours shown where one is asked
//! for and may be.

use super::{CONNECT, reach::Reach};
use crate::tls::OwnCertificate;
use crypto::Secret;
use pki::Certificate;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Where systems keep the CAs that they trust.
const MACHINE_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The validator of rustls, not ours: receivers are other people's servers, with other people's
/// certificates.
pub(crate) fn config(
    roots: &[Certificate],
    own: Option<&Arc<OwnCertificate>>,
    protocols: &[&[u8]],
) -> Result<Arc<ClientConfig>, String> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store
            .add(CertificateDer::from(root.der().to_vec()))
            .map_err(|error| format!("a CA certificate of the receiver cannot be used: {error}"))?;
    }
    with_store(store, own, protocols)
}

/// As [`config`], with the CAs that the machine trusts.
pub(crate) fn machine_config(protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, String> {
    let mut store = RootCertStore::empty();
    for path in MACHINE_ROOTS {
        let Ok(found) = CertificateDer::pem_file_iter(path) else { continue };
        store.add_parsable_certificates(found.filter_map(Result::ok));
        break;
    }
    if store.is_empty() {
        return Err("this machine names no CAs that it trusts; give the receiver's".to_owned());
    }
    with_store(store, None, protocols)
}

/// As [`config`], or [`machine_config`] where there are no CAs, for somebody who has a certificate of
/// their own for the receiver, in PEM with its key.
pub(crate) fn config_of(
    roots: &[Certificate],
    identity: Option<&Secret>,
) -> Result<Arc<ClientConfig>, String> {
    let usual = match roots {
        [] => machine_config(&[])?,
        roots => config(roots, None, &[])?,
    };
    let Some(identity) = identity else { return Ok(usual) };
    let pem = identity.expose();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let unusable = "the client certificate or its key cannot be used";
    let chain = chain.map_err(|_| unusable)?;
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unusable)?;
    let provider = usual.crypto_provider();
    let own = rustls::sign::CertifiedKey::from_der(chain, key, provider)
        .map_err(|error| format!("{unusable}: {error}"))?;
    let mut config = ClientConfig::clone(&usual);
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(own));
    Ok(Arc::new(config))
}

fn with_store(
    store: RootCertStore,
    own: Option<&Arc<OwnCertificate>>,
    protocols: &[&[u8]],
) -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(api::tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .with_root_certificates(store);
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(own.as_client()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// A connection whose other end has shown its certificate. Its address is one that was looked at: a
/// name is not asked for a second time.
pub(crate) async fn connect(
    host: &str,
    port: u16,
    config: &Arc<ClientConfig>,
    reach: &Reach,
) -> Result<TlsStream<TcpStream>, String> {
    let connect = async {
        let socket = dial(host, port, reach).await?;
        secure((host, port), config, socket).await
    };
    timeout(CONNECT, connect).await.map_err(|_| format!("{host}:{port} does not answer"))?
}

/// The handshake over a connection that is there. Time is the caller's.
pub(crate) async fn secure(
    (host, port): (&str, u16),
    config: &Arc<ClientConfig>,
    socket: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|_| format!("{host} is no host name"))?;
    let _ = socket.set_nodelay(true);
    TlsConnector::from(config.clone())
        .connect(name, socket)
        .await
        .map_err(|error| format!("{host}:{port}: TLS: {error}"))
}

/// Names that are looked up at once, by all receivers together: each takes a thread until the resolver
/// has answered, also when nobody waits for it any more.
static LOOKUPS: Semaphore = Semaphore::const_new(16);

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let failed =
        |error: &dyn std::fmt::Display| format!("{host}:{port} cannot be reached: {error}");
    let turn = LOOKUPS.acquire().await.map_err(|error| failed(&error))?;
    let name = host.to_owned();
    let looked = tokio::spawn(async move {
        let _turn = turn;
        let found = tokio::net::lookup_host((name, port)).await?;
        Ok::<Vec<SocketAddr>, std::io::Error>(found.collect())
    });
    looked.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// A connection to an address that was looked at.
pub(crate) async fn dial(host: &str, port: u16, reach: &Reach) -> Result<TcpStream, String> {
    let found = look_up(host, port).await?;
    let (open, closed): (Vec<SocketAddr>, Vec<SocketAddr>) =
        found.into_iter().partition(|address| reach.is_open(address.ip()));
    let mut why = match closed.first() {
        // Which addresses a name has inside is not told to who wrote the route.
        Some(_) => format!(
            "{host} is at an address that is not everybody's; who runs the platform may open its \
             network (--route-network)"
        ),
        None => format!("{host} has no address"),
    };
    for address in open {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => why = format!("{host}:{port} cannot be reached: {error}"),
        }
    }
    Err(why)
}
