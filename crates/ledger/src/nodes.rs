use crate::{LedgerError, ObjectStore, TILE_WIDTH, TileKind, TilePath, edge::Edge, tile};
use crypto::Sha256;
use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tlog_tiles::{Hash, HashReader, Tile, node_hash, split_stored_hash_index};

/// Full tiles kept in memory with their inner nodes, 16 KiB each: 32 MiB at most.
const TILES_CACHED_MAX: usize = 2048;

/// A tile with the nodes that its hashes imply: row 0 is the tile, each row above has half as many.
pub(crate) struct Nodes(Vec<Vec<Hash>>);

impl Nodes {
    pub(crate) fn new(hashes: Vec<Hash>) -> Self {
        let mut rows = vec![hashes];
        while let Some(row) = rows.last().filter(|row| row.len() > 1) {
            let above = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(*left, *right));
            let above = above.collect();
            rows.push(above);
        }
        Self(rows)
    }

    fn parse(bytes: &[u8], width: u64) -> Result<Self, LedgerError> {
        let hashes = tile::parse_hashes(bytes, width)?;
        Ok(Self::new(hashes.into_iter().map(|hash| Hash(hash.0)).collect()))
    }

    fn hash(&self, row: u8, place: u64) -> Option<Hash> {
        self.0.get(usize::from(row))?.get(usize::try_from(place).ok()?).copied()
    }

    /// The tile's own hashes.
    pub(crate) fn hashes(&self) -> &[Hash] {
        self.0.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// Root of a full tile.
    pub(crate) fn root(&self) -> Option<Hash> {
        self.0.get(8)?.first().copied()
    }
}

/// Partial tiles of a published tree, ready for proofs.
pub(crate) fn nodes_of(edge: &Edge) -> Vec<Arc<Nodes>> {
    edge.levels().iter().map(|hashes| Arc::new(Nodes::new(hashes.clone()))).collect()
}

/// Full tiles by level and index. Two generations: what was not asked for while one filled up is
/// forgotten.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Generations>);

type Generation = HashMap<(u8, u64), Arc<Nodes>>;

#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

impl Cache {
    fn get(&self, key: (u8, u64)) -> Option<Arc<Nodes>> {
        let mut this = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nodes) = this.young.get(&key) {
            return Some(Arc::clone(nodes));
        }
        let nodes = this.old.remove(&key)?;
        this.put(key, Arc::clone(&nodes));
        Some(nodes)
    }

    fn put(&self, key: (u8, u64), nodes: Arc<Nodes>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, nodes);
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Generations::default();
    }
}

impl Generations {
    fn put(&mut self, key: (u8, u64), nodes: Arc<Nodes>) {
        if self.young.len() >= TILES_CACHED_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, nodes);
    }
}

/// Where a [`TreeReader`] finds its tiles.
pub(crate) trait Tiles {
    /// The tile at `path`, which is at least as wide as the path says.
    fn tile(&self, path: TilePath, level: u8) -> Result<Arc<Nodes>, LedgerError>;
}

/// Reads through memory: partial tiles of the published edge, full tiles from the cache.
pub(crate) struct Cached<'a, O> {
    pub(crate) objects: &'a O,
    pub(crate) cache: &'a Cache,
    pub(crate) partials: &'a [Arc<Nodes>],
}

impl<O: ObjectStore> Tiles for Cached<'_, O> {
    fn tile(&self, path: TilePath, level: u8) -> Result<Arc<Nodes>, LedgerError> {
        if !path.is_full() {
            let partial = self.partials.get(usize::from(level));
            return partial.cloned().ok_or_else(|| missing(path));
        }
        let key = (level, path.index());
        if let Some(nodes) = self.cache.get(key) {
            return Ok(nodes);
        }
        let nodes = read(self.objects, path)?;
        self.cache.put(key, Arc::clone(&nodes));
        Ok(nodes)
    }
}

/// Reads every tile afresh from the store, once.
pub(crate) struct Fresh<'a, O> {
    objects: &'a O,
    seen: RefCell<HashMap<TilePath, Arc<Nodes>>>,
}

impl<'a, O: ObjectStore> Fresh<'a, O> {
    pub(crate) fn new(objects: &'a O) -> Self {
        Self { objects, seen: RefCell::default() }
    }
}

impl<O: ObjectStore> Tiles for Fresh<'_, O> {
    fn tile(&self, path: TilePath, _: u8) -> Result<Arc<Nodes>, LedgerError> {
        if let Some(nodes) = self.seen.borrow().get(&path) {
            return Ok(Arc::clone(nodes));
        }
        let nodes = read(self.objects, path)?;
        self.seen.borrow_mut().insert(path, Arc::clone(&nodes));
        Ok(nodes)
    }
}

fn read(objects: &impl ObjectStore, path: TilePath) -> Result<Arc<Nodes>, LedgerError> {
    let bytes = objects.read(&path.to_string())?.ok_or_else(|| missing(path))?;
    let nodes = Nodes::parse(&bytes, path.width())
        .map_err(|error| LedgerError::doubt(format!("{path}: {error}")))?;
    Ok(Arc::new(nodes))
}

fn missing(path: TilePath) -> LedgerError {
    LedgerError::Unavailable(format!("{path} is missing; rebuild the tiles from the leaves"))
}

/// Width of the tile at `level` and `index` in a tree of `size` leaves, 0 where it has none.
pub(crate) fn width_at(size: u64, level: u8, index: u64) -> u64 {
    let at_level = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
    at_level.saturating_sub(index.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH)
}

/// The nodes of a tree of `size` leaves by their numbers, for the arithmetic of `tlog_tiles`.
pub(crate) struct TreeReader<'a, T> {
    size: u64,
    tiles: &'a T,
    /// why the last reading failed; the trait's error type cannot carry it
    failure: RefCell<Option<LedgerError>>,
}

impl<'a, T: Tiles> TreeReader<'a, T> {
    pub(crate) fn new(size: u64, tiles: &'a T) -> Self {
        Self { size, tiles, failure: RefCell::new(None) }
    }

    /// Runs `prove`, and tells why a node could not be read.
    pub(crate) fn run<R>(
        &self,
        prove: impl FnOnce(&Self) -> Result<R, tlog_tiles::Error>,
    ) -> Result<R, LedgerError> {
        prove(self).map_err(|error| {
            let failure = self.failure.borrow_mut().take();
            failure.unwrap_or_else(|| LedgerError::doubt(error.to_string()))
        })
    }

    /// Root of the tree's first `size` leaves.
    pub(crate) fn root(&self, size: u64) -> Result<Sha256, LedgerError> {
        Ok(Sha256(self.run(|reader| tlog_tiles::tree_hash(size, reader))?.0))
    }

    fn node(&self, number: u64) -> Result<Hash, LedgerError> {
        let tile = Tile::from_index(8, number);
        let (level, index) = (tile.level(), tile.level_index());
        let width = width_at(self.size, level, index);
        let absent = || LedgerError::doubt(format!("node {number} is not in the tree"));
        if u64::from(tile.width()) > width {
            return Err(absent());
        }
        let path = TilePath::new(TileKind::Hashes(level), index, width)?;
        let nodes = self.tiles.tile(path, level)?;
        let (height, place) = split_stored_hash_index(number);
        let row = height % 8;
        let place = place.checked_sub(index << (8 - row)).ok_or_else(absent)?;
        nodes.hash(row, place).ok_or_else(absent)
    }
}

impl<T: Tiles> HashReader for TreeReader<'_, T> {
    fn read_hashes(&self, numbers: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let nodes: Result<Vec<Hash>, _> = numbers.iter().map(|number| self.node(*number)).collect();
        nodes.map_err(|error| {
            self.failure.replace(Some(error));
            tlog_tiles::Error::InconsistentTile
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_asked_for() {
        let cache = Cache::default();
        let nodes = Arc::new(Nodes::new(vec![Hash::default(); 2]));
        for index in 0..10 * TILES_CACHED_MAX as u64 {
            cache.put((0, index), Arc::clone(&nodes));
            assert!(cache.get((0, 7)).is_some() || index < 7, "forgotten at {index}");
            assert!(cache.get((0, index)).is_some());
        }
        let held = cache.0.lock().unwrap();
        let count = held.young.len() + held.old.len();
        drop(held);
        assert!(count > TILES_CACHED_MAX / 2 && count <= TILES_CACHED_MAX, "{count} tiles");
        assert!(cache.get((0, 9)).is_none());
        cache.clear();
        assert!(cache.get((0, 7)).is_none());
    }
}
