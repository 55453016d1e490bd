//! The one place where errors become REST answers: problem documents (RFC 9457).

use crate::body::BodyError;
use api::problem::{Code, MEDIA_TYPE, Problem};
use axum::response::{IntoResponse, Response};
use device::Language;
use http::{HeaderValue, StatusCode, header};
use service::{ErrorKind, ServiceError};

/// A refusal on its way out. It becomes a document in the caller's language at the very end
/// ([`render`]), where the request's language is known.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    code: Code,
    /// The domain's own, finer word.
    word: Option<&'static str>,
    detail: Option<String>,
    /// The same in Japanese, where the domain says it so.
    detail_ja: Option<String>,
    hint: Option<String>,
    /// The request that waits for a second person.
    approval: Option<Box<service::ApprovalId>>,
    retry_after_s: Option<u64>,
}

impl Fault {
    pub(crate) fn new(code: Code) -> Self {
        Self {
            code,
            word: None,
            detail: None,
            detail_ja: None,
            hint: None,
            approval: None,
            retry_after_s: None,
        }
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn retry_after(mut self, time: std::time::Duration) -> Self {
        self.retry_after_s = Some(time.as_secs().saturating_add(1));
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.code.status()
    }

    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_s
    }

    /// A parameter of the path or the query that is not what it should be.
    pub(crate) fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidParameter).detail(format!("{name}: {why}"))
    }

    /// A field of the body that is not what it should be.
    pub(crate) fn field(name: &str, why: impl std::fmt::Display) -> Self {
        Self::new(Code::Malformed).detail(format!("{name}: {why}"))
    }

    pub(crate) fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// The problem document.
    pub(crate) fn problem(&self, language: Language) -> Problem {
        let mut problem = Problem::new(self.code, language);
        if let Some(word) = self.word {
            word.clone_into(&mut problem.code);
            problem.kind = format!("urn:tegata:problem:{word}");
        }
        problem.detail = match language {
            Language::Ja => self.detail_ja.as_ref().or(self.detail.as_ref()).cloned(),
            Language::En => self.detail.clone(),
        };
        problem.hint.clone_from(&self.hint);
        problem.approval = self.approval.as_ref().map(ToString::to_string);
        problem
    }
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Self {
        let code = match error.kind() {
            ErrorKind::Malformed => Code::Malformed,
            ErrorKind::Unauthenticated => Code::Unauthenticated,
            ErrorKind::Forbidden => Code::Forbidden,
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::Refused => Code::Refused,
            ErrorKind::Conflict => Code::Conflict,
            ErrorKind::TooMany => Code::TooManyRequests,
            ErrorKind::Unavailable => Code::Unavailable,
            ErrorKind::Fatal => Code::Internal,
        };
        let mut fault = Self::new(code);
        if code == Code::Internal {
            // Causes of our own failures are for the log, not for the caller (GW-3).
            tracing::error!(%error, "a use case failed");
            return fault;
        }
        fault.word = Some(error.code());
        fault.approval = error.approval().map(Box::new);
        fault.detail = Some(error.to_string());
        fault.detail_ja = error.problem().message_ja.as_deref().map(str::to_owned);
        fault.retry_after_s = error.retry_after_s();
        fault
    }
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(most) => {
                Self::new(Code::TooLarge).detail(format!("the limit here is {most} bytes"))
            }
            BodyError::Slow => Self::new(Code::TooSlow),
            BodyError::Broken => Self::new(Code::Malformed).detail("the body did not arrive whole"),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the document of `fault`.
pub(crate) fn render(fault: &Fault, language: Language) -> Response {
    let body = serde_json::to_vec(&fault.problem(language)).unwrap_or_default();
    let mut response = (fault.status(), body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let tag = match language {
        Language::Ja => "ja",
        Language::En => "en",
    };
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(tag));
    if let Some(seconds) = fault.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if fault.status() == StatusCode::UNAUTHORIZED {
        // RFC 9110 section 11.6.1 wants a challenge; tokens are one of the two ways in.
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
