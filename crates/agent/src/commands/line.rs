//! One connection to the door for messages: asked on it, answered on it.

use super::say::Speaker;
use crate::{
    Failure,
    clock::{uptime_s, wall},
    net::{Call, Client, Connection},
};
use admission::{CommandError, DOWNLINKS_BYTES_MAX, Heard};
use crypto::UnixTime;
use pki::Certificate;
use serde::Deserialize;

const MESSAGES: &str = "/v1/messages";
const MESSAGE_KEY: &str = "/v1/messages/key";
/// Most certificates of the key that messages are encrypted for.
const CHAIN_MAX: usize = 8;
/// Longest answer to what is sent, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Whose key messages are encrypted for. Further members are for later versions of the platform.
#[derive(Deserialize)]
struct Chain {
    chain: Vec<String>,
}

/// What the platform answered to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// it is on disk there
    Kept,
    /// it will never be taken: why
    Never(String),
}

/// The platform's time: what it said, and what has passed here since. A device's own clock may be
/// wrong, and must not decide whether a command is still to be begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlatformTime {
    said: UnixTime,
    heard_s: u64,
}

impl PlatformTime {
    pub(crate) fn now(self) -> UnixTime {
        let passed = uptime_s().saturating_sub(self.heard_s);
        self.said.plus(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

/// The connection, opened at the first use and again where it ended.
pub(crate) struct Line<'a> {
    client: &'a Client,
    connection: Option<Connection>,
    /// who signs what is said
    speaker: Option<Speaker>,
}

impl<'a> Line<'a> {
    pub(super) fn new(client: &'a Client, speaker: Option<Speaker>) -> Self {
        Self { client, connection: None, speaker }
    }

    pub(super) fn speaker(&self) -> Option<&Speaker> {
        self.speaker.as_ref()
    }

    /// The certificate of the key that messages are encrypted for, and those above it. Nothing of it is believed.
    ///
    /// # Errors
    /// `connection`, `tls`, `http`, `platform-answer`, `no-message-key`.
    pub(super) fn message_key(&mut self) -> Result<Vec<Certificate>, Failure> {
        let call = Call::get(MESSAGE_KEY).with("Accept", "application/json".to_owned());
        let (status, body, _) = self.exchange(&call, ANSWER_BYTES_MAX)?;
        if status == 404 || status == 409 {
            let detail =
                "the owner has no key to encrypt for; it makes one: tegata org message-key";
            return Err(Failure::unavailable("no-message-key", detail));
        }
        if status != 200 {
            return Err(refused("the question for the owner's key", status, &body));
        }
        let bad = |why: String| Failure::unavailable("platform-answer", format!("the key: {why}"));
        let found: Chain = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
        if found.chain.len() > CHAIN_MAX {
            return Err(bad("too many certificates".to_owned()));
        }
        let read = found.chain.iter().map(|pem| Certificate::from_pem(pem));
        read.collect::<Result<_, _>>().map_err(|error| bad(error.to_string()))
    }

    /// Asks what there is to hear, and what time it is.
    ///
    /// # Errors
    /// `connection`, `tls`, `http`, `http-status`, `platform-refused`, `platform-answer`.
    pub(crate) fn ask(
        &mut self,
    ) -> Result<(Vec<Result<Heard, CommandError>>, PlatformTime), Failure> {
        let most = u64::try_from(DOWNLINKS_BYTES_MAX).unwrap_or(u64::MAX);
        let call = Call::get(MESSAGES).with("Accept", "application/json".to_owned());
        // Counted from before it is asked: who holds the answer back makes nothing younger by it.
        let asked_s = uptime_s();
        let (status, body, date) = self.exchange(&call, most)?;
        if status != 200 {
            return Err(refused("the question for messages", status, &body));
        }
        let heard = Heard::read_list(&body).map_err(|error| {
            Failure::unavailable("platform-answer", format!("what is to be heard: {error}"))
        })?;
        // Every server says when it answers; by one that does not the own clock has to do.
        let said = date.unwrap_or_else(wall);
        Ok((heard, PlatformTime { said, heard_s: asked_s }))
    }

    /// Sends a message to a topic below the device's space; `more` is put behind it in the query.
    ///
    /// # Errors
    /// Where it may be taken later.
    pub(crate) fn send(
        &mut self,
        below: &str,
        media_type: &str,
        payload: &[u8],
        more: &str,
    ) -> Result<Taken, Failure> {
        let path = format!("{MESSAGES}?topic=me/{below}{more}");
        let call = Call::post(&path, media_type, payload);
        let (status, body, _) = self.exchange(&call, ANSWER_BYTES_MAX)?;
        match status {
            200..=299 => Ok(Taken::Kept),
            // It was understood, and will not be taken later either.
            400 | 404 | 409 | 410 | 413 | 415 | 422 => {
                Ok(Taken::Never(refused(below, status, &body).detail))
            }
            _ => Err(refused(below, status, &body)),
        }
    }

    fn exchange(
        &mut self,
        call: &Call<'_>,
        most: u64,
    ) -> Result<(u16, Vec<u8>, Option<UnixTime>), Failure> {
        // A server may end a connection that was idle while a hook ran: then once more, on another.
        if let Some(connection) = self.connection.take()
            && let Ok(answer) = self.on(connection, call, most)
        {
            return Ok(answer);
        }
        let connection = self.client.connect()?;
        self.on(connection, call, most)
    }

    fn on(
        &mut self,
        mut connection: Connection,
        call: &Call<'_>,
        most: u64,
    ) -> Result<(u16, Vec<u8>, Option<UnixTime>), Failure> {
        let mut reply = connection.send(call)?;
        let body = reply.all(most)?;
        let (status, date, again) = (reply.head.status, reply.head.date(), reply.reusable());
        if again {
            self.connection = Some(connection);
        }
        Ok((status, body, date))
    }
}

fn refused(what: &str, status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let start: String = text.chars().take(300).collect();
    let words = format!("{what} is answered {status}: {start}");
    match status {
        429 | 500..=599 => Failure::unavailable("http-status", words),
        _ => Failure::refused("platform-refused", words),
    }
}
