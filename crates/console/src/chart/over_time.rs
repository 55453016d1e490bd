use super::{Chart, scale};
use crate::i18n::escape;
use askama::filters::HtmlSafe;
use std::fmt::{self, Write as _};

/// How figures over time are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// areas upon each other: parts of a whole
    Stacked,
    /// a line each
    Lines,
    /// columns upon each other: few, separate times
    Columns,
}

/// Figures over time; the categories are times, oldest first.
#[derive(Debug, Clone)]
pub struct OverTime {
    /// how it is drawn
    pub shape: Shape,
    /// short names for below the axis; empty: those of the categories
    pub axis: Vec<String>,
    /// what it shows
    pub chart: Chart,
}

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 36.0;
const RIGHT: f64 = 396.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 164.0;
/// Names below the axis at most.
const NAMES_MAX: usize = 5;

impl OverTime {
    fn most(&self) -> u64 {
        let chart = &self.chart;
        let times = 0..chart.categories.len();
        match self.shape {
            Shape::Lines => chart.series.iter().flat_map(|series| &series.values).copied().max(),
            Shape::Stacked | Shape::Columns => times.map(|at| chart.sum(at)).max(),
        }
        .unwrap_or_default()
    }

    /// The middle of a time's place.
    #[expect(clippy::cast_precision_loss, reason = "a picture's coordinate")]
    fn x(&self, at: usize) -> f64 {
        let count = self.chart.categories.len().max(1) as f64;
        match self.shape {
            Shape::Columns => LEFT + (at as f64 + 0.5) * (RIGHT - LEFT) / count,
            _ if count < 2.0 => (LEFT + RIGHT) / 2.0,
            _ => LEFT + at as f64 * (RIGHT - LEFT) / (count - 1.0),
        }
    }

    fn grid(&self, svg: &mut String, end: u64, step: u64) -> fmt::Result {
        let mut mark = 0;
        while mark <= end {
            let y = BOTTOM - scale::length(mark, end, BOTTOM - TOP);
            write!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" class=\"grid\"/>\
                 <text x=\"{}\" y=\"{:.1}\" class=\"axis\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                scale::short(mark)
            )?;
            let Some(next) = mark.checked_add(step) else { break };
            mark = next;
        }
        let every = self.chart.categories.len().div_ceil(NAMES_MAX).max(1);
        let last = self.chart.categories.len().saturating_sub(1);
        let names = if self.axis.is_empty() { &self.chart.categories } else { &self.axis };
        for (at, name) in names.iter().enumerate().step_by(every) {
            let anchor = match at {
                _ if self.shape == Shape::Columns => "middle",
                0 => "start",
                at if at == last => "end",
                _ => "middle",
            };
            write!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" class=\"axis\" text-anchor=\"{anchor}\">{}</text>",
                self.x(at),
                BOTTOM + 20.0,
                escape(name)
            )?;
        }
        Ok(())
    }

    fn draw(&self, svg: &mut String, end: u64) -> fmt::Result {
        let chart = &self.chart;
        let times = chart.categories.len();
        let y = |value: u64| BOTTOM - scale::length(value, end, BOTTOM - TOP);
        let mut below = vec![0_u64; times];
        #[expect(clippy::cast_precision_loss, reason = "a picture's coordinate")]
        let width = ((RIGHT - LEFT) / times.max(1) as f64 * 0.66).min(48.0);
        for (at, series) in chart.series.iter().enumerate() {
            let class = series.class(at);
            let above: Vec<u64> = below
                .iter()
                .enumerate()
                .map(|(time, low)| low.saturating_add(chart.value(at, time)))
                .collect();
            match self.shape {
                Shape::Stacked => {
                    let mut path = String::new();
                    for (time, value) in above.iter().enumerate() {
                        let letter = if time == 0 { 'M' } else { 'L' };
                        write!(path, "{letter}{:.1} {:.1}", self.x(time), y(*value))?;
                    }
                    for (time, value) in below.iter().enumerate().rev() {
                        write!(path, "L{:.1} {:.1}", self.x(time), y(*value))?;
                    }
                    write!(svg, "<path d=\"{path}Z\" class=\"area {class}\"/>")?;
                }
                Shape::Lines => {
                    let mut path = String::new();
                    for (time, value) in series.values.iter().take(times).enumerate() {
                        let letter = if time == 0 { 'M' } else { 'L' };
                        write!(path, "{letter}{:.1} {:.1}", self.x(time), y(*value))?;
                    }
                    let dash = at % 4;
                    write!(svg, "<path d=\"{path}\" class=\"line dash-{dash} {class}\"/>")?;
                }
                Shape::Columns => {
                    for (time, (low, high)) in below.iter().zip(&above).enumerate() {
                        if high > low {
                            write!(
                                svg,
                                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" \
                                 height=\"{:.1}\" class=\"{class}\"><title>{}: {}</title></rect>",
                                self.x(time) - width / 2.0,
                                y(*high),
                                (y(*low) - y(*high) - 0.5).max(0.5),
                                escape(&series.name),
                                chart.t.number(high - low),
                            )?;
                        }
                    }
                }
            }
            below = above;
        }
        Ok(())
    }
}

impl fmt::Display for OverTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (end, step) = scale::axis(self.most());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "constants")]
        let mut svg = self.chart.open(WIDTH as u32, HEIGHT as u32, "over-time");
        self.grid(&mut svg, end, step)?;
        self.draw(&mut svg, end)?;
        svg.push_str("</svg>");
        self.chart.figure(f, svg, true)
    }
}

impl HtmlSafe for OverTime {}
