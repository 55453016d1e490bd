use crate::{
    cli::{ApprovalCommand, Language},
    output::Output,
    remote::Remote,
};
use api::{
    Rest,
    client::percent_encode,
    wire::{Approval, ApprovalDevice, ApprovalRule, NewApprovalRule},
};
use std::fmt::Write as _;

/// Runs `tegata approval …`.
pub async fn run(
    command: ApprovalCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        ApprovalCommand::List { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let organisation = percent_encode(&organisation);
            let all: Vec<Approval> =
                remote.all(&format!("/v1/organisations/{organisation}/approvals")).await?;
            output.list(&all, &["id", "state", "requester", "what", "until"], |one| {
                vec![
                    one.id.clone(),
                    one.state.clone(),
                    one.requester.clone(),
                    summary(one, language),
                    one.expires.to_string(),
                ]
            })
        }
        ApprovalCommand::Show { server, id } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/approvals/{}", percent_encode(&id));
            show(output, &remote.get(&path).await?, language)
        }
        ApprovalCommand::Devices { server, id } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/approvals/{}/devices", percent_encode(&id));
            let all: Vec<ApprovalDevice> = remote.all(&path).await?;
            output.list(&all, &["device", "management number", "serial number"], |one| {
                vec![
                    one.device.to_string(),
                    one.management_number.clone(),
                    one.serial_number.clone(),
                ]
            })
        }
        ApprovalCommand::Approve { server, id } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/approvals/{}/approve", percent_encode(&id));
            show(output, &remote.post_empty(&path).await?, language)
        }
        ApprovalCommand::Reject { server, id } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/approvals/{}/reject", percent_encode(&id));
            show(output, &remote.post_empty(&path).await?, language)
        }
        ApprovalCommand::Continue { server, id, preview: true } => {
            let rest = Rest::new(Remote::open(&server, language)?.client().clone());
            output.one(&rest.preview_continuation(&id).await?, |found| {
                let mut text = match found.devices {
                    0 => "what was approved would be done".to_owned(),
                    devices => format!(
                        "{devices} devices were approved; of {} tried out, {} would be done",
                        found.tried, found.allowed
                    ),
                };
                for refused in &found.refused {
                    let _ = write!(text, "\n{} {}: {}", refused.device, refused.code, refused.text);
                }
                text
            })
        }
        ApprovalCommand::Continue { server, id, preview: false } => {
            let rest = Rest::new(Remote::open(&server, language)?.client().clone());
            output.one(&rest.continue_request(&id).await?, |done| {
                match (&done.job, &done.invitation, &done.recorded) {
                    (Some(job), ..) => {
                        format!("job {} was started; watch it: tegata job show {}", job.id, job.id)
                    }
                    (_, Some(invited), _) => format!(
                        "{}\nfor {} alone, until {}",
                        invited.link, invited.person.handle, invited.expires
                    ),
                    _ => "done".to_owned(),
                }
            })
        }
        ApprovalCommand::Withdraw { server, id } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/approvals/{}/withdraw", percent_encode(&id));
            show(output, &remote.post_empty(&path).await?, language)
        }
        ApprovalCommand::Policy { server, organisation, require, waive } => {
            let remote = Remote::open(&server, language)?;
            let organisation = percent_encode(&organisation);
            let path = format!("/v1/organisations/{organisation}/approval-policy");
            for (act, required) in [(require, true), (waive, false)] {
                if let Some(act) = act {
                    remote.put(&path, &NewApprovalRule { act, required }).await?;
                }
            }
            let rules: Vec<ApprovalRule> = remote.get(&path).await?;
            output.list(&rules, &["act", "second person", "by"], |rule| {
                let needed = if rule.required { "needed" } else { "not needed" };
                let by = match (rule.changeable, rule.chosen) {
                    (false, _) => "rule",
                    (true, true) => "choice",
                    (true, false) => "default",
                };
                vec![rule.act.clone(), needed.to_owned(), by.to_owned()]
            })
        }
    }
}

fn show(output: Output, approval: &Approval, language: Language) -> anyhow::Result<()> {
    output.one(approval, |approval| {
        let mut text = format!(
            "{}\n{}: {}\nasked by {} of {} at {}, until {}",
            approval.id,
            approval.state,
            summary(approval, language),
            approval.requester,
            approval.requester_of,
            approval.requested,
            approval.expires
        );
        if approval.devices > 0 {
            let (count, id) = (approval.devices, &approval.id);
            text = format!("{text}\n{count} devices; list them: tegata approval devices {id}");
        }
        text = format!("{text}\nexactly {}", approval.arguments);
        if let Some(reason) = &approval.reason {
            text = format!("{text}\nreason {reason}");
        }
        if let Some(by) = &approval.decided_by {
            text = format!("{text}\ndecided by {by}");
        }
        if let Some(outcome) = &approval.outcome {
            text = format!("{text}\noutcome {outcome}");
        }
        if approval.state == "approved" && approval.requester_continues {
            text = match approval.can_continue {
                true => format!("{text}\ngo on with it: tegata approval continue {}", approval.id),
                false => format!("{text}\nthe requester goes on with it, or repeats the command"),
            };
        }
        text
    })
}

fn summary(approval: &Approval, language: Language) -> String {
    match language {
        Language::Ja => approval.summary_ja.clone(),
        Language::En => approval.summary.clone(),
    }
}
