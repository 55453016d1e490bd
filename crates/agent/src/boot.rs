//! The boot record: which slot starts. A boot script reads it, or runs `tegata-agent boot`; the
//! agent writes it. Text, so that a shell can read it:
//!
//! ```text
//! tegata-boot 1
//! good=a
//! trying=b
//! tries=3
//! ```
//!
//! `good` is the slot that was confirmed last. While `trying` stands there with tries left, that
//! slot starts, and each start takes one try away *before* the image is started: an image that
//! hangs at once is left as surely as one that crashes.

use crate::{
    Failure,
    engine::Slot,
    files::{self, Mode},
};
use std::path::Path;

/// Longest record, in bytes.
const BYTES_MAX: u64 = 256;
const FIRST_LINE: &str = "tegata-boot 1";

/// What starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootRecord {
    /// confirmed last
    pub good: Slot,
    /// to be tried, and how often still
    pub trying: Option<(Slot, u8)>,
}

impl BootRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// `boot-record`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let bad = || {
            let detail = "the boot record cannot be read; write it anew: tegata-boot 1, good=a";
            Failure::malformed("boot-record", detail)
        };
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(bad());
        }
        let mut slot = |key: &str| -> Option<Slot> {
            lines.next()?.strip_prefix(key)?.strip_prefix('=')?.parse().ok()
        };
        let good = slot("good").ok_or_else(bad)?;
        let rest = text.lines().count();
        let trying = match rest {
            2 => None,
            4 => {
                let trying = slot("trying").ok_or_else(bad)?;
                let tries = lines.next().and_then(|line| line.strip_prefix("tries="));
                let tries = tries.and_then(|text| text.parse::<u8>().ok()).ok_or_else(bad)?;
                Some((trying, tries))
            }
            _ => return Err(bad()),
        };
        if trying.is_some_and(|(trying, _)| trying == good) {
            return Err(bad());
        }
        Ok(Self { good, trying })
    }

    /// As it is written.
    pub fn text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\ngood={}\n", self.good);
        if let Some((slot, tries)) = self.trying {
            text.push_str(&format!("trying={slot}\ntries={tries}\n"));
        }
        text
    }

    /// The slot that starts now, and the record to be kept durably before it does.
    #[must_use]
    pub fn choose(self) -> (Slot, Self) {
        match self.trying {
            Some((slot, tries)) if tries > 0 => {
                (slot, Self { trying: Some((slot, tries - 1)), ..self })
            }
            _ => (self.good, self),
        }
    }

    /// Reads the file; `None` where there is none.
    ///
    /// # Errors
    /// `boot-record`, `state-read`.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let Some(bytes) = files::read(path, BYTES_MAX)? else { return Ok(None) };
        Self::parse(&String::from_utf8_lossy(&bytes)).map(Some)
    }

    /// Writes the file; after a crash it is the old or the new one.
    ///
    /// # Errors
    /// `state-write`, `disk-full`.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        files::replace(path, self.text().as_bytes(), Mode::Public, "boot-record-not-renamed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tries_run_out_and_the_good_slot_stays() {
        let record = BootRecord { good: Slot::A, trying: Some((Slot::B, 2)) };
        assert_eq!(record.text(), "tegata-boot 1\ngood=a\ntrying=b\ntries=2\n");
        let (slot, record) = record.choose();
        assert_eq!(slot, Slot::B);
        let (slot, record) = record.choose();
        assert_eq!(slot, Slot::B);
        assert_eq!(record.choose(), (Slot::A, record));
        for bad in [
            "",
            "tegata-boot 2\ngood=a\n",
            "tegata-boot 1\ngood=c\n",
            "tegata-boot 1\ngood=a\ntrying=b\n",
            "tegata-boot 1\ngood=a\ntrying=a\ntries=1\n",
            "tegata-boot 1\ngood=a\ntrying=b\ntries=-1\n",
            "tegata-boot 1\ngood=a\ntrying=b\ntries=1\nmore\n",
        ] {
            assert_eq!(BootRecord::parse(bad).unwrap_err().code, "boot-record", "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(b in any::<bool>(), tries in proptest::option::of(any::<u8>())) {
            let good = if b { Slot::B } else { Slot::A };
            let record = BootRecord { good, trying: tries.map(|tries| (good.other(), tries)) };
            prop_assert_eq!(BootRecord::parse(&record.text()).unwrap(), record);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            if let Ok(record) = BootRecord::parse(&text) {
                prop_assert_eq!(BootRecord::parse(&record.text()), Ok(record));
            }
        }
    }
}
