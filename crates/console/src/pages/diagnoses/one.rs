//! A diagnosis at a glance: figures, heat map, radar, the heaviest gaps, live checks.

use super::{Figures, head, percent, state, verdict};
use crate::{
    Answer, Console, Frame, Member, Section,
    chart::{Axis, HeatCell, HeatMap, Radar},
    i18n::{Locale, Moment},
    pages::listing,
    ui::{Badge, Tile, Tone},
};
use askama::Template;
use assessment::{ClauseState, Gap, Layer, Phase, Score};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use service::{CatalogueFigures, DiagnosisFigures, EvidenceView, check_sheet};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/diagnoses/{id}", get(one))
}

/// Gaps that are shown here.
const SHOWN: usize = 10;

async fn one(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let t = member.t;
    let id = super::id(&text)?;
    let figures = console.service.diagnosis_figures(member.caller(), &id).await?;
    let gaps = console.service.diagnosis_gaps(member.caller(), &id).await?;
    let view = &figures.view;
    let evidence =
        console.service.evidence(member.caller(), &view.organisation, &view.product).await?;
    let here = format!("/diagnoses/{}", view.id);
    let adopt = (!view.sheet_current && view.signed.is_none()).then(|| format!("{here}/adopt"));
    let title = head::title(t, view);
    let page = OnePage {
        t,
        frame: member.frame(Section::Diagnoses, title),
        head: head::Head::new(&member, view, ""),
        tiles: tiles(t, &figures, &gaps, &here),
        heat: heat(t, &figures.cells, Some(&here)),
        radar: radar(t, &figures.catalogues, Some(&here)),
        more: gaps.len().saturating_sub(SHOWN),
        gaps: gaps.iter().take(SHOWN).filter_map(|gap| GapRow::new(t, gap, &here)).collect(),
        live: evidence.iter().map(|one| LiveRow::new(t, one)).collect(),
        orphans: figures.orphans.join(", "),
        facts: vec![
            (
                t.text("diagnoses-opened").to_string(),
                view.opened_by.clone(),
                t.time(view.opened_at),
            ),
            (
                t.text("diagnoses-changed").to_string(),
                t.text("diagnoses-version").arg("version", view.version).to_string(),
                t.time(view.changed_at),
            ),
        ],
        content: crate::ui::Id::short(t, &figures.content),
        adopt,
        here,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "diagnoses/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    head: head::Head,
    here: String,
    tiles: Vec<Tile>,
    heat: HeatMap,
    radar: Radar,
    gaps: Vec<GapRow>,
    more: usize,
    live: Vec<LiveRow>,
    orphans: String,
    facts: Vec<(String, String, Moment)>,
    content: crate::ui::Id,
    adopt: Option<String>,
}

fn tiles(t: Locale, figures: &DiagnosisFigures, gaps: &[Gap], here: &str) -> Vec<Tile> {
    let total = &figures.view.total;
    let shown = Figures::new(total);
    let count = |number: usize| t.number(i128::try_from(number).unwrap_or(i128::MAX));
    let overdue = gaps.iter().filter(|gap| gap.overdue).count();
    let mut tiles = vec![
        Tile::new(t.text("diagnoses-fulfilled"), shown.fulfilled)
            .note(t.text("diagnoses-fulfilled-note")),
        Tile::new(t.text("diagnoses-claimed"), shown.claimed)
            .note(t.text("diagnoses-claimed-note")),
        Tile::new(t.text("diagnoses-answered"), shown.answered)
            .note(t.text("diagnoses-answered-note").arg("count", total.items)),
        Tile::new(t.text("diagnoses-gaps"), count(gaps.len())).link(format!("{here}/gaps")),
    ];
    if overdue > 0 {
        let late = Tile::new(t.text("diagnoses-overdue"), count(overdue)).tone(Tone::Bad);
        tiles.push(late.link(format!("{here}/gaps")));
    }
    tiles
}

/// Layers by phases; each field leads to its items where `here` is given.
pub(super) fn heat(t: Locale, cells: &[(Layer, Phase, Score)], here: Option<&str>) -> HeatMap {
    let field = |layer: Layer, phase: Phase| {
        let (.., score) = cells.iter().find(|(of, in_, _)| *of == layer && *in_ == phase)?;
        let share = score.fulfilled_percent()?;
        let open = t.text("diagnoses-cell-items").arg("count", score.items).to_string();
        let words = t
            .text("diagnoses-cell")
            .arg("layer", layer.title(t.language))
            .arg("phase", phase.title(t.language))
            .arg("share", percent(Some(share)))
            .arg("items", &open);
        Some(HeatCell {
            percent: share,
            words: words.to_string(),
            note: open,
            href: here.map(|here| {
                let query = [("layer", layer.word()), ("phase", phase.word())];
                listing::address(&format!("{here}/items"), &query)
            }),
        })
    };
    HeatMap {
        t,
        id: "heat",
        title: t.text("diagnoses-heat").to_string(),
        description: t.text("diagnoses-heat-note").to_string(),
        corner: t.text("diagnoses-layer").to_string(),
        columns: Phase::ALL.iter().map(|phase| phase.title(t.language).to_owned()).collect(),
        rows: Layer::ALL
            .iter()
            .map(|layer| {
                let fields = Phase::ALL.iter().map(|phase| field(*layer, *phase)).collect();
                (layer.title(t.language).to_owned(), fields)
            })
            .collect(),
    }
}

/// Shares of the clauses of each catalogue: met, and met or claimed. What does not concern the
/// product is not counted.
pub(super) fn radar(t: Locale, catalogues: &[CatalogueFigures], here: Option<&str>) -> Radar {
    let axes = catalogues.iter().map(|one| {
        let of = |state: ClauseState| {
            one.clauses.iter().find(|(found, _)| *found == state).map_or(0, |(_, count)| *count)
        };
        let all: usize = one.clauses.iter().map(|(_, count)| count).sum();
        let concerns = all.saturating_sub(of(ClauseState::NotApplicable));
        // Rounded down: the whole only for all of them.
        let share = |count: usize| {
            let share = count.saturating_mul(100).checked_div(concerns).unwrap_or(0);
            u32::try_from(share).unwrap_or(0)
        };
        let id = one.source.as_str();
        let title = check_sheet().ok().and_then(|library| library.catalogue(id));
        let title = title.map_or(id, |catalogue| catalogue.source.title.of(t.language));
        Axis {
            name: id.to_owned(),
            title: title.to_owned(),
            href: here.map(|here| format!("{here}/clauses/{id}")),
            inner: share(of(ClauseState::Met)),
            outer: share(of(ClauseState::Met).saturating_add(of(ClauseState::Claimed))),
        }
    });
    Radar {
        t,
        id: "radar",
        title: t.text("diagnoses-radar").to_string(),
        description: t.text("diagnoses-radar-note").to_string(),
        corner: t.text("diagnoses-catalogue").to_string(),
        inner: t.text("diagnoses-radar-met").to_string(),
        outer: t.text("diagnoses-radar-claimed").to_string(),
        axes: axes.collect(),
    }
}

/// Something that somebody has to see to.
pub(super) struct GapRow {
    pub(super) href: String,
    pub(super) item: String,
    pub(super) criterion: String,
    pub(super) weight: String,
    pub(super) state: Badge,
    pub(super) owner: String,
    pub(super) due: Option<Moment>,
    pub(super) overdue: bool,
}

impl GapRow {
    /// `None` for an item that the check sheet does not have.
    pub(super) fn new(t: Locale, gap: &Gap, here: &str) -> Option<Self> {
        let item = check_sheet().ok()?.item(gap.item.as_str())?;
        Some(Self {
            href: format!("{here}/items/{}", gap.item),
            item: gap.item.to_string(),
            criterion: item.criterion.of(t.language).to_owned(),
            weight: t.number(gap.weight),
            state: state(t, gap.state),
            owner: gap.owner.clone().unwrap_or_default(),
            due: gap.due.map(|due| super::day(t, due)),
            overdue: gap.overdue,
        })
    }
}

/// What a collector found.
pub(super) struct LiveRow {
    pub(super) what: String,
    pub(super) name: String,
    pub(super) verdict: Badge,
    pub(super) by: String,
    pub(super) at: Moment,
    pub(super) until: Moment,
}

impl LiveRow {
    pub(super) fn new(t: Locale, one: &EvidenceView) -> Self {
        let names = [one.name.as_str(), one.subject.as_str()];
        let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
        Self {
            what: one.collector.title(t.language).to_owned(),
            name: names.join(" · "),
            verdict: verdict(t, one.verdict),
            by: one.collected_by.clone(),
            at: t.time(one.collected_at),
            until: t.date(one.expires_at),
        }
    }
}
