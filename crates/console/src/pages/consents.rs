//! What data of devices is for, and what the organisation agreed to (PR-2): a switch for each purpose, for all
//! devices of a product line and for one, with who decided what. Works without script.

use super::{
    listing::{self, Place},
    sensitive, words,
};
use crate::{
    Answer, Asked, Console, Failure, Frame, Member, Posted, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Icon, Pager, Tone},
};
use admission::{Basis, ConsentDecision};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use device::{DeviceId, Language};
use policy::Action;
use serde::Deserialize;
use service::{
    ConsentDecisionView, NewConsentDecision, ProductConsents, PurposeConsent, PurposeView,
};

const HERE: &str = "/consents";

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/consents", get(all).post(decide))
        .route("/devices/{id}/consents", get(of_device))
}

/// A purpose as people read it.
pub(super) struct Said {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) explanation: Vec<String>,
    pub(super) topics: Vec<String>,
    pub(super) recipients: String,
    pub(super) kept: String,
    pub(super) basis: Option<String>,
    pub(super) version: u64,
    pub(super) made: Moment,
    pub(super) ended: bool,
}

pub(super) fn said(t: Locale, view: PurposeView) -> Said {
    let says = view.says;
    let (title, explanation) = match t.language {
        Language::Ja => (says.title_ja, says.explanation_ja),
        Language::En => (says.title_en, says.explanation_en),
    };
    Said {
        name: view.name.to_string(),
        title,
        explanation: explanation.lines().map(str::to_owned).collect(),
        topics: says.topics,
        recipients: says.recipients.join(", "),
        kept: t.text("consents-days").arg("days", says.retention_days).to_string(),
        basis: match says.basis {
            Basis::Consent => None,
            Basis::Necessary(basis) => Some(basis),
        },
        version: view.version,
        made: t.time(view.made_at),
        ended: view.ended,
    }
}

/// A purpose with its switch.
struct Row {
    says: Said,
    state: Badge,
    decided: Option<String>,
    own: Option<String>,
    exceptions: Option<String>,
    /// what its buttons do: decision and word
    buttons: Vec<(&'static str, String, bool)>,
}

struct Line {
    id: String,
    maker: String,
    product: String,
    name: String,
    rows: Vec<Row>,
}

fn decided(t: Locale, (decision, version, at): (ConsentDecision, u64, crypto::UnixTime)) -> String {
    let word = t.word("consent", decision.name()).to_string();
    let version = t.text("consents-version").arg("version", version).to_string();
    format!("{word} · {version} · {}", t.time(at))
}

fn row(t: Locale, one: PurposeConsent, device: bool, may: bool) -> Row {
    let needs = one.purpose.says.basis == Basis::Consent;
    let state = match (one.purpose.ended, needs, one.stands) {
        (true, _, _) => Badge::new(Tone::Held, t.text("consents-ended")),
        (false, false, _) => Badge::new(Tone::Info, t.text("consents-necessary")),
        (false, true, true) => Badge::new(Tone::Good, t.text("consents-stands")),
        (false, true, false) => Badge::new(Tone::Neutral, t.text("consents-stands-not")),
    };
    let mut buttons = Vec::new();
    if may && needs && !one.purpose.ended {
        let give = (ConsentDecision::Given.name(), t.text("consents-give").to_string(), true);
        let withdraw =
            (ConsentDecision::Withdrawn.name(), t.text("consents-withdraw").to_string(), false);
        match device {
            false if one.stands => buttons.push(withdraw),
            // Single devices may have what all have not: that can be ended for all at once, too.
            false => {
                buttons.push(give);
                if one.exceptions.0 > 0 {
                    buttons.push(withdraw);
                }
            }
            true => {
                buttons.push(if one.stands { withdraw } else { give });
                let own = one.device.is_some_and(|(it, ..)| it != ConsentDecision::AsOrganisation);
                if own {
                    let follow = t.text("consents-follow").to_string();
                    buttons.push((ConsentDecision::AsOrganisation.name(), follow, false));
                }
            }
        }
    }
    let (given, withdrawn) = one.exceptions;
    Row {
        state,
        decided: one.organisation.map(|it| decided(t, it)),
        own: one.device.map(|it| decided(t, it)),
        exceptions: (given > 0 || withdrawn > 0).then(|| {
            t.text("consents-exceptions")
                .arg("given", given)
                .arg("withdrawn", withdrawn)
                .to_string()
        }),
        says: said(t, one.purpose),
        buttons,
    }
}

fn line(t: Locale, one: ProductConsents, device: bool, may: bool) -> Line {
    Line {
        id: format!("{}-{}", one.maker, one.product),
        maker: one.maker.to_string(),
        product: one.product.to_string(),
        name: one.name,
        rows: one.purposes.into_iter().map(|it| row(t, it, device, may)).collect(),
    }
}

struct Decided {
    what: Badge,
    purpose: String,
    line: String,
    version: u64,
    device: Option<String>,
    by: String,
    ended: bool,
    at: Moment,
}

fn history(t: Locale, one: ConsentDecisionView) -> Decided {
    let tone = match one.decision {
        ConsentDecision::Given => Tone::Good,
        ConsentDecision::Withdrawn => Tone::Held,
        ConsentDecision::AsOrganisation => Tone::Neutral,
    };
    Decided {
        what: Badge::new(tone, t.word("consent", one.decision.name())),
        purpose: one.purpose,
        line: format!("{}/{}", one.maker, one.product),
        version: one.version,
        device: one.device.map(|device| device.to_string()),
        by: one.by,
        ended: one.reason.is_some(),
        at: t.time(one.at),
    }
}

#[derive(Template)]
#[template(path = "consents/page.html")]
struct ConsentsPage {
    t: Locale,
    frame: Frame,
    device: Option<(String, String)>,
    lines: Vec<Line>,
    history: Vec<Decided>,
    pager: Pager,
    empty: Empty,
}

async fn all(State(console): State<Console>, member: Member, Asked(place): Asked<Place>) -> Answer {
    let (t, own) = (member.t, &member.signed().organisation);
    let found = console.service.purpose_consents(member.caller(), own).await?;
    let page = listing::page(&place.after);
    let past = console.service.consent_history(member.caller(), own, None, &page).await?;
    let may = words::may(&member, Action::GiveConsent, own);
    let page = ConsentsPage {
        t,
        frame: member.frame(Section::Consents, t.text("consents-title")),
        device: None,
        lines: found.into_iter().map(|it| line(t, it, false, may)).collect(),
        pager: listing::pager(t, HERE, &[], &place.after, past.next.as_deref()),
        history: past.items.into_iter().map(|it| history(t, it)).collect(),
        empty: Empty::new(Icon::Approval, t.text("consents-empty"), t.text("consents-empty-hint")),
    };
    Ok(member.page(&page))
}

async fn of_device(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Asked(place): Asked<Place>,
) -> Answer {
    let device: DeviceId = id.parse().map_err(|_| Failure::not_found())?;
    let (t, own) = (member.t, &member.signed().organisation);
    let found = console.service.device_consents(member.caller(), &device).await?;
    let view = console.service.device(member.caller(), &device).await?;
    let page = listing::page(&place.after);
    let past = console.service.consent_history(member.caller(), own, Some(&device), &page).await?;
    let may = words::may(&member, Action::GiveConsent, own);
    let here = format!("/devices/{device}/consents");
    let page = ConsentsPage {
        t,
        frame: member.frame(Section::Devices, t.text("consents-title")),
        device: Some((device.to_string(), view.serial_number)),
        lines: found
            .into_iter()
            .filter(|it| !it.purposes.is_empty())
            .map(|it| line(t, it, true, may))
            .collect(),
        pager: listing::pager(t, &here, &[], &place.after, past.next.as_deref()),
        history: past.items.into_iter().map(|it| history(t, it)).collect(),
        empty: Empty::new(Icon::Approval, t.text("consents-empty"), t.text("consents-empty-hint")),
    };
    Ok(member.page(&page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Decision {
    maker: String,
    product: String,
    purpose: String,
    version: String,
    device: String,
    decision: String,
}

async fn decide(
    State(console): State<Console>,
    member: Member,
    Posted(said): Posted<Decision>,
) -> Answer {
    let own = &member.signed().organisation;
    words::may(&member, Action::GiveConsent, own).then_some(()).ok_or_else(Failure::forbidden)?;
    let device = match said.device.as_str() {
        "" => None,
        text => Some(text.parse::<DeviceId>().map_err(|_| Failure::bad_request())?),
    };
    let here = device.map_or_else(|| HERE.to_owned(), |it| format!("/devices/{it}/consents"));
    let decision = ConsentDecision::ALL.into_iter().find(|it| it.name() == said.decision);
    let new = NewConsentDecision {
        maker: said.maker.parse().map_err(|_| Failure::bad_request())?,
        product: said.product.parse().map_err(|_| Failure::bad_request())?,
        purpose: said.purpose,
        version: said.version.parse().map_err(|_| Failure::bad_request())?,
        device,
        decision: decision.ok_or_else(Failure::bad_request)?,
    };
    match console.service.decide_consent(member.caller(), own, new).await {
        Ok(()) => Ok(member.done(&here, "consent-decided")),
        Err(error) => sensitive::answer(&member, error, &here),
    }
}
