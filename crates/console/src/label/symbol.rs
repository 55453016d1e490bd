//! QR Code (ISO/IEC 18004) and Data Matrix (ISO/IEC 16022) as SVG and PNG.

use super::LabelError;
use std::fmt::Write as _;

/// Longest text in a symbol, in bytes: a link to a device has about 80.
const TEXT_BYTES_MAX: usize = 300;

/// Kind of two-dimensional code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CodeKind {
    /// QR Code, error correction M: phones read it
    #[default]
    Qr,
    /// Data Matrix ECC 200: smaller, for industrial readers
    DataMatrix,
}

impl CodeKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Qr, Self::DataMatrix];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qr => "qr",
            Self::DataMatrix => "datamatrix",
        }
    }

    /// Light modules that must stay free on each side: ISO/IEC 18004 section 5.3.8 asks for four,
    /// ISO/IEC 16022 section 7 for one; two, since labels are cut askew.
    fn quiet(self) -> usize {
        match self {
            Self::Qr => 4,
            Self::DataMatrix => 2,
        }
    }
}

/// A symbol: dark and light modules, with the quiet zone around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    width: usize,
    height: usize,
    quiet: usize,
    dark: Vec<bool>,
}

impl Symbol {
    /// Encodes `text`.
    ///
    /// # Errors
    /// [`LabelError::Text`] where it is too long.
    pub fn encode(kind: CodeKind, text: &str) -> Result<Self, LabelError> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(LabelError::Text(TEXT_BYTES_MAX));
        }
        let too_long = || LabelError::Text(TEXT_BYTES_MAX);
        let (width, dark) = match kind {
            CodeKind::Qr => {
                let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M)
                    .map_err(|_| too_long())?;
                let dark = code.to_colors().into_iter().map(|c| c == qrcode::Color::Dark);
                (code.width(), dark.collect::<Vec<_>>())
            }
            CodeKind::DataMatrix => {
                let sizes = datamatrix::SymbolList::default().enforce_square();
                let code = datamatrix::DataMatrix::encode(text.as_bytes(), sizes)
                    .map_err(|_| too_long())?;
                let bitmap = code.bitmap();
                let mut dark = vec![false; bitmap.width() * bitmap.height()];
                for (x, y) in bitmap.pixels() {
                    if let Some(module) = dark.get_mut(y * bitmap.width() + x) {
                        *module = true;
                    }
                }
                (bitmap.width(), dark)
            }
        };
        let height = dark.len().checked_div(width).unwrap_or_default();
        Ok(Self { width, height, quiet: kind.quiet(), dark })
    }

    /// Width and height in modules, quiet zone included.
    pub fn modules(&self) -> (usize, usize) {
        (self.width + 2 * self.quiet, self.height + 2 * self.quiet)
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize, size: usize| at.checked_sub(self.quiet).filter(|at| *at < size);
        match (inside(x, self.width), inside(y, self.height)) {
            (Some(x), Some(y)) => self.dark.get(y * self.width + x).copied().unwrap_or_default(),
            _ => false,
        }
    }

    /// Dark runs: left, top and length in modules, from the outer edge of the quiet zone.
    pub fn runs(&self) -> Vec<(usize, usize, usize)> {
        let (width, height) = self.modules();
        let mut runs = Vec::new();
        for y in 0..height {
            let mut start = None;
            // One column more: it is light, and ends the last run.
            for x in 0..=width {
                match (start, self.is_dark(x, y)) {
                    (None, true) => start = Some(x),
                    (Some(from), false) => {
                        runs.push((from, y, x - from));
                        start = None;
                    }
                    _ => {}
                }
            }
        }
        runs
    }

    /// The dark modules as the data of an SVG path, in modules.
    pub fn svg_path(&self) -> String {
        let mut path = String::new();
        for (x, y, length) in self.runs() {
            // Writing to a String cannot fail.
            let _infallible = write!(path, "M{x} {y}h{length}v1h-{length}z");
        }
        path
    }

    /// A drawing of its own, `module_mm` millimetres per module.
    pub fn svg(&self, module_mm: f32) -> String {
        let (width, height) = self.modules();
        let mm = |modules: usize| size(modules) * module_mm;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.3}mm\" height=\"{:.3}mm\" \
             viewBox=\"0 0 {width} {height}\" shape-rendering=\"crispEdges\">\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\
             <path d=\"{}\" fill=\"#000\"/></svg>\n",
            mm(width),
            mm(height),
            self.svg_path()
        )
    }

    /// A picture, `pixels` per module, that says how large a module is in print.
    ///
    /// # Errors
    /// [`LabelError::Picture`] where the picture cannot be made.
    pub fn png(&self, pixels: u32, module_mm: f32) -> Result<Vec<u8>, LabelError> {
        let scale = usize::try_from(pixels).unwrap_or(1).max(1);
        let (width, height) = self.modules();
        let (wide, high) = (width * scale, height * scale);
        let row_bytes = wide.div_ceil(8);
        let mut data = vec![0xff_u8; row_bytes * high];
        for (left, top, length) in self.runs() {
            for y in top * scale..(top + 1) * scale {
                for x in left * scale..(left + length) * scale {
                    if let Some(byte) = data.get_mut(y * row_bytes + x / 8) {
                        *byte &= !(0x80 >> (x % 8));
                    }
                }
            }
        }
        let wrong = |_| LabelError::Picture;
        let mut out = Vec::new();
        let side = |pixels: usize| u32::try_from(pixels).map_err(|_| LabelError::Picture);
        let mut encoder = png::Encoder::new(&mut out, side(wide)?, side(high)?);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "some thousands of pixels per metre"
        )]
        let per_metre = (pixels as f32 * 1000.0 / module_mm.max(0.001)).round() as u32;
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: per_metre,
            yppu: per_metre,
            unit: png::Unit::Meter,
        }));
        let mut writer = encoder.write_header().map_err(wrong)?;
        writer.write_image_data(&data).map_err(wrong)?;
        writer.finish().map_err(wrong)?;
        Ok(out)
    }
}

/// A count as a length.
pub(super) fn size(count: usize) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred modules")]
    let size = count as f32;
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://id.example/01/09506000134352/21/5N3K2M7PQRSTVWXYZ012";

    #[test]
    fn a_data_matrix_reads_back() {
        let symbol = Symbol::encode(CodeKind::DataMatrix, LINK).unwrap();
        let read = datamatrix::DataMatrix::decode(&symbol.dark, symbol.width).unwrap();
        assert_eq!(read, LINK.as_bytes());
    }

    #[test]
    fn runs_cover_the_dark_modules_and_the_quiet_zone_stays_free() {
        for kind in CodeKind::ALL {
            let symbol = Symbol::encode(kind, LINK).unwrap();
            let dark = symbol.dark.iter().filter(|dark| **dark).count();
            let runs = symbol.runs();
            assert_eq!(runs.iter().map(|run| run.2).sum::<usize>(), dark);
            let (width, height) = symbol.modules();
            for (x, y, length) in runs {
                assert!(x >= symbol.quiet && x + length <= width - symbol.quiet);
                assert!(y >= symbol.quiet && y < height - symbol.quiet);
            }
        }
    }

    #[test]
    fn pictures_have_the_size_that_was_asked_for() {
        let symbol = Symbol::encode(CodeKind::Qr, LINK).unwrap();
        let (width, _) = symbol.modules();
        let svg = symbol.svg(0.5);
        assert!(svg.contains(&format!("width=\"{:.3}mm\"", size(width) * 0.5)), "{svg}");
        let png = symbol.png(4, 0.5).unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(&png));
        let mut reader = decoder.read_info().unwrap();
        assert_eq!(reader.info().width as usize, width * 4);
        assert_eq!(reader.info().pixel_dims.unwrap().xppu, 8000);
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let row = (width * 4).div_ceil(8);
        let light = pixels.iter().take(row * symbol.quiet * 4).all(|byte| *byte == 0xff);
        assert!(light, "the quiet zone is white");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for kind in CodeKind::ALL {
            assert!(Symbol::encode(kind, "").is_err());
            assert!(Symbol::encode(kind, &"x".repeat(301)).is_err());
            assert!(Symbol::encode(kind, &"あ".repeat(100)).is_ok());
        }
    }
}
