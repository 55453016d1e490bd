//! Mail out, over TLS alone (RFC 5321, RFC 3207, RFC 8314): one message per connection, to all of its
//! recipients or to none.
//!
//! What was said before TLS counts for nothing afterwards: a server that says anything beyond its answer
//! to STARTTLS is somebody else. Absent: pipelining, SMTPUTF8, DSN, authentication but PLAIN (RFC 4954).

use super::Told;
use crate::outward::{reach::Reach, tls};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{fmt::Write as _, sync::Arc, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite,
        AsyncWriteExt as _, BufReader,
    },
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Longest time for a message, with its connection.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest line of an answer, and most lines of one (RFC 5321 section 4.5.3.1.5 has 512 bytes).
const LINE_BYTES_MAX: u64 = 1024;
const LINES_MAX: usize = 64;
/// Bytes of text in one encoded word of a header (RFC 2047 section 2 has 75 characters for a word).
const WORD_BYTES: usize = 42;
/// Bytes in one line of a body in base64 (RFC 2045 section 6.8 has 76 characters).
const BODY_BYTES: usize = 57;

/// A mail server.
pub(super) struct Mailer {
    pub(super) host: String,
    pub(super) port: u16,
    /// secure from its beginning, else by STARTTLS
    pub(super) implicit: bool,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) reach: Reach,
    /// `USER:PASSWORD`
    pub(super) login: Option<crypto::Secret>,
    /// how we call ourselves
    pub(super) own_name: String,
}

/// A message.
pub(super) struct Mail<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a [String],
    pub(super) subject: &'a str,
    pub(super) text: &'a str,
    /// the same whenever it is sent again
    pub(super) id: &'a str,
    pub(super) at: crypto::UnixTime,
}

/// Why a conversation ended before its end.
enum Stop {
    Never(String),
    Later(String),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Later(format!("the connection broke: {error}"))
    }
}

/// An answer: its code, and its lines.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn says(&self, keyword: &str) -> bool {
        self.lines.iter().any(|line| line.eq_ignore_ascii_case(keyword))
    }

    fn why(&self, what: &str) -> String {
        let said = self.lines.first().map_or("", String::as_str);
        format!("the mail server answered {} to {what}: {said}", self.code)
    }
}

impl Mailer {
    pub(super) async fn send(&self, mail: &Mail<'_>) -> Told {
        let slow = || Told::Later(format!("{}:{} does not answer", self.host, self.port), None);
        let sent = timeout(PATIENCE, self.converse(mail)).await;
        sent.map_or_else(
            |_| slow(),
            |sent| match sent {
                Ok(()) => Told::Taken,
                Err(Stop::Never(why)) => Told::Never(why),
                Err(Stop::Later(why)) => Told::Later(why, None),
            },
        )
    }

    async fn converse(&self, mail: &Mail<'_>) -> Result<(), Stop> {
        if self.implicit {
            let secure = tls::connect(&self.host, self.port, &self.tls, &self.reach).await;
            let mut stream = BufReader::new(secure.map_err(Stop::Later)?);
            expect(&mut stream, "its greeting", 220).await?;
            return self.deliver(&mut stream, mail).await;
        }
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| Stop::Later(format!("{} is no host name", self.host)))?;
        let plain = tls::dial(&self.host, self.port, &self.reach).await.map_err(Stop::Later)?;
        let mut plain = BufReader::new(plain);
        expect(&mut plain, "its greeting", 220).await?;
        let able = self.greet(&mut plain).await?;
        if !able.says("STARTTLS") {
            let why = "the mail server offers no STARTTLS, and nothing is sent in the clear";
            return Err(Stop::Later(why.to_owned()));
        }
        say(&mut plain, "STARTTLS").await?;
        expect(&mut plain, "STARTTLS", 220).await?;
        if !plain.buffer().is_empty() {
            let why = "the mail server said more before TLS than it was asked";
            return Err(Stop::Later(why.to_owned()));
        }
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let secure = connector.connect(name, plain.into_inner()).await;
        let secure = secure
            .map_err(|error| Stop::Later(format!("{}:{}: TLS: {error}", self.host, self.port)))?;
        self.deliver(&mut BufReader::new(secure), mail).await
    }

    async fn greet<S>(&self, stream: &mut BufReader<S>) -> Result<Reply, Stop>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        say(stream, &format!("EHLO {}", self.own_name)).await?;
        expect(stream, "EHLO", 250).await
    }

    /// Over a stream that is secure.
    async fn deliver<S>(&self, stream: &mut BufReader<S>, mail: &Mail<'_>) -> Result<(), Stop>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.greet(stream).await?;
        if let Some(login) = &self.login {
            let bytes = login.expose();
            let at = bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len());
            let (user, password) = bytes.split_at(at);
            let password = password.get(1..).unwrap_or_default();
            let plain = crypto::Secret::new([b"\0", user, b"\0", password].concat());
            let said = format!("AUTH PLAIN {}", BASE64_STANDARD.encode(plain.expose()));
            say(stream, &said).await?;
            expect(stream, "AUTH", 235).await?;
        }
        say(stream, &format!("MAIL FROM:<{}>", mail.from)).await?;
        settle(&answer(stream).await?, "MAIL", 250)?;
        for to in mail.to {
            say(stream, &format!("RCPT TO:<{to}>")).await?;
            settle(&answer(stream).await?, &format!("RCPT {to}"), 250)?;
        }
        say(stream, "DATA").await?;
        settle(&answer(stream).await?, "DATA", 354)?;
        stream.write_all(mail.written().as_bytes()).await?;
        stream.write_all(b".\r\n").await?;
        stream.flush().await?;
        settle(&answer(stream).await?, "the message", 250)?;
        // It is theirs now, whatever becomes of the farewell.
        let _farewell = say(stream, "QUIT").await;
        Ok(())
    }
}

impl Mail<'_> {
    /// The message as it goes over the wire (RFC 5322), without the final dot. No line begins with one.
    fn written(&self) -> String {
        let date = OffsetDateTime::from_unix_timestamp(self.at.0)
            .ok()
            .and_then(|at| at.format(&Rfc2822).ok())
            .unwrap_or_default();
        let mut out = format!(
            "Date: {date}\r\nFrom: <{}>\r\nTo: {}\r\nMessage-ID: <{}>\r\nSubject: {}\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            self.from,
            self.to.iter().map(|to| format!("<{to}>")).collect::<Vec<_>>().join(",\r\n "),
            self.id,
            words(self.subject),
        );
        for line in self.text.replace('\n', "\r\n").as_bytes().chunks(BODY_BYTES) {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}\r\n", BASE64_STANDARD.encode(line));
        }
        out
    }
}

/// A text of a header as encoded words (RFC 2047).
fn words(text: &str) -> String {
    let mut words: Vec<String> = vec![String::new()];
    for character in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if words.last().is_some_and(|word| word.len() + character.len_utf8() > WORD_BYTES) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(character);
        }
    }
    let encoded = |word: &String| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word));
    words.iter().map(encoded).collect::<Vec<_>>().join("\r\n ")
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    line: &str,
) -> Result<(), Stop> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    Ok(stream.flush().await?)
}

/// An answer that must have this code; another is a failure that may pass.
async fn expect<S: AsyncBufRead + Unpin>(
    stream: &mut S,
    what: &str,
    code: u16,
) -> Result<Reply, Stop> {
    let reply = answer(stream).await?;
    if reply.code == code { Ok(reply) } else { Err(Stop::Later(reply.why(what))) }
}

/// What an answer about a message means: what is refused for good is not sent again and again.
fn settle(reply: &Reply, what: &str, code: u16) -> Result<(), Stop> {
    match reply.code {
        // 251: will forward.
        found if found == code || (code == 250 && found == 251) => Ok(()),
        500..=599 => Err(Stop::Never(reply.why(what))),
        _ => Err(Stop::Later(reply.why(what))),
    }
}

/// Reads an answer of one or several lines.
async fn answer<S: AsyncBufRead + Unpin>(stream: &mut S) -> Result<Reply, Stop> {
    let odd = || Stop::Later("the other end speaks no SMTP".to_owned());
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        (&mut *stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        let line = line.strip_suffix(b"\n").ok_or_else(odd)?;
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        let (code, rest) = text.split_at_checked(3).ok_or_else(odd)?;
        let code = code.parse::<u16>().ok().filter(|code| (200..=599).contains(code));
        let code = code.ok_or_else(odd)?;
        let goes_on = match rest.as_bytes().first() {
            None | Some(b' ') => false,
            Some(b'-') => true,
            Some(_) => return Err(odd()),
        };
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if !goes_on {
            return Ok(Reply { code, lines });
        }
        if lines.len() >= LINES_MAX {
            return Err(odd());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Reply, Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(answer(&mut &*bytes))
    }

    #[test]
    fn answers_are_read_to_their_end() {
        let reply = read(b"250-mail.example\r\n250-STARTTLS\r\n250 SIZE 1000\r\n220 next\r\n");
        let reply = reply.ok().unwrap();
        assert!(reply.code == 250 && reply.says("starttls") && !reply.says("SIZE"));
        for wrong in
            [&b""[..], b"250", b"25 x\r\n", b"250xx\r\n", b"999 x\r\n", b"HTTP/1.1 400\r\n"]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        assert!(read(&[&b"250-x\r\n".repeat(LINES_MAX)[..], b"250 x\r\n"].concat()).is_err());
        assert!(read(&[b'2'; 4096]).is_err());
    }

    #[test]
    fn a_message_is_plain_ascii_whatever_it_says() {
        let mail = Mail {
            from: "tegata@example.org",
            to: &["a@example.org".to_owned(), "b@example.org".to_owned()],
            subject: "警報: 機器が自分のものではないトピックを試しています\r\nBcc: x@y",
            text: "一行目\n.\n.\r\n二行目",
            id: "notice-7@log.example",
            at: crypto::UnixTime(1_795_000_000),
        };
        let written = mail.written();
        assert!(written.is_ascii() && written.contains("Date: Wed, 18 Nov 2026 "));
        assert!(!written.contains("Bcc"), "{written}");
        for line in written.split_terminator("\r\n") {
            assert!(line.len() <= 78 && !line.starts_with('.') && !line.contains('\n'), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }

        #[test]
        fn words_come_back(text in "[^\\p{C}]{0,200}") {
            let mut whole = Vec::new();
            for word in words(&text).split("\r\n ") {
                prop_assert!(word.len() <= 75);
                let inner = word.strip_prefix("=?UTF-8?B?").and_then(|it| it.strip_suffix("?="));
                whole.extend(BASE64_STANDARD.decode(inner.unwrap()).unwrap());
            }
            prop_assert_eq!(String::from_utf8(whole).unwrap(), text);
        }
    }
}
