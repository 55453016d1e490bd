//! Vulnerabilities: advisories and SBOMs in, what they mean for software, statements.

use super::{
    extract::{Created, Json, JsonBody, Path, Query, Raw, line, page},
    problem::Fault,
    turn::turn,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::{
    problem::Code,
    wire::{
        self, AdvisoryKnowledge, ImportQuery, ImportedDocument, ImportedDocuments, NewVexStatement,
        Page, PageQuery, SbomQuery, Software, TakenVex, TroubledFile, VexQuery, VexStatement,
        VulnerabilityListQuery,
        scalar::{Digest, OrganisationRef, ProductRef},
    },
};
use axum::extract::State;
use crypto::UnixTime;
use http::{StatusCode, header};
use service::{AdvisoryResult, VulnerabilityQuery, VulnerabilityState};

/// Advisories: OSV records, CSAF documents, a KEV catalogue
///
/// One document as `application/json`, or several as `application/json-seq` (RFC 7464); each stands
/// or falls by itself, and is kept as received. Those of the platform's own organisation are for
/// everybody's products, those of another for its own.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/advisories", tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ImportQuery),
    request_body(content((serde_json::Value = "application/json"), (String = "application/json-seq"))),
    responses((status = 200, body = ImportedDocuments)))]
pub(super) async fn import(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<ImportQuery>,
    request: axum::extract::Request,
) -> Result<Json<ImportedDocuments>, Fault> {
    let source = query.source.unwrap_or_else(|| "upload".to_owned());
    // Asked before the body is read: nobody who may not sends much.
    let none = Vec::new();
    app.service.import_advisories(&caller, &organisation.0, &source, none).await?;
    let _turn = turn(&organisation.0).await?;
    let raw = large::<{ body::ADVISORIES }>(request, &app).await?;
    let documents: Vec<Vec<u8>> = match raw.media_type.as_str() {
        "application/json" => vec![raw.bytes.to_vec()],
        "application/json-seq" => advisory::json_texts(&raw.bytes).map(<[u8]>::to_vec).collect(),
        _ => {
            return Err(Fault::new(Code::UnsupportedMediaType)
                .hint("send Content-Type: application/json, or application/json-seq"));
        }
    };
    drop(raw);
    let outcomes =
        app.service.import_advisories(&caller, &organisation.0, &source, documents).await?;
    Ok(Json(ImportedDocuments { items: outcomes.into_iter().map(imported).collect() }))
}

async fn large<const MOST: usize>(
    request: axum::extract::Request,
    app: &App,
) -> Result<Raw<MOST>, Fault> {
    <Raw<MOST> as axum::extract::FromRequest<App>>::from_request(request, app).await
}

fn imported(outcome: service::AdvisoryOutcome) -> ImportedDocument {
    let mut out = ImportedDocument {
        digest: Digest(outcome.digest),
        form: outcome.form.map(str::to_owned),
        result: String::new(),
        taken: 0,
        withdrawn: 0,
        remarks: 0,
        why: None,
        hint: None,
    };
    out.result = match outcome.result {
        AdvisoryResult::Stored { taken, withdrawn, remarks } => {
            (out.taken, out.withdrawn, out.remarks) =
                (count(taken), count(withdrawn), count(remarks));
            "stored"
        }
        AdvisoryResult::Unchanged => "unchanged",
        AdvisoryResult::Older => "older",
        AdvisoryResult::Refused { why, hint } => {
            (out.why, out.hint) = (Some(why), Some(hint.to_owned()));
            "refused"
        }
    }
    .to_owned();
    out
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// How much is known, and how much is to be judged
#[utoipa::path(get, path = "/v1/organisations/{organisation}/advisories", tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = AdvisoryKnowledge)))]
pub(super) async fn knowledge(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<AdvisoryKnowledge>, Fault> {
    let known = app.service.advisory_knowledge(&caller, &organisation.0).await?;
    Ok(Json(AdvisoryKnowledge {
        documents: known.documents,
        advisories: known.advisories,
        exploited: known.exploited,
        waiting: known.waiting,
        troubled: known.troubled,
    }))
}

/// Files of the watched folder that could not be taken, for the platform's members
#[utoipa::path(get, path = "/v1/advisory-files", tag = "vulnerabilities", params(PageQuery),
    responses((status = 200, body = Page<TroubledFile>)))]
pub(super) async fn files(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<TroubledFile>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.troubled_files(&caller, &page).await?;
    Ok(Json(view::paged(found, |file| TroubledFile {
        path: file.path,
        trouble: file.trouble,
        read_at: file.read_at.into(),
    })))
}

/// Versions of a product's software with their bills of materials
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/software",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path), PageQuery),
    responses((status = 200, body = Page<Software>)))]
pub(super) async fn software(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Software>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.software(&caller, &organisation.0, &product.0, &page).await?;
    Ok(Json(view::paged(found, software_of)))
}

/// Attaches a bill of materials to a version of a product's software
///
/// CycloneDX 1.3 to 1.7 (JSON, XML), SPDX 2.2, 2.3 (JSON, tag-value) or 3.0 (JSON-LD), told apart by
/// the contents. Its components are judged in the background.
#[utoipa::path(put,
    path = "/v1/organisations/{organisation}/products/{product}/software/{version}/sbom",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("version" = String, Path), SbomQuery),
    request_body(content_type = "application/octet-stream", content = String),
    responses((status = 200, body = Software)))]
pub(super) async fn attach(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, version)): Path<(OrganisationRef, ProductRef, String)>,
    Query(query): Query<SbomQuery>,
    request: axum::extract::Request,
) -> Result<Json<Software>, Fault> {
    app.service.may_attach_sbom(&caller, &organisation.0, &product.0)?;
    let _turn = turn(&organisation.0).await?;
    let raw = large::<{ body::SBOM }>(request, &app).await?;
    let new = service::NewSbom {
        organisation: organisation.0,
        product: product.0,
        version,
        name: query.name.unwrap_or_else(|| "software".to_owned()),
        bytes: raw.bytes.into(),
    };
    Ok(Json(software_of(app.service.attach_sbom(&caller, new).await?)))
}

fn software_of(view: service::SoftwareView) -> Software {
    Software {
        organisation: OrganisationRef(view.organisation),
        product: ProductRef(view.product),
        version: view.version,
        added: view.added_at.into(),
        sboms: view
            .sboms
            .into_iter()
            .map(|sbom| wire::SbomRecord {
                name: sbom.name,
                digest: Digest(sbom.digest),
                form: sbom.form,
                components: sbom.components,
                nameless: sbom.nameless,
                versionless: sbom.versionless,
                remarks: sbom.remarks,
                indexed: sbom.indexed,
                added_by: sbom.added_by,
                added: sbom.added_at.into(),
            })
            .collect(),
        waiting: view.waiting,
    }
}

/// What stands in the way of a version, as far as vulnerabilities go
///
/// Nothing exploited and nothing critical may stand without a statement that it is fixed or harmless.
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/products/{product}/software/{version}/gate",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("version" = String, Path)),
    responses((status = 200, body = wire::VulnerabilityGate)))]
pub(super) async fn gate(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, version)): Path<(OrganisationRef, ProductRef, String)>,
) -> Result<Json<wire::VulnerabilityGate>, Fault> {
    let service = &app.service;
    let gate = service.vulnerability_gate(&caller, &organisation.0, &product.0, &version).await?;
    Ok(Json(wire::VulnerabilityGate {
        open: gate.is_open(),
        sboms: count(gate.sboms),
        waiting: gate.waiting,
        blocking: gate
            .blocking
            .into_iter()
            .map(|blocking| wire::BlockingVulnerability {
                name: blocking.name,
                exploited: blocking.exploited,
                score: blocking.tenths.map(score),
                status: blocking.status.name().to_owned(),
            })
            .collect(),
    }))
}

/// Vulnerabilities of an organisation's products, the gravest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/vulnerabilities",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), VulnerabilityListQuery),
    responses((status = 200, body = Page<wire::Vulnerability>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<VulnerabilityListQuery>,
) -> Result<Json<Page<wire::Vulnerability>>, Fault> {
    let page = page(query.after, query.limit)?;
    let state = query.state.as_deref().unwrap_or("open");
    let wanted = VulnerabilityQuery {
        state: VulnerabilityState::from_name(state)
            .ok_or_else(|| Fault::parameter("state", "one of open, reopened, settled, all"))?,
        exploited: query.exploited.unwrap_or(false),
        rating: match query.rating {
            None => None,
            Some(name) => {
                let ratings = "one of none, low, medium, high, critical";
                let found = advisory::Rating::ALL.into_iter().find(|one| one.name() == name);
                Some(found.ok_or_else(|| Fault::parameter("rating", ratings))?)
            }
        },
        product: query.product.map(|product| product.0),
        id: query.id,
    };
    let found = app.service.vulnerabilities(&caller, &organisation.0, &wanted, &page).await?;
    Ok(Json(view::paged(found, vulnerability)))
}

/// One vulnerability of an organisation's products, by any of its ids
#[utoipa::path(get, path = "/v1/organisations/{organisation}/vulnerabilities/{vulnerability}",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("vulnerability" = String, Path)),
    responses((status = 200, body = wire::VulnerabilityDetail)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, id)): Path<(OrganisationRef, String)>,
) -> Result<Json<wire::VulnerabilityDetail>, Fault> {
    let found = app.service.vulnerability(&caller, &organisation.0, &id).await?;
    Ok(Json(wire::VulnerabilityDetail {
        vulnerability: vulnerability(found.line),
        remedy: found.remedy,
        exposures: found.exposures.into_iter().map(exposure).collect(),
    }))
}

/// Tenths as people write them.
fn score(tenths: u8) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

pub(super) fn vulnerability(line: service::VulnerabilityLine) -> wire::Vulnerability {
    let time = |seconds: Option<i64>| seconds.map(|at| UnixTime(at).into());
    wire::Vulnerability {
        name: line.name,
        ids: line.ids.into_iter().collect(),
        summary: line.summary,
        rating: line.tenths.map(|tenths| advisory::Rating::of_tenths(tenths).name().to_owned()),
        score: line.tenths.map(score),
        vector: line.vector,
        exploited: line.exploited.map(|fact| wire::Exploitation {
            since: time(fact.since),
            due: time(fact.due),
            ransomware: fact.ransomware,
        }),
        private: line.private,
        status: line.status.name().to_owned(),
        open: line.open,
        exposures: line.exposures,
        reopened: line.reopened,
        fixed: line.fixed,
        published: line.published.map(Into::into),
        first_seen: line.first_seen.into(),
        settled: line.settled_at.map(Into::into),
    }
}

fn exposure(view: service::ExposureView) -> wire::Exposure {
    wire::Exposure {
        product: ProductRef(view.product),
        version: view.version,
        status: view.status.name().to_owned(),
        judged: view.judged,
        certain: view.certain,
        said: view
            .said
            .into_iter()
            .map(|said| wire::SaidAbout {
                vulnerability: said.vulnerability,
                own: said.own,
                author: said.author,
                status: said.status,
                justification: said.justification,
                words: said.words,
                at: said.at.map(|at| UnixTime(at).into()),
                expires: said.expires.map(|at| UnixTime(at).into()),
            })
            .collect(),
        components: view
            .components
            .into_iter()
            .map(|found| wire::AffectedComponent {
                label: found.label,
                affected: found.affected,
                silenced: found.silenced,
                reasons: found
                    .reasons
                    .into_iter()
                    .map(|reason| wire::AffectedReason {
                        advisory: reason.advisory,
                        code: reason.code,
                        detail: reason.detail,
                    })
                    .collect(),
                fixed: found.fixed,
            })
            .collect(),
        reopened: view.reopened_at.map(Into::into),
        reopened_why: view.reopened_why,
        first_seen: view.first_seen.into(),
        changed: view.changed_at.into(),
        closed: view.closed_at.map(Into::into),
        notes: view
            .notes
            .into_iter()
            .map(|(at, what, detail)| wire::ExposureNote { at: at.into(), what, detail })
            .collect(),
    }
}

/// Statements of an organisation, the newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/statements", tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<VexStatement>)))]
pub(super) async fn statements(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<VexStatement>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.statements(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, statement_of)))
}

/// A statement about a vulnerability in a product (VEX)
///
/// It outranks what suppliers say, and the audit log holds who made it.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/statements", tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path)), request_body = NewVexStatement,
    responses((status = 201, body = VexStatement)))]
pub(super) async fn say(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewVexStatement, { body::SMALL }>,
) -> Result<Created<VexStatement>, Fault> {
    line("vulnerability", &new.vulnerability, 128)?;
    let new = service::NewStatement {
        organisation: organisation.0,
        product: new.product.0,
        version: new.version,
        vulnerability: new.vulnerability,
        component: new.component,
        status: new.status,
        justification: new.justification,
        impact: new.impact,
        action: new.action,
        expires: new.expires.map(|at| at.0),
    };
    Ok(Created(statement_of(app.service.make_statement(&caller, new).await?)))
}

/// Withdraws a statement: what it silenced stands again
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/statements/{statement}",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("statement" = String, Path)),
    responses((status = 200, body = VexStatement)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, statement)): Path<(OrganisationRef, String)>,
) -> Result<Json<VexStatement>, Fault> {
    let id = statement.parse().map_err(|error| Fault::parameter("statement", error))?;
    let said = app.service.withdraw_statement(&caller, &organisation.0, &id).await?;
    Ok(Json(statement_of(said)))
}

fn statement_of(view: service::StatementView) -> VexStatement {
    VexStatement {
        id: view.id.to_string(),
        organisation: OrganisationRef(view.organisation),
        product: ProductRef(view.product),
        version: view.version,
        vulnerability: view.vulnerability,
        status: view.status,
        justification: view.justification,
        words: view.words,
        own: view.own,
        imported: view.imported,
        author: view.author,
        said_by: view.said_by,
        said: view.said_at.into(),
        expires: view.expires.map(Into::into),
        withdrawn_by: view.withdrawn_by,
        withdrawn: view.withdrawn_at.map(Into::into),
    }
}

/// What the organisation says of a product, as a VEX document
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/vex",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path), VexQuery),
    responses((status = 200, content_type = "application/json", body = serde_json::Value)))]
pub(super) async fn vex(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<VexQuery>,
) -> Result<(StatusCode, [(header::HeaderName, &'static str); 1], String), Fault> {
    let format = query.format.as_deref().unwrap_or("openvex");
    let format = advisory::VexFormat::from_name(format)
        .ok_or_else(|| Fault::parameter("format", "one of openvex, cyclonedx, csaf"))?;
    let version = query.version.as_deref();
    let text =
        app.service.export_vex(&caller, &organisation.0, &product.0, version, format).await?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], text))
}

/// Takes the statements of a VEX document: OpenVEX, CycloneDX, CSAF
#[utoipa::path(post, path = "/v1/organisations/{organisation}/products/{product}/vex",
    tag = "vulnerabilities",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path), VexQuery),
    request_body(content_type = "application/octet-stream", content = String),
    responses((status = 200, body = TakenVex)))]
pub(super) async fn take_vex(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<VexQuery>,
    request: axum::extract::Request,
) -> Result<Json<TakenVex>, Fault> {
    app.service.may_judge(&caller, &organisation.0, &product.0)?;
    let _turn = turn(&organisation.0).await?;
    let raw = large::<{ body::ADVISORIES }>(request, &app).await?;
    let new = service::VexImport {
        organisation: organisation.0,
        product: product.0,
        version: query.version,
        own: query.own.unwrap_or(false),
        bytes: raw.bytes.into(),
    };
    let (statements, remarks) = app.service.import_vex(&caller, new).await?;
    Ok(Json(TakenVex { statements: count(statements), remarks }))
}
