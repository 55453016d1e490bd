//! Use cases: propose a campaign, start it, watch it, stop it; consent to a maker's updates.

use super::{
    ReleaseId,
    content::{Content, is_given_out},
    members::{Members, stages_refused},
    steps::{Around, Moving},
    terms::Terms,
};
use crate::{
    DeviceRelation, DeviceSearch, Page, Paged, Service, ServiceError,
    approvals::{Intent, Slip},
    live::found,
    names::shows_what_it_is,
    store::{
        campaign::{self as store, ActionRow, CampaignRow},
        curve, device as devices, organisation as organisations, release as releases,
    },
};
use crypto::{UnixTime, random};
use device::{DeviceId, OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use std::sync::Arc;
use update::campaign::{
    Campaign, Change, Counts, MoveError, OnFailure, Outcome, PauseCause, Plan, Purpose, Reason,
    State, Step, Told,
};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Most drafts of an organisation.
const DRAFTS_MAX: u64 = 100;
/// Most moments that are shown.
const MOMENTS_MAX: usize = 5_000;
/// A campaign with no more members than this is a trial, which nobody else needs to approve; nor do
/// all trials of a product together within a week reach more devices without another person.
pub const TRIAL_MEMBERS_MAX: u64 = 10;
/// How long a trial counts, in seconds.
const TRIAL_S: i64 = 7 * 86_400;
/// Most campaigns of an organisation that are under way: each poll of its devices looks at all.
const UNDER_WAY_MAX: usize = 200;

id_type! {
    /// A campaign: 16 random bytes, as text 32 hexadecimal digits.
    CampaignId
}

/// A campaign to be proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCampaign {
    /// who runs it
    pub organisation: OrganisationId,
    /// what people call it
    pub name: String,
    /// the release that the members get
    pub release: ReleaseId,
    /// the release before, to which they go back where this one fails
    pub roll_back_to: Option<ReleaseId>,
    /// which devices of the release's product, by the search of the fleet: owned, or made by the
    /// organisation where their owners have consented
    pub search: DeviceSearch,
    /// how
    pub plan: Plan,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignView {
    /// its id
    pub id: CampaignId,
    /// who runs it
    pub organisation: OrganisationId,
    /// what people call it
    pub name: String,
    /// the product line's maker and id
    pub product: (OrganisationId, ProductId),
    /// the release
    pub release: ReleaseId,
    /// its version
    pub version: String,
    /// its release counter
    pub release_counter: u64,
    /// its security version
    pub security_version: u64,
    /// the release before, with its version
    pub roll_back_to: Option<(ReleaseId, String)>,
    /// which devices were looked for
    pub search: String,
    /// how
    pub plan: Plan,
    /// number of members; they were chosen when it was proposed
    pub members: u64,
    /// root of the tree of members, which the log commits to
    pub root: crypto::Sha256,
    /// where it stands
    pub state: State,
    /// why it paused
    pub paused: Option<PauseCause>,
    /// the last stage that is open, from 0
    pub stage: u8,
    /// per stage
    pub counts: Vec<Counts>,
    /// when and by whom it was proposed
    pub created_at: UnixTime,
    /// who proposed it
    pub created_by: String,
    /// when it was started
    pub started_at: Option<UnixTime>,
    /// who started it
    pub started_by: Option<String>,
    /// when it was over
    pub over_at: Option<UnixTime>,
}

/// What a campaign would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignPreview {
    /// the version of the release
    pub version: String,
    /// devices that would be its members now
    pub members: u64,
    /// of these, so many per stage; which ones, lots decide
    pub per_stage: Vec<u64>,
    /// whether somebody else has to approve its start, by its number of members and of
    /// administrators
    pub second_person: bool,
    /// whether owners of devices of this product have not consented to its maker's updates
    pub without_consent: bool,
}

/// How the members of a campaign stood at a moment, all stages together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampaignMoment {
    /// when
    pub at: UnixTime,
    /// how they stood
    pub counts: Counts,
}

/// A proposal that was looked through.
struct Proposed {
    who: i64,
    name: String,
    content: Arc<Content>,
    back: Option<i64>,
    search: DeviceSearch,
}

/// What a campaign knows of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignDevice {
    /// the device
    pub device: DeviceId,
    /// its serial number
    pub serial_number: String,
    /// the action's number
    pub action: u64,
    /// its stage, from 0
    pub stage: u8,
    /// to the release or back
    pub purpose: Purpose,
    /// how far it is, or was
    pub step: Step,
    /// in percent of the step, as the device said
    pub progress: Option<u8>,
    /// the device's words
    pub detail: Option<String>,
    /// when it was told
    pub offered_at: UnixTime,
    /// until when it has to be through
    pub deadline: UnixTime,
    /// when it was last heard about this
    pub heard_at: Option<UnixTime>,
    /// what came of it, why, and when
    pub result: Option<(Outcome, Reason, UnixTime)>,
    /// leaf of the life event that tells it
    pub leaf: Option<u64>,
}

/// Which devices of a campaign are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignDeviceFilter {
    /// all that began
    All,
    /// with an open action
    Open,
    /// of one outcome
    Outcome(Outcome),
}

/// An owner's consent to a maker's updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentView {
    /// the maker
    pub maker: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// since when
    pub since: UnixTime,
}

/// What people do to a campaign that has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Steer {
    Pause,
    Resume,
    Cancel,
    RollBack,
}

impl Service {
    /// Proposes a campaign: its members are chosen now, and nobody gets anything.
    ///
    /// # Errors
    /// `campaign-name`, `campaign-plan`, `campaign-stages`, `no-members`, `not-a-rollback`, `release-state`,
    /// `below-floor`, `too-many-drafts`, `too-many-members`, `not-found`, `role`, those of a search.
    pub async fn create_campaign(
        &self,
        caller: &Caller,
        new: NewCampaign,
    ) -> Result<CampaignView, ServiceError> {
        let proposed = self.proposal(caller, &new)?;
        let Proposed { who, name, content, back, search } = proposed;
        let seed: [u8; 32] = random::bytes();
        let reference: [u8; 16] = random::bytes();
        let words = search.in_words();
        let (organisation, plan) = (new.organisation.clone(), new.plan.clone());
        let product = content.product_row;
        let members = self
            .at_desk(who, move |service, asked| {
                let members = Members::choose(service, &organisation, &search, product, asked)?;
                if members.count() == 0 {
                    return Err(ServiceError::refused(
                        "no-members",
                        "no device fits; look at the search, and whether owners have consented",
                    ));
                }
                members.into_slices(&seed, &reference, &plan)
            })
            .await?;
        let terms = Terms::of(&new.plan, words);
        let row = CampaignRow {
            id: 0,
            reference,
            organisation: who,
            product,
            release: content.row,
            back,
            name,
            terms: terms.to_text(),
            members: members.total,
            root: members.root,
            seed,
            created_at: self.now(),
            created_by: caller.to_string(),
            started_at: None,
            started_by: None,
            over_at: None,
            swept: 0,
            stands: Campaign::new(&members.per_stage),
        };
        let event = self
            .event(caller, audit::Kind::Update, audit::Outcome::Success)
            .organisation(new.organisation.as_str())
            .subject(&hex::encode(reference))
            .detail("what", "campaign-proposed")
            .detail("release", &content.release.to_string())
            .detail("members", &members.total.to_string());
        self.faults.point(crate::fault::BEFORE_PROPOSAL)?;
        let row = self
            .commit(move |tx| {
                if store::count_drafts(tx, who)? >= DRAFTS_MAX {
                    return Err(ServiceError::too_many(
                        "too-many-drafts",
                        "100 campaigns are proposed and not started; cancel some",
                    ));
                }
                let id = store::insert_campaign(tx, &row)?;
                store::insert_slices(tx, id, &members.slices)?;
                tx.audit(&event)?;
                found(store::campaign(tx, id)?, "campaign")
            })
            .await?;
        self.faults.point(crate::fault::AFTER_PROPOSAL)?;
        self.campaign_view(row)
    }

    /// What a campaign would be, without proposing it: how many devices, in which stages.
    ///
    /// # Errors
    /// As [`Self::create_campaign`].
    pub async fn preview_campaign(
        &self,
        caller: &Caller,
        new: &NewCampaign,
    ) -> Result<CampaignPreview, ServiceError> {
        let Proposed { who, content, search, .. } = self.proposal(caller, new)?;
        let (organisation, product) = (new.organisation.clone(), content.product_row);
        let relation = search.relation;
        let members = self
            .at_desk(who, move |service, asked| {
                Ok(Members::choose(service, &organisation, &search, product, asked)?.count())
            })
            .await?;
        // Nobody is a preview too: it says so.
        let per_stage = match members {
            0 => vec![0; new.plan.stages().len()],
            _ => new.plan.sizes(members).map_err(stages_refused)?,
        };
        let without_consent = relation == DeviceRelation::Maker
            && self.read(|c| curve::without_consent(c, who, product))?;
        let (platform, now) = (self.platform.organisation.id, self.now());
        let second_person = self.read(|connection| {
            let act = policy::Act::StartCampaign;
            let (most, since) = (TRIAL_MEMBERS_MAX, now.plus(-TRIAL_S));
            let tried = store::trial_members(connection, who, product, most, since)?;
            Ok(tried.saturating_add(members) > most
                && crate::approvals::required(connection, who, who == platform, act, now)?)
        })?;
        Ok(CampaignPreview {
            version: content.target.version.clone(),
            members,
            per_stage,
            second_person,
            without_consent,
        })
    }

    /// How a campaign's members stood since it was started, the oldest first; the last is now.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn campaign_history(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
    ) -> Result<Vec<CampaignMoment>, ServiceError> {
        let row = self.campaign_for(caller, Action::ReadCampaign, campaign)?;
        let Some(started) = row.started_at else { return Ok(Vec::new()) };
        let rows = self.read(|c| curve::moments(c, row.id, MOMENTS_MAX))?;
        let total = row.members;
        let mut moments =
            vec![CampaignMoment { at: started, counts: Counts { total, ..Counts::default() } }];
        moments.extend(
            rows.into_iter()
                .filter(|(at, _)| *at > started)
                .map(|(at, counts)| CampaignMoment { at, counts: Counts { total, ..counts } }),
        );
        let now = CampaignMoment {
            at: row.over_at.unwrap_or_else(|| self.now()),
            counts: Counts { total, ..curve::sum(&row.stands.counts) },
        };
        moments.retain(|moment| moment.at < now.at);
        moments.push(now);
        Ok(moments)
    }

    /// Looks through a proposal: everything but its members.
    fn proposal(&self, caller: &Caller, new: &NewCampaign) -> Result<Proposed, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::ProposeCampaign, &resource)?;
        let name = new.name.trim().to_owned();
        if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) || !shows_what_it_is(&name) {
            return Err(ServiceError::malformed(
                "campaign-name",
                "a campaign's name has 1 to 100 characters without hidden or control characters",
            ));
        }
        new.plan.check().map_err(|error| plan_refused(&error.to_string()))?;
        let who = self.organisation_row(new.organisation.as_str())?.id;
        let content = self.usable_release(who, &new.release)?;
        let back = match &new.roll_back_to {
            None if new.plan.on_failure == OnFailure::RollBack => {
                return Err(plan_refused("to roll back, name the release before"));
            }
            None => None,
            Some(back) => {
                let back = self.usable_release(who, back)?;
                check_rollback(&content, &back)?;
                Some(back.row)
            }
        };
        let maker = self.maker_of(content.product_row)?;
        let search =
            DeviceSearch { product: Some((maker, content.product.clone())), ..new.search.clone() };
        if !matches!(search.relation, DeviceRelation::Owner | DeviceRelation::Maker) {
            return Err(ServiceError::malformed(
                "campaign-plan",
                "a campaign is over devices that the organisation owns or made",
            ));
        }
        Ok(Proposed { who, name, content, back, search })
    }

    /// An organisation's campaigns, newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn campaigns(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        page: &Page,
    ) -> Result<Paged<CampaignView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadCampaign, &resource)?;
        let row = self.organisation_row(organisation.as_str())?.id;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { after } else { i64::MAX };
        let rows = self.read(|c| store::campaigns(c, row, before, limit.saturating_add(1)))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| self.campaign_view(row))
    }

    /// A campaign, with its progress.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn campaign(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
    ) -> Result<CampaignView, ServiceError> {
        self.campaign_view(self.campaign_for(caller, Action::ReadCampaign, campaign)?)
    }

    /// Starts a campaign: its first stage opens. Where it has more than [`TRIAL_MEMBERS_MAX`]
    /// members, or the trials of a week have together, and there are two administrators, another one
    /// approves first, and the approval starts it.
    ///
    /// # Errors
    /// `campaign-state`, `release-state`, `too-many-campaigns`, `trials`, `not-found`, `role`;
    /// `needs-second-person`, `reauthenticate`.
    pub async fn start_campaign(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
    ) -> Result<CampaignView, ServiceError> {
        let row = self.campaign_for(caller, Action::StartCampaign, campaign)?;
        if row.stands.state != State::Draft {
            return Err(state_refused(row.stands.state));
        }
        let slip = if self.read(|connection| is_no_trial(connection, &row, self.now()))? {
            let organisation = self.organisation_id(row.organisation)?;
            let intent = self.start_intent(&row)?;
            self.second_person(caller, &organisation, policy::Act::StartCampaign, &intent).await?
        } else {
            Slip::NotNeeded
        };
        self.perform_start_campaign(caller, campaign, slip).await
    }

    pub(crate) async fn perform_start_campaign(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
        slip: Slip,
    ) -> Result<CampaignView, ServiceError> {
        let row = self.campaign_for(caller, Action::StartCampaign, campaign)?;
        let around = Around { service: self.clone(), now: self.now() };
        let event = self
            .event(caller, audit::Kind::Update, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&campaign.to_string())
            .detail("what", "campaign-started")
            .detail("members", &row.members.to_string());
        let (id, by) = (row.id, caller.to_string());
        // Of two trials that start in the same moment one is too many.
        let alone = row.members <= TRIAL_MEMBERS_MAX && matches!(slip, Slip::NotNeeded);
        let organisation = self.organisation_id(row.organisation)?;
        let guarded = alone
            && !matches!(caller, Caller::Platform { .. })
            && self
                .wants_second_person(caller, &organisation, &[policy::Act::StartCampaign])?
                .is_some();
        self.faults.point(crate::fault::BEFORE_CAMPAIGN)?;
        let row = self
            .commit(move |tx| {
                slip.consume(tx, around.now)?;
                let mut moving = Moving::load(tx, id)?;
                if guarded && is_no_trial(tx, &moving.row, around.now)? {
                    return Err(ServiceError::conflict(
                        "trials",
                        "the trials of this week reach more than 10 devices together; start it again, \
                         and another administrator is asked",
                    ));
                }
                if store::under_way(tx, moving.row.organisation)?.len() >= UNDER_WAY_MAX {
                    return Err(ServiceError::too_many(
                        "too-many-campaigns",
                        "200 campaigns are under way; end some",
                    ));
                }
                for release in [Some(moving.row.release), moving.row.back].into_iter().flatten() {
                    if !is_given_out(tx, release)? {
                        return Err(withdrawn());
                    }
                }
                let changes = moving
                    .row
                    .stands
                    .start(&moving.plan, around.now)
                    .map_err(|MoveError(state)| state_refused(state))?;
                store::set_started(tx, id, &by, around.now)?;
                tx.audit(&event)?;
                moving.tell(tx, &around, Told::Started)?;
                moving.write(tx, &around, &changes)?;
                found(store::campaign(tx, id)?, "campaign")
            })
            .await?;
        self.faults.point(crate::fault::AFTER_START)?;
        self.campaign_view(row)
    }

    /// Stops giving anything out; devices that have begun go on.
    ///
    /// # Errors
    /// `campaign-state`, `not-found`, `role`.
    pub async fn pause_campaign(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
    ) -> Result<CampaignView, ServiceError> {
        self.steer(caller, campaign, Action::SteerCampaign, Steer::Pause).await
    }

    /// Goes on with a paused campaign, in spite of its failures so far.
    ///
    /// # Errors
    /// As [`Self::pause_campaign`].
    pub async fn resume_campaign(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
    ) -> Result<CampaignView, ServiceError> {
        self.steer(caller, campaign, Action::StartCampaign, Steer::Resume).await
    }

    /// Stops a campaign for good, or drops one that was only proposed.
    ///
    /// # Errors
    /// As [`Self::pause_campaign`].
    pub async fn cancel_campaign(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
    ) -> Result<CampaignView, ServiceError> {
        self.steer(caller, campaign, Action::SteerCampaign, Steer::Cancel).await
    }

    /// Sends the devices that run the release back to the one before.
    ///
    /// # Errors
    /// As [`Self::pause_campaign`]; `campaign-plan` where no release before is named.
    pub async fn roll_back_campaign(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
    ) -> Result<CampaignView, ServiceError> {
        self.steer(caller, campaign, Action::StartCampaign, Steer::RollBack).await
    }

    async fn steer(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
        action: Action,
        steer: Steer,
    ) -> Result<CampaignView, ServiceError> {
        let row = self.campaign_for(caller, action, campaign)?;
        let (what, told) = match steer {
            Steer::Pause => ("campaign-paused", Told::Paused),
            Steer::Resume => ("campaign-resumed", Told::Resumed),
            Steer::Cancel => ("campaign-cancelled", Told::Cancelled),
            Steer::RollBack => ("campaign-rolling-back", Told::RolledBack),
        };
        if steer == Steer::RollBack && row.back.is_none() {
            return Err(plan_refused("no release to go back to was named when it was proposed"));
        }
        let around = Around { service: self.clone(), now: self.now() };
        let event = self
            .event(caller, audit::Kind::Update, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&campaign.to_string())
            .detail("what", what);
        let id = row.id;
        let row = self
            .commit(move |tx| {
                let mut moving = Moving::load(tx, id)?;
                let draft = moving.row.stands.state == State::Draft;
                let refused = |MoveError(state)| state_refused(state);
                let now = around.now;
                let leads_to = match steer {
                    Steer::Pause | Steer::Cancel => None,
                    Steer::Resume => Some(moving.row.release),
                    Steer::RollBack => moving.row.back,
                };
                let changes: Vec<Change> = match steer {
                    Steer::Pause => moving.row.stands.pause().map(|()| Vec::new()),
                    Steer::Resume => moving.row.stands.resume(&moving.plan, now),
                    Steer::Cancel => moving.row.stands.cancel().map(|()| Vec::new()),
                    Steer::RollBack => moving.row.stands.roll_back(&moving.plan, now),
                }
                .map_err(refused)?;
                if let Some(release) = leads_to
                    && !is_given_out(tx, release)?
                {
                    return Err(withdrawn());
                }
                tx.audit(&event)?;
                if draft {
                    // Nobody was told of it, neither devices nor the log.
                    store::forget_draft(tx, id)?;
                } else {
                    moving.tell(tx, &around, told)?;
                }
                moving.write(tx, &around, &changes)?;
                found(store::campaign(tx, id)?, "campaign")
            })
            .await?;
        self.campaign_view(row)
    }

    /// The devices that a campaign has given something, or that failed to ask, in that order.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn campaign_devices(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
        filter: CampaignDeviceFilter,
        page: &Page,
    ) -> Result<Paged<CampaignDevice>, ServiceError> {
        let row = self.campaign_for(caller, Action::ReadCampaign, campaign)?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let wanted = match filter {
            CampaignDeviceFilter::All => None,
            CampaignDeviceFilter::Open => Some(None),
            CampaignDeviceFilter::Outcome(outcome) => Some(Some(outcome)),
        };
        let rows = self.read(|connection| {
            store::actions(connection, row.id, wanted, after, limit.saturating_add(1))?
                .into_iter()
                .map(|action| {
                    let device = devices::device_by_row(connection, action.device)?;
                    Ok((action, found(device, "device")?))
                })
                .collect::<Result<Vec<_>, ServiceError>>()
        })?;
        Paged::cut(rows, limit, |(action, _)| action.id.to_string()).try_map(|(action, device)| {
            // A device that was sold since is shown by what the campaign knew: its result.
            Ok(campaign_device(&action, &device))
        })
    }

    /// Lets a maker update one's devices of a product line, or ends that at once.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn set_update_consent(
        &self,
        caller: &Caller,
        owner: &OrganisationId,
        maker: &OrganisationId,
        product: &ProductId,
        given: bool,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(owner);
        let _permit = self.authorize(caller, Action::ConsentUpdates, &resource)?;
        let who = self.organisation_row(owner.as_str())?.id;
        // Which product lines others have is nobody's to find out: only of those of which one has a
        // device, or to which one agreed before.
        let missing = || ServiceError::not_found("product line");
        let product_row = match self.product_row(maker, product) {
            Err(error) if error.kind() == crate::ErrorKind::NotFound => return Err(missing()),
            other => other?,
        };
        let (row, now) = (product_row.id, self.now());
        self.read(|connection| {
            let known =
                store::owns_of(connection, who, row)? || store::consents(connection, who, row)?;
            if known { Ok(()) } else { Err(missing()) }
        })?;
        let event = self
            .event(caller, audit::Kind::Sharing, audit::Outcome::Success)
            .organisation(owner.as_str())
            .subject(&format!("{maker}/{product}"))
            .detail("what", if given { "updates-consented" } else { "updates-consent-ended" });
        self.commit(move |tx| {
            store::set_consent(tx, who, row, given.then_some(now))?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// What an owner has consented to.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn update_consents(
        &self,
        caller: &Caller,
        owner: &OrganisationId,
    ) -> Result<Vec<ConsentView>, ServiceError> {
        let resource = Resource::organisation(owner);
        let _permit = self.authorize(caller, Action::ReadCampaign, &resource)?;
        let who = self.organisation_row(owner.as_str())?.id;
        let rows = self.read(|connection| {
            store::consents_of(connection, who)?
                .into_iter()
                .map(|(product, since)| {
                    let product = organisations::product_by_id(connection, product)?;
                    Ok((found(product, "product line")?, since))
                })
                .collect::<Result<Vec<_>, ServiceError>>()
        })?;
        rows.into_iter()
            .map(|(product, since)| {
                Ok(ConsentView {
                    maker: self.organisation_id(product.organisation)?,
                    product: ProductId::new(&product.slug)
                        .map_err(|_| ServiceError::fatal("store-damaged", "a product's name"))?,
                    since,
                })
            })
            .collect()
    }

    pub(super) fn campaign_for(
        &self,
        caller: &Caller,
        action: Action,
        campaign: &CampaignId,
    ) -> Result<CampaignRow, ServiceError> {
        let row = self.read(|c| store::campaign_by_reference(c, campaign.as_bytes()))?;
        let Some(row) = row else {
            let _permit = self.authorize(caller, action, &Resource::unknown())?;
            return Err(ServiceError::not_found("campaign"));
        };
        let organisation = self.organisation_id(row.organisation)?;
        let resource = Resource::organisation(&organisation);
        let _permit = self.authorize(caller, action, &resource)?;
        Ok(row)
    }

    /// A published release that the organisation may give out: its own, or of a product of which it
    /// owns a device. Others' are not found.
    fn usable_release(&self, who: i64, release: &ReleaseId) -> Result<Arc<Content>, ServiceError> {
        let row = self.read(|connection| {
            let row = releases::release(connection, release.as_bytes())?;
            let Some(row) = row else { return Ok(None) };
            let mine = row.organisation == who || store::owns_of(connection, who, row.product)?;
            Ok(Some(row).filter(|_| mine))
        })?;
        let row = found(row, "release")?;
        if row.state != releases::State::Published {
            return Err(withdrawn());
        }
        let floor = self.read(|connection| releases::gate(connection, row.product))?;
        if floor.is_some_and(|gate| row.security_version < gate.security_floor) {
            return Err(ServiceError::refused(
                "below-floor",
                "the release's security version is below the floor of its product; choose a newer one",
            ));
        }
        self.content(row.id)
    }

    fn maker_of(&self, product: i64) -> Result<OrganisationId, ServiceError> {
        let row = self.read(|connection| organisations::product_by_id(connection, product))?;
        self.organisation_id(found(row, "product line")?.organisation)
    }

    /// What another person approves.
    fn start_intent(&self, row: &CampaignRow) -> Result<Intent, ServiceError> {
        let content = self.content(row.release)?;
        let (_, terms) = Terms::read(&row.terms)?;
        Ok(Intent::StartCampaign {
            campaign: hex::encode(row.reference),
            name: row.name.clone(),
            product: content.product.to_string(),
            release: content.release.to_string(),
            version: content.target.version.clone(),
            members: row.members,
            root: row.root.to_string(),
            search: terms.search,
            plan: crypto::sha256(row.terms.as_bytes()).to_string(),
        })
    }

    fn campaign_view(&self, row: CampaignRow) -> Result<CampaignView, ServiceError> {
        let (plan, terms) = Terms::read(&row.terms)?;
        let content = self.content(row.release)?;
        let back = row.back.map(|back| self.content(back)).transpose()?;
        Ok(CampaignView {
            id: CampaignId::from_bytes(row.reference),
            organisation: self.organisation_id(row.organisation)?,
            name: row.name,
            product: (self.maker_of(row.product)?, content.product.clone()),
            release: content.release,
            version: content.target.version.clone(),
            release_counter: content.target.release_counter,
            security_version: content.target.security_version,
            roll_back_to: back.map(|back| (back.release, back.target.version.clone())),
            search: terms.search,
            plan,
            members: row.members,
            root: row.root,
            state: row.stands.state,
            paused: row.stands.paused,
            stage: row.stands.stage,
            counts: row.stands.counts,
            created_at: row.created_at,
            created_by: row.created_by,
            started_at: row.started_at,
            started_by: row.started_by,
            over_at: row.over_at,
        })
    }
}

fn campaign_device(action: &ActionRow, device: &devices::DeviceRow) -> CampaignDevice {
    CampaignDevice {
        device: DeviceId::from_bytes(device.device_id),
        serial_number: device.serial_number.clone(),
        action: action.id.unsigned_abs(),
        stage: action.stage,
        purpose: action.action.purpose,
        step: action.action.step,
        progress: action.progress,
        detail: action.detail.clone(),
        offered_at: action.action.offered_at,
        deadline: action.action.deadline,
        heard_at: action.heard_at,
        result: action.over,
        leaf: action.leaf,
    }
}

/// The release before is of the same product, older, and of no lower security version: what was
/// mended stays mended.
fn check_rollback(release: &Content, back: &Content) -> Result<(), ServiceError> {
    let same = release.product_row == back.product_row;
    let older = back.target.release_counter < release.target.release_counter;
    let safe = back.target.security_version >= release.target.security_version;
    if same && older && safe {
        return Ok(());
    }
    Err(ServiceError::refused(
        "not-a-rollback",
        "the release to go back to must be an older one of the same product with at least the same \
         security version; publish a new release instead",
    ))
}

/// Whether another person has to approve a start: by itself, or with the trials of the last days.
fn is_no_trial(
    connection: &rusqlite::Connection,
    row: &CampaignRow,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    let since = now.plus(-TRIAL_S);
    let most = TRIAL_MEMBERS_MAX;
    let tried = store::trial_members(connection, row.organisation, row.product, most, since)?;
    Ok(tried.saturating_add(row.members) > most)
}

fn plan_refused(why: &str) -> ServiceError {
    ServiceError::malformed("campaign-plan", why.to_owned())
}

fn withdrawn() -> ServiceError {
    ServiceError::refused(
        "release-state",
        "the release is not published, was withdrawn, or is below its product's floor; choose \
         another one",
    )
}

fn state_refused(state: State) -> ServiceError {
    ServiceError::conflict("campaign-state", format!("the campaign is {state}; look at it again"))
}
