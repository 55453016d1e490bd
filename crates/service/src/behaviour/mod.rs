//! Use cases: what devices usually do (LG-4). Profiles that are learned of admitted messages, what leaves
//! them, and what people say about that. docs/behaviour.md.
//!
//! What comes by is counted in memory; a round once a second holds it against profiles. What was counted
//! and not yet written is lost by a crash: a minute of counts at most. What leaves a profile becomes a
//! security event in the transaction that keeps the profile.

mod acts;
mod read;
mod settle;
mod watch;

pub use acts::ProfileChange;
pub use read::{BehaviourDevice, BehaviourProfile};
pub(crate) use watch::Behaviour;

use crate::ServiceError;
use ::behaviour::BehaviourError;
use crypto::UnixTime;

/// A time as people read it, in UTC, to the minute.
fn time_of(at: UnixTime) -> String {
    at.civil().map_or_else(
        || at.0.to_string(),
        |(year, month, day, hour, minute, _)| {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
        },
    )
}

fn refused(error: &BehaviourError) -> ServiceError {
    match error {
        BehaviourError::Value { .. } => {
            ServiceError::malformed("behaviour-value", format!("{error}; give one of these"))
                .in_japanese(format!("受け入れられない値です：{error}"))
        }
        BehaviourError::Settings(_) => {
            ServiceError::malformed("behaviour-settings", error.to_string())
                .in_japanese(format!("設定が範囲外です：{error}"))
        }
        BehaviourError::Full => ServiceError::refused("too-many-accepted", error.to_string())
            .in_japanese(
                "受け入れた項目は1つのプロファイルに128までです。先に1つ取り消してください",
            ),
        BehaviourError::Damaged(_) => ServiceError::fatal("store-damaged", error.to_string()),
    }
}
