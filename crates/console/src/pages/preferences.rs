//! Language, theme and time zone: a choice that cookies remember.

use crate::{
    Answer, Console, Posted, Theme, Visit, cookies::Cookie, i18n::Zone, visit::local_path,
};
use axum::{Router, routing::post};
use device::Language;
use serde::Deserialize;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/preferences", post(choose))
}

/// What is not named stays as it is.
#[derive(Debug, Deserialize)]
struct Choice {
    language: Option<String>,
    theme: Option<String>,
    zone: Option<String>,
    #[serde(default)]
    to: String,
}

async fn choose(visit: Visit, Posted(choice): Posted<Choice>) -> Answer {
    let mut response = visit.go(local_path(&choice.to).unwrap_or("/"));
    if let Some(language) = choice.language.as_deref().and_then(|tag| tag.parse::<Language>().ok())
    {
        visit.put(&mut response, Cookie::Language, language.name());
    }
    match choice.theme.as_deref() {
        Some("system") => visit.clear(&mut response, Cookie::Theme),
        Some(theme) => {
            if let Some(theme) = Theme::parse(theme) {
                visit.put(&mut response, Cookie::Theme, theme.name());
            }
        }
        None => {}
    }
    if let Some(zone) = choice.zone.as_deref().and_then(Zone::parse) {
        visit.put(&mut response, Cookie::Zone, &zone.minutes().to_string());
    }
    Ok(response)
}
