//! Check sheets as workbooks.

use assessment::{Answer, AssessmentError, Day, Diagnosis, Evidence, Library, Outcome, Signature};
use device::Language;
use proptest::prelude::*;
use rust_xlsxwriter::Workbook;
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::embedded().unwrap());

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn there_and_back(diagnosis: &Diagnosis, language: Language) -> Result<Diagnosis, AssessmentError> {
    let book = diagnosis.to_xlsx(&LIBRARY, language).unwrap();
    Diagnosis::from_xlsx("d.xlsx", &book, &LIBRARY)
}

/// A diagnosis with everything in it, and texts that spreadsheets like to change.
fn whole() -> Diagnosis {
    let on = day("2026-11-21");
    let mut diagnosis = Diagnosis::new("=1+1", "007", on).unwrap();
    let piece = |what: &str, until: Option<&str>| Evidence {
        what: what.to_owned(),
        sha256: Some(crypto::sha256_of(&[what.as_bytes()])),
        on: day("2026-11-01"),
        until: until.map(day),
    };
    let tricky = [
        "2026-11-21",
        "1e5",
        "TRUE",
        " spaces around ",
        "two\nlines",
        "_x000D_",
        "'quoted",
        "鍵\u{1F511}",
    ];
    for (item, text) in LIBRARY.items().iter().zip(tricky) {
        let answer = Answer {
            outcome: Outcome::Met,
            reason: None,
            evidence: vec![piece(text, None), piece("report", Some("2027-01-01"))],
            owner: Some(text.to_owned()),
            due: Some(on),
            comment: Some(format!("{text}: \"{text}\" \\ #")),
        };
        diagnosis.answers.insert(item.id.clone(), answer);
    }
    let not_applicable = Answer {
        outcome: Outcome::NotApplicable,
        reason: Some("+reason".to_owned()),
        evidence: vec![],
        owner: None,
        due: None,
        comment: None,
    };
    let record = LIBRARY.catalogues()[2].records[0].reference.clone();
    diagnosis.clauses.insert(record, not_applicable);
    diagnosis.absent.insert(LIBRARY.features().last().unwrap().id.clone(), "@none".to_owned());
    diagnosis.sign("Sato", on).unwrap();
    diagnosis.sign("鈴木", on).unwrap();
    diagnosis
}

#[test]
fn a_round_trip_changes_nothing() {
    let diagnosis = whole();
    for language in [Language::En, Language::Ja] {
        let again = there_and_back(&diagnosis, language).unwrap();
        assert_eq!(again, diagnosis);
        assert_eq!(again.sign_off(), diagnosis.sign_off());
        let book = diagnosis.to_xlsx(&LIBRARY, language).unwrap();
        assert_eq!(again.to_xlsx(&LIBRARY, language).unwrap(), book, "the same bytes");
    }
    let empty = Diagnosis::new("Meter", "1", day("2026-11-21")).unwrap();
    assert_eq!(there_and_back(&empty, Language::Ja).unwrap(), empty);
}

/// A workbook with the given cells in its sheets, as a person might have made it.
fn book(sheets: &[(&str, &[&[&str]])]) -> Vec<u8> {
    let mut book = Workbook::new();
    for name in ["diagnosis", "absent", "answers", "clauses", "evidence", "signatures"] {
        let sheet = book.add_worksheet();
        sheet.set_name(name).unwrap();
        let rows =
            sheets.iter().find(|(other, _)| *other == name).map_or(&[][..], |(_, rows)| *rows);
        for (row, cells) in (1..).zip(rows) {
            for (column, text) in (0..).zip(*cells) {
                if !text.is_empty() {
                    sheet.write_string(row, column, *text).unwrap();
                }
            }
        }
    }
    book.save_to_buffer().unwrap()
}

const FRONT: &[&[&str]] = &[
    &["tegata", "diagnosis/1"],
    &["product", "Meter"],
    &["subject", "1"],
    &["on", " 2026-11-21 "],
];

#[test]
fn people_answer_in_their_language_and_errors_name_sheet_and_row() {
    let read = |sheets: &[(&str, &[&[&str]])]| {
        let mut all = vec![("diagnosis", FRONT)];
        all.extend(sheets);
        Diagnosis::from_xlsx("d.xlsx", &book(&all), &LIBRARY)
    };
    let good = read(&[(
        "answers",
        &[
            &["DEV-SWD-01", "", "", "", "", "一部適合"],
            &["DEV-SWD-02", "", "", "", "", " not met "],
        ],
    )])
    .unwrap();
    let outcomes: Vec<Outcome> = good.answers.values().map(|answer| answer.outcome).collect();
    assert_eq!(outcomes, [Outcome::Partly, Outcome::NotMet]);
    type Sheet<'a> = (&'a str, &'a [&'a [&'a str]]);
    let cases: &[(&[Sheet<'_>], &str)] = &[
        (
            &[("answers", &[&["DEV-SWD-01"], &["DEV-SWD-99", "", "", "", "", "met"]])],
            "sheet answers:3: no item",
        ),
        (&[("answers", &[&["DEV-SWD-01", "", "", "", "", "perhaps"]])], "sheet answers:2: "),
        (&[("answers", &[&["DEV-SWD-01", "", "", "", "", "", "", "Sato"]])], "sheet answers:2: "),
        (&[("answers", &[&["DEV-SWD-01", "", "", "", "", "not-applicable"]])], "sheet answers:2: "),
        (
            &[("absent", &[&["radio", "", "none"], &["wings", "", "none"]])],
            "sheet absent:3: no feature",
        ),
        (&[("evidence", &[&["DEV-SWD-01", "x", "", "2026-11-20"]])], "sheet evidence:2: "),
        (&[("signatures", &[&["Sato", "2026-11-21", "00"]])], "sheet signatures:2: "),
        (
            &[
                ("answers", &[&["DEV-SWD-01", "", "", "", "", "met"]]),
                ("evidence", &[&["DEV-SWD-01", "x", "", "2026-11-31"]]),
            ],
            "sheet evidence:2: ",
        ),
    ];
    for (sheets, words) in cases {
        let error = read(sheets).unwrap_err().to_string();
        assert!(error.contains(words), "{error} should hold {words}");
    }
}

#[test]
fn what_is_no_workbook_or_unpacks_to_too_much_is_refused() {
    for bytes in [&b""[..], b"tegata: diagnosis/1", b"PK\x03\x04", &[0; 64]] {
        let error = Diagnosis::from_xlsx("d.xlsx", bytes, &LIBRARY).unwrap_err();
        assert!(matches!(error, AssessmentError::Malformed { .. }), "{error}");
    }
    let whole = book(&[("diagnosis", FRONT)]);
    for cut in [whole.len() / 2, whole.len() - 1] {
        assert!(Diagnosis::from_xlsx("d.xlsx", &whole[..cut], &LIBRARY).is_err());
    }
    // A far cell is refused, not turned into a table of a million rows.
    let mut far = Workbook::new();
    for name in ["diagnosis", "absent", "answers", "clauses", "evidence", "signatures"] {
        let sheet = far.add_worksheet();
        sheet.set_name(name).unwrap();
        if name == "answers" {
            sheet.write_string(1_048_575, 5, "met").unwrap();
        }
    }
    let error =
        Diagnosis::from_xlsx("d.xlsx", &far.save_to_buffer().unwrap(), &LIBRARY).unwrap_err();
    assert!(matches!(error, AssessmentError::TooLarge { what: "rows", .. }), "{error}");
    // 80 MiB of one letter pack into some hundred kilobytes.
    let mut bomb = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    bomb.start_file("xl/sharedStrings.xml", options).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b'x'), 80 << 20), &mut bomb).unwrap();
    let bomb = bomb.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20);
    let error = Diagnosis::from_xlsx("d.xlsx", &bomb, &LIBRARY).unwrap_err();
    assert!(matches!(error, AssessmentError::TooLarge { .. }), "{error}");
}

/// A workbook whose entries are changed before it is read.
fn tampered(change: impl Fn(&str, String) -> String) -> Result<Diagnosis, AssessmentError> {
    let whole = whole().to_xlsx(&LIBRARY, Language::En).unwrap();
    let mut from = zip::ZipArchive::new(std::io::Cursor::new(whole)).unwrap();
    let mut to = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut entry = from.by_index(index).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        let name = entry.name().unwrap().into_owned();
        to.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut to, change(&name, text).as_bytes()).unwrap();
    }
    Diagnosis::from_xlsx("d.xlsx", &to.finish().unwrap().into_inner(), &LIBRARY)
}

/// The reader makes room for as many strings as a workbook says it shares.
#[test]
fn a_workbook_that_claims_too_much_is_refused() {
    assert_eq!(tampered(|_, text| text).unwrap(), whole());
    for claim in ["1000000000000", "9999999999999999999", "00001000001", "99999999999999999999999"]
    {
        for (before, quote) in [("", '"'), (" count='3' ", '\'')] {
            let error = tampered(|name, text| {
                if !name.ends_with("sharedStrings.xml") {
                    return text;
                }
                let at = text.find("uniqueCount=").unwrap();
                let end = at + 13 + text[at + 13..].find('"').unwrap() + 1;
                let told = format!("{before}uniqueCount = {quote}{claim}{quote}");
                format!("{}{told}{}", &text[..at], &text[end..])
            });
            let error = error.unwrap_err();
            let AssessmentError::TooLarge { what: "shared strings", .. } = error else {
                panic!("{error}")
            };
        }
    }
}

/// Each style has a copy of its font's name and its form of numbers.
#[test]
fn styles_that_share_a_long_name_are_counted_each() {
    let long = "x".repeat(300_000);
    let styles = "<xf numFmtId=\"7\"/>".repeat(2_000);
    let many = "<font/>".repeat(200_000);
    for (fonts, styles, expected) in [
        (format!("<font><name val=\"{long}\"/></font>"), styles.as_str(), "bytes of styles"),
        (many, "", "styles"),
    ] {
        let error = tampered(|name, text| {
            if !name.ends_with("styles.xml") {
                return text;
            }
            format!("<styleSheet><fonts>{fonts}</fonts><cellXfs>{styles}</cellXfs></styleSheet>")
        });
        let error = error.unwrap_err();
        let AssessmentError::TooLarge { what, .. } = error else { panic!("{error}") };
        assert_eq!(what, expected);
    }
}

/// A long string that many cells share is counted as often as it stands there.
#[test]
fn cells_that_share_a_long_string_are_counted_each() {
    let long = "x".repeat(30_000);
    let mut book = Workbook::new();
    for name in ["diagnosis", "absent", "answers", "clauses", "evidence", "signatures"] {
        let sheet = book.add_worksheet();
        sheet.set_name(name).unwrap();
        for row in 1..60 {
            sheet.write_string(row, 5, &long).unwrap();
        }
    }
    let book = book.save_to_buffer().unwrap();
    assert!(book.len() < 100_000, "{}", book.len());
    let error = Diagnosis::from_xlsx("d.xlsx", &book, &LIBRARY).unwrap_err();
    let AssessmentError::TooLarge { what: "bytes of text, at least", .. } = error else {
        panic!("{error}")
    };
    // A number may be longer in letters than it is in the file.
    let mut book = Workbook::new();
    for name in ["diagnosis", "absent", "answers", "clauses", "evidence", "signatures"] {
        let sheet = book.add_worksheet();
        sheet.set_name(name).unwrap();
        for row in 1..100 {
            for column in 0..32 {
                sheet.write_number(row, column, 1e308).unwrap();
            }
        }
    }
    let book = book.save_to_buffer().unwrap();
    let error = Diagnosis::from_xlsx("d.xlsx", &book, &LIBRARY).unwrap_err();
    let AssessmentError::TooLarge { what: "bytes of text, at least", .. } = error else {
        panic!("{error}")
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Texts of any kind survive.
    #[test]
    fn any_text_survives(
        texts in proptest::collection::vec("[ -~\n\u{80}-\u{10FFFF}]{0,20}[a-z]", 4),
        digest in any::<[u8; 32]>(),
    ) {
        let on = day("2026-11-21");
        let Ok(mut diagnosis) = Diagnosis::new(&texts[0], &texts[1], on) else { return Ok(()) };
        let signature = Signature { by: texts[2].clone(), on, content: crypto::Sha256(digest) };
        diagnosis.signatures.push(signature);
        let answer = Answer {
            outcome: Outcome::Partly,
            reason: None,
            evidence: vec![],
            owner: Some(texts[3].clone()),
            due: None,
            comment: None,
        };
        diagnosis.answers.insert(LIBRARY.items()[0].id.clone(), answer);
        // Only what a file may hold is asked to survive.
        if Diagnosis::parse("d.yaml", &diagnosis.to_yaml(), &LIBRARY).is_err() {
            return Ok(());
        }
        prop_assert_eq!(there_and_back(&diagnosis, Language::En), Ok(diagnosis));
    }
}
