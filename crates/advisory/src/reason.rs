use crate::{MatchKey, text};

/// Why a judgement is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// what kind of reason
    pub code: ReasonCode,
    /// the version, range, attribute or release that it is about
    pub detail: String,
    /// by which name component and advisory met
    pub key: Option<MatchKey>,
}

/// Kinds of reasons, with stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonCode {
    /// the version is in a range
    VersionInRange,
    /// the version is listed
    VersionListed,
    /// every version is affected
    EveryVersion,
    /// the version is in none of the ranges
    VersionOutside,
    /// the component has no version
    VersionNotKnown,
    /// a version has no place in the order, or the order is not known
    OrderNotKnown,
    /// the range is in words
    RangeNotReadable,
    /// the range is of commits
    CommitRange,
    /// the advisory names no versions
    NoVersions,
    /// which release or platform it is about cannot be told for the component
    ReleaseNotKnown,
    /// the component's CPE name leaves out an attribute
    CpeLessSpecific,
    /// only fixed versions are named, and this one is older, or cannot be compared
    OlderThanFix,
    /// only fixed versions are named, and this one is newer than all
    NewerThanFix,
    /// the issuer is looking into it
    UnderInvestigation,
    /// the issuer says that this version has the fix
    SaidFixed,
    /// the issuer says that this version is not affected
    SaidNotAffected,
    /// a VEX statement says that it is affected
    SaidAffected,
}

impl ReasonCode {
    /// Every code.
    pub const ALL: [Self; 17] = [
        Self::VersionInRange,
        Self::VersionListed,
        Self::EveryVersion,
        Self::VersionOutside,
        Self::VersionNotKnown,
        Self::OrderNotKnown,
        Self::RangeNotReadable,
        Self::CommitRange,
        Self::NoVersions,
        Self::ReleaseNotKnown,
        Self::CpeLessSpecific,
        Self::OlderThanFix,
        Self::NewerThanFix,
        Self::UnderInvestigation,
        Self::SaidFixed,
        Self::SaidNotAffected,
        Self::SaidAffected,
    ];

    /// Stable code.
    pub fn name(self) -> &'static str {
        match self {
            Self::VersionInRange => "version-in-range",
            Self::VersionListed => "version-listed",
            Self::EveryVersion => "every-version",
            Self::VersionOutside => "version-outside",
            Self::VersionNotKnown => "version-not-known",
            Self::OrderNotKnown => "order-not-known",
            Self::RangeNotReadable => "range-not-readable",
            Self::CommitRange => "commit-range",
            Self::NoVersions => "no-versions",
            Self::ReleaseNotKnown => "release-not-known",
            Self::CpeLessSpecific => "cpe-less-specific",
            Self::OlderThanFix => "older-than-fix",
            Self::NewerThanFix => "newer-than-fix",
            Self::UnderInvestigation => "under-investigation",
            Self::SaidFixed => "said-fixed",
            Self::SaidNotAffected => "said-not-affected",
            Self::SaidAffected => "said-affected",
        }
    }

    /// Short text for people, in English.
    pub fn english(self) -> &'static str {
        match self {
            Self::VersionInRange => "the version is in the affected range",
            Self::VersionListed => "the version is listed",
            Self::EveryVersion => "every version is affected",
            Self::VersionOutside => "the version is outside the affected range",
            Self::VersionNotKnown => "the SBOM gives no version",
            Self::OrderNotKnown => "the versions cannot be compared",
            Self::RangeNotReadable => "the range is given in words",
            Self::CommitRange => "the range is given in commits",
            Self::NoVersions => "the advisory names no versions",
            Self::ReleaseNotKnown => {
                "affected only in one release or on one platform; which one this is, is not known"
            }
            Self::CpeLessSpecific => "the CPE name of the SBOM leaves an attribute open",
            Self::OlderThanFix => {
                "the advisory names only fixed versions; this one is not at or after them"
            }
            Self::NewerThanFix => "newer than every version that has the fix",
            Self::UnderInvestigation => "the issuer is still looking into it",
            Self::SaidFixed => "the issuer says that this version has the fix",
            Self::SaidNotAffected => "the issuer says that this version is not affected",
            Self::SaidAffected => "a VEX statement says that it is affected",
        }
    }

    /// Short text for people, in Japanese.
    pub fn japanese(self) -> &'static str {
        match self {
            Self::VersionInRange => "影響範囲に含まれるバージョンです",
            Self::VersionListed => "影響を受けるバージョンとして挙げられています",
            Self::EveryVersion => "すべてのバージョンが影響を受けます",
            Self::VersionOutside => "影響範囲外のバージョンです",
            Self::VersionNotKnown => "SBOM にバージョンがありません",
            Self::OrderNotKnown => "バージョンの前後を比較できません",
            Self::RangeNotReadable => "範囲が文章で書かれており評価できません",
            Self::CommitRange => "範囲がコミットで書かれています",
            Self::NoVersions => "アドバイザリにバージョンの記載がありません",
            Self::ReleaseNotKnown => {
                "特定のリリースまたはプラットフォームでのみ影響を受けますが、どれに当たるか分かりません"
            }
            Self::CpeLessSpecific => "SBOM の CPE 名に書かれていない属性があります",
            Self::OlderThanFix => {
                "アドバイザリには修正済みバージョンしか記載がなく、それ以降のバージョンではありません"
            }
            Self::NewerThanFix => "修正済みのどのバージョンよりも新しいバージョンです",
            Self::UnderInvestigation => "発行者が調査中です",
            Self::SaidFixed => "発行者はこのバージョンを修正済みとしています",
            Self::SaidNotAffected => "発行者はこのバージョンを影響なしとしています",
            Self::SaidAffected => "VEX で影響ありとされています",
        }
    }
}

impl Reason {
    pub(crate) fn new(code: ReasonCode, detail: &str, key: Option<MatchKey>) -> Self {
        Self { code, detail: text::line(detail, 200), key }
    }
}
