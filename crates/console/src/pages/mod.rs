//! The pages: one module per family, merged here, one line each.

mod guide;
mod preferences;
mod sign_in;

use crate::Console;
use axum::Router;

pub(crate) fn router() -> Router<Console> {
    Router::new().merge(guide::router()).merge(preferences::router()).merge(sign_in::router())
}
