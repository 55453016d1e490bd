//! One request's context: who asks, in which language, from which page.

use crate::{
    Console, Failure, Frame, Section, SignedIn, Source, Theme,
    cookies::Cookie,
    failure,
    i18n::{Locale, Zone, family_has},
    security,
};
use askama::Template;
use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{Html, IntoResponse as _, Response},
};
use crypto::UnixTime;
use device::Language;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use policy::Caller;
use service::CameFrom;
use std::{ops::Deref, sync::Arc};

/// Longest path with query that is kept to come back to, in bytes: a page of devices that were
/// chosen one by one, with act, cause and reason.
const PATH_BYTES_MAX: usize = 8192;

/// One request's context; every handler can take one.
#[derive(Debug, Clone)]
pub struct Visit(Arc<Context>);

/// See [`Visit`].
#[derive(Debug)]
pub struct Context {
    /// how texts, numbers and times are written; `t` in templates
    pub t: Locale,
    /// the theme that was chosen
    pub theme: Option<Theme>,
    /// path and query of this request
    pub path: String,
    /// who signed in
    pub signed: Option<SignedIn>,
    /// what was just done, to be said once
    pub notice: Option<String>,
    /// where the request comes from
    pub source: Option<CameFrom>,
    /// whether htmx asks, for a part of the page
    pub htmx: bool,
    /// now
    pub now: UnixTime,
    /// what the browser says it is
    pub agent: String,
    /// the page of ours that it comes from
    pub from: Option<String>,
    /// whether a script asks, for a document instead of a page
    pub json: bool,
    pub(crate) ticket: Option<String>,
    pub(crate) secret: Option<String>,
    console: Console,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Console({})", self.origin)
    }
}

impl Deref for Visit {
    type Target = Context;
    fn deref(&self) -> &Context {
        &self.0
    }
}

impl Visit {
    /// What the layout shows around a page: its title, and which part of the navigation it is.
    pub fn frame(&self, section: Section, title: impl Into<String>) -> Frame {
        Frame::new(self, section, title.into())
    }

    /// Renders a page.
    pub fn page(&self, page: &impl Template) -> Response {
        self.page_with(StatusCode::OK, page)
    }

    /// Renders a page with a status of its own, as 422 for a form that cannot be taken.
    pub fn page_with(&self, status: StatusCode, page: &impl Template) -> Response {
        match page.render() {
            Ok(html) => {
                let language = HeaderValue::from_static(self.t.tag());
                let headers = [(header::CONTENT_LANGUAGE, language)];
                (status, headers, Html(html)).into_response()
            }
            Err(error) => {
                tracing::error!(%error, path = self.path, "a page cannot be rendered");
                Failure::internal().plain()
            }
        }
    }

    /// Goes to another page of ours (303 See Other), as after every form.
    pub fn go(&self, to: &str) -> Response {
        let to = local_path(to).unwrap_or("/");
        let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
        (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
    }

    /// The same, and the page there says what was done: a value of the family `notice`.
    pub fn done(&self, to: &str, notice: &str) -> Response {
        let mut response = self.go(to);
        self.notice_next(&mut response, notice);
        response
    }

    /// The page that comes next says what was done.
    pub(crate) fn notice_next(&self, response: &mut Response, notice: &str) {
        debug_assert!(family_has("notice", notice), "{notice} is no notice");
        self.put(response, Cookie::Notice, notice);
    }

    /// Goes to another page of ours through a page, which strict cookies come along from.
    pub(crate) fn onward(&self, to: &str) -> Response {
        failure::onward(self, to)
    }

    /// The token that this session's forms carry; empty where nobody is signed in.
    pub fn token(&self) -> String {
        self.secret.as_deref().map(security::token).unwrap_or_default()
    }

    pub(crate) fn put(&self, response: &mut Response, cookie: Cookie, value: &str) {
        if let Some(value) = cookie.set(&self.console.origin, value) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }

    pub(crate) fn clear(&self, response: &mut Response, cookie: Cookie) {
        if let Some(value) = cookie.clear(&self.console.origin) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// A visitor who signed in. A handler that takes one cannot be reached otherwise.
#[derive(Debug, Clone)]
pub struct Member {
    /// the request's context
    pub visit: Visit,
    signed: SignedIn,
}

impl Member {
    /// What use cases are called as.
    pub fn caller(&self) -> &Caller {
        &self.signed.caller
    }

    /// Who signed in.
    pub fn signed(&self) -> &SignedIn {
        &self.signed
    }
}

impl Deref for Member {
    type Target = Visit;
    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Failure::internal)
    }
}

impl<S: Sync> FromRequestParts<S> for Member {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let visit = Visit::from_request_parts(parts, state).await?;
        match visit.signed.clone() {
            Some(signed) => Ok(Self { visit, signed }),
            None => {
                let to = if parts.method == Method::GET { visit.path.as_str() } else { "/" };
                // A cookie with SameSite=Strict does not come along from another site, and neither
                // through its redirects; it does from a page of ours.
                let from_elsewhere = text(&parts.headers, SEC_FETCH_SITE)
                    .is_some_and(|site| site == "cross-site" || site == "same-site");
                Err(Failure::sign_in(to, from_elsewhere && visit.secret.is_none()))
            }
        }
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");

/// Finds out who asks and how to answer; gives refusals their page.
pub(crate) async fn accompany(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let wanted = wanted_language(&parts);
    let visit = visit(&console, &parts, wanted).await;
    parts.extensions.insert(visit.clone());
    let parts_path = parts.uri.path().to_owned();
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = failure.page(&visit);
    }
    // The public page keeps no cookies; its links carry the language.
    if let Some(language) = wanted.filter(|_| !security::is_public(&parts_path)) {
        visit.put(&mut response, Cookie::Language, language.name());
    }
    // Said once: the page that says it forgets it. One that goes elsewhere may have set a new one.
    if response.status().is_success() && visit.notice.is_some() {
        visit.clear(&mut response, Cookie::Notice);
    }
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("Cookie, Accept-Language"));
    response
}

async fn visit(console: &Console, request: &Parts, wanted: Option<Language>) -> Visit {
    let headers = &request.headers;
    let cookie = |cookie: Cookie| cookie.read(&console.origin, headers);
    let secret = cookie(Cookie::Session);
    let signed = match &secret {
        Some(secret) => console.sessions.resume(secret).await,
        None => None,
    };
    let language = wanted
        .or_else(|| signed.as_ref().and_then(|signed| signed.language))
        .or_else(|| cookie(Cookie::Language).and_then(|tag| tag.parse().ok()))
        .unwrap_or_else(|| api::problem::language_of(headers));
    let theme = signed
        .as_ref()
        .and_then(|signed| signed.theme)
        .or_else(|| cookie(Cookie::Theme).as_deref().and_then(Theme::parse));
    let mut t = Locale::new(language);
    if let Some(zone) = cookie(Cookie::Zone).as_deref().and_then(Zone::parse) {
        t.zone = zone;
    }
    let path = request.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    let path = path.and_then(local_path).unwrap_or("/").to_owned();
    let notice = cookie(Cookie::Notice).filter(|notice| family_has("notice", notice));
    Visit(Arc::new(Context {
        t,
        theme,
        path,
        // A session that ended leaves a secret that is nobody's.
        secret: secret.filter(|_| signed.is_some()),
        signed,
        notice,
        source: request.extensions.get::<Source>().map(|source| source.0),
        htmx: headers.contains_key(HX_REQUEST),
        now: console.service.now(),
        agent: text(headers, header::USER_AGENT).unwrap_or_default().to_owned(),
        from: text(headers, header::REFERER)
            .and_then(|referrer| referrer.strip_prefix(console.origin.as_str()))
            .and_then(local_path)
            .map(str::to_owned),
        json: text(headers, header::ACCEPT) == Some("application/json"),
        ticket: cookie(Cookie::Ticket),
        console: console.clone(),
    }))
}

/// The language that a link asks for: `?lang=ja`. That of a report is the report's, not the reader's.
fn wanted_language(request: &Parts) -> Option<Language> {
    let path = request.uri.path();
    let reports = path.starts_with("/devices/") || path.starts_with("/diagnoses/");
    if reports && path.ends_with("/report") {
        return None;
    }
    let query = request.uri.query()?;
    query.split('&').find_map(|pair| pair.strip_prefix("lang=")).and_then(|tag| tag.parse().ok())
}

/// A path on this site: what is given to come back to may come from anybody.
pub(crate) fn local_path(text: &str) -> Option<&str> {
    let mut bytes = text.bytes();
    let local = bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && text.len() <= PATH_BYTES_MAX;
    local.then_some(text)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_this_site_only() {
        for path in ["/", "/devices?after=x&phase=in-use", "/devices/0123#history"] {
            assert_eq!(local_path(path), Some(path));
        }
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
        for path in [
            "",
            "devices",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "/a b",
            "/\\/evil",
            "/a\\b",
            "/あ",
            &long,
        ] {
            assert_eq!(local_path(path), None, "{path}");
        }
    }
}
