//! What goes through the doors for messages (GW-2, GW-6): admitted and refused, by door, over time.

use crate::{
    Answer, Asked, Console, Frame, Member, Section,
    chart::{Chart, OverTime, Series, Shape},
    i18n::Locale,
    ui::{Empty, Icon, Tab, Tabs, Tile, Tone},
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use crypto::UnixTime;
use serde::Deserialize;
use service::{DoorTraffic, MessageDoor};

const HERE: &str = "/traffic";
/// Hours of the two pictures, and how many of them one point of it is.
const DAY: Span = Span { hours: 24, point_s: 1800 };
const WEEK: Span = Span { hours: 168, point_s: 7200 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    hours: u32,
    point_s: i64,
}

pub(super) fn router() -> Router<Console> {
    Router::new().route(HERE, get(page))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wanted {
    hours: Option<u32>,
}

#[derive(Template)]
#[template(path = "traffic/traffic.html")]
struct TrafficPage {
    t: Locale,
    frame: Frame,
    spans: Tabs,
    tiles: Vec<Tile>,
    empty: Option<Empty>,
    admitted: OverTime,
    refused: OverTime,
}

async fn page(
    State(console): State<Console>,
    member: Member,
    Asked(wanted): Asked<Wanted>,
) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let span = if wanted.hours == Some(WEEK.hours) { WEEK } else { DAY };
    let found = console.service.door_traffic(member.caller(), own, span.hours).await?;
    let tab = |of: Span, key: &str| Tab {
        label: t.text(key).to_string(),
        href: format!("{HERE}?hours={}", of.hours),
        current: of == span,
        count: None,
    };
    let spans = vec![tab(DAY, "traffic-day"), tab(WEEK, "traffic-week")];
    let empty = Empty::new(Icon::Clock, t.text("traffic-none"), t.text("traffic-none-hint"));
    let picture =
        |id: &'static str, (title, says): (&str, &str), count: fn(&DoorTraffic) -> u64| {
            let words = (id, t.text(title).to_string(), t.text(says).to_string());
            over_time(t, span, member.now, words, &found, count)
        };
    let page = TrafficPage {
        t,
        frame: member.frame(Section::Traffic, t.text("traffic-title")),
        spans: Tabs::new(t.text("traffic-span").to_string(), spans),
        tiles: tiles(t, &found),
        empty: found.is_empty().then_some(empty),
        admitted: picture("admitted", ("traffic-admitted", "traffic-admitted-says"), |row| {
            row.admitted
        }),
        refused: picture("refused", ("traffic-refused", "traffic-refused-says"), |row| row.refused),
    };
    Ok(member.page(&page))
}

fn door(t: Locale, door: MessageDoor) -> String {
    t.word("traffic-door", door.name()).to_string()
}

fn tiles(t: Locale, found: &[DoorTraffic]) -> Vec<Tile> {
    let sum = |count: fn(&DoorTraffic) -> u64| found.iter().map(count).fold(0, u64::saturating_add);
    let refused = sum(|row| row.refused);
    let tone = if refused > 0 { Tone::Warn } else { Tone::Good };
    vec![
        Tile::new(t.text("traffic-admitted"), t.number(sum(|row| row.admitted))),
        Tile::new(t.text("traffic-refused"), t.number(refused)).tone(tone),
    ]
}

/// A line for each door.
fn over_time(
    t: Locale,
    span: Span,
    now: UnixTime,
    (id, title, description): (&'static str, String, String),
    found: &[DoorTraffic],
    count: fn(&DoorTraffic) -> u64,
) -> OverTime {
    let last = now.0.div_euclid(span.point_s);
    let points = i64::from(span.hours).saturating_mul(3600) / span.point_s;
    let first = last.saturating_sub(points);
    let times: Vec<UnixTime> =
        (first..=last).map(|at| UnixTime(at.saturating_mul(span.point_s))).collect();
    let series = MessageDoor::ALL.iter().map(|one| {
        let mut values = vec![0_u64; times.len()];
        for row in found.iter().filter(|row| row.door == *one) {
            let at = usize::try_from(row.at.0.div_euclid(span.point_s).saturating_sub(first));
            if let Some(value) = at.ok().and_then(|at| values.get_mut(at)) {
                *value = value.saturating_add(count(row));
            }
        }
        Series::new(door(t, *one), values)
    });
    OverTime {
        shape: Shape::Stacked,
        axis: times.iter().map(|at| if span == DAY { t.clock(*at) } else { t.day(*at) }).collect(),
        chart: Chart {
            t,
            id,
            title,
            description,
            category: t.text("traffic-when").to_string(),
            categories: times.iter().map(|at| t.time(*at).plain().to_owned()).collect(),
            series: series.collect(),
        },
    }
}
