//! What is decided, and that nothing is heard that no policy allows.

use crate::{device, set};
use admission::{CommandName, Direction, OWN_SPACE, Says, Space, TopicFilter, TopicName};
use permission::{Bound, Commander, DeviceFacts, MemberFacts, Policies, Question, decide_topic};
use proptest::prelude::*;

const POLICIES: &str = r#"
@id("gateways-hear")
permit(principal in Product::"maker-a/gateway", action in Action::"hear", resource)
when { resource.branch == "up" };

@id("no-secrets")
forbid(principal, action == Action::"receive", resource) when { resource.path like "up/secret/*" };

@id("gateways-tell")
permit(principal in Product::"maker-a/gateway", action == Action::"publish",
    resource in Product::"maker-b/sensor");

@id("gateways-command")
permit(principal in Product::"maker-a/gateway", action == Action::"command",
    resource in Product::"maker-b/sensor") when { context.name == "restart" };

@id("operators-do-not-erase")
forbid(principal is Member, action == Action::"command", resource)
when { context.name == "erase-keys" && !principal.roles.contains("administrator") };
"#;

struct World {
    devices: Vec<DeviceFacts>,
}

impl World {
    fn new() -> Self {
        Self {
            devices: vec![
                device(1, "plant", Some("maker-a/gateway")),
                device(2, "plant", Some("maker-b/sensor")),
                device(3, "plant", None),
                device(4, "rival", Some("maker-b/sensor")),
            ],
        }
    }

    fn decide(
        &self,
        policies: &Policies,
        by: usize,
        direction: Direction,
        topic: &str,
    ) -> (bool, Vec<String>) {
        let by = &self.devices[by - 1];
        let known = |id: &device::DeviceId| {
            let found = self.devices.iter().find(|facts| facts.device == *id);
            found.filter(|facts| facts.owner == by.owner).cloned()
        };
        let (decision, failed) = decide_topic(&Bound { policies, by, known }, direction, topic);
        assert!(failed.is_empty());
        (decision.allowed, decision.because)
    }

    fn topic(&self, of: usize, path: &str) -> String {
        format!("{}/{path}", Space::of(&self.devices[of - 1].device).root())
    }
}

#[test]
fn policies_open_and_close_what_they_say_and_nothing_else() {
    let (world, policies) = (World::new(), set(POLICIES));
    let own = OWN_SPACE;
    for (by, direction, of, path, allowed, because) in [
        (1, Direction::Receive, 2, "up/temperature", true, "gateways-hear"),
        (1, Direction::Subscribe, 2, "up/#", true, "gateways-hear"),
        (1, Direction::Subscribe, 2, "#", false, ""),
        (1, Direction::Receive, 2, "down/x", false, ""),
        (1, Direction::Receive, 2, "up/secret/x", false, "no-secrets"),
        (2, Direction::Receive, 2, "up/secret/x", false, "no-secrets"),
        (2, Direction::Receive, 2, "up/temperature", true, own),
        (2, Direction::Receive, 1, "up/temperature", false, ""),
        (1, Direction::Publish, 2, "down/setpoint", true, "gateways-tell"),
        (1, Direction::Publish, 3, "down/setpoint", false, ""),
        // What commands and settings come by is nobody's to publish to.
        (1, Direction::Publish, 2, "down/commands/00112233445566778899aabbccddeeff", false, ""),
        (1, Direction::Publish, 2, "down/commands", false, ""),
        (1, Direction::Publish, 2, "down/configuration", false, ""),
        (1, Direction::Publish, 2, "down/configuration/x", false, ""),
        (1, Direction::Publish, 2, "down/configurations", true, "gateways-tell"),
        // Another organisation's device is a wall, whatever the policy says.
        (1, Direction::Receive, 4, "up/temperature", false, ""),
        (1, Direction::Subscribe, 4, "up/#", false, ""),
        (1, Direction::Publish, 4, "down/setpoint", false, ""),
    ] {
        let topic = world.topic(of, path);
        let found = world.decide(&policies, by, direction, &topic);
        let expected: Vec<_> =
            (!because.is_empty()).then(|| because.to_owned()).into_iter().collect();
        assert_eq!(found, (allowed, expected), "{by} {direction:?} {topic}");
    }
    for (filter, allowed) in [
        ("d/+/up/#", true),
        ("d/+/up/+", true),
        ("d/+/#", false),
        ("d/#", false),
        ("#", false),
        ("+/+/up/#", false),
        ("+/up", false),
        ("d/up/#", false),
        ("D/+/up/#", false),
        ("x/+/up/#", false),
    ] {
        let found = world.decide(&policies, 1, Direction::Subscribe, filter);
        assert_eq!(found.0, allowed, "{filter}");
        assert!(!world.decide(&policies, 2, Direction::Subscribe, filter).0, "{filter}");
    }
}

#[test]
fn commands_are_given_by_devices_and_members_whom_policies_name() {
    let (world, policies) = (World::new(), set(POLICIES));
    let member = |roles: &[&str]| MemberFacts {
        name: "anna".into(),
        organisation: "plant".parse().unwrap(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    let ask = |by: Commander<'_>, device: usize, name: &str| {
        let (device, name) = (&world.devices[device - 1], &CommandName::new(name).unwrap());
        policies.ask(&Question::Command { by, device, name }).answer
    };
    let gateway = Commander::Device(&world.devices[0]);
    assert_eq!(ask(gateway, 2, "restart").because, ["gateways-command"]);
    assert_eq!(ask(gateway, 2, "self-test").says, Says::Nothing);
    assert_eq!(ask(gateway, 4, "restart").says, Says::Nothing);
    assert_eq!(ask(Commander::Device(&world.devices[2]), 2, "restart").says, Says::Nothing);
    let operator = member(&["operator"]);
    let denied = ask(Commander::Member(&operator), 2, "erase-keys");
    assert_eq!(
        (denied.says, denied.because),
        (Says::Forbid, vec!["operators-do-not-erase".into()])
    );
    assert_eq!(
        ask(Commander::Member(&member(&["administrator"])), 2, "erase-keys").says,
        Says::Nothing
    );
    assert_eq!(ask(Commander::Member(&operator), 2, "restart").says, Says::Nothing);
}

/// A policy that fails while it is asked is no reason to allow anything: not by itself, not by another.
#[test]
fn a_policy_that_fails_permits_nothing() {
    let world = World::new();
    let policies = set(r#"
        @id("all") permit(principal, action, resource);
        @id("overflows") forbid(principal, action == Action::"receive", resource)
        when { 9223372036854775807 + 1 == 1 };
    "#);
    let (by, topic) = (&world.devices[0], world.topic(2, "up/x"));
    let ask = |direction| {
        let space = Some(&world.devices[1]);
        policies.ask(&Question::Topic { by, direction, topic: &topic, space })
    };
    let failed = ask(Direction::Receive);
    assert_eq!(failed.answer.says, Says::Nothing);
    assert!(failed.failed[0].contains("overflows"), "{:?}", failed.failed);
    assert_eq!(ask(Direction::Publish).answer.says, Says::Permit);
}

const PATHS: [&str; 7] = ["up/a", "up/b", "up/secret/a", "down/a", "up", "down/commands/a", "x//y"];
const FILTERS: [&str; 14] = [
    "d/+/up/#",
    "d/+/up/+",
    "d/+/+/a",
    "d/+/#",
    "d/+/+",
    "d/+/up/secret/#",
    "d/#",
    "#",
    "+/+/up/a",
    "d/+/down/#",
    "d/+/x/+/y",
    "d/+/up/a",
    "d/+/+/+/#",
    "+/#",
];

fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "permit", "forbid"]);
    let principal = prop::sample::select(vec![
        "principal",
        "principal in Product::\"maker-a/gateway\"",
        "principal in Organisation::\"plant\"",
        "principal in Organisation::\"rival\"",
        "principal == Device::\"02020202020202020202020202020202\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action in Action::\"hear\"",
        "action == Action::\"receive\"",
        "action == Action::\"subscribe\"",
        "action == Action::\"publish\"",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource in Product::\"maker-b/sensor\"",
        "resource in Organisation::\"plant\"",
        "resource in Organisation::\"rival\"",
        "resource in Device::\"03030303030303030303030303030303\"",
    ]);
    let when = prop::sample::select(vec![
        "",
        "when { resource.branch == \"up\" }",
        "when { resource.path like \"up/secret/*\" }",
        "unless { resource.path like \"*a*\" }",
        "when { resource.own }",
        "unless { resource.wildcard }",
        "when { resource has device && resource.device == principal }",
        "when { resource.name like \"*/b\" }",
    ]);
    (effect, principal, action, resource, when).prop_map(
        |(effect, principal, action, resource, when)| {
            // Attributes are topics'; commands have none.
            let action = match (action, when.is_empty()) {
                ("action", false) => "action in [Action::\"hear\", Action::\"publish\"]",
                (action, _) => action,
            };
            format!("{effect}({principal}, {action}, {resource}) {when};")
        },
    )
}

fn policies() -> impl Strategy<Value = Policies> {
    prop::collection::vec(policy(), 0..6).prop_map(|policies| {
        let texts = policies.iter().enumerate().map(|(n, text)| format!("@id(\"p{n}\") {text}\n"));
        set(&texts.collect::<String>())
    })
}

proptest! {
    /// Whatever the policies and wherever somebody subscribed: what is delivered is what its own name
    /// allows to that hearer, so a wildcard widens nothing; it is never another organisation's; and the
    /// decision names policies of the set, or the own space.
    #[test]
    fn what_is_delivered_is_allowed_by_its_own_name(
        policies in policies(),
        by in 1_usize..=4,
        of in 1_usize..=4,
        path in prop::sample::select(PATHS.to_vec()),
        filter in prop::sample::select(FILTERS.to_vec()),
    ) {
        let world = World::new();
        let topic = world.topic(of, path);
        let name = TopicName::new(topic.clone()).unwrap();
        let (may, because) = world.decide(&policies, by, Direction::Receive, &topic);
        let by_name = world.decide(&policies, by, Direction::Subscribe, &topic).0;
        let by_filter = world.decide(&policies, by, Direction::Subscribe, filter).0;
        let filter = TopicFilter::new(filter).unwrap();
        // As the doors do it: granted once, judged by name at each delivery.
        let heard = |granted: bool, filter: &TopicFilter| granted && filter.matches(&name) && may;
        if heard(by_filter, &filter) || heard(by_name, &name.clone().into()) {
            prop_assert_eq!(&world.devices[by - 1].owner, &world.devices[of - 1].owner);
            prop_assert!(!because.is_empty());
            for id in &because {
                prop_assert!(id == OWN_SPACE || policies.ids().contains(id));
            }
        }
        let strangers = world.devices[by - 1].owner != world.devices[of - 1].owner;
        prop_assert!(!(strangers && (may || by_name)));
        // A filter that names no device's space is nobody's.
        if !filter.as_str().starts_with("d/+/") {
            prop_assert!(!by_filter);
        }
    }

    /// Forbidding more never opens anything, and permitting more never closes anything.
    #[test]
    fn what_is_added_moves_decisions_one_way(
        base in prop::collection::vec(policy(), 0..4),
        more in policy(),
        by in 1_usize..=4,
        of in 1_usize..=4,
        path in prop::sample::select(PATHS.to_vec()),
        direction in prop::sample::select(vec![Direction::Publish, Direction::Subscribe, Direction::Receive]),
    ) {
        let world = World::new();
        let text = |policies: &[String]| {
            let texts = policies.iter().enumerate().map(|(n, text)| format!("@id(\"p{n}\") {text}\n"));
            set(&texts.collect::<String>())
        };
        let topic = world.topic(of, path);
        let before = world.decide(&text(&base), by, direction, &topic).0;
        let mut all = base.clone();
        all.push(more.clone());
        let after = world.decide(&text(&all), by, direction, &topic).0;
        if more.starts_with("forbid") {
            prop_assert!(before || !after);
        } else {
            prop_assert!(after || !before);
        }
    }

    /// Commands and settings come from the owner's side alone, and another's spaces stay its own.
    #[test]
    fn no_policy_lets_a_device_publish_where_commands_come_from(
        policies in policies(), by in 1_usize..=4, of in 1_usize..=4,
        path in prop::sample::select(vec!["down/commands", "down/commands/a", "down/configuration", "down/configuration/a"]),
    ) {
        let world = World::new();
        let topic = world.topic(of, path);
        prop_assert!(!world.decide(&policies, by, Direction::Publish, &topic).0);
    }
}
