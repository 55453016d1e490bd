//! Where the bytes of an image come from: a file that is sealed, a delta from the image that runs. Both
//! only change how the bytes travel: what will lie in the slot was signed for itself.

use super::Image;
use crate::Failure;
use serde::{Deserialize, Serialize};
use update::{Custom, client::Target, delta};

/// A file that is sealed, as it lies on the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// its length in bytes
    pub length: u64,
    /// its SHA-256 in hexadecimal
    pub sha256: String,
    /// base64 of tickets, one of which may open it
    pub tickets: Vec<String>,
}

/// What makes the image from the one that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    /// where it lies below the repository's targets, percent-encoded
    pub address: String,
    /// its length in bytes; where it is sealed, once it is opened
    pub length: u64,
    /// its SHA-256 in hexadecimal, likewise
    pub sha256: String,
    /// where it is sealed
    pub sealed: Option<Sealed>,
    /// what it starts from: length in bytes
    pub base_length: u64,
    /// and SHA-256 in hexadecimal
    pub base_sha256: String,
}

/// What will lie in the slot: length, SHA-256, and how the file is sealed.
///
/// # Errors
/// `not-an-image` for a delta.
pub(super) fn opened(
    target: &Target,
    sha256: String,
    custom: &Custom,
) -> Result<(u64, String, Option<Sealed>), Failure> {
    if custom.delta.is_some() {
        let detail = format!("{} is a delta and no image", target.path());
        return Err(Failure::refused("not-an-image", detail));
    }
    Ok(unsealed(target.length(), sha256, custom))
}

fn unsealed(length: u64, sha256: String, custom: &Custom) -> (u64, String, Option<Sealed>) {
    match custom.sealed {
        None => (length, sha256, None),
        Some(plain) => {
            let sealed = Sealed { length, sha256, tickets: Vec::new() };
            (plain.length, plain.sha256.to_string(), Some(sealed))
        }
    }
}

/// Decides about a delta that was offered for `image`: it must be vouched for by the same repository,
/// for this hardware, start from what runs, and make exactly the image that was accepted.
///
/// # Errors
/// `delta-refused`; the whole image is fetched then.
pub fn accept_delta(
    target: &Target,
    tickets: Vec<String>,
    hardware_id: &str,
    image: &Image,
    running: &Image,
) -> Result<Delta, Failure> {
    let refused = |why: &str| Failure::refused("delta-refused", format!("{} {why}", target.path()));
    let custom = target.custom().map_err(|error| refused(&error.to_string()))?;
    let Some(delta::Header { base, result }) = custom.delta else {
        return Err(refused("is not signed for as a delta"));
    };
    if !custom.is_for(hardware_id) {
        return Err(refused("is for other hardware"));
    }
    if (result.length, result.sha256.to_string()) != (image.length, image.sha256.clone()) {
        return Err(refused("makes another image than the one that was accepted"));
    }
    if (base.length, base.sha256.to_string()) != (running.length, running.sha256.clone()) {
        return Err(refused("starts from another image than the one that runs"));
    }
    let sha256 = target.hashes().get("sha256").ok_or_else(|| refused("has no SHA-256"))?;
    let (length, sha256, sealed) = unsealed(target.length(), sha256.to_owned(), &custom);
    Ok(Delta {
        address: target.address(),
        length,
        sha256,
        sealed: sealed.map(|sealed| Sealed { tickets, ..sealed }),
        base_length: base.length,
        base_sha256: base.sha256.to_string(),
    })
}
