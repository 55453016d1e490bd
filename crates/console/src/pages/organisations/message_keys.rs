//! Keys that an organisation's devices encrypt messages for.

use super::{Head, head, id};
use crate::{
    Answer, Console, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Fingerprint, Icon, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/organisations/{id}/message-keys", get(page))
}

async fn page(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let id = id(&text)?;
    let (head, view) = head(&console, &member, &id, "/message-keys").await?;
    let found = console.service.message_keys(member.caller(), &id).await?;
    let t = member.t;
    let rows = found
        .into_iter()
        .map(|key| KeyRow {
            fingerprint: Fingerprint::new(t, &key.key),
            state: match (key.destroyed_at, key.accepted_until) {
                (Some(_), _) => {
                    Badge::new(Tone::Neutral, t.text("organisations-message-destroyed"))
                }
                (None, Some(_)) => Badge::new(Tone::Busy, t.text("organisations-message-former")),
                (None, None) => Badge::new(Tone::Good, t.text("organisations-message-present")),
            },
            since: t.time(key.made.0),
            by: key.made.1,
            reason: key.reason,
            ends: match (key.destroyed_at.or(key.accepted_until), key.chain.first()) {
                (Some(at), _) => Some(t.time(at)),
                (None, Some(certificate)) => Some(t.time(certificate.not_after())),
                (None, None) => None,
            },
        })
        .collect();
    let title = t.text("organisations-message-keys-of").arg("name", &view.name);
    let frame = member.frame(Section::Organisations, title);
    let empty = Empty::new(
        Icon::Key,
        t.text("organisations-no-message-keys"),
        t.text("organisations-no-message-keys-hint"),
    );
    Ok(member.page(&MessageKeysPage { t, frame, head, rows, empty }))
}

struct KeyRow {
    fingerprint: Fingerprint,
    state: Badge,
    since: Moment,
    by: String,
    reason: String,
    ends: Option<Moment>,
}

#[derive(Template)]
#[template(path = "organisations/message_keys.html")]
struct MessageKeysPage {
    t: Locale,
    frame: Frame,
    head: Head,
    rows: Vec<KeyRow>,
    empty: Empty,
}
