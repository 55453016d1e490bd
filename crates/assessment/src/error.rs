use crate::Detail;
use device::Language;

/// Why a catalogue, a check sheet or a diagnosis is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssessmentError {
    /// Beyond a limit of `docs/assessment.md`.
    #[error("{file}: {what}: {found}, at most {most} are read")]
    TooLarge {
        /// which file
        file: String,
        /// what is counted, with its unit
        what: &'static str,
        /// how much was found
        found: usize,
        /// the limit
        most: usize,
    },
    /// Not the form that it should have.
    #[error("{file}:{line}:{column}: {detail}")]
    Malformed {
        /// which file
        file: String,
        /// line, from 1; 0 where it is not known
        line: u64,
        /// column in characters, from 1; 0 where it is not known
        column: u64,
        /// what is wrong
        detail: Detail,
    },
    /// Well-formed, but it names something that does not exist, or says the same thing twice.
    #[error("{file}:{line}: {detail}")]
    Inconsistent {
        /// which file
        file: String,
        /// line, from 1; 0 where it is not known
        line: u64,
        /// what is wrong
        detail: Detail,
    },
    /// Something that the rules of a diagnosis do not allow.
    #[error("refused: {0}")]
    Refused(crate::Refusal),
}

impl AssessmentError {
    /// What is wrong and where, for people. What is said of files of ours stays English.
    pub fn text(&self, language: Language) -> String {
        if language == Language::En {
            return self.to_string();
        }
        // Of a workbook its sheet is the place, before the row.
        let sheet = |file: &str| match file.split_once(", sheet ") {
            Some((_, sheet)) => format!("シート「{sheet}」"),
            None => String::new(),
        };
        match self {
            Self::TooLarge { file, what, found, most } => {
                format!("{}{}が{found}あります。上限は{most}です", sheet(file), counted(what))
            }
            Self::Malformed { file, line: 0, detail, .. }
            | Self::Inconsistent { file, line: 0, detail } => {
                format!("{}{}", sheet(file), detail.text(language))
            }
            Self::Malformed { file, line, column, detail } => {
                format!("{}{line}行{column}桁：{}", sheet(file), detail.text(language))
            }
            Self::Inconsistent { file, line, detail } => {
                format!("{}{line}行：{}", sheet(file), detail.text(language))
            }
            Self::Refused(why) => why.text(language),
        }
    }

    /// What to do next, for people.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "split the file, or shorten what people typed into it",
            Self::Malformed { .. } => {
                "the place is line:column; docs/assessment.md shows a complete example of each file"
            }
            Self::Inconsistent { .. } => {
                "`tegata catalogue list` and `tegata checksheet items` show what can be named"
            }
            Self::Refused(_) => "complete the diagnosis and try again",
        }
    }
}

/// What is counted, in Japanese.
fn counted(what: &str) -> &str {
    match what {
        "bytes" => "バイト数",
        "bytes of text, at least" => "文字列のバイト数",
        "rows" => "行数",
        "zones" => "ゾーンの数",
        "assets" => "資産の数",
        "elements" => "要素の数",
        "flows" => "フローの数",
        "decisions" => "判断の数",
        "findings" => "所見の数",
        "vulnerabilities" => "脆弱性の数",
        "interfaces of one element" => "一つの要素のインターフェースの数",
        "names in one list" => "一つの一覧の名前の数",
        "signatures" => "署名の数",
        "pieces of evidence of one answer" => "一つの回答の証跡の数",
        other => other,
    }
}
