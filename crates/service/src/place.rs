//! Where networks are, roughly: a table that the operator may supply, as CSV.
//!
//! One line per network: `network,latitude,longitude` with the network in CIDR form and degrees with
//! a decimal point, north and east positive. Lines that begin with `#` and a first line of column
//! names are passed over. The narrowest network that holds an address counts. No such data come with
//! the program.

use crate::ServiceError;
use device::scan::Place;
use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Most networks in a table.
const NETWORKS_MAX: usize = 2_000_000;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 200;

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    v6: bool,
    bits: u8,
    prefix: u128,
}

impl Network {
    /// Whether the address is in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        let (v6, number) = numbered(address);
        v6 == self.v6 && cut(number, v6, self.bits) == self.prefix
    }
}

/// An address as a number, and whether it is of IPv6.
fn numbered(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (false, u32::from(address).into()),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => (false, u32::from(mapped).into()),
            None => (true, address.into()),
        },
    }
}

/// The first `bits` bits, the others zero.
fn cut(number: u128, v6: bool, bits: u8) -> u128 {
    let width: u32 = if v6 { 128 } else { 32 };
    let rest = width.saturating_sub(bits.into());
    number.checked_shr(rest).and_then(|kept| kept.checked_shl(rest)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a network has the form 192.0.2.0/24 or 2001:db8::/32";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(bits.parse::<u8>().map_err(|_| wrong)?))
            }
            Some(_) => return Err(wrong),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong)?;
        let (v6, prefix, most) = match address {
            IpAddr::V4(address) => (false, u32::from(address).into(), 32),
            IpAddr::V6(address) => (true, u128::from(address), 128),
        };
        let bits = bits.unwrap_or(most);
        if bits > most || cut(prefix, v6, bits) != prefix {
            return Err("the bits beyond a network's prefix are zero, as in 192.0.2.0/24");
        }
        Ok(Self { v6, bits, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match self.v6 {
            true => IpAddr::V6(Ipv6Addr::from(self.prefix)),
            false => IpAddr::V4(Ipv4Addr::from(u32::try_from(self.prefix).unwrap_or_default())),
        };
        write!(f, "{address}/{}", self.bits)
    }
}

/// Places of networks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlaceTable {
    places: HashMap<Network, Place>,
    /// lengths of prefixes that occur, longest first
    lengths: Vec<(bool, u8)>,
}

impl PlaceTable {
    /// Reads a table.
    ///
    /// # Errors
    /// `places`, with the line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, ServiceError> {
        let refused = |line: usize, why: &str| {
            ServiceError::malformed("places", format!("line {line} of the places: {why}"))
        };
        let mut table = Self::default();
        for (index, line) in text.lines().enumerate() {
            let number = index.saturating_add(1);
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.len() > LINE_BYTES_MAX {
                return Err(refused(number, "a line has at most 200 bytes"));
            }
            let mut fields = line.split(',').map(str::trim);
            let found = (fields.next(), fields.next(), fields.next(), fields.next());
            let (Some(network), Some(latitude), Some(longitude), None) = found else {
                return Err(refused(number, "three fields: network,latitude,longitude"));
            };
            if table.places.is_empty() && network == "network" {
                continue;
            }
            let network: Network = network.parse().map_err(|why| refused(number, why))?;
            let degrees = |text: &str| text.parse::<f64>().ok();
            let place = degrees(latitude)
                .zip(degrees(longitude))
                .and_then(|(latitude, longitude)| Place::from_degrees(latitude, longitude))
                .ok_or_else(|| refused(number, "degrees from -90 to 90 and from -180 to 180"))?;
            if table.places.insert(network, place).is_some() {
                return Err(refused(number, "this network is there already"));
            }
            if table.places.len() > NETWORKS_MAX {
                return Err(refused(number, "at most 2000000 networks"));
            }
        }
        let mut lengths: Vec<_> = table.places.keys().map(|n| (n.v6, n.bits)).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        table.lengths = lengths;
        Ok(table)
    }

    /// Where an address is.
    pub fn place(&self, address: IpAddr) -> Option<Place> {
        let (v6, number) = numbered(address);
        self.lengths.iter().filter(|(family, _)| *family == v6).find_map(|(_, bits)| {
            let network = Network { v6, bits: *bits, prefix: cut(number, v6, *bits) };
            self.places.get(&network).copied()
        })
    }

    /// Networks in it.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_narrowest_network_counts() {
        let table = PlaceTable::parse(
            "network,latitude,longitude\n# towns\n192.0.2.0/24,35.68,139.77\n\
             192.0.2.128/25, 34.69, 135.50\n2001:db8::/32,51.5,-0.12\n0.0.0.0/0,0,0\n",
        )
        .unwrap();
        assert_eq!(table.len(), 4);
        let at = |text: &str| table.place(text.parse().unwrap()).map(|place| place.tenths());
        assert_eq!(at("192.0.2.1"), Some((357, 1398)));
        assert_eq!(at("192.0.2.200"), Some((347, 1355)));
        assert_eq!(at("::ffff:192.0.2.200"), Some((347, 1355)));
        assert_eq!(at("198.51.100.1"), Some((0, 0)));
        assert_eq!(at("2001:db8:1::1"), Some((515, -1)));
        assert_eq!(at("2001:db9::1"), None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, line) in [
            ("192.0.2.0/24,1", "line 1"),
            ("\n192.0.2.1/24,1,1", "line 2"),
            ("192.0.2.0/33,1,1", "line 1"),
            ("192.0.2.0/+8,1,1", "line 1"),
            ("192.0.2.0/24,91,1", "line 1"),
            ("192.0.2.0/24,NaN,1", "line 1"),
            ("192.0.2.0/24,1,1\n192.0.2.0/24,2,2", "line 2"),
            ("192.0.2.0/24,1,1,1", "line 1"),
        ] {
            let error = PlaceTable::parse(text).unwrap_err();
            assert!(error.to_string().contains(line), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,200}", lines in "([0-9.:/,a-f]{0,40}\n){0,5}") {
            for text in [text, lines] {
                if let Ok(table) = PlaceTable::parse(&text) {
                    let _ = table.place(IpAddr::V4(Ipv4Addr::LOCALHOST));
                }
            }
        }

        #[test]
        fn networks_come_back_and_hold_their_addresses(number in any::<u128>(), bits in 0u8..=128, v6 in any::<bool>()) {
            let bits = if v6 { bits } else { bits.min(32) };
            let address = match v6 {
                true => IpAddr::V6(Ipv6Addr::from(number | 1 << 127)),
                #[expect(clippy::cast_possible_truncation, reason = "32 bits are wanted")]
                false => IpAddr::V4(Ipv4Addr::from(number as u32)),
            };
            let (family, number) = numbered(address);
            let network = Network { v6: family, bits, prefix: cut(number, family, bits) };
            prop_assert!(network.holds(address));
            if family == v6 {
                prop_assert_eq!(network.to_string().parse(), Ok(network));
            }
        }
    }
}
