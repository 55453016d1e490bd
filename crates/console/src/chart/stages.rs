use super::{Chart, scale};
use crate::i18n::escape;
use askama::filters::HtmlSafe;
use std::fmt::{self, Write as _};

/// A place that decides, in percent of a bar.
#[derive(Debug, Clone)]
pub struct Mark {
    /// percent from the left
    pub percent: u64,
    /// whether it is the one that stops, not the one that lets go on
    pub stops: bool,
    /// what it means
    pub name: String,
}

/// Parts of several wholes: one bar per category, each as long as the others, with marks where
/// something is decided. The first series begins at the left, the last ends at the right.
#[derive(Debug, Clone)]
pub struct Stages {
    /// the figures
    pub chart: Chart,
    /// marks per category
    pub marks: Vec<Vec<Mark>>,
}

const WIDTH: u32 = 640;
const BAR: f64 = 640.0;
const ROW: u32 = 52;

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chart = &self.chart;
        let rows = u32::try_from(chart.categories.len()).unwrap_or(u32::MAX).max(1);
        let mut svg = chart.open(WIDTH, rows.saturating_mul(ROW), "stages");
        for (row, name) in chart.categories.iter().enumerate() {
            let top = row * 52;
            let whole = chart.sum(row);
            write!(
                svg,
                "<text x=\"0\" y=\"{}\" class=\"name\">{}</text>\
                 <text x=\"{WIDTH}\" y=\"{}\" class=\"value\" text-anchor=\"end\">{}</text>\
                 <rect x=\"0\" y=\"{}\" width=\"{WIDTH}\" height=\"16\" rx=\"4\" class=\"track\"/>",
                top + 13,
                escape(name),
                top + 13,
                chart.t.number(whole),
                top + 22,
            )?;
            let mut left = 0.0;
            for (at, series) in chart.series.iter().enumerate() {
                let value = chart.value(at, row);
                let width = scale::length(value, whole, BAR);
                if width > 0.0 {
                    write!(
                        svg,
                        "<rect x=\"{left:.1}\" y=\"{}\" width=\"{:.1}\" height=\"16\" rx=\"2\" \
                         class=\"{}\"><title>{}: {}</title></rect>",
                        top + 22,
                        (width - 1.0).max(1.5),
                        series.class(at),
                        escape(&series.name),
                        chart.t.number(value),
                    )?;
                }
                left += width;
            }
            for mark in self.marks.get(row).into_iter().flatten() {
                let x = scale::length(mark.percent.min(100), 100, BAR).clamp(1.0, BAR - 1.0);
                let class = if mark.stops { "mark stops" } else { "mark" };
                write!(
                    svg,
                    "<path d=\"M{x:.1} {}v24\" class=\"{class}\"><title>{}</title></path>",
                    top + 18,
                    escape(&mark.name),
                )?;
            }
        }
        svg.push_str("</svg>");
        chart.figure(f, svg, true)
    }
}

impl HtmlSafe for Stages {}
