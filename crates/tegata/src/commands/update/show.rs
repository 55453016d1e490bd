//! A repository or one file in words.

use super::folder::Folder;
use crate::{cli::update::DirArgs, clock, output::Output};
use anyhow::Context as _;
use serde_json::json;
use std::path::Path;
use update::{
    Limits, Metadata, RoleName, Root, Signed, Snapshot, Targets, Timestamp, TopRole,
    repository::{InWords, describe, in_days},
};

/// Runs `tegata update show`.
pub(super) fn run(dir: &DirArgs, file: Option<&Path>, output: Output) -> anyhow::Result<()> {
    match file {
        Some(file) => one(file, output),
        None => all(dir, output),
    }
}

fn one(path: &Path, output: Output) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let limits = Limits::DEFAULT;
    let (kind, mut lines, signers) = if let Ok(signed) = Signed::<Root>::parse(&bytes, &limits) {
        words("root", &signed)?
    } else if let Ok(signed) = Signed::<Targets>::parse(&bytes, &limits) {
        words("targets", &signed)?
    } else if let Ok(signed) = Signed::<Timestamp>::parse(&bytes, &limits) {
        let version = signed.unverified().snapshot.version;
        plain("timestamp", &signed, vec![format!("the newest snapshot is version {version}")])
    } else {
        let signed = Signed::<Snapshot>::parse(&bytes, &limits)
            .with_context(|| format!("{} is no metadata file", path.display()))?;
        let files = signed.unverified().meta.iter();
        let lines = files.map(|(name, file)| format!("{name} version {}", file.version));
        plain("snapshot", &signed, lines.collect())
    };
    lines.extend(signers.iter().map(|id| format!("a signature that claims to be by key {id}")));
    let summary = json!({ "file": path, "type": kind, "says": lines });
    output.one(&summary, |_| {
        format!("{} says, unverified:\n  {}", path.display(), lines.join("\n  "))
    })
}

type Words = (&'static str, Vec<String>, Vec<String>);

fn words<R: Metadata + InWords>(kind: &'static str, signed: &Signed<R>) -> anyhow::Result<Words> {
    let role = RoleName::new(kind)?;
    let lines = describe(&role, signed.unverified(), None, clock::now());
    Ok((kind, lines, signers(signed)))
}

fn plain<R: Metadata>(kind: &'static str, signed: &Signed<R>, more: Vec<String>) -> Words {
    let header = signed.unverified().header();
    let until = in_days(header.expires.since(clock::now()));
    let mut lines = vec![
        format!("{kind} version {}", header.version),
        format!("good until {}, {until}", header.expires),
    ];
    lines.extend(more);
    (kind, lines, signers(signed))
}

fn signers<R: Metadata>(signed: &Signed<R>) -> Vec<String> {
    signed.signatures().iter().map(|signature| signature.key.to_string()).collect()
}

fn all(dir: &DirArgs, output: Output) -> anyhow::Result<()> {
    let folder = Folder::open(&dir.dir)?;
    let mut rows = Vec::new();
    if let Some(present) = folder.repository()? {
        let mut add = |role: &RoleName, header: &update::Header, delegator: String, targets| {
            rows.push(json!({
                "role": role.as_str(), "version": header.version.number(),
                "expires": header.expires.to_string(), "by": delegator, "targets": targets,
            }));
        };
        let root = &present.root().header;
        add(&TopRole::Root.into(), root, String::new(), None);
        add(&TopRole::Timestamp.into(), &present.timestamp().header, "root".into(), None);
        add(&TopRole::Snapshot.into(), &present.snapshot().header, "root".into(), None);
        for (role, published) in present.all_targets() {
            let by = published.delegator.as_ref().map_or("root".to_owned(), RoleName::to_string);
            let count = Some(published.content.targets.len());
            add(role, &published.content.header, by, count);
        }
    }
    let drafts = folder.all_drafts()?;
    let root = drafts.root.iter().map(|bytes| (RoleName::from(TopRole::Root), bytes));
    for (role, bytes) in
        root.chain(drafts.targets.iter().map(|(role, bytes)| (role.clone(), bytes)))
    {
        let (version, expires, signatures) = if role.is(TopRole::Root) {
            header(&Signed::<Root>::parse(bytes, &Limits::DEFAULT)?)
        } else {
            header(&Signed::<Targets>::parse(bytes, &Limits::DEFAULT)?)
        };
        rows.push(json!({
            "role": role.as_str(), "version": version, "expires": expires,
            "draft": true, "signatures": signatures,
        }));
    }
    output.list(&rows, &["role", "version", "ends", "by", "targets"], |row| {
        let text = |name: &str| match row.get(name) {
            Some(serde_json::Value::String(text)) => text.clone(),
            None | Some(serde_json::Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        let by = match row.get("draft") {
            Some(_) => format!("draft with {} signatures", text("signatures")),
            None => text("by"),
        };
        vec![text("role"), text("version"), text("expires"), by, text("targets")]
    })
}

fn header<R: Metadata>(signed: &Signed<R>) -> (u64, String, usize) {
    let header = signed.unverified().header();
    (header.version.number(), header.expires.to_string(), signed.signatures().len())
}
