//! Datagrams of strangers, before and after they have shaken hands: what is made of a hello is a first
//! hello, and not longer.
#![no_main]

use gateway::{Hello, is_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = is_request(bytes);
    if let Some(first) = Hello::read(bytes).and_then(|hello| hello.first()) {
        let again = Hello::read(&first).expect("a hello");
        assert!(again.cookie().is_empty() && again.first().is_none(), "a first hello");
        assert!(first.len() <= bytes.len(), "not longer");
    }
});
