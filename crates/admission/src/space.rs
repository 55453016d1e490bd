//! Where a device's messages are: its own space, and what a policy adds to it (GW-2, AU-4).
//!
//! A device may publish and subscribe in its own space and nowhere else, unless a policy says more.
//! Its space is `d/{device}/`; at a door it may write `me/` instead, so that a whole product line has
//! one configuration. Below `down/` only the platform and the owner's applications publish: what a
//! device finds there, no device wrote, itself included.

use crate::topic::{TopicError, TopicFilter, TopicName};
use device::DeviceId;

/// What a door lets a device write instead of `d/{device}`.
pub const OWN: &str = "me";
/// The branch of a device's space in which it does not publish. Nor does it where the first level is `d`
/// or `me`.
pub const DOWN: &str = "down";
const DEVICES: &str = "d";

/// What somebody wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// send a message to it
    Publish,
    /// ask to be sent what others send to it, or to the topics of a filter
    Subscribe,
    /// be sent the messages that others send to it
    Receive,
}

impl Direction {
    /// Stable name, as policies and logs have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Receive => "receive",
        }
    }
}

/// The topics of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    root: String,
}

impl Space {
    /// The space of a device.
    pub fn of(device: &DeviceId) -> Self {
        Self { root: format!("{DEVICES}/{device}") }
    }

    /// Its root, without a slash at the end.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// What a name means that the device wrote.
    ///
    /// # Errors
    /// [`TopicError`]: it becomes longer than a topic may be.
    pub fn absolute(&self, name: TopicName) -> Result<TopicName, TopicError> {
        match after_own(name.as_str()) {
            Some(rest) => TopicName::new([&*self.root, rest].concat()),
            None => Ok(name),
        }
    }

    /// What a filter means that the device wrote.
    ///
    /// # Errors
    /// As [`absolute`](Self::absolute).
    pub fn absolute_filter(&self, filter: TopicFilter) -> Result<TopicFilter, TopicError> {
        match after_own(filter.as_str()) {
            Some(rest) => TopicFilter::new(format!("{}{rest}", self.root)),
            None => Ok(filter),
        }
    }

    /// How the device hears of a message: as it asked, so that the name matches the filter it sent.
    pub fn heard_as(&self, asked: &TopicFilter, name: &TopicName) -> TopicName {
        let own = after_own(asked.as_str())
            .and_then(|_| below(&self.root, name.as_str()))
            .and_then(|rest| TopicName::new(format!("{OWN}{rest}")).ok());
        own.unwrap_or_else(|| name.clone())
    }

    /// Whether a topic is in the space.
    pub fn has(&self, topic: &TopicName) -> bool {
        below(&self.root, topic.as_str()).is_some()
    }

    /// Whether all that a filter matches is in the space.
    pub fn contains(&self, filter: &TopicFilter) -> bool {
        below(&self.root, filter.as_str()).is_some()
    }

    /// Whether a topic is what the device is told, and nothing that it says; or all that a filter matches.
    pub fn is_told(&self, name: &str) -> bool {
        let told = || below(&self.root, name)?.strip_prefix('/')?.strip_prefix(DOWN);
        told().is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a topic is in a branch of the space in which nobody publishes: its path would read as the
    /// name of a topic in another device's space, or as a name that a device writes at a door.
    fn reads_as_another(&self, topic: &str) -> bool {
        let first = below(&self.root, topic).and_then(|rest| rest.split('/').nth(1));
        first.is_some_and(|first| first == DEVICES || first == OWN)
    }

    /// Whether the device may do that by itself, without a policy.
    fn holds(&self, direction: Direction, topic: &str) -> bool {
        let Some(rest) = below(&self.root, topic) else { return false };
        // The root itself is no place of the space: no policy could be asked about it.
        if rest.len() < 2 {
            return false;
        }
        match direction {
            Direction::Subscribe | Direction::Receive => true,
            // A wildcard is no place to publish to, and never gets here in a name.
            Direction::Publish => {
                let mut levels = rest.strip_prefix('/').unwrap_or(rest).split('/');
                levels.next() != Some(DOWN)
            }
        }
    }
}

/// What follows `me` in a text that begins with it: empty, or with a slash first.
fn after_own(text: &str) -> Option<&str> {
    below(OWN, text)
}

fn below<'a>(root: &str, text: &'a str) -> Option<&'a str> {
    text.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a policy says of a device and a topic. Asked with the name of a topic when a message is
/// published or delivered, and with a filter when somebody subscribes.
pub trait Policy: std::fmt::Debug + Sync {
    /// The decision, with what it rests on.
    fn decide(&self, direction: Direction, topic: &str) -> PolicyAnswer;
}

/// What a policy answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyAnswer {
    /// what it says
    pub says: Says,
    /// ids of the policies that decided
    pub because: Vec<String>,
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Says {
    /// nothing: what holds without it holds
    #[default]
    Nothing,
    /// it permits what the space alone does not
    Permit,
    /// it forbids, the device's own space included
    Forbid,
}

/// No policy: a device has its own space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnSpaceOnly;

impl Policy for OwnSpaceOnly {
    fn decide(&self, _: Direction, _: &str) -> PolicyAnswer {
        PolicyAnswer::default()
    }
}

/// Whether something was allowed, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// whether it is allowed
    pub allowed: bool,
    /// ids of the policies that decided; `own-space` where the device's own space did, empty where
    /// nothing allows it
    pub because: Vec<String>,
}

/// What decides where no policy does.
pub const OWN_SPACE: &str = "own-space";

/// Whether a device may do that with a topic, or with all topics of a filter.
///
/// A forbidding policy outweighs everything, the device's own space what is left, a permitting
/// policy what is left then.
pub fn decide(space: &Space, policy: &dyn Policy, direction: Direction, topic: &str) -> Decision {
    let answer = policy.decide(direction, topic);
    if direction == Direction::Publish && space.reads_as_another(topic) {
        return Decision { allowed: false, because: Vec::new() };
    }
    match answer.says {
        Says::Forbid => Decision { allowed: false, because: answer.because },
        _ if space.holds(direction, topic) => {
            Decision { allowed: true, because: vec![OWN_SPACE.to_owned()] }
        }
        Says::Permit => Decision { allowed: true, because: answer.because },
        Says::Nothing => Decision { allowed: false, because: Vec::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn space() -> Space {
        Space::of(&DeviceId::from_bytes([7; 16]))
    }

    #[test]
    fn a_device_has_its_own_space_and_nothing_else() {
        let (space, other) = (space(), Space::of(&DeviceId::from_bytes([8; 16])));
        let root = space.root().to_owned();
        let ask = |direction, topic: &str| decide(&space, &OwnSpaceOnly, direction, topic).allowed;
        for (direction, topic, allowed) in [
            (Direction::Publish, format!("{root}/up/temperature"), true),
            (Direction::Publish, format!("{root}/state/reported"), true),
            (Direction::Publish, root.clone(), false),
            (Direction::Publish, format!("{root}/down/command/1"), false),
            (Direction::Publish, format!("{root}/down"), false),
            (Direction::Publish, format!("{root}/downstairs"), true),
            (Direction::Publish, format!("{root}x/up"), false),
            // Nothing that reads as another device's space.
            (Direction::Publish, format!("{root}/{}/up/x", other.root()), false),
            (Direction::Publish, format!("{root}/d"), false),
            (Direction::Publish, format!("{root}/me/up/x"), false),
            (Direction::Publish, format!("{root}/up/d/x"), true),
            (Direction::Publish, format!("{root}/data/x"), true),
            (Direction::Publish, format!("{}/up", other.root()), false),
            (Direction::Publish, "up".to_owned(), false),
            (Direction::Receive, format!("{root}/down/#"), true),
            (Direction::Receive, format!("{root}/#"), true),
            (Direction::Receive, "d/#".to_owned(), false),
            (Direction::Receive, "d/+/down/#".to_owned(), false),
            (Direction::Receive, "#".to_owned(), false),
            (Direction::Receive, format!("{}/#", other.root()), false),
        ] {
            assert_eq!(ask(direction, &topic), allowed, "{direction:?} {topic}");
        }
    }

    #[test]
    fn me_is_the_devices_own_space_and_comes_back_as_it_was_asked_for() {
        let space = space();
        let asked = TopicFilter::new("me/down/#").unwrap();
        let meant = space.absolute_filter(asked.clone()).unwrap();
        assert_eq!(meant.as_str(), format!("{}/down/#", space.root()));
        let name = space.absolute(TopicName::new("me/down/x").unwrap()).unwrap();
        assert!(meant.matches(&name));
        assert_eq!(space.heard_as(&asked, &name).as_str(), "me/down/x");
        assert_eq!(space.heard_as(&meant, &name), name);
        for same in ["mean/x", "a/me", "meter"] {
            let name = TopicName::new(same).unwrap();
            assert_eq!(space.absolute(name.clone()).unwrap(), name);
        }
        let long = TopicName::new(format!("me/{}", "x".repeat(1000))).unwrap();
        assert_eq!(space.absolute(long), Err(TopicError::TooLong));
    }

    /// Permits and forbids by filters, as an organisation's policies may.
    #[derive(Debug)]
    struct Listed(Vec<(bool, TopicFilter)>);

    impl Policy for Listed {
        fn decide(&self, _: Direction, topic: &str) -> PolicyAnswer {
            let asked = TopicFilter::new(topic).unwrap();
            let hit = |permits: bool| {
                self.0.iter().position(|(p, filter)| *p == permits && filter.covers(&asked))
            };
            let answer = |says, at: usize| PolicyAnswer { says, because: vec![format!("p{at}")] };
            match (hit(false), hit(true)) {
                (Some(at), _) => answer(Says::Forbid, at),
                (None, Some(at)) => answer(Says::Permit, at),
                (None, None) => PolicyAnswer::default(),
            }
        }
    }

    #[test]
    fn no_policy_opens_what_reads_as_another_devices_space() {
        let space = space();
        let policy = Listed(vec![(true, TopicFilter::new("#").unwrap())]);
        let other = Space::of(&DeviceId::from_bytes([8; 16]));
        let ask = |topic: &str| decide(&space, &policy, Direction::Publish, topic).allowed;
        assert!(!ask(&format!("{}/{}/up/x", space.root(), other.root())));
        assert!(ask(&format!("{}/up/x", other.root())));
    }

    #[test]
    fn a_forbidding_policy_outweighs_the_own_space() {
        let space = space();
        let root = space.root().to_owned();
        let policy = Listed(vec![
            (false, TopicFilter::new(format!("{root}/up/secret/#")).unwrap()),
            (true, TopicFilter::new("plant/7/#").unwrap()),
        ]);
        let ask = |topic: &str| decide(&space, &policy, Direction::Receive, topic);
        assert_eq!(ask(&format!("{root}/up/secret/x")).because, ["p0"]);
        assert!(!ask(&format!("{root}/up/secret/x")).allowed);
        assert_eq!(ask(&format!("{root}/up/x")).because, [OWN_SPACE]);
        assert_eq!(ask("plant/7/line").because, ["p1"]);
        assert!(!ask("plant/8/line").allowed);
    }

    fn topics() -> impl Strategy<Value = String> {
        let level = prop::sample::select(vec!["d", "a", "b", "down", "up", "+"]);
        (prop::collection::vec(level, 1..5), any::<bool>(), any::<bool>()).prop_map(
            |(levels, own, all)| {
                let mut text = levels.join("/");
                if own {
                    text = format!("{}/{text}", space().root());
                }
                if all { format!("{text}/#") } else { text }
            },
        )
    }

    fn level() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![DOWN, "downstairs", "up", "", "a", "+", "#"])
    }

    proptest! {
        /// A filter of what the device is told matches nothing that the device says.
        #[test]
        fn what_is_told_is_nothing_that_is_said(
            asked in prop::collection::vec(level(), 0..4), named in prop::collection::vec(level(), 0..4),
        ) {
            let space = space();
            let text = |levels: &[&str]| [&[space.root()][..], levels].concat().join("/");
            let Ok(filter) = TopicFilter::new(text(&asked)) else { return Ok(()) };
            let Ok(name) = TopicName::new(text(&named)) else { return Ok(()) };
            if space.is_told(filter.as_str()) && filter.matches(&name) {
                prop_assert!(space.is_told(name.as_str()), "{filter} {name}");
            }
            prop_assert_eq!(space.is_told(name.as_str()), named.first() == Some(&DOWN));
        }

        /// What is delivered is allowed for its own name, whatever was allowed for the filter: a
        /// wildcard opens nothing that a policy forbids.
        #[test]
        fn nothing_is_delivered_that_is_not_allowed_by_name(
            rules in prop::collection::vec((any::<bool>(), topics()), 0..6),
            asked in topics(), sent in topics(),
        ) {
            let space = space();
            let rules: Vec<_> = rules
                .into_iter()
                .map(|(permits, text)| (permits, TopicFilter::new(text).unwrap()))
                .collect();
            let policy = Listed(rules.clone());
            let filter = TopicFilter::new(asked).unwrap();
            let Ok(name) = TopicName::new(sent) else { return Ok(()) };
            let subscribed = decide(&space, &policy, Direction::Receive, filter.as_str()).allowed;
            let delivered = subscribed
                && filter.matches(&name)
                && decide(&space, &policy, Direction::Receive, name.as_str()).allowed;
            let forbidden = rules.iter().any(|(permits, rule)| !permits && rule.matches(&name));
            let permitted = rules.iter().any(|(permits, rule)| *permits && rule.matches(&name));
            let own = below(space.root(), name.as_str()).is_some();
            if delivered {
                prop_assert!(!forbidden && (own || permitted), "{filter} {name}");
            }
            // And it is not stricter than it says: what is allowed by name can be had by its name.
            if !forbidden && (own || permitted) {
                prop_assert!(decide(&space, &policy, Direction::Receive, name.as_str()).allowed);
            }
        }
    }
}
