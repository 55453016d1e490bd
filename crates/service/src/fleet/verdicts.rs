//! The last verdict on each device and how many there were: kept in memory for a second, then
//! written in one go, so that no verdict waits for a disk. A crash loses that second; asking again
//! brings it back.

use crate::{Service, ServiceError, store::fleet as store};
use crypto::UnixTime;
use device::{Outcome, ReasonCode, Verdict};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Most devices whose verdicts wait; further ones are left out until the next second.
const WAITING_MAX: usize = 50_000;
/// Most devices per commit, so that nobody waits long for the writer.
const BATCH: usize = 500;
/// Most reasons that are kept.
const REASONS_MAX: usize = 8;

/// A verdict on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastVerdict {
    /// genuine, suspect, rejected
    pub outcome: Outcome,
    /// why, worst first; at most eight
    pub reasons: Vec<ReasonCode>,
    /// when it was given
    pub at: UnixTime,
    /// until when it may be relied on
    pub expires: UnixTime,
}

impl LastVerdict {
    pub(crate) fn from_row(row: &store::VerdictRow) -> Result<Self, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a verdict's row is damaged");
        Ok(Self {
            outcome: Outcome::from_code(row.outcome.into()).ok_or_else(damaged)?,
            // A reason of another version is left out: what is derived need not explain itself.
            reasons: row.reasons.split(' ').filter_map(|code| code.parse().ok()).collect(),
            at: row.at,
            expires: row.expires,
        })
    }
}

/// Verdicts that wait to be written.
#[derive(Default)]
pub(crate) struct Verdicts(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    last: HashMap<i64, store::NewVerdict>,
    /// by owner, hour and outcome
    counts: HashMap<(i64, i64, u8), u64>,
}

impl Verdicts {
    /// Notes a verdict on a device: its row, owner and maker.
    pub(crate) fn note(&self, device: i64, owner: i64, maker: i64, verdict: &Verdict) {
        let outcome = verdict.outcome.code();
        let hour = verdict.judged_at.0.div_euclid(3600);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.counts.len() < WAITING_MAX
            || waiting.counts.contains_key(&(owner, hour, outcome))
        {
            let count = waiting.counts.entry((owner, hour, outcome)).or_default();
            *count = count.saturating_add(1);
        }
        if waiting.last.len() >= WAITING_MAX && !waiting.last.contains_key(&device) {
            return;
        }
        let mut reasons = String::new();
        for reason in verdict.reasons.iter().take(REASONS_MAX) {
            if !reasons.is_empty() {
                reasons.push(' ');
            }
            reasons.push_str(reason.code.name());
        }
        let row =
            store::VerdictRow { outcome, reasons, at: verdict.judged_at, expires: verdict.expires };
        waiting.last.insert(device, store::NewVerdict { device, owner, maker, row });
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    /// Writes the verdicts that wait. On a thread of its own, once a second.
    pub(crate) fn flush_verdicts(&self) {
        let waiting = self.verdicts.take();
        let mut counts: Vec<_> = waiting.counts.into_iter().collect();
        let mut rows: Vec<_> = waiting.last.into_values().collect();
        // In the order of the table, so that neighbours share pages.
        rows.sort_unstable_by_key(|row| row.device);
        let mut rows = rows.into_iter();
        loop {
            let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
            let counted = std::mem::take(&mut counts);
            if batch.is_empty() && counted.is_empty() {
                return;
            }
            let written = self.store.writer.run_blocking(move |tx| {
                for new in &batch {
                    store::set_verdict(tx, new)?;
                }
                for ((owner, hour, outcome), count) in &counted {
                    store::count_verdicts(tx, *owner, *hour, *outcome, *count)?;
                }
                Ok(())
            });
            if let Err(error) = written {
                tracing::warn!(%error, "verdicts were not written down");
                return;
            }
        }
    }
}
