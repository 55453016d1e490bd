use crate::Limits;
use std::{
    net::{Ipv4Addr, SocketAddr},
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
    /// Limits.
    pub limits: Limits,
    /// How long open requests may still run when the server stops.
    pub grace: Duration,
}

impl Default for Config {
    /// Loopback, ports 8443 and 8080.
    fn default() -> Self {
        Self {
            tls: (Ipv4Addr::LOCALHOST, 8443).into(),
            public: (Ipv4Addr::LOCALHOST, 8080).into(),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            limits: Limits::default(),
            grace: Duration::from_secs(10),
        }
    }
}
