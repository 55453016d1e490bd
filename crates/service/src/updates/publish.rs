//! Publication: the gate, the second person, the commitment in the log.

use super::releases::{ReleaseId, ReleaseView, gate_items, read_texts, still_draft, texts};
use crate::{
    Service, ServiceError,
    approvals::{Intent, Question, Slip},
    live::found,
    store::{
        organisation as organisations,
        release::{self as store, ReleaseRow},
    },
};
use ::ledger::InclusionProof;
use crypto::{Sha256, UnixTime, random, sha256_of};
use device::OrganisationId;
use policy::{Act, Action, Caller};
use rusqlite::Connection;
use std::sync::Arc;
use update::{ReleaseStatement, StatedArtifact};

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;

/// That the log holds a release: what its leaf commits to, and the way from there to a checkpoint.
#[derive(Debug, Clone)]
pub struct ReleaseProof {
    /// what the leaf commits to: `update::ReleaseStatement`
    pub statement: Vec<u8>,
    /// salt of the commitment
    pub salt: [u8; 32],
    /// the leaf
    pub leaf: u64,
    /// the way to the checkpoint
    pub proof: InclusionProof,
    /// the checkpoint, a signed note
    pub checkpoint: Arc<[u8]>,
}

/// What somebody sees of a draft that is asked to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSeen {
    /// digest of what would be published: the statement and all attachments
    pub contents: Sha256,
    /// codes of the items of the gate that are open
    pub open: Vec<String>,
}

impl Service {
    /// What would be published now: for somebody who looks at it before deciding.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn release_seen(
        &self,
        caller: &Caller,
        id: &ReleaseId,
    ) -> Result<ReleaseSeen, ServiceError> {
        let row = self.release_for(caller, Action::ReadRelease, id)?;
        self.read(|connection| {
            let open = gate_items(connection, &row)?.into_iter().filter(|item| !item.met);
            let open = open.map(|item| item.code.to_owned()).collect();
            Ok(ReleaseSeen { contents: contents_of(self, connection, &row)?.1, open })
        })
    }

    /// As [`Self::publish_release_as_seen`], of whatever it is now.
    ///
    /// # Errors
    /// As there.
    pub async fn publish_release(
        &self,
        caller: &Caller,
        id: &ReleaseId,
        overrule: Option<&str>,
    ) -> Result<ReleaseView, ServiceError> {
        self.publish_release_as_seen(caller, id, overrule, None).await
    }

    /// Publishes a draft that passes its gate; from then on it does not change. `overrule` is the
    /// reason why items of the gate that are open are no obstacle; it takes a right of its own.
    /// `seen`: what the person who decides was shown; nothing else is published in their name, and
    /// nothing else overruled.
    ///
    /// # Errors
    /// `gate` with every open item, `gate-fixed` where one of them cannot be overruled, `reason`,
    /// `release-published`, `release-changed`, `needs-second-person`, `reauthenticate`,
    /// `not-found`, `role`.
    pub async fn publish_release_as_seen(
        &self,
        caller: &Caller,
        id: &ReleaseId,
        overrule: Option<&str>,
        seen: Option<&ReleaseSeen>,
    ) -> Result<ReleaseView, ServiceError> {
        let row = self.release_for(caller, Action::PublishRelease, id)?;
        if overrule.is_some() {
            self.release_for(caller, Action::OverruleGate, id)?;
        }
        if let Some(reason) = overrule {
            check_reason(reason)?;
        }
        still_draft(&row)?;
        let (digest, open) = self.read(|connection| {
            Ok((contents_of(self, connection, &row)?.1, passes(connection, &row, overrule)?))
        })?;
        if let Some(seen) = seen {
            if seen.contents != digest {
                return Err(changed());
            }
            if let Some(more) = open.iter().find(|code| !seen.open.contains(code)) {
                return Err(also_open(more));
            }
        }
        let organisation = self.organisation_id(row.organisation)?;
        let product = self.product_slug(&row)?;
        let intent = Intent::PublishRelease {
            release: id.to_string(),
            product,
            version: row.version.clone(),
            contents: digest.to_string(),
            overruled: open.clone(),
            reason: overrule.map(str::to_owned),
        };
        let mut question = Question::new(Act::PublishRelease, &intent);
        if !open.is_empty() {
            question.others = &[Act::OverruleGate];
        }
        let slip = self.second_person_for(caller, &organisation, &question).await?;
        self.perform_publish_release(caller, id, digest, (&open, overrule), slip).await
    }

    pub(crate) async fn perform_publish_release(
        &self,
        caller: &Caller,
        id: &ReleaseId,
        digest: Sha256,
        overruled: (&[String], Option<&str>),
        slip: Slip,
    ) -> Result<ReleaseView, ServiceError> {
        let row = self.release_for(caller, Action::PublishRelease, id)?;
        let (allowed, reason) = overruled;
        if reason.is_some() {
            self.release_for(caller, Action::OverruleGate, id)?;
        }
        let organisation = self.organisation_id(row.organisation)?;
        let mut event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&id.to_string())
            .detail("what", "release-published")
            .detail("version", &row.version)
            .detail("contents", &digest.to_string());
        if let Some(reason) = reason {
            event = event
                .severity(audit::Severity::High)
                .detail("overruled", &allowed.join(" "))
                .detail("reason", reason);
        }
        let (service, now, by, release) = (self.clone(), self.now(), caller.to_string(), row.id);
        let (allowed, reason) = (allowed.to_vec(), reason.map(str::to_owned));
        let salt: [u8; 32] = random::bytes();
        self.commit(move |tx| {
            let row = found(store::release_by_row(tx, release)?, "release")?;
            still_draft(&row)?;
            let (statement, found) = contents_of(&service, tx, &row)?;
            if found != digest {
                return Err(changed());
            }
            // As it stands in this very transaction: another release may have been published.
            let open = passes(tx, &row, reason.as_deref())?;
            if let Some(more) = open.iter().find(|code| !allowed.contains(code)) {
                return Err(also_open(more));
            }
            slip.consume(tx, now)?;
            let statement = ReleaseStatement { at: now, ..statement }
                .to_bytes()
                .map_err(|error| ServiceError::fatal("statement", error.to_string()))?;
            let leaf = tx.append_leaf(&::ledger::commit(&salt, &statement))?;
            store::insert_statement(tx, leaf, store::PUBLISHED_RELEASE, &salt, &statement)?;
            let overruled = texts(&open);
            let overruled =
                reason.as_deref().filter(|_| !open.is_empty()).map(|why| (overruled.as_str(), why));
            let publication = store::Publication { at: now, by: &by, overruled, leaf };
            if !store::publish(tx, release, &publication)? {
                return Err(ServiceError::conflict(
                    "release-published",
                    "this release is published and does not change any more; make a new one",
                ));
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.release(caller, id).await
    }

    /// Withdraws a published release: it is not to be installed any more. Campaigns to it pause and
    /// take back what they gave; devices that have it keep it, unless they are rolled back. It leaves the image repository with the next targets metadata that are signed.
    ///
    /// # Errors
    /// `reason`, `release-not-published`, `not-found`, `role`.
    pub async fn withdraw_release(
        &self,
        caller: &Caller,
        id: &ReleaseId,
        reason: &str,
    ) -> Result<ReleaseView, ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, id)?;
        check_reason(reason)?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&id.to_string())
            .detail("what", "release-withdrawn")
            .detail("version", &row.version)
            .detail("reason", reason);
        let (release, reason, now) = (row.id, reason.to_owned(), self.now());
        let service = self.clone();
        self.commit(move |tx| {
            if !store::withdraw(tx, release, &reason, now)? {
                return Err(ServiceError::conflict(
                    "release-not-published",
                    "only a published release can be withdrawn; discard a draft",
                ));
            }
            service.recall(tx, row.product, now)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.release(caller, id).await
    }

    /// Discards a draft. Its files stay uploaded for a while.
    ///
    /// # Errors
    /// `release-published`, `not-found`, `role`.
    pub async fn discard_release(
        &self,
        caller: &Caller,
        id: &ReleaseId,
    ) -> Result<(), ServiceError> {
        let row = self.release_for(caller, Action::ManageRelease, id)?;
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&id.to_string())
            .detail("what", "release-discarded")
            .detail("version", &row.version);
        let release = row.id;
        self.shed_tickets(release, None).await?;
        self.commit(move |tx| {
            let row = found(store::release_by_row(tx, release)?, "release")?;
            still_draft(&row)?;
            store::discard(tx, release)?;
            crate::vulnerabilities::detach_from(tx, (row.product, &row.version), None)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// That the log holds a published release, for its organisation.
    ///
    /// # Errors
    /// `release-not-published`, `not-found` also where the log has not taken it up yet, `role`.
    pub async fn release_proof(
        &self,
        caller: &Caller,
        id: &ReleaseId,
    ) -> Result<ReleaseProof, ServiceError> {
        let row = self.release_for(caller, Action::ReadRelease, id)?;
        let Some(leaf) = row.leaf else {
            return Err(ServiceError::conflict(
                "release-not-published",
                "the log commits to published releases; publish it first",
            ));
        };
        self.proof_of_statement(leaf).await
    }

    /// That the log holds what a leaf commits to. Whether the caller may know it is for the caller of
    /// this to say.
    pub(crate) async fn proof_of_statement(&self, leaf: u64) -> Result<ReleaseProof, ServiceError> {
        let rows = self.read(|connection| store::statements(connection, leaf, 1))?;
        let kept = rows.into_iter().find(|kept| kept.leaf == leaf);
        let kept =
            kept.ok_or_else(|| ServiceError::fatal("store-damaged", "a statement is missing"))?;
        let (proof, checkpoint) = self.inclusion(leaf).await?;
        Ok(ReleaseProof { statement: kept.contents, salt: kept.salt, leaf, proof, checkpoint })
    }

    fn product_slug(&self, row: &ReleaseRow) -> Result<String, ServiceError> {
        let product = self.read(|connection| organisations::product_by_id(connection, row.product));
        Ok(found(product?, "product line")?.slug)
    }
}

/// The codes of the gate's open items, all of which `overrule` covers.
fn passes(
    connection: &Connection,
    row: &ReleaseRow,
    overrule: Option<&str>,
) -> Result<Vec<String>, ServiceError> {
    let open: Vec<_> = gate_items(connection, row)?.into_iter().filter(|item| !item.met).collect();
    let fixed = open.iter().any(|item| !item.overrulable);
    if open.is_empty() || (overrule.is_some() && !fixed) {
        return Ok(open.iter().map(|item| item.code.to_owned()).collect());
    }
    let list = |text: fn(&super::GateItem) -> &String| {
        let texts: Vec<String> =
            open.iter().map(|item| format!("{}: {}", item.code, text(item))).collect();
        texts.join("; ")
    };
    let (english, japanese) = (list(|item| &item.text), list(|item| &item.text_ja));
    Err(match overrule {
        Some(_) => ServiceError::refused(
            "gate-fixed",
            format!("the gate is not met, and not all of it can be overruled: {english}"),
        )
        .in_japanese(format!("公開条件のうち、例外を認められないものがあります: {japanese}")),
        None => ServiceError::refused("gate", format!("the gate is not met: {english}"))
            .in_japanese(format!("公開条件を満たしていません: {japanese}")),
    })
}

fn changed() -> ServiceError {
    ServiceError::conflict(
        "release-changed",
        "the release was changed since; look at it and publish it again",
    )
}

fn also_open(code: &str) -> ServiceError {
    ServiceError::conflict(
        "release-changed",
        format!("meanwhile {code} of the gate is open, too; look at it again"),
    )
}

/// What is published: the statement but for its time, and a digest of it and all attachments.
fn contents_of(
    service: &Service,
    connection: &Connection,
    row: &ReleaseRow,
) -> Result<(ReleaseStatement, Sha256), ServiceError> {
    let product = found(organisations::product_by_id(connection, row.product)?, "product line")?;
    let artifacts = store::artifacts(connection, row.id)?
        .into_iter()
        .map(|artifact| {
            Ok(StatedArtifact {
                path: artifact.path,
                length: artifact.blob.length,
                sha256: artifact.blob.sha256,
                hardware_ids: read_texts(&artifact.hardware_ids)?,
            })
        })
        .collect::<Result<Vec<_>, ServiceError>>()?;
    let organisation: OrganisationId = service.organisation_id(row.organisation)?;
    let statement = ReleaseStatement {
        release: ReleaseId::from_bytes(row.reference).to_string(),
        organisation: organisation.to_string(),
        product: product.slug,
        version: row.version.clone(),
        security_version: row.security_version,
        release_counter: row.counter,
        hardware_ids: read_texts(&row.hardware_ids)?,
        artifacts,
        at: UnixTime(0),
    };
    let bytes = statement
        .to_bytes()
        .map_err(|error| ServiceError::fatal("statement", error.to_string()))?;
    let mut whole = vec![b"tegata/release/v1\0".to_vec(), bytes, row.notes.clone().into_bytes()];
    for attachment in store::attachments(connection, row.id)? {
        whole.push(format!("\0{}\0{}\0", attachment.kind, attachment.name).into_bytes());
        whole.push(attachment.blob.sha256.as_bytes().to_vec());
    }
    let parts: Vec<&[u8]> = whole.iter().map(Vec::as_slice).collect();
    Ok((statement, sha256_of(&parts)))
}

fn check_reason(reason: &str) -> Result<(), ServiceError> {
    let count = reason.chars().count();
    let good = (1..=REASON_CHARS_MAX).contains(&count)
        && !reason.trim().is_empty()
        && crate::names::shows_what_it_is(reason);
    if good {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "reason",
        "say why, in 1 to 500 characters of one line, none of them invisible",
    ))
}
