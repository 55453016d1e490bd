//! Connections that owners and devices tell of are held against what the maker says.

use super::KeptMud;
use crate::{
    Service, ServiceError,
    live::found,
    store::{
        Tx, device as devices, mud as versions, mud_outside as store, mud_seen as doors,
        organisation as organisations, purpose,
    },
};
use ::behaviour::mud::{Answer, Connection, Direction, Door, FLOWS_MAX, Flow};
use admission::device_log::{LogEntry, LogKind, LogOutcome};
use audit::{Kind, Outcome, SecurityEvent};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId};
use policy::{Action, Caller, Resource};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

/// Connections of a device that are kept by each one's word; those that were not seen for longest go.
pub(super) const KEPT: usize = 64;
/// For how long a connection that was told of is not told of again, in seconds.
const QUIET_S: i64 = 86_400;
/// Security events that a device's connections make in an hour by each one's word: a device that was taken
/// over does not silence its owner.
const TOLD_MAX: u32 = 20;

/// Who says that a device had a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideSource {
    /// the device, in its log
    Device,
    /// its owner
    Owner,
}

impl OutsideSource {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Owner => "owner",
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Device => 1,
            Self::Owner => 2,
        }
    }

    pub(super) fn of(code: u8) -> Self {
        if code == 1 { Self::Device } else { Self::Owner }
    }
}

/// What came of flows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowsJudged {
    /// flows that the file allows
    pub allowed: u64,
    /// flows of which the file alone does not tell: it names what the owner's network knows
    pub unknown: u64,
    /// flows of devices whose maker keeps no file here
    pub without: u64,
    /// flows that it does not allow, of each device
    pub outside: Vec<(DeviceId, Connection)>,
}

/// A connection that was found to be outside, on its way to the store.
struct Found {
    row: i64,
    device: DeviceId,
    connection: Connection,
    times: u32,
    line: String,
    product: i64,
    version: u64,
}

/// A door that a device connected to, on its way to the store.
struct Seen {
    row: i64,
    device: DeviceId,
    product: i64,
    door: Door,
}

impl Service {
    /// Holds what an owner saw of its devices' connections against what their maker says. What it does
    /// not allow is put down, and told by a security event. All of it, or where a device is not the
    /// organisation's, nothing.
    ///
    /// # Errors
    /// `not-found`, `role`; `flows` where there are none, or too many.
    pub async fn report_flows(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        flows: Vec<Flow>,
    ) -> Result<FlowsJudged, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReportFlows, &resource)?;
        if !(1..=FLOWS_MAX).contains(&flows.len()) {
            let message = format!("1 to {FLOWS_MAX} flows at a time; hand in the rest after them");
            return Err(ServiceError::malformed("flows", message).in_japanese(format!(
                "通信は1回に1〜{FLOWS_MAX}件です。残りは続けて送ってください"
            )));
        }
        let owner = self.organisation_row(organisation.as_str())?.id;
        let service = self.clone();
        let (judged, outside, seen) =
            self.pool.begin(move || service.judge_flows(owner, flows)).outcome().await??;
        if !outside.is_empty() || !seen.is_empty() {
            let (actor, slug, now) = (caller.to_string(), organisation.to_string(), self.now());
            self.commit(move |tx| {
                // They may have been sold since.
                let still = |device: &DeviceId| {
                    let known = devices::device(tx, device.as_bytes())?;
                    match known.is_some_and(|known| known.owner == owner) {
                        true => Ok(()),
                        false => Err(ServiceError::not_found("device")),
                    }
                };
                let all = outside.iter().map(|one| &one.device);
                let all: BTreeSet<_> = all.chain(seen.iter().map(|one| &one.device)).collect();
                all.into_iter().try_for_each(still)?;
                for one in &outside {
                    put_down(tx, (owner, &slug), one, (OutsideSource::Owner, &actor), now)?;
                }
                for one in &seen {
                    doors::note(tx, (one.row, owner, one.product), &one.door.to_string(), now)?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(judged)
    }

    fn judge_flows(
        &self,
        owner: i64,
        flows: Vec<Flow>,
    ) -> Result<(FlowsJudged, Vec<Found>, Vec<Seen>), ServiceError> {
        // The same again is the same, more often.
        let mut gathered: BTreeMap<(DeviceId, String), (Connection, u32)> = BTreeMap::new();
        for flow in flows {
            let key = (flow.device, flow.connection.to_string());
            let (_, times) = gathered.entry(key).or_insert((flow.connection, 0));
            *times = times.saturating_add(flow.times);
        }
        let mut known: HashMap<DeviceId, (i64, Option<Watched>)> = HashMap::new();
        let (mut judged, mut outside) = (FlowsJudged::default(), Vec::new());
        let mut seen = Vec::new();
        for ((device, _), (connection, times)) in gathered {
            let (row, watched) = match known.entry(device) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let row = self.read(|store| devices::device(store, device.as_bytes()))?;
                    let row = found(row.filter(|row| row.owner == owner), "device")?;
                    let watched = match row.product {
                        Some(product) => Some(self.watched(product)?),
                        None => None,
                    };
                    place.insert((row.id, watched))
                }
            };
            let known = watched.as_ref().zip(Door::of(&connection));
            seen.extend(known.map(|(it, door)| Seen {
                row: *row,
                device,
                product: it.product,
                door,
            }));
            let held = watched.as_ref().and_then(|it| Some((it, it.kept.as_ref()?)));
            let count = match held.map(|(it, kept)| (it, kept, kept.mud.check(&connection))) {
                None => &mut judged.without,
                Some((_, _, Answer::Allowed(_))) => &mut judged.allowed,
                Some((_, _, Answer::Unknown(_))) => &mut judged.unknown,
                Some((watched, kept, Answer::Denied)) => {
                    judged.outside.push((device, connection.clone()));
                    outside.push(watched.found(kept, (*row, device), connection, times));
                    continue;
                }
            };
            *count = count.saturating_add(times.into());
        }
        Ok((judged, outside, seen))
    }

    /// What a product line's maker says.
    fn watched(&self, product: i64) -> Result<Watched, ServiceError> {
        let kept = self.kept_mud(product)?;
        let row = self.read(|connection| organisations::product_by_id(connection, product))?;
        let row = found(row, "product line")?;
        let maker = self.organisation_of(row.organisation)?.slug;
        Ok(Watched { line: format!("{maker}/{}", row.slug), product, kept })
    }

    /// What is to be looked at in a log that a device tells: nothing where it tells of no connection.
    pub(crate) fn watched_log<'a>(
        &self,
        device: i64,
        entries: impl IntoIterator<Item = &'a LogEntry>,
    ) -> Result<Option<Watched>, ServiceError> {
        if !entries.into_iter().any(|entry| connection_of(entry).is_some()) {
            return Ok(None);
        }
        let of = self.read(|connection| purpose::owner_and_product(connection, device))?;
        match of.and_then(|(_, product)| product) {
            Some(product) => self.watched(product).map(Some),
            None => Ok(None),
        }
    }
}

/// What the maker of a device says, to be held against what the device tells.
pub(crate) struct Watched {
    /// `None`: it says nothing
    kept: Option<Arc<KeptMud>>,
    /// `MAKER/PRODUCT`
    line: String,
    product: i64,
}

impl Watched {
    fn found(
        &self,
        kept: &KeptMud,
        (row, device): (i64, DeviceId),
        connection: Connection,
        times: u32,
    ) -> Found {
        let (line, product, version) = (self.line.clone(), self.product, kept.version);
        Found { row, device, connection, times, line, product, version }
    }

    /// Puts down what an entry of a device's own log tells that the file does not allow.
    pub(crate) fn look_at(
        &self,
        tx: &mut Tx<'_>,
        (device, owner): ((i64, &str), (i64, &str)),
        entry: &LogEntry,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let Some(connection) = connection_of(entry) else { return Ok(()) };
        let Ok(id) = device.1.parse::<DeviceId>() else { return Ok(()) };
        // At which time it was is not known without a clock.
        if entry.boot.is_some() {
            return Ok(());
        }
        // What was before this owner is none of its business.
        if versions::owned_since(tx, device.0)?.is_some_and(|since| entry.time < since.0) {
            return Ok(());
        }
        if let Some(door) = Door::of(&connection) {
            doors::note(tx, (device.0, owner.0, self.product), &door.to_string(), now)?;
        }
        let Some(kept) = &self.kept else { return Ok(()) };
        // What was before this version was under another, or none.
        if entry.time < kept.made_at.0 || kept.mud.check(&connection) != Answer::Denied {
            return Ok(());
        }
        let found = self.found(kept, (device.0, id), connection, 1);
        put_down(tx, owner, &found, (OutsideSource::Device, &format!("device {id}")), now)
    }
}

/// The connection of which an entry of a device's log tells: kind `connection`, with a detail `to` or `from`.
/// What is no connection in our words is told as it is, and held against nothing; so is what came to nothing:
/// whoever knocks at a closed door does not make the house suspect.
fn connection_of(entry: &LogEntry) -> Option<Connection> {
    if (entry.kind, entry.outcome) != (LogKind::Connection, LogOutcome::Success) {
        return None;
    }
    entry.details.iter().find_map(|(key, value)| {
        let opened_by = match key.as_str() {
            "to" => Direction::FromDevice,
            "from" => Direction::ToDevice,
            _ => return None,
        };
        Connection::parse(opened_by, value).ok()
    })
}

/// Counts a connection, and tells of it: once a day, and so many of a device in an hour.
fn put_down(
    tx: &mut Tx<'_>,
    (owner, slug): (i64, &str),
    found: &Found,
    (source, actor): (OutsideSource, &str),
    now: UnixTime,
) -> Result<(), ServiceError> {
    let Found { row: device, connection, times, line, product, version, .. } = found;
    let text = connection.to_string();
    let counted = store::NewOutside {
        device: *device,
        owner,
        product: *product,
        connection: &text,
        times: *times,
        told_by: source.code(),
        version: *version,
    };
    let row = store::count(tx, &counted, now)?;
    let told_by = (*device, source.code());
    store::trim_outside(tx, told_by, KEPT)?;
    // A clock that was set back keeps nothing quiet for longer.
    if row.told_at.is_some_and(|at| (0..QUIET_S).contains(&now.since(at))) {
        return Ok(());
    }
    let hour = now.0.div_euclid(3600);
    let told = store::told_in(tx, told_by, hour)?;
    if told > TOLD_MAX {
        return Ok(());
    }
    store::set_told_in(tx, told_by, hour, told.saturating_add(1))?;
    let event = |kind| {
        SecurityEvent::new(now, kind, Outcome::Failure)
            .organisation(slug)
            .actor(actor)
            .subject(&found.device.to_string())
    };
    if told == TOLD_MAX {
        let event = event(Kind::RateLimit).detail("reason", "outside-mud");
        tx.audit(&event.detail("told", &told.to_string()))?;
        return Ok(());
    }
    store::set_told(tx, row.id, now)?;
    let explanation = format!(
        "a connection {text} was seen, which version {version} of the maker's file for {line} does not allow"
    );
    let event = event(Kind::Deviation)
        .detail("what", "outside-mud")
        .detail("seen", &text)
        .detail("profile", line)
        .detail("version", &version.to_string())
        .detail("told_by", source.name())
        .detail(
            "opened_by",
            match connection.opened_by {
                Direction::FromDevice => "device",
                // Whoever reaches it can do that: an alert, and no proof against the device.
                Direction::ToDevice => "peer",
            },
        )
        .detail("explanation", &explanation)
        .detail("count", "1");
    tx.audit(&event).map(|_| ())
}
