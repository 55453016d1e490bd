//! One association: handshake, who it is, and its conversation.

use super::{Datagrams, dtls::DATAGRAM};
use crate::{
    metrics::{Door, Turned},
    peer::{Peer, Session},
    tls::TrustError,
};
use dimpl::{Dtls, Output};
use gateway::{Conversation, Unwelcome, told_to_stop};
use pki::Certificate;
use rustls::pki_types::CertificateDer;
use service::{ErrorKind, ServiceError};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

/// How long a device may be silent before its association is forgotten.
const SILENCE: Duration = Duration::from_secs(1200);
/// Most bytes that are heard before the client is known.
const HANDSHAKE_BYTES: usize = 32 * 1024;
/// Room for a certificate: more than was heard.
const CERTIFICATE: usize = 2 * HANDSHAKE_BYTES;

pub(super) struct Association {
    door: Arc<Datagrams>,
    address: SocketAddr,
    dtls: Box<Dtls>,
    incoming: mpsc::Receiver<Vec<u8>>,
    /// bytes that were heard before the client was known
    heard: usize,
    /// what the client showed
    shown: Option<Shown>,
    connected: bool,
    conversation: Option<Conversation>,
    /// nothing is heard until then: the client sends faster than it may
    paused_until: Option<Instant>,
}

/// What a client shows.
enum Shown {
    /// a certificate
    Certificate(Vec<u8>),
    /// the SubjectPublicKeyInfo of its key, and nothing else (RFC 7250)
    Key(Vec<u8>),
}

/// It is over.
struct Over;

impl Association {
    pub(super) fn new(
        door: Arc<Datagrams>,
        address: SocketAddr,
        dtls: Box<Dtls>,
        incoming: mpsc::Receiver<Vec<u8>>,
    ) -> Self {
        Self {
            door,
            address,
            dtls,
            incoming,
            heard: 0,
            shown: None,
            connected: false,
            conversation: None,
            paused_until: None,
        }
    }

    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        self.door.app.metrics.connected();
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
            if !said.is_empty() {
                if self.hear(said).await? {
                    silent_at = Instant::now() + SILENCE;
                }
                continue;
            }
            let now = Instant::now();
            self.paused_until = self.paused_until.filter(|at| *at > now);
            let body_until = self.conversation.as_ref().and_then(Conversation::body_until);
            let alarms = [Some(wake_at), Some(silent_at), self.paused_until, body_until];
            let alarm = alarms.into_iter().flatten().min().unwrap_or(silent_at);
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
                datagram = self.incoming.recv(), if self.paused_until.is_none() => {
                    // Another association has its address now.
                    let Some(datagram) = datagram else { return Err(Over) };
                    if !self.connected {
                        self.heard = self.heard.saturating_add(datagram.len());
                        if self.heard > HANDSHAKE_BYTES {
                            self.turn_away("more bytes than a handshake has");
                            return Err(Over);
                        }
                    }
                    self.tell(|dtls| dtls.handle_packet(&datagram))?;
                }
                () = sleep_until(alarm) => {
                    let now = Instant::now();
                    if now >= silent_at {
                        return Err(Over);
                    }
                    if let Some(conversation) = &mut self.conversation {
                        conversation.forget(now);
                    }
                    self.tell(|_| Ok(()))?;
                }
            }
        }
    }

    /// Hears what the client said; whether it was anything.
    async fn hear(&mut self, said: Vec<Vec<u8>>) -> Result<bool, Over> {
        let mut meant = false;
        for datagram in said {
            let Some(conversation) = &mut self.conversation else { return Ok(false) };
            let reply = conversation.hear(&datagram).await;
            if let Some(answer) = reply.datagram {
                self.dtls.send_application_data(&answer).map_err(|_| Over)?;
            }
            if reply.ends {
                return Err(Over);
            }
            if !reply.pause.is_zero() {
                self.paused_until = self.paused_until.max(Some(Instant::now() + reply.pause));
            }
            meant |= reply.meant;
        }
        Ok(meant)
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
        let (gateway, from) = (self.door.gateway.clone(), self.address.ip());
        let begun = match self.shown.take() {
            Some(Shown::Key(spki)) => {
                let certificate = self.meant_by(&spki)?;
                let begun = gateway.coap_by_key(&spki, &certificate, from).await;
                begun.map_err(|why| self.unwelcome(&why, certificate, Some(&spki)))
            }
            shown => {
                let shown = match shown {
                    Some(Shown::Certificate(der)) => vec![CertificateDer::from(der)],
                    _ => Vec::new(),
                };
                let trusted = self.door.trust.chain(&shown, self.door.app.service.now());
                let chain = trusted.map_err(|error| {
                    self.turn_away(&error.to_string());
                    Over
                })?;
                let Some(certificate) = chain.first() else {
                    self.not_authenticated("no client certificate was shown", None);
                    return Err(Over);
                };
                let begun = gateway.coap(certificate, from).await;
                begun.map_err(|why| self.unwelcome(&why, certificate.clone(), None))
            }
        };
        self.conversation = Some(begun?);
        self.door.app.metrics.handshake(false, false);
        Ok(())
    }

    /// Who has shaken hands may not be here: why is on record, once.
    fn unwelcome(&self, why: &Unwelcome, certificate: Certificate, key: Option<&[u8]>) -> Over {
        let named = || match key {
            Some(spki) => named(spki, &certificate),
            None => "a certificate".to_owned(),
        };
        match why {
            Unwelcome::Refused(_) => self.door.app.metrics.handshake(false, false),
            Unwelcome::Unknown(error) if error.is_no_answer() => self.not_known(error),
            // Known, and not let in: the service has it on record.
            Unwelcome::Unknown(error) if error.kind() == ErrorKind::Forbidden => {
                self.door.app.metrics.turned(Turned::Forbidden);
            }
            Unwelcome::Unknown(error) => {
                let why = format!("{}: {}: {error}", named(), error.code());
                self.not_authenticated(&why, Some(certificate));
            }
            Unwelcome::Renewed => {
                let why = format!("{}: {why}", named());
                self.not_authenticated(&why, Some(certificate));
            }
        }
        Over
    }

    /// The certificate that is held here for a key, judged as if it had been shown. What is wrong with it is on
    /// record by the key, and by the certificate where that is known: the association says neither.
    fn meant_by(&self, spki: &[u8]) -> Result<Certificate, Over> {
        let (service, key) = (&self.door.app.service, crypto::sha256(spki));
        let certificate = service.certificate_of_key(spki).map_err(|error| {
            match error.is_no_answer() {
                true => self.not_known(&error),
                false => {
                    self.not_authenticated(&format!("{} {key}: {error}", error.code()), None);
                }
            }
            Over
        })?;
        let shown = [CertificateDer::from(certificate.der())];
        match self.door.trust.chain(&shown, service.now()) {
            Ok(_) => Ok(certificate),
            Err(TrustError::Store(error)) => {
                self.not_known(&error);
                Err(Over)
            }
            Err(error) => {
                let why = format!("{}: {error}", named(spki, &certificate));
                self.not_authenticated(&why, Some(certificate));
                Err(Over)
            }
        }
    }

    /// Who it is was not proved, as far as anybody can say.
    fn not_authenticated(&self, why: &str, certificate: Option<Certificate>) {
        let chain = certificate.into_iter().collect();
        let peer = Peer::new(self.address, Some(Session { chain, exporter: None }));
        self.door.app.turn_away(Turned::Unauthenticated, &peer, Door::Public, why);
    }

    /// The store could not say who it is: that is nobody's failure to prove it.
    fn not_known(&self, error: &ServiceError) {
        tracing::error!(%error, "it could not be looked who has shaken hands");
        self.turn_away(&format!("{}: {error}", error.code()));
    }

    fn turn_away(&self, why: &str) {
        let peer = Peer::new(self.address, None);
        self.door.app.turn_away(Turned::Handshake, &peer, Door::Public, why);
    }

    /// Sends what there is to send; when to wake up, and what the client said.
    async fn drain(&mut self) -> Result<(Instant, Vec<Vec<u8>>), Over> {
        // `dimpl` asserts that there is room for the certificate, which comes before the client is known.
        let mut buffer = vec![0; if self.connected { DATAGRAM } else { CERTIFICATE }];
        let mut said = Vec::new();
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    // What does not arrive is sent again.
                    let _unreachable = self.door.socket.send_to(packet, self.address).await;
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => return Ok((Instant::from_std(at), said)),
                Output::Connected => self.connected = true,
                Output::PeerCert(certificate) => {
                    self.shown = Some(Shown::Certificate(certificate.to_vec()));
                }
                Output::PeerRawPublicKey(spki) => self.shown = Some(Shown::Key(spki.to_vec())),
                Output::ApplicationData(data) => said.push(data.to_vec()),
                Output::CloseNotify => return Err(Over),
                _ => {}
            }
        }
    }
}

/// A key and its device, for the record: an LDevID and an IDevID have their device in their subject.
fn named(spki: &[u8], certificate: &Certificate) -> String {
    let device = certificate.common_name().unwrap_or_default();
    format!("raw-key {} of device {device}", crypto::sha256(spki))
}
