use crate::{AlertError, Prefix};
use audit::{Kind, Outcome, SecurityEvent};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::Range};

/// Most patterns of one detail, most details, most prefixes of a rule.
pub const PATTERNS_MAX: usize = 32;
/// Longest pattern, in characters.
const PATTERN_CHARS_MAX: usize = 128;
/// Hours of a day.
pub const HOURS: Range<u8> = 0..24;

/// Which events a rule watches: all that is said must hold, and of each list one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// kinds of events
    pub kinds: Vec<Kind>,
    /// outcomes; any where none is named
    pub outcomes: Vec<Outcome>,
    /// doors, of the platform (`rest`, `console`, …) or of messages (`mqtt`, `http`, …)
    pub doors: Vec<String>,
    /// values of details, by their key; `*` at an end stands for anything
    pub details: BTreeMap<String, Vec<String>>,
    /// sources that an event must come from; an event without a source is from none of them
    pub sources: Vec<Prefix>,
    /// sources that it must not come from; an event without a source is from none of them
    pub except_sources: Vec<Prefix>,
    /// hours of the day (UTC) in which it counts, from the first until before the second; over midnight
    /// where the first is greater
    pub hours: Option<(u8, u8)>,
}

/// As it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWatch {
    kinds: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outcomes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    doors: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except_sources: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hours_utc: Option<(u8, u8)>,
}

impl Watch {
    pub(crate) fn read(raw: &RawWatch) -> Result<Self, AlertError> {
        let unknown = |what: &str, text: &str| {
            AlertError::field(
                "watch",
                format!("there is no {what} `{text}`; docs/audit.md has all"),
            )
        };
        let kinds: Vec<Kind> = raw
            .kinds
            .iter()
            .map(|name| Kind::from_name(name).ok_or_else(|| unknown("kind of event", name)))
            .collect::<Result<_, _>>()?;
        if kinds.is_empty() {
            return Err(AlertError::field("watch", "name at least one kind of event"));
        }
        if kinds.contains(&Kind::Alert) {
            return Err(AlertError::field("watch", "alerts about alerts would never end"));
        }
        let outcomes = raw
            .outcomes
            .iter()
            .map(|name| Outcome::from_name(name).ok_or_else(|| unknown("outcome", name)))
            .collect::<Result<_, _>>()?;
        let prefixes = |texts: &[String]| {
            let read = |text: &String| {
                text.parse().map_err(|()| {
                    let why =
                        format!("`{text}` is no prefix such as 192.0.2.0/24 or 2001:db8::/48");
                    AlertError::field("watch", why)
                })
            };
            texts.iter().map(read).collect::<Result<Vec<Prefix>, _>>()
        };
        let lists = [raw.kinds.len(), raw.outcomes.len(), raw.doors.len(), raw.details.len()];
        let longer = [raw.sources.len(), raw.except_sources.len()];
        let patterns = raw.details.values().map(Vec::len);
        if lists.into_iter().chain(longer).chain(patterns).any(|len| len > PATTERNS_MAX) {
            return Err(AlertError::field("watch", "a list has 32 entries at most"));
        }
        let texts = || raw.details.iter().flat_map(|(key, texts)| texts.iter().chain([key]));
        let bad = |text: &String| text.is_empty() || text.chars().count() > PATTERN_CHARS_MAX;
        if texts().chain(&raw.doors).any(bad) || raw.details.values().any(Vec::is_empty) {
            return Err(AlertError::field("watch", "a text has 1 to 128 characters"));
        }
        if let Some((from, until)) = raw.hours_utc
            && (!HOURS.contains(&from) || !HOURS.contains(&until) || from == until)
        {
            let why = "`hours_utc` is two different hours from 0 to 23: from, and until before";
            return Err(AlertError::field("watch", why));
        }
        Ok(Self {
            kinds,
            outcomes,
            doors: raw.doors.clone(),
            details: raw.details.clone(),
            sources: prefixes(&raw.sources)?,
            except_sources: prefixes(&raw.except_sources)?,
            hours: raw.hours_utc,
        })
    }

    pub(crate) fn raw(&self) -> RawWatch {
        let prefixes = |of: &[Prefix]| of.iter().map(ToString::to_string).collect();
        RawWatch {
            kinds: self.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
            outcomes: self.outcomes.iter().map(|it| it.name().to_owned()).collect(),
            doors: self.doors.clone(),
            details: self.details.clone(),
            sources: prefixes(&self.sources),
            except_sources: prefixes(&self.except_sources),
            hours_utc: self.hours,
        }
    }

    /// Whether an event is one of those.
    pub fn sees(&self, event: &SecurityEvent) -> bool {
        let detail = |name: &str| event.details().find_map(|(key, it)| (key == name).then_some(it));
        let one_of = |prefixes: &[Prefix]| {
            event.source_of().is_some_and(|from| prefixes.iter().any(|it| it.contains(from)))
        };
        self.kinds.contains(&event.kind())
            && (self.outcomes.is_empty() || self.outcomes.contains(&event.outcome()))
            && (self.doors.is_empty()
                || self.doors.iter().any(|door| {
                    door == event.door_of().name() || detail("door") == Some(door.as_str())
                }))
            && self.details.iter().all(|(key, patterns)| {
                detail(key).is_some_and(|value| patterns.iter().any(|it| fits(it, value)))
            })
            && (self.sources.is_empty() || one_of(&self.sources))
            && !one_of(&self.except_sources)
            && self.hours.is_none_or(|(from, until)| {
                let hour = event.at().0.rem_euclid(86_400) / 3600;
                let (from, until) = (i64::from(from), i64::from(until));
                if from < until {
                    (from..until).contains(&hour)
                } else {
                    hour >= from || hour < until
                }
            })
    }
}

/// Whether a value is what a pattern says; `*` at its ends stands for anything.
fn fits(pattern: &str, value: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        _ if pattern == "*" => true,
        (Some(_), Some(_)) => value.contains(pattern.trim_matches('*')),
        (Some(end), None) => value.ends_with(end),
        (None, Some(beginning)) => value.starts_with(beginning),
        (None, None) => value == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::UnixTime;

    fn watch(json: &str) -> Result<Watch, AlertError> {
        Watch::read(&serde_json::from_str(json).unwrap())
    }

    fn event(hour: i64) -> SecurityEvent {
        SecurityEvent::new(UnixTime(hour * 3600), Kind::Authentication, Outcome::Failure)
            .door(audit::Door::Console)
            .source([192, 0, 2, 7].into())
            .detail("what", "sign-in")
    }

    #[test]
    fn all_that_is_said_must_hold() {
        let sees = |json: &str| watch(json).unwrap().sees(&event(3));
        for (json, expected) in [
            (r#"{"kinds":["authentication"]}"#, true),
            (r#"{"kinds":["connection","authentication"]}"#, true),
            (r#"{"kinds":["connection"]}"#, false),
            (r#"{"kinds":["authentication"],"outcomes":["success"]}"#, false),
            (r#"{"kinds":["authentication"],"doors":["console"]}"#, true),
            (r#"{"kinds":["authentication"],"doors":["mqtt"]}"#, false),
            (r#"{"kinds":["authentication"],"details":{"what":["sign-*"]}}"#, true),
            (r#"{"kinds":["authentication"],"details":{"what":["*in"]}}"#, true),
            (r#"{"kinds":["authentication"],"details":{"what":["*gn*"]}}"#, true),
            (r#"{"kinds":["authentication"],"details":{"what":["sign"]}}"#, false),
            (r#"{"kinds":["authentication"],"details":{"why":["*"]}}"#, false),
            (r#"{"kinds":["authentication"],"sources":["192.0.2.0/24"]}"#, true),
            (r#"{"kinds":["authentication"],"sources":["198.51.100.0/24"]}"#, false),
            (r#"{"kinds":["authentication"],"except_sources":["192.0.2.7"]}"#, false),
            (r#"{"kinds":["authentication"],"hours_utc":[3,4]}"#, true),
            (r#"{"kinds":["authentication"],"hours_utc":[4,3]}"#, false),
            (r#"{"kinds":["authentication"],"hours_utc":[22,6]}"#, true),
        ] {
            assert_eq!(sees(json), expected, "{json}");
        }
    }

    #[test]
    fn what_no_event_could_be_is_refused() {
        for json in [
            r#"{"kinds":[]}"#,
            r#"{"kinds":["nonsense"]}"#,
            r#"{"kinds":["alert"]}"#,
            r#"{"kinds":["connection"],"outcomes":["maybe"]}"#,
            r#"{"kinds":["connection"],"sources":["192.0.2.1/24"]}"#,
            r#"{"kinds":["connection"],"hours_utc":[3,24]}"#,
            r#"{"kinds":["connection"],"hours_utc":[3,3]}"#,
            r#"{"kinds":["connection"],"details":{"what":[]}}"#,
            r#"{"kinds":["connection"],"doors":[""]}"#,
        ] {
            assert!(watch(json).is_err(), "{json}");
        }
    }
}
