//! The model as a text, and what a change of it does before it is kept. Works without script.

use super::{About, state};
use crate::{
    Answer, Console, Failure, Frame, Member, Posted, Section, failure,
    i18n::Locale,
    pages::words,
    ui::{Badge, Message, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use http::StatusCode;
use policy::Action;
use serde::Deserialize;
use service::{
    ErrorKind, NewThreatModel, ServiceError, ThreatChange, ThreatChanges, ThreatPreview,
};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/products/{maker}/{id}/threats/edit", get(ask).post(done))
}

/// The longest text that a form carries, in bytes: its encoding takes up to three times the room.
const EDITED_BYTES_MAX: usize = 20 * 1024;
/// Changed threats of one kind that a page names.
const NAMED_MAX: usize = 200;

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Edited {
    version: u64,
    text: String,
    note: String,
    act: String,
}

struct Line {
    href: Option<String>,
    title: String,
    subject: String,
    score: String,
    state: Badge,
    before: Option<String>,
}

/// What a change would do.
struct Shown {
    groups: Vec<(String, Vec<Line>, usize)>,
    same: usize,
    without: Vec<String>,
    ignored: usize,
    assumptions: usize,
}

#[derive(Template)]
#[template(path = "threats/edit.html")]
struct EditPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    here: String,
    back: String,
    edited: Edited,
    wrong: Option<Message>,
    shown: Option<Shown>,
    too_long: bool,
}

fn page(member: &Member, about: &About, edited: Edited) -> EditPage {
    let t = member.t;
    EditPage {
        t,
        frame: member.frame(
            Section::Products,
            t.text("threats-edit-of").arg("product", &about.name).to_string(),
        ),
        crumbs: about.crumbs(t),
        here: format!("{}/edit", about.threats()),
        back: about.threats(),
        too_long: edited.text.len() > EDITED_BYTES_MAX,
        edited,
        wrong: None,
        shown: None,
    }
}

fn may(member: &Member, about: &About) -> Result<(), Failure> {
    match words::may(member, Action::ChangeThreatModel, &about.maker) {
        true => Ok(()),
        false => Err(Failure::forbidden()),
    }
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path(path): Path<(String, String)>,
) -> Answer {
    let about = About::of(&console, &member, path).await?;
    may(&member, &about)?;
    let found = console.service.threat_model(member.caller(), &about.maker, &about.id, None).await;
    let edited = match found {
        Ok(view) => Edited {
            version: view.version.version,
            text: view.text.unwrap_or_default(),
            ..Edited::default()
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Edited {
            text: format!(
                "tegata: threat-model/1\nname: {}\nzones: []\nassets: []\nelements: []\nflows: []\n",
                quoted(&about.name)
            ),
            ..Edited::default()
        },
        Err(error) => return Err(error.into()),
    };
    Ok(member.page(&page(&member, &about, edited)))
}

/// A name as a YAML string.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

async fn done(
    State(console): State<Console>,
    member: Member,
    Path(path): Path<(String, String)>,
    Posted(mut edited): Posted<Edited>,
) -> Answer {
    let about = About::of(&console, &member, path).await?;
    may(&member, &about)?;
    // Browsers send CR LF for each line break of a text area.
    edited.text = edited.text.replace("\r\n", "\n");
    let (service, caller) = (&console.service, member.caller());
    let note = edited.note.trim();
    let made = if edited.act == "keep" {
        let new = NewThreatModel {
            version: edited.version,
            text: edited.text.clone(),
            note: (!note.is_empty()).then(|| note.to_owned()),
        };
        match service.put_threat_model(caller, &about.maker, &about.id, new).await {
            Ok(_) => return Ok(member.done(&about.threats(), "threat-model-kept")),
            Err(error) => Err(error),
        }
    } else {
        let text = edited.text.clone();
        service.preview_threat_model(caller, &about.maker, &about.id, text).await
    };
    match made {
        Ok(preview) => {
            let mut page = page(&member, &about, edited);
            page.shown = Some(shown(&member, &about, preview));
            Ok(member.page(&page))
        }
        Err(error) if mends(&error) => {
            let said = failure::said(member.t.language, error.problem());
            let title = member.t.text("forms-nothing-saved");
            let mut page = page(&member, &about, edited);
            page.wrong = Some(Message::new(Tone::Bad, said).title(title));
            Ok(member.page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the text can be mended on the page.
fn mends(error: &ServiceError) -> bool {
    matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict)
}

fn shown(member: &Member, about: &About, preview: ThreatPreview) -> Shown {
    let t = member.t;
    let ThreatChanges {
        appeared,
        vanished,
        moved,
        same,
        without_threat,
        ignored_decisions,
        assumptions,
    } = preview.changes;
    let line = |one: &ThreatChange, there: bool, before: Option<String>| Line {
        href: there.then(|| about.threat(&one.id)),
        title: one.title.of(t.language).to_owned(),
        subject: one.subject.clone(),
        score: format!("{} {}", one.score, one.band.title(t.language)),
        state: state(t, one.state),
        before,
    };
    let groups = [
        (
            t.text("threats-appear").to_string(),
            appeared.iter().take(NAMED_MAX).map(|one| line(one, false, None)).collect::<Vec<_>>(),
            appeared.len(),
        ),
        (
            t.text("threats-vanish").to_string(),
            vanished.iter().take(NAMED_MAX).map(|one| line(one, true, None)).collect(),
            vanished.len(),
        ),
        (
            t.text("threats-move").to_string(),
            moved
                .iter()
                .take(NAMED_MAX)
                .map(|one| {
                    let was = one.state_before.title(t.language);
                    line(&one.after, true, Some(format!("{} {was}", one.score_before)))
                })
                .collect(),
            moved.len(),
        ),
    ];
    Shown {
        groups: groups.into_iter().filter(|(_, _, count)| *count > 0).collect(),
        same,
        without: without_threat,
        ignored: ignored_decisions,
        assumptions: assumptions.len(),
    }
}
