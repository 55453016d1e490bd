-- Version 25. Schemas of payloads, by organisation. docs/schemas.md.

CREATE TABLE payload_schema (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    name         TEXT NOT NULL,
    UNIQUE (organisation, name)
) STRICT;

-- Versions; a version does not change. `kind`: 1 JSON Schema, 2 CDDL, 3 Protobuf. `topic`: a filter below
-- a device's space. `product`: maker/product; without: of every product line. `failures`: cases that did
-- not come out as expected, when it was tested last.
CREATE TABLE payload_schema_version (
    schema         INTEGER NOT NULL REFERENCES payload_schema (id),
    version        INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    source         BLOB NOT NULL,
    root           TEXT,
    unknown_fields INTEGER NOT NULL,
    topic          TEXT NOT NULL,
    product        TEXT,
    cases          TEXT NOT NULL,
    digest         BLOB NOT NULL CHECK (length(digest) = 32),
    reason         TEXT NOT NULL,
    made_by        TEXT NOT NULL,
    made_at        INTEGER NOT NULL,
    case_count     INTEGER NOT NULL,
    tested_by      TEXT,
    tested_at      INTEGER,
    failures       INTEGER,
    PRIMARY KEY (schema, version)
) STRICT, WITHOUT ROWID;

-- What was put in force when, by whom and why. The newest row of a schema says what is in force; without a
-- version: nothing. `mode`: 1 refuses what does not follow it, 2 counts it alone.
CREATE TABLE payload_schema_activation (
    id           INTEGER PRIMARY KEY,
    schema       INTEGER NOT NULL REFERENCES payload_schema (id),
    version      INTEGER,
    mode         INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    activated_by TEXT NOT NULL,
    activated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX payload_schema_activation_of_schema ON payload_schema_activation (schema, id);

-- What came of payloads, by the rule that was broken; an empty rule: those that follow the schema.
CREATE TABLE payload_schema_found (
    schema      INTEGER NOT NULL REFERENCES payload_schema (id),
    version     INTEGER NOT NULL,
    rule        TEXT NOT NULL,
    count       INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    last_place  TEXT NOT NULL,
    last_topic  TEXT NOT NULL,
    last_device INTEGER NOT NULL REFERENCES device (id),
    PRIMARY KEY (schema, version, rule)
) STRICT, WITHOUT ROWID;

-- Product lines (maker/product; empty: all) of which only topics with a schema are taken.
CREATE TABLE payload_strict (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    product      TEXT NOT NULL,
    reason       TEXT NOT NULL,
    set_by       TEXT NOT NULL,
    set_at       INTEGER NOT NULL,
    PRIMARY KEY (organisation, product)
) STRICT, WITHOUT ROWID;

-- What exactly was wrong with a message that was refused.
ALTER TABLE message_refused ADD COLUMN last_detail TEXT;
