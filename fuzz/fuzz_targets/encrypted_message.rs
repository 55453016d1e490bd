//! An encrypted message (GW-4): any bytes are one or not, without a panic; none of them opens with a key that
//! nobody encrypted for.
#![no_main]

use admission::EncryptedMessage;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<crypto::agreement::AgreementKey> = LazyLock::new(|| {
    crypto::agreement::AgreementKey::generate(crypto::agreement::Curve::P256).expect("a key")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = EncryptedMessage::parse(bytes) else { return };
    assert!(EncryptedMessage::is_one(bytes));
    assert!(message.open(&KEY).is_err());
});
