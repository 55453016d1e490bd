-- Version 36. Usage descriptions that makers keep here (MUD, RFC 8520). docs/mud.md.

-- A version does not change, and the newest counts. `file`, `signature`: bytes as they came, of the newest
-- versions; older ones keep their digest. `digest`: SHA-256 of the file; without: with this version the maker
-- has withdrawn it. `anchors`: certificates in PEM that the signature was checked against. `signer`: whose
-- signature, and until when its certificates hold.
CREATE TABLE mud_version (
    id           INTEGER PRIMARY KEY,
    product      INTEGER NOT NULL REFERENCES product (id),
    version      INTEGER NOT NULL,
    digest       BLOB CHECK (digest IS NULL OR length(digest) = 32),
    file         BLOB,
    signature    BLOB,
    anchors      TEXT,
    signer       TEXT,
    signer_until INTEGER,
    reason       TEXT NOT NULL,
    made_by      TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    UNIQUE (product, version)
) STRICT;

-- Connections of devices that their product line's file does not allow, as long as the device is that
-- owner's: one row for each and for whose word it is, however often it is reported. `told_at`: when a security
-- event last said so.
CREATE TABLE mud_outside (
    id         INTEGER PRIMARY KEY,
    device     INTEGER NOT NULL REFERENCES device (id),
    owner      INTEGER NOT NULL REFERENCES organisation (id),
    connection TEXT NOT NULL,
    told_by    INTEGER NOT NULL CHECK (told_by IN (1, 2)),
    times      INTEGER NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    told_at    INTEGER,
    UNIQUE (device, connection, told_by)
) STRICT;

-- How many security events such connections of a device made in an hour, by whose word.
CREATE TABLE mud_told (
    device  INTEGER NOT NULL REFERENCES device (id),
    told_by INTEGER NOT NULL CHECK (told_by IN (1, 2)),
    hour    INTEGER NOT NULL,
    told    INTEGER NOT NULL,
    PRIMARY KEY (device, told_by)
) STRICT, WITHOUT ROWID;

-- Since when a device is its owner's, where that changed: what its log tells of before is not held against a
-- file. Who sold it before there were files has no row, and needs none.
CREATE TABLE mud_owned (
    device INTEGER PRIMARY KEY REFERENCES device (id),
    since  INTEGER NOT NULL
) STRICT;
