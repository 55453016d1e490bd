//! What IDevIDs of a product line say of the file of needed connections (RFC 8520 section 11).

use super::mud::{Line, here, line, may};
use crate::{
    Answer, Console, Failure, Fields, Member, Posted, Section,
    pages::{
        form::{self, ConfirmPage, FormPage, Mistakes},
        sensitive,
    },
    ui::{ButtonKind, Field},
};
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use service::NamedSigner;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/products/{maker}/{id}/mud/url", get(ask).post(set))
        .route("/products/{maker}/{id}/mud/url/end", get(ask_end).post(end))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    url: String,
    signer: String,
    nobody: String,
    /// who is named now
    #[serde(skip)]
    named: Option<String>,
}

impl Form {
    fn page(&self, member: &Member, of: &Line) -> FormPage {
        let (t, here) = (member.t, here(of));
        let mut fields = vec![
            Field::text(t, "url", t.text("mud-named-url"))
                .hint(t.text("mud-named-url-hint"))
                .value(&self.url)
                .most(253)
                .required(),
            Field::area(t, "signer", t.text("mud-named-signer"))
                .hint(t.text("mud-named-signer-hint"))
                .value(&self.signer)
                .most(16_384)
                .optional(),
        ];
        if let Some(named) = &self.named {
            fields.push(
                Field::checkbox(t, "nobody", t.text("mud-named-drop"))
                    .hint(t.text("mud-named-now").arg("name", named).to_string())
                    .value(&self.nobody),
            );
        }
        let title = t.text("mud-named-set");
        FormPage::new(member, Section::Products, title, &format!("{here}/url"), &here)
            .crumb(here.as_str(), t.text("mud-title"))
            .lead(t.text("mud-named-says"))
            .fields(fields)
    }
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    let pair = (&of.0, &of.1);
    let stands = console.service.mud_reference(member.caller(), pair).await?;
    // Until somebody says otherwise, where the platform serves the file in force to everybody.
    let mut named = None;
    let url = match stands {
        Some(view) => {
            named = view.signer;
            view.url
        }
        None => match console.service.mud_file(member.caller(), pair, None).await {
            Ok(kept) => kept
                .urls
                .map(|(file, _)| file)
                .filter(|url| url.starts_with("https://"))
                .unwrap_or_default(),
            Err(error) if error.kind() == service::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        },
    };
    Form { url, named, ..Form::default() }.page(&member, &of).show(&member)
}

async fn set(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    Posted(mut form): Posted<Form>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    let pair = (&of.0, &of.1);
    form.named =
        console.service.mud_reference(member.caller(), pair).await?.and_then(|it| it.signer);
    let (url, signer) = (form.url.trim(), form.signer.trim());
    let signer = match (signer.is_empty(), form.nobody == "yes") {
        (false, false) => NamedSigner::Certificate(signer),
        (true, false) => NamedSigner::AsBefore,
        (true, true) => NamedSigner::Nobody,
        (false, true) => {
            let mut mistakes = Mistakes::default();
            mistakes.add("signer", member.t.text("mud-named-both").to_string());
            return Ok(form.page(&member, &of).refuse(&member, mistakes));
        }
    };
    match console.service.set_mud_reference(member.caller(), pair, url, signer).await {
        Ok(_) => Ok(member.done(&here(&of), "mud-url-set")),
        Err(error) => {
            let at = format!("{}/url", here(&of));
            let places = [("mud-url", "url"), ("mud-signer", "signer")];
            form::refused(&member, error, &at, &places, || form.page(&member, &of))
        }
    }
}

async fn ask_end(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    let stands = console.service.mud_reference(member.caller(), (&of.0, &of.1)).await?;
    let view = stands.ok_or_else(Failure::not_found)?;
    let t = member.t;
    let crumbs = vec![(here(&of), t.text("mud-title").to_string())];
    let question = t.text("mud-named-end-question");
    let page =
        ConfirmPage::new(&member, Section::Products, crumbs, view.url, question).with(|confirm| {
            confirm
                .effect(t.text("mud-named-end-effect").to_string())
                .button(ButtonKind::Danger, t.text("mud-named-end"))
        });
    Ok(member.page(&page))
}

async fn end(
    State(console): State<Console>,
    member: Member,
    Path(of): Path<(String, String)>,
    _form: Fields,
) -> Answer {
    let of = line(of)?;
    may(&member, &of)?;
    match console.service.end_mud_reference(member.caller(), (&of.0, &of.1)).await {
        Ok(()) => Ok(member.done(&here(&of), "mud-url-ended")),
        Err(error) => sensitive::answer(&member, error, &here(&of)),
    }
}
