//! A small library of its own, so that tests of rules do not depend on the real catalogues.

use assessment::{AssessmentError, Library, LibraryFile, LibraryFiles};

pub(crate) const FEATURES: &str = "features:
  - id: radio
    title: {en: A radio, ja: 無線}
";

pub(crate) fn catalogue(id: &str, records: &[&str]) -> String {
    let mut text = format!(
        "source:
  id: {id}
  title: {{en: Catalogue {id}, ja: カタログ{id}}}
  publisher: Nobody
  edition: '1'
  url: https://{id}.example/
  licence: free
  checked: nobody
groups:
  - id: g
    title: {{en: Group, ja: 群}}
records:
"
    );
    for record in records {
        text.push_str(&format!(
            "  - id: '{record}'
    group: g
    title: {{en: Title of {record}, ja: 題名{record}}}
    text: {{en: Text of {record}, ja: 本文{record}}}
"
        ));
    }
    text
}

pub(crate) fn item(id: &str, clauses: &[&str]) -> String {
    format!(
        "  - id: {id}
    layer: device
    phase: software-design
    threat: tampering
    weight: 2
    criterion: {{en: Criterion {id}, ja: 基準{id}}}
    interpretation:
      attack: {{en: Attack {id}, ja: 攻撃{id}}}
      measure: {{en: Measure {id}, ja: 対策{id}}}
    verification: [{}]
    check: {{en: Check {id}, ja: 確認{id}}}
    evidence: {{en: Evidence {id}, ja: 証跡{id}}}
",
        clauses.join(", ")
    )
}

/// A library of catalogues, mappings and items.
pub(crate) fn library(
    catalogues: &[String],
    mappings: &str,
    items: &[String],
) -> Result<Library, AssessmentError> {
    let catalogues: Vec<_> =
        catalogues.iter().map(|text| LibraryFile { name: "c.yaml", text }).collect();
    let mappings = format!("mappings:\n{mappings}");
    let mappings = LibraryFile { name: "m.yaml", text: &mappings };
    let sheet = format!("items:\n{}", items.concat());
    let sheet = LibraryFile { name: "s.yaml", text: &sheet };
    let has_mappings = mappings.text.len() > "mappings:\n".len();
    Library::build(&LibraryFiles {
        features: LibraryFile { name: "f.yaml", text: FEATURES },
        catalogues: &catalogues,
        mappings: if has_mappings { std::slice::from_ref(&mappings) } else { &[] },
        sheets: if items.is_empty() { &[] } else { std::slice::from_ref(&sheet) },
    })
}
