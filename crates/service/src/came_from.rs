//! Where a request really comes from, when proxies stand before the door for people.
//!
//! Whoever asks may write any header. Those of proxies are believed only where the other end of the
//! connection is one of the networks that the operator named; and of all addresses that are told,
//! the last one that is no such proxy counts, since our proxies append what they see and everything
//! before it may be the visitor's invention.

use crate::{PublicVisitor, Service};
use device::scan::Place;
use std::net::IpAddr;

/// Addresses read of all that is told: more proxies than that do not stand in a row.
const HOPS_MAX: usize = 32;
/// Longest text that may be an address with its port, in bytes.
const HOP_BYTES_MAX: usize = 64;
/// Longest text that may be a place, in bytes.
const PLACE_BYTES_MAX: usize = 64;

/// Where a request comes from: what limits count, the audit log names, and look-ups are told apart
/// by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameFrom {
    /// address of the client
    pub address: IpAddr,
    /// where a trusted proxy says that is
    pub told: Option<Place>,
}

impl From<IpAddr> for CameFrom {
    /// The address itself, with no proxy between.
    fn from(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), told: None }
    }
}

impl Service {
    /// Whether the operator named this address as one of its proxies.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        self.config.places.proxies.iter().any(|proxy| proxy.holds(address))
    }

    /// Where a request comes from that arrived from `peer`. `forwarded_for` are all lines of
    /// `X-Forwarded-For` in their order (RFC 9110 section 5.3: together they are one list),
    /// `place` the lines of `Tegata-Place`, of which the last counts.
    pub fn came_from<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
        mut place: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> CameFrom {
        let mut came = CameFrom::from(peer);
        if !self.is_proxy(peer) {
            return came;
        }
        let hops = forwarded_for.rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        for hop in hops.take(HOPS_MAX).map_while(address) {
            came.address = hop;
            if !self.is_proxy(hop) {
                break;
            }
        }
        came.told = place.next_back().and_then(degrees);
        came
    }

    /// Who looks a printed number up; `counts` as in [`PublicVisitor`].
    pub fn visitor(&self, came: &CameFrom, counts: bool) -> PublicVisitor {
        let table = || self.config.places.table.as_ref()?.place(came.address);
        PublicVisitor { address: came.address, place: came.told.or_else(table), counts }
    }
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = text.trim_ascii();
    let text = (text.len() <= HOP_BYTES_MAX).then_some(text)?;
    let text = std::str::from_utf8(text).ok()?;
    let alone = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    alone.or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

/// `LATITUDE,LONGITUDE` in degrees.
fn degrees(text: &[u8]) -> Option<Place> {
    let text = (text.len() <= PLACE_BYTES_MAX).then_some(text)?;
    let (latitude, longitude) = std::str::from_utf8(text).ok()?.split_once(',')?;
    Place::from_degrees(latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            (" 192.0.2.1:443\t", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("", None),
            ("unknown", None),
            ("_hidden", None),
            ("192.0.2.1.5", None),
        ] {
            let read = address(text.as_bytes()).map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = address(&text);
            let _ = degrees(&text);
        }
    }
}
