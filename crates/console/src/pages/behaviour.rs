//! What devices usually do (LG-4): profiles of product lines and of devices, in pictures, and what left
//! them.

use super::{
    listing::{self, Place},
    sensitive, words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    chart::{Chart, OverTime, Series, Shape},
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Icon, Message, Pager, Tile, Tone},
};
use ::behaviour::{Accepted, Aspect, Phase, ProductProfile};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use crypto::UnixTime;
use policy::Action;
use serde::Deserialize;
use service::{BehaviourDevice, BehaviourProfile, DeviceView, ProfileChange};

const HERE: &str = "/behaviour";

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route(HERE, get(list))
        .route("/behaviour/{maker}/{product}", get(one))
        .route("/behaviour/{maker}/{product}/accept", post(accept))
        .route("/behaviour/{maker}/{product}/to/{phase}", post(change))
        .route("/devices/{id}/behaviour", get(device))
        .route("/devices/{id}/behaviour/accept", post(accept_of_device))
        .route("/devices/{id}/behaviour/relearn", post(relearn))
}

struct ListRow {
    line: String,
    href: String,
    phase: Badge,
    since: Moment,
    devices: String,
}

#[derive(Template)]
#[template(path = "behaviour/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<ListRow>,
    empty: Empty,
    pager: Pager,
}

fn phase(t: Locale, phase: Phase) -> Badge {
    let tone = match phase {
        Phase::Off => Tone::Warn,
        Phase::Learning { .. } => Tone::Info,
        Phase::Watching | Phase::Frozen => Tone::Good,
    };
    Badge::new(tone, t.word("behaviour-phase", phase.name()))
}

fn address(line: &str) -> String {
    match line.split_once('/') {
        Some((maker, product)) => format!("{HERE}/{maker}/{product}"),
        None => format!("{HERE}/-/-"),
    }
}

fn line(maker: &str, product: &str) -> String {
    if (maker, product) == ("-", "-") { "-".to_owned() } else { format!("{maker}/{product}") }
}

fn named(t: Locale, line: &str) -> String {
    if line == "-" { t.text("behaviour-no-line").to_string() } else { line.to_owned() }
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let page = listing::page(&place.after);
    let found = console.service.behaviour_profiles(member.caller(), own, &page).await?;
    let rows = found.items.iter().map(|it| ListRow {
        line: named(t, &it.line),
        href: address(&it.line),
        phase: phase(t, it.profile.phase()),
        since: t.time(it.profile.since()),
        devices: t.number(u64::from(it.profile.devices())),
    });
    let page = ListPage {
        t,
        frame: member.frame(Section::Alerts, t.text("behaviour-title")),
        rows: rows.collect(),
        empty: Empty::new(Icon::Clock, t.text("behaviour-none"), t.text("behaviour-none-hint")),
        pager: listing::pager(t, HERE, &[], &place.after, found.next.as_deref()),
    };
    Ok(member.page(&page))
}

/// What is known of an aspect.
struct AspectRow {
    name: String,
    ordinary: String,
    /// values that too few devices showed, and how many did
    few: Vec<String>,
    watched: bool,
}

struct AcceptedRow {
    name: String,
    value: String,
    at: Moment,
    by: String,
}

struct DeviceRow {
    href: String,
    id: String,
    last: Moment,
    hour: String,
    rate: String,
    deviations: String,
}

#[derive(Template)]
#[template(path = "behaviour/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    here: String,
    phase: Badge,
    says: Message,
    tiles: Vec<Tile>,
    hours: OverTime,
    aspects: Vec<AspectRow>,
    accepted: Vec<AcceptedRow>,
    devices: Vec<DeviceRow>,
    pager: Pager,
    may: bool,
    acts: Vec<(&'static str, String)>,
    choices: Vec<(&'static str, String)>,
}

fn aspect_name(t: Locale, aspect: Aspect) -> String {
    t.word("behaviour-aspect", aspect.name()).to_string()
}

fn choices(t: Locale) -> Vec<(&'static str, String)> {
    Aspect::ALL.iter().map(|it| (it.name(), aspect_name(t, *it))).collect()
}

fn number(t: Locale, of: Option<u32>) -> String {
    of.map_or_else(|| "–".to_owned(), |it| t.number(u64::from(it)))
}

fn accepted_rows<'a>(
    t: Locale,
    all: impl Iterator<Item = (Aspect, &'a str, &'a Accepted)>,
) -> Vec<AcceptedRow> {
    let row = |(aspect, value, how): (Aspect, &str, &Accepted)| AcceptedRow {
        name: aspect_name(t, aspect),
        value: value.to_owned(),
        at: t.time(how.at),
        by: how.by.clone(),
    };
    all.map(row).collect()
}

fn aspect_row(t: Locale, profile: &ProductProfile, aspect: Aspect) -> AspectRow {
    let ordinary = match aspect {
        Aspect::Rate | Aspect::Size => match profile.bound(aspect) {
            Some(bound) => t.text("behaviour-at-most").arg("count", bound).to_string(),
            None => String::new(),
        },
        _ => profile.ordinary(aspect).join(", "),
    };
    let least = profile.settings().devices_min;
    let few = profile.shown(aspect).filter(|(_, support)| support.devices < least);
    AspectRow {
        name: aspect_name(t, aspect),
        ordinary,
        few: few.take(20).map(|(value, it)| format!("{value} ({})", it.devices)).collect(),
        watched: !profile.settings().off.contains(&aspect),
    }
}

fn columns(
    t: Locale,
    id: &'static str,
    (title, says): (String, String),
    categories: Vec<String>,
    values: Vec<u64>,
) -> OverTime {
    OverTime {
        shape: Shape::Columns,
        axis: Vec::new(),
        chart: Chart {
            t,
            id,
            title,
            description: says,
            category: t.text("behaviour-hour").to_string(),
            categories,
            series: vec![Series::new(t.text("behaviour-messages"), values)],
        },
    }
}

fn says(t: Locale, profile: &ProductProfile) -> Message {
    match profile.phase() {
        Phase::Learning { until } => {
            let text = t.text("behaviour-learns").arg("until", t.time(until).plain().to_owned());
            Message::new(Tone::Info, text)
        }
        Phase::Off => Message::new(Tone::Warn, t.text("behaviour-is-off")),
        Phase::Watching => Message::new(Tone::Good, t.text("behaviour-watches")),
        Phase::Frozen => Message::new(Tone::Good, t.text("behaviour-is-frozen")),
    }
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path((maker, product)): Path<(String, String)>,
    Asked(place): Asked<Place>,
) -> Answer {
    let (t, own, caller) = (member.t, &member.signed().organisation, member.caller());
    let line = line(&maker, &product);
    let BehaviourProfile { profile, .. } =
        console.service.behaviour_profile(caller, own, &line).await?;
    let page = listing::page(&place.after);
    let devices = console.service.behaviour_devices(caller, own, &line, &page).await?;
    let here = address(&line);
    let tiles = vec![
        Tile::new(t.text("behaviour-devices"), t.number(u64::from(profile.devices()))),
        Tile::new(t.text("behaviour-rate"), number(t, profile.bound(Aspect::Rate))),
        Tile::new(t.text("behaviour-size"), number(t, profile.bound(Aspect::Size))),
    ];
    let hours = (0..24).map(|hour| format!("{hour:02}:00")).collect();
    let rows = devices.items.iter().map(|it| DeviceRow {
        href: format!("/devices/{}/behaviour", it.device),
        id: it.device.to_string(),
        last: t.time(it.profile.seen().1),
        hour: t.number(u64::from(it.profile.hour().1)),
        rate: number(t, it.learned.rate),
        deviations: t.number(u64::try_from(it.profile.deviations().count()).unwrap_or(0)),
    });
    let acts: &[&str] = match profile.phase() {
        Phase::Learning { .. } => &["watching", "off"],
        Phase::Off => &["learning"],
        Phase::Watching => &["frozen", "learning", "off"],
        Phase::Frozen => &["watching", "learning", "off"],
    };
    let act = |to: &&'static str| (*to, t.word("behaviour-act", to).to_string());
    let page = OnePage {
        t,
        frame: member.frame(Section::Alerts, t.text("behaviour-of").arg("line", named(t, &line))),
        phase: phase(t, profile.phase()),
        says: says(t, &profile),
        tiles,
        hours: columns(
            t,
            "hours",
            (t.text("behaviour-hours").to_string(), t.text("behaviour-hours-says").to_string()),
            hours,
            profile.by_hour().to_vec(),
        ),
        aspects: Aspect::ALL.iter().map(|it| aspect_row(t, &profile, *it)).collect(),
        accepted: accepted_rows(t, profile.accepted()),
        devices: rows.collect(),
        pager: listing::pager(t, &here, &[], &place.after, devices.next.as_deref()),
        may: words::may(&member, Action::ManageAlertRules, own),
        acts: acts.iter().map(act).collect(),
        choices: choices(t),
        here,
    };
    Ok(member.page(&page))
}

async fn change(
    State(console): State<Console>,
    member: Member,
    Path((maker, product, to)): Path<(String, String, String)>,
    _form: crate::Fields,
) -> Answer {
    let own = &member.signed().organisation;
    let line = line(&maker, &product);
    let change = match to.as_str() {
        "learning" => ProfileChange::Learn(None),
        "watching" => ProfileChange::Watch,
        "frozen" => ProfileChange::Freeze,
        "off" => ProfileChange::Off,
        _ => return Err(Failure::not_found()),
    };
    let here = address(&line);
    match console.service.change_behaviour(member.caller(), own, &line, change).await {
        Ok(_) => Ok(member.done(&here, "behaviour-changed")),
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Value {
    aspect: String,
    value: String,
}

async fn accept(
    State(console): State<Console>,
    member: Member,
    Path((maker, product)): Path<(String, String)>,
    crate::Posted(said): crate::Posted<Value>,
) -> Answer {
    let own = &member.signed().organisation;
    let aspect = Aspect::from_name(&said.aspect).ok_or_else(Failure::not_found)?;
    let line = line(&maker, &product);
    let (here, of) = (address(&line), (own, line.as_str()));
    let value = (aspect, said.value.as_str());
    match console.service.accept_behaviour(member.caller(), of, value, true).await {
        Ok(_) => Ok(member.done(&here, "behaviour-accepted")),
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

struct DeviationRow {
    aspect: &'static str,
    name: String,
    seen: String,
    explanation: String,
    first: Moment,
    last: Moment,
    count: String,
}

#[derive(Template)]
#[template(path = "behaviour/device.html")]
struct DevicePage {
    t: Locale,
    frame: Frame,
    view: DeviceView,
    here: String,
    product: String,
    phase: Badge,
    tiles: Vec<Tile>,
    recent: OverTime,
    deviations: Vec<DeviationRow>,
    shown: Vec<(String, String)>,
    accepted: Vec<AcceptedRow>,
    may: bool,
    choices: Vec<(&'static str, String)>,
}

async fn device(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let id = text.parse().map_err(|_| Failure::not_found())?;
    let (t, own, caller) = (member.t, &member.signed().organisation, member.caller());
    let found = console.service.device_behaviour(caller, &id).await?;
    let view = console.service.device(caller, &id).await?;
    let BehaviourDevice { product, profile, learned, .. } = found;
    let since = t.time(profile.learned_from()).plain().to_owned();
    let deviations = profile.deviations().map(|it| DeviationRow {
        aspect: it.aspect.name(),
        name: aspect_name(t, it.aspect),
        seen: it.seen.clone(),
        explanation: match t.language {
            device::Language::Ja => it.aspect.explained_in_japanese(&it.seen, &it.ordinary, &since),
            device::Language::En => it.aspect.explained(&it.seen, &it.ordinary, &since),
        },
        first: t.time(it.first_at),
        last: t.time(it.last_at),
        count: t.number(u64::from(it.count)),
    });
    let mut deviations: Vec<_> = deviations.collect();
    deviations.reverse();
    let values: Vec<u64> = profile.recent().map(u64::from).collect();
    let last = profile.hour().0;
    let first = last.saturating_sub(i64::try_from(values.len()).unwrap_or(0)).saturating_add(1);
    let at = |hour: i64| t.time(UnixTime(hour.saturating_mul(3600))).plain().to_owned();
    let tone = if deviations.is_empty() { Tone::Good } else { Tone::Warn };
    let shown = learned.shown.iter();
    let page = DevicePage {
        t,
        frame: member.frame(
            Section::Devices,
            t.text("behaviour-of-device").arg("serial", &view.serial_number),
        ),
        here: format!("/devices/{id}/behaviour"),
        product: address(&product.line),
        phase: phase(t, product.profile.phase()),
        tiles: vec![
            Tile::new(t.text("behaviour-this-hour"), t.number(u64::from(profile.hour().1))),
            Tile::new(t.text("behaviour-rate"), number(t, learned.rate)),
            Tile::new(t.text("behaviour-size"), number(t, learned.size)),
            Tile::new(
                t.text("behaviour-deviations"),
                t.number(u64::try_from(deviations.len()).unwrap_or(0)),
            )
            .tone(tone),
        ],
        recent: columns(
            t,
            "recent",
            (t.text("behaviour-recent").to_string(), t.text("behaviour-recent-says").to_string()),
            (first..=last).map(at).collect(),
            values,
        ),
        deviations,
        shown: shown.map(|(aspect, value, _)| (aspect_name(t, *aspect), value.clone())).collect(),
        accepted: accepted_rows(t, profile.accepted()),
        may: words::may(&member, Action::ManageAlertRules, own),
        choices: choices(t),
        view,
    };
    Ok(member.page(&page))
}

async fn accept_of_device(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    crate::Posted(said): crate::Posted<Value>,
) -> Answer {
    let id = text.parse().map_err(|_| Failure::not_found())?;
    let aspect = Aspect::from_name(&said.aspect).ok_or_else(Failure::not_found)?;
    let here = format!("/devices/{id}/behaviour");
    let value = (aspect, said.value.as_str());
    match console.service.accept_device_behaviour(member.caller(), &id, value, true).await {
        Ok(_) => Ok(member.done(&here, "behaviour-accepted")),
        Err(error) => sensitive::answer(&member, error, &here),
    }
}

async fn relearn(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: crate::Fields,
) -> Answer {
    let id = text.parse().map_err(|_| Failure::not_found())?;
    let here = format!("/devices/{id}/behaviour");
    match console.service.relearn_device_behaviour(member.caller(), &id).await {
        Ok(_) => Ok(member.done(&here, "behaviour-relearns")),
        Err(error) => sensitive::answer(&member, error, &here),
    }
}
