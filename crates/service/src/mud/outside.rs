//! What owners look at: connections of their devices that makers' files do not allow.

use super::{OutsideSource, observe::KEPT};
use crate::{
    Page, Paged, Service, ServiceError,
    store::{mud as versions, mud_outside as store, organisation as organisations},
};
use ::behaviour::mud::{Answer, Connection, Direction, Mud};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use std::collections::{HashMap, hash_map::Entry};

/// Older versions of a file that a device's connections are held against.
const OLDER_MAX: usize = 8;
/// Product lines to choose from.
const LINES_MAX: usize = 200;
const DAY_S: i64 = 86_400;

/// What the file that is in force now says of a connection that was not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideNow {
    /// it allows it
    Allowed,
    /// it does not allow it either
    Denied,
    /// whether it allows it, the file alone does not tell
    Unknown,
    /// there is none
    NoFile,
}

impl OutsideNow {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
            Self::NoFile => "no-file",
        }
    }
}

/// A connection of a device that its maker's file does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MudOutside {
    /// which, such as `to gate.example:22/tcp`
    pub connection: String,
    /// who said so
    pub told_by: OutsideSource,
    /// how often it was told of
    pub times: u64,
    /// when it was told of first
    pub first_at: UnixTime,
    /// and last
    pub last_at: UnixTime,
    /// which version of the file did not allow it then; not known of what was told of long ago
    pub version: Option<u64>,
    /// what the version that is in force now says
    pub now: OutsideNow,
    /// where only one device is looked at: the newest of the older versions that allowed it
    pub allowed_by: Option<u64>,
}

/// The same with its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideOfDevice {
    /// which device
    pub device: DeviceId,
    /// its serial number
    pub serial_number: String,
    /// its product line, MAKER/PRODUCT
    pub line: Option<String>,
    /// the connection
    pub outside: MudOutside,
}

/// How often such connections were told of on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutsideDay {
    /// when the day began, UTC
    pub day: UnixTime,
    /// by devices in their logs
    pub by_devices: u64,
    /// by the owner
    pub by_owner: u64,
}

impl MudOutside {
    fn of(row: store::OutsideRow, now: OutsideNow, allowed_by: Option<u64>) -> Self {
        Self {
            connection: row.connection,
            told_by: OutsideSource::of(row.told_by),
            times: row.times,
            first_at: row.first_at,
            last_at: row.last_at,
            version: row.version,
            now,
            allowed_by,
        }
    }
}

fn says(mud: &Mud, text: &str) -> OutsideNow {
    match parsed(text).as_ref().map(|connection| mud.check(connection)) {
        Some(Answer::Allowed(_)) => OutsideNow::Allowed,
        Some(Answer::Denied) => OutsideNow::Denied,
        Some(Answer::Unknown(_)) | None => OutsideNow::Unknown,
    }
}

/// A connection as it was put down.
pub(super) fn parsed(text: &str) -> Option<Connection> {
    let (word, place) = text.split_once(' ')?;
    let opened_by = match word {
        "to" => Direction::FromDevice,
        "from" => Direction::ToDevice,
        _ => return None,
    };
    Connection::parse(opened_by, place).ok()
}

impl Service {
    /// Connections of a device that its maker's file does not allow, as its owner and it told of them: the
    /// newest first. Each is held against the version in force, and the eight before it.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn outside_mud(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Vec<MudOutside>, ServiceError> {
        let row = self.device_for(caller, Action::ReadAlerts, device)?.row;
        let service = self.clone();
        self.pool.begin(move || service.outside_of_device(row.id, row.owner)).outcome().await?
    }

    fn outside_of_device(&self, device: i64, owner: i64) -> Result<Vec<MudOutside>, ServiceError> {
        let most = KEPT.saturating_mul(2);
        let rows = self.read(|connection| store::outside(connection, (device, owner), most))?;
        let mut older: HashMap<i64, Vec<(u64, Mud)>> = HashMap::new();
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let now = self.stands(row.product, &row.connection)?;
            let mut allowed_by = None;
            if let Some(product) = row.product {
                let versions = match older.entry(product) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(self.older_muds(product)?),
                };
                allowed_by = versions
                    .iter()
                    .filter(|(_, mud)| says(mud, &row.connection) == OutsideNow::Allowed)
                    .map(|(version, _)| *version)
                    .next();
            }
            all.push(MudOutside::of(row, now, allowed_by));
        }
        Ok(all)
    }

    /// The versions before the newest whose bytes are kept, the newest first.
    fn older_muds(&self, product: i64) -> Result<Vec<(u64, Mud)>, ServiceError> {
        let rows = self.read(|connection| {
            versions::versions(connection, product, i64::MAX, OLDER_MAX.saturating_add(1))
        })?;
        let mut all = Vec::new();
        for row in rows.iter().skip(1) {
            let bytes =
                self.read(|connection| versions::bytes(connection, product, row.version))?;
            let mud = bytes.and_then(|bytes| Mud::parse(&bytes.file).ok());
            all.extend(mud.map(|mud| (row.version, mud)));
        }
        Ok(all)
    }

    fn stands(&self, product: Option<i64>, connection: &str) -> Result<OutsideNow, ServiceError> {
        let kept = match product {
            Some(product) => self.kept_mud(product)?,
            None => None,
        };
        Ok(kept.map_or(OutsideNow::NoFile, |kept| says(&kept.mud, connection)))
    }

    /// The same of all devices of an organisation, or of those of one product line: what was found last
    /// comes first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn outside_mud_of(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        line: Option<&(OrganisationId, ProductId)>,
        page: &Page,
    ) -> Result<Paged<OutsideOfDevice>, ServiceError> {
        let (owner, line) = self.outside_filter(caller, organisation, line)?;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let service = self.clone();
        let work = move || {
            let rows = service.read(|connection| {
                store::outside_of(connection, owner, line, before, limit.saturating_add(1))
            })?;
            let mut names: HashMap<i64, Option<String>> = HashMap::new();
            Paged::cut(rows, limit, |row| row.row.id.to_string()).try_map(|found| {
                let product = found.row.product;
                if let Some(product) = product
                    && !names.contains_key(&product)
                {
                    names.insert(product, service.line_name(product)?);
                }
                let now = service.stands(product, &found.row.connection)?;
                Ok(OutsideOfDevice {
                    device: DeviceId::from_bytes(found.device_id),
                    serial_number: found.serial_number,
                    line: product.and_then(|product| names.get(&product).cloned().flatten()),
                    outside: MudOutside::of(found.row, now, None),
                })
            })
        };
        self.pool.begin(work).outcome().await?
    }

    /// How often such connections were told of on each of the last `days` days, 30 at most, oldest first.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn outside_mud_days(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        line: Option<&(OrganisationId, ProductId)>,
        days: i64,
    ) -> Result<Vec<OutsideDay>, ServiceError> {
        let (owner, line) = self.outside_filter(caller, organisation, line)?;
        let days = days.clamp(1, store::DAYS_KEPT);
        let today = self.now().0.div_euclid(DAY_S);
        let first = today.saturating_sub(days).saturating_add(1);
        let rows = self.read(|connection| store::days(connection, owner, line, first))?;
        let of = |day: i64, source: OutsideSource| {
            let mut of = rows.iter().filter(|row| row.day == day);
            of.find(|row| OutsideSource::of(row.told_by) == source).map_or(0, |row| row.times)
        };
        let day = |day: i64| OutsideDay {
            day: UnixTime(day.saturating_mul(DAY_S)),
            by_devices: of(day, OutsideSource::Device),
            by_owner: of(day, OutsideSource::Owner),
        };
        Ok((first..=today).map(day).collect())
    }

    /// Product lines, MAKER/PRODUCT, of which an organisation's devices had such connections within 30 days:
    /// 200 at most.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn outside_mud_lines(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<String>, ServiceError> {
        let (owner, _) = self.outside_filter(caller, organisation, None)?;
        let rows = self.read(|connection| store::lines_of(connection, owner, LINES_MAX))?;
        Ok(rows.into_iter().map(|(maker, product)| format!("{maker}/{product}")).collect())
    }

    /// Whose devices, and of which product line. One that there is not has no devices, like another's.
    fn outside_filter(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        line: Option<&(OrganisationId, ProductId)>,
    ) -> Result<(i64, Option<i64>), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadAlerts, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let Some((maker, product)) = line else { return Ok((owner, None)) };
        let found = self.read(|connection| {
            let maker = organisations::organisation(connection, maker.as_str())?;
            let Some(maker) = maker else { return Ok(None) };
            organisations::product(connection, maker.id, product.as_str())
        })?;
        Ok((owner, Some(found.map_or(-1, |row| row.id))))
    }

    fn line_name(&self, product: i64) -> Result<Option<String>, ServiceError> {
        let row = self.read(|connection| organisations::product_by_id(connection, product))?;
        let Some(row) = row else { return Ok(None) };
        let maker = self.organisation_of(row.organisation)?.slug;
        Ok(Some(format!("{maker}/{}", row.slug)))
    }
}
