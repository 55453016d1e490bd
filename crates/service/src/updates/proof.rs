//! Use case: a device asks for the proof that the log was told of what it shall install.

use super::steps::{Member, Moving, is_entitled};
use crate::{
    Service, ServiceError,
    live::found,
    store::{campaign as store, release as releases},
};
use crypto::Sha256;
use policy::Caller;
use std::sync::Arc;
use update::campaign::{
    AssignmentProof, LoggedStatement,
    members::{self as tree, Levels, SLICE},
};

impl Service {
    /// That the log was told of an assignment: for the device itself.
    ///
    /// # Errors
    /// `not-found` where the action is another's or not open; `proof-pending` where the log has not
    /// taken it up yet.
    pub async fn assignment_proof(
        &self,
        caller: &Caller,
        action: u64,
    ) -> Result<AssignmentProof, ServiceError> {
        let device = self.updating_device(caller)?;
        let id = i64::try_from(action).map_err(|_| ServiceError::not_found("action"))?;
        let (moving, release, leaf, slice) = self.read(|connection| {
            let row = store::action(connection, id)?
                .filter(|row| row.device == device.id && row.over.is_none());
            let row = found(row, "action")?;
            let moving = Moving::load(connection, row.campaign)?;
            if !is_entitled(connection, moving.row.organisation, &device)? {
                return Err(ServiceError::not_found("action"));
            }
            let release = moving.release_for(row.action.purpose);
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
        let pending = |error: ServiceError| match error.kind() {
            crate::ErrorKind::NotFound => ServiceError::unavailable(
                "proof-pending",
                "the log takes the campaign up within a second; ask again",
            ),
            _ => error,
        };
        let kept = self.read(|connection| releases::statements(connection, leaf, 1))?;
        let kept = found(kept.into_iter().find(|kept| kept.leaf == leaf), "statement")?;
        let (inclusion, checkpoint) = self.inclusion(leaf).await.map_err(pending)?;
        let released = self.proof_of_release(&release).await.map_err(pending)?;
        let index = number.saturating_mul(SLICE).saturating_add(place);
        Ok(AssignmentProof {
            campaign: LoggedStatement {
                statement: kept.contents,
                salt: kept.salt,
                inclusion,
                checkpoint: checkpoint.to_vec(),
            },
            release: LoggedStatement {
                statement: released.statement,
                salt: released.salt,
                inclusion: released.proof,
                checkpoint: released.checkpoint.to_vec(),
            },
            salt: tree::salt(&campaign.seed, &own.device),
            index: u64::try_from(index).unwrap_or(u64::MAX),
            path,
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
