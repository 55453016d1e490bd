//! Security events, accounts of keys, what will expire, counts.

use super::{
    extract::{Json, Query, page, parsed},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use api::wire::{
    AuditCheck, AuditEvent, AuditQuery, AuditTrailQuery, CertificateView, DaysQuery, ExpiryQuery,
    KeyAccount, KeyNotice, KeyUse, Page, PageQuery, Statistics, scalar::Timestamp,
};
use axum::extract::State;

/// Security events
#[utoipa::path(get, path = "/v1/audit/events", tag = "reports", params(AuditQuery),
    responses((status = 200, body = Page<AuditEvent>)))]
pub(super) async fn audit(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEvent>>, Fault> {
    let page = page(query.after, query.limit)?;
    let kind = query.kind.map(|kind| {
        audit::Kind::from_name(&kind).ok_or_else(|| Fault::parameter("kind", "no such kind"))
    });
    let organisation = parsed("organisation", query.organisation)?;
    let found = app.service.audit(&caller, organisation.as_ref(), kind.transpose()?, &page).await?;
    Ok(Json(view::paged(found, view::audit_event)))
}

/// Security events, newest first
///
/// What happens meanwhile appears before the first page and moves no other.
#[utoipa::path(get, path = "/v1/audit", tag = "reports", params(AuditTrailQuery),
    responses((status = 200, body = Page<AuditEvent>)))]
pub(super) async fn audit_trail(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<AuditTrailQuery>,
) -> Result<Json<Page<AuditEvent>>, Fault> {
    let page = page(query.after, query.limit)?;
    let kind = query.kind.map(|kind| {
        audit::Kind::from_name(&kind).ok_or_else(|| Fault::parameter("kind", "no such kind"))
    });
    let time = |name: &'static str, text: Option<String>| {
        parsed::<Timestamp>(name, text).map(|time| time.map(|time| time.0))
    };
    let wanted = service::AuditQuery {
        organisation: parsed("organisation", query.organisation)?,
        kind: kind.transpose()?,
        from: time("from", query.from)?,
        until: time("until", query.until)?,
    };
    let found = app.service.audit_trail(&caller, &wanted, &page).await?;
    Ok(Json(view::paged(found, view::audit_event)))
}

/// Checks that no security event was changed or removed
#[utoipa::path(post, path = "/v1/audit/check", tag = "reports",
    responses((status = 200, body = AuditCheck)))]
pub(super) async fn audit_check(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<AuditCheck>, Fault> {
    Ok(Json(view::audit_check(app.service.audit_verify(&caller).await?)))
}

/// Uses of the platform's keys (KM-1)
#[utoipa::path(get, path = "/v1/keys/uses", tag = "reports", params(PageQuery),
    responses((status = 200, body = Page<KeyUse>)))]
pub(super) async fn key_uses(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<KeyUse>>, Fault> {
    let page = page(query.after, query.limit)?;
    Ok(Json(view::paged(app.service.key_uses(&caller, &page).await?, view::key_use)))
}

/// Accounts of the platform's keys (KM-1)
#[utoipa::path(get, path = "/v1/keys", tag = "reports", params(PageQuery),
    responses((status = 200, body = Page<KeyAccount>)))]
pub(super) async fn key_accounts(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<KeyAccount>>, Fault> {
    let page = page(query.after, query.limit)?;
    Ok(Json(view::paged(app.service.key_accounts(&caller, &page).await?, view::key_account)))
}

/// Keys that break the policy for lifetimes and algorithms, or will (KM-7)
#[utoipa::path(get, path = "/v1/reports/key-policy", tag = "reports", params(DaysQuery),
    responses((status = 200, body = Vec<KeyNotice>)))]
pub(super) async fn key_policy(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<DaysQuery>,
) -> Result<Json<Vec<KeyNotice>>, Fault> {
    let days = days(query.days, 365)?;
    let found = app.service.key_policy_report(&caller, days).await?;
    Ok(Json(found.into_iter().map(view::key_notice).collect()))
}

/// Certificates that expire soon, the next first
#[utoipa::path(get, path = "/v1/reports/expiry", tag = "reports", params(ExpiryQuery),
    responses((status = 200, body = Page<CertificateView>)))]
pub(super) async fn expiry(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<ExpiryQuery>,
) -> Result<Json<Page<CertificateView>>, Fault> {
    let page = page(query.after, query.limit)?;
    let within_s = i64::from(days(query.days, 30)?) * 86_400;
    let organisation = match parsed("organisation", query.organisation)? {
        Some(organisation) => organisation,
        None => caller.of()?.clone(),
    };
    let found = app.service.expiry_report(&caller, &organisation, within_s, &page).await?;
    Ok(Json(view::paged(found, view::listed_certificate)))
}

/// How much there is on the platform
#[utoipa::path(get, path = "/v1/reports/statistics", tag = "reports",
    responses((status = 200, body = Statistics)))]
pub(super) async fn statistics(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<Statistics>, Fault> {
    Ok(Json(view::statistics(&app.service.statistics(&caller).await?)))
}

fn days(wanted: Option<u32>, otherwise: u32) -> Result<u32, Fault> {
    let days = wanted.unwrap_or(otherwise);
    if (1..=3650).contains(&days) {
        return Ok(days);
    }
    Err(Fault::parameter("days", "from 1 to 3650"))
}
