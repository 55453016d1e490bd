use super::{Chart, scale};
use crate::i18n::escape;
use askama::filters::HtmlSafe;
use std::fmt::{self, Write as _};

/// Parts of a whole: one stacked bar over the first category, with a legend that has the figures.
#[derive(Debug, Clone)]
pub struct Share(pub Chart);

const WIDTH: f64 = 640.0;

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chart = &self.0;
        let whole = chart.sum(0);
        let mut svg = chart.open(640, 20, "share");
        svg.push_str(
            "<rect x=\"0\" y=\"2\" width=\"640\" height=\"16\" rx=\"4\" class=\"track\"/>",
        );
        let mut left = 0.0;
        for (at, series) in chart.series.iter().enumerate() {
            let value = chart.value(at, 0);
            let width = scale::length(value, whole, WIDTH);
            if width > 0.0 {
                write!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"2\" width=\"{:.1}\" height=\"16\" rx=\"2\" \
                     class=\"{}\"><title>{}: {}</title></rect>",
                    (width - 2.0).max(2.0),
                    series.class(at),
                    escape(&series.name),
                    chart.t.number(value),
                )?;
            }
            left += width;
        }
        svg.push_str("</svg>");
        chart.figure(f, svg, true)
    }
}

impl HtmlSafe for Share {}
