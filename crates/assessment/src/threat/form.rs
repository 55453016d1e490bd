//! Guided forms: steps of questions, and what follows from their answers.
//!
//! Answers are texts, so that a model file can hold them: free words, or the words of choices, joined by
//! commas. What nobody answered is open, never "no".

use crate::{
    Bilingual, RecordRef,
    text::{self, TEXT_CHARACTERS_MAX},
    threat::{AssetKind, Category, Harm, Trait},
};
use device::Language;
use std::collections::{BTreeMap, BTreeSet};

/// A guided form: an impact assessment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// stable name
    pub id: String,
    /// what it assesses
    pub title: Bilingual,
    /// what is asked together, in order
    pub steps: Vec<Step>,
    /// what laws and rules ask for, depending on answers
    pub duties: Vec<Duty>,
}

/// Questions that are asked together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// stable name
    pub id: String,
    /// what it is about
    pub title: Bilingual,
    /// in order
    pub questions: Vec<Question>,
}

/// One question of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// stable name
    pub id: String,
    /// what is asked
    pub ask: Bilingual,
    /// what to think of
    pub help: Bilingual,
    /// an answer that somebody might give
    pub example: Bilingual,
    /// asked only of products that fit; empty for all
    pub categories: Vec<Category>,
    /// asked only where all of these hold, or may hold
    pub when: Vec<Needs>,
    /// how it is answered
    pub kind: QuestionKind,
    /// what the level of the answer rates
    pub rates: Vec<Harm>,
    /// rules of threats that it is about
    pub rules: Vec<String>,
    /// requirements that it bears on
    pub records: Vec<RecordRef>,
}

/// How a question is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// in words
    Words,
    /// one of these
    One(Vec<FormChoice>),
    /// some of these
    Several(Vec<FormChoice>),
}

/// An answer to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormChoice {
    /// stable name
    pub word: String,
    /// for people
    pub title: Bilingual,
    /// 1 to 5, where the question rates something
    pub level: Option<u8>,
    /// what follows from it
    pub then: Option<Bilingual>,
    /// goes with no other choice
    pub alone: bool,
    /// kinds of assets that it denies
    pub denies_assets: Vec<AssetKind>,
    /// traits that it denies
    pub denies_traits: Vec<Trait>,
}

/// A condition: so many of some words were chosen in some questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// which questions
    pub questions: Vec<String>,
    /// which words
    pub any: Vec<String>,
    /// how many of them, at least 1
    pub least: usize,
}

/// What a law or a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// stable name
    pub id: String,
    /// which law, with its article
    pub law: Bilingual,
    /// in a line
    pub title: Bilingual,
    /// what is to be done
    pub text: Bilingual,
    /// what one has in hand afterwards
    pub document: Bilingual,
    /// applies where all of these hold
    pub when: Vec<Needs>,
    /// requirements that it comes down to
    pub records: Vec<RecordRef>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holds {
    /// it does
    Yes,
    /// nobody has answered what decides it
    Open,
    /// it does not
    No,
}

impl Holds {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "applies",
            Self::Open => "open",
            Self::No => "does-not-apply",
        }
    }
}

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// nothing stands there
    Empty,
    /// more than [`TEXT_CHARACTERS_MAX`] characters
    Long,
    /// a character that does not print
    Hidden(u32),
    /// no choice of the question
    Unknown(String),
    /// several, where one is asked for
    One,
    /// a choice that goes with no other
    Alone(Bilingual),
}

impl AnswerFault {
    /// What is wrong, and what to do.
    pub fn text(&self, language: Language) -> String {
        match (self, language) {
            (Self::Empty, Language::En) => "say something, or leave the question open".to_owned(),
            (Self::Empty, Language::Ja) => {
                "回答を入力するか、未回答のままにしてください".to_owned()
            }
            (Self::Long, Language::En) => {
                format!("shorten the answer to {TEXT_CHARACTERS_MAX} characters")
            }
            (Self::Long, Language::Ja) => {
                format!("回答は{TEXT_CHARACTERS_MAX}文字までにしてください")
            }
            (Self::Hidden(code), Language::En) => {
                format!("take out U+{code:04X}, which does not print")
            }
            (Self::Hidden(code), Language::Ja) => {
                format!("表示できない文字（U+{code:04X}）を取り除いてください")
            }
            (Self::Unknown(word), Language::En) => format!("{word} is none of the choices"),
            (Self::Unknown(word), Language::Ja) => format!("{word}は選択肢にありません"),
            (Self::One, Language::En) => "choose one".to_owned(),
            (Self::One, Language::Ja) => "一つだけ選んでください".to_owned(),
            (Self::Alone(title), Language::En) => {
                format!("“{}” goes with no other choice: take it or the others", title.en)
            }
            (Self::Alone(title), Language::Ja) => {
                format!("「{}」は他の選択肢と同時に選べません。どちらかにしてください", title.ja)
            }
        }
    }
}

impl Question {
    /// The choices; none where it is answered in words.
    pub fn choices(&self) -> &[FormChoice] {
        match &self.kind {
            QuestionKind::Words => &[],
            QuestionKind::One(choices) | QuestionKind::Several(choices) => choices,
        }
    }

    /// An answer as it is kept: without spaces around it, choices in their order.
    ///
    /// # Errors
    /// [`AnswerFault`] with what to do.
    pub fn read(&self, answer: &str) -> Result<String, AnswerFault> {
        let answer = answer.trim();
        if answer.is_empty() {
            return Err(AnswerFault::Empty);
        }
        if answer.chars().count() > TEXT_CHARACTERS_MAX {
            return Err(AnswerFault::Long);
        }
        if let Some(bad) = answer.chars().find(|c| !text::prints(*c)) {
            return Err(AnswerFault::Hidden(u32::from(bad)));
        }
        if self.kind == QuestionKind::Words {
            return Ok(answer.to_owned());
        }
        let words: BTreeSet<&str> = answer.split(',').map(str::trim).collect();
        if let Some(unknown) =
            words.iter().find(|word| !self.choices().iter().any(|one| one.word == **word))
        {
            return Err(AnswerFault::Unknown(unknown.chars().take(64).collect()));
        }
        if matches!(self.kind, QuestionKind::One(_)) && words.len() > 1 {
            return Err(AnswerFault::One);
        }
        let chosen: Vec<&FormChoice> =
            self.choices().iter().filter(|one| words.contains(one.word.as_str())).collect();
        match chosen.iter().find(|one| one.alone) {
            Some(alone) if chosen.len() > 1 => Err(AnswerFault::Alone(alone.title.clone())),
            _ => Ok(chosen.iter().map(|one| one.word.as_str()).collect::<Vec<_>>().join(", ")),
        }
    }

    /// The choices that an answer names.
    pub fn chosen<'a>(&'a self, answer: &'a str) -> impl Iterator<Item = &'a FormChoice> {
        self.choices().iter().filter(move |one| words(answer).any(|word| word == one.word))
    }

    /// An answer for people.
    pub fn shown(&self, answer: &str, language: Language) -> String {
        if self.kind == QuestionKind::Words {
            return answer.to_owned();
        }
        let titles: Vec<&str> = self.chosen(answer).map(|one| one.title.of(language)).collect();
        titles.join(match language {
            Language::En => "; ",
            Language::Ja => "、",
        })
    }
}

fn words(answer: &str) -> impl Iterator<Item = &str> {
    answer.split(',').map(str::trim)
}

/// Answers of one form, by question.
pub type FormAnswers = BTreeMap<String, String>;

impl Form {
    /// All questions, in order.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.steps.iter().flat_map(|step| &step.questions)
    }

    /// The question `id`.
    pub fn question(&self, id: &str) -> Option<&Question> {
        self.questions().find(|one| one.id == id)
    }

    /// The step `id`.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|one| one.id == id)
    }

    /// Whether a question is asked of a product of `categories` that `answers` tell about.
    pub fn asks(
        &self,
        question: &Question,
        categories: &BTreeSet<Category>,
        answers: &FormAnswers,
    ) -> bool {
        let concerns = question.categories.is_empty()
            || categories.is_empty()
            || question.categories.iter().any(|one| categories.contains(one));
        concerns && self.holds(&question.when, categories, answers) != Holds::No
    }

    /// Whether all of some conditions hold.
    pub fn holds(
        &self,
        when: &[Needs],
        categories: &BTreeSet<Category>,
        answers: &FormAnswers,
    ) -> Holds {
        when.iter().map(|one| self.needs(one, categories, answers)).max().unwrap_or(Holds::Yes)
    }

    fn needs(
        &self,
        needs: &Needs,
        categories: &BTreeSet<Category>,
        answers: &FormAnswers,
    ) -> Holds {
        let (mut found, mut open) = (0, false);
        for id in &needs.questions {
            // Conditions name earlier questions only, so that this ends. What is not asked any more does
            // not count, whatever still stands there.
            let Some(question) = self.question(id) else { continue };
            if !self.asks(question, categories, answers) {
                continue;
            }
            match answers.get(id) {
                None => open = true,
                Some(answer) => {
                    found +=
                        words(answer).filter(|word| needs.any.iter().any(|w| w == word)).count();
                }
            }
        }
        match (found >= needs.least, open) {
            (true, _) => Holds::Yes,
            (false, true) => Holds::Open,
            (false, false) => Holds::No,
        }
    }

    /// Questions for a product of `categories` that `answers` leave open.
    pub fn open_in<'a>(
        &'a self,
        categories: &'a BTreeSet<Category>,
        answers: &'a FormAnswers,
    ) -> impl Iterator<Item = &'a Question> {
        self.questions().filter(move |question| {
            self.asks(question, categories, answers) && !answers.contains_key(&question.id)
        })
    }
}
