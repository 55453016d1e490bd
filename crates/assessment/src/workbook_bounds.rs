//! What reading a workbook may cost, found out before it is read. The reader believes counts, and
//! repeats long texts wherever they are named; a file of a few hundred bytes could take all memory.

use crate::{AssessmentError, workbook_read::unreadable, yaml::FILE_BYTES_MAX};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::io::{BufReader, Cursor, Read};

/// Unpacked bytes of a workbook: a small file may hold much.
pub(crate) const UNPACKED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Entries of the archive.
const ENTRIES_MAX: usize = 256;
/// Strings that a workbook says it shares. The reader makes room for as many before it has seen one.
const SHARED_STRINGS_MAX: u64 = 1_000_000;
/// Fonts, fills, borders, forms of numbers, and cells' styles made of them.
const STYLES_MAX: u64 = 100_000;
/// Styles times the longest tag among them: each style has copies of its font's name and its form of
/// numbers.
const STYLE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Unpacks every entry once, and refuses what would cost too much to read.
pub(crate) fn bounded(file: &str, bytes: &[u8]) -> Result<(), AssessmentError> {
    let most = |what: &'static str, found: u64, most: u64| {
        if found <= most {
            return Ok(());
        }
        let number = |n| usize::try_from(n).unwrap_or(usize::MAX);
        let (found, most) = (number(found), number(most));
        Err(AssessmentError::TooLarge { file: file.to_owned(), what, found, most })
    };
    most("bytes", bytes.len() as u64, FILE_BYTES_MAX as u64)?;
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(file, &error))?;
    most("entries of the archive", archive.len() as u64, ENTRIES_MAX as u64)?;
    let mut left = UNPACKED_BYTES_MAX;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| unreadable(file, &error))?;
        // Whatever leads to it: the names under which styles and strings are looked for end so.
        let name = entry.name().map_err(|error| unreadable(file, &error))?;
        let is_xml = name.to_ascii_lowercase().ends_with(".xml");
        let mut entry = entry.take(left + 1);
        let mut shape = Shape::default();
        let looked = if is_xml { shape.look(&mut entry) } else { Ok(()) };
        std::io::copy(&mut entry, &mut std::io::sink())
            .map_err(|error| unreadable(file, &error))?;
        let Some(rest) = entry.limit().checked_sub(1) else {
            return most("unpacked bytes, at least", UNPACKED_BYTES_MAX + 1, UNPACKED_BYTES_MAX);
        };
        left = rest;
        looked.map_err(|error| unreadable(file, &error))?;
        most("shared strings", shape.strings, SHARED_STRINGS_MAX)?;
        most("styles", shape.styles, STYLES_MAX)?;
        most("bytes of styles", shape.styles.saturating_mul(shape.longest), STYLE_BYTES_MAX)?;
    }
    Ok(())
}

/// What an entry makes the reader allot beyond its own length.
#[derive(Default)]
struct Shape {
    /// strings that it says it has
    strings: u64,
    /// fonts, fills, borders, forms of numbers and cells' styles
    styles: u64,
    /// bytes of the longest tag
    longest: u64,
}

impl Shape {
    /// Sees the same tags as the reader: it is the same parser, set the same way.
    fn look(&mut self, entry: impl Read) -> Result<(), quick_xml::Error> {
        let mut xml = Reader::from_reader(BufReader::new(entry));
        xml.config_mut().check_end_names = false;
        let mut tag = Vec::new();
        loop {
            tag.clear();
            match xml.read_event_into(&mut tag)? {
                Event::Start(tag) | Event::Empty(tag) => self.count(&tag),
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }

    fn count(&mut self, tag: &BytesStart<'_>) {
        self.longest = self.longest.max(tag.len() as u64);
        match tag.local_name().as_ref() {
            "sst" => {
                for (at, name) in tag.attributes_raw().match_indices("uniqueCount") {
                    let value = tag.attributes_raw().get(at + name.len()..).unwrap_or_default();
                    let value = value.trim_start_matches(|c: char| !c.is_ascii_digit());
                    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
                    let digits = value.get(..end).unwrap_or_default();
                    let number =
                        if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
                    self.strings = self.strings.max(number);
                }
            }
            "font" | "fill" | "border" | "numFmt" | "xf" => {
                self.styles = self.styles.saturating_add(1);
            }
            _ => {}
        }
    }
}
