use policy::{ACCESS, Roles};

/// Who looks up whether a device is shared with its own owner wastes a look into the store: the
/// service leaves it out, and this is why it may.
#[test]
fn sharing_gives_no_more_than_owning() {
    for row in ACCESS {
        assert!(row.shared.is_within(row.owner), "{}", row.action);
    }
    assert!(ACCESS.iter().any(|row| row.shared != Roles::NONE));
}
