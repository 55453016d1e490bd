//! A session (MQTT 5 section 4.1): what a client has subscribed to, and what waits for it.

use super::packets::Will;
use crate::GatewayLimits;
use admission::{TopicFilter, TopicName};
use device::{DeviceId, OrganisationId};
use mqtt_protocol_core::mqtt::packet::{Property, Qos, StorePacket};
use service::{DoorSender, MessageDoor, Service};
use std::{
    collections::{HashMap, VecDeque},
    future::Future as _,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::Instant,
};

/// Bytes that a message counts for beside its own.
const OVERHEAD: usize = 256;

/// Whose session: client identifiers are a device's own, and say nothing about others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) device: DeviceId,
    pub(crate) client: Arc<str>,
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
    /// heard only where it is queued, and pushes nothing else out
    pub(crate) sure: bool,
    /// the device that said it; none where the platform did
    pub(crate) by: Option<DoorSender>,
    /// who sent it
    pub(crate) from: Option<Key>,
}

impl Outgoing {
    /// Whose device said it.
    pub(crate) fn owner(&self) -> Option<&OrganisationId> {
        self.by.as_ref().map(DoorSender::owner)
    }
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

/// A will that waits (MQTT 5 section 3.1.3.2.2): one per session, whatever a client does.
pub(crate) struct PendingWill {
    pub(crate) will: Will,
    pub(crate) sender: DoorSender,
    pub(crate) due: Instant,
    /// through which door it came
    pub(crate) door: MessageDoor,
}

/// How a connection hears that its session was woken.
pub(super) struct Woken {
    session: Arc<Session>,
    next: Pin<Box<OwnedNotified>>,
    /// how many of those that woke it were done before `next` was made
    heard: u64,
    registered: bool,
}

impl Woken {
    pub(super) fn new(session: Arc<Session>) -> Self {
        let next = Box::pin(session.wake.clone().notified_owned());
        Self { heard: 0, registered: false, session, next }
    }

    /// Whether it was woken since it was heard last. A connection asks with each of its packets: it stays
    /// registered, and the lock of those that wait is not taken where nobody woke it.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // INVARIANT: where as many began as were done before `next` was made, nobody can have told it
        // anything. One that is under way would have begun, and not been done.
        let roused = self.session.pulse.roused.load(Ordering::SeqCst);
        if self.registered && roused == self.heard {
            return Poll::Pending;
        }
        match self.next.as_mut().poll(context) {
            Poll::Ready(()) => {
                self.heard = self.session.pulse.told.load(Ordering::SeqCst);
                self.registered = false;
                self.next.set(self.session.wake.clone().notified_owned());
                Poll::Ready(())
            }
            // Counted, and not told yet; or told another connection that has lost the session.
            Poll::Pending => {
                self.registered = true;
                Poll::Pending
            }
        }
    }
}

impl Drop for Woken {
    /// What this one was told and had not heard yet goes on to another that listens, which takes it only where
    /// somebody is counted to have begun.
    fn drop(&mut self) {
        self.session.pulse.roused.fetch_add(1, Ordering::SeqCst);
        self.next.set(self.session.wake.clone().notified_owned());
        self.session.pulse.told.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a connection leaves in its session.
#[derive(Default)]
pub(crate) struct Left {
    /// which connection
    pub(crate) turn: u64,
    /// what the client has not acknowledged
    pub(crate) stored: Vec<StorePacket>,
    /// packet identifiers of what it sent that is half done
    pub(crate) handled: Vec<u16>,
    pub(crate) will: Option<PendingWill>,
}

pub(crate) struct Session {
    pub(crate) key: Key,
    began: Instant,
    state: Mutex<State>,
    /// something waits, the session was taken over, or its device has to be looked at
    wake: Arc<Notify>,
    pulse: Pulse,
    /// a connection has let go of it
    left: Notify,
    /// bytes that wait for all sessions together
    waiting: Arc<AtomicUsize>,
}

/// What each packet asks of a session, side by side: of many thousand sessions none is in the processor's
/// cache when its turn comes.
#[derive(Default)]
#[repr(align(64))]
struct Pulse {
    /// how often somebody began to wake it, and how often that was done
    roused: AtomicU64,
    told: AtomicU64,
    /// when its connection was heard of last, in nanoseconds since the session began
    heard: AtomicU64,
    look: AtomicBool,
    /// a session of its device listens, or did, to more than what is told to the device
    listens: AtomicBool,
}

pub(crate) struct State {
    /// counts connections: an older one than this has lost the session
    pub(crate) turn: u64,
    pub(crate) open: bool,
    /// the connection that still holds what was sent and not acknowledged
    holder: Option<u64>,
    /// as of the last time that anybody looked
    pub(crate) sender: Option<DoorSender>,
    pub(crate) subscriptions: HashMap<String, Subscribed>,
    queue: VecDeque<Delivery>,
    queued_bytes: usize,
    /// how long it is kept once its connection has ended
    pub(crate) keep: Duration,
    /// when a connection took it last, or ended
    changed: Instant,
    /// what the client has not acknowledged, and what it sent that is half done
    pub(crate) stored: Vec<StorePacket>,
    pub(crate) handled: Vec<u16>,
    /// whether these are packets of MQTT 5
    pub(crate) five: bool,
    will: Option<PendingWill>,
    waiting: Arc<AtomicUsize>,
}

impl Session {
    pub(crate) fn new(key: Key, waiting: Arc<AtomicUsize>) -> Self {
        let began = Instant::now();
        let state = State {
            turn: 1,
            open: true,
            holder: Some(1),
            sender: None,
            subscriptions: HashMap::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            keep: Duration::ZERO,
            changed: began,
            stored: Vec::new(),
            handled: Vec::new(),
            five: false,
            will: None,
            waiting: waiting.clone(),
        };
        Self {
            key,
            state: Mutex::new(state),
            began,
            wake: Arc::default(),
            pulse: Pulse::default(),
            left: Notify::new(),
            waiting,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the connection that has it. Whoever puts something into its queue does so, and whoever takes it
    /// over: else that is not seen.
    pub(crate) fn rouse(&self) {
        self.pulse.roused.fetch_add(1, Ordering::SeqCst);
        self.wake.notify_one();
        self.pulse.told.fetch_add(1, Ordering::SeqCst);
    }

    /// How often somebody began to wake it. Where that is what it was before, nothing was put into its queue,
    /// nobody took it over, and its device need not be looked at.
    pub(crate) fn roused(&self) -> u64 {
        self.pulse.roused.load(Ordering::SeqCst)
    }

    /// Its connection was heard of.
    pub(crate) fn hear(&self, now: Instant) {
        let since = now.saturating_duration_since(self.began).as_nanos();
        self.pulse.heard.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether a session of its device may want to hear what the device says.
    pub(crate) fn listens(&self) -> bool {
        self.pulse.listens.load(Ordering::SeqCst)
    }

    pub(crate) fn set_listens(&self) {
        self.pulse.listens.store(true, Ordering::SeqCst);
    }

    /// Another connection takes it, or it ends: the one that has it ends. The number of the
    /// connection that has it now, `None` where it has ended; and the will that is due by its end.
    pub(crate) fn take_over(&self, end: bool, now: Instant) -> (Option<u64>, Option<PendingWill>) {
        let mut state = self.lock();
        let goes_on = !end && !state.is_over(now);
        state.turn = state.turn.wrapping_add(1);
        // The client is back in time: its will is not sent (MQTT 5 section 3.1.3.2.2).
        let will = state.will.take().filter(|_| !goes_on);
        state.open = goes_on;
        state.changed = now;
        if !goes_on {
            state.keep = Duration::ZERO;
            state.empty();
        }
        let turn = state.turn;
        drop(state);
        self.rouse();
        (goes_on.then_some(turn), will)
    }

    /// Returns once no connection holds anything of it: what an earlier one leaves is the next one's
    /// to send again.
    pub(crate) async fn let_go(&self) {
        loop {
            let left = self.left.notified();
            if self.lock().holder.is_none() {
                return;
            }
            left.await;
        }
    }

    /// Makes a connection the one that holds it; false where another one has taken it over.
    pub(crate) fn hold(&self, turn: u64) -> bool {
        let mut state = self.lock();
        let own = state.turn == turn;
        if own {
            state.holder = Some(turn);
        }
        own
    }

    /// Its connection has ended. The will, where the session has ended before it: nothing is there to
    /// wait with it.
    pub(crate) fn leave(&self, left: Left) -> Option<PendingWill> {
        let mut state = self.lock();
        if state.holder == Some(left.turn) {
            state.holder = None;
            state.stored = left.stored;
            state.handled = left.handled;
        }
        // Where it is another connection's by now, the client is back, and a will that was to wait is
        // not sent.
        if state.turn == left.turn {
            state.open = false;
            state.changed = Instant::now();
            state.will = left.will;
            drop(state);
            self.left.notify_waiters();
            return None;
        }
        let ended = !state.open;
        drop(state);
        self.left.notify_waiters();
        left.will.filter(|_| ended)
    }

    /// Its connection has ended in a way that nobody foresaw: nothing of it is kept.
    pub(crate) fn break_off(&self, turn: u64) {
        let mut state = self.lock();
        if state.turn == turn && state.open {
            state.open = false;
            state.keep = Duration::ZERO;
        }
        if state.holder == Some(turn) {
            state.holder = None;
        }
        drop(state);
        self.left.notify_waiters();
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.lock().is_over(now)
    }

    /// Which one goes first where there are too many: kept ones before open ones, the oldest first.
    pub(crate) fn rank(&self) -> (bool, Instant) {
        let heard = Duration::from_nanos(self.pulse.heard.load(Ordering::Relaxed));
        let state = self.lock();
        (state.open, state.changed.max(self.began + heard))
    }

    /// The will, where it is due.
    pub(crate) fn due_will(&self, now: Instant) -> Option<PendingWill> {
        let mut state = self.lock();
        let over = state.is_over(now);
        match &state.will {
            Some(will) if over || will.due <= now => state.will.take(),
            _ => None,
        }
    }

    /// Has its device looked at where that `concerns` it. One that nobody is connected to is not kept
    /// then: what it holds may not be its device's to hear any more.
    pub(crate) fn look_if(&self, concerns: impl FnOnce(&DoorSender) -> bool) {
        let mut state = self.lock();
        if !state.sender.as_ref().is_some_and(concerns) {
            return;
        }
        if !state.open {
            state.keep = Duration::ZERO;
            state.will = None;
            state.empty();
            return;
        }
        drop(state);
        self.pulse.look.store(true, Ordering::SeqCst);
        self.rouse();
    }

    /// Whether it listens to more than its device's own space, and is an owner's device's.
    pub(crate) fn roams(&self, owner: &OrganisationId) -> bool {
        let state = self.lock();
        let Some(sender) = state.sender.as_ref().filter(|it| it.owner() == owner) else {
            return false;
        };
        let mut subscribed = state.subscriptions.values();
        subscribed.any(|it| !sender.space().contains(&it.meant))
    }

    /// Drops what waits and its device may not hear any more, where other policies are in force.
    pub(crate) fn review_if(&self, service: &Service, other: impl FnOnce(&DoorSender) -> bool) {
        let (sender, filters, waiting) = {
            let state = self.lock();
            if state.queue.is_empty() {
                return;
            }
            let Some(sender) = state.sender.clone().filter(other) else { return };
            let filters: Vec<TopicFilter> =
                state.subscriptions.values().map(|it| it.meant.clone()).collect();
            let waiting: Vec<_> = state.queue.iter().map(|it| it.message.clone()).collect();
            (sender, filters, waiting)
        };
        // Nobody waits for this session while it is judged.
        let filters: Vec<TopicFilter> =
            filters.into_iter().filter(|it| service.may_listen(&sender, it).is_ok()).collect();
        let gone: Vec<_> = waiting
            .into_iter()
            .filter(|it| {
                let listens = filters.iter().any(|filter| filter.matches(&it.topic));
                !listens || !service.may_hear(&sender, &it.topic)
            })
            .collect();
        if gone.is_empty() {
            return;
        }
        let mut state = self.lock();
        let waiting: Vec<Delivery> = std::iter::from_fn(|| state.pop()).collect();
        for delivery in waiting {
            if !gone.iter().any(|it| Arc::ptr_eq(it, &delivery.message)) {
                state.put_back(delivery);
            }
        }
    }

    /// Whether its device has to be looked at; asked once.
    pub(crate) fn must_look(&self) -> bool {
        self.pulse.look.swap(false, Ordering::SeqCst)
    }

    /// Puts a message into its queue where it listens to it; whether it does.
    pub(crate) fn offer(
        &self,
        message: &Arc<Outgoing>,
        service: &Service,
        limits: &GatewayLimits,
    ) -> bool {
        let mut state = self.lock();
        // A session may outlive its device's transfer by a moment.
        let owner = state.sender.as_ref().map(DoorSender::owner);
        if message.owner().is_some() && message.owner() != owner {
            return false;
        }
        let own = message.from.as_ref() == Some(&self.key);
        let mut best: Option<Delivery> = None;
        for subscribed in state.subscriptions.values() {
            if !subscribed.meant.matches(&message.topic) || (subscribed.no_local && own) {
                continue;
            }
            // What was granted once may not be listened to by the policies of today.
            let may = |it: &DoorSender| service.may_listen(it, &subscribed.meant).is_ok();
            if !state.sender.as_ref().is_some_and(may) {
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
                let heard_as = sender.space().heard_as(&subscribed.asked, &message.topic);
                // Who asked in both forms hears the short one, always.
                if heard_as != message.topic {
                    best.heard_as = heard_as;
                }
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
        if message.sure && !state.has_room(&delivery, limits) {
            return false;
        }
        if !state.open && delivery.qos == Qos::AtMostOnce {
            return !message.sure;
        }
        state.push(delivery, limits);
        drop(state);
        self.rouse();
        true
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let left = self.lock().queued_bytes;
        self.waiting.fetch_sub(left, Ordering::SeqCst);
    }
}

impl State {
    /// Whether a message can be queued without another's loss.
    fn has_room(&self, delivery: &Delivery, limits: &GatewayLimits) -> bool {
        let bytes = delivery.bytes();
        self.queue.len() < limits.queue
            && self.queued_bytes.saturating_add(bytes) <= limits.queue_bytes
            && self.waiting.load(Ordering::SeqCst).saturating_add(bytes) <= limits.queues_bytes
    }

    /// Puts a message into the queue; one without room is dropped where nobody was promised it, and
    /// the oldest go where somebody was: what matters more comes later.
    pub(crate) fn push(&mut self, delivery: Delivery, limits: &GatewayLimits) {
        let bytes = delivery.bytes();
        if self.waiting.load(Ordering::SeqCst).saturating_add(bytes) > limits.queues_bytes {
            tracing::warn!("messages that wait have no room left; one was dropped");
            return;
        }
        let full = |state: &Self| {
            state.queue.len() >= limits.queue
                || state.queued_bytes.saturating_add(bytes) > limits.queue_bytes
        };
        if full(self) && delivery.qos == Qos::AtMostOnce {
            return;
        }
        while full(self) && self.pop().is_some() {}
        self.queued_bytes = self.queued_bytes.saturating_add(bytes);
        self.waiting.fetch_add(bytes, Ordering::SeqCst);
        self.queue.push_back(delivery);
    }

    /// Puts a message back that was in the queue before.
    fn put_back(&mut self, delivery: Delivery) {
        let bytes = delivery.bytes();
        self.queued_bytes = self.queued_bytes.saturating_add(bytes);
        self.waiting.fetch_add(bytes, Ordering::SeqCst);
        self.queue.push_back(delivery);
    }

    pub(crate) fn next(&self) -> Option<&Delivery> {
        self.queue.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        let bytes = delivery.bytes();
        self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
        self.waiting.fetch_sub(bytes, Ordering::SeqCst);
        if self.queue.is_empty() {
            // A session is quiet most of its life: it is not to hold what its busiest moment took.
            self.queue = VecDeque::new();
        }
        Some(delivery)
    }

    /// Forgets what it holds.
    pub(crate) fn empty(&mut self) {
        while self.pop().is_some() {}
        self.subscriptions.clear();
        self.stored.clear();
        self.handled.clear();
    }

    fn is_over(&self, now: Instant) -> bool {
        !self.open && now.saturating_duration_since(self.changed) >= self.keep
    }
}

impl Delivery {
    /// What it counts for. Who hears one message in several sessions shares its bytes; that they are
    /// counted in each errs on the safe side.
    pub(crate) fn bytes(&self) -> usize {
        let message = &self.message;
        let properties: usize = message.properties.iter().map(Property::size).sum();
        OVERHEAD
            .saturating_add(message.payload.len())
            .saturating_add(message.topic.as_str().len())
            .saturating_add(properties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::poll_fn,
        task::{Wake, Waker},
    };
    use tokio::{sync::mpsc, time::timeout};

    fn session() -> Arc<Session> {
        let key = Key { device: DeviceId::from_bytes([7; 16]), client: "a".into() };
        Arc::new(Session::new(key, Arc::default()))
    }

    /// One begins to wake it, and is held up; what another said is heard meanwhile.
    #[test]
    fn a_wake_that_is_held_up_is_heard() {
        let session = session();
        let mut context = Context::from_waker(Waker::noop());
        let mut woken = Woken::new(session.clone());
        assert!(woken.poll(&mut context).is_pending());
        session.pulse.roused.fetch_add(1, Ordering::SeqCst);
        session.rouse();
        assert!(woken.poll(&mut context).is_ready());
        assert!(woken.poll(&mut context).is_pending());
        session.wake.notify_one();
        assert!(woken.poll(&mut context).is_ready(), "what was begun first is told last");
        session.pulse.told.fetch_add(1, Ordering::SeqCst);
        assert!(woken.poll(&mut context).is_pending());
        session.rouse();
        assert!(woken.poll(&mut context).is_ready());
        assert!(woken.poll(&mut context).is_pending());
    }

    /// One that has lost the session is told, and ends before it hears it: that goes on to the next, which is
    /// woken by whatever comes after it.
    #[test]
    fn what_another_was_told_and_did_not_hear_is_heard() {
        struct Counts(AtomicU64);
        impl Wake for Counts {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let session = session();
        let mut nobody = Context::from_waker(Waker::noop());
        let counts = Arc::new(Counts(AtomicU64::new(0)));
        let waker = Waker::from(counts.clone());
        let mut context = Context::from_waker(&waker);
        let mut former = Woken::new(session.clone());
        assert!(former.poll(&mut nobody).is_pending());
        session.rouse();
        let mut own = Woken::new(session.clone());
        assert!(own.poll(&mut context).is_pending());
        session.rouse();
        assert!(own.poll(&mut context).is_ready());
        assert!(own.poll(&mut context).is_pending());
        drop(former);
        while own.poll(&mut context).is_ready() {}
        let before = counts.0.load(Ordering::SeqCst);
        session.rouse();
        assert_eq!(counts.0.load(Ordering::SeqCst), before + 1, "nobody wakes it any more");
        assert!(own.poll(&mut context).is_ready());
    }

    /// Whatever comes is taken by somebody who listens, though several wake the session at a time, and
    /// none of them waits for the others.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_wake_is_lost_where_several_come_at_once() {
        const MANY: u64 = 20_000;
        let session = session();
        let come = Arc::new(AtomicU64::new(0));
        let taken = Arc::new(AtomicU64::new(0));
        let listener = tokio::spawn({
            let (session, come, taken) = (session.clone(), come.clone(), taken.clone());
            async move {
                let mut woken = Woken::new(session);
                loop {
                    poll_fn(|context| woken.poll(context)).await;
                    taken.fetch_add(come.swap(0, Ordering::SeqCst), Ordering::SeqCst);
                }
            }
        });
        // Threads, which are preempted anywhere.
        let rousers: Vec<_> = (0..3)
            .map(|_| {
                let (session, come) = (session.clone(), come.clone());
                std::thread::spawn(move || {
                    for turn in 0..MANY {
                        come.fetch_add(1, Ordering::SeqCst);
                        session.rouse();
                        if turn % 7 == 0 {
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        tokio::task::spawn_blocking(|| rousers.into_iter().for_each(|it| it.join().unwrap()))
            .await
            .unwrap();
        let all = async {
            while taken.load(Ordering::SeqCst) < 3 * MANY {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Nobody wakes it any more: what is not taken by now never is.
        let whole = timeout(Duration::from_secs(30), all).await;
        assert!(whole.is_ok(), "{} of {}", taken.load(Ordering::SeqCst), 3 * MANY);
        listener.abort();
    }

    /// Each time that it is woken it is heard, however the two of them meet, while another connection
    /// that has lost the session still listens.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_is_lost() {
        let session = session();
        let (told, mut heard) = mpsc::unbounded_channel();
        let listener = |number: u8| {
            let (session, told) = (session.clone(), told.clone());
            tokio::spawn(async move {
                let mut woken = Woken::new(session);
                loop {
                    // Asked more often than it is woken, as a connection does.
                    let busy = poll_fn(|context| woken.poll(context));
                    tokio::select! {
                        biased;
                        () = busy => { let _ = told.send(number); }
                        () = tokio::time::sleep(Duration::from_micros(50)) => {}
                    }
                }
            })
        };
        let (former, own) = (listener(1), listener(2));
        let mut by = [0_u32; 3];
        for round in 0..2000 {
            session.rouse();
            let number = timeout(Duration::from_secs(60), heard.recv()).await;
            by[usize::from(number.unwrap().unwrap())] += 1;
            if round == 1000 {
                former.abort();
            }
        }
        assert!(by[2] >= 900, "{by:?}");
        own.abort();
    }
}
