use super::numbers::{Numbers, digits, is_digits, take};
use std::cmp::Ordering;

/// Semantic Versioning 2.0.0 section 11, and its relatives.
#[derive(Debug, Clone)]
pub(super) struct SemVer {
    core: Numbers,
    pre: Vec<String>,
    build: Vec<String>,
}

impl SemVer {
    /// One to three numbers, `v` or `=` in front.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(['=', ' ']);
        Self::read(text.strip_prefix(['v', 'V']).unwrap_or(text), 3)
    }

    /// `go1.21rc2`, `go1.21.3` of the toolchain become `1.21.0-rc.2`, `1.21.3`.
    pub(super) fn parse_go(text: &str) -> Option<Self> {
        let Some(toolchain) = text.strip_prefix("go") else { return Self::parse(text) };
        // "go1.21.3 X:boringcrypto", "go1.21.3-custom": what follows is the builder's.
        let toolchain = toolchain.split([' ', '-']).next().unwrap_or_default();
        for word in ["rc", "beta", "alpha"] {
            if let Some((core, number)) = toolchain.split_once(word) {
                if !is_digits(number) {
                    return None;
                }
                return Self::read(&format!("{core}-{word}.{number}"), 3);
            }
        }
        Self::read(toolchain, 3)
    }

    /// One to four numbers, labels in any case.
    pub(super) fn parse_nuget(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        Self::read(lower.strip_prefix('v').unwrap_or(&lower), 4)
    }

    fn read(text: &str, numbers_max: usize) -> Option<Self> {
        let (rest, build) = match text.split_once('+') {
            Some((rest, build)) => (rest, identifiers(build)?),
            None => (text, Vec::new()),
        };
        let (core, after) = take(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let pre = match after.strip_prefix('-') {
            Some(pre) => identifiers(pre)?,
            None if after.is_empty() => Vec::new(),
            None => return None,
        };
        let core = Numbers::parse(core, &['.']).filter(|core| core.count() <= numbers_max)?;
        Some(Self { core, pre, build })
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.core.compare(&other.core).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_identifiers(&self.pre, &other.pre),
            }
        })
    }

    pub(super) fn compare_with_build(&self, other: &Self) -> Ordering {
        self.compare(other).then_with(|| compare_identifiers(&self.build, &other.build))
    }
}

fn identifiers(text: &str) -> Option<Vec<String>> {
    let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    let good = |part: &String| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    parts.iter().all(good).then_some(parts)
}

fn compare_identifiers(a: &[String], b: &[String]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| match (is_digits(a), is_digits(b)) {
            (true, true) => digits(a, b),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => a.cmp(b),
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}
