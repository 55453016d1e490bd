//! Authenticated encryption of what does not fit into memory: chunks under AES-256-GCM, after the
//! STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its
//! Nonce-Reuse Misuse-Resistance", 2015).
//!
//! The key of a stream is derived with HKDF-SHA-256 (RFC 5869) from a secret, a random salt and what
//! the caller binds to it, and serves one stream alone. The nonce of chunk *n* is seven zero bytes, *n*
//! as four bytes big-endian, and 1 for the last chunk or else 0: chunks can be neither reordered nor
//! left out nor repeated, and a stream that was cut has no last chunk.

use crate::Secret;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};
use zeroize::Zeroizing;

/// What a chunk grows by, in bytes.
pub const TAG_BYTES: usize = 16;

/// Why a chunk was not enciphered or deciphered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// Another secret, or altered, reordered, repeated or missing bytes: these look alike on purpose.
    #[error("the stream does not decipher: another key, or altered bytes")]
    Locked,
    /// 2³² chunks.
    #[error("the stream is too long: at most 4,294,967,295 chunks")]
    TooLong,
    /// The cipher failed.
    #[error("the cipher failed")]
    Backend,
}

/// The key of one stream, and how many chunks it has served.
pub struct StreamKey {
    key: LessSafeKey,
    chunk: u32,
}

impl StreamKey {
    /// Derives it. `bound` is authenticated with every chunk.
    ///
    /// # Errors
    /// [`StreamError::Backend`]
    pub fn derive(secret: &Secret, salt: &[u8; 32], bound: &[u8]) -> Result<Self, StreamError> {
        let mut bytes = Zeroizing::new([0; 32]);
        let info = [b"tegata/stream/v1\0".as_slice(), bound];
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(secret.expose())
            .expand(&info, &AES_256_GCM)
            .and_then(|okm| okm.fill(bytes.as_mut()))
            .map_err(|_| StreamError::Backend)?;
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_ref())
            .map(LessSafeKey::new)
            .map_err(|_| StreamError::Backend)?;
        Ok(Self { key, chunk: 0 })
    }

    /// Enciphers the next chunk in place; it grows by [`TAG_BYTES`].
    ///
    /// # Errors
    /// [`StreamError`]
    pub fn seal(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), StreamError> {
        let nonce = self.nonce(last)?;
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), chunk)
            .map_err(|_| StreamError::Backend)
    }

    /// Deciphers the next chunk in place; it shrinks by [`TAG_BYTES`].
    ///
    /// # Errors
    /// [`StreamError`]; the contents are then of no meaning.
    pub fn open(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), StreamError> {
        let nonce = self.nonce(last)?;
        let opened = self
            .key
            .open_in_place(nonce, Aad::empty(), chunk)
            .map_err(|_| StreamError::Locked)?
            .len();
        chunk.truncate(opened);
        Ok(())
    }

    /// The nonce of the next chunk; none is given twice.
    fn nonce(&mut self, last: bool) -> Result<Nonce, StreamError> {
        let chunk = self.chunk;
        self.chunk = chunk.checked_add(1).ok_or(StreamError::TooLong)?;
        let mut nonce = [0; 12];
        let (_, rest) = nonce.split_at_mut(7);
        for (to, from) in rest.iter_mut().zip(chunk.to_be_bytes().into_iter().chain([last.into()]))
        {
            *to = from;
        }
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamKey(chunk {})", self.chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: u8, salt: u8, bound: &[u8]) -> StreamKey {
        StreamKey::derive(&Secret::new(vec![secret; 32]), &[salt; 32], bound).unwrap()
    }

    #[test]
    fn chunks_open_in_their_order_under_their_key_only() {
        let mut sealing = key(1, 2, b"header");
        let mut chunks: Vec<Vec<u8>> = vec![b"one".to_vec(), b"two".to_vec(), vec![]];
        for (at, chunk) in chunks.iter_mut().enumerate() {
            sealing.seal(chunk, at == 2).unwrap();
        }
        let mut opening = key(1, 2, b"header");
        for (at, expected) in [b"one".as_slice(), b"two", b""].into_iter().enumerate() {
            let mut chunk = chunks[at].clone();
            opening.open(&mut chunk, at == 2).unwrap();
            assert_eq!(chunk, expected);
        }
        let refuses = |mut key: StreamKey, chunk: usize, last: bool| {
            assert_eq!(key.open(&mut chunks[chunk].clone(), last), Err(StreamError::Locked));
        };
        refuses(key(1, 2, b"header"), 1, false);
        refuses(key(1, 2, b"header"), 0, true);
        refuses(key(3, 2, b"header"), 0, false);
        refuses(key(1, 3, b"header"), 0, false);
        refuses(key(1, 2, b"other"), 0, false);
        assert_eq!(key(1, 2, b"header").open(&mut vec![0; 15], false), Err(StreamError::Locked));
    }

    #[test]
    fn a_nonce_is_never_given_twice() {
        let mut key = key(1, 2, b"");
        key.chunk = u32::MAX;
        assert_eq!(key.seal(&mut vec![], true), Err(StreamError::TooLong));
        assert_eq!(key.seal(&mut vec![], true), Err(StreamError::TooLong));
    }
}
