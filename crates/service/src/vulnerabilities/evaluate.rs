//! Judges components of one SBOM by what is on record now. Reads only.

use super::{record::Record, statements};
use crate::{
    ServiceError,
    store::{
        advisory::{self as advisories, AdvisoryRow},
        sbom as sboms,
        sbom::{SbomRow, SoftwareRow},
        vex,
    },
};
use advisory::{
    Advisory, AdvisoryIndex, CheckContext, Exploited, KnownExploited, MatchKey, Origin, Sbom,
    Statement, StatementSet, VexDocument, VulnerabilityId, check_components,
};
use crypto::UnixTime;
use rusqlite::Connection;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Bytes of documents that are kept read.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Components of SBOMs that are kept read.
const KEPT_COMPONENTS_MAX: usize = 400_000;

/// What was read and may be needed again. A row's bytes never change, so that nothing goes stale.
#[derive(Default)]
pub(super) struct Kept {
    sboms: HashMap<i64, Arc<Sbom>>,
    components: usize,
    documents: HashMap<i64, Arc<Vec<Advisory>>>,
    statements: HashMap<i64, Arc<Vec<Statement>>>,
    bytes: usize,
}

/// What was found about one component.
pub(super) struct Judged {
    pub(super) component: usize,
    pub(super) label: String,
    /// by name
    pub(super) records: BTreeMap<String, Record>,
}

impl Kept {
    /// An SBOM as judging needs it: one without an id gets one, by which statements about the
    /// whole software reach it.
    pub(super) fn sbom(
        &mut self,
        connection: &Connection,
        row: &SbomRow,
    ) -> Result<Arc<Sbom>, ServiceError> {
        if let Some(sbom) = self.sboms.get(&row.id) {
            return Ok(Arc::clone(sbom));
        }
        let damaged = |_| ServiceError::fatal("store-damaged", "a stored SBOM is damaged");
        let bytes = sboms::sbom_bytes(connection, row.id)?.unwrap_or_default();
        let mut sbom = Sbom::parse(&bytes).map_err(damaged)?;
        if sbom.serial.is_none() {
            sbom.serial = Some(format!("urn:tegata:sbom:{}", row.digest));
        }
        let sbom = Arc::new(sbom);
        self.components += sbom.components.len();
        if self.components > KEPT_COMPONENTS_MAX {
            self.sboms.clear();
            self.components = sbom.components.len();
        }
        self.sboms.insert(row.id, Arc::clone(&sbom));
        Ok(sbom)
    }

    fn document(
        &mut self,
        connection: &Connection,
        id: i64,
    ) -> Result<Arc<Vec<Advisory>>, ServiceError> {
        if let Some(document) = self.documents.get(&id) {
            return Ok(Arc::clone(document));
        }
        let bytes = advisories::document_bytes(connection, id)?.unwrap_or_default();
        let list = Advisory::parse(&bytes)
            .map_err(|_| ServiceError::fatal("store-damaged", "a stored advisory is damaged"))?;
        self.room(bytes.len());
        let list = Arc::new(list);
        self.documents.insert(id, Arc::clone(&list));
        Ok(list)
    }

    pub(super) fn vex(
        &mut self,
        connection: &Connection,
        id: i64,
    ) -> Result<Arc<Vec<Statement>>, ServiceError> {
        if let Some(statements) = self.statements.get(&id) {
            return Ok(Arc::clone(statements));
        }
        let damaged = || ServiceError::fatal("store-damaged", "a stored VEX document is damaged");
        let (_, bytes) = vex::document(connection, id)?.ok_or_else(damaged)?;
        let statements = Arc::new(VexDocument::parse(&bytes).map_err(|_| damaged())?.statements);
        self.room(bytes.len());
        self.statements.insert(id, Arc::clone(&statements));
        Ok(statements)
    }

    fn room(&mut self, more: usize) {
        self.bytes = self.bytes.saturating_add(more);
        if self.bytes > KEPT_BYTES_MAX {
            self.documents.clear();
            self.statements.clear();
            self.bytes = more;
        }
    }
}

/// Judges components of an SBOM. `platform` is the organisation whose advisories are everybody's.
pub(super) fn judge(
    connection: &Connection,
    kept: &mut Kept,
    platform: i64,
    (row, software): (&SbomRow, &SoftwareRow),
    components: &[usize],
    now: UnixTime,
) -> Result<Vec<Judged>, ServiceError> {
    let sbom = kept.sbom(connection, row)?;
    let maker = software.organisation;
    // The platform's before the maker's own: of two alike the later one counts.
    let mut found: BTreeMap<(bool, i64), AdvisoryRow> = BTreeMap::new();
    for component in components.iter().filter_map(|index| sbom.components.get(*index)) {
        for key in MatchKey::of_component(component) {
            for row in advisories::by_key(connection, key.as_str(), platform, maker)? {
                found.insert((row.organisation != platform, row.id), row);
            }
        }
    }
    let mut index = AdvisoryIndex::new();
    let (mut public, mut ids) = (HashSet::new(), BTreeSet::new());
    for ((own, _), row) in found {
        let document = kept.document(connection, row.document)?;
        let Some(advisory) = document.get(row.part) else { continue };
        if !own {
            public.insert(advisory.id.clone());
        }
        ids.extend(advisory.ids());
        ids.extend(advisory.upstream.iter().cloned());
        index.insert(advisory.clone());
    }
    let mut said = StatementSet::new();
    for row in vex::statements_of(connection, software.product)? {
        if row.software.is_none_or(|only| only == software.id)
            && let Some(statement) = statements::of_row(connection, kept, &row, &sbom)?
        {
            let claim = statement.claim();
            ids.extend(claim.aliases.iter().chain([&claim.vulnerability]).cloned());
            let origin = if row.origin == statements::OWN { Origin::Own } else { Origin::Supplier };
            said.add(origin, [statement]);
        }
    }
    for claim in sbom.statements.iter().map(Statement::claim) {
        ids.extend(claim.aliases.iter().chain([&claim.vulnerability]).cloned());
    }
    let exploited = exploited(connection, &ids, platform, maker)?;
    let context =
        CheckContext { exploited: &exploited, statements: &said, embedded: Origin::Supplier, now };
    let report = check_components(&sbom, components.iter().copied(), &index, &context);
    let mut judged: BTreeMap<usize, Judged> = components
        .iter()
        .map(|component| {
            let label = sbom.components.get(*component).map(advisory::Component::label);
            let label = label.unwrap_or_default();
            (*component, Judged { component: *component, label, records: BTreeMap::new() })
        })
        .collect();
    for (silenced, findings) in [(false, &report.findings), (true, &report.silenced)] {
        for finding in findings {
            if let Some(judged) = judged.get_mut(&finding.component) {
                let record = Record::of(finding, silenced, &public);
                judged.records.insert(finding.id.to_string(), record);
            }
        }
    }
    Ok(judged.into_values().collect())
}

fn exploited(
    connection: &Connection,
    ids: &BTreeSet<VulnerabilityId>,
    platform: i64,
    maker: i64,
) -> Result<KnownExploited, ServiceError> {
    let mut exploited = KnownExploited::default();
    for id in ids {
        if let Some(row) = advisories::exploited(connection, id.as_str(), platform, maker)? {
            let entry = Exploited { since: row.since, due: row.due, ransomware: row.ransomware };
            exploited.insert(id.clone(), entry);
        }
    }
    Ok(exploited)
}
