//! Connections of the organisation's devices that makers' files do not allow (LG-4): all of them, by day, and
//! those of one device. docs/mud.md.

use super::{listing, words};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    chart::{Bars, Chart, OverTime, Series, Shape},
    failure,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Field, Icon, Message, Pager, Tone},
};
use ::behaviour::mud::{Needed, Taken};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use device::{OrganisationId, ProductId};
use http::{HeaderValue, header};
use serde::Deserialize;
use service::{DeviceView, ErrorKind, HowToSuggest, MudOutside, OutsideDay, OutsideNow};
use std::collections::BTreeMap;

const HERE: &str = "/outside-mud";
/// The rule that raises alerts of such connections.
const RULE: &str = "outside-mud";
/// Days that the picture shows.
const DAYS: i64 = 14;
/// Peers that the picture of a device shows.
const PEERS_MAX: usize = 10;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route(HERE, get(list))
        .route("/outside-mud/{maker}/{product}/suggestion", get(suggestion))
        .route("/outside-mud/{maker}/{product}/suggestion/file", get(download))
        .route("/devices/{id}/outside-mud", get(device))
}

/// A connection as people read it.
struct Row {
    device: Option<(String, String)>,
    line: String,
    /// who opens it
    direction: String,
    peer: String,
    port: String,
    says: Badge,
    because: String,
    told_by: String,
    times: String,
    first: Moment,
    last: Moment,
    alerts: String,
}

/// `to gate.example:22/tcp` in its parts: whether the device opens it, the peer, the port with its protocol.
fn parts(connection: &str) -> (bool, String, String) {
    let (word, place) = connection.split_once(' ').unwrap_or(("to", connection));
    let (peer, port) = place.rsplit_once(':').unwrap_or((place, ""));
    let port = port.split_once('/').map_or_else(
        || port.to_owned(),
        |(port, protocol)| format!("{} {port}", protocol.to_ascii_uppercase()),
    );
    (word == "to", peer.trim_matches(['[', ']']).to_owned(), port)
}

fn now(t: Locale, says: OutsideNow) -> Badge {
    let tone = match says {
        OutsideNow::Allowed => Tone::Good,
        OutsideNow::Denied => Tone::Bad,
        OutsideNow::Unknown => Tone::Warn,
        OutsideNow::NoFile => Tone::Neutral,
    };
    Badge::new(tone, t.word("outside-now", says.name()))
}

fn row(t: Locale, it: &MudOutside, device: &str) -> Row {
    let (opens, peer, port) = parts(&it.connection);
    let mut because = Vec::new();
    if let Some(version) = it.version {
        because.push(t.text("outside-not-by").arg("version", version).to_string());
    }
    if let Some(version) = it.allowed_by {
        because.push(t.text("outside-once-by").arg("version", version).to_string());
    }
    let query = [("state", "all"), ("rule", RULE), ("device", device)];
    Row {
        device: None,
        line: String::new(),
        direction: t.word("outside-direction", if opens { "to" } else { "from" }).to_string(),
        peer,
        port,
        says: now(t, it.now),
        because: because.join(" "),
        told_by: t.word("outside-told-by", it.told_by.name()).to_string(),
        times: t.number(it.times),
        first: t.time(it.first_at),
        last: t.time(it.last_at),
        alerts: listing::address("/alerts", &query),
    }
}

fn by_day(t: Locale, days: &[OutsideDay]) -> OverTime {
    let of = |count: fn(&OutsideDay) -> u64| days.iter().map(count).collect::<Vec<u64>>();
    let name = |by: &str| t.word("outside-told-by", by).to_string();
    OverTime {
        shape: Shape::Columns,
        axis: days.iter().map(|it| t.day(it.day)).collect(),
        chart: Chart {
            t,
            id: "days",
            title: t.text("outside-days").to_string(),
            description: t.text("outside-days-says").arg("days", DAYS).to_string(),
            category: t.text("outside-day").to_string(),
            categories: days.iter().map(|it| t.date(it.day).plain().to_owned()).collect(),
            series: vec![
                Series::new(name("device"), of(|it| it.by_devices)).tone(Tone::Warn),
                Series::new(name("owner"), of(|it| it.by_owner)).tone(Tone::Info),
            ],
        },
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    line: String,
    after: String,
}

#[derive(Template)]
#[template(path = "outside_mud/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    field: Option<Field>,
    days: Option<OverTime>,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let (t, own, caller) = (member.t, &member.signed().organisation, member.caller());
    let line: Option<(OrganisationId, ProductId)> = match filters.line.as_str() {
        "" => None,
        text => {
            let (maker, product) = text.split_once('/').ok_or_else(Failure::bad_request)?;
            let maker = maker.parse().map_err(|_| Failure::bad_request())?;
            Some((maker, product.parse().map_err(|_| Failure::bad_request())?))
        }
    };
    let (service, page) = (&console.service, listing::page(&filters.after));
    let found = service.outside_mud_of(caller, own, line.as_ref(), &page).await?;
    let days = service.outside_mud_days(caller, own, line.as_ref(), DAYS).await?;
    let mut lines = service.outside_mud_lines(caller, own).await?;
    if line.is_some() && !lines.contains(&filters.line) {
        lines.push(filters.line.clone());
    }
    let rows = found.items.iter().map(|it| Row {
        device: Some((format!("/devices/{}/outside-mud", it.device), it.serial_number.clone())),
        line: it.line.clone().unwrap_or_default(),
        ..row(t, &it.outside, &it.device.to_string())
    });
    let choices = lines.iter().map(|it| (it.clone(), it.clone()));
    let choices = words::choices(t.text("words-all"), choices);
    let query = [("line", filters.line.as_str())];
    let any = days.iter().any(|it| it.by_devices.saturating_add(it.by_owner) > 0);
    let page = ListPage {
        t,
        frame: member.frame(Section::Alerts, t.text("outside-title")),
        field: (!lines.is_empty()).then(|| {
            Field::select(t, "line", t.text("outside-line"), choices).value(&filters.line)
        }),
        days: any.then(|| by_day(t, &days)),
        rows: rows.collect(),
        pager: listing::pager(t, HERE, &query, &filters.after, found.next.as_deref()),
        empty: Empty::new(Icon::Gate, t.text("outside-empty"), t.text("outside-empty-hint")),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "outside_mud/device.html")]
struct DevicePage {
    t: Locale,
    frame: Frame,
    view: DeviceView,
    /// lines of the file that is in force, and where everybody reads it
    allowed: Option<(Vec<String>, usize, String)>,
    peers: Option<Bars>,
    rows: Vec<Row>,
    alerts: String,
    empty: Empty,
}

fn by_peer(t: Locale, all: &[MudOutside]) -> Bars {
    let mut peers: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for it in all {
        let (opens, peer, _) = parts(&it.connection);
        let counts = peers.entry(peer).or_default();
        let [to, from] = counts;
        let count = if opens { to } else { from };
        *count = count.saturating_add(it.times);
    }
    let mut peers: Vec<_> = peers.into_iter().collect();
    peers.sort_by_key(|(_, [to, from])| std::cmp::Reverse(to.saturating_add(*from)));
    peers.truncate(PEERS_MAX);
    let name = |word: &str| t.word("outside-direction", word).to_string();
    Bars(Chart {
        t,
        id: "peers",
        title: t.text("outside-peers").to_string(),
        description: t.text("outside-peers-says").arg("count", PEERS_MAX).to_string(),
        category: t.text("outside-peer").to_string(),
        series: vec![
            Series::new(name("to"), peers.iter().map(|(_, [to, _])| *to).collect()).tone(Tone::Bad),
            Series::new(name("from"), peers.iter().map(|(_, [_, from])| *from).collect())
                .tone(Tone::Warn),
        ],
        categories: peers.into_iter().map(|(peer, _)| peer).collect(),
    })
}

async fn device(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
) -> Answer {
    let id = text.parse().map_err(|_| Failure::not_found())?;
    let (t, caller) = (member.t, member.caller());
    let found = console.service.outside_mud(caller, &id).await?;
    let allowed = console.service.device_mud_lines(caller, &id).await?;
    let view = console.service.device(caller, &id).await?;
    let allowed = allowed.map(|it| {
        let (english, japanese, more) = &*it.lines;
        let lines = match t.language {
            device::Language::Ja => japanese,
            device::Language::En => english,
        };
        (lines.clone(), *more, it.path)
    });
    let name = id.to_string();
    let query = [("state", "all"), ("rule", RULE), ("device", name.as_str())];
    let title = t.text("outside-of-device").arg("serial", &view.serial_number);
    let page = DevicePage {
        t,
        frame: member.frame(Section::Devices, title),
        allowed,
        peers: (!found.is_empty()).then(|| by_peer(t, &found)),
        rows: found.iter().map(|it| row(t, it, &name)).collect(),
        alerts: listing::address("/alerts", &query),
        empty: Empty::new(Icon::Gate, t.text("outside-empty"), t.text("outside-empty-hint")),
        view,
    };
    Ok(member.page(&page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct How {
    devices: Option<u32>,
    days: Option<u32>,
    url: String,
}

impl How {
    fn needed(&self) -> Needed {
        let usual = Needed::default();
        Needed {
            devices: self.devices.unwrap_or(usual.devices),
            days: self.days.unwrap_or(usual.days),
        }
    }

    fn asked(&self) -> HowToSuggest {
        let url = Some(self.url.trim().to_owned()).filter(|url| !url.is_empty());
        HowToSuggest { needed: self.needed(), url }
    }
}

struct SeenRow {
    door: String,
    taken: Badge,
    devices: String,
    days: String,
    first: Moment,
    last: Moment,
}

#[derive(Template)]
#[template(path = "outside_mud/suggestion.html")]
struct SuggestionPage {
    t: Locale,
    frame: Frame,
    here: String,
    line: String,
    fields: Vec<Field>,
    says: Message,
    /// where the file is
    file: Option<String>,
    rows: Vec<SeenRow>,
    empty: Empty,
}

fn taken(t: Locale, taken: Taken) -> Badge {
    let tone = match taken {
        Taken::Entry => Tone::Good,
        Taken::Owners => Tone::Info,
        Taken::TooFew => Tone::Neutral,
        Taken::TooMany => Tone::Warn,
    };
    Badge::new(tone, t.word("outside-taken", taken.name()))
}

fn of_line((maker, product): (String, String)) -> Result<(OrganisationId, ProductId), Failure> {
    let maker = maker.parse().map_err(|_| Failure::not_found())?;
    Ok((maker, product.parse().map_err(|_| Failure::not_found())?))
}

async fn suggestion(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Asked(how): Asked<How>,
) -> Answer {
    let (t, own, (maker, product)) = (member.t, &member.signed().organisation, of_line(of)?);
    let (line, of) = (format!("{maker}/{product}"), (&maker, &product));
    let found = console.service.learned_mud(member.caller(), own, of, &how.asked()).await;
    let (found, wrong) = match found {
        Ok(found) => (Some(found), None),
        Err(error) if error.kind() == ErrorKind::Malformed => {
            (None, Some(failure::said(t.language, error.problem())))
        }
        Err(error) => return Err(error.into()),
    };
    let Needed { devices, days } = how.needed();
    let (devices, days) = (devices.to_string(), days.to_string());
    let here = format!("{HERE}/{line}/suggestion");
    let file = found.as_ref().filter(|it| it.file.is_some()).map(|_| {
        let query = [("devices", &*devices), ("days", &*days), ("url", how.url.trim())];
        listing::address(&format!("{here}/file"), &query)
    });
    let says = match (&found, wrong) {
        (_, Some(wrong)) => Message::new(Tone::Bad, wrong),
        (Some(it), None) => {
            let text = t.text(if file.is_some() { "outside-enough" } else { "outside-too-little" });
            let text =
                text.arg("devices", it.devices).arg("needed", it.needed).arg("days", it.days);
            Message::new(if file.is_some() { Tone::Good } else { Tone::Warn }, text)
        }
        (None, None) => return Err(Failure::internal()),
    };
    let rows = found.into_iter().flat_map(|it| it.seen).map(|(it, how)| SeenRow {
        door: it.door.to_string(),
        taken: taken(t, how),
        devices: t.number(it.devices),
        days: t.number(it.days),
        first: t.time(it.first_at),
        last: t.time(it.last_at),
    });
    let page = SuggestionPage {
        t,
        frame: member.frame(Section::Alerts, t.text("outside-suggestion").arg("line", &line)),
        fields: vec![
            Field::text(t, "devices", t.text("outside-least-devices")).value(&devices).most(2),
            Field::text(t, "days", t.text("outside-least-days")).value(&days).most(2),
            Field::text(t, "url", t.text("outside-url"))
                .hint(t.text("outside-url-hint"))
                .value(&how.url)
                .most(253),
        ],
        says,
        file,
        rows: rows.collect(),
        empty: Empty::new(Icon::Gate, t.text("outside-nothing-seen"), t.text("outside-empty-hint")),
        here,
        line,
    };
    Ok(member.page(&page))
}

/// The file, to be looked at, changed and signed.
async fn download(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Asked(how): Asked<How>,
) -> Result<Response, Failure> {
    let (own, (maker, product)) = (&member.signed().organisation, of_line(of)?);
    let of = (&maker, &product);
    let (file, _) = console.service.suggest_mud(member.caller(), own, of, &how.asked()).await?;
    let name = format!("attachment; filename=\"{product}-suggested.json\"");
    let name = HeaderValue::from_str(&name).map_err(|_| Failure::internal())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/mud+json")),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, file).into_response())
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_connection_is_shown_in_its_parts() {
        let of = |text| {
            let (opens, peer, port) = parts(text);
            (opens, format!("{peer} {port}"))
        };
        assert_eq!(of("to gate.example:22/tcp"), (true, "gate.example TCP 22".into()));
        assert_eq!(of("from [2001:db8::1]:53/udp"), (false, "2001:db8::1 UDP 53".into()));
    }
}
