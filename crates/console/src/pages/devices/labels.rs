//! Labels to print: for one device, a selection, or what a search finds.

use super::bulk::Chosen;
use crate::{
    Answer, Console, Failure, Member, Section,
    i18n::Locale,
    label::{self, CodeKind, Label, LabelError, Layout, LinkForm, Sheet, Symbol},
    pages::{
        form::{FormPage, Mistakes},
        listing,
    },
    ui::{Choice, Field},
};
use axum::{
    Router,
    extract::{RawQuery, State},
    response::IntoResponse as _,
    routing::get,
};
use device::DeviceId;
use http::header;
use service::{LabelFacts, Page};

const HERE: &str = "/devices/labels";
const FILE: &str = "/devices/labels/file";
/// Pages of a search that are looked at for one file: rare devices lie far apart.
const PAGES_MAX: usize = 100;
/// Pixels of a module in a picture, and its size in millimetres.
const MODULE: (u32, f32) = (8, 0.5);
/// Longest line of one's own, in characters.
const LINE_CHARS_MAX: u32 = 60;

pub(super) fn router() -> Router<Console> {
    Router::new().route(HERE, get(ask)).route(FILE, get(file))
}

/// What a file can be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Pdf,
    Svg,
    CodePng,
    CodeSvg,
}

impl Format {
    const ALL: [Self; 4] = [Self::Pdf, Self::Svg, Self::CodePng, Self::CodeSvg];

    fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Svg => "svg",
            Self::CodePng => "code-png",
            Self::CodeSvg => "code-svg",
        }
    }

    /// Whether it shows one code and nothing else.
    fn is_code(self) -> bool {
        matches!(self, Self::CodePng | Self::CodeSvg)
    }

    /// Media type and file name.
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Pdf => ("application/pdf", "labels.pdf"),
            Self::Svg => ("image/svg+xml", "labels.svg"),
            Self::CodePng => ("image/png", "code.png"),
            Self::CodeSvg => ("image/svg+xml", "code.svg"),
        }
    }
}

/// The form's texts.
struct Wanted {
    chosen: Chosen,
    sheet: String,
    format: String,
    code: String,
    link: String,
    line: String,
    skip: String,
}

/// How labels are made, read from the form.
struct Plan {
    layout: Layout,
    format: Format,
    link: LinkForm,
    line: Option<String>,
}

const LINKS: [(&str, LinkForm); 3] =
    [("best", LinkForm::Best), ("page", LinkForm::Page), ("gs1", LinkForm::Gs1)];
const CODES: [CodeKind; 2] = [CodeKind::Qr, CodeKind::DataMatrix];

impl Wanted {
    fn read(query: Option<&str>) -> Result<Self, Failure> {
        let pairs: Vec<(String, String)> = serde_html_form::from_str(query.unwrap_or_default())
            .map_err(|_| Failure::bad_request())?;
        let get = |name: &str, usual: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.map_or_else(|| usual.to_owned(), |(_, value)| value.trim().to_owned())
        };
        Ok(Self {
            sheet: get("sheet", "a4-24"),
            format: get("format", "pdf"),
            code: get("code", "qr"),
            link: get("link", "best"),
            line: get("line", ""),
            skip: get("skip", "0"),
            chosen: Chosen::read(&pairs)?,
        })
    }

    fn page(&self, member: &Member, found: &Found) -> FormPage {
        let t = member.t;
        let word = |family: &'static str, name: &'static str| {
            Choice::new(name, t.word(family, name).to_string())
        };
        let one = found.devices.len() == 1;
        let formats = Format::ALL
            .iter()
            .filter(|format| one || !format.is_code())
            .map(|format| word("label-format", format.name()))
            .collect();
        let sheets = Sheet::ALL.iter().map(|sheet| word("label-sheet", sheet.name)).collect();
        let codes = CODES.iter().map(|code| word("label-code", code.name())).collect();
        let links = LINKS.iter().map(|(name, _)| word("label-link", name)).collect();
        let back = listing::address("/devices", &self.chosen.filters.pairs());
        let count = t.text("labels-count").arg("count", found.devices.len());
        let mut page = FormPage::new(member, Section::Devices, t.text("labels-title"), FILE, &back)
            .crumb(&back, t.text("nav-devices"))
            .lead(count)
            .fields(vec![
                Field::select(t, "format", t.text("labels-format"), formats).value(&self.format),
                Field::select(t, "sheet", t.text("labels-sheet"), sheets)
                    .hint(t.text("labels-sheet-hint"))
                    .value(&self.sheet),
                Field::select(t, "code", t.text("labels-code"), codes).value(&self.code),
                Field::select(t, "link", t.text("labels-link"), links)
                    .hint(t.text("labels-link-hint"))
                    .value(&self.link),
                Field::text(t, "line", t.text("labels-line"))
                    .hint(t.text("labels-line-hint"))
                    .value(&self.line)
                    .optional()
                    .most(LINE_CHARS_MAX),
                Field::number(t, "skip", t.text("labels-skip"))
                    .hint(t.text("labels-skip-hint"))
                    .value(&self.skip),
            ])
            .button(t.text("labels-do"))
            .download();
        for (name, value) in self.chosen.selected() {
            page = page.hidden(name, value);
        }
        if !self.chosen.filters.after.is_empty() {
            page = page.hidden("after", &self.chosen.filters.after);
        }
        if let Some(next) = &found.next {
            let mut query = self.chosen.selected();
            query.push(("after", next));
            let href = listing::address(HERE, &query);
            page = page.note(
                t.text("labels-more").arg("count", label::LABELS_MAX),
                href,
                t.text("labels-next"),
            );
        }
        page
    }

    fn plan(&self, t: Locale, mistakes: &mut Mistakes) -> Option<Plan> {
        let choose = || t.text("forms-choose");
        let sheet = mistakes.read("sheet", &self.sheet, |name| Sheet::find(name).ok(), choose());
        let read = |name: &str| Format::ALL.into_iter().find(|format| format.name() == name);
        let format = mistakes.read("format", &self.format, read, choose());
        let read = |name: &str| CODES.into_iter().find(|code| code.name() == name);
        let code = mistakes.read("code", &self.code, read, choose());
        let read = |name: &str| LINKS.iter().find(|(link, _)| *link == name).map(|(_, form)| *form);
        let link = mistakes.read("link", &self.link, read, choose());
        let read = |text: &str| if text.is_empty() { Some(0) } else { text.parse().ok() };
        let skip = mistakes.read("skip", &self.skip, read, t.text("labels-skip-wrong"));
        Some(Plan {
            layout: Layout { sheet: sheet?, code: code?, module_mm: None, skip: skip? },
            format: format?,
            link: link?,
            line: (!self.line.is_empty()).then(|| self.line.clone()),
        })
    }
}

/// Devices to print labels for, and where a search goes on.
struct Found {
    devices: Vec<DeviceId>,
    next: Option<String>,
}

async fn found(console: &Console, member: &Member, wanted: &Chosen) -> Result<Found, Failure> {
    if !wanted.everything {
        let devices = wanted.named()?;
        return Ok(Found { devices, next: None });
    }
    let search = wanted.filters.search()?;
    let own = &member.signed().organisation;
    let mut devices = Vec::new();
    let mut after = Some(wanted.filters.after.clone()).filter(|after| !after.is_empty());
    for _ in 0..PAGES_MAX {
        let left = label::LABELS_MAX.saturating_sub(devices.len());
        let limit = u32::try_from(left).unwrap_or(u32::MAX).min(LIST_ROWS);
        let page = Page { after: after.take(), limit };
        let list = console.service.search_devices(member.caller(), own, &search, &page).await?;
        devices.extend(list.items.into_iter().map(|line| line.device.id));
        after = list.next;
        if after.is_none() || devices.len() >= label::LABELS_MAX {
            break;
        }
    }
    Ok(Found { devices, next: after })
}

/// Rows asked for at a time.
const LIST_ROWS: u32 = 500;

async fn ask(State(console): State<Console>, member: Member, RawQuery(query): RawQuery) -> Answer {
    let wanted = Wanted::read(query.as_deref())?;
    let found = found(&console, &member, &wanted.chosen).await?;
    if found.devices.is_empty() {
        let back = listing::address("/devices", &wanted.chosen.filters.pairs());
        return Ok(member.done(&back, "nothing-selected"));
    }
    // What is not the visitor's to see is not there.
    console.service.label_facts(member.caller(), &found.devices).await?;
    wanted.page(&member, &found).show(&member)
}

async fn file(State(console): State<Console>, member: Member, RawQuery(query): RawQuery) -> Answer {
    let wanted = Wanted::read(query.as_deref())?;
    let found = found(&console, &member, &wanted.chosen).await?;
    let facts = console.service.label_facts(member.caller(), &found.devices).await?;
    let t = member.t;
    let mut mistakes = Mistakes::default();
    let plan = wanted.plan(t, &mut mistakes).filter(|_| mistakes.is_empty());
    let Some(plan) = plan else {
        return Ok(wanted.page(&member, &found).refuse(&member, mistakes));
    };
    let (media_type, name) = plan.format.file();
    let origin = console.origin.as_str().to_owned();
    // A thousand codes are a second's work: not on a thread that serves others.
    let drawn = tokio::task::spawn_blocking(move || draw(&origin, &plan, &facts)).await;
    match drawn.map_err(|_| Failure::internal())? {
        Ok(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, media_type.to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
            ];
            Ok((headers, bytes).into_response())
        }
        Err(error) => {
            let (field, text) = said(t, &error);
            mistakes.add(field, text);
            Ok(wanted.page(&member, &found).refuse(&member, mistakes))
        }
    }
}

fn draw(origin: &str, plan: &Plan, facts: &[LabelFacts]) -> Result<Vec<u8>, LabelError> {
    let link = |facts: &LabelFacts| label::link(origin, plan.link, facts.gtin, facts.number);
    if plan.format.is_code() {
        let [one] = facts else { return Err(LabelError::Count(1)) };
        let symbol = Symbol::encode(plan.layout.code, &link(one)?)?;
        return match plan.format {
            Format::CodePng => symbol.png(MODULE.0, MODULE.1),
            _ => Ok(symbol.svg(MODULE.1).into_bytes()),
        };
    }
    let labels: Vec<Label> = facts
        .iter()
        .map(|facts| {
            Ok(Label {
                link: link(facts)?,
                number: facts.number,
                model: facts.model.clone(),
                line: plan.line.clone(),
            })
        })
        .collect::<Result<_, LabelError>>()?;
    match plan.format {
        Format::Svg => label::svg(&labels, &plan.layout).map(String::into_bytes),
        _ => label::pdf(&labels, &plan.layout),
    }
}

/// Why labels cannot be made, and the field it is about.
fn said(t: Locale, error: &LabelError) -> (&'static str, String) {
    match error {
        LabelError::NoGtin => ("link", t.text("labels-wrong-gtin").to_string()),
        LabelError::Line => ("line", t.text("labels-wrong-line").to_string()),
        LabelError::Skip(most) => ("skip", t.text("labels-wrong-skip").arg("count", *most).into()),
        LabelError::OneSheet(most) => {
            ("format", t.text("labels-wrong-one-sheet").arg("count", *most).into())
        }
        LabelError::Count(most) => {
            ("format", t.text("labels-wrong-count").arg("count", *most).into())
        }
        LabelError::Module { .. } => ("sheet", t.text("labels-wrong-fit").to_string()),
        LabelError::Text(_) | LabelError::Picture | LabelError::Sheet => {
            ("sheet", t.text("labels-wrong-code").to_string())
        }
    }
}
