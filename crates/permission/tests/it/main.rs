//! Policy sets: what is read, what is decided, what cases say.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod cases;
mod decisions;
mod reading;

use device::DeviceId;
use permission::{DeviceFacts, Policies};

pub(crate) fn device(number: u8, owner: &str, product: Option<&str>) -> DeviceFacts {
    let product = product.map(|text| {
        let (maker, product) = text.split_once('/').unwrap();
        (maker.parse().unwrap(), product.parse().unwrap())
    });
    DeviceFacts {
        device: DeviceId::from_bytes([number; 16]),
        owner: owner.parse().unwrap(),
        product,
    }
}

pub(crate) fn set(text: &str) -> Policies {
    Policies::parse(text).unwrap()
}
