use super::{Icon, component};
use crate::i18n::Locale;
use askama::Template;

/// First, previous and next page of a list that goes by keys: there are no page numbers.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"{% if first.is_some() || previous.is_some() || next.is_some() %}<nav class="pager" aria-label="{{ t.text("ui-pages") }}">{% if let Some(href) = first %}<a class="button secondary" href="{{ href }}">{{ Icon::Previous }}<span>{{ t.text("ui-first-page") }}</span></a>{% endif %}{% if let Some(href) = previous %}<a class="button secondary" rel="prev" href="{{ href }}">{{ Icon::Previous }}<span>{{ t.text("ui-previous-page") }}</span></a>{% endif %}{% if let Some(href) = next %}<a class="button secondary" rel="next" href="{{ href }}"><span>{{ t.text("ui-next-page") }}</span>{{ Icon::Next }}</a>{% endif %}</nav>{% endif %}"#
)]
pub struct Pager {
    t: Locale,
    first: Option<String>,
    previous: Option<String>,
    next: Option<String>,
}

impl Pager {
    /// `first` where this is not the first page, `next` where there is more.
    pub fn new(t: Locale, first: Option<String>, next: Option<String>) -> Self {
        Self { t, first, previous: None, next }
    }

    /// The page before, for lists that can be read backwards.
    #[must_use]
    pub fn previous(mut self, previous: Option<String>) -> Self {
        self.previous = previous;
        self
    }
}

component!(Pager);
