//! A release: files, attachments, gate, vulnerabilities, its place in the log.

use super::{gate, id, state};
use crate::{
    Answer, Console, Failure, Frame, Member, Section,
    i18n::{Locale, Moment},
    pages::{vulnerabilities, words},
    ui::{Badge, Button, ButtonKind, Command, Icon, Id, Message, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::Language;
use policy::Action;
use service::{
    Artifact, Attachment, AttachmentSummary, ErrorKind, GateItem, ReleaseState, ReleaseView,
};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/releases/{id}", get(one))
}

/// What a list of vulnerabilities shows at most.
const SHOWN: usize = 20;

async fn one(State(console): State<Console>, member: Member, Path(text): Path<String>) -> Answer {
    let t = member.t;
    let release = console.service.release(member.caller(), &id(&text)?).await?;
    let items = console.service.check_release(member.caller(), &release.id).await?;
    let title = t
        .text("releases-one")
        .arg("product", release.product.as_str())
        .arg("version", &release.version)
        .to_string();
    let notice = notice(t, &release);
    let page = OnePage {
        t,
        frame: member.frame(Section::Releases, title),
        state: state(t, release.state),
        notice,
        buttons: buttons(&member, &release),
        facts: facts(t, &release),
        files: release.artifacts.iter().map(|file| FileRow::new(t, file)).collect(),
        attachments: release.attachments.iter().map(|one| attached(t, one)).collect(),
        gate: gate(t, &release, &items),
        items: items.iter().map(|item| Item::new(t, item)).collect(),
        is_draft: release.state == ReleaseState::Draft,
        known: known(&console, &member, &release).await?,
        log: logged(&console, &member, &release).await?,
        commands: (release.state == ReleaseState::Draft
            && words::may(&member, Action::ManageRelease, &release.organisation))
        .then(|| {
            Command::new(
                t,
                format!(
                    "tegata release add {0} FILE\ntegata release attach {0} sbom bom.json",
                    release.id
                ),
            )
        }),
    };
    Ok(member.page(&page))
}

fn notice(t: Locale, release: &ReleaseView) -> Option<Message> {
    if let Some(reason) = &release.withdrawn_reason {
        let title = t.text("releases-withdrawn-title").to_string();
        return Some(Message::new(Tone::Warn, reason.clone()).title(title));
    }
    let reason = release.overruled_reason.as_ref()?;
    let title = t.text("releases-overruled-title").to_string();
    Some(Message::new(Tone::Held, reason.clone()).title(title))
}

fn buttons(member: &Member, release: &ReleaseView) -> Vec<Button> {
    let t = member.t;
    let may = |action| words::may(member, action, &release.organisation);
    let here = format!("/releases/{}", release.id);
    let act = |kind, name: &str| {
        Button::new(kind, t.word("release-do", name)).link(format!("{here}/{name}"))
    };
    let mut buttons = Vec::new();
    match release.state {
        ReleaseState::Draft => {
            if may(Action::PublishRelease) {
                buttons.push(act(ButtonKind::Primary, "publish"));
            }
            if may(Action::ManageRelease) {
                buttons.push(act(ButtonKind::Grave, "discard"));
            }
        }
        ReleaseState::Published => {
            if may(Action::ProposeCampaign) {
                buttons.push(
                    Button::new(ButtonKind::Primary, t.text("releases-to-campaign"))
                        .icon(Icon::Campaign)
                        .link(format!("/campaigns/new?release={}", release.id)),
                );
            }
            if may(Action::ManageRelease) {
                buttons.push(act(ButtonKind::Grave, "withdraw"));
            }
        }
        ReleaseState::Withdrawn => {}
    }
    buttons
}

/// A fact: its name, its value as text or as something else.
struct Fact {
    name: String,
    value: String,
    at: Option<Moment>,
}

fn facts(t: Locale, release: &ReleaseView) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: String, value: String, at: Option<Moment>| {
        facts.push(Fact { name, value, at });
    };
    let text = |key: &'static str| t.text(key).to_string();
    add(text("releases-version"), release.version.clone(), None);
    add(text("releases-security-version"), t.number(release.security_version), None);
    add(text("releases-counter"), t.number(release.release_counter), None);
    add(
        text("releases-hardware"),
        release.hardware_ids.join(t.text("words-and").to_string().as_str()),
        None,
    );
    add(text("releases-created"), release.created_by.clone(), Some(t.time(release.created_at)));
    if let Some(at) = release.published_at {
        let by = release.published_by.clone().unwrap_or_default();
        add(text("releases-published"), by, Some(t.time(at)));
    }
    if let Some(at) = release.withdrawn_at {
        add(text("releases-withdrawn"), String::new(), Some(t.time(at)));
    }
    if !release.notes.is_empty() {
        add(text("releases-notes"), release.notes.clone(), None);
    }
    facts
}

struct FileRow {
    name: String,
    length: String,
    sha256: Id,
    hardware: String,
}

impl FileRow {
    fn new(t: Locale, file: &Artifact) -> Self {
        Self {
            name: file.name.clone(),
            length: t.text("releases-bytes").arg("count", file.length).to_string(),
            sha256: Id::short(t, &file.sha256),
            hardware: file.hardware_ids.join(", "),
        }
    }
}

struct Attached {
    kind: String,
    name: String,
    length: String,
    state: Option<Badge>,
    facts: Vec<(String, String)>,
}

fn attached(t: Locale, one: &Attachment) -> Attached {
    let text = |key: &'static str| t.text(key).to_string();
    let count = |number: usize| t.number(i128::try_from(number).unwrap_or(i128::MAX));
    let mut facts = Vec::new();
    let mut state = None;
    match &one.summary {
        AttachmentSummary::Sbom {
            format,
            subject,
            subject_version,
            components,
            identified,
            remarks,
        } => {
            facts.push((text("releases-format"), format.clone()));
            let subject = [subject.as_deref(), subject_version.as_deref()];
            let subject: Vec<_> = subject.into_iter().flatten().collect();
            if !subject.is_empty() {
                facts.push((text("releases-describes"), subject.join(" ")));
            }
            facts.push((text("releases-components"), count(*components)));
            facts.push((text("releases-identified"), count(*identified)));
            if *remarks > 0 {
                facts.push((text("releases-remarks"), count(*remarks)));
            }
        }
        AttachmentSummary::Tests { tests, failures, errors, skipped, failed } => {
            let bad = failures.saturating_add(*errors);
            state = Some(if bad > 0 {
                Badge::new(Tone::Bad, t.text("releases-tests-failed").arg("count", bad))
            } else {
                Badge::new(Tone::Good, t.text("releases-tests-passed"))
            });
            facts.push((text("releases-tests"), t.number(*tests)));
            facts.push((text("releases-skipped"), t.number(*skipped)));
            if !failed.is_empty() {
                let some: Vec<_> = failed.iter().take(5).map(String::as_str).collect();
                facts.push((text("releases-first-failed"), some.join(", ")));
            }
        }
        AttachmentSummary::Provenance { predicate_types, builder, source, subjects } => {
            facts.push((text("releases-predicate"), predicate_types.join(", ")));
            if let Some(builder) = builder {
                facts.push((text("releases-builder"), builder.clone()));
            }
            if let Some(source) = source {
                facts.push((text("releases-source"), source.clone()));
            }
            facts.push((text("releases-subjects"), count(subjects.len())));
        }
    }
    Attached {
        kind: t.word("attachment-kind", one.kind.name()).to_string(),
        name: one.name.clone(),
        length: t.text("releases-bytes").arg("count", one.length).to_string(),
        state,
        facts,
    }
}

struct Item {
    name: String,
    state: Badge,
    text: String,
}

impl Item {
    fn new(t: Locale, item: &GateItem) -> Self {
        let state = match (item.met, item.overrulable) {
            (true, _) => Badge::new(Tone::Good, t.text("releases-item-met")),
            (false, true) => Badge::new(Tone::Warn, t.text("releases-item-open")),
            (false, false) => Badge::new(Tone::Bad, t.text("releases-item-fixed")),
        };
        let text = match t.language {
            Language::En => &item.text,
            Language::Ja => &item.text_ja,
        };
        Self {
            name: t.word("gate-item", item.code).to_string(),
            state,
            text: crate::failure::sentence(text, t.language),
        }
    }
}

/// What is known against a release.
struct Known {
    message: Message,
    rows: Vec<KnownRow>,
    more: String,
}

struct KnownRow {
    href: String,
    name: String,
    score: Badge,
    exploited: bool,
    status: Badge,
}

async fn known(
    console: &Console,
    member: &Member,
    release: &ReleaseView,
) -> Result<Option<Known>, Failure> {
    let t = member.t;
    if !words::may(member, Action::ReadVulnerabilities, &release.organisation) {
        return Ok(None);
    }
    let asked = console.service.vulnerability_gate(
        member.caller(),
        &release.organisation,
        &release.product,
        &release.version,
    );
    let gate = match asked.await {
        Ok(gate) => Some(gate),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let more = format!("/vulnerabilities?state=all&product={}", release.product);
    let Some(gate) = gate.filter(|gate| gate.sboms > 0) else {
        let message = Message::new(Tone::Warn, t.text("releases-no-sbom"));
        return Ok(Some(Known { message, rows: Vec::new(), more }));
    };
    let message = if gate.waiting > 0 {
        Message::new(Tone::Busy, t.text("releases-waiting").arg("count", gate.waiting))
    } else if gate.blocking.is_empty() {
        Message::new(Tone::Good, t.text("releases-nothing-known"))
    } else {
        Message::new(Tone::Bad, t.text("releases-blocking").arg("count", gate.blocking.len()))
    };
    let rows = gate
        .blocking
        .iter()
        .take(SHOWN)
        .map(|one| KnownRow {
            href: vulnerabilities::address(&one.name),
            name: one.name.clone(),
            score: vulnerabilities::score(t, one.tenths),
            exploited: one.exploited,
            status: vulnerabilities::status(t, one.status),
        })
        .collect();
    Ok(Some(Known { message, rows, more }))
}

struct Logged {
    leaf: String,
    state: Badge,
    size: Option<String>,
}

/// Whether the log holds it, with a proof that was made just now.
async fn logged(
    console: &Console,
    member: &Member,
    release: &ReleaseView,
) -> Result<Option<Logged>, Failure> {
    let t = member.t;
    let Some(leaf) = release.leaf else { return Ok(None) };
    let (state, size) = match console.service.release_proof(member.caller(), &release.id).await {
        Ok(proof) => {
            (Badge::new(Tone::Good, t.text("releases-proved")), Some(t.number(proof.proof.size)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            (Badge::new(Tone::Busy, t.text("releases-proof-waits")), None)
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Some(Logged { leaf: t.number(leaf), state, size }))
}

#[derive(Template)]
#[template(path = "releases/one.html")]
struct OnePage {
    t: Locale,
    frame: Frame,
    state: Badge,
    notice: Option<Message>,
    buttons: Vec<Button>,
    facts: Vec<Fact>,
    files: Vec<FileRow>,
    attachments: Vec<Attached>,
    gate: Badge,
    items: Vec<Item>,
    is_draft: bool,
    known: Option<Known>,
    log: Option<Logged>,
    commands: Option<Command>,
}
