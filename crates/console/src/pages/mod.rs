//! The pages: one module per family, merged here, one line each.

mod account;
mod alert_receivers;
mod alerts;
mod approvals;
mod audit;
mod authorities;
mod behaviour;
mod campaigns;
mod cases;
mod ceremony;
mod consents;
mod device_log;
mod devices;
mod diagnoses;
mod form;
mod glossary;
mod guide;
mod impact;
mod invitation;
mod jobs;
mod listing;
mod log;
mod messages;
mod operation;
mod organisations;
mod outside_mud;
mod overview;
mod passport;
mod peer_trust;
mod people;
mod policies;
mod preferences;
mod products;
mod public;
mod releases;
mod routes;
mod schemas;
mod sensitive;
mod sign_in;
mod threats;
mod traffic;
mod upload;
mod visitor;
mod vulnerabilities;
mod words;

pub use diagnoses::{
    Audience, DIAGNOSIS_REPORT_POLICY, PdfFailure, diagnosis_report, diagnosis_report_pdf,
};
pub use passport::{REPORT_POLICY, device_report};

use crate::Console;
use axum::Router;

/// Files for anybody's programs: no sign-in, no cookies.
pub(crate) fn files() -> Router<Console> {
    public::files()
}

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .merge(account::router())
        .merge(approvals::router())
        .merge(audit::router())
        .merge(authorities::router())
        .merge(behaviour::router())
        .merge(campaigns::router())
        .merge(cases::router())
        .merge(devices::router())
        .merge(diagnoses::router())
        .merge(glossary::router())
        .merge(guide::router())
        .merge(impact::router())
        .merge(invitation::router())
        .merge(jobs::router())
        .merge(log::router())
        .merge(messages::router())
        .merge(device_log::router())
        .merge(policies::router())
        .merge(schemas::router())
        .merge(consents::router())
        .merge(traffic::router())
        .merge(operation::router())
        .merge(organisations::router())
        .merge(overview::router())
        .merge(outside_mud::router())
        .merge(passport::router())
        .merge(peer_trust::router())
        .merge(people::router())
        .merge(preferences::router())
        .merge(products::router())
        .merge(public::router())
        .merge(releases::router())
        .merge(alerts::router())
        .merge(alert_receivers::router())
        .merge(routes::router())
        .merge(sign_in::router())
        .merge(threats::router())
        .merge(vulnerabilities::router())
}
