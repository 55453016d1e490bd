use super::{Party, Phase, StandingKind};
use crate::{
    OrganisationId,
    event::Kind,
    language::{Language, Text, text},
    named::named,
};
use std::fmt;

named! {
    /// Why a move is illegal; the names are stable.
    pub enum IllegalMoveCode: "reason of refusal" {
        /// the history has not begun and this event cannot begin one
        NotBegun = 1 "not-begun",
        /// the history has begun already
        AlreadyBegun = 2 "already-begun",
        /// event of another device
        OtherDevice = 3 "other-device",
        /// not the next sequence number
        WrongSequence = 4 "wrong-sequence",
        /// names another previous event than the last one
        WrongPrevious = 5 "wrong-previous",
        /// earlier than the event before
        TimeRunsBack = 6 "time-runs-back",
        /// later than now
        TimeInFuture = 7 "time-in-future",
        /// the phase does not allow it
        PhaseForbids = 8 "phase-forbids",
        /// the standing does not allow it
        StandingForbids = 9 "standing-forbids",
        /// the history is closed
        HistoryClosed = 10 "history-closed",
        /// the reporter has no right to report it
        NotEntitled = 11 "not-entitled",
        /// the device is on its way
        InTransit = 12 "in-transit",
        /// nothing was shipped
        NotInTransit = 13 "not-in-transit",
        /// another transfer is pending
        TransferPending = 14 "transfer-pending",
        /// no transfer is pending
        NoTransferPending = 15 "no-transfer-pending",
        /// an organisation named in the details is not the one on record
        OtherOrganisation = 16 "other-organisation",
        /// the part is in the list already
        PartPresent = 17 "part-present",
        /// the part is not in the list
        PartAbsent = 18 "part-absent",
        /// the device would be its own part or host
        OwnPart = 19 "own-part",
        /// too many parts
        TooManyParts = 20 "too-many-parts",
        /// the credential is in the list already
        CredentialPresent = 21 "credential-present",
        /// the credential is not in the list
        CredentialAbsent = 22 "credential-absent",
        /// too many valid credentials
        TooManyCredentials = 23 "too-many-credentials",
        /// installed in another host than named
        OtherHost = 24 "other-host",
        /// names an event that does not exist yet
        NoSuchEvent = 25 "no-such-event",
        /// offers or ships to itself
        ToItself = 26 "to-itself",
    }
}

impl IllegalMoveCode {
    /// What is wrong and what to do, for people.
    pub fn text(self) -> Text {
        match self {
            Self::NotBegun => text(
                "履歴の最初のイベントは「チップ製造」または「組立」でなければなりません",
                "a history begins with chip-made or assembled; report that first",
            ),
            Self::AlreadyBegun => text(
                "この機器の履歴はすでに始まっています。製造・組立は一度しか記録できません",
                "this device's history has begun; making it can be reported only once",
            ),
            Self::OtherDevice => text(
                "別の機器のイベントです。機器IDを確認してください",
                "the event belongs to another device; check the device id",
            ),
            Self::WrongSequence => text(
                "通し番号が続いていません。最新の状態を取得し、次の番号で署名し直してください",
                "not the next sequence number; fetch the present state and sign again",
            ),
            Self::WrongPrevious => text(
                "直前のイベントのコミットメントが一致しません。最新の状態を取得し、署名し直してください",
                "the previous commitment is not the last event's; fetch the present state and sign again",
            ),
            Self::TimeRunsBack => text(
                "直前のイベントより前の日時です。時計を確認してください",
                "the time lies before the event before; check the clock",
            ),
            Self::TimeInFuture => text(
                "未来の日時です。時計を確認してください",
                "the time lies in the future; check the clock",
            ),
            Self::PhaseForbids => text(
                "現在の段階では記録できないイベントです",
                "the device's phase does not allow this event",
            ),
            Self::StandingForbids => text(
                "現在の信頼状態(一時停止・失効など)では記録できないイベントです",
                "the device's standing (suspended, revoked) does not allow this event",
            ),
            Self::HistoryClosed => text(
                "廃棄済みのため履歴は閉じられています",
                "the device is disposed of and its history is closed",
            ),
            Self::NotEntitled => text(
                "報告した組織には、このイベントを報告する権限がありません",
                "the reporting organisation is not entitled to report this event",
            ),
            Self::InTransit => text(
                "輸送中です。先に受領を記録してください",
                "the device is on its way; report its receipt first",
            ),
            Self::NotInTransit => text(
                "出荷が記録されていないため、受領できません",
                "no shipment is on record that could be received",
            ),
            Self::TransferPending => text(
                "別の所有権移転が手続き中です。先に受諾または取りやめを記録してください",
                "another transfer of ownership is pending; accept or cancel it first",
            ),
            Self::NoTransferPending => {
                text("手続き中の所有権移転がありません", "no transfer of ownership is pending")
            }
            Self::OtherOrganisation => text(
                "イベントに書かれた組織が、記録上の組織と一致しません",
                "the organisation named in the event is not the one on record",
            ),
            Self::PartPresent => {
                text("その部品はすでに部品表にあります", "the part is in the parts list already")
            }
            Self::PartAbsent => {
                text("その部品は部品表にありません", "the part is not in the parts list")
            }
            Self::OwnPart => text(
                "機器を自分自身の部品や組込み先にすることはできません",
                "a device cannot be its own part or host",
            ),
            Self::TooManyParts => text(
                "部品が多すぎます。モジュールや基板に分けて登録してください",
                "too many parts; register modules or boards with parts of their own",
            ),
            Self::CredentialPresent => {
                text("その証明書はすでに記録されています", "the credential is on record already")
            }
            Self::CredentialAbsent => text(
                "その証明書は有効な証明書として記録されていません",
                "the credential is not among the valid ones on record",
            ),
            Self::TooManyCredentials => text(
                "有効な証明書が多すぎます。不要な証明書を先に失効させてください",
                "too many valid credentials; revoke those not needed first",
            ),
            Self::OtherHost => text(
                "記録上は別の機器に組み込まれています",
                "on record the part is installed in another device",
            ),
            Self::NoSuchEvent => text(
                "まだ存在しないイベントを指しています",
                "names an event that does not exist yet",
            ),
            Self::ToItself => text(
                "相手先が現在の所有者・保管者と同じです",
                "the other party is the present owner or holder itself",
            ),
        }
    }
}

/// A refused event: what, where and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllegalMove {
    /// why
    pub code: IllegalMoveCode,
    /// the event
    pub kind: Kind,
    /// who reported it
    pub reporter: OrganisationId,
    /// phase of the device; absent where no history had begun
    pub phase: Option<Phase>,
    /// standing of the device
    pub standing: StandingKind,
}

impl IllegalMove {
    /// The whole explanation in `language`.
    pub fn explain(&self, language: Language) -> String {
        let rule = super::rule(self.kind);
        let reason = self.code.text().of(language);
        let event = self.kind.text().of(language);
        let allowed = match self.code {
            IllegalMoveCode::PhaseForbids => Some(join(rule.phases, Phase::text, language)),
            IllegalMoveCode::StandingForbids => {
                Some(join(rule.standings, StandingKind::text, language))
            }
            IllegalMoveCode::NotEntitled => Some(join(rule.parties, Party::text, language)),
            _ => None,
        };
        let phase = self.phase.map_or("—", |phase| phase.text().of(language));
        let standing = self.standing.text().of(language);
        match language {
            Language::Ja => {
                let allowed =
                    allowed.map(|list| format!("。許されるのは: {list}")).unwrap_or_default();
                format!(
                    "「{event}」は記録できません: {reason}(段階: {phase}、信頼状態: {standing}、報告者: {}){allowed}",
                    self.reporter
                )
            }
            Language::En => {
                let allowed = allowed.map(|list| format!("; allowed: {list}")).unwrap_or_default();
                format!(
                    "{event} is refused: {reason} (phase: {phase}, standing: {standing}, reporter: {}){allowed}",
                    self.reporter
                )
            }
        }
    }
}

fn join<T: Copy>(items: &[T], text: impl Fn(T) -> Text, language: Language) -> String {
    let texts: Vec<&str> = items.iter().map(|item| text(*item).of(language)).collect();
    match language {
        Language::Ja => texts.join("、"),
        Language::En => texts.join(", "),
    }
}

impl fmt::Display for IllegalMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain(Language::En))
    }
}

impl std::error::Error for IllegalMove {}
