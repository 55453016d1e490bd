//! Message brokers: one connection per route, over which the messages of several devices are on their
//! way at a time.
//!
//! A message counts as taken when the broker has acknowledged it. The next of the same device is sent
//! after that, so that devices' messages keep their order whatever happens to one of them. A connection
//! is made when there is something to send, to an address that was looked at, and to no other: what a
//! broker says of further servers is not followed.

use super::{MayGo, Sent};
use crate::outward::{reach::Reach, tls};
use broker::{
    Event, Fault, Login, Placed, Publication, Publisher, Speaks, Template, Verdict,
    amqp::{Amqp, NAME_BYTES_MAX, Queue},
    nats::{INFO_BYTES_MAX, Nats, SUBJECT_BYTES_MAX},
};
use crypto::UnixTime;
use rustls::ClientConfig;
use service::{OpenedRoute, QueuedMessage, RouteTarget};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_rustls::client::TlsStream;

/// Longest time for a connection, with its handshakes and log-in.
const OPEN: Duration = Duration::from_secs(20);
/// Longest time for a message to be acknowledged, and for bytes to be taken.
const TAKE: Duration = Duration::from_secs(20);
/// Messages on their way at a time.
const WINDOW: usize = super::LANES_MAX;
/// How often a broker is shown that somebody is there, and looked whether it is.
const BEAT: Duration = Duration::from_secs(20);
/// After how long without a word a broker is gone.
const SILENCE: Duration = Duration::from_secs(90);
/// After how long without a message a connection is closed.
const IDLE: Duration = Duration::from_secs(120);
/// Longest pause after a connection that came to nothing, in seconds.
const REST_S_MAX: u32 = 30;
/// So many messages go alone after a broker closed a connection for one of several.
const ALONE: u32 = 32;
/// How long a broker that closes a connection is listened to.
const LAST_WORDS: Duration = Duration::from_secs(2);
const READ_BYTES: usize = 16 * 1024;

/// A broker that a route sends to.
pub(super) struct Broker {
    asks: mpsc::Sender<Ask>,
    worker: AbortHandle,
    /// the subject or routing key, and how long it may be
    place: (Place, usize),
}

enum Place {
    Template(Template),
    Fixed(String),
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

/// A message that somebody waits for.
struct Ask {
    place: String,
    id: String,
    at: UnixTime,
    body: Vec<u8>,
    may_go: MayGo,
    answer: oneshot::Sender<Sent>,
}

impl Broker {
    pub(super) fn new(route: &OpenedRoute, reach: Reach) -> Result<Self, String> {
        let (host, port, kind, place) = match &route.target {
            RouteTarget::Nats { host, port, stream, subject } => {
                let place = (Place::Template(subject.clone()), SUBJECT_BYTES_MAX);
                (host, *port, Kind::Nats(stream.clone()), place)
            }
            RouteTarget::Amqp { host, port, to, key } => {
                let key = key.clone().map_or(Place::Fixed(to.queue.clone()), Place::Template);
                (host, *port, Kind::Amqp(to.clone()), (key, NAME_BYTES_MAX))
            }
            _ => return Err("the route is damaged".to_owned()),
        };
        let speaks = if matches!(kind, Kind::Nats(_)) { Speaks::Nats } else { Speaks::Amqp };
        let login = match &route.secret {
            Some(secret) => Login::parse(secret, speaks).map_err(|error| error.to_string())?,
            None => Login::default(),
        };
        let tls = tls::config_of(&route.roots, login.identity.as_ref().map(|it| &it.0))?;
        let link = Link { host: host.clone(), port, kind, login: Arc::new(login), tls, reach };
        let (asks, asked) = mpsc::channel(1);
        let worker = tokio::spawn(link.work(asked)).abort_handle();
        Ok(Self { asks, worker, place })
    }

    pub(super) async fn send(&self, route: &str, message: &QueuedMessage, may_go: MayGo) -> Sent {
        let placed = Placed {
            device: message.device,
            product: message.product.as_deref(),
            topic: &message.topic,
            door: message.door,
        };
        let place = match &self.place {
            (Place::Fixed(key), _) => key.clone(),
            (Place::Template(template), most) => match template.fill(&placed, *most) {
                Ok(place) => place,
                Err(error) => return Sent::Never(error.to_string()),
            },
        };
        let body = message.json(route).into_bytes();
        let (answer, answered) = oneshot::channel();
        let (id, at) = (identity(message, &body), message.received_at);
        let ask = Ask { place, id, at, body, may_go, answer };
        // The worker ends with the route alone.
        let ended = || Sent::Later("the route has just changed".to_owned(), None);
        if self.asks.send(ask).await.is_err() {
            return ended();
        }
        answered.await.unwrap_or_else(|_| ended())
    }
}

/// What a broker tells by that it was sent something twice. With a digest of all that is said: another
/// platform, or this one from an older copy of its store, has the same numbers, and its messages are not
/// to be taken for these.
fn identity(message: &QueuedMessage, body: &[u8]) -> String {
    let digest = crypto::sha256(body);
    let digest = digest.as_bytes().first_chunk::<16>().map(hex::encode).unwrap_or_default();
    format!("{}-{digest}", message.delivery())
}

enum Kind {
    Nats(String),
    Amqp(Queue),
}

/// Where a broker is, and what is needed to get there.
struct Link {
    host: String,
    port: u16,
    kind: Kind,
    login: Arc<Login>,
    tls: Arc<ClientConfig>,
    reach: Reach,
}

/// A connection over which messages may be published.
struct Line {
    socket: TlsStream<TcpStream>,
    publisher: Box<dyn Publisher>,
}

/// How a connection ended.
struct Ended {
    why: Fault,
    /// whether the broker has acknowledged anything
    worked: bool,
    /// whether it ended for one of several messages
    accused: bool,
}

fn later(why: &str) -> Sent {
    Sent::Later(why.to_owned(), None)
}

impl Link {
    /// Serves who asks, until the route ends.
    async fn work(self, mut asks: mpsc::Receiver<Ask>) {
        let (mut failures, mut alone) = (0_u32, 0_u32);
        let mut rest: Option<(Instant, String)> = None;
        while let Some(ask) = asks.recv().await {
            if let Some((until, why)) = &rest
                && Instant::now() < *until
            {
                // Whoever it is for has gone, or hears it.
                let _ = ask.answer.send(later(why));
                continue;
            }
            rest = None;
            let opened = timeout(OPEN, self.open()).await;
            let slow = || Err(format!("{}:{} does not answer", self.host, self.port));
            let why = match opened.unwrap_or_else(|_| slow()) {
                Err(why) => {
                    let _ = ask.answer.send(later(&why));
                    why
                }
                Ok(mut line) => {
                    let Some(ended) = line.serve(ask, &mut asks, &mut alone).await else {
                        continue;
                    };
                    if ended.accused {
                        alone = ALONE;
                    }
                    if ended.worked || ended.accused {
                        failures = 0;
                        continue;
                    }
                    ended.why.to_string()
                }
            };
            failures = failures.saturating_add(1);
            let pause = 1_u32.checked_shl(failures).unwrap_or(u32::MAX).min(REST_S_MAX);
            rest =
                Instant::now().checked_add(Duration::from_secs(pause.into())).map(|at| (at, why));
        }
    }

    /// A connection that is ready. Time is the caller's.
    async fn open(&self) -> Result<Line, String> {
        let (host, port) = (&*self.host, self.port);
        let (socket, publisher): (_, Box<dyn Publisher>) = match &self.kind {
            Kind::Amqp(to) => {
                let socket = tls::connect(host, port, &self.tls, &self.reach).await?;
                (socket, Box::new(Amqp::new(to.clone(), self.login.clone())))
            }
            Kind::Nats(stream) => {
                let mut socket = tls::dial(host, port, &self.reach).await?;
                let said = greeting(&mut socket).await?;
                let mut nats = Nats::new(stream, crypto::random::bytes());
                nats.greeted(&said, &self.login).map_err(|fault| fault.to_string())?;
                (tls::secure((host, port), &self.tls, socket).await?, Box::new(nats))
            }
        };
        let mut line = Line { socket, publisher };
        let mut read = Vec::with_capacity(READ_BYTES);
        loop {
            line.flush().await.map_err(|fault| fault.to_string())?;
            if let Some(Event::Ready) = line.publisher.event() {
                return Ok(line);
            }
            line.read(&mut read).await.map_err(|fault| fault.to_string())?;
        }
    }
}

/// What a server of NATS says before TLS: a line, and nothing behind it.
async fn greeting(socket: &mut TcpStream) -> Result<Vec<u8>, String> {
    let mut said = Vec::new();
    while !said.contains(&b'\n') {
        if said.len() > INFO_BYTES_MAX {
            return Err("the broker does not begin with INFO".to_owned());
        }
        match socket.read_buf(&mut said).await {
            Ok(0) => return Err("the broker closes the connection at once".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(format!("the connection broke: {error}")),
        }
    }
    Ok(said)
}

/// A message on its way.
struct Flying {
    answer: oneshot::Sender<Sent>,
    since: Instant,
}

impl Line {
    async fn flush(&mut self) -> Result<(), Fault> {
        let out = self.publisher.output();
        if out.is_empty() {
            return Ok(());
        }
        let write = async {
            self.socket.write_all(&out).await?;
            self.socket.flush().await
        };
        match timeout(TAKE, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.last_words(broke(&error)).await),
            Err(_) => Err(Fault::Refused(self.slow())),
        }
    }

    /// What a broker said before it closed a connection that was being written to.
    async fn last_words(&mut self, usual: Fault) -> Fault {
        let mut read = Vec::with_capacity(READ_BYTES);
        let listen = async {
            loop {
                read.clear();
                match self.socket.read_buf(&mut read).await {
                    Ok(count) if count > 0 => {
                        if let Err(fault) = self.publisher.receive(&read) {
                            return Some(fault);
                        }
                    }
                    _ => return None,
                }
            }
        };
        timeout(LAST_WORDS, listen).await.ok().flatten().unwrap_or(usual)
    }

    /// Why a broker that does not acknowledge may not.
    fn slow(&self) -> String {
        self.publisher.held_up().unwrap_or_else(|| {
            format!("the broker does not acknowledge within {} seconds", TAKE.as_secs())
        })
    }

    async fn read(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        into.clear();
        match self.socket.read_buf(into).await {
            Ok(0) => Err(Fault::Refused("the broker closed the connection".to_owned())),
            Ok(_) => self.publisher.receive(into),
            Err(error) => Err(broke(&error)),
        }
    }

    /// Publishes what is asked for until the connection ends, or nobody has asked for long: then
    /// nothing is wrong.
    async fn serve(
        &mut self,
        first: Ask,
        asks: &mut mpsc::Receiver<Ask>,
        alone: &mut u32,
    ) -> Option<Ended> {
        let mut flying: BTreeMap<u64, Flying> = BTreeMap::new();
        let (mut number, mut worked) = (0_u64, false);
        let (mut held, mut single) = (Some(first), false);
        let (mut heard, mut used) = (Instant::now(), Instant::now());
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        let mut read = Vec::with_capacity(READ_BYTES);
        let why = loop {
            let doubtful = |it: &Ask, line: &Self| line.publisher.is_doubtful(it.body.len());
            if let Some(ask) = held
                .take_if(|ask| flying.is_empty() || !single && *alone == 0 && !doubtful(ask, self))
            {
                // It may have waited for a connection, or for those before it.
                let refused = match (ask.may_go)() {
                    Ok(true) => None,
                    Ok(false) => Some(Sent::Withheld),
                    Err(why) => Some(later(&why)),
                };
                if let Some(refused) = refused {
                    let _ = ask.answer.send(refused);
                    continue;
                }
                single = *alone > 0 || doubtful(&ask, self);
                let message =
                    Publication { place: &ask.place, id: &ask.id, at: ask.at, body: &ask.body };
                self.publisher.publish(number, &message);
                flying.insert(number, Flying { answer: ask.answer, since: Instant::now() });
                number = number.saturating_add(1);
                used = Instant::now();
            }
            if let Err(fault) = self.flush().await {
                worked |= self.answered(&mut flying, alone);
                break fault;
            }
            tokio::select! {
                taken = self.read(&mut read) => {
                    heard = Instant::now();
                    worked |= self.answered(&mut flying, alone);
                    if let Err(fault) = taken {
                        break fault;
                    }
                }
                ask = asks.recv(), if held.is_none() && flying.len() < WINDOW => match ask {
                    Some(ask) => held = Some(ask),
                    None => return None,
                },
                _ = beat.tick() => {
                    let late = flying.values().any(|it| it.since.elapsed() > TAKE);
                    if late || heard.elapsed() > SILENCE {
                        break Fault::Refused(self.slow());
                    }
                    if flying.is_empty() && held.is_none() && used.elapsed() > IDLE {
                        return None;
                    }
                    self.publisher.beat();
                }
            }
        };
        let about_one = matches!(why, Fault::Message(_) | Fault::NotPermitted(_));
        let accused = about_one && flying.len() > 1;
        let only = about_one && flying.len() == 1;
        for (_, flown) in flying {
            let sent = match &why {
                Fault::Message(why) if only => Sent::Never(why.clone()),
                why => later(&why.to_string()),
            };
            let _ = flown.answer.send(sent);
        }
        if let Some(ask) = held {
            let _ = ask.answer.send(later(&why.to_string()));
        }
        Some(Ended { why, worked: worked || only, accused })
    }

    /// Tells who waits what became of their messages; whether one was taken.
    fn answered(&mut self, flying: &mut BTreeMap<u64, Flying>, alone: &mut u32) -> bool {
        let mut taken = false;
        while let Some(event) = self.publisher.event() {
            let Event::Answer(number, verdict) = event else { continue };
            let Some(flown) = flying.remove(&number) else { continue };
            let sent = match verdict {
                Verdict::Taken => {
                    taken = true;
                    *alone = alone.saturating_sub(1);
                    Sent::Taken
                }
                Verdict::Refused(why) => Sent::Later(why, None),
                Verdict::Never(why) => Sent::Never(why),
            };
            let _ = flown.answer.send(sent);
        }
        taken
    }
}

fn broke(error: &std::io::Error) -> Fault {
    Fault::Refused(format!("the connection broke: {error}"))
}
