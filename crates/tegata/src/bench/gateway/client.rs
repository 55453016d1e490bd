//! Clients of MQTT 5 with certificates of their own, which do no more than a load needs.

use anyhow::Context as _;
use crypto::{SoftwareKey, tls::signing_key};
use device::DeviceId;
use pki::Certificate;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Clients with one address: less than a server takes from it.
const PER_ADDRESS: usize = 400;

/// A device with its certificate.
#[derive(Clone)]
pub struct Thing {
    /// which
    pub id: DeviceId,
    /// its place in the list, which chooses its address
    pub number: usize,
    tls: Arc<ClientConfig>,
}

impl Thing {
    /// A device that trusts `root`.
    pub fn new(
        id: DeviceId,
        number: usize,
        key: SoftwareKey,
        chain: &[Certificate],
        root: &Certificate,
    ) -> anyhow::Result<Self> {
        let der = |it: &Certificate| CertificateDer::from(it.der().to_vec());
        let mut roots = RootCertStore::empty();
        roots.add(der(root))?;
        let key = CertifiedKey::new(chain.iter().map(der).collect(), signing_key(Arc::new(key)));
        let tls = ClientConfig::builder_with_provider(api::tls::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        Ok(Self { id, number, tls: Arc::new(tls) })
    }

    /// Opens a connection and waits until it is welcome. `name` tells its connections apart.
    pub async fn connect(&self, to: SocketAddr, name: usize) -> anyhow::Result<Mqtt> {
        let host = u8::try_from(2 + (self.number / PER_ADDRESS) % 250)?;
        let from = Ipv4Addr::new(127, 0, u8::try_from(name % 256)?, host);
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(to).await.context("no connection")?;
        stream.set_nodelay(true)?;
        let server = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(self.tls.clone()).connect(server, stream).await?;
        let mut mqtt = Mqtt { stream: BufReader::with_capacity(512, stream), id: 0 };
        // The broker's access list goes by the client's name: the device's id, where there is one.
        let client = match name {
            0 => self.id.to_string(),
            name => format!("{}-{name}", self.id),
        };
        let mut packet = vec![0x10, u8::try_from(13 + client.len())?];
        packet.extend_from_slice(b"\0\x04MQTT\x05\x02\0\0\0");
        packet.extend_from_slice(&u16::try_from(client.len())?.to_be_bytes());
        packet.extend_from_slice(client.as_bytes());
        mqtt.stream.write_all(&packet).await?;
        mqtt.stream.flush().await?;
        let (first, body) = mqtt.read().await?;
        let welcome = first == 0x20 && body.get(1) == Some(&0);
        anyhow::ensure!(welcome, "not welcome: {body:02x?}");
        Ok(mqtt)
    }
}

/// A connection that is welcome.
pub struct Mqtt {
    stream: BufReader<TlsStream<TcpStream>>,
    id: u16,
}

/// What a server may say to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// it has it
    Acknowledged,
    /// not this one
    Refused(u8),
}

impl Mqtt {
    /// Sends a message of QoS 1 and does not wait.
    pub async fn send(&mut self, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
        self.id = self.id.checked_add(1).unwrap_or(1);
        let length = u8::try_from(5 + topic.len() + payload.len()).ok().filter(|it| *it < 128);
        let mut packet = vec![0x32, length.context("a message of more than 127 bytes")?];
        packet.extend_from_slice(&u16::try_from(topic.len())?.to_be_bytes());
        packet.extend_from_slice(topic.as_bytes());
        packet.extend_from_slice(&self.id.to_be_bytes());
        packet.push(0);
        packet.extend_from_slice(payload);
        self.stream.write_all(&packet).await?;
        Ok(self.stream.flush().await?)
    }

    /// Waits for the next acknowledgement.
    pub async fn acknowledged(&mut self) -> anyhow::Result<Said> {
        let (first, body) = self.read().await?;
        anyhow::ensure!(first == 0x40, "{first:#x} instead of PUBACK");
        Ok(match body.get(2).copied().unwrap_or(0) {
            0 | 0x10 => Said::Acknowledged,
            code => Said::Refused(code),
        })
    }

    /// Waits until the connection ends.
    pub async fn ended(&mut self) {
        while self.read().await.is_ok() {}
    }

    async fn read(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await?;
        let length = self.stream.read_u8().await?;
        anyhow::ensure!(length < 128, "a long packet");
        let mut body = vec![0; length.into()];
        self.stream.read_exact(&mut body).await?;
        Ok((first, body))
    }
}
