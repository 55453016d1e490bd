//! Use case: statements about vulnerabilities in products (VEX): made here, taken from documents,
//! withdrawn, and written as documents for others.

use super::{evaluate::Kept, record_line, sboms::VERSION_MAX};
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{
        Tx, exposure, sbom as sboms,
        vex::{self as store, StatementRow},
    },
};
use advisory::{
    Claim, DocumentInfo, Justification, MatchKey, Product, Purl, Sbom, Statement, Status,
    VexDocument, VexFormat, VulnerabilityId,
};
use crypto::{UnixTime, random};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
    str::FromStr,
};

/// `origin` of a statement of the organisation itself.
pub(super) const OWN: u8 = 2;
const SUPPLIER: u8 = 1;
/// Longest words of a statement, in characters.
const WORDS_MAX: usize = 2_000;
/// Most statements of one document.
const STATEMENTS_MAX: usize = 10_000;
/// How far a statement may be dated into the future before it waits, in seconds; as `advisory` has it.
const CLOCK_S: i64 = 300;

/// Identifier of a statement: 16 bytes, as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatementId(pub(crate) [u8; 16]);

impl fmt::Display for StatementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for StatementId {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}

/// A statement to be made.
#[derive(Debug, Clone)]
pub struct NewStatement {
    /// whose product it is
    pub organisation: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// one version of its software; `None`: every one, those to come included
    pub version: Option<String>,
    /// the vulnerability
    pub vulnerability: String,
    /// only in this component: a package URL
    pub component: Option<String>,
    /// `not_affected`, `affected`, `fixed`, `under_investigation`
    pub status: String,
    /// why it is not affected, as OpenVEX's word
    pub justification: Option<String>,
    /// why it is not affected, in words
    pub impact: Option<String>,
    /// what is to be done where it is affected
    pub action: Option<String>,
    /// until when it holds
    pub expires: Option<UnixTime>,
}

/// A VEX document that comes in.
#[derive(Debug, Clone)]
pub struct VexImport {
    /// whose product it is
    pub organisation: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// one version of its software; `None`: every one
    pub version: Option<String>,
    /// whether the organisation says so itself, not a supplier
    pub own: bool,
    /// the document
    pub bytes: Vec<u8>,
}

/// A statement on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementView {
    /// its id
    pub id: StatementId,
    /// whose product it is about
    pub organisation: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// the version of its software; `None`: every one
    pub version: Option<String>,
    /// the vulnerability
    pub vulnerability: String,
    /// `not_affected`, `affected`, `fixed`, `under_investigation`
    pub status: String,
    /// why it is not affected, as OpenVEX's word
    pub justification: Option<String>,
    /// why, or what to do, in words
    pub words: Option<String>,
    /// whether the organisation says so itself, not a supplier
    pub own: bool,
    /// whether it came in a document
    pub imported: bool,
    /// who says it, by its own account
    pub author: String,
    /// who put it on record
    pub said_by: String,
    /// since when it holds
    pub said_at: UnixTime,
    /// until when it holds
    pub expires: Option<UnixTime>,
    /// who withdrew it
    pub withdrawn_by: Option<String>,
    /// when
    pub withdrawn_at: Option<UnixTime>,
}

/// What a statement says beside the columns of its row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Terms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    justification: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    impact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    /// every id that it names
    ids: BTreeSet<String>,
    /// keys of what it names; `None`: anything
    keys: Option<BTreeSet<String>>,
}

/// What a statement concerns: judged anew when it comes, goes, begins or ends.
pub(super) struct Reach {
    organisation: i64,
    product: i64,
    software: Option<i64>,
    ids: BTreeSet<String>,
    keys: Option<BTreeSet<String>>,
}

/// More keys than this are looked for one after the other no more: everything is judged.
const KEYS_MAX: usize = 500;

/// Has judged what statements concern, each thing once: ten thousand statements about the same product
/// must not go through it ten thousand times.
pub(super) fn judge_all(tx: &Tx<'_>, reaches: Vec<Reach>) -> Result<(), ServiceError> {
    let mut merged: BTreeMap<(i64, i64, Option<i64>), Reach> = BTreeMap::new();
    for reach in reaches {
        match merged.entry((reach.organisation, reach.product, reach.software)) {
            Entry::Vacant(new) => {
                new.insert(reach);
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.ids.extend(reach.ids);
                known.keys = match (known.keys.take(), reach.keys) {
                    (Some(mut keys), Some(more)) => {
                        keys.extend(more);
                        Some(keys)
                    }
                    _ => None,
                };
            }
        }
    }
    for reach in merged.values_mut() {
        reach.keys = reach.keys.take().filter(|keys| keys.len() <= KEYS_MAX);
        reach.judge(tx)?;
    }
    Ok(())
}

impl Reach {
    pub(super) fn judge(&self, tx: &Tx<'_>) -> Result<(), ServiceError> {
        for id in &self.ids {
            let (maker, product) = (Some(self.organisation), Some(self.product));
            sboms::judge_id(tx, id, maker, product, self.software)?;
        }
        match &self.keys {
            None => sboms::judge_product(tx, self.product, self.software, None),
            Some(keys) => keys.iter().try_for_each(|key| {
                sboms::judge_product(tx, self.product, self.software, Some(key))
            }),
        }
    }
}

pub(super) fn reach(_: &Connection, row: &StatementRow) -> Result<Reach, ServiceError> {
    let terms: Terms = super::settle::read(&row.terms)?;
    Ok(Reach {
        organisation: row.organisation,
        product: row.product,
        software: row.software,
        ids: terms.ids,
        keys: terms.keys,
    })
}

/// When a statement begins or ceases to hold next.
pub(super) fn due(expires: Option<UnixTime>, said_at: UnixTime, now: UnixTime) -> Option<UnixTime> {
    let begins = said_at.plus(-CLOCK_S);
    if begins > now { Some(begins) } else { expires.filter(|expires| *expires > now) }
}

/// The statement of a row, as it is about an SBOM; `None` where its document does not hold it.
pub(super) fn of_row(
    connection: &Connection,
    kept: &mut Kept,
    row: &StatementRow,
    sbom: &Sbom,
) -> Result<Option<Statement>, ServiceError> {
    if let Some((document, part)) = row.document {
        return Ok(kept.vex(connection, document)?.get(part).cloned());
    }
    let terms: Terms = super::settle::read(&row.terms)?;
    let damaged = || ServiceError::fatal("store-damaged", "a stored statement is damaged");
    let product = Product {
        reference: sbom.serial.clone(),
        subcomponents: component(terms.component.as_deref())?,
        ..Product::default()
    };
    let claim = claim_of(row, &terms, vec![product]).ok_or_else(damaged)?;
    Ok(Some(Statement::new(claim).map_err(|_| damaged())?))
}

fn component(text: Option<&str>) -> Result<Vec<Product>, ServiceError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let purl: Purl = text.parse().map_err(|error: advisory::AdvisoryError| {
        ServiceError::malformed("vex-component", format!("{error}; give its package URL"))
    })?;
    Ok(vec![Product { purl: Some(purl), ..Product::default() }])
}

fn claim_of(row: &StatementRow, terms: &Terms, products: Vec<Product>) -> Option<Claim> {
    let justification = match &terms.justification {
        None => None,
        Some(word) => Some(Justification::from_openvex(word)?),
    };
    let status = match row.status.as_str() {
        "not_affected" => Status::NotAffected { justification, impact: terms.impact.clone() },
        "affected" => Status::Affected { action: terms.action.clone() },
        "fixed" => Status::Fixed,
        "under_investigation" => Status::UnderInvestigation,
        _ => return None,
    };
    Some(Claim {
        vulnerability: VulnerabilityId::new(&row.name)?,
        aliases: Vec::new(),
        products,
        status,
        author: row.author.clone(),
        at: Some(row.said_at),
        expires: row.expires,
        detail: None,
    })
}

impl Service {
    /// Makes a statement about a vulnerability in a product. It holds from now on, outranks what
    /// suppliers say, and is signed off by who makes it in the audit log.
    ///
    /// # Errors
    /// `not-found`, `role`, `version`, `vulnerability`, `vex-status`, `vex-component`,
    /// `vex-refused` for what nobody may say like this: *not affected* without a reason.
    pub async fn make_statement(
        &self,
        caller: &Caller,
        new: NewStatement,
    ) -> Result<StatementView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::JudgeVulnerability, &resource)?;
        let (product, software) =
            self.said_about(&new.organisation, &new.product, new.version.as_deref())?;
        let now = self.now();
        for (what, text) in
            [("impact", &new.impact), ("action", &new.action), ("component", &new.component)]
        {
            if let Some(text) = text {
                record_line(what, text, WORDS_MAX)?;
            }
        }
        if new.expires.is_some_and(|expires| expires <= now) {
            return Err(ServiceError::malformed("expires", "choose a time that is still to come"));
        }
        let name = VulnerabilityId::new(&new.vulnerability).ok_or_else(|| {
            ServiceError::malformed("vulnerability", "give an id such as CVE-2026-12345")
        })?;
        let parts = component(new.component.as_deref())?;
        let mut terms = Terms {
            component: new.component,
            justification: new.justification,
            impact: new.impact,
            action: new.action,
            ids: [name.to_string()].into(),
            keys: Some(BTreeSet::new()),
        };
        terms.keys = keys_of(&parts);
        if parts.is_empty() {
            terms.keys = Some(BTreeSet::new());
        }
        let row = StatementRow {
            id: 0,
            reference: random::bytes(),
            organisation: self.organisation_row(new.organisation.as_str())?.id,
            product,
            software,
            origin: OWN,
            document: None,
            name: name.to_string(),
            status: new.status,
            terms: super::settle::json(&terms)?,
            author: new.organisation.to_string(),
            said_by: caller.to_string(),
            said_at: now,
            expires: new.expires,
            due: new.expires,
            withdrawn_by: None,
            withdrawn_at: None,
        };
        let whole = Product { reference: Some("urn:tegata:any".to_owned()), ..Product::default() };
        let claim = claim_of(&row, &terms, vec![whole]).ok_or_else(|| {
            ServiceError::malformed(
                "vex-status",
                "the status is not_affected, affected, fixed or under_investigation, a \
                 justification one of OpenVEX's words",
            )
        })?;
        let silent = claim.status.silences();
        Statement::new(claim).map_err(|error| {
            ServiceError::refused("vex-refused", format!("{error}; give a justification or impact"))
        })?;
        let known = self.read(|connection| {
            exposure::names_of_id(connection, row.organisation, name.as_str())
        })?;
        if !silent && parts.is_empty() && known.is_empty() {
            return Err(ServiceError::refused(
                "vex-component",
                "no advisory speaks of this vulnerability in your products yet: name the component \
                 that has it by its package URL, or import the advisory",
            ));
        }
        let event = self
            .event(caller, audit::Kind::Vulnerability, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(name.as_str())
            .detail("what", "statement-made")
            .detail("statement", &hex::encode(row.reference))
            .detail("product", new.product.as_str())
            .detail("version", new.version.as_deref().unwrap_or("every"))
            .detail("status", &row.status)
            .detail("justification", terms.justification.as_deref().unwrap_or_default());
        let reference = row.reference;
        self.commit(move |tx| {
            store::insert_statement(tx, &row)?;
            reach(tx, &row)?.judge(tx)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        let row = self.read(|connection| store::statement(connection, &reference))?;
        self.statement_view(found(row, "statement")?)
    }

    /// Whether the caller may judge vulnerabilities of a product, asked before a document is sent.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub fn may_judge(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::JudgeVulnerability, &resource)?;
        self.product_row(organisation, product).map(|_| ())
    }

    /// Takes the statements of a VEX document (OpenVEX, CycloneDX, CSAF). Each reaches what it names
    /// in the product's SBOMs. What nobody may say is left out and remarked.
    ///
    /// # Errors
    /// `not-found`, `role`, `version`, `vex`, `vex-empty`, `quota`.
    pub async fn import_vex(
        &self,
        caller: &Caller,
        new: VexImport,
    ) -> Result<(usize, Vec<String>), ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::JudgeVulnerability, &resource)?;
        let (product, software) =
            self.said_about(&new.organisation, &new.product, new.version.as_deref())?;
        let (own, bytes) = (new.own, new.bytes);
        let row = self.organisation_row(new.organisation.as_str())?.id;
        self.room_for_documents(row, bytes.len())?;
        let read = self
            .pool
            .begin(move || VexDocument::parse(&bytes).map(|document| (document, bytes)))
            .outcome()
            .await?;
        let (document, bytes) = read.map_err(|error| {
            ServiceError::malformed("vex", format!("{error}; {}", error.hint()))
        })?;
        let remarks: Vec<String> = document
            .remarks
            .list()
            .iter()
            .take(100)
            .map(|remark| format!("{} {}: {}", remark.kind.name(), remark.place, remark.detail))
            .collect();
        if document.statements.is_empty() || document.statements.len() > STATEMENTS_MAX {
            return Err(ServiceError::refused(
                "vex-empty",
                format!(
                    "1 to {STATEMENTS_MAX} statements are taken from a document; this one has {} \
                     that can be used; {}",
                    document.statements.len(),
                    remarks.first().map_or("", String::as_str)
                ),
            ));
        }
        let now = self.now();
        let organisation = self.organisation_row(new.organisation.as_str())?.id;
        let by = caller.to_string();
        let mut rows = Vec::with_capacity(document.statements.len());
        for (part, statement) in document.statements.iter().enumerate() {
            let claim = statement.claim();
            let (justification, impact, action) = match &claim.status {
                Status::NotAffected { justification, impact } => {
                    (justification.map(|word| word.openvex().to_owned()), impact.clone(), None)
                }
                Status::Affected { action } => (None, None, action.clone()),
                Status::Fixed | Status::UnderInvestigation => (None, None, None),
            };
            let named: Vec<Product> = claim
                .products
                .iter()
                .flat_map(|product| match product.subcomponents.as_slice() {
                    [] => std::slice::from_ref(product),
                    parts => parts,
                })
                .cloned()
                .collect();
            let terms = Terms {
                component: None,
                justification,
                impact,
                action,
                ids: claim
                    .aliases
                    .iter()
                    .chain([&claim.vulnerability])
                    .map(ToString::to_string)
                    .collect(),
                keys: keys_of(&named),
            };
            let said_at = claim.at.unwrap_or(now);
            rows.push(StatementRow {
                id: 0,
                reference: random::bytes(),
                organisation,
                product,
                software,
                origin: if own { OWN } else { SUPPLIER },
                document: Some((0, part)),
                name: claim.vulnerability.to_string(),
                status: claim.status.name().to_owned(),
                terms: super::settle::json(&terms)?,
                author: claim.author.clone(),
                said_by: by.clone(),
                said_at,
                expires: claim.expires,
                due: due(claim.expires, said_at, now),
                withdrawn_by: None,
                withdrawn_at: None,
            });
        }
        let count = rows.len();
        let event = self
            .event(caller, audit::Kind::Vulnerability, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(new.product.as_str())
            .detail("what", "vex-imported")
            .detail("sha256", &crypto::sha256(&bytes).to_string())
            .detail("statements", &count.to_string())
            .detail("version", new.version.as_deref().unwrap_or("every"))
            .detail("own", if own { "yes" } else { "no" });
        let form = document.format.name();
        self.commit(move |tx| {
            let document = store::insert_document(tx, organisation, form, &bytes, &by, now)?;
            let mut reaches = Vec::with_capacity(rows.len());
            for row in &mut rows {
                row.document = row.document.map(|(_, part)| (document, part));
                store::insert_statement(tx, row)?;
                reaches.push(reach(tx, row)?);
            }
            judge_all(tx, reaches)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok((count, remarks))
    }

    /// Statements of an organisation, the newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn statements(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<StatementView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if before == 0 { i64::MAX } else { before };
        let rows = self.read(|c| store::statements(c, row.id, before, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| self.statement_view(row))
    }

    /// Withdraws a statement: what it silenced stands again.
    ///
    /// # Errors
    /// `not-found`, `role`, `withdrawn`.
    pub async fn withdraw_statement(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        statement: &StatementId,
    ) -> Result<StatementView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::JudgeVulnerability, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let row = self.read(|connection| store::statement(connection, &statement.0))?;
        let row = found(row.filter(|row| row.organisation == owner), "statement")?;
        let (by, now) = (caller.to_string(), self.now());
        let event = self
            .event(caller, audit::Kind::Vulnerability, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&row.name)
            .detail("what", "statement-withdrawn")
            .detail("statement", &statement.to_string());
        self.commit(move |tx| {
            if !store::withdraw(tx, row.id, &by, now)? {
                return Err(ServiceError::conflict(
                    "withdrawn",
                    "this statement is withdrawn already; there is nothing to do",
                ));
            }
            reach(tx, &row)?.judge(tx)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        let row = self.read(|connection| store::statement(connection, &statement.0))?;
        self.statement_view(found(row, "statement")?)
    }

    /// What an organisation says about one version of a product's software, or about every version,
    /// as a document for others: its own statements that hold, and that nothing has overtaken.
    ///
    /// # Errors
    /// `not-found`, `role`, `version`, `vex-empty`, `vex-refused`.
    pub async fn export_vex(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        version: Option<&str>,
        format: VexFormat,
    ) -> Result<String, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let (row, software) = self.said_about(organisation, product, version)?;
        let now = self.now();
        let statements = self.read(|connection| {
            let mut kept = Kept::default();
            let mut out: Vec<Statement> = Vec::new();
            for said in store::statements_of(connection, row)? {
                let about = match (said.software, software) {
                    (None, _) | (_, None) => true,
                    (one, wanted) => one == wanted,
                };
                let holds = said.expires.is_none_or(|expires| now < expires)
                    && said.said_at <= now.plus(CLOCK_S);
                if said.origin != OWN || !about || !holds {
                    continue;
                }
                let only = said.software.or(software);
                let names = only.map(|id| sboms::software_by_id(connection, id)).transpose()?;
                let version = names.flatten().map(|row| row.version);
                if let Some(statement) =
                    written(connection, &mut kept, &said, (organisation, product), version)?
                {
                    // A later word about the same thing takes the place of an earlier one.
                    out.retain(|earlier| !same_subject(earlier, &statement));
                    out.push(statement);
                }
            }
            Ok(out)
        })?;
        if statements.is_empty() {
            return Err(ServiceError::refused(
                "vex-empty",
                "nothing was said about this yet; make a statement first",
            ));
        }
        // The name follows from the contents, so that the same contents are one document.
        let mut seed = format!("tegata/vex/v1\0{organisation}\0{product}\0{version:?}");
        for statement in &statements {
            seed.push_str(&format!("{:?}", statement.claim()));
        }
        let digest = crypto::sha256(seed.as_bytes());
        let info = DocumentInfo {
            id: match format {
                VexFormat::CycloneDx => uuid(digest.as_bytes()),
                VexFormat::OpenVex | VexFormat::Csaf => format!("urn:tegata:vex:{digest}"),
            },
            author: organisation.to_string(),
            author_url: format!("urn:tegata:organisation:{organisation}"),
            at: now,
        };
        VexDocument::write(format, &info, &statements)
            .map_err(|error| ServiceError::refused("vex-refused", error.to_string()))
    }

    /// Rows of a product and of one version of its software.
    fn said_about(
        &self,
        organisation: &OrganisationId,
        product: &ProductId,
        version: Option<&str>,
    ) -> Result<(i64, Option<i64>), ServiceError> {
        let product = self.product_row(organisation, product)?;
        let Some(version) = version else { return Ok((product.id, None)) };
        record_line("version", version, VERSION_MAX)?;
        let row = self.read(|connection| sboms::software(connection, product.id, version))?;
        Ok((product.id, Some(found(row, "version of this product's software")?.id)))
    }

    pub(super) fn statement_view(&self, row: StatementRow) -> Result<StatementView, ServiceError> {
        let (organisation, product) = self.product_names(row.product)?;
        let version = match row.software {
            None => None,
            Some(id) => self.read(|c| sboms::software_by_id(c, id))?.map(|row| row.version),
        };
        let terms: Terms = super::settle::read(&row.terms)?;
        Ok(StatementView {
            id: StatementId(row.reference),
            organisation,
            product,
            version,
            vulnerability: row.name,
            status: row.status,
            justification: terms.justification,
            words: terms.impact.or(terms.action),
            own: row.origin == OWN,
            imported: row.document.is_some(),
            author: row.author,
            said_by: row.said_by,
            said_at: row.said_at,
            expires: row.expires,
            withdrawn_by: row.withdrawn_by,
            withdrawn_at: row.withdrawn_at,
        })
    }
}

/// Keys of which every component that the products name has one; `None`: any component.
fn keys_of(products: &[Product]) -> Option<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    for product in products {
        keys.extend(MatchKey::of_product(product)?.iter().map(ToString::to_string));
    }
    Some(keys)
}

/// A statement for others: about the product by a package URL.
fn written(
    connection: &Connection,
    kept: &mut Kept,
    row: &StatementRow,
    (organisation, product): (&OrganisationId, &ProductId),
    version: Option<String>,
) -> Result<Option<Statement>, ServiceError> {
    if let Some((document, part)) = row.document {
        return Ok(kept.vex(connection, document)?.get(part).cloned());
    }
    let terms: Terms = super::settle::read(&row.terms)?;
    let purl = Purl {
        kind: "generic".to_owned(),
        namespace: Some(organisation.to_string()),
        name: product.to_string(),
        version,
        qualifiers: std::collections::BTreeMap::new(),
        subpath: None,
    };
    let whole = Product {
        purl: Some(purl),
        subcomponents: component(terms.component.as_deref())?,
        ..Product::default()
    };
    let Some(claim) = claim_of(row, &terms, vec![whole]) else { return Ok(None) };
    Ok(Statement::new(claim).ok())
}

fn same_subject(a: &Statement, b: &Statement) -> bool {
    let (a, b) = (a.claim(), b.claim());
    a.vulnerability == b.vulnerability && a.products == b.products
}

/// A name-based UUID (RFC 9562, version 8) as a URN.
fn uuid(digest: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
    if let Some(byte) = bytes.get_mut(6) {
        *byte = (*byte & 0x0f) | 0x80;
    }
    if let Some(byte) = bytes.get_mut(8) {
        *byte = (*byte & 0x3f) | 0x80;
    }
    let text = hex::encode(bytes);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}
