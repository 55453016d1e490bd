//! A message of MQTT becomes one of the platform, is taken, and given to those who listen.

use super::{
    packets::{Publish, content_type, forwarded},
    session::{Key, Outgoing, PendingWill, Session},
};
use crate::hub::Inner;
use admission::{Refusal, TopicName};
use mqtt_protocol_core::mqtt::packet::Property;
use service::{DoorSender, IncomingMessage, MessageDoor, MessageRefused};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// User properties that carry a message's time and counter (freshness).
const TIME: &str = "tegata-time";
const COUNTER: &str = "tegata-counter";
/// Most properties of a message. Each takes many times the memory that it takes on the wire.
const PROPERTIES_MAX: usize = 64;

/// What the properties of a message say to us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) made_at: Option<crypto::UnixTime>,
    pub(super) counter: Option<u64>,
    pub(super) media_type: Option<String>,
    /// seconds
    pub(super) expires: Option<u32>,
    pub(super) text: bool,
}

impl Marks {
    /// Reads them.
    ///
    /// # Errors
    /// [`Refusal::Unmarked`] where time or counter are no numbers or are there twice,
    /// [`Refusal::TooComplex`] where there are too many properties.
    pub(super) fn read(properties: &[Property]) -> Result<Self, Refusal> {
        if properties.len() > PROPERTIES_MAX {
            return Err(Refusal::TooComplex);
        }
        let mut marks = Self::default();
        for property in properties {
            match property {
                Property::UserProperty(it) if it.key() == TIME => {
                    let at = it.val().parse().map_err(|_| Refusal::Unmarked)?;
                    if marks.made_at.replace(crypto::UnixTime(at)).is_some() {
                        return Err(Refusal::Unmarked);
                    }
                }
                Property::UserProperty(it) if it.key() == COUNTER => {
                    let counter = it.val().parse().map_err(|_| Refusal::Unmarked)?;
                    if marks.counter.replace(counter).is_some() {
                        return Err(Refusal::Unmarked);
                    }
                }
                Property::ContentType(it) => marks.media_type = Some(it.val().to_owned()),
                Property::MessageExpiryInterval(it) => marks.expires = Some(it.val()),
                Property::PayloadFormatIndicator(it) => marks.text = it.val() == 1,
                _ => {}
            }
        }
        Ok(marks)
    }
}

/// Who brings a message.
pub(super) struct Sent<'a> {
    pub(super) key: &'a Key,
    /// of the connection that it comes by
    pub(super) session: Option<&'a Session>,
    /// whether that waits until it is on disk
    pub(super) waits: bool,
}

/// Takes a message of a client and gives it to those who listen.
pub(super) async fn take(
    inner: &Inner,
    (sender, door): (&DoorSender, MessageDoor),
    name: &TopicName,
    publish: &Publish,
    from: Sent<'_>,
) -> Result<(), MessageRefused> {
    let read = Marks::read(&publish.properties).and_then(|marks| {
        let text = !marks.text || std::str::from_utf8(&publish.payload).is_ok();
        text.then_some(marks).ok_or(Refusal::Malformed)
    });
    let marks = match read {
        Ok(marks) => marks,
        Err(why) => {
            inner.service.refuse_message(sender, door, why, name.as_str());
            return Err(MessageRefused::Refused(why));
        }
    };
    let message = IncomingMessage {
        door,
        topic: name.clone(),
        payload: publish.payload.clone(),
        media_type: marks.media_type,
        made_at: marks.made_at,
        counter: marks.counter,
        retain: publish.retain.then_some(publish.qos as u8),
        expires_s: marks.expires,
        acknowledged: from.waits,
    };
    if let Some(said) = inner.service.take_message(sender, &message).await? {
        // Those who listen hear what the device said, not what it came in.
        let outgoing = Outgoing {
            topic: said.message.topic,
            payload: said.message.payload,
            qos: publish.qos,
            retain: false,
            properties: content_type(said.message.media_type.as_deref()),
            expires: None,
            sure: false,
            by: Some(said.sender),
            from: Some(from.key.clone()),
        };
        inner.deliver(&Arc::new(outgoing));
        return Ok(());
    }
    if from.session.is_some_and(|it| inner.nobody_listens(it, sender, &message.topic)) {
        return Ok(());
    }
    let outgoing = Outgoing {
        topic: message.topic,
        payload: message.payload,
        qos: publish.qos,
        retain: publish.retain,
        properties: forwarded(&publish.properties),
        expires: until(marks.expires),
        sure: false,
        by: Some(sender.clone()),
        from: Some(from.key.clone()),
    };
    inner.deliver(&Arc::new(outgoing));
    Ok(())
}

/// The end of so many seconds.
pub(super) fn until(seconds: Option<u32>) -> Option<Instant> {
    let seconds = Duration::from_secs(seconds?.into());
    Instant::now().checked_add(seconds)
}

/// Publishes a will: a message like any other, judged now and not when it was left.
pub(crate) async fn publish_will(inner: &Inner, key: Key, pending: PendingWill) {
    let PendingWill { will, sender, door, .. } = pending;
    let name = TopicName::new(will.topic.clone()).and_then(|name| sender.space().absolute(name));
    let Ok(name) = name else { return };
    let publish = Publish {
        id: None,
        topic: will.topic,
        payload: will.payload,
        qos: will.qos,
        retain: will.retain,
        properties: will.properties,
    };
    let by = (&sender, door);
    // Whoever left it may not be here any more, and nobody has looked: that shows where it is kept.
    let from = Sent { key: &key, session: None, waits: true };
    if let Err(error) = take(inner, by, &name, &publish, from).await {
        tracing::debug!(%error, "a will was not published");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_protocol_core::mqtt::packet::UserProperty;

    fn user(key: &str, value: &str) -> Property {
        UserProperty::new(key, value).unwrap().into()
    }

    #[test]
    fn time_and_counter_are_numbers_and_stand_once() {
        let marks = Marks::read(&[user(TIME, "1795000000"), user(COUNTER, "18446744073709551615")]);
        let marks = marks.unwrap();
        assert_eq!(marks.made_at, Some(crypto::UnixTime(1_795_000_000)));
        assert_eq!(marks.counter, Some(u64::MAX));
        for wrong in [
            vec![user(COUNTER, "-1")],
            vec![user(COUNTER, "18446744073709551616")],
            vec![user(COUNTER, "")],
            vec![user(TIME, "yesterday")],
            vec![user(COUNTER, "1"), user(COUNTER, "2")],
            vec![user(TIME, "1"), user(TIME, "1")],
        ] {
            assert_eq!(Marks::read(&wrong), Err(Refusal::Unmarked), "{wrong:?}");
        }
        let many = vec![user("a", "b"); PROPERTIES_MAX + 1];
        assert_eq!(Marks::read(&many), Err(Refusal::TooComplex));
        assert_eq!(Marks::read(&many[1..]), Ok(Marks::default()));
    }
}
