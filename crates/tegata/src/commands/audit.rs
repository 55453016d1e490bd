use crate::{
    cli::{AuditCommand, Language},
    output::Output,
    remote::Remote,
};
use api::{
    client::percent_encode,
    wire::{AuditCheck, AuditEvent},
};

/// Runs `tegata audit …`.
pub async fn run(command: AuditCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        AuditCommand::List { server, kind, from } => {
            let remote = Remote::open(&server, language)?;
            let mut path = "/v1/audit/events?limit=1000".to_owned();
            for (name, value) in [("kind", kind), ("from", from.map(|from| from.to_string()))] {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", percent_encode(&value)));
                }
            }
            let all: Vec<AuditEvent> = remote.all(&path).await?;
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
    }
}
