use crate::{MetadataError, limits::PATH_BYTES_MAX, role::percent};
use crypto::sha256;
use std::fmt;

/// The path of a target file: relative, with `/` between its segments, and safe as a path on disk
/// and in an address: no segment is empty, `.` or `..`, and there is no control character,
/// `\` or `:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetPath(String);

impl TargetPath {
    /// A path of at most 1024 bytes.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`].
    pub fn new(path: impl Into<String>) -> Result<Self, MetadataError> {
        let path = path.into();
        let bad = |reason: &str| Err(MetadataError::malformed("path of a target", reason));
        if path.len() > PATH_BYTES_MAX {
            return bad("is longer than 1024 bytes");
        }
        if path.chars().any(|c| c.is_control() || c == '\\' || c == ':') {
            return bad("has a control character, a backslash or a colon in it");
        }
        if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return bad("must be relative, like gate/bg1/firmware.img, without . and ..");
        }
        Ok(Self(path))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Where the file lies in a repository: with consistent snapshots the hash stands before its
    /// name (section 6.2 of the specification).
    pub fn file_name(&self, hash: Option<&str>) -> String {
        let Some(hash) = hash else { return self.0.clone() };
        match self.0.rsplit_once('/') {
            Some((folder, name)) => format!("{folder}/{hash}.{name}"),
            None => format!("{hash}.{}", self.0),
        }
    }

    /// [`Self::file_name`], percent-encoded for an address.
    pub fn address(&self, hash: Option<&str>) -> String {
        let name = self.file_name(hash);
        name.split('/').map(percent).collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for TargetPath {
    type Err = MetadataError;
    fn from_str(text: &str) -> Result<Self, MetadataError> {
        Self::new(text)
    }
}

/// Whether `path` fits `pattern`: segment by segment, `*` for any characters within a segment, `?`
/// for one, `[abc]`, `[a-z]`, `[!a]` for one of a set (section 4.5 of the specification; as
/// python-tuf reads it).
pub fn path_matches(pattern: &str, path: &str) -> bool {
    let mut patterns = pattern.split('/');
    let mut segments = path.split('/');
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) if segment_matches(pattern, segment) => {}
            _ => return false,
        }
    }
}

/// Whether the SHA-256 of `path`, in hexadecimal, begins with one of `prefixes`.
pub fn prefix_matches(prefixes: &[String], path: &str) -> bool {
    let digest = sha256(path.as_bytes()).to_string();
    prefixes.iter().any(|prefix| digest.starts_with(prefix.as_str()))
}

/// One part of a pattern: what the next character must be.
enum Piece<'a> {
    Any,
    One,
    Set { negated: bool, members: &'a [char] },
    Literal(char),
}

/// The first piece of `pattern` and what follows it.
fn piece(pattern: &[char]) -> Option<(Piece<'_>, &[char])> {
    let (first, rest) = pattern.split_first()?;
    Some(match first {
        '*' => (Piece::Any, rest),
        '?' => (Piece::One, rest),
        '[' => match set(rest) {
            Some((negated, members, rest)) => (Piece::Set { negated, members }, rest),
            None => (Piece::Literal('['), rest),
        },
        other => (Piece::Literal(*other), rest),
    })
}

/// The members of a set whose `[` was read; `None` where it has no end and is a plain `[`.
fn set(rest: &[char]) -> Option<(bool, &[char], &[char])> {
    let (negated, rest) = match rest.split_first() {
        Some(('!', rest)) => (true, rest),
        _ => (false, rest),
    };
    // A `]` at the beginning is a member.
    let end = rest.iter().skip(1).position(|c| *c == ']')?.checked_add(1)?;
    let (members, after) = rest.split_at_checked(end)?;
    Some((negated, members, after.get(1..)?))
}

fn in_set(mut members: &[char], c: char) -> bool {
    loop {
        match members {
            [low, '-', high, rest @ ..] => {
                if (*low..=*high).contains(&c) {
                    return true;
                }
                members = rest;
            }
            [one, rest @ ..] => {
                if *one == c {
                    return true;
                }
                members = rest;
            }
            [] => return false,
        }
    }
}

/// Greedy with one point to come back to: time grows with the product of the lengths, never more.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let segment: Vec<char> = segment.chars().collect();
    let (mut at, mut text) = (pattern.as_slice(), segment.as_slice());
    let mut back: Option<(&[char], &[char])> = None;
    loop {
        let matched = match (piece(at), text.split_first()) {
            (None, None) => return true,
            (Some((Piece::Any, rest)), _) => {
                back = Some((rest, text));
                at = rest;
                continue;
            }
            (Some((Piece::One, rest)), Some((_, after))) => Some((rest, after)),
            (Some((Piece::Literal(wanted), rest)), Some((c, after))) if wanted == *c => {
                Some((rest, after))
            }
            (Some((Piece::Set { negated, members }, rest)), Some((c, after)))
                if in_set(members, *c) != negated =>
            {
                Some((rest, after))
            }
            _ => None,
        };
        match (matched, back) {
            (Some((rest, after)), _) => (at, text) = (rest, after),
            // The star takes one more character.
            (None, Some((rest, [_, after @ ..]))) => {
                back = Some((rest, after));
                (at, text) = (rest, after);
            }
            (None, _) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_within_segments() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(path_matches(pattern, path), expected, "{pattern} {path}");
        };
        // The specification's own examples.
        check("targets/*.tgz", "targets/foo.tgz", true);
        check("targets/*.tgz", "targets/foo.txt", false);
        check("foo-version-?.tgz", "foo-version-2.tgz", true);
        check("foo-version-?.tgz", "foo-version-alpha.tgz", false);
        check("*.tgz", "foo.tgz", true);
        check("*.tgz", "targets/foo.tgz", false);
        check("foo.tgz", "foo.tgz", true);
        check("foo.tgz", "goo.tgz", false);
        // Wildcards do not cross separators, and segments must be as many.
        check("gate/*", "gate/bg1/fw.img", false);
        check("gate/*/*", "gate/bg1/fw.img", true);
        check("*", "", true);
        check("a*b*c", "aXXbYYc", true);
        check("a*b*c", "aXXbYY", false);
        check("*a*a*a*a*a*b", &"a".repeat(100), false);
        check("[ab]?[!x-z]", "a1w", true);
        check("[ab]?[!x-z]", "a1y", false);
        check("[]]", "]", true);
        check("[a-]", "-", true);
        check("[", "[", true);
        check("[a", "[a", true);
        check("部?", "部品", true);
    }

    #[test]
    fn prefixes_are_of_the_hash_of_the_path() {
        let prefix: String = sha256(b"gate/fw.img").to_string().chars().take(3).collect();
        assert!(prefix_matches(std::slice::from_ref(&prefix), "gate/fw.img"));
        assert!(!prefix_matches(&[prefix], "gate/fw2.img"));
        assert!(!prefix_matches(&[], "gate/fw.img"));
    }

    #[test]
    fn paths_are_safe_on_disk() {
        for good in ["a", "gate/bg1/fw.img", "ゲート/1.img", "..a", "a b"] {
            assert!(TargetPath::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\\b", "c:a", "a\0", "a\n"] {
            assert!(TargetPath::new(bad).is_err(), "{bad}");
        }
        assert!(TargetPath::new("x".repeat(1025)).is_err());
        let path = TargetPath::new("gate/ä.img").unwrap();
        assert_eq!(path.file_name(Some("00")), "gate/00.ä.img");
        assert_eq!(path.address(Some("00")), "gate/00.%C3%A4.img");
        assert_eq!(path.name(), "ä.img");
        assert_eq!(TargetPath::new("a").unwrap().file_name(Some("00")), "00.a");
    }

    proptest! {
        #[test]
        fn a_path_without_special_characters_matches_itself(path in "[a-z.]{1,5}(/[a-z.]{1,5}){0,3}") {
            prop_assert!(path_matches(&path, &path));
            let stars: Vec<&str> = path.split('/').map(|_| "*").collect();
            prop_assert!(path_matches(&stars.join("/"), &path));
        }

        #[test]
        fn any_pattern_ends(pattern in "[ab*?\\[\\]!/-]{0,12}", path in "[ab/\\]-]{0,12}") {
            let _ = path_matches(&pattern, &path);
        }
    }
}
