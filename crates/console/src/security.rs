//! The headers that go with every answer, and who may send us something.
//!
//! A form is taken only where the browser says that it comes from our own page (`Sec-Fetch-Site`,
//! else `Origin`), where the cookie is there (`SameSite=Strict`), and where it carries the session's
//! token (`token`): each of the three alone keeps other sites out.

use crate::{Console, Failure};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// What a page may load and do: only what is ours, nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'";

/// Features that pages need: passkeys, the clipboard; no others.
const PERMISSIONS_POLICY: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), \
    geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), \
    serial=(), usb=(), clipboard-write=(self), publickey-credentials-create=(self), \
    publickey-credentials-get=(self)";

static FIXED: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: with it, browsers send `Origin: null` with our own forms (Fetch standard,
    // "append a request Origin header"). To other sites nothing is sent either way.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
];

/// `Retry-After` of an answer that says "too many" or "not now" and not for how long, in seconds.
const BUSY_WAIT_S: HeaderValue = HeaderValue::from_static("10");

/// Paths that strangers reach under other host names, too: what a printed code points to.
const PUBLIC: &[&str] = &["/p/", "/01/", "/assets/", "/mud/"];

/// Whether a path is for strangers: nothing is remembered of them there.
pub(crate) fn is_public(path: &str) -> bool {
    path == "/p" || PUBLIC.iter().any(|prefix| path.starts_with(prefix))
}

/// Puts the headers on every answer; refuses other host names, and what other sites send.
pub(crate) async fn protect(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    // The one address that holds a secret says it to nobody, not even to our own pages.
    let secret = request.uri().path().starts_with("/invitation/");
    let mut response = match refused(&console, &request) {
        Some(failure) => failure.plain(),
        None => next.run(request).await,
    };
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    let busy = busy.contains(&response.status());
    let headers = response.headers_mut();
    if secret {
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    for (name, value) in &FIXED {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if busy {
        headers.entry(header::RETRY_AFTER).or_insert(BUSY_WAIT_S);
    }
    if console.origin.is_tls() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(year);
    }
    response
}

fn refused(console: &Console, request: &Request) -> Option<Failure> {
    let public = PUBLIC.iter().any(|prefix| request.uri().path().starts_with(prefix));
    // A foreign name that was made to point here (DNS rebinding) ends at this.
    if !public && !host_is_ours(console, request) {
        return Some(Failure::misdirected(console.origin.as_str()));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && !from_our_page(console, request.headers()) {
        return Some(Failure::foreign_form());
    }
    None
}

fn host_is_ours(console: &Console, request: &Request) -> bool {
    // HTTP/2 has it in the target (RFC 9113 section 8.3.1).
    let host = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => one(request.headers(), header::HOST),
    };
    let usual = if console.origin.is_tls() { ":443" } else { ":80" };
    host.map(|host| host.strip_suffix(usual).unwrap_or(host))
        .is_some_and(|host| host.eq_ignore_ascii_case(console.origin.authority()))
}

/// Whether the browser says that one of our own pages sends this.
fn from_our_page(console: &Console, headers: &HeaderMap) -> bool {
    let origin = one(headers, header::ORIGIN);
    if origin.is_some_and(|origin| origin != console.origin.as_str()) {
        return false;
    }
    match one(headers, HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == "same-origin",
        None => origin.is_some(),
    }
}

/// The value of a field that stands there once; an empty text where it cannot be one.
fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    match values.next() {
        None => Some(value.to_str().unwrap_or_default()),
        Some(_) => Some(""),
    }
}

/// The token in the forms of a session: a one-way function of its secret, so that it needs no store
/// and gives nothing away.
pub(crate) fn token(session_secret: &str) -> String {
    hex::encode(
        crypto::sha256_of(&[b"tegata/form-token/v1\0", session_secret.as_bytes()]).as_bytes(),
    )
}

/// Which ticket a page was made for, likewise: a link that is opened meanwhile, perhaps by somebody
/// else's page, brings another ticket, and what was begun must not go on with that.
pub(crate) fn ticket_mark(ticket: &str) -> String {
    hex::encode(crypto::sha256_of(&[b"tegata/ticket-mark/v1\0", ticket.as_bytes()]).as_bytes())
}

/// Whether a form's token is the session's.
pub(crate) fn token_is(session_secret: &str, given: &str) -> bool {
    crypto::constant_time_eq(token(session_secret).as_bytes(), given.as_bytes())
}
