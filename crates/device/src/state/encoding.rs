use super::{
    ALARMS_MAX, Alarms, CREDENTIALS_MAX, PARTS_MAX, Phase, Repair, RunningSoftware, Standing,
    StandingKind, State,
};
use crate::{
    cbor::{CborError, Fields, Map, Value, array, bytes_item, uint_item},
    event::{NamedRelease, details as d},
};
use crypto::UnixTime;
use ledger::Commitment;

const VERSION: u64 = 1;
/// Largest encoded state, in bytes: the limits on lists keep it below.
const BYTES_MAX: usize = 64 * 1024;

impl State {
    /// The one encoding of the state: compact, for the store and for passport files.
    pub fn encode(&self) -> Vec<u8> {
        let standing = match &self.standing {
            Standing::Good => None,
            Standing::Suspended { cause, by, sequence }
            | Standing::Revoked { cause, by, sequence } => Some(
                Map::new()
                    .uint(1, self.standing.kind().code().into())
                    .uint(2, cause.code().into())
                    .text(3, by.as_str())
                    .uint(4, *sequence)
                    .finish(),
            ),
        };
        let alarms = (self.alarms != Alarms::default()).then(|| alarms_item(&self.alarms));
        Map::new()
            .uint(1, VERSION)
            .bytes(2, self.device.as_bytes())
            .uint(3, self.kind.code().into())
            .uint(4, self.build.code().into())
            .with(self.product.as_ref(), |map, product| map.text(5, product.as_str()))
            .with(self.root_of_trust, |map, root| map.uint(6, root.code().into()))
            .with(self.key, |map, key| map.bytes(7, key.as_ref()))
            .text(8, self.maker.as_str())
            .text(9, self.owner.as_str())
            .text(10, self.holder.as_str())
            .with(self.shipped_to.as_ref(), |map, to| map.text(11, to.as_str()))
            .with(self.pending_transfer.as_ref(), |map, to| map.text(12, to.as_str()))
            .uint(13, self.phase.code().into())
            .uint(14, self.phase_since)
            .with(self.repair.as_ref(), |map, repair| {
                map.text(15, repair.repairer.as_str()).uint(16, repair.resume.code().into())
            })
            .with(standing, |map, standing| map.raw(17, &standing))
            .with((!self.parts.is_empty()).then_some(&self.parts), |map, parts| {
                map.array(18, parts.iter().map(d::part_item))
            })
            .with(self.installed_in, |map, host| map.bytes(19, host.as_bytes()))
            .with((!self.credentials.is_empty()).then_some(&self.credentials), |map, list| {
                map.array(20, list.iter().map(d::credential_item))
            })
            .with(alarms, |map, alarms| map.raw(21, &alarms))
            .uint(22, self.sequence)
            .bytes(23, self.head.0.as_ref())
            .int(24, self.last_at.0)
            .with(self.software.as_ref(), |map, software| map.raw(25, &software_item(software)))
            .with(self.failed_update, |map, sequence| map.uint(26, sequence))
            .finish()
    }

    /// Reads a state from its one encoding.
    ///
    /// # Errors
    /// [`CborError`]; also where the combination is one that no history adds up to.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > BYTES_MAX {
            return Err(CborError::TooLong(BYTES_MAX));
        }
        let mut f = Fields::read(bytes)?;
        let version = f.need(1)?.uint()?;
        if version != VERSION {
            return Err(CborError::Version(version));
        }
        let state = Self {
            device: d::device(f.need(2)?)?,
            kind: d::device_kind(f.need(3)?)?,
            build: d::build(f.need(4)?)?,
            product: f.take(5).map(d::product).transpose()?,
            root_of_trust: f.take(6).map(d::root_of_trust).transpose()?,
            key: f.take(7).map(d::digest).transpose()?,
            maker: d::organisation(f.need(8)?)?,
            owner: d::organisation(f.need(9)?)?,
            holder: d::organisation(f.need(10)?)?,
            shipped_to: f.take(11).map(d::organisation).transpose()?,
            pending_transfer: f.take(12).map(d::organisation).transpose()?,
            phase: phase(f.need(13)?)?,
            phase_since: f.need(14)?.uint()?,
            repair: match f.take(15) {
                Some(repairer) => Some(Repair {
                    repairer: d::organisation(repairer)?,
                    resume: phase(f.need(16)?)?,
                }),
                None => None,
            },
            standing: f.take(17).map_or(Ok(Standing::Good), standing)?,
            parts: f.take(18).map_or(Ok(Vec::new()), |v| d::parts(v, PARTS_MAX as u64))?,
            installed_in: f.take(19).map(d::device).transpose()?,
            credentials: match f.take(20) {
                Some(list) => list
                    .items(CREDENTIALS_MAX as u64)?
                    .into_iter()
                    .map(d::credential)
                    .collect::<Result<_, _>>()?,
                None => Vec::new(),
            },
            alarms: f.take(21).map_or(Ok(Alarms::default()), alarms)?,
            sequence: f.need(22)?.uint()?,
            head: Commitment(d::digest(f.need(23)?)?),
            last_at: UnixTime(f.need(24)?.int()?),
            software: f.take(25).map(software).transpose()?,
            failed_update: f.take(26).map(Value::uint).transpose()?,
        };
        f.finish()?;
        if let Some(what) = state.impossible() {
            return Err(CborError::Impossible(what));
        }
        if state.encode() != bytes {
            return Err(CborError::NotDeterministic);
        }
        Ok(state)
    }
}

fn software_item(software: &RunningSoftware) -> Vec<u8> {
    Map::new()
        .text(1, &software.release.version)
        .uint(2, software.release.release_counter)
        .uint(3, software.release.security_version)
        .uint(4, software.since)
        .int(5, software.at.0)
        .text(6, software.from.as_str())
        .finish()
}

fn software(value: Value<'_>) -> Result<RunningSoftware, CborError> {
    let mut f = value.fields()?;
    let software = RunningSoftware {
        release: NamedRelease {
            version: f.need(1)?.text(d::VERSION_MAX)?.to_owned(),
            release_counter: f.need(2)?.uint()?,
            security_version: f.need(3)?.uint()?,
        },
        since: f.need(4)?.uint()?,
        at: UnixTime(f.need(5)?.int()?),
        from: d::organisation(f.need(6)?)?,
    };
    f.finish()?;
    Ok(software)
}

fn phase(value: Value<'_>) -> Result<Phase, CborError> {
    Phase::from_code(value.uint()?).ok_or(value.bad("a phase"))
}

fn standing(value: Value<'_>) -> Result<Standing, CborError> {
    let mut f = value.fields()?;
    let kind = StandingKind::from_code(f.need(1)?.uint()?);
    let (cause, by) = (d::cause(f.need(2)?)?, d::organisation(f.need(3)?)?);
    let sequence = f.need(4)?.uint()?;
    f.finish()?;
    match kind {
        Some(StandingKind::Suspended) => Ok(Standing::Suspended { cause, by, sequence }),
        Some(StandingKind::Revoked) => Ok(Standing::Revoked { cause, by, sequence }),
        Some(StandingKind::Good) | None => Err(value.bad("suspended or revoked")),
    }
}

fn alarms_item(alarms: &Alarms) -> Vec<u8> {
    let keys = alarms
        .copied_keys
        .iter()
        .map(|(key, sequence)| array([bytes_item(key.as_ref()), uint_item(*sequence)]));
    let parts = alarms.duplicated_parts.iter().map(|(part, other, sequence)| {
        array([bytes_item(part.as_bytes()), bytes_item(other.as_bytes()), uint_item(*sequence)])
    });
    Map::new()
        .array(1, keys)
        .array(2, parts)
        .with(alarms.reappeared, |map, sequence| map.uint(3, sequence))
        .finish()
}

fn alarms(value: Value<'_>) -> Result<Alarms, CborError> {
    let mut f = value.fields()?;
    let most = ALARMS_MAX as u64;
    let mut alarms = Alarms::default();
    for item in f.need(1)?.items(most)? {
        let [key, sequence] = item.items(2)?.try_into().map_err(|_| item.bad("a copied key"))?;
        alarms.copied_keys.push((d::digest(key)?, sequence.uint()?));
    }
    for item in f.need(2)?.items(most)? {
        let [part, other, sequence] =
            item.items(3)?.try_into().map_err(|_| item.bad("a duplicated part"))?;
        alarms.duplicated_parts.push((d::device(part)?, d::device(other)?, sequence.uint()?));
    }
    alarms.reappeared = f.take(3).map(Value::uint).transpose()?;
    f.finish()?;
    Ok(alarms)
}
