//! What somebody typed into a search field: a number from a label, an id, a fingerprint, a serial
//! number. Untrusted; nothing here fails.

use crate::store::named::Recognised;
use crypto::Sha256;
use device::ManagementNumber;

/// Longest text that is searched for, in characters.
pub(crate) const TEXT_MAX: usize = 200;
/// Fewest hexadecimal digits of a device id.
const ID_DIGITS_MIN: usize = 6;
/// Hexadecimal digits of a certificate's serial number (RFC 5280: up to 20 octets).
const SERIAL_DIGITS: std::ops::RangeInclusive<usize> = 8..=40;

/// Recognises a text; several meanings may fit.
pub(crate) fn recognise(text: &str) -> Recognised {
    let text = text.trim();
    let hex = digits(text);
    let digits = hex.as_deref().unwrap_or_default();
    Recognised {
        management: ManagementNumber::from_typed(text).ok().map(|number| number.to_string()),
        device_ids: id_range(digits),
        fingerprint: fingerprint(digits),
        certificate_serial: certificate_serial(digits),
        serial: text.chars().take(TEXT_MAX).collect(),
    }
}

/// Hexadecimal digits in lower case, where the text is nothing else but them and separators.
fn digits(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars().take(TEXT_MAX) {
        match c {
            ':' | ' ' | '-' => {}
            c if c.is_ascii_hexdigit() => out.push(c.to_ascii_lowercase()),
            _ => return None,
        }
    }
    Some(out)
}

/// All device ids that begin so.
fn id_range(digits: &str) -> Option<([u8; 16], [u8; 16])> {
    if !(ID_DIGITS_MIN..=32).contains(&digits.len()) {
        return None;
    }
    let filled = |with: char| -> Option<[u8; 16]> {
        let text: String = digits.chars().chain(std::iter::repeat(with)).take(32).collect();
        let mut out = [0; 16];
        hex::decode_to_slice(text, &mut out).ok()?;
        Some(out)
    };
    Some((filled('0')?, filled('f')?))
}

fn fingerprint(digits: &str) -> Option<Sha256> {
    let mut out = [0; 32];
    hex::decode_to_slice(digits, &mut out).ok()?;
    Some(Sha256(out))
}

/// A serial number as certificates hold it: no superfluous zero in front.
fn certificate_serial(digits: &str) -> Option<Vec<u8>> {
    if !SERIAL_DIGITS.contains(&digits.len()) {
        return None;
    }
    let even =
        if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    let bytes = hex::decode(even).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes.into_iter().skip(zeros).collect()).filter(|bytes: &Vec<u8>| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_text_may_mean_several_things() {
        let id = recognise("00112233445566778899AABBCCDDEEFF");
        let (first, last) = id.device_ids.unwrap();
        assert_eq!(first, last);
        assert_eq!(id.certificate_serial.unwrap().len(), 15, "the leading zero octet is none");
        let (first, last) = recognise("ABCDEF1").device_ids.unwrap();
        assert_eq!(hex::encode(first), "abcdef10000000000000000000000000");
        assert_eq!(hex::encode(last), "abcdef1fffffffffffffffffffffffff");
        assert_eq!(recognise("abcde").device_ids, None);
        let print = recognise(&"aB:".repeat(32)).fingerprint.unwrap();
        assert_eq!(print, Sha256([0xab; 32]));
        let number = ManagementNumber::from_random([7; 13]).to_string();
        let (head, tail) = number.split_at(6);
        let typed = format!(" {}-{tail} ", head.to_lowercase());
        assert_eq!(recognise(&typed).management, Some(number));
        let plain = recognise("SN-0001");
        assert_eq!((plain.management, plain.device_ids, plain.fingerprint), (None, None, None));
        assert_eq!(plain.serial, "SN-0001");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,300}") {
            let found = recognise(&text);
            prop_assert!(found.serial.chars().count() <= TEXT_MAX);
            if let Some((first, last)) = found.device_ids {
                prop_assert!(first <= last);
            }
        }
    }
}
