//! The order of versions, per ecosystem. An order that is not known is not guessed: the answer is
//! then [`None`], and whoever asked says "cannot be decided".

mod apk;
mod composer;
mod dpkg;
mod generic;
mod maven;
mod numbers;
mod rpm;
mod rubygems;
mod semver;

use std::{cmp::Ordering, fmt};

/// Longest version that is read, in bytes.
pub const VERSION_BYTES_MAX: usize = 256;

/// Rules by which versions are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// semver.org 2.0.0, read leniently: `v` in front, missing minor and patch are 0
    SemVer,
    /// semver as Go writes it: `v1.2.3`, pseudo-versions, `go1.21rc2` of the toolchain
    Go,
    /// semver in which build metadata counts (Dart's pub)
    Pub,
    /// semver with four numbers and labels in any case (NuGet)
    NuGet,
    /// PEP 440
    Pep440,
    /// Debian policy section 5.6.12
    Dpkg,
    /// rpm: epoch, version, release; `~` and `^`
    Rpm,
    /// apk-tools
    Apk,
    /// Maven's `ComparableVersion`
    Maven,
    /// `Gem::Version`
    RubyGems,
    /// Composer's normal form and PHP's `version_compare`
    Composer,
    /// numbers between dots or hyphens, nothing else; `1.0` before `1.0.0` (CRAN, Hackage)
    Dotted,
    /// numbers between dots, with a letter or a pre-release at the end; what goes beyond is not
    /// decided
    Generic,
    /// no order known: versions are equal or not comparable
    Unknown,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 14] = [
        Self::SemVer,
        Self::Go,
        Self::Pub,
        Self::NuGet,
        Self::Pep440,
        Self::Dpkg,
        Self::Rpm,
        Self::Apk,
        Self::Maven,
        Self::RubyGems,
        Self::Composer,
        Self::Dotted,
        Self::Generic,
        Self::Unknown,
    ];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SemVer => "semver",
            Self::Go => "go",
            Self::Pub => "pub",
            Self::NuGet => "nuget",
            Self::Pep440 => "pep440",
            Self::Dpkg => "dpkg",
            Self::Rpm => "rpm",
            Self::Apk => "apk",
            Self::Maven => "maven",
            Self::RubyGems => "rubygems",
            Self::Composer => "composer",
            Self::Dotted => "dotted",
            Self::Generic => "generic",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }
}

/// A version under its scheme.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    key: Key,
}

#[derive(Debug, Clone)]
enum Key {
    SemVer(semver::SemVer),
    Pub(semver::SemVer),
    Pep440(Box<pep440_rs::Version>),
    Dpkg(dpkg::Dpkg),
    Rpm(rpm::Evr),
    Apk(apk::Apk),
    Maven(maven::Maven),
    RubyGems(rubygems::Gem),
    Composer(composer::Composer),
    Dotted(numbers::Numbers),
    Generic(generic::Generic),
    Unknown,
}

/// Why a text is no version of a scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no version of the scheme {}", scheme.name())]
pub struct VersionError {
    /// the text, shortened
    pub text: String,
    /// the scheme
    pub scheme: Scheme,
}

impl Version {
    /// Reads a version.
    ///
    /// # Errors
    /// [`VersionError`] where the scheme does not know such a text.
    pub fn parse(scheme: Scheme, text: &str) -> Result<Self, VersionError> {
        let text = text.trim();
        Self::key(scheme, text)
            .filter(|_| crate::text::is_plain(text, VERSION_BYTES_MAX))
            .map(|key| Self { text: text.to_owned(), key })
            .ok_or_else(|| VersionError { text: crate::text::line(text, 60), scheme })
    }

    fn key(scheme: Scheme, text: &str) -> Option<Key> {
        if text.len() > VERSION_BYTES_MAX {
            return None;
        }
        Some(match scheme {
            Scheme::SemVer => Key::SemVer(semver::SemVer::parse(text)?),
            Scheme::Go => Key::SemVer(semver::SemVer::parse_go(text)?),
            Scheme::Pub => Key::Pub(semver::SemVer::parse(text)?),
            Scheme::NuGet => Key::SemVer(semver::SemVer::parse_nuget(text)?),
            Scheme::Pep440 => Key::Pep440(Box::new(text.parse().ok()?)),
            Scheme::Dpkg => Key::Dpkg(dpkg::Dpkg::parse(text)?),
            Scheme::Rpm => Key::Rpm(rpm::Evr::parse(text)?),
            Scheme::Apk => Key::Apk(apk::Apk::parse(text)?),
            Scheme::Maven => Key::Maven(maven::Maven::parse(text)?),
            Scheme::RubyGems => Key::RubyGems(rubygems::Gem::parse(text)?),
            Scheme::Composer => Key::Composer(composer::Composer::parse(text)?),
            Scheme::Dotted => Key::Dotted(numbers::Numbers::parse(text, &['.', '-'])?),
            Scheme::Generic => Key::Generic(generic::Generic::parse(text)?),
            Scheme::Unknown => Key::Unknown,
        })
    }

    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Before, the same, or after; `None` where that is not known.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if self.text == other.text
            && std::mem::discriminant(&self.key) == std::mem::discriminant(&other.key)
        {
            return Some(Ordering::Equal);
        }
        Some(match (&self.key, &other.key) {
            (Key::SemVer(a), Key::SemVer(b)) => a.compare(b),
            (Key::Pub(a), Key::Pub(b)) => a.compare_with_build(b),
            (Key::Pep440(a), Key::Pep440(b)) => a.cmp(b),
            (Key::Dpkg(a), Key::Dpkg(b)) => a.compare(b),
            (Key::Rpm(a), Key::Rpm(b)) => a.compare(b),
            (Key::Apk(a), Key::Apk(b)) => a.compare(b),
            (Key::Maven(a), Key::Maven(b)) => a.compare(b),
            (Key::RubyGems(a), Key::RubyGems(b)) => a.compare(b),
            (Key::Composer(a), Key::Composer(b)) => a.compare(b),
            (Key::Dotted(a), Key::Dotted(b)) => a.compare_by_length(b),
            (Key::Generic(a), Key::Generic(b)) => return a.compare(b),
            _ => return None,
        })
    }

    /// Whether this version is not after `bound`, which ends a range inclusively. A bound without a
    /// package revision (`1.2` of rpm, dpkg, apk) means every revision of that version: packagers
    /// number their builds, and the flaw is in the version.
    pub fn at_most(&self, bound: &Self) -> Option<bool> {
        let order = match (&self.key, &bound.key) {
            (Key::Rpm(a), Key::Rpm(b)) => a.compare_to_bound(b),
            (Key::Dpkg(a), Key::Dpkg(b)) => a.compare_to_bound(b),
            (Key::Apk(a), Key::Apk(b)) => a.compare_to_bound(b),
            _ => self.compare(bound)?,
        };
        Some(order.is_le())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Compares two texts under a scheme; `None` where that is not known.
pub fn compare(scheme: Scheme, a: &str, b: &str) -> Option<Ordering> {
    Version::parse(scheme, a).ok()?.compare(&Version::parse(scheme, b).ok()?)
}
