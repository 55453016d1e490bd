//! A strict reader of DER (X.690 section 10): definite, shortest lengths; nothing left over.

/// Why bytes are not the DER that was expected. One short phrase; callers name the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DerError(pub(crate) &'static str);

pub(crate) type Result<T> = std::result::Result<T, DerError>;

/// Identifier octets in use. Numbers above 30 do not occur in X.509.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const TELETEX_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// Context-specific, primitive.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// Context-specific, constructed.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// One value with its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    /// contents octets
    pub(crate) value: &'a [u8],
    /// header and contents
    pub(crate) whole: &'a [u8],
}

/// Walks over the values in `rest`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Tag of the next value.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value, whatever its tag.
    pub(crate) fn any(&mut self) -> Result<Tlv<'a>> {
        const ENDS: DerError = DerError("ends too early");
        let (&tag, rest) = self.rest.split_first().ok_or(ENDS)?;
        if tag & 0x1f == 0x1f {
            return Err(DerError("has a tag number above 30"));
        }
        let (&first, rest) = rest.split_first().ok_or(ENDS)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x80 => return Err(DerError("has an indefinite length")),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(ENDS)?;
                let length = bytes.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
                let shortest = bytes.first().is_some_and(|byte| *byte != 0) && length > 0x7f;
                if !shortest {
                    return Err(DerError("has a length that is not in its shortest form"));
                }
                (length, rest)
            }
            _ => return Err(DerError("is longer than any limit")),
        };
        let (value, after) = rest.split_at_checked(length).ok_or(ENDS)?;
        let size = self.rest.len() - after.len();
        let (whole, _) = self.rest.split_at_checked(size).ok_or(ENDS)?;
        self.rest = after;
        Ok(Tlv { tag, value, whole })
    }

    /// The next value, which must have `tag`.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>> {
        let tlv = self.any()?;
        if tlv.tag != tag {
            return Err(DerError("has another type than its standard says"));
        }
        Ok(tlv)
    }

    /// The next value where it has `tag`.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>> {
        match self.peek() {
            Some(next) if next == tag => self.any().map(Some),
            _ => Ok(None),
        }
    }

    /// Contents of the next value, which must be a SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>> {
        self.expect(tag::SEQUENCE).map(|tlv| Reader::new(tlv.value))
    }

    /// BOOLEAN DEFAULT FALSE: DER does not write the default.
    pub(crate) fn default_false(&mut self) -> Result<bool> {
        match self.optional(tag::BOOLEAN)? {
            None => Ok(false),
            Some(Tlv { value: [0xff], .. }) => Ok(true),
            Some(Tlv { value: [0], .. }) => Err(DerError("writes a default value out")),
            Some(_) => Err(DerError("has a BOOLEAN that is neither TRUE nor FALSE")),
        }
    }

    /// An object identifier.
    pub(crate) fn oid(&mut self) -> Result<const_oid::ObjectIdentifier> {
        oid(self.expect(tag::OID)?.value)
    }

    /// Bytes of a BIT STRING without unused bits.
    pub(crate) fn whole_bits(&mut self) -> Result<&'a [u8]> {
        match self.expect(tag::BIT_STRING)?.value.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(DerError("has a BIT STRING that does not fill whole bytes")),
        }
    }

    /// Refuses anything left over.
    pub(crate) fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError("goes on after its end")) }
    }
}

/// Reads `bytes` as exactly one value with `tag`; returns its contents.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Result<Tlv<'_>> {
    let mut reader = Reader::new(bytes);
    let tlv = reader.expect(tag)?;
    reader.finish()?;
    Ok(tlv)
}

/// Reads the contents octets of an OBJECT IDENTIFIER.
pub(crate) fn oid(contents: &[u8]) -> Result<const_oid::ObjectIdentifier> {
    const_oid::ObjectIdentifier::from_bytes(contents)
        .map_err(|_| DerError("has an object identifier that is malformed or too long"))
}

/// Checks that the contents octets of an INTEGER are in their shortest form.
pub(crate) fn integer(contents: &[u8]) -> Result<&[u8]> {
    match contents {
        [] => Err(DerError("has an INTEGER without contents")),
        [0, second, ..] if *second < 0x80 => Err(DerError("has an INTEGER with a leading zero")),
        [0xff, second, ..] if *second >= 0x80 => Err(DerError("has an INTEGER with a leading one")),
        _ => Ok(contents),
    }
}

/// The contents octets of an INTEGER as a number from 0 to 2^31 - 1.
pub(crate) fn small(contents: &[u8]) -> Result<u32> {
    const RANGE: DerError = DerError("has an INTEGER that is negative or too large");
    let bytes = integer(contents)?;
    if bytes.len() > 4 || bytes.first().is_some_and(|byte| *byte >= 0x80) {
        return Err(RANGE);
    }
    Ok(bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shortest_definite_form_is_read() {
        let refuse = |bytes: &[u8], why| {
            assert_eq!(only(bytes, tag::OCTET_STRING).unwrap_err(), DerError(why), "{bytes:02x?}");
        };
        assert_eq!(only(b"\x04\x01a", tag::OCTET_STRING).unwrap().value, b"a");
        refuse(b"\x04\x80a\x00\x00", "has an indefinite length");
        refuse(b"\x04\x81\x01a", "has a length that is not in its shortest form");
        refuse(b"\x04\x82\x00\x81", "has a length that is not in its shortest form");
        refuse(b"\x04\x84\x01\x00\x00\x00", "is longer than any limit");
        refuse(b"\x04\x02a", "ends too early");
        refuse(b"\x04\x01ab", "goes on after its end");
        refuse(b"\x1f\x81\x01\x00", "has a tag number above 30");
        refuse(b"\x05\x00", "has another type than its standard says");
        refuse(b"", "ends too early");
    }

    #[test]
    fn integers_and_booleans_are_strict() {
        assert_eq!(small(&[0x7f]), Ok(127));
        assert_eq!(small(&[0x00, 0x80]), Ok(128));
        assert!(small(&[0x00, 0x7f]).is_err());
        assert!(small(&[0xff]).is_err());
        assert!(small(&[0xff, 0xff]).is_err());
        assert!(small(&[]).is_err());
        assert!(small(&[1, 0, 0, 0, 0]).is_err());
        assert_eq!(Reader::new(b"\x01\x01\xff").default_false(), Ok(true));
        assert_eq!(Reader::new(b"").default_false(), Ok(false));
        assert!(Reader::new(b"\x01\x01\x00").default_false().is_err());
        assert!(Reader::new(b"\x01\x01\x01").default_false().is_err());
    }
}
