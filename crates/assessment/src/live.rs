//! What collectors found, and what it means for items: on the running platform, and in documents of
//! the build.
//!
//! A check that fails beats every answer but "not applicable"; one that passes answers an item only
//! where it sees all of it, and else supports what a person said. When it has expired, so has what
//! rested on it; a failure does not go away by itself.

use crate::{Day, Diagnosis, ItemId, Library, State, named::words};
use crypto::{Sha256, sha256_of};

words! {
    /// What a collector found.
    CheckVerdict {
        /// As it should be.
        Pass "pass" "pass" "合格",
        /// Not as it should be.
        Fail "fail" "fail" "不合格",
        /// There is nothing to see yet, or not enough.
        Inconclusive "inconclusive" "inconclusive" "判定不能",
    }
}

words! {
    /// Who looks, and at what.
    Collector {
        /// Devices with a certificate of their own.
        UniqueCredentials "unique-credentials" "each device has a credential of its own" "機器ごとに固有の認証情報",
        /// Keys and tokens that two devices share.
        SharedSecrets "shared-secrets" "no shared or default secret" "共有・初期設定の秘密情報なし",
        /// Algorithms and lengths of keys in use.
        Algorithms "algorithms" "algorithms and key lengths in use" "使用中のアルゴリズムと鍵長",
        /// Certificates of devices at work that have ended.
        CertificateExpiry "certificate-expiry" "certificates are renewed before they end" "証明書の期限内更新",
        /// Time from the report to the refusal.
        RevocationLatency "revocation-latency" "revocation takes effect in time" "失効の反映時間",
        /// Life events in the log, and witnesses.
        HistoryWitnessed "history-witnessed" "histories are complete and witnessed" "履歴の完全性と連署",
        /// Results of campaigns.
        UpdateSuccess "update-success" "updates succeed" "更新の成功率",
        /// How far behind devices are.
        FirmwareAge "firmware-age" "devices run current firmware" "ファームウェアの新しさ",
        /// Kinds of security events that were recorded.
        LogKinds "log-kinds" "security events are recorded" "記録されているセキュリティイベント",
        /// Where the keys of the product line live.
        RootOfTrust "root-of-trust" "keys live in a root of trust" "信頼の基点による鍵の保護",
        /// Administrators, and acts that need two.
        TwoPerson "two-person" "acts that need a second person" "二人承認が必要な操作",
        /// The promised end of support.
        SupportEnd "support-end" "the support period is promised and lasts" "サポート期間",
        /// Vulnerabilities that nobody has judged.
        Vulnerabilities "vulnerabilities" "no exploited or critical vulnerability is open" "未対応の重大な脆弱性なし",
        /// Test results (JUnit).
        Tests "tests" "tests pass" "テスト結果",
        /// Coverage of tests (lcov, Cobertura).
        Coverage "coverage" "tests cover the code" "テストカバレッジ",
        /// Findings of scanners (SARIF).
        Findings "findings" "scanners find no error" "静的解析などの検出結果",
        /// Bills of materials, and approved components.
        Components "components" "components are known and approved" "部品の把握と承認",
        /// Where builds come from (SLSA provenance).
        Provenance "provenance" "builds can be traced to their source" "ビルドの来歴",
    }
}

/// How much of an item a collector sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All: a pass answers the item.
    Whole,
    /// A part: a pass supports what a person answers.
    Part,
}

impl Collector {
    /// The items of the built-in check sheet that it says something about.
    pub fn items(self) -> &'static [(&'static str, Share)] {
        use Share::{Part, Whole};
        match self {
            Self::UniqueCredentials => {
                &[("DEV-MSP-01", Part), ("NET-ARC-04", Part), ("PLT-MSP-04", Part)]
            }
            Self::SharedSecrets => &[("DEV-SWD-01", Part), ("PLT-MSP-04", Part)],
            Self::Algorithms => &[("DEV-ARC-12", Part), ("NET-SWD-03", Part)],
            Self::CertificateExpiry => &[("DEV-OPE-05", Whole)],
            Self::RevocationLatency => {
                &[("PLT-OPE-06", Whole), ("DEV-OPE-03", Part), ("DEV-DSP-02", Part)]
            }
            Self::HistoryWitnessed => &[("PLT-ARC-04", Whole), ("DEV-MSP-08", Part)],
            Self::UpdateSuccess => &[("DEV-OPE-02", Part), ("PLT-OPE-08", Part)],
            Self::FirmwareAge => &[("DEV-OPE-02", Part)],
            Self::LogKinds => &[("PLT-SWD-08", Part)],
            Self::RootOfTrust => &[("DEV-ARC-04", Whole), ("DEV-HWD-03", Part)],
            Self::TwoPerson => &[("PLT-SWD-02", Whole)],
            Self::SupportEnd => &[("DEV-PLN-04", Part), ("DEV-DSP-06", Part)],
            Self::Vulnerabilities => &[("DEV-OPE-01", Part), ("DEV-SWV-02", Part)],
            Self::Tests | Self::Coverage => &[("DEV-SWV-07", Part)],
            Self::Findings => &[("DEV-SWV-01", Part), ("SVC-SWV-01", Part)],
            Self::Components => &[("DEV-SWV-02", Part)],
            Self::Provenance => &[("DEV-SWV-05", Part)],
        }
    }

    /// Whether it reads a document that somebody hands in, not the platform itself.
    pub fn reads_documents(self) -> bool {
        matches!(
            self,
            Self::Tests | Self::Coverage | Self::Findings | Self::Components | Self::Provenance
        )
    }

    /// How long what it found counts, in days: the platform is looked at daily, a build stays what it
    /// is until the next one.
    pub fn days(self) -> u32 {
        if self.reads_documents() { 365 } else { 7 }
    }
}

/// What a collector found, as it bears on one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// who looked
    pub collector: Collector,
    /// how much of the item it sees
    pub share: Share,
    /// what it found
    pub verdict: CheckVerdict,
    /// the last day on which a pass counts
    pub until: Day,
}

/// What a collector found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// who looked
    pub collector: Collector,
    /// which version it is about; `None`: the running platform
    pub subject: Option<String>,
    /// what it found
    pub verdict: CheckVerdict,
    /// the last day on which a pass counts
    pub until: Day,
}

impl Diagnosis {
    /// Takes in what collectors found. What is about another version than this diagnosis does not
    /// count: a change of the version reopens what rested on it.
    pub fn take_checks(&mut self, library: &Library, found: &[Collected]) {
        self.checks.clear();
        for one in found {
            if one.subject.as_ref().is_some_and(|subject| *subject != self.subject) {
                continue;
            }
            for (item, share) in one.collector.items() {
                let Some(item) = library.item(item) else { continue };
                self.checks.entry(item.id.clone()).or_default().push(Check {
                    collector: one.collector,
                    share: *share,
                    verdict: one.verdict,
                    until: one.until,
                });
            }
        }
    }

    /// What collectors found about an item.
    pub fn checks_of(&self, item: &ItemId) -> &[Check] {
        self.checks.get(item).map_or(&[], Vec::as_slice)
    }
}

impl State {
    /// Where an item stands that was answered so, with what collectors found.
    #[must_use]
    pub fn with_checks(self, checks: &[Check], today: Day) -> Self {
        if self == Self::NotApplicable {
            return self;
        }
        if checks.iter().any(|check| check.verdict == CheckVerdict::Fail) {
            return Self::NotMet;
        }
        let passes = |share: fn(Share) -> bool, fresh: bool| {
            checks.iter().any(|check| {
                check.verdict == CheckVerdict::Pass
                    && share(check.share)
                    && (!fresh || today <= check.until)
            })
        };
        let whole = |share| share == Share::Whole;
        match self {
            Self::Open if passes(whole, true) => Self::Met,
            Self::Open if passes(whole, false) => Self::Expired,
            Self::Claimed | Self::Expired if passes(|_| true, true) => Self::Met,
            Self::Claimed if passes(|_| true, false) => Self::Expired,
            other => other,
        }
    }
}

/// Figures, in the order in which they are shown: name and value.
pub type Figures = Vec<(&'static str, String)>;

/// What a collector read, before it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    /// Credentials of devices.
    UniqueCredentials {
        /// devices that have left the line and may be trusted
        devices: u64,
        /// those with a working credential of their own
        with_own: u64,
    },
    /// Secrets that several devices share.
    SharedSecrets {
        /// devices that have left the line and may be trusted
        devices: u64,
        /// keys with which several devices hold working certificates
        shared_keys: u64,
        /// tokens that speak for several devices
        shared_tokens: u64,
    },
    /// Keys of working certificates.
    Algorithms {
        /// how many by algorithm
        used: Vec<(String, u64)>,
        /// those too weak for use
        weak: u64,
    },
    /// Certificates of devices at work.
    CertificateExpiry {
        /// devices at work
        working: u64,
        /// those whose certificates have all ended
        ended: u64,
    },
    /// How fast revocation takes effect.
    RevocationLatency {
        /// devices revoked
        revoked: u64,
        /// the longest time from the report to the refusal, in seconds
        seconds_max: u64,
        /// the promise, in seconds
        seconds_promised: u64,
    },
    /// Histories and who saw them.
    HistoryWitnessed {
        /// events of the product line's devices
        events: u64,
        /// devices whose newest event is not in the signed tree although it should be
        missing: u64,
        /// witnesses that must cosign
        quorum: u64,
        /// witnesses that cosigned of late
        cosigned: u64,
    },
    /// Results of campaigns of late.
    UpdateSuccess {
        /// confirmed boots
        succeeded: u64,
        /// failures
        failed: u64,
    },
    /// How far behind devices are.
    FirmwareAge {
        /// devices that say what they run
        devices: u64,
        /// those on the newest release or the one before
        current: u64,
    },
    /// Security events.
    LogKinds {
        /// kinds that must be there
        wanted: Vec<String>,
        /// kinds that were seen
        seen: Vec<String>,
    },
    /// Where keys live.
    RootOfTrust {
        /// what it is
        name: String,
        /// whether hardware keeps the keys
        hardware: bool,
    },
    /// Acts that need a second person.
    TwoPerson {
        /// administrators
        administrators: u64,
        /// acts that cannot be undone or touch many devices
        acts: u64,
        /// those that need two
        guarded: u64,
    },
    /// The promised support.
    SupportEnd {
        /// days until it ends; `None` where no end is promised
        days_left: Option<i64>,
    },
    /// Vulnerabilities of the newest release.
    Vulnerabilities {
        /// whether anything is known about it
        known: bool,
        /// those that are exploited or critical, without a statement
        blocking: Vec<String>,
    },
}

/// A part of a whole must not be less than this, in per cent, where all of it cannot be had.
const SHARE_PERCENT_MIN: u64 = 95;

impl Facts {
    /// Who reads them.
    pub fn collector(&self) -> Collector {
        match self {
            Self::UniqueCredentials { .. } => Collector::UniqueCredentials,
            Self::SharedSecrets { .. } => Collector::SharedSecrets,
            Self::Algorithms { .. } => Collector::Algorithms,
            Self::CertificateExpiry { .. } => Collector::CertificateExpiry,
            Self::RevocationLatency { .. } => Collector::RevocationLatency,
            Self::HistoryWitnessed { .. } => Collector::HistoryWitnessed,
            Self::UpdateSuccess { .. } => Collector::UpdateSuccess,
            Self::FirmwareAge { .. } => Collector::FirmwareAge,
            Self::LogKinds { .. } => Collector::LogKinds,
            Self::RootOfTrust { .. } => Collector::RootOfTrust,
            Self::TwoPerson { .. } => Collector::TwoPerson,
            Self::SupportEnd { .. } => Collector::SupportEnd,
            Self::Vulnerabilities { .. } => Collector::Vulnerabilities,
        }
    }

    /// What they mean.
    pub fn judge(&self) -> CheckVerdict {
        use CheckVerdict::{Fail, Inconclusive, Pass};
        let verdict = |good: bool| if good { Pass } else { Fail };
        match self {
            Self::UniqueCredentials { devices: 0, .. }
            | Self::SharedSecrets { devices: 0, .. }
            | Self::CertificateExpiry { working: 0, .. }
            | Self::RevocationLatency { revoked: 0, .. }
            | Self::HistoryWitnessed { events: 0, .. }
            | Self::FirmwareAge { devices: 0, .. }
            | Self::UpdateSuccess { succeeded: 0, failed: 0 }
            | Self::Vulnerabilities { known: false, .. } => Inconclusive,
            Self::UniqueCredentials { devices, with_own } => verdict(with_own >= devices),
            Self::SharedSecrets { shared_keys, shared_tokens, .. } => {
                verdict(*shared_keys == 0 && *shared_tokens == 0)
            }
            Self::Algorithms { used, .. } if used.is_empty() => Inconclusive,
            Self::Algorithms { weak, .. } => verdict(*weak == 0),
            Self::CertificateExpiry { ended, .. } => verdict(*ended == 0),
            Self::RevocationLatency { seconds_max, seconds_promised, .. } => {
                verdict(seconds_max <= seconds_promised)
            }
            Self::HistoryWitnessed { missing, quorum, cosigned, .. } => match *missing == 0 {
                false => Fail,
                // Complete, and nobody outside saw it.
                true if *quorum == 0 => Inconclusive,
                true => verdict(cosigned >= quorum),
            },
            Self::UpdateSuccess { succeeded, failed } => {
                verdict(at_least(*succeeded, succeeded.saturating_add(*failed)))
            }
            Self::FirmwareAge { devices, current } => verdict(at_least(*current, *devices)),
            Self::LogKinds { wanted, seen } => {
                if wanted.iter().all(|kind| seen.contains(kind)) {
                    Pass
                } else {
                    Inconclusive
                }
            }
            Self::RootOfTrust { hardware, .. } => verdict(*hardware),
            Self::TwoPerson { administrators, acts, guarded } => {
                verdict(*administrators >= 2 && guarded >= acts)
            }
            Self::SupportEnd { days_left } => verdict(days_left.is_some_and(|days| days > 0)),
            Self::Vulnerabilities { blocking, .. } => verdict(blocking.is_empty()),
        }
    }

    /// The figures, for people and for the digest.
    pub fn figures(&self) -> Figures {
        let list = |items: &[String]| items.join(" ");
        match self {
            Self::UniqueCredentials { devices, with_own } => {
                vec![("devices", devices.to_string()), ("with-own", with_own.to_string())]
            }
            Self::SharedSecrets { devices, shared_keys, shared_tokens } => vec![
                ("devices", devices.to_string()),
                ("shared-keys", shared_keys.to_string()),
                ("shared-tokens", shared_tokens.to_string()),
            ],
            Self::Algorithms { used, weak } => {
                let used: Vec<String> =
                    used.iter().map(|(name, count)| format!("{name}:{count}")).collect();
                vec![("used", list(&used)), ("weak", weak.to_string())]
            }
            Self::CertificateExpiry { working, ended } => {
                vec![("working", working.to_string()), ("ended", ended.to_string())]
            }
            Self::RevocationLatency { revoked, seconds_max, seconds_promised } => vec![
                ("revoked", revoked.to_string()),
                ("seconds-max", seconds_max.to_string()),
                ("seconds-promised", seconds_promised.to_string()),
            ],
            Self::HistoryWitnessed { events, missing, quorum, cosigned } => vec![
                ("events", events.to_string()),
                ("missing", missing.to_string()),
                ("quorum", quorum.to_string()),
                ("cosigned", cosigned.to_string()),
            ],
            Self::UpdateSuccess { succeeded, failed } => {
                vec![("succeeded", succeeded.to_string()), ("failed", failed.to_string())]
            }
            Self::FirmwareAge { devices, current } => {
                vec![("devices", devices.to_string()), ("current", current.to_string())]
            }
            Self::LogKinds { wanted, seen } => {
                let missing: Vec<String> =
                    wanted.iter().filter(|kind| !seen.contains(kind)).cloned().collect();
                vec![("seen", list(seen)), ("not-seen", list(&missing))]
            }
            Self::RootOfTrust { name, hardware } => {
                vec![("root-of-trust", name.clone()), ("hardware", hardware.to_string())]
            }
            Self::TwoPerson { administrators, acts, guarded } => vec![
                ("administrators", administrators.to_string()),
                ("acts", acts.to_string()),
                ("guarded", guarded.to_string()),
            ],
            Self::SupportEnd { days_left } => {
                let days = days_left.map_or("none".to_owned(), |days| days.to_string());
                vec![("days-left", days)]
            }
            Self::Vulnerabilities { known, blocking } => {
                vec![("known", known.to_string()), ("blocking", list(blocking))]
            }
        }
    }

    /// `SHA-256("tegata/evidence/v1\0" ‖ collector ‖ for each figure: "\0" ‖ name ‖ "=" ‖ value)`.
    pub fn digest(&self) -> Sha256 {
        let mut text = self.collector().word().to_owned();
        for (name, value) in self.figures() {
            text.push('\0');
            text.push_str(name);
            text.push('=');
            text.push_str(&value);
        }
        sha256_of(&[b"tegata/evidence/v1\0", text.as_bytes()])
    }
}

fn at_least(part: u64, whole: u64) -> bool {
    u128::from(part) * 100 >= u128::from(whole) * u128::from(SHARE_PERCENT_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn check(share: Share, verdict: CheckVerdict, until: &str) -> Check {
        Check { collector: Collector::Tests, share, verdict, until: day(until) }
    }

    #[test]
    fn collectors_name_items_that_exist() {
        let library = Library::embedded().unwrap();
        for collector in Collector::ALL {
            assert!(!collector.items().is_empty());
            for (item, _) in collector.items() {
                assert!(library.item(item).is_some(), "{collector}: {item}");
            }
            assert!(!collector.title(device::Language::Ja).is_ascii());
        }
    }

    #[test]
    fn a_pass_answers_what_it_sees_and_a_failure_beats_documents() {
        let today = day("2026-11-21");
        let (fresh, old) = ("2026-11-21", "2026-11-20");
        let (pass, fail) = (CheckVerdict::Pass, CheckVerdict::Fail);
        let table = [
            (State::Open, Share::Whole, pass, fresh, State::Met),
            (State::Open, Share::Part, pass, fresh, State::Open),
            (State::Open, Share::Whole, pass, old, State::Expired),
            (State::Claimed, Share::Part, pass, fresh, State::Met),
            (State::Claimed, Share::Part, pass, old, State::Expired),
            (State::Expired, Share::Part, pass, fresh, State::Met),
            (State::NotMet, Share::Whole, pass, fresh, State::NotMet),
            (State::Partly, Share::Whole, pass, fresh, State::Partly),
            (State::Met, Share::Part, fail, fresh, State::NotMet),
            (State::Met, Share::Part, fail, old, State::NotMet),
            (State::NotApplicable, Share::Whole, fail, fresh, State::NotApplicable),
            (State::Met, Share::Part, CheckVerdict::Inconclusive, fresh, State::Met),
        ];
        for (answered, share, verdict, until, wanted) in table {
            let found = answered.with_checks(&[check(share, verdict, until)], today);
            assert_eq!(found, wanted, "{answered} {share:?} {verdict} {until}");
        }
    }

    #[test]
    fn facts_that_show_nothing_pass_nothing() {
        use CheckVerdict::{Fail, Inconclusive, Pass};
        let table = [
            (Facts::UniqueCredentials { devices: 0, with_own: 0 }, Inconclusive),
            (Facts::UniqueCredentials { devices: 3, with_own: 3 }, Pass),
            (Facts::UniqueCredentials { devices: 3, with_own: 2 }, Fail),
            (Facts::SharedSecrets { devices: 3, shared_keys: 0, shared_tokens: 0 }, Pass),
            (Facts::SharedSecrets { devices: 3, shared_keys: 1, shared_tokens: 0 }, Fail),
            (Facts::SharedSecrets { devices: 3, shared_keys: 0, shared_tokens: 1 }, Fail),
            (Facts::Algorithms { used: Vec::new(), weak: 0 }, Inconclusive),
            (Facts::Algorithms { used: vec![("rsa-1024".into(), 1)], weak: 1 }, Fail),
            (Facts::CertificateExpiry { working: 2, ended: 1 }, Fail),
            (
                Facts::RevocationLatency { revoked: 0, seconds_max: 0, seconds_promised: 60 },
                Inconclusive,
            ),
            (Facts::RevocationLatency { revoked: 1, seconds_max: 61, seconds_promised: 60 }, Fail),
            (
                Facts::HistoryWitnessed { events: 9, missing: 0, quorum: 0, cosigned: 0 },
                Inconclusive,
            ),
            (Facts::HistoryWitnessed { events: 9, missing: 1, quorum: 0, cosigned: 0 }, Fail),
            (Facts::HistoryWitnessed { events: 9, missing: 0, quorum: 2, cosigned: 1 }, Fail),
            (Facts::HistoryWitnessed { events: 9, missing: 0, quorum: 2, cosigned: 2 }, Pass),
            (Facts::UpdateSuccess { succeeded: 95, failed: 5 }, Pass),
            (Facts::UpdateSuccess { succeeded: 94, failed: 6 }, Fail),
            (Facts::FirmwareAge { devices: 100, current: 94 }, Fail),
            (Facts::LogKinds { wanted: vec!["a".into()], seen: Vec::new() }, Inconclusive),
            (Facts::TwoPerson { administrators: 1, acts: 2, guarded: 2 }, Fail),
            (Facts::TwoPerson { administrators: 2, acts: 2, guarded: 1 }, Fail),
            (Facts::SupportEnd { days_left: None }, Fail),
            (Facts::SupportEnd { days_left: Some(0) }, Fail),
            (Facts::SupportEnd { days_left: Some(1) }, Pass),
            (Facts::Vulnerabilities { known: false, blocking: Vec::new() }, Inconclusive),
            (Facts::Vulnerabilities { known: true, blocking: vec!["CVE-1".into()] }, Fail),
        ];
        for (facts, wanted) in table {
            assert_eq!(facts.judge(), wanted, "{facts:?}");
        }
        let one = Facts::SupportEnd { days_left: Some(1) };
        assert_ne!(one.digest(), Facts::SupportEnd { days_left: Some(2) }.digest());
    }

    proptest! {
        /// Whatever else was found, a failure never leaves an item fulfilled, and what passes never
        /// makes an item worse.
        #[test]
        fn failures_win_and_passes_do_not_harm(
            answered in prop::sample::select(State::ALL),
            found in prop::collection::vec((any::<bool>(), 0_usize..3, 0_u8..60), 0..6),
        ) {
            let today = day("2026-01-31");
            let checks: Vec<Check> = found
                .iter()
                .map(|(whole, verdict, shift)| Check {
                    collector: Collector::Tests,
                    share: if *whole { Share::Whole } else { Share::Part },
                    verdict: CheckVerdict::ALL[*verdict],
                    until: day(&format!("2026-0{}-{:02}", 1 + shift / 30, 1 + shift % 28)),
                })
                .collect();
            let stands = answered.with_checks(&checks, today);
            let fails = checks.iter().any(|one| one.verdict == CheckVerdict::Fail);
            if answered == State::NotApplicable {
                prop_assert_eq!(stands, answered);
            } else if fails {
                prop_assert_eq!(stands, State::NotMet);
            } else if answered == State::Met {
                prop_assert_eq!(stands, State::Met);
            }
        }
    }
}
