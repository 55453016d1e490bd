//! From threats to verdicts: a matrix, what is missing, and the way of one threat drawn and in words.

use super::{About, band, state};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::Locale,
    pages::listing,
    ui::{Badge, Empty, Icon, Pager, Tone},
};
use askama::Template;
use assessment::{
    ControlVerdict, LinkGap, State as ItemState, Trace, TraceGraph, TraceVerdict, TracedThreat,
    threat::{Theme, ThreatInstance},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::Language;
use serde::Deserialize;
use service::{ErrorKind, TraceLooked};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products/{maker}/{id}/trace", get(matrix))
        .route("/products/{maker}/{id}/trace/{threat}", get(one))
}

/// Threats on a page.
const ROWS: usize = 20;
/// Missing links that a page names.
const GAPS_MAX: usize = 300;

pub(in crate::pages) fn verdict(t: Locale, verdict: TraceVerdict) -> Badge {
    let tone = match verdict {
        TraceVerdict::Shown => Tone::Good,
        TraceVerdict::Claimed => Tone::Warn,
        TraceVerdict::Contradicted | TraceVerdict::Open => Tone::Bad,
        TraceVerdict::Planned => Tone::Busy,
        TraceVerdict::Borne => Tone::Held,
        TraceVerdict::Explained => Tone::Info,
    };
    Badge::new(tone, verdict.title(t.language))
}

fn check_badge(t: Locale, state: ItemState, gap: Option<LinkGap>) -> Badge {
    let tone = match state {
        ItemState::Met => Tone::Good,
        ItemState::NotMet => Tone::Bad,
        ItemState::NotApplicable => Tone::Neutral,
        _ => Tone::Warn,
    };
    Badge::new(tone, gap.map_or_else(|| state.title(t.language), |gap| gap.title(t.language)))
}

struct CheckCell {
    id: String,
    state: Badge,
    evidence: Vec<String>,
}

struct ControlCell {
    title: String,
    standing: String,
    verdict: Badge,
    requirements: Vec<String>,
    checks: Vec<CheckCell>,
}

struct Row {
    href: String,
    title: String,
    subject: String,
    risk: Badge,
    state: Badge,
    verdict: Badge,
    gaps: Vec<&'static str>,
    controls: Vec<ControlCell>,
}

struct GapRow {
    kind: &'static str,
    at: String,
    threats: Vec<(String, String)>,
    more: usize,
}

struct Seen {
    version: u64,
    subject: Option<String>,
    counts: Vec<(Badge, String)>,
    rows: Vec<Row>,
    next: Option<String>,
    gaps: Vec<GapRow>,
    gap_count: usize,
}

/// Where a measure stands against a threat.
pub(in crate::pages) fn measure_standing(
    t: Locale,
    threat: &ThreatInstance<'_>,
    measure: &str,
) -> String {
    let key = if threat.in_place.contains(measure) {
        "threats-in-place"
    } else if threat.planned.contains(measure) {
        "threats-planned"
    } else {
        "threats-missing"
    };
    t.text(key).to_string()
}

fn row(t: Locale, base: &str, looked: &TraceLooked<'_>, one: &TracedThreat<'_>) -> Row {
    let trace = looked.trace;
    let controls = one.controls.iter().filter_map(|id| trace.controls.get(id)).map(|control| {
        let id = control.measure.id.as_str();
        let standing = measure_standing(t, one.threat, id);
        let tone = match control.verdict {
            ControlVerdict::Verified => Tone::Good,
            ControlVerdict::Unproven => Tone::Warn,
            ControlVerdict::Fails => Tone::Bad,
        };
        ControlCell {
            title: control.measure.title.of(t.language).to_owned(),
            standing,
            verdict: Badge::new(tone, control.verdict.title(t.language)),
            requirements: control.measure.requirements.iter().map(ToString::to_string).collect(),
            checks: control
                .checks
                .iter()
                .filter_map(|id| trace.checks.get(id))
                .map(|check| CheckCell {
                    id: check.item.id.to_string(),
                    state: check_badge(t, check.state, check.gap),
                    evidence: check
                        .evidence
                        .iter()
                        .map(|piece| {
                            let what = match piece.collector {
                                Some((collector, _)) => collector.title(t.language),
                                None => piece.what.as_str(),
                            };
                            format!("{what} ({})", piece.standing.title(t.language))
                        })
                        .collect(),
                })
                .collect(),
        }
    });
    Row {
        href: format!("{base}/{}", one.threat.id),
        title: one.threat.title(t.language).to_owned(),
        subject: one.threat.subject.title(looked.analysis.model),
        risk: band(t, one.threat.risk.residual),
        state: state(t, one.threat.state),
        verdict: verdict(t, one.verdict),
        gaps: one.gaps.iter().map(|gap| gap.title(t.language)).collect(),
        controls: controls.collect(),
    }
}

/// Threats that a missing link names, with their addresses.
const NAMED: usize = 5;

fn gap_rows(language: Language, base: &str, trace: &Trace<'_>) -> Vec<GapRow> {
    let titles: std::collections::BTreeMap<&str, &str> = trace
        .threats
        .iter()
        .map(|one| (one.threat.id.as_str(), one.threat.title(language)))
        .collect();
    trace
        .gaps
        .iter()
        .take(GAPS_MAX)
        .map(|gap| GapRow {
            kind: gap.kind.title(language),
            at: titles.get(gap.at.as_str()).map_or_else(|| gap.at.clone(), |one| (*one).to_owned()),
            threats: gap
                .threats
                .iter()
                .take(NAMED)
                .map(|id| {
                    let title = titles.get(id.as_str()).copied().unwrap_or_default();
                    (format!("{base}/{id}"), title.to_owned())
                })
                .collect(),
            more: gap.threats.len().saturating_sub(NAMED),
        })
        .collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    verdict: String,
    after: String,
}

async fn matrix(
    State(console): State<Console>,
    member: Member,
    Path(path): Path<(String, String)>,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, path).await?;
    let after: usize = match filters.after.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| Failure::bad_request())?,
    };
    let wanted = match filters.verdict.as_str() {
        "" => None,
        word => Some(TraceVerdict::of_word(word).ok_or_else(Failure::bad_request)?),
    };
    let base = about.trace();
    let look = move |looked: &TraceLooked<'_>| {
        let trace = looked.trace;
        let mut rows = Vec::new();
        let mut next = None;
        for (at, one) in trace.threats.iter().enumerate().skip(after) {
            if wanted.is_some_and(|wanted| wanted != one.verdict) {
                continue;
            }
            if rows.len() == ROWS {
                next = Some(at.to_string());
                break;
            }
            rows.push(row(t, &base, looked, one));
        }
        Seen {
            version: looked.version.version,
            subject: looked.subject.map(str::to_owned),
            counts: trace
                .count()
                .into_iter()
                .map(|(one, count)| (verdict(t, one), count.to_string()))
                .collect(),
            rows,
            next,
            gaps: gap_rows(t.language, &base, trace),
            gap_count: trace.gaps.len(),
        }
    };
    let found = console.service.look_at_trace(member.caller(), &about.maker, &about.id, look).await;
    let seen = match found {
        Ok(seen) => Some(seen),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let here = about.trace();
    let page = MatrixPage {
        t,
        frame: member.frame(
            Section::Products,
            t.text("threats-trace-of").arg("product", &about.name).to_string(),
        ),
        crumbs: about.crumbs(t),
        pager: listing::pager(
            t,
            &here,
            &[("verdict", &filters.verdict)],
            &filters.after,
            seen.as_ref().and_then(|seen| seen.next.as_deref()),
        ),
        here,
        seen,
        verdicts: TraceVerdict::ALL
            .iter()
            .map(|one| (one.word(), one.title(t.language), one.word() == filters.verdict))
            .collect(),
        empty: Empty::new(Icon::Warning, t.text("threats-empty"), t.text("threats-empty-hint")),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "threats/trace.html")]
struct MatrixPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    here: String,
    seen: Option<Seen>,
    verdicts: Vec<(&'static str, &'static str, bool)>,
    pager: Pager,
    empty: Empty,
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, threat)): Path<(String, String, String)>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, (maker, id)).await?;
    let wanted = threat.clone();
    let base = about.trace();
    let look = move |looked: &TraceLooked<'_>| {
        let one = looked.trace.threat(&wanted)?;
        let graph = looked.trace.graph(&wanted, Theme::Light, t.language)?;
        Some((row(t, &base, looked, one), graph))
    };
    let found =
        console.service.look_at_trace(member.caller(), &about.maker, &about.id, look).await?;
    let (row, graph) = found.ok_or_else(Failure::not_found)?;
    let mut crumbs = about.crumbs(t);
    crumbs.push((about.trace(), t.text("threats-trace").to_string()));
    let page = OnePage {
        t,
        frame: member.frame(Section::Products, row.title.clone()),
        crumbs,
        threat: about.threat(&threat),
        row,
        graph,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "threats/way.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    threat: String,
    row: Row,
    graph: TraceGraph,
}
