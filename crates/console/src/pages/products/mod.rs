//! Product lines of the visitor's organisation.

mod create;
mod mud;
mod mud_url;
mod public;
mod purposes;

use super::{
    listing::{self, Place},
    words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Button, ButtonKind, Empty, Icon, Pager, Tab, Tabs},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::{OrganisationId, ProductId};
use policy::Action;
use service::{ProductPublic, ProductView, SecurityLabel};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products", get(list))
        .route("/products/{maker}/{id}", get(one))
        .merge(create::router())
        .merge(mud::router())
        .merge(mud_url::router())
        .merge(public::router())
        .merge(purposes::router())
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let own = &member.signed().organisation;
    let page = listing::page(&place.after);
    let found = console.service.products(member.caller(), own, &page).await?;
    let t = member.t;
    let rows = found
        .items
        .iter()
        .map(|product| Row {
            href: format!("/products/{}/{}", product.organisation, product.id),
            name: product.name.clone(),
            model: product.model.clone(),
            kind: words::device_kind(t, product.kind),
            root_of_trust: words::root_of_trust(t, product.root_of_trust),
            support_end: product.support_end.map(|end| t.date(end)),
        })
        .collect();
    let pager = listing::pager(t, "/products", &[], &place.after, found.next.as_deref());
    let frame = member.frame(Section::Products, t.text("products-title"));
    let may_create = words::may(&member, Action::CreateProduct, own);
    let mut empty =
        Empty::new(Icon::Product, t.text("products-empty"), t.text("products-empty-hint"));
    if may_create {
        let create = Button::new(ButtonKind::Primary, t.text("products-new"));
        empty = empty.action(create.link("/products/new"));
    }
    Ok(member.page(&ListPage { t, frame, rows, pager, empty, may_create }))
}

struct Row {
    href: String,
    name: String,
    model: String,
    kind: String,
    root_of_trust: String,
    support_end: Option<Moment>,
}

#[derive(Template)]
#[template(path = "products/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
    may_create: bool,
}

async fn one(
    State(console): State<Console>,
    member: Member,
    Path((maker, id)): Path<(String, String)>,
) -> Answer {
    let maker = OrganisationId::new(&maker).map_err(|_| Failure::not_found())?;
    let id = ProductId::new(&id).map_err(|_| Failure::not_found())?;
    let product = console.service.product(member.caller(), &maker, &id).await?;
    let t = member.t;
    let title = t.text("products-one").arg("name", &product.name);
    let frame = member.frame(Section::Products, title);
    let devices = listing::address(
        "/devices",
        &[("relation", "maker"), ("product", &format!("{maker}/{id}"))],
    );
    let public = console.service.product_public(member.caller(), &maker, &id).await?;
    let labels = listing::address(
        "/devices/labels",
        &[("everything", "yes"), ("relation", "maker"), ("product", &format!("{maker}/{id}"))],
    );
    let page = OnePage {
        t,
        tabs: words::may(&member, Action::ReadDiagnosis, &maker).then(|| tabs(t, &maker, &id, "")),
        may_change: words::may(&member, Action::ChangeProduct, &maker),
        labels,
        marks: public.labels.iter().map(|label| mark(&member, label)).collect(),
        public,
        kind: words::device_kind(t, product.kind),
        root_of_trust: words::root_of_trust(t, product.root_of_trust),
        support_end: product.support_end.map(|end| t.date(end)),
        validity_days: product.ldevid_validity_s.map(|seconds| t.number(seconds / 86_400)),
        since: t.date(product.created_at),
        devices,
        frame,
        product,
    };
    Ok(member.page(&page))
}

/// Parts of a product line's page: word in the address and key of the name.
const PARTS: [(&str, &str); 3] = [
    ("", "products-part-line"),
    ("diagnoses", "diagnoses-title"),
    ("operation", "operation-title"),
];

/// The parts of a product line's page, `at` the one that is shown.
pub(super) fn tabs(t: Locale, maker: &OrganisationId, id: &ProductId, at: &str) -> Tabs {
    let href = |part: &str| match part {
        "" => format!("/products/{maker}/{id}"),
        "operation" => format!("/operation/{maker}/{id}"),
        part => format!("/products/{maker}/{id}/{part}"),
    };
    let tab = |(part, key): &(&'static str, &'static str)| Tab {
        label: t.text(key).to_string(),
        href: href(part),
        current: *part == at,
        count: None,
    };
    Tabs::new(t.text("products-parts"), PARTS.iter().map(tab).collect())
}

#[derive(Template)]
#[template(path = "products/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    tabs: Option<Tabs>,
    product: ProductView,
    kind: String,
    root_of_trust: String,
    support_end: Option<Moment>,
    validity_days: Option<String>,
    since: Moment,
    devices: String,
    labels: String,
    may_change: bool,
    public: ProductPublic,
    marks: Vec<Mark>,
}

/// A security label as it is shown.
struct Mark {
    title: String,
    number: Option<String>,
    until: Option<(Moment, Badge)>,
}

fn mark(member: &Member, label: &SecurityLabel) -> Mark {
    let scheme = label.scheme.title();
    let level = label.level.as_deref().unwrap_or_default();
    Mark {
        title: format!("{scheme} {level}").trim().to_owned(),
        number: label.number.clone(),
        until: label
            .valid_until
            .map(|end| (member.t.date(end), words::validity(member.t, end, member.now))),
    }
}
