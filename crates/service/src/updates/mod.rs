//! Secure update, the server's side: files, releases and their gate, image repositories.
//!
//! docs/release.md has shapes, limits and the order of things.

/// Declares an id of 16 random bytes.
macro_rules! id_type {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            pub(crate) fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::UpdateIdError;
            fn from_str(text: &str) -> Result<Self, crate::UpdateIdError> {
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| crate::UpdateIdError)?;
                Ok(Self(bytes))
            }
        }
    };
}

mod assignment;
mod attachments;
mod blobs;
mod campaigns;
mod content;
mod directions;
mod director;
mod disk;
mod door;
mod forms;
mod freshness;
mod gate;
mod images;
mod japanese;
mod keeper;
mod members;
mod proof;
mod publication;
mod publish;
mod recall;
mod releases;
mod repository;
mod self_test;
mod steps;
mod terms;
mod ticker;

pub use assignment::{
    Assignment, DETAIL_CHARS_MAX as FEEDBACK_CHARS_MAX, DeviceSoftware, Execution, Feedback,
    POLL_S as UPDATE_POLL_S, Poll, Purpose, UpdateDecision,
};
pub use attachments::{Attachment, AttachmentKind, AttachmentSummary, NewAttachment};
pub use blobs::{BlobReader, BlobWriter, NewUpload, UploadId, UploadState, UploadView};
pub use campaigns::{
    CampaignDevice, CampaignDeviceFilter, CampaignId, CampaignMoment, CampaignPreview,
    CampaignView, ConsentView, NewCampaign, TRIAL_MEMBERS_MAX,
};
pub use content::AssignedArtifact;
pub(crate) use content::Content;
pub(crate) use directions::Directions;
pub use director::DirectorView;
pub(crate) use director::Online as DirectorOnline;
pub use door::{
    GATEWAY_DEVICES_MAX, IssuedUpdateToken, UPDATE_TOKEN_DAYS_MAX, UpdateDoor, UpdateTokenKind,
    UpdateTokenView,
};
pub use forms::{AssignedDelta, AssignedSealing, GROUP_TICKETS_MAX, Sealing, TICKETS_MAX};
pub use freshness::{FREEZE_TOLERANCE_S, KnownMetadata, SEEN_MAX, SeenMetadata};
pub use gate::{Gate, GateItem};
pub(crate) use japanese::of as japanese;
pub(crate) use keeper::{State, keep_blobs};
pub use publish::{ReleaseProof, ReleaseSeen};
pub use releases::{
    Artifact, NewArtifact, NewRelease, ReleaseId, ReleaseQuery, ReleaseState, ReleaseView,
};
pub use repository::{OnlineKey, RepositoryView, RoleState, SignedMetadata};
pub use self_test::{SELF_TESTS_MAX, SelfTestFinding, SelfTestOutcome, SelfTestView};
pub(crate) use ticker::tend_campaigns;

/// Not the form of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id of an upload or a release has 32 hexadecimal digits")]
pub struct UpdateIdError;
