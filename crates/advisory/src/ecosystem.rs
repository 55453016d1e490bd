use crate::{Purl, version::Scheme};
use std::{borrow::Cow, fmt};

/// A name space of packages with one order of versions: an ecosystem of OSV, or the type of a
/// package URL where OSV has none. Without a distribution's release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ecosystem(Cow<'static, str>);

struct Row {
    osv: &'static str,
    kind: &'static str,
    namespace: Option<&'static str>,
    scheme: Scheme,
}

const fn row(
    osv: &'static str,
    kind: &'static str,
    namespace: Option<&'static str>,
    scheme: Scheme,
) -> Row {
    Row { osv, kind, namespace, scheme }
}

/// OSV's ecosystems, their package URLs and the order of their versions.
const TABLE: &[Row] = &[
    row("crates.io", "cargo", None, Scheme::SemVer),
    row("npm", "npm", None, Scheme::SemVer),
    row("Go", "golang", None, Scheme::Go),
    row("PyPI", "pypi", None, Scheme::Pep440),
    row("Maven", "maven", None, Scheme::Maven),
    row("NuGet", "nuget", None, Scheme::NuGet),
    row("RubyGems", "gem", None, Scheme::RubyGems),
    row("Packagist", "composer", None, Scheme::Composer),
    row("Hex", "hex", None, Scheme::SemVer),
    row("Pub", "pub", None, Scheme::Pub),
    row("Hackage", "hackage", None, Scheme::Dotted),
    row("CRAN", "cran", None, Scheme::Dotted),
    row("SwiftURL", "swift", None, Scheme::SemVer),
    row("ConanCenter", "conan", None, Scheme::Generic),
    row("Bitnami", "bitnami", None, Scheme::SemVer),
    row("Julia", "julia", None, Scheme::SemVer),
    row("GitHub Actions", "githubactions", None, Scheme::SemVer),
    row("Debian", "deb", Some("debian"), Scheme::Dpkg),
    row("Ubuntu", "deb", Some("ubuntu"), Scheme::Dpkg),
    row("Echo", "deb", Some("echo"), Scheme::Dpkg),
    row("Alpine", "apk", Some("alpine"), Scheme::Apk),
    row("Wolfi", "apk", Some("wolfi"), Scheme::Apk),
    row("Chainguard", "apk", Some("chainguard"), Scheme::Apk),
    row("MinimOS", "apk", Some("minimos"), Scheme::Apk),
    row("Alpaquita", "apk", Some("alpaquita"), Scheme::Apk),
    row("BellSoft Hardened Containers", "apk", Some("bellsoft-hardened-containers"), Scheme::Apk),
    row("Red Hat", "rpm", Some("redhat"), Scheme::Rpm),
    row("Rocky Linux", "rpm", Some("rocky-linux"), Scheme::Rpm),
    row("AlmaLinux", "rpm", Some("almalinux"), Scheme::Rpm),
    row("SUSE", "rpm", Some("suse"), Scheme::Rpm),
    row("openSUSE", "rpm", Some("opensuse"), Scheme::Rpm),
    row("Mageia", "rpm", Some("mageia"), Scheme::Rpm),
    row("openEuler", "rpm", Some("openeuler"), Scheme::Rpm),
    row("Azure Linux", "rpm", Some("azure-linux"), Scheme::Rpm),
    row("Photon OS", "rpm", Some("photon"), Scheme::Rpm),
    row("Linux", "", None, Scheme::Generic),
    row("OSS-Fuzz", "", None, Scheme::Generic),
    row("Android", "", None, Scheme::Unknown),
    row("GIT", "", None, Scheme::Unknown),
];

/// Spellings of a distribution in package URLs, beside that of the table.
const NAMESPACES: &[(&str, &str)] = &[
    ("rocky", "rocky-linux"),
    ("rockylinux", "rocky-linux"),
    ("alma", "almalinux"),
    ("rhel", "redhat"),
    ("red-hat", "redhat"),
    ("azurelinux", "azure-linux"),
    ("mariner", "azure-linux"),
    ("sles", "suse"),
];

impl Ecosystem {
    /// From OSV's `ecosystem`, with the release after the first colon.
    pub fn from_osv(text: &str) -> (Self, Option<String>) {
        let (name, release) = match text.split_once(':') {
            Some((name, release)) => (name, Some(release.trim().to_owned())),
            None => (text, None),
        };
        let release = release.filter(|release| !release.is_empty());
        let known = TABLE.iter().find(|row| row.osv.eq_ignore_ascii_case(name.trim()));
        let name = known.map_or_else(
            || Cow::Owned(name.trim().to_ascii_lowercase()),
            |row| Cow::Borrowed(row.osv),
        );
        (Self(name), release)
    }

    /// From a package URL.
    pub fn from_purl(purl: &Purl) -> Self {
        let namespace = purl.namespace.as_deref();
        let namespace = namespace.map(|namespace| {
            let other = NAMESPACES.iter().find(|(spelling, _)| *spelling == namespace);
            other.map_or(namespace, |(_, name)| *name)
        });
        let known = TABLE.iter().find(|row| {
            row.kind == purl.kind && (row.namespace.is_none() || row.namespace == namespace)
        });
        if let Some(row) = known {
            return Self(Cow::Borrowed(row.osv));
        }
        Self(Cow::Owned(match (purl.kind.as_str(), namespace) {
            ("deb" | "apk" | "rpm", Some(namespace)) => format!("{}/{namespace}", purl.kind),
            (kind, _) => kind.to_owned(),
        }))
    }

    /// The name: OSV's, else the type of the package URL.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// How its versions are ordered.
    pub fn scheme(&self) -> Scheme {
        if let Some(row) = TABLE.iter().find(|row| row.osv == self.0) {
            return row.scheme;
        }
        match self.0.split('/').next().unwrap_or_default() {
            "deb" => Scheme::Dpkg,
            "apk" => Scheme::Apk,
            "rpm" => Scheme::Rpm,
            "generic" | "github" | "gitlab" | "bitbucket" => Scheme::Generic,
            _ => Scheme::Unknown,
        }
    }

    /// Whether packages are those of a distribution, where a release and a source package count.
    pub fn is_distribution(&self) -> bool {
        matches!(self.scheme(), Scheme::Dpkg | Scheme::Rpm | Scheme::Apk)
    }

    /// A package's name as this ecosystem compares it.
    pub fn normalised(&self, name: &str) -> String {
        match self.name() {
            "PyPI" => {
                // PEP 503: runs of '-', '_' and '.' are one '-'.
                let mut out = String::with_capacity(name.len());
                for character in name.chars() {
                    match character {
                        '-' | '_' | '.' if out.ends_with('-') => {}
                        '-' | '_' | '.' => out.push('-'),
                        other => out.extend(other.to_lowercase()),
                    }
                }
                out
            }
            // crates.io takes one of `a-b` and `a_b` only, in any case.
            "crates.io" => name.to_lowercase().replace('_', "-"),
            "NuGet" | "Packagist" | "Hex" | "Go" | "npm" | "GitHub Actions" | "SwiftURL" => {
                name.to_lowercase()
            }
            _ if self.is_distribution() => name.to_lowercase(),
            _ => name.to_owned(),
        }
    }

    /// The name of a package URL's package as OSV writes it.
    pub fn package_name(purl: &Purl) -> String {
        match (purl.kind.as_str(), &purl.namespace) {
            ("deb" | "apk" | "rpm", _) | (_, None) => purl.name.clone(),
            ("maven", Some(namespace)) => format!("{namespace}:{}", purl.name),
            (_, Some(namespace)) => format!("{namespace}/{}", purl.name),
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Code names of releases.
const CODE_NAMES: &[(&str, &str)] = &[
    ("wheezy", "7"),
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
    ("trusty", "14.04"),
    ("xenial", "16.04"),
    ("bionic", "18.04"),
    ("focal", "20.04"),
    ("jammy", "22.04"),
    ("noble", "24.04"),
    ("oracular", "24.10"),
    ("plucky", "25.04"),
    ("questing", "25.10"),
];

/// Whether the release that an advisory speaks of is the one that a component comes from (the
/// qualifier `distro`, such as `debian-12` or `alpine-3.18.4`); `None` where it cannot be told.
pub(crate) fn same_release(advisory: &str, component: &str) -> Option<bool> {
    let (advisory, component) = (release(advisory), release(component));
    if advisory.is_empty() || component.is_empty() {
        let named = |text: &str| text.contains("edge") || text.contains("sid");
        return (named(&advisory) && advisory == component).then_some(true);
    }
    // The shorter one says less: Debian 12 covers 12.5, Alpine v3.18 covers 3.18.4.
    let (a, b): (Vec<&str>, Vec<&str>) =
        (advisory.split('.').collect(), component.split('.').collect());
    Some(a.iter().zip(&b).all(|(a, b)| a == b))
}

/// The numbers of a release's name.
fn release(text: &str) -> String {
    let lower = text.to_lowercase();
    for word in lower.split(['-', ':', ' ', '_']) {
        if let Some((_, number)) = CODE_NAMES.iter().find(|(name, _)| *name == word) {
            return (*number).to_owned();
        }
    }
    // enterprise_linux:9::baseos, Leap 15.5, v3.18, Pro:18.04:LTS, debian-12, sles-15.5
    let mut numbers = lower.split(['-', ':', ' ', '_']).filter_map(|word| {
        let word = word.strip_prefix('v').unwrap_or(word);
        let numeric = word.starts_with(|first: char| first.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_digit() || c == '.');
        numeric.then(|| word.to_owned())
    });
    numbers.next().unwrap_or_else(|| {
        if lower.contains("edge") || lower.contains("sid") || lower.contains("unstable") {
            lower.rsplit(['-', ':']).next().unwrap_or_default().to_owned() + "!"
        } else {
            String::new()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_and_osv_meet_in_one_name() {
        let check = |purl: &str, osv: &str, name: &str| {
            let purl: Purl = purl.parse().unwrap();
            let ecosystem = Ecosystem::from_purl(&purl);
            assert_eq!(ecosystem, Ecosystem::from_osv(osv).0, "{purl}");
            assert_eq!(
                ecosystem.normalised(&Ecosystem::package_name(&purl)),
                ecosystem.normalised(name)
            );
        };
        check("pkg:cargo/Serde_json@1", "crates.io", "serde_json");
        check("pkg:npm/%40angular/core@1", "npm", "@angular/core");
        check("pkg:golang/github.com/A/b@v1", "Go", "github.com/A/b");
        check("pkg:pypi/zope.Interface@1", "PyPI", "Zope_Interface");
        check("pkg:maven/org.apache/log4j@1", "Maven", "org.apache:log4j");
        check("pkg:composer/Symfony/http@1", "Packagist", "symfony/http");
        check("pkg:deb/debian/openssl@1", "Debian:12", "openssl");
        check("pkg:apk/alpine/musl@1", "Alpine:v3.18", "musl");
        check("pkg:rpm/rocky/kernel@1", "Rocky Linux:9", "kernel");
        let fedora = Ecosystem::from_purl(&"pkg:rpm/fedora/curl@1".parse().unwrap());
        assert_eq!((fedora.name(), fedora.scheme()), ("rpm/fedora", Scheme::Rpm));
        assert_eq!(Ecosystem::from_osv("Nowhere:1").0.scheme(), Scheme::Unknown);
    }

    #[test]
    fn releases_are_told_apart() {
        let check = |advisory, component, same| {
            assert_eq!(same_release(advisory, component), same, "{advisory} {component}");
        };
        check("12", "debian-12", Some(true));
        check("12", "bookworm", Some(true));
        check("12", "debian-12.5", Some(true));
        check("12", "debian-11", Some(false));
        check("22.04:LTS", "jammy", Some(true));
        check("Pro:18.04:LTS", "ubuntu-18.04", Some(true));
        check("22.04:LTS", "ubuntu-22.10", Some(false));
        check("v3.18", "alpine-3.18.4", Some(true));
        check("v3.18", "alpine-3.1", Some(false));
        check("enterprise_linux:9::baseos", "redhat-9.2", Some(true));
        check("Leap 15.5", "opensuse-leap-15.4", Some(false));
        check("somewhere", "debian-12", None);
    }
}
