//! A light client of CoAP over DTLS 1.2: no more than benches and simulated devices need, one request at a
//! time, sent again until it is answered (RFC 7252 section 4.2).

use crate::clock;
use anyhow::{Context as _, anyhow, bail, ensure};
use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType};
use crypto::dtls::{Keys, RawKey, SUITES, associate};
use dimpl::{
    Config, Dtls, Output,
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
};
use rustls::sign::CertifiedKey;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, time::timeout_at};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Room for a datagram either way, a certificate that is shown included.
const DATAGRAM: usize = 4096;
/// Bytes of a block (RFC 7959 section 2.2), and that as it is written.
const BLOCK: usize = 1024;
const BLOCK_EXPONENT: u32 = 6;
/// `ACK_TIMEOUT` and `MAX_RETRANSMIT` (RFC 7252 section 4.8).
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_RETRANSMIT: u32 = 4;
/// What a server says that wants the next block.
const CONTINUE: &str = "2.31";

/// An association.
pub struct Coap {
    socket: UdpSocket,
    dtls: Box<Dtls>,
    wake_at: Instant,
    shown: Option<Shown>,
    connected: bool,
    over: bool,
    heard: Vec<Packet>,
    id: u16,
}

/// What the server shows: its certificate, or a SubjectPublicKeyInfo by itself (RFC 7250), in DER.
pub enum Shown {
    Certificate(Vec<u8>),
    Key(Vec<u8>),
}

/// How the associations of a client are that shows a certificate, or its key by itself; then it would have
/// the server do the same.
pub fn config(raw: Option<&RawKey>) -> anyhow::Result<Arc<Config>> {
    let provider = CryptoProvider { key_provider: &Keys, ..default_provider() };
    let config = Config::builder()
        .with_crypto_provider(provider)
        .dtls12_cipher_suites(&SUITES)
        .handshake_timeout(HANDSHAKE)
        .accept_raw_public_keys(raw.is_some());
    let config = match raw {
        Some(raw) => config.with_raw_public_key(raw.to_configure()),
        None => config,
    };
    Ok(Arc::new(config.build()?))
}

impl Coap {
    /// Shakes hands over a socket that is connected to the server; `config` is [`config`] with the same `raw`.
    /// `trusts` looks at what the server shows.
    pub async fn open(
        config: Arc<Config>,
        (key, raw): (Arc<CertifiedKey>, Option<&RawKey>),
        socket: UdpSocket,
        trusts: impl FnOnce(&Shown) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let now = clock::instant();
        let dtls = associate(config, &key, raw, now).context("no certificate to be shown")?;
        let mut coap = Self {
            socket,
            dtls: Box::new(dtls),
            wake_at: now,
            shown: None,
            connected: false,
            over: false,
            heard: Vec::new(),
            id: 0,
        };
        coap.dtls.set_active(true);
        coap.dtls.handle_timeout(now)?;
        coap.drain().await?;
        while !coap.connected {
            coap.turn(None).await?;
        }
        let shown = coap.shown.take().context("the server shows neither certificate nor key")?;
        trusts(&shown)?;
        Ok(coap)
    }

    /// Posts a body, in blocks where it is long; the code of the answer, as `2.04`.
    pub async fn post(
        &mut self,
        path: &str,
        query: &[String],
        format: u16,
        body: &[u8],
    ) -> anyhow::Result<String> {
        let blocks = body.len().div_ceil(BLOCK).max(1);
        for number in 0..blocks {
            let rest = body.get(number * BLOCK..).unwrap_or_default();
            let more = number + 1 < blocks;
            let mut packet = Packet::new();
            packet.header.code = MessageClass::Request(RequestType::Post);
            for level in path.split('/') {
                packet.add_option(CoapOption::UriPath, level.as_bytes().to_vec());
            }
            for part in query {
                packet.add_option(CoapOption::UriQuery, part.as_bytes().to_vec());
            }
            packet.add_option(CoapOption::ContentFormat, written(format.into()));
            if blocks > 1 {
                let value = (u32::try_from(number)? << 4) | (u32::from(more) << 3) | BLOCK_EXPONENT;
                packet.add_option(CoapOption::Block1, written(value));
            }
            packet.payload = rest.get(..BLOCK).unwrap_or(rest).to_vec();
            let code = self.ask(packet).await?.header.get_code();
            if !more || code != CONTINUE {
                return Ok(code);
            }
        }
        bail!("a body without blocks")
    }

    /// Sends a request until it is answered.
    async fn ask(&mut self, mut packet: Packet) -> anyhow::Result<Packet> {
        self.id = self.id.wrapping_add(1);
        packet.header.message_id = self.id;
        packet.header.set_type(MessageType::Confirmable);
        packet.set_token(self.id.to_be_bytes().to_vec());
        let bytes = packet.to_bytes_unlimited().map_err(|_| anyhow!("no packet"))?;
        self.heard.clear();
        for repeated in 0..=MAX_RETRANSMIT {
            ensure!(!self.over, "the connection ended");
            self.dtls.handle_timeout(clock::instant())?;
            self.dtls.send_application_data(&bytes)?;
            self.drain().await?;
            let until = clock::instant() + ACK_TIMEOUT * 2_u32.pow(repeated);
            while clock::instant() < until {
                if let Some(answer) =
                    self.heard.drain(..).find(|it| it.header.message_id == self.id)
                {
                    ensure!(answer.header.get_type() != MessageType::Reset, "the server resets it");
                    return Ok(answer);
                }
                self.turn(Some(until)).await?;
            }
        }
        bail!("no answer in time")
    }

    /// Waits until the server ends the association, and says nothing meanwhile.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        while !self.over {
            self.turn(None).await?;
        }
        bail!("the connection ended")
    }

    /// Takes its leave.
    pub async fn close(mut self) {
        if self.dtls.close().is_ok() {
            let _gone = self.drain().await;
        }
    }

    /// Hears one datagram, or what time it is, and says what is to be said.
    async fn turn(&mut self, until: Option<Instant>) -> anyhow::Result<()> {
        ensure!(!self.over, "the connection ended");
        let mut buffer = [0; DATAGRAM];
        let wake_at = until.map_or(self.wake_at, |until| until.min(self.wake_at));
        let heard = timeout_at(wake_at.into(), self.socket.recv(&mut buffer)).await;
        self.dtls.handle_timeout(clock::instant())?;
        if let Ok(length) = heard {
            self.dtls.handle_packet(buffer.get(..length?).unwrap_or_default())?;
        }
        self.drain().await
    }

    async fn drain(&mut self) -> anyhow::Result<()> {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    self.socket.send(packet).await?;
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.wake_at = at;
                    return Ok(());
                }
                Output::Connected => self.connected = true,
                Output::PeerCert(it) => self.shown = Some(Shown::Certificate(it.to_vec())),
                Output::PeerRawPublicKey(it) => self.shown = Some(Shown::Key(it.to_vec())),
                Output::ApplicationData(data) => self.heard.extend(Packet::from_bytes(data)),
                Output::CloseNotify => {
                    self.over = true;
                    return Ok(());
                }
                _ => {}
            }
        }
    }
}

/// A number as an option holds it, as short as may be (RFC 7252 section 3.2).
fn written(value: u32) -> Vec<u8> {
    value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}
