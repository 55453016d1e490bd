//! A publisher to a JetStream of NATS (client protocol of NATS 2; ADR-4 headers, ADR-22 publish
//! acknowledgements).
//!
//! What a server says before TLS is read for two things: that there will be TLS, and the nonce that a key
//! signs. Whoever altered it on the way gains nothing: the largest payload that it names is no reason to
//! give a message up ([`Publisher::is_doubtful`]), and a signature goes to the server alone. `INFO` that comes later,
//! with the addresses of other servers, is read over.

use crate::{Event, Fault, Login, Publication, Publisher, Verdict, nkey, told};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::{SignatureScheme, Signer as _};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};

/// Longest line of a server but `INFO`, and longest `INFO`, in bytes.
const LINE_BYTES_MAX: usize = 4096;
/// Longest `INFO`, in bytes.
pub const INFO_BYTES_MAX: usize = 64 * 1024;
/// Longest answer, in bytes: what is known of a stream is the longest.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest subject, in bytes; a server reads lines of 4 KiB.
pub const SUBJECT_BYTES_MAX: usize = 1024;
/// Longest name of a stream, in bytes.
const STREAM_BYTES_MAX: usize = 128;
/// Codes of JetStream's errors.
const STREAM_NOT_FOUND: u32 = 10059;
const OTHER_STREAM: u32 = 10060;
const TOO_LARGE: u32 = 10054;

/// Whether a stream can have this name: letters, digits, `-` and `_`.
pub fn is_stream(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.len() <= STREAM_BYTES_MAX && name.bytes().all(plain)
}

/// What a server says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    tls_required: bool,
    tls_available: bool,
    headers: bool,
    jetstream: bool,
    nonce: Option<String>,
    max_payload: u64,
}

#[derive(Debug, Deserialize)]
struct ApiError {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

/// `PubAck`, and the answer to `STREAM.INFO`.
#[derive(Debug, Deserialize)]
struct Answer {
    error: Option<ApiError>,
    stream: Option<String>,
    seq: Option<u64>,
    config: Option<StreamConfig>,
}

#[derive(Debug, Deserialize)]
struct StreamConfig {
    #[serde(default)]
    no_ack: bool,
    #[serde(default)]
    sealed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Entering,
    Checking,
    Ready,
}

/// A message whose payload is still to come.
#[derive(Debug)]
struct Coming {
    number: Option<u64>,
    header: usize,
    whole: usize,
}

/// A publisher to one stream.
#[derive(Debug)]
pub struct Nats {
    stream: String,
    inbox: String,
    state: State,
    payload_max: u64,
    coming: Option<Coming>,
    input: Vec<u8>,
    output: Vec<u8>,
    events: VecDeque<Event>,
    flying: BTreeMap<u64, String>,
}

impl Nats {
    /// One that publishes to a stream ([`is_stream`]); answers come under a name that nobody can guess.
    pub fn new(stream: &str, secret: [u8; 16]) -> Self {
        let inbox = BASE64_URL_SAFE_NO_PAD.encode(secret);
        Self {
            stream: stream.to_owned(),
            inbox: format!("_INBOX.{inbox}."),
            state: State::Greeting,
            payload_max: u64::MAX,
            coming: None,
            input: Vec::new(),
            output: Vec::new(),
            events: VecDeque::new(),
            flying: BTreeMap::new(),
        }
    }

    /// Takes all that a server said before TLS, its `INFO` with the end of the line; what is given to be
    /// sent is for afterwards.
    ///
    /// # Errors
    /// Where it offers no TLS, or is no server of NATS that has JetStream.
    pub fn greeted(&mut self, said: &[u8], login: &Login) -> Result<(), Fault> {
        // Anything behind it would be read as if it had come by TLS.
        let line = said.strip_suffix(b"\r\n").filter(|line| !line.contains(&b'\n'));
        let line = line.ok_or(Fault::Broken("it says more than INFO before TLS"))?;
        let info =
            line.split_first_chunk::<5>().filter(|(op, _)| op.eq_ignore_ascii_case(b"INFO "));
        let info = info.and_then(|(_, json)| serde_json::from_slice::<Info>(json).ok());
        let info = info.ok_or(Fault::Broken("it does not begin with INFO"))?;
        if !info.tls_required && !info.tls_available {
            return Err(Fault::Refused(
                "the server offers no TLS, and nothing is sent in the clear; give it a certificate \
                 (`tls` in its configuration)"
                    .into(),
            ));
        }
        if !info.headers || !info.jetstream {
            return Err(Fault::Refused(
                "the server has no JetStream, so that it would acknowledge nothing; switch it on \
                 (`jetstream` in its configuration)"
                    .into(),
            ));
        }
        self.payload_max = info.max_payload;
        let mut connect = json!({
            "verbose": false, "pedantic": false, "tls_required": true, "echo": false,
            "name": "tegata", "lang": "rust", "version": env!("CARGO_PKG_VERSION"),
            "protocol": 0, "headers": true, "no_responders": true,
        });
        let mut say = |name: &str, value: &str| {
            if let Some(object) = connect.as_object_mut() {
                object.insert(name.to_owned(), value.into());
            }
        };
        if let Some((user, password)) = &login.user {
            say("user", user);
            say("pass", &String::from_utf8_lossy(password.expose()));
        }
        if let Some(token) = &login.token {
            say("auth_token", &String::from_utf8_lossy(token.expose()));
        }
        if let Some(jwt) = &login.jwt {
            say("jwt", jwt);
        }
        if let (Some(key), Some(nonce)) = (&login.key, &info.nonce) {
            let signed = key
                .sign(SignatureScheme::Ed25519, nonce.as_bytes())
                .map_err(|_| Fault::Broken("its nonce cannot be signed"))?;
            say("sig", &BASE64_URL_SAFE_NO_PAD.encode(signed));
            if login.jwt.is_none() {
                say("nkey", &nkey::public(key));
            }
        }
        self.say(&format!("CONNECT {connect}\r\nPING\r\n"));
        self.state = State::Entering;
        Ok(())
    }

    fn say(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let line = std::str::from_utf8(line).map_err(|_| Fault::Broken("a line is no text"))?;
        let (op, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        match op.to_ascii_uppercase().as_str() {
            "PING" => self.say("PONG\r\n"),
            "PONG" if self.state == State::Entering => {
                let (inbox, stream) = (self.inbox.clone(), self.stream.clone());
                self.say(&format!("SUB {inbox}* 1\r\n"));
                self.say(&format!("PUB $JS.API.STREAM.INFO.{stream} {inbox}0 0\r\n\r\n"));
                self.state = State::Checking;
            }
            "PONG" | "+OK" | "INFO" => {}
            "-ERR" => return self.error(rest.trim().trim_matches('\'')),
            "MSG" => self.coming = Some(self.head(rest, false)?),
            "HMSG" => self.coming = Some(self.head(rest, true)?),
            _ => return Err(Fault::Broken("it says something unknown")),
        }
        Ok(())
    }

    /// `SUBJECT SID [REPLY] [HEADER] WHOLE`.
    fn head(&self, rest: &str, headers: bool) -> Result<Coming, Fault> {
        const WRONG: Fault = Fault::Broken("the head of a message");
        let words: Vec<&str> = rest.split_ascii_whitespace().take(6).collect();
        let count = |text: &str| text.parse::<usize>().ok();
        let (subject, sizes) = match (words.as_slice(), headers) {
            ([subject, _, whole] | [subject, _, _, whole], false) => {
                (subject, Some((0, count(whole))))
            }
            ([subject, _, header, whole] | [subject, _, _, header, whole], true) => {
                (subject, count(header).map(|header| (header, count(whole))))
            }
            _ => return Err(WRONG),
        };
        let (header, whole) =
            sizes.and_then(|(header, whole)| Some((header, whole?))).ok_or(WRONG)?;
        if header > whole || whole > ANSWER_BYTES_MAX {
            return Err(Fault::Broken("an answer is too long"));
        }
        let number = subject.strip_prefix(&*self.inbox).and_then(|number| number.parse().ok());
        Ok(Coming { number, header, whole })
    }

    /// `-ERR`. All but refused permissions end the connection.
    fn error(&mut self, text: &str) -> Result<(), Fault> {
        let low = text.to_ascii_lowercase();
        if low.starts_with("permissions violation for publish") {
            // `… to "SUBJECT"`
            let subject = text.split('"').nth(1).unwrap_or_default();
            if subject.starts_with("$JS.API.STREAM.INFO.") && self.state == State::Checking {
                // Whoever may publish need not see streams. That it is the right one each message asks.
                self.state = State::Ready;
                self.events.push_back(Event::Ready);
                return Ok(());
            }
            let refused: Vec<u64> = self
                .flying
                .iter()
                .filter(|(_, it)| it.as_str() == subject)
                .map(|(number, _)| *number)
                .collect();
            for number in refused {
                let why = format!("the user may not publish to {}; permit it", told(subject));
                self.answer(number, Verdict::Refused(why));
            }
            return Ok(());
        }
        if low.starts_with("permissions violation for subscription") {
            return Err(Fault::Refused(
                "the user may not subscribe to _INBOX.>, where acknowledgements come; permit it"
                    .into(),
            ));
        }
        if low.contains("maximum payload") {
            return Err(Fault::Message(
                "the message is larger than the server takes (max_payload)".into(),
            ));
        }
        Err(Fault::Refused(match () {
            () if low.contains("authorization") || low.contains("authentication") => format!(
                "the server does not let the user in ({}); look at the secret of the route",
                told(text)
            ),
            () => format!("the server ends the connection: {}", told(text)),
        }))
    }

    fn answer(&mut self, number: u64, verdict: Verdict) {
        if self.flying.remove(&number).is_some() {
            self.events.push_back(Event::Answer(number.saturating_sub(1), verdict));
        }
    }

    /// An answer to what we asked, and to each message.
    fn message(&mut self, coming: &Coming, bytes: &[u8]) -> Result<(), Fault> {
        let Some(number) = coming.number else { return Ok(()) };
        let (header, body) = bytes.split_at_checked(coming.header).unwrap_or((&[], bytes));
        // A status of 503: nobody listens at that subject.
        let nobody = header.starts_with(b"NATS/1.0 503");
        if number == 0 && self.state == State::Checking {
            return self.checked(nobody, body);
        }
        let Some(subject) = self.flying.get(&number) else { return Ok(()) };
        if nobody {
            let why = format!(
                "no stream of the server has the subject {subject}; add it to the stream {} \
                 (`nats stream edit --subjects`)",
                self.stream
            );
            self.answer(number, Verdict::Refused(why));
            return Ok(());
        }
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| Fault::Broken("an acknowledgement is no JSON"))?;
        let verdict = match answer.error {
            Some(error) => match error.err_code {
                TOO_LARGE => Verdict::Never(format!(
                    "the message is larger than the stream {} takes (max_msg_size)",
                    self.stream
                )),
                OTHER_STREAM => Verdict::Refused(format!(
                    "the subject {subject} is not of the stream {}; add it there",
                    self.stream
                )),
                _ => {
                    Verdict::Refused(format!("the stream refuses it: {}", told(&error.description)))
                }
            },
            None if answer.stream.as_deref() == Some(&*self.stream)
                && answer.seq.is_some_and(|it| it > 0) =>
            {
                Verdict::Taken
            }
            None => return Err(Fault::Broken("an acknowledgement is of something else")),
        };
        self.answer(number, verdict);
        Ok(())
    }

    fn checked(&mut self, nobody: bool, body: &[u8]) -> Result<(), Fault> {
        let refused = |why: String| Err(Fault::Refused(why));
        let stream = &self.stream;
        if nobody {
            return refused("JetStream is not switched on for this account".into());
        }
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| Fault::Broken("what it says of the stream"))?;
        match (answer.error, answer.config) {
            (Some(error), _) if error.err_code == STREAM_NOT_FOUND => refused(format!(
                "there is no stream {stream}; make it (`nats stream add {stream} --subjects …`)"
            )),
            (Some(error), _) => {
                refused(format!("the stream {stream}: {}", told(&error.description)))
            }
            (None, Some(config)) if config.no_ack => {
                refused(format!("the stream {stream} acknowledges nothing (no_ack); change that"))
            }
            (None, Some(config)) if config.sealed => {
                refused(format!("the stream {stream} is sealed; choose another"))
            }
            (None, Some(_)) => {
                self.state = State::Ready;
                self.events.push_back(Event::Ready);
                Ok(())
            }
            (None, None) => Err(Fault::Broken("what it says of the stream")),
        }
    }

    /// Takes one thing off the bytes that came; whether there was one.
    fn step(&mut self, from: &mut usize) -> Result<bool, Fault> {
        let Some(rest) = self.input.get(*from..) else { return Ok(false) };
        if let Some(coming) = self.coming.take() {
            let Some((body, after)) = rest.split_at_checked(coming.whole) else {
                self.coming = Some(coming);
                return Ok(false);
            };
            let Some(end) = after.first_chunk::<2>() else {
                self.coming = Some(coming);
                return Ok(false);
            };
            if end != b"\r\n" {
                return Err(Fault::Broken("a message is longer than it says"));
            }
            let body = body.to_vec();
            *from = from.saturating_add(body.len()).saturating_add(2);
            self.message(&coming, &body)?;
            return Ok(true);
        }
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            let most = match rest.first_chunk::<4>() {
                Some(op) if op.eq_ignore_ascii_case(b"INFO") => INFO_BYTES_MAX,
                _ => LINE_BYTES_MAX,
            };
            return if rest.len() > most {
                Err(Fault::Broken("a line is too long"))
            } else {
                Ok(false)
            };
        };
        let line = rest.get(..end).unwrap_or_default().to_vec();
        *from = from.saturating_add(end).saturating_add(2);
        self.line(&line)?;
        Ok(true)
    }
}

impl Publisher for Nats {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.state == State::Greeting {
            return Err(Fault::Broken("it speaks before it was greeted"));
        }
        self.input.extend_from_slice(bytes);
        let mut from = 0;
        let taken = loop {
            match self.step(&mut from) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
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
        // Number 0 is that of the check.
        let number = number.saturating_add(1);
        let header = format!(
            "NATS/1.0\r\nNats-Msg-Id: {}\r\nNats-Expected-Stream: {}\r\nContent-Type: application/json\r\n\r\n",
            message.id, self.stream
        );
        let whole = header.len().saturating_add(message.body.len());
        let head = format!(
            "HPUB {} {}{number} {} {whole}\r\n{header}",
            message.place,
            self.inbox,
            header.len()
        );
        self.say(&head);
        self.output.extend_from_slice(message.body);
        self.say("\r\n");
        self.flying.insert(number, message.place.to_owned());
    }

    fn beat(&mut self) {
        self.say("PING\r\n");
    }

    fn is_doubtful(&self, length: usize) -> bool {
        // With its header.
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        length.saturating_add(512) > self.payload_max
    }

    fn held_up(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{Secret, UnixTime};
    use proptest::prelude::*;

    const INFO: &str = r#"INFO {"server_id":"N","tls_required":true,"headers":true,"jetstream":true,"max_payload":1048576,"nonce":"abc","connect_urls":["10.0.0.1:4222"]}"#;

    fn login(text: &str) -> Login {
        Login::parse(&Secret::new(text.as_bytes().to_vec()), crate::Speaks::Nats).unwrap()
    }

    fn greeted() -> Nats {
        let mut nats = Nats::new("S", [7; 16]);
        nats.greeted(format!("{INFO}\r\n").as_bytes(), &login("ann:pw")).unwrap();
        nats
    }

    fn sent(nats: &mut Nats) -> String {
        String::from_utf8(nats.output()).unwrap()
    }

    fn ready() -> Nats {
        let mut nats = greeted();
        nats.receive(b"PONG\r\n").unwrap();
        let said = sent(&mut nats);
        assert!(
            said.ends_with("PUB $JS.API.STREAM.INFO.S _INBOX.BwcHBwcHBwcHBwcHBwcHBw.0 0\r\n\r\n")
        );
        reply(&mut nats, 0, r#"{"config":{"name":"S"},"state":{}}"#).unwrap();
        assert_eq!(nats.event(), Some(Event::Ready));
        nats
    }

    fn reply(nats: &mut Nats, number: u64, body: &str) -> Result<(), Fault> {
        let inbox = nats.inbox.clone();
        nats.receive(format!("MSG {inbox}{number} 1 {}\r\n{body}\r\n", body.len()).as_bytes())
    }

    fn publish(nats: &mut Nats, number: u64) {
        let at = UnixTime(1_700_000_000);
        nats.publish(number, &Publication { place: "t.x", id: "msg_1-aa", at, body: b"{}" });
    }

    #[test]
    fn a_message_is_taken_when_the_stream_says_so() {
        let mut nats = greeted();
        let said = sent(&mut nats);
        let connect: serde_json::Value =
            serde_json::from_str(said.strip_prefix("CONNECT ").unwrap().lines().next().unwrap())
                .unwrap();
        assert_eq!((&connect["user"], &connect["pass"]), (&"ann".into(), &"pw".into()));
        assert_eq!((&connect["protocol"], &connect["no_responders"]), (&0.into(), &true.into()));
        assert!(said.ends_with("PING\r\n") && connect.get("sig").is_none());
        let mut nats = ready();
        publish(&mut nats, 4);
        assert_eq!(
            sent(&mut nats),
            "HPUB t.x _INBOX.BwcHBwcHBwcHBwcHBwcHBw.5 92 94\r\nNATS/1.0\r\nNats-Msg-Id: msg_1-aa\r\n\
             Nats-Expected-Stream: S\r\nContent-Type: application/json\r\n\r\n{}\r\n"
        );
        // Other servers are no concern of ours.
        nats.receive(format!("{INFO}\r\nPING\r\n").as_bytes()).unwrap();
        assert_eq!(sent(&mut nats), "PONG\r\n");
        reply(&mut nats, 5, r#"{"stream":"S","seq":9,"duplicate":true}"#).unwrap();
        assert_eq!(nats.event(), Some(Event::Answer(4, Verdict::Taken)));
        // Once.
        reply(&mut nats, 5, r#"{"stream":"S","seq":9}"#).unwrap();
        assert_eq!(nats.event(), None);
    }

    #[test]
    fn what_is_no_acknowledgement_is_none() {
        for (body, never) in [
            (r#"{"error":{"code":400,"err_code":10054,"description":"too large"}}"#, true),
            (r#"{"error":{"code":400,"err_code":10060,"description":"other"}}"#, false),
            (
                r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}"#,
                false,
            ),
            (r#"{"error":{}}"#, false),
        ] {
            let mut nats = ready();
            publish(&mut nats, 0);
            reply(&mut nats, 1, body).unwrap();
            let answer = nats.event().unwrap();
            assert_eq!(matches!(answer, Event::Answer(0, Verdict::Never(_))), never, "{answer:?}");
            assert_ne!(answer, Event::Answer(0, Verdict::Taken));
        }
        for body in [
            "",
            "{}",
            r#"{"stream":"T","seq":1}"#,
            r#"{"stream":"S"}"#,
            r#"{"stream":"S","seq":0}"#,
        ] {
            let mut nats = ready();
            publish(&mut nats, 0);
            assert!(matches!(reply(&mut nats, 1, body), Err(Fault::Broken(_))), "{body}");
            assert_eq!(nats.event(), None);
        }
        let mut nats = ready();
        publish(&mut nats, 0);
        let inbox = nats.inbox.clone();
        nats.receive(format!("HMSG {inbox}1 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n").as_bytes())
            .unwrap();
        assert!(matches!(nats.event(), Some(Event::Answer(0, Verdict::Refused(why)))
            if why.contains("no stream of the server has the subject t.x")));
    }

    #[test]
    fn errors_say_what_to_do() {
        let mut nats = ready();
        publish(&mut nats, 3);
        nats.receive(b"-ERR 'Permissions Violation for Publish to \"t.x\"'\r\n").unwrap();
        assert!(matches!(nats.event(), Some(Event::Answer(3, Verdict::Refused(why)))
            if why.contains("may not publish to t.x")));
        let ends =
            |said: &str| ready().receive(format!("-ERR '{said}'\r\n").as_bytes()).unwrap_err();
        assert!(matches!(ends("Maximum Payload Violation"), Fault::Message(_)));
        assert!(ends("Authorization Violation").to_string().contains("secret of the route"));
        assert!(
            ends("Permissions Violation for Subscription to \"_INBOX.x.*\"")
                .to_string()
                .contains("_INBOX.>")
        );
        assert!(matches!(ends("Stale Connection"), Fault::Refused(_)));
        // Whoever may not look at the stream may publish all the same.
        let mut nats = greeted();
        nats.receive(
            b"PONG\r\n-ERR 'Permissions Violation for Publish to \"$JS.API.STREAM.INFO.S\"'\r\n",
        )
        .unwrap();
        assert_eq!(nats.event(), Some(Event::Ready));
        for (body, says) in [
            (
                r#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#,
                "no stream S",
            ),
            (
                r#"{"error":{"code":503,"err_code":10039,"description":"not enabled"}}"#,
                "not enabled",
            ),
            (r#"{"config":{"no_ack":true}}"#, "no_ack"),
            (r#"{"config":{"sealed":true}}"#, "sealed"),
        ] {
            let mut nats = greeted();
            nats.receive(b"PONG\r\n").unwrap();
            assert!(reply(&mut nats, 0, body).unwrap_err().to_string().contains(says), "{body}");
        }
    }

    #[test]
    fn nothing_is_said_without_tls() {
        let refused = |info: &str| {
            let mut nats = Nats::new("S", [7; 16]);
            let fault = nats.greeted(info.as_bytes(), &login("ann:pw")).unwrap_err();
            assert!(nats.output().is_empty(), "{info}");
            fault.to_string()
        };
        let info = |change: (&str, &str)| format!("{}\r\n", INFO.replace(change.0, change.1));
        assert!(refused(&info(("\"tls_required\":true,", ""))).contains("offers no TLS"));
        assert!(
            refused(&info(("\"jetstream\":true", "\"jetstream\":false"))).contains("no JetStream")
        );
        for said in ["", "\r\n", "+OK\r\n", "INFO {\r\n", INFO] {
            refused(said);
        }
        // Behind INFO nothing may come: it would count as if it had come by TLS.
        refused(&format!("{INFO}\r\nPONG\r\n"));
    }

    #[test]
    fn a_key_signs_the_nonce() {
        let mut nats = Nats::new("S", [7; 16]);
        let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
        nats.greeted(format!("{INFO}\r\n").as_bytes(), &login(seed)).unwrap();
        let said = sent(&mut nats);
        assert!(
            said.contains("\"nkey\":\"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4\"")
        );
        assert!(said.contains("\"sig\":") && !said.contains(seed));
    }

    #[test]
    fn a_server_has_no_room_in_our_memory() {
        let mut nats = ready();
        assert!(nats.receive(&[b'x'; LINE_BYTES_MAX + 1]).is_err());
        let mut nats = ready();
        let inbox = nats.inbox.clone();
        let head = format!("MSG {inbox}1 1 {}\r\n", ANSWER_BYTES_MAX + 1);
        assert!(nats.receive(head.as_bytes()).is_err());
        assert!(ready().receive(b"MSG _INBOX.x.1 1 99999999999999999999\r\n").is_err());
    }

    #[test]
    fn only_a_long_message_is_doubtful() {
        let nats = ready();
        assert!(!nats.is_doubtful(1_000_000) && nats.is_doubtful(1_048_576));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_parts_end_the_same(
            text in "(PING\r\n|PONG\r\n|-ERR 'x'\r\n|MSG _INBOX.BwcHBwcHBwcHBwcHBwcHBw.1 1 2\r\n\\{\\}\r\n|HMSG a 1 2 1\r\n|[ -~\r\n]{0,9}){0,6}",
            part in 1_usize..7,
        ) {
            let run = |part: usize| {
                let mut nats = ready();
                publish(&mut nats, 0);
                let mut ended = Ok(());
                for part in text.as_bytes().chunks(part) {
                    ended = nats.receive(part);
                    if ended.is_err() {
                        break;
                    }
                }
                (ended, std::iter::from_fn(|| nats.event()).collect::<Vec<_>>())
            };
            prop_assert_eq!(run(part), run(text.len().max(1)));
        }
    }
}
