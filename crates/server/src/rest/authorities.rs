//! Certification authorities and roots.

use super::{
    extract::{Created, Json, JsonBody, Path, Raw, line},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::{
    problem::Code,
    wire::{
        Authority, AuthorityRequest, CertificateUpload, NewAuthority,
        scalar::{Binary, OrganisationRef},
    },
};
use axum::extract::State;
use http::StatusCode;

/// Certification authorities of an organisation
#[utoipa::path(get, path = "/v1/organisations/{organisation}/authorities", tag = "authorities",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Vec<Authority>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Vec<Authority>>, Fault> {
    let found = app.service.cas(&caller, Some(&organisation.0)).await?;
    Ok(Json(found.into_iter().map(view::authority).collect()))
}

/// A new certification authority
///
/// Its key is generated and sealed here; the answer is the request that the root's ceremony signs.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/authorities", tag = "authorities",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewAuthority, responses((status = 201, body = AuthorityRequest)))]
pub(super) async fn request(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewAuthority, { body::SMALL }>,
) -> Result<Created<AuthorityRequest>, Fault> {
    line("name", &new.name, 64)?;
    if new.years > 50 {
        return Err(Fault::field("years", "from 0 to 50; 0 is as long as the root"));
    }
    let spec = service::CaSpec {
        organisation: organisation.0,
        product: new.product.map(|product| product.0),
        kind: view::ca_kind(new.issues),
        name: new.name,
        algorithm: new.algorithm.0,
        years: new.years,
    };
    let request = app.service.request_ca(&caller, spec).await?;
    Ok(Created(view::authority_request(&request)))
}

/// Brings a certification authority's certificate back from the ceremony
#[utoipa::path(post, path = "/v1/authorities/certificates", tag = "authorities",
    request_body = CertificateUpload, responses((status = 201, body = Authority)))]
pub(super) async fn install(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(upload): JsonBody<CertificateUpload, { body::CSR }>,
) -> Result<Created<Authority>, Fault> {
    let installed = app.service.install_ca(&caller, upload.certificate.0).await?;
    Ok(Created(view::authority(installed)))
}

/// One certification authority
#[utoipa::path(get, path = "/v1/authorities/{authority}", tag = "authorities",
    params(("authority" = String, Path)), responses((status = 200, body = Authority)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(authority): Path<String>,
) -> Result<Json<Authority>, Fault> {
    Ok(Json(view::authority(app.service.ca(&caller, &authority).await?)))
}

/// The request of an authority that waits for the ceremony
#[utoipa::path(get, path = "/v1/authorities/{authority}/request", tag = "authorities",
    params(("authority" = String, Path)), responses((status = 200, body = AuthorityRequest)))]
pub(super) async fn ca_request(
    State(app): State<App>,
    caller: Authenticated,
    Path(authority): Path<String>,
) -> Result<Json<AuthorityRequest>, Fault> {
    let request = app.service.ca_request(&caller, &authority).await?;
    Ok(Json(view::authority_request(&request)))
}

/// Trusts a root
#[utoipa::path(post, path = "/v1/roots", tag = "authorities",
    request_body = CertificateUpload,
    responses((status = 204, description = "it is trusted")))]
pub(super) async fn import_root(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(upload): JsonBody<CertificateUpload, { body::CSR }>,
) -> Result<StatusCode, Fault> {
    app.service.import_root(&caller, upload.certificate.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a list of revoked authorities that the root signed
#[utoipa::path(post, path = "/v1/roots/crl", tag = "authorities",
    request_body(content = Binary, content_type = "application/pkix-crl"),
    responses((status = 204, description = "it holds")))]
pub(super) async fn import_crl(
    State(app): State<App>,
    caller: Authenticated,
    raw: Raw<{ body::BATCH }>,
) -> Result<StatusCode, Fault> {
    if raw.media_type != "application/pkix-crl" {
        return Err(
            Fault::new(Code::UnsupportedMediaType).hint("send Content-Type: application/pkix-crl")
        );
    }
    app.service.import_root_crl(&caller, &raw.bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}
