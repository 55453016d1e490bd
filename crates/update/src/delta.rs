//! Deltas: what makes the next image from the present one (UP-2; docs/sealed.md). Zstandard with the
//! base as its prefix, as `zstd --patch-from` makes it, behind a header that names both images.
//!
//! Nothing is applied before the base was hashed and found to be the one that is named, and nothing is
//! used before the result was: a patch program that works on unverified bytes is how CVE-2020-14315
//! came about. The delta itself is a release's file, named by its hash in signed metadata.
//!
//! ```text
//! "tegata-delta-1\n\0" ‖ length (8 bytes) and SHA-256 of the base ‖ the same of the result ‖ frame
//! ```

use crypto::{Digester, HashAlgorithm, Sha256, sha256};
use std::io::{self, BufRead, Read, Write};

/// The first bytes of a delta.
const MAGIC: &[u8; 16] = b"tegata-delta-1\n\0";
/// Length of a header in bytes.
pub const HEADER_BYTES: usize = 16 + 2 * (8 + 32);
const PIECE_BYTES: usize = 64 * 1024;
/// Smallest window that Zstandard knows, as a power of two.
const WINDOW_LOG_MIN: u32 = 10;

/// What one is willing to hold in memory and to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// largest base, in bytes; it is held in memory
    pub base_bytes_max: u64,
    /// largest result, in bytes
    pub result_bytes_max: u64,
    /// largest window, as a power of two; twice as much memory may be used
    pub window_log_max: u32,
}

impl Limits {
    /// The defaults: bases up to 256 MiB, results up to 4 GiB, windows up to 256 MiB.
    pub const DEFAULT: Self =
        Self { base_bytes_max: 256 << 20, result_bytes_max: 4 << 30, window_log_max: 28 };
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
    /// More than one is willing to hold or write.
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
    /// The frame is damaged, or needs more memory than allowed.
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
        let short = || DeltaError::Malformed("it is shorter than a header");
        let (magic, rest) = bytes.split_first_chunk::<16>().ok_or_else(short)?;
        if magic != MAGIC {
            return Err(DeltaError::Malformed("it does not begin as one"));
        }
        let (base, rest) = image(rest).ok_or_else(short)?;
        let (result, _) = image(rest).ok_or_else(short)?;
        Ok(Self { base, result })
    }

    fn check(&self, limits: &Limits) -> Result<(), DeltaError> {
        for (what, image, max) in [
            ("a base", self.base, limits.base_bytes_max),
            ("a result", self.result, limits.result_bytes_max),
        ] {
            if image.length > max {
                return Err(DeltaError::TooLarge { what, length: image.length, max });
            }
        }
        Ok(())
    }
}

fn image(bytes: &[u8]) -> Option<(Image, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    Some((Image { length: u64::from_be_bytes(*length), sha256: Sha256(*hash) }, rest))
}

/// Makes a delta from `base` to the image that `result` reads and that was measured as `announced`.
/// `level` is Zstandard's, 1 to 22.
///
/// # Errors
/// [`DeltaError`]; [`DeltaError::OtherResult`] where the image changed meanwhile.
pub fn diff(
    base: &[u8],
    announced: Image,
    result: &mut dyn Read,
    level: i32,
    limits: &Limits,
    out: &mut dyn Write,
) -> Result<(), DeltaError> {
    let header = Header { base: Image::of(base), result: announced };
    header.check(limits)?;
    // Reaches from the end of the result back to the beginning of the base.
    let reach = header.base.length.saturating_add(announced.length).max(1);
    let window_log = reach.next_power_of_two().trailing_zeros().max(WINDOW_LOG_MIN);
    let window_log = window_log.min(limits.window_log_max);
    out.write_all(&header.to_bytes())?;
    let mut encoder = zstd::stream::write::Encoder::with_ref_prefix(out, level, base)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(window_log)?;
    encoder.include_checksum(false)?;
    encoder.set_pledged_src_size(Some(announced.length))?;
    let mut measure = Measure::default();
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let read = result.read(&mut buffer)?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        measure.take(piece);
        if measure.length > announced.length {
            return Err(DeltaError::OtherResult);
        }
        encoder.write_all(piece)?;
    }
    if measure.image() != Some(announced) {
        return Err(DeltaError::OtherResult);
    }
    encoder.finish()?;
    Ok(())
}

/// Applies a delta to `base`. What is written to `out` is the image only once this returned without an
/// error, and must not be put to use before.
///
/// # Errors
/// [`DeltaError`]
pub fn patch(
    base: &[u8],
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
    if Image::of(base) != header.base {
        return Err(DeltaError::OtherBase);
    }
    let mut decoder = zstd::stream::read::Decoder::with_ref_prefix(&mut *delta, base)
        .map_err(DeltaError::Frame)?
        .single_frame();
    decoder.window_log_max(limits.window_log_max).map_err(DeltaError::Frame)?;
    let mut measure = Measure::default();
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let read = decoder.read(&mut buffer).map_err(DeltaError::Frame)?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        measure.take(piece);
        // A frame that swells is stopped where the announced image ends.
        if measure.length > header.result.length {
            return Err(DeltaError::OtherResult);
        }
        out.write_all(piece)?;
    }
    drop(decoder);
    if measure.image() != Some(header.result) {
        return Err(DeltaError::OtherResult);
    }
    if !delta.fill_buf()?.is_empty() {
        return Err(DeltaError::Malformed("bytes follow its end"));
    }
    Ok(header.result)
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

    fn made(base: &[u8], result: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        diff(base, Image::of(result), &mut &*result, 19, &Limits::DEFAULT, &mut out).unwrap();
        out
    }

    fn applied(base: &[u8], delta: &[u8], limits: &Limits) -> Result<Vec<u8>, DeltaError> {
        let mut out = Vec::new();
        patch(base, &mut &*delta, limits, &mut out)?;
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
    fn another_base_is_refused_before_anything_is_written() {
        let (base, result) = (noise(10_000), noise(12_000));
        let delta = made(&base, &result);
        let mut other = base.clone();
        other[5] ^= 1;
        let mut out = Vec::new();
        let refused = patch(&other, &mut &*delta, &Limits::DEFAULT, &mut out);
        assert!(matches!(refused, Err(DeltaError::OtherBase)));
        assert!(out.is_empty());
    }

    #[test]
    fn what_is_altered_cut_or_swells_is_refused() {
        let (base, result) = (noise(10_000), vec![7; 1_000_000]);
        let delta = made(&base, &result);
        for at in 0..delta.len() {
            let mut altered = delta.clone();
            altered[at] ^= 1;
            // A frame has bits without a meaning, such as a larger window: then the result is the same.
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
        // A header that announces less than the frame holds.
        let mut header = Header::parse(&delta).unwrap();
        header.result = Image::of(&result[..1000]);
        let mut swelling = header.to_bytes();
        swelling.extend(&delta[HEADER_BYTES..]);
        let mut out = Vec::new();
        let refused = patch(&base, &mut &*swelling, &Limits::DEFAULT, &mut out);
        assert!(matches!(refused, Err(DeltaError::OtherResult)));
        assert!(out.len() <= 1000 + PIECE_BYTES);
    }

    #[test]
    fn memory_is_limited_on_both_sides() {
        let (base, result) = (noise(100_000), noise(3_000_000));
        let small = Limits { base_bytes_max: 50_000, ..Limits::DEFAULT };
        let delta = made(&base, &result);
        assert!(matches!(applied(&base, &delta, &small), Err(DeltaError::TooLarge { .. })));
        let small = Limits { result_bytes_max: 50_000, ..Limits::DEFAULT };
        assert!(matches!(applied(&base, &delta, &small), Err(DeltaError::TooLarge { .. })));
        let small = Limits { window_log_max: 16, ..Limits::DEFAULT };
        assert!(matches!(applied(&base, &delta, &small), Err(DeltaError::Frame(_))));
        let mut out = Vec::new();
        let made = diff(&base, Image::of(&result), &mut &*result, 3, &small, &mut out);
        made.unwrap();
        assert_eq!(applied(&base, &out, &small).unwrap(), result, "made for that window");
    }

    #[test]
    fn an_image_that_changes_meanwhile_makes_no_delta() {
        let (base, result) = (noise(1000), noise(2000));
        let announced = Image::of(&result[..1999]);
        let mut out = Vec::new();
        let made = diff(&base, announced, &mut &*result, 3, &Limits::DEFAULT, &mut out);
        assert!(matches!(made, Err(DeltaError::OtherResult)));
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
            framed.extend(bytes);
            prop_assert!(applied(b"base", &framed, &Limits::DEFAULT).is_err());
        }
    }
}
