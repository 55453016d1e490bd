//! Where a route goes.

use crate::{ServiceError, streams::address};
use admission::TopicName;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use broker::{Speaks, Template, TemplateError, amqp, nats};
use crypto::Secret;
use device::DeviceId;

/// Longest target, in bytes.
const TARGET_BYTES_MAX: usize = 1400;
/// How many bytes a key of web hooks has (Standard Webhooks 1.0.0).
const SIGNING_KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTarget {
    /// a web hook: `https://HOST[:PORT]/PATH`
    Https {
        /// name or address, which the receiver's certificate must be for
        host: String,
        /// port
        port: u16,
        /// path and query
        path: String,
    },
    /// rows in the platform's store: `table`
    Table,
    /// lines of JSON in a file of the data directory: `file`
    File,
    /// a stream of NATS: `nats://HOST[:4222]/STREAM/SUBJECT`
    Nats {
        /// name or address, which the server's certificate must be for
        host: String,
        /// port
        port: u16,
        /// the JetStream that acknowledges
        stream: String,
        /// subject of each message
        subject: Template,
    },
    /// a quorum queue of RabbitMQ: `amqps://HOST[:5671]/VHOST/QUEUE`, or through an exchange with
    /// `/EXCHANGE/KEY` behind it
    Amqp {
        /// name or address, which the broker's certificate must be for
        host: String,
        /// port
        port: u16,
        /// virtual host, queue and exchange
        to: amqp::Queue,
        /// routing key of each message, where there is an exchange; else it is the queue's name
        key: Option<Template>,
    },
    /// another device of the same organisation: `topic:DEVICE/down/…`
    Topic {
        /// who hears it
        device: DeviceId,
        /// as what, absolute
        topic: TopicName,
    },
}

impl RouteTarget {
    /// Reads one of the forms.
    ///
    /// # Errors
    /// [`TargetError`]
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.len() > TARGET_BYTES_MAX {
            return Err(TargetError::Form);
        }
        if let Some((scheme, host, port, path)) = address(text)
            && matches!(scheme, "nats" | "amqps")
        {
            return broker(scheme, host, port, &path);
        }
        Self::plain(text).ok_or(TargetError::Form)
    }

    fn plain(text: &str) -> Option<Self> {
        match text {
            "table" => return Some(Self::Table),
            "file" => return Some(Self::File),
            _ => {}
        }
        if let Some(rest) = text.strip_prefix("topic:") {
            let (device, below) = rest.split_once('/')?;
            let device: DeviceId = device.parse().ok()?;
            // What the platform itself says there is not to be imitated.
            let free = below.starts_with("down/")
                && !below.starts_with(admission::COMMANDS_DOWN)
                && below != admission::CONFIGURATION_DOWN;
            let topic = TopicName::new(format!("d/{device}/{below}")).ok()?;
            return free.then_some(Self::Topic { device, topic });
        }
        match address(text)? {
            ("https", host, port, path) => {
                Some(Self::Https { host, port: port.unwrap_or(443), path })
            }
            _ => None,
        }
    }

    /// Stable name of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Https { .. } => "https",
            Self::Table => "table",
            Self::File => "file",
            Self::Topic { .. } => "topic",
            Self::Nats { .. } => "nats",
            Self::Amqp { .. } => "amqps",
        }
    }

    /// Whether a receiver of this kind shows a certificate.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Https { .. } | Self::Nats { .. } | Self::Amqp { .. })
    }

    /// What a broker takes from who logs in; none for what is no broker.
    pub(super) fn speaks(&self) -> Option<Speaks> {
        match self {
            Self::Nats { .. } => Some(Speaks::Nats),
            Self::Amqp { .. } => Some(Speaks::Amqp),
            _ => None,
        }
    }

    /// With whom a secret is shared: it is not sent to anybody else, whatever becomes of the route.
    pub(super) fn confidant(&self) -> Option<(&'static str, &str, u16)> {
        match self {
            Self::Nats { host, port, .. } | Self::Amqp { host, port, .. } => {
                Some((self.kind(), host, *port))
            }
            _ => None,
        }
    }
}

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// none of the forms
    #[error(
        "messages go to https://HOST/PATH, nats://HOST/STREAM/SUBJECT, amqps://HOST/VHOST/QUEUE, table, \
         file or topic:DEVICE/down/…"
    )]
    Form,
    /// of the form of a broker's, but without what has to be there
    #[error("{0}")]
    Broker(&'static str),
    /// the template of a subject or routing key
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// The forms of brokers.
fn broker(
    scheme: &str,
    host: String,
    port: Option<u16>,
    path: &str,
) -> Result<RouteTarget, TargetError> {
    const WITHIN: &str = "a broker's address ends with where messages go, without a question mark";
    if path.contains('?') {
        return Err(TargetError::Broker(WITHIN));
    }
    let levels: Vec<&str> = path.split('/').skip(1).collect();
    if scheme == "nats" {
        let [stream, subject] = *levels else {
            return Err(TargetError::Broker(
                "a stream of NATS is nats://HOST/STREAM/SUBJECT, such as \
                 nats://broker.example/DEVICES/tegata.{device}.{topic}",
            ));
        };
        if !nats::is_stream(stream) {
            return Err(TargetError::Broker(
                "the name of a stream is 1 to 128 letters, digits, hyphens and underlines",
            ));
        }
        let (stream, subject) = (stream.to_owned(), Template::parse(subject)?);
        if subject.begins_with_topic() {
            return Err(TargetError::Broker(
                "a subject does not begin with {topic}: a device would choose all of it; write a word, \
                 {product} or {device} before it",
            ));
        }
        return Ok(RouteTarget::Nats { host, port: port.unwrap_or(4222), stream, subject });
    }
    let (names, key) = match *levels {
        [vhost, queue] => ([vhost, queue, ""], None),
        [vhost, queue, exchange, key] if !exchange.is_empty() => {
            ([vhost, queue, exchange], Some(Template::parse(key)?))
        }
        _ => {
            return Err(TargetError::Broker(
                "a queue of RabbitMQ is amqps://HOST/VHOST/QUEUE, or \
                 amqps://HOST/VHOST/QUEUE/EXCHANGE/KEY; the virtual host / is written %2F",
            ));
        }
    };
    let names = names.map(decoded);
    let [Some(vhost), Some(queue), Some(exchange)] = names else {
        return Err(TargetError::Broker(
            "names of RabbitMQ have 255 bytes at most and no control characters; what is no letter or \
             digit is written as % and two hexadecimal digits",
        ));
    };
    if vhost.is_empty() || queue.is_empty() || queue.starts_with("amq.") {
        return Err(TargetError::Broker(
            "a queue has a virtual host (%2F for /) and a name that does not begin with amq.",
        ));
    }
    let exchange = Some(exchange).filter(|it| !it.is_empty());
    let to = amqp::Queue { host: vhost, queue, exchange };
    Ok(RouteTarget::Amqp { host, port: port.unwrap_or(5671), to, key })
}

/// A name that is written with `%` (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut out) = (text.bytes(), Vec::new());
    let digit = |bytes: &mut std::str::Bytes<'_>| {
        bytes.next().and_then(|it| char::from(it).to_digit(16)).and_then(|it| u8::try_from(it).ok())
    };
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => digit(&mut bytes)? << 4 | digit(&mut bytes)?,
            other => other,
        });
    }
    let text = String::from_utf8(out).ok()?;
    let fits = text.len() <= amqp::NAME_BYTES_MAX && !text.chars().any(char::is_control);
    fits.then_some(text)
}

/// A key of web hooks, as people copy it.
pub(crate) fn signing_key_text(key: &Secret) -> Secret {
    Secret::new(format!("whsec_{}", BASE64_STANDARD.encode(key.expose())).into_bytes())
}

/// The key in the text that people copy.
pub(crate) fn signing_key(text: &Secret) -> Result<Secret, ServiceError> {
    let key = std::str::from_utf8(text.expose())
        .ok()
        .and_then(|text| text.trim().strip_prefix("whsec_"))
        .and_then(|text| BASE64_STANDARD.decode(text).ok())
        .filter(|key| SIGNING_KEY_BYTES.contains(&key.len()));
    key.map(Secret::new).ok_or_else(|| {
        ServiceError::malformed(
            "route-secret",
            "the key of a web hook is `whsec_` and 24 to 64 bytes in base64; leave it out to have one \
             made",
        )
        .in_japanese(
            "Webhookの鍵は「whsec_」に続けて24〜64バイトをBase64で書いたものです。省略すると自動で作成されます",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_or_refused() {
        let id = "07".repeat(16);
        assert_eq!(RouteTarget::parse("table"), Ok(RouteTarget::Table));
        assert_eq!(RouteTarget::parse("file"), Ok(RouteTarget::File));
        let hook = RouteTarget::parse("https://Hooks.example/in?x=1").unwrap();
        assert!(matches!(&hook, RouteTarget::Https { host, port: 443, path }
            if host == "hooks.example" && path == "/in?x=1"));
        let topic = RouteTarget::parse(&format!("topic:{id}/down/neighbour")).unwrap();
        assert!(matches!(&topic, RouteTarget::Topic { topic, .. }
            if topic.as_str() == format!("d/{id}/down/neighbour")));
        for wrong in [
            "",
            "tables",
            "http://a.example/",
            "syslog-tls://a.example",
            "https://user@a.example/",
            &format!("topic:{id}/up/x"),
            &format!("topic:{id}/down/commands/1"),
            &format!("topic:{id}/down/configuration"),
            &format!("topic:{id}/down/+"),
            &format!("topic:{id}"),
            "topic:x/down/y",
        ] {
            assert_eq!(RouteTarget::parse(wrong), Err(TargetError::Form), "{wrong:?}");
        }
    }

    #[test]
    fn brokers_are_read_or_refused() {
        let read = RouteTarget::parse("nats://N.example/DEVICES/t.{device}.{topic}").unwrap();
        assert!(matches!(&read, RouteTarget::Nats { host, port: 4222, stream, .. }
            if host == "n.example" && stream == "DEVICES"));
        let read = RouteTarget::parse("amqps://[::1]:99/%2F/a%20queue").unwrap();
        assert!(matches!(&read, RouteTarget::Amqp { host, port: 99, to, key: None }
            if host == "::1" && to.host == "/" && to.queue == "a queue" && to.exchange.is_none()));
        let read = RouteTarget::parse("amqps://r.example/v/q/amq.topic/t.{topic}").unwrap();
        assert!(matches!(&read, RouteTarget::Amqp { port: 5671, to, key: Some(_), .. }
            if to.exchange.as_deref() == Some("amq.topic")));
        for wrong in [
            "nats://n.example/S",
            "nats://n.example/S/a/b",
            "nats://n.example/a.b/x",
            "nats://n.example/S/a.>",
            "nats://n.example/S/$JS.API.x",
            "nats://n.example/S/x?y",
            "nats://user:pw@n.example/S/x",
            "tls://n.example/S/x",
            "amqp://r.example/%2F/q",
            "amqps://r.example/q",
            "amqps://r.example//q",
            "amqps://r.example/%2F/",
            "amqps://r.example/%2F/amq.gen",
            "amqps://r.example/%2F/q%0A",
            "amqps://r.example/%2F/q%ff",
            "amqps://r.example/%2F/q%2",
            "amqps://r.example/%2F/q/e",
            "amqps://r.example/%2F/q//k",
            "amqps://r.example/%2F/q/e/k.#",
        ] {
            assert!(RouteTarget::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn keys_of_web_hooks_are_read_as_they_are_shown() {
        let key = Secret::new(vec![7; 32]);
        let shown = signing_key_text(&key);
        assert_eq!(signing_key(&shown).unwrap().expose(), key.expose());
        for wrong in ["", "whsec_", "whsec_AAAA", "secret", "whsec_!!!"] {
            let error = signing_key(&Secret::new(wrong.as_bytes().to_vec())).unwrap_err();
            assert_eq!(error.code(), "route-secret");
        }
    }
}
