//! Web hooks by the scheme of Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature: v1,BASE64(HMAC-SHA256(id.timestamp.body))`; and what answers to them mean.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use crypto::{Secret, UnixTime, hmac_sha256};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// Fields of a request with this body.
pub(crate) fn headers(
    key: &Secret,
    id: &str,
    now: UnixTime,
    body: &[u8],
) -> Result<[(HeaderName, HeaderValue); 4], http::header::InvalidHeaderValue> {
    let time = now.0.to_string();
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let code = BASE64_STANDARD.encode(hmac_sha256(key, &signed));
    Ok([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("webhook-id"), HeaderValue::from_str(id)?),
        (HeaderName::from_static("webhook-timestamp"), HeaderValue::from_str(&time)?),
        (
            HeaderName::from_static("webhook-signature"),
            HeaderValue::from_str(&format!("v1,{code}"))?,
        ),
    ])
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Taken,
    /// it will never be taken
    Never(String),
    /// not now; after so many seconds, where the receiver says so
    Later(String, Option<u32>),
}

/// What a receiver refuses for good is not sent to it again and again.
pub(crate) fn judged(status: StatusCode, retry_after_s: Option<u32>) -> Judged {
    let why = format!("the receiver answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Judged::Taken,
        408 | 425 | 429 => Judged::Later(why, retry_after_s),
        400..=499 => Judged::Never(why),
        300..=399 => Judged::Later(format!("{why}; redirects are not followed"), None),
        _ => Judged::Later(why, retry_after_s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_as_they_are_meant() {
        let of = |code: u16| judged(StatusCode::from_u16(code).unwrap(), Some(7));
        for code in [200, 202, 204] {
            assert_eq!(of(code), Judged::Taken, "{code}");
        }
        for code in [400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(of(code), Judged::Never(_)), "{code}");
        }
        for code in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(of(code), Judged::Later(_, Some(7))), "{code}");
        }
        for code in [301, 302, 307, 308] {
            assert!(matches!(of(code), Judged::Later(_, None)), "{code}");
        }
    }
}
