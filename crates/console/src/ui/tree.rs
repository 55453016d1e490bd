use super::{Badge, component};
use askama::Template;

/// One part with the parts in it.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<li>{% if parts.is_empty() %}<div class="node">{% else %}<details open><summary class="node">{% endif %}{% if let Some(href) = href %}<a href="{{ href }}">{{ name }}</a>{% else %}<span>{{ name }}</span>{% endif %}{% if let Some(note) = note %}<span class="note">{{ note }}</span>{% endif %}{% for badge in badges %}{{ badge }}{% endfor %}{% if parts.is_empty() %}</div>{% else %}</summary><ul>{% for part in parts %}{{ part }}{% endfor %}</ul></details>{% endif %}</li>"#
)]
pub struct Node {
    name: String,
    href: Option<String>,
    note: Option<String>,
    badges: Vec<Badge>,
    parts: Vec<Node>,
}

impl Node {
    /// A part.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), href: None, note: None, badges: Vec::new(), parts: Vec::new() }
    }

    /// Where it is shown.
    #[must_use]
    pub fn link(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }

    /// A remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// A state.
    #[must_use]
    pub fn badge(mut self, badge: Badge) -> Self {
        self.badges.push(badge);
        self
    }

    /// A part within it.
    #[must_use]
    pub fn part(mut self, part: Node) -> Self {
        self.parts.push(part);
        self
    }
}

/// Parts within parts; each level can be closed.
#[derive(Debug, Clone, Template)]
#[template(
    ext = "html",
    source = r#"<ul class="tree">{% for node in nodes %}{{ node }}{% endfor %}</ul>"#
)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// A tree from its roots.
    pub fn new(nodes: Vec<Node>) -> Self {
        Self { nodes }
    }
}

component!(Node, Tree);
