//! Printed labels: the code behind which the public page is, and the number to type instead.
//! docs/public-page.md shows them.

mod sheet;
mod symbol;

pub use sheet::{LABELS_MAX, Label, Layout, MODULE_MM, Sheet, pdf, svg};
pub use symbol::{CodeKind, Symbol};

use device::{DigitalLink, Gtin, ManagementNumber};

/// Why a label cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LabelError {
    /// Too long for a code.
    #[error("a code holds from 1 to {0} bytes; use a shorter console address")]
    Text(usize),
    /// Nothing that can be drawn.
    #[error("the picture cannot be drawn; ask for fewer pixels per module")]
    Picture,
    /// No such sheet.
    #[error("no sheet is called so; choose one of: a4-24 a4-65 roll-62x29 roll-50x25 roll-25x25")]
    Sheet,
    /// Does not fit.
    #[error(
        "with modules of this size the label does not fit; modules may have from 0.25 to {fits:.2} mm here"
    )]
    Module {
        /// largest that fits, in millimetres
        fits: f32,
    },
    /// None, or too many.
    #[error("a document has from 1 to {0} labels")]
    Count(usize),
    /// More positions used up than there are.
    #[error("at most {0} positions of the first sheet can be used up")]
    Skip(usize),
    /// SVG has no pages.
    #[error("an SVG is one sheet, with room for {0} labels; ask for fewer, or for a PDF")]
    OneSheet(usize),
    /// The standard fonts have no such letters.
    #[error("the own line of a label has at most 60 Latin letters, digits and signs")]
    Line,
    /// Without a GTIN there is no Digital Link.
    #[error(
        "the product line has no GTIN; set one (`tegata product change --gtin`) or use the page's link"
    )]
    NoGtin,
}

/// What the code on a label leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkForm {
    /// GS1 Digital Link where the product has a GTIN, else the page
    #[default]
    Best,
    /// `/p/{management number}`
    Page,
    /// `/01/{GTIN}/21/{serial}`
    Gs1,
}

/// The link of a device below `origin` (scheme, host and port).
///
/// # Errors
/// [`LabelError::NoGtin`].
pub fn link(
    origin: &str,
    form: LinkForm,
    gtin: Option<Gtin>,
    number: ManagementNumber,
) -> Result<String, LabelError> {
    let origin = origin.trim_end_matches('/');
    match (form, gtin) {
        (LinkForm::Gs1 | LinkForm::Best, Some(gtin)) => {
            Ok(format!("{origin}{}", DigitalLink { gtin, number: Some(number) }.path()))
        }
        (LinkForm::Gs1, None) => Err(LabelError::NoGtin),
        (LinkForm::Page, _) | (LinkForm::Best, None) => Ok(format!("{origin}/p/{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_the_form_that_was_asked_for() {
        let number = ManagementNumber::from_random([7; 13]);
        let gtin = Some("9506000134352".parse().unwrap());
        let of = |form, gtin| link("https://id.example/", form, gtin, number);
        let page = Ok(format!("https://id.example/p/{number}"));
        let gs1 = Ok(format!("https://id.example/01/09506000134352/21/{}", number.serial()));
        assert_eq!(of(LinkForm::Best, gtin), gs1);
        assert_eq!(of(LinkForm::Gs1, gtin), gs1);
        assert_eq!(of(LinkForm::Page, gtin), page);
        assert_eq!(of(LinkForm::Best, None), page);
        assert_eq!(of(LinkForm::Gs1, None), Err(LabelError::NoGtin));
    }
}
