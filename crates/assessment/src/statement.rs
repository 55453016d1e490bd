//! What the log commits to when a diagnosis is signed: which answers, against which check sheet, two
//! people stand for (docs/assessment.md). Names are not in it: who signed stands with the diagnosis.

use crate::{AssessmentError, diagnosis_file::line, text, yaml::parse};
use crypto::{Sha256, UnixTime};
use serde::Deserialize;

/// The form of the statement.
const FORM: &str = "diagnosis-statement/1";
/// Largest statement that is read, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 64 * 1024;
/// Its name in errors.
const FILE: &str = "statement";

/// A signed diagnosis, as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagnosisStatement {
    /// its id, 32 hexadecimal digits
    pub diagnosis: String,
    /// whose product it is
    pub organisation: String,
    /// the product line
    pub product: String,
    /// which version was looked at
    pub subject: String,
    /// digest of the catalogues and the check sheet, see [`crate::Library::digest`]
    pub sheet: Sha256,
    /// digest of the answers, see [`crate::Diagnosis::content`]
    pub content: Sha256,
    /// when it was signed, in seconds since 1970
    pub at: UnixTime,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStatement {
    tegata: String,
    diagnosis: String,
    organisation: String,
    product: String,
    subject: String,
    sheet: String,
    content: String,
    at: String,
}

impl DiagnosisStatement {
    /// The bytes that the log commits to.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        line(&mut out, 0, "tegata", FORM);
        line(&mut out, 0, "diagnosis", &self.diagnosis);
        line(&mut out, 0, "organisation", &self.organisation);
        line(&mut out, 0, "product", &self.product);
        line(&mut out, 0, "subject", &self.subject);
        line(&mut out, 0, "sheet", self.sheet);
        line(&mut out, 0, "content", self.content);
        line(&mut out, 0, "at", self.at.0);
        out.into_bytes()
    }

    /// Reads a statement. Only the canonical form is one.
    ///
    /// # Errors
    /// [`AssessmentError::Malformed`], [`AssessmentError::Inconsistent`] and
    /// [`AssessmentError::TooLarge`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AssessmentError> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(AssessmentError::TooLarge {
                file: FILE.to_owned(),
                what: "bytes",
                found: bytes.len(),
                most: STATEMENT_BYTES_MAX,
            });
        }
        let bad = |detail: &str| AssessmentError::Inconsistent {
            file: FILE.to_owned(),
            line: 0,
            detail: detail.into(),
        };
        let written = str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
        let raw: RawStatement = parse(FILE, written)?;
        if raw.tegata != FORM {
            return Err(bad("it is of another form"));
        }
        for name in [&raw.diagnosis, &raw.organisation, &raw.product, &raw.subject] {
            if let Some(fault) = text::fault(name) {
                return Err(bad(&fault));
            }
        }
        let digest = |hex: &str| Sha256::from_hex(hex).ok_or_else(|| bad("a digest is none"));
        let this = Self {
            sheet: digest(&raw.sheet)?,
            content: digest(&raw.content)?,
            at: UnixTime(raw.at.parse().map_err(|_| bad("the time is none"))?),
            diagnosis: raw.diagnosis,
            organisation: raw.organisation,
            product: raw.product,
            subject: raw.subject,
        };
        // One diagnosis, one text: a commitment to another spelling would be another leaf.
        if this.to_bytes() != bytes {
            return Err(bad("it is not in its canonical form"));
        }
        Ok(this)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn statement() -> DiagnosisStatement {
        DiagnosisStatement {
            diagnosis: "00".repeat(16),
            organisation: "maker".into(),
            product: "gate".into(),
            subject: "firmware \"2.3\"".into(),
            sheet: crypto::sha256(b"sheet"),
            content: crypto::sha256(b"content"),
            at: UnixTime(1_795_000_000),
        }
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        let bytes = statement().to_bytes();
        assert_eq!(DiagnosisStatement::parse(&bytes).unwrap(), statement());
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            text.replace("diagnosis-statement/1", "diagnosis-statement/2"),
            text.replace("at: \"1795000000\"", "at: \"01795000000\""),
            text.replace("product: ", "product:  "),
            format!("{text}more: \"x\"\n"),
            String::new(),
        ] {
            assert!(DiagnosisStatement::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn it_comes_back_and_no_bytes_panic(bytes: Vec<u8>, subject in "[ -~é品]{0,20}[a-z]", at: i64) {
            let _ = DiagnosisStatement::parse(&bytes);
            let one = DiagnosisStatement { subject, at: UnixTime(at), ..statement() };
            prop_assert_eq!(DiagnosisStatement::parse(&one.to_bytes()).unwrap(), one);
        }
    }
}
