//! Deltas: what makes the next image from the present one (UP-2; docs/sealed.md). Zstandard with parts
//! of the base as prefixes, behind a header that names both images.
//!
//! Nothing is applied before the base was hashed and found to be the one that is named, and nothing is
//! used before the result was: a patch program that works on unverified bytes is how CVE-2020-14315
//! came about. The delta itself is a release's file, named by its hash in signed metadata.
//!
//! ```text
//! "tegata-delta-2\n\0" ‖ length (8 bytes) and SHA-256 of the base ‖ the same of the result ‖ segments
//! segment: first byte of the base (8) ‖ bytes of the base (4) ‖ bytes made (4) ‖ length of the frame (4) ‖ frame
//! ```
//!
//! A segment needs a part of the base and makes a part of the result: so a device with little memory
//! patches images of any length.

mod diff;

pub use diff::diff;

use crypto::{Digester, HashAlgorithm, Sha256, sha256};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

/// The first bytes of a delta.
pub const MAGIC: &[u8; 16] = b"tegata-delta-2\n\0";
/// Length of a header in bytes.
pub const HEADER_BYTES: usize = 16 + 2 * (8 + 32);
/// Length of what stands before each frame, in bytes.
pub const SEGMENT_HEADER_BYTES: usize = 8 + 4 + 4 + 4;
/// Longest part of the base that a segment needs, in bytes: it is held in memory.
pub const SEGMENT_BASE_BYTES_MAX: u32 = 8 << 20;
/// Longest part of the result that a segment makes, in bytes.
pub const SEGMENT_RESULT_BYTES_MAX: u32 = 2 << 20;
/// Longest frame, in bytes: what a part grows to that does not compress at all.
const FRAME_BYTES_MAX: u32 = SEGMENT_RESULT_BYTES_MAX + (64 << 10);
/// Largest window of a frame, as a power of two: it reaches over both parts.
const WINDOW_LOG: u32 = 24;
const PIECE_BYTES: usize = 64 * 1024;

/// What one is willing to read and to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// largest base, in bytes
    pub base_bytes_max: u64,
    /// largest result, in bytes
    pub result_bytes_max: u64,
}

impl Limits {
    /// The defaults: images up to 64 GiB.
    pub const DEFAULT: Self = Self { base_bytes_max: 64 << 30, result_bytes_max: 64 << 30 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// An image: its length and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// length in bytes
    pub length: u64,
    /// SHA-256
    pub sha256: Sha256,
}

impl Image {
    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len() as u64, sha256: sha256(bytes) }
    }
}

/// Why there is no delta, or nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// Not a delta.
    #[error("not a delta: {0}")]
    Malformed(&'static str),
    /// More than one is willing to read or write.
    #[error("{what} of {length} bytes is larger than {max}; send the whole image instead")]
    TooLarge {
        /// what
        what: &'static str,
        /// its length in bytes
        length: u64,
        /// the limit in bytes
        max: u64,
    },
    /// The delta is for another base than the one at hand.
    #[error("the delta is for another image than the one that is installed")]
    OtherBase,
    /// What came out is not the image that was announced.
    #[error("the delta does not make the image that it names")]
    OtherResult,
    /// A frame is damaged, or needs more memory than allowed.
    #[error("the delta cannot be applied: {0}")]
    Frame(io::Error),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a delta begins with. Unverified: it decides only what is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// what it starts from
    pub base: Image,
    /// what it makes
    pub result: Image,
}

impl Header {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for image in [self.base, self.result] {
            out.extend(image.length.to_be_bytes());
            out.extend(image.sha256.as_bytes());
        }
        out
    }

    /// Reads the header at the beginning of a delta.
    ///
    /// # Errors
    /// [`DeltaError::Malformed`]
    pub fn parse(bytes: &[u8]) -> Result<Self, DeltaError> {
        let short = DeltaError::Malformed("it is shorter than a header");
        let Some((magic, rest)) = bytes.split_first_chunk::<16>() else { return Err(short) };
        if magic != MAGIC {
            return Err(DeltaError::Malformed("it does not begin as one"));
        }
        let parts = rest.split_first_chunk::<40>();
        let parts = parts.and_then(|(base, rest)| Some((base, rest.first_chunk::<40>()?)));
        let Some((base, result)) = parts else { return Err(short) };
        Ok(Self { base: image(base), result: image(result) })
    }

    fn check(&self, limits: &Limits) -> Result<(), DeltaError> {
        let sides = [
            ("a base", self.base.length, limits.base_bytes_max),
            ("a result", self.result.length, limits.result_bytes_max),
        ];
        for (what, length, max) in sides {
            if length > max {
                return Err(DeltaError::TooLarge { what, length, max });
            }
        }
        Ok(())
    }
}

fn image(bytes: &[u8; 40]) -> Image {
    let (mut length, mut hash) = ([0; 8], [0; 32]);
    for (to, from) in length.iter_mut().chain(hash.iter_mut()).zip(bytes) {
        *to = *from;
    }
    Image { length: u64::from_be_bytes(length), sha256: Sha256(hash) }
}

/// What stands before a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// first byte of the base that is needed
    from: u64,
    /// bytes of the base that are needed
    base: u32,
    /// bytes that are made
    result: u32,
    /// length of the frame
    frame: u32,
}

impl Segment {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = self.from.to_be_bytes().to_vec();
        for number in [self.base, self.result, self.frame] {
            out.extend(number.to_be_bytes());
        }
        out
    }

    fn read(delta: &mut dyn BufRead) -> Result<Self, DeltaError> {
        let (mut from, mut numbers) = ([0; 8], [[0; 4]; 3]);
        delta.read_exact(&mut from).map_err(cut)?;
        for number in &mut numbers {
            delta.read_exact(number).map_err(cut)?;
        }
        let [base, result, frame] = numbers.map(u32::from_be_bytes);
        Ok(Self { from: u64::from_be_bytes(from), base, result, frame })
    }

    /// `left` bytes of the result are missing.
    fn check(&self, header: &Header, left: u64) -> Result<(), DeltaError> {
        let end = self.from.checked_add(u64::from(self.base));
        let fits = end.is_some_and(|end| end <= header.base.length)
            && self.base <= SEGMENT_BASE_BYTES_MAX
            && (1..=SEGMENT_RESULT_BYTES_MAX).contains(&self.result)
            && u64::from(self.result) <= left
            && self.frame <= FRAME_BYTES_MAX;
        match fits {
            true => Ok(()),
            false => {
                Err(DeltaError::Malformed("a segment reaches beyond the images or the limits"))
            }
        }
    }
}

/// Applies a delta to `base`. What is written to `out` is the image only once this returned without an
/// error, and must not be put to use before. The base is read once in full, then in parts; at most
/// 12 MiB are in memory.
///
/// # Errors
/// [`DeltaError`]
pub fn patch<B: Read + Seek>(
    base: &mut B,
    delta: &mut dyn BufRead,
    limits: &Limits,
    out: &mut dyn Write,
) -> Result<Image, DeltaError> {
    let mut header = [0; HEADER_BYTES];
    delta.read_exact(&mut header).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => DeltaError::Malformed("it is shorter than a header"),
        _ => DeltaError::Io(error),
    })?;
    let header = Header::parse(&header)?;
    header.check(limits)?;
    // Before anything else is read.
    if measure(base, header.base.length)? != Some(header.base) {
        return Err(DeltaError::OtherBase);
    }
    let mut made = Measure::default();
    let (mut prefix, mut buffer) = (Vec::new(), vec![0; PIECE_BYTES]);
    while made.length < header.result.length {
        let segment = Segment::read(delta)?;
        segment.check(&header, header.result.length.saturating_sub(made.length))?;
        base.seek(SeekFrom::Start(segment.from))?;
        prefix.resize(usize::try_from(segment.base).unwrap_or(0), 0);
        base.read_exact(&mut prefix)?;
        let end = made.length.saturating_add(u64::from(segment.result));
        let mut frame = Read::take(&mut *delta, u64::from(segment.frame));
        let mut decoder = zstd::stream::read::Decoder::with_ref_prefix(&mut frame, &prefix)
            .map_err(DeltaError::Frame)?
            .single_frame();
        decoder.window_log_max(WINDOW_LOG).map_err(DeltaError::Frame)?;
        loop {
            let read = decoder.read(&mut buffer).map_err(DeltaError::Frame)?;
            let piece = buffer.get(..read).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            made.take(piece);
            // A frame that swells is stopped where its part ends.
            if made.length > end {
                return Err(DeltaError::OtherResult);
            }
            out.write_all(piece)?;
        }
        drop(decoder);
        if made.length != end || frame.limit() != 0 {
            return Err(DeltaError::Malformed("a frame is not what its segment says"));
        }
    }
    if made.image() != Some(header.result) {
        return Err(DeltaError::OtherResult);
    }
    if !delta.fill_buf()?.is_empty() {
        return Err(DeltaError::Malformed("bytes follow its end"));
    }
    Ok(header.result)
}

/// What the first `length` bytes are; `None` where there are fewer.
fn measure<B: Read + Seek>(base: &mut B, length: u64) -> Result<Option<Image>, DeltaError> {
    base.rewind()?;
    let mut found = Measure::default();
    let mut buffer = vec![0; PIECE_BYTES];
    while found.length < length {
        let left = usize::try_from(length.saturating_sub(found.length)).unwrap_or(PIECE_BYTES);
        let read = base.read(buffer.get_mut(..left.min(PIECE_BYTES)).unwrap_or_default())?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            return Ok(None);
        }
        found.take(piece);
    }
    Ok(found.image())
}

fn cut(error: io::Error) -> DeltaError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DeltaError::Malformed("it was cut"),
        _ => DeltaError::Io(error),
    }
}

struct Measure {
    digester: Digester,
    length: u64,
}

impl Default for Measure {
    fn default() -> Self {
        Self { digester: Digester::new(HashAlgorithm::Sha256), length: 0 }
    }
}

impl Measure {
    fn take(&mut self, piece: &[u8]) {
        self.digester.update(piece);
        self.length = self.length.saturating_add(piece.len() as u64);
    }

    fn image(self) -> Option<Image> {
        let sha256 = Sha256::from_slice(&self.digester.finish())?;
        Some(Image { length: self.length, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn made(base: &[u8], result: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let (from, to) = (Image::of(base), Image::of(result));
        let (base, result) = (&mut Cursor::new(base), &mut &*result);
        diff(base, from, result, to, 19, &Limits::DEFAULT, &mut out).unwrap();
        out
    }

    fn applied(base: &[u8], delta: &[u8], limits: &Limits) -> Result<Vec<u8>, DeltaError> {
        let mut out = Vec::new();
        patch(&mut Cursor::new(base), &mut &*delta, limits, &mut out)?;
        Ok(out)
    }

    /// Bytes that do not compress by themselves.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut step = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        (0..length).map(|_| step()).collect()
    }

    #[test]
    fn a_small_change_makes_a_small_delta() {
        let base = noise(300_000);
        let mut result = base.clone();
        result[150_000] ^= 0xff;
        result.splice(200_000..200_010, *b"version 2.4.1");
        let delta = made(&base, &result);
        assert!(delta.len() < 2_000, "{} bytes", delta.len());
        assert_eq!(applied(&base, &delta, &Limits::DEFAULT).unwrap(), result);
    }

    #[test]
    fn what_moved_far_is_found_again() {
        // Beyond what one segment sees: the second half comes first, and something stands before it.
        let base = noise(20 << 20);
        let mut result = b"a new beginning".to_vec();
        result.extend(&base[12 << 20..]);
        result.extend(&base[..12 << 20]);
        let (from, to) = (Image::of(&base), Image::of(&result));
        let mut delta = Vec::new();
        let limits = Limits::DEFAULT;
        diff(&mut Cursor::new(&base), from, &mut &*result, to, 1, &limits, &mut delta).unwrap();
        assert!(delta.len() < 200_000, "{} bytes", delta.len());
        assert_eq!(applied(&base, &delta, &limits).unwrap(), result);
    }

    #[test]
    fn another_base_is_refused_before_anything_is_written() {
        let (base, result) = (noise(10_000), noise(12_000));
        let delta = made(&base, &result);
        let mut other = base.clone();
        other[5] ^= 1;
        for other in [&other[..], &base[..9_999]] {
            let mut out = Vec::new();
            let refused = patch(&mut Cursor::new(other), &mut &*delta, &Limits::DEFAULT, &mut out);
            assert!(matches!(refused, Err(DeltaError::OtherBase)));
            assert!(out.is_empty());
        }
        // A slot is longer than its image.
        let longer = [base.as_slice(), &[9; 1000]].concat();
        assert_eq!(applied(&longer, &delta, &Limits::DEFAULT).unwrap(), result);
    }

    #[test]
    fn what_is_altered_cut_or_swells_is_refused() {
        let (base, result) = (noise(10_000), vec![7; 1_000_000]);
        let delta = made(&base, &result);
        for at in 0..delta.len() {
            let mut altered = delta.clone();
            altered[at] ^= 1;
            // A frame has bits without a meaning, such as a larger window, and a part of the base
            // that is not used may be another: then the result is the same.
            if let Ok(out) = applied(&base, &altered, &Limits::DEFAULT) {
                assert!(at >= HEADER_BYTES && out == result, "byte {at}");
            }
        }
        for length in 0..delta.len() {
            assert!(applied(&base, &delta[..length], &Limits::DEFAULT).is_err(), "{length}");
        }
        let mut grown = delta.clone();
        grown.push(0);
        assert!(matches!(
            applied(&base, &grown, &Limits::DEFAULT),
            Err(DeltaError::Malformed("bytes follow its end"))
        ));
        // A header that announces less than the frame holds, and a segment that does.
        let mut header = Header::parse(&delta).unwrap();
        header.result = Image::of(&result[..1000]);
        let mut segment = Segment::read(&mut &delta[HEADER_BYTES..]).unwrap();
        segment.result = 1000;
        let mut swelling = header.to_bytes();
        swelling.extend(segment.to_bytes());
        swelling.extend(&delta[HEADER_BYTES + SEGMENT_HEADER_BYTES..]);
        let mut out = Vec::new();
        let base = &mut Cursor::new(&base);
        let refused = patch(base, &mut &*swelling, &Limits::DEFAULT, &mut out);
        assert!(matches!(refused, Err(DeltaError::OtherResult)));
        assert!(out.len() <= 1000 + PIECE_BYTES);
    }

    #[test]
    fn segments_stay_within_the_images_and_the_limits() {
        let header = Header { base: Image::of(&[1; 100]), result: Image::of(&[2; 50]) };
        let good = Segment { from: 60, base: 40, result: 50, frame: 10 };
        assert!(good.check(&header, 50).is_ok());
        for bad in [
            Segment { from: 61, ..good },
            Segment { from: u64::MAX, ..good },
            Segment { result: 51, ..good },
            Segment { result: 0, ..good },
            Segment { frame: FRAME_BYTES_MAX + 1, ..good },
        ] {
            assert!(matches!(bad.check(&header, 50), Err(DeltaError::Malformed(_))), "{bad:?}");
        }
        let large = Image { length: u64::MAX, sha256: Sha256([0; 32]) };
        let wide = Segment { base: SEGMENT_BASE_BYTES_MAX + 1, ..good };
        assert!(wide.check(&Header { base: large, result: large }, u64::MAX).is_err());
        let (base, result) = (noise(100_000), noise(300_000));
        let delta = made(&base, &result);
        for small in [
            Limits { base_bytes_max: 50_000, ..Limits::DEFAULT },
            Limits { result_bytes_max: 50_000, ..Limits::DEFAULT },
        ] {
            let refused = applied(&base, &delta, &small);
            assert!(matches!(refused, Err(DeltaError::TooLarge { .. })));
        }
    }

    #[test]
    fn an_image_that_changes_meanwhile_makes_no_delta() {
        let (base, result) = (noise(1000), noise(2000));
        let (from, announced) = (Image::of(&base), Image::of(&result[..1999]));
        let mut out = Vec::new();
        let limits = Limits::DEFAULT;
        let base = &mut Cursor::new(&base);
        let made = diff(base, from, &mut &*result, announced, 3, &limits, &mut out);
        assert!(matches!(made, Err(DeltaError::OtherResult)));
        let shorter = Image::of(&result);
        let made = diff(base, from, &mut &result[..1000], shorter, 3, &limits, &mut out);
        assert!(matches!(made, Err(DeltaError::OtherResult)));
        let made = diff(base, shorter, &mut &*result, shorter, 3, &limits, &mut out);
        assert!(matches!(made, Err(DeltaError::OtherBase)));
    }

    proptest! {
        #[test]
        fn every_image_comes_back(
            base in proptest::collection::vec(any::<u8>(), 0..3000),
            result in proptest::collection::vec(any::<u8>(), 0..3000),
        ) {
            let delta = made(&base, &result);
            prop_assert_eq!(Header::parse(&delta).unwrap().result, Image::of(&result));
            prop_assert_eq!(applied(&base, &delta, &Limits::DEFAULT).unwrap(), result);
        }

        #[test]
        fn any_bytes_are_an_error_and_not_a_panic(bytes: Vec<u8>) {
            prop_assert!(applied(b"base", &bytes, &Limits::DEFAULT).is_err());
            let header = Header { base: Image::of(b"base"), result: Image::of(b"result") };
            let mut framed = header.to_bytes();
            framed.extend(&bytes);
            prop_assert!(applied(b"base", &framed, &Limits::DEFAULT).is_err());
            let frame = u32::try_from(bytes.len()).unwrap();
            let mut framed = header.to_bytes();
            framed.extend(Segment { from: 0, base: 4, result: 6, frame }.to_bytes());
            framed.extend(&bytes);
            prop_assert!(applied(b"base", &framed, &Limits::DEFAULT).is_err());
        }
    }
}
