//! The way to the platform: TLS 1.3 with the device's certificate, and as much of HTTP/1.1 as that
//! needs. One request at a time, no redirects, no proxies, no cookies.

mod body;
mod connection;
mod date;
pub mod http;
mod origin;
mod tls;

pub use connection::{Call, Client, Connection, Reply};
pub use origin::Origin;
pub use tls::client_config;
pub(crate) use tls::tls13_signature;
