//! Use case: all that a passport says, gathered at one moment, for a report on paper.

use super::passport::{OwnerSince, PartNode, ProofState, TimelineEntry};
use crate::{
    CertificateQuery, CertificateView, DeviceView, ErrorKind, Page, Service, ServiceError,
    VerifyRequest,
};
use crypto::UnixTime;
use device::{DeviceId, Verdict};
use ledger::{SignedCheckpoint, WitnessKey};
use policy::{Action, Caller};

/// Most events of a report, the newest.
pub const REPORT_EVENTS_MAX: usize = 1_000;
/// Most certificates of a report.
pub const REPORT_CERTIFICATES_MAX: usize = 200;
/// Events read at a time.
const STEP: usize = 500;

/// What a passport said at one moment to one reader. What the reader's role does not reach is
/// `None`, as on the page of the passport.
#[derive(Debug, Clone)]
pub struct DeviceReport {
    /// the record
    pub device: DeviceView,
    /// the verdict, judged for this report
    pub verdict: Option<Verdict>,
    /// certificates that the reader's organisation issued to the device
    pub certificates: Option<Vec<CertificateView>>,
    /// whether there are more of them
    pub certificates_cut: bool,
    /// parts and theirs
    pub parts: Vec<PartNode>,
    /// the life, newest first, at most [`REPORT_EVENTS_MAX`]; each proof goes by `log`
    pub life: Option<Vec<TimelineEntry>>,
    /// older events that are left out
    pub life_cut: u64,
    /// owners, oldest first
    pub owners: Option<Vec<OwnerSince>>,
    /// the log that the proofs rest on
    pub log: ReportLog,
    /// when it was made
    pub made_at: UnixTime,
    /// who made it: name within organisation
    pub made_by: String,
}

/// The state of the log that a report rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLog {
    /// name of the log
    pub origin: String,
    /// leaves that the checkpoint covers
    pub size: u64,
    /// root of the tree, in hexadecimal
    pub root: String,
    /// the newest checkpoint, a signed note (C2SP signed-note)
    pub checkpoint: String,
    /// leaves that the quorum of witnesses has cosigned; `None` where no witness is asked
    pub cosigned_size: Option<u64>,
    /// witnesses that cosigned, and when
    pub witnesses: Vec<(String, UnixTime)>,
    /// how many readers of this installation ask for
    pub quorum: u32,
}

/// What a role does not reach is left out instead of refusing all of it.
fn if_reached<T>(found: Result<T, ServiceError>) -> Result<Option<T>, ServiceError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Service {
    /// A report of a device: all that its passport says to this reader, now.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn device_report(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<DeviceReport, ServiceError> {
        let view = self.device(caller, device).await?;
        let judged = self.verify_device(caller, device, VerifyRequest::default()).await;
        let verdict = if_reached(judged)?;
        let (certificates, certificates_cut) = match self.certificates_of(caller, device).await? {
            Some((found, cut)) => (Some(found), cut),
            None => (None, false),
        };
        let parts = self.parts_tree(caller, device).await?;
        let owners = if_reached(self.owners(caller, device).await)?;
        let life = if_reached(self.newest_life(caller, device).await)?;
        let (mut life, life_cut) = life.map_or((None, 0), |(life, cut)| (Some(life), cut));
        // Looked at last: it covers what is listed, or says that it does not.
        let log = self.report_log().await?;
        for event in life.iter_mut().flatten() {
            event.proof = log.proof(event.leaf);
        }
        Ok(DeviceReport {
            device: view,
            verdict,
            certificates,
            certificates_cut,
            parts,
            life,
            life_cut,
            owners,
            log,
            made_at: self.now(),
            made_by: match (caller.organisation(), caller.name()) {
                (Some(organisation), Some(name)) => format!("{organisation}/{name}"),
                _ => caller.to_string(),
            },
        })
    }

    async fn certificates_of(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Option<(Vec<CertificateView>, bool)>, ServiceError> {
        let Some(own) = caller.organisation() else { return Ok(None) };
        let query = CertificateQuery { device: Some(*device), status: None };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, limit: 100 };
            let Some(page) = if_reached(self.certificates(caller, own, &query, &page).await)?
            else {
                return Ok(None);
            };
            found.extend(page.items);
            after = page.next;
            if after.is_none() || found.len() >= REPORT_CERTIFICATES_MAX {
                let cut = after.is_some() || found.len() > REPORT_CERTIFICATES_MAX;
                found.truncate(REPORT_CERTIFICATES_MAX);
                return Ok(Some((found, cut)));
            }
        }
    }

    /// The newest events, and how many older ones there are.
    async fn newest_life(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<(Vec<TimelineEntry>, u64), ServiceError> {
        // Refused before anything is read.
        let _known = self.device_for(caller, Action::ReadHistory, device)?;
        let (mut life, mut after) = (Vec::new(), None);
        loop {
            let limit = u32::try_from(STEP.min(REPORT_EVENTS_MAX - life.len())).unwrap_or(1);
            let page = self.timeline(caller, device, &Page { after, limit }).await?;
            life.extend(page.items);
            after = page.next;
            if after.is_none() || life.len() >= REPORT_EVENTS_MAX {
                let left = life.last().map_or(0, |event: &TimelineEntry| event.sequence);
                return Ok((life, if after.is_some() { left } else { 0 }));
            }
        }
    }

    /// The newest checkpoint, and how far witnesses have come.
    pub(super) async fn report_log(&self) -> Result<ReportLog, ServiceError> {
        let trust = self.trust_store().await?;
        let newest = self.log.latest();
        let keys: Vec<WitnessKey> =
            trust.witness_keys.iter().filter_map(|key| key.parse().ok()).collect();
        let asked = trust.quorum > 0 && !self.config.witnesses.is_empty();
        let verified = |checkpoint: &SignedCheckpoint| {
            let verified = checkpoint.verify(self.log.key(), &keys, 0).ok();
            verified.map(|verified| (verified.size, verified.cosigned_at.clone()))
        };
        let cosigned = self.log.latest_cosigned().filter(|_| asked);
        let cosigned = cosigned.as_ref().and_then(verified);
        let quorum = usize::try_from(trust.quorum).unwrap_or(usize::MAX);
        let enough = cosigned.as_ref().filter(|(_, by)| by.len() >= quorum);
        Ok(ReportLog {
            origin: self.origin.clone(),
            size: newest.claimed().size,
            root: newest.claimed().root.to_string(),
            checkpoint: String::from_utf8_lossy(newest.bytes()).into_owned(),
            cosigned_size: asked.then(|| enough.map_or(0, |(size, _)| *size)),
            witnesses: cosigned.map(|(_, by)| by).unwrap_or_default(),
            quorum: trust.quorum,
        })
    }
}

impl ReportLog {
    /// How far the proof of a leaf has come.
    pub(super) fn proof(&self, leaf: u64) -> ProofState {
        if self.cosigned_size.is_some_and(|size| leaf < size) {
            ProofState::Cosigned
        } else if leaf < self.size {
            ProofState::InCheckpoint
        } else {
            ProofState::Waiting
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_goes_as_far_as_the_checkpoint_in_the_report() {
        let log = |cosigned_size| ReportLog {
            origin: "log.example".into(),
            size: 10,
            root: String::new(),
            checkpoint: String::new(),
            cosigned_size,
            witnesses: Vec::new(),
            quorum: 1,
        };
        for (leaf, cosigned, expected) in [
            (10, Some(10), ProofState::Waiting),
            (9, Some(9), ProofState::InCheckpoint),
            (8, Some(9), ProofState::Cosigned),
            (0, Some(0), ProofState::InCheckpoint),
            (0, None, ProofState::InCheckpoint),
        ] {
            assert_eq!(log(cosigned).proof(leaf), expected, "{leaf} {cosigned:?}");
        }
    }
}
