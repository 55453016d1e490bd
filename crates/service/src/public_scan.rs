//! Look-ups of printed numbers: who may look how often, what is kept of it, and what owners hear.
//!
//! Kept of a look-up: the device, the minute, a hash of the coarse network (IPv4 /24, IPv6 /48) with
//! the device under a salt that never leaves memory and lives for a day, and a place to a tenth of a
//! degree where the operator has a table of places. Nothing of it leads to a person; after a day
//! nothing tells whether two look-ups came from one network.

use crate::{
    Page, Paged, Service, ServiceError,
    store::public::{self as store, ScanRow},
};
use crypto::{UnixTime, random, sha256_of};
use device::{
    DeviceId, ManagementNumber, OrganisationId,
    scan::{Place, ScanConcern, ScanPolicy, ScanReport, Sighting, assess},
};
use policy::{Action, Caller, Resource};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

/// How long look-ups are kept, in seconds.
pub(crate) const SCANS_KEPT_S: i64 = 30 * 86_400;
/// Most look-ups kept of one device.
pub(crate) const SCANS_OF_DEVICE_MAX: usize = 200;
/// Look-ups forgotten per round of housekeeping.
const FORGET_BATCH: usize = 10_000;
/// Lifetime of a salt, in seconds.
const SALT_S: i64 = 86_400;
/// A second look-up of a device from one network within this time is the same one.
const SAME_S: i64 = 3600;
/// Recent look-ups held in memory to tell that.
const RECENT_MAX: usize = 50_000;
/// Look-ups stored per second over all devices, and at once: a flood does not become a flood of
/// writes.
const STORED_PER_SECOND: i64 = 20;
const STORED_BURST: i64 = 200;

/// Look-ups of one source that are always free, then one every second.
const LOOKUPS_BURST_S: i64 = 60;
/// What a look-up of a number that does not exist costs more, in seconds.
const MISS_S: i64 = 9;
/// Sources remembered; more of them share one allowance.
const SOURCES_MAX: usize = 65_536;

/// Who looks a number up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublicVisitor {
    /// address that the request came from
    pub address: IpAddr,
    /// where that is, if anybody knows
    pub place: Option<Place>,
    /// whether the look-up counts as a sighting: not for `HEAD`, not when a browser only guesses
    /// that somebody might follow a link
    pub counts: bool,
}

/// What owners see of look-ups of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanView {
    /// what the look-ups within the last days add up to
    pub report: ScanReport,
    /// since when they are a concern, and when it was last raised
    pub concern: Option<(ScanConcern, UnixTime, UnixTime)>,
}

/// A device whose look-ups its owner should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanAlarm {
    /// the device
    pub device: DeviceId,
    /// its number
    pub number: ManagementNumber,
    /// what is wrong
    pub concern: ScanConcern,
    /// since when
    pub since: UnixTime,
    /// when last
    pub last: UnixTime,
}

/// What is remembered of visitors, in memory only.
#[derive(Default)]
pub(crate) struct Visits(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    salt: Option<Salt>,
    /// by device row and network hash: when
    recent: HashMap<(i64, u64), UnixTime>,
    /// by source: time at which its allowance is full again, in seconds
    sources: HashMap<IpAddr, i64>,
    shared: i64,
    stored: i64,
}

struct Salt {
    bytes: [u8; 32],
    epoch: u64,
    ends: UnixTime,
}

impl Visits {
    /// Takes one look-up from the allowance of a source.
    ///
    /// # Errors
    /// The seconds until there is one.
    pub(crate) fn admit(&self, address: IpAddr, now: UnixTime) -> Result<(), i64> {
        self.take(address, 1, now)
    }

    /// A number that does not exist costs more.
    pub(crate) fn missed(&self, address: IpAddr, now: UnixTime) {
        let _ = self.take(address, MISS_S, now);
    }

    /// One time per source: GCRA (ITU-T I.371 appendix I), in seconds.
    fn take(&self, address: IpAddr, cost: i64, now: UnixTime) -> Result<(), i64> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = &mut *memory;
        let source = source(address);
        if memory.sources.len() >= SOURCES_MAX && !memory.sources.contains_key(&source) {
            memory.sources.retain(|_, full_at| *full_at > now.0);
        }
        let room = memory.sources.len() < SOURCES_MAX || memory.sources.contains_key(&source);
        let full_at =
            if room { memory.sources.entry(source).or_insert(now.0) } else { &mut memory.shared };
        let most = now.0.saturating_add(2 * LOOKUPS_BURST_S);
        // More is never charged: then the clock was set back, and nobody shall wait for that.
        let charged = Some(*full_at).filter(|full_at| *full_at <= most).unwrap_or(now.0);
        let next = charged.max(now.0).saturating_add(cost);
        let wait = next.saturating_sub(now.0).saturating_sub(LOOKUPS_BURST_S);
        if wait > 0 && cost == 1 {
            return Err(wait);
        }
        // A miss is charged even beyond the allowance, up to another burst.
        *full_at = next.min(most);
        Ok(())
    }

    /// What to store of a look-up; `None` where it is the same one again, or there are too many.
    fn sighting(
        &self,
        row: i64,
        device: &DeviceId,
        visitor: &PublicVisitor,
        now: UnixTime,
    ) -> Option<ScanRow> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = &mut *memory;
        if memory.salt.as_ref().is_none_or(|salt| !(1..=SALT_S).contains(&salt.ends.since(now))) {
            let bits = u64::from_be_bytes(random::bytes());
            let ends = now.plus(SALT_S);
            memory.salt = Some(Salt { bytes: random::bytes(), epoch: bits >> 1, ends });
            memory.recent.clear();
        }
        let salt = memory.salt.as_ref()?;
        let network = hash(&salt.bytes, device, visitor.address);
        let key = (row, network);
        let fresh = |at: &UnixTime| (0..SAME_S).contains(&now.since(*at));
        if memory.recent.get(&key).is_some_and(fresh) {
            return None;
        }
        if memory.recent.len() >= RECENT_MAX {
            memory.recent.retain(|_, at| fresh(at));
        }
        let start = now.0.saturating_mul(STORED_PER_SECOND);
        let budget = start.saturating_add(STORED_BURST);
        let stored = Some(memory.stored).filter(|stored| *stored <= budget).unwrap_or(start);
        let next = stored.max(start).saturating_add(1);
        if memory.recent.len() >= RECENT_MAX || next > budget {
            return None;
        }
        memory.stored = next;
        memory.recent.insert(key, now);
        Some(ScanRow {
            at: UnixTime(now.0 - now.0.rem_euclid(60)),
            epoch: salt.epoch.cast_signed(),
            network: network.cast_signed(),
            place: visitor.place.map(|place| {
                let (latitude, longitude) = place.tenths();
                (latitude.into(), longitude.into())
            }),
        })
    }
}

/// Who allowances are counted for: an IPv4 address or an IPv6 /64 network.
fn source(address: IpAddr) -> IpAddr {
    match plain(address) {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)))
        }
        v4 => v4,
    }
}

fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The coarse network of an address, hashed with the device under the salt: the same network has
/// another hash at every device, so that nobody's look-ups of several devices can be joined.
fn hash(salt: &[u8; 32], device: &DeviceId, address: IpAddr) -> u64 {
    let network: Vec<u8> = match plain(address) {
        IpAddr::V4(address) => {
            [4].into_iter().chain(address.octets().into_iter().take(3)).collect()
        }
        IpAddr::V6(address) => {
            [6].into_iter().chain(address.octets().into_iter().take(6)).collect()
        }
    };
    let digest = sha256_of(&[b"tegata/scan/v1\0", salt, device.as_bytes(), &network]);
    let first = digest.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(first)
}

/// Stored look-ups as the domain reads them.
pub(crate) fn sightings(rows: &[ScanRow]) -> Vec<Sighting> {
    rows.iter()
        .map(|row| Sighting {
            at: row.at,
            epoch: row.epoch.cast_unsigned(),
            network: row.network.cast_unsigned(),
            place: row
                .place
                .and_then(|(latitude, longitude)| Place::from_tenths(latitude, longitude)),
        })
        .collect()
}

impl Service {
    /// Stores a look-up without waiting for it, and raises a concern where look-ups add up to one.
    pub(crate) fn remember_scan(&self, row: i64, device: &DeviceId, visitor: &PublicVisitor) {
        let now = self.now();
        if !visitor.counts {
            return;
        }
        let Some(scan) = self.visits.sighting(row, device, visitor, now) else { return };
        let device = *device;
        self.store.writer.queue_quietly(move |tx| {
            store::insert_scan(tx, row, &scan, SCANS_OF_DEVICE_MAX)?;
            let rows = store::scans(tx, row, SCANS_OF_DEVICE_MAX)?;
            let report = assess(&sightings(&rows), now, &ScanPolicy::default());
            if let Some(concern) = report.concern
                && store::raise_concern(tx, row, concern.name(), now)?
            {
                let event =
                    audit::SecurityEvent::new(now, audit::Kind::Verdict, audit::Outcome::Failure)
                        .subject(&device.to_string())
                        .detail("reason", concern.name())
                        .detail("networks", &report.networks.to_string())
                        .detail("journeys", &report.journeys.to_string());
                tx.audit(&event)?;
            }
            Ok(())
        });
    }

    /// What look-ups of a device's number add up to, for those who may read the device.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn scans(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<ScanView, ServiceError> {
        let known = self.device_for(caller, Action::ReadDevice, device)?;
        let (rows, concern) = self.read(|connection| {
            let rows = store::scans(connection, known.row.id, SCANS_OF_DEVICE_MAX)?;
            Ok((rows, store::concern(connection, known.row.id)?))
        })?;
        let report = assess(&sightings(&rows), self.now(), &ScanPolicy::default());
        let concern = concern.and_then(|(name, since, last)| {
            ScanConcern::from_name(&name).map(|concern| (concern, since, last))
        });
        Ok(ScanView { report, concern })
    }

    /// Devices that an organisation owns whose look-ups are a concern: what needs its attention.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn scan_alarms(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<ScanAlarm>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let since = self.now().plus(-ScanPolicy::default().window_s);
        let rows = self.read(|connection| {
            store::concerns_of_owner(connection, owner, since, after, limit + 1)
        })?;
        let damaged = || ServiceError::fatal("store-damaged", "a device's row is damaged");
        Paged::cut(rows, limit, |row| row.0.to_string()).try_map(
            |(_, device, number, (concern, since, last))| {
                Ok(ScanAlarm {
                    device: DeviceId::from_bytes(device),
                    number: number.parse().map_err(|_| damaged())?,
                    concern: ScanConcern::from_name(&concern).ok_or_else(damaged)?,
                    since,
                    last,
                })
            },
        )
    }

    /// Forgets look-ups that were kept long enough.
    pub(crate) fn forget_scans(&self, now: UnixTime) {
        let concerns = now.plus(-ScanPolicy::default().window_s);
        let before = now.plus(-SCANS_KEPT_S);
        self.store
            .writer
            .queue_quietly(move |tx| store::delete_scans(tx, before, concerns, FORGET_BATCH));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_795_000_000);
    const DEVICE: [u8; 16] = [7; 16];

    fn visitor(address: &str) -> PublicVisitor {
        PublicVisitor { address: address.parse().unwrap(), place: None, counts: true }
    }

    #[test]
    fn misses_cost_ten_times_as_much() {
        let visits = Visits::default();
        let address = "192.0.2.1".parse().unwrap();
        let misses = (0..100)
            .take_while(|_| {
                let admitted = visits.admit(address, NOW).is_ok();
                visits.missed(address, NOW);
                admitted
            })
            .count();
        assert_eq!(misses, 6);
        assert!(visits.admit(address, NOW).is_err());
        let other = "192.0.2.2".parse().unwrap();
        let hits = (0..100).take_while(|_| visits.admit(other, NOW).is_ok()).count();
        assert_eq!(hits, 60);
        assert_eq!(visits.admit(other, NOW), Err(1));
        assert_eq!(visits.admit(other, NOW.plus(1)), Ok(()));
        // An IPv6 network is one source; an IPv4 address in IPv6's clothes is itself.
        let six = |text: &str| visits.admit(text.parse().unwrap(), NOW);
        assert_eq!((0..100).take_while(|n| six(&format!("2001:db8::{n}")).is_ok()).count(), 60);
        assert!(six("::ffff:192.0.2.2").is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let visits = Visits::default();
        let address = "192.0.2.1".parse().unwrap();
        let device = DeviceId::from_bytes(DEVICE);
        assert!(visits.admit(address, NOW.plus(86_400 * 365)).is_ok());
        let stored =
            |at: UnixTime| visits.sighting(1, &device, &visitor("192.0.2.1"), at).is_some();
        assert!(stored(NOW.plus(86_400 * 365)));
        assert_eq!(visits.admit(address, NOW), Ok(()));
        assert!(stored(NOW));
    }

    #[test]
    fn memory_is_bounded_and_newcomers_share_when_it_is_full() {
        let visits = Visits::default();
        let most = u32::try_from(SOURCES_MAX).unwrap();
        for n in 0..most + 200 {
            let _ = visits.admit(IpAddr::from(n.to_be_bytes()), NOW);
        }
        let memory = visits.0.lock().unwrap();
        assert_eq!(memory.sources.len(), SOURCES_MAX);
        assert!(memory.shared >= NOW.0 + LOOKUPS_BURST_S, "newcomers share one allowance");
    }

    #[test]
    fn one_network_is_one_sighting_an_hour() {
        let visits = Visits::default();
        let device = DeviceId::from_bytes(DEVICE);
        let seen =
            |address: &str, at: i64| visits.sighting(1, &device, &visitor(address), NOW.plus(at));
        let first = seen("192.0.2.1", 0).unwrap();
        assert_eq!(first.at.0 % 60, 0, "stored to the minute");
        assert!(seen("192.0.2.99", 10).is_none(), "the same /24");
        assert!(seen("192.0.3.1", 10).is_some());
        let later = seen("192.0.2.200", SAME_S).unwrap();
        assert_eq!((later.epoch, later.network), (first.epoch, first.network));
        let other = DeviceId::from_bytes([8; 16]);
        let elsewhere =
            visits.sighting(2, &other, &visitor("192.0.2.1"), NOW.plus(SAME_S)).unwrap();
        assert_ne!(elsewhere.network, first.network, "networks cannot be joined across devices");
        let tomorrow = seen("192.0.2.1", SALT_S).unwrap();
        assert_ne!((tomorrow.epoch, tomorrow.network), (first.epoch, first.network));
        assert!(seen("2001:db8:1::1", SALT_S).is_some());
        assert!(seen("2001:db8:1:ffff::1", SALT_S).is_none(), "the same /48");
    }

    #[test]
    fn a_flood_is_not_stored() {
        let visits = Visits::default();
        let device = DeviceId::from_bytes(DEVICE);
        let stored = (0..10_000u32)
            .filter(|n| {
                let [_, a, b, c] = n.to_be_bytes();
                let visitor = visitor(&format!("10.{a}.{b}.{c}"));
                visits.sighting((*n).into(), &device, &visitor, NOW).is_some()
            })
            .count();
        assert_eq!(stored, usize::try_from(STORED_BURST).unwrap());
    }
}
