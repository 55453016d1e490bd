use super::{Badge, Icon, Tone, component};
use crate::i18n::Moment;
use askama::Template;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Entry {
    /// how it is meant; gives icon and colour
    pub tone: Tone,
    /// another icon than the tone's
    pub icon: Option<Icon>,
    /// when
    pub when: Moment,
    /// what, in a few words
    pub title: String,
    /// where more about it stands
    pub href: Option<String>,
    /// who did it
    pub who: Option<String>,
    /// further states, such as that of its proof
    pub badges: Vec<Badge>,
    /// details: name and value
    pub facts: Vec<(String, String)>,
}

impl Entry {
    /// Something that happened.
    pub fn new(tone: Tone, when: Moment, title: impl Into<String>) -> Self {
        Self {
            tone,
            icon: None,
            when,
            title: title.into(),
            href: None,
            who: None,
            badges: Vec::new(),
            facts: Vec::new(),
        }
    }

    fn icon(&self) -> Icon {
        self.icon.unwrap_or(self.tone.icon())
    }
}

/// What happened when, in the order given.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/timeline.html")]
pub struct Timeline {
    entries: Vec<Entry>,
}

impl Timeline {
    /// These entries.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }
}

component!(Timeline);
