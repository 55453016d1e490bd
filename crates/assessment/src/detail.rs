//! What is wrong at a place of a file, in both languages where people wrote the file.

use crate::{
    FeatureId, Outcome, Refusal,
    threat::{AnswerFault, FORM as MODEL_FORM, NAME_BYTES_MAX},
};
use device::Language;
use serde_saphyr::Error;
use std::fmt;

/// Longest line of an error, in characters.
const CHARACTERS_MAX: usize = 300;

/// What is wrong at a place of a file. Shown in English.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// in a file of ours, or of another program: said in English
    Told(String),
    /// no YAML, or not of the form
    Yaml(YamlFault),
    /// in what people wrote
    Fault(Box<Fault>),
    /// what the rules of texts and answers do not allow
    Refused(Refusal),
}

/// What the reader of YAML says, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlFault {
    /// English
    en: String,
    /// 日本語
    ja: String,
}

/// What is wrong with a threat model or a diagnosis that people wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// a form of the file that is not read here: found, and read
    Form(String, &'static str),
    /// a model without its first line
    NoForm,
    /// a model without the name of its product
    NoName,
    /// security levels that are none
    Levels,
    /// a finding without harms
    NoHarms,
    /// no vector of CVSS 4.0
    Cvss,
    /// a decision that needs an end
    NoEnd,
    /// measures without, or with another verdict than `measures`
    Measures,
    /// `rated` without a rating
    NoRating,
    /// a decision that ends before it begins
    EndsEarly,
    /// two decisions about a threat
    DecidedTwice,
    /// a form of questions that does not exist; those that do
    NoQuestions(String, String),
    /// a question that a form does not ask; one that is near
    NoQuestion {
        /// the form
        form: String,
        /// the question
        question: String,
        /// what may have been meant
        near: Option<String>,
    },
    /// an answer that a question does not take
    Answer {
        /// the question
        question: String,
        /// why
        why: AnswerFault,
        /// words to choose from
        choices: Vec<String>,
    },
    /// a part of itself
    Cycle,
    /// a name twice in a list
    Twice(String),
    /// a name of nothing
    Unknown {
        /// of which kind, as files name it
        kind: &'static str,
        /// the name
        name: String,
        /// what may have been meant
        near: Option<String>,
    },
    /// no id
    Id(String),
    /// an id that stands there already
    Exists {
        /// of which kind
        kind: &'static str,
        /// the id
        id: String,
        /// where
        line: u64,
    },
    /// no day
    Day(String),
    /// off the scale
    Scale(u8),
    /// no digest
    Digest,
    /// an answer about what the product does not have
    Absent {
        /// what was answered
        outcome: Outcome,
        /// what the product does not have
        feature: FeatureId,
    },
}

impl Detail {
    /// What is wrong, and what to do where that is not plain.
    pub fn text(&self, language: Language) -> String {
        let text = match (self, language) {
            (Self::Told(text), _) => text.clone(),
            (Self::Yaml(fault), Language::En) => fault.en.clone(),
            (Self::Yaml(fault), Language::Ja) => fault.ja.clone(),
            (Self::Fault(fault), Language::En) => fault.english(),
            (Self::Fault(fault), Language::Ja) => fault.japanese(),
            (Self::Refused(refusal), language) => refusal.text(language),
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().filter(|c| !c.is_control()).take(CHARACTERS_MAX).collect()
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Language::En))
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Told(text)
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Self {
        Self::Told(text.to_owned())
    }
}

impl From<Fault> for Detail {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<Refusal> for Detail {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<&Error> for Detail {
    fn from(error: &Error) -> Self {
        Self::Yaml(YamlFault { en: error.render(), ja: yaml(error) })
    }
}

/// What the reader of YAML says, for people who write models.
fn yaml(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => yaml(error),
        Error::SerdeUnknownField { field, expected, .. } => format!(
            "「{field}」という項目はありません。使える項目：{}",
            expected.join("、")
        ),
        Error::SerdeMissingField { field, .. } => format!("必須の項目「{field}」がありません"),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("「{variant}」は使えません。使える語：{}", expected.join("、"))
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("「{key}」が重複しています。一つだけにしてください")
        }
        Error::DuplicateMappingKey { .. } => {
            "同じ項目が重複しています。一つだけにしてください".to_owned()
        }
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("値の種類が違います（{unexpected}）。必要な値：{expected}")
        }
        Error::InvalidScalar { ty, .. } => format!("値を読み取れません。必要な値：{ty}"),
        Error::Unexpected { expected, .. } => {
            format!("書き方が違います。ここに必要なもの：{expected}")
        }
        Error::Eof { .. } => "ファイルが途中で終わっています".to_owned(),
        Error::Budget { .. } | Error::MergeKeyNotAllowed { .. } | Error::UnknownAnchor { .. } => {
            "大きすぎるか、入れ子が深すぎるか、使えない記法（アンカー、エイリアス、マージ）があります"
                .to_owned()
        }
        Error::InvalidUtf8Input => "文字コードはUTF-8にしてください".to_owned(),
        other => format!("YAMLとして読み取れません（{}）", other.render()),
    }
}

/// What a kind of names is called in Japanese.
fn kind_ja(kind: &str) -> &str {
    match kind {
        "zone" => "ゾーン",
        "asset" => "資産",
        "element" => "要素",
        "element or flow" => "要素またはフロー",
        "interface" => "インターフェース",
        "finding" => "所見",
        "measure" => "対策",
        "item" => "項目",
        "record" => "条項",
        "feature" => "機能",
        other => other,
    }
}

impl Fault {
    fn english(&self) -> String {
        let meant = |near: &Option<String>| {
            near.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
        };
        match self {
            Self::Form(found, read) => format!("the form is {found:?}; write `tegata: {read}`"),
            Self::NoForm => format!("missing: the first line: `tegata: {MODEL_FORM}`"),
            Self::NoName => "missing: the name of the product: `name: …`".to_owned(),
            Self::Levels => {
                "security levels are seven numbers 0 to 4, FR 1 to FR 7 in order".to_owned()
            }
            Self::NoHarms => "say under `harms` what suffers".to_owned(),
            Self::Cvss => "no CVSS 4.0 vector; it begins with CVSS:4.0/ and names all eleven base \
                           metrics"
                .to_owned(),
            Self::NoEnd => {
                "who accepts or transfers a threat says until when; add `until: YYYY-MM-DD`"
                    .to_owned()
            }
            Self::Measures => {
                "`measures` comes with the list `measures`, and nothing else does".to_owned()
            }
            Self::NoRating => "`rated` comes with `likelihood` or `impact`, 1 to 5".to_owned(),
            Self::EndsEarly => "the decision ends before it begins".to_owned(),
            Self::DecidedTwice => {
                "there is a decision about this threat already; keep one of them".to_owned()
            }
            Self::NoQuestions(form, known) => format!("no form {form:?}; there are {known}"),
            Self::NoQuestion { form, question, near } => {
                format!("the form {form} asks no question {question:?}{}", meant(near))
            }
            Self::Answer { question, why, choices } => {
                let some = match choices.is_empty() {
                    true => String::new(),
                    false => format!("; there are {}", choices.join(", ")),
                };
                format!("{question}: {}{some}", why.text(Language::En))
            }
            Self::Cycle => "an element is no part of itself".to_owned(),
            Self::Twice(name) => format!("{name} stands here twice"),
            Self::Unknown { kind, name, near } => {
                let hint = match (near, *kind) {
                    (Some(_), _) => meant(near),
                    (None, "measure") => "; `tegata threat rules --measures` lists them".to_owned(),
                    (None, "item" | "record" | "feature") => String::new(),
                    (None, kind) => format!("; add it under `{kind}s`, or name one that is there"),
                };
                format!("no {kind} {name:?}{hint}")
            }
            Self::Id(name) => format!(
                "{name:?} is no id: lower-case letters, digits and hyphens, {NAME_BYTES_MAX} at most"
            ),
            Self::Exists { kind, id, line } => {
                format!("the {kind} {id} is there already, in line {line}")
            }
            Self::Day(text) => format!("{text:?} is no day: YYYY-MM-DD"),
            Self::Scale(value) => format!("{value} is not on the scale 1 to 5"),
            Self::Digest => "a digest is 64 hex digits".to_owned(),
            Self::Absent { outcome, feature } => {
                format!("answered {outcome}, but {feature} stands under `absent`")
            }
        }
    }

    fn japanese(&self) -> String {
        let meant = |near: &Option<String>| {
            near.as_ref()
                .map(|near| format!("。「{near}」の誤りではありませんか"))
                .unwrap_or_default()
        };
        match self {
            Self::Form(found, read) => {
                format!("形式「{found}」は読み取れません。先頭に `tegata: {read}` と書いてください")
            }
            Self::NoForm => format!("先頭の行 `tegata: {MODEL_FORM}` がありません"),
            Self::NoName => "製品の名称（`name: …`）がありません".to_owned(),
            Self::Levels => {
                "セキュリティレベルは、FR 1からFR 7の順に0〜4の数を七つ並べてください".to_owned()
            }
            Self::NoHarms => "`harms` に、何が損なわれるかを書いてください".to_owned(),
            Self::Cvss => {
                "CVSS 4.0のベクトルではありません。CVSS:4.0/ で始め、基本評価基準の11項目をすべて書いてください"
                    .to_owned()
            }
            Self::NoEnd => {
                "脅威の受容と移転には期限が必要です。`until: YYYY-MM-DD` を加えてください".to_owned()
            }
            Self::Measures => {
                "一覧 `measures` は、判断が `measures` のときに限って必要です".to_owned()
            }
            Self::NoRating => {
                "判断が `rated` のときは、`likelihood` か `impact` を1〜5で書いてください".to_owned()
            }
            Self::EndsEarly => "判断の期限が、判断の日より前です".to_owned(),
            Self::DecidedTwice => {
                "この脅威への判断がすでにあります。一つだけ残してください".to_owned()
            }
            Self::NoQuestions(form, known) => {
                format!("様式「{form}」はありません。使える様式：{known}")
            }
            Self::NoQuestion { form, question, near } => {
                format!("様式{form}に質問「{question}」はありません{}", meant(near))
            }
            Self::Answer { question, why, choices } => {
                let some = match choices.is_empty() {
                    true => String::new(),
                    false => format!("。選択肢：{}", choices.join("、")),
                };
                format!("{question}：{}{some}", why.text(Language::Ja))
            }
            Self::Cycle => "要素を自分自身の部品にはできません".to_owned(),
            Self::Twice(name) => format!("「{name}」が一覧に重複しています"),
            Self::Unknown { kind, name, near } => {
                let hint = match (near, *kind) {
                    (Some(_), _) => meant(near),
                    (None, "measure") => {
                        "。`tegata threat rules --measures` で一覧を確認できます".to_owned()
                    }
                    (None, "item" | "record" | "feature") => String::new(),
                    (None, kind) => {
                        format!("。`{kind}s` に加えるか、すでにあるものを指定してください")
                    }
                };
                format!("{}「{name}」はありません{hint}", kind_ja(kind))
            }
            Self::Id(name) => format!(
                "「{name}」は識別子に使えません。英小文字、数字、ハイフンで{NAME_BYTES_MAX}文字までです"
            ),
            Self::Exists { kind, id, line } => {
                format!("{}「{id}」は{line}行目にすでにあります", kind_ja(kind))
            }
            Self::Day(text) => format!("「{text}」は日付ではありません。YYYY-MM-DDの形で書いてください"),
            Self::Scale(value) => format!("{value}は使えません。1〜5の数を書いてください"),
            Self::Digest => "ダイジェストは16進数64桁です".to_owned(),
            Self::Absent { outcome, feature } => format!(
                "製品にない機能（{feature}）に関する項目に「{}」とは回答できません",
                outcome.title(Language::Ja)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threat::AnswerFault;

    /// One of each. A new variant does not compile here until it is added.
    fn all() -> Vec<Fault> {
        let near = || Some("lock".to_owned());
        let feature = FeatureId::parse("radio").unwrap();
        let all = vec![
            Fault::Form("threat-model/9".into(), "threat-model/1"),
            Fault::NoForm,
            Fault::NoName,
            Fault::Levels,
            Fault::NoHarms,
            Fault::Cvss,
            Fault::NoEnd,
            Fault::Measures,
            Fault::NoRating,
            Fault::EndsEarly,
            Fault::DecidedTwice,
            Fault::NoQuestions("x".into(), "safety".into()),
            Fault::NoQuestion { form: "safety".into(), question: "x".into(), near: near() },
            Fault::Answer {
                question: "acts".into(),
                why: AnswerFault::Unknown("fly".into()),
                choices: vec!["moves".into()],
            },
            Fault::Cycle,
            Fault::Twice("lock".into()),
            Fault::Unknown { kind: "zone", name: "lok".into(), near: near() },
            Fault::Unknown { kind: "zone", name: "x".into(), near: None },
            Fault::Unknown { kind: "measure", name: "x".into(), near: None },
            Fault::Unknown { kind: "item", name: "x".into(), near: None },
            Fault::Id("A b".into()),
            Fault::Exists { kind: "asset", id: "key".into(), line: 3 },
            Fault::Day("soon".into()),
            Fault::Scale(9),
            Fault::Digest,
            Fault::Absent { outcome: Outcome::Met, feature },
        ];
        for one in &all {
            match one {
                Fault::Form(..)
                | Fault::NoForm
                | Fault::NoName
                | Fault::Levels
                | Fault::NoHarms
                | Fault::Cvss
                | Fault::NoEnd
                | Fault::Measures
                | Fault::NoRating
                | Fault::EndsEarly
                | Fault::DecidedTwice
                | Fault::NoQuestions(..)
                | Fault::NoQuestion { .. }
                | Fault::Answer { .. }
                | Fault::Cycle
                | Fault::Twice(_)
                | Fault::Unknown { .. }
                | Fault::Id(_)
                | Fault::Exists { .. }
                | Fault::Day(_)
                | Fault::Scale(_)
                | Fault::Digest
                | Fault::Absent { .. } => {}
            }
        }
        all
    }

    fn is_japanese(text: &str) -> bool {
        text.chars().any(|c| matches!(c, '\u{3041}'..='\u{9fff}'))
    }

    #[test]
    fn every_fault_is_said_in_both_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for one in all() {
            let detail = Detail::from(one);
            let (en, ja) = (detail.text(Language::En), detail.text(Language::Ja));
            assert!(!is_japanese(&en), "{en}");
            assert!(is_japanese(&ja) && !ja.ends_with('。'), "{ja}");
            assert!(seen.insert(en) && seen.insert(ja), "said of two things");
        }
        for kind in [
            "zone",
            "asset",
            "element",
            "element or flow",
            "interface",
            "finding",
            "measure",
            "item",
            "record",
            "feature",
        ] {
            assert!(is_japanese(kind_ja(kind)), "{kind}");
        }
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read to be refused")]
    struct Small {
        name: String,
        trust: u8,
        kind: Option<crate::Outcome>,
    }

    #[test]
    fn what_the_reader_of_yaml_says_is_said_in_both_languages() {
        let mut wrong = Vec::new();
        for (text, says) in [
            ("name: a\ncolour: red", "「colour」という項目はありません"),
            ("name: a", "必須の項目「trust」がありません"),
            ("name: a\ntrust: 1\nkind: green", "「green」は使えません"),
            ("name: a\nname: b\ntrust: 1", "「name」が重複しています"),
            ("name: a\ntrust: high", "値"),
            ("name: [a\ntrust: 1", "書き方が違います"),
            ("- a", "ここに必要なもの"),
            ("name: &x a\ntrust: *x", "使えない記法"),
            ("name: !own a\ntrust: 1", "YAMLとして"),
            ("", "ファイル"),
        ] {
            let error = crate::yaml::parse::<Small>("m.yaml", text).unwrap_err();
            let crate::AssessmentError::Malformed { detail, .. } = &error else {
                panic!("{text}: {error}")
            };
            let (en, ja) = (detail.text(Language::En), detail.text(Language::Ja));
            assert!(!is_japanese(&en), "{text}: {en}");
            if !ja.contains(says) {
                wrong.push(format!("{text}: {ja} / {en}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }
}
