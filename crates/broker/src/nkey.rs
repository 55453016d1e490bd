//! Keys as users of NATS have them (nkeys): Ed25519, written in base 32 (RFC 4648) with a prefix and a
//! CRC-16.

use crypto::{Secret, Signer as _, SoftwareKey};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Prefixes: that it is a seed, and of whom.
const SEED: u8 = 18 << 3;
const USER: u8 = 20 << 3;
/// A `PrivateKeyInfo` of Ed25519 (RFC 8410 section 7) up to its key.
const PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// The key of a user's seed, `SU…`.
pub(crate) fn from_seed(text: &str) -> Option<SoftwareKey> {
    let bytes = Secret::new(decode(text.trim())?);
    let (body, sum) = bytes.expose().split_last_chunk::<2>()?;
    let (prefix, seed) = body.split_first_chunk::<2>()?;
    let [first, second] = *prefix;
    let seed = <&[u8; 32]>::try_from(seed).ok()?;
    let kind = (first & 0b111) << 5 | second >> 3;
    let whole = crc16(body) == u16::from_le_bytes(*sum);
    if !whole || first & 0b1111_1000 != SEED || kind != USER || second & 0b111 != 0 {
        return None;
    }
    SoftwareKey::from_pkcs8(&Secret::new([&PKCS8[..], seed].concat())).ok()
}

/// The public key, `U…`.
pub(crate) fn public(key: &SoftwareKey) -> String {
    let mut bytes = vec![USER];
    bytes.extend_from_slice(key.public_key().bits());
    let sum = crc16(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    encode(&bytes)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0_u16, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 }
        })
    })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    // The longest is a seed.
    if text.len() > 58 {
        return None;
    }
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|it| *it == letter)?;
        held = (held << 5 | u32::try_from(value).ok()?) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(out)
}

fn encode(bytes: &[u8]) -> String {
    let (mut out, mut bits, mut held) = (String::new(), 0_u32, 0_u32);
    let mut put = |five: u32| {
        let letter = usize::try_from(five & 31).ok().and_then(|at| ALPHABET.get(at));
        out.push(letter.map_or('A', |byte| char::from(*byte)));
    };
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            put(held >> bits);
        }
    }
    if bits > 0 {
        put(held << (5 - bits));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of the documentation of NATS, "NKeys".
    const DOCUMENTED: (&str, &str) = (
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
        "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
    );

    #[test]
    fn a_documented_key_is_read() {
        let key = from_seed(DOCUMENTED.0).unwrap();
        assert_eq!(public(&key), DOCUMENTED.1);
        for wrong in [
            "",
            "SU",
            DOCUMENTED.0.trim_start_matches('S'),
            &DOCUMENTED.0.replace('V', "W"),
            &DOCUMENTED.0.to_lowercase(),
            DOCUMENTED.1,
        ] {
            assert!(from_seed(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_sum_is_xmodems() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in prop::collection::vec(any::<u8>(), 0..36)) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
