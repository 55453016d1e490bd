//! The operator's table of places: any text is an error that names a line, or a table in which every
//! address is looked up without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use service::{Network, PlaceTable};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fuzz_target!(|text: &str| {
    if let Ok(network) = text.parse::<Network>() {
        assert_eq!(network.to_string().parse(), Ok(network), "one network, one form");
    }
    match PlaceTable::parse(text) {
        Ok(table) => {
            for address in [
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V4(Ipv4Addr::BROADCAST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::from(u128::MAX)),
            ] {
                if let Some(place) = table.place(address) {
                    let (latitude, longitude) = place.tenths();
                    assert!(latitude.abs() <= 900 && longitude.abs() <= 1800);
                }
            }
        }
        Err(error) => assert!(error.to_string().contains("line "), "{error}"),
    }
});
