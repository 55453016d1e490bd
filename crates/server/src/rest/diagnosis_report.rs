//! A diagnosis on paper.

use super::{
    extract::{Lang, Path, Query},
    problem::Fault,
};
use crate::{app::App, authenticated::Authenticated};
use api::{
    problem::Code,
    wire::{DiagnosisReportQuery, ReportAudience, ReportFormat},
};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use console::{Audience, i18n::Locale};
use device::Language;
use http::{HeaderValue, header};

/// What a diagnosis says, to be printed
///
/// For managers on two pages of A4, for engineers with every item and its evidence. HTML is one
/// document that loads and runs nothing. PDF needs a font with Japanese characters on the server; where
/// there is none, the answer is 503 and says what to install. `lang` is the language of the report;
/// without it, the caller's (`Accept-Language`).
#[utoipa::path(get, path = "/v1/diagnoses/{diagnosis}/report", tag = "diagnoses",
    params(("diagnosis" = String, Path), DiagnosisReportQuery),
    responses((status = 200, description = "the report", content(
        (String = "text/html"),
        (String = "application/pdf")))))]
pub(super) async fn report(
    State(app): State<App>,
    caller: Authenticated,
    Lang(asking): Lang,
    Path(diagnosis): Path<String>,
    Query(query): Query<DiagnosisReportQuery>,
) -> Result<Response, Fault> {
    let id =
        diagnosis.parse().map_err(|_| Fault::parameter("diagnosis", "32 hexadecimal digits"))?;
    let language = query.lang.map_or(asking, Language::from);
    let audience = match query.audience.unwrap_or(ReportAudience::Managers) {
        ReportAudience::Managers => Audience::Managers,
        ReportAudience::Engineers => Audience::Engineers,
    };
    let report = app.service.diagnosis_report(&caller, &id).await?;
    let t = Locale::new(language);
    let internal = || Fault::new(Code::Internal);
    let (kind, name, body) = match query.format.unwrap_or(ReportFormat::Html) {
        ReportFormat::Html => {
            let page = console::diagnosis_report(&report, t, audience).map_err(|_| internal())?;
            ("text/html; charset=utf-8", None, page.into_bytes())
        }
        ReportFormat::Pdf => {
            let font = app.service.report_font().await?;
            let draw = move || console::diagnosis_report_pdf(&report, t, audience, &font);
            let drawn = tokio::task::spawn_blocking(draw).await.map_err(|_| internal())?;
            let name = HeaderValue::from_static("attachment; filename=\"diagnosis.pdf\"");
            let drawn = drawn.map_err(|failure| match failure {
                console::PdfFailure::Font(error) => Fault::from(error),
                console::PdfFailure::Page(_) => internal(),
            })?;
            ("application/pdf", Some(name), drawn)
        }
    };
    let policy = format!("{}; sandbox", *console::DIAGNOSIS_REPORT_POLICY);
    let policy = HeaderValue::from_str(&policy).map_err(|_| internal())?;
    let mut response = Body::from(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.name()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(name) = name {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
