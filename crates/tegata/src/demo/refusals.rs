//! What the doors turn away, and whether they say why.

use crate::demo::{
    people::client,
    rogue::new_key,
    rows::Check,
    thing::{Tip, leaf},
    world::World,
};
use api::{ClientError, Identity};

/// Asks EST for a renewal with this credential.
pub(super) async fn knock(world: &World, identity: &Identity) -> Result<(), ClientError> {
    let odd = |error: anyhow::Error| ClientError::Credential(error.to_string());
    let client = client(&world.site, Some(identity)).map_err(odd)?;
    let mut est = api::client::Est::new(client, None).connect().await?;
    let subject = pki::Subject::from_name(&leaf(identity).map_err(odd)?.subject());
    let builder = pki::CsrBuilder {
        subject,
        challenge_password: est.challenge_password(),
        ..pki::CsrBuilder::default()
    };
    let csr = builder
        .build(&new_key().map_err(odd)?)
        .map_err(|error| ClientError::Credential(error.to_string()))?;
    est.reenrol(&csr).await.map(|_| ())
}

/// A check that something was turned away by the server, and not by an accident of ours.
pub(super) fn refused(what: &str, outcome: &Result<(), ClientError>) -> Check {
    let (given, holds) = match outcome {
        Ok(()) => ("a certificate was issued".to_owned(), false),
        // In TLS 1.3 a client learns of the refusal of its certificate when it reads.
        Err(error @ (ClientError::Tls { .. } | ClientError::Http(_))) => {
            (format!("no connection: {error}"), true)
        }
        Err(error) => {
            let holds = error.status().is_some_and(|status| (400..500).contains(&status));
            (error.to_string(), holds)
        }
    };
    Check::new(what, "refused", first_line(&given), holds)
}

/// A check that an event was refused with a code and an explanation.
pub(super) fn explained(what: &str, expected: &str, outcome: anyhow::Result<Tip>) -> Check {
    match outcome {
        Ok(_) => Check::new(what, expected, "recorded", false),
        Err(error) => {
            let problem = error
                .chain()
                .find_map(|cause| cause.downcast_ref::<ClientError>()?.problem().cloned());
            match problem {
                Some(problem) => {
                    let said = problem.detail.or(problem.hint).unwrap_or_default();
                    let holds = !said.is_empty() && (400..500).contains(&problem.status);
                    let given = format!("{}: {said}", problem.code);
                    Check::new(what, expected, first_line(&given), holds)
                }
                None => Check::new(what, expected, first_line(&format!("{error:#}")), false),
            }
        }
    }
}

/// The beginning of what was said, for a table.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or(line)),
        None => line.to_owned(),
    }
}
