//! The glossary (AS-9): terms of IoT security in both languages, read from `data/glossary.toml`.
//!
//! The file is part of the program; a test sees to it that all of it can be read and holds together:
//! unique ids, readings in hiragana, lengths, references. [`term`] makes the link with the short
//! explanation that pages show wherever a term appears.

use crate::{i18n::Locale, ui};
use device::Language;
use serde::Deserialize;
use std::sync::LazyLock;

const SOURCE: &str = include_str!("../data/glossary.toml");

/// Longest text that is searched for, in characters.
pub const QUERY_CHARS_MAX: usize = 100;

/// One term.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// stable id: lower-case letters, digits and hyphens
    pub id: String,
    /// the term in English
    pub en: String,
    /// the term in Japanese
    pub ja: String,
    /// its reading, in hiragana
    pub kana: String,
    /// one to three sentences in English
    pub def_en: String,
    /// one to three sentences in Japanese
    pub def_ja: String,
    /// ids of terms to read next
    #[serde(default)]
    pub see: Vec<String>,
    /// the document in which the term is at home
    pub source: String,
}

impl Entry {
    /// The term.
    pub fn term(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Ja => &self.ja,
        }
    }

    /// The definition.
    pub fn definition(&self, language: Language) -> &str {
        match language {
            Language::En => &self.def_en,
            Language::Ja => &self.def_ja,
        }
    }

    /// Under which heading of the index it stands: a letter, or the row of the kana table.
    pub fn heading(&self, language: Language) -> char {
        match language {
            Language::En => {
                let first = self.en.chars().find(char::is_ascii_alphanumeric);
                first.map_or('#', |c| c.to_ascii_uppercase())
            }
            Language::Ja => self.kana.chars().next().map_or('#', row_of),
        }
    }

    fn holds(&self, query: &str) -> bool {
        let texts = [&self.id, &self.en, &self.ja, &self.kana, &self.def_en, &self.def_ja];
        texts.iter().any(|text| text.to_lowercase().contains(query))
    }

    fn is_called(&self, query: &str) -> bool {
        [&self.id, &self.en, &self.ja, &self.kana].iter().any(|name| {
            let name = name.to_lowercase();
            name == query || name.split(['(', ')', '（', '）']).any(|part| part.trim() == query)
        })
    }
}

/// The row of the kana table that a character belongs to.
fn row_of(kana: char) -> char {
    match kana {
        'あ'..='お' | 'ゔ' => 'あ',
        'か'..='ご' => 'か',
        'さ'..='ぞ' => 'さ',
        'た'..='ど' => 'た',
        'な'..='の' => 'な',
        'は'..='ぽ' => 'は',
        'ま'..='も' => 'ま',
        'ゃ'..='よ' => 'や',
        'ら'..='ろ' => 'ら',
        'わ'..='ん' => 'わ',
        _ => '#',
    }
}

#[derive(Deserialize)]
struct Document {
    term: Vec<Entry>,
}

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| match toml::from_str::<Document>(SOURCE) {
    Ok(document) => document.term,
    Err(error) => {
        tracing::error!(%error, "the glossary cannot be read");
        Vec::new()
    }
});

/// Every term, in the order of a language's index.
pub fn entries(language: Language) -> Vec<&'static Entry> {
    let mut entries: Vec<&Entry> = ENTRIES.iter().collect();
    match language {
        Language::En => entries.sort_by_key(|entry| entry.en.to_lowercase()),
        Language::Ja => entries.sort_by(|a, b| a.kana.cmp(&b.kana)),
    }
    entries
}

/// The term with this id.
pub fn find(id: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.id == id)
}

/// Terms that hold `query` in either language, those that are called so first.
pub fn search(query: &str, language: Language) -> Vec<&'static Entry> {
    let query: String = query.trim().chars().take(QUERY_CHARS_MAX).collect();
    let query = query.to_lowercase();
    if query.is_empty() {
        return entries(language);
    }
    let mut found: Vec<&Entry> =
        entries(language).into_iter().filter(|entry| entry.holds(&query)).collect();
    found.sort_by_key(|entry| !entry.is_called(&query));
    found
}

/// A term where it appears in a page: a link to its entry, with the definition as a tip. An id that
/// is not in the glossary shows itself; a test finds those in our pages.
pub fn term(t: Locale, id: &str) -> ui::Term {
    match find(id) {
        Some(entry) => {
            let word = short(entry.term(t.language));
            ui::Term::new(&entry.id, word, entry.definition(t.language))
        }
        None => ui::Term::new(id, id, ""),
    }
}

/// The term without what stands in parentheses after it.
pub fn short(term: &str) -> &str {
    term.split(['(', '（']).next().unwrap_or(term).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_glossary_holds_together() {
        let document: Document = toml::from_str(SOURCE).unwrap();
        assert!(document.term.len() >= 130, "{} terms", document.term.len());
        assert_eq!(ENTRIES.len(), document.term.len());
        let ids: BTreeSet<_> = document.term.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids.len(), document.term.len(), "an id is there twice");
        let mut names = BTreeSet::new();
        for entry in &document.term {
            let id = &entry.id;
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!((2..=40).contains(&id.len()) && id.chars().all(plain), "{id}");
            assert!(names.insert(entry.en.to_lowercase()), "{id}: {} twice", entry.en);
            assert!(names.insert(format!("ja {}", entry.ja)), "{id}: {} twice", entry.ja);
            let reading = |c: char| ('ぁ'..='ゔ').contains(&c) || c == 'ー';
            assert!(
                !entry.kana.is_empty() && entry.kana.chars().all(reading),
                "{id}: {}",
                entry.kana
            );
            assert_ne!(entry.heading(Language::Ja), '#', "{id}");
            assert_ne!(entry.heading(Language::En), '#', "{id}");
            let (en, ja) = (&entry.def_en, &entry.def_ja);
            assert!((40..=400).contains(&en.chars().count()), "{id}: {}", en.chars().count());
            assert!((15..=200).contains(&ja.chars().count()), "{id}: {}", ja.chars().count());
            assert!(en.ends_with('.') && ja.ends_with('。'), "{id}");
            assert!(en.matches(". ").count() <= 2 && ja.matches('。').count() <= 3, "{id}");
            assert!(!en.chars().any(|c| ('ぁ'..='鿿').contains(&c)), "{id}: Japanese in English");
            assert!(ja.chars().any(|c| ('ぁ'..='ん').contains(&c)), "{id}: no Japanese");
            assert!(!entry.source.is_empty(), "{id}");
            assert!(!entry.see.is_empty() && entry.see.len() <= 5, "{id}");
            let mut seen = BTreeSet::new();
            for other in &entry.see {
                assert!(ids.contains(other.as_str()) && other != id, "{id} → {other}");
                assert!(seen.insert(other), "{id} → {other} twice");
            }
        }
        // The product's own words and those of its requirements.
        for id in [
            "passport",
            "trust-anchor",
            "idevid",
            "ldevid",
            "attestation",
            "est",
            "ocsp",
            "crl",
            "witness",
            "checkpoint",
            "inclusion-proof",
            "sbom",
            "vex",
            "tuf-roles",
            "s-cia",
            "stride",
            "sl-t",
            "jc-star",
            "cra",
            "puf",
            "dice",
            "tpm",
            "hsm",
            "zeroization",
            "forward-secrecy",
            "mud",
            "dtls",
            "cose",
            "cbor",
            "management-number",
        ] {
            assert!(ids.contains(id), "{id}");
        }
    }

    #[test]
    fn terms_are_found_in_both_languages_and_by_their_reading() {
        for query in ["OCSP", "ocsp", "おーしーえすぴー", "オンライン証明書状態プロトコル"]
        {
            assert_eq!(search(query, Language::Ja).first().unwrap().id, "ocsp", "{query}");
        }
        assert_eq!(search("proof of possession", Language::En)[0].id, "proof-of-possession");
        assert!(search("zzzz", Language::En).is_empty());
        assert_eq!(search(" ", Language::En).len(), ENTRIES.len());
        assert_eq!(find("tpm").unwrap().heading(Language::Ja), 'た');
        assert_eq!(find("tpm").unwrap().heading(Language::En), 'T');
        assert_eq!(short("HSM (hardware security module)"), "HSM");
        assert_eq!(short("安全性（セーフティ）"), "安全性");
    }

    #[test]
    fn indexes_are_in_order() {
        let ja: Vec<_> = entries(Language::Ja).iter().map(|entry| &entry.kana).collect();
        assert!(ja.is_sorted());
        let headings: Vec<_> =
            entries(Language::En).iter().map(|entry| entry.heading(Language::En)).collect();
        assert_eq!(headings.first(), Some(&'A'));
    }
}
