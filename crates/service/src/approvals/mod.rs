//! The second person (AU-5, KM-2): acts that one alone cannot do.
//!
//! A use case that carries such an act asks [`Service::second_person`] for a [`Slip`]. Where the
//! policy wants no second person it gets one at once; otherwise the request is recorded and the
//! caller is told `needs-second-person`. When another administrator approves, the act is carried
//! out in the name of the requester, whose rights are looked at again; what gives the requester a
//! secret or a file waits for the requester to ask again. Whichever it is, the slip is spent in the
//! transaction of the act itself, so that it happens exactly once, whatever crashes in between.

mod decide;
mod devices;
mod go_on;
mod intent;
mod policy;
mod second;

pub use decide::{ApprovalQuery, ApprovalState, ApprovalView, Decision};
pub use devices::{ApprovalDevice, ApprovalDevices};
pub use go_on::{Continuation, Continued};
pub use policy::PolicyLine;
pub(crate) use policy::{owner_is_asked, required};

pub(crate) use crate::store::approval::Attached;
pub(crate) use intent::{Intent, Who};
pub(crate) use second::{Question, Slip};

use std::{fmt, str::FromStr};

/// A request for a second person's approval: 16 random bytes, as text 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApprovalId([u8; 16]);

impl ApprovalId {
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Not the form of an approval's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an approval's id has 32 hexadecimal digits")]
pub struct ApprovalIdError;

impl FromStr for ApprovalId {
    type Err = ApprovalIdError;
    fn from_str(text: &str) -> Result<Self, ApprovalIdError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ApprovalIdError)?;
        Ok(Self(bytes))
    }
}
