//! What is public about the ledger, and how the service does: tiles, checkpoints, proofs, the
//! check of the whole log, health.

use crate::{
    Service, ServiceError,
    sequencer::{TILES, ledger},
    store::{event as store, log, release},
};
use ::ledger::{ConsistencyProof, InclusionProof, SignedCheckpoint, TilePath};
use crypto::{Sha256, UnixTime};
use std::sync::Arc;

/// Rows compared per read when the log is checked.
const STEP: usize = 4096;
/// Problems that a check lists.
const PROBLEMS_MAX: usize = 100;

/// What the check of the whole log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogCheck {
    /// leaves that the newest checkpoint covers
    pub entries: u64,
    /// root of the newest checkpoint
    pub root: Sha256,
    /// leaves that wait for the next checkpoint
    pub pending: u64,
    /// events whose contents were held against their leaf
    pub events_checked: u64,
    /// events whose contents were erased
    pub events_erased: u64,
    /// heads of the audit chain that were held against their leaf
    pub audit_heads_checked: u64,
    /// statements, such as of published releases, that were held against their leaf
    pub statements_checked: u64,
    /// what is wrong; empty where all is well
    pub problems: Vec<String>,
    /// the same in Japanese, in the same order
    pub problems_ja: Vec<String>,
}

/// How the service does.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// whether everything below is as it should be
    pub ok: bool,
    /// whether the writer runs
    pub writer: bool,
    /// what the last integration failed with
    pub integration: Option<String>,
    /// the same in Japanese
    pub integration_ja: Option<String>,
    /// when leaves were last integrated
    pub integrated_at: Option<UnixTime>,
    /// size of the published tree
    pub tree_size: u64,
    /// leaves that wait
    pub waiting: u64,
    /// certificates that are revoked or suspended
    pub revoked: usize,
    /// commits since the start
    pub commits: u64,
    /// commands since the start; commands per commit is what the group commit gains
    pub commands: u64,
}

impl Service {
    /// The newest checkpoint, a signed note: with the cosignatures of witnesses, where there are
    /// witnesses and they have answered. Public.
    pub fn checkpoint(&self) -> Arc<[u8]> {
        let newest = self.log.latest();
        match self.log.latest_cosigned() {
            Some(cosigned) if !self.config.witnesses.is_empty() => cosigned.bytes().into(),
            _ => newest.bytes().into(),
        }
    }

    /// A tile or entry bundle by its path, as C2SP tlog-tiles names it
    /// (`tile/0/x001/234.p/5`). Public.
    ///
    /// # Errors
    /// `log-request` for what is no such path, `not-found`.
    pub async fn tile(&self, path: &str) -> Result<Vec<u8>, ServiceError> {
        let parsed: TilePath = path.parse().map_err(ledger)?;
        let file = self.dir.join(TILES).join(parsed.to_string());
        match std::fs::read(file) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(ServiceError::not_found("tile"))
            }
            Err(error) => {
                tracing::error!(%error, "a tile cannot be read");
                Err(ServiceError::unavailable("tiles", "tiles cannot be read now"))
            }
        }
    }

    /// Proof that a leaf is in the tree of the newest checkpoint, with that checkpoint. Public:
    /// leaves tell nothing.
    ///
    /// # Errors
    /// `not-found` where the leaf is not in a checkpoint yet.
    pub async fn inclusion(&self, leaf: u64) -> Result<(InclusionProof, Arc<[u8]>), ServiceError> {
        let checkpoint = self.log.latest();
        let proof = self.log.inclusion_proof(leaf, checkpoint.claimed().size).map_err(ledger)?;
        Ok((proof, checkpoint.bytes().into()))
    }

    /// Proof that a leaf is in the tree of a checkpoint of this log.
    pub(crate) fn inclusion_in(
        &self,
        leaf: u64,
        checkpoint: &SignedCheckpoint,
    ) -> Result<InclusionProof, ServiceError> {
        self.log.inclusion_proof(leaf, checkpoint.claimed().size).map_err(ledger)
    }

    /// Proof that the tree of `new` leaves extends that of `old`. Public.
    ///
    /// # Errors
    /// `not-found` for sizes beyond the log.
    pub async fn consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, ServiceError> {
        self.log.consistency_proof(old, new).map_err(ledger)
    }

    /// Audits the whole log: tiles and checkpoints against the leaves, and each event and audit
    /// head in the store against its leaf. Takes time in proportion to the log.
    ///
    /// # Errors
    /// `role`; what is wrong with the log is no error but a problem in the report.
    pub async fn check_log(&self, caller: &policy::Caller) -> Result<LogCheck, ServiceError> {
        let resource = policy::Resource::platform();
        let _permit = self.authorize(caller, policy::Action::CheckLog, &resource)?;
        let service = self.clone();
        let check = self.pool.begin(move || service.check()).outcome().await??;
        let outcome = if check.problems.is_empty() {
            audit::Outcome::Success
        } else {
            audit::Outcome::Failure
        };
        let event = self
            .event(caller, audit::Kind::LogCheck, outcome)
            .detail("entries", &check.entries.to_string())
            .detail("problems", &check.problems.len().to_string());
        self.commit(move |tx| tx.audit(&event).map(|_| ())).await?;
        Ok(check)
    }

    fn check(&self) -> Result<LogCheck, ServiceError> {
        let newest = self.log.latest();
        let report = self.log.check(&mut |_| {}).map_err(ledger)?;
        let mut check = LogCheck {
            entries: report.leaves,
            root: newest.claimed().root,
            pending: report.pending,
            ..LogCheck::default()
        };
        if let Some(difference) = report.difference {
            check.problem(
                format!("leaf {}: {}", difference.index, difference.what),
                format!(
                    "リーフ{}：公開されたログが、保存されている記録と一致しません",
                    difference.index
                ),
            );
        }
        self.check_events(&mut check)?;
        self.check_audit_heads(&mut check)?;
        self.check_statements(&mut check)?;
        Ok(check)
    }

    fn check_events(&self, check: &mut LogCheck) -> Result<(), ServiceError> {
        let mut from = 0;
        loop {
            let rows = self.read(|connection| store::events_by_leaf(connection, from, STEP))?;
            let Some(last) = rows.last() else { return Ok(()) };
            from = last.leaf.saturating_add(1);
            for row in &rows {
                match (&row.contents, row.commitment) {
                    (_, None) => check.problem(
                        format!("leaf {}: is missing", row.leaf),
                        format!("リーフ{}：記録がありません", row.leaf),
                    ),
                    (Some((salt, cose)), Some(commitment)) => {
                        check.events_checked += 1;
                        if ::ledger::commit(salt, cose) != commitment {
                            check.problem(
                                format!(
                                    "leaf {}: the stored event is not what it commits to",
                                    row.leaf
                                ),
                                format!(
                                    "リーフ{}：保存されているイベントが、ログの記録と一致しません",
                                    row.leaf
                                ),
                            );
                        }
                    }
                    (None, Some(_)) => check.events_erased += 1,
                }
            }
        }
    }

    fn check_statements(&self, check: &mut LogCheck) -> Result<(), ServiceError> {
        let mut from = 0;
        loop {
            let rows = self.read(|connection| release::statements(connection, from, STEP))?;
            let Some(last) = rows.last() else { return Ok(()) };
            from = last.leaf.saturating_add(1);
            for row in &rows {
                check.statements_checked += 1;
                if Some(::ledger::commit(&row.salt, &row.contents)) != row.commitment {
                    check.problem(
                        format!(
                            "leaf {}: the stored statement is not what it commits to",
                            row.leaf
                        ),
                        format!(
                            "リーフ{}：保存されている公開記録が、ログの記録と一致しません",
                            row.leaf
                        ),
                    );
                }
            }
        }
    }

    fn check_audit_heads(&self, check: &mut LogCheck) -> Result<(), ServiceError> {
        let mut from = 0;
        loop {
            let rows = self.read(|connection| {
                let mut rows = Vec::new();
                for row in log::audit_leaves(connection, from, STEP)? {
                    let hash = log::audit_hash(connection, row.sequence)?;
                    rows.push((hash, store::leaf(connection, row.leaf)?, row));
                }
                Ok(rows)
            })?;
            let Some((_, _, last)) = rows.last() else { return Ok(()) };
            from = last.leaf.saturating_add(1);
            for (hash, leaf, row) in &rows {
                check.audit_heads_checked += 1;
                let agrees = hash.is_some_and(|hash| {
                    let head = audit::Chain { sequence: row.sequence, hash };
                    Some(::ledger::commit(&row.salt, &head.anchor())) == *leaf
                });
                if !agrees {
                    check.problem(
                        format!(
                            "leaf {}: the audit chain at event {} is not what it commits to",
                            row.leaf, row.sequence
                        ),
                        format!(
                            "リーフ{}：監査ログの{}番目のイベントまでの連鎖が、ログの記録と一致しません",
                            row.leaf, row.sequence
                        ),
                    );
                }
            }
        }
    }

    /// How the service does. Public: counts only.
    pub fn health(&self) -> Health {
        let published = self.published.borrow().clone();
        let writer = self.store.writer.is_alive();
        let counters = self.store.writer.counters();
        let order = std::sync::atomic::Ordering::Relaxed;
        Health {
            ok: writer && published.failed.is_none(),
            writer,
            integration: published.failed.as_ref().map(ToString::to_string),
            integration_ja: published
                .failed
                .as_ref()
                .and_then(|error| error.message_ja().map(str::to_owned)),
            integrated_at: crate::sequencer::integrated_at(&self.log),
            tree_size: published.size,
            waiting: self.live.wanted().leaves.saturating_sub(published.size),
            revoked: self.live.revoked_count(),
            commits: counters.commits.load(order),
            commands: counters.commands.load(order),
        }
    }
}

impl LogCheck {
    fn problem(&mut self, english: String, japanese: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(english);
            self.problems_ja.push(japanese);
        }
    }
}
