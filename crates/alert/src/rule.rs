use crate::{AlertError, Group, Suggestion, Watch, watch::RawWatch};
use audit::{SecurityEvent, Severity};
use serde::{Deserialize, Serialize};
use std::{ops::RangeInclusive, sync::LazyLock};

/// Longest rule, in bytes.
pub const RULE_BYTES_MAX: usize = 16 * 1024;
/// Most rules of an organisation, those that are built in among them.
pub const RULES_MAX: usize = 64;
/// Longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 120;
/// Greatest threshold.
pub const THRESHOLD_MAX: u32 = 1_000_000;
/// How long a window may be, in seconds.
pub const WINDOW_S: RangeInclusive<u32> = 10..=86_400;
/// Longest time in which nothing is raised again after an alert was closed, in seconds.
pub const COOLDOWN_S_MAX: u32 = 7 * 86_400;

/// What an event weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weigh {
    /// one
    #[default]
    Events,
    /// what its detail `count` says, where it gathers many; one otherwise
    Count,
}

impl Weigh {
    pub(crate) fn of(self, event: &SecurityEvent) -> u32 {
        let count = || event.details().find(|(key, _)| *key == "count")?.1.parse().ok();
        match self {
            Self::Events => 1,
            Self::Count => count().unwrap_or(1_u32).clamp(1, THRESHOLD_MAX),
        }
    }
}

/// What happens by itself when an alert is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Automatic {
    /// nothing
    #[default]
    None,
    /// the device goes into quarantine, where its own key speaks against it
    Quarantine,
}

impl Automatic {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What is too much, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// its name: `a-z 0-9 -`, at most 32, a letter first
    pub name: String,
    /// what it raises, in English
    pub title: String,
    /// what it raises, in Japanese
    pub title_ja: String,
    /// it is switched off
    pub off: bool,
    /// which events
    pub watch: Watch,
    /// what each weighs
    pub weigh: Weigh,
    /// how much within the window is too much
    pub threshold: u32,
    /// the window, in seconds
    pub window_s: u32,
    /// of whom events are counted together
    pub group: Group,
    /// how grave it is
    pub severity: Severity,
    /// what somebody should do
    pub suggest: Suggestion,
    /// what happens by itself
    pub automatic: Automatic,
    /// for how long after an alert was closed none is raised again, in seconds
    pub cooldown_s: u32,
}

/// As it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    title_ja: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    off: bool,
    watch: RawWatch,
    #[serde(default)]
    weigh: Weigh,
    threshold: u32,
    window_s: u32,
    group: String,
    severity: String,
    suggest: String,
    #[serde(default)]
    automatic: Automatic,
    #[serde(default)]
    cooldown_s: u32,
}

impl Rule {
    /// Reads a rule, in JSON.
    ///
    /// # Errors
    /// [`AlertError`].
    pub fn parse(json: &str) -> Result<Self, AlertError> {
        if json.len() > RULE_BYTES_MAX {
            return Err(AlertError::TooLong { found: json.len(), most: RULE_BYTES_MAX });
        }
        let raw =
            serde_json::from_str(json).map_err(|error| AlertError::Malformed(error.to_string()))?;
        Self::read(raw)
    }

    fn read(raw: Raw) -> Result<Self, AlertError> {
        let field = AlertError::field;
        let named = (1..=32).contains(&raw.name.len())
            && raw.name.starts_with(|first: char| first.is_ascii_lowercase())
            && raw.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !named || Own::from_name(&raw.name).is_some() {
            let why = "a to z, 0 to 9 and -, a letter first, 32 at most; not quarantine-limit or \
                       alert-overflow, which the platform raises itself";
            return Err(field("name", why));
        }
        let title = |text: &str| {
            text.chars().count() <= TITLE_CHARS_MAX && !text.chars().any(char::is_control)
        };
        if raw.title.is_empty() || !title(&raw.title) || !title(&raw.title_ja) {
            return Err(field("title", "1 to 120 characters on one line"));
        }
        if !(1..=THRESHOLD_MAX).contains(&raw.threshold) {
            return Err(field("threshold", "1 to 1,000,000"));
        }
        if !WINDOW_S.contains(&raw.window_s) {
            return Err(field("window_s", "10 to 86,400 seconds"));
        }
        if raw.cooldown_s > COOLDOWN_S_MAX {
            return Err(field("cooldown_s", "604,800 seconds, a week, at most"));
        }
        let group = Group::from_name(&raw.group)
            .ok_or(field("group", "device, product, source, person or organisation"))?;
        let severity = Severity::ALL
            .into_iter()
            .find(|it| it.name().eq_ignore_ascii_case(&raw.severity))
            .ok_or(field("severity", "informational, low, medium, high or critical"))?;
        let suggest = Suggestion::from_code(&raw.suggest)
            .ok_or(field("suggest", "no suggestion of that code; docs/alerts.md has all"))?;
        if raw.automatic == Automatic::Quarantine && group != Group::Device {
            return Err(field(
                "automatic",
                "only a rule that counts per device can quarantine one",
            ));
        }
        let title_ja = if raw.title_ja.is_empty() { raw.title.clone() } else { raw.title_ja };
        Ok(Self {
            name: raw.name,
            title: raw.title,
            title_ja,
            off: raw.off,
            watch: Watch::read(&raw.watch)?,
            weigh: raw.weigh,
            threshold: raw.threshold,
            window_s: raw.window_s,
            group,
            severity,
            suggest,
            automatic: raw.automatic,
            cooldown_s: raw.cooldown_s,
        })
    }

    /// The rule in JSON, as [`Self::parse`] reads it.
    pub fn json(&self) -> String {
        let raw = Raw {
            name: self.name.clone(),
            title: self.title.clone(),
            title_ja: self.title_ja.clone(),
            off: self.off,
            watch: self.watch.raw(),
            weigh: self.weigh,
            threshold: self.threshold,
            window_s: self.window_s,
            group: self.group.name().to_owned(),
            severity: self.severity.name().to_ascii_lowercase(),
            suggest: self.suggest.code().to_owned(),
            automatic: self.automatic,
            cooldown_s: self.cooldown_s,
        };
        serde_json::to_string(&raw).unwrap_or_default()
    }
}

/// What the platform raises by itself, without a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// more devices would have gone into quarantine by themselves than may
    QuarantineLimit,
    /// there are more alerts, or more of whom to count, than there is room for
    Overflow,
}

impl Own {
    /// Both.
    pub const ALL: [Self; 2] = [Self::QuarantineLimit, Self::Overflow];

    /// Its name, which no rule may have.
    pub fn name(self) -> &'static str {
        match self {
            Self::QuarantineLimit => "quarantine-limit",
            Self::Overflow => "alert-overflow",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.name() == name)
    }

    /// What it says, in English and in Japanese.
    pub fn titles(self) -> (&'static str, &'static str) {
        match self {
            Self::QuarantineLimit => (
                "No more devices go into quarantine by themselves for now",
                "自動隔離の上限に達したため、自動隔離を止めました",
            ),
            Self::Overflow => (
                "More happens than can be counted one by one",
                "件数が多すぎるため、個別に数えきれません",
            ),
        }
    }

    /// How grave it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::QuarantineLimit => Severity::Critical,
            Self::Overflow => Severity::High,
        }
    }
}

/// The rules that everybody has who changed nothing.
pub fn builtin() -> &'static [Rule] {
    static BUILTIN: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        let raws: Vec<Raw> = serde_json::from_str(include_str!("builtin.json")).unwrap_or_default();
        raws.into_iter().filter_map(|raw| Rule::read(raw).ok()).collect()
    });
    &BUILTIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_built_in_is_whole_and_comes_back() {
        let raws: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("builtin.json")).unwrap();
        assert_eq!(raws.len(), builtin().len(), "one of them does not parse");
        assert!(raws.len() <= RULES_MAX);
        for (rule, raw) in builtin().iter().zip(raws) {
            assert_eq!(Rule::parse(&raw.to_string()).as_ref(), Ok(rule));
            assert_eq!(Rule::parse(&rule.json()).as_ref(), Ok(rule));
            assert!(!rule.title_ja.is_ascii(), "{}", rule.name);
            // Who can spoof must not be able to cut anybody off before somebody chose that.
            assert_eq!(rule.automatic, Automatic::None, "{}", rule.name);
        }
        let mut names: Vec<_> = builtin().iter().map(|rule| &rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), builtin().len());
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let base: serde_json::Value = serde_json::from_str(&builtin()[0].json()).unwrap();
        for (field, value) in [
            ("name", "Flood".into()),
            ("name", "".into()),
            ("title", "".into()),
            ("title", "a\nb".into()),
            ("threshold", 0.into()),
            ("threshold", 1_000_001.into()),
            ("window_s", 9.into()),
            ("window_s", 86_401.into()),
            ("cooldown_s", 604_801.into()),
            ("group", "planet".into()),
            ("severity", "fatal".into()),
            ("suggest", "panic".into()),
            ("automatic", "revoke".into()),
            ("more", 1.into()),
        ] {
            let mut json = base.clone();
            json[field] = value;
            assert!(Rule::parse(&json.to_string()).is_err(), "{field}");
        }
        let mut json = base;
        json["group"] = "organisation".into();
        json["automatic"] = "quarantine".into();
        let refused = Rule::parse(&json.to_string());
        assert!(matches!(refused, Err(AlertError::Field { field: "automatic", .. })));
        let long = " ".repeat(RULE_BYTES_MAX + 1);
        assert!(matches!(Rule::parse(&long), Err(AlertError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, at in 0_usize..400, with: char) {
            let _ = Rule::parse(&text);
            let mut json: Vec<char> = builtin()[0].json().chars().collect();
            let at = at % json.len();
            json[at] = with;
            let json: String = json.into_iter().collect();
            if let Ok(rule) = Rule::parse(&json) {
                prop_assert_eq!(Rule::parse(&rule.json()), Ok(rule));
            }
        }
    }
}
