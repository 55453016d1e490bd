//! Setting the platform up and running it.

use super::UnlockArgs;
use clap::{Args, ValueHint};
use std::{net::SocketAddr, path::PathBuf};

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Data directory to make
    #[arg(long, env = "TEGATA_DIR", default_value = "tegata-data", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Folder for the sealed root key and its certificate: take it offline afterwards
    #[arg(long, value_hint = ValueHint::DirPath)]
    pub root: PathBuf,
    /// Passphrase file for the root key, which must not open with the server's key
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub root_passphrase_file: PathBuf,
    /// Name of this installation, in the log's origin and certificates
    #[arg(long, default_value = "tegata.local")]
    pub name: String,
    /// DNS names and addresses of the server, for its certificate
    #[arg(long = "host", default_values = ["localhost", "127.0.0.1"])]
    pub hosts: Vec<String>,
    /// Algorithm of the root and issuing CAs
    #[arg(long, default_value = "p256")]
    pub algorithm: crypto::KeyAlgorithm,
    /// Where to write the first administrator's credential (certificate chain and key, PEM)
    #[arg(long, default_value = "admin.pem", value_hint = ValueHint::FilePath)]
    pub admin: PathBuf,
    /// vkey of a witness whose cosignature every checkpoint needs (repeat for more)
    #[arg(long = "witness-key")]
    pub witness_keys: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Data directory
    #[arg(long, env = "TEGATA_DIR", default_value = "tegata-data", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Address for TLS: REST, EST, log
    #[arg(long, env = "TEGATA_LISTEN", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Folder of advisories (OSV, CSAF, KEV) that is watched, for everybody's products
    #[arg(long, env = "TEGATA_ADVISORIES", value_hint = ValueHint::DirPath)]
    pub advisories: Option<PathBuf>,
    /// Font of reports as PDF, with Japanese characters; that of the system otherwise
    #[arg(long, env = "TEGATA_REPORT_FONT", value_hint = ValueHint::FilePath)]
    pub report_font: Option<PathBuf>,
    /// Address for plain HTTP: signed public data only (OCSP, CRLs, CA certificates, log)
    #[arg(long, env = "TEGATA_LISTEN_PUBLIC", default_value = "127.0.0.1:8080")]
    pub listen_public: SocketAddr,
    /// Address of the door for devices' messages, MQTT over TLS; without it there is none
    #[arg(long, env = "TEGATA_MQTT")]
    pub mqtt: Option<SocketAddr>,
    /// Address of the door for MQTT over WebSocket over TLS, at /mqtt; without it there is none
    #[arg(long, env = "TEGATA_MQTT_WEBSOCKET")]
    pub mqtt_websocket: Option<SocketAddr>,
    /// Origin of web pages that may use it with their user's certificate, such as
    /// `https://maps.example` (repeat for more); those of others are turned away
    #[arg(long = "mqtt-websocket-origin", requires = "mqtt_websocket", value_parser = page_origin)]
    pub mqtt_websocket_origins: Vec<String>,
    /// Address of the door for CoAP over DTLS, on UDP; without it there is none
    #[arg(long, env = "TEGATA_COAP")]
    pub coap: Option<SocketAddr>,
    /// Devices may show their public key there in place of their certificate, and be shown the server's
    /// (RFC 7250); `tegata platform server-key` prints it
    #[arg(long, env = "TEGATA_COAP_RAW_KEYS", requires = "coap")]
    pub coap_raw_keys: bool,
    /// Network that routes of messages may go to, such as 10.1.0.0/16 (repeat for more); beside
    /// addresses that are everybody's
    #[arg(long = "route-network")]
    pub route_networks: Vec<service::Network>,
    /// Address of the console for people; `off` for none. Plain HTTP on loopback, TLS elsewhere
    #[arg(long, env = "TEGATA_CONSOLE", default_value = "127.0.0.1:8081")]
    pub console: ConsoleAddress,
    /// URL that people type for the console; its host becomes part of every passkey
    #[arg(long, env = "TEGATA_CONSOLE_URL", value_hint = ValueHint::Url)]
    pub console_url: Option<String>,
    /// Certificate chain in PEM that browsers trust, for the console
    #[arg(long, env = "TEGATA_CONSOLE_CERTIFICATE", requires = "console_key", value_hint = ValueHint::FilePath)]
    pub console_certificate: Option<PathBuf>,
    /// Private key in PEM of that certificate
    #[arg(long, env = "TEGATA_CONSOLE_KEY", requires = "console_certificate", value_hint = ValueHint::FilePath)]
    pub console_key: Option<PathBuf>,
    /// Minutes without a request after which a person's session ends, 1 to 60
    #[arg(long, env = "TEGATA_SESSION_IDLE", default_value_t = 15, value_parser = clap::value_parser!(i64).range(1..=60))]
    pub session_idle: i64,
    /// DNS names and addresses in the server's certificate
    #[arg(long = "host", default_values = ["localhost", "127.0.0.1"])]
    pub hosts: Vec<String>,
    /// URL under which devices reach the public address, as certificates carry it
    #[arg(long)]
    pub public_url: Option<String>,
    /// URL of a witness (repeat for more)
    #[arg(long = "witness")]
    pub witnesses: Vec<String>,
    /// Stop when standard input is closed: for a program that starts a server of its own, whose end
    /// the server must not outlive however it comes
    #[arg(long)]
    pub stop_with_stdin: bool,
    /// Table of networks and their places, for the public page: CSV of network,latitude,longitude
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub public_places: Option<PathBuf>,
    /// Network of a proxy in front of the public page whose headers are believed (repeat for more)
    #[arg(long = "trusted-proxy")]
    pub trusted_proxies: Vec<String>,
    /// Requests a second from one address (an IPv6 /64 network), twice as many at once: more where
    /// many devices share one, behind a gateway or in a load test
    #[arg(long, env = "TEGATA_REQUESTS_PER_SOURCE", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub requests_per_source: u32,
    /// Connections open at once over all doors: as many as devices that keep one. More than the
    /// limit of open files allows (ulimit -n) are refused by the system
    #[arg(long, env = "TEGATA_CONNECTIONS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    pub connections: u32,
    /// How long the export of a passport waits for witnesses, in milliseconds
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(0..=20_000))]
    pub cosignature_wait_ms: u64,
    /// Hand out passports that too few witnesses cosigned, instead of refusing
    #[arg(long)]
    pub passports_unwitnessed: bool,
    /// hwType of IDevIDs (RFC 4108): an object identifier below your enterprise number, such as
    /// 1.3.6.1.4.1.NUMBER.1.1
    #[arg(long, env = "TEGATA_HARDWARE_TYPE")]
    pub hardware_type: Option<HardwareType>,
}

/// An origin as browsers write it.
fn page_origin(text: &str) -> Result<String, String> {
    let origin = console::Origin::parse(text).map_err(|_| {
        format!("{text:?} is no origin; give scheme, host and port, like https://maps.example")
    })?;
    Ok(origin.as_str().to_owned())
}

/// An object identifier that names a type of hardware.
#[derive(Debug, Clone, Copy)]
pub struct HardwareType(pub pki::ObjectIdentifier);

impl std::str::FromStr for HardwareType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let oid = pki::ObjectIdentifier::new(text)
            .map_err(|_| format!("{text:?} is not an object identifier such as 1.3.6.1.4.1.X.1"))?;
        // A private enterprise arc and something below it (IANA: 1.3.6.1.4.1).
        let below = text.strip_prefix("1.3.6.1.4.1.").is_some_and(|rest| rest.contains('.'));
        if text.starts_with("1.3.6.1.4.1.") && !below {
            return Err("name something below the enterprise number, not the number itself".into());
        }
        Ok(Self(oid))
    }
}

/// Where the console listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleAddress(pub Option<SocketAddr>);

impl std::str::FromStr for ConsoleAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            address => address.parse().map(|address| Self(Some(address))),
        }
    }
}
