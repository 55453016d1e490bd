//! A publisher to a queue of RabbitMQ: AMQP 0-9-1, with RabbitMQ's extensions for publisher confirms
//! (`confirm.select`, `basic.nack`), refused logins and `connection.blocked`.
//!
//! A message counts as taken when the broker confirms it, which for a quorum queue is when most of its
//! members have it on disk; one that no queue takes comes back before its confirmation (`mandatory`) and
//! is not taken.

mod frame;
#[cfg(test)]
mod tests;

use self::frame::{
    AROUND, BODY, FRAME_BYTES_MAX, Fields, HEADER, HEARTBEAT, METHOD, Method, Value, put, table,
};
use crate::{Event, Fault, Login, Publication, Publisher, Verdict, told};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Longest name and routing key, in bytes: a short text of AMQP.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest message that a broker gives back, in bytes: no message of ours is longer.
const RETURNED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Longest heartbeat, in seconds.
const HEARTBEAT_S_MAX: u16 = 60;
const CHANNEL: u16 = 1;

/// Methods, by class and number (AMQP 0-9-1 section 1.4; `confirm` is RabbitMQ's).
mod method {
    pub(super) const START: (u16, u16) = (10, 10);
    pub(super) const START_OK: (u16, u16) = (10, 11);
    pub(super) const TUNE: (u16, u16) = (10, 30);
    pub(super) const TUNE_OK: (u16, u16) = (10, 31);
    pub(super) const OPEN: (u16, u16) = (10, 40);
    pub(super) const OPEN_OK: (u16, u16) = (10, 41);
    pub(super) const CLOSE: (u16, u16) = (10, 50);
    pub(super) const CLOSE_OK: (u16, u16) = (10, 51);
    pub(super) const BLOCKED: (u16, u16) = (10, 60);
    pub(super) const UNBLOCKED: (u16, u16) = (10, 61);
    pub(super) const CHANNEL_OPEN: (u16, u16) = (20, 10);
    pub(super) const CHANNEL_OPEN_OK: (u16, u16) = (20, 11);
    pub(super) const FLOW: (u16, u16) = (20, 20);
    pub(super) const FLOW_OK: (u16, u16) = (20, 21);
    pub(super) const CHANNEL_CLOSE: (u16, u16) = (20, 40);
    pub(super) const CHANNEL_CLOSE_OK: (u16, u16) = (20, 41);
    pub(super) const EXCHANGE_DECLARE: (u16, u16) = (40, 10);
    pub(super) const EXCHANGE_DECLARE_OK: (u16, u16) = (40, 11);
    pub(super) const QUEUE_DECLARE: (u16, u16) = (50, 10);
    pub(super) const QUEUE_DECLARE_OK: (u16, u16) = (50, 11);
    pub(super) const PUBLISH: (u16, u16) = (60, 40);
    pub(super) const RETURN: (u16, u16) = (60, 50);
    pub(super) const ACK: (u16, u16) = (60, 80);
    pub(super) const NACK: (u16, u16) = (60, 120);
    pub(super) const CONFIRM: (u16, u16) = (85, 10);
    pub(super) const CONFIRM_OK: (u16, u16) = (85, 11);
}

const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const CONTENT_TOO_LARGE: u16 = 311;
const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;

/// Where messages go within a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// virtual host, usually `/`
    pub host: String,
    /// the queue: of the type quorum; it is made where it is not there
    pub queue: String,
    /// through which exchange; into the queue itself where none is named
    pub exchange: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// the broker begins
    Start,
    /// the login is looked at
    Tune,
    Open,
    Channel,
    /// is there a queue of this name?
    Passive,
    /// there is none: the channel is opened anew for it to be made
    Again,
    /// is it of the type quorum? It is made where it is not there.
    Declare,
    Exchange,
    Confirm,
    Ready,
}

#[derive(Debug)]
struct Flying {
    number: u64,
    id: String,
    /// it came back, and why
    returned: Option<String>,
}

/// A message that comes back.
#[derive(Debug)]
struct Returning {
    why: String,
    /// bytes of its body that are still to come; none before its header
    left: Option<u64>,
}

/// A publisher to one queue.
#[derive(Debug)]
pub struct Amqp {
    to: Queue,
    login: Arc<Login>,
    state: State,
    frame_max: u32,
    input: Vec<u8>,
    output: Vec<u8>,
    events: VecDeque<Event>,
    /// number that the broker gives to the next message
    next: u64,
    flying: BTreeMap<u64, Flying>,
    returning: Option<Returning>,
    blocked: Option<String>,
}

impl Amqp {
    /// One that publishes to a queue.
    pub fn new(to: Queue, login: Arc<Login>) -> Self {
        Self {
            to,
            login,
            state: State::Start,
            frame_max: FRAME_BYTES_MAX,
            input: Vec::new(),
            output: b"AMQP\0\0\x09\x01".to_vec(),
            events: VecDeque::new(),
            next: 1,
            flying: BTreeMap::new(),
            returning: None,
            blocked: None,
        }
    }

    fn say(&mut self, channel: u16, method: &Method) {
        put(&mut self.output, METHOD, channel, &method.0);
    }

    fn frame(&mut self, frame: &frame::Frame) -> Result<(), Fault> {
        match (frame.kind, frame.channel) {
            (HEARTBEAT, 0) => Ok(()),
            (METHOD, _) => {
                let mut fields = Fields(&frame.payload);
                let name = (fields.u16()?, fields.u16()?);
                match frame.channel {
                    0 => self.of_connection(name, fields),
                    CHANNEL => self.of_channel(name, fields),
                    _ => Err(Fault::Broken("a channel that nobody opened")),
                }
            }
            (HEADER | BODY, CHANNEL) => self.came_back(frame),
            _ => Err(Fault::Broken("a frame where none belongs")),
        }
    }

    fn of_connection(&mut self, name: (u16, u16), mut fields: Fields<'_>) -> Result<(), Fault> {
        match (name, self.state) {
            (method::START, State::Start) => {
                let _version = fields.u16()?;
                let _properties = fields.long()?;
                let mechanisms = String::from_utf8_lossy(fields.long()?).into_owned();
                self.log_in(&mechanisms)
            }
            (method::TUNE, State::Tune) => {
                let _channels = fields.u16()?;
                // None is the same as the largest.
                let (most, beat) = (fields.u32()?, fields.u16()?);
                self.frame_max =
                    if most == 0 { FRAME_BYTES_MAX } else { most.min(FRAME_BYTES_MAX) };
                if self.frame_max < 4096 {
                    return Err(Fault::Broken("its frames are smaller than AMQP has them"));
                }
                let tuned = Method::new(method::TUNE_OK)
                    .u16(CHANNEL)
                    .u32(self.frame_max)
                    .u16(beat.min(HEARTBEAT_S_MAX));
                self.say(0, &tuned);
                let open = Method::new(method::OPEN).short(&self.to.host).short("").u8(0);
                self.say(0, &open);
                self.state = State::Open;
                Ok(())
            }
            (method::OPEN_OK, State::Open) => {
                self.open_channel();
                self.state = State::Channel;
                Ok(())
            }
            (method::BLOCKED, _) => {
                self.blocked = Some(told(&fields.short()?));
                Ok(())
            }
            (method::UNBLOCKED, _) => {
                self.blocked = None;
                Ok(())
            }
            (method::CLOSE, _) => {
                let (code, text) = (fields.u16()?, fields.short()?);
                self.say(0, &Method::new(method::CLOSE_OK));
                let text = told(&text);
                Err(Fault::Refused(match code {
                    ACCESS_REFUSED if self.state == State::Tune => format!(
                        "the broker does not let the user in ({text}); look at the secret of the route"
                    ),
                    NOT_ALLOWED => format!(
                        "the broker does not let the user into the virtual host {}: {text}",
                        self.to.host
                    ),
                    _ => format!("the broker ends the connection: {code} {text}"),
                }))
            }
            _ => Err(Fault::Broken("a method where none belongs")),
        }
    }

    fn log_in(&mut self, mechanisms: &str) -> Result<(), Fault> {
        let takes = |name: &str| mechanisms.split_ascii_whitespace().any(|it| it == name);
        let (mechanism, response) = match &self.login.user {
            Some((user, password)) => {
                let mut response = vec![0];
                response.extend_from_slice(user.as_bytes());
                response.push(0);
                response.extend_from_slice(password.expose());
                ("PLAIN", response)
            }
            None => ("EXTERNAL", Vec::new()),
        };
        if !takes(mechanism) {
            return Err(Fault::Refused(match mechanism {
                "EXTERNAL" => "the broker knows nobody by a certificate (switch on \
                               rabbitmq_auth_mechanism_ssl), or give USER:PASSWORD"
                    .into(),
                _ => "the broker takes no password; give a client certificate".into(),
            }));
        }
        let can = table(&[
            ("authentication_failure_close", Value::Yes),
            ("basic.nack", Value::Yes),
            ("connection.blocked", Value::Yes),
            ("publisher_confirms", Value::Yes),
        ]);
        let own = table(&[
            ("product", Value::Text("tegata")),
            ("version", Value::Text(env!("CARGO_PKG_VERSION"))),
            ("capabilities", Value::Table(&can)),
        ]);
        let ok = Method::new(method::START_OK).long(&own).short(mechanism).long(&response);
        self.say(0, &ok.short("en_US"));
        self.state = State::Tune;
        Ok(())
    }

    fn open_channel(&mut self) {
        self.say(CHANNEL, &Method::new(method::CHANNEL_OPEN).short(""));
    }

    fn declare_queue(&mut self, passive: bool) {
        // Bits: passive, durable.
        let bits = if passive { 0b01 } else { 0b10 };
        let arguments = match passive {
            true => Vec::new(),
            false => table(&[("x-queue-type", Value::Text("quorum"))]),
        };
        let declare = Method::new(method::QUEUE_DECLARE).u16(0).short(&self.to.queue);
        self.say(CHANNEL, &declare.u8(bits).long(&arguments));
    }

    fn of_channel(&mut self, name: (u16, u16), mut fields: Fields<'_>) -> Result<(), Fault> {
        match (name, self.state) {
            (method::CHANNEL_OPEN_OK, State::Channel) => {
                self.declare_queue(true);
                self.state = State::Passive;
            }
            (method::CHANNEL_OPEN_OK, State::Again)
            | (method::QUEUE_DECLARE_OK, State::Passive) => {
                self.declare_queue(false);
                self.state = State::Declare;
            }
            (method::QUEUE_DECLARE_OK, State::Declare) => match &self.to.exchange {
                Some(exchange) => {
                    let declare = Method::new(method::EXCHANGE_DECLARE).u16(0).short(exchange);
                    // Passive: is it there? Its type does not matter then.
                    self.say(CHANNEL, &declare.short("").u8(0b1).long(&[]));
                    self.state = State::Exchange;
                }
                None => self.confirm(),
            },
            (method::EXCHANGE_DECLARE_OK, State::Exchange) => self.confirm(),
            (method::CONFIRM_OK, State::Confirm) => {
                self.state = State::Ready;
                self.events.push_back(Event::Ready);
            }
            (method::FLOW, _) => {
                let on = fields.u8()?;
                self.say(CHANNEL, &Method::new(method::FLOW_OK).u8(on));
            }
            (method::CHANNEL_CLOSE, _) => {
                let (code, text) = (fields.u16()?, fields.short()?);
                self.say(CHANNEL, &Method::new(method::CHANNEL_CLOSE_OK));
                return self.channel_closed(code, &told(&text));
            }
            (method::ACK, State::Ready) => {
                let (number, several) = (fields.u64()?, fields.u8()? & 1 == 1);
                self.answer(number, several, None);
            }
            (method::NACK, State::Ready) => {
                let (number, several) = (fields.u64()?, fields.u8()? & 1 == 1);
                let why = format!(
                    "the queue {} does not take it: it is full, or most of its members are away",
                    self.to.queue
                );
                self.answer(number, several, Some(&why));
            }
            (method::RETURN, State::Ready) if self.returning.is_none() => {
                let (code, text) = (fields.u16()?, fields.short()?);
                let (exchange, key) = (fields.short()?, fields.short()?);
                let why = format!(
                    "no queue takes the routing key {} at the exchange {:?} ({code} {}); bind one",
                    told(&key),
                    told(&exchange),
                    told(&text)
                );
                self.returning = Some(Returning { why, left: None });
            }
            _ => return Err(Fault::Broken("a method where none belongs")),
        }
        Ok(())
    }

    fn confirm(&mut self) {
        self.say(CHANNEL, &Method::new(method::CONFIRM).u8(0));
        self.state = State::Confirm;
    }

    fn channel_closed(&mut self, code: u16, text: &str) -> Result<(), Fault> {
        let queue = &self.to.queue;
        Err(match (self.state, code) {
            (State::Passive, NOT_FOUND) => {
                self.open_channel();
                self.state = State::Again;
                return Ok(());
            }
            (State::Declare, PRECONDITION_FAILED) => Fault::Refused(format!(
                "the queue {queue} is no quorum queue, or has arguments beside its type ({text}); \
                 choose another name, and set limits by a policy"
            )),
            (State::Declare, ACCESS_REFUSED) => Fault::Refused(format!(
                "the user may not declare the queue {queue}, by which it is seen that it is a quorum \
                 queue; permit `configure` on it"
            )),
            (State::Exchange, NOT_FOUND) => {
                Fault::Refused(format!("there is no such exchange ({text}); make it"))
            }
            // It may be one message's routing key alone: RabbitMQ has permissions for these.
            (State::Ready, ACCESS_REFUSED) => Fault::NotPermitted(format!(
                "the user may not publish ({text}); permit `write`, and the routing key where there are \
                 topic permissions"
            )),
            (State::Ready, CONTENT_TOO_LARGE) => Fault::Message(format!("the message: {text}")),
            (State::Ready, PRECONDITION_FAILED) if text.contains("message size") => Fault::Message(
                format!("the message is larger than the broker takes (max_message_size): {text}"),
            ),
            _ => Fault::Refused(format!("the broker closes the channel: {code} {text}")),
        })
    }

    fn answer(&mut self, number: u64, several: bool, refused: Option<&str>) {
        let first = if several { 0 } else { number };
        let of: Vec<u64> =
            self.flying.range(first..=number.max(first)).map(|(it, _)| *it).collect();
        for number in of {
            let Some(flying) = self.flying.remove(&number) else { continue };
            let verdict = match flying.returned.or_else(|| refused.map(str::to_owned)) {
                Some(why) => Verdict::Refused(why),
                None => Verdict::Taken,
            };
            self.events.push_back(Event::Answer(flying.number, verdict));
        }
    }

    /// The header or a part of the body of a message that comes back.
    fn came_back(&mut self, frame: &frame::Frame) -> Result<(), Fault> {
        const WRONG: Fault = Fault::Broken("contents without their head");
        let Some(mut returning) = self.returning.take() else { return Err(WRONG) };
        match (frame.kind, returning.left) {
            (HEADER, None) => {
                let mut fields = Fields(&frame.payload);
                let (_class, _weight, size) = (fields.u16()?, fields.u16()?, fields.u64()?);
                if size > RETURNED_BYTES_MAX {
                    return Err(Fault::Broken("a message that comes back is none of ours"));
                }
                let id = message_id(&mut fields)?;
                let of = self.flying.values_mut().find(|flying| Some(&flying.id) == id.as_ref());
                if let Some(flying) = of {
                    flying.returned = Some(returning.why.clone());
                }
                returning.left = Some(size);
            }
            (BODY, Some(left)) => {
                let size = u64::try_from(frame.payload.len()).unwrap_or(u64::MAX);
                returning.left = Some(left.checked_sub(size).ok_or(WRONG)?);
            }
            _ => return Err(WRONG),
        }
        if returning.left != Some(0) {
            self.returning = Some(returning);
        }
        Ok(())
    }
}

/// The property `message-id` of a header behind its size (section 4.2.6.1).
fn message_id(fields: &mut Fields<'_>) -> Result<Option<String>, Fault> {
    let flags = fields.u16()?;
    let has = |bit: u16| flags >> bit & 1 == 1;
    // content-type, content-encoding
    for bit in [15, 14] {
        if has(bit) {
            fields.short()?;
        }
    }
    // headers
    if has(13) {
        fields.long()?;
    }
    // delivery-mode, priority
    for bit in [12, 11] {
        if has(bit) {
            fields.u8()?;
        }
    }
    // correlation-id, reply-to, expiration
    for bit in [10, 9, 8] {
        if has(bit) {
            fields.short()?;
        }
    }
    if has(7) { fields.short().map(Some) } else { Ok(None) }
}

impl Publisher for Amqp {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.input.extend_from_slice(bytes);
        let mut from = 0_usize;
        let taken = loop {
            match frame::frame(self.input.get(from..).unwrap_or_default()) {
                Ok(Some((frame, size))) => {
                    from = from.saturating_add(size);
                    if let Err(fault) = self.frame(&frame) {
                        break Err(fault);
                    }
                }
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        self.input.drain(..from.min(self.input.len()));
        taken
    }

    fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn publish(&mut self, number: u64, message: &Publication<'_>) {
        let exchange = self.to.exchange.clone().unwrap_or_default();
        // Bits: mandatory.
        let publish =
            Method::new(method::PUBLISH).u16(0).short(&exchange).short(message.place).u8(1);
        self.say(CHANNEL, &publish);
        // content-type, delivery-mode (2: kept), message-id, timestamp, app-id
        let flags: u16 = 1 << 15 | 1 << 12 | 1 << 7 | 1 << 6 | 1 << 3;
        let mut header = Method(60_u16.to_be_bytes().to_vec()).u16(0).0;
        let size = u64::try_from(message.body.len()).unwrap_or(u64::MAX);
        header.extend_from_slice(&size.to_be_bytes());
        let mut header =
            Method(header).u16(flags).short("application/json").u8(2).short(message.id).0;
        header.extend_from_slice(&message.at.0.unsigned_abs().to_be_bytes());
        let header = Method(header).short("tegata").0;
        put(&mut self.output, HEADER, CHANNEL, &header);
        let part = usize::try_from(self.frame_max).unwrap_or(usize::MAX).saturating_sub(AROUND);
        for part in message.body.chunks(part.max(1)) {
            put(&mut self.output, BODY, CHANNEL, part);
        }
        let flying = Flying { number, id: message.id.to_owned(), returned: None };
        self.flying.insert(self.next, flying);
        self.next = self.next.saturating_add(1);
    }

    fn beat(&mut self) {
        put(&mut self.output, HEARTBEAT, 0, &[]);
    }

    fn is_doubtful(&self, _length: usize) -> bool {
        false
    }

    fn held_up(&self) -> Option<String> {
        self.blocked.as_ref().map(|why| format!("the broker has stopped taking messages ({why})"))
    }
}
