//! Proof of possession: the device signs a fresh challenge with a counter that only grows.
//!
//! A certificate can be copied, the key behind it should not be. A fresh nonce shows that whoever
//! answers holds the key now; the counter shows when two hold the same key, for one of them falls
//! behind the other.

use crate::{
    DeviceId,
    cbor::{CborError, Fields, Map},
    event::details as d,
};
use crypto::{
    PublicKey, Sha256, Signer, UnixTime, Verified, constant_time_eq,
    cose::{CoseError, Sign1},
};

/// Content type in the protected header of a proof.
pub const PROOF_CONTENT_TYPE: &str = "application/vnd.tegata.proof+cbor";
/// Largest payload of a proof, in bytes.
pub const PROOF_BYTES_MAX: usize = 1024;
const VERSION: u64 = 1;

/// What a device is asked to sign. One challenge serves once: whoever keeps it forgets it with the
/// first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// the device that is asked
    pub device: DeviceId,
    /// 32 random bytes
    pub nonce: [u8; 32],
    /// not answered after this time
    pub expires: UnixTime,
}

/// Why a proof of possession is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The payload is not a proof.
    #[error("proof: {0}")]
    Payload(#[from] CborError),
    /// The envelope is not acceptable, or it was signed by another key.
    #[error("proof: {0}")]
    Cose(#[from] CoseError),
    /// The envelope carries something else.
    #[error("content type is {0:?}, expected application/vnd.tegata.proof+cbor")]
    ContentType(String),
    /// Answers another challenge: an old answer, replayed.
    #[error("proof answers another challenge; ask the device with a fresh one")]
    OtherChallenge,
    /// Speaks for another device.
    #[error("proof is for device {found}, expected {expected}")]
    OtherDevice {
        /// device in the proof
        found: DeviceId,
        /// device that was asked
        expected: DeviceId,
    },
    /// The challenge was answered too late.
    #[error("challenge expired at {0}; ask the device with a fresh one")]
    Expired(UnixTime),
}

/// What a device signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// the device
    pub device: DeviceId,
    /// nonce of the challenge
    pub nonce: [u8; 32],
    /// greater than in every proof before by this key
    pub counter: u64,
    /// the device's clock, where it has one
    pub device_time: Option<UnixTime>,
    /// SHA-256 of the firmware that runs, as the device measures it
    pub firmware: Option<Sha256>,
}

impl Proof {
    /// The answer to `challenge`.
    pub fn answer(
        challenge: &Challenge,
        counter: u64,
        device_time: Option<UnixTime>,
        firmware: Option<Sha256>,
    ) -> Self {
        Self { device: challenge.device, nonce: challenge.nonce, counter, device_time, firmware }
    }

    fn encode(&self) -> Vec<u8> {
        Map::new()
            .uint(1, VERSION)
            .bytes(2, self.device.as_bytes())
            .bytes(3, &self.nonce)
            .uint(4, self.counter)
            .with(self.device_time, |map, time| map.int(5, time.0))
            .with(self.firmware, |map, firmware| map.bytes(6, firmware.as_ref()))
            .finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(CborError::TooLong(PROOF_BYTES_MAX));
        }
        let mut f = Fields::read(bytes)?;
        let version = f.need(1)?.uint()?;
        if version != VERSION {
            return Err(CborError::Version(version));
        }
        let proof = Self {
            device: d::device(f.need(2)?)?,
            nonce: f.need(3)?.array_of()?,
            counter: f.need(4)?.uint()?,
            device_time: match f.take(5) {
                Some(value) => Some(UnixTime(value.int()?)),
                None => None,
            },
            firmware: f.take(6).map(d::digest).transpose()?,
        };
        f.finish()?;
        if proof.encode() != bytes {
            return Err(CborError::NotDeterministic);
        }
        Ok(proof)
    }
}

/// A proof in its COSE_Sign1 envelope. Parsed; [`Self::verify`] checks it.
#[derive(Debug, Clone)]
pub struct SignedProof {
    envelope: Sign1,
    proof: Proof,
}

impl SignedProof {
    /// Signs a proof with the device's key.
    ///
    /// # Errors
    /// [`ProofError::Cose`].
    pub fn sign(signer: &dyn Signer, proof: &Proof) -> Result<Self, ProofError> {
        Self::parse(&Sign1::sign(signer, PROOF_CONTENT_TYPE, &proof.encode(), b"")?)
    }

    /// Reads a signed proof.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let envelope = Sign1::parse(bytes)?;
        if envelope.content_type() != PROOF_CONTENT_TYPE {
            return Err(ProofError::ContentType(
                envelope.content_type().chars().take(80).collect(),
            ));
        }
        let proof = Proof::decode(envelope.unverified_payload())?;
        Ok(Self { envelope, proof })
    }

    /// Fingerprint of the key that claims to have signed. Unverified.
    pub fn key_id(&self) -> Sha256 {
        self.envelope.key_id()
    }

    /// The proof. Unverified: for finding the device and its challenge only.
    pub fn unverified(&self) -> &Proof {
        &self.proof
    }

    /// The bytes as received.
    pub fn as_bytes(&self) -> &[u8] {
        self.envelope.as_bytes()
    }

    /// Checks that the holder of `key` (from the device's certificate) answered `challenge` in
    /// time. Whether the counter grew is [`crate::judge`]'s to say.
    ///
    /// # Errors
    /// [`ProofError`] with the reason.
    pub fn verify(
        &self,
        key: &PublicKey,
        challenge: &Challenge,
        now: UnixTime,
    ) -> Result<Verified<Proof>, ProofError> {
        let proof = self.verify_signature(key)?;
        if proof.device != challenge.device {
            return Err(ProofError::OtherDevice {
                found: proof.device,
                expected: challenge.device,
            });
        }
        if !constant_time_eq(&proof.nonce, &challenge.nonce) {
            return Err(ProofError::OtherChallenge);
        }
        if now > challenge.expires {
            return Err(ProofError::Expired(challenge.expires));
        }
        Ok(proof)
    }

    /// Checks the signature alone: shows that the key signed this nonce once, not that it did so
    /// now.
    ///
    /// # Errors
    /// [`ProofError::Cose`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<Verified<Proof>, ProofError> {
        self.envelope.verify(key, b"")?;
        Ok(Verified::assertion(self.proof.clone()))
    }
}
