//! The door for datagrams: CoAP over DTLS 1.2 (docs/coap.md). What CoAP says is `gateway`'s affair; here
//! are the socket, the associations and their limits.

mod dtls;

use crate::{
    app::App,
    limit::{Permit, Source},
    listener::told_to_stop,
    metrics::{Door, Turned},
    peer::Peer,
    tls::{ClientTrust, OwnCertificate},
};
use dimpl::{Dtls, Output};
use dtls::{Associations, DATAGRAM, Greeted};
use gateway::{Conversation, Gateway, Hello};
use rustls::pki_types::CertificateDer;
use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

/// Datagrams that wait for one association; more are dropped, as a network would.
const WAITING: usize = 32;
/// Longest datagram that is read: a whole record and its header.
const DATAGRAM_MAX: usize = 16 * 1024 + 512;
/// How long a device may be silent before its association is forgotten.
const SILENCE: Duration = Duration::from_secs(1200);

/// A door for datagrams.
pub(crate) struct Datagrams {
    pub(crate) socket: UdpSocket,
    pub(crate) app: App,
    pub(crate) gateway: Gateway,
    pub(crate) trust: Arc<ClientTrust>,
}

/// An association, as the door knows it.
struct Known {
    /// which one of those that its address has had
    number: u64,
    /// the client's random, by which a hello that comes again is told from a new one
    random: [u8; 32],
    datagrams: mpsc::Sender<Vec<u8>>,
}

impl Datagrams {
    /// Serves until `stop` says so.
    ///
    /// # Errors
    /// As a sentence, where DTLS cannot be spoken.
    pub(crate) fn serve(
        self,
        own: Arc<OwnCertificate>,
        stop: watch::Receiver<bool>,
    ) -> Result<impl Future<Output = ()> + Send + use<>, String> {
        let associations = Associations::new(own)?;
        Ok(self.listen(associations, stop))
    }

    async fn listen(self, associations: Associations, stop: watch::Receiver<bool>) {
        let door = Arc::new(self);
        let mut known: HashMap<SocketAddr, Known> = HashMap::new();
        let (ended, mut over) = mpsc::unbounded_channel::<(SocketAddr, u64)>();
        let mut stopping = stop.clone();
        let mut buffer = vec![0; DATAGRAM_MAX];
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
            // A message of ICMP that nobody is there concerns one address, and not the door.
            let Ok((length, from)) = received else { continue };
            let Some(bytes) = buffer.get(..length).filter(|it| it.len() < DATAGRAM_MAX) else {
                continue;
            };
            let hello = Hello::read(bytes);
            if let Some(association) = known.get(&from) {
                // A hello that comes again is the association's; a new one comes from somebody who has
                // forgotten it, or says so (RFC 6347 section 4.2.8).
                if hello.is_none_or(|it| it.has_cookie() && it.random == association.random) {
                    let _full = association.datagrams.try_send(bytes.to_vec());
                    continue;
                }
            }
            let Some(hello) = hello else { continue };
            match associations.greet(from, &hello, bytes) {
                Greeted::Stranger(None) => {}
                Greeted::Stranger(Some(question)) => {
                    let _unreachable = door.socket.send_to(&question, from).await;
                }
                Greeted::Known(dtls, first) => {
                    // The former association goes before the new one is counted.
                    known.remove(&from);
                    let permit = match door.app.connections.admit(Source::from(from.ip())) {
                        Ok(permit) => permit,
                        Err(refusal) => {
                            let peer = Peer::new(from, None);
                            door.app.turn_away(refusal.into(), &peer, Door::Public, "");
                            continue;
                        }
                    };
                    number = number.wrapping_add(1);
                    let (datagrams, incoming) = mpsc::channel(WAITING);
                    known.insert(from, Known { number, random: hello.random, datagrams });
                    let association = Association {
                        door: door.clone(),
                        address: from,
                        dtls,
                        incoming,
                        certificate: None,
                        connected: false,
                        conversation: None,
                        _permit: permit,
                    };
                    let (ended, stop) = (ended.clone(), stop.clone());
                    drop(tokio::spawn(async move {
                        association.run(first, stop).await;
                        let _gone = ended.send((from, number));
                    }));
                }
            }
        }
    }
}

struct Association {
    door: Arc<Datagrams>,
    address: SocketAddr,
    dtls: Box<Dtls>,
    incoming: mpsc::Receiver<Vec<u8>>,
    /// what the client showed
    certificate: Option<Vec<u8>>,
    connected: bool,
    conversation: Option<Conversation>,
    _permit: Permit,
}

/// It is over.
struct Over;

impl Association {
    async fn run(mut self, first: Vec<Vec<u8>>, stop: watch::Receiver<bool>) {
        self.door.app.metrics.connected();
        for datagram in first {
            self.send(&datagram).await;
        }
        if let Err(Over) = self.converse(stop).await
            && self.dtls.close().is_ok()
        {
            let _drained = self.drain().await;
        }
    }

    async fn converse(&mut self, mut stop: watch::Receiver<bool>) -> Result<(), Over> {
        let mut silent_at = Instant::now() + SILENCE;
        loop {
            let (wake_at, said) = self.drain().await?;
            if self.connected && self.conversation.is_none() {
                self.begin().await?;
            }
            if let (Some(conversation), false) = (&mut self.conversation, said.is_empty()) {
                for datagram in said {
                    let reply = conversation.hear(&datagram).await;
                    if let Some(answer) = reply.datagram {
                        self.dtls.send_application_data(&answer).map_err(|_| Over)?;
                    }
                    if reply.ends {
                        return Err(Over);
                    }
                }
                silent_at = Instant::now() + SILENCE;
                continue;
            }
            let changed = async {
                match &self.conversation {
                    Some(conversation) => conversation.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = told_to_stop(&mut stop) => return Err(Over),
                () = changed => {
                    if let Some(conversation) = &mut self.conversation
                        && !conversation.look_again().await
                    {
                        return Err(Over);
                    }
                }
                datagram = self.incoming.recv() => {
                    // Another association has its address now.
                    let Some(datagram) = datagram else { return Err(Over) };
                    self.tell(|dtls| dtls.handle_packet(&datagram))?;
                }
                () = sleep_until(wake_at.min(silent_at)) => {
                    if Instant::now() >= silent_at {
                        return Err(Over);
                    }
                    self.tell(|_| Ok(()))?;
                }
            }
        }
    }

    /// Has something done at the present moment.
    fn tell(
        &mut self,
        what: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>,
    ) -> Result<(), Over> {
        let done = self.dtls.handle_timeout(Instant::now().into_std());
        done.and_then(|()| what(&mut self.dtls)).map_err(|error| {
            if !self.connected {
                self.turn_away(&error.to_string());
            }
            Over
        })
    }

    /// Who has shaken hands: whether it may be here.
    async fn begin(&mut self) -> Result<(), Over> {
        let shown = self.certificate.take().map(CertificateDer::from);
        let shown: Vec<CertificateDer<'_>> = shown.into_iter().collect();
        let app = &self.door.app;
        let chain = self.door.trust.chain(&shown, app.service.now()).map_err(|error| {
            self.turn_away(&error.to_string());
            Over
        })?;
        let Some(certificate) = chain.first() else {
            let peer = Peer::new(self.address, None);
            let why = "no client certificate was shown";
            app.turn_away(Turned::Unauthenticated, &peer, Door::Public, why);
            return Err(Over);
        };
        app.metrics.handshake(false, false);
        self.conversation =
            Some(self.door.gateway.coap(certificate, self.address.ip()).await.ok_or(Over)?);
        Ok(())
    }

    fn turn_away(&self, why: &str) {
        let peer = Peer::new(self.address, None);
        self.door.app.turn_away(Turned::Handshake, &peer, Door::Public, why);
    }

    /// Sends what there is to send; when to wake up, and what the client said.
    async fn drain(&mut self) -> Result<(Instant, Vec<Vec<u8>>), Over> {
        let mut buffer = vec![0; DATAGRAM];
        let mut said = Vec::new();
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    let _unreachable = self.door.socket.send_to(packet, self.address).await;
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => return Ok((Instant::from_std(at), said)),
                Output::Connected => self.connected = true,
                Output::PeerCert(certificate) => self.certificate = Some(certificate.to_vec()),
                Output::ApplicationData(data) => said.push(data.to_vec()),
                Output::CloseNotify => return Err(Over),
                _ => {}
            }
        }
    }

    async fn send(&self, datagram: &[u8]) {
        // What does not arrive is sent again.
        let _unreachable = self.door.socket.send_to(datagram, self.address).await;
    }
}
