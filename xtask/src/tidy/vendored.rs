//! Foreign code that is carried here: what is in the tree is what was released, and the change of ours
//! beside it, and nothing else.

use super::Finding;
use crate::process::{command, output};
use anyhow::{Context as _, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

/// The tree, where our rules do not hold.
pub(super) const TREE: &str = "third_party/dimpl/";
/// What was changed in it, as a unified diff.
const PATCH: &str = "third_party/raw-public-keys.patch";
/// SHA-256 of the released files.
pub(crate) const RELEASED: &str = "third_party/dimpl.sha256";
/// Where the tree is put together as it was released.
const BACK: &str = "target/tidy/dimpl";

pub(super) fn check() -> Result<Vec<Finding>> {
    let hint = "make the patch anew from tree and release, as third_party/README.md says";
    // Without a change of ours the tree is the release.
    let patch = match fs::read_to_string(PATCH) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        patch => patch.context(PATCH)?,
    };
    let mut changes = match changes(&patch) {
        Ok(changes) => changes,
        Err((line, what)) => return Ok(vec![Finding::new(PATCH, line, what, hint)]),
    };
    let released = fs::read_to_string(RELEASED).context(RELEASED)?;
    let mut names: BTreeSet<&str> =
        released.lines().filter_map(|line| Some(line.split_once("  ")?.1)).collect();
    let back = Path::new(BACK);
    if back.exists() {
        fs::remove_dir_all(back).context(BACK)?;
    }
    let mut findings = Vec::new();
    let listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", TREE];
    for path in output(&mut command("git", &listed))?.split('\0') {
        let Some(name) = path.strip_prefix(TREE) else { continue };
        let Ok(bytes) = fs::read(path) else { continue };
        let before = match changes.remove(name) {
            None => Some(bytes),
            Some(hunks) => match reversed(&String::from_utf8_lossy(&bytes), &hunks) {
                Ok(before) => before.map(String::into_bytes),
                Err(line) => {
                    findings.push(Finding::new(path, line, "is not as the patch leaves it", hint));
                    names.remove(name);
                    continue;
                }
            },
        };
        let Some(before) = before else { continue };
        if !names.remove(name) {
            findings.push(Finding::new(path, 1, "is neither released nor in the patch", hint));
            continue;
        }
        let to = back.join(name);
        fs::create_dir_all(to.parent().unwrap_or(back))?;
        fs::write(to, before)?;
    }
    let gone = names.into_iter().chain(changes.keys().map(String::as_str));
    findings.extend(gone.map(|name| Finding::new(&format!("{TREE}{name}"), 1, "is gone", hint)));
    if findings.is_empty() {
        let sums = Path::new("../../..").join(RELEASED);
        let sums = sums.to_string_lossy();
        let same = ["--check", "--quiet", "--strict", &sums];
        if let Err(error) = output(command("sha256sum", &same).current_dir(back)) {
            let what = format!("without the patch the tree is not what was released: {error:#}");
            findings.push(Finding::new(PATCH, 1, what, hint));
        }
    }
    Ok(findings)
}

/// A piece of a change: what stands at `at` (a line from 0) afterwards, and what stood there.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hunk {
    at: usize,
    before: Vec<String>,
    after: Vec<String>,
}

/// The changes of a unified diff, by file; else the line that cannot be read, and why.
fn changes(patch: &str) -> Result<BTreeMap<String, Vec<Hunk>>, (usize, &'static str)> {
    let mut changes: BTreeMap<String, Vec<Hunk>> = BTreeMap::new();
    let mut hunks: Option<&mut Vec<Hunk>> = None;
    // Lines of the present hunk that are still to come, before and after.
    let mut wanted = (0_usize, 0_usize);
    for (number, line) in patch.lines().enumerate() {
        let wrong = |what| (number + 1, what);
        if wanted == (0, 0) {
            if let Some(name) = line.strip_prefix("+++ ") {
                let name = name.split('\t').next().unwrap_or_default();
                let name = name.split_once('/').map_or(name, |(_, name)| name);
                hunks = Some(changes.entry(name.to_owned()).or_default());
            } else if let Some(head) = line.strip_prefix("@@ ") {
                let (at, counts) = range(head).ok_or_else(|| wrong("is no head of a hunk"))?;
                let hunks = hunks.as_mut().ok_or_else(|| wrong("is a hunk of no file"))?;
                hunks.push(Hunk { at, ..Hunk::default() });
                wanted = counts;
            }
            continue;
        }
        let hunk = hunks.as_mut().and_then(|hunks| hunks.last_mut());
        let hunk = hunk.ok_or_else(|| wrong("is a line of no hunk"))?;
        let (kind, text) = line.split_at_checked(1).unwrap_or((" ", ""));
        let (before, after) = match kind {
            " " => (true, true),
            "-" => (true, false),
            "+" => (false, true),
            _ => return Err(wrong("is no line of a hunk")),
        };
        let less = |wanted: usize, here| wanted.checked_sub(usize::from(here));
        wanted = less(wanted.0, before)
            .zip(less(wanted.1, after))
            .ok_or_else(|| wrong("is a line too much"))?;
        if before {
            hunk.before.push(text.to_owned());
        }
        if after {
            hunk.after.push(text.to_owned());
        }
    }
    if wanted == (0, 0) { Ok(changes) } else { Err((patch.lines().count(), "ends in a hunk")) }
}

/// Where a hunk is afterwards, and how many lines it has before and after: of `-1,2 +3,4 @@`.
fn range(head: &str) -> Option<(usize, (usize, usize))> {
    let mut words = head.split(' ');
    let mut side = |sign| {
        let word = words.next()?.strip_prefix(sign)?;
        let (at, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((at.parse::<usize>().ok()?, count.parse::<usize>().ok()?))
    };
    let ((_, before), (at, after)) = (side('-')?, side('+')?);
    Some((if after == 0 { at } else { at.checked_sub(1)? }, (before, after)))
}

/// A file as it was before its changes, `None` where it was not there; else the first line (from 1) that
/// is not as they leave it.
fn reversed(text: &str, hunks: &[Hunk]) -> Result<Option<String>, usize> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut before, mut done) = (Vec::new(), 0);
    for hunk in hunks {
        before.extend(lines.get(done..hunk.at).ok_or(done + 1)?.iter().copied());
        for (at, after) in (hunk.at..).zip(&hunk.after) {
            if lines.get(at) != Some(&after.as_str()) {
                return Err(at + 1);
            }
        }
        before.extend(hunk.before.iter().map(String::as_str));
        done = hunk.at + hunk.after.len();
    }
    before.extend(lines.get(done..).ok_or(done + 1)?.iter().copied());
    let made = before.is_empty() && !hunks.is_empty();
    Ok((!made).then(|| before.iter().map(|line| format!("{line}\n")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: &str = "diff -ruN a/x.rs b/x.rs\n--- a/x.rs\t2020\n+++ b/x.rs\t2020\n@@ -1,3 +1,3 @@\n one\n-two\n\
        +zwei\n three\n@@ -8 +8,2 @@ fn\n eight\n+nine\n--- /dev/null\n+++ b/new.rs\n@@ -0,0 +1,2 @@\n+a\n+\n";

    #[test]
    fn a_change_is_taken_back_where_it_stands_and_noticed_where_it_does_not() {
        let changes = changes(CHANGE).unwrap();
        let of = |name: &str| changes.get(name).unwrap();
        let now = "one\nzwei\nthree\n4\n5\n6\n7\neight\nnine\n10\n";
        let then = "one\ntwo\nthree\n4\n5\n6\n7\neight\n10\n";
        assert_eq!(reversed(now, of("x.rs")).unwrap().unwrap(), then);
        assert_eq!(reversed(&now.replace("nine", "neun"), of("x.rs")), Err(9));
        assert_eq!(reversed("one\nzwei\n", of("x.rs")), Err(3));
        assert_eq!(reversed("a\n\n", of("new.rs")), Ok(None));
        assert_eq!(reversed("a\n", of("new.rs")), Err(2));
    }

    #[test]
    fn what_is_no_diff_is_not_taken_for_one() {
        assert!(changes("").unwrap().is_empty());
        assert_eq!(changes("@@ -1 +1 @@\n"), Err((1, "is a hunk of no file")));
        assert_eq!(changes("+++ b/x\n@@ -a +1 @@\n"), Err((2, "is no head of a hunk")));
        assert_eq!(changes("+++ b/x\n@@ -1 +1,2 @@\n a\n"), Err((3, "ends in a hunk")));
        assert_eq!(changes("+++ b/x\n@@ -1 +1,2 @@\n-a\n-b\n"), Err((4, "is a line too much")));
        assert_eq!(
            changes("+++ b/x\n@@ -1 +1 @@\n\\ No newline\n"),
            Err((3, "is no line of a hunk"))
        );
    }
}
