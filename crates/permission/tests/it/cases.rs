//! Cases.

use crate::set;
use permission::{CASES_BYTES_MAX, CASES_MAX, Cases};
use proptest::prelude::*;

const POLICIES: &str = r#"
@id("gateways-hear")
permit(principal in Product::"maker-a/gateway", action in Action::"hear", resource)
when { resource.branch == "up" };
@id("gateways-command")
permit(principal in Product::"maker-a/gateway", action == Action::"command", resource);
@id("never-tried")
forbid(principal, action == Action::"publish", resource) when { resource.path == "x" };
"#;

const CASES: &str = r#"
organisation: plant
devices:
  gateway: { product: maker-a/gateway }
  sensor: { product: maker-b/sensor, id: 0123456789abcdef0123456789abcdef }
  rival: { product: maker-b/sensor, owner: rival }
members:
  anna: { roles: [operator] }
cases:
  - { name: hears, by: gateway, does: receive, topic: d/sensor/up/temperature, expect: allowed, because: [gateways-hear] }
  - { name: by id, by: gateway, does: subscribe, topic: "d/0123456789abcdef0123456789abcdef/up/#", expect: allowed }
  - { name: all, by: gateway, does: subscribe, topic: d/+/up/#, expect: allowed }
  - { name: not a rival, by: gateway, does: receive, topic: d/rival/up/temperature, expect: refused, because: [] }
  - { name: own, by: sensor, does: publish, topic: me/up/x, expect: allowed, because: [own-space] }
  - { name: commands, by: gateway, does: command, device: sensor, command: restart, expect: allowed }
  - { name: a member by no policy, by: anna, does: command, device: sensor, command: restart, expect: refused }
"#;

#[test]
fn cases_pass_fail_and_say_what_was_not_tried() {
    let report = Cases::parse(CASES).unwrap().run(&set(POLICIES));
    assert!(report.passed(), "{report:?}");
    assert_eq!(report.untried, ["never-tried"]);
    assert_eq!(report.cases.len(), 7);
    // JSON is as good.
    let json = r#"{"organisation": "plant", "devices": {"gw": {"product": "maker-a/gateway"}, "s": {}},
        "cases": [
        {"name": "wrong", "by": "gw", "does": "receive", "topic": "d/s/up/x", "expect": "refused"},
        {"name": "right for another reason", "by": "gw", "does": "receive", "topic": "d/s/up/x",
         "expect": "allowed", "because": ["never-tried"]}]}"#;
    let report = Cases::parse(json).unwrap().run(&set(POLICIES));
    assert_eq!((report.passed(), report.failures()), (false, 2));
    assert_eq!(report.cases[0].instead.as_deref(), Some("refused"));
    assert_eq!(report.cases[1].instead.as_deref(), Some("allowed by never-tried"));
}

#[test]
fn what_is_wrong_with_cases_is_told_with_its_place() {
    let change = |from: &str, to: &str| CASES.replacen(from, to, 1);
    for (text, line, told) in [
        (change("by: gateway", "by: gatewy"), 10, "no device is called gatewy"),
        (change("does: receive", "does: fly"), 10, "fly"),
        (change("topic: d/sensor", "colour: d/sensor"), 10, "colour"),
        (change(", topic: d/sensor/up/temperature", ""), 10, "asks for nothing"),
        (
            change("topic: d/sensor/up/temperature", "topic: d/sensor/+"),
            10,
            "+ and # belong in filters",
        ),
        (change("command: restart", "command: Restart"), 15, "command"),
        (change("product: maker-a/gateway", "product: gateway"), 4, "no product line"),
        (change("0123456789abcdef0123456789abcdef }", "0123 }"), 5, "no device's id"),
        (change("organisation: plant", "organisation: P"), 2, "no organisation"),
        (change("  anna:", "  sensor:"), 8, "a device and a member"),
        ("organisation: plant\ncases: []".to_owned(), 0, "0 cases"),
        ("organisation: plant".to_owned(), 1, "cases"),
        ("organisation: &a plant\ncases: *a".to_owned(), 1, ""),
        (" ".repeat(CASES_BYTES_MAX + 1), 0, "bytes"),
    ] {
        let problems = Cases::parse(&text).unwrap_err();
        assert_eq!(problems.0[0].line, line, "{problems}\n{text}");
        assert!(problems.to_string().contains(told), "{problems}");
    }
    let one = "\n  - { name: own, by: sensor, does: publish, topic: me/up/x, expect: allowed }";
    let many = format!(
        "organisation: plant\ndevices: {{ sensor: {{}} }}\ncases:{}",
        one.repeat(CASES_MAX + 1)
    );
    assert!(Cases::parse(&many).unwrap_err().to_string().contains("301 cases"));
    let most = format!(
        "organisation: plant\ndevices: {{ sensor: {{}} }}\ncases:{}",
        one.repeat(CASES_MAX)
    );
    assert!(Cases::parse(&most).unwrap().run(&set(POLICIES)).passed());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", at in 0..CASES.len(), with in "[:{}\\[\\]\n \"a&*!-]{0,3}") {
        let _ = Cases::parse(&text);
        let parts = CASES.get(..at).zip(CASES.get(at..));
        let changed = parts.map(|(head, tail)| Cases::parse(&format!("{head}{with}{tail}")));
        if let Some(Ok(cases)) = changed {
            let _ = cases.run(&set(POLICIES));
        }
    }
}

#[test]
fn devices_that_speak_to_each_other_are_the_organisations_own_or_foreign() {
    let policies = r#"
@id("anybody-rings")
permit(principal, action == Action::"peer", resource) when { context.operation == "ring" };
@id("lamps-greet")
permit(principal in Product::"maker-b/lamp", action == Action::"peer-foreign", resource);
@id("everybody") permit(principal, action, resource);
@id("never-erase")
forbid(principal, action, resource) when { context has operation && context.operation == "erase" };
"#;
    let cases = r#"
organisation: plant
devices:
  lock: { product: maker-b/lock }
  gate: { product: maker-a/gate }
  stranger: { product: maker-b/lamp, owner: none }
  guest: { owner: guest }
cases:
  - { name: own, by: gate, does: peer, device: lock, operation: ring, expect: allowed, because: [anybody-rings] }
  - { name: own alone, by: gate, does: peer, device: lock, operation: greet, expect: refused, because: [] }
  - { name: guest, by: guest, does: peer, device: lock, operation: ring, expect: refused, because: [] }
  - { name: no owner, by: stranger, does: peer, device: lock, operation: ring, expect: allowed, because: [lamps-greet] }
  - { name: asked, by: lock, does: peer, device: stranger, operation: ring, expect: refused, because: [] }
  - { name: forbidden, by: stranger, does: peer, device: lock, operation: erase, expect: refused, because: [never-erase] }
  - { name: not of plant, by: stranger, does: peer, device: guest, operation: ring, expect: refused, because: [] }
"#;
    let set = set(policies);
    let report = Cases::parse(cases).unwrap().run(&set);
    assert!(report.passed(), "{report:?}");
    assert_eq!(report.untried, ["everybody"]);
    let written = set.for_peers();
    let given = |id: &str| written.contains(&format!("@id(\"{id}\")"));
    assert!(given("anybody-rings") && given("lamps-greet") && given("never-erase"));
    assert!(!given("everybody"), "{written}");
    // Whose owner is not known does nothing else.
    let wrong = cases.replacen(
        "does: peer, device: lock, operation: greet",
        "does: publish, topic: me/up/x",
        1,
    );
    let wrong = wrong.replacen("by: gate, does: publish", "by: stranger, does: publish", 1);
    let problems = Cases::parse(&wrong).unwrap_err();
    assert!(problems.to_string().contains("stranger has no owner"), "{problems}");
}
