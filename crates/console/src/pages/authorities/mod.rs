//! CAs and platform keys: what they are for, how often they were used, when they end, and what the
//! key policy says about them.

mod ca;

use super::{
    listing::{self, Place},
    words,
};
use crate::{
    Answer, Asked, Console, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Empty, Fingerprint, Icon, Pager, Tab, Tabs, Tone},
};
use askama::Template;
use axum::{Router, extract::State, routing::get};
use policy::{Action, Resource};

/// How far ahead the key policy looks.
const DAYS_AHEAD: u32 = 180;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/authorities", get(cas))
        .route("/authorities/keys", get(keys))
        .route("/authorities/uses", get(uses))
        .merge(ca::router())
}

/// Whether the visitor sees the platform's own keys.
fn sees_platform(member: &Member) -> bool {
    let resource = Resource::platform();
    policy::authorize(member.caller(), Action::ReadPlatformStatus, &resource).is_ok()
}

fn tabs(member: &Member, at: &str) -> Option<Tabs> {
    let t = member.t;
    sees_platform(member).then(|| {
        let tabs = [
            ("/authorities", t.text("authorities-tab-cas").to_string()),
            ("/authorities/keys", t.text("authorities-tab-keys").to_string()),
            ("/authorities/uses", t.text("authorities-tab-uses").to_string()),
        ];
        let tabs = tabs.into_iter().map(|(href, label)| Tab {
            label,
            href: href.to_owned(),
            current: href == at,
            count: None,
        });
        Tabs::new(t.text("authorities-title"), tabs.collect())
    })
}

async fn cas(State(console): State<Console>, member: Member) -> Answer {
    let caller = member.caller();
    let everything =
        policy::authorize(caller, Action::ListOrganisations, &Resource::platform()).is_ok();
    let whose = (!everything).then_some(&member.signed().organisation);
    let found = console.service.cas(caller, whose).await?;
    let t = member.t;
    let rows = found
        .iter()
        .map(|ca| {
            let certificate = ca.certificate.as_ref();
            CaRow {
                slug: ca.slug.clone(),
                name: ca.name.clone(),
                organisation: ca.organisation.to_string(),
                kind: t.word("ca-kind", ca.kind.name()).to_string(),
                state: match certificate {
                    _ if ca.retired_at.is_some() => {
                        Badge::new(Tone::Neutral, t.text("authorities-retired-ca"))
                    }
                    Some(certificate) => words::validity(t, certificate.not_after(), member.now),
                    None => Badge::new(Tone::Busy, t.text("authorities-waits")),
                },
                ends: certificate.map(|certificate| t.date(certificate.not_after())),
                algorithm: certificate
                    .and_then(|certificate| certificate.public_key().ok())
                    .map(|key| key.algorithm().to_string()),
                fingerprint: certificate
                    .map(|certificate| Fingerprint::new(t, &certificate.fingerprint())),
            }
        })
        .collect();
    let findings = if sees_platform(&member) {
        let notices = console.service.key_policy_report(caller, DAYS_AHEAD).await?;
        Some(
            notices
                .into_iter()
                .map(|notice| Finding {
                    state: if notice.at <= member.now {
                        Badge::new(Tone::Bad, t.text("authorities-broken"))
                    } else {
                        Badge::new(Tone::Warn, t.text("authorities-due"))
                    },
                    at: t.date(notice.at),
                    name: notice.name,
                    rule: words::told(t, &notice.rule, Some(&notice.rule_ja)),
                    advice: words::told(t, &notice.advice, Some(&notice.advice_ja)),
                })
                .collect(),
        )
    } else {
        None
    };
    let frame = member.frame(Section::Authorities, t.text("authorities-title"));
    let empty =
        Empty::new(Icon::Key, t.text("authorities-empty"), t.text("authorities-empty-hint"));
    let tabs = tabs(&member, "/authorities");
    let may_create = ca::may_create(&member);
    Ok(member.page(&CasPage { t, frame, tabs, rows, findings, may_create, empty }))
}

struct CaRow {
    slug: String,
    name: String,
    organisation: String,
    kind: String,
    state: Badge,
    ends: Option<Moment>,
    algorithm: Option<String>,
    fingerprint: Option<Fingerprint>,
}

struct Finding {
    state: Badge,
    at: Moment,
    name: String,
    rule: String,
    advice: String,
}

#[derive(Template)]
#[template(path = "authorities/cas.html")]
struct CasPage {
    t: Locale,
    frame: Frame,
    tabs: Option<Tabs>,
    rows: Vec<CaRow>,
    findings: Option<Vec<Finding>>,
    may_create: bool,
    empty: Empty,
}

async fn keys(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let page = listing::page(&place.after);
    let found = console.service.key_accounts(member.caller(), &page).await?;
    let t = member.t;
    let rows = found
        .items
        .iter()
        .map(|key| KeyRow {
            key: Fingerprint::new(t, &key.key),
            purpose: t.word("key-purpose", key.purpose).to_string(),
            algorithm: key.algorithm.clone(),
            since: t.date(key.created_at),
            ends: t.date(key.not_after),
            state: match (key.destroyed_at, key.retired_at) {
                (Some(_), _) => Badge::new(Tone::Neutral, t.text("authorities-destroyed")),
                (None, Some(_)) => Badge::new(Tone::Neutral, t.text("authorities-retired")),
                (None, None) => words::validity(t, key.not_after, member.now),
            },
            uses: key
                .uses
                .iter()
                .map(|(what, count)| (t.word("key-use", what).to_string(), t.number(*count)))
                .collect(),
        })
        .collect();
    let pager = listing::pager(t, "/authorities/keys", &[], &place.after, found.next.as_deref());
    let frame = member.frame(Section::Authorities, t.text("authorities-keys-title"));
    let tabs = tabs(&member, "/authorities/keys");
    Ok(member.page(&KeysPage { t, frame, tabs, rows, pager }))
}

struct KeyRow {
    key: Fingerprint,
    purpose: String,
    algorithm: String,
    since: Moment,
    ends: Moment,
    state: Badge,
    uses: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "authorities/keys.html")]
struct KeysPage {
    t: Locale,
    frame: Frame,
    tabs: Option<Tabs>,
    rows: Vec<KeyRow>,
    pager: Pager,
}

async fn uses(
    State(console): State<Console>,
    member: Member,
    Asked(place): Asked<Place>,
) -> Answer {
    let page = listing::page(&place.after);
    let found = console.service.key_uses(member.caller(), &page).await?;
    let t = member.t;
    let rows = found
        .items
        .iter()
        .map(|one| UseRow {
            when: t.time(one.at),
            purpose: t.word("key-purpose", one.purpose).to_string(),
            what: t.word("key-use", one.what).to_string(),
            subject: hex::encode(&one.subject),
            by: one.by.clone(),
            key: Fingerprint::new(t, &one.key),
        })
        .collect();
    let pager = listing::pager(t, "/authorities/uses", &[], &place.after, found.next.as_deref());
    let frame = member.frame(Section::Authorities, t.text("authorities-uses-title"));
    let empty =
        Empty::new(Icon::Key, t.text("authorities-no-uses"), t.text("authorities-no-uses-hint"));
    let tabs = tabs(&member, "/authorities/uses");
    Ok(member.page(&UsesPage { t, frame, tabs, rows, pager, empty }))
}

struct UseRow {
    when: Moment,
    purpose: String,
    what: String,
    subject: String,
    by: String,
    key: Fingerprint,
}

#[derive(Template)]
#[template(path = "authorities/uses.html")]
struct UsesPage {
    t: Locale,
    frame: Frame,
    tabs: Option<Tabs>,
    rows: Vec<UseRow>,
    pager: Pager,
    empty: Empty,
}
