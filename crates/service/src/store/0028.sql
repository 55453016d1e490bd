-- Version 28. What went through the doors for messages (GW-2, GW-6). docs/gateway.md.

-- Messages of an organisation's devices that were admitted and refused at a door, from `at` on for five
-- minutes.
CREATE TABLE door_traffic (
    organisation  INTEGER NOT NULL REFERENCES organisation (id),
    at            INTEGER NOT NULL,
    door          INTEGER NOT NULL,
    admitted      INTEGER NOT NULL,
    refused       INTEGER NOT NULL,
    PRIMARY KEY (organisation, at, door)
) STRICT, WITHOUT ROWID;
CREATE INDEX door_traffic_at ON door_traffic (at);
