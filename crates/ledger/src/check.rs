use crate::{
    CheckpointStore, LeafSource, LedgerError, LogKey, ObjectStore, SignedCheckpoint, TILE_WIDTH,
    TileKind, TilePath,
    edge::{Edge, Object},
    log::leaves,
    tile,
};

/// Leaves between two reports of progress, and read at a time.
const STEP: u64 = 4096;

/// Checkpoints read at a time.
const CHECKPOINTS_PER_READ: usize = 1024;

/// How far an audit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// leaves audited
    pub leaves: u64,
    /// leaves to audit: those of the newest checkpoint
    pub of: u64,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// leaves of the newest checkpoint that were audited
    pub leaves: u64,
    /// leaves in the source that no checkpoint covers yet
    pub pending: u64,
    /// tiles and entry bundles compared
    pub objects: u64,
    /// kept checkpoints compared
    pub checkpoints: u64,
    /// the first difference, at which the audit stopped; `None` where all is well
    pub difference: Option<Difference>,
}

/// Where two records of the log disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// index of the first leaf concerned; for a checkpoint, its size
    pub index: u64,
    /// what disagrees with what
    pub what: String,
}

/// Audits a whole log: hashes the tree anew from the leaf source, and compares it with every entry
/// bundle and tile, and with every checkpoint that is kept. Reads only, and needs no private key;
/// tells `progress` how far it is every few thousand leaves.
///
/// # Errors
/// [`LedgerError::Unavailable`] where a store cannot be read. What was read and is wrong is no
/// error but the report's [`Difference`].
pub fn check<S: LeafSource, O: ObjectStore, C: CheckpointStore>(
    source: &S,
    objects: &O,
    checkpoints: &C,
    key: &LogKey,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, LedgerError> {
    let mut report = Report::default();
    report.difference = Audit { source, objects, checkpoints, key }.run(&mut report, progress)?;
    Ok(report)
}

struct Audit<'a, S, O, C> {
    source: &'a S,
    objects: &'a O,
    checkpoints: &'a C,
    key: &'a LogKey,
}

impl<S: LeafSource, O: ObjectStore, C: CheckpointStore> Audit<'_, S, O, C> {
    fn run(
        &self,
        report: &mut Report,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Difference>, LedgerError> {
        let available = self.source.size()?;
        let wrong = |index, what: String| Ok(Some(Difference { index, what }));
        let Some(bytes) = self.checkpoints.load()? else {
            report.pending = available;
            return Ok(None);
        };
        let newest =
            SignedCheckpoint::parse(&bytes).and_then(|newest| newest.verify(self.key, &[], 0));
        let newest = match newest {
            Ok(newest) => newest,
            Err(error) => return wrong(0, format!("the newest checkpoint: {error}")),
        };
        let size = newest.size;
        if available < size {
            let what = format!("{size} leaves are signed, the source has only {available}");
            return wrong(available, what);
        }
        report.pending = available - size;
        let mut edge = Edge::default();
        let mut kept = Kept { log: self, after: None, queue: Vec::new().into_iter(), next: None };
        loop {
            if let Some(difference) = kept.compare(&edge, size, report)? {
                return Ok(Some(difference));
            }
            if edge.size() == size {
                break;
            }
            progress(Progress { leaves: edge.size(), of: size });
            // Stop where a checkpoint wants to see the root.
            let stop = kept.next_size().unwrap_or(size).min(size).min(edge.size() + STEP);
            let mut objects = Vec::new();
            for leaf in leaves(self.source, edge.size(), stop - edge.size())? {
                edge.push(leaf, &mut objects)?;
            }
            if let Some(difference) = self.compare_objects(objects, report)? {
                return Ok(Some(difference));
            }
            report.leaves = edge.size();
        }
        if let Some(difference) = self.compare_objects(edge.partials(0)?, report)? {
            return Ok(Some(difference));
        }
        progress(Progress { leaves: size, of: size });
        match edge.root() == newest.root {
            true => Ok(None),
            false => {
                wrong(size, "the leaves do not lead to the root of the newest checkpoint".into())
            }
        }
    }

    fn compare_objects(
        &self,
        objects: Vec<Object>,
        report: &mut Report,
    ) -> Result<Option<Difference>, LedgerError> {
        for (path, wanted) in objects {
            let place: TilePath = path.parse()?;
            let first = first_leaf(place);
            match self.objects.read(&path)? {
                Some(found) if found == wanted => report.objects += 1,
                Some(found) => {
                    return Ok(Some(locate(place, &wanted, &found)));
                }
                // A partial tile may have given way to the full one of a newer tree.
                None if !place.is_full() && self.full_one_begins_with(place, &wanted)? => {
                    report.objects += 1;
                }
                None => {
                    let what = format!("{path} is missing; it can be rebuilt from the leaves");
                    return Ok(Some(Difference { index: first, what }));
                }
            }
        }
        Ok(None)
    }

    fn full_one_begins_with(&self, place: TilePath, wanted: &[u8]) -> Result<bool, LedgerError> {
        let full = TilePath::new(place.kind(), place.index(), TILE_WIDTH)?;
        let found = self.objects.read(&full.to_string())?;
        Ok(found.is_some_and(|found| found.starts_with(wanted)))
    }
}

/// Walks through the kept checkpoints beside the tree.
struct Kept<'a, S, O, C> {
    log: &'a Audit<'a, S, O, C>,
    /// size of the last one read
    after: Option<u64>,
    queue: std::vec::IntoIter<Vec<u8>>,
    next: Option<SignedCheckpoint>,
}

impl<S: LeafSource, O: ObjectStore, C: CheckpointStore> Kept<'_, S, O, C> {
    fn next_size(&self) -> Option<u64> {
        self.next.as_ref().map(|next| next.claimed().size)
    }

    /// Compares all checkpoints of the size that the tree has now.
    fn compare(
        &mut self,
        edge: &Edge,
        newest: u64,
        report: &mut Report,
    ) -> Result<Option<Difference>, LedgerError> {
        loop {
            if self.next.is_none()
                && let Some(difference) = self.read(edge, newest)?
            {
                return Ok(Some(difference));
            }
            let Some(next) = self.next.take_if(|next| next.claimed().size <= edge.size()) else {
                return Ok(None);
            };
            let index = next.claimed().size;
            let wrong = |what: String| Ok(Some(Difference { index, what }));
            if let Err(error) = next.verify(self.log.key, &[], 0) {
                return wrong(format!("the kept checkpoint of {index} leaves: {error}"));
            }
            if index < edge.size() {
                return wrong("the checkpoint store does not give checkpoints by size".into());
            }
            if next.claimed().root != edge.root() {
                return wrong(format!(
                    "the kept checkpoint of {index} leaves has another root than the leaves"
                ));
            }
            report.checkpoints += 1;
        }
    }

    fn read(&mut self, edge: &Edge, newest: u64) -> Result<Option<Difference>, LedgerError> {
        let bytes = match self.queue.next() {
            Some(bytes) => bytes,
            None => {
                let kept = self.log.checkpoints.kept(self.after, CHECKPOINTS_PER_READ)?;
                self.queue = kept.into_iter();
                match self.queue.next() {
                    Some(bytes) => bytes,
                    None => return Ok(None),
                }
            }
        };
        let next = match SignedCheckpoint::parse(&bytes) {
            Ok(next) => next,
            Err(error) => {
                let what = format!("a kept checkpoint: {error}");
                return Ok(Some(Difference { index: edge.size(), what }));
            }
        };
        let size = next.claimed().size;
        // One that was signed while this audit ran is the next audit's.
        if size > newest {
            self.queue = Vec::new().into_iter();
            self.after = Some(u64::MAX);
            return Ok(None);
        }
        self.after = Some(size);
        self.next = Some(next);
        Ok(None)
    }
}

fn first_leaf(place: TilePath) -> u64 {
    let bits = match place.kind() {
        TileKind::Hashes(level) => 8 * u32::from(level),
        TileKind::Entries => 0,
    };
    (place.index() * TILE_WIDTH) << bits
}

/// The first leaf under which a tile or bundle differs.
fn locate(place: TilePath, wanted: &[u8], found: &[u8]) -> Difference {
    let (bits, unit) = match place.kind() {
        TileKind::Hashes(level) => (8 * u32::from(level), 32),
        TileKind::Entries => (0, 34),
    };
    let same = wanted.iter().zip(found).take_while(|(a, b)| a == b).count();
    let index = first_leaf(place) + ((same as u64 / unit).min(place.width() - 1) << bits);
    let readable = match place.kind() {
        TileKind::Hashes(_) => tile::parse_hashes(found, place.width()).is_ok(),
        TileKind::Entries => tile::parse_commitments(found, place.width()).is_ok(),
    };
    let what = match readable {
        true => format!("{place} differs from the leaves"),
        false => format!("{place} is damaged: it has not the form of a tile of its width"),
    };
    Difference { index, what }
}
