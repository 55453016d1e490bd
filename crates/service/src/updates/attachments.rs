//! What is attached to a release: SBOM, test results, provenance. Each is parsed before it is taken;
//! what was read is kept beside it.

use super::releases::ReleaseId;
use crate::{
    Service, ServiceError,
    live::found,
    store::{
        blob,
        release::{self as store, AttachmentRow},
    },
    vulnerabilities::SbomDraft,
};
use advisory::{AdvisoryError, Provenance, Sbom, TestReport};
use crypto::Sha256;
use device::OrganisationId;
use policy::{Action, Caller};
use serde::{Deserialize, Serialize};

/// Most attachments of one kind of one release.
const ATTACHMENTS_MAX: usize = 16;

/// Kinds of attachments. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AttachmentKind {
    /// software bill of materials: CycloneDX, SPDX
    Sbom = 1,
    /// test results: JUnit XML
    Tests = 2,
    /// where the files come from: in-toto statements, SLSA provenance
    Provenance = 3,
}

impl AttachmentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Sbom, Self::Tests, Self::Provenance];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sbom => "sbom",
            Self::Tests => "tests",
            Self::Provenance => "provenance",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Most bytes of one of this kind.
    pub fn bytes_max(self) -> usize {
        match self {
            Self::Sbom => advisory::SBOM_BYTES_MAX,
            Self::Tests => advisory::TEST_REPORT_BYTES_MAX,
            Self::Provenance => advisory::PROVENANCE_BYTES_MAX,
        }
    }
}

/// What was read from an attachment. Stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AttachmentSummary {
    /// of a software bill of materials
    Sbom {
        /// form and its version
        format: String,
        /// name of the component that it describes
        subject: Option<String>,
        /// version of that component
        subject_version: Option<String>,
        /// components
        components: usize,
        /// those that package URL or CPE name, so that vulnerabilities can be found
        identified: usize,
        /// remarks of the reader
        remarks: usize,
    },
    /// of test results
    Tests {
        /// cases
        tests: u64,
        /// cases that failed
        failures: u64,
        /// cases that broke down
        errors: u64,
        /// cases that were not run
        skipped: u64,
        /// the first that failed
        failed: Vec<String>,
    },
    /// of provenance
    Provenance {
        /// what kinds of statements
        predicate_types: Vec<String>,
        /// who built, as it says
        builder: Option<String>,
        /// from what, as it says
        source: Option<String>,
        /// SHA-256 of the files that it is about, in hexadecimal
        subjects: Vec<String>,
    },
}

impl AttachmentSummary {
    /// The kind of attachment that it is of.
    pub fn kind(&self) -> AttachmentKind {
        match self {
            Self::Sbom { .. } => AttachmentKind::Sbom,
            Self::Tests { .. } => AttachmentKind::Tests,
            Self::Provenance { .. } => AttachmentKind::Provenance,
        }
    }

    /// Reads an attachment.
    pub(super) fn read(kind: AttachmentKind, bytes: &[u8]) -> Result<Self, AdvisoryError> {
        Ok(match kind {
            AttachmentKind::Sbom => {
                let sbom = Sbom::parse(bytes)?;
                let subject = sbom.subject();
                Self::Sbom {
                    format: sbom.format.to_string(),
                    subject: subject.map(|one| one.name.clone()).or_else(|| sbom.name.clone()),
                    subject_version: subject.and_then(|one| {
                        one.version.clone().or_else(|| one.version_text().map(str::to_owned))
                    }),
                    components: sbom.components.len(),
                    identified: sbom.components.iter().filter(|c| c.is_identified()).count(),
                    remarks: sbom.remarks.count(),
                }
            }
            AttachmentKind::Tests => {
                let report = TestReport::parse(bytes)?;
                Self::Tests {
                    tests: report.tests,
                    failures: report.failures,
                    errors: report.errors,
                    skipped: report.skipped,
                    failed: report.failed,
                }
            }
            AttachmentKind::Provenance => {
                let provenance = Provenance::parse(bytes)?;
                let mut types: Vec<String> =
                    provenance.statements.iter().map(|one| one.predicate_type.clone()).collect();
                types.sort_unstable();
                types.dedup();
                let mut subjects: Vec<String> =
                    provenance.subjects().map(|(_, digest)| digest.to_string()).collect();
                subjects.sort_unstable();
                subjects.dedup();
                let first = |of: fn(&advisory::ProvenanceStatement) -> Option<&String>| {
                    provenance.statements.iter().find_map(of).cloned()
                };
                Self::Provenance {
                    predicate_types: types,
                    builder: first(|one| one.builder.as_ref()),
                    source: first(|one| one.source.as_ref()),
                    subjects,
                }
            }
        })
    }
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// what it is
    pub kind: AttachmentKind,
    /// its name among those of its kind
    pub name: String,
    /// its SHA-256
    pub sha256: Sha256,
    /// its length in bytes
    pub length: u64,
    /// what was read from it
    pub summary: AttachmentSummary,
}

/// A file to be attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttachment {
    /// what it is
    pub kind: AttachmentKind,
    /// its name among those of its kind
    pub name: String,
    /// the uploaded file
    pub sha256: Sha256,
}

impl Service {
    /// Attaches an uploaded file to a draft, in place of one of the same kind and name. It is parsed
    /// first; provenance must be about a file of the release.
    ///
    /// # Errors
    /// `attachment`, `attachment-length`, `attachment-name`, `provenance-subject`,
    /// `too-many-attachments`, `release-published`, `not-found`, `role`.
    pub async fn attach(
        &self,
        caller: &Caller,
        release: &ReleaseId,
        new: NewAttachment,
    ) -> Result<Attachment, ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, release)?;
        super::releases::check_file_name("attachment-name", &new.name)?;
        super::releases::still_draft(&row)?;
        let organisation = self.organisation_id(row.organisation)?;
        let service = self.clone();
        let (of, file) = (organisation.clone(), new.clone());
        // Parsing 64 MiB takes longer than an asynchronous task has.
        let read = self
            .pool
            .begin(move || service.read_attachment(&of, file.kind, &file.sha256, &file.name));
        let (summary, components) = read.outcome().await??;
        if let AttachmentSummary::Provenance { subjects, .. } = &summary {
            let artifacts = self.read(|connection| store::artifacts(connection, row.id))?;
            let about = |sha256: &Sha256| subjects.contains(&sha256.to_string());
            if !artifacts.iter().any(|artifact| about(&artifact.blob.sha256)) {
                return Err(ServiceError::refused(
                    "provenance-subject",
                    "the provenance is about no file of this release: none of its subjects has the \
                     SHA-256 of one; add the files first",
                ));
            }
        }
        let text = serde_json::to_string(&summary)
            .map_err(|_| ServiceError::unavailable("attachment", "what was read cannot be kept"))?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&release.to_string())
            .detail("what", "release-attachment")
            .detail("kind", new.kind.name())
            .detail("name", &new.name)
            .detail("sha256", &new.sha256.to_string());
        let (id, kind, name, sha256) = (row.id, new.kind as u8, new.name.clone(), new.sha256);
        let (by, now) = (caller.to_string(), self.now());
        let length = self
            .commit(move |tx| {
                let row = found(store::release_by_row(tx, id)?, "release")?;
                super::releases::still_draft(&row)?;
                let blob = found(blob::held(tx, row.organisation, &sha256)?, "file")?;
                let there = store::attachments(tx, id)?;
                let same = |one: &&AttachmentRow| one.kind == kind && one.name == name;
                let of_kind = there.iter().filter(|one| one.kind == kind).count();
                if of_kind >= ATTACHMENTS_MAX && !there.iter().any(|one| same(&one)) {
                    return Err(ServiceError::refused(
                        "too-many-attachments",
                        format!("a release has at most {ATTACHMENTS_MAX} attachments of one kind"),
                    ));
                }
                store::attach(tx, id, kind, &name, blob.id, &text)?;
                if let Some(components) = components {
                    let about = (row.product, row.version.as_str());
                    crate::vulnerabilities::attach_to(tx, about, components, &by, now)?;
                }
                tx.audit(&event)?;
                Ok(blob.length)
            })
            .await?;
        Ok(Attachment { kind: new.kind, name: new.name, sha256: new.sha256, length, summary })
    }

    /// Takes an attachment off a draft.
    ///
    /// # Errors
    /// `release-published`, `not-found`, `role`.
    pub async fn detach(
        &self,
        caller: &Caller,
        release: &ReleaseId,
        kind: AttachmentKind,
        name: &str,
    ) -> Result<(), ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, release)?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&release.to_string())
            .detail("what", "release-attachment-removed")
            .detail("kind", kind.name())
            .detail("name", name);
        let (id, name) = (row.id, name.to_owned());
        self.commit(move |tx| {
            let row = found(store::release_by_row(tx, id)?, "release")?;
            super::releases::still_draft(&row)?;
            if !store::detach(tx, id, kind as u8, &name)? {
                return Err(ServiceError::not_found("attachment"));
            }
            if kind == AttachmentKind::Sbom {
                let about = (row.product, row.version.as_str());
                crate::vulnerabilities::detach_from(tx, about, Some(&name))?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    fn read_attachment(
        &self,
        organisation: &OrganisationId,
        kind: AttachmentKind,
        sha256: &Sha256,
        name: &str,
    ) -> Result<(AttachmentSummary, Option<SbomDraft>), ServiceError> {
        let bytes = self.blob_bytes(organisation, sha256, kind.bytes_max())?;
        let summary =
            AttachmentSummary::read(kind, &bytes).map_err(|error| unreadable(kind, &error))?;
        // What an SBOM lists is matched with advisories from here on.
        let components = match kind {
            AttachmentKind::Sbom => {
                let row = self.organisation_row(organisation.as_str())?.id;
                self.room_for_documents(row, bytes.len())?;
                Some(SbomDraft::of_release(name, bytes)?)
            }
            _ => None,
        };
        Ok((summary, components))
    }
}

fn unreadable(kind: AttachmentKind, error: &AdvisoryError) -> ServiceError {
    ServiceError::refused("attachment", format!("the {} cannot be read: {error}", kind.name()))
}

pub(super) fn attachment(row: AttachmentRow) -> Result<Attachment, ServiceError> {
    let damaged = || ServiceError::fatal("store-damaged", "an attachment's row is damaged");
    Ok(Attachment {
        kind: AttachmentKind::from_number(row.kind).ok_or_else(damaged)?,
        name: row.name,
        sha256: row.blob.sha256,
        length: row.blob.length,
        summary: serde_json::from_str(&row.summary).map_err(|_| damaged())?,
    })
}
