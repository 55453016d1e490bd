//! A font from outside: what its glyphs are and how wide, and the part of it that goes along.

use super::packed;
use pdf_writer::{
    Filter, Finish as _, Name, Pdf, Rect, Ref, Str,
    types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap},
};
use std::collections::BTreeMap;
use subsetter::GlyphRemapper;
use ttf_parser::{RawFace, Tag};

/// Shown for characters that the font does not have.
const MISSING: [char; 2] = ['〓', '?'];
/// A font for us has these.
const WANTED: [char; 4] = ['A', '診', 'の', '断'];

/// Why a font cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FontError {
    /// It cannot be read.
    #[error("the font cannot be read")]
    Malformed,
    /// It has no Japanese.
    #[error("the font has no Japanese characters")]
    NotJapanese,
}

/// A font that has what Japanese texts need.
pub(crate) struct Face<'a> {
    bytes: &'a [u8],
    face: ttf_parser::Face<'a>,
    /// units to a thousandth of the size
    scale: f32,
}

impl<'a> Face<'a> {
    /// Reads TrueType or OpenType; of a collection, the first font, which is the Japanese one where
    /// several languages are in it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, FontError> {
        let face = ttf_parser::Face::parse(bytes, 0).map_err(|_| FontError::Malformed)?;
        if face.units_per_em() == 0 {
            return Err(FontError::Malformed);
        }
        if WANTED.iter().any(|c| face.glyph_index(*c).is_none()) {
            return Err(FontError::NotJapanese);
        }
        let scale = 1000.0 / f32::from(face.units_per_em());
        Ok(Self { bytes, face, scale })
    }

    /// The glyph of a character, or that which says that there is none.
    fn glyph(&self, c: char) -> u16 {
        let found = std::iter::once(c).chain(MISSING).find_map(|c| self.face.glyph_index(c));
        found.map_or(0, |glyph| glyph.0)
    }

    /// Width of a glyph, in thousandths of the size.
    fn advance(&self, glyph: u16) -> f32 {
        let glyph = ttf_parser::GlyphId(glyph);
        self.face.glyph_hor_advance(glyph).map_or(1000.0, |width| f32::from(width) * self.scale)
    }
}

/// A font with the glyphs that were used.
pub(super) struct Embedded<'a> {
    face: &'a Face<'a>,
    glyphs: GlyphRemapper,
    /// glyph in the file to its width and the first character that was shown with it
    used: BTreeMap<u16, (f32, char)>,
}

impl<'a> Embedded<'a> {
    pub(super) fn new(face: &'a Face<'a>) -> Self {
        Self { face, glyphs: GlyphRemapper::new(), used: BTreeMap::new() }
    }

    /// Width of a text of a size.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let advance = |c| self.face.advance(self.face.glyph(c));
        text.chars().map(advance).sum::<f32>() * size / 1000.0
    }

    /// A text as the file has it: two bytes for each glyph.
    pub(super) fn codes(&mut self, text: &str) -> Vec<u8> {
        let mut codes = Vec::with_capacity(text.len());
        for c in text.chars() {
            let glyph = self.face.glyph(c);
            let code = self.glyphs.remap(glyph);
            let width = self.face.advance(glyph);
            self.used.entry(code).or_insert((width, c));
            codes.extend_from_slice(&code.to_be_bytes());
        }
        codes
    }

    /// Writes the font as `id` (ISO 32000-1 section 9.7).
    pub(super) fn write(&self, pdf: &mut Pdf, id: Ref, next: &mut Ref) -> Result<(), FontError> {
        let subset = subsetter::subset(self.face.bytes, 0, &self.glyphs)
            .map_err(|_| FontError::Malformed)?;
        let raw = RawFace::parse(&subset, 0).map_err(|_| FontError::Malformed)?;
        // Of outlines in CFF only their table goes along (section 9.9, table 126).
        let outlines = raw.table(Tag::from_bytes(b"CFF "));
        let (descendant, descriptor, file, cmap) =
            (next.bump(), next.bump(), next.bump(), next.bump());
        // Six letters tell subsets apart (section 9.6.4); there is one in a file.
        let name = Name(b"TEGATA+Report");
        let system =
            || SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
        pdf.type0_font(id)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(descendant)
            .to_unicode(cmap);
        let mut cid = pdf.cid_font(descendant);
        cid.subtype(if outlines.is_some() { CidFontType::Type0 } else { CidFontType::Type2 })
            .base_font(name)
            .system_info(system())
            .font_descriptor(descriptor)
            .default_width(1000.0);
        if outlines.is_none() {
            cid.cid_to_gid_map_predefined(Name(b"Identity"));
        }
        let mut widths = cid.widths();
        for (code, (width, _)) in &self.used {
            widths.consecutive(*code, [*width]);
        }
        widths.finish();
        cid.finish();
        let face = &self.face.face;
        let scaled = |value: i16| f32::from(value) * self.face.scale;
        let bounds = face.global_bounding_box();
        let mut description = pdf.font_descriptor(descriptor);
        description
            .name(name)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(
                scaled(bounds.x_min),
                scaled(bounds.y_min),
                scaled(bounds.x_max),
                scaled(bounds.y_max),
            ))
            .italic_angle(0.0)
            .ascent(scaled(face.ascender()))
            .descent(scaled(face.descender()))
            .cap_height(scaled(face.capital_height().unwrap_or(face.ascender())))
            .stem_v(80.0);
        match outlines {
            Some(_) => description.font_file3(file),
            None => description.font_file2(file),
        };
        description.finish();
        let bytes = packed(outlines.unwrap_or(&subset));
        let mut stream = pdf.stream(file, &bytes);
        stream.filter(Filter::FlateDecode);
        if outlines.is_some() {
            stream.pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
        }
        stream.finish();
        let mut unicode = UnicodeCmap::new(Name(b"Report"), system());
        for (code, (_, c)) in &self.used {
            unicode.pair(*code, *c);
        }
        let unicode = packed(&unicode.finish());
        pdf.stream(cmap, &unicode).filter(Filter::FlateDecode);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_font_is_refused() {
        assert_eq!(Face::parse(b"").err(), Some(FontError::Malformed));
        assert_eq!(Face::parse(&[0; 64]).err(), Some(FontError::Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stop(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Face::parse(&bytes);
        }
    }
}
