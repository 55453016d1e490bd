//! Clients of MQTT 5 with certificates of their own, which do no more than a load needs.

use crate::{
    mqtt::{self, Welcome},
    sim::net::Credential,
};
use anyhow::Context as _;
use api::Identity;
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
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Clients with one address: less than a server takes from it.
const PER_ADDRESS: usize = 400;

/// A connection that is welcome.
pub type Mqtt = mqtt::Mqtt<TlsStream<TcpStream>>;

/// A device with its certificate.
#[derive(Clone)]
pub struct Thing {
    /// which
    pub id: DeviceId,
    /// its place in the list, which chooses its address
    pub number: usize,
    /// what it shows at every door
    pub credential: Arc<Credential>,
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
        let identity = Identity { chain: chain.to_vec(), key: Arc::new(key) };
        let credential = Arc::new(Credential::of(&identity));
        let key = CertifiedKey::new(chain.iter().map(der).collect(), signing_key(identity.key));
        let tls = ClientConfig::builder_with_provider(api::tls::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        Ok(Self { id, number, credential, tls: Arc::new(tls) })
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
        // The broker's access list goes by the client's name: the device's id, where there is one.
        let client = match name {
            0 => self.id.to_string(),
            name => format!("{}-{name}", self.id),
        };
        match mqtt::Mqtt::open(stream, &client).await? {
            Welcome::Yes(mqtt) => Ok(mqtt),
            Welcome::No(code) => anyhow::bail!("not welcome: {code:#04x}"),
        }
    }
}
