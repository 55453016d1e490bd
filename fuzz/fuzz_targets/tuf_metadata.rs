//! Metadata of The Update Framework: the first byte chooses the role. Any bytes are an error or are
//! written back and read again as the same, signed part byte for byte; nothing verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use update::{
    Authority, Custom, Limits, Metadata, Root, Signed, Snapshot, TargetPath, Targets, Timestamp,
    path_matches,
};

fn check<R: Metadata + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<Signed<R>> {
    let read = Signed::<R>::parse(bytes, &Limits::DEFAULT).ok()?;
    // Escapes may make it longer than what was read.
    let limits = Limits {
        root_bytes_max: u64::MAX,
        timestamp_bytes_max: u64::MAX,
        snapshot_bytes_max: u64::MAX,
        targets_bytes_max: u64::MAX,
        ..Limits::DEFAULT
    };
    let again = Signed::<R>::parse(&read.to_bytes().expect("what was read"), &limits);
    assert_eq!(again.as_ref(), Ok(&read), "what is written is read");
    let draft = Signed::draft(read.unverified().clone());
    let draft = Signed::<R>::parse(&draft.to_bytes().expect("a draft"), &limits).expect("a draft");
    assert_eq!(draft.unverified(), read.unverified(), "contents survive");
    Some(read)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((role, bytes)) = bytes.split_first() else { return };
    match role % 5 {
        0 => {
            let Some(root) = check::<Root>(bytes) else { return };
            // Nobody here has a key, so what verifies names keys that the input signed with.
            let by: Authority = root.own_authority();
            assert!(root.signed_by(&by).len() <= root.signatures().len());
            let _ = root.trust_first();
        }
        1 => drop(check::<Timestamp>(bytes)),
        2 => drop(check::<Snapshot>(bytes)),
        3 => {
            let Some(targets) = check::<Targets>(bytes) else { return };
            for (path, file) in &targets.unverified().targets {
                let _ = Custom::read(file.custom.as_ref());
                if let Ok(path) = TargetPath::new(path.as_str()) {
                    for delegation in targets.unverified().delegations.iter().take(8) {
                        let _ = delegation.paths.cover(&path);
                    }
                }
            }
        }
        _ => {
            let text = String::from_utf8_lossy(bytes);
            if let Some((pattern, path)) = text.split_once('\n')
                && pattern.len() <= 1024
                && path.len() <= 1024
            {
                let _ = path_matches(pattern, path);
            }
        }
    }
});
