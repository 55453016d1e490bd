//! Impact assessments: what questions ask, what answers come to, and that none of them makes a product safer.

use crate::threat_rules::{book as read, day};
use assessment::threat::{
    Analysis, AnswerFault, Form, FormAnswers, Harm, Holds, Impact, Model, QuestionKind, RuleBook,
    scia,
};
use device::Language;
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Read once: it takes a moment.
static BOOK: LazyLock<RuleBook> = LazyLock::new(read);

fn answers(of: &[(&str, &str)]) -> FormAnswers {
    of.iter().map(|(question, answer)| ((*question).to_owned(), (*answer).to_owned())).collect()
}

fn model(book: &RuleBook, rest: &str) -> Model {
    let text = format!("tegata: threat-model/1\nname: Gate\n{rest}");
    Model::parse("m.yaml", &text, book).unwrap()
}

/// Duties that are not ruled out.
fn duties(book: &RuleBook, said: &[(&str, &str)]) -> BTreeMap<String, Holds> {
    let form = book.form("privacy").unwrap();
    let said = answers(said);
    let all = form
        .duties
        .iter()
        .map(|duty| (duty.id.clone(), form.holds(&duty.when, &BTreeSet::new(), &said)));
    all.collect()
}

#[test]
fn what_nobody_answered_is_open_and_never_no() {
    let book: &RuleBook = &BOOK;
    for form in book.forms() {
        let empty = FormAnswers::new();
        for duty in &form.duties {
            assert_eq!(
                form.holds(&duty.when, &BTreeSet::new(), &empty),
                Holds::Open,
                "{}",
                duty.id
            );
        }
        let asked = form.questions().filter(|one| form.asks(one, &BTreeSet::new(), &empty)).count();
        assert_eq!(asked, form.questions().count(), "{}: all may concern the product", form.id);
        assert_eq!(form.open_in(&BTreeSet::new(), &empty).count(), asked);
    }
}

#[test]
fn personal_data_decide_which_duties_there_are() {
    let book: &RuleBook = &BOOK;
    let none = duties(book, &[("personal", "none")]);
    assert!(none.values().all(|holds| *holds == Holds::No), "{none:?}");
    let japan = duties(
        book,
        &[
            ("personal", "some"),
            ("regions", "japan"),
            ("kinds", "health, identity"),
            ("sharing", "abroad"),
        ],
    );
    for (duty, holds) in [
        ("appi-purpose", Holds::Yes),
        ("appi-sensitive", Holds::Yes),
        ("appi-abroad", Holds::Yes),
        ("appi-processors", Holds::No),
        ("gdpr-notice", Holds::No),
        ("gdpr-dpia", Holds::No),
    ] {
        assert_eq!(japan[duty], holds, "{duty}");
    }
    // Article 35: one of three cases requires an assessment; two of nine signs make it due.
    let eu = |cases: &str, criteria: &str| {
        duties(
            book,
            &[("personal", "some"), ("regions", "eu"), ("cases", cases), ("criteria", criteria)],
        )
    };
    let one = eu("none", "novel");
    assert_eq!((one["gdpr-dpia"], one["gdpr-dpia-likely"]), (Holds::No, Holds::No));
    let two = eu("none", "scale, novel");
    assert_eq!((two["gdpr-dpia"], two["gdpr-dpia-likely"]), (Holds::No, Holds::Yes));
    let case = eu("public", "none");
    assert_eq!((case["gdpr-dpia"], case["gdpr-dpia-likely"]), (Holds::Yes, Holds::No));
    let open = duties(book, &[("personal", "some"), ("regions", "eu")]);
    assert_eq!((open["gdpr-dpia"], open["gdpr-notice"]), (Holds::Open, Holds::Yes));
    // What stands in a question that is not asked any more does not count.
    let gone = duties(book, &[("personal", "none"), ("regions", "eu"), ("kinds", "health")]);
    assert_eq!(gone["gdpr-special"], Holds::No);
}

#[test]
fn answers_are_read_with_reasons_in_both_languages() {
    let book: &RuleBook = &BOOK;
    let form = book.form("privacy").unwrap();
    let (words, one, several) = (
        form.question("data").unwrap(),
        form.question("personal").unwrap(),
        form.question("sharing").unwrap(),
    );
    assert_eq!(words.read(" names\nand places "), Ok("names\nand places".to_owned()));
    assert_eq!(several.read("abroad,processors"), Ok("processors, abroad".to_owned()));
    let alone = several.choices().iter().find(|one| one.alone).unwrap().title.clone();
    let long = "長".repeat(4_001);
    for (question, answer, fault) in [
        (words, "  ", AnswerFault::Empty),
        (words, long.as_str(), AnswerFault::Long),
        (words, "a\u{202e}b", AnswerFault::Hidden(0x202e)),
        (one, "perhaps", AnswerFault::Unknown("perhaps".to_owned())),
        (one, "some, none", AnswerFault::One),
        (several, "none, abroad", AnswerFault::Alone(alone)),
    ] {
        let found = question.read(answer).unwrap_err();
        assert_eq!(found, fault);
        assert!(!found.text(Language::Ja).is_ascii());
        let english = found.text(Language::En);
        assert!(english.chars().all(|c| !('\u{3041}'..='\u{9fff}').contains(&c)), "{english}");
    }
    assert_eq!(one.shown("some", Language::En), "Yes, or not sure");
}

#[test]
fn a_model_contradicts_what_it_does_not_fit() {
    let book: &RuleBook = &BOOK;
    let model = model(
        book,
        "assets:\n  - {id: a, title: Who came, kind: personal, rating: {safety: 1, confidentiality: 2, \
         integrity: 1, availability: 1}}\nelements:\n  - {id: m, title: Motor, kind: device, traits: \
         [actuator], holds: [a]}\n",
    );
    let analysis = Analysis::of(&model, book, day());
    let form = book.form("privacy").unwrap();
    let said = answers(&[("personal", "none")]);
    let impact = Impact::of(form, &said, &analysis);
    assert!(impact.open.is_empty(), "nothing more is asked");
    assert_eq!(impact.denied.len(), 1);
    assert_eq!(impact.denied[0].2, ["Who came"]);
    assert!(!impact.is_complete(), "it cannot be concluded against the model");
    let safety = book.form("safety").unwrap();
    let said = answers(&[("acts", "none"), ("driven-level", "severe")]);
    let impact = Impact::of(safety, &said, &analysis);
    assert_eq!(impact.denied[0].2, ["Motor"]);
    // What the form says is worse than what the assets say; the threats behind are named.
    assert_eq!(impact.underrated, [(Harm::Safety, 4), (Harm::Integrity, 4)]);
    let driven =
        impact.threats.iter().find(|(one, _)| one.cause_id() == "actuator-driven").unwrap();
    assert!(driven.1.iter().any(|one| one.id == "driven"));
    assert!(impact.requirements.iter().any(|one| one.to_string() == "nisc-iot-framework:b"));
    // An asset that is rated as high settles it.
    let high = "assets:\n  - {id: a, title: A, kind: command}\n";
    let model = self::model(book, high);
    let analysis = Analysis::of(&model, book, day());
    assert!(Impact::of(safety, &said, &analysis).underrated.is_empty());
}

#[test]
fn every_form_can_be_completed() {
    let book: &RuleBook = &BOOK;
    let model = model(book, "category: [health, industrial, consumer]\n");
    let analysis = Analysis::of(&model, book, day());
    for form in book.forms() {
        let said: FormAnswers = form
            .questions()
            .map(|one| {
                let answer = match &one.kind {
                    QuestionKind::Words => "because".to_owned(),
                    QuestionKind::One(choices) | QuestionKind::Several(choices) => {
                        choices[0].word.clone()
                    }
                };
                (one.id.clone(), one.read(&answer).unwrap())
            })
            .collect();
        let impact = Impact::of(form, &said, &analysis);
        assert!(impact.open.is_empty() && impact.is_complete(), "{}", form.id);
        let asked = form.questions().filter(|one| form.asks(one, &model.category, &said));
        for without in asked.map(|one| &one.id) {
            let mut less = said.clone();
            less.remove(without);
            let impact = Impact::of(form, &less, &analysis);
            assert!(impact.open.iter().any(|one| one.id == *without), "{without}");
        }
    }
}

fn level(of: &[(Harm, u8, Vec<assessment::threat::RatedBy<'_>>)], harm: Harm) -> u8 {
    of.iter().find(|(one, _, _)| *one == harm).unwrap().1
}

/// A set of answers: for each question an index of its choices, or none.
fn said(form: &Form, picks: &[Option<usize>]) -> FormAnswers {
    let chosen = form.questions().zip(picks).filter_map(|(question, pick)| {
        let choices = question.choices();
        let choice = choices.get((*pick)? % choices.len().max(1))?;
        Some((question.id.clone(), choice.word.clone()))
    });
    chosen.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// One answer more never lowers a rating, and never turns a duty that applies into one that does not,
    /// unless it answers a question anew.
    #[test]
    fn one_more_answer_lowers_nothing(
        picks in prop::collection::vec(prop::option::of(0usize..12), 40),
        also in 0usize..40,
        pick in 0usize..12,
        rating in 1u8..=5,
    ) {
        let book: &RuleBook = &BOOK;
        let rest = format!(
            "assets:\n  - {{id: a, title: A, kind: other, rating: {{safety: {rating}, confidentiality: \
             {rating}, integrity: {rating}, availability: {rating}}}}}\n"
        );
        let model = model(book, &rest);
        let form = book.form("safety").unwrap();
        let before = said(form, &picks);
        let mut more = picks.clone();
        if more[also].is_none() {
            more[also] = Some(pick);
        }
        let after = said(form, &more);
        let rate = |said: &FormAnswers| {
            let forms = BTreeMap::from([("safety".to_owned(), said.clone())]);
            let all = scia(&model, book, &forms);
            Harm::ALL.iter().map(|harm| level(&all, *harm)).collect::<Vec<_>>()
        };
        for (lower, higher) in rate(&before).into_iter().zip(rate(&after)) {
            prop_assert!(lower <= higher && lower >= rating);
        }
        for duty in &form.duties {
            let was = form.holds(&duty.when, &model.category, &before);
            let is = form.holds(&duty.when, &model.category, &after);
            prop_assert!(was != Holds::Yes || is == Holds::Yes, "{}", duty.id);
            prop_assert!(was != Holds::No || is == Holds::No, "{}", duty.id);
        }
    }
}
