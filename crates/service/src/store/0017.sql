-- Version 17. Streams of security events to receivers outside.

-- What a receiver was sent is a place in the audit log, so nothing has to be kept twice and nothing
-- is ever lost to a full spool: number and sequence of the last event that it has.
CREATE TABLE audit_stream (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE,
    organisation  TEXT,
    target        TEXT NOT NULL,
    roots         TEXT,
    authorization BLOB,
    paused        INTEGER NOT NULL CHECK (paused IN (0, 1)),
    revision      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    created_by    TEXT NOT NULL,
    starts_after  INTEGER NOT NULL,
    sequence      INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    delivered_at  INTEGER,
    failing_since INTEGER,
    failure       TEXT
) STRICT;
