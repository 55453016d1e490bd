use crate::Action;

/// Declares the acts once: variant, stable name, right that the requester needs, texts.
macro_rules! acts {
    ($($variant:ident $name:literal $action:ident $en:literal $ja:literal,)+) => {
        /// An act for which an organisation may want a second person (AU-5, KM-2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Act {
            $(#[doc = $en] $variant,)+
        }

        impl Act {
            /// Every act, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it is, in English.
            pub fn english(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }

            /// What it is, in Japanese.
            pub fn japanese(self) -> &'static str {
                match self { $(Self::$variant => $ja,)+ }
            }

            /// The right that it takes. Whoever approves needs it too.
            pub fn action(self) -> Action {
                match self { $(Self::$variant => Action::$action,)+ }
            }
        }
    };
}

acts! {
    RetireCa "retire-ca" RetireIssuingCa "retire an issuing CA" "発行CAの廃止",
    ApproveProduction "approve-production" CreateIssuingCa
        "let a product line's CA issue identities" "製品ラインの発行CAの使用開始（量産の承認）",
    ChangeRoles "change-roles" ManagePeople
        "make or remove an administrator, change a person's roles" "管理者の追加・削除、役割の変更",
    Export "export" ListDevices "export devices as a file" "機器データの書き出し",
    Erase "erase" EraseDevice "erase contents of a device's history" "機器の履歴の内容の消去",
    RevokeDevice "revoke-device" RevokeDevice "revoke a device for good" "機器の失効",
    BulkRevoke "bulk-revoke" RevokeDevice "revoke many devices at a time" "機器の一括失効",
    ResetDevice "reset-device" ResetDevice
        "have a device forget its settings or erase its keys" "機器の初期化・鍵の消去の指示",
    RecoverPerson "recover-person" RecoverPerson
        "let a person who lost every passkey in again" "パスキーをすべて失った人の復旧",
    PublishRelease "publish-release" PublishRelease
        "publish a release" "リリースの公開",
    OverruleGate "overrule-gate" OverruleGate
        "publish a release although its gate is not met" "公開条件を満たさないリリースの公開",
    StartCampaign "start-campaign" StartCampaign
        "start a campaign over more than ten devices" "10台を超える更新キャンペーンの開始",
    SuspendOrganisation "suspend-organisation" SuspendOrganisation
        "suspend, resume or rename an organisation" "組織の停止・再開、名称の変更",
    SignDiagnosis "sign-diagnosis" SignDiagnosis "sign a diagnosis" "診断への署名",
    OverruleOperation "overrule-operation" OverruleOperation
        "let a product line enter operation although its gate is not met"
        "運用開始の条件を満たさない製品ラインの運用開始",
    RelaxOperation "relax-operation" ManageOperationGate
        "ask less of product lines before operation" "運用開始の条件の緩和",
    ChangePolicy "change-policy" ManageApprovalPolicy
        "change which acts need a second person" "二人承認の方針の変更",
}

impl Act {
    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|act| act.name() == name)
    }

    /// Whether the organisation chooses: recovery, the sign-off of a diagnosis and what weakens the gate
    /// of operation always need a second person, a campaign wherever there are two administrators, and
    /// a change of the policy wherever the policy has anything to protect.
    pub fn is_chosen(self) -> bool {
        !self.is_always_guarded() && !matches!(self, Self::StartCampaign | Self::ChangePolicy)
    }

    /// Whether it needs a second person whatever anybody chose.
    pub fn is_always_guarded(self) -> bool {
        matches!(
            self,
            Self::RecoverPerson
                | Self::SignDiagnosis
                | Self::OverruleOperation
                | Self::RelaxOperation
        )
    }
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_texts_are_there() {
        for act in Act::ALL {
            assert_eq!(Act::from_name(act.name()), Some(*act));
            assert!(!act.english().is_empty() && !act.japanese().is_ascii());
        }
        assert_eq!(Act::from_name("nothing"), None);
    }
}
