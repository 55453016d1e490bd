//! A workbook back into a diagnosis: its cells become the canonical file, which is read by the one
//! parser there is; errors are moved back to their rows.

use crate::{
    AssessmentError, Diagnosis, Library, Outcome,
    diagnosis_file::{heading, line, quoted},
    workbook::{ANSWER_COLUMNS, ANSWERS_FROM, CLAUSES_FROM, SHEETS},
    workbook_bounds::bounded,
    yaml::FILE_BYTES_MAX,
};
use calamine::{DataRef, Reader as _, Xlsx};
use device::Language;
use std::{collections::BTreeMap, io::Cursor};

/// Rows that are read of one sheet.
const ROWS_MAX: u32 = 20_000;
/// Columns that are looked at: formats reach further, texts do not.
const COLUMNS_MAX: u32 = 32;

impl Diagnosis {
    /// Reads a workbook; `file` is its name in errors.
    ///
    /// # Errors
    /// As [`Diagnosis::parse`], with sheet and row as the place; [`AssessmentError::TooLarge`] for
    /// a workbook that unpacks to more than 16 MiB, has more than 20,000 rows in a sheet, more than
    /// 4 MiB of text in its cells, or more shared strings or styles than anybody needs.
    pub fn from_xlsx(file: &str, bytes: &[u8], library: &Library) -> Result<Self, AssessmentError> {
        bounded(file, bytes)?;
        let mut book: Xlsx<_> =
            Xlsx::new(Cursor::new(bytes)).map_err(|error| unreadable(file, &error))?;
        let mut sheets = Vec::with_capacity(SHEETS.len());
        let mut room = FILE_BYTES_MAX;
        for name in SHEETS {
            sheets.push(cells(file, &mut book, name, &mut room)?);
        }
        let mut lines = Lines::default();
        lines.write(&sheets);
        Self::parse(file, &lines.text, library).map_err(|error| lines.relocate(error))
    }
}

pub(crate) fn unreadable(file: &str, error: &dyn std::fmt::Display) -> AssessmentError {
    let detail = format!("this is no XLSX workbook: {error}");
    AssessmentError::Malformed { file: file.to_owned(), line: 0, column: 0, detail: detail.into() }
}

/// Texts of a row by column, from 0.
type Row = BTreeMap<u32, String>;
/// Rows by number, from 0, without the heading.
type Cells = BTreeMap<u32, Row>;
/// Rows of evidence, with their numbers, by what they are evidence of.
type Pieces<'a> = BTreeMap<&'a str, Vec<(u32, &'a Row)>>;

/// Reads cell by cell: a sheet with one cell far away must not become a large table. `room` is how
/// many bytes of text may still come: a thousand cells may share one long string.
fn cells(
    file: &str,
    book: &mut Xlsx<Cursor<&[u8]>>,
    name: &str,
    room: &mut usize,
) -> Result<Cells, AssessmentError> {
    let mut reader = book.worksheet_cells_reader(name).map_err(|error| unreadable(file, &error))?;
    let mut cells = Cells::new();
    while let Some(cell) = reader.next_cell().map_err(|error| unreadable(file, &error))? {
        let (row, column) = cell.get_position();
        if row == 0 || column >= COLUMNS_MAX {
            continue;
        }
        let value = cell.get_value();
        // Long ones are counted before they are copied.
        let length = match value {
            DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
                text.len()
            }
            DataRef::SharedString(text) => text.len(),
            _ => 0,
        };
        let too_much = || AssessmentError::TooLarge {
            file: format!("{file}, sheet {name}"),
            what: "bytes of text, at least",
            found: FILE_BYTES_MAX + 1,
            most: FILE_BYTES_MAX,
        };
        *room = room.checked_sub(length).ok_or_else(too_much)?;
        let text = words(value);
        *room = room.checked_sub(text.len().saturating_sub(length)).ok_or_else(too_much)?;
        if text.trim().is_empty() {
            continue;
        }
        if row > ROWS_MAX {
            return Err(AssessmentError::TooLarge {
                file: format!("{file}, sheet {name}"),
                what: "rows",
                found: usize::try_from(row).unwrap_or(usize::MAX),
                most: usize::try_from(ROWS_MAX).unwrap_or(usize::MAX),
            });
        }
        cells.entry(row).or_default().insert(column, text);
    }
    Ok(cells)
}

/// What a person sees in the cell. Excel makes dates of what looks like dates.
fn words(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) => text.replace("\r\n", "\n"),
        DataRef::SharedString(text) => text.replace("\r\n", "\n"),
        DataRef::DateTime(date) => {
            let (year, month, day, ..) = date.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        DataRef::DateTimeIso(text) => text.split('T').next().unwrap_or_default().to_owned(),
        other => calamine::Data::from(other.clone()).to_string(),
    }
}

/// The canonical file in the making, with the sheet and row of each line.
#[derive(Default)]
struct Lines {
    text: String,
    places: Vec<(&'static str, u32)>,
    /// bytes of `text` whose lines have their places
    marked: usize,
}

impl Lines {
    fn write(&mut self, sheets: &[Cells]) {
        let [front, absent, answers, clauses, evidence, signatures] = sheets else { return };
        for (row, cells) in front {
            let name = cells.get(&0).map_or("", |name| name.trim());
            let value = cells.get(&1).map_or("", String::as_str);
            let value = if matches!(name, "tegata" | "on") { value.trim() } else { value };
            // A name that YAML would take for more than a name is none of the fields.
            let known = ["tegata", "product", "subject", "on"].contains(&name);
            line(&mut self.text, 0, if known { name } else { "unknown-field" }, value);
            self.mark(SHEETS[0], *row);
        }
        self.head("absent", absent.values().all(|cells| !cells.contains_key(&2)));
        for (row, cells) in absent {
            if let Some(reason) = cells.get(&2) {
                self.key(cells.get(&0));
                self.text.push(' ');
                quoted(&mut self.text, reason);
                self.text.push('\n');
                self.mark(SHEETS[1], *row);
            }
        }
        let mut pieces = Pieces::new();
        for (row, cells) in evidence {
            let of = cells.get(&0).map_or("", |of| of.trim());
            pieces.entry(of).or_default().push((*row, cells));
        }
        self.answers(("answers", SHEETS[2]), answers, u32::from(ANSWERS_FROM), &mut pieces);
        self.answers(("clauses", SHEETS[3]), clauses, u32::from(CLAUSES_FROM), &mut pieces);
        // Evidence for what is not answered is an error, not something to forget.
        for (row, _) in pieces.into_values().flatten() {
            line(&mut self.text, 0, "evidence-without-an-answer", "");
            self.mark(SHEETS[4], row);
        }
        self.head("signatures", signatures.is_empty());
        for (row, cells) in signatures {
            self.text.push_str("  - ");
            for (column, name, indent) in [(0, "by", 0), (1, "on", 4), (2, "content", 4)] {
                line(&mut self.text, indent, name, cells.get(&column).map_or("", String::as_str));
            }
            self.mark(SHEETS[5], *row);
        }
    }

    fn answers(
        &mut self,
        (name, sheet): (&str, &'static str),
        rows: &Cells,
        from: u32,
        pieces: &mut Pieces<'_>,
    ) {
        let columns = from..from + u32::from(ANSWER_COLUMNS);
        let answered = |cells: &Row| cells.range(columns.clone()).next().is_some();
        self.head(name, !rows.values().any(answered));
        for (row, cells) in rows.iter().filter(|(_, cells)| answered(cells)) {
            self.key(cells.get(&0));
            self.text.push('\n');
            let word = cells.get(&from).map_or("", |word| word.trim());
            line(&mut self.text, 4, "answer", outcome(word));
            for (column, name) in [(1, "reason"), (2, "owner"), (3, "due"), (4, "comment")] {
                if let Some(text) = cells.get(&(from + column)) {
                    let text = if name == "due" { text.trim() } else { text };
                    line(&mut self.text, 4, name, text);
                }
            }
            self.mark(sheet, *row);
            let own = cells.get(&0).map_or("", |id| id.trim());
            for (at, (row, cells)) in (0..).zip(pieces.remove(own).unwrap_or_default()) {
                if at == 0 {
                    self.text.push_str("    evidence:\n");
                }
                self.text.push_str("      - ");
                line(&mut self.text, 0, "what", cells.get(&1).map_or("", String::as_str));
                for (column, name) in [(2, "sha256"), (3, "on"), (4, "until")] {
                    if let Some(text) = cells.get(&column) {
                        line(&mut self.text, 8, name, text.trim());
                    }
                }
                self.mark(SHEETS[4], row);
            }
        }
    }

    fn head(&mut self, name: &str, empty: bool) {
        heading(&mut self.text, name, empty);
        self.mark(SHEETS[0], 0);
    }

    fn key(&mut self, id: Option<&String>) {
        self.text.push_str("  ");
        quoted(&mut self.text, id.map_or("", |id| id.trim()));
        self.text.push(':');
    }

    /// The lines written since the last mark stand in `row` of `sheet`.
    fn mark(&mut self, sheet: &'static str, row: u32) {
        let new = self.text.bytes().skip(self.marked).filter(|byte| *byte == b'\n').count();
        self.places.extend(std::iter::repeat_n((sheet, row), new));
        self.marked = self.text.len();
    }

    fn relocate(&self, error: AssessmentError) -> AssessmentError {
        let at = |line: u64| {
            let index = usize::try_from(line).ok()?.checked_sub(1)?;
            self.places.get(index).copied()
        };
        match error {
            AssessmentError::Malformed { file, line, detail, .. }
            | AssessmentError::Inconsistent { file, line, detail } => match at(line) {
                Some((sheet, row)) => AssessmentError::Inconsistent {
                    file: format!("{file}, sheet {sheet}"),
                    line: u64::from(row) + 1,
                    detail,
                },
                None => AssessmentError::Malformed { file, line: 0, column: 0, detail },
            },
            other => other,
        }
    }
}

/// The word for what people chose or typed, in either language.
fn outcome(typed: &str) -> &str {
    let found = Outcome::ALL.iter().find(|one| {
        [one.word(), one.title(Language::En), one.title(Language::Ja)].contains(&typed)
    });
    found.map_or(typed, |one| one.word())
}
