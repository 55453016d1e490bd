//! Vulnerabilities: those of the organisation's products, and those of what its devices run.

mod one;
mod say;

use super::{listing, releases, words};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    chart::{Bars, Chart, OverTime, Series, Shape},
    i18n::{Locale, Zone},
    ui::{Badge, Empty, Field, Icon, Message, Pager, Tab, Tabs, Tone},
};
use advisory::Rating;
use askama::Template;
use axum::{Router, extract::State, routing::get};
use device::ProductId;
use serde::Deserialize;
use service::{
    ExposureStatus, FixedShare, FleetFigures, FleetSide, VulnerabilityLine, VulnerabilityQuery,
    VulnerabilityState,
};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/vulnerabilities", get(list)).merge(one::router()).merge(say::router())
}

/// Where a vulnerability is.
pub(super) fn address(name: &str) -> String {
    format!("/vulnerabilities/{}", listing::segment(name))
}

/// A score with its word.
pub(super) fn score(t: Locale, tenths: Option<u8>) -> Badge {
    let Some(tenths) = tenths else {
        return Badge::new(Tone::Neutral, t.text("vulnerabilities-not-scored"));
    };
    let rating = Rating::of_tenths(tenths);
    let tone = match rating {
        Rating::None => Tone::Neutral,
        Rating::Low => Tone::Info,
        Rating::Medium => Tone::Warn,
        Rating::High | Rating::Critical => Tone::Bad,
    };
    let word = t.word("rating", rating.name()).to_string();
    Badge::new(tone, format!("{}.{} {word}", tenths / 10, tenths % 10))
}

pub(super) fn status(t: Locale, status: ExposureStatus) -> Badge {
    let tone = match status {
        ExposureStatus::Affected => Tone::Bad,
        ExposureStatus::UnderInvestigation => Tone::Warn,
        ExposureStatus::Fixed => Tone::Good,
        ExposureStatus::NotAffected => Tone::Neutral,
    };
    Badge::new(tone, t.word("exposure", status.name()))
}

/// The filters, as they stand in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    side: String,
    state: String,
    rating: String,
    exploited: String,
    product: String,
    id: String,
    after: String,
}

impl Filters {
    fn query(&self) -> Result<VulnerabilityQuery, Failure> {
        let state = match self.state.as_str() {
            "" => VulnerabilityState::Open,
            name => VulnerabilityState::from_name(name).ok_or_else(Failure::bad_request)?,
        };
        let rating = match self.rating.as_str() {
            "" => None,
            word => Some(Rating::from_word(word).ok_or_else(Failure::bad_request)?),
        };
        let product = match self.product.as_str() {
            "" => None,
            id => Some(ProductId::new(id).map_err(|_| Failure::not_found())?),
        };
        let id = self.id.trim();
        Ok(VulnerabilityQuery {
            state,
            exploited: self.exploited == "yes",
            rating,
            product,
            id: (!id.is_empty()).then(|| id.to_owned()),
        })
    }

    fn pairs(&self) -> [(&str, &str); 6] {
        [
            ("side", &self.side),
            ("state", &self.state),
            ("rating", &self.rating),
            ("exploited", &self.exploited),
            ("product", &self.product),
            ("id", &self.id),
        ]
    }

    fn fields(&self, t: Locale, products: Vec<(String, String)>) -> Vec<Field> {
        let states = VulnerabilityState::ALL.iter().map(|state| {
            crate::ui::Choice::new(
                state.name(),
                t.word("vulnerability-state", state.name()).to_string(),
            )
        });
        let ratings = ["low", "medium", "high", "critical"]
            .map(|word| (word.to_owned(), t.word("rating", word).to_string()));
        let exploited = Field::checkbox(t, "exploited", t.text("vulnerabilities-only-exploited"));
        let yes = self.exploited == "yes";
        vec![
            Field::search(t, "id", t.text("vulnerabilities-id"))
                .value(&self.id)
                .hint(t.text("vulnerabilities-id-hint"))
                .most(200),
            Field::select(t, "state", t.text("vulnerabilities-state"), states.collect())
                .value(if self.state.is_empty() { "open" } else { &self.state }),
            Field::select(
                t,
                "rating",
                t.text("vulnerabilities-rating"),
                words::choices(t.text("words-all"), ratings),
            )
            .value(&self.rating),
            Field::select(
                t,
                "product",
                t.text("releases-product"),
                words::choices(t.text("words-all"), products),
            )
            .value(&self.product),
            if yes { exploited.value("yes") } else { exploited },
        ]
    }
}

/// Whose devices are meant by what stands in an address.
fn side(text: &str) -> Result<FleetSide, Failure> {
    match text {
        "" => Ok(FleetSide::Maker),
        name => FleetSide::from_name(name).ok_or_else(Failure::bad_request),
    }
}

struct Row {
    href: String,
    name: String,
    summary: String,
    score: Badge,
    exploited: bool,
    status: Badge,
    reopened: bool,
    versions: Option<String>,
    affected: String,
    share: String,
}

impl Row {
    fn new(
        t: Locale,
        line: &VulnerabilityLine,
        side: FleetSide,
        devices: Option<u64>,
        share: Option<&FixedShare>,
    ) -> Self {
        let mut href = address(&line.name);
        if side == FleetSide::Owner {
            href.push_str("?side=owner");
        }
        let affected = devices.or(share.map(|share| share.affected));
        let mended = share
            .map(|share| t.percent(share.devices.saturating_sub(share.affected), share.devices));
        Self {
            href,
            name: line.name.clone(),
            summary: line.summary.clone(),
            score: score(t, line.tenths),
            exploited: line.exploited.is_some(),
            status: status(t, line.status),
            reopened: line.reopened > 0,
            versions: (side == FleetSide::Maker)
                .then(|| format!("{} / {}", t.number(line.open), t.number(line.exposures))),
            affected: affected.map_or_else(|| "–".to_owned(), |count| t.number(count)),
            share: mended.unwrap_or_else(|| "–".to_owned()),
        }
    }
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let side = side(&filters.side)?;
    let page = listing::page(&filters.after);
    let (service, caller) = (&console.service, member.caller());
    let (lines, next): (Vec<_>, _) = match side {
        FleetSide::Maker => {
            let found = service.vulnerabilities(caller, own, &filters.query()?, &page).await?;
            (found.items.into_iter().map(|line| (line, None)).collect(), found.next)
        }
        FleetSide::Owner => {
            let found = service.fleet_vulnerabilities(caller, own, &page).await?;
            let items = found.items.into_iter().map(|(line, devices)| (line, Some(devices)));
            (items.collect(), found.next)
        }
    };
    let names: Vec<String> = lines.iter().map(|(line, _)| line.name.clone()).collect();
    let shares = service.fixed_shares(caller, own, side, &names).await?;
    let rows = lines
        .iter()
        .map(|(line, devices)| Row::new(t, line, side, *devices, shares.get(&line.name)))
        .collect();
    let figures = service.fleet_figures(caller, own, side).await?;
    let known = service.advisory_knowledge(caller, own).await?;
    let fields = match side {
        FleetSide::Maker => filters.fields(t, releases::products(&console, &member).await?),
        FleetSide::Owner => Vec::new(),
    };
    let tab = |one: FleetSide, label: &'static str| Tab {
        label: t.text(label).to_string(),
        href: match one {
            FleetSide::Maker => "/vulnerabilities".to_owned(),
            FleetSide::Owner => "/vulnerabilities?side=owner".to_owned(),
        },
        current: one == side,
        count: None,
    };
    let tabs = vec![
        tab(FleetSide::Maker, "vulnerabilities-of-products"),
        tab(FleetSide::Owner, "vulnerabilities-of-devices"),
    ];
    let path = "/vulnerabilities";
    let page = ListPage {
        t,
        frame: member.frame(Section::Vulnerabilities, t.text("vulnerabilities-title")),
        tabs: Tabs::new(t.text("vulnerabilities-whose"), tabs),
        pager: listing::pager(t, path, &filters.pairs(), &filters.after, next.as_deref()),
        fields,
        is_maker: side == FleetSide::Maker,
        rows,
        empty: empty(t, known.advisories),
        note: (known.waiting > 0).then(|| {
            Message::new(Tone::Busy, t.text("vulnerabilities-waiting").arg("count", known.waiting))
        }),
        times: (figures.settled() > 0).then(|| times(t, &figures)),
        share: share(t, "fleet-share", &figures.days, "any"),
    };
    Ok(member.page(&page))
}

fn empty(t: Locale, advisories: u64) -> Empty {
    let (title, hint) = if advisories == 0 {
        (t.text("vulnerabilities-nothing-known"), t.text("vulnerabilities-nothing-known-hint"))
    } else {
        (t.text("vulnerabilities-empty"), t.text("vulnerabilities-empty-hint"))
    };
    Empty::new(Icon::Vulnerability, title, hint)
}

/// How long it took from the finding to the last version judged or mended.
fn times(t: Locale, figures: &FleetFigures) -> Bars {
    let categories = figures
        .time_to_fix
        .iter()
        .map(|(days, _)| match days {
            Some(days) => t.text("vulnerabilities-within").arg("days", *days).to_string(),
            None => t.text("vulnerabilities-longer").to_string(),
        })
        .collect();
    let values = figures.time_to_fix.iter().map(|(_, count)| *count).collect();
    Bars(Chart {
        t,
        id: "time-to-fix",
        title: t.text("vulnerabilities-times").to_string(),
        description: t.text("vulnerabilities-times-says").to_string(),
        category: t.text("vulnerabilities-time").to_string(),
        categories,
        series: vec![Series::new(t.text("vulnerabilities-count"), values)],
    })
}

/// Devices that are affected and that are not, day by day; nothing where nothing was counted.
fn share(t: Locale, id: &'static str, days: &[FixedShare], says: &'static str) -> Option<OverTime> {
    if days.is_empty() {
        return None;
    }
    let utc = Locale { zone: Zone::UTC, ..t };
    let series = |name: &'static str, tone, count: fn(&FixedShare) -> u64| {
        Series::new(t.text(name), days.iter().map(count).collect()).tone(tone)
    };
    let shape = if days.len() < 3 { Shape::Columns } else { Shape::Stacked };
    Some(OverTime {
        shape,
        axis: days.iter().map(|day| utc.day(day.day)).collect(),
        chart: Chart {
            t,
            id,
            title: t.text("vulnerabilities-share").to_string(),
            description: t.word("vulnerability-share", says).to_string(),
            category: t.text("overview-day").to_string(),
            categories: days.iter().map(|day| utc.date(day.day).plain().to_owned()).collect(),
            series: vec![
                series("vulnerabilities-devices-affected", Tone::Bad, |day| day.affected),
                series("vulnerabilities-devices-mended", Tone::Good, |day| {
                    day.devices.saturating_sub(day.affected)
                }),
            ],
        },
    })
}

#[derive(Template)]
#[template(path = "vulnerabilities/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    tabs: Tabs,
    fields: Vec<Field>,
    is_maker: bool,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
    note: Option<Message>,
    times: Option<Bars>,
    share: Option<OverTime>,
}
