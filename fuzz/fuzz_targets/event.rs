//! Life events: any bytes are an error or an event with exactly one encoding, and no bytes are
//! believed that the key has not signed.
#![no_main]

use crypto::{Secret, Signer as _, SoftwareKey};
use device::{Event, SignedEvent};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<SoftwareKey> = LazyLock::new(|| {
    let mut pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    pkcs8.extend([0x42; 32]);
    SoftwareKey::from_pkcs8(&Secret::new(pkcs8)).expect("a fixed key")
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = Event::decode(bytes) {
        assert_eq!(event.encode(), bytes, "one event, one encoding");
        let signed = SignedEvent::sign(&*KEY, &event).expect("what is read can be signed");
        let again = SignedEvent::parse(signed.as_bytes()).expect("what is signed can be read");
        assert_eq!(*again.verify(KEY.public_key()).expect("our own signature"), event);
        // A byte near the end of the payload, altered: no longer signed.
        let mut altered = signed.as_bytes().to_vec();
        let at = altered.len() - 70;
        altered[at] ^= 1;
        if let Ok(altered) = SignedEvent::parse(&altered) {
            assert!(altered.verify(KEY.public_key()).is_err());
        }
    }
    if let Ok(signed) = SignedEvent::parse(bytes) {
        assert_eq!(signed.as_bytes(), bytes, "bytes are kept as received");
        let _ = signed.verify(KEY.public_key());
        let _ = signed.commitment(&[0; 32]);
    }
});
