//! COSE_Sign1: any bytes are an error or a message with exactly one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = crypto::cose::Sign1::parse(bytes) {
        assert_eq!(message.as_bytes(), bytes, "signed bytes are kept as received");
        assert!(message.unverified_payload().len() < bytes.len());
    }
});
