//! Language, theme and time zone: a choice that cookies remember.

use crate::{
    Answer, Console, Posted, Theme, Visit, cookies::Cookie, i18n::Zone, visit::local_path,
};
use axum::{Router, extract::State, routing::post};
use device::Language;
use policy::Caller;
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

async fn choose(
    visit: Visit,
    State(console): State<Console>,
    Posted(choice): Posted<Choice>,
) -> Answer {
    if let Some(signed) = visit.signed.as_ref().filter(|signed| is_person(&signed.caller)) {
        let language = choice.language.as_deref().and_then(|tag| tag.parse().ok());
        let theme = match choice.theme.as_deref() {
            None => signed.theme,
            Some(theme) => Theme::parse(theme),
        };
        let theme = theme.and_then(|theme| service::Theme::from_name(theme.name()));
        let language = language.or(signed.language);
        console.service.set_preferences(&signed.caller, language, theme).await?;
    }
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

/// Only people have preferences on record.
fn is_person(caller: &Caller) -> bool {
    matches!(caller, Caller::Person { .. })
}
