//! AES-256-CBC with PKCS#7 padding, for image handlers on devices that read nothing else (SWUpdate).
//!
//! It hides contents and proves nothing: whoever uses it authenticates the ciphertext by other means,
//! and does so before deciphering. For everything of our own there is authenticated encryption.

use crate::{Secret, random};
use aws_lc_rs::{
    cipher::{
        AES_256, DecryptionContext, EncryptionContext, StreamingDecryptingKey,
        StreamingEncryptingKey, UnboundCipherKey,
    },
    iv::FixedLength,
};

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 32;
/// Length of an initialisation vector and of a block, in bytes.
pub const BLOCK_BYTES: usize = 16;
/// Largest piece that is given to the cipher at once, in bytes: its lengths are 32-bit numbers.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// Why nothing came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CbcError {
    /// Not a key of 256 bits.
    #[error("the key must have 32 bytes")]
    Key,
    /// Another length than whole blocks, or a padding that is none: another key, or altered bytes.
    #[error("the image does not decipher: another key or initialisation vector, or altered bytes")]
    Padding,
    /// The cipher failed.
    #[error("the cipher failed")]
    Backend,
}

/// A new initialisation vector. CBC needs one that nobody can foretell, for each encryption
/// (SP 800-38A appendix C).
pub fn new_iv() -> [u8; BLOCK_BYTES] {
    random::bytes()
}

/// Length of what `plain` bytes become.
pub fn encrypted_length(plain: u64) -> u64 {
    let block = BLOCK_BYTES as u64;
    (plain / block).saturating_add(1).saturating_mul(block)
}

/// Enciphers piece by piece.
pub struct Encryption(StreamingEncryptingKey);

impl Encryption {
    /// Begins.
    ///
    /// # Errors
    /// [`CbcError::Key`], [`CbcError::Backend`].
    pub fn new(key: &Secret, iv: [u8; BLOCK_BYTES]) -> Result<Self, CbcError> {
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        StreamingEncryptingKey::less_safe_cbc_pkcs7(unbound(key)?, context)
            .map(Self)
            .map_err(|_| CbcError::Backend)
    }

    /// Enciphers the next piece onto the end of `out`.
    ///
    /// # Errors
    /// [`CbcError::Backend`]
    pub fn update(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), CbcError> {
        for piece in piece.chunks(PIECE_BYTES_MAX) {
            let mut room = vec![0; piece.len() + BLOCK_BYTES];
            let done = self.0.update(piece, &mut room).map_err(|_| CbcError::Backend)?;
            out.extend_from_slice(done.written());
        }
        Ok(())
    }

    /// Enciphers the padding onto the end of `out`.
    ///
    /// # Errors
    /// [`CbcError::Backend`]
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), CbcError> {
        let mut room = [0; BLOCK_BYTES];
        let (_, done) = self.0.finish(&mut room).map_err(|_| CbcError::Backend)?;
        out.extend_from_slice(done.written());
        Ok(())
    }
}

/// Deciphers a whole ciphertext that was authenticated before.
///
/// # Errors
/// [`CbcError`]
pub fn decrypt(
    key: &Secret,
    iv: [u8; BLOCK_BYTES],
    ciphertext: &[u8],
) -> Result<Vec<u8>, CbcError> {
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let mut cipher =
        StreamingDecryptingKey::cbc_pkcs7(unbound(key)?, context).map_err(|_| CbcError::Backend)?;
    let mut out = Vec::with_capacity(ciphertext.len());
    for piece in ciphertext.chunks(PIECE_BYTES_MAX) {
        let mut room = vec![0; piece.len() + BLOCK_BYTES];
        let done = cipher.update(piece, &mut room).map_err(|_| CbcError::Backend)?;
        out.extend_from_slice(done.written());
    }
    let mut room = [0; BLOCK_BYTES];
    let done = cipher.finish(&mut room).map_err(|_| CbcError::Padding)?;
    out.extend_from_slice(done.written());
    Ok(out)
}

fn unbound(key: &Secret) -> Result<UnboundCipherKey, CbcError> {
    UnboundCipherKey::new(&AES_256, key.expose()).map_err(|_| CbcError::Key)
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encryption")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> Secret {
        Secret::new(
            hex::decode("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
                .unwrap(),
        )
    }

    fn encrypt(key: &Secret, iv: [u8; 16], pieces: &[Vec<u8>]) -> Vec<u8> {
        let mut cipher = Encryption::new(key, iv).unwrap();
        let mut out = Vec::new();
        for piece in pieces {
            cipher.update(piece, &mut out).unwrap();
        }
        cipher.finish(&mut out).unwrap();
        out
    }

    /// SP 800-38A section F.2.5.
    #[test]
    fn the_standards_example_holds() {
        let plain = hex::decode("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let iv = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let out = encrypt(&key(), iv, &[plain.unwrap()]);
        assert_eq!(
            hex::encode(&out[..32]),
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
        );
    }

    #[test]
    fn short_keys_and_torn_ciphertexts_are_refused() {
        let short = Secret::new(vec![0; 16]);
        assert_eq!(Encryption::new(&short, [0; 16]).map(|_| ()).unwrap_err(), CbcError::Key);
        let whole = encrypt(&key(), [7; 16], &[b"firmware of a barrier gate".to_vec()]);
        assert_eq!(decrypt(&key(), [7; 16], &whole[..31]), Err(CbcError::Padding));
        assert_eq!(decrypt(&key(), [7; 16], &[]), Err(CbcError::Padding));
    }

    proptest! {
        #[test]
        fn pieces_make_what_the_whole_makes(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..6),
            iv: [u8; 16],
        ) {
            let plain = pieces.concat();
            let out = encrypt(&key(), iv, &pieces);
            prop_assert_eq!(out.len() as u64, encrypted_length(plain.len() as u64));
            prop_assert_eq!(&out, &encrypt(&key(), iv, std::slice::from_ref(&plain)));
            prop_assert_eq!(decrypt(&key(), iv, &out).unwrap(), plain);
        }
    }
}
