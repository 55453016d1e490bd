//! The gate of a build pipeline: a policy in a file, and what it says of a version of a product.

use crate::{
    AssessmentError, Bilingual, Day, Diagnosis, ItemId, Library, State,
    named::words,
    yaml::{inconsistent, parse},
};
use serde::Deserialize;
use serde_saphyr::Spanned;

/// The form of the file.
const FORM: &str = "gate/1";
/// Items that a policy may name beside those by weight.
const ALSO_MAX: usize = 500;
/// Components that a policy may approve.
pub const APPROVED_MAX: usize = 10_000;
/// Components that a finding names.
const NAMED_MAX: usize = 10;

words! {
    /// How a demand of the policy stands.
    GateState {
        /// Met.
        Pass "pass" "pass" "合格",
        /// Not met.
        Fail "fail" "fail" "不合格",
        /// There is nothing to judge it by.
        Missing "missing" "missing" "資料なし",
    }
}

/// What a version must have before it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePolicy {
    /// items of the check sheet that must be verified
    pub items: Vec<ItemId>,
    /// two people must stand for the diagnosis
    pub signed: bool,
    /// tests that must have run and passed, at least
    pub tests: Option<u64>,
    /// lines that tests must reach, in per cent
    pub lines_percent: Option<u64>,
    /// errors and warnings of scanners, at most
    pub findings: Option<(u64, u64)>,
    /// package URLs of the components that may be in it
    pub components: Option<Vec<String>>,
    /// every file must have provenance
    pub provenance: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    tegata: Spanned<String>,
    items: Option<RawItems>,
    #[serde(default)]
    signed: bool,
    tests: Option<RawTests>,
    coverage: Option<RawCoverage>,
    findings: Option<RawFindings>,
    components: Option<RawComponents>,
    #[serde(default)]
    provenance: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItems {
    weight: Option<Spanned<u8>>,
    #[serde(default)]
    also: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTests {
    least: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawCoverage {
    lines_percent: Spanned<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFindings {
    #[serde(default)]
    errors: u64,
    #[serde(default = "any")]
    warnings: u64,
}

fn any() -> u64 {
    u64::MAX
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawComponents {
    approved: Vec<Spanned<String>>,
}

/// What is known of the version. `None`: nobody handed anything in.
#[derive(Clone, Debug, Default)]
pub struct GateFacts<'a> {
    /// the diagnosis, and whether two people stand for it
    pub diagnosis: Option<(&'a Diagnosis, bool)>,
    /// tests that ran, and those that failed
    pub tests: Option<(u64, u64)>,
    /// lines of program, and those that tests reached
    pub coverage: Option<(u64, u64)>,
    /// errors, warnings, and whether a scanner broke off
    pub findings: Option<(u64, u64, bool)>,
    /// components that are not approved
    pub unapproved: Option<Vec<String>>,
    /// files, and those with provenance
    pub provenance: Option<(u64, u64)>,
}

/// How a demand of the policy stands, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateFinding {
    /// `item/DEV-SWD-01`, `signed`, `tests`, `coverage`, `findings`, `components`, `provenance`
    pub id: String,
    /// how it stands
    pub state: GateState,
    /// why, or what to do
    pub text: Bilingual,
}

impl GatePolicy {
    /// Reads a policy; `file` is its name in errors.
    ///
    /// # Errors
    /// [`AssessmentError`] with the place of the first fault. A policy that asks for nothing is one.
    pub fn parse(file: &str, text: &str, library: &Library) -> Result<Self, AssessmentError> {
        let raw: RawPolicy = parse(file, text)?;
        if raw.tegata.value != FORM {
            let detail = format!("the form is {:?}, this reads {FORM:?}", raw.tegata.value);
            return Err(inconsistent(file, &raw.tegata, detail));
        }
        let mut items = Vec::new();
        if let Some(wanted) = &raw.items {
            if let Some(weight) = &wanted.weight {
                if !(1..=5).contains(&weight.value) {
                    return Err(inconsistent(file, weight, "a weight is 1 to 5"));
                }
                let heavy = library.items().iter().filter(|item| item.weight >= weight.value);
                items.extend(heavy.map(|item| item.id.clone()));
            }
            if wanted.also.len() > ALSO_MAX {
                return Err(inconsistent(file, &raw.tegata, "`also` names more than 500 items"));
            }
            for id in &wanted.also {
                let item = library.item(&id.value);
                let item =
                    item.ok_or_else(|| inconsistent(file, id, format!("no item {:?}", id.value)))?;
                if !items.contains(&item.id) {
                    items.push(item.id.clone());
                }
            }
        }
        if let Some(coverage) = &raw.coverage
            && coverage.lines_percent.value > 100
        {
            return Err(inconsistent(file, &coverage.lines_percent, "a share is 0 to 100"));
        }
        let components = match raw.components {
            None => None,
            Some(list) if list.approved.len() > APPROVED_MAX => {
                let detail = format!("more than {APPROVED_MAX} components are approved");
                return Err(inconsistent(file, &raw.tegata, detail));
            }
            Some(list) => Some(list.approved.into_iter().map(|one| one.value).collect()),
        };
        let policy = Self {
            items,
            signed: raw.signed,
            tests: raw.tests.map(|tests| tests.least),
            lines_percent: raw.coverage.map(|coverage| coverage.lines_percent.value),
            findings: raw.findings.map(|findings| (findings.errors, findings.warnings)),
            components,
            provenance: raw.provenance,
        };
        if policy.judge_nothing() {
            return Err(inconsistent(
                file,
                &raw.tegata,
                "a policy that asks for nothing is no gate",
            ));
        }
        Ok(policy)
    }

    fn judge_nothing(&self) -> bool {
        self.items.is_empty()
            && !self.signed
            && self.tests.is_none()
            && self.lines_percent.is_none()
            && self.findings.is_none()
            && self.components.is_none()
            && !self.provenance
    }

    /// What the policy says of `facts`, `today`: a finding for each demand, met or not.
    pub fn judge(&self, library: &Library, facts: &GateFacts<'_>, today: Day) -> Vec<GateFinding> {
        let mut found = Vec::new();
        for id in &self.items {
            found.push(item(library, id, facts, today));
        }
        if self.signed {
            found.push(match facts.diagnosis {
                None => missing("signed", "there is no diagnosis", "診断がありません"),
                Some((_, true)) => {
                    pass("signed", "two people stand for the diagnosis", "診断は2名が署名済みです")
                }
                Some((_, false)) => fail(
                    "signed",
                    "the diagnosis is not signed by two people".to_owned(),
                    "診断に2名の署名がありません".to_owned(),
                ),
            });
        }
        if let Some(least) = self.tests {
            found.push(match facts.tests {
                None => missing("tests", "no test results", "テスト結果がありません"),
                Some((ran, failed)) => verdict(
                    "tests",
                    failed == 0 && ran >= least,
                    format!("{ran} tests ran, {failed} failed, at least {least} must pass"),
                    format!("実行{ran}件、失敗{failed}件。{least}件以上の合格が必要です"),
                ),
            });
        }
        if let Some(least) = self.lines_percent {
            found.push(match facts.coverage {
                None => missing("coverage", "no coverage report", "カバレッジ報告がありません"),
                Some((lines, reached)) => verdict(
                    "coverage",
                    lines > 0 && u128::from(reached) * 100 >= u128::from(lines) * u128::from(least),
                    format!("tests reach {reached} of {lines} lines, {least}% are asked for"),
                    format!("{lines}行中{reached}行に到達。{least}%が必要です"),
                ),
            });
        }
        if let Some((errors_max, warnings_max)) = self.findings {
            found.push(match facts.findings {
                None => missing("findings", "no scanner report", "解析結果がありません"),
                Some((errors, warnings, aborted)) => verdict(
                    "findings",
                    !aborted && errors <= errors_max && warnings <= warnings_max,
                    format!(
                        "{errors} errors, {warnings} warnings{}",
                        if aborted { ", and a scanner broke off" } else { "" }
                    ),
                    format!(
                        "エラー{errors}件、警告{warnings}件{}",
                        if aborted { "、解析の中断あり" } else { "" }
                    ),
                ),
            });
        }
        if self.components.is_some() {
            found.push(match &facts.unapproved {
                None => missing("components", "no bill of materials", "SBOMがありません"),
                Some(found) => {
                    let named: Vec<&str> =
                        found.iter().take(NAMED_MAX).map(String::as_str).collect();
                    let list = named.join(", ");
                    verdict(
                        "components",
                        found.is_empty(),
                        format!("{} components are not approved: {list}", found.len()),
                        format!("未承認の部品{}件: {list}", found.len()),
                    )
                }
            });
        }
        if self.provenance {
            found.push(match facts.provenance {
                None | Some((0, _)) => missing("provenance", "no provenance", "来歴がありません"),
                Some((files, covered)) => verdict(
                    "provenance",
                    covered >= files,
                    format!("{covered} of {files} files have provenance"),
                    format!("{files}ファイル中{covered}ファイルに来歴があります"),
                ),
            });
        }
        found
    }
}

/// Whether everything that was asked for is there.
pub fn is_open(findings: &[GateFinding]) -> bool {
    findings.iter().all(|finding| finding.state == GateState::Pass)
}

fn item(library: &Library, id: &ItemId, facts: &GateFacts<'_>, today: Day) -> GateFinding {
    let name = format!("item/{id}");
    let Some((item, (diagnosis, _))) = library.item(id.as_str()).zip(facts.diagnosis) else {
        return missing(&name, "there is no diagnosis", "診断がありません");
    };
    let state = diagnosis.state(item, today);
    let text = Bilingual {
        en: format!("{}: {}", state.title(device::Language::En), item.criterion.en),
        ja: format!("{}：{}", state.title(device::Language::Ja), item.criterion.ja),
    };
    let state = match state {
        State::Open => GateState::Missing,
        state if state.is_gap() => GateState::Fail,
        _ => GateState::Pass,
    };
    GateFinding { id: name, state, text }
}

fn verdict(id: &str, good: bool, en: String, ja: String) -> GateFinding {
    let state = if good { GateState::Pass } else { GateState::Fail };
    GateFinding { id: id.to_owned(), state, text: Bilingual { en, ja } }
}

fn pass(id: &str, en: &str, ja: &str) -> GateFinding {
    verdict(id, true, en.to_owned(), ja.to_owned())
}

fn fail(id: &str, en: String, ja: String) -> GateFinding {
    verdict(id, false, en, ja)
}

fn missing(id: &str, en: &str, ja: &str) -> GateFinding {
    let text = Bilingual { en: en.to_owned(), ja: ja.to_owned() };
    GateFinding { id: id.to_owned(), state: GateState::Missing, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: &str = "tegata: gate/1\nitems: {weight: 5, also: [DEV-SWD-02]}\nsigned: true\n\
        tests: {least: 3}\ncoverage: {lines-percent: 50}\nfindings: {errors: 0, warnings: 2}\n\
        components: {approved: ['pkg:cargo/serde']}\nprovenance: true\n";

    fn facts(diagnosis: &Diagnosis) -> GateFacts<'_> {
        GateFacts {
            diagnosis: Some((diagnosis, true)),
            tests: Some((3, 0)),
            coverage: Some((10, 5)),
            findings: Some((0, 2, false)),
            unapproved: Some(Vec::new()),
            provenance: Some((1, 1)),
        }
    }

    #[test]
    fn nothing_handed_in_is_missing_and_never_passes() {
        let library = Library::embedded().unwrap();
        let policy = GatePolicy::parse("p", POLICY, &library).unwrap();
        let today = Day::parse("2026-11-21").unwrap();
        let found = policy.judge(&library, &GateFacts::default(), today);
        assert!(found.iter().all(|one| one.state == GateState::Missing), "{found:?}");
        assert!(!is_open(&found));
        assert_eq!(found.len(), policy.items.len() + 6);
        let mut diagnosis = Diagnosis::new("p", "1", today).unwrap();
        let only = GatePolicy { items: Vec::new(), ..policy };
        assert!(is_open(&only.judge(&library, &facts(&diagnosis), today)));
        for bad in [
            GateFacts { tests: Some((3, 1)), ..facts(&diagnosis) },
            GateFacts { tests: Some((2, 0)), ..facts(&diagnosis) },
            GateFacts { coverage: Some((10, 4)), ..facts(&diagnosis) },
            GateFacts { coverage: Some((0, 0)), ..facts(&diagnosis) },
            GateFacts { findings: Some((1, 0, false)), ..facts(&diagnosis) },
            GateFacts { findings: Some((0, 3, false)), ..facts(&diagnosis) },
            GateFacts { findings: Some((0, 0, true)), ..facts(&diagnosis) },
            GateFacts { unapproved: Some(vec!["x".into()]), ..facts(&diagnosis) },
            GateFacts { provenance: Some((2, 1)), ..facts(&diagnosis) },
            GateFacts { provenance: Some((0, 0)), ..facts(&diagnosis) },
            GateFacts { diagnosis: Some((&diagnosis, false)), ..facts(&diagnosis) },
        ] {
            assert!(!is_open(&only.judge(&library, &bad, today)), "{bad:?}");
        }
        // Claimed in words is not verified.
        let item = library.item("DEV-SWD-02").unwrap();
        let claimed = crate::Answer {
            outcome: crate::Outcome::Met,
            reason: None,
            evidence: Vec::new(),
            owner: None,
            due: None,
            comment: None,
        };
        diagnosis.answers.insert(item.id.clone(), claimed);
        let one = GatePolicy { items: vec![item.id.clone()], ..only };
        let found = one.judge(&library, &facts(&diagnosis), today);
        assert_eq!((found[0].id.as_str(), found[0].state), ("item/DEV-SWD-02", GateState::Fail));
    }

    #[test]
    fn policies_that_ask_for_nothing_or_for_what_is_not_are_refused() {
        let library = Library::embedded().unwrap();
        for bad in [
            "tegata: gate/1\n",
            "tegata: gate/2\nsigned: true\n",
            "tegata: gate/1\nsigned: true\nmore: 1\n",
            "tegata: gate/1\nitems: {weight: 6}\n",
            "tegata: gate/1\nitems: {also: [NO-SUCH-01]}\n",
            "tegata: gate/1\ncoverage: {lines-percent: 101}\n",
            "tegata: gate/1\ntests: {least: -1}\n",
            "",
        ] {
            assert!(GatePolicy::parse("p", bad, &library).is_err(), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn no_text_panics(text in ".{0,80}") {
            static LIBRARY: std::sync::OnceLock<Library> = std::sync::OnceLock::new();
            let library = LIBRARY.get_or_init(|| Library::embedded().unwrap());
            let _ = GatePolicy::parse("p", &text, library);
        }
    }
}
