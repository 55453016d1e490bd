//! The details of each kind as a CBOR map; docs/event.md lists the fields.

use super::kind::{
    Build, Cause, Credential, CredentialProfile, EventKind, Kind, NamedRelease, Part, UpdateResult,
};
use crate::{
    DeviceId, DeviceKind, OrganisationId, ProductId, ReasonCode, RootOfTrust,
    cbor::{CborError, Fields, Map, Value, uint_item},
};
use crypto::{Sha256, UnixTime};

/// Most parts in one event.
pub(crate) const PARTS_MAX: usize = 256;
/// Most sequence numbers in one event of erasure.
pub(crate) const ERASED_MAX: usize = 1024;
/// Longest free text in details, in bytes.
pub(crate) const TEXT_MAX: usize = 200;
/// Longest reason in words, in bytes.
pub(crate) const REASON_MAX: usize = 1200;
/// Longest version of a release, in bytes.
pub(crate) const VERSION_MAX: usize = 128;

pub(super) fn encode(kind: &EventKind) -> Vec<u8> {
    let map = Map::new();
    match kind {
        EventKind::ChipMade { build, product, root_of_trust, key } => map
            .uint(1, build.code().into())
            .with(product.as_ref(), |map, product| map.text(2, product.as_str()))
            .uint(3, root_of_trust.code().into())
            .bytes(4, key.as_ref()),
        EventKind::Assembled { kind, build, product, root_of_trust, key, parts } => map
            .uint(1, build.code().into())
            .text(2, product.as_str())
            .with(*root_of_trust, |map, root| map.uint(3, root.code().into()))
            .with(*key, |map, key| map.bytes(4, key.as_ref()))
            .uint(5, kind.code().into())
            .array(6, parts.iter().map(part_item)),
        EventKind::PartInstalled { part } => map.raw(1, &part_item(part)),
        EventKind::PartRemoved { part } => map.bytes(1, part.as_bytes()),
        EventKind::InstalledInto { host } => map.bytes(1, host.as_bytes()),
        EventKind::RemovedFrom { host, holder } => {
            map.bytes(1, host.as_bytes()).text(2, holder.as_str())
        }
        EventKind::CredentialIssued(credential) => return credential_item(credential),
        EventKind::CredentialRevoked { certificate, cause } => {
            map.bytes(1, certificate.as_ref()).uint(2, cause.code().into())
        }
        EventKind::Tested { passed, standard } => {
            map.boolean(1, *passed).with(standard.as_ref(), |map, standard| map.text(2, standard))
        }
        EventKind::Shipped { to } | EventKind::TransferOffered { to } => map.text(1, to.as_str()),
        EventKind::Received { from } | EventKind::TransferAccepted { from } => {
            map.text(1, from.as_str())
        }
        EventKind::Onboarded { owner } => map.text(1, owner.as_str()),
        EventKind::OperationStarted
        | EventKind::TransferCancelled
        | EventKind::RepairFinished
        | EventKind::Released => map,
        EventKind::RepairStarted { repairer, fault } => {
            map.text(1, repairer.as_str()).with(fault.as_ref(), |map, fault| map.text(2, fault))
        }
        EventKind::PartExchanged { old, new } => {
            map.bytes(1, old.as_bytes()).raw(2, &part_item(new))
        }
        EventKind::Suspended { cause }
        | EventKind::Revoked { cause }
        | EventKind::Retired { cause } => map.uint(1, cause.code().into()),
        EventKind::Disposed { erasure_proof } => {
            map.with(*erasure_proof, |map, proof| map.bytes(1, proof.as_ref()))
        }
        EventKind::Reappeared { key } => map.with(*key, |map, key| map.bytes(1, key.as_ref())),
        EventKind::ProofRefused { reason, key, counters } => map
            .uint(1, reason.code().into())
            .with(*key, |map, key| map.bytes(2, key.as_ref()))
            .with(*counters, |map, (highest, presented)| map.uint(3, highest).uint(4, presented)),
        EventKind::PartSeenElsewhere { part, other } => {
            map.bytes(1, part.as_bytes()).bytes(2, other.as_bytes())
        }
        EventKind::Erased { sequences } => {
            map.array(1, sequences.iter().map(|sequence| uint_item(*sequence)))
        }
        EventKind::Updated { result, release, campaign, reason } => map
            .uint(1, result.code().into())
            .text(2, &release.version)
            .uint(3, release.release_counter)
            .uint(4, release.security_version)
            .with(campaign.as_ref(), |map, campaign| map.bytes(5, campaign))
            .with(reason.as_ref(), |map, reason| map.text(6, reason)),
    }
    .finish()
}

pub(super) fn decode(kind: Kind, value: Value<'_>) -> Result<EventKind, CborError> {
    let mut f = value.fields()?;
    let event = match kind {
        Kind::ChipMade => EventKind::ChipMade {
            build: build(f.need(1)?)?,
            product: f.take(2).map(product).transpose()?,
            root_of_trust: root_of_trust(f.need(3)?)?,
            key: digest(f.need(4)?)?,
        },
        Kind::Assembled => EventKind::Assembled {
            build: build(f.need(1)?)?,
            product: product(f.need(2)?)?,
            root_of_trust: f.take(3).map(root_of_trust).transpose()?,
            key: f.take(4).map(digest).transpose()?,
            kind: assembled_kind(f.need(5)?)?,
            parts: parts(f.need(6)?, PARTS_MAX as u64)?,
        },
        Kind::PartInstalled => EventKind::PartInstalled { part: part(f.need(1)?)? },
        Kind::PartRemoved => EventKind::PartRemoved { part: device(f.need(1)?)? },
        Kind::InstalledInto => EventKind::InstalledInto { host: device(f.need(1)?)? },
        Kind::RemovedFrom => {
            EventKind::RemovedFrom { host: device(f.need(1)?)?, holder: organisation(f.need(2)?)? }
        }
        Kind::CredentialIssued => EventKind::CredentialIssued(credential_fields(&mut f)?),
        Kind::CredentialRevoked => EventKind::CredentialRevoked {
            certificate: digest(f.need(1)?)?,
            cause: cause(f.need(2)?)?,
        },
        Kind::Tested => EventKind::Tested {
            passed: f.need(1)?.boolean()?,
            standard: f.take(2).map(line).transpose()?,
        },
        Kind::Shipped => EventKind::Shipped { to: organisation(f.need(1)?)? },
        Kind::Received => EventKind::Received { from: organisation(f.need(1)?)? },
        Kind::Onboarded => EventKind::Onboarded { owner: organisation(f.need(1)?)? },
        Kind::OperationStarted => EventKind::OperationStarted,
        Kind::TransferOffered => EventKind::TransferOffered { to: organisation(f.need(1)?)? },
        Kind::TransferAccepted => EventKind::TransferAccepted { from: organisation(f.need(1)?)? },
        Kind::TransferCancelled => EventKind::TransferCancelled,
        Kind::RepairStarted => EventKind::RepairStarted {
            repairer: organisation(f.need(1)?)?,
            fault: f.take(2).map(line).transpose()?,
        },
        Kind::PartExchanged => {
            EventKind::PartExchanged { old: device(f.need(1)?)?, new: part(f.need(2)?)? }
        }
        Kind::RepairFinished => EventKind::RepairFinished,
        Kind::Suspended => EventKind::Suspended { cause: cause(f.need(1)?)? },
        Kind::Released => EventKind::Released,
        Kind::Revoked => EventKind::Revoked { cause: cause(f.need(1)?)? },
        Kind::Retired => EventKind::Retired { cause: cause(f.need(1)?)? },
        Kind::Disposed => EventKind::Disposed { erasure_proof: f.take(1).map(digest).transpose()? },
        Kind::Reappeared => EventKind::Reappeared { key: f.take(1).map(digest).transpose()? },
        Kind::ProofRefused => EventKind::ProofRefused {
            reason: reason(f.need(1)?)?,
            key: f.take(2).map(digest).transpose()?,
            counters: match f.take(3) {
                Some(highest) => Some((highest.uint()?, f.need(4)?.uint()?)),
                None => None,
            },
        },
        Kind::PartSeenElsewhere => {
            EventKind::PartSeenElsewhere { part: device(f.need(1)?)?, other: device(f.need(2)?)? }
        }
        Kind::Erased => EventKind::Erased { sequences: sequences(f.need(1)?)? },
        Kind::Updated => {
            let result = f.need(1)?;
            EventKind::Updated {
                result: UpdateResult::from_code(result.uint()?)
                    .ok_or(result.bad("a result of an update"))?,
                release: NamedRelease {
                    version: f.need(2)?.text(VERSION_MAX)?.to_owned(),
                    release_counter: f.need(3)?.uint()?,
                    security_version: f.need(4)?.uint()?,
                },
                campaign: f.take(5).map(Value::array_of).transpose()?,
                reason: f.take(6).map(line).transpose()?,
            }
        }
    };
    f.finish()?;
    Ok(event)
}

fn sequences(value: Value<'_>) -> Result<Vec<u64>, CborError> {
    let items = value.items(ERASED_MAX as u64)?;
    let sequences: Vec<u64> = items.into_iter().map(Value::uint).collect::<Result<_, _>>()?;
    if sequences.is_empty() || !sequences.is_sorted_by(|a, b| a < b) {
        return Err(value.bad("a list of ascending numbers"));
    }
    Ok(sequences)
}

pub(crate) fn credential_item(credential: &Credential) -> Vec<u8> {
    Map::new()
        .bytes(1, credential.certificate.as_ref())
        .bytes(2, credential.key.as_ref())
        .uint(3, credential.profile.code().into())
        .text(4, credential.organisation.as_str())
        .int(5, credential.not_after.0)
        .finish()
}

pub(crate) fn credential(value: Value<'_>) -> Result<Credential, CborError> {
    let mut fields = value.fields()?;
    let credential = credential_fields(&mut fields)?;
    fields.finish()?;
    Ok(credential)
}

fn credential_fields(f: &mut Fields<'_>) -> Result<Credential, CborError> {
    let (certificate, key) = (digest(f.need(1)?)?, digest(f.need(2)?)?);
    let profile = f.need(3)?;
    Ok(Credential {
        certificate,
        key,
        profile: CredentialProfile::from_code(profile.uint()?)
            .ok_or(profile.bad("a credential profile"))?,
        organisation: organisation(f.need(4)?)?,
        not_after: UnixTime(f.need(5)?.int()?),
    })
}

pub(crate) fn part_item(part: &Part) -> Vec<u8> {
    Map::new().bytes(1, part.device.as_bytes()).uint(2, part.kind.code().into()).finish()
}

pub(crate) fn part(value: Value<'_>) -> Result<Part, CborError> {
    let mut fields = value.fields()?;
    let part = Part { device: device(fields.need(1)?)?, kind: device_kind(fields.need(2)?)? };
    fields.finish()?;
    Ok(part)
}

/// A parts list: ascending by id, no part twice.
pub(crate) fn parts(value: Value<'_>, most: u64) -> Result<Vec<Part>, CborError> {
    let parts: Vec<Part> = value.items(most)?.into_iter().map(part).collect::<Result<_, _>>()?;
    if !parts.is_sorted_by(|a, b| a.device < b.device) {
        return Err(value.bad("a parts list ascending by device id"));
    }
    Ok(parts)
}

pub(crate) fn device(value: Value<'_>) -> Result<DeviceId, CborError> {
    value.array_of().map(DeviceId::from_bytes)
}

pub(crate) fn digest(value: Value<'_>) -> Result<Sha256, CborError> {
    value.array_of().map(Sha256)
}

pub(crate) fn organisation(value: Value<'_>) -> Result<OrganisationId, CborError> {
    OrganisationId::new(value.text(40)?).map_err(|_| value.bad("an organisation id"))
}

pub(crate) fn product(value: Value<'_>) -> Result<ProductId, CborError> {
    ProductId::new(value.text(40)?).map_err(|_| value.bad("a product id"))
}

pub(crate) fn device_kind(value: Value<'_>) -> Result<DeviceKind, CborError> {
    DeviceKind::from_code(value.uint()?).ok_or(value.bad("a kind of device"))
}

pub(crate) fn root_of_trust(value: Value<'_>) -> Result<RootOfTrust, CborError> {
    RootOfTrust::from_code(value.uint()?).ok_or(value.bad("a root of trust"))
}

pub(crate) fn build(value: Value<'_>) -> Result<Build, CborError> {
    Build::from_code(value.uint()?).ok_or(value.bad("prototype or mass production"))
}

pub(crate) fn cause(value: Value<'_>) -> Result<Cause, CborError> {
    Cause::from_code(value.uint()?).ok_or(value.bad("a cause"))
}

pub(crate) fn line(value: Value<'_>) -> Result<String, CborError> {
    value.text(TEXT_MAX).map(str::to_owned)
}

pub(crate) fn reason_given(value: Value<'_>) -> Result<String, CborError> {
    value.text(REASON_MAX).map(str::to_owned)
}

fn assembled_kind(value: Value<'_>) -> Result<DeviceKind, CborError> {
    match device_kind(value)? {
        DeviceKind::Chip => Err(value.bad("a module, board or device")),
        kind => Ok(kind),
    }
}

fn reason(value: Value<'_>) -> Result<ReasonCode, CborError> {
    ReasonCode::from_code(value.uint()?).ok_or(value.bad("a reason code"))
}
