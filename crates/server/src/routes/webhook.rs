//! Web hooks: a `POST` per message, signed by the scheme of Standard Webhooks.

use super::Sent;
use crate::outward::{
    post::Poster,
    reach::Reach,
    signed::{self, Judged},
    tls,
};
use bytes::Bytes;
use crypto::Secret;
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
        let (id, now) = (message.delivery(), crate::SystemClock.now());
        let headers = match signed::headers(&self.key, &id, now, &body) {
            Ok(headers) => headers,
            Err(error) => return Sent::Later(error.to_string(), None),
        };
        match self.receiver.post(&headers, &body, TAKE).await {
            Ok(answered) => match signed::judged(answered.status, answered.retry_after_s) {
                Judged::Taken => Sent::Taken,
                Judged::Never(why) => Sent::Never(why),
                Judged::Later(why, pause) => Sent::Later(why, pause),
            },
            Err(why) => Sent::Later(why, None),
        }
    }
}
