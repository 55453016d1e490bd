//! Sealed files and deltas of releases.

use super::{rest, show, upload};
use crate::{
    cli::{
        Language,
        release_sealed::{ContentKeyArgs, DeltaArgs, TicketsArgs},
    },
    commands::update::sealed as offline,
    output::Output,
};
use anyhow::Context as _;
use api::{
    Rest,
    wire::{
        ContentKey, DeltaImages, ImageDigest, NewArtifact, Release, Tickets,
        scalar::{Base64, Digest},
    },
};
use crypto::{Secret, agreement::CONTENT_KEY_BYTES, random};
use std::path::Path;
use update::delta::Image;

/// Seals a file, uploads it, adds it to a draft and hands over its key.
pub(super) async fn add(
    rest: &Rest,
    release: &str,
    file: &Path,
    new: impl FnOnce(Digest) -> NewArtifact,
    output: Output,
) -> anyhow::Result<Release> {
    let draft = rest.release(release).await?;
    let key = random::secret::<CONTENT_KEY_BYTES>();
    let folder = tempfile::tempdir()?;
    let sealed = folder.path().join("sealed");
    let (from, to, with) = (file.to_owned(), sealed.clone(), Secret::new(key.expose().to_vec()));
    tokio::task::spawn_blocking(move || offline::seal_file(&from, &to, &with)).await??;
    let done = upload::send(rest, &draft.organisation.0, &sealed, output).await?;
    let new = new(done.sha256);
    let name = new.name.clone();
    rest.add_artifact(release, &new).await?;
    Ok(rest.give_content_key(release, &name, &content_key(&key)).await?)
}

/// Runs `tegata release delta`.
pub(super) async fn delta(
    args: DeltaArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let rest = rest(&args.server, language)?;
    let draft = rest.release(&args.release).await?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("delta");
    let (base, image, to, level) = (args.base.clone(), args.image.clone(), out.clone(), args.level);
    let (from, makes) =
        tokio::task::spawn_blocking(move || offline::make_delta(&base, &image, level, &to))
            .await??;
    let name = match args.name {
        Some(name) => name,
        None => {
            let of = super::name_of(&args.image)?;
            let start: String = from.sha256.to_string().chars().take(12).collect();
            format!("{of}.from-{start}.delta")
        }
    };
    let new = |sha256| NewArtifact { name: name.clone(), sha256, hardware_ids: args.hardware_ids };
    if !args.seal {
        let done = upload::send(&rest, &draft.organisation.0, &out, output).await?;
        return show(&rest.add_artifact(&args.release, &new(done.sha256)).await?, output);
    }
    add(&rest, &args.release, &out, new, output).await?;
    let image = |image: Image| ImageDigest { length: image.length, sha256: Digest(image.sha256) };
    let images = DeltaImages { base: image(from), result: image(makes) };
    show(&rest.state_delta(&args.release, &name, &images).await?, output)
}

/// Runs `tegata release content-key`.
pub(super) async fn give(
    args: ContentKeyArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let key = offline::open_content_key(&args.content_key, &args.unlock)?;
    let rest = rest(&args.server, language)?;
    let done = rest.give_content_key(&args.release, &args.name, &content_key(&key)).await?;
    show(&done, output)
}

/// Runs `tegata release tickets`.
pub(super) async fn tickets(
    args: TicketsArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let rest = rest(&args.server, language)?;
    let mut done = None;
    for files in args.tickets.chunks(service::TICKETS_MAX) {
        let tickets = files
            .iter()
            .map(|path| {
                let bytes = std::fs::read(path)
                    .with_context(|| format!("cannot read the ticket {}", path.display()))?;
                Ok(Base64(bytes))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let brought = Tickets { tickets, groups: args.groups };
        done = Some(rest.bring_tickets(&args.release, &args.name, &brought).await?);
    }
    match done {
        Some(done) => show(&done, output),
        None => Ok(()),
    }
}

fn content_key(key: &Secret) -> ContentKey {
    ContentKey { key: Base64(key.expose().to_vec()) }
}
