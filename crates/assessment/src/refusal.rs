//! Why the rules of a diagnosis do not allow something, in both languages.

use crate::{
    Day, EVIDENCE_MAX, FeatureId, Outcome, SIGNATURES_MAX, TEXT_CHARACTERS_MAX, Topic,
    oscal::DocumentKind,
};
use device::Language;
use std::fmt;

/// Why the rules of a diagnosis do not allow something. Shown in English.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// at this topic
    At(Topic, Box<Self>),
    /// a text is empty
    EmptyText,
    /// a text has more than [`TEXT_CHARACTERS_MAX`] characters
    LongText,
    /// a character that does not print
    HiddenCharacter(u32),
    /// "not applicable" without a reason, or a reason with something else
    Reason,
    /// more than [`EVIDENCE_MAX`] pieces
    TooMuchEvidence,
    /// evidence from after the diagnosis
    FutureEvidence {
        /// its day
        evidence: Day,
        /// the day of the diagnosis
        diagnosis: Day,
    },
    /// evidence that ends before it begins
    EvidenceEnds,
    /// an answer about something that the product does not have
    Absent {
        /// what was answered
        outcome: Outcome,
        /// what the product does not have
        feature: FeatureId,
    },
    /// a feature on which an answer depends
    Depends(Topic),
    /// an answer for a feature
    FeatureAnswered,
    /// a reason of absence for an item or a clause
    ItemAbsent,
    /// a signature before the day of the diagnosis
    SignedEarly(Day),
    /// the same person again
    SignedAlready(String),
    /// more than [`SIGNATURES_MAX`] signatures
    TooManySignatures,
    /// two products are compared
    TwoProducts(String, String),
    /// what is called later is earlier
    Earlier {
        /// the day of what is called later
        after: Day,
        /// the other
        before: Day,
    },
    /// a file that is no JSON
    NoJson {
        /// where, from 1
        line: usize,
        /// where, from 1
        column: usize,
    },
    /// JSON that is no model of OSCAL
    NotOscal,
    /// a model of OSCAL without metadata
    NoMetadata(DocumentKind),
    /// a document of another kind
    NotResults(DocumentKind),
    /// results that a later version wrote
    OtherForm,
    /// a finding with an answer of ours that cannot be read: about what, and which of its properties
    Finding(String, &'static str),
    /// results without a day
    NoStart,
    /// a workbook that cannot be written
    Workbook(String),
}

impl Refusal {
    /// What is not allowed, and what to do.
    pub fn text(&self, language: Language) -> String {
        match language {
            Language::En => self.english(),
            Language::Ja => self.japanese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Self::At(topic, why) => format!("{topic}: {}", why.english()),
            Self::EmptyText => "a text is empty".to_owned(),
            Self::LongText => format!("a text is longer than {TEXT_CHARACTERS_MAX} characters"),
            Self::HiddenCharacter(code) => {
                format!("a text holds U+{code:04X}, which does not print")
            }
            Self::Reason => "\"not-applicable\" needs a `reason`, and only it has one".to_owned(),
            Self::TooMuchEvidence => {
                format!("an answer has at most {EVIDENCE_MAX} pieces of evidence")
            }
            Self::FutureEvidence { evidence, diagnosis } => {
                format!("evidence of {evidence} in a diagnosis of {diagnosis}")
            }
            Self::EvidenceEnds => "the evidence ends before it begins".to_owned(),
            Self::Absent { outcome, feature } => {
                format!("answered {outcome}, but {feature} stands under `absent`")
            }
            Self::Depends(topic) => {
                format!("{topic} depends on it and is answered otherwise; change that answer first")
            }
            Self::FeatureAnswered => {
                "a feature has no answer, but a reason why it is absent".to_owned()
            }
            Self::ItemAbsent => "an item or a clause has an answer".to_owned(),
            Self::SignedEarly(on) => format!("the diagnosis is of {on}, later than the signature"),
            Self::SignedAlready(by) => {
                format!("{by} has signed already; another person is needed")
            }
            Self::TooManySignatures => {
                format!("there are {SIGNATURES_MAX} signatures; begin a new diagnosis")
            }
            Self::TwoProducts(one, other) => {
                format!("the diagnoses are of two products, {one:?} and {other:?}")
            }
            Self::Earlier { after, before } => {
                format!("the second diagnosis is of {after}, before {before}")
            }
            Self::NoJson { line, column } => format!(
                "the file is no JSON: line {line}, column {column}; send OSCAL assessment results in \
                 JSON, not in XML or YAML"
            ),
            Self::NotOscal => {
                "the file is JSON, and no OSCAL: it holds none of OSCAL's models, or \
                 several; send assessment-results"
                    .to_owned()
            }
            Self::NoMetadata(kind) => {
                format!("the {kind} has no metadata, so that it is no OSCAL document")
            }
            Self::NotResults(kind) => format!(
                "this is a {kind}, which holds no answers; send the assessment-results that belong to it"
            ),
            Self::OtherForm => {
                "another version of Tegata wrote these results; export them again with \
                 this one, or import the YAML file"
                    .to_owned()
            }
            Self::Finding(about, what) => format!(
                "the finding about {about:?} is damaged: its `{what}` cannot be read, or stands there \
                 twice; export the diagnosis again"
            ),
            Self::NoStart => "the results do not say when they start".to_owned(),
            Self::Workbook(error) => format!("the workbook cannot be made: {error}"),
        }
    }

    fn japanese(&self) -> String {
        match self {
            Self::At(topic, why) => format!("{topic}：{}", why.japanese()),
            Self::EmptyText => "空の文字列があります。内容を入力してください".to_owned(),
            Self::LongText => format!("文字列は{TEXT_CHARACTERS_MAX}文字までにしてください"),
            Self::HiddenCharacter(code) => {
                format!("表示できない文字（U+{code:04X}）を取り除いてください")
            }
            Self::Reason => {
                "「対象外」には理由が必要です。理由は「対象外」の場合だけ入力してください"
                    .to_owned()
            }
            Self::TooMuchEvidence => format!("一つの回答の証跡は{EVIDENCE_MAX}件までです"),
            Self::FutureEvidence { evidence, diagnosis } => format!(
                "証跡の日付（{evidence}）が診断の日（{diagnosis}）より後です。日付を確認してください"
            ),
            Self::EvidenceEnds => "証跡の期限が開始日より前です。日付を確認してください".to_owned(),
            Self::Absent { outcome, feature } => format!(
                "製品にない機能（{feature}）に関する項目に「{}」とは回答できません。先に機能の登録を取り消してください",
                outcome.title(Language::Ja)
            ),
            Self::Depends(topic) => format!(
                "この機能に依存する{topic}に別の回答があります。先にその回答を変更してください"
            ),
            Self::FeatureAnswered => {
                "機能には回答ではなく、製品にない理由を入力してください".to_owned()
            }
            Self::ItemAbsent => "項目と条項には回答を入力してください".to_owned(),
            Self::SignedEarly(on) => format!("署名の日が診断の日（{on}）より前です"),
            Self::SignedAlready(by) => {
                format!("{by}はすでに署名しています。別の人が署名してください")
            }
            Self::TooManySignatures => {
                format!("署名が{SIGNATURES_MAX}件あります。新しい診断を始めてください")
            }
            Self::TwoProducts(one, other) => {
                format!("別の製品の診断です（{one}と{other}）。同じ製品の診断を選んでください")
            }
            Self::Earlier { after, before } => {
                format!("後の診断の日（{after}）が前の診断の日（{before}）より前です")
            }
            Self::NoJson { line, column } => format!(
                "JSONとして読み取れません（{line}行{column}桁）。XMLやYAMLではなく、JSON形式のOSCAL評価結果を指定してください"
            ),
            Self::NotOscal => {
                "OSCALの文書ではありません。OSCALのモデルがないか、複数あります。assessment-results を指定してください"
                    .to_owned()
            }
            Self::NoMetadata(kind) => format!(
                "この{}（{kind}）には metadata がなく、OSCALの文書ではありません",
                kind.title(Language::Ja)
            ),
            Self::NotResults(kind) => format!(
                "この文書は{}（{kind}）で、回答を含みません。assessment-results を指定してください",
                kind.title(Language::Ja)
            ),
            Self::OtherForm => {
                "この評価結果は別のバージョンのTegataが書き出したものです。書き出し直すか、YAMLを使ってください"
                    .to_owned()
            }
            Self::Finding(about, what) => format!(
                "「{about}」についての所見の{what}を読み取れないか、重複しています。診断を書き出し直してください"
            ),
            Self::NoStart => "結果に開始日時がありません".to_owned(),
            Self::Workbook(error) => format!("Excelブックを作成できません（{error}）"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ItemId;

    /// One of each. A new variant does not compile here until it is added.
    fn all() -> Vec<Refusal> {
        let day = Day::parse("2026-11-21").unwrap();
        let topic = || Topic::Item(ItemId::parse("DEV-SWD-01").unwrap());
        let feature = FeatureId::parse("removable-media").unwrap();
        let outcome = Outcome::Met;
        let all = vec![
            Refusal::At(topic(), Box::new(Refusal::Reason)),
            Refusal::EmptyText,
            Refusal::LongText,
            Refusal::HiddenCharacter(7),
            Refusal::Reason,
            Refusal::TooMuchEvidence,
            Refusal::FutureEvidence { evidence: day, diagnosis: day },
            Refusal::EvidenceEnds,
            Refusal::Absent { outcome, feature },
            Refusal::Depends(topic()),
            Refusal::FeatureAnswered,
            Refusal::ItemAbsent,
            Refusal::SignedEarly(day),
            Refusal::SignedAlready("Sato".into()),
            Refusal::TooManySignatures,
            Refusal::TwoProducts("a".into(), "b".into()),
            Refusal::Earlier { after: day, before: day },
            Refusal::NoJson { line: 1, column: 2 },
            Refusal::NotOscal,
            Refusal::NoMetadata(DocumentKind::Catalog),
            Refusal::NotResults(DocumentKind::Profile),
            Refusal::OtherForm,
            Refusal::Finding("DEV-SWD-01".into(), "due"),
            Refusal::NoStart,
            Refusal::Workbook("full".into()),
        ];
        for one in &all {
            match one {
                Refusal::At(..)
                | Refusal::EmptyText
                | Refusal::LongText
                | Refusal::HiddenCharacter(_)
                | Refusal::Reason
                | Refusal::TooMuchEvidence
                | Refusal::FutureEvidence { .. }
                | Refusal::EvidenceEnds
                | Refusal::Absent { .. }
                | Refusal::Depends(_)
                | Refusal::FeatureAnswered
                | Refusal::ItemAbsent
                | Refusal::SignedEarly(_)
                | Refusal::SignedAlready(_)
                | Refusal::TooManySignatures
                | Refusal::TwoProducts(..)
                | Refusal::Earlier { .. }
                | Refusal::NoJson { .. }
                | Refusal::NotOscal
                | Refusal::NoMetadata(_)
                | Refusal::NotResults(_)
                | Refusal::OtherForm
                | Refusal::Finding(..)
                | Refusal::NoStart
                | Refusal::Workbook(_) => {}
            }
        }
        all
    }

    #[test]
    fn every_refusal_is_said_in_both_languages() {
        let japanese = |text: &str| text.chars().any(|c| matches!(c, '\u{3041}'..='\u{9fff}'));
        let mut seen = std::collections::BTreeSet::new();
        for one in all() {
            let (en, ja) = (one.text(Language::En), one.text(Language::Ja));
            assert!(!japanese(&en), "{en}");
            assert!(japanese(&ja) && !ja.ends_with('。'), "{ja}");
            assert!(seen.insert(en) && seen.insert(ja), "said of two things");
        }
    }
}
