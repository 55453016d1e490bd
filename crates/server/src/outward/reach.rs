//! Where a message may be sent to: addresses that are everybody's, and networks that the operator
//! opened. A route is written by a tenant and its connections are made from inside the platform's
//! network; without this, it would be a way to whatever listens there.

use service::Network;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

/// Where a connection may go.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// wherever who runs the platform says
    Anywhere,
    /// to addresses that are everybody's, and into networks that were opened
    Open(Arc<[Network]>),
}

impl Reach {
    /// Whether it may go to an address.
    pub(crate) fn is_open(&self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Open(opened) => {
                let address = address.to_canonical();
                is_global(address) || opened.iter().any(|network| network.holds(address))
            }
        }
    }
}

/// Whether an address is everybody's: none of those that the IANA registries of special purposes
/// (RFC 6890) keep for one network, one machine, documentation or tests, and none that another
/// address hides in.
fn is_global(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private, loopback, link-local, private.
        (0 | 10 | 127, ..) | (169, 254, _) | (192, 168, _) => true,
        (172, 16..=31, _) => true,
        // Shared by carriers.
        (100, 64..=127, _) => true,
        // Protocol assignments, documentation, 6to4 relays, AS112.
        (192, 0, 0 | 2) | (192, 88, 99) | (192, 31, 196) | (192, 52, 193) | (192, 175, 48) => true,
        // Benchmarks, documentation.
        (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224..=255, ..) => true,
        _ => false,
    };
    !special
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    match (a, b) {
        // Protocol assignments (Teredo, ORCHID, …), documentation, 6to4, AS112.
        (0x2001, 0x0000..=0x01ff | 0x0db8) | (0x2002, _) | (0x2620, 0x004f) => false,
        (0x3fff, 0x0000..=0x0fff) => false,
        // Nothing else is given out; 64:ff9b::/96, where IPv4 hides, is outside as well.
        _ => (0x2000..=0x3fff).contains(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_is_everybodys_is_global() {
        for text in ["1.1.1.1", "93.184.216.34", "2606:2800:220:1::1", "172.32.0.1", "100.128.0.1"]
        {
            assert!(is_global(text.parse().unwrap()), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_global(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn the_operator_opens_networks() {
        let opened: [Network; 2] = ["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let reach = Reach::Open(opened.into());
        assert!(Reach::Anywhere.is_open("127.0.0.1".parse().unwrap()));
        for (text, open) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("fd00::1", true),
            ("fe80::1", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(reach.is_open(text.parse().unwrap()), open, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_that_ipv6_writes_otherwise_is_the_same(bits: u32) {
            let four = Ipv4Addr::from_bits(bits);
            let mapped = IpAddr::V6(four.to_ipv6_mapped());
            prop_assert_eq!(is_global(IpAddr::V4(four)), is_global(mapped));
        }
    }
}
