//! CoAP (RFC 7252): one device's side of a conversation over datagrams that somebody else secured.
//! docs/coap.md.
//!
//! The path is the topic: a request to send it there is a message like by any other door, and is
//! answered once it is on disk. A device asks `me/down` for what it is to hear.

mod body;
mod packet;

pub(crate) use body::Budget;

use crate::{
    Gateway,
    hub::{Inner, answered},
};
use admission::{Allowance, Meter, OWN, Refusal, Ticks, TopicName};
use body::{Bodies, Rendered, part};
use crypto::{Sha256, UnixTime, sha256};
use device::DeviceId;
use packet::{
    Answer, BAD_REQUEST, CHANGED, CONTENT, Code, Heard, INTERNAL, METHOD_NOT_ALLOWED, Method,
    NOT_ACCEPTABLE, NOT_FOUND, Request, UNSUPPORTED_FORMAT, read, reset,
};
use pki::Certificate;
use service::{DeviceHere, DoorSender, IncomingMessage, MessageDoor, MessageRefused, ServiceError};
use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// How long an answer is remembered, so that the same message is not taken twice (RFC 7252 section
/// 4.8.2, EXCHANGE_LIFETIME).
const REMEMBERED: Duration = Duration::from_secs(247);
/// Answers of one device that are remembered.
const REMEMBERED_MAX: usize = 32;
/// Bytes of answers of one device that are remembered.
const REMEMBERED_BYTES_MAX: usize = 8 * 1024;
/// How long nothing more is heard of who sends more than it may, for each message beyond that.
const TOO_MANY: Duration = Duration::from_millis(50);
/// After which a device that sent too much may try again, in seconds.
const RETRY_S: u32 = 1;
/// After which it is looked again whether a device may still be here, where that could not be said.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Content formats (RFC 7252 section 12.3 and its registry) and the media types that they are.
const FORMATS: [(u16, &str); 8] = [
    (0, "text/plain"),
    // COSE_Sign1 (RFC 9052 section 16.3)
    (18, "application/cose"),
    (42, "application/octet-stream"),
    (50, "application/json"),
    (60, "application/cbor"),
    // COSE_Encrypt
    (96, "application/cose"),
    (110, "application/senml+json"),
    (112, "application/senml+cbor"),
];
const LINK_FORMAT: u16 = 40;
const JSON: u16 = 50;
/// What there is to ask for (RFC 6690).
const LINKS: &str = "</me/down>;ct=50;title=\"commands and settings\"";

/// What there is to do after a datagram.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// what is sent back
    pub datagram: Option<Vec<u8>>,
    /// whether the device may not be here any more
    pub ends: bool,
    /// whether it was a request, and not something that costs its sender nothing
    pub meant: bool,
    /// for how long nothing more is to be heard: the device sends more than it may
    pub pause: Duration,
}

/// Why a conversation does not begin.
#[derive(Debug, thiserror::Error)]
pub enum Unwelcome {
    /// the device is known, and may not be here: that is among what was refused of it
    #[error("{}", .0.english())]
    Refused(Refusal),
    /// a key means another certificate than a moment ago; the device may come again
    #[error("the key means another certificate by now")]
    Renewed,
    /// who it is was not found out: it may not be here, or the store cannot say so now
    #[error(transparent)]
    Unknown(#[from] ServiceError),
}

/// A device that speaks CoAP, over one association.
pub struct Conversation {
    inner: Arc<Inner>,
    shown: Shown,
    sender: DoorSender,
    known: Arc<Known>,
    exchanges: Exchanges,
    bodies: Bodies,
    rendered: Rendered,
    began: Instant,
    /// it could not be looked whether the device may still be here: not again before then
    look_after: Option<Instant>,
    /// datagrams of any kind
    pace: Meter,
    /// of messages that are sent from here
    next_id: u16,
    /// that the device is connected from there
    _here: Option<DeviceHere>,
}

/// A conversation, as the gateway knows it: so that it can be told that something changed.
pub(crate) struct Known {
    device: DeviceId,
    sender: Mutex<DoorSender>,
    /// when it was last heard of
    heard: Mutex<Instant>,
    look: AtomicBool,
    /// another one of the device has its place
    over: AtomicBool,
    wake: Notify,
}

impl Known {
    /// Which device's.
    pub(crate) fn device(&self) -> DeviceId {
        self.device
    }

    /// When it was last heard of.
    pub(crate) fn heard(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.look.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Has it looked at where that may concern it.
    pub(crate) fn look_if(&self, concerns: impl FnOnce(&DoorSender) -> bool) {
        let concerned = concerns(&self.sender.lock().unwrap_or_else(PoisonError::into_inner));
        if concerned {
            self.look.store(true, Ordering::SeqCst);
            self.wake.notify_one();
        }
    }
}

impl Gateway {
    /// Begins a conversation with whoever showed this certificate, validated, and from where it comes.
    ///
    /// # Errors
    /// [`Unwelcome`].
    pub async fn coap(
        &self,
        certificate: &Certificate,
        source: IpAddr,
    ) -> Result<Conversation, Unwelcome> {
        let shown = Shown { certificate: certificate.clone(), key: None };
        self.converse(shown, source).await
    }

    /// As [`Self::coap`], with whoever showed a public key by itself (RFC 7250), as SubjectPublicKeyInfo in
    /// DER, that stands for this certificate. It may be here as long as it does.
    ///
    /// # Errors
    /// [`Unwelcome`].
    pub async fn coap_by_key(
        &self,
        spki: &[u8],
        certificate: &Certificate,
        source: IpAddr,
    ) -> Result<Conversation, Unwelcome> {
        let shown = Shown { certificate: certificate.clone(), key: Some(spki.into()) };
        self.converse(shown, source).await
    }

    async fn converse(&self, shown: Shown, source: IpAddr) -> Result<Conversation, Unwelcome> {
        let inner = self.0.clone();
        // First who is told of changes, then how things are: nothing falls between.
        let seen = inner.service.standing_count();
        let meant = as_meant(&inner, &shown)?;
        if meant.certificate.der() != shown.certificate.der() {
            return Err(Unwelcome::Renewed);
        }
        let sender = who(&inner, &shown).await?;
        if let Err(refusal) = sender.stands() {
            inner.service.refuse_message(&sender, MessageDoor::Coap, refusal, "");
            return Err(Unwelcome::Refused(refusal));
        }
        let known = Arc::new(Known {
            device: sender.device(),
            sender: Mutex::new(sender.clone()),
            heard: Mutex::new(Instant::now()),
            over: AtomicBool::new(false),
            look: AtomicBool::new(false),
            wake: Notify::new(),
        });
        inner.begin(&known);
        let here = inner.service.device_connected(&sender, source, "coap");
        let changes = inner.service.standing_changes(seen);
        known.look_if(|sender| inner.service.concerns(&changes, sender));
        Ok(Conversation {
            bodies: Bodies::new(inner.bodies.clone()),
            inner,
            shown,
            sender,
            known,
            exchanges: Exchanges::default(),
            rendered: Rendered::default(),
            began: Instant::now(),
            look_after: None,
            pace: Meter::default(),
            next_id: 0,
            _here: here,
        })
    }
}

/// Whether a datagram is a request that is understood, so that it would be judged.
pub fn is_request(datagram: &[u8]) -> bool {
    matches!(read(datagram), Heard::Request(..))
}

/// What a device is known by.
struct Shown {
    certificate: Certificate,
    /// it showed the SubjectPublicKeyInfo alone
    key: Option<Box<[u8]>>,
}

/// What was shown, with the certificate that it means by now.
///
/// # Errors
/// Where a key means none, or the store cannot say so now.
fn as_meant(inner: &Inner, shown: &Shown) -> Result<Shown, ServiceError> {
    let certificate = match &shown.key {
        None => shown.certificate.clone(),
        Some(spki) => inner.service.certificate_of_key(spki)?,
    };
    Ok(Shown { certificate, key: shown.key.clone() })
}

/// Who shows a certificate, as it stands now.
///
/// # Errors
/// Where it may not be here, or the store cannot say so now.
async fn who(inner: &Inner, shown: &Shown) -> Result<DoorSender, ServiceError> {
    let (service, certificate) = (&inner.service, &shown.certificate);
    let caller = service.identify_certificate(certificate).await?;
    match shown.key {
        None => service.door_sender(&caller, certificate),
        Some(_) => service.door_sender_by_key(&caller, certificate),
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.inner.end(&self.known);
    }
}

impl Conversation {
    /// Returns once it must be looked whether the device may still be here.
    pub async fn changed(&self) {
        if let Some(at) = self.look_after {
            sleep_until(at).await;
        }
        while !self.known.look.load(Ordering::SeqCst) {
            self.known.wake.notified().await;
        }
    }

    /// Looks again who this is; false where it may not be here any more.
    pub async fn look_again(&mut self) -> bool {
        if self.known.over.load(Ordering::SeqCst) {
            return false;
        }
        self.look_after = self.look_after.filter(|at| *at > Instant::now());
        if self.look_after.is_some() || !self.known.look.swap(false, Ordering::SeqCst) {
            return true;
        }
        let looked = match answered(as_meant(&self.inner, &self.shown)) {
            Ok(Some(shown)) => {
                let sender = answered(who(&self.inner, &shown).await);
                sender.map(|sender| (shown, sender))
            }
            // The device has another key now. It may come again with that, and is looked at anew.
            Ok(None) => return false,
            Err(error) => Err(error),
        };
        let (shown, sender) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                // Each message is judged again where it is kept. Later, then.
                tracing::error!(%error, "it could not be looked whether a device may still be here");
                self.known.look.store(true, Ordering::SeqCst);
                self.look_after = Some(Instant::now() + LOOK_AGAIN);
                return true;
            }
        };
        let refusal = match &sender {
            None => Some(Refusal::Revoked),
            Some(sender) => sender.stands().err(),
        };
        if let Some(refusal) = refusal {
            self.inner.service.refuse_message(&self.sender, MessageDoor::Coap, refusal, "");
            return false;
        }
        // What was said under the former owner ends with it, and nobody has looked who is above another CA's
        // certificate; the device may come again.
        let same = |it: &DoorSender| it.same_owner(&self.sender) && it.same_issuer(&self.sender);
        let Some(sender) = sender.filter(same) else { return false };
        // Renewed for the same key.
        self.shown = shown;
        *self.known.sender.lock().unwrap_or_else(PoisonError::into_inner) = sender.clone();
        self.sender = sender;
        true
    }

    /// When something that was kept has been kept for too long.
    pub fn body_until(&self) -> Option<Instant> {
        [self.bodies.until(), self.rendered.until()].into_iter().flatten().min()
    }

    /// Forgets what was kept for too long.
    pub fn forget(&mut self, now: Instant) {
        self.bodies.forget(now);
        self.rendered.forget(now);
    }

    /// Hears what one datagram says.
    pub async fn hear(&mut self, datagram: &[u8]) -> Reply {
        let pause = self.slow_down();
        let mut reply = self.hear_one(datagram).await;
        reply.pause = reply.pause.max(pause);
        if reply.meant {
            let mut heard = self.known.heard.lock().unwrap_or_else(PoisonError::into_inner);
            *heard = Instant::now();
        }
        reply
    }

    /// Counts datagrams of any kind: how long nothing more is to be heard.
    fn slow_down(&mut self) -> Duration {
        let per_second = self.inner.limits.datagrams_per_second;
        let allowance = Allowance::new(per_second, per_second);
        let since = self.began.elapsed().as_nanos();
        let ticks = Ticks(u64::try_from(since).unwrap_or(u64::MAX));
        self.pace.take(allowance, ticks);
        Duration::from_nanos(self.pace.wait(allowance, ticks))
    }

    async fn hear_one(&mut self, datagram: &[u8]) -> Reply {
        if !self.look_again().await {
            return Reply { ends: true, ..Reply::default() };
        }
        let (asked, request) = match read(datagram) {
            Heard::Nothing => return Reply::default(),
            Heard::Reset { id, malformed } => {
                let passed = self.count(malformed.then_some(Refusal::Malformed));
                let pause = passed.err().map_or(Duration::ZERO, pause_after);
                let datagram = passed.is_ok().then(|| reset(id));
                return Reply { datagram, pause, ..Reply::default() };
            }
            Heard::Refused(asked, code) => (asked, Err(code)),
            Heard::Request(asked, request) => (asked, Ok(request)),
        };
        let now = Instant::now();
        let exchange = Exchange::of(asked.id, datagram);
        if let Some(datagram) = self.exchanges.answer(&exchange, now) {
            return Reply { datagram: Some(datagram), ..Reply::default() };
        }
        let answered = match request {
            Err(code) => self.count(Some(Refusal::Malformed)).map(|()| code.into()),
            Ok(mut request) => match self.bodies.take(&mut request, now) {
                // A part of a message counts as one: else parts would cost nobody anything.
                Err(answer) => self.count(None).map(|()| answer),
                Ok(()) => self.serve(*request, now).await,
            },
        };
        let (answer, ends, pause) = match answered {
            Ok(answer) => (answer, false, Duration::ZERO),
            Err(refusal) => (refused(refusal), refusal.is_standing(), pause_after(refusal)),
        };
        self.next_id = self.next_id.wrapping_add(1);
        let datagram = answer.written(&asked, self.next_id);
        self.exchanges.remember(exchange, &datagram, now);
        Reply { datagram: Some(datagram), ends, meant: true, pause }
    }

    /// Counts something that is no message against what the device may send.
    fn count(&self, why: Option<Refusal>) -> Result<(), Refusal> {
        let service = &self.inner.service;
        let passed = service.pass_request(&self.sender);
        if let Some(refusal) = passed.err().or(why) {
            service.refuse_message(&self.sender, MessageDoor::Coap, refusal, "");
        }
        passed
    }

    async fn serve(&mut self, request: Request, now: Instant) -> Result<Answer, Refusal> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let down = path == [OWN, "down"];
        let links = path == [".well-known", "core"];
        match request.method {
            Method::Get if down || links => {
                self.count(None)?;
                Ok(if down { self.down(&request, now) } else { shown_links(&request) })
            }
            Method::Post if !path.is_empty() && !links => self.publish(request).await,
            _ => {
                self.count(None)?;
                Ok(if path.is_empty() { NOT_FOUND } else { METHOD_NOT_ALLOWED }.into())
            }
        }
    }

    /// A message.
    async fn publish(&self, request: Request) -> Result<Answer, Refusal> {
        let block1 = request.block1.map(|block| packet::Block { more: false, ..block });
        let with = |code: Code| Answer { block1, ..Answer::from(code) };
        let known = |format| FORMATS.iter().find(|(number, _)| *number == format);
        let media_type = match request.format.map(known) {
            None => None,
            Some(Some((_, media_type))) => Some((*media_type).to_owned()),
            Some(None) => {
                self.count(None)?;
                return Ok(with(UNSUPPORTED_FORMAT));
            }
        };
        let marks = Marks::read(&request.query);
        let topic = TopicName::new(request.path.join("/"));
        let topic = topic.and_then(|name| self.sender.space().absolute(name));
        let (Some(marks), Ok(topic)) = (marks, topic) else {
            self.count(Some(Refusal::Malformed))?;
            return Ok(with(BAD_REQUEST));
        };
        let message = IncomingMessage {
            door: MessageDoor::Coap,
            topic,
            payload: request.payload.into(),
            media_type,
            made_at: marks.made_at,
            counter: marks.counter,
            retain: marks.retain.then_some(1),
            expires_s: marks.expires_s,
            // One that is not confirmable hears 2.04 all the same, so it must be true.
            acknowledged: true,
        };
        match self.inner.service.take_message(&self.sender, &message).await {
            Ok(signed) => {
                let gateway = Gateway(self.inner.clone());
                match &signed {
                    Some(said) => gateway.heard(&said.sender, &said.message),
                    None => gateway.heard(&self.sender, &message),
                }
                Ok(with(CHANGED))
            }
            Err(MessageRefused::Refused(refusal)) => Err(refusal),
            // Who carries what another signed need not be slower for it.
            Err(MessageRefused::Enclosed(refusal)) => Ok(refused(refusal)),
            Err(MessageRefused::Failed(error)) => {
                tracing::error!(%error, "a message could not be kept");
                Ok(with(INTERNAL))
            }
        }
    }

    /// Commands that the device has not answered, and its settings: as `GET /v1/messages` gives them.
    fn down(&mut self, request: &Request, now: Instant) -> Answer {
        if request.accept.is_some_and(|format| format != JSON) {
            return NOT_ACCEPTABLE.into();
        }
        let wanted = request.block2;
        // Who asks for a later part wants it of what the first one was of.
        if wanted.is_some_and(|block| block.number > 0) {
            let Some((body, etag)) = self.rendered.get(now) else {
                return packet::INCOMPLETE.into();
            };
            return match part(body, wanted) {
                Some((payload, block2)) => content(payload, block2, etag),
                None => BAD_REQUEST.into(),
            };
        }
        let found = match self.inner.service.downlinks(&self.sender, true) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "what is to be told to a device could not be read");
                return INTERNAL.into();
            }
        };
        let root = self.sender.space().root();
        let items: Option<Vec<serde_json::Value>> = found
            .iter()
            .map(|downlink| {
                let payload: serde_json::Value = serde_json::from_slice(&downlink.payload).ok()?;
                let topic = downlink.topic.as_str().replacen(root, OWN, 1);
                Some(serde_json::json!({ "topic": topic, "payload": payload }))
            })
            .collect();
        let Some(items) = items else {
            tracing::error!("what the store gave as JSON is none");
            return INTERNAL.into();
        };
        let body = serde_json::Value::Array(items).to_string().into_bytes();
        let digest = sha256(&body);
        let etag = digest.as_bytes().get(..4).unwrap_or_default();
        let Some((payload, block2)) = part(&body, wanted) else { return BAD_REQUEST.into() };
        if block2.is_some() {
            self.rendered.keep(&body, etag, now);
        }
        self.inner.service.handed_over(&found);
        content(payload, block2, etag)
    }
}

fn content(payload: Vec<u8>, block2: Option<packet::Block>, etag: &[u8]) -> Answer {
    // What waits may be something else a moment later.
    let (format, max_age_s, etag) = (Some(JSON), Some(0), Some(etag.to_vec()));
    Answer { format, max_age_s, etag, block2, payload, ..Answer::from(CONTENT) }
}

fn shown_links(request: &Request) -> Answer {
    if request.accept.is_some_and(|format| format != LINK_FORMAT) {
        return NOT_ACCEPTABLE.into();
    }
    Answer { format: Some(LINK_FORMAT), payload: LINKS.into(), ..Answer::from(CONTENT) }
}

/// How long a device is not heard after a refusal.
fn pause_after(refusal: Refusal) -> Duration {
    if refusal == Refusal::DeviceRate { TOO_MANY } else { Duration::ZERO }
}

/// What a device hears of a refusal: no more than by any other door.
fn refused(refusal: Refusal) -> Answer {
    let code = refusal.answer().coap;
    let waits = matches!(code, (4, 29) | (5, 3));
    Answer { max_age_s: waits.then_some(RETRY_S), ..Answer::from(code) }
}

/// What the query of a message says of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Marks {
    made_at: Option<UnixTime>,
    counter: Option<u64>,
    expires_s: Option<u32>,
    retain: bool,
}

impl Marks {
    /// `None` where something is unknown, no number, or there twice.
    fn read(query: &[String]) -> Option<Self> {
        fn put<T: std::str::FromStr>(into: &mut Option<T>, value: &str) -> Option<()> {
            into.replace(value.parse().ok()?).is_none().then_some(())
        }
        let (mut time, mut counter, mut expires, mut retain) = (None::<i64>, None, None, None);
        for part in query {
            let (name, value) = part.split_once('=')?;
            match name {
                "time" => put(&mut time, value)?,
                "counter" => put(&mut counter, value)?,
                "expires" => put(&mut expires, value)?,
                "retain" => put(&mut retain, value)?,
                _ => return None,
            }
        }
        let made_at = time.map(UnixTime);
        Some(Self { made_at, counter, expires_s: expires, retain: retain.unwrap_or(false) })
    }
}

/// A message, by its identifier and what it is: some clients draw identifiers by lot, and use one again
/// for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exchange(u16, Sha256);

impl Exchange {
    fn of(id: u16, datagram: &[u8]) -> Self {
        Self(id, sha256(datagram))
    }
}

/// Answers of messages that were heard (RFC 7252 section 4.5).
#[derive(Debug, Default)]
struct Exchanges {
    heard: VecDeque<(Exchange, Instant, Vec<u8>)>,
    bytes: usize,
}

impl Exchanges {
    fn answer(&self, exchange: &Exchange, now: Instant) -> Option<Vec<u8>> {
        let known = self.heard.iter().find(|(known, until, _)| known == exchange && *until > now);
        known.map(|(_, _, answer)| answer.clone())
    }

    fn remember(&mut self, exchange: Exchange, answer: &[u8], now: Instant) {
        self.forget(|(known, until, _)| *known == exchange || *until <= now);
        self.bytes = self.bytes.saturating_add(answer.len());
        self.heard.push_back((exchange, now + REMEMBERED, answer.to_vec()));
        while self.heard.len() > REMEMBERED_MAX || self.bytes > REMEMBERED_BYTES_MAX {
            let Some((.., answer)) = self.heard.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(answer.len());
        }
    }

    fn forget(&mut self, over: impl Fn(&(Exchange, Instant, Vec<u8>)) -> bool) {
        let bytes = &mut self.bytes;
        self.heard.retain(|one| {
            let over = over(one);
            if over {
                *bytes = bytes.saturating_sub(one.2.len());
            }
            !over
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_numbers_and_stand_once() {
        let read = |query: &[&str]| {
            Marks::read(&query.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
        };
        let all = read(&["time=5", "counter=18446744073709551615", "expires=9", "retain=true"]);
        let wanted = Marks {
            made_at: Some(UnixTime(5)),
            counter: Some(u64::MAX),
            expires_s: Some(9),
            retain: true,
        };
        assert_eq!(all, Some(wanted));
        assert_eq!(read(&[]), Some(Marks::default()));
        for wrong in ["time", "time=", "counter=-1", "expires=4294967296", "retain=1", "what=1"] {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(read(&["counter=1", "counter=1"]), None);
    }

    #[test]
    fn an_answer_is_remembered_for_a_while_and_not_for_ever() {
        let (mut exchanges, now) = (Exchanges::default(), Instant::now());
        let seven = Exchange::of(7, b"a");
        exchanges.remember(seven, b"seven", now);
        assert_eq!(exchanges.answer(&seven, now).as_deref(), Some(b"seven".as_slice()));
        assert_eq!(exchanges.answer(&Exchange::of(8, b"a"), now), None);
        assert_eq!(exchanges.answer(&Exchange::of(7, b"b"), now), None, "something else");
        assert_eq!(exchanges.answer(&seven, now + REMEMBERED), None);
        for id in 100..200 {
            exchanges.remember(Exchange::of(id, b"a"), &[0; 100], now);
        }
        assert_eq!(exchanges.heard.len(), REMEMBERED_MAX);
        assert_eq!(exchanges.answer(&seven, now), None);
        exchanges.remember(Exchange::of(200, b"a"), &[0; REMEMBERED_BYTES_MAX], now);
        assert_eq!((exchanges.heard.len(), exchanges.bytes), (1, REMEMBERED_BYTES_MAX));
        exchanges.remember(Exchange::of(201, b"a"), b"x", now + REMEMBERED);
        assert_eq!((exchanges.heard.len(), exchanges.bytes), (1, 1));
    }
}
