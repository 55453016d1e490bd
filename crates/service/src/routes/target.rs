//! Where a route goes.

use crate::{ServiceError, streams::address};
use admission::TopicName;
use base64::{Engine as _, prelude::BASE64_STANDARD};
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
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            _ if text.len() > TARGET_BYTES_MAX => return None,
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
        }
    }

    /// Whether a receiver of this kind shows a certificate.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Https { .. })
    }
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
        assert_eq!(RouteTarget::parse("table"), Some(RouteTarget::Table));
        assert_eq!(RouteTarget::parse("file"), Some(RouteTarget::File));
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
            assert_eq!(RouteTarget::parse(wrong), None, "{wrong:?}");
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
