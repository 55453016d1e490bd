//! Use case: the audit log as people read it, newest first and within a time.

use crate::{
    AuditView, Page, Paged, Service, ServiceError,
    store::log::{self, AuditFilter},
};
use audit::SecurityEvent;
use crypto::UnixTime;
use device::OrganisationId;
use policy::{Action, Caller, Resource};

/// Which security events are wanted; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// of one organisation; of all where none is named
    pub organisation: Option<OrganisationId>,
    /// of one kind
    pub kind: Option<audit::Kind>,
    /// from this second on
    pub from: Option<UnixTime>,
    /// before this second
    pub until: Option<UnixTime>,
}

impl Service {
    /// A page of security events, newest first. `page.after` is the `next` of an earlier page; what
    /// happens meanwhile appears before the first page and moves no other.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn audit_trail(
        &self,
        caller: &Caller,
        query: &AuditQuery,
        page: &Page,
    ) -> Result<Paged<AuditView>, ServiceError> {
        let whose = query.organisation.as_ref().unwrap_or(&self.platform.id);
        let _permit =
            self.authorize(caller, Action::ReadAuditLog, &Resource::organisation(whose))?;
        let (before, limit) = page.numbered(self.config.limits.page)?;
        let before = if page.after.is_some() { before } else { i64::MAX.unsigned_abs() };
        let filter = AuditFilter {
            organisation: query.organisation.as_ref().map(ToString::to_string),
            kind: query.kind.map(audit::Kind::name),
            from: query.from.map(|time| time.0),
            until: query.until.map(|time| time.0),
        };
        // A rare kind or an old time may read much of the log.
        let service = self.clone();
        let read = self.pool.begin(move || {
            service.read(|connection| log::audit_rows_back(connection, &filter, before, limit + 1))
        });
        let rows = read.outcome().await??;
        Paged::cut(rows, limit, |row| row.sequence.to_string()).try_map(|row| {
            let damaged =
                |_| ServiceError::fatal("audit-damaged", "a security event is damaged; verify");
            Ok(AuditView {
                sequence: row.sequence,
                event: SecurityEvent::decode(&row.event).map_err(damaged)?,
                hash: row.hash,
            })
        })
    }
}
