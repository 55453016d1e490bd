//! SPDX 2 as tags and values, turned into the shape of its JSON.

use super::{Sbom, SbomFormat, spdx2};
use crate::{AdvisoryError, text};
use serde_json::{Map, Value, json};

const EXPECTED: &str = "SPDX tag-value";

/// Most packages and relationships: bounds memory before the components are counted.
const ENTRIES_MAX: usize = 2_000_000;

pub(super) fn read(bytes: &[u8]) -> Result<Sbom, AdvisoryError> {
    let source = std::str::from_utf8(bytes)
        .map_err(|_| AdvisoryError::malformed(EXPECTED, "not UTF-8"))?
        .trim_start_matches('\u{feff}');
    let mut document = Map::new();
    let (mut packages, mut relationships, mut creators) = (Vec::new(), Vec::new(), Vec::new());
    let mut files = Vec::new();
    let mut created = Value::Null;
    let mut package: Option<Map<String, Value>> = None;
    // Tags after a file or snippet are the file's, until the next package.
    let mut in_file = false;
    for pair in pairs(source) {
        let (tag, value) = pair?;
        if packages.len() + relationships.len() + files.len() > ENTRIES_MAX {
            return Err(AdvisoryError::malformed(
                EXPECTED,
                format!("more than {ENTRIES_MAX} entries"),
            ));
        }
        match tag {
            "SPDXVersion" => {
                document.insert("spdxVersion".to_owned(), value.into());
            }
            "DocumentNamespace" => {
                document.insert("documentNamespace".to_owned(), value.into());
            }
            "DocumentName" => {
                document.insert("name".to_owned(), value.into());
            }
            "Creator" => creators.push(Value::from(value)),
            "Created" => created = value.into(),
            "PackageName" => {
                packages.extend(package.take().map(Value::Object));
                package = Some(Map::from_iter([("name".to_owned(), Value::from(value))]));
                in_file = false;
            }
            "FileName" | "SnippetSPDXID" => {
                files.push(Value::Null);
                in_file = true;
            }
            "Relationship" => {
                let mut words = value.split_whitespace();
                relationships.push(json!({
                    "spdxElementId": words.next(),
                    "relationshipType": words.next(),
                    "relatedSpdxElement": words.next(),
                }));
            }
            _ if in_file => {}
            tag => match &mut package {
                Some(package) => field(package, tag, &value),
                None if tag == "SPDXID" => {
                    document.insert(tag.to_owned(), value.into());
                }
                None => {}
            },
        }
    }
    packages.extend(package.take().map(Value::Object));
    let Some(version) = document.get("spdxVersion").and_then(Value::as_str) else {
        return Err(AdvisoryError::Unsupported("text without SPDXVersion".to_owned()));
    };
    let format = SbomFormat::Spdx2Tag(text::line(version.trim_start_matches("SPDX-"), 10));
    document.insert("creationInfo".to_owned(), json!({"created": created, "creators": creators}));
    document.insert("packages".to_owned(), packages.into());
    document.insert("files".to_owned(), files.into());
    document.insert("relationships".to_owned(), relationships.into());
    spdx2::read(&Value::Object(document), format)
}

fn field(package: &mut Map<String, Value>, tag: &str, value: &str) {
    let mut set = |key: &str| {
        package.insert(key.to_owned(), value.into());
    };
    match tag {
        "SPDXID" => set("SPDXID"),
        "PackageVersion" => set("versionInfo"),
        "PackageSupplier" => set("supplier"),
        "PackageOriginator" => set("originator"),
        "PackageDownloadLocation" => set("downloadLocation"),
        "PackageLicenseConcluded" => set("licenseConcluded"),
        "PackageLicenseDeclared" => set("licenseDeclared"),
        "PrimaryPackagePurpose" => set("primaryPackagePurpose"),
        "ExternalRef" => {
            let mut words = value.split_whitespace();
            let reference = json!({
                "referenceCategory": words.next(),
                "referenceType": words.next(),
                "referenceLocator": words.next(),
            });
            push(package, "externalRefs", reference);
        }
        "PackageChecksum" => {
            let (algorithm, digest) = value.split_once(':').unwrap_or((value, ""));
            let hash = json!({"algorithm": algorithm.trim(), "checksumValue": digest.trim()});
            push(package, "checksums", hash);
        }
        _ => {}
    }
}

fn push(package: &mut Map<String, Value>, key: &str, value: Value) {
    let list = package.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.push(value);
    }
}

/// Tags with their values; `<text>` and `</text>` enclose values of several lines.
fn pairs(source: &str) -> impl Iterator<Item = Result<(&str, String), AdvisoryError>> {
    let mut lines = source.lines().enumerate();
    std::iter::from_fn(move || {
        loop {
            let (number, line) = lines.next()?;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad =
                |why| AdvisoryError::malformed(EXPECTED, format!("line {}: {why}", number + 1));
            let Some((tag, value)) = line.split_once(':') else {
                return Some(Err(bad("no tag before a colon")));
            };
            let value = value.trim();
            let Some(begun) = value.strip_prefix("<text>") else {
                return Some(Ok((tag.trim(), value.to_owned())));
            };
            let mut whole = begun.to_owned();
            let mut ended = begun.contains("</text>");
            while !ended {
                let Some((_, more)) = lines.next() else {
                    return Some(Err(bad("<text> without end")));
                };
                // Only the new line is searched: the whole would be searched once per line.
                ended = more.contains("</text>");
                whole.push('\n');
                whole.push_str(more);
            }
            let value = whole.split("</text>").next().unwrap_or_default().trim().to_owned();
            return Some(Ok((tag.trim(), value)));
        }
    })
}
