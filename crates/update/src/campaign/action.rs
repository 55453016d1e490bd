//! One device's part in a campaign.

use crypto::{Sha256, UnixTime};

/// Longest detail that a device may give, in characters.
pub const DETAIL_CHARS_MAX: usize = 500;

/// Declares an enumeration with stable numbers and names.
macro_rules! coded {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal $text:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every variant.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable number.
            pub fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The variant of a number.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads a stable name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(super) use coded;

coded! {
    /// What an action is for.
    pub enum Purpose {
        /// to the campaign's release
        Update = 1 "update",
        /// back to the release before
        RollBack = 2 "roll-back",
    }
}

coded! {
    /// How far an open action is. Later ones come later.
    pub enum Step {
        /// the device was told; nothing was heard since
        Offered = 1 "offered",
        /// it accepted, or waits for somebody to agree
        Accepted = 2 "accepted",
        /// it downloads
        Downloading = 3 "downloading",
        /// everything is there
        Downloaded = 4 "downloaded",
        /// it writes the other slot
        Installing = 5 "installing",
        /// written; the boot that confirms it is still to come
        Installed = 6 "installed",
    }
}

coded! {
    /// What a device says that it does. Doors translate their own words.
    pub enum Execution {
        /// accepted, or waiting for somebody to agree, or no more than alive
        Proceeding = 1 "proceeding",
        /// downloads
        Downloading = 2 "downloading",
        /// has everything
        Downloaded = 3 "downloaded",
        /// installs
        Installing = 4 "installing",
        /// installed, about to boot into it
        Installed = 5 "installed",
        /// booted into it, tested itself and keeps it
        Confirmed = 6 "confirmed",
        /// gave up, or booted back
        Failed = 7 "failed",
        /// somebody at the device said no, or its own rules did
        Rejected = 8 "rejected",
        /// stopped as it was told
        Cancelled = 9 "cancelled",
    }
}

coded! {
    /// What came of an action.
    pub enum Outcome {
        /// a boot into the release was confirmed
        Succeeded = 1 "succeeded",
        /// it was not
        Failed = 2 "failed",
        /// the release is not for this device, or it needs none
        Skipped = 3 "skipped",
        /// taken back before the device began; it may be offered again
        Withdrawn = 4 "withdrawn",
        /// stopped with the campaign
        Cancelled = 5 "cancelled",
    }
}

coded! {
    /// Why.
    pub enum Reason {
        /// confirmed by the device after a boot
        Confirmed = 1 "confirmed",
        /// the device reported a failure
        Reported = 2 "reported",
        /// the device said no
        Rejected = 3 "rejected",
        /// nothing was heard after the offer until the deadline
        Silent = 4 "silent",
        /// it began and was not through by the deadline
        Stuck = 5 "stuck",
        /// it downloaded the same again and again
        DownloadLoop = 6 "download-loop",
        /// it installed the same again and again
        InstallLoop = 7 "install-loop",
        /// it says that it is through and runs something else
        OtherSoftware = 8 "other-software",
        /// it runs an older release, or one of a lower security version, than it ran before
        Regressed = 9 "regressed",
        /// it never asked while its stage was open
        NeverAsked = 10 "never-asked",
        /// it runs this release, or a newer one
        Current = 11 "current",
        /// the release is for other hardware
        OtherHardware = 12 "other-hardware",
        /// the release is of a lower security version than what the device runs
        WouldDowngrade = 13 "would-downgrade",
        /// the device left the campaign: sold, or its owner's consent ended
        Left = 14 "left",
        /// the campaign was cancelled
        Cancelled = 15 "cancelled",
        /// the campaign paused before the device began
        Paused = 16 "paused",
    }
}

/// What a device says that it runs. Nothing is known where a field is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Software {
    /// kind of hardware
    pub hardware_id: Option<String>,
    /// version for people
    pub version: Option<String>,
    /// release counter
    pub release_counter: Option<u64>,
    /// security version
    pub security_version: Option<u64>,
    /// SHA-256 of the main artifact, or of what the device measures
    pub digest: Option<Sha256>,
    /// whether the device keeps it: false while it tries a new image out
    pub confirmed: bool,
}

impl Software {
    /// Whether this is older than `before`, or of a lower security version.
    pub fn is_behind(&self, before: &Self) -> bool {
        let less = |now: Option<u64>, then: Option<u64>| {
            now.zip(then).is_some_and(|(now, then)| now < then)
        };
        less(self.release_counter, before.release_counter)
            || less(self.security_version, before.security_version)
    }
}

/// What an action leads to: what decides about a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// kinds of hardware that it is for; empty: not said
    pub hardware_ids: Vec<String>,
    /// version for people
    pub version: String,
    /// release counter
    pub release_counter: u64,
    /// security version
    pub security_version: u64,
    /// SHA-256 of the artifacts
    pub digests: Vec<Sha256>,
}

impl Target {
    /// Whether a device that says this runs it.
    pub fn is(&self, software: &Software) -> bool {
        software.release_counter == Some(self.release_counter)
            && software.security_version.is_none_or(|version| version == self.security_version)
            && software.version.as_ref().is_none_or(|version| *version == self.version)
    }

    /// What a device says that runs it, as far as the release tells.
    pub fn software(&self) -> Software {
        Software {
            hardware_id: None,
            version: Some(self.version.clone()),
            release_counter: Some(self.release_counter),
            security_version: Some(self.security_version),
            digest: None,
            confirmed: true,
        }
    }

    /// Whether what a device says contradicts its running this. A digest counts only where nothing
    /// better was said: what a device measures need not be a file of the release.
    pub fn contradicts(&self, software: &Software) -> bool {
        match (software.release_counter, &software.version, software.digest) {
            (Some(_), _, _) => !self.is(software),
            (None, Some(version), _) => *version != self.version,
            (None, None, Some(digest)) => !self.digests.contains(&digest),
            (None, None, None) => false,
        }
    }
}

/// An open action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// what it is for
    pub purpose: Purpose,
    /// how far it is
    pub step: Step,
    /// when the device was told
    pub offered_at: UnixTime,
    /// until when it has to be through
    pub deadline: UnixTime,
    /// how often a download began
    pub downloads: u16,
    /// how often an installation began
    pub installs: u16,
}

impl Action {
    /// Whether the device has begun: from then on it is not taken back but cancelled.
    pub fn has_begun(&self) -> bool {
        self.step > Step::Offered
    }

    /// Takes up what the device does, and counts repetitions. Confirmation, failure and the like end
    /// an action and are not for here.
    pub(super) fn proceed(&mut self, execution: Execution) {
        let (step, before) = match execution {
            Execution::Proceeding => (Step::Accepted, self.step),
            Execution::Downloading => (Step::Downloading, self.step),
            Execution::Downloaded => (Step::Downloaded, self.step),
            Execution::Installing => (Step::Installing, self.step),
            Execution::Installed => (Step::Installed, self.step),
            _ => return,
        };
        // To be alive is no step back.
        if execution == Execution::Proceeding && before > Step::Accepted {
            return;
        }
        // Begun anew, or reported late by a door that skips a word: progress within is neither.
        let begins = |first: Step, last: Step| {
            (step == first && before != first) || (step == last && ![first, last].contains(&before))
        };
        if begins(Step::Downloading, Step::Downloaded) {
            self.downloads = self.downloads.saturating_add(1);
        }
        if begins(Step::Installing, Step::Installed) {
            self.installs = self.installs.saturating_add(1);
        }
        self.step = step;
    }
}

/// The newest that a campaign knows of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// it has an open action
    Open(Action),
    /// it is through
    Over {
        /// what the action was for
        purpose: Purpose,
        /// what came of it
        outcome: Outcome,
        /// why
        reason: Reason,
    },
}

impl Record {
    /// What the action is, or was, for.
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::Open(action) => action.purpose,
            Self::Over { purpose, .. } => *purpose,
        }
    }

    /// Whether a boot into the release was confirmed.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Over { outcome: Outcome::Succeeded, .. })
    }
}

/// What a device says about an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// what it does
    pub execution: Execution,
    /// how far it is with that, in percent
    pub progress: Option<u8>,
    /// in its own words, at most [`DETAIL_CHARS_MAX`] characters
    pub detail: Option<String>,
    /// what runs on it now
    pub installed: Option<Software>,
}
