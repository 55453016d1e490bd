//! Acts that want a passkey shown just now, or a second person.

use crate::{Answer, Failure, Member};
use service::ServiceError;

/// What a refused act leads to: to showing the passkey and back, or to the request that waits for a
/// second person; otherwise to an error page. `back` is the page that asked.
pub(super) fn answer(member: &Member, error: ServiceError, back: &str) -> Answer {
    match (error.code(), error.approval()) {
        ("reauthenticate", _) => Err(Failure::reauthenticate(back)),
        ("needs-second-person", Some(approval)) => {
            Ok(member.done(&format!("/approvals/{approval}"), "approval-requested"))
        }
        _ => Err(error.into()),
    }
}
