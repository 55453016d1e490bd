//! CSAF's product tree (section 3.2.2): branches, full product names, relationships, groups.

use crate::{
    AdvisoryError, Cpe, Ecosystem, Platform, Purl, Remarks, Target, Vers, Versions,
    json::Members as _, remark::RemarkKind, sbom::hash_name, text, version::Scheme,
};
use serde_json::Value;
use std::collections::HashMap;

/// Most products of one tree.
const PRODUCTS_MAX: usize = 200_000;

/// A product with what it can be recognised by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) purl: Option<Purl>,
    pub(crate) cpe: Option<Cpe>,
    pub(crate) hashes: Vec<(String, String)>,
    pub(crate) targets: Vec<Target>,
    pub(crate) versions: Versions,
    pub(crate) platform: Option<Platform>,
    /// the product that it is a part of or runs on
    pub(crate) within: Option<Box<Product>>,
}

impl Product {
    /// The versions as this target compares them.
    pub(crate) fn versions_for(&self, target: &Target) -> Versions {
        match (target, &self.versions) {
            // The name itself has the version, with the wildcards of its own.
            (Target::Cpe(cpe), Versions::Exact(_))
                if self.purl.is_none() && *cpe.version() != crate::Attribute::Any =>
            {
                Versions::All
            }
            (Target::Package { ecosystem, .. }, Versions::Vers(range)) => {
                Versions::Vers(range.clone().under(ecosystem.scheme()))
            }
            (_, versions) => versions.clone(),
        }
    }
}

pub(crate) struct ProductTree {
    products: HashMap<String, Product>,
    groups: HashMap<String, Vec<String>>,
}

impl ProductTree {
    pub(crate) fn get(&self, id: &str) -> Option<&Product> {
        self.products.get(id)
    }

    /// The products that an entry names by id and by group.
    pub(crate) fn products_of(&self, entry: &Value) -> Vec<String> {
        let groups =
            entry.texts("group_ids").filter_map(|id| self.groups.get(id)).flatten().cloned();
        entry.texts("product_ids").map(str::to_owned).chain(groups).collect()
    }

    pub(crate) fn read(tree: &Value, remarks: &mut Remarks) -> Result<Self, AdvisoryError> {
        let mut out = Self { products: HashMap::new(), groups: HashMap::new() };
        for item in tree.list("full_product_names") {
            out.add(item, None, None, remarks)?;
        }
        out.branches(tree.list("branches"), None, remarks)?;
        for (index, item) in tree.list("relationships").iter().enumerate() {
            out.relationship(item, &format!("product_tree.relationships[{index}]"), remarks)?;
        }
        for item in tree.list("product_groups") {
            if let Some(id) = item.text("group_id") {
                let products = item.texts("product_ids").map(str::to_owned).collect();
                out.groups.insert(id.to_owned(), products);
            }
        }
        Ok(out)
    }

    // The depth is that of the JSON document, which is limited.
    fn branches(
        &mut self,
        branches: &[Value],
        version: Option<&Value>,
        remarks: &mut Remarks,
    ) -> Result<(), AdvisoryError> {
        for branch in branches {
            let category = branch.text("category").unwrap_or_default();
            let of_version = matches!(category, "product_version" | "product_version_range");
            let version = if of_version { Some(branch) } else { version };
            if let Some(product) = branch.get("product") {
                self.add(product, version, None, remarks)?;
            }
            self.branches(branch.list("branches"), version, remarks)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        item: &Value,
        version: Option<&Value>,
        base: Option<Product>,
        remarks: &mut Remarks,
    ) -> Result<(), AdvisoryError> {
        let place = "product_tree";
        let Some(id) = item.text("product_id") else {
            remarks.add(RemarkKind::Malformed, place, "a product without product_id; left out");
            return Ok(());
        };
        if self.products.len() >= PRODUCTS_MAX {
            return Err(AdvisoryError::TooLarge {
                what: "products of a tree",
                found: PRODUCTS_MAX + 1,
                most: PRODUCTS_MAX,
            });
        }
        if self.products.contains_key(id) {
            let detail = format!("the product {id:?} is defined twice; the first counts");
            remarks.add(RemarkKind::Duplicate, place, detail);
            return Ok(());
        }
        let helper = item.get("product_identification_helper").unwrap_or(&Value::Null);
        let mut purls = Vec::new();
        for text in helper.text("purl").into_iter().chain(helper.texts("purls")) {
            match text.parse::<Purl>() {
                Ok(purl) => purls.push(purl),
                Err(error) => remarks.add(RemarkKind::Malformed, place, error.to_string()),
            }
        }
        let cpe = helper.text("cpe").and_then(|text| match text.parse::<Cpe>() {
            Ok(cpe) => Some(cpe),
            Err(error) => {
                remarks.add(RemarkKind::Malformed, place, error.to_string());
                None
            }
        });
        let hashes = helper
            .list("hashes")
            .iter()
            .flat_map(|entry| entry.list("file_hashes"))
            .filter_map(|hash| {
                let digest = hash.text("value")?.trim().to_ascii_lowercase();
                Some((hash_name(hash.text("algorithm")?), digest))
            })
            .take(64)
            .collect();
        let name = text::line(item.text("name").unwrap_or(id), 300);
        let mut product = base.unwrap_or_else(|| Product {
            name: name.clone(),
            purl: None,
            cpe: None,
            hashes: Vec::new(),
            targets: Vec::new(),
            versions: Versions::All,
            platform: None,
            within: None,
        });
        product.name = name;
        if !purls.is_empty() || cpe.is_some() {
            product.targets =
                purls.iter().map(package).chain(cpe.clone().map(Target::Cpe)).collect();
            product.versions = versions(purls.first(), cpe.as_ref(), version);
            product.purl = purls.into_iter().next();
            product.cpe = cpe;
            product.hashes = hashes;
        } else if !hashes.is_empty() {
            product.hashes = hashes;
        }
        self.products.insert(id.to_owned(), product);
        Ok(())
    }

    fn relationship(
        &mut self,
        item: &Value,
        place: &str,
        remarks: &mut Remarks,
    ) -> Result<(), AdvisoryError> {
        let mut find = |key: &str| {
            let id = item.text(key).unwrap_or_default();
            let found = self.products.get(id).cloned();
            if found.is_none() {
                remarks.add(RemarkKind::Dangling, place, format!("{id:?} is no product; left out"));
            }
            found
        };
        let (Some(part), Some(whole)) =
            (find("product_reference"), find("relates_to_product_reference"))
        else {
            return Ok(());
        };
        let mut base = part;
        base.platform = Some(Platform { name: whole.name.clone(), cpe: whole.cpe.clone() });
        // Chains of relationships keep the last whole only: what it is a part of in the end.
        base.within = Some(Box::new(Product { within: None, ..whole }));
        let Some(full) = item.get("full_product_name") else {
            remarks.add(RemarkKind::Malformed, place, "no full_product_name; left out");
            return Ok(());
        };
        self.add(full, None, Some(base), remarks)
    }
}

fn package(purl: &Purl) -> Target {
    let ecosystem = Ecosystem::from_purl(purl);
    let name = ecosystem.normalised(&Ecosystem::package_name(purl));
    Target::Package { ecosystem, name, release: purl.qualifier("distro").map(str::to_owned) }
}

/// The versions: of the package URL, else of the branch, else of the CPE name, else all.
fn versions(purl: Option<&Purl>, cpe: Option<&Cpe>, branch: Option<&Value>) -> Versions {
    if let Some(purl) = purl
        && let Some(version) = &purl.version
    {
        let epoch =
            purl.qualifier("epoch").filter(|_| purl.kind == "rpm" && !version.contains(':'));
        return Versions::Exact(match epoch {
            Some(epoch) => format!("{epoch}:{version}"),
            None => version.clone(),
        });
    }
    let scheme = purl.map_or(Scheme::Generic, |purl| Ecosystem::from_purl(purl).scheme());
    let Some(branch) = branch else { return Versions::All };
    let name = branch.text("name").unwrap_or_default();
    if branch.text("category") == Some("product_version") {
        let in_cpe = cpe.is_some_and(|cpe| *cpe.version() != crate::Attribute::Any);
        return if in_cpe && purl.is_none() {
            Versions::All
        } else {
            Versions::Exact(text::line(name, 256))
        };
    }
    let range = name.parse::<Vers>().ok().map(|range| range.under(scheme));
    match range.or_else(|| Vers::from_words(scheme, name)) {
        Some(range) if range.is_all() => Versions::All,
        Some(range) => Versions::Vers(range),
        None => Versions::Words(text::line(name, 200)),
    }
}
