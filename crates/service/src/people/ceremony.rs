//! Ceremonies that have begun and not ended: kept in memory, for a few minutes, for one use.

use super::{
    Visitor,
    limits::{Count, Counted},
};
use crate::{Service, ServiceError};
use crypto::{Sha256, UnixTime, random};
use std::{
    collections::{HashMap, VecDeque},
    sync::PoisonError,
    time::Duration,
};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, PasskeyAuthentication, PasskeyRegistration, WebauthnError,
};

/// How long an authenticator and its person may take.
pub(crate) const LIFETIME: Duration = Duration::from_secs(300);
const LIFETIME_S: i64 = 300;
/// Most ceremonies that one source has open; its oldest gives way.
const PER_SOURCE_MAX: usize = 32;
/// Most ceremonies open. Where there are more, the source that has most gives way.
const TOTAL_MAX: usize = 10_000;
/// Longest answer of an authenticator read, in bytes.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// What a browser needs to go on: give `options` to `navigator.credentials`, bring `id` back with
/// its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceremony {
    /// names the ceremony; not a secret, good for one answer
    pub id: String,
    /// JSON: `{"publicKey": {…}}` as in WebAuthn Level 3, byte strings in base64url
    pub options: String,
    /// until when an answer is taken
    pub expires_at: UnixTime,
}

/// What a ceremony is for.
#[derive(Debug)]
pub(super) enum Kind {
    SignIn(DiscoverableAuthentication),
    /// A person shows its passkey again within a session.
    Again {
        state: PasskeyAuthentication,
        session: Sha256,
    },
    /// A link lets somebody register.
    Register {
        state: PasskeyRegistration,
        link: Sha256,
        person_id: [u8; 16],
        /// handle and name that the first administrator chose
        first: Option<(String, String)>,
    },
    /// A person adds a passkey within a session.
    Add {
        state: PasskeyRegistration,
        session: Sha256,
    },
    /// A link was opened in a browser, which holds a ticket for it now.
    Ticket {
        link: Sha256,
    },
}

struct Open {
    kind: Kind,
    source: String,
    expires_at: UnixTime,
}

/// The open ceremonies.
#[derive(Default)]
pub(crate) struct Pending {
    open: HashMap<[u8; 32], Open>,
    by_source: HashMap<String, VecDeque<[u8; 32]>>,
}

impl Pending {
    fn insert(&mut self, id: [u8; 32], open: Open, now: UnixTime) {
        if self.open.len() >= TOTAL_MAX {
            self.make_room(now);
        }
        let source = open.source.clone();
        if self.by_source.get(&source).is_some_and(|ids| ids.len() >= PER_SOURCE_MAX) {
            self.drop_oldest(&source);
        }
        self.by_source.entry(source).or_default().push_back(id);
        self.open.insert(id, open);
    }

    /// Drops what is over; else, of each source that has more than half as many as the one that
    /// has most, the oldest. Many go at a time, so that a flood costs little.
    fn make_room(&mut self, now: UnixTime) {
        self.expire(now);
        if self.open.len() < TOTAL_MAX {
            return;
        }
        let most = self.by_source.values().map(VecDeque::len).max().unwrap_or_default();
        let crowds: Vec<String> = self
            .by_source
            .iter()
            .filter(|(_, ids)| ids.len() > most / 2)
            .map(|(source, _)| source.clone())
            .collect();
        for source in crowds {
            self.drop_oldest(&source);
        }
    }

    fn drop_oldest(&mut self, source: &str) {
        let oldest = self.by_source.get_mut(source).and_then(VecDeque::pop_front);
        if let Some(id) = oldest {
            self.open.remove(&id);
        }
    }

    fn take(&mut self, id: &[u8; 32], now: UnixTime) -> Option<Kind> {
        let open = self.open.remove(id)?;
        if let Some(ids) = self.by_source.get_mut(&open.source) {
            ids.retain(|other| other != id);
            if ids.is_empty() {
                self.by_source.remove(&open.source);
            }
        }
        (now < open.expires_at).then_some(open.kind)
    }

    pub(super) fn expire(&mut self, now: UnixTime) {
        self.open.retain(|_, open| now < open.expires_at);
        let open = &self.open;
        self.by_source.retain(|_, ids| {
            ids.retain(|id| open.contains_key(id));
            !ids.is_empty()
        });
    }
}

impl Service {
    /// Remembers what a ceremony is for; its options go to the browser.
    pub(super) fn begin(
        &self,
        visitor: &Visitor,
        kind: Kind,
        options: &impl serde::Serialize,
    ) -> Result<Ceremony, ServiceError> {
        let options = serde_json::to_string(options)
            .map_err(|_| ServiceError::unavailable("ceremony", "the ceremony cannot be written"))?;
        let id = random::bytes();
        let expires_at = self.hold(id, visitor, kind, LIFETIME_S);
        Ok(Ceremony { id: hex::encode(id), options, expires_at })
    }

    pub(super) fn hold(
        &self,
        id: [u8; 32],
        visitor: &Visitor,
        kind: Kind,
        seconds: i64,
    ) -> UnixTime {
        let now = self.now();
        let open = Open { kind, source: visitor.network(), expires_at: now.plus(seconds) };
        let expires_at = open.expires_at;
        let mut pending = self.people.ceremonies.lock().unwrap_or_else(PoisonError::into_inner);
        pending.insert(id, open, now);
        expires_at
    }

    /// The link that a ticket stands for; the ticket goes on working.
    pub(super) fn held_link(&self, ticket: &Sha256) -> Option<Sha256> {
        let now = self.now();
        let pending = self.people.ceremonies.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.open.get(ticket.as_bytes()) {
            Some(Open { kind: Kind::Ticket { link }, expires_at, .. }) if now < *expires_at => {
                Some(*link)
            }
            _ => None,
        }
    }

    /// Takes up a ceremony: whatever comes of it, it is not taken up again.
    pub(super) fn take(&self, ceremony: &str) -> Result<Kind, ServiceError> {
        let mut id = [0; 32];
        let known = hex::decode_to_slice(ceremony, &mut id).is_ok();
        let mut pending = self.people.ceremonies.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.take(&id, self.now()) {
            Some(kind) if known && !matches!(kind, Kind::Ticket { .. }) => Ok(kind),
            _ => Err(ServiceError::unauthenticated(
                "ceremony-over",
                "this attempt has expired or was answered already; begin again",
            )
            .in_japanese("この手続きは期限切れか、すでに使用済みです。最初からやり直してください")),
        }
    }

    /// Whether the source may begin; counts it.
    pub(super) fn admit(&self, visitor: &Visitor) -> Result<(), ServiceError> {
        self.admit_to(visitor, Counted::Begun, Counted::Failed)
    }

    /// Whether the source may open a link; counts it apart from everything else.
    pub(super) fn admit_link(&self, visitor: &Visitor) -> Result<(), ServiceError> {
        self.admit_to(visitor, Counted::Opened, Counted::BadLink)
    }

    fn admit_to(
        &self,
        visitor: &Visitor,
        begun: Counted,
        failed: Counted,
    ) -> Result<(), ServiceError> {
        let (now, source) = (self.now(), visitor.network());
        let mut limits = self.people.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.check(begun, &source, now)?;
        limits.check(failed, &source, now)?;
        let count = limits.count(begun, &source, now);
        drop(limits);
        self.note_limit(visitor, count);
        Ok(())
    }

    /// Whether an answer of the source is looked at: what has failed too often is not, and leaves no
    /// line in the log either, which others need.
    pub(super) fn may_answer(&self, visitor: &Visitor) -> Result<(), ServiceError> {
        let limits = self.people.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.check(Counted::Failed, &visitor.network(), self.now())
    }

    /// Records a failure (LG-1), and counts it against its source.
    pub(super) fn failed(
        &self,
        visitor: &Visitor,
        what: &str,
        reason: &str,
        subject: Option<&str>,
    ) {
        self.failed_as(Counted::Failed, visitor, what, reason, subject);
    }

    /// Records that somebody opened what is no link.
    pub(super) fn failed_link(&self, visitor: &Visitor, reason: &str) {
        self.failed_as(Counted::BadLink, visitor, "link", reason, None);
    }

    fn failed_as(
        &self,
        counted: Counted,
        visitor: &Visitor,
        what: &str,
        reason: &str,
        subject: Option<&str>,
    ) {
        let now = self.now();
        let count = {
            let mut limits = self.people.limits.lock().unwrap_or_else(PoisonError::into_inner);
            limits.count(counted, &visitor.network(), now)
        };
        // Several at once may pass the look before.
        if count == Count::Beyond {
            return;
        }
        let mut event = self
            .door_event(visitor, audit::Kind::Authentication, audit::Outcome::Failure)
            .detail("what", what)
            .detail("reason", reason);
        if let Some(subject) = subject {
            event = event.subject(subject);
        }
        self.note(event);
        self.note_limit(visitor, count);
    }

    fn note_limit(&self, visitor: &Visitor, count: Count) {
        if count == Count::Reached {
            self.note(
                self.door_event(visitor, audit::Kind::RateLimit, audit::Outcome::Failure)
                    .detail("what", "sign-in"),
            );
        }
    }

    pub(super) fn door_event(
        &self,
        visitor: &Visitor,
        kind: audit::Kind,
        outcome: audit::Outcome,
    ) -> audit::SecurityEvent {
        let event = audit::SecurityEvent::new(self.now(), kind, outcome)
            .door(audit::Door::Console)
            .actor("anonymous");
        match visitor.source {
            Some(source) => event.source(source),
            None => event,
        }
    }
}

/// An answer of a browser as its type.
pub(super) fn response<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ServiceError> {
    let bad = || {
        ServiceError::malformed(
            "passkey-response",
            "this is not the answer of a passkey; reload the page and try again",
        )
    };
    if text.len() > RESPONSE_BYTES_MAX {
        return Err(bad());
    }
    serde_json::from_str(text).map_err(|_| bad())
}

/// Why a passkey was not accepted, without telling an attacker which check failed.
pub(super) fn not_accepted() -> ServiceError {
    ServiceError::unauthenticated(
        "passkey-refused",
        "this passkey was not accepted; use one that is registered here, with your fingerprint, \
         face or PIN",
    )
    .in_japanese(
        "このパスキーは受け付けられませんでした。ここに登録したパスキーを、指紋・顔・PINで確認して使ってください",
    )
}

/// A stable word for the audit log.
pub(super) fn reason(error: &WebauthnError) -> String {
    let text = format!("{error:?}");
    text.chars().take_while(char::is_ascii_alphanumeric).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(source: &str) -> Open {
        let kind = Kind::Ticket { link: Sha256([0; 32]) };
        Open { kind, source: source.into(), expires_at: UnixTime(100) }
    }

    #[test]
    fn ceremonies_end_and_a_crowd_displaces_only_itself() {
        let mut pending = Pending::default();
        let id = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            id
        };
        pending.insert(id(0), open("good"), UnixTime(0));
        for n in 1..1000 {
            pending.insert(id(n), open("bad"), UnixTime(0));
        }
        assert_eq!(pending.open.len(), 1 + PER_SOURCE_MAX);
        for n in 1000..2 * TOTAL_MAX {
            pending.insert(id(n), open(&format!("bad {}", n / 8)), UnixTime(0));
        }
        assert!(pending.open.len() <= TOTAL_MAX);
        assert!(pending.take(&id(0), UnixTime(99)).is_some(), "displaced by others");
        assert!(pending.take(&id(0), UnixTime(99)).is_none(), "taken twice");
        assert!(pending.take(&id(2 * TOTAL_MAX - 1), UnixTime(100)).is_none(), "expired");
        pending.expire(UnixTime(100));
        assert!(pending.open.is_empty() && pending.by_source.is_empty());
    }

    #[test]
    fn what_is_too_long_is_not_parsed() {
        let long = format!("\"{}\"", "a".repeat(RESPONSE_BYTES_MAX));
        assert!(response::<String>(&long).is_err());
        assert_eq!(response::<String>("\"a\"").unwrap(), "a");
    }
}
