//! What is asked for, in a canonical form: the same request always has the same bytes, and all that
//! another person needs to know before it says yes.

use crypto::UnixTime;
use device::{Cause, Language};
use serde::{Deserialize, Serialize};

/// An act with its arguments. The order of variants' fields is the order of the stored JSON. People
/// are named by their ids: a handle that nobody took up may come to mean somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(crate) enum Intent {
    /// carried out on approval
    ChangeRoles { person: Who, before: String, roles: String },
    /// carried out on approval
    RemovePerson { person: Who, roles: String },
    /// carried out on approval
    RemoveMember { certificate: String, name: String, roles: String },
    /// carried out on approval
    ChangePolicy { act: String, required: bool },
    /// carried out on approval
    RetireCa { ca: String },
    /// carried out on approval
    RevokeDevice {
        device: String,
        serial_number: String,
        cause: String,
        /// in words; taken out as soon as the request is over
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// carried out on approval. `contents`: SHA-256 of all that is published; `overruled`: open items
    /// of the gate
    PublishRelease {
        release: String,
        product: String,
        version: String,
        contents: String,
        overruled: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// carried out on approval; `plan`: SHA-256 of what was proposed, `root`: of the tree of members
    StartCampaign {
        campaign: String,
        name: String,
        product: String,
        release: String,
        version: String,
        members: u64,
        root: String,
        search: String,
        plan: String,
    },
    /// carried out on approval; `open`: items that are not verified, `until`: seconds since 1970
    OverruleOperation { product: String, open: Vec<String>, reason: String, until: i64 },
    /// carried out on approval; `before`: all that was asked for, in words
    RelaxOperation {
        organisation: String,
        before: String,
        required: bool,
        weight: u8,
        items: Vec<String>,
        signed: bool,
    },
    /// carried out on approval; `content`: SHA-256 of the answers
    SignDiagnosis { diagnosis: String, product: String, subject: String, content: String },
    /// carried out on approval; `said`: the reason, or the new name
    ChangeOrganisation { organisation: String, change: String, before: String, said: String },
    /// the requester repeats it and gets the link
    Invite { handle: String, name: String, roles: String },
    /// the requester repeats it and gets the link
    InviteAgain { person: Who, roles: String },
    /// the requester repeats it and gets the link
    Recover { person: Who, roles: String },
    /// the requester repeats it and gets the certificate
    AddMember { name: String, roles: String, key: String },
    /// the requester repeats it; both gates as JSON
    LowerGate { product: String, before: String, after: String },
    /// the requester repeats it with the CA's certificate
    InstallCa { ca: String, certificate: String },
    /// the requester sends the event again
    RevokeByEvent { device: String, cause: String, event: String },
    /// the requester repeats it; `change`: *revoke* or *suspend*
    ChangeCertificate { change: String, name: String, certificate: String },
    /// the requester repeats it. `all`: whatever there was to erase when it was asked for
    EraseEvents { device: String, all: bool, sequences: Vec<u64> },
    /// the requester repeats it; the name is kept beside the request as long as it is open
    ErasePerson { reporter: String, name: String },
    /// the requester repeats it
    ResetDevice {
        device: String,
        serial_number: String,
        command: String,
        parameters: String,
        reason: String,
    },
    /// the requester repeats it and gets the file
    Export { filter: String },
    /// the requester repeats it and gets the file
    ExportResult { job: String },
    /// the requester repeats it; the devices are kept beside the request as long as it is open
    RevokeMany { count: usize, devices: String, filter: String, cause: String, reason: String },
}

/// A person, for the machine and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    /// 32 hexadecimal digits
    pub(crate) id: String,
    pub(crate) handle: String,
    pub(crate) name: String,
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.handle, self.name)
    }
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
                | Self::ChangeOrganisation { .. }
                | Self::StartCampaign { .. }
                | Self::SignDiagnosis { .. }
                | Self::OverruleOperation { .. }
                | Self::RelaxOperation { .. }
                | Self::PublishRelease { .. }
        )
    }

    /// Why, in the words of who asks.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::RevokeDevice { reason, .. } => reason.as_deref(),
            _ => None,
        }
    }

    /// What makes two requests the same. What was there to erase grows while one waits: the request
    /// stays the same, and so does what it is about.
    pub(super) fn question(&self) -> Self {
        match self {
            Self::EraseEvents { device, all: true, .. } => {
                Self::EraseEvents { device: device.clone(), all: true, sequences: Vec::new() }
            }
            other => other.clone(),
        }
    }

    /// All of it for people, in one line. `name`: of the person whose traces are erased, where it is
    /// still known.
    pub(super) fn summary(&self, language: Language, name: Option<&str>) -> String {
        match language {
            Language::En => self.english(name),
            Language::Ja => self.japanese(name),
        }
    }

    fn english(&self, name: Option<&str>) -> String {
        let cause = |name: &str| cause(name, Language::En);
        match self {
            Self::ChangeRoles { person, before, roles } => {
                format!("change the roles of {person} from {before} to {roles}")
            }
            Self::RemovePerson { person, roles } => format!("remove {person}, now {roles}"),
            Self::RemoveMember { certificate, name, roles } => {
                format!("remove {name}, now {roles}, with the certificate {certificate}")
            }
            Self::ChangePolicy { act, required: true } => format!("want a second person for {act}"),
            Self::ChangePolicy { act, .. } => format!("want no second person for {act} any more"),
            Self::RetireCa { ca } => format!("retire the issuing CA {ca}"),
            Self::RevokeDevice { device, serial_number, cause: why, .. } => format!(
                "revoke device {device}, serial number {serial_number}, for good ({})",
                cause(why)
            ),
            Self::PublishRelease { release, product, version, contents, overruled, reason } => {
                let gate = match overruled.is_empty() {
                    true => String::new(),
                    false => format!(
                        ", although its gate is not met ({}), because “{}”",
                        overruled.join(", "),
                        reason.as_deref().unwrap_or_default()
                    ),
                };
                format!(
                    "publish version {version} of {product}: release {release}, contents \
                     {contents}{gate}"
                )
            }
            Self::StartCampaign { campaign, name, product, version, members, search, .. } => {
                format!(
                    "start the campaign “{name}”: {product} {version} on {members} devices, chosen by \
                 {search} (campaign {campaign})"
                )
            }
            Self::OverruleOperation { product, open, reason, until } => format!(
                "let {product} enter operation until {} although {} required items are not \
                 verified: {}; because “{reason}”",
                UnixTime(*until),
                open.len(),
                open.join(", ")
            ),
            Self::RelaxOperation { organisation, before, required, weight, items, signed } => {
                format!(
                    "ask less of product lines of {organisation} before operation: {before} → \
                     required {required}, weight {weight}, items [{}], signed {signed}",
                    items.join(", ")
                )
            }
            Self::SignDiagnosis { diagnosis, product, subject, content } => {
                format!(
                    "sign the diagnosis of {product} {subject} (diagnosis {diagnosis}, contents {content})"
                )
            }
            Self::ChangeOrganisation { organisation, change, before, said } => {
                match change.as_str() {
                    "rename" => format!("rename {organisation} from “{before}” to “{said}”"),
                    change => format!("{change} {organisation} ({before}), because “{said}”"),
                }
            }
            Self::Invite { handle, name, roles } => format!("invite {handle} ({name}) as {roles}"),
            Self::InviteAgain { person, roles } => {
                format!("give {person}, who has not registered, a new link as {roles}")
            }
            Self::Recover { person, roles } => {
                format!("let {person}, now {roles}, who lost every passkey, in again")
            }
            Self::AddMember { name, roles, key } => {
                format!("add {name} as {roles} with a certificate for the key {key}")
            }
            Self::LowerGate { product, before, after } => {
                format!("make the release gate of {product} milder: from {before} to {after}")
            }
            Self::InstallCa { ca, certificate } => {
                format!(
                    "let the issuing CA {ca} issue identities, with the certificate {certificate}"
                )
            }
            Self::RevokeByEvent { device, cause: why, event } => format!(
                "revoke device {device} for good ({}) by the signed event {event}",
                cause(why)
            ),
            Self::ChangeCertificate { change, name, certificate } => {
                format!("{change} the certificate {certificate} of the administrator {name}")
            }
            Self::EraseEvents { device, sequences, .. } => format!(
                "erase the contents of {} events of device {device}: {}",
                sequences.len(),
                ranges(sequences)
            ),
            Self::ErasePerson { reporter, name: digest } => match name {
                Some(name) => format!("erase what {reporter} reported in the name of “{name}”"),
                None => format!(
                    "erase what {reporter} reported in the name of a person (SHA-256 {digest})"
                ),
            },
            Self::ResetDevice { device, serial_number, command, parameters, reason } => format!(
                "tell device {device}, serial number {serial_number}: {command} {parameters}, because \
                 “{reason}”"
            ),
            Self::Export { filter } => format!("export devices as a file: {filter}"),
            Self::ExportResult { job } => format!("export the result of job {job} as a file"),
            Self::RevokeMany { count, devices, filter, cause: why, reason } => format!(
                "revoke {count} devices for good ({}), because “{reason}”; chosen: {filter}; \
                 list {devices}",
                cause(why)
            ),
        }
    }

    fn japanese(&self, name: Option<&str>) -> String {
        let cause = |name: &str| cause(name, Language::Ja);
        match self {
            Self::ChangeRoles { person, before, roles } => {
                format!("{person} の役割を {before} から {roles} にする")
            }
            Self::RemovePerson { person, roles } => {
                format!("{person}（現在の役割: {roles}）を削除する")
            }
            Self::RemoveMember { certificate, name, roles } => {
                format!("{name}（現在の役割: {roles}、証明書 {certificate}）を削除する")
            }
            Self::ChangePolicy { act, required: true } => format!("{act} に二人目の承認を求める"),
            Self::ChangePolicy { act, .. } => format!("{act} に二人目の承認を求めない"),
            Self::RetireCa { ca } => format!("発行CA {ca} を廃止する"),
            Self::RevokeDevice { device, serial_number, cause: why, .. } => format!(
                "機器 {device}（シリアル番号 {serial_number}）を失効させる（理由: {}）",
                cause(why)
            ),
            Self::PublishRelease { release, product, version, contents, overruled, reason } => {
                let gate = match overruled.is_empty() {
                    true => String::new(),
                    false => format!(
                        "。公開条件の例外: {}、理由: 「{}」",
                        overruled.join(", "),
                        reason.as_deref().unwrap_or_default()
                    ),
                };
                format!(
                    "{product} のバージョン {version} を公開する（リリース {release}、内容 \
                     {contents}{gate}）"
                )
            }
            Self::StartCampaign { campaign, name, product, version, members, search, .. } => {
                format!(
                    "更新キャンペーン「{name}」を開始する：{product} {version}、対象{members}台、選択 {search}\
                 （キャンペーン {campaign}）"
                )
            }
            Self::OverruleOperation { product, open, reason, until } => format!(
                "必須項目{}件が未確認のまま、{product} の運用を {} まで開始する（理由: {reason}、未確認: {}）",
                open.len(),
                UnixTime(*until),
                open.join(", ")
            ),
            Self::RelaxOperation { organisation, before, required, weight, items, signed } => {
                format!(
                    "組織 {organisation} の運用開始の条件を緩和する：{before} → 必須 {required}、重み {weight}、\
                     項目 [{}]、署名 {signed}",
                    items.join(", ")
                )
            }
            Self::SignDiagnosis { diagnosis, product, subject, content } => {
                format!("{product} {subject} の診断に署名する（診断 {diagnosis}、内容 {content}）")
            }
            Self::ChangeOrganisation { organisation, change, before, said } => {
                match change.as_str() {
                    "rename" => {
                        format!("組織 {organisation} の名称を「{before}」から「{said}」にする")
                    }
                    "suspend" => {
                        format!("組織 {organisation}（{before}）の利用を停止する（理由: {said}）")
                    }
                    _ => format!("組織 {organisation}（{before}）の利用を再開する（理由: {said}）"),
                }
            }
            Self::Invite { handle, name, roles } => {
                format!("{handle} ({name}) を {roles} として招待する")
            }
            Self::InviteAgain { person, roles } => {
                format!("未登録の {person} に、{roles} としての新しいリンクを渡す")
            }
            Self::Recover { person, roles } => {
                format!("パスキーをすべて失った {person}（現在の役割: {roles}）を復旧する")
            }
            Self::AddMember { name, roles, key } => {
                format!("鍵 {key} の証明書を発行し、{name} を {roles} として追加する")
            }
            Self::LowerGate { product, before, after } => {
                format!("{product} のリリースの公開条件を {before} から {after} に緩める")
            }
            Self::InstallCa { ca, certificate } => {
                format!("発行CA {ca} の使用を開始する（量産の承認、証明書 {certificate}）")
            }
            Self::RevokeByEvent { device, cause: why, event } => format!(
                "署名済みイベント {event} により機器 {device} を失効させる（理由: {}）",
                cause(why)
            ),
            Self::ChangeCertificate { change, name, certificate } => {
                let change = if change == "suspend" { "一時停止" } else { "失効" };
                format!("管理者 {name} の証明書 {certificate} を{change}させる")
            }
            Self::EraseEvents { device, sequences, .. } => format!(
                "機器 {device} のイベント{}件の内容を消去する: {}",
                sequences.len(),
                ranges(sequences)
            ),
            Self::ErasePerson { reporter, name: digest } => match name {
                Some(name) => format!("{reporter} が「{name}」の名前で報告した内容を消去する"),
                None => {
                    format!("{reporter} がある人の名前で報告した内容を消去する（SHA-256 {digest}）")
                }
            },
            Self::ResetDevice { device, serial_number, command, parameters, reason } => format!(
                "機器 {device}（シリアル番号 {serial_number}）に {command} {parameters} を指示する（理由: \
                 「{reason}」）"
            ),
            Self::Export { filter } => format!("機器データをファイルに書き出す: {filter}"),
            Self::ExportResult { job } => format!("ジョブ {job} の結果をファイルに書き出す"),
            Self::RevokeMany { count, devices, filter, cause: why, reason } => format!(
                "機器{count}台を失効させる（理由: {}、「{reason}」、選択: {filter}、一覧: {devices}）",
                cause(why)
            ),
        }
    }
}

/// The cause by its name in the texts of the language.
fn cause(name: &str, language: Language) -> String {
    name.parse::<Cause>()
        .map_or_else(|_| name.to_owned(), |cause| format!("{}: {name}", cause.text().of(language)))
}

/// `0, 2–5, 9`
fn ranges(sorted: &[u64]) -> String {
    let mut parts: Vec<(u64, u64)> = Vec::new();
    for number in sorted {
        match parts.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => parts.push((*number, *number)),
        }
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}–{last}"),
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_all_there_is() {
        let intent = Intent::RevokeMany {
            count: 3,
            devices: "abc".into(),
            filter: "relation=maker".into(),
            cause: "recall".into(),
            reason: "stolen lorry".into(),
        };
        for language in [Language::En, Language::Ja] {
            let text = intent.summary(language, None);
            for part in ["3", "abc", "relation=maker", "recall", "stolen lorry"] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
        let erased = Intent::ErasePerson { reporter: "maker".into(), name: "d1".into() };
        assert!(erased.summary(Language::Ja, Some("山田")).contains("山田"));
        assert!(erased.summary(Language::Ja, None).contains("d1"));
        assert_eq!(ranges(&[0, 2, 3, 4, 9]), "0, 2–4, 9");
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn what_is_erased_is_part_of_the_request_and_not_of_the_question() {
        let erase = |all, sequences: &[u64]| Intent::EraseEvents {
            device: "d".into(),
            all,
            sequences: sequences.to_vec(),
        };
        assert_eq!(erase(true, &[1]).question(), erase(true, &[1, 2]).question());
        assert_ne!(erase(false, &[1]).question(), erase(false, &[1, 2]).question());
        assert_ne!(erase(true, &[]).question(), erase(false, &[]).question());
    }
}
