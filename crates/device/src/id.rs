use crate::named::named;
use std::{fmt, str::FromStr, sync::Arc};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a slug.
    #[error(
        "{0} must be 2 to 40 characters: lower-case letters, digits and hyphens, beginning with a letter or digit"
    )]
    Slug(&'static str),
    /// Not a device id.
    #[error("a device id is 32 lower-case hexadecimal digits")]
    DeviceId,
    /// Not a management number at all.
    #[error(
        "a management number is TG and 21 characters of 0-9 and A-Z without I, L, O and U; copy it from the label"
    )]
    ManagementNumber,
    /// Right shape, wrong check character.
    #[error(
        "the check character of the management number does not fit; a character was mistyped or two were swapped"
    )]
    CheckCharacter,
    /// No variant has this name.
    #[error("no {what} is called so; choose one of: {names}")]
    UnknownName {
        /// what was looked for
        what: &'static str,
        /// the names there are
        names: &'static str,
    },
}

fn slug(text: &str, what: &'static str) -> Result<Arc<str>, IdError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = (2..=40).contains(&text.len())
        && text.bytes().next().is_some_and(allowed)
        && text.bytes().all(|byte| allowed(byte) || byte == b'-');
    if good { Ok(text.into()) } else { Err(IdError::Slug(what)) }
}

macro_rules! slug_id {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads the identifier: `[a-z0-9][a-z0-9-]{1,39}`.
            ///
            /// # Errors
            /// [`IdError::Slug`].
            pub fn new(text: &str) -> Result<Self, IdError> {
                slug(text, $what).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

slug_id!(
    /// An organisation: chip maker, device maker, distributor, operator, recycler, authority, or
    /// the platform itself.
    OrganisationId,
    "an organisation id"
);
slug_id!(
    /// A product line of a maker.
    ProductId,
    "a product id"
);

/// A chip, module, board or device: 16 random bytes, shown as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// Takes 16 random bytes as an id.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads exactly 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl FromStr for DeviceId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(IdError::DeviceId);
        }
        let mut out = [0; 16];
        hex::decode_to_slice(text, &mut out).map_err(|_| IdError::DeviceId)?;
        Ok(Self(out))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

named! {
    /// What kind of thing a passport is for.
    pub enum DeviceKind: "kind of device" {
        /// A chip (LSI) with its root of trust.
        Chip = 1 "chip",
        /// A module of several chips.
        Module = 2 "module",
        /// A board.
        Board = 3 "board",
        /// A finished device.
        Device = 4 "device",
    }
}

named! {
    /// What keeps the device's private key (TR-1).
    pub enum RootOfTrust: "root of trust" {
        /// TPM 2.0
        Tpm = 1 "tpm",
        /// secure element or PKCS#11 token
        SecureElement = 2 "secure-element",
        /// DICE: keys derived in the boot ROM from a unique device secret
        Dice = 3 "dice",
        /// a key derived from a physically unclonable function
        Puf = 4 "puf",
        /// a sealed software key: for parts without hardware, weaker
        Software = 5 "software",
    }
}

named! {
    /// How well a root of trust protects its key; later variants are stronger.
    pub enum Strength: "strength of a root of trust" {
        /// whoever reads the storage has the key
        Software = 1 "software",
        /// bound to the silicon, used by the main processor
        SiliconBound = 2 "silicon-bound",
        /// kept and used inside a dedicated, protected chip
        ProtectedChip = 3 "protected-chip",
    }
}

impl RootOfTrust {
    /// How well the key is protected.
    pub fn strength(self) -> Strength {
        match self {
            Self::Tpm | Self::SecureElement => Strength::ProtectedChip,
            Self::Dice | Self::Puf => Strength::SiliconBound,
            Self::Software => Strength::Software,
        }
    }
}

/// The number printed on a device (TR-5): `TG`, 20 random characters (100 bits) in Crockford's
/// base 32, and a check character. Random, hence nobody can guess the number of a device that they
/// have not seen.
///
/// The check character is the remainder of the characters, read as a polynomial over GF(32)
/// (x⁵+x²+1), evaluated at the generator 2. It notices every single wrong character and every
/// exchange of two characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManagementNumber([u8; 21]);

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl ManagementNumber {
    /// Makes a number from random bytes; the last four bits are not used.
    pub fn from_random(random: [u8; 13]) -> Self {
        let mut symbols = [0; 21];
        let mut bits: u32 = 0;
        let mut held = 0;
        let mut bytes = random.into_iter();
        for symbol in symbols.iter_mut().take(20) {
            if held < 5 {
                bits = (bits << 8) | u32::from(bytes.next().unwrap_or_default());
                held += 8;
            }
            held -= 5;
            *symbol = ((bits >> held) & 31) as u8;
        }
        if let Some((last, rest)) = symbols.split_last_mut() {
            *last = check_symbol(rest);
        }
        Self(symbols)
    }

    /// Reads a number as people type it: lower case, spaces and hyphens are forgiven, and `O`, `I`,
    /// `L` are read as `0`, `1`, `1`.
    ///
    /// # Errors
    /// [`IdError::ManagementNumber`] or [`IdError::CheckCharacter`].
    pub fn from_typed(text: &str) -> Result<Self, IdError> {
        tidy(text).parse()
    }
}

impl ManagementNumber {
    /// The 20 random characters: what fits into GS1's serial number, AI (21). `TG` and the check
    /// character are left out, which [`Self::from_serial`] puts back.
    pub fn serial(&self) -> String {
        self.to_string().chars().skip(2).take(20).collect()
    }

    /// Reads the 20 characters of [`Self::serial`] as people type them.
    ///
    /// # Errors
    /// [`IdError::ManagementNumber`].
    pub fn from_serial(text: &str) -> Result<Self, IdError> {
        let tidy = tidy(text);
        let mut symbols = [0; 21];
        if tidy.len() != 20 {
            return Err(IdError::ManagementNumber);
        }
        for (symbol, byte) in symbols.iter_mut().zip(tidy.bytes()) {
            *symbol = value(byte)?;
        }
        if let Some((last, rest)) = symbols.split_last_mut() {
            *last = check_symbol(rest);
        }
        Ok(Self(symbols))
    }
}

/// What a character of the number stands for.
fn value(byte: u8) -> Result<u8, IdError> {
    let place = CROCKFORD.iter().position(|c| *c == byte);
    place.and_then(|place| u8::try_from(place).ok()).ok_or(IdError::ManagementNumber)
}

/// Forgives what people do when they copy a number by hand.
fn tidy(text: &str) -> String {
    text.chars()
        .take(100)
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

fn times_generator(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 32 == 0 { doubled } else { doubled ^ 0b10_0101 }
}

fn check_symbol(symbols: &[u8]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| times_generator(sum ^ symbol))
}

impl FromStr for ManagementNumber {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix("TG").ok_or(IdError::ManagementNumber)?;
        if digits.len() != 21 {
            return Err(IdError::ManagementNumber);
        }
        let mut symbols = [0; 21];
        for (symbol, byte) in symbols.iter_mut().zip(digits.bytes()) {
            *symbol = value(byte)?;
        }
        match symbols.split_last() {
            Some((last, rest)) if *last == check_symbol(rest) => Ok(Self(symbols)),
            _ => Err(IdError::CheckCharacter),
        }
    }
}

impl fmt::Display for ManagementNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.iter().filter_map(|symbol| CROCKFORD.get(usize::from(*symbol)));
        let text: String = "TG".chars().chain(digits.map(|byte| char::from(*byte))).collect();
        f.pad(&text)
    }
}

impl fmt::Debug for ManagementNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slugs_are_strict() {
        let check = |text: &str, good: bool| {
            assert_eq!(OrganisationId::new(text).is_ok(), good, "{text:?}");
            assert_eq!(ProductId::new(text).is_ok(), good, "{text:?}");
        };
        check("ab", true);
        check("4-gate", true);
        check(&"a".repeat(40), true);
        check(&"a".repeat(41), false);
        check("a", false);
        check("", false);
        check("-a", false);
        check("Ab", false);
        check("a b", false);
        check("日本", false);
        assert_eq!(OrganisationId::new("kairo").unwrap().to_string(), "kairo");
    }

    #[test]
    fn device_ids_are_lower_case_hex() {
        let id: DeviceId = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
        for bad in
            ["", "00", "000102030405060708090A0B0C0D0E0F", "000102030405060708090a0b0c0d0e0g"]
        {
            assert_eq!(bad.parse::<DeviceId>(), Err(IdError::DeviceId));
        }
    }

    #[test]
    fn names_lead_back() {
        for kind in DeviceKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(DeviceKind::from_code(kind.code().into()), Some(*kind));
        }
        assert_eq!(
            "toaster".parse::<DeviceKind>().unwrap_err().to_string(),
            "no kind of device is called so; choose one of: chip module board device"
        );
        assert!(RootOfTrust::Software.strength() < RootOfTrust::Puf.strength());
        assert!(RootOfTrust::Dice.strength() < RootOfTrust::Tpm.strength());
    }

    #[test]
    fn a_known_management_number() {
        let number = ManagementNumber::from_random([0xff; 13]);
        assert!(number.to_string().starts_with("TGZZZZZZZZZZZZZZZZZZZZ"));
        let zero = ManagementNumber::from_random([0; 13]).to_string();
        assert_eq!(zero, "TG000000000000000000000");
        let typed = zero.replace('0', "o").to_lowercase();
        assert_eq!(ManagementNumber::from_typed(&typed).unwrap().to_string(), zero);
    }

    proptest! {
        #[test]
        fn serials_lead_back(random in any::<[u8; 13]>()) {
            let number = ManagementNumber::from_random(random);
            let serial = number.serial();
            prop_assert_eq!(serial.len(), 20);
            prop_assert_eq!(ManagementNumber::from_serial(&serial), Ok(number));
            prop_assert_eq!(ManagementNumber::from_serial(&serial.to_lowercase()), Ok(number));
            prop_assert!(ManagementNumber::from_serial(serial.get(1..).unwrap_or_default()).is_err());
        }

        #[test]
        fn management_numbers_notice_every_slip(
            random in any::<[u8; 13]>(), at in 0usize..21, other in 0usize..21, symbol in 0usize..32
        ) {
            let number = ManagementNumber::from_random(random);
            let text = number.to_string();
            prop_assert_eq!(text.parse(), Ok(number));
            let mut wrong = text.clone().into_bytes();
            wrong[at + 2] = CROCKFORD[symbol];
            let wrong = String::from_utf8(wrong).unwrap();
            if wrong != text {
                prop_assert_eq!(wrong.parse::<ManagementNumber>(), Err(IdError::CheckCharacter));
            }
            let mut swapped = text.clone().into_bytes();
            swapped.swap(at + 2, other + 2);
            let swapped = String::from_utf8(swapped).unwrap();
            if swapped != text {
                prop_assert_eq!(swapped.parse::<ManagementNumber>(), Err(IdError::CheckCharacter));
            }
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<ManagementNumber>();
            let _ = ManagementNumber::from_typed(&text);
            let _ = ManagementNumber::from_serial(&text);
            let _ = text.parse::<DeviceId>();
            let _ = text.parse::<OrganisationId>();
        }
    }
}
