//! Publishing with the online keys, and watching over what is published.

use super::{folder::Folder, keys};
use crate::{
    cli::{
        UnlockArgs,
        update::{DirArgs, PublishArgs, TimestampArgs},
    },
    clock,
    output::Output,
};
use crypto::{Signer, SoftwareKey, UnixTime};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};
use update::{
    TopRole,
    repository::{self, Notice, Online, Publication, Staged, in_days, notices, renew_timestamp},
};

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;
/// Exit status where something ends soon.
const ENDS_SOON: u8 = 2;

/// Runs `tegata update publish`, and `snapshot` where `drafts` stay.
pub(super) fn publish(args: &PublishArgs, drafts: bool, output: Output) -> anyhow::Result<()> {
    let folder = Folder::open(&args.dir.dir)?;
    let present = folder.repository()?;
    let staged = if drafts { folder.all_drafts()? } else { Staged::default() };
    let snapshot = open(&args.snapshot_keys, &args.unlock)?;
    let timestamp = open(&args.timestamp_keys, &args.unlock)?;
    let now = clock::now();
    let online = Online {
        snapshot: signers(&snapshot),
        timestamp: signers(&timestamp),
        snapshot_expires: now.plus(i64::from(args.snapshot_days) * DAY_S),
        timestamp_expires: now.plus(i64::from(args.timestamp_hours) * HOUR_S),
    };
    let publication = repository::publish(present.as_ref(), &staged, &online, now)?;
    folder.write(&publication, &staged)?;
    report(&publication, output)
}

/// Runs `tegata update timestamp`.
pub(super) fn timestamp(args: &TimestampArgs, output: Output) -> anyhow::Result<()> {
    let folder = Folder::open(&args.dir.dir)?;
    let present = folder.published()?;
    let keys = open(&args.timestamp_keys, &args.unlock)?;
    let now = clock::now();
    let online = Online {
        snapshot: Vec::new(),
        timestamp: signers(&keys),
        snapshot_expires: now,
        timestamp_expires: now.plus(i64::from(args.timestamp_hours) * HOUR_S),
    };
    let publication = renew_timestamp(&present, &online, now)?;
    folder.write(&publication, &Staged::default())?;
    report(&publication, output)
}

/// Runs `tegata update check`: 0 where all is well, 2 where something ends soon or has ended.
pub(super) fn check(args: &DirArgs, output: Output) -> anyhow::Result<ExitCode> {
    let folder = Folder::open(&args.dir)?;
    let present = folder.published()?;
    missing_targets(&folder, &present)?;
    let now = clock::now();
    let notices = notices(&present, now);
    let list: Vec<_> = notices.iter().map(|notice| as_json(notice, now)).collect();
    let summary = json!({
        "root": present.root().header.version.number(),
        "timestamp": present.timestamp().header.version.number(),
        "ends_soon": list,
    });
    output.one(&summary, |_| {
        let mut text = format!(
            "root {}, timestamp {}: every file is signed as it must be, and every target is there",
            present.root().header.version,
            present.timestamp().header.version
        );
        for notice in &notices {
            let end = in_days(notice.expires.since(now));
            let what = match TopRole::from_name(notice.role.as_str()) {
                Some(TopRole::Timestamp) => "tegata update timestamp".to_owned(),
                Some(TopRole::Snapshot) => "tegata update snapshot".to_owned(),
                _ => format!("tegata update renew {}", notice.role),
            };
            text.push_str(&format!(
                "\n{} version {} ends at {}, {end}; sign it anew: {what}",
                notice.role, notice.version, notice.expires
            ));
        }
        text
    })?;
    Ok(if notices.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(ENDS_SOON) })
}

/// Every target that is published lies where devices look for it, whole.
fn missing_targets(folder: &Folder, present: &repository::Repository) -> anyhow::Result<()> {
    for (role, published) in present.all_targets() {
        for (path, file) in &published.content.targets {
            let Ok(path) = update::TargetPath::new(path.as_str()) else { continue };
            let place = folder.targets().join(path.file_name(file.hashes.in_names()));
            let length = std::fs::metadata(&place).map(|file| file.len()).ok();
            anyhow::ensure!(
                length == Some(file.length),
                "{role} speaks about {path}, and {} is not there or not whole; add it again: tegata update add-target",
                place.display()
            );
        }
    }
    Ok(())
}

fn as_json(notice: &Notice, now: UnixTime) -> serde_json::Value {
    json!({
        "role": notice.role.as_str(),
        "version": notice.version.number(),
        "expires": notice.expires.to_string(),
        "seconds": notice.expires.since(now),
        "expired": notice.expired,
    })
}

fn open(paths: &[PathBuf], unlock: &UnlockArgs) -> anyhow::Result<Vec<SoftwareKey>> {
    paths.iter().map(|path| keys::open(path, unlock)).collect()
}

fn signers(keys: &[SoftwareKey]) -> Vec<&dyn Signer> {
    keys.iter().map(|key| key as &dyn Signer).collect()
}

fn report(publication: &Publication, output: Output) -> anyhow::Result<()> {
    let names: Vec<&str> = publication.files.iter().map(|(name, _)| name.as_str()).collect();
    let versions: serde_json::Map<String, serde_json::Value> = publication
        .versions
        .iter()
        .map(|(role, version)| (role.to_string(), version.number().into()))
        .collect();
    output.one(&json!({ "files": names, "versions": versions }), |_| {
        format!("published {}", names.join(", "))
    })
}
