//! The door for datagrams: CoAP over DTLS 1.2 (docs/coap.md). What CoAP says is `gateway`'s affair; here
//! are the socket, the associations and their limits.

mod association;
mod dtls;

use crate::{
    app::App,
    limit::{Buckets, Counted, Permit, Rate, Source},
    metrics::{Door, Turned},
    peer::Peer,
    tls::{ClientTrust, OwnCertificate},
};
use association::Association;
pub(crate) use dtls::ShownKeys;
use dtls::{Associations, Begun, Greeted};
use gateway::{Gateway, Hello, told_to_stop};
use std::{collections::HashMap, convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

/// Datagrams that wait for one association; more are dropped, as a network would.
const WAITING: usize = 16;
/// Longest datagram that is read: a block and its message fit several times.
const DATAGRAM_MAX: usize = 4096;
/// Handshakes of one source: each costs us a signature.
const HANDSHAKES: Rate = Rate::new(20, 100);

/// A door for datagrams.
pub(crate) struct Datagrams {
    pub(crate) socket: UdpSocket,
    pub(crate) app: App,
    pub(crate) gateway: Gateway,
    pub(crate) trust: Arc<ClientTrust>,
    /// how long what was begun may still run when the server stops
    pub(crate) grace: Duration,
}

/// An association, as the door knows it.
struct Known {
    /// which one of those that its address has had
    number: u64,
    /// the client's random, by which a hello that comes again is told from a new one
    random: [u8; 32],
    datagrams: mpsc::Sender<Vec<u8>>,
    counted: Arc<Place>,
}

/// What an association counts as: a connection of all doors, and one of this door, which may have half of
/// them.
struct Place {
    _all: Permit,
    _own: Permit,
}

/// Says that an association has ended, however it did.
struct Ended(mpsc::UnboundedSender<(SocketAddr, u64)>, (SocketAddr, u64));

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = self.0.send(self.1);
    }
}

impl Datagrams {
    /// Serves until `stop` says so; with `raw` for keys without certificates too. Then lets what was begun end, for a while.
    ///
    /// # Errors
    /// As a sentence, where DTLS cannot be spoken.
    pub(crate) fn serve(
        self,
        own: Arc<OwnCertificate>,
        raw: Option<ShownKeys>,
        stop: watch::Receiver<bool>,
    ) -> Result<impl Future<Output = ()> + Send + use<>, String> {
        let associations = Arc::new(Associations::new(own, raw)?);
        Ok(self.listen(associations, stop))
    }

    async fn listen(self, associations: Arc<Associations>, stop: watch::Receiver<bool>) {
        let door = Arc::new(self);
        let limits = &door.app.limits;
        let own = Counted::new(limits.connections_max / 2, limits.connections_per_source_max);
        let handshakes = Buckets::new(HANDSHAKES);
        let mut known: HashMap<SocketAddr, Known> = HashMap::new();
        let (ended, mut over) = mpsc::unbounded_channel::<(SocketAddr, u64)>();
        // Closed once the last association has let go of it.
        let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
        let mut stopping = stop.clone();
        let mut buffer = vec![0; DATAGRAM_MAX + 1];
        let mut number = 0_u64;
        loop {
            let received = tokio::select! {
                biased;
                () = told_to_stop(&mut stopping) => break,
                Some((address, number)) = over.recv() => {
                    if known.get(&address).is_some_and(|it| it.number == number) {
                        known.remove(&address);
                    }
                    continue;
                }
                received = door.socket.recv_from(&mut buffer) => received,
            };
            let (length, from) = match received {
                Ok(received) => received,
                Err(error) => {
                    tracing::warn!(%error, "no datagram could be read");
                    sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            let Some(bytes) = buffer.get(..length).filter(|it| it.len() <= DATAGRAM_MAX) else {
                continue;
            };
            let hello = Hello::read(bytes);
            if let Some(association) = known.get(&from) {
                // A hello that comes again is the association's; a new one comes from somebody who has
                // forgotten it, or says so (RFC 6347 section 4.2.8).
                let again =
                    |it: Hello<'_>| !it.cookie().is_empty() && it.random == association.random;
                if hello.is_none_or(again) {
                    let _full = association.datagrams.try_send(bytes.to_vec());
                    continue;
                }
            }
            let Some(hello) = hello else { continue };
            let cookie = match associations.greet(from, &hello) {
                Greeted::There(cookie) => cookie,
                Greeted::Stranger(question) => {
                    // What there is no room for is asked again.
                    let _full = door.socket.try_send_to(&question, from);
                    continue;
                }
            };
            let source = Source::from(from.ip());
            if handshakes.take(source).is_err() {
                continue;
            }
            // Who comes anew from its address takes the place that it had.
            let place = known.remove(&from).map(|former| former.counted);
            let counted = match place.map_or_else(|| count(&door.app, &own, source), Ok) {
                Ok(counted) => counted,
                Err(refusal) => {
                    let peer = Peer::new(from, None);
                    door.app.turn_away(refusal.into(), &peer, Door::Public, "");
                    continue;
                }
            };
            number = number.wrapping_add(1);
            let (datagrams, incoming) = mpsc::channel(WAITING);
            let random = hello.random;
            known.insert(from, Known { number, random, datagrams, counted: counted.clone() });
            let ended = Ended(ended.clone(), (from, number));
            let (door, associations, second) = (door.clone(), associations.clone(), bytes.to_vec());
            let (stop, open) = (stop.clone(), open.clone());
            drop(tokio::spawn(async move {
                let _held = (ended, open, counted);
                match associations.begin(&second, cookie) {
                    Some(Begun::Association(dtls)) => {
                        Association::new(door, from, dtls, incoming).run(stop).await;
                    }
                    Some(Begun::Refused(why, alert)) => {
                        if let Some(alert) = alert {
                            // What does not arrive is not sent again: the hello comes again.
                            let _unreachable = door.socket.send_to(&alert, from).await;
                        }
                        let peer = Peer::new(from, None);
                        door.app.turn_away(Turned::Handshake, &peer, Door::Public, &why);
                    }
                    None => {}
                }
            }));
        }
        drop((known, open));
        if timeout(door.grace, all_closed.recv()).await.is_err() {
            tracing::warn!("associations were cut off");
        }
    }
}

fn count(app: &App, own: &Counted, source: Source) -> Result<Arc<Place>, crate::limit::Refusal> {
    let (own, all) = (own.admit(source)?, app.connections.admit(source)?);
    Ok(Arc::new(Place { _all: all, _own: own }))
}
