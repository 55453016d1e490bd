//! Files that survive a crash: written beside their place, synced, renamed, the folder synced.

use crate::{Failure, fault};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// the agent alone
    Private,
    /// everybody
    Public,
}

/// Points of death on the way: what is written, not renamed.
pub(crate) const STATE: &str = "state-written-not-renamed";

/// Replaces the file at `path`: after a crash there is the old or the new one, whole.
///
/// # Errors
/// `disk-full`, `state-write`.
pub(crate) fn replace(
    path: &Path,
    bytes: &[u8],
    mode: Mode,
    died: &'static str,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| write_failed(path, &error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.new"));
    let permissions = match mode {
        Mode::Private => 0o600,
        Mode::Public => 0o644,
    };
    // A leftover of a crash may have other permissions than a new file would get.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(permissions)
        .open(&temporary)
        .map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(failed(error));
    }
    drop(file);
    fault::point(died);
    fs::rename(&temporary, path).map_err(failed)?;
    sync_folder(folder).map_err(failed)
}

/// Opens a file of the agent's own to be written from byte `from` on; what is behind it is gone.
///
/// # Errors
/// `slot-short` where fewer bytes are there, `disk-full`, `state-write`.
pub(crate) fn open_part(path: &Path, from: u64, length: u64) -> Result<File, Failure> {
    let failed = |error: std::io::Error| write_failed(path, &error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let has = file.metadata().map_err(failed)?.len();
    if has < from {
        let detail = format!("{} has {has} of {from} bytes", path.display());
        return Err(Failure::refused("slot-short", detail));
    }
    file.set_len(from).map_err(failed)?;
    let room = rustix::fs::fstatvfs(&file)
        .map_err(|error| failed(error.into()))
        .map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))?;
    if room < length.saturating_sub(from) {
        let detail = format!("{room} bytes are free for {} more", length.saturating_sub(from));
        return Err(Failure::unavailable("disk-full", detail));
    }
    Ok(file)
}

/// Removes a file durably; one that is not there is fine.
///
/// # Errors
/// `state-write`.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Ok(()) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            sync_folder(folder).map_err(|error| write_failed(path, &error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(write_failed(path, &error)),
    }
}

/// Whether a file can be written, and so be destroyed.
pub(crate) fn is_writable(path: &Path) -> bool {
    OpenOptions::new().write(true).open(path).is_ok()
}

/// Destroys a file durably: written over, synced, removed. What the medium keeps of earlier writes is
/// beyond a program. One that is not there is fine.
///
/// # Errors
/// `state-write`.
pub(crate) fn destroy(path: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| write_failed(path, &error);
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().map_err(failed)?.len();
    std::io::copy(&mut std::io::repeat(0).take(length), &mut file).map_err(failed)?;
    file.set_len(0).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    drop(file);
    // Its contents are gone. That its name cannot be removed, in a folder of somebody else's or under
    // a mount of its own, keeps nothing alive.
    if let Err(error) = remove(path) {
        let text = format!("{} is empty, and cannot be removed: {}", path.display(), error.detail);
        crate::log::warning("erased-name", &text);
    }
    Ok(())
}

/// A file of at most `most` bytes; `None` where there is none.
///
/// # Errors
/// `state-read`.
pub(crate) fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Failure> {
    let failed = |reason: String| {
        Failure::malformed("state-read", format!("cannot read {}: {reason}", path.display()))
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(failed(format!("it is longer than {most} bytes")));
    }
    Ok(Some(bytes))
}

/// Makes a folder for the agent alone.
///
/// # Errors
/// `state-write`.
pub(crate) fn folder(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| write_failed(path, &error))
}

/// A secret must be for its owner alone.
///
/// # Errors
/// `open-permissions`.
pub(crate) fn require_private(path: &Path) -> Result<(), Failure> {
    let failed = |what: String| Failure::malformed("open-permissions", what);
    let shown = path.display();
    let meta = fs::metadata(path).map_err(|error| failed(format!("{shown}: {error}")))?;
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(failed(format!("{shown} can be read by others; run: chmod 600 {shown}")));
    }
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != own && meta.uid() != 0 {
        return Err(failed(format!("{shown} belongs to another user; run: chown {own} {shown}")));
    }
    Ok(())
}

/// What a failed write means.
pub(crate) fn write_failed(path: &Path, error: &std::io::Error) -> Failure {
    let shown = path.display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Failure::unavailable("disk-full", format!("no room for {shown}: free some and wait"))
        }
        _ => Failure::unavailable("state-write", format!("cannot write {shown}: {error}")),
    }
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_for_the_right_readers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        assert_eq!(read(&path, 10), Ok(None));
        replace(&path, b"one", Mode::Private, STATE).unwrap();
        require_private(&path).unwrap();
        // A crash left a half-written file behind, readable by all.
        fs::write(dir.path().join(".record.new"), b"half").unwrap();
        replace(&path, b"two", Mode::Private, STATE).unwrap();
        require_private(&path).unwrap();
        assert_eq!(read(&path, 3), Ok(Some(b"two".to_vec())));
        assert_eq!(read(&path, 2).unwrap_err().code, "state-read");
        replace(&path, b"three", Mode::Public, STATE).unwrap();
        assert_eq!(require_private(&path).unwrap_err().code, "open-permissions");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(is_writable(&path));
        let link = dir.path().join("link");
        fs::hard_link(&path, &link).unwrap();
        destroy(&path).unwrap();
        destroy(&path).unwrap();
        assert!(!path.exists() && !is_writable(&path));
        assert_eq!(read(&link, 10).unwrap().unwrap(), [0_u8; 0]);
        remove(&link).unwrap();
        remove(&path).unwrap();
        let nowhere = dir.path().join("missing/record");
        assert_eq!(replace(&nowhere, b"", Mode::Public, STATE).unwrap_err().code, "state-write");
    }
}
