//! One advisory against one component.

use crate::{
    Advisory, Affected, AffectedClaim, Attribute, Component, Cpe, CpeRelation, Ecosystem,
    Inclusion, MatchKey, Purl, Reason, ReasonCode, Sbom, Score, Target, Versions,
    ecosystem::same_release,
    range::RangeKind,
    version::{self, Scheme, Version},
};
use std::cmp::Ordering;

/// What an advisory means for a component; rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// it speaks of the component, but of other versions, or says that it is fixed
    NotAffected,
    /// it may be affected; what is missing is said
    Undecided,
    /// it is affected
    Affected,
}

impl Verdict {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAffected => "not-affected",
            Self::Undecided => "undecided",
            Self::Affected => "affected",
        }
    }
}

/// What one advisory says about one component.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// the verdict
    pub verdict: Verdict,
    /// why; never empty
    pub reasons: Vec<Reason>,
    /// later versions that have the fix
    pub fixed: Vec<String>,
    /// scores for this product, or the advisory's
    pub scores: Vec<Score>,
    /// what the issuer advises
    pub remedy: Option<String>,
}

/// What of an SBOM says on which platform its components run. Made once for many judgements.
#[derive(Debug, Clone)]
pub struct Judge<'a> {
    /// the operating system, as `debian-12`
    system: Option<String>,
    platforms: Vec<&'a Cpe>,
}

/// Most names of platforms of one SBOM.
const PLATFORMS_MAX: usize = 64;

impl<'a> Judge<'a> {
    /// Looks at an SBOM.
    pub fn of(sbom: &'a Sbom) -> Self {
        let system = sbom.components.iter().find(|component| component.kind == "operating-system");
        let system = system
            .and_then(|system| Some(format!("{}-{}", system.name, system.version.as_deref()?)));
        let whole = |index: usize, component: &Component| {
            sbom.subject == Some(index)
                || matches!(component.kind.as_str(), "operating-system" | "firmware" | "device")
        };
        let platforms = sbom
            .components
            .iter()
            .enumerate()
            .filter(|(index, component)| whole(*index, component))
            .flat_map(|(_, component)| &component.cpes)
            .take(PLATFORMS_MAX)
            .collect();
        Self { system, platforms }
    }

    /// Judges a component of that SBOM under an advisory; `None` where the advisory does not speak
    /// of it. A withdrawn advisory says nothing.
    pub fn judge(&self, advisory: &Advisory, component: &Component) -> Option<Judgement> {
        judge(advisory, self, component)
    }
}

fn judge(advisory: &Advisory, sbom: &Judge<'_>, component: &Component) -> Option<Judgement> {
    if advisory.withdrawn.is_some() {
        return None;
    }
    let keys = MatchKey::of_component(component);
    let mut gathered = Gathered::default();
    for affected in &advisory.affected {
        let Some(key) = affected.target.keys().into_iter().find(|key| keys.contains(key)) else {
            continue;
        };
        gathered.add(affected, &key, sbom, component);
    }
    gathered.conclude(advisory)
}

/// What the entries of an advisory say, sorted by how sure it is.
#[derive(Default)]
struct Gathered<'a> {
    /// about this component for sure
    sure: Vec<Said<'a>>,
    /// about one release of a distribution, which may be another
    elsewhere: Vec<Said<'a>>,
    /// versions said to be fixed or not affected that are this one
    cleared: Vec<(Reason, bool)>,
    /// versions said to be fixed that are not this one: (older than it, where known; reason)
    fixes: Vec<(Option<bool>, Reason)>,
    fixed: Vec<String>,
    scores: Vec<&'a Score>,
    remedy: Option<&'a String>,
}

struct Said<'a> {
    verdict: Verdict,
    /// the version itself is named, not a range
    specific: bool,
    reason: Reason,
    place: Option<&'a str>,
}

impl<'a> Gathered<'a> {
    fn add(
        &mut self,
        affected: &'a Affected,
        key: &MatchKey,
        sbom: &Judge<'_>,
        component: &Component,
    ) {
        let reason = |code, detail: &str| Reason::new(code, detail, Some(key.clone()));
        let scheme = scheme_of(&affected.target, component);
        let versions = component_versions(&affected.target, component);
        let mut doubt = None;
        if let Target::Cpe(cpe) = &affected.target {
            let relations = component.cpes.iter().map(|theirs| cpe.relation(theirs));
            let best = relations.min_by_key(|relation| match relation {
                CpeRelation::Covers => 0,
                CpeRelation::MayCover(_) => 1,
                CpeRelation::Disjoint => 2,
            });
            match best {
                Some(CpeRelation::Covers) => {}
                Some(CpeRelation::MayCover(attribute)) => {
                    doubt = Some(reason(ReasonCode::CpeLessSpecific, attribute));
                }
                Some(CpeRelation::Disjoint) | None => return,
            }
        }
        let (release, place) = release_fits(affected, sbom, component);
        if release == Some(false) {
            return;
        }
        let (inclusion, code, detail) = included(affected, scheme, &versions, component);
        self.remember(affected, scheme, &versions);
        let specific = matches!(code, ReasonCode::VersionListed);
        match affected.claim {
            AffectedClaim::Affected | AffectedClaim::UnderInvestigation => {
                let mut said = match inclusion {
                    Inclusion::Inside => Said {
                        verdict: Verdict::Affected,
                        specific,
                        reason: reason(code, &detail),
                        place,
                    },
                    Inclusion::Unknown(_) => Said {
                        verdict: Verdict::Undecided,
                        specific,
                        reason: reason(code, &detail),
                        place,
                    },
                    Inclusion::Outside => Said {
                        verdict: Verdict::NotAffected,
                        specific,
                        reason: reason(ReasonCode::VersionOutside, &detail),
                        place,
                    },
                };
                if said.verdict == Verdict::Affected {
                    if affected.claim == AffectedClaim::UnderInvestigation {
                        said.verdict = Verdict::Undecided;
                        said.reason = reason(ReasonCode::UnderInvestigation, &detail);
                    } else if let Some(doubt) = doubt {
                        said.verdict = Verdict::Undecided;
                        said.reason = doubt;
                    }
                }
                if release == Some(true) { &mut self.sure } else { &mut self.elsewhere }.push(said);
            }
            AffectedClaim::Fixed | AffectedClaim::NotAffected => {
                let fixed = affected.claim == AffectedClaim::Fixed;
                let code = if fixed { ReasonCode::SaidFixed } else { ReasonCode::SaidNotAffected };
                if inclusion == Inclusion::Inside && doubt.is_none() {
                    let sure = release == Some(true);
                    self.cleared.push((reason(code, &detail), sure));
                } else if let (true, Versions::Exact(fix)) = (fixed, &affected.versions) {
                    let order =
                        versions.first().and_then(|ours| version::compare(scheme, ours, fix));
                    let newer = order.map(Ordering::is_gt);
                    self.fixes.push((newer, reason(ReasonCode::OlderThanFix, fix)));
                }
            }
        }
    }

    /// Fixed versions after ours, scores, advice.
    fn remember(&mut self, affected: &'a Affected, scheme: Scheme, versions: &[String]) {
        let exact = match (&affected.versions, affected.claim) {
            (Versions::Exact(version), AffectedClaim::Fixed) => Some(version),
            _ => None,
        };
        for fix in affected.fixed.iter().chain(exact) {
            let order = versions.first().and_then(|ours| version::compare(scheme, ours, fix));
            if order.is_none_or(Ordering::is_lt)
                && !self.fixed.contains(fix)
                && self.fixed.len() < 64
            {
                self.fixed.push(fix.clone());
            }
        }
        self.scores.extend(&affected.scores);
        self.remedy = self.remedy.or(affected.remedy.as_ref());
    }

    fn conclude(mut self, advisory: &Advisory) -> Option<Judgement> {
        let agreed = self.elsewhere.windows(2).all(|pair| match pair {
            [a, b] => a.verdict == b.verdict,
            _ => true,
        });
        if !agreed {
            // Affected in one release and not in another, and which one this is nobody says.
            for said in &mut self.elsewhere {
                if said.verdict == Verdict::Affected {
                    said.verdict = Verdict::Undecided;
                    let place = said.place.unwrap_or_default();
                    said.reason =
                        Reason::new(ReasonCode::ReleaseNotKnown, place, said.reason.key.clone());
                }
            }
        }
        let all: Vec<Said<'_>> = self.sure.into_iter().chain(self.elsewhere).collect();
        let highest = all.iter().map(|said| said.verdict).max();
        let named = all.iter().any(|said| said.specific && said.verdict == Verdict::Affected);
        let cleared = self.cleared.iter().any(|(_, sure)| *sure);
        let (verdict, mut reasons): (Verdict, Vec<Reason>) = match highest {
            Some(Verdict::Affected | Verdict::Undecided) if cleared && !named => {
                (Verdict::NotAffected, self.cleared.into_iter().map(|(reason, _)| reason).collect())
            }
            Some(highest) => {
                let of = all.into_iter().filter(|said| said.verdict == highest);
                (highest, of.map(|said| said.reason).collect())
            }
            None if !self.cleared.is_empty() => {
                (Verdict::NotAffected, self.cleared.into_iter().map(|(reason, _)| reason).collect())
            }
            None if self.fixes.is_empty() => return None,
            // Only fixed versions are named, and this is none of them.
            None => {
                let newer = self.fixes.iter().all(|(newer, _)| *newer == Some(true));
                let verdict = if newer { Verdict::NotAffected } else { Verdict::Undecided };
                let reasons = self.fixes.into_iter().filter_map(|(after, reason)| match after {
                    Some(true) if newer => {
                        Some(Reason { code: ReasonCode::NewerThanFix, ..reason })
                    }
                    Some(true) => None,
                    _ => Some(reason),
                });
                (verdict, reasons.collect())
            }
        };
        reasons.dedup();
        reasons.truncate(16);
        let own = !self.scores.is_empty();
        let scores = if own { self.scores } else { advisory.scores.iter().collect() };
        Some(Judgement {
            verdict,
            reasons,
            fixed: self.fixed,
            scores: scores.into_iter().cloned().collect(),
            remedy: self.remedy.cloned(),
        })
    }
}

fn scheme_of(target: &Target, component: &Component) -> Scheme {
    match target {
        Target::Package { ecosystem, .. } => ecosystem.scheme(),
        Target::Cpe(_) => Scheme::Generic,
        Target::Repository(_) => component
            .purl
            .as_ref()
            .map_or(Scheme::Generic, |purl| Ecosystem::from_purl(purl).scheme()),
    }
}

/// The versions of a component as the target's name space writes them.
fn component_versions(target: &Target, component: &Component) -> Vec<String> {
    let own = component.version_text().map(str::to_owned);
    match target {
        Target::Package { ecosystem, name, .. } => {
            let purl = component.purl.as_ref();
            let itself = purl.map(|purl| ecosystem.normalised(&Ecosystem::package_name(purl)));
            if itself.as_ref() != Some(name)
                && let Some((source, version)) = component.source_package()
                && ecosystem.normalised(source) == *name
            {
                // A binary package has the version of its source, unless its name says another.
                return version
                    .map(str::to_owned)
                    .or(own)
                    .map(with_epoch(purl))
                    .into_iter()
                    .collect();
            }
            own.map(with_epoch(purl)).into_iter().collect()
        }
        Target::Cpe(cpe) => {
            let mut versions: Vec<String> = named(component, cpe).flat_map(Cpe::versions).collect();
            if versions.is_empty() {
                versions.extend(own);
            }
            versions
        }
        Target::Repository(_) => own.into_iter().collect(),
    }
}

/// The names of a component that an advisory's name may cover: one component may be known as two
/// products, each with versions of its own.
fn named<'a>(component: &'a Component, advisory: &'a Cpe) -> impl Iterator<Item = &'a Cpe> {
    component.cpes.iter().filter(|ours| advisory.relation(ours) != CpeRelation::Disjoint)
}

/// rpm's package URLs keep the epoch in a qualifier.
fn with_epoch(purl: Option<&Purl>) -> impl Fn(String) -> String {
    let epoch = purl
        .filter(|purl| purl.kind == "rpm")
        .and_then(|purl| purl.qualifier("epoch"))
        .map(str::to_owned);
    move |version| match &epoch {
        Some(epoch) if !version.contains(':') => format!("{epoch}:{version}"),
        _ => version,
    }
}

/// Whether the entry is about the component's release or platform, and what that is called.
fn release_fits<'a>(
    affected: &'a Affected,
    sbom: &Judge<'_>,
    component: &Component,
) -> (Option<bool>, Option<&'a str>) {
    let ours = distribution(sbom, component);
    let mut fits = Some(true);
    let mut place = None;
    if let Target::Package { ecosystem, release: Some(release), .. } = &affected.target
        && ecosystem.is_distribution()
    {
        fits = ours.as_deref().and_then(|ours| same_release(release, ours));
        place = Some(release.as_str());
    }
    if let Some(platform) = &affected.platform {
        place = Some(platform.name.as_str());
        let on = platform.cpe.as_ref().and_then(|cpe| on_platform(cpe, ours.as_deref(), sbom));
        fits = match (fits, on) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
    }
    (fits, place)
}

/// The distribution that a component comes from, as `debian-12`.
fn distribution(sbom: &Judge<'_>, component: &Component) -> Option<String> {
    let purl = component.purl.as_ref()?;
    if let Some(distro) = purl.qualifier("distro") {
        return Some(distro.to_owned());
    }
    sbom.system.clone()
}

fn on_platform(platform: &Cpe, ours: Option<&str>, sbom: &Judge<'_>) -> Option<bool> {
    let mut same_product = false;
    for cpe in &sbom.platforms {
        if platform.relation(cpe) == CpeRelation::Covers {
            match platform.version_covers(cpe) {
                Some(true) => return Some(true),
                Some(false) => same_product = true,
                None => {}
            }
        }
    }
    let Attribute::Text(version) = platform.version() else {
        return same_product.then_some(false);
    };
    let known = ["debian", "ubuntu", "redhat", "rhel", "rocky", "alma", "sles", "suse", "alpine"];
    let vendor = platform.vendor().text();
    let ours = ours.filter(|ours| {
        let name = ours.to_lowercase();
        known.iter().any(|known| name.starts_with(known))
            && vendor.is_some_and(|vendor| {
                name.starts_with(vendor)
                    || (vendor == "redhat" && name.starts_with("rhel"))
                    || (vendor == "canonical" && name.starts_with("ubuntu"))
            })
    });
    match ours.and_then(|ours| same_release(version, ours)) {
        Some(same) => Some(same),
        None => same_product.then_some(false),
    }
}

/// Whether any of the versions is what the entry names.
fn included(
    affected: &Affected,
    scheme: Scheme,
    versions: &[String],
    component: &Component,
) -> (Inclusion, ReasonCode, String) {
    if let (Target::Cpe(cpe), Versions::All) = (&affected.target, &affected.versions)
        && *cpe.version() != Attribute::Any
    {
        return cpe_version(cpe, versions, component);
    }
    let mut best: Option<(Inclusion, ReasonCode, String)> = None;
    let none = [None];
    let some: Vec<Option<&str>> = versions.iter().map(|version| Some(version.as_str())).collect();
    for version in if some.is_empty() { &none[..] } else { &some } {
        let found = one_version(affected, scheme, *version);
        let rank = |inclusion: &Inclusion| match inclusion {
            Inclusion::Inside => 2,
            Inclusion::Unknown(_) => 1,
            Inclusion::Outside => 0,
        };
        if best.as_ref().is_none_or(|(inclusion, ..)| rank(inclusion) < rank(&found.0)) {
            best = Some(found);
        }
    }
    best.unwrap_or((Inclusion::Unknown(String::new()), ReasonCode::VersionNotKnown, String::new()))
}

fn cpe_version(
    cpe: &Cpe,
    versions: &[String],
    component: &Component,
) -> (Inclusion, ReasonCode, String) {
    let theirs = cpe.versions();
    let detail = theirs.first().cloned().unwrap_or_else(|| cpe.to_string());
    let covers: Vec<Option<bool>> =
        named(component, cpe).map(|ours| cpe.version_covers(ours)).collect();
    if covers.contains(&Some(true)) {
        return (Inclusion::Inside, ReasonCode::VersionListed, detail);
    }
    if versions.is_empty() {
        return (Inclusion::Unknown(String::new()), ReasonCode::VersionNotKnown, detail);
    }
    let mut orders = versions.iter().flat_map(|ours| {
        theirs.iter().map(move |theirs| version::compare(Scheme::Generic, ours, theirs))
    });
    if orders.clone().any(|order| order == Some(Ordering::Equal)) {
        return (Inclusion::Inside, ReasonCode::VersionListed, detail);
    }
    if covers.contains(&None) || (orders.any(|order| order.is_none()) && !theirs.is_empty()) {
        return (Inclusion::Unknown(detail.clone()), ReasonCode::OrderNotKnown, detail);
    }
    (Inclusion::Outside, ReasonCode::VersionOutside, detail)
}

fn one_version(
    affected: &Affected,
    scheme: Scheme,
    version: Option<&str>,
) -> (Inclusion, ReasonCode, String) {
    let unknown = |text: String, range: String| {
        if version.is_none() {
            return (Inclusion::Unknown(text), ReasonCode::VersionNotKnown, range);
        }
        let detail = format!("{range}: {text:?} as {}", scheme.name());
        (Inclusion::Unknown(text), ReasonCode::OrderNotKnown, detail)
    };
    match &affected.versions {
        Versions::All => (Inclusion::Inside, ReasonCode::EveryVersion, String::new()),
        Versions::Words(words) => {
            (Inclusion::Unknown(words.clone()), ReasonCode::RangeNotReadable, words.clone())
        }
        Versions::Exact(exact) => {
            let Some(version) = version else { return unknown(String::new(), exact.clone()) };
            let order = version::compare(scheme, version, exact);
            match order {
                _ if version == exact => {
                    (Inclusion::Inside, ReasonCode::VersionListed, exact.clone())
                }
                Some(Ordering::Equal) => {
                    (Inclusion::Inside, ReasonCode::VersionListed, exact.clone())
                }
                Some(_) => (Inclusion::Outside, ReasonCode::VersionOutside, exact.clone()),
                None => unknown(version.to_owned(), exact.clone()),
            }
        }
        Versions::Vers(range) => {
            if range.is_all() {
                return (Inclusion::Inside, ReasonCode::EveryVersion, String::new());
            }
            let Some(version) = version else { return unknown(String::new(), range.to_string()) };
            match range.includes(version) {
                Inclusion::Unknown(text) => unknown(text, range.to_string()),
                inclusion => (inclusion, ReasonCode::VersionInRange, range.to_string()),
            }
        }
        Versions::Events { ranges, listed } => {
            if ranges.is_empty() && listed.trim().is_empty() {
                return (Inclusion::Unknown(String::new()), ReasonCode::NoVersions, String::new());
            }
            if let Some(version) = version
                && (Versions::lists(listed, version) || lists_equal(listed, scheme, version))
            {
                return (Inclusion::Inside, ReasonCode::VersionListed, version.to_owned());
            }
            let mut doubt = None;
            let mut outside = String::new();
            for range in ranges {
                let inclusion = match range.scheme(scheme) {
                    Some(scheme) => range.includes(scheme, version),
                    None => commits(range, listed, version),
                };
                match inclusion {
                    Inclusion::Inside if range.kind == RangeKind::Git && version.is_none() => {
                        doubt = Some(unknown(String::new(), range.to_string()));
                    }
                    Inclusion::Inside => {
                        let every = range.is_open()
                            && range.events.iter().all(|event| event.version() == "0");
                        let code = if every {
                            ReasonCode::EveryVersion
                        } else {
                            ReasonCode::VersionInRange
                        };
                        return (Inclusion::Inside, code, range.to_string());
                    }
                    Inclusion::Unknown(text) if range.kind == RangeKind::Git => {
                        doubt = doubt.or(Some((
                            Inclusion::Unknown(text),
                            ReasonCode::CommitRange,
                            range.to_string(),
                        )));
                    }
                    Inclusion::Unknown(text) => doubt = Some(unknown(text, range.to_string())),
                    Inclusion::Outside => outside = range.to_string(),
                }
            }
            if version.is_none() && doubt.is_none() {
                return unknown(String::new(), outside);
            }
            doubt.unwrap_or((Inclusion::Outside, ReasonCode::VersionOutside, outside))
        }
    }
}

/// Whether a version is listed in another spelling: `1.0` for `1.0.0`, `v1.2` for `1.2`.
fn lists_equal(listed: &str, scheme: Scheme, version: &str) -> bool {
    let scheme = if scheme == Scheme::Unknown { Scheme::Generic } else { scheme };
    let Ok(version) = Version::parse(scheme, version) else { return false };
    listed.split('\n').filter(|text| !text.is_empty()).any(|text| {
        Version::parse(scheme, text)
            .is_ok_and(|text| text.compare(&version) == Some(Ordering::Equal))
    })
}

/// A range of commits says something of a version only where it is one of its ends, or where the
/// record lists every version that has ended.
fn commits(range: &crate::EventRange, listed: &str, version: Option<&str>) -> Inclusion {
    let unknown = || Inclusion::Unknown(version.unwrap_or_default().to_owned());
    let Some(version) = version else { return unknown() };
    let commit = version.len() >= 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    if commit {
        return match range.events.iter().find(|event| event.version().eq_ignore_ascii_case(version))
        {
            Some(crate::Event::Introduced(_) | crate::Event::LastAffected(_)) => Inclusion::Inside,
            Some(crate::Event::Fixed(_)) => Inclusion::Outside,
            _ => unknown(),
        };
    }
    if listed.trim().is_empty() || range.is_open() { unknown() } else { Inclusion::Outside }
}
