//! Use case: from a vulnerability to exactly the devices that run it: how many, which, as a file;
//! and how the share of those that are mended goes over time. Makers see the devices that they made,
//! owners those that they own.

use super::{list::VulnerabilityLine, settle::ExposureStatus};
use crate::{
    Page, Service, ServiceError,
    fleet::{Asker, csv},
    live::found,
    store::{
        exposure::{self, ExposureRow},
        running::{self as store, DayRow, Stands},
        sbom as sboms,
    },
};
use advisory::VulnerabilityId;
use crypto::UnixTime;
use device::{DeviceId, OrganisationId, Phase, ProductId};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// Devices per piece of a file.
const PIECE: usize = 500;
/// Days that are shown of a curve.
const DAYS_MAX: i64 = 730;
/// How often figures are taken, in seconds; a day's figure is the last of that day.
const COUNT_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
/// Phases in which a device runs nothing any more.
const OVER: [Phase; 2] = [Phase::Retired, Phase::Disposed];

/// Which devices of an organisation are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FleetSide {
    /// those that it made
    #[default]
    Maker,
    /// those that it owns
    Owner,
}

impl FleetSide {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maker => "maker",
            Self::Owner => "owner",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Maker, Self::Owner].into_iter().find(|side| side.name() == name)
    }

    pub(super) fn stands(self, organisation: i64) -> Stands {
        match self {
            Self::Maker => Stands::Maker(organisation),
            Self::Owner => Stands::Owner(organisation),
        }
    }
}

/// Devices that run one version of a product's software, under a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningVersion {
    /// whose product it is
    pub maker: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// the version
    pub version: String,
    /// where it stands; `None` where the vulnerability is not in it
    pub status: Option<ExposureStatus>,
    /// whether anybody knows what the version is made of
    pub known: bool,
    /// devices that run it
    pub devices: u64,
}

/// A device that runs software with a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VulnerableDevice {
    /// the device
    pub device: DeviceId,
    /// its maker
    pub maker: OrganisationId,
    /// its owner
    pub owner: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// its serial number
    pub serial_number: String,
    /// the version that it runs
    pub version: String,
    /// where that stands
    pub status: ExposureStatus,
    /// since when it runs it
    pub since: UnixTime,
    /// when it was heard of last
    pub seen_at: UnixTime,
}

/// The share of devices that are mended on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedShare {
    /// the day, at midnight (UTC)
    pub day: UnixTime,
    /// devices that run an affected version, or one under investigation
    pub affected: u64,
    /// devices of the products that are or were affected
    pub devices: u64,
}

/// What became of a vulnerability over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixHistory {
    /// when it was first found
    pub first_seen: UnixTime,
    /// since when no version is open
    pub settled_at: Option<UnixTime>,
    /// seconds from the one to the other
    pub time_to_fix_s: Option<u64>,
    /// by day, the oldest first
    pub days: Vec<FixedShare>,
}

/// A file of devices on its way. Rights are looked up again with every piece.
#[derive(Debug)]
pub struct VulnerableExport {
    service: Service,
    asker: Asker,
    organisation: OrganisationId,
    side: FleetSide,
    id: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Begin { bom: bool },
    After(Option<String>),
    End,
}

/// A version under a vulnerability.
struct Meant {
    product: i64,
    version: String,
    status: ExposureStatus,
}

pub(crate) fn over() -> [u8; 2] {
    OVER.map(Phase::code)
}

impl Service {
    /// Vulnerabilities of the software that an organisation's own devices run, whoever made them,
    /// the gravest first, with how many devices are affected. What a maker alone knows is not among
    /// them.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn fleet_vulnerabilities(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<crate::Paged<(VulnerabilityLine, u64)>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let limit = page.count(self.config.limits.page);
        let from = match &page.after {
            None => 0,
            Some(after) => after.parse::<usize>().map_err(|_| page.misplaced())?,
        };
        let lines = self
            .at_desk(owner, move |service, asked| {
                service.read(|connection| {
                    let running = store::versions(connection, Stands::Owner(owner))?;
                    let mut by_name: BTreeMap<String, (Vec<ExposureRow>, u64)> = BTreeMap::new();
                    for (product, version, devices) in running {
                        asked.still()?;
                        let Some(software) = sboms::software(connection, product, &version)? else {
                            continue;
                        };
                        for row in exposure::exposures_of(connection, software.id)? {
                            if row.private || !ExposureStatus::from_number(row.status).is_open() {
                                continue;
                            }
                            let entry = by_name.entry(row.name.clone()).or_default();
                            entry.0.push(row);
                            entry.1 += devices;
                        }
                    }
                    let mut lines = Vec::with_capacity(by_name.len());
                    for (name, (rows, devices)) in by_name {
                        lines.push((super::list::line_of(&name, &rows)?, devices));
                    }
                    lines.sort_by(|(a, _), (b, _)| {
                        let key =
                            |line: &VulnerabilityLine| (line.exploited.is_some(), line.tenths);
                        key(b).cmp(&key(a)).then_with(|| a.name.cmp(&b.name))
                    });
                    Ok(lines)
                })
            })
            .await?;
        let total = lines.len();
        let items: Vec<_> = lines.into_iter().skip(from).take(limit).collect();
        let next = from.saturating_add(items.len());
        Ok(crate::Paged { items, next: (next < total).then(|| next.to_string()) })
    }

    /// How many devices run which version of the products concerned, and where each stands.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn running_versions(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        side: FleetSide,
        id: &str,
    ) -> Result<Vec<RunningVersion>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let id = vulnerability_id(id)?;
        let found = self
            .at_desk(row, move |service, asked| {
                service.read(|connection| {
                    let exposures = exposures(connection, side, row, &id)?;
                    asked.still()?;
                    let running = store::versions(connection, side.stands(row))?;
                    let products: BTreeSet<i64> =
                        exposures.iter().map(|(product, ..)| *product).collect();
                    let mut out = Vec::new();
                    for (product, version, devices) in running {
                        if !products.contains(&product) {
                            continue;
                        }
                        let status = exposures
                            .iter()
                            .find(|(p, v, _)| (*p, v.as_str()) == (product, version.as_str()))
                            .filter(|(_, _, row)| row.closed_at.is_none())
                            .map(|(_, _, row)| ExposureStatus::from_number(row.status));
                        let known = match sboms::software(connection, product, &version)? {
                            Some(software) => !sboms::sboms(connection, software.id)?.is_empty(),
                            None => false,
                        };
                        out.push((product, version, status, known, devices));
                    }
                    Ok((exposures.is_empty(), out))
                })
            })
            .await?;
        if found.0 {
            return Err(ServiceError::not_found("vulnerability"));
        }
        found
            .1
            .into_iter()
            .map(|(product, version, status, known, devices)| {
                let (maker, product) = self.product_names(product)?;
                Ok(RunningVersion { maker, product, version, status, known, devices })
            })
            .collect()
    }

    /// The devices that run an affected version, or one under investigation.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn vulnerable_devices(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        side: FleetSide,
        id: &str,
        page: &Page,
    ) -> Result<crate::Paged<VulnerableDevice>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let id = vulnerability_id(id)?;
        let limit = page.count(self.config.limits.page);
        // A version and a device: product.version-in-hexadecimal.device
        let place = match &page.after {
            None => None,
            Some(text) => Some(place(text).ok_or_else(|| page.misplaced())?),
        };
        let (none, rows, next) = self
            .at_desk(row, move |service, asked| {
                service.read(|connection| {
                    let all = exposures(connection, side, row, &id)?;
                    let mut meant: Vec<Meant> = all
                        .iter()
                        .filter(|(_, _, row)| row.closed_at.is_none())
                        .map(|(product, version, row)| Meant {
                            product: *product,
                            version: version.clone(),
                            status: ExposureStatus::from_number(row.status),
                        })
                        .filter(|meant| meant.status.is_open())
                        .collect();
                    meant.sort_by(|a, b| (a.product, &a.version).cmp(&(b.product, &b.version)));
                    let mut rows = Vec::new();
                    let mut next = None;
                    for one in meant {
                        asked.still()?;
                        let key = (one.product, one.version.clone());
                        let after = match &place {
                            Some((product, version, _))
                                if (*product, version) > (key.0, &key.1) =>
                            {
                                continue;
                            }
                            Some((product, version, after))
                                if (*product, version) == (key.0, &key.1) =>
                            {
                                *after
                            }
                            _ => 0,
                        };
                        let left = limit + 1 - rows.len();
                        let about = (one.product, one.version.as_str());
                        let some = store::devices(
                            connection,
                            side.stands(row),
                            about,
                            over(),
                            after,
                            left,
                        )?;
                        rows.extend(some.into_iter().map(|row| (key.clone(), one.status, row)));
                        if rows.len() > limit {
                            rows.truncate(limit);
                            next = rows.last().map(|((product, version), _, row)| {
                                format!("{product}.{}.{}", hex::encode(version), row.id)
                            });
                            break;
                        }
                    }
                    Ok((all.is_empty(), rows, next))
                })
            })
            .await?;
        if none {
            return Err(ServiceError::not_found("vulnerability"));
        }
        let mut items = Vec::with_capacity(rows.len());
        for ((product, version), status, row) in rows {
            let (maker, product) = self.product_names(product)?;
            items.push(VulnerableDevice {
                device: DeviceId::from_bytes(row.device),
                maker,
                owner: self.organisation_id(row.owner)?,
                product,
                serial_number: row.serial_number,
                version,
                status,
                since: row.since,
                seen_at: row.seen_at,
            });
        }
        Ok(crate::Paged { items, next })
    }

    /// The same as a CSV file.
    ///
    /// # Errors
    /// As [`Self::vulnerable_devices`].
    pub async fn export_vulnerable(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        side: FleetSide,
        id: &str,
        bom: bool,
    ) -> Result<VulnerableExport, ServiceError> {
        let first = Page { after: None, limit: 1 };
        self.vulnerable_devices(caller, organisation, side, id, &first).await?;
        let now = self.now();
        let event = self
            .event(caller, audit::Kind::Authorisation, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(id)
            .detail("what", "vulnerable-devices-exported");
        self.commit(move |tx| tx.audit(&event).map(|_| ())).await?;
        Ok(VulnerableExport {
            service: self.clone(),
            asker: Asker::new(caller, now),
            organisation: organisation.clone(),
            side,
            id: id.to_owned(),
            place: Place::Begin { bom },
        })
    }

    /// What became of a vulnerability over time: when it was found and settled, and the share of the
    /// fleet that is mended, day by day.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn fix_history(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        side: FleetSide,
        id: &str,
    ) -> Result<FixHistory, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let id = vulnerability_id(id)?;
        let from = self.now().plus(-DAYS_MAX * DAY_S);
        let (rows, days) = self.read(|connection| {
            let rows = exposures(connection, side, row, &id)?;
            let name = rows.first().map(|(_, _, row)| row.name.clone()).unwrap_or_default();
            Ok((rows, store::days(connection, side.stands(row), &name, from)?))
        })?;
        let first_seen =
            found(rows.iter().map(|(_, _, row)| row.first_seen).min(), "vulnerability")?;
        let open = rows.iter().any(|(_, _, row)| {
            row.closed_at.is_none() && ExposureStatus::from_number(row.status).is_open()
        });
        let last = rows.iter().map(|(_, _, row)| row.closed_at.unwrap_or(row.changed_at)).max();
        let settled_at = last.filter(|_| !open);
        Ok(FixHistory {
            first_seen,
            settled_at,
            time_to_fix_s: settled_at
                .map(|at| at.since(first_seen))
                .and_then(|seconds| u64::try_from(seconds).ok()),
            days: days
                .into_iter()
                .map(|row| FixedShare {
                    day: row.day,
                    affected: row.affected,
                    devices: row.devices,
                })
                .collect(),
        })
    }

    /// Takes the figures of the next organisation whose last are too old.
    pub(super) fn count_fleet(&self) -> Result<bool, ServiceError> {
        let now = self.now();
        let Some(organisation) = self.read(|c| store::to_count(c, now.plus(-COUNT_S)))? else {
            return Ok(false);
        };
        let day = UnixTime(now.0.div_euclid(DAY_S) * DAY_S);
        let mut figures: Vec<(Stands, String, DayRow)> = Vec::new();
        for side in [FleetSide::Maker, FleetSide::Owner] {
            let stands = side.stands(organisation);
            let counted = self.read(|connection| {
                let running = store::versions(connection, stands)?;
                shares(connection, side, &running)
            })?;
            figures.extend(counted.into_iter().map(|(name, (affected, devices))| {
                (stands, name, DayRow { day, affected, devices })
            }));
        }
        self.store.writer.run_blocking(move |tx| {
            for (stands, name, row) in &figures {
                store::set_day(tx, *stands, name, row)?;
            }
            store::set_counted(tx, organisation, now)
        })?;
        Ok(true)
    }
}

/// Affected devices, and devices of the products concerned, by vulnerability.
fn shares(
    connection: &Connection,
    side: FleetSide,
    running: &[(i64, String, u64)],
) -> Result<BTreeMap<String, (u64, u64)>, ServiceError> {
    let mut of_product: BTreeMap<i64, u64> = BTreeMap::new();
    for (product, _, devices) in running {
        *of_product.entry(*product).or_default() += devices;
    }
    let mut names: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let mut affected: BTreeMap<String, u64> = BTreeMap::new();
    let (mut open_devices, mut all_devices) = (0_u64, 0_u64);
    for (product, version, devices) in running {
        all_devices += devices;
        let Some(software) = sboms::software(connection, *product, version)? else { continue };
        let mut open = false;
        for row in exposure::exposures_of(connection, software.id)? {
            if side == FleetSide::Owner && row.private {
                continue;
            }
            open |= ExposureStatus::from_number(row.status).is_open();
            names.entry(row.name.clone()).or_default().insert(*product);
            if ExposureStatus::from_number(row.status).is_open() {
                *affected.entry(row.name).or_default() += devices;
            }
        }
        if open {
            open_devices += devices;
        }
    }
    // What was affected once goes on being counted, down to nobody.
    for product in of_product.keys() {
        for name in exposure::names_of_product(connection, *product, side == FleetSide::Owner)? {
            names.entry(name).or_default().insert(*product);
        }
    }
    let mut shares: BTreeMap<String, (u64, u64)> = names
        .into_iter()
        .map(|(name, products)| {
            let devices = products.iter().filter_map(|product| of_product.get(product)).sum();
            let affected = affected.get(&name).copied().unwrap_or(0);
            (name, (affected, devices))
        })
        .collect();
    if !shares.is_empty() {
        shares.insert(super::figures::ANY.to_owned(), (open_devices, all_devices));
    }
    Ok(shares)
}

/// Exposures to a vulnerability that an organisation may know of: product, version, exposure.
pub(super) fn exposures(
    connection: &Connection,
    side: FleetSide,
    organisation: i64,
    id: &VulnerabilityId,
) -> Result<Vec<(i64, String, ExposureRow)>, ServiceError> {
    let rows = match side {
        FleetSide::Maker => {
            let mut rows = Vec::new();
            let mut names = exposure::names_of_id(connection, organisation, id.as_str())?;
            if names.is_empty() {
                names.push(id.to_string());
            }
            for name in names {
                rows.extend(exposure::exposures_named(connection, organisation, &name)?);
            }
            rows
        }
        FleetSide::Owner => {
            let running = store::versions(connection, Stands::Owner(organisation))?;
            let products: BTreeSet<i64> =
                running.into_iter().map(|(product, ..)| product).collect();
            let mut rows = Vec::new();
            for product in products {
                rows.extend(exposure::public_of_product(connection, product, id.as_str())?);
            }
            rows
        }
    };
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(software) = sboms::software_by_id(connection, row.software)? {
            out.push((software.product, software.version, row));
        }
    }
    Ok(out)
}

pub(super) fn vulnerability_id(id: &str) -> Result<VulnerabilityId, ServiceError> {
    found(VulnerabilityId::new(id), "vulnerability")
}

fn place(text: &str) -> Option<(i64, String, i64)> {
    let mut parts = text.splitn(3, '.');
    let product = parts.next()?.parse().ok()?;
    let version = String::from_utf8(hex::decode(parts.next()?).ok()?).ok()?;
    Some((product, version, parts.next()?.parse().ok()?))
}

/// First line of the file.
const HEAD: [&str; 9] =
    ["device", "serial_number", "maker", "product", "owner", "version", "status", "since", "seen"];

impl VulnerableExport {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// As [`Service::vulnerable_devices`]; nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, ServiceError>> {
        let (mut out, after) = match std::mem::replace(&mut self.place, Place::End) {
            Place::Begin { bom } => (csv::begin(bom, &HEAD), None),
            Place::After(after) => (String::new(), after),
            Place::End => return None,
        };
        let page = Page { after, limit: u32::try_from(PIECE).unwrap_or(u32::MAX) };
        let found = async {
            let caller = self.service.asker_still(&self.asker).await?;
            let (of, side, id) = (&self.organisation, self.side, &self.id);
            self.service.vulnerable_devices(&caller, of, side, id, &page).await
        };
        match found.await {
            Ok(list) => {
                for one in &list.items {
                    let fields = [
                        one.device.to_string(),
                        one.serial_number.clone(),
                        one.maker.to_string(),
                        one.product.to_string(),
                        one.owner.to_string(),
                        one.version.clone(),
                        one.status.name().to_owned(),
                        one.since.to_string(),
                        one.seen_at.to_string(),
                    ];
                    csv::line(&mut out, fields.iter().map(String::as_str));
                }
                if let Some(next) = list.next {
                    self.place = Place::After(Some(next));
                }
                Some(Ok(out.into_bytes()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}
