//! The conversation of two devices, after the handshake: one line that asks, one that answers.
//!
//! ```text
//! tegata-peer 1 OPERATION        the device that asks
//! permit | deny                  the device that is asked
//! ```

use super::{Judge, operation, tls};
use crate::{Failure, clock::uptime_s, identity::Credential};
use ::peer::{Code, Decision, Peer, Refused, Side};
use admission::CommandName;
use device::DeviceId;
use rustls::{ClientConnection, ServerConnection, pki_types::ServerName};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

/// Seconds for a whole conversation: whoever drips holds nobody up.
const TALK_S: u64 = 10;
/// Seconds, and reads, for which the other is heard out at the end.
const LINGER_S: u64 = 2;
const LINGER_READS_MAX: usize = 64;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 128;
const GREETING: &str = "tegata-peer 1 ";
const PERMIT: &str = "permit";
const DENY: &str = "deny";

/// A stream whose time is over at a moment, however its bytes come.
struct Timed {
    stream: TcpStream,
    until_s: u64,
}

impl Timed {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, until_s: uptime_s().saturating_add(TALK_S) })
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until_s.saturating_sub(uptime_s()) {
            0 => Err(io::Error::new(ErrorKind::TimedOut, "the conversation takes too long")),
            left => Ok(Some(Duration::from_secs(left))),
        }
    }
}

impl Timed {
    /// Ends the conversation so that the other still hears what was said last: a socket that is closed
    /// before everything was read takes that back.
    fn end(mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.until_s = self.until_s.min(uptime_s().saturating_add(LINGER_S));
        let mut buffer = [0; 1024];
        for _ in 0..LINGER_READS_MAX {
            if !matches!(self.read(&mut buffer), Ok(1..)) {
                break;
            }
        }
    }
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(into)
    }
}

impl Write for Timed {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What a conversation came to.
pub(super) struct Talked {
    pub(super) decision: Decision,
    /// what was asked for; empty where it did not come to that
    pub(super) operation: String,
    /// what the other answered; `None` on the side that answers, and where it did not come to that
    pub(super) answer: Option<bool>,
}

/// Serves one conversation.
///
/// # Errors
/// `clock-behind`, `trust-bundle-ended`; `connection` where the other went away or spoke something else
/// before anything was to be decided.
pub(super) fn serve(
    judge: &Arc<Judge>,
    shown: &Credential,
    stream: TcpStream,
) -> Result<Talked, Failure> {
    let now = judge.now()?;
    let outcome = tls::Outcome::default();
    let config = tls::server(judge, shown, now, &outcome)?;
    let mut connection =
        ServerConnection::new(config).map_err(|error| broken(&io::Error::other(error)))?;
    let mut sock = Timed::new(stream).map_err(|error| broken(&error))?;
    let talked = served(judge, &mut connection, &mut sock, &outcome);
    sock.end();
    talked
}

fn served(
    judge: &Judge,
    connection: &mut ServerConnection,
    sock: &mut Timed,
    outcome: &tls::Outcome,
) -> Result<Talked, Failure> {
    let done = shake(|sock| connection.complete_io(sock), sock);
    let peer = match known(done, outcome, connection.is_handshaking())? {
        Ok(peer) => peer,
        Err(refused) => return Ok(before(refused)),
    };
    if connection.alpn_protocol() != Some(tls::ALPN) {
        return Err(broken(&io::Error::other("the other did not ask for tegata-peer/1")));
    }
    let mut stream = rustls::Stream::new(connection, sock);
    let line = line(&mut stream).map_err(|error| broken(&error))?;
    let asked = line.strip_prefix(GREETING).and_then(|text| operation(text).ok());
    let Some(asked) = asked else {
        return Err(broken(&io::Error::other("the other asked in another way")));
    };
    let decision = judge.bundle().decide(&peer, Side::Serves, &asked, judge.now()?);
    let answer = if decision.permitted { PERMIT } else { DENY };
    let told = stream.write_all(format!("{answer}\n").as_bytes()).and_then(|()| {
        connection.send_close_notify();
        rustls::Stream::new(connection, sock).flush()
    });
    // What was decided was decided, whether the other still hears it or not.
    if let Err(error) = told {
        crate::log::warning("connection", &error.to_string());
    }
    Ok(Talked { decision, operation: asked.as_str().to_owned(), answer: None })
}

/// Asks another device, where this one's own decision permits it.
///
/// # Errors
/// As [`serve`]; `peer-other` where another device than `wanted` answers.
pub(super) fn ask(
    judge: &Arc<Judge>,
    shown: &Credential,
    address: &str,
    wanted: Option<&DeviceId>,
    operation: &CommandName,
) -> Result<Talked, Failure> {
    let now = judge.now()?;
    let outcome = tls::Outcome::default();
    let config = tls::client(judge, shown, now, &outcome)?;
    let mut sock = connect(address).and_then(Timed::new).map_err(|error| broken(&error))?;
    // Nobody looks at it: it is neither sent nor compared.
    let name = ServerName::try_from("peer.invalid")
        .map_err(|error| Failure::malformed("configuration", error.to_string()))?;
    let mut connection = ClientConnection::new(config, name)
        .map_err(|error| Failure::malformed("credential", error.to_string()))?;
    let done = shake(|sock| connection.complete_io(sock), &mut sock);
    let peer = match known(done, &outcome, connection.is_handshaking())? {
        Ok(peer) => peer,
        Err(refused) => return Ok(before(refused)),
    };
    if wanted.is_some_and(|wanted| *wanted != peer.facts.device) {
        let detail = format!("device {} answers at {address}", peer.facts.device);
        return Err(Failure::refused("peer-other", detail));
    }
    if connection.alpn_protocol() != Some(tls::ALPN) {
        return Err(broken(&io::Error::other("the other does not speak tegata-peer/1")));
    }
    let decision = judge.bundle().decide(&peer, Side::Asks, operation, judge.now()?);
    let asked = operation.as_str().to_owned();
    if !decision.permitted {
        connection.send_close_notify();
        let _ = rustls::Stream::new(&mut connection, &mut sock).flush();
        return Ok(Talked { decision, operation: asked, answer: None });
    }
    let mut stream = rustls::Stream::new(&mut connection, &mut sock);
    stream.write_all(format!("{GREETING}{asked}\n").as_bytes()).map_err(|error| broken(&error))?;
    let answer = line(&mut stream).map_err(|error| broken(&error))?;
    let answer = match answer.as_str() {
        PERMIT => true,
        DENY => false,
        _ => return Err(broken(&io::Error::other("the other answered in another way"))),
    };
    connection.send_close_notify();
    let _ = rustls::Stream::new(&mut connection, &mut sock).flush();
    Ok(Talked { decision, operation: asked, answer: Some(answer) })
}

/// Who the other is, after a handshake that is `done`.
fn known(
    done: io::Result<()>,
    outcome: &tls::Outcome,
    handshaking: bool,
) -> Result<Result<Peer, Refused>, Failure> {
    match (done, outcome.take()) {
        // The alert was sent with the failure.
        (_, Some(Err(refused))) => Ok(Err(refused)),
        (Err(error), _) => Err(broken(&error)),
        (Ok(()), None) => Err(broken(&io::Error::other("no certificate was shown"))),
        // INVARIANT: nobody is known before the proof of the key has been seen.
        (Ok(()), Some(Ok(_))) if handshaking => {
            Err(broken(&io::Error::other("the handshake did not end")))
        }
        (Ok(()), Some(Ok(peer))) => Ok(Ok(peer)),
    }
}

/// What was decided by the certificate alone.
fn before(refused: Refused) -> Talked {
    Talked { decision: refused.into(), operation: String::new(), answer: None }
}

/// The handshake, to its end.
fn shake(
    mut step: impl FnMut(&mut Timed) -> io::Result<(usize, usize)>,
    sock: &mut Timed,
) -> io::Result<()> {
    // While a handshake is under way this returns when it is over.
    step(sock).map(drop)
}

/// A line without its end.
fn line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0_u8; 1];
    while line.len() < LINE_BYTES_MAX {
        if stream.read(&mut byte)? == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the other went away"));
        }
        let [byte] = byte;
        if byte == b'\n' {
            return String::from_utf8(line).map_err(io::Error::other);
        }
        line.push(byte);
    }
    Err(io::Error::other("a line has more than 128 bytes"))
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the address has no place; write HOST:PORT");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(TALK_S)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What went wrong on the way. An alert of the other says that it refused this device.
fn broken(error: &io::Error) -> Failure {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::AlertReceived(alert)) => {
            let detail = format!("the other device refused this one: {alert:?}");
            Failure::refused("peer-refused", detail)
        }
        Some(error) => Failure::unavailable("tls", error.to_string()),
        None => Failure::unavailable("connection", error.to_string()),
    }
}

/// Codes of decisions that a stranger brings about: nobody is known yet.
pub(super) fn is_strangers(code: Code) -> bool {
    !matches!(code, Code::Permitted | Code::NoPolicy | Code::Forbidden | Code::PolicyFailed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_ends_and_is_bounded() {
        assert_eq!(line(&mut b"permit\nrest".as_slice()).unwrap(), "permit");
        assert_eq!(line(&mut b"permit".as_slice()).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert!(line(&mut [b'a'; LINE_BYTES_MAX].as_slice()).is_err());
        assert!(line(&mut b"\xff\n".as_slice()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_line_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(line) = line(&mut bytes.as_slice()) {
                prop_assert!(line.len() < LINE_BYTES_MAX && !line.contains('\n'));
            }
        }
    }
}
