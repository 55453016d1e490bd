use crate::example;
use audit::{Chain, Kind};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_documented_example_is_byte_exact() {
    let page = page();
    let bytes = example().encode();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<&str> =
        digits.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let block = lines.join("\n");
    assert!(page.contains(&block), "docs/audit.md should show\n{block}");
    let head = Chain::start("log.example/tegata").append(&bytes);
    let anchor = String::from_utf8(head.anchor()).unwrap();
    assert!(page.contains(&anchor), "docs/audit.md should show\n{anchor}");
    let start = Chain::start("log.example/tegata").hash.to_string();
    assert!(page.contains(&start), "docs/audit.md should show {start}");
}

#[test]
fn every_kind_is_documented() {
    let page = page();
    for kind in Kind::ALL {
        let row = format!("| `{}` | {} | {} |", kind.name(), kind.english(), kind.japanese());
        assert!(page.contains(&row), "docs/audit.md lacks the row {row}");
    }
}
