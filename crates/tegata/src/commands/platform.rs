use crate::{
    cli::{Language, OwnKeyArg, PlatformCommand},
    output::Output,
    remote::Remote,
};
use api::wire::{KeyRotation, OwnKey, RotatedKey};

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
    }
}
