//! The audit log: newest first, filtered in the address, and its verification.

use super::{listing, words, words::told};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Field, Icon, Message, Pager, Tone},
};
use askama::Template;
use audit::{Kind, Outcome, Severity};
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use device::{Language, OrganisationId};
use policy::{Action, PLATFORM};
use serde::Deserialize;
use service::{AuditQuery, AuditView};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/audit", get(list)).route("/audit/verify", post(verify))
}

/// The filters, as they stand in the address.
#[derive(Debug, Default, Deserialize)]
struct Filters {
    #[serde(default)]
    organisation: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    after: String,
}

/// Whether the visitor reads the log of the whole installation.
fn sees_all(member: &Member) -> bool {
    OrganisationId::new(PLATFORM)
        .is_ok_and(|platform| words::may(member, Action::ReadAuditLog, &platform))
}

impl Filters {
    /// As the service takes them.
    fn query(&self, member: &Member) -> Result<AuditQuery, Failure> {
        let zone = member.t.zone;
        let day = |text: &str| match text {
            "" => Ok(None),
            text => zone.midnight(text).map(Some).ok_or_else(Failure::bad_request),
        };
        let kind = match self.kind.as_str() {
            "" => None,
            name => Some(Kind::from_name(name).ok_or_else(Failure::bad_request)?),
        };
        let organisation = match self.organisation.as_str() {
            "" if sees_all(member) => None,
            "" => Some(member.signed().organisation.clone()),
            id => Some(OrganisationId::new(id).map_err(|_| Failure::not_found())?),
        };
        // The last day is meant whole.
        let until = day(&self.until)?.map(|until| until.plus(86_400));
        Ok(AuditQuery { organisation, kind, from: day(&self.from)?, until })
    }

    fn fields(&self) -> [(&str, &str); 4] {
        [
            ("organisation", &self.organisation),
            ("kind", &self.kind),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }
}

async fn list(
    State(console): State<Console>,
    member: Member,
    Asked(filters): Asked<Filters>,
) -> Answer {
    let query = filters.query(&member)?;
    let page = listing::page(&filters.after);
    let found = console.service.audit_trail(member.caller(), &query, &page).await?;
    let t = member.t;
    let rows = found.items.iter().map(|view| Row::new(t, view)).collect();
    let pager =
        listing::pager(t, "/audit", &filters.fields(), &filters.after, found.next.as_deref());
    let mut fields = Vec::new();
    let everything = sees_all(&member);
    if everything {
        fields.push(
            Field::text(t, "organisation", t.text("audit-organisation"))
                .value(&filters.organisation)
                .hint(t.text("audit-organisation-hint"))
                .most(40),
        );
    }
    let kinds = Kind::ALL.iter().map(|kind| (kind.name().to_owned(), kind_name(t, *kind)));
    let kinds = words::choices(t.text("words-all"), kinds);
    fields.push(Field::select(t, "kind", t.text("audit-kind"), kinds).value(&filters.kind));
    fields.push(Field::date(t, "from", t.text("audit-from")).value(&filters.from));
    fields.push(Field::date(t, "until", t.text("audit-until")).value(&filters.until));
    let frame = member.frame(Section::Audit, t.text("audit-title"));
    let empty = Empty::new(Icon::Audit, t.text("audit-empty"), t.text("audit-empty-hint"));
    let lead = if everything {
        t.text("audit-lead-all").to_string()
    } else {
        t.text("audit-lead-own").to_string()
    };
    Ok(member.page(&ListPage { t, frame, lead, fields, rows, pager, empty }))
}

fn kind_name(t: Locale, kind: Kind) -> String {
    match t.language {
        Language::En => kind.english(),
        Language::Ja => kind.japanese(),
    }
    .to_owned()
}

/// Its word in keys of texts.
fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "informational",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

struct Row {
    sequence: String,
    when: Moment,
    kind: String,
    severity: Badge,
    outcome: Badge,
    actor: Option<String>,
    subject: Option<String>,
    organisation: Option<String>,
    details: Vec<(String, String)>,
}

impl Row {
    fn new(t: Locale, view: &AuditView) -> Self {
        let event = &view.event;
        let tone = match event.severity_of() {
            Severity::Informational => Tone::Neutral,
            Severity::Low => Tone::Info,
            Severity::Medium => Tone::Warn,
            Severity::High | Severity::Critical => Tone::Bad,
        };
        let outcome = event.outcome();
        let outcome_tone = match outcome {
            Outcome::Success => Tone::Good,
            Outcome::Failure => Tone::Held,
            Outcome::Error => Tone::Bad,
        };
        let mut details: Vec<_> =
            event.details().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if let Some(source) = event.source_of() {
            details.push((t.text("audit-source").to_string(), source.to_string()));
        }
        Self {
            sequence: t.number(view.sequence),
            when: t.time(event.at()),
            kind: kind_name(t, event.kind()),
            severity: Badge::new(
                tone,
                t.word("audit-severity", severity_name(event.severity_of())),
            ),
            outcome: Badge::new(outcome_tone, t.word("audit-outcome", outcome.name())),
            actor: event.actor_of().map(str::to_owned),
            subject: event.subject_of().map(str::to_owned),
            organisation: event.organisation_of().map(str::to_owned),
            details,
        }
    }
}

#[derive(Template)]
#[template(path = "audit/list.html")]
struct ListPage {
    t: Locale,
    frame: Frame,
    lead: String,
    fields: Vec<Field>,
    rows: Vec<Row>,
    pager: Pager,
    empty: Empty,
}

/// Takes time in proportion to the log; changes nothing, so that loading it again does no harm.
async fn verify(State(console): State<Console>, member: Member, _form: Fields) -> Answer {
    let check = console.service.audit_verify(member.caller()).await?;
    let t = member.t;
    let result = match &check.broken {
        None => Message::new(Tone::Good, t.text("audit-holds")),
        Some(broken) => {
            let broken = told(t, broken, check.broken_ja.as_deref());
            Message::new(Tone::Bad, broken).title(t.text("audit-broken"))
        }
    };
    let page = CheckPage {
        t,
        frame: member.frame(Section::Audit, t.text("audit-check-title")),
        result,
        events: t.number(check.events),
        anchors: t.number(i128::try_from(check.anchors).unwrap_or(i128::MAX)),
        at: t.time(member.now),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "audit/check.html")]
struct CheckPage {
    t: Locale,
    frame: Frame,
    result: Message,
    events: String,
    anchors: String,
    at: Moment,
}
