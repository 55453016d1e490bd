//! Trust between devices (AU-6): what the next bundle of each device holds, and which device has which.
//! docs/device-to-device.md.

mod settings;

use super::{
    listing::{self, Place},
    sensitive, words,
};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Section,
    chart::{Chart, Series, Share},
    failure,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Fingerprint, Icon, Message, Pager, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use crypto::UnixTime;
use device::DeviceId;
use http::{HeaderValue, header};
use peer::AuthorityKind;
use policy::Action;
use service::{ErrorKind, PeerBundleCounts, PeerBundleView, PeerTrustContents, PeerTrustView};

const HERE: &str = "/peer-trust";
/// Longest policies that are shown, in characters; the bundle has them all.
const POLICIES_SHOWN: usize = 20_000;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route(HERE, get(show))
        .route("/peer-trust/bundles/{device}", post(download))
        .merge(settings::router())
}

/// Who vouches for devices.
struct Authority {
    kind: String,
    whose: String,
    subject: String,
    fingerprint: Fingerprint,
    until: Moment,
    validity: Badge,
    revoked: String,
    suspended: String,
}

/// What the next bundle holds.
struct Next {
    authorities: Vec<Authority>,
    lines: Vec<(String, String)>,
    version: u64,
    policies: String,
    cut: bool,
    digest: Fingerprint,
    bytes: String,
    ends: String,
}

/// What the organisation chose.
struct Chosen {
    hours: String,
    makers: String,
    organisations: String,
    products: String,
    at: Moment,
    by: String,
}

struct Row {
    device: DeviceId,
    number: String,
    state: Badge,
    issued: Moment,
    ends: Moment,
    fetched: Option<Moment>,
}

#[derive(Template)]
#[template(path = "peer_trust/show.html")]
struct ShowPage {
    t: Locale,
    frame: Frame,
    chosen: Option<Chosen>,
    may_choose: bool,
    next: Option<Next>,
    /// why there is no next bundle
    wrong: Option<Message>,
    counts: Option<Share>,
    rows: Vec<Row>,
    may_fetch: bool,
    pager: Pager,
    empty: Empty,
}

fn chosen(t: Locale, view: PeerTrustView) -> Chosen {
    let all = |names: Vec<String>, none: &str| {
        if names.is_empty() { t.text(none).to_string() } else { names.join(", ") }
    };
    let text = |names: &[device::OrganisationId]| names.iter().map(ToString::to_string).collect();
    let it = view.chosen;
    let products = it.products.iter().map(|(maker, line)| format!("{maker}/{line}")).collect();
    Chosen {
        hours: t.text("peer-hours").arg("hours", it.life_s / 3600).to_string(),
        makers: all(text(&it.makers), "peer-none"),
        organisations: all(text(&it.organisations), "peer-none"),
        products: all(products, "peer-all"),
        at: t.time(view.set_at),
        by: view.set_by,
    }
}

fn next(member: &Member, it: PeerTrustContents) -> Next {
    let t = member.t;
    let number = |count: usize| t.number(u64::try_from(count).unwrap_or(u64::MAX));
    let authority = |one: service::PeerAuthorityView| {
        let kind = match one.kind {
            AuthorityKind::Owner => "owner",
            AuthorityKind::Maker => "maker",
        };
        Authority {
            kind: t.word("peer-kind", kind).to_string(),
            whose: match one.product {
                Some(product) => format!("{}/{product}", one.organisation),
                None => one.organisation.to_string(),
            },
            subject: one.subject,
            fingerprint: Fingerprint::new(t, &one.fingerprint),
            until: t.date(one.not_after),
            validity: words::validity(t, one.not_after, member.now),
            revoked: number(one.revoked),
            suspended: number(one.suspended),
        }
    };
    let no_line = || t.text("peer-no-line").to_string();
    let shown: String = it.policies.chars().take(POLICIES_SHOWN).collect();
    Next {
        authorities: it.authorities.into_iter().map(authority).collect(),
        lines: it
            .lines
            .into_iter()
            .map(|(line, count)| (line.unwrap_or_else(no_line), number(count)))
            .collect(),
        version: it.policies_version,
        cut: shown.len() < it.policies.len(),
        policies: shown,
        digest: Fingerprint::new(t, &it.digest),
        bytes: number(it.bytes),
        ends: t.text("peer-ends-says").arg("hours", it.life_s / 3600).to_string(),
    }
}

fn state(t: Locale, view: &PeerBundleView, now: UnixTime) -> Badge {
    let (tone, word) = match (view.expires <= now, view.newest, view.fetched_at) {
        (true, _, _) => (Tone::Bad, "ended"),
        (false, false, _) => (Tone::Warn, "behind"),
        (false, true, None) => (Tone::Info, "waiting"),
        (false, true, Some(_)) => (Tone::Good, "newest"),
    };
    Badge::new(tone, t.word("peer-bundle", word))
}

fn share(t: Locale, counts: PeerBundleCounts) -> Share {
    let of = |word: &str, count: u64, tone: Tone| {
        Series::new(t.word("peer-bundle", word).to_string(), vec![count]).tone(tone)
    };
    Share(Chart {
        t,
        id: "counts",
        title: t.text("peer-counts").to_string(),
        description: t.text("peer-counts-says").to_string(),
        category: t.text("peer-devices").to_string(),
        categories: vec![t.text("peer-devices").to_string()],
        series: vec![
            of("newest", counts.newest, Tone::Good),
            of("waiting", counts.waiting, Tone::Info),
            of("behind", counts.behind, Tone::Warn),
            of("ended", counts.ended, Tone::Bad),
            of("without", counts.without, Tone::Neutral),
        ],
    })
}

async fn show(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let (service, caller, t) = (&console.service, member.caller(), member.t);
    let settings = service.peer_trust(caller).await?;
    let (contents, wrong) = match service.peer_trust_contents(caller).await {
        Ok(contents) => (Some(contents), None),
        // Said in the words of the page.
        Err(error) if error.code() == "peer-trust-off" => (None, None),
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Refused) => {
            (None, Some(failure::said(t.language, error.problem())))
        }
        Err(error) => return Err(error.into()),
    };
    let counts = service.peer_bundle_counts(caller).await?;
    let any = [counts.newest, counts.waiting, counts.behind, counts.ended, counts.without];
    // Where no bundle can be made nobody has the newest, and the list says so.
    let found = match wrong {
        None => Some(service.peer_bundles(caller, &listing::page(&place.after)).await?),
        Some(_) => None,
    };
    let (bundles, more) = found.map_or((Vec::new(), None), |found| (found.items, found.next));
    let rows = bundles.iter().map(|it| Row {
        device: it.device,
        number: t.number(it.number),
        state: state(t, it, member.now),
        issued: t.time(it.issued_at),
        ends: t.time(it.expires),
        fetched: it.fetched_at.map(|at| t.time(at)),
    });
    let own = &member.signed().organisation;
    let page = ShowPage {
        t,
        frame: member.frame(Section::Policies, t.text("peer-title")),
        may_fetch: contents.is_some() && words::may(&member, Action::FetchTrustBundle, own),
        chosen: settings.map(|view| chosen(t, view)),
        may_choose: words::may(&member, Action::ManagePeerTrust, own),
        next: contents.map(|it| next(&member, it)),
        wrong: wrong.map(|wrong| Message::new(Tone::Warn, wrong)),
        counts: any.iter().any(|count| *count > 0).then(|| share(t, counts)),
        rows: rows.collect(),
        pager: listing::pager(t, HERE, &[], &place.after, more.as_deref()),
        empty: Empty::new(Icon::Device, t.text("peer-empty"), t.text("peer-empty-hint")),
    };
    Ok(member.page(&page))
}

/// The bundle of a device, to be carried there. It is signed, and leaves: no link does that.
async fn download(
    State(console): State<Console>,
    member: Member,
    Path(text): Path<String>,
    _form: Fields,
) -> Result<Response, Failure> {
    let device: DeviceId = text.parse().map_err(|_| Failure::not_found())?;
    let made = match console.service.trust_bundle(member.caller(), &device, None).await {
        Ok(made) => made,
        Err(error) => return sensitive::answer(&member, error, HERE),
    };
    let name = format!("attachment; filename=\"{device}-{}.bundle\"", made.number);
    let name = HeaderValue::from_str(&name).map_err(|_| Failure::internal())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(peer::MEDIA_TYPE)),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, made.bytes.unwrap_or_default()).into_response())
}
