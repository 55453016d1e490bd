//! A device's passport: the verdict first, then its life, parts, certificates, owners and shares, and
//! what can be done to it.

mod act;
mod life;
mod parts;
mod report;
mod verdict;

pub use report::{REPORT_POLICY, device_report};

use super::words;
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Button, ButtonKind, Empty, Icon, Id, Tone, Tree},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::IntoResponse as _,
    routing::{get, post},
};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId};
use http::header;
use policy::Action;
use serde::Deserialize;
use service::{CertificateQuery, CertificateView, DeviceView, ErrorKind, Page, ServiceError};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/devices/{id}", get(page))
        .route("/devices/{id}/passport", get(download))
        .route("/devices/{id}/shares", post(share))
        .route("/devices/{id}/shares/end", post(end_share))
        .merge(act::router())
        .merge(report::router())
}

/// A device's id from the address.
fn id(text: &str) -> Result<DeviceId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

/// What a role does not reach is left out of the page instead of refusing all of it.
fn if_allowed<T>(result: Result<T, ServiceError>) -> Result<Option<T>, ServiceError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[derive(Debug, Deserialize)]
struct Window {
    /// sequence number of the first event shown
    from: Option<u64>,
}

async fn page(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(window): Asked<Window>,
) -> Answer {
    let id = id(&text)?;
    let service = &console.service;
    let caller = member.caller();
    let view = service.device(caller, &id).await?;
    let t = member.t;
    let verdict = service.verify_device(caller, &id, service::VerifyRequest::default()).await;
    let verdict = if_allowed(verdict)?.map(|verdict| verdict::Panel::new(t, &verdict, member.now));
    let last = view.events.saturating_sub(1);
    let from = window.from.unwrap_or(view.events.saturating_sub(life::EVENTS)).min(last);
    let end = from.saturating_add(life::EVENTS).min(view.events);
    let limit = u32::try_from(end.saturating_sub(from)).unwrap_or(u32::MAX);
    let page = Page { after: Some(end.to_string()), limit };
    let events = if_allowed(service.timeline(caller, &id, &page).await)?;
    let life = match &events {
        Some(events) => Some(life::Life::new(&console, &member, &view, from, &events.items).await?),
        None => None,
    };
    let tree = parts::tree(t, &service.parts_tree(caller, &id).await?, true);
    let own = &member.signed().organisation;
    let certificates = service
        .certificates(
            caller,
            own,
            &CertificateQuery { device: Some(id), status: None },
            &Page { after: None, limit: 50 },
        )
        .await?;
    let certificates = certificate_rows(t, &certificates.items, member.now);
    let shares = if *own == view.owner && words::may(&member, Action::ShareDevice, own) {
        if_allowed(service.shares(caller, &id).await)?
    } else {
        None
    };
    let shares = shares.map(|shares| {
        shares
            .into_iter()
            .map(|(with, until)| Share {
                with: with.to_string(),
                until: t.date(until),
                over: until <= member.now,
            })
            .collect()
    });
    let self_test = match service.self_test(caller, &id).await {
        // It never said anything.
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        said => if_allowed(said)?.map(|said| SelfTest::new(t, said)),
    };
    let acts = act::offered(&console, &member, &view).await?;
    let may_export = words::may(&member, Action::ExportPassport, own);
    let may_read_messages = words::may(&member, Action::ReadMessages, &view.owner);
    let may_read_alerts = words::may(&member, Action::ReadAlerts, &view.owner);
    let title = t.text("passport-title").arg("serial", &view.serial_number);
    let page = PassportPage {
        t,
        frame: member.frame(Section::Devices, title),
        phase: words::phase(t, view.phase),
        standing: words::standing(t, view.standing),
        kind: words::device_kind(t, view.kind),
        since: t.date(view.created_at),
        head: view.head.map(|head| Id::short(t, &head.0)),
        number: Id::new(t, &view.management_number),
        device: Id::new(t, &view.id),
        no_life: Empty::new(
            Icon::Clock,
            t.text("passport-no-life"),
            t.text("passport-no-life-hint"),
        ),
        verdict,
        life,
        tree,
        certificates,
        shares,
        self_test,
        acts,
        may_export,
        may_read_messages,
        may_read_alerts,
        languages: report::languages(t),
        view,
    };
    Ok(member.page(&page))
}

fn certificate_rows(
    t: Locale,
    certificates: &[CertificateView],
    now: UnixTime,
) -> Vec<CertificateRow> {
    certificates
        .iter()
        .map(|one| {
            let (serial, fingerprint) =
                (hex::encode(one.id.serial.as_bytes()), one.certificate.fingerprint());
            CertificateRow {
                profile: t.word("profile", one.profile.name()).to_string(),
                state: words::certificate(t, one.status, one.certificate.not_after(), now),
                since: t.date(one.certificate.not_before()),
                ends: t.date(one.certificate.not_after()),
                serial: Id::short(t, &serial),
                fingerprint: Id::short(t, &fingerprint),
                mud: one
                    .certificate
                    .extensions()
                    .mud()
                    .and_then(Result::ok)
                    .map(|mud| mud.url().to_owned()),
                issuer: one.id.ca.clone(),
                whole: (serial, fingerprint.to_string()),
            }
        })
        .collect()
}

struct CertificateRow {
    /// where its maker says what the device connects to
    mud: Option<String>,
    issuer: String,
    /// serial number and fingerprint, where nothing can be copied
    whole: (String, String),
    profile: String,
    state: Badge,
    since: Moment,
    ends: Moment,
    serial: Id,
    fingerprint: Id,
}

/// What the device found when it tested itself, in its own words.
struct SelfTest {
    heard: Moment,
    findings: Vec<(Badge, service::SelfTestFinding)>,
}

impl SelfTest {
    fn new(t: Locale, said: service::SelfTestView) -> Self {
        let findings = said.findings.into_iter().map(|finding| {
            let tone = match finding.outcome {
                service::SelfTestOutcome::Pass => Tone::Good,
                service::SelfTestOutcome::Warn => Tone::Warn,
                service::SelfTestOutcome::Wait | service::SelfTestOutcome::Stop => Tone::Bad,
            };
            (Badge::new(tone, t.word("self-test", finding.outcome.name())), finding)
        });
        Self { heard: t.time(said.heard_at), findings: findings.collect() }
    }
}

struct Share {
    with: String,
    until: Moment,
    over: bool,
}

#[derive(Template)]
#[template(path = "passport/passport.html")]
struct PassportPage {
    t: Locale,
    frame: Frame,
    view: DeviceView,
    phase: String,
    standing: Badge,
    kind: String,
    since: Moment,
    head: Option<Id>,
    number: Id,
    device: Id,
    verdict: Option<verdict::Panel>,
    life: Option<life::Life>,
    no_life: Empty,
    tree: Option<Tree>,
    certificates: Vec<CertificateRow>,
    shares: Option<Vec<Share>>,
    self_test: Option<SelfTest>,
    acts: Vec<Button>,
    may_export: bool,
    may_read_messages: bool,
    may_read_alerts: bool,
    languages: Vec<(&'static str, &'static str)>,
}

async fn download(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let id = id(&text)?;
    let bytes = console.service.export_passport(member.caller(), &id).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.tegata\"")),
    ];
    Ok((headers, bytes).into_response())
}

#[derive(Debug, Deserialize)]
struct NewShare {
    with: String,
    #[serde(default)]
    days: String,
}

/// Days that a share lasts where nobody says otherwise.
const SHARE_DAYS: i64 = 90;
/// Longest share that this page gives, in days.
const SHARE_DAYS_MAX: i64 = 3650;

async fn share(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(form): Posted<NewShare>,
) -> Answer {
    let id = id(&text)?;
    let with = OrganisationId::new(form.with.trim()).map_err(|_| Failure::not_found())?;
    let days = match form.days.trim() {
        "" => SHARE_DAYS,
        days => days
            .parse()
            .ok()
            .filter(|days| (1..=SHARE_DAYS_MAX).contains(days))
            .ok_or_else(Failure::bad_request)?,
    };
    let until: UnixTime = member.now.plus(days.saturating_mul(86_400));
    console.service.set_share(member.caller(), &id, &with, Some(until)).await?;
    Ok(member.done(&format!("/devices/{id}#shares"), "share-set"))
}

#[derive(Debug, Deserialize)]
struct EndShare {
    with: String,
}

async fn end_share(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Posted(form): Posted<EndShare>,
) -> Answer {
    let id = id(&text)?;
    let with = OrganisationId::new(&form.with).map_err(|_| Failure::not_found())?;
    console.service.end_share(member.caller(), &id, &with).await?;
    Ok(member.done(&format!("/devices/{id}#shares"), "share-ended"))
}

/// A link that looks like a button.
fn link(kind: ButtonKind, label: String, href: String) -> Button {
    Button::new(kind, label).link(href)
}
