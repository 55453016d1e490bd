use super::{Delta, Sealed};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the two places for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// the first
    A,
    /// the second
    B,
}

impl Slot {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

impl std::str::FromStr for Slot {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "a" => Ok(Self::A),
            "b" => Ok(Self::B),
            _ => Err(()),
        }
    }
}

/// What is known about the image in a slot. It was verified, whole, when this was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// path of the target
    pub target: String,
    /// length in bytes
    pub length: u64,
    /// SHA-256 in hexadecimal
    pub sha256: String,
    /// for people
    pub version: Option<String>,
    /// grows when a vulnerability is mended
    pub security_version: u64,
    /// grows with every release
    pub release_counter: u64,
}

/// An update that was verified and accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// the platform's number for it; none where the device follows a target by itself
    pub action: Option<String>,
    /// whose repository
    pub organisation: String,
    /// where the image lies below the repository's targets, percent-encoded
    pub address: String,
    /// what will be in the slot
    pub image: Image,
    /// it leads back to an earlier release
    pub back: bool,
    /// a healthy image waits for a person
    pub confirm_by_hand: bool,
    /// the file at `address` is sealed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// what makes the image from the one that runs; tried before the whole file
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Delta>,
}
