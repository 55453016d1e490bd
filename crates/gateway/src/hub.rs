//! Sessions of all devices, and who hears what.

use crate::{
    coap::{Budget, Known},
    mqtt::{
        packets, publish_will,
        session::{Key, Outgoing, PendingWill, Session},
    },
};
use admission::TopicName;
use device::{DeviceId, OrganisationId};
use mqtt_protocol_core::mqtt::packet::Qos;
use service::{DoorSender, IncomingMessage, Service, ServiceError, StandingChanges};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How often the doors look whether somebody was revoked.
const LOOK: Duration = Duration::from_millis(100);
/// How often what was refused is written down, sessions that ended are dropped, and wills are sent.
const SETTLE: Duration = Duration::from_secs(1);

/// What a gateway bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayLimits {
    /// largest MQTT packet, in bytes
    pub packet_bytes: u32,
    /// QoS 1 and 2 messages, in each direction, that are not acknowledged yet
    pub in_flight: u16,
    /// bytes of messages to one client that it has not acknowledged yet
    pub in_flight_bytes: usize,
    /// bytes that are being written to one client
    pub out_bytes: usize,
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
    /// bytes that wait for all sessions together
    pub queues_bytes: usize,
    /// packets of one client per second, of any kind; beyond it, reading waits
    pub packets_per_second: u32,
    /// longest keep alive, in seconds; one that wants longer is told this
    pub keep_alive_s: u16,
    /// longest time a session is kept after its connection ended, in seconds
    pub session_expiry_s: u32,
    /// how long a client may take for CONNECT, and to read what it is sent
    pub patience: Duration,
    /// how long a client may take to open a WebSocket
    pub opening: Duration,
    /// datagrams of one client per second, of any kind; beyond it, reading waits
    pub datagrams_per_second: u32,
    /// bytes of bodies that come in blocks over CoAP, of all clients together
    pub bodies_bytes: usize,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            packet_bytes: 128 * 1024,
            in_flight: 32,
            in_flight_bytes: 256 * 1024,
            out_bytes: 64 * 1024,
            sessions_per_device: 4,
            sessions: 200_000,
            subscriptions: 64,
            queue: 256,
            queue_bytes: 256 * 1024,
            queues_bytes: 512 * 1024 * 1024,
            packets_per_second: 1000,
            keep_alive_s: 1200,
            session_expiry_s: 86_400,
            patience: Duration::from_secs(30),
            opening: Duration::from_secs(10),
            datagrams_per_second: 200,
            bodies_bytes: 64 * 1024 * 1024,
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
    /// whether anybody listens to more than its device's own space
    roaming: AtomicBool,
    /// who speaks CoAP, by device
    conversations: Mutex<HashMap<DeviceId, Vec<Arc<Known>>>>,
    /// bytes of what comes in blocks
    pub(crate) bodies: Budget,
    /// bytes that wait for all sessions together
    waiting: Arc<AtomicUsize>,
    /// one change of policies is looked at after the other
    reviews: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Sessions {
    by_device: HashMap<DeviceId, Vec<Arc<Session>>>,
    count: usize,
    /// those that listen to more than their device's own space, by owner: a message looks at these
    /// and at its own device's, and not at everybody's
    roaming: HashMap<OrganisationId, HashMap<usize, Arc<Session>>>,
}

/// What became of a wish for a session.
pub(crate) enum Opened {
    /// here it is, and the number of the connection that now has it; true: it was there before and
    /// goes on
    Session(Arc<Session>, u64, bool),
    /// all devices together have as many as they may
    Full,
}

/// Waits that long, or until it is time to stop: whether it is, or nobody is left who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>, after: Duration) -> bool {
    tokio::time::timeout(after, stop.wait_for(|stop| *stop)).await.is_ok()
}

/// What was found; `None` where there is no such thing, or where it may not be here.
///
/// # Errors
/// Where the store cannot say so now.
pub(crate) fn answered<T>(found: Result<T, ServiceError>) -> Result<Option<T>, ServiceError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_no_answer() => Err(error),
        Err(_) => Ok(None),
    }
}

impl Gateway {
    /// A gateway without sessions.
    pub fn new(service: Service, limits: GatewayLimits) -> Self {
        let sessions = Mutex::new(Sessions::default());
        Self(Arc::new(Inner {
            service,
            limits,
            sessions,
            roaming: AtomicBool::new(false),
            conversations: Mutex::default(),
            bodies: Budget::new(limits.bodies_bytes),
            waiting: Arc::default(),
            reviews: Arc::default(),
        }))
    }

    /// Gives a message to those who listen that came in by another door, and was taken.
    pub fn heard(&self, sender: &DoorSender, message: &IncomingMessage) {
        let outgoing = Outgoing {
            topic: message.topic.clone(),
            payload: message.payload.clone(),
            qos: Qos::AtLeastOnce,
            retain: message.retain.is_some(),
            properties: Vec::new(),
            expires: None,
            sure: false,
            by: Some(sender.clone()),
            from: None,
        };
        self.0.deliver(&Arc::new(outgoing));
    }

    /// Gives a device a message that a route sends it: to every session of it that listens, open or
    /// kept. How many those are.
    pub fn tell_routed(
        &self,
        topic: TopicName,
        payload: Arc<[u8]>,
        media_type: Option<&str>,
    ) -> usize {
        let outgoing = Outgoing {
            topic,
            payload,
            qos: Qos::AtLeastOnce,
            retain: false,
            properties: packets::content_type(media_type),
            expires: None,
            sure: true,
            // To the device alone: a policy that lets another listen says nothing of routes.
            by: None,
            from: None,
        };
        self.0.deliver(&Arc::new(outgoing))
    }

    /// What must happen now and then, until `stop` says so: watches for revocations, writes down what
    /// was refused, sends wills that are due, drops sessions that ended.
    pub async fn keep(self, stop: watch::Receiver<bool>) {
        // Side by side: what is written down may wait for the disk, and who may not be here any more, or whose
        // will is due, not for that.
        let (watched, ended) = (stop.clone(), stop.clone());
        tokio::join!(self.watch(watched), self.end_often(ended), self.settle_often(stop));
        self.settle().await;
        self.end().await;
        if let Err(error) = self.0.service.keep_behaviour().await {
            tracing::error!(%error, "what devices did last could not be written down");
        }
    }

    async fn settle_often(&self, mut stop: watch::Receiver<bool>) {
        while !stopped(&mut stop, SETTLE).await {
            self.settle().await;
        }
    }

    async fn end_often(&self, mut stop: watch::Receiver<bool>) {
        while !stopped(&mut stop, SETTLE).await {
            self.end().await;
        }
    }

    async fn watch(&self, mut stop: watch::Receiver<bool>) {
        let mut seen = self.0.service.standing_count();
        while !stopped(&mut stop, LOOK).await {
            let changes = self.0.service.standing_changes(seen);
            seen = changes.count();
            if !changes.is_empty() {
                self.0.look(&changes);
            }
            if !changes.changes_no_policies() {
                self.review(&changes);
            }
            if !changes.tells_nothing() {
                self.tell(&changes).await;
            }
        }
    }

    /// Tells devices what is new for them, where anybody of them listens.
    async fn tell(&self, changes: &StandingChanges) {
        let (inner, changes) = (self.0.clone(), changes.clone());
        let told = tokio::task::spawn_blocking(move || inner.tell(&changes));
        if let Err(error) = told.await {
            tracing::error!(%error, "what is new for devices was not told");
        }
    }

    /// Drops what waits for those who may not hear it any more, and tells again what commands and
    /// settings wait for them: another policy may have kept them back. What is sent or queued from now
    /// on is judged by the new policies anyway, so nobody waits for this.
    fn review(&self, changes: &StandingChanges) {
        let (inner, changes) = (self.0.clone(), changes.clone());
        drop(tokio::spawn(async move {
            let _turn = inner.reviews.clone().lock_owned().await;
            let reviewed = tokio::task::spawn_blocking(move || {
                let concerned = |it: &DoorSender| changes.changes_policies_of(it);
                for session in inner.every() {
                    session.review_if(&inner.service, concerned);
                }
                inner.tell_again(concerned);
            });
            if let Err(error) = reviewed.await {
                tracing::error!(%error, "what waits for devices was not looked through");
            }
        }));
    }

    async fn settle(&self) {
        if let Err(error) = self.0.service.settle_messages().await {
            tracing::error!(%error, "what was refused of messages could not be written down");
        }
    }

    async fn end(&self) {
        self.0.expire();
        for (key, will) in self.0.end_sessions(Instant::now()) {
            publish_will(&self.0, key, will).await;
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of a client: the one that is there, unless it is to be new. Whoever had it loses
    /// it (MQTT 5 section 3.1.4, \[MQTT-3.1.4-3\]). Also the wills of sessions that end by this.
    pub(crate) fn open(&self, key: &Key, clean: bool) -> (Opened, Vec<(Key, PendingWill)>) {
        let now = Instant::now();
        let mut wills = Vec::new();
        let mut sessions = self.lock();
        let Sessions { by_device, count, .. } = &mut *sessions;
        let own = by_device.entry(key.device).or_default();
        *count = count.saturating_sub(own.len());
        let at = own.iter().position(|session| session.key == *key);
        let opened = match at.map(|at| own.swap_remove(at)) {
            Some(old) => {
                let (goes_on, will) = old.take_over(clean, now);
                wills.extend(will.map(|will| (old.key.clone(), will)));
                match goes_on {
                    Some(turn) => Opened::Session(old, turn, true),
                    None => Opened::Session(self.session(key), 1, false),
                }
            }
            None if *count >= self.limits.sessions => Opened::Full,
            None => {
                self.make_room(own, now, &mut wills);
                Opened::Session(self.session(key), 1, false)
            }
        };
        if let Opened::Session(session, ..) = &opened {
            if own.iter().any(|other| other.listens()) {
                session.set_listens();
            }
            own.push(session.clone());
        }
        *count = count.saturating_add(own.len());
        if own.is_empty() {
            by_device.remove(&key.device);
        }
        (opened, wills)
    }

    fn session(&self, key: &Key) -> Arc<Session> {
        Arc::new(Session::new(key.clone(), self.waiting.clone()))
    }

    /// Makes room for one more session of a device: those that are over go, then the one that is kept
    /// longest, then the connection that was heard of longest ago. A device whose connections broke
    /// off without a word is not locked out by what is left of them.
    fn make_room(
        &self,
        own: &mut Vec<Arc<Session>>,
        now: Instant,
        wills: &mut Vec<(Key, PendingWill)>,
    ) {
        let mut end = |session: &Session| {
            let (_, will) = session.take_over(true, now);
            wills.extend(will.map(|will| (session.key.clone(), will)));
        };
        own.retain(|session| {
            let over = session.is_over(now);
            if over {
                end(session);
            }
            !over
        });
        while own.len() >= self.limits.sessions_per_device.max(1) {
            let oldest =
                own.iter().enumerate().min_by_key(|(_, session)| session.rank()).map(|(at, _)| at);
            let Some(at) = oldest else { break };
            end(&own.swap_remove(at));
        }
    }

    pub(crate) fn every(&self) -> Vec<Arc<Session>> {
        self.lock().by_device.values().flatten().cloned().collect()
    }

    /// Has those looked at whom changes may concern.
    fn look(&self, changes: &StandingChanges) {
        for session in self.every() {
            session.look_if(|sender| self.service.concerns(changes, sender));
        }
        for known in self.conversations() {
            known.look_if(|sender| self.service.concerns(changes, sender));
        }
    }

    /// Has those looked at whose certificate is over.
    fn expire(&self) {
        for session in self.every() {
            session.look_if(|sender| self.service.is_over(sender));
        }
        for known in self.conversations() {
            known.look_if(|sender| self.service.is_over(sender));
        }
    }

    fn lock_conversations(&self) -> MutexGuard<'_, HashMap<DeviceId, Vec<Arc<Known>>>> {
        self.conversations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conversations(&self) -> Vec<Arc<Known>> {
        self.lock_conversations().values().flatten().cloned().collect()
    }

    /// A device speaks CoAP, and is to be told of changes. Where it does so too often already, the
    /// conversation that was heard of longest ago ends.
    pub(crate) fn begin(&self, known: &Arc<Known>) {
        let mut conversations = self.lock_conversations();
        let own = conversations.entry(known.device()).or_default();
        while own.len() >= self.limits.sessions_per_device.max(1) {
            let oldest = own.iter().enumerate().min_by_key(|(_, it)| it.heard()).map(|(at, _)| at);
            let Some(at) = oldest else { break };
            own.swap_remove(at).end();
        }
        own.push(known.clone());
    }

    /// It has ended.
    pub(crate) fn end(&self, known: &Arc<Known>) {
        let mut conversations = self.lock_conversations();
        if let Some(own) = conversations.get_mut(&known.device()) {
            own.retain(|it| !Arc::ptr_eq(it, known));
            if own.is_empty() {
                conversations.remove(&known.device());
            }
        }
    }

    /// Remembers that a session listens to more than its device's own space.
    pub(crate) fn roams(&self, session: &Arc<Session>, owner: &OrganisationId) {
        let mut sessions = self.lock();
        let roaming = sessions.roaming.entry(owner.clone()).or_default();
        roaming.insert(Arc::as_ptr(session).addr(), session.clone());
        self.roaming.store(true, Ordering::SeqCst);
    }

    /// Remembers that a session listens to what its device says: its other sessions are told, and know it from
    /// then on.
    pub(crate) fn listens(&self, session: &Session) {
        let sessions = self.lock();
        session.set_listens();
        let own = sessions.by_device.get(&session.key.device);
        own.into_iter().flatten().for_each(|other| other.set_listens());
    }

    /// Whether certainly nobody listens to what a device says by a connection of its own.
    pub(crate) fn nobody_listens(
        &self,
        session: &Session,
        sender: &DoorSender,
        topic: &TopicName,
    ) -> bool {
        let space = sender.space();
        !session.listens()
            && !self.roaming.load(Ordering::SeqCst)
            && space.has(topic)
            && !space.is_told(topic.as_str())
    }

    /// The sessions that may want to hear of a topic: those of the device that the topic names, and
    /// those of others of the sender's owner that listen to more than their own.
    fn listeners(&self, message: &Outgoing) -> Vec<Arc<Session>> {
        let (topic, owner) = (&message.topic, message.owner());
        let own = message.by.as_ref().filter(|by| by.space().has(topic)).map(DoorSender::device);
        // Most say something in their own space, whose name need not be read.
        let device = own.or_else(|| {
            let mut levels = topic.levels();
            match (levels.next(), levels.next()) {
                (Some("d"), Some(device)) => device.parse::<DeviceId>().ok(),
                _ => None,
            }
        });
        let Some(device) = device else { return Vec::new() };
        let sessions = self.lock();
        let mut found = sessions.by_device.get(&device).cloned().unwrap_or_default();
        let roaming = owner.and_then(|owner| sessions.roaming.get(owner));
        let others =
            roaming.into_iter().flat_map(HashMap::values).filter(|it| it.key.device != device);
        found.extend(others.cloned());
        found
    }

    /// Gives a message to everybody who listens; how many.
    pub(crate) fn deliver(&self, message: &Arc<Outgoing>) -> usize {
        let listeners = self.listeners(message);
        listeners
            .iter()
            .filter(|session| session.offer(message, &self.service, &self.limits))
            .count()
    }

    /// Drops sessions that are over; the wills that are due.
    fn end_sessions(&self, now: Instant) -> Vec<(Key, PendingWill)> {
        let mut wills = Vec::new();
        let mut sessions = self.lock();
        sessions.by_device.retain(|_, own| {
            own.retain(|session| {
                wills.extend(session.due_will(now).map(|will| (session.key.clone(), will)));
                !session.is_over(now)
            });
            !own.is_empty()
        });
        sessions.count = sessions.by_device.values().map(Vec::len).sum();
        let Sessions { by_device, roaming, .. } = &mut *sessions;
        roaming.retain(|owner, of| {
            of.retain(|_, session| {
                let own = by_device.get(&session.key.device).into_iter().flatten();
                own.into_iter().any(|known| Arc::ptr_eq(known, session)) && session.roams(owner)
            });
            !of.is_empty()
        });
        self.roaming.store(!roaming.is_empty(), Ordering::SeqCst);
        wills
    }
}
