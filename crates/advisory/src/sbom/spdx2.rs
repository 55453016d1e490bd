//! SPDX 2.2 and 2.3 (ISO/IEC 5962), the JSON form; tags and values become the same shape first.

use super::{Builder, Component, Sbom, SbomFormat, name};
use crate::{AdvisoryError, json::Members as _, moment, remark::RemarkKind, text};
use serde_json::Value;

/// SPDX's ways to say that nothing is said.
fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !matches!(*text, "NOASSERTION" | "NONE"))
}

pub(super) fn read(document: &Value, format: SbomFormat) -> Result<Sbom, AdvisoryError> {
    let mut builder = Builder::new();
    let version = document.text("spdxVersion").unwrap_or("?");
    if !matches!(version, "SPDX-2.2" | "SPDX-2.3") {
        let detail = format!("version {version:?} is read by the rules of 2.3");
        builder.remarks.add(RemarkKind::NotUsed, "spdxVersion", detail);
    }
    for (index, item) in document.list("packages").iter().enumerate() {
        package(&mut builder, item, &format!("packages[{index}]"))?;
    }
    let files = document.list("files").len() + document.list("snippets").len();
    if files > 0 {
        let detail = format!("{files} files and snippets are no packages; they are not matched");
        builder.remarks.add(RemarkKind::NotUsed, "files", detail);
    }
    let document_id = document.text("SPDXID").unwrap_or("SPDXRef-DOCUMENT").to_owned();
    let mut subjects: Vec<usize> = document
        .texts("documentDescribes")
        .filter_map(|id| builder.by_reference.get(id).copied())
        .collect();
    let mut dependencies: Vec<(usize, Vec<usize>)> = Vec::new();
    for (index, item) in document.list("relationships").iter().enumerate() {
        let place = format!("relationships[{index}]");
        let (from, to) = (item.text("spdxElementId"), item.text("relatedSpdxElement"));
        let (Some(from), Some(to)) = (from, said(to)) else { continue };
        let kind = item.text("relationshipType").unwrap_or_default();
        if kind == "DESCRIBES" && from == document_id {
            subjects.extend(builder.by_reference.get(to));
            continue;
        }
        if kind == "DESCRIBED_BY" && to == document_id {
            subjects.extend(builder.by_reference.get(from));
            continue;
        }
        let Some((whole, part, contained)) = direction(kind, from, to) else { continue };
        // Files stand in relationships too; only packages are components.
        let known = |id: &str| builder.by_reference.contains_key(id);
        if !known(whole) && !known(part) {
            continue;
        }
        let (Some(whole), Some(part)) =
            (known_or_file(&mut builder, whole, &place), known_or_file(&mut builder, part, &place))
        else {
            continue;
        };
        if contained {
            if let Some(component) = builder.components.get_mut(part)
                && component.parent.is_none()
                && whole != part
            {
                component.parent = Some(whole);
            }
        } else {
            match dependencies.iter_mut().rev().take(64).find(|(from, _)| *from == whole) {
                Some((_, on)) => on.push(part),
                None => dependencies.push((whole, vec![part])),
            }
        }
    }
    let creation = document.get("creationInfo").unwrap_or(&Value::Null);
    Ok(Sbom {
        format,
        name: name(document.text("name")),
        serial: name(document.text("documentNamespace")),
        created: creation.text("created").and_then(moment::parse),
        creators: creation
            .texts("creators")
            .take(super::PER_COMPONENT_MAX)
            .map(|creator| text::line(creator, 200))
            .collect(),
        subject: subjects.first().copied(),
        components: builder.components,
        dependencies,
        compositions: Vec::new(),
        statements: Vec::new(),
        remarks: builder.remarks,
    })
}

fn known_or_file(builder: &mut Builder, id: &str, place: &str) -> Option<usize> {
    let file = id.starts_with("SPDXRef-File") || id.starts_with("SPDXRef-DOCUMENT");
    if file { builder.by_reference.get(id).copied() } else { builder.resolve(id, place) }
}

/// Whole, part, and whether the part is contained (else needed).
fn direction<'a>(kind: &str, from: &'a str, to: &'a str) -> Option<(&'a str, &'a str, bool)> {
    Some(match kind {
        "CONTAINS" => (from, to, true),
        "CONTAINED_BY" => (to, from, true),
        "DEPENDS_ON" | "STATIC_LINK" | "DYNAMIC_LINK" | "HAS_PREREQUISITE" => (from, to, false),
        "PREREQUISITE_FOR" => (to, from, false),
        kind if kind.ends_with("DEPENDENCY_OF") => (to, from, false),
        _ => return None,
    })
}

fn package(builder: &mut Builder, item: &Value, place: &str) -> Result<(), AdvisoryError> {
    let Some(given) = name(item.text("name")) else {
        builder.remarks.add(RemarkKind::Malformed, place, "a package without a name; left out");
        return Ok(());
    };
    let supplier = said(item.text("supplier")).or_else(|| said(item.text("originator")));
    let mut out = Component {
        reference: name(item.text("SPDXID")).unwrap_or_default(),
        kind: item
            .text("primaryPackagePurpose")
            .map_or_else(|| "library".to_owned(), |kind| text::line(&kind.to_lowercase(), 40)),
        name: given,
        version: name(said(item.text("versionInfo"))),
        supplier: name(supplier.map(|text| {
            text.trim_start_matches("Organization:").trim_start_matches("Person:").trim()
        })),
        ..Component::default()
    };
    for (index, reference) in item.list("externalRefs").iter().enumerate() {
        let place = format!("{place}.externalRefs[{index}]");
        let locator = reference.text("referenceLocator");
        match reference.text("referenceType").unwrap_or_default().rsplit('/').next() {
            Some("purl") => {
                let purl = builder.purl(locator, &place);
                if out.purl.is_none() {
                    out.purl = purl;
                } else if purl.is_some() && purl != out.purl {
                    builder.remarks.add(RemarkKind::NotUsed, &place, "a second package URL");
                }
            }
            Some("cpe23Type" | "cpe22Type") => {
                if let Some(cpe) = builder.cpe(locator, &place) {
                    builder.push(&mut out.cpes, cpe, &place);
                }
            }
            _ => {}
        }
    }
    for hash in item.list("checksums") {
        let digest = hash.text("checksumValue").unwrap_or_default();
        if let Some(hash) = builder.hash(hash.text("algorithm").unwrap_or_default(), digest, place)
        {
            builder.push(&mut out.hashes, hash, place);
        }
    }
    for key in ["licenseConcluded", "licenseDeclared"] {
        if let Some(licence) = name(said(item.text(key))) {
            builder.push(&mut out.licences, licence, place);
        }
    }
    if let Some(url) = name(said(item.text("downloadLocation")))
        && (url.starts_with("git") || url.contains(".git"))
    {
        builder.push(&mut out.repositories, url, place);
    }
    builder.add(out, place).map(|_| ())
}
