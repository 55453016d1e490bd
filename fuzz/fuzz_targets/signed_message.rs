//! A signed message (GW-4): any bytes are one or not, without a panic; what is read can be signed again and
//! says the same.
#![no_main]

use admission::{SIGNED_UP, SignedMessage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = SignedMessage::claimed(bytes) else { return };
    assert_ne!(message.topic.as_str(), SIGNED_UP);
    let key = crypto::SoftwareKey::generate(crypto::KeyAlgorithm::Ed25519).expect("a key");
    let signed = message.sign(&key).expect("what is read can be signed");
    let again = SignedMessage::verify(&signed, crypto::Signer::public_key(&key)).expect("it holds");
    assert_eq!(*again, message);
});
