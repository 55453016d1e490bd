//! The page names what the code names.

use advisory::{Blind, CraItem, CraKind, CraStep, ReasonCode, RemarkKind, Scheme, VexFormat};

#[test]
fn the_page_lists_every_code() {
    let page = include_str!("../../../../docs/advisory.md");
    let mut names: Vec<&str> = ReasonCode::ALL.iter().map(|code| code.name()).collect();
    names.extend(Scheme::ALL.iter().map(|scheme| scheme.name()));
    names.extend(VexFormat::ALL.iter().map(|format| format.name()));
    names.extend(CraKind::ALL.iter().map(|kind| kind.name()));
    names.extend(CraStep::ALL.iter().map(|step| step.name()));
    names.extend(CraItem::ALL.iter().map(|item| item.name()));
    names.extend([Blind::NotIdentified, Blind::NoAdvisories, Blind::NoVersion].map(Blind::name));
    names.extend(
        [
            RemarkKind::Malformed,
            RemarkKind::Duplicate,
            RemarkKind::Dangling,
            RemarkKind::NotUsed,
            RemarkKind::Refused,
            RemarkKind::TooMuch,
        ]
        .map(RemarkKind::name),
    );
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "docs/advisory.md does not name `{name}`");
    }
    for code in ReasonCode::ALL {
        assert!(code.english().is_ascii() && !code.japanese().is_ascii());
    }
}
