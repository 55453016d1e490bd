//! One connection: from CONNECT to the end.

use super::{
    guard::Guard,
    message::{Sent, publish_will, take},
    packets::{self, Publish, Received, Will, acknowledge, complete, release},
    session::{Left, PendingWill, Session, Woken},
    wire::{Moved, Out, drain, exchange},
};
use crate::{Gateway, Origins, hub::Inner, told_to_stop, websocket};
use admission::{Allowance, Meter, Refusal, Ticks, TopicError, TopicName};
use mqtt_protocol_core::mqtt::{
    Connection, Version,
    common::Cursor,
    connection::{ConnectionOptions, Event, TimerKind, role},
    packet::{GenericPacketTrait as _, Packet, Property, Qos},
    result_code::{DisconnectReasonCode, MqttError},
};
use pki::Certificate;
use service::{DeviceHere, DoorSender, MessageDoor, MessageRefused};
use std::{
    collections::{HashMap, HashSet},
    future::poll_fn,
    net::IpAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

/// How long nothing more is read from who sends more than it may, for each message beyond that, and at
/// most.
const TOO_MANY: Duration = Duration::from_millis(50);
const TOO_MANY_MOST: Duration = Duration::from_secs(1);
/// How often it is looked who the client is where the store cannot say so, and after which time again.
const LOOKS: u32 = 5;
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long the end of a connection may take; somebody who may not be here any more has less.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_UNWANTED: Duration = Duration::from_millis(200);

/// Why a connection ends, from our side.
pub(super) enum End {
    /// it broke off, or the client said goodbye
    Gone,
    /// the client is told why, where its version has a word for it
    Say(DisconnectReasonCode),
}

pub(super) type Step = Result<(), End>;

impl Gateway {
    /// Serves one client over a stream that is secure and authenticated: `certificate` is the
    /// client's, validated; which door that is, and from where the client comes.
    pub async fn mqtt<S>(
        &self,
        stream: S,
        certificate: &Certificate,
        (door, source): (MessageDoor, IpAddr),
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
        let now = Instant::now();
        let link = Link {
            inner: self.0.clone(),
            certificate: certificate.clone(),
            door,
            source,
            stream,
            codec,
            guard: Guard::default(),
            out: Out::default(),
            began: now,
            came: now,
            pace: Meter::default(),
            paused_until: None,
            silent_until: None,
            alive_for: None,
            idle: None,
            unacknowledged: HashMap::new(),
            unacknowledged_bytes: 0,
            not_taken: HashSet::new(),
            joined: None,
            stop,
        };
        link.run().await;
    }

    /// As [`Self::mqtt`], over WebSocket (MQTT 5 section 6).
    ///
    /// # Errors
    /// In words for the log: the client opened no WebSocket for MQTT, or somebody else's page did.
    pub async fn websocket<S>(
        &self,
        stream: S,
        certificate: &Certificate,
        (origins, source): (&Origins, IpAddr),
        stop: watch::Receiver<bool>,
    ) -> Result<(), &'static str>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let limits = &self.0.limits;
        // A packet may come in one message.
        let message_bytes = usize::try_from(limits.packet_bytes).unwrap_or(usize::MAX);
        let opened = websocket::open(stream, origins, message_bytes, limits.opening).await;
        let stream = opened.map_err(websocket::Unopened::why)?;
        self.mqtt(stream, certificate, (MessageDoor::Websocket, source), stop).await;
        Ok(())
    }
}

pub(super) struct Link<S> {
    pub(super) inner: Arc<Inner>,
    pub(super) certificate: Certificate,
    pub(super) door: MessageDoor,
    pub(super) source: IpAddr,
    stream: S,
    pub(super) codec: Connection<role::Server>,
    guard: Guard,
    out: Out,
    began: Instant,
    /// when bytes came last
    came: Instant,
    /// packets of any kind
    pace: Meter,
    /// nothing is read until then: the client sends faster than it may
    paused_until: Option<Instant>,
    /// when the client must have said something (keep alive)
    silent_until: Option<Instant>,
    /// a packet of the client came whole: for how long it may be silent then, by its keep alive
    alive_for: Option<Duration>,
    /// how long a client may be silent that set none
    pub(super) idle: Option<Duration>,
    /// messages to the client that it has not acknowledged, with their bytes
    unacknowledged: HashMap<u16, usize>,
    unacknowledged_bytes: usize,
    /// QoS 2 messages that were not taken: sent again, they are to be looked at again
    not_taken: HashSet<u16>,
    pub(super) joined: Option<Joined>,
    stop: watch::Receiver<bool>,
}

/// What a client has once it is welcome.
pub(super) struct Joined {
    pub(super) five: bool,
    pub(super) session: Arc<Session>,
    pub(super) turn: u64,
    pub(super) sender: DoorSender,
    pub(super) will: Option<Will>,
    /// what the session's keeping may be raised to at the end: not at all, where it was zero
    pub(super) keep: Duration,
    /// how often the session was woken when it was looked at last
    pub(super) looked: Option<u64>,
    /// something may wait in the session
    pub(super) waits: bool,
    /// that the device is connected from there
    pub(super) _here: Option<DeviceHere>,
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
    packet: Option<Packet>,
    /// where it is more than one
    others: Vec<Packet>,
    close: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link<S> {
    async fn run(mut self) {
        let mut stop = self.stop.clone();
        let end = match self.converse(&mut stop).await {
            Ok(()) => End::Gone,
            Err(end) => end,
        };
        let mut time = FAREWELL;
        if let End::Say(code) = end {
            let mut whole = true;
            if [DisconnectReasonCode::NotAuthorized, DisconnectReasonCode::ServerBusy]
                .contains(&code)
            {
                // What is on its way is not this client's to hear any more, or may not be.
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
        let connect_until = Instant::now() + self.inner.limits.patience;
        // All three stay over all turns: to register them anew for each packet costs locks that everybody
        // shares. The alarm may ring early, where what it was set for has moved; then it is set again.
        let mut stopped = pin!(told_to_stop(stop));
        let mut alarm = pin!(sleep_until(connect_until));
        let mut woken: Option<Woken> = None;
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
            let stuck = self.out.stuck_at(now, self.inner.limits.patience);
            if stuck.is_some_and(|at| at <= now) {
                return Err(End::Gone);
            }
            self.paused_until = self.paused_until.filter(|at| *at > now);
            let due = [silent, stuck, self.paused_until].into_iter().flatten().min();
            if let Some(due) = due
                && (alarm.is_elapsed() || due < alarm.deadline())
            {
                alarm.as_mut().reset(due);
            }
            if woken.is_none() {
                woken = self.joined.as_ref().map(|joined| Woken::new(joined.session.clone()));
            }
            let roused = poll_fn(|context| match &mut woken {
                Some(woken) => woken.poll(context),
                None => Poll::Pending,
            });
            let read = self.paused_until.is_none() && self.out.len() < self.inner.limits.out_bytes;
            tokio::select! {
                biased;
                () = &mut stopped => return Err(self.stopped()),
                moved = exchange(&mut self.stream, &mut self.out, read) => {
                    match moved.map_err(|_| End::Gone)? {
                        Moved::Written => {}
                        Moved::Read(bytes) if bytes.is_empty() => return Err(End::Gone),
                        Moved::Read(bytes) => {
                            self.came = Instant::now();
                            self.feed(&bytes).await?;
                            self.heard();
                        }
                    }
                }
                () = roused => {}
                () = &mut alarm, if due.is_some() => {}
            }
        }
    }

    /// The end where the server stops.
    fn stopped(&mut self) -> End {
        if let Some(joined) = &mut self.joined {
            // Sessions end with the server, and nobody is gone: no will is due.
            joined.will = None;
        }
        End::Say(DisconnectReasonCode::ServerShuttingDown)
    }

    fn heard(&mut self) {
        // Now, and not when it came: the time that its packets took here was no silence of the client.
        let now = Instant::now();
        if let Some(silence) = self.alive_for.take().or(self.idle) {
            self.silent_until = Some(now + silence);
        }
        if let Some(joined) = &self.joined {
            joined.session.hear(now);
        }
    }

    /// Whether the session is still this connection's, and its device still welcome.
    async fn look(&mut self) -> Step {
        let Some(joined) = &mut self.joined else { return Ok(()) };
        // Before anything is looked at: what comes meanwhile is seen the next time.
        let roused = Some(joined.session.roused());
        if joined.looked == roused {
            return Ok(());
        }
        (joined.looked, joined.waits) = (roused, true);
        if joined.session.lock().turn != joined.turn {
            return Err(End::Say(DisconnectReasonCode::SessionTakenOver));
        }
        match joined.session.must_look() {
            // Seldom, and large.
            true => Box::pin(self.look_again()).await,
            false => Ok(()),
        }
    }

    /// Counts packets: who sends faster than it may is read from more slowly.
    fn slow_down(&mut self) {
        let per_second = self.inner.limits.packets_per_second;
        let allowance = Allowance::new(per_second, per_second);
        let since = self.came.saturating_duration_since(self.began).as_nanos();
        let ticks = Ticks(u64::try_from(since).unwrap_or(u64::MAX));
        self.pace.take(allowance, ticks);
        let wait = self.pace.wait(allowance, ticks);
        if wait > 0 {
            self.pause_until(self.came + Duration::from_nanos(wait));
        }
    }

    /// Reads nothing until then, or longer where that was so already.
    fn pause_until(&mut self, at: Instant) {
        self.paused_until = self.paused_until.max(Some(at));
    }

    async fn feed(&mut self, bytes: &[u8]) -> Step {
        let passed = self.guard.pass(bytes);
        let good = passed.err().and_then(|good| bytes.get(..good)).unwrap_or(bytes);
        self.read(good).await?;
        passed.map_err(|_| {
            self.note_malformed();
            End::Say(DisconnectReasonCode::MalformedPacket)
        })
    }

    /// Counts what is no MQTT, of a device that is here.
    fn note_malformed(&self) {
        if let Some(joined) = &self.joined {
            let refusal = Refusal::Malformed;
            self.inner.service.refuse_message(&joined.sender, self.door, refusal, "");
        }
    }

    async fn read(&mut self, bytes: &[u8]) -> Step {
        let mut cursor = Cursor::new(bytes);
        let end = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        while cursor.position() < end {
            let events = self.codec.recv(&mut cursor);
            let (wants, wrong) = self.apply(events);
            for packet in wants.packet.into_iter().chain(wants.others) {
                self.look().await?;
                self.slow_down();
                // A connection is silent most of its life: what handling takes is not part of it, and
                // is the memory that another one has just used.
                Box::pin(self.handle(packet.into())).await?;
            }
            if wrong {
                self.note_malformed();
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
                Event::NotifyPacketReceived(packet) if wants.packet.is_none() => {
                    wants.packet = Some(packet);
                }
                Event::NotifyPacketReceived(packet) => wants.others.push(packet),
                Event::RequestSendPacket { packet, .. } => {
                    self.out.push(&packet.to_continuous_buffer());
                }
                Event::RequestTimerReset { kind: TimerKind::PingreqRecv, duration_ms } => {
                    self.alive_for = Some(Duration::from_millis(duration_ms));
                }
                Event::RequestTimerCancel(TimerKind::PingreqRecv) => {
                    (self.alive_for, self.silent_until) = (None, None);
                }
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
    pub(super) fn send(&mut self, packet: Packet) -> bool {
        let events = self.codec.send(packet);
        let (_, wrong) = self.apply(events);
        !wrong
    }

    pub(super) fn say(&mut self, packet: Result<Packet, MqttError>) -> Step {
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
        if received.id() == Some(0) {
            // Before anything is done: it could not be answered (MQTT-2.2.1-3).
            return Err(End::Say(DisconnectReasonCode::ProtocolError));
        }
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

    /// Remembers that the client has a message to acknowledge.
    pub(super) fn awaits(&mut self, id: u16, bytes: usize) {
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
        if publish.properties.iter().any(|it| matches!(it, Property::SubscriptionIdentifier(_))) {
            // Only a server says to which subscription it belongs (MQTT-3.3.4-6).
            return Err(End::Say(DisconnectReasonCode::ProtocolError));
        }
        let name = match TopicName::new(publish.topic.clone())
            .and_then(|name| joined.sender.space().absolute(name))
        {
            Ok(name) => name,
            Err(error) => return self.bad_topic(five, qos, id, error),
        };
        // Until it is on disk it was not heard, whatever ends this connection.
        let twice = id.filter(|_| qos == Qos::ExactlyOnce);
        self.not_taken.extend(twice);
        let waits = qos != Qos::AtMostOnce;
        let by = (&joined.sender, self.door);
        let from = Sent { key: &joined.session.key, session: Some(&joined.session), waits };
        let taken = take(&self.inner, by, &name, &publish, from).await;
        // What it carries is refused, and that it came is acknowledged: to bring it again is of no use.
        let carried = matches!(taken, Err(MessageRefused::Enclosed(_)));
        if taken.is_ok() || (carried && !five) {
            self.not_taken.retain(|id| Some(*id) != twice);
        }
        let refused = match taken {
            Ok(()) => None,
            Err(MessageRefused::Refused(refusal)) if refusal.is_standing() => {
                self.outcast();
                return Err(End::Say(DisconnectReasonCode::NotAuthorized));
            }
            Err(MessageRefused::Refused(refusal)) => {
                if refusal == Refusal::DeviceRate {
                    // It is heard more slowly, so that a part of a fleet that sends all it can takes
                    // little from the others. Many messages may have come at once: each adds to it.
                    let now = Instant::now();
                    let from = self.paused_until.map_or(now, |at| at.max(now));
                    self.pause_until((from + TOO_MANY).min(now + TOO_MANY_MOST));
                }
                Some(refusal.answer().mqtt)
            }
            Err(MessageRefused::Enclosed(refusal)) => five.then_some(refusal.answer().mqtt),
            Err(MessageRefused::Failed(error)) => {
                tracing::error!(%error, "a message could not be kept");
                Some(0x80)
            }
        };
        if !five && refused.is_some() && qos != Qos::AtMostOnce {
            // 3.1.1 has no refusal: to acknowledge would be a lie (MQTT-3.3.5-2). Of what another device
            // signed it would be none: the envelope was heard, and its owner reads what was wrong with it.
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
        if matches!(error, TopicError::Wildcard | TopicError::Character) {
            // Malformed, and not just none of ours (MQTT-3.3.2-2, MQTT-4.7.3-2).
            return Err(End::Say(DisconnectReasonCode::TopicNameInvalid));
        }
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

    /// Sends what waits, as far as the client has room for it.
    fn send_waiting(&mut self) -> Step {
        let Some(joined) = self.joined.as_mut().filter(|joined| joined.waits) else {
            return Ok(());
        };
        {
            let state = joined.session.lock();
            if state.turn == joined.turn && state.next().is_none() {
                joined.waits = false;
                return Ok(());
            }
        }
        let (five, session, turn) = (joined.five, joined.session.clone(), joined.turn);
        let sender = joined.sender.clone();
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
            // Once more, now: it may have waited for a day.
            if !self.inner.service.may_hear(&sender, &delivery.message.topic) {
                continue;
            }
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
    pub(super) async fn look_again(&mut self) -> Step {
        if self.joined.is_none() {
            return Ok(());
        }
        let sender = self.sender_in_time().await?;
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

    /// Who the client is, where the store says so within a few seconds; `None` where it may not be here.
    /// Nothing is heard and nothing is told meanwhile. Then the connection ends, and the session is as that
    /// of any client that went: whether it may have it is looked when it comes again.
    async fn sender_in_time(&mut self) -> Result<Option<DoorSender>, End> {
        let began = Instant::now();
        for _ in 0..LOOKS {
            match self.sender().await {
                Ok(sender) => {
                    // Whoever was not heard was not silent.
                    self.silent_until = self.silent_until.map(|at| at + began.elapsed());
                    return Ok(sender);
                }
                Err(error) => {
                    tracing::error!(%error, "it could not be looked whether a device may still be here");
                    if timeout(LOOK_AGAIN, told_to_stop(&mut self.stop)).await.is_ok() {
                        return Err(self.stopped());
                    }
                }
            }
        }
        Err(End::Say(DisconnectReasonCode::ServerBusy))
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
            PendingWill { will, sender, due, door: self.door }
        });
        let at_once = pending.as_ref().is_some_and(|pending| pending.due <= now);
        let (now_due, later) = if at_once { (pending, None) } else { (None, pending) };
        let stored = self.codec.get_stored_packets();
        let turn = joined.turn;
        let ended = joined.session.leave(Left { turn, stored, handled, will: later });
        if let Some(will) = now_due.or(ended) {
            let inner = self.inner.clone();
            drop(tokio::spawn(async move { publish_will(&inner, key, will).await }));
        }
    }
}
