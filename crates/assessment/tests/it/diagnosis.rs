//! Diagnoses: what is refused, what is written is read again, scores, gaps, sign-off, comparison.

use crate::world::{catalogue, item, library};
use assessment::{
    Answer, AssessmentError, Day, Diagnosis, Direction, Evidence, Library, Outcome, SignOff, State,
    compare,
};
use proptest::prelude::*;

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

pub(crate) fn small() -> Library {
    let catalogues = [catalogue("a", &["1", "2"]), catalogue("b", &["1"])];
    let radio =
        item("DEV-SWD-03", &["'b:1'"]).replace("    weight", "    when: [radio]\n    weight");
    let items = [item("DEV-SWD-01", &["'a:1'"]), item("DEV-SWD-02", &["'a:2'"]), radio];
    library(&catalogues, "", &items).unwrap()
}

const HEAD: &str = "tegata: diagnosis/1\nproduct: Meter\nsubject: '1.0'\non: 2026-11-21\n";

fn read(rest: &str) -> Result<Diagnosis, AssessmentError> {
    Diagnosis::parse("d.yaml", &format!("{HEAD}{rest}"), &small())
}

fn answered(outcome: Outcome) -> Answer {
    Answer { outcome, reason: None, evidence: vec![], owner: None, due: None, comment: None }
}

fn shown(until: Option<&str>) -> Answer {
    let piece = Evidence {
        what: "report".to_owned(),
        sha256: None,
        on: day("2026-11-01"),
        until: until.map(day),
    };
    Answer { evidence: vec![piece], ..answered(Outcome::Met) }
}

#[test]
fn what_the_rules_forbid_is_refused_with_its_line() {
    assert!(read("").is_ok());
    let cases = [
        ("answers:\n  DEV-SWD-09: {answer: met}\n", 6, "no item"),
        ("answers:\n  DEV-SWD-01: {answer: not-applicable}\n", 6, "needs a `reason`"),
        ("answers:\n  DEV-SWD-01: {answer: met, reason: so}\n", 6, "only it has one"),
        ("answers:\n  DEV-SWD-01: {answer: met, due: 2026-02-30}\n", 6, "is no day"),
        (
            "answers:\n  DEV-SWD-01: {answer: met, evidence: [{what: x, on: 2026-11-22}]}\n",
            6,
            "evidence of",
        ),
        (
            "answers:\n  DEV-SWD-01: {answer: met, evidence: [{what: x, on: 2026-11-02, until: 2026-11-01}]}\n",
            6,
            "ends before",
        ),
        (
            "answers:\n  DEV-SWD-01: {answer: met, evidence: [{what: x, on: 2026-11-02, sha256: '12'}]}\n",
            6,
            "64 hex digits",
        ),
        ("absent:\n  wings: none\n", 6, "no feature"),
        ("absent:\n  radio: ''\n", 6, "empty"),
        ("absent:\n  radio: wired\nanswers:\n  DEV-SWD-03: {answer: met}\n", 8, "under `absent`"),
        ("clauses:\n  a:9: {answer: met}\n", 6, "no record"),
        ("clauses:\n  a:1: {answer: met, comment: \"\\u001b[2J\"}\n", 6, "does not print"),
        ("signatures:\n  - {by: a, on: 2026-11-21, content: '00'}\n", 6, "64 hex digits"),
    ];
    for (rest, line, words) in cases {
        match read(rest).unwrap_err() {
            AssessmentError::Inconsistent { line: found, detail, .. } => {
                assert_eq!(found, line, "{rest}: {detail}");
                assert!(detail.to_string().contains(words), "{rest}: {detail}");
                let japanese = detail.text(device::Language::Ja);
                let is = japanese.chars().any(|c| matches!(c, '\u{3041}'..='\u{9fff}'));
                assert!(is, "{rest}: {japanese}");
            }
            other => panic!("{rest}: {other}"),
        }
    }
    for malformed in [
        "answers:\n  DEV-SWD-01: {answer: yes}\n",
        "answers:\n  DEV-SWD-01: {answer: met}\n  DEV-SWD-01: {answer: not-met}\n",
        "colour: red\n",
    ] {
        let error = read(malformed).unwrap_err();
        assert!(matches!(error, AssessmentError::Malformed { .. }), "{malformed}: {error}");
    }
    let other_form = HEAD.replace("diagnosis/1", "diagnosis/2");
    assert!(Diagnosis::parse("d.yaml", &other_form, &small()).is_err());
}

#[test]
fn more_evidence_than_the_limit_is_refused() {
    let pieces = |count: usize| {
        let piece = "      - {what: x, on: 2026-11-02}\n";
        format!("answers:\n  DEV-SWD-01:\n    answer: met\n    evidence:\n{}", piece.repeat(count))
    };
    assert!(read(&pieces(64)).is_ok());
    assert!(matches!(
        read(&pieces(65)).unwrap_err(),
        AssessmentError::TooLarge { found: 65, most: 64, .. }
    ));
}

#[test]
fn evidence_counts_until_its_last_day_and_claims_are_not_fulfilment() {
    let library = small();
    let mut diagnosis = Diagnosis::new("Meter", "1.0", day("2026-11-21")).unwrap();
    let id = |number: usize| library.items()[number].id.clone();
    diagnosis.answers.insert(id(0), shown(Some("2026-12-31")));
    diagnosis.answers.insert(id(1), answered(Outcome::Met));
    let state = |number: usize, today: &str| diagnosis.state(&library.items()[number], day(today));
    assert_eq!(state(0, "2026-12-31"), State::Met);
    assert_eq!(state(0, "2027-01-01"), State::Expired);
    assert_eq!(state(1, "2026-12-31"), State::Claimed);
    assert_eq!(state(2, "2026-12-31"), State::Open);
    let score = diagnosis.score(library.items(), day("2026-12-31"));
    assert_eq!((score.items, score.weight, score.answered), (3, 6, 4));
    assert_eq!((score.fulfilled_percent(), score.answered_percent()), (Some(33), Some(66)));
    assert_eq!(score.claimed_percent(), Some(34));
    let later = diagnosis.score(library.items(), day("2027-01-01"));
    assert_eq!((later.fulfilled_percent(), later.answered_percent()), (Some(0), Some(33)));
}

#[test]
fn a_feature_that_is_absent_answers_for_its_items() {
    let diagnosis = read("absent:\n  radio: wired only\n").unwrap();
    let library = small();
    let today = day("2026-11-21");
    assert_eq!(diagnosis.state(&library.items()[2], today), State::NotApplicable);
    let score = diagnosis.score(library.items(), today);
    assert_eq!((score.items, score.not_applicable), (2, 1));
    let only = diagnosis.score(&library.items()[2..], today);
    assert_eq!(only.fulfilled_percent(), None);
}

#[test]
fn gaps_name_owner_and_what_is_overdue() {
    let text = "answers:\n  DEV-SWD-01: {answer: not-met, owner: Sato, due: 2026-11-20}\n  DEV-SWD-02: {answer: partly, due: 2026-11-21}\n";
    let library = small();
    let gaps = read(text).unwrap().gaps(&library, day("2026-11-21"));
    let lines: Vec<_> = gaps
        .iter()
        .map(|gap| (gap.item.as_str(), gap.state, gap.owner.as_deref(), gap.overdue))
        .collect();
    assert_eq!(
        lines,
        [
            ("DEV-SWD-01", State::NotMet, Some("Sato"), true),
            ("DEV-SWD-02", State::Partly, None, false),
            ("DEV-SWD-03", State::Open, None, false),
        ]
    );
}

#[test]
fn two_different_people_sign_one_content() {
    let mut diagnosis = read("answers:\n  DEV-SWD-01: {answer: not-met}\n").unwrap();
    let today = day("2026-11-22");
    assert_eq!(diagnosis.sign_off(), SignOff::Draft);
    assert!(diagnosis.sign("Sato", day("2026-11-20")).is_err());
    diagnosis.sign("Sato", today).unwrap();
    assert_eq!(diagnosis.sign_off(), SignOff::Once("Sato".to_owned()));
    for same in ["Sato", "sato", " S ato "] {
        assert!(matches!(diagnosis.sign(same, today), Err(AssessmentError::Refused(_))), "{same}");
    }
    diagnosis.sign("Suzuki", today).unwrap();
    let signed = SignOff::Signed(vec!["Sato".to_owned(), "Suzuki".to_owned()]);
    assert_eq!(diagnosis.sign_off(), signed);
    // It survives the file.
    let again = Diagnosis::parse("d.yaml", &diagnosis.to_yaml(), &small()).unwrap();
    assert_eq!(again.sign_off(), signed);
    // Any change of the content takes the signatures away, and its return brings them back.
    let mut changed = again.clone();
    changed.answers.values_mut().next().unwrap().outcome = Outcome::Met;
    assert_eq!(changed.sign_off(), SignOff::Changed);
    changed.sign("Sato", today).unwrap();
    assert_eq!(changed.sign_off(), SignOff::Once("Sato".to_owned()));
    changed.answers = again.answers.clone();
    assert_eq!(changed.sign_off(), signed);
    // One person twice in a file that was written by hand is one person.
    let mut forged = again;
    forged.signatures[1].by = "SATO".to_owned();
    assert_eq!(forged.sign_off(), SignOff::Once("Sato".to_owned()));
}

#[test]
fn a_comparison_says_what_got_worse_first() {
    let library = small();
    let before =
        read("answers:\n  DEV-SWD-01: {answer: met}\n  DEV-SWD-02: {answer: not-met}\n").unwrap();
    let mut after = read(
        "absent:\n  radio: wired\nanswers:\n  DEV-SWD-01: {answer: partly}\n  DEV-SWD-02: {answer: met, evidence: [{what: x, on: 2026-11-21}]}\n",
    )
    .unwrap();
    let changes = compare(&library, &before, &after).unwrap();
    let lines: Vec<_> =
        changes.iter().map(|one| (one.item.as_str(), one.direction, one.after)).collect();
    assert_eq!(
        lines,
        [
            ("DEV-SWD-01", Direction::Worse, State::Partly),
            ("DEV-SWD-02", Direction::Better, State::Met),
            ("DEV-SWD-03", Direction::Other, State::NotApplicable),
        ]
    );
    assert_eq!(compare(&library, &before, &before).unwrap(), []);
    after.on = day("2026-11-20");
    assert!(compare(&library, &before, &after).is_err());
    after.on = day("2026-11-22");
    after.product = "Another".to_owned();
    assert!(compare(&library, &before, &after).is_err());
}

/// The example of the documentation is a diagnosis of the real check sheet.
#[test]
fn the_documented_example_is_read() {
    let page = include_str!("../../../../docs/assessment.md");
    let example = page.split("```yaml diagnosis\n").nth(1).unwrap().split("```").next().unwrap();
    let library = Library::embedded().unwrap();
    let diagnosis = Diagnosis::parse("docs/assessment.md", example, &library).unwrap();
    assert_eq!((diagnosis.answers.len(), diagnosis.clauses.len()), (3, 1));
    let media = library.item("DEV-HWD-09").unwrap();
    assert_eq!(diagnosis.state(media, day("2026-11-21")), State::NotApplicable);
}

fn text() -> impl Strategy<Value = String> {
    "[ -~あ-ん漢字\"\\\\:#\n'{}|>%@]{0,12}[a-z0-9語]"
        .prop_filter("not blank", |text| !text.trim().is_empty())
}

fn a_day() -> impl Strategy<Value = Day> {
    (1970u16..2026, 1u8..=12, 1u8..=28).prop_map(|(year, month, day)| {
        Day::parse(&format!("{year:04}-{month:02}-{day:02}")).unwrap()
    })
}

fn an_answer() -> impl Strategy<Value = Answer> {
    let piece = (text(), a_day(), any::<bool>(), proptest::option::of(any::<[u8; 32]>())).prop_map(
        |(what, on, ends, digest)| {
            let until = ends.then_some(on);
            Evidence { what, sha256: digest.map(|bytes| crypto_digest(&bytes)), on, until }
        },
    );
    (
        0usize..4,
        text(),
        proptest::collection::vec(piece, 0..3),
        proptest::option::of(text()),
        proptest::option::of(a_day()),
        proptest::option::of(text()),
    )
        .prop_map(|(outcome, reason, evidence, owner, due, comment)| {
            let outcome = Outcome::ALL[outcome];
            let reason = (outcome == Outcome::NotApplicable).then_some(reason);
            Answer { outcome, reason, evidence, owner, due, comment }
        })
}

fn crypto_digest(bytes: &[u8]) -> crypto::Sha256 {
    crypto::sha256_of(&[bytes])
}

/// A diagnosis by [`small`] with whatever people type.
pub(crate) fn a_diagnosis() -> impl Strategy<Value = Diagnosis> {
    let answers = proptest::collection::vec(proptest::option::of(an_answer()), 2);
    let signers = proptest::collection::vec(text(), 0..3);
    let clause = proptest::option::of(an_answer());
    (text(), text(), answers, clause, proptest::option::of(text()), signers).prop_map(
        |(product, subject, answers, clause, absent, signers)| {
            let library = small();
            let on = Day::parse("2026-11-21").unwrap();
            let mut diagnosis = Diagnosis::new(&product, &subject, on).unwrap();
            for (item, answer) in library.items().iter().zip(answers) {
                diagnosis.answers.extend(answer.map(|answer| (item.id.clone(), answer)));
            }
            let record = library.catalogues()[0].records[0].reference.clone();
            diagnosis.clauses.extend(clause.map(|answer| (record, answer)));
            let radio = library.features()[0].id.clone();
            diagnosis.absent.extend(absent.map(|reason| (radio, reason)));
            for signer in signers {
                let _ = diagnosis.sign(&signer, on);
            }
            diagnosis
        },
    )
}

proptest! {
    /// What is written is read as the same, and written again as the same bytes.
    #[test]
    fn a_diagnosis_survives_its_file(diagnosis in a_diagnosis()) {
        let file = diagnosis.to_yaml();
        let again = Diagnosis::parse("d.yaml", &file, &small());
        prop_assert_eq!(again.as_ref(), Ok(&diagnosis), "{}", file);
        prop_assert_eq!(again.unwrap().to_yaml(), file);
    }

    /// Figures stay within their bounds, whatever the states are.
    #[test]
    fn scores_stay_within_bounds(states in proptest::collection::vec((1u8..=5, 0usize..7), 0..40)) {
        let mut score = assessment::Score::default();
        for (weight, state) in &states {
            score.add(*weight, State::ALL[*state]);
        }
        prop_assert!(score.fulfilled_halves <= 2 * score.answered);
        prop_assert!(score.answered <= score.weight);
        for percent in [score.fulfilled_percent(), score.answered_percent(), score.claimed_percent()] {
            prop_assert!(percent.is_none_or(|percent| percent <= 100));
            prop_assert_eq!(percent.is_none(), score.weight == 0);
        }
        let all_met = score.fulfilled_halves == 2 * score.weight;
        prop_assert_eq!(score.fulfilled_percent() == Some(100), all_met && score.weight > 0);
    }
}
