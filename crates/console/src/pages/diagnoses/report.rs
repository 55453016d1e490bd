//! A diagnosis on paper: two pages for managers, everything for engineers; in a language of its own.

use super::{
    Figures,
    answer_page::feature_title,
    day, one,
    one::{GapRow, LiveRow},
    report_trace::{self, TracePart},
    signed, state,
};
use crate::{
    Answer as Page, Asked, Console, Failure, Member,
    chart::HeatMap,
    i18n::Locale,
    ui::{Badge, Tone},
};
use askama::Template;
use assessment::{Answer, CheckVerdict, Entry, Gap, Item, Layer, Phase, Score, State as ItemState};
use axum::{
    Router,
    extract::{Path, State},
    response::{Html, IntoResponse as _},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header};
use serde::Deserialize;
use service::{DiagnosisReport, ItemView};
use std::{str::FromStr, sync::LazyLock};

/// How it looks, on screens and on paper: part of the page, so that a saved file is whole.
const STYLE: &str = concat!(
    include_str!("../../../assets/report.css"),
    include_str!("../../../assets/diagnosis-report.css")
);

/// What a report may do: look as it does (CSP Level 3, section 6.7.3.2); see
/// [`REPORT_POLICY`](crate::REPORT_POLICY).
pub static DIAGNOSIS_REPORT_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(crypto::sha256(STYLE.as_bytes()).as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    )
});

/// Gaps and deadlines that managers are shown: what fits on a page.
const GAPS: usize = 10;
const DEADLINES: usize = 8;
/// Characters of what people wrote, where room is counted.
const CHARS: usize = 60;
/// From this weight on, what is not met is grave.
const GRAVE: u8 = 4;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/diagnoses/{id}/report", get(page))
}

/// Whom a report is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// who decides: two pages
    Managers,
    /// who does it: every item
    Engineers,
}

impl Audience {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Managers, Self::Engineers];

    /// Its word in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Managers => "managers",
            Self::Engineers => "engineers",
        }
    }
}

impl FromStr for Audience {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| "one of managers, engineers".to_owned())
    }
}

/// What a report says, before it is HTML or PDF.
pub(super) struct Paper {
    pub(super) t: Locale,
    pub(super) audience: Audience,
    pub(super) title: String,
    pub(super) product: String,
    pub(super) subject: String,
    pub(super) state: Badge,
    /// name and value
    pub(super) made: Vec<(String, String)>,
    pub(super) tone: Tone,
    pub(super) headline: String,
    pub(super) verdict: String,
    /// name, figure, note
    pub(super) scores: Vec<(String, String, String)>,
    pub(super) cells: Vec<(Layer, Phase, Score)>,
    pub(super) catalogues: Vec<(String, u32, u32)>,
    pub(super) standing: Vec<(String, String)>,
    pub(super) gaps: Vec<GapRow>,
    pub(super) gaps_more: usize,
    pub(super) deadlines: Vec<GapRow>,
    pub(super) live: Vec<LivePart>,
    pub(super) absent: Vec<(String, String)>,
    pub(super) groups: Vec<Group>,
    /// for engineers, where there is something to say
    pub(super) trace: Option<TracePart>,
}

/// What a collector found, with its digest.
pub(super) struct LivePart {
    pub(super) row: LiveRow,
    pub(super) digest: String,
    pub(super) word: &'static str,
}

/// Items of a layer and a phase.
pub(super) struct Group {
    pub(super) title: String,
    pub(super) items: Vec<ItemPart>,
}

/// An item with its answer and evidence.
pub(super) struct ItemPart {
    pub(super) id: String,
    pub(super) criterion: &'static str,
    pub(super) weight: String,
    pub(super) state: Badge,
    pub(super) word: &'static str,
    pub(super) lines: Vec<(String, String)>,
    /// what it is, its days, its digest
    pub(super) evidence: Vec<(String, String, Option<String>)>,
}

/// Cut where room is counted.
fn short(text: &str) -> String {
    match text.char_indices().nth(CHARS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

/// What the whole comes to: tone, headline, sentence.
fn judge(t: Locale, report: &DiagnosisReport) -> (Tone, String, String) {
    let grave = |gap: &&Gap| gap.state == ItemState::NotMet && gap.weight >= GRAVE;
    let grave = report.gaps.iter().filter(grave).count();
    let failing = report.evidence.iter().filter(|one| one.verdict == CheckVerdict::Fail).count();
    let text = |key: &'static str| t.text(key).to_string();
    if report.gaps.is_empty() && failing == 0 {
        let said = t.text("dreport-good-text").arg("count", report.figures.view.total.items);
        return (Tone::Good, text("dreport-good"), said.to_string());
    }
    if grave > 0 || failing > 0 {
        let said = t
            .text("dreport-bad-text")
            .arg("grave", grave)
            .arg("failing", failing)
            .arg("gaps", report.gaps.len());
        return (Tone::Bad, text("dreport-bad"), said.to_string());
    }
    let said = t.text("dreport-warn-text").arg("gaps", report.gaps.len());
    (Tone::Warn, text("dreport-warn"), said.to_string())
}

/// Who stands for it, and whether the product line may be in operation.
fn standing(t: Locale, report: &DiagnosisReport) -> Vec<(String, String)> {
    let view = &report.figures.view;
    let mut lines = Vec::new();
    lines.push((
        t.text("dreport-sign-off").to_string(),
        match &view.signed {
            None => t.text("dreport-not-signed").to_string(),
            Some(signed) => t
                .text("diagnoses-signed-by")
                .arg("by", short(&signed.by))
                .arg("approver", short(&signed.approved_by))
                .arg("time", t.time(signed.at).plain())
                .arg("leaf", signed.leaf)
                .to_string(),
        },
    ));
    let gate = &report.operation;
    let mut said = t.word("operation-state", gate.state.name()).to_string();
    if let Some(until) = gate.until {
        said = format!("{said} – {} {}", t.text("operation-until"), t.time(until).plain());
    }
    let open = t.text("operation-open-lead").arg("open", gate.open.len()).arg("all", gate.required);
    lines.push((t.text("operation-title").to_string(), format!("{said}. {open}")));
    lines.push((t.text("diagnoses-content").to_string(), report.figures.content.to_string()));
    lines
}

fn item_part(t: Locale, item: &'static Item, one: &ItemView) -> ItemPart {
    let mut lines = Vec::new();
    let mut add = |key: &'static str, value: Option<String>| {
        lines.extend(value.map(|value| (t.text(key).to_string(), value)));
    };
    let answer: Option<&Answer> = match &one.answer.entry {
        Some(Entry::Answer(answer)) => Some(answer),
        _ => None,
    };
    let absent = one.absent.as_ref();
    add(
        "dreport-absent",
        absent.map(|(feature, why)| format!("{}: {why}", feature_title(t, feature))),
    );
    if let Some(answer) = answer {
        add("diagnoses-answer", Some(answer.outcome.title(t.language).to_owned()));
        add("diagnoses-reason", answer.reason.clone());
        add("diagnoses-owner", answer.owner.clone());
        add("diagnoses-due", answer.due.map(|due| day(t, due).plain().to_owned()));
        add("diagnoses-comment", answer.comment.clone());
    }
    if one.state.is_gap() {
        add("diagnoses-how-to-check", Some(item.check.of(t.language).to_owned()));
        add("diagnoses-what-counts", Some(item.evidence.of(t.language).to_owned()));
    }
    let checks = one.checks.iter().map(|check| {
        format!(
            "{}: {} ({} {})",
            check.collector.title(t.language),
            check.verdict.title(t.language),
            t.text("diagnoses-expires"),
            day(t, check.until).plain(),
        )
    });
    let checks: Vec<_> = checks.collect();
    add("diagnoses-live", (!checks.is_empty()).then(|| checks.join("; ")));
    let evidence = answer.into_iter().flat_map(|answer| &answer.evidence).map(|piece| {
        let until = match piece.until {
            Some(until) => t.text("dreport-until").arg("day", day(t, until).plain()).to_string(),
            None => t.text("dreport-no-end").to_string(),
        };
        (
            piece.what.clone(),
            format!("{}, {until}", day(t, piece.on).plain()),
            piece.sha256.as_ref().map(ToString::to_string),
        )
    });
    ItemPart {
        id: item.id.to_string(),
        criterion: item.criterion.of(t.language),
        weight: t.number(item.weight),
        state: state(t, one.state),
        word: one.state.title(t.language),
        evidence: evidence.collect(),
        lines,
    }
}

fn groups(t: Locale, report: &DiagnosisReport) -> Result<Vec<Group>, Failure> {
    let library = report.library()?;
    let mut groups: Vec<Group> = Vec::new();
    let mut at = None;
    for one in &report.items {
        let Some(item) = library.item(&one.answer.topic.to_string()) else { continue };
        let place = (item.layer, item.phase);
        if at != Some(place) {
            at = Some(place);
            let title =
                format!("{} – {}", item.layer.title(t.language), item.phase.title(t.language));
            groups.push(Group { title, items: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            group.items.push(item_part(t, item, one));
        }
    }
    Ok(groups)
}

impl Paper {
    /// What a report for somebody says.
    pub(super) fn new(
        report: &DiagnosisReport,
        t: Locale,
        audience: Audience,
    ) -> Result<Self, Failure> {
        let view = &report.figures.view;
        let total = Figures::new(&view.total);
        let (tone, headline, verdict_text) = judge(t, report);
        let whole = audience == Audience::Engineers;
        let rows = |gaps: &mut dyn Iterator<Item = &Gap>| -> Vec<GapRow> {
            let row = |gap: &Gap| {
                let mut row = GapRow::new(t, gap, "")?;
                row.owner = short(&row.owner);
                Some(row)
            };
            gaps.filter_map(row).collect()
        };
        let shown = if whole { report.gaps.len() } else { GAPS };
        let mut dated: Vec<&Gap> = report.gaps.iter().filter(|gap| gap.due.is_some()).collect();
        dated.sort_by_key(|gap| gap.due);
        let deadlines = if whole { dated.len() } else { DEADLINES };
        let radar = one::radar(t, &report.figures.catalogues, None);
        let features = report.absent.iter();
        let text = |key: &'static str| t.text(key).to_string();
        Ok(Self {
            t,
            audience,
            title: t.word("dreport-title", audience.name()).to_string(),
            product: format!("{}/{}", view.organisation, view.product),
            subject: view.subject.clone(),
            state: signed(t, view),
            made: vec![
                (text("report-made"), t.time(report.made_at).plain().to_owned()),
                (text("report-made-by"), short(&report.made_by)),
                (text("dreport-as-of"), day(t, report.figures.today).plain().to_owned()),
            ],
            tone,
            headline,
            verdict: verdict_text,
            scores: vec![
                (text("diagnoses-fulfilled"), total.fulfilled, text("diagnoses-fulfilled-note")),
                (text("diagnoses-claimed"), total.claimed, text("diagnoses-claimed-note")),
                (
                    text("diagnoses-answered"),
                    total.answered,
                    t.text("diagnoses-answered-note").arg("count", view.total.items).to_string(),
                ),
                (
                    text("diagnoses-gaps"),
                    t.number(i128::try_from(report.gaps.len()).unwrap_or(i128::MAX)),
                    text("dreport-gaps-note"),
                ),
            ],
            cells: report.figures.cells.clone(),
            catalogues: radar
                .axes
                .into_iter()
                .map(|one| (one.title, one.inner, one.outer))
                .collect(),
            standing: standing(t, report),
            gaps: rows(&mut report.gaps.iter().take(shown)),
            gaps_more: report.gaps.len().saturating_sub(shown),
            deadlines: rows(&mut dated.into_iter().take(deadlines)),
            live: match whole {
                false => Vec::new(),
                true => report
                    .evidence
                    .iter()
                    .map(|one| LivePart {
                        row: LiveRow::new(t, one),
                        digest: one.digest.to_string(),
                        word: one.verdict.title(t.language),
                    })
                    .collect(),
            },
            absent: match whole {
                false => Vec::new(),
                true => features
                    .map(|(feature, why)| (feature_title(t, feature), why.clone()))
                    .collect(),
            },
            groups: if whole { groups(t, report)? } else { Vec::new() },
            trace: match report.trace.as_ref().filter(|_| whole) {
                None => None,
                Some(trace) => report_trace::part(t, trace)?,
            },
        })
    }

    fn heat(&self) -> HeatMap {
        one::heat(self.t, &self.cells, None)
    }
}

/// The report as an HTML document that needs nothing else. Serve it with
/// [`DIAGNOSIS_REPORT_POLICY`].
///
/// # Errors
/// `internal` where the template fails.
pub fn diagnosis_report(
    report: &DiagnosisReport,
    t: Locale,
    audience: Audience,
) -> Result<String, Failure> {
    let paper = Paper::new(report, t, audience)?;
    let heat = paper.heat();
    let page = ReportPage { t, style: STYLE, policy: &DIAGNOSIS_REPORT_POLICY, heat, paper };
    page.render().map_err(|error| {
        tracing::error!(%error, "a report cannot be rendered");
        Failure::internal()
    })
}

#[derive(Template)]
#[template(path = "diagnoses/report.html")]
struct ReportPage<'a> {
    t: Locale,
    style: &'a str,
    policy: &'a str,
    heat: HeatMap,
    paper: Paper,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// language of the report; the reader's own otherwise
    lang: String,
    audience: String,
    /// `pdf`; a page otherwise
    format: String,
}

async fn page(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Page {
    let language = match wanted.lang.as_str() {
        "" => member.t.language,
        tag => tag.parse().map_err(|_| Failure::bad_request())?,
    };
    let audience = match wanted.audience.as_str() {
        "" => Audience::Managers,
        word => word.parse().map_err(|_| Failure::bad_request())?,
    };
    let report = console.service.diagnosis_report(member.caller(), &super::id(&text)?).await?;
    // The zone was chosen by the reader, or is the usual one of the report's language.
    let usual = Locale::new(language);
    let chosen = member.t.zone != Locale::new(member.t.language).zone;
    let t = if chosen { Locale { zone: member.t.zone, ..usual } } else { usual };
    match wanted.format.as_str() {
        "" | "html" => {}
        "pdf" => return pdf(&console, report, t, audience).await,
        _ => return Err(Failure::bad_request()),
    }
    let html = diagnosis_report(&report, t, audience)?;
    let policy = format!("{}; frame-ancestors 'none'", *DIAGNOSIS_REPORT_POLICY);
    let policy = HeaderValue::from_str(&policy).map_err(|_| Failure::internal())?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(t.tag())),
    ];
    Ok((headers, Html(html)).into_response())
}

/// The same as PDF, drawn beside the threads that answer.
async fn pdf(console: &Console, report: DiagnosisReport, t: Locale, audience: Audience) -> Page {
    let font = console.service.report_font().await?;
    let draw = move || super::diagnosis_report_pdf(&report, t, audience, &font);
    let bytes = tokio::task::spawn_blocking(draw).await.map_err(|_| Failure::internal())??;
    let name = format!("attachment; filename=\"diagnosis-{}.pdf\"", audience.name());
    let name = HeaderValue::try_from(name).map_err(|_| Failure::internal())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
        (header::CONTENT_DISPOSITION, name),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(t.tag())),
    ];
    Ok((headers, bytes).into_response())
}
