//! What comes from other tools, and what goes out: drawings, trees, SARIF.

use crate::{
    threat_model::lock,
    threat_rules::{book, day},
};
use assessment::threat::{
    Analysis, AssetKind, Authentication, ElementKind, Encryption, Foreign, Imported, Protocol,
    RuleBook, State, Theme, Trait, Tree, diagram, import, sarif,
};
use device::Language;
use proptest::prelude::*;
use std::sync::LazyLock;

static BOOK: LazyLock<RuleBook> = LazyLock::new(book);

const OTM: &str = include_str!("../testdata/threat/otm.yaml");
const DRAGON: &str = include_str!("../testdata/threat/threat-dragon.json");
const THREAGILE: &str = include_str!("../testdata/threat/threagile.yaml");

fn taken(text: &str) -> Imported {
    import("x", text, &BOOK).unwrap()
}

fn lost(imported: &Imported, place: &str) -> bool {
    imported.losses.iter().any(|loss| loss.place == place)
}

#[test]
fn open_threat_model_is_taken_over_and_the_rest_is_listed() {
    let it = taken(OTM);
    assert_eq!((it.from, it.model.name.as_str()), (Foreign::Otm, "Home energy"));
    let meter = it.model.elements.iter().find(|one| one.title == "スマートメーター").unwrap();
    assert_eq!(meter.kind, ElementKind::Device);
    assert!(meter.holds.contains("readings"));
    // A part that stands before its device is in its device's zone.
    let chip = it.model.element("metering-chip").unwrap();
    assert_eq!((chip.part_of.as_ref(), chip.zone.as_ref()), (Some(&meter.id), meter.zone.as_ref()));
    let readings = it.model.asset("readings").unwrap().rating.unwrap();
    assert_eq!((readings.confidentiality, readings.integrity, readings.availability), (4, 3, 1));
    assert_eq!(readings.safety, 4, "safety is not rated there and never below the others");
    assert_eq!(it.model.flows.len(), 2, "there and back");
    let finding = &it.model.findings[0];
    assert_eq!((finding.subject.as_str(), finding.likelihood), (meter.id.as_str(), 3));
    let text = finding.text.as_ref().unwrap();
    assert!(text.contains("exposed") && text.contains("Seal"), "{text}");
    for place in [
        "/project/owner",
        "/project/attributes/cmdb",
        "/representations/*/name",
        "/components/*/tags/*",
        "/components/*/type",
        "/components/*/parent/trustZone",
        "/components/*/assets",
        "/components/*/threats/*/threat",
        "/dataflows/*",
        "/threats/*/cwes/*",
        "/threats/*/risk/impact",
        "/threats/*/categories/*",
        "/assets/*/risk",
        "/assets/*/description",
        "/dataflows/*/tags/*",
    ] {
        assert!(lost(&it, place), "{place}: {:#?}", it.losses);
    }
}

#[test]
fn threat_dragon_is_taken_over_and_the_rest_is_listed() {
    let it = taken(DRAGON);
    assert_eq!((it.from, it.model.name.as_str()), (Foreign::ThreatDragon, "Pump"));
    let store = it.model.element("drug-library").unwrap();
    assert_eq!(store.kind, ElementKind::Store);
    assert!(store.measures.contains("storage-encryption"));
    let kinds: Vec<AssetKind> = it.model.assets.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [AssetKind::Log, AssetKind::Credential]);
    assert_eq!(it.model.element("pump-controller").unwrap().zone.as_deref(), Some("ward"));
    assert_eq!(store.zone, None, "it lies outside of the box");
    let dose = it.model.flow("sets-dose").unwrap();
    assert_eq!((dose.protocol, dose.encryption), (Protocol::Https, Encryption::Transport));
    assert!(it.model.flow("sets-dose-back").is_some());
    assert_eq!(it.model.findings.len(), 2);
    assert_eq!(it.model.findings[0].likelihood, 4);
    let cell = "/detail/diagrams/*/cells/*";
    for place in [
        "/summary/owner",
        "/detail/contributors/*/name",
        "/detail/reviewer",
        cell,
        &format!("{cell}/data/protocol"),
        &format!("{cell}/data/outOfScope"),
        &format!("{cell}/data/isSigned"),
        &format!("{cell}/data/isPublicNetwork"),
        &format!("{cell}/data/providesAuthentication"),
        &format!("{cell}/data/threats/*/score"),
        &format!("{cell}/position/x"),
        "trust of zones",
    ] {
        assert!(lost(&it, place), "{place}: {:#?}", it.losses);
    }
    // The curve stays behind whole.
    let names = it.losses.iter().find(|loss| loss.place == format!("{cell}/data/name")).unwrap();
    assert_eq!(names.detail, "Hospital border");
}

#[test]
fn threagile_is_taken_over_and_the_rest_is_listed() {
    let it = taken(THREAGILE);
    assert_eq!((it.from, it.model.name.as_str()), (Foreign::Threagile, "Irrigation"));
    let valve = it.model.element("valve-controller").unwrap();
    assert_eq!((valve.kind, valve.zone.as_deref()), (ElementKind::Device, Some("field")));
    let service = it.model.element("control-service").unwrap();
    assert!(
        service.traits.contains(&Trait::InternetFacing)
            && service.traits.contains(&Trait::MultiTenant)
    );
    assert!(service.measures.contains("storage-encryption"));
    let commands = it.model.flow("control-service-commands").unwrap();
    assert_eq!(commands.authentication, Authentication::MutualCertificate);
    assert_eq!((commands.protocol, commands.encryption), (Protocol::Mqtt, Encryption::None));
    assert!(commands.measures.contains("zone-filter"));
    assert_eq!(it.model.flows.len(), 2, "what is received comes back");
    assert_eq!(it.model.asset("valve-commands").unwrap().rating.unwrap().integrity, 4);
    assert_eq!(it.model.findings.len(), 1);
    let analysis = Analysis::of(&it.model, &BOOK, day());
    assert!(analysis.threats.iter().any(|one| one.cause_id() == "traffic-read"));
    for place in [
        "/author/name",
        "/business_criticality",
        "/technical_assets/*/communication_links/*/target",
        "/technical_assets/*/technology",
        "/data_assets/*",
        "/technical_assets/Control Service/communication_links/Commands/authorization",
        "/trust_boundaries/Field/trust_boundaries_nested/*",
        "/risk_tracking/unencrypted-asset@valve-controller/status",
    ] {
        assert!(lost(&it, place), "{place}: {:#?}", it.losses);
    }
}

#[test]
fn what_is_no_model_is_refused_with_advice() {
    for (text, advice) in [
        ("[1, 2]", "no model"),
        ("{\"a\": 1}", "otmVersion"),
        ("{\"detail\": {\"diagrams\": [{\"diagramJson\": {}}]}}", "Threat Dragon 1"),
        ("{\"otmVersion\": \"0.2.0\"", ":"),
    ] {
        let error = import("x", text, &BOOK).unwrap_err().to_string();
        assert!(error.contains(advice), "{error}");
    }
}

#[test]
fn json_that_others_escaped_is_read() {
    let escaped = DRAGON.replace("An infusion pump", "\\u8f38\\u6db2\\ud83d\\ude00");
    assert_eq!(taken(&escaped).model.summary.as_deref(), Some("輸液😀"));
    let tabs = DRAGON.replace("  ", "\t");
    assert_eq!(taken(&tabs).model, taken(DRAGON).model);
}

/// Every text of the source is in the model or in the list.
#[test]
fn nothing_is_lost_silently() {
    fn leaves(value: &serde_json::Value, all: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) if !text.trim().is_empty() => all.push(text.clone()),
            serde_json::Value::Array(members) => members.iter().for_each(|one| leaves(one, all)),
            serde_json::Value::Object(fields) => fields.values().for_each(|one| leaves(one, all)),
            _ => {}
        }
    }
    for (text, marked) in [(OTM, "otm"), (DRAGON, "dragon"), (THREAGILE, "threagile")] {
        let whole: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        let mut all = Vec::new();
        leaves(&whole, &mut all);
        // A mark at each place in turn: it comes back in the model or in the list, or the place is
        // one of those that only name others.
        let before = taken(text);
        let mut places = Vec::new();
        pointers(&whole, String::new(), &mut places);
        let mut hidden = Vec::new();
        for place in &places {
            let mut changed = whole.clone();
            *changed.pointer_mut(place).unwrap() = serde_json::json!("mark-of-ours");
            let Ok(after) = import("x", &changed.to_string(), &BOOK) else { continue };
            let told = format!("{:?}{:?}", after.model, after.losses);
            let same = after.model == before.model && after.losses == before.losses;
            if same && !told.contains("mark-of-ours") {
                hidden.push(place.clone());
            }
        }
        // Versions and ids that nothing names may vanish; nothing else.
        let known = [
            "/otmVersion",
            "/threagile_version",
            "/id",
            "/modelType",
            "/number",
            "/shape",
            "/type",
        ];
        hidden.retain(|place| !known.iter().any(|end| place.ends_with(end)));
        // Of several members in one place only the first is quoted; the count says the rest.
        hidden.retain(|place| !place.contains('*'));
        let repeated = |place: &String| {
            before.losses.iter().any(|loss| {
                let mut both = loss.place.split('/').zip(place.split('/'));
                loss.place.split('/').count() == place.split('/').count()
                    && both.all(|(general, part)| general == "*" || general == part)
            })
        };
        hidden.retain(|place| !repeated(place));
        assert_eq!(hidden, Vec::<String>::new(), "{marked}");
    }
}

fn pointers(value: &serde_json::Value, at: String, all: &mut Vec<String>) {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        serde_json::Value::Object(fields) => {
            for (name, inner) in fields {
                pointers(inner, format!("{at}/{}", escaped(name)), all);
            }
        }
        serde_json::Value::Array(members) => {
            for (number, inner) in members.iter().enumerate() {
                pointers(inner, format!("{at}/{number}"), all);
            }
        }
        serde_json::Value::String(text) if !text.trim().is_empty() => all.push(at),
        _ => {}
    }
}

#[test]
fn drawings_are_the_same_each_time_and_hold_no_script() {
    let model = lock();
    let analysis = Analysis::of(&model, &BOOK, day());
    let root = &analysis.threats.iter().find(|one| one.cause_id() == "actuator-driven").unwrap().id;
    let (tree, cut) = Tree::of_threat(&analysis, root.as_str(), Language::Ja).unwrap();
    assert!(tree.len() > 5 && tree.is_open(), "{} {cut}", tree.len());
    let (asset, _) = Tree::of_asset(&analysis, "unlock", Language::En).unwrap();
    assert!(!asset.ways.is_empty());
    assert!(Tree::of_threat(&analysis, "T-0", Language::En).is_none());
    for theme in [Theme::Light, Theme::Dark] {
        for svg in [
            diagram(&analysis, theme, Language::Ja),
            tree.to_svg(theme, Language::Ja),
            asset.to_svg(theme, Language::En),
        ] {
            assert_well_formed(&svg);
            for bad in ["<script", "<style", "style=", "href", "onload", "<image"] {
                assert!(!svg.contains(bad), "{bad}");
            }
        }
    }
    assert_eq!(
        diagram(&analysis, Theme::Light, Language::Ja),
        diagram(&analysis, Theme::Light, Language::Ja)
    );
    assert_ne!(
        diagram(&analysis, Theme::Light, Language::Ja),
        diagram(&analysis, Theme::Dark, Language::Ja)
    );
    let drawn = diagram(&analysis, Theme::Light, Language::Ja);
    for title in ["Lock", "Hub", "The flat", "機器", "重大"] {
        assert!(drawn.contains(title), "{title}");
    }
}

/// Tags nest, attributes are quoted, texts are escaped: enough of XML for what we write.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "{}", &rest[..start]);
        let end = rest[start..].find('>').unwrap() + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    for (at, _) in svg.match_indices('&') {
        assert!(
            ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;"]
                .iter()
                .any(|entity| svg[at..].starts_with(entity))
        );
    }
}

#[test]
fn titles_cannot_break_out_of_a_drawing() {
    let mut model = lock();
    let evil = "</text><script>alert(1)</script>\"'&";
    model.name = evil.to_owned();
    for one in &mut model.elements {
        one.title = evil.to_owned();
    }
    for one in &mut model.flows {
        one.title = evil.to_owned();
    }
    for one in &mut model.zones {
        one.title = evil.to_owned();
    }
    let analysis = Analysis::of(&model, &BOOK, day());
    let svg = diagram(&analysis, Theme::Light, Language::En);
    assert!(!svg.contains("<script"));
    assert_well_formed(&svg);
}

#[test]
fn sarif_says_state_level_and_fingerprint() {
    let model = lock();
    let analysis = Analysis::of(&model, &BOOK, day());
    let log = sarif(&analysis, "models/my lock.yaml", Language::Ja);
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), analysis.threats.len());
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for (result, one) in results.iter().zip(&analysis.threats) {
        let rule = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[rule]["id"], result["ruleId"]);
        assert_eq!(result["partialFingerprints"]["tegataThreat/v1"], one.id.as_str());
        assert_eq!(result["kind"] == "fail", result["level"] != "none");
        assert_eq!(result["kind"] == "fail", one.is_open() || one.state == State::Accepted);
        assert_eq!(result.get("suppressions").is_some(), one.state == State::Accepted);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "models/my%20lock.yaml");
        assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any JSON that looks like one of the forms is refused or taken; what is taken is a model.
    #[test]
    fn damaged_models_of_others_are_taken_or_refused(which in 0usize..3, at in 0usize..4000, with in "[\\PC\n]{0,4}") {
        let whole = [OTM, DRAGON, THREAGILE][which];
        let at = whole.char_indices().map(|(at, _)| at).find(|place| *place >= at).unwrap_or(0);
        for text in [format!("{}{with}{}", &whole[..at], &whole[at..]), whole[..at].to_owned()] {
            if let Ok(it) = import("x", &text, &BOOK) {
                Analysis::of(&it.model, &BOOK, day());
            }
        }
    }
}
