-- What owners tell their devices, and what these say to it.

CREATE TABLE command (
    id           INTEGER PRIMARY KEY,
    reference    BLOB NOT NULL UNIQUE CHECK (length(reference) = 16),
    device       INTEGER NOT NULL REFERENCES device (id),
    owner        INTEGER NOT NULL REFERENCES organisation (id),
    name         TEXT NOT NULL,
    parameters   TEXT NOT NULL,
    reason       TEXT NOT NULL,
    issued_by    TEXT NOT NULL,
    issued_at    INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    -- 1 waiting, 2 sent, 3 accepted, 4 done, 5 failed, 6 rejected, 7 cancelled
    state        INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
    sent_at      INTEGER,
    answered_at  INTEGER,
    detail       TEXT,
    cancelled_at INTEGER
) STRICT;
CREATE INDEX command_of_device ON command (device, id);

-- What is wanted of a device's settings: the newest version, and what the device says it runs with.
-- Versions of one device only grow, whoever owns it.
CREATE TABLE configuration (
    device           INTEGER PRIMARY KEY REFERENCES device (id),
    owner            INTEGER NOT NULL REFERENCES organisation (id),
    version          INTEGER NOT NULL,
    reported_version INTEGER,
    reported         TEXT,
    reported_at      INTEGER,
    reported_owner   INTEGER REFERENCES organisation (id)
) STRICT;

CREATE TABLE configuration_version (
    device   INTEGER NOT NULL REFERENCES device (id),
    version  INTEGER NOT NULL,
    owner    INTEGER NOT NULL REFERENCES organisation (id),
    settings TEXT NOT NULL,
    reason   TEXT NOT NULL,
    set_by   TEXT NOT NULL,
    set_at   INTEGER NOT NULL,
    PRIMARY KEY (device, version)
) STRICT, WITHOUT ROWID;
