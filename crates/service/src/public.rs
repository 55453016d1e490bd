//! The page behind a printed number (TR-5): what a buyer may know of the device in hand, and how
//! sure that is. It rests on the same judge as every verdict, without a proof of possession, since a
//! buyer's phone cannot ask the device: a printed number can be copied, and the answer says so.
//!
//! Nothing here tells of the owner, of single events, of serial numbers or of internal ids.

use crate::{
    ProductPublic, PublicVisitor, Service, ServiceError,
    public_product::public_view,
    public_scan::{SCANS_OF_DEVICE_MAX, sightings},
    store::{device as devices, organisation as organisations, public as store},
};
use crypto::{Sha256, UnixTime};
use device::{
    Cause, DeviceId, Gtin, JudgePolicy, ManagementNumber, Outcome, Phase, Purpose, ReasonCode,
    SignedProof, Standing, State, Verdict, judge,
    scan::{ScanConcern, ScanPolicy, assess},
};
use rusqlite::Connection;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How long an answer is kept for the next look-up, in seconds. A revocation empties it at once.
const KEPT_S: i64 = 10;
/// Answers kept.
const KEPT_MAX: usize = 10_000;
/// A device's report of its firmware counts for so long, in seconds.
const REPORT_S: i64 = 90 * 86_400;

/// Whether the device that belongs to the number is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// the number belongs to a genuine device
    Genuine,
    /// what bears this number is not genuine
    NotGenuine,
    /// the record does not say, or says that the device should not be trusted now
    CannotTell,
}

/// How sure a finding is. No look at a printed number is ever fully sure that the device is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sureness {
    /// signs that the label was copied, or too little is known
    Weak,
    /// nothing speaks against it; a label can be copied all the same
    Fair,
    /// certain as far as records go
    Firm,
}

/// Why nobody should buy or use the device, in consumers' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublicWarning {
    /// reported lost or stolen
    LostOrStolen,
    /// reported as a counterfeit
    Counterfeit,
    /// recalled
    Recalled,
    /// withdrawn because of a weakness
    Unsafe,
    /// suspended for now
    Suspended,
    /// withdrawn for good
    Withdrawn,
    /// out of use for good
    Retired,
    /// destroyed on record
    Disposed,
    /// a prototype, not meant for sale
    Prototype,
}

/// Where in its life a device is, as far as a buyer may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicPhase {
    /// still with its maker
    Making,
    /// on sale, or on its way
    Trade,
    /// in somebody's use
    InUse,
    /// a part of another device
    Part,
    /// out of use
    Ended,
}

/// Whether the device has the newest firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateState {
    /// it reported the newest one lately
    Newest,
    /// it reported another than the newest
    Other,
    /// it has not reported lately, or its maker announced nothing to compare with
    Unknown,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicPassport {
    /// the number
    pub number: ManagementNumber,
    /// genuine or not
    pub finding: Finding,
    /// how sure
    pub sureness: Sureness,
    /// look-ups that lower confidence
    pub concern: Option<ScanConcern>,
    /// why nobody should buy or use it
    pub warnings: Vec<PublicWarning>,
    /// reasons of the verdict that weigh, with their stable codes; without evidence
    pub reasons: Vec<ReasonCode>,
    /// name of the maker
    pub maker: String,
    /// name of the product
    pub product: Option<String>,
    /// model designation
    pub model: Option<String>,
    /// what its maker tells buyers
    pub public: ProductPublic,
    /// what data of the product's devices is for
    pub purposes: Vec<crate::PurposeView>,
    /// what its maker says that the product's devices connect to
    pub mud: Option<crate::PublicMudLines>,
    /// end of support, where promised
    pub support_end: Option<UnixTime>,
    /// where in its life it is
    pub phase: Option<PublicPhase>,
    /// whether it has the newest firmware
    pub update: UpdateState,
    /// when this was found
    pub as_of: UnixTime,
}

/// Answers kept for a few seconds.
#[derive(Default)]
pub(crate) struct PublicAnswers(Mutex<HashMap<ManagementNumber, Kept>>);

#[derive(Clone)]
struct Kept {
    until: UnixTime,
    epoch: u64,
    row: i64,
    device: DeviceId,
    passport: Arc<PublicPassport>,
}

impl PublicAnswers {
    fn find(&self, number: &ManagementNumber, epoch: u64, now: UnixTime) -> Option<Kept> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back keeps nothing longer.
        let fresh =
            |kept: &&Kept| kept.epoch == epoch && (1..=KEPT_S).contains(&kept.until.since(now));
        answers.get(number).filter(fresh).cloned()
    }

    fn keep(&self, number: ManagementNumber, kept: Kept, now: UnixTime) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= KEPT_MAX {
            answers.retain(|_, kept| kept.until > now);
            if answers.len() >= KEPT_MAX {
                answers.clear();
            }
        }
        answers.insert(number, kept);
    }
}

impl Service {
    /// What a buyer may know of the device with this number; `None` where no such device has a
    /// history here, or where `gtin` is another product's: all of these look the same. Public.
    ///
    /// # Errors
    /// `too-many-lookups`, with the seconds to wait in the text.
    pub async fn public_passport(
        &self,
        number: &ManagementNumber,
        gtin: Option<Gtin>,
        visitor: &PublicVisitor,
    ) -> Result<Option<Arc<PublicPassport>>, ServiceError> {
        let now = self.now();
        self.visits.admit(visitor.address, now).map_err(too_many)?;
        let epoch = self.live.epoch();
        let kept = match self.public_answers.find(number, epoch, now) {
            Some(kept) => Some(kept),
            None => self.look_up(number, now)?.inspect(|kept| {
                let kept = Kept { epoch, ..kept.clone() };
                self.public_answers.keep(*number, kept, now);
            }),
        };
        let right = |kept: &Kept| gtin.is_none_or(|gtin| kept.passport.public.gtin == Some(gtin));
        let Some(kept) = kept.filter(right) else {
            self.visits.missed(visitor.address, now);
            return Ok(None);
        };
        self.remember_scan(kept.row, &kept.device, visitor);
        Ok(Some(kept.passport))
    }

    fn look_up(
        &self,
        number: &ManagementNumber,
        now: UnixTime,
    ) -> Result<Option<Kept>, ServiceError> {
        let text = number.to_string();
        let row = self.read(|connection| devices::device_by_management(connection, &text))?;
        let Some(row) = row.filter(|row| row.state.is_some() || row.events > 0) else {
            return Ok(None);
        };
        let device = DeviceId::from_bytes(row.device_id);
        let (passport, _) = self.passport_facts(&device, &[], now)?;
        // Nobody can be asked to prove anything by a printed number, and a buyer inspects.
        let policy = JudgePolicy {
            purpose: Purpose::Inspect,
            possession_required: false,
            ..self.config.judge.clone()
        };
        let verdict = judge(&passport, &policy, now);
        let state = passport.state();
        let (product, public, scans, firmware) = self.read(|connection| {
            let product = match row.product {
                Some(id) => organisations::product_by_id(connection, id)?,
                None => None,
            };
            let public = match row.product {
                Some(id) => store::product_public(connection, id)?,
                None => store::PublicRow::default(),
            };
            let scans = store::scans(connection, row.id, SCANS_OF_DEVICE_MAX)?;
            Ok((product, public, scans, reported(connection, row.id, now)?))
        })?;
        let public = public_view(public)?;
        let purposes = row.product.map(|product| self.public_purposes(product)).transpose()?;
        let mud = row.product.map(|product| self.public_mud_lines(product)).transpose()?;
        let concern = assess(&sightings(&scans), now, &ScanPolicy::default()).concern;
        let warnings = state.map(warnings).unwrap_or_default();
        let (finding, sureness) = find(&verdict, &warnings, concern);
        let codes = verdict.reasons.iter().filter(|r| r.severity > device::Severity::Note);
        let mut reasons: Vec<ReasonCode> = codes.map(|reason| reason.code).collect();
        reasons.dedup();
        let passport = PublicPassport {
            number: *number,
            finding,
            sureness,
            concern,
            warnings,
            reasons,
            maker: self.organisation_of(row.maker)?.name,
            support_end: product.as_ref().and_then(|product| product.support_end),
            model: product.as_ref().map(|product| product.model.clone()),
            product: product.map(|product| product.name),
            phase: state.map(|state| phase(state.phase())),
            update: update(&public, firmware),
            public,
            purposes: purposes.unwrap_or_default(),
            mud: mud.flatten(),
            as_of: now,
        };
        let passport = Arc::new(passport);
        let until = now.plus(KEPT_S);
        Ok(Some(Kept { until, epoch: 0, row: row.id, device, passport }))
    }
}

/// What a network is told that looks up too much.
pub(crate) fn too_many(seconds: i64) -> ServiceError {
    ServiceError::too_many(
        "too-many-lookups",
        format!("too many look-ups from this network; repeat in {seconds} seconds"),
    )
    .in_japanese(format!(
        "このネットワークからの照会が多すぎます。{seconds}秒待ってからやり直してください"
    ))
    .after(u64::try_from(seconds).unwrap_or(1))
}

/// The firmware that the device reported last in a proof of possession, if that was lately.
fn reported(
    connection: &Connection,
    device: i64,
    now: UnixTime,
) -> Result<Option<Sha256>, ServiceError> {
    let newest = devices::proofs_of(connection, device)?
        .into_iter()
        .filter(|proof| now.since(proof.at) < REPORT_S)
        .max_by_key(|proof| proof.at);
    // It was verified before it was stored.
    Ok(newest
        .and_then(|row| SignedProof::parse(&row.proof).ok())
        .and_then(|proof| proof.unverified().firmware))
}

fn update(public: &ProductPublic, reported: Option<Sha256>) -> UpdateState {
    let newest = public.firmware.as_ref().and_then(|firmware| firmware.digest);
    match (newest, reported) {
        (Some(newest), Some(reported)) if newest == reported => UpdateState::Newest,
        (Some(_), Some(_)) => UpdateState::Other,
        _ => UpdateState::Unknown,
    }
}

fn phase(phase: Phase) -> PublicPhase {
    match phase {
        Phase::Prototype | Phase::MassProduction => PublicPhase::Making,
        Phase::Distribution => PublicPhase::Trade,
        Phase::Installed => PublicPhase::Part,
        // That it is being repaired is its owner's affair.
        Phase::Onboarded | Phase::Operation | Phase::Repair => PublicPhase::InUse,
        Phase::Retired | Phase::Disposed => PublicPhase::Ended,
    }
}

fn warnings(state: &State) -> Vec<PublicWarning> {
    let of = |cause: &Cause, otherwise| match cause {
        Cause::Lost => PublicWarning::LostOrStolen,
        Cause::Counterfeit => PublicWarning::Counterfeit,
        Cause::Recall => PublicWarning::Recalled,
        Cause::Vulnerability | Cause::KeyCompromise => PublicWarning::Unsafe,
        _ => otherwise,
    };
    let mut found = Vec::new();
    match state.standing() {
        Standing::Good => {}
        Standing::Suspended { cause, .. } => found.push(of(cause, PublicWarning::Suspended)),
        Standing::Revoked { cause, .. } => found.push(of(cause, PublicWarning::Withdrawn)),
    }
    match state.phase() {
        Phase::Retired => found.push(PublicWarning::Retired),
        Phase::Disposed => found.push(PublicWarning::Disposed),
        Phase::Prototype => found.push(PublicWarning::Prototype),
        _ if state.build() == device::Build::Prototype => found.push(PublicWarning::Prototype),
        _ => {}
    }
    found
}

/// What the verdict means to somebody who holds a printed number and no more.
fn find(
    verdict: &Verdict,
    warnings: &[PublicWarning],
    concern: Option<ScanConcern>,
) -> (Finding, Sureness) {
    let fake = [PublicWarning::Counterfeit, PublicWarning::Disposed];
    if warnings.iter().any(|warning| fake.contains(warning))
        || verdict.has(ReasonCode::DisposedReappeared)
    {
        return (Finding::NotGenuine, Sureness::Firm);
    }
    match verdict.outcome {
        // Look-ups lower confidence, and never more than that.
        Outcome::Genuine if concern.is_some() => (Finding::Genuine, Sureness::Weak),
        Outcome::Genuine => (Finding::Genuine, Sureness::Fair),
        Outcome::Suspect | Outcome::Rejected => (Finding::CannotTell, Sureness::Weak),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use device::{Evidence, Layer, Reason};

    const NOW: UnixTime = UnixTime(1_795_000_000);

    fn verdict(codes: &[ReasonCode]) -> Verdict {
        let reason = |code: &ReasonCode| Reason::new(*code, Layer::Device, Vec::<Evidence>::new());
        let reasons = codes.iter().map(reason).collect();
        Verdict::conclude(DeviceId::from_bytes([1; 16]), reasons, NOW, NOW.plus(60))
    }

    #[test]
    fn look_ups_never_make_a_device_not_genuine() {
        use ReasonCode as Code;
        let concern = Some(ScanConcern::ImpossibleTravel);
        let fine = verdict(&[Code::PossessionUnproven]);
        assert_eq!(find(&fine, &[], None), (Finding::Genuine, Sureness::Fair));
        assert_eq!(find(&fine, &[], concern), (Finding::Genuine, Sureness::Weak));
        let stolen = [PublicWarning::LostOrStolen];
        let suspended = verdict(&[Code::Suspended]);
        assert_eq!(find(&suspended, &stolen, concern), (Finding::CannotTell, Sureness::Weak));
        let disposed = verdict(&[Code::Disposed]);
        assert_eq!(
            find(&disposed, &[PublicWarning::Disposed], None),
            (Finding::NotGenuine, Sureness::Firm)
        );
        // Whatever the reason, nobody is surer than "fair" that a device is genuine.
        for code in Code::ALL {
            for concern in [None, concern] {
                let (finding, sureness) = find(&verdict(&[*code]), &[], concern);
                assert!(finding != Finding::Genuine || sureness < Sureness::Firm, "{code}");
            }
        }
    }

    #[test]
    fn the_update_state_is_unknown_unless_both_sides_spoke() {
        let digest = crypto::sha256(b"2.4.1");
        let public = |digest| ProductPublic {
            firmware: Some(crate::Firmware { version: "2.4.1".into(), digest }),
            ..ProductPublic::default()
        };
        assert_eq!(update(&public(Some(digest)), Some(digest)), UpdateState::Newest);
        let other = crypto::sha256(b"2.4.0");
        assert_eq!(update(&public(Some(digest)), Some(other)), UpdateState::Other);
        assert_eq!(update(&public(Some(digest)), None), UpdateState::Unknown);
        assert_eq!(update(&public(None), Some(digest)), UpdateState::Unknown);
        assert_eq!(update(&ProductPublic::default(), Some(digest)), UpdateState::Unknown);
    }
}
