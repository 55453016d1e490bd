//! Subjects and routing keys: levels between dots, made from a template for each message.
//!
//! What a device may choose (its topic) must not choose where messages go: in what is filled in, all
//! but letters, digits, `-`, `_` and `~` is written as `%` and two hexadecimal digits for each byte.
//! So there is no `.`, `*`, `>`, `#`, `$` or space that the template does not have.

use device::DeviceId;
use std::fmt::Write as _;

/// Longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 255;

/// What a template has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// too long, or nothing
    #[error("a subject or routing key has 1 to {TEMPLATE_BYTES_MAX} bytes")]
    Length,
    /// something else between braces
    #[error("there is no {{{0}}}; use {{device}}, {{product}}, {{topic}} or {{door}}")]
    Unknown(String),
    /// a character that has a meaning of its own, or none
    #[error(
        "a subject or routing key is of letters, digits, - and _, in levels between single dots; \
         {0:?} is not for it"
    )]
    Character(char),
    /// a level without anything in it
    #[error("a subject or routing key has no empty levels")]
    Level,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Device,
    Product,
    Topic,
    Door,
}

/// A template of subjects or routing keys: `tegata.{product}.{device}.{topic}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// What templates are filled with.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// who sent the message
    pub device: DeviceId,
    /// `MAKER/PRODUCT`
    pub product: Option<&'a str>,
    /// topic below the device's space
    pub topic: &'a str,
    /// through which door it came
    pub door: &'a str,
}

/// A subject or routing key would be longer than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the subject or routing key of this message would have {0} bytes, {1} at most")]
pub struct TooLong(pub usize, pub usize);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Where it is none, and why.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() || text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::Length);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            Self::literal(before, &mut parts)?;
            let (name, after) = after.split_once('}').ok_or(TemplateError::Character('{'))?;
            parts.push(match name {
                "device" => Part::Device,
                "product" => Part::Product,
                "topic" => Part::Topic,
                "door" => Part::Door,
                other => return Err(TemplateError::Unknown(other.to_owned())),
            });
            rest = after;
        }
        Self::literal(rest, &mut parts)?;
        // What is filled in is never empty: where the text around it has no empty level, the whole has
        // none.
        let filled = text.replace(['{', '}'], "");
        if filled.split('.').any(str::is_empty) {
            return Err(TemplateError::Level);
        }
        Ok(Self(parts))
    }

    /// Whether what a device chose comes first: then it may choose the whole, and so a subject that means
    /// something to the broker (`_INBOX.x`).
    pub fn begins_with_topic(&self) -> bool {
        self.0.first() == Some(&Part::Topic)
    }

    fn literal(text: &str, parts: &mut Vec<Part>) -> Result<(), TemplateError> {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(wrong) = text.chars().find(|c| !plain(c)) {
            return Err(TemplateError::Character(wrong));
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        Ok(())
    }

    /// The subject or routing key of a message.
    ///
    /// # Errors
    /// Where it has more than so many bytes.
    pub fn fill(&self, message: &Placed<'_>, bytes_max: usize) -> Result<String, TooLong> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Device => out.push_str(&message.device.to_string()),
                Part::Product => match message.product.and_then(|it| it.split_once('/')) {
                    Some((maker, product)) => {
                        escape(maker, &mut out);
                        out.push('.');
                        escape(product, &mut out);
                    }
                    None => out.push_str("_._"),
                },
                Part::Topic => {
                    for (at, level) in message.topic.split('/').enumerate() {
                        if at > 0 {
                            out.push('.');
                        }
                        escape(level, &mut out);
                    }
                }
                Part::Door => escape(message.door, &mut out),
            }
        }
        if out.len() > bytes_max {
            return Err(TooLong(out.len(), bytes_max));
        }
        Ok(out)
    }
}

/// A level. One that is empty is written as the byte that no topic has.
fn escape(level: &str, out: &mut String) {
    if level.is_empty() {
        out.push_str("%00");
    }
    for byte in level.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            // Writing to a text does not fail.
            other => drop(write!(out, "%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placed(topic: &str) -> Placed<'_> {
        let device = DeviceId::from_bytes([7; 16]);
        Placed { device, product: Some("acme/gate-3"), topic, door: "mqtt" }
    }

    #[test]
    fn templates_are_read_or_refused() {
        for (text, error) in [
            ("", TemplateError::Length),
            (&*"a".repeat(256), TemplateError::Length),
            ("a..b", TemplateError::Level),
            (".a", TemplateError::Level),
            ("{device}.", TemplateError::Level),
            ("$JS.API", TemplateError::Character('$')),
            ("a.>", TemplateError::Character('>')),
            ("a.*", TemplateError::Character('*')),
            ("a b", TemplateError::Character(' ')),
            ("a.{topic", TemplateError::Character('{')),
            ("a.topic}", TemplateError::Character('}')),
            ("{secret}", TemplateError::Unknown("secret".into())),
            ("{}", TemplateError::Unknown(String::new())),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn what_a_device_chose_stays_within_its_levels() {
        let template = Template::parse("t.{product}.{device}-x.{door}.{topic}").unwrap();
        let filled = |topic: &str| template.fill(&placed(topic), 1000).unwrap();
        let before = format!("t.acme.gate-3.{}-x.mqtt.", "07".repeat(16));
        for (topic, after) in [
            ("up/hall/t", "up.hall.t"),
            ("up/a.b", "up.a%2Eb"),
            ("up/>", "up.%3E"),
            ("up/*/#", "up.%2A.%23"),
            ("up//x", "up.%00.x"),
            ("up/", "up.%00"),
            ("$JS/API", "%24JS.API"),
            ("up/a b\r\nPUB x", "up.a%20b%0D%0APUB%20x"),
            ("up/温", "up.%E6%B8%A9"),
            ("up/%2E", "up.%252E"),
        ] {
            assert_eq!(filled(topic), format!("{before}{after}"), "{topic:?}");
        }
        assert_eq!(template.fill(&placed("up/x"), 10), Err(TooLong(before.len() + 4, 10)));
        let none = Placed { product: None, ..placed("up") };
        for (text, first) in [("{topic}", true), ("{topic}.x", true), ("x.{topic}", false)] {
            assert_eq!(Template::parse(text).unwrap().begins_with_topic(), first, "{text}");
        }
        assert_eq!(Template::parse("{product}.x").unwrap().fill(&none, 10).unwrap(), "_._.x");
    }

    proptest! {
        #[test]
        fn a_topic_has_as_many_levels_as_it_says_and_no_others_subject(a: String, b: String) {
            let template = Template::parse("t.{topic}").unwrap();
            let filled = |topic: &str| template.fill(&placed(topic), usize::MAX).unwrap();
            let key = filled(&a);
            prop_assert_eq!(key.split('.').count(), a.split('/').count() + 1);
            prop_assert!(key.split('.').all(|level| !level.is_empty()));
            prop_assert!(key.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_~%.".contains(&it)));
            if !a.contains('\0') && !b.contains('\0') {
                prop_assert_eq!(a == b, key == filled(&b));
            }
        }

        #[test]
        fn any_text_is_a_template_or_not(text: String) {
            if let Ok(template) = Template::parse(&text) {
                let key = template.fill(&placed("up/x"), usize::MAX).unwrap();
                prop_assert!(key.split('.').all(|level| !level.is_empty()));
                prop_assert!(!key.starts_with('$'));
            }
        }
    }
}
