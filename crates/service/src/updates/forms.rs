//! Files of releases that are sealed or deltas: what they are, who opens them, and which of them a
//! device is offered. docs/sealed.md.
//!
//! The server never needs what is inside. Where it holds the content key, it wraps that for the devices
//! that are assigned the file, when they ask; where the maker keeps it, the maker brings tickets.

use super::{
    assignment::{Assignment, DeviceSoftware},
    content::{AssignedArtifact, Content},
    releases::{ReleaseId, ReleaseView, still_draft},
};
use crate::{
    Service, ServiceError,
    live::found,
    store::{
        campaign::Polled,
        certificate,
        form::{self as store, Form, KeyRow},
        release::{self as releases, ArtifactRow, ReleaseRow},
    },
};
use crypto::{Secret, Sha256, UnixTime, agreement::CONTENT_KEY_BYTES};
use device::OrganisationId;
use pki::Certificate;
use policy::{Action, Caller, DeviceCredential};
use std::io::{Read as _, Seek as _, SeekFrom};
use update::{
    delta::{self, Image},
    sealed::{self, Holder, KeyStatement, Opener, Plain, Ticket},
};

/// Most tickets of groups that a file may have: a device is given all of them.
pub const GROUP_TICKETS_MAX: u64 = 16;
/// Most tickets of one request.
pub const TICKETS_MAX: usize = 1000;
/// Most tickets of a file.
const TICKETS_OF_FILE_MAX: u64 = 1_000_000;
/// A device states another key of the same certificate every so many seconds at most.
const KEY_S: i64 = 600;
/// What a ticket counts as of the room that an organisation has for documents, in bytes.
const TICKET_ROOM: u64 = 256;

/// Who can open a sealed file of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealing {
    /// what comes out of it
    pub plain: Plain,
    /// SHA-256 of its header: what tickets name it by
    pub image: Sha256,
    /// the platform holds its content key and wraps it for the devices that are assigned it
    pub platform: bool,
    /// tickets that the maker brought
    pub tickets: u64,
}

/// What lets a device open a sealed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedSealing {
    /// what comes out of it
    pub plain: Plain,
    /// tickets, one of which may be for a key of the device; none where nobody has wrapped for it
    pub tickets: Vec<Vec<u8>>,
}

/// A delta that makes an assigned file from what the device runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedDelta {
    /// its path in the image repository
    pub path: String,
    /// its SHA-256
    pub sha256: Sha256,
    /// its length in bytes
    pub length: u64,
    /// what it starts from
    pub base: Image,
    /// where it is sealed
    pub sealed: Option<AssignedSealing>,
}

/// A file as [`Content`] keeps it beside the assigned ones.
#[derive(Debug, Clone)]
pub(crate) struct FormedArtifact {
    pub(crate) row: i64,
    pub(crate) path: String,
    pub(crate) sha256: Sha256,
    pub(crate) length: u64,
    pub(crate) hardware_ids: Vec<String>,
    pub(crate) form: Form,
}

impl Service {
    /// What an uploaded file says that it is.
    pub(super) fn form_of(
        &self,
        organisation: &OrganisationId,
        sha256: &Sha256,
    ) -> Result<Form, ServiceError> {
        let reader = self.blob_of(organisation, sha256)?;
        let mut head = Vec::new();
        let most = delta::HEADER_BYTES.max(sealed::HEADER_BYTES) as u64;
        reader.file.take(most).read_to_end(&mut head).map_err(|_| unreadable())?;
        let odd = |what: String| {
            ServiceError::refused(
                "artifact-form",
                format!("the file begins as {what}; make it again, and upload that"),
            )
        };
        if head.starts_with(sealed::MAGIC) {
            let header = sealed::Header::parse(&head)
                .map_err(|error| odd(format!("a sealed image and is none: {error}")))?;
            if header.sealed_length() != reader.length {
                return Err(odd("a sealed image of another length".to_owned()));
            }
            return Ok(Form { header: Some(header), delta: None });
        }
        if head.starts_with(delta::MAGIC) {
            let delta = delta::Header::parse(&head)
                .map_err(|error| odd(format!("a delta and is none: {error}")))?;
            return Ok(Form { header: None, delta: Some(delta) });
        }
        Ok(Form::default())
    }

    /// Says that a sealed file of a draft is a delta, which its bytes do not show.
    ///
    /// # Errors
    /// `artifact-form` where the file is not sealed, `delta-base`, `delta-result`,
    /// `release-published`, `not-found`, `role`.
    pub async fn state_delta(
        &self,
        caller: &Caller,
        release: &ReleaseId,
        name: &str,
        stated: delta::Header,
    ) -> Result<ReleaseView, ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, release)?;
        let event = self.form_event(caller, &row, release, "release-delta", name)?;
        let (id, name) = (row.id, name.to_owned());
        self.commit(move |tx| {
            let row = found(releases::release_by_row(tx, id)?, "release")?;
            still_draft(&row)?;
            let artifact = artifact_of(tx, id, &name)?;
            if artifact.form.header.is_none() {
                return Err(not_sealed());
            }
            let form = Form { delta: Some(stated), ..artifact.form };
            check_form(tx, &row, &form)?;
            store::set_form(tx, artifact.id, &form)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.release(caller, release).await
    }

    /// Gives the platform the content key of a sealed file, so that it wraps it for the devices that
    /// are assigned the file. The key is tried on the first chunk: a wrong one would show only on the
    /// devices.
    ///
    /// # Errors
    /// `content-key`, `artifact-form` where the file is not sealed, `not-found`, `role`.
    pub async fn give_content_key(
        &self,
        caller: &Caller,
        release: &ReleaseId,
        name: &str,
        key: &Secret,
    ) -> Result<ReleaseView, ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, release)?;
        let artifact = self.read(|connection| artifact_of(connection, row.id, name))?;
        let header = artifact.form.header.ok_or_else(not_sealed)?;
        let organisation = self.organisation_id(row.organisation)?;
        let reader = self.blob_of(&organisation, &artifact.blob.sha256)?;
        if !opens(reader, header, key)? {
            return Err(ServiceError::refused(
                "content-key",
                "this key does not open the file; give the one that `tegata update seal` wrote for it",
            ));
        }
        let label = key_label(&artifact.blob.sha256);
        let sealed = self.keys.seal_secret(&label, key)?;
        let event = self.form_event(caller, &row, release, "release-content-key", name)?;
        let (id, name, blob) = (row.id, name.to_owned(), artifact.blob.sha256);
        self.commit(move |tx| {
            let artifact = artifact_of(tx, id, &name)?;
            let same = artifact.blob.sha256 == blob;
            if !same || !store::set_content_key(tx, artifact.id, &sealed)? {
                return Err(not_sealed());
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.release(caller, release).await
    }

    /// Brings tickets for a sealed file whose content key stays with the maker. What they wrap is for
    /// their recipients to see; that they are for this file is checked.
    ///
    /// # Errors
    /// `ticket`, `too-many-tickets`, `quota`, `artifact-form` where the file is not sealed,
    /// `not-found`, `role`.
    pub async fn bring_tickets(
        &self,
        caller: &Caller,
        release: &ReleaseId,
        name: &str,
        tickets: Vec<Vec<u8>>,
        are_groups: bool,
    ) -> Result<ReleaseView, ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, release)?;
        if tickets.is_empty() || tickets.len() > TICKETS_MAX {
            return Err(ServiceError::malformed("ticket", "bring 1 to 1000 tickets at a time"));
        }
        let parsed = tickets
            .iter()
            .map(|bytes| Ticket::parse(bytes))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ServiceError::malformed("ticket", error.to_string()))?;
        let kept = self.read(|c| store::tickets_of_organisation(c, row.organisation))?;
        let whole = kept.saturating_add(u64::try_from(tickets.len()).unwrap_or(u64::MAX));
        let most = self.config.limits.document_bytes_per_organisation / TICKET_ROOM;
        if whole > most {
            return Err(ServiceError::too_many(
                "quota",
                format!(
                    "your organisation's files would have {whole} tickets, and may have {most}; \
                     discard drafts, give the platform content keys instead, or ask its operator"
                ),
            ));
        }
        let event = self
            .form_event(caller, &row, release, "release-tickets", name)?
            .detail("tickets", &parsed.len().to_string())
            .detail("groups", if are_groups { "yes" } else { "no" });
        let (id, name, now) = (row.id, name.to_owned(), self.now());
        self.commit(move |tx| {
            let artifact = artifact_of(tx, id, &name)?;
            let image = artifact.form.header.ok_or_else(not_sealed)?.id();
            if parsed.iter().any(|ticket| ticket.image != image) {
                return Err(ServiceError::refused(
                    "ticket",
                    "a ticket is for another image; make it from this file with `tegata update \
                     ticket`",
                ));
            }
            let brought =
                parsed.iter().zip(&tickets).map(|(one, bytes)| (&one.recipient, bytes.as_slice()));
            let of = row.organisation;
            let count = store::set_tickets(tx, of, artifact.id, brought, are_groups, now)?;
            if count.all > TICKETS_OF_FILE_MAX || count.groups > GROUP_TICKETS_MAX {
                return Err(ServiceError::too_many(
                    "too-many-tickets",
                    "a file has at most 16 tickets of groups and 1,000,000 in all; give the platform \
                     its content key instead",
                ));
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.release(caller, release).await
    }

    /// Takes away the tickets of a draft's files, or of one of them, some at a time: before it goes.
    pub(super) async fn shed_tickets(
        &self,
        release: i64,
        name: Option<&str>,
    ) -> Result<(), ServiceError> {
        loop {
            let name = name.map(str::to_owned);
            let more = self.commit(move |tx| {
                still_draft(&found(releases::release_by_row(tx, release)?, "release")?)?;
                store::shed_tickets(tx, release, name.as_deref(), TICKETS_MAX)
            });
            if !more.await? {
                return Ok(());
            }
        }
    }

    /// A device states the key that files are sealed for, signed by the key of the certificate that it
    /// shows. Said again, it changes nothing. Another key of the same certificate is taken every ten
    /// minutes at most.
    ///
    /// # Errors
    /// `encryption-key`, `encryption-key-often`, `role`, `not-found`.
    pub async fn state_encryption_key(
        &self,
        caller: &Caller,
        statement: Vec<u8>,
    ) -> Result<(), ServiceError> {
        let device = self.updating_device(caller)?;
        let Caller::Device {
            device: id, certificate, credential: DeviceCredential::Ldevid, ..
        } = caller
        else {
            return Err(bad_key("it takes the owner's certificate, not a token or a maker's"));
        };
        let kept = self
            .read(|connection| certificate::certificate_by_fingerprint(connection, certificate))?;
        let shown = found(kept, "certificate")?;
        let shown = Certificate::from_der(&shown.der)
            .map_err(|_| ServiceError::fatal("store-damaged", "a certificate is damaged"))?;
        let signer = shown.public_key().map_err(|_| bad_key("its certificate has no such key"))?;
        let now = self.now();
        let stated = KeyStatement::verify(&statement, signer, now)
            .map_err(|error| bad_key(&error.to_string()))?;
        if stated.holder != Holder::Device {
            return Err(bad_key(
                "a group's key is not a device's; the maker makes tickets for groups",
            ));
        }
        // Never longer than the identity that states it.
        let until = stated.to.min(shown.not_after());
        let key = KeyRow {
            owner: device.owner,
            certificate: *certificate,
            recipient: stated.key.fingerprint(),
            statement,
            until,
        };
        let before = self.read(|connection| store::encryption_key(connection, device.id))?;
        let same = |before: &KeyRow| {
            KeyRow { statement: Vec::new(), ..before.clone() }
                == KeyRow { statement: Vec::new(), ..key.clone() }
        };
        if before.as_ref().is_some_and(same) {
            return Ok(());
        }
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(device.owner)?.as_str())
            .subject(&id.to_string())
            .detail("what", "encryption-key-stated")
            .detail("key", &key.recipient.to_string());
        let row = device.id;
        self.commit(move |tx| {
            // Each is for ever in the owner's audit log.
            let last = store::encryption_key_stated(tx, row, &key.certificate)?;
            let wait = last.map_or(0, |last| KEY_S.saturating_sub(now.since(last)));
            if (1..=KEY_S).contains(&wait) {
                return Err(ServiceError::too_many(
                    "encryption-key-often",
                    "the device stated another key a moment ago; keep one, and state it later",
                )
                .after(wait.unsigned_abs()));
            }
            store::set_encryption_key(tx, row, &key, now)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Gives an assignment what its files need beside their bytes.
    pub(super) fn fit_out(
        &self,
        assignment: &mut Assignment,
        content: &Content,
        device: &Polled,
        caller: &Caller,
        said: &DeviceSoftware,
    ) -> Result<(), ServiceError> {
        if content.formed.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let key = self.recipient(device, caller, now)?;
        let mut lacks_key = false;
        let mut sealing = |file: &FormedArtifact| -> Result<Option<AssignedSealing>, ServiceError> {
            let Some(header) = file.form.header else { return Ok(None) };
            let (tickets, lacks) = self.tickets_for(file, &header, key.as_ref())?;
            lacks_key |= lacks;
            Ok(Some(AssignedSealing { plain: header.plain, tickets }))
        };
        for artifact in &mut assignment.artifacts {
            let mut image = Image { length: artifact.length, sha256: artifact.sha256 };
            let own = content.formed.iter().find(|file| file.path == artifact.path);
            if let Some(own) = own {
                artifact.sealed = sealing(own)?;
                image = own.form.image(own.length, own.sha256).unwrap_or(image);
            }
            let fits = |file: &&FormedArtifact| {
                let wanted = file.form.delta.is_some_and(|delta| {
                    delta.result == image && said.digest == Some(delta.base.sha256)
                });
                let hardware = said.hardware_id.as_ref();
                wanted && hardware.is_none_or(|id| file.hardware_ids.contains(id))
            };
            // The shortest, where there are several.
            let delta = content.formed.iter().filter(fits).min_by_key(|file| file.length);
            if let Some(file) = delta
                && let Some(header) = file.form.delta
            {
                artifact.delta = Some(AssignedDelta {
                    path: file.path.clone(),
                    sha256: file.sha256,
                    length: file.length,
                    base: header.base,
                    sealed: sealing(file)?,
                });
            }
        }
        assignment.encryption_key_wanted = lacks_key;
        Ok(())
    }

    /// The key that things are wrapped for, where the device's present identity stands for it.
    fn recipient(
        &self,
        device: &Polled,
        caller: &Caller,
        now: UnixTime,
    ) -> Result<Option<KeyRow>, ServiceError> {
        let Caller::Device { certificate, credential: DeviceCredential::Ldevid, .. } = caller
        else {
            return Ok(None);
        };
        let key = self.read(|connection| store::encryption_key(connection, device.id))?;
        Ok(key.filter(|key| {
            key.owner == device.owner && key.certificate == *certificate && key.until > now
        }))
    }

    /// Tickets of a file for a device, and whether it should state a key to get one.
    fn tickets_for(
        &self,
        file: &FormedArtifact,
        header: &sealed::Header,
        key: Option<&KeyRow>,
    ) -> Result<(Vec<Vec<u8>>, bool), ServiceError> {
        let recipient = key.map(|key| &key.recipient);
        let (mut tickets, held) = self.read(|connection| {
            let tickets = store::tickets(connection, file.row, recipient)?;
            Ok((tickets, store::content_key(connection, file.row)?))
        })?;
        let Some(held) = held else { return Ok((tickets, key.is_none())) };
        let Some(key) = key else { return Ok((tickets, true)) };
        let damaged = || ServiceError::fatal("store-damaged", "an encryption key is damaged");
        let public = KeyStatement::claimed(&key.statement).map_err(|_| damaged())?.key;
        let content_key = self.keys.open_secret(&key_label(&file.sha256), &held)?;
        let ticket = Ticket::wrap(&content_key, header, &public)
            .map_err(|error| ServiceError::fatal("ticket", error.to_string()))?;
        tickets.insert(0, ticket.to_bytes());
        Ok((tickets, false))
    }

    fn form_event(
        &self,
        caller: &Caller,
        row: &ReleaseRow,
        release: &ReleaseId,
        what: &'static str,
        name: &str,
    ) -> Result<audit::SecurityEvent, ServiceError> {
        Ok(self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&release.to_string())
            .detail("what", what)
            .detail("name", name))
    }
}

/// Refuses a delta that leads from nowhere or to nowhere.
pub(super) fn check_form(
    connection: &rusqlite::Connection,
    release: &ReleaseRow,
    form: &Form,
) -> Result<(), ServiceError> {
    let Some(delta) = form.delta else { return Ok(()) };
    let files = releases::artifacts(connection, release.id)?;
    let image = |file: &ArtifactRow| file.form.image(file.blob.length, file.blob.sha256);
    if !files.iter().any(|file| image(file) == Some(delta.result)) {
        return Err(ServiceError::refused(
            "delta-result",
            "no file of this release is what the delta makes; add the whole image first",
        ));
    }
    if !store::installs(connection, release.product, &delta.base)? {
        return Err(ServiceError::refused(
            "delta-base",
            "no published release of the product installs what the delta starts from; make it from \
             the image of an earlier release",
        ));
    }
    Ok(())
}

/// Who can open a file, for people.
pub(super) fn sealing(
    connection: &rusqlite::Connection,
    artifact: &ArtifactRow,
) -> Result<Option<Sealing>, ServiceError> {
    let Some(header) = artifact.form.header else { return Ok(None) };
    let platform = store::content_key(connection, artifact.id)?.is_some();
    let tickets = store::count_tickets(connection, artifact.id)?.all;
    Ok(Some(Sealing { plain: header.plain, image: header.id(), platform, tickets }))
}

fn artifact_of(
    connection: &rusqlite::Connection,
    release: i64,
    name: &str,
) -> Result<ArtifactRow, ServiceError> {
    let files = releases::artifacts(connection, release)?;
    found(files.into_iter().find(|file| file.name == name), "file")
}

/// Whether a key opens the first chunk.
fn opens(
    mut reader: super::BlobReader,
    header: sealed::Header,
    key: &Secret,
) -> Result<bool, ServiceError> {
    if key.expose().len() != CONTENT_KEY_BYTES {
        return Ok(false);
    }
    let Ok(mut opener) = Opener::begin(key, header) else { return Ok(false) };
    reader.file.seek(SeekFrom::Start(sealed::HEADER_BYTES as u64)).map_err(|_| unreadable())?;
    let first = opener.next_chunk() as u64;
    let (mut chunk, mut plain) = (Vec::new(), Vec::new());
    reader.file.take(first).read_to_end(&mut chunk).map_err(|_| unreadable())?;
    let opened = opener.push(&chunk, &mut plain).is_ok();
    // Not needed here, so not kept either.
    drop(Secret::new(plain));
    Ok(opened && chunk.len() as u64 == first)
}

/// A content key is sealed for its file.
fn key_label(sha256: &Sha256) -> String {
    format!("tegata/content-key/{sha256}")
}

fn not_sealed() -> ServiceError {
    ServiceError::refused(
        "artifact-form",
        "this file of the release is not sealed; upload one that `tegata update seal` made",
    )
}

fn bad_key(why: &str) -> ServiceError {
    ServiceError::refused("encryption-key", format!("the encryption key is not taken: {why}"))
}

fn unreadable() -> ServiceError {
    ServiceError::unavailable(
        "blob-unreadable",
        "the file cannot be read now; tell the platform's operator",
    )
}

/// The files of a release that a device may be assigned, and those that are more than their bytes.
pub(super) fn split(
    artifacts: Vec<(ArtifactRow, Vec<String>)>,
) -> (Vec<AssignedArtifact>, Vec<FormedArtifact>) {
    let (mut assigned, mut formed) = (Vec::new(), Vec::new());
    for (artifact, hardware_ids) in artifacts {
        if !artifact.form.is_plain() {
            formed.push(FormedArtifact {
                row: artifact.id,
                path: artifact.path.clone(),
                sha256: artifact.blob.sha256,
                length: artifact.blob.length,
                hardware_ids: hardware_ids.clone(),
                form: artifact.form,
            });
        }
        // A delta is nothing to install.
        if artifact.form.delta.is_none() {
            assigned.push(AssignedArtifact {
                name: artifact.name,
                path: artifact.path,
                sha256: artifact.blob.sha256,
                sha1: artifact.blob.sha1,
                length: artifact.blob.length,
                hardware_ids,
                sealed: None,
                delta: None,
            });
        }
    }
    (assigned, formed)
}
