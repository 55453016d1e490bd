//! Use cases: what an owner tells its devices, and what they say to it (GW-8, EN-5): commands with
//! acknowledgement and expiry, and settings that are wanted and reported. docs/command.md.
//!
//! What is told is on disk before anybody is told so, and stays until the device has answered, its
//! time is over, or it is taken back. Doors hand it over when the device listens or asks, as often
//! as it takes; the id makes a second time harmless.

mod configuration;
mod erased;
mod give;
mod hear;
mod read;

pub use configuration::{ConfigurationVersion, ConfigurationView, NewConfiguration, ReportedView};
pub use erased::ErasureView;
pub(crate) use erased::holds;
pub use give::{COMMAND_LIFETIME_MAX_S, COMMAND_LIFETIME_MIN_S, COMMANDS_OPEN_MAX, NewCommand};
pub use hear::Downlink;
pub(crate) use hear::{Speaker, hear};
pub use read::{CommandState, CommandView};

use crate::{ServiceError, store::device::DeviceRow};
use device::{Phase, StandingKind};

/// What is told to a device that will never be back is told to nobody.
fn alive(row: &DeviceRow) -> Result<(), ServiceError> {
    let phase = Phase::from_code(row.phase.into());
    let standing = StandingKind::from_code(row.standing.into());
    let gone = matches!(phase, Some(Phase::Retired | Phase::Disposed))
        || matches!(standing, Some(StandingKind::Revoked));
    if gone {
        return Err(ServiceError::refused(
            "device-gone",
            "the device is revoked, retired or disposed of: no door lets it in to hear anything",
        )
        .in_japanese(
            "機器は失効、退役または廃棄されており、どの入口からも受け付けられないため、何も伝えられません",
        ));
    }
    Ok(())
}

/// The reason, which there must be.
fn because(text: &str) -> Result<String, ServiceError> {
    crate::fleet::reason(Some(text))?.ok_or_else(|| {
        ServiceError::malformed("reason", "say why: whoever looks at the device later asks")
            .in_japanese("理由を書いてください。後で機器を確認する人に必要です")
    })
}

/// That the device changed hands while somebody told it something.
fn moved() -> ServiceError {
    ServiceError::not_found("device")
}
