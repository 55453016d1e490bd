//! Wire types of the REST interface, and clients: typed REST, EST (RFC 7030), public data.
//!
//! Domain types have no JSON; the documents of [`wire`] are separate types that convert from and to
//! them. Refusals are problem documents (RFC 9457, [`Problem`]).
//!
//! The clients speak HTTP/1.1 and HTTP/2 over TLS 1.3 or 1.2 with client certificates, check servers
//! with the same validator that the server checks clients with, keep connections, and bound times
//! and sizes. Deliberately absent: redirects, cookies, proxies, the web's roots.

pub mod client;
pub mod problem;
pub mod rest;
pub mod tls;
pub mod wire;

pub use client::{Client, ClientError, Identity, Settings};
pub use problem::Problem;
pub use rest::Rest;
