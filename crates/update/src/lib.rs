//! The Update Framework (TUF) 1.0.34: metadata, the client's workflow and the repository's side.
//! Pure: no I/O, no clock, no randomness.
//!
//! - [`json`]: JSON without duplicate names or fractions, and its canonical form.
//! - [`Signed`]: a metadata file that was read and not verified; [`Root`], [`Targets`],
//!   [`Snapshot`], [`Timestamp`]: what it says. Only [`Signed::verify`], [`Signed::follow`] and
//!   [`Signed::trust_first`] make a `Verified<…>`, and every decision takes one.
//! - [`client`]: the client workflow as a state machine, with each attack told apart.
//! - [`repository`]: what is published next, by offline thresholds and online keys; recovery.
//! - [`campaign`]: who gets which release when, as a state machine.
//! - [`director`]: what one device shall run, signed for it alone (Uptane).
//! - [`bundle`]: images for SWUpdate and RAUC.
//! - [`sealed`]: images that only named devices can read. [`delta`]: what makes one image from another.
//! - [`ddi`], [`byte_range`]: what clients of the hawkBit DDI door and of downloads ask.
//! - [`Custom`]: what Tegata says about a target beside its length and hashes.
//!
//! docs/update-trust.md has shapes, limits, divergences and the procedures. Deliberately absent:
//! succinct hash bins (TAP 15), mirror lists, ML-DSA keys (clients do not know them), downloads.
//!
//! ```
//! use crypto::{KeyAlgorithm, Signer, SoftwareKey, UnixTime};
//! use update::{
//!     Key, Limits, RoleName, Root, Signed, Signers, TargetPath, Targets, TopRole,
//!     client::{Answer, Client, Found, Settings, Stored},
//!     repository::{Files, Online, Staged, publish, sign_as},
//! };
//!
//! let now = UnixTime(1_795_000_000);
//! let later = now.plus(30 * 86_400);
//! let keys = TopRole::ALL.map(|_| SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap());
//! let key = |role: TopRole| &keys[role as usize];
//!
//! // Offline: a root and an empty targets file, signed.
//! let root = Root::new(later, |role| Signers {
//!     keys: vec![Key::from_public(key(role).public_key()).unwrap()],
//!     threshold: 1,
//! })?;
//! let mut root = Signed::draft(root);
//! let authority = root.own_authority();
//! sign_as(&mut root, &authority, key(TopRole::Root))?;
//! let trusted = root.clone().trust_first()?;
//! let mut targets = Signed::draft(Targets::new(later));
//! let authority = update::Authority::of_top_role(&trusted, TopRole::Targets);
//! sign_as(&mut targets, &authority, key(TopRole::Targets))?;
//!
//! // Online: snapshot and timestamp over them.
//! let staged = Staged {
//!     root: Some(root.to_bytes()?),
//!     targets: [(RoleName::from(TopRole::Targets), targets.to_bytes()?)].into(),
//! };
//! let online = Online {
//!     snapshot: vec![key(TopRole::Snapshot)],
//!     timestamp: vec![key(TopRole::Timestamp)],
//!     snapshot_expires: later,
//!     timestamp_expires: later,
//! };
//! let files: Files = publish(None, &staged, &online, now)?.files.into_iter().collect();
//!
//! // A client that knows the root.
//! let stored = Stored { root: root.to_bytes()?, ..Stored::default() };
//! let mut client = Client::begin(stored, Settings::default(), now)?;
//! while let Some(wanted) = client.wanted() {
//!     let answer = files.get(&wanted.file).cloned().map_or(Answer::Absent, Answer::File);
//!     client.answer(answer)?;
//! }
//! let unknown = client.find(&TargetPath::new("gate/firmware.img")?).unwrap_err();
//! assert_eq!(unknown.code(), "unknown-target");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
pub mod bundle;
pub mod byte_range;
pub mod campaign;
pub mod client;
mod custom;
pub mod ddi;
pub mod delta;
pub mod director;
mod error;
mod fields;
mod hashes;
pub mod json;
mod key;
mod limits;
mod path;
pub mod repository;
mod role;
mod root;
pub mod sealed;
mod signed;
mod snapshot;
mod statement;
mod targets;

pub use authority::{Authority, Keys, RoleKeys};
pub use custom::{Custom, MEMBER as CUSTOM_MEMBER};
pub use error::MetadataError;
pub use fields::parse_time;
pub use hashes::Hashes;
pub use key::{Key, KeyId, KeyScheme};
pub use limits::{
    DELEGATIONS_MAX, HASHES_MAX, KEYS_MAX, Limits, PATH_BYTES_MAX, PATTERNS_MAX, ROLE_KEYS_MAX,
    SIGNATURES_MAX,
};
pub use path::{TargetPath, path_matches, prefix_matches};
pub use role::{RoleName, TopRole, Version};
pub use root::{Root, Signers};
pub use signed::{Header, Metadata, SPEC_VERSION, Signature, Signed, require_current};
pub use snapshot::{MetaFile, Snapshot, Timestamp};
pub use statement::{ARTIFACTS_MAX, ReleaseStatement, STATEMENT_BYTES_MAX, StatedArtifact};
pub use targets::{Delegation, Paths, TargetFile, Targets};
