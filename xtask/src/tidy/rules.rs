//! The rules as data.

/// The crates in the order in which they may depend on each other: each only on those before it.
pub(super) const LAYERS: &[&str] = &[
    "crypto",
    "ledger",
    "pki",
    "device",
    "enrolment",
    "update",
    "advisory",
    "policy",
    "audit",
    "alert",
    "behaviour",
    "admission",
    "broker",
    "permission",
    "peer",
    "schema",
    "assessment",
    "service",
    "gateway",
    "api",
    "console",
    "server",
    "agent",
    "tegata",
];

/// Edges that the order would allow and the design does not: (from, to, why).
pub(super) const FORBIDDEN_EDGES: &[(&str, &str, &str)] = &[
    ("api", "service", "the wire types serve clients, which must not carry the store"),
    ("api", "ledger", "the wire types are plain data; the caller converts"),
];

/// What a crate that ships on devices may have of ours: (crate, dependencies). Its tests may have more.
pub(super) const SHIPPED_ALONE: &[(&str, &[&str])] = &[(
    "agent",
    &[
        "crypto",
        "ledger",
        "pki",
        "device",
        "enrolment",
        "update",
        "admission",
        "permission",
        "peer",
    ],
)];

/// Crates that decide and do nothing else (invariant 1).
pub(super) const DOMAIN: &[&str] = &[
    "crypto",
    "ledger",
    "pki",
    "device",
    "enrolment",
    "update",
    "advisory",
    "policy",
    "audit",
    "alert",
    "behaviour",
    "admission",
    "broker",
    "permission",
    "peer",
    "schema",
    "assessment",
];

/// What a domain crate may not depend on, with the exceptions: (dependency, crates that may).
pub(super) const FORBIDDEN_DEPENDENCIES: &[(&str, &[&str])] = &[
    ("axum", &[]),
    ("hyper", &[]),
    ("hyper-util", &[]),
    ("reqwest", &[]),
    ("rusqlite", &[]),
    // Behind the feature `tls`: a `Signer` as a TLS key.
    ("rustls", &["crypto"]),
    ("tokio", &[]),
    ("tokio-rustls", &[]),
    ("tower", &[]),
];

/// What the code of a domain crate may not mention.
pub(super) const FORBIDDEN_MENTIONS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant::now",
    "random::",
    "thread::spawn",
    "println!",
];

/// Where a forbidden mention stands with a reason: (path or folder, mention, reason).
pub(super) const ALLOWED_MENTIONS: &[(&str, &str, &str)] = &[
    ("crates/crypto/src/", "random::", "it is the one source of randomness, and seals with it"),
    ("crates/ledger/src/files.rs", "std::fs", "the object store on disk, behind a trait"),
];

/// Files that may hold SQL: the store, a private module of `service`.
pub(super) const SQL_PLACES: &[&str] = &[
    "crates/service/src/store/",
    "crates/service/src/store.rs",
    // An attacker who has the database file, and a look at it after a crash.
    "crates/service/tests/",
    "xtask/src/tidy/",
];

/// What tells SQL from other text.
pub(super) const SQL_MARKS: &[&str] =
    &["SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "CREATE INDEX ", "PRAGMA "];

/// Lints that the workspace must switch on for every crate.
pub(super) const REQUIRED_LINTS: &[&str] = &["missing_docs", "unsafe_code", "unwrap_used"];

/// Longest file that passes without a remark, in lines.
pub(super) const LINES_MAX: usize = 600;

/// Families of requirements and where their list is.
pub(super) const REQUIREMENT_FAMILIES: &[&str] =
    &["TR", "LC", "KM", "EN", "AU", "GW", "UP", "AT", "LG", "AS", "PR", "VM", "OP"];
/// The list of requirements: a table whose first column is the id.
pub(super) const REQUIREMENTS: &str = "docs/requirements.md";

/// Which tests show what is claimed.
pub(super) const TRACED: &str = "docs/traced.md";

/// Words that belong to one machine, one registry or one tracker, not to the project.
/// Written in two halves, so that this list does not find itself.
pub(super) const FOREIGN_WORDS: &[(&str, &str)] = &[
    (concat!("/wor", "k/"), "an absolute path of one machine"),
    (concat!("/roo", "t/"), "an absolute path of one machine"),
    (concat!("/hom", "e/"), "an absolute path of one machine"),
    (concat!("/User", "s/"), "an absolute path of one machine"),
    (concat!("static.crates", ".io"), "the host of a package registry"),
    (concat!("index.crates", ".io"), "the host of a package registry"),
    (concat!("//crates", ".io"), "the host of a package registry"),
    (concat!("pypi", ".org"), "the host of a package registry"),
    (concat!("pythonhosted", ".org"), "the host of a package registry"),
    (concat!("deb.debian", ".org"), "the host of a package registry"),
    (concat!("registry.npmjs", ".org"), "the host of a package registry"),
    (concat!("proxy.golang", ".org"), "the host of a package registry"),
];

/// Files that tools write and that name registries of necessity.
pub(super) const GENERATED: &[&str] = &["Cargo.lock", "fuzz/Cargo.lock"];

/// Marks of unfinished work, in two halves as above.
pub(super) const UNFINISHED: &[(&str, &str)] = &[
    (concat!("FIX", "ME"), "finish it, or say in the documentation what is absent"),
    (concat!("XX", "X:"), "finish it, or say in the documentation what is absent"),
    (concat!("TO", "DO"), "finish it, or say in the documentation what is absent"),
    (concat!("#[ign", "ore"), "a test that does not run protects nothing; make it fast or drop it"),
];

/// The one reason for which a test may be left out of the usual run: another test starts it.
pub(super) const STARTED_BY_ANOTHER: &str = "runs in a process of its own";

/// The index of the documents: every page in its folder stands in it.
pub(super) const INDEX: &str = "docs/README.md";
