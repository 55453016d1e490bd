//! What is asked for, in a canonical form: the same request always has the same bytes.

use device::Language;
use serde::{Deserialize, Serialize};

/// An act with its arguments. The order of variants' fields is the order of the stored JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(crate) enum Intent {
    /// carried out on approval
    ChangeRoles { person: String, roles: String },
    /// carried out on approval
    RemovePerson { person: String },
    /// carried out on approval
    RemoveMember { certificate: String },
    /// carried out on approval
    ChangePolicy { act: String, required: bool },
    /// carried out on approval
    RetireCa { ca: String },
    /// carried out on approval
    RevokeDevice { device: String, cause: String },
    /// the requester repeats it and gets the link
    Invite { handle: String, roles: String },
    /// the requester repeats it and gets the link
    Recover { person: String },
    /// the requester repeats it and gets the certificate
    AddMember { name: String, roles: String, key: String },
    /// the requester repeats it with the CA's certificate
    InstallCa { ca: String, certificate: String },
    /// the requester repeats it: what other use cases ask, in their own words
    Repeat { what: String, arguments: String },
}

impl Intent {
    /// Whether approval carries it out; otherwise the requester asks again.
    pub(super) fn is_carried_out(&self) -> bool {
        matches!(
            self,
            Self::ChangeRoles { .. }
                | Self::RemovePerson { .. }
                | Self::RemoveMember { .. }
                | Self::ChangePolicy { .. }
                | Self::RetireCa { .. }
                | Self::RevokeDevice { .. }
        )
    }

    /// One line for people.
    pub(super) fn summary(&self, language: Language) -> String {
        let ja = language == Language::Ja;
        match self {
            Self::ChangeRoles { person, roles } if ja => {
                format!("{person} の役割を {roles} にする")
            }
            Self::ChangeRoles { person, roles } => {
                format!("change the roles of {person} to {roles}")
            }
            Self::RemovePerson { person } if ja => format!("{person} を削除する"),
            Self::RemovePerson { person } => format!("remove {person}"),
            Self::RemoveMember { certificate } if ja => {
                format!("証明書 {certificate} の管理者を削除する")
            }
            Self::RemoveMember { certificate } => {
                format!("remove the administrator with the certificate {certificate}")
            }
            Self::ChangePolicy { act, required: true } if ja => {
                format!("{act} に二人目の承認を求める")
            }
            Self::ChangePolicy { act, required: true } => format!("want a second person for {act}"),
            Self::ChangePolicy { act, .. } if ja => format!("{act} に二人目の承認を求めない"),
            Self::ChangePolicy { act, .. } => format!("want no second person for {act} any more"),
            Self::RetireCa { ca } if ja => format!("発行CA {ca} を廃止する"),
            Self::RetireCa { ca } => format!("retire the issuing CA {ca}"),
            Self::RevokeDevice { device, cause } if ja => {
                format!("機器 {device} を失効させる（理由: {cause}）")
            }
            Self::RevokeDevice { device, cause } => {
                format!("revoke device {device} for good ({cause})")
            }
            Self::Invite { handle, roles } if ja => format!("{handle} を {roles} として招待する"),
            Self::Invite { handle, roles } => format!("invite {handle} as {roles}"),
            Self::Recover { person } if ja => {
                format!("パスキーをすべて失った {person} を復旧する")
            }
            Self::Recover { person } => {
                format!("let {person}, who lost every passkey, in again")
            }
            Self::AddMember { name, roles, .. } if ja => {
                format!("証明書で {name} を {roles} として追加する")
            }
            Self::AddMember { name, roles, .. } => {
                format!("add {name} as {roles} with a certificate")
            }
            Self::InstallCa { ca, .. } if ja => {
                format!("発行CA {ca} の使用を開始する（量産の承認）")
            }
            Self::InstallCa { ca, .. } => format!("let the issuing CA {ca} issue identities"),
            Self::Repeat { what, .. } => what.clone(),
        }
    }
}
