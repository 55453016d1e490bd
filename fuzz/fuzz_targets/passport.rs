//! Passport files: any bytes are an error or a file with exactly one encoding; nothing is genuine
//! without anchors; and a genuine file into which something was written is not believed, unless
//! what was written changes no fact.
#![no_main]

use crypto::UnixTime;
use device::{Outcome, Passport, PassportFile, TrustAnchors, VerifyOptions};
use libfuzzer_sys::fuzz_target;
use pki::Certificate;
use std::sync::LazyLock;

const EXAMPLE: &[u8] = include_bytes!("../../crates/device/testdata/example/passport.tegata");
const NOW: UnixTime = UnixTime(1_795_000_000);

static ANCHORS: LazyLock<TrustAnchors> = LazyLock::new(|| {
    let root = include_str!("../../crates/device/testdata/example/root.pem");
    let log = include_str!("../../crates/device/testdata/example/log.vkey");
    let witness = include_str!("../../crates/device/testdata/example/witness.vkey");
    TrustAnchors {
        roots: [Certificate::from_pem(root).expect("the root")].into_iter().collect(),
        logs: vec![log.trim().parse().expect("the log's key")],
        witnesses: vec![witness.trim().parse().expect("the witness's key")],
        quorum: 1,
        platform: None,
    }
});

static FACTS: LazyLock<Passport> = LazyLock::new(|| {
    let file = PassportFile::parse(EXAMPLE).expect("the example");
    file.facts(&ANCHORS, &VerifyOptions::default(), NOW)
});

fuzz_target!(|bytes: &[u8]| {
    let options = VerifyOptions::default();
    if let Ok(file) = PassportFile::parse(bytes) {
        assert_eq!(file.encode(), bytes, "one file, one encoding");
        let verdict = file.verify(&TrustAnchors::default(), &options, NOW);
        assert_eq!(verdict.outcome, Outcome::Rejected, "nothing is trusted without anchors");
    }
    // The input as edits to the example: place (two bytes), value.
    let mut edited = EXAMPLE.to_vec();
    for edit in bytes.chunks_exact(3).take(64) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % edited.len();
        edited[at] = edit[2];
    }
    let Ok(file) = PassportFile::parse(&edited) else { return };
    assert_eq!(file.encode(), edited, "one file, one encoding");
    let verdict = file.verify(&ANCHORS, &options, NOW);
    if verdict.outcome == Outcome::Genuine {
        assert_eq!(file.facts(&ANCHORS, &options, NOW), *FACTS, "facts changed unnoticed");
    }
});
