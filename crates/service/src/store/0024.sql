-- Version 24. The logs of devices (LG-5). docs/device-log.md.

-- A stretch of a device's log without a break. `owner` is who owned the device when it began: a later
-- owner reads nothing of it. `before_…` is the entry before its first, `last_…` its last; `missing`
-- entries before it were not heard, of which the device says that it dropped `declared`.
CREATE TABLE device_log_run (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    device        INTEGER NOT NULL REFERENCES device (id),
    owner         INTEGER NOT NULL REFERENCES organisation (id),
    log           BLOB NOT NULL CHECK (length(log) = 8),
    began         INTEGER NOT NULL,
    before        INTEGER NOT NULL,
    before_hash   BLOB NOT NULL CHECK (length(before_hash) = 32),
    before_time   INTEGER NOT NULL,
    last          INTEGER NOT NULL,
    last_hash     BLOB NOT NULL CHECK (length(last_hash) = 32),
    last_time     INTEGER NOT NULL,
    missing       INTEGER NOT NULL,
    declared      INTEGER NOT NULL,
    received_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX device_log_run_of ON device_log_run (device, id);

-- An entry as it came. `audit` is the security event that says so, where it has one of its own.
CREATE TABLE device_log_entry (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    run         INTEGER NOT NULL REFERENCES device_log_run (id),
    device      INTEGER NOT NULL REFERENCES device (id),
    owner       INTEGER NOT NULL REFERENCES organisation (id),
    sequence    INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    entry       BLOB NOT NULL,
    hash        BLOB NOT NULL CHECK (length(hash) = 32),
    received_at INTEGER NOT NULL,
    door        INTEGER NOT NULL,
    audit       INTEGER
) STRICT;
CREATE UNIQUE INDEX device_log_entry_of_run ON device_log_entry (run, sequence);
CREATE INDEX device_log_entry_of_device ON device_log_entry (device, owner, id);

-- How many entries of a device are kept, and how many security events its log made in one hour;
-- `silent` more have none of their own, which one event says once the hour is over.
CREATE TABLE device_log (
    device INTEGER PRIMARY KEY REFERENCES device (id),
    owner  INTEGER NOT NULL REFERENCES organisation (id),
    kept   INTEGER NOT NULL,
    hour   INTEGER NOT NULL,
    told   INTEGER NOT NULL,
    silent INTEGER NOT NULL
) STRICT;
CREATE INDEX device_log_silent ON device_log (hour) WHERE silent > 0;
