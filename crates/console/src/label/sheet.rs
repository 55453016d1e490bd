//! Sheets and rolls of labels: where each label is, and what is printed on it.

use super::{
    LabelError,
    symbol::{CodeKind, Symbol, size},
};
use device::ManagementNumber;
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use std::fmt::Write as _;

/// Points per millimetre.
const POINT: f32 = 72.0 / 25.4;
/// Most labels in one document.
pub const LABELS_MAX: usize = 1000;
/// Free edge inside a label, in millimetres.
const EDGE: f32 = 1.5;
/// Smallest module that printers and phones manage (GS1 General Specifications 5.5: 0.396 mm for
/// retail; 0.25 for direct part marking), and the largest that looks sensible, in millimetres.
pub const MODULE_MM: std::ops::RangeInclusive<f32> = 0.25..=2.0;
/// Largest module that is chosen where none is given, in millimetres.
const MODULE_USUAL: f32 = 0.6;
/// Height of text, in millimetres.
const TEXT_MM: std::ops::RangeInclusive<f32> = 1.2..=3.2;

/// Where labels are on a page, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sheet {
    /// stable name
    pub name: &'static str,
    /// width and height of the page
    pub page: (f32, f32),
    /// columns and rows
    pub grid: (usize, usize),
    /// width and height of a label
    pub label: (f32, f32),
    /// left and top edge of the first label
    pub origin: (f32, f32),
    /// from one label to the next
    pub pitch: (f32, f32),
}

impl Sheet {
    /// Every geometry.
    pub const ALL: [Self; 5] = [
        Self {
            name: "a4-24",
            page: (210.0, 297.0),
            grid: (3, 8),
            label: (70.0, 37.0),
            origin: (0.0, 0.5),
            pitch: (70.0, 37.0),
        },
        Self {
            name: "a4-65",
            page: (210.0, 297.0),
            grid: (5, 13),
            label: (38.1, 21.2),
            origin: (4.65, 10.7),
            pitch: (40.6, 21.2),
        },
        Self::roll("roll-62x29", 62.0, 29.0),
        Self::roll("roll-50x25", 50.0, 25.0),
        Self::roll("roll-25x25", 25.0, 25.0),
    ];

    const fn roll(name: &'static str, width: f32, height: f32) -> Self {
        Self {
            name,
            page: (width, height),
            grid: (1, 1),
            label: (width, height),
            origin: (0.0, 0.0),
            pitch: (width, height),
        }
    }

    /// The geometry of a name.
    ///
    /// # Errors
    /// [`LabelError::Sheet`], which names them all.
    pub fn find(name: &str) -> Result<Self, LabelError> {
        Self::ALL.into_iter().find(|sheet| sheet.name == name).ok_or(LabelError::Sheet)
    }

    /// Labels on one page.
    pub fn count(&self) -> usize {
        self.grid.0 * self.grid.1
    }

    /// Left and top edge of a position.
    fn place(&self, position: usize) -> (f32, f32) {
        let columns = self.grid.0.max(1);
        (
            self.origin.0 + size(position % columns) * self.pitch.0,
            self.origin.1 + size(position / columns) * self.pitch.1,
        )
    }
}

/// What one label says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// what the code holds
    pub link: String,
    /// the number, to be typed where no code can be read
    pub number: ManagementNumber,
    /// model designation; left out where it has other than Latin letters
    pub model: Option<String>,
    /// the caller's own line: Latin letters
    pub line: Option<String>,
}

/// How a document of labels is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layout {
    /// geometry
    pub sheet: Sheet,
    /// kind of code
    pub code: CodeKind,
    /// size of a module in millimetres; as large as fits, up to 0.6, where absent
    pub module_mm: Option<f32>,
    /// positions on the first page that are used up
    pub skip: usize,
}

/// A line of text: left, baseline and height in millimetres from the label's upper left corner.
struct Line {
    at: (f32, f32),
    height: f32,
    number: bool,
    text: String,
}

/// One label, laid out.
struct Placed {
    symbol: Symbol,
    module: f32,
    /// left and top of the symbol with its quiet zone
    corner: (f32, f32),
    lines: Vec<Line>,
}

/// Whether the standard fonts can print it: printable ASCII.
fn is_latin(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn place(label: &Label, layout: &Layout) -> Result<Placed, LabelError> {
    let (width, height) = layout.sheet.label;
    let symbol = Symbol::encode(layout.code, &label.link)?;
    let (columns, rows) = symbol.modules();
    let beside = width >= height * 1.5;
    // The code takes the height; where text stands beside it, at most half of the width, and where
    // it stands below, all but the room for the number.
    let room = if beside {
        (width * 0.55 - EDGE, height - 2.0 * EDGE)
    } else {
        (width - 2.0 * EDGE, height - 2.0 * EDGE - 3.0 * TEXT_MM.start())
    };
    let fits = (room.0 / size(columns)).min(room.1 / size(rows));
    let module = match layout.module_mm {
        Some(module) if module <= fits => module,
        None if fits >= *MODULE_MM.start() => fits.min(MODULE_USUAL),
        _ => return Err(LabelError::Module { fits }),
    };
    let (wide, high) = (size(columns) * module, size(rows) * module);
    let corner = if beside { (EDGE, (height - high) / 2.0) } else { ((width - wide) / 2.0, EDGE) };

    let number = label.number.to_string();
    let groups = [number.get(..9), number.get(9..16), number.get(16..)];
    let mut texts: Vec<(bool, String)> = Vec::new();
    let (left, top, text_width, text_height);
    if beside {
        left = corner.0 + wide + EDGE / 2.0;
        top = EDGE;
        text_width = width - left - EDGE;
        text_height = height - 2.0 * EDGE;
        let model = label.model.iter().filter(|model| is_latin(model));
        texts.extend(model.map(|model| (false, model.clone())));
        texts.extend(groups.into_iter().flatten().map(|group| (true, group.to_owned())));
        texts.extend(label.line.iter().map(|line| (false, line.clone())));
    } else {
        left = EDGE;
        top = corner.1 + high;
        text_width = width - 2.0 * EDGE;
        text_height = height - EDGE - top;
        let (first, second) = number.split_at_checked(12).unwrap_or((&number, ""));
        texts.extend([first, second].map(|half| (true, half.to_owned())));
    }
    let spacing = 1.25;
    let by_height = text_height / (size(texts.len()).max(1.0) * spacing);
    // The number must be readable in full: all its lines have the size that the widest can have.
    let widest = texts.iter().filter(|text| text.0).map(|text| text.1.len()).max().unwrap_or(1);
    let by_width = text_width / (size(widest) * COURIER);
    let tall = by_height.min(by_width).min(*TEXT_MM.end());
    if tall < *TEXT_MM.start() {
        return Err(LabelError::Module { fits: fits * 0.8 });
    }
    let block = size(texts.len()) * tall * spacing;
    let first = if beside { top + (text_height - block) / 2.0 } else { top };
    let lines = texts.into_iter().enumerate().map(|(index, (number, text))| Line {
        at: (left, first + (size(index) + 0.9) * tall * spacing),
        height: tall,
        number,
        text: if number { text } else { shortened(&text, text_width, tall) },
    });
    Ok(Placed { symbol, module, corner, lines: lines.collect() })
}

/// Advance of every glyph of Courier, in ems.
const COURIER: f32 = 0.6;

/// Advances of Helvetica's glyphs from space to tilde, in thousandths of an em (Adobe's metrics of
/// the standard fonts).
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Cuts a text to what fits into `width` millimetres.
fn shortened(text: &str, width: f32, height: f32) -> String {
    let mut left = width / height * 1000.0;
    text.chars()
        .take_while(|c| {
            let at = u32::from(*c).checked_sub(32).and_then(|at| usize::try_from(at).ok());
            let advance = at.and_then(|at| HELVETICA.get(at)).copied().unwrap_or(1000);
            left -= f32::from(advance);
            left >= 0.0
        })
        .collect()
}

fn check(labels: &[Label], layout: &Layout) -> Result<(), LabelError> {
    if labels.is_empty() || labels.len() > LABELS_MAX {
        return Err(LabelError::Count(LABELS_MAX));
    }
    if layout.skip >= layout.sheet.count() {
        return Err(LabelError::Skip(layout.sheet.count() - 1));
    }
    if layout.module_mm.is_some_and(|module| !MODULE_MM.contains(&module)) {
        return Err(LabelError::Module { fits: *MODULE_MM.end() });
    }
    let plain = |line: &&String| !is_latin(line) || line.len() > 60;
    if labels.iter().filter_map(|label| label.line.as_ref()).any(|line| plain(&line)) {
        return Err(LabelError::Line);
    }
    Ok(())
}

/// Labels as a PDF, a page per sheet. Fonts are the standard Helvetica and Courier, which are not
/// embedded: every viewer has them, and they print Latin letters.
///
/// # Errors
/// [`LabelError`].
pub fn pdf(labels: &[Label], layout: &Layout) -> Result<Vec<u8>, LabelError> {
    check(labels, layout)?;
    let sheet = layout.sheet;
    let placed: Vec<Placed> =
        labels.iter().map(|label| place(label, layout)).collect::<Result<_, _>>()?;
    let mut pages: Vec<Vec<(usize, &Placed)>> = Vec::new();
    for (index, label) in placed.iter().enumerate() {
        let position = index + layout.skip;
        if pages.is_empty() || position.is_multiple_of(sheet.count()) {
            pages.push(Vec::new());
        }
        if let Some(page) = pages.last_mut() {
            page.push((position % sheet.count(), label));
        }
    }

    let mut next = 1;
    let mut id = || {
        next += 1;
        Ref::new(next - 1)
    };
    let (catalog, tree, information) = (id(), id(), id());
    let fonts = [(id(), b"Helvetica".as_slice(), b"F1"), (id(), b"Courier-Bold", b"F2")];
    let ids: Vec<(Ref, Ref)> = pages.iter().map(|_| (id(), id())).collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.document_info(information).title(TextStr("Labels")).producer(TextStr("Tegata"));
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for (font, base, _) in fonts {
        pdf.type1_font(font).base_font(Name(base)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let (wide, high) = (sheet.page.0 * POINT, sheet.page.1 * POINT);
    for ((page_id, content_id), page) in ids.iter().zip(&pages) {
        let mut page_writer = pdf.page(*page_id);
        page_writer.parent(tree).media_box(Rect::new(0.0, 0.0, wide, high)).contents(*content_id);
        let mut resources = page_writer.resources();
        let mut dictionary = resources.fonts();
        for (font, _, name) in fonts {
            dictionary.pair(Name(name), font);
        }
        dictionary.finish();
        resources.finish();
        page_writer.finish();
        let mut content = Content::new();
        for (position, label) in page {
            draw(&mut content, label, sheet.place(*position), sheet.page.1);
        }
        pdf.stream(*content_id, &content.finish());
    }
    Ok(pdf.finish())
}

/// Draws one label; PDF counts from below, in points.
fn draw(content: &mut Content, label: &Placed, (left, top): (f32, f32), page_height: f32) {
    let module = label.module * POINT;
    let x = (left + label.corner.0) * POINT;
    let y = (page_height - top - label.corner.1) * POINT;
    content.save_state();
    content.transform([module, 0.0, 0.0, -module, x, y]);
    for (x, y, length) in label.symbol.runs() {
        content.rect(size(x), size(y), size(length), 1.0);
    }
    content.fill_nonzero();
    content.restore_state();
    for line in &label.lines {
        let font = if line.number { Name(b"F2") } else { Name(b"F1") };
        content.begin_text();
        content.set_font(font, line.height * POINT);
        content.next_line((left + line.at.0) * POINT, (page_height - top - line.at.1) * POINT);
        content.show(Str(line.text.as_bytes()));
        content.end_text();
    }
}

/// One sheet of labels as SVG, in millimetres.
///
/// # Errors
/// [`LabelError`]; [`LabelError::OneSheet`] where they do not fit on one.
pub fn svg(labels: &[Label], layout: &Layout) -> Result<String, LabelError> {
    check(labels, layout)?;
    let sheet = layout.sheet;
    if labels.len() + layout.skip > sheet.count() {
        return Err(LabelError::OneSheet(sheet.count() - layout.skip));
    }
    let (width, height) = sheet.page;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}mm\" height=\"{height}mm\" \
         viewBox=\"0 0 {width} {height}\">\n<rect width=\"{width}\" height=\"{height}\" \
         fill=\"#fff\"/>\n"
    );
    for (index, label) in labels.iter().enumerate() {
        let placed = place(label, layout)?;
        let (left, top) = sheet.place(index + layout.skip);
        // Writing to a String cannot fail.
        let _infallible = writeln!(
            out,
            "<path transform=\"translate({:.3} {:.3}) scale({:.4})\" d=\"{}\" \
             shape-rendering=\"crispEdges\"/>",
            left + placed.corner.0,
            top + placed.corner.1,
            placed.module,
            placed.symbol.svg_path()
        );
        for line in &placed.lines {
            let font = if line.number {
                "Courier, 'Courier New', monospace\" font-weight=\"700"
            } else {
                "Helvetica, Arial, sans-serif"
            };
            let _infallible = writeln!(
                out,
                "<text x=\"{:.3}\" y=\"{:.3}\" font-size=\"{:.3}\" font-family=\"{font}\">{}</text>",
                left + line.at.0,
                top + line.at.1,
                line.height,
                escaped(&line.text)
            );
        }
    }
    out.push_str("</svg>\n");
    Ok(out)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(seed: u8) -> Label {
        let number = ManagementNumber::from_random([seed; 13]);
        Label {
            link: format!("https://id.example/01/09506000134352/21/{}", number.serial()),
            number,
            model: Some("G4".into()),
            line: Some("Lot <7> & \"more\"".into()),
        }
    }

    fn layout(sheet: &str, code: CodeKind) -> Layout {
        Layout { sheet: Sheet::find(sheet).unwrap(), code, module_mm: None, skip: 0 }
    }

    #[test]
    fn labels_stay_on_their_page_and_apart() {
        for sheet in Sheet::ALL {
            let (width, height) = sheet.page;
            for position in 0..sheet.count() {
                let (left, top) = sheet.place(position);
                assert!(left >= 0.0 && left + sheet.label.0 <= width + 0.01, "{}", sheet.name);
                assert!(top >= 0.0 && top + sheet.label.1 <= height + 0.01, "{}", sheet.name);
            }
            assert!(sheet.pitch.0 >= sheet.label.0 && sheet.pitch.1 >= sheet.label.1);
        }
        assert_eq!(Sheet::find("a4-24").unwrap().count(), 24);
        assert_eq!(Sheet::find("a4-65").unwrap().count(), 65);
        assert!(Sheet::find("a4").is_err());
    }

    #[test]
    fn code_and_text_stay_inside_the_label() {
        for sheet in Sheet::ALL {
            for code in CodeKind::ALL {
                let layout = layout(sheet.name, code);
                let placed = place(&label(0x5a), &layout).unwrap();
                let (columns, rows) = placed.symbol.modules();
                let (width, height) = sheet.label;
                assert!(placed.module >= 0.25, "{} {}", sheet.name, placed.module);
                assert!(placed.corner.0 + size(columns) * placed.module <= width);
                assert!(placed.corner.1 + size(rows) * placed.module <= height);
                for line in &placed.lines {
                    assert!(line.at.1 + 0.3 * line.height <= height, "{}", sheet.name);
                    if line.number {
                        let end = line.at.0 + size(line.text.len()) * COURIER * line.height;
                        assert!(end <= width + 0.01, "{}: {end}", sheet.name);
                    }
                }
                let shown: String =
                    placed.lines.iter().filter(|l| l.number).map(|l| l.text.as_str()).collect();
                assert_eq!(
                    shown,
                    label(0x5a).number.to_string(),
                    "the whole number, {}",
                    sheet.name
                );
            }
        }
    }

    #[test]
    fn a_thousand_labels_are_forty_two_sheets() {
        let labels: Vec<_> = (0..=255).cycle().take(1000).map(label).collect();
        let document = pdf(&labels, &layout("a4-24", CodeKind::DataMatrix)).unwrap();
        assert!(document.starts_with(b"%PDF-"));
        let text = String::from_utf8_lossy(&document);
        assert!(text.contains("/Count 42"));
        let skipped = Layout { skip: 23, ..layout("a4-24", CodeKind::Qr) };
        let document = pdf(&labels[..2], &skipped).unwrap();
        assert!(String::from_utf8_lossy(&document).contains("/Count 2"));
        let document = pdf(&labels[..1], &skipped).unwrap();
        assert!(String::from_utf8_lossy(&document).contains("/Count 1"));
    }

    #[test]
    fn refusals_say_what_fits() {
        let one = [label(1)];
        let usual = layout("roll-25x25", CodeKind::Qr);
        let large = Layout { module_mm: Some(1.5), ..usual };
        let Err(LabelError::Module { fits }) = pdf(&one, &large) else { panic!("too large") };
        let fitting = Layout { module_mm: Some(fits), ..usual };
        assert!(pdf(&one, &fitting).is_ok());
        let tiny = Layout { module_mm: Some(0.1), ..usual };
        assert!(matches!(pdf(&one, &tiny), Err(LabelError::Module { .. })));
        assert_eq!(pdf(&[], &usual), Err(LabelError::Count(LABELS_MAX)));
        let sheet = layout("a4-24", CodeKind::Qr);
        assert_eq!(pdf(&one, &Layout { skip: 24, ..sheet }), Err(LabelError::Skip(23)));
        let many = vec![label(1); 25];
        assert_eq!(svg(&many, &sheet), Err(LabelError::OneSheet(24)));
        let japanese = Label { line: Some("製造".into()), ..label(1) };
        assert_eq!(svg(&[japanese], &sheet), Err(LabelError::Line));
        let model = Label { model: Some("ドア".into()), ..label(1) };
        let drawn = svg(&[model], &sheet).unwrap();
        assert!(!drawn.contains("ドア"));
        assert!(drawn.contains("Lot &lt;7&gt; &amp; &quot;more&quot;"), "{drawn}");
    }
}
