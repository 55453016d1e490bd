//! The client of The Update Framework against a mirror that answers anything: it never panics, ends,
//! and believes nothing but what the owner signed.
#![no_main]

use crypto::{Secret, Signer, SoftwareKey, UnixTime};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use update::{
    Authority, Hashes, Key, Limits, Metadata, RoleName, Root, Signed, Signers, TargetFile,
    TargetPath, Targets, TopRole,
    client::{Answer, Client, Found, Settings, Stored},
    repository::{Files, Online, Staged, publish, sign_as},
};

const NOW: UnixTime = UnixTime(1_795_000_000);

struct World {
    root: Vec<u8>,
    files: Files,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = |seed: u8| {
        let mut pkcs8 =
            b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        pkcs8.extend([seed; 32]);
        SoftwareKey::from_pkcs8(&Secret::new(pkcs8)).expect("a fixed key")
    };
    let public = |key: &SoftwareKey| Key::from_public(key.public_key()).expect("a key");
    let keys = [key(1), key(2), key(3), key(4)];
    let later = NOW.plus(1_000_000);
    let signers = |role| Signers { keys: vec![public(&keys[role as usize])], threshold: 1 };
    let mut root = Signed::draft(Root::new(later, signers).expect("a root"));
    let own = root.own_authority();
    sign_as(&mut root, &own, &keys[TopRole::Root as usize]).expect("a signature");
    let trusted = root.clone().trust_first().expect("signed");
    let mut targets = Targets::new(later);
    let custom = update::Custom::default();
    let file = TargetFile::new(2, Hashes::sha256_of(b"fw"), &custom);
    targets.targets.insert("gate/fw.img".into(), file);
    let mut targets = Signed::draft(targets);
    let by = Authority::of_top_role(&trusted, TopRole::Targets);
    sign_as(&mut targets, &by, &keys[TopRole::Targets as usize]).expect("a signature");
    let staged = Staged {
        root: Some(root.to_bytes().expect("bytes")),
        targets: [(RoleName::from(TopRole::Targets), targets.to_bytes().expect("bytes"))].into(),
    };
    let online = Online {
        snapshot: vec![&keys[TopRole::Snapshot as usize] as &dyn Signer],
        timestamp: vec![&keys[TopRole::Timestamp as usize] as &dyn Signer],
        snapshot_expires: later,
        timestamp_expires: later,
    };
    let files = publish(None, &staged, &online, NOW).expect("published").files;
    World { root: root.to_bytes().expect("bytes"), files: files.into_iter().collect() }
});

/// What a good file says.
fn claimed<R: Metadata>(name: &str) -> R {
    let signed = Signed::<R>::parse(&WORLD.files[name], &Limits::DEFAULT).expect("a good file");
    signed.unverified().clone()
}

/// The next piece of the input: a length of two bytes, then so many bytes.
fn piece<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (head, rest) = input.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*head)).min(rest.len());
    let (piece, rest) = rest.split_at(length);
    *input = rest;
    Some(piece)
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = bytes;
    let stored = Stored {
        root: WORLD.root.clone(),
        timestamp: piece(&mut input).map(<[u8]>::to_vec),
        snapshot: piece(&mut input).map(<[u8]>::to_vec),
        targets: [(RoleName::from(TopRole::Targets), bytes.to_vec())].into(),
    };
    let mut client = Client::begin(stored, Settings::default(), NOW).expect("the root is good");
    // Each answer: the right file with edits (place, value), whatever bytes, or none.
    for _ in 0..24 {
        let Some(wanted) = client.wanted() else { break };
        let Some(edits) = piece(&mut input) else { break };
        let right = WORLD.files.get(&wanted.file).cloned();
        let answer = match (edits.split_first(), right) {
            (Some((0, bytes)), _) => Answer::File(bytes.to_vec()),
            (Some((1, _)), _) | (_, None) => Answer::Absent,
            (Some((_, edits)), Some(mut file)) => {
                for edit in edits.chunks_exact(3) {
                    let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % file.len();
                    file[at] = edit[2];
                }
                Answer::File(file)
            }
            (None, Some(file)) => Answer::File(file),
        };
        let _ = client.answer(answer);
    }
    assert_eq!(client.root().header.version.number(), 1, "a root that nobody signed");
    if let Some(targets) = client.targets() {
        assert_eq!(**targets, claimed("1.targets.json"), "targets that nobody signed");
        let snapshot = client.snapshot().map(|snapshot| &**snapshot);
        assert_eq!(snapshot, Some(&claimed("1.snapshot.json")), "a snapshot that nobody signed");
        let timestamp = client.timestamp().map(|timestamp| &**timestamp);
        assert_eq!(timestamp, Some(&claimed("timestamp.json")), "a timestamp that nobody signed");
    }
    let path = TargetPath::new("gate/fw.img").expect("a path");
    if let Ok(Found::Target(target)) = client.find(&path) {
        assert_eq!(target.hashes(), &Hashes::sha256_of(b"fw"), "nothing but what was signed");
    }
});
