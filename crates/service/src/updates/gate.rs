//! What a release must have before it is published: the gate of its product. A pure decision over
//! what is on record, with every item that is open.

use super::attachments::AttachmentSummary;
use crate::{
    Service, ServiceError,
    approvals::{Intent, Slip},
    store::{
        organisation::ProductRow,
        release::{self as store, ArtifactRow, GateRow, ReleaseRow},
    },
    vulnerabilities::Grave,
};
use device::{OrganisationId, ProductId};
use policy::{Act, Action, Caller, Resource};
use rusqlite::Connection;

/// Longest name of a component, in characters.
const COMPONENT_CHARS_MAX: usize = 200;
/// Most that a security version and a release counter can be.
pub(super) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// What a product's releases must have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Gate {
    /// an SBOM that describes the product in this version
    pub sbom: bool,
    /// test results
    pub tests: bool,
    /// provenance of every file
    pub provenance: bool,
    /// no vulnerability that is known to be exploited
    pub not_exploited: bool,
    /// least security version
    pub security_floor: u64,
    /// name of the component that the SBOM describes, where it is neither the product's id nor its
    /// name nor its model
    pub component: Option<String>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            sbom: true,
            tests: false,
            provenance: false,
            not_exploited: false,
            security_floor: 0,
            component: None,
        }
    }
}

impl Gate {
    /// Whether something passes this that does not pass `before`. Another component may be one of
    /// which anything is said.
    fn is_milder_than(&self, before: &Self) -> bool {
        let dropped = |was: bool, is: bool| was && !is;
        dropped(before.sbom, self.sbom)
            || dropped(before.tests, self.tests)
            || dropped(before.provenance, self.provenance)
            || dropped(before.not_exploited, self.not_exploited)
            || self.security_floor < before.security_floor
            || self.component != before.component
    }
}

/// One thing that the gate looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateItem {
    /// stable code
    pub code: &'static str,
    /// whether it is as it should be
    pub met: bool,
    /// whether it can be overruled where it is not
    pub overrulable: bool,
    /// what is so, or is to be done
    pub text: String,
    /// the same in Japanese
    pub text_ja: String,
}

impl Service {
    /// What releases of a product must have.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn release_gate(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<Gate, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadRelease, &resource)?;
        let row = self.product_row(organisation, product)?;
        self.read(|connection| gate_of(connection, row.id))
    }

    /// Changes what releases of a product must have, from the next publication on. To want less takes
    /// a second person where publishing in spite of the gate does: it would be the way around.
    ///
    /// # Errors
    /// `gate-component`, `release-number`, `gate-changed`, `not-found`, `role`;
    /// `needs-second-person`, `reauthenticate`.
    pub async fn set_release_gate(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        gate: Gate,
    ) -> Result<Gate, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ChangeGate, &resource)?;
        let row = self.product_row(organisation, product)?;
        if gate.security_floor > NUMBER_MAX {
            return Err(super::releases::number());
        }
        if let Some(name) = &gate.component {
            let count = name.chars().count();
            if !(1..=COMPONENT_CHARS_MAX).contains(&count)
                || name.chars().any(char::is_control)
                || name.trim() != name
            {
                return Err(ServiceError::malformed(
                    "gate-component",
                    "a component's name has 1 to 200 characters, without control characters and \
                     spaces around it",
                ));
            }
        }
        let before = self.read(|connection| gate_of(connection, row.id))?;
        let slip = if gate.is_milder_than(&before) {
            let words = |gate: &Gate| {
                serde_json::to_string(gate).map_err(|_| {
                    ServiceError::unavailable("gate", "the gate cannot be written")
                        .in_japanese("公開条件を書き込めません")
                })
            };
            let intent = Intent::LowerGate {
                product: product.to_string(),
                before: words(&before)?,
                after: words(&gate)?,
            };
            self.second_person(caller, organisation, Act::OverruleGate, &intent).await?
        } else {
            Slip::NotNeeded
        };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .detail("what", "release-gate-changed")
            .detail("sbom", &gate.sbom.to_string())
            .detail("tests", &gate.tests.to_string())
            .detail("provenance", &gate.provenance.to_string())
            .detail("not_exploited", &gate.not_exploited.to_string())
            .detail("security_floor", &gate.security_floor.to_string());
        let new = GateRow {
            sbom: gate.sbom,
            tests: gate.tests,
            provenance: gate.provenance,
            not_exploited: gate.not_exploited,
            security_floor: gate.security_floor,
            component: gate.component.clone(),
        };
        let (service, now) = (self.clone(), self.now());
        self.commit(move |tx| {
            if gate_of(tx, row.id)? != before {
                return Err(ServiceError::conflict(
                    "gate-changed",
                    "somebody else changed the gate meanwhile; look at it again",
                ));
            }
            slip.consume(tx, now)?;
            store::set_gate(tx, row.id, &new)?;
            // What is below a floor that was raised is not given out any more.
            service.recall(tx, row.id, now)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(gate)
    }
}

/// The gate of a product.
pub(super) fn gate_of(connection: &Connection, product: i64) -> Result<Gate, ServiceError> {
    Ok(store::gate(connection, product)?.map_or_else(Gate::default, |row| Gate {
        sbom: row.sbom,
        tests: row.tests,
        provenance: row.provenance,
        not_exploited: row.not_exploited,
        security_floor: row.security_floor,
        component: row.component,
    }))
}

/// What the gate decides on.
pub(super) struct Facts<'a> {
    pub(super) release: &'a ReleaseRow,
    pub(super) product: &'a ProductRow,
    pub(super) artifacts: &'a [ArtifactRow],
    pub(super) attached: &'a [AttachmentSummary],
    /// the published release with the highest counter
    pub(super) last_counter: Option<u64>,
    /// the highest security version that was published
    pub(super) last_security: Option<u64>,
    pub(super) exploited: &'a Exploited,
    /// names of sealed files that nothing opens yet: no content key, no ticket
    pub(super) shut: &'a [String],
}

/// What is known of vulnerabilities of a release that are exploited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exploited {
    /// nobody has looked
    Unknown,
    /// these
    Known(Grave),
}

/// Vulnerabilities of a release that are known to be exploited.
pub(crate) fn exploited(
    connection: &Connection,
    release: &ReleaseRow,
) -> Result<Exploited, ServiceError> {
    let of = (release.organisation, release.product, release.version.as_str());
    let found = crate::vulnerabilities::grave(connection, of)?;
    Ok(found.map_or(Exploited::Unknown, Exploited::Known))
}

/// Every item of the gate, met or open.
pub(super) fn items(gate: &Gate, facts: &Facts<'_>) -> Vec<GateItem> {
    let mut items = vec![artifacts(facts)];
    let (sboms, tests, provenance) = sorted(facts.attached);
    if gate.sbom || !sboms.is_empty() {
        items.push(sbom(gate, facts, &sboms));
    }
    if gate.tests || !tests.is_empty() {
        items.push(test_results(&tests));
    }
    if gate.provenance || !provenance.is_empty() {
        items.push(provenances(facts, &provenance));
    }
    if facts.artifacts.iter().any(|artifact| artifact.form.header.is_some()) {
        items.push(sealed(facts));
    }
    items.push(floor(gate, facts));
    items.push(security(facts));
    items.push(counter(facts));
    if gate.not_exploited {
        items.push(not_exploited(facts));
    }
    items
}

type Sorted<'a> =
    (Vec<&'a AttachmentSummary>, Vec<&'a AttachmentSummary>, Vec<&'a AttachmentSummary>);

fn sorted(attached: &[AttachmentSummary]) -> Sorted<'_> {
    let (mut sboms, mut tests, mut provenance) = (Vec::new(), Vec::new(), Vec::new());
    for one in attached {
        match one {
            AttachmentSummary::Sbom { .. } => sboms.push(one),
            AttachmentSummary::Tests { .. } => tests.push(one),
            AttachmentSummary::Provenance { .. } => provenance.push(one),
        }
    }
    (sboms, tests, provenance)
}

fn item(code: &'static str, met: bool, overrulable: bool, text: String, ja: String) -> GateItem {
    GateItem { code, met, overrulable, text, text_ja: ja }
}

fn artifacts(facts: &Facts<'_>) -> GateItem {
    let count = facts.artifacts.len();
    let (text, ja) = match count {
        0 => ("the release has no file; add one".to_owned(), "ファイルがありません".to_owned()),
        count => (format!("{count} files"), format!("ファイル{count}個")),
    };
    item("artifacts", count > 0, false, text, ja)
}

fn sbom(gate: &Gate, facts: &Facts<'_>, sboms: &[&AttachmentSummary]) -> GateItem {
    let product = facts.product;
    let version = &facts.release.version;
    let names: Vec<&str> = match &gate.component {
        Some(name) => vec![name],
        None => vec![&product.slug, &product.name, &product.model],
    };
    let fits = |one: &&AttachmentSummary| match one {
        AttachmentSummary::Sbom { subject, subject_version, .. } => {
            let named = subject.as_deref().is_some_and(|subject| {
                names.iter().any(|name| name.to_lowercase() == subject.to_lowercase())
            });
            named && subject_version.as_ref() == Some(version)
        }
        _ => false,
    };
    let met = sboms.iter().any(fits);
    let found = sboms.iter().find_map(|one| match one {
        AttachmentSummary::Sbom { subject, subject_version, .. } => Some(format!(
            "{} {}",
            subject.as_deref().unwrap_or("?"),
            subject_version.as_deref().unwrap_or("?")
        )),
        _ => None,
    });
    let wanted = format!("{} {version}", names.join(" / "));
    let (text, ja) = match (met, found) {
        (true, _) => {
            (format!("an SBOM describes {wanted}"), format!("SBOMが{wanted}について記述しています"))
        }
        (false, None) => (
            "no SBOM is attached; attach one".to_owned(),
            "SBOMがありません。添付してください".to_owned(),
        ),
        (false, Some(found)) => (
            format!(
                "no SBOM describes {wanted}; the one that is attached describes {found}; attach the \
                 right one, or name its component in the product's gate"
            ),
            format!("{wanted}について記述したSBOMがありません。添付されたSBOMの対象は{found}です"),
        ),
    };
    item("sbom", met, true, text, ja)
}

fn test_results(tests: &[&AttachmentSummary]) -> GateItem {
    let (mut run, mut bad, mut named) = (0_u64, 0_u64, Vec::new());
    for one in tests {
        if let AttachmentSummary::Tests { tests, failures, errors, skipped, failed } = one {
            run = run.saturating_add(tests.saturating_sub(*skipped));
            bad = bad.saturating_add(*failures).saturating_add(*errors);
            named.extend(failed.iter().take(3).cloned());
        }
    }
    let (text, ja) = if tests.is_empty() {
        (
            "no test results are attached; attach them as JUnit XML".to_owned(),
            "試験結果がありません。JUnit XML形式で添付してください".to_owned(),
        )
    } else if bad > 0 {
        (
            format!("{bad} tests failed: {}", named.join(", ")),
            format!("{bad}件の試験が失敗しています: {}", named.join(", ")),
        )
    } else if run == 0 {
        (
            "the test results hold no test that was run".to_owned(),
            "実行された試験がありません".to_owned(),
        )
    } else {
        (format!("{run} tests passed"), format!("{run}件の試験に合格しました"))
    };
    item("tests", run > 0 && bad == 0, true, text, ja)
}

fn provenances(facts: &Facts<'_>, provenance: &[&AttachmentSummary]) -> GateItem {
    let about = |artifact: &ArtifactRow| {
        provenance.iter().any(|one| match one {
            AttachmentSummary::Provenance { subjects, .. } => {
                subjects.contains(&artifact.blob.sha256.to_string())
            }
            _ => false,
        })
    };
    let missing: Vec<&str> = facts
        .artifacts
        .iter()
        .filter(|artifact| !about(artifact))
        .map(|artifact| artifact.name.as_str())
        .collect();
    let met = missing.is_empty() && !provenance.is_empty();
    let (text, ja) = if met {
        (
            "provenance is attached for every file".to_owned(),
            "すべてのファイルに来歴情報があります".to_owned(),
        )
    } else if provenance.is_empty() {
        (
            "no provenance is attached; attach an in-toto statement".to_owned(),
            "来歴情報がありません。in-toto形式で添付してください".to_owned(),
        )
    } else {
        (
            format!("no provenance is about {}", missing.join(", ")),
            format!("来歴情報のないファイル: {}", missing.join(", ")),
        )
    };
    item("provenance", met, true, text, ja)
}

/// A warning and no more: whoever keeps the key brings tickets once devices have stated theirs.
fn sealed(facts: &Facts<'_>) -> GateItem {
    let (text, ja) = match facts.shut {
        [] => (
            "every sealed file has its content key here, or tickets".to_owned(),
            "暗号化されたファイルには、コンテンツ鍵またはチケットがあります".to_owned(),
        ),
        shut => {
            let names = shut.join(", ");
            (
                format!(
                    "warning: no device can open {names} as things stand; give the content key \
                     (`tegata release content-key`), or bring tickets before a campaign starts"
                ),
                format!(
                    "注意: いまのところ、どの機器も{names}を開けません。キャンペーンの開始前に、コンテンツ鍵を預けるか、チケットを登録してください"
                ),
            )
        }
    };
    item("sealed", true, false, text, ja)
}

fn floor(gate: &Gate, facts: &Facts<'_>) -> GateItem {
    let (has, floor) = (facts.release.security_version, gate.security_floor);
    let met = has >= floor;
    let (text, ja) = if met {
        (
            format!("security version {has}, at least {floor}"),
            format!("セキュリティバージョン{has}（{floor}以上）"),
        )
    } else {
        (
            format!("security version {has} is below the product's floor of {floor}"),
            format!("セキュリティバージョン{has}が、製品の下限{floor}を下回っています"),
        )
    };
    item("security-floor", met, true, text, ja)
}

fn security(facts: &Facts<'_>) -> GateItem {
    let has = facts.release.security_version;
    let last = facts.last_security.unwrap_or(0);
    let met = has >= last;
    let (text, ja) = if met {
        (
            format!("security version {has} does not go back"),
            format!("セキュリティバージョン{has}は後退していません"),
        )
    } else {
        (
            format!(
                "security version {has} is lower than {last}, which was published; make a release with at least {last}"
            ),
            format!("セキュリティバージョン{has}が、公開済みの{last}より低くなっています"),
        )
    };
    item("security-version", met, false, text, ja)
}

fn counter(facts: &Facts<'_>) -> GateItem {
    let has = facts.release.counter;
    let met = facts.last_counter.is_none_or(|last| has > last);
    let last = facts.last_counter.unwrap_or(0);
    let (text, ja) = if met {
        (format!("release counter {has} is new"), format!("リリース番号{has}は最新です"))
    } else {
        (
            format!(
                "release counter {has} is not above {last}, which was published: devices would \
                 refuse it; make a release with a higher one"
            ),
            format!("リリース番号{has}が、公開済みの{last}を超えていません"),
        )
    };
    item("release-counter", met, false, text, ja)
}

fn not_exploited(facts: &Facts<'_>) -> GateItem {
    let (met, text, ja) = match facts.exploited {
        Exploited::Known(Grave { open, stated }) if open.is_empty() && stated.is_empty() => (
            true,
            "no vulnerability of it is exploited or critical without a statement".to_owned(),
            "声明のない、悪用が確認された脆弱性や緊急の脆弱性はありません".to_owned(),
        ),
        Exploited::Known(Grave { open, stated }) if open.is_empty() => (
            false,
            format!(
                "exploited or critical, and it is a statement alone that says that this has the fix or \
                 is not affected: {}; publish in spite of the gate with the reason, which a second \
                 person looks at",
                stated.join(", ")
            ),
            format!(
                "悪用が確認されたか緊急であり、修正済みまたは影響なしとする根拠が声明だけです: {}。\
                 理由を添えて例外として公開すると、別の人が確認します",
                stated.join(", ")
            ),
        ),
        Exploited::Known(Grave { open: found, .. }) => (
            false,
            format!(
                "exploited or critical, and nobody says that it is fixed or does not affect this: \
                 {}; mend it, or make a statement",
                found.join(", ")
            ),
            format!(
                "悪用が確認されたか緊急であり、修正済みまたは影響なしの声明がありません: {}",
                found.join(", ")
            ),
        ),
        Exploited::Unknown => (
            false,
            "vulnerabilities are not known: attach an SBOM, import advisories and a KEV catalogue, \
             and wait until all components are judged"
                .to_owned(),
            "悪用された脆弱性の有無を確認できません。SBOMと脆弱性情報を登録してください".to_owned(),
        ),
    };
    item("exploited", met, true, text, ja)
}
