//! Lists that go by keys: addresses with their query, places, pagers.

use crate::{i18n::Locale, ui::Pager};
use service::Page;

/// Rows of a page.
pub(super) const ROWS: u32 = 50;

/// The page after a place; the first where the place is empty.
pub(super) fn page(after: &str) -> Page {
    Page { after: (!after.is_empty()).then(|| after.to_owned()), limit: ROWS }
}

/// A path with the fields of a query that are not empty, percent-encoded.
pub(super) fn address(path: &str, query: &[(&str, &str)]) -> String {
    let filled: Vec<_> = query.iter().filter(|(_, value)| !value.is_empty()).collect();
    match serde_html_form::to_string(filled) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// A text as one segment of a path (RFC 3986 section 2.3).
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// First and next page of a list whose place stands in `after`; other fields of the query stay.
pub(super) fn pager(
    t: Locale,
    path: &str,
    query: &[(&str, &str)],
    after: &str,
    next: Option<&str>,
) -> Pager {
    let first = (!after.is_empty()).then(|| address(path, query));
    let next = next.map(|next| {
        let mut query = query.to_vec();
        query.push(("after", next));
        address(path, &query)
    });
    Pager::new(t, first, next)
}

/// The place in a list, as every list's query has it.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Place {
    /// `next` of the page before
    #[serde(default)]
    pub(super) after: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_what_was_asked_and_nothing_else() {
        assert_eq!(address("/devices", &[("text", ""), ("phase", "")]), "/devices");
        assert_eq!(
            address("/devices", &[("text", "a&b=\"><c"), ("phase", "repair")]),
            "/devices?text=a%26b%3D%22%3E%3Cc&phase=repair"
        );
    }
}
