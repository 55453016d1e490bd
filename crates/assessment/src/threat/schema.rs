//! The JSON Schema of model files, made from the same words as the parser.

use crate::{
    Threat,
    text::TEXT_CHARACTERS_MAX,
    threat::{
        ASSETS_MAX, AssetKind, Authentication, Category, DECISIONS_MAX, ELEMENTS_MAX, ElementKind,
        Encryption, FLOWS_MAX, Harm, INTERFACES_MAX, Identity, InterfaceKind, InterfacePurpose,
        NAMES_MAX, Place, Protocol, Purpose, RuleBook, Trait, Verdict, ZONES_MAX,
        model_read::{FORM, NAME_BYTES_MAX},
    },
};
use serde_json::{Value, json};

macro_rules! words_of {
    ($list:ident) => {
        json!({"enum": $list::ALL.iter().map(|one| one.word()).collect::<Vec<_>>()})
    };
}

/// The schema, draft 2020-12. What it cannot say, the parser checks: that names exist, that none
/// is given twice, that days exist, that CVSS vectors are whole.
pub fn schema(book: &RuleBook) -> Value {
    let measures: Vec<&str> = book.measures().iter().map(|one| one.id.as_str()).collect();
    let forms: serde_json::Map<String, Value> = book
        .forms()
        .iter()
        .map(|form| {
            let questions: serde_json::Map<String, Value> =
                form.questions().map(|one| (one.id.clone(), of("text"))).collect();
            (form.id.clone(), object(&[], &Value::Object(questions)))
        })
        .collect();
    let id = format!("^[a-z0-9-]{{1,{NAME_BYTES_MAX}}}$");
    // `title: 7` is a text in YAML, however it looks.
    let plain = json!(["string", "number", "boolean"]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tegata threat model",
        "type": "object",
        "additionalProperties": false,
        "required": ["tegata", "name"],
        "properties": {
            "tegata": {"const": FORM},
            "name": of("text"),
            "summary": of("text"),
            "category": many(&words_of!(Category), 1_000),
            "zones": many(&of("zone"), ZONES_MAX),
            "assets": many(&of("asset"), ASSETS_MAX),
            "elements": many(&of("element"), ELEMENTS_MAX),
            "flows": many(&of("flow"), FLOWS_MAX),
            "measures": of("measures"),
            "planned": of("measures"),
            "findings": many(&of("finding"), DECISIONS_MAX),
            "vulnerabilities": many(&of("vulnerability"), DECISIONS_MAX),
            "decisions": many(&of("decision"), DECISIONS_MAX),
            "forms": object(&[], &Value::Object(forms)),
        },
        "$defs": {
            "id": {"type": plain, "pattern": id},
            "ids": many(&of("id"), NAMES_MAX),
            "text": {"type": plain, "minLength": 1, "maxLength": TEXT_CHARACTERS_MAX},
            "day": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
            "scale": {"type": "integer", "minimum": 1, "maximum": 5},
            "levels": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 4},
                "minItems": 7,
                "maxItems": 7,
            },
            "measures": many(&json!({"enum": measures}), NAMES_MAX),
            "zone": object(&["id", "trust"], &json!({
                "id": of("id"), "title": of("text"), "trust": of("scale"),
                "target": of("levels"), "capability": of("levels"),
            })),
            "asset": object(&["id", "kind"], &json!({
                "id": of("id"), "title": of("text"), "kind": words_of!(AssetKind),
                "rating": of("rating"),
            })),
            "rating": object(&["safety", "confidentiality", "integrity", "availability"], &json!({
                "safety": of("scale"), "confidentiality": of("scale"),
                "integrity": of("scale"), "availability": of("scale"),
            })),
            "element": object(&["id", "kind"], &json!({
                "id": of("id"), "title": of("text"), "kind": words_of!(ElementKind),
                "zone": of("id"), "part_of": of("id"), "place": words_of!(Place),
                "identity": words_of!(Identity), "traits": many(&words_of!(Trait), 1_000),
                "holds": of("ids"), "interfaces": many(&of("interface"), INTERFACES_MAX),
                "support_until": of("day"), "measures": of("measures"), "planned": of("measures"),
            })),
            "interface": object(&["id", "kind"], &json!({
                "id": of("id"), "title": of("text"), "kind": words_of!(InterfaceKind),
                "purpose": words_of!(InterfacePurpose),
                "measures": of("measures"), "planned": of("measures"),
            })),
            "flow": object(&["id", "from", "to"], &json!({
                "id": of("id"), "title": of("text"), "from": of("id"), "to": of("id"),
                "via": of("ids"), "purpose": words_of!(Purpose), "protocol": words_of!(Protocol),
                "authentication": words_of!(Authentication), "encryption": words_of!(Encryption),
                "carries": of("ids"), "measures": of("measures"), "planned": of("measures"),
            })),
            "finding": object(&["id", "title", "threat", "subject", "likelihood", "harms"], &json!({
                "id": of("id"), "title": of("text"), "text": of("text"),
                "threat": words_of!(Threat), "subject": of("id"), "likelihood": of("scale"),
                "harms": {"type": "array", "items": words_of!(Harm), "minItems": 1},
            })),
            "vulnerability": object(&["id", "title", "elements", "cvss"], &json!({
                "id": of("text"), "title": of("text"), "elements": of("ids"),
                "cvss": {"type": "string", "pattern": "^CVSS:4\\.0/"}, "fixed_on": of("day"),
            })),
            "decision": object(&["threat", "verdict", "reason", "by", "on"], &json!({
                "threat": of("text"), "verdict": words_of!(Verdict), "reason": of("text"),
                "by": of("text"), "on": of("day"), "until": of("day"),
                "likelihood": of("scale"), "impact": of("scale"), "measures": of("measures"),
            })),
        },
    })
}

fn of(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn many(items: &Value, most: usize) -> Value {
    json!({"type": "array", "items": items, "maxItems": most})
}

fn object(required: &[&str], properties: &Value) -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": required,
        "properties": properties,
    })
}
