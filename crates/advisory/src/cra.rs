//! Reporting duties of a manufacturer under the EU Cyber Resilience Act (Regulation (EU) 2024/2847,
//! article 14): which report is due when, and what it must say.

use crate::moment;
use crypto::UnixTime;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CraKind {
    /// a vulnerability of the product is actively exploited (paragraph 1)
    ExploitedVulnerability,
    /// a severe incident impairs the product's security (paragraph 3)
    SevereIncident,
}

/// Reports, in the order in which they are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CraStep {
    /// early warning
    EarlyWarning,
    /// notification
    Notification,
    /// final report
    FinalReport,
}

/// A case with what is known of its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CraCase {
    /// what happened
    pub kind: CraKind,
    /// when the manufacturer became aware
    pub aware: UnixTime,
    /// when a corrective or mitigating measure became available
    pub corrected: Option<UnixTime>,
    /// when each report was submitted, in the order of [`CraStep`]
    pub submitted: [Option<UnixTime>; 3],
}

/// A report with its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CraDeadline {
    /// which report
    pub step: CraStep,
    /// until when; `None` while what starts its clock has not happened
    pub due: Option<UnixTime>,
    /// when it was submitted
    pub submitted: Option<UnixTime>,
}

/// Where a report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CraState {
    /// its clock has not started
    Waiting,
    /// due in some seconds
    Due(i64),
    /// overdue by some seconds
    Overdue(i64),
    /// submitted in time
    Done,
    /// submitted late by some seconds
    DoneLate(i64),
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

impl CraKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::ExploitedVulnerability, Self::SevereIncident];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExploitedVulnerability => "exploited-vulnerability",
            Self::SevereIncident => "severe-incident",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl CraStep {
    /// Every step, in order.
    pub const ALL: [Self; 3] = [Self::EarlyWarning, Self::Notification, Self::FinalReport];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::EarlyWarning => "early-warning",
            Self::Notification => "notification",
            Self::FinalReport => "final-report",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// Name for people, in English.
    pub fn english(self) -> &'static str {
        match self {
            Self::EarlyWarning => "early warning",
            Self::Notification => "notification",
            Self::FinalReport => "final report",
        }
    }

    /// Name for people, in Japanese.
    pub fn japanese(self) -> &'static str {
        match self {
            Self::EarlyWarning => "早期警告",
            Self::Notification => "通知",
            Self::FinalReport => "最終報告",
        }
    }
}

impl CraCase {
    /// A case of which nothing is known but that it is one.
    pub fn new(kind: CraKind, aware: UnixTime) -> Self {
        Self { kind, aware, corrected: None, submitted: [None; 3] }
    }

    /// The three deadlines. Early warning 24 hours and notification 72 hours after awareness. The
    /// final report on a vulnerability 14 days after a measure is available; on an incident one
    /// calendar month after the notification was submitted, or, while it was not, after the last
    /// moment for it. Nothing is moved from a weekend to a working day: a deadline that is too early
    /// harms nobody.
    pub fn deadlines(&self) -> [CraDeadline; 3] {
        let [warning, notification, report] = self.submitted;
        let notify_by = self.aware.plus(72 * HOUR);
        let final_by = match self.kind {
            CraKind::ExploitedVulnerability => self.corrected.map(|at| at.plus(14 * DAY)),
            CraKind::SevereIncident => moment::plus_months(notification.unwrap_or(notify_by), 1),
        };
        [
            CraDeadline {
                step: CraStep::EarlyWarning,
                due: Some(self.aware.plus(24 * HOUR)),
                submitted: warning,
            },
            CraDeadline {
                step: CraStep::Notification,
                due: Some(notify_by),
                submitted: notification,
            },
            CraDeadline { step: CraStep::FinalReport, due: final_by, submitted: report },
        ]
    }

    /// The report to be made next; `None` when all were submitted.
    pub fn next(&self) -> Option<CraDeadline> {
        self.deadlines().into_iter().find(|deadline| deadline.submitted.is_none())
    }
}

impl CraDeadline {
    /// Where the report stands at a time.
    pub fn state(&self, now: UnixTime) -> CraState {
        match (self.due, self.submitted) {
            (Some(due), Some(at)) if at > due => CraState::DoneLate(at.since(due)),
            (_, Some(_)) => CraState::Done,
            (None, None) => CraState::Waiting,
            (Some(due), None) if now > due => CraState::Overdue(now.since(due)),
            (Some(due), None) => CraState::Due(due.since(now)),
        }
    }
}

/// What a report must say (article 14, paragraphs 2 and 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CraItem {
    /// which product, in which versions
    Product,
    /// which vulnerability or incident it is
    Subject,
    /// when the manufacturer became aware
    Aware,
    /// Member States where the product was made available, where known
    MemberStates,
    /// whether unlawful or malicious acts are suspected (incidents)
    Suspected,
    /// the general nature of the exploit and the vulnerability, or of the incident
    Nature,
    /// corrective or mitigating measures taken
    MeasuresTaken,
    /// measures that users can take
    UserMeasures,
    /// how sensitive the information is
    Sensitivity,
    /// description, with severity and impact
    Description,
    /// who exploited it, where known
    Actor,
    /// the kind of threat or root cause (incidents)
    Cause,
    /// the security update or other measures made available
    Remedy,
}

impl CraItem {
    /// Every item.
    pub const ALL: [Self; 13] = [
        Self::Product,
        Self::Subject,
        Self::Aware,
        Self::MemberStates,
        Self::Suspected,
        Self::Nature,
        Self::MeasuresTaken,
        Self::UserMeasures,
        Self::Sensitivity,
        Self::Description,
        Self::Actor,
        Self::Cause,
        Self::Remedy,
    ];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Subject => "subject",
            Self::Aware => "aware",
            Self::MemberStates => "member-states",
            Self::Suspected => "suspected",
            Self::Nature => "nature",
            Self::MeasuresTaken => "measures-taken",
            Self::UserMeasures => "user-measures",
            Self::Sensitivity => "sensitivity",
            Self::Description => "description",
            Self::Actor => "actor",
            Self::Cause => "cause",
            Self::Remedy => "remedy",
        }
    }

    /// Heading for people, in English.
    pub fn english(self) -> &'static str {
        match self {
            Self::Product => "Product and versions",
            Self::Subject => "Vulnerability or incident",
            Self::Aware => "Aware since",
            Self::MemberStates => "Member States where the product is available",
            Self::Suspected => "Unlawful or malicious acts suspected",
            Self::Nature => "General nature",
            Self::MeasuresTaken => "Measures taken",
            Self::UserMeasures => "Measures that users can take",
            Self::Sensitivity => "Sensitivity of this information",
            Self::Description => "Description, severity and impact",
            Self::Actor => "Who exploited it, where known",
            Self::Cause => "Kind of threat or root cause",
            Self::Remedy => "Security update or other remedy",
        }
    }

    /// Heading for people, in Japanese.
    pub fn japanese(self) -> &'static str {
        match self {
            Self::Product => "製品とバージョン",
            Self::Subject => "脆弱性またはインシデント",
            Self::Aware => "認知した日時",
            Self::MemberStates => "製品が提供されている加盟国",
            Self::Suspected => "違法または悪意のある行為の疑い",
            Self::Nature => "概要",
            Self::MeasuresTaken => "実施した対策",
            Self::UserMeasures => "利用者がとれる対策",
            Self::Sensitivity => "情報の機微度",
            Self::Description => "詳細、深刻度、影響",
            Self::Actor => "悪用した者（判明している場合）",
            Self::Cause => "脅威の種類または根本原因",
            Self::Remedy => "セキュリティ更新その他の是正措置",
        }
    }

    /// What a report must say; a later report repeats what an earlier one could not yet say.
    pub fn of(kind: CraKind, step: CraStep) -> &'static [Self] {
        use CraKind::{ExploitedVulnerability, SevereIncident};
        match (kind, step) {
            (ExploitedVulnerability, CraStep::EarlyWarning) => {
                &[Self::Product, Self::Subject, Self::Aware, Self::MemberStates]
            }
            (SevereIncident, CraStep::EarlyWarning) => {
                &[Self::Product, Self::Subject, Self::Aware, Self::Suspected, Self::MemberStates]
            }
            (_, CraStep::Notification) => &[
                Self::Product,
                Self::Subject,
                Self::Aware,
                Self::Nature,
                Self::MeasuresTaken,
                Self::UserMeasures,
                Self::Sensitivity,
            ],
            (ExploitedVulnerability, CraStep::FinalReport) => {
                &[Self::Product, Self::Subject, Self::Description, Self::Actor, Self::Remedy]
            }
            (SevereIncident, CraStep::FinalReport) => {
                &[Self::Product, Self::Subject, Self::Description, Self::Cause, Self::MeasuresTaken]
            }
        }
    }

    /// Whether a report without it is complete: what the law asks for only where it is known.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::MemberStates | Self::Actor)
    }
}

/// A report in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CraDraft {
    /// which report
    pub step: CraStep,
    /// what it must say, with what is known of it
    pub items: Vec<(CraItem, Option<String>)>,
}

impl CraDraft {
    /// Fills in what is known.
    pub fn new(case: &CraCase, step: CraStep, known: impl Fn(CraItem) -> Option<String>) -> Self {
        let items = CraItem::of(case.kind, step)
            .iter()
            .map(|item| {
                let text = match item {
                    CraItem::Aware => Some(case.aware.to_string()),
                    item => known(*item),
                };
                (*item, text.filter(|text| !text.trim().is_empty()))
            })
            .collect();
        Self { step, items }
    }

    /// What it still needs before it can be submitted.
    pub fn missing(&self) -> impl Iterator<Item = CraItem> {
        self.items
            .iter()
            .filter(|(item, text)| text.is_none() && !item.is_optional())
            .map(|(item, _)| *item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixTime {
        moment::parse(text).unwrap()
    }

    #[test]
    fn deadlines_of_a_vulnerability() {
        let mut case = CraCase::new(CraKind::ExploitedVulnerability, at("2026-12-30T23:30:00Z"));
        let due =
            |case: &CraCase| case.deadlines().map(|deadline| deadline.due.map(|at| at.to_string()));
        assert_eq!(
            due(&case),
            [Some("2026-12-31T23:30:00Z".into()), Some("2027-01-02T23:30:00Z".into()), None]
        );
        assert_eq!(case.deadlines()[2].state(case.aware), CraState::Waiting);
        case.corrected = Some(at("2027-02-20T08:00:00Z"));
        assert_eq!(due(&case)[2].as_deref(), Some("2027-03-06T08:00:00Z"));
        assert_eq!(case.next().map(|next| next.step), Some(CraStep::EarlyWarning));
        case.submitted[0] = Some(at("2027-01-01T00:00:00Z"));
        let [warning, notification, _] = case.deadlines();
        assert_eq!(warning.state(case.aware), CraState::DoneLate(1_800));
        assert_eq!(notification.state(at("2027-01-02T23:30:00Z")), CraState::Due(0));
        assert_eq!(notification.state(at("2027-01-02T23:30:01Z")), CraState::Overdue(1));
        assert_eq!(case.next().map(|next| next.step), Some(CraStep::Notification));
    }

    #[test]
    fn the_month_of_an_incident_is_one_of_the_calendar() {
        let mut case = CraCase::new(CraKind::SevereIncident, at("2027-01-28T10:00:00Z"));
        let last = |case: &CraCase| case.deadlines()[2].due.map(|at| at.to_string());
        // Notification by 31 January at the latest; February has no 31st.
        assert_eq!(last(&case).as_deref(), Some("2027-02-28T10:00:00Z"));
        case.submitted[1] = Some(at("2027-01-29T09:00:00Z"));
        assert_eq!(last(&case).as_deref(), Some("2027-02-28T09:00:00Z"));
        case.submitted[1] = Some(at("2027-01-28T12:00:00Z"));
        assert_eq!(last(&case).as_deref(), Some("2027-02-28T12:00:00Z"));
    }

    #[test]
    fn a_draft_says_what_it_lacks() {
        let case = CraCase::new(CraKind::SevereIncident, at("2027-01-28T10:00:00Z"));
        for kind in CraKind::ALL {
            for step in CraStep::ALL {
                assert!(CraItem::of(kind, step).contains(&CraItem::Product));
            }
        }
        let draft = CraDraft::new(&case, CraStep::EarlyWarning, |item| {
            (item == CraItem::Product).then(|| "gate 2.4.1".to_owned())
        });
        let missing: Vec<CraItem> = draft.missing().collect();
        assert_eq!(missing, [CraItem::Subject, CraItem::Suspected]);
        for item in CraItem::ALL {
            assert!(!item.japanese().is_ascii() && item.english().is_ascii());
        }
    }
}
