//! Use case: from a vulnerability to a campaign that mends it, over exactly the devices that run it.

use super::{
    devices::{self, FleetSide},
    settle::{self, ExposureStatus, Facts},
};
use crate::{
    CampaignView, DeviceRelation, DeviceSearch, NewCampaign, ReleaseId, Service, ServiceError,
    store::{exposure, release as releases, running, sbom as sboms},
};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use update::campaign::{Plan, Stage};

/// Releases of a product that are looked at, the newest first.
const RELEASES_MAX: usize = 100;
/// Ids of a vulnerability that are looked for.
const IDS_MAX: usize = 64;
/// Devices up to which a campaign has one stage.
const FEW: u64 = 10;

/// What a campaign from a vulnerability would be, for one product line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignDraft {
    /// whose product it is
    pub maker: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// affected versions that devices run and the release mends: version, where it stands, devices
    pub versions: Vec<(String, ExposureStatus, u64)>,
    /// affected versions that are not older than the release: the campaign leaves them out
    pub newer: Vec<(String, u64)>,
    /// devices that run one of `versions`
    pub devices: u64,
    /// to which release, or why to none
    pub target: FixTarget,
}

/// The release that mends a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FixTarget {
    /// the newest published one in which it is fixed
    Fixed {
        /// the release
        release: ReleaseId,
        /// its version
        version: String,
        /// its release counter
        release_counter: u64,
    },
    /// the product has no published release that may be given out
    NoRelease,
    /// it is in every release that was looked at; the newest
    Affected(String),
    /// nobody knows whether it is in the newest release: no SBOM, or not all of it is judged
    Unknown(String),
    /// the newest release without it is older than what the devices run
    Older(String),
}

impl FixTarget {
    /// Stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fixed { .. } => "fixed",
            Self::NoRelease => "no-release",
            Self::Affected(_) => "affected",
            Self::Unknown(_) => "unknown",
            Self::Older(_) => "older",
        }
    }

    /// The version of the release that it speaks of.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::NoRelease => None,
            Self::Fixed { version, .. }
            | Self::Affected(version)
            | Self::Unknown(version)
            | Self::Older(version) => Some(version),
        }
    }

    /// What is so, and what to do next: in English and Japanese. `None` where there is a release.
    pub fn why(&self) -> Option<(String, String)> {
        Some(match self {
            Self::Fixed { .. } => return None,
            Self::NoRelease => (
                "no release of this product is published; publish one without the vulnerability"
                    .to_owned(),
                "この製品には公開済みのリリースがありません。脆弱性を直したリリースを公開してください"
                    .to_owned(),
            ),
            Self::Affected(version) => (
                format!(
                    "the newest published release, {version}, has the vulnerability too; publish \
                     one with the fix, or state why {version} is not affected"
                ),
                format!(
                    "公開済みの最新リリース {version} にもこの脆弱性があります。修正版を公開するか、\
                     {version} が影響を受けない理由を記録してください"
                ),
            ),
            Self::Unknown(version) => (
                format!(
                    "nobody knows whether the newest published release, {version}, has it: attach \
                     an SBOM, or wait until all of it is judged"
                ),
                format!(
                    "公開済みの最新リリース {version} に含まれるかどうか分かりません。SBOMを添付するか、\
                     照合が終わるまで待ってください"
                ),
            ),
            Self::Older(version) => (
                format!(
                    "the newest release without it, {version}, is older than what the devices run; \
                     publish a newer one with the fix"
                ),
                format!(
                    "直っている最新のリリース {version} は、機器で動いているものより古いものです。\
                     より新しい修正版を公開してください"
                ),
            ),
        })
    }
}

/// A campaign to be proposed from a vulnerability.
#[derive(Debug, Clone, PartialEq)]
pub struct VulnerabilityCampaign {
    /// who runs it
    pub organisation: OrganisationId,
    /// over devices that it made (and may update), or owns
    pub side: FleetSide,
    /// any id of the vulnerability
    pub vulnerability: String,
    /// the product line: its maker and its id
    pub product: (OrganisationId, ProductId),
    /// what people call it; `None`: by vulnerability and release
    pub name: Option<String>,
    /// how; `None`: 5, 25, 70 percent, each watched for an hour
    pub plan: Option<Plan>,
}

/// What one release says about a vulnerability.
enum Standing {
    Clean,
    Affected,
    Unknown,
}

impl Service {
    /// What campaigns would mend a vulnerability: one for each product line of which devices run an
    /// affected version, towards the newest published release in which it is fixed, or why there is
    /// none. Devices are those of [`Self::vulnerable_devices`].
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn campaign_drafts(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        side: FleetSide,
        id: &str,
    ) -> Result<Vec<CampaignDraft>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let id = devices::vulnerability_id(id)?;
        let found = self
            .at_desk(row, move |service, asked| {
                service.read(|connection| {
                    let all = devices::exposures(connection, side, row, &id)?;
                    if all.is_empty() {
                        return Err(ServiceError::not_found("vulnerability"));
                    }
                    let mut ids: BTreeSet<String> = [id.to_string()].into();
                    let mut open: BTreeMap<(i64, String), ExposureStatus> = BTreeMap::new();
                    for (product, version, row) in all {
                        let facts: Facts = settle::read(&row.facts)?;
                        ids.extend(facts.ids.into_iter().take(IDS_MAX));
                        ids.insert(row.name);
                        let status = ExposureStatus::from_number(row.status);
                        if row.closed_at.is_none() && status.is_open() {
                            let entry = open.entry((product, version)).or_insert(status);
                            *entry = status.min(*entry);
                        }
                    }
                    let mut affected: BTreeMap<i64, Vec<(String, ExposureStatus, u64)>> =
                        BTreeMap::new();
                    for ((product, version), status) in open {
                        asked.still()?;
                        let about = (product, version.as_str());
                        let stands = side.stands(row);
                        let count = running::count(connection, stands, about)?;
                        if count > 0 {
                            affected.entry(product).or_default().push((version, status, count));
                        }
                    }
                    let mut drafts = Vec::new();
                    for (product, versions) in affected {
                        asked.still()?;
                        drafts.push((product, draft(connection, side, product, &ids, versions)?));
                    }
                    Ok(drafts)
                })
            })
            .await?;
        found
            .into_iter()
            .map(|(product, (versions, newer, target))| {
                let (maker, product) = self.product_names(product)?;
                let devices = versions.iter().map(|(.., devices)| *devices).sum();
                Ok(CampaignDraft { maker, product, versions, newer, devices, target })
            })
            .collect()
    }

    /// Proposes a campaign over exactly the devices that run an affected version of a product,
    /// towards the newest published release in which the vulnerability is fixed.
    ///
    /// # Errors
    /// `no-fixed-release`, those of [`Self::campaign_drafts`] and [`Self::create_campaign`].
    pub async fn propose_from_vulnerability(
        &self,
        caller: &Caller,
        wanted: VulnerabilityCampaign,
    ) -> Result<CampaignView, ServiceError> {
        let resource = Resource::organisation(&wanted.organisation);
        let _permit = self.authorize(caller, Action::ProposeCampaign, &resource)?;
        let (of, side, id) = (&wanted.organisation, wanted.side, &wanted.vulnerability);
        let drafts = self.campaign_drafts(caller, of, side, id).await?;
        let (maker, product) = &wanted.product;
        let draft = drafts
            .into_iter()
            .find(|draft| draft.maker == *maker && draft.product == *product)
            .ok_or_else(|| ServiceError::not_found("product line"))?;
        let FixTarget::Fixed { release, version, .. } = &draft.target else {
            let (english, japanese) = draft.target.why().unwrap_or_default();
            return Err(ServiceError::refused("no-fixed-release", english).in_japanese(japanese));
        };
        let plan = match wanted.plan {
            Some(plan) => plan,
            None => usual_plan(draft.devices)?,
        };
        let name = wanted.name.unwrap_or_else(|| format!("{id}: {product} {version}"));
        let search = DeviceSearch {
            relation: match side {
                FleetSide::Maker => DeviceRelation::Maker,
                FleetSide::Owner => DeviceRelation::Owner,
            },
            runs: draft.versions.into_iter().map(|(version, ..)| version).collect(),
            ..DeviceSearch::default()
        };
        let new = NewCampaign {
            organisation: wanted.organisation.clone(),
            name,
            release: *release,
            roll_back_to: None,
            search,
            plan,
        };
        self.create_campaign(caller, new).await
    }
}

/// A few first; where there are only a few, all at once.
fn usual_plan(devices: u64) -> Result<Plan, ServiceError> {
    let stage = |share, soak_s| Stage { share, success_percent: 90, error_percent: 5, soak_s };
    let stages = match devices {
        ..=FEW => vec![stage(10_000, 0)],
        _ => vec![stage(500, 3_600), stage(2_500, 3_600), stage(7_000, 0)],
    };
    Plan::new(stages).map_err(|error| ServiceError::fatal("campaign-plan", error.to_string()))
}

type Parts = (Vec<(String, ExposureStatus, u64)>, Vec<(String, u64)>, FixTarget);

fn draft(
    connection: &Connection,
    side: FleetSide,
    product: i64,
    ids: &BTreeSet<String>,
    affected: Vec<(String, ExposureStatus, u64)>,
) -> Result<Parts, ServiceError> {
    let floor = releases::gate(connection, product)?.map_or(0, |gate| gate.security_floor);
    let mut newest = None;
    let mut target = None;
    for release in releases::published(connection, product, RELEASES_MAX)? {
        if release.security_version < floor {
            continue;
        }
        let standing = standing(connection, side, (product, &release.version), ids)?;
        if matches!(standing, Standing::Clean) {
            target = Some(release);
            break;
        }
        newest.get_or_insert((release.version, standing));
    }
    let Some(release) = target else {
        let target = match newest {
            None => FixTarget::NoRelease,
            Some((version, Standing::Unknown)) => FixTarget::Unknown(version),
            Some((version, _)) => FixTarget::Affected(version),
        };
        return Ok((affected, Vec::new(), target));
    };
    let (mut older, mut newer) = (Vec::new(), Vec::new());
    for (version, status, devices) in affected {
        // A version of which there is no release is taken for older: the device knows better.
        match releases::counter_of(connection, product, &version)? {
            Some(counter) if counter >= release.counter => newer.push((version, devices)),
            _ => older.push((version, status, devices)),
        }
    }
    let target = match older.is_empty() {
        true => FixTarget::Older(release.version),
        false => FixTarget::Fixed {
            release: ReleaseId::from_bytes(release.reference),
            version: release.version,
            release_counter: release.counter,
        },
    };
    Ok((older, newer, target))
}

/// Whether a version is free of a vulnerability, under any of its ids, as far as may be known.
fn standing(
    connection: &Connection,
    side: FleetSide,
    (product, version): (i64, &str),
    ids: &BTreeSet<String>,
) -> Result<Standing, ServiceError> {
    let Some(software) = sboms::software(connection, product, version)? else {
        return Ok(Standing::Unknown);
    };
    if sboms::sboms(connection, software.id)?.is_empty()
        || sboms::waiting(connection, None, Some(software.id))? > 0
    {
        return Ok(Standing::Unknown);
    }
    for id in ids {
        let row = exposure::exposure_by_id(connection, software.id, id)?;
        let Some(row) = row.filter(|row| row.closed_at.is_none()) else { continue };
        if ExposureStatus::from_number(row.status).is_open() {
            // What the maker alone knows is not told to an owner, and not taken for mended.
            let hidden = side == FleetSide::Owner && row.private;
            return Ok(if hidden { Standing::Unknown } else { Standing::Affected });
        }
    }
    Ok(Standing::Clean)
}
