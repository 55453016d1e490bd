-- Version 13. Diagnoses of products: answers, who changed what, sign-off. docs/assessment.md.

-- States: 0 open, 1 signed, 2 discarded. `sheet` is the digest of the catalogues and the check sheet
-- that it is answered against; `version` counts its changes. `file` is what was signed: the canonical
-- file, as the two saw it; `leaf` commits to it. `entry_bytes`: those of its entries as they are now.
CREATE TABLE diagnosis (
    id           INTEGER PRIMARY KEY,
    reference    BLOB NOT NULL UNIQUE CHECK (length(reference) = 16),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      INTEGER NOT NULL REFERENCES product (id),
    subject      TEXT NOT NULL,
    sheet        BLOB NOT NULL CHECK (length(sheet) = 32),
    state        INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    opened_by    TEXT NOT NULL,
    opened_at    INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    signed_by    TEXT,
    approved_by  TEXT,
    signed_at    INTEGER,
    content      BLOB,
    file         BLOB,
    leaf         INTEGER,
    entry_bytes  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX diagnosis_by_organisation ON diagnosis (organisation, id);
CREATE INDEX diagnosis_by_product ON diagnosis (product, id);

-- What stands under a topic: an item, a clause, a feature that is absent. `version`: that of the
-- diagnosis when it was changed last. `outcome` is NULL where it was taken away: rows stay, so that two
-- who edit the same topic notice each other. `counts_until`: the last day on which evidence counts,
-- NULL where there is none; enough for lists to count without reading `entry` (JSON).
CREATE TABLE diagnosis_entry (
    diagnosis    INTEGER NOT NULL REFERENCES diagnosis (id),
    topic        TEXT NOT NULL,
    version      INTEGER NOT NULL,
    outcome      TEXT,
    counts_until TEXT,
    entry        TEXT,
    changed_by   TEXT NOT NULL,
    changed_at   INTEGER NOT NULL,
    PRIMARY KEY (diagnosis, topic)
) STRICT, WITHOUT ROWID;

-- Who changed what, from what to what. `how`: answer, import, carried, sheet.
CREATE TABLE diagnosis_change (
    id        INTEGER PRIMARY KEY,
    diagnosis INTEGER NOT NULL REFERENCES diagnosis (id),
    version   INTEGER NOT NULL,
    topic     TEXT NOT NULL,
    how       TEXT NOT NULL,
    before    TEXT,
    after     TEXT,
    by        TEXT NOT NULL,
    at        INTEGER NOT NULL
) STRICT;
CREATE INDEX diagnosis_change_by_diagnosis ON diagnosis_change (diagnosis, id);
CREATE INDEX diagnosis_change_by_topic ON diagnosis_change (diagnosis, topic, id);

-- Bytes of an organisation's diagnoses: what was ever said, and what was signed. Those of discarded
-- ones count too, because their history stays.
CREATE TABLE diagnosis_usage (
    organisation INTEGER PRIMARY KEY REFERENCES organisation (id),
    bytes        INTEGER NOT NULL
) STRICT;

-- What an organisation asks of its product lines before operation. Items of `weight` or more are
-- required, and those of `items` (JSON); `signed`: of a diagnosis that two people stand for.
CREATE TABLE operation_policy (
    organisation INTEGER PRIMARY KEY REFERENCES organisation (id),
    required     INTEGER NOT NULL,
    weight       INTEGER NOT NULL,
    items        TEXT NOT NULL,
    signed       INTEGER NOT NULL,
    changed_by   TEXT NOT NULL,
    changed_at   INTEGER NOT NULL
) STRICT;

-- Product lines in operation. `until`: the end of what was overruled, with what was open (JSON), why,
-- and who approved it.
CREATE TABLE operation (
    product     INTEGER PRIMARY KEY REFERENCES product (id),
    since       INTEGER NOT NULL,
    until       INTEGER,
    diagnosis   INTEGER REFERENCES diagnosis (id),
    open        TEXT NOT NULL,
    reason      TEXT,
    by          TEXT NOT NULL,
    approved_by TEXT
) STRICT;

-- What became of both. `what`: policy, entered, overruled, left.
CREATE TABLE operation_log (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      INTEGER REFERENCES product (id),
    at           INTEGER NOT NULL,
    by           TEXT NOT NULL,
    what         TEXT NOT NULL,
    detail       TEXT NOT NULL
) STRICT;
CREATE INDEX operation_log_by_organisation ON operation_log (organisation, id);

-- Evidence that a collector found, on the running platform or in a document. `name` tells documents of
-- a kind apart, `subject` is the version that a document is about; both are empty for the platform.
-- `figures` is JSON. Of the same collector, name and subject the newest counts. `files`: of provenance
-- the digest of the release's files that it was held against.
CREATE TABLE evidence (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      INTEGER NOT NULL REFERENCES product (id),
    collector    TEXT NOT NULL,
    name         TEXT NOT NULL,
    subject      TEXT NOT NULL,
    verdict      TEXT NOT NULL,
    figures      TEXT NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    collected_by TEXT NOT NULL,
    collected_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    replaced_at  INTEGER,
    files        BLOB CHECK (length(files) = 32)
) STRICT;
CREATE INDEX evidence_by_subject ON evidence (product, subject) WHERE replaced_at IS NULL;
CREATE UNIQUE INDEX evidence_current ON evidence (product, collector, name, subject)
    WHERE replaced_at IS NULL;
CREATE INDEX evidence_by_product ON evidence (product, id);

-- Components that an organisation approved: package URLs (JSON), version left out for any.
CREATE TABLE approved_components (
    organisation INTEGER PRIMARY KEY REFERENCES organisation (id),
    list         TEXT NOT NULL,
    changed_by   TEXT NOT NULL,
    changed_at   INTEGER NOT NULL
) STRICT;
