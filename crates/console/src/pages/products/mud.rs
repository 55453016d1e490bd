//! A maker says which connections a product line's devices need (MUD, RFC 8520). docs/mud.md.

use super::super::{
    form, listing, sensitive,
    upload::{Shape, Uploaded},
    words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Posted, Section, failure,
    i18n::{Locale, Moment},
    ui::{Empty, Icon, Message, Pager, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Request, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use device::{Language, OrganisationId, ProductId};
use http::{HeaderValue, StatusCode, header};
use policy::Action;
use serde::Deserialize;
use service::{ErrorKind, MudFile, MudView, NewMud};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products/{maker}/{id}/mud", get(show).post(put))
        .route("/products/{maker}/{id}/mud/file", get(download))
        .route("/products/{maker}/{id}/mud/withdraw", get(ask_withdraw).post(withdraw))
}

/// Files of a form, with some room to say what is too much; longest reason, in bytes of UTF-8.
const SHAPE: Shape = Shape {
    long: &[],
    fields: &["reason"],
    files: &[("file", 300 * 1024), ("signature", 80 * 1024), ("anchors", 80 * 1024)],
};
/// Lines of a file that are shown; the file itself has them all.
const LINES_MAX: usize = 500;

pub(super) type Line = (OrganisationId, ProductId);

pub(super) fn line((maker, id): (String, String)) -> Result<Line, Failure> {
    let maker = OrganisationId::new(&maker).map_err(|_| Failure::not_found())?;
    Ok((maker, ProductId::new(&id).map_err(|_| Failure::not_found())?))
}

pub(super) fn here((maker, id): &Line) -> String {
    format!("/products/{maker}/{id}/mud")
}

/// A version, as the page lists it.
struct Row {
    version: u64,
    at: Moment,
    by: String,
    reason: String,
    withdrawn: bool,
    signer: Option<(String, Moment, bool)>,
    /// where its bytes are, where they are kept still
    file: Option<String>,
}

fn row(member: &Member, of: &Line, view: MudView) -> Row {
    let t = member.t;
    Row {
        version: view.version,
        at: t.time(view.made_at),
        by: view.made_by,
        reason: view.reason,
        withdrawn: view.digest.is_none(),
        signer: view.signer.map(|(signer, until)| (signer, t.date(until), until <= member.now)),
        file: view.length.map(|_| format!("{}/file?version={}", here(of), view.version)),
    }
}

/// What IDevIDs say.
struct Named {
    url: String,
    signer: Option<String>,
    at: Moment,
    by: String,
}

#[derive(Template)]
#[template(path = "products/mud.html")]
struct ShowPage {
    t: Locale,
    frame: Frame,
    product: String,
    product_href: String,
    here: String,
    may: bool,
    /// where connections of the visitor's own devices are that leave it
    outside: Option<String>,
    /// and what is suggested by what they do
    suggestion: String,
    wrong: Option<Message>,
    reason: String,
    lines: Vec<String>,
    more: usize,
    kept: Option<MudFile>,
    /// what IDevIDs that are issued now say
    named: Option<Named>,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
}

async fn page(
    console: &Console,
    member: &Member,
    of: &Line,
    after: &str,
    (wrong, reason): (Option<String>, &str),
) -> Answer {
    let t = member.t;
    let product = console.service.product(member.caller(), &of.0, &of.1).await?;
    let line = (&of.0, &of.1);
    let versions = listing::page(after);
    let found = console.service.mud_versions(member.caller(), line, &versions).await?;
    let kept = match console.service.mud_file(member.caller(), line, None).await {
        Ok(kept) => Some(kept),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let named = console.service.mud_reference(member.caller(), line).await?.map(|view| Named {
        url: view.url,
        signer: view.signer,
        at: t.time(view.set_at),
        by: view.set_by,
    });
    let lines = kept.as_ref().map(|kept| match t.language {
        Language::Ja => kept.mud.japanese(),
        Language::En => kept.mud.english(),
    });
    let mut lines = lines.unwrap_or_default();
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    let pager = listing::pager(t, &here(of), &[], after, found.next.as_deref());
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = ShowPage {
        t,
        frame: member.frame(Section::Products, t.text("mud-title")),
        product: product.name,
        product_href: format!("/products/{}/{}", of.0, of.1),
        here: here(of),
        may: words::may(member, Action::ChangeProduct, &of.0),
        outside: words::may(member, Action::ReadAlerts, &member.signed().organisation)
            .then(|| listing::address("/outside-mud", &[("line", &format!("{}/{}", of.0, of.1))])),
        suggestion: format!("/outside-mud/{}/{}/suggestion", of.0, of.1),
        wrong: wrong.map(|wrong| Message::new(Tone::Bad, wrong)),
        reason: reason.to_owned(),
        lines,
        more,
        kept,
        named,
        rows: found.items.into_iter().map(|view| row(member, of, view)).collect(),
        pager,
        empty: Empty::new(Icon::Gate, t.text("mud-empty"), t.text("mud-empty-hint")),
    };
    Ok(member.page_with(status, &page))
}

async fn show(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Asked(place): Asked<listing::Place>,
) -> Answer {
    let of = line(of)?;
    page(&console, &member, &of, &place.after, (None, "")).await
}

pub(super) fn may(member: &Member, of: &Line) -> Result<(), Failure> {
    let may = words::may(member, Action::ChangeProduct, &of.0);
    may.then_some(()).ok_or_else(Failure::forbidden)
}

async fn put(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    request: Request,
) -> Answer {
    let of = line(of)?;
    // Nobody who may not sends much.
    may(&member, &of)?;
    let form = Uploaded::read(&member, request, &SHAPE).await?;
    let t = member.t;
    let reason = form.get("reason").to_owned();
    let bytes = |name: &str| form.file(name).map(|(_, bytes)| bytes.to_vec());
    let Some(file) = bytes("file") else {
        let wrong = t.text("mud-file-none").to_string();
        return page(&console, &member, &of, "", (Some(wrong), &reason)).await;
    };
    let anchors = bytes("anchors").map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let signature = bytes("signature");
    let new = NewMud { file, signature, anchors, reason: reason.clone() };
    match console.service.put_mud(member.caller(), (&of.0, &of.1), new).await {
        Ok(_) => Ok(member.done(&here(&of), "mud-put")),
        Err(error) => match error.kind() {
            ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict => {
                let wrong = failure::said(t.language, error.problem());
                page(&console, &member, &of, "", (Some(wrong), &reason)).await
            }
            _ => sensitive::answer(&member, error, &here(&of)),
        },
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Version {
    version: Option<u64>,
}

/// The bytes of a version, as they came.
async fn download(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Asked(asked): Asked<Version>,
) -> Result<Response, Failure> {
    let of = line(of)?;
    let found = console.service.mud_file(member.caller(), (&of.0, &of.1), asked.version).await?;
    let name = format!("attachment; filename=\"{}-{}.json\"", of.1, found.view.version);
    let name = HeaderValue::from_str(&name).map_err(|_| Failure::internal())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/mud+json")),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, found.file).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Withdrawal {
    reason: String,
}

async fn ask_withdraw(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    console.service.product(member.caller(), &of.0, &of.1).await?;
    withdrawal(&member, &of, "").show(&member)
}

fn withdrawal(member: &Member, of: &Line, reason: &str) -> form::FormPage {
    let (t, here) = (member.t, here(of));
    let at = format!("{here}/withdraw");
    let fields = vec![
        crate::ui::Field::text(t, "reason", t.text("mud-reason"))
            .hint(t.text("mud-reason-hint"))
            .value(reason)
            .most(300)
            .required(),
    ];
    form::FormPage::new(member, Section::Products, t.text("mud-withdraw"), &at, &here)
        .crumb(here.as_str(), t.text("mud-title"))
        .lead(t.text("mud-withdraw-lead"))
        .fields(fields)
        .button(t.text("mud-withdraw"))
}

async fn withdraw(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Posted(said): Posted<Withdrawal>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    let line = (&of.0, &of.1);
    match console.service.withdraw_mud(member.caller(), line, &said.reason).await {
        Ok(_) => Ok(member.done(&here(&of), "mud-withdrawn")),
        Err(error) => {
            let at = format!("{}/withdraw", here(&of));
            let places = [("reason", "reason")];
            form::refused(&member, error, &at, &places, || withdrawal(&member, &of, &said.reason))
        }
    }
}
