//! `tegata update …`: everything works on files, without a server. What is signed offline travels
//! as a file; only `publish`, `snapshot` and `timestamp` need the online keys.

mod bundle;
mod draft;
mod folder;
mod keys;
mod publish;
pub mod sealed;
mod show;
mod sign;
mod verify;

use crate::{
    cli::{Language, update::UpdateCommand},
    output::Output,
};
use std::process::ExitCode;

/// Runs `tegata update …`.
pub async fn run(
    command: UpdateCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    match command {
        UpdateCommand::Key(command) => keys::run(command, output)?,
        UpdateCommand::Init(args) => draft::init(&args, output)?,
        UpdateCommand::Sign(args) => sign::run(&args, output)?,
        UpdateCommand::AddTarget(args) => draft::add_target(&args, output)?,
        UpdateCommand::RemoveTarget { draft, path, role } => {
            draft::remove_target(&draft, &path, &role, output)?;
        }
        UpdateCommand::Delegate(args) => draft::delegate(&args, output)?,
        UpdateCommand::Rotate(args) => draft::rotate(&args, output)?,
        UpdateCommand::Renew { draft, role } => draft::renew(&draft, &role, output)?,
        UpdateCommand::Publish(args) => publish::publish(&args, true, output)?,
        UpdateCommand::Snapshot(args) => publish::publish(&args, false, output)?,
        UpdateCommand::Timestamp(args) => publish::timestamp(&args, output)?,
        UpdateCommand::Check { dir } => return publish::check(&dir, output),
        UpdateCommand::Show { dir, file } => show::run(&dir, file.as_deref(), output)?,
        UpdateCommand::Bundle(command) => bundle::run(command, output)?,
        UpdateCommand::EncryptionKey(args) => sealed::encryption_key(args, output)?,
        UpdateCommand::Seal(args) => sealed::seal(&args, output)?,
        UpdateCommand::Ticket(args) => sealed::ticket(&args, output)?,
        UpdateCommand::Unseal(args) => sealed::unseal(&args, output)?,
        UpdateCommand::Delta(args) => sealed::delta(&args, output)?,
        UpdateCommand::Patch(args) => sealed::patch(&args, output)?,
        UpdateCommand::Verify(args) => return verify::run(&args, output, language).await,
    }
    Ok(ExitCode::SUCCESS)
}
