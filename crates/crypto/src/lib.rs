//! Algorithms, keys, signers, sealing, hashes, COSE signatures and encryption.
//!
//! Everything that touches a private key is here; outside this crate a private key is a
//! [`Signer`], never bytes (invariant 8). Primitives come from AWS-LC. Supported are the algorithms
//! of TR-6: ECDSA P-256 and P-384, Ed25519, RSA of 2048 bits and more, ML-DSA-44/65/87 (FIPS 204).
//! SHA-1, MD5, shorter RSA keys and other curves are refused with a reason.
//!
//! Deliberately absent: PKCS#11 and TPM back ends (they join behind [`Signer`]).
//!
//! ```
//! use crypto::{KeyAlgorithm, Signer, SoftwareKey};
//! let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
//! let scheme = key.public_key().default_scheme();
//! let signature = key.sign(scheme, b"barrier gate")?;
//! key.public_key().verify(scheme, b"barrier gate", &signature)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod agreement;
pub mod cbc;
pub mod cose;
pub mod cose_encrypt;
mod digest;
#[cfg(feature = "dtls")]
pub mod dtls;
mod hash;
mod key;
mod mac;
pub mod random;
mod scheme;
pub mod sealed;
mod secret;
mod signer;
pub mod stream;
mod time;
#[cfg(feature = "tls")]
pub mod tls;
mod verified;

pub use digest::{Digester, HashAlgorithm};
pub use hash::{Sha256, constant_time_eq, sha1_for_identifiers, sha256, sha256_of};
pub use key::{KeyAlgorithm, KeyError, PublicKey};
pub use mac::hmac_sha256;
pub use scheme::{SchemeError, SignatureScheme};
pub use secret::Secret;
pub use signer::{SignError, Signer, SoftwareKey};
pub use time::UnixTime;
pub use verified::Verified;
