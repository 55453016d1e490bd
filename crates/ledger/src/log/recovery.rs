//! What stands behind [`Log`]: finding out where it stands, and looking twice before signing.

use super::{Log, Published, older_root};
use crate::{
    CheckpointStore, Commitment, LEAVES_PER_INTEGRATION_MAX, LeafSource, LedgerError, LogKey,
    ObjectStore, SignedCheckpoint, TILE_WIDTH, TileKind, TilePath, TreeHead,
    edge::{Edge, Object},
    nodes::{Fresh, Nodes, Tiles as _, TreeReader, nodes_of, width_at},
    tile,
};
use std::sync::Arc;
use tlog_tiles::Hash;

/// Leaves asked of the source at a time.
const LEAVES_PER_READ: usize = 4096;

impl<S: LeafSource, O: ObjectStore, C: CheckpointStore> Log<S, O, C> {
    /// Finds out where the log stands: the ordinary path of opening, and after any failure.
    pub(super) fn recover(&self) -> Result<Edge, LedgerError> {
        self.cache.clear();
        let published = self.published();
        let known = published.signed.claimed();
        let bytes = self.checkpoints.load()?.ok_or_else(|| {
            LedgerError::doubt(format!("the checkpoint of {} leaves has vanished", known.size))
        })?;
        let signed = own_checkpoint(&bytes, &self.key)?;
        let head = signed.claimed();
        if head.size < known.size || (head.size == known.size && head.root != known.root) {
            return Err(LedgerError::doubt(format!(
                "the stored checkpoint of {} leaves does not follow that of {}",
                head.size, known.size
            )));
        }
        let available = self.source.size()?;
        if available < head.size {
            return Err(LedgerError::doubt(format!(
                "{} leaves are signed, but only {available} are left",
                head.size
            )));
        }
        let edge = match self.edge_from_tiles(head.size) {
            Err(LedgerError::Unavailable(_)) => self.rebuild(head.size)?,
            result => result?,
        };
        if edge.root() != head.root {
            return Err(LedgerError::doubt(format!(
                "the tree of {} leaves has not the root that was signed",
                head.size
            )));
        }
        let partials = nodes_of(&edge);
        self.publish(Published { signed, partials, integrated_at: published.integrated_at });
        Ok(edge)
    }

    fn edge_from_tiles(&self, size: u64) -> Result<Edge, LedgerError> {
        let mut levels = Vec::new();
        for level in 0_u8..7 {
            let index = size >> (8 * (u32::from(level) + 1));
            let width = width_at(size, level, index);
            if size >> (8 * u32::from(level)) == 0 {
                break;
            }
            levels.push(match width {
                0 => Vec::new(),
                _ => self.hashes_at(level, index, width)?,
            });
        }
        let partial = size % TILE_WIDTH;
        let entries = leaves(&self.source, size - partial, partial)?;
        Edge::resume(size, levels, entries)
    }

    /// The first `width` hashes of a tile, from the partial tile or a wider one.
    fn hashes_at(&self, level: u8, index: u64, width: u64) -> Result<Vec<Hash>, LedgerError> {
        for stored in [width, TILE_WIDTH] {
            let path = TilePath::new(TileKind::Hashes(level), index, stored)?;
            if let Some(bytes) = self.objects.read(&path.to_string())? {
                let hashes = tile::parse_hashes(&bytes, stored)
                    .map_err(|error| LedgerError::doubt(format!("{path}: {error}")))?;
                let width = usize::try_from(width).unwrap_or(usize::MAX);
                return Ok(hashes.into_iter().take(width).map(|hash| Hash(hash.0)).collect());
            }
        }
        Err(LedgerError::Unavailable(format!("tile {index} of level {level} is missing")))
    }

    /// Makes all tiles of the first `size` leaves again. Those that are there must be the same.
    pub(super) fn rebuild(&self, size: u64) -> Result<Edge, LedgerError> {
        let mut edge = Edge::default();
        while edge.size() < size {
            let upto = size.min(edge.size() + LEAVES_PER_INTEGRATION_MAX);
            let mut objects = Vec::new();
            self.append(&mut edge, upto, &mut objects)?;
            if upto == size {
                objects.extend(edge.partials(0)?);
            }
            self.write_missing(objects)?;
        }
        Ok(edge)
    }

    pub(super) fn append(
        &self,
        edge: &mut Edge,
        upto: u64,
        full: &mut Vec<Object>,
    ) -> Result<(), LedgerError> {
        while edge.size() < upto {
            let count = (upto - edge.size()).min(LEAVES_PER_READ as u64);
            for leaf in leaves(&self.source, edge.size(), count)? {
                edge.push(leaf, full)?;
            }
        }
        Ok(())
    }

    /// Writes what is not there yet. An object that is there with other contents means that leaves
    /// or tiles have been changed.
    pub(super) fn write_missing(&self, objects: Vec<Object>) -> Result<(), LedgerError> {
        let mut missing = Vec::new();
        for (path, bytes) in objects {
            match self.objects.read(&path)? {
                None => missing.push((path, bytes)),
                Some(there) if there == bytes => {}
                Some(_) => {
                    return Err(LedgerError::doubt(format!(
                        "{path} exists and differs from what the leaves say"
                    )));
                }
            }
        }
        match missing.is_empty() {
            true => Ok(()),
            false => self.objects.write_all_durable(&missing),
        }
    }

    /// Reads from the stores what is about to be signed, and hashes it anew: leaves, entries, each
    /// level of tiles, the root, and that the signed tree is its beginning. One bit that flipped in
    /// memory or on disk ends a log, once signed (Certificate Transparency log Yeti 2022).
    pub(super) fn read_back(&self, old: &TreeHead, new: &TreeHead) -> Result<(), LedgerError> {
        let tiles = Fresh::new(&self.objects);
        let differs = |what: String| LedgerError::doubt(format!("{what} before signing"));
        for index in old.size / TILE_WIDTH..new.size.div_ceil(TILE_WIDTH) {
            let first = index * TILE_WIDTH;
            let width = width_at(new.size, 0, index);
            let path = TilePath::new(TileKind::Entries, index, width)?.to_string();
            let bytes = self.objects.read(&path)?.unwrap_or_default();
            let entries = tile::parse_commitments(&bytes, width)
                .map_err(|error| differs(format!("{path}: {error}")))?;
            if entries != leaves(&self.source, first, width)? {
                return Err(differs(format!("the entries of {path} changed")));
            }
            let nodes = tile_at(&tiles, new.size, 0, index)?;
            let hashed = entries.iter().map(|entry| Hash(entry.leaf_hash().0));
            if !nodes.hashes().iter().copied().eq(hashed) {
                return Err(differs(format!("the hashes of tile {index} changed")));
            }
        }
        for level in 1..7_u8 {
            let bits = 8 * u32::from(level);
            for place in old.size >> bits..new.size >> bits {
                let child = tile_at(&tiles, new.size, level - 1, place)?;
                let parent = tile_at(&tiles, new.size, level, place / TILE_WIDTH)?;
                let at = usize::try_from(place % TILE_WIDTH).unwrap_or(usize::MAX);
                if child.root().is_none() || child.root() != parent.hashes().get(at).copied() {
                    return Err(differs(format!("tile {place} of level {} changed", level - 1)));
                }
            }
        }
        let reader = TreeReader::new(new.size, &tiles);
        if reader.root(new.size)? != new.root {
            return Err(differs("the root changed".into()));
        }
        if old.size > 0 && older_root(&reader, new, old.size).ok() != Some(old.root) {
            return Err(differs("the new tree does not extend the signed one".into()));
        }
        Ok(())
    }
}

fn tile_at<O: ObjectStore>(
    tiles: &Fresh<'_, O>,
    size: u64,
    level: u8,
    index: u64,
) -> Result<Arc<Nodes>, LedgerError> {
    let width = width_at(size, level, index);
    tiles.tile(TilePath::new(TileKind::Hashes(level), index, width)?, level)
}

pub(super) fn own_checkpoint(bytes: &[u8], key: &LogKey) -> Result<SignedCheckpoint, LedgerError> {
    let signed = SignedCheckpoint::parse(bytes)
        .map_err(|error| LedgerError::doubt(format!("the stored checkpoint: {error}")))?;
    match signed.verify(key, &[], 0) {
        Ok(_) => Ok(signed),
        Err(error) => Err(LedgerError::doubt(format!("the stored checkpoint: {error}"))),
    }
}

/// Exactly `count` leaves of the source from index `from` on.
pub(crate) fn leaves(
    source: &impl LeafSource,
    from: u64,
    count: u64,
) -> Result<Vec<Commitment>, LedgerError> {
    let mut leaves = Vec::new();
    while (leaves.len() as u64) < count {
        let missing = usize::try_from(count).unwrap_or(usize::MAX) - leaves.len();
        let most = missing.min(LEAVES_PER_READ);
        let more = source.leaves(from + leaves.len() as u64, most)?;
        if more.is_empty() || more.len() > most {
            return Err(LedgerError::Unavailable(format!(
                "the leaf source gave {} leaves where {most} were asked for",
                more.len()
            )));
        }
        leaves.extend(more);
    }
    Ok(leaves)
}
