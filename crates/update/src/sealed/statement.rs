use super::{SealedError, malformed};
use crypto::{
    PublicKey, Sha256, Signer, UnixTime, Verified,
    agreement::{AgreementPublic, Curve},
    cose::Sign1,
};
use minicbor::{Decode, Encode};

/// Largest statement read, in bytes: with the largest signature, of ML-DSA-87.
pub const STATEMENT_BYTES_MAX: usize = 8 * 1024;
const CONTENT_TYPE: &str = "application/vnd.tegata.encryption-key+cbor";
/// Authenticated with the signature, so that it serves for nothing else.
const BOUND: &[u8] = b"tegata/encryption-key/v1";
const WHAT: &str = "a statement about an encryption key";
/// Longest name of a group, in bytes.
const GROUP_BYTES_MAX: usize = 64;

/// Who can open what is sealed for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// the device whose LDevID key signed
    Device,
    /// devices that share the key, under a name that the organisation gave and signed
    Group(String),
}

/// Says: this encryption key is mine, by the key of an enrolled identity.
///
/// COSE_Sign1 ([`crypto::cose`]) over CBOR `[1, curve, point, from, to, group or null]`; curves by
/// their COSE numbers, times in seconds since 1970. Signed by a device's LDevID key, or for a group by
/// the organisation's signing key; which of them it was the verifier knows from the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatement {
    /// the key
    pub key: AgreementPublic,
    /// first second at which things may be sealed for it
    pub from: UnixTime,
    /// last second
    pub to: UnixTime,
    /// whose it is
    pub holder: Holder,
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    curve: u8,
    #[cbor(n(2), with = "minicbor::bytes")]
    point: Vec<u8>,
    #[n(3)]
    from: i64,
    #[n(4)]
    to: i64,
    #[n(5)]
    group: Option<String>,
}

impl KeyStatement {
    /// Signs the statement with the key of the identity.
    ///
    /// # Errors
    /// [`SealedError`]
    pub fn sign(&self, identity: &dyn Signer) -> Result<Vec<u8>, SealedError> {
        let group = match &self.holder {
            Holder::Device => None,
            Holder::Group(name) => Some(name.clone()),
        };
        let wire = Wire {
            version: 1,
            curve: self.key.curve().number(),
            point: self.key.bytes().to_vec(),
            from: self.from.0,
            to: self.to.0,
            group,
        };
        let payload = minicbor::to_vec(wire).unwrap_or_default();
        read(&payload)?;
        Ok(Sign1::sign(identity, CONTENT_TYPE, &payload, BOUND)?)
    }

    /// Fingerprint of the key that claims to have signed a statement, to find its certificate by.
    ///
    /// # Errors
    /// [`SealedError`]
    pub fn claimed_signer(bytes: &[u8]) -> Result<Sha256, SealedError> {
        Ok(parse(bytes)?.key_id())
    }

    /// What a statement says, without looking at who signed it: for one that was verified when it was
    /// kept.
    ///
    /// # Errors
    /// [`SealedError`]
    pub fn claimed(bytes: &[u8]) -> Result<Self, SealedError> {
        read(parse(bytes)?.unverified_payload())
    }

    /// Reads a statement signed by `identity`, whose certificate the caller has validated, as of `now`.
    ///
    /// # Errors
    /// [`SealedError`]
    pub fn verify(
        bytes: &[u8],
        identity: &PublicKey,
        now: UnixTime,
    ) -> Result<Verified<Self>, SealedError> {
        let message = parse(bytes)?;
        let payload = message.verify(identity, BOUND)?;
        let statement = read(&payload)?;
        let (from, to) = (statement.from, statement.to);
        if now < from || now > to {
            return Err(SealedError::NotNow { from, to });
        }
        Ok(Verified::assertion(statement))
    }
}

fn parse(bytes: &[u8]) -> Result<Sign1, SealedError> {
    if bytes.len() > STATEMENT_BYTES_MAX {
        return Err(malformed(WHAT, "it is longer than 8 KiB"));
    }
    let message = Sign1::parse(bytes)?;
    if message.content_type() != CONTENT_TYPE {
        return Err(malformed(WHAT, "it is about something else"));
    }
    Ok(message)
}

fn read(payload: &[u8]) -> Result<KeyStatement, SealedError> {
    let wire: Wire =
        minicbor::decode(payload).map_err(|_| malformed(WHAT, "it is not the form in CBOR"))?;
    if wire.version != 1 {
        return Err(malformed(WHAT, "it was made by a newer version"));
    }
    if minicbor::to_vec(&wire).unwrap_or_default() != payload {
        return Err(malformed(WHAT, "its encoding is not deterministic"));
    }
    let curve = Curve::from_number(wire.curve).ok_or(malformed(WHAT, "its curve is unknown"))?;
    let holder = match wire.group {
        None => Holder::Device,
        Some(name)
            if (1..=GROUP_BYTES_MAX).contains(&name.len())
                && !name.chars().any(char::is_control) =>
        {
            Holder::Group(name)
        }
        Some(_) => return Err(malformed(WHAT, "the group's name must have 1 to 64 bytes")),
    };
    if wire.from > wire.to {
        return Err(malformed(WHAT, "it ends before it begins"));
    }
    Ok(KeyStatement {
        key: AgreementPublic::new(curve, &wire.point)?,
        from: UnixTime(wire.from),
        to: UnixTime(wire.to),
        holder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{KeyAlgorithm, SoftwareKey, agreement::AgreementKey};
    use proptest::prelude::*;

    const NOW: UnixTime = UnixTime(1_795_000_000);

    fn statement(holder: Holder) -> KeyStatement {
        let key = AgreementKey::generate(Curve::P256).unwrap();
        KeyStatement { key: key.public().clone(), from: NOW, to: NOW.plus(60), holder }
    }

    #[test]
    fn only_the_identity_speaks_for_its_key_and_only_in_time() {
        let identity = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        for holder in [Holder::Device, Holder::Group("駅".into())] {
            let statement = statement(holder);
            let bytes = statement.sign(&identity).unwrap();
            let public = identity.public_key();
            assert_eq!(KeyStatement::claimed_signer(&bytes), Ok(public.fingerprint()));
            assert_eq!(*KeyStatement::verify(&bytes, public, NOW).unwrap(), statement);
            let other = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
            assert!(matches!(
                KeyStatement::verify(&bytes, other.public_key(), NOW),
                Err(SealedError::Statement(_))
            ));
            for at in [NOW.plus(-1), NOW.plus(61)] {
                assert!(matches!(
                    KeyStatement::verify(&bytes, public, at),
                    Err(SealedError::NotNow { .. })
                ));
            }
            for at in 0..bytes.len() {
                let mut altered = bytes.clone();
                altered[at] ^= 1;
                assert!(KeyStatement::verify(&altered, public, NOW).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn other_messages_of_the_same_key_are_no_statements() {
        let identity = SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let event = Sign1::sign(&identity, "application/other", b"\x80", BOUND).unwrap();
        assert!(KeyStatement::verify(&event, identity.public_key(), NOW).is_err());
        let unbound = Sign1::sign(&identity, CONTENT_TYPE, b"\x80", b"").unwrap();
        assert!(KeyStatement::verify(&unbound, identity.public_key(), NOW).is_err());
        for group in [String::new(), "x".repeat(65), "a\nb".into()] {
            assert!(statement(Holder::Group(group)).sign(&identity).is_err());
        }
        let backwards = KeyStatement { to: NOW.plus(-1), ..statement(Holder::Device) };
        assert!(backwards.sign(&identity).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_and_not_a_panic(bytes: Vec<u8>) {
            prop_assert!(KeyStatement::claimed_signer(&bytes).is_err());
            let _ = read(&bytes);
        }
    }
}
