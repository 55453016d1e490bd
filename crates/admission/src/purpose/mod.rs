//! What data of devices is for, and who agreed to it (PR-2). docs/consent.md.
//!
//! A maker declares [`DataPurpose`]s of a product line; an owner gives or withdraws consent to those that
//! need it. Pure: [`agreed_since`] says whether a purpose stands for a device, [`Purposes`] which of them
//! speak of a topic, [`TopicUses`] what a message of that topic may be used for.

mod stands;
mod topics;

pub use stands::{ConsentDecision, Decided, agreed_since, stands_since};
pub use topics::{Purposes, TopicUses};

use crate::topic::TopicFilter;
use std::fmt;

/// Purposes of a product line, those that have ended included.
pub const PURPOSES_MAX: usize = 32;
/// Topics of a purpose.
pub const PURPOSE_TOPICS_MAX: usize = 16;
/// Receivers of a purpose.
pub const PURPOSE_RECIPIENTS_MAX: usize = 16;
/// Longest name of a purpose, in bytes.
pub const PURPOSE_NAME_MAX: usize = 64;
/// Longest title, receiver or legal basis, in characters.
pub const PURPOSE_LINE_MAX: usize = 200;
/// Longest explanation, in characters.
pub const PURPOSE_EXPLANATION_MAX: usize = 2000;
/// Longest time that data may be kept, in days: a hundred years.
pub const PURPOSE_RETENTION_DAYS_MAX: u32 = 36_525;

/// Why a purpose is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PurposeError {
    /// its name
    #[error(
        "a purpose's name has 1 to {PURPOSE_NAME_MAX} of a-z, 0-9 and -, and begins with a letter"
    )]
    Name,
    /// a line of text
    #[error("{0} is one line of 1 to {PURPOSE_LINE_MAX} characters")]
    Line(&'static str),
    /// an explanation
    #[error("{0} has 1 to {PURPOSE_EXPLANATION_MAX} characters")]
    Explanation(&'static str),
    /// how many topics
    #[error("a purpose names 1 to {PURPOSE_TOPICS_MAX} topics")]
    Topics,
    /// one topic
    #[error(
        "{0:?} is no filter below a device's space that a device may publish to, such as up/location/#"
    )]
    Topic(String),
    /// how many receivers
    #[error("a purpose names 1 to {PURPOSE_RECIPIENTS_MAX} receivers")]
    Recipients,
    /// how long data is kept
    #[error("data is kept for 1 to {PURPOSE_RETENTION_DAYS_MAX} days")]
    Retention,
}

/// What a purpose is called within its product line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PurposeName(String);

impl PurposeName {
    /// Reads one.
    ///
    /// # Errors
    /// [`PurposeError::Name`].
    pub fn new(name: &str) -> Result<Self, PurposeError> {
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let right = begins && name.len() <= PURPOSE_NAME_MAX && name.bytes().all(known);
        right.then(|| Self(name.to_owned())).ok_or(PurposeError::Name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PurposeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What allows the use of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// the owner's consent
    Consent,
    /// something else, which the maker names: the contract, a law
    Necessary(String),
}

/// What data of a product line's devices is for, in the words of its maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPurpose {
    /// title in English
    pub title_en: String,
    /// title in Japanese
    pub title_ja: String,
    /// what is done with the data, in English
    pub explanation_en: String,
    /// the same in Japanese
    pub explanation_ja: String,
    /// which topics below a device's space carry the data
    pub topics: Vec<String>,
    /// what allows it
    pub basis: Basis,
    /// who receives the data
    pub recipients: Vec<String>,
    /// for how long it is kept, in days
    pub retention_days: u32,
}

impl DataPurpose {
    /// A filter below a device's space, of what the device publishes, without `me/` in front.
    ///
    /// # Errors
    /// [`PurposeError::Topic`].
    pub fn topic(topic: &str) -> Result<String, PurposeError> {
        filter(topic).map(|filter| filter.as_str().to_owned())
    }

    /// Checks every part; `me/` in front of a topic is taken away.
    ///
    /// # Errors
    /// [`PurposeError`].
    pub fn checked(mut self) -> Result<Self, PurposeError> {
        for (what, text) in [("title_en", &mut self.title_en), ("title_ja", &mut self.title_ja)] {
            *text = line(what, text)?;
        }
        for (what, text) in [
            ("explanation_en", &mut self.explanation_en),
            ("explanation_ja", &mut self.explanation_ja),
        ] {
            *text = explanation(what, text)?;
        }
        if let Basis::Necessary(basis) = &mut self.basis {
            *basis = line("legal_basis", basis)?;
        }
        if !(1..=PURPOSE_TOPICS_MAX).contains(&self.topics.len()) {
            return Err(PurposeError::Topics);
        }
        for topic in &mut self.topics {
            *topic = filter(topic)?.as_str().to_owned();
        }
        if !(1..=PURPOSE_RECIPIENTS_MAX).contains(&self.recipients.len()) {
            return Err(PurposeError::Recipients);
        }
        for recipient in &mut self.recipients {
            *recipient = line("recipients", recipient)?;
        }
        if !(1..=PURPOSE_RETENTION_DAYS_MAX).contains(&self.retention_days) {
            return Err(PurposeError::Retention);
        }
        Ok(self)
    }
}

/// What turns the direction of text or hides in it is no part of what people agree to.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn line(what: &'static str, text: &str) -> Result<String, PurposeError> {
    let text = text.trim();
    let right =
        (1..=PURPOSE_LINE_MAX).contains(&text.chars().count()) && text.chars().all(is_plain);
    right.then(|| text.to_owned()).ok_or(PurposeError::Line(what))
}

fn explanation(what: &'static str, text: &str) -> Result<String, PurposeError> {
    let text = text.trim().replace("\r\n", "\n");
    let right = (1..=PURPOSE_EXPLANATION_MAX).contains(&text.chars().count())
        && text.chars().all(|c| c == '\n' || is_plain(c));
    right.then_some(text).ok_or(PurposeError::Explanation(what))
}

/// A filter below a device's space, of what the device publishes.
fn filter(topic: &str) -> Result<TopicFilter, PurposeError> {
    let wrong = || PurposeError::Topic(topic.chars().filter(|c| is_plain(*c)).take(80).collect());
    let below = topic.strip_prefix("me/").unwrap_or(topic);
    let filter = TopicFilter::new(below).map_err(|_| wrong())?;
    let first = filter.levels().next().unwrap_or_default();
    // No door takes what begins with these from a device (`space::decide`), and a wildcard would speak of
    // what it is told.
    let right = !matches!(first, "" | "+" | "#" | "d" | "me" | crate::space::DOWN)
        && !first.starts_with('$');
    right.then_some(filter).ok_or_else(wrong)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn purpose(topics: &[&str], basis: Basis) -> DataPurpose {
        DataPurpose {
            title_en: "Better routes".into(),
            title_ja: "経路の改善".into(),
            explanation_en: "Where the vehicle was.".into(),
            explanation_ja: "車両の位置です。".into(),
            topics: topics.iter().map(|&it| it.to_owned()).collect(),
            basis,
            recipients: vec!["Maker A".into()],
            retention_days: 30,
        }
    }

    #[test]
    fn what_people_agree_to_is_said_whole_and_plainly() {
        let good = purpose(&["me/up/location/#", "up/speed"], Basis::Consent);
        assert_eq!(good.clone().checked().unwrap().topics, ["up/location/#", "up/speed"]);
        type Change = fn(&mut DataPurpose);
        let cases: [(Change, PurposeError); 9] = [
            (|it| it.title_ja.clear(), PurposeError::Line("title_ja")),
            (|it| it.title_en = "a\u{202e}b".into(), PurposeError::Line("title_en")),
            (|it| it.title_en = "a\nb".into(), PurposeError::Line("title_en")),
            (
                |it| it.explanation_en = "x".repeat(2001),
                PurposeError::Explanation("explanation_en"),
            ),
            (|it| it.topics.clear(), PurposeError::Topics),
            (|it| it.recipients.clear(), PurposeError::Recipients),
            (|it| it.retention_days = 0, PurposeError::Retention),
            (|it| it.basis = Basis::Necessary(" ".into()), PurposeError::Line("legal_basis")),
            (|it| it.recipients = vec!["x".repeat(201)], PurposeError::Line("recipients")),
        ];
        for (change, error) in cases {
            let mut wrong = good.clone();
            change(&mut wrong);
            assert_eq!(wrong.checked(), Err(error));
        }
        for topic in
            ["#", "+/x", "down/x", "d/7/up", "me/me/up", "$share/a/up", "/up", "up/#/x", ""]
        {
            let wrong = purpose(&[topic], Basis::Consent).checked();
            assert!(matches!(wrong, Err(PurposeError::Topic(_))), "{topic}");
        }
        let name = |text: &str| PurposeName::new(text).is_ok();
        assert!(name("a") && name("remote-care-2"));
        assert!(!name("") && !name("2a") && !name("A") && !name("a_b") && !name(&"a".repeat(65)));
    }
}
