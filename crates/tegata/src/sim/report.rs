//! What came of a run, and whether it is what the scenario expects.

use super::{
    attack::AttackAtWork,
    figures::Reasons,
    fleet::{BYTES_PER_DEVICE, Play, locked},
    judge::{Held, Raised},
    owner::OrderReport,
};
use crate::output::table;
use serde::Serialize;
use std::sync::Arc;

/// What came of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// the scenario
    pub scenario: String,
    /// its seed
    pub seed: u64,
    /// how long it was played, in seconds
    pub seconds: u64,
    /// devices
    pub devices: u64,
    /// of these, enrolled just now
    pub enrolled: u64,
    /// memory of a device that sleeps
    pub bytes_per_device: usize,
    /// most memory of this process, in KiB
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_kib: Option<u64>,
    /// devices that do what they should
    pub groups: Vec<GroupReport>,
    /// those who do not
    pub attackers: Vec<AttackReport>,
    /// what the owner told devices
    pub commands: Vec<OrderReport>,
    /// what the platform holds
    pub held: Held,
    /// what it raised
    pub alerts: Vec<Raised>,
    /// what was expected
    pub expectations: Vec<Expectation>,
    /// whether all of it came
    pub met: bool,
    /// whether somebody stopped it
    pub stopped: bool,
}

/// What came of a group. Times in milliseconds.
#[derive(Debug, Serialize)]
pub struct GroupReport {
    /// its name
    pub name: String,
    /// its door
    pub door: &'static str,
    /// devices that do what they should
    pub devices: u32,
    /// messages that were due
    pub made: u64,
    /// messages that the platform acknowledged
    pub acknowledged: u64,
    /// messages that it refused
    pub refused: u64,
    /// messages sent of which nobody knows what became of them
    pub unanswered: u64,
    /// messages that were sent again and refused then as a replay is
    pub repeated: u64,
    /// messages that had no room on the device
    pub dropped: u64,
    /// messages that wait on the device
    pub waiting: u64,
    /// connections
    pub connects: u64,
    /// of these, after one that was lost
    pub reconnects: u64,
    /// connections that came to nothing
    pub connects_failed: u64,
    /// commands and settings that were answered
    pub answered: u64,
    /// from sending to the acknowledgement
    pub p50_ms: Option<f64>,
    /// the same
    pub p99_ms: Option<f64>,
    /// connection, handshake and welcome
    pub connect_p50_ms: Option<f64>,
    /// the same
    pub connect_p99_ms: Option<f64>,
    /// why
    pub reasons: Reasons,
}

/// What came of an attack.
#[derive(Debug, Serialize)]
pub struct AttackReport {
    /// its name
    pub name: String,
    /// what it does
    pub kind: &'static str,
    /// devices that it had
    pub devices: u32,
    /// how often it was tried
    pub attempts: u64,
    /// how often the platform took it
    pub admitted: u64,
    /// how often it did not
    pub refused: u64,
    /// why
    pub reasons: Reasons,
    /// rules of which an alert was raised about its devices
    pub alerts: Vec<String>,
    /// why it broke off
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Something that was expected.
#[derive(Debug, Serialize)]
pub struct Expectation {
    /// what
    pub what: String,
    /// what was found
    pub found: String,
    /// whether it is as it should be
    pub met: bool,
}

impl Expectation {
    fn most(what: &str, most: u64, found: u64) -> Self {
        Self {
            what: format!("{what} at most {most}"),
            found: found.to_string(),
            met: found <= most,
        }
    }

    /// Where nothing was acknowledged, nothing was in time.
    fn in_time(what: String, most: std::time::Duration, found: Option<f64>) -> Self {
        Self {
            what,
            found: found.map_or("nothing acknowledged".to_owned(), |ms| format!("{ms:.0} ms")),
            met: found.is_some_and(|ms| ms <= most.as_secs_f64() * 1000.0),
        }
    }

    fn least(what: &str, least: u64, found: u64) -> Self {
        Self {
            what: format!("{what} at least {least}"),
            found: found.to_string(),
            met: found >= least,
        }
    }
}

impl Report {
    /// Puts everything together, and holds it against what the scenario expects.
    pub fn new(
        play: &Play,
        attacks: &[Arc<AttackAtWork>],
        (held, alerts, commands): (Held, Vec<Raised>, Vec<OrderReport>),
        enrolled: usize,
        seconds: u64,
    ) -> anyhow::Result<Self> {
        let stopped = play.stopped.load(std::sync::atomic::Ordering::Relaxed);
        let mut report = Self {
            scenario: play.scenario.name.clone(),
            seed: play.seed,
            seconds,
            devices: play.scenario.devices(),
            enrolled: u64::try_from(enrolled)?,
            bytes_per_device: BYTES_PER_DEVICE,
            peak_kib: peak_kib(),
            groups: groups(play),
            attackers: Vec::new(),
            commands,
            held,
            alerts,
            expectations: Vec::new(),
            met: false,
            stopped,
        };
        for attack in attacks {
            report.attackers.push(attack_report(play, attack, &report.alerts)?);
        }
        report.expect(play, attacks)?;
        report.met = !stopped && report.expectations.iter().all(|it| it.met);
        Ok(report)
    }

    fn expect(&mut self, play: &Play, attacks: &[Arc<AttackAtWork>]) -> anyhow::Result<()> {
        let mut all = Vec::new();
        let expect = &play.scenario.expect;
        if let Some(most) = expect.lost {
            all.push(Expectation::most("acknowledged messages lost", most, self.held.lost));
        }
        if let Some(most) = expect.other_alerts_max {
            let count = self.alerts.iter().filter(|it| it.other).count();
            let what = "alerts about devices that nobody attacked";
            all.push(Expectation::most(what, most, u64::try_from(count)?));
        }
        for rule in &expect.alerts {
            let count = self.alerts.iter().filter(|it| it.rule == *rule).count();
            all.push(Expectation::least(&format!("alerts of {rule}"), 1, u64::try_from(count)?));
        }
        for (at, group) in play.groups.iter().zip(&self.groups) {
            let (wanted, name) = (&at.group.expect, &group.name);
            if let Some(least) = wanted.acknowledged_min {
                let what = format!("{name}: acknowledged");
                all.push(Expectation::least(&what, least, group.acknowledged));
            }
            if let Some(most) = wanted.refused_max {
                all.push(Expectation::most(&format!("{name}: refused"), most, group.refused));
            }
            if let Some(most) = wanted.undelivered_max {
                let found = group.unanswered + group.dropped + group.waiting;
                all.push(Expectation::most(&format!("{name}: undelivered"), most, found));
            }
            if let Some(most) = wanted.p99_max {
                let what = format!("{name}: p99 at most {} ms", most.ms());
                all.push(Expectation::in_time(what, most.0, group.p99_ms));
            }
        }
        for (attack, found) in attacks.iter().zip(&self.attackers) {
            let (wanted, name) = (&attack.attacker.expect, &found.name);
            let usual = attack.attacker.kind.never_admitted().then_some(0);
            if let Some(most) = wanted.admitted_max.or(usual) {
                all.push(Expectation::most(&format!("{name}: admitted"), most, found.admitted));
            }
            if let Some(least) = wanted.refused_min {
                all.push(Expectation::least(&format!("{name}: refused"), least, found.refused));
            }
            if let Some(rule) = &wanted.alert {
                let devices = attack.devices(play)?;
                let about = |id: &device::DeviceId| {
                    let id = id.to_string();
                    self.alerts.iter().any(|it| it.rule == *rule && it.device.as_ref() == Some(&id))
                };
                let count = devices.iter().filter(|id| about(id)).count();
                let what = format!("{name}: devices with an alert of {rule}");
                let least = u64::from(attack.attacker.count);
                all.push(Expectation::least(&what, least, u64::try_from(count)?));
            }
            if let Some(error) = &found.error {
                let what = format!("{name}: carried out");
                all.push(Expectation { what, found: error.clone(), met: false });
            } else if found.attempts == 0 {
                all.push(Expectation::least(&format!("{name}: attempts"), 1, 0));
            }
        }
        for (order, found) in play.scenario.orders.iter().zip(&self.commands) {
            if let Some(least) = order.done_min {
                let what = format!("{}: devices of {} that did it", found.name, found.group);
                all.push(Expectation::least(&what, least, found.done));
            }
        }
        self.expectations = all;
        Ok(())
    }

    /// For people.
    pub fn text(&self) -> String {
        let ms = |time: Option<f64>| time.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        let mut parts = vec![format!(
            "{}: {} devices ({} enrolled now), seed {}, {} s, {} bytes for a device that sleeps{}",
            self.scenario,
            self.devices,
            self.enrolled,
            self.seed,
            self.seconds,
            self.bytes_per_device,
            self.peak_kib.map_or(String::new(), |kib| format!(", {} MiB at most", kib / 1024)),
        )];
        let head = [
            "group",
            "door",
            "devices",
            "due",
            "acknowledged",
            "refused",
            "unanswered",
            "waiting",
            "connects",
            "again",
            "failed",
            "p50 ms",
            "p99 ms",
            "connect p50",
            "p99",
        ];
        parts.push(table(
            &head,
            self.groups.iter().map(|it| {
                vec![
                    it.name.clone(),
                    it.door.to_owned(),
                    it.devices.to_string(),
                    it.made.to_string(),
                    it.acknowledged.to_string(),
                    it.refused.to_string(),
                    it.unanswered.to_string(),
                    it.waiting.to_string(),
                    it.connects.to_string(),
                    it.reconnects.to_string(),
                    it.connects_failed.to_string(),
                    ms(it.p50_ms),
                    ms(it.p99_ms),
                    ms(it.connect_p50_ms),
                    ms(it.connect_p99_ms),
                ]
            }),
        ));
        for it in self.groups.iter().filter(|it| !it.reasons.is_empty()) {
            parts.push(format!("{}: {}", it.name, it.reasons.text()));
        }
        if !self.attackers.is_empty() {
            let head =
                ["attacker", "kind", "devices", "attempts", "admitted", "refused", "alerts", "why"];
            parts.push(table(
                &head,
                self.attackers.iter().map(|it| {
                    vec![
                        it.name.clone(),
                        it.kind.to_owned(),
                        it.devices.to_string(),
                        it.attempts.to_string(),
                        it.admitted.to_string(),
                        it.refused.to_string(),
                        it.alerts.join(", "),
                        it.error.clone().unwrap_or_else(|| it.reasons.text()),
                    ]
                }),
            ));
        }
        for it in &self.commands {
            parts.push(format!(
                "command {}: {} of {} devices of {} did it {}",
                it.name,
                it.done,
                it.given,
                it.group,
                it.others.text()
            ));
        }
        let held = &self.held;
        parts.push(format!(
            "held by the platform: {} of {} acknowledged messages of {} devices that were looked at; \
             {} admitted where {} were acknowledged; {} lost",
            held.looked_for.saturating_sub(held.missing),
            held.looked_for,
            held.devices,
            held.admitted,
            held.acknowledged,
            held.lost,
        ));
        for it in self.alerts.iter().filter(|it| it.attacker.is_none()) {
            parts.push(format!("alert {} of {}: {}", it.alert, it.rule, it.about));
        }
        for it in &self.expectations {
            let word = if it.met { "met" } else { "NOT MET" };
            parts.push(format!("{word}: {}: {}", it.what, it.found));
        }
        if self.stopped {
            parts.push("stopped before the end".to_owned());
        }
        parts.join("\n")
    }
}

fn groups(play: &Play) -> Vec<GroupReport> {
    play.groups
        .iter()
        .map(|at| {
            let it = locked(&at.figures).clone();
            GroupReport {
                name: at.group.name.clone(),
                door: at.group.door.name(),
                devices: at.honest,
                made: it.made,
                acknowledged: it.acknowledged,
                refused: it.refused,
                unanswered: it.unanswered,
                repeated: it.repeated,
                dropped: it.dropped,
                waiting: it.waiting,
                connects: it.connects,
                reconnects: it.reconnects,
                connects_failed: it.failed,
                answered: it.answered,
                p50_ms: it.latency.percentile(50),
                p99_ms: it.latency.percentile(99),
                connect_p50_ms: it.handshake.percentile(50),
                connect_p99_ms: it.handshake.percentile(99),
                reasons: it.reasons,
            }
        })
        .collect()
}

fn attack_report(
    play: &Play,
    attack: &AttackAtWork,
    alerts: &[Raised],
) -> anyhow::Result<AttackReport> {
    let outcome = locked(&attack.outcome).clone();
    let devices: Vec<String> = attack.devices(play)?.into_iter().map(|id| id.to_string()).collect();
    let mut rules: Vec<String> = alerts
        .iter()
        .filter(|it| it.device.as_ref().is_some_and(|id| devices.contains(id)))
        .map(|it| it.rule.clone())
        .collect();
    rules.sort_unstable();
    rules.dedup();
    Ok(AttackReport {
        name: attack.attacker.name.clone(),
        kind: attack.attacker.kind.name(),
        devices: attack.attacker.count,
        attempts: outcome.attempts,
        admitted: outcome.admitted,
        refused: outcome.refused,
        reasons: outcome.reasons,
        alerts: rules,
        error: outcome.error,
    })
}

/// The most memory that this process had (proc_pid_status(5), VmHWM).
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn nothing_acknowledged_is_not_in_time() {
        let met = |found| Expectation::in_time("x".into(), Duration::from_millis(20), found).met;
        assert!(met(Some(20.0)) && !met(Some(21.0)) && !met(None));
    }
}
