//! Checkpoints, proof files and key strings: any bytes are an error or have one reading, and no
//! bytes are believed that no trusted key has signed.
#![no_main]

use ledger::{LogKey, SignedCheckpoint, TREE_SIZE_MAX, TlogProof, WitnessKey};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// Keys whose private halves nobody who writes fuzz input has: those of no corpus.
static KEYS: LazyLock<(LogKey, WitnessKey)> = LazyLock::new(|| {
    use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
    let key = SoftwareKey::generate(KeyAlgorithm::Ed25519).expect("keys can be made");
    let log = LogKey::new("log.example/fuzz", key.public_key()).expect("a good name");
    let witness = WitnessKey::new("witness.example/fuzz", key.public_key()).expect("a good name");
    (log, witness)
});

fuzz_target!(|bytes: &[u8]| {
    let (log, witness) = &*KEYS;
    if let Ok(checkpoint) = SignedCheckpoint::parse(bytes) {
        assert_eq!(checkpoint.bytes(), bytes, "signed bytes are kept as received");
        assert!(checkpoint.claimed().size <= TREE_SIZE_MAX);
        assert!(checkpoint.verify(log, std::slice::from_ref(witness), 0).is_err());
    }
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes, "a proof file has one spelling");
        let commitment = ledger::commit(&[0; 32], b"fuzz");
        assert!(proof.verify(&commitment, log, &[], 0).is_err());
        let _ = ledger::verify_inclusion(&commitment, &proof.inclusion(), &commitment.0);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(key) = text.parse::<LogKey>() {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        assert!(text.parse::<WitnessKey>().is_err() || text.parse::<LogKey>().is_err());
    }
});
