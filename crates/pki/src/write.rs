//! DER as a template (X.690 section 10): fragments that never change are rendered once and copied,
//! the rest is written forward into one buffer. Hot paths only; cold paths use the `der` crate.

use const_oid::ObjectIdentifier;
use crypto::UnixTime;

/// The tags that [`crate::strict`] reads, and two that only OCSP and CRLs have.
pub(crate) mod tag {
    pub(crate) use crate::strict::tag::*;

    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const ENUMERATED: u8 = 0x0a;
}

/// Writes DER forward into one buffer. Nested values get a length of one byte first; the rare
/// longer ones are moved when they close.
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Copies a fragment that is DER already.
    pub(crate) fn raw(&mut self, der: &[u8]) {
        self.out.extend_from_slice(der);
    }

    pub(crate) fn tlv(&mut self, tag: u8, value: &[u8]) {
        self.out.push(tag);
        self.length(value.len());
        self.out.extend_from_slice(value);
    }

    /// Writes a value whose contents `fill` writes.
    pub(crate) fn nested(&mut self, tag: u8, fill: impl FnOnce(&mut Self)) {
        self.out.push(tag);
        let length_at = self.out.len();
        self.out.push(0);
        fill(self);
        let length = self.out.len().saturating_sub(length_at + 1);
        let (bytes, used) = length_bytes(length);
        let header = bytes.get(bytes.len() - used..).unwrap_or_default();
        self.out.splice(length_at..length_at + 1, header.iter().copied());
    }

    pub(crate) fn sequence(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nested(tag::SEQUENCE, fill);
    }

    /// INTEGER from big-endian bytes of a number that is not negative.
    pub(crate) fn unsigned(&mut self, big_endian: &[u8]) {
        self.unsigned_as(tag::INTEGER, big_endian);
    }

    fn unsigned_as(&mut self, tag: u8, big_endian: &[u8]) {
        let leading = big_endian.iter().take_while(|byte| **byte == 0).count();
        let digits = big_endian.get(leading..).unwrap_or_default();
        let pad = digits.first().is_none_or(|byte| byte & 0x80 != 0);
        self.out.push(tag);
        self.length(digits.len() + usize::from(pad));
        if pad {
            self.out.push(0);
        }
        self.out.extend_from_slice(digits);
    }

    pub(crate) fn number(&mut self, value: u64) {
        self.unsigned(&value.to_be_bytes());
    }

    pub(crate) fn enumerated(&mut self, value: u8) {
        self.unsigned_as(tag::ENUMERATED, &[value]);
    }

    /// BOOLEAN TRUE; FALSE is a default everywhere and never written (X.690 section 11.5).
    pub(crate) fn yes(&mut self) {
        self.tlv(tag::BOOLEAN, &[0xff]);
    }

    pub(crate) fn oid(&mut self, oid: &ObjectIdentifier) {
        self.tlv(tag::OID, oid.as_bytes());
    }

    pub(crate) fn octet_string(&mut self, value: &[u8]) {
        self.tlv(tag::OCTET_STRING, value);
    }

    /// BIT STRING of whole bytes.
    pub(crate) fn bit_string(&mut self, value: &[u8]) {
        self.out.push(tag::BIT_STRING);
        self.length(value.len() + 1);
        self.out.push(0);
        self.out.extend_from_slice(value);
    }

    /// BIT STRING of named bits (X.690 section 11.2.2): the integer's bit n is the standard's bit n,
    /// trailing zero bits are dropped.
    pub(crate) fn named_bits(&mut self, bits: u16) {
        let [low, high] = bits.to_le_bytes().map(u8::reverse_bits);
        match (low, high) {
            (0, 0) => self.tlv(tag::BIT_STRING, &[0]),
            (_, 0) => self.tlv(tag::BIT_STRING, &[unused(low), low]),
            _ => self.tlv(tag::BIT_STRING, &[unused(high), low, high]),
        }
    }

    /// `Time` (RFC 5280 section 4.1.2.5): UTCTime through 2049, GeneralizedTime from 2050 on.
    pub(crate) fn time(&mut self, time: UnixTime) {
        let text = digits(time);
        match time.civil() {
            // The two digits of the century are left out.
            Some((1950..=2049, ..)) => {
                self.tlv(tag::UTC_TIME, text.get(2..).unwrap_or_default());
            }
            _ => self.tlv(tag::GENERALIZED_TIME, &text),
        }
    }

    /// GeneralizedTime without fraction (RFC 5280 section 4.1.2.5.2; RFC 6960 section 4.2.2.1).
    pub(crate) fn generalized_time(&mut self, time: UnixTime) {
        self.tlv(tag::GENERALIZED_TIME, &digits(time));
    }

    /// An `Extension` (RFC 5280 section 4.1) whose extnValue `fill` writes.
    pub(crate) fn extension(
        &mut self,
        oid: &ObjectIdentifier,
        critical: bool,
        fill: impl FnOnce(&mut Self),
    ) {
        self.sequence(|w| {
            w.oid(oid);
            if critical {
                w.yes();
            }
            w.nested(tag::OCTET_STRING, fill);
        });
    }

    fn length(&mut self, length: usize) {
        let (bytes, used) = length_bytes(length);
        self.out.extend_from_slice(bytes.get(bytes.len() - used..).unwrap_or_default());
    }
}

/// One value with its contents from `fill`, as a buffer of its own: the fragments of a template.
pub(crate) fn fragment(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    fill(&mut writer);
    writer.finish()
}

/// A signed structure: `SEQUENCE { tbs, algorithm, BIT STRING signature }`.
pub(crate) fn signed(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(tbs.len() + algorithm.len() + signature.len() + 16);
    writer.sequence(|w| {
        w.raw(tbs);
        w.raw(algorithm);
        w.bit_string(signature);
    });
    writer.finish()
}

/// Length octets (X.690 section 10.1), right-aligned, and how many of them are used.
fn length_bytes(length: usize) -> ([u8; 9], usize) {
    let mut out = [0; 9];
    let [_, value @ ..] = &mut out;
    *value = (length as u64).to_be_bytes();
    if length < 0x80 {
        return (out, 1);
    }
    let used = 8 - (length as u64).leading_zeros() as usize / 8;
    let first = 8 - used;
    if let (Some(byte), Ok(count)) = (out.get_mut(first), u8::try_from(used)) {
        *byte = 0x80 | count;
    }
    (out, used + 1)
}

/// Bits of the last byte that a BIT STRING does not use.
fn unused(last: u8) -> u8 {
    u8::try_from(last.trailing_zeros()).unwrap_or(7)
}

/// `YYYYMMDDHHMMSSZ`. Times outside the years 0 to 9999 cannot be written; who issues refuses them
/// before, and here they become the last second there is.
fn digits(time: UnixTime) -> [u8; 15] {
    let (year, month, day, hour, minute, second) =
        time.civil().unwrap_or((9999, 12, 31, 23, 59, 59));
    let two = |value: u8| [b'0' + value / 10 % 10, b'0' + value % 10];
    let part = |value: u16| u8::try_from(value % 100).unwrap_or(0);
    let ([y1, y2], [y3, y4]) = (two(part(year / 100)), two(part(year)));
    let ([m1, m2], [d1, d2]) = (two(month), two(day));
    let ([h1, h2], [n1, n2], [s1, s2]) = (two(hour), two(minute), two(second));
    [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, b'Z']
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::{Decode as _, Encode as _, asn1::AnyRef, asn1::OctetStringRef};
    use proptest::prelude::*;

    #[test]
    fn lengths_are_minimal() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536, 1 << 20] {
            let value = vec![7; length];
            let want = OctetStringRef::new(&value).unwrap().to_der().unwrap();
            assert_eq!(fragment(|w| w.octet_string(&value)), want, "{length}");
            let nested = fragment(|w| w.nested(tag::OCTET_STRING, |w| w.raw(&value)));
            assert_eq!(nested, want, "{length}");
        }
    }

    #[test]
    fn named_bits_drop_trailing_zeros() {
        let check = |bits, want: &[u8]| assert_eq!(fragment(|w| w.named_bits(bits)), want);
        check(0, &[3, 1, 0]);
        check(1, &[3, 2, 7, 0x80]);
        check(0b11 << 5, &[3, 2, 1, 0x06]);
        check(1 << 8, &[3, 3, 7, 0, 0x80]);
        check((1 << 8) | (1 << 4), &[3, 3, 7, 0x08, 0x80]);
    }

    #[test]
    fn times_change_their_form_in_2050() {
        let check = |seconds, want: &str| {
            let der = fragment(|w| w.time(UnixTime(seconds)));
            assert_eq!(&der[2..], want.as_bytes());
        };
        check(951_782_400, "000229000000Z");
        check(2_524_607_999, "491231235959Z");
        check(2_524_608_000, "20500101000000Z");
        check(UnixTime::NEVER.0, "99991231235959Z");
    }

    proptest! {
        #[test]
        fn integers_are_what_the_der_crate_reads(value: u64) {
            let der = fragment(|w| w.number(value));
            prop_assert_eq!(u64::from_der(&der).unwrap(), value);
            prop_assert_eq!(AnyRef::from_der(&der).unwrap().to_der().unwrap(), der);
        }

        #[test]
        fn times_are_what_the_der_crate_reads(seconds in 0i64..253_402_300_800) {
            let der = fragment(|w| w.generalized_time(UnixTime(seconds)));
            let read = der::asn1::GeneralizedTime::from_der(&der).unwrap();
            prop_assert_eq!(read.to_unix_duration().as_secs(), seconds as u64);
        }
    }
}
