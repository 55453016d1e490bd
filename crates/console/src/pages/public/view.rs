//! What a buyer reads, made of what the service found.

use crate::{
    Frame, Section, Visit, glossary,
    i18n::{Locale, Moment},
    ui::{Term, Tone},
};
use askama::Template;
use device::{Language, ManagementNumber};
use service::{
    Finding, LabelScheme, PublicPassport, PublicPhase, PublicWarning, SecurityLabel, Sureness,
    UpdateState,
};

#[derive(Template)]
#[template(path = "public/passport.html")]
pub(super) struct PassportPage {
    t: Locale,
    frame: Frame,
    tone: Tone,
    finding: &'static str,
    sureness: &'static str,
    warnings: Vec<&'static str>,
    concern: Option<&'static str>,
    reasons: Vec<&'static str>,
    number: String,
    maker: String,
    product: Option<String>,
    model: Option<String>,
    gtin: Option<String>,
    labels: Vec<LabelView>,
    label_term: Term,
    support: Option<(Moment, bool)>,
    support_term: Term,
    firmware: Option<String>,
    firmware_term: Term,
    update: &'static str,
    phase: Option<&'static str>,
    purposes: Vec<(String, String, Option<String>)>,
    mud: Option<Connections>,
    contact: Option<String>,
    as_of: Moment,
}

/// What its maker says that it connects to: where the file is, some lines, and how many there are more.
struct Connections {
    path: String,
    lines: Vec<String>,
    more: usize,
}

struct LabelView {
    name: String,
    number: Option<String>,
    url: Option<String>,
    until: Option<(Moment, bool)>,
}

impl PassportPage {
    pub(super) fn new(visit: &Visit, passport: &PublicPassport) -> Self {
        let t = visit.t;
        let public = &passport.public;
        let named = match t.language {
            Language::Ja => public.name_ja.clone(),
            Language::En => public.name_en.clone(),
        };
        let finding = finding(passport);
        let title = t.word("public-finding", finding);
        Self {
            t,
            frame: visit.frame(Section::None, title),
            tone: tone(finding),
            finding,
            sureness: match passport.sureness {
                Sureness::Weak => "weak",
                Sureness::Fair => "fair",
                Sureness::Firm => "firm",
            },
            warnings: passport.warnings.iter().map(warning).collect(),
            concern: passport.concern.map(|concern| t.of(concern.text())),
            reasons: passport.reasons.iter().map(|code| t.of(code.text())).collect(),
            number: grouped(&passport.number),
            maker: passport.maker.clone(),
            product: named.or_else(|| passport.product.clone()),
            model: passport.model.clone(),
            gtin: public.gtin.map(|gtin| gtin.to_string()),
            labels: public.labels.iter().map(|label| LabelView::new(t, label, visit)).collect(),
            label_term: glossary::term(t, "security-label"),
            support: passport.support_end.map(|end| (t.date(end), end <= visit.now)),
            support_term: glossary::term(t, "support-period"),
            firmware: public.firmware.as_ref().map(|firmware| firmware.version.clone()),
            firmware_term: glossary::term(t, "firmware"),
            update: match passport.update {
                UpdateState::Newest => "newest",
                UpdateState::Other => "other",
                UpdateState::Unknown => "unknown",
            },
            phase: passport.phase.map(|phase| match phase {
                PublicPhase::Making => "making",
                PublicPhase::Trade => "trade",
                PublicPhase::InUse => "in-use",
                PublicPhase::Part => "part",
                PublicPhase::Ended => "ended",
            }),
            purposes: passport.purposes.iter().map(|it| purpose(t, it)).collect(),
            mud: passport.mud.as_ref().map(|mud| {
                let (english, japanese, more) = mud.lines.as_ref();
                let lines = match t.language {
                    Language::Ja => japanese.clone(),
                    Language::En => english.clone(),
                };
                Connections { path: mud.path.clone(), lines, more: *more }
            }),
            contact: public.contact_url.clone(),
            as_of: t.time(passport.as_of),
        }
    }
}

/// A purpose of its data: title, explanation, and why no consent is needed.
fn purpose(t: Locale, view: &service::PurposeView) -> (String, String, Option<String>) {
    let says = &view.says;
    let (title, explanation) = match t.language {
        device::Language::Ja => (&says.title_ja, &says.explanation_ja),
        device::Language::En => (&says.title_en, &says.explanation_en),
    };
    let basis = match &says.basis {
        admission::Basis::Consent => None,
        admission::Basis::Necessary(basis) => Some(basis.clone()),
    };
    (title.clone(), explanation.clone(), basis)
}

/// The word under which the finding is told. A device that nobody should buy is told as a warning,
/// whatever its record says otherwise.
fn finding(passport: &PublicPassport) -> &'static str {
    match passport.finding {
        Finding::NotGenuine => "not-genuine",
        _ if !passport.warnings.is_empty() => "warning",
        Finding::Genuine if passport.sureness == Sureness::Weak => "doubtful",
        Finding::Genuine => "genuine",
        Finding::CannotTell => "cannot-tell",
    }
}

fn tone(finding: &str) -> Tone {
    match finding {
        "genuine" => Tone::Good,
        "not-genuine" | "warning" => Tone::Bad,
        _ => Tone::Warn,
    }
}

fn warning(warning: &PublicWarning) -> &'static str {
    match warning {
        PublicWarning::LostOrStolen => "lost-or-stolen",
        PublicWarning::Counterfeit => "counterfeit",
        PublicWarning::Recalled => "recalled",
        PublicWarning::Unsafe => "unsafe",
        PublicWarning::Suspended => "suspended",
        PublicWarning::Withdrawn => "withdrawn",
        PublicWarning::Retired => "retired",
        PublicWarning::Disposed => "disposed",
        PublicWarning::Prototype => "prototype",
    }
}

impl LabelView {
    fn new(t: Locale, label: &SecurityLabel, visit: &Visit) -> Self {
        let level = label.level.as_deref().unwrap_or_default();
        let name = match label.scheme {
            LabelScheme::Other => level.to_owned(),
            scheme => format!("{} {level}", scheme.title()).trim().to_owned(),
        };
        Self {
            name,
            number: label.number.clone(),
            url: label.url.clone(),
            until: label.valid_until.map(|until| (t.date(until), until <= visit.now)),
        }
    }
}

/// The number as it is printed on labels: in groups, to be compared by eye.
pub(super) fn grouped(number: &ManagementNumber) -> String {
    let text = number.to_string();
    let groups = [text.get(..2), text.get(2..9), text.get(9..16), text.get(16..)];
    groups.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
