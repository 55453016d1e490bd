//! The official JSON-Schema-Test-Suite, where it is to be had.

use schema::{Broken, Definition, Kind, STEPS_MAX, Schema, Steps};
use serde_json::Value;
use std::{fs, path::PathBuf};

/// Files of what is not done here, with the reason in docs/schemas.md.
const ABSENT: [&str; 3] = ["refRemote", "vocabulary", "format"];

fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("TEGATA_TESTDATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/testdata"),
        PathBuf::from,
    );
    let root = root.join("json-schema/tests");
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("SKIPPED: {} is absent; set TEGATA_TESTDATA", root.display());
    None
}

#[test]
fn verdicts_are_those_of_the_official_tests() {
    let Some(root) = folder() else { return };
    let (mut agreed, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for draft in ["draft2020-12", "draft7"] {
        for file in fs::read_dir(root.join(draft)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_none_or(|it| it != "json") || ABSENT.contains(&name.as_str()) {
                continue;
            }
            let groups: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            for group in groups.as_array().unwrap() {
                let mut text = group["schema"].clone();
                if draft == "draft7"
                    && let Some(text) = text.as_object_mut()
                {
                    text.entry("$schema")
                        .or_insert("http://json-schema.org/draft-07/schema#".into());
                }
                let what = format!("{draft}/{name}: {}", group["description"]);
                let definition = Definition::new(Kind::JsonSchema, text.to_string().into_bytes());
                let schema = match Schema::compile(&definition) {
                    Ok(schema) => schema,
                    Err(problems) => {
                        refused.push(format!("{what}: {problems}"));
                        continue;
                    }
                };
                for test in group["tests"].as_array().unwrap() {
                    let payload = test["data"].to_string();
                    let found = schema.check(payload.as_bytes(), &mut Steps::new(STEPS_MAX));
                    assert!(
                        !matches!(found, Err(Broken::Costly | Broken::Format(_))),
                        "{what}: {found:?}"
                    );
                    if found.is_ok() == test["valid"].as_bool().unwrap() {
                        agreed += 1;
                    } else {
                        wrong.push(format!("{what}: {}: {found:?}", test["description"]));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{agreed} verdicts agree; {} schemas are not taken: {refused:#?}", refused.len());
    assert!(agreed > 1_500, "{agreed} of the official tests were made");
    let known = [
        "stands twice",
        "nothing outside",
        "one document",
        "this edition",
        "would not be looked at",
    ];
    refused.retain(|it| !known.iter().any(|known| it.contains(known)));
    assert!(refused.is_empty(), "{refused:#?}");
}
