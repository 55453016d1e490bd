//! What people read before they sign, and what they should do soon.

use super::Repository;
use crate::{
    authority::RoleKeys,
    custom::Custom,
    role::{RoleName, TopRole, Version},
    root::Root,
    signed::{Header, Metadata},
    targets::{Delegation, Paths, TargetFile, Targets},
};
use crypto::UnixTime;
use std::collections::{BTreeMap, BTreeSet};

/// Something that can be put into words, beside what it replaces.
pub trait InWords: Metadata {
    /// One line per difference to `old`; to nothing where there is no old one.
    fn differences(&self, old: Option<&Self>) -> Vec<String>;
}

/// A draft in words: version, end, and every difference to what is published.
pub fn describe<R: InWords>(
    role: &RoleName,
    new: &R,
    old: Option<&R>,
    now: UnixTime,
) -> Vec<String> {
    let Header { version, expires, .. } = new.header();
    let before = match old {
        Some(old) => format!("after version {}", old.header().version),
        None => "the first one".to_owned(),
    };
    let mut lines = vec![
        format!("{role} version {version}, {before}"),
        format!("good until {expires}, {}", in_days(expires.since(now))),
    ];
    let differences = new.differences(old);
    if differences.is_empty() {
        lines.push("nothing else differs".to_owned());
    }
    lines.extend(differences);
    lines
}

impl InWords for Root {
    fn differences(&self, old: Option<&Self>) -> Vec<String> {
        let mut lines = Vec::new();
        for role in TopRole::ALL {
            let name = RoleName::from(role);
            keys_differ(&name, self.role(role), old.map(|old| old.role(role)), &mut lines);
        }
        if old.is_some_and(|old| old.consistent_snapshot != self.consistent_snapshot) {
            lines.push(format!("consistent snapshots: {}", self.consistent_snapshot));
        }
        lines
    }
}

impl InWords for Targets {
    fn differences(&self, old: Option<&Self>) -> Vec<String> {
        let none = BTreeMap::new();
        let before = old.map_or(&none, |old| &old.targets);
        let mut lines = Vec::new();
        for (path, file) in &self.targets {
            match before.get(path) {
                None => lines.push(format!("adds target {path}: {}", file_words(file))),
                Some(other) if other != file => {
                    lines.push(format!("changes target {path}: {}", file_words(file)));
                }
                Some(_) => {}
            }
        }
        for path in before.keys().filter(|path| !self.targets.contains_key(*path)) {
            lines.push(format!("removes target {path}"));
        }
        let order = |targets: &Self| -> Vec<RoleName> {
            targets.delegations.iter().map(|one| one.name.clone()).collect()
        };
        for delegation in &self.delegations {
            let was = old.and_then(|old| old.delegation(&delegation.name));
            if was == Some(delegation) {
                continue;
            }
            let verb = if was.is_some() { "changes the delegation to" } else { "delegates to" };
            lines.push(format!("{verb} {}: {}", delegation.name, delegation_words(delegation)));
            keys_differ(&delegation.name, &delegation.keys, was.map(|was| &was.keys), &mut lines);
        }
        if let Some(old) = old {
            for ended in old.delegations.iter().filter(|one| self.delegation(&one.name).is_none()) {
                lines.push(format!("ends the delegation to {}", ended.name));
            }
            let (before, after) = (order(old), order(self));
            let kept = |all: &[RoleName], others: &[RoleName]| -> Vec<RoleName> {
                all.iter().filter(|name| others.contains(name)).cloned().collect()
            };
            if kept(&before, &after) != kept(&after, &before) {
                lines.push("changes the order of the delegations".to_owned());
            }
        }
        lines
    }
}

fn keys_differ(role: &RoleName, new: &RoleKeys, old: Option<&RoleKeys>, lines: &mut Vec<String>) {
    let set = |keys: &RoleKeys| keys.key_ids.iter().cloned().collect::<BTreeSet<_>>();
    let before = old.map(set).unwrap_or_default();
    let after = set(new);
    for id in after.difference(&before) {
        lines.push(format!("key {id} may sign for {role}"));
    }
    for id in before.difference(&after) {
        lines.push(format!("key {id} may no longer sign for {role}"));
    }
    if old.is_none_or(|old| old.threshold != new.threshold) {
        let keys = after.len();
        lines.push(format!("{role} needs {} of {keys} signatures", new.threshold));
    }
}

fn file_words(file: &TargetFile) -> String {
    let mut words = format!("{} bytes", file.length);
    if let Some(hash) = file.hashes.get("sha256") {
        words.push_str(&format!(", SHA-256 {hash}"));
    }
    match Custom::read(file.custom.as_ref()) {
        Ok(custom) => {
            if !custom.hardware_ids.is_empty() {
                words.push_str(&format!(", for {}", custom.hardware_ids.join(" ")));
            }
            if let Some(version) = custom.version {
                words.push_str(&format!(", version {version}"));
            }
            if let Some(number) = custom.security_version {
                words.push_str(&format!(", security version {number}"));
            }
            if let Some(number) = custom.release_counter {
                words.push_str(&format!(", release {number}"));
            }
        }
        Err(error) => words.push_str(&format!(", BUT {error}")),
    }
    words
}

fn delegation_words(delegation: &Delegation) -> String {
    let paths = match &delegation.paths {
        Paths::Patterns(patterns) => patterns.join(" "),
        Paths::HashPrefixes(prefixes) => {
            format!("paths whose hash begins with {}", prefixes.join(" "))
        }
    };
    let last = if delegation.terminating { ", and nobody after it" } else { "" };
    format!("{paths}{last}")
}

/// A role whose file ends soon or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// whose file
    pub role: RoleName,
    /// which version
    pub version: Version,
    /// when it ends
    pub expires: UnixTime,
    /// whether it has ended: clients refuse it
    pub expired: bool,
}

/// How long before its end a role's file should be signed anew, in seconds: offline keys need
/// people, online keys a program.
pub fn notice_s(role: &RoleName) -> i64 {
    match TopRole::from_name(role.as_str()) {
        Some(TopRole::Root) => 60 * 86_400,
        Some(TopRole::Targets) | None => 14 * 86_400,
        Some(TopRole::Snapshot) => 2 * 86_400,
        Some(TopRole::Timestamp) => 6 * 3_600,
    }
}

/// The published files that end within their notice, the first to end first.
pub fn notices(repository: &Repository, now: UnixTime) -> Vec<Notice> {
    let mut all = vec![
        (RoleName::from(TopRole::Root), &repository.root().header),
        (TopRole::Snapshot.into(), &repository.snapshot().header),
        (TopRole::Timestamp.into(), &repository.timestamp().header),
    ];
    for (role, targets) in repository.all_targets() {
        all.push((role.clone(), &targets.content.header));
    }
    let mut notices: Vec<Notice> = all
        .into_iter()
        .filter(|(role, header)| header.expires.since(now) <= notice_s(role))
        .map(|(role, header)| Notice {
            role,
            version: header.version,
            expires: header.expires,
            expired: header.expires <= now,
        })
        .collect();
    notices.sort_by_key(|notice| (notice.expires, notice.role.clone()));
    notices
}

/// A span of time in words.
pub fn in_days(seconds: i64) -> String {
    match seconds {
        ..=0 => "which is over".to_owned(),
        1..=172_800 => format!("in {} h", seconds / 3_600),
        _ => format!("in {} days", seconds / 86_400),
    }
}
