//! Keys that secrets are wrapped for: ephemeral-static ECDH (SP 800-56A section 6.2.2.2), HKDF-SHA-256
//! (RFC 5869), AES-256 key wrap (RFC 3394).
//!
//! A recipient's key says nothing about who holds it; whoever wraps for it must know that from a
//! signature. Curves: P-256, because secure elements have it, and X25519. Deliberately absent:
//! sender authentication, algorithms for keys of more than 32 bytes. The same keys serve COSE_Encrypt
//! ([`crate::cose_encrypt`]), never one key both.

use crate::{KeyAlgorithm, PublicKey, Secret, Sha256, sha256_of};
use aws_lc_rs::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    agreement::{self, PrivateKey},
    encoding::{AsBigEndian, Curve25519SeedBin, EcPrivateKeyBin},
    hkdf,
    key_wrap::{AES_256, AesKek, KeyWrap as _},
};
use zeroize::Zeroizing;

/// Length of what is wrapped, in bytes.
pub const CONTENT_KEY_BYTES: usize = 32;
/// Length of a wrapped key in bytes.
pub const WRAPPED_BYTES: usize = 40;
/// Length of a private key in bytes, on both curves.
const PRIVATE_BYTES: usize = 32;
/// What stands before the point in the SubjectPublicKeyInfo of a key on P-256 (RFC 5480).
const P256_SPKI: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";

/// A curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256; points uncompressed, 65 bytes
    P256,
    /// X25519 (RFC 7748); 32 bytes
    X25519,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 2] = [Self::P256, Self::X25519];

    /// Its number in files: that of the COSE elliptic curves registry (RFC 9053 section 7.1).
    pub fn number(self) -> u8 {
        match self {
            Self::P256 => 1,
            Self::X25519 => 4,
        }
    }

    /// The curve of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.number() == number)
    }

    /// Name in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::X25519 => "x25519",
        }
    }

    fn inner(self) -> &'static agreement::Algorithm {
        match self {
            Self::P256 => &agreement::ECDH_P256,
            Self::X25519 => &agreement::X25519,
        }
    }

    fn public_bytes(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::X25519 => 32,
        }
    }
}

impl std::str::FromStr for Curve {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|curve| curve.name() == text)
            .ok_or_else(|| "must be p256 or x25519".to_owned())
    }
}

/// Why a key was not made, read or unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// Not a key of its curve.
    #[error("not a key of its curve")]
    Malformed,
    /// Wrapped for another key or for another purpose, or altered: these look alike on purpose.
    #[error("the key does not unwrap: it was wrapped for another key or purpose, or altered")]
    Locked,
    /// Secrets of another length are not wrapped.
    #[error("only keys of 32 bytes are wrapped")]
    Length,
    /// The back end failed.
    #[error("key agreement failed")]
    Backend,
}

/// The public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementPublic {
    curve: Curve,
    bytes: Vec<u8>,
}

impl AgreementPublic {
    /// Reads a key; a P-256 point must be on its curve.
    ///
    /// # Errors
    /// [`AgreementError::Malformed`]
    pub fn new(curve: Curve, bytes: &[u8]) -> Result<Self, AgreementError> {
        if bytes.len() != curve.public_bytes()
            || (curve == Curve::P256 && bytes.first() != Some(&4))
        {
            return Err(AgreementError::Malformed);
        }
        // All the library says about a key it says when the key is used; a throw-away partner finds
        // points off the curve, and points of small order of X25519.
        let probe = PrivateKey::generate(curve.inner()).map_err(|_| AgreementError::Backend)?;
        let peer = agreement::UnparsedPublicKey::new(curve.inner(), bytes);
        agreement::agree(&probe, peer, AgreementError::Malformed, |_| Ok(()))?;
        Ok(Self { curve, bytes: bytes.to_vec() })
    }

    /// Its curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The point: uncompressed on P-256, u on X25519.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the curve's number and the point: the key's name.
    pub fn fingerprint(&self) -> Sha256 {
        sha256_of(&[&[self.curve.number()], &self.bytes])
    }

    /// The key of a certificate, where it is on P-256: certificates say what it may be used for, and whoever
    /// calls has looked at that.
    ///
    /// # Errors
    /// [`AgreementError::Malformed`] for other keys.
    pub fn of_certified(key: &PublicKey) -> Result<Self, AgreementError> {
        match key.algorithm() {
            KeyAlgorithm::EcdsaP256 => Self::new(Curve::P256, key.bits()),
            _ => Err(AgreementError::Malformed),
        }
    }

    /// As certificates carry it; keys on P-256 alone.
    ///
    /// # Errors
    /// [`AgreementError::Malformed`] for other curves.
    pub fn to_certify(&self) -> Result<PublicKey, AgreementError> {
        match self.curve {
            Curve::P256 => PublicKey::from_spki(&[P256_SPKI, &self.bytes].concat())
                .map_err(|_| AgreementError::Malformed),
            Curve::X25519 => Err(AgreementError::Malformed),
        }
    }

    /// Wraps a key of 32 bytes for the holder; it unwraps with the same `bound` only.
    ///
    /// # Errors
    /// [`AgreementError::Length`], [`AgreementError::Backend`].
    pub fn wrap(&self, secret: &Secret, bound: &[u8]) -> Result<Wrapped, AgreementError> {
        if secret.expose().len() != CONTENT_KEY_BYTES {
            return Err(AgreementError::Length);
        }
        let backend = |_| AgreementError::Backend;
        let ephemeral = PrivateKey::generate(self.curve.inner()).map_err(backend)?;
        let public = ephemeral.compute_public_key().map_err(backend)?;
        let kek = kek(&ephemeral, self, public.as_ref(), self, bound)?;
        let mut key = [0; WRAPPED_BYTES];
        kek.wrap(secret.expose(), &mut key).map_err(backend)?;
        Ok(Wrapped { ephemeral: public.as_ref().to_vec(), key })
    }
}

/// A wrapped key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// the sender's point of this one time
    pub ephemeral: Vec<u8>,
    /// the secret under AES-256 key wrap
    pub key: [u8; WRAPPED_BYTES],
}

/// A private key in this process's memory. AWS-LC wipes it when dropped.
pub struct AgreementKey {
    private: PrivateKey,
    public: AgreementPublic,
}

impl AgreementKey {
    /// Makes a key.
    ///
    /// # Errors
    /// [`AgreementError::Backend`]
    pub fn generate(curve: Curve) -> Result<Self, AgreementError> {
        Self::of(curve, PrivateKey::generate(curve.inner()).map_err(|_| AgreementError::Backend)?)
    }

    /// Reads what [`Self::to_secret`] wrote.
    ///
    /// # Errors
    /// [`AgreementError::Malformed`]
    pub fn from_secret(secret: &Secret) -> Result<Self, AgreementError> {
        let (number, bytes) = secret.expose().split_first().ok_or(AgreementError::Malformed)?;
        let curve = Curve::from_number(*number).ok_or(AgreementError::Malformed)?;
        if bytes.len() != PRIVATE_BYTES {
            return Err(AgreementError::Malformed);
        }
        let private = PrivateKey::from_private_key(curve.inner(), bytes)
            .map_err(|_| AgreementError::Malformed)?;
        Self::of(curve, private)
    }

    fn of(curve: Curve, private: PrivateKey) -> Result<Self, AgreementError> {
        let public = private.compute_public_key().map_err(|_| AgreementError::Backend)?;
        let public = AgreementPublic { curve, bytes: public.as_ref().to_vec() };
        Ok(Self { private, public })
    }

    /// The private key, to be sealed: the curve's number, then 32 bytes.
    ///
    /// # Errors
    /// [`AgreementError::Backend`]
    pub fn to_secret(&self) -> Result<Secret, AgreementError> {
        let backend = |_| AgreementError::Backend;
        let mut out = Vec::with_capacity(PRIVATE_BYTES + 1);
        out.push(self.public.curve.number());
        match self.public.curve {
            Curve::P256 => {
                let bytes: EcPrivateKeyBin<'_> = self.private.as_be_bytes().map_err(backend)?;
                out.extend_from_slice(bytes.as_ref());
            }
            Curve::X25519 => {
                let bytes: Curve25519SeedBin<'_> = self.private.as_be_bytes().map_err(backend)?;
                out.extend_from_slice(bytes.as_ref());
            }
        }
        Ok(Secret::new(out))
    }

    /// The public half.
    pub fn public(&self) -> &AgreementPublic {
        &self.public
    }

    /// Unwraps what was wrapped for this key with the same `bound`.
    ///
    /// # Errors
    /// [`AgreementError::Locked`]
    pub fn unwrap_key(&self, wrapped: &Wrapped, bound: &[u8]) -> Result<Secret, AgreementError> {
        let peer = AgreementPublic { curve: self.public.curve, bytes: wrapped.ephemeral.clone() };
        if peer.bytes.len() != peer.curve.public_bytes() {
            return Err(AgreementError::Locked);
        }
        let kek = kek(&self.private, &peer, &wrapped.ephemeral, &self.public, bound)
            .map_err(|_| AgreementError::Locked)?;
        let mut out = Zeroizing::new([0; CONTENT_KEY_BYTES]);
        kek.unwrap(&wrapped.key, out.as_mut()).map_err(|_| AgreementError::Locked)?;
        Ok(Secret::new(out.to_vec()))
    }
}

impl AgreementKey {
    /// The key for AES-256-GCM that this one and a partner's point make by ECDH and HKDF-SHA-256 without
    /// salt (RFC 9053 section 6.3.1). Both keys of the pair are on the same curve.
    ///
    /// # Errors
    /// [`AgreementError::Malformed`] where the point is none.
    pub(crate) fn content_key(
        &self,
        partner: &[u8],
        info: &[u8],
    ) -> Result<LessSafeKey, AgreementError> {
        let curve = self.public.curve;
        if partner.len() != curve.public_bytes() {
            return Err(AgreementError::Malformed);
        }
        let partner = agreement::UnparsedPublicKey::new(curve.inner(), partner);
        agreement::agree(&self.private, partner, AgreementError::Malformed, |shared| {
            hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
                .extract(shared)
                .expand(&[info], &AES_256_GCM)
                .map(|okm| LessSafeKey::new(UnboundKey::from(okm)))
                .map_err(|_| AgreementError::Backend)
        })
    }
}

impl std::fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgreementKey({})", self.public.fingerprint())
    }
}

/// The key that wraps. Both points go into it, so that it belongs to this one exchange.
fn kek(
    own: &PrivateKey,
    peer: &AgreementPublic,
    ephemeral: &[u8],
    recipient: &AgreementPublic,
    bound: &[u8],
) -> Result<AesKek, AgreementError> {
    let peer = agreement::UnparsedPublicKey::new(peer.curve.inner(), &peer.bytes);
    agreement::agree(own, peer, AgreementError::Backend, |shared| {
        let number = [recipient.curve.number()];
        // The points' lengths follow from the curve: the parts cannot run into each other.
        let info = [b"tegata/wrap/v1\0", number.as_slice(), ephemeral, &recipient.bytes, bound];
        let mut out = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(shared)
            .expand(&info, &AES_256_GCM)
            .and_then(|okm| okm.fill(out.as_mut()))
            .map_err(|_| AgreementError::Backend)?;
        AesKek::new(&AES_256, out.as_ref()).map_err(|_| AgreementError::Backend)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_recipient_unwraps_and_only_for_the_same_purpose() {
        for curve in Curve::ALL {
            let secret = Secret::new((0..32).collect());
            let key = AgreementKey::generate(curve).unwrap();
            let public = AgreementPublic::new(curve, key.public().bytes()).unwrap();
            assert_eq!(&public, key.public());
            let wrapped = public.wrap(&secret, b"image 1").unwrap();
            let again = AgreementKey::from_secret(&key.to_secret().unwrap()).unwrap();
            assert_eq!(again.unwrap_key(&wrapped, b"image 1").unwrap().expose(), secret.expose());
            let locked = |key: &AgreementKey, wrapped: &Wrapped, bound: &[u8]| {
                assert_eq!(key.unwrap_key(wrapped, bound).unwrap_err(), AgreementError::Locked);
            };
            locked(&key, &wrapped, b"image 2");
            locked(&AgreementKey::generate(curve).unwrap(), &wrapped, b"image 1");
            for at in 0..wrapped.key.len() {
                let mut altered = wrapped.clone();
                altered.key[at] ^= 1;
                locked(&key, &altered, b"image 1");
            }
            for at in 0..wrapped.ephemeral.len() {
                let mut altered = wrapped.clone();
                altered.ephemeral[at] ^= 1;
                // The sign of X25519's u is not part of it (RFC 7748 section 5), but of the key here.
                locked(&key, &altered, b"image 1");
            }
            let other = public.wrap(&secret, b"image 1").unwrap();
            assert_ne!(other, wrapped, "every wrapping has a key of its own");
            assert_eq!(public.wrap(&Secret::new(vec![0; 16]), b""), Err(AgreementError::Length));
        }
    }

    #[test]
    fn a_key_is_the_same_in_a_certificate() {
        let key = AgreementKey::generate(Curve::P256).unwrap();
        let certified = key.public().to_certify().unwrap();
        assert_eq!(&AgreementPublic::of_certified(&certified).unwrap(), key.public());
        let other = AgreementKey::generate(Curve::X25519).unwrap();
        assert_eq!(other.public().to_certify().unwrap_err(), AgreementError::Malformed);
    }

    #[test]
    fn points_that_are_none_are_refused() {
        let refused = |curve, bytes: &[u8]| {
            assert_eq!(AgreementPublic::new(curve, bytes), Err(AgreementError::Malformed));
        };
        refused(Curve::P256, &[]);
        refused(Curve::P256, &[4; 65]);
        refused(Curve::X25519, &[0; 32]);
        refused(Curve::X25519, &[1; 31]);
        let key = AgreementKey::generate(Curve::P256).unwrap();
        let mut compressed = vec![2 + (key.public().bytes()[64] & 1)];
        compressed.extend(&key.public().bytes()[1..33]);
        refused(Curve::P256, &compressed);
        assert!(AgreementKey::from_secret(&Secret::new(vec![1; 12])).is_err());
        assert!(AgreementKey::from_secret(&Secret::new(vec![9; 33])).is_err());
        assert!(AgreementKey::from_secret(&Secret::new(vec![])).is_err());
        let mut zero = vec![0; 33];
        zero[0] = 1;
        assert!(AgreementKey::from_secret(&Secret::new(zero)).is_err());
    }
}
