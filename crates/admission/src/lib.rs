//! Admission: one pipeline behind every door (GW-2, GW-3, GW-6, GW-7, AU-4): identity → state of the
//! device → policy → rate → freshness → format → consent. docs/gateway.md.
//!
//! Pure: facts, time and meters are arguments, and nothing is read or written. [`admit`] judges a
//! message, [`decide`] a subscription and each delivery, [`Refusal`] says why not in words for the
//! owner and in as much of an answer as helps the sender and tells an attacker nothing.
//!
//! Deliberately absent: protocols and sockets, storage, Cedar, schemas (JSON Schema, CDDL, Protobuf);
//! they stand behind [`Policy`] and [`PayloadRule`], and around [`admit`].
//!
//! ```
//! use admission::{Direction, OwnSpaceOnly, Space, TopicFilter, TopicName, decide};
//! let device = device::DeviceId::from_bytes([7; 16]);
//! let space = Space::of(&device);
//! // The device writes `me/…`; what it means is below its own id.
//! let name = space.absolute(TopicName::new("me/up/temperature")?)?;
//! assert!(decide(&space, &OwnSpaceOnly, Direction::Publish, name.as_str()).allowed);
//! let everybody = TopicFilter::new("d/+/up/#")?;
//! assert!(!decide(&space, &OwnSpaceOnly, Direction::Receive, everybody.as_str()).allowed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod command;
pub mod device_log;
mod encrypted;
mod erasure;
mod format;
mod freshness;
mod heard;
mod payload;
mod pipeline;
mod problem;
mod purpose;
mod rate;
mod refusal;
pub mod route;
mod signed;
mod space;
mod topic;

pub use command::{
    ANSWER_DETAIL_MAX, COMMAND_DEPTH_MAX, COMMAND_NAME_MAX, COMMANDS_DOWN, CONFIGURATION_DOWN,
    CommandError, CommandId, CommandMessage, CommandName, CommandProgress, PARAMETERS_BYTES_MAX,
    SETTINGS_BYTES_MAX, Said, canonical_object, encode_configuration,
};
pub use encrypted::{
    ENCRYPTED_BYTES_MAX, ENCRYPTED_CONTENT_TYPE, EncryptedError, EncryptedMessage, Recipient,
    RecipientError,
};
pub use erasure::{ERASURE_PROOF_BYTES_MAX, ErasedKey, ErasureError, KeysErased};
pub use format::{DEPTH_MAX, Encoding, FormatError, FormatRule, VALUES_MAX};
pub use freshness::{FreshnessRule, LEAP_MAX, ReplayWindow, Staleness, WINDOW_BITS};
pub use heard::{DOWNLINKS_BYTES_MAX, Heard, encode_answer};
pub use payload::{PayloadAnswer, PayloadRule};
pub use pipeline::{
    Admitted, Identity, Message, Meters, OrganisationTraffic, Quotas, Rules, Sender, Surroundings,
    Traffic, admit,
};
pub use problem::{Problem, Problems, one_line, place_of};
pub use purpose::{
    Basis, ConsentDecision, DataPurpose, Decided, PURPOSE_EXPLANATION_MAX, PURPOSE_LINE_MAX,
    PURPOSE_NAME_MAX, PURPOSE_RECIPIENTS_MAX, PURPOSE_RETENTION_DAYS_MAX, PURPOSE_TOPICS_MAX,
    PURPOSES_MAX, PurposeError, PurposeName, Purposes, TopicUses, agreed_since, stands_since,
};
pub use rate::{Allowance, Meter, Shared, Ticks};
pub use refusal::{Answer, Refusal};
pub use signed::{
    SIGNED_BYTES_MAX, SIGNED_CONTENT_TYPE, SIGNED_PAYLOAD_MAX, SIGNED_UP, SignedError,
    SignedMessage,
};
pub use space::{
    DOWN, Decision, Direction, OWN, OWN_SPACE, OwnSpaceOnly, Policy, PolicyAnswer, Says, Space,
    decide,
};
pub use topic::{
    Subscription, TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX, TopicError, TopicFilter, TopicName,
};
