//! Lifetimes of keys and deadlines of algorithms as data (KM-7; SP 800-57 part 1, SP 800-131A).

use crate::{IssuerInfo, Profile};
use crypto::{KeyAlgorithm, UnixTime};

/// Last second of 2030: SP 800-57 part 1 revision 5 table 4 ends 112-bit strength with that year.
const END_OF_2030: UnixTime = UnixTime(1_924_991_999);
/// Last second of 2035: NIST IR 8547 (initial public draft) tables 2 and 4.
const END_OF_2035: UnixTime = UnixTime(2_082_758_399);

const DAY: i64 = 86_400;

/// Which keys a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClass {
    /// keys below this security strength in bits
    WeakerThan(u32),
    /// keys that a quantum computer breaks
    QuantumVulnerable,
    /// keys of one kind
    Algorithm(KeyAlgorithm),
}

impl KeyClass {
    /// Whether `algorithm` is of this class.
    pub fn contains(self, algorithm: KeyAlgorithm) -> bool {
        match self {
            Self::WeakerThan(bits) => algorithm.strength_bits() < bits,
            Self::QuantumVulnerable => !algorithm.is_post_quantum(),
            Self::Algorithm(one) => one == algorithm,
        }
    }
}

/// What follows where a deadline is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing is issued that outlives the deadline.
    Refuse,
    /// It is issued, and [`KeyPolicy::report`] names it in time.
    Report,
}

/// A class of keys must not be used after a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// the rule as people cite it
    pub rule: String,
    /// the same in Japanese
    pub rule_ja: String,
    /// which keys
    pub keys: KeyClass,
    /// last second of use
    pub last: UnixTime,
    /// what follows
    pub consequence: Consequence,
}

/// How long keys of a profile live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// whose
    pub profile: Profile,
    /// given where nobody asks for another, in days
    pub usual_days: u32,
    /// longest, in days
    pub days_max: u32,
    /// whether 99991231235959Z is allowed (RFC 5280 section 4.1.2.5)
    pub forever: bool,
}

/// Lifetimes and deadlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// deadlines of algorithms
    pub deadlines: Vec<Deadline>,
    /// lifetimes, one per profile; a profile without one is not issued
    pub lifetimes: Vec<Lifetime>,
}

/// A rule of the policy that a key would break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key policy: {what} (rule: {rule})")]
pub struct PolicyViolation {
    /// the rule
    pub rule: String,
    /// what breaks it, and what to do
    pub what: String,
}

/// A key in use, as [`KeyPolicy::report`] needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInUse {
    /// what it is called
    pub name: String,
    /// its certificate's profile
    pub profile: Profile,
    /// kind of key
    pub algorithm: KeyAlgorithm,
    /// its certificate's first second
    pub not_before: UnixTime,
    /// its certificate's last second
    pub not_after: UnixTime,
}

/// Something that will stop being allowed, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// which key
    pub name: String,
    /// by which rule
    pub rule: String,
    /// when; not after `now` where the rule is broken already
    pub at: UnixTime,
    /// what to do
    pub advice: String,
    /// the rule in Japanese
    pub rule_ja: String,
    /// what to do, in Japanese
    pub advice_ja: String,
}

impl Default for KeyPolicy {
    /// SP 800-57 part 1 revision 5 with SP 800-131A, and IR 8547's plan as notices.
    fn default() -> Self {
        let life = |profile, usual_days, days_max, forever| Lifetime {
            profile,
            usual_days,
            days_max,
            forever,
        };
        Self {
            deadlines: vec![
                Deadline {
                    rule: "SP 800-57 part 1 table 4: 112-bit strength ends with 2030".into(),
                    rule_ja: "SP 800-57 Part 1 表4：112ビット強度の鍵は2030年まで".into(),
                    keys: KeyClass::WeakerThan(128),
                    last: END_OF_2030,
                    consequence: Consequence::Refuse,
                },
                Deadline {
                    rule: "NIST IR 8547 (draft): quantum-vulnerable signatures end with 2035"
                        .into(),
                    rule_ja: "NIST IR 8547（案）：量子計算機に耐性のない署名は2035年まで".into(),
                    keys: KeyClass::QuantumVulnerable,
                    last: END_OF_2035,
                    consequence: Consequence::Report,
                },
            ],
            lifetimes: vec![
                life(Profile::Root, 20 * 365, 30 * 366, true),
                life(Profile::IssuingCa, 10 * 365, 20 * 366, true),
                life(Profile::Chip, 20 * 365, 30 * 366, true),
                life(Profile::Idevid, 20 * 365, 30 * 366, true),
                life(Profile::Ldevid, 365, 3 * 366, false),
                life(Profile::Service, 90, 398, false),
                // SP 800-57 part 1 section 5.3.6 item 1: a private signature key, one to three years.
                life(Profile::OrganisationSigner, 2 * 365, 3 * 366, false),
                life(Profile::SoftwareSigner, 2 * 365, 3 * 366, false),
                life(Profile::Operator, 365, 2 * 366, false),
                // Nobody checks its revocation (id-pkix-ocsp-nocheck), so it must be short.
                life(Profile::OcspSigner, 30, 90, false),
                // SP 800-57 part 1 section 5.3.6: a private static key-agreement key, one to two years.
                life(Profile::MessageRecipient, 365, 2 * 366, false),
            ],
        }
    }
}

impl KeyPolicy {
    /// Checks a key and the validity that its certificate shall have.
    ///
    /// # Errors
    /// The first rule it would break.
    pub fn check(
        &self,
        profile: Profile,
        algorithm: KeyAlgorithm,
        not_before: UnixTime,
        not_after: UnixTime,
    ) -> Result<(), PolicyViolation> {
        let lifetime = self.lifetime(profile).ok_or_else(|| PolicyViolation {
            rule: format!("profiles that are issued: {profile} is not among them"),
            what: format!("no lifetime is set for {profile} certificates; add one to the policy"),
        })?;
        let longest = not_before.plus(i64::from(lifetime.days_max) * DAY);
        let forever = lifetime.forever && not_after == UnixTime::NEVER;
        if not_after > longest && !forever {
            return Err(PolicyViolation {
                rule: format!("{profile} keys live at most {} days", lifetime.days_max),
                what: format!("validity until {not_after} is too long; end it by {longest}"),
            });
        }
        let refusing = |deadline: &&Deadline| {
            deadline.consequence == Consequence::Refuse
                && deadline.keys.contains(algorithm)
                && not_after > deadline.last
        };
        match self.deadlines.iter().find(refusing) {
            None => Ok(()),
            Some(deadline) => Err(PolicyViolation {
                rule: deadline.rule.clone(),
                what: format!(
                    "a {algorithm} key must not be used after {}; end its validity by then or take a stronger key",
                    deadline.last
                ),
            }),
        }
    }

    /// The validity to give where nobody asks for another: from five minutes ago (clocks differ)
    /// for the usual lifetime, within the issuer's validity and every deadline. Chips and IDevIDs
    /// live for ever where their issuer does.
    pub fn usual_validity(
        &self,
        profile: Profile,
        algorithm: KeyAlgorithm,
        issuer: Option<&IssuerInfo>,
        now: UnixTime,
    ) -> (UnixTime, UnixTime) {
        let lifetime = self.lifetime(profile);
        let not_before = now.plus(-300).max(issuer.map_or(UnixTime(0), |i| i.not_before()));
        let forever = matches!(profile, Profile::Chip | Profile::Idevid)
            && lifetime.is_some_and(|lifetime| lifetime.forever)
            && issuer.is_some_and(|issuer| issuer.not_after() == UnixTime::NEVER);
        let days = lifetime.map_or(0, |lifetime| i64::from(lifetime.usual_days));
        let wanted = if forever { UnixTime::NEVER } else { not_before.plus(days * DAY) };
        let deadlines = self.deadlines.iter().filter(|deadline| {
            deadline.consequence == Consequence::Refuse && deadline.keys.contains(algorithm)
        });
        let last = deadlines
            .map(|deadline| deadline.last)
            .chain(issuer.map(IssuerInfo::not_after))
            .fold(wanted, UnixTime::min);
        (not_before, last)
    }

    /// What breaks a rule now or within `days`: certificates that end, algorithms whose time is up
    /// while keys of theirs are still valid, lifetimes beyond what the policy allows. Sorted by
    /// time.
    pub fn report(&self, keys: &[KeyInUse], now: UnixTime, days: u32) -> Vec<Notice> {
        let horizon = now.plus(i64::from(days) * DAY);
        let mut out = Vec::new();
        for key in keys {
            let mut note = |at: UnixTime, rule: [String; 2], advice: [String; 2]| {
                if at <= horizon {
                    let ([rule, rule_ja], [advice, advice_ja]) = (rule, advice);
                    let name = key.name.clone();
                    out.push(Notice { name, rule, at, advice, rule_ja, advice_ja });
                }
            };
            note(
                key.not_after,
                ["certificates end".into(), "証明書の有効期限".into()],
                [
                    format!("renew the {} certificate before {}", key.profile, key.not_after),
                    format!("{}までに証明書を更新してください", key.not_after),
                ],
            );
            if key.not_after < now {
                continue;
            }
            for deadline in self.deadlines.iter().filter(|d| d.keys.contains(key.algorithm)) {
                if key.not_after > deadline.last {
                    note(
                        deadline.last,
                        [deadline.rule.clone(), deadline.rule_ja.clone()],
                        [
                            format!(
                                "replace the {} key by a stronger one before {}",
                                key.algorithm, deadline.last
                            ),
                            format!(
                                "{}までに、{}の鍵をより強い鍵に交換してください",
                                deadline.last, key.algorithm
                            ),
                        ],
                    );
                }
            }
            if let Some(lifetime) = self.lifetime(key.profile) {
                let longest = key.not_before.plus(i64::from(lifetime.days_max) * DAY);
                if key.not_after > longest
                    && !(lifetime.forever && key.not_after == UnixTime::NEVER)
                {
                    let days = lifetime.days_max;
                    note(
                        longest,
                        [
                            format!("{} keys live at most {days} days", key.profile),
                            format!("この種類の鍵の使用期間は最長{days}日"),
                        ],
                        [
                            format!("renew with a new key before {longest}"),
                            format!("{longest}までに新しい鍵に交換してください"),
                        ],
                    );
                }
            }
        }
        out.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        out
    }

    fn lifetime(&self, profile: Profile) -> Option<&Lifetime> {
        self.lifetimes.iter().find(|lifetime| lifetime.profile == profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_795_000_000); // November 2026

    #[test]
    fn deadlines_are_the_last_seconds_of_their_years() {
        assert_eq!(END_OF_2030.to_string(), "2030-12-31T23:59:59Z");
        assert_eq!(END_OF_2035.to_string(), "2035-12-31T23:59:59Z");
    }

    #[test]
    fn violations_name_their_rule() {
        let policy = KeyPolicy::default();
        let check = |profile, algorithm, days: i64, want: Option<&str>| {
            let end = if days == i64::MAX { UnixTime::NEVER } else { NOW.plus(days * DAY) };
            let result = policy.check(profile, algorithm, NOW, end);
            assert_eq!(
                result.as_ref().err().map(|violation| violation.rule.as_str()),
                want,
                "{profile} {algorithm} {days}"
            );
        };
        let weak = "SP 800-57 part 1 table 4: 112-bit strength ends with 2030";
        check(Profile::Idevid, KeyAlgorithm::EcdsaP256, i64::MAX, None);
        check(Profile::Idevid, KeyAlgorithm::Rsa(2048), i64::MAX, Some(weak));
        check(Profile::Idevid, KeyAlgorithm::Rsa(3072), i64::MAX, None);
        check(Profile::Service, KeyAlgorithm::Rsa(2048), 90, None);
        check(Profile::Root, KeyAlgorithm::Rsa(2048), 3650, Some(weak));
        check(
            Profile::Service,
            KeyAlgorithm::EcdsaP256,
            399,
            Some("service keys live at most 398 days"),
        );
        check(
            Profile::Ldevid,
            KeyAlgorithm::MlDsa65,
            i64::MAX,
            Some("ldevid keys live at most 1098 days"),
        );
    }

    #[test]
    fn usual_validity_obeys_the_policy() {
        let policy = KeyPolicy::default();
        for profile in Profile::ALL {
            for algorithm in KeyAlgorithm::GENERATED {
                let (from, to) = policy.usual_validity(profile, algorithm, None, NOW);
                assert!(from < NOW && NOW < to);
                assert_eq!(policy.check(profile, algorithm, from, to), Ok(()));
            }
        }
    }

    #[test]
    fn the_report_names_what_ends_within_the_horizon() {
        let policy = KeyPolicy::default();
        let key = |name: &str, profile, algorithm, from: i64, to: i64| KeyInUse {
            name: name.into(),
            profile,
            algorithm,
            not_before: NOW.plus(from * DAY),
            not_after: NOW.plus(to * DAY),
        };
        let keys = [
            key("fine", Profile::Ldevid, KeyAlgorithm::EcdsaP256, -10, 300),
            key("ends soon", Profile::Service, KeyAlgorithm::EcdsaP256, -80, 10),
            key("ended", Profile::Service, KeyAlgorithm::EcdsaP256, -80, -1),
            key("old rsa", Profile::Root, KeyAlgorithm::Rsa(2048), -1000, 4000),
            key("too long", Profile::OcspSigner, KeyAlgorithm::Ed25519, -80, 400),
        ];
        let names = |days| -> Vec<String> {
            policy.report(&keys, NOW, days).into_iter().map(|notice| notice.name).collect()
        };
        assert_eq!(names(5), ["ended"]);
        assert_eq!(names(30), ["ended", "ends soon", "too long"]);
        assert_eq!(
            names(2000),
            // its own end is beyond the horizon, the deadline of its algorithm is not
            ["ended", "ends soon", "too long", "fine", "too long", "old rsa"]
        );
    }
}
