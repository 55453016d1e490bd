//! The page behind a printed code (TR-5), for a buyer with a phone: no sign-in, no script, no
//! cookies. docs/public-page.md says what it tells and what it cannot.

mod digital_link;
mod mud;
mod view;

use crate::{Console, Failure, Frame, Section, Visit, i18n::Locale};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use device::{Gtin, IdError, ManagementNumber};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use service::{CameFrom, PublicPassport, PublicVisitor};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Every look-up takes at least this long, found or not: how long it took tells nothing.
const ANSWER_TIME: Duration = Duration::from_millis(40);
/// How long a browser may keep an answer, in seconds. No shared cache may: it would hide look-ups.
const KEPT: &str = "private, max-age=60";
/// Longest number that is read, in bytes.
const TYPED_BYTES_MAX: usize = 100;

/// What programs read, beside the pages.
pub(super) fn files() -> Router<Console> {
    mud::router()
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/p", get(form))
        .route("/p/", get(form))
        .route("/p/{number}", get(page))
        .merge(digital_link::router())
}

#[derive(Deserialize)]
struct Typed {
    number: Option<String>,
}

/// The form to type a number.
async fn form(visit: Visit, Query(typed): Query<Typed>) -> Response {
    let typed = typed.number.unwrap_or_default();
    if typed.trim().is_empty() {
        return form_page(&visit, StatusCode::OK, "", None);
    }
    match read(&typed) {
        Ok(number) => see_other(&format!("/p/{number}{}", language(&visit))),
        Err(error) => form_page(&visit, StatusCode::BAD_REQUEST, &typed, Some(&error)),
    }
}

async fn page(
    State(console): State<Console>,
    visit: Visit,
    method: Method,
    headers: HeaderMap,
    Path(typed): Path<String>,
) -> Result<Response, Failure> {
    let number = match read(&typed) {
        Ok(number) => number,
        // Caught by the check character: nothing is looked up, and nothing is charged.
        Err(error) => {
            return Ok(form_page(&visit, StatusCode::BAD_REQUEST, &typed, Some(&error)));
        }
    };
    if number.to_string() != typed {
        return Ok(moved(&format!("/p/{number}{}", language(&visit))));
    }
    let counts = method == Method::GET && !is_guess(&headers);
    let found = look_up(&console, &visit, &number, None, counts).await?;
    let response = match found {
        Some(passport) => visit.page(&view::PassportPage::new(&visit, &passport)),
        None => {
            let frame = visit.frame(Section::None, visit.t.text("public-unknown-title"));
            let unknown = UnknownPage { t: visit.t, frame, number: view::grouped(&number) };
            visit.page_with(StatusCode::NOT_FOUND, &unknown)
        }
    };
    Ok(cached(response, &headers).await)
}

/// Looks a number up, in the same time whether it is there or not.
async fn look_up(
    console: &Console,
    visit: &Visit,
    number: &ManagementNumber,
    gtin: Option<Gtin>,
    counts: bool,
) -> Result<Option<Arc<PublicPassport>>, Failure> {
    let done = Instant::now() + ANSWER_TIME;
    let visitor = visitor(console, visit, counts);
    let found = console.service.public_passport(number, gtin, &visitor).await;
    sleep_until(done).await;
    Ok(found?)
}

fn visitor(console: &Console, visit: &Visit, counts: bool) -> PublicVisitor {
    // Without a source all visitors are one: the limit holds all the more.
    let unknown = || CameFrom::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    console.service.visitor(&visit.source.unwrap_or_else(unknown), counts)
}

/// Whether a browser only guesses that somebody might follow a link (Sec-Purpose: prefetch).
fn is_guess(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].into_iter().any(|name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.contains("prefetch") || value.contains("preview"))
    })
}

fn read(typed: &str) -> Result<ManagementNumber, IdError> {
    if typed.len() > TYPED_BYTES_MAX {
        return Err(IdError::ManagementNumber);
    }
    ManagementNumber::from_typed(typed.trim())
}

fn form_page(visit: &Visit, status: StatusCode, typed: &str, error: Option<&IdError>) -> Response {
    let t = visit.t;
    let error = error.map(|error| match error {
        IdError::CheckCharacter => t.text("public-form-slip").to_string(),
        _ => t.text("public-form-shape").to_string(),
    });
    let frame = visit.frame(Section::None, t.text("public-form-title"));
    let typed = typed.chars().take(TYPED_BYTES_MAX).collect();
    visit.page_with(status, &FormPage { t, frame, typed, error })
}

/// `?lang=` of this request, to be kept over a redirect.
fn language(visit: &Visit) -> &'static str {
    let query = visit.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let known = |pair: &str| match pair {
        "lang=ja" => Some("?lang=ja"),
        "lang=en" => Some("?lang=en"),
        _ => None,
    };
    query.split('&').find_map(known).unwrap_or_default()
}

fn to(status: StatusCode, location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (status, [(header::LOCATION, location)]).into_response(),
        Err(_) => Failure::internal().into_response(),
    }
}

fn see_other(location: &str) -> Response {
    to(StatusCode::SEE_OTHER, location)
}

fn moved(location: &str) -> Response {
    to(StatusCode::PERMANENT_REDIRECT, location)
}

/// An answer with its tag, or 304 where the browser has it (RFC 9110 section 13.1.2).
async fn cached(response: Response, headers: &HeaderMap) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, 1 << 20).await else {
        return Failure::internal().into_response();
    };
    let digest = hex::encode(crypto::sha256(&bytes).as_bytes());
    let tag = format!("\"{}\"", digest.get(..32).unwrap_or(&digest));
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    let known =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let same = known
        .flat_map(|value| value.split(','))
        .any(|given| given.trim().trim_start_matches("W/") == tag);
    if same && parts.status == StatusCode::OK {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, axum::body::Body::empty());
    }
    Response::from_parts(parts, axum::body::Body::from(bytes))
}

#[derive(Template)]
#[template(path = "public/form.html")]
struct FormPage {
    t: Locale,
    frame: Frame,
    typed: String,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "public/unknown.html")]
struct UnknownPage {
    t: Locale,
    frame: Frame,
    number: String,
}
