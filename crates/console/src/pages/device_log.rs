//! The log that a device handed over (LG-5), with a mark where something is missing.

use super::listing::{self, Place};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Icon, Message, Pager, Tone},
};
use admission::device_log::{Began, LogOutcome, LogSeverity};
use askama::Template;
use audit::Text;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use crypto::UnixTime;
use service::{DeviceLogEntryView, DeviceLogStretchView, DeviceView};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/devices/{id}/log", get(page))
}

/// When, by the device's clock, or since its start.
enum Time {
    Clock(Moment),
    Boot(String),
}

struct Row {
    sequence: String,
    time: Time,
    kind: String,
    severity: Badge,
    outcome: Badge,
    who: Option<String>,
    subject: Option<String>,
    details: Vec<(String, String)>,
    received: Moment,
    door: &'static str,
    audit: Option<String>,
    /// what is wrong right before it
    mark: Option<Message>,
}

fn severity(t: Locale, severity: LogSeverity) -> Badge {
    let tone = match severity {
        LogSeverity::Informational | LogSeverity::Low => Tone::Neutral,
        LogSeverity::Medium => Tone::Info,
        LogSeverity::High => Tone::Warn,
        LogSeverity::Critical => Tone::Bad,
    };
    Badge::new(tone, t.word("device-log-severity", severity.name()))
}

fn outcome(t: Locale, outcome: LogOutcome) -> Badge {
    let tone = match outcome {
        LogOutcome::Success => Tone::Neutral,
        LogOutcome::Failure | LogOutcome::Error => Tone::Warn,
    };
    Badge::new(tone, t.word("device-log-outcome", outcome.name()))
}

/// What stands before the first entry of a stretch.
fn mark(t: Locale, stretch: &DeviceLogStretchView) -> Option<Message> {
    let first = stretch.before.sequence.saturating_add(1);
    let text = match stretch.because {
        Began::Fork => {
            return Some(
                Message::new(Tone::Bad, t.text("device-log-fork").arg("first", first))
                    .title(t.text("device-log-fork-title")),
            );
        }
        Began::Restart => t.text("device-log-restart"),
        Began::Gap | Began::First if stretch.missing > 0 => t
            .text("device-log-gap")
            .arg("count", stretch.missing)
            .arg("first", first)
            .arg("declared", stretch.declared),
        Began::Late => {
            return Some(Message::new(Tone::Info, t.text("device-log-late").arg("first", first)));
        }
        Began::First | Began::Gap | Began::Owner => return None,
    };
    Some(Message::new(Tone::Warn, text).title(t.text("device-log-missing-title")))
}

/// What a device says must not turn the direction of what stands around it.
fn clean(text: &str) -> String {
    Text::new(text).as_str().to_owned()
}

fn row(t: Locale, one: DeviceLogEntryView, stretches: &[DeviceLogStretchView]) -> Row {
    let stretch = stretches.iter().find(|it| it.id == one.stretch);
    let begins = stretch.filter(|it| it.before.sequence.saturating_add(1) == one.sequence);
    let entry = one.entry;
    Row {
        sequence: t.number(one.sequence),
        time: match entry.boot {
            None => Time::Clock(t.time(UnixTime(entry.time))),
            Some(boot) => Time::Boot(
                t.text("device-log-boot").arg("boot", boot).arg("seconds", entry.time).to_string(),
            ),
        },
        kind: t.word("device-log-kind", entry.kind.name()).to_string(),
        severity: severity(t, entry.severity),
        outcome: outcome(t, entry.outcome),
        who: entry.actor.as_deref().map(clean),
        subject: entry.subject.as_deref().map(clean),
        details: entry.details.iter().map(|(key, value)| (clean(key), clean(value))).collect(),
        received: t.time(one.received_at),
        door: one.door,
        audit: one.audit.map(|number| t.number(number)),
        mark: begins.and_then(|it| mark(t, it)),
    }
}

/// What is to be said above all entries.
fn state(t: Locale, stretches: &[DeviceLogStretchView]) -> Option<Message> {
    if let Some(at) = stretches.iter().find_map(|it| it.broken_at) {
        let text = t.text("device-log-broken").arg("number", at);
        return Some(Message::new(Tone::Bad, text).title(t.text("device-log-broken-title")));
    }
    let bad = stretches.iter().any(|it| {
        matches!(it.because, Began::Fork | Began::Restart | Began::Gap)
            || it.because == Began::First && it.missing > 0
    });
    match (stretches.is_empty(), bad) {
        (true, _) => None,
        (false, true) => Some(Message::new(Tone::Warn, t.text("device-log-has-breaks"))),
        (false, false) => Some(Message::new(Tone::Good, t.text("device-log-whole"))),
    }
}

#[derive(Template)]
#[template(path = "device_log/device_log.html")]
struct LogPage {
    t: Locale,
    frame: Frame,
    view: DeviceView,
    state: Option<Message>,
    rows: Vec<Row>,
    empty: Empty,
    pager: Pager,
}

async fn page(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    Asked(place): Asked<Place>,
) -> Answer {
    let id = text.parse().map_err(|_| Failure::not_found())?;
    let (service, caller, t) = (&console.service, member.caller(), member.t);
    let entries = service.device_log(caller, &id, &listing::page(&place.after)).await?;
    let stretches = service.device_log_stretches(caller, &id).await?;
    let view = service.device(caller, &id).await?;
    let here = format!("/devices/{id}/log");
    let page = LogPage {
        t,
        frame: member
            .frame(Section::Devices, t.text("device-log-title").arg("serial", &view.serial_number)),
        state: state(t, &stretches),
        pager: listing::pager(t, &here, &[], &place.after, entries.next.as_deref()),
        rows: entries.items.into_iter().map(|one| row(t, one, &stretches)).collect(),
        empty: Empty::new(
            Icon::Clock,
            t.text("device-log-empty"),
            t.text("device-log-empty-hint").arg("topic", "me/up/log"),
        ),
        view,
    };
    Ok(member.page(&page))
}
