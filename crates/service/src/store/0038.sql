-- Version 38. Connections that devices open, as far as usage descriptions are suggested of them. docs/mud.md.

-- The devices that are looked at: so many of each owner's product line. `last_day`: when one last told of a
-- connection, in days since 1970 (UTC).
CREATE TABLE mud_seen_device (
    device   INTEGER PRIMARY KEY REFERENCES device (id),
    owner    INTEGER NOT NULL REFERENCES organisation (id),
    product  INTEGER NOT NULL REFERENCES product (id),
    last_day INTEGER NOT NULL
) STRICT;
CREATE INDEX mud_seen_device_of_line ON mud_seen_device (owner, product, last_day);

-- Whom they connected to: `days` on how many days that was told of, the last of them `last_day`.
CREATE TABLE mud_seen (
    device   INTEGER NOT NULL REFERENCES device (id),
    door     TEXT NOT NULL,
    days     INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (device, door)
) STRICT, WITHOUT ROWID;
