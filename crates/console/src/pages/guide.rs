//! First steps: from an empty installation to a first enrolled device.

use crate::{Console, Frame, Section, Visit, i18n::Locale, ui::Command};
use askama::Template;
use axum::{Router, response::Response, routing::get};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/guide", get(page))
}

async fn page(visit: Visit) -> Response {
    let t = visit.t;
    let frame = visit.frame(Section::Guide, t.text("guide-title"));
    visit.page(&GuidePage { t, frame, serve: Command::new(t, "tegata serve --dir data") })
}

#[derive(Template)]
#[template(path = "guide.html")]
struct GuidePage {
    t: Locale,
    frame: Frame,
    serve: Command,
}
