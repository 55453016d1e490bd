//! A release as a campaign gives it out: what does not change once it is published.

use super::{
    ReleaseId,
    forms::{AssignedDelta, AssignedSealing, FormedArtifact, split},
};
use crate::{
    Service, ServiceError,
    store::release::{self as store, State},
};
use crypto::Sha256;
use device::{OrganisationId, ProductId};
use rusqlite::Connection;
use std::sync::Arc;
use update::campaign::Target;

/// A file that a device shall install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedArtifact {
    /// its name within the release
    pub name: String,
    /// its path in the image repository
    pub path: String,
    /// its SHA-256: the name of the blob
    pub sha256: Sha256,
    /// its SHA-1, which the DDI protocol wants; nothing rests on it
    pub sha1: [u8; 20],
    /// its length in bytes
    pub length: u64,
    /// the kinds of hardware that it is for
    pub hardware_ids: Vec<String>,
    /// where it is sealed
    pub sealed: Option<AssignedSealing>,
    /// what makes it from what the device runs
    pub delta: Option<AssignedDelta>,
}

/// A published release.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) release: ReleaseId,
    pub(crate) row: i64,
    pub(crate) product_row: i64,
    pub(crate) product: ProductId,
    pub(crate) maker: OrganisationId,
    pub(crate) target: Target,
    pub(crate) artifacts: Vec<AssignedArtifact>,
    /// those of its files that are sealed or deltas
    pub(crate) formed: Vec<FormedArtifact>,
}

impl Service {
    /// A release's contents, from memory where they are there.
    pub(crate) fn content(&self, release: i64) -> Result<Arc<Content>, ServiceError> {
        self.live.contents.get_or_load(release, || {
            self.read(|connection| content(connection, release)).map(Arc::new)
        })
    }
}

/// Whether a release may be given out: it is published, was not withdrawn, and reaches the floor that
/// its product has now.
pub(super) fn is_given_out(connection: &Connection, release: i64) -> Result<bool, ServiceError> {
    let row = store::release_by_row(connection, release)?;
    let Some(row) = row.filter(|row| row.state == State::Published) else { return Ok(false) };
    let gate = store::gate(connection, row.product)?;
    Ok(gate.is_none_or(|gate| row.security_version >= gate.security_floor))
}

fn content(connection: &Connection, release: i64) -> Result<Content, ServiceError> {
    let damaged = || ServiceError::fatal("store-damaged", "a release's row is damaged");
    let row = store::release_by_row(connection, release)?.ok_or_else(damaged)?;
    if !matches!(row.state, State::Published | State::Withdrawn) {
        return Err(damaged());
    }
    let product = crate::store::organisation::product_by_id(connection, row.product)?
        .and_then(|product| ProductId::new(&product.slug).ok())
        .ok_or_else(damaged)?;
    let maker = crate::store::organisation::organisation_by_id(connection, row.organisation)?
        .ok_or_else(damaged)?;
    let texts = |text: &str| serde_json::from_str::<Vec<String>>(text).map_err(|_| damaged());
    let files = store::artifacts(connection, row.id)?
        .into_iter()
        .map(|artifact| {
            let hardware_ids = texts(&artifact.hardware_ids)?;
            Ok((artifact, hardware_ids))
        })
        .collect::<Result<Vec<_>, ServiceError>>()?;
    let (artifacts, formed) = split(files);
    // A device says what lies in its slot, or which file it took.
    let images = formed.iter().filter_map(|file| file.form.image(file.length, file.sha256));
    let mut digests: Vec<Sha256> = artifacts.iter().map(|artifact| artifact.sha256).collect();
    digests.extend(images.map(|image| image.sha256));
    Ok(Content {
        release: ReleaseId::from_bytes(row.reference),
        row: row.id,
        product_row: row.product,
        product,
        maker: crate::service::slug(&maker.slug)?,
        target: Target {
            hardware_ids: texts(&row.hardware_ids)?,
            version: row.version,
            release_counter: row.counter,
            security_version: row.security_version,
            digests,
        },
        artifacts,
        formed,
    })
}
