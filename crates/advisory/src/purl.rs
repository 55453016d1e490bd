use crate::{AdvisoryError, percent, text};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Longest package URL that is read, in bytes.
pub const PURL_BYTES_MAX: usize = 2_048;
const EXPECTED: &str = "a package URL";

/// A package URL (purl): what a package is, where it comes from, and which version it is.
///
/// Read tolerantly (an unencoded `@scope`, slashes after the scheme), kept in the form that the
/// specification gives each type, so that equal packages are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    /// package type, lower case: `cargo`, `deb`, `maven`
    pub kind: String,
    /// group, scope, vendor or distribution, segments between `/`
    pub namespace: Option<String>,
    /// name
    pub name: String,
    /// version
    pub version: Option<String>,
    /// qualifiers by key, lower case
    pub qualifiers: BTreeMap<String, String>,
    /// path inside the package
    pub subpath: Option<String>,
}

impl FromStr for Purl {
    type Err = AdvisoryError;

    fn from_str(whole: &str) -> Result<Self, AdvisoryError> {
        let bad = |why: &str| AdvisoryError::malformed(EXPECTED, format!("{whole:?}: {why}"));
        let whole = whole.trim();
        if !text::is_plain(whole, PURL_BYTES_MAX) {
            return Err(AdvisoryError::malformed(EXPECTED, "empty, too long or not printable"));
        }
        let rest = match whole.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("pkg") => rest,
            _ => return Err(bad("does not begin with pkg:")),
        };
        let (rest, subpath) = match rest.rsplit_once('#') {
            Some((rest, subpath)) => (rest, Some(subpath)),
            None => (rest, None),
        };
        let (rest, qualifiers) = match rest.split_once('?') {
            Some((rest, qualifiers)) => (rest, Some(qualifiers)),
            None => (rest, None),
        };
        let rest = rest.trim_matches('/');
        let (kind, rest) = rest.split_once('/').ok_or_else(|| bad("no name"))?;
        let kind = kind.to_ascii_lowercase();
        let kind_good = kind.starts_with(|first: char| first.is_ascii_lowercase())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
        if !kind_good {
            return Err(bad("the type is not letters, digits, '.', '-'"));
        }
        // An `@` at the beginning of a segment is an npm scope that nobody encoded.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !path.is_empty() && !path.ends_with('/') => {
                (path, Some(version))
            }
            _ => (rest, None),
        };
        let decode = |part: &str| {
            percent::decode(part)
                .filter(|decoded| decoded.is_empty() || text::is_plain(decoded, PURL_BYTES_MAX))
                .ok_or_else(|| bad("wrong percent-encoding"))
        };
        let mut segments = Vec::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            segments.push(decode(segment)?);
        }
        let name = segments.pop().filter(|name| !name.is_empty()).ok_or_else(|| bad("no name"))?;
        if segments.iter().any(|segment| segment.contains('/')) {
            return Err(bad("an encoded slash in the namespace"));
        }
        let namespace = Some(segments.join("/")).filter(|namespace| !namespace.is_empty());
        let version = version.map(decode).transpose()?.filter(|version| !version.is_empty());
        let mut read = BTreeMap::new();
        for pair in qualifiers.into_iter().flat_map(|text| text.split('&')) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if value.is_empty() {
                continue;
            }
            let key = key.to_ascii_lowercase();
            let good = key.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
            if !good {
                return Err(bad("the key of a qualifier"));
            }
            if read.insert(key, decode(value)?).is_some() {
                return Err(bad("a qualifier stands twice"));
            }
        }
        let mut inside = Vec::new();
        for segment in subpath.into_iter().flat_map(|text| text.split('/')) {
            if matches!(segment, "" | "." | "..") {
                continue;
            }
            let segment = decode(segment)?;
            if matches!(segment.as_str(), "." | "..") || segment.contains('/') {
                return Err(bad("an encoded slash or dot in the subpath"));
            }
            inside.push(segment);
        }
        let subpath = Some(inside.join("/")).filter(|path| !path.is_empty());
        let mut purl = Self { kind, namespace, name, version, qualifiers: read, subpath };
        purl.normalise();
        // Encoding makes it longer, and what is kept must be read again.
        if purl.to_string().len() > PURL_BYTES_MAX {
            return Err(AdvisoryError::malformed(EXPECTED, "too long in its canonical form"));
        }
        Ok(purl)
    }
}

impl Purl {
    /// A qualifier.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.get(key).map(String::as_str)
    }

    /// Whether this package is `pattern`, where version, qualifiers and subpath that the pattern
    /// leaves out may be anything.
    pub fn is_a(&self, pattern: &Self) -> bool {
        self.kind == pattern.kind
            && self.namespace == pattern.namespace
            && self.name == pattern.name
            && (pattern.version.is_none() || self.version == pattern.version)
            && (pattern.subpath.is_none() || self.subpath == pattern.subpath)
            && pattern.qualifiers.iter().all(|(key, value)| self.qualifiers.get(key) == Some(value))
    }

    /// The same package without version, qualifiers and subpath.
    #[must_use]
    pub fn package(&self) -> Self {
        Self { version: None, qualifiers: BTreeMap::new(), subpath: None, ..self.clone() }
    }

    /// Rules of the types (purl-spec, `types`): which of them do not tell case apart.
    fn normalise(&mut self) {
        let lower_both = matches!(
            self.kind.as_str(),
            "alpm"
                | "apk"
                | "bitbucket"
                | "composer"
                | "deb"
                | "github"
                | "gitlab"
                | "golang"
                | "hex"
                | "luarocks"
                | "qpkg"
                | "pypi"
        );
        if lower_both {
            self.name = self.name.to_lowercase();
        }
        if lower_both || self.kind == "rpm" {
            self.namespace = self.namespace.as_ref().map(|namespace| namespace.to_lowercase());
        }
        if self.kind == "pypi" {
            self.name = self.name.replace('_', "-");
        }
    }
}

impl fmt::Display for Purl {
    /// The canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = format!("pkg:{}/", self.kind);
        if let Some(namespace) = &self.namespace {
            percent::encode(namespace, b"/:", &mut out);
            out.push('/');
        }
        percent::encode(&self.name, b":", &mut out);
        if let Some(version) = &self.version {
            out.push('@');
            percent::encode(version, b":", &mut out);
        }
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.push_str(key);
            out.push('=');
            percent::encode(value, b"/:", &mut out);
        }
        if let Some(subpath) = &self.subpath {
            out.push('#');
            percent::encode(subpath, b"/:", &mut out);
        }
        f.write_str(&out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_spelling_becomes_the_canonical_one() {
        let check = |from: &str, to: &str| {
            assert_eq!(
                from.parse::<Purl>().map(|purl| purl.to_string()).as_deref(),
                Ok(to),
                "{from}"
            );
        };
        check("pkg:cargo/serde@1.0.0", "pkg:cargo/serde@1.0.0");
        check("PKG://npm/@angular/core@12.0.0", "pkg:npm/%40angular/core@12.0.0");
        check("pkg:npm/@angular/core", "pkg:npm/%40angular/core");
        check("pkg:pypi/Django_Rest@1.11", "pkg:pypi/django-rest@1.11");
        check(
            "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie&empty=",
            "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
        );
        check("pkg:deb/debian/x@1%3A2.3%2Bb-1", "pkg:deb/debian/x@1:2.3%2Bb-1");
        check("pkg:golang/GitHub.com/A/b@v1#/x/../y/", "pkg:golang/github.com/a/b@v1#x/y");
        check("pkg:maven/org.apache/Lib@1?Type=jar", "pkg:maven/org.apache/Lib@1?type=jar");
        check(
            "pkg:generic/openssl?download_url=https://a.example/o.tgz",
            "pkg:generic/openssl?download_url=https://a.example/o.tgz",
        );
    }

    #[test]
    fn what_is_no_purl_is_refused() {
        for wrong in [
            "",
            "cargo/serde",
            "pkg:",
            "pkg:cargo",
            "pkg:cargo/",
            "pkg:ca rgo/x",
            "pkg:1x/y",
            "pkg:cargo/x@%zz",
            "pkg:cargo/x?1=2",
            "pkg:cargo/x?a=1&A=2",
            "pkg:cargo/%00",
            "pkg:cargo/a\u{202e}b",
            "pkg:cargo/%ff",
        ] {
            assert!(wrong.parse::<Purl>().is_err(), "{wrong}");
        }
        assert!(format!("pkg:cargo/{}", "a".repeat(2_048)).parse::<Purl>().is_err());
    }
}
