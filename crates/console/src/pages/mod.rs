//! The pages: one module per family, merged here, one line each.

mod account;
mod ceremony;
mod glossary;
mod guide;
mod home;
mod invitation;
mod preferences;
mod public;
mod sign_in;
mod visitor;

use crate::Console;
use axum::Router;

pub(crate) fn router() -> Router<Console> {
    Router::new()
        .merge(account::router())
        .merge(guide::router())
        .merge(home::router())
        .merge(invitation::router())
        .merge(glossary::router())
        .merge(public::router())
        .merge(preferences::router())
        .merge(sign_in::router())
}
