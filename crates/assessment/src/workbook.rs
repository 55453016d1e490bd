//! A diagnosis as an XLSX workbook, because check sheets are filled in with Excel. What is written
//! is read as the same diagnosis.
//!
//! Sheets have fixed names, columns fixed places; headings and descriptions are for people and are
//! not read.

use crate::{
    Answer, AssessmentError, Bilingual, Day, Diagnosis, Library, Outcome, Refusal, diagnosis::FORM,
};
use device::Language;
use rust_xlsxwriter::{
    DataValidation, DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet,
    XlsxError,
};
use std::fmt::Display;

/// Sheets, in their order.
pub(crate) const SHEETS: [&str; 6] =
    ["diagnosis", "absent", "answers", "clauses", "evidence", "signatures"];
/// Columns of an answer after its descriptive columns: answer, reason, owner, due, comment.
pub(crate) const ANSWER_COLUMNS: u16 = 5;
/// Where the answer begins in `answers` and in `clauses`, from 0.
pub(crate) const ANSWERS_FROM: u16 = 5;
/// See [`ANSWERS_FROM`].
pub(crate) const CLAUSES_FROM: u16 = 2;

impl Diagnosis {
    /// The workbook, with every item of `library` in it and descriptions in `language`. The same
    /// diagnosis gives the same cells.
    ///
    /// # Errors
    /// [`AssessmentError::Refused`] where the writer of the format refuses, which no diagnosis that
    /// was read brings about.
    pub fn to_xlsx(
        &self,
        library: &Library,
        language: Language,
    ) -> Result<Vec<u8>, AssessmentError> {
        self.workbook(library, language)
            .map_err(|error| AssessmentError::Refused(Refusal::Workbook(error.to_string())))
    }

    fn workbook(&self, library: &Library, language: Language) -> Result<Vec<u8>, XlsxError> {
        let mut book = Workbook::new();
        let made = ExcelDateTime::parse_from_str(&self.on.to_string())?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&made));
        let heads = heads(language);
        for (name, head) in SHEETS.into_iter().zip(heads) {
            let sheet = book.add_worksheet();
            sheet.set_name(name)?;
            let bold = Format::new().set_bold();
            for (column, title) in (0u16..).zip(head) {
                sheet.write_string_with_format(0, column, *title, &bold)?;
            }
            sheet.set_freeze_panes(1, 0)?;
        }
        self.front(book.worksheet_from_name(SHEETS[0])?)?;
        self.features(book.worksheet_from_name(SHEETS[1])?, library, language)?;
        self.items(book.worksheet_from_name(SHEETS[2])?, library, language)?;
        self.records(book.worksheet_from_name(SHEETS[3])?, library, language)?;
        self.pieces(book.worksheet_from_name(SHEETS[4])?)?;
        self.signers(book.worksheet_from_name(SHEETS[5])?)?;
        book.save_to_buffer()
    }

    fn front(&self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        let on = self.on.to_string();
        let rows =
            [("tegata", FORM), ("product", &self.product), ("subject", &self.subject), ("on", &on)];
        for (row, (name, value)) in (1u32..).zip(rows) {
            text(sheet, row, 0, name)?;
            text(sheet, row, 1, value)?;
        }
        sheet.set_column_width(1, 50)?;
        Ok(())
    }

    fn features(
        &self,
        sheet: &mut Worksheet,
        library: &Library,
        language: Language,
    ) -> Result<(), XlsxError> {
        for (row, feature) in (1u32..).zip(library.features()) {
            text(sheet, row, 0, &feature.id)?;
            text(sheet, row, 1, feature.title.of(language))?;
            if let Some(reason) = self.absent.get(&feature.id) {
                text(sheet, row, 2, reason)?;
            }
        }
        sheet.set_column_width(0, 24)?.set_column_width(1, 60)?.set_column_width(2, 60)?;
        Ok(())
    }

    fn items(
        &self,
        sheet: &mut Worksheet,
        library: &Library,
        language: Language,
    ) -> Result<(), XlsxError> {
        let mut last = 1;
        for (row, item) in (1u32..).zip(library.items()) {
            text(sheet, row, 0, &item.id)?;
            text(sheet, row, 1, item.layer.title(language))?;
            text(sheet, row, 2, item.phase.title(language))?;
            sheet.write_number(row, 3, item.weight)?;
            described(sheet, row, 4, &item.criterion, language)?;
            if let Some(answer) = self.answers.get(&item.id) {
                answered(sheet, row, ANSWERS_FROM, answer)?;
            }
            last = row;
        }
        choices(sheet, last, ANSWERS_FROM)?;
        sheet.set_column_width(0, 12)?.set_column_width(4, 70)?;
        Ok(())
    }

    fn records(
        &self,
        sheet: &mut Worksheet,
        library: &Library,
        language: Language,
    ) -> Result<(), XlsxError> {
        for (row, (reference, answer)) in (1u32..).zip(&self.clauses) {
            text(sheet, row, 0, reference)?;
            if let Some(record) = library.record(reference) {
                described(sheet, row, 1, &record.title, language)?;
            }
            answered(sheet, row, CLAUSES_FROM, answer)?;
        }
        choices(sheet, 500, CLAUSES_FROM)?;
        sheet.set_column_width(0, 28)?.set_column_width(1, 60)?;
        Ok(())
    }

    fn pieces(&self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        let items = self.answers.iter().map(|(item, answer)| (item.to_string(), answer));
        let clauses = self.clauses.iter().map(|(record, answer)| (record.to_string(), answer));
        let pieces = items
            .chain(clauses)
            .flat_map(|(of, answer)| answer.evidence.iter().map(move |piece| (of.clone(), piece)));
        for (row, (of, piece)) in (1u32..).zip(pieces) {
            text(sheet, row, 0, of)?;
            text(sheet, row, 1, &piece.what)?;
            optional(sheet, row, 2, piece.sha256.as_ref())?;
            text(sheet, row, 3, piece.on)?;
            optional(sheet, row, 4, piece.until.as_ref())?;
        }
        sheet.set_column_width(0, 28)?.set_column_width(1, 60)?;
        Ok(())
    }

    fn signers(&self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        for (row, signature) in (1u32..).zip(&self.signatures) {
            text(sheet, row, 0, &signature.by)?;
            text(sheet, row, 1, signature.on)?;
            text(sheet, row, 2, signature.content)?;
        }
        sheet.set_column_width(2, 66)?;
        Ok(())
    }
}

/// Headings by sheet.
fn heads(language: Language) -> [&'static [&'static str]; 6] {
    match language {
        Language::En => [
            &["field", "value"],
            &["feature", "what it is", "why the product does not have it"],
            &[
                "item",
                "layer",
                "phase",
                "weight",
                "criterion",
                "answer",
                "reason",
                "owner",
                "due",
                "comment",
            ],
            &["clause", "title", "answer", "reason", "owner", "due", "comment"],
            &["of item or clause", "what", "SHA-256", "on", "until"],
            &["by", "on", "content"],
        ],
        Language::Ja => [
            &["項目", "値"],
            &["機能", "内容", "製品にない理由"],
            &[
                "項目",
                "階層",
                "工程",
                "重み",
                "基準",
                "回答",
                "対象外の理由",
                "担当者",
                "期日",
                "備考",
            ],
            &["条項", "題名", "回答", "対象外の理由", "担当者", "期日", "備考"],
            &["項目または条項", "証跡", "SHA-256", "日付", "有効期限"],
            &["署名者", "日付", "内容のハッシュ"],
        ],
    }
}

fn answered(sheet: &mut Worksheet, row: u32, from: u16, answer: &Answer) -> Result<(), XlsxError> {
    text(sheet, row, from, answer.outcome)?;
    optional(sheet, row, from + 1, answer.reason.as_ref())?;
    optional(sheet, row, from + 2, answer.owner.as_ref())?;
    optional(sheet, row, from + 3, answer.due.as_ref().map(Day::to_string).as_ref())?;
    optional(sheet, row, from + 4, answer.comment.as_ref())
}

/// Offers the words of an answer in the cells of its column.
fn choices(sheet: &mut Worksheet, last: u32, column: u16) -> Result<(), XlsxError> {
    let words: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.word()).collect();
    let rule = DataValidation::new().allow_list_strings(&words)?;
    sheet.add_data_validation(1, column, last, column, &rule)?;
    Ok(())
}

fn described(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    words: &Bilingual,
    language: Language,
) -> Result<(), XlsxError> {
    let wrapped = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    sheet.write_string_with_format(row, column, words.of(language), &wrapped)?;
    Ok(())
}

fn optional(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    value: Option<&impl Display>,
) -> Result<(), XlsxError> {
    value.map_or(Ok(()), |value| text(sheet, row, column, value))
}

/// Always a text, never a formula or a number: what begins with `=` stays what it is.
fn text(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    value: impl Display,
) -> Result<(), XlsxError> {
    sheet.write_string(row, column, value.to_string())?;
    Ok(())
}
