//! Lines of JSON in a `POST` each; a receiver acknowledges by a 2xx status, and not before it has
//! them safe.

use super::TAKE;
use crate::outward::{post::Poster, reach::Reach};
use crypto::Secret;
use http::{HeaderName, HeaderValue, StatusCode, header};
use rustls::ClientConfig;
use service::{StreamPlace, StreamedEvent};
use std::sync::Arc;

pub(super) struct Https {
    receiver: Poster,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// events at a time: fewer where the receiver found a body too large
    at_once: usize,
}

impl Https {
    pub(super) fn new(
        host: &str,
        port: u16,
        path: &str,
        tls: Arc<ClientConfig>,
        authorization: Option<&Secret>,
    ) -> Result<Self, String> {
        let kind = HeaderValue::from_static("application/x-ndjson");
        let mut headers = vec![(header::CONTENT_TYPE, kind)];
        if let Some(secret) = authorization {
            let mut value = HeaderValue::from_bytes(secret.expose())
                .map_err(|_| "the Authorization field cannot be sent".to_owned())?;
            value.set_sensitive(true);
            headers.push((header::AUTHORIZATION, value));
        }
        let receiver = Poster::new((host, port, path), tls, Reach::Anywhere);
        Ok(Self { receiver, headers, at_once: usize::MAX })
    }

    pub(super) async fn send(
        &mut self,
        stream: &str,
        events: &[StreamedEvent],
    ) -> Result<Option<StreamPlace>, String> {
        let mut taken = None;
        let mut rest = events;
        while let Some(chunk) = rest.get(..rest.len().min(self.at_once)).filter(|c| !c.is_empty()) {
            let mut body = String::new();
            for event in chunk {
                body.push_str(&event.json(stream));
                body.push('\n');
            }
            let answered = self.receiver.post(&self.headers, &body.into(), TAKE).await?;
            match answered.status {
                status if status.is_success() => {
                    taken = chunk.last().map(StreamedEvent::place);
                    rest = rest.get(chunk.len()..).unwrap_or_default();
                }
                StatusCode::PAYLOAD_TOO_LARGE if chunk.len() > 1 => {
                    self.at_once = chunk.len() / 2;
                }
                status => {
                    // What was taken before is noted first; this is tried again.
                    if taken.is_some() {
                        return Ok(taken);
                    }
                    return Err(format!("the receiver answered {}", status.as_u16()));
                }
            }
        }
        Ok(taken)
    }
}
