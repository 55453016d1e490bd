//! The newest checkpoint that as many witnesses have cosigned as readers are told to ask for. The newest
//! of all is often seconds ahead of it: who must not believe the log alone gets this one.

use crate::{Service, ServiceError, store::meta};
use ledger::{SignedCheckpoint, WitnessKey};
use std::sync::PoisonError;

impl Service {
    /// The installation's witnesses, and how many of them make a quorum.
    fn quorum(&self) -> Result<(Vec<WitnessKey>, usize), ServiceError> {
        let (witnesses, quorum) = self.read(|connection| {
            let text = |key| meta::text(connection, key).map(Option::unwrap_or_default);
            Ok((text(meta::WITNESSES)?, text(meta::QUORUM)?))
        })?;
        let keys = witnesses.lines().filter_map(|line| line.parse().ok()).collect();
        Ok((keys, quorum.parse().unwrap_or_default()))
    }

    /// Remembers a checkpoint that was cosigned, where that makes the quorum and none newer is known.
    pub(crate) fn note_witnessed(&self, checkpoint: &SignedCheckpoint) -> Result<(), ServiceError> {
        let (witnesses, quorum) = self.quorum()?;
        if checkpoint.verify(self.log.key(), &witnesses, quorum).is_err() {
            return Ok(());
        }
        let mut kept = self.live.witnessed.write().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|kept| kept.claimed().size < checkpoint.claimed().size) {
            *kept = Some(checkpoint.clone());
        }
        Ok(())
    }

    /// The newest checkpoint with its witnesses' quorum, where it covers a leaf; the newest of all where
    /// nobody is asked to cosign.
    pub(crate) fn witnessed_over(
        &self,
        leaf: u64,
    ) -> Result<Option<SignedCheckpoint>, ServiceError> {
        let covers = |checkpoint: &SignedCheckpoint| checkpoint.claimed().size > leaf;
        if self.config.witnesses.is_empty() || self.quorum()?.1 == 0 {
            return Ok(Some(self.log.latest()).filter(covers));
        }
        let kept = || self.live.witnessed.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept().filter(covers) {
            return Ok(Some(kept));
        }
        // After a start, what was cosigned before it.
        for one in [Some(self.log.latest()), self.log.latest_cosigned()].into_iter().flatten() {
            self.note_witnessed(&one)?;
        }
        Ok(kept().filter(covers))
    }
}
