//! The chain of a log: where an entry stands, by number, hash and time.

use super::{
    DeviceLogError, LOG_SEQUENCE_MAX, LOG_TIME_MAX, LogEntry, LogId, codec::encode_entry,
    read_entry,
};
use crypto::{Sha256, sha256};

const START: &[u8] = b"tegata/device-log-start/v1\0";
const ENTRY: &[u8] = b"tegata/device-log/v1\0";

/// The last entry so far: the next one is chained to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    /// its number, from 1; 0 where there is none yet
    pub sequence: u64,
    /// its hash, which commits to it and to all before it
    pub hash: Sha256,
    /// its time, from which the next entry's is counted
    pub time: i64,
}

impl LogPlace {
    /// Before the first entry of a log.
    pub fn start(log: &LogId) -> Self {
        Self { sequence: 0, hash: sha256(&[START, &log.0].concat()), time: 0 }
    }

    /// The place of an entry, and its bytes.
    ///
    /// # Errors
    /// [`DeviceLogError`] where it does not fit ([`LogEntry::fitted`]) or numbers are used up.
    pub fn append(&self, entry: &LogEntry) -> Result<(Self, Vec<u8>), DeviceLogError> {
        let bytes = encode_entry(entry, self.time);
        // What nobody could read is not written.
        if read_entry(&bytes, self.time)? != *entry {
            return Err(DeviceLogError("an entry that does not come back as it was"));
        }
        Ok((self.next(&bytes, entry.time)?, bytes))
    }

    /// The place of the entry that has these bytes and this time.
    ///
    /// # Errors
    /// [`DeviceLogError`].
    pub fn next(&self, bytes: &[u8], time: i64) -> Result<Self, DeviceLogError> {
        let sequence = self.sequence.saturating_add(1);
        if sequence > LOG_SEQUENCE_MAX {
            return Err(DeviceLogError("its numbers are used up"));
        }
        if !(0..=LOG_TIME_MAX).contains(&time) {
            return Err(DeviceLogError("a time beyond the year 9999, or before its beginning"));
        }
        let hashed = [
            ENTRY,
            self.hash.as_bytes().as_slice(),
            &sequence.to_be_bytes(),
            &time.to_be_bytes(),
            bytes,
        ];
        Ok(Self { sequence, hash: sha256(&hashed.concat()), time })
    }
}

/// An entry that is kept somewhere, to be checked.
#[derive(Debug, Clone, Copy)]
pub struct KeptEntry<'a> {
    /// its number
    pub sequence: u64,
    /// its hash
    pub hash: &'a Sha256,
    /// its time
    pub time: i64,
    /// its bytes
    pub bytes: &'a [u8],
}

/// Follows the chain through the entries of one stretch, in their order: the number of the first that
/// does not follow. Where entries before them are kept no more, `before` is `None`, and the first of
/// them is believed.
///
/// # Errors
/// That number.
pub fn follow<'a>(
    before: Option<LogPlace>,
    entries: impl IntoIterator<Item = KeptEntry<'a>>,
) -> Result<Option<LogPlace>, u64> {
    let mut at = before;
    for entry in entries {
        let said = LogPlace { sequence: entry.sequence, hash: *entry.hash, time: entry.time };
        if let Some(at) = at {
            let read = read_entry(entry.bytes, at.time).map_err(|_| entry.sequence)?;
            if read.time != entry.time || at.next(entry.bytes, entry.time) != Ok(said) {
                return Err(entry.sequence);
            }
        }
        at = Some(said);
    }
    Ok(at)
}
