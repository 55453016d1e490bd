//! Use cases: open a diagnosis, list them, look at one, adopt a newer check sheet, discard.

use super::{
    DiagnosisId, check_sheet, damaged, day_of, refused,
    stored::{LINE_BYTES, Line, Put, Stamp, growth, load, put, total, within},
};
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    names::shows_what_it_is,
    store::{
        Tx,
        diagnosis::{self as store, DiagnosisRow, Growth, State},
    },
};
use assessment::{Diagnosis, Score};
use crypto::{Sha256, UnixTime, random};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};

/// Longest subject, in characters.
const SUBJECT_MAX: usize = 100;
/// Open diagnoses of one organisation.
const OPEN_MAX: u64 = 5_000;
/// Diagnoses in one page: each is counted.
const LIST_MAX: u32 = 100;

/// Where a diagnosis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiagnosisState {
    /// it can be answered
    Open,
    /// two people stand for it; it does not change any more
    Signed,
}

impl DiagnosisState {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Signed => "signed",
        }
    }
}

/// Who stands for a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// who asked for the sign-off
    pub by: String,
    /// who approved it
    pub approved_by: String,
    /// when
    pub at: UnixTime,
    /// digest of the answers
    pub content: Sha256,
    /// the leaf that commits to it
    pub leaf: u64,
}

/// A diagnosis without its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosisView {
    /// its id
    pub id: DiagnosisId,
    /// whose product it is about
    pub organisation: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// which version was looked at
    pub subject: String,
    /// where it is
    pub state: DiagnosisState,
    /// counts its changes
    pub version: u64,
    /// digest of the catalogues and the check sheet that it is answered against
    pub sheet: Sha256,
    /// whether that is the check sheet of now
    pub sheet_current: bool,
    /// who opened it
    pub opened_by: String,
    /// when
    pub opened_at: UnixTime,
    /// when it was changed last
    pub changed_at: UnixTime,
    /// who stands for it
    pub signed: Option<SignedBy>,
    /// its total today
    pub total: Score,
}

/// A diagnosis to be opened.
#[derive(Debug, Clone)]
pub struct NewDiagnosis {
    /// whose product it is about
    pub organisation: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// which version is looked at
    pub subject: String,
    /// the diagnosis of the same product whose answers go over; evidence only where the subject is the
    /// same
    pub from: Option<DiagnosisId>,
}

impl Service {
    /// Opens a diagnosis of a product against the check sheet of now.
    ///
    /// # Errors
    /// `subject`, `other-product`, `too-many-diagnoses`, `quota`, `diagnosis-changed` where the one
    /// that answers go over from is changed meanwhile, `not-found`, `role`.
    pub async fn open_diagnosis(
        &self,
        caller: &Caller,
        new: NewDiagnosis,
    ) -> Result<DiagnosisView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::AnswerDiagnosis, &resource)?;
        let product = self.product_row(&new.organisation, &new.product)?;
        if !(1..=SUBJECT_MAX).contains(&new.subject.chars().count())
            || new.subject.trim() != new.subject
            || !shows_what_it_is(&new.subject)
        {
            return Err(ServiceError::malformed(
                "subject",
                "say which version is looked at, in 1 to 100 characters of one line",
            ));
        }
        let from = match &new.from {
            None => None,
            Some(id) => {
                let from = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
                if from.product != product.id {
                    return Err(ServiceError::refused(
                        "other-product",
                        "answers go over from a diagnosis of the same product line only",
                    )
                    .in_japanese("回答を引き継げるのは、同じ製品ラインの診断からだけです"));
                }
                Some(from.id)
            }
        };
        let (now, library) = (self.now(), check_sheet()?);
        let name = format!("{}/{}", new.organisation, new.product);
        let carried = match from {
            None => None,
            Some(from) => Some(self.carried(from, &name, &new.subject, now)?),
        };
        let most = self.config.limits.document_bytes_per_organisation;
        let row = DiagnosisRow {
            id: 0,
            reference: random::bytes(),
            organisation: product.organisation,
            product: product.id,
            subject: new.subject,
            sheet: library.digest(),
            state: State::Open,
            version: 1,
            opened_by: caller.to_string(),
            opened_at: now,
            changed_at: now,
            signed_by: None,
            approved_by: None,
            signed_at: None,
            content: None,
            leaf: None,
        };
        let id = DiagnosisId(row.reference);
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(&id.to_string())
            .detail("what", "diagnosis-opened")
            .detail("product", new.product.as_str())
            .detail("version", &row.subject);
        self.commit(move |tx| {
            if store::count_open(tx, row.organisation)? >= OPEN_MAX {
                return Err(ServiceError::too_many(
                    "too-many-diagnoses",
                    "too many diagnoses are open; sign or discard some",
                ));
            }
            let row = DiagnosisRow { id: store::insert(tx, &row)?, ..row };
            let new = Growth { entries: 0, kept: LINE_BYTES };
            let (_, kept) = store::charge(tx, (row.id, row.organisation), new)?;
            within(kept, most)?;
            if let Some((from, lines)) = carried {
                at_version(&found(store::by_row(tx, from.id)?, "diagnosis")?, from.version)?;
                let (by, at) = (row.opened_by.as_str(), row.opened_at);
                let stamp = Stamp { how: "carried", version: row.version, by, at };
                put(tx, &row, lines, &stamp, most)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.diagnosis(caller, &id).await
    }

    /// Answers of another diagnosis as they go over, and the diagnosis as it was read.
    fn carried(
        &self,
        from: i64,
        product: &str,
        subject: &str,
        at: UnixTime,
    ) -> Result<(DiagnosisRow, Vec<Line>), ServiceError> {
        let (from, before) = self.read(|connection| {
            let from = found(store::by_row(connection, from)?, "diagnosis")?;
            let loaded = load(connection, &from, product)?;
            Ok((from, loaded.diagnosis))
        })?;
        let on = day_of(at)?;
        let carried = before.carried_to(subject, on).map_err(|error| refused(&error))?;
        let empty = Diagnosis::new(product, subject, on).map_err(|error| refused(&error))?;
        let changes = empty.changes_to(&carried);
        let lines = changes.iter().map(|change| {
            Line::of(&Put { topic: &change.topic, before: None, after: change.after.as_ref() })
        });
        Ok((from, lines.collect::<Result<_, _>>()?))
    }

    /// Diagnoses of an organisation, or of one of its product lines, newest first; at most 100 at a
    /// time.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn diagnoses(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: Option<&ProductId>,
        page: &Page,
    ) -> Result<Paged<DiagnosisView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadDiagnosis, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let product = product.map(|product| self.product_row(organisation, product)).transpose()?;
        let (before, limit) = page.rows(self.config.limits.page.min(LIST_MAX))?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        self.read(|connection| {
            let rows = match &product {
                Some(product) => store::of_product(connection, product.id, before, limit + 1),
                None => store::diagnoses(connection, owner, before, limit + 1),
            }?;
            Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| {
                let total = total(connection, &row, self.today()?)?;
                self.diagnosis_view(row, total)
            })
        })
    }

    /// A diagnosis without its answers.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn diagnosis(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<DiagnosisView, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let today = self.today()?;
        let total = self.read(|connection| total(connection, &row, today))?;
        self.diagnosis_view(row, total)
    }

    /// Goes on against the check sheet of now: answers to what it does not have any more are taken
    /// away, what is new is open.
    ///
    /// # Errors
    /// `diagnosis-changed`, `diagnosis-signed`, `not-found`, `role`.
    pub async fn adopt_sheet(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        version: u64,
    ) -> Result<DiagnosisView, ServiceError> {
        let row = self.diagnosis_for(caller, Action::AnswerDiagnosis, id)?;
        let (now, by) = (self.now(), caller.to_string());
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&id.to_string())
            .detail("what", "diagnosis-sheet-adopted");
        self.commit(move |tx| {
            let row = still_open(tx, row.id)?;
            let sheet = check_sheet()?.digest();
            if row.sheet == sheet {
                return Ok(());
            }
            at_version(&row, version)?;
            let version = store::count_change(tx, row.id, &sheet, now)?;
            let loaded = load(tx, &row, "any")?;
            for topic in &loaded.orphans {
                let Some(entry) = loaded.entries.get(topic) else { continue };
                let gone = store::EntryRow {
                    version,
                    outcome: None,
                    counts_until: None,
                    entry: None,
                    changed_by: by.clone(),
                    changed_at: now,
                    ..entry.clone()
                };
                store::put_entry(tx, row.id, &gone)?;
                let change = store::ChangeRow {
                    id: 0,
                    version,
                    topic: topic.clone(),
                    how: "sheet".to_owned(),
                    before: entry.entry.clone(),
                    after: None,
                    by: by.clone(),
                    at: now,
                };
                store::insert_change(tx, row.id, &change)?;
                let growth = growth(change.before.as_deref(), None);
                store::charge(tx, (row.id, row.organisation), growth)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.diagnosis(caller, id).await
    }

    /// Discards an open diagnosis. Its history stays in the store, and nobody is shown it.
    ///
    /// # Errors
    /// `diagnosis-signed`, `not-found`, `role`.
    pub async fn discard_diagnosis(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<(), ServiceError> {
        let row = self.diagnosis_for(caller, Action::AnswerDiagnosis, id)?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&id.to_string())
            .detail("what", "diagnosis-discarded");
        self.commit(move |tx| {
            still_open(tx, row.id)?;
            store::discard(tx, row.id)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    pub(super) fn diagnosis_view(
        &self,
        row: DiagnosisRow,
        total: Score,
    ) -> Result<DiagnosisView, ServiceError> {
        let (organisation, product) = self.product_names(row.product)?;
        let signed = match row.state {
            State::Open | State::Discarded => None,
            State::Signed => Some(SignedBy {
                by: row.signed_by.ok_or_else(damaged)?,
                approved_by: row.approved_by.ok_or_else(damaged)?,
                at: row.signed_at.ok_or_else(damaged)?,
                content: row.content.ok_or_else(damaged)?,
                leaf: row.leaf.ok_or_else(damaged)?,
            }),
        };
        Ok(DiagnosisView {
            id: DiagnosisId(row.reference),
            organisation,
            product,
            subject: row.subject,
            state: if signed.is_some() { DiagnosisState::Signed } else { DiagnosisState::Open },
            version: row.version,
            sheet_current: row.sheet == check_sheet()?.digest(),
            sheet: row.sheet,
            opened_by: row.opened_by,
            opened_at: row.opened_at,
            changed_at: row.changed_at,
            signed,
            total,
        })
    }
}

/// The row of a diagnosis that can be changed.
pub(super) fn still_open(tx: &Tx<'_>, id: i64) -> Result<DiagnosisRow, ServiceError> {
    let row = found(store::by_row(tx, id)?, "diagnosis")?;
    is_open(&row)?;
    Ok(row)
}

/// Refuses where the diagnosis is signed.
pub(super) fn is_open(row: &DiagnosisRow) -> Result<(), ServiceError> {
    match row.state {
        State::Open => Ok(()),
        State::Signed | State::Discarded => Err(ServiceError::conflict(
            "diagnosis-signed",
            "this diagnosis is signed and does not change any more; open a new one from it",
        )),
    }
}

/// Refuses where somebody changed the diagnosis since it was read.
pub(super) fn at_version(row: &DiagnosisRow, version: u64) -> Result<(), ServiceError> {
    if row.version == version {
        return Ok(());
    }
    Err(super::changed_meanwhile(&format!(
        "the diagnosis was changed since: it is at version {}, not {version}",
        row.version
    )))
}
