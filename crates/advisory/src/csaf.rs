//! CSAF 2.0 and 2.1 advisories: the product tree, and what each vulnerability says of its products.

use crate::{
    Advisory, AdvisoryError, AdvisoryFormat, Affected, AffectedClaim, Remarks, Score, Target, Vers,
    Versions, VulnerabilityId,
    advisory::{AFFECTED_MAX, SUMMARY_CHARACTERS_MAX},
    json::Members as _,
    moment,
    product_tree::{Product, ProductTree},
    remark::RemarkKind,
    text,
    version::Scheme,
};
use crypto::UnixTime;
use serde_json::Value;
use std::collections::HashMap;

const EXPECTED: &str = "a CSAF document";

/// Statuses of the standard (section 3.2.3.9) as claims; `recommended` claims nothing.
const STATUSES: [(&str, AffectedClaim); 7] = [
    ("known_affected", AffectedClaim::Affected),
    ("first_affected", AffectedClaim::Affected),
    ("last_affected", AffectedClaim::Affected),
    ("under_investigation", AffectedClaim::UnderInvestigation),
    ("fixed", AffectedClaim::Fixed),
    ("first_fixed", AffectedClaim::Fixed),
    ("known_not_affected", AffectedClaim::NotAffected),
];

/// What a document says about itself.
pub(crate) struct Header {
    pub(crate) tracking: String,
    pub(crate) title: String,
    pub(crate) publisher: String,
    pub(crate) published: Option<UnixTime>,
    pub(crate) modified: Option<UnixTime>,
    pub(crate) withdrawn: bool,
}

pub(crate) fn header(document: &Value) -> Result<Header, AdvisoryError> {
    let inner = document.get("document").unwrap_or(&Value::Null);
    let version = inner.text("csaf_version").unwrap_or_default();
    if !matches!(version, "2.0" | "2.1") {
        return Err(AdvisoryError::Unsupported(format!(
            "CSAF {}; 2.0 and 2.1 are read",
            text::line(version, 10)
        )));
    }
    let tracking = inner.get("tracking").unwrap_or(&Value::Null);
    let id = tracking.text("id").filter(|id| text::is_plain(id, 200));
    let id = id.ok_or_else(|| AdvisoryError::malformed(EXPECTED, "no document.tracking.id"))?;
    let category = inner.text("category").unwrap_or_default();
    Ok(Header {
        tracking: id.trim().to_owned(),
        title: text::line(inner.text("title").unwrap_or_default(), SUMMARY_CHARACTERS_MAX),
        publisher: text::line(
            inner
                .get("publisher")
                .and_then(|publisher| publisher.text("name"))
                .unwrap_or("unknown"),
            200,
        ),
        published: tracking.text("initial_release_date").and_then(moment::parse),
        modified: tracking.text("current_release_date").and_then(moment::parse),
        withdrawn: matches!(category, "csaf_withdrawn" | "csaf_superseded"),
    })
}

pub(crate) fn read(document: &Value) -> Result<Vec<Advisory>, AdvisoryError> {
    let header = header(document)?;
    let mut remarks = Remarks::default();
    let tree =
        ProductTree::read(document.get("product_tree").unwrap_or(&Value::Null), &mut remarks)?;
    let list = document.list("vulnerabilities");
    let mut advisories = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let mut advisory = vulnerability(&header, &tree, item, index)?;
        // Once is enough.
        if index == 0 {
            let mut all = std::mem::take(&mut remarks);
            all.extend(std::mem::take(&mut advisory.remarks));
            advisory.remarks = all;
        }
        advisories.push(advisory);
    }
    Ok(advisories)
}

/// Ids of a vulnerability: CVE, then those that look like one of a database.
pub(crate) fn ids(item: &Value) -> Vec<VulnerabilityId> {
    let mut ids: Vec<VulnerabilityId> =
        item.text("cve").and_then(VulnerabilityId::new).into_iter().collect();
    for id in item.list("ids").iter().filter_map(|id| id.text("text")) {
        // A bug's number alone would be the same in every tracker.
        let named = id.split_once('-').is_some_and(|(database, number)| {
            database.len() > 1
                && database.starts_with(|first: char| first.is_ascii_uppercase())
                && database.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
                && !number.is_empty()
        });
        if let Some(id) = VulnerabilityId::new(id).filter(|_| named)
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids
}

fn vulnerability(
    header: &Header,
    tree: &ProductTree,
    item: &Value,
    index: usize,
) -> Result<Advisory, AdvisoryError> {
    let place = format!("vulnerabilities[{index}]");
    let mut remarks = Remarks::default();
    let mut ids = ids(item);
    if ids.is_empty() {
        let own = VulnerabilityId::new(&format!("{}#{index}", header.tracking.replace(' ', "-")));
        ids.extend(own);
    }
    let Some((id, aliases)) = ids.split_first() else {
        return Err(AdvisoryError::malformed(EXPECTED, format!("{place}: no id that can be used")));
    };
    let scores = scores(item);
    let remedies = remedies(item, tree);
    let mut affected = Vec::new();
    let status = item.get("product_status").unwrap_or(&Value::Null);
    for (name, claim) in STATUSES {
        for product_id in status.texts(name) {
            let Some(product) = tree.get(product_id) else {
                let detail = format!("{product_id:?} is no product of the tree; left out");
                remarks.add(RemarkKind::Dangling, format!("{place}.product_status.{name}"), detail);
                continue;
            };
            if product.targets.is_empty() {
                let detail = format!(
                    "{:?} has neither package URL nor CPE name, so that nothing can match it",
                    product.name
                );
                remarks.add(RemarkKind::NotUsed, format!("{place}.product_status.{name}"), detail);
                continue;
            }
            if affected.len() + product.targets.len() > AFFECTED_MAX {
                return Err(AdvisoryError::TooLarge {
                    what: "products of a vulnerability",
                    found: affected.len() + product.targets.len(),
                    most: AFFECTED_MAX,
                });
            }
            entries(product, name, claim, &scores, &remedies, product_id, &mut affected);
        }
    }
    pair_ends(&mut affected);
    Ok(Advisory {
        format: AdvisoryFormat::Csaf,
        id: id.clone(),
        document: Some(header.tracking.clone()),
        aliases: aliases.to_vec(),
        upstream: Vec::new(),
        summary: text::line(item.text("title").unwrap_or(&header.title), SUMMARY_CHARACTERS_MAX),
        published: item.text("release_date").and_then(moment::parse).or(header.published),
        modified: header.modified,
        withdrawn: header.withdrawn.then(|| header.modified.unwrap_or_default()),
        scores: scores
            .into_iter()
            .filter(|(_, products)| products.is_empty())
            .map(|(score, _)| score)
            .collect(),
        affected: affected.into_iter().map(|(affected, _)| affected).collect(),
        references: item
            .list("references")
            .iter()
            .filter_map(|reference| reference.text("url"))
            .take(64)
            .map(|url| text::line(url, 500))
            .collect(),
        remarks,
    })
}

/// Which end of a range a status names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Neither,
    First,
    Last,
}

fn entries(
    product: &Product,
    status: &str,
    claim: AffectedClaim,
    scores: &[(Score, Vec<String>)],
    remedies: &HashMap<String, String>,
    id: &str,
    out: &mut Vec<(Affected, End)>,
) {
    let end = match status {
        "first_affected" => End::First,
        "last_affected" => End::Last,
        _ => End::Neither,
    };
    let of_product = |products: &Vec<String>| products.iter().any(|product| product == id);
    let scores: Vec<Score> = scores
        .iter()
        .filter(|(_, products)| of_product(products))
        .map(|(score, _)| score.clone())
        .collect();
    let ends: Vec<String> = match (&product.versions, claim) {
        (Versions::Vers(range), AffectedClaim::Affected) => {
            range.ends().map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    for target in &product.targets {
        let affected = Affected {
            target: target.clone(),
            versions: product.versions_for(target),
            claim,
            platform: product.platform.clone(),
            scores: scores.clone(),
            fixed: ends.clone(),
            remedy: remedies.get(id).cloned(),
        };
        out.push((affected, end));
    }
}

/// First and last affected versions of one product are the ends of a range; one of them alone is
/// open at its other end, because what lies there is not said to be safe.
fn pair_ends(affected: &mut [(Affected, End)]) {
    let exact = |affected: &Affected| match &affected.versions {
        Versions::Exact(version) => Some(version.clone()),
        _ => None,
    };
    let mut paired = Vec::new();
    for index in 0..affected.len() {
        let Some((entry, end)) = affected.get(index) else { continue };
        let Some(version) = exact(entry).filter(|_| *end != End::Neither) else { continue };
        let scheme = match &entry.target {
            Target::Package { ecosystem, .. } => ecosystem.scheme(),
            _ => Scheme::Generic,
        };
        let mut others = affected.iter().filter(|(other, other_end)| {
            *other_end != End::Neither
                && other_end != end
                && other.target == entry.target
                && other.platform == entry.platform
        });
        let partner = match (others.next(), others.next()) {
            (Some((other, _)), None) => exact(other),
            _ => None,
        };
        let words = match (*end, partner) {
            (End::First, Some(last)) => format!(">={version} <={last}"),
            (End::Last, Some(first)) => format!(">={first} <={version}"),
            (End::First, None) => format!(">={version}"),
            _ => format!("<={version}"),
        };
        let versions =
            Vers::from_words(scheme, &words).map_or(Versions::Words(words), Versions::Vers);
        paired.push((index, versions));
    }
    for (index, versions) in paired {
        if let Some((entry, _)) = affected.get_mut(index) {
            entry.versions = versions;
        }
    }
}

/// Scores with the products that they are about: `scores` of 2.0, `metrics` of 2.1.
fn scores(item: &Value) -> Vec<(Score, Vec<String>)> {
    let mut out = Vec::new();
    for entry in item.list("scores").iter().chain(item.list("metrics")) {
        let content = entry.get("content").unwrap_or(entry);
        let products: Vec<String> = entry.texts("products").map(str::to_owned).collect();
        for key in ["cvss_v4", "cvss_v3", "cvss_v2"] {
            let vector = content.get(key).and_then(|cvss| cvss.text("vectorString"));
            if let Some(score) = vector.and_then(Score::parse) {
                out.push((score, products.clone()));
            }
        }
    }
    out
}

/// What the issuer advises, by product.
fn remedies(item: &Value, tree: &ProductTree) -> HashMap<String, String> {
    let mut out = HashMap::new();
    // The first of the strongest kind counts.
    for kind in ["vendor_fix", "workaround", "mitigation", "none_available", "no_fix_planned"] {
        for entry in
            item.list("remediations").iter().filter(|entry| entry.text("category") == Some(kind))
        {
            let words = text::line(entry.text("details").unwrap_or(kind), 300);
            for product in tree.products_of(entry) {
                out.entry(product).or_insert_with(|| words.clone());
            }
        }
    }
    out
}
