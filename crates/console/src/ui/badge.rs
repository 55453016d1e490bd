use super::{Icon, component};
use askama::Template;

/// How a state is meant. Each has an icon of its own shape: colour is never the only sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// as it should be
    Good,
    /// worth knowing
    Info,
    /// needs attention
    Warn,
    /// wrong
    Bad,
    /// held back on purpose
    Held,
    /// nothing to say about it, or over
    Neutral,
    /// under way
    Busy,
}

impl Tone {
    /// Every tone.
    pub const ALL: [Self; 7] =
        [Self::Good, Self::Info, Self::Warn, Self::Bad, Self::Held, Self::Neutral, Self::Busy];

    /// Its word in class names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Held => "held",
            Self::Neutral => "neutral",
            Self::Busy => "busy",
        }
    }

    /// Its icon.
    pub fn icon(self) -> Icon {
        match self {
            Self::Good => Icon::Check,
            Self::Info => Icon::Info,
            Self::Warn => Icon::Warning,
            Self::Bad => Icon::Stop,
            Self::Held => Icon::Pause,
            Self::Neutral => Icon::Idle,
            Self::Busy => Icon::Clock,
        }
    }
}

/// A state: icon, word, colour.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<span class="badge tone-{{ tone.name() }}">{{ tone.icon() }}<span>{{ word }}</span></span>"#
)]
pub struct Badge {
    tone: Tone,
    word: String,
}

impl Badge {
    /// A state and its word.
    pub fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self { tone, word: word.into() }
    }

    /// The word alone, where there are no icons.
    pub(crate) fn word(&self) -> &str {
        &self.word
    }
}

component!(Badge);
