-- Version 8. Files by their contents, releases, image repositories. docs/release.md.

-- Contents that are on disk whole and verified: `<data>/blobs/ab/cdef…`.
CREATE TABLE blob (
    id         INTEGER PRIMARY KEY,
    sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    sha1       BLOB NOT NULL CHECK (length(sha1) = 20),
    length     INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Which organisations have them. Who has uploaded a file has it; that another has it too shows
-- nowhere. A blob that nobody has is removed.
CREATE TABLE blob_held (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    blob         INTEGER NOT NULL REFERENCES blob (id),
    since        INTEGER NOT NULL,
    PRIMARY KEY (organisation, blob)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_held_by_blob ON blob_held (blob);

-- Files on their way. `received` bytes of `<data>/blobs/uploads/REFERENCE` are durable. States:
-- 0 receiving, 1 being verified, 2 complete, 3 not what was announced.
CREATE TABLE upload (
    id           INTEGER PRIMARY KEY,
    reference    BLOB NOT NULL UNIQUE CHECK (length(reference) = 16),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    sha256       BLOB NOT NULL CHECK (length(sha256) = 32),
    length       INTEGER NOT NULL,
    received     INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_by_organisation ON upload (organisation, sha256);
CREATE INDEX upload_by_end ON upload (expires_at);
CREATE INDEX upload_to_verify ON upload (state) WHERE state = 1;

-- States: 0 draft, 1 published, 2 withdrawn, 3 discarded. `hardware_ids` is JSON.
CREATE TABLE release (
    id               INTEGER PRIMARY KEY,
    reference        BLOB NOT NULL UNIQUE CHECK (length(reference) = 16),
    organisation     INTEGER NOT NULL REFERENCES organisation (id),
    product          INTEGER NOT NULL REFERENCES product (id),
    version          TEXT NOT NULL,
    security_version INTEGER NOT NULL,
    counter          INTEGER NOT NULL,
    hardware_ids     TEXT NOT NULL,
    notes            TEXT NOT NULL,
    state            INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    created_by       TEXT NOT NULL,
    published_at     INTEGER,
    published_by     TEXT,
    withdrawn_at     INTEGER,
    withdrawn_reason TEXT,
    -- what of the gate was overruled, as JSON, and why
    overruled        TEXT,
    overruled_reason TEXT,
    -- what the log commits to
    leaf             INTEGER REFERENCES statement (leaf)
) STRICT;
CREATE UNIQUE INDEX release_by_version ON release (product, version) WHERE state < 3;
CREATE UNIQUE INDEX release_by_counter ON release (product, counter) WHERE state < 3;
CREATE INDEX release_by_organisation ON release (organisation, id);

CREATE TABLE artifact (
    id           INTEGER PRIMARY KEY,
    release      INTEGER NOT NULL REFERENCES release (id),
    name         TEXT NOT NULL,
    path         TEXT NOT NULL,
    blob         INTEGER NOT NULL REFERENCES blob (id),
    hardware_ids TEXT NOT NULL,
    UNIQUE (release, name)
) STRICT;
CREATE INDEX artifact_by_blob ON artifact (blob);

-- SBOM (1), test results (2), provenance (3); `summary` is what was read from it, as JSON.
CREATE TABLE attachment (
    id      INTEGER PRIMARY KEY,
    release INTEGER NOT NULL REFERENCES release (id),
    kind    INTEGER NOT NULL,
    name    TEXT NOT NULL,
    blob    INTEGER NOT NULL REFERENCES blob (id),
    summary TEXT NOT NULL,
    UNIQUE (release, kind, name)
) STRICT;
CREATE INDEX attachment_by_blob ON attachment (blob);

-- What a product's releases must have; a product without a row has the default.
CREATE TABLE release_gate (
    product        INTEGER PRIMARY KEY REFERENCES product (id),
    sbom           INTEGER NOT NULL,
    tests          INTEGER NOT NULL,
    provenance     INTEGER NOT NULL,
    not_exploited  INTEGER NOT NULL,
    security_floor INTEGER NOT NULL,
    component      TEXT
) STRICT;

-- What the log commits to beside life events and the audit chain: published releases (1).
CREATE TABLE statement (
    leaf     INTEGER PRIMARY KEY,
    kind     INTEGER NOT NULL,
    salt     BLOB NOT NULL CHECK (length(salt) = 32),
    contents BLOB NOT NULL
) STRICT;

-- Image repositories (TUF), one per organisation. `open` is 1 where everybody may read metadata and
-- images; `problem` is what the last renewal failed with.
CREATE TABLE repository (
    organisation INTEGER PRIMARY KEY REFERENCES organisation (id),
    open         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    problem      TEXT
) STRICT;

-- Keys that work online: role 1 snapshot, 2 timestamp.
CREATE TABLE repository_key (
    key          INTEGER PRIMARY KEY REFERENCES key (id),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    role         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX repository_key_by_organisation ON repository_key (organisation);

-- Signed metadata as they are served. What a newer version replaced stays for a while, for clients
-- that are in the middle; roots stay for ever.
CREATE TABLE repository_file (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    name         TEXT NOT NULL,
    contents     BLOB NOT NULL,
    published_at INTEGER NOT NULL,
    replaced_at  INTEGER,
    UNIQUE (organisation, name)
) STRICT;
CREATE INDEX repository_file_replaced ON repository_file (replaced_at)
    WHERE replaced_at IS NOT NULL;
