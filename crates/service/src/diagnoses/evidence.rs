//! Use cases: live evidence of a product line, collected from the running platform or read from
//! documents of the build, and the list of approved components.

use super::damaged;
use crate::{
    Page, Paged, Service, ServiceError,
    names::shows_what_it_is,
    store::{
        evidence::{self as store, EvidenceRow},
        release,
    },
};
use advisory::{CodeCoverage, Provenance, Purl, Sbom, ScanReport, TestReport};
use assessment::{CheckVerdict, Collected, Collector, Day, LiveRecord};
use crypto::{Sha256, UnixTime};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;
use std::collections::HashMap;

/// Longest name and subject, in characters.
const NAME_MAX: usize = 100;
/// Evidence that counts of one product line.
const CURRENT_MAX: u64 = 1_000;
/// Components that an organisation may approve.
const APPROVED_MAX: usize = 10_000;
/// Components that are named because they are not approved.
const NAMED_MAX: usize = 20;
/// Lines that tests must reach, in per cent, for coverage to support anything.
const COVERAGE_PERCENT_MIN: u64 = 70;
/// Product lines that one round looks at.
const ROUND: usize = 20;
/// Who collects by itself.
const PLATFORM: &str = "platform";

/// Evidence on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceView {
    /// who looked
    pub collector: Collector,
    /// which of several documents; empty for the running platform
    pub name: String,
    /// which version a document is about; empty for the running platform
    pub subject: String,
    /// what was found
    pub verdict: CheckVerdict,
    /// figures: name and value
    pub figures: Vec<(String, String)>,
    /// digest of the document, or of the figures
    pub digest: Sha256,
    /// who collected it, or handed it in
    pub collected_by: String,
    /// when
    pub collected_at: UnixTime,
    /// until when it counts
    pub expires_at: UnixTime,
    /// since when a newer one counts instead
    pub replaced_at: Option<UnixTime>,
}

/// Approved components that are of the same package and version: documents are held against each.
const ALIKE_MAX: usize = 64;

/// A document of a build.
#[derive(Debug, Clone)]
pub struct NewEvidence {
    /// whose product it is about
    pub organisation: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// which version of it
    pub subject: String,
    /// what kind of document
    pub collector: Collector,
    /// which of several of its kind
    pub name: String,
    /// the document
    pub bytes: Vec<u8>,
}

/// What was read of a document.
struct Read {
    verdict: CheckVerdict,
    figures: Vec<(String, String)>,
}

impl Service {
    /// What counts of a product line now.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn evidence(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<Vec<EvidenceView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadDiagnosis, &resource)?;
        let row = self.product_row(organisation, product)?;
        self.read(|connection| {
            let rows = store::current(connection, row.id)?;
            rows.into_iter()
                .map(|one| {
                    let (version, files) = (one.subject.clone(), one.files);
                    let found = view(one)?;
                    let about = (version.as_str(), files.as_ref());
                    let verdict = still(connection, row.id, about, found.verdict)?;
                    Ok(EvidenceView { verdict, ..found })
                })
                .collect()
        })
    }

    /// All evidence of a product line, what was replaced included, newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn evidence_history(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        page: &Page,
    ) -> Result<Paged<EvidenceView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadDiagnosis, &resource)?;
        let row = self.product_row(organisation, product)?;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        let rows = self.read(|c| store::all(c, row.id, before, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(view)
    }

    /// Looks at the running platform now.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn collect_evidence(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<Vec<EvidenceView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::AddEvidence, &resource)?;
        let row = self.product_row(organisation, product)?;
        let service = self.clone();
        let id = row.id;
        let facts = self.pool.begin(move || service.facts(id)).outcome().await??;
        let by = caller.to_string();
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .detail("what", "evidence-collected");
        let rows = self.collected(&facts, (row.organisation, row.id), &by)?;
        self.commit(move |tx| {
            for row in &rows {
                store::put(tx, row)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.evidence(caller, organisation, product).await
    }

    /// Looks at product lines with a diagnosis at which nobody looked for a while (`Config.evidence_s`).
    pub(crate) fn collect_due_evidence(&self) -> Result<(), ServiceError> {
        let every = self.config.evidence_s;
        if every <= 0 {
            return Ok(());
        }
        let before = self.now().plus(-every);
        for product in self.read(|connection| store::stale(connection, before, ROUND))? {
            let facts = self.facts(product)?;
            let row = self.read(|c| crate::store::organisation::product_by_id(c, product))?;
            let row = row.ok_or_else(damaged)?;
            let rows = self.collected(&facts, (row.organisation, row.id), PLATFORM)?;
            let event = audit::SecurityEvent::new(
                self.now(),
                audit::Kind::ConfigurationChange,
                audit::Outcome::Success,
            )
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&row.slug)
            .detail("what", "evidence-collected");
            self.store.writer.run_blocking(move |tx| {
                for row in &rows {
                    store::put(tx, row)?;
                }
                tx.audit(&event).map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Whether the caller may hand in evidence, asked before a document is sent.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub fn may_add_evidence(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::AddEvidence, &resource)?;
        self.product_row(organisation, product).map(|_| ())
    }

    /// Takes a document of a build: it is read, what it says is kept with its digest.
    ///
    /// # Errors
    /// `evidence` for what cannot be read, `evidence-name`, `too-much-evidence`, `not-found`, `role`.
    pub async fn add_evidence(
        &self,
        caller: &Caller,
        new: NewEvidence,
    ) -> Result<EvidenceView, ServiceError> {
        self.may_add_evidence(caller, &new.organisation, &new.product)?;
        for text in [&new.name, &new.subject] {
            if !(1..=NAME_MAX).contains(&text.chars().count())
                || text.trim() != text.as_str()
                || !shows_what_it_is(text)
            {
                return Err(ServiceError::malformed(
                    "evidence-name",
                    "name and version have 1 to 100 characters of one line",
                ));
            }
        }
        let product = self.product_row(&new.organisation, &new.product)?;
        let NewEvidence { organisation, product: slug, subject, collector, name, bytes } = new;
        let (approved, files) = self.read(|connection| {
            let approved = approved_of(connection, product.organisation)?;
            Ok((approved, files_of(connection, product.id, &subject)?))
        })?;
        let digest = crypto::sha256(&bytes);
        let about = (collector == Collector::Provenance).then(|| digest_of(&files));
        let read = move || read_document(collector, &bytes, &approved, &files);
        let read = self.pool.begin(read).outcome().await??;
        let (now, by) = (self.now(), caller.to_string());
        let row = EvidenceRow {
            id: 0,
            organisation: product.organisation,
            product: product.id,
            collector: collector.word().to_owned(),
            name,
            subject,
            verdict: read.verdict.word().to_owned(),
            figures: serde_json::to_string(&read.figures).map_err(|_| damaged())?,
            digest,
            collected_by: by,
            collected_at: now,
            expires_at: now.plus(i64::from(collector.days()) * 86_400),
            replaced_at: None,
            files: about,
        };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(slug.as_str())
            .detail("what", "evidence-added")
            .detail("collector", collector.word())
            .detail("version", &row.subject)
            .detail("sha256", &digest.to_string())
            .detail("verdict", read.verdict.word());
        let kept = row.clone();
        self.commit(move |tx| {
            store::put(tx, &kept)?;
            // What is about versions of long ago makes room for what is new.
            if store::count_current(tx, kept.product)? > CURRENT_MAX
                && !store::replace_oldest(tx, kept.product, &kept.subject, now)?
            {
                return Err(ServiceError::too_many(
                    "too-much-evidence",
                    "a product line has at most 1,000 pieces of evidence that count; use the same \
                     names again",
                ));
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        view(row)
    }

    /// Package URLs of the components that an organisation approved.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn approved_components(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<String>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadDiagnosis, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        self.read(|connection| texts_of(connection, row))
    }

    /// Approves components: package URLs, with a version for that one only. The list replaces the one
    /// before; bills of materials are held against it when they are handed in.
    ///
    /// # Errors
    /// `component`, `too-many-components`, `not-found`, `role`.
    pub async fn approve_components(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        mut list: Vec<String>,
    ) -> Result<Vec<String>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageOperationGate, &resource)?;
        if list.len() > APPROVED_MAX {
            return Err(ServiceError::too_many(
                "too-many-components",
                "at most 10,000 components can be approved; leave versions out",
            ));
        }
        list.sort();
        list.dedup();
        let mut alike: HashMap<(String, Option<String>), usize> = HashMap::new();
        for text in &list {
            let purl = text.parse::<Purl>().map_err(|error| {
                let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
                ServiceError::malformed("component", format!("{shown}: {error}"))
            })?;
            let count = alike.entry((purl.package().to_string(), purl.version)).or_default();
            *count = count.saturating_add(1);
            if *count > ALIKE_MAX {
                return Err(ServiceError::too_many(
                    "too-many-components",
                    "at most 64 components may differ in qualifiers and subpath only; leave those out",
                ));
            }
        }
        let row = self.organisation_row(organisation.as_str())?.id;
        let text = serde_json::to_string(&list).map_err(|_| damaged())?;
        let (now, by) = (self.now(), caller.to_string());
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(organisation.as_str())
            .detail("what", "components-approved")
            .detail("components", &list.len().to_string())
            .detail("sha256", &crypto::sha256(text.as_bytes()).to_string());
        self.commit(move |tx| {
            store::set_approved(tx, row, &text, &by, now)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(list)
    }

    fn collected(
        &self,
        facts: &[assessment::Facts],
        (organisation, product): (i64, i64),
        by: &str,
    ) -> Result<Vec<EvidenceRow>, ServiceError> {
        let now = self.now();
        facts
            .iter()
            .map(|facts| {
                let figures: Vec<(String, String)> = facts
                    .figures()
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect();
                Ok(EvidenceRow {
                    id: 0,
                    organisation,
                    product,
                    collector: facts.collector().word().to_owned(),
                    name: String::new(),
                    subject: String::new(),
                    verdict: facts.judge().word().to_owned(),
                    figures: serde_json::to_string(&figures).map_err(|_| damaged())?,
                    digest: facts.digest(),
                    collected_by: by.to_owned(),
                    collected_at: now,
                    expires_at: now.plus(i64::from(facts.collector().days()) * 86_400),
                    replaced_at: None,
                    files: None,
                })
            })
            .collect()
    }
}

/// What counts of a version of a product line now, for diagnoses.
pub(super) fn checks(
    connection: &Connection,
    product: i64,
    subject: &str,
) -> Result<Vec<Collected>, ServiceError> {
    let rows = store::counting(connection, product, subject)?;
    rows.into_iter()
        .map(|row| {
            let verdict = CheckVerdict::of_word(&row.verdict).ok_or_else(damaged)?;
            let about = (row.subject.as_str(), row.files.as_ref());
            Ok(Collected {
                verdict: still(connection, product, about, verdict)?,
                collector: Collector::of_word(&row.collector).ok_or_else(damaged)?,
                subject: (!row.subject.is_empty()).then_some(row.subject),
                until: Day::of(row.expires_at).ok_or_else(damaged)?,
            })
        })
        .collect()
}

/// A verdict about a release's files holds for these files: where others came since, nobody has looked.
fn still(
    connection: &Connection,
    product: i64,
    (version, files): (&str, Option<&Sha256>),
    verdict: CheckVerdict,
) -> Result<CheckVerdict, ServiceError> {
    match files {
        Some(files) if digest_of(&files_of(connection, product, version)?) != *files => {
            Ok(CheckVerdict::Inconclusive)
        }
        _ => Ok(verdict),
    }
}

/// A digest of files, in whatever order they stand.
fn digest_of(files: &[Sha256]) -> Sha256 {
    let mut all: Vec<[u8; 32]> = files.iter().map(|file| file.0).collect();
    all.sort_unstable();
    crypto::sha256(&all.concat())
}

/// The same with where it comes from, for the trace.
pub(crate) fn live_records(
    connection: &Connection,
    product: i64,
) -> Result<Vec<LiveRecord>, ServiceError> {
    let rows = store::current(connection, product)?;
    rows.into_iter()
        .map(|row| {
            let verdict = CheckVerdict::of_word(&row.verdict).ok_or_else(damaged)?;
            let about = (row.subject.as_str(), row.files.as_ref());
            Ok(LiveRecord {
                verdict: still(connection, product, about, verdict)?,
                collector: Collector::of_word(&row.collector).ok_or_else(damaged)?,
                name: row.name,
                subject: (!row.subject.is_empty()).then_some(row.subject),
                sha256: row.digest,
                by: row.collected_by,
                on: Day::of(row.collected_at).ok_or_else(damaged)?,
                until: Day::of(row.expires_at).ok_or_else(damaged)?,
            })
        })
        .collect()
}

fn view(row: EvidenceRow) -> Result<EvidenceView, ServiceError> {
    Ok(EvidenceView {
        collector: Collector::of_word(&row.collector).ok_or_else(damaged)?,
        name: row.name,
        subject: row.subject,
        verdict: CheckVerdict::of_word(&row.verdict).ok_or_else(damaged)?,
        figures: serde_json::from_str(&row.figures).map_err(|_| damaged())?,
        digest: row.digest,
        collected_by: row.collected_by,
        collected_at: row.collected_at,
        expires_at: row.expires_at,
        replaced_at: row.replaced_at,
    })
}

fn texts_of(connection: &Connection, organisation: i64) -> Result<Vec<String>, ServiceError> {
    match store::approved(connection, organisation)? {
        None => Ok(Vec::new()),
        Some((list, ..)) => serde_json::from_str(&list).map_err(|_| damaged()),
    }
}

fn approved_of(connection: &Connection, organisation: i64) -> Result<Vec<Purl>, ServiceError> {
    let texts = texts_of(connection, organisation)?;
    texts.iter().map(|text| text.parse().map_err(|_| damaged())).collect()
}

/// Digests of the files of a product's release of this version.
fn files_of(
    connection: &Connection,
    product: i64,
    version: &str,
) -> Result<Vec<Sha256>, ServiceError> {
    let release = release::same_release(connection, product, version, u64::MAX)?;
    let Some(release) = release.filter(|release| release.version == version) else {
        return Ok(Vec::new());
    };
    let artifacts = release::artifacts(connection, release.id)?;
    Ok(artifacts.into_iter().map(|artifact| artifact.blob.sha256).collect())
}

fn read_document(
    collector: Collector,
    bytes: &[u8],
    approved: &[Purl],
    files: &[Sha256],
) -> Result<Read, ServiceError> {
    use CheckVerdict::{Fail, Inconclusive, Pass};
    let bad = |error: advisory::AdvisoryError| {
        ServiceError::malformed("evidence", format!("{error}; {}", error.hint()))
    };
    let verdict = |good: bool| if good { Pass } else { Fail };
    let figure = |name: &str, value: u64| (name.to_owned(), value.to_string());
    match collector {
        Collector::Tests => {
            let report = TestReport::parse(bytes).map_err(bad)?;
            let ran = report.tests.saturating_sub(report.skipped);
            let found = if ran == 0 && !report.has_failed() {
                Inconclusive
            } else {
                verdict(!report.has_failed())
            };
            let mut figures = vec![
                figure("tests", report.tests),
                figure("failures", report.failures),
                figure("errors", report.errors),
                figure("skipped", report.skipped),
            ];
            if !report.failed.is_empty() {
                figures.push(("failed".to_owned(), report.failed.join(" ")));
            }
            Ok(Read { verdict: found, figures })
        }
        Collector::Coverage => {
            let report = CodeCoverage::parse(bytes).map_err(bad)?;
            let enough = report.lines_percent().is_some_and(|share| share >= COVERAGE_PERCENT_MIN);
            Ok(Read {
                verdict: if enough { Pass } else { Inconclusive },
                figures: vec![
                    figure("lines", report.lines),
                    figure("lines-reached", report.lines_reached),
                    figure("branches", report.branches),
                    figure("branches-reached", report.branches_reached),
                ],
            })
        }
        Collector::Findings => {
            let report = ScanReport::parse(bytes).map_err(bad)?;
            let figures = vec![
                ("tools".to_owned(), report.tools.join(" ")),
                figure("errors", report.errors),
                figure("warnings", report.warnings),
                figure("notes", report.notes),
                figure("suppressed", report.suppressed),
            ];
            Ok(Read { verdict: verdict(report.errors == 0 && !report.aborted), figures })
        }
        Collector::Components => {
            let sbom = Sbom::parse(bytes).map_err(bad)?;
            let found = advisory::unapproved(&sbom, approved);
            let mut figures = vec![
                figure("components", u64::try_from(sbom.components.len()).unwrap_or(u64::MAX)),
                figure("not-approved", u64::try_from(found.len()).unwrap_or(u64::MAX)),
            ];
            let named: Vec<&str> = found.iter().take(NAMED_MAX).map(String::as_str).collect();
            if !named.is_empty() {
                figures.push(("first".to_owned(), named.join(" ")));
            }
            let result = if approved.is_empty() { Inconclusive } else { verdict(found.is_empty()) };
            Ok(Read { verdict: result, figures })
        }
        Collector::Provenance => {
            let provenance = Provenance::parse(bytes).map_err(bad)?;
            let covered = files.iter().filter(|file| provenance.is_about(file)).count();
            let builder = provenance
                .statements
                .iter()
                .find_map(|one| one.builder.clone())
                .unwrap_or_default();
            let result = match files.is_empty() {
                true => Inconclusive,
                false => verdict(covered == files.len()),
            };
            Ok(Read {
                verdict: result,
                figures: vec![
                    figure("files", u64::try_from(files.len()).unwrap_or(u64::MAX)),
                    figure("covered", u64::try_from(covered).unwrap_or(u64::MAX)),
                    ("builder".to_owned(), builder),
                ],
            })
        }
        _ => Err(ServiceError::malformed(
            "evidence",
            "this is collected from the running platform; documents are tests, coverage, findings, \
             components, provenance",
        )),
    }
}
