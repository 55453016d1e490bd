/// Texts whose key is made from a value: family and its values, `standing` and `active` for the key
/// `standing-active`. The tests hold this list against the texts in both directions.
pub const FAMILIES: &[(&str, &[&str])] = &[
    ("ago", &["minutes", "hours", "days", "months", "years"]),
    ("ahead", &["minutes", "hours", "days", "months", "years"]),
    (
        "error-title",
        &[
            "bad-request",
            "forbidden",
            "not-found",
            "conflict",
            "too-many",
            "unavailable",
            "internal",
        ],
    ),
    (
        "error-hint",
        &[
            "bad-request",
            "forbidden",
            "not-found",
            "conflict",
            "too-many",
            "unavailable",
            "internal",
        ],
    ),
    (
        "notice",
        &[
            "preferences-saved",
            "signed-out",
            "passkey-added",
            "passkey-renamed",
            "passkey-removed",
            "session-ended",
            "sessions-ended",
        ],
    ),
    (
        "guide-title",
        &["shell", "install", "join", "maker", "device", "verify", "passport", "console"],
    ),
    (
        "guide-text",
        &["shell", "install", "join", "maker", "device", "verify", "passport", "console"],
    ),
    ("role", &["administrator", "operator", "station", "auditor", "reader"]),
    ("public-finding", &["genuine", "doubtful", "not-genuine", "cannot-tell", "warning"]),
    ("public-told", &["genuine", "doubtful", "not-genuine", "cannot-tell", "warning"]),
    ("public-phase", &["making", "trade", "in-use", "part", "ended"]),
    ("public-sure", &["firm", "fair", "weak"]),
    ("public-update", &["newest", "other", "unknown"]),
    (
        "public-warning",
        &[
            "lost-or-stolen",
            "counterfeit",
            "recalled",
            "unsafe",
            "suspended",
            "withdrawn",
            "retired",
            "disposed",
            "prototype",
        ],
    ),
];

/// Whether a family has this value.
pub fn family_has(family: &str, value: &str) -> bool {
    FAMILIES.iter().any(|(name, values)| *name == family && values.contains(&value))
}
