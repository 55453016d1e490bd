//! The watched folder: advisories that others put there as files. They are taken when they are new
//! or changed; one that cannot be taken is put down with the reason and does not stop the others.

use super::import::{self, AdvisoryResult, Read, Taking};
use crate::{
    Service, ServiceError,
    live::Live,
    service::Inner,
    store::advisory::{self as store, FileRow},
};
use std::{
    collections::HashMap,
    fs,
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Weak,
    time::Duration,
};

/// Deepest folder below the watched one.
const DEPTH_MAX: usize = 8;
/// Longest path that is kept as it is, in bytes.
const PATH_MAX: usize = 180;
/// Most files; further ones are left alone, and that is said.
const FILES_MAX: usize = 1_000_000;
/// Files, and bytes of them, per commit.
const BATCH: (usize, usize) = (200, 16 * 1024 * 1024);
/// Files on record that are read at a time.
const PAGE: usize = 10_000;

/// What a file was like when it was read: its length, and when and as which file it was written.
type Seen = (u64, i64);

/// Watches until the service ends.
pub(crate) fn run(weak: &Weak<Inner>, live: &Live, folder: &Path, pause: Duration) {
    let mut seen: Option<HashMap<String, Seen>> = None;
    let mut rest = Duration::ZERO;
    loop {
        if live.rest(rest) {
            return;
        }
        let Some(service) = Service::upgrade(weak) else { return };
        let looked = match &mut seen {
            Some(seen) => service.look_through(folder, seen),
            None => service.files_on_record().and_then(|mut before| {
                let looked = service.look_through(folder, &mut before);
                seen = Some(before);
                looked
            }),
        };
        rest = match looked {
            // A large folder is looked through less often.
            Ok(files) => pause + pause * u32::try_from(files / 20_000).unwrap_or(u32::MAX),
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "the folder of advisories is not read");
                seen = None;
                pause * 4
            }
        };
    }
}

impl Service {
    fn files_on_record(&self) -> Result<HashMap<String, Seen>, ServiceError> {
        let mut seen = HashMap::new();
        let mut after = String::new();
        loop {
            let rows = self.read(|connection| store::files(connection, &after, PAGE))?;
            let Some(last) = rows.last() else { return Ok(seen) };
            after.clone_from(&last.path);
            seen.extend(rows.into_iter().map(|row| (row.path, (row.length, row.modified))));
        }
    }

    /// Looks through the folder and takes what is new; how many files there are.
    fn look_through(
        &self,
        folder: &Path,
        seen: &mut HashMap<String, Seen>,
    ) -> Result<usize, ServiceError> {
        let files = walk(folder)?;
        let count = files.len();
        let present: std::collections::HashSet<&str> =
            files.iter().map(|(name, ..)| name.as_str()).collect();
        let gone: Vec<String> =
            seen.keys().filter(|name| !present.contains(name.as_str())).cloned().collect();
        if !gone.is_empty() {
            let names = gone.clone();
            self.store.writer.run_blocking(move |tx| {
                names.iter().try_for_each(|name| store::forget_file(tx, name))
            })?;
            for name in gone {
                seen.remove(&name);
            }
        }
        let mut waiting = Vec::new();
        let mut bytes = 0;
        for (name, path, state) in &files {
            if seen.get(name) == Some(state) {
                continue;
            }
            if self.live.wanted().stop {
                return Ok(count);
            }
            let contents = contents(path);
            bytes += contents.as_ref().map_or(0, Vec::len);
            waiting.push((name.clone(), *state, contents));
            if waiting.len() >= BATCH.0 || bytes >= BATCH.1 {
                self.take_files(std::mem::take(&mut waiting), seen)?;
                bytes = 0;
            }
        }
        if !waiting.is_empty() {
            self.take_files(waiting, seen)?;
        }
        Ok(count)
    }

    fn take_files(
        &self,
        files: Vec<(String, Seen, Result<Vec<u8>, String>)>,
        seen: &mut HashMap<String, Seen>,
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let taking = Taking {
            organisation: self.platform.organisation.id,
            everybody: true,
            source: "folder".to_owned(),
            by: "platform advisories".to_owned(),
            now,
        };
        let mut rows = Vec::with_capacity(files.len());
        let mut read: Vec<(String, Read)> = Vec::new();
        for (path, (length, modified), contents) in files {
            let mut row =
                FileRow { path: path.clone(), length, modified, trouble: None, read_at: now };
            match contents {
                Ok(bytes) => read.push((path, import::read(bytes, now))),
                Err(trouble) => row.trouble = Some(trouble),
            }
            rows.push(row);
        }
        self.faults.point(crate::fault::BEFORE_ADVISORIES)?;
        let rows = self.store.writer.run_blocking(move |tx| {
            for (path, document) in &read {
                let event = audit::SecurityEvent::new(
                    now,
                    audit::Kind::Vulnerability,
                    audit::Outcome::Success,
                )
                .actor(&taking.by)
                .subject(path)
                .detail("what", "advisories-imported");
                let taking = Taking { source: format!("folder: {path}"), ..taking.clone() };
                let outcomes = import::take(tx, &taking, std::slice::from_ref(document), event)?;
                for outcome in outcomes {
                    if let AdvisoryResult::Refused { why, hint } = outcome.result {
                        tracing::warn!(path, why, "an advisory cannot be taken");
                        if let Some(row) = rows.iter_mut().find(|row| row.path == *path) {
                            row.trouble = Some(format!("{why}; {hint}"));
                        }
                    }
                }
            }
            for row in &rows {
                store::set_file(tx, row)?;
            }
            Ok(rows)
        })?;
        seen.extend(rows.into_iter().map(|row| (row.path, (row.length, row.modified))));
        Ok(())
    }
}

/// A file's bytes within the limit.
fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let most = u64::try_from(advisory::ADVISORY_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // It may have become a link, or a pipe that nobody writes to, since the folder was read.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| format!("cannot be opened: {error}"))?;
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        return Err("it is no file any more".to_owned());
    }
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > advisory::ADVISORY_BYTES_MAX {
        return Err(format!("larger than {most} bytes; split it"));
    }
    Ok(bytes)
}

/// Every JSON file below a folder, sorted; hidden ones and links are left alone.
fn walk(folder: &Path) -> Result<Vec<(String, PathBuf, Seen)>, ServiceError> {
    let failed = |error: &std::io::Error| {
        ServiceError::unavailable(
            "advisories-folder",
            format!("the folder {} cannot be read: {error}", folder.display()),
        )
    };
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(failed(&error)),
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "a folder of advisories is not read");
                continue;
            }
        };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            // Of the link itself: what it points at may be anything.
            let Ok(about) = entry.path().symlink_metadata() else { continue };
            let relative = format!("{prefix}{name}");
            if about.is_dir() && depth < DEPTH_MAX {
                folders.push((entry.path(), format!("{relative}/"), depth + 1));
            } else if about.is_file() && name.to_ascii_lowercase().ends_with(".json") {
                if files.len() >= FILES_MAX {
                    tracing::warn!(
                        "more than {FILES_MAX} advisories in the folder; the rest is left"
                    );
                    return Ok(files);
                }
                // A file that takes another's place is another, whatever its time says.
                let written = about
                    .mtime()
                    .wrapping_mul(1_000_000_000)
                    .wrapping_add(about.mtime_nsec())
                    .wrapping_add(about.ino().cast_signed().wrapping_mul(0x9E37_79B9));
                files.push((short(relative), entry.path(), (about.len(), written)));
            }
        }
    }
    files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(files)
}

/// A path as it is kept: a long one by its beginning and its hash.
fn short(path: String) -> String {
    if path.len() <= PATH_MAX {
        return path;
    }
    let begin: String = path.chars().take(60).collect();
    format!("{begin}…{}", crypto::sha256(path.as_bytes()))
}
