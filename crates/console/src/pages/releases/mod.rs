//! Releases of the visitor's organisation: what there is, and how far each is.

mod act;
mod one;

use super::{listing, words};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Command, Empty, Field, Icon, Pager, Tone},
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use device::ProductId;
use policy::Action;
use serde::Deserialize;
use service::{GateItem, ReleaseId, ReleaseQuery, ReleaseState, ReleaseView};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/releases", get(list)).merge(one::router()).merge(act::router())
}

/// The filters, as they stand in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    product: String,
    state: String,
    after: String,
}

impl Filters {
    fn query(&self) -> Result<ReleaseQuery, Failure> {
        let product = match self.product.as_str() {
            "" => None,
            id => Some(ProductId::new(id).map_err(|_| Failure::not_found())?),
        };
        let state = match self.state.as_str() {
            "" => None,
            name => Some(ReleaseState::from_name(name).ok_or_else(Failure::bad_request)?),
        };
        Ok(ReleaseQuery { product, state })
    }

    fn fields(&self) -> [(&str, &str); 2] {
        [("product", &self.product), ("state", &self.state)]
    }
}

fn id(text: &str) -> Result<ReleaseId, Failure> {
    text.parse().map_err(|_| Failure::not_found())
}

pub(super) fn state(t: Locale, state: ReleaseState) -> Badge {
    let tone = match state {
        ReleaseState::Draft => Tone::Busy,
        ReleaseState::Published => Tone::Good,
        ReleaseState::Withdrawn => Tone::Neutral,
    };
    Badge::new(tone, t.word("release-state", state.name()))
}

/// What the gate says, or said.
fn gate(t: Locale, release: &ReleaseView, items: &[GateItem]) -> Badge {
    let open = items.iter().filter(|item| !item.met).count();
    match release.state {
        ReleaseState::Draft if open == 0 => Badge::new(Tone::Good, t.text("releases-gate-met")),
        ReleaseState::Draft => {
            Badge::new(Tone::Warn, t.text("releases-gate-open").arg("count", open))
        }
        _ if !release.overruled.is_empty() => {
            Badge::new(Tone::Held, t.text("releases-gate-overruled"))
        }
        _ => Badge::new(Tone::Good, t.text("releases-gate-met")),
    }
}

/// The visitor's product lines, for filters and forms: the first hundred.
pub(super) async fn products(
    console: &Console,
    member: &Member,
) -> Result<Vec<(String, String)>, Failure> {
    let own = &member.signed().organisation;
    if !words::may(member, Action::ReadProduct, own) {
        return Ok(Vec::new());
    }
    let page = service::Page { after: None, limit: 100 };
    let found = console.service.products(member.caller(), own, &page).await?;
    Ok(found.items.into_iter().map(|product| (product.id.to_string(), product.name)).collect())
}

struct Row {
    href: String,
    version: String,
    product: String,
    state: Badge,
    gate: Badge,
    security_version: String,
    files: String,
    created: Moment,
    published: Option<Moment>,
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let t = member.t;
    let own = &member.signed().organisation;
    let page = listing::page(&filters.after);
    let found = console.service.releases(member.caller(), own, &filters.query()?, &page).await?;
    let products = products(&console, &member).await?;
    let mut rows = Vec::with_capacity(found.items.len());
    for release in &found.items {
        let items = match release.state {
            ReleaseState::Draft => {
                console.service.check_release(member.caller(), &release.id).await?
            }
            _ => Vec::new(),
        };
        let name = products.iter().find(|(id, _)| id == release.product.as_str());
        rows.push(Row {
            href: format!("/releases/{}", release.id),
            version: release.version.clone(),
            product: name.map_or_else(|| release.product.to_string(), |(_, name)| name.clone()),
            state: state(t, release.state),
            gate: gate(t, release, &items),
            security_version: t.number(release.security_version),
            files: t.number(i128::try_from(release.artifacts.len()).unwrap_or(i128::MAX)),
            created: t.time(release.created_at),
            published: release.published_at.map(|at| t.time(at)),
        });
    }
    let states = ReleaseState::ALL
        .iter()
        .map(|state| (state.name().to_owned(), t.word("release-state", state.name()).to_string()));
    let all = || t.text("words-all");
    let fields = vec![
        Field::select(t, "product", t.text("releases-product"), words::choices(all(), products))
            .value(&filters.product),
        Field::select(t, "state", t.text("releases-state"), words::choices(all(), states))
            .value(&filters.state),
    ];
    let pager =
        listing::pager(t, "/releases", &filters.fields(), &filters.after, found.next.as_deref());
    let page = ListPage {
        t,
        frame: member.frame(Section::Releases, t.text("releases-title")),
        fields,
        rows,
        pager,
        empty: Empty::new(Icon::Release, t.text("releases-empty"), t.text("releases-empty-hint")),
        commands: words::may(&member, Action::ManageRelease, own).then(|| {
            Command::new(
                t,
                format!(
                    "tegata release create {own} PRODUCT VERSION --security-version 1 --hardware-id ID\n\
                     tegata release add RELEASE FILE\n\
                     tegata release attach RELEASE sbom bom.json"
                ),
            )
        }),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "releases/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    fields: Vec<Field>,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
    commands: Option<Command>,
}
