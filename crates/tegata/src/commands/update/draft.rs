//! Changes are made to drafts; nothing here signs or publishes.

use super::{
    folder::{Folder, publish},
    keys::{read_public, read_publics},
};
use crate::{
    cli::update::{AddTargetArgs, DelegateArgs, DraftArgs, InitArgs, RotateArgs},
    clock,
    output::Output,
};
use anyhow::Context as _;
use crypto::{Digester, HashAlgorithm, Sha256, UnixTime};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};
use update::{
    Custom, Hashes, KeyId, Metadata, Paths, RoleName, Root, Signers, TargetFile, TargetPath,
    Targets, TopRole,
    repository::{Replacement, describe, recover, successor},
};

const DAY_S: i64 = 86_400;
const ROOT_DAYS: u16 = 365;
const TARGETS_DAYS: u16 = 90;

/// Runs `tegata update init`.
pub(super) fn init(args: &InitArgs, output: Output) -> anyhow::Result<()> {
    let root_keys = read_publics(&args.root_keys)?;
    let targets_keys = read_publics(&args.targets_keys)?;
    let snapshot_keys = read_publics(&args.snapshot_keys)?;
    let timestamp_keys = read_publics(&args.timestamp_keys)?;
    let root = Root::new(ends(args.draft.days, ROOT_DAYS), |role| {
        let (keys, threshold) = match role {
            TopRole::Root => (&root_keys, args.root_threshold),
            TopRole::Targets => (&targets_keys, args.targets_threshold),
            TopRole::Snapshot => (&snapshot_keys, snapshot_keys.len()),
            TopRole::Timestamp => (&timestamp_keys, timestamp_keys.len()),
        };
        Signers { keys: keys.clone(), threshold }
    })?;
    if args.root_threshold == 1 {
        eprintln!("one root key alone is enough: whoever steals it owns every device; use 2 of 3");
    }
    let folder = Folder::create(&args.draft.dir.dir)?;
    let mut lines = words(&RoleName::from(TopRole::Root), &root, None);
    folder.put_draft(&TopRole::Root.into(), root)?;
    let targets = Targets::new(ends(None, TARGETS_DAYS));
    lines.extend(words(&RoleName::from(TopRole::Targets), &targets, None));
    folder.put_draft(&TopRole::Targets.into(), targets)?;
    let summary = json!({ "folder": args.draft.dir.dir, "drafts": ["root", "targets"] });
    output.one(&summary, |_| {
        format!(
            "{} holds drafts of root and targets\n  {}\nsign each where its keys are: tegata update sign {}",
            args.draft.dir.dir.display(),
            lines.join("\n  "),
            folder.draft_path(&TopRole::Root.into()).display()
        )
    })
}

/// Runs `tegata update add-target`.
pub(super) fn add_target(args: &AddTargetArgs, output: Output) -> anyhow::Result<()> {
    let folder = Folder::open(&args.draft.dir.dir)?;
    let role = RoleName::new(&args.role)?;
    let change = Change::<Targets>::begin(&folder, &role, &args.draft)?;
    let (length, digest) = store(&folder, &args.file, &args.path)?;
    let custom = Custom {
        hardware_ids: args.hardware_ids.clone(),
        version: args.release.clone(),
        security_version: args.security_version,
        release_counter: args.release_counter,
        ..Custom::default()
    };
    let file = TargetFile::new(length, Hashes::of_sha256(digest), &custom);
    // What cannot be read again would only show on devices.
    Custom::read(file.custom.as_ref())?;
    change.finish(output, |targets| {
        targets.targets.insert(args.path.as_str().to_owned(), file);
        Ok(())
    })
}

/// Runs `tegata update remove-target`.
pub(super) fn remove_target(
    args: &DraftArgs,
    path: &TargetPath,
    role: &str,
    output: Output,
) -> anyhow::Result<()> {
    let folder = Folder::open(&args.dir.dir)?;
    let role = RoleName::new(role)?;
    Change::<Targets>::begin(&folder, &role, args)?.finish(output, |targets| {
        targets
            .targets
            .remove(path.as_str())
            .map(drop)
            .with_context(|| format!("{role} has no target {path}; list them: tegata update show"))
    })
}

/// Runs `tegata update delegate`.
pub(super) fn delegate(args: &DelegateArgs, output: Output) -> anyhow::Result<()> {
    let folder = Folder::open(&args.draft.dir.dir)?;
    let by = RoleName::new(&args.by)?;
    let name = RoleName::for_delegation(&args.name)?;
    let keys = read_publics(&args.keys)?;
    let repository = folder.repository()?;
    let elsewhere = repository
        .iter()
        .flat_map(|repository| repository.all_targets())
        .find(|(role, published)| **role != by && published.content.delegation(&name).is_some());
    if let Some((other, _)) = elsewhere {
        anyhow::bail!(
            "{other} delegates to {name} already; names of roles are unique, choose another"
        );
    }
    let change = Change::<Targets>::begin(&folder, &by, &args.draft)?;
    change.finish(output, |targets| {
        if args.end {
            targets.end_delegation(&name)?;
            return Ok(());
        }
        let paths = if args.hash_prefixes.is_empty() {
            Paths::Patterns(args.paths.clone())
        } else {
            Paths::HashPrefixes(args.hash_prefixes.clone())
        };
        targets.delegate(name.clone(), &keys, args.threshold, paths, args.terminating)?;
        Ok(())
    })?;
    let drafted = folder.draft::<Targets>(&name)?.is_some();
    let published = repository.as_ref().is_some_and(|all| all.targets(&name).is_some());
    if args.end || drafted || published {
        return Ok(());
    }
    let mut first = Targets::new(ends(args.draft.days, TARGETS_DAYS));
    if let Some(repository) = &repository {
        // A role that was ended before goes on counting.
        first.header.version = repository.next_version(&name)?;
    }
    let path = folder.put_draft(&name, first)?;
    eprintln!(
        "{} is a draft without targets; {name} must sign it before it is published",
        path.display()
    );
    Ok(())
}

/// Runs `tegata update rotate`.
pub(super) fn rotate(args: &RotateArgs, output: Output) -> anyhow::Result<()> {
    anyhow::ensure!(
        !(args.remove.is_empty() && args.add.is_empty() && args.thresholds.is_empty()),
        "say what changes: --remove, --add or --threshold; for a later end alone: tegata update renew root"
    );
    let folder = Folder::open(&args.draft.dir.dir)?;
    let role = RoleName::from(TopRole::Root);
    let repository = folder.published()?;
    if folder.draft::<Root>(&role)?.is_some_and(|draft| !draft.signatures().is_empty()) {
        anyhow::bail!(
            "a draft of a root is being signed; publish it, or remove {} to begin anew",
            folder.draft_path(&role).display()
        );
    }
    let mut changes = Vec::new();
    for top in TopRole::ALL {
        let of = |values: &[crate::cli::update::RoleValue]| -> Vec<String> {
            values.iter().filter(|one| one.role == top).map(|one| one.value.clone()).collect()
        };
        let remove = of(&args.remove).iter().map(|text| key_id(text)).collect::<Result<_, _>>()?;
        let add = of(&args.add)
            .iter()
            .map(|path| read_public(Path::new(path)))
            .collect::<Result<_, _>>()?;
        let threshold = of(&args.thresholds)
            .last()
            .map(|text| text.parse().with_context(|| format!("{text:?} is no number")))
            .transpose()?;
        changes.push(Replacement { role: top, remove, add, threshold });
    }
    let old = repository.root();
    let next = recover(old, &changes, args.stolen, ends(args.draft.days, ROOT_DAYS))?;
    let lines = words(&role, &next, Some(old));
    let path = folder.put_draft(&role, next)?;
    report(&path, &role, &lines, output)?;
    let others: Vec<&str> = [TopRole::Targets, TopRole::Snapshot, TopRole::Timestamp]
        .into_iter()
        .filter(|top| changes.iter().any(|one| one.role == *top && !one.remove.is_empty()))
        .map(TopRole::name)
        .collect();
    if others.contains(&"targets") {
        eprintln!("targets must be signed by its new keys as well: tegata update renew targets");
    }
    Ok(())
}

/// Runs `tegata update renew`.
pub(super) fn renew(args: &DraftArgs, role: &str, output: Output) -> anyhow::Result<()> {
    let folder = Folder::open(&args.dir.dir)?;
    match TopRole::from_name(role) {
        Some(TopRole::Root) => {
            let name = RoleName::from(TopRole::Root);
            let repository = folder.published()?;
            let old = repository.root();
            let next = recover(old, &[], false, ends(args.days, ROOT_DAYS))?;
            let lines = words(&name, &next, Some(old));
            let path = folder.put_draft(&name, next)?;
            report(&path, &name, &lines, output)
        }
        Some(TopRole::Snapshot | TopRole::Timestamp) => anyhow::bail!(
            "{role} is signed online: tegata update snapshot, or tegata update timestamp"
        ),
        Some(TopRole::Targets) | None => {
            let name = RoleName::new(role)?;
            Change::<Targets>::begin(&folder, &name, args)?.finish(output, |_| Ok(()))
        }
    }
}

/// A draft of a targets role that is being changed.
struct Change<'a, R> {
    folder: &'a Folder,
    role: RoleName,
    old: Option<R>,
    next: R,
}

impl<'a> Change<'a, Targets> {
    /// The draft that waits already, or the next version of what is published.
    fn begin(folder: &'a Folder, role: &RoleName, args: &DraftArgs) -> anyhow::Result<Self> {
        let repository = folder.repository()?;
        let published = repository.as_ref().and_then(|repository| repository.targets(role));
        let old = published.map(|published| (*published.content).clone());
        let expires = ends(args.days, TARGETS_DAYS);
        let next = match (folder.draft::<Targets>(role)?, &old) {
            (Some(draft), _) => {
                let mut content = draft.unverified().clone();
                content.header.expires = expires;
                content
            }
            (None, Some(old)) => successor(old, role, expires)?,
            (None, None) => anyhow::bail!(
                "there is no role {role}; delegate to it first: tegata update delegate {role} --key KEY --paths PATTERN"
            ),
        };
        Ok(Self { folder, role: role.clone(), old, next })
    }

    fn finish(
        mut self,
        output: Output,
        change: impl FnOnce(&mut Targets) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        change(&mut self.next)?;
        let lines = words(&self.role, &self.next, self.old.as_ref());
        let path = self.folder.put_draft(&self.role, self.next)?;
        report(&path, &self.role, &lines, output)
    }
}

fn words<R: Metadata + update::repository::InWords>(
    role: &RoleName,
    next: &R,
    old: Option<&R>,
) -> Vec<String> {
    describe(role, next, old, clock::now())
}

fn report(path: &Path, role: &RoleName, lines: &[String], output: Output) -> anyhow::Result<()> {
    let summary = json!({ "draft": path, "role": role.as_str(), "changes": lines });
    output.one(&summary, |_| {
        format!(
            "{}\n  {}\nsign it where the keys are: tegata update sign {}",
            path.display(),
            lines.join("\n  "),
            path.display()
        )
    })
}

fn ends(days: Option<u16>, usual: u16) -> UnixTime {
    clock::now().plus(i64::from(days.unwrap_or(usual)) * DAY_S)
}

/// A key id, or the file of a public key.
fn key_id(text: &str) -> anyhow::Result<KeyId> {
    if Path::new(text).is_file() {
        return Ok(read_public(Path::new(text))?.computed_id());
    }
    Ok(KeyId::new(text)?)
}

/// Copies a target file to its place under its hash; the same file twice is one file.
fn store(folder: &Folder, file: &Path, path: &TargetPath) -> anyhow::Result<(u64, Sha256)> {
    let cannot_read = || format!("cannot read the target file {}", file.display());
    let mut source = std::fs::File::open(file).with_context(cannot_read)?;
    anyhow::ensure!(source.metadata()?.is_file(), "{} is not a file", file.display());
    let mut copy = tempfile::NamedTempFile::new_in(folder.targets())?;
    let mut digester = Digester::new(HashAlgorithm::Sha256);
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0_u64;
    loop {
        let read = source.read(&mut buffer).with_context(cannot_read)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
        digester.update(piece);
        copy.write_all(piece)?;
        length += u64::try_from(read)?;
    }
    let digest = Sha256::from_slice(&digester.finish()).context("a SHA-256 has 32 bytes")?;
    let place: PathBuf = folder.targets().join(path.file_name(Some(&digest.to_string())));
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    publish(copy, &place).with_context(|| format!("cannot write {}", place.display()))?;
    Ok((length, digest))
}
