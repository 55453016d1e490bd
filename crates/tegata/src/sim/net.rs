//! The platform's doors, as devices reach them: TLS with a device's certificate, from an address of its
//! own where the platform is on this machine.

use super::{http::Http, scenario::Door, store::Thing};
use crate::{
    clock,
    coap::{self, Coap, Shown},
    mqtt::{Mqtt, Welcome},
};
use anyhow::{Context as _, bail, ensure};
use api::Identity;
use crypto::{Sha256, Signer, dtls::RawKey, sha256, tls::signing_key};
use futures_util::{SinkExt as _, StreamExt as _};
use pki::Certificate;
use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream, UdpSocket},
    sync::{Semaphore, SemaphorePermit},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_websockets::{ClientBuilder, Message};

/// Addresses of the loopback that devices come from: 512 connections of each are let in.
const ADDRESSES: u64 = 250;
/// Where a thief is: another network (/24) of the loopback.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 1);
/// A connection with its handshake, behind those that wait for theirs.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// What the pump of a WebSocket holds.
const PUMP_BYTES: usize = 8 * 1024;

/// A stream of bytes to a door.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}
/// The same, of whichever door.
pub type Stream = Box<dyn Wire>;

/// Who shows itself.
pub struct Credential {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn Signer>,
}

impl Credential {
    /// A device, and the CA above it.
    pub fn new(thing: Thing, issuer: &Certificate) -> Self {
        let chain = vec![
            CertificateDer::from(thing.certificate),
            CertificateDer::from(issuer.der().to_vec()),
        ];
        Self { chain, key: Arc::new(thing.key) }
    }

    fn certified(&self) -> CertifiedKey {
        CertifiedKey::new(self.chain.clone(), signing_key(self.key.clone()))
    }

    fn raw(&self) -> Option<RawKey> {
        RawKey::new(self.key.clone())
    }

    /// Anybody.
    pub fn of(identity: &Identity) -> Self {
        let der = |it: &Certificate| CertificateDer::from(it.der().to_vec());
        Self { chain: identity.chain.iter().map(der).collect(), key: identity.key.clone() }
    }
}

/// From where somebody comes.
#[derive(Debug, Clone, Copy)]
pub enum From {
    /// the fleet's network; the number chooses the address
    Home(u64),
    /// another one, where this machine has one
    Elsewhere,
}

impl From {
    /// The address of its own where the platform is on this machine.
    fn own(self) -> anyhow::Result<Ipv4Addr> {
        Ok(match self {
            Self::Home(number) => Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number % ADDRESSES)?),
            Self::Elsewhere => ELSEWHERE,
        })
    }
}

/// Ports of the doors that are not the server's own.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// MQTT
    pub mqtt: u16,
    /// MQTT over WebSocket
    pub websocket: u16,
    /// CoAP
    pub coap: u16,
}

/// The platform's doors.
pub struct Doors {
    name: ServerName<'static>,
    host: String,
    ip: IpAddr,
    /// whether the platform is on this machine
    pub loopback: bool,
    ports: Ports,
    https: u16,
    provider: Arc<CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
    dtls: Arc<dimpl::Config>,
    /// CAs between the roots and the server's certificate, which the CoAP door does not show
    issuers: Vec<CertificateDer<'static>>,
    /// the key that the CoAP door shows to who shows one
    server_key: Option<Sha256>,
    handshakes: Semaphore,
}

impl Doors {
    /// Finds the host of a server's URL; its doors are there alone.
    pub async fn find(
        server: &str,
        ports: Ports,
        roots: &[Certificate],
        handshakes: u32,
    ) -> anyhow::Result<Self> {
        let url: http::Uri = server.parse().context("the server's address is no URL")?;
        let host = url.host().context("the server's address names no host")?.to_owned();
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_u16().unwrap_or(443);
        let found: Vec<SocketAddr> = tokio::net::lookup_host((bare.as_str(), port))
            .await
            .with_context(|| format!("cannot find the host {bare}"))?
            .collect();
        let first = found.iter().find(|it| it.is_ipv4()).or_else(|| found.first());
        let ip = first.with_context(|| format!("the host {bare} has no address"))?.ip();
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(CertificateDer::from(root.der().to_vec()))?;
        }
        let provider = api::tls::provider();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
                .build()?;
        Ok(Self {
            name: ServerName::try_from(bare.clone())?,
            host: bare,
            ip,
            // All of them: a name that leads here and elsewhere leads elsewhere.
            loopback: found.iter().all(|it| it.ip().is_loopback()),
            ports,
            https: port,
            provider,
            verifier,
            dtls: coap::config(None)?,
            issuers: Vec::new(),
            server_key: None,
            handshakes: Semaphore::new(usize::try_from(handshakes)?),
        })
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    async fn tls(
        &self,
        door: Door,
        credential: &Credential,
        from: From,
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let port = match door {
            Door::Mqtt => self.ports.mqtt,
            Door::Websocket => self.ports.websocket,
            Door::Coap | Door::CoapRawKey => self.ports.coap,
            Door::Http => self.https,
        };
        let to = SocketAddr::new(self.ip, port);
        let key = credential.certified();
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_webpki_verifier(self.verifier.clone())
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        // There is one configuration for each connection: nothing to be remembered in it.
        config.resumption = Resumption::disabled();
        if door == Door::Http {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        let stream = match self.ip {
            IpAddr::V4(ip) if ip.is_loopback() => {
                let socket = TcpSocket::new_v4()?;
                socket.bind((from.own()?, 0).into())?;
                socket.connect(to).await?
            }
            _ => TcpStream::connect(to).await?,
        };
        stream.set_nodelay(true)?;
        Ok(TlsConnector::from(Arc::new(config)).connect(self.name.clone(), stream).await?)
    }

    /// Opens a session of MQTT.
    pub async fn mqtt(
        &self,
        door: Door,
        credential: &Credential,
        client: &str,
        from: From,
    ) -> anyhow::Result<Welcome<Stream>> {
        let _turn = self.turn().await?;
        self.mqtt_now(door, credential, client, from).await
    }

    /// One of those that may be shaking hands.
    pub async fn turn(&self) -> anyhow::Result<SemaphorePermit<'_>> {
        Ok(self.handshakes.acquire().await?)
    }

    /// As [`Self::mqtt`], for who has a turn.
    pub async fn mqtt_now(
        &self,
        door: Door,
        credential: &Credential,
        client: &str,
        from: From,
    ) -> anyhow::Result<Welcome<Stream>> {
        in_time(async {
            let stream = self.tls(door, credential, from).await?;
            let stream: Stream = match door {
                Door::Websocket => self.websocket(stream).await?,
                _ => Box::new(stream),
            };
            Mqtt::open(stream, client).await
        })
        .await
    }

    /// Opens a connection for HTTP.
    pub async fn http(&self, credential: &Credential, from: From) -> anyhow::Result<Http> {
        let _turn = self.turn().await?;
        self.http_now(credential, from).await
    }

    /// As [`Self::http`], for who has a turn.
    pub async fn http_now(&self, credential: &Credential, from: From) -> anyhow::Result<Http> {
        in_time(async {
            let stream = self.tls(Door::Http, credential, from).await?;
            Ok(Http::new(stream, self.host.clone()))
        })
        .await
    }

    /// CAs that there are below the roots.
    pub fn know(&mut self, issuers: &[Certificate]) {
        self.issuers = issuers.iter().map(|it| CertificateDer::from(it.der().to_vec())).collect();
    }

    /// The server's public key by itself.
    pub fn know_key(&mut self, key: Sha256) {
        self.server_key = Some(key);
    }

    /// Opens an association for CoAP, for who has a turn; with `by_key` by public keys alone, both ways.
    pub async fn coap_now(
        &self,
        credential: &Credential,
        by_key: bool,
        from: From,
    ) -> anyhow::Result<Coap> {
        in_time(async {
            let own: SocketAddr = match self.ip {
                IpAddr::V4(ip) if ip.is_loopback() => (from.own()?, 0).into(),
                IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(own).await?;
            socket.connect((self.ip, self.ports.coap)).await?;
            let now = Duration::from_secs(u64::try_from(clock::now().0)?);
            let trusts = |shown: &Shown| match shown {
                Shown::Certificate(_) if by_key => {
                    bail!("the server takes no raw keys; hint: start it with --coap-raw-keys")
                }
                Shown::Certificate(shown) => {
                    let now = UnixTime::since_unix_epoch(now);
                    let (shown, issuers) = (CertificateDer::from(&**shown), &self.issuers);
                    self.verifier.verify_server_cert(&shown, issuers, &self.name, &[], now)?;
                    Ok(())
                }
                Shown::Key(shown) => {
                    let shown = sha256(shown);
                    ensure!(
                        self.server_key == Some(shown),
                        "the server has another key; hint: it was replaced, begin anew"
                    );
                    Ok(())
                }
            };
            let raw = match by_key {
                true => Some(
                    credential
                        .raw()
                        .context("raw keys are ECDSA keys on P-256; hint: use the door coap")?,
                ),
                false => None,
            };
            let config = match &raw {
                Some(raw) => coap::config(Some(raw))?,
                None => self.dtls.clone(),
            };
            let shows = (Arc::new(credential.certified()), raw.as_ref());
            Coap::open(config, shows, socket, trusts).await
        })
        .await
    }

    /// MQTT over WebSocket, pumped into a stream of bytes.
    async fn websocket(&self, stream: TlsStream<TcpStream>) -> anyhow::Result<Stream> {
        let port = self.ports.websocket;
        let protocol = http::HeaderValue::from_static("mqtt");
        let (mut socket, _) = ClientBuilder::new()
            .uri(&format!("wss://{}:{port}/mqtt", self.host))?
            .add_header(http::header::SEC_WEBSOCKET_PROTOCOL, protocol)?
            .connect_on(stream)
            .await?;
        let (ours, mut theirs) = tokio::io::duplex(PUMP_BYTES);
        tokio::spawn(async move {
            let mut out = vec![0; PUMP_BYTES];
            loop {
                tokio::select! {
                    read = theirs.read(&mut out) => {
                        let sent = match read {
                            Ok(count @ 1..) => out.get(..count).unwrap_or_default().to_vec(),
                            _ => break,
                        };
                        if socket.send(Message::binary(sent)).await.is_err() {
                            break;
                        }
                    }
                    heard = socket.next() => match heard {
                        Some(Ok(message)) if message.is_binary() => {
                            if theirs.write_all(message.as_payload()).await.is_err() {
                                break;
                            }
                        }
                        Some(Ok(message)) if !message.is_close() => {}
                        _ => break,
                    }
                }
            }
            let _closed = socket.close().await;
        });
        Ok(Box::new(ours))
    }
}

async fn in_time<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(CONNECT_MAX, work).await.context("no connection in time")?
}

/// In few words why something failed, for counting.
pub fn reason(error: &anyhow::Error) -> String {
    let cause = error.root_cause();
    let found = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    let text = match found.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::BrokenPipe) => {
            "the connection ended".to_owned()
        }
        Some(std::io::ErrorKind::ConnectionReset) => "the connection was reset".to_owned(),
        Some(std::io::ErrorKind::ConnectionRefused) => "nobody listens there".to_owned(),
        _ => cause.to_string(),
    };
    text.chars().take(100).collect()
}
