//! A device's passport on paper.

use super::{
    extract::{Lang, Path, Query},
    problem::Fault,
};
use crate::{app::App, authenticated::Authenticated};
use api::{
    problem::Code,
    wire::{ReportQuery, scalar::DeviceRef},
};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use console::i18n::Locale;
use device::Language;
use http::{HeaderValue, header};

/// All that a device's passport says to the caller, as a page to be printed
///
/// One HTML document that loads and runs nothing. `lang` is the language of the report; without it,
/// the caller's (`Accept-Language`). What the caller's role does not reach is left out.
#[utoipa::path(get, path = "/v1/devices/{device}/report", tag = "verdict",
    params(("device" = DeviceRef, Path), ReportQuery),
    responses((status = 200, description = "the report", body = String,
        content_type = "text/html")))]
pub(super) async fn report(
    State(app): State<App>,
    caller: Authenticated,
    Lang(asking): Lang,
    Path(device): Path<DeviceRef>,
    Query(query): Query<ReportQuery>,
) -> Result<Response, Fault> {
    let language = query.lang.map_or(asking, Language::from);
    let report = app.service.device_report(&caller, &device.0).await?;
    let page = console::device_report(report, Locale::new(language))
        .map_err(|_| Fault::new(Code::Internal))?;
    let policy = HeaderValue::from_str(&format!("{}; sandbox", *console::REPORT_POLICY))
        .map_err(|_| Fault::new(Code::Internal))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(language.name())),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, page).into_response())
}
