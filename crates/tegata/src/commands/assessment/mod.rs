//! `tegata catalogue`, `tegata checksheet` and `tegata threat`: everything offline, on files.

mod catalogue;
mod checksheet;
mod gate;
mod oscal;
mod page;
mod threat;

pub use catalogue::run as catalogue;
pub use checksheet::run as checksheet;
pub use gate::run as gate;
pub use threat::run as threat;

use crate::clock;
use anyhow::Context as _;
use assessment::{Bilingual, Day, Diagnosis, FILE_BYTES_MAX, Library};
use serde_json::{Value, json};
use std::{io::Read as _, path::Path};

fn library() -> anyhow::Result<Library> {
    Library::embedded().context("the catalogues that were built in do not fit together")
}

fn today(at: Option<Day>) -> anyhow::Result<Day> {
    at.or_else(|| Day::of(clock::now())).context("the clock of this machine is wrong; give --at")
}

/// Reads a diagnosis.
fn read(path: &Path, library: &Library) -> anyhow::Result<Diagnosis> {
    let text = String::from_utf8(bounded(path)?)
        .with_context(|| format!("{} is not UTF-8; save it as UTF-8", path.display()))?;
    Ok(Diagnosis::parse(&path.display().to_string(), &text, library)?)
}

/// The bytes of a file, one more than the limit at most.
fn bounded(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let most = u64::try_from(FILE_BYTES_MAX)?.saturating_add(1);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn both(text: &Bilingual) -> Value {
    json!({"en": text.en, "ja": text.ja})
}
