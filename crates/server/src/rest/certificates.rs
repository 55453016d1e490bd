//! Issued certificates. One is named by its authority and its serial number.

use super::{
    extract::{Created, Json, JsonBody, Path, Query, page, parsed},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body, tls::alternative};
use api::wire::{
    CertificateQuery, CertificateView, Chain, Page, ReasonGiven, ServiceCertificateRequest,
    scalar::CertificatePem,
};
use axum::extract::State;
use pki::Serial;
use service::CertificateId;

/// Longest name of an authority: two slugs and what is between.
const AUTHORITY_MAX: usize = 100;

/// Certificates of an organisation
#[utoipa::path(get, path = "/v1/certificates", tag = "certificates", params(CertificateQuery),
    responses((status = 200, body = Page<CertificateView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<CertificateQuery>,
) -> Result<Json<Page<CertificateView>>, Fault> {
    let page = page(query.after, query.limit)?;
    let organisation = match parsed("organisation", query.organisation)? {
        Some(organisation) => organisation,
        None => caller.of()?.clone(),
    };
    let query = service::CertificateQuery {
        device: parsed("device", query.device)?,
        status: query.status.map(view::certificate_status),
    };
    let found = app.service.certificates(&caller, &organisation, &query, &page).await?;
    Ok(Json(view::paged(found, view::listed_certificate)))
}

/// One certificate
#[utoipa::path(get, path = "/v1/certificates/{authority}/{serial}", tag = "certificates",
    params(
        ("authority" = String, Path, max_length = 100, description = "as in the URL of its CRL"),
        ("serial" = String, Path, pattern = "^[0-9a-f]{2,40}$")),
    responses((status = 200, body = CertificateView)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(name): Path<(String, String)>,
) -> Result<Json<CertificateView>, Fault> {
    Ok(Json(view::certificate(app.service.certificate(&caller, &id(name)?).await?)))
}

/// Revokes a certificate, for ever
///
/// It stops working at every door within a second.
#[utoipa::path(post, path = "/v1/certificates/{authority}/{serial}/revoke", tag = "certificates",
    params(
        ("authority" = String, Path, max_length = 100, description = "as in the URL of its CRL"),
        ("serial" = String, Path, pattern = "^[0-9a-f]{2,40}$")),
    request_body = ReasonGiven, responses((status = 200, body = CertificateView)))]
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Authenticated,
    Path(name): Path<(String, String)>,
    JsonBody(given): JsonBody<ReasonGiven, { body::SMALL }>,
) -> Result<Json<CertificateView>, Fault> {
    let reason = view::revocation_reason(given.reason);
    let revoked = app.service.revoke_certificate(&caller, &id(name)?, reason).await?;
    Ok(Json(view::certificate(revoked)))
}

/// Suspends a certificate
#[utoipa::path(post, path = "/v1/certificates/{authority}/{serial}/suspend", tag = "certificates",
    params(
        ("authority" = String, Path, max_length = 100, description = "as in the URL of its CRL"),
        ("serial" = String, Path, pattern = "^[0-9a-f]{2,40}$")),
    responses((status = 200, body = CertificateView)))]
pub(super) async fn suspend(
    State(app): State<App>,
    caller: Authenticated,
    Path(name): Path<(String, String)>,
) -> Result<Json<CertificateView>, Fault> {
    Ok(Json(view::certificate(app.service.suspend_certificate(&caller, &id(name)?).await?)))
}

/// Ends a certificate's suspension
#[utoipa::path(post, path = "/v1/certificates/{authority}/{serial}/release", tag = "certificates",
    params(
        ("authority" = String, Path, max_length = 100, description = "as in the URL of its CRL"),
        ("serial" = String, Path, pattern = "^[0-9a-f]{2,40}$")),
    responses((status = 200, body = CertificateView)))]
pub(super) async fn release(
    State(app): State<App>,
    caller: Authenticated,
    Path(name): Path<(String, String)>,
) -> Result<Json<CertificateView>, Fault> {
    Ok(Json(view::certificate(app.service.release_certificate(&caller, &id(name)?).await?)))
}

/// Issues a certificate to a server, gateway or application of the caller's organisation
#[utoipa::path(post, path = "/v1/service-certificates", tag = "certificates",
    request_body = ServiceCertificateRequest, responses((status = 201, body = Chain)))]
pub(super) async fn for_service(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(request): JsonBody<ServiceCertificateRequest, { body::CSR }>,
) -> Result<Created<Chain>, Fault> {
    if !(1..=20).contains(&request.names.len()) {
        return Err(Fault::field("names", "from 1 to 20"));
    }
    let names = request.names.iter().map(|name| alternative(name)).collect();
    let organisation = caller.of()?.clone();
    let chain = app
        .service
        .issue_service_certificate(&caller, &organisation, &request.csr.0, names)
        .await?;
    Ok(Created(Chain { chain: chain.into_iter().map(CertificatePem).collect() }))
}

fn id((authority, serial): (String, String)) -> Result<CertificateId, Fault> {
    if authority.is_empty() || authority.len() > AUTHORITY_MAX {
        return Err(Fault::parameter("authority", "not the name of an authority"));
    }
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !(2..=40).contains(&serial.len()) || !serial.bytes().all(digit) {
        return Err(Fault::parameter("serial", "not 2 to 40 lower-case hexadecimal digits"));
    }
    // Digits that are no serial number as certificates write it: there is no such certificate.
    let serial = Serial::from_hex(&serial)
        .filter(|read| read.to_string() == serial)
        .ok_or_else(Fault::not_found)?;
    Ok(CertificateId { ca: authority, serial })
}
