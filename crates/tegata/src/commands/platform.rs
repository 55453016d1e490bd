use crate::{
    cli::{Language, OwnKeyArg, PlatformCommand},
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::wire::{KeyRotation, OwnKey, RotatedKey, ServerKey};

/// Runs `tegata platform …`.
pub async fn run(
    command: PlatformCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        PlatformCommand::RotateKey { server, key } => {
            let remote = Remote::open(&server, language)?;
            let wanted = KeyRotation {
                key: match key {
                    OwnKeyArg::Event => OwnKey::Events,
                    OwnKeyArg::Passport => OwnKey::Passports,
                },
            };
            let rotated: RotatedKey = remote.post("/v1/keys/rotations", &wanted).await?;
            output.one(&rotated, |rotated| {
                format!(
                    "{} signs from now on; {} is destroyed, and what it signed stays valid",
                    rotated.key, rotated.retired
                )
            })
        }
        PlatformCommand::RotateServerKey { server } => {
            let remote = Remote::open(&server, language)?;
            let shown: ServerKey = remote.post_empty("/v1/server-key/rotations").await?;
            output.one(&shown, |shown| {
                format!(
                    "{} is shown from now on; the old key is destroyed: give devices the new one (tegata \
                     platform server-key)",
                    shown.key
                )
            })
        }
        PlatformCommand::ServerKey { server, out } => {
            let remote = Remote::open(&server, language)?;
            let shown: ServerKey = remote.get("/v1/server-key").await?;
            if let Some(out) = &out {
                std::fs::write(out, &shown.public_key)
                    .with_context(|| format!("cannot write {}", out.display()))?;
            }
            output.one(&shown, |shown| match &out {
                None => shown.public_key.trim_end().to_owned(),
                Some(out) => format!(
                    "{} holds the key whose SHA-256 is {}; compare that by another way before devices rely \
                     on it",
                    out.display(),
                    shown.key
                ),
            })
        }
    }
}
