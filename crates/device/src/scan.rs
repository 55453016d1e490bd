//! What repeated look-ups of a printed number tell. A label can be copied; copies are looked up from
//! places far apart. Pure: sightings in, concern out.
//!
//! The effect is bounded by design: the worst that look-ups can do is lower confidence for a while.
//! Anybody who has seen a label can cause look-ups, so they never make a device *not genuine*.

use crate::language::{Text, text};
use crypto::UnixTime;

/// Mean radius of the earth in kilometres (IUGG).
const EARTH_KM: f64 = 6371.0;

/// A place to a tenth of a degree, about 11 km: enough for distances between towns, too coarse for
/// a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    latitude_tenths: i16,
    longitude_tenths: i16,
}

impl Place {
    /// Rounds degrees, north and east positive; `None` where they are not on the globe.
    pub fn from_degrees(latitude: f64, longitude: f64) -> Option<Self> {
        let tenths = |degrees: f64, most: f64| {
            let inside = degrees.is_finite() && degrees.abs() <= most;
            #[expect(clippy::cast_possible_truncation, reason = "at most 1800")]
            inside.then(|| (degrees * 10.0).round() as i16)
        };
        Some(Self {
            latitude_tenths: tenths(latitude, 90.0)?,
            longitude_tenths: tenths(longitude, 180.0)?,
        })
    }

    /// The same from whole tenths of degrees, as stored.
    pub fn from_tenths(latitude: i64, longitude: i64) -> Option<Self> {
        let inside = |tenths: i64, most: i64| {
            i16::try_from(tenths).ok().filter(|tenths| i64::from(*tenths).abs() <= most)
        };
        Some(Self {
            latitude_tenths: inside(latitude, 900)?,
            longitude_tenths: inside(longitude, 1800)?,
        })
    }

    /// Latitude and longitude in tenths of degrees.
    pub fn tenths(&self) -> (i16, i16) {
        (self.latitude_tenths, self.longitude_tenths)
    }

    /// Great-circle distance in kilometres (haversine).
    pub fn distance_km(&self, other: &Self) -> f64 {
        let radians = |tenths: i16| f64::from(tenths).to_radians() / 10.0;
        let (here, there) = (radians(self.latitude_tenths), radians(other.latitude_tenths));
        let across = radians(other.longitude_tenths) - radians(self.longitude_tenths);
        let half = |angle: f64| (angle / 2.0).sin() * (angle / 2.0).sin();
        let a = half(there - here) + here.cos() * there.cos() * half(across);
        2.0 * EARTH_KM * a.clamp(0.0, 1.0).sqrt().asin()
    }
}

/// One look-up of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// when
    pub at: UnixTime,
    /// under which salt `network` was hashed; networks compare only within one epoch
    pub epoch: u64,
    /// salted hash of the coarse network
    pub network: u64,
    /// where, if anybody knows
    pub place: Option<Place>,
}

/// From when on look-ups are a concern.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanPolicy {
    /// how far back look-ups count, in seconds: older ones are forgiven
    pub window_s: i64,
    /// fewest different networks in one salt's lifetime (a day) that are a concern
    pub networks_min: usize,
    /// speed between two look-ups that no traveller has, in kilometres per hour
    pub speed_kmh_max: f64,
    /// distances below this are not looked at, in kilometres: places are coarse
    pub distance_km_min: f64,
    /// fewest such journeys that are a concern; one alone is a mobile network or a VPN
    pub journeys_min: usize,
    /// fewest different networks that such journeys must join
    pub journey_networks_min: usize,
}

impl Default for ScanPolicy {
    fn default() -> Self {
        Self {
            window_s: 7 * 86_400,
            networks_min: 12,
            speed_kmh_max: 1000.0,
            distance_km_min: 500.0,
            journeys_min: 2,
            journey_networks_min: 3,
        }
    }
}

/// Why look-ups lower confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScanConcern {
    /// looked up from very many networks in a day
    ManyNetworks,
    /// looked up at places that nobody reaches in the time between
    ImpossibleTravel,
}

impl ScanConcern {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ManyNetworks => "many-networks",
            Self::ImpossibleTravel => "impossible-travel",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ManyNetworks, Self::ImpossibleTravel].into_iter().find(|c| c.name() == name)
    }

    /// For people.
    pub fn text(self) -> Text {
        match self {
            Self::ManyNetworks => text(
                "この番号は、1日のうちに多数の異なるネットワークから照会されています。ラベルが複製されたか、写真が共有された可能性があります",
                "this number was looked up from many different networks within a day; its label may \
                 have been copied, or a photograph of it shared",
            ),
            Self::ImpossibleTravel => text(
                "この番号は、同じ物が移動できない短い時間のうちに、遠く離れた場所から照会されています。ラベルが複製されたか、写真が共有された可能性があります",
                "this number was looked up at places so far apart that one thing cannot have been at \
                 both in that time; its label may have been copied, or a photograph of it shared",
            ),
        }
    }
}

/// What look-ups add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanReport {
    /// look-ups within the window
    pub sightings: usize,
    /// most different networks under one salt
    pub networks: usize,
    /// journeys faster than anybody travels
    pub journeys: usize,
    /// the concern, where there is one
    pub concern: Option<ScanConcern>,
}

/// Looks at the sightings of one device, in any order.
pub fn assess(sightings: &[Sighting], now: UnixTime, policy: &ScanPolicy) -> ScanReport {
    let since = now.plus(policy.window_s.saturating_neg());
    let mut recent: Vec<Sighting> =
        sightings.iter().filter(|s| s.at > since && s.at <= now).copied().collect();
    recent.sort_by_key(|sighting| (sighting.at, sighting.epoch, sighting.network));
    let mut seen: Vec<(u64, u64)> = recent.iter().map(|s| (s.epoch, s.network)).collect();
    seen.sort_unstable();
    seen.dedup();
    let networks = seen.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).max().unwrap_or_default();

    let mut journeys = 0;
    let mut joined = Vec::new();
    let placed: Vec<(Sighting, Place)> =
        recent.iter().filter_map(|s| s.place.map(|place| (*s, place))).collect();
    for ((from, here), (to, there)) in placed.iter().zip(placed.iter().skip(1)) {
        if (from.epoch, from.network) == (to.epoch, to.network) {
            continue;
        }
        let distance = here.distance_km(there);
        // Look-ups are stored to the minute: the time between is at most a minute longer.
        let seconds = to.at.since(from.at).clamp(0, policy.window_s).saturating_add(60);
        #[expect(clippy::cast_precision_loss, reason = "a week in seconds")]
        let speed = distance / (seconds as f64 / 3600.0);
        if distance >= policy.distance_km_min && speed > policy.speed_kmh_max {
            journeys += 1;
            joined.extend([(from.epoch, from.network), (to.epoch, to.network)]);
        }
    }
    joined.sort_unstable();
    joined.dedup();
    let travelled = journeys >= policy.journeys_min && joined.len() >= policy.journey_networks_min;
    let concern = if travelled {
        Some(ScanConcern::ImpossibleTravel)
    } else {
        (networks >= policy.networks_min).then_some(ScanConcern::ManyNetworks)
    };
    ScanReport { sightings: recent.len(), networks, journeys, concern }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixTime = UnixTime(1_795_000_000);

    fn place(latitude: f64, longitude: f64) -> Option<Place> {
        Place::from_degrees(latitude, longitude)
    }

    fn seen(ago_s: i64, network: u64, place: Option<Place>) -> Sighting {
        Sighting { at: NOW.plus(-ago_s), epoch: 1, network, place }
    }

    fn check(sightings: &[Sighting]) -> ScanReport {
        assess(sightings, NOW, &ScanPolicy::default())
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let tokyo = place(35.68, 139.77).unwrap();
        let osaka = place(34.69, 135.50).unwrap();
        let london = place(51.5, -0.12).unwrap();
        assert!((tokyo.distance_km(&osaka) - 400.0).abs() < 15.0);
        assert!((tokyo.distance_km(&london) - 9560.0).abs() < 30.0);
        assert!((london.distance_km(&tokyo) - tokyo.distance_km(&london)).abs() < 1e-6);
        assert_eq!(place(90.1, 0.0), None);
        assert_eq!(place(f64::NAN, 0.0), None);
        assert_eq!(Place::from_tenths(357, 1398), Some(tokyo));
        assert_eq!(Place::from_tenths(901, 0), None);
    }

    #[test]
    fn one_thing_is_not_in_three_cities_at_once() {
        let (tokyo, london, lima) = (place(35.7, 139.8), place(51.5, -0.1), place(-12.0, -77.0));
        let report = check(&[seen(7200, 1, tokyo), seen(3600, 2, london), seen(600, 3, lima)]);
        assert_eq!(report.concern, Some(ScanConcern::ImpossibleTravel));
        assert_eq!((report.sightings, report.networks, report.journeys), (3, 3, 2));
    }

    #[test]
    fn a_vpn_or_a_flight_is_no_concern() {
        let (tokyo, london) = (place(35.7, 139.8), place(51.5, -0.1));
        let vpn: Vec<_> = (0..20)
            .map(|n| seen(n * 60, n.unsigned_abs() % 2, if n % 2 == 0 { tokyo } else { london }))
            .collect();
        let report = check(&vpn);
        assert!(report.journeys >= 2, "{report:?}");
        assert_eq!(report.concern, None, "two networks are one person");
        let flight = [seen(86_400, 1, tokyo), seen(3600, 2, london), seen(0, 3, london)];
        assert_eq!(check(&flight).concern, None);
    }

    #[test]
    fn many_networks_in_a_day_are_a_concern_and_decay() {
        let many: Vec<_> = (0..12).map(|n| seen(n * 100, n.unsigned_abs(), None)).collect();
        assert_eq!(check(&many).concern, Some(ScanConcern::ManyNetworks));
        assert_eq!(check(&many[1..]).concern, None);
        let later = assess(&many, NOW.plus(7 * 86_400), &ScanPolicy::default());
        assert_eq!(later.concern, None, "older look-ups are forgiven");
        // The same network hashes differently under each salt: it must not add up.
        let daily: Vec<_> = (0..7)
            .flat_map(|day| {
                (0..2).map(move |n| Sighting {
                    epoch: day,
                    ..seen(86_000 * i64::try_from(day).unwrap(), day * 10 + n, None)
                })
            })
            .collect();
        assert_eq!(check(&daily).networks, 2);
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_nothing_overflows(
            raw in proptest::collection::vec(
                (any::<i64>(), 0u64..4, 0u64..20, -900i64..=900, -1800i64..=1800), 0..60)
        ) {
            let mut sightings: Vec<_> = raw
                .iter()
                .map(|(at, epoch, network, latitude, longitude)| Sighting {
                    at: UnixTime(*at),
                    epoch: *epoch,
                    network: *network,
                    place: Place::from_tenths(*latitude, *longitude),
                })
                .collect();
            let once = check(&sightings);
            sightings.reverse();
            let again = check(&sightings);
            prop_assert_eq!(once.networks, again.networks);
            prop_assert_eq!(once.sightings, again.sightings);
        }
    }
}
