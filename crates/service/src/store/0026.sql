-- Version 26.
-- Alerts: what left what is expected (docs/alerts.md).

-- Up to which security event rules have been held against the log. It moves in the transaction that raises
-- what came of them. Whatever was before this version raises nothing.
CREATE TABLE alert_cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
) STRICT;

INSERT INTO alert_cursor SELECT 1, coalesce(max(seq), 0) FROM audit;

-- Rules of an organisation that are not as they are built in.
CREATE TABLE alert_rule (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    name         TEXT NOT NULL,
    rule         TEXT NOT NULL,
    revision     INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    changed_by   TEXT NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_setting (
    organisation        INTEGER PRIMARY KEY REFERENCES organisation (id),
    quarantine_per_hour INTEGER NOT NULL,
    changed_at          INTEGER NOT NULL,
    changed_by          TEXT NOT NULL
) STRICT;

CREATE TABLE alert (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    rule         TEXT NOT NULL,
    -- as the rule said when it was raised
    title        TEXT NOT NULL,
    title_ja     TEXT NOT NULL,
    severity     INTEGER NOT NULL,
    suggest      TEXT NOT NULL,
    about        TEXT NOT NULL,
    -- 1: open, 2: acknowledged, 3: closed
    state        INTEGER NOT NULL CHECK (state IN (1, 2, 3)),
    count        INTEGER NOT NULL,
    first_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    raised_at    INTEGER NOT NULL,
    closed_at    INTEGER,
    -- 0: not asked for, 1: done, 2: held back by the limit, 3: not possible
    quarantine   INTEGER NOT NULL CHECK (quarantine IN (0, 1, 2, 3)),
    -- places in the audit log, a JSON list
    evidence     TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX alert_at_work ON alert (organisation, rule, about) WHERE state <> 3;
CREATE INDEX alert_of_organisation ON alert (organisation, id);
CREATE INDEX alert_closed ON alert (organisation, rule, about, closed_at) WHERE state = 3;

-- How much of it came when, in parts of five minutes.
CREATE TABLE alert_count (
    alert INTEGER NOT NULL REFERENCES alert (id),
    at    INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (alert, at)
) STRICT, WITHOUT ROWID;

-- Who did what about it.
CREATE TABLE alert_act (
    alert  INTEGER NOT NULL REFERENCES alert (id),
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,
    what   TEXT NOT NULL,
    note   TEXT,
    PRIMARY KEY (alert, number)
) STRICT, WITHOUT ROWID;

-- When devices went into quarantine by themselves: how many do so within an hour is limited.
CREATE TABLE alert_quarantine (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX alert_quarantine_of ON alert_quarantine (organisation, at);
