//! The threat model of a product: drawn, its threats, who decided what, and the way to verdicts.

mod edit;
mod one;
mod trace;

use super::{listing, words};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Button, ButtonKind, Command, Empty, Field, Icon, Pager, Tone},
};
use askama::Template;
use assessment::threat::{Band, Level, State as ThreatState, Theme, ThreatInstance, diagram};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::{Language, OrganisationId, ProductId};
use policy::Action;
use serde::Deserialize;
use service::{ErrorKind, Page, ThreatsLooked};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products/{maker}/{id}/threats", get(overview))
        .route("/products/{maker}/{id}/threats/history", get(history))
        .merge(edit::router())
        .merge(one::router())
        .merge(trace::router())
}

/// Whose product the pages are about.
struct About {
    maker: OrganisationId,
    id: ProductId,
    /// its name for people
    name: String,
}

impl About {
    async fn of(
        console: &Console,
        member: &Member,
        (maker, id): (String, String),
    ) -> Result<Self, Failure> {
        let maker = OrganisationId::new(&maker).map_err(|_| Failure::not_found())?;
        let id = ProductId::new(&id).map_err(|_| Failure::not_found())?;
        let product = console.service.product(member.caller(), &maker, &id).await?;
        Ok(Self { maker, id, name: product.name })
    }

    fn product(&self) -> String {
        format!("/products/{}/{}", self.maker, self.id)
    }

    fn threats(&self) -> String {
        format!("{}/threats", self.product())
    }

    fn trace(&self) -> String {
        format!("{}/trace", self.product())
    }

    fn threat(&self, threat: &str) -> String {
        format!("{}/one/{}", self.threats(), listing::segment(threat))
    }

    /// Pages above.
    fn crumbs(&self, t: Locale) -> Vec<(String, String)> {
        vec![
            ("/products".to_owned(), t.text("products-title").to_string()),
            (self.product(), self.name.clone()),
            (self.threats(), t.text("threats-title").to_string()),
        ]
    }
}

pub(super) fn state(t: Locale, state: ThreatState) -> Badge {
    let tone = match state {
        ThreatState::Open => Tone::Bad,
        ThreatState::Planned => Tone::Busy,
        ThreatState::Mitigated => Tone::Good,
        ThreatState::Accepted | ThreatState::Transferred => Tone::Held,
        ThreatState::Handled => Tone::Info,
        ThreatState::Dismissed => Tone::Neutral,
    };
    Badge::new(tone, state.title(t.language))
}

pub(super) fn band(t: Locale, level: Level) -> Badge {
    let tone = match level.band() {
        Band::Critical => Tone::Bad,
        Band::High => Tone::Warn,
        Band::Medium => Tone::Info,
        Band::Low | Band::Minimal => Tone::Neutral,
    };
    Badge::new(tone, format!("{} {}", level.score(), level.band().title(t.language)))
}

pub(in crate::pages) use trace::{measure_standing, verdict as trace_verdict};

/// A cell of the matrix: what its threats come to, how many there are.
struct Cell {
    band: &'static str,
    count: Option<String>,
    label: String,
}

/// Threats by likelihood (upwards) and impact (to the right).
fn matrix(language: Language, threats: &[ThreatInstance<'_>]) -> Vec<(u8, Vec<Cell>)> {
    let cell = |likelihood: u8, impact: u8| {
        let level = Level { likelihood, impact };
        let here = threats
            .iter()
            .filter(|one| one.risk.residual == level && one.state != ThreatState::Dismissed);
        let count = here.count();
        Cell {
            band: level.band().word(),
            count: (count > 0).then(|| count.to_string()),
            label: level.band().title(language).to_owned(),
        }
    };
    (1..=5).rev().map(|row| (row, (1..=5).map(|column| cell(row, column)).collect())).collect()
}

struct Row {
    href: String,
    title: String,
    subject: String,
    kind: &'static str,
    risk: Badge,
    target: String,
    state: Badge,
    until: Option<String>,
}

/// What the page shows of a model.
struct Seen {
    name: String,
    version: u64,
    by: String,
    changed: Moment,
    drawing: String,
    matrix: Vec<(u8, Vec<Cell>)>,
    counts: Vec<(Badge, String)>,
    rows: Vec<Row>,
    next: Option<String>,
    ignored: usize,
    assets: Vec<(String, String)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    state: String,
    band: String,
    after: String,
}

async fn overview(
    State(console): State<Console>,
    member: Member,
    Path(path): Path<(String, String)>,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, path).await?;
    let word = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let wanted_state = match word(&filters.state) {
        None => None,
        Some(text) => Some(ThreatState::of_word(&text).ok_or_else(Failure::bad_request)?),
    };
    let wanted_band = match word(&filters.band) {
        None => None,
        Some(text) => Some(Band::of_word(&text).ok_or_else(Failure::bad_request)?),
    };
    let after: usize = match filters.after.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| Failure::bad_request())?,
    };
    let base = about.threats();
    let look = move |looked: &ThreatsLooked<'_>| {
        let analysis = looked.analysis;
        let most = usize::try_from(listing::ROWS).unwrap_or(50);
        let mut rows = Vec::new();
        let mut next = None;
        for (at, one) in analysis.threats.iter().enumerate().skip(after) {
            if wanted_state.is_some_and(|state| state != one.state)
                || wanted_band.is_some_and(|band| band != one.risk.residual.band())
            {
                continue;
            }
            if rows.len() == most {
                next = Some(at.to_string());
                break;
            }
            rows.push(Row {
                href: format!("{base}/one/{}", one.id),
                title: one.title(t.language).to_owned(),
                subject: one.subject.title(analysis.model),
                kind: one.threat().title(t.language),
                risk: band(t, one.risk.residual),
                target: one.risk.target.score().to_string(),
                state: state(t, one.state),
                until: one.decision.and_then(|one| one.until).map(|day| day.to_string()),
            });
        }
        Seen {
            name: analysis.model.name.clone(),
            version: looked.version.version,
            by: looked.version.by.clone(),
            changed: t.time(looked.version.at),
            drawing: diagram(analysis, Theme::Light, t.language),
            matrix: matrix(t.language, &analysis.threats),
            counts: analysis
                .count()
                .into_iter()
                .map(|(one, count)| (state(t, one), count.to_string()))
                .collect(),
            rows,
            next,
            ignored: looked.ignored_decisions,
            assets: analysis
                .model
                .assets
                .iter()
                .map(|one| (one.id.clone(), one.title.clone()))
                .collect(),
        }
    };
    let found =
        console.service.look_at_threats(member.caller(), &about.maker, &about.id, look).await;
    let seen = match found {
        Ok(seen) => Some(seen),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let may_change = words::may(&member, Action::ChangeThreatModel, &about.maker);
    let here = about.threats();
    let pager = listing::pager(
        t,
        &here,
        &[("state", &filters.state), ("band", &filters.band)],
        &filters.after,
        seen.as_ref().and_then(|seen| seen.next.as_deref()),
    );
    let all = || t.text("words-all");
    let states = ThreatState::ALL
        .iter()
        .map(|one| (one.word().to_owned(), one.title(t.language).to_owned()));
    let bands =
        Band::ALL.iter().rev().map(|one| (one.word().to_owned(), one.title(t.language).to_owned()));
    let fields = vec![
        Field::select(t, "state", t.text("threats-state"), words::choices(all(), states))
            .value(&filters.state),
        Field::select(t, "band", t.text("threats-risk"), words::choices(all(), bands))
            .value(&filters.band),
    ];
    let mut empty =
        Empty::new(Icon::Warning, t.text("threats-empty"), t.text("threats-empty-hint"));
    if may_change {
        let begin = Button::new(ButtonKind::Primary, t.text("threats-begin"));
        empty = empty.action(begin.link(format!("{here}/edit")));
    }
    let mut crumbs = about.crumbs(t);
    crumbs.pop();
    let page = OverviewPage {
        t,
        frame: member
            .frame(Section::Products, t.text("threats-of").arg("product", &about.name).to_string()),
        crumbs,
        trace: about.trace(),
        impact: format!("{}/impact", about.product()),
        command: Command::new(
            t,
            format!("tegata threat put {} {} model.yaml --preview", about.maker, about.id),
        ),
        here,
        seen,
        may_change,
        fields,
        pager,
        empty,
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "threats/overview.html")]
struct OverviewPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    here: String,
    trace: String,
    impact: String,
    seen: Option<Seen>,
    may_change: bool,
    fields: Vec<Field>,
    pager: Pager,
    empty: Empty,
    command: Command,
}

struct VersionRow {
    version: String,
    at: Moment,
    by: String,
    digest: crate::ui::Id,
    note: String,
}

async fn history(
    State(console): State<Console>,
    member: Member,
    Path(path): Path<(String, String)>,
    Asked(place): Asked<listing::Place>,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, path).await?;
    let (service, caller) = (&console.service, member.caller());
    let page = listing::page(&place.after);
    let found = service.threat_model_history(caller, &about.maker, &about.id, &page).await?;
    let first = Page { after: None, limit: listing::ROWS };
    let decided = service.threat_decisions(caller, &about.maker, &about.id, None, &first).await?;
    let here = format!("{}/history", about.threats());
    let page = HistoryPage {
        t,
        frame: member.frame(
            Section::Products,
            t.text("threats-history-of").arg("product", &about.name).to_string(),
        ),
        crumbs: about.crumbs(t),
        pager: listing::pager(t, &here, &[], &place.after, found.next.as_deref()),
        rows: found
            .items
            .into_iter()
            .map(|one| VersionRow {
                version: one.version.to_string(),
                at: t.time(one.at),
                by: one.by,
                digest: crate::ui::Id::short(t, &one.digest),
                note: one.note.unwrap_or_default(),
            })
            .collect(),
        decisions: decided
            .items
            .iter()
            .map(|one| (about.threat(&one.threat), one::decided(t, one)))
            .collect(),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "threats/history.html")]
struct HistoryPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    rows: Vec<VersionRow>,
    decisions: Vec<(String, one::Decided)>,
    pager: Pager,
}
