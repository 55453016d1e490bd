//! CSAF as VEX (profile 5): what a document says of each product becomes a statement.

use super::{Claim, Justification, Product, Statement, Status, VersionClaim};
use crate::{
    AdvisoryError, Remarks, Versions,
    csaf::{header, ids},
    json::Members as _,
    product_tree::{self, ProductTree},
    remark::RemarkKind,
    text,
};
use serde_json::Value;
use std::collections::HashMap;

pub(super) fn read(document: &Value) -> Result<(Vec<Statement>, Remarks), AdvisoryError> {
    let header = header(document)?;
    let mut remarks = Remarks::default();
    let mut statements = Vec::new();
    if header.withdrawn {
        remarks.add(
            RemarkKind::NotUsed,
            "document.category",
            "withdrawn: it says nothing any more",
        );
        return Ok((statements, remarks));
    }
    let tree =
        ProductTree::read(document.get("product_tree").unwrap_or(&Value::Null), &mut remarks)?;
    for (index, item) in document.list("vulnerabilities").iter().enumerate() {
        let place = format!("vulnerabilities[{index}]");
        let ids = ids(item);
        let Some((id, aliases)) = ids.split_first() else {
            remarks.add(RemarkKind::Malformed, &place, "no id that can be used; left out");
            continue;
        };
        let by_product = |list: &str, word: &dyn Fn(&Value) -> Option<String>| {
            let mut out: HashMap<String, String> = HashMap::new();
            for entry in item.list(list) {
                let Some(word) = word(entry) else { continue };
                for product in tree.products_of(entry) {
                    out.entry(product).or_insert_with(|| word.clone());
                }
            }
            out
        };
        let flags = by_product("flags", &|entry| Some(entry.text("label")?.to_owned()));
        let impacts = by_product("threats", &|entry| {
            (entry.text("category") == Some("impact"))
                .then(|| text::line(entry.text("details").unwrap_or_default(), 500))
        });
        let actions = by_product("remediations", &|entry| {
            Some(text::line(entry.text("details").or(entry.text("category"))?, 500))
        });
        let product_status = item.get("product_status").unwrap_or(&Value::Null);
        for name in [
            "known_not_affected",
            "fixed",
            "first_fixed",
            "known_affected",
            "first_affected",
            "last_affected",
            "under_investigation",
        ] {
            for product_id in product_status.texts(name) {
                let place = format!("{place}.product_status.{name}");
                let status = match name {
                    "known_not_affected" => Status::NotAffected {
                        justification: flags
                            .get(product_id)
                            .and_then(|label| Justification::from_openvex(label)),
                        impact: impacts.get(product_id).cloned(),
                    },
                    "fixed" | "first_fixed" => Status::Fixed,
                    "under_investigation" => Status::UnderInvestigation,
                    _ => Status::Affected { action: actions.get(product_id).cloned() },
                };
                let Some(product) = tree.get(product_id).and_then(product) else {
                    let detail = format!("{product_id:?} cannot be recognised; left out");
                    remarks.add(RemarkKind::Dangling, place, detail);
                    continue;
                };
                let claim = Claim {
                    vulnerability: id.clone(),
                    aliases: aliases.to_vec(),
                    products: vec![product],
                    status,
                    author: header.publisher.clone(),
                    at: header.modified,
                    expires: None,
                    detail: None,
                };
                match Statement::new(claim) {
                    Ok(statement) => statements.push(statement),
                    Err(error) => remarks.add(RemarkKind::Refused, place, error.to_string()),
                }
            }
        }
    }
    Ok((statements, remarks))
}

/// `None` where nothing names it, or where its versions are words: a statement about "some versions"
/// must not silence all of them.
fn product(of: &product_tree::Product) -> Option<Product> {
    let part = alone(of)?;
    match &of.within {
        Some(whole) => {
            let whole = alone(whole)?;
            Some(Product { subcomponents: vec![part], ..whole })
        }
        None => Some(part),
    }
}

fn alone(of: &product_tree::Product) -> Option<Product> {
    let named = of.purl.is_some() || of.cpe.is_some() || !of.hashes.is_empty();
    let versions = match &of.versions {
        Versions::All => Vec::new(),
        // A package URL with the version compares it itself.
        Versions::Exact(_) if of.purl.as_ref().is_some_and(|purl| purl.version.is_some()) => {
            Vec::new()
        }
        Versions::Exact(version) => vec![VersionClaim::Exact(version.clone())],
        Versions::Vers(range) if range.to_string().starts_with("vers:") => {
            vec![VersionClaim::Range(range.to_string())]
        }
        _ => return None,
    };
    named.then(|| Product {
        purl: of.purl.clone(),
        cpe: of.cpe.clone(),
        hashes: of.hashes.clone(),
        reference: None,
        versions,
        subcomponents: Vec::new(),
    })
}
