//! One connection: from CONNECT to the end.

use super::{
    message::{publish_will, take},
    packets::{
        self, Connect, Granted, Publish, Received, Wanted, Welcome, Will, acknowledge, complete,
        release, subscribed, turned_away, unsubscribed, welcome,
    },
    session::{Delivery, Key, Left, Outgoing, PendingWill, Session, Subscribed},
    wire::{Moved, Out, drain, exchange},
};
use crate::{
    Gateway,
    hub::{Inner, Opened},
};
use admission::{Allowance, Meter, Refusal, Subscription, Ticks, TopicError, TopicName};
use mqtt_protocol_core::mqtt::{
    Connection, Version,
    common::Cursor,
    connection::{ConnectionOptions, Event, TimerKind, role},
    packet::{GenericPacketTrait as _, Packet, Qos, StorePacket},
    result_code::{ConnectReasonCode, DisconnectReasonCode, MqttError},
};
use pki::Certificate;
use service::{DoorSender, MessageDoor, MessageRefused};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::watch,
    time::{sleep_until, timeout},
};

/// Bytes read at a time.
const READ_BYTES: usize = 4096;
/// Longest client identifier, in bytes.
const CLIENT_BYTES_MAX: usize = 128;
/// How long the end of a connection may take; somebody who may not be here any more has less.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_UNWANTED: Duration = Duration::from_millis(200);

/// Why a connection ends, from our side.
enum End {
    /// it broke off, or the client said goodbye
    Gone,
    /// the client is told why, where its version has a word for it
    Say(DisconnectReasonCode),
}

type Step = Result<(), End>;

impl Gateway {
    /// Serves one client over a stream that is secure and authenticated: `certificate` is the
    /// client's, validated.
    pub async fn mqtt<S>(
        &self,
        stream: S,
        certificate: &Certificate,
        door: MessageDoor,
        stop: watch::Receiver<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let limits = &self.0.limits;
        let options = ConnectionOptions::new()
            .maximum_packet_size_recv(limits.packet_bytes)
            .receive_maximum(limits.in_flight);
        let mut codec = Connection::with_options(Version::Undetermined, options);
        codec.set_auto_ping_response(true);
        let link = Link {
            inner: self.0.clone(),
            certificate: certificate.clone(),
            door,
            stream,
            codec,
            out: Out::default(),
            began: Instant::now(),
            pace: Meter::default(),
            paused_until: None,
            silent_until: None,
            idle: None,
            unacknowledged: HashMap::new(),
            unacknowledged_bytes: 0,
            not_taken: HashSet::new(),
            joined: None,
        };
        link.run(stop).await;
    }
}

struct Link<S> {
    inner: Arc<Inner>,
    certificate: Certificate,
    door: MessageDoor,
    stream: S,
    codec: Connection<role::Server>,
    out: Out,
    began: Instant,
    /// packets of any kind
    pace: Meter,
    /// nothing is read until then: the client sends faster than it may
    paused_until: Option<Instant>,
    /// when the client must have said something (keep alive)
    silent_until: Option<Instant>,
    /// how long a client may be silent that set no keep alive
    idle: Option<Duration>,
    /// messages to the client that it has not acknowledged, with their bytes
    unacknowledged: HashMap<u16, usize>,
    unacknowledged_bytes: usize,
    /// QoS 2 messages that were not taken: sent again, they are to be looked at again
    not_taken: HashSet<u16>,
    joined: Option<Joined>,
}

/// What a client has once it is welcome.
struct Joined {
    five: bool,
    session: Arc<Session>,
    turn: u64,
    sender: DoorSender,
    will: Option<Will>,
    /// what the session's keeping may be raised to at the end: not at all, where it was zero
    keep: Duration,
}

impl Drop for Joined {
    fn drop(&mut self) {
        // Nothing to do where the connection ended in order: then it has left already.
        self.session.break_off(self.turn);
    }
}

/// What the codec wants after it was given something.
#[derive(Default)]
struct Wants {
    packets: Vec<Packet>,
    close: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link<S> {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let end = match self.converse(&mut stop).await {
            Ok(()) => End::Gone,
            Err(end) => end,
        };
        let mut time = FAREWELL;
        if let End::Say(code) = end {
            let mut whole = true;
            if code == DisconnectReasonCode::NotAuthorized {
                // What is on its way is not this client's to hear any more.
                whole = self.out.forget();
                time = FAREWELL_UNWANTED;
            }
            if whole
                && self.five()
                && let Ok(packet) = packets::goodbye(code)
            {
                self.send(packet);
            }
        }
        // First the session: who takes it over finds what is left in it.
        self.leave();
        let farewell = async {
            drain(&mut self.stream, &mut self.out).await?;
            self.stream.shutdown().await
        };
        let _too_late = timeout(time, farewell).await;
    }

    async fn converse(&mut self, stop: &mut watch::Receiver<bool>) -> Step {
        let mut buffer = vec![0; READ_BYTES];
        let connect_until = Instant::now() + self.inner.limits.patience;
        loop {
            self.look().await?;
            self.send_waiting()?;
            let now = Instant::now();
            let silent = match &self.joined {
                None => Some(connect_until),
                Some(_) => self.silent_until,
            };
            if silent.is_some_and(|at| at <= now) {
                return Err(End::Say(DisconnectReasonCode::KeepAliveTimeout));
            }
            let stuck = self.out.stuck_at(self.inner.limits.patience);
            if stuck.is_some_and(|at| at <= now) {
                return Err(End::Gone);
            }
            self.paused_until = self.paused_until.filter(|at| *at > now);
            let alarm = [silent, stuck, self.paused_until].into_iter().flatten().min();
            let session = self.joined.as_ref().map(|joined| joined.session.clone());
            let woken = async {
                match &session {
                    Some(session) => session.wake.notified().await,
                    None => std::future::pending().await,
                }
            };
            let alarm = async {
                match alarm {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let read = self.paused_until.is_none() && self.out.len() < self.inner.limits.out_bytes;
            tokio::select! {
                biased;
                () = told_to_stop(stop) => {
                    if let Some(joined) = &mut self.joined {
                        // Sessions end with the server, and nobody is gone: no will is due.
                        joined.will = None;
                    }
                    return Err(End::Say(DisconnectReasonCode::ServerShuttingDown));
                }
                moved = exchange(&mut self.stream, &mut self.out, &mut buffer, read) => {
                    match moved.map_err(|_| End::Gone)? {
                        Moved::Written => {}
                        Moved::Read(0) => return Err(End::Gone),
                        Moved::Read(count) => {
                            self.feed(buffer.get(..count).unwrap_or_default()).await?;
                            self.heard();
                        }
                    }
                }
                () = woken => {}
                () = alarm => {}
            }
        }
    }

    fn heard(&mut self) {
        if let Some(idle) = self.idle {
            self.silent_until = Some(Instant::now() + idle);
        }
        if let Some(joined) = &self.joined {
            joined.session.lock().heard();
        }
    }

    /// Whether the session is still this connection's, and its device still welcome.
    async fn look(&mut self) -> Step {
        let Some(joined) = &self.joined else { return Ok(()) };
        if joined.session.lock().turn != joined.turn {
            return Err(End::Say(DisconnectReasonCode::SessionTakenOver));
        }
        match joined.session.must_look() {
            true => self.look_again().await,
            false => Ok(()),
        }
    }

    /// Counts packets: who sends faster than it may is read from more slowly.
    fn slow_down(&mut self) {
        let per_second = self.inner.limits.packets_per_second;
        let allowance = Allowance::new(per_second, per_second);
        let since = self.began.elapsed().as_nanos();
        let ticks = Ticks(u64::try_from(since).unwrap_or(u64::MAX));
        self.pace.take(allowance, ticks);
        let wait = self.pace.wait(allowance, ticks);
        if wait > 0 {
            self.paused_until = Some(Instant::now() + Duration::from_nanos(wait));
        }
    }

    async fn feed(&mut self, bytes: &[u8]) -> Step {
        let mut cursor = Cursor::new(bytes);
        let end = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        while cursor.position() < end {
            let events = self.codec.recv(&mut cursor);
            let (wants, wrong) = self.apply(events);
            for packet in wants.packets {
                self.look().await?;
                self.slow_down();
                self.handle(packet.into()).await?;
            }
            if wants.close || wrong {
                // What the codec has to say about it is on its way out already.
                return Err(End::Gone);
            }
        }
        Ok(())
    }

    /// Does what the codec wants; also whether something was wrong.
    fn apply(&mut self, events: Vec<Event>) -> (Wants, bool) {
        let mut wants = Wants::default();
        let mut wrong = false;
        for event in events {
            match event {
                Event::NotifyPacketReceived(packet) => wants.packets.push(packet),
                Event::RequestSendPacket { packet, .. } => {
                    self.out.push(&packet.to_continuous_buffer());
                }
                Event::RequestTimerReset { kind: TimerKind::PingreqRecv, duration_ms } => {
                    self.silent_until = Some(Instant::now() + Duration::from_millis(duration_ms));
                }
                Event::RequestTimerCancel(TimerKind::PingreqRecv) => self.silent_until = None,
                Event::RequestTimerReset { .. } | Event::RequestTimerCancel(_) => {}
                Event::NotifyPacketIdReleased(id) => {
                    let bytes = self.unacknowledged.remove(&id).unwrap_or_default();
                    self.unacknowledged_bytes = self.unacknowledged_bytes.saturating_sub(bytes);
                }
                Event::NotifyError(error) => {
                    tracing::debug!(?error, "MQTT");
                    wrong = true;
                }
                Event::RequestClose => wants.close = true,
            }
        }
        (wants, wrong)
    }

    /// Sends a packet; false where the codec refuses to (too large for the client, for one).
    fn send(&mut self, packet: Packet) -> bool {
        let events = self.codec.send(packet);
        let (_, wrong) = self.apply(events);
        !wrong
    }

    fn say(&mut self, packet: Result<Packet, MqttError>) -> Step {
        match packet {
            Ok(packet) => {
                self.send(packet);
                Ok(())
            }
            Err(error) => {
                tracing::error!(?error, "a packet could not be made");
                Err(End::Say(DisconnectReasonCode::UnspecifiedError))
            }
        }
    }

    async fn handle(&mut self, received: Received) -> Step {
        match received {
            Received::Connect(connect) => self.connect(*connect).await,
            Received::Publish(publish) => self.published(*publish).await,
            Received::Release(id) => {
                let five = self.five();
                self.say(complete(five, id))
            }
            Received::Got(id) => {
                let five = self.five();
                self.say(release(five, id))
            }
            Received::Subscribe { id, wanted, identifier } => {
                self.subscribe(id, wanted, identifier).await
            }
            Received::Unsubscribe { id, filters } => self.unsubscribe(id, &filters),
            Received::Disconnect { will, session_expiry_s } => {
                if let Some(joined) = &mut self.joined {
                    if !will {
                        joined.will = None;
                    }
                    if let Some(expiry) = session_expiry_s {
                        // From zero it cannot be raised (MQTT 5 section 3.14.2.2.2).
                        if joined.keep.is_zero() && expiry > 0 {
                            return Err(End::Say(DisconnectReasonCode::ProtocolError));
                        }
                        let most = self.inner.limits.session_expiry_s;
                        joined.session.lock().keep = Duration::from_secs(expiry.min(most).into());
                    }
                }
                Err(End::Gone)
            }
            Received::Auth => Err(End::Say(DisconnectReasonCode::ProtocolError)),
            Received::Nothing => Ok(()),
        }
    }

    fn five(&self) -> bool {
        self.joined.as_ref().is_some_and(|joined| joined.five)
    }

    /// Who the client is, as it stands now.
    async fn sender(&self) -> Option<DoorSender> {
        let service = &self.inner.service;
        let caller = service.identify_certificate(&self.certificate).await.ok()?;
        service.door_sender(&caller, &self.certificate).ok()
    }

    async fn connect(&mut self, connect: Connect) -> Step {
        let five = connect.five;
        let refuse = |link: &mut Self, code| {
            link.say(turned_away(five, code))?;
            Err(End::Gone)
        };
        let seen = self.inner.service.standing_count();
        let Some(sender) = self.sender().await else {
            return refuse(self, ConnectReasonCode::NotAuthorized);
        };
        if let Err(refusal) = sender.stands() {
            self.inner.service.refuse_message(&sender, self.door, refusal, "");
            return refuse(self, packets::connect_code(refusal));
        }
        if connect.method {
            return refuse(self, ConnectReasonCode::BadAuthenticationMethod);
        }
        if connect.client.len() > CLIENT_BYTES_MAX || connect.client.chars().any(char::is_control) {
            return refuse(self, ConnectReasonCode::ClientIdentifierNotValid);
        }
        // Each of its own: two clients that name themselves nothing are two clients.
        let assigned = connect.client.is_empty().then(assigned_identifier);
        let client = assigned.clone().unwrap_or_else(|| connect.client.clone());
        let key = Key { device: sender.device(), client };
        let (opened, wills) = self.inner.open(&key, connect.clean);
        for (key, will) in wills {
            let inner = self.inner.clone();
            drop(tokio::spawn(async move { publish_will(&inner, key, will).await }));
        }
        let (session, turn, mut present) = match opened {
            Opened::Session(session, turn, present) => (session, turn, present),
            Opened::Full => return refuse(self, ConnectReasonCode::QuotaExceeded),
        };
        // From here on this connection has the session: dropped, it lets go of it.
        let will = connect.will.clone();
        let keep = self.keep_of(&connect);
        let joined = Joined { five, session: session.clone(), turn, sender, will, keep };
        if present {
            let _late = timeout(FAREWELL, session.let_go()).await;
        }
        if !session.hold(turn) {
            return Err(End::Gone);
        }
        let sender = joined.sender.clone();
        let most = self.inner.limits.session_expiry_s;
        let (stored, handled) = {
            let mut state = session.lock();
            // A session is one owner's, and in one version of the protocol.
            let same = state.sender.as_ref().is_some_and(|known| known.same_owner(&sender));
            let goes_on = same && state.five == five && resumable(&state.stored, &connect);
            if present && !goes_on {
                present = false;
                state.empty();
            }
            state.sender = Some(sender);
            state.keep = keep;
            state.five = five;
            (std::mem::take(&mut state.stored), std::mem::take(&mut state.handled))
        };
        let limit = self.inner.limits.keep_alive_s;
        let shorter = (connect.keep_alive_s == 0 || connect.keep_alive_s > limit).then_some(limit);
        self.joined = Some(joined);
        // Whatever changed while the device was looked up: the door looked at open sessions only.
        let changes = self.inner.service.standing_changes(seen);
        if !changes.is_empty() {
            self.look_again().await?;
        }
        for packet in &stored {
            self.awaits(packet.packet_id(), packet.size());
        }
        let counted = connect.receive_maximum.is_some();
        if present {
            self.codec.restore_qos2_publish_handled(handled.into_iter().collect());
            if !counted {
                self.codec.restore_packets(stored.clone());
            }
        }
        self.say(welcome(
            five,
            &Welcome {
                present,
                assigned,
                keep_alive_s: shorter,
                session_expiry_s: (five && connect.session_expiry_s > most).then_some(most),
            },
        ))?;
        if present && counted {
            // The codec does not count what it sends again by itself, and would count below zero.
            for packet in stored {
                if self.codec.register_packet_id(packet.packet_id()).is_ok() {
                    self.send(packet.into());
                }
            }
        }
        if !five && connect.keep_alive_s == 0 {
            // Nobody is silent for ever, and 3.1.1 has no word for it: a server may end the
            // connection of a client that it takes for inactive (MQTT 3.1.1 section 3.1.2.10).
            self.idle = Some(Duration::from_secs(limit.into()));
        }
        Ok(())
    }

    /// How long the session is kept once the connection has ended.
    fn keep_of(&self, connect: &Connect) -> Duration {
        let most = self.inner.limits.session_expiry_s;
        Duration::from_secs(connect.session_expiry_s.min(most).into())
    }

    /// Remembers that the client has a message to acknowledge.
    fn awaits(&mut self, id: u16, bytes: usize) {
        if let Some(old) = self.unacknowledged.insert(id, bytes) {
            self.unacknowledged_bytes = self.unacknowledged_bytes.saturating_sub(old);
        }
        self.unacknowledged_bytes = self.unacknowledged_bytes.saturating_add(bytes);
    }

    async fn published(&mut self, publish: Publish) -> Step {
        let Some(joined) = &self.joined else {
            return Err(End::Say(DisconnectReasonCode::ProtocolError));
        };
        let (five, qos, id) = (joined.five, publish.qos, publish.id);
        let sender = joined.sender.clone();
        let from = Some(joined.session.key.clone());
        let name = match TopicName::new(publish.topic.as_str())
            .and_then(|name| sender.space().absolute(name))
        {
            Ok(name) => name,
            Err(error) => return self.bad_topic(five, qos, id, error),
        };
        // Until it is on disk it was not heard, whatever ends this connection.
        let twice = id.filter(|_| qos == Qos::ExactlyOnce);
        self.not_taken.extend(twice);
        let taken = take(&self.inner, (&sender, self.door), &name, &publish, from).await;
        if taken.is_ok() {
            self.not_taken.retain(|id| Some(*id) != twice);
        }
        let refused = match taken {
            Ok(()) => None,
            Err(MessageRefused::Refused(refusal)) if refusal.is_standing() => {
                self.outcast();
                return Err(End::Say(DisconnectReasonCode::NotAuthorized));
            }
            Err(MessageRefused::Refused(refusal)) => Some(refusal.answer().mqtt),
            Err(MessageRefused::Failed(error)) => {
                tracing::error!(%error, "a message could not be kept");
                Some(0x80)
            }
        };
        if !five && refused.is_some() && qos != Qos::AtMostOnce {
            // 3.1.1 has no refusal: to acknowledge would be a lie (MQTT-3.3.5-2).
            return Err(End::Gone);
        }
        let Some(id) = id else { return Ok(()) };
        match acknowledge(five, qos, id, refused) {
            Ok(Some(packet)) => {
                self.send(packet);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => self.say(Err(error)),
        }
    }

    fn bad_topic(&mut self, five: bool, qos: Qos, id: Option<u16>, error: TopicError) -> Step {
        tracing::debug!(%error, "a topic that is none");
        self.not_taken.extend(id);
        match id {
            Some(id) if five => match acknowledge(five, qos, id, Some(0x90)) {
                Ok(Some(packet)) => {
                    self.send(packet);
                    Ok(())
                }
                _ => Err(End::Say(DisconnectReasonCode::TopicNameInvalid)),
            },
            _ => Err(End::Say(DisconnectReasonCode::TopicNameInvalid)),
        }
    }

    async fn subscribe(&mut self, id: u16, wanted: Vec<Wanted>, identifier: Option<u32>) -> Step {
        let Some(joined) = &self.joined else {
            return Err(End::Say(DisconnectReasonCode::ProtocolError));
        };
        let (five, session, sender) = (joined.five, joined.session.clone(), joined.sender.clone());
        let mut granted = Vec::with_capacity(wanted.len());
        for want in wanted {
            // Each counts as a message does: who asks again and again uses itself up.
            granted.push(match self.inner.service.pass_request(&sender) {
                Ok(()) => self.grant(&session, &sender, want, identifier),
                Err(refusal) => {
                    self.inner.service.refuse_message(&sender, self.door, refusal, &want.filter);
                    (Granted::Quota, None)
                }
            });
        }
        let answer = granted.iter().map(|(granted, _)| granted);
        let codes: Vec<Granted> = answer
            .map(|granted| match granted {
                Granted::Yes(qos) => Granted::Yes(*qos),
                Granted::NotAuthorized => Granted::NotAuthorized,
                Granted::Invalid(error) => Granted::Invalid(*error),
                Granted::Quota => Granted::Quota,
                Granted::Shared => Granted::Shared,
            })
            .collect();
        self.say(subscribed(five, id, &codes))?;
        for (_, kept) in granted {
            let Some(subscribed) = kept else { continue };
            self.send_retained(&session, &sender, &subscribed).await;
        }
        Ok(())
    }

    /// What becomes of one wish, and the subscription where what is kept of its topics is sent.
    fn grant(
        &self,
        session: &Session,
        sender: &DoorSender,
        want: Wanted,
        identifier: Option<u32>,
    ) -> (Granted, Option<Subscribed>) {
        let asked = match Subscription::new(&want.filter) {
            Ok(subscription) if subscription.share.is_some() => return (Granted::Shared, None),
            Ok(subscription) => subscription.filter,
            Err(error) => return (Granted::Invalid(error), None),
        };
        let meant = match sender.space().absolute_filter(asked.clone()) {
            Ok(meant) => meant,
            Err(error) => return (Granted::Invalid(error), None),
        };
        if let Err(refusal) = self.inner.service.may_listen(sender, &meant) {
            let filter = meant.as_str();
            self.inner.service.refuse_message(sender, self.door, refusal, filter);
            return (Granted::NotAuthorized, None);
        }
        let subscribed = Subscribed {
            asked,
            meant,
            qos: want.qos,
            no_local: want.no_local,
            as_published: want.as_published,
            identifier,
        };
        let mut state = session.lock();
        let known = state.subscriptions.contains_key(&want.filter);
        if !known && state.subscriptions.len() >= self.inner.limits.subscriptions {
            return (Granted::Quota, None);
        }
        state.subscriptions.insert(want.filter, subscribed.clone());
        let send = want.retained == 0 || (want.retained == 1 && !known);
        (Granted::Yes(want.qos), send.then_some(subscribed))
    }

    async fn send_retained(&self, session: &Session, sender: &DoorSender, subscribed: &Subscribed) {
        let (inner, by, meant) = (self.inner.clone(), sender.clone(), subscribed.meant.clone());
        // As much as some megabytes: not on a thread that serves others.
        let read = move || inner.service.retained_messages(&by, &meant);
        let kept = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(kept)) => kept,
            Err(error) => {
                tracing::error!(%error, "what is kept of a topic was not read");
                return;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "what is kept of a topic could not be read");
                return;
            }
        };
        let mut state = session.lock();
        for message in kept {
            let heard_as = sender.space().heard_as(&subscribed.asked, &message.topic);
            let qos = Qos::try_from(message.qos).unwrap_or(Qos::AtMostOnce).min(subscribed.qos);
            let message = Arc::new(Outgoing {
                topic: message.topic,
                payload: message.payload,
                qos,
                retain: true,
                properties: Vec::new(),
                expires: None,
                from: None,
            });
            let identifiers = subscribed.identifier.into_iter().collect();
            let delivery = Delivery { message, heard_as, qos, retain: true, identifiers };
            state.push(delivery, &self.inner.limits);
        }
    }

    fn unsubscribe(&mut self, id: u16, filters: &[String]) -> Step {
        let Some(joined) = &self.joined else {
            return Err(End::Say(DisconnectReasonCode::ProtocolError));
        };
        let five = joined.five;
        let known: Vec<bool> = {
            let mut state = joined.session.lock();
            filters.iter().map(|filter| state.subscriptions.remove(filter).is_some()).collect()
        };
        self.say(unsubscribed(five, id, &known))
    }

    /// Sends what waits, as far as the client has room for it.
    fn send_waiting(&mut self) -> Step {
        let Some(joined) = &self.joined else { return Ok(()) };
        let (five, session, turn) = (joined.five, joined.session.clone(), joined.turn);
        let limits = self.inner.limits;
        while self.out.len() < limits.out_bytes {
            let room = self.unacknowledged.len() < usize::from(limits.in_flight)
                && self.unacknowledged_bytes < limits.in_flight_bytes
                && self.codec.get_receive_maximum_vacancy_for_send().is_none_or(|left| left > 0);
            let delivery = {
                let mut state = session.lock();
                if state.turn != turn {
                    return Err(End::Say(DisconnectReasonCode::SessionTakenOver));
                }
                match state.next() {
                    Some(next) if room || next.qos == Qos::AtMostOnce => state.pop(),
                    _ => None,
                }
            };
            let Some(delivery) = delivery else { return Ok(()) };
            let id = match delivery.qos {
                Qos::AtMostOnce => None,
                _ => Some(self.codec.acquire_packet_id().map_err(|_| End::Gone)?),
            };
            if let Some(id) = id {
                self.awaits(id, delivery.bytes());
            }
            let sent = match packets::publish(five, &delivery, id) {
                Ok(Some(packet)) => self.send(packet),
                Ok(None) | Err(_) => false,
            };
            if let Some(id) = id.filter(|_| !sent) {
                // Over, or larger than the client takes: as if it had been sent (MQTT-3.1.2-25).
                let events = self.codec.release_packet_id(id);
                let _nothing = self.apply(events);
            }
        }
        Ok(())
    }

    /// Somebody was revoked, suspended or released: this one?
    async fn look_again(&mut self) -> Step {
        if self.joined.is_none() {
            return Ok(());
        }
        let sender = self.sender().await;
        let Some(joined) = &mut self.joined else { return Ok(()) };
        let refusal = match &sender {
            None => Some(Refusal::Revoked),
            Some(sender) => sender.stands().err(),
        };
        if let Some(refusal) = refusal {
            // What was known of it is enough to say whom this is about.
            let service = &self.inner.service;
            service.refuse_message(&joined.sender, self.door, refusal, "");
            self.outcast();
            return Err(End::Say(DisconnectReasonCode::NotAuthorized));
        }
        if sender.as_ref().is_some_and(|sender| !sender.same_owner(&joined.sender)) {
            // The session is the former owner's; the device may come again, and have its own.
            self.outcast();
            return Err(End::Say(DisconnectReasonCode::NotAuthorized));
        }
        if let Some(sender) = sender {
            joined.session.lock().sender = Some(sender.clone());
            joined.sender = sender;
        }
        Ok(())
    }

    /// The device may not be here any more: nothing of it stays.
    fn outcast(&mut self) {
        let Some(joined) = &mut self.joined else { return };
        joined.will = None;
        let mut state = joined.session.lock();
        if state.turn == joined.turn {
            state.sender = None;
            state.keep = Duration::ZERO;
            state.empty();
        }
    }

    /// The connection has ended: the session stays as long as the client asked for, and the will is
    /// published where it did not say goodbye.
    fn leave(&mut self) {
        let Some(mut joined) = self.joined.take() else { return };
        let _events = self.codec.notify_closed();
        let handled = self.codec.get_qos2_publish_handled().into_iter();
        let handled = handled.filter(|id| !self.not_taken.contains(id)).collect();
        let now = Instant::now();
        let (sender, key) = (joined.sender.clone(), joined.session.key.clone());
        let pending = joined.will.take().map(|will| {
            let due = now.checked_add(will.delay).unwrap_or(now);
            PendingWill { will, sender, due }
        });
        let at_once = pending.as_ref().is_some_and(|pending| pending.due <= now);
        let (now_due, later) = if at_once { (pending, None) } else { (None, pending) };
        let stored = self.codec.get_stored_packets();
        let turn = joined.turn;
        joined.session.leave(Left { turn, stored, handled, will: later });
        if let Some(will) = now_due {
            let inner = self.inner.clone();
            drop(tokio::spawn(async move { publish_will(&inner, key, will).await }));
        }
    }
}

/// Whether what a client left can be sent to it again. The codec counts what a client with a Receive
/// Maximum has yet to acknowledge, but not what it sends again by itself.
fn resumable(stored: &[StorePacket], connect: &Connect) -> bool {
    let Some(most) = connect.receive_maximum else { return true };
    let publish = |packet: &StorePacket| matches!(packet, StorePacket::V5_0Publish(_));
    stored.len() <= usize::from(most) && stored.iter().all(publish)
}

fn assigned_identifier() -> String {
    let bytes: [u8; 12] = crypto::random::bytes();
    bytes.iter().fold("auto-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Returns once the server stops, or whoever could say so is gone.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
