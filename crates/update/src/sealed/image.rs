use super::{SealedError, malformed};
use crypto::{
    Digester, HashAlgorithm, Secret, Sha256, sha256,
    stream::{StreamKey, TAG_BYTES},
};

/// The first bytes of a sealed image.
pub const MAGIC: &[u8; 16] = b"tegata-sealed-1\n";
const WHAT: &str = "a sealed image";
/// Length of a header in bytes.
pub const HEADER_BYTES: usize = 16 + 4 + 8 + 32 + 32;
/// Usual length of a chunk of plaintext, in bytes.
pub const CHUNK_BYTES: u32 = 64 * 1024;
/// Shortest chunk, in bytes.
pub const CHUNK_BYTES_MIN: u32 = 1024;
/// Longest chunk, in bytes: a reader holds one in memory.
pub const CHUNK_BYTES_MAX: u32 = 1024 * 1024;

/// An image in the clear: what its hash and length are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// length in bytes
    pub length: u64,
    /// SHA-256
    pub sha256: Sha256,
}

/// What a sealed image begins with. All of it is authenticated with every chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// length of all chunks but the last, in bytes of plaintext
    pub chunk_bytes: u32,
    /// what is inside
    pub plain: Plain,
    /// random, for this one image
    pub salt: [u8; 32],
}

impl Header {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend(MAGIC);
        out.extend(self.chunk_bytes.to_be_bytes());
        out.extend(self.plain.length.to_be_bytes());
        out.extend(self.plain.sha256.as_bytes());
        out.extend(self.salt);
        out
    }

    /// Reads the header at the beginning of an image.
    ///
    /// # Errors
    /// [`SealedError::Malformed`]
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        let short = || malformed(WHAT, "it is shorter than a header");
        let (magic, rest) = bytes.split_first_chunk::<16>().ok_or_else(short)?;
        let (chunk, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let (hash, rest) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        let (salt, _) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        if magic != MAGIC {
            return Err(malformed(WHAT, "it does not begin as one"));
        }
        let header = Self {
            chunk_bytes: u32::from_be_bytes(*chunk),
            plain: Plain { length: u64::from_be_bytes(*length), sha256: Sha256(*hash) },
            salt: *salt,
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), SealedError> {
        if !(CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&self.chunk_bytes) {
            return Err(malformed(WHAT, "its chunks are shorter than 1 KiB or longer than 1 MiB"));
        }
        if self.chunks() > u64::from(u32::MAX) {
            return Err(malformed(WHAT, "it has more than 4,294,967,295 chunks"));
        }
        Ok(())
    }

    /// How many chunks there are; an empty image has one.
    fn chunks(&self) -> u64 {
        self.plain.length.div_ceil(u64::from(self.chunk_bytes)).max(1)
    }

    /// Length of the whole sealed image in bytes.
    pub fn sealed_length(&self) -> u64 {
        let tags = self.chunks().saturating_mul(TAG_BYTES as u64);
        self.plain.length.saturating_add(tags).saturating_add(HEADER_BYTES as u64)
    }

    /// SHA-256 of its bytes: the image's name in tickets.
    pub fn id(&self) -> Sha256 {
        sha256(&self.to_bytes())
    }

    fn key(&self, content_key: &Secret) -> Result<StreamKey, SealedError> {
        Ok(StreamKey::derive(content_key, &self.salt, &self.to_bytes())?)
    }

    fn chunk(&self) -> usize {
        usize::try_from(self.chunk_bytes).unwrap_or(usize::MAX)
    }
}

/// Enciphers an image piece by piece. Its hash and length are known beforehand, because they stand in
/// front; a caller reads the image twice.
#[derive(Debug)]
pub struct Sealer {
    header: Header,
    key: StreamKey,
    digester: Digester,
    taken: u64,
    pending: Vec<u8>,
}

impl Sealer {
    /// Begins; writes the header onto the end of `out`. The salt must be random and new.
    ///
    /// # Errors
    /// [`SealedError::Malformed`]: chunks of a length that is not allowed.
    pub fn begin(
        content_key: &Secret,
        header: Header,
        out: &mut Vec<u8>,
    ) -> Result<Self, SealedError> {
        header.check()?;
        out.extend(header.to_bytes());
        Ok(Self {
            key: header.key(content_key)?,
            header,
            digester: Digester::new(HashAlgorithm::Sha256),
            taken: 0,
            pending: Vec::with_capacity(header.chunk()),
        })
    }

    /// Takes the next piece of the image; what became ready goes onto the end of `out`.
    ///
    /// # Errors
    /// [`SealedError::Changed`] where there are more bytes than announced.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), SealedError> {
        self.taken = self.taken.saturating_add(piece.len() as u64);
        if self.taken > self.header.plain.length {
            return Err(SealedError::Changed);
        }
        self.digester.update(piece);
        let chunk = self.header.chunk();
        let mut rest = piece;
        while !rest.is_empty() {
            // A full chunk waits until it is known whether it is the last one.
            if self.pending.len() == chunk {
                self.seal(false, out)?;
            }
            let room = chunk.saturating_sub(self.pending.len());
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.pending.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// Ends the image.
    ///
    /// # Errors
    /// [`SealedError::Changed`] where it was not the image that was announced.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), SealedError> {
        let sha256 = Sha256::from_slice(&self.digester.clone().finish());
        let Plain { length, sha256: announced } = self.header.plain;
        if self.taken != length || sha256 != Some(announced) {
            return Err(SealedError::Changed);
        }
        self.seal(true, out)
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), SealedError> {
        self.key.seal(&mut self.pending, last)?;
        out.extend_from_slice(&self.pending);
        self.pending.clear();
        Ok(())
    }
}

/// Deciphers an image piece by piece. What comes out was authenticated; the image is whole only once
/// [`Self::finish`] returned, and must not be put to use before.
#[derive(Debug)]
pub struct Opener {
    header: Header,
    key: StreamKey,
    digester: Digester,
    given: u64,
    pending: Vec<u8>,
    ended: bool,
}

impl Opener {
    /// Begins after the header was read.
    ///
    /// # Errors
    /// [`SealedError::Stream`]
    pub fn begin(content_key: &Secret, header: Header) -> Result<Self, SealedError> {
        header.check()?;
        Ok(Self {
            key: header.key(content_key)?,
            header,
            digester: Digester::new(HashAlgorithm::Sha256),
            given: 0,
            pending: Vec::with_capacity(header.chunk().saturating_add(TAG_BYTES)),
            ended: false,
        })
    }

    /// Takes the next piece of what follows the header; plaintext goes onto the end of `out`.
    ///
    /// # Errors
    /// [`SealedError`]; then nothing that came out before is to be used.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), SealedError> {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.ended {
                return Err(SealedError::Length);
            }
            let wanted = self.next_chunk();
            let room = wanted.saturating_sub(self.pending.len());
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.pending.extend_from_slice(now);
            rest = later;
            if self.pending.len() == wanted {
                self.open(out)?;
            }
        }
        Ok(())
    }

    /// How many bytes of plaintext can be taken up again at chunk borders when `written` bytes were
    /// kept: never all of it, so that the last chunk is always opened.
    pub fn kept(&self, written: u64) -> u64 {
        let chunk = u64::from(self.header.chunk_bytes).max(1);
        let most = self.header.chunks().saturating_sub(1).saturating_mul(chunk);
        (written / chunk).saturating_mul(chunk).min(most)
    }

    /// Where what follows `given` bytes of plaintext, a number that [`Self::kept`] said, begins in the
    /// sealed image.
    pub fn sealed_offset(&self, given: u64) -> u64 {
        let chunk = u64::from(self.header.chunk_bytes).max(1);
        let tags = (given / chunk).saturating_mul(TAG_BYTES as u64);
        given.saturating_add(tags).saturating_add(HEADER_BYTES as u64)
    }

    /// Takes the next whole chunk as it came out before, from what was kept, instead of opening it
    /// again; how it lies in the sealed image goes onto the end of `sealed`, so that the hash of the
    /// whole can still be compared. A chunk that was lost meanwhile shows in that hash and in
    /// [`Self::finish`].
    ///
    /// # Errors
    /// [`SealedError::Length`] for what is no whole chunk but the last.
    pub fn replay(&mut self, chunk: &[u8], sealed: &mut Vec<u8>) -> Result<(), SealedError> {
        let next = self.given.saturating_add(chunk.len() as u64);
        let whole = self.pending.is_empty() && !self.ended && chunk.len() == self.header.chunk();
        if !whole || next >= self.header.plain.length {
            return Err(SealedError::Length);
        }
        self.digester.update(chunk);
        self.pending.extend_from_slice(chunk);
        self.key.seal(&mut self.pending, false)?;
        sealed.extend_from_slice(&self.pending);
        self.pending.clear();
        self.given = next;
        Ok(())
    }

    /// Ends the image and says what it was.
    ///
    /// # Errors
    /// [`SealedError::Length`] where it was cut, [`SealedError::Hash`].
    pub fn finish(self) -> Result<Plain, SealedError> {
        if !self.ended {
            return Err(SealedError::Length);
        }
        if Sha256::from_slice(&self.digester.finish()) != Some(self.header.plain.sha256) {
            return Err(SealedError::Hash);
        }
        Ok(self.header.plain)
    }

    /// Length of the next chunk as it lies in the image, tag included.
    pub fn next_chunk(&self) -> usize {
        let left = self.header.plain.length.saturating_sub(self.given);
        let plain = usize::try_from(left).unwrap_or(usize::MAX).min(self.header.chunk());
        plain.saturating_add(TAG_BYTES)
    }

    fn open(&mut self, out: &mut Vec<u8>) -> Result<(), SealedError> {
        let plain = self.pending.len().saturating_sub(TAG_BYTES) as u64;
        self.given = self.given.saturating_add(plain);
        let last = self.given == self.header.plain.length;
        self.key.open(&mut self.pending, last)?;
        self.digester.update(&self.pending);
        out.extend_from_slice(&self.pending);
        self.pending.clear();
        self.ended = last;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::stream::StreamError;
    use proptest::prelude::*;

    fn key() -> Secret {
        Secret::new(vec![7; 32])
    }

    fn header(plain: &[u8], chunk_bytes: u32) -> Header {
        let plain = Plain { length: plain.len() as u64, sha256: sha256(plain) };
        Header { chunk_bytes, plain, salt: [9; 32] }
    }

    fn seal(plain: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut sealer = Sealer::begin(&key(), header(plain, 1024), &mut out).unwrap();
        for piece in pieces {
            sealer.push(piece, &mut out).unwrap();
        }
        sealer.finish(&mut out).unwrap();
        out
    }

    fn open(key: &Secret, sealed: &[u8], piece: usize) -> Result<Vec<u8>, SealedError> {
        let header = Header::parse(sealed)?;
        let mut opener = Opener::begin(key, header)?;
        let mut out = Vec::new();
        for piece in sealed[HEADER_BYTES..].chunks(piece) {
            opener.push(piece, &mut out)?;
        }
        assert_eq!(opener.finish()?, header.plain);
        Ok(out)
    }

    #[test]
    fn lengths_around_a_chunk_come_back() {
        for length in [0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 5000] {
            let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let sealed = seal(&plain, &[&plain]);
            assert_eq!(sealed.len() as u64, Header::parse(&sealed).unwrap().sealed_length());
            assert_eq!(open(&key(), &sealed, 700), Ok(plain));
        }
    }

    #[test]
    fn what_was_interrupted_goes_on() {
        let plain: Vec<u8> = (0..5000_u32).map(|at| at.to_le_bytes()[0]).collect();
        let sealed = seal(&plain, &[&plain]);
        let header = Header::parse(&sealed).unwrap();
        for written in [0, 1023, 1024, 3000, 4999, 5000] {
            let mut opener = Opener::begin(&key(), header).unwrap();
            let kept = usize::try_from(opener.kept(written)).unwrap();
            assert!(kept as u64 <= written && kept < plain.len());
            let mut seen = sealed[..HEADER_BYTES].to_vec();
            for chunk in plain[..kept].chunks(1024) {
                opener.replay(chunk, &mut seen).unwrap();
            }
            let at = usize::try_from(opener.sealed_offset(kept as u64)).unwrap();
            assert_eq!(seen, sealed[..at]);
            let mut out = plain[..kept].to_vec();
            opener.push(&sealed[at..], &mut out).unwrap();
            assert_eq!(opener.finish(), Ok(header.plain));
            assert_eq!(out, plain);
        }
        // A chunk that was lost shows.
        let mut opener = Opener::begin(&key(), header).unwrap();
        let mut seen = Vec::new();
        opener.replay(&[0; 1024], &mut seen).unwrap();
        assert_ne!(seen, sealed[HEADER_BYTES..HEADER_BYTES + 1040]);
        assert_eq!(opener.replay(&[0; 1023], &mut seen), Err(SealedError::Length));
        opener.push(&sealed[HEADER_BYTES + 1040..], &mut Vec::new()).unwrap();
        assert_eq!(opener.finish(), Err(SealedError::Hash));
        let exact = seal(&plain[..1024], &[&plain[..1024]]);
        let mut opener = Opener::begin(&key(), Header::parse(&exact).unwrap()).unwrap();
        assert_eq!(opener.replay(&plain[..1024], &mut seen), Err(SealedError::Length));
    }

    #[test]
    fn cutting_growing_and_swapping_show() {
        let plain = vec![5; 4096];
        let sealed = seal(&plain, &[&plain]);
        let locked = Err(SealedError::Stream(StreamError::Locked));
        // Cut between chunks, within one, and with a header that agrees.
        for cut in [1, 16, 1040, 1041, 3 * 1040] {
            assert_eq!(open(&key(), &sealed[..sealed.len() - cut], 999), Err(SealedError::Length));
        }
        let mut shorter = header(&plain, 1024);
        shorter.plain.length = 3072;
        let mut cut = shorter.to_bytes();
        cut.extend(&sealed[HEADER_BYTES..sealed.len() - 1040]);
        assert_eq!(open(&key(), &cut, 999), locked);
        let mut grown = sealed.clone();
        grown.push(0);
        assert_eq!(open(&key(), &grown, 999), Err(SealedError::Length));
        let mut swapped = sealed[..HEADER_BYTES].to_vec();
        for chunk in [1, 0, 2, 3] {
            let at = HEADER_BYTES + chunk * 1040;
            swapped.extend(&sealed[at..at + 1040]);
        }
        assert_eq!(open(&key(), &swapped, 999), locked);
        assert_eq!(open(&Secret::new(vec![8; 32]), &sealed, 999), locked);
        for at in [16, 20, 28, 60, HEADER_BYTES, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open(&key(), &altered, 999).is_err(), "byte {at} is not authenticated");
        }
    }

    #[test]
    fn an_image_that_changes_meanwhile_is_not_sealed() {
        let plain = vec![5; 3000];
        let mut out = Vec::new();
        let begin = |out: &mut Vec<u8>| Sealer::begin(&key(), header(&plain, 1024), out).unwrap();
        let mut sealer = begin(&mut out);
        sealer.push(&plain[..2999], &mut out).unwrap();
        assert_eq!(sealer.finish(&mut out), Err(SealedError::Changed));
        let mut sealer = begin(&mut out);
        sealer.push(&plain, &mut out).unwrap();
        assert_eq!(sealer.push(&[0], &mut out), Err(SealedError::Changed));
        let mut sealer = begin(&mut out);
        sealer.push(&[6; 3000], &mut out).unwrap();
        assert_eq!(sealer.finish(&mut out), Err(SealedError::Changed));
    }

    #[test]
    fn headers_beyond_the_limits_are_refused() {
        for chunk in [0, 1023, 1024 * 1024 + 1, u32::MAX] {
            let bytes = header(b"", chunk).to_bytes();
            assert!(matches!(Header::parse(&bytes), Err(SealedError::Malformed { .. })), "{chunk}");
        }
        let mut endless = header(b"", 1024);
        endless.plain.length = u64::MAX;
        assert!(Header::parse(&endless.to_bytes()).is_err());
        assert!(Header::parse(&header(b"", 1024).to_bytes()[..91]).is_err());
    }

    proptest! {
        #[test]
        fn pieces_make_what_the_whole_makes(
            plain in proptest::collection::vec(any::<u8>(), 0..5000), cut in 1usize..3000,
            piece in 1usize..3000,
        ) {
            let pieces: Vec<&[u8]> = plain.chunks(cut).collect();
            let sealed = seal(&plain, &pieces);
            prop_assert_eq!(&sealed, &seal(&plain, &[&plain]));
            prop_assert_eq!(open(&key(), &sealed, piece), Ok(plain));
        }

        #[test]
        fn any_bytes_are_an_error_and_not_a_panic(bytes: Vec<u8>) {
            let mut framed = header(b"x", 1024).to_bytes();
            framed.extend(&bytes);
            prop_assert!(open(&key(), &framed, 64).is_err());
            let _ = Header::parse(&bytes);
        }
    }
}
