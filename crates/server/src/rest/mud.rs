//! Which connections makers say that devices need, and what leaves that (docs/mud.md).

use super::{
    extract::{Created, Json, JsonBody, Lang, Path, Query, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated};
use ::behaviour::mud::{Flow, Mud, Needed};
use api::{
    problem::Code,
    wire::{
        FlowOutside, FlowsJudged, MudFile, MudSeen, MudSuggestion, MudSuggestionQuery, MudUrl,
        MudVersion, MudWithdrawal, NewFlow, NewFlows, NewMud, NewMudUrl, OutsideMud, OutsideMudDay,
        OutsideMudDaysQuery, OutsideMudOfDevice, OutsideMudQuery, Page, PageQuery,
        scalar::{Base64, DeviceRef, Digest, OrganisationRef, ProductRef},
    },
};
use axum::extract::State;
use device::{Language, OrganisationId, ProductId};
use http::StatusCode;
use service::{HowToSuggest, MudOutside, MudReferenceView, MudView, NamedSigner};

/// File and signature in base64, and certificates.
const MUD_BODY_BYTES_MAX: usize = 768 * 1024;
const REASON_BYTES_MAX: usize = 4 * 1024;
/// A URL, and a certificate in PEM.
const MUD_URL_BODY_BYTES_MAX: usize = 80 * 1024;
/// A thousand flows, written as widely as JSON allows.
const FLOWS_BODY_BYTES_MAX: usize = 512 * 1024;

/// Which connections a product line's devices need: the version in force
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/mud", tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = MudFile)))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<MudFile>, Fault> {
    let of = (&organisation.0, &product.0);
    Ok(Json(file(app.service.mud_file(&caller, of, None).await?, language)))
}

/// Says which connections a product line's devices need (MUD, RFC 8520)
///
/// The file is kept as it came, in versions; everybody reads the newest without login. A signature is
/// checked against the certificates that come with it. The same again changes nothing. Owners of devices
/// of the product line are told what a change opens and closes.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/products/{product}/mud", tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    request_body = NewMud, responses((status = 200, body = MudVersion)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    JsonBody(new): JsonBody<NewMud, MUD_BODY_BYTES_MAX>,
) -> Result<Json<MudVersion>, Fault> {
    let new = service::NewMud {
        file: new.file.0,
        signature: new.signature.map(|signature| signature.0),
        anchors: new.anchors,
        reason: new.reason,
    };
    let of = (&organisation.0, &product.0);
    Ok(Json(version(app.service.put_mud(&caller, of, new).await?)))
}

/// Withdraws what was said about a product line's connections
///
/// Nobody reads it any more, and nothing is held against it. Versions stay.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/products/{product}/mud/withdraw",
    tag = "products", params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    request_body = MudWithdrawal, responses((status = 201, body = MudVersion)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    JsonBody(said): JsonBody<MudWithdrawal, REASON_BYTES_MAX>,
) -> Result<Created<MudVersion>, Fault> {
    let of = (&organisation.0, &product.0);
    Ok(Created(version(app.service.withdraw_mud(&caller, of, &said.reason).await?)))
}

/// Versions of what was said about a product line's connections, newest first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/mud/versions",
    tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path), PageQuery),
    responses((status = 200, body = Page<MudVersion>)))]
pub(super) async fn versions(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<MudVersion>>, Fault> {
    let (page, of) = (page(query.after, query.limit)?, (&organisation.0, &product.0));
    let found = app.service.mud_versions(&caller, of, &page).await?;
    Ok(Json(view::paged(found, version)))
}

/// A version of what was said about a product line's connections, with its bytes; of the 32 newest
#[utoipa::path(get,
    path = "/v1/organisations/{organisation}/products/{product}/mud/versions/{version}",
    tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path),
        ("version" = u64, Path, minimum = 1)),
    responses((status = 200, body = MudFile)))]
pub(super) async fn one_version(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path((organisation, product, version)): Path<(OrganisationRef, ProductRef, u64)>,
) -> Result<Json<MudFile>, Fault> {
    let of = (&organisation.0, &product.0);
    Ok(Json(file(app.service.mud_file(&caller, of, Some(version)).await?, language)))
}

/// What IDevIDs of a product line say of its usage description
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/mud-url",
    tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = MudUrl)))]
pub(super) async fn url(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<MudUrl>, Fault> {
    let found = app.service.mud_reference(&caller, (&organisation.0, &product.0)).await?;
    found.map(|view| Json(said(view))).ok_or_else(Fault::not_found)
}

/// Says what IDevIDs of a product line that are issued from now on say of its usage description
///
/// Where the file is (id-pe-mud-url), and who signs it (id-pe-mudsigner; RFC 8520 section 11). IDevIDs that were
/// issued stay as they are.
#[utoipa::path(put, path = "/v1/organisations/{organisation}/products/{product}/mud-url",
    tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    request_body = NewMudUrl, responses((status = 200, body = MudUrl)))]
pub(super) async fn set_url(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    JsonBody(new): JsonBody<NewMudUrl, MUD_URL_BODY_BYTES_MAX>,
) -> Result<Json<MudUrl>, Fault> {
    let of = (&organisation.0, &product.0);
    let signer = new.signer.as_deref();
    let signer = signer.map_or(NamedSigner::Nobody, NamedSigner::Certificate);
    Ok(Json(said(app.service.set_mud_reference(&caller, of, &new.url, signer).await?)))
}

/// IDevIDs of a product line that are issued from now on say nothing of a usage description
#[utoipa::path(delete, path = "/v1/organisations/{organisation}/products/{product}/mud-url",
    tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 204)))]
pub(super) async fn end_url(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<StatusCode, Fault> {
    app.service.end_mud_reference(&caller, (&organisation.0, &product.0)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn said(view: MudReferenceView) -> MudUrl {
    MudUrl { url: view.url, signer: view.signer, by: view.set_by, at: view.set_at.into() }
}

/// Hands in connections that an organisation's devices were seen to have
///
/// By a router or firewall, say. Each is held against what the device's maker says; what that does not
/// allow is put down, a security event, and raises an alert. All devices must be the organisation's, or
/// nothing is taken.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/flows", tag = "behaviour",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewFlows, responses((status = 201, body = FlowsJudged)))]
pub(super) async fn observe(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewFlows, FLOWS_BODY_BYTES_MAX>,
) -> Result<Created<FlowsJudged>, Fault> {
    let read = |(at, flow): (usize, NewFlow)| {
        let NewFlow { device, to, from, count } = flow;
        Flow::new(device.0, to.as_deref(), from.as_deref(), count)
            .map_err(|error| Fault::field("flows", format!("flow {at}: {error}")))
    };
    let flows = (1..).zip(new.flows).map(read).collect::<Result<Vec<_>, _>>()?;
    let judged = app.service.report_flows(&caller, &organisation.0, flows).await?;
    Ok(Created(FlowsJudged {
        allowed: judged.allowed,
        unknown: judged.unknown,
        without: judged.without,
        outside: judged
            .outside
            .into_iter()
            .map(|(device, connection)| FlowOutside {
                device: DeviceRef(device),
                connection: connection.to_string(),
            })
            .collect(),
    }))
}

/// Connections of a device that its maker's file does not allow, newest first
///
/// The 64 that were told of last, by the device in its log or by its owner, since it is this owner's.
#[utoipa::path(get, path = "/v1/devices/{device}/outside-mud", tag = "behaviour",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Vec<OutsideMud>)))]
pub(super) async fn outside(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Vec<OutsideMud>>, Fault> {
    let found = app.service.outside_mud(&caller, &device.0).await?;
    Ok(Json(found.into_iter().map(outside_of).collect()))
}

/// A usage description, unsigned, by what an organisation's own devices of a product line were seen to do
///
/// What at least three devices opened on at least three days each, and a tenth of those that are looked at,
/// gets an entry. What others opened to the devices gets none. To be looked at, changed and signed by the maker.
#[utoipa::path(get, path = "/v1/organisations/{organisation}/mud-suggestion", tag = "behaviour",
    params(("organisation" = OrganisationRef, Path), MudSuggestionQuery),
    responses((status = 200, body = MudSuggestion)))]
pub(super) async fn suggestion(
    State(app): State<App>,
    caller: Authenticated,
    Lang(language): Lang,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<MudSuggestionQuery>,
) -> Result<Json<MudSuggestion>, Fault> {
    let Some((maker, product)) = line(Some(&query.line))? else {
        return Err(Fault::new(Code::Malformed));
    };
    let usual = Needed::default();
    let needed = Needed {
        devices: query.devices.unwrap_or(usual.devices),
        days: query.days.unwrap_or(usual.days),
    };
    let how = HowToSuggest { needed, url: query.url };
    let of = (&maker, &product);
    let (file, found) = app.service.suggest_mud(&caller, &organisation.0, of, &how).await?;
    let allows = Mud::parse(&file).map_err(|_| Fault::new(Code::Internal))?;
    let seen = found.seen.into_iter().map(|(it, taken)| MudSeen {
        to: it.door.to_string(),
        devices: it.devices,
        days: it.days,
        first: it.first_at.into(),
        last: it.last_at.into(),
        taken: taken.name().to_owned(),
    });
    Ok(Json(MudSuggestion {
        allows: match language {
            Language::Ja => allows.japanese(),
            Language::En => allows.english(),
        },
        file: Base64(file),
        devices: found.devices,
        needed: found.needed,
        days: found.days,
        seen: seen.collect(),
    }))
}

/// Connections of an organisation's devices that makers' files do not allow; found last first
#[utoipa::path(get, path = "/v1/organisations/{organisation}/outside-mud", tag = "behaviour",
    params(("organisation" = OrganisationRef, Path), OutsideMudQuery),
    responses((status = 200, body = Page<OutsideMudOfDevice>)))]
pub(super) async fn outside_all(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<OutsideMudQuery>,
) -> Result<Json<Page<OutsideMudOfDevice>>, Fault> {
    let (page, line) = (page(query.after, query.limit)?, line(query.line.as_deref())?);
    let found = app.service.outside_mud_of(&caller, &organisation.0, line.as_ref(), &page).await?;
    Ok(Json(view::paged(found, |it| OutsideMudOfDevice {
        device: DeviceRef(it.device),
        serial_number: it.serial_number,
        line: it.line,
        outside: outside_of(it.outside),
    })))
}

/// How often such connections were told of, day by day
#[utoipa::path(get, path = "/v1/organisations/{organisation}/outside-mud/days", tag = "behaviour",
    params(("organisation" = OrganisationRef, Path), OutsideMudDaysQuery),
    responses((status = 200, body = Vec<OutsideMudDay>)))]
pub(super) async fn outside_days(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<OutsideMudDaysQuery>,
) -> Result<Json<Vec<OutsideMudDay>>, Fault> {
    let (line, days) = (line(query.line.as_deref())?, i64::from(query.days.unwrap_or(14)));
    let of = (&organisation.0, line.as_ref());
    let found = app.service.outside_mud_days(&caller, of.0, of.1, days).await?;
    let shown = found.into_iter().map(|it| OutsideMudDay {
        day: it.day.into(),
        by_devices: it.by_devices,
        by_owner: it.by_owner,
    });
    Ok(Json(shown.collect()))
}

fn outside_of(it: MudOutside) -> OutsideMud {
    OutsideMud {
        connection: it.connection,
        told_by: it.told_by.name().to_owned(),
        times: it.times,
        first: it.first_at.into(),
        last: it.last_at.into(),
        version: it.version,
        now: it.now.name().to_owned(),
        allowed_by: it.allowed_by,
    }
}

fn line(text: Option<&str>) -> Result<Option<(OrganisationId, ProductId)>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let read = || {
        let (maker, product) = text.split_once('/')?;
        Some((maker.parse().ok()?, product.parse().ok()?))
    };
    read().map(Some).ok_or_else(|| {
        Fault::new(Code::Malformed)
            .detail("a product line is written MAKER/PRODUCT")
            .hint("such as maker-a/gate")
    })
}

fn version(view: MudView) -> MudVersion {
    let (signer, signer_until) = view.signer.unzip();
    MudVersion {
        version: view.version,
        digest: view.digest.map(Digest),
        length: view.length,
        signer,
        signer_until: signer_until.map(Into::into),
        reason: view.reason,
        by: view.made_by,
        at: view.made_at.into(),
    }
}

fn file(found: service::MudFile, language: Language) -> MudFile {
    let (served_at, signature_served_at) = found.urls.unzip();
    MudFile {
        version: version(found.view),
        allows: match language {
            Language::Ja => found.mud.japanese(),
            Language::En => found.mud.english(),
        },
        mud_url: found.mud.url,
        mud_signature: found.mud.signature,
        served_at,
        signature_served_at: signature_served_at.filter(|_| found.signature.is_some()),
        file: Base64(found.file),
        signature: found.signature.map(Base64),
        anchors: found.anchors,
    }
}
