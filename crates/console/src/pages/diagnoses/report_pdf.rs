//! A report of a diagnosis as PDF: what its page says, drawn.

use super::{
    report::{Audience, Paper},
    report_trace,
};
use crate::{
    Failure,
    i18n::Locale,
    pdf::{Cell, Colour, Document, Face, INK, MUTED, Style},
    ui::Tone,
};
use assessment::{Layer, Phase};
use service::{DiagnosisReport, ServiceError, unusable_report_font};

/// Sizes of text, in points.
const TITLE: f32 = 17.0;
const BODY: f32 = 9.0;
const SMALL: f32 = 7.5;
/// The list of catalogues shares its page with all else that managers are told.
const CATALOGUE: f32 = 7.0;

/// The same as `heat-0` … `heat-4` of the style sheets.
const BANDS: [Colour; 5] = [
    [0.973, 0.796, 0.769],
    [0.984, 0.875, 0.714],
    [0.957, 0.937, 0.784],
    [0.839, 0.925, 0.824],
    [0.663, 0.851, 0.698],
];
/// A field without anything to count.
const EMPTY: Colour = [0.933, 0.941, 0.957];
const BAD: Colour = [0.627, 0.110, 0.133];

const fn colour(tone: Tone) -> Colour {
    match tone {
        Tone::Good => [0.078, 0.396, 0.227],
        Tone::Warn => [0.467, 0.282, 0.0],
        Tone::Bad => BAD,
        _ => INK,
    }
}

/// Why there is no PDF.
#[derive(Debug)]
pub enum PdfFailure {
    /// The server's font cannot be used: `report-font`, with what to do.
    Font(ServiceError),
    /// The page itself could not be made.
    Page(Failure),
}

impl From<PdfFailure> for Failure {
    fn from(failure: PdfFailure) -> Self {
        match failure {
            PdfFailure::Font(error) => error.into(),
            PdfFailure::Page(failure) => failure,
        }
    }
}

/// The report as PDF, with `font` in it: TrueType or OpenType with Japanese characters.
///
/// # Errors
/// [`PdfFailure`].
pub fn diagnosis_report_pdf(
    report: &DiagnosisReport,
    t: Locale,
    audience: Audience,
    font: &[u8],
) -> Result<Vec<u8>, PdfFailure> {
    let unusable = |error: crate::pdf::FontError| {
        tracing::error!(%error, "a report cannot be drawn with this font");
        PdfFailure::Font(unusable_report_font(&error))
    };
    let paper = Paper::new(report, t, audience).map_err(PdfFailure::Page)?;
    let face = Face::parse(font).map_err(unusable)?;
    let mut document = Document::new(&face);
    first(&mut document, &paper);
    gaps(&mut document, &paper);
    if audience == Audience::Engineers {
        rest(&mut document, &paper);
    }
    let title = format!("{} {} {}", paper.title, paper.product, paper.subject);
    let foot = format!("{} · {} · {}", paper.title, paper.product, paper.subject);
    document.finish(&title, t.tag(), &foot).map_err(unusable)
}

fn cell(text: impl Into<String>, size: f32) -> Cell {
    Cell::new(text, Style::plain(size))
}

fn head(t: Locale, keys: &[&'static str]) -> Vec<Cell> {
    let style = Style::plain(SMALL).bold().colour(MUTED);
    keys.iter().map(|key| Cell::new(t.text(key).to_string(), style)).collect()
}

/// Verdict, figures, heat map, who stands for it, catalogues: the first page.
fn first(document: &mut Document<'_>, paper: &Paper) {
    let t = paper.t;
    document.paragraph("Tegata", Style::plain(BODY).bold().colour([0.702, 0.212, 0.169]));
    document.paragraph(&paper.title, Style::plain(TITLE).bold());
    let subject = format!("{} – {} ({})", paper.product, paper.subject, paper.state.word());
    document.paragraph(&subject, Style::plain(11.0).bold());
    let made: Vec<_> = paper.made.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    document.paragraph(&made.join("   "), Style::plain(SMALL).colour(MUTED));
    document.heading(&t.text("dreport-verdict").to_string());
    let tone = colour(paper.tone);
    let high = document.height(&paper.verdict, Document::width() - 16.0, BODY) + 24.0;
    document.fill(0.0, 0.0, (4.0, high), tone);
    document.block(
        &paper.headline,
        14.0,
        Document::width() - 16.0,
        Style::plain(12.0).bold().colour(tone),
    );
    document.block(&paper.verdict, 14.0, Document::width() - 16.0, Style::plain(BODY));
    document.space(10.0);
    scores(document, paper);
    heat(document, paper);
    document.heading(&t.text("dreport-standing").to_string());
    for (name, value) in &paper.standing {
        document.fact(name, value, SMALL + 0.5);
    }
    document.heading(&t.text("diagnoses-radar").to_string());
    let rows: Vec<Vec<Cell>> = paper
        .catalogues
        .iter()
        .map(|(name, met, claimed)| {
            vec![
                cell(name, CATALOGUE),
                cell(format!("{met}%"), CATALOGUE),
                cell(format!("{claimed}%"), CATALOGUE),
            ]
        })
        .collect();
    let keys = ["diagnoses-catalogue", "diagnoses-radar-met", "diagnoses-radar-claimed"];
    document.table(&[6.0, 1.4, 1.4], &head(t, &keys), &rows);
}

fn scores(document: &mut Document<'_>, paper: &Paper) {
    const HIGH: f32 = 50.0;
    let wide = Document::width() / 4.0;
    document.need(HIGH);
    let mut left = 0.0;
    for (name, figure, note) in &paper.scores {
        document.fill(left, 0.0, (wide - 6.0, HIGH), EMPTY);
        let within = |down| (left + 8.0, down, wide - 20.0);
        document.label(name, within(5.0), Style::plain(SMALL).bold(), false);
        document.label(figure, within(16.0), Style::plain(17.0).bold(), false);
        document.label(note, within(38.0), Style::plain(6.0).colour(MUTED), false);
        left += wide;
    }
    document.space(HIGH + 4.0);
}

fn heat(document: &mut Document<'_>, paper: &Paper) {
    const LEFT: f32 = 76.0;
    const HEAD: f32 = 24.0;
    const HIGH: f32 = 25.0;
    let t = paper.t;
    document.heading(&t.text("diagnoses-heat").to_string());
    document.need(HEAD + 4.0 * HIGH);
    let columns = f32::from(u8::try_from(Phase::ALL.len()).unwrap_or(u8::MAX));
    let wide = (Document::width() - LEFT) / columns;
    let mut left = LEFT;
    for phase in Phase::ALL {
        let name = phase.title(t.language);
        let style = Style::plain(6.2).colour(MUTED);
        for (line, text) in document.lines(name, wide - 3.0, style.size).iter().take(2).enumerate()
        {
            let down = if line == 0 { 2.0 } else { 11.0 };
            document.label(text, (left, down, wide - 2.0), style, true);
        }
        left += wide;
    }
    document.space(HEAD);
    for layer in Layer::ALL {
        let name = Style::plain(SMALL + 0.5);
        document.label(layer.title(t.language), (0.0, 6.5, LEFT - 6.0), name, false);
        let mut left = LEFT;
        for phase in Phase::ALL {
            let found = paper.cells.iter().find(|(of, at, _)| of == layer && at == phase);
            let score = found.and_then(|(.., score)| Some((score.fulfilled_percent()?, score)));
            let size = (wide - 2.0, HIGH - 2.0);
            match score {
                None => document.fill(left, 0.0, size, EMPTY),
                Some((share, score)) => {
                    document.fill(left, 0.0, size, band(share));
                    let figure = Style::plain(9.0).bold();
                    document.label(&format!("{share}%"), (left, 1.5, wide - 2.0), figure, true);
                    let items = t.text("diagnoses-cell-items").arg("count", score.items);
                    let note = Style::plain(6.0);
                    document.label(&items.to_string(), (left, 14.0, wide - 2.0), note, true);
                }
            }
            left += wide;
        }
        document.space(HIGH);
    }
}

/// Ground of a share; see `chart::heat`.
fn band(percent: u32) -> Colour {
    let at = match percent {
        100.. => 4,
        75.. => 3,
        50.. => 2,
        25.. => 1,
        _ => 0,
    };
    BANDS.get(at).copied().unwrap_or(EMPTY)
}

/// The heaviest gaps and the next deadlines: the second page.
fn gaps(document: &mut Document<'_>, paper: &Paper) {
    let t = paper.t;
    document.next_page();
    document.heading(&t.text("diagnoses-heaviest").to_string());
    if paper.gaps.is_empty() {
        document.paragraph(&t.text("diagnoses-no-gaps-hint").to_string(), Style::plain(BODY));
    } else {
        let keys = [
            "diagnoses-item",
            "diagnoses-criterion",
            "diagnoses-weight",
            "diagnoses-state",
            "diagnoses-owner",
        ];
        let rows: Vec<Vec<Cell>> = paper
            .gaps
            .iter()
            .map(|gap| {
                let mut owner = gap.owner.clone();
                if let Some(due) = &gap.due {
                    owner = format!("{owner}\n{}", due.plain()).trim_start().to_owned();
                }
                let late = if gap.overdue { BAD } else { INK };
                vec![
                    Cell::new(gap.item.clone(), Style::plain(SMALL).bold()),
                    cell(gap.criterion.clone(), SMALL),
                    cell(gap.weight.clone(), SMALL),
                    cell(gap.state.word(), SMALL),
                    Cell::new(owner, Style::plain(SMALL).colour(late)),
                ]
            })
            .collect();
        document.table(&[1.5, 5.2, 0.8, 1.6, 1.7], &head(t, &keys), &rows);
    }
    if paper.gaps_more > 0 {
        let more = t.text("dreport-more").arg("count", paper.gaps_more).to_string();
        document.space(3.0);
        document.paragraph(&more, Style::plain(SMALL).colour(MUTED));
    }
    document.heading(&t.text("dreport-deadlines").to_string());
    if paper.deadlines.is_empty() {
        document.paragraph(&t.text("dreport-no-deadlines").to_string(), Style::plain(BODY));
        return;
    }
    let keys = ["diagnoses-due", "diagnoses-item", "diagnoses-owner", "diagnoses-state"];
    let rows: Vec<Vec<Cell>> = paper
        .deadlines
        .iter()
        .map(|gap| {
            let mut due = gap.due.as_ref().map(|due| due.plain().to_owned()).unwrap_or_default();
            if gap.overdue {
                due = format!("{due} {}", t.text("diagnoses-overdue"));
            }
            let late = if gap.overdue { BAD } else { INK };
            vec![
                Cell::new(due, Style::plain(SMALL).colour(late)),
                cell(gap.item.clone(), SMALL),
                cell(gap.owner.clone(), SMALL),
                cell(gap.state.word(), SMALL),
            ]
        })
        .collect();
    document.table(&[2.0, 1.6, 3.4, 2.0], &head(t, &keys), &rows);
}

/// Live checks, absent features, every item.
fn rest(document: &mut Document<'_>, paper: &Paper) {
    let t = paper.t;
    if !paper.live.is_empty() {
        document.heading(&t.text("diagnoses-live").to_string());
        let keys = [
            "diagnoses-collector",
            "diagnoses-verdict",
            "diagnoses-collected",
            "diagnoses-expires",
        ];
        let rows: Vec<Vec<Cell>> = paper
            .live
            .iter()
            .map(|one| {
                let name = match one.row.name.as_str() {
                    "" => one.row.what.clone(),
                    name => format!("{} – {name}", one.row.what),
                };
                vec![
                    cell(format!("{name}\nSHA-256 {}", one.digest), 6.5),
                    cell(one.word, SMALL),
                    cell(format!("{}, {}", one.row.at.plain(), one.row.by), SMALL),
                    cell(one.row.until.plain(), SMALL),
                ]
            })
            .collect();
        document.table(&[4.6, 1.2, 2.6, 1.4], &head(t, &keys), &rows);
    }
    if !paper.absent.is_empty() {
        document.heading(&t.text("dreport-absent").to_string());
        for (name, why) in &paper.absent {
            document.fact(name, why, SMALL + 0.5);
        }
    }
    if let Some(part) = &paper.trace {
        report_trace::draw(document, t, part);
    }
    document.heading(&t.text("diagnoses-items").to_string());
    for group in &paper.groups {
        document.need(60.0);
        document.space(8.0);
        document.paragraph(&group.title, Style::plain(10.0).bold());
        for item in &group.items {
            document.need(44.0);
            document.space(5.0);
            let head = format!(
                "{}   {}   {} {}",
                item.id,
                item.word,
                t.text("diagnoses-weight"),
                item.weight
            );
            document.paragraph(&head, Style::plain(BODY).bold());
            document.paragraph(item.criterion, Style::plain(BODY));
            for (name, value) in &item.lines {
                document.fact(name, value, SMALL);
            }
            for (what, days, digest) in &item.evidence {
                let mut said = format!("{what} ({days})");
                if let Some(digest) = digest {
                    said = format!("{said}\nSHA-256 {digest}");
                }
                document.fact(&t.text("diagnoses-evidence-piece").to_string(), &said, SMALL);
            }
            document.space(2.0);
            document.rule([0.79, 0.81, 0.85], 0.5);
        }
    }
}
