//! Who is at the other end of a connection.

use crate::limit::Source;
use pki::Certificate;
use policy::Caller;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a connection's caller is believed without asking the store again. Revocation does not
/// wait for it: the service's epoch moves with every revocation.
const CALLER_AGE_MAX: Duration = Duration::from_millis(500);

/// The other end of one connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) source: Source,
    /// TLS, or nothing on the door for public data.
    pub(crate) session: Option<Session>,
    caller: Mutex<Option<Known>>,
}

/// A TLS session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Validated certificates, leaf first; empty where the client showed none.
    pub(crate) chain: Arc<[Certificate]>,
    /// tls-exporter channel binding (RFC 9266), for TLS 1.3.
    pub(crate) exporter: Option<[u8; 32]>,
}

#[derive(Debug, Clone)]
struct Known {
    caller: Arc<Caller>,
    epoch: u64,
    asked: Instant,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr, session: Option<Session>) -> Self {
        let source = Source::from(address.ip());
        Self { address, source, session, caller: Mutex::new(None) }
    }

    /// The client's certificates, leaf first, where it showed any.
    pub(crate) fn chain(&self) -> &[Certificate] {
        self.session.as_ref().map(|session| &*session.chain).unwrap_or_default()
    }

    /// The client's own certificate.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.chain().first()
    }

    /// The caller, where it was asked for lately and nothing was revoked since.
    pub(crate) fn known_caller(&self, epoch: u64) -> Option<Arc<Caller>> {
        let known = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .as_ref()
            .filter(|known| known.epoch == epoch && known.asked.elapsed() < CALLER_AGE_MAX)
            .map(|known| known.caller.clone())
    }

    /// Remembers the caller; `epoch` was read before it was asked for.
    pub(crate) fn remember(&self, caller: Arc<Caller>, epoch: u64) {
        let known = Known { caller, epoch, asked: Instant::now() };
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}
