//! Releases: drafts, their files, what stands where.

use super::{
    attachments::{Attachment, AttachmentSummary, attachment},
    gate::{self, Facts, GateItem, NUMBER_MAX},
};
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{
        blob, form as forms, organisation as organisations,
        release::{self as store, ArtifactRow, ReleaseRow, State},
    },
};
use crypto::{Sha256, UnixTime, random};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;

/// Most files of a release.
pub(super) const ARTIFACTS_MAX: usize = update::ARTIFACTS_MAX;
/// Most kinds of hardware of a release.
const HARDWARE_MAX: usize = 64;
/// Longest name of a kind of hardware, in bytes.
const HARDWARE_BYTES_MAX: usize = 128;
/// Longest version, in bytes.
const VERSION_BYTES_MAX: usize = 64;
/// Longest name of a file, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Longest notes, in characters.
const NOTES_CHARS_MAX: usize = 4_000;
/// Most releases in one page.
const RELEASES_PAGE: u32 = 200;
/// Drafts that an organisation may have at a time.
const DRAFTS_MAX: u64 = 1_000;

id_type! {
    /// A release: 16 random bytes, as text 32 hexadecimal digits.
    ReleaseId
}

/// Where a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseState {
    /// it is being put together
    Draft,
    /// it passed its gate and does not change any more
    Published,
    /// it was published and is not to be installed any more
    Withdrawn,
}

impl ReleaseState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Draft, Self::Published, Self::Withdrawn];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    fn stored(self) -> State {
        match self {
            Self::Draft => State::Draft,
            Self::Published => State::Published,
            Self::Withdrawn => State::Withdrawn,
        }
    }
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// its name within the release
    pub name: String,
    /// its path in the image repository: `PRODUCT/VERSION/NAME`
    pub path: String,
    /// its SHA-256
    pub sha256: Sha256,
    /// its SHA-1, which the DDI protocol names files by; nothing rests on it
    pub sha1: [u8; 20],
    /// its length in bytes
    pub length: u64,
    /// the kinds of hardware that it is for
    pub hardware_ids: Vec<String>,
    /// who can open it, where it is sealed
    pub sealed: Option<super::forms::Sealing>,
    /// what it starts from and what it makes, where it is a delta
    pub delta: Option<update::delta::Header>,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseView {
    /// its id
    pub id: ReleaseId,
    /// who makes it
    pub organisation: OrganisationId,
    /// the product line that it is for
    pub product: ProductId,
    /// version for people
    pub version: String,
    /// grows only when a release mends a vulnerability
    pub security_version: u64,
    /// grows with every release of the product
    pub release_counter: u64,
    /// the kinds of hardware that it is for
    pub hardware_ids: Vec<String>,
    /// what is new, for people
    pub notes: String,
    /// where it is
    pub state: ReleaseState,
    /// since when there is a draft
    pub created_at: UnixTime,
    /// who made the draft
    pub created_by: String,
    /// since when it is published
    pub published_at: Option<UnixTime>,
    /// who published it
    pub published_by: Option<String>,
    /// since when it is withdrawn
    pub withdrawn_at: Option<UnixTime>,
    /// why
    pub withdrawn_reason: Option<String>,
    /// codes of the gate's items that were overruled
    pub overruled: Vec<String>,
    /// why
    pub overruled_reason: Option<String>,
    /// the leaf of the log that commits to it
    pub leaf: Option<u64>,
    /// its files, by name
    pub artifacts: Vec<Artifact>,
    /// what is attached
    pub attachments: Vec<Attachment>,
}

/// A release to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRelease {
    /// who makes it
    pub organisation: OrganisationId,
    /// the product line that it is for
    pub product: ProductId,
    /// version for people
    pub version: String,
    /// grows only when a release mends a vulnerability
    pub security_version: u64,
    /// grows with every release of the product; `None`: the next one
    pub release_counter: Option<u64>,
    /// the kinds of hardware that it is for
    pub hardware_ids: Vec<String>,
    /// what is new, for people
    pub notes: String,
}

/// A file to be added to a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewArtifact {
    /// its name within the release
    pub name: String,
    /// the uploaded file
    pub sha256: Sha256,
    /// the kinds of hardware that it is for; empty: all of the release's
    pub hardware_ids: Vec<String>,
}

/// Which releases are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseQuery {
    /// of one product line
    pub product: Option<ProductId>,
    /// in one state
    pub state: Option<ReleaseState>,
}

impl Service {
    /// Makes the draft of a release.
    ///
    /// # Errors
    /// `release-version`, `release-number`, `hardware-id`, `release-notes`, `release-exists`,
    /// `too-many-drafts`, `not-found`, `role`.
    pub async fn create_release(
        &self,
        caller: &Caller,
        new: NewRelease,
    ) -> Result<ReleaseView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::ManageRelease, &resource)?;
        let product = self.product_row(&new.organisation, &new.product)?;
        check_version(&new.version)?;
        check_notes(&new.notes)?;
        let hardware_ids = check_hardware(new.hardware_ids, 1)?;
        if new.security_version > NUMBER_MAX
            || new.release_counter.is_some_and(|counter| !(1..=NUMBER_MAX).contains(&counter))
        {
            return Err(number());
        }
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .detail("what", "release-created")
            .detail("product", new.product.as_str())
            .detail("version", &new.version);
        let row = ReleaseRow {
            id: 0,
            reference: random::bytes(),
            organisation: product.organisation,
            product: product.id,
            version: new.version,
            security_version: new.security_version,
            counter: 0,
            hardware_ids: texts(&hardware_ids),
            notes: new.notes,
            state: State::Draft,
            created_at: self.now(),
            created_by: caller.to_string(),
            published_at: None,
            published_by: None,
            withdrawn_at: None,
            withdrawn_reason: None,
            overruled: None,
            overruled_reason: None,
            leaf: None,
        };
        let wanted = new.release_counter;
        let id = ReleaseId::from_bytes(row.reference);
        self.commit(move |tx| {
            let mut row = row;
            row.counter = match wanted {
                Some(counter) => counter,
                None => store::highest_counter(tx, row.product)?.saturating_add(1),
            };
            if row.counter > NUMBER_MAX {
                return Err(number());
            }
            if let Some(same) = store::same_release(tx, row.product, &row.version, row.counter)? {
                return Err(ServiceError::conflict(
                    "release-exists",
                    format!(
                        "release {} of this product has version {} and counter {}; choose others, \
                         or discard it",
                        hex::encode(same.reference),
                        same.version,
                        same.counter
                    ),
                ));
            }
            if store::count_drafts(tx, row.organisation)? >= DRAFTS_MAX {
                return Err(ServiceError::too_many(
                    "too-many-drafts",
                    "there are 1000 drafts already; publish or discard some",
                ));
            }
            store::insert_release(tx, &row)?;
            tx.audit(&event.subject(&hex::encode(row.reference))).map(|_| ())
        })
        .await?;
        self.release(caller, &id).await
    }

    /// A release.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn release(
        &self,
        caller: &Caller,
        id: &ReleaseId,
    ) -> Result<ReleaseView, ServiceError> {
        let row = self.release_for(caller, Action::ReadRelease, id)?;
        self.read(|connection| view(self, connection, row))
    }

    /// An organisation's releases, newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn releases(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        query: &ReleaseQuery,
        page: &Page,
    ) -> Result<Paged<ReleaseView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadRelease, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let product = match &query.product {
            Some(product) => Some(self.product_row(organisation, product)?.id),
            None => None,
        };
        let state = query.state.map(ReleaseState::stored);
        // Each comes with all that is attached to it.
        let (before, limit) = page.rows(self.config.limits.page.min(RELEASES_PAGE))?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        self.read(|connection| {
            let rows = store::releases(connection, row, product, state, before, limit + 1)?;
            Paged::cut(rows, limit, |row| row.id.to_string())
                .try_map(|row| view(self, connection, row))
        })
    }

    /// Adds an uploaded file to a draft.
    ///
    /// # Errors
    /// `artifact-name`, `artifact-exists`, `too-many-artifacts`, `hardware-id`,
    /// `release-published`, `artifact-form`, `delta-base`, `delta-result`, `not-found` also for a file
    /// that was not uploaded, `role`.
    pub async fn add_artifact(
        &self,
        caller: &Caller,
        release: &ReleaseId,
        new: NewArtifact,
    ) -> Result<ReleaseView, ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, release)?;
        check_file_name("artifact-name", &new.name)?;
        let whole = read_texts(&row.hardware_ids)?;
        let hardware_ids = check_hardware(new.hardware_ids, 0)?;
        if let Some(stranger) = hardware_ids.iter().find(|id| !whole.contains(id)) {
            return Err(ServiceError::refused(
                "hardware-id",
                format!("the release is not for the hardware {stranger}; name a part of its own"),
            ));
        }
        let hardware_ids = if hardware_ids.is_empty() { whole } else { hardware_ids };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&release.to_string())
            .detail("what", "release-artifact")
            .detail("name", &new.name)
            .detail("sha256", &new.sha256.to_string());
        still_draft(&row)?;
        let form = self.form_of(&self.organisation_id(row.organisation)?, &new.sha256)?;
        let id = row.id;
        self.commit(move |tx| {
            let row = found(store::release_by_row(tx, id)?, "release")?;
            still_draft(&row)?;
            super::forms::check_form(tx, &row, &form)?;
            let product = found(organisations::product_by_id(tx, row.product)?, "product line")?;
            let blob = found(blob::held(tx, row.organisation, &new.sha256)?, "file")?;
            let there = store::artifacts(tx, id)?;
            if there.iter().any(|artifact| artifact.name == new.name) {
                return Err(ServiceError::conflict(
                    "artifact-exists",
                    "the release has a file of this name; remove it first, or choose another name",
                ));
            }
            if there.len() >= ARTIFACTS_MAX {
                return Err(ServiceError::refused(
                    "too-many-artifacts",
                    format!("a release has at most {ARTIFACTS_MAX} files"),
                ));
            }
            let path = format!("{}/{}/{}", product.slug, row.version, new.name);
            let hardware_ids = texts(&hardware_ids);
            let row = store::insert_artifact(tx, id, &new.name, &path, blob.id, &hardware_ids)?;
            crate::store::form::set_form(tx, row, &form)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.release(caller, release).await
    }

    /// Takes a file out of a draft.
    ///
    /// # Errors
    /// `release-published`, `not-found`, `role`.
    pub async fn remove_artifact(
        &self,
        caller: &Caller,
        release: &ReleaseId,
        name: &str,
    ) -> Result<(), ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, release)?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&release.to_string())
            .detail("what", "release-artifact-removed")
            .detail("name", name);
        self.shed_tickets(row.id, Some(name)).await?;
        let (id, name) = (row.id, name.to_owned());
        self.commit(move |tx| {
            still_draft(&found(store::release_by_row(tx, id)?, "release")?)?;
            if !store::delete_artifact(tx, id, &name)? {
                return Err(ServiceError::not_found("file"));
            }
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// What the gate of a release's product says of it now: every item, met or open.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn check_release(
        &self,
        caller: &Caller,
        release: &ReleaseId,
    ) -> Result<Vec<GateItem>, ServiceError> {
        let row = self.release_for(caller, Action::ReadRelease, release)?;
        self.read(|connection| gate_items(connection, &row))
    }

    /// A release that the caller may do something with. One that was discarded is none.
    pub(crate) fn release_for(
        &self,
        caller: &Caller,
        action: Action,
        id: &ReleaseId,
    ) -> Result<ReleaseRow, ServiceError> {
        let row = self.read(|connection| store::release(connection, id.as_bytes()))?;
        match row.filter(|row| row.state != State::Discarded) {
            Some(row) => {
                let organisation = self.organisation_id(row.organisation)?;
                let resource = Resource::organisation(&organisation);
                let _permit = self.authorize(caller, action, &resource)?;
                Ok(row)
            }
            None => {
                let _permit = self.authorize(caller, action, &Resource::unknown())?;
                Err(ServiceError::not_found("release"))
            }
        }
    }

    /// A release by its row, with its files: for campaigns and doors whose right was looked at.
    #[allow(dead_code, reason = "campaigns use it once they are there")]
    pub(crate) fn release_by_row(&self, id: i64) -> Result<ReleaseView, ServiceError> {
        self.read(|connection| {
            let row = found(store::release_by_row(connection, id)?, "release")?;
            view(self, connection, row)
        })
    }
}

/// What the gate says of a release on record.
pub(super) fn gate_items(
    connection: &Connection,
    row: &ReleaseRow,
) -> Result<Vec<GateItem>, ServiceError> {
    let product = found(organisations::product_by_id(connection, row.product)?, "product line")?;
    let artifacts = store::artifacts(connection, row.id)?;
    let attached = store::attachments(connection, row.id)?
        .into_iter()
        .map(|row| attachment(row).map(|attachment| attachment.summary))
        .collect::<Result<Vec<_>, _>>()?;
    // A published release is not held against itself.
    let others = row.state == State::Draft;
    let last = store::last_published(connection, row.product)?.filter(|_| others);
    let exploited = gate::exploited(connection, row)?;
    let mut shut = Vec::new();
    for artifact in artifacts.iter().filter(|artifact| artifact.form.header.is_some()) {
        let opens = forms::content_key(connection, artifact.id)?.is_some()
            || forms::count_tickets(connection, artifact.id)?.all > 0;
        if !opens {
            shut.push(artifact.name.clone());
        }
    }
    let facts = Facts {
        shut: &shut,
        release: row,
        product: &product,
        artifacts: &artifacts,
        attached: &attached,
        last_counter: last.map(|last| last.counter),
        last_security: store::highest_security_version(connection, row.product)?.filter(|_| others),
        exploited: &exploited,
    };
    Ok(gate::items(&gate::gate_of(connection, row.product)?, &facts))
}

pub(super) fn view(
    service: &Service,
    connection: &Connection,
    row: ReleaseRow,
) -> Result<ReleaseView, ServiceError> {
    let damaged = || ServiceError::fatal("store-damaged", "a release's row is damaged");
    let product = organisations::product_by_id(connection, row.product)?.ok_or_else(damaged)?;
    let artifacts = store::artifacts(connection, row.id)?;
    let own: Vec<String> = artifacts.iter().map(|one| one.blob.sha256.to_string()).collect();
    let attachments = store::attachments(connection, row.id)?.into_iter().map(|row| {
        let mut attachment = attachment(row)?;
        if let AttachmentSummary::Provenance { subjects, .. } = &mut attachment.summary {
            // A build may speak of thousands of files; those of the release are of interest.
            subjects.retain(|subject| own.contains(subject));
        }
        Ok(attachment)
    });
    let attachments = attachments.collect::<Result<_, ServiceError>>()?;
    Ok(ReleaseView {
        id: ReleaseId::from_bytes(row.reference),
        organisation: service.organisation_id(row.organisation)?,
        product: ProductId::new(&product.slug).map_err(|_| damaged())?,
        version: row.version,
        security_version: row.security_version,
        release_counter: row.counter,
        hardware_ids: read_texts(&row.hardware_ids)?,
        notes: row.notes,
        state: match row.state {
            State::Draft => ReleaseState::Draft,
            State::Published => ReleaseState::Published,
            State::Withdrawn => ReleaseState::Withdrawn,
            State::Discarded => return Err(ServiceError::not_found("release")),
        },
        created_at: row.created_at,
        created_by: row.created_by,
        published_at: row.published_at,
        published_by: row.published_by,
        withdrawn_at: row.withdrawn_at,
        withdrawn_reason: row.withdrawn_reason,
        overruled: row.overruled.as_deref().map(read_texts).transpose()?.unwrap_or_default(),
        overruled_reason: row.overruled_reason,
        leaf: row.leaf,
        artifacts: artifacts
            .into_iter()
            .map(|row| artifact(connection, row))
            .collect::<Result<_, _>>()?,
        attachments,
    })
}

fn artifact(connection: &Connection, row: ArtifactRow) -> Result<Artifact, ServiceError> {
    Ok(Artifact {
        sealed: super::forms::sealing(connection, &row)?,
        delta: row.form.delta,
        name: row.name,
        path: row.path,
        sha256: row.blob.sha256,
        sha1: row.blob.sha1,
        length: row.blob.length,
        hardware_ids: read_texts(&row.hardware_ids)?,
    })
}

/// Refuses what cannot be changed any more.
pub(super) fn still_draft(row: &ReleaseRow) -> Result<(), ServiceError> {
    match row.state {
        State::Draft => Ok(()),
        State::Discarded => Err(ServiceError::not_found("release")),
        State::Published | State::Withdrawn => Err(ServiceError::conflict(
            "release-published",
            "this release is published and does not change any more; make a new one",
        )),
    }
}

pub(super) fn number() -> ServiceError {
    ServiceError::malformed(
        "release-number",
        "a security version is a number from 0 to 2^53 - 1, a release counter one from 1",
    )
}

/// Letters, digits and a few marks: what is safe in a path, in an address, on a screen and among the
/// arguments of a command, where a `-` in front would make an option of it.
fn is_plain(text: &str, most: usize, also: &str) -> bool {
    (1..=most).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

fn check_version(version: &str) -> Result<(), ServiceError> {
    if is_plain(version, VERSION_BYTES_MAX, ".-_+~") {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "release-version",
        "a version has 1 to 64 letters, digits and . - _ + ~, and does not begin with . or -",
    ))
}

/// Refuses names that are no names of files everywhere.
pub(super) fn check_file_name(code: &'static str, name: &str) -> Result<(), ServiceError> {
    if is_plain(name, NAME_BYTES_MAX, ".-_+") {
        return Ok(());
    }
    let text =
        "a file's name has 1 to 128 letters, digits and . - _ +, and does not begin with . or -";
    // Each with a code of its own, by which its text in Japanese is found.
    Err(match code {
        "attachment-name" => ServiceError::malformed("attachment-name", text),
        _ => ServiceError::malformed("artifact-name", text),
    })
}

fn check_notes(notes: &str) -> Result<(), ServiceError> {
    let good = notes.chars().count() <= NOTES_CHARS_MAX
        && notes.lines().all(crate::names::shows_what_it_is);
    if good {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "release-notes",
        "notes have at most 4000 characters, and none that is invisible",
    ))
}

/// Sorted, each once.
fn check_hardware(ids: Vec<String>, least: usize) -> Result<Vec<String>, ServiceError> {
    let mut ids = ids;
    ids.sort_unstable();
    ids.dedup();
    let good = (least..=HARDWARE_MAX).contains(&ids.len())
        && ids.iter().all(|id| is_plain(id, HARDWARE_BYTES_MAX, ".-_+:"));
    if good {
        return Ok(ids);
    }
    Err(ServiceError::malformed(
        "hardware-id",
        "a release is for 1 to 64 kinds of hardware; each is named by 1 to 128 letters, digits and \
         . - _ + :, and does not begin with . or -",
    ))
}

/// A list of texts as it is stored.
pub(super) fn texts(list: &[String]) -> String {
    serde_json::to_string(list).unwrap_or_default()
}

pub(super) fn read_texts(stored: &str) -> Result<Vec<String>, ServiceError> {
    serde_json::from_str(stored)
        .map_err(|_| ServiceError::fatal("store-damaged", "a release's row is damaged"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_paths() {
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a/b",
            "a\\b",
            "a b",
            "ä",
            "a\u{202e}",
            "%2e",
            "-",
            "-o",
            "--help",
        ] {
            assert!(check_file_name("artifact-name", bad).is_err(), "{bad:?}");
            assert!(check_version(bad).is_err(), "{bad:?}");
        }
        assert!(check_version("1.2.0-rc1+b~3").is_ok() && check_version(&"1".repeat(65)).is_err());
        let ids = |list: &[&str]| list.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
        assert_eq!(check_hardware(ids(&["b", "a", "b"]), 1).unwrap(), ids(&["a", "b"]));
        assert!(check_hardware(ids(&["-b"]), 1).is_err());
        assert!(check_hardware(Vec::new(), 1).is_err() && check_hardware(ids(&[""]), 0).is_err());
        assert!(update::TargetPath::new("gate/1.2.0/a+b_c-1.img").is_ok());
    }
}
