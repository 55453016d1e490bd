use std::fmt;

/// Longest identifier of a vulnerability, in bytes.
pub const ID_BYTES_MAX: usize = 128;

/// Identifier of a vulnerability or an advisory: `CVE-2024-3094`, `GHSA-…`, `RUSTSEC-…`. CVE and
/// GHSA are kept in their official case, so that equal ids are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VulnerabilityId(Box<str>);

impl VulnerabilityId {
    /// Takes one word of printable characters; `None` otherwise.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let good = crate::text::is_plain(text, ID_BYTES_MAX) && !text.contains(char::is_whitespace);
        good.then(|| {
            let upper = text.to_ascii_uppercase();
            if upper.starts_with("CVE-") {
                Self(upper.into())
            } else if upper.starts_with("GHSA-") {
                let lower = text.to_ascii_lowercase();
                Self(format!("GHSA-{}", lower.trim_start_matches("ghsa-")).into())
            } else {
                Self(text.into())
            }
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a CVE id, which names exactly one vulnerability.
    pub fn is_cve(&self) -> bool {
        self.0.starts_with("CVE-")
    }

    /// Which of several ids a finding is called by: CVE, then GHSA, then any other.
    fn rank(&self) -> u8 {
        match &*self.0 {
            id if id.starts_with("CVE-") => 0,
            id if id.starts_with("GHSA-") => 1,
            _ => 2,
        }
    }
}

impl Ord for VulnerabilityId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for VulnerabilityId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for VulnerabilityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_vulnerability_has_one_spelling() {
        let check = |text, to: Option<&str>| {
            assert_eq!(VulnerabilityId::new(text).as_ref().map(VulnerabilityId::as_str), to);
        };
        check(" cve-2024-3094 ", Some("CVE-2024-3094"));
        check("ghsa-ABCD-1234-efgh", Some("GHSA-abcd-1234-efgh"));
        check("RUSTSEC-2020-0001", Some("RUSTSEC-2020-0001"));
        check("", None);
        check("two words", None);
        check("a\u{202e}b", None);
        let mut ids: Vec<_> =
            ["PYSEC-1", "GHSA-a", "CVE-2"].into_iter().filter_map(VulnerabilityId::new).collect();
        ids.sort();
        assert_eq!(ids.first().map(VulnerabilityId::as_str), Some("CVE-2"));
    }
}
