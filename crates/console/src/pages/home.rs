//! Where one comes in.

use crate::{Console, Visit};
use axum::{Router, response::Response, routing::get};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/", get(home))
}

async fn home(visit: Visit) -> Response {
    visit.go("/guide")
}
