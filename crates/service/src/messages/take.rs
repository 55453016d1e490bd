//! A message comes in.

use super::{
    sender::DoorSender,
    signed::{Signed, SignedTaken, signer_of},
    traffic::{Beside, Why},
};
use crate::{
    Service, ServiceError,
    commands::{Speaker, hear, holds},
    device_log::is_too_much,
    purposes::MessageUses,
    routes::Routed,
    store::{
        certificate::{self as certificates, Status},
        message::{self as store, NewMessage},
    },
};
use admission::{
    Direction, Message, Meters, OrganisationTraffic, OwnSpaceOnly, PayloadAnswer, Policy, Quotas,
    Refusal, Rules, Said, Surroundings, TopicFilter, TopicName, admit, route::RoutedMessage,
};
use audit::{Kind, Outcome, SecurityEvent};
use crypto::UnixTime;
use device::{DeviceId, Phase, StandingKind};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

/// What is kept of one device's messages; the oldest go, at the latest a moment after newer ones came.
/// Its bytes count payloads, topics, and 128 for each message.
const KEPT: store::Room = store::Room { count: 10_000, bytes: 64 * 1024 * 1024 };
/// Topics of one device whose newest message is kept.
const RETAINED_MAX: u32 = 64;
/// Pages of topics that are looked through for one filter: each topic may take a decision.
const RETAINED_PAGES: usize = 2;
/// How long messages are kept, in seconds.
const RETENTION_S: i64 = 30 * 86_400;
/// Messages whose retention ends in one commit.
const EXPIRE_BATCH: usize = 250;
/// Commits of that in one round.
const EXPIRE_ROUNDS: usize = 240;
/// From how many messages on, or after how many seconds, it is written down where they are: each device's place
/// is a page of its own, whether one message goes there or many.
const SETTLE_DUE: (i64, i64) = (16_384, 10);
/// Messages of one round of that.
const SETTLE_ROUND: usize = 65_536;
/// Devices and messages that are settled in one commit, where there are not very many: whoever sends meanwhile
/// waits behind it.
const SETTLE_PART: (usize, usize) = (64, 1000);
/// Longest media type, in bytes.
const MEDIA_TYPE_MAX: usize = 128;
/// Security events about refused messages in one round, and in one commit.
const EVENTS_MAX: usize = 100;
const EVENTS_BATCH: usize = 20;
/// Rows of what was refused in one commit.
const REFUSED_BATCH: usize = 100;

/// Which door a message came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageDoor {
    /// MQTT over TLS
    Mqtt = 1,
    /// HTTP
    Http = 2,
    /// MQTT over WebSocket over TLS
    Websocket = 3,
    /// CoAP over DTLS
    Coap = 4,
}

impl MessageDoor {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Http => "http",
            Self::Websocket => "websocket",
            Self::Coap => "coap",
        }
    }

    /// Every door.
    pub const ALL: [Self; 4] = [Self::Mqtt, Self::Http, Self::Websocket, Self::Coap];

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.code() == code)
    }
}

/// A message as a door took it.
#[derive(Debug, Clone)]
pub struct IncomingMessage {
    /// through which door
    pub door: MessageDoor,
    /// where it goes, absolute
    pub topic: TopicName,
    /// what it says
    pub payload: Arc<[u8]>,
    /// its media type, where the sender names one
    pub media_type: Option<String>,
    /// when it was made, as it says
    pub made_at: Option<UnixTime>,
    /// its counter, where it has one
    pub counter: Option<u64>,
    /// whether it stays as the newest of its topic, and with which quality of service
    pub retain: Option<u8>,
    /// after how many seconds it is of no use any more
    pub expires_s: Option<u32>,
    /// whether the sender is told once it is on disk; where not, nobody waits for that
    pub acknowledged: bool,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MessageRefused {
    /// it is not admitted
    #[error("{}", .0.english())]
    Refused(Refusal),
    /// it came, and what it encloses is not admitted: what a device signed, and who brings it has done its
    /// part
    #[error("{}", .0.english())]
    Enclosed(Refusal),
    /// the store failed; the sender may try again
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

/// Who is at fault where a message is refused by the store.
enum Late {
    /// what was said
    Said(Refusal),
    /// who brought it
    Brought(Refusal),
}

/// The newest message of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedMessage {
    /// where it went, absolute
    pub topic: TopicName,
    /// its quality of service
    pub qos: u8,
    /// its media type
    pub media_type: Option<String>,
    /// what it says
    pub payload: Arc<[u8]>,
    /// for how many more seconds it is of use
    pub expires_s: Option<u32>,
}

impl Service {
    /// Takes a message: judges it and, where it is admitted, keeps it. Once this returns it is on
    /// disk, unless nobody is told. Where its device signed it, what it said is given: those who listen
    /// hear that.
    ///
    /// # Errors
    /// [`MessageRefused`].
    pub async fn take_message(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
    ) -> Result<Option<SignedTaken>, MessageRefused> {
        match signer_of(&message.topic) {
            Some(signer) => self.take_signed(sender, message, signer).await.map(Some),
            None => self.take_said(sender, message, None).await.map(|()| None),
        }
    }

    /// Takes what a device says, itself or by another that carries it.
    pub(super) async fn take_said(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
        signed: Option<&Signed>,
    ) -> Result<(), MessageRefused> {
        let now = self.now();
        let asked = self.ask_schemas(sender, message).await;
        let uses = match self.uses_of(sender, message) {
            Ok(uses) => uses,
            Err(error) => {
                tracing::error!(%error, "purposes could not be looked up: nothing is taken");
                let refused = self.refuse_said((sender, signed), message, Refusal::Route, None);
                return Err(refused);
            }
        };
        let judged = self.judge_message(sender, message, (&asked.answer, uses.admitted()), now);
        let lacks = uses.lacks(signed.is_some(), signed.is_some_and(|it| it.encrypted.is_some()));
        let judged = judged.and(lacks.map_or(Ok(()), |_| Err(Refusal::Protection)));
        self.count_schemas(sender, message, &asked, judged);
        let media_type = message.media_type.clone().filter(|it| it.len() <= MEDIA_TYPE_MAX);
        let judged = judged.and_then(|()| {
            let below = message.topic.as_str().strip_prefix(sender.space().root());
            match below.and_then(|rest| rest.strip_prefix('/')) {
                Some(own) => {
                    let said = Said::read(own, &message.payload).map_err(|_| Refusal::Schema)?;
                    Ok((own.to_owned(), said, None))
                }
                // A policy opened another device's space: there it says nothing to its owner's side.
                None => {
                    let (path, space) = self.space_of(sender, &message.topic)?;
                    Ok((path, None, Some(space)))
                }
            }
        });
        let (topic, said, space) = match judged {
            Ok(own) => own,
            Err(refusal) => {
                let why = asked.answer == PayloadAnswer::Refused(refusal);
                let why = match refusal {
                    Refusal::Consent => Some(uses.told()),
                    Refusal::Protection => lacks.map(str::to_owned),
                    _ => asked.detail.filter(|_| why),
                };
                if signed.is_some() && is_for_good(refusal) {
                    self.remember(sender.row, message.counter).await?;
                }
                return Err(self.refuse_said((sender, signed), message, refusal, why));
            }
        };
        let new = NewMessage {
            device: sender.row,
            owner: sender.owner,
            door: message.door.code(),
            space,
            topic,
            media_type,
            payload: message.payload.clone(),
            received_at: now,
            expires_at: message
                .expires_s
                .map(|seconds| UnixTime(now.0.saturating_add(i64::from(seconds)))),
            signed: signed.map(|it| *it.certificate.as_bytes()),
            carrier: signed.and_then(Signed::carrier).map(|carrier| carrier.row),
            encrypted: signed.and_then(|it| it.encrypted),
        };
        let routed = self.routes_of_message(sender, &new, &message.topic, &uses)?;
        let counter = message.counter;
        let retain = message.retain.map(|qos| (qos, message.topic.clone()));
        let (retained, speaks) = (retain.is_some(), sender.clone());
        let brought = signed.map(|it| it.by.clone());
        let carried = signed.is_some_and(|it| it.carried);
        let (answers, waits) = (said.is_some(), routed.is_some() || space.is_some());
        // Names are written out for those few messages alone that say something to their owner.
        let said = match said {
            Some(said) => {
                let watched = match &said {
                    Said::Log(segment) => {
                        let entries = segment.entries.iter().map(|read| &read.entry);
                        self.watched_log(sender.rows().0, entries)?
                    }
                    _ => None,
                };
                let speaker = Speaker {
                    device: sender.sender.device.to_string(),
                    organisation: sender.sender.owner.to_string(),
                    platform: Arc::clone(&self.platform),
                    door: message.door.code(),
                    watched,
                };
                // Most say nothing of the kind, and carry no room for it.
                Some(Box::new((said, speaker)))
            }
            None => None,
        };
        let work = move |tx: &mut crate::store::Tx<'_>| {
            // Once more, in the order of all changes: a message that is committed after its sender
            // was revoked is not kept, however late it was on its way. Nor one that somebody brought who
            // was.
            let by = brought.as_ref().map_or(Ok(None), |by| fallen(tx, by))?;
            if let Some(refusal) = by {
                return Ok(Some(Late::Brought(refusal)));
            }
            if let Some(refusal) = fallen(tx, &speaks)? {
                return Ok(Some(Late::Said(refusal)));
            }
            // The device in whose space it is may have gone to somebody else meanwhile.
            if let Some(space) = new.space
                && !store::is_of(tx, space, new.owner)?
            {
                return Ok(Some(Late::Said(Refusal::Topic)));
            }
            let window = match counter {
                Some(counter) => Some((store::window(tx, new.device)?, counter)),
                None => None,
            };
            let heard = match window {
                None => None,
                // What it says of itself counts as its newest word: who carries that does not choose an
                // older one.
                Some((window, counter))
                    if carried && said.is_some() && window.is_behind(counter) =>
                {
                    return Ok(Some(Late::Said(Refusal::Replayed)));
                }
                Some((window, counter)) => match window.hear(counter) {
                    Ok(window) => Some(window),
                    Err(why) => return Ok(Some(Late::Said(why.into()))),
                },
            };
            if let Some((said, _)) = said.as_deref()
                && !holds(tx, (new.device, new.owner), said)?
            {
                if let Some(window) = heard.filter(|_| new.signed.is_some()) {
                    store::set_window(tx, new.device, &window)?;
                }
                return Ok(Some(Late::Said(Refusal::Protection)));
            }
            if let Some((Said::Log(segment), _)) = said.as_deref()
                && is_too_much(tx, (new.device, new.owner), segment, now)?
            {
                return Ok(Some(Late::Said(Refusal::DeviceRate)));
            }
            // A full queue is found before anything is written: what is refused was not heard.
            if let Some(refusal) = crate::routes::refusal(tx, routed.as_ref())? {
                return Ok(Some(Late::Said(refusal)));
            }
            if let Some(window) = heard {
                store::set_window(tx, new.device, &window)?;
            }
            if let Some((qos, topic)) = &retain
                && !store::retain(tx, topic.as_str(), *qos, &new, RETAINED_MAX)?
            {
                return Ok(Some(Late::Said(Refusal::Route)));
            }
            store::insert(tx, &new)?;
            crate::routes::put(tx, routed.as_ref())?;
            if let Some((said, speaker)) = said.as_deref() {
                hear(tx, (new.device, new.owner), said, speaker, now)?;
            }
            Ok(None)
        };
        // What can still be refused is waited for: who listens hears nothing that was not admitted.
        if !message.acknowledged && counter.is_none() && !retained && !answers && !waits {
            self.store.writer.queue_quietly(move |tx| work(tx).map(|_| ()));
            self.count_admitted((sender, carried), message, now);
            return Ok(());
        }
        self.faults.point(crate::fault::BEFORE_MESSAGE)?;
        // What only appends has refused before it changes anything.
        let late = match counter.is_none() && !retained && !answers {
            true => self.store.writer.run_checked(work).await?,
            false => self.commit(work).await?,
        };
        self.faults.point(crate::fault::AFTER_MESSAGE)?;
        match late {
            None => {
                self.count_admitted((sender, carried), message, now);
                Ok(())
            }
            Some(Late::Said(refusal)) => {
                Err(self.refuse_said((sender, signed), message, refusal, None))
            }
            Some(Late::Brought(refusal)) => {
                let by = signed.map_or(sender, |it| &it.by);
                self.refuse_publishing(by, message, refusal, None);
                Err(MessageRefused::Refused(refusal))
            }
        }
    }

    /// Counts a message that was admitted: for rates at the doors, and for what the device usually does.
    /// Through which door, when and how fast what it signed is carried is not what it does.
    fn count_admitted(
        &self,
        (sender, carried): (&DoorSender, bool),
        message: &IncomingMessage,
        now: UnixTime,
    ) {
        self.traffic.lock().admitted(sender.owner, message.door);
        let door = (!carried).then_some(message.door);
        let what = (door, message.topic.as_str(), message.payload.len());
        self.observe_message(sender, what, now);
    }

    /// Puts down that a counter was heard of what was refused for good: it is not judged twice.
    async fn remember(&self, device: i64, counter: Option<u64>) -> Result<(), ServiceError> {
        let Some(counter) = counter else { return Ok(()) };
        self.commit(move |tx| match store::window(tx, device)?.hear(counter) {
            Ok(window) => store::set_window(tx, device, &window),
            Err(_) => Ok(()),
        })
        .await
    }

    /// Books why something is refused that a device said, and says what who brought it hears.
    ///
    /// Where another carried it, neither has shown by its own key that it is at fault: the one chose neither
    /// when nor how often it comes, the other cannot see into what it carries.
    pub(super) fn refuse_said(
        &self,
        (sender, signed): (&DoorSender, Option<&Signed>),
        message: &IncomingMessage,
        refusal: Refusal,
        detail: Option<String>,
    ) -> MessageRefused {
        match signed.and_then(Signed::carrier) {
            None => self.refuse_publishing(sender, message, refusal, detail),
            // To bring something twice is the carrier's doing.
            Some(carrier) if refusal == Refusal::Replayed => {
                let beside = (Beside::Signer, sender.device());
                self.refuse_beside((carrier, beside), message, refusal, detail);
            }
            Some(carrier) => {
                let beside = (Beside::Carrier, carrier.device());
                self.refuse_beside((sender, beside), message, refusal, detail);
            }
        }
        match signed {
            // That a device is revoked or suspended is no fault of who carries its words.
            Some(it) if it.carried && refusal.is_standing() => {
                MessageRefused::Enclosed(Refusal::Protection)
            }
            Some(it) if it.carried || refusal == Refusal::Replayed => {
                MessageRefused::Enclosed(refusal)
            }
            _ => MessageRefused::Refused(refusal),
        }
    }

    /// A message as routes take it, where any does. Most organisations have none, and pay nothing.
    fn routes_of_message(
        &self,
        sender: &DoorSender,
        new: &NewMessage,
        whole: &TopicName,
        uses: &MessageUses,
    ) -> Result<Option<Routed>, ServiceError> {
        if self.live.routes.ask(&sender.owner, |routes| routes.is_empty()) == Some(true) {
            return Ok(None);
        }
        let routes = self.live_routes_of(sender.owner)?;
        if routes.is_empty() {
            return Ok(None);
        }
        // In another device's space a topic is named whole: it is not the sender's own of that name.
        let topic = if new.space.is_some() { whole.as_str() } else { &new.topic };
        let product = sender.sender.product.as_ref();
        let product = product.map(|(maker, product)| format!("{maker}/{product}"));
        let going = crate::routes::going(
            &routes,
            uses,
            &RoutedMessage {
                device: sender.sender.device,
                product: product.as_deref(),
                topic,
                door: MessageDoor::from_code(new.door).map_or("unknown", MessageDoor::name),
                received_at: new.received_at,
                media_type: new.media_type.as_deref(),
                payload: &new.payload,
            },
        );
        let message = NewMessage { topic: topic.to_owned(), ..new.clone() };
        Ok((!going.is_empty()).then_some(Routed { going, product, message }))
    }

    /// What a message may be used for.
    fn uses_of(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
    ) -> Result<MessageUses, ServiceError> {
        let whole = message.topic.as_str();
        let own = whole.strip_prefix(sender.space().root()).and_then(|it| it.strip_prefix('/'));
        match own {
            Some(own) => self.message_uses(sender.rows(), own, None),
            None => self.message_uses_beside(sender.rows(), whole, None),
        }
    }

    pub(super) fn judge_message(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
        (payload, consented): (&PayloadAnswer, bool),
        now: UnixTime,
    ) -> Result<(), Refusal> {
        if sender.ends_before(now) {
            return Err(Refusal::Expired);
        }
        if !self.certificate_works(sender) {
            return Err(Refusal::Revoked);
        }
        // The counters that were heard are asked in the transaction, where nobody else is.
        let window = &admission::ReplayWindow::default();
        let quotas = Quotas::default();
        let rules = Rules { consented, ..Rules::default() };
        let ticks = self.traffic.ticks();
        // Who sends more than it may has no policy asked on its behalf: that costs more than a meter, and
        // what it would hear is the same.
        let policies = self.has_policies(sender);
        if policies && sender.stands().is_ok() && !self.has_room(sender) {
            return Err(Refusal::DeviceRate);
        }
        // Asked before the meters are taken, which everybody shares.
        let asked = policies.then_some(message.topic.as_str());
        let answer = asked.and_then(|it| self.policy_answer(sender, Direction::Publish, it));
        let answer = answer.map(permission::Said);
        let policy: &dyn Policy = match &answer {
            Some(answer) => answer,
            None => &OwnSpaceOnly,
        };
        let around = Surroundings {
            sender: &sender.sender,
            space: &sender.space,
            policy,
            payload,
            rules: &rules,
            quotas: &quotas,
            window,
            now,
            ticks,
        };
        let judged = Message {
            topic: &message.topic,
            payload: &message.payload,
            made_at: message.made_at,
            counter: message.counter,
        };
        let mut counts = self.traffic.lock();
        counts.tidy(ticks);
        let super::traffic::Counts { devices, organisations, platform, .. } = &mut *counts;
        let mut meters = Meters {
            device: devices.entry(sender.sender.device).or_default(),
            // The count of a name's holders is one for all of an organisation's devices: to copy it for
            // each message is what their cores would fight for.
            organisation: match organisations.get_mut(&sender.sender.owner) {
                Some(organisation) => organisation,
                None => organisations
                    .entry(sender.sender.owner.clone())
                    .or_insert(OrganisationTraffic::new(&quotas)),
            },
            traffic: platform,
        };
        admit(&judged, &around, &mut meters).map(|_| ())
    }

    /// Whether a device may send one more message; nothing is taken.
    pub(crate) fn has_room(&self, sender: &DoorSender) -> bool {
        let ticks = self.traffic.ticks();
        let counts = self.traffic.lock();
        let meter = counts.devices.get(&sender.sender.device);
        meter.is_none_or(|meter| meter.has_room(Quotas::default().device, ticks))
    }

    /// Takes one out of what a device may send, for something that is no message: who asks again and
    /// again uses itself up as who sends does.
    ///
    /// # Errors
    /// [`Refusal::DeviceRate`].
    pub fn pass_request(&self, sender: &DoorSender) -> Result<(), Refusal> {
        let ticks = self.traffic.ticks();
        let mut counts = self.traffic.lock();
        counts.tidy(ticks);
        let meter = counts.devices.entry(sender.sender.device).or_default();
        let room = meter.pass(Quotas::default().device, ticks);
        room.then_some(()).ok_or(Refusal::DeviceRate)
    }

    /// Whether a device may listen to that.
    ///
    /// # Errors
    /// [`Refusal::Topic`].
    pub fn may_listen(&self, sender: &DoorSender, filter: &TopicFilter) -> Result<(), Refusal> {
        let asked = self.decide_topic(sender, Direction::Subscribe, filter.as_str());
        asked.allowed.then_some(()).ok_or(Refusal::Topic)
    }

    /// Whether a message may be delivered to a device: asked again for each.
    pub fn may_hear(&self, sender: &DoorSender, topic: &TopicName) -> bool {
        sender.stands().is_ok()
            && self.certificate_works(sender)
            && self.decide_topic(sender, Direction::Receive, topic.as_str()).allowed
            && self.may_be_used(sender, topic, None)
    }

    /// Counts something that a door refused of a device.
    pub fn refuse_message(
        &self,
        sender: &DoorSender,
        door: MessageDoor,
        refusal: Refusal,
        topic: &str,
    ) {
        self.refuse_by(sender, door, refusal, topic, Why::default());
    }

    /// As [`Self::refuse_message`], of a filter that somebody may not listen to: with the policies
    /// that say so.
    pub fn refuse_listening(&self, sender: &DoorSender, door: MessageDoor, filter: &TopicFilter) {
        let asked = self.decide_topic(sender, Direction::Subscribe, filter.as_str());
        let why = Why { policies: asked.because, ..Why::default() };
        self.refuse_by(sender, door, Refusal::Topic, filter.as_str(), why);
    }

    pub(super) fn refuse_publishing(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
        refusal: Refusal,
        detail: Option<String>,
    ) {
        let topic = message.topic.as_str();
        let policies = match refusal {
            Refusal::Topic => self.decide_topic(sender, Direction::Publish, topic).because,
            _ => Vec::new(),
        };
        let why = Why { policies, detail, beside: None };
        self.refuse_by(sender, message.door, refusal, topic, why);
    }

    /// As [`Self::refuse_publishing`], of a message that took two: it is written down of a device, whose key
    /// did not speak for that, and which the other one was.
    pub(super) fn refuse_beside(
        &self,
        (sender, beside): (&DoorSender, (Beside, DeviceId)),
        message: &IncomingMessage,
        refusal: Refusal,
        detail: Option<String>,
    ) {
        let why = Why { policies: Vec::new(), detail, beside: Some(beside) };
        self.refuse_by(sender, message.door, refusal, message.topic.as_str(), why);
    }

    fn refuse_by(
        &self,
        sender: &DoorSender,
        door: MessageDoor,
        refusal: Refusal,
        topic: &str,
        why: Why,
    ) {
        let now = self.now();
        let key = ((sender.row, sender.owner), refusal, door);
        self.traffic.lock().refuse(key, now, topic, why);
    }

    /// The path below another device's space of the same organisation, and that device's row.
    fn space_of(&self, sender: &DoorSender, topic: &TopicName) -> Result<(String, i64), Refusal> {
        let permission::Whose::Device(device) = permission::Whose::of(topic.as_str()) else {
            return Err(Refusal::Route);
        };
        let found = self.device_facts(&device).map_err(|error| {
            tracing::error!(%error, "a device could not be looked up");
            Refusal::Route
        })?;
        let found = found.filter(|it| it.owner == sender.owner).ok_or(Refusal::Topic)?;
        let path = topic.as_str().splitn(3, '/').nth(2).ok_or(Refusal::Route)?;
        Ok((path.to_owned(), found.row))
    }

    /// The newest messages of the topics that a filter matches, which a device may hear.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn retained_messages(
        &self,
        sender: &DoorSender,
        filter: &TopicFilter,
    ) -> Result<Vec<RetainedMessage>, ServiceError> {
        // What comes before the first wildcard is common to all of them.
        let fixed = filter.as_str().split(['+', '#']).next().unwrap_or_default();
        let fixed = if filter.is_exact() { fixed } else { fixed.trim_end_matches('/') };
        let end = format!("{fixed}\u{10ffff}");
        let limit = usize::try_from(RETAINED_MAX).unwrap_or(64).saturating_mul(4);
        let now = self.now();
        let owner = sender.owner;
        // A filter of many devices' topics is no reason to read all of their payloads. What may not be
        // heard takes nobody's place.
        let (mut from, mut wanted, mut cut) = (fixed.to_owned(), Vec::new(), true);
        for _ in 0..RETAINED_PAGES {
            let topics = self
                .read(|connection| store::retained_topics(connection, (&from, &end), owner, now))?;
            let next = topics.last().map(|last| format!("{last}\0"));
            let is_last = topics.len() < store::TOPICS_MAX;
            for topic in topics {
                // Nothing that was signed is kept so: what is there came before it had to be.
                let heard = TopicName::new(topic.as_str()).is_ok_and(|name| {
                    filter.matches(&name)
                        && self.may_hear(sender, &name)
                        && !self.must_be_signed(&name)
                });
                if heard {
                    wanted.push(topic);
                }
            }
            cut = wanted.len() > limit;
            let Some(next) = next.filter(|_| !is_last && !cut) else { break };
            (from, cut) = (next, true);
        }
        if cut {
            let device = sender.device();
            tracing::warn!(%device, filter = filter.as_str(), "only {limit} retained messages are sent");
        }
        wanted.truncate(limit);
        let rows = self.read(|connection| store::retained(connection, wanted, now))?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let topic = TopicName::new(row.topic).ok()?;
                // What came before consent was given is no part of it.
                let heard = filter.matches(&topic)
                    && self.may_hear(sender, &topic)
                    && self.may_be_used(sender, &topic, Some(row.received_at));
                heard.then(|| RetainedMessage {
                    topic,
                    qos: row.qos,
                    media_type: row.media_type,
                    payload: row.payload.into(),
                    expires_s: row
                        .expires_at
                        .map(|at| u32::try_from(at.0.saturating_sub(now.0)).unwrap_or(0)),
                })
            })
            .collect())
    }

    /// Writes down where messages are, and lets those go that a device has no room for. One round: what else is
    /// to be settled does not wait for more.
    async fn settle_places(&self) -> Result<(), ServiceError> {
        let service = self.clone();
        let read =
            move || service.read(|connection| store::round(connection, SETTLE_ROUND, SETTLE_PART));
        for part in self.pool.begin(read).outcome().await?? {
            if !self.commit(move |tx| store::settle(tx, &part, KEPT)).await? {
                break;
            }
        }
        Ok(())
    }

    /// Settles the messages that came, ends the retention of old ones, and writes down what was refused,
    /// with security events (LG-1). A door calls it every second; nothing is written where nothing is to be,
    /// and nothing so long that those who send meanwhile would notice.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn settle_messages(&self) -> Result<(), ServiceError> {
        let now = self.now();
        let before = UnixTime(now.0.saturating_sub(RETENTION_S));
        let (due, stale) = self.read(|connection| {
            let stale = store::is_stale(connection, before)?
                || crate::store::route::is_stale(connection, now)?;
            Ok((store::is_due(connection, now, SETTLE_DUE)?, stale))
        })?;
        if due {
            self.settle_places().await?;
        }
        let rounds = if stale { EXPIRE_ROUNDS } else { 0 };
        for _ in 0..rounds {
            let work = move |tx: &mut crate::store::Tx<'_>| {
                let more = crate::store::route::purge(tx, now, EXPIRE_BATCH)?;
                Ok(store::expire(tx, before, EXPIRE_BATCH)? >= EXPIRE_BATCH || more)
            };
            if !self.commit(work).await? {
                break;
            }
        }
        self.settle_device_logs().await?;
        self.settle_schemas().await?;
        self.settle_traffic().await?;
        // What cannot be learned must not keep from record what was refused.
        if let Err(error) = self.settle_behaviour().await {
            if error.is_store_lost() {
                return Err(error);
            }
            tracing::error!(%error, "what devices usually do could not be written down");
        }
        let (refused, dropped) = self.traffic.lock().take_refused();
        let places = self.take_places(now);
        if refused.is_empty() && dropped == 0 && places.is_empty() {
            return Ok(());
        }
        // What is told comes before what is counted: where it ends between them, nothing is untold.
        if !places.is_empty() {
            let work = move |tx: &mut crate::store::Tx<'_>| {
                places.iter().try_for_each(|event| tx.audit(event).map(|_| ()))
            };
            self.commit(work).await?;
        }
        let (told, silent) = shared(&refused);
        for rows in told.chunks(EVENTS_BATCH) {
            let rows: Vec<_> = rows.iter().map(|row| (*row).clone()).collect();
            self.commit(move |tx| rows.iter().try_for_each(|row| tell_refused(tx, now, row)))
                .await?;
        }
        let mut silent: Vec<(Option<i64>, u64)> =
            silent.into_iter().map(|(owner, count)| (Some(owner), count)).collect();
        silent.extend((dropped > 0).then_some((None, dropped)));
        if !silent.is_empty() {
            self.commit(move |tx| {
                silent.into_iter().try_for_each(|silent| tell_silent(tx, now, silent))
            })
            .await?;
        }
        for rows in refused.chunks(REFUSED_BATCH) {
            let rows = rows.to_vec();
            self.commit(move |tx| rows.iter().try_for_each(|(_, row)| store::add_refused(tx, row)))
                .await?;
        }
        Ok(())
    }
}

/// Puts on record how many refusals of an organisation's devices are not told one by one.
fn tell_silent(
    tx: &mut crate::store::Tx<'_>,
    now: UnixTime,
    (owner, count): (Option<i64>, u64),
) -> Result<(), ServiceError> {
    let event = SecurityEvent::new(now, Kind::RateLimit, Outcome::Failure)
        .detail("reason", "more refusals than are told one by one")
        .detail("count", &count.to_string());
    let owner = match owner {
        Some(owner) => crate::store::organisation::organisation_by_id(tx, owner)?,
        None => None,
    };
    let event = match owner {
        Some(owner) => event.organisation(&owner.slug),
        None => event,
    };
    tx.audit(&event).map(|_| ())
}

/// Puts on record why something of a device was refused, and how often.
fn tell_refused(
    tx: &mut crate::store::Tx<'_>,
    now: UnixTime,
    (reason, row): &(Refusal, store::RefusedRow),
) -> Result<(), ServiceError> {
    let device = crate::store::campaign::device_id(tx, row.device)?;
    let owner = crate::store::organisation::organisation_by_id(tx, row.owner)?;
    let (Some(device), Some(owner)) = (device, owner) else { return Ok(()) };
    let door = MessageDoor::from_code(row.door).map_or("", MessageDoor::name);
    let event =
        SecurityEvent::new(now, kind_of(*reason), Outcome::Failure).organisation(&owner.slug);
    // Who acts is known by its own key; of what took two, it is only said whom it is about.
    let device = DeviceId::from_bytes(device);
    let event = match &row.beside {
        None => event.actor(&format!("device {device}")),
        Some((beside, other)) => {
            event.subject(&device.to_string()).detail(beside.name(), &other.to_string())
        }
    };
    let event = event
        .detail("reason", reason.code())
        .detail("door", door)
        .detail("count", &row.count.to_string())
        .detail("topic", &row.last_topic);
    let event = match &row.last_detail {
        Some(detail) => event.detail("why", detail),
        None => event,
    };
    let event = match &row.last_policies {
        Some(policies) => event.detail("policies", policies),
        None => event,
    };
    tx.audit(&event).map(|_| ())
}

/// Which refusals are told one by one, each organisation's in turn, so that the devices of one do not hide
/// what happens to another's; and of each organisation how often something was refused that is not told.
fn shared(
    refused: &[(Refusal, store::RefusedRow)],
) -> (Vec<&(Refusal, store::RefusedRow)>, BTreeMap<i64, u64>) {
    let mut by_owner: BTreeMap<i64, Vec<&(Refusal, store::RefusedRow)>> = BTreeMap::new();
    for one in refused {
        by_owner.entry(one.1.owner).or_default().push(one);
    }
    let mut told = Vec::new();
    while told.len() < EVENTS_MAX && by_owner.values().any(|own| !own.is_empty()) {
        let next = by_owner.values_mut().filter_map(Vec::pop);
        told.extend(next.take(EVENTS_MAX.saturating_sub(told.len())));
    }
    let silent = by_owner.into_iter().filter(|(_, own)| !own.is_empty()).map(|(owner, own)| {
        (owner, own.iter().fold(0_u64, |sum, one| sum.saturating_add(one.1.count)))
    });
    (told, silent.collect())
}

/// Why a sender may not be here any more, as the store has it.
fn fallen(tx: &crate::store::Tx<'_>, sender: &DoorSender) -> Result<Option<Refusal>, ServiceError> {
    // Where no device and no certificate has changed since these were in order, they are.
    let changes = tx.standing_changes();
    if changes.is_some_and(|changes| sender.in_order_at.load(Ordering::Relaxed) == changes) {
        return Ok(None);
    }
    let (ca, serial) = &sender.certificate;
    let Some(row) = store::standing(tx, sender.row, *ca, serial)? else {
        return Ok(Some(Refusal::Revoked));
    };
    let standing = StandingKind::from_code(row.standing.into());
    let refusal = match (standing, Phase::from_code(row.phase.into())) {
        (Some(StandingKind::Suspended), _) => Some(Refusal::Suspended),
        (Some(StandingKind::Good), Some(Phase::Retired | Phase::Disposed)) => {
            Some(Refusal::Retired)
        }
        (Some(StandingKind::Good), Some(_)) if row.owner != sender.owner => {
            Some(Refusal::WrongOwner)
        }
        (Some(StandingKind::Good), Some(_)) if row.status == Status::Good as u8 => {
            match sender.by_key {
                false => None,
                // A key means the newest certificate of its kind, and no other one.
                true => match certificates::newest_of_key(tx, *ca, serial)? {
                    Some(Status::Good) => None,
                    Some(_) => Some(Refusal::Revoked),
                    None => Some(Refusal::FormerKey),
                },
            }
        }
        _ => Some(Refusal::Revoked),
    };
    if let (None, Some(changes)) = (refusal, changes) {
        sender.in_order_at.store(changes, Ordering::Relaxed);
    }
    Ok(refusal)
}

/// Whether a message is refused for what it is: it would be again.
fn is_for_good(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Topic
            | Refusal::TooLarge
            | Refusal::TooComplex
            | Refusal::Malformed
            | Refusal::Schema
            | Refusal::Protection
            | Refusal::Consent
    )
}

fn kind_of(refusal: Refusal) -> Kind {
    match refusal {
        Refusal::Identity
        | Refusal::Expired
        | Refusal::FormerKey
        | Refusal::Revoked
        | Refusal::Suspended
        | Refusal::Quarantined
        | Refusal::Retired
        | Refusal::WrongOwner
        | Refusal::Organisation => Kind::Authentication,
        Refusal::Topic | Refusal::Consent => Kind::Authorisation,
        Refusal::DeviceRate
        | Refusal::ProductRate
        | Refusal::OrganisationRate
        | Refusal::PlatformRate
        | Refusal::Route
        | Refusal::TooLarge => Kind::RateLimit,
        _ => Kind::MalformedMessage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_of_one_organisation_does_not_hide_what_is_of_another() {
        let row = |owner, device| store::RefusedRow {
            device,
            owner,
            reason: "topic".into(),
            door: 1,
            count: 3,
            last_at: UnixTime(0),
            last_topic: String::new(),
            last_detail: None,
            last_policies: None,
            beside: None,
        };
        let many = (0..500).map(|device| (Refusal::Topic, row(1, device)));
        let few = (500..510).map(|device| (Refusal::Topic, row(2, device)));
        let refused: Vec<_> = many.chain(few).collect();
        let (told, silent) = shared(&refused);
        assert_eq!(told.len(), EVENTS_MAX);
        assert_eq!(told.iter().filter(|one| one.1.owner == 2).count(), 10);
        assert_eq!(silent, BTreeMap::from([(1, 410 * 3)]));
        assert!(shared(&[]).0.is_empty());
    }
}
