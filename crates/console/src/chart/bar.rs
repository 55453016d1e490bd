use super::{Chart, scale};
use crate::i18n::escape;
use askama::filters::HtmlSafe;
use std::fmt::{self, Write as _};

/// Horizontal bars, one per category, stacked where there are several series. Names stand above
/// their bars: they may be long, and in Japanese.
#[derive(Debug, Clone)]
pub struct Bars(pub Chart);

const WIDTH: u32 = 400;
const ROW: u32 = 34;
const END: f64 = 340.0;

impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chart = &self.0;
        let rows = u32::try_from(chart.categories.len()).unwrap_or(u32::MAX).max(1);
        let most = (0..chart.categories.len()).map(|at| chart.sum(at)).max().unwrap_or_default();
        let mut svg = chart.open(WIDTH, rows.saturating_mul(ROW), "bars");
        for (row, name) in chart.categories.iter().enumerate() {
            let top = row * 34;
            let sum = chart.sum(row);
            write!(svg, "<text x=\"0\" y=\"{}\" class=\"name\">{}</text>", top + 12, escape(name))?;
            write!(
                svg,
                "<rect x=\"0\" y=\"{}\" width=\"{END}\" height=\"10\" rx=\"3\" class=\"track\"/>",
                top + 17
            )?;
            let mut left = 0.0;
            for (at, series) in chart.series.iter().enumerate() {
                let width = scale::length(chart.value(at, row), most, END);
                if width > 0.0 {
                    write!(
                        svg,
                        "<rect x=\"{left:.1}\" y=\"{}\" width=\"{:.1}\" height=\"10\" rx=\"2\" \
                         class=\"{}\"><title>{}: {}</title></rect>",
                        top + 17,
                        (width - 1.0).max(1.5),
                        series.class(at),
                        escape(&series.name),
                        chart.t.number(chart.value(at, row)),
                    )?;
                }
                left += width;
            }
            write!(
                svg,
                "<text x=\"{WIDTH}\" y=\"{}\" class=\"value\" text-anchor=\"end\">{}</text>",
                top + 27,
                chart.t.number(sum)
            )?;
        }
        svg.push_str("</svg>");
        chart.figure(f, svg, chart.series.len() > 1)
    }
}

impl HtmlSafe for Bars {}
