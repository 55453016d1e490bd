//! Proofs of possession and stored states: any bytes are an error or have exactly one encoding, and
//! no proof is believed that the key has not signed for this challenge.
#![no_main]

use crypto::{Secret, Signer as _, SoftwareKey, UnixTime};
use device::{Challenge, Proof, SignedProof, State};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<SoftwareKey> = LazyLock::new(|| {
    let mut pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    pkcs8.extend([0x50; 32]);
    SoftwareKey::from_pkcs8(&Secret::new(pkcs8)).expect("a fixed key")
});

const NOW: UnixTime = UnixTime(1_795_000_000);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(state) = State::decode(bytes) {
        assert_eq!(state.encode(), bytes, "one state, one encoding");
    }
    let Ok(signed) = SignedProof::parse(bytes) else { return };
    assert_eq!(signed.as_bytes(), bytes, "bytes are kept as received");
    let claimed = signed.unverified().clone();
    let challenge =
        Challenge { device: claimed.device, nonce: claimed.nonce, expires: NOW.plus(60) };
    if let Ok(proof) = signed.verify(KEY.public_key(), &challenge, NOW) {
        let ours = SignedProof::sign(&*KEY, &proof).expect("a proof can be signed");
        assert_eq!(ours.as_bytes(), bytes, "Ed25519 is deterministic: nobody else signs this");
    }
    let mut other = challenge;
    other.nonce[0] ^= 1;
    assert!(signed.verify(KEY.public_key(), &other, NOW).is_err());
    let _ = Proof::answer(&other, claimed.counter, claimed.device_time, claimed.firmware);
});
