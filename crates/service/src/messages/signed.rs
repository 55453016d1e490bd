//! A message comes in that its device signed, from the device or from another that carries it (GW-4).

use super::{Beside, DoorSender, IncomingMessage, MessageRefused};
use crate::{
    ErrorKind, Service, ServiceError,
    live::found,
    store::{Effect, certificate as certificates, message as messages, purpose as store},
};
use admission::{
    DataPurpose, Direction, EncryptedMessage, PURPOSE_TOPICS_MAX, PayloadAnswer, PurposeError,
    Refusal, SIGNED_UP, SignedMessage, Space, TopicName,
};
use crypto::{Sha256, UnixTime};
use device::{DeviceId, OrganisationId, ProductId};
use pki::Certificate;
use policy::{Action, Caller, Resource};
use std::borrow::Cow;

/// What a signed message said, as if its device had brought it itself.
#[derive(Debug, Clone)]
pub struct SignedTaken {
    /// the device that signed it
    pub sender: DoorSender,
    /// what it said
    pub message: IncomingMessage,
}

/// Who signed a message and who brought it.
#[derive(Debug)]
pub(super) struct Signed {
    /// SHA-256 of the certificate
    pub(super) certificate: Sha256,
    /// for which of the owner's keys it was encrypted, where it was
    pub(super) encrypted: Option<i64>,
    /// who brought it
    pub(super) by: DoorSender,
    /// whether that is another device
    pub(super) carried: bool,
}

impl Signed {
    /// The device that carried it, where that is another.
    pub(super) fn carrier(&self) -> Option<&DoorSender> {
        self.carried.then_some(&self.by)
    }
}

/// Topics on which a product line's devices must sign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignedTopics {
    /// filters below a device's space
    pub topics: Vec<String>,
    /// those on which they must encrypt besides
    pub encrypted: Vec<String>,
    /// by whom and when, where somebody said so
    pub set: Option<(String, UnixTime)>,
}

/// In whose space a signed message is brought, where it is one.
pub(super) fn signer_of(topic: &TopicName) -> Option<DeviceId> {
    let (space, path) = topic.as_str().split_at_checked("d/".len().saturating_add(32))?;
    let is_one = path.strip_prefix('/') == Some(SIGNED_UP);
    is_one.then(|| space.strip_prefix("d/")?.parse().ok())?
}

impl Service {
    /// Takes a signed message: judges who brings it, finds whose key signed it, and judges what it says as
    /// that device's own.
    ///
    /// What is wrong with the message or with its device is all the same to who brings it, whose connection
    /// stays: it is told that the message does not hold. The owner reads more.
    pub(super) async fn take_signed(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
        signer: DeviceId,
    ) -> Result<SignedTaken, MessageRefused> {
        let carried = sender.device() != signer;
        let refuse = |refusal, why: Option<&str>| {
            self.refuse_publishing(sender, message, refusal, why.map(str::to_owned));
            Err(MessageRefused::Refused(refusal))
        };
        let broken = |why: String| {
            let beside = (Beside::Signer, signer);
            self.refuse_beside((sender, beside), message, Refusal::Protection, Some(why));
            Err(MessageRefused::Enclosed(Refusal::Protection))
        };
        let judged = match carried {
            true => {
                let now = self.now();
                self.judge_message(sender, message, (&PayloadAnswer::Nothing, true), now)
            }
            // What it may send is counted once, with what it says, or with what does not hold.
            false if self.is_over(sender) => Err(Refusal::Expired),
            false if !self.certificate_works(sender) => Err(Refusal::Revoked),
            false if !self.has_room(sender) => Err(Refusal::DeviceRate),
            false => {
                let asked =
                    self.decide_topic(sender, Direction::Publish, message.topic.as_str()).allowed;
                sender.stands().and_then(|()| asked.then_some(()).ok_or(Refusal::Topic))
            }
        };
        if let Err(refusal) = judged {
            return refuse(refusal, None);
        }
        let (inner, says, encrypted) = match self.open_signed(sender, message, signer) {
            Ok(opened) => opened,
            // Who carries it cannot see whether it holds, and loses nothing by it.
            Err(Broken::Why(why)) if carried => return broken(why),
            Err(Broken::Why(why)) => {
                let room = self.pass_request(sender).is_ok();
                let refusal = if room { Refusal::Protection } else { Refusal::DeviceRate };
                return refuse(refusal, Some(&why));
            }
            Err(Broken::Failed(error)) => return Err(MessageRefused::Failed(error)),
        };
        let certificate = says.certificate;
        let signed = Signed { certificate, encrypted, by: sender.clone(), carried };
        let topic = format!("{}/{}", Space::of(&signer).root(), says.topic);
        let topic = match TopicName::new(topic) {
            Ok(topic) => topic,
            Err(_) if carried => return broken("its topic is too long".to_owned()),
            Err(_) => return refuse(Refusal::Protection, Some("its topic is too long")),
        };
        let counter = says.counter;
        let said = IncomingMessage {
            door: message.door,
            topic,
            payload: says.payload.into(),
            media_type: says.media_type,
            made_at: says.made_at,
            counter: Some(counter),
            // Nobody signed these: who carries a message does not choose them.
            retain: None,
            expires_s: None,
            acknowledged: message.acknowledged,
        };
        // Before anything of the device's own is taken: what it said once uses nothing of it up, however often
        // it is brought. It is asked again where it is kept.
        let window = self.read(|connection| messages::window(connection, inner.rows().0))?;
        if let Err(why) = window.hear(counter) {
            let room = carried || self.pass_request(sender).is_ok();
            let refusal = if room { why.into() } else { Refusal::DeviceRate };
            return Err(self.refuse_said((&inner, Some(&signed)), &said, refusal, None));
        }
        self.take_said(&inner, &said, Some(&signed)).await?;
        if carried {
            let what = (Some(message.door), message.topic.as_str(), message.payload.len());
            self.observe_message(sender, what, self.now());
        }
        Ok(SignedTaken { sender: inner, message: said })
    }

    /// Whether a device must sign what it says on a topic; also where that cannot be found out.
    pub(super) fn must_be_signed(&self, topic: &TopicName) -> bool {
        let permission::Whose::Device(device) = permission::Whose::of(topic.as_str()) else {
            return false;
        };
        let path = topic.as_str().splitn(3, '/').nth(2).unwrap_or_default();
        let uses = self.device_facts(&device).and_then(|found| {
            found.map(|it| self.message_uses((it.row, it.owner), path, None)).transpose()
        });
        match uses {
            Ok(uses) => uses.is_some_and(|uses| uses.wants_signature()),
            Err(error) => {
                tracing::error!(%error, "it could not be found out what must be signed");
                true
            }
        }
    }

    /// Whose message it is, and what it says, where the signature holds; and for which key it was encrypted,
    /// where it was.
    fn open_signed(
        &self,
        sender: &DoorSender,
        message: &IncomingMessage,
        signer: DeviceId,
    ) -> Result<(DoorSender, SignedMessage, Option<i64>), Broken> {
        let (encrypted, payload) = self.open_encrypted(sender, message)?;
        let claimed = SignedMessage::claimed(&payload).map_err(|error| Broken::of(&error))?;
        if claimed.device != signer {
            return Err(Broken::Why("it is another device's message".to_owned()));
        }
        let row = self.read(|connection| {
            certificates::certificate_by_fingerprint(connection, &claimed.certificate)
        })?;
        let unknown =
            || Broken::Why("the certificate that it names is not the device's".to_owned());
        let facts = self.device_facts(&signer)?.ok_or_else(unknown)?;
        let row = row.filter(|row| row.device == Some(facts.row)).ok_or_else(unknown)?;
        if facts.owner != sender.rows().1 {
            return Err(unknown());
        }
        let certificate = Certificate::from_der(&row.der)
            .map_err(|_| ServiceError::fatal("store-damaged", "a certificate is damaged"))?;
        // Over, revoked, suspended: as at the door.
        let works = |error: ServiceError| match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Fatal => Broken::Failed(error),
            _ => Broken::Why(format!("the device's certificate: {}", error.code())),
        };
        let caller = self.identify(&certificate, self.now()).map_err(works)?;
        let key = certificate.public_key().map_err(|_| unknown())?;
        let says = SignedMessage::verify(&payload, key).map_err(|error| Broken::of(&error))?;
        let inner = self.door_sender(&caller, &certificate).map_err(works)?;
        Ok((inner, says.into_inner(), encrypted))
    }

    /// The signed message, which may be encrypted for the owner of who brings it: the owner of the device that
    /// signed it is asked for later, and has to be the same.
    fn open_encrypted<'a>(
        &self,
        sender: &DoorSender,
        message: &'a IncomingMessage,
    ) -> Result<(Option<i64>, Cow<'a, [u8]>), Broken> {
        if !EncryptedMessage::is_one(&message.payload) {
            return Ok((None, Cow::Borrowed(&message.payload)));
        }
        let read = EncryptedMessage::parse(&message.payload);
        let read = read.map_err(|error| Broken::Why(error.to_string()))?;
        let opened = self.decrypt_message(sender.rows().1, &read)?;
        let (key, signed) = opened.ok_or_else(|| {
            Broken::Why(format!(
                "it does not decrypt: altered, or for a key ({}) that is not accepted here",
                read.recipient()
            ))
        })?;
        Ok((Some(key), Cow::Owned(signed)))
    }

    /// Topics on which a product line's devices must sign.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn signed_topics(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<SignedTopics, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.product_row(organisation, product)?;
        let found = self.read(|connection| store::signed_topics(connection, row.id))?;
        Ok(found.map_or_else(SignedTopics::default, |(topics, encrypted, by, at)| SignedTopics {
            topics,
            encrypted,
            set: Some((by, at)),
        }))
    }

    /// Says on which topics a product line's devices must sign, and on which they must encrypt besides: what is
    /// not is refused there, by whomever it is brought. None: nowhere. Without a word about encryption that stays.
    ///
    /// # Errors
    /// `not-found`, `role`; `signed-topics`.
    pub async fn set_signed_topics(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        (topics, encrypted): (Vec<String>, Option<Vec<String>>),
    ) -> Result<SignedTopics, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ChangeProduct, &resource)?;
        let topics = checked(&topics)?;
        let encrypted = encrypted.as_deref().map(checked).transpose()?;
        let row = self.product_row(organisation, product)?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .severity(audit::Severity::Medium)
            .subject(product.as_str())
            .detail("what", "signed-topics")
            .detail("topics", &topics.join(" "));
        let (by, at) = (caller.to_string(), self.now());
        let (kept, set) = (topics.clone(), Some((by.clone(), at)));
        let work = move |tx: &mut crate::store::Tx<'_>| {
            found(crate::store::organisation::product_by_id(tx, row.id)?, "product line")?;
            let encrypted = match encrypted {
                Some(encrypted) => encrypted,
                None => store::signed_topics(tx, row.id)?.map(|found| found.1).unwrap_or_default(),
            };
            store::set_signed_topics(tx, row.id, (&kept, &encrypted), (&by, at))?;
            tx.effect(Effect::Purposes(row.id));
            tx.audit(&event.detail("encrypted", &encrypted.join(" ")))?;
            Ok(encrypted)
        };
        let encrypted = self.commit(work).await?;
        Ok(SignedTopics { topics, encrypted, set })
    }
}

fn checked(topics: &[String]) -> Result<Vec<String>, ServiceError> {
    let wrong = |message: String| {
        ServiceError::malformed("signed-topics", message).in_japanese(
            "トピックは機器が送信する領域内のフィルターを16個まで書いてください（例: up/meter/#）",
        )
    };
    if topics.len() > PURPOSE_TOPICS_MAX {
        return Err(wrong(format!("at most {PURPOSE_TOPICS_MAX} topics")));
    }
    let read = topics.iter().map(|topic| DataPurpose::topic(topic));
    let read: Result<Vec<_>, PurposeError> = read.collect();
    read.map_err(|error| wrong(error.to_string()))
}

/// Why a signed message is not one.
enum Broken {
    /// for the owner
    Why(String),
    /// the store failed
    Failed(ServiceError),
}

impl Broken {
    fn of(error: &admission::SignedError) -> Self {
        Self::Why(error.to_string())
    }
}

impl From<ServiceError> for Broken {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_messages_have_one_place_in_each_space() {
        let of = |topic: &str| signer_of(&TopicName::new(topic).unwrap());
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(of(&format!("d/{id}/up/signed")), id.parse().ok());
        for other in ["up/signed/x", "up/sign", "x/up/signed", "signed"] {
            assert_eq!(of(&format!("d/{id}/{other}")), None);
        }
        for other in
            ["d/x/up/signed", "me/up/signed", "up/signed", "d/あああああああああああ/up/signed"]
        {
            assert_eq!(of(other), None);
        }
    }
}
