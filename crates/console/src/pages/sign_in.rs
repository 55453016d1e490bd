//! Signing in, showing the passkey again, signing out.

use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Posted, Section, Visit,
    cookies::Cookie,
    i18n::Locale,
    pages::{ceremony, visitor::visitor},
    ui::CeremonyAttributes,
    visit::local_path,
};
use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/sign-in", get(page))
        .route("/sign-in/begin", post(begin))
        .route("/sign-in/finish", post(finish))
        .route("/confirm", get(again))
        .route("/confirm/begin", post(begin_again))
        .route("/confirm/finish", post(finish_again))
        .route("/sign-out", post(sign_out))
}

#[derive(Debug, Deserialize)]
struct Return {
    #[serde(default)]
    to: String,
}

impl Return {
    fn path(&self) -> &str {
        local_path(&self.to).unwrap_or("/")
    }
}

async fn page(visit: Visit, Asked(back): Asked<Return>) -> Response {
    let to = back.path().to_owned();
    if visit.signed.is_some() {
        return visit.go(&to);
    }
    let t = visit.t;
    let frame = visit.frame(Section::None, t.text("sign-in-title"));
    visit.page(&SignInPage { t, frame, to, ceremony: CeremonyAttributes::new(t) })
}

async fn begin(visit: Visit, State(console): State<Console>, Posted(_): Posted<Return>) -> Answer {
    let begun = console.service.begin_sign_in(&visitor(&visit)).await?;
    ceremony::begun(&begun)
}

/// What a browser brings back.
#[derive(Debug, Deserialize)]
struct Brought {
    #[serde(default)]
    to: String,
    ceremony: String,
    response: String,
}

async fn finish(
    visit: Visit,
    State(console): State<Console>,
    Posted(brought): Posted<Brought>,
) -> Answer {
    let visitor = visitor(&visit);
    let signed =
        console.service.finish_sign_in(&visitor, &brought.ceremony, &brought.response).await?;
    let to = local_path(&brought.to).unwrap_or("/");
    let mut response = ceremony::done(to)?;
    visit.put(&mut response, Cookie::Session, signed.cookie.expose());
    Ok(response)
}

async fn again(member: Member, Asked(back): Asked<Return>) -> Answer {
    let t = member.t;
    let frame = member.frame(Section::None, t.text("again-title"));
    let to = back.path().to_owned();
    Ok(member.page(&AgainPage { t, frame, to, ceremony: CeremonyAttributes::new(t) }))
}

async fn begin_again(
    member: Member,
    State(console): State<Console>,
    Posted(_): Posted<Return>,
) -> Answer {
    let visitor = visitor(&member);
    let begun = console.service.begin_reauthentication(&visitor, member.caller()).await?;
    ceremony::begun(&begun)
}

async fn finish_again(
    member: Member,
    State(console): State<Console>,
    Posted(brought): Posted<Brought>,
) -> Answer {
    let visitor = visitor(&member);
    let signed = console
        .service
        .finish_reauthentication(&visitor, member.caller(), &brought.ceremony, &brought.response)
        .await?;
    let mut response = ceremony::done(local_path(&brought.to).unwrap_or("/"))?;
    // The session goes on under a new secret.
    member.put(&mut response, Cookie::Session, signed.cookie.expose());
    Ok(response)
}

#[derive(Debug, Deserialize)]
struct Nothing {}

async fn sign_out(
    visit: Visit,
    State(console): State<Console>,
    Posted(_): Posted<Nothing>,
) -> Result<Response, Failure> {
    if let Some(signed) = &visit.signed {
        console.service.sign_out(&signed.caller).await?;
    }
    let mut response = visit.done("/sign-in", "signed-out");
    visit.clear(&mut response, Cookie::Session);
    Ok(response)
}

#[derive(Template)]
#[template(path = "sign_in/sign_in.html")]
struct SignInPage {
    t: Locale,
    frame: Frame,
    to: String,
    ceremony: CeremonyAttributes,
}

#[derive(Template)]
#[template(path = "sign_in/again.html")]
struct AgainPage {
    t: Locale,
    frame: Frame,
    to: String,
    ceremony: CeremonyAttributes,
}
