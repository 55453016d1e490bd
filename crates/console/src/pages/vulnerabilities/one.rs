//! A vulnerability: what is known, where it is, which devices run it, what can be done.

use super::{address, score, share, side, status};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    chart::OverTime,
    i18n::{Locale, Moment},
    pages::{campaigns, devices, listing, words},
    ui::{Badge, Icon, Message, Pager, Tone},
};
use advisory::ReasonCode;
use askama::Template;
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    routing::get,
};
use crypto::UnixTime;
use device::Language;
use policy::Action;
use serde::Deserialize;
use service::{
    CampaignDraft, ErrorKind, ExposureView, FixHistory, FixTarget, FleetSide, RunningVersion,
    SaidFact, VulnerabilityDetail, VulnerableDevice,
};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/vulnerabilities/{id}", get(one))
        .route("/vulnerabilities/{id}/devices.csv", get(csv))
}

/// Versions that are shown with their reasons.
const EXPOSURES: usize = 50;
/// Components of a version that are shown.
const COMPONENTS: usize = 10;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    side: String,
    after: String,
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Asked(shown): Asked<Shown>,
) -> Answer {
    let t = member.t;
    let side = side(&shown.side)?;
    let own = &member.signed().organisation;
    let (service, caller) = (&console.service, member.caller());
    // An owner who is not the maker knows of it by its devices alone.
    let detail = match service.vulnerability_in(caller, own, &id, EXPOSURES).await {
        Ok(detail) => Some(detail),
        Err(error) if error.kind() == ErrorKind::NotFound && side == FleetSide::Owner => None,
        Err(error) => return Err(error.into()),
    };
    let name = detail.as_ref().map_or(id.as_str(), |detail| detail.line.name.as_str());
    let running = match service.running_versions(caller, own, side, name).await {
        Ok(running) => running,
        Err(error) if error.kind() == ErrorKind::NotFound && detail.is_some() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let place = listing::page(&shown.after);
    let found = match service.vulnerable_devices(caller, own, side, name, &place).await {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound && detail.is_some() => {
            service::Paged { items: Vec::new(), next: None }
        }
        Err(error) => return Err(error.into()),
    };
    let history = service.fix_history(caller, own, side, name).await.ok();
    let drafts = service.campaign_drafts(caller, own, side, name).await.unwrap_or_default();
    let here = address(name);
    let keep = [("side", shown.side.as_str())];
    let may_propose = words::may(&member, Action::ProposeCampaign, own);
    let judges = words::may(&member, Action::JudgeVulnerability, own);
    let page = OnePage {
        t,
        frame: member.frame(Section::Vulnerabilities, name.to_owned()),
        about: detail.as_ref().map(|detail| About::new(t, detail)),
        exposures: detail
            .iter()
            .flat_map(|detail| &detail.exposures)
            .map(|exposure| Exposure::new(t, exposure))
            .collect(),
        more: detail.as_ref().and_then(|detail| {
            let shown = u64::try_from(detail.exposures.len()).unwrap_or(u64::MAX);
            (detail.line.exposures > shown).then(|| {
                t.text("vulnerabilities-more").arg("count", detail.line.exposures).to_string()
            })
        }),
        say: (judges && detail.is_some()).then(|| format!("{here}/say")),
        statements: detail.is_some().then(|| "/statements".to_owned()),
        history: history.as_ref().map(|history| Times::new(t, history)),
        share: history.and_then(|history| share(t, "share", &history.days, "one")),
        running: running.iter().map(|version| Running::new(t, version, side)).collect(),
        affected: t.number(
            running
                .iter()
                .filter(|version| version.status.is_some_and(service::ExposureStatus::is_open))
                .map(|version| version.devices)
                .sum::<u64>(),
        ),
        drafts: drafts.iter().map(|draft| Draft::new(t, draft, name, side, may_propose)).collect(),
        rows: found.items.iter().map(|device| DeviceRow::new(t, device)).collect(),
        pager: listing::pager(t, &here, &keep, &shown.after, found.next.as_deref()),
        csv: listing::address(&format!("{here}/devices.csv"), &keep),
        propose: format!("{here}/campaign"),
        side: side.name(),
        is_owner: side == FleetSide::Owner,
        other_side: match side {
            FleetSide::Maker => format!("{here}?side=owner"),
            FleetSide::Owner => here.clone(),
        },
    };
    Ok(member.page(&page))
}

/// What is known.
struct About {
    summary: String,
    score: Badge,
    status: Badge,
    exploited: Option<Message>,
    reopened: Option<Message>,
    facts: Vec<(String, String)>,
    first_seen: Moment,
    published: Option<Moment>,
}

impl About {
    fn new(t: Locale, detail: &VulnerabilityDetail) -> Self {
        let line = &detail.line;
        let text = |key: &'static str| t.text(key).to_string();
        let mut facts = Vec::new();
        let others: Vec<_> =
            line.ids.iter().filter(|id| **id != line.name).map(String::as_str).collect();
        if !others.is_empty() {
            facts.push((text("vulnerabilities-other-ids"), others.join(", ")));
        }
        if let Some(vector) = &line.vector {
            facts.push((text("vulnerabilities-vector"), vector.clone()));
        }
        if !line.fixed.is_empty() {
            facts.push((text("vulnerabilities-fixed-in"), line.fixed.join(", ")));
        }
        if let Some(remedy) = &detail.remedy {
            facts.push((text("vulnerabilities-remedy"), remedy.clone()));
        }
        if line.private {
            facts.push((text("vulnerabilities-known-by"), text("vulnerabilities-private")));
        }
        let exploited = line.exploited.as_ref().map(|fact| {
            let mut says = text("vulnerabilities-exploited-says");
            if let Some(since) = fact.since {
                let since = t.date(UnixTime(since)).plain().to_owned();
                says.push_str(
                    &t.text("vulnerabilities-exploited-since").arg("date", since).to_string(),
                );
            }
            if fact.ransomware {
                says.push_str(&text("vulnerabilities-ransomware"));
            }
            Message::new(Tone::Bad, says).title(t.text("vulnerabilities-exploited-title"))
        });
        Self {
            summary: line.summary.clone(),
            score: score(t, line.tenths),
            status: status(t, line.status),
            exploited,
            reopened: (line.reopened > 0).then(|| {
                let says = t.text("vulnerabilities-reopened-says").arg("count", line.reopened);
                Message::new(Tone::Warn, says)
            }),
            facts,
            first_seen: t.time(line.first_seen),
            published: line.published.map(|at| t.date(at)),
        }
    }
}

/// A version with what is said about it, and why it is thought to be affected.
struct Exposure {
    product: String,
    version: String,
    status: Badge,
    uncertain: bool,
    reopened: Option<String>,
    gone: Option<Moment>,
    said: Vec<String>,
    components: Vec<(String, Vec<String>)>,
    more: Option<String>,
}

impl Exposure {
    fn new(t: Locale, exposure: &ExposureView) -> Self {
        let components = exposure
            .components
            .iter()
            .take(COMPONENTS)
            .map(|component| {
                let mut why: Vec<String> = component
                    .reasons
                    .iter()
                    .map(|reason| {
                        let word = reason_word(t, &reason.code);
                        let mut text = format!("{}: {word}", reason.advisory);
                        if !reason.detail.is_empty() {
                            text = format!("{text} ({})", reason.detail);
                        }
                        text
                    })
                    .collect();
                if !component.fixed.is_empty() {
                    let fixed = component.fixed.join(", ");
                    why.push(
                        t.text("vulnerabilities-mended-in").arg("versions", fixed).to_string(),
                    );
                }
                (component.label.clone(), why)
            })
            .collect();
        let left = exposure.components.len().saturating_sub(COMPONENTS);
        Self {
            product: exposure.product.to_string(),
            version: exposure.version.clone(),
            status: status(t, exposure.status),
            uncertain: !exposure.certain && exposure.status.is_open(),
            reopened: exposure
                .reopened_why
                .as_deref()
                .filter(|_| exposure.reopened_at.is_some())
                .map(|why| match why {
                    "advisory-changed" | "no-longer-covered" => t.word("reopened", why).to_string(),
                    other => other.to_owned(),
                }),
            gone: exposure.closed_at.map(|at| t.date(at)),
            said: exposure.said.iter().map(|said| said_words(t, said)).collect(),
            components,
            more: (left > 0)
                .then(|| t.text("vulnerabilities-more-components").arg("count", left).to_string()),
        }
    }
}

fn reason_word(t: Locale, code: &str) -> String {
    let known = ReasonCode::ALL.into_iter().find(|known| known.name() == code);
    match (known, t.language) {
        (Some(known), Language::En) => known.english().to_owned(),
        (Some(known), Language::Ja) => known.japanese().to_owned(),
        (None, _) => code.to_owned(),
    }
}

/// Who says what, and why.
fn said_words(t: Locale, said: &SaidFact) -> String {
    let status = match service::ExposureStatus::from_name(&said.status) {
        Some(status) => t.word("exposure", status.name()).to_string(),
        None => said.status.clone(),
    };
    let mut why: Vec<String> = Vec::new();
    if let Some(word) = &said.justification {
        why.push(super::say::justification(t, word));
    }
    why.extend(said.words.clone());
    let mut text =
        t.text("vulnerabilities-said").arg("who", &said.author).arg("status", status).to_string();
    if !why.is_empty() {
        text = format!("{text} {}", why.join(" – "));
    }
    if let Some(until) = said.expires {
        let until = t.date(UnixTime(until)).plain().to_owned();
        text = format!("{text} {}", t.text("vulnerabilities-until").arg("date", until));
    }
    text
}

struct Times {
    settled: Option<Moment>,
    days: Option<String>,
}

impl Times {
    fn new(t: Locale, history: &FixHistory) -> Self {
        let days = history.time_to_fix_s.map(|seconds| {
            let key = if seconds < 2 * 86_400 {
                t.text("vulnerabilities-hours").arg("count", seconds / 3_600)
            } else {
                t.text("vulnerabilities-days").arg("count", seconds / 86_400)
            };
            key.to_string()
        });
        Self { settled: history.settled_at.map(|at| t.time(at)), days }
    }
}

/// How many devices run a version.
struct Running {
    product: String,
    version: String,
    status: Badge,
    devices: String,
    href: String,
}

impl Running {
    fn new(t: Locale, version: &RunningVersion, side: FleetSide) -> Self {
        let status = match (version.status, version.known) {
            (Some(one), _) => status(t, one),
            (None, true) => Badge::new(Tone::Good, t.text("vulnerabilities-not-in-it")),
            (None, false) => Badge::new(Tone::Warn, t.text("vulnerabilities-not-known")),
        };
        let product = format!("{}/{}", version.maker, version.product);
        Self {
            href: listing::address(
                "/devices",
                &[("relation", side.name()), ("product", &product), ("runs", &version.version)],
            ),
            product,
            version: version.version.clone(),
            status,
            devices: t.number(version.devices),
        }
    }
}

/// A campaign that would mend it.
struct Draft {
    product: String,
    what: String,
    note: Option<String>,
    why: Option<Message>,
    adjust: Option<String>,
    proposed: bool,
}

impl Draft {
    fn new(
        t: Locale,
        draft: &CampaignDraft,
        name: &str,
        side: FleetSide,
        may_propose: bool,
    ) -> Self {
        let product = format!("{}/{}", draft.maker, draft.product);
        let versions: Vec<&str> =
            draft.versions.iter().map(|(version, ..)| version.as_str()).collect();
        let separator = t.text("words-and").to_string();
        let mut note = None;
        if !draft.newer.is_empty() {
            let newer: Vec<&str> =
                draft.newer.iter().map(|(version, _)| version.as_str()).collect();
            let count: u64 = draft.newer.iter().map(|(_, devices)| *devices).sum();
            note = Some(
                t.text("vulnerabilities-draft-newer")
                    .arg("versions", newer.join(&separator))
                    .arg("count", count)
                    .to_string(),
            );
        }
        let (what, adjust) = match &draft.target {
            FixTarget::Fixed { release, version, .. } => {
                let what = t
                    .text("vulnerabilities-draft-says")
                    .arg("count", draft.devices)
                    .arg("versions", versions.join(&separator))
                    .arg("release", version)
                    .to_string();
                let title = format!("{name}: {} {version}", draft.product);
                // A version with a comma in it cannot stand in a list of the form.
                let plain = versions.iter().all(|version| !version.contains(','));
                let adjust = (plain && may_propose)
                    .then(|| campaigns::filled(release, side.name(), &title, &versions));
                (what, adjust)
            }
            _ => {
                let what = t
                    .text("vulnerabilities-draft-runs")
                    .arg("count", draft.devices)
                    .arg("versions", versions.join(&separator));
                (what.to_string(), None)
            }
        };
        let why = draft.target.why().map(|(english, japanese)| {
            let says = match t.language {
                Language::En => english,
                Language::Ja => japanese,
            };
            let says = crate::failure::sentence(&says, t.language);
            Message::new(Tone::Warn, says).title(t.text("vulnerabilities-no-release"))
        });
        let proposed = may_propose && why.is_none();
        Self { product, what, note, why, adjust, proposed }
    }
}

struct DeviceRow {
    href: String,
    serial: String,
    product: String,
    version: String,
    status: Badge,
    owner: String,
    seen: Moment,
}

impl DeviceRow {
    fn new(t: Locale, device: &VulnerableDevice) -> Self {
        Self {
            href: format!("/devices/{}", device.device),
            serial: device.serial_number.clone(),
            product: format!("{}/{}", device.maker, device.product),
            version: device.version.clone(),
            status: status(t, device.status),
            owner: device.owner.to_string(),
            seen: t.time(device.seen_at),
        }
    }
}

async fn csv(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Asked(shown): Asked<Shown>,
) -> Answer {
    let side = side(&shown.side)?;
    let own = &member.signed().organisation;
    let export = console
        .service
        .export_vulnerable(member.caller(), own, side, &id, true)
        .await
        .map_err(Failure::from)?;
    let pieces = futures_util::stream::unfold(export, async |mut export| {
        let piece = export.next().await?;
        Some((piece, export))
    });
    Ok(devices::csv("vulnerable-devices.csv", Body::from_stream(pieces)))
}

#[derive(Template)]
#[template(path = "vulnerabilities/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    about: Option<About>,
    exposures: Vec<Exposure>,
    more: Option<String>,
    say: Option<String>,
    statements: Option<String>,
    history: Option<Times>,
    share: Option<OverTime>,
    running: Vec<Running>,
    affected: String,
    drafts: Vec<Draft>,
    rows: Vec<DeviceRow>,
    pager: Pager,
    csv: String,
    propose: String,
    side: &'static str,
    is_owner: bool,
    other_side: String,
}
