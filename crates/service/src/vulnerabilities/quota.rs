//! How much of SBOMs, advisories and VEX documents is kept for one organisation: the disk is
//! everybody's.

use crate::{Service, ServiceError, store::sbom as store};

impl Service {
    /// Refuses documents of so many bytes for which an organisation has no room. The platform's own
    /// are the operator's affair.
    pub(crate) fn room_for_documents(
        &self,
        organisation: i64,
        bytes: usize,
    ) -> Result<(), ServiceError> {
        if organisation == self.platform.organisation.id {
            return Ok(());
        }
        let most = self.config.limits.document_bytes_per_organisation;
        let kept = self.read(|connection| store::document_bytes(connection, organisation))?;
        let wanted = kept.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if wanted <= most {
            return Ok(());
        }
        Err(ServiceError::refused(
            "quota",
            format!(
                "your organisation's SBOMs, advisories and VEX documents would have {wanted} bytes, \
                 and may have {most}; ask the platform's operator"
            ),
        ))
    }
}
