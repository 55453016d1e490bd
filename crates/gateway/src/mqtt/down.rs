//! Commands and settings on their way to a device (GW-8): told to those who listen when they are new,
//! and to whoever comes to listen.

use super::{
    message::until,
    packets,
    session::{Delivery, Outgoing, Session, Subscribed},
};
use crate::hub::Inner;
use admission::TopicFilter;
use mqtt_protocol_core::mqtt::packet::Qos;
use service::{DoorSender, Downlink, StandingChanges};
use std::{collections::HashSet, sync::Arc};

const JSON: &str = "application/json";

impl Inner {
    /// Tells devices what is new for them, where a session of theirs listens. What nobody listens to
    /// waits until somebody does.
    pub(crate) fn tell(&self, changes: &StandingChanges) {
        let mut told = HashSet::new();
        for session in self.every() {
            // Of many thousand sessions this concerns a few: nothing is copied of the others.
            let is_new = |it: &&DoorSender| {
                self.service.has_downlink(changes, it) && told.insert(it.device())
            };
            let Some(sender) = session.lock().sender.as_ref().filter(is_new).cloned() else {
                continue;
            };
            self.tell_one(&sender, false);
        }
    }

    /// Tells devices all that waits for them, as if they had just come to listen.
    pub(crate) fn tell_again(&self, concerned: impl Fn(&DoorSender) -> bool) {
        let mut told = HashSet::new();
        for session in self.every() {
            let is_next = |it: &&DoorSender| concerned(it) && told.insert(it.device());
            let Some(sender) = session.lock().sender.as_ref().filter(is_next).cloned() else {
                continue;
            };
            self.tell_one(&sender, true);
        }
    }

    fn tell_one(&self, sender: &DoorSender, again: bool) {
        let downlinks = match self.service.downlinks(sender, again) {
            Ok(downlinks) => downlinks,
            Err(error) => {
                tracing::error!(%error, "what is new for a device could not be read");
                return;
            }
        };
        let heard: Vec<Downlink> = downlinks
            .into_iter()
            .filter(|downlink| self.deliver(&Arc::new(outgoing(downlink.clone()))) > 0)
            .collect();
        self.service.handed_over(&heard);
    }

    /// Tells a client that has just come to listen all that its device is to hear of the topics.
    /// These are no retained messages: they come whatever the client wants of those.
    pub(super) fn tell_all(
        &self,
        (session, turn): (&Session, u64),
        sender: &DoorSender,
        by: &Subscribed,
    ) {
        if !reaches_down(sender, &by.meant) {
            return;
        }
        let downlinks = match self.service.downlinks(sender, true) {
            Ok(downlinks) => downlinks,
            Err(error) => {
                tracing::error!(%error, "what is to be told to a device could not be read");
                return;
            }
        };
        let mut heard = Vec::new();
        let mut state = session.lock();
        // Where another connection has it by now it is told when that one asks.
        if state.turn != turn {
            return;
        }
        for downlink in downlinks {
            if !by.meant.matches(&downlink.topic) {
                continue;
            }
            let message = Arc::new(outgoing(downlink.clone()));
            state.push(
                Delivery {
                    heard_as: sender.space().heard_as(&by.asked, &message.topic),
                    qos: message.qos.min(by.qos),
                    retain: false,
                    identifiers: by.identifier.into_iter().collect(),
                    message,
                },
                &self.limits,
            );
            heard.push(downlink);
        }
        drop(state);
        session.rouse();
        self.service.handed_over(&heard);
    }
}

/// Whether a filter may match what is told to the device.
fn reaches_down(sender: &DoorSender, filter: &TopicFilter) -> bool {
    let below = filter.as_str().strip_prefix(sender.space().root());
    let below = below.and_then(|rest| rest.strip_prefix('/'));
    below.is_none_or(|below| ["down", "#", "+"].iter().any(|level| below.starts_with(level)))
}

fn outgoing(downlink: Downlink) -> Outgoing {
    Outgoing {
        topic: downlink.topic,
        payload: downlink.payload,
        qos: Qos::AtLeastOnce,
        retain: false,
        properties: packets::content_type(Some(JSON)),
        expires: until(downlink.expires_s),
        sure: false,
        by: None,
        from: None,
    }
}
