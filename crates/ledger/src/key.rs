use crate::LedgerError;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use crypto::{KeyAlgorithm, PublicKey, SignatureScheme, Signer, UnixTime};
use std::{fmt, str::FromStr, sync::Arc};

/// Signature type of a log's Ed25519 key (signed-note).
const LOG: u8 = 0x01;
/// Signature type of a witness's Ed25519 key (tlog-cosignature v1).
const WITNESS: u8 = 0x04;

/// Longest name of a key, in bytes: what tlog-cosignature can commit to.
pub const NAME_BYTES_MAX: usize = 255;

/// SubjectPublicKeyInfo of an Ed25519 key without its last 32 bytes (RFC 8410).
const ED25519_SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// Public key of a log. Its name is the log's origin. Written as the *verifier key string* of
/// C2SP signed-note, `name+keyid+base64(0x01 ‖ key)`.
pub type LogKey = NoteKey<LOG>;

/// Public key of a witness, which vouches that the log only grows and is the same for everybody.
/// Written as `name+keyid+base64(0x04 ‖ key)` (C2SP tlog-cosignature).
pub type WitnessKey = NoteKey<WITNESS>;

/// A named Ed25519 key that signs notes, with the signature type of [`LogKey`] or [`WitnessKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey<const TYPE: u8> {
    name: String,
    public: PublicKey,
    id: u32,
}

impl<const TYPE: u8> NoteKey<TYPE> {
    /// Names a key.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] where the name is empty, too long or has spaces, plus signs or
    /// control characters, or where the key is not an Ed25519 key.
    pub fn new(name: &str, public: &PublicKey) -> Result<Self, LedgerError> {
        let bad = |why| Err(LedgerError::malformed("key", why));
        if name.len() > NAME_BYTES_MAX {
            return bad("its name is longer than 255 bytes");
        }
        if !signed_note::is_key_name_valid(name) || name.chars().any(char::is_control) {
            return bad(
                "its name must not be empty nor contain spaces, plus signs or control characters",
            );
        }
        if public.algorithm() != KeyAlgorithm::Ed25519 {
            return bad("checkpoints are signed and cosigned with Ed25519 keys only");
        }
        let id = signed_note::key_id(name, &typed::<TYPE>(public));
        Ok(Self { name: name.to_owned(), public: public.clone(), id })
    }

    /// The key's name; for a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Key ID: the first four bytes of SHA-256(name ‖ 0x0a ‖ type ‖ key).
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The Ed25519 key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }
}

fn typed<const TYPE: u8>(public: &PublicKey) -> Vec<u8> {
    [&[TYPE], public.bits()].concat()
}

impl<const TYPE: u8> fmt::Display for NoteKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64_STANDARD.encode(typed::<TYPE>(&self.public));
        write!(f, "{}+{:08x}+{key}", self.name, self.id)
    }
}

impl<const TYPE: u8> FromStr for NoteKey<TYPE> {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let bad = |why: &str| LedgerError::malformed("key string", why);
        if text.len() > NAME_BYTES_MAX + 128 {
            return Err(bad("it is longer than a key string can be"));
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("it must read name+keyid+base64; was a part lost when copying it?"));
        };
        let id = Some(id)
            .filter(|id| id.len() == 8 && id.bytes().all(|c| c.is_ascii_hexdigit()))
            .and_then(|id| u32::from_str_radix(id, 16).ok())
            .ok_or_else(|| bad("its middle part must be eight hexadecimal digits"))?;
        let key = BASE64_STANDARD
            .decode(key)
            .map_err(|_| bad("its last part is not base64; was it cut off when copying it?"))?;
        let key = match key.split_first() {
            Some((&found, key)) if found == TYPE => key,
            Some((&LOG, _)) => {
                return Err(bad("it is the key of a log where a witness's key is wanted"));
            }
            Some((&WITNESS, _)) => {
                return Err(bad("it is the key of a witness where a log's key is wanted"));
            }
            _ => return Err(bad("its signature type is unknown; only Ed25519 keys are accepted")),
        };
        if key.len() != 32 {
            return Err(bad("an Ed25519 key has 32 bytes"));
        }
        let public = PublicKey::from_spki(&[ED25519_SPKI, key].concat())
            .map_err(|_| bad("its bytes are not an Ed25519 key"))?;
        let this = Self::new(name, &public)?;
        if this.id != id {
            return Err(bad("its key id does not fit name and key; a character was changed"));
        }
        Ok(this)
    }
}

impl signed_note::Verifier for LogKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify(SignatureScheme::Ed25519, message, signature).is_ok()
    }
}

impl signed_note::Verifier for WitnessKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = split_timestamp(signature) else { return false };
        let signed = cosigned_message(time, message);
        self.public.verify(SignatureScheme::Ed25519, &signed, signature).is_ok()
    }
}

/// A timestamped signature (tlog-cosignature, "Format") in its two parts; `None` where the time is
/// beyond 2^63 - 1.
pub(crate) fn split_timestamp(signature: &[u8]) -> Option<(UnixTime, &[u8])> {
    let (time, signature) = signature.split_first_chunk::<8>()?;
    Some((UnixTime(i64::try_from(u64::from_be_bytes(*time)).ok()?), signature))
}

fn cosigned_message(time: UnixTime, note: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {}\n", time.0).as_bytes(), note].concat()
}

/// A log's or witness's private key, as signed_note wants it.
pub(crate) struct NoteSigner<const TYPE: u8> {
    pub(crate) key: NoteKey<TYPE>,
    pub(crate) signer: Arc<dyn Signer>,
    /// when a witness cosigns; not used by logs
    pub(crate) time: UnixTime,
}

impl<const TYPE: u8> signed_note::Signer for NoteSigner<TYPE> {
    fn name(&self) -> &str {
        &self.key.name
    }

    fn key_id(&self) -> u32 {
        self.key.id
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let sign = |message: &[u8]| {
            self.signer.sign(SignatureScheme::Ed25519, message).map_err(|_| signature::Error::new())
        };
        if TYPE == LOG {
            return sign(message);
        }
        let time = u64::try_from(self.time.0).map_err(|_| signature::Error::new())?;
        let signature = sign(&cosigned_message(self.time, message))?;
        Ok([&time.to_be_bytes(), signature.as_slice()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESSERA: &str =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

    fn refused<const TYPE: u8>(text: &str, why: &str) {
        let error = text.parse::<NoteKey<TYPE>>().unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }

    #[test]
    fn a_key_string_of_another_implementation_survives() {
        let key: LogKey = TESSERA.parse().unwrap();
        assert_eq!(key.name(), "example.com/log/testdata");
        assert_eq!(key.id(), 0x33d7_b496);
        assert_eq!(key.to_string(), TESSERA);
    }

    #[test]
    fn damaged_key_strings_say_what_is_wrong() {
        refused::<LOG>("", "name+keyid+base64");
        refused::<LOG>("example.com+33d7b496", "name+keyid+base64");
        refused::<LOG>(&TESSERA.replace("33d7b496", "33d7b49"), "eight hexadecimal digits");
        refused::<LOG>(&TESSERA.replace("33d7b496", "+3d7b496"), "eight hexadecimal digits");
        refused::<LOG>(&TESSERA.replace("33d7b496", "33d7b497"), "a character was changed");
        refused::<LOG>(&TESSERA.replace("testdata", "testdatb"), "a character was changed");
        refused::<LOG>(&TESSERA.replace("kSx", "k"), "not base64");
        refused::<LOG>(&TESSERA.replace("example.com", "exa mple.com"), "must not be empty");
        refused::<LOG>(&TESSERA.replace("+Ae", "+/+"), "signature type is unknown");
        refused::<WITNESS>(TESSERA, "key of a log where a witness's key is wanted");
        refused::<LOG>(&"x".repeat(4000), "longer than");
        refused::<LOG>(&TESSERA.replace("example", &"n".repeat(256)), "longer than 255 bytes");
    }
}
