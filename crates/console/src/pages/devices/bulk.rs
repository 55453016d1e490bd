//! One act on many devices: said beforehand, then started as a job.

use super::{Filters, bulk_acts};
use crate::{
    Answer, Console, Failure, Fields, Frame, Member, Section, failure,
    i18n::Locale,
    pages::{listing, sensitive},
    ui::{ButtonKind, Choice, Confirm, Field, Message, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use device::{Cause, DeviceId};
use service::{BulkAct, DeviceAct, Selection};

/// Lifetime of the enrolment codes that a job releases.
const CODE_LIFETIME_S: i64 = 7 * 86_400;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/devices/bulk", get(ask).post(start))
}

/// What was chosen in the list; the same fields in the address and in the form.
pub(super) struct Chosen {
    act: String,
    cause: String,
    reason: String,
    devices: Vec<String>,
    pub(super) everything: bool,
    pub(super) filters: Filters,
}

impl Chosen {
    pub(super) fn read(pairs: &[(String, String)]) -> Result<Self, Failure> {
        let first = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let filters = serde_html_form::to_string(pairs)
            .ok()
            .and_then(|text| serde_html_form::from_str(&text).ok())
            .ok_or_else(Failure::bad_request)?;
        Ok(Self {
            act: first("act"),
            cause: first("cause"),
            reason: first("reason"),
            devices: pairs
                .iter()
                .filter(|(key, _)| key == "device")
                .map(|(_, value)| value.clone())
                .collect(),
            everything: first("everything") == "yes",
            filters,
        })
    }

    fn selection(&self) -> Result<Selection, Failure> {
        if self.everything {
            return Ok(Selection::Search(Box::new(self.filters.search()?)));
        }
        Ok(Selection::Devices(self.named()?))
    }

    /// The devices that are named one by one.
    pub(super) fn named(&self) -> Result<Vec<DeviceId>, Failure> {
        let devices = self.devices.iter().map(|id| id.parse::<DeviceId>());
        devices.collect::<Result<_, _>>().map_err(|_| Failure::bad_request())
    }

    /// `usual`: the cause where none is chosen yet.
    fn act(&self, usual: Option<Cause>) -> Option<BulkAct> {
        if self.act == "release-codes" {
            return Some(BulkAct::ReleaseCodes { lifetime_s: CODE_LIFETIME_S });
        }
        if !BulkAct::NAMES.contains(&self.act.as_str()) {
            return None;
        }
        let cause = self.cause.parse().ok().or(usual);
        DeviceAct::from_name(&self.act, cause, None).map(BulkAct::Device)
    }

    /// What the next request carries along.
    fn hidden(&self) -> Vec<(&str, &str)> {
        let mut hidden = vec![("act", self.act.as_str())];
        hidden.extend(self.selected());
        hidden
    }

    /// Where the question is asked again, with the answers so far.
    fn address(&self) -> String {
        let mut all = self.hidden();
        for (name, value) in [("cause", &self.cause), ("reason", &self.reason)] {
            if !value.is_empty() {
                all.push((name, value.as_str()));
            }
        }
        listing::address("/devices/bulk", &all)
    }

    /// The selection alone.
    pub(super) fn selected(&self) -> Vec<(&str, &str)> {
        if self.everything {
            let mut all = vec![("everything", "yes")];
            all.extend(self.filters.pairs());
            all
        } else {
            self.devices.iter().map(|id| ("device", id.as_str())).collect()
        }
    }
}

async fn ask(State(console): State<Console>, member: Member, RawQuery(query): RawQuery) -> Answer {
    let pairs: Vec<(String, String)> =
        serde_html_form::from_str(query.as_deref().unwrap_or_default())
            .map_err(|_| Failure::bad_request())?;
    let chosen = Chosen::read(&pairs)?;
    let t = member.t;
    let back = listing::address("/devices", &chosen.filters.pairs());
    if !chosen.everything && chosen.devices.is_empty() {
        return Ok(member.done(&back, "nothing-selected"));
    }
    if !bulk_acts(&member).contains(&chosen.act.as_str()) {
        return Err(Failure::forbidden());
    }
    let act = chosen.act(Some(Cause::Anomaly)).ok_or_else(Failure::bad_request)?;
    let own = &member.signed().organisation;
    let selection = chosen.selection()?;
    let preview = console.service.preview_bulk(member.caller(), own, &act, &selection).await?;
    let frame = member.frame(Section::Devices, t.word("bulk-title", &chosen.act));
    let count = t.text("bulk-devices").arg("count", preview.devices).to_string();
    let mut confirm = Confirm::new(&frame, "/devices/bulk", &count, &back)
        .effect(
            t.text("bulk-allowed")
                .arg("allowed", preview.allowed)
                .arg("tried", preview.tried)
                .to_string(),
        )
        .effect(t.word("bulk-means", &chosen.act).to_string());
    for (name, value) in chosen.hidden() {
        confirm = confirm.hidden(name, value);
    }
    if matches!(chosen.act.as_str(), "suspend" | "retire" | "revoke") {
        let none = Choice::new("", t.text("act-cause-choose"));
        let all = Cause::ALL.iter().map(|cause| Choice::new(cause.name(), t.of(cause.text())));
        let causes = [none].into_iter().chain(all).collect();
        confirm = confirm.field(
            Field::select(t, "cause", t.text("bulk-cause"), causes)
                .value(chosen.cause.as_str())
                .required(),
        );
    }
    let reason = Field::text(t, "reason", t.text("bulk-reason"))
        .hint(t.text("bulk-reason-hint"))
        .required()
        .value(chosen.reason.as_str())
        .most(200);
    let danger = matches!(chosen.act.as_str(), "revoke" | "retire");
    let kind = if danger { ButtonKind::Danger } else { ButtonKind::Primary };
    let confirm = confirm.field(reason).button(kind, t.word("bulk-name", &chosen.act));
    let refusals = preview
        .refusals
        .iter()
        .map(|(problem, count)| {
            let text = failure::said(t.language, problem);
            (text, t.number(*count))
        })
        .collect();
    let none = (preview.allowed == 0).then(|| Message::new(Tone::Warn, t.text("bulk-none")));
    Ok(member.page(&BulkPage { t, frame, back, none, confirm, refusals }))
}

async fn start(State(console): State<Console>, member: Member, form: Fields) -> Answer {
    let chosen = Chosen::read(form.pairs())?;
    let act = chosen.act(None).ok_or_else(Failure::bad_request)?;
    let own = &member.signed().organisation;
    let selection = chosen.selection()?;
    let reason = form.get("reason").trim();
    let job = console.service.start_bulk(member.caller(), own, &act, &selection, reason).await;
    match job {
        Ok(job) => Ok(member.done(&format!("/jobs/{}", job.id), "job-started")),
        Err(error) => {
            let back = chosen.address();
            sensitive::answer(&member, error, &back)
        }
    }
}

#[derive(Template)]
#[template(path = "devices/bulk.html")]
struct BulkPage {
    t: Locale,
    frame: Frame,
    back: String,
    none: Option<Message>,
    confirm: Confirm,
    refusals: Vec<(String, String)>,
}
