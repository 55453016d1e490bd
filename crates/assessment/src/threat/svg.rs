//! Small, deterministic SVG: presentation attributes for one theme, classes for pages that style
//! it themselves. No scripts, no styles, no references to anything outside.

use crate::{named::words, threat::Band};
use std::fmt::Write as _;

words! {
    /// The colours of a drawing.
    Theme {
        /// Dark on light.
        Light "light" "light" "明色",
        /// Light on dark.
        Dark "dark" "dark" "暗色",
    }
}

/// What a shape is; also its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Page,
    Zone,
    Box,
    Line,
    Text,
    Faint,
    Done,
    Planned,
    Missing,
    Band(Band),
}

impl Ink {
    fn class(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Zone => "zone",
            Self::Box => "box",
            Self::Line => "line",
            Self::Text => "text",
            Self::Faint => "faint",
            Self::Done => "done",
            Self::Planned => "planned",
            Self::Missing => "missing",
            Self::Band(band) => band.word(),
        }
    }

    /// Contrast to the page is at least 4.5 : 1 for texts and bands.
    fn colour(self, theme: Theme) -> &'static str {
        let (light, dark) = match self {
            Self::Page => ("#ffffff", "#14171a"),
            Self::Zone => ("#f2f4f6", "#1d2226"),
            Self::Box => ("#ffffff", "#262c31"),
            Self::Line => ("#5b6670", "#98a4ae"),
            Self::Text => ("#1b1f23", "#eceff1"),
            Self::Faint => ("#56616b", "#a3aeb7"),
            Self::Done => ("#17693a", "#63c98c"),
            Self::Planned => ("#1f5fae", "#7fb2f0"),
            Self::Missing | Self::Band(Band::Critical) => ("#a8071a", "#ff8a8a"),
            Self::Band(Band::High) => ("#a04000", "#ffad66"),
            Self::Band(Band::Medium) => ("#7a5b00", "#e6c34d"),
            Self::Band(Band::Low) => ("#17693a", "#63c98c"),
            Self::Band(Band::Minimal) => ("#56616b", "#a3aeb7"),
        };
        match theme {
            Theme::Light => light,
            Theme::Dark => dark,
        }
    }
}

/// A drawing that grows.
pub(crate) struct Drawing {
    theme: Theme,
    body: String,
}

impl Drawing {
    pub(crate) fn new(theme: Theme) -> Self {
        Self { theme, body: String::new() }
    }

    /// The whole file.
    pub(crate) fn finish(self, width: i32, height: i32, title: &str, language: &str) -> String {
        let page = Ink::Page.colour(self.theme);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" xml:lang=\"{language}\" \
             class=\"drawing\" font-family=\"system-ui, 'Hiragino Sans', 'Noto Sans CJK JP', \
             'Yu Gothic', sans-serif\" font-size=\"12\">\n<title>{}</title>\n<rect class=\"page\" \
             width=\"{width}\" height=\"{height}\" fill=\"{page}\"/>\n{}</svg>\n",
            escaped(title),
            self.body
        )
    }

    pub(crate) fn rect(
        &mut self,
        (x, y): (i32, i32),
        (w, h): (i32, i32),
        fill: Ink,
        edge: Ink,
        dash: bool,
    ) {
        let dash = if dash { " stroke-dasharray=\"5 4\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<rect class=\"{} edge-{}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"5\" \
             fill=\"{}\" stroke=\"{}\"{dash}/>",
            fill.class(),
            edge.class(),
            fill.colour(self.theme),
            edge.colour(self.theme)
        );
    }

    pub(crate) fn text(
        &mut self,
        (x, y): (i32, i32),
        text: &str,
        ink: Ink,
        anchor: &str,
        bold: bool,
    ) {
        let weight = if bold { " font-weight=\"600\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<text class=\"{}\" x=\"{x}\" y=\"{y}\" fill=\"{}\" text-anchor=\"{anchor}\"{weight}>{}</text>",
            ink.class(),
            ink.colour(self.theme),
            escaped(text)
        );
    }

    /// A curve from left or right sides, with a head where `arrow`.
    pub(crate) fn curve(
        &mut self,
        from: (i32, i32),
        to: (i32, i32),
        bend: i32,
        ink: Ink,
        dash: bool,
    ) {
        let dash = if dash { " stroke-dasharray=\"4 3\"" } else { "" };
        let colour = ink.colour(self.theme);
        let (ax, ay) = from;
        let (bx, by) = to;
        let _ = writeln!(
            self.body,
            "<path class=\"flow {}\" d=\"M{ax} {ay} C{} {ay} {} {by} {bx} {by}\" fill=\"none\" \
             stroke=\"{colour}\" stroke-width=\"1.5\"{dash}/>",
            ink.class(),
            ax + bend,
            bx + if bend.abs() > 300 || (bx > ax) == (bend > 0) { -bend } else { bend },
        );
    }

    /// The head of an arrow that comes in from the side of `direction` (1: from the left).
    pub(crate) fn head(&mut self, (x, y): (i32, i32), direction: i32, ink: Ink) {
        let back = x - 7 * direction;
        let _ = writeln!(
            self.body,
            "<path class=\"head {}\" d=\"M{x} {y} L{back} {} L{back} {} Z\" fill=\"{}\"/>",
            ink.class(),
            y - 4,
            y + 4,
            ink.colour(self.theme)
        );
    }

    pub(crate) fn line(&mut self, points: &[(i32, i32)], ink: Ink) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let _ = writeln!(
            self.body,
            "<polyline class=\"{}\" points=\"{}\" fill=\"none\" stroke=\"{}\"/>",
            ink.class(),
            points.join(" "),
            ink.colour(self.theme)
        );
    }
}

/// For XML; characters that XML does not know are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            c => out.push(c),
        }
    }
    out
}

/// About how wide a text is, in pixels at 12 px: full-width characters 12, others 7.
pub(crate) fn width(text: &str) -> i32 {
    text.chars().map(|c| if c >= '\u{1100}' { 12 } else { 7 }).sum()
}

/// Lines of at most `most` pixels, at most `lines` of them; what does not fit ends in `…`.
pub(crate) fn wrapped(text: &str, most: i32, lines: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut pieces: Vec<String> = Vec::new();
    for c in text.chars() {
        // A break is possible before any Japanese character and after a space.
        match pieces.last_mut() {
            Some(last)
                if c < '\u{1100}'
                    && !last.ends_with(' ')
                    && last.chars().all(|c| c < '\u{1100}') =>
            {
                last.push(c);
            }
            _ => pieces.push(c.to_string()),
        }
    }
    for piece in pieces {
        let full = out
            .last()
            .is_some_and(|line| !line.is_empty() && width(line) + width(piece.trim_end()) > most);
        if full {
            if out.len() == lines {
                if let Some(last) = out.last_mut() {
                    while width(last) + 12 > most && last.pop().is_some() {}
                    last.push('…');
                }
                return out;
            }
            out.push(String::new());
        }
        let room = out.last().map_or(0, |line| most - width(line));
        let mut piece = piece;
        if width(piece.trim_end()) > room {
            while width(&piece) + 12 > room && piece.pop().is_some() {}
            piece.push('…');
        }
        if let Some(last) = out.last_mut() {
            last.push_str(&piece);
        }
    }
    for line in &mut out {
        line.truncate(line.trim_end().len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_their_box() {
        for text in [
            "A short one",
            "とても長い日本語の見出しがここに続いていて、枠に収まらない",
            "onewordthatneverendsandgoesonandon",
            "",
        ] {
            for lines in 1..3 {
                let cut = wrapped(text, 90, lines);
                assert!(cut.len() <= lines, "{cut:?}");
                assert!(cut.iter().all(|line| width(line) <= 102), "{cut:?}");
            }
        }
        assert_eq!(wrapped("one two", 90, 2), ["one two"]);
        assert_eq!(escaped("<script>&\u{1b}"), "&lt;script&gt;&amp;");
    }
}
