//! What a device reads from the network and from its boot record before anything is trusted.

#![no_main]

use agent::{boot::BootRecord, doors, net::http::Head};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(head)) = Head::parse(bytes) {
        assert!(head.bytes <= bytes.len());
        let _ = (head.content_range(), head.retry_after());
    }
    let _ = doors::read(bytes, "gate-bg1");
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(record) = BootRecord::parse(text)
    {
        assert_eq!(BootRecord::parse(&record.text()), Ok(record));
    }
});
