//! An encrypted message (GW-4): any bytes are one or not, without a panic; none of them opens with a key that
//! nobody encrypted for, also where they name it.
#![no_main]

use admission::EncryptedMessage;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<crypto::agreement::AgreementKey> = LazyLock::new(|| {
    crypto::agreement::AgreementKey::generate(crypto::agreement::Curve::P256).expect("a key")
});

static NAME: LazyLock<crypto::Sha256> =
    LazyLock::new(|| KEY.public().to_certify().expect("a key").fingerprint());

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = EncryptedMessage::parse(bytes) else { return };
    assert!(EncryptedMessage::is_one(bytes));
    assert!(message.open(&KEY).is_err());
    // With the name of the key that is there: agreement, derivation and decryption are reached.
    let (claimed, own) = (message.recipient(), *NAME);
    let claimed = claimed.as_bytes();
    let at = bytes.windows(claimed.len()).position(|part| part == claimed).expect("a name");
    let mut named = bytes.to_vec();
    named[at..at + claimed.len()].copy_from_slice(own.as_bytes());
    let message = EncryptedMessage::parse(&named).expect("the same form");
    assert!(message.open(&KEY).is_err());
});
