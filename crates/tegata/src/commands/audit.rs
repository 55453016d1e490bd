use crate::{
    cli::{AuditCommand, Language},
    output::Output,
    remote::Remote,
};
use api::{
    client::percent_encode,
    wire::{AuditCheck, AuditEvent, WhoAmI},
};

/// Runs `tegata audit …`.
pub async fn run(command: AuditCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        AuditCommand::List { server, kind, organisation, all, from, until, limit } => {
            let remote = Remote::open(&server, language)?;
            let organisation = match organisation {
                None if !all => {
                    let own: WhoAmI = remote.get("/v1/whoami").await?;
                    own.organisation.map(|own| own.to_string())
                }
                named => named,
            };
            let mut path = "/v1/audit?limit=1000".to_owned();
            for (name, value) in [
                ("organisation", organisation),
                ("kind", kind),
                ("from", from.map(|from| from.to_string())),
                ("until", until.map(|until| until.to_string())),
            ] {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", percent_encode(&value)));
                }
            }
            let all: Vec<AuditEvent> = remote.some(&path, limit).await?;
            let head = ["sequence", "at", "kind", "outcome", "door", "actor", "subject"];
            output.list(&all, &head, |event| {
                vec![
                    event.sequence.to_string(),
                    event.at.to_string(),
                    event.kind.clone(),
                    event.outcome.clone(),
                    event.door.clone(),
                    event.actor.clone().unwrap_or_default(),
                    event.subject.clone().unwrap_or_default(),
                ]
            })
        }
        AuditCommand::Verify { server } => {
            let remote = Remote::open(&server, language)?;
            let check: AuditCheck = remote.post_empty("/v1/audit/check").await?;
            let whole = check.broken.is_none();
            output.one(&check, |check| match &check.broken {
                None => format!(
                    "{} security events, chain whole, held against {} heads in the log",
                    check.events, check.anchors
                ),
                Some(broken) => broken.clone(),
            })?;
            anyhow::ensure!(whole, "the chain of security events was altered");
            Ok(())
        }
        AuditCommand::Stream(command) => super::stream::run(command, output, language).await,
        AuditCommand::Reconcile { server, stream, files } => {
            super::stream::reconcile(&server, &stream, &files, output, language).await
        }
    }
}
