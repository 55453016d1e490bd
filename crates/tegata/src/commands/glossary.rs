use crate::{cli::Language, output::Output};
use console::glossary::{self, Entry};
use serde_json::json;

/// Runs `tegata glossary [TERM]`.
pub fn run(term: Option<&str>, output: Output, language: Language) -> anyhow::Result<()> {
    let language = device::Language::from(language);
    let found = glossary::search(term.unwrap_or_default(), language);
    if found.is_empty() {
        anyhow::bail!("no term holds {:?}; `tegata glossary` lists them all", term.unwrap_or(""));
    }
    if output.json {
        for entry in found {
            output.line(&serde_json::to_string(&json!({
                "id": entry.id, "en": entry.en, "ja": entry.ja, "kana": entry.kana,
                "def_en": entry.def_en, "def_ja": entry.def_ja,
                "see": entry.see, "source": entry.source,
            }))?)?;
        }
        return Ok(());
    }
    match term {
        None => {
            for entry in found {
                output.line(&format!("{:28} {}", entry.id, entry.term(language)))?;
            }
        }
        Some(_) => {
            for entry in found.iter().take(10) {
                output.line(&described(entry, language))?;
            }
        }
    }
    Ok(())
}

fn described(entry: &Entry, language: device::Language) -> String {
    let other = match language {
        device::Language::En => &entry.ja,
        device::Language::Ja => &entry.en,
    };
    format!(
        "{}  ({other})\n  {}\n  [{}]\n",
        entry.term(language),
        entry.definition(language),
        entry.source
    )
}
