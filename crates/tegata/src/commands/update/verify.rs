//! Finding and checking a target as a device does.

use super::folder::{around, read_folder, replace};
use crate::{
    cli::{Language, update::VerifyArgs},
    clock,
    output::Output,
};
use anyhow::Context as _;
use api::{Client as Http, Settings as HttpSettings, client::Call};
use serde_json::json;
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use update::{
    RoleName, Version,
    client::{Answer, Client, Found, Keep, Refusal, Settings, Stored, Target, Wanted},
};

/// Exit status where the target is refused, as of `tegata verify`.
const REFUSED: u8 = 3;
/// Largest target that is taken over HTTP, in bytes: it is held in memory.
const HTTP_TARGET_BYTES_MAX: u64 = 2 << 30;

/// Runs `tegata update verify`.
pub(super) async fn run(
    args: &VerifyArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    let mirror = match (&args.dir, &args.url) {
        (Some(dir), _) => Mirror::Folder(dir.clone()),
        (None, Some(url)) => Mirror::Address(url.trim_end_matches('/').to_owned()),
        (None, None) => anyhow::bail!("say where the repository is: --dir or --url"),
    };
    match verify(args, &mirror).await? {
        Ok(target) => {
            let hash = target.hashes().get("sha256").unwrap_or_default().to_owned();
            let roles: Vec<&str> = target.roles().iter().map(RoleName::as_str).collect();
            let custom = target.custom()?;
            let summary = json!({
                "outcome": "verified", "target": target.path().as_str(), "length": target.length(),
                "sha256": hash, "roles": roles, "hardware_ids": custom.hardware_ids,
                "version": custom.version, "security_version": custom.security_version,
                "release_counter": custom.release_counter,
            });
            output.one(&summary, |_| {
                format!(
                    "verified {}: {} bytes, SHA-256 {hash}\n  vouched for by {}",
                    target.path(),
                    target.length(),
                    roles.join(" → ")
                )
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            let text = refusal.text().of(language.into());
            let summary = json!({
                "outcome": "refused", "code": refusal.code(), "detail": refusal.to_string(),
                "text": text,
            });
            output
                .one(&summary, |_| format!("refused [{}] {refusal}\n  {text}", refusal.code()))?;
            Ok(ExitCode::from(REFUSED))
        }
    }
}

/// A refusal is an answer; what fails besides is an error.
async fn verify(args: &VerifyArgs, mirror: &Mirror) -> anyhow::Result<Result<Target, Refusal>> {
    let mut state = State::read(args)?;
    let settings = Settings {
        timestamp_known: args.timestamp_known.and_then(Version::new),
        ..Settings::default()
    };
    let now = args.at.map_or_else(clock::now, |at| at.0);
    let mut client = match Client::begin(state.stored(), settings, now) {
        Ok(client) => client,
        Err(refusal) => return Ok(Err(refusal)),
    };
    while let Some(wanted) = client.wanted() {
        let answer = mirror.metadata(&wanted).await?;
        match client.answer(answer) {
            Ok(kept) => state.keep(kept)?,
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    let target = loop {
        match client.find(&args.target) {
            Ok(Found::Target(target)) => break target,
            Ok(Found::Wants(wanted)) => {
                let answer = mirror.metadata(&wanted).await?;
                match client.answer(answer) {
                    Ok(kept) => state.keep(kept)?,
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
    mirror.target(&target, args.out.as_deref()).await
}

/// Where files come from.
enum Mirror {
    Folder(PathBuf),
    Address(String),
}

impl Mirror {
    async fn metadata(&self, wanted: &Wanted) -> anyhow::Result<Answer> {
        match self {
            Self::Folder(dir) => {
                let path = dir.join("metadata").join(&wanted.file);
                let file = match std::fs::File::open(&path) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        return Ok(Answer::Absent);
                    }
                    other => other.with_context(|| format!("cannot read {}", path.display()))?,
                };
                let mut bytes = Vec::new();
                file.take(wanted.length_max.saturating_add(1)).read_to_end(&mut bytes)?;
                Ok(Answer::File(bytes))
            }
            Self::Address(base) => {
                let path = format!("metadata/{}", wanted.file);
                Ok(fetch(base, &path, wanted.length_max)
                    .await?
                    .map_or(Answer::Absent, Answer::File))
            }
        }
    }

    /// The target, verified while it comes; written to `out` only when it is whole.
    async fn target(
        &self,
        target: &Target,
        out: Option<&Path>,
    ) -> anyhow::Result<Result<Target, Refusal>> {
        let missing = || Refusal::Missing { file: target.file_name() };
        let mut download = target.download();
        let mut copy = match out {
            None => None,
            Some(out) => Some((tempfile::NamedTempFile::new_in(around(out))?, out)),
        };
        let mut take = |piece: &[u8]| -> anyhow::Result<Result<(), Refusal>> {
            if let Err(refusal) = download.push(piece) {
                return Ok(Err(refusal));
            }
            if let Some((copy, _)) = &mut copy {
                std::io::Write::write_all(copy, piece)?;
            }
            Ok(Ok(()))
        };
        match self {
            Self::Folder(dir) => {
                let path = dir.join("targets").join(target.file_name());
                let Ok(mut file) = std::fs::File::open(&path) else { return Ok(Err(missing())) };
                let mut buffer = vec![0; 1 << 20];
                loop {
                    let read = file.read(&mut buffer)?;
                    let piece = buffer.get(..read).unwrap_or_default();
                    if piece.is_empty() {
                        break;
                    }
                    if let Err(refusal) = take(piece)? {
                        return Ok(Err(refusal));
                    }
                }
            }
            Self::Address(base) => {
                anyhow::ensure!(
                    target.length() <= HTTP_TARGET_BYTES_MAX,
                    "the target is larger than 2 GiB; fetch it by other means and verify with --dir"
                );
                let path = format!("targets/{}", target.address());
                let Some(bytes) = fetch(base, &path, target.length()).await? else {
                    return Ok(Err(missing()));
                };
                if let Err(refusal) = take(&bytes)? {
                    return Ok(Err(refusal));
                }
            }
        }
        let verified = match download.finish() {
            Ok(verified) => verified.into_inner(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some((copy, out)) = copy {
            super::folder::publish(copy, out)
                .with_context(|| format!("cannot write {}", out.display()))?;
        }
        Ok(Ok(verified))
    }
}

/// A file over plain HTTP: what comes back proves itself. `None` where there is none.
async fn fetch(base: &str, path: &str, length_max: u64) -> anyhow::Result<Option<Vec<u8>>> {
    let (origin, prefix) = match base.strip_prefix("http://").and_then(|rest| rest.split_once('/'))
    {
        Some((host, prefix)) => (format!("http://{host}"), format!("/{prefix}")),
        None => (base.to_owned(), String::new()),
    };
    let settings = HttpSettings {
        // One byte more than allowed, for the client to see that there is more.
        answer_bytes_max: usize::try_from(length_max.saturating_add(1))?.max(64 * 1024),
        answer_time: std::time::Duration::from_secs(3600),
        ..HttpSettings::default()
    };
    let client = Http::public(&origin, settings)?;
    let answer = client.send(Call::get(format!("{prefix}/{path}"))).await?;
    match answer.status.as_u16() {
        200 => Ok(Some(answer.body.to_vec())),
        // Object stores answer 403 for what is not there and may not be listed.
        403 | 404 => Ok(None),
        other => anyhow::bail!("{base}/{path} answers {other}; try again later or another mirror"),
    }
}

/// What is remembered between runs.
struct State {
    folder: Option<PathBuf>,
    stored: Stored,
}

impl State {
    fn read(args: &VerifyArgs) -> anyhow::Result<Self> {
        let first = || {
            std::fs::read(&args.root)
                .with_context(|| format!("cannot read the root {}", args.root.display()))
        };
        let Some(folder) = args.state.clone() else {
            return Ok(Self {
                folder: None,
                stored: Stored { root: first()?, ..Stored::default() },
            });
        };
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let mut files = read_folder(&folder)?;
        let stored = Stored {
            root: match files.remove("root.json") {
                Some(root) => root,
                None => first()?,
            },
            timestamp: files.remove("timestamp.json"),
            snapshot: files.remove("snapshot.json"),
            targets: files
                .into_iter()
                .filter_map(|(name, bytes)| {
                    Some((RoleName::new(name.strip_suffix(".json")?).ok()?, bytes))
                })
                .collect(),
        };
        Ok(Self { folder: Some(folder), stored })
    }

    fn stored(&mut self) -> Stored {
        std::mem::take(&mut self.stored)
    }

    fn keep(&self, kept: Vec<Keep>) -> anyhow::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        for one in kept {
            match one {
                Keep::Put(role, bytes) => replace(&folder.join(role.file_name(None)), &bytes)?,
                Keep::Forget(role) => {
                    let path = folder.join(role.file_name(None));
                    if path.exists() {
                        std::fs::remove_file(&path)?;
                        std::fs::File::open(folder)?.sync_all()?;
                    }
                }
            }
        }
        Ok(())
    }
}
