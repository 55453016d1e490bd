//! The documents of the REST interface: JSON with an OpenAPI 3.1 schema each.
//!
//! Requests refuse unknown fields, so that a typing error is told and not ignored. Identifiers,
//! times, digests and certificates are types of their own ([`scalar`]) and are checked on reading.

mod alert;
mod behaviour;
mod campaign;
mod certificate;
mod command;
mod device;
mod device_log;
mod diagnosis;
mod director;
mod draft;
mod event;
mod fleet;
mod health;
mod impact;
mod key;
mod life;
mod log;
mod message;
mod message_key;
mod mud;
mod operation;
mod organisation;
mod paper;
mod peer_trust;
mod people;
mod policy_set;
mod public;
mod purpose;
mod release;
mod report;
mod route;
pub mod scalar;
mod schema;
mod sealed;
mod stream;
mod threat;
mod token;
mod traffic;
mod update_token;
mod verdict;
mod vulnerability;

pub use alert::*;
pub use behaviour::*;
pub use campaign::*;
pub use certificate::*;
pub use command::*;
pub use device::*;
pub use device_log::*;
pub use diagnosis::*;
pub use director::*;
pub use draft::*;
pub use event::*;
pub use fleet::*;
pub use health::*;
pub use impact::*;
pub use key::*;
pub use life::*;
pub use log::*;
pub use message::*;
pub use message_key::*;
pub use mud::*;
pub use operation::*;
pub use organisation::*;
pub use paper::*;
pub use peer_trust::*;
pub use people::*;
pub use policy_set::*;
pub use public::*;
pub use purpose::*;
pub use release::*;
pub use report::*;
pub use route::*;
pub use schema::*;
pub use sealed::*;
pub use stream::*;
pub use threat::*;
pub use token::*;
pub use traffic::*;
pub use update_token::*;
pub use verdict::*;
pub use vulnerability::*;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Most items on one page, or in one request of many.
pub const ITEMS_MAX: u32 = 1000;

/// One page of a list. Pages are found by key and not by number: what is added or removed meanwhile
/// neither repeats nor hides other items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in a stable order.
    pub items: Vec<T>,
    /// Give this as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// What came of a request of many, in the order of the request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Outcomes<T> {
    /// The outcomes.
    pub items: Vec<Outcome<T>>,
}

/// The outcome for one item of a request of many: each stands or falls alone.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Outcome<T> {
    /// What came of it, where it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<T>,
    /// Why not, where it was refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refused: Option<crate::Problem>,
}
