use crate::{
    MetadataError,
    role::{RoleName, Version},
};
use crypto::UnixTime;
use device::Text;
use std::fmt;

/// Why a client goes no further. Each attack of section 1.5.2 of the specification that shows has
/// a variant of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The root that the client started with is no root.
    #[error("the root that is trusted from the start cannot be used: {0}")]
    TrustedRoot(MetadataError),
    /// More bytes than announced or allowed: an endless data attack.
    #[error("{file} has more than {length_max} bytes")]
    EndlessData {
        /// which file
        file: String,
        /// bytes allowed
        length_max: u64,
    },
    /// Bytes arrive more slowly than is allowed: a slow retrieval attack.
    #[error("{received} bytes in {seconds} s are too few")]
    SlowRetrieval {
        /// bytes so far
        received: u64,
        /// seconds so far
        seconds: u64,
    },
    /// Not metadata.
    #[error("{file}: {error}")]
    Malformed {
        /// which file
        file: String,
        /// what is wrong
        error: MetadataError,
    },
    /// Not signed by a threshold of the role's keys.
    #[error("{file}: {error}")]
    WrongKeys {
        /// which file
        file: String,
        /// how many signatures are missing
        error: MetadataError,
    },
    /// Other bytes than the metadata above announced.
    #[error("{file} is not what was announced: its length or hashes differ")]
    Altered {
        /// which file
        file: String,
    },
    /// Properly signed, but of another version than the metadata above announced.
    #[error("{role} has version {found}, and version {expected} belongs here")]
    MixAndMatch {
        /// whose
        role: RoleName,
        /// version at hand
        found: Version,
        /// version announced
        expected: Version,
    },
    /// Older than what was trusted before.
    #[error("{role} has version {found}, and version {trusted} was seen before")]
    Rollback {
        /// whose
        role: RoleName,
        /// version at hand; `None` where it vanished
        found: Shown,
        /// version trusted before
        trusted: Version,
    },
    /// Older than what exists, as is known by another way.
    #[error("{role} has version {found}, and version {newest} is known to exist")]
    Frozen {
        /// whose
        role: RoleName,
        /// version at hand
        found: Version,
        /// version that exists
        newest: Version,
    },
    /// Past its end: nobody renewed it, or somebody withholds the renewed one.
    #[error("{role} version {version} expired at {expires}")]
    Expired {
        /// whose
        role: RoleName,
        /// which version
        version: Version,
        /// when
        expires: UnixTime,
    },
    /// Not there.
    #[error("{file} is missing")]
    Missing {
        /// which file
        file: String,
    },
    /// More roots in a row than allowed; what was verified so far is kept, and the next refresh
    /// goes on from there.
    #[error("more than {0} roots follow each other; refresh again")]
    TooManyRoots(usize),
    /// A search met more roles than allowed.
    #[error("more than {0} roles would have to be asked about this target")]
    TooManyRoles(usize),
    /// Nobody who may speak about this target knows it.
    #[error("no target {0:?} is known to anybody who may speak about it")]
    UnknownTarget(String),
    /// The target's bytes are not the ones that were signed for: arbitrary software.
    #[error("the target {0:?} is not the file that was signed for")]
    WrongSoftware(String),
    /// An answer that nothing asked for, or a target sought before the metadata are fresh.
    #[error("{0}")]
    OutOfOrder(&'static str),
}

/// A version, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown(pub Option<Version>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => version.fmt(f),
            None => f.write_str("none"),
        }
    }
}

impl Refusal {
    /// Its stable code: programs compare it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TrustedRoot(_) => "trusted-root",
            Self::EndlessData { .. } => "endless-data",
            Self::SlowRetrieval { .. } => "slow-retrieval",
            Self::Malformed { .. } => "malformed-metadata",
            Self::WrongKeys { .. } => "wrong-keys",
            Self::Altered { .. } => "altered-metadata",
            Self::MixAndMatch { .. } => "mix-and-match",
            Self::Rollback { .. } => "rollback",
            Self::Frozen { .. } => "freeze",
            Self::Expired { .. } => "expired",
            Self::Missing { .. } => "missing-metadata",
            Self::TooManyRoots(_) => "too-many-roots",
            Self::TooManyRoles(_) => "too-many-roles",
            Self::UnknownTarget(_) => "unknown-target",
            Self::WrongSoftware(_) => "wrong-software",
            Self::OutOfOrder(_) => "out-of-order",
        }
    }

    /// What it means and what to do, for people.
    pub fn text(&self) -> Text {
        let text = |ja, en| Text { ja, en };
        match self {
            Self::TrustedRoot(_) => text(
                "最初から信頼するルートファイルが使えません。正規の経路で入手し直してください",
                "the root file that is trusted from the start cannot be used; obtain it anew by a trusted way",
            ),
            Self::EndlessData { .. } => text(
                "配信元が予告より多いデータを送っています。終わりのないデータによる攻撃の疑いがあります。別のミラーを使ってください",
                "the mirror sends more data than announced, perhaps without end; use another mirror",
            ),
            Self::SlowRetrieval { .. } => text(
                "配信が遅すぎます。故意の遅延の疑いがあります。別のミラーを使ってください",
                "the mirror is slower than a working one would be, perhaps on purpose; use another mirror",
            ),
            Self::Malformed { .. } => text(
                "メタデータの形式が正しくありません。別のミラーを使い、続くようなら配信者に知らせてください",
                "the metadata are not well formed; use another mirror, and tell the publisher if it goes on",
            ),
            Self::WrongKeys { .. } => text(
                "信頼する鍵による署名が足りません。偽造の疑いがあります",
                "too few trusted keys have signed; the metadata may be forged",
            ),
            Self::Altered { .. } => text(
                "メタデータが予告された内容と異なります。改ざんまたは転送の誤りです。別のミラーを使ってください",
                "the metadata differ from what was announced: altered, or damaged on the way; use another mirror",
            ),
            Self::MixAndMatch { .. } => text(
                "版の合わないメタデータが混ざっています。組み合わせ攻撃の疑いがあります",
                "metadata of different versions are mixed, as in a mix-and-match attack; use another mirror",
            ),
            Self::Rollback { .. } => text(
                "以前に確認した版より古いメタデータです。巻き戻し攻撃の疑いがあります",
                "the metadata are older than those seen before, as in a rollback attack; use another mirror",
            ),
            Self::Frozen { .. } => text(
                "新しい版があるのに古い版が配信されています。凍結攻撃の疑いがあります",
                "an old version is served although a newer one exists, as in a freeze attack; use another mirror",
            ),
            Self::Expired { .. } => text(
                "メタデータの期限が切れています。配信者が更新していないか、更新が届いていません。時計も確認してください",
                "the metadata have expired: the publisher has not renewed them, or the renewal is withheld; check the clock as well",
            ),
            Self::Missing { .. } => text(
                "必要なメタデータがありません。別のミラーを使ってください",
                "metadata that must be there are missing; use another mirror",
            ),
            Self::TooManyRoots(_) => text(
                "ルートの更新が多すぎます。もう一度実行すると続きから進みます",
                "too many roots follow each other; run it again to go on from here",
            ),
            Self::TooManyRoles(_) => text(
                "委任が多すぎて対象を探せません",
                "there are too many delegations to find this target",
            ),
            Self::UnknownTarget(_) => text(
                "この対象は、発行権限を持つ誰からも公開されていません",
                "nobody who may speak about this target has published it",
            ),
            Self::WrongSoftware(_) => text(
                "ファイルが署名された内容と一致しません。インストールしてはいけません",
                "the file is not the one that was signed for; do not install it",
            ),
            Self::OutOfOrder(_) => text(
                "手順の順序が正しくありません",
                "the steps are out of order: this program has a defect",
            ),
        }
    }
}
