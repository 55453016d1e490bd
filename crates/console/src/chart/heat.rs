use crate::{
    i18n::{Locale, escape},
    ui::component,
};
use askama::Template;
use std::fmt::Write as _;

/// A field of a heat map.
#[derive(Debug, Clone)]
pub struct HeatCell {
    /// from 0 to 100
    pub percent: u32,
    /// what it says in words
    pub words: String,
    /// a second line, such as how much is open
    pub note: String,
    /// where more about it stands
    pub href: Option<String>,
}

/// Shares by two things at a time: fields whose ground follows the figure that stands in them. The
/// table below holds the same. `None` is a field without anything to count.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/heat.html")]
pub struct HeatMap {
    /// texts
    pub t: Locale,
    /// unique within the page; letters, digits and `-`
    pub id: &'static str,
    /// its title
    pub title: String,
    /// what it says, in one sentence
    pub description: String,
    /// what the rows are
    pub corner: String,
    /// headings of the columns
    pub columns: Vec<String>,
    /// rows: heading, and a field for each column
    pub rows: Vec<(String, Vec<Option<HeatCell>>)>,
}

const LEFT: usize = 96;
const TOP: usize = 44;
const WIDTH: usize = 72;
const HEIGHT: usize = 46;
/// Characters of a heading in one line.
const LINE: usize = 12;

/// Class of a share: five bands, the highest for all of it alone.
fn band(percent: u32) -> u32 {
    match percent {
        100.. => 4,
        75.. => 3,
        50.. => 2,
        25.. => 1,
        _ => 0,
    }
}

/// A heading in at most two lines: Japanese in the middle, others between words.
fn lines(text: &str) -> Vec<String> {
    let wide = text.chars().filter(|c| !c.is_ascii()).count();
    let length = text.chars().count();
    if length + wide <= LINE {
        return vec![text.to_owned()];
    }
    if let Some(place) = text.find(' ') {
        let (first, rest) = text.split_at(place);
        return vec![first.to_owned(), rest.trim_start().to_owned()];
    }
    let middle = length.div_ceil(2);
    vec![text.chars().take(middle).collect(), text.chars().skip(middle).collect()]
}

impl HeatMap {
    fn picture(&self) -> String {
        let width = LEFT + WIDTH * self.columns.len();
        let height = TOP + HEIGHT * self.rows.len();
        let (id, title) = (self.id, escape(&self.title));
        let mut svg = format!(
            "<svg class=\"heat\" viewBox=\"0 0 {width} {height}\" role=\"group\" \
             aria-labelledby=\"{id}-title\" preserveAspectRatio=\"xMinYMin meet\">\
             <title id=\"{id}-title\">{title}</title>"
        );
        for (at, name) in self.columns.iter().enumerate() {
            let x = LEFT + WIDTH * at + WIDTH / 2;
            let lines = lines(name);
            let first = TOP - 8 - 14 * lines.len().saturating_sub(1);
            for (line, text) in lines.iter().enumerate() {
                let y = first + 14 * line;
                let text = escape(text);
                // Writing to a text cannot fail.
                let _ = write!(
                    svg,
                    "<text x=\"{x}\" y=\"{y}\" class=\"axis\" text-anchor=\"middle\">{text}</text>"
                );
            }
        }
        for (row, (name, cells)) in self.rows.iter().enumerate() {
            let top = TOP + HEIGHT * row;
            let lines = lines(name);
            let first = top + HEIGHT / 2 + 4 - 7 * lines.len().saturating_sub(1);
            for (line, text) in lines.iter().enumerate() {
                let y = first + 14 * line;
                let text = escape(text);
                let _ = write!(
                    svg,
                    "<text x=\"{}\" y=\"{y}\" class=\"name\" text-anchor=\"end\">{text}</text>",
                    LEFT - 10
                );
            }
            for (at, cell) in cells.iter().enumerate() {
                field(&mut svg, LEFT + WIDTH * at, top, cell.as_ref());
            }
        }
        svg.push_str("</svg>");
        svg
    }
}

fn field(svg: &mut String, left: usize, top: usize, cell: Option<&HeatCell>) {
    let (x, y) = (left + 1, top + 1);
    let (width, height) = (WIDTH - 2, HEIGHT - 2);
    let rect = |class: &str| {
        format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" \
             class=\"{class}\"/>"
        )
    };
    let Some(cell) = cell else {
        svg.push_str(&rect("heat-none"));
        return;
    };
    let middle = left + WIDTH / 2;
    let drawn = format!(
        "<title>{}</title>{}<text x=\"{middle}\" y=\"{}\" class=\"value\" \
         text-anchor=\"middle\">{}%</text><text x=\"{middle}\" y=\"{}\" class=\"note\" \
         text-anchor=\"middle\">{}</text>",
        escape(&cell.words),
        rect(&format!("heat-{}", band(cell.percent))),
        top + 21,
        cell.percent,
        top + 36,
        escape(&cell.note),
    );
    match &cell.href {
        Some(href) => {
            let words = escape(&cell.words);
            let href = escape(href);
            svg.push_str(&format!("<a href=\"{href}\" aria-label=\"{words}\">{drawn}</a>"));
        }
        None => svg.push_str(&format!("<g>{drawn}</g>")),
    }
}

component!(HeatMap);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn all_of_it_is_a_band_of_its_own() {
        for (percent, expected) in [(0, 0), (24, 0), (25, 1), (50, 2), (75, 3), (99, 3), (100, 4)] {
            assert_eq!(band(percent), expected, "{percent}");
        }
    }

    #[test]
    fn headings_fit_in_two_lines() {
        assert_eq!(lines("planning"), ["planning"]);
        assert_eq!(lines("mass production"), ["mass", "production"]);
        assert_eq!(lines("アーキテクチャ設計"), ["アーキテク", "チャ設計"]);
    }

    #[test]
    fn a_field_without_items_is_no_zero() {
        let cell = HeatCell {
            percent: 0,
            words: "<b> & nothing".to_owned(),
            note: "3".to_owned(),
            href: Some("/a?x=1&y=2".to_owned()),
        };
        let map = HeatMap {
            t: Locale::new(Language::En),
            id: "heat",
            title: "t".to_owned(),
            description: "d".to_owned(),
            corner: "c".to_owned(),
            columns: vec!["one".to_owned(), "two".to_owned()],
            rows: vec![("r".to_owned(), vec![Some(cell), None])],
        };
        let html = map.to_string();
        assert!(html.contains("heat-none") && html.contains("<td>–</td>"), "{html}");
        assert!(html.contains("/a?x=1&amp;y=2"), "{html}");
        assert!(!html.contains("<b>"), "{html}");
    }
}
