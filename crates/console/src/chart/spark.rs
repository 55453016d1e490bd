use super::scale;
use askama::filters::HtmlSafe;
use std::fmt::{self, Write as _};

/// A line without axes, beside a figure that says the same: decoration, hidden from screen readers.
#[derive(Debug, Clone)]
pub struct Spark(pub Vec<u64>);

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;

impl fmt::Display for Spark {
    #[expect(clippy::cast_precision_loss, reason = "a picture's coordinate")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.0.iter().copied().max().unwrap_or_default();
        let steps = self.0.len().saturating_sub(1).max(1) as f64;
        let mut path = String::new();
        for (at, value) in self.0.iter().enumerate() {
            let letter = if at == 0 { 'M' } else { 'L' };
            let x = 2.0 + at as f64 / steps * (WIDTH - 4.0);
            let y = HEIGHT - 3.0 - scale::length(*value, most, HEIGHT - 6.0);
            write!(path, "{letter}{x:.1} {y:.1}")?;
        }
        write!(
            f,
            "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" aria-hidden=\"true\" focusable=\"false\"><path d=\"{path}\"/></svg>"
        )
    }
}

impl HtmlSafe for Spark {}
