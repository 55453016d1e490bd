//! GS1 Digital Link: `/01/{gtin}/21/{serial}` leads to the page of the device, and lists what there
//! is about it as a link set (RFC 9264), as a GS1-conformant resolver does (GS1-Conformant Resolver
//! Standard 1.2).
//!
//! Divergences: one primary key (`01`) and the qualifiers 22, 10, 21; no compressed URIs; a GTIN
//! without a serial leads to the form, since what there is to say is about devices; the serial is
//! checked against the GTIN, and another product's is not found.

use super::{language, look_up, to};
use crate::{Console, Failure, Visit};
use axum::{
    Json, Router,
    extract::{Query, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use device::{DigitalLink, Gs1Error, ManagementNumber};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use service::PublicPassport;

/// Where GS1's link types are.
const VOCABULARY: &str = "https://gs1.org/voc/";
const LINKSET: &str = "application/linkset+json";
/// How the link set's JSON reads as linked data (resolver standard, section on JSON-LD).
const CONTEXT: &str = "<https://ref.gs1.org/standards/resolver/linkset-context>; \
                       rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\"";

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/01/{*path}", get(resolve))
        .route("/.well-known/gs1resolver", get(description))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(rename = "linkType")]
    link_type: Option<String>,
}

async fn resolve(
    State(console): State<Console>,
    visit: Visit,
    uri: Uri,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let link = DigitalLink::parse(uri.path()).map_err(|error| unreadable(&error))?;
    let Some(number) = link.number else {
        return Ok(open(to(StatusCode::TEMPORARY_REDIRECT, &format!("/p{}", language(&visit)))));
    };
    if link.path() != uri.path() {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let location = format!("{}{query}", link.path());
        return Ok(open(to(StatusCode::PERMANENT_REDIRECT, &location)));
    }
    // The page that this leads to counts as the look-up; this one does not.
    let gtin = Some(link.gtin);
    let passport =
        look_up(&console, &visit, &number, gtin, false).await?.ok_or_else(Failure::not_found)?;
    let wanted = wanted.link_type.as_deref();
    let as_set =
        matches!(wanted, Some("linkset" | "all")) || wanted.is_none() && prefers_set(&headers);
    let origin = console.origin.as_str();
    let response = if as_set {
        let mut response = Json(link_set(origin, &link, &number, &passport)).into_response();
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(LINKSET));
        fields.insert(header::LINK, HeaderValue::from_static(CONTEXT));
        response
    } else {
        let location = target(wanted, &number, &passport, &visit).ok_or_else(Failure::not_found)?;
        let mut response = to(StatusCode::TEMPORARY_REDIRECT, &location);
        let set = format!(
            "<{origin}{}?linkType=linkset>; rel=\"linkset\"; type=\"{LINKSET}\"",
            link.path()
        );
        if let Ok(set) = HeaderValue::from_str(&set) {
            response.headers_mut().insert(header::LINK, set);
        }
        response
    };
    Ok(open(response))
}

fn unreadable(error: &Gs1Error) -> Failure {
    let ja = match error {
        Gs1Error::CheckDigit(_) => {
            "GTINの検査数字が合いません。数字の打ち間違いか、入れ違いがあります"
        }
        _ => "GS1デジタルリンクとして読み取れません。ラベルのコードをもう一度読み取ってください",
    };
    Failure::bad_request().saying(&error.to_string(), ja)
}

/// Where a link type leads; `None` for what there is not.
fn target(
    wanted: Option<&str>,
    number: &ManagementNumber,
    passport: &PublicPassport,
    visit: &Visit,
) -> Option<String> {
    let name = wanted.map(|wanted| {
        wanted.strip_prefix("gs1:").or_else(|| wanted.strip_prefix(VOCABULARY)).unwrap_or(wanted)
    });
    match name {
        None | Some("defaultLink" | "pip" | "verificationService") => {
            Some(format!("/p/{number}{}", language(visit)))
        }
        Some("support") => passport.public.contact_url.clone(),
        Some("certificationInfo") => {
            passport.public.labels.iter().find_map(|label| label.url.clone())
        }
        Some(_) => None,
    }
}

/// Whether a program asks, for the link set; browsers name `text/html` first.
fn prefers_set(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| {
        let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let first = kinds.clone().find(|kind| *kind == "text/html" || *kind == LINKSET);
        first == Some(LINKSET)
    })
}

fn link_set(
    origin: &str,
    link: &DigitalLink,
    number: &ManagementNumber,
    passport: &PublicPassport,
) -> Value {
    let page = format!("{origin}/p/{number}");
    let title = passport.product.clone().unwrap_or_else(|| passport.maker.clone());
    let here = json!([{
        "href": page, "title": title, "type": "text/html", "hreflang": ["en", "ja"],
    }]);
    let mut set = Map::new();
    set.insert("anchor".into(), json!(format!("{origin}{}", link.path())));
    set.insert("itemDescription".into(), json!(title));
    for kind in ["defaultLink", "pip", "verificationService"] {
        set.insert(format!("{VOCABULARY}{kind}"), here.clone());
    }
    if let Some(url) = &passport.public.contact_url {
        set.insert(format!("{VOCABULARY}support"), json!([{"href": url, "title": passport.maker}]));
    }
    let labels: Vec<Value> = passport
        .public
        .labels
        .iter()
        .filter_map(|label| {
            let url = label.url.as_ref()?;
            Some(json!({"href": url, "title": label.scheme.title()}))
        })
        .collect();
    if !labels.is_empty() {
        set.insert(format!("{VOCABULARY}certificationInfo"), Value::Array(labels));
    }
    json!({"linkset": [set]})
}

/// What this resolver can do (resolver standard, section "Resolver description file").
async fn description(State(console): State<Console>) -> Response {
    let document = json!({
        "name": "Tegata",
        "resolverRoot": console.origin.as_str(),
        "supportedPrimaryKeys": ["01"],
        "linkTypeDefaultCanBeLinkset": false,
        "supportedLinkType": [{"namespace": VOCABULARY, "prefix": "gs1:"}],
    });
    open(Json(document).into_response())
}

/// Programs of any origin may ask (the standard demands CORS). What they get is public.
fn open(mut response: Response) -> Response {
    let fields = response.headers_mut();
    fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60"));
    response
}
