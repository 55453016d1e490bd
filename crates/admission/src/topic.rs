//! Topic names and topic filters (MQTT 5 section 4.7), with which every door names where a message
//! goes: CoAP and HTTP have paths, which are topic names without the leading slash.

use std::{fmt, str::FromStr, sync::Arc};

/// Longest topic name or filter, in bytes. MQTT allows 65,535; nothing here needs them, and each is
/// kept per subscription and per message.
pub const TOPIC_BYTES_MAX: usize = 1024;
/// Most levels of a topic name or filter.
pub const TOPIC_LEVELS_MAX: usize = 32;

/// Why a text is no topic name or filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// empty, \[MQTT-4.7.3-1\]
    #[error("a topic has at least one character")]
    Empty,
    /// longer than [`TOPIC_BYTES_MAX`]
    #[error("a topic has at most {TOPIC_BYTES_MAX} bytes")]
    TooLong,
    /// more levels than [`TOPIC_LEVELS_MAX`]
    #[error("a topic has at most {TOPIC_LEVELS_MAX} levels")]
    TooDeep,
    /// U+0000 \[MQTT-4.7.3-2\], another control character or a non-character \[MQTT-1.5.4-1\]
    #[error("a topic has no control characters")]
    Character,
    /// a wildcard in a name, \[MQTT-4.7.0-1\]
    #[error("+ and # belong in filters, not in the name of a message's topic")]
    Wildcard,
    /// `+` that does not fill its level \[MQTT-4.7.1-2\], or `#` that does not or is not the last
    /// \[MQTT-4.7.1-1\]
    #[error("+ stands alone in its level, and # alone in the last one")]
    Misplaced,
    /// `$share` without a name, or with one that has wildcards \[MQTT-4.8.2-1\]
    #[error("a shared subscription is $share/NAME/FILTER")]
    Share,
}

/// The topic of a message: no wildcards. A clone is the same text, and costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(Arc<str>);

/// What somebody listens to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(String);

fn check(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::TooLong);
    }
    if text.bytes().filter(|byte| *byte == b'/').count() >= TOPIC_LEVELS_MAX {
        return Err(TopicError::TooDeep);
    }
    // Nearly all are ASCII, and each message has one.
    let bad = match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(|c| c.is_control() || is_noncharacter(c)),
    };
    if bad { Err(TopicError::Character) } else { Ok(()) }
}

/// Unicode's code points that are no characters (MQTT 5 section 1.5.4 says a server may refuse them).
fn is_noncharacter(c: char) -> bool {
    let point = u32::from(c);
    (0xFDD0..=0xFDEF).contains(&point) || point & 0xFFFE == 0xFFFE
}

impl TopicName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`TopicError`].
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, TopicError> {
        let text = text.into();
        check(&text)?;
        if text.bytes().any(|byte| matches!(byte, b'+' | b'#')) {
            return Err(TopicError::Wildcard);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its levels.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether it begins with `$`: a filter that begins with a wildcard does not match it
    /// \[MQTT-4.7.2-1\].
    pub fn is_hidden(&self) -> bool {
        self.0.starts_with('$')
    }
}

impl TopicFilter {
    /// Reads a filter; one of a shared subscription is read by [`Subscription::new`].
    ///
    /// # Errors
    /// [`TopicError`].
    pub fn new(text: impl Into<String>) -> Result<Self, TopicError> {
        let text = text.into();
        check(&text)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            let last = levels.peek().is_none();
            let wild = level.contains(['+', '#']);
            if wild && !(level == "+" || (level == "#" && last)) {
                return Err(TopicError::Misplaced);
            }
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its levels.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether it has no wildcard: it is the name of one topic.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['+', '#'])
    }

    /// Whether a message with this topic is for it (MQTT 5 section 4.7).
    pub fn matches(&self, name: &TopicName) -> bool {
        !(name.is_hidden() && self.0.starts_with(['+', '#'])) && self.matches_below(name)
    }

    /// As [`Self::matches`], of a name that stands below a space: that it begins with `$` there hides
    /// nothing.
    pub fn matches_below(&self, name: &TopicName) -> bool {
        let mut filter = self.levels();
        let mut topic = name.levels();
        loop {
            match (filter.next(), topic.next()) {
                // `#` stands for its parent too: `a/#` matches `a`.
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(_)) => {}
                (Some(wanted), Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
    }

    /// Whether it matches everything that `other` matches. What this says is never too much; two
    /// filters that together cover a third are not seen to.
    pub fn covers(&self, other: &Self) -> bool {
        // A filter that begins with a wildcard leaves out the names that begin with `$`.
        if other.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut wide = self.levels();
        let mut narrow = other.levels();
        loop {
            match (wide.next(), narrow.next()) {
                (Some("#"), _) | (None, None) => return true,
                (_, Some("#")) => return false,
                (Some("+"), Some(_)) => {}
                (Some(wanted), Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
    }
}

/// What a client asks for with SUBSCRIBE: a filter, for itself or shared (MQTT 5 section 4.8.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// name of the group that shares it
    pub share: Option<String>,
    /// to what
    pub filter: TopicFilter,
}

impl Subscription {
    /// Reads `FILTER` or `$share/NAME/FILTER`.
    ///
    /// # Errors
    /// [`TopicError`].
    pub fn new(text: &str) -> Result<Self, TopicError> {
        let Some(rest) = text.strip_prefix("$share/") else {
            if text == "$share" {
                return Err(TopicError::Share);
            }
            return Ok(Self { share: None, filter: TopicFilter::new(text)? });
        };
        check(text)?;
        let (name, filter) = rest.split_once('/').ok_or(TopicError::Share)?;
        if name.is_empty() || name.contains(['+', '#']) || filter.is_empty() {
            return Err(TopicError::Share);
        }
        Ok(Self { share: Some(name.to_owned()), filter: TopicFilter::new(filter)? })
    }
}

impl From<TopicName> for TopicFilter {
    fn from(name: TopicName) -> Self {
        Self(name.0.as_ref().to_owned())
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TopicName {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl FromStr for TopicFilter {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    fn name(text: &str) -> TopicName {
        TopicName::new(text).unwrap()
    }

    /// The examples of MQTT 5 section 4.7, and what follows from it.
    #[test]
    fn filters_match_as_the_specification_says() {
        for (wanted, topic, matches) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/tennis/player1/#", "sport/tennis/player10", false),
            ("sport/#", "sport", true),
            ("#", "a/b", true),
            ("#", "/", true),
            ("#", "$SYS/monitor", false),
            ("+/monitor", "$SYS/monitor", false),
            ("$SYS/#", "$SYS/monitor/Clients", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("+", "finance", true),
            ("a//b", "a//b", true),
            ("a/+/b", "a//b", true),
            ("A", "a", false),
            ("温度/+", "温度/台所", true),
        ] {
            assert_eq!(filter(wanted).matches(&name(topic)), matches, "{wanted} {topic}");
        }
    }

    #[test]
    fn what_is_no_topic_says_why() {
        for (text, error) in [
            ("", TopicError::Empty),
            ("a\u{0}b", TopicError::Character),
            ("a\u{1f}b", TopicError::Character),
            ("a\u{fffe}b", TopicError::Character),
            ("sport/tennis#", TopicError::Misplaced),
            ("sport/tennis/#/ranking", TopicError::Misplaced),
            ("sport+", TopicError::Misplaced),
            ("a/++/b", TopicError::Misplaced),
        ] {
            assert_eq!(TopicFilter::new(text), Err(error), "{text:?}");
        }
        assert_eq!(TopicName::new("a/+"), Err(TopicError::Wildcard));
        assert_eq!(TopicName::new("#"), Err(TopicError::Wildcard));
        assert_eq!(TopicName::new("a".repeat(TOPIC_BYTES_MAX + 1)), Err(TopicError::TooLong));
        assert!(TopicName::new("a".repeat(TOPIC_BYTES_MAX)).is_ok());
        assert_eq!(TopicFilter::new("/".repeat(TOPIC_LEVELS_MAX)), Err(TopicError::TooDeep));
        for text in ["$share", "$share/", "$share/a", "$share/a/", "$share//a", "$share/a+/b"] {
            assert_eq!(Subscription::new(text), Err(TopicError::Share), "{text}");
        }
        let shared = Subscription::new("$share/line/a/#").unwrap();
        assert_eq!((shared.share.as_deref(), shared.filter.as_str()), (Some("line"), "a/#"));
    }

    fn level() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => prop::sample::select(vec!["a", "b", "", "$x", "ab", "温"]).prop_map(str::to_owned),
            3 => Just("+".to_owned()),
        ]
    }

    pub(crate) fn filters() -> impl Strategy<Value = TopicFilter> {
        (prop::collection::vec(level(), 1..5), any::<bool>()).prop_filter_map(
            "no topic",
            |(mut levels, all)| {
                if all {
                    levels.push("#".to_owned());
                }
                TopicFilter::new(levels.join("/")).ok()
            },
        )
    }

    pub(crate) fn names() -> impl Strategy<Value = TopicName> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "", "$x", "ab", "温"]), 1..6)
            .prop_filter_map("no topic", |levels| TopicName::new(levels.join("/")).ok())
    }

    proptest! {
        #[test]
        fn a_filter_that_covers_another_matches_all_that_this_one_does(
            wide in filters(), narrow in filters(), name in names()
        ) {
            if wide.covers(&narrow) && narrow.matches(&name) {
                prop_assert!(wide.matches(&name), "{wide} covers {narrow}, {name}");
            }
        }

        #[test]
        fn a_filter_covers_itself_and_a_name_what_it_matches(one in filters(), name in names()) {
            prop_assert!(one.covers(&one));
            let exact = TopicFilter::from(name.clone());
            prop_assert!(exact.matches(&name));
            prop_assert_eq!(one.covers(&exact), one.matches(&name));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a+#/$\u{0}温]{0,12}|.{0,40}") {
            let _ = Subscription::new(&text);
            if let Ok(name) = TopicName::new(text.clone()) {
                prop_assert!(TopicFilter::new(text).unwrap().matches(&name));
            }
        }
    }
}
