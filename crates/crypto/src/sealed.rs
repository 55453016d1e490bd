//! Private keys at rest: sealed with Argon2id and AES-256-GCM (KM-2).
//!
//! A [`SealingKey`] comes from a passphrase (Argon2id, RFC 9106) or from a key file of at least 32
//! random bytes. It seals any number of secrets; each gets a fresh salt from which its own
//! AES-256-GCM key is derived with HKDF-SHA-256 (RFC 5869), so nonces cannot collide. The label
//! (what the secret is for) is authenticated: a sealed CA key cannot be passed off as another.
//!
//! Form: the CBOR array `[version = 1, kdf, salt (32 bytes), nonce (12 bytes), ciphertext]` with
//! `kdf` = `[1, memory in KiB, passes, lanes, salt (16 bytes)]` for Argon2id and `[2, key id
//! (8 bytes)]` for a key file.

use crate::{Secret, random, sha256};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// Largest sealed secret read, in bytes: an RSA-8192 key needs 5 KiB.
const SEALED_BYTES_MAX: usize = 64 * 1024;
/// Largest Argon2 memory accepted from a file, in KiB (1 GiB): a forged header must not exhaust
/// memory.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// Most Argon2 passes accepted from a file.
const PASSES_MAX: u32 = 16;
/// Shortest passphrase that seals a key, in bytes.
pub const PASSPHRASE_BYTES_MIN: usize = 12;
/// Shortest key file, in bytes.
pub const KEY_FILE_BYTES_MIN: usize = 32;

/// Why a secret could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Too short to protect anything.
    #[error("passphrase is too short: at least {PASSPHRASE_BYTES_MIN} bytes are required")]
    ShortPassphrase,
    /// Too short to protect anything.
    #[error("key file is too short: at least {KEY_FILE_BYTES_MIN} random bytes are required")]
    ShortKeyFile,
    /// Not the sealed form.
    #[error("not a sealed key: {0}")]
    Malformed(&'static str),
    /// Wrong passphrase or key file, wrong label, or altered bytes: these look alike on purpose.
    #[error("sealed key does not open: wrong passphrase or key file, or the file was altered")]
    Locked,
    /// Sealed by another key than the one at hand.
    #[error("sealed under another passphrase or key file")]
    OtherKey,
}

/// What opens a sealed secret.
pub enum Unlock<'a> {
    /// A passphrase.
    Passphrase(&'a Secret),
    /// The contents of a key file.
    KeyFile(&'a Secret),
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
enum Kdf {
    #[n(1)]
    Argon2id {
        #[n(0)]
        memory_kib: u32,
        #[n(1)]
        passes: u32,
        #[n(2)]
        lanes: u32,
        #[cbor(n(3), with = "minicbor::bytes")]
        salt: [u8; 16],
    },
    #[n(2)]
    KeyFile {
        #[cbor(n(0), with = "minicbor::bytes")]
        id: [u8; 8],
    },
}

#[derive(Encode, Decode)]
struct Sealed {
    #[n(0)]
    version: u8,
    #[n(1)]
    kdf: Kdf,
    #[cbor(n(2), with = "minicbor::bytes")]
    salt: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    nonce: [u8; 12],
    #[cbor(n(4), with = "minicbor::bytes")]
    ciphertext: Vec<u8>,
}

/// Argon2id's cost. The default is RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// memory in KiB
    pub memory_kib: u32,
    /// number of passes
    pub passes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3 }
    }
}

/// Derived once from a passphrase or key file, then seals and opens without that cost.
pub struct SealingKey {
    kdf: Kdf,
    key: Zeroizing<[u8; 32]>,
}

impl SealingKey {
    /// A new sealing key under `unlock`, with a fresh salt.
    ///
    /// # Errors
    /// [`SealError::ShortPassphrase`], [`SealError::ShortKeyFile`].
    pub fn new(unlock: &Unlock<'_>, cost: Cost) -> Result<Self, SealError> {
        let kdf = match unlock {
            Unlock::Passphrase(_) => Kdf::Argon2id {
                memory_kib: cost.memory_kib,
                passes: cost.passes,
                lanes: 4,
                salt: random::bytes(),
            },
            Unlock::KeyFile(contents) => Kdf::KeyFile { id: key_file_id(contents) },
        };
        Self::derive(kdf, unlock)
    }

    /// The sealing key that `sealed` was made with.
    ///
    /// # Errors
    /// [`SealError`]; a wrong passphrase shows only when the secret is opened.
    pub fn of(sealed: &[u8], unlock: &Unlock<'_>) -> Result<Self, SealError> {
        Self::derive(parse(sealed)?.kdf, unlock)
    }

    fn derive(kdf: Kdf, unlock: &Unlock<'_>) -> Result<Self, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        match (&kdf, unlock) {
            (Kdf::Argon2id { memory_kib, passes, lanes, salt }, Unlock::Passphrase(passphrase)) => {
                if passphrase.expose().len() < PASSPHRASE_BYTES_MIN {
                    return Err(SealError::ShortPassphrase);
                }
                if *memory_kib > MEMORY_KIB_MAX || *passes > PASSES_MAX || *lanes > 16 {
                    return Err(SealError::Malformed("its Argon2 cost exceeds 1 GiB or 16 passes"));
                }
                let params = Params::new(*memory_kib, *passes, *lanes, Some(32))
                    .map_err(|_| SealError::Malformed("its Argon2 parameters are not valid"))?;
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(passphrase.expose(), salt, key.as_mut())
                    .map_err(|_| SealError::Malformed("its Argon2 parameters are not valid"))?;
            }
            (Kdf::KeyFile { id }, Unlock::KeyFile(contents)) => {
                if contents.expose().len() < KEY_FILE_BYTES_MIN {
                    return Err(SealError::ShortKeyFile);
                }
                if *id != key_file_id(contents) {
                    return Err(SealError::OtherKey);
                }
                expand(contents.expose(), b"", b"tegata key file v1", &mut key)?;
            }
            _ => return Err(SealError::OtherKey),
        }
        Ok(Self { kdf, key })
    }

    /// Seals `secret` for the purpose `label`.
    ///
    /// # Errors
    /// [`SealError::Malformed`] for a secret over 60 KiB.
    pub fn seal(&self, label: &str, secret: &Secret) -> Result<Vec<u8>, SealError> {
        if secret.expose().len() > SEALED_BYTES_MAX - 4096 {
            return Err(SealError::Malformed("secret is longer than 60 KiB"));
        }
        let (salt, nonce) = (random::bytes(), random::bytes());
        let mut buffer = secret.expose().to_vec();
        self.aead(&salt)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(label.as_bytes()),
                &mut buffer,
            )
            .map_err(|_| SealError::Locked)?;
        let sealed = Sealed { version: 1, kdf: self.kdf.clone(), salt, nonce, ciphertext: buffer };
        minicbor::to_vec(&sealed).map_err(|_| SealError::Malformed("cannot be encoded"))
    }

    /// Opens what [`Self::seal`] made for the same `label`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, label: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let sealed = parse(sealed)?;
        if sealed.kdf != self.kdf {
            return Err(SealError::OtherKey);
        }
        let mut buffer = Zeroizing::new(sealed.ciphertext);
        let plain = self
            .aead(&sealed.salt)?
            .open_in_place(
                Nonce::assume_unique_for_key(sealed.nonce),
                Aad::from(label.as_bytes()),
                buffer.as_mut_slice(),
            )
            .map_err(|_| SealError::Locked)?;
        Ok(Secret::new(plain.to_vec()))
    }

    fn aead(&self, salt: &[u8; 32]) -> Result<LessSafeKey, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        expand(self.key.as_ref(), salt, b"tegata sealed secret v1", &mut key)?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| SealError::Locked)?;
        Ok(LessSafeKey::new(key))
    }
}

fn key_file_id(contents: &Secret) -> [u8; 8] {
    let digest = sha256(&[b"tegata key file id v1\0", contents.expose()].concat());
    let mut id = [0; 8];
    for (to, from) in id.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    id
}

fn expand(
    secret: &[u8],
    salt: &[u8],
    info: &'static [u8],
    out: &mut Zeroizing<[u8; 32]>,
) -> Result<(), SealError> {
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(out.as_mut()))
        .map_err(|_| SealError::Locked)
}

fn parse(sealed: &[u8]) -> Result<Sealed, SealError> {
    if sealed.len() > SEALED_BYTES_MAX {
        return Err(SealError::Malformed("longer than 64 KiB"));
    }
    let mut decoder = minicbor::Decoder::new(sealed);
    let parsed: Sealed =
        decoder.decode().map_err(|_| SealError::Malformed("not the sealed form in CBOR"))?;
    if decoder.position() != sealed.len() {
        return Err(SealError::Malformed("bytes follow its end"));
    }
    if parsed.version != 1 {
        return Err(SealError::Malformed("made by a newer version"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1 };

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    #[test]
    fn opens_only_with_the_right_passphrase_label_and_bytes() {
        let passphrase = secret("correct horse battery");
        let unlock = Unlock::Passphrase(&passphrase);
        let key = SealingKey::new(&unlock, CHEAP).unwrap();
        let sealed = key.seal("root", &secret("key")).unwrap();
        let again = SealingKey::of(&sealed, &unlock).unwrap();
        assert_eq!(again.open("root", &sealed).unwrap().expose(), b"key");
        assert_eq!(again.open("issuing", &sealed).unwrap_err(), SealError::Locked);
        let wrong = secret("incorrect horse battery");
        let other = SealingKey::of(&sealed, &Unlock::Passphrase(&wrong)).unwrap();
        assert_eq!(other.open("root", &sealed).unwrap_err(), SealError::Locked);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(again.open("root", &altered).is_err(), "byte {at} is not authenticated");
        }
    }

    #[test]
    fn key_files_and_short_secrets() {
        let file = Secret::new(vec![7; 32]);
        let key = SealingKey::new(&Unlock::KeyFile(&file), CHEAP).unwrap();
        let sealed = key.seal("ca", &secret("key")).unwrap();
        let other = Secret::new(vec![8; 32]);
        assert_eq!(
            SealingKey::of(&sealed, &Unlock::KeyFile(&other)).err(),
            Some(SealError::OtherKey)
        );
        assert_eq!(
            SealingKey::new(&Unlock::Passphrase(&secret("short")), CHEAP).err(),
            Some(SealError::ShortPassphrase)
        );
        assert_eq!(
            SealingKey::new(&Unlock::KeyFile(&secret("short")), CHEAP).err(),
            Some(SealError::ShortKeyFile)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_and_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let file = Secret::new(vec![7; 32]);
            prop_assert!(SealingKey::of(&bytes, &Unlock::KeyFile(&file)).is_err());
        }
    }
}
