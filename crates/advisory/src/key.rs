use crate::{
    Attribute, Component, Cpe, Ecosystem, Product, Purl,
    cpe::{has_wildcard, unquoted},
};
use std::fmt;

/// Where a component and an advisory meet. Both have a few keys; where none is shared, the advisory
/// does not speak of the component, so that a table of keys is an index for both directions.
///
/// As text: `crates.io|serde`, `cpe|openssl|openssl`, `git|github.com/openssl/openssl`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchKey(Box<str>);

impl MatchKey {
    /// A package of an ecosystem.
    pub fn package(ecosystem: &Ecosystem, name: &str) -> Self {
        Self(format!("{}|{}", ecosystem.name(), ecosystem.normalised(name)).into())
    }

    /// A repository, by its URL; `None` for what is no repository on a host.
    pub fn repository(url: &str) -> Option<Self> {
        let rest = url.trim().split_once("://").map_or(url.trim(), |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        // `git@github.com:owner/name`, and a commit after the name.
        let rest = rest
            .rsplit_once('@')
            .map_or(rest, |(before, after)| if before.contains('/') { before } else { after });
        let rest = rest.replacen(':', "/", 1);
        let rest = rest.trim_matches('/');
        let rest = rest.strip_suffix(".git").unwrap_or(rest).trim_end_matches('/');
        let (host, path) = rest.split_once('/')?;
        let good = host.contains('.') && !path.is_empty() && crate::text::is_plain(rest, 512);
        good.then(|| Self(format!("git|{}", rest.to_lowercase()).into()))
    }

    /// The keys under which an advisory about a CPE name is found.
    pub(crate) fn of_advisory_cpe(cpe: &Cpe) -> Vec<Self> {
        let Some(product) = plain(cpe.product()) else { return vec![Self("cpe".into())] };
        let vendor = match cpe.vendor() {
            Attribute::Any => "*".to_owned(),
            Attribute::NotApplicable => "-".to_owned(),
            Attribute::Text(text) if has_wildcard(text) => "*".to_owned(),
            Attribute::Text(text) => unquoted(text),
        };
        vec![
            Self(format!("cpe|{vendor}|{product}").into()),
            Self(format!("cpe-product|{product}").into()),
        ]
    }

    /// The keys that a component with a CPE name has.
    fn of_component_cpe(cpe: &Cpe, keys: &mut Vec<Self>) {
        keys.push(Self("cpe".into()));
        let Some(product) = plain(cpe.product()) else { return };
        match cpe.vendor() {
            Attribute::Text(vendor) => {
                keys.push(Self(format!("cpe|{}|{product}", unquoted(vendor)).into()));
                keys.push(Self(format!("cpe|*|{product}").into()));
            }
            Attribute::NotApplicable => {
                keys.push(Self(format!("cpe|-|{product}").into()));
                keys.push(Self(format!("cpe|*|{product}").into()));
            }
            Attribute::Any => keys.push(Self(format!("cpe-product|{product}").into())),
        }
    }

    /// The key of a package URL's package.
    pub fn of_purl(purl: &Purl) -> Self {
        Self::package(&Ecosystem::from_purl(purl), &Ecosystem::package_name(purl))
    }

    /// Every key of a component, each once.
    pub fn of_component(component: &Component) -> Vec<Self> {
        let mut keys = Vec::new();
        if let Some(purl) = &component.purl {
            keys.push(Self::of_purl(purl));
            let ecosystem = Ecosystem::from_purl(purl);
            if let Some((source, _)) = component.source_package() {
                keys.push(Self::package(&ecosystem, source));
            }
            if let ("github" | "gitlab" | "bitbucket", Some(owner)) =
                (purl.kind.as_str(), &purl.namespace)
            {
                let host = if purl.kind == "bitbucket" { "bitbucket.org" } else { &purl.kind };
                let host = if host.contains('.') { host.to_owned() } else { format!("{host}.com") };
                keys.extend(Self::repository(&format!("{host}/{owner}/{}", purl.name)));
                if purl.kind == "github" {
                    let actions = Ecosystem::from_osv("GitHub Actions").0;
                    keys.push(Self::package(&actions, &format!("{owner}/{}", purl.name)));
                }
            }
            if purl.kind == "golang" {
                keys.extend(Self::repository(&Ecosystem::package_name(purl)));
            }
        }
        for cpe in &component.cpes {
            Self::of_component_cpe(cpe, &mut keys);
        }
        keys.extend(component.repositories.iter().filter_map(|url| Self::repository(url)));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Keys of which every component that a VEX statement names has one; `None` where the statement
    /// names it by hash or reference only, so that keys do not lead to it.
    pub fn of_product(product: &Product) -> Option<Vec<Self>> {
        if let Some(purl) = &product.purl {
            return Some(vec![Self::of_purl(purl)]);
        }
        product.cpe.as_ref().map(Self::of_advisory_cpe)
    }

    /// The text, for a table.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn plain(attribute: &Attribute) -> Option<String> {
    match attribute {
        Attribute::Text(text) if !has_wildcard(text) => Some(unquoted(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_one_key() {
        for url in [
            "https://github.com/OpenSSL/openssl.git",
            "git+https://github.com/openssl/openssl",
            "git@github.com:openssl/openssl.git",
            "ssh://git@github.com/openssl/openssl",
            "https://github.com/openssl/openssl/",
            "git+https://github.com/openssl/openssl.git@0123abc",
        ] {
            let key = MatchKey::repository(url).unwrap();
            let bare = key.as_str().replace(".git", "");
            assert_eq!(bare, "git|github.com/openssl/openssl", "{url}");
        }
        for wrong in ["", "openssl", "https://github.com", "file:///tmp/x"] {
            assert_eq!(MatchKey::repository(wrong), None, "{wrong}");
        }
    }
}
