//! The two places for images, on disk.

use crate::{
    Failure,
    boot::BootRecord,
    config::{Running, SlotPlaces},
    engine::Slot,
    fault, files,
};
use crypto::{Digester, HashAlgorithm};
use rustix::fs::{Advice, fadvise};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// Longest file that names the running slot, and kernel command line, in bytes.
const NAME_BYTES_MAX: u64 = 64 * 1024;

/// Where images go.
#[derive(Clone, Debug)]
pub struct Slots {
    places: SlotPlaces,
}

impl Slots {
    /// Those of the configuration.
    pub fn new(places: SlotPlaces) -> Self {
        Self { places }
    }

    /// The slot that runs.
    ///
    /// # Errors
    /// `running-slot`.
    pub fn running(&self) -> Result<Slot, Failure> {
        let unknown = |detail: String| Failure::unavailable("running-slot", detail);
        let name = match &self.places.running {
            Running::File(path) => {
                let bytes = files::read(path, NAME_BYTES_MAX)?;
                let bytes = bytes.ok_or_else(|| {
                    unknown(format!("{} should name the running slot", path.display()))
                })?;
                String::from_utf8_lossy(&bytes).trim().to_owned()
            }
            Running::Parameter(parameter) => {
                let line = files::read(Path::new("/proc/cmdline"), NAME_BYTES_MAX)?;
                let line = String::from_utf8_lossy(&line.unwrap_or_default()).into_owned();
                line.split_ascii_whitespace()
                    .find_map(|word| word.strip_prefix(parameter)?.strip_prefix('='))
                    .map(str::to_owned)
                    .ok_or_else(|| {
                        unknown(format!("the kernel's command line has no {parameter}="))
                    })?
            }
        };
        let (a, b) = &self.places.names;
        match &name {
            name if name == a => Ok(Slot::A),
            name if name == b => Ok(Slot::B),
            _ => Err(unknown(format!("{name:?} is neither {a:?} nor {b:?}"))),
        }
    }

    /// A slot's name, as the boot loader knows it.
    pub fn name(&self, slot: Slot) -> &str {
        match slot {
            Slot::A => &self.places.names.0,
            Slot::B => &self.places.names.1,
        }
    }

    /// Where the image for a slot is written: the slot itself, or the place where it waits for the
    /// hook that installs it.
    pub fn place(&self, slot: Slot) -> PathBuf {
        match (&self.places.pair, slot) {
            (Some((a, _)), Slot::A) => a.clone(),
            (Some((_, b)), Slot::B) => b.clone(),
            (None, _) => self.places.spool.clone().unwrap_or_default(),
        }
    }

    /// Whether a hook writes the slots.
    pub fn spooled(&self) -> bool {
        self.places.pair.is_none()
    }

    /// Where the kernel tells one start from another.
    pub(crate) fn boot_id(&self) -> &Path {
        &self.places.boot_id
    }

    /// The boot record, where there is one: made at the first look, when what runs is what is good.
    ///
    /// # Errors
    /// `boot-record`, `state-write`.
    pub fn record(&self, running: Slot) -> Result<Option<BootRecord>, Failure> {
        let Some(path) = &self.places.boot_record else { return Ok(None) };
        if let Some(record) = BootRecord::read(path)? {
            return Ok(Some(record));
        }
        let record = BootRecord { good: running, trying: None };
        record.write(path)?;
        Ok(Some(record))
    }

    /// Writes the boot record.
    ///
    /// # Errors
    /// `state-write`.
    pub(crate) fn set_record(&self, record: BootRecord) -> Result<(), Failure> {
        match &self.places.boot_record {
            Some(path) => record.write(path),
            None => Ok(()),
        }
    }

    /// The path of the boot record.
    pub fn record_path(&self) -> Option<&Path> {
        self.places.boot_record.as_deref()
    }

    /// INVARIANT: what runs, and what the boot loader falls back on, is never written.
    fn require_free(&self, slot: Slot) -> Result<(), Failure> {
        let running = self.running()?;
        let record = self.record(running)?;
        let started = record.is_some_and(|record| {
            record.good == slot || record.trying.is_some_and(|(trying, _)| trying == slot)
        });
        if running == slot || (started && !self.spooled()) {
            let detail = format!("slot {slot} is in use and will not be written");
            return Err(Failure::refused("slot-in-use", detail));
        }
        Ok(())
    }

    /// Opens what runs, to be read.
    ///
    /// # Errors
    /// `slot-write`, also where a hook writes the slots: then nobody knows where it is.
    pub(crate) fn open_running(&self, slot: Slot) -> Result<File, Failure> {
        let path = self.place(slot);
        let unknown = || Failure::refused("delta-refused", "a hook writes the slots");
        if self.spooled() {
            return Err(unknown());
        }
        File::open(&path).map_err(|error| slot_failed(&path, &error))
    }

    /// Opens the place for a slot, to be written from byte `from` on. What is behind it is gone.
    ///
    /// # Errors
    /// `slot-in-use`, `slot-too-small`, `disk-full`, `slot-write`.
    pub(crate) fn open(&self, slot: Slot, from: u64, length: u64) -> Result<File, Failure> {
        self.require_free(slot)?;
        let path = self.place(slot);
        let failed = |error: std::io::Error| slot_failed(&path, &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(self.is_file(&path))
            .truncate(false)
            .mode(0o600)
            .custom_flags(i32::try_from(rustix::fs::OFlags::CLOEXEC.bits()).unwrap_or(0))
            .open(&path)
            .map_err(failed)?;
        let kind = file.metadata().map_err(failed)?.file_type();
        if kind.is_block_device() {
            let room = length_of(&mut file).map_err(failed)?;
            if room < length {
                let detail = format!("{} has {room} bytes for {length}", path.display());
                return Err(Failure::refused("slot-too-small", detail));
            }
        } else if kind.is_file() {
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
                let detail = format!("{room} bytes are free for {} more", length - from);
                return Err(Failure::unavailable("disk-full", detail));
            }
        } else {
            let detail = format!("{} is neither a file nor a block device", path.display());
            return Err(Failure::malformed("configuration", detail));
        }
        fault::point("slot-opened");
        Ok(file)
    }

    fn is_file(&self, path: &Path) -> bool {
        // A device that is missing must not become a file in /dev.
        !path.starts_with("/dev")
    }

    /// Reads the image back from the medium, not from memory, and compares it.
    ///
    /// # Errors
    /// `read-back` where it is another one.
    pub fn read_back(&self, slot: Slot, length: u64, sha256: &str) -> Result<(), Failure> {
        let path = self.place(slot);
        let failed = |error: std::io::Error| slot_failed(&path, &error);
        let mut file = File::open(&path).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        // What is still in memory would hide what the medium has.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        let found = hash(&mut file, length).map_err(failed)?;
        let longer = file.metadata().map_err(failed)?;
        if longer.file_type().is_file() && longer.len() != length {
            let detail = format!("{} bytes are in the slot, not {length}", longer.len());
            return Err(Failure::refused("read-back", detail));
        }
        if found.map(hex::encode).as_deref() == Some(sha256) {
            return Ok(());
        }
        let detail = format!("what is in slot {slot} does not hash to {sha256}");
        Err(Failure::refused("read-back", detail))
    }

    /// Forgets what is in the spool: an image that is not wanted any more.
    pub(crate) fn clear_spool(&self) {
        if let (true, Some(spool)) = (self.spooled(), &self.places.spool) {
            let _ = std::fs::remove_file(spool);
        }
    }
}

/// How long a file or a device is. It is at its beginning afterwards, where whoever writes begins.
fn length_of(file: &mut File) -> std::io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(length)
}

/// SHA-256 of exactly `length` bytes; `None` where there are fewer.
pub(crate) fn hash(from: &mut impl Read, length: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut digester = Digester::new(HashAlgorithm::Sha256);
    Ok(feed(from, length, &mut digester)?.then(|| digester.finish()))
}

/// Hashes exactly `length` bytes; `false` where there are fewer.
pub(crate) fn feed(
    from: &mut impl Read,
    length: u64,
    digester: &mut Digester,
) -> std::io::Result<bool> {
    let mut left = length;
    let mut buffer = vec![0; PIECE];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let read = from.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            return Ok(false);
        }
        digester.update(buffer.get(..read).unwrap_or_default());
        left = left.saturating_sub(u64::try_from(read).unwrap_or(left));
    }
    Ok(true)
}

/// Writes a piece.
pub(crate) fn write(file: &mut File, path: &Path, piece: &[u8]) -> Result<(), Failure> {
    file.write_all(piece).map_err(|error| slot_failed(path, &error))
}

/// What a failure of a slot means.
pub(crate) fn slot_failed(path: &Path, error: &std::io::Error) -> Failure {
    match files::write_failed(path, error) {
        full if full.code == "disk-full" => full,
        _ => {
            let shown = path.display();
            Failure::unavailable("slot-write", format!("slot {shown}: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A partition is measured by going to its end; a delta is written from where the file stands.
    #[test]
    fn what_was_measured_is_written_from_its_beginning() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"image").unwrap();
        assert_eq!(length_of(&mut file).unwrap(), 5);
        assert_eq!(file.stream_position().unwrap(), 0);
    }
}
