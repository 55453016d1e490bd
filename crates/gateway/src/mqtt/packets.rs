//! Packets of both versions as one thing, and answers in the version that is spoken.

use super::session::Delivery;
use admission::{Refusal, TopicError};
use mqtt_protocol_core::mqtt::{
    packet::{
        AssignedClientIdentifier, ContentType, MessageExpiryInterval, Packet, Property, Qos,
        ReasonString, ServerKeepAlive, SessionExpiryInterval, SharedSubscriptionAvailable,
        SubEntry, SubscriptionIdentifier, TopicAliasMaximum, v3_1_1, v5_0,
    },
    result_code::{
        ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, PubackReasonCode,
        PubrecReasonCode, SubackReasonCode, SubackReturnCode, UnsubackReasonCode,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Topic aliases that a client may set (MQTT 5 section 3.2.2.3.8).
const ALIASES_MAX: u16 = 16;

/// CONNECT.
pub(super) struct Connect {
    pub(super) five: bool,
    pub(super) client: String,
    pub(super) clean: bool,
    pub(super) keep_alive_s: u16,
    pub(super) session_expiry_s: u32,
    /// how many messages it takes at a time, where it says so
    pub(super) receive_maximum: Option<u16>,
    /// enhanced authentication was asked for
    pub(super) method: bool,
    pub(super) will: Option<Will>,
}

/// What is published when a connection ends without goodbye (MQTT 5 section 3.1.2.5).
#[derive(Clone)]
pub(crate) struct Will {
    pub(super) topic: Arc<str>,
    pub(super) payload: Arc<[u8]>,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) properties: Vec<Property>,
    pub(super) delay: Duration,
}

/// PUBLISH.
pub(super) struct Publish {
    pub(super) id: Option<u16>,
    pub(super) topic: Arc<str>,
    pub(super) payload: Arc<[u8]>,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) properties: Vec<Property>,
}

/// One of the subscriptions of a SUBSCRIBE.
pub(super) struct Wanted {
    pub(super) filter: String,
    pub(super) qos: Qos,
    pub(super) no_local: bool,
    pub(super) as_published: bool,
    /// 0: what is kept is sent, 1: only for a new subscription, 2: not
    pub(super) retained: u8,
}

/// What a client sent, as far as the session has to do with it.
pub(super) enum Received {
    Connect(Box<Connect>),
    Publish(Box<Publish>),
    /// the second step of a QoS 2 message of the client
    Release(u16),
    /// the first acknowledgement of a QoS 2 message to the client
    Got(u16),
    Subscribe {
        id: u16,
        wanted: Vec<Wanted>,
        identifier: Option<u32>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    /// goodbye; with the will where asked, and with another time for which the session is kept
    Disconnect {
        will: bool,
        session_expiry_s: Option<u32>,
    },
    /// enhanced authentication, which there is not
    Auth,
    /// nothing to do
    Nothing,
}

impl Received {
    /// The packet identifier, where it has one.
    pub(super) fn id(&self) -> Option<u16> {
        match self {
            Self::Publish(publish) => publish.id,
            Self::Release(id) | Self::Got(id) => Some(*id),
            Self::Subscribe { id, .. } | Self::Unsubscribe { id, .. } => Some(*id),
            Self::Connect(_) | Self::Disconnect { .. } | Self::Auth | Self::Nothing => None,
        }
    }
}

impl From<Packet> for Received {
    fn from(packet: Packet) -> Self {
        match packet {
            Packet::V3_1_1Connect(it) => Self::Connect(Box::new(connect_3(&it))),
            Packet::V5_0Connect(it) => Self::Connect(Box::new(connect_5(&it))),
            Packet::V3_1_1Publish(it) => Self::Publish(Box::new(Publish {
                id: it.packet_id(),
                topic: it.topic_name().into(),
                payload: it.payload().as_slice().into(),
                qos: it.qos(),
                retain: it.retain(),
                properties: Vec::new(),
            })),
            Packet::V5_0Publish(it) => Self::Publish(Box::new(Publish {
                id: it.packet_id(),
                topic: it.topic_name().into(),
                payload: it.payload().as_slice().into(),
                qos: it.qos(),
                retain: it.retain(),
                properties: it.props().clone(),
            })),
            Packet::V3_1_1Pubrel(it) => Self::Release(it.packet_id()),
            Packet::V5_0Pubrel(it) => Self::Release(it.packet_id()),
            Packet::V3_1_1Pubrec(it) => Self::Got(it.packet_id()),
            Packet::V5_0Pubrec(it) => match it.reason_code() {
                Some(code) if code.is_failure() => Self::Nothing,
                _ => Self::Got(it.packet_id()),
            },
            Packet::V3_1_1Subscribe(it) => Self::Subscribe {
                id: it.packet_id(),
                wanted: it.entries().iter().map(wanted).collect(),
                identifier: None,
            },
            Packet::V5_0Subscribe(it) => Self::Subscribe {
                id: it.packet_id(),
                wanted: it.entries().iter().map(wanted).collect(),
                identifier: it.props().iter().find_map(|property| match property {
                    Property::SubscriptionIdentifier(it) => Some(it.val()),
                    _ => None,
                }),
            },
            Packet::V3_1_1Unsubscribe(it) => Self::Unsubscribe {
                id: it.packet_id(),
                filters: it.entries().iter().map(|it| it.as_str().to_owned()).collect(),
            },
            Packet::V5_0Unsubscribe(it) => Self::Unsubscribe {
                id: it.packet_id(),
                filters: it.entries().iter().map(|it| it.as_str().to_owned()).collect(),
            },
            Packet::V3_1_1Disconnect(_) => Self::Disconnect { will: false, session_expiry_s: None },
            Packet::V5_0Disconnect(it) => Self::Disconnect {
                will: it
                    .reason_code()
                    .is_some_and(|code| code != DisconnectReasonCode::NormalDisconnection),
                session_expiry_s: it.props().as_ref().and_then(|properties| {
                    properties.iter().find_map(|property| match property {
                        Property::SessionExpiryInterval(it) => Some(it.val()),
                        _ => None,
                    })
                }),
            },
            Packet::V5_0Auth(_) => Self::Auth,
            _ => Self::Nothing,
        }
    }
}

fn wanted(entry: &SubEntry) -> Wanted {
    let options = entry.sub_opts();
    Wanted {
        filter: entry.topic_filter().to_owned(),
        qos: options.qos(),
        no_local: options.nl(),
        as_published: options.rap(),
        retained: options.rh() as u8,
    }
}

fn connect_3(it: &v3_1_1::Connect) -> Connect {
    let will = it.will_topic().map(|topic| Will {
        topic: topic.into(),
        payload: it.will_payload().unwrap_or_default().into(),
        qos: it.will_qos(),
        retain: it.will_retain(),
        properties: Vec::new(),
        delay: Duration::ZERO,
    });
    Connect {
        five: false,
        client: it.client_id().to_owned(),
        clean: it.clean_session(),
        keep_alive_s: it.keep_alive(),
        session_expiry_s: if it.clean_session() { 0 } else { u32::MAX },
        receive_maximum: None,
        method: false,
        will,
    }
}

fn connect_5(it: &v5_0::Connect) -> Connect {
    let mut session_expiry_s = 0;
    let mut method = false;
    let mut receive_maximum = None;
    for property in it.props() {
        match property {
            Property::SessionExpiryInterval(it) => session_expiry_s = it.val(),
            // Data without a method is an error anyway (section 3.1.2.11.10).
            Property::AuthenticationMethod(_) | Property::AuthenticationData(_) => method = true,
            Property::ReceiveMaximum(it) => receive_maximum = Some(it.val()),
            _ => {}
        }
    }
    let will = it.will_topic().map(|topic| Will {
        topic: topic.into(),
        payload: it.will_payload().unwrap_or_default().into(),
        qos: it.will_qos(),
        retain: it.will_retain(),
        properties: it.will_props().clone(),
        delay: it
            .will_props()
            .iter()
            .find_map(|property| match property {
                Property::WillDelayInterval(it) => Some(Duration::from_secs(it.val().into())),
                _ => None,
            })
            .unwrap_or_default(),
    });
    Connect {
        five: true,
        client: it.client_id().to_owned(),
        clean: it.clean_start(),
        keep_alive_s: it.keep_alive(),
        session_expiry_s,
        receive_maximum,
        method,
        will,
    }
}

/// The properties that go on to those who listen (MQTT 5 section 3.3.2.3).
pub(super) fn forwarded(properties: &[Property]) -> Vec<Property> {
    properties
        .iter()
        .filter(|property| {
            matches!(
                property,
                Property::PayloadFormatIndicator(_)
                    | Property::ContentType(_)
                    | Property::ResponseTopic(_)
                    | Property::CorrelationData(_)
                    | Property::UserProperty(_)
            )
        })
        .cloned()
        .collect()
}

/// What is known of the properties of a message that was kept.
pub(crate) fn content_type(media_type: Option<&str>) -> Vec<Property> {
    let property = media_type.and_then(|text| ContentType::new(text).ok());
    property.map(Into::into).into_iter().collect()
}

/// What CONNACK says of a session.
pub(super) struct Welcome {
    pub(super) present: bool,
    pub(super) assigned: Option<String>,
    pub(super) keep_alive_s: Option<u16>,
    pub(super) session_expiry_s: Option<u32>,
}

pub(super) fn welcome(five: bool, it: &Welcome) -> Result<Packet, MqttError> {
    if !five {
        return Ok(v3_1_1::Connack::builder()
            .session_present(it.present)
            .return_code(ConnectReturnCode::Accepted)
            .build()?
            .into());
    }
    let mut properties: Vec<Property> = vec![
        TopicAliasMaximum::new(ALIASES_MAX)?.into(),
        SharedSubscriptionAvailable::new(0)?.into(),
    ];
    if let Some(client) = &it.assigned {
        properties.push(AssignedClientIdentifier::new(client)?.into());
    }
    if let Some(keep_alive_s) = it.keep_alive_s {
        properties.push(ServerKeepAlive::new(keep_alive_s)?.into());
    }
    if let Some(expiry) = it.session_expiry_s {
        properties.push(SessionExpiryInterval::new(expiry)?.into());
    }
    Ok(v5_0::Connack::builder()
        .session_present(it.present)
        .reason_code(ConnectReasonCode::Success)
        .props(properties)
        .build()?
        .into())
}

/// CONNACK that refuses.
pub(super) fn turned_away(five: bool, code: ConnectReasonCode) -> Result<Packet, MqttError> {
    if five {
        return Ok(v5_0::Connack::builder()
            .session_present(false)
            .reason_code(code)
            .build()?
            .into());
    }
    let code = match code {
        ConnectReasonCode::ClientIdentifierNotValid => ConnectReturnCode::IdentifierRejected,
        ConnectReasonCode::NotAuthorized => ConnectReturnCode::NotAuthorized,
        _ => ConnectReturnCode::ServerUnavailable,
    };
    Ok(v3_1_1::Connack::builder().session_present(false).return_code(code).build()?.into())
}

/// DISCONNECT, in words too: some clients read the code only where something follows it.
pub(super) fn goodbye(code: DisconnectReasonCode) -> Result<Packet, MqttError> {
    let words = match code {
        DisconnectReasonCode::SessionTakenOver => "another connection has this client's session",
        DisconnectReasonCode::NotAuthorized => "not now; the device's owner sees why",
        DisconnectReasonCode::ServerShuttingDown => "the server stops; come again",
        DisconnectReasonCode::ServerBusy => "it cannot be looked who you are; come again",
        DisconnectReasonCode::KeepAliveTimeout => "nothing was heard for too long",
        DisconnectReasonCode::TopicNameInvalid => "that is no name of a topic",
        _ => "see the reason code",
    };
    let words: Property = ReasonString::new(words)?.into();
    Ok(v5_0::Disconnect::builder().reason_code(code).props(vec![words]).build()?.into())
}

/// The acknowledgement of a message; `None` where this version has none for it.
pub(super) fn acknowledge(
    five: bool,
    qos: Qos,
    id: u16,
    refused: Option<u8>,
) -> Result<Option<Packet>, MqttError> {
    let packet: Packet = match (five, qos, refused) {
        (_, Qos::AtMostOnce, _) | (false, _, Some(_)) => return Ok(None),
        (false, Qos::AtLeastOnce, None) => v3_1_1::Puback::builder().packet_id(id).build()?.into(),
        (false, Qos::ExactlyOnce, None) => v3_1_1::Pubrec::builder().packet_id(id).build()?.into(),
        (true, Qos::AtLeastOnce, refused) => {
            let code = refused.and_then(|code| PubackReasonCode::try_from(code).ok());
            let code = code.unwrap_or(match refused {
                None => PubackReasonCode::Success,
                Some(_) => PubackReasonCode::UnspecifiedError,
            });
            v5_0::Puback::builder().packet_id(id).reason_code(code).build()?.into()
        }
        (true, Qos::ExactlyOnce, refused) => {
            let code = refused.and_then(|code| PubrecReasonCode::try_from(code).ok());
            let code = code.unwrap_or(match refused {
                None => PubrecReasonCode::Success,
                Some(_) => PubrecReasonCode::UnspecifiedError,
            });
            v5_0::Pubrec::builder().packet_id(id).reason_code(code).build()?.into()
        }
    };
    Ok(Some(packet))
}

pub(super) fn complete(five: bool, id: u16) -> Result<Packet, MqttError> {
    Ok(match five {
        true => v5_0::Pubcomp::builder().packet_id(id).build()?.into(),
        false => v3_1_1::Pubcomp::builder().packet_id(id).build()?.into(),
    })
}

pub(super) fn release(five: bool, id: u16) -> Result<Packet, MqttError> {
    Ok(match five {
        true => v5_0::Pubrel::builder().packet_id(id).build()?.into(),
        false => v3_1_1::Pubrel::builder().packet_id(id).build()?.into(),
    })
}

/// What became of one wish to subscribe.
pub(super) enum Granted {
    Yes(Qos),
    /// nobody may listen to that
    NotAuthorized,
    /// no filter
    Invalid(TopicError),
    /// more than a session has room for
    Quota,
    /// shared subscriptions are not offered
    Shared,
}

pub(super) fn subscribed(five: bool, id: u16, granted: &[Granted]) -> Result<Packet, MqttError> {
    if !five {
        let codes = granted.iter().map(|it| match it {
            Granted::Yes(Qos::AtMostOnce) => SubackReturnCode::SuccessMaximumQos0,
            Granted::Yes(Qos::AtLeastOnce) => SubackReturnCode::SuccessMaximumQos1,
            Granted::Yes(Qos::ExactlyOnce) => SubackReturnCode::SuccessMaximumQos2,
            _ => SubackReturnCode::Failure,
        });
        let suback = v3_1_1::Suback::builder().packet_id(id).return_codes(codes.collect());
        return Ok(suback.build()?.into());
    }
    let codes = granted.iter().map(|it| match it {
        Granted::Yes(Qos::AtMostOnce) => SubackReasonCode::GrantedQos0,
        Granted::Yes(Qos::AtLeastOnce) => SubackReasonCode::GrantedQos1,
        Granted::Yes(Qos::ExactlyOnce) => SubackReasonCode::GrantedQos2,
        Granted::NotAuthorized => SubackReasonCode::NotAuthorized,
        Granted::Invalid(_) => SubackReasonCode::TopicFilterInvalid,
        Granted::Quota => SubackReasonCode::QuotaExceeded,
        Granted::Shared => SubackReasonCode::SharedSubscriptionsNotSupported,
    });
    Ok(v5_0::Suback::builder().packet_id(id).reason_codes(codes.collect()).build()?.into())
}

pub(super) fn unsubscribed(five: bool, id: u16, known: &[bool]) -> Result<Packet, MqttError> {
    if !five {
        return Ok(v3_1_1::Unsuback::builder().packet_id(id).build()?.into());
    }
    let codes = known.iter().map(|known| match known {
        true => UnsubackReasonCode::Success,
        false => UnsubackReasonCode::NoSubscriptionExisted,
    });
    Ok(v5_0::Unsuback::builder().packet_id(id).reason_codes(codes.collect()).build()?.into())
}

/// A message to a client; `None` where it is of no use any more.
pub(super) fn publish(
    five: bool,
    delivery: &Delivery,
    id: Option<u16>,
) -> Result<Option<Packet>, MqttError> {
    let message = &delivery.message;
    let left = match message.expires {
        None => None,
        Some(at) => match at.checked_duration_since(Instant::now()) {
            None => return Ok(None),
            Some(left) => Some(left),
        },
    };
    if !five {
        return Ok(Some(
            v3_1_1::Publish::builder()
                .topic_name(delivery.heard_as.as_str())?
                .qos(delivery.qos)
                .retain(delivery.retain)
                .packet_id(id)
                .payload(message.payload.clone())
                .build()?
                .into(),
        ));
    }
    let mut properties = message.properties.clone();
    if let Some(left) = left {
        // At least one second: zero would say that it is over.
        let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1);
        properties.push(MessageExpiryInterval::new(seconds)?.into());
    }
    for identifier in &delivery.identifiers {
        properties.push(SubscriptionIdentifier::new(*identifier)?.into());
    }
    Ok(Some(
        v5_0::Publish::builder()
            .topic_name(delivery.heard_as.as_str())?
            .qos(delivery.qos)
            .retain(delivery.retain)
            .packet_id(id)
            .payload(message.payload.clone())
            .props(properties)
            .build()?
            .into(),
    ))
}

/// What CONNACK says to a device that may not be here: the same whatever the reason is.
pub(super) fn connect_code(_refusal: Refusal) -> ConnectReasonCode {
    ConnectReasonCode::NotAuthorized
}
