//! Counters and times of the doors, in the text format of Prometheus (version 0.0.4).

use crate::limit::Refusal;
use http::StatusCode;
use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Media type of the text format.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum $name { $($(#[$vdoc])* $variant,)+ }
        impl $name {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];
            pub(crate) fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }
    };
}

labels! {
    /// Which protocol a request speaks.
    Door {
        Rest = "rest",
        Est = "est",
        Ocsp = "ocsp",
        Public = "public",
        Console = "console",
    }
}

labels! {
    /// What was turned away before it reached a use case.
    Turned {
        ConnectionsFull = "connections_full",
        SourceFull = "source_connections_full",
        Handshake = "tls_handshake",
        RateSource = "rate_source",
        RateCredential = "rate_credential",
        Busy = "busy",
        Slow = "slow",
        TooLarge = "too_large",
        Malformed = "malformed",
        Unauthenticated = "unauthenticated",
        Forbidden = "forbidden",
    }
}

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full => Self::ConnectionsFull,
            Refusal::SourceFull => Self::SourceFull,
        }
    }
}

/// Upper bounds of the time buckets, in microseconds.
const BUCKETS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Debug, Default)]
struct OfDoor {
    classes: [AtomicU64; CLASSES.len()],
    buckets: [AtomicU64; BUCKETS_US.len()],
    time_us: AtomicU64,
    answers: AtomicU64,
}

/// What the doors have done since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    doors: [OfDoor; Door::ALL.len()],
    turned: [AtomicU64; Turned::ALL.len()],
    connections: AtomicU64,
    handshakes: AtomicU64,
    resumed: AtomicU64,
    tls13: AtomicU64,
    events_suppressed: AtomicU64,
}

impl Metrics {
    pub(crate) fn answered(&self, door: Door, status: StatusCode, time: Duration) {
        let Some(of_door) = self.doors.get(door as usize) else { return };
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = of_door.classes.get(class) {
            counter.fetch_add(1, Relaxed);
        }
        let time_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        of_door.answers.fetch_add(1, Relaxed);
        of_door.time_us.fetch_add(time_us, Relaxed);
        let bucket = BUCKETS_US.iter().position(|most| time_us <= *most);
        if let Some(counter) = bucket.and_then(|at| of_door.buckets.get(at)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn turned(&self, what: Turned) {
        if let Some(counter) = self.turned.get(what as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn handshake(&self, tls13: bool, resumed: bool) {
        self.handshakes.fetch_add(1, Relaxed);
        self.tls13.fetch_add(u64::from(tls13), Relaxed);
        self.resumed.fetch_add(u64::from(resumed), Relaxed);
    }

    pub(crate) fn event_suppressed(&self) {
        self.events_suppressed.fetch_add(1, Relaxed);
    }

    /// The text, with `gauges` (name, help, value) that others measure.
    pub(crate) fn text(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut out = String::with_capacity(8 * 1024);
        head(&mut out, "tegata_requests_total", "counter", "answers by door and status class");
        for (door, of_door) in Door::ALL.iter().zip(&self.doors) {
            for (class, count) in CLASSES.iter().zip(&of_door.classes) {
                let labels = format!("door=\"{}\",status=\"{class}\"", door.label());
                line(&mut out, "tegata_requests_total", &labels, count.load(Relaxed));
            }
        }
        let name = "tegata_request_seconds";
        head(&mut out, name, "histogram", "time from a request's header to its answer");
        for (door, of_door) in Door::ALL.iter().zip(&self.doors) {
            let door = door.label();
            let mut sum = 0;
            for (most, count) in BUCKETS_US.iter().zip(&of_door.buckets) {
                sum += count.load(Relaxed);
                let labels = format!("door=\"{door}\",le=\"{}\"", seconds(*most));
                line(&mut out, "tegata_request_seconds_bucket", &labels, sum);
            }
            let all = of_door.answers.load(Relaxed).max(sum);
            let labels = format!("door=\"{door}\",le=\"+Inf\"");
            line(&mut out, "tegata_request_seconds_bucket", &labels, all);
            let total = seconds(of_door.time_us.load(Relaxed));
            let _ = writeln!(out, "tegata_request_seconds_sum{{door=\"{door}\"}} {total}");
            line(&mut out, "tegata_request_seconds_count", &format!("door=\"{door}\""), all);
        }
        head(&mut out, "tegata_turned_away_total", "counter", "refused at the door, by reason");
        for (reason, count) in Turned::ALL.iter().zip(&self.turned) {
            let labels = format!("reason=\"{}\"", reason.label());
            line(&mut out, "tegata_turned_away_total", &labels, count.load(Relaxed));
        }
        for (name, help, counter) in [
            ("tegata_connections_total", "connections taken", &self.connections),
            ("tegata_tls_handshakes_total", "TLS handshakes completed", &self.handshakes),
            ("tegata_tls_resumed_total", "of these, resumed sessions", &self.resumed),
            ("tegata_tls13_total", "of these, TLS 1.3", &self.tls13),
            (
                "tegata_security_events_suppressed_total",
                "security events counted and not recorded, since alike ones were",
                &self.events_suppressed,
            ),
        ] {
            head(&mut out, name, "counter", help);
            let _ = writeln!(out, "{name} {}", counter.load(Relaxed));
        }
        for (name, help, value) in gauges {
            head(&mut out, name, "gauge", help);
            let _ = writeln!(out, "{name} {value}");
        }
        out
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(out, "{name}{{{labels}}} {value}");
}

fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_what_was_counted() {
        let metrics = Metrics::default();
        metrics.answered(Door::Est, StatusCode::OK, Duration::from_micros(300));
        metrics.answered(Door::Est, StatusCode::NOT_FOUND, Duration::from_secs(60));
        metrics.turned(Turned::Busy);
        let text = metrics.text(&[("tegata_connections", "connections open", 3)]);
        for expected in [
            "tegata_requests_total{door=\"est\",status=\"2xx\"} 1\n",
            "tegata_requests_total{door=\"est\",status=\"4xx\"} 1\n",
            "tegata_request_seconds_bucket{door=\"est\",le=\"0.000250\"} 0\n",
            "tegata_request_seconds_bucket{door=\"est\",le=\"0.000500\"} 1\n",
            "tegata_request_seconds_bucket{door=\"est\",le=\"10.000000\"} 1\n",
            "tegata_request_seconds_bucket{door=\"est\",le=\"+Inf\"} 2\n",
            "tegata_request_seconds_sum{door=\"est\"} 60.000300\n",
            "tegata_turned_away_total{reason=\"busy\"} 1\n",
            "# TYPE tegata_connections gauge\ntegata_connections 3\n",
        ] {
            assert!(text.contains(expected), "{expected} not in\n{text}");
        }
    }
}
