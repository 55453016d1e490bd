//! CONNECT: who comes in, and with which session.

use super::{
    connection::{End, FAREWELL, Joined, Link, Step},
    message::publish_will,
    packets::{self, Connect, Welcome, turned_away, welcome},
    session::Key,
};
use crate::hub::{Opened, answered};
use admission::TopicName;
use mqtt_protocol_core::mqtt::{
    packet::{GenericPacketTrait as _, StorePacket},
    result_code::ConnectReasonCode,
};
use service::{DoorSender, ServiceError};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

/// Longest client identifier, in bytes.
const CLIENT_BYTES_MAX: usize = 128;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link<S> {
    /// Who the client is, as it stands now; `None` where it may not be here.
    ///
    /// # Errors
    /// Where the store cannot say so now.
    pub(super) async fn sender(&self) -> Result<Option<DoorSender>, ServiceError> {
        let service = &self.inner.service;
        let caller = service.identify_certificate(&self.certificate).await;
        answered(caller.and_then(|caller| service.door_sender(&caller, &self.certificate)))
    }

    pub(super) async fn connect(&mut self, connect: Connect) -> Step {
        let five = connect.five;
        let refuse = |link: &mut Self, code| {
            link.say(turned_away(five, code))?;
            Err(End::Gone)
        };
        let seen = self.inner.service.standing_count();
        let sender = match self.sender().await {
            Ok(Some(sender)) => sender,
            Ok(None) => return refuse(self, ConnectReasonCode::NotAuthorized),
            Err(error) => {
                tracing::error!(%error, "it could not be looked who a client is");
                return refuse(self, ConnectReasonCode::ServerUnavailable);
            }
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
        let key = Key { device: sender.device(), client: client.into() };
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
        let here = self.inner.service.device_connected(&sender, self.source, &connect.client);
        let joined = Joined {
            five,
            session: session.clone(),
            turn,
            sender,
            will,
            keep,
            looked: None,
            waits: true,
            _here: here,
        };
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
            let goes_on = same
                && state.five == five
                && resumable(&state.stored, &connect)
                && state.stored.iter().all(|packet| self.may_hear_again(&sender, packet));
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
        if !changes.is_empty()
            && let Err(end) = self.look_again().await
        {
            // It goes back into the session, where that is kept.
            self.codec.restore_qos2_publish_handled(handled.into_iter().collect());
            self.codec.restore_packets(stored);
            return Err(end);
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

    /// Whether a message that is to be sent again may still be heard: where not, what is left of the
    /// session is none of the device's business any more.
    fn may_hear_again(&self, sender: &DoorSender, packet: &StorePacket) -> bool {
        let topic = match packet {
            StorePacket::V3_1_1Publish(publish) => publish.topic_name(),
            StorePacket::V5_0Publish(publish) => publish.topic_name(),
            _ => return true,
        };
        let name = TopicName::new(topic).and_then(|name| sender.space().absolute(name));
        name.is_ok_and(|name| self.inner.service.may_hear(sender, &name))
    }

    /// How long the session is kept once the connection has ended.
    fn keep_of(&self, connect: &Connect) -> Duration {
        let most = self.inner.limits.session_expiry_s;
        Duration::from_secs(connect.session_expiry_s.min(most).into())
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
