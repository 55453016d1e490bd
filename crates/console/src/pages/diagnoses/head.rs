//! What stands above every page of a diagnosis.

use super::{id, signed};
use crate::{
    Console, Failure, Member,
    i18n::Locale,
    pages::words,
    ui::{Badge, Button, ButtonKind, Icon, Message, Tab, Tabs, Tone, component},
};
use askama::Template;
use policy::Action;
use service::{DiagnosisState, DiagnosisView};

/// Parts of a diagnosis: word in the address and key of the name.
const PARTS: [(&str, &str); 9] = [
    ("", "diagnoses-overview"),
    ("items", "diagnoses-items"),
    ("clauses", "diagnoses-clauses"),
    ("gaps", "diagnoses-gaps"),
    ("evidence", "diagnoses-live"),
    ("features", "diagnoses-features"),
    ("comparison", "diagnoses-comparison"),
    ("files", "diagnoses-files"),
    ("history", "diagnoses-history"),
];

/// Crumbs, title, what can be done, and the parts.
#[derive(Template)]
#[template(path = "diagnoses/head.html")]
pub(super) struct Head {
    t: Locale,
    crumbs: Vec<(String, String)>,
    title: String,
    states: Vec<Badge>,
    buttons: Vec<Button>,
    messages: Vec<Message>,
    tabs: Tabs,
}

component!(Head);

impl Head {
    /// Of the part `at`.
    pub(super) fn new(member: &Member, view: &DiagnosisView, at: &str) -> Self {
        let t = member.t;
        let here = format!("/diagnoses/{}", view.id);
        let tabs = PARTS
            .iter()
            .map(|(part, key)| Tab {
                label: t.text(key).to_string(),
                href: if part.is_empty() { here.clone() } else { format!("{here}/{part}") },
                current: *part == at,
                count: None,
            })
            .collect();
        Self {
            t,
            crumbs: crumbs(t, view),
            title: title(t, view),
            states: vec![signed(t, view)],
            buttons: buttons(member, view),
            messages: messages(t, view),
            tabs: Tabs::new(t.text("diagnoses-parts"), tabs),
        }
    }

    /// A page below a part.
    pub(super) fn below(mut self, href: impl Into<String>, label: impl Into<String>) -> Self {
        self.crumbs.push((href.into(), label.into()));
        self
    }

    /// Another title.
    pub(super) fn titled(mut self, title: impl Into<String>, states: Vec<Badge>) -> Self {
        self.title = title.into();
        self.states = states;
        self.buttons.clear();
        self
    }
}

/// The diagnosis of an address.
pub(super) async fn found(
    console: &Console,
    member: &Member,
    text: &str,
) -> Result<DiagnosisView, Failure> {
    Ok(console.service.diagnosis(member.caller(), &id(text)?).await?)
}

/// Whether the visitor may change it now.
pub(super) fn can_answer(member: &Member, view: &DiagnosisView) -> bool {
    view.state == DiagnosisState::Open
        && view.sheet_current
        && words::may(member, Action::AnswerDiagnosis, &view.organisation)
}

pub(super) fn title(t: Locale, view: &DiagnosisView) -> String {
    t.text("diagnoses-one")
        .arg("product", view.product.as_str())
        .arg("subject", &view.subject)
        .to_string()
}

/// The pages above a diagnosis.
pub(super) fn crumbs(t: Locale, view: &DiagnosisView) -> Vec<(String, String)> {
    vec![
        ("/diagnoses".to_owned(), t.text("diagnoses-title").to_string()),
        (
            format!("/products/{}/{}/diagnoses", view.organisation, view.product),
            view.product.to_string(),
        ),
    ]
}

fn buttons(member: &Member, view: &DiagnosisView) -> Vec<Button> {
    let t = member.t;
    let here = format!("/diagnoses/{}", view.id);
    let may = |action| words::may(member, action, &view.organisation);
    let mut buttons = Vec::new();
    match view.state {
        DiagnosisState::Signed => {
            if may(Action::AnswerDiagnosis) {
                let next = crate::pages::listing::address(
                    "/diagnoses/new",
                    &[("product", view.product.as_str()), ("from", &view.id.to_string())],
                );
                buttons.push(
                    Button::new(ButtonKind::Primary, t.text("diagnoses-next"))
                        .icon(Icon::Add)
                        .link(next),
                );
            }
        }
        DiagnosisState::Open => {
            if view.sheet_current && may(Action::SignDiagnosis) {
                buttons.push(
                    Button::new(ButtonKind::Primary, t.text("diagnoses-sign"))
                        .icon(Icon::Seal)
                        .link(format!("{here}/sign")),
                );
            }
            if may(Action::AnswerDiagnosis) {
                buttons.push(
                    Button::new(ButtonKind::Grave, t.text("diagnoses-discard"))
                        .link(format!("{here}/discard")),
                );
            }
        }
    }
    buttons.push(
        Button::new(ButtonKind::Secondary, t.text("diagnoses-report"))
            .icon(Icon::Download)
            .link(format!("{here}/files")),
    );
    buttons
}

fn messages(t: Locale, view: &DiagnosisView) -> Vec<Message> {
    let mut messages = Vec::new();
    if let Some(signed) = &view.signed {
        let text = t
            .text("diagnoses-signed-by")
            .arg("by", &signed.by)
            .arg("approver", &signed.approved_by)
            .arg("time", t.time(signed.at).plain())
            .arg("leaf", signed.leaf);
        messages.push(Message::new(Tone::Good, text));
    }
    messages
}
