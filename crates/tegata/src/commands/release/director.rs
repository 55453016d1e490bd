//! The organisation's director on a server, and the draft of its root, which is signed elsewhere.

use super::{OPEN, repository::replace};
use crate::{
    cli::{
        Language,
        director::{DirectorArgs, DirectorCommand},
    },
    clock,
    output::Output,
};
use anyhow::Context as _;
use api::{Rest, wire::Director};
use device::OrganisationId;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use update::{
    Key, Limits, Root, Signed, Signers,
    director::{RootKeys, draft_root},
};

/// Runs `tegata release director …`.
pub(super) async fn run(
    command: DirectorCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    let open = |args: &DirectorArgs| -> anyhow::Result<(Rest, OrganisationId)> {
        Ok((super::rest(&args.server, language)?, args.organisation.parse()?))
    };
    match command {
        DirectorCommand::Begin(args) => {
            let (rest, of) = open(&args)?;
            show(&rest.begin_director(&of).await?, output)?;
        }
        DirectorCommand::Show(args) => {
            let (rest, of) = open(&args)?;
            let found = rest.director(&of).await?;
            show(&found, output)?;
            if found.root.as_ref().is_none_or(|root| root.ends_soon) {
                return Ok(ExitCode::from(OPEN));
            }
        }
        DirectorCommand::Keys(args) => {
            let (rest, of) = open(&args)?;
            show(&rest.rotate_director_keys(&of).await?, output)?;
        }
        DirectorCommand::Life { which, hours } => {
            let (rest, of) = open(&which)?;
            show(&rest.set_director_life(&of, hours.saturating_mul(3600)).await?, output)?;
        }
        DirectorCommand::DraftRoot { which, root_keys, threshold, days, out } => {
            let (rest, of) = open(&which)?;
            let offline = signers(&root_keys, threshold)?;
            draft(&rest, &of, offline, days, &out, output).await?;
        }
        DirectorCommand::Push { which, root, anew } => {
            let (rest, of) = open(&which)?;
            let bytes = std::fs::read(&root)
                .with_context(|| format!("cannot read the root {}", root.display()))?;
            let pushed = match anew {
                true => rest.begin_director_anew(&of, bytes).await?,
                false => rest.push_director_root(&of, bytes).await?,
            };
            show(&pushed, output)?;
        }
        DirectorCommand::Root { which, version, out } => {
            let (rest, of) = open(&which)?;
            let version = match version {
                Some(version) => version,
                None => newest(&rest.director(&of).await?)?,
            };
            replace(&out, &rest.director_root(&of, version).await?)?;
            let written = json!({"version": version, "file": out});
            output.one(&written, |_| format!("root {version} is in {}", out.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn newest(found: &Director) -> anyhow::Result<u64> {
    let root = found.root.as_ref();
    root.map(|root| root.version)
        .context("the director has no root yet; draft one: tegata release director draft-root")
}

fn signers(files: &[PathBuf], threshold: Option<usize>) -> anyhow::Result<Option<Signers>> {
    if files.is_empty() {
        return Ok(None);
    }
    let keys = files
        .iter()
        .map(|path| {
            let bytes = std::fs::read(path)
                .with_context(|| format!("cannot read the key {}", path.display()))?;
            Key::from_file(&bytes).with_context(|| format!("{} is no key", path.display()))
        })
        .collect::<anyhow::Result<Vec<Key>>>()?;
    let threshold = threshold.unwrap_or(keys.len() / 2 + 1);
    Ok(Some(Signers { keys, threshold }))
}

async fn draft(
    rest: &Rest,
    of: &OrganisationId,
    offline: Option<Signers>,
    days: u32,
    out: &Path,
    output: Output,
) -> anyhow::Result<()> {
    let found = rest.director(of).await?;
    let key = |role: &str| -> anyhow::Result<Key> {
        let newest = found.keys.iter().rfind(|key| key.role == role);
        let key = newest.with_context(|| format!("the server has no key for {role}"))?;
        let public = Key::from_file(&serde_json::to_vec(&key.public)?)?;
        anyhow::ensure!(public.computed_id().as_str() == key.id, "a key has another id than said");
        Ok(public)
    };
    let before = match &found.root {
        None => None,
        Some(root) => {
            let bytes = rest.director_root(of, root.version).await?;
            Some(Signed::<Root>::parse(&bytes, &Limits::DEFAULT)?)
        }
    };
    anyhow::ensure!(
        before.is_some() || offline.is_some(),
        "a first root needs the keys that sign roots; give --root-key"
    );
    let keys = RootKeys {
        root: offline,
        targets: key("targets")?,
        snapshot: key("snapshot")?,
        timestamp: key("timestamp")?,
    };
    let expires = clock::now().plus(i64::from(days).saturating_mul(86_400));
    let root = draft_root(before.as_ref().map(Signed::unverified), &keys, expires)?;
    let version = root.header.version;
    replace(out, &Signed::draft(root).to_bytes()?)?;
    let summary = json!({"draft": out, "version": version.number()});
    output.one(&summary, |_| {
        let by = if before.is_some() { " --by PRESENT-ROOT" } else { "" };
        format!(
            "the draft of root {version} is in {0}; sign it: tegata update sign {0}{by} --key KEY",
            out.display()
        )
    })
}

fn show(found: &Director, output: Output) -> anyhow::Result<()> {
    output.one(found, |found| {
        let hours = found.life_s / 3600;
        let mut text =
            format!("director of {}: what it signs is good for {hours} hours", found.organisation);
        match &found.root {
            None => text.push_str(
                "\n  it has no root and says nothing; draft one, sign and push it \
                 (docs/director.md)",
            ),
            Some(root) => {
                let soon = if root.ends_soon { "  SOON" } else { "" };
                let (version, expires) = (root.version, root.expires);
                text.push_str(&format!("\n  root version {version} until {expires}{soon}"));
            }
        }
        for key in &found.keys {
            let named = if key.named { "" } else { ", not named by the root" };
            text.push_str(&format!("\n  {} key {}{named}", key.role, key.id));
        }
        text
    })
}
