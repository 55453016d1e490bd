/// What happened. The stable name goes into the log; `docs/audit.md` lists all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// a connection was asked for; failure: the TLS handshake or the door refused it
    Connection,
    /// a caller proved, or failed to prove, who it is
    Authentication,
    /// an action was refused to an authenticated caller: privilege abuse or escalation attempt
    Authorisation,
    /// a message that does not parse
    MalformedMessage,
    /// a caller beyond its rate or size
    RateLimit,
    /// settings of the platform, an organisation or a product changed
    ConfigurationChange,
    /// an organisation, member or role changed
    AccountChange,
    /// an act waits for a second person, or one decided
    Approval,
    /// a session, token or one-time code was granted, used up, locked or withdrawn
    CredentialChange,
    /// a certificate was issued or refused
    CertificateIssued,
    /// a certificate was revoked, suspended or released
    CertificateRevoked,
    /// a CA, log or platform key signed; the detail `uses` counts where uses are gathered
    KeyUse,
    /// a key was generated, imported, unsealed, retired or destroyed
    KeyLifecycle,
    /// a device enrolled or re-enrolled, or was refused
    Enrolment,
    /// a device was suspended, released, revoked, transferred or retired
    DeviceStanding,
    /// a life event that the state machine refused
    IllegalMove,
    /// a verdict other than genuine
    Verdict,
    /// advisories, SBOMs or statements about vulnerabilities came in; a judgement was reopened
    Vulnerability,
    /// owner-controlled sharing changed
    Sharing,
    /// a campaign of updates began or changed, or a device fell behind what it ran
    Update,
    /// contents were erased
    Erasure,
    /// the log was checked; failure: log and store disagree
    LogCheck,
    /// delivery of events to a receiver failed, or goes on again
    Delivery,
    /// a device says of itself that something happened; the platform has not seen it
    DeviceLog,
    /// a device's log has a gap, was changed or began anew
    DeviceLogBroken,
    /// a device behaves otherwise than it used to, or than its maker says
    Deviation,
    /// an alert was raised, or somebody did something about it
    Alert,
    /// the platform started
    Start,
    /// the platform stopped
    Stop,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 29] = [
        Self::Connection,
        Self::Authentication,
        Self::Authorisation,
        Self::MalformedMessage,
        Self::RateLimit,
        Self::ConfigurationChange,
        Self::AccountChange,
        Self::Approval,
        Self::CredentialChange,
        Self::CertificateIssued,
        Self::CertificateRevoked,
        Self::KeyUse,
        Self::KeyLifecycle,
        Self::Enrolment,
        Self::DeviceStanding,
        Self::IllegalMove,
        Self::Verdict,
        Self::Vulnerability,
        Self::Sharing,
        Self::Update,
        Self::Erasure,
        Self::LogCheck,
        Self::Delivery,
        Self::DeviceLog,
        Self::DeviceLogBroken,
        Self::Deviation,
        Self::Alert,
        Self::Start,
        Self::Stop,
    ];

    /// Stable name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Authentication => "authentication",
            Self::Authorisation => "authorisation",
            Self::MalformedMessage => "malformed-message",
            Self::RateLimit => "rate-limit",
            Self::ConfigurationChange => "configuration-change",
            Self::AccountChange => "account-change",
            Self::Approval => "approval",
            Self::CredentialChange => "credential-change",
            Self::CertificateIssued => "certificate-issued",
            Self::CertificateRevoked => "certificate-revoked",
            Self::KeyUse => "key-use",
            Self::KeyLifecycle => "key-lifecycle",
            Self::Enrolment => "enrolment",
            Self::DeviceStanding => "device-standing",
            Self::IllegalMove => "illegal-move",
            Self::Verdict => "verdict",
            Self::Vulnerability => "vulnerability",
            Self::Sharing => "sharing",
            Self::Update => "update",
            Self::Erasure => "erasure",
            Self::LogCheck => "log-check",
            Self::Delivery => "delivery",
            Self::DeviceLog => "device-log",
            Self::DeviceLogBroken => "device-log-broken",
            Self::Deviation => "deviation",
            Self::Alert => "alert",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Short text for people, in English.
    pub fn english(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Authentication => "authentication",
            Self::Authorisation => "use of a right",
            Self::MalformedMessage => "malformed message",
            Self::RateLimit => "rate or size limit reached",
            Self::ConfigurationChange => "configuration change",
            Self::AccountChange => "account change",
            Self::Approval => "second person's approval",
            Self::CredentialChange => "change of a session, token or one-time code",
            Self::CertificateIssued => "certificate issuance",
            Self::CertificateRevoked => "certificate revocation",
            Self::KeyUse => "use of a platform key",
            Self::KeyLifecycle => "life of a platform key",
            Self::Enrolment => "device enrolment",
            Self::DeviceStanding => "change of a device's standing",
            Self::IllegalMove => "illegal life event",
            Self::Verdict => "verdict",
            Self::Vulnerability => "what is known of vulnerabilities",
            Self::Sharing => "change of sharing",
            Self::Update => "update campaign",
            Self::Erasure => "erasure of contents",
            Self::LogCheck => "check of the log",
            Self::Delivery => "delivery of security events",
            Self::DeviceLog => "told by a device of itself",
            Self::DeviceLogBroken => "break in a device's log",
            Self::Deviation => "behaviour outside what is expected",
            Self::Alert => "alert",
            Self::Start => "platform start",
            Self::Stop => "platform stop",
        }
    }

    /// Short text for people, in Japanese.
    pub fn japanese(self) -> &'static str {
        match self {
            Self::Connection => "接続",
            Self::Authentication => "認証",
            Self::Authorisation => "権限の行使",
            Self::MalformedMessage => "不正な形式のメッセージ",
            Self::RateLimit => "頻度またはサイズの上限超過",
            Self::ConfigurationChange => "設定の変更",
            Self::AccountChange => "アカウントの変更",
            Self::Approval => "二人目の承認",
            Self::CredentialChange => "セッション・トークン・ワンタイムコードの変更",
            Self::CertificateIssued => "証明書の発行",
            Self::CertificateRevoked => "証明書の失効",
            Self::KeyUse => "プラットフォーム鍵の使用",
            Self::KeyLifecycle => "プラットフォーム鍵のライフサイクル",
            Self::Enrolment => "機器の登録",
            Self::DeviceStanding => "機器の状態の変更",
            Self::IllegalMove => "許されないライフイベント",
            Self::Verdict => "判定",
            Self::Vulnerability => "脆弱性に関する情報の変更",
            Self::Sharing => "共有の変更",
            Self::Update => "更新キャンペーン",
            Self::Erasure => "内容の消去",
            Self::LogCheck => "ログの検査",
            Self::Delivery => "セキュリティイベントの送信",
            Self::DeviceLog => "機器自身の申告",
            Self::DeviceLogBroken => "機器のログの欠落・不整合",
            Self::Deviation => "想定外のふるまい",
            Self::Alert => "警報",
            Self::Start => "プラットフォームの起動",
            Self::Stop => "プラットフォームの停止",
        }
    }

    /// Severity of an event of this kind where the caller sets none.
    pub fn severity(self, success: bool) -> Severity {
        if success {
            return match self {
                Self::CertificateRevoked
                | Self::DeviceStanding
                | Self::AccountChange
                | Self::Approval
                | Self::ConfigurationChange
                | Self::Update
                | Self::Erasure => Severity::Low,
                Self::KeyLifecycle => Severity::Medium,
                _ => Severity::Informational,
            };
        }
        match self {
            Self::Connection | Self::RateLimit | Self::MalformedMessage => Severity::Low,
            Self::KeyUse
            | Self::KeyLifecycle
            | Self::Authorisation
            | Self::Verdict
            | Self::Update
            | Self::DeviceLogBroken => Severity::High,
            // Store and log disagree: the platform cannot be believed until it is explained.
            Self::LogCheck => Severity::Critical,
            _ => Severity::Medium,
        }
    }
}

/// How much an event matters (OCSF `severity_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// to be known
    Informational = 1,
    /// no action needed
    Low = 2,
    /// somebody should look
    Medium = 3,
    /// somebody should act
    High = 4,
    /// act at once
    Critical = 5,
}

impl Severity {
    /// Every severity, rising.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The number in the log and in OCSF.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Reads the number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.number() == number)
    }

    /// OCSF caption.
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_come_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert!(!kind.english().is_empty() && !kind.japanese().is_ascii());
            assert!(kind.severity(false) >= kind.severity(true));
        }
        for severity in Severity::ALL {
            assert_eq!(Severity::from_number(severity.number()), Some(severity));
        }
        assert_eq!(Severity::from_number(6), None);
    }
}
