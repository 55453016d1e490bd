//! Use case: a maker's vulnerabilities, the gravest first, and what is known of each.

use super::{
    ExploitedFact, SaidFact,
    record::Record,
    settle::{self, ExposureStatus, Facts},
};
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{
        exposure::{self as store, ExposureRow, SumRow},
        sbom as sboms,
    },
};
use advisory::{Rating, VulnerabilityId};
use crypto::UnixTime;
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use std::collections::{BTreeSet, HashSet};

/// Rows that a page may cost.
const STEPS_MAX: usize = 20_000;
/// Rows that are read at a time.
const STEP: usize = 200;
/// Exposures and components of one vulnerability that are shown.
const SHOWN_MAX: usize = 1_000;
/// Notes of an exposure that are shown.
const NOTES_MAX: usize = 50;
/// From this rank on something is open.
const OPEN_RANK: i64 = 1 << 20;

/// Which vulnerabilities are wanted; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VulnerabilityQuery {
    /// where they stand
    pub state: VulnerabilityState,
    /// known to be exploited
    pub exploited: bool,
    /// rated like this or worse; what nobody rated is among them
    pub rating: Option<Rating>,
    /// in this product line
    pub product: Option<ProductId>,
    /// known under this id
    pub id: Option<String>,
}

/// Where vulnerabilities stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VulnerabilityState {
    /// affected or under investigation somewhere
    #[default]
    Open,
    /// judged and reopened somewhere
    Reopened,
    /// fixed or not affected everywhere
    Settled,
    /// any
    All,
}

impl VulnerabilityState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Reopened, Self::Settled, Self::All];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Reopened => "reopened",
            Self::Settled => "settled",
            Self::All => "all",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A vulnerability in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VulnerabilityLine {
    /// what it is called by: a CVE id where there is one
    pub name: String,
    /// every id of it
    pub ids: BTreeSet<String>,
    /// one line
    pub summary: String,
    /// the score in tenths, 0 to 100; `None` where nobody scored it
    pub tenths: Option<u8>,
    /// the CVSS vector, or the word
    pub vector: Option<String>,
    /// whether and how it is exploited
    pub exploited: Option<ExploitedFact>,
    /// known from the organisation's own advisories only
    pub private: bool,
    /// the gravest status of all
    pub status: ExposureStatus,
    /// versions of software that are affected or under investigation
    pub open: u64,
    /// versions of software that have it, judged or not
    pub exposures: u64,
    /// judgements that are to be looked at again
    pub reopened: u64,
    /// later versions of components that have the fix
    pub fixed: Vec<String>,
    /// when it was first published
    pub published: Option<UnixTime>,
    /// when it was first found here
    pub first_seen: UnixTime,
    /// since when nothing is open
    pub settled_at: Option<UnixTime>,
}

/// A vulnerability with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VulnerabilityDetail {
    /// as in a list
    pub line: VulnerabilityLine,
    /// what an issuer advises
    pub remedy: Option<String>,
    /// where it is
    pub exposures: Vec<ExposureView>,
}

/// A vulnerability in one version of a product's software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposureView {
    /// the product line
    pub product: ProductId,
    /// the version
    pub version: String,
    /// where it stands
    pub status: ExposureStatus,
    /// whether somebody said so
    pub judged: bool,
    /// whether it is certain that a component is affected
    pub certain: bool,
    /// what was said, by whom
    pub said: Vec<SaidFact>,
    /// the components that bring it in
    pub components: Vec<FoundComponent>,
    /// since when a judgement is to be looked at again
    pub reopened_at: Option<UnixTime>,
    /// why: `advisory-changed`, `no-longer-covered`
    pub reopened_why: Option<String>,
    /// when it was first found
    pub first_seen: UnixTime,
    /// when it changed last
    pub changed_at: UnixTime,
    /// since when it is gone, where nothing brings it in any more
    pub closed_at: Option<UnixTime>,
    /// what became of it, the newest first: when, what, detail
    pub notes: Vec<(UnixTime, String, String)>,
}

/// A component that has a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundComponent {
    /// name and version
    pub label: String,
    /// affected, or not decided
    pub affected: bool,
    /// why
    pub reasons: Vec<FoundReason>,
    /// later versions that have the fix
    pub fixed: Vec<String>,
    /// whether a statement silences it
    pub silenced: bool,
}

/// Why a component is thought to have a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundReason {
    /// the advisory
    pub advisory: String,
    /// stable code
    pub code: String,
    /// the version, range, attribute or release that it is about
    pub detail: String,
}

impl Service {
    /// An organisation's vulnerabilities: those of the software of its products, the gravest first:
    /// open before settled, exploited before others, then by score.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`, `vulnerability`.
    pub async fn vulnerabilities(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        wanted: &VulnerabilityQuery,
        page: &Page,
    ) -> Result<Paged<VulnerabilityLine>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let product = match &wanted.product {
            Some(product) => Some(self.product_row(organisation, product)?.id),
            None => None,
        };
        let after = place(page)?;
        let limit = page.count(self.config.limits.page);
        let wanted = wanted.clone();
        let (lines, next) = self
            .at_desk(owner, move |service, asked| {
                service.read(|connection| {
                    let listing = Listing { owner, product, wanted: &wanted };
                    listing.page(connection, after.clone(), limit, &|| asked.still())
                })
            })
            .await?;
        Ok(Paged { items: lines, next })
    }

    /// One vulnerability of an organisation's products, by any of its ids.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn vulnerability(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: &str,
    ) -> Result<VulnerabilityDetail, ServiceError> {
        self.vulnerability_in(caller, organisation, id, SHOWN_MAX).await
    }

    /// The same with at most so many of the versions that have it, the gravest first.
    ///
    /// # Errors
    /// As [`Self::vulnerability`].
    pub async fn vulnerability_in(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: &str,
        most: usize,
    ) -> Result<VulnerabilityDetail, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let name = self.vulnerability_name(owner, id)?;
        let (sum, mut rows) = self.read(|connection| {
            let sum = store::sum(connection, owner, &name)?;
            Ok((sum, store::exposures_named(connection, owner, &name)?))
        })?;
        let sum = found(sum, "vulnerability")?;
        let mut exposures = Vec::new();
        let mut remedy = None;
        if rows.len() > most {
            rows.sort_by_key(|row| (row.closed_at.is_some(), row.status));
        }
        for row in rows.iter().take(most.min(SHOWN_MAX)) {
            let facts: Facts = settle::read(&row.facts)?;
            remedy = remedy.or_else(|| facts.remedy.clone());
            exposures.push(self.exposure_view(row, facts)?);
        }
        Ok(VulnerabilityDetail { line: line(&sum, &rows)?, remedy, exposures })
    }

    /// What a vulnerability is called here.
    pub(super) fn vulnerability_name(&self, owner: i64, id: &str) -> Result<String, ServiceError> {
        let id = VulnerabilityId::new(id);
        let id = found(id, "vulnerability")?;
        let (own, other) = self.read(|connection| {
            let own = store::sum(connection, owner, id.as_str())?;
            Ok((own, store::names_of_id(connection, owner, id.as_str())?))
        })?;
        match own {
            Some(sum) if sum.exposures > 0 || other.is_empty() => Ok(sum.name),
            _ => found(other.into_iter().next(), "vulnerability"),
        }
    }

    pub(super) fn exposure_view(
        &self,
        row: &ExposureRow,
        facts: Facts,
    ) -> Result<ExposureView, ServiceError> {
        let (software, components, notes) = self.read(|connection| {
            Ok((
                sboms::software_by_id(connection, row.software)?,
                store::components(connection, row.id)?,
                store::notes(connection, row.id, NOTES_MAX)?,
            ))
        })?;
        let software = found(software, "version")?;
        let (_, product) = self.product_names(software.product)?;
        let components = settle::records(components)?;
        Ok(ExposureView {
            product,
            version: software.version,
            status: ExposureStatus::from_number(row.status),
            judged: row.judged,
            certain: row.verdict == 2,
            said: facts.said,
            components: components
                .into_iter()
                .take(SHOWN_MAX)
                .map(|(row, record)| component(row.label, record))
                .collect(),
            reopened_at: row.reopened_at,
            reopened_why: row.reopened_why.clone(),
            first_seen: row.first_seen,
            changed_at: row.changed_at,
            closed_at: row.closed_at,
            notes: notes.into_iter().map(|note| (note.at, note.what, note.detail)).collect(),
        })
    }
}

fn component(label: String, record: Record) -> FoundComponent {
    FoundComponent {
        label,
        affected: record.affected,
        reasons: record
            .reasons
            .into_iter()
            .map(|(advisory, code, detail)| FoundReason { advisory, code, detail })
            .collect(),
        fixed: record.fixed,
        silenced: record.silenced,
    }
}

/// What a list of an organisation's vulnerabilities goes through.
struct Listing<'a> {
    owner: i64,
    product: Option<i64>,
    wanted: &'a VulnerabilityQuery,
}

type Part = (Vec<VulnerabilityLine>, Option<String>);

impl Listing<'_> {
    fn page(
        &self,
        connection: &rusqlite::Connection,
        after: Option<(i64, String)>,
        limit: usize,
        still: &dyn Fn() -> Result<(), ServiceError>,
    ) -> Result<Part, ServiceError> {
        let mut out = Vec::new();
        let ids = match &self.wanted.id {
            None => None,
            Some(id) => Some(store::names_of_id(connection, self.owner, id)?),
        };
        let mut place = after;
        if self.wanted.state == VulnerabilityState::Settled
            && place.as_ref().is_none_or(|(rank, _)| *rank >= OPEN_RANK)
        {
            place = Some((OPEN_RANK - 1, String::new()));
        }
        for _ in 0..STEPS_MAX / STEP {
            still()?;
            let from = place.as_ref().map(|(rank, name)| (*rank, name.as_str()));
            let rows = store::sums(connection, self.owner, from, STEP)?;
            let full = rows.len() == STEP;
            for row in rows {
                if self.wanted.state == VulnerabilityState::Open && row.rank < OPEN_RANK {
                    return Ok((out, None));
                }
                let next = (row.rank, row.name.clone());
                let named = ids.as_ref().is_none_or(|ids| ids.contains(&row.name));
                if named && let Some(line) = self.fits(connection, &row)? {
                    if out.len() == limit {
                        return Ok((out, place.map(|(rank, name)| format!("{rank}.{name}"))));
                    }
                    out.push(line);
                }
                place = Some(next);
            }
            if !full {
                return Ok((out, None));
            }
        }
        Ok((out, place.map(|(rank, name)| format!("{rank}.{name}"))))
    }

    fn fits(
        &self,
        connection: &rusqlite::Connection,
        row: &SumRow,
    ) -> Result<Option<VulnerabilityLine>, ServiceError> {
        if self.wanted.state == VulnerabilityState::Reopened && row.reopened == 0 {
            return Ok(None);
        }
        let rows = store::exposures_named(connection, self.owner, &row.name)?;
        let in_product = |exposure: &ExposureRow| match self.product {
            None => Ok(true),
            Some(product) => Ok::<_, ServiceError>(
                sboms::software_by_id(connection, exposure.software)?
                    .is_some_and(|software| software.product == product),
            ),
        };
        let mut any = false;
        for exposure in rows.iter().filter(|exposure| exposure.closed_at.is_none()) {
            any = in_product(exposure)?;
            if any {
                break;
            }
        }
        let line = line(row, &rows)?;
        let rated = self.wanted.rating.is_none_or(|least| {
            line.tenths.is_none_or(|tenths| Rating::of_tenths(tenths) >= least)
        });
        let exploited = !self.wanted.exploited || line.exploited.is_some();
        Ok((any && rated && exploited).then_some(line))
    }
}

/// A vulnerability from its exposures.
pub(super) fn line(sum: &SumRow, rows: &[ExposureRow]) -> Result<VulnerabilityLine, ServiceError> {
    let mut line = VulnerabilityLine {
        name: sum.name.clone(),
        ids: BTreeSet::new(),
        summary: String::new(),
        tenths: None,
        vector: None,
        exploited: None,
        private: true,
        status: ExposureStatus::NotAffected,
        open: sum.open,
        exposures: sum.exposures,
        reopened: sum.reopened,
        fixed: Vec::new(),
        published: None,
        first_seen: sum.first_seen,
        settled_at: sum.settled_at,
    };
    let standing = rows.iter().filter(|row| row.closed_at.is_none() || sum.exposures == 0);
    // Most versions of a product say the same: what is equal is read once.
    let mut seen: HashSet<&str> = HashSet::new();
    for row in standing {
        line.private &= row.private;
        line.status = line.status.min(ExposureStatus::from_number(row.status));
        let fresh = seen.insert(&row.facts);
        if !fresh && row.tenths <= line.tenths {
            continue;
        }
        let facts: Facts = settle::read(&row.facts)?;
        line.ids.extend(facts.ids);
        if line.summary.is_empty() {
            line.summary = facts.summary;
        }
        if row.tenths > line.tenths {
            line.tenths = row.tenths;
            line.vector = facts.vector;
        }
        line.exploited = line.exploited.or(facts.exploited);
        for fix in facts.fixed {
            if !line.fixed.contains(&fix) && line.fixed.len() < 64 {
                line.fixed.push(fix);
            }
        }
        line.published = match (line.published, facts.published.map(UnixTime)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok(line)
}

/// A vulnerability from some exposures, whoever's they are.
pub(super) fn line_of(name: &str, rows: &[ExposureRow]) -> Result<VulnerabilityLine, ServiceError> {
    let count = |wanted: fn(&&ExposureRow) -> bool| {
        u64::try_from(rows.iter().filter(wanted).count()).unwrap_or(u64::MAX)
    };
    let sum = SumRow {
        organisation: 0,
        name: name.to_owned(),
        rank: 0,
        open: count(|row| ExposureStatus::from_number(row.status).is_open()),
        exposures: count(|_| true),
        reopened: count(|row| row.reopened_at.is_some()),
        first_seen: rows.iter().map(|row| row.first_seen).min().unwrap_or(UnixTime::NEVER),
        settled_at: None,
    };
    line(&sum, rows)
}

/// Rank and name after which a page begins.
fn place(page: &Page) -> Result<Option<(i64, String)>, ServiceError> {
    let Some(text) = &page.after else { return Ok(None) };
    let place = text.split_once('.').and_then(|(rank, name)| {
        let rank = rank.parse::<u32>().ok()?;
        Some((i64::from(rank), name.to_owned()))
    });
    place.map(Some).ok_or_else(|| page.misplaced())
}
