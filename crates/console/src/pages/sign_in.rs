//! Signing in.

use crate::{Asked, Console, Frame, Section, Visit, i18n::Locale, visit::local_path};
use askama::Template;
use axum::{Router, response::Response, routing::get};
use serde::Deserialize;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/sign-in", get(page))
}

#[derive(Debug, Deserialize)]
struct Return {
    #[serde(default)]
    to: String,
}

async fn page(visit: Visit, Asked(back): Asked<Return>) -> Response {
    let to = local_path(&back.to).unwrap_or("/").to_owned();
    if visit.signed.is_some() {
        return visit.go(&to);
    }
    let frame = visit.frame(Section::None, visit.t.text("sign-in-title"));
    visit.page(&SignInPage { t: visit.t, frame, to })
}

#[derive(Template)]
#[template(path = "sign_in/sign_in.html")]
struct SignInPage {
    t: Locale,
    frame: Frame,
    to: String,
}
