//! Trust between devices (AU-6): two devices, of different makers too, authenticate each other and decide by
//! their owner's policies, also where the platform cannot be reached. docs/device-to-device.md.
//!
//! - [`TrustBundle`]: what one device is given by the platform, signed, with a number and an end: which
//!   certification authorities vouch for devices, what those have revoked, which devices are its owner's
//!   now, and the policies that count. [`TrustBundle::verify`] is the only way to one.
//! - [`TrustBundle::authenticate`]: whose certificate that is. Whoever asks has seen the proof of the key
//!   (the TLS handshake, or another).
//! - [`TrustBundle::decide`]: whether one of the two may ask that of the other, with the reason.
//!
//! Pure: the time is an argument. Deliberately absent: how bundles come to devices, the memory of the
//! newest number (`agent`), what is put into them (`service`).

mod bundle;
mod contents;
mod decide;
mod statement;

pub use bundle::{BUNDLE_BYTES_MAX, BundleError, MEDIA_TYPE, TrustBundle, assemble};
pub use contents::{
    AUTHORITIES_MAX, Authority, AuthorityKind, CONTENTS_BYTES_MAX, Contents, DEVICES_MAX, Line,
    REVOKED_MAX,
};
pub use decide::{CLOCK_TOLERANCE_S, Code, Credential, Decision, Peer, Refused, Side};
pub use statement::{
    LIFE_S_MAX, LIFE_S_MIN, STATEMENT_BYTES_MAX, STATEMENT_CONTENT_TYPE, Statement,
};
