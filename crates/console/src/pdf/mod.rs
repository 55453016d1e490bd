//! Documents on A4 as PDF (ISO 32000-1) with a font of their own in them: text that breaks as
//! Japanese does, tables that go on over pages, boxes. Units are points (1/72 inch), places are
//! counted from the upper left edge.
//!
//! The font comes from outside; of it, only the glyphs that are used go along. Deliberately absent:
//! pictures, structure for screen readers (the same report as HTML has it).

mod breaking;
mod font;

pub(crate) use font::{Face, FontError};

use breaking::lines;
use font::Embedded;
use pdf_writer::{
    Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr, types::TextRenderingMode,
};

/// A4.
const PAGE: (f32, f32) = (595.0, 842.0);
/// Edges: left and right, top, bottom.
const EDGE: f32 = 42.0;
const TOP: f32 = 44.0;
const BOTTOM: f32 = 52.0;
/// Space between lines, of the size of the text.
const LEADING: f32 = 1.45;
/// How bold text is drawn, of its size: the outline is stroked as well.
const BOLD: f32 = 0.032;

/// Red, green, blue: 0 to 1.
pub(crate) type Colour = [f32; 3];
/// Text.
pub(crate) const INK: Colour = [0.10, 0.11, 0.14];
/// What matters less.
pub(crate) const MUTED: Colour = [0.34, 0.38, 0.43];
/// Lines.
const LINE: Colour = [0.79, 0.81, 0.85];

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// height
    pub(crate) size: f32,
    /// colour
    pub(crate) colour: Colour,
    /// whether it is bold
    pub(crate) bold: bool,
}

impl Style {
    /// Plain text of a size.
    pub(crate) const fn plain(size: f32) -> Self {
        Self { size, colour: INK, bold: false }
    }

    /// The same, bold.
    pub(crate) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The same in a colour.
    pub(crate) const fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }
}

/// A text in a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) style: Style,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

/// A document that is being drawn, from top to bottom.
pub(crate) struct Document<'a> {
    font: Embedded<'a>,
    pages: Vec<Content>,
    page: Content,
    /// where the next thing begins
    at: f32,
}

impl<'a> Document<'a> {
    /// An empty document.
    pub(crate) fn new(face: &'a Face<'a>) -> Self {
        Self { font: Embedded::new(face), pages: Vec::new(), page: Content::new(), at: TOP }
    }

    /// Width between the edges.
    pub(crate) const fn width() -> f32 {
        PAGE.0 - 2.0 * EDGE
    }

    /// What follows begins on a new page.
    pub(crate) fn next_page(&mut self) {
        self.pages.push(std::mem::replace(&mut self.page, Content::new()));
        self.at = TOP;
    }

    /// Goes to the next page where less than `height` is left.
    pub(crate) fn need(&mut self, height: f32) {
        if self.at > TOP && self.at + height > PAGE.1 - BOTTOM {
            self.next_page();
        }
    }

    /// Leaves room.
    pub(crate) fn space(&mut self, height: f32) {
        self.at += height;
    }

    /// A text over the whole width.
    pub(crate) fn paragraph(&mut self, text: &str, style: Style) {
        self.block(text, 0.0, Self::width(), style);
    }

    /// A text from `left` on, `width` wide; it goes on over pages.
    pub(crate) fn block(&mut self, text: &str, left: f32, width: f32, style: Style) {
        let high = style.size * LEADING;
        for line in self.lines(text, width, style.size) {
            self.need(high);
            self.show(&line, left, self.at + style.size, style);
            self.at += high;
        }
    }

    /// A heading with a line below it.
    pub(crate) fn heading(&mut self, text: &str) {
        self.need(60.0);
        self.space(10.0);
        self.paragraph(text, Style::plain(12.0).bold());
        self.rule(INK, 1.2);
        self.space(6.0);
    }

    /// A line over the whole width.
    pub(crate) fn rule(&mut self, colour: Colour, thick: f32) {
        let y = PAGE.1 - self.at;
        self.page.set_stroke_rgb(colour[0], colour[1], colour[2]);
        self.page.set_line_width(thick);
        self.page.move_to(EDGE, y).line_to(PAGE.0 - EDGE, y).stroke();
    }

    /// A name and what it is, side by side.
    pub(crate) fn fact(&mut self, name: &str, value: &str, size: f32) {
        let left = 110.0;
        let style = Style::plain(size);
        let high = self.height(value, Self::width() - left, size);
        self.need(high.min(80.0));
        let (top, page) = (self.at, self.pages.len());
        self.block(name, 0.0, left - 8.0, style.colour(MUTED));
        let after = self.at;
        // Where the name went on to another page the value begins there.
        if page == self.pages.len() {
            self.at = top;
        }
        self.block(value, left, Self::width() - left, style);
        self.at = if page == self.pages.len() { self.at.max(after) } else { self.at };
        self.space(2.0);
    }

    /// A table: widths are shares of the whole, the first row is repeated on each page. Rows stay on
    /// one page.
    pub(crate) fn table(&mut self, shares: &[f32], head: &[Cell], rows: &[Vec<Cell>]) {
        let whole: f32 = shares.iter().sum();
        let widths: Vec<f32> = shares.iter().map(|share| share / whole * Self::width()).collect();
        self.row(&widths, head, INK);
        for cells in rows {
            let high = self.row_height(&widths, cells);
            if self.at + high > PAGE.1 - BOTTOM {
                self.next_page();
                self.row(&widths, head, INK);
            }
            self.row(&widths, cells, LINE);
        }
    }

    fn row_height(&self, widths: &[f32], cells: &[Cell]) -> f32 {
        let heights = widths
            .iter()
            .zip(cells)
            .map(|(width, cell)| self.height(&cell.text, width - 8.0, cell.style.size));
        heights.fold(0.0_f32, f32::max) + 6.0
    }

    fn row(&mut self, widths: &[f32], cells: &[Cell], below: Colour) {
        let high = self.row_height(widths, cells);
        let top = self.at;
        let mut left = 0.0;
        for (width, cell) in widths.iter().zip(cells) {
            let mut y = top + 2.0;
            for line in self.lines(&cell.text, width - 8.0, cell.style.size) {
                self.show(&line, left, y + cell.style.size, cell.style);
                y += cell.style.size * LEADING;
            }
            left += width;
        }
        self.at = top + high;
        self.rule(below, 0.6);
    }

    /// A filled box at `left` of the present height, as high as `height`; nothing moves.
    pub(crate) fn fill(&mut self, left: f32, down: f32, size: (f32, f32), colour: Colour) {
        let y = PAGE.1 - self.at - down - size.1;
        self.page.set_fill_rgb(colour[0], colour[1], colour[2]);
        self.page.rect(EDGE + left, y, size.0, size.1).fill_nonzero();
    }

    /// A text in a box, in its middle where `middle` is true; nothing moves.
    pub(crate) fn label(
        &mut self,
        text: &str,
        (left, down, width): (f32, f32, f32),
        style: Style,
        middle: bool,
    ) {
        let text = match self.lines(text, width, style.size).into_iter().next() {
            Some(line) => line,
            None => return,
        };
        let room = width - self.font.width(&text, style.size);
        let left = if middle { left + (room / 2.0).max(0.0) } else { left };
        self.show(&text, left, self.at + down + style.size, style);
    }

    /// Height of a text in a width.
    pub(crate) fn height(&self, text: &str, width: f32, size: f32) -> f32 {
        let count = self.lines(text, width, size).len();
        f32::from(u16::try_from(count).unwrap_or(u16::MAX)) * size * LEADING
    }

    /// The lines of a text in a width.
    pub(crate) fn lines(&self, text: &str, width: f32, size: f32) -> Vec<String> {
        lines(text, width, |text| self.font.width(text, size))
    }

    /// Draws a line of text with its foot at `foot`.
    fn show(&mut self, text: &str, left: f32, foot: f32, style: Style) {
        let codes = self.font.codes(text);
        let [red, green, blue] = style.colour;
        let page = &mut self.page;
        page.set_fill_rgb(red, green, blue).begin_text();
        if style.bold {
            page.set_stroke_rgb(red, green, blue)
                .set_line_width(style.size * BOLD)
                .set_text_rendering_mode(TextRenderingMode::FillStroke);
        } else {
            page.set_text_rendering_mode(TextRenderingMode::Fill);
        }
        page.set_font(Name(b"F"), style.size)
            .set_text_matrix([1.0, 0.0, 0.0, 1.0, EDGE + left, PAGE.1 - foot])
            .show(Str(&codes))
            .end_text();
    }

    /// The file. `foot` stands on each page beside its number.
    ///
    /// # Errors
    /// [`FontError`] where the font cannot be made smaller.
    pub(crate) fn finish(
        mut self,
        title: &str,
        language: &str,
        foot: &str,
    ) -> Result<Vec<u8>, FontError> {
        self.next_page();
        let count = self.pages.len();
        let style = Style::plain(7.5).colour(MUTED);
        for number in 0..count {
            // Each page becomes the present one once more, for its foot.
            let Some(content) = self.pages.get_mut(number) else { continue };
            self.page = std::mem::replace(content, Content::new());
            let place = PAGE.1 - 24.0;
            let text = format!("{} / {count}", number.saturating_add(1));
            let right = Self::width() - self.font.width(&text, style.size);
            let foot = self.lines(foot, right - 12.0, style.size).into_iter().next();
            self.show(&foot.unwrap_or_default(), 0.0, place, style);
            self.show(&text, right, place, style);
            let drawn = std::mem::replace(&mut self.page, Content::new());
            if let Some(content) = self.pages.get_mut(number) {
                *content = drawn;
            }
        }
        let mut next = Ref::new(1);
        let (catalog, tree, info, fonts) = (next.bump(), next.bump(), next.bump(), next.bump());
        let mut pdf = Pdf::new();
        let mut root = pdf.catalog(catalog);
        root.pages(tree).lang(TextStr(language));
        root.viewer_preferences().display_doc_title(true);
        root.finish();
        pdf.document_info(info).title(TextStr(title)).producer(TextStr("Tegata"));
        let kids: Vec<Ref> = self.pages.iter().map(|_| next.bump()).collect();
        let total = i32::try_from(count).unwrap_or(i32::MAX);
        pdf.pages(tree).kids(kids.iter().copied()).count(total);
        for (content, id) in self.pages.into_iter().zip(kids) {
            let body = next.bump();
            let mut page = pdf.page(id);
            page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree).contents(body);
            page.resources().fonts().pair(Name(b"F"), fonts);
            page.finish();
            let packed = packed(&content.finish());
            pdf.stream(body, &packed).filter(Filter::FlateDecode);
        }
        self.font.write(&mut pdf, fonts, &mut next)?;
        Ok(pdf.finish())
    }
}

/// As `FlateDecode` reads it (RFC 1950).
fn packed(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(bytes, 6)
}
