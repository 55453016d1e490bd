use crate::strict::{self, DerError};
use std::fmt;

/// Most contents octets of a serial number (RFC 5280 section 4.1.2.2).
const OCTETS_MAX: usize = 20;

/// A certificate's serial number: at most 20 contents octets, not negative (RFC 5280 section
/// 4.1.2.2). Zero is read, because old roots have it, and never made. Displays as lower-case
/// hexadecimal, without leading zero bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial {
    // ordering: a longer number is a greater one, then byte by byte
    length: u8,
    bytes: [u8; OCTETS_MAX],
}

impl Serial {
    /// The number with big-endian `bytes`; leading zeros do not matter. `None` for zero and for
    /// what would need more than 20 contents octets (20 bytes fit only below 2^159).
    pub fn from_be_bytes(bytes: &[u8]) -> Option<Self> {
        let start = bytes.iter().position(|byte| *byte != 0)?;
        let significant = bytes.get(start..)?;
        let sign = usize::from(significant.first().is_some_and(|byte| *byte >= 0x80));
        if significant.len() + sign > OCTETS_MAX {
            return None;
        }
        let mut out = [0; OCTETS_MAX];
        out.get_mut(..significant.len())?.copy_from_slice(significant);
        Some(Self { length: u8::try_from(significant.len()).ok()?, bytes: out })
    }

    /// A serial number from 16 random bytes: 126 random bits. The two top bits become 01, so that it
    /// is positive and always 16 octets long (RFC 5280 section 4.1.2.2).
    pub fn from_random(random: [u8; 16]) -> Self {
        let mut bytes = [0; OCTETS_MAX];
        for (to, from) in bytes.iter_mut().zip(random) {
            *to = from;
        }
        let [first, ..] = &mut bytes;
        *first = *first & 0x3f | 0x40;
        Self { length: 16, bytes }
    }

    /// The number in lower- or upper-case hexadecimal; colons between bytes are allowed.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() > 3 * OCTETS_MAX {
            return None;
        }
        let mut digits: String = text.chars().filter(|c| *c != ':').collect();
        if digits.len() % 2 == 1 {
            digits.insert(0, '0');
        }
        Self::from_be_bytes(&hex::decode(digits).ok()?)
    }

    /// Big-endian, without leading zeros: 1 to 20 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Whether it is zero, which only old roots have.
    pub fn is_zero(&self) -> bool {
        self.as_bytes() == [0]
    }

    /// Contents octets of the DER INTEGER.
    pub(crate) fn from_contents(contents: &[u8]) -> Result<Self, DerError> {
        let contents = strict::integer(contents)?;
        if contents.first().is_some_and(|byte| *byte >= 0x80) {
            return Err(DerError("is negative"));
        }
        if contents == [0] {
            return Ok(Self { length: 1, bytes: [0; OCTETS_MAX] });
        }
        Self::from_be_bytes(contents).ok_or(DerError("is longer than 20 octets"))
    }

    /// The DER INTEGER, header included.
    pub fn to_der(&self) -> Vec<u8> {
        let bytes = self.as_bytes();
        let sign = bytes.first().is_some_and(|byte| *byte >= 0x80);
        let mut out = vec![strict::tag::INTEGER, self.length + u8::from(sign)];
        if sign {
            out.push(0);
        }
        out.extend_from_slice(bytes);
        out
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_rfc_5280() {
        assert!(Serial::from_contents(&[0]).unwrap().is_zero());
        assert_eq!(Serial::from_contents(&[0xfe]), Err(DerError("is negative")));
        assert_eq!(Serial::from_contents(&[0x7f; 21]), Err(DerError("is longer than 20 octets")));
        assert!(Serial::from_contents(&[0x7f; 20]).is_ok());
        assert_eq!(Serial::from_be_bytes(&[0x80; 20]), None);
        assert_eq!(Serial::from_be_bytes(&[0, 0]), None);
        assert_eq!(Serial::from_be_bytes(&[]), None);
        let serial = Serial::from_contents(&[0x00, 0x80, 0x01]).unwrap();
        assert_eq!(serial.to_string(), "8001");
        assert_eq!(serial.to_der(), b"\x02\x03\x00\x80\x01");
        assert_eq!(Serial::from_hex("80:01"), Some(serial));
        assert_eq!(Serial::from_hex("FF").unwrap().to_string(), "ff");
        assert_eq!(Serial::from_hex("not hex"), None);
        assert!(Serial::from_hex("ff") < Serial::from_hex("100"));
    }
}
