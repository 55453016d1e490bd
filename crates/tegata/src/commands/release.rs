//! `tegata release …`: what is released, on a server.

mod director;
mod repository;
mod sealed;
mod upload;

use crate::{
    cli::{
        Language,
        release::{AttachmentArg, CreateArgs, GateArgs, ReleaseCommand},
    },
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Rest,
    client::percent_encode,
    wire::{
        AttachmentKindName, GateItem, NewArtifact, NewAttachment, NewRelease, Publish, Release,
        ReleaseGate, ReleaseProof, Withdraw,
    },
};
use crypto::Sha256;
use std::{fmt::Write as _, path::Path, process::ExitCode};

/// Exit status where something is open or ends soon.
const OPEN: u8 = 2;

/// Runs `tegata release …`.
pub async fn run(
    command: ReleaseCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    match command {
        ReleaseCommand::Create(args) => create(args, output, language).await?,
        ReleaseCommand::Upload { server, organisation, file } => {
            let rest = rest(&server, language)?;
            let done = upload::send(&rest, &organisation.parse()?, &file, output).await?;
            output.one(&done, |done| format!("{} is uploaded", done.sha256))?;
        }
        ReleaseCommand::Add { server, release, file, name, hardware_ids, seal } => {
            let rest = rest(&server, language)?;
            if seal {
                let name = name.map_or_else(|| name_of(&file), Ok)?;
                let new = |sha256| NewArtifact { name, sha256, hardware_ids };
                show(&sealed::add(&rest, &release, &file, new, output).await?, output)?;
                return Ok(ExitCode::SUCCESS);
            }
            let draft = rest.release(&release).await?;
            let done = upload::send(&rest, &draft.organisation.0, &file, output).await?;
            let name = name.map_or_else(|| name_of(&file), Ok)?;
            let new = NewArtifact { name, sha256: done.sha256, hardware_ids };
            show(&rest.add_artifact(&release, &new).await?, output)?;
        }
        ReleaseCommand::Delta(args) => sealed::delta(args, output, language).await?,
        ReleaseCommand::ContentKey(args) => sealed::give(args, output, language).await?,
        ReleaseCommand::Tickets(args) => sealed::tickets(args, output, language).await?,
        ReleaseCommand::Attach { server, release, kind, file, name } => {
            let rest = rest(&server, language)?;
            let draft = rest.release(&release).await?;
            let done = upload::send(&rest, &draft.organisation.0, &file, output).await?;
            let name = name.map_or_else(|| name_of(&file), Ok)?;
            let new = NewAttachment { kind: kind.into(), name, sha256: done.sha256 };
            let made = rest.attach(&release, &new).await?;
            output.one(&made, |made| format!("{} {}: {}", made.kind, made.name, made.summary))?;
        }
        ReleaseCommand::Remove { server, release, name } => {
            rest(&server, language)?.remove_artifact(&release, &name).await?;
        }
        ReleaseCommand::Detach { server, release, kind, name } => {
            let rest = rest(&server, language)?;
            rest.detach(&release, kind_name(kind), &name).await?;
        }
        ReleaseCommand::List { server, organisation, product, state } => {
            let remote = Remote::open(&server, language)?;
            let mut path = format!("/v1/organisations/{}/releases", percent_encode(&organisation));
            let wanted = [("product", product), ("state", state)];
            for (name, value) in wanted {
                if let Some(value) = value {
                    let mark = if path.contains('?') { '&' } else { '?' };
                    write!(path, "{mark}{name}={}", percent_encode(&value))?;
                }
            }
            let all: Vec<Release> = remote.all(&path).await?;
            let head = ["id", "product", "version", "counter", "security", "state", "files"];
            output.list(&all, &head, |release| {
                vec![
                    release.id.clone(),
                    release.product.to_string(),
                    release.version.clone(),
                    release.release_counter.to_string(),
                    release.security_version.to_string(),
                    release.state.clone(),
                    release.artifacts.len().to_string(),
                ]
            })?;
        }
        ReleaseCommand::Show { server, release } => {
            show(&rest(&server, language)?.release(&release).await?, output)?;
        }
        ReleaseCommand::Check { server, release } => {
            let items = rest(&server, language)?.check_release(&release).await?;
            return check(&items, output);
        }
        ReleaseCommand::Publish { server, release, overrule } => {
            let how = Publish { overrule };
            show(&rest(&server, language)?.publish_release(&release, &how).await?, output)?;
        }
        ReleaseCommand::Withdraw { server, release, reason } => {
            let why = Withdraw { reason };
            show(&rest(&server, language)?.withdraw_release(&release, &why).await?, output)?;
        }
        ReleaseCommand::Discard { server, release } => {
            rest(&server, language)?.discard_release(&release).await?;
        }
        ReleaseCommand::Proof { server, release, out } => {
            let found = rest(&server, language)?.release_proof(&release).await?;
            proof(&found, out.as_deref(), output)?;
        }
        ReleaseCommand::Gate(args) => gate(args, output, language).await?,
        ReleaseCommand::DraftTargets { server, organisation, dir, role, days } => {
            let rest = rest(&server, language)?;
            repository::draft(&rest, &organisation.parse()?, &dir, &role, days, output).await?;
        }
        ReleaseCommand::Metadata(command) => {
            repository::metadata(command, output, language).await?;
        }
        ReleaseCommand::Repository(command) => {
            return repository::run(command, output, language).await;
        }
        ReleaseCommand::Director(command) => {
            return director::run(command, output, language).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn rest(server: &crate::cli::ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}

fn name_of(file: &Path) -> anyhow::Result<String> {
    let name = file.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).context("the file's name is not text; give --name")
}

async fn create(args: CreateArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let rest = rest(&args.server, language)?;
    let notes = match &args.notes_file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the notes {}", path.display()))?,
    };
    let new = NewRelease {
        product: args.product.parse()?,
        version: args.version,
        security_version: args.security_version,
        release_counter: args.release_counter,
        hardware_ids: args.hardware_ids,
        notes,
    };
    show(&rest.create_release(&args.organisation.parse()?, &new).await?, output)
}

fn show(release: &Release, output: Output) -> anyhow::Result<()> {
    output.one(release, |release| {
        let mut text = format!(
            "release {}: {} {} of {}, {}\n  counter {}, security version {}, for {}",
            release.id,
            release.product,
            release.version,
            release.organisation,
            release.state,
            release.release_counter,
            release.security_version,
            release.hardware_ids.join(" ")
        );
        let mut line = |line: String| {
            text.push_str("\n  ");
            text.push_str(&line);
        };
        for file in &release.artifacts {
            line(format!("{}  {} bytes  {}", file.path, file.length, file.sha256));
            if let Some(sealed) = &file.sealed {
                line(format!(
                    "  sealed, {} bytes inside, key with the {}, {} tickets",
                    sealed.plain.length, sealed.key, sealed.tickets
                ));
            }
            if let Some(delta) = &file.delta {
                line(format!("  from {} to {}", delta.base.sha256, delta.result.sha256));
            }
        }
        for one in &release.attachments {
            line(format!("{} {}: {}", one.kind, one.name, one.summary));
        }
        if let Some(reason) = &release.overruled_reason {
            line(format!("overruled: {}, because {reason}", release.overruled.join(" ")));
        }
        if let Some(reason) = &release.withdrawn_reason {
            line(format!("withdrawn, because {reason}"));
        }
        text
    })
}

fn check(items: &[GateItem], output: Output) -> anyhow::Result<ExitCode> {
    output.list(items, &["item", "", "what"], |item| {
        let state = match (item.met, item.overrulable) {
            (true, _) => "met",
            (false, true) => "open",
            (false, false) => "open, fixed",
        };
        vec![item.code.clone(), state.to_owned(), item.text.clone()]
    })?;
    let open = items.iter().any(|item| !item.met);
    Ok(if open { ExitCode::from(OPEN) } else { ExitCode::SUCCESS })
}

/// Holds the proof against the checkpoint that came with it: the statement is what the leaf commits
/// to, and the leaf is in the tree. Whose checkpoint it is tells `tegata log`.
fn proof(found: &ReleaseProof, out: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let statement = update::ReleaseStatement::parse(&found.statement.0)?;
    let inclusion = &found.inclusion;
    included(found).context("the proof does not hold: the log does not hold this release")?;
    if let Some(out) = out {
        std::fs::write(out, &found.statement.0)
            .with_context(|| format!("cannot write {}", out.display()))?;
    }
    output.one(found, |_| {
        format!(
            "leaf {} of {} commits to release {} ({} {}), published {}",
            inclusion.leaf,
            inclusion.size,
            statement.release,
            statement.product,
            statement.version,
            statement.at
        )
    })
}

/// Whether the checkpoint that came with a statement holds it.
pub(super) fn included(found: &ReleaseProof) -> anyhow::Result<()> {
    let salt: [u8; 32] = found.salt.0.as_slice().try_into().context("the salt has not 32 bytes")?;
    let commitment = ledger::commit(&salt, &found.statement.0);
    let inclusion = &found.inclusion;
    let way = ledger::InclusionProof {
        index: inclusion.leaf,
        size: inclusion.size,
        hashes: inclusion.hashes.iter().map(|hash| hash.0).collect(),
    };
    let root = checkpoint_root(&inclusion.checkpoint, inclusion.size)?;
    Ok(ledger::verify_inclusion(&commitment, &way, &root)?)
}

/// The root of a checkpoint's text (C2SP tlog-checkpoint): origin, size, root in base64.
fn checkpoint_root(text: &str, size: u64) -> anyhow::Result<Sha256> {
    let signed = ledger::SignedCheckpoint::parse(text.as_bytes())?;
    let claimed = signed.claimed();
    anyhow::ensure!(claimed.size == size, "the checkpoint is of another size than the proof");
    Ok(claimed.root)
}

async fn gate(args: GateArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let rest = rest(&args.server, language)?;
    let (of, product) = (args.organisation.parse()?, args.product.parse()?);
    let now = rest.release_gate(&of, &product).await?;
    let component = match args.component {
        None => now.component.clone(),
        Some(name) => Some(name).filter(|name| !name.is_empty()),
    };
    let wanted = ReleaseGate {
        sbom: args.sbom.unwrap_or(now.sbom),
        tests: args.tests.unwrap_or(now.tests),
        provenance: args.provenance.unwrap_or(now.provenance),
        not_exploited: args.not_exploited.unwrap_or(now.not_exploited),
        security_floor: args.security_floor.unwrap_or(now.security_floor),
        component,
    };
    let gate = match wanted == now {
        true => now,
        false => rest.set_release_gate(&of, &product, &wanted).await?,
    };
    output.one(&gate, |gate| {
        let word = |wanted| if wanted { "required" } else { "not required" };
        format!(
            "SBOM {}, test results {}, provenance {}, no exploited vulnerability {}; security \
             version at least {}",
            word(gate.sbom),
            word(gate.tests),
            word(gate.provenance),
            word(gate.not_exploited),
            gate.security_floor
        )
    })
}

fn kind_name(kind: AttachmentArg) -> &'static str {
    match kind {
        AttachmentArg::Sbom => "sbom",
        AttachmentArg::Tests => "tests",
        AttachmentArg::Provenance => "provenance",
    }
}

impl From<AttachmentArg> for AttachmentKindName {
    fn from(kind: AttachmentArg) -> Self {
        match kind {
            AttachmentArg::Sbom => Self::Sbom,
            AttachmentArg::Tests => Self::Tests,
            AttachmentArg::Provenance => Self::Provenance,
        }
    }
}
