//! Why a message is not admitted, and what its sender hears (GW-3).
//!
//! The log says exactly why. The sender of a message hears as much as helps a device that means well
//! and tells an attacker nothing: whether a topic exists, who else is there and which rule was hit
//! stay here. MQTT 5 reason codes, HTTP status and CoAP codes are in one table, [`Answer`].

use crate::freshness::Staleness;

/// Why a message is not admitted. The order is that of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// the sender's identity opens enrolment and nothing else, or is no device's
    Identity,
    /// the certificate is over
    Expired,
    /// the key that was shown alone is one that the device had before
    FormerKey,
    /// the device is revoked
    Revoked,
    /// the device is suspended
    Suspended,
    /// the device is in quarantine
    Quarantined,
    /// the device is retired or disposed of
    Retired,
    /// the certificate is from somebody who does not own the device
    WrongOwner,
    /// the organisation is suspended
    Organisation,
    /// the topic is not one that the device may use
    Topic,
    /// the device sends more than it may
    DeviceRate,
    /// the product line's devices send more than they may
    ProductRate,
    /// the organisation's devices send more than they may
    OrganisationRate,
    /// all together send more than the platform takes
    PlatformRate,
    /// the message does not say when it was made, or has no counter
    Unmarked,
    /// the message is too old
    Stale,
    /// the message comes from the future
    Ahead,
    /// the message was heard before
    Replayed,
    /// the message's counter leaps
    Leaped,
    /// the payload has too many bytes
    TooLarge,
    /// the payload is nested too deeply, or has too many values
    TooComplex,
    /// the payload is not what it says it is
    Malformed,
    /// the payload does not follow its schema
    Schema,
    /// the signature or encryption of the payload does not hold
    Protection,
    /// the owner has not agreed to the purpose
    Consent,
    /// nothing takes messages of this topic, or there is no room to keep one
    Route,
}

impl From<Staleness> for Refusal {
    fn from(why: Staleness) -> Self {
        match why {
            Staleness::Unmarked => Self::Unmarked,
            Staleness::Old => Self::Stale,
            Staleness::Ahead => Self::Ahead,
            Staleness::Replayed => Self::Replayed,
            Staleness::Leaped => Self::Leaped,
        }
    }
}

/// What a sender hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// MQTT 5 reason code (section 2.4) of the acknowledgement
    pub mqtt: u8,
    /// HTTP status (RFC 9110)
    pub http: u16,
    /// CoAP response code (RFC 7252 section 5.9), class and detail
    pub coap: (u8, u8),
    /// whether the connection ends
    pub ends: bool,
}

impl Refusal {
    /// Every reason, in the order of the pipeline.
    pub const ALL: [Self; 26] = [
        Self::Identity,
        Self::Expired,
        Self::FormerKey,
        Self::Revoked,
        Self::Suspended,
        Self::Quarantined,
        Self::Retired,
        Self::WrongOwner,
        Self::Organisation,
        Self::Topic,
        Self::DeviceRate,
        Self::ProductRate,
        Self::OrganisationRate,
        Self::PlatformRate,
        Self::Unmarked,
        Self::Stale,
        Self::Ahead,
        Self::Replayed,
        Self::Leaped,
        Self::TooLarge,
        Self::TooComplex,
        Self::Malformed,
        Self::Schema,
        Self::Protection,
        Self::Consent,
        Self::Route,
    ];

    /// Stable code in logs, counters and the REST API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Expired => "expired",
            Self::FormerKey => "raw-key-former",
            Self::Revoked => "revoked",
            Self::Suspended => "suspended",
            Self::Quarantined => "quarantined",
            Self::Retired => "retired",
            Self::WrongOwner => "wrong-owner",
            Self::Organisation => "organisation-suspended",
            Self::Topic => "topic",
            Self::DeviceRate => "device-rate",
            Self::ProductRate => "product-rate",
            Self::OrganisationRate => "organisation-rate",
            Self::PlatformRate => "platform-rate",
            Self::Unmarked => "unmarked",
            Self::Stale => "stale",
            Self::Ahead => "ahead",
            Self::Replayed => "replayed",
            Self::Leaped => "leaped",
            Self::TooLarge => "too-large",
            Self::TooComplex => "too-complex",
            Self::Malformed => "malformed",
            Self::Schema => "schema",
            Self::Protection => "protection",
            Self::Consent => "consent",
            Self::Route => "no-route",
        }
    }

    /// Reads a stable code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }

    /// What happened and what to do, in English, for the device's owner.
    pub fn english(self) -> &'static str {
        match self {
            Self::Identity => "the certificate opens enrolment only; enrol the device first",
            Self::Expired => "the certificate is over; renew it, and see whether the clocks agree",
            Self::FormerKey => {
                "the device has a certificate for another key by now; use the newest one's key"
            }
            Self::Revoked => "the device is revoked",
            Self::Suspended => "the device is suspended; release it when the reason is gone",
            Self::Quarantined => {
                "the device is in quarantine; look into the alert, then release it"
            }
            Self::Retired => "the device is retired; nothing it says counts",
            Self::WrongOwner => "the certificate is a former owner's; enrol the device again",
            Self::Organisation => "the organisation is suspended",
            Self::Topic => "the topic is outside the device's space and no policy opens it",
            Self::DeviceRate => "the device sends more than it may",
            Self::ProductRate => "the product line's devices send more than they may together",
            Self::OrganisationRate => "the organisation's devices send more than they may together",
            Self::PlatformRate => "all devices together send more than the platform takes",
            Self::Unmarked => "the message carries no time or no counter, and the rule wants one",
            Self::Stale => "the message is too old; see whether the device's clock is right",
            Self::Ahead => "the message comes from the future; see whether the clock is right",
            Self::Replayed => "the message's counter was heard before: a replay, or a lost counter",
            Self::Leaped => "the message's counter leaps further than a device counts",
            Self::TooLarge => "the payload has more bytes than the rule allows",
            Self::TooComplex => "the payload is nested deeper or has more values than allowed",
            Self::Malformed => "the payload does not parse as what the rule says it is",
            Self::Schema => "the payload does not follow the topic's schema",
            Self::Protection => "the payload's signature or encryption does not hold",
            Self::Consent => "the owner has not agreed to this purpose",
            Self::Route => "no rule takes this topic, or a receiver's queue is full",
        }
    }

    /// The same in Japanese.
    pub fn japanese(self) -> &'static str {
        match self {
            Self::Identity => "この証明書では登録しかできません。先に機器を登録してください",
            Self::Expired => "証明書の期限が切れています。更新し、時計を確かめてください",
            Self::FormerKey => {
                "機器には別の鍵の証明書が発行されています。最新の証明書の鍵を使ってください"
            }
            Self::Revoked => "機器は失効しています",
            Self::Suspended => "機器は一時停止中です。原因がなくなれば解除してください",
            Self::Quarantined => "機器は隔離中です。警報を調べてから解除してください",
            Self::Retired => "機器は引退しています。その発言は扱いません",
            Self::WrongOwner => "以前の所有者の証明書です。機器を登録し直してください",
            Self::Organisation => "組織は停止中です",
            Self::Topic => "トピックが機器の領域の外にあり、許すポリシーがありません",
            Self::DeviceRate => "機器の送信が上限を超えました",
            Self::ProductRate => "製品ライン全体の送信が上限を超えました",
            Self::OrganisationRate => "組織全体の送信が上限を超えました",
            Self::PlatformRate => "全機器の送信がプラットフォームの上限を超えました",
            Self::Unmarked => "規則が求める時刻またはカウンターがメッセージにありません",
            Self::Stale => "メッセージが古すぎます。機器の時計を確かめてください",
            Self::Ahead => "メッセージの時刻が未来です。機器の時計を確かめてください",
            Self::Replayed => "カウンターが既に受け取った値です。再送攻撃か、カウンターの喪失です",
            Self::Leaped => "カウンターが飛びすぎています",
            Self::TooLarge => "内容のバイト数が規則の上限を超えています",
            Self::TooComplex => "内容の入れ子が深すぎるか、値が多すぎます",
            Self::Malformed => "内容が規則の言う形式として読めません",
            Self::Schema => "内容がトピックのスキーマに合いません",
            Self::Protection => "内容の署名または暗号化が確かめられません",
            Self::Consent => "この目的に所有者が同意していません",
            Self::Route => "このトピックを受ける規則がないか、受け手の待ち行列が満杯です",
        }
    }

    /// What the sender hears. Who may not be here at all loses the connection; what is wrong with
    /// one message is said of that message.
    pub fn answer(self) -> Answer {
        let (mqtt, http, coap, ends) = match self {
            Self::Identity
            | Self::Expired
            | Self::FormerKey
            | Self::Revoked
            | Self::Suspended
            | Self::Quarantined
            | Self::Retired
            | Self::WrongOwner
            | Self::Organisation => (0x87, 403, (4, 3), true),
            Self::Topic | Self::Consent => (0x87, 403, (4, 3), false),
            Self::DeviceRate | Self::ProductRate | Self::OrganisationRate => {
                (0x97, 429, (4, 29), false)
            }
            Self::PlatformRate | Self::Route => (0x97, 503, (5, 3), false),
            // PUBACK has no code for a packet that is too large.
            Self::TooLarge => (0x97, 413, (4, 13), false),
            Self::Unmarked
            | Self::Stale
            | Self::Ahead
            | Self::Replayed
            | Self::Leaped
            | Self::TooComplex
            | Self::Malformed
            | Self::Schema
            | Self::Protection => (0x99, 400, (4, 0), false),
        };
        Answer { mqtt, http, coap, ends }
    }

    /// Whether the device's standing is the reason: it holds until somebody changes it.
    pub fn is_standing(self) -> bool {
        self.answer().ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_both_languages() {
        for (at, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
            assert!(!refusal.english().is_empty() && !refusal.japanese().is_ascii());
            assert_eq!(Refusal::ALL.iter().position(|other| *other == refusal), Some(at));
        }
    }

    /// What PUBACK and PUBREC may carry (MQTT 5 table 3-4, 3-5), and the standing of a device not
    /// being told apart from outside.
    #[test]
    fn answers_are_ones_that_the_protocols_have_and_tell_nothing() {
        for refusal in Refusal::ALL {
            let answer = refusal.answer();
            assert!([0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99].contains(&answer.mqtt));
            assert!((400..=599).contains(&answer.http) && [4, 5].contains(&answer.coap.0));
            if refusal.is_standing() {
                assert_eq!(answer, Refusal::Revoked.answer(), "{refusal:?}");
            }
        }
    }
}
