//! The device's side: reads what was verified, and holds it against the image repository and the
//! log (Uptane Standard 2.1.0, "Full verification").

use super::{ASSIGNMENT, Addressee, AssignmentId, Directed, DirectorError, ECUS};
use crate::{
    MetadataError, ReleaseStatement,
    campaign::CampaignStatement,
    client::Target,
    custom::{Custom, MEMBER},
    fields::Fields,
    json::{Object, Value},
    path::TargetPath,
    root::Root,
    targets::{TargetFile, Targets},
};
use crypto::{Sha256, Verified};
use device::{DeviceId, OrganisationId};

/// What the director tells this device; `None`: nothing new.
///
/// # Errors
/// [`DirectorError`] but for [`DirectorError::Image`], [`DirectorError::SharedKey`] and
/// [`DirectorError::Logged`].
pub fn directed(
    targets: &Verified<Targets>,
    me: &Addressee,
    hardware_id: &str,
) -> Result<Option<Verified<Directed>>, DirectorError> {
    addressed(targets, me)?;
    if !targets.delegations.is_empty() {
        return Err(DirectorError::Delegates);
    }
    let mut all = targets.targets.iter();
    match (all.next(), targets.targets.len()) {
        (None, _) => Ok(None),
        (Some((path, file)), 1) => {
            let directed = read(path, file, &me.device)?;
            if directed.hardware_id != hardware_id {
                return Err(DirectorError::OtherHardware(directed.hardware_id));
            }
            Ok(Some(Verified::assertion(directed)))
        }
        (Some(_), count) => Err(DirectorError::SeveralTargets(count)),
    }
}

/// Whether the two repositories are two.
fn require_apart(director: &Verified<Root>, images: &Verified<Root>) -> Result<(), DirectorError> {
    if director.shares_a_key_with(images) {
        return Err(DirectorError::SharedKey);
    }
    Ok(())
}

/// Whether the image repository names the same file: path, length, hashes, hardware, counters. The
/// roots are those of the two repositories.
///
/// # Errors
/// [`DirectorError::Image`], [`DirectorError::SharedKey`], [`DirectorError::Malformed`].
pub fn require_image(
    directed: &Verified<Directed>,
    image: &Target,
    director_root: &Verified<Root>,
    image_root: &Verified<Root>,
) -> Result<(), DirectorError> {
    require_apart(director_root, image_root)?;
    let custom = image.custom()?;
    let sha256 = directed.sha256.to_string();
    let agrees = [
        ("path", *image.path() == directed.path),
        ("length", image.length() == directed.length),
        ("SHA-256", image.hashes().get("sha256") == Some(sha256.as_str())),
        ("hardware id", custom.is_for(&directed.hardware_id)),
        ("release counter", custom.release_counter == Some(directed.release_counter)),
        ("security version", custom.security_version == Some(directed.security_version)),
        ("version", custom.version.as_ref() == Some(&directed.version)),
    ];
    match agrees.into_iter().find(|(_, agrees)| !agrees) {
        None => Ok(()),
        Some((what, _)) => Err(DirectorError::Image(what)),
    }
}

/// Whether the log was told of the same assignment: campaign, release, counters.
///
/// # Errors
/// [`DirectorError::Logged`].
pub fn require_logged(
    directed: &Verified<Directed>,
    logged: &Verified<(CampaignStatement, ReleaseStatement)>,
) -> Result<(), DirectorError> {
    let (campaign, release) = &**logged;
    let AssignmentId { campaign: of, release: id, .. } = directed.assignment;
    let file = release.artifacts.iter().find(|one| one.path == directed.path.as_str());
    let agrees = [
        ("campaign", campaign.campaign == of),
        ("release", campaign.release == Some(id) && release.release == hex::encode(id)),
        ("SHA-256", file.is_some_and(|file| file.sha256 == directed.sha256)),
        ("length", file.is_some_and(|file| file.length == directed.length)),
        ("release counter", release.release_counter == directed.release_counter),
        ("security version", release.security_version == directed.security_version),
    ];
    match agrees.into_iter().find(|(_, agrees)| !agrees) {
        None => Ok(()),
        Some((what, _)) => Err(DirectorError::Logged(what)),
    }
}

fn addressed(targets: &Targets, me: &Addressee) -> Result<(), DirectorError> {
    const PLACE: &str = "signed.tegata";
    let value = targets.member(MEMBER).cloned();
    let value = value.ok_or_else(|| MetadataError::malformed(PLACE, "is missing"))?;
    let mut fields = Fields::new(value, PLACE)?;
    let bad = |field: &str| MetadataError::malformed(format!("{PLACE}.{field}"), "cannot be read");
    let director = fields.string("director")?;
    let director = OrganisationId::new(&director).map_err(|_| bad("director"))?;
    let device = device_id(&fields.string("device")?).ok_or_else(|| bad("device"))?;
    let key = fields.string("key")?;
    let key = Sha256::from_hex(&key).filter(|digest| digest.to_string() == key);
    let key = key.ok_or_else(|| bad("key"))?;
    if director != me.director {
        return Err(DirectorError::OtherDirector(director));
    }
    if device != me.device {
        return Err(DirectorError::OtherDevice(device));
    }
    if key != me.key {
        return Err(DirectorError::OtherKey);
    }
    Ok(())
}

fn read(path: &str, file: &TargetFile, device: &DeviceId) -> Result<Directed, DirectorError> {
    let bad = |field: &str, reason: &str| MetadataError::malformed(field, reason);
    let custom = Custom::read(file.custom.as_ref())?;
    let hardware_id = ecu(file.custom.as_ref(), device)?;
    if custom.hardware_ids != [hardware_id.as_str()] {
        return Err(bad("custom.tegata.hardware_ids", "is not the hardware of the ECU").into());
    }
    let sha256 = file.hashes.get("sha256").and_then(Sha256::from_hex);
    let assignment = custom.other.get(ASSIGNMENT).cloned().unwrap_or(Value::Null);
    let mut fields = Fields::new(assignment, "custom.tegata.assignment")?;
    let mut id = |field: &str| -> Result<[u8; 16], MetadataError> {
        let text = fields.string(field)?;
        let mut out = [0; 16];
        hex::decode_to_slice(&text, &mut out)
            .ok()
            .filter(|()| hex::encode(out) == text)
            .map(|()| out)
            .ok_or_else(|| bad(field, "is not 32 lower-case hexadecimal digits"))
    };
    let (campaign, release) = (id("campaign")?, id("release")?);
    let action = fields.number("action")?;
    Ok(Directed {
        path: TargetPath::new(path).map_err(|error| bad("signed.targets", &error.to_string()))?,
        length: file.length,
        sha256: sha256.ok_or_else(|| bad("hashes", "has no sha256"))?,
        hardware_id,
        version: custom.version.ok_or_else(|| bad("custom.tegata.version", "is missing"))?,
        security_version: custom
            .security_version
            .ok_or_else(|| bad("custom.tegata.security_version", "is missing"))?,
        release_counter: custom
            .release_counter
            .ok_or_else(|| bad("custom.tegata.release_counter", "is missing"))?,
        assignment: AssignmentId { action, campaign, release },
    })
}

/// The hardware id of this device among the ECUs of a target: it is the only one.
fn ecu(custom: Option<&Object>, device: &DeviceId) -> Result<String, DirectorError> {
    let value = custom.and_then(|custom| custom.get(ECUS)).cloned().unwrap_or(Value::Null);
    let mut ecus = Fields::new(value, ECUS)?.rest().into_iter();
    let (name, value) = match (ecus.next(), ecus.next()) {
        (Some(one), None) => one,
        _ => return Err(MetadataError::malformed(ECUS, "must name one ECU").into()),
    };
    let id = device_id(&name).ok_or_else(|| MetadataError::malformed(ECUS, "names no device"))?;
    if id != *device {
        return Err(DirectorError::OtherDevice(id));
    }
    Ok(Fields::new(value, ECUS)?.string("hardwareId")?)
}

/// The one form of a device id.
fn device_id(text: &str) -> Option<DeviceId> {
    text.parse().ok().filter(|id: &DeviceId| id.to_string() == text)
}
