//! The start page: how many devices stand how, what needs attention, what happened, how the log is.

use super::{listing, words};
use crate::{
    Answer, Console, Frame, Member, Section,
    chart::{Bars, Chart, OverTime, Series, Shape, Share},
    i18n::Locale,
    ui::{Badge, Button, ButtonKind, Empty, Entry, Icon, Message, Tile, Timeline, Tone},
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use device::{Outcome, Phase, StandingKind};
use service::{Attention, Overview, SUPPORT_DAYS};

/// A witness that was last heard of longer ago than this needs attention.
const SILENT_S: i64 = 3600;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/", get(page))
}

async fn page(State(console): State<Console>, member: Member) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let found = console.service.overview(member.caller(), own).await?;
    let empty = Empty::new(Icon::Device, t.text("overview-empty"), t.text("overview-empty-hint"))
        .action(Button::new(ButtonKind::Primary, t.text("overview-to-guide")).link("/guide"));
    let page = OverviewPage {
        t,
        frame: member.frame(Section::Overview, t.text("overview-title")),
        as_of: t.time(found.as_of).plain().to_owned(),
        empty: (found.devices == 0).then_some(empty),
        tiles: tiles(t, &found),
        standing: standing(t, &found),
        phases: phases(t, &found),
        verdicts: verdicts(t, &found),
        attention: attention(t, &found),
        support: support(t, &found, own.as_str(), member.now),
        signatures: signatures(t, &found, member.now),
        newest: newest(t, &found),
        nothing_new: found.newest.is_empty(),
        log: log(t, &found, member.now),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "overview/overview.html")]
struct OverviewPage {
    t: Locale,
    frame: Frame,
    as_of: String,
    empty: Option<Empty>,
    tiles: Vec<Tile>,
    standing: Share,
    phases: Bars,
    verdicts: OverTime,
    attention: Vec<AttentionRow>,
    support: Vec<SupportRow>,
    signatures: Vec<Message>,
    newest: Timeline,
    nothing_new: bool,
    log: LogCard,
}

fn tiles(t: Locale, found: &Overview) -> Vec<Tile> {
    let outcome = |wanted: Option<Outcome>| {
        let all = found.outcomes.iter().filter(|(outcome, _)| *outcome == wanted);
        all.map(|(_, count)| *count).sum::<u64>()
    };
    let mut tiles =
        vec![Tile::new(t.text("overview-devices"), t.number(found.devices)).link("/devices")];
    for one in Outcome::ALL {
        let count = outcome(Some(*one));
        let note = t.percent(count, found.devices);
        tiles.push(
            Tile::new(t.of(one.text()), t.number(count))
                .tone(words::tone_of(*one))
                .note(note)
                .link(listing::address("/devices", &[("verdict", one.name())])),
        );
    }
    tiles.push(
        Tile::new(t.text("overview-never-judged"), t.number(outcome(None)))
            .tone(Tone::Neutral)
            .link("/devices?verdict=never"),
    );
    tiles
}

fn standing(t: Locale, found: &Overview) -> Share {
    let series = found
        .standings
        .iter()
        .map(|(standing, count)| {
            let tone = match standing {
                StandingKind::Good => Tone::Good,
                StandingKind::Suspended => Tone::Held,
                StandingKind::Revoked => Tone::Bad,
            };
            Series::new(t.of(standing.text()), vec![*count]).tone(tone)
        })
        .collect();
    Share(Chart {
        t,
        id: "standing",
        title: t.text("overview-standing").to_string(),
        description: t.text("overview-standing-says").to_string(),
        category: t.text("overview-standing").to_string(),
        categories: vec![t.text("overview-devices").to_string()],
        series,
    })
}

fn phases(t: Locale, found: &Overview) -> Bars {
    let count = |wanted: Option<Phase>| {
        let all = found.phases.iter().filter(|(phase, _)| *phase == wanted);
        all.map(|(_, count)| *count).sum::<u64>()
    };
    let all = [None].into_iter().chain(Phase::ALL.iter().map(|phase| Some(*phase)));
    // Every phase has its place, so that the picture stays the same from day to day.
    let (categories, values) = all.map(|phase| (words::phase(t, phase), count(phase))).unzip();
    Bars(Chart {
        t,
        id: "phases",
        title: t.text("overview-phases").to_string(),
        description: t.text("overview-phases-says").to_string(),
        category: t.text("overview-phase").to_string(),
        categories,
        series: vec![Series::new(t.text("overview-devices"), values)],
    })
}

fn verdicts(t: Locale, found: &Overview) -> OverTime {
    let days = &found.verdicts;
    let series = |outcome: Outcome, count: fn(&service::DayOfVerdicts) -> u64| {
        Series::new(t.of(outcome.text()), days.iter().map(count).collect())
            .tone(words::tone_of(outcome))
    };
    let utc = Locale { zone: crate::i18n::Zone::UTC, ..t };
    OverTime {
        shape: Shape::Columns,
        axis: days.iter().map(|day| utc.day(day.day)).collect(),
        chart: Chart {
            t,
            id: "verdicts",
            title: t.text("overview-verdicts").to_string(),
            description: t.text("overview-verdicts-says").to_string(),
            category: t.text("overview-day").to_string(),
            categories: days.iter().map(|day| utc.date(day.day).plain().to_owned()).collect(),
            series: vec![
                series(Outcome::Genuine, |day| day.genuine),
                series(Outcome::Suspect, |day| day.suspect),
                series(Outcome::Rejected, |day| day.rejected),
            ],
        },
    }
}

struct AttentionRow {
    state: Badge,
    count: String,
    href: String,
}

fn attention(t: Locale, found: &Overview) -> Vec<AttentionRow> {
    found
        .attention
        .iter()
        .filter(|(_, counted)| counted.count > 0)
        .map(|(kind, counted)| {
            let tone = match kind {
                Attention::Suspect | Attention::Alarm => Tone::Bad,
                Attention::Suspended => Tone::Held,
                Attention::Scans
                | Attention::Support { .. }
                | Attention::Expiring { .. }
                | Attention::Stale { .. } => Tone::Warn,
            };
            let days = match kind {
                Attention::Expiring { days }
                | Attention::Stale { days }
                | Attention::Support { days } => days.to_string(),
                _ => String::new(),
            };
            let number = t.number(counted.count);
            let count = if counted.at_least { format!("{number}+") } else { number };
            AttentionRow {
                state: Badge::new(tone, t.word("attention", kind.name())),
                count,
                href: listing::address("/devices", &[("attention", kind.name()), ("days", &days)]),
            }
        })
        .collect()
}

struct SupportRow {
    product: String,
    href: String,
    end: crate::i18n::Moment,
    state: Badge,
    devices: String,
    list: String,
}

/// Product lines of the visitor's organisation whose support ends.
fn support(t: Locale, found: &Overview, own: &str, now: crypto::UnixTime) -> Vec<SupportRow> {
    found
        .support
        .iter()
        .map(|line| {
            let left = line.end.since(now);
            let within = SUPPORT_DAYS.into_iter().find(|days| left <= i64::from(*days) * 86_400);
            let state = match within {
                _ if left <= 0 => Badge::new(Tone::Bad, t.text("overview-support-ended")),
                Some(days) => {
                    Badge::new(Tone::Warn, t.text("overview-support-within").arg("days", days))
                }
                None => Badge::new(Tone::Info, t.text("words-ends-soon")),
            };
            let product = format!("{own}/{}", line.product);
            let number = t.number(line.devices.count);
            SupportRow {
                product: line.name.clone(),
                href: format!("/products/{product}"),
                end: t.date(line.end),
                state,
                devices: if line.devices.at_least { format!("{number}+") } else { number },
                list: listing::address(
                    "/devices",
                    &[("relation", "maker"), ("product", &product), ("attention", "support")],
                ),
            }
        })
        .collect()
}

fn newest(t: Locale, found: &Overview) -> Timeline {
    let entries = found
        .newest
        .iter()
        .map(|event| {
            let title = t.of(event.kind.text());
            let mut entry = Entry::new(words::event_tone(event.kind), t.time(event.at), title);
            let device = (t.text("life-device").to_string(), event.device.to_string());
            entry.facts.push(device);
            entry.href = Some(format!("/devices/{}#life", event.device));
            entry.who = Some(match &event.actor {
                Some(actor) => format!("{} · {actor}", event.principal),
                None => event.principal.to_string(),
            });
            if event.on_behalf {
                entry.badges.push(Badge::new(Tone::Info, t.text("life-on-behalf")));
            }
            entry
        })
        .collect();
    Timeline::new(entries)
}

/// What was signed for updates and ends soon: people sign it anew, where the keys are.
fn signatures(t: Locale, found: &Overview, now: crypto::UnixTime) -> Vec<Message> {
    let say = |role: &service::RoleState, of: &str| {
        let text = t
            .text(of)
            .arg("role", role.role.as_str())
            .arg("date", t.date(role.expires).plain().to_owned());
        Message::new(if role.expires <= now { Tone::Bad } else { Tone::Warn }, text)
    };
    let images = found.repository.iter().map(|role| say(role, "overview-images-end"));
    images.chain(found.director.iter().map(|role| say(role, "overview-director-ends"))).collect()
}

struct LogCard {
    state: Message,
    size: String,
    waiting: String,
    checkpoint: Option<crate::i18n::Moment>,
    witnesses: Vec<(String, Badge)>,
}

fn log(t: Locale, found: &Overview, now: crypto::UnixTime) -> LogCard {
    let log = &found.log;
    let silent = |at: Option<crypto::UnixTime>| at.is_none_or(|at| now.since(at) > SILENT_S);
    let state = match &log.failure {
        Some(failure) => {
            let failure = words::told(t, failure, log.failure_ja.as_deref());
            Message::new(Tone::Bad, failure).title(t.text("log-stopped"))
        }
        None if log.witnesses.iter().any(|witness| silent(witness.cosigned_at)) => {
            Message::new(Tone::Warn, t.text("overview-witness-silent"))
        }
        None => Message::new(Tone::Good, t.text("overview-log-well")),
    };
    let witnesses = log
        .witnesses
        .iter()
        .map(|witness| {
            let badge = match witness.cosigned_at {
                None => Badge::new(Tone::Warn, t.text("log-never-cosigned")),
                at if silent(at) => Badge::new(Tone::Warn, t.text("log-silent")),
                Some(_) => Badge::new(Tone::Good, t.text("log-cosigning")),
            };
            (witness.name.clone(), badge)
        })
        .collect();
    LogCard {
        state,
        size: t.number(log.size),
        waiting: t.number(log.waiting),
        checkpoint: log.checkpoint_at.map(|at| t.ago(at, now)),
        witnesses,
    }
}
