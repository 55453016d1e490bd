//! Who is in a campaign: chosen once, when it is proposed, and put down in slices.

use crate::{
    DeviceRelation, DeviceSearch, Service, ServiceError,
    fleet::Asked,
    store::{
        campaign::{self as store, NewSlice, Side},
        running,
        search::{self, Order, Place},
    },
};
use crypto::Sha256;
use device::{DeviceId, OrganisationId};
use update::campaign::{
    Plan, PlanError,
    members::{self as tree, Levels, SLICE},
};

use super::steps::{MEMBER_BYTES, Member, is_entitled};

/// Most members of a campaign.
const MEMBERS_MAX: usize = 4_000_000;
/// Devices that are read at a time.
const STEP: usize = 2_000;

/// Row numbers and ids of devices, by row number.
pub(super) struct Members(Vec<(i64, [u8; 16])>);

/// Members as they are stored.
pub(super) struct Slices {
    pub(super) slices: Vec<NewSlice>,
    pub(super) total: u64,
    pub(super) per_stage: Vec<u64>,
    pub(super) root: Sha256,
}

impl Members {
    /// The devices that a search finds and that the organisation may update. Takes time: see
    /// `at_desk`.
    pub(super) fn choose(
        service: &Service,
        organisation: &OrganisationId,
        search: &DeviceSearch,
        product: i64,
        asked: &Asked,
    ) -> Result<Self, ServiceError> {
        let who = service.organisation_row(organisation.as_str())?.id;
        let plain = DeviceSearch {
            relation: search.relation,
            product: search.product.clone(),
            runs: search.runs.clone(),
            order: search.order,
            ..DeviceSearch::default()
        };
        let mut chosen = Vec::new();
        let side = match search.relation {
            DeviceRelation::Maker => Side::Maker,
            _ => Side::Owner,
        };
        if *search == plain && !search.runs.is_empty() {
            // As a search it has limits.
            service.wanted(organisation, search)?;
            return Self::running(service, side, (who, product), &search.runs, asked);
        }
        if *search == plain {
            service.read(|connection| {
                store::plain_members(connection, side, who, product, &mut |row, device| {
                    chosen.push((row, device));
                    if chosen.len() > MEMBERS_MAX {
                        return Err(too_many());
                    }
                    if chosen.len().is_multiple_of(10_000) { asked.still() } else { Ok(()) }
                })
            })?;
            return Ok(Self(chosen));
        }
        let wanted = service.wanted(organisation, search)?;
        let mut from: Option<Place> = None;
        loop {
            asked.still()?;
            let page = service.read(|connection| {
                let page = search::search(
                    connection,
                    &wanted,
                    Order::Newest,
                    from.as_ref(),
                    false,
                    2_000,
                )?;
                for (row, _) in &page.hits {
                    let device = store::polled_by_row(connection, *row)?;
                    let id = store::device_id(connection, *row)?;
                    if let (Some(device), Some(id)) = (device, id)
                        && device.product == Some(product)
                        && is_entitled(connection, who, &device)?
                    {
                        chosen.push((*row, id));
                    }
                }
                Ok(page)
            })?;
            if chosen.len() > MEMBERS_MAX {
                return Err(too_many());
            }
            let last = page.hits.last().map(|(_, place)| place.clone());
            match page.stopped.or(last.filter(|_| page.more)) {
                Some(place) => from = Some(place),
                None => break,
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(Self(chosen))
    }

    /// Those that run one of some versions: the way that leads from a vulnerability to its devices.
    fn running(
        service: &Service,
        side: Side,
        (who, product): (i64, i64),
        versions: &[String],
        asked: &Asked,
    ) -> Result<Self, ServiceError> {
        let stands = match side {
            Side::Owner => running::Stands::Owner(who),
            Side::Maker => running::Stands::Maker(who),
        };
        let mut chosen = Vec::new();
        for version in versions {
            let mut after = 0;
            loop {
                asked.still()?;
                let about = (product, version.as_str());
                let rows = service.read(|connection| {
                    let rows = running::devices(
                        connection,
                        stands,
                        about,
                        crate::vulnerabilities::over(),
                        after,
                        STEP,
                    )?;
                    for row in &rows {
                        let device = store::polled_by_row(connection, row.id)?;
                        if let Some(device) = device
                            && is_entitled(connection, who, &device)?
                        {
                            chosen.push((row.id, row.device));
                        }
                    }
                    Ok(rows)
                })?;
                if chosen.len() > MEMBERS_MAX {
                    return Err(too_many());
                }
                match rows.last() {
                    Some(last) if rows.len() == STEP => after = last.id,
                    _ => break,
                }
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(Self(chosen))
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// Draws lots and builds the tree.
    ///
    /// # Errors
    /// `campaign-stages` where a stage would have no device.
    pub(super) fn into_slices(
        self,
        seed: &[u8; 32],
        campaign: &[u8; 16],
        plan: &Plan,
    ) -> Result<Slices, ServiceError> {
        let lot =
            |(_, id): &(i64, [u8; 16])| tree::lot(&tree::salt(seed, &DeviceId::from_bytes(*id)));
        let lots: Vec<u64> = self.0.iter().map(lot).collect();
        let mut stages = plan.draw(&lots).map_err(stages_refused)?.into_iter();
        drop(lots);
        let mut per_stage = vec![0u64; plan.stages().len()];
        let mut slices = Vec::with_capacity(self.0.len() / SLICE + 1);
        for members in self.0.chunks(SLICE) {
            let mut bytes = Vec::with_capacity(members.len() * MEMBER_BYTES);
            let mut leaves = Vec::with_capacity(members.len());
            for (row, id) in members {
                let device = DeviceId::from_bytes(*id);
                let salt = tree::salt(seed, &device);
                let stage = stages.next().unwrap_or_default();
                if let Some(count) = per_stage.get_mut(usize::from(stage)) {
                    *count += 1;
                }
                leaves.push(tree::leaf(campaign, &device, &salt));
                Member { device, row: *row, stage }.write(&mut bytes);
            }
            slices.push(NewSlice {
                first: members.first().map_or(0, |(row, _)| *row),
                members: bytes,
                root: Levels::over(leaves).root(),
            });
        }
        let root = Levels::over(slices.iter().map(|slice| slice.root).collect()).root();
        let total = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        Ok(Slices { slices, total, per_stage, root })
    }
}

/// Stages that cannot all have a device.
pub(super) fn stages_refused(why: PlanError) -> ServiceError {
    ServiceError::refused("campaign-stages", why.to_string())
}

fn too_many() -> ServiceError {
    ServiceError::too_many(
        "too-many-members",
        "a campaign has at most 4,000,000 members; narrow the search",
    )
}
