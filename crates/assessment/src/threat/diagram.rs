//! The model drawn: zones as columns from the least to the most trusted, elements below each
//! other, flows between them. The same model gives the same bytes.

use crate::threat::{
    Analysis, Band, Element, Encryption, Flow, Subject, Theme, Zone,
    svg::{Drawing, Ink, wrapped},
};
use device::Language;
use std::collections::BTreeMap;

const COLUMN: i32 = 190;
const GAP: i32 = 170;
const BOX: (i32, i32) = (166, 58);
const ROW: i32 = 104;
const TOP: i32 = 64;
const MARGIN: i32 = 24;
const LABEL: i32 = 15;

/// Where a box is: its upper left corner, and its column.
struct Place {
    at: (i32, i32),
    column: usize,
}

/// The model with its worst open risk on each element and flow.
pub fn diagram(analysis: &Analysis<'_>, theme: Theme, language: Language) -> String {
    let model = analysis.model;
    let mut zones: Vec<Option<&Zone>> = model.zones.iter().map(Some).collect();
    zones.sort_by_key(|zone| zone.map_or(0, |zone| zone.trust));
    if model.elements.iter().any(|one| one.zone.is_none()) {
        zones.insert(0, None);
    }
    let columns: Vec<Vec<&Element>> =
        zones.iter().map(|zone| ordered(analysis, zone.map(|one| one.id.as_str()))).collect();
    let rows = i32::try_from(columns.iter().map(Vec::len).max().unwrap_or(0)).unwrap_or(0).max(1);
    let left = |column: usize| MARGIN + i32::try_from(column).unwrap_or(0) * (COLUMN + GAP);
    let mut places = BTreeMap::new();
    for (column, elements) in columns.iter().enumerate() {
        for (element, row) in elements.iter().zip(0..) {
            let at = (left(column) + (COLUMN - BOX.0) / 2, TOP + 34 + row * ROW);
            places.insert(element.id.as_str(), Place { at, column });
        }
    }
    let flows_below = i32::try_from(model.flows.len()).unwrap_or(0);
    let height = TOP + 34 + rows * ROW + MARGIN;
    let width = left(zones.len().max(1)) - GAP + MARGIN + if flows_below > 0 { 60 } else { 0 };
    let mut out = Drawing::new(theme);
    out.text((MARGIN, 30), &model.name, Ink::Text, "start", true);
    for (column, zone) in zones.iter().enumerate() {
        let at = (left(column), TOP);
        out.rect(at, (COLUMN, height - TOP - MARGIN), Ink::Zone, Ink::Line, true);
        let outside = match language {
            Language::En => "no zone",
            Language::Ja => "ゾーンなし",
        };
        let title = zone.map_or(outside, |zone| zone.title.as_str());
        let title = wrapped(title, COLUMN - 20, 1).concat();
        out.text((at.0 + 10, at.1 + 20), &title, Ink::Faint, "start", true);
    }
    let worst = worst(analysis);
    for (flow, number) in model.flows.iter().zip(0..) {
        draw_flow(
            &mut out,
            flow,
            number,
            &places,
            worst.get(&Subject::Flow(flow.id.clone())).copied(),
        );
    }
    for element in &model.elements {
        if let Some(place) = places.get(element.id.as_str()) {
            let band = worst.get(&Subject::Element(element.id.clone())).copied();
            draw_element(&mut out, element, place.at, band, language);
        }
    }
    let language = match language {
        Language::En => "en",
        Language::Ja => "ja",
    };
    out.finish(width, height, &model.name, language)
}

/// Elements of a zone in the order of the model, parts below what they are a part of.
fn ordered<'a>(analysis: &Analysis<'a>, zone: Option<&str>) -> Vec<&'a Element> {
    let here: Vec<&Element> =
        analysis.model.elements.iter().filter(|one| one.zone.as_deref() == zone).collect();
    let whole = |one: &&&Element| {
        one.part_of.as_ref().is_none_or(|id| !here.iter().any(|other| other.id == *id))
    };
    let mut out: Vec<&Element> = Vec::with_capacity(here.len());
    let mut rest: Vec<&Element> = here.iter().filter(whole).rev().copied().collect();
    while let Some(one) = rest.pop() {
        out.push(one);
        let parts =
            here.iter().rev().filter(|part| part.part_of.as_deref() == Some(one.id.as_str()));
        rest.extend(parts);
    }
    out
}

/// The worst open risk of each element (its interfaces and assets included) and flow.
fn worst(analysis: &Analysis<'_>) -> BTreeMap<Subject, Band> {
    let mut worst = BTreeMap::new();
    for one in analysis.threats.iter().filter(|one| one.is_open()) {
        let at = match &one.subject {
            Subject::Interface(id, _) | Subject::Holding(id, _) => Subject::Element(id.clone()),
            other => other.clone(),
        };
        let band = one.risk.residual.band();
        let slot = worst.entry(at).or_insert(band);
        *slot = (*slot).max(band);
    }
    worst
}

fn draw_element(
    out: &mut Drawing,
    element: &Element,
    (x, y): (i32, i32),
    band: Option<Band>,
    language: Language,
) {
    let edge = band.map_or(Ink::Line, Ink::Band);
    out.rect((x, y), BOX, Ink::Box, edge, element.part_of.is_some());
    let lines = wrapped(&element.title, BOX.0 - 34, 2);
    for (line, number) in lines.iter().zip(0..) {
        out.text((x + 9, y + 19 + number * LABEL), line, Ink::Text, "start", number == 0);
    }
    let mut kind = element.kind.title(language).to_owned();
    if let Some(band) = band {
        kind = format!("{kind} · {}", band.title(language));
    }
    out.text((x + 9, y + BOX.1 - 8), &kind, edge, "start", false);
}

fn draw_flow(
    out: &mut Drawing,
    flow: &Flow,
    number: i32,
    places: &BTreeMap<&str, Place>,
    band: Option<Band>,
) {
    let (Some(from), Some(to)) = (places.get(flow.from.as_str()), places.get(flow.to.as_str()))
    else {
        return;
    };
    let ink = band.map_or(Ink::Line, Ink::Band);
    // Flows leave a box at different heights, to the right above, to the left below, so that
    // neither they nor their names lie on each other.
    let below = from.column > to.column;
    let shift = (number % 3) * 9 + if below { 34 } else { 9 };
    let dashed = flow.encryption == Encryption::None;
    let (a, b, bend, direction) = if from.column == to.column {
        let side = from.at.0 + BOX.0;
        let bend = 40 + (number % 3) * 22;
        ((side, from.at.1 + shift), (side, to.at.1 + shift), bend, -1)
    } else if from.column < to.column {
        ((from.at.0 + BOX.0, from.at.1 + shift), (to.at.0, to.at.1 + shift), 70, 1)
    } else {
        ((from.at.0, from.at.1 + shift), (to.at.0 + BOX.0, to.at.1 + shift), -70, -1)
    };
    out.curve(a, b, bend, ink, dashed);
    out.head(b, direction, ink);
    let same = from.column == to.column;
    let middle = if same { a.0 + bend * 3 / 4 } else { i32::midpoint(a.0, b.0) };
    let label = wrapped(&flow.title, GAP - 24, 1).concat();
    let anchor = if same { "start" } else { "middle" };
    let lift = match (same, below) {
        (true, _) => 4,
        (false, true) => 15,
        (false, false) => -5,
    };
    out.text((middle, i32::midpoint(a.1, b.1) + lift), &label, ink, anchor, false);
}
