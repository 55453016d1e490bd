//! A witness's doors: any request is refused unless a known log signed it, any answer of a witness
//! is an error unless a known witness signed it.
#![no_main]

use crypto::{KeyAlgorithm, Signer, SoftwareKey, UnixTime};
use ledger::{
    LogKey,
    witness::{AddCheckpoint, Answer, Latest, Witness},
};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

const ORIGIN: &str = "log.example/fuzz";

static WITNESS: LazyLock<Witness> = LazyLock::new(|| {
    let key = || SoftwareKey::generate(KeyAlgorithm::Ed25519).expect("keys can be made");
    let log = LogKey::new(ORIGIN, key().public_key()).expect("a good name");
    Witness::new("witness.example/fuzz", Arc::new(key()), vec![log]).expect("a good name")
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = WITNESS.receive(bytes) {
        let latest = Latest { origin: ORIGIN.into(), size: 0, root: ledger::EMPTY_ROOT };
        let decided = request.decide(Some(&latest), UnixTime(0));
        assert!(decided.is_err(), "nobody signed this");
    }
    let Ok(request) = AddCheckpoint::parse(bytes) else { return };
    assert_eq!(request.to_string().as_bytes(), bytes, "a request has one spelling");
    // The same bytes once more as a witness's answer, in part and whole.
    for status in [200, 404, 409] {
        for body in [bytes, request.checkpoint.bytes()] {
            let answer = request.answer(status, body, std::slice::from_ref(WITNESS.key()));
            assert!(!matches!(answer, Ok(Answer::Cosigned { .. })), "nobody signed this");
        }
    }
});
