//! Test results in the XML that JUnit began and every test runner writes. There is no standard; what
//! is read is what all agree on: `testsuites`, `testsuite`, `testcase`, and in a case `failure`,
//! `error`, `skipped`.

use crate::{AdvisoryError, text};
use roxmltree::{Document, Node, ParsingOptions};

/// Largest report that is read, in bytes.
pub const TEST_REPORT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most nodes of a document: bounds memory.
const NODES_MAX: u32 = 4_000_000;
/// Deepest nesting of suites.
const DEPTH_MAX: usize = 64;
/// Failed cases that are kept by name.
const NAMED_MAX: usize = 20;
/// Longest name kept, in characters.
const NAME_CHARACTERS_MAX: usize = 200;
const EXPECTED: &str = "a JUnit test report";

/// What a test report says, in sum.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestReport {
    /// cases that were run or skipped
    pub tests: u64,
    /// cases whose assertion failed, or that their suites count as such
    pub failures: u64,
    /// cases that broke down, or that their suites count as such
    pub errors: u64,
    /// cases that were not run
    pub skipped: u64,
    /// the first cases that failed or broke down, as `suite.case`
    pub failed: Vec<String>,
}

impl TestReport {
    /// Reads a report.
    ///
    /// What a suite counts in its attributes and what stands in it may differ; the larger number
    /// counts, so that a report cannot hide a failure by leaving either out.
    ///
    /// # Errors
    /// [`AdvisoryError`]: too large, malformed, or of no form that is read.
    pub fn parse(bytes: &[u8]) -> Result<Self, AdvisoryError> {
        let bad = |detail: &str| AdvisoryError::malformed(EXPECTED, detail);
        if bytes.len() > TEST_REPORT_BYTES_MAX {
            return Err(AdvisoryError::TooLarge {
                what: "bytes of a test report",
                found: bytes.len(),
                most: TEST_REPORT_BYTES_MAX,
            });
        }
        let source = std::str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        // INVARIANT: no document type, hence no entities that grow.
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: NODES_MAX,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(source, options)
            .map_err(|error| bad(&error.to_string()))?;
        let root = document.root_element();
        let mut failed = Vec::new();
        match root.tag_name().name() {
            "testsuites" | "testsuite" => {
                let counted = suite(root, "", 0, &mut failed)?;
                Ok(Self {
                    tests: counted.tests,
                    failures: counted.failures,
                    errors: counted.errors,
                    skipped: counted.skipped,
                    failed,
                })
            }
            other => Err(AdvisoryError::Unsupported(format!(
                "XML whose root is {:?}; test results are read as JUnit XML (testsuites, testsuite)",
                text::line(other, 40)
            ))),
        }
    }

    /// Whether anything failed.
    pub fn has_failed(&self) -> bool {
        self.failures > 0 || self.errors > 0
    }
}

#[derive(Clone, Copy, Default)]
struct Counted {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
}

fn suite(
    node: Node<'_, '_>,
    within: &str,
    depth: usize,
    failed: &mut Vec<String>,
) -> Result<Counted, AdvisoryError> {
    if depth > DEPTH_MAX {
        let detail = format!("suites nested deeper than {DEPTH_MAX}");
        return Err(AdvisoryError::malformed(EXPECTED, detail));
    }
    let name = node.attribute("name").unwrap_or(within);
    let mut found = Counted::default();
    for child in node.children().filter(Node::is_element) {
        match child.tag_name().name() {
            "testsuite" => {
                let inner = suite(child, name, depth + 1, failed)?;
                found.tests = found.tests.saturating_add(inner.tests);
                found.failures = found.failures.saturating_add(inner.failures);
                found.errors = found.errors.saturating_add(inner.errors);
                found.skipped = found.skipped.saturating_add(inner.skipped);
            }
            "testcase" => case(child, name, &mut found, failed),
            _ => {}
        }
    }
    let said = |attribute: &str| -> Result<u64, AdvisoryError> {
        let Some(text) = node.attribute(attribute) else { return Ok(0) };
        let number = text.trim().parse::<u64>().ok().filter(|number| *number < 1 << 53);
        number.ok_or_else(|| {
            let detail = format!("{attribute}={:?} is no count", text::line(text, 40));
            AdvisoryError::malformed(EXPECTED, detail)
        })
    };
    Ok(Counted {
        tests: found.tests.max(said("tests")?),
        failures: found.failures.max(said("failures")?),
        errors: found.errors.max(said("errors")?),
        skipped: found.skipped.max(said("skipped")?),
    })
}

fn case(node: Node<'_, '_>, suite: &str, found: &mut Counted, failed: &mut Vec<String>) {
    let has =
        |name: &str| node.children().any(|child| child.is_element() && child.has_tag_name(name));
    // By local name: some runners put everything into a namespace.
    let has = |name: &str| {
        has(name)
            || node.children().any(|child| child.is_element() && child.tag_name().name() == name)
    };
    found.tests = found.tests.saturating_add(1);
    let (failure, error) = (has("failure"), has("error"));
    if failure {
        found.failures = found.failures.saturating_add(1);
    } else if error {
        found.errors = found.errors.saturating_add(1);
    } else if has("skipped") {
        found.skipped = found.skipped.saturating_add(1);
    }
    if (failure || error) && failed.len() < NAMED_MAX {
        let class = node.attribute("classname").unwrap_or(suite);
        let name = node.attribute("name").unwrap_or("?");
        failed.push(text::line(&format!("{class}.{name}"), NAME_CHARACTERS_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_and_counts_add_up_to_the_worse() {
        let report = TestReport::parse(
            br#"<?xml version="1.0"?><testsuites><testsuite name="boot" tests="3" failures="1">
            <testcase name="starts" classname="boot.a"/><testcase name="b"><failure>no</failure></testcase>
            <testcase name="c"><skipped/></testcase></testsuite>
            <testsuite name="net"><testcase name="d"><error/></testcase></testsuite></testsuites>"#,
        )
        .unwrap();
        assert_eq!((report.tests, report.failures, report.errors, report.skipped), (4, 1, 1, 1));
        assert_eq!(report.failed, ["boot.b", "net.d"]);
        assert!(report.has_failed());
        // A suite that counts failures which do not stand in it has failed all the same.
        let hidden = br#"<testsuite tests="2" failures="1"><testcase name="a"/></testsuite>"#;
        assert!(TestReport::parse(hidden).unwrap().has_failed());
        let good = br#"<testsuite><testcase name="a"/></testsuite>"#;
        let good = TestReport::parse(good).unwrap();
        assert_eq!((good.tests, good.has_failed()), (1, false));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for bad in [
            &b""[..],
            b"{}",
            b"<html/>",
            b"<testsuite tests='-1'/>",
            b"<testsuite failures='1e3'/>",
            b"<!DOCTYPE a [<!ENTITY b \"c\">]><testsuite name='&b;'/>",
            b"\xff\xfe<testsuite/>",
        ] {
            assert!(TestReport::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        let deep = format!("{}{}", "<testsuite>".repeat(70), "</testsuite>".repeat(70));
        assert!(TestReport::parse(deep.as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_and_no_failure_hides(
            bytes: Vec<u8>,
            parts in proptest::collection::vec("<testsuite( tests='[0-9]{0,4}')?>|</testsuite>|\
                <testcase name='a'>|</testcase>|<failure/>|<error/>|<skipped/>|x|&#0;", 0..12),
        ) {
            let _ = TestReport::parse(&bytes);
            let text = format!("<testsuites>{}</testsuites>", parts.concat());
            if let Ok(report) = TestReport::parse(text.as_bytes()) {
                let failed = text.contains("<testcase name='a'><failure/>");
                proptest::prop_assert!(!failed || report.has_failed(), "{}", text);
            }
        }
    }
}
