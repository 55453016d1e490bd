use crate::{
    language::{Text, text},
    named::named,
};

named! {
    /// How much a reason weighs; later variants weigh more.
    pub enum Severity: "severity" {
        /// worth knowing; changes nothing
        Note = 1 "note",
        /// the device may not be what it should be
        Suspect = 2 "suspect",
        /// not genuine, or not to be trusted now
        Reject = 3 "reject",
    }
}

named! {
    /// What a reason is about (TR-4).
    pub enum Layer: "layer" {
        /// the chip with its root of trust
        Chip = 1 "chip",
        /// a board or module
        Board = 2 "board",
        /// the device as a whole, with its history
        Device = 3 "device",
        /// what runs on it
        Firmware = 4 "firmware",
        /// owner, and the credential that the owner gave it
        Owner = 5 "owner",
        /// platform: its log, statements and keys
        Service = 6 "service",
    }
}

impl Layer {
    /// The layer for people.
    pub fn text(self) -> Text {
        match self {
            Self::Chip => text("チップ", "chip"),
            Self::Board => text("基板・モジュール", "board"),
            Self::Device => text("機器", "device"),
            Self::Firmware => text("ファームウェア", "firmware"),
            Self::Owner => text("所有者", "owner"),
            Self::Service => text("サービス", "service"),
        }
    }
}

named! {
    /// Why a verdict is not plainly *genuine*. Names and numbers are stable: programs compare them.
    pub enum ReasonCode: "reason code" {
        /// no history of this device exists
        UnknownDevice = 1 "unknown-device",
        /// certificate from nobody that is trusted
        UnknownMaker = 2 "unknown-maker",
        /// certificate does not lead to its issuer as it should
        ChainBroken = 3 "chain-broken",
        /// algorithm or key too weak
        WeakAlgorithm = 4 "weak-algorithm",
        /// certificate has expired
        Expired = 5 "expired",
        /// certificate is not valid yet
        NotYetValid = 6 "not-yet-valid",
        /// certificate or device was revoked
        Revoked = 7 "revoked",
        /// certificate or device is suspended
        Suspended = 8 "suspended",
        /// the holder of the certificate does not hold its key
        NoPossession = 9 "no-possession",
        /// nobody asked for, or gave, a proof of possession
        PossessionUnproven = 10 "possession-unproven",
        /// two hold one key: counters forked
        KeyCopied = 11 "key-copied",
        /// an old proof was presented again
        Replayed = 12 "replayed",
        /// presented by, or certified for, somebody who is not the owner
        WrongOwner = 13 "wrong-owner",
        /// a part is claimed by two devices
        PartDuplicated = 14 "part-duplicated",
        /// a part was revoked
        PartRevoked = 15 "part-revoked",
        /// a part is suspended
        PartSuspended = 16 "part-suspended",
        /// a part without a history
        PartUnknown = 17 "part-unknown",
        /// a part was retired or disposed of
        PartRetired = 18 "part-retired",
        /// the history holds, or the use implies, a move that is not legal
        IllegalState = 19 "illegal-state",
        /// out of use for good
        Retired = 20 "retired",
        /// retired, and alive all the same
        RetiredReappeared = 21 "retired-reappeared",
        /// destroyed on record
        Disposed = 22 "disposed",
        /// destroyed on record, and alive all the same
        DisposedReappeared = 23 "disposed-reappeared",
        /// an event is not what was recorded
        HistoryAltered = 24 "history-altered",
        /// events are missing
        HistoryIncomplete = 25 "history-incomplete",
        /// events or statement of another device
        HistoryForeign = 26 "history-foreign",
        /// an event signed by somebody else than its reporter
        ReporterUntrusted = 27 "reporter-untrusted",
        /// the log's checkpoint is not signed by a trusted log
        LogUnverified = 28 "log-unverified",
        /// too few witnesses confirm the log
        WitnessesMissing = 29 "witnesses-missing",
        /// the platform's statement is not signed by a trusted platform
        StatementUntrusted = 30 "statement-untrusted",
        /// the platform's statement contradicts the history
        StatementContradicted = 31 "statement-contradicted",
        /// evidence too old
        StaleEvidence = 32 "stale-evidence",
        /// nobody knows whether the certificate was revoked
        RevocationUnknown = 33 "revocation-unknown",
        /// the key is not protected well enough
        WeakRootOfTrust = 34 "weak-root-of-trust",
        /// the device's or the verifier's clock is wrong
        ClockUntrusted = 35 "clock-untrusted",
        /// a prototype in use
        Prototype = 36 "prototype",
        /// certificate that the history does not know
        CredentialUnlisted = 37 "credential-unlisted",
        /// contents of events were erased on purpose
        PayloadErased = 38 "payload-erased",
        /// ownership is offered to somebody
        TransferPending = 39 "transfer-pending",
        /// an older release than the newest that its maker has published
        SoftwareOutdated = 40 "software-outdated",
        /// a release whose security version is below its product's floor
        BelowSecurityFloor = 41 "below-security-floor",
        /// the last update failed, or was undone
        UpdateFailed = 42 "update-failed",
        /// it is fed older metadata of updates than are given out
        MetadataFrozen = 43 "metadata-frozen",
        /// it found itself unfit when it tested itself
        SelfTestFailed = 44 "self-test-failed",
    }
}

impl ReasonCode {
    /// How much the reason weighs unless policy says more. Policy never says less.
    pub fn severity(self) -> Severity {
        match self {
            Self::PossessionUnproven
            | Self::PayloadErased
            | Self::TransferPending
            | Self::SoftwareOutdated
            | Self::UpdateFailed => Severity::Note,
            Self::WeakAlgorithm
            | Self::PartDuplicated
            | Self::PartSuspended
            | Self::PartUnknown
            | Self::WitnessesMissing
            | Self::StaleEvidence
            | Self::RevocationUnknown
            | Self::WeakRootOfTrust
            | Self::ClockUntrusted
            | Self::Prototype
            | Self::BelowSecurityFloor
            | Self::MetadataFrozen
            | Self::SelfTestFailed => Severity::Suspect,
            Self::UnknownDevice
            | Self::UnknownMaker
            | Self::ChainBroken
            | Self::Expired
            | Self::NotYetValid
            | Self::Revoked
            | Self::Suspended
            | Self::NoPossession
            | Self::KeyCopied
            | Self::Replayed
            | Self::WrongOwner
            | Self::PartRevoked
            | Self::PartRetired
            | Self::IllegalState
            | Self::Retired
            | Self::RetiredReappeared
            | Self::Disposed
            | Self::DisposedReappeared
            | Self::HistoryAltered
            | Self::HistoryIncomplete
            | Self::HistoryForeign
            | Self::ReporterUntrusted
            | Self::LogUnverified
            | Self::StatementUntrusted
            | Self::StatementContradicted
            | Self::CredentialUnlisted => Severity::Reject,
        }
    }

    /// What it means and what to do, for people.
    pub fn text(self) -> Text {
        match self {
            Self::UnknownDevice => text(
                "この機器の履歴は登録されていません。機器IDと入手経路を確認してください",
                "no history of this device is registered; check its id and where it came from",
            ),
            Self::UnknownMaker => text(
                "証明書の発行元が、信頼するルート認証局につながりません。未知の製造者です",
                "the certificate leads to no trusted root; its maker is unknown",
            ),
            Self::ChainBroken => text(
                "証明書チェーンの検証に失敗しました",
                "the certificate chain does not validate",
            ),
            Self::WeakAlgorithm => text(
                "暗号アルゴリズムまたは鍵長が基準を満たしません。より強い鍵へ移行してください",
                "the algorithm or key is weaker than required; migrate to a stronger key",
            ),
            Self::Expired => text(
                "証明書の有効期限が切れています。更新してください",
                "the certificate has expired; renew it",
            ),
            Self::NotYetValid => text(
                "証明書の有効期間がまだ始まっていません。時計を確認してください",
                "the certificate is not valid yet; check the clocks",
            ),
            Self::Revoked => text(
                "失効しています。今後も信頼できません",
                "it was revoked and is not to be trusted again",
            ),
            Self::Suspended => text(
                "一時停止中です。解除されるまで信頼できません",
                "it is suspended and not to be trusted until released",
            ),
            Self::NoPossession => text(
                "証明書に対応する秘密鍵の所持を証明できませんでした。証明書だけを複製した偽造品の疑いがあります",
                "possession of the certificate's private key was not proven; the certificate may have been copied onto a counterfeit",
            ),
            Self::PossessionUnproven => text(
                "秘密鍵の所持は確認していません。目の前の機器がこの履歴の機器である保証はありません",
                "possession of the private key was not checked; the device at hand need not be the one of this history",
            ),
            Self::KeyCopied => text(
                "カウンターが逆行しました。同じ秘密鍵を持つ機器が二台以上あります(鍵の複製)",
                "the counter fell behind: more than one device holds this private key",
            ),
            Self::Replayed => text(
                "過去の応答が再送されました。新しいチャレンジで確認し直してください",
                "an old answer was sent again; ask with a fresh challenge",
            ),
            Self::WrongOwner => text(
                "提示した組織は現在の所有者ではありません。所有権の移転手続きを確認してください",
                "whoever presents it is not the present owner; check whether ownership was transferred",
            ),
            Self::PartDuplicated => text(
                "同じ部品が別の機器でも使われています。どちらかが偽造品です",
                "a part is claimed by another device too; one of them is a counterfeit",
            ),
            Self::PartRevoked => text(
                "失効した部品が使われています。交換してください",
                "a part was revoked; exchange it",
            ),
            Self::PartSuspended => text("一時停止中の部品が使われています", "a part is suspended"),
            Self::PartUnknown => {
                text("履歴のない部品が使われています", "a part has no registered history")
            }
            Self::PartRetired => text(
                "使用終了または廃棄済みの部品が使われています",
                "a part was retired or disposed of on record",
            ),
            Self::IllegalState => text(
                "ライフサイクル上ありえない状態です。必要な手続きを経ていません",
                "not possible by the rules of the life cycle; a required step was skipped",
            ),
            Self::Retired => text("使用終了の機器です", "the device is retired"),
            Self::RetiredReappeared => text(
                "使用終了のはずの機器が稼働しています。不正な再利用の疑いがあります",
                "the device is retired on record, yet it is alive; it may be reused unlawfully",
            ),
            Self::Disposed => text("廃棄済みの機器です", "the device is disposed of"),
            Self::DisposedReappeared => text(
                "廃棄済みのはずの機器が現れました。横流しまたは複製の疑いがあります",
                "the device is disposed of on record, yet it is alive; it was diverted or copied",
            ),
            Self::HistoryAltered => text("履歴が改ざんされています", "the history was altered"),
            Self::HistoryIncomplete => {
                text("履歴の一部が欠けています", "events are missing from the history")
            }
            Self::HistoryForeign => text(
                "別の機器の履歴または証明が混ざっています",
                "events or statement of another device are mixed in",
            ),
            Self::ReporterUntrusted => text(
                "イベントの署名者が、報告した組織の正当な署名者ではありません",
                "an event is not signed by a trusted signer of the organisation that reports it",
            ),
            Self::LogUnverified => text(
                "台帳のチェックポイントを検証できません。信頼するログ鍵を確認してください",
                "the checkpoint is not signed by a trusted log; check the log keys you trust",
            ),
            Self::WitnessesMissing => text(
                "台帳を確認した証人(ウィットネス)の数が足りません",
                "fewer witnesses than required confirm the log",
            ),
            Self::StatementUntrusted => text(
                "プラットフォームの証明(ステートメント)が信頼できる署名ではありません",
                "the platform's statement is not signed by a trusted platform",
            ),
            Self::StatementContradicted => text(
                "プラットフォームの証明(ステートメント)と履歴が食い違っています",
                "the platform's statement contradicts the history",
            ),
            Self::StaleEvidence => text(
                "証拠が古くなっています。最新のものを取得してください",
                "the evidence is too old; fetch it anew",
            ),
            Self::RevocationUnknown => {
                text("失効状態を確認できません", "whether the certificate was revoked is unknown")
            }
            Self::WeakRootOfTrust => text(
                "秘密鍵を守る信頼の基点(ルート・オブ・トラスト)が、求められる強さに達していません",
                "the root of trust that keeps the key is weaker than required",
            ),
            Self::ClockUntrusted => text(
                "時計を信頼できません。時刻を合わせてから確認し直してください",
                "a clock cannot be trusted; set it and ask again",
            ),
            Self::Prototype => text("試作品が使われています", "a prototype is in use"),
            Self::CredentialUnlisted => text(
                "履歴に記録のない証明書です。不正に発行された疑いがあります",
                "the history does not know this certificate; it may have been issued unlawfully",
            ),
            Self::PayloadErased => text(
                "一部のイベントの内容は正規の手続きで消去されています",
                "the contents of some events were erased by due process",
            ),
            Self::TransferPending => {
                text("所有権の移転が手続き中です", "a transfer of ownership is pending")
            }
            Self::SoftwareOutdated => text(
                "最新より古いソフトウェアで動作しています。更新を計画してください",
                "it runs an older release than the newest; plan an update",
            ),
            Self::BelowSecurityFloor => text(
                "製品のセキュリティ下限を下回るソフトウェアで動作しています。速やかに更新してください",
                "it runs software below the security floor of its product; update it soon",
            ),
            Self::UpdateFailed => text(
                "直近のソフトウェア更新が失敗したか、取り消されています。原因を確認してください",
                "the last software update failed or was undone; find out why",
            ),
            Self::MetadataFrozen => text(
                "古い更新情報しか届いていません。配信経路（ミラー）が止められている疑いがあります",
                "it is fed older update metadata than are given out; what stands between holds them back",
            ),
            Self::SelfTestFailed => text(
                "起動時の自己診断で異常が見つかっています。診断結果を確認してください",
                "it found itself unfit when it tested itself; look at what it found",
            ),
        }
    }
}
