//! An image on its way into a slot: in pieces, each synced and counted before the next part is
//! asked for, so that a crash costs at most one part; hashed from the first byte to the last.

use crate::{
    Failure, clock,
    engine::{Plan, Slot},
    fault,
    net::{Call, Client},
    slots::{self, Slots},
};
use crypto::{Digester, HashAlgorithm};
use std::io::{Seek as _, SeekFrom};
use update::client::Pace;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// Bytes after which what came is synced and counted.
const PART: u64 = 4 * 1024 * 1024;
/// Seconds in which a slow mirror is not judged.
const GRACE_S: u64 = 30;

/// How a download ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// whole, and what was signed for
    Right,
    /// whole, and something else
    Wrong(String),
}

/// What a download works with.
pub(crate) struct Download<'a> {
    pub(crate) client: &'a Client,
    pub(crate) slots: &'a Slots,
    pub(crate) plan: &'a Plan,
    pub(crate) slot: Slot,
    /// path of the file on the server
    pub(crate) path: String,
    pub(crate) bytes_per_s_min: u64,
}

impl Download<'_> {
    /// Gets the image from byte `from` on. `progress` keeps what is there for certain.
    ///
    /// # Errors
    /// `connection`, `slow-retrieval`, `endless-data`, `disk-full`, `slot-write`, `slot-in-use`,
    /// `slot-too-small`, `slot-short`, `missing-file`; and those of `progress`.
    pub(crate) fn run(
        &self,
        from: u64,
        progress: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Result<Outcome, Failure> {
        let image = &self.plan.image;
        let place = self.slots.place(self.slot);
        let failed = |error: std::io::Error| slots::slot_failed(&place, &error);
        let mut from = from.min(image.length);
        let mut file = self.slots.open(self.slot, from, image.length)?;
        let mut digester = Digester::new(HashAlgorithm::Sha256);
        file.rewind().map_err(failed)?;
        if !slots::feed(&mut file, from, &mut digester).map_err(failed)? {
            return Err(Failure::refused("slot-short", "the slot lost what was written to it"));
        }
        if from < image.length {
            let mut connection = self.client.connect()?;
            let mut call = Call::get(&self.path);
            if from > 0 {
                call = call.with("Range", format!("bytes={from}-"));
            }
            let mut reply = connection.send(&call)?;
            match reply.head.status {
                // The server does not do ranges: from the beginning, the slot too.
                200 if from > 0 => {
                    from = 0;
                    digester = Digester::new(HashAlgorithm::Sha256);
                    file = self.slots.open(self.slot, 0, image.length)?;
                    progress(0)?;
                }
                200 => {}
                206 => {
                    let range = reply.head.content_range();
                    if range != Some((from, image.length)) {
                        let detail = format!("asked from {from}, and {range:?} came");
                        return Err(Failure::unavailable("http", detail));
                    }
                }
                404 | 403 | 410 => {
                    let detail = format!("{} is not there", self.path);
                    return Err(Failure::unavailable("missing-file", detail));
                }
                416 => {
                    let detail = format!("the server has fewer than {from} bytes of the image");
                    return Ok(Outcome::Wrong(detail));
                }
                other => {
                    let detail = format!("{} answers {other}", self.path);
                    return Err(Failure::unavailable("http-status", detail));
                }
            }
            file.seek(SeekFrom::Start(from)).map_err(failed)?;
            let pace = Pace::new(clock::wall(), self.bytes_per_s_min, GRACE_S);
            let (mut received, mut synced, begun) = (from, from, from);
            let mut buffer = vec![0; PIECE];
            loop {
                let read = reply.read(&mut buffer)?;
                let piece = buffer.get(..read).unwrap_or_default();
                if piece.is_empty() {
                    break;
                }
                received = received.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                if received > image.length {
                    let detail =
                        format!("more than the {} bytes that were signed for", image.length);
                    return Err(Failure::refused("endless-data", detail));
                }
                slots::write(&mut file, &place, piece)?;
                digester.update(piece);
                fault::point("piece-written");
                pace.check(received.saturating_sub(begun), clock::wall())?;
                if received.saturating_sub(synced) >= PART {
                    file.sync_data().map_err(failed)?;
                    progress(received)?;
                    synced = received;
                }
            }
            if received < image.length {
                file.sync_data().map_err(failed)?;
                progress(received)?;
                let detail = format!("{received} of {} bytes came", image.length);
                return Err(Failure::unavailable("connection", detail));
            }
        }
        file.sync_all().map_err(failed)?;
        fault::point("download-complete");
        let found = hex::encode(digester.finish());
        if found == image.sha256 {
            return Ok(Outcome::Right);
        }
        Ok(Outcome::Wrong(format!("{} hashes to {found}, not {}", image.target, image.sha256)))
    }
}
