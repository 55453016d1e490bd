use crate::{
    cli::{Language, LogCommand},
    commands::Unlocking,
    output::Output,
    remote::Remote,
};
use api::wire::{ConsistencyProof, InclusionProof, LogCheck, scalar::Digest};
use service::Service;
use std::sync::Arc;

/// Runs `tegata log …`.
pub async fn run(command: LogCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        LogCommand::Checkpoint { server } => {
            let remote = Remote::open(&server, language)?;
            let note = String::from_utf8(remote.bytes("/log/checkpoint").await?)?;
            output.one(&note, |note| note.trim_end().to_owned())
        }
        LogCommand::Proof { server, leaf } => {
            let remote = Remote::open(&server, language)?;
            let proof: InclusionProof = remote.get(&format!("/v1/log/inclusion/{leaf}")).await?;
            output.one(&proof, |proof| {
                let mut text = format!("entry {} in the tree of {}", proof.leaf, proof.size);
                for hash in &proof.hashes {
                    text.push_str(&format!("\n  {hash}"));
                }
                text
            })
        }
        LogCommand::Consistency { server, old, new } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/log/consistency?old={old}&new={new}");
            let proof: ConsistencyProof = remote.get(&path).await?;
            output.one(&proof, |proof| {
                let mut text =
                    format!("the tree of {} begins the tree of {}", proof.old, proof.new);
                for hash in &proof.hashes {
                    text.push_str(&format!("\n  {hash}"));
                }
                text
            })
        }
        LogCommand::Check { local } => {
            let unlocking = Unlocking::read(&local.unlock, &local.dir, false)?;
            let service = Service::open(
                &local.dir,
                &unlocking.unlock(),
                service::Config::default(),
                Arc::new(crate::clock::SystemClock),
            )?;
            let bar = crate::output::progress(0, "auditing the log", output.json);
            bar.enable_steady_tick(std::time::Duration::from_millis(100));
            let found = service.check_log(&service.local_administrator()).await;
            bar.finish_and_clear();
            service.close();
            let found = found?;
            let check = LogCheck {
                entries: found.entries,
                root: Digest(found.root),
                pending: found.pending,
                events_checked: found.events_checked,
                events_erased: found.events_erased,
                audit_heads_checked: found.audit_heads_checked,
                problems: found.problems,
            };
            output.one(&check, |check| match check.problems.as_slice() {
                [] => format!(
                    "{} entries, {} events checked, log and store agree, root {}",
                    check.entries, check.events_checked, check.root
                ),
                problems => problems.join("\n"),
            })?;
            anyhow::ensure!(check.problems.is_empty(), "log and store do not agree");
            Ok(())
        }
    }
}
