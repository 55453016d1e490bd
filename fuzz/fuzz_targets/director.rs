//! What a director says, as if its keys had signed anything, and the proof of an assignment: any
//! bytes are an error or an order to this very device that can be given again; no proof holds without
//! the log's key. The first byte chooses: bytes as they are, or a good file with edits (place, value).
#![no_main]

use crypto::{Secret, Sha256, Signer, SoftwareKey, UnixTime, Verified, sha256};
use device::{DeviceId, OrganisationId};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};
use update::{
    Key, Limits, Root, Signed, Signers, TargetPath, Targets, Version,
    campaign::{AssignmentProof, LogTrust, verify_assignment},
    director::{
        Addressee, AssignmentId, Directed, Order, RootKeys, SigningKeys, directed, draft_root,
        issue,
    },
};

const LATER: UnixTime = UnixTime(1_895_000_000);

struct World {
    keys: SigningKeys,
    me: Addressee,
    good: Vec<u8>,
    proof: Vec<u8>,
    trust: LogTrust,
}

fn key(seed: u8) -> SoftwareKey {
    let mut pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    pkcs8.extend([seed; 32]);
    SoftwareKey::from_pkcs8(&Secret::new(pkcs8)).expect("a fixed key")
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let public = |seed: u8| Key::from_public(key(seed).public_key()).expect("a key");
    let keys = RootKeys {
        root: Some(Signers { keys: vec![public(1)], threshold: 1 }),
        targets: public(2),
        snapshot: public(3),
        timestamp: public(4),
    };
    let mut root = Signed::draft(draft_root(None, &keys, LATER).expect("a root"));
    root.sign(&public(1).computed_id(), &public(1), &key(1)).expect("a signature");
    let root: Verified<Root> = root.trust_first().expect("signed");
    let signers = [2, 3, 4].map(|seed| Arc::new(key(seed)) as Arc<dyn Signer>);
    let keys = SigningKeys::new(&root, &signers).expect("named");
    let me = Addressee {
        director: OrganisationId::new("maker").expect("an id"),
        device: DeviceId::from_bytes([7; 16]),
        key: Sha256([8; 32]),
    };
    let run = Directed {
        path: TargetPath::new("gate/fw.img").expect("a path"),
        length: 2,
        sha256: sha256(b"fw"),
        hardware_id: "gate-bg1".into(),
        version: "2".into(),
        security_version: 1,
        release_counter: 2,
        assignment: AssignmentId { action: 5, campaign: [1; 16], release: [2; 16] },
    };
    let order = Order { to: me.clone(), run: Some(run) };
    let good = issue(&order, Version::FIRST, LATER, &keys).expect("issued").targets;
    let sha = "ab".repeat(32);
    let one = format!(
        r#"{{"statement":"e30=","salt":"{}=","leaf":3,"path":["{sha}"],"checkpoint":"log\n4\n{}=\n\n— log AAAA\n"}}"#,
        "A".repeat(43),
        "A".repeat(43),
    );
    let proof = format!(
        r#"{{"campaign":{one},"release":{one},"salt":"{sha}","index":5,"path":["{sha}"]}}"#
    );
    let log = ledger::LogKey::new("log", key(5).public_key()).expect("a log");
    let trust = LogTrust { logs: vec![log], witnesses: Vec::new(), quorum: 0 };
    World { keys, me, good, proof: proof.into_bytes(), trust }
});

fn edited(good: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut file = good.to_vec();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % file.len();
        file[at] = edit[2];
    }
    file
}

fn obeyed(bytes: &[u8]) {
    let Ok(signed) = Signed::<Targets>::parse(bytes, &Limits::DEFAULT) else { return };
    let targets = Verified::assertion(signed.unverified().clone());
    let Ok(run) = directed(&targets, &WORLD.me, "gate-bg1") else { return };
    assert!(targets.targets.len() <= 1 && targets.delegations.is_empty());
    let order = Order { to: WORLD.me.clone(), run: run.map(Verified::into_inner) };
    assert!(order.run.as_ref().is_none_or(|run| run.hardware_id == "gate-bg1"));
    // The same order can be given again, and is read as the same.
    let again = issue(&order, Version::FIRST, LATER, &WORLD.keys).expect("issued").targets;
    let again = Signed::<Targets>::parse(&again, &Limits::DEFAULT).expect("what was issued");
    let again = Verified::assertion(again.unverified().clone());
    let again = directed(&again, &WORLD.me, "gate-bg1").expect("what was issued");
    assert_eq!(again.map(Verified::into_inner), order.run);
}

fn proven(bytes: &[u8]) {
    let Ok(proof) = AssignmentProof::parse(bytes) else { return };
    let file = ("gate/fw.img", &sha256(b"fw"));
    let told = verify_assignment(&proof, &WORLD.trust, &WORLD.me.device, file);
    assert!(told.is_err(), "a proof without the log's signature");
}

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    match how % 4 {
        0 => obeyed(bytes),
        1 => obeyed(&edited(&WORLD.good, bytes)),
        2 => proven(bytes),
        _ => proven(&edited(&WORLD.proof, bytes)),
    }
});
