//! Tiles and entry bundles: where they lie and what they hold (C2SP tlog-tiles).

use crate::{Commitment, LedgerError, TREE_SIZE_MAX};
use crypto::Sha256;
use std::{fmt, str::FromStr};

/// Hashes in a full tile, entries in a full bundle (tlog-tiles, "Merkle Tree").
pub const TILE_WIDTH: u64 = 256;

/// Bytes of the largest bundle that is read: 256 entries of 65,535 bytes with their lengths.
const BUNDLE_BYTES_MAX: usize = 256 * (65_535 + 2);

/// Longest path of an object, in bytes.
const PATH_BYTES_MAX: usize = 64;

/// What an object of the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TileKind {
    /// hashes of the tree at height 8 × this level
    Hashes(u8),
    /// entries
    Entries,
}

/// Where a tile or entry bundle lies below the log's prefix: `tile/<L>/<N>[.p/<W>]` or
/// `tile/entries/<N>[.p/<W>]`. There is one spelling only, so that a parsed path is safe as a
/// file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TilePath {
    /// Path of a tile or bundle of `width` hashes or entries.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] where there can be no such tile.
    pub fn new(kind: TileKind, index: u64, width: u64) -> Result<Self, LedgerError> {
        let bad = |why| LedgerError::malformed("tile path", why);
        let level = match kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        };
        let span = 1_u64
            .checked_shl(8 * u32::from(level))
            .filter(|_| level < 7)
            .ok_or_else(|| bad("its level is above what a log can reach"))?;
        if width == 0 || width > TILE_WIDTH {
            return Err(bad("a tile's width is 1 to 256"));
        }
        let first = index
            .checked_mul(TILE_WIDTH)
            .and_then(|first| first.checked_mul(span))
            .filter(|first| *first <= TREE_SIZE_MAX);
        if first.is_none() {
            return Err(bad("its index is beyond the largest log"));
        }
        let width = u16::try_from(width).map_err(|_| bad("a tile's width is 1 to 256"))?;
        Ok(Self { kind, index, width })
    }

    /// What lies there.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Number of the tile within its level, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in it, 1 to 256.
    pub fn width(&self) -> u64 {
        u64::from(self.width)
    }

    /// Whether all 256 places are filled.
    pub fn is_full(&self) -> bool {
        self.width() == TILE_WIDTH
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            match place {
                0 => write!(f, "{group:03}")?,
                _ => write!(f, "x{group:03}/")?,
            }
        }
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for TilePath {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let bad = || {
            LedgerError::malformed(
                "tile path",
                "it must read tile/<level>/<number> or tile/entries/<number>, with .p/<width> \
                 where partial",
            )
        };
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten().ok_or_else(bad)
        };
        if text.len() > PATH_BYTES_MAX {
            return Err(bad());
        }
        let rest = text.strip_prefix("tile/").ok_or_else(bad)?;
        let (kind, rest) = rest.split_once('/').ok_or_else(bad)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(u8::try_from(number(level)?).map_err(|_| bad())?),
        };
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, number(width)?),
            None => (rest, TILE_WIDTH),
        };
        let mut index = 0_u64;
        for group in groups.split('/') {
            let group = number(group.strip_prefix('x').unwrap_or(group))?;
            index = index
                .checked_mul(1000)
                .and_then(|index| index.checked_add(group))
                .ok_or_else(bad)?;
        }
        let path = Self::new(kind, index, width)?;
        // One spelling only: no leading zeroes, no `..`, no `.p/256`.
        if path.to_string() == text { Ok(path) } else { Err(bad()) }
    }
}

/// Reads the hashes of a tile.
///
/// # Errors
/// [`LedgerError::Malformed`] where there are not exactly `width` of them.
pub fn parse_hashes(bytes: &[u8], width: u64) -> Result<Vec<Sha256>, LedgerError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() as u64 != width || width > TILE_WIDTH {
        return Err(LedgerError::malformed(
            "tile",
            format!("a tile of width {width} has 32 bytes for each hash"),
        ));
    }
    Ok(hashes.iter().map(|hash| Sha256(*hash)).collect())
}

/// Writes the hashes of a tile.
pub fn encode_hashes(hashes: &[Sha256]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads an entry bundle: entries, each behind its length in two bytes, big-endian (tlog-tiles,
/// "Log entries").
///
/// # Errors
/// [`LedgerError::TooLarge`], or [`LedgerError::Malformed`] where there are not exactly `width` of
/// them.
pub fn parse_bundle(bytes: &[u8], width: u64) -> Result<Vec<&[u8]>, LedgerError> {
    let bad = |why: &str| LedgerError::malformed("entry bundle", why);
    if bytes.len() > BUNDLE_BYTES_MAX {
        let limit = BUNDLE_BYTES_MAX as u64;
        return Err(LedgerError::TooLarge { what: "entry bundle", limit, unit: "bytes" });
    }
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or_else(|| bad("an entry is shorter than its length says"))?;
        entries.push(entry);
        rest = after;
        if entries.len() as u64 > width.min(TILE_WIDTH) {
            return Err(bad("it has more entries than its width says"));
        }
    }
    if !rest.is_empty() {
        return Err(bad("it ends within a length"));
    }
    if entries.len() as u64 != width {
        return Err(bad("it has fewer entries than its width says"));
    }
    Ok(entries)
}

/// Reads an entry bundle of a log of commitments, such as Tegata's.
///
/// # Errors
/// As [`parse_bundle`]; [`LedgerError::Malformed`] where an entry has not 32 bytes.
pub fn parse_commitments(bytes: &[u8], width: u64) -> Result<Vec<Commitment>, LedgerError> {
    parse_bundle(bytes, width)?
        .into_iter()
        .map(|entry| {
            Sha256::from_slice(entry)
                .map(Commitment)
                .ok_or_else(|| LedgerError::malformed("entry bundle", "a commitment has 32 bytes"))
        })
        .collect()
}

/// Writes an entry bundle.
pub fn encode_commitments(commitments: &[Commitment]) -> Vec<u8> {
    let mut out = Vec::with_capacity(commitments.len() * 34);
    for commitment in commitments {
        out.extend([0, 32]);
        out.extend(commitment.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        let check = |kind, index, width, text: &str| {
            let path = TilePath::new(kind, index, width).unwrap();
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse(), Ok(path));
        };
        check(TileKind::Hashes(0), 0, 256, "tile/0/000");
        check(TileKind::Hashes(3), 1_234_067, 256, "tile/3/x001/x234/067");
        check(TileKind::Hashes(0), 1_000, 7, "tile/0/x001/000.p/7");
        check(TileKind::Entries, 273, 112, "tile/entries/273.p/112");
    }

    #[test]
    fn other_paths_are_refused() {
        for text in [
            "",
            "checkpoint",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/7/000",
            "tile/63/000",
            "tile/256/000",
            "tile/-1/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/07",
            "tile/0/000.p/+7",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/0/../../etc/passwd",
            "tile/0/..",
            "/tile/0/000",
            "tile/0/000/",
            "tile//000",
            "tile/0/\u{0660}00",
            "tile/data/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "tile/6/x001/x234/067",
        ] {
            assert!(text.parse::<TilePath>().is_err(), "{text}");
        }
    }

    #[test]
    fn bundles_are_exact() {
        let leaves = [crate::commit(&[1; 32], b"a"), crate::commit(&[2; 32], b"b")];
        let bytes = encode_commitments(&leaves);
        assert_eq!(parse_commitments(&bytes, 2).unwrap(), leaves);
        assert!(parse_commitments(&bytes, 1).is_err());
        assert!(parse_commitments(&bytes, 3).is_err());
        assert!(parse_commitments(&bytes[..67], 2).is_err());
        assert!(parse_commitments(&[&bytes[..], &[0]].concat(), 2).is_err());
        assert!(parse_commitments(b"\x00\x01a", 1).is_err());
        assert_eq!(parse_bundle(b"\x00\x01a\x00\x00", 2).unwrap(), [&b"a"[..], b""]);
    }
}
