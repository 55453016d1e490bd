use crate::{Action, Caller, Permit, base32, token::same_bytes};
use crypto::{Secret, Sha256, UnixTime, constant_time_eq, sha256_of};
use device::{DeviceId, OrganisationId, ProductId};
use std::fmt;

/// Wrong codes after which a record is locked. A code has 120 random bits, so the limit is not what
/// keeps guessers out; it makes guessing visible.
pub const ATTEMPTS_MAX: u8 = 10;

/// Longest life of a code, in seconds: 180 days, for a device that is bought, shipped and installed.
pub const CODE_SECONDS_MAX: i64 = 180 * 86_400;

/// Longest text read as a code, in bytes.
pub const CODE_TEXT_BYTES_MAX: usize = 64;

/// Longest serial number, in characters (X.520 ub-serial-number).
pub const SERIAL_BYTES_MAX: usize = 64;

const DOMAIN: &[u8] = b"tegata/enrolment-code/v1\0";

/// The device that a code is bound to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnrolmentSubject {
    /// by its id
    Device(DeviceId),
    /// by the serial number that its maker gave it, unique within the product
    Serial(String),
}

impl EnrolmentSubject {
    /// Reads the user name of HTTP Basic: a device id, or else a serial number of 1 to
    /// [`SERIAL_BYTES_MAX`] printable ASCII characters without a colon.
    ///
    /// # Errors
    /// [`CodeError::Serial`].
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if let Ok(device) = text.parse::<DeviceId>() {
            return Ok(Self::Device(device));
        }
        let printable = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b':';
        let good = (1..=SERIAL_BYTES_MAX).contains(&text.len())
            && text.bytes().all(printable)
            && text.trim() == text;
        if good { Ok(Self::Serial(text.to_owned())) } else { Err(CodeError::Serial) }
    }
}

impl fmt::Display for EnrolmentSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => write!(f, "device {device}"),
            Self::Serial(serial) => write!(f, "serial number {serial}"),
        }
    }
}

/// Who vouches for the device (EN-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleasedBy {
    /// an administrator or operator, by name
    Member(String),
    /// an entry of a purchase list, by the list's name
    PurchaseList(String),
}

/// Why no code is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not a serial number.
    #[error("a serial number has 1 to 64 printable ASCII characters and no colon")]
    Serial,
    /// Lifetime out of bounds.
    #[error("a code lives 1 second to 180 days")]
    Lifetime,
    /// The permit is for something else.
    #[error("releasing a code needs a permit for it")]
    Permit,
    /// The random bytes are not random: no code that others could have can be made.
    #[error("the random generator gave no random bytes; nothing was released")]
    Random,
}

/// The text of a code, shown once: 25 characters in groups of five.
pub struct CodeText(Secret);

impl CodeText {
    /// Shows the text.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

impl fmt::Debug for CodeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeText(..)")
    }
}

/// A code as somebody presented it, parsed. A mistyped one does not parse and costs no attempt.
pub struct PresentedCode(Secret);

impl PresentedCode {
    /// Reads a code as people type it: lower case, spaces, missing hyphens, O for 0, I and L for 1.
    ///
    /// # Errors
    /// [`CodeRefusal::Malformed`] or [`CodeRefusal::Mistyped`].
    pub fn parse(text: &str) -> Result<Self, CodeRefusal> {
        if text.len() > CODE_TEXT_BYTES_MAX {
            return Err(CodeRefusal::Malformed);
        }
        match base32::decode(text) {
            Ok(bytes) => Ok(Self(Secret::new(bytes.to_vec()))),
            Err(base32::Unreadable::Shape) => Err(CodeRefusal::Malformed),
            Err(base32::Unreadable::Check) => Err(CodeRefusal::Mistyped),
        }
    }
}

impl fmt::Debug for PresentedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedCode(..)")
    }
}

/// What is stored of a code. Its states follow from the fields: open, used, locked, withdrawn,
/// expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRecord {
    /// organisation that released it and to which the device enrols
    pub organisation: OrganisationId,
    /// device that it is for
    pub subject: EnrolmentSubject,
    /// product line that the device must enrol under
    pub product: ProductId,
    /// salt of the hash
    pub salt: [u8; 16],
    /// `SHA-256("tegata/enrolment-code/v1\0" ‖ salt ‖ code)`
    pub hash: Sha256,
    /// who vouches
    pub released_by: ReleasedBy,
    /// since when
    pub released_at: UnixTime,
    /// until when, exclusive
    pub expires_at: UnixTime,
    /// wrong codes so far
    pub attempts: u8,
    /// when it was used
    pub used_at: Option<UnixTime>,
    /// when it was withdrawn
    pub withdrawn_at: Option<UnixTime>,
}

/// Why a code is not accepted. The text may be told to the caller: everything but `Wrong` is told
/// only to one who knows the code, and `Wrong` does not tell whether there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    /// Not the shape of a code.
    #[error("a code has 25 letters and digits in five groups of five")]
    Malformed,
    /// The check symbol does not fit.
    #[error("the code is mistyped: one character is wrong or two are exchanged")]
    Mistyped,
    /// No such code for this device, by whatever cause.
    #[error("the code is not valid for this device; ask its owner's administrator for a new one")]
    Wrong,
    /// Too many wrong codes before.
    #[error("the code is locked after too many wrong ones; ask for a new one")]
    Locked,
    /// Already used.
    #[error("the code has been used; it is good for one enrolment, ask for a new one")]
    Used,
    /// Withdrawn.
    #[error("the code was withdrawn; ask for a new one")]
    Withdrawn,
    /// Too old.
    #[error("the code has expired; ask for a new one")]
    Expired,
    /// For another device.
    #[error("the code is for another device")]
    OtherDevice,
    /// For another product line.
    #[error("the code is for another product line; use that product's enrolment address")]
    OtherProduct,
}

/// What a check gives. The record is to be stored in the same commit that acts on the answer.
#[derive(Debug, PartialEq, Eq)]
pub enum CodeCheck {
    /// the code is used up
    Accepted {
        /// record to store
        record: CodeRecord,
        /// the device, authenticated by the code
        caller: Caller,
    },
    /// the code is not accepted
    Refused {
        /// record to store where it changed
        record: Option<CodeRecord>,
        /// why
        refusal: CodeRefusal,
    },
}

impl CodeRecord {
    /// Releases a code from 15 fresh random bytes and a fresh random salt.
    ///
    /// # Errors
    /// [`CodeError`].
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a field of the record, none has a default"
    )]
    pub fn release(
        permit: Permit,
        random: [u8; 15],
        salt: [u8; 16],
        organisation: OrganisationId,
        subject: EnrolmentSubject,
        product: ProductId,
        released_by: ReleasedBy,
        seconds: i64,
        now: UnixTime,
    ) -> Result<(CodeText, Self), CodeError> {
        let needed = match released_by {
            ReleasedBy::Member(_) => Action::ReleaseCode,
            ReleasedBy::PurchaseList(_) => Action::ImportPurchaseList,
        };
        if !permit.spend(needed) {
            return Err(CodeError::Permit);
        }
        if !(1..=CODE_SECONDS_MAX).contains(&seconds) {
            return Err(CodeError::Lifetime);
        }
        if same_bytes(&random) || same_bytes(&salt) {
            return Err(CodeError::Random);
        }
        let record = Self {
            organisation,
            subject,
            product,
            salt,
            hash: hash_of(&salt, &random),
            released_by,
            released_at: now,
            expires_at: now.plus(seconds),
            attempts: 0,
            used_at: None,
            withdrawn_at: None,
        };
        Ok((CodeText(Secret::new(base32::encode(&random).into_bytes())), record))
    }

    /// Checks a presented code. `subjects` are the names under which the enrolling device is known
    /// (its id, its serial number); `product` is the product line of the address.
    pub fn check(
        &self,
        presented: &PresentedCode,
        subjects: &[EnrolmentSubject],
        product: &ProductId,
        now: UnixTime,
    ) -> CodeCheck {
        let right = constant_time_eq(&hash_of(&self.salt, presented.0.expose()).0, &self.hash.0);
        if !right {
            let mut record = self.clone();
            record.attempts = record.attempts.saturating_add(1);
            let changed = self.is_open(now).then_some(record);
            return CodeCheck::Refused { record: changed, refusal: CodeRefusal::Wrong };
        }
        let refusal = if self.used_at.is_some() {
            CodeRefusal::Used
        } else if self.withdrawn_at.is_some() {
            CodeRefusal::Withdrawn
        } else if now >= self.expires_at {
            CodeRefusal::Expired
        } else if self.attempts >= ATTEMPTS_MAX {
            CodeRefusal::Locked
        } else if !subjects.contains(&self.subject) {
            CodeRefusal::OtherDevice
        } else if *product != self.product {
            CodeRefusal::OtherProduct
        } else {
            let mut record = self.clone();
            record.used_at = Some(now);
            let caller = Caller::Code {
                organisation: self.organisation.clone(),
                subject: self.subject.clone(),
            };
            return CodeCheck::Accepted { record, caller };
        };
        CodeCheck::Refused { record: None, refusal }
    }

    /// Whether a right code would be accepted now.
    pub fn is_open(&self, now: UnixTime) -> bool {
        self.used_at.is_none()
            && self.withdrawn_at.is_none()
            && self.attempts < ATTEMPTS_MAX
            && now < self.expires_at
    }

    /// The record withdrawn, where it was open.
    #[must_use]
    pub fn withdraw(mut self, now: UnixTime) -> Self {
        if self.is_open(now) {
            self.withdrawn_at = Some(now);
        }
        self
    }
}

fn hash_of(salt: &[u8; 16], code: &[u8]) -> Sha256 {
    sha256_of(&[DOMAIN, salt, code])
}
