//! Tiles, entry bundles and their paths: any bytes are an error or have exactly one encoding.
#![no_main]

use ledger::{TilePath, tile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&width, bytes)) = bytes.split_first() else { return };
    let width = u64::from(width) + 1;
    if let Ok(hashes) = tile::parse_hashes(bytes, width) {
        assert_eq!(hashes.len() as u64, width);
        assert_eq!(tile::encode_hashes(&hashes), bytes);
    }
    if let Ok(entries) = tile::parse_bundle(bytes, width) {
        assert_eq!(entries.len() as u64, width);
        let length: usize = entries.iter().map(|entry| entry.len() + 2).sum();
        assert_eq!(length, bytes.len());
    }
    if let Ok(commitments) = tile::parse_commitments(bytes, width) {
        assert_eq!(tile::encode_commitments(&commitments), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(path) = text.parse::<TilePath>()
    {
        assert_eq!(path.to_string(), text, "a path has one spelling");
        assert!(!text.contains("..") && !text.starts_with('/'));
        assert_eq!(TilePath::new(path.kind(), path.index(), path.width()), Ok(path));
    }
});
