use crate::Limits;
use console::Origin;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Where a server listens and what it bears.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The door for everything, over TLS. Port 0 takes a free one.
    pub tls: SocketAddr,
    /// The door for signed public data, over plain HTTP: OCSP, CRLs, CA certificates, checkpoint,
    /// tiles, health. Port 0 takes a free one.
    pub public: SocketAddr,
    /// Names and addresses that clients reach the TLS door by; they go into its certificate.
    pub names: Vec<String>,
    /// The door for people: console and public page. `None`: no such door. Port 0 takes a free one.
    pub console: Option<ConsoleDoor>,
    /// The door for devices' messages: MQTT over TLS. `None`: no such door. Port 0 takes a free one.
    pub mqtt: Option<SocketAddr>,
    /// The same over WebSocket over TLS. `None`: no such door. Port 0 takes a free one.
    pub mqtt_websocket: Option<SocketAddr>,
    /// The door for devices' messages by CoAP over DTLS (UDP). `None`: no such door. Port 0 takes a free
    /// one.
    pub coap: Option<SocketAddr>,
    /// Whether devices may show their public key there without a certificate, and be shown the server's
    /// (RFC 7250).
    pub coap_raw_keys: bool,
    /// Origins of pages that may open one, as browsers write them.
    pub websocket_origins: Vec<String>,
    /// Networks that routes of messages may go to beside addresses that are everybody's.
    pub route_networks: Vec<service::Network>,
    /// What these doors bear.
    pub gateway: gateway::GatewayLimits,
    /// Limits.
    pub limits: Limits,
    /// How long open requests may still run when the server stops.
    pub grace: Duration,
}

/// Where people come in.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsoleDoor {
    /// Where to listen. Without TLS on loopback only: browsers take `http://localhost` for safe.
    pub address: SocketAddr,
    /// What people type; `None` on loopback: `http://localhost:PORT`. Its host is the relying party
    /// of passkeys: to change it makes all of them useless.
    pub url: Option<Origin>,
    /// A certificate that browsers trust already; without one the platform's CA issues one for the
    /// host of `url`, where that is `https`.
    pub certificate: Option<ConsoleCertificate>,
}

/// A certificate of somebody else's CA, for browsers. The files are read again every ten minutes,
/// so that whoever renews it need not restart the server.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsoleCertificate {
    /// File with the certificates in PEM, the server's own first.
    pub chain: PathBuf,
    /// File with its private key in PEM (PKCS #8, SEC 1 or PKCS #1).
    pub key: PathBuf,
}

impl Default for Config {
    /// Loopback, ports 8443 and 8080.
    fn default() -> Self {
        Self {
            tls: (Ipv4Addr::LOCALHOST, 8443).into(),
            public: (Ipv4Addr::LOCALHOST, 8080).into(),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            console: None,
            mqtt: None,
            mqtt_websocket: None,
            coap: None,
            coap_raw_keys: false,
            websocket_origins: Vec::new(),
            route_networks: Vec::new(),
            gateway: gateway::GatewayLimits::default(),
            limits: Limits::default(),
            grace: Duration::from_secs(10),
        }
    }
}
