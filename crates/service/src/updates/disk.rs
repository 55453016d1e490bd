//! Where uploaded files lie: `<data>/blobs/ab/cdef…` by SHA-256, and on their way
//! `<data>/blobs/uploads/REFERENCE`.

use crate::ServiceError;
use crypto::{Digester, HashAlgorithm, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

const FOLDER: &str = "blobs";
const UPLOADS: &str = "uploads";
/// Bytes that are read at a time.
const PIECE: usize = 1024 * 1024;

/// The folder of files.
pub(super) struct Disk {
    folder: PathBuf,
}

impl Disk {
    pub(super) fn open(data: &Path) -> Result<Self, ServiceError> {
        let folder = data.join(FOLDER);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(UPLOADS));
        made.map_err(|error| failed("the folder of files", &error))?;
        Ok(Self { folder })
    }

    fn upload(&self, reference: &[u8; 16]) -> PathBuf {
        self.folder.join(UPLOADS).join(hex::encode(reference))
    }

    fn place(&self, sha256: &Sha256) -> PathBuf {
        let name = sha256.to_string();
        let (folder, rest) = name.split_at_checked(2).unwrap_or((name.as_str(), ""));
        self.folder.join(folder).join(rest)
    }

    /// Opens the file of an upload for writing.
    pub(super) fn writable(&self, reference: &[u8; 16]) -> Result<File, ServiceError> {
        let path = self.upload(reference);
        let new = !path.exists();
        let opened = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failed("an upload", &error))?;
        if new {
            sync_folder(&path)?;
        }
        Ok(opened)
    }

    /// Opens the contents of a blob.
    pub(super) fn read(&self, sha256: &Sha256) -> Result<File, ServiceError> {
        File::open(self.place(sha256)).map_err(|error| {
            tracing::error!(%error, %sha256, "a file that is on record cannot be read");
            ServiceError::unavailable(
                "blob-unreadable",
                "the file cannot be read now; tell the \
                 platform's operator",
            )
        })
    }

    /// Reads all of an upload, or of what is in its place already: SHA-256, SHA-1, length. `None`
    /// where there is neither. `went_on` is told the bytes read so far and says whether to go on.
    pub(super) fn measure(
        &self,
        reference: &[u8; 16],
        sha256: &Sha256,
        went_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Measured>, ServiceError> {
        let error = |error: io::Error| failed("an upload", &error);
        let (mut file, in_place) = match File::open(self.upload(reference)) {
            Ok(file) => (file, false),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                match File::open(self.place(sha256)) {
                    Ok(file) => (file, true),
                    Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(other) => return Err(error(other)),
                }
            }
            Err(other) => return Err(error(other)),
        };
        let mut digest = Digester::new(HashAlgorithm::Sha256);
        let mut name = Digester::sha1_for_identifiers();
        let mut piece = vec![0; PIECE];
        let mut length: u64 = 0;
        loop {
            let read = match file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(again) if again.kind() == io::ErrorKind::Interrupted => continue,
                Err(other) => return Err(error(other)),
            };
            let part = piece.get(..read).unwrap_or_default();
            digest.update(part);
            name.update(part);
            length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            if !went_on(length) {
                return Err(ServiceError::stopped());
            }
        }
        // What was read is what stays, whatever the machine does next.
        file.sync_all().map_err(error)?;
        let mut measured = Measured { sha256: Sha256([0; 32]), sha1: [0; 20], length, in_place };
        for (to, from) in measured.sha256.0.iter_mut().zip(digest.finish()) {
            *to = from;
        }
        for (to, from) in measured.sha1.iter_mut().zip(name.finish()) {
            *to = from;
        }
        Ok(Some(measured))
    }

    /// Puts a verified upload in its place, durably.
    pub(super) fn put_in_place(
        &self,
        reference: &[u8; 16],
        sha256: &Sha256,
    ) -> Result<(), ServiceError> {
        let error = |error: io::Error| failed("a verified file", &error);
        let place = self.place(sha256);
        if let Some(folder) = place.parent()
            && !folder.exists()
        {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(error)?;
            sync_folder(folder)?;
        }
        fs::rename(self.upload(reference), &place).map_err(error)?;
        sync_folder(&place)?;
        sync_folder(&self.upload(reference))
    }

    pub(super) fn remove_upload(&self, reference: &[u8; 16]) -> Result<(), ServiceError> {
        remove(&self.upload(reference))
    }

    pub(super) fn remove(&self, sha256: &Sha256) -> Result<(), ServiceError> {
        remove(&self.place(sha256))
    }

    /// Every file that lies there: uploads and blobs. What has another name is none of ours and
    /// is left alone.
    pub(super) fn each(
        &self,
        upload: &mut dyn FnMut([u8; 16]) -> Result<(), ServiceError>,
        blob: &mut dyn FnMut(Sha256) -> Result<(), ServiceError>,
    ) -> Result<(), ServiceError> {
        let error = |error: io::Error| failed("the folder of files", &error);
        for folder in fs::read_dir(&self.folder).map_err(error)? {
            let folder = folder.map_err(error)?;
            let name = folder.file_name().to_string_lossy().into_owned();
            if !folder.path().is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path()).map_err(error)? {
                let rest = file.map_err(error)?.file_name().to_string_lossy().into_owned();
                if name == UPLOADS {
                    let mut reference = [0; 16];
                    if hex::decode_to_slice(&rest, &mut reference).is_ok() {
                        upload(reference)?;
                    }
                } else if let Some(sha256) = Sha256::from_hex(&format!("{name}{rest}")) {
                    blob(sha256)?;
                }
            }
        }
        Ok(())
    }

    /// Bytes that are free for us on the disk.
    pub(super) fn free(&self) -> Result<u64, ServiceError> {
        let known = rustix::fs::statvfs(&self.folder)
            .map_err(|error| failed("the folder of files", &error.into()))?;
        Ok(known.f_bavail.saturating_mul(known.f_frsize))
    }
}

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) sha256: Sha256,
    pub(super) sha1: [u8; 20],
    pub(super) length: u64,
    /// it was moved already, before a crash
    pub(super) in_place: bool,
}

/// Writes at a place in a file.
pub(super) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> Result<(), ServiceError> {
    file.write_all_at(bytes, offset).map_err(|error| failed("an upload", &error))
}

/// Makes what was written durable.
pub(super) fn sync(file: &File) -> Result<(), ServiceError> {
    file.sync_data().map_err(|error| failed("an upload", &error))
}

fn remove(path: &Path) -> Result<(), ServiceError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("a file that is not needed", &error)),
    }
}

/// Makes the entry of a file in its folder durable.
fn sync_folder(path: &Path) -> Result<(), ServiceError> {
    let folder = path.parent().unwrap_or(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed("the folder of files", &error))
}

fn failed(what: &str, error: &io::Error) -> ServiceError {
    tracing::error!(%error, what, "the disk failed");
    if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
        return full();
    }
    ServiceError::unavailable(
        "disk-failed",
        "the server's disk failed; nothing was recorded; repeat the request, and tell the \
         platform's operator if it fails again",
    )
}

pub(super) fn full() -> ServiceError {
    ServiceError::unavailable(
        "disk-full",
        "the server's disk is full; nothing was recorded; tell the platform's operator",
    )
}
