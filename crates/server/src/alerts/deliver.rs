//! Alerts on their way out: one task per receiver, which takes what is due out of the durable queue, in
//! order, sends it, and notes what became of it. Delivery is at least once, with the same id each time.

use super::{
    Told,
    smtp::{Mail, Mailer},
};
use crate::outward::{keep_running, post::Poster, reach::Reach, signed, tls};
use bytes::Bytes;
use device::Language;
use policy::Caller;
use serde_json::json;
use service::{
    AlertNotice, AlertTarget, AlertTold, AlertView, Clock as _, OpenedAlertReceiver, Service,
};
use std::time::Duration;
use tokio::{sync::watch, time::sleep};

const CALLER: Caller = Caller::Platform { task: "alerts" };
/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_millis(500);
/// Longest time for a web hook to take an alert.
const TAKE: Duration = Duration::from_secs(20);
/// Longest pause until a receiver that failed is tried again, in seconds; and where it asks for more.
const PAUSE_S_MAX: (u32, u32) = (300, 3600);

/// Delivers to every receiver until told to stop.
pub(super) async fn run(service: Service, reach: Reach, stop: watch::Receiver<bool>) {
    let live = || service.live_alert_receivers(&CALLER);
    let begin = |id| tokio::spawn(deliver(service.clone(), reach.clone(), id));
    keep_running("receivers of alerts", live, begin, stop).await;
}

enum Sink {
    Hook(Poster),
    Mail(Mailer),
    /// it cannot be sent to at all, and why
    Broken(String),
}

async fn deliver(service: Service, reach: Reach, id: i64) {
    let Ok(opened) = service.open_alert_receiver(&CALLER, id) else { return };
    let sink = sink(&service, &opened, reach).unwrap_or_else(Sink::Broken);
    loop {
        match service.next_alert_notice(&CALLER, id) {
            Ok(Some(notice)) => {
                let told = match send(&service, &opened, &sink, &notice).await {
                    Told::Taken => AlertTold::Taken,
                    Told::Never(why) => AlertTold::Never(why),
                    Told::Later(why, asked) => AlertTold::Later(why, pause(&notice, asked)),
                };
                if let Err(error) = service.alert_told(&CALLER, id, &notice, told).await {
                    // It is sent again; not at once, where the store is in trouble.
                    tracing::error!(%error, "what became of a notice cannot be noted");
                    sleep(Duration::from_secs(2)).await;
                }
            }
            Ok(None) => sleep(LOOK).await,
            Err(error) => {
                tracing::error!(%error, "what waits for a receiver of alerts cannot be read");
                sleep(Duration::from_secs(2)).await;
            }
        }
    }
}

fn sink(service: &Service, opened: &OpenedAlertReceiver, reach: Reach) -> Result<Sink, String> {
    // Our own certificate is shown to nobody whom a tenant names.
    let config = |protocols: &[&[u8]]| match opened.roots.as_slice() {
        [] => tls::machine_config(protocols),
        roots => tls::config(roots, None, protocols),
    };
    Ok(match &opened.target {
        AlertTarget::Https { host, port, path } => {
            Sink::Hook(Poster::new((host, *port, path), config(&[b"http/1.1"])?, reach))
        }
        AlertTarget::Mail { host, port, implicit } => {
            let login = opened.secret.as_ref();
            Sink::Mail(Mailer {
                host: host.clone(),
                port: *port,
                implicit: *implicit,
                tls: config(&[])?,
                reach,
                login: login.map(|login| crypto::Secret::new(login.expose().to_vec())),
                own_name: service.stream_host().to_owned(),
            })
        }
    })
}

async fn send(
    service: &Service,
    opened: &OpenedAlertReceiver,
    sink: &Sink,
    notice: &AlertNotice,
) -> Told {
    match sink {
        Sink::Broken(why) => Told::Later(why.clone(), None),
        Sink::Hook(poster) => {
            let Some(key) = &opened.secret else {
                return Told::Later("the web hook has no key".to_owned(), None);
            };
            let body = Bytes::from(body(notice).to_string());
            let id = format!("alert-notice-{}", notice.id);
            let headers = match signed::headers(key, &id, crate::SystemClock.now(), &body) {
                Ok(headers) => headers,
                Err(error) => return Told::Later(error.to_string(), None),
            };
            match poster.post(&headers, &body, TAKE).await {
                Ok(answered) => match signed::judged(answered.status, answered.retry_after_s) {
                    signed::Judged::Taken => Told::Taken,
                    signed::Judged::Never(why) => Told::Never(why),
                    signed::Judged::Later(why, pause) => Told::Later(why, pause),
                },
                Err(why) => Told::Later(why, None),
            }
        }
        Sink::Mail(mailer) => {
            let id = format!("alert-notice-{}@{}", notice.id, service.stream_host());
            let mail = Mail {
                from: &opened.mail_from,
                to: &opened.mail_to,
                subject: &subject(notice, opened.language),
                text: &text(notice, opened.language),
                id: &id,
                at: notice.at,
            };
            mailer.send(&mail).await
        }
    }
}

/// After as long as it asks for, or twice as long each time, spread.
fn pause(notice: &AlertNotice, asked: Option<u32>) -> u32 {
    let usual = 1_u32.checked_shl(notice.attempts).unwrap_or(u32::MAX).clamp(1, PAUSE_S_MAX.0);
    let [spread] = crypto::random::bytes::<1>();
    let usual = usual.saturating_add(usual.saturating_mul(u32::from(spread)) / 1024);
    asked.map_or(usual, |asked| asked.clamp(1, PAUSE_S_MAX.1))
}

/// What a web hook gets: the envelope that Standard Webhooks proposes.
fn body(notice: &AlertNotice) -> serde_json::Value {
    let AlertView { id, organisation, rule, title, title_ja, suggest, about, count, .. } =
        &notice.alert;
    json!({
        "type": format!("alert.{}", notice.what),
        "timestamp": notice.at.to_string(),
        "data": {
            "alert": id,
            "organisation": organisation.to_string(),
            "rule": rule,
            "title": title,
            "title_ja": title_ja,
            "severity": notice.alert.severity.name().to_ascii_lowercase(),
            "suggest": suggest.code(),
            "suggestion": suggest.english(),
            "suggestion_ja": suggest.japanese(),
            "about": about.to_string(),
            "device": about.device().map(ToString::to_string),
            "state": notice.alert.state.name(),
            "quarantine": notice.alert.quarantine.name(),
            "count": count,
            "first": notice.alert.first_at.to_string(),
            "last": notice.alert.last_at.to_string(),
            "raised": notice.alert.raised_at.to_string(),
        },
    })
}

/// What happened, for people.
fn happened(what: &str, language: Language) -> &'static str {
    let (en, ja) = match what {
        "raised" => ("alert", "警報"),
        "closed" => ("closed", "終了"),
        "acknowledged" => ("somebody looks", "対応中"),
        "quarantined" => ("in quarantine", "隔離"),
        "released" => ("released", "隔離解除"),
        "quarantine-held-back" => ("quarantine held back", "自動隔離を見合わせ"),
        _ => ("changed", "変更"),
    };
    match language {
        Language::En => en,
        Language::Ja => ja,
    }
}

fn subject(notice: &AlertNotice, language: Language) -> String {
    let alert = &notice.alert;
    let title = match language {
        Language::En => &alert.title,
        Language::Ja => &alert.title_ja,
    };
    format!("[Tegata {} #{}] {title}", happened(&notice.what, language), alert.id)
}

fn text(notice: &AlertNotice, language: Language) -> String {
    let alert = &notice.alert;
    let severity = alert.severity.name();
    match language {
        Language::En => format!(
            "{}\n\n{}\n\nAbout: {}\nSeverity: {severity}\nCount: {}, from {} to {}\nRule: {}\n\
             Organisation: {}\nAlert: {}\nQuarantine by itself: {}\n",
            alert.title,
            alert.suggest.english(),
            alert.about,
            alert.count,
            alert.first_at,
            alert.last_at,
            alert.rule,
            alert.organisation,
            alert.id,
            alert.quarantine.name(),
        ),
        Language::Ja => format!(
            "{}\n\n{}\n\n対象: {}\n重大度: {severity}\n件数: {}（{} ～ {}）\n規則: {}\n組織: {}\n\
             警報番号: {}\n自動隔離: {}\n",
            alert.title_ja,
            alert.suggest.japanese(),
            alert.about,
            alert.count,
            alert.first_at,
            alert.last_at,
            alert.rule,
            alert.organisation,
            alert.id,
            alert.quarantine.name(),
        ),
    }
}
