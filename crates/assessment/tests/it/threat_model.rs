//! Models: read, written, refused with place and advice; stable ids; risk.

use crate::threat_rules::{book, day};
use assessment::{
    AssessmentError, Day,
    threat::{Analysis, Asset, Decision, Harm, Model, Rating, RuleBook, State, Verdict},
};
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::LazyLock};

static BOOK: LazyLock<RuleBook> = LazyLock::new(book);

/// The example of the page.
pub(crate) fn lock_yaml() -> String {
    let page = include_str!("../../../../docs/threat-model.md");
    page.split("```yaml threat-model\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

pub(crate) fn lock() -> Model {
    Model::parse("lock.yaml", &lock_yaml(), &BOOK).unwrap()
}

fn read(text: &str) -> Result<Model, AssessmentError> {
    Model::parse("m.yaml", text, &BOOK)
}

/// Place and advice of the refusal.
fn refused(text: &str) -> (u64, u64, String) {
    match read(text).unwrap_err() {
        AssessmentError::Malformed { line, column, detail, .. } => {
            // Whatever is refused is said on Japanese pages, too.
            let japanese = detail.text(device::Language::Ja);
            let is = japanese.chars().any(|c| matches!(c, '\u{3041}'..='\u{9fff}'));
            assert!(is, "{japanese}");
            (line, column, detail.to_string())
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_example_of_the_page_works() {
    let model = lock();
    let analysis = Analysis::of(&model, &BOOK, day());
    let accepted: Vec<_> =
        analysis.threats.iter().filter(|one| one.state == State::Accepted).collect();
    assert_eq!(analysis.stale, [], "the page names an id that does not exist");
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].cause_id(), "radio-jamming");
    for state in [State::Open, State::Planned, State::Mitigated] {
        assert!(analysis.count()[&state] > 0, "{state}");
    }
    // The day after the acceptance ends, the threat is open.
    let later = Day::parse("2027-11-11").unwrap();
    let later = Analysis::of(&model, &BOOK, later);
    assert_eq!(later.threat(accepted[0].id.as_str()).unwrap().state, State::Open);
    // Support ends, too.
    let end = Analysis::of(&model, &BOOK, Day::parse("2032-01-01").unwrap());
    assert!(end.threats.iter().any(|one| one.cause_id() == "support-ended"));
    assert!(!analysis.threats.iter().any(|one| one.cause_id() == "support-ended"));
}

#[test]
fn levels_of_zones_are_bounds_that_open_threats_lower() {
    let library = assessment::Library::embedded().unwrap();
    let mut model = lock();
    let levels = |model: &Model| {
        let analysis = Analysis::of(model, &BOOK, day());
        let zones = analysis.zone_levels(&library);
        let home = zones.iter().find(|one| one.zone.id == "home").unwrap();
        (home.achieved_at_most, home.missed())
    };
    let (now, missed) = levels(&model);
    assert!(now.contains(&0) && !missed.is_empty(), "{now:?} {missed:?}");
    // Everything in place: what is left is the capability, and no target is missed.
    model.measures = BOOK.measures().iter().map(|one| one.id.clone()).collect();
    assert_eq!(levels(&model), ([2, 2, 3, 2, 2, 2, 2], vec![]));
}

#[test]
fn errors_name_line_column_and_what_to_do() {
    let whole = lock_yaml();
    for (from, to, at, advice) in [
        (
            "zone: home\n    place: public",
            "zone: hom\n    place: public",
            "zone: hom",
            "did you mean \"home\"?",
        ),
        ("from: app", "from: apps", "from: apps", "did you mean \"app\"?"),
        ("from: app", "from: elsewhere", "from: elsewhere", "add it under `elements`"),
        (
            "measures: [guarded-output]",
            "measures: [guarded-outptu]",
            "guarded-outptu",
            "did you mean \"guarded-output\"?",
        ),
        (
            "measures: [guarded-output]",
            "measures: [magic-wand]",
            "magic-wand",
            "tegata threat rules --measures",
        ),
        ("kind: gateway", "kind: gatway", "kind: gatway", "gateway"),
        ("forms:\n  safety:", "forms:\n  safty:", "driven:", "safety"),
        ("support_until: 2031-12-31", "support_until: 2031-02-30", "2031-02-30", "YYYY-MM-DD"),
        ("until: 2027-11-10", "until: 2025-11-10", "on: 2026-11-10", "before it begins"),
        ("    until: 2027-11-10\n", "", "verdict: accepted", "until: YYYY-MM-DD"),
        ("CVSS:4.0/AV:A/", "CVSS:4.0/", "cvss:", "all eleven"),
        (
            "CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "cvss:",
            "CVSS 4.0",
        ),
        ("safety: 2, confidentiality: 4", "safety: 0, confidentiality: 4", "safety: 0", "1 to 5"),
        ("target: [2, 2, 2, 2, 1, 1, 2]", "target: [2, 2, 2]", "target:", "seven numbers"),
        ("target: [2, 2, 2, 2, 1, 1, 2]", "target: [2, 2, 2, 2, 1, 1, 5]", "target:", "0 to 4"),
        ("id: motor", "id: Motor", "id: Motor", "lower-case"),
        ("id: hub\n", "id: lock\n", "id: lock\n", "already, in line"),
        ("tegata: threat-model/1", "tegata: threat-model/9", "tegata:", "threat-model/1"),
        ("    driven:", "    drivn:", "drivn:", "did you mean \"driven\"?"),
        ("likelihood: 3\n", "likelihood: 6\n", "likelihood: 6", "1 to 5"),
        ("harms: [safety, integrity]", "harms: []", "id: pentest-3", "harms"),
    ] {
        let broken = whole.replacen(from, to, 1);
        assert_ne!(broken, whole, "{from}");
        let (line, column, detail) = refused(&broken);
        let at_byte = broken.rfind(at).or_else(|| broken.find(at)).unwrap();
        let expected = broken[..at_byte].matches('\n').count() as u64 + 1;
        let shown = broken.lines().nth(line as usize - 1).unwrap_or_default();
        assert!(
            line == expected || shown.contains(at.trim()),
            "{from}: line {line}, not {expected}: {detail}"
        );
        assert!(column > 0, "{from}: {detail}");
        assert!(detail.contains(advice), "{from}: {detail}");
    }
    assert!(refused("name: x\n").2.contains("tegata: threat-model/1"));
    assert!(refused("tegata: threat-model/1\n").2.contains("name:"));
    let circle = "tegata: threat-model/1\nname: x\nelements:\n  - {id: a, kind: part, part_of: b}\n  - {id: b, kind: part, part_of: a}\n";
    assert!(refused(circle).2.contains("part of itself"));
}

#[test]
fn too_much_is_refused() {
    let mut text = "tegata: threat-model/1\nname: x\nelements:\n".to_owned();
    for number in 0..501 {
        text.push_str(&format!("  - {{id: e{number}, kind: app}}\n"));
    }
    assert!(matches!(read(&text), Err(AssessmentError::TooLarge { most: 500, .. })));
}

#[test]
fn what_is_not_said_counts_as_worse_and_is_listed() {
    let text = "tegata: threat-model/1\nname: x\nassets:\n  - {id: a, kind: key}\nelements:\n  - {id: d, kind: device, holds: [a]}\n  - {id: s, kind: service}\nflows:\n  - {id: f, from: d, to: s}\n";
    let model = read(text).unwrap();
    assert_eq!(model.gaps().len(), 5);
    let analysis = Analysis::of(&model, &BOOK, day());
    let keys = analysis.threats.iter().find(|one| one.cause_id() == "side-channel").unwrap();
    assert_eq!(keys.risk.inherent.impact, 5, "an unrated asset is worth everything");
    // Physical, in a place that is public as long as nobody says otherwise.
    assert_eq!(keys.risk.inherent.likelihood, 3);
}

#[test]
fn a_decision_explains_and_does_not_hide() {
    let mut model = lock();
    let same = model.clone();
    let before = Analysis::of(&same, &BOOK, day());
    let open = before.threats.iter().find(|one| one.cause_id() == "actuator-driven").unwrap();
    let (id, safety) = (open.id.to_string(), 4);
    let decide = |verdict, impact| Decision {
        verdict,
        reason: "reason".to_owned(),
        by: "Sato".to_owned(),
        on: day(),
        until: None,
        likelihood: Some(1),
        impact,
        measures: Default::default(),
        line: 0,
    };
    model.decisions.insert(id.clone(), decide(Verdict::Rated, Some(1)));
    model.decisions.insert("T-0000000000000000".to_owned(), decide(Verdict::Dismissed, None));
    let after = Analysis::of(&model, &BOOK, day());
    assert_eq!(after.stale.len(), 1);
    let rated = after.threat(&id).unwrap();
    assert_eq!((rated.state, rated.risk.residual.impact), (State::Open, safety));
    assert_eq!(rated.risk.residual.likelihood, 1);
    assert_eq!(after.threats.len(), before.threats.len());
}

#[test]
fn the_schema_on_the_page_is_the_one_of_the_parser() {
    let published = include_str!("../../../../docs/threat-model.schema.json");
    let published: serde_json::Value = serde_json::from_str(published).unwrap();
    assert_eq!(
        published,
        assessment::threat::schema(&BOOK),
        "run `tegata threat schema > docs/threat-model.schema.json`"
    );
}

/// Whether a value fits the part of JSON Schema that ours uses.
fn fits(schema: &serde_json::Value, root: &serde_json::Value, value: &serde_json::Value) -> bool {
    let schema = match schema.get("$ref").and_then(|one| one.as_str()) {
        Some(name) => root.pointer(&name[1..]).unwrap(),
        None => schema,
    };
    schema.as_object().unwrap().iter().all(|(key, rule)| match key.as_str() {
        "type" if rule.is_array() => value.is_string() || value.is_number() || value.is_boolean(),
        "type" => match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            other => panic!("{other}"),
        },
        "const" => value == rule,
        "enum" => rule.as_array().unwrap().contains(value),
        "required" => {
            rule.as_array().unwrap().iter().all(|one| value.get(one.as_str().unwrap()).is_some())
        }
        "properties" => value.as_object().is_none_or(|fields| {
            fields
                .iter()
                .all(|(name, value)| rule.get(name).is_some_and(|inner| fits(inner, root, value)))
        }),
        "items" => value.as_array().is_none_or(|all| all.iter().all(|one| fits(rule, root, one))),
        "maxItems" => value.as_array().is_none_or(|all| all.len() as u64 <= rule.as_u64().unwrap()),
        "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= rule.as_u64().unwrap()),
        "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
        "maxLength" => {
            value.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap())
        }
        "minimum" => value.as_u64().is_none_or(|number| number >= rule.as_u64().unwrap()),
        "maximum" => value.as_u64().is_none_or(|number| number <= rule.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| {
            let rule = rule.as_str().unwrap();
            if rule.starts_with("^[a-z0-9-]") {
                !text.is_empty()
                    && text.len() <= 64
                    && text
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            } else if rule.starts_with("^CVSS") {
                text.starts_with("CVSS:4.0/")
            } else {
                assert!(rule.starts_with("^[0-9]{4}"), "{rule}");
                text.len() == 10
                    && text
                        .chars()
                        .enumerate()
                        .all(|(i, c)| if i == 4 || i == 7 { c == '-' } else { c.is_ascii_digit() })
            }
        }),
        "additionalProperties" => rule == false,
        "$schema" | "title" | "$defs" => true,
        other => panic!("{other}"),
    })
}

/// All places of a document, as pointers.
fn places(value: &serde_json::Value, at: String, all: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, inner) in fields {
                places(inner, format!("{at}/{name}"), all);
            }
        }
        serde_json::Value::Array(members) => {
            for (number, inner) in members.iter().enumerate() {
                places(inner, format!("{at}/{number}"), all);
            }
        }
        _ => {}
    }
    all.push(at);
}

/// JSON is YAML: the example with one value exchanged or removed at each place. What the schema
/// refuses the parser refuses; what the parser takes the schema takes.
#[test]
fn the_schema_never_refuses_what_the_parser_takes() {
    let schema = assessment::threat::schema(&BOOK);
    let whole: serde_json::Value = serde_saphyr::from_str(&lock_yaml()).unwrap();
    assert!(fits(&schema, &schema, &whole));
    let mut all = Vec::new();
    places(&whole, String::new(), &mut all);
    let strange = [
        serde_json::json!(7),
        serde_json::json!([]),
        serde_json::json!({"zz": 1}),
        serde_json::json!(""),
    ];
    let (mut both, mut narrower) = (0, 0);
    for place in all.iter().filter(|place| !place.is_empty()) {
        for with in strange.iter().map(Some).chain([None]) {
            let mut changed = whole.clone();
            match with {
                Some(value) => *changed.pointer_mut(place).unwrap() = value.clone(),
                None => {
                    let (above, name) = place.rsplit_once('/').unwrap();
                    match changed.pointer_mut(above).unwrap() {
                        serde_json::Value::Object(fields) => drop(fields.remove(name)),
                        serde_json::Value::Array(all) => drop(all.remove(name.parse().unwrap())),
                        _ => panic!("a place is in an object or array"),
                    }
                }
            }
            let parsed = read(&changed.to_string());
            let fitting = fits(&schema, &schema, &changed);
            assert!(fitting || parsed.is_err(), "{place} {with:?}: parsed, but not in the schema");
            both += usize::from(!fitting);
            narrower += usize::from(fitting && parsed.is_err());
        }
    }
    assert!(both > 300, "{both} refused by both, {narrower} by the parser only");
}

#[test]
fn what_we_write_is_read_as_the_same() {
    for rule in BOOK.rules() {
        let mut model = rule.example.clone();
        model.name = rule.id.clone();
        same(&model);
    }
    same(&lock());
}

/// Reads what was written and compares all but the lines.
fn same(model: &Model) {
    let written = model.to_yaml();
    let again = read(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again.to_yaml(), written);
    let threats = |model: &Model| -> Vec<_> {
        let analysis = Analysis::of(model, &BOOK, day());
        analysis.threats.iter().map(|one| (one.id.clone(), one.state, one.risk)).collect()
    };
    assert_eq!(threats(&again), threats(model));
}

fn rating() -> impl Strategy<Value = Rating> {
    (1u8..=5, 1u8..=5, 1u8..=5, 1u8..=5).prop_map(
        |(safety, confidentiality, integrity, availability)| Rating {
            safety,
            confidentiality,
            integrity,
            availability,
        },
    )
}

fn ids(model: &Model) -> BTreeSet<(String, String)> {
    let analysis = Analysis::of(model, &BOOK, day());
    let threats = analysis.threats.iter();
    let found: Vec<_> = threats
        .map(|one| (one.id.to_string(), format!("{} {}", one.cause_id(), one.subject)))
        .collect();
    let unique: BTreeSet<_> = found.iter().cloned().collect();
    assert_eq!(unique.len(), found.len(), "an id is given twice");
    unique
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Titles, order, measures and further elements change no id.
    #[test]
    fn ids_survive_edits(seed in any::<u64>(), title in "[a-zA-Zぁ-ん ]{1,20}x", measures in 0usize..40) {
        let before = lock();
        let mut after = before.clone();
        let turn = |len: usize| (seed as usize) % len;
        after.elements.rotate_left(turn(before.elements.len()));
        after.flows.reverse();
        after.assets.rotate_left(turn(before.assets.len()));
        for one in &mut after.elements { one.title.clone_from(&title); one.line += 7; }
        for one in &mut after.flows { one.title.clone_from(&title); }
        after.measures = BOOK.measures().iter().take(measures).map(|one| one.id.clone()).collect();
        let mut other = before.elements[0].clone();
        other.id = "another".to_owned();
        after.elements.push(other);
        let (was, is) = (ids(&before), ids(&after));
        prop_assert!(was.is_subset(&is), "{:?}", was.difference(&is).collect::<Vec<_>>());
        prop_assert!(is.difference(&was).all(|(_, what)| what.contains("another")));
    }

    /// Whatever is harmed and whoever rates: impact is never below safety, residual never above
    /// inherent, target never above residual.
    #[test]
    fn safety_is_never_lowered(all in proptest::collection::vec(rating(), 4), impact in proptest::option::of(1u8..=5)) {
        let mut model = lock();
        for (asset, rating) in model.assets.iter_mut().zip(&all) {
            asset.rating = Some(*rating);
        }
        if let Some(impact) = impact {
            let every = Analysis::of(&model, &BOOK, day()).threats.iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
            for id in every {
                model.decisions.insert(id, Decision {
                    verdict: Verdict::Rated, reason: "r".into(), by: "b".into(), on: day(),
                    until: None, likelihood: None, impact: Some(impact), measures: Default::default(), line: 0,
                });
            }
        }
        let analysis = Analysis::of(&model, &BOOK, day());
        for one in &analysis.threats {
            let elements = one.subject.elements(&model);
            if let [element] = elements.as_slice()
                && matches!(one.subject, assessment::threat::Subject::Element(_))
            {
                let assets: Vec<&Asset> = model.assets_of(element);
                let safety = assets.iter().filter_map(|one| one.rating).map(|one| one.safety).max();
                prop_assert!(one.risk.residual.impact >= safety.unwrap_or(0));
            }
            prop_assert!(one.risk.residual.score() <= one.risk.inherent.score());
            prop_assert!(one.risk.target.score() <= one.risk.residual.score());
        }
    }

    /// More measures never open anything.
    #[test]
    fn measures_never_make_it_worse(some in proptest::collection::vec(0usize..116, 0..20), one_more in 0usize..116) {
        let mut model = lock();
        let id = |at: &usize| BOOK.measures()[at % BOOK.measures().len()].id.clone();
        model.measures = some.iter().map(id).collect();
        let less = model.clone();
        model.measures.insert(id(&one_more));
        let (before, after) = (Analysis::of(&less, &BOOK, day()), Analysis::of(&model, &BOOK, day()));
        for one in &after.threats {
            let was = before.threat(one.id.as_str()).unwrap();
            prop_assert!(one.risk.residual.score() <= was.risk.residual.score());
            prop_assert!(!(was.state == State::Mitigated && one.state != State::Mitigated));
        }
    }

    #[test]
    fn impact_is_a_maximum(rating in rating(), harms in proptest::sample::subsequence(Harm::ALL.to_vec(), 0..=4)) {
        let impact = rating.impact(&harms);
        prop_assert!(impact >= rating.safety);
        prop_assert!(harms.iter().all(|harm| impact >= rating.of(*harm)));
        prop_assert!(impact == rating.safety || harms.iter().any(|harm| impact == rating.of(*harm)));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    /// The example cut or damaged anywhere is an error or a model; what is read can be written.
    #[test]
    fn damaged_models_are_read_or_refused(at in 0usize..4500, with in "[\\PC\n]{0,4}") {
        let whole = lock_yaml();
        let at = whole.char_indices().map(|(at, _)| at).find(|place| *place >= at).unwrap_or(0);
        for text in [format!("{}{with}{}", &whole[..at], &whole[at..]), whole[..at].to_owned()] {
            if let Ok(model) = read(&text) {
                prop_assert!(read(&model.to_yaml()).is_ok());
                Analysis::of(&model, &BOOK, day());
            }
        }
    }
}
