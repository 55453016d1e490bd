//! Detached CMS signatures (RFC 5652): any bytes are read or refused, and nobody is believed whom nobody
//! named.
#![no_main]

use crypto::UnixTime;
use libfuzzer_sys::fuzz_target;
use pki::{signed_data::verify_detached, validate::Anchors};

fuzz_target!(|bytes: &[u8]| {
    let now = UnixTime(1_795_000_000);
    assert!(verify_detached(b"content", bytes, &Anchors::default(), &[], now).is_err());
});
