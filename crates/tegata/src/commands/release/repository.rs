//! The organisation's image repository on a server, and the folder whose drafts are signed offline.

use super::OPEN;
use crate::{
    cli::{
        Language,
        release::{MetadataCommand, RepositoryArgs, RepositoryCommand},
    },
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    ClientError, Rest,
    client::{Call, percent_encode},
    wire::{DraftQuery, ImageRepository, SignedMetadata, SignedTargets, scalar::Base64},
};
use device::OrganisationId;
use serde_json::json;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use update::{Limits, RoleName, Signed, Snapshot, Targets, Timestamp, TopRole};

/// Runs `tegata release repository …`.
pub(super) async fn run(
    command: RepositoryCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    let open = |args: &RepositoryArgs| -> anyhow::Result<(Rest, OrganisationId)> {
        Ok((super::rest(&args.server, language)?, args.organisation.parse()?))
    };
    match command {
        RepositoryCommand::Begin(args) => {
            let (rest, of) = open(&args)?;
            show(&rest.begin_repository(&of).await?, output)
        }
        RepositoryCommand::Show(args) => {
            let (rest, of) = open(&args)?;
            let found = rest.repository(&of).await?;
            show(&found, output)?;
            let soon = found.problem.is_some() || found.roles.iter().any(|role| role.ends_soon);
            Ok(if soon { ExitCode::from(OPEN) } else { ExitCode::SUCCESS })
        }
        RepositoryCommand::Keys { which, new, out } => {
            let (rest, of) = open(&which)?;
            let found = match new {
                true => rest.rotate_repository_keys(&of).await?,
                false => rest.repository(&of).await?,
            };
            keys(&found, &out, output)
        }
        RepositoryCommand::Open(args) => {
            let (rest, of) = open(&args)?;
            show(&rest.open_repository(&of, true).await?, output)
        }
        RepositoryCommand::Close(args) => {
            let (rest, of) = open(&args)?;
            show(&rest.open_repository(&of, false).await?, output)
        }
    }
}

fn show(found: &ImageRepository, output: Output) -> anyhow::Result<ExitCode> {
    output.one(found, |found| {
        let readers = match found.open {
            true => "everybody may read it",
            false => "devices and members may read it, by certificate",
        };
        let mut text = format!("image repository of {}: {readers}", found.organisation);
        if found.roles.is_empty() {
            text.push_str(
                "\n  nothing is published; name its keys in a root, sign and push (docs/release.md)",
            );
        }
        for role in &found.roles {
            let soon = if role.ends_soon { "  SOON" } else { "" };
            text.push_str(&format!(
                "\n  {} version {} until {}{soon}",
                role.role, role.version, role.expires
            ));
        }
        for path in &found.unsigned {
            text.push_str(&format!("\n  not signed yet: {path}"));
        }
        for path in &found.withdrawn {
            text.push_str(&format!("\n  withdrawn and still signed: {path}"));
        }
        if let Some(problem) = &found.problem {
            text.push_str(&format!("\n  NOT RENEWED: {problem}"));
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the newest public key of each role, as `tegata update key new` writes them.
fn keys(found: &ImageRepository, out: &Path, output: Output) -> anyhow::Result<ExitCode> {
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut written = Vec::new();
    for role in ["snapshot", "timestamp"] {
        let newest = found.keys.iter().rfind(|key| key.role == role);
        let key = newest.with_context(|| format!("the server has no key for {role}"))?;
        let path = out.join(format!("{role}.json"));
        let text = serde_json::to_vec(&key.public)?;
        // Checked before anybody names it in a root.
        let public = update::Key::from_file(&text)?;
        anyhow::ensure!(public.computed_id().as_str() == key.id, "a key has another id than said");
        replace(&path, &update::json::file_form(&public.to_json()))?;
        written.push(json!({"role": role, "key": key.id, "public": path, "named": key.named}));
    }
    output.one(&written, |_| {
        format!(
            "{0}/snapshot.json and {0}/timestamp.json are written; name them in a root: tegata \
             update init, or rotate",
            out.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the server's draft of targets metadata into a folder.
pub(super) async fn draft(
    rest: &Rest,
    of: &OrganisationId,
    dir: &Path,
    role: &str,
    days: u32,
    output: Output,
) -> anyhow::Result<()> {
    let which = DraftQuery { role: Some(role.to_owned()), days: Some(days) };
    let bytes = rest.draft_targets(of, &which).await?;
    let role = RoleName::new(role)?;
    let draft = Signed::<Targets>::parse(&bytes, &Limits::DEFAULT)?;
    let path = dir.join("staged").join(role.file_name(None));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    replace(&path, &bytes)?;
    let content = draft.unverified();
    let summary = json!({
        "draft": path, "version": content.header.version.number(),
        "targets": content.targets.len(),
    });
    output.one(&summary, |_| {
        format!(
            "{} version {} names {} targets; sign it: tegata update sign {}",
            role,
            content.header.version,
            content.targets.len(),
            path.display()
        )
    })
}

/// Runs `tegata release metadata …`.
pub(super) async fn metadata(
    command: MetadataCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        MetadataCommand::Push { server, organisation, dir } => {
            let remote = Remote::open(&server, language)?;
            let rest = Rest::new(remote.client().clone());
            let of: OrganisationId = organisation.parse()?;
            let drafts = signed_drafts(&dir)?;
            let paths: Vec<PathBuf> = drafts.iter().map(|(_, path, _)| path.clone()).collect();
            let mut signed = SignedMetadata::default();
            for (role, _, bytes) in drafts {
                match role.is(TopRole::Root) {
                    true => signed.root = Some(Base64(bytes)),
                    false => signed.targets.push(SignedTargets {
                        role: role.as_str().to_owned(),
                        file: Base64(bytes),
                    }),
                }
            }
            let found = rest.push_metadata(&of, &signed).await?;
            for path in paths {
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
            pull(&remote, &of, &dir).await?;
            show(&found, output).map(drop)
        }
        MetadataCommand::Pull { server, organisation, dir } => {
            let remote = Remote::open(&server, language)?;
            let files = pull(&remote, &organisation.parse()?, &dir).await?;
            output.one(&json!({ "files": files }), |_| {
                format!("{} files are in {}", files.len(), dir.join("metadata").display())
            })
        }
    }
}

/// The drafts of a folder that have a signature.
fn signed_drafts(dir: &Path) -> anyhow::Result<Vec<(RoleName, PathBuf, Vec<u8>)>> {
    let staged = dir.join("staged");
    let entries =
        fs::read_dir(&staged).with_context(|| format!("cannot read {}", staged.display()))?;
    let mut drafts = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let role = RoleName::new(name)?;
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let signatures = match role.is(TopRole::Root) {
            true => Signed::<update::Root>::parse(&bytes, &Limits::DEFAULT)?.signatures().len(),
            false => Signed::<Targets>::parse(&bytes, &Limits::DEFAULT)?.signatures().len(),
        };
        if signatures == 0 {
            eprintln!("{} is not signed and stays a draft", path.display());
            continue;
        }
        drafts.push((role, path, bytes));
    }
    anyhow::ensure!(
        !drafts.is_empty(),
        "{} holds no signed draft; sign one: tegata update sign",
        staged.display()
    );
    Ok(drafts)
}

/// Gets every metadata file that is published, as a client would, into a folder.
async fn pull(remote: &Remote, of: &OrganisationId, dir: &Path) -> anyhow::Result<Vec<String>> {
    let folder = dir.join("metadata");
    for folder in [&folder, &dir.join("targets"), &dir.join("staged")] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut names = Vec::new();
    for version in 1..=u64::MAX {
        match get(remote, of, &format!("{version}.root.json")).await? {
            Some(bytes) => keep(&folder, &mut names, format!("{version}.root.json"), &bytes)?,
            None => break,
        }
    }
    let limits = Limits::DEFAULT;
    let missing = |name: &str| format!("the server has no {name}");
    let bytes = get(remote, of, "timestamp.json").await?.with_context(|| missing("timestamp"))?;
    let timestamp = Signed::<Timestamp>::parse(&bytes, &limits)?;
    let name =
        RoleName::from(TopRole::Snapshot).file_name(Some(timestamp.unverified().snapshot.version));
    let snapshot_bytes = get(remote, of, &name).await?.with_context(|| missing(&name))?;
    let snapshot = Signed::<Snapshot>::parse(&snapshot_bytes, &limits)?;
    for (listed, file) in &snapshot.unverified().meta {
        let role = listed.strip_suffix(".json").with_context(|| format!("strange {listed}"))?;
        let name = RoleName::new(role)?.file_name(Some(file.version));
        // A delegation that has ended stays listed, and its file goes.
        if let Some(bytes) = get(remote, of, &name).await? {
            keep(&folder, &mut names, name, &bytes)?;
        }
    }
    keep(&folder, &mut names, name, &snapshot_bytes)?;
    keep(&folder, &mut names, "timestamp.json".to_owned(), &bytes)?;
    Ok(names)
}

fn keep(folder: &Path, names: &mut Vec<String>, name: String, bytes: &[u8]) -> anyhow::Result<()> {
    replace(&folder.join(&name), bytes)?;
    names.push(name);
    Ok(())
}

async fn get(remote: &Remote, of: &OrganisationId, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let path = format!("/tuf/{of}/metadata/{}", percent_encode(name));
    match remote.client().call(Call::get(path)).await {
        Ok(answer) => Ok(Some(answer.body.to_vec())),
        Err(ClientError::Refused(problem)) if problem.status == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes a file in one step.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
