//! What every door shares.

use crate::{
    limit::{Buckets, Counted, Limits, Source},
    metrics::{Door, Metrics, Turned},
    peer::Peer,
};
use audit::{Kind, Outcome, SecurityEvent};
use console::Origin;
use crypto::Sha256;
use service::Service;
use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

/// The shared part; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) service: Service,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) connections: Counted,
    pub(crate) requests: Counted,
    pub(crate) by_source: Buckets<Source>,
    pub(crate) by_credential: Buckets<Sha256>,
    /// Failed attempts to authenticate with something that could be guessed.
    pub(crate) failures: Buckets<Source>,
    /// What people type to come to the door for them, where there is one.
    pub(crate) console: OnceLock<Origin>,
    /// The sessions of devices, which hear what comes in by HTTP too.
    pub(crate) gateway: OnceLock<gateway::Gateway>,
    /// Whether devices may show their keys without certificates, and are shown the server's.
    pub(crate) raw_keys: bool,
    events: Buckets<(Turned, Source)>,
    events_all: Buckets<()>,
}

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub(crate) fn new(service: Service, limits: Limits, raw_keys: bool) -> Self {
        Self(Arc::new(Shared {
            service,
            metrics: Metrics::default(),
            connections: Counted::new(limits.connections_max, limits.connections_per_source_max),
            requests: Counted::new(limits.requests_max, limits.requests_per_source_max),
            by_source: Buckets::new(limits.rate_per_source),
            by_credential: Buckets::new(limits.rate_per_credential),
            failures: Buckets::new(limits.rate_failed_authentication),
            console: OnceLock::new(),
            gateway: OnceLock::new(),
            raw_keys,
            events: Buckets::new(limits.rate_security_events),
            events_all: Buckets::new(limits.rate_security_events_all),
            limits,
        }))
    }

    /// Counts something that was turned away, and records it as a security event (LG-1) unless alike
    /// ones fill the log already.
    pub(crate) fn turn_away(&self, what: Turned, peer: &Peer, door: Door, detail: &str) {
        self.metrics.turned(what);
        let Some(kind) = kind_of(what) else { return };
        if self.events.take((what, peer.source)).is_err() || self.events_all.take(()).is_err() {
            self.metrics.event_suppressed();
            return;
        }
        let mut event = SecurityEvent::new(self.service.now(), kind, Outcome::Failure)
            .door(door_of(door))
            .source(peer.address.ip())
            .detail("reason", what.label());
        if !detail.is_empty() {
            event = event.detail("detail", detail);
        }
        if let Some(certificate) = peer.certificate() {
            event = event.subject(&format!("certificate {}", certificate.fingerprint()));
        }
        self.service.note_security_event(event);
    }
}

/// What the event is called; `None` where the service records it itself.
fn kind_of(what: Turned) -> Option<Kind> {
    Some(match what {
        Turned::ConnectionsFull | Turned::SourceFull | Turned::Handshake => Kind::Connection,
        Turned::RateSource
        | Turned::RateCredential
        | Turned::Busy
        | Turned::Slow
        | Turned::TooLarge => Kind::RateLimit,
        Turned::Malformed => Kind::MalformedMessage,
        Turned::Unauthenticated => Kind::Authentication,
        Turned::Forbidden => return None,
    })
}

fn door_of(door: Door) -> audit::Door {
    match door {
        Door::Rest => audit::Door::Rest,
        Door::Est => audit::Door::Est,
        Door::Ocsp => audit::Door::Ocsp,
        Door::Public => audit::Door::Public,
        Door::Console => audit::Door::Console,
    }
}
