//! Erasing every key of the device, with a proof that is signed just before (GW-8).
//!
//! INVARIANT: the proof is on disk before the first key goes, and is sent only once every key is
//! gone. A crash between leaves the record of what is to go, and the next start of the process brings
//! that to its end before it does anything else: there is never a proof about keys that are there.

use super::{
    Order, Served,
    journal::{Outcome, Progress},
    line::Line,
};
use crate::{Agent, Failure, clock, fault, files, identity::Credential, log};
use admission::{ErasedKey, KeysErased};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::sha256;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The record of an erasure that has begun.
const RECORD: &str = "erasing";
/// Where sealed keys are, in the agent's folder.
const IDENTITY: &str = "identity";
/// Most files of keys.
const FILES_MAX: usize = 60;

/// What is to go.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Erasure {
    command: String,
    /// base64
    proof: String,
    files: Vec<PathBuf>,
}

/// A file that holds a key.
struct Place {
    name: String,
    path: PathBuf,
}

impl Agent {
    /// Why keys cannot be erased here.
    pub(super) fn cannot_erase(&self) -> Option<Outcome> {
        let reject = |why: String| Some(Outcome::new(Progress::Rejected, why));
        let places = match self.places() {
            Ok(places) => places,
            Err(failure) => return reject(failure.to_string()),
        };
        let stays = places.iter().find(|place| !files::is_writable(&place.path))?;
        // A sealing key that stays opens nothing any more once what it sealed is gone.
        if stays.name == "sealing-key" {
            return None;
        }
        reject(format!("[erase] {} cannot be written by the agent", stays.path.display()))
    }

    /// Signs the proof and puts down what is to go. Where this fails nothing is gone, but it may stand
    /// there that it is to go.
    pub(super) fn begin_erasure(
        &mut self,
        shown: &Credential,
        order: &Order,
    ) -> Result<(), Failure> {
        let (gone, kept): (Vec<Place>, Vec<Place>) =
            self.places()?.into_iter().partition(|place| files::is_writable(&place.path));
        let leaf = shown.chain.first();
        let leaf = leaf.ok_or_else(|| Failure::fatal("identity", "a chain without certificate"))?;
        let own = shown.key.public_key().fingerprint();
        let statement = KeysErased {
            command: order.id,
            certificate: sha256(leaf.der()),
            at: clock::wall(),
            counter: self.journal.counter,
            erased: gone
                .iter()
                .map(|place| ErasedKey {
                    name: place.name.clone(),
                    key: (place.name == "ldevid").then_some(own),
                })
                .collect(),
            kept: kept.into_iter().map(|place| place.name).collect(),
        };
        let proof = statement
            .sign(&*shown.key)
            .map_err(|error| Failure::fatal("identity", error.to_string()))?;
        let erasure = Erasure {
            command: order.id.to_string(),
            proof: STANDARD.encode(proof),
            files: gone.into_iter().map(|place| place.path).collect(),
        };
        self.store.keep(RECORD, &erasure)?;
        fault::point("erasure-recorded");
        Ok(())
    }

    /// Takes back what was put down, where nothing is gone yet.
    pub(super) fn forget_erasure(&self) -> Result<(), Failure> {
        files::remove(&self.store.path(RECORD))
    }

    /// Erases, and hands over the proof on the connection that is open.
    pub(super) fn erase(&mut self, line: &mut Line<'_>) -> Result<Served, Failure> {
        self.finish_erasure()?;
        // The certificate is of no use any more, but this connection still stands.
        if let Err(failure) = self.answer(line) {
            let detail = format!("{}; see tegata-agent status for the proof", failure.detail);
            log::warning(failure.code, &detail);
        }
        Ok(Served::Erased)
    }

    /// Erases every key that can be without a word to anybody: somebody is at the device.
    pub(crate) fn erase_unasked(&mut self) -> Result<(), Failure> {
        let places = self.places()?;
        if !places.iter().any(|place| place.name != "sealing-key") {
            return Ok(());
        }
        let files = places.into_iter().map(|place| place.path);
        let files = files.filter(|path| files::is_writable(path)).collect();
        let erasure = Erasure { command: String::new(), proof: String::new(), files };
        self.store.keep(RECORD, &erasure)?;
        self.finish_erasure()
    }

    /// Brings an erasure that was begun to its end.
    pub(super) fn finish_erasure(&mut self) -> Result<(), Failure> {
        let Some(erasure) = self.store.record::<Erasure>(RECORD)? else { return Ok(()) };
        // One that cannot be overwritten keeps none of the others; with it left, there is no proof.
        let mut stays = None;
        for path in &erasure.files {
            if let Err(failure) = files::destroy(path) {
                log::warning(failure.code, &failure.detail);
                stays.get_or_insert(failure);
            }
            fault::point("key-destroyed");
        }
        if let Some(failure) = stays {
            return Err(failure);
        }
        let outcome = Outcome {
            progress: Progress::Done,
            detail: format!("{} files with keys are gone", erasure.files.len()),
            proof: Some(erasure.proof),
        };
        self.note(|journal| journal.end(&erasure.command, outcome))?;
        fault::point("erasure-kept");
        files::remove(&self.store.path(RECORD))?;
        log::warning("keys-erased", "this device has no identity any more");
        Ok(())
    }

    /// Every file that holds a key of this device.
    fn places(&self) -> Result<Vec<Place>, Failure> {
        let folder = self.store.path(IDENTITY);
        let failed = |error: std::io::Error| {
            Failure::unavailable("state-read", format!("{}: {error}", folder.display()))
        };
        let mut places = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            places.push(Place { name: name_of(&path), path });
        }
        places.sort_by(|one, other| one.name.cmp(&other.name));
        let identity = &self.config.identity;
        let configured = identity.idevid.iter().map(|path| ("idevid-file".to_owned(), path));
        let groups = identity.group_keys.iter().enumerate();
        let groups = groups.map(|(index, path)| (format!("group-key-{}", index + 1), path));
        // The sealing key last: with it, what was half erased could still be read and told.
        let sealing = std::iter::once(("sealing-key".to_owned(), &identity.sealing_key));
        for (name, path) in configured.chain(groups).chain(sealing) {
            if path.exists() {
                places.push(Place { name, path: path.clone() });
            }
        }
        if places.len() > FILES_MAX {
            return Err(Failure::refused(
                "erase",
                "there are more files of keys than a proof names",
            ));
        }
        Ok(places)
    }
}

/// What a file of the folder is called in a proof.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let known = |c: char| if matches!(c, 'a'..='z' | '0'..='9') { c } else { '-' };
    name.trim_start_matches('.').chars().take(64).map(known).collect()
}
