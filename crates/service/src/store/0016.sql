-- Version 16. Messages of devices. docs/gateway.md.

-- Messages that devices sent and that were admitted (GW-2), until their retention ends. `topic` is below
-- the device's own space. `owner` is who owned the device then: a later owner does not read them.
CREATE TABLE message (
    id          INTEGER PRIMARY KEY,
    device      INTEGER NOT NULL REFERENCES device (id),
    owner       INTEGER NOT NULL REFERENCES organisation (id),
    door        INTEGER NOT NULL,
    topic       TEXT NOT NULL,
    media_type  TEXT,
    payload     BLOB NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX message_of_device ON message (device, id);

-- How much is kept of a device's messages: what must go is known without counting.
CREATE TABLE message_kept (
    device INTEGER PRIMARY KEY REFERENCES device (id),
    count  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL
) STRICT;

-- The counters that were heard of a device: the highest, and a bit for each of the 128 up to it.
CREATE TABLE message_window (
    device  INTEGER PRIMARY KEY REFERENCES device (id),
    highest BLOB NOT NULL CHECK (length(highest) = 8),
    heard   BLOB NOT NULL CHECK (length(heard) = 16)
) STRICT;

-- The newest message of a topic that its sender had kept (MQTT retain).
CREATE TABLE message_retained (
    topic       TEXT PRIMARY KEY,
    device      INTEGER NOT NULL REFERENCES device (id),
    qos         INTEGER NOT NULL,
    media_type  TEXT,
    payload     BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    expires_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX message_retained_of_device ON message_retained (device);

-- What was not admitted: how often, and the last time.
CREATE TABLE message_refused (
    device     INTEGER NOT NULL REFERENCES device (id),
    owner      INTEGER NOT NULL REFERENCES organisation (id),
    reason     TEXT NOT NULL,
    door       INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    last_topic TEXT NOT NULL,
    PRIMARY KEY (device, owner, reason, door)
) STRICT, WITHOUT ROWID;
