//! OCSP over HTTP (RFC 6960 appendix A, RFC 5019 sections 5 and 6).
//!
//! `POST /ocsp` with `application/ocsp-request`, and `GET /ocsp/{base64 of the request}`. Answers
//! without a nonce carry the caching headers of RFC 5019, so that caches take most of the load.

mod problem;

use crate::{
    app::App,
    body::{self, BodyError},
    limit::body::OCSP,
    public::matches,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{
    Engine as _,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use crypto::UnixTime;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use problem::Refusal;
use service::OcspAnswer;

const REQUEST: &str = "application/ocsp-request";
const RESPONSE: &str = "application/ocsp-response";
/// Caches ask again at least this often, in seconds: a revocation is to be seen soon.
const CACHED_MAX_S: u32 = 300;

/// Base64 of clients in the field: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/ocsp", post(by_post))
        .route("/ocsp/", post(by_post))
        .route("/ocsp/{*request}", get(by_get))
}

async fn by_post(State(app): State<App>, request: Request<Body>) -> Result<Response, Refusal> {
    if body::media_type(request.headers()) != REQUEST {
        return Err(Refusal::MediaType);
    }
    let bytes = body::read(request.into_body(), OCSP, app.limits.body_time).await?;
    let answer = app.service.ocsp_answer(&bytes).await?;
    // POST answers are not cached (RFC 9110 section 9.3.3).
    Ok(respond(&answer, None))
}

async fn by_get(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    // The raw path: a decoded one would have lost which slash belongs to the base64.
    let text = uri.path().strip_prefix("/ocsp/").unwrap_or_default();
    let der = decode(text).ok_or(Refusal::Malformed)?;
    let answer = app.service.ocsp_answer(&der).await?;
    Ok(respond(&answer, Some(&headers)))
}

/// RFC 6960 appendix A.1: `GET {url}/{url-encoding of base-64 encoding of the DER}`. Clients differ
/// in how much of it they escape.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || text.len() > OCSP * 4 {
        return None;
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            // A plus that some client took for an escaped space.
            b' ' => b'+',
            other => other,
        });
    }
    BASE64.decode(plain).ok().filter(|der| der.len() <= OCSP)
}

fn respond(answer: &OcspAnswer, asked: Option<&HeaderMap>) -> Response {
    let Some((request, caching)) = asked.zip(answer.caching.as_ref()) else {
        return with(answer.der.to_vec().into_response(), &[(header::CACHE_CONTROL, "no-store")]);
    };
    let response = if matches(request, &caching.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer.der.to_vec().into_response()
    };
    // RFC 5019 section 6.2; a revocation is to be seen soon.
    let seconds = caching.max_age_s.min(CACHED_MAX_S);
    let keep = format!("max-age={seconds}, public, no-transform, must-revalidate");
    with(
        response,
        &[
            (header::CACHE_CONTROL, keep.as_str()),
            (header::ETAG, caching.etag.as_str()),
            (header::LAST_MODIFIED, date(caching.last_modified).as_str()),
            (header::EXPIRES, date(caching.expires).as_str()),
        ],
    )
}

fn with(mut response: Response, fields: &[(header::HeaderName, &str)]) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(RESPONSE));
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name.clone(), value);
        }
    }
    response
}

/// IMF-fixdate (RFC 9110 section 5.6.7).
fn date(time: UnixTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Some((year, month, day, hour, minute, second)) = time.civil() else {
        return String::new();
    };
    let weekday = usize::try_from(time.0.div_euclid(86_400).rem_euclid(7)).unwrap_or_default();
    let weekday = DAYS.get(weekday).copied().unwrap_or_default();
    let month = MONTHS.get(usize::from(month).saturating_sub(1)).copied().unwrap_or_default();
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge,
            BodyError::Slow => Self::Slow,
            BodyError::Broken => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_in_urls_are_read_however_they_are_escaped() {
        let der = [0x30, 0x03, 0xfb, 0xff, 0xbf];
        let text = "MAP7/78=";
        for form in [text, "MAP7%2F78%3D", "MAP7%2f78%3d", "MAP7/78"] {
            assert_eq!(decode(form).as_deref(), Some(&der[..]), "{form}");
        }
        for bad in ["", "%", "%4", "%zz", "====", "MAP7/7!="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_are_in_the_fixed_form() {
        assert_eq!(date(UnixTime(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(UnixTime(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
