//! The gate of a release: nothing exploited and nothing critical without a word about it.

use super::settle::ExposureStatus;
use crate::{
    Service, ServiceError,
    live::found,
    store::{advisory as advisories, exposure, organisation as organisations, sbom as sboms},
};
use advisory::Rating;
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;

/// What stands in the way of a release, as far as vulnerabilities go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VulnerabilityGate {
    /// bills of materials that were looked at; without one nothing is known
    pub sboms: usize,
    /// components that wait to be judged
    pub waiting: u64,
    /// vulnerabilities that are exploited or critical, and that nobody says are fixed or harmless
    pub blocking: Vec<BlockingVulnerability>,
}

/// A vulnerability that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockingVulnerability {
    /// what it is called
    pub name: String,
    /// whether it is known to be exploited
    pub exploited: bool,
    /// the score in tenths; `None` where nobody scored it
    pub tenths: Option<u8>,
    /// where it stands
    pub status: ExposureStatus,
}

impl VulnerabilityGate {
    /// Whether nothing stands in the way: there is a bill of materials, all of it is judged, and
    /// nothing blocks.
    pub fn is_open(&self) -> bool {
        self.sboms > 0 && self.waiting == 0 && self.blocking.is_empty()
    }
}

impl Service {
    /// What stands in the way of a version of a product's software. A version that is not known has
    /// no bill of materials.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn vulnerability_gate(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        version: &str,
    ) -> Result<VulnerabilityGate, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let product = self.product_row(organisation, product)?;
        self.read(|connection| {
            let row = found(sboms::software(connection, product.id, version)?, "version")?;
            gate(connection, row.id)
        })
    }
}

/// Vulnerabilities of a release that are exploited or critical, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grave {
    /// nobody says that they are fixed or harmless
    pub(crate) open: Vec<String>,
    /// a statement says so, and nothing else: whoever may make statements would pass the gate alone
    pub(crate) stated: Vec<String>,
}

/// What stands in the way of a version.
pub(crate) fn gate(
    connection: &Connection,
    software: i64,
) -> Result<VulnerabilityGate, ServiceError> {
    let rows = exposure::exposures_of(connection, software)?;
    let blocking = rows.into_iter().filter_map(|row| {
        let status = ExposureStatus::from_number(row.status);
        let blocks = status.is_open() && is_grave(row.exploited, row.tenths);
        blocks.then_some(BlockingVulnerability {
            name: row.name,
            exploited: row.exploited,
            tenths: row.tenths,
            status,
        })
    });
    Ok(VulnerabilityGate {
        sboms: sboms::sboms(connection, software)?.len(),
        waiting: sboms::waiting(connection, None, Some(software))?,
        blocking: blocking.collect(),
    })
}

fn is_grave(exploited: bool, tenths: Option<u8>) -> bool {
    exploited || tenths.is_some_and(|tenths| Rating::of_tenths(tenths) >= Rating::Critical)
}

/// What stands in the way of a release (organisation, product, version), by name; `None` where that
/// is not known: without SBOM, without a catalogue of what is exploited, or while it is judged.
pub(crate) fn blocking(
    connection: &Connection,
    of: (i64, i64, &str),
) -> Result<Option<Vec<String>>, ServiceError> {
    Ok(grave(connection, of)?.map(|grave| grave.open))
}

/// The same, with what would stand in the way if nobody had said anything.
pub(crate) fn grave(
    connection: &Connection,
    (organisation, product, version): (i64, i64, &str),
) -> Result<Option<Grave>, ServiceError> {
    let Some(row) = sboms::software(connection, product, version)? else { return Ok(None) };
    let platform = organisations::organisation(connection, policy::PLATFORM)?;
    let mut known = advisories::catalogue(connection, organisation)?.is_some();
    if let Some(platform) = platform {
        known |= advisories::catalogue(connection, platform.id)?.is_some();
    }
    let gate = gate(connection, row.id)?;
    if !known || gate.sboms == 0 || gate.waiting > 0 {
        return Ok(None);
    }
    let stated = exposure::exposures_of(connection, row.id)?
        .into_iter()
        .filter(|row| {
            let open = ExposureStatus::from_number(row.status).is_open();
            !open && is_grave(row.exploited, row.tenths)
        })
        .map(|row| row.name)
        .collect();
    let open = gate.blocking.into_iter().map(|blocking| blocking.name).collect();
    Ok(Some(Grave { open, stated }))
}
