/// What can be done to a device from its page.
const ACTS: &[&str] = &[
    "suspend",
    "release",
    "revoke",
    "offer-transfer",
    "accept-transfer",
    "cancel-transfer",
    "retire",
    "dispose",
    "erase",
];

/// What can be done to many devices.
const BULK_ACTS: &[&str] = &["suspend", "release", "retire", "revoke", "release-codes"];

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
        "profile",
        &[
            "root",
            "issuing-ca",
            "chip",
            "idevid",
            "ldevid",
            "service",
            "organisation-signer",
            "operator",
            "ocsp-signer",
        ],
    ),
    ("verdict-means", &["genuine", "suspect", "rejected"]),
    (
        "evidence-moment",
        &[
            "not-after",
            "not-before",
            "revoked-at",
            "device-clock",
            "received-at",
            "as-of",
            "fresh-until",
            "cosigned-at",
            "verifier-clock",
        ],
    ),
    ("act-name", ACTS),
    ("act-title", ACTS),
    ("relation", &["owner", "maker", "shared", "offered"]),
    ("attention", &["suspect", "expiring", "stale", "suspended", "alarm"]),
    ("order", &["newest", "serial"]),
    ("bulk-name", BULK_ACTS),
    ("bulk-title", BULK_ACTS),
    ("bulk-means", BULK_ACTS),
    ("job-state", &["preparing", "waiting", "running", "done", "cancelled", "failed"]),
    ("weight", &["note", "suspect", "reject"]),
    ("registered-as", &["maker", "recycler", "authority", "platform"]),
    ("device-kind", &["chip", "module", "board", "device"]),
    ("root-of-trust", &["tpm", "secure-element", "dice", "puf", "software"]),
    ("certificate-status", &["good", "suspended", "revoked"]),
    ("ca-kind", &["platform", "device", "owner"]),
    ("key-purpose", &["log", "events", "passports", "ca", "ocsp", "server", "unknown"]),
    (
        "key-use",
        &[
            "certificate",
            "crl",
            "ocsp-answer",
            "checkpoint",
            "event",
            "passport",
            "ca-request",
            "unknown",
        ],
    ),
    ("audit-severity", &["informational", "low", "medium", "high", "critical"]),
    ("audit-outcome", &["success", "failure", "error"]),
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
            "share-set",
            "share-ended",
            "act-done",
            "view-saved",
            "view-deleted",
            "job-started",
            "job-cancelled",
            "nothing-selected",
            "approval-requested",
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
