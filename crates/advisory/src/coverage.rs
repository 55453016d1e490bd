//! How much of a program its tests reach: tracefiles of lcov (geninfo(1)) and Cobertura XML.
//!
//! Lines are counted where they stand; the sums that a report carries are not believed.

use crate::{AdvisoryError, text};
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::{BTreeMap, HashMap};

/// Largest report that is read, in bytes.
pub const COVERAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most lines of program that are counted: bounds memory.
const LINES_MAX: usize = 5_000_000;
/// Most nodes of a document: bounds memory.
const NODES_MAX: u32 = 6_000_000;
const EXPECTED: &str = "a coverage report (lcov, Cobertura)";

/// What a report says, in sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodeCoverage {
    /// lines of program
    pub lines: u64,
    /// those that ran
    pub lines_reached: u64,
    /// branches
    pub branches: u64,
    /// those that were taken
    pub branches_reached: u64,
}

impl CodeCoverage {
    /// Reads a report, told apart by its contents.
    ///
    /// # Errors
    /// [`AdvisoryError`]: too large, malformed, of no form that is read.
    pub fn parse(bytes: &[u8]) -> Result<Self, AdvisoryError> {
        if bytes.len() > COVERAGE_BYTES_MAX {
            return Err(AdvisoryError::TooLarge {
                what: "bytes of a coverage report",
                found: bytes.len(),
                most: COVERAGE_BYTES_MAX,
            });
        }
        let source = std::str::from_utf8(bytes)
            .map_err(|_| AdvisoryError::malformed(EXPECTED, "not UTF-8"))?;
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        if source.trim_start().starts_with('<') { cobertura(source) } else { lcov(source) }
    }

    /// Share of the lines that ran, in per cent, rounded down; `None` where there are none.
    pub fn lines_percent(&self) -> Option<u64> {
        self.lines_reached.saturating_mul(100).checked_div(self.lines)
    }
}

fn bad(detail: impl Into<String>) -> AdvisoryError {
    AdvisoryError::malformed(EXPECTED, detail.into())
}

fn too_many(found: usize) -> AdvisoryError {
    AdvisoryError::TooLarge { what: "lines of a coverage report", found, most: LINES_MAX }
}

/// `SF:`, `DA:line,count`, `BRDA:line,block,branch,taken`, `end_of_record`. The same line may stand in
/// several records: it ran if it ran in one.
fn lcov(source: &str) -> Result<CodeCoverage, AdvisoryError> {
    let mut file: Option<usize> = None;
    let mut files: HashMap<&str, usize> = HashMap::new();
    let mut lines: BTreeMap<(usize, u64), bool> = BTreeMap::new();
    let mut branches: BTreeMap<(usize, &str), bool> = BTreeMap::new();
    for (place, line) in source.lines().enumerate() {
        let line = line.trim_end();
        let wrong = |what: &str| {
            bad(format!("line {}: {what}: {:?}", place.saturating_add(1), text::line(line, 60)))
        };
        if let Some(name) = line.strip_prefix("SF:") {
            let next = files.len();
            file = Some(*files.entry(name).or_insert(next));
        } else if line == "end_of_record" {
            file = None;
        } else if let Some(rest) = line.strip_prefix("DA:") {
            let at = file.ok_or_else(|| wrong("no file before it"))?;
            let mut parts = rest.split(',');
            let number = parts.next().and_then(|text| text.trim().parse::<u64>().ok());
            let count = parts.next().and_then(|text| text.trim().parse::<i64>().ok());
            let (number, count) = number.zip(count).ok_or_else(|| wrong("no line and count"))?;
            *lines.entry((at, number)).or_default() |= count > 0;
            if lines.len() > LINES_MAX {
                return Err(too_many(lines.len()));
            }
        } else if let Some(rest) = line.strip_prefix("BRDA:") {
            let at = file.ok_or_else(|| wrong("no file before it"))?;
            let (which, taken) = rest.rsplit_once(',').ok_or_else(|| wrong("no branch"))?;
            let taken = taken.trim();
            let ran = taken != "-"
                && taken.parse::<i64>().map_err(|_| wrong("no count of a branch"))? > 0;
            *branches.entry((at, which)).or_default() |= ran;
            if branches.len() > LINES_MAX {
                return Err(too_many(branches.len()));
            }
        }
    }
    if files.is_empty() {
        return Err(bad("no file is named: SF"));
    }
    let count = |all: usize| u64::try_from(all).unwrap_or(u64::MAX);
    Ok(CodeCoverage {
        lines: count(lines.len()),
        lines_reached: count(lines.values().filter(|ran| **ran).count()),
        branches: count(branches.len()),
        branches_reached: count(branches.values().filter(|ran| **ran).count()),
    })
}

/// `coverage/packages/package/classes/class@filename/lines/line@number,@hits`. Lines of methods stand
/// in their class as well, and are not counted twice.
fn cobertura(source: &str) -> Result<CodeCoverage, AdvisoryError> {
    // Cobertura's own DTD is named by every file and holds nothing that is needed; it is not read, and
    // entities of an own one are refused.
    let mut clean = String::new();
    let source = match source.find("<!DOCTYPE") {
        None => source,
        Some(start) => {
            let (before, rest) = source.split_at_checked(start).unwrap_or((source, ""));
            let end = rest.find('>').ok_or_else(|| bad("a document type without an end"))?;
            let (kind, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if kind.contains('[') {
                return Err(bad("it brings a document type of its own"));
            }
            clean.push_str(before);
            clean.push_str(after.get(1..).unwrap_or_default());
            clean.as_str()
        }
    };
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(source, options).map_err(|error| bad(error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "coverage" {
        return Err(AdvisoryError::Unsupported(format!(
            "XML whose root is {:?}; coverage is read as Cobertura XML (coverage) or lcov",
            text::line(root.tag_name().name(), 40)
        )));
    }
    let mut lines: BTreeMap<(&str, u64), bool> = BTreeMap::new();
    let mut found = CodeCoverage::default();
    for class in classes(root)? {
        let file = class.attribute("filename").ok_or_else(|| bad("a class without a filename"))?;
        for line in class.descendants().filter(|node| node.has_tag_name("line")) {
            let number = number(line, "number")?;
            let ran = number_of_hits(line)? > 0;
            let known = lines.contains_key(&(file, number));
            *lines.entry((file, number)).or_default() |= ran;
            if lines.len() > LINES_MAX {
                return Err(too_many(lines.len()));
            }
            // `condition-coverage="50% (1/2)"`.
            if let Some((taken, all)) = line.attribute("condition-coverage").and_then(conditions)
                && !known
            {
                found.branches = found.branches.saturating_add(all);
                found.branches_reached = found.branches_reached.saturating_add(taken.min(all));
            }
        }
    }
    found.lines = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    found.lines_reached =
        u64::try_from(lines.values().filter(|ran| **ran).count()).unwrap_or(u64::MAX);
    Ok(found)
}

/// The classes. None stands in another, so that each line is looked at once however they are nested.
fn classes<'a, 'input>(root: Node<'a, 'input>) -> Result<Vec<Node<'a, 'input>>, AdvisoryError> {
    let mut classes = Vec::new();
    let mut end = None;
    for node in root.descendants().filter(|node| node.has_tag_name("class")) {
        // Ids follow the document's order: what comes before the last node of a class is in it.
        if end.is_some_and(|end| node.id().get() <= end) {
            return Err(bad("a class stands in another class"));
        }
        let mut last = node;
        while let Some(child) = last.last_child() {
            last = child;
        }
        end = Some(last.id().get());
        classes.push(node);
    }
    Ok(classes)
}

fn number(node: Node<'_, '_>, name: &str) -> Result<u64, AdvisoryError> {
    let text = node.attribute(name).unwrap_or_default();
    text.trim().parse().map_err(|_| bad(format!("{name}={:?} is no number", text::line(text, 40))))
}

fn number_of_hits(node: Node<'_, '_>) -> Result<u64, AdvisoryError> {
    number(node, "hits")
}

fn conditions(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.split_once('(')?;
    let (taken, all) = rest.strip_suffix(')')?.split_once('/')?;
    let small = |text: &str| text.trim().parse::<u64>().ok().filter(|count| *count < 1 << 32);
    Some((small(taken)?, small(all)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_where_they_stand() {
        let text = "TN:\nSF:a.c\nDA:1,3\nDA:2,0\nBRDA:1,0,0,1\nBRDA:1,0,1,-\nLF:900\nLH:900\n\
                    end_of_record\nSF:a.c\nDA:2,1\nDA:3,0\nend_of_record\nSF:b.c\nDA:1,0\nend_of_record\n";
        let found = CodeCoverage::parse(text.as_bytes()).unwrap();
        assert_eq!((found.lines, found.lines_reached), (4, 2));
        assert_eq!((found.branches, found.branches_reached), (2, 1));
        assert_eq!(found.lines_percent(), Some(50));
        let xml = r#"<?xml version="1.0"?>
            <!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
            <coverage line-rate="1.0"><packages><package><classes><class filename="a.py">
            <methods><method><lines><line number="1" hits="1"/></lines></method></methods>
            <lines><line number="1" hits="1"/><line number="2" hits="0" branch="true"
            condition-coverage="50% (1/2)"/></lines></class></classes></package></packages></coverage>"#;
        let found = CodeCoverage::parse(xml.as_bytes()).unwrap();
        assert_eq!((found.lines, found.lines_reached), (2, 1));
        assert_eq!((found.branches, found.branches_reached), (2, 1));
        assert_eq!(CodeCoverage::default().lines_percent(), None);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for bad in [
            "",
            "hello",
            "DA:1,1\n",
            "SF:a\nDA:x,1\n",
            "SF:a\nDA:1\n",
            "SF:a\nBRDA:1,0,0,x\n",
            "<html/>",
            "<coverage><class/></coverage>",
            "<coverage><class filename='a'><line number='1' hits='-1'/></class></coverage>",
            "<!DOCTYPE coverage [<!ENTITY a 'b'>]><coverage/>",
            "<coverage><class filename='a'><b><class filename='c'/></b></class></coverage>",
        ] {
            assert!(CodeCoverage::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    /// Each class would be walked through by all that it stands in: hours for one upload.
    #[test]
    fn classes_in_classes_are_not_walked_through_again_and_again() {
        let deep = 200_000;
        let nested = "<class filename=''>".repeat(deep) + &"</class>".repeat(deep);
        let error = CodeCoverage::parse(format!("<coverage>{nested}</coverage>").as_bytes());
        assert!(error.unwrap_err().to_string().contains("in another class"));
        let beside = "<class filename='a'/>".repeat(deep);
        assert!(CodeCoverage::parse(format!("<coverage>{beside}</coverage>").as_bytes()).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_and_shares_stay_shares(
            bytes: Vec<u8>,
            lines in proptest::collection::vec("DA:[0-9]{1,3},[0-9]{1,2}|BRDA:1,0,[0-9],[0-9-]|SF:[ab]|end_of_record|x", 0..30),
        ) {
            let _ = CodeCoverage::parse(&bytes);
            if let Ok(found) = CodeCoverage::parse(lines.join("\n").as_bytes()) {
                proptest::prop_assert!(found.lines_reached <= found.lines);
                proptest::prop_assert!(found.branches_reached <= found.branches);
            }
        }
    }
}
