//! A trust bundle (AU-6): any bytes are one or not, without a panic; contents that are read are written the
//! same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peer::{Contents, TrustBundle};

fuzz_target!(|bytes: &[u8]| {
    let _ = TrustBundle::claimed(bytes);
    let _ = TrustBundle::verify(bytes, &pki::validate::Anchors::default());
    let Ok(contents) = Contents::decode(bytes) else { return };
    assert_eq!(contents.encode().expect("what is read can be written"), bytes);
});
