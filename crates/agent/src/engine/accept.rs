//! Whether a verified target may be installed here.

use super::{Image, Plan, State};
use crate::Failure;
use update::client::Target;

/// Longest version for people, in bytes: hooks and the platform are told it.
const VERSION_BYTES_MAX: usize = 128;

/// Something to install: the target was verified, nothing has been decided.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// the platform's number for it
    pub action: Option<String>,
    /// whose repository
    pub organisation: String,
    /// what the repository says
    pub target: &'a Target,
    /// the lowest security version that the platform allows
    pub floor: u64,
    /// it leads back to an earlier release, and this device lets itself be led: the counter may go
    /// back, the security version not
    pub back: bool,
    /// a healthy image waits for a person
    pub confirm_by_hand: bool,
}

/// Decides about an offer. `running` is what runs now, as far as it is known.
///
/// # Errors
/// `wrong-hardware`, `release-unmarked`, `release-version`, `below-floor`, `security-rollback`, `release-rollback`,
/// `no-sha256`, `not-an-image`, and `malformed-metadata`.
pub fn accept(
    offer: Offer<'_>,
    hardware_id: &str,
    floor: u64,
    state: &State,
    running: Option<&Image>,
) -> Result<Plan, Failure> {
    let target = offer.target;
    let custom = target
        .custom()
        .map_err(|error| Failure::refused("malformed-metadata", error.to_string()))?;
    let path = target.path().as_str();
    if !custom.is_for(hardware_id) {
        let ids = custom.hardware_ids.join(", ");
        let detail = format!("{path} is for {ids:?} and this is {hardware_id:?}");
        return Err(Failure::refused("wrong-hardware", detail));
    }
    let (Some(security_version), Some(release_counter)) =
        (custom.security_version, custom.release_counter)
    else {
        let detail = format!(
            "{path} does not say its security_version and release_counter; without them going back \
             cannot be told from going on"
        );
        return Err(Failure::refused("release-unmarked", detail));
    };
    let plain = |version: &String| {
        (1..=VERSION_BYTES_MAX).contains(&version.len())
            && !version.starts_with('-')
            && !version.chars().any(char::is_control)
    };
    if !custom.version.as_ref().is_none_or(plain) {
        let detail = format!(
            "the version of {path} is empty, longer than 128 bytes, has control characters or begins \
             with -, which would be an option to a command"
        );
        return Err(Failure::refused("release-version", detail));
    }
    let floor = floor.max(offer.floor);
    if security_version < floor {
        let detail = format!("{path} has security version {security_version}, {floor} is required");
        return Err(Failure::refused("below-floor", detail));
    }
    let seen = running.map_or(0, |image| image.security_version).max(state.security_version);
    if security_version < seen {
        let detail = format!("{path} has security version {security_version}, {seen} was there");
        return Err(Failure::refused("security-rollback", detail));
    }
    let sha256 = target.hashes().get("sha256").map(str::to_owned);
    let sha256 = sha256.ok_or_else(|| {
        Failure::refused("no-sha256", format!("{path} has no SHA-256 in its metadata"))
    })?;
    let (length, sha256, sealed) = super::source::opened(target, sha256, &custom)?;
    let seen = running.map_or(0, |image| image.release_counter).max(state.release_counter);
    // The same release again is no step back where it is the same file, such as after a failure.
    let same = running.is_none_or(|image| image.sha256 == sha256);
    if !offer.back && (release_counter < seen || (release_counter == seen && !same)) {
        let detail = format!("{path} has release counter {release_counter}, {seen} was there");
        return Err(Failure::refused("release-rollback", detail));
    }
    Ok(Plan {
        action: offer.action,
        organisation: offer.organisation,
        address: target.address(),
        image: Image {
            target: path.to_owned(),
            length,
            sha256,
            version: custom.version,
            security_version,
            release_counter,
        },
        back: offer.back,
        confirm_by_hand: offer.confirm_by_hand,
        sealed,
        delta: None,
    })
}
