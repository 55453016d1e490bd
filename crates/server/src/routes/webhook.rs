//! Web hooks: a `POST` per message, signed by the scheme of Standard Webhooks 1.0.0: `webhook-id`,
//! `webhook-timestamp` and `webhook-signature: v1,BASE64(HMAC-SHA256(id.timestamp.body))`.

use super::Sent;
use crate::outward::{post::Poster, reach::Reach, tls};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use crypto::{Secret, UnixTime, hmac_sha256};
use http::{HeaderName, HeaderValue, StatusCode, header};
use service::{Clock as _, OpenedRoute, QueuedMessage};
use std::time::Duration;

/// Longest time for a message to be taken.
const TAKE: Duration = Duration::from_secs(20);

pub(super) struct Webhook {
    receiver: Poster,
    key: Secret,
}

impl Webhook {
    pub(super) fn new(
        at: (&str, u16, &str),
        route: &OpenedRoute,
        reach: Reach,
    ) -> Result<Self, String> {
        const SPOKEN: &[&[u8]] = &[b"http/1.1"];
        // Our own certificate is shown to nobody whom a tenant names.
        let tls = match route.roots.as_slice() {
            [] => tls::machine_config(SPOKEN)?,
            roots => tls::config(roots, None, SPOKEN)?,
        };
        let key = route.secret.as_ref().ok_or("the route has no key")?;
        let key = Secret::new(key.expose().to_vec());
        Ok(Self { receiver: Poster::new(at, tls, reach), key })
    }

    pub(super) async fn send(&self, route: &str, message: &QueuedMessage) -> Sent {
        let body = Bytes::from(message.json(route));
        let headers = match self.headers(&message.delivery(), crate::SystemClock.now(), &body) {
            Ok(headers) => headers,
            Err(error) => return Sent::Later(error.to_string(), None),
        };
        match self.receiver.post(&headers, &body, TAKE).await {
            Ok(answered) => judged(answered.status, answered.retry_after_s),
            Err(why) => Sent::Later(why, None),
        }
    }

    fn headers(
        &self,
        id: &str,
        now: UnixTime,
        body: &[u8],
    ) -> Result<[(HeaderName, HeaderValue); 4], http::header::InvalidHeaderValue> {
        let time = now.0.to_string();
        let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body];
        let code = BASE64_STANDARD.encode(hmac_sha256(&self.key, &signed));
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
}

/// What an answer means. What a receiver refuses for good is not sent to it again and again.
fn judged(status: StatusCode, retry_after_s: Option<u32>) -> Sent {
    let why = format!("the receiver answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Sent::Taken,
        408 | 425 | 429 => Sent::Later(why, retry_after_s),
        400..=499 => Sent::Never(why),
        300..=399 => Sent::Later(format!("{why}; redirects are not followed"), None),
        _ => Sent::Later(why, retry_after_s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(sent: &Sent) -> Option<Option<u32>> {
        match sent {
            Sent::Later(_, pause) => Some(*pause),
            Sent::Taken | Sent::Never(_) => None,
        }
    }

    #[test]
    fn answers_are_taken_as_they_are_meant() {
        let of = |code: u16| judged(StatusCode::from_u16(code).unwrap(), Some(7));
        for code in [200, 202, 204] {
            assert!(matches!(of(code), Sent::Taken), "{code}");
        }
        for code in [400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(of(code), Sent::Never(_)), "{code}");
        }
        for code in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(later(&of(code)), Some(Some(7)), "{code}");
        }
        for code in [301, 302, 307, 308] {
            assert_eq!(later(&of(code)), Some(None), "{code}");
        }
    }
}
