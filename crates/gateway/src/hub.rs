//! Sessions of all devices, and who hears what.

use crate::mqtt::session::{Key, Outgoing, Session};
use admission::TopicName;
use device::DeviceId;
use service::Service;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How often the doors look whether somebody was revoked.
const LOOK: Duration = Duration::from_millis(100);
/// How often what was refused is written down and sessions that ended are dropped.
const SETTLE: Duration = Duration::from_secs(1);

/// What a gateway bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayLimits {
    /// largest MQTT packet, in bytes
    pub packet_bytes: u32,
    /// QoS 1 and 2 messages of one client that are not acknowledged yet
    pub in_flight: u16,
    /// sessions of one device, open or kept
    pub sessions_per_device: usize,
    /// sessions of all devices, open or kept
    pub sessions: usize,
    /// subscriptions of a session
    pub subscriptions: usize,
    /// messages that wait for a session
    pub queue: usize,
    /// bytes that wait for a session
    pub queue_bytes: usize,
    /// longest keep alive, in seconds; one that wants longer is told this
    pub keep_alive_s: u16,
    /// longest time a session is kept after its connection ended, in seconds
    pub session_expiry_s: u32,
    /// how long a client may take for CONNECT, and to read what it is sent
    pub patience: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            packet_bytes: 128 * 1024,
            in_flight: 32,
            sessions_per_device: 4,
            sessions: 200_000,
            subscriptions: 64,
            queue: 256,
            queue_bytes: 1024 * 1024,
            keep_alive_s: 1200,
            session_expiry_s: 86_400,
            patience: Duration::from_secs(30),
        }
    }
}

/// The doors for devices' messages. Cloning is cheap; all clones are one gateway.
#[derive(Clone)]
pub struct Gateway(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) service: Service,
    pub(crate) limits: GatewayLimits,
    sessions: Mutex<Sessions>,
    /// the service's revocation epoch
    pub(crate) epoch: watch::Sender<u64>,
}

#[derive(Default)]
struct Sessions {
    by_device: HashMap<DeviceId, Vec<Arc<Session>>>,
    count: usize,
}

/// What became of a wish for a session.
pub(crate) enum Opened {
    /// here it is; true: it was there before and goes on
    Session(Arc<Session>, bool),
    /// the device, or all devices together, have as many as they may
    Full,
}

impl Gateway {
    /// A gateway without sessions.
    pub fn new(service: Service, limits: GatewayLimits) -> Self {
        let epoch = watch::Sender::new(service.revocation_epoch());
        let sessions = Mutex::new(Sessions::default());
        Self(Arc::new(Inner { service, limits, sessions, epoch }))
    }

    /// What must happen now and then, until `stop` says so: watches for revocations, writes down what
    /// was refused, drops sessions that ended.
    pub async fn keep(self, mut stop: watch::Receiver<bool>) {
        let mut settled = Instant::now();
        loop {
            let stopped = tokio::time::timeout(LOOK, stop.wait_for(|stop| *stop)).await.is_ok();
            if stopped {
                break;
            }
            let epoch = self.0.service.revocation_epoch();
            self.0.epoch.send_if_modified(|known| std::mem::replace(known, epoch) != epoch);
            if settled.elapsed() >= SETTLE {
                settled = Instant::now();
                self.settle().await;
            }
        }
        self.settle().await;
    }

    async fn settle(&self) {
        if let Err(error) = self.0.service.settle_messages().await {
            tracing::error!(%error, "what was refused of messages could not be written down");
        }
        self.0.forget_ended(Instant::now());
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of a client: the one that is there, unless it is to be new. Whoever had it loses
    /// it (MQTT 5 section 3.1.4, \[MQTT-3.1.4-3\]).
    pub(crate) fn open(&self, key: &Key, clean: bool) -> Opened {
        let mut sessions = self.lock();
        let room = sessions.count < self.limits.sessions;
        let own = sessions.by_device.entry(key.device).or_default();
        let at = own.iter().position(|session| session.key == *key);
        if let Some(old) = at.and_then(|at| own.get(at).cloned()) {
            let kept = old.take_over();
            if kept && !clean {
                return Opened::Session(old, true);
            }
            let new = Arc::new(Session::new(key.clone()));
            if let Some(place) = at.and_then(|at| own.get_mut(at)) {
                *place = new.clone();
            }
            return Opened::Session(new, false);
        }
        if !room || own.len() >= self.limits.sessions_per_device {
            if own.is_empty() {
                sessions.by_device.remove(&key.device);
            }
            return Opened::Full;
        }
        let new = Arc::new(Session::new(key.clone()));
        own.push(new.clone());
        sessions.count += 1;
        Opened::Session(new, false)
    }

    /// The sessions that may want to hear of a topic. As long as devices hear their own space alone,
    /// these are the device's that the topic names.
    pub(crate) fn listeners(&self, topic: &TopicName) -> Vec<Arc<Session>> {
        let mut levels = topic.levels();
        let device = match (levels.next(), levels.next()) {
            (Some("d"), Some(device)) => device.parse::<DeviceId>().ok(),
            _ => None,
        };
        let Some(device) = device else { return Vec::new() };
        self.lock().by_device.get(&device).cloned().unwrap_or_default()
    }

    /// Gives a message to everybody who listens; how many.
    pub(crate) fn deliver(&self, message: &Arc<Outgoing>) -> usize {
        let listeners = self.listeners(&message.topic);
        listeners
            .iter()
            .filter(|session| session.offer(message, &self.service, &self.limits))
            .count()
    }

    fn forget_ended(&self, now: Instant) {
        let mut sessions = self.lock();
        sessions.by_device.retain(|_, own| {
            own.retain(|session| !session.is_over(now));
            !own.is_empty()
        });
        sessions.count = sessions.by_device.values().map(Vec::len).sum();
    }
}
