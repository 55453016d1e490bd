//! What is shown when something does not work: the one place where errors become pages.

use crate::{Frame, Section, Visit, i18n::Locale};
use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use device::Language;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use service::{ErrorKind, ServiceError};
use std::time::Duration;

/// The service's word for an act that wants a passkey shown lately.
const REAUTHENTICATE: &str = "reauthenticate";

/// What went wrong, as people are told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// what was sent cannot be read
    BadRequest,
    /// known, and may not
    Forbidden,
    /// not there, or not the visitor's to see
    NotFound,
    /// true a moment ago, or against the rules
    Conflict,
    /// too often, too much
    TooMany,
    /// not now
    Unavailable,
    /// our fault
    Internal,
}

impl FailureKind {
    /// Its word in keys of texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::TooMany => "too-many",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// Why a request was not answered with its page. A handler returns it, and it becomes a page in the
/// visitor's language.
#[derive(Debug, Clone)]
pub struct Failure {
    kind: FailureKind,
    status: StatusCode,
    detail: Detail,
    way_out: WayOut,
    retry_after_s: Option<u64>,
}

/// What is said beyond the kind.
#[derive(Debug, Clone, Default)]
struct Detail {
    en: Option<String>,
    ja: Option<String>,
    code: Option<&'static str>,
}

#[derive(Debug, Clone)]
enum WayOut {
    /// an error page
    Page,
    /// sign in, then come back; through a page of ours where the visitor comes from another site
    SignIn { to: String, through_page: bool },
    /// show the passkey again, then come back
    Reauthenticate { to: Option<String> },
}

impl Failure {
    fn new(kind: FailureKind, status: StatusCode) -> Self {
        let way_out = WayOut::Page;
        Self { kind, status, detail: Detail::default(), way_out, retry_after_s: None }
    }

    /// What was sent cannot be read.
    pub fn bad_request() -> Self {
        Self::new(FailureKind::BadRequest, StatusCode::BAD_REQUEST)
    }

    /// The visitor may not.
    pub fn forbidden() -> Self {
        Self::new(FailureKind::Forbidden, StatusCode::FORBIDDEN)
    }

    /// Nothing is there for this visitor.
    pub fn not_found() -> Self {
        Self::new(FailureKind::NotFound, StatusCode::NOT_FOUND)
    }

    /// The page is there, but not for this method.
    pub fn method_not_allowed() -> Self {
        Self::new(FailureKind::BadRequest, StatusCode::METHOD_NOT_ALLOWED)
    }

    /// More was sent than is taken.
    pub fn too_large() -> Self {
        Self::new(FailureKind::TooMany, StatusCode::PAYLOAD_TOO_LARGE)
    }

    /// Not now: something that it needs is not there.
    pub fn unavailable() -> Self {
        Self::new(FailureKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE)
    }

    /// Our own fault; the log says more.
    pub fn internal() -> Self {
        Self::new(FailureKind::Internal, StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Sends the visitor to sign in, and back to `to` after it.
    pub(crate) fn sign_in(to: &str, through_page: bool) -> Self {
        let way_out = WayOut::SignIn { to: to.to_owned(), through_page };
        Self { way_out, ..Self::new(FailureKind::Forbidden, StatusCode::SEE_OTHER) }
    }

    /// Sends the visitor to show a passkey again, and back to `to` after it: for sensitive acts.
    pub fn reauthenticate(to: &str) -> Self {
        let way_out = WayOut::Reauthenticate { to: Some(to.to_owned()) };
        Self { way_out, ..Self::new(FailureKind::Forbidden, StatusCode::SEE_OTHER) }
    }

    /// A form that does not come from a page of ours, or from one of a session that ended.
    pub(crate) fn foreign_form() -> Self {
        Self::forbidden().saying(
            "this form does not belong to your present session; go back, load the page again and repeat",
            "このフォームは現在のセッションのものではありません。前のページに戻り、再読み込みしてからやり直してください",
        )
    }

    /// Reached under a foreign host name.
    /// True a moment ago: look again and repeat.
    pub(crate) fn conflict() -> Self {
        Self::new(FailureKind::Conflict, StatusCode::CONFLICT)
    }

    pub(crate) fn misdirected(origin: &str) -> Self {
        let failure = Self::new(FailureKind::BadRequest, StatusCode::MISDIRECTED_REQUEST);
        failure.saying(
            &format!("the console is at {origin}; open that address"),
            &format!("コンソールのアドレスは {origin} です。このアドレスを開いてください"),
        )
    }

    /// With a sentence in both languages.
    #[must_use]
    pub fn saying(mut self, en: &str, ja: &str) -> Self {
        self.detail.en = Some(en.to_owned());
        self.detail.ja = Some(ja.to_owned());
        self
    }

    /// What kind it is.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The page in the layout, and when to ask again.
    pub(crate) fn page(&self, visit: &Visit) -> Response {
        let mut response = self.body(visit);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn body(&self, visit: &Visit) -> Response {
        if visit.json {
            return self.document(visit);
        }
        match &self.way_out {
            WayOut::Page => {}
            WayOut::SignIn { to, through_page: false } => {
                return visit.go(&with_return("/sign-in", to));
            }
            WayOut::SignIn { to, through_page: true } => {
                return onward(visit, &with_return("/sign-in", to));
            }
            WayOut::Reauthenticate { to } => {
                // Back to the page with the form; the form's own address answers nobody who asks.
                let to = to.as_deref().or(visit.from.as_deref()).unwrap_or("/");
                return visit.go(&with_return("/confirm", to));
            }
        }
        let title = visit.t.word("error-title", self.kind.name());
        let page = ErrorPage {
            t: visit.t,
            frame: visit.frame(Section::None, title),
            hint: visit.t.word("error-hint", self.kind.name()).to_string(),
            detail: self.detail(visit.t.language),
            code: self.detail.code,
            status: self.status.as_u16(),
        };
        visit.page_with(self.status, &page)
    }

    /// The page where nothing is known of the visitor: both languages, no layout.
    pub(crate) fn plain(&self) -> Response {
        let page = PlainPage {
            languages: Language::ALL
                .iter()
                .map(|language| {
                    let t = Locale::new(*language);
                    Plain {
                        tag: t.tag(),
                        title: t.word("error-title", self.kind.name()).to_string(),
                        hint: self
                            .detail(*language)
                            .unwrap_or_else(|| t.word("error-hint", self.kind.name()).to_string()),
                    }
                })
                .collect(),
            assets: crate::assets::Assets,
        };
        match page.render() {
            Ok(html) => (self.status, Html(html)).into_response(),
            Err(_) => self.status.into_response(),
        }
    }

    /// For a script of ours: one sentence.
    fn document(&self, visit: &Visit) -> Response {
        let t = visit.t;
        let message = self
            .detail(t.language)
            .unwrap_or_else(|| t.word("error-hint", self.kind.name()).to_string());
        let status = match self.status {
            StatusCode::SEE_OTHER => StatusCode::FORBIDDEN,
            status => status,
        };
        let media_type = HeaderValue::from_static("application/json");
        let body = serde_json::json!({ "message": message }).to_string();
        (status, [(header::CONTENT_TYPE, media_type)], body).into_response()
    }

    fn detail(&self, language: Language) -> Option<String> {
        match language {
            Language::En => self.detail.en.clone(),
            Language::Ja => self.detail.ja.clone().or_else(|| self.detail.en.clone()),
        }
        .map(|text| sentence(&text, language))
    }
}

/// A problem's message in a language, as a sentence.
pub(crate) fn said(language: Language, problem: &service::Problem) -> String {
    match (language, &problem.message_ja) {
        (Language::Ja, Some(ja)) => sentence(ja, language),
        _ => sentence(&problem.message, language),
    }
}

/// An error's message, as a sentence: messages of errors begin small and end without a stop.
pub(crate) fn sentence(message: &str, language: Language) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    let mut text: String = first.chain(characters).collect();
    if !text.ends_with(['.', '。', '!', '?']) {
        text.push(if language == Language::Ja && !text.is_ascii() { '。' } else { '.' });
    }
    text
}

fn with_return(path: &str, to: &str) -> String {
    match serde_html_form::to_string([("to", to)]) {
        Ok(query) if to != "/" => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// A refusal by the server's limits, before any page was asked: 429, 503 and their like.
pub fn refusal(status: StatusCode, retry_after: Option<Duration>) -> Response {
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => FailureKind::TooMany,
        StatusCode::SERVICE_UNAVAILABLE => FailureKind::Unavailable,
        status if status.is_client_error() => FailureKind::BadRequest,
        _ => FailureKind::Internal,
    };
    let mut response = Failure::new(kind, status).plain();
    if let Some(wait) = retry_after {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response.headers_mut().extend(HeaderMap::from_iter([(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(crate::security::CONTENT_SECURITY_POLICY),
    )]));
    response
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let mut failure = match error.kind() {
            ErrorKind::Malformed => Self::bad_request(),
            ErrorKind::Forbidden if error.code() == REAUTHENTICATE => Self {
                way_out: WayOut::Reauthenticate { to: None },
                ..Self::new(FailureKind::Forbidden, StatusCode::SEE_OTHER)
            },
            ErrorKind::Unauthenticated | ErrorKind::Forbidden => Self::forbidden(),
            ErrorKind::NotFound => Self::not_found(),
            ErrorKind::Refused | ErrorKind::Conflict => {
                Self::new(FailureKind::Conflict, StatusCode::CONFLICT)
            }
            ErrorKind::TooMany => Self::new(FailureKind::TooMany, StatusCode::TOO_MANY_REQUESTS),
            ErrorKind::Unavailable => {
                Self::new(FailureKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE)
            }
            ErrorKind::Fatal => {
                tracing::error!(%error, "a page met a failure of the service");
                return Self::internal();
            }
        };
        failure.retry_after_s = error.retry_after_s();
        // What is not found says no more than that: the hint of the page is enough.
        if failure.kind == FailureKind::NotFound && error.code() == "not-found" {
            failure.detail.code = Some(error.code());
            return failure;
        }
        failure.detail = Detail {
            en: Some(error.problem().message.to_string()),
            ja: error.message_ja().map(str::to_owned),
            code: Some(error.code()),
        };
        failure
    }
}

/// Becomes a page in `visit::accompany`, which knows the visitor.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A page that goes on by itself.
pub(crate) fn onward(visit: &Visit, to: &str) -> Response {
    visit.page(&Onward { t: visit.t, to: to.to_owned() })
}

#[derive(Template)]
#[template(path = "error/page.html")]
struct ErrorPage {
    t: Locale,
    frame: Frame,
    hint: String,
    detail: Option<String>,
    code: Option<&'static str>,
    status: u16,
}

#[derive(Template)]
#[template(path = "error/plain.html")]
struct PlainPage {
    languages: Vec<Plain>,
    assets: crate::assets::Assets,
}

struct Plain {
    tag: &'static str,
    title: String,
    hint: String,
}

#[derive(Template)]
#[template(path = "error/onward.html")]
struct Onward {
    t: Locale,
    to: String,
}
