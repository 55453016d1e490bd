//! Bodies: DER in base64 (RFC 8951 section 3). Whatever Content-Transfer-Encoding says is not looked
//! at; line breaks and other white space may be anywhere or nowhere.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::Secret;

/// Longest request body read, in bytes. A request with an ML-DSA-87 key and signature has 10 KiB.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Longest response body that a client reads, in bytes: CA certificates of every product line.
pub const RESPONSE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Media type of certificates.
pub const CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";

/// Media type of CSR attributes.
pub const CSR_ATTRIBUTES: &str = "application/csrattrs";

/// Media type of a private key.
pub const PKCS8: &str = "application/pkcs8";

/// Media type of a request.
pub const PKCS10: &str = "application/pkcs10";

/// Base64 characters in a line of what is written: readers of MIME want at most 76.
const LINE: usize = 64;

/// Why a body is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the limit.
    #[error("the body has {found} bytes, at most {most} are read")]
    TooLong {
        /// bytes found
        found: usize,
        /// limit in bytes
        most: usize,
    },
    /// Nothing.
    #[error("the body is empty; send the request as base64 of its DER")]
    Empty,
    /// Raw DER.
    #[error("the body is DER; send it as base64 (RFC 8951 section 3)")]
    Binary,
    /// Not base64.
    #[error("the body is not base64 of one DER value")]
    Base64,
    /// Another media type.
    #[error("the media type must be {expected}")]
    MediaType {
        /// what it should be
        expected: &'static str,
    },
}

/// Whether a Content-Type is `expected`: case and parameters do not count.
///
/// # Errors
/// [`BodyError::MediaType`].
pub fn check_type(content_type: Option<&str>, expected: &'static str) -> Result<(), BodyError> {
    let bare = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match content_type {
        Some(found) if bare(found) == bare(expected) => Ok(()),
        _ => Err(BodyError::MediaType { expected }),
    }
}

/// The DER in a request body. PEM armour is tolerated: it is what `openssl req` writes, and it
/// decodes to the same bytes.
///
/// # Errors
/// [`BodyError`].
pub fn decode(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    decode_at_most(body, REQUEST_BYTES_MAX)
}

/// The DER in a body of at most `most` bytes.
///
/// # Errors
/// [`BodyError`].
pub fn decode_at_most(body: &[u8], most: usize) -> Result<Vec<u8>, BodyError> {
    if body.len() > most {
        return Err(BodyError::TooLong { found: body.len(), most });
    }
    // DER of every message here is a SEQUENCE with a long length, which no base64 text begins like.
    if let [0x30, 0x80..=0xff, ..] = body {
        return Err(BodyError::Binary);
    }
    let text = std::str::from_utf8(body).map_err(|_| BodyError::Base64)?;
    let text = without_armour(text.trim_ascii())?;
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if compact.is_empty() {
        return Err(BodyError::Empty);
    }
    STANDARD.decode(&compact).map_err(|_| BodyError::Base64)
}

/// As [`decode_at_most`], for a private key: what is copied on the way is wiped.
///
/// # Errors
/// [`BodyError`].
pub fn decode_secret(body: &[u8]) -> Result<Secret, BodyError> {
    if body.len() > REQUEST_BYTES_MAX {
        return Err(BodyError::TooLong { found: body.len(), most: REQUEST_BYTES_MAX });
    }
    let compact: Vec<u8> =
        body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let compact = Secret::new(compact);
    if compact.expose().is_empty() {
        return Err(BodyError::Empty);
    }
    STANDARD.decode(compact.expose()).map(Secret::new).map_err(|_| BodyError::Base64)
}

/// Base64 in one line (RFC 4648 section 3.1): strongSwan 5.9 takes line breaks for contents.
pub fn encode(der: &[u8]) -> Vec<u8> {
    STANDARD.encode(der).into_bytes()
}

/// Base64 in lines that end with CRLF, as MIME wants it inside `multipart/mixed`.
pub fn encode_lines(der: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(der);
    let mut body = Vec::with_capacity(text.len() + text.len() / LINE * 2 + 2);
    for line in text.as_bytes().chunks(LINE) {
        body.extend_from_slice(line);
        body.extend_from_slice(b"\r\n");
    }
    body
}

/// What stands between the armour lines, where there are any.
fn without_armour(text: &str) -> Result<&str, BodyError> {
    let Some(rest) = text.strip_prefix("-----BEGIN ") else { return Ok(text) };
    let (_, rest) = rest.split_once("-----").ok_or(BodyError::Base64)?;
    let (inside, end) = rest.split_once("-----END ").ok_or(BodyError::Base64)?;
    match end.split_once("-----") {
        Some((_, "")) => Ok(inside),
        // More than one message, or text after it.
        _ => Err(BodyError::Base64),
    }
}
