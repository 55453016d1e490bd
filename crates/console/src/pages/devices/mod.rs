//! Devices: search and filters in the address, saved views, acts on many, export.

mod bulk;
pub(in crate::pages) mod filters;
mod labels;

use super::{listing, sensitive, words};
use crate::{
    Answer, Asked, Console, Fields, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Choice, Empty, Field, Icon, Message, Pager, Tone},
};
use askama::Template;
use axum::{
    Router,
    body::Body,
    extract::State,
    response::IntoResponse as _,
    routing::{get, post},
};
pub(super) use filters::Filters;
use http::header;
use policy::{Action, Resource};
use service::{BulkAct, DeviceLine, DeviceList, Page};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/devices", get(list))
        .route("/devices/export", get(export))
        .route("/devices/views", post(save_view))
        .route("/devices/views/delete", post(delete_view))
        .merge(bulk::router())
        .merge(labels::router())
}

/// Acts on many that the visitor's roles reach.
fn bulk_acts(member: &Member) -> Vec<&'static str> {
    let own = &member.signed().organisation;
    BulkAct::NAMES
        .iter()
        .filter(|name| {
            let action = match **name {
                "suspend" => Action::SuspendDevice,
                "release" => Action::ReleaseDevice,
                "retire" => Action::RetireDevice,
                "revoke" => Action::RevokeDevice,
                _ => Action::ReleaseCode,
            };
            policy::authorize(member.caller(), action, &Resource::organisation(own)).is_ok()
        })
        .copied()
        .collect()
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let own = &member.signed().organisation;
    let t = member.t;
    let place = Page {
        after: (!filters.after.is_empty()).then(|| filters.after.clone()),
        limit: listing::ROWS,
    };
    let service = &console.service;
    let found = if filters.wrong_owner() {
        DeviceList { items: Vec::new(), next: None, previous: None, partial: false }
    } else {
        service.search_devices(member.caller(), own, &filters.search()?, &place).await?
    };
    let views = service.saved_views(member.caller(), own).await?;
    let products =
        service.products(member.caller(), own, &Page { after: None, limit: listing::ROWS }).await?;
    let products = products
        .items
        .into_iter()
        .map(|product| (format!("{}/{}", product.organisation, product.id), product.name));
    let pairs = filters.pairs();
    let to = |after: &str| {
        let mut pairs = pairs.clone();
        pairs.push(("after", after));
        listing::address("/devices", &pairs)
    };
    let first = (!filters.after.is_empty()).then(|| listing::address("/devices", &pairs));
    let pager = Pager::new(t, first, found.next.as_deref().map(to))
        .previous(found.previous.as_deref().map(to));
    let rows_empty = found.items.is_empty();
    let rows = found.items.iter().map(|line| Row::new(t, line, &member)).collect();
    let acts = bulk_acts(&member);
    let acts: Vec<Choice> = acts
        .into_iter()
        .map(|name| Choice::new(name, t.word("bulk-name", name).to_string()))
        .collect();
    let empty = if let (true, Some(next)) = (found.partial, &found.next) {
        Empty::new(Icon::Search, t.text("devices-goes-on"), t.text("devices-goes-on-hint")).action(
            crate::ui::Button::new(crate::ui::ButtonKind::Secondary, t.text("devices-go-on"))
                .link(to(next)),
        )
    } else if filters.is_plain() && filters.after.is_empty() {
        Empty::new(Icon::Device, t.text("devices-empty"), t.text("devices-empty-hint")).action(
            crate::ui::Button::new(crate::ui::ButtonKind::Secondary, t.text("devices-to-guide"))
                .link("/guide"),
        )
    } else {
        Empty::new(Icon::Search, t.text("devices-none-found"), t.text("devices-none-found-hint"))
    };
    let page = ListPage {
        t,
        frame: member.frame(Section::Devices, t.text("devices-title")),
        fields: filters.fields(t, products.collect()),
        applied: filters.applied(t),
        views: views
            .into_iter()
            .map(|view| View { href: format!("/devices?{}", view.query), name: view.name })
            .collect(),
        query: listing::address("", &pairs).trim_start_matches('?').to_owned(),
        hidden: pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        export: listing::address("/devices/export", &pairs),
        labels: (!rows_empty).then(|| {
            let mut query = vec![("everything", "yes")];
            query.extend(&pairs);
            listing::address("/devices/labels", &query)
        }),
        note: if filters.wrong_owner() {
            Some(Message::new(Tone::Warn, t.text("devices-owner-wrong")))
        } else {
            let short = found.partial && !found.items.is_empty();
            short.then(|| Message::new(Tone::Info, t.text("devices-partial")))
        },
        act: (!acts.is_empty()).then(|| Field::select(t, "act", t.text("devices-act"), acts)),
        rows,
        pager,
        empty,
    };
    Ok(member.page(&page))
}

struct View {
    name: String,
    href: String,
}

struct Row {
    id: String,
    serial: String,
    management: String,
    product: Option<String>,
    phase: String,
    standing: Badge,
    verdict: Option<(Badge, Moment)>,
    owner: String,
    flags: Vec<Badge>,
}

impl Row {
    fn new(t: Locale, line: &DeviceLine, member: &Member) -> Self {
        let device = &line.device;
        let mut flags = Vec::new();
        if line.alarm {
            flags.push(Badge::new(Tone::Bad, t.text("devices-alarm")));
        }
        if let Some(to) = &line.offered_to {
            let text = if *to == member.signed().organisation {
                t.text("devices-offered-to-you").to_string()
            } else {
                t.text("devices-offered-to").arg("to", to.to_string()).to_string()
            };
            flags.push(Badge::new(Tone::Busy, text));
        }
        Self {
            id: device.id.to_string(),
            serial: device.serial_number.clone(),
            management: device.management_number.to_string(),
            product: device.product.as_ref().map(ToString::to_string),
            phase: words::phase(t, device.phase),
            standing: words::standing(t, device.standing),
            verdict: line
                .verdict
                .as_ref()
                .map(|verdict| (words::outcome(t, verdict.outcome), t.ago(verdict.at, member.now))),
            owner: device.owner.to_string(),
            flags,
        }
    }
}

#[derive(Template)]
#[template(path = "devices/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    fields: Vec<Field>,
    applied: Vec<(String, String)>,
    views: Vec<View>,
    query: String,
    hidden: Vec<(String, String)>,
    export: String,
    labels: Option<String>,
    note: Option<Message>,
    act: Option<Field>,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
}

async fn export(
    State(console): State<Console>,
    member: Member,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let own = &member.signed().organisation;
    let search = filters.search()?;
    // The mark at the beginning makes spreadsheets read it as UTF-8.
    let export = console.service.export_devices(member.caller(), own, &search, true).await;
    let export = match export {
        Ok(export) => export,
        Err(error) => {
            let back = listing::address("/devices/export", &filters.pairs());
            return sensitive::answer(&member, error, &back);
        }
    };
    let pieces = futures_util::stream::unfold(export, async |mut export| {
        let piece = export.next().await?;
        Some((piece, export))
    });
    Ok(csv("devices.csv", Body::from_stream(pieces)))
}

/// A file of comma-separated values.
pub(super) fn csv(name: &str, body: Body) -> axum::response::Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, body).into_response()
}

async fn save_view(State(console): State<Console>, member: Member, form: Fields) -> Answer {
    let own = &member.signed().organisation;
    let query = form.get("query");
    console.service.save_view(member.caller(), own, form.get("name"), query).await?;
    Ok(member.done(&format!("/devices?{query}"), "view-saved"))
}

async fn delete_view(State(console): State<Console>, member: Member, form: Fields) -> Answer {
    let own = &member.signed().organisation;
    console.service.delete_view(member.caller(), own, form.get("name")).await?;
    Ok(member.done("/devices", "view-deleted"))
}
