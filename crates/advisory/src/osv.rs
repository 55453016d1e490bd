//! OSV records (OSV schema 1.7), read tolerantly: what is not understood is remarked, and a range
//! that is not understood never reads as "not affected".

use crate::{
    Advisory, AdvisoryError, AdvisoryFormat, Affected, AffectedClaim, Ecosystem, Event, EventRange,
    MatchKey, Purl, Remarks, Score, Target, Versions, VulnerabilityId,
    advisory::{AFFECTED_MAX, SUMMARY_CHARACTERS_MAX},
    json::Members as _,
    moment,
    range::{RANGE_PARTS_MAX, RangeKind},
    remark::RemarkKind,
    text,
    version::VERSION_BYTES_MAX,
};
use serde_json::Value;

const EXPECTED: &str = "an OSV record";
/// Most references and ids kept of one record.
const LIST_MAX: usize = 256;

pub(crate) fn read(record: &Value) -> Result<Advisory, AdvisoryError> {
    let id = record.text("id").and_then(VulnerabilityId::new);
    let id = id.ok_or_else(|| AdvisoryError::malformed(EXPECTED, "no id that can be used"))?;
    let mut remarks = Remarks::default();
    let version = record.text("schema_version").unwrap_or("1.0.0");
    if !version.starts_with("1.") {
        let detail = format!("schema {version:?} is not of the series 1.x");
        return Err(AdvisoryError::malformed(EXPECTED, detail));
    }
    let time = |key: &str, remarks: &mut Remarks| {
        let text = record.text(key)?;
        let time = moment::parse(text);
        if time.is_none() {
            remarks.add(RemarkKind::Malformed, key, format!("{text:?} is no time"));
        }
        time
    };
    // A record that says that it is withdrawn is, even where it says when in its own way.
    let withdrawn = record.text("withdrawn").map(|text| moment::parse(text).unwrap_or_default());
    let (published, modified) = (time("published", &mut remarks), time("modified", &mut remarks));
    let ids = |key: &str| {
        record.texts(key).filter_map(VulnerabilityId::new).take(LIST_MAX).collect::<Vec<_>>()
    };
    let mut aliases = ids("aliases");
    aliases.retain(|alias| *alias != id);
    let mut scores = scores(record, &mut remarks, "severity");
    if scores.is_empty() {
        // GitHub's rating stands beside the schema, where there is no vector.
        let word = record.get("database_specific").and_then(|specific| specific.text("severity"));
        scores.extend(word.and_then(Score::parse));
    }
    let list = record.list("affected");
    if list.len() > AFFECTED_MAX {
        return Err(AdvisoryError::TooLarge {
            what: "affected entries",
            found: list.len(),
            most: AFFECTED_MAX,
        });
    }
    let mut affected = Vec::new();
    for (index, item) in list.iter().enumerate() {
        read_affected(item, &format!("affected[{index}]"), &mut affected, &mut remarks);
    }
    if affected.is_empty() && withdrawn.is_none() {
        remarks.add(RemarkKind::NotUsed, "affected", "names no package that can be matched");
    }
    let summary = record.text("summary").or_else(|| record.text("details")).unwrap_or_default();
    Ok(Advisory {
        format: AdvisoryFormat::Osv,
        id,
        document: None,
        aliases,
        upstream: ids("upstream"),
        summary: text::line(summary.lines().next().unwrap_or_default(), SUMMARY_CHARACTERS_MAX),
        published,
        modified,
        withdrawn,
        scores,
        affected,
        references: record
            .list("references")
            .iter()
            .filter_map(|reference| reference.text("url"))
            .take(LIST_MAX)
            .map(|url| text::line(url, 500))
            .collect(),
        remarks,
    })
}

fn scores(item: &Value, remarks: &mut Remarks, place: &str) -> Vec<Score> {
    let mut scores = Vec::new();
    for severity in item.list("severity").iter().take(16) {
        let Some(text) = severity.text("score") else { continue };
        match Score::parse(text) {
            Some(score) => scores.push(score),
            None => remarks.add(RemarkKind::NotUsed, place, format!("the score {text:?}")),
        }
    }
    scores
}

fn read_affected(item: &Value, place: &str, out: &mut Vec<Affected>, remarks: &mut Remarks) {
    let scores = scores(item, remarks, place);
    let mut listed = String::from("\n");
    for version in item.texts("versions") {
        if text::is_plain(version, VERSION_BYTES_MAX) {
            listed.push_str(version.trim());
            listed.push('\n');
        } else {
            remarks.add(RemarkKind::Malformed, place, format!("the version {version:?}"));
        }
    }
    let mut ranges = Vec::new();
    let mut unreadable = None;
    for (index, range) in item.list("ranges").iter().enumerate() {
        let place = format!("{place}.ranges[{index}]");
        match read_range(range, &place, remarks) {
            Ok(range) => ranges.push(range),
            Err(why) => {
                remarks.add(RemarkKind::Malformed, &place, &why);
                unreadable = Some(why);
            }
        }
    }
    let mut fixed: Vec<String> = ranges
        .iter()
        .filter(|range| range.kind != RangeKind::Git)
        .flat_map(|range| &range.events)
        .filter_map(|event| match event {
            Event::Fixed(version) => Some(version.clone()),
            _ => None,
        })
        .collect();
    fixed.dedup();
    // Source code is a product of its own: components are known by their repository too.
    let mut repositories: Vec<MatchKey> = ranges
        .iter()
        .filter(|range| range.kind == RangeKind::Git)
        .filter_map(|range| MatchKey::repository(range.repository.as_deref()?))
        .collect();
    repositories.sort_unstable();
    repositories.dedup();
    let entry = |target, versions| Affected {
        target,
        versions,
        claim: AffectedClaim::Affected,
        platform: None,
        scores: scores.clone(),
        fixed: fixed.clone(),
        remedy: None,
    };
    let versions = match unreadable {
        // What is left of a damaged entry must not decide that a version is safe.
        Some(why) => Versions::Words(why),
        None => Versions::Events { ranges, listed: listed.into() },
    };
    for key in repositories {
        out.push(entry(Target::Repository(key), versions.clone()));
    }
    let Some(package) = item.get("package") else { return };
    let purl = package.text("purl").and_then(|purl| match purl.parse::<Purl>() {
        Ok(purl) => Some(purl),
        Err(error) => {
            remarks.add(RemarkKind::Malformed, place, error.to_string());
            None
        }
    });
    let named = package.text("ecosystem").zip(package.text("name"));
    let named = named.map(|(ecosystem, name)| {
        let (ecosystem, release) = Ecosystem::from_osv(ecosystem);
        let name = ecosystem.normalised(&text::line(name, 512));
        Target::Package { ecosystem, name, release }
    });
    let by_purl = purl.map(|purl| {
        let ecosystem = Ecosystem::from_purl(&purl);
        let name = ecosystem.normalised(&Ecosystem::package_name(&purl));
        let release = match &named {
            Some(Target::Package { release, .. }) => release.clone(),
            _ => purl.qualifier("distro").map(str::to_owned),
        };
        Target::Package { ecosystem, name, release }
    });
    let mut targets = Vec::new();
    match (named, by_purl) {
        // Under the ecosystem's name alone where both say the same.
        (Some(named), Some(by_purl)) if named.keys() == by_purl.keys() => targets.push(named),
        (named, by_purl) => targets.extend(named.into_iter().chain(by_purl)),
    }
    if targets.is_empty() {
        remarks.add(RemarkKind::NotUsed, place, "a package without ecosystem, name and purl");
    }
    for target in targets {
        out.push(entry(target, versions.clone()));
    }
}

fn read_range(range: &Value, place: &str, remarks: &mut Remarks) -> Result<EventRange, String> {
    let kind = match range.text("type") {
        Some("SEMVER") => RangeKind::SemVer,
        Some("ECOSYSTEM") => RangeKind::Ecosystem,
        Some("GIT") => RangeKind::Git,
        other => return Err(format!("a range of the type {other:?}")),
    };
    let list = range.list("events");
    if list.len() > RANGE_PARTS_MAX {
        return Err(format!("more than {RANGE_PARTS_MAX} events"));
    }
    let mut events = Vec::new();
    for event in list {
        let before = events.len();
        for name in ["introduced", "fixed", "last_affected", "limit"] {
            let Some(version) = event.text(name).map(str::trim) else { continue };
            if !text::is_plain(version, VERSION_BYTES_MAX) {
                return Err(format!("the version of an event {name}"));
            }
            let version = version.to_owned();
            events.push(match name {
                "introduced" => Event::Introduced(version),
                "fixed" => Event::Fixed(version),
                "last_affected" => Event::LastAffected(version),
                _ => Event::Limit(version),
            });
        }
        match events.len() - before {
            0 => return Err("an event of no known kind".to_owned()),
            1 => {}
            _ => remarks.add(
                RemarkKind::Malformed,
                place,
                "an event of several kinds at once; all count",
            ),
        }
    }
    if !events.iter().any(|event| matches!(event, Event::Introduced(_))) {
        return Err("a range that begins nowhere".to_owned());
    }
    let repository = range.text("repo").map(|repo| text::line(repo, 500));
    Ok(EventRange { kind, repository, events })
}
