//! Why somebody does something, in words of their own.

use crate::{ServiceError, public_product::is_disguised};

/// Longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 300;

/// A reason as it is kept; `None` where nothing was said.
///
/// # Errors
/// `reason`.
pub(crate) fn read(text: Option<&str>) -> Result<Option<String>, ServiceError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > REASON_CHARS_MAX || text.chars().any(is_disguised) {
        return Err(ServiceError::malformed(
            "reason",
            format!(
                "a reason has at most {REASON_CHARS_MAX} characters on one line, without control \
                 or direction characters"
            ),
        )
        .in_japanese(format!(
            "理由は1行で{REASON_CHARS_MAX}文字以内にしてください。改行や制御文字は使えません"
        )));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_that_is_what_it_looks_like() {
        assert_eq!(read(None), Ok(None));
        assert_eq!(read(Some("  ")), Ok(None));
        assert_eq!(read(Some(" stolen ")), Ok(Some("stolen".into())));
        let longest = "盗".repeat(REASON_CHARS_MAX);
        assert_eq!(read(Some(&longest)), Ok(Some(longest.clone())));
        assert!(longest.len() <= device::REASON_BYTES_MAX, "what is read fits into the event");
        for wrong in [format!("{longest}難"), "a\nb".into(), "a\u{202e}b".into()] {
            assert_eq!(read(Some(&wrong)).unwrap_err().code(), "reason", "{wrong:?}");
        }
    }
}
