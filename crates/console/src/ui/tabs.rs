use super::component;
use askama::Template;

/// One part of a page.
#[derive(Debug, Clone)]
pub struct Tab {
    /// its name
    pub label: String,
    /// where it is
    pub href: String,
    /// whether it is the one shown
    pub current: bool,
    /// how many entries it has
    pub count: Option<String>,
}

/// Parts of a page, as links: each is a page of its own.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<nav class="tabs" aria-label="{{ label }}"><ul>{% for tab in tabs %}<li><a href="{{ tab.href }}"{% if tab.current %} aria-current="page"{% endif %}><span>{{ tab.label }}</span>{% if let Some(count) = tab.count %}<span class="count">{{ count }}</span>{% endif %}</a></li>{% endfor %}</ul></nav>"#
)]
pub struct Tabs {
    label: String,
    tabs: Vec<Tab>,
}

impl Tabs {
    /// Tabs; `label` names them all together.
    pub fn new(label: impl Into<String>, tabs: Vec<Tab>) -> Self {
        Self { label: label.into(), tabs }
    }
}

component!(Tabs);
