//! REST under `/v1`, described by the OpenAPI document that is built from the same routes.

mod alerts;
mod approvals;
mod authorities;
mod behaviour;
mod campaigns;
mod cases;
mod certificates;
mod commands;
mod device_log;
mod device_report;
mod devices;
mod diagnoses;
mod diagnosis_report;
mod director;
mod drafts;
mod events;
pub(crate) mod extract;
mod fleet;
mod history;
mod impact;
mod keys;
mod labels;
mod life;
mod log;
mod message_keys;
mod messages;
mod mud;
mod openapi;
mod operation;
mod organisations;
mod peers;
mod people;
mod platform;
mod policies;
pub(crate) use platform::health;
pub(crate) mod problem;
mod products;
mod purposes;
mod releases;
mod reports;
mod repository;
mod routes;
mod schemas;
mod sealed;
mod standing;
mod streams;
mod threats;
mod tokens;
mod turn;
mod update_door;
mod view;
mod vulnerabilities;

use crate::app::App;
use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Every route of `/v1` and their description.
pub(crate) fn router() -> (Router<App>, OpenApi) {
    // A function each: the frame of one with all routes is larger than a thread's stack in a debug build.
    let routes = platform_and_people()
        .merge(products_and_devices())
        .merge(message_routes())
        .merge(figures())
        .merge(vulnerabilities_and_cases())
        .merge(assessment())
        .merge(updates());
    let (router, description) = routes.split_for_parts();
    let description = openapi::complete(description);
    let document = openapi::route(&description);
    (router.merge(document), description)
}

/// The platform, organisations, people, what waits for a second person, CAs and keys.
fn platform_and_people() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(platform::trust))
        .routes(routes!(platform::health))
        .routes(routes!(platform::metrics))
        .routes(routes!(platform::whoami))
        .routes(routes!(organisations::list, organisations::create))
        .routes(routes!(organisations::one))
        .routes(routes!(organisations::confirm))
        .routes(routes!(standing::suspend))
        .routes(routes!(standing::resume))
        .routes(routes!(standing::rename))
        .routes(routes!(people::first_administrator))
        .routes(routes!(organisations::members, organisations::add_member))
        .routes(routes!(organisations::remove_member))
        .routes(routes!(organisations::signers, organisations::register_signer))
        .routes(routes!(organisations::retire_signer))
        .routes(routes!(organisations::erase_person))
        .routes(routes!(people::list, people::invite))
        .routes(routes!(people::one, people::remove))
        .routes(routes!(people::change_roles))
        .routes(routes!(people::invite_again))
        .routes(routes!(people::recover))
        .routes(routes!(people::sessions, people::end_sessions))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::one))
        .routes(routes!(approvals::devices))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::reject))
        .routes(routes!(approvals::withdraw))
        .routes(routes!(approvals::preview_continuation, approvals::go_on))
        .routes(routes!(approvals::policy, approvals::set_policy))
        .routes(routes!(approvals::retire_authority))
        .routes(routes!(authorities::list, authorities::request))
        .routes(routes!(authorities::install))
        .routes(routes!(authorities::one))
        .routes(routes!(authorities::ca_request))
        .routes(routes!(authorities::import_root))
        .routes(routes!(authorities::import_crl))
        .routes(routes!(tokens::issue))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::server))
        .routes(routes!(keys::rotate_server))
}

/// Products, devices, their histories, certificates and messages, the log.
fn products_and_devices() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(products::list, products::create))
        .routes(routes!(products::one))
        .routes(routes!(labels::public, labels::change))
        .routes(routes!(labels::one))
        .routes(routes!(labels::sheets))
        .routes(routes!(labels::scans))
        .routes(routes!(labels::alarms))
        .routes(routes!(products::chips))
        .routes(routes!(devices::list, devices::register))
        .routes(routes!(devices::one))
        .routes(routes!(devices::by_number))
        .routes(routes!(devices::release_codes))
        .routes(routes!(devices::purchase))
        .routes(routes!(devices::renewal))
        .routes(routes!(devices::suspend))
        .routes(routes!(devices::release))
        .routes(routes!(devices::revoke))
        .routes(routes!(devices::shares))
        .routes(routes!(devices::share, devices::end_share))
        .routes(routes!(devices::challenge))
        .routes(routes!(devices::verify))
        .routes(routes!(devices::passport))
        .routes(routes!(device_report::report))
        .routes(routes!(devices::erase))
        .routes(routes!(history::events))
        .routes(routes!(history::head))
        .routes(routes!(life::timeline))
        .routes(routes!(life::owners))
        .routes(routes!(life::state))
        .routes(routes!(messages::send, commands::down))
        .routes(routes!(commands::list, commands::give))
        .routes(routes!(commands::one, commands::cancel))
        .routes(routes!(commands::hand_in))
        .routes(routes!(commands::configuration, commands::configure))
        .routes(routes!(commands::versions))
        .routes(routes!(messages::list))
        .routes(routes!(messages::refused))
        .routes(routes!(messages::traffic))
        .routes(routes!(device_log::list))
        .routes(routes!(device_log::stretches))
        .routes(routes!(policies::list, policies::put))
        .routes(routes!(policies::one))
        .routes(routes!(policies::test))
        .routes(routes!(policies::activations, policies::activate))
        .routes(routes!(policies::explain))
        .routes(routes!(schemas::list))
        .routes(routes!(schemas::versions, schemas::put))
        .routes(routes!(schemas::one))
        .routes(routes!(schemas::test))
        .routes(routes!(schemas::activations, schemas::activate))
        .routes(routes!(schemas::strictness, schemas::set_strictness))
        .routes(routes!(events::record))
        .routes(routes!(events::record_many))
        .routes(routes!(certificates::list))
        .routes(routes!(certificates::one))
        .routes(routes!(certificates::revoke))
        .routes(routes!(certificates::suspend))
        .routes(routes!(certificates::release))
        .routes(routes!(certificates::for_service))
        .routes(routes!(log::inclusion))
        .routes(routes!(log::consistency))
        .routes(routes!(log::integrate))
        .routes(routes!(log::check))
        .routes(routes!(update_door::door, update_door::set_door))
        .routes(routes!(update_door::list, update_door::issue_gateway))
        .routes(routes!(update_door::issue_target))
        .routes(routes!(update_door::revoke))
}

/// Routes of messages.
fn message_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(peers::settings, peers::set, peers::end))
        .routes(routes!(peers::contents))
        .routes(routes!(peers::bundles))
        .routes(routes!(peers::bundle))
        .routes(routes!(purposes::list))
        .routes(routes!(purposes::declare, purposes::end))
        .routes(routes!(purposes::versions))
        .routes(routes!(message_keys::list, message_keys::replace))
        .routes(routes!(message_keys::destroy))
        .routes(routes!(message_keys::of_device))
        .routes(routes!(purposes::signed_topics, purposes::set_signed_topics))
        .routes(routes!(mud::one, mud::put))
        .routes(routes!(mud::withdraw))
        .routes(routes!(mud::versions))
        .routes(routes!(mud::one_version))
        .routes(routes!(mud::url, mud::set_url, mud::end_url))
        .routes(routes!(mud::observe))
        .routes(routes!(mud::outside))
        .routes(routes!(mud::outside_all))
        .routes(routes!(mud::suggestion))
        .routes(routes!(mud::outside_days))
        .routes(routes!(purposes::consents, purposes::decide))
        .routes(routes!(purposes::history))
        .routes(routes!(purposes::of_device))
        .routes(routes!(routes::list))
        .routes(routes!(routes::one, routes::put, routes::end))
        .routes(routes!(routes::pause))
        .routes(routes!(routes::test))
        .routes(routes!(routes::dead))
        .routes(routes!(routes::retry))
        .routes(routes!(routes::discard))
        .routes(routes!(routes::rows))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::one))
        .routes(routes!(alerts::acknowledge))
        .routes(routes!(alerts::close))
        .routes(routes!(alerts::quarantine))
        .routes(routes!(alerts::release))
        .routes(routes!(alerts::rules))
        .routes(routes!(alerts::rule, alerts::put_rule, alerts::reset_rule))
        .routes(routes!(alerts::receivers))
        .routes(routes!(alerts::put_receiver, alerts::end_receiver))
        .routes(routes!(alerts::retry_receiver))
        .routes(routes!(alerts::settings, alerts::set_settings))
        .routes(routes!(behaviour::list))
        .routes(routes!(behaviour::one))
        .routes(routes!(behaviour::devices))
        .routes(routes!(behaviour::phase))
        .routes(routes!(behaviour::settings))
        .routes(routes!(behaviour::accept))
        .routes(routes!(behaviour::take_back))
        .routes(routes!(behaviour::device))
        .routes(routes!(behaviour::accept_of_device))
        .routes(routes!(behaviour::take_back_of_device))
        .routes(routes!(behaviour::relearn))
}

/// Security events, accounts, search, jobs, figures.
fn figures() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(reports::audit))
        .routes(routes!(reports::audit_trail))
        .routes(routes!(reports::audit_check))
        .routes(routes!(streams::list, streams::begin))
        .routes(routes!(streams::one, streams::end))
        .routes(routes!(streams::pause))
        .routes(routes!(streams::delivered))
        .routes(routes!(reports::key_uses))
        .routes(routes!(reports::key_accounts))
        .routes(routes!(reports::key_policy))
        .routes(routes!(reports::expiry))
        .routes(routes!(fleet::search))
        .routes(routes!(fleet::export))
        .routes(routes!(fleet::parts))
        .routes(routes!(fleet::act))
        .routes(routes!(fleet::preview))
        .routes(routes!(fleet::overview))
        .routes(routes!(fleet::views, fleet::save_view))
        .routes(routes!(fleet::delete_view))
        .routes(routes!(fleet::preview_job))
        .routes(routes!(fleet::jobs, fleet::start_job))
        .routes(routes!(fleet::job))
        .routes(routes!(fleet::cancel_job))
        .routes(routes!(fleet::job_result))
        .routes(routes!(reports::statistics))
}

/// What is known of vulnerabilities, and the duty to report.
fn vulnerabilities_and_cases() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(cases::fleet))
        .routes(routes!(cases::versions))
        .routes(routes!(cases::devices))
        .routes(routes!(cases::export))
        .routes(routes!(cases::history))
        .routes(routes!(cases::list, cases::open))
        .routes(routes!(cases::watch))
        .routes(routes!(cases::one, cases::change))
        .routes(routes!(cases::draft))
        .routes(routes!(vulnerabilities::knowledge, vulnerabilities::import))
        .routes(routes!(vulnerabilities::files))
        .routes(routes!(vulnerabilities::software))
        .routes(routes!(vulnerabilities::attach))
        .routes(routes!(vulnerabilities::gate))
        .routes(routes!(vulnerabilities::list))
        .routes(routes!(vulnerabilities::one))
        .routes(routes!(vulnerabilities::statements, vulnerabilities::say))
        .routes(routes!(vulnerabilities::withdraw))
        .routes(routes!(vulnerabilities::vex, vulnerabilities::take_vex))
}

/// Diagnoses, the gate of operation, threat models.
fn assessment() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(diagnoses::list, diagnoses::open))
        .routes(routes!(diagnoses::one, diagnoses::discard))
        .routes(routes!(diagnoses::items))
        .routes(routes!(diagnoses::answered, diagnoses::answer))
        .routes(routes!(diagnoses::gaps))
        .routes(routes!(diagnoses::coverage))
        .routes(routes!(diagnoses::history))
        .routes(routes!(diagnoses::comparison))
        .routes(routes!(diagnoses::file, diagnoses::import))
        .routes(routes!(diagnosis_report::report))
        .routes(routes!(diagnoses::adopt))
        .routes(routes!(diagnoses::sign))
        .routes(routes!(diagnoses::proof))
        .routes(routes!(operation::policy, operation::set_policy))
        .routes(routes!(operation::history))
        .routes(routes!(operation::one, operation::enter))
        .routes(routes!(operation::leave))
        .routes(routes!(operation::evidence, operation::collect))
        .routes(routes!(operation::evidence_history))
        .routes(routes!(operation::add))
        .routes(routes!(operation::approved, operation::approve))
        .routes(routes!(threats::model, threats::put))
        .routes(routes!(threats::history))
        .routes(routes!(threats::list))
        .routes(routes!(threats::one))
        .routes(routes!(threats::decide))
        .routes(routes!(threats::decisions))
        .routes(routes!(threats::drawing))
        .routes(routes!(threats::trace))
        .routes(routes!(impact::one, impact::answer))
        .routes(routes!(impact::conclude))
        .routes(routes!(impact::history))
}

/// Releases, their files and repositories, campaigns.
fn updates() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(campaigns::list, campaigns::create))
        .routes(routes!(drafts::preview))
        .routes(routes!(drafts::history))
        .routes(routes!(drafts::drafts, drafts::propose))
        .routes(routes!(campaigns::one))
        .routes(routes!(campaigns::start))
        .routes(routes!(campaigns::pause))
        .routes(routes!(campaigns::resume))
        .routes(routes!(campaigns::cancel))
        .routes(routes!(campaigns::roll_back))
        .routes(routes!(campaigns::devices))
        .routes(routes!(campaigns::consents, campaigns::consent))
        .routes(routes!(campaigns::poll))
        .routes(routes!(campaigns::feedback))
        .routes(routes!(campaigns::proof))
        .routes(routes!(releases::begin, releases::uploads))
        .routes(routes!(releases::one_upload, releases::abandon))
        .routes(routes!(releases::piece))
        .routes(routes!(releases::finish))
        .routes(routes!(releases::file))
        .routes(routes!(releases::create, releases::list))
        .routes(routes!(releases::one, releases::discard))
        .routes(routes!(releases::add_artifact))
        .routes(routes!(releases::remove_artifact))
        .routes(routes!(sealed::content_key))
        .routes(routes!(sealed::tickets))
        .routes(routes!(sealed::delta))
        .routes(routes!(sealed::encryption_key))
        .routes(routes!(sealed::self_test))
        .routes(routes!(releases::attach))
        .routes(routes!(releases::detach))
        .routes(routes!(releases::check))
        .routes(routes!(releases::publish))
        .routes(routes!(releases::withdraw))
        .routes(routes!(releases::proof))
        .routes(routes!(releases::gate, releases::set_gate))
        .routes(routes!(director::one, director::begin))
        .routes(routes!(director::life))
        .routes(routes!(director::rotate))
        .routes(routes!(director::push))
        .routes(routes!(director::root))
        .routes(routes!(repository::one, repository::begin))
        .routes(routes!(repository::rotate))
        .routes(routes!(repository::access))
        .routes(routes!(repository::push))
        .routes(routes!(repository::draft))
}
