//! A session (MQTT 5 section 4.1): what a client has subscribed to, and what waits for it.

use crate::GatewayLimits;
use admission::{TopicFilter, TopicName};
use device::DeviceId;
use mqtt_protocol_core::mqtt::packet::{Property, Qos, StorePacket};
use service::{DoorSender, Service};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Whose session: client identifiers are a device's own, and say nothing about others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) device: DeviceId,
    pub(crate) client: String,
}

/// A message on its way to those who listen.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) topic: TopicName,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// those that are forwarded (MQTT 5 section 3.3.2.3)
    pub(crate) properties: Vec<Property>,
    /// when it is of no use any more
    pub(crate) expires: Option<Instant>,
    /// who sent it
    pub(crate) from: Option<Key>,
}

/// A message as one client is to hear it.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Outgoing>,
    pub(crate) heard_as: TopicName,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) identifiers: Vec<u32>,
}

/// One subscription.
#[derive(Debug, Clone)]
pub(crate) struct Subscribed {
    /// as the client wrote it
    pub(crate) asked: TopicFilter,
    /// what it means
    pub(crate) meant: TopicFilter,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) as_published: bool,
    pub(crate) identifier: Option<u32>,
}

pub(crate) struct Session {
    pub(crate) key: Key,
    state: Mutex<State>,
    /// something waits, or the session was taken over
    pub(crate) wake: Notify,
}

#[derive(Default)]
pub(crate) struct State {
    /// counts connections: an older one than this has lost the session
    pub(crate) turn: u64,
    pub(crate) open: bool,
    /// as of the last time that anybody looked
    pub(crate) sender: Option<DoorSender>,
    pub(crate) subscriptions: HashMap<String, Subscribed>,
    pub(crate) queue: VecDeque<Delivery>,
    queued_bytes: usize,
    /// how long it is kept once its connection has ended
    pub(crate) keep: Duration,
    ended: Option<Instant>,
    /// what the client has not acknowledged, and what it sent that is half done
    pub(crate) stored: Vec<StorePacket>,
    pub(crate) handled: Vec<u16>,
}

impl Session {
    pub(crate) fn new(key: Key) -> Self {
        let state = State { turn: 1, open: true, ..State::default() };
        Self { key, state: Mutex::new(state), wake: Notify::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another connection takes it: the one that has it ends. Whether what it holds is still valid.
    pub(crate) fn take_over(&self) -> bool {
        let mut state = self.lock();
        let kept = !state.is_over(Instant::now());
        state.turn = state.turn.wrapping_add(1);
        state.open = true;
        state.ended = None;
        drop(state);
        self.wake.notify_waiters();
        self.wake.notify_one();
        kept
    }

    /// Its connection has ended; `turn` says which one.
    pub(crate) fn leave(&self, turn: u64, stored: Vec<StorePacket>, handled: Vec<u16>) {
        let mut state = self.lock();
        if state.turn == turn {
            state.open = false;
            state.ended = Some(Instant::now());
            state.stored = stored;
            state.handled = handled;
        }
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.lock().is_over(now)
    }

    /// Puts a message into its queue where it listens to it; whether it does.
    pub(crate) fn offer(
        &self,
        message: &Arc<Outgoing>,
        service: &Service,
        limits: &GatewayLimits,
    ) -> bool {
        let mut state = self.lock();
        let own = message.from.as_ref() == Some(&self.key);
        let mut best: Option<Delivery> = None;
        for subscribed in state.subscriptions.values() {
            if !subscribed.meant.matches(&message.topic) || (subscribed.no_local && own) {
                continue;
            }
            let qos = message.qos.min(subscribed.qos);
            let best = best.get_or_insert_with(|| Delivery {
                message: message.clone(),
                heard_as: message.topic.clone(),
                qos,
                retain: false,
                identifiers: Vec::new(),
            });
            if let Some(sender) = &state.sender {
                best.heard_as = sender.space().heard_as(&subscribed.asked, &message.topic);
            }
            best.qos = best.qos.max(qos);
            best.retain |= subscribed.as_published && message.retain;
            best.identifiers.extend(subscribed.identifier);
        }
        let Some(delivery) = best else { return false };
        // Asked at delivery again: what the filter opened may be forbidden by name.
        let may = state.sender.as_ref().is_some_and(|it| service.may_hear(it, &message.topic));
        if !may {
            return false;
        }
        if !state.open && delivery.qos == Qos::AtMostOnce {
            return true;
        }
        state.push(delivery, limits);
        drop(state);
        self.wake.notify_one();
        true
    }
}

impl State {
    /// Puts a message into the queue; one without room is dropped where nobody was promised it, and
    /// the oldest go where somebody was: what matters more comes later.
    pub(crate) fn push(&mut self, delivery: Delivery, limits: &GatewayLimits) {
        let bytes = delivery.bytes();
        let full = |state: &Self| {
            state.queue.len() >= limits.queue
                || state.queued_bytes.saturating_add(bytes) > limits.queue_bytes
        };
        if full(self) && delivery.qos == Qos::AtMostOnce {
            return;
        }
        while full(self) && self.pop().is_some() {}
        self.queued_bytes = self.queued_bytes.saturating_add(bytes);
        self.queue.push_back(delivery);
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(delivery.bytes());
        Some(delivery)
    }

    fn is_over(&self, now: Instant) -> bool {
        !self.open && self.ended.is_none_or(|ended| now.duration_since(ended) >= self.keep)
    }
}

impl Delivery {
    fn bytes(&self) -> usize {
        self.message.payload.len().saturating_add(self.message.topic.as_str().len())
    }
}
