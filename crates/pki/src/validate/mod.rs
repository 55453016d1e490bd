//! Path validation (RFC 5280 section 6) with path building.
//!
//! ```
//! use pki::{Certificate, validate::{Anchors, Options, validate}};
//! # fn check(leaf: &Certificate, sent: &[Certificate], root: Certificate, now: crypto::UnixTime)
//! # -> Result<(), pki::validate::PathError> {
//! let mut anchors = Anchors::default();
//! anchors.add(root);
//! let path = validate(leaf, sent, &anchors, &Options::client(now))?;
//! for (issuer, serial) in path.serials() {
//!     // ask the set of revoked certificates
//! }
//! # Ok(()) }
//! ```
//!
//! Every certificate of the path counts, the trust anchor included: its dates, constraints and
//! extensions apply (RFC 5937). Revocation is a step of its own: [`Path::serials`] for a set of
//! revoked certificates, [`check_crls`] for CRLs. What differs
//! from the standards, and why, is in `docs/path-validation.md`.

mod anchors;
mod build;
mod conform;
mod constraints;
mod crl;
mod error;
mod names;
mod policy;
mod process;
mod server_name;

pub use anchors::Anchors;
pub use crl::check_crls;
pub use error::PathError;
pub use server_name::{ServerName, ServerNameError};

use crate::{Certificate, KeyUsage, Serial, oid};
use const_oid::ObjectIdentifier;
use crypto::UnixTime;

/// What the leaf is to be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Anything: extKeyUsage is not looked at.
    Any,
    /// A TLS client: clientAuth.
    Client,
    /// A TLS server: serverAuth.
    Server,
    /// One of these, as extKeyUsage names them.
    Usages(Vec<ObjectIdentifier>),
}

impl Purpose {
    fn usages(&self) -> &[ObjectIdentifier] {
        match self {
            Self::Any => &[],
            Self::Client => &[oid::KP_CLIENT_AUTH],
            Self::Server => &[oid::KP_SERVER_AUTH],
            Self::Usages(usages) => usages,
        }
    }
}

/// How strictly certificates must follow the rules of RFC 5280 that bind their issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conformance {
    /// Every MUST for issuers, also where breaking it harms nobody: missing key identifiers,
    /// wrong criticality, malformed alternative names.
    #[default]
    Strict,
    /// What security needs only, for factories whose CAs are as they are.
    Lenient,
}

/// Bounds on the work that a stranger's certificates may cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// intermediate certificates taken from the peer
    pub intermediates: usize,
    /// signatures verified
    pub signature_checks: usize,
    /// complete paths looked at
    pub paths: usize,
    /// comparisons of a name with a constraint
    pub name_comparisons: usize,
}

impl Limits {
    /// What a peer in a handshake may cause.
    pub const DEFAULT: Self =
        Self { intermediates: 32, signature_checks: 64, paths: 16, name_comparisons: 65_536 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Certificate policies (RFC 5280 section 6.1.1 (c), (e), (f), (g)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// user-initial-policy-set; empty means any policy
    pub accepted: Vec<ObjectIdentifier>,
    /// initial-explicit-policy
    pub require_explicit: bool,
    /// initial-policy-mapping-inhibit
    pub inhibit_mapping: bool,
    /// initial-any-policy-inhibit
    pub inhibit_any: bool,
}

/// What a path must fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// the moment of the check
    pub time: UnixTime,
    /// what the leaf is to be used for
    pub purpose: Purpose,
    /// whether a leaf without extKeyUsage is refused
    pub require_extended_key_usage: bool,
    /// usages that the leaf's keyUsage, where present, must allow
    pub key_usage: KeyUsage,
    /// whether the leaf may be a CA's certificate
    pub allow_ca_leaf: bool,
    /// name that the leaf must be for
    pub server_name: Option<ServerName>,
    /// most intermediate certificates between leaf and anchor, self-issued ones not counted
    pub depth_max: usize,
    /// certificate policies
    pub policies: Policies,
    /// how strictly issuers' rules count
    pub conformance: Conformance,
    /// critical extensions that the caller understands
    pub critical_extensions: Vec<ObjectIdentifier>,
    /// bounds on the work
    pub limits: Limits,
}

/// The extensions of the TCG DICE Attestation Architecture, which its certificates carry as
/// critical and which attestation appraises: for [`Options::critical_extensions`].
pub const DICE_EXTENSIONS: [ObjectIdentifier; 4] = [
    oid::TCG_DICE_TCB_INFO,
    oid::TCG_DICE_UEID,
    oid::TCG_DICE_MULTI_TCB_INFO,
    oid::TCG_DICE_CONCEPTUAL_MESSAGE,
];

impl Options {
    /// Any purpose at `time`.
    pub fn any(time: UnixTime) -> Self {
        Self {
            time,
            purpose: Purpose::Any,
            require_extended_key_usage: false,
            key_usage: KeyUsage(0),
            allow_ca_leaf: true,
            server_name: None,
            depth_max: 5,
            policies: Policies::default(),
            conformance: Conformance::Strict,
            critical_extensions: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// A TLS client, or a device that proves itself: signs, and is no CA.
    pub fn client(time: UnixTime) -> Self {
        Self {
            purpose: Purpose::Client,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            allow_ca_leaf: false,
            ..Self::any(time)
        }
    }

    /// The TLS server called `name`.
    pub fn server(time: UnixTime, name: ServerName) -> Self {
        Self {
            purpose: Purpose::Server,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            allow_ca_leaf: false,
            server_name: Some(name),
            ..Self::any(time)
        }
    }
}

/// A valid path: leaf first, trust anchor last. Only [`validate`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    certificates: Vec<Certificate>,
    policies: Vec<ObjectIdentifier>,
}

impl Path {
    /// From the leaf to the trust anchor. One certificate where the leaf itself is trusted.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The leaf.
    pub fn leaf(&self) -> &Certificate {
        // INVARIANT: a path is never empty; `new` takes the leaf apart.
        #[expect(clippy::indexing_slicing, reason = "a path is never empty")]
        &self.certificates[0]
    }

    /// The trust anchor.
    pub fn anchor(&self) -> &Certificate {
        self.certificates.last().unwrap_or_else(|| self.leaf())
    }

    /// Every certificate but the anchor with its issuer.
    pub fn issued(&self) -> impl Iterator<Item = (&Certificate, &Certificate)> {
        self.certificates.iter().zip(self.certificates.iter().skip(1))
    }

    /// What a set of revoked certificates is asked: issuer's name in DER and serial number of
    /// every certificate but the anchor.
    pub fn serials(&self) -> impl Iterator<Item = (&[u8], &Serial)> {
        self.issued().map(|(certificate, _)| (certificate.issuer_der(), certificate.serial()))
    }

    /// The last second at which the whole path is valid.
    pub fn not_after(&self) -> UnixTime {
        self.certificates.iter().map(Certificate::not_after).min().unwrap_or_default()
    }

    /// The acceptable certificate policies (user-constrained-policy-set); anyPolicy where every
    /// one is.
    pub fn policies(&self) -> &[ObjectIdentifier] {
        &self.policies
    }
}

/// Finds a path from `leaf` over any of `intermediates` to one of `anchors` that fulfils
/// `options`.
///
/// `intermediates` may be in any order, unneeded or hostile. Pure: the same arguments give the
/// same answer.
///
/// # Errors
/// The most telling [`PathError`] of the paths tried.
pub fn validate(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchors: &Anchors,
    options: &Options,
) -> Result<Path, PathError> {
    build::Builder::new(intermediates, anchors, options)?.path_of(leaf)
}
