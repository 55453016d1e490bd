-- Version 23. Routes: where messages of an organisation's devices go on to.

CREATE TABLE route (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation   INTEGER NOT NULL REFERENCES organisation (id),
    name           TEXT NOT NULL,
    product        TEXT,
    filter         TEXT,
    condition      TEXT,
    target         TEXT NOT NULL,
    roots          TEXT,
    -- sealed
    secret         BLOB,
    paused         INTEGER NOT NULL CHECK (paused IN (0, 1)),
    -- 1: the oldest go when the queue is full; 0: doors refuse
    drops          INTEGER NOT NULL CHECK (drops IN (0, 1)),
    count_max      INTEGER NOT NULL,
    bytes_max      INTEGER NOT NULL,
    attempts_max   INTEGER NOT NULL,
    retention_days INTEGER NOT NULL,
    revision       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    created_by     TEXT NOT NULL,
    changed_at     INTEGER NOT NULL,
    changed_by     TEXT NOT NULL,
    UNIQUE (organisation, name)
) STRICT;

-- What is known of a route without counting: all that it keeps (waiting, dead, rows of a table).
CREATE TABLE route_state (
    route         INTEGER PRIMARY KEY REFERENCES route (id),
    count         INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    dead          INTEGER NOT NULL,
    delivered     INTEGER NOT NULL,
    dropped       INTEGER NOT NULL,
    delivered_at  INTEGER,
    drop_told_at  INTEGER,
    failing_since INTEGER,
    failure       TEXT
) STRICT;

-- The durable queue. A row is written in the transaction that keeps the message, and goes when a
-- receiver has it. Ids are never used again: a receiver tells by them what it was sent twice.
-- Without a reference to its route: a route that has ended leaves many behind, which go bit by bit.
CREATE TABLE route_message (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    route       INTEGER NOT NULL,
    -- 1 waiting, 2 dead, 3 row of a table
    place       INTEGER NOT NULL CHECK (place BETWEEN 1 AND 3),
    device      INTEGER NOT NULL REFERENCES device (id),
    product     TEXT,
    topic       TEXT NOT NULL,
    door        INTEGER NOT NULL,
    media_type  TEXT,
    payload     BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    dead_at     INTEGER,
    why         TEXT
) STRICT;
CREATE INDEX route_message_of_route ON route_message (route, place, id);
CREATE INDEX route_message_waiting ON route_message (route, device, id) WHERE place = 1;
CREATE INDEX route_message_of_time ON route_message (route, received_at, id) WHERE place = 3;

-- The devices of which messages wait: each has its order, and a time before which its first message
-- is not tried again.
CREATE TABLE route_lane (
    route    INTEGER NOT NULL,
    device   INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (route, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX route_lane_due ON route_lane (route, due_at);
CREATE INDEX route_lane_failing ON route_lane (route) WHERE attempts > 0;

-- Routes that have ended and left messages behind.
CREATE TABLE route_ended (
    route INTEGER PRIMARY KEY
) STRICT;
