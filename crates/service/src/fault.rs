//! Named points at which tests make the process die, so that recovery is tested at every step.
//!
//! Always compiled in and inert, unless the environment variable `TEGATA_KILL_AT=name[:n]` is set:
//! then the process sends itself SIGKILL when it passes the point for the `n`-th time (1 where
//! absent). Tests within one process inject instead: the point then fails, and the part of the
//! service that met it stops as if it had been killed.

use crate::ServiceError;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The name of the environment variable.
pub const VARIABLE: &str = "TEGATA_KILL_AT";

/// Every point, in the order in which an enrolment passes them.
pub const POINTS: [&str; 7] = [
    BEFORE_COMMIT,
    AFTER_COMMIT,
    BEFORE_SIGNATURE,
    AFTER_SIGNATURE,
    BEFORE_TILES,
    BEFORE_CHECKPOINT,
    AFTER_CHECKPOINT,
];
/// The batch is written, not committed.
pub const BEFORE_COMMIT: &str = "before-commit";
/// The batch is committed, nobody has been told.
pub const AFTER_COMMIT: &str = "after-commit-before-ack";
/// The intent is committed, nothing is signed.
pub const BEFORE_SIGNATURE: &str = "between-intent-and-signature";
/// The certificate is signed, not committed.
pub const AFTER_SIGNATURE: &str = "after-signature";
/// Leaves are committed, no tile is written.
pub const BEFORE_TILES: &str = "before-tile-write";
/// Tiles are written, the checkpoint is not.
pub const BEFORE_CHECKPOINT: &str = "between-tiles-and-checkpoint";
/// The checkpoint is stored, not published.
pub const AFTER_CHECKPOINT: &str = "after-checkpoint";

/// An act is approved, not carried out. Not among [`POINTS`]: no enrolment passes it.
pub const BEFORE_ACT: &str = "between-approval-and-act";
/// Files of the watched folder are read, not stored. Not among [`POINTS`].
pub const BEFORE_ADVISORIES: &str = "before-advisories-stored";
/// Components of an SBOM are about to be put in. Not among [`POINTS`].
pub const BEFORE_COMPONENTS: &str = "before-components-put-in";
/// Components are judged, the findings not committed. Not among [`POINTS`].
pub const BEFORE_JUDGEMENT: &str = "before-findings-committed";

/// Bytes of an upload are written, not durable.
pub const BEFORE_SYNC: &str = "between-write-and-sync";
/// Bytes of an upload are durable, not on record.
pub const BEFORE_RECEIVED: &str = "between-sync-and-record";
/// An upload is verified, not in its place.
pub const BEFORE_PLACE: &str = "between-verification-and-place";
/// An upload is in its place, not on record.
pub const BEFORE_HELD: &str = "between-place-and-record";
/// A file that nobody has is off the record, not removed.
pub const BEFORE_REMOVAL: &str = "between-record-and-removal";

/// Those of files and releases, in the order in which an upload and its end pass them.
pub const BLOB_POINTS: [&str; 5] =
    [BEFORE_SYNC, BEFORE_RECEIVED, BEFORE_PLACE, BEFORE_HELD, BEFORE_REMOVAL];

/// A campaign's start is checked, not committed.
pub const BEFORE_CAMPAIGN: &str = "between-check-and-campaign";
/// A device's result was read, not committed.
pub const BEFORE_RESULT: &str = "between-feedback-and-record";
/// A device's result is committed, the device was not told.
pub const AFTER_RESULT: &str = "between-record-and-answer";

/// A device's message is admitted, not committed.
pub const BEFORE_MESSAGE: &str = "between-admission-and-message";
/// A device's message is committed, the device was not told.
pub const AFTER_MESSAGE: &str = "between-message-and-answer";

/// Those of messages, in the order in which one passes them.
pub const MESSAGE_POINTS: [&str; 2] = [BEFORE_MESSAGE, AFTER_MESSAGE];

/// Those of campaigns, in the order in which one passes them.
pub const CAMPAIGN_POINTS: [&str; 3] = [BEFORE_CAMPAIGN, BEFORE_RESULT, AFTER_RESULT];

/// The members of a campaign are chosen, nothing is committed.
pub const BEFORE_PROPOSAL: &str = "between-members-and-proposal";
/// A campaign is proposed, nobody was told.
pub const AFTER_PROPOSAL: &str = "between-proposal-and-answer";
/// A campaign has started, nobody was told.
pub const AFTER_START: &str = "between-start-and-answer";
/// What a poll brings about is known, not committed.
pub const BEFORE_OFFER: &str = "between-look-and-offer";
/// It is committed, the device was not told.
pub const AFTER_OFFER: &str = "between-offer-and-answer";
/// A further stage opens: in the middle of the transaction.
pub const IN_STAGE: &str = "within-stage-change";
/// A campaign begins to roll back by itself: in the middle of the transaction.
pub const IN_ROLL_BACK: &str = "within-roll-back";

/// The steps of a campaign at which tests kill a whole server.
pub const CAMPAIGN_KILLS: [&str; 10] = [
    BEFORE_PROPOSAL,
    AFTER_PROPOSAL,
    BEFORE_CAMPAIGN,
    AFTER_START,
    BEFORE_OFFER,
    AFTER_OFFER,
    BEFORE_RESULT,
    AFTER_RESULT,
    IN_STAGE,
    IN_ROLL_BACK,
];

/// Decides at each point whether to die there.
#[derive(Clone, Default)]
pub struct Faults {
    kill: Option<Arc<Kill>>,
    inject: Option<Arc<dyn Fn(&'static str) -> bool + Send + Sync>>,
}

struct Kill {
    point: String,
    remaining: AtomicU64,
}

impl Faults {
    /// Those of the environment variable, none where it is not set.
    pub fn from_environment() -> Self {
        Self { kill: std::env::var(VARIABLE).ok().map(|text| Arc::new(parse(&text))), inject: None }
    }

    /// Fails, instead of killing the process, where `inject` says so.
    pub fn injected(inject: impl Fn(&'static str) -> bool + Send + Sync + 'static) -> Self {
        Self { kill: None, inject: Some(Arc::new(inject)) }
    }

    pub(crate) fn point(&self, name: &'static str) -> Result<(), ServiceError> {
        if let Some(kill) = &self.kill
            && kill.point == name
            && kill.remaining.fetch_sub(1, Ordering::SeqCst) == 1
        {
            die();
        }
        match &self.inject {
            Some(inject) if inject(name) => {
                Err(ServiceError::fatal("injected-fault", format!("test fault at {name}")))
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Faults({:?})", self.kill.as_ref().map(|kill| &kill.point))
    }
}

fn parse(text: &str) -> Kill {
    let (point, count) = match text.rsplit_once(':') {
        Some((point, count)) => (point, count.parse().unwrap_or(1)),
        None => (text, 1),
    };
    Kill { point: point.to_owned(), remaining: AtomicU64::new(count) }
}

/// SIGKILL to ourselves: no destructor, no flush, no atexit handler runs.
fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_injects() {
        assert_eq!(parse("before-commit").remaining.into_inner(), 1);
        let kill = parse("after-signature:12");
        assert_eq!((kill.point.as_str(), kill.remaining.into_inner()), ("after-signature", 12));
        let faults = Faults::injected(|name| name == BEFORE_TILES);
        assert!(faults.point(BEFORE_TILES).is_err());
        assert!(faults.point(AFTER_COMMIT).is_ok());
        assert!(Faults::default().point(BEFORE_TILES).is_ok());
    }
}
