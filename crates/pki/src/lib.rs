//! X.509 for devices: certificates, path validation, profiles, issuance, CSR, CRL, OCSP.
//!
//! Specifications: RFC 5280 (certificates, CRLs, path validation), RFC 6818, RFC 9618 (policy
//! graph), RFC 9525 (names of servers), RFC 4108 (hardware module name), RFC 4514 (display of
//! names), IEEE 802.1AR-2018 (DevID profiles).
//!
//! Untrusted bytes become a [`Certificate`] by strict DER parsing, the bytes are kept as received,
//! and [`validate::validate`] alone decides whether a certificate is to be believed. No I/O, no
//! clock, no randomness.
//!
//! Deliberately absent: fetching anything (AIA, CRL distribution points), names of the web (public
//! suffixes), encryption.

mod certificate;
pub mod cms;
pub mod crl;
pub mod csr;
mod error;
mod extension;
pub mod issue;
mod key_policy;
pub mod lint;
mod name;
pub mod ocsp;
pub mod oid;
mod profile;
mod serial;
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
pub use issue::{IssueError, IssuerInfo, Locations, Prepared, prepare};
pub use key_policy::{
    Consequence, Deadline, KeyClass, KeyInUse, KeyPolicy, Lifetime, Notice, PolicyViolation,
};
pub use name::{Attribute, Name};
pub use profile::{AlternativeName, KP_DOCUMENT_SIGNING, Profile, Request, Subject};
pub use serial::Serial;
