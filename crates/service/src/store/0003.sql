-- Version 3. The fleet as operators see it: search, views, jobs, verdicts given. docs/fleet.md.

-- Lists begin with the newest; a phase is a range of them, all phases are merged. The row number is
-- the last column of every index by itself.
DROP INDEX device_by_owner;
DROP INDEX device_by_maker;
CREATE INDEX device_by_owner ON device (owner, phase);
CREATE INDEX device_by_maker ON device (maker, phase);
-- What is not good is rare and what is looked for.
CREATE INDEX device_not_good_by_owner ON device (owner, standing) WHERE standing <> 1;
CREATE INDEX device_not_good_by_maker ON device (maker, standing) WHERE standing <> 1;

-- Devices with an alarm in their state: a copied key, a part seen twice, back after the end.
CREATE TABLE alarm (
    device INTEGER PRIMARY KEY REFERENCES device (id)
) STRICT;

-- Devices whose ownership is offered, and to whom.
CREATE TABLE offer (
    device       INTEGER PRIMARY KEY REFERENCES device (id),
    organisation INTEGER NOT NULL REFERENCES organisation (id)
) STRICT;
CREATE INDEX offer_by_organisation ON offer (organisation);

-- The last verdict on each device, written behind the verdict: after a crash the last second of it
-- may be missing, and asking again brings it back. Owner and maker are copies for the indexes.
CREATE TABLE last_verdict (
    device  INTEGER PRIMARY KEY REFERENCES device (id),
    owner   INTEGER NOT NULL REFERENCES organisation (id),
    maker   INTEGER NOT NULL REFERENCES organisation (id),
    outcome INTEGER NOT NULL,
    reasons TEXT NOT NULL,
    at      INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX last_verdict_by_owner ON last_verdict (owner, outcome, at);
CREATE INDEX last_verdict_by_maker ON last_verdict (maker, outcome) WHERE outcome <> 1;

-- Verdicts per organisation that owned the device, hour and outcome.
CREATE TABLE verdict_count (
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    hour         INTEGER NOT NULL,
    outcome      INTEGER NOT NULL,
    count        INTEGER NOT NULL,
    PRIMARY KEY (organisation, hour, outcome)
) STRICT, WITHOUT ROWID;

-- Searches that somebody named.
CREATE TABLE saved_view (
    id           INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    whose        TEXT NOT NULL,
    name         TEXT NOT NULL,
    query        TEXT NOT NULL,
    saved_at     INTEGER NOT NULL,
    UNIQUE (organisation, whose, name)
) STRICT;

-- One act on many devices. The items are filled in before a job may run; each is done in one commit
-- with the act itself. `secret` is an enrolment code, sealed, for a day.
CREATE TABLE job (
    id           INTEGER PRIMARY KEY,
    reference    BLOB NOT NULL UNIQUE CHECK (length(reference) = 16),
    organisation INTEGER NOT NULL REFERENCES organisation (id),
    act          TEXT NOT NULL,
    terms        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    caller       TEXT NOT NULL,
    state        INTEGER NOT NULL,
    total        INTEGER NOT NULL,
    done         INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    finished_at  INTEGER,
    note         TEXT
) STRICT;
CREATE INDEX job_by_organisation ON job (organisation, id);
CREATE INDEX job_unfinished ON job (state) WHERE state < 3;

CREATE TABLE job_item (
    job     INTEGER NOT NULL REFERENCES job (id),
    item    INTEGER NOT NULL,
    device  INTEGER NOT NULL REFERENCES device (id),
    outcome INTEGER,
    code    TEXT,
    text    TEXT,
    at      INTEGER,
    secret  BLOB,
    PRIMARY KEY (job, item)
) STRICT, WITHOUT ROWID;
