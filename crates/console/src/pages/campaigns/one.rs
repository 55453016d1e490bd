//! A campaign: how far it is, stage by stage and over time, and what each device made of it.

use super::{id, state, sum};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    chart::{Chart, Mark, OverTime, Series, Shape, Stages},
    i18n::{Locale, Moment},
    pages::{listing, words},
    ui::{Badge, Button, Icon, Id, Message, Pager, Tab, Tabs, Tile, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use crypto::UnixTime;
use serde::Deserialize;
use service::{
    CampaignDevice, CampaignDeviceFilter, CampaignMoment, CampaignView, TRIAL_MEMBERS_MAX,
};
use update::campaign::{
    Counts, OnFailure, Outcome, PauseCause, Plan, Purpose, State as Stands, Window,
};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/campaigns/{id}", get(one))
}

/// Moments that are drawn.
const MOMENTS: i64 = 48;
/// Seconds after which a page with script loads its figures again.
const AGAIN_S: u32 = 5;

/// Which devices are listed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    outcome: String,
    after: String,
}

impl Shown {
    fn filter(&self) -> Result<CampaignDeviceFilter, Failure> {
        Ok(match self.outcome.as_str() {
            "" | "all" => CampaignDeviceFilter::All,
            "open" => CampaignDeviceFilter::Open,
            name => CampaignDeviceFilter::Outcome(
                Outcome::from_name(name).ok_or_else(Failure::bad_request)?,
            ),
        })
    }
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(shown): Asked<Shown>,
) -> Answer {
    let t = member.t;
    let filter = shown.filter()?;
    let view = console.service.campaign(member.caller(), &id(&text)?).await?;
    let moments = console.service.campaign_history(member.caller(), &view.id).await?;
    let place = listing::page(&shown.after);
    let devices =
        console.service.campaign_devices(member.caller(), &view.id, filter, &place).await?;
    let here = format!("/campaigns/{}", view.id);
    let query = [("outcome", shown.outcome.as_str())];
    let pager = listing::pager(t, &here, &query, &shown.after, devices.next.as_deref());
    let sum = sum(&view);
    let page = OnePage {
        t,
        frame: member.frame(Section::Campaigns, &view.name),
        state: state(t, view.state),
        message: message(t, &view),
        buttons: buttons(&member, &view),
        live: view.state.is_active() || (view.state == Stands::Paused && sum.open > 0),
        every: AGAIN_S,
        again: listing::address(&here, &[query[0], ("after", &shown.after)]),
        at: t.time(member.now),
        tiles: tiles(t, &view, &sum, &here),
        stages: (view.members > 0).then(|| stages(t, &view)),
        over_time: (moments.len() > 1).then(|| over_time(t, &moments)),
        facts: facts(t, &view),
        release: (format!("/releases/{}", view.release), release(&view)),
        created: (view.created_by.clone(), t.time(view.created_at)),
        started: view
            .started_at
            .map(|at| (view.started_by.clone().unwrap_or_default(), t.time(at))),
        over: view.over_at.map(|at| t.time(at)),
        root: Id::new(t, &view.root),
        tabs: tabs(t, &here, &shown.outcome),
        rows: devices.items.iter().map(|device| Row::new(t, device)).collect(),
        is_draft: view.state == Stands::Draft,
        pager,
    };
    Ok(member.page(&page))
}

fn release(view: &CampaignView) -> String {
    format!("{} {}", view.product.1, view.version)
}

fn message(t: Locale, view: &CampaignView) -> Option<Message> {
    Some(match (view.state, view.paused) {
        (Stands::Draft, _) => Message::new(Tone::Info, t.text("campaigns-draft-says"))
            .title(t.text("campaigns-draft-title").arg("count", view.members)),
        (Stands::Paused, Some(cause)) => {
            let tone = if cause == PauseCause::Person { Tone::Held } else { Tone::Bad };
            Message::new(tone, t.word("campaign-paused", cause.name()))
        }
        (Stands::RollingBack, _) => Message::new(Tone::Warn, t.text("campaigns-rolling-back-says")),
        _ => return None,
    })
}

/// What can be done now, by this visitor.
fn buttons(member: &Member, view: &CampaignView) -> Vec<Button> {
    let t = member.t;
    let may = |action| words::may(member, action, &view.organisation);
    let act = |kind, name: &str| {
        Button::new(kind, t.word("campaign-do", name))
            .link(format!("/campaigns/{}/{name}", view.id))
    };
    let mut buttons = Vec::new();
    for (name, kind) in super::act::possible(view) {
        if may(super::act::needs(name)) {
            buttons.push(act(kind, name));
        }
    }
    buttons
}

fn tiles(t: Locale, view: &CampaignView, sum: &Counts, here: &str) -> Vec<Tile> {
    let to = |outcome: &str| format!("{here}?outcome={outcome}#devices");
    let share = |count| t.percent(count, view.members);
    let word = |outcome: &str| t.word("campaign-outcome", outcome);
    let mut tiles = vec![
        Tile::new(t.text("campaigns-members"), t.number(view.members)),
        Tile::new(word("succeeded"), t.number(sum.succeeded))
            .tone(Tone::Good)
            .note(share(sum.succeeded))
            .link(to("succeeded")),
        Tile::new(word("failed"), t.number(sum.failed))
            .tone(if sum.failed > 0 { Tone::Bad } else { Tone::Neutral })
            .note(share(sum.failed))
            .link(to("failed")),
        Tile::new(word("open"), t.number(sum.open)).tone(Tone::Busy).link(to("open")),
        Tile::new(t.text("campaigns-waiting"), t.number(sum.waiting())).tone(Tone::Neutral),
        Tile::new(word("skipped"), t.number(sum.skipped)).tone(Tone::Info).link(to("skipped")),
    ];
    if sum.rolling_back + sum.rolled_back + sum.stranded > 0 {
        let back = format!(
            "{} / {}",
            t.number(sum.rolled_back),
            t.number(sum.rolled_back + sum.rolling_back + sum.stranded)
        );
        tiles.push(Tile::new(t.text("campaigns-back"), back).tone(Tone::Warn));
    }
    tiles
}

/// The series of a campaign's charts, from a figure of each count.
fn series(t: Locale, counts: &[Counts]) -> Vec<Series> {
    type Count = fn(&Counts) -> u64;
    let all: [(String, Tone, Count, bool); 8] = [
        (word(t, "succeeded"), Tone::Good, |c| c.succeeded, true),
        (word(t, "open"), Tone::Busy, |c| c.open, true),
        (t.text("campaigns-waiting").to_string(), Tone::Neutral, Counts::waiting, true),
        (t.text("campaigns-going-back").to_string(), Tone::Warn, |c| c.rolling_back, false),
        (t.text("campaigns-went-back").to_string(), Tone::Held, |c| c.rolled_back, false),
        (word(t, "skipped"), Tone::Info, |c| c.skipped, false),
        (word(t, "cancelled"), Tone::Held, |c| c.cancelled, false),
        (word(t, "failed"), Tone::Bad, |c| c.failed.saturating_add(c.stranded), true),
    ];
    all.into_iter()
        .map(|(name, tone, count, always)| {
            (Series::new(name, counts.iter().map(count).collect()).tone(tone), always)
        })
        .filter(|(series, always)| *always || series.values.iter().any(|value| *value > 0))
        .map(|(series, _)| series)
        .collect()
}

fn word(t: Locale, outcome: &str) -> String {
    t.word("campaign-outcome", outcome).to_string()
}

fn stages(t: Locale, view: &CampaignView) -> Stages {
    let plan = view.plan.stages();
    let open = usize::from(view.stage);
    let categories = plan
        .iter()
        .enumerate()
        .map(|(at, _)| {
            let key = if view.state != Stands::Draft && at == open {
                t.text("campaigns-stage-open")
            } else {
                t.text("campaigns-stage-number")
            };
            key.arg("number", at + 1).to_string()
        })
        .collect();
    let marks = plan
        .iter()
        .map(|stage| {
            let (success, error) =
                (u64::from(stage.success_percent), u64::from(stage.error_percent));
            vec![
                Mark {
                    percent: success,
                    stops: false,
                    name: t.text("campaigns-mark-success").arg("percent", success).to_string(),
                },
                Mark {
                    percent: 100_u64.saturating_sub(error),
                    stops: true,
                    name: t.text("campaigns-mark-error").arg("percent", error).to_string(),
                },
            ]
        })
        .collect();
    Stages {
        marks,
        chart: Chart {
            t,
            id: "stages",
            title: t.text("campaigns-stages").to_string(),
            description: t.text("campaigns-stages-says").to_string(),
            category: t.text("campaigns-stage").to_string(),
            categories,
            series: series(t, &view.counts),
        },
    }
}

/// Even steps in time; at each, how the members stood.
fn over_time(t: Locale, moments: &[CampaignMoment]) -> OverTime {
    let first = moments.first().map_or(0, |moment| moment.at.0);
    let last = moments.last().map_or(0, |moment| moment.at.0);
    let span = last.saturating_sub(first).max(1);
    let steps = MOMENTS.min(span);
    let mut times = Vec::new();
    let mut counts = Vec::new();
    for step in 0..=steps {
        let at = first.saturating_add(span.saturating_mul(step) / steps);
        let stood = moments.iter().rev().find(|moment| moment.at.0 <= at);
        times.push(UnixTime(at));
        counts.push(stood.or(moments.first()).map(|moment| moment.counts).unwrap_or_default());
    }
    let short = |at: &UnixTime| {
        let plain = t.time(*at).plain().to_owned();
        if span > 3 * 86_400 {
            t.day(*at)
        } else {
            // 2026-11-21 05:36 UTC: the hour and the minute
            plain.split(' ').nth(1).unwrap_or_default().to_owned()
        }
    };
    OverTime {
        shape: Shape::Stacked,
        axis: times.iter().map(short).collect(),
        chart: Chart {
            t,
            id: "over-time",
            title: t.text("campaigns-over-time").to_string(),
            description: t.text("campaigns-over-time-says").to_string(),
            category: t.text("campaigns-time").to_string(),
            categories: times.iter().map(|at| t.time(*at).plain().to_owned()).collect(),
            series: series(t, &counts),
        },
    }
}

/// How a window is said: weekdays, hours, zone.
pub(super) fn window_words(t: Locale, window: &Window) -> String {
    let days: Vec<_> = (1_u8..=7)
        .filter(|day| window.days() >> (day - 1) & 1 == 1)
        .map(|day| t.word("weekday", &day.to_string()).to_string())
        .collect();
    let minute = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    t.text("campaigns-window-says")
        .arg("days", days.join(t.text("words-and").to_string().as_str()))
        .arg("from", minute(window.from()))
        .arg("to", minute(window.to()))
        .arg("zone", window.zone())
        .to_string()
}

/// A length of time in hours, or in minutes where it is no whole number of them.
pub(super) fn span(t: Locale, seconds: i64) -> String {
    if seconds % 3_600 == 0 {
        t.text("campaigns-hours").arg("count", seconds / 3_600).to_string()
    } else {
        t.text("campaigns-minutes").arg("count", seconds / 60).to_string()
    }
}

/// The plan in words.
pub(super) fn plan_words(t: Locale, plan: &Plan) -> Vec<(String, String)> {
    let text = |key: &'static str| t.text(key).to_string();
    let mut out = Vec::new();
    if let Some(window) = &plan.window {
        out.push((text("campaigns-window"), window_words(t, window)));
    }
    if let Some(starts) = plan.starts_per_minute {
        let starts = t.text("campaigns-starts-says").arg("count", starts).to_string();
        out.push((text("campaigns-starts"), starts));
    }
    out.push((text("campaigns-deadline"), span(t, plan.deadline_s)));
    out.push((text("campaigns-attempts"), t.number(plan.attempts_max)));
    let failure = match plan.on_failure {
        OnFailure::Pause => text("campaigns-failure-pause"),
        OnFailure::RollBack => text("campaigns-failure-roll-back"),
    };
    out.push((text("campaigns-failure"), failure));
    if plan.force {
        out.push((text("campaigns-device"), text("campaigns-force-says")));
    }
    if plan.confirm {
        out.push((text("campaigns-device"), text("campaigns-confirm-says")));
    }
    out
}

fn facts(t: Locale, view: &CampaignView) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    if let Some((_, version)) = &view.roll_back_to {
        facts.push((t.text("campaigns-roll-back-to").to_string(), version.clone()));
    }
    facts.push((t.text("campaigns-search").to_string(), view.search.clone()));
    for (at, stage) in view.plan.stages().iter().enumerate() {
        let share = f64::from(stage.share) / 100.0;
        let says = t
            .text("campaigns-stage-says")
            .arg("share", share.to_string())
            .arg("success", stage.success_percent)
            .arg("error", stage.error_percent)
            .arg("soak", span(t, stage.soak_s))
            .to_string();
        facts.push((t.text("campaigns-stage-number").arg("number", at + 1).to_string(), says));
    }
    facts.extend(plan_words(t, &view.plan));
    if view.members > TRIAL_MEMBERS_MAX && view.state == Stands::Draft {
        facts.push((
            t.text("campaigns-approval").to_string(),
            t.text("campaigns-approval-says").to_string(),
        ));
    }
    facts
}

const OUTCOMES: &[&str] =
    &["all", "open", "succeeded", "failed", "skipped", "withdrawn", "cancelled"];

fn tabs(t: Locale, here: &str, outcome: &str) -> Tabs {
    let shown = if outcome.is_empty() { "all" } else { outcome };
    let tabs = OUTCOMES
        .iter()
        .map(|name| Tab {
            label: word(t, name),
            href: match *name {
                "all" => format!("{here}#devices"),
                name => format!("{here}?outcome={name}#devices"),
            },
            current: *name == shown,
            count: None,
        })
        .collect();
    Tabs::new(t.text("campaigns-by-outcome"), tabs)
}

struct Row {
    href: String,
    serial: String,
    stage: String,
    outcome: Badge,
    purpose: Option<String>,
    reason: Option<String>,
    words: Option<String>,
    heard: Option<Moment>,
    deadline: Option<Moment>,
    leaf: Option<String>,
}

impl Row {
    fn new(t: Locale, device: &CampaignDevice) -> Self {
        let (outcome, reason) = match &device.result {
            None => {
                let mut step = t.word("campaign-step", device.step.name()).to_string();
                if let Some(percent) = device.progress {
                    step = format!("{step} {percent}%");
                }
                (Badge::new(Tone::Busy, step), None)
            }
            Some((outcome, reason, _)) => {
                let tone = match outcome {
                    Outcome::Succeeded => Tone::Good,
                    Outcome::Failed => Tone::Bad,
                    Outcome::Skipped => Tone::Info,
                    Outcome::Withdrawn | Outcome::Cancelled => Tone::Neutral,
                };
                let said = t.word("campaign-reason", reason.name()).to_string();
                (Badge::new(tone, word(t, outcome.name())), Some(said))
            }
        };
        Self {
            href: format!("/devices/{}", device.device),
            serial: device.serial_number.clone(),
            stage: t.number(device.stage.saturating_add(1)),
            outcome,
            purpose: (device.purpose == Purpose::RollBack)
                .then(|| t.word("campaign-purpose", device.purpose.name()).to_string()),
            reason,
            words: device.detail.clone(),
            heard: device.heard_at.map(|at| t.time(at)),
            deadline: device.result.is_none().then(|| t.time(device.deadline)),
            leaf: device.leaf.map(|leaf| t.number(leaf)),
        }
    }
}

#[derive(Template)]
#[template(path = "campaigns/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    state: Badge,
    message: Option<Message>,
    buttons: Vec<Button>,
    live: bool,
    every: u32,
    again: String,
    at: Moment,
    tiles: Vec<Tile>,
    stages: Option<Stages>,
    over_time: Option<OverTime>,
    facts: Vec<(String, String)>,
    release: (String, String),
    created: (String, Moment),
    started: Option<(String, Moment)>,
    over: Option<Moment>,
    root: Id,
    tabs: Tabs,
    rows: Vec<Row>,
    is_draft: bool,
    pager: Pager,
}
