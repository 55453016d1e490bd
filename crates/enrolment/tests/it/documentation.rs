use enrolment::{est::Operation, rules};

#[test]
fn the_page_names_operations_and_limits() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/est.md");
    let page = std::fs::read_to_string(path).unwrap();
    for operation in Operation::ALL {
        assert!(page.contains(&format!("`{operation}`")), "{operation}");
    }
    let early = format!("{} certificates in 24 hours", rules::EARLY_PER_DAY_MAX);
    assert!(page.contains(&early), "{early}");
    let grace = format!("{} days", rules::GRACE_SECONDS / 86_400);
    assert!(page.contains(&grace), "{grace}");
}
