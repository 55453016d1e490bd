//! The part of an engineers' report about threats: what harm the product can do, what is asked for, and for
//! each threat requirement, control, check, evidence and verdict.

use crate::{
    Failure,
    i18n::Locale,
    pages::threats,
    pdf::{Cell, Document, MUTED, Style},
    ui::Badge,
};
use assessment::{
    Trace, TracedThreat,
    threat::{Analysis, Holds, Impact, RatedBy, scia},
};
use service::ReportTrace;

/// Threats of a report: those with the greatest residual risk; the page of the trace has all.
const THREATS: usize = 100;

/// What a report says of threats.
pub(super) struct TracePart {
    /// which version of the model, by whom
    pub(super) model: Option<String>,
    /// name, level, what rates it so
    pub(super) scia: Vec<(String, String, String)>,
    /// assessment, where it stands
    pub(super) forms: Vec<(String, String)>,
    /// duty, law, document
    pub(super) duties: Vec<(String, String, String)>,
    /// verdict, threats that come to it
    pub(super) counts: Vec<(String, String)>,
    pub(super) ways: Vec<Way>,
    pub(super) more: usize,
}

/// A threat with what follows from it.
pub(super) struct Way {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) subject: String,
    pub(super) risk: Badge,
    pub(super) verdict: Badge,
    pub(super) gaps: String,
    pub(super) rows: Vec<WayRow>,
}

/// A control of a threat.
pub(super) struct WayRow {
    pub(super) requirements: String,
    pub(super) control: String,
    pub(super) standing: String,
    pub(super) verdict: &'static str,
    /// item, where it stands, evidence
    pub(super) checks: Vec<(String, &'static str, String)>,
}

/// The part of a report, where there is a model or an assessment.
pub(super) fn part(t: Locale, of: &ReportTrace) -> Result<Option<TracePart>, Failure> {
    let begun = of.answers.values().any(|answers| !answers.is_empty());
    if of.version.is_none() && !begun {
        return Ok(None);
    }
    Ok(Some(of.look(|analysis, trace| seen(t, of, analysis, trace))?))
}

fn seen(t: Locale, of: &ReportTrace, analysis: &Analysis<'_>, trace: &Trace<'_>) -> TracePart {
    let language = t.language;
    let mut forms = Vec::new();
    let mut duties = Vec::new();
    for form in analysis.book.forms() {
        let (Some(answers), Some(stands)) = (of.answers.get(&form.id), of.standing.get(&form.id))
        else {
            continue;
        };
        let impact = Impact::of(form, answers, analysis);
        let mut said = match (&stands.concluded, stands.reopened, answers.is_empty()) {
            (Some((by, at)), ..) => {
                format!("{} – {by}, {}", t.text("impact-concluded"), t.time(*at).plain())
            }
            (None, true, _) => t.text("impact-reopened").to_string(),
            (None, false, true) => t.text("impact-not-begun").to_string(),
            (None, false, false) => t.text("impact-draft").to_string(),
        };
        if !impact.open.is_empty() && !answers.is_empty() {
            said = format!("{said}. {}", t.text("impact-open").arg("count", impact.open.len()));
        }
        forms.push((form.title.of(language).to_owned(), said));
        let applies = impact.duties.iter().filter(|(_, holds)| *holds == Holds::Yes);
        duties.extend(applies.map(|(duty, _)| {
            (
                duty.title.of(language).to_owned(),
                duty.law.of(language).to_owned(),
                duty.document.of(language).to_owned(),
            )
        }));
    }
    let ratings = scia(analysis.model, analysis.book, &of.answers).into_iter();
    let ratings = ratings.map(|(harm, level, by)| {
        let by = by.first().filter(|_| level > 0).map(|by| match by {
            RatedBy::Asset(asset) => {
                t.text("impact-by-asset").arg("asset", asset.title.as_str()).to_string()
            }
            RatedBy::Question(_, question) => question.ask.of(language).to_owned(),
        });
        let level = match level {
            0 => "–".to_owned(),
            level => t.text("impact-of-five").arg("level", u64::from(level)).to_string(),
        };
        (harm.title(language).to_owned(), level, by.unwrap_or_default())
    });
    TracePart {
        model: of.version.as_ref().map(|version| {
            let text = t.text("threats-version").arg("version", version.version);
            format!("{} {}", text.arg("by", version.by.as_str()), t.time(version.at).plain())
        }),
        scia: ratings.collect(),
        forms,
        duties,
        counts: trace
            .count()
            .into_iter()
            .map(|(verdict, count)| (verdict.title(language).to_owned(), count.to_string()))
            .collect(),
        ways: trace.threats.iter().take(THREATS).map(|one| way(t, analysis, trace, one)).collect(),
        more: trace.threats.len().saturating_sub(THREATS),
    }
}

fn way(t: Locale, analysis: &Analysis<'_>, trace: &Trace<'_>, one: &TracedThreat<'_>) -> Way {
    let language = t.language;
    let controls = one.controls.iter().filter_map(|id| trace.controls.get(id)).map(|control| {
        let checks = control.checks.iter().filter_map(|id| trace.checks.get(id)).map(|check| {
            let evidence = check.evidence.iter().map(|piece| {
                let what = match piece.collector {
                    Some((collector, _)) => collector.title(language),
                    None => piece.what.as_str(),
                };
                let standing = piece.standing.title(language);
                match piece.sha256 {
                    None => format!("{what} ({standing})"),
                    Some(digest) => {
                        let digest = digest.to_string();
                        let begins = digest.get(..12).unwrap_or(&digest);
                        format!("{what} ({standing}, {begins}…)")
                    }
                }
            });
            let evidence = evidence.collect::<Vec<_>>().join("; ");
            let stands = match check.gap {
                Some(gap) => gap.title(language),
                None => check.state.title(language),
            };
            (check.item.id.to_string(), stands, evidence)
        });
        WayRow {
            requirements: control
                .measure
                .requirements
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" "),
            control: control.measure.title.of(language).to_owned(),
            standing: threats::measure_standing(t, one.threat, &control.measure.id),
            verdict: control.verdict.title(language),
            checks: checks.collect(),
        }
    });
    Way {
        id: one.threat.id.to_string(),
        title: one.threat.title(language).to_owned(),
        subject: one.threat.subject.title(analysis.model),
        risk: threats::band(t, one.threat.risk.residual),
        verdict: threats::trace_verdict(t, one.verdict),
        gaps: one.gaps.iter().map(|gap| gap.title(language)).collect::<Vec<_>>().join("; "),
        rows: controls.collect(),
    }
}

/// Sizes of text, in points.
const BODY: f32 = 9.0;
const SMALL: f32 = 7.5;
const TINY: f32 = 6.5;

fn cell(text: impl Into<String>) -> Cell {
    Cell::new(text, Style::plain(TINY))
}

fn head(t: Locale, keys: &[&'static str]) -> Vec<Cell> {
    let style = Style::plain(TINY).bold().colour(MUTED);
    keys.iter().map(|key| Cell::new(t.text(key).to_string(), style)).collect()
}

/// Draws the part.
pub(super) fn draw(document: &mut Document<'_>, t: Locale, part: &TracePart) {
    document.heading(&t.text("impact-title").to_string());
    for (name, level, by) in &part.scia {
        document.fact(name, format!("{level}   {by}").trim_end(), SMALL);
    }
    for (name, said) in &part.forms {
        document.fact(name, said, SMALL);
    }
    if !part.duties.is_empty() {
        document.space(6.0);
        let rows: Vec<Vec<Cell>> = part
            .duties
            .iter()
            .map(|(title, law, document)| vec![cell(title), cell(law), cell(document)])
            .collect();
        let keys = ["impact-duty", "impact-law", "impact-document"];
        document.table(&[4.2, 2.9, 2.9], &head(t, &keys), &rows);
        document.space(3.0);
        let hint = t.text("impact-duties-hint").to_string();
        document.paragraph(&hint, Style::plain(TINY).colour(MUTED));
    }
    let Some(model) = &part.model else { return };
    document.heading(&t.text("threats-trace").to_string());
    document.paragraph(model, Style::plain(SMALL).colour(MUTED));
    for (verdict, count) in &part.counts {
        document.fact(verdict, count, SMALL);
    }
    for one in &part.ways {
        document.need(52.0);
        document.space(7.0);
        document.paragraph(&one.title, Style::plain(BODY).bold());
        let gaps = match one.gaps.as_str() {
            "" => String::new(),
            gaps => format!("   {gaps}"),
        };
        let line = format!(
            "{}   {}   {} {}   {}{gaps}",
            one.id,
            one.subject,
            t.text("threats-risk"),
            one.risk.word(),
            one.verdict.word()
        );
        document.paragraph(&line, Style::plain(SMALL).colour(MUTED));
        if one.rows.is_empty() {
            continue;
        }
        document.space(2.0);
        let keys = ["threats-requirements", "threats-control", "threats-check"];
        let rows: Vec<Vec<Cell>> = one
            .rows
            .iter()
            .map(|row| {
                let checks: Vec<String> = row
                    .checks
                    .iter()
                    .map(|(item, state, evidence)| match evidence.as_str() {
                        "" => format!("{item} {state}"),
                        evidence => format!("{item} {state}: {evidence}"),
                    })
                    .collect();
                vec![
                    cell(row.requirements.as_str()),
                    cell(format!("{}\n{} – {}", row.control, row.standing, row.verdict)),
                    cell(checks.join("\n")),
                ]
            })
            .collect();
        document.table(&[2.6, 3.2, 4.2], &head(t, &keys), &rows);
    }
    if part.more > 0 {
        document.space(4.0);
        let more = t.text("dreport-more-threats").arg("count", part.more).to_string();
        document.paragraph(&more, Style::plain(SMALL).colour(MUTED));
    }
}
