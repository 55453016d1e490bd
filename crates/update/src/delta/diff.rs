//! The maker's side: which part of the base is like the next part of the result, and the frames.

use super::{
    DeltaError, Header, Image, Limits, Measure, SEGMENT_BASE_BYTES_MAX, SEGMENT_RESULT_BYTES_MAX,
    Segment, WINDOW_LOG, measure,
};
use std::{
    collections::HashMap,
    io::{self, Read, Seek, SeekFrom, Write},
};

/// Length of the blocks by which parts are found again, in bytes.
const BLOCK: usize = 1024;
/// Most blocks that are remembered: of a longer base, every second, third … one.
const BLOCKS_MAX: u64 = 1 << 20;
/// Multiplier of the rolling hash: odd, otherwise of no meaning.
const FACTOR: u32 = 0x0100_0193;

/// Makes a delta from `base`, whose length and hash are `from`, to `result`, whose are `to`; both are
/// read piece by piece. `level` is one of Zstandard's.
///
/// # Errors
/// [`DeltaError::TooLarge`], [`DeltaError::Io`]; [`DeltaError::OtherBase`] or
/// [`DeltaError::OtherResult`] where what was read is not what was announced.
pub fn diff<B: Read + Seek>(
    base: &mut B,
    from: Image,
    result: &mut dyn Read,
    to: Image,
    level: i32,
    limits: &Limits,
    out: &mut dyn Write,
) -> Result<(), DeltaError> {
    let header = Header { base: from, result: to };
    header.check(limits)?;
    if measure(base, from.length)? != Some(from) {
        return Err(DeltaError::OtherBase);
    }
    let index = Index::of(base, from.length)?;
    out.write_all(&header.to_bytes())?;
    let mut read = Measure::default();
    let (mut part, mut prefix) = (Vec::new(), Vec::new());
    loop {
        part.clear();
        let most = u64::from(SEGMENT_RESULT_BYTES_MAX);
        Read::take(&mut *result, most).read_to_end(&mut part)?;
        if part.is_empty() {
            break;
        }
        let at = read.length;
        read.take(&part);
        if read.length > to.length {
            return Err(DeltaError::OtherResult);
        }
        let window = index.window(&part, at);
        base.seek(SeekFrom::Start(window.0))?;
        prefix.resize(usize::try_from(window.1).unwrap_or(0), 0);
        base.read_exact(&mut prefix)?;
        let frame = frame(&prefix, &part, level)?;
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let segment = Segment {
            from: window.0,
            base: window.1,
            result: length(part.len()),
            frame: length(frame.len()),
        };
        out.write_all(&segment.to_bytes())?;
        out.write_all(&frame)?;
    }
    match read.image() == Some(to) {
        true => Ok(()),
        false => Err(DeltaError::OtherResult),
    }
}

fn frame(prefix: &[u8], part: &[u8], level: i32) -> io::Result<Vec<u8>> {
    // Reaches from the end of the part back to the beginning of the prefix.
    let reach = prefix.len().saturating_add(part.len()).max(1 << 10);
    let window_log = reach.next_power_of_two().trailing_zeros().min(WINDOW_LOG);
    let mut encoder = zstd::stream::write::Encoder::with_ref_prefix(Vec::new(), level, prefix)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(window_log)?;
    encoder.include_checksum(false)?;
    encoder.set_pledged_src_size(Some(part.len() as u64))?;
    encoder.write_all(part)?;
    encoder.finish()
}

/// Where blocks of the base are, by a hash that is cheap to roll. It only guides: a wrong guess costs
/// length.
struct Index {
    blocks: HashMap<u32, u64>,
    length: u64,
}

impl Index {
    fn of<B: Read + Seek>(base: &mut B, length: u64) -> io::Result<Self> {
        base.rewind()?;
        let count = length / BLOCK as u64;
        let every = count.div_ceil(BLOCKS_MAX).max(1);
        let mut blocks = HashMap::new();
        let mut reader = io::BufReader::with_capacity(1 << 20, base);
        let mut block = [0; BLOCK];
        for number in 0..count {
            reader.read_exact(&mut block)?;
            if number % every == 0 && !is_flat(&block) {
                blocks.entry(hash(&block)).or_insert(number.saturating_mul(BLOCK as u64));
            }
        }
        Ok(Self { blocks, length })
    }

    /// First byte and length of the part of the base that has most of what `part` has, which stands
    /// at `at` in the result.
    fn window(&self, part: &[u8], at: u64) -> (u64, u32) {
        let most = u64::from(SEGMENT_BASE_BYTES_MAX);
        let length = self.length.min(most);
        let last = self.length.saturating_sub(length);
        let mut found = self.matches(part);
        found.sort_unstable();
        let (mut best, mut end, mut start) = (0, 0, None);
        for (first, from) in found.iter().enumerate() {
            while found.get(end).is_some_and(|to| to.saturating_sub(*from) < length) {
                end += 1;
            }
            if end.saturating_sub(first) > best {
                best = end.saturating_sub(first);
                let upto = found.get(end.saturating_sub(1)).unwrap_or(from);
                // As much room before as behind: what is near is alike.
                let spare = length.saturating_sub(upto.saturating_sub(*from)) / 2;
                start = Some(from.saturating_sub(spare));
            }
        }
        let middle = || at.saturating_sub(length.saturating_sub(part.len() as u64) / 2);
        let start = start.unwrap_or_else(middle).min(last);
        (start, u32::try_from(length).unwrap_or(SEGMENT_BASE_BYTES_MAX))
    }

    /// Where blocks of the part are in the base.
    fn matches(&self, part: &[u8]) -> Vec<u64> {
        let mut found = Vec::new();
        let oldest = (1..BLOCK).fold(1_u32, |power, _| power.wrapping_mul(FACTOR));
        let mut at = 0_usize;
        let mut rolled = None;
        while let Some(block) = part.get(at..at.saturating_add(BLOCK)) {
            let now = rolled.unwrap_or_else(|| hash(block));
            if let Some(place) = self.blocks.get(&now) {
                found.push(*place);
                at = at.saturating_add(BLOCK);
                rolled = None;
                continue;
            }
            let (Some(first), Some(next)) = (block.first(), part.get(at.saturating_add(BLOCK)))
            else {
                break;
            };
            let without = now.wrapping_sub(u32::from(*first).wrapping_mul(oldest));
            rolled = Some(without.wrapping_mul(FACTOR).wrapping_add(u32::from(*next)));
            at = at.saturating_add(1);
        }
        found
    }
}

/// The same byte all over: such blocks are everywhere and say nothing.
fn is_flat(block: &[u8]) -> bool {
    block.first().is_none_or(|first| block.iter().all(|byte| byte == first))
}

fn hash(block: &[u8]) -> u32 {
    block.iter().fold(0_u32, |hash, byte| hash.wrapping_mul(FACTOR).wrapping_add(u32::from(*byte)))
}
