//! Trust between devices (docs/device-to-device.md).

use super::{
    extract::{Json, JsonBody, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use api::{
    problem::Code,
    wire::{
        NewPeerTrust, Page, PageQuery, PeerAuthority, PeerBundle, PeerBundleCounts, PeerLine,
        PeerTrust, PeerTrustContents,
        scalar::{Binary, DeviceRef, Digest, OrganisationRef, ProductRef},
    },
};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use device::{OrganisationId, ProductId};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use peer::AuthorityKind;
use service::{PeerBundleView, PeerTrustView};

const SETTINGS_BYTES_MAX: usize = 32 * 1024;
/// What is served under one name differs by who asks, and is for it alone.
const OWN: &str = "private, no-cache";

/// Which devices the organisation's own trust without the platform
#[utoipa::path(get, path = "/v1/peer-trust", tag = "devices",
    responses((status = 200, body = PeerTrust)))]
pub(super) async fn settings(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<PeerTrust>, Fault> {
    let found = app.service.peer_trust(&caller).await?;
    found.map(|view| Json(shown(view))).ok_or_else(Fault::not_found)
}

/// Chooses which devices the organisation's own trust without the platform
///
/// In force with the next trust bundle that a device fetches. Until this was chosen once, devices are given
/// none.
#[utoipa::path(put, path = "/v1/peer-trust", tag = "devices", request_body = NewPeerTrust,
    responses((status = 200, body = PeerTrust)))]
pub(super) async fn set(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(new): JsonBody<NewPeerTrust, SETTINGS_BYTES_MAX>,
) -> Result<Json<PeerTrust>, Fault> {
    let names = |all: Vec<OrganisationRef>| all.into_iter().map(|it| it.0).collect();
    let line = |text: &String| -> Option<(OrganisationId, ProductId)> {
        let (maker, product) = text.split_once('/')?;
        Some((maker.parse().ok()?, product.parse().ok()?))
    };
    let products = new.products.iter().map(line).collect::<Option<_>>().ok_or_else(|| {
        Fault::new(Code::Malformed)
            .detail("a product line is written MAKER/PRODUCT")
            .hint("such as maker-a/gateway")
    })?;
    let new = service::NewPeerTrust {
        life_s: new.life_s,
        makers: names(new.makers),
        organisations: names(new.organisations),
        products,
    };
    Ok(Json(shown(app.service.set_peer_trust(&caller, new).await?)))
}

/// Gives the organisation's devices no trust bundles any more
///
/// Those that they have are good until their end.
#[utoipa::path(delete, path = "/v1/peer-trust", tag = "devices", responses((status = 204)))]
pub(super) async fn end(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<StatusCode, Fault> {
    app.service.end_peer_trust(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the next trust bundle of each of the organisation's devices holds, and how they stand
///
/// CAs with how many certificates they have revoked, own devices by product line, policies: the same for
/// every device. Number, beginning and end are of each device's bundle.
#[utoipa::path(get, path = "/v1/peer-trust/contents", tag = "devices",
    responses((status = 200, body = PeerTrustContents)))]
pub(super) async fn contents(
    State(app): State<App>,
    caller: Authenticated,
) -> Result<Json<PeerTrustContents>, Fault> {
    let found = app.service.peer_trust_contents(&caller).await?;
    let counts = app.service.peer_bundle_counts(&caller).await?;
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let authority = |it: service::PeerAuthorityView| PeerAuthority {
        kind: match it.kind {
            AuthorityKind::Owner => "owner".to_owned(),
            AuthorityKind::Maker => "maker".to_owned(),
        },
        organisation: OrganisationRef(it.organisation),
        product: it.product.map(ProductRef),
        subject: it.subject,
        certificate: Digest(it.fingerprint),
        not_after: it.not_after.into(),
        revoked: number(it.revoked),
        suspended: number(it.suspended),
    };
    let line = |(product, count)| PeerLine { product, devices: number(count) };
    Ok(Json(PeerTrustContents {
        digest: Digest(found.digest),
        bytes: number(found.bytes),
        life_s: found.life_s,
        authorities: found.authorities.into_iter().map(authority).collect(),
        lines: found.lines.into_iter().map(line).collect(),
        policies_version: found.policies_version,
        policies: found.policies,
        devices: PeerBundleCounts {
            newest: counts.newest,
            waiting: counts.waiting,
            behind: counts.behind,
            ended: counts.ended,
            without: counts.without,
        },
    }))
}

/// Which trust bundles the organisation's devices were given last
#[utoipa::path(get, path = "/v1/peer-trust/bundles", tag = "devices", params(PageQuery),
    responses((status = 200, body = Page<PeerBundle>)))]
pub(super) async fn bundles(
    State(app): State<App>,
    caller: Authenticated,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<PeerBundle>>, Fault> {
    let page = page(query.after, query.limit)?;
    Ok(Json(view::paged(app.service.peer_bundles(&caller, &page).await?, |it| given(&it))))
}

/// The trust bundle of a device, for itself or for who carries it there
///
/// What it decides by about other devices where the platform cannot be reached. The same as before as long
/// as nothing has changed and not half of its time is over; its number is its entity tag.
#[utoipa::path(get, path = "/v1/devices/{device}/trust-bundle", tag = "devices",
    params(("device" = DeviceRef, Path)),
    responses((status = 200, description = "trust bundle (docs/device-to-device.md)", body = Binary,
        content_type = "application/vnd.tegata.trust-bundle+cbor"),
        (status = 304, description = "the device has the newest")))]
pub(super) async fn bundle(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    let known =
        known.and_then(|it| it.trim().trim_start_matches("W/").trim_matches('"').parse().ok());
    let made = app.service.trust_bundle(&caller, &device.0, known).await?;
    let mut response = match made.bytes {
        Some(bytes) => bytes.into_response(),
        None => StatusCode::NOT_MODIFIED.into_response(),
    };
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(peer::MEDIA_TYPE));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(OWN));
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", made.number)) {
        fields.insert(header::ETAG, etag);
    }
    Ok(response)
}

fn shown(view: PeerTrustView) -> PeerTrust {
    let names = |all: Vec<OrganisationId>| all.into_iter().map(OrganisationRef).collect();
    let chosen = view.chosen;
    PeerTrust {
        life_s: chosen.life_s,
        makers: names(chosen.makers),
        organisations: names(chosen.organisations),
        products: chosen.products.iter().map(|(maker, line)| format!("{maker}/{line}")).collect(),
        by: view.set_by,
        at: view.set_at.into(),
    }
}

fn given(view: &PeerBundleView) -> PeerBundle {
    PeerBundle {
        device: DeviceRef(view.device),
        number: view.number,
        issued: view.issued_at.into(),
        expires: view.expires.into(),
        fetched: view.fetched_at.map(Into::into),
        newest: view.newest,
    }
}
