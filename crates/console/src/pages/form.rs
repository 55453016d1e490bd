//! Pages with one form. What was typed stays; what is wrong is said beside the field it is about.

use super::sensitive;
use crate::{
    Answer, Frame, Member, Section, failure,
    i18n::Locale,
    ui::{Confirm, Field, Message, Tone},
};
use askama::Template;
use axum::response::Response;
use http::StatusCode;
use service::{ErrorKind, ServiceError};

/// Fields that belong together, under a heading where there are several groups.
struct Group {
    title: Option<String>,
    hint: Option<String>,
    fields: Vec<Field>,
}

/// What is wrong with what was typed: field and sentence. An empty field is the form as a whole.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<(String, String)>);

impl Mistakes {
    /// Says what is wrong with a field.
    pub(super) fn add(&mut self, field: impl Into<String>, text: impl Into<String>) {
        self.0.push((field.into(), text.into()));
    }

    /// What a text means; where it means nothing, what is wrong is noted.
    pub(super) fn read<T>(
        &mut self,
        field: &str,
        value: &str,
        read: impl FnOnce(&str) -> Option<T>,
        wrong: impl Into<String>,
    ) -> Option<T> {
        let found = read(value);
        if found.is_none() {
            self.add(field, wrong);
        }
        found
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A page with one form.
#[derive(Template)]
#[template(path = "form/page.html")]
pub(super) struct FormPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    lead: String,
    note: Option<(String, String, String)>,
    wrong: Option<Message>,
    action: String,
    groups: Vec<Group>,
    hidden: Vec<(String, String)>,
    button: String,
    back: String,
    download: bool,
}

impl FormPage {
    /// A form that goes to `action`; `back` is where one goes instead.
    pub(super) fn new(
        member: &Member,
        section: Section,
        title: impl Into<String>,
        action: &str,
        back: &str,
    ) -> Self {
        let t = member.t;
        Self {
            t,
            frame: member.frame(section, title),
            crumbs: Vec::new(),
            lead: String::new(),
            note: None,
            wrong: None,
            action: action.to_owned(),
            groups: Vec::new(),
            hidden: Vec::new(),
            button: t.text("forms-save").to_string(),
            back: back.to_owned(),
            download: false,
        }
    }

    /// A page above this one.
    pub(super) fn crumb(mut self, href: impl Into<String>, label: impl Into<String>) -> Self {
        self.crumbs.push((href.into(), label.into()));
        self
    }

    /// What the form is for.
    pub(super) fn lead(mut self, text: impl Into<String>) -> Self {
        self.lead = text.into();
        self
    }

    /// Fields without a heading.
    pub(super) fn fields(mut self, fields: Vec<Field>) -> Self {
        self.groups.push(Group { title: None, hint: None, fields });
        self
    }

    /// Fields under a heading.
    pub(super) fn group(
        mut self,
        title: impl Into<String>,
        hint: Option<String>,
        fields: Vec<Field>,
    ) -> Self {
        self.groups.push(Group { title: Some(title.into()), hint, fields });
        self
    }

    /// What the form carries along.
    pub(super) fn hidden(mut self, name: &str, value: &str) -> Self {
        self.hidden.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The word on the button: what it does.
    pub(super) fn button(mut self, label: impl Into<String>) -> Self {
        self.button = label.into();
        self
    }

    /// Something to know before, and a link.
    pub(super) fn note(
        mut self,
        text: impl Into<String>,
        href: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        self.note = Some((text.into(), href.into(), label.into()));
        self
    }

    /// The form changes nothing: it fetches a file (GET).
    pub(super) fn download(mut self) -> Self {
        self.download = true;
        self
    }

    /// The page as it is first shown.
    pub(super) fn show(&self, member: &Member) -> Answer {
        Ok(member.page(self))
    }

    /// The page after a form that cannot be taken (422): what is wrong stands at its fields.
    pub(super) fn refuse(mut self, member: &Member, mistakes: Mistakes) -> Response {
        let t = self.t;
        let mut above = Vec::new();
        for (name, text) in mistakes.0 {
            let fields = self.groups.iter_mut().flat_map(|group| &mut group.fields);
            match fields.into_iter().find(|field| field.name() == name) {
                Some(field) => field.mark(text),
                None => above.push(text),
            }
        }
        let text =
            if above.is_empty() { t.text("forms-look").to_string() } else { above.join(" ") };
        self.wrong = Some(Message::new(Tone::Bad, text).title(t.text("forms-nothing-saved")));
        member.page_with(StatusCode::UNPROCESSABLE_ENTITY, &self)
    }
}

/// Whether the form can be filled in better.
fn is_about_the_form(error: &ServiceError) -> bool {
    error.approval().is_none()
        && matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict)
}

/// What a refused form leads to: itself, with the refusal at the field that `places` names for the
/// code; or what [`sensitive::answer`] says. `here` is the page with the form, filled in as it was.
pub(super) fn refused(
    member: &Member,
    error: ServiceError,
    here: &str,
    places: &[(&str, &str)],
    page: impl FnOnce() -> FormPage,
) -> Answer {
    if !is_about_the_form(&error) {
        return sensitive::answer(member, error, here);
    }
    let place = places.iter().find(|(code, _)| *code == error.code());
    let mut mistakes = Mistakes::default();
    mistakes.add(
        place.map_or("", |(_, field)| field),
        failure::said(member.t.language, error.problem()),
    );
    Ok(page().refuse(member, mistakes))
}

/// A page that says what will happen to something, and asks.
#[derive(Template)]
#[template(path = "form/confirm.html")]
pub(super) struct ConfirmPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    name: String,
    confirm: Confirm,
}

impl ConfirmPage {
    /// What will happen to `name`; `question` is asked, the last crumb is where one goes instead.
    /// The form goes to the address of this page.
    pub(super) fn new(
        member: &Member,
        section: Section,
        crumbs: Vec<(String, String)>,
        name: impl Into<String>,
        question: impl Into<String>,
    ) -> Self {
        let question = question.into();
        let frame = member.frame(section, &question);
        let back = crumbs.last().map_or("/", |(href, _)| href).to_owned();
        let confirm = Confirm::new(&frame, &member.path, question, &back);
        Self { t: member.t, frame, crumbs, name: name.into(), confirm }
    }

    /// With what will happen, what must be filled in, and the button.
    pub(super) fn with(mut self, fill: impl FnOnce(Confirm) -> Confirm) -> Self {
        self.confirm = fill(self.confirm);
        self
    }
}
