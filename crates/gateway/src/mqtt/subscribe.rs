//! SUBSCRIBE and UNSUBSCRIBE.

use super::{
    connection::{End, Link, Step},
    message::until,
    packets::{self, Granted, Wanted, subscribed, unsubscribed},
    session::{Delivery, Outgoing, Session, Subscribed},
};
use admission::Subscription;
use mqtt_protocol_core::mqtt::{packet::Qos, result_code::DisconnectReasonCode};
use service::DoorSender;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link<S> {
    pub(super) async fn subscribe(
        &mut self,
        id: u16,
        wanted: Vec<Wanted>,
        identifier: Option<u32>,
    ) -> Step {
        let Some(joined) = &self.joined else {
            return Err(End::Say(DisconnectReasonCode::ProtocolError));
        };
        let (five, turn) = (joined.five, joined.turn);
        let (session, sender) = (joined.session.clone(), joined.sender.clone());
        if wanted.iter().any(|want| want.no_local && want.filter.starts_with("$share/")) {
            // MQTT-3.8.3-4
            return Err(End::Say(DisconnectReasonCode::ProtocolError));
        }
        let mut granted = Vec::with_capacity(wanted.len());
        for want in wanted {
            // Each counts as a message does: who asks again and again uses itself up.
            granted.push(match self.inner.service.pass_request(&sender) {
                Ok(()) => self.grant((&session, turn), &sender, want, identifier),
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
            if subscribed.1 {
                self.send_retained((&*session, turn), &sender, &subscribed.0).await;
            }
            let (inner, session, sender) = (self.inner.clone(), session.clone(), sender.clone());
            let tell = move || inner.tell_all((&*session, turn), &sender, &subscribed.0);
            if let Err(error) = tokio::task::spawn_blocking(tell).await {
                tracing::error!(%error, "what a device is to hear was not told");
            }
        }
        Ok(())
    }

    /// What becomes of one wish, and the subscription, with whether what is kept of its topics is
    /// sent.
    fn grant(
        &self,
        (session, turn): (&Arc<Session>, u64),
        sender: &DoorSender,
        want: Wanted,
        identifier: Option<u32>,
    ) -> (Granted, Option<(Subscribed, bool)>) {
        let asked = match Subscription::new(&want.filter) {
            Ok(subscription) if subscription.share.is_some() => return (Granted::Shared, None),
            Ok(subscription) => subscription.filter,
            Err(error) => return (Granted::Invalid(error), None),
        };
        let meant = match sender.space().absolute_filter(asked.clone()) {
            Ok(meant) => meant,
            Err(error) => return (Granted::Invalid(error), None),
        };
        if self.inner.service.may_listen(sender, &meant).is_err() {
            self.inner.service.refuse_listening(sender, self.door, &meant);
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
        // Another connection has the session by now, and hears nothing of what this one asked for.
        if state.turn != turn {
            return (Granted::NotAuthorized, None);
        }
        let known = state.subscriptions.contains_key(&want.filter);
        if !known && state.subscriptions.len() >= self.inner.limits.subscriptions {
            return (Granted::Quota, None);
        }
        state.subscriptions.insert(want.filter, subscribed.clone());
        let roams = !sender.space().contains(&subscribed.meant);
        let listens = !sender.space().is_told(subscribed.meant.as_str());
        let send = want.retained == 0 || (want.retained == 1 && !known);
        drop(state);
        if listens {
            self.inner.listens(session);
        }
        if roams {
            self.inner.roams(session, sender.owner());
        }
        (Granted::Yes(want.qos), Some((subscribed, send)))
    }

    async fn send_retained(
        &self,
        (session, turn): (&Session, u64),
        sender: &DoorSender,
        subscribed: &Subscribed,
    ) {
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
        if state.turn != turn {
            return;
        }
        for message in kept {
            let heard_as = sender.space().heard_as(&subscribed.asked, &message.topic);
            let qos = Qos::try_from(message.qos).unwrap_or(Qos::AtMostOnce).min(subscribed.qos);
            let message = Arc::new(Outgoing {
                topic: message.topic,
                payload: message.payload,
                qos,
                retain: true,
                properties: packets::content_type(message.media_type.as_deref()),
                expires: until(message.expires_s),
                sure: false,
                by: None,
                from: None,
            });
            let identifiers = subscribed.identifier.into_iter().collect();
            let delivery = Delivery { message, heard_as, qos, retain: true, identifiers };
            state.push(delivery, &self.inner.limits);
        }
        drop(state);
        session.rouse();
    }

    pub(super) fn unsubscribe(&mut self, id: u16, filters: &[String]) -> Step {
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
}
