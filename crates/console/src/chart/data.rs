use super::Tone;
use crate::i18n::Locale;
use askama::{Template, filters::HtmlSafe};
use std::fmt;

/// One row of figures, such as one outcome over time.
#[derive(Debug, Clone)]
pub struct Series {
    /// its name
    pub name: String,
    /// what it means, where it is a state; gives the colour
    pub tone: Option<Tone>,
    /// one per category
    pub values: Vec<u64>,
}

impl Series {
    /// A series.
    pub fn new(name: impl Into<String>, values: Vec<u64>) -> Self {
        Self { name: name.into(), tone: None, values }
    }

    /// As a state.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = Some(tone);
        self
    }

    /// Class of its colour; `at` is its place among the series.
    pub(super) fn class(&self, at: usize) -> String {
        match self.tone {
            Some(tone) => format!("fill-{}", tone.name()),
            None => format!("series-{}", at % 8 + 1),
        }
    }
}

/// What a chart shows: title, one sentence, categories, series.
#[derive(Debug, Clone)]
pub struct Chart {
    /// texts
    pub t: Locale,
    /// unique within the page; letters, digits and `-`
    pub id: &'static str,
    /// its title
    pub title: String,
    /// what it says, in one sentence
    pub description: String,
    /// what a category is: the heading of the table's first column
    pub category: String,
    /// names of the categories
    pub categories: Vec<String>,
    /// the figures
    pub series: Vec<Series>,
}

impl Chart {
    /// The value of a series for a category; 0 where it has none.
    pub(super) fn value(&self, series: usize, category: usize) -> u64 {
        self.series
            .get(series)
            .and_then(|series| series.values.get(category))
            .copied()
            .unwrap_or_default()
    }

    /// The sum of a category.
    pub(super) fn sum(&self, category: usize) -> u64 {
        (0..self.series.len()).fold(0, |sum: u64, at| sum.saturating_add(self.value(at, category)))
    }

    /// Sum of a series.
    pub(super) fn total(&self, series: usize) -> u64 {
        (0..self.categories.len())
            .fold(0, |sum: u64, at| sum.saturating_add(self.value(series, at)))
    }

    /// The figure with its picture, legend and table.
    pub(super) fn figure(
        &self,
        f: &mut fmt::Formatter<'_>,
        svg: String,
        legend: bool,
    ) -> fmt::Result {
        let figure = Figure { chart: self, svg: Svg(svg), legend };
        // The template's own error is fmt's.
        f.write_str(&figure.render().map_err(|_| fmt::Error)?)
    }

    /// The opening tag with title and description.
    pub(super) fn open(&self, width: u32, height: u32, kind: &str) -> String {
        let escape = crate::i18n::escape;
        format!(
            "<svg class=\"{kind}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\" preserveAspectRatio=\"xMidYMid meet\">\
             <title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{description}</desc>",
            id = self.id,
            title = escape(&self.title),
            description = escape(&self.description),
        )
    }
}

/// SVG that was made here, with every text in it escaped.
struct Svg(String);

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Svg {}

#[derive(Template)]
#[template(path = "ui/chart.html")]
struct Figure<'a> {
    chart: &'a Chart,
    svg: Svg,
    legend: bool,
}
