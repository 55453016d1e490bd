//! A device's proof that it has erased its keys (GW-8): a statement that is signed with the key of its
//! certificate just before that key is destroyed. docs/command.md.

use crate::CommandId;
use crypto::{
    PublicKey, Sha256, Signer, UnixTime, Verified,
    cose::{CoseError, Sign1},
};
use minicbor::{Decode, Encode};

/// Longest proof that is read, in bytes: with the largest signature, of ML-DSA-87.
pub const ERASURE_PROOF_BYTES_MAX: usize = 8 * 1024;
const CONTENT_TYPE: &str = "application/vnd.tegata.keys-erased+cbor";
/// Authenticated with the signature, so that it serves for nothing else.
const BOUND: &[u8] = b"tegata/keys-erased/v1";
/// Most keys that a proof names.
const KEYS_MAX: usize = 64;
/// Longest name of a key, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Why a proof is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErasureError {
    /// it cannot be read
    #[error("not a proof of erasure: {0}")]
    Malformed(&'static str),
    /// its signature does not hold
    #[error(transparent)]
    Cose(#[from] CoseError),
}

/// A key that is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedKey {
    /// what the device calls it: `ldevid`, `idevid`, `encryption`, `sealing-key` …
    pub name: String,
    /// SHA-256 of its SubjectPublicKeyInfo, where it has one
    pub key: Option<Sha256>,
}

/// Says: by this command these keys are erased, the one that signs this among them.
///
/// COSE_Sign1 ([`crypto::cose`]) over CBOR `[1, command, certificate, at, counter, [[name, key or
/// null] …], [name …]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysErased {
    /// by which command
    pub command: CommandId,
    /// SHA-256 of the certificate whose key signs
    pub certificate: Sha256,
    /// when, by the device's clock
    pub at: UnixTime,
    /// counts the device's commands: of two proofs the later has the higher
    pub counter: u64,
    /// what is erased
    pub erased: Vec<ErasedKey>,
    /// secrets that the device could not erase, by name
    pub kept: Vec<String>,
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    command: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    certificate: Vec<u8>,
    #[n(3)]
    at: i64,
    #[n(4)]
    counter: u64,
    #[n(5)]
    erased: Vec<WireKey>,
    #[n(6)]
    kept: Vec<String>,
}

#[derive(Encode, Decode)]
struct WireKey {
    #[n(0)]
    name: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    key: Option<Vec<u8>>,
}

impl KeysErased {
    /// Signs with the key that is about to be destroyed.
    ///
    /// # Errors
    /// [`ErasureError`].
    pub fn sign(&self, key: &dyn Signer) -> Result<Vec<u8>, ErasureError> {
        let wire = Wire {
            version: 1,
            command: self.command.0.to_vec(),
            certificate: self.certificate.as_bytes().to_vec(),
            at: self.at.0,
            counter: self.counter,
            erased: self
                .erased
                .iter()
                .map(|one| WireKey {
                    name: one.name.clone(),
                    key: one.key.map(|key| key.as_bytes().to_vec()),
                })
                .collect(),
            kept: self.kept.clone(),
        };
        let payload = minicbor::to_vec(wire).unwrap_or_default();
        read(&payload)?;
        Ok(Sign1::sign(key, CONTENT_TYPE, &payload, BOUND)?)
    }

    /// What a proof says, without looking at who signed it: to find the certificate by, or for one
    /// that was verified when it was kept.
    ///
    /// # Errors
    /// [`ErasureError`].
    pub fn claimed(bytes: &[u8]) -> Result<Self, ErasureError> {
        read(parse(bytes)?.unverified_payload())
    }

    /// Reads a proof signed by the key of the certificate that it names, which the caller has
    /// found and knows to be the device's.
    ///
    /// # Errors
    /// [`ErasureError`].
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Verified<Self>, ErasureError> {
        let message = parse(bytes)?;
        let payload = message.verify(key, BOUND)?;
        Ok(Verified::assertion(read(&payload)?))
    }
}

fn parse(bytes: &[u8]) -> Result<Sign1, ErasureError> {
    if bytes.len() > ERASURE_PROOF_BYTES_MAX {
        return Err(ErasureError::Malformed("it is longer than 8 KiB"));
    }
    let message = Sign1::parse(bytes)?;
    if message.content_type() != CONTENT_TYPE {
        return Err(ErasureError::Malformed("it is about something else"));
    }
    Ok(message)
}

fn read(payload: &[u8]) -> Result<KeysErased, ErasureError> {
    let bad = ErasureError::Malformed;
    let wire: Wire = minicbor::decode(payload).map_err(|_| bad("it is not the form in CBOR"))?;
    if wire.version != 1 {
        return Err(bad("it was made by a newer version"));
    }
    if minicbor::to_vec(&wire).unwrap_or_default() != payload {
        return Err(bad("its encoding is not deterministic"));
    }
    if !(1..=KEYS_MAX).contains(&wire.erased.len()) || wire.kept.len() > KEYS_MAX {
        return Err(bad("it must name 1 to 64 keys"));
    }
    let name = |text: &String| {
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(known)
    };
    if !wire.erased.iter().all(|one| name(&one.name)) || !wire.kept.iter().all(name) {
        return Err(bad("a key's name has 1 to 64 of a-z, 0-9 and -"));
    }
    if UnixTime(wire.at).civil().is_none() {
        return Err(bad("its time is none of our calendar"));
    }
    let hash = |bytes: &[u8]| Sha256::from_slice(bytes).ok_or(bad("a hash has 32 bytes"));
    let command = <[u8; 16]>::try_from(wire.command.as_slice());
    let erased = wire.erased.into_iter().map(|one| {
        Ok(ErasedKey { name: one.name, key: one.key.as_deref().map(hash).transpose()? })
    });
    Ok(KeysErased {
        command: CommandId(command.map_err(|_| bad("a command's id has 16 bytes"))?),
        certificate: hash(&wire.certificate)?,
        at: UnixTime(wire.at),
        counter: wire.counter,
        erased: erased.collect::<Result<_, ErasureError>>()?,
        kept: wire.kept,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{KeyAlgorithm, SoftwareKey, sha256};
    use proptest::prelude::*;

    fn proof() -> KeysErased {
        KeysErased {
            command: CommandId([7; 16]),
            certificate: sha256(b"certificate"),
            at: UnixTime(1_795_000_000),
            counter: 3,
            erased: vec![
                ErasedKey { name: "ldevid".into(), key: Some(sha256(b"key")) },
                ErasedKey { name: "sealing-key".into(), key: None },
            ],
            kept: vec!["group-key-1".into()],
        }
    }

    #[test]
    fn a_proof_is_of_who_signed_it_and_of_nothing_else() {
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let bytes = proof().sign(&key).unwrap();
        assert_eq!(*KeysErased::verify(&bytes, key.public_key()).unwrap(), proof());
        assert_eq!(KeysErased::claimed(&bytes).unwrap(), proof());
        let other = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        assert!(KeysErased::verify(&bytes, other.public_key()).is_err());
        // Neither another statement of the same key, nor one bit of it changed.
        let bare = Sign1::sign(&key, CONTENT_TYPE, b"\x80", b"tegata/other/v1").unwrap();
        assert!(KeysErased::verify(&bare, key.public_key()).is_err());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(KeysErased::verify(&changed, key.public_key()).is_err(), "byte {at}");
        }
        let nothing = KeysErased { erased: Vec::new(), ..proof() };
        assert!(nothing.sign(&key).is_err());
        let odd = KeysErased { kept: vec!["A b".into()], ..proof() };
        assert!(odd.sign(&key).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = KeysErased::claimed(&bytes);
            let _ = read(&bytes);
        }
    }
}
