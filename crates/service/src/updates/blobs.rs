//! Files of releases: uploaded in pieces, resumed where they were interrupted, verified, kept by
//! their SHA-256.
//!
//! An upload says first what it will be: length and SHA-256. What is acknowledged as received is
//! durable. Whether an upload is what it said is found out by reading all of it again from the disk,
//! on the keeper's thread; only then is it a file that a release can name.

use super::{disk, keeper};
use crate::{
    Page, Paged, Service, ServiceError, fault,
    live::found,
    store::blob::{self as store, UploadRow, UploadStep},
};
use crypto::{Sha256, UnixTime, random};
use device::OrganisationId;
use policy::{Action, Caller, Resource};
use std::{
    fs::File,
    sync::{Arc, PoisonError},
    time::Duration,
};

/// An upload that nothing arrives of is forgotten after so long, in seconds.
pub(super) const UPLOAD_S: i64 = 7 * 86_400;
/// How long the outcome of an upload can be asked for, in seconds.
pub(super) const OUTCOME_S: i64 = 86_400;
/// How long the end of a verification is waited for; then it is asked for again.
const FINISH_WAIT: Duration = Duration::from_secs(10);
/// Bytes that are written before they are made durable.
const SYNC_BYTES: u64 = 32 * 1024 * 1024;

id_type! {
    /// An upload: 16 random bytes, as text 32 hexadecimal digits.
    UploadId
}

/// Where an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadState {
    /// bytes are taken
    Receiving,
    /// all bytes are there and are being compared with what was announced
    Verifying {
        /// bytes compared so far
        bytes: u64,
    },
    /// it is a file that releases can name
    Complete,
    /// it was not what was announced, and is removed
    Mismatch,
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadView {
    /// its id
    pub id: UploadId,
    /// whose
    pub organisation: OrganisationId,
    /// SHA-256 that it is to have
    pub sha256: Sha256,
    /// length that it is to have, in bytes
    pub length: u64,
    /// bytes that are durable: the next piece begins here
    pub received: u64,
    /// where it is
    pub state: UploadState,
    /// when it is forgotten if nothing happens
    pub expires_at: UnixTime,
}

/// A file to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// whose
    pub organisation: OrganisationId,
    /// its SHA-256
    pub sha256: Sha256,
    /// its length in bytes
    pub length: u64,
}

/// Contents of a file, open for reading: what is removed meanwhile stays readable.
#[derive(Debug)]
pub struct BlobReader {
    /// its SHA-256
    pub sha256: Sha256,
    /// its length in bytes
    pub length: u64,
    /// the file
    pub file: File,
}

impl Service {
    /// Begins an upload, or goes on with the one that is under way for the same contents; where the
    /// organisation has them already, the upload is complete at once.
    ///
    /// # Errors
    /// `blob-length`, `quota`, `too-many-uploads`, `disk-full`, `not-found`, `role`.
    pub async fn begin_blob(
        &self,
        caller: &Caller,
        new: NewUpload,
    ) -> Result<UploadView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::ManageRelease, &resource)?;
        let limits = self.config.limits.clone();
        if new.length > limits.blob_bytes {
            return Err(ServiceError::refused(
                "blob-length",
                format!("a file has at most {} bytes here", limits.blob_bytes),
            ));
        }
        let organisation = self.organisation_row(new.organisation.as_str())?.id;
        let free = self.updates.disk.free()?;
        let now = self.now();
        let row = UploadRow {
            id: 0,
            reference: random::bytes(),
            organisation,
            sha256: new.sha256,
            length: new.length,
            received: 0,
            step: UploadStep::Receiving,
            created_at: now,
            expires_at: now.plus(UPLOAD_S),
        };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(&new.sha256.to_string())
            .detail("what", "upload-begun")
            .detail("length", &new.length.to_string());
        let row = self
            .commit(move |tx| {
                let mut row = row;
                if let Some(old) = store::upload_for(tx, organisation, &row.sha256)? {
                    let same = old.length == row.length;
                    let open = matches!(old.step, UploadStep::Receiving | UploadStep::Verifying);
                    if same && open && old.expires_at > now {
                        return Ok(old);
                    }
                    if open {
                        return Err(ServiceError::conflict(
                            "upload-length",
                            "an upload of these contents with another length is under way; one of \
                             the two lengths is wrong; abandon that one first",
                        ));
                    }
                    // Done with: nothing of it is on disk under its name.
                    store::delete_upload(tx, old.id)?;
                }
                if let Some(held) = store::held(tx, organisation, &row.sha256)? {
                    if held.length != row.length {
                        return Err(mismatch());
                    }
                    row.received = held.length;
                    row.step = UploadStep::Complete;
                    row.expires_at = now.plus(OUTCOME_S);
                    // Had anew: it is not swept away before a release names it.
                    store::hold(tx, organisation, &held.sha256, &held.sha1, held.length, now)?;
                    row.id = store::insert_upload(tx, &row)?;
                    return Ok(row);
                }
                let used = store::used(tx, organisation)?;
                if used.arriving >= limits.uploads_per_organisation {
                    return Err(ServiceError::too_many(
                        "too-many-uploads",
                        format!(
                            "{} uploads are under way, as many as there may be; finish or abandon \
                             some",
                            used.arriving
                        ),
                    ));
                }
                if used.held.saturating_add(used.arriving) >= limits.files_per_organisation {
                    return Err(ServiceError::too_many(
                        "quota",
                        format!(
                            "your organisation has {} files, as many as it may have; discard drafts, \
                             or ask the platform's operator",
                            used.held
                        ),
                    ));
                }
                let whole = used.held_bytes.saturating_add(used.arriving_bytes);
                let wanted = whole.saturating_add(row.length);
                if wanted > limits.blob_bytes_per_organisation {
                    return Err(ServiceError::refused(
                        "quota",
                        format!(
                            "your organisation's files would have {wanted} bytes, and may have {}; \
                             discard drafts, abandon uploads, or ask the platform's operator",
                            limits.blob_bytes_per_organisation
                        ),
                    ));
                }
                // What others were promised is as good as taken.
                let needed = store::announced(tx)?.saturating_add(row.length);
                if free < needed.saturating_add(limits.disk_reserve_bytes) {
                    return Err(disk::full());
                }
                row.id = store::insert_upload(tx, &row)?;
                tx.audit(&event)?;
                Ok(row)
            })
            .await?;
        self.upload_view(&row)
    }

    /// An upload: how much of it is here.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn upload(&self, caller: &Caller, id: &UploadId) -> Result<UploadView, ServiceError> {
        self.upload_view(&self.upload_for(caller, id)?)
    }

    /// An organisation's uploads.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn uploads(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<UploadView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageRelease, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| store::uploads(connection, row, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| self.upload_view(&row))
    }

    /// Opens an upload for its next piece, which begins at `offset`. Nobody else writes to it as
    /// long as the writer is there.
    ///
    /// # Errors
    /// `upload-offset` where that is not how much is here, `upload-over`, `upload-busy`,
    /// `not-found`, `role`.
    pub async fn append_blob(
        &self,
        caller: &Caller,
        id: &UploadId,
        offset: u64,
    ) -> Result<BlobWriter, ServiceError> {
        let row = self.upload_for(caller, id)?;
        let Some(turn) = self.updates.take_turn(row.id) else {
            return Err(ServiceError::conflict(
                "upload-busy",
                "somebody else sends this upload at the moment; wait, and ask how much is here",
            ));
        };
        // Again: what was read before the turn may be older.
        let row =
            found(self.read(|connection| store::upload_by_row(connection, row.id))?, "upload")?;
        if row.step != UploadStep::Receiving {
            return Err(ServiceError::conflict(
                "upload-over",
                "this upload takes no more bytes; ask what became of it",
            ));
        }
        if row.received != offset {
            return Err(ServiceError::conflict(
                "upload-offset",
                format!("{} bytes are here; go on from there", row.received),
            ));
        }
        let file = Arc::new(self.updates.disk.writable(&row.reference)?);
        let turn = Arc::new(turn);
        Ok(BlobWriter { service: self.clone(), turn, file, at: offset, synced: offset, row })
    }

    /// Ends an upload of which every byte is here: it is verified, and is a file of the organisation
    /// from then on. Where that takes long, the answer says how far it is; ask again.
    ///
    /// # Errors
    /// `upload-unfinished`, `blob-mismatch`, `not-found`, `role`.
    pub async fn finish_blob(
        &self,
        caller: &Caller,
        id: &UploadId,
    ) -> Result<UploadView, ServiceError> {
        let row = self.upload_for(caller, id)?;
        if row.step == UploadStep::Receiving {
            if row.received != row.length {
                return Err(ServiceError::conflict(
                    "upload-unfinished",
                    format!("{} of {} bytes are here; send the rest", row.received, row.length),
                ));
            }
            if row.length == 0 {
                // Nothing was ever written.
                self.updates.disk.writable(&row.reference)?;
            }
            let (id, until) = (row.id, self.now().plus(UPLOAD_S));
            self.commit(move |tx| {
                store::set_step(tx, id, UploadStep::Receiving, UploadStep::Verifying, until)
            })
            .await?;
        }
        self.updates.there_is_work(&self.live);
        let mut rounds = self.updates.rounds.subscribe();
        let deadline = tokio::time::Instant::now() + FINISH_WAIT;
        loop {
            rounds.borrow_and_update();
            let now = self.read(|connection| store::upload_by_row(connection, row.id))?;
            let now = found(now, "upload")?;
            match now.step {
                UploadStep::Mismatch => return Err(mismatch()),
                UploadStep::Complete => return self.upload_view(&now),
                UploadStep::Receiving | UploadStep::Verifying => {}
            }
            match tokio::time::timeout_at(deadline, rounds.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ServiceError::stopped()),
                Err(_) => return self.upload_view(&now),
            }
        }
    }

    /// Abandons an upload; what arrived of it is removed.
    ///
    /// # Errors
    /// `upload-busy`, `upload-over` while it is being verified, `not-found`, `role`.
    pub async fn abandon_blob(&self, caller: &Caller, id: &UploadId) -> Result<(), ServiceError> {
        let row = self.upload_for(caller, id)?;
        let Some(_turn) = self.updates.take_turn(row.id) else {
            return Err(ServiceError::conflict(
                "upload-busy",
                "somebody else sends this upload at the moment; wait, and ask how much is here",
            ));
        };
        let id = row.id;
        self.commit(move |tx| {
            let row = found(store::upload_by_row(tx, id)?, "upload")?;
            if row.step == UploadStep::Verifying {
                return Err(ServiceError::conflict(
                    "upload-over",
                    "this upload is being verified; ask what became of it",
                ));
            }
            store::delete_upload(tx, id)
        })
        .await?;
        // Where this fails, the sweep finds a file of no upload.
        self.updates.disk.remove_upload(&row.reference)
    }

    /// Opens a file of an organisation.
    ///
    /// # Errors
    /// `not-found`, `role`, `blob-unreadable`.
    pub async fn open_blob(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        sha256: &Sha256,
    ) -> Result<BlobReader, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadRelease, &resource)?;
        self.blob_of(organisation, sha256)
    }

    /// Opens a file of an organisation for a caller whose right to it was looked at: the assignment
    /// of a device, a target of an image repository.
    pub(crate) fn blob_of(
        &self,
        organisation: &OrganisationId,
        sha256: &Sha256,
    ) -> Result<BlobReader, ServiceError> {
        let row = self.organisation_row(organisation.as_str())?.id;
        let blob = self.read(|connection| store::held(connection, row, sha256))?;
        let blob = found(blob, "file")?;
        let file = self.updates.disk.read(&blob.sha256)?;
        Ok(BlobReader { sha256: blob.sha256, length: blob.length, file })
    }

    /// Reads a small file of an organisation into memory.
    pub(super) fn blob_bytes(
        &self,
        organisation: &OrganisationId,
        sha256: &Sha256,
        most: usize,
    ) -> Result<Vec<u8>, ServiceError> {
        use std::io::Read as _;
        let reader = self.blob_of(organisation, sha256)?;
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        if reader.length > most {
            return Err(ServiceError::refused(
                "attachment-length",
                format!("an attachment of this kind has at most {most} bytes"),
            ));
        }
        let mut bytes = Vec::new();
        let read = reader.file.take(most).read_to_end(&mut bytes);
        let whole = read.is_ok() && crypto::sha256(&bytes) == reader.sha256;
        if !whole {
            tracing::error!(%sha256, "a file on disk is not what it was");
            return Err(ServiceError::unavailable(
                "blob-unreadable",
                "the file cannot be read now; tell the platform's operator",
            ));
        }
        Ok(bytes)
    }

    fn upload_for(&self, caller: &Caller, id: &UploadId) -> Result<UploadRow, ServiceError> {
        match self.read(|connection| store::upload(connection, id.as_bytes()))? {
            Some(row) => {
                let organisation = self.organisation_id(row.organisation)?;
                let resource = Resource::organisation(&organisation);
                let _permit = self.authorize(caller, Action::ManageRelease, &resource)?;
                Ok(row)
            }
            None => {
                let _permit =
                    self.authorize(caller, Action::ManageRelease, &Resource::unknown())?;
                Err(ServiceError::not_found("upload"))
            }
        }
    }

    fn upload_view(&self, row: &UploadRow) -> Result<UploadView, ServiceError> {
        let compared = self.updates.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = compared.filter(|(id, _)| *id == row.id).map_or(0, |(_, bytes)| bytes);
        drop(compared);
        Ok(UploadView {
            id: UploadId::from_bytes(row.reference),
            organisation: self.organisation_id(row.organisation)?,
            sha256: row.sha256,
            length: row.length,
            received: row.received,
            state: match row.step {
                UploadStep::Receiving => UploadState::Receiving,
                UploadStep::Verifying => UploadState::Verifying { bytes },
                UploadStep::Complete => UploadState::Complete,
                UploadStep::Mismatch => UploadState::Mismatch,
            },
            expires_at: row.expires_at,
        })
    }
}

pub(super) fn mismatch() -> ServiceError {
    ServiceError::refused(
        "blob-mismatch",
        "the file is not what was announced: its length or SHA-256 differs; it was removed; \
         upload it again",
    )
}

/// The next piece of an upload, being written. What was written and not closed is not on record.
pub struct BlobWriter {
    service: Service,
    /// held by each write that is under way, too: one whose caller went away must be over before the
    /// next writer comes, and before anybody reads the file as a whole
    turn: Arc<keeper::Turn>,
    file: Arc<File>,
    row: UploadRow,
    /// where the next bytes go
    at: u64,
    /// so many bytes are durable and on record
    synced: u64,
}

impl BlobWriter {
    /// Bytes that are still missing.
    pub fn missing(&self) -> u64 {
        self.row.length.saturating_sub(self.at)
    }

    /// Writes bytes; makes them durable now and then.
    ///
    /// # Errors
    /// `upload-length` for more than was announced, `disk-full`, `disk-failed`.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<(), ServiceError> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if count > self.missing() {
            return Err(ServiceError::refused(
                "upload-length",
                format!("the upload has {} bytes, and more were sent", self.row.length),
            ));
        }
        let (file, at, turn) = (self.file.clone(), self.at, self.turn.clone());
        let service = self.service.clone();
        let written = self.service.pool.begin(move || {
            let _turn = turn;
            // Looked at with each piece: others fill the disk, too, and the store is on it.
            let reserve = service.config.limits.disk_reserve_bytes;
            if service.updates.disk.free()? < reserve.saturating_add(count) {
                return Err(disk::full());
            }
            disk::write_at(&file, at, &bytes)
        });
        written.outcome().await??;
        self.at = self.at.saturating_add(count);
        if self.at.saturating_sub(self.synced) >= SYNC_BYTES {
            self.record().await?;
        }
        Ok(())
    }

    /// Makes what was written durable and puts it on record.
    ///
    /// # Errors
    /// `disk-full`, `disk-failed`, `upload-over`.
    pub async fn close(mut self) -> Result<UploadView, ServiceError> {
        self.record().await?;
        let row = self.service.read(|connection| store::upload_by_row(connection, self.row.id))?;
        let view = self.service.upload_view(&found(row, "upload")?);
        drop(self.turn);
        view
    }

    async fn record(&mut self) -> Result<(), ServiceError> {
        if self.at == self.synced {
            return Ok(());
        }
        self.service.faults.point(fault::BEFORE_SYNC)?;
        let (file, turn) = (self.file.clone(), self.turn.clone());
        let synced = self.service.pool.begin(move || {
            let _turn = turn;
            disk::sync(&file)
        });
        synced.outcome().await??;
        self.service.faults.point(fault::BEFORE_RECEIVED)?;
        let (id, at, until) = (self.row.id, self.at, self.service.now().plus(UPLOAD_S));
        let taken = self.service.commit(move |tx| store::set_received(tx, id, at, until)).await?;
        if !taken {
            return Err(ServiceError::conflict(
                "upload-over",
                "this upload takes no more bytes; ask what became of it",
            ));
        }
        self.synced = self.at;
        Ok(())
    }
}

impl std::fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlobWriter({} of {})", self.at, self.row.length)
    }
}
