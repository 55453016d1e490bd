//! Problem documents (RFC 9457): what a caller is told when something is refused.
//!
//! `code` is stable and meant for programs; `title` is Japanese or English as the caller's
//! `Accept-Language` asks; `hint` says what to do next. Nothing in them tells an attacker more than
//! the refusal itself (GW-3): internal causes stay in the server's log.

use device::Language;
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The language that `Accept-Language` (RFC 9110 section 12.5.4) prefers; English where it names
/// neither Japanese nor English.
pub fn language_of(headers: &HeaderMap) -> Language {
    let Some(value) = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok())
    else {
        return Language::En;
    };
    let mut best = (Language::En, 0.0_f32);
    for range in value.split(',').take(16) {
        let mut parts = range.trim().split(';');
        let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let language = match tag.split('-').next() {
            Some("ja") => Language::Ja,
            Some("en") => Language::En,
            _ => continue,
        };
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        if weight > best.1 {
            best = (language, weight);
        }
    }
    best.0
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident, $code:literal, $status:ident, $en:literal, $ja:literal;)+) => {
        /// What is wrong, in stable words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The status it is answered with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What it says to a person.
            pub fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::En) => $en,
                      (Self::$variant, Language::Ja) => $ja,)+
                }
            }
        }
    };
}

codes! {
    /// The request cannot be read.
    Malformed, "malformed-request", BAD_REQUEST,
        "The request cannot be read", "リクエストを読み取れません";
    /// A path or query parameter is not what it should be.
    InvalidParameter, "invalid-parameter", BAD_REQUEST,
        "A parameter is not valid", "パラメーターが正しくありません";
    /// Nobody is authenticated.
    Unauthenticated, "unauthenticated", UNAUTHORIZED,
        "Authentication is required", "認証が必要です";
    /// The certificate was revoked or suspended.
    CredentialRevoked, "credential-revoked", UNAUTHORIZED,
        "The credential is revoked or suspended", "証明書は失効または一時停止されています";
    /// The certificate's time is over or has not come.
    CredentialExpired, "credential-expired", UNAUTHORIZED,
        "The credential is outside its validity", "証明書は有効期間外です";
    /// The token is unknown, expired, revoked or bound to another certificate.
    TokenInvalid, "token-invalid", UNAUTHORIZED,
        "The token is not valid here", "トークンは無効です";
    /// The one-time code is unknown, used, expired or bound to another device.
    CodeInvalid, "code-invalid", UNAUTHORIZED,
        "The one-time code is not valid for this device", "ワンタイムコードはこの機器には無効です";
    /// The caller may not do this.
    Forbidden, "forbidden", FORBIDDEN,
        "The caller may not do this", "この操作は許可されていません";
    /// There is no such thing, or not for this caller.
    NotFound, "not-found", NOT_FOUND,
        "There is no such resource", "リソースが見つかりません";
    /// The resource knows other methods only.
    MethodNotAllowed, "method-not-allowed", METHOD_NOT_ALLOWED,
        "The method is not allowed here", "このメソッドは使用できません";
    /// No form that the caller accepts.
    NotAcceptable, "not-acceptable", NOT_ACCEPTABLE,
        "No acceptable representation", "要求された形式では提供できません";
    /// The request did not arrive in time.
    TooSlow, "request-timeout", REQUEST_TIMEOUT,
        "The request took too long to arrive", "リクエストの受信に時間がかかりすぎました";
    /// The state of things is in the way.
    Conflict, "conflict", CONFLICT,
        "The request conflicts with the present state", "現在の状態と矛盾しています";
    /// There is one of that name already.
    AlreadyExists, "already-exists", CONFLICT,
        "It exists already", "すでに存在します";
    /// The life cycle does not allow this move.
    IllegalMove, "illegal-move", CONFLICT,
        "The life cycle does not allow this move", "ライフサイクル上許可されない遷移です";
    /// The contents were erased on purpose.
    Erased, "erased", GONE,
        "The contents have been erased", "内容は消去されました";
    /// The body is longer than this route takes.
    TooLarge, "body-too-large", PAYLOAD_TOO_LARGE,
        "The request is too large", "リクエストが大きすぎます";
    /// The body is of another type.
    UnsupportedMediaType, "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE,
        "The media type is not supported here", "このメディアタイプには対応していません";
    /// Understood, and refused by a rule.
    Refused, "refused", UNPROCESSABLE_ENTITY,
        "The request is refused", "リクエストは拒否されました";
    /// A signature is wrong or its signer is not trusted for this.
    Untrusted, "untrusted", UNPROCESSABLE_ENTITY,
        "The signature is not trusted", "署名を信頼できません";
    /// More than the rate.
    TooManyRequests, "too-many-requests", TOO_MANY_REQUESTS,
        "Too many requests", "リクエストが多すぎます";
    /// A fault of ours.
    Internal, "internal-error", INTERNAL_SERVER_ERROR,
        "The server failed", "サーバー内部でエラーが発生しました";
    /// Busy, starting, stopping, or a part is away.
    Unavailable, "unavailable", SERVICE_UNAVAILABLE,
        "The service is not available at the moment", "現在サービスを利用できません";
}

/// A problem document (RFC 9457 section 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:tegata:problem:not-found",
    "title": "There is no such resource",
    "status": 404,
    "code": "not-found",
    "detail": "no such device",
    "hint": "check the identifier, and that your organisation owns it or has a share in it"
}))]
pub struct Problem {
    /// `urn:tegata:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:tegata:problem:[a-z-]+$")]
    pub kind: String,
    /// The code in words, Japanese or English as asked for.
    pub title: String,
    /// HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// Stable word for programs.
    #[schema(pattern = "^[a-z-]+$")]
    pub code: String,
    /// What exactly is wrong here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// The request that waits for a second person (`needs-second-person`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub approval: Option<String>,
}

impl Problem {
    /// A problem with its title in `language`.
    pub fn new(code: Code, language: Language) -> Self {
        Self {
            kind: format!("urn:tegata:problem:{}", code.as_str()),
            title: code.title(language).to_owned(),
            status: code.status().as_u16(),
            code: code.as_str().to_owned(),
            detail: None,
            hint: None,
            approval: None,
        }
    }

    /// Says what exactly is wrong.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, {})", self.title, self.status, self.code)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; hint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_follows_the_weights() {
        let check = |value: &str, expected| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
            assert_eq!(language_of(&headers), expected, "{value}");
        };
        check("ja", Language::Ja);
        check("ja-JP,ja;q=0.9,en;q=0.8", Language::Ja);
        check("en-US, ja;q=0.5", Language::En);
        check("en;q=0.1, ja;q=0.5", Language::Ja);
        check("fr, de;q=0.5", Language::En);
        check("ja;q=x", Language::En);
        assert_eq!(language_of(&HeaderMap::new()), Language::En);
    }

    #[test]
    fn codes_are_distinct_and_errors() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(Code::ALL.iter().skip(at + 1).all(|other| other.as_str() != code.as_str()));
            assert!(!code.title(Language::Ja).is_ascii());
        }
    }
}
