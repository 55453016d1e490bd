//! The gate of operation, live evidence, approved components.

use super::{
    extract::{Json, JsonBody, Path, Query, Raw, page},
    problem::Fault,
    turn::turn,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::wire::{
    ApprovedComponents, EnterOperation, EvidenceQuery, Figure, LeaveOperation, LiveEvidence,
    OpenItem, Operation, OperationChange, OperationPolicy, Page, PageQuery,
    scalar::{Digest, OrganisationRef, ProductRef},
};
use assessment::Collector;
use axum::extract::State;

/// What an organisation asks of its product lines before operation
#[utoipa::path(get, path = "/v1/organisations/{organisation}/operation-policy", tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = OperationPolicy)))]
pub(super) async fn policy(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<OperationPolicy>, Fault> {
    Ok(Json(policy_of(app.service.operation_policy(&caller, &organisation.0).await?)))
}

/// Changes what an organisation asks for; less than before takes a second person
#[utoipa::path(put, path = "/v1/organisations/{organisation}/operation-policy", tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path)), request_body = OperationPolicy,
    responses((status = 200, body = OperationPolicy)))]
pub(super) async fn set_policy(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(wanted): JsonBody<OperationPolicy, { body::SMALL }>,
) -> Result<Json<OperationPolicy>, Fault> {
    let wanted = service::OperationPolicy {
        required: wanted.required,
        weight: wanted.weight,
        items: wanted.items,
        signed: wanted.signed,
    };
    let service = &app.service;
    let set = service.set_operation_policy(&caller, &organisation.0, wanted).await?;
    Ok(Json(policy_of(set)))
}

fn policy_of(policy: service::OperationPolicy) -> OperationPolicy {
    OperationPolicy {
        required: policy.required,
        weight: policy.weight,
        items: policy.items,
        signed: policy.signed,
    }
}

/// What became of operation: what is asked for, who entered, what was overruled; newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/operation-history", tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<OperationChange>)))]
pub(super) async fn history(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<OperationChange>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.operation_history(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, |one| OperationChange {
        product: one.product.map(ProductRef),
        what: one.what,
        detail: one.detail,
        by: one.by,
        at: one.at.into(),
    })))
}

/// Whether a product line is in operation, and what stands in the way
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/operation",
    tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = Operation)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<Operation>, Fault> {
    let found = app.service.operation(&caller, &organisation.0, &product.0).await?;
    Ok(Json(operation(organisation, product, found)))
}

/// Lets a product line enter operation
///
/// The refusal names the required items that are not verified. Overruling them takes a second person,
/// a reason and an end.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/products/{product}/operation",
    tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    request_body = EnterOperation, responses((status = 200, body = Operation)))]
pub(super) async fn enter(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    JsonBody(how): JsonBody<EnterOperation, { body::SMALL }>,
) -> Result<Json<Operation>, Fault> {
    let service = &app.service;
    let (of, line) = (&organisation.0, &product.0);
    let entered = match how.overrule {
        None => service.enter_operation(&caller, of, line).await?,
        Some(why) => {
            service.overrule_operation(&caller, of, line, &why.reason, why.until.0).await?
        }
    };
    Ok(Json(operation(organisation, product, entered)))
}

/// Takes a product line out of operation: its devices get prototype certificates
#[utoipa::path(post, path = "/v1/organisations/{organisation}/products/{product}/operation/leave",
    tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    request_body = LeaveOperation, responses((status = 200, body = Operation)))]
pub(super) async fn leave(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    JsonBody(why): JsonBody<LeaveOperation, { body::SMALL }>,
) -> Result<Json<Operation>, Fault> {
    let service = &app.service;
    let left = service.leave_operation(&caller, &organisation.0, &product.0, &why.reason).await?;
    Ok(Json(operation(organisation, product, left)))
}

fn operation(
    organisation: OrganisationRef,
    product: ProductRef,
    view: service::OperationView,
) -> Operation {
    Operation {
        organisation,
        product,
        state: view.state.name().to_owned(),
        since: view.since.map(Into::into),
        until: view.until.map(Into::into),
        reason: view.reason,
        by: view.by,
        approved_by: view.approved_by,
        diagnosis: view.diagnosis.map(|id| id.to_string()),
        required: view.required,
        open: view
            .open
            .into_iter()
            .map(|(item, state)| OpenItem { item, state: state.word().to_owned() })
            .collect(),
        overruled: view.overruled,
    }
}

/// Evidence of a product line that counts now
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/evidence",
    tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = Vec<LiveEvidence>)))]
pub(super) async fn evidence(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<Vec<LiveEvidence>>, Fault> {
    let found = app.service.evidence(&caller, &organisation.0, &product.0).await?;
    Ok(Json(found.into_iter().map(evidence_of).collect()))
}

/// Looks at the running platform now
#[utoipa::path(post, path = "/v1/organisations/{organisation}/products/{product}/evidence",
    tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = Vec<LiveEvidence>)))]
pub(super) async fn collect(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<Vec<LiveEvidence>>, Fault> {
    app.service.may_add_evidence(&caller, &organisation.0, &product.0)?;
    // One look of an organisation at a time: each goes through all devices of the product line.
    let turn = turn(&organisation.0).await?;
    let (service, caller) = (app.service.clone(), (*caller).clone());
    let look = async move { service.collect_evidence(&caller, &organisation.0, &product.0).await };
    let found = turn.keep(look).await??;
    Ok(Json(found.into_iter().map(evidence_of).collect()))
}

/// All evidence of a product line, what was replaced included, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/evidence-history",
    tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path), PageQuery),
    responses((status = 200, body = Page<LiveEvidence>)))]
pub(super) async fn evidence_history(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<LiveEvidence>>, Fault> {
    let page = page(query.after, query.limit)?;
    let service = &app.service;
    let found = service.evidence_history(&caller, &organisation.0, &product.0, &page).await?;
    Ok(Json(view::paged(found, evidence_of)))
}

/// Hands in a document of a build: what it says is kept with its digest
///
/// `tests`: JUnit XML; `coverage`: lcov, Cobertura; `findings`: SARIF 2.1; `components`: CycloneDX,
/// SPDX, held against the approved components; `provenance`: in-toto statements, held against the files
/// of the release of this version.
#[utoipa::path(put,
    path = "/v1/organisations/{organisation}/products/{product}/evidence/{collector}",
    tag = "diagnoses",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("collector" = String, Path), EvidenceQuery),
    request_body(content_type = "application/octet-stream", content = String),
    responses((status = 200, body = LiveEvidence)))]
pub(super) async fn add(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product, collector)): Path<(OrganisationRef, ProductRef, String)>,
    Query(query): Query<EvidenceQuery>,
    request: axum::extract::Request,
) -> Result<Json<LiveEvidence>, Fault> {
    // Asked before the body is read: nobody who may not sends much.
    app.service.may_add_evidence(&caller, &organisation.0, &product.0)?;
    let collector = Collector::of_word(&collector).filter(|one| one.reads_documents());
    let collector = collector.ok_or_else(|| {
        Fault::parameter("collector", "one of tests, coverage, findings, components, provenance")
    })?;
    let subject = query
        .subject
        .ok_or_else(|| Fault::parameter("subject", "which version of the product it is about"))?;
    let turn = turn(&organisation.0).await?;
    let raw = <Raw<{ body::SBOM }> as axum::extract::FromRequest<App>>::from_request(request, &app)
        .await?;
    let new = service::NewEvidence {
        organisation: organisation.0,
        product: product.0,
        subject,
        collector,
        name: query.name.unwrap_or_else(|| "default".to_owned()),
        bytes: raw.bytes.to_vec(),
    };
    let (service, caller) = (app.service.clone(), (*caller).clone());
    let added = turn.keep(async move { service.add_evidence(&caller, new).await }).await?;
    Ok(Json(evidence_of(added?)))
}

fn evidence_of(view: service::EvidenceView) -> LiveEvidence {
    let some = |text: String| (!text.is_empty()).then_some(text);
    LiveEvidence {
        collector: view.collector.word().to_owned(),
        name: some(view.name),
        subject: some(view.subject),
        verdict: view.verdict.word().to_owned(),
        figures: view.figures.into_iter().map(|(name, value)| Figure { name, value }).collect(),
        digest: Digest(view.digest),
        collected_by: view.collected_by,
        collected: view.collected_at.into(),
        expires: view.expires_at.into(),
        replaced: view.replaced_at.map(Into::into),
        items: view.collector.items().iter().map(|(item, _)| (*item).to_owned()).collect(),
    }
}

/// Components that an organisation approved
#[utoipa::path(get, path = "/v1/organisations/{organisation}/approved-components",
    tag = "diagnoses", params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = ApprovedComponents)))]
pub(super) async fn approved(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<ApprovedComponents>, Fault> {
    let components = app.service.approved_components(&caller, &organisation.0).await?;
    Ok(Json(ApprovedComponents { components }))
}

/// Approves components; the list replaces the one before
#[utoipa::path(put, path = "/v1/organisations/{organisation}/approved-components",
    tag = "diagnoses", params(("organisation" = OrganisationRef, Path)),
    request_body = ApprovedComponents, responses((status = 200, body = ApprovedComponents)))]
pub(super) async fn approve(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(list): JsonBody<ApprovedComponents, { body::BATCH }>,
) -> Result<Json<ApprovedComponents>, Fault> {
    let service = &app.service;
    let components = service.approve_components(&caller, &organisation.0, list.components).await?;
    Ok(Json(ApprovedComponents { components }))
}
