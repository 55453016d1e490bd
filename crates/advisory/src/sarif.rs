//! Findings of scanners in the Static Analysis Results Interchange Format (OASIS SARIF 2.1.0).
//!
//! A result's level is its own, else that of its rule's configuration, else `warning` (section
//! 3.27.10). Suppressed results are counted apart (3.27.23): somebody has decided on them.

use crate::{
    AdvisoryError,
    json::{self, Members as _},
    text,
};
use serde_json::Value;
use std::collections::HashMap;

/// Largest report that is read, in bytes.
pub const SCAN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Tools that are kept by name.
const TOOLS_MAX: usize = 16;
/// Errors that are kept by rule and place.
const NAMED_MAX: usize = 20;
/// Longest name kept, in characters.
const NAME_CHARACTERS_MAX: usize = 200;
const EXPECTED: &str = "a SARIF 2.1 report";

/// What a report says, in sum.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanReport {
    /// who scanned, with versions
    pub tools: Vec<String>,
    /// findings of level `error`
    pub errors: u64,
    /// findings of level `warning`
    pub warnings: u64,
    /// findings of level `note`
    pub notes: u64,
    /// findings that somebody suppressed
    pub suppressed: u64,
    /// whether a tool says that it could not do its work
    pub aborted: bool,
    /// the first errors, as `rule: place`
    pub first: Vec<String>,
}

impl ScanReport {
    /// Reads a report.
    ///
    /// # Errors
    /// [`AdvisoryError`]: too large, malformed, of no form that is read.
    pub fn parse(bytes: &[u8]) -> Result<Self, AdvisoryError> {
        let document = json::parse(bytes, SCAN_BYTES_MAX, EXPECTED)?;
        let version = document.text("version").unwrap_or_default();
        let Some(runs) = document.get("runs").and_then(Value::as_array) else {
            return Err(AdvisoryError::malformed(EXPECTED, "it has no runs"));
        };
        if !version.starts_with("2.1") {
            let version = text::line(version, 20);
            return Err(AdvisoryError::Unsupported(format!("SARIF {version:?}; 2.1 is read")));
        }
        let mut report = Self::default();
        for run in runs {
            report.add(run);
        }
        // Nobody scanned: that is no report without findings.
        if report.tools.is_empty() {
            return Err(AdvisoryError::malformed(EXPECTED, "no run names its tool"));
        }
        Ok(report)
    }

    fn add(&mut self, run: &Value) {
        let driver = run.get("tool").and_then(|tool| tool.get("driver"));
        let name = driver.and_then(|driver| driver.text("name"));
        if let Some(name) = name.filter(|_| self.tools.len() < TOOLS_MAX) {
            let version = driver.and_then(|driver| {
                driver.text("semanticVersion").or_else(|| driver.text("version"))
            });
            let tool = match version {
                Some(version) => format!("{name} {version}"),
                None => name.to_owned(),
            };
            self.tools.push(text::line(&tool, NAME_CHARACTERS_MAX));
        }
        let failed = |notifications: &[Value]| {
            notifications.iter().any(|one| one.text("level") == Some("error"))
        };
        self.aborted |= run.list("invocations").iter().any(|one| {
            one.get("executionSuccessful").and_then(Value::as_bool) == Some(false)
                || failed(one.list("toolExecutionNotifications"))
                || failed(one.list("toolConfigurationNotifications"))
        });
        // Without results nobody looked (3.14.23); only an empty list says that nothing was found.
        self.aborted |= !run.get("results").is_some_and(Value::is_array);
        let rules = driver.map_or(&[] as &[_], |driver| driver.list("rules"));
        let level_of_rule =
            |rule: &Value| rule.get("defaultConfiguration")?.text("level").map(str::to_owned);
        let by_id: HashMap<&str, usize> = rules
            .iter()
            .enumerate()
            .filter_map(|(place, rule)| Some((rule.text("id")?, place)))
            .collect();
        for result in run.list("results") {
            // `pass`, `notApplicable`, `informational`: nothing that was found.
            if result.text("kind").is_some_and(|kind| !["fail", "open", "review"].contains(&kind)) {
                continue;
            }
            let id = result.text("ruleId").or_else(|| result.get("rule")?.text("id"));
            let index = result.get("ruleIndex").and_then(Value::as_u64);
            let index = index.and_then(|index| usize::try_from(index).ok());
            let rule = index.or_else(|| by_id.get(id?).copied()).and_then(|place| rules.get(place));
            let level = result
                .text("level")
                .map(str::to_owned)
                .or_else(|| rule.and_then(level_of_rule))
                .unwrap_or_else(|| "warning".to_owned());
            let rejected =
                |one: &Value| one.text("status").is_some_and(|status| status != "accepted");
            let suppressions = result.list("suppressions");
            if !suppressions.is_empty() && !suppressions.iter().any(rejected) {
                self.suppressed = self.suppressed.saturating_add(1);
                continue;
            }
            match level.as_str() {
                "none" => {}
                "note" => self.notes = self.notes.saturating_add(1),
                "warning" => self.warnings = self.warnings.saturating_add(1),
                // A level that nobody defined is not taken for harmless.
                _ => {
                    self.errors = self.errors.saturating_add(1);
                    if self.first.len() < NAMED_MAX {
                        let name = format!("{}: {}", id.unwrap_or("?"), place(result));
                        self.first.push(text::line(&name, NAME_CHARACTERS_MAX));
                    }
                }
            }
        }
    }
}

/// Where a result is: file and line.
fn place(result: &Value) -> String {
    let Some(physical) =
        result.list("locations").first().and_then(|one| one.get("physicalLocation"))
    else {
        return "?".to_owned();
    };
    let file = physical.get("artifactLocation").and_then(|one| one.text("uri")).unwrap_or("?");
    match physical.get("region").and_then(|one| one.get("startLine")).and_then(Value::as_u64) {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(results: &str) -> Result<ScanReport, AdvisoryError> {
        let text = format!(
            r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"scan","version":"3",
            "rules":[{{"id":"R1","defaultConfiguration":{{"level":"error"}}}},{{"id":"R2"}}]}}}},
            "results":[{results}]}}]}}"#
        );
        ScanReport::parse(text.as_bytes())
    }

    #[test]
    fn levels_come_from_results_rules_and_the_default() {
        let place = r#""locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.c"},
            "region":{"startLine":7}}}]"#;
        let found = report(&format!(
            r#"{{"ruleId":"R1",{place}}},{{"ruleId":"R2"}},{{"ruleIndex":0}},
            {{"ruleId":"R1","level":"note"}},{{"ruleId":"R1","kind":"pass"}},
            {{"ruleId":"R1","suppressions":[{{"kind":"external"}}]}},
            {{"ruleId":"R1","suppressions":[{{"kind":"external","status":"rejected"}}]}},
            {{"level":"dreadful"}},{{"ruleIndex":99}}"#
        ))
        .unwrap();
        assert_eq!(found.tools, ["scan 3"]);
        assert_eq!((found.errors, found.warnings, found.notes, found.suppressed), (4, 2, 1, 1));
        assert_eq!(found.first[0], "R1: a.c:7");
        assert!(!found.aborted);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"version":"2.1.0"}"#,
            r#"{"version":"2.1.0","runs":[]}"#,
            r#"{"version":"1.0.0","runs":[{"tool":{"driver":{"name":"a"}}}]}"#,
            r#"{"version":"2.1.0","runs":[{"results":[]}]}"#,
        ] {
            assert!(ScanReport::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let aborted = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},
            "invocations":[{"executionSuccessful":false}]}]}"#;
        assert!(ScanReport::parse(aborted.as_bytes()).unwrap().aborted);
        for (rest, aborted) in [
            (r#""results":[]"#, false),
            (r#""results":null"#, true),
            (r#""columnKind":"unicodeCodePoints""#, true),
            (
                r#""results":[],"invocations":[{"executionSuccessful":true,
                "toolExecutionNotifications":[{"level":"error","message":{"text":"no licence"}}]}]"#,
                true,
            ),
            (
                r#""results":[],"invocations":[{"executionSuccessful":true,
                "toolConfigurationNotifications":[{"level":"warning"}]}]"#,
                false,
            ),
        ] {
            let text = format!(
                r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"a"}}}},{rest}}}]}}"#
            );
            assert_eq!(ScanReport::parse(text.as_bytes()).unwrap().aborted, aborted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_and_no_error_hides(
            bytes: Vec<u8>,
            levels in proptest::collection::vec("error|warning|note|none", 0..12),
        ) {
            let _ = ScanReport::parse(&bytes);
            let results: Vec<String> =
                levels.iter().map(|level| format!("{{\"level\":{level:?}}}")).collect();
            let found = report(&results.join(",")).unwrap();
            let errors = levels.iter().filter(|level| *level == "error").count();
            proptest::prop_assert_eq!(found.errors, u64::try_from(errors).unwrap());
        }
    }
}
