-- Version 27. Where alerts go: web hooks and mail (docs/alerts.md).
CREATE TABLE alert_receiver (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation  INTEGER NOT NULL REFERENCES organisation (id),
    name          TEXT NOT NULL,
    target        TEXT NOT NULL,
    mail_from     TEXT,
    -- a JSON list
    mail_to       TEXT NOT NULL,
    japanese      INTEGER NOT NULL CHECK (japanese IN (0, 1)),
    -- alerts at least so grave
    severity      INTEGER NOT NULL,
    roots         TEXT,
    -- sealed
    secret        BLOB,
    paused        INTEGER NOT NULL CHECK (paused IN (0, 1)),
    revision      INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL,
    changed_by    TEXT NOT NULL,
    delivered     INTEGER NOT NULL,
    dropped       INTEGER NOT NULL,
    delivered_at  INTEGER,
    failing_since INTEGER,
    failure       TEXT,
    UNIQUE (organisation, name)
) STRICT;

-- What a receiver is to be told; written in the transaction of what it tells.
CREATE TABLE alert_notice (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver INTEGER NOT NULL REFERENCES alert_receiver (id),
    alert    INTEGER NOT NULL,
    what     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    dead_at  INTEGER
) STRICT;
CREATE INDEX alert_notice_waits ON alert_notice (receiver, id) WHERE dead_at IS NULL;
CREATE INDEX alert_notice_dead ON alert_notice (receiver, id) WHERE dead_at IS NOT NULL;
