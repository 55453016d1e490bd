//! X.509 for devices: certificates, path validation, profiles, issuance, CSR, CRL, OCSP.
//!
//! Specifications: RFC 5280 (certificates, CRLs, path validation), RFC 6818, RFC 9618 (policy
//! graph), RFC 9525 (names of servers), RFC 4108 (hardware module name), RFC 4514 (display of
//! names), IEEE 802.1AR-2018 (DevID profiles), RFC 2986 (requests), RFC 6960 and RFC 9654 (OCSP),
//! RFC 5652 (certs-only messages, detached signatures).
//!
//! Untrusted bytes become a [`Certificate`] by strict DER parsing, the bytes are kept as received,
//! and [`validate::validate`] alone decides whether a certificate is to be believed. No I/O, no
//! clock, no randomness.
//!
//! Deliberately absent: fetching anything (AIA, CRL distribution points), names of the web (public
//! suffixes), encryption.
//!
//! ```
//! use crypto::{KeyAlgorithm, Signer, SoftwareKey, UnixTime};
//! use pki::{IssuerInfo, KeyPolicy, Profile, Request, Serial, Subject, prepare};
//!
//! let now = UnixTime(1_795_000_000);
//! let key = SoftwareKey::generate(KeyAlgorithm::MlDsa65)?;
//! let subject = Subject::named("Example Root CA");
//! let (from, to) =
//!     KeyPolicy::default().usual_validity(Profile::Root, KeyAlgorithm::MlDsa65, None, now);
//! let issuer = IssuerInfo::self_signed(&subject, key.public_key(), from, to)?;
//! let serial = Serial::from_random(crypto::random::bytes());
//! let request = Request::new(serial, subject, key.public_key().clone(), (from, to));
//! let prepared = prepare(Profile::Root, &issuer, &request)?;
//! // … record prepared.tbs() here …
//! let root = prepared.sign(&key)?;
//! assert!(root.is_ca());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificate;
pub mod cms;
pub mod crl;
pub mod csr;
mod error;
mod extension;
pub mod issue;
mod issuer;
mod key_policy;
pub mod lint;
mod mud;
mod name;
pub mod ocsp;
pub mod oid;
mod profile;
mod serial;
pub mod signed_data;
mod strict;
mod time;
pub mod validate;
mod write;

pub use certificate::{CERTIFICATE_BYTES_MAX, Certificate, HardwareModuleName};
pub use const_oid::ObjectIdentifier;
pub use crl::Crl;
pub use csr::{Csr, CsrBuilder};
pub use error::CertificateError;
pub use extension::{
    AccessDescription, AuthorityKeyIdentifier, BasicConstraints, Extension, Extensions,
    GeneralName, KeyUsage, NameConstraints, PolicyConstraints,
};
pub use issue::{IssueError, Prepared, prepare};
pub use issuer::{IssuerInfo, Locations};
pub use key_policy::{
    Consequence, Deadline, KeyClass, KeyInUse, KeyPolicy, Lifetime, Notice, PolicyViolation,
};
pub use mud::{MUD_SIGNER_BYTES_MAX, MUD_URL_BYTES_MAX, MudReference};
pub use name::{Attribute, Name};
pub use profile::{AlternativeName, KP_DOCUMENT_SIGNING, Profile, Request, Subject};
pub use serial::Serial;
