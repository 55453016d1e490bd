//! Use case: a device asks for the proof that the log was told of what it shall install.

use super::{
    content::is_given_out,
    steps::{Member, Moving},
};
use crate::{
    Service, ServiceError,
    live::found,
    store::{campaign as store, release as releases},
};
use crypto::Sha256;
use ledger::SignedCheckpoint;
use policy::Caller;
use std::sync::Arc;
use update::campaign::{
    AssignmentProof, LoggedStatement,
    members::{self as tree, Levels, SLICE},
};

impl Service {
    /// That the log was told of an assignment, and that its witnesses saw that it was: for the device
    /// itself, as long as a poll would tell it to go on with this action.
    ///
    /// # Errors
    /// `not-found` where the action is another's, or not to be gone on with: over, taken back, of a
    /// release that is not given out any more; `proof-pending` where log or witnesses have not taken it
    /// up yet.
    pub async fn assignment_proof(
        &self,
        caller: &Caller,
        action: u64,
    ) -> Result<AssignmentProof, ServiceError> {
        let device = self.updating_device(caller)?;
        let id = i64::try_from(action).map_err(|_| ServiceError::not_found("action"))?;
        let now = self.now();
        let (moving, release, leaf, slice) = self.read(|connection| {
            let stands = self.standing(connection, &device, now)?;
            found(stands.filter(|(stands, _)| stands.action == action), "action")?;
            let row = found(store::action(connection, id)?, "action")?;
            let moving = Moving::load(connection, row.campaign)?;
            let release = moving.release_for(row.action.purpose);
            if !is_given_out(connection, release)? {
                return Err(ServiceError::not_found("action"));
            }
            let leaf = store::statement_for(connection, row.campaign, release)?;
            let slice = store::slice_of(connection, row.campaign, device.id)?;
            let release = found(releases::release_by_row(connection, release)?, "release")?;
            Ok((moving, release, found(leaf, "statement")?, found(slice, "member")?))
        })?;
        let campaign = &moving.row;
        let (number, members) = slice;
        let members: Vec<Member> = Member::read_all(&members).collect();
        let place = members.iter().position(|member| member.row == device.id);
        let place = found(place, "member")?;
        let leaves: Vec<Sha256> = members
            .iter()
            .map(|member| {
                let salt = tree::salt(&campaign.seed, &member.device);
                tree::leaf(&campaign.reference, &member.device, &salt)
            })
            .collect();
        let own = found(members.get(place), "member")?;
        let slices = self.member_tree(campaign.id)?;
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let mut path = Levels::over(leaves).path(place);
        path.extend(slices.path(number));
        let released = found(release.leaf, "statement")?;
        let checkpoint = self.witnessed_over(leaf.max(released))?.ok_or_else(|| {
            ServiceError::unavailable(
                "proof-pending",
                "the log takes the campaign up within a second, and its witnesses soon after; ask \
                 again",
            )
        })?;
        let index = number.saturating_mul(SLICE).saturating_add(place);
        Ok(AssignmentProof {
            campaign: self.logged(leaf, &checkpoint)?,
            release: self.logged(released, &checkpoint)?,
            salt: tree::salt(&campaign.seed, &own.device),
            index: u64::try_from(index).unwrap_or(u64::MAX),
            path,
        })
    }

    /// A statement with what leads from it to a checkpoint that covers it.
    fn logged(
        &self,
        leaf: u64,
        checkpoint: &SignedCheckpoint,
    ) -> Result<LoggedStatement, ServiceError> {
        let kept = self.read(|connection| releases::statements(connection, leaf, 1))?;
        let kept = kept.into_iter().find(|kept| kept.leaf == leaf);
        let kept =
            kept.ok_or_else(|| ServiceError::fatal("store-damaged", "a statement is missing"))?;
        Ok(LoggedStatement {
            statement: kept.contents,
            salt: kept.salt,
            inclusion: self.inclusion_in(leaf, checkpoint)?,
            checkpoint: checkpoint.bytes().to_vec(),
        })
    }

    /// The upper levels of a campaign's tree, from memory where they are there.
    fn member_tree(&self, campaign: i64) -> Result<Arc<Levels>, ServiceError> {
        self.live.member_trees.get_or_load(campaign, || {
            let roots = self.read(|connection| store::slice_roots(connection, campaign))?;
            Ok(Arc::new(Levels::over(roots)))
        })
    }
}
