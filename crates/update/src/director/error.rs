use crate::MetadataError;
use device::{DeviceId, OrganisationId};

/// Why a device does not do what a director says. The metadata were properly signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectorError {
    /// it is for another device
    #[error("the director speaks to device {0}, which is another one")]
    OtherDevice(DeviceId),
    /// it is for a key that this device does not show
    #[error("the director speaks to another key than the device's; ask again with the new one")]
    OtherKey,
    /// it is of another director
    #[error("this is the director of {0}, which is not trusted here")]
    OtherDirector(OrganisationId),
    /// it is for other hardware
    #[error("the director takes the device for {0:?}, which it is not")]
    OtherHardware(String),
    /// a director gives its say to nobody
    #[error("the director delegates; a director's targets are its own")]
    Delegates,
    /// an ECU runs one image
    #[error("the director names {0} targets for one device")]
    SeveralTargets(usize),
    /// a field is missing or wrong
    #[error(transparent)]
    Malformed(#[from] MetadataError),
    /// the image repository says otherwise
    #[error("director and image repository differ in the {0}")]
    Image(&'static str),
    /// director and image repository are one
    #[error("director and image repository share a key, so that neither checks the other")]
    SharedKey,
    /// what the log was told is otherwise
    #[error("the director and what the log was told differ in the {0}")]
    Logged(&'static str),
}

impl DirectorError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherDevice(_) => "director-device",
            Self::OtherKey => "director-key",
            Self::OtherDirector(_) => "director-organisation",
            Self::OtherHardware(_) => "director-hardware",
            Self::Delegates => "director-delegates",
            Self::SeveralTargets(_) => "director-targets",
            Self::Malformed(_) => "director-malformed",
            Self::Image(_) => "director-image",
            Self::SharedKey => "director-shared-key",
            Self::Logged(_) => "director-log",
        }
    }
}
