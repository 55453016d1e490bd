//! Use cases: trust between devices (AU-6). What an owner chooses, and the bundle that each of its devices
//! is given. docs/device-to-device.md.
//!
//! What is in a bundle is the same for all devices of an owner, made once and kept in memory for moments;
//! what is signed for one device is a short statement with the hash of it.

mod contents;
mod look;
mod make;
mod settings;

pub(crate) use contents::Made;
pub use look::{PeerAuthorityView, PeerBundleCounts, PeerTrustContents};
pub use make::{MadeTrustBundle, PeerBundleView};
pub use settings::{NewPeerTrust, PeerTrustView};
