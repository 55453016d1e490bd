//! Enrolment over Secure Transport (EST: RFC 7030 with RFC 8951 and RFC 9908) without I/O, for
//! servers and clients, and the rules of enrolment that hold whatever the protocol (EN-2, EN-4).
//!
//! - [`est`]: paths, bodies, `multipart/mixed`, CSR attributes, channel binding, HTTP Basic for
//!   one-time codes, and the client's side of each.
//! - [`rules`]: who may enrol and re-enrol as what.
//! - [`renewal`]: when a device renews, spread over time.
//!
//! Divergences from the standard are in `docs/est.md`. Deliberately absent: full CMC, encrypted
//! private keys in serverkeygen, certificate-less TLS; CMP, SCEP, ACME, FDO and BRSKI join later.
//!
//! ```
//! use enrolment::est::{self, Operation, Route};
//! let route = Route::parse("/.well-known/est/gate-4/simpleenroll")?;
//! assert_eq!(route.operation, Operation::SimpleEnroll);
//! assert_eq!(est::body::decode(b"MAA=\r\n")?, [0x30, 0x00]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod est;
pub mod renewal;
pub mod rules;
