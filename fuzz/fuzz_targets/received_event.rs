//! Lines that a receiver of security events wrote: any bytes are an event of the stream or not, and none
//! but the event itself is taken for one of the log.
#![no_main]

use audit::{
    Kind, Outcome, SecurityEvent,
    stream::{Expected, Received, Record, digest},
};
use crypto::{Sha256, UnixTime};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let event = SecurityEvent::new(UnixTime(1_795_000_000), Kind::Verdict, Outcome::Failure);
    let record = Record { stream: "siem", number: 1, sequence: 7, hash: Sha256([7; 32]) };
    let object = record.object(&event, "0.1.0");
    let mut received = Received::new("siem");
    for line in bytes.split(|byte| *byte == b'\n') {
        received.line(line);
    }
    let found = received.reconcile([Expected { number: 1, digest: digest(&object) }]);
    assert_eq!(found.expected, 1);
    if found.is_whole() {
        // Whatever stands around it and however it is written.
        let text = String::from_utf8_lossy(bytes);
        assert!(text.contains("tegata_stream") && text.contains("verdict"));
    }
});
