//! One connection: from CONNECT to the end.

use super::{
    packets::{
        self, Connect, Granted, Publish, Received, Wanted, Welcome, Will, acknowledge, complete,
        forwarded, release, subscribed, turned_away, unsubscribed, welcome,
    },
    session::{Delivery, Key, Outgoing, Session, Subscribed},
};
use crate::{
    Gateway,
    hub::{Inner, Opened},
};
use admission::{Refusal, Subscription, TopicError, TopicName};
use mqtt_protocol_core::mqtt::{
    Connection, Version,
    common::Cursor,
    connection::{ConnectionOptions, Event, TimerKind, role},
    packet::{GenericPacketTrait as _, Packet, Property, Qos},
    result_code::{ConnectReasonCode, DisconnectReasonCode, MqttError},
};
use pki::Certificate;
use service::{DoorSender, IncomingMessage, MessageDoor, MessageRefused};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::watch,
    time::{sleep_until, timeout},
};

/// Bytes read at a time.
const READ_BYTES: usize = 4096;
/// Longest client identifier, in bytes.
const CLIENT_BYTES_MAX: usize = 128;
/// User properties that carry a message's time and counter (freshness).
const TIME: &str = "tegata-time";
const COUNTER: &str = "tegata-counter";

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
    pub async fn mqtt<S>(&self, stream: S, certificate: &Certificate, stop: watch::Receiver<bool>)
    where
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
            stream,
            codec,
            out: Vec::new(),
            silent_until: None,
            idle: None,
            unacknowledged: 0,
            joined: None,
        };
        link.run(stop).await;
    }
}

struct Link<S> {
    inner: Arc<Inner>,
    certificate: Certificate,
    stream: S,
    codec: Connection<role::Server>,
    out: Vec<u8>,
    /// when the client must have said something (keep alive)
    silent_until: Option<Instant>,
    /// how long a client may be silent that set no keep alive
    idle: Option<Duration>,
    /// messages to the client that it has not acknowledged
    unacknowledged: u16,
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

/// What the codec wants after it was given something.
#[derive(Default)]
struct Wants {
    packets: Vec<Packet>,
    close: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link<S> {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut epoch = self.inner.epoch.subscribe();
        let end = match self.converse(&mut epoch, &mut stop).await {
            Ok(()) => End::Gone,
            Err(end) => end,
        };
        if let (End::Say(code), Some(Joined { five: true, .. })) = (&end, &self.joined)
            && let Ok(packet) = packets::goodbye(*code)
        {
            self.send(packet);
        }
        let _last = self.flush().await;
        let _shut = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
        self.leave();
    }

    async fn converse(
        &mut self,
        epoch: &mut watch::Receiver<u64>,
        stop: &mut watch::Receiver<bool>,
    ) -> Step {
        let mut buffer = vec![0; READ_BYTES];
        let patience = Instant::now() + self.inner.limits.patience;
        loop {
            self.send_waiting()?;
            self.flush().await?;
            let silent = match &self.joined {
                None => Some(patience),
                Some(_) => self.silent_until,
            };
            let session = self.joined.as_ref().map(|joined| joined.session.clone());
            let woken = async {
                match &session {
                    Some(session) => session.wake.notified().await,
                    None => std::future::pending().await,
                }
            };
            let silence = async {
                match silent {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = told_to_stop(stop) => {
                    return Err(End::Say(DisconnectReasonCode::ServerShuttingDown));
                }
                Ok(()) = epoch.changed() => self.look_again().await?,
                () = woken => self.still_mine()?,
                () = silence => {
                    return Err(End::Say(DisconnectReasonCode::KeepAliveTimeout));
                }
                read = self.stream.read(&mut buffer) => {
                    let count = read.map_err(|_| End::Gone)?;
                    if count == 0 {
                        return Err(End::Gone);
                    }
                    self.feed(buffer.get(..count).unwrap_or_default()).await?;
                    if let Some(idle) = self.idle {
                        self.silent_until = Some(Instant::now() + idle);
                    }
                }
            }
        }
    }

    async fn feed(&mut self, bytes: &[u8]) -> Step {
        let mut cursor = Cursor::new(bytes);
        let end = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        while cursor.position() < end {
            let events = self.codec.recv(&mut cursor);
            let (wants, wrong) = self.apply(events);
            for packet in wants.packets {
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
                    self.out.extend_from_slice(&packet.to_continuous_buffer());
                }
                Event::RequestTimerReset { kind: TimerKind::PingreqRecv, duration_ms } => {
                    self.silent_until = Some(Instant::now() + Duration::from_millis(duration_ms));
                }
                Event::RequestTimerCancel(TimerKind::PingreqRecv) => self.silent_until = None,
                Event::RequestTimerReset { .. } | Event::RequestTimerCancel(_) => {}
                Event::NotifyPacketIdReleased(_) => {
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
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

    async fn flush(&mut self) -> Step {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        let write = async {
            self.stream.write_all(&out).await?;
            self.stream.flush().await
        };
        match timeout(self.inner.limits.patience, write).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
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
        service.door_sender(&caller).ok()
    }

    async fn connect(&mut self, connect: Connect) -> Step {
        let five = connect.five;
        let refuse = |link: &mut Self, code| {
            link.say(turned_away(five, code))?;
            Err(End::Gone)
        };
        let Some(sender) = self.sender().await else {
            return refuse(self, ConnectReasonCode::NotAuthorized);
        };
        if let Err(refusal) = sender.stands() {
            self.inner.service.refuse_message(&sender, MessageDoor::Mqtt, refusal, "");
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
        let client = assigned.clone().unwrap_or(connect.client);
        let key = Key { device: sender.device(), client };
        let (session, present) = match self.inner.open(&key, connect.clean) {
            Opened::Session(session, present) => (session, present),
            Opened::Full => return refuse(self, ConnectReasonCode::QuotaExceeded),
        };
        let most = self.inner.limits.session_expiry_s;
        let keep = Duration::from_secs(connect.session_expiry_s.min(most).into());
        let (turn, stored, handled) = {
            let mut state = session.lock();
            state.sender = Some(sender.clone());
            state.keep = keep;
            (state.turn, std::mem::take(&mut state.stored), std::mem::take(&mut state.handled))
        };
        let limit = self.inner.limits.keep_alive_s;
        let shorter = (connect.keep_alive_s == 0 || connect.keep_alive_s > limit).then_some(limit);
        let will = connect.will;
        self.joined = Some(Joined { five, session, turn, sender, will, keep });
        if present {
            self.unacknowledged = u16::try_from(stored.len()).unwrap_or(u16::MAX);
            self.codec.restore_packets(stored);
            self.codec.restore_qos2_publish_handled(handled.into_iter().collect());
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
        if !five && connect.keep_alive_s == 0 {
            // Nobody is silent for ever, and 3.1.1 has no word for it: a server may end the
            // connection of a client that it takes for inactive (MQTT 3.1.1 section 3.1.2.10).
            self.idle = Some(Duration::from_secs(limit.into()));
        }
        Ok(())
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
        let taken = take(&self.inner, &sender, &name, &publish, from).await;
        let refused = match taken {
            Ok(()) => None,
            Err(MessageRefused::Refused(refusal)) if refusal.is_standing() => {
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
            granted.push(self.grant(&session, &sender, want, identifier));
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
            self.send_retained(&session, &sender, &subscribed);
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
            self.inner.service.refuse_message(sender, MessageDoor::Mqtt, refusal, filter);
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

    fn send_retained(&self, session: &Session, sender: &DoorSender, subscribed: &Subscribed) {
        let kept = match self.inner.service.retained_messages(sender, &subscribed.meant) {
            Ok(kept) => kept,
            Err(error) => {
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
        loop {
            let room = self.unacknowledged < self.inner.limits.in_flight
                && self.codec.get_receive_maximum_vacancy_for_send().is_none_or(|left| left > 0);
            let delivery = {
                let mut state = session.lock();
                if state.turn != turn {
                    return Err(End::Say(DisconnectReasonCode::SessionTakenOver));
                }
                match state.queue.front() {
                    Some(next) if room || next.qos == Qos::AtMostOnce => state.pop(),
                    _ => None,
                }
            };
            let Some(delivery) = delivery else { return Ok(()) };
            let id = match delivery.qos {
                Qos::AtMostOnce => None,
                _ => Some(self.codec.acquire_packet_id().map_err(|_| End::Gone)?),
            };
            let sent = match packets::publish(five, &delivery, id) {
                Ok(Some(packet)) => self.send(packet),
                Ok(None) | Err(_) => false,
            };
            let Some(id) = id else { continue };
            self.unacknowledged = self.unacknowledged.saturating_add(1);
            if !sent {
                // Over, or larger than the client takes: as if it had been sent (MQTT-3.1.2-25).
                let events = self.codec.release_packet_id(id);
                let _nothing = self.apply(events);
            }
        }
    }

    fn still_mine(&self) -> Step {
        let Some(joined) = &self.joined else { return Ok(()) };
        match joined.session.lock().turn == joined.turn {
            true => Ok(()),
            false => Err(End::Say(DisconnectReasonCode::SessionTakenOver)),
        }
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
            service.refuse_message(&joined.sender, MessageDoor::Mqtt, refusal, "");
            joined.will = None;
            let mut state = joined.session.lock();
            state.sender = None;
            state.keep = Duration::ZERO;
            return Err(End::Say(DisconnectReasonCode::NotAuthorized));
        }
        if let Some(sender) = sender {
            joined.session.lock().sender = Some(sender.clone());
            joined.sender = sender;
        }
        Ok(())
    }

    /// The connection has ended: the session stays as long as the client asked for, and the will is
    /// published where it did not say goodbye.
    fn leave(&mut self) {
        let Some(mut joined) = self.joined.take() else { return };
        let _events = self.codec.notify_closed();
        let handled = self.codec.get_qos2_publish_handled().into_iter().collect();
        joined.session.leave(joined.turn, self.codec.get_stored_packets(), handled);
        let Some(will) = joined.will.take() else { return };
        let inner = self.inner.clone();
        drop(tokio::spawn(async move {
            let keep = joined.session.lock().keep;
            tokio::time::sleep(will.delay.min(keep)).await;
            let (open, turn) = {
                let state = joined.session.lock();
                (state.open, state.turn)
            };
            // The client is back (MQTT 5 section 3.1.3.2.2); one that took the session over is
            // another connection, and the will of this one is due.
            if open && turn != joined.turn && !will.delay.is_zero() {
                return;
            }
            let name = TopicName::new(will.topic.as_str())
                .and_then(|name| joined.sender.space().absolute(name));
            let Ok(name) = name else { return };
            let publish = Publish {
                id: None,
                topic: will.topic,
                payload: will.payload,
                qos: will.qos,
                retain: will.retain,
                properties: will.properties,
            };
            let from = Some(joined.session.key.clone());
            if let Err(error) = take(&inner, &joined.sender, &name, &publish, from).await {
                tracing::debug!(%error, "a will was not published");
            }
        }));
    }
}

fn assigned_identifier() -> String {
    let bytes: [u8; 12] = crypto::random::bytes();
    bytes.iter().fold("auto-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Returns once the server stops, or whoever could say so is gone.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Takes a message and gives it to those who listen.
async fn take(
    inner: &Inner,
    sender: &DoorSender,
    name: &TopicName,
    publish: &Publish,
    from: Option<Key>,
) -> Result<(), MessageRefused> {
    let mut made_at = None;
    let mut counter = None;
    let mut media_type = None;
    let mut expires = None;
    let mut text = false;
    for property in &publish.properties {
        match property {
            Property::UserProperty(it) if it.key() == TIME => {
                made_at = Some(crypto::UnixTime(it.val().parse().unwrap_or(i64::MIN)));
            }
            Property::UserProperty(it) if it.key() == COUNTER => {
                counter = Some(it.val().parse().map_err(|_| {
                    let why = Refusal::Unmarked;
                    let topic = name.as_str();
                    inner.service.refuse_message(sender, MessageDoor::Mqtt, why, topic);
                    MessageRefused::Refused(why)
                })?);
            }
            Property::ContentType(it) => media_type = Some(it.val().to_owned()),
            Property::MessageExpiryInterval(it) => {
                expires = Some(Instant::now() + Duration::from_secs(it.val().into()));
            }
            Property::PayloadFormatIndicator(it) => text = it.val() == 1,
            _ => {}
        }
    }
    if text && std::str::from_utf8(&publish.payload).is_err() {
        let why = Refusal::Malformed;
        inner.service.refuse_message(sender, MessageDoor::Mqtt, why, name.as_str());
        return Err(MessageRefused::Refused(why));
    }
    let payload: Arc<[u8]> = publish.payload.as_slice().into();
    let message = IncomingMessage {
        door: MessageDoor::Mqtt,
        topic: name.clone(),
        payload: payload.clone(),
        media_type,
        made_at,
        counter,
        retain: publish.retain.then_some(publish.qos as u8),
        acknowledged: publish.qos != Qos::AtMostOnce,
    };
    inner.service.take_message(sender, &message).await?;
    let outgoing = Outgoing {
        topic: name.clone(),
        payload,
        qos: publish.qos,
        retain: publish.retain,
        properties: forwarded(&publish.properties),
        expires,
        from,
    };
    inner.deliver(&Arc::new(outgoing));
    Ok(())
}
