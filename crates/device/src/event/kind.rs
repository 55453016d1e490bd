use crate::{
    DeviceId, DeviceKind, OrganisationId, ProductId, ReasonCode, RootOfTrust,
    language::{Text, text},
    named::named,
};
use crypto::{Sha256, UnixTime};

named! {
    /// The kinds of life events, without their details.
    pub enum Kind: "kind of event" {
        /// see [`EventKind::ChipMade`]
        ChipMade = 1 "chip-made",
        /// see [`EventKind::Assembled`]
        Assembled = 2 "assembled",
        /// see [`EventKind::PartInstalled`]
        PartInstalled = 3 "part-installed",
        /// see [`EventKind::PartRemoved`]
        PartRemoved = 4 "part-removed",
        /// see [`EventKind::InstalledInto`]
        InstalledInto = 5 "installed-into",
        /// see [`EventKind::RemovedFrom`]
        RemovedFrom = 6 "removed-from",
        /// see [`EventKind::CredentialIssued`]
        CredentialIssued = 7 "credential-issued",
        /// see [`EventKind::CredentialRevoked`]
        CredentialRevoked = 8 "credential-revoked",
        /// see [`EventKind::Tested`]
        Tested = 9 "tested",
        /// see [`EventKind::Shipped`]
        Shipped = 10 "shipped",
        /// see [`EventKind::Received`]
        Received = 11 "received",
        /// see [`EventKind::Onboarded`]
        Onboarded = 12 "onboarded",
        /// see [`EventKind::OperationStarted`]
        OperationStarted = 13 "operation-started",
        /// see [`EventKind::TransferOffered`]
        TransferOffered = 14 "transfer-offered",
        /// see [`EventKind::TransferAccepted`]
        TransferAccepted = 15 "transfer-accepted",
        /// see [`EventKind::TransferCancelled`]
        TransferCancelled = 16 "transfer-cancelled",
        /// see [`EventKind::RepairStarted`]
        RepairStarted = 17 "repair-started",
        /// see [`EventKind::PartExchanged`]
        PartExchanged = 18 "part-exchanged",
        /// see [`EventKind::RepairFinished`]
        RepairFinished = 19 "repair-finished",
        /// see [`EventKind::Suspended`]
        Suspended = 20 "suspended",
        /// see [`EventKind::Released`]
        Released = 21 "released",
        /// see [`EventKind::Revoked`]
        Revoked = 22 "revoked",
        /// see [`EventKind::Retired`]
        Retired = 23 "retired",
        /// see [`EventKind::Disposed`]
        Disposed = 24 "disposed",
        /// see [`EventKind::Reappeared`]
        Reappeared = 25 "reappeared",
        /// see [`EventKind::ProofRefused`]
        ProofRefused = 26 "proof-refused",
        /// see [`EventKind::PartSeenElsewhere`]
        PartSeenElsewhere = 27 "part-seen-elsewhere",
        /// see [`EventKind::Erased`]
        Erased = 28 "erased",
        /// see [`EventKind::Updated`]
        Updated = 29 "updated",
    }
}

impl Kind {
    /// What happened, for people.
    pub fn text(self) -> Text {
        match self {
            Self::ChipMade => text("チップ製造", "chip made"),
            Self::Assembled => text("組立", "assembled"),
            Self::PartInstalled => text("部品の取付け", "part installed"),
            Self::PartRemoved => text("部品の取外し", "part removed"),
            Self::InstalledInto => text("上位機器への組込み", "installed into another device"),
            Self::RemovedFrom => text("上位機器からの取外し", "removed from another device"),
            Self::CredentialIssued => text("証明書の発行", "credential issued"),
            Self::CredentialRevoked => text("証明書の失効", "credential revoked"),
            Self::Tested => text("試験", "tested"),
            Self::Shipped => text("出荷", "shipped"),
            Self::Received => text("受領", "received"),
            Self::Onboarded => text("導入(オンボーディング)", "onboarded"),
            Self::OperationStarted => text("運用開始", "operation started"),
            Self::TransferOffered => text("所有権移転の申し出", "transfer of ownership offered"),
            Self::TransferAccepted => text("所有権移転の受諾", "transfer of ownership accepted"),
            Self::TransferCancelled => {
                text("所有権移転の取りやめ", "transfer of ownership cancelled")
            }
            Self::RepairStarted => text("修理開始", "repair started"),
            Self::PartExchanged => text("部品交換", "part exchanged"),
            Self::RepairFinished => text("修理完了", "repair finished"),
            Self::Suspended => text("一時停止", "suspended"),
            Self::Released => text("一時停止の解除", "released"),
            Self::Revoked => text("失効", "revoked"),
            Self::Retired => text("使用終了", "retired"),
            Self::Disposed => text("廃棄", "disposed"),
            Self::Reappeared => text("使用終了・廃棄済み機器の再出現", "reappeared after its end"),
            Self::ProofRefused => text("所持証明の拒否", "proof of possession refused"),
            Self::PartSeenElsewhere => {
                text("部品が別の機器でも検出", "part seen in another device")
            }
            Self::Erased => text("記録内容の消去", "payload of earlier events erased"),
            Self::Updated => text("ソフトウェア更新の結果", "result of a software update"),
        }
    }
}

named! {
    /// What came of an update (UP-5).
    pub enum UpdateResult: "result of an update" {
        /// a boot into the release was confirmed
        Installed = 1 "installed",
        /// it was not: what ran before runs
        Failed = 2 "failed",
        /// a boot into the release before was confirmed
        RolledBack = 3 "rolled-back",
        /// it runs an older release than it had confirmed
        Regressed = 4 "regressed",
    }
}

impl UpdateResult {
    /// The result for people.
    pub fn text(self) -> Text {
        match self {
            Self::Installed => text("更新完了", "installed"),
            Self::Failed => text("更新失敗", "failed"),
            Self::RolledBack => text("以前のリリースに復帰", "rolled back"),
            Self::Regressed => text("古いリリースに逆行", "regressed"),
        }
    }
}

/// A release of a product's software, as a history names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRelease {
    /// version for people, at most 128 bytes on one line
    pub version: String,
    /// release counter
    pub release_counter: u64,
    /// security version
    pub security_version: u64,
}

named! {
    /// Whether a thing was built as a prototype or in mass production (LC-1).
    pub enum Build: "build" {
        /// prototype ("manufacture" in the founding documents)
        Prototype = 1 "prototype",
        /// commercial product
        MassProduction = 2 "mass-production",
    }
}

named! {
    /// Which of a device's certificates it is (TR-2).
    pub enum CredentialProfile: "credential profile" {
        /// the chip's certificate from its maker
        Chip = 1 "chip",
        /// IDevID: the maker's, long-lived (IEEE 802.1AR)
        Idevid = 2 "idevid",
        /// LDevID: the owner's, short-lived
        Ldevid = 3 "ldevid",
    }
}

named! {
    /// Why something was suspended, revoked or retired.
    pub enum Cause: "cause" {
        /// the private key is, or may be, in other hands
        KeyCompromise = 1 "key-compromise",
        /// lost or stolen
        Lost = 2 "lost",
        /// found to be a counterfeit
        Counterfeit = 3 "counterfeit",
        /// a vulnerability without remedy yet
        Vulnerability = 4 "vulnerability",
        /// recalled by the maker
        Recall = 5 "recall",
        /// broken beyond repair
        Broken = 6 "broken",
        /// end of life or of support
        EndOfLife = 7 "end-of-life",
        /// contract or use has ended
        EndOfUse = 8 "end-of-use",
        /// ordered by an authority
        Order = 9 "order",
        /// behaves as it should not
        Anomaly = 10 "anomaly",
        /// replaced by another credential or device
        Superseded = 11 "superseded",
    }
}

impl Cause {
    /// The cause for people.
    pub fn text(self) -> Text {
        match self {
            Self::KeyCompromise => text("秘密鍵の漏えい(疑いを含む)", "private key compromised"),
            Self::Lost => text("紛失・盗難", "lost or stolen"),
            Self::Counterfeit => text("偽造品と判明", "found to be counterfeit"),
            Self::Vulnerability => text("未対策の脆弱性", "unremedied vulnerability"),
            Self::Recall => text("製造者による回収", "recalled by its maker"),
            Self::Broken => text("修理不能の故障", "broken beyond repair"),
            Self::EndOfLife => text("製品寿命・サポートの終了", "end of life or support"),
            Self::EndOfUse => text("契約・利用の終了", "end of contract or use"),
            Self::Order => text("当局の命令", "order of an authority"),
            Self::Anomaly => text("異常な挙動", "anomalous behaviour"),
            Self::Superseded => text("後継への切替え", "superseded"),
        }
    }
}

/// A part in a parts list (TR-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// the part's own device id
    pub device: DeviceId,
    /// what it is
    pub kind: DeviceKind,
}

/// A certificate of a device, as its history names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// SHA-256 of the certificate in DER
    pub certificate: Sha256,
    /// SHA-256 of its SubjectPublicKeyInfo
    pub key: Sha256,
    /// which certificate it is
    pub profile: CredentialProfile,
    /// on whose behalf it was issued: the maker (chip, IDevID) or the owner (LDevID)
    pub organisation: OrganisationId,
    /// end of its validity
    pub not_after: UnixTime,
}

/// What happened to a device, with the details of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// First event of a chip: it has its root of trust and key.
    ChipMade {
        /// prototype or product
        build: Build,
        /// product line
        product: Option<ProductId>,
        /// what keeps the key
        root_of_trust: RootOfTrust,
        /// SHA-256 of the public key (SubjectPublicKeyInfo)
        key: Sha256,
    },
    /// First event of a module, board or device.
    Assembled {
        /// module, board or device
        kind: DeviceKind,
        /// prototype or product
        build: Build,
        /// product line
        product: ProductId,
        /// what keeps the device's own key, where it has one
        root_of_trust: Option<RootOfTrust>,
        /// SHA-256 of its own public key, where it has one
        key: Option<Sha256>,
        /// parts that it was assembled from, ascending by id
        parts: Vec<Part>,
    },
    /// A part was put in during manufacture or repair.
    PartInstalled {
        /// the part
        part: Part,
    },
    /// A part was taken out during manufacture, repair or after retirement.
    PartRemoved {
        /// the part
        part: DeviceId,
    },
    /// This part was put into a host.
    InstalledInto {
        /// the host
        host: DeviceId,
    },
    /// This part was taken out of its host.
    RemovedFrom {
        /// the host
        host: DeviceId,
        /// who holds the part now
        holder: OrganisationId,
    },
    /// A certificate was issued to the device.
    CredentialIssued(Credential),
    /// A certificate of the device was revoked.
    CredentialRevoked {
        /// SHA-256 of the certificate
        certificate: Sha256,
        /// why
        cause: Cause,
    },
    /// A test or inspection was done.
    Tested {
        /// whether it passed
        passed: bool,
        /// what it was tested against
        standard: Option<String>,
    },
    /// Custody: sent off.
    Shipped {
        /// to whom
        to: OrganisationId,
    },
    /// Custody: received.
    Received {
        /// from whom
        from: OrganisationId,
    },
    /// Taken into an owner's domain.
    Onboarded {
        /// the owner; always the present one
        owner: OrganisationId,
    },
    /// Works from now on.
    OperationStarted,
    /// The owner offers ownership.
    TransferOffered {
        /// to whom
        to: OrganisationId,
    },
    /// Ownership changes; the former owner's access ends in the same step (LC-4).
    TransferAccepted {
        /// from whom
        from: OrganisationId,
    },
    /// The offer is withdrawn or declined.
    TransferCancelled,
    /// Repair begins.
    RepairStarted {
        /// who repairs
        repairer: OrganisationId,
        /// what is wrong
        fault: Option<String>,
    },
    /// A part was exchanged during repair.
    PartExchanged {
        /// part taken out
        old: DeviceId,
        /// part put in
        new: Part,
    },
    /// Repair ends; the device returns to the phase it came from.
    RepairFinished,
    /// Not to be trusted for the time being.
    Suspended {
        /// why
        cause: Cause,
    },
    /// The suspension ends.
    Released,
    /// Not to be trusted any more, for ever.
    Revoked {
        /// why
        cause: Cause,
    },
    /// Out of use for good.
    Retired {
        /// why
        cause: Cause,
    },
    /// Destroyed; its history is closed.
    Disposed {
        /// digest of the device's proof that its keys are erased, where it can give one
        erasure_proof: Option<Sha256>,
    },
    /// Alarm: showed up after retirement or disposal.
    Reappeared {
        /// key that it showed, where it showed one
        key: Option<Sha256>,
    },
    /// Alarm: a proof of possession was refused.
    ProofRefused {
        /// why
        reason: ReasonCode,
        /// the key that was to be proven
        key: Option<Sha256>,
        /// counters, where they are the reason: highest seen, presented
        counters: Option<(u64, u64)>,
    },
    /// Alarm: a part of this device, or this device as a part, is claimed by another device too.
    PartSeenElsewhere {
        /// the part
        part: DeviceId,
        /// the other device
        other: DeviceId,
    },
    /// The payloads of earlier events were erased (PR-4); their commitments remain.
    Erased {
        /// sequence numbers of the erased events, ascending
        sequences: Vec<u64>,
    },
    /// An update came to an end.
    Updated {
        /// what came of it
        result: UpdateResult,
        /// the release that it was about: to install, to go back to, or that runs now
        release: NamedRelease,
        /// the campaign, where it was one
        campaign: Option<[u8; 16]>,
        /// why, as a stable code
        reason: Option<String>,
    },
}

impl EventKind {
    /// The kind without details.
    pub fn kind(&self) -> Kind {
        match self {
            Self::ChipMade { .. } => Kind::ChipMade,
            Self::Assembled { .. } => Kind::Assembled,
            Self::PartInstalled { .. } => Kind::PartInstalled,
            Self::PartRemoved { .. } => Kind::PartRemoved,
            Self::InstalledInto { .. } => Kind::InstalledInto,
            Self::RemovedFrom { .. } => Kind::RemovedFrom,
            Self::CredentialIssued(_) => Kind::CredentialIssued,
            Self::CredentialRevoked { .. } => Kind::CredentialRevoked,
            Self::Tested { .. } => Kind::Tested,
            Self::Shipped { .. } => Kind::Shipped,
            Self::Received { .. } => Kind::Received,
            Self::Onboarded { .. } => Kind::Onboarded,
            Self::OperationStarted => Kind::OperationStarted,
            Self::TransferOffered { .. } => Kind::TransferOffered,
            Self::TransferAccepted { .. } => Kind::TransferAccepted,
            Self::TransferCancelled => Kind::TransferCancelled,
            Self::RepairStarted { .. } => Kind::RepairStarted,
            Self::PartExchanged { .. } => Kind::PartExchanged,
            Self::RepairFinished => Kind::RepairFinished,
            Self::Suspended { .. } => Kind::Suspended,
            Self::Released => Kind::Released,
            Self::Revoked { .. } => Kind::Revoked,
            Self::Retired { .. } => Kind::Retired,
            Self::Disposed { .. } => Kind::Disposed,
            Self::Reappeared { .. } => Kind::Reappeared,
            Self::ProofRefused { .. } => Kind::ProofRefused,
            Self::PartSeenElsewhere { .. } => Kind::PartSeenElsewhere,
            Self::Erased { .. } => Kind::Erased,
            Self::Updated { .. } => Kind::Updated,
        }
    }
}
