//! GS1 identification: the GTIN of a product line, and GS1 Digital Link URIs (GS1 Digital Link
//! Standard: URI Syntax 1.6; GS1 General Specifications sections 3.2 and 7.9).
//!
//! A device is `01` (GTIN) with `21` (serial). AI 21 has at most 20 characters and the management
//! number 23, so the serial is the number's 20 random characters: `TG` says nothing, and the check
//! character follows from the others. docs/public-page.md shows both forms.
//!
//! Deliberately absent: compressed URIs, other primary keys, the convenience alphas (`gtin`, `ser`)
//! that the standard withdrew.

use crate::{IdError, ManagementNumber};
use std::{fmt, str::FromStr};

/// Longest path that is read, in bytes: `/01/`, 14 digits, and three qualifiers of 20 characters
/// that are percent-encoded throughout.
pub const PATH_BYTES_MAX: usize = 300;

/// Why a text is not a GTIN or a Digital Link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gs1Error {
    /// Not 8, 12, 13 or 14 digits.
    #[error("a GTIN has 8, 12, 13 or 14 digits")]
    Digits,
    /// The check digit is another.
    #[error("the GTIN's check digit should be {0}; a digit was mistyped or two were swapped")]
    CheckDigit(u8),
    /// All zeros.
    #[error("a GTIN of nothing but zeros belongs to nobody; give the product's own")]
    Zero,
    /// Not `/01/…/21/…`.
    #[error("not a GS1 Digital Link of the form /01/GTIN/21/SERIAL")]
    Path,
    /// The serial is no management number's.
    #[error("the serial is not the 20 characters of a management number: {0}")]
    Serial(IdError),
}

/// A Global Trade Item Number, in its form of 14 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtin([u8; 14]);

impl FromStr for Gtin {
    type Err = Gs1Error;

    /// Reads GTIN-8, -12, -13 and -14; shorter ones are filled with zeros on the left.
    fn from_str(text: &str) -> Result<Self, Gs1Error> {
        if !matches!(text.len(), 8 | 12 | 13 | 14) || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Gs1Error::Digits);
        }
        let mut digits = [0; 14];
        for (place, byte) in digits.iter_mut().rev().zip(text.bytes().rev()) {
            *place = byte - b'0';
        }
        if digits == [0; 14] {
            return Err(Gs1Error::Zero);
        }
        let [body @ .., last] = digits;
        let expected = check_digit(body);
        if last != expected {
            return Err(Gs1Error::CheckDigit(expected));
        }
        Ok(Self(digits))
    }
}

/// GS1 General Specifications section 7.9: weights 3 and 1 from the right.
fn check_digit(body: [u8; 13]) -> u8 {
    let weighted = body.iter().rev().zip([3, 1].into_iter().cycle()).map(|(digit, weight)| {
        // at most 13 × 27
        u16::from(*digit) * weight
    });
    let sum: u16 = weighted.sum();
    u8::try_from((10 - sum % 10) % 10).unwrap_or_default()
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.0.iter().map(|digit| char::from(b'0' + digit)).collect();
        f.pad(&text)
    }
}

impl fmt::Debug for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a GS1 Digital Link names: a product, or one device of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigitalLink {
    /// the product
    pub gtin: Gtin,
    /// the device
    pub number: Option<ManagementNumber>,
}

impl DigitalLink {
    /// Reads the path of a URI: `/01/{gtin}`, then in this order and each at most once `22`
    /// (consumer product variant), `10` (batch) and `21` (serial). Variant and batch say nothing
    /// about a device here and are passed over. Small letters and hyphens in the serial are forgiven.
    ///
    /// # Errors
    /// [`Gs1Error`].
    pub fn parse(path: &str) -> Result<Self, Gs1Error> {
        if path.len() > PATH_BYTES_MAX {
            return Err(Gs1Error::Path);
        }
        let path = path.strip_prefix('/').ok_or(Gs1Error::Path)?;
        let mut segments = path.strip_suffix('/').unwrap_or(path).split('/');
        if segments.next() != Some("01") {
            return Err(Gs1Error::Path);
        }
        let gtin: Gtin = segments.next().ok_or(Gs1Error::Path)?.parse()?;
        let mut number = None;
        let mut allowed = ["22", "10", "21"].into_iter();
        while let Some(qualifier) = segments.next() {
            // Also keeps order and count: what was passed over does not come again.
            allowed.find(|known| *known == qualifier).ok_or(Gs1Error::Path)?;
            let value = segments.next().and_then(decoded).ok_or(Gs1Error::Path)?;
            if qualifier == "21" {
                number = Some(ManagementNumber::from_serial(&value).map_err(Gs1Error::Serial)?);
            }
        }
        Ok(Self { gtin, number })
    }

    /// The path, in the one form that we print.
    pub fn path(&self) -> String {
        match &self.number {
            Some(number) => format!("/01/{}/21/{}", self.gtin, number.serial()),
            None => format!("/01/{}", self.gtin),
        }
    }
}

/// A value of 1 to 20 characters of ASCII, percent-decoded (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        };
        if !(b' '..=b'~').contains(&byte) {
            return None;
        }
        out.push(char::from(byte));
    }
    // Hyphens that somebody typed in between do not count.
    let length = out.bytes().filter(|byte| *byte != b'-').count();
    ((1..=20).contains(&length) && out.len() <= 40).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gtins_of_every_length() {
        // The General Specifications' own example, and well-known numbers.
        for (text, full) in [
            ("09506000134352", "09506000134352"),
            ("9506000134352", "09506000134352"),
            ("614141123452", "00614141123452"),
            ("96385074", "00000096385074"),
            ("4912345678904", "04912345678904"),
        ] {
            assert_eq!(text.parse::<Gtin>().map(|gtin| gtin.to_string()), Ok(full.to_owned()));
        }
        assert_eq!("9506000134353".parse::<Gtin>(), Err(Gs1Error::CheckDigit(2)));
        assert_eq!("00000000".parse::<Gtin>(), Err(Gs1Error::Zero));
        for bad in
            ["", "1", "950600013435", "9506000134352x", "９５０６０００１", "095060001343520"]
        {
            assert!(bad.parse::<Gtin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn links_name_product_and_device() {
        let number = ManagementNumber::from_random([0x5a; 13]);
        let serial = number.serial();
        let full = format!("/01/09506000134352/21/{serial}");
        let gtin = "09506000134352".parse().unwrap();
        let device = DigitalLink { gtin, number: Some(number) };
        for (path, expected) in [
            (full.clone(), Ok(device)),
            (format!("/01/9506000134352/21/{}/", serial.to_lowercase()), Ok(device)),
            (format!("/01/9506000134352/22/2A/10/A%2Db/21/{serial}"), Ok(device)),
            ("/01/09506000134352".into(), Ok(DigitalLink { gtin, number: None })),
            (format!("/01/9506000134352/21/{serial}/10/A"), Err(Gs1Error::Path)),
            (format!("/01/9506000134352/21/{serial}/21/{serial}"), Err(Gs1Error::Path)),
            ("/00/09506000134352".into(), Err(Gs1Error::Path)),
            ("/01/09506000134352/21".into(), Err(Gs1Error::Path)),
            ("/01/09506000134352/21/".into(), Err(Gs1Error::Path)),
            ("/01/09506000134352/21/%E3%81%82".into(), Err(Gs1Error::Path)),
            ("/01/09506000134353".into(), Err(Gs1Error::CheckDigit(2))),
            ("01/09506000134352".into(), Err(Gs1Error::Path)),
        ] {
            assert_eq!(DigitalLink::parse(&path), expected, "{path}");
        }
        assert_eq!(device.path(), full);
        assert!(matches!(
            DigitalLink::parse("/01/09506000134352/21/SN1"),
            Err(Gs1Error::Serial(_))
        ));
    }

    proptest! {
        #[test]
        fn a_slip_in_a_gtin_shows(body in 1u64..9_999_999_999_999, at in 0usize..14, digit in 0u8..10) {
            let mut digits = [0; 13];
            for (place, byte) in digits.iter_mut().zip(format!("{body:013}").bytes()) {
                *place = byte - b'0';
            }
            let text = format!("{body:013}{}", check_digit(digits));
            let gtin: Gtin = text.parse().unwrap();
            prop_assert_eq!(gtin.to_string(), text.clone());
            let mut wrong = text.clone().into_bytes();
            wrong[at] = b'0' + digit;
            let wrong = String::from_utf8(wrong).unwrap();
            if wrong != text {
                prop_assert!(wrong.parse::<Gtin>().is_err());
            }
        }

        #[test]
        fn links_come_back(random in any::<[u8; 13]>()) {
            let gtin = "09506000134352".parse().unwrap();
            let link = DigitalLink { gtin, number: Some(ManagementNumber::from_random(random)) };
            prop_assert_eq!(DigitalLink::parse(&link.path()), Ok(link));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}", path in "/01/[0-9]{8,14}(/2[12]/[%0-9A-Fa-z-]{0,24}){0,3}") {
            let _ = text.parse::<Gtin>();
            let _ = DigitalLink::parse(&text);
            let _ = DigitalLink::parse(&path);
        }
    }
}
