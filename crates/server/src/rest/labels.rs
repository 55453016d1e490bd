//! What buyers are told of a product line, labels of devices, look-ups of their numbers.

use super::{
    extract::{Json, JsonBody, Path, Query, counted, page},
    problem::Fault,
    view,
};
use crate::{app::App, authenticated::Authenticated, limit::body};
use api::{
    problem::Code,
    wire::{
        LabelCode, LabelLink, LabelQuery, LabelSheets, Page, PageQuery, PictureForm, ProductChange,
        ProductPublic, ScanAlarm, Scans, SheetForm,
        scalar::{Binary, DeviceRef, OrganisationRef, ProductRef},
    },
};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use console::label::{self, CodeKind, Label, LabelError, Layout, LinkForm, Sheet, Symbol};
use device::DeviceId;
use http::{HeaderValue, header};
use service::LabelFacts;

/// What buyers are told of a product line
#[utoipa::path(get, path = "/v1/organisations/{organisation}/products/{product}/public",
    tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    responses((status = 200, body = ProductPublic)))]
pub(super) async fn public(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
) -> Result<Json<ProductPublic>, Fault> {
    let support = app.service.product(&caller, &organisation.0, &product.0).await?.support_end;
    let found = app.service.product_public(&caller, &organisation.0, &product.0).await?;
    Ok(Json(view::product_public(support, found)))
}

/// Changes what buyers are told of a product line
///
/// What is absent stays, what is null goes. The audit chain keeps old and new values.
#[utoipa::path(patch, path = "/v1/organisations/{organisation}/products/{product}/public",
    tag = "products",
    params(("organisation" = OrganisationRef, Path), ("product" = ProductRef, Path)),
    request_body = ProductChange, responses((status = 200, body = ProductPublic)))]
pub(super) async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, product)): Path<(OrganisationRef, ProductRef)>,
    JsonBody(change): JsonBody<ProductChange, { body::SMALL }>,
) -> Result<Json<ProductPublic>, Fault> {
    let change = domain(change)?;
    let (organisation, product) = (organisation.0, product.0);
    let (view, public) =
        app.service.change_product(&caller, &organisation, &product, change).await?;
    Ok(Json(view::product_public(view.support_end, public)))
}

fn domain(change: ProductChange) -> Result<service::ProductChange, Fault> {
    let gtin = match change.gtin {
        Some(Some(gtin)) => Some(Some(gtin.parse().map_err(|why| Fault::field("gtin", why))?)),
        Some(None) => Some(None),
        None => None,
    };
    let labels = change.labels.map(|labels| {
        let label = |label: api::wire::SecurityLabel| {
            let scheme = label.scheme.parse().map_err(|why| Fault::field("labels", why))?;
            Ok::<_, Fault>(service::SecurityLabel {
                scheme,
                level: label.level,
                number: label.number,
                url: label.url,
                valid_until: label.valid_until.map(|time| time.0),
            })
        };
        labels.into_iter().map(label).collect()
    });
    Ok(service::ProductChange {
        support_end: change.support_end.map(|end| end.map(|time| time.0)),
        gtin,
        name_ja: change.name_ja,
        name_en: change.name_en,
        contact_url: change.contact_url,
        firmware: change.firmware.map(|firmware| {
            firmware.map(|firmware| service::Firmware {
                version: firmware.version,
                digest: firmware.digest.map(|digest| digest.0),
            })
        }),
        labels: labels.transpose()?,
    })
}

/// The code of a device, as a picture to be printed
#[utoipa::path(get, path = "/v1/devices/{device}/label", tag = "devices",
    params(("device" = DeviceRef, Path), LabelQuery),
    responses((status = 200, content(
        (Binary = "image/svg+xml"), (Binary = "image/png")))))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
    Query(query): Query<LabelQuery>,
) -> Result<Response, Fault> {
    let module = module(query.module_um)?.unwrap_or(0.5);
    let pixels = query.pixels.unwrap_or(8);
    if !(1..=40).contains(&pixels) {
        return Err(Fault::parameter("pixels", "from 1 to 40"));
    }
    let facts = app.service.label_facts(&caller, &[device.0]).await?;
    let facts = facts.first().ok_or_else(Fault::not_found)?;
    let symbol =
        Symbol::encode(kind(query.code), &link(&app, query.link, facts)?).map_err(refused)?;
    Ok(match query.format {
        PictureForm::Svg => answer("image/svg+xml", symbol.svg(module).into_bytes()),
        PictureForm::Png => answer("image/png", symbol.png(pixels, module).map_err(refused)?),
    })
}

/// Sheets of labels for many devices
#[utoipa::path(post, path = "/v1/label-sheets", tag = "devices", request_body = LabelSheets,
    responses((status = 200, content(
        (Binary = "application/pdf"), (Binary = "image/svg+xml")))))]
pub(super) async fn sheets(
    State(app): State<App>,
    caller: Authenticated,
    JsonBody(wanted): JsonBody<LabelSheets, { body::EVENT }>,
) -> Result<Response, Fault> {
    counted("devices", wanted.devices.len())?;
    let layout = Layout {
        sheet: Sheet::find(&wanted.sheet).map_err(|why| Fault::field("sheet", why))?,
        code: kind(wanted.code),
        module_mm: module(wanted.module_um)?,
        skip: usize::try_from(wanted.skip).unwrap_or(usize::MAX),
    };
    let devices: Vec<DeviceId> = wanted.devices.iter().map(|device| device.0).collect();
    let facts = app.service.label_facts(&caller, &devices).await?;
    let labels = facts.iter().map(|facts| {
        Ok(Label {
            link: link(&app, wanted.link, facts)?,
            number: facts.number,
            model: facts.model.clone(),
            line: wanted.text.clone(),
        })
    });
    let labels: Vec<Label> = labels.collect::<Result<_, Fault>>()?;
    let format = wanted.format;
    // A thousand codes are a second's work: not on a thread that serves others.
    let drawn = tokio::task::spawn_blocking(move || match format {
        SheetForm::Pdf => label::pdf(&labels, &layout).map(|pdf| ("application/pdf", pdf)),
        SheetForm::Svg => {
            label::svg(&labels, &layout).map(|svg| ("image/svg+xml", svg.into_bytes()))
        }
    });
    let drawn = drawn.await.map_err(|_| Fault::new(Code::Internal))?;
    let (media_type, bytes) = drawn.map_err(refused)?;
    Ok(answer(media_type, bytes))
}

/// What look-ups of a device's number add up to
#[utoipa::path(get, path = "/v1/devices/{device}/scans", tag = "devices",
    params(("device" = DeviceRef, Path)), responses((status = 200, body = Scans)))]
pub(super) async fn scans(
    State(app): State<App>,
    caller: Authenticated,
    Path(device): Path<DeviceRef>,
) -> Result<Json<Scans>, Fault> {
    Ok(Json(view::scans(&app.service.scans(&caller, &device.0).await?)))
}

/// Devices of an organisation whose look-ups need attention
#[utoipa::path(get, path = "/v1/organisations/{organisation}/scan-alarms", tag = "devices",
    params(("organisation" = OrganisationRef, Path), PageQuery),
    responses((status = 200, body = Page<ScanAlarm>)))]
pub(super) async fn alarms(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ScanAlarm>>, Fault> {
    let page = page(query.after, query.limit)?;
    let found = app.service.scan_alarms(&caller, &organisation.0, &page).await?;
    Ok(Json(view::paged(found, |alarm| view::scan_alarm(&alarm))))
}

fn module(micrometres: Option<u32>) -> Result<Option<f32>, Fault> {
    let Some(micrometres) = micrometres else { return Ok(None) };
    if !(250..=2000).contains(&micrometres) {
        return Err(Fault::field("module_um", "from 250 to 2000"));
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 2000")]
    let millimetres = micrometres as f32 / 1000.0;
    Ok(Some(millimetres))
}

fn kind(code: LabelCode) -> CodeKind {
    match code {
        LabelCode::Qr => CodeKind::Qr,
        LabelCode::DataMatrix => CodeKind::DataMatrix,
    }
}

fn link(app: &App, form: LabelLink, facts: &LabelFacts) -> Result<String, Fault> {
    let form = match form {
        LabelLink::Best => LinkForm::Best,
        LabelLink::Page => LinkForm::Page,
        LabelLink::Gs1 => LinkForm::Gs1,
    };
    let origin = app.console.get().ok_or_else(|| {
        Fault::new(Code::Refused)
            .detail("this server has no door for people, so that a code would lead nowhere")
            .hint("start it with --console, and with --console-url as people type it")
    })?;
    label::link(origin.as_str(), form, facts.gtin, facts.number).map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn refused(error: LabelError) -> Fault {
    Fault::new(Code::Refused).detail(error.to_string())
}

fn answer(media_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
