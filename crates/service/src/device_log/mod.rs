//! Use cases: the logs that devices hand over (LG-5). What a device tells of itself becomes security
//! events that say so, in the transaction that keeps its message; what is missing, changed or begun anew
//! becomes events of its own. docs/device-log.md.

mod read;
mod take;

pub use read::{DeviceLogEntryView, DeviceLogStretchView};
pub(crate) use take::{is_too_much, take};
