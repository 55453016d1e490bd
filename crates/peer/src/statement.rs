//! What the platform signs: for which device, which number, until when, and the hash of the contents.

use crate::BundleError;
use crypto::{
    PublicKey, Sha256, Signer, UnixTime,
    cose::{CoseError, Sign1},
};
use device::{DeviceId, OrganisationId};
use minicbor::{Decode, Encode};

/// Longest statement, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 8 * 1024;
/// The content type that the protected header says.
pub const STATEMENT_CONTENT_TYPE: &str = "application/vnd.tegata.trust-statement+cbor";
/// Authenticated with the signature, so that it serves for nothing else.
const BOUND: &[u8] = b"tegata/trust-bundle/v1";
/// Bounds of the time for which a bundle is good, in seconds: shorter, and a device that is off for a
/// night decides nothing in the morning; longer, and what was revoked works on for too long.
pub const LIFE_S_MIN: i64 = 3600;
/// The longest.
pub const LIFE_S_MAX: i64 = 90 * 86_400;

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// who says it
    pub platform: OrganisationId,
    /// the one device that it is for
    pub device: DeviceId,
    /// who owns that device, and whose policies are in it
    pub owner: OrganisationId,
    /// grows with each bundle of the device, whoever owns it: an older one is refused
    pub number: u64,
    /// when it was made
    pub issued_at: UnixTime,
    /// the last second at which a decision may rest on it
    pub expires: UnixTime,
    /// SHA-256 of the contents
    pub contents: Sha256,
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    platform: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    device: Vec<u8>,
    #[n(3)]
    owner: String,
    #[n(4)]
    number: u64,
    #[n(5)]
    issued_at: i64,
    #[n(6)]
    expires: i64,
    #[cbor(n(7), with = "minicbor::bytes")]
    contents: Vec<u8>,
}

impl Statement {
    /// Signs it.
    ///
    /// # Errors
    /// [`BundleError`], also where it could not be read again.
    pub fn sign(&self, key: &dyn Signer) -> Result<Vec<u8>, BundleError> {
        let wire = Wire {
            version: 1,
            platform: self.platform.to_string(),
            device: self.device.as_bytes().to_vec(),
            owner: self.owner.to_string(),
            number: self.number,
            issued_at: self.issued_at.0,
            expires: self.expires.0,
            contents: self.contents.as_bytes().to_vec(),
        };
        let bytes = minicbor::to_vec(wire).unwrap_or_default();
        read(&bytes)?;
        Ok(Sign1::sign(key, STATEMENT_CONTENT_TYPE, &bytes, BOUND)?)
    }

    /// What a statement says and the key that it says it was signed by. Unverified.
    pub(crate) fn claimed(bytes: &[u8]) -> Result<(Self, Sign1), BundleError> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(BundleError::Malformed("its statement has more than 8,192 bytes"));
        }
        let message = Sign1::parse(bytes)?;
        if message.content_type() != STATEMENT_CONTENT_TYPE {
            return Err(BundleError::Malformed("its statement has another content type"));
        }
        Ok((read(message.unverified_payload())?, message))
    }

    /// The statement, where that key signed it.
    pub(crate) fn verified(message: &Sign1, key: &PublicKey) -> Result<Self, CoseError> {
        let payload = message.verify(key, BOUND)?;
        read(&payload).map_err(|_| CoseError::Malformed("its payload is no statement"))
    }
}

fn read(bytes: &[u8]) -> Result<Statement, BundleError> {
    let wrong = BundleError::Malformed;
    let wire: Wire =
        minicbor::decode(bytes).map_err(|_| wrong("its statement has another form"))?;
    // One statement has one encoding: no item twice, nothing behind it.
    if minicbor::to_vec(&wire).ok().as_deref() != Some(bytes) {
        return Err(wrong("its statement's encoding is not deterministic"));
    }
    if wire.version != 1 {
        return Err(wrong("its version is not 1; update the program"));
    }
    let device = <[u8; 16]>::try_from(wire.device).map_err(|_| wrong("no device's id"))?;
    let organisation =
        |text: &str| OrganisationId::new(text).map_err(|_| wrong("no organisation's name"));
    let (issued_at, expires) = (UnixTime(wire.issued_at), UnixTime(wire.expires));
    // A moment that cannot be is none to count from.
    let life = wire.expires.checked_sub(wire.issued_at);
    if wire.issued_at < 0 || !life.is_some_and(|life| (LIFE_S_MIN..=LIFE_S_MAX).contains(&life)) {
        return Err(wrong("it is good for less than an hour or more than 90 days"));
    }
    if wire.number == 0 {
        return Err(wrong("its number is zero"));
    }
    Ok(Statement {
        platform: organisation(&wire.platform)?,
        device: DeviceId::from_bytes(device),
        owner: organisation(&wire.owner)?,
        number: wire.number,
        issued_at,
        expires,
        contents: Sha256::from_slice(&wire.contents).ok_or(wrong("no hash of its contents"))?,
    })
}
