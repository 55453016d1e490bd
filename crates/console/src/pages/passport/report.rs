//! A device's passport on paper: one page that needs nothing else, in a language of its own.

use super::{
    CertificateRow, certificate_rows, id,
    life::{self, owned},
    parts,
    verdict::Panel,
    words,
};
use crate::{
    Answer, Asked, Console, Failure, Member,
    i18n::{Locale, Moment, own_name},
    ui::{Badge, Entry, Tree},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{Html, IntoResponse as _},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use device::Language;
use http::{HeaderValue, header};
use serde::Deserialize;
use service::{DeviceReport, DeviceView};
use std::sync::LazyLock;

/// How it looks, on screens and on paper: part of the page, so that a saved file is whole.
const STYLE: &str = include_str!("../../../assets/report.css");

/// What a report may do: look as it does. It loads nothing, sends nothing and runs nothing, wherever
/// it is opened. The style is named by its hash (CSP Level 3, section 6.7.3.2), in the header and in
/// the page itself.
pub static REPORT_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(crypto::sha256(STYLE.as_bytes()).as_bytes());
    // `data:` is for the empty icon, without which browsers would ask the server for one.
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    )
});

pub(super) fn router() -> Router<Console> {
    Router::new().route("/devices/{id}/report", get(page))
}

/// Languages to choose from, the reader's own first: tag and own name.
pub(super) fn languages(t: Locale) -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = Language::ALL.to_vec();
    all.sort_by_key(|language| *language != t.language);
    all.into_iter().map(|language| (language.name(), own_name(language))).collect()
}

#[derive(Debug, Deserialize)]
struct Wanted {
    /// language of the report; the reader's own otherwise
    #[serde(default)]
    lang: String,
}

async fn page(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Answer {
    let language = match wanted.lang.as_str() {
        "" => member.t.language,
        tag => tag.parse().map_err(|_| Failure::bad_request())?,
    };
    let report = console.service.device_report(member.caller(), &id(&text)?).await?;
    // The zone was chosen by the reader, or is the usual one of the report's language.
    let usual = Locale::new(language);
    let chosen = member.t.zone != Locale::new(member.t.language).zone;
    let t = if chosen { Locale { zone: member.t.zone, ..usual } } else { usual };
    let html = device_report(report, t)?;
    let policy = HeaderValue::from_str(&format!("{}; frame-ancestors 'none'", *REPORT_POLICY))
        .map_err(|_| Failure::internal())?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(t.tag())),
    ];
    Ok((headers, Html(html)).into_response())
}

/// The report as an HTML document that needs nothing else. Serve it with [`REPORT_POLICY`].
///
/// # Errors
/// `internal` where the template fails.
pub fn device_report(report: DeviceReport, t: Locale) -> Result<String, Failure> {
    let now = report.made_at;
    let view = report.device;
    let log = report.log;
    let cosigned = log.cosigned_size.map(|_| {
        t.text("report-log-asked").arg("found", log.witnesses.len()).arg("quorum", log.quorum)
    });
    let page = ReportPage {
        t,
        style: STYLE,
        policy: &REPORT_POLICY,
        phase: words::phase(t, view.phase),
        standing: words::standing(t, view.standing),
        kind: words::device_kind(t, view.kind),
        since: t.date(view.created_at),
        head: view.head.map(|head| head.0.to_string()),
        verdict: report.verdict.map(|verdict| {
            let until = t.time(verdict.expires).plain().to_owned();
            (
                Panel::new(t, &verdict, now),
                t.text("report-verdict-until").arg("time", until).to_string(),
            )
        }),
        certificates: report.certificates.map(|found| certificate_rows(t, &found, now)),
        certificates_cut: report.certificates_cut,
        tree: parts::tree(t, &report.parts, false),
        owners: report.owners.map(|owners| owned(t, owners)),
        life: report.life.map(|events| {
            let row = |event: service::TimelineEntry| LifeRow {
                number: t.number(event.sequence),
                leaf: t.number(event.leaf),
                entry: without_number(t, life::entry(t, &event)),
            };
            events.into_iter().map(row).collect()
        }),
        life_cut: (report.life_cut > 0)
            .then(|| t.text("report-cut-life").arg("count", report.life_cut).to_string()),
        origin: log.origin,
        size: t.number(log.size),
        root: log.root,
        checkpoint: log.checkpoint,
        cosigned: cosigned.map(|text| text.to_string()),
        witnesses: log.witnesses.into_iter().map(|(name, at)| (name, t.time(at))).collect(),
        made_at: t.time(now),
        made_by: report.made_by,
        view,
    };
    page.render().map_err(|error| {
        tracing::error!(%error, "a report cannot be rendered");
        Failure::internal()
    })
}

/// The number has a column of its own.
fn without_number(t: Locale, mut entry: Entry) -> Entry {
    let number = t.text("life-number").to_string();
    entry.facts.retain(|(name, _)| *name != number);
    entry
}

struct LifeRow {
    number: String,
    leaf: String,
    entry: Entry,
}

#[derive(Template)]
#[template(path = "passport/report.html")]
struct ReportPage<'a> {
    t: Locale,
    style: &'a str,
    policy: &'a str,
    view: DeviceView,
    phase: String,
    standing: Badge,
    kind: String,
    since: Moment,
    head: Option<String>,
    verdict: Option<(Panel, String)>,
    certificates: Option<Vec<CertificateRow>>,
    certificates_cut: bool,
    tree: Option<Tree>,
    owners: Option<Vec<(String, Moment)>>,
    life: Option<Vec<LifeRow>>,
    life_cut: Option<String>,
    origin: String,
    size: String,
    root: String,
    checkpoint: String,
    cosigned: Option<String>,
    witnesses: Vec<(String, Moment)>,
    made_at: Moment,
    made_by: String,
}
