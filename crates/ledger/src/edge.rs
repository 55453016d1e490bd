use crate::{Commitment, LedgerError, TILE_WIDTH, TREE_SIZE_MAX, TileKind, TilePath, tile};
use crypto::Sha256;
use tlog_tiles::{Hash, Tile, node_hash};

/// An object to be written: its path and contents.
pub(crate) type Object = (String, Vec<u8>);

/// The right edge of the tree: the tiles that are not full yet. Enough to append and to know the
/// root, however large the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    size: u64,
    /// hashes of the partial tile of each level, fewer than 256 each
    levels: Vec<Vec<Hash>>,
    /// entries of the partial bundle
    entries: Vec<Commitment>,
}

impl Edge {
    /// Takes up the edge of a tree whose tiles are there.
    pub(crate) fn resume(
        size: u64,
        levels: Vec<Vec<Hash>>,
        entries: Vec<Commitment>,
    ) -> Result<Self, LedgerError> {
        let leaves = levels.first().map(Vec::as_slice).unwrap_or_default();
        let hashed = entries.iter().map(|entry| Hash(entry.leaf_hash().0));
        if leaves.len() != entries.len() || !leaves.iter().copied().eq(hashed) {
            return Err(LedgerError::doubt(format!(
                "the last leaves of the {size} signed ones differ from their hashes in the tiles"
            )));
        }
        Ok(Self { size, levels, entries })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Hashes of the partial tile of each level, lowest first.
    pub(crate) fn levels(&self) -> &[Vec<Hash>] {
        &self.levels
    }

    /// Appends a leaf; tiles and bundles that it fills go to `full`.
    pub(crate) fn push(
        &mut self,
        commitment: Commitment,
        full: &mut Vec<Object>,
    ) -> Result<(), LedgerError> {
        if self.size >= TREE_SIZE_MAX {
            return Err(LedgerError::TooLarge {
                what: "log",
                limit: TREE_SIZE_MAX,
                unit: "leaves",
            });
        }
        self.entries.push(commitment);
        if self.entries.len() as u64 == TILE_WIDTH {
            full.push(self.bundle()?);
            self.entries.clear();
        }
        self.size += 1;
        let mut hash = Hash(commitment.leaf_hash().0);
        let mut level = 0_u8;
        loop {
            let place = usize::from(level);
            if self.levels.len() == place {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(place) else { return Ok(()) };
            hashes.push(hash);
            if hashes.len() as u64 != TILE_WIDTH {
                return Ok(());
            }
            let bytes = bytes_of(hashes);
            hashes.clear();
            hash = Tile::subtree_hash(&bytes);
            let index = (self.size >> (8 * (u32::from(level) + 1))).saturating_sub(1);
            let path = TilePath::new(TileKind::Hashes(level), index, TILE_WIDTH)?;
            full.push((path.to_string(), bytes));
            level += 1;
        }
    }

    /// The partial tiles and bundle that changed since the tree had `old_size` leaves.
    pub(crate) fn partials(&self, old_size: u64) -> Result<Vec<Object>, LedgerError> {
        let mut out = Vec::new();
        if !self.entries.is_empty() && old_size != self.size {
            out.push(self.bundle()?);
        }
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            let bits = 8 * u32::from(level);
            if hashes.is_empty() || old_size >> bits == self.size >> bits {
                continue;
            }
            let index = self.size >> (bits + 8);
            let path = TilePath::new(TileKind::Hashes(level), index, hashes.len() as u64)?;
            out.push((path.to_string(), bytes_of(hashes)));
        }
        Ok(out)
    }

    fn bundle(&self) -> Result<Object, LedgerError> {
        let index = self.size / TILE_WIDTH;
        let path = TilePath::new(TileKind::Entries, index, self.entries.len() as u64)?;
        Ok((path.to_string(), tile::encode_commitments(&self.entries)))
    }

    /// Root of the tree (RFC 6962 section 2.1): each partial tile is a row of complete subtrees,
    /// largest first; what is to their right is folded in from the right.
    pub(crate) fn root(&self) -> Sha256 {
        let mut subtrees = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while let Some(bits) = rest.len().checked_ilog2() {
                let (complete, after) = rest.split_at(1 << bits);
                subtrees.push(Tile::subtree_hash(&bytes_of(complete)));
                rest = after;
            }
        }
        let root = subtrees.into_iter().rev().reduce(|right, left| node_hash(left, right));
        Sha256(root.unwrap_or(tlog_tiles::EMPTY_HASH).0)
    }
}

fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
