//! Ranges of versions: events of OSV, `vers:` of the package URL project.

use crate::{
    AdvisoryError, percent, text,
    version::{Scheme, Version},
};
use std::{cmp::Ordering, fmt, str::FromStr};

/// Most events or constraints of one range.
pub const RANGE_PARTS_MAX: usize = 2_000;

/// Whether a version is in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inclusion {
    /// it is
    Inside,
    /// it is not
    Outside,
    /// cannot be decided: the text that has no place in the order
    Unknown(String),
}

/// Kind of a range of OSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeKind {
    /// ordered by semver.org 2.0.0
    SemVer,
    /// ordered as the ecosystem orders
    Ecosystem,
    /// commits, ordered by a history that is not here
    Git,
}

/// Where something begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// affected from here on; `0` is before every version
    Introduced(String),
    /// no longer from here on
    Fixed(String),
    /// still here, no longer after
    LastAffected(String),
    /// nothing is said from here on
    Limit(String),
}

impl Event {
    /// The version.
    pub fn version(&self) -> &str {
        match self {
            Self::Introduced(version)
            | Self::Fixed(version)
            | Self::LastAffected(version)
            | Self::Limit(version) => version,
        }
    }
}

/// A range of OSV: events in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRange {
    /// how its versions are ordered
    pub kind: RangeKind,
    /// for [`RangeKind::Git`]: the repository
    pub repository: Option<String>,
    /// the events
    pub events: Vec<Event>,
}

impl EventRange {
    /// The scheme of a range of an ecosystem; `None` for commits.
    pub fn scheme(&self, ecosystem: Scheme) -> Option<Scheme> {
        match (self.kind, ecosystem) {
            // Go and Pub are semver with spellings of their own.
            (RangeKind::SemVer, Scheme::Go | Scheme::Pub) => Some(ecosystem),
            (RangeKind::SemVer, _) => Some(Scheme::SemVer),
            (RangeKind::Ecosystem, _) => Some(ecosystem),
            (RangeKind::Git, _) => None,
        }
    }

    /// Whether it has an end.
    pub fn is_open(&self) -> bool {
        !self.events.iter().any(|event| matches!(event, Event::Fixed(_) | Event::LastAffected(_)))
    }

    /// Evaluates the range (OSV schema, section "Evaluation"). `version` is the component's; none
    /// is inside only what has neither beginning nor end.
    pub fn includes(&self, scheme: Scheme, version: Option<&str>) -> Inclusion {
        let everything = !self.events.is_empty()
            && self
                .events
                .iter()
                .all(|event| matches!(event, Event::Introduced(from) if from == "0"));
        if everything {
            return Inclusion::Inside;
        }
        let Some(text) = version else { return Inclusion::Unknown(String::new()) };
        let Ok(version) = Version::parse(scheme, text) else {
            return Inclusion::Unknown(text::line(text, 60));
        };
        match self.walk(scheme, &version) {
            Ok(true) => Inclusion::Inside,
            Ok(false) => Inclusion::Outside,
            Err(text) => Inclusion::Unknown(text),
        }
    }

    fn walk(&self, scheme: Scheme, version: &Version) -> Result<bool, String> {
        let mut points = Vec::with_capacity(self.events.len());
        let mut limits = (false, false);
        for event in &self.events {
            let text = event.version();
            let at = match (event, text) {
                (Event::Introduced(_), "0") => None,
                (Event::Limit(_), "*") => {
                    limits = (true, true);
                    continue;
                }
                _ => Some(Version::parse(scheme, text).map_err(|error| error.text)?),
            };
            let undecided = || text::line(text, 60);
            // The component against this point: before, at, after.
            let order = match &at {
                None => Ordering::Greater,
                Some(at) => version.compare(at).ok_or_else(undecided)?,
            };
            match event {
                Event::Limit(_) => limits = (true, limits.1 || order.is_lt()),
                Event::LastAffected(_) => {
                    let inside = match &at {
                        Some(at) => version.at_most(at).ok_or_else(undecided)?,
                        None => false,
                    };
                    points.push((at, 2_u8, !inside, false));
                }
                Event::Fixed(_) => points.push((at, 0, order.is_ge(), false)),
                Event::Introduced(_) => points.push((at, 1, order.is_ge(), true)),
            }
        }
        if limits.0 && !limits.1 {
            return Ok(false);
        }
        // At one version: what was fixed there and introduced again is affected; what was
        // introduced there and is affected there last is affected there.
        let points = sorted(points, |(a, rank_a, ..), (b, rank_b, ..)| {
            let order = match (a, b) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
                (Some(a), Some(b)) => a.compare(b).ok_or_else(|| text::line(b.as_str(), 60))?,
            };
            Ok(order.then_with(|| rank_a.cmp(rank_b)))
        })?;
        let last = points.iter().rfind(|(_, _, reached, _)| *reached);
        Ok(last.is_some_and(|(_, _, _, affected)| *affected))
    }
}

impl fmt::Display for EventRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |event: &Event| match event {
            Event::Introduced(version) if version == "0" => "from the first".to_owned(),
            Event::Introduced(version) => format!(">= {version}"),
            Event::Fixed(version) => format!("< {version}"),
            Event::LastAffected(version) => format!("<= {version}"),
            Event::Limit(version) => format!("up to {version}"),
        };
        let words: Vec<String> = self.events.iter().take(6).map(word).collect();
        let more = if self.events.len() > 6 { ", …" } else { "" };
        write!(f, "{}{more}", text::line(&words.join(", "), 160))
    }
}

/// A range in `vers:` notation (VERS, of the package URL project).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vers {
    scheme: Scheme,
    text: String,
    /// Everything, whatever the scheme.
    all: bool,
    constraints: Vec<(Comparator, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

const EXPECTED: &str = "a range in vers notation";

impl FromStr for Vers {
    type Err = AdvisoryError;

    fn from_str(whole: &str) -> Result<Self, AdvisoryError> {
        let bad = |why: &str| AdvisoryError::malformed(EXPECTED, format!("{whole:?}: {why}"));
        let compact: String = whole.chars().filter(|c| !c.is_whitespace()).collect();
        let rest = compact.strip_prefix("vers:").ok_or_else(|| bad("does not begin with vers:"))?;
        let (scheme, rest) = rest.split_once('/').ok_or_else(|| bad("no constraints"))?;
        let name = scheme.to_ascii_lowercase();
        let mut vers = Self {
            scheme: scheme_of(&name),
            text: text::line(&compact, 200),
            all: rest == "*",
            constraints: Vec::new(),
        };
        if vers.all || name == "none" {
            return Ok(vers);
        }
        vers.constraints = constraints(rest, &['|']).ok_or_else(|| bad("a constraint"))?;
        Ok(vers)
    }
}

impl Vers {
    /// A range in the free words of vendors (`< 1.2.3`, `>=1.0 <2.0`, `<=4.1`), where it is nothing
    /// but comparators and versions.
    pub fn from_words(scheme: Scheme, words: &str) -> Option<Self> {
        let mut compact = words.replace([',', '|', '&'], " ");
        for comparator in ["<=", ">=", "!=", "==", "<", ">", "="] {
            compact = compact.replace(&format!("{comparator} "), comparator);
        }
        let compared = |word: &str| word.starts_with(['<', '>', '=', '!']);
        let all: Vec<&str> = compact.split_whitespace().collect();
        if all.is_empty() || !all.iter().copied().all(compared) {
            return None;
        }
        let constraints = constraints(&all.join("|").replace("==", "="), &['|'])?;
        Some(Self { scheme, text: text::line(words, 200), all: false, constraints })
    }

    /// Every version.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// The order that it uses.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The same constraints under a scheme that is known better: that of the package.
    #[must_use]
    pub fn under(mut self, scheme: Scheme) -> Self {
        if self.scheme == Scheme::Unknown || self.scheme == Scheme::Generic {
            self.scheme = scheme;
        }
        self
    }

    /// Versions that end it exclusively: where it is fixed.
    pub fn ends(&self) -> impl Iterator<Item = &str> {
        self.constraints
            .iter()
            .filter(|(comparator, _)| *comparator == Comparator::Less)
            .map(|(_, version)| version.as_str())
    }

    /// Whether a version is in the range (VERS specification, "Checking if a version is contained
    /// within a range").
    pub fn includes(&self, version: &str) -> Inclusion {
        if self.all {
            return Inclusion::Inside;
        }
        if self.constraints.is_empty() {
            return Inclusion::Outside;
        }
        match self.walk(version) {
            Ok(true) => Inclusion::Inside,
            Ok(false) => Inclusion::Outside,
            Err(text) => Inclusion::Unknown(text),
        }
    }

    fn walk(&self, version: &str) -> Result<bool, String> {
        let version = Version::parse(self.scheme, version).map_err(|error| error.text)?;
        let mut points = Vec::with_capacity(self.constraints.len());
        for (comparator, text) in &self.constraints {
            let point = Version::parse(self.scheme, text).map_err(|error| error.text)?;
            let order = version.compare(&point);
            // Equality and inequality need no order.
            let order = match (comparator, order) {
                (Comparator::Equal | Comparator::NotEqual, None)
                    if self.scheme == Scheme::Unknown =>
                {
                    Ordering::Less
                }
                (_, order) => order.ok_or_else(|| text::line(text, 60))?,
            };
            let at_most = version.at_most(&point).unwrap_or(order.is_le());
            points.push((*comparator, point, order, at_most));
        }
        let equal = |(comparator, _, order, at_most): &(Comparator, Version, Ordering, bool)| {
            match comparator {
                Comparator::Equal | Comparator::AtLeast => order.is_eq(),
                Comparator::AtMost => order.is_eq() || (order.is_gt() && *at_most),
                _ => false,
            }
        };
        if points.iter().any(equal) {
            return Ok(true);
        }
        if points
            .iter()
            .any(|(comparator, _, order, _)| *comparator == Comparator::NotEqual && order.is_eq())
        {
            return Ok(false);
        }
        // "Everything but": nothing else says where it would begin.
        if points.iter().all(|(comparator, ..)| *comparator == Comparator::NotEqual) {
            return Ok(true);
        }
        points.retain(|(comparator, ..)| {
            !matches!(comparator, Comparator::Equal | Comparator::NotEqual)
        });
        let points = sorted(points, |(_, a, ..), (_, b, ..)| {
            a.compare(b).ok_or_else(|| text::line(b.as_str(), 60))
        })?;
        let upper =
            |comparator: &Comparator| matches!(comparator, Comparator::Less | Comparator::AtMost);
        let first = points
            .first()
            .is_some_and(|(comparator, _, order, _)| upper(comparator) && order.is_lt());
        let last = points
            .last()
            .is_some_and(|(comparator, _, order, _)| !upper(comparator) && order.is_gt());
        let between = points.windows(2).any(|pair| match pair {
            [(lower, _, after, _), (higher, _, before, _)] => {
                !upper(lower) && upper(higher) && after.is_gt() && before.is_lt()
            }
            _ => false,
        });
        Ok(first || last || between)
    }
}

impl fmt::Display for Vers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Sorts by an order that may be open somewhere, which the sorts of the standard library take for a
/// mistake and panic at. What is equal stays in its order.
fn sorted<T>(
    list: Vec<T>,
    order: impl Fn(&T, &T) -> Result<Ordering, String>,
) -> Result<Vec<T>, String> {
    let mut out: Vec<T> = Vec::with_capacity(list.len());
    for item in list {
        let (mut low, mut high) = (0_usize, out.len());
        while low < high {
            let middle = low.midpoint(high);
            let Some(other) = out.get(middle) else { break };
            if order(other, &item)?.is_le() { low = middle + 1 } else { high = middle }
        }
        out.insert(low.min(out.len()), item);
    }
    Ok(out)
}

fn constraints(rest: &str, separators: &[char]) -> Option<Vec<(Comparator, String)>> {
    let parts: Vec<&str> = rest.split(separators).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.len() > RANGE_PARTS_MAX {
        return None;
    }
    parts
        .into_iter()
        .map(|part| {
            let (comparator, version) = [
                (">=", Comparator::AtLeast),
                ("<=", Comparator::AtMost),
                ("!=", Comparator::NotEqual),
                ("<", Comparator::Less),
                (">", Comparator::Greater),
                ("=", Comparator::Equal),
            ]
            .into_iter()
            .find_map(|(word, comparator)| Some((comparator, part.strip_prefix(word)?)))
            .unwrap_or((Comparator::Equal, part));
            let version =
                percent::decode(version).filter(|version| text::is_plain(version, 256))?;
            Some((comparator, version))
        })
        .collect()
}

/// Schemes by their names in `vers:`, which are mostly the types of package URLs.
fn scheme_of(name: &str) -> Scheme {
    match name {
        "npm" | "cargo" | "semver" | "hex" | "swift" | "github" | "githubactions" | "bitnami" => {
            Scheme::SemVer
        }
        "golang" | "go" => Scheme::Go,
        "pub" => Scheme::Pub,
        "nuget" => Scheme::NuGet,
        "pypi" => Scheme::Pep440,
        "deb" | "debian" | "ubuntu" => Scheme::Dpkg,
        "rpm" => Scheme::Rpm,
        "apk" | "alpine" => Scheme::Apk,
        "maven" => Scheme::Maven,
        "gem" => Scheme::RubyGems,
        "composer" => Scheme::Composer,
        "cran" | "hackage" | "intdot" => Scheme::Dotted,
        "generic" | "conan" | "openssl" | "openssh" => Scheme::Generic,
        _ => Scheme::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(kind: RangeKind, events: &[(&str, &str)]) -> EventRange {
        let read = |(name, version): &(&str, &str)| {
            let version = (*version).to_owned();
            match *name {
                "introduced" => Event::Introduced(version),
                "fixed" => Event::Fixed(version),
                "last_affected" => Event::LastAffected(version),
                _ => Event::Limit(version),
            }
        };
        EventRange { kind, repository: None, events: events.iter().map(read).collect() }
    }

    #[test]
    fn events_are_evaluated_as_osv_says() {
        let check = |list: &[(&str, &str)], inside: &str, outside: &str| {
            let range = events(RangeKind::SemVer, list);
            for version in inside.split_whitespace() {
                assert_eq!(
                    range.includes(Scheme::SemVer, Some(version)),
                    Inclusion::Inside,
                    "{range} {version}"
                );
            }
            for version in outside.split_whitespace() {
                assert_eq!(
                    range.includes(Scheme::SemVer, Some(version)),
                    Inclusion::Outside,
                    "{range} {version}"
                );
            }
        };
        check(
            &[("introduced", "0"), ("fixed", "1.2.3")],
            "0.0.0 0.0.0-0 1.2.2 1.2.3-rc.1",
            "1.2.3 2.0.0",
        );
        check(
            &[("introduced", "1.0.0"), ("last_affected", "1.2.0")],
            "1.0.0 1.2.0",
            "0.9.0 1.2.1 1.0.0-rc.1",
        );
        // Two branches, in no order.
        check(
            &[
                ("fixed", "2.1.0"),
                ("introduced", "1.0.0"),
                ("introduced", "2.0.0"),
                ("fixed", "1.5.0"),
            ],
            "1.0.0 1.4.9 2.0.5",
            "0.1.0 1.5.0 1.9.9 2.1.0",
        );
        check(&[("introduced", "0"), ("limit", "2.0.0")], "0.1.0 1.9.9", "2.0.0 3.0.0");
        check(&[("introduced", "0"), ("limit", "*")], "0.1.0 9.9.9", "");
        check(&[("introduced", "1.0.0"), ("last_affected", "1.0.0")], "1.0.0", "1.0.1 0.9.9");
        check(
            &[("introduced", "0"), ("fixed", "1.0.0"), ("introduced", "1.0.0")],
            "0.1.0 1.0.0 2.0.0",
            "",
        );
        check(&[("fixed", "1.0.0")], "", "0.1.0 1.0.0");
        check(&[], "", "1.0.0");
    }

    #[test]
    fn what_has_no_place_in_the_order_is_not_decided() {
        let range = events(RangeKind::Ecosystem, &[("introduced", "0"), ("fixed", "1.2.3")]);
        let unknown =
            |scheme, version| matches!(range.includes(scheme, version), Inclusion::Unknown(_));
        assert!(unknown(Scheme::SemVer, Some("main")));
        assert!(unknown(Scheme::Unknown, Some("1.0.0")));
        assert!(unknown(Scheme::SemVer, None));
        let everything = events(RangeKind::Ecosystem, &[("introduced", "0")]);
        assert_eq!(everything.includes(Scheme::Unknown, None), Inclusion::Inside);
        let bad = events(RangeKind::SemVer, &[("introduced", "0"), ("fixed", "soon")]);
        assert_eq!(bad.includes(Scheme::SemVer, Some("1.0.0")), Inclusion::Unknown("soon".into()));
    }

    #[test]
    fn a_bound_without_a_revision_means_every_revision() {
        let range = events(RangeKind::Ecosystem, &[("introduced", "0"), ("last_affected", "1.2")]);
        assert_eq!(range.includes(Scheme::Rpm, Some("1.2-3.el9")), Inclusion::Inside);
        assert_eq!(range.includes(Scheme::Dpkg, Some("1.2-3")), Inclusion::Inside);
        assert_eq!(range.includes(Scheme::Apk, Some("1.2-r3")), Inclusion::Inside);
        assert_eq!(range.includes(Scheme::Apk, Some("1.2.1-r0")), Inclusion::Outside);
    }

    #[test]
    fn vers_ranges() {
        let check = |range: &str, inside: &str, outside: &str| {
            let range: Vers = range.parse().unwrap();
            for version in inside.split_whitespace() {
                assert_eq!(range.includes(version), Inclusion::Inside, "{range} {version}");
            }
            for version in outside.split_whitespace() {
                assert_eq!(range.includes(version), Inclusion::Outside, "{range} {version}");
            }
        };
        check("vers:npm/1.2.3|>=2.0.0|<5.0.0", "1.2.3 2.0.0 4.9.9", "1.2.4 5.0.0");
        check("vers:pypi/0.0.0|0.0.1|0.0.2|0.0.3|1.0|2.0pre1", "0.0 1.0.0 2.0rc1", "1.1");
        check("vers:gem/>=2.2.0|!=2.2.1|<2.3.0", "2.2.0 2.2.2", "2.2.1 2.3.0 2.1");
        check("vers:deb/<= 1%3A2.3", "1:2.3-5 1:1.0-1 9.0-1", "2:0-1");
        check("vers:npm/>1.0.0|<=1.5.0|>=3.0.0", "1.2.0 1.5.0 3.0.0 9.0.0", "1.0.0 2.0.0");
        check("vers:all/*", "1 anything", "");
        check("vers:none/*", "1", "");
        check("vers:npm/!=1.0.0", "2.0.0", "1.0.0");
        assert!(matches!(
            "vers:strange/<1".parse::<Vers>().unwrap().includes("0"),
            Inclusion::Unknown(_)
        ));
        for wrong in ["", "vers:", "vers:npm", "vers:npm/", "npm/1", "vers:npm/<%zz", "vers:npm/>="]
        {
            assert!(wrong.parse::<Vers>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn words_of_vendors() {
        let includes = |words, version| {
            Vers::from_words(Scheme::Generic, words).map(|range| range.includes(version))
        };
        assert_eq!(includes("< 4.2", "4.1.9"), Some(Inclusion::Inside));
        assert_eq!(includes(">=4.0, <4.2", "4.2"), Some(Inclusion::Outside));
        assert_eq!(includes("<=V4.2", "4.2"), Some(Inclusion::Inside));
        assert_eq!(includes("all versions before 3", "2"), None);
        assert_eq!(includes("4.1", "4.1"), None);
    }
}
