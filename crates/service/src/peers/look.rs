//! What an owner sees of its devices' trust: what the next bundle holds, and who has which.

use crate::{Service, ServiceError, store::peer_trust as store};
use ::peer::{AuthorityKind, Contents};
use crypto::{Sha256, UnixTime};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller};

/// Who vouches for devices in the next bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAuthorityView {
    /// for which devices
    pub kind: AuthorityKind,
    /// whose it is
    pub organisation: OrganisationId,
    /// the product line of a maker's
    pub product: Option<ProductId>,
    /// name in its certificate
    pub subject: String,
    /// SHA-256 of its certificate
    pub fingerprint: Sha256,
    /// until when its certificate holds
    pub not_after: UnixTime,
    /// certificates that it has revoked for good
    pub revoked: usize,
    /// certificates that it has suspended
    pub suspended: usize,
}

/// What the next bundle of each of an owner's devices holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTrustContents {
    /// SHA-256 of the contents
    pub digest: Sha256,
    /// their length
    pub bytes: usize,
    /// for how long a bundle is good, in seconds
    pub life_s: i64,
    /// who vouches for devices
    pub authorities: Vec<PeerAuthorityView>,
    /// own devices that stand well, by product line (MAKER/PRODUCT); `None`: none is known
    pub lines: Vec<(Option<String>, usize)>,
    /// version of the policies; 0 where none is in force
    pub policies_version: u64,
    /// those of them that count between devices, in Cedar
    pub policies: String,
}

/// How an owner's devices stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerBundleCounts {
    /// have fetched what a new bundle would hold
    pub newest: u64,
    /// the same was made for them, and they have not fetched it, or somebody carried it there
    pub waiting: u64,
    /// hold something older that has not ended
    pub behind: u64,
    /// hold one that has ended
    pub ended: u64,
    /// stand well, and were never given one
    pub without: u64,
}

impl Service {
    /// What the next bundle of each of the organisation's devices holds.
    ///
    /// # Errors
    /// `role`; `peer-trust-off`, `trust-bundle-large`, `no-owner-ca`.
    pub async fn peer_trust_contents(
        &self,
        caller: &Caller,
    ) -> Result<PeerTrustContents, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let service = self.clone();
        let work = move || {
            let made = service.peer_contents(row.id)?;
            let contents = Contents::decode(&made.bytes)
                .map_err(|error| ServiceError::fatal("trust-bundle", error.to_string()))?;
            let authorities = contents.authorities.into_iter().map(|it| PeerAuthorityView {
                kind: it.kind,
                subject: it.certificate.subject().to_string(),
                fingerprint: it.certificate.fingerprint(),
                not_after: it.certificate.not_after(),
                revoked: it.revoked.len(),
                suspended: it.suspended.len(),
                organisation: it.organisation,
                product: it.product,
            });
            let lines = contents.lines.iter().map(|it| {
                let line = it.product.as_ref().map(|(maker, product)| format!("{maker}/{product}"));
                (line, it.devices.len())
            });
            Ok(PeerTrustContents {
                digest: made.digest,
                bytes: made.bytes.len(),
                life_s: made.life_s,
                authorities: authorities.collect(),
                lines: lines.collect(),
                policies_version: contents.version,
                policies: contents.policies,
            })
        };
        self.pool.begin(work).outcome().await?
    }

    /// How the organisation's devices stand: who has the newest bundle, and who does not.
    ///
    /// # Errors
    /// `role`.
    pub async fn peer_bundle_counts(
        &self,
        caller: &Caller,
    ) -> Result<PeerBundleCounts, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let now = self.now();
        let service = self.clone();
        let work = move || {
            // Where none can be made, nobody has the newest.
            let newest = service.peer_contents(row.id).ok().map(|made| made.digest.0);
            let counts = service
                .read(|connection| store::counts(connection, row.id, newest.as_ref(), now))?;
            let [newest, waiting, behind, ended, without] = counts;
            Ok(PeerBundleCounts { newest, waiting, behind, ended, without })
        };
        self.pool.begin(work).outcome().await?
    }
}
