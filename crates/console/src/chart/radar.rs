use crate::{
    i18n::{Locale, escape},
    ui::component,
};
use askama::Template;
use std::{
    f64::consts::{PI, TAU},
    fmt::Write as _,
};

/// One direction of a radar: shares from 0 to 100, the inner one within the outer.
#[derive(Debug, Clone)]
pub struct Axis {
    /// short name, at the end of the axis
    pub name: String,
    /// what it is, in the table
    pub title: String,
    /// where more about it stands
    pub href: Option<String>,
    /// the smaller share, in per cent
    pub inner: u32,
    /// the larger, which holds the smaller
    pub outer: u32,
}

/// Shares in several directions. The table below holds the same.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/radar.html")]
pub struct Radar {
    /// texts
    pub t: Locale,
    /// unique within the page; letters, digits and `-`
    pub id: &'static str,
    /// its title
    pub title: String,
    /// what it says, in one sentence
    pub description: String,
    /// what the axes are
    pub corner: String,
    /// what the smaller share is
    pub inner: String,
    /// what the larger is
    pub outer: String,
    /// the directions, the first at the top, clockwise
    pub axes: Vec<Axis>,
}

const MIDDLE: (f64, f64) = (270.0, 180.0);
const RADIUS: f64 = 132.0;

/// A place: `at` of `of` directions, `share` of the way.
#[expect(clippy::cast_precision_loss, reason = "a picture's coordinate")]
fn place(at: usize, of: usize, share: f64) -> (f64, f64) {
    let angle = TAU * at as f64 / of.max(1) as f64 - PI / 2.0;
    (MIDDLE.0 + RADIUS * share * angle.cos(), MIDDLE.1 + RADIUS * share * angle.sin())
}

impl Radar {
    fn polygon(&self, svg: &mut String, class: &str, share: impl Fn(&Axis) -> f64) {
        let points: Vec<String> = self
            .axes
            .iter()
            .enumerate()
            .map(|(at, axis)| {
                let (x, y) = place(at, self.axes.len(), share(axis));
                format!("{x:.1},{y:.1}")
            })
            .collect();
        // Writing to a text cannot fail.
        let _ = write!(svg, "<polygon points=\"{}\" class=\"{class}\"/>", points.join(" "));
    }

    fn picture(&self) -> String {
        let (id, title) = (self.id, escape(&self.title));
        let mut svg = format!(
            "<svg class=\"radar\" viewBox=\"0 0 540 360\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\" preserveAspectRatio=\"xMidYMid meet\">\
             <title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{}</desc>",
            escape(&self.description)
        );
        for quarter in 1..=4_u32 {
            self.polygon(&mut svg, "grid-line", |_| f64::from(quarter) / 4.0);
        }
        for (at, axis) in self.axes.iter().enumerate() {
            let (x, y) = place(at, self.axes.len(), 1.0);
            let _ = write!(
                svg,
                "<path d=\"M{:.1} {:.1}L{x:.1} {y:.1}\" class=\"grid-line\"/>",
                MIDDLE.0, MIDDLE.1
            );
            let (x, y) = place(at, self.axes.len(), 1.08);
            let anchor = if (x - MIDDLE.0).abs() < 8.0 {
                "middle"
            } else if x < MIDDLE.0 {
                "end"
            } else {
                "start"
            };
            let _ = write!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"axis\" text-anchor=\"{anchor}\">{}</text>",
                y + 4.0,
                escape(&axis.name)
            );
        }
        self.polygon(&mut svg, "radar-outer", |axis| f64::from(axis.outer.min(100)) / 100.0);
        self.polygon(&mut svg, "radar-inner", |axis| f64::from(axis.inner.min(100)) / 100.0);
        svg.push_str("</svg>");
        svg
    }
}

component!(Radar);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_direction_is_at_the_top_and_the_rest_follow_clockwise() {
        let near = |(x, y): (f64, f64), (a, b): (f64, f64)| {
            assert!((x - a).abs() < 0.01 && (y - b).abs() < 0.01, "{x} {y}");
        };
        near(place(0, 4, 1.0), (270.0, 48.0));
        near(place(1, 4, 1.0), (402.0, 180.0));
        near(place(2, 4, 0.5), (270.0, 246.0));
        near(place(0, 0, 0.0), MIDDLE);
    }
}
