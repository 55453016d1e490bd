//! A world of devices, policies and messages: what anybody hears and who may send it.

#![expect(clippy::unwrap_used, reason = "a test")]

use admission::{
    DOWN, Direction, OwnSpaceOnly, Policy, PolicyAnswer, Says, Space, Subscription, TopicFilter,
    TopicName, decide,
};
use device::DeviceId;
use proptest::prelude::*;

/// Rules in order of writing; one that forbids outweighs those that permit.
#[derive(Debug, Clone)]
struct Rules(Vec<(bool, Direction, TopicFilter)>);

impl Rules {
    /// Whether a rule of this kind is about a name, or about everything that a filter matches.
    fn any(&self, permits: bool, direction: Direction, topic: &str) -> bool {
        let asked = TopicFilter::new(topic).unwrap();
        self.0.iter().any(|(kind, of, rule)| {
            // Permitted is what a rule covers whole; what it forbids in part is forbidden by name, when
            // it is delivered.
            *kind == permits && *of == direction && rule.covers(&asked)
        })
    }
}

impl Policy for Rules {
    fn decide(&self, direction: Direction, topic: &str) -> PolicyAnswer {
        let says = if self.any(false, direction, topic) {
            Says::Forbid
        } else if self.any(true, direction, topic) {
            Says::Permit
        } else {
            Says::Nothing
        };
        PolicyAnswer { says, because: Vec::new() }
    }
}

fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16])
}

/// Levels that collide as often as possible: ids of devices in all spellings, the words that mean
/// something, wildcards, and neighbours of all these.
fn level() -> impl Strategy<Value = String> {
    let id = |number| Space::of(&device(number)).root().strip_prefix("d/").unwrap().to_owned();
    let (one, two) = (id(1), id(2));
    prop_oneof![
        4 => prop::sample::select(vec!["d", "me", "up", "down", "x", "", "$SYS", "$share", "温"])
            .prop_map(str::to_owned),
        3 => prop::sample::select(vec![one.clone(), two.clone(), id(3)]),
        1 => prop::sample::select(vec![
            one.to_uppercase(),
            format!("{two} "),
            format!("{one}{one}"),
            one.chars().skip(1).collect(),
            "ＭＥ".to_owned(),
            "ME".to_owned(),
        ]),
        3 => prop::sample::select(vec!["+", "#"]).prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let root = prop::sample::select(vec![
        String::new(),
        "me/".to_owned(),
        "d/".to_owned(),
        format!("{}/", Space::of(&device(1)).root()),
        format!("{}/", Space::of(&device(2)).root()),
        "$share/group/".to_owned(),
    ]);
    (root, prop::collection::vec(level(), 0..5))
        .prop_map(|(root, levels)| format!("{root}{}", levels.join("/")))
}

fn rules() -> impl Strategy<Value = Rules> {
    let direction = prop::sample::select(vec![Direction::Publish, Direction::Receive]);
    prop::collection::vec((any::<bool>(), direction, text()), 0..5).prop_map(|rules| {
        let read = |(kind, direction, text): (bool, Direction, String)| {
            Some((kind, direction, TopicFilter::new(text).ok()?))
        };
        Rules(rules.into_iter().filter_map(read).collect())
    })
}

/// What a device gets at a door: where its messages go, and what it hears under which name.
struct Door<'a> {
    space: Space,
    policy: &'a dyn Policy,
}

impl Door<'_> {
    fn publish(&self, text: &str) -> Option<TopicName> {
        let name = self.space.absolute(TopicName::new(text).ok()?).ok()?;
        let decision = decide(&self.space, self.policy, Direction::Publish, name.as_str());
        decision.allowed.then_some(name)
    }

    fn subscribe(&self, text: &str) -> Option<(TopicFilter, TopicFilter)> {
        let asked = Subscription::new(text).ok()?;
        if asked.share.is_some() {
            return None;
        }
        let meant = self.space.absolute_filter(asked.filter.clone()).ok()?;
        let decision = decide(&self.space, self.policy, Direction::Receive, meant.as_str());
        decision.allowed.then_some((asked.filter, meant))
    }

    fn hears(&self, meant: &TopicFilter, name: &TopicName) -> bool {
        meant.matches(name)
            && decide(&self.space, self.policy, Direction::Receive, name.as_str()).allowed
    }

    fn owns(&self, name: &TopicName) -> bool {
        let rest = name.as_str().strip_prefix(self.space.root());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    /// Without a policy a device sends into its own space and hears its own space, whatever it and
    /// others write, and nothing that anybody wrote below `down/`.
    #[test]
    fn without_a_policy_nobody_reaches_anybody_else(
        sent in prop::collection::vec(text(), 1..6), asked in prop::collection::vec(text(), 1..6),
    ) {
        let doors: Vec<_> =
            (1..=3).map(|n| Door { space: Space::of(&device(n)), policy: &OwnSpaceOnly }).collect();
        for sender in &doors {
            for name in sent.iter().filter_map(|text| sender.publish(text)) {
                prop_assert!(sender.owns(&name), "{name}");
                let below = name.as_str().strip_prefix(sender.space.root()).unwrap();
                prop_assert!(below.split('/').nth(1) != Some(DOWN), "{name}");
                for receiver in &doors {
                    for (filter, meant) in asked.iter().filter_map(|text| receiver.subscribe(text)) {
                        if receiver.hears(&meant, &name) {
                            prop_assert_eq!(receiver.space.root(), sender.space.root());
                            let heard_as = receiver.space.heard_as(&filter, &name);
                            prop_assert!(filter.matches(&heard_as), "{filter} {heard_as}");
                        }
                    }
                }
            }
        }
    }

    /// With policies, what is published or delivered is in the device's own space or permitted by
    /// name, and forbidden by no rule; and no subscription is granted that opens more than that.
    #[test]
    fn with_any_policy_nothing_is_sent_or_heard_that_no_rule_permits(
        policies in prop::collection::vec(rules(), 3),
        sent in prop::collection::vec(text(), 1..5), asked in prop::collection::vec(text(), 1..5),
    ) {
        let doors: Vec<_> = policies
            .iter()
            .zip(1..)
            .map(|(policy, n)| Door { space: Space::of(&device(n)), policy })
            .collect();
        for (sender, rules) in doors.iter().zip(&policies) {
            for name in sent.iter().filter_map(|text| sender.publish(text)) {
                let named = |permits, rules: &Rules, direction| {
                    rules.0.iter().any(|(kind, of, rule)| {
                        *kind == permits && *of == direction && rule.matches(&name)
                    })
                };
                prop_assert!(!named(false, rules, Direction::Publish), "{name}");
                prop_assert!(sender.owns(&name) || named(true, rules, Direction::Publish), "{name}");
                for (receiver, rules) in doors.iter().zip(&policies) {
                    let granted = asked.iter().filter_map(|text| receiver.subscribe(text));
                    for (_, meant) in granted {
                        if !receiver.hears(&meant, &name) {
                            continue;
                        }
                        prop_assert!(!named(false, rules, Direction::Receive), "{meant} {name}");
                        let own = receiver.owns(&name);
                        prop_assert!(own || named(true, rules, Direction::Receive), "{meant} {name}");
                    }
                }
            }
        }
    }
}
