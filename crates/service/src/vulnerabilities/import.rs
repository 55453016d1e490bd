//! Use case: advisories come in. Each document is kept as received; what it says anew has the
//! components judged that it may speak of.

use crate::{
    Page, Paged, Service, ServiceError,
    store::{
        Tx,
        advisory::{self as store, ExploitedRow, NewAdvisory, NewDocument},
        sbom as sboms,
    },
};
use advisory::{Advisory, AdvisoryFormat, KnownExploited, MatchKey};
use crypto::{Sha256, UnixTime};
use device::OrganisationId;
use policy::{Action, Caller, Resource};
use std::collections::BTreeSet;

/// Most documents of one call.
pub const DOCUMENTS_MAX: usize = 1_000;
/// Documents, and bytes of them, per commit: other organisations' commits have their turn between.
const BATCH: (usize, usize) = (50, 2 * 1024 * 1024);
/// Longest name of a source, in characters.
const SOURCE_MAX: usize = 200;

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvisoryOutcome {
    /// SHA-256 of its bytes
    pub digest: Sha256,
    /// `osv`, `csaf`, `kev`; `None` where it is none of them
    pub form: Option<&'static str>,
    /// what became of it
    pub result: AdvisoryResult,
}

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdvisoryResult {
    /// it is stored
    Stored {
        /// advisories, or entries of a catalogue, that are new or changed
        taken: usize,
        /// of these, those that are withdrawn
        withdrawn: usize,
        /// what of it was not understood
        remarks: usize,
    },
    /// the same bytes are on record
    Unchanged,
    /// what is on record is newer
    Older,
    /// it cannot be read
    Refused {
        /// why
        why: String,
        /// what to do
        hint: &'static str,
    },
}

/// How much is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Knowledge {
    /// documents that count
    pub documents: u64,
    /// advisories
    pub advisories: u64,
    /// vulnerabilities known to be exploited
    pub exploited: u64,
    /// components of the organisation's software that wait to be judged
    pub waiting: u64,
    /// files of the watched folder that could not be taken
    pub troubled: u64,
}

/// A file of the watched folder that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubledFile {
    /// where, below the folder
    pub path: String,
    /// why
    pub trouble: String,
    /// when it was read
    pub read_at: UnixTime,
}

/// A document that was read.
pub(super) struct Read {
    pub(super) digest: Sha256,
    pub(super) bytes: Vec<u8>,
    pub(super) contents: Result<Contents, advisory::AdvisoryError>,
}

pub(super) enum Contents {
    Advisories(Vec<Summed>),
    Catalogue(KnownExploited),
}

/// What the store keeps of an advisory beside its document.
pub(super) struct Summed {
    name: String,
    tracking: String,
    form: AdvisoryFormat,
    modified: Option<UnixTime>,
    withdrawn: Option<UnixTime>,
    summary: String,
    remarks: usize,
    keys: Vec<MatchKey>,
}

impl Contents {
    fn form(&self) -> &'static str {
        match self {
            Self::Catalogue(_) => "kev",
            Self::Advisories(list) => list.first().map_or("osv", |first| first.form.name()),
        }
    }
}

/// Reads a document. What is dated after `now` is taken for dated now: it would stand in the way of
/// all that comes later.
pub(super) fn read(bytes: Vec<u8>, now: UnixTime) -> Read {
    let by_now = |dated: Option<UnixTime>| dated.map(|at| at.min(now));
    let contents = if KnownExploited::is_catalogue(&bytes) {
        KnownExploited::parse(&bytes).map(|mut catalogue| {
            catalogue.released = by_now(catalogue.released);
            Contents::Catalogue(catalogue)
        })
    } else {
        Advisory::parse(&bytes).map(|list| {
            let sum = |advisory: &Advisory| Summed {
                name: advisory.id.to_string(),
                tracking: advisory.document.clone().unwrap_or_default(),
                form: advisory.format,
                modified: by_now(advisory.modified),
                withdrawn: advisory.withdrawn,
                summary: advisory.summary.clone(),
                remarks: advisory.remarks.count(),
                keys: advisory.keys(),
            };
            Contents::Advisories(list.iter().map(sum).collect())
        })
    };
    Read { digest: crypto::sha256(&bytes), bytes, contents }
}

/// For whom, from where and by whom documents are taken.
#[derive(Clone)]
pub(super) struct Taking {
    /// for this organisation's products
    pub(super) organisation: i64,
    /// for everybody's: it is the platform's own
    pub(super) everybody: bool,
    pub(super) source: String,
    pub(super) by: String,
    pub(super) now: UnixTime,
}

impl Service {
    /// Takes advisories in: OSV records, CSAF documents, catalogues of what is exploited. Those of
    /// the platform's own organisation count for everybody, those of another for its own products.
    /// `source` says where they are from. Each document stands or falls by itself.
    ///
    /// # Errors
    /// `not-found`, `role`, `too-many-documents`, `source`, `quota`.
    pub async fn import_advisories(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        source: &str,
        documents: Vec<Vec<u8>>,
    ) -> Result<Vec<AdvisoryOutcome>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ImportAdvisories, &resource)?;
        if documents.len() > DOCUMENTS_MAX {
            return Err(ServiceError::too_many(
                "too-many-documents",
                format!("at most {DOCUMENTS_MAX} documents at a time; send the rest by itself"),
            ));
        }
        super::record_line("source", source, SOURCE_MAX)?;
        let row = self.organisation_row(organisation.as_str())?;
        let bytes = documents.iter().map(|document| document.len().max(1024)).sum();
        self.room_for_documents(row.id, bytes)?;
        let now = self.now();
        let taking = Taking {
            organisation: row.id,
            everybody: *organisation == self.platform.id,
            source: source.to_owned(),
            by: caller.to_string(),
            now,
        };
        let read = self
            .pool
            .begin(move || documents.into_iter().map(|bytes| read(bytes, now)).collect::<Vec<_>>());
        let mut read = read.outcome().await?.into_iter().peekable();
        let event = self
            .event(caller, audit::Kind::Vulnerability, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(source)
            .detail("what", "advisories-imported");
        let mut outcomes = Vec::new();
        while read.peek().is_some() {
            let (mut some, mut bytes) = (Vec::new(), 0);
            while some.len() < BATCH.0
                && bytes < BATCH.1
                && let Some(next) = read.next()
            {
                bytes += next.bytes.len();
                some.push(next);
            }
            let (taking, event) = (taking.clone(), event.clone());
            outcomes.extend(self.commit(move |tx| take(tx, &taking, &some, event)).await?);
        }
        Ok(outcomes)
    }

    /// How much is known to an organisation, and how much is to be judged.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn advisory_knowledge(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Knowledge, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let platform = self.platform.organisation.id;
        let own = row.id == platform;
        self.read(|connection| {
            let mut sum = store::counts(connection, platform)?;
            if !own {
                let more = store::counts(connection, row.id)?;
                sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
            let [documents, advisories, exploited] = sum;
            let waiting = sboms::waiting(connection, (!own).then_some(row.id), None)?;
            let troubled = if own { store::troubled(connection)? } else { 0 };
            Ok(Knowledge { documents, advisories, exploited, waiting, troubled })
        })
    }

    /// Files of the watched folder that could not be taken, for the platform's members.
    ///
    /// # Errors
    /// `role`, `page`.
    pub async fn troubled_files(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Paged<TroubledFile>, ServiceError> {
        let platform = self.platform.id.clone();
        let resource = Resource::organisation(&platform);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|connection| store::files_in_trouble(connection, after, limit + 1))?;
        Paged::cut(rows, limit, |(number, _)| number.to_string()).try_map(|(_, row)| {
            let trouble = row.trouble.unwrap_or_default();
            Ok(TroubledFile { path: row.path, trouble, read_at: row.read_at })
        })
    }
}

/// Stores documents and has judged what they concern, with a security event that counts them.
pub(super) fn take(
    tx: &mut Tx<'_>,
    taking: &Taking,
    read: &[Read],
    event: audit::SecurityEvent,
) -> Result<Vec<AdvisoryOutcome>, ServiceError> {
    let mut outcomes = Vec::with_capacity(read.len());
    for document in read {
        outcomes.push(AdvisoryOutcome {
            digest: document.digest,
            form: document.contents.as_ref().ok().map(Contents::form),
            result: one(tx, taking, document)?,
        });
    }
    let count = |wanted: fn(&AdvisoryResult) -> bool| {
        outcomes.iter().filter(|outcome| wanted(&outcome.result)).count().to_string()
    };
    let stored = count(|result| matches!(result, AdvisoryResult::Stored { .. }));
    let refused = count(|result| matches!(result, AdvisoryResult::Refused { .. }));
    if stored != "0" || refused != "0" {
        let event = event
            .detail("documents", &outcomes.len().to_string())
            .detail("stored", &stored)
            .detail("refused", &refused);
        tx.audit(&event)?;
    }
    Ok(outcomes)
}

fn one(tx: &Tx<'_>, taking: &Taking, read: &Read) -> Result<AdvisoryResult, ServiceError> {
    let contents = match &read.contents {
        Ok(contents) => contents,
        Err(error) => {
            let why = error.to_string();
            return Ok(AdvisoryResult::Refused { why, hint: error.hint() });
        }
    };
    if matches!(store::document(tx, taking.organisation, &read.digest)?, Some((_, true))) {
        return Ok(AdvisoryResult::Unchanged);
    }
    let keep = |tx: &Tx<'_>| {
        let new = NewDocument {
            organisation: taking.organisation,
            digest: read.digest,
            form: contents.form(),
            source: taking.source.clone(),
            added_by: taking.by.clone(),
            added_at: taking.now,
        };
        store::insert_document(tx, &new, &read.bytes)
    };
    match contents {
        Contents::Catalogue(catalogue) => take_catalogue(tx, taking, catalogue, keep),
        Contents::Advisories(list) => take_advisories(tx, taking, list, keep),
    }
}

fn take_catalogue(
    tx: &Tx<'_>,
    taking: &Taking,
    catalogue: &KnownExploited,
    keep: impl Fn(&Tx<'_>) -> Result<i64, ServiceError>,
) -> Result<AdvisoryResult, ServiceError> {
    let before = store::catalogue(tx, taking.organisation)?;
    if let Some((_, Some(released))) = before
        && catalogue.released.is_none_or(|new| new < released)
    {
        // An undated catalogue cannot be told from an old one, which would take warnings away.
        return Ok(AdvisoryResult::Older);
    }
    let document = keep(tx)?;
    store::set_catalogue(tx, taking.organisation, document, catalogue.released)?;
    let mut gone: BTreeSet<String> =
        store::exploited_names(tx, taking.organisation)?.into_iter().collect();
    let mut taken = 0;
    for (id, entry) in catalogue.iter() {
        gone.remove(id.as_str());
        let row = ExploitedRow { since: entry.since, due: entry.due, ransomware: entry.ransomware };
        if store::set_exploited(tx, taking.organisation, id.as_str(), &row)? {
            taken += 1;
            judge_id(tx, taking, id.as_str())?;
        }
    }
    for name in &gone {
        store::delete_exploited(tx, taking.organisation, name)?;
        judge_id(tx, taking, name)?;
    }
    if let Some((old, _)) = before {
        store::retire_document(tx, old)?;
    }
    let remarks = catalogue.remarks.count();
    Ok(AdvisoryResult::Stored { taken, withdrawn: gone.len(), remarks })
}

fn take_advisories(
    tx: &Tx<'_>,
    taking: &Taking,
    list: &[Summed],
    keep: impl Fn(&Tx<'_>) -> Result<i64, ServiceError>,
) -> Result<AdvisoryResult, ServiceError> {
    let mut fresh = Vec::new();
    let mut replaced = BTreeSet::new();
    for (part, new) in list.iter().enumerate() {
        let old = store::advisory(tx, taking.organisation, &new.name, &new.tracking)?;
        // A newer one may be undated; an older one is dated earlier.
        let older =
            old.as_ref().is_some_and(|old| new.modified.is_some() && new.modified < old.modified);
        if !older {
            fresh.push((part, new, old));
        }
    }
    // A CSAF document is older or newer as a whole; what a newer one leaves out is taken back.
    let tracking = list.first().map(|first| first.tracking.as_str()).unwrap_or_default();
    let dropped: Vec<_> = if fresh.len() == list.len() && !tracking.is_empty() {
        let before = store::advisories_of(tx, taking.organisation, tracking)?;
        let dated = list.first().and_then(|first| first.modified);
        let newest = before.iter().filter_map(|(_, row)| row.modified).max();
        if dated.is_some() && dated < newest {
            return Ok(AdvisoryResult::Older);
        }
        before.into_iter().filter(|(name, _)| !list.iter().any(|new| new.name == *name)).collect()
    } else {
        Vec::new()
    };
    if fresh.is_empty() && dropped.is_empty() {
        return Ok(if list.is_empty() { AdvisoryResult::Unchanged } else { AdvisoryResult::Older });
    }
    let document = keep(tx)?;
    for (_, row) in &dropped {
        judge_keys(tx, taking, row.id)?;
        store::delete_advisory(tx, row.id)?;
        replaced.insert(row.document);
    }
    let (mut withdrawn, mut remarks) = (0, 0);
    for (part, new, old) in &fresh {
        if let Some(old) = old {
            judge_keys(tx, taking, old.id)?;
            replaced.insert(old.document);
        }
        let row = store::set_advisory(
            tx,
            &NewAdvisory {
                organisation: taking.organisation,
                name: &new.name,
                tracking: &new.tracking,
                document,
                part: *part,
                modified: new.modified,
                withdrawn: new.withdrawn,
                summary: &new.summary,
                remarks: new.remarks,
            },
        )?;
        store::set_keys(tx, row, new.keys.iter().map(MatchKey::as_str))?;
        for key in &new.keys {
            sboms::judge_key(tx, key.as_str(), maker(taking))?;
        }
        withdrawn += usize::from(new.withdrawn.is_some());
        remarks += new.remarks;
    }
    for old in replaced {
        if old != document {
            store::retire_document(tx, old)?;
        }
    }
    Ok(AdvisoryResult::Stored { taken: fresh.len() + dropped.len(), withdrawn, remarks })
}

/// Whose products are concerned; `None`: everybody's.
fn maker(taking: &Taking) -> Option<i64> {
    (!taking.everybody).then_some(taking.organisation)
}

fn judge_keys(tx: &Tx<'_>, taking: &Taking, advisory: i64) -> Result<(), ServiceError> {
    for key in store::keys_of(tx, advisory)? {
        sboms::judge_key(tx, &key, maker(taking))?;
    }
    Ok(())
}

fn judge_id(tx: &Tx<'_>, taking: &Taking, id: &str) -> Result<(), ServiceError> {
    sboms::judge_id(tx, id, maker(taking), None, None)
}
